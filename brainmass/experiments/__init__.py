"""Experiments written down in a file: what is run, swept or fitted, and what is made of it.

The commands `brainmass run`, `sweep` and `fit` are the face of it on the command line.
"""

from brainmass.experiments.document import ExperimentError
from brainmass.experiments.file import ExperimentFile, load

__all__ = ["ExperimentError", "ExperimentFile", "load"]
