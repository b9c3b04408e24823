"""What the figures of the gallery show: a short run of each model, beside its phase plane or its response."""

from __future__ import annotations

from typing import Any, NamedTuple

import brainunit as u
import numpy as np
from braintools.init import Constant

import brainmass

__all__ = ["Branches", "Response", "Scene", "branches_of", "scene_of"]


class Response(NamedTuple):
    """Extrema of what is shown, for many values of one parameter or input, from `low` to `high`."""

    name: str
    low: float
    high: float
    unit: Any = u.UNITLESS
    n: int = 100
    transient: Any = 500 * u.ms
    duration: Any = 1000 * u.ms

    @property
    def values(self) -> Any:
        values = np.linspace(self.low, self.high, self.n)
        return values if self.unit == u.UNITLESS else values * self.unit


class Branches(NamedTuple):
    """The bifurcation diagram over one parameter or input, from `low` to `high`."""

    name: str
    low: Any
    high: Any
    of: Any = None  # a state, or a function of the states
    shown: str = ""  # in words, where it is a function
    cycles: bool = True


class Scene(NamedTuple):
    """What makes a model move where its defaults let it rest, and what shows it."""

    model: Any
    arguments: dict[str, Any] = {}
    in_size: int = 1
    preset: str | None = None
    inputs: dict[str, Any] = {}
    duration: Any = 500 * u.ms
    dt: Any = 0.1 * u.ms
    show: str | None = None  # one signal in place of all states
    plane: dict[str, Any] = {}  # limits, where the trajectory says too little
    response: Response | None = None
    undershoots: bool = False  # rates that go below zero, where the sigmoid is shifted to be zero at zero


class _Selkov(brainmass.XY_Oscillator):
    """Glycolysis as of Sel'kov, in the form of Strogatz 2015, section 7.3."""

    def dx(self, x, y, x_ext):
        return (-x + 0.08 * y + x**2 * y + x_ext) / u.ms

    def dy(self, y, x, y_ext):
        return (0.6 - 0.08 * y - x**2 * y + y_ext) / u.ms


_WHITE = brainmass.WhiteNoise
_RHYTHM = dict(wEE=16.0, wIE=12.0, wEI=15.0, wII=3.0)  # of the limit cycle of Wilson and Cowan 1972, figures 10 and 11


def _pulse(amplitude: Any, onset: float, width: float) -> brainmass.Pulse:
    return brainmass.Pulse(1, amplitude=amplitude, onset=onset * u.ms, width=width * u.ms)


# Of the models that have one that takes seconds: over which parameter or input of their scene. What has no bifurcation
# there has no diagram: both of Zerlaut's over the drive (of the second order there are six equilibria, one of which is
# stable throughout), Wilson and Cowan's divisive, linear, simplified and symmetric variants, the columns of dynamic
# causal models. That of Robinson has two Hopf points (1.16 and 1.33 Hz), which with its delay take minutes.
_BRANCHES: dict[str, Branches] = {
    "CoombesByrneExcInhStep": Branches("eta_E", 0.0, 15.0, "rE"),
    "CoombesByrneSynapseStep": Branches("eta", 1.0, 20.0),
    "DumontGutkinStep": Branches("eta_I", 0.0, 6.0, "rI"),
    "Epileptor2DStep": Branches("x0", -3.0, -1.0, cycles=False),
    "EpileptorRestingStateStep": Branches("a_rs", -2.0, 16.0, "x_rs"),
    # 400 of its cycles, for which it takes 15 s, all lie within the width of a line above the Hopf point
    "EpileptorStep": Branches("x0", -2.6, -1.4, lambda x: x["x2"] - x["x1"], "lfp", cycles=False),
    "FitzHughNagumoStep": Branches("V_inp", 0.0, 2.0),
    "Generic2dOscillatorStep": Branches("I", -2.0, 6.0),
    "HopfStep": Branches("a", -0.3, 0.3),
    "JansenRitStep": Branches("E_inp", -60.0, 350.0, lambda x: x["E"] - x["I"], "eeg"),
    "KIonExStep": Branches("K_bath", 4.0 * u.mM, 9.0 * u.mM, "V", cycles=False),  # a line's width at their Hopf points
    "LarterBreakspearStep": Branches("d_V", 0.5, 0.7),
    "LileyStep": Branches("ee_inp", -1.0, 4.0, cycles=False),
    "LorenzStep": Branches("rho", 0.0, 30.0),
    "MontbrioAdaptationStep": Branches("eta", -6.0, 1.0, "r"),
    "MontbrioDepressionStep": Branches("eta", -6.5, -4.5, "r"),
    "MontbrioDopamineStep": Branches("c_dopa", 0.1 * u.Hz, 0.3 * u.Hz, "r", cycles=False),  # they take a minute
    "MontbrioPazoRoxinStep": Branches("eta", -10.0, 0.0),
    "ReducedWongWangStep": Branches("current", 0.0, 0.06),
    "StuartLandauStep": Branches("a", -0.3, 0.3),
    "TsodyksMarkramStep": Branches("E0", -2.5, -0.9, "E"),
    "WilsonCowanAdaptiveStep": Branches("rE_inp", 0.0, 4.0),
    "WilsonCowanNoSaturationStep": Branches("rE_inp", -3.5, 1.0),
    "WilsonCowanStep": Branches("rE_inp", 0.0, 3.0),
    "WilsonCowanThreePopulationStep": Branches("rE_inp", -1.2, 1.0),
    "WendlingStep": Branches("B", 1.0, 60.0, lambda x: x["y1"] - x["y2"] - x["y3"], "lfp"),
    "WongWangStep": Branches("coherence", -1.0, 1.0),
    "ZetterbergJansenStep": Branches("c", -120.0, 400.0),
}

