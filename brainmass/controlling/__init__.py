"""Stimulation by design: the control that brings a model where it should be, at the least cost."""

from brainmass.controlling.closed_loop import train_feedback
from brainmass.controlling.control import control
from brainmass.controlling.costs import Cost, EnergyCost, SmoothnessCost, SparsityCost, TrackingCost
from brainmass.controlling.feedback import Feedback, LinearFeedback, PolicyFeedback
from brainmass.controlling.outcome import Control, Validation

__all__ = [
    "Control",
    "Cost",
    "EnergyCost",
    "Feedback",
    "LinearFeedback",
    "PolicyFeedback",
    "SmoothnessCost",
    "SparsityCost",
    "TrackingCost",
    "Validation",
    "control",
    "train_feedback",
]
