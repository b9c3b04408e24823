"""Initial values of modes, which an initialiser gives with the modes as last axis."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np
from braintools.init import Initialization

from brainmass._common.messages import argument_error
from brainmass.dynamics.fields import Initializer

__all__ = ["OfMode"]


class OfMode(Initialization):
    """One mode of initial values that have the modes as last axis."""

    def __init__(self, what: str, init: Initializer, k: int):
        self.what, self.init, self.k = what, init, k

    def __call__(self, size: Any, **given: Any) -> Any:
        shape = (*size, 3)
        values: Any = self.init(shape, **given) if isinstance(self.init, Initialization) else self.init(shape)
        if not (given_shape := np.shape(u.get_mantissa(values))):
            return values
        if given_shape[-1] != 3:
            raise argument_error(
                self.what,
                f"must return values with the three modes as last axis, for the shape {shape}",
                f"returns the shape {given_shape}",
                "braintools.init.Uniform(-0.5, 0.5).",
            )
        return values[..., self.k]
