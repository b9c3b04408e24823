"""Simulation: runs in time, and what they return."""

from brainmass.simulation.monitors import Monitor
from brainmass.simulation.result import Result
from brainmass.simulation.simulator import DivergenceError, Simulator

__all__ = ["DivergenceError", "Monitor", "Result", "Simulator"]
