"""Variational inference: the distribution of a family that is nearest to the posterior, by stochastic gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from brainmass._common.checks import one_of
from brainmass._common.extras import import_bayes
from brainmass._common.messages import Argument
from brainmass._common.typing import Numbers, Pytree
from brainmass.inference.importance import log_density_or_nothing, pool, resampled
from brainmass.inference.pathfinder import paths
from brainmass.inference.problem import Density
from brainmass.inference.protocol import Drawn, Orders

__all__ = ["variational"]

_BLOCKS = 20  # in which steps are made: after each the bar moves, and a file may be written
_FAMILIES = ("mean-field", "full-rank", "flow")


class _Family(NamedTuple):
    """How a member is made of a key, moves by a step, and is drawn from, with its log density."""

    first: Callable[[jax.Array], Pytree]
    step: Callable[[jax.Array, Pytree, Callable[[jax.Array], jax.Array]], tuple[Pytree, jax.Array]]
    draw: Callable[[jax.Array, Pytree, int], tuple[jax.Array, jax.Array]]


def variational(
    density: Density,
    orders: Orders,
    *,
    family: str = "full-rank",
    n_steps: int = 1000,
    learning_rate: float = 0.01,
    n_samples: int = 8,
) -> Drawn:
    """From Pathfinder's normal distribution, in whose coordinates the family begins as a standard normal one."""
    one_of(Argument("family", "sample"), family, _FAMILIES)
    of_paths, of_first, of_steps, of_draws, of_choice = jax.random.split(orders.key, 5)
    size, block = density.reals.size, max(1, n_steps // _BLOCKS)
    optimizer = optax.chain(
        optax.zero_nans(),  # slopes where a run diverges
        # At draws of a standard normal distribution slopes have the norm √size: ten times that is the exception.
        optax.clip_by_global_norm(10.0 * np.sqrt(size)),
        optax.adam(optax.cosine_decay_schedule(learning_rate, n_steps, 0.01)),
    )
    made = {"mean-field": _mean_field, "full-rank": _full_rank, "flow": _flow}[family](size, optimizer, n_samples)
    settings = (family, n_steps, learning_rate, n_samples)

    def make_block() -> Any:
        def run(key: jax.Array, leaves: list, frame: tuple, first: jax.Array, given: Pytree) -> tuple:
            def step(state: Pytree, i: jax.Array) -> tuple:
                state, elbo = made.step(jax.random.fold_in(key, i), state, partial(_within, density, given, frame))
                return state, elbo

            state = jax.tree.unflatten(tree, leaves)
            state, elbo = jax.lax.scan(step, state, first + jnp.arange(block))
            return jax.tree.leaves(state), elbo

        return jax.jit(run)

    # the object that a flow is has parts that are no arrays; those are in its tree
    leaves, tree = jax.tree.flatten(made.first(of_first))
    if orders.journal.kept is None:
        frame, elbos = _frame(density, of_paths, family), []
    else:
        frame, leaves, elbos = orders.journal.kept
    move = density.program(("vi", *settings), make_block)
    with orders.journal.bar(n_steps, len(elbos) * block) as bar:
        for first in range(len(elbos) * block, n_steps, block):
            leaves, elbo = move(of_steps, leaves, frame, first, density.given)
            elbos.append(np.asarray(elbo))
            bar.update(min(block, n_steps - first))
            orders.journal.keep((frame, leaves, elbos))
    n = pool(orders)
    centre, root = frame
    x, log_q = jax.jit(lambda leaves: made.draw(of_draws, jax.tree.unflatten(tree, leaves), n))(leaves)
    # A density of `x` becomes one of `z` by the volume of the root.
    widened = float(jnp.linalg.slogdet(root)[1])
    z, log_q = centre + x @ root.T, log_q - widened
    drawn = resampled(density, orders, of_choice, z, log_q, f"variational inference ({family})")
    # The last block may have been more than was left to do.
    course = np.concatenate(elbos)[:n_steps]
    course = course[course > -1e20]  # without steps in which a run diverged
    drawn.facts["elbo"] = float(np.mean(course[-max(1, len(course) // 10) :])) + widened
    drawn.notes.extend(_still_rising(course))
    return drawn


def _frame(density: Density, key: jax.Array, family: str) -> tuple[jax.Array, jax.Array]:
    """Mean, and root of the covariance, of the best of a few paths."""
    of_paths, of_draws = jax.random.split(key)
    found = paths(density, of_paths, 4, 20)
    best = jax.tree.map(lambda x: x[jnp.argmax(found.elbo)], found)
    # Enough for a covariance of full rank.
    draws = import_bayes("blackjax.vi.pathfinder").sample(of_draws, best, 200 + 20 * density.reals.size)[0]
    covariance = jnp.atleast_2d(jnp.cov(draws.T))
    if family == "mean-field":  # its independent numbers are those of the parameters
        return draws.mean(0), jnp.diag(jnp.sqrt(jnp.diag(covariance)))
    return draws.mean(0), jnp.linalg.cholesky(covariance + 1e-8 * jnp.eye(density.reals.size))


def _within(density: Density, given: Pytree, frame: tuple, x: jax.Array) -> jax.Array:
    centre, root = frame
    return log_density_or_nothing(density, given, centre + root @ x)


def _still_rising(course: np.ndarray) -> list[str]:
    """Whether the bound had come to rest, told from its last tenth and the one before."""
    n = max(1, len(course) // 10)
    before, last = course[-2 * n : -n], course[-n:]
    # Of the difference of two means: the bound is estimated from a few runs a step, and scatters.
    error = np.hypot(before.std(), last.std()) / np.sqrt(n)
    if last.mean() - before.mean() > max(3 * error, 0.1):
        return [
            f"the evidence lower bound still rose at the end, by {last.mean() - before.mean():.2g} in the last tenth "
            "of the steps; try a larger n_steps"
        ]
    return []


def _normal(
    module: Any, size: int, optimizer: Any, n_samples: int, log_density: Callable[[Pytree], Numbers]
) -> _Family:
    """A family of normal distributions of blackjax."""

    def first(key: jax.Array) -> Pytree:
        state = module.init(jnp.zeros(size), optimizer)
        # by itself a narrow one, from where the logarithm of the width has a long way to go
        return state._replace(rho=jnp.zeros(size)) if hasattr(state, "rho") else state

    def step(key: jax.Array, state: Pytree, target: Any) -> tuple:
        state, info = module.step(key, state, target, optimizer, n_samples)
        return state, -info.elbo  # which is the loss, for all its name

    def draw(key: jax.Array, state: Pytree, n: int) -> tuple:
        x = module.sample(key, state, n)
        return x, jax.vmap(log_density(state))(x)

    return _Family(first, step, draw)


def _full_rank(size: int, optimizer: Any, n_samples: int) -> _Family:
    module = import_bayes("blackjax.vi.fullrank_vi")
    return _normal(
        module,
        size,
        optimizer,
        n_samples,
        lambda state: module.generate_fullrank_logdensity(state.mu, state.chol_params),
    )


def _mean_field(size: int, optimizer: Any, n_samples: int) -> _Family:
    module = import_bayes("blackjax.vi.meanfield_vi")
    return _normal(
        module, size, optimizer, n_samples, lambda state: module.generate_meanfield_logdensity(state.mu, state.rho)
    )


def _flow(size: int, optimizer: Any, n_samples: int) -> _Family:
    """A masked autoregressive flow of flowjax."""
    import_bayes("flowjax")
    equinox, flows = import_bayes("equinox"), import_bayes("flowjax.flows")
    distributions, losses = import_bayes("flowjax.distributions"), import_bayes("flowjax.train.losses")
    paramax = import_bayes("paramax")

    def parts(flow: Any) -> tuple:
        return equinox.partition(flow, equinox.is_inexact_array, is_leaf=lambda x: isinstance(x, paramax.NonTrainable))

    def fresh(key: jax.Array) -> Any:
        base = distributions.Normal(jnp.zeros(size))
        # Not inverted: of what it draws itself, a flow is then quick to tell the density.
        return flows.masked_autoregressive_flow(_typed(key), base_dist=base, flow_layers=4, nn_width=32, invert=False)

    fixed = parts(fresh(jax.random.key(0)))[1]

    def first(key: jax.Array) -> Pytree:
        moving = parts(fresh(key))[0]
        return moving, optimizer.init(moving)

    def step(key: jax.Array, state: Pytree, target: Any) -> tuple:
        moving, of_optimizer = state
        loss = losses.ElboLoss(target, n_samples, stick_the_landing=False)
        value, slope = equinox.filter_value_and_grad(lambda moving: loss(moving, fixed, _typed(key)))(moving)
        change, of_optimizer = optimizer.update(slope, of_optimizer, moving)
        return (equinox.apply_updates(moving, change), of_optimizer), -value

    def draw(key: jax.Array, state: Pytree, n: int) -> tuple:
        return equinox.combine(state[0], fixed).sample_and_log_prob(_typed(key), (n,))

    return _Family(first, step, draw)


def _typed(key: jax.Array) -> jax.Array:
    """As flowjax wants it."""
    return key if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else jax.random.wrap_key_data(key)
