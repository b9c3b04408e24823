"""Training: networks that learn a task."""

from brainmass.training.horn import HORNSeqLayer, HORNSeqNetwork
from brainmass.training.trainer import Trainer, TrainResult

__all__ = ["HORNSeqLayer", "HORNSeqNetwork", "TrainResult", "Trainer"]
