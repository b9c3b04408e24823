"""Fitting: parameters that bring a model near to data."""

from brainmass.fitting.description import Bounds, Fixed, Free
from brainmass.fitting.fitter import Fitter
from brainmass.fitting.outcome import FitResult, FitStep
from brainmass.fitting.priors import LogNormal, Normal, Prior

__all__ = ["Bounds", "FitResult", "FitStep", "Fitter", "Fixed", "Free", "LogNormal", "Normal", "Prior"]
