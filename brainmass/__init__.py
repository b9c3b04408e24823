"""Differentiable whole-brain modelling: neural masses on real connectomes, simulated and fitted by gradient."""

# ruff: noqa: E402, I001, RUF022
import importlib
import sys
from typing import Any

from brainmass._common.version import __version__

# Before all that imports brainstate, which sets JAX's precision
from brainmass._common import settings

settings.import_brainstate()

# Models
from brainmass.dynamics.catalogue import ModelInfo, list_models
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.regime import LargestStep
from brainmass.models.coombes_byrne import CoombesByrneStep
from brainmass.models.epileptor.step import EpileptorStep
from brainmass.models.fitzhugh_nagumo import FitzHughNagumoStep
from brainmass.models.generic_2d_oscillator import Generic2dOscillatorStep
from brainmass.training.horn import HORNSeqLayer, HORNSeqNetwork
from brainmass.models.horn.step import HORNStep
from brainmass.models.jansen_rit.step import JansenRitStep
from brainmass.models.jansen_rit.tr import JansenRitTR
from brainmass.models.kuramoto import KuramotoNetwork
from brainmass.models.larter_breakspear.step import LarterBreakspearStep
from brainmass.models.linear import LinearStep
from brainmass.models.lorenz import LorenzStep
from brainmass.models.montbrio_pazo_roxin.step import MontbrioPazoRoxinStep
from brainmass.models.oscillators.base import XY_Oscillator
from brainmass.models.oscillators.hopf import HopfStep, StuartLandauStep
from brainmass.models.oscillators.van_der_pol import VanDerPolStep
from brainmass.models.threshold_linear import ThresholdLinearStep
from brainmass.models.wilson_cowan.adaptive import WilsonCowanAdaptiveStep
from brainmass.models.wilson_cowan.base import WilsonCowanBase
from brainmass.models.wilson_cowan.classical import WilsonCowanStep
from brainmass.models.wilson_cowan.delayed import WilsonCowanDelayedStep
from brainmass.models.wilson_cowan.divisive import WilsonCowanDivisiveInputStep, WilsonCowanDivisiveStep
from brainmass.models.wilson_cowan.fewer_parameters import WilsonCowanSimplifiedStep, WilsonCowanSymmetricStep
from brainmass.models.wilson_cowan.simpler_responses import WilsonCowanLinearStep, WilsonCowanNoSaturationStep
from brainmass.models.wilson_cowan.three_populations import WilsonCowanThreePopulationStep
from brainmass.models.wilson_cowan.three_populations_base import WilsonCowanThreePopBase
from brainmass.models.wong_wang.decision import WongWangStep
from brainmass.models.wong_wang.exc_inh import WongWangExcInhStep

# Noise
from brainmass.dynamics.coloured_noise import BlueNoise, ColoredNoise, PinkNoise, VioletNoise
from brainmass.dynamics.noise import BrownianNoise, GaussianNoise, Noise, OUProcess, WhiteNoise

# Stimuli
from brainmass.stimuli.waveforms import Chirp, Pulse, PulseTrain, Ramp, Sinusoid, Stimulus, ThetaBurst
from brainmass.stimuli.recordings import Recording

# Files of numbers
from brainmass._common.reading.contents import read_array

# Parameters by cortical maps
from brainmass.dynamics.regional_map import RegionalMap

# Networks
from brainmass.connectome.dense import Connectome
from brainmass.network.coupling import (
    AdditiveCoupling,
    Coupling,
    DiffusiveCoupling,
    HyperbolicTangentCoupling,
    KuramotoCoupling,
    PreSigmoidalCoupling,
    PreTanhCoupling,
    SigmoidalCoupling,
    SigmoidalJansenRitCoupling,
    additive_coupling,
    diffusive_coupling,
    hyperbolic_tangent_coupling,
    sigmoidal_coupling,
    sigmoidal_jansen_rit_coupling,
)
from brainmass.connectome.edges import Edges
from brainmass.network.edge_weights import EdgeWeights
from brainmass.network.laplacian import LaplacianConnParam, laplacian_connectivity
from brainmass.network.network import Network
from brainmass.network.projection import Projection

# Forward models
from brainmass.forward.balloon import BOLDSignal
from brainmass.forward.hrf_kernels import (
    DoubleExponentialHRFKernel,
    FirstOrderVolterraHRFKernel,
    GammaHRFKernel,
    HRFBold,
    HRFKernel,
    MixtureOfGammasHRFKernel,
)
from brainmass.forward.lead_fields import (
    EEGLeadFieldModel,
    LeadFieldModel,
    LeadfieldReadout,
    MEGLeadFieldModel,
    SEEGLeadFieldModel,
)
from brainmass.forward.observer import Observer
from brainmass.forward.statistics import (
    Covariance,
    FunctionalConnectivity,
    FunctionalConnectivityDynamics,
    Mean,
    Metastability,
    OrderParameter,
    WelchSpectrum,
)
from brainmass.forward.temporal_average import SpatialAverage, TemporalAverage

