"""Where sampling begins: peaks of the density, found from draws of the prior."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from brainmass._common.messages import show
from brainmass.inference.problem import Density

__all__ = ["Peaks", "check_somewhere", "first_places", "peaks"]

_TRIES = 8  # draws of the prior for each start that is asked for, of which the best is taken


class Peaks(NamedTuple):
    """Places `z` (n, size) and the log density there, from the highest to the lowest."""

    z: jax.Array
    lp: jax.Array


def peaks(density: Density, key: jax.Array, n: int, n_steps: int = 100) -> Peaks:
    """Climb from `n` draws of the prior, side by side, by L-BFGS.

    Raises
    ------
    ValueError
        If the density is zero or NaN at every draw.
    """
    starts = first_places(density, key, n)

    def make() -> Any:
        return jax.jit(jax.vmap(lambda z, given: _climb(density, z, given, n_steps), (0, None)))

    z, lp = density.program(("peaks", n, n_steps), make)(starts, density.given)
    order = jnp.argsort(-jnp.where(jnp.isfinite(lp), lp, -jnp.inf))
    return Peaks(z[order], lp[order])


def first_places(density: Density, key: jax.Array, n: int) -> jax.Array:
    """Where to begin, `n` times: the likeliest of a few draws of the prior.

    Raises
    ------
    ValueError
        If the density is zero or NaN at every draw.
    """

    def one(key: jax.Array, given: Any) -> tuple[jax.Array, ...]:
        starts = jax.random.normal(key, (_TRIES, density.reals.size))  # in these numbers the prior is about that
        values = jax.lax.map(lambda z: density.log_density(z, given), starts)
        best = jnp.argmax(jnp.where(jnp.isfinite(values), values, -jnp.inf))
        return starts[best], values[best]

    program = density.program(("first places", n), lambda: jax.jit(jax.vmap(one, (0, None))))
    z, lp = program(jax.random.split(key, n), density.given)
    check_somewhere(density, z, lp, n * _TRIES)
    # where all tries of one start fail, it begins where another does
    return jnp.where(jnp.isfinite(lp)[:, None], z, z[jnp.argmax(jnp.where(jnp.isfinite(lp), lp, -jnp.inf))])


def check_somewhere(density: Density, z: jax.Array, lp: jax.Array, n: int) -> None:
    """Refuse a density that is zero or NaN at all of `n` draws of the prior, of which `z` are some."""
    if np.isfinite(lp).any():
        return
    where = ", ".join(f"{path} = {show(value)}" for path, value in density.reals.values(z[0]).items())
    value = float(lp[0])
    raise ValueError(
        f"The log density is {'NaN' if np.isnan(value) else value} at all of {n} draws of the prior, such "
        f"as {where}: the run diverges there, or nothing that was observed can come of it. Narrow the priors, or "
        "look at the likelihood."
    )


def _climb(density: Density, start: jax.Array, given: Any, n_steps: int) -> tuple[jax.Array, jax.Array]:
    def loss(z: jax.Array) -> jax.Array:
        value = -density.log_density(z, given)
        return jnp.where(jnp.isfinite(value), value, jnp.inf)

    optimizer = optax.lbfgs()
    value_and_grad = optax.value_and_grad_from_state(loss)

    def step(carry: tuple, _: None) -> tuple[tuple, None]:
        z, state, seen, lowest = carry
        value, slope = value_and_grad(z, state=state)
        better = value < lowest
        seen, lowest = jnp.where(better, z, seen), jnp.where(better, value, lowest)
        slope = jnp.where(jnp.isfinite(slope), slope, 0.0)  # pyright: ignore[reportArgumentType]
        change, state = optimizer.update(slope, state, z, value=value, grad=slope, value_fn=loss)
        change = jnp.where(jnp.isfinite(change), change, 0.0)  # pyright: ignore[reportArgumentType]
        return (optax.apply_updates(z, change), state, seen, lowest), None

    carry = start, optimizer.init(start), start, jnp.asarray(jnp.inf, start.dtype)
    (_, _, z, lowest), _ = jax.lax.scan(step, carry, None, length=n_steps)
    return z, -lowest
