"""The HORN family: harmonic oscillators as recurrent networks, in one place."""

# ruff: noqa: F403
from brainmass.models.horn.layers import *
from brainmass.models.horn.step import *
