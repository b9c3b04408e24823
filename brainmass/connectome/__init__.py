"""Connectomes: regions, and the connections between them."""

from brainmass.connectome.dense import Connectome
from brainmass.connectome.edges import Edges

__all__ = ["Connectome", "Edges"]
