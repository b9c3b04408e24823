"""Connectomes: regions, and the connections between them."""

from brainmass.connectome.dense import Connectome
from brainmass.connectome.edges import Edges
from brainmass.connectome.spins import SpinTest, spin_test

__all__ = ["Connectome", "Edges", "SpinTest", "spin_test"]
