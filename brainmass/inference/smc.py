"""Sequential Monte Carlo: particles of the prior, led to the posterior step by step; by blackjax."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.extras import import_bayes
from brainmass._common.typing import Pytree
from brainmass.inference.problem import Density
from brainmass.inference.protocol import Drawn, Orders
from brainmass.inference.starts import check_somewhere

__all__ = ["smc"]

_MOST = 200  # temperatures
_LOW = -1e30  # a likelihood of zero: its product with a temperature of zero is a number
_ACCEPTED = 0.3  # of the moves; too many are too short


def smc(density: Density, orders: Orders, *, n_moves: int = 10, target_ess: float = 0.5) -> Drawn:
    """Adaptive tempering, by random walks of the shape of the particles; each chain is a population of its own."""
    of_prior, of_steps, of_order = jax.random.split(orders.key, 3)
    n_chains, n = orders.n_chains, orders.n_draws
    step = density.program(("smc", n_chains, n, n_moves, target_ess), lambda: _make(density, n_moves, target_ess))
    kept = orders.journal.kept
    if kept is None:
        z = _of_prior(density, of_prior, n_chains, n)
        particles = z, jnp.full((n_chains, n), 1 / n), jnp.zeros(n_chains)
        # The best scale of random walks in a normal distribution (Gelman, Roberts and Gilks 1996).
        scale = jnp.full(n_chains, 2.38 / np.sqrt(density.reals.size))
        told: list[tuple] = []
    else:
        particles, scale, told = kept
    at = float(np.min(particles[2]))
    with orders.journal.bar(100, int(100 * at)) as bar:
        # one step more moves the particles, which were only weighed, at the last temperature
        while not (told and at == 1.0 and told[-1][0].min() == 1.0) and len(told) < _MOST:
            before = particles[2]
            keys = jax.random.split(jax.random.fold_in(of_steps, len(told)), n_chains)
            particles, scale, fact = step(keys, particles, scale, density.given)
            told.append((np.asarray(before), *map(np.asarray, fact)))
            bar.update(int(100 * float(np.min(particles[2]))) - int(100 * at))
            at = float(np.min(particles[2]))
            orders.journal.keep((particles, scale, told))
    temperatures, worth, accepted, evidence, families = (np.stack(part) for part in zip(*told, strict=True))
    # particles of one ancestor stand side by side: chains are cut in halves to compare them
    order = jax.vmap(lambda key: jax.random.permutation(key, n))(jax.random.split(of_order, n_chains))
    z = jnp.take_along_axis(particles[0], order[..., None], axis=1)
    notes = []
    if at < 1.0:
        notes.append(
            f"after {_MOST} temperatures the particles are at {at:.3g} of the way from prior to posterior: the "
            "likelihood is too sharp for the prior; draw more, or narrow the prior"
        )
    if (low := accepted.mean(1)).min() < 0.05:
        where = temperatures.mean(1)[low.argmin()]
        notes.append(
            f"of the moves at temperature {where:.2g} only {low.min():.1%} were accepted: particles are copies of one "
            "another; try a larger n_moves"
        )
    lp = np.asarray(density.at(z))
    total = evidence.sum(0, dtype=float)
    facts = {
        # The mean of the evidences of the populations, not of their logarithms: each estimates the evidence itself.
        "log_evidence": float(np.logaddexp.reduce(total) - np.log(n_chains)),
        "temperatures": temperatures.mean(1),
        "effective_draws": worth.mean(1),
        "acceptance_rate": accepted.mean(1),
        "ancestors": families.mean(1),
    }
    return Drawn(z, {"lp": lp}, notes, facts)


def _of_prior(density: Density, key: jax.Array, n_chains: int, n: int) -> jax.Array:
    draws = density.reals.sample(key, n_chains * n)
    z = jnp.asarray(draws).reshape(n_chains, n, -1)
    # Some will do: a density that is zero at 64 draws of the prior leads nowhere.
    few = np.asarray(z[0, :64])
    check_somewhere(density, few, density.at(few), len(few))
    return z


def _make(density: Density, n_moves: int, target_ess: float) -> Any:
    blackjax = import_bayes("blackjax")
    walk = blackjax.mcmc.random_walk

    def move(key: jax.Array, state: Pytree, log_density: Any, root: jax.Array) -> tuple:
        def jump(key: jax.Array, z: jax.Array) -> jax.Array:
            return root @ jax.random.normal(key, z.shape, z.dtype)

        return walk.build_additive_step()(key, state, log_density, jump)

    def one(key: jax.Array, particles: tuple, scale: jax.Array, given: Pytree) -> tuple:
        kernel = blackjax.smc.adaptive_tempered.build_kernel(
            density.log_prior,
            partial(_log_likelihood, density, given),
            move,
            walk.init,
            blackjax.smc.resampling.systematic,
            target_ess,
        )
        z, weights, temperature = particles
        size = z.shape[1]
        # Copies of a few particles span no volume: the root must exist all the same.
        spread = jnp.atleast_2d(jnp.cov(z.T, aweights=weights)) + 1e-8 * jnp.eye(size)
        root = scale * jnp.linalg.cholesky(spread)
        state = blackjax.smc.tempered.TemperedSMCState(z, weights, temperature)
        state, info = kernel(key, state, n_moves, {"root": root[None]})
        # Kish's number of draws that are worth as much.
        worth, accepted = 1 / jnp.sum(state.weights**2), jnp.mean(info.update_info.acceptance_rate)
        families = jnp.sum(jnp.zeros(len(weights)).at[info.ancestors].set(1.0))
        # what dichotomy leaves of the way
        done = jnp.where(state.tempering_param > 1 - 1e-6, 1.0, state.tempering_param)
        # For the next temperature, by how the moves of this one went.
        scale = jnp.clip(scale * jnp.exp(2 * (accepted - _ACCEPTED)), 1e-3, 10.0)
        return (state.particles, state.weights, done), scale, (worth, accepted, info.log_likelihood_increment, families)

    return jax.jit(jax.vmap(one, (0, 0, 0, None)))


def _log_likelihood(density: Density, given: Pytree, z: jax.Array) -> jax.Array:
    value = density.log_likelihood(z, given)
    return jnp.where(jnp.isnan(value), _LOW, jnp.maximum(value, _LOW))
