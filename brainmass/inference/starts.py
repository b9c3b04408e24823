"""Where sampling begins: peaks of the density, found from draws of the prior."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.messages import show
from brainmass._common.typing import Pytree
from brainmass.inference.problem import Density

__all__ = ["Peaks", "around", "check_somewhere", "first_places", "peaks", "root_of"]

_FAR = 3.0  # of the widths of the prior, that one step may go
_NATS = 1e-4  # by which a search that has come to rest would still rise
_TRIES = 8  # draws of the prior for each start that is asked for, of which the best is taken


class Peaks(NamedTuple):
    """Places `z` (n, size) and the log density there, from the highest to the lowest.

    `spread` (n, size, size) is the covariance that the curvature of the density near there has, as the search saw it.
    """

    z: jax.Array
    lp: jax.Array
    spread: jax.Array


def peaks(density: Density, key: jax.Array, n: int, n_runs: int = 200) -> Peaks:
    """Climb from `n` draws of the prior, side by side, by BFGS.

    Raises
    ------
    ValueError
        If the density is zero or NaN at every draw.
    """
    starts = first_places(density, key, n)

    def make() -> Any:
        return jax.jit(jax.vmap(lambda z, given: _climb(density, z, given, n_runs), (0, None)))

    found = density.program(("peaks", n, n_runs), make)(starts, density.given)
    order = jnp.argsort(-jnp.where(jnp.isfinite(found.lp), found.lp, -jnp.inf))
    return Peaks(*(x[order] for x in found))


def first_places(density: Density, key: jax.Array, n: int) -> jax.Array:
    """Where to begin, `n` times: the likeliest of a few draws of the prior.

    Raises
    ------
    ValueError
        If the density is zero or NaN at every draw.
    """
    # in these numbers the prior is about standard normal
    z, lp = _tried(density, key, jnp.zeros((n, density.reals.size)), jnp.eye(density.reals.size))
    lp = jnp.where(jnp.isfinite(lp), lp, -jnp.inf)
    # where all tries of one start fail, it begins where another does
    best = jnp.where(
        (lp.max(1) > -jnp.inf)[:, None], jnp.argmax(lp, 1)[:, None] + _TRIES * jnp.arange(n)[:, None], jnp.argmax(lp)
    )
    return z.reshape(-1, density.reals.size)[best[:, 0]]


def around(density: Density, key: jax.Array, found: Peaks) -> tuple[jax.Array, jax.Array]:
    """Draws of the normal distributions around the peaks, and the log density there.

    A search that ended far below the best begins at that.
    """
    good = found.lp > found.lp[0] - 10.0 - found.z.shape[1]
    centres, lp_there = (jnp.where(jnp.reshape(good, (-1,) + (1,) * (x.ndim - 1)), x, x[0]) for x in found[:2])
    z, lp = _tried(density, key, centres, root_of(found))
    one = jnp.argmax(jnp.isfinite(lp), 1)
    drawn, lp = (jnp.stack([x[i, one[i]] for i in range(len(one))]) for x in (z, lp))
    fine = jnp.isfinite(lp)
    return jnp.where(fine[:, None], drawn, centres), jnp.where(fine, lp, lp_there)


def root_of(found: Peaks) -> jax.Array:
    """A root of the covariance at the highest peak, in no direction wider than the prior."""
    variances, directions = np.linalg.eigh(np.asarray(found.spread[0], float))
    widths = np.sqrt(np.clip(variances, 1e-8, 1.0))
    return jnp.asarray(directions * widths, found.z.dtype)


def _tried(density: Density, key: jax.Array, centres: jax.Array, root: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A few normal draws around each centre (n, tries, size), and the log density there."""
    n, size = centres.shape
    z = centres[:, None] + jax.random.normal(key, (n, _TRIES, size), centres.dtype) @ root.T
    lp = density.at(z)
    check_somewhere(density, z[:, 0], lp, n * _TRIES)
    return z, lp


