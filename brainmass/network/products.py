"""Weights times activity, dense and by lists of sources, each in the form that is fast.

Times are of one product within a compiled loop, in float32 on two cores.
"""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from brainmass._common.machine import compiles_for
from brainmass._common.typing import ArrayLike, Numbers, Pytree

__all__ = ["columns", "gathered_product", "product"]

# As wide as numbers are: by itself a GPU rounds what it multiplies to ten bits. Means nothing on a CPU.
_EXACT = lax.Precision.HIGHEST

_FEW_ROWS = 200
_PLACES = 4

# Single precision numbers in a vector register, and the regions from and below which whole vectors are worth it: fewer
# are done at once as they are, and with more a product waits for the weights to be read.
_WIDTH, _WORTH_IT = 16, range(8, 400)


def columns(weights: Numbers) -> Numbers:
    """Weights (N_out, N_in) as `product` takes them: turned round, on CPU with zeros for targets that are not there.

    XLA works out one by one what fills no vector. A product of 84 regions takes 0.13 instead of 0.21 µs, its transpose,
    in a gradient, 0.15 instead of 0.32.
    """
    unit: Any = u.get_unit(weights)
    values = jnp.asarray(u.get_mantissa(weights)).T
    missing = -values.shape[1] % _WIDTH
    if missing and values.shape[1] in _WORTH_IT and compiles_for() == "cpu":
        # Not `jnp.pad`: its own function within a program keeps XLA from seeing that two stages need the same.
        values = lax.pad(values, jnp.zeros((), values.dtype), [(0, 0, 0), (0, missing, 0)])
    return u.maybe_decimal(u.Quantity(values, unit=unit))


def product(columns: Numbers, x: Numbers, n_out: int) -> Numbers:
    """Σ_j w_ij x_j for what `columns` gave for weights (N_out, N_in), and activity (..., N_in)."""
    return _with_units(_of_columns, columns, x)[..., :n_out]


def _of_columns(columns: jax.Array, x: jax.Array) -> jax.Array:
    if x.ndim == 1 and columns.shape[0] < _WORTH_IT.start:
        # By row: the last bit of few columns depends on what XLA compiles beside them, so on the length of blocks.
        return jnp.matmul(columns.T, x, precision=_EXACT)
    return jnp.matmul(x, columns, precision=_EXACT)


def gathered_product(weights: Numbers, x: Numbers, sources: Numbers) -> jax.Array:
    """Σ_k w_ki x[s_ki] for weights and sources (width, rows) and activity (..., N_in): shape (..., rows).

    Sources may be integers of any size: short ones are read sooner.
    """
    return _with_units(_of_list, weights, x, sources)


def _with_units(multiply: Any, weights: Numbers, x: Numbers, *rest: Any) -> jax.Array:
    unit: Any = u.get_unit(weights) * u.get_unit(x)
    # The functions below are of plain arrays: JAX's rules for slopes and lanes know no units.
    weights, x = (jnp.asarray(u.get_mantissa(a)) for a in (weights, x))
    return u.maybe_decimal(u.Quantity(multiply(weights, x, *rest), unit=unit))


# --- lists of sources ---------------------------------------------------------------------------------------------
@jax.custom_jvp
def _of_list(weights: jax.Array, x: jax.Array, sources: jax.Array) -> jax.Array:
    if weights.shape[1] < _FEW_ROWS:
        return _at_once(weights, x, sources)
    return lax.platform_dependent(weights, x, sources, cpu=_place_by_place, default=_at_once)


def _at_once(weights: jax.Array, x: jax.Array, sources: jax.Array) -> jax.Array:
    return jnp.sum(weights * _at(x, sources), axis=-2)


def _place_by_place(weights: jax.Array, x: jax.Array, sources: jax.Array) -> jax.Array:
    """A few places of all rows after the other: on a CPU 4 instead of 12 ms for 5e6 connections of 10,000 regions."""

    def with_place(k: ArrayLike, total: jax.Array) -> jax.Array:
        weight = lax.dynamic_index_in_dim(weights, k, keepdims=False)
        return total + weight * _at(x, lax.dynamic_index_in_dim(sources, k, keepdims=False))

    def with_some(p: jax.Array, total: jax.Array) -> jax.Array:
        for k in range(_PLACES):
            total = with_place(p * _PLACES + k, total)
        return total

    width = weights.shape[0]
    total = jnp.zeros((*x.shape[:-1], weights.shape[1]), jnp.result_type(weights, x))
    total = lax.fori_loop(0, width // _PLACES, with_some, total)
    # the places that are left of a width that `_PLACES` does not divide
    for k in range(width - width % _PLACES, width):
        total = with_place(k, total)
    return total


def _at(x: jax.Array, sources: jax.Array) -> jax.Array:
    # Whether an index is within need not be looked at: those of a list of connections are.
    return x.at[..., sources.astype(jnp.int32)].get(mode="promise_in_bounds")


def _slope_of_list(given: Pytree, slopes: Numbers) -> Pytree:
    (weights, x, sources), (d_weights, d_x, _) = given, slopes
    value = _of_list(weights, x, sources)
    slope = jnp.zeros_like(value)
    if not isinstance(d_weights, SymbolicZero):
        slope = slope + _at_once(d_weights, x, sources)
    if not isinstance(d_x, SymbolicZero):
        slope = slope + _at_once(weights, d_x, sources)
    return value, slope


_of_list.defjvp(_slope_of_list, symbolic_zeros=True)
