"""Inference: what data say of parameters, as distributions."""

from brainmass.inference.amortised import npe
from brainmass.inference.calibration import Calibration, calibrate
from brainmass.inference.cohort import Cohort
from brainmass.inference.estimator import Estimator
from brainmass.inference.information import Identifiability, identifiability
from brainmass.inference.likelihoods import Gaussian, Likelihood, StudentT
from brainmass.inference.posterior import Posterior
from brainmass.inference.problem import Problem
from brainmass.inference.profile import Profile, profile_likelihood
from brainmass.inference.sampling import sample
from brainmass.inference.summary import Features, list_features

__all__ = [
    "Cohort",
    "Calibration",
    "Estimator",
    "Features",
    "Gaussian",
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
