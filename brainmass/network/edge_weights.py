"""Trainable weights of the connections that exist."""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np
from brainstate.nn import Param

from brainmass._common.checks import flag, is_traced, numbers
from brainmass._common.messages import Argument, argument_error
from brainmass._common.precision import default_dtype
from brainmass._common.typing import Array, Numbers
from brainmass.dynamics.checks import as_regularisation
from brainmass.dynamics.module import ClosedModule, ShowsConstructor, fixed

__all__ = ["EdgeWeights"]


class EdgeWeights(ShowsConstructor, ClosedModule, Param):  # pyright: ignore[reportIncompatibleMethodOverride]
    r"""Trainable weights of the edges that exist, :math:`w_{ij} e^{g_{ij}}`: zeros stay zero and no sign changes.

    Parameters
    ----------
    weights : array (N, N)
        Where the gains :math:`g` start from zero.
    reg : brainstate Regularization, optional
        Acts on the weights.
    """

    _asked = {"reg": as_regularisation, "fit": flag}
    _elsewhere = fixed("fit", "t")

    def __init__(self, weights: Any, reg: Any = None, fit: bool = True):
        start = _checked_matrix(Argument("weights", "EdgeWeights"), weights)
        self._ask(reg=reg, fit=fit)
        super().__init__(jnp.zeros(u.math.shape(start), default_dtype()), reg=reg, fit=fit)
        # brainstate reads a parameter through this: what is stored, and trained, are the gains.
        self.precompute = _Scale(start)

    def set_value(self, value: Numbers) -> None:
        start = self.precompute.start
        value = _checked_matrix(Argument("value", "EdgeWeights.set_value"), value)
        _check_same_edges(start, value)
        # Where there is no connection the gain is log 1 = 0, whatever it is worth: it acts on a zero.
        ratio = u.maybe_decimal(u.math.where(start == 0, 1.0, value / u.math.where(start == 0, 1.0, start)))
        super().set_value(u.math.log(ratio))


def _checked_matrix(what: str, weights: object) -> np.ndarray:
    weights = numbers(what, getattr(weights, "weights", weights))
    if len(u.math.shape(weights)) != 2:
        raise argument_error(what, "must be a matrix (N, N)", f"has shape {u.math.shape(weights)}")
    if not is_traced(weights) and not np.isfinite(np.asarray(u.get_mantissa(weights))).all():
        raise argument_error(what, "must be finite", "holds NaN or infinity")
    return u.math.asarray(weights)


def _check_same_edges(start: Numbers, value: Numbers) -> None:
    if u.math.shape(value) != u.math.shape(start):
        raise ValueError(f"EdgeWeights has shape {u.math.shape(start)}, but is to be set to {u.math.shape(value)}.")
    # Signs of traced numbers are not known; the gains still cannot change them.
    if is_traced((start, value)):
        return
    changed = np.argwhere(np.sign(u.get_mantissa(value)) != np.sign(u.get_mantissa(start)))
    if len(changed):
        i, j = map(int, changed[0])
        raise ValueError(
            f"EdgeWeights keeps the zeros and the signs of its weights, but is to be set to {value[i, j]} "
            f"at [{i}, {j}], where it has {start[i, j]}. Make new ones: EdgeWeights(weights)."
        )


class _Scale:
    """From log-gains to weights."""

    def __init__(self, start: Numbers):
        self.start = start

    def __call__(self, gain: Array) -> Numbers:
        return self.start * u.math.exp(gain)
