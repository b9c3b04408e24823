"""The type aliases that annotations in scripts use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brainunit as u
import jax
import numpy as np
from brainstate.nn import Param

__all__ = ["Array", "Initializer", "Parameter"]

Array = jax.Array | np.ndarray | np.number | np.bool_ | bool | int | float | complex | u.Quantity
Initializer = Callable[..., Any] | Array
Parameter = Initializer | Param
