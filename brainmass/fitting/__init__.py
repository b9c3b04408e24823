"""Fitting: parameters that bring a model near to data, and how near to data that it has not seen."""

from brainmass.fitting.cross_validation import cross_validate
from brainmass.fitting.description import Bounds, Fixed, Free
from brainmass.fitting.each import fit_each
from brainmass.fitting.fitter import Fitter
from brainmass.fitting.front import FrontPoint, ParetoFront
from brainmass.fitting.generalisation import CrossValidation
from brainmass.fitting.map_selection import select_maps
from brainmass.fitting.outcome import FitResult, FitStep
from brainmass.fitting.priors import LogNormal, Normal, Prior, RandomWalk
from brainmass.fitting.refine import refine_front
from brainmass.fitting.selection import MapSelection

__all__ = ["Bounds", "CrossValidation", "FitResult", "FitStep", "Fitter", "Fixed", "Free", "FrontPoint", "LogNormal"]
__all__ += [
    "MapSelection",
    "Normal",
    "ParetoFront",
    "Prior",
    "RandomWalk",
    "cross_validate",
    "fit_each",
    "refine_front",
]
__all__ += ["select_maps"]
