"""Differentiable whole-brain modelling: neural masses on real connectomes, simulated and fitted by gradient."""

# ruff: noqa: F401, I001
__version__ = "0.2.0"

# Models
from brainmass.dynamics.base import ModelInfo, NeuralMassDynamics, Preset, list_models
from brainmass.models.coombes_byrne import CoombesByrneStep
from brainmass.models.montbrio_pazo_roxin import MontbrioPazoRoxinStep
from brainmass.models.oscillators import HopfStep, XY_Oscillator
from brainmass.models.wong_wang import WongWangExcInhStep

# Noise
from brainmass.noise import GaussianNoise, Noise, OUProcess, WhiteNoise

# Networks
from brainmass.network.connectome import Connectome
from brainmass.network.coupling import (
    AdditiveCoupling,
    Coupling,
    DiffusiveCoupling,
    EdgeWeights,
    additive_coupling,
    diffusive_coupling,
)
from brainmass.network.network import Network

# Forward models
from brainmass.forward.bold import BOLDSignal
from brainmass.forward.observer import Observer

# Simulation
from brainmass.simulation.monitors import Monitor
from brainmass.simulation.result import Result
from brainmass.simulation.simulator import DivergenceError, Simulator

# Fitting
from brainmass.fitting.fitter import Fitter, FitResult, FitStep

from brainmass import datasets, objectives, xla

xla.compile_loops_whole()


def __getattr__(name: str):
    """`brainmass.viz` is imported when it is first asked for."""
    if name == "viz":
        import importlib

        return importlib.import_module("brainmass.viz")
    raise AttributeError(f"module 'brainmass' has no attribute {name!r}")
