"""Inference: what data say of parameters, as distributions."""

from brainmass.inference.likelihoods import Gaussian, Likelihood, StudentT
from brainmass.inference.posterior import Posterior
from brainmass.inference.problem import Problem
from brainmass.inference.sampling import sample

__all__ = ["Gaussian", "Likelihood", "Posterior", "Problem", "StudentT", "sample"]