def check_somewhere(density: Density, z: jax.Array, lp: jax.Array, n: int) -> None:
    """Refuse a density that is zero or NaN at all of `n` draws of the prior, of which `z` are some."""
    if np.isfinite(lp).any():
        return
    where = ", ".join(f"{path} = {show(value)}" for path, value in density.reals.values(z[0]).items())
    value = float(jnp.ravel(lp)[0])
    raise ValueError(
        f"The log density is {'NaN' if np.isnan(value) else value} at all of {n} draws of the prior, such "
        f"as {where}: the run diverges there, or nothing that was observed can come of it. Narrow the priors, or "
        "look at the likelihood."
    )


class _Way(NamedTuple):
    """How far a search is: the best place, what is known there, and the step that is tried from it."""

    z: jax.Array
    loss: jax.Array
    slope: jax.Array
    inverse: jax.Array  # of the Hessian
    share: jax.Array  # of the step that is tried; 0 at the start, which is looked at itself
    fresh: jax.Array  # whether nothing is known of the Hessian yet
    left: jax.Array  # runs; 0 where it has come to rest


def _climb(density: Density, start: jax.Array, given: Pytree, n_runs: int) -> Peaks:
    """BFGS with backtracking (Nocedal and Wright 2006, ch. 3 and 6).

    Libraries have it too, but call the gradient in several places, each of which is compiled; here is one. The first
    call for a model of evoked responses took 29 s of CPU time with optax's L-BFGS, and 11 s with this.
    """
    eye = jnp.eye(start.size, dtype=start.dtype)
    value_and_grad = jax.value_and_grad(lambda z: -density.log_density(z, given))

    def one(way: _Way) -> _Way:
        direction = -way.inverse @ way.slope
        direction *= jnp.minimum(1.0, _FAR / jnp.maximum(jnp.linalg.norm(direction), 1e-12))
        step = way.share * direction
        loss, slope = value_and_grad(way.z + step)
        there = jnp.isfinite(loss) & jnp.isfinite(slope).all()
        better = there & (loss <= way.loss + 1e-4 * step @ way.slope)
        inverse, learnt = _updated(way.inverse, step, slope - way.slope, way.fresh)
        inverse, learnt = jnp.where(better, inverse, way.inverse), better & learnt
        # where even a short step does not help, what was known of the curvature is forgotten, once
        stuck = ~better & (way.share < 1e-3)
        inverse = jnp.where(stuck, eye / jnp.maximum(1.0, jnp.linalg.norm(way.slope)), inverse)
        z, slope = jnp.where(better, way.z + step, way.z), jnp.where(better, slope, way.slope)
        gain = jnp.where(learnt, slope @ inverse @ slope, jnp.inf)
        rests = (stuck & way.fresh) | (gain < _NATS) & (way.loss - loss < _NATS)
        share = jnp.where(better | stuck, 1.0, 0.3 * way.share)
        left = jnp.where(rests, 0, way.left - 1)
        return _Way(z, jnp.where(better, loss, way.loss), slope, inverse, share, stuck | way.fresh & ~learnt, left)

    zero = jnp.zeros((), start.dtype)
    begun = _Way(start, zero + jnp.inf, zero * start, eye, zero, jnp.asarray(True), jnp.asarray(n_runs))
    end = jax.lax.while_loop(lambda way: way.left > 0, one, begun)
    return Peaks(end.z, -end.loss, end.inverse)


def _updated(inverse: jax.Array, step: jax.Array, change: jax.Array, fresh: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The inverse of the Hessian after a step that changed the slope so, and whether that told anything."""
    along = step @ change
    learnt = along > 1e-6 * jnp.linalg.norm(step) * jnp.linalg.norm(change)
    rho = 1 / jnp.where(learnt, along, 1.0)
    eye = jnp.eye(step.size, dtype=step.dtype)
    before = jnp.where(fresh, eye / jnp.maximum(rho * (change @ change), 1e-12), inverse)
    less = eye - rho * jnp.outer(step, change)
    after = less @ before @ less.T + rho * jnp.outer(step, step)
    return jnp.where(learnt, after, inverse), learnt
