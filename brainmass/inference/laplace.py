"""Laplace's approximation: the normal distribution that has the curvature of the posterior at its peak."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.random import normals
from brainmass._common.typing import Pytree
from brainmass.inference.problem import Density
from brainmass.inference.protocol import Drawn, Orders
from brainmass.inference.starts import curvature, peaks

__all__ = ["laplace"]


def laplace(density: Density, orders: Orders, *, n_starts: int = 8) -> Drawn:
    """Draws of it, in the unbounded numbers, from the highest of the peaks that `n_starts` searches find."""
    of_peaks, of_draws = jax.random.split(orders.key)
    found = peaks(density, of_peaks, n_starts)
    hessian = curvature(density, found)
    if hessian is None:
        hessian = np.asarray(_hessian(density)(found.z[0], density.given), float)
    widths, directions = np.linalg.eigh(-(hessian + hessian.T) / 2)
    notes = []
    # In these numbers the prior alone has a curvature of about 1: where next to nothing is left of it, the likelihood
    # bends the other way.
    flat = widths < 1e-6 * max(widths.max(), 1.0)
    if flat.any():
        names = density.reals.names()
        along = [names[i] for i in np.argsort(-np.abs(directions[:, flat]).max(1))[:3]]
        notes.append(
            f"the posterior is flat, or rises, in {int(flat.sum())} of {len(widths)} directions at its peak (mostly "
            f"{', '.join(along)}): Laplace's approximation takes the width of the prior there"
        )
    widths = np.where(flat, 1.0, widths)
    noise = normals(of_draws, (orders.n_chains, orders.n_draws, density.reals.size))
    z = (found.z[0] + noise @ (directions / np.sqrt(widths)).T).astype(noise.dtype)
    return Drawn(jnp.asarray(z), {"lp": density.at(z)}, notes)


def _hessian(density: Density) -> Any:
    """Forward over forward mode, where differences do not tell: one more program, of second derivatives."""

    def full(z: jax.Array, given: Pytree) -> jax.Array:
        return density.log_likelihood(z, given) + density.log_prior(z)

    return density.program("hessian", lambda: jax.jit(jax.jacfwd(jax.jacfwd(full))))
