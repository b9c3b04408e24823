"""Models from files: what a description in YAML says of parameters, states and equations becomes a model class."""

from brainmass.descriptions.loading import load_model

__all__ = ["load_model"]
