"""What a model, an observer, a noise or a coupling of one's own is declared with.

>>> from brainmass.declare import Par, param, positive, state
"""

from __future__ import annotations

from brainmass._common.times import time_step
from brainmass.dynamics.fields import (
    Domain,
    Initializer,
    Par,
    nonnegative,
    option,
    param,
    positive,
    real,
    required,
    setting,
    spelling,
    state,
    unit_interval,
)
from brainmass.dynamics.node import Preset
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep
from brainmass.forward.observer import Observer

__all__ = [
    "Domain",
    "Initializer",
    "LargestStep",
    "Noise",
    "Observer",
    "Par",
    "Preset",
    "nonnegative",
    "option",
    "param",
    "positive",
    "real",
    "required",
    "setting",
    "spelling",
    "state",
    "time_step",
    "unit_interval",
]
