"""Where sampling begins: peaks of the density, found from draws of the prior."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.messages import show
from brainmass._common.random import normals
from brainmass._common.typing import Pytree
from brainmass.inference.problem import Density

__all__ = ["Peaks", "around", "check_somewhere", "curvature", "first_places", "peaks", "root_of"]

_FAR = 3.0  # of the widths of the prior, that one step may go
_NATS = 1e-4  # by which a search that has come to rest would still rise
_TRIES = 8  # draws of the prior for each start that is asked for, of which the best is taken
_NARROW = 1e-4  # of the widths of the prior, which no direction of a frame is taken to be narrower than
_FRAMES = 4  # that are tried to find one in which the curvature is about one
_APART = 0.05  # by which two differences for the same second derivative may disagree


class Peaks(NamedTuple):
    """Places `z` (n, size) and the log density there, with its slope, from the highest to the lowest.

    `spread` (n, size, size) is the covariance that the curvature of the density near there has, as the search saw it.
    """

    z: np.ndarray
    lp: np.ndarray
    slope: np.ndarray
    spread: np.ndarray


def peaks(density: Density, key: jax.Array, n: int, n_runs: int = 200) -> Peaks:
    """Climb from `n` draws of the prior, side by side, by BFGS.

    Raises
    ------
    ValueError
        If the density is zero or NaN at every draw.
    """
    found = _climbed(density, first_places(density, key, n), n_runs)
    # NaN would stand first or last by chance: as the lowest.
    order = np.argsort(-np.where(np.isfinite(found.lp), found.lp, -np.inf), kind="stable")
    return Peaks(*(x[order] for x in found))


def _climbed(density: Density, starts: np.ndarray, n_runs: int) -> Peaks:
    """What `n_runs` gradients lead to; one of them tells the slope where it starts."""
    climb = lambda z, given, n_runs: _climb(density, z, given, n_runs)  # noqa: E731
    program = density.program(("peaks", len(starts)), lambda: jax.jit(jax.vmap(climb, (0, None, None))))
    return Peaks(*map(np.asarray, program(starts, density.given, n_runs)))


def curvature(density: Density, found: Peaks) -> np.ndarray | None:
    """The Hessian of the log density at the highest peak (size, size); None where it is not smooth enough to tell.

    By differences of the gradient, which is exact, in a frame in which the Hessian is about one: with four points of
    half the width of the posterior they are off by some 1e-4 in single and 1e-7 in double precision. The program that
    climbed gives the gradients. One of second derivatives took 5 s to compile for a model of evoked responses.
    """
    step = 0.3 if found.z.dtype == np.float32 else 0.05
    root = root_of(found)
    for _ in range(_FRAMES):
        ends = np.array([-2, -1, 1, 2])[:, None, None] * step * root.T
        slopes = _slopes(density, found.z[0] + ends, len(found.z)) @ root
        two, one, other, far = slopes
        seen = (8 * (other - one) - (far - two)) / (12 * step)
        if not np.isfinite(seen).all():
            return None
        apart = np.abs(seen - seen.T).max()
        seen = (seen + seen.T) / 2
        widths, directions = np.linalg.eigh(-seen)
        root, before = root @ directions, root
        widest = 1 / np.linalg.norm(root, axis=0)
        wider = np.clip(1 / np.sqrt(np.maximum(widths, 1e-12)), _NARROW * widest, widest)
        root = root * wider
        if ((wider > 0.7) & (wider < 1.5)).all():
            inverse = np.linalg.inv(before)
            return inverse.T @ seen @ inverse if apart < _APART else None
    return None


def _slopes(density: Density, z: np.ndarray, at_once: int) -> np.ndarray:
    """Of the log density at places (..., size), some at a time."""
    flat = z.reshape(-1, z.shape[-1])
    n = len(flat)
    flat = np.concatenate([flat, np.broadcast_to(flat[:1], (-n % at_once, flat.shape[1]))]).astype(
        jnp.result_type(float)
    )
    parts = [_climbed(density, part, 1).slope for part in flat.reshape(-1, at_once, flat.shape[1])]
    return np.concatenate(parts)[:n].reshape(z.shape).astype(float)


def first_places(density: Density, key: jax.Array, n: int) -> np.ndarray:
    """Where to begin, `n` times: the likeliest of a few draws of the prior.

    Raises
    ------
    ValueError
        If the density is zero or NaN at every draw.
    """
    # in these numbers the prior is about standard normal
    z, lp = _tried(density, key, np.zeros((n, density.reals.size)), np.eye(density.reals.size))
    lp = np.where(np.isfinite(lp), lp, -np.inf)
    # where all tries of one start fail, it begins where another does
    best = np.where(lp.max(1) > -np.inf, np.argmax(lp, 1) + _TRIES * np.arange(n), np.argmax(lp))
    return z.reshape(-1, density.reals.size)[best]


def around(density: Density, key: jax.Array, found: Peaks, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draws of the normal distributions around the peaks, whose covariance has this root, and the log density there.

    A search that ended far below the best begins at that.
    """
    # Draws of a normal posterior lie half of its dimension below the peak on average: what is far below that is lost.
    good = found.lp > found.lp[0] - 10.0 - found.z.shape[1]
    centres, lp_there = np.where(good[:, None], found.z, found.z[0]), np.where(good, found.lp, found.lp[0])
    z, lp = _tried(density, key, centres, root)
    one = np.argmax(np.isfinite(lp), 1)
    drawn, lp = (x[np.arange(len(one)), one] for x in (z, lp))
    fine = np.isfinite(lp)
    return np.where(fine[:, None], drawn, centres), np.where(fine, lp, lp_there)


def root_of(found: Peaks, hessian: np.ndarray | None = None) -> np.ndarray:
    """A root of the covariance at the highest peak, in no direction wider than the prior."""
    if hessian is None:
        variances, directions = np.linalg.eigh(np.asarray(found.spread[0], float))
    else:
        widths, directions = np.linalg.eigh(-hessian)
        # The curvature of the prior is about 1: where data add none, the posterior is as wide as that.
        variances = 1 / np.maximum(widths, 1.0)
    return directions * np.sqrt(np.clip(variances, _NARROW**2, 1.0))


def _tried(density: Density, key: jax.Array, centres: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A few normal draws around each centre (n, tries, size), and the log density there."""
    n, size = centres.shape
    noise = normals(key, (n, _TRIES, size))
    z = (centres[:, None] + noise @ root.T).astype(noise.dtype)
    lp = density.at(z)
    check_somewhere(density, z[:, 0], lp, n * _TRIES)
    return z, lp


def check_somewhere(density: Density, z: np.ndarray, lp: np.ndarray, n: int) -> None:
    """Refuse a density that is zero or NaN at all of `n` draws of the prior, of which `z` are some."""
    if np.isfinite(lp).any():
        return
    where = ", ".join(f"{path} = {show(value)}" for path, value in density.reals.values(jnp.asarray(z[0])).items())
    value = float(np.ravel(lp)[0])
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


def _climb(density: Density, start: jax.Array, given: Pytree, n_runs: jax.Array) -> tuple[jax.Array, ...]:
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
        # Armijo's condition, with the constant of Nocedal and Wright, ch. 3.
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
    return end.z, -end.loss, -end.slope, end.inverse


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
