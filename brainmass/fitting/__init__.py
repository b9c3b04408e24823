"""Fitting: parameters that bring a model near to data, and how near to data that it has not seen."""

from brainmass.fitting.cross_validation import cross_validate
from brainmass.fitting.description import Bounds, Fixed, Free
from brainmass.fitting.fitter import Fitter
from brainmass.fitting.generalisation import CrossValidation
from brainmass.fitting.outcome import FitResult, FitStep
from brainmass.fitting.priors import LogNormal, Normal, Prior

__all__ = ["Bounds", "CrossValidation", "FitResult", "FitStep", "Fitter", "Fixed", "Free", "LogNormal", "Normal"]
__all__ += ["Prior", "cross_validate"]
