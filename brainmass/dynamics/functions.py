"""Small functions that models of several families share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import MOST, is_function, is_traced, numbers, one_of, whole
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Numbers, Pytree

__all__ = ["bounded_input", "delay_index", "process_sequence", "sigmoid", "sys2nd"]


def sys2nd(A: Numbers, a: Numbers, u: Numbers, x: Numbers, v: Numbers) -> Numbers:
    r"""Acceleration of a second-order synapse, :math:`\dot v = A a u - 2 a v - a^2 x` with :math:`\dot x = v`.

    Its impulse response is :math:`A a t e^{-a t}`, with maximum :math:`A/e` at :math:`t = 1/a`; its static gain
    is :math:`A/a`.
    """
    A, a, u, x, v = _numbers("sys2nd", A=A, a=a, u=u, x=x, v=v)
    terms = A * a * u, 2 * a * v, a**2 * x
    named = dict(zip(("A a u", "a v", "a² x"), terms, strict=True))
    _check_one_unit("Arguments `A`, `a`, `u`, `x` and `v` of sys2nd", named)
    return terms[0] - terms[1] - terms[2]


def _check_one_unit(what: str, terms: Mapping[Any, Any]) -> None:
    units = {name: u.get_unit(term) for name, term in terms.items()}
    first = next(iter(units.values()))
    if not all(unit.has_same_dim(first) for unit in units.values()):
        but = ", ".join(f"{name} in {unit}" for name, unit in units.items())
        raise argument_error(what, "must make terms of one unit", f"make {but}", kind=u.UnitMismatchError)


def _numbers(owner: str, **given: Numbers) -> list[Numbers]:
    return [numbers(Argument(name, owner), value) for name, value in given.items()]


def sigmoid(x: Numbers, vmax: Numbers, v0: Numbers, r: Numbers) -> Numbers:
    r""":math:`v_{max}/(1 + e^{r (v_0 - x)})`: half of `vmax` at `v0`, where its slope is `r vmax/4`.

    `r` carries the inverse of the unit of `x`.
    """
    x, vmax, v0, r = _numbers("sigmoid", x=x, vmax=vmax, v0=v0, r=r)
    unit, of_v0, of_r = u.get_unit(x), u.get_unit(v0), u.get_unit(r)
    if not unit.has_same_dim(of_v0):
        raise u.UnitMismatchError(f"Arguments `x` and `v0` of sigmoid must have one unit, but have {unit} and {of_v0}.")
    if not (unit * of_r).has_same_dim(u.UNITLESS):
        raise argument_error(
            Argument("r", "sigmoid"), f"must have a unit like 1/({unit})", f"has {of_r}", kind=u.UnitMismatchError
        )
    # As one function: its exponential, written out, overflows far below v0, and leaves NaN in a gradient.
    return vmax * u.math.sigmoid(r * (x - v0))


def bounded_input(x: Numbers, bound: object = 500.0) -> Numbers:
    r"""`bound` · tanh(`x`/`bound`): `x` while it is small, never beyond ±`bound`.

    A plain `bound` is read in the unit that `x` carries.
    """
    x = u.maybe_decimal(numbers(Argument("x", "bounded_input"), x))
    unit, what = u.get_unit(x), Argument("bound", "bounded_input")
    bound = numbers(what, bound)
    size = u.maybe_decimal(bound) if u.get_unit(bound).dim == u.DIMENSIONLESS else numbers(what, bound, unit=unit)
    if not is_traced(size) and not np.all(np.asarray(size) > 0):
        raise argument_error(what, "must be > 0", f"is {show(bound)}")
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


def process_sequence(data: Pytree, mode: Any = "stack") -> Pytree:
    """Reduce axis 0, time, of every array in a nested structure.

    Parameters
    ----------
    data : array, Quantity, or lists, tuples and dicts of them
    mode : str or callable
        `'stack'` leaves time as it is; `'last'`, `'first'`, `'avg'` or `'mean'`, `'max'`, `'min'`; or a function of an
        array.
    """
    if is_function(mode):
        reduce = mode
    else:
        reduce = _REDUCTIONS[one_of(Argument("mode", "process_sequence"), mode, _REDUCTIONS, also="a function or ")]
    return jax.tree.map(reduce, data, is_leaf=lambda x: isinstance(x, u.Quantity))


def delay_index(n_hidden: int) -> jax.Array:
    """The source of every edge: an (n, n) array of integers in which each row is 0 ... n-1."""
    # n times n of them are counted in 32 bits
    whole(Argument("n_hidden", "delay_index"), n_hidden, most=math.isqrt(MOST))
    return jnp.tile(jnp.arange(n_hidden), (n_hidden, 1))
