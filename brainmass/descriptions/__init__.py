"""Models from files: what a description in YAML says of parameters, states and equations becomes a model class."""

from brainmass.descriptions.loading import load_model
from brainmass.descriptions.saving import save_model

__all__ = ["load_model", "save_model"]
