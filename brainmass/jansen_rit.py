"""The Jansen–Rit family, in one place."""

# ruff: noqa: F403
from brainmass.models.jansen_rit.connectivity import LaplacianConnectivity  # noqa: F401
from brainmass.models.jansen_rit.firing_rates import *
from brainmass.models.jansen_rit.layers import *
from brainmass.models.jansen_rit.step import *
from brainmass.models.jansen_rit.tr import *
