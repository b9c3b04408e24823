"""Analysis: what the dynamics are."""

from brainmass.analysis.feedback_inhibition import feedback_inhibition

__all__ = ["feedback_inhibition"]
