"""What nodes are made of: the base of models, noise, and what both are declared with."""

from brainmass.dynamics.catalogue import ModelInfo, list_models
from brainmass.dynamics.coloured_noise import BlueNoise, ColoredNoise, PinkNoise, VioletNoise
from brainmass.dynamics.functions import bounded_input, delay_index, process_sequence, sigmoid, sys2nd
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.noise import BrownianNoise, GaussianNoise, Noise, OUProcess, WhiteNoise
from brainmass.dynamics.regime import LargestStep
from brainmass.dynamics.regional_map import RegionalMap

__all__ = [
    "BlueNoise",
    "BrownianNoise",
    "ColoredNoise",
    "GaussianNoise",
    "LargestStep",
    "ModelInfo",
    "NeuralMassDynamics",
    "Noise",
    "OUProcess",
    "PinkNoise",
    "Preset",
    "RegionalMap",
    "VioletNoise",
    "WhiteNoise",
    "bounded_input",
    "delay_index",
    "list_models",
    "process_sequence",
    "sigmoid",
    "sys2nd",
]
