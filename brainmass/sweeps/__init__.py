"""Many runs: a model with many sets of parameters."""

from brainmass.sweeps.design import random_design, sobol_design
from brainmass.sweeps.run import sweep

__all__ = ["random_design", "sobol_design", "sweep"]
