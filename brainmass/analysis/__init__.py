"""Analysis: what the dynamics are."""

from brainmass.analysis.drift import Drift
from brainmass.analysis.feedback_inhibition import feedback_inhibition

__all__ = ["Drift", "feedback_inhibition"]
