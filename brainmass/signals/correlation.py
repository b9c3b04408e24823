"""Correlations and distances whose gradients stay finite: where a root has no derivative or a series is constant, 0."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np


@jax.jit
def deviations(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """x minus its mean over axis 0, as (values of order 1, scale): their product. Constant columns are 0.

    Taking the first sample and the range out beforehand, as constants, changes neither value nor gradient;
    it saves digits when the baseline is large, and the squares from under- and overflow.
    """
    shifted = x - jax.lax.stop_gradient(x[:1])
    spread = jax.lax.stop_gradient(jnp.max(jnp.abs(shifted), axis=0))
    rounding = 8 * jnp.finfo(x.dtype).eps * jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=0))
    constant = (spread <= rounding) & jnp.isfinite(spread)  # NaN and infinity are passed on, as NaN
    spread = jnp.where(constant, 1.0, spread)
    scaled = shifted / spread
    return jnp.where(constant, 0.0, scaled - jnp.mean(scaled, axis=0)), spread


def standardize(x: jax.Array) -> jax.Array:
    """Subtract the mean over axis 0 and divide by the norm; constant columns become 0."""
    centred, _ = deviations(x)
    square = jnp.sum(centred**2, axis=0)
    return centred / jnp.sqrt(jnp.where(square == 0, 1.0, square))


@jax.jit
def correlation(x: jax.Array, y: jax.Array) -> jax.Array:
    """Pearson correlation of two vectors; 0 if one is constant."""
    return jnp.clip(jnp.sum(standardize(x) * standardize(y)), -1.0, 1.0)


@jax.jit
def correlation_matrix(x: jax.Array) -> jax.Array:
    """Pearson correlation of all pairs of columns."""
    z = standardize(x)
    # full precision: the default on some accelerators keeps three decimal digits
    r = jnp.clip(jnp.matmul(z.T, z, precision=jax.lax.Precision.HIGHEST), -1.0, 1.0)
    return unit_diagonal(r)


def correlation_of_products(product: jax.Array) -> jax.Array:
    """Pearson correlations from sums of products of deviations, (..., N, N): from what is kept of a series."""
    # Sums that were updated value by value are symmetric up to rounding.
    product = (product + jnp.swapaxes(product, -1, -2)) / 2
    power = jnp.diagonal(product, axis1=-2, axis2=-1)
    constant = power <= 0
    scale = 1 / jnp.sqrt(jnp.where(constant, 1.0, power))
    scale = jnp.where(constant, 0.0, scale)
    fc = jnp.clip(product * scale[..., :, None] * scale[..., None, :], -1.0, 1.0)
    return unit_diagonal(fc)


def unit_diagonal(matrix: jax.Array) -> jax.Array:
    """Square matrices (..., N, N) with ones on the diagonal."""
    return jnp.where(np.eye(matrix.shape[-1], dtype=bool), 1.0, matrix)


def above_diagonal(matrix: jax.Array, first: int = 1) -> jax.Array:
    """Entries on and above the diagonal number `first` of matrices (..., N, N), as vectors."""
    rows, columns = np.triu_indices(matrix.shape[-1], k=first)
    return matrix[..., rows, columns]


def root(x: jax.Array) -> jax.Array:
    """Square root of what is not negative; its derivative at 0, where there is none, is 0. NaN is passed on."""
    zero = x == 0
    # Chosen twice: the slope of a root at 0 is infinite, and times zero, where it is not chosen, NaN.
    return jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, x)))


@jax.jit
def root_mean_square(residual: jax.Array) -> jax.Array:
    return root(jnp.mean(residual**2))


@jax.jit
def distance(p: jax.Array, t: jax.Array) -> jax.Array:
    """Root mean square difference of two statistics; one within their rounding is 0, since its direction is chance."""
    square, rounding = jnp.mean((p - t) ** 2), 8 * jnp.finfo(p.dtype).eps
    same = square <= rounding**2 * jax.lax.stop_gradient(jnp.mean(t**2))
    return root(jnp.where(same, 0.0, square))
