"""Phases of signals, and how far they agree."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from brainmass.signals.correlation import deviations, root, unit_diagonal

__all__ = ["analytic", "mean_resultant_length", "phase_locking"]


def analytic(x: jax.Array, chosen: np.ndarray | None = None) -> jax.Array:
    """The analytic signal along axis 0: negative frequencies dropped, positive ones doubled; only those `chosen`."""
    count = x.shape[0]
    weights = np.zeros((count, 1))
    weights[0] = 1.0
    weights[1 : (count + 1) // 2] = 2.0
    if count % 2 == 0:
        # Of an even number of samples the highest frequency is its own negative.
        weights[count // 2] = 1.0
    if chosen is not None:
        weights[np.setdiff1d(np.arange(count), chosen)] = 0.0
    return jnp.fft.ifft(jnp.fft.fft(x, axis=0) * jnp.asarray(weights, x.dtype), axis=0)


def mean_resultant_length(phases: jax.Array) -> jax.Array:
    """Length of the mean of unit vectors at these phases (..., regions), from 0 to 1; without gradient at 0."""
    return root(jnp.mean(jnp.cos(phases), axis=-1) ** 2 + jnp.mean(jnp.sin(phases), axis=-1) ** 2)


def phase_locking(x: jax.Array) -> jax.Array:
    z = analytic(deviations(x)[0])
    amplitude = root(z.real**2 + z.imag**2)
    amplitude = jnp.where(amplitude == 0, 1.0, amplitude)
    cosine, sine = z.real / amplitude, z.imag / amplitude
    mean_cosine = _mean_products(cosine, cosine) + _mean_products(sine, sine)  # of the phase differences
    mean_sine = _mean_products(sine, cosine) - _mean_products(cosine, sine)
    return unit_diagonal(jnp.minimum(root(mean_cosine**2 + mean_sine**2), 1.0))


def _mean_products(x: jax.Array, y: jax.Array) -> jax.Array:
    """Means over time of the products of all pairs of columns."""
    return jnp.matmul(x.T, y, precision=jax.lax.Precision.HIGHEST) / x.shape[0]