_SCENES: dict[str, dict[str, Any]] = {
    "ALNStep": dict(
        preset="slow_oscillation",
        duration=3000 * u.ms,
        dt=0.05 * u.ms,
        show="rate_e",
        response=Response("E_inp", -2.0, 1.0, u.mV / u.ms, n=61, transient=2000 * u.ms, duration=4000 * u.ms),
    ),
    "CanonicalMicrocircuitStep": dict(
        inputs={"ss_inp": _pulse(100.0 * u.Hz, 20, 16)},
        duration=200 * u.ms,
        show="v_sp",
        response=Response("ss_inp", -400.0, 400.0, u.Hz, n=41, transient=500 * u.ms, duration=700 * u.ms),
    ),
    "CoombesByrneStep": dict(
        arguments=dict(Delta=0.1, k=0.5, method="heun"),
        inputs={"v_inp": _pulse(4.0, 10, 10)},
        duration=30 * u.ms,
        dt=0.01 * u.ms,
        show="r",
        plane=dict(xlim=(0.0, 1.0), ylim=(-3.0, 3.0)),
    ),
    "CoombesByrneExcInhStep": dict(
        duration=200 * u.ms,
        dt=0.02 * u.ms,
        show="rE",
        response=Response("eta_E", 0.0, 15.0, n=61, transient=300 * u.ms, duration=600 * u.ms),
    ),
    "CoombesByrneSynapseStep": dict(
        duration=20 * u.ms,
        dt=0.01 * u.ms,
        show="r",
    ),
    "CostaCortexStep": dict(
        preset="n3",
        duration=6000 * u.ms,
        show="V_p",
        response=Response("g_KNa", 0.5, 3.0, u.mS / u.cm**2, n=31, transient=4000 * u.ms, duration=8000 * u.ms),
    ),
    "CostaThalamusStep": dict(
        arguments=dict(g_LK=0.033 * u.mS / u.cm**2, g_h=0.05 * u.mS / u.cm**2),
        duration=6000 * u.ms,
        show="V_t",
        response=Response("g_h", 0.03, 0.07, u.mS / u.cm**2, n=31, transient=4000 * u.ms, duration=8000 * u.ms),
    ),
    "DumontGutkinStep": dict(
        preset="interneuron_gamma",
        duration=200 * u.ms,
        show="rI",
    ),
    "Epileptor2DStep": dict(
        preset="epileptogenic", duration=6000 * u.ms, plane=dict(xlim=(-2.5, 1.0), ylim=(2.0, 5.0))
    ),
    "EpileptorCodim3SlowModStep": dict(
        duration=16000 * u.ms,
        show="x",
        response=Response("dstar", 0.0, 0.6, n=61, transient=500 * u.ms, duration=2500 * u.ms),
    ),
    "EpileptorCodim3Step": dict(
        preset="c2s",
        duration=3000 * u.ms,
        show="x",
        response=Response("dstar", -0.1, 0.8, n=61, transient=1000 * u.ms, duration=3000 * u.ms),
    ),
    "EpileptorRestingStateStep": dict(
        preset="resting",
        arguments=dict(noise_x_rs=_WHITE(1, sigma=0.01)),
        duration=3000 * u.ms,
        show="x_rs",
        response=Response("a_rs", -2.0, 16.0, n=73, transient=4000 * u.ms, duration=5000 * u.ms),
    ),
    "ERPColumnStep": dict(
        inputs={"u_inp": _pulse(100.0 * u.Hz, 20, 16)},
        duration=300 * u.ms,
        show="x0",
        response=Response("u_inp", 0.0, 400.0, u.Hz, n=81, transient=1000 * u.ms, duration=2000 * u.ms),
    ),
    "EpileptorStep": dict(
        preset="epileptogenic",
        duration=4000 * u.ms,
        show="lfp",
        response=Response("x0", -2.6, -1.4, n=61, transient=4000 * u.ms, duration=10000 * u.ms),
    ),
    "FitzHughNagumoStep": dict(
        preset="classic",
        inputs={"V_inp": 0.5},
        duration=200 * u.ms,
        plane=dict(xlim=(-2.5, 2.5), ylim=(-1.0, 2.2)),
    ),
    "Generic2dOscillatorStep": dict(
        preset="excitable",
        inputs={"V_inp": _pulse(20.0, 150, 20)},
        plane=dict(xlim=(-2.0, 4.5), ylim=(-30.0, 20.0)),
    ),
    "HORNStep": dict(inputs={"inputs": 1.0}, dt=1 * u.ms),
    "HopfStep": dict(duration=200 * u.ms),
    "HopfieldStep": dict(
        inputs={"x_inp": _pulse(1.0, 10, 10)}, duration=40 * u.ms, plane=dict(xlim=(-1.0, 2.0), ylim=(-1.0, 1.0))
    ),
    "JansenRitStep": dict(
        arguments=dict(method="heun"),
        inputs={"E_inp": 220 * u.Hz},
        duration=1000 * u.ms,
        dt=0.5 * u.ms,
        show="eeg",
    ),
    "KIonExStep": dict(
        arguments=dict(K_bath=15.5 * u.mM),
        duration=2000 * u.ms,
        dt=0.01 * u.ms,
        show="V",
        response=Response("K_bath", 4.0, 16.0, u.mM, n=41, transient=1000 * u.ms, duration=2000 * u.ms),
    ),
    "KuramotoNetwork": dict(in_size=5, arguments=dict(omega=np.linspace(0.1, 0.14, 5), K=0.03), duration=200 * u.ms),
    "LarterBreakspearStep": dict(
        preset="chaos",
        arguments=dict(method="rk4"),  # a coarser one shifts the bifurcations
        duration=1500 * u.ms,
        response=Response("d_V", 0.5, 0.7, n=161, transient=2000 * u.ms, duration=4000 * u.ms),
        show="V",
    ),
    "LileyStep": dict(
        inputs={"ee_inp": 2.0 / u.ms},
        duration=2000 * u.ms,
        show="h_e",
        response=Response("ee_inp", -1.0, 4.0, u.ms**-1, n=51, transient=3000 * u.ms, duration=4000 * u.ms),
    ),
    "LinearStep": dict(
        arguments=dict(noise_x=_WHITE(1, sigma=0.1)),
        duration=100 * u.ms,
        response=Response("x_inp", -1.0, 1.0, n=21, transient=10 * u.ms, duration=12 * u.ms),
    ),
    "LorenzStep": dict(
        arguments=dict(method="rk4"),
        duration=30 * u.ms,
        dt=0.01 * u.ms,
        response=Response("rho", 0.0, 30.0, n=121, transient=300 * u.ms, duration=340 * u.ms),
    ),
    "MontbrioAdaptationStep": dict(
        preset="bursting",
        duration=150 * u.ms,
        dt=0.02 * u.ms,
        show="r",
        response=Response("eta", -6.0, 1.0, n=71, transient=200 * u.ms, duration=300 * u.ms),
    ),
    "MontbrioDopamineStep": dict(
        duration=3000 * u.ms,
        dt=0.02 * u.ms,
        inputs={"c_dopa": _pulse(1.0 * u.Hz, 500, 2500)},
        show="r",
        response=Response("c_dopa", 0.0, 0.4, u.Hz, n=41, transient=6000 * u.ms, duration=6500 * u.ms),
    ),
    "MontbrioDepressionStep": dict(
        preset="bursting",
        duration=150 * u.ms,
        dt=0.02 * u.ms,
        show="r",
        response=Response("eta", -6.5, -4.5, n=61, transient=400 * u.ms, duration=500 * u.ms),
    ),
    "MontbrioPazoRoxinStep": dict(
        preset="bistable",
        arguments=dict(method="heun"),
        inputs={"v_inp": _pulse(3.0, 10, 30)},  # figure 2 of the paper
        duration=60 * u.ms,
        dt=0.01 * u.ms,
        show="r",
        plane=dict(xlim=(0.0 * u.kHz, 2.0 * u.kHz), ylim=(-3.0, 3.0)),
    ),
    "ReducedWongWangStep": dict(
        arguments=dict(clamp=True, noise_S=_WHITE(1, sigma=0.001)),
        inputs={"current": _pulse(0.03 * u.nA, 1000, 1000)},
        duration=4000 * u.ms,
    ),
    "RobinsonStep": dict(
        preset="alpha",
        arguments=dict(noise_n=_WHITE(1, sigma=0.5 * u.Hz)),
        duration=3000 * u.ms,
        show="phi_e",
        response=Response("phi_n", 0.0, 2.0, u.Hz, n=51, transient=4000 * u.ms, duration=5000 * u.ms),
    ),
    "StefanescuJirsaFitzHughNagumoStep": dict(
        duration=200 * u.ms,
        show="xi_2",
        response=Response("mu", 0.0, 1.5, n=31, transient=500 * u.ms, duration=800 * u.ms),
    ),
    "StefanescuJirsaHindmarshRoseStep": dict(
        duration=1000 * u.ms,
        dt=0.05 * u.ms,
        show="xi_2",
        response=Response("mu", 1.0, 4.0, n=31, transient=1000 * u.ms, duration=2000 * u.ms),
    ),
    "StuartLandauStep": dict(duration=200 * u.ms),
    "ThresholdLinearStep": dict(
        inputs={"E_inp": 10.0, "I_inp": 1.0}, duration=200 * u.ms, plane=dict(xlim=(0.0, 1.0), ylim=(0.0, 0.6))
    ),
    "TsodyksMarkramStep": dict(
        preset="bursting",
        arguments=dict(init_E=Constant(15.0 * u.Hz)),
        duration=3000 * u.ms,
        dt=0.5 * u.ms,
        show="E",
        response=Response("E0", -2.5, -0.9, u.Hz, n=81, transient=10000 * u.ms, duration=12000 * u.ms),
    ),
    "VanDerPolStep": dict(duration=60 * u.ms),
    "WendlingStep": dict(
        preset="rhythmic_spikes",
        inputs={"p": 90 * u.Hz},
        duration=2000 * u.ms,
        show="lfp",
        response=Response("B", 1.0, 60.0, u.mV, n=101, transient=3000 * u.ms, duration=4000 * u.ms),
    ),
    "ZerlautStep": dict(
        preset="asynchronous",
        arguments=dict(
            init_W_e=Constant(60.0 * u.pA), init_I=Constant(12.0 * u.Hz)
        ),  # else rates saturate for a second
        duration=1500 * u.ms,
        show="E",
        response=Response("coupling", 0.0, 7.0, u.Hz, n=29, transient=3000 * u.ms, duration=3200 * u.ms),
    ),
    "ZerlautSecondOrderStep": dict(
        preset="zerlaut_2018",
        arguments=dict(init_E=Constant(3.0 * u.Hz), init_I=Constant(11.0 * u.Hz)),  # far from rest it goes below zero
        duration=300 * u.ms,
        show="E",
        response=Response("coupling", 0.0, 2.5, u.Hz, n=11, transient=500 * u.ms, duration=600 * u.ms),
    ),
    "WilsonCowanStep": dict(
        preset="oscillatory",
        inputs={"rE_inp": 1.25},
        duration=60 * u.ms,
        plane=dict(xlim=(0.0, 0.5), ylim=(0.0, 0.5)),
    ),
    "WilsonCowanAdaptiveStep": dict(
        arguments=dict(b_E=8.0), inputs={"rE_inp": 1.25}, response=Response("rE_inp", 0.0, 4.0), undershoots=True
    ),
    "WilsonCowanDelayedStep": dict(
        arguments=dict(wII=20.0),
        inputs={"rE_inp": 1.25},
        duration=80 * u.ms,
        plane=dict(xlim=(-0.02, 0.52), ylim=(-0.02, 0.42)),
    ),
    "WilsonCowanLinearStep": dict(
        inputs={"rE_inp": _pulse(2.0, 10, 20)}, duration=60 * u.ms, plane=dict(xlim=(0.0, 0.8), ylim=(0.0, 0.4))
    ),
    "WilsonCowanNoSaturationStep": dict(
        inputs={"rE_inp": _pulse(2.0, 20, 20)}, duration=80 * u.ms, plane=dict(xlim=(-0.02, 1.1), ylim=(-0.02, 0.9))
    ),
    "WilsonCowanSimplifiedStep": dict(
        inputs={"rE_inp": _pulse(2.0, 10, 20), "rI_inp": _pulse(2.0, 20, 20)},
        duration=60 * u.ms,
        plane=dict(xlim=(-0.02, 0.52), ylim=(-0.02, 0.52)),
        undershoots=True,
    ),
    "WilsonCowanSymmetricStep": dict(
        arguments=_RHYTHM,
        inputs={"rE_inp": 1.5},
        duration=60 * u.ms,
        plane=dict(xlim=(0.0, 0.5), ylim=(0.0, 0.5)),
    ),
    "WilsonCowanThreePopulationStep": dict(
        inputs={"rE_inp": _pulse(2.0, 20, 20)},
        duration=80 * u.ms,
        response=Response("rE_inp", -2.0, 3.0, transient=300 * u.ms, duration=400 * u.ms),
        undershoots=True,
    ),
    "WongWangExcInhStep": dict(
        arguments=dict(noise_e=_WHITE(1, sigma=0.003)),
        duration=2000 * u.ms,
        plane=dict(xlim=(0.0, 1.0), ylim=(0.0, 0.15)),
    ),
    "WongWangPlasticInhibitionStep": dict(
        arguments=dict(gamma=1e-4),
        inputs={"current_e": _pulse(0.05, 3000, 6000)},
        duration=8000 * u.ms,
        dt=0.5 * u.ms,
        response=Response("rho", 1.0, 10.0, n=19, transient=19000 * u.ms, duration=20000 * u.ms),
    ),
    "WongWangStep": dict(inputs={"coherence": 0.2}, duration=1500 * u.ms, plane=dict(xlim=(0.0, 0.8), ylim=(0.0, 0.8))),
    "ZetterbergJansenStep": dict(
        inputs={"P_inp": _pulse(500.0 * u.Hz, 300, 50)},
        duration=1000 * u.ms,
        show="eeg",
        response=Response("c", -120.0, 400.0, u.Hz, n=101, transient=3000 * u.ms, duration=4000 * u.ms),
    ),
    "XY_Oscillator": dict(duration=60 * u.ms, model=_Selkov, plane=dict(xlim=(0.0, 2.0), ylim=(0.0, 4.0))),
}

for _name in "WilsonCowanDivisiveStep", "WilsonCowanDivisiveInputStep":
    _SCENES[_name] = dict(
        inputs={"rE_inp": 2.0, "rI_inp": _pulse(4.0, 40, 40)},
        duration=120 * u.ms,
        plane=dict(xlim=(-0.02, 0.52), ylim=(-0.02, 0.42)),
    )


def scene_of(name: str) -> Scene:
    """The scene of a model of the catalogue."""
    return Scene(**{"model": getattr(brainmass, name), **_SCENES.get(name, {})})


def branches_of(name: str) -> Branches | None:
    """Its bifurcation diagram, where it has one."""
    return _BRANCHES.get(name)
