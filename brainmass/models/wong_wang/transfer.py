"""The transfer function of the Wong–Wang models."""

from __future__ import annotations

import brainunit as u
import jax.numpy as jnp

from brainmass._common.typing import Numbers

__all__ = ["wong_wang_transfer"]


def wong_wang_transfer(y: Numbers, d: Numbers) -> Numbers:
    """y / (1 - exp(-d y)), with its limit 1/d and slope 1/2 at y = 0, and no overflow on either side."""
    w = jnp.maximum(u.maybe_decimal(d * y), -60.0)  # below, the rate is zero to rounding, but a derivative inf/inf
    near_zero = jnp.abs(w) < 1e-2
    safe = jnp.where(near_zero, 1.0, w)
    return jnp.where(near_zero, 1 + w / 2 + w**2 / 12, safe / (1 - jnp.exp(-safe))) / d
