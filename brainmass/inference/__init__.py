"""Inference: what data say of parameters, as distributions."""

from typing import Any

from brainmass._common.deprecation import warn_of_old_name
from brainmass.inference.amortised import npe
from brainmass.inference.calibration import Calibration, calibrate
from brainmass.inference.estimator import Estimator
from brainmass.inference.hierarchical import HierarchicalProblem
from brainmass.inference.information import Identifiability, identifiability
from brainmass.inference.likelihoods import Gaussian, Likelihood, StudentT
from brainmass.inference.posterior import Posterior
from brainmass.inference.problem import Problem
from brainmass.inference.profile import Profile, profile_likelihood
from brainmass.inference.sampling import sample
from brainmass.inference.summary import Features, list_features

__all__ = [
    "Calibration",
    "Estimator",
    "Features",
    "Gaussian",
    "HierarchicalProblem",
    "Identifiability",
    "Likelihood",
    "Posterior",
    "Problem",
    "Profile",
    "StudentT",
    "calibrate",
    "identifiability",
    "list_features",
    "npe",
    "profile_likelihood",
    "sample",
]


def __getattr__(name: str) -> Any:
    """The old name of `HierarchicalProblem`, which is also that of the data of subjects, `datasets.Cohort`."""
    if name != "Cohort":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn_of_old_name("inference.Cohort", "inference.HierarchicalProblem")
    return HierarchicalProblem
