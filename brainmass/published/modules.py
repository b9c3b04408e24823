"""The module paths of the published package, where scripts import from: modules that look their names up elsewhere.

They stand in `sys.modules` from the start, so that `import brainmass.hopf` finds them and no file of that name is
needed; what a name stands for is looked up when it is asked for.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import MutableSequence
from types import ModuleType
from typing import Any

__all__ = ["PATHS", "imported", "install"]

_WILSON_COWAN = (
    "WilsonCowanAdaptiveStep WilsonCowanBase WilsonCowanDelayedStep WilsonCowanDivisiveInputStep "
    "WilsonCowanDivisiveStep WilsonCowanLinearStep WilsonCowanNoSaturationStep WilsonCowanSimplifiedStep "
    "WilsonCowanStep WilsonCowanSymmetricStep WilsonCowanThreePopBase WilsonCowanThreePopulationStep"
)
_KERNELS = "DoubleExponentialHRFKernel FirstOrderVolterraHRFKernel GammaHRFKernel HRFKernel MixtureOfGammasHRFKernel"
_COUPLINGS = (
    "AdditiveCoupling DiffusiveCoupling HyperbolicTangentCoupling LaplacianConnParam SigmoidalCoupling "
    "SigmoidalJansenRitCoupling additive_coupling diffusive_coupling hyperbolic_tangent_coupling "
    "laplacian_connectivity sigmoidal_coupling sigmoidal_jansen_rit_coupling"
)

# Module path there -> the names in it; each is one of the package, or stands in the table after this one.
PATHS = {
    path: tuple(names.split())
    for path, names in {
        "_base": "NeuralMassDynamics",
        "_version": "__version__ __version_info__",
        "_xy_model": "XY_Oscillator",
        "coombes_byrne": "CoombesByrneStep",
        "coupling": f"{_COUPLINGS} AdditiveConn DelayedAdditiveConn",
        "epileptor": "EpileptorStep",
        "fhn": "FitzHughNagumoStep",
        "fitter": "FitResult Fitter",
        "forward_model": "BOLDSignal EEGLeadFieldModel LeadFieldModel MEGLeadFieldModel",
        "generic_2d_oscillator": "Generic2dOscillatorStep",
        "hopf": "HopfStep",
        "horn": "AdditiveConn AdditiveCoupling DelayedAdditiveConn DelayedAdditiveConnTR DelayedLaplacianConn "
        "DelayedLaplacianConnTR HORNSeqLayer HORNSeqNetwork HORNStep HORN_TR LaplacianConnParam additive_coupling",
        "horn.connections": "AdditiveConn DelayedAdditiveConn DelayedAdditiveConnTR DelayedLaplacianConn "
        "DelayedLaplacianConnTR",
        "horn.sequential": "HORNSeqLayer HORNSeqNetwork",
        "horn.step": "HORNStep",
        "horn.variants": "HORN_TR",
        "jansen_rit": "Identity JansenRit2Layer JansenRitLayer JansenRitNetwork JansenRitStep JansenRitTR "
        "LaplacianConnV2 LaplacianConnectivity",
        "jansen_rit.connectivity": "LaplacianConnV2 LaplacianConnectivity",
        "jansen_rit.network": "JansenRit2Layer JansenRitLayer JansenRitNetwork",
        "jansen_rit.step": "Identity JansenRitStep",
        "jansen_rit.tr": "JansenRitTR",
        "kuramoto": "KuramotoNetwork",
        "larter_breakspear": "LarterBreakspearStep",
        "leadfield": "LeadfieldReadout",
        "linear": "LinearStep ThresholdLinearStep",
        "list_models": "ModelInfo list_models",
        "lorenz": "LorenzStep",
        "noise": "BlueNoise BrownianNoise ColoredNoise GaussianNoise Noise OUProcess PinkNoise VioletNoise WhiteNoise",
        "observation": f"{_KERNELS} HRFBold TemporalAverage",
        "qif": "MontbrioPazoRoxinStep",
        "simulator": "Simulator",
        "sl": "StuartLandauStep",
        "typing": "Array Initializer Parameter",
        "utils": "bounded_input delay_index process_sequence set_module_as sigmoid sys2nd",
        "vdp": "VanDerPolStep",
        "wilson_cowan": f"AdditiveConn DelayedAdditiveConn WilsonCowanSeqLayer WilsonCowanSeqNetwork {_WILSON_COWAN}",
        "wong_wang": "WongWangStep",
        "wong_wang_exc_inh": "WongWangExcInhStep",
    }.items()
}

# Where what is not at the top of the package stands: modules that are searched in turn, by the start of the path.
_HOMES = {
    "coupling": ("training.horn",),
    "horn": ("training.horn", "models.horn.step"),
    "jansen_rit": (
        "models.jansen_rit.connectivity",
        "models.jansen_rit.firing_rates",
        "training.jansen_rit",
        "models.jansen_rit.tr",
    ),
    "utils": ("published.attributes",),
    "wilson_cowan": ("training.wilson_cowan",),
}


class PublishedModule(ModuleType):
    """A module path of the published package; its names are those of this one."""

    def __init__(self, package: ModuleType, path: str):
        super().__init__(f"{package.__name__}.{path}", f"What version 0.1.1 has in brainmass.{path}.")
        self.__all__ = [name for name in PATHS[path] if not name.startswith("__")]
        self.__path__: MutableSequence[str] = []  # a package, for those that have parts
        self._package, self._where = package, path

    def __getattr__(self, name: str) -> Any:
        part = f"{self.__name__}.{name}"
        if part in sys.modules:
            return sys.modules[part]
        if name not in PATHS[self._where]:
            raise AttributeError(
                f"module {self.__name__!r} has no attribute {name!r}: it has {', '.join(self.__all__)}."
            )
        for home in _HOMES.get(self._where.partition(".")[0], ()):
            module = importlib.import_module(f"{self._package.__name__}.{home}")
            if name in module.__all__:
                return getattr(module, name)
        return getattr(self._package, name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *PATHS[self._where]]


def install(package: ModuleType) -> None:
    for path in PATHS:
        sys.modules[f"{package.__name__}.{path}"] = PublishedModule(package, path)


def imported(package: ModuleType, path: str) -> ModuleType:
    return sys.modules[f"{package.__name__}.{path}"]