# Simulation
from brainmass.simulation.monitors import Monitor
from brainmass.simulation.result import Result
from brainmass.simulation.simulator import DivergenceError, Simulator

# Many runs
from brainmass.sweeps.design import random_design, sobol_design
from brainmass.sweeps.run import sweep

# Fitting
from brainmass.analysis.feedback_inhibition import feedback_inhibition
from brainmass.fitting.fitter import Fitter
from brainmass.fitting.outcome import FitResult, FitStep
from brainmass.fitting.description import Bounds, Fixed, Free
from brainmass.fitting.priors import LogNormal, Normal, Prior
from brainmass.training.trainer import Trainer, TrainResult

# Small functions
from brainmass.dynamics.functions import bounded_input, delay_index, process_sequence, sigmoid, sys2nd

from brainmass._common import copying, xla
from brainmass import datasets, declare, objectives, published

__all__ = [
    # Models
    "LargestStep",
    "ModelInfo",
    "NeuralMassDynamics",
    "Preset",
    "list_models",
    "CoombesByrneStep",
    "EpileptorStep",
    "FitzHughNagumoStep",
    "Generic2dOscillatorStep",
    "HORNSeqLayer",
    "HORNSeqNetwork",
    "HORNStep",
    "JansenRitStep",
    "JansenRitTR",
    "KuramotoNetwork",
    "LarterBreakspearStep",
    "LinearStep",
    "LorenzStep",
    "MontbrioPazoRoxinStep",
    "XY_Oscillator",
    "HopfStep",
    "StuartLandauStep",
    "VanDerPolStep",
    "ThresholdLinearStep",
    "WilsonCowanAdaptiveStep",
    "WilsonCowanBase",
    "WilsonCowanStep",
    "WilsonCowanDelayedStep",
    "WilsonCowanDivisiveInputStep",
    "WilsonCowanDivisiveStep",
    "WilsonCowanSimplifiedStep",
    "WilsonCowanSymmetricStep",
    "WilsonCowanLinearStep",
    "WilsonCowanNoSaturationStep",
    "WilsonCowanThreePopulationStep",
    "WilsonCowanThreePopBase",
    "WongWangStep",
    "WongWangExcInhStep",
    # Noise
    "BlueNoise",
    "BrownianNoise",
    "ColoredNoise",
    "GaussianNoise",
    "Noise",
    "OUProcess",
    "PinkNoise",
    "VioletNoise",
    "WhiteNoise",
    # Stimuli
    "Chirp",
    "Pulse",
    "PulseTrain",
    "Ramp",
    "Recording",
    "Sinusoid",
    "Stimulus",
    "ThetaBurst",
    # Files of numbers
    "read_array",
    # Parameters by cortical maps
    "RegionalMap",
    # Networks
    "Connectome",
    "AdditiveCoupling",
    "Coupling",
    "DiffusiveCoupling",
    "EdgeWeights",
    "HyperbolicTangentCoupling",
    "KuramotoCoupling",
    "PreSigmoidalCoupling",
    "PreTanhCoupling",
    "SigmoidalCoupling",
    "SigmoidalJansenRitCoupling",
    "additive_coupling",
    "diffusive_coupling",
    "hyperbolic_tangent_coupling",
    "sigmoidal_coupling",
    "sigmoidal_jansen_rit_coupling",
    "Edges",
    "LaplacianConnParam",
    "laplacian_connectivity",
    "Network",
    "Projection",
    # Forward models
    "BOLDSignal",
    "DoubleExponentialHRFKernel",
    "FirstOrderVolterraHRFKernel",
    "GammaHRFKernel",
    "HRFBold",
    "HRFKernel",
    "MixtureOfGammasHRFKernel",
    "EEGLeadFieldModel",
    "LeadFieldModel",
    "LeadfieldReadout",
    "MEGLeadFieldModel",
    "SEEGLeadFieldModel",
    "Observer",
    "Covariance",
    "FunctionalConnectivity",
    "FunctionalConnectivityDynamics",
    "Mean",
    "Metastability",
    "OrderParameter",
    "WelchSpectrum",
    "SpatialAverage",
    "TemporalAverage",
    # Simulation
    "Monitor",
    "Result",
    "DivergenceError",
    "Simulator",
    # Many runs
    "random_design",
    "sobol_design",
    "sweep",
    # Fitting
    "feedback_inhibition",
    "Fitter",
    "FitResult",
    "FitStep",
    "Bounds",
    "Fixed",
    "Free",
    "LogNormal",
    "Normal",
    "Prior",
    "Trainer",
    "TrainResult",
    # Small functions
    "bounded_input",
    "delay_index",
    "process_sequence",
    "sigmoid",
    "sys2nd",
    # Modules
    "datasets",
    "declare",
    "objectives",
    "testing",
    "viz",
    "__version__",
]

xla.compile_loops_whole()
copying.register()
published.install(sys.modules[__name__])


def __getattr__(name: str) -> Any:
    """`brainmass.viz` and `brainmass.testing` are imported when they are first asked for."""
    if name in ("viz", "testing"):
        return importlib.import_module(f"brainmass.{name}")
    return published.find(sys.modules[__name__], name)
