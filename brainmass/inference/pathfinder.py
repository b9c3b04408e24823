"""Pathfinder: normal distributions along several ways up to the peaks, weighed together; by blackjax."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from brainmass._common.extras import import_bayes
from brainmass._common.typing import Pytree
from brainmass.inference.importance import log_density_or_nothing, pool, resampled
from brainmass.inference.problem import Density
from brainmass.inference.protocol import Drawn, Orders
from brainmass.inference.starts import first_places

__all__ = ["paths", "pathfinder"]


def pathfinder(density: Density, orders: Orders, *, n_paths: int = 8, n_elbo: int = 20) -> Drawn:
    """Zhang et al. 2022, J. Mach. Learn. Res. 23:306: multi-path, with `n_elbo` runs at each point of a path."""
    of_paths, of_draws, of_choice = jax.random.split(orders.key, 3)
    with orders.journal.bar(2) as bar:
        found = paths(density, of_paths, n_paths, n_elbo)
        bar.update()
        # As many of each path: importance weights then say which paths count.
        each = -(-pool(orders) // n_paths)
        sample = import_bayes("blackjax.vi.pathfinder").sample
        many = density.program(
            ("pathfinder draws", n_paths, each), lambda: jax.jit(jax.vmap(lambda key, path: sample(key, path, each)))
        )
        z, log_q = many(jax.random.split(of_draws, n_paths), found)
        drawn = resampled(density, orders, of_choice, z.reshape(-1, density.reals.size), jnp.ravel(log_q), "Pathfinder")
        bar.update()
    return drawn


def paths(density: Density, key: jax.Array, n: int, n_elbo: int) -> Pytree:
    """The best normal distribution along each of `n` paths, side by side, as blackjax keeps them."""
    of_starts, of_paths = jax.random.split(key)
    starts = first_places(density, of_starts, n)

    def make() -> Any:
        approximate = import_bayes("blackjax.vi.pathfinder").approximate

        def one(key: jax.Array, z: jax.Array, given: Pytree) -> Pytree:
            near = partial(log_density_or_nothing, density, given)
            # a step of a line search is a run: where a thousand do not help, ten thousand would not
            return approximate(key, near, z, n_elbo, maxiter=60, maxls=50)[0]

        return jax.jit(jax.vmap(one, (0, 0, None)))

    program = density.program(("pathfinder", n, n_elbo), make)
    return program(jax.random.split(of_paths, n), starts, density.given)
