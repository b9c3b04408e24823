"""The No-U-Turn sampler, by blackjax: chains side by side in one program, in blocks that a file keeps."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.extras import import_bayes
from brainmass.inference.problem import Density
from brainmass.inference.protocol import Drawn, Orders
from brainmass.inference.starts import peaks

__all__ = ["nuts"]

_BLOCKS = 20  # in which draws are made: after each the bar moves, and a file may be written


def nuts(
    density: Density,
    orders: Orders,
    *,
    n_warmup: int = 500,
    target_accept: float = 0.8,
    max_depth: int = 8,
    dense_mass: bool = True,
) -> Drawn:
    """Hoffman and Gelman 2014, with Stan's warm-up: each chain has its own step size and mass matrix."""
    of_starts, of_warmup, of_draws = jax.random.split(orders.key, 3)
    n_chains = orders.n_chains
    block = max(1, -(-orders.n_draws // _BLOCKS))
    settings = (n_chains, n_warmup, target_accept, max_depth, dense_mass)

    def make_warm() -> Any:
        def one(key: jax.Array, z: jax.Array, given: Any) -> tuple:
            warmup = import_bayes("blackjax").window_adaptation(
                import_bayes("blackjax").nuts,
                partial(_density, density, given),
                is_mass_matrix_diagonal=not dense_mass,
                target_acceptance_rate=target_accept,
                adaptation_info_fn=lambda state, info, adapted: (),
                max_num_doublings=max_depth,
            )
            (state, parameters), _ = warmup.run(key, z, num_steps=n_warmup)
            return state, parameters["step_size"], parameters["inverse_mass_matrix"]

        return jax.jit(jax.vmap(one, (0, 0, None)))

    def make_block() -> Any:
        kernel = import_bayes("blackjax").nuts.build_kernel()

        def one(key: jax.Array, state: Any, step_size: Any, mass: Any, first: Any, given: Any) -> tuple:
            def step(state: Any, i: Any) -> tuple:
                state, info = kernel(
                    jax.random.fold_in(key, i),
                    state,
                    partial(_density, density, given),
                    step_size,
                    mass,
                    max_num_doublings=max_depth,
                )
                told = state.logdensity, info.is_divergent, info.acceptance_rate, info.num_integration_steps
                return state, (state.position, *told)

            return jax.lax.scan(step, state, first + jnp.arange(block))

        return jax.jit(jax.vmap(one, (0, 0, 0, 0, None, None)))

    draw = density.program(("nuts", block, *settings), make_block)
    kept = orders.journal.kept
    if kept is None:
        found = peaks(density, of_starts, n_chains)
        warm = density.program(("nuts warm-up", *settings), make_warm)
        # around the peaks: chains that begin in one point would agree by that
        starts = _around(found.z, found.lp, of_starts)
        carry = warm(jax.random.split(of_warmup, n_chains), starts, density.given)
        blocks: list[tuple] = []
    else:
        (state, *adapted), blocks = kept
        carry = import_bayes("blackjax.mcmc.hmc").HMCState(*state), *adapted
    chains = jax.random.split(of_draws, n_chains)
    with orders.journal.bar(orders.n_draws, len(blocks) * block) as bar:
        for first in range(len(blocks) * block, orders.n_draws, block):
            state, drawn = draw(chains, *carry, first, density.given)
            carry = state, *carry[1:]
            blocks.append(jax.tree.map(np.asarray, drawn))
            bar.update(min(block, orders.n_draws - first))
            orders.journal.keep(((tuple(carry[0]), *carry[1:]), blocks))
    z, lp, diverging, accepted, n_steps = (
        np.concatenate(parts, axis=1)[:, : orders.n_draws] for parts in zip(*blocks, strict=True)
    )
    stats = {"lp": lp, "diverging": diverging, "acceptance_rate": accepted, "n_steps": n_steps}
    return Drawn(jnp.asarray(z), stats)


def _density(density: Density, given: Any, z: jax.Array) -> jax.Array:
    """Where a run diverges the posterior is zero: the sampler turns away."""
    value = density.log_density(z, given)
    return jnp.where(jnp.isnan(value), -jnp.inf, value)


def _around(z: jax.Array, lp: jax.Array, key: jax.Array) -> jax.Array:
    """A little apart from the peaks; a search that has ended far below the best begins there."""
    good = lp > lp[0] - 10.0 - z.shape[1]
    z = jnp.where(good[:, None], z, z[0])
    return z + 0.05 * jax.random.normal(key, z.shape, z.dtype)
