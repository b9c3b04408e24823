"""Stretches of a series."""

from __future__ import annotations

import jax
import numpy as np

__all__ = ["windows"]


def windows(x: jax.Array, size: int, step: int) -> jax.Array:
    """Stretches of `size` samples that start at 0, step, 2 step, ...; shape (window, size, region)."""
    # By numpy: which samples are in a window is known when a program is compiled.
    starts = np.arange(0, x.shape[0] - size + 1, step)
    return x[starts[:, None] + np.arange(size)]
