"""Small functions that models of several families share."""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass.dynamics.fields import is_traced, show, suggestion

__all__ = ["bounded_input", "delay_index", "process_sequence", "sigmoid", "sys2nd"]


def sys2nd(A: Any, a: Any, u: Any, x: Any, v: Any) -> Any:
    r"""Acceleration of a second-order synapse, :math:`\dot v = A a u - 2 a v - a^2 x` with :math:`\dot x = v`.

    Its impulse response is :math:`A a t e^{-a t}`, with maximum :math:`A/e` at :math:`t = 1/a`; its static gain
    is :math:`A/a`.
    """
    return A * a * u - 2 * a * v - a**2 * x


def sigmoid(x: Any, vmax: Any, v0: Any, r: Any) -> Any:
    r""":math:`v_{max}/(1 + e^{r (v_0 - x)})`: half of `vmax` at `v0`, where its slope is `r vmax/4`.

    `r` carries the inverse of the unit of `x`.
    """
    return vmax * u.math.sigmoid(r * (x - v0))


def bounded_input(x: Any, bound: Any = 500.0) -> Any:
    r"""`bound` · tanh(`x`/`bound`): `x` while it is small, never beyond ±`bound`.

    A plain `bound` is read in the unit that `x` carries.
    """
    x = u.maybe_decimal(x)
    unit = u.get_unit(x)
    size = bound.to_decimal(unit) if u.get_unit(bound).dim != u.DIMENSIONLESS else u.maybe_decimal(bound)
    if not is_traced(size) and not np.all(np.asarray(size) > 0):
        raise ValueError(f"Argument `bound` of bounded_input must be > 0, but is {show(bound)}.")
    bounded = size * jnp.tanh(u.get_mantissa(x) / size)
    return bounded if unit.dim == u.DIMENSIONLESS else u.Quantity(bounded, unit=unit)


_REDUCTIONS = {
    "stack": lambda x: x,
    "last": lambda x: x[-1],
    "first": lambda x: x[0],
    "avg": lambda x: u.math.mean(x, axis=0),
    "mean": lambda x: u.math.mean(x, axis=0),
    "max": lambda x: u.math.max(x, axis=0),
    "min": lambda x: u.math.min(x, axis=0),
}


def process_sequence(data: Any, mode: Any = "stack") -> Any:
    """Reduce axis 0, time, of every array in a nested structure.

    Parameters
    ----------
    data : array, Quantity, or lists, tuples and dicts of them
    mode : str or callable
        `'stack'` leaves time as it is; `'last'`, `'first'`, `'avg'` or `'mean'`, `'max'`, `'min'`; or a function of an
        array.
    """
    if not callable(mode) and mode not in _REDUCTIONS:
        raise ValueError(
            f"Argument `mode` of process_sequence must be a function or one of {', '.join(map(repr, _REDUCTIONS))}, "
            f"but is {mode!r}.{suggestion(str(mode), _REDUCTIONS)}"
        )
    reduce = mode if callable(mode) else _REDUCTIONS[mode]
    return jax.tree.map(reduce, data, is_leaf=lambda x: isinstance(x, u.Quantity))


def delay_index(n_hidden: int) -> Any:
    """The source of every edge: an (n, n) array of integers in which each row is 0 ... n-1."""
    if isinstance(n_hidden, bool) or not isinstance(n_hidden, int | np.integer) or n_hidden < 1:
        raise ValueError(f"Argument `n_hidden` of delay_index must be a positive int, but is {show(n_hidden)}.")
    return jnp.tile(jnp.arange(n_hidden), (n_hidden, 1))
