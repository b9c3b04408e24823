"""Power spectral densities by Welch's method."""

from __future__ import annotations

import functools

import jax
import jax.scipy.signal

from brainmass.signals.correlation import deviations

__all__ = ["periodogram", "welch"]


@functools.partial(jax.jit, static_argnums=(1, 2))
def welch(x: jax.Array, period: float, size: int) -> jax.Array:
    """Power spectral density of series (time, regions), shape (size // 2 + 1, regions), per Hz.

    One-sided, of windows of `size` samples that overlap by half, Hann, each less its mean; `period` in seconds.
    """
    values, scale = deviations(x)  # of order one: squares of small numbers, or beside a mean, lose their digits
    _, density = jax.scipy.signal.welch(values, 1 / period, nperseg=size, axis=0)
    return density * scale**2


def periodogram(window: jax.Array, period: float) -> jax.Array:
    """That of one window (..., time, regions)."""
    _, density = jax.scipy.signal.welch(window, 1 / period, nperseg=window.shape[-2], axis=-2)
    return density
