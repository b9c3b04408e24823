"""Inference: what data say of parameters, as distributions."""

from brainmass.inference.cohort import Cohort
from brainmass.inference.information import Identifiability, identifiability
from brainmass.inference.likelihoods import Gaussian, Likelihood, StudentT
from brainmass.inference.posterior import Posterior
from brainmass.inference.problem import Problem
from brainmass.inference.profile import Profile, profile_likelihood
from brainmass.inference.sampling import sample

__all__ = [
    "Cohort",
    "Gaussian",
    "Identifiability",
    "Likelihood",
    "Posterior",
    "Problem",
    "Profile",
    "StudentT",
    "identifiability",
    "profile_likelihood",
    "sample",
]
