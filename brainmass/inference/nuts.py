"""The No-U-Turn sampler, by blackjax: chains side by side in one program, which warms up and draws."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.extras import import_bayes
from brainmass._common.typing import Numbers, Pytree
from brainmass.inference.problem import Density
from brainmass.inference.protocol import Drawn, Orders
from brainmass.inference.starts import around, curvature, peaks, root_of

__all__ = ["nuts"]

_BLOCKS = 20  # in which draws are made: after each the bar moves, and a file may be written
# Shares of the warm-up at which its windows end: after all but the first there is a new mass matrix.
_WINDOWS = 0.05, 0.10, 0.25, 0.50, 0.85
_FIRST_STEP = 0.7


class Frame(NamedTuple):
    """Coordinates `x` in which the posterior is about standard normal, if it is as its highest peak lets expect.

    Steps have the right size and shape there from the first, so that trees are short in the warm-up too.
    """

    centre: jax.Array
    root: jax.Array

    def z(self, x: jax.Array) -> jax.Array:
        return self.centre + self.root @ x


class Move(NamedTuple):
    """How steps are made: with which mass matrix, and a step size that is adapted or not. The same for all chains."""

    mass: jax.Array  # its inverse
    sizes: Pytree  # what dual averaging knows of the step size
    adapting: Numbers


def nuts(
    density: Density,
    orders: Orders,
    *,
    n_warmup: int = 500,
    target_accept: float = 0.8,
    max_depth: int = 8,
    dense_mass: bool = True,
) -> Drawn:
    """Hoffman and Gelman 2014, in coordinates of the highest peak; all chains adapt one step size and mass matrix."""
    of_starts, of_warmup, of_draws = jax.random.split(orders.key, 3)
    # Rounded up: there are no more than twenty, and the last may be short.
    block = max(1, -(-orders.n_draws // _BLOCKS))
    settings = block, orders.n_chains, target_accept, max_depth
    program = density.program(("nuts", *settings), lambda: _make(density, block, target_accept, max_depth))
    kept = orders.journal.kept
    if kept is None:
        found = peaks(density, of_starts, orders.n_chains)
        root = root_of(found, curvature(density, found))
        frame = Frame(jnp.asarray(found.z[0]), jnp.asarray(root, found.z.dtype))
        # around the peaks: chains that begin in one point would agree by that
        z, lp = around(density, jax.random.fold_in(of_starts, 1), found, root)
        x = jnp.asarray(np.linalg.solve(root, (z - found.z[0]).T).T, found.z.dtype)
        run = partial(program, jax.random.split(of_warmup, orders.n_chains))
        states, move = _warm(run, block, n_warmup, dense_mass, x, jnp.asarray(lp), frame, density.given)
        blocks: list[tuple] = []
    else:
        states, mass, size, frame, blocks = kept
        states = import_bayes("blackjax.mcmc.hmc").HMCState(*states)
        move, frame = Move(mass, _sizes(size), False), Frame(*frame)
    run = partial(program, jax.random.split(of_draws, orders.n_chains))
    with orders.journal.bar(orders.n_draws, len(blocks) * block) as bar:
        for first in range(len(blocks) * block, orders.n_draws, block):
            n = min(block, orders.n_draws - first)
            states, _, drawn = run(states, move, first, n, frame, density.given)
            blocks.append(jax.tree.map(np.asarray, drawn))
            bar.update(n)
            kept = tuple(states), move.mass, jnp.exp(move.sizes.log_step_size), tuple(frame), blocks
            orders.journal.keep(kept)
    x, lp, diverging, accepted, n_steps = (
        np.concatenate(parts, axis=1)[:, : orders.n_draws] for parts in zip(*blocks, strict=True)
    )
    stats = {"lp": lp, "diverging": diverging, "acceptance_rate": accepted, "n_steps": n_steps}
    return Drawn(jax.vmap(jax.vmap(frame.z))(jnp.asarray(x)), stats)


def _make(density: Density, block: int, target_accept: float, max_depth: int) -> Any:
    """Up to `block` steps of all chains. One program for warm-up and draws, as its compilation takes longer than both.

    Places are kept in the coordinates of the frame, by chain and step.
    """
    kernel = import_bayes("blackjax").nuts.build_kernel()
    update = import_bayes("blackjax.adaptation.step_size").dual_averaging_adaptation(target_accept)[1]

    def run(
        keys: jax.Array, states: Pytree, move: Move, first: Numbers, n: Numbers, frame: Frame, given: Pytree
    ) -> tuple:
        log_density = partial(_density, density, frame, given)

        def one(key: jax.Array, state: Pytree, step_size: jax.Array) -> tuple:
            return kernel(key, state, log_density, step_size, move.mass, max_num_doublings=max_depth)

        def step(i: Numbers, carry: tuple) -> tuple:
            states, sizes, drawn = carry
            # By the number of the step, so that neither blocks nor a stop change the draws.
            of_step = jax.vmap(jax.random.fold_in, (0, None))(keys, first + i)
            states, info = jax.vmap(one, (0, 0, None))(of_step, states, jnp.exp(sizes.log_step_size))
            # By the mean over chains: with one step size for all, it is learnt from as many steps as there are chains.
            better = update(sizes, jnp.mean(info.acceptance_rate))
            # Chosen by a number: with a branch in Python there would be two programs to compile.
            sizes = jax.tree.map(partial(jnp.where, move.adapting), better, sizes)
            told = states.logdensity, info.is_divergent, info.acceptance_rate, info.num_integration_steps
            drawn = jax.tree.map(lambda kept, x: kept.at[:, i].set(x), drawn, (states.position, *told))
            return states, sizes, drawn

        lp = states.logdensity
        told = (lp, jnp.zeros(lp.shape, bool), lp, jnp.zeros(lp.shape, int))
        empty = jax.tree.map(lambda x: jnp.repeat(jnp.zeros_like(x)[:, None], block, 1), (states.position, *told))
        states, sizes, drawn = jax.lax.fori_loop(0, n, step, (states, move.sizes, empty))
        return states, move._replace(sizes=sizes), drawn

    return jax.jit(run)


def _density(density: Density, frame: Frame, given: Pytree, x: jax.Array) -> jax.Array:
    """Where a run diverges the posterior is zero: the sampler turns away."""
    value = density.log_density(frame.z(x), given)
    return jnp.where(jnp.isnan(value), -jnp.inf, value)


def _warm(
    run: Callable[..., tuple], block: int, n_warmup: int, dense: bool, x: jax.Array, lp: jax.Array, *rest: Pytree
) -> tuple[Pytree, Move]:
    """States to draw from and how to move, learnt in windows as Stan does, from all chains together."""
    size, float_ = x.shape[1], x.dtype
    # no slope, which the first step does without: it would be one more program
    states = import_bayes("blackjax.mcmc.hmc").HMCState(x, lp, jnp.zeros_like(x))
    move, begun = Move(jnp.eye(size, dtype=float_), _sizes(_FIRST_STEP), True), 0
    for i, end in enumerate([*(round(share * n_warmup) for share in _WINDOWS), n_warmup]):
        seen = []
        while begun < end:
            n = min(block, end - begun)
            states, move, (places, *_) = run(states, move, begun, n, *rest)
            seen.append(np.asarray(places, float)[:, :n])
            begun += n
        # Not after the first window, which only looks for the size of steps, nor the last, which only refines it.
        if seen and 0 < i < len(_WINDOWS):
            mass = _learnt(np.concatenate(seen, axis=1), np.asarray(move.mass, float), dense)
            move = Move(jnp.asarray(mass, float_), _sizes(jnp.exp(move.sizes.log_step_size_avg)), True)
    return states, Move(move.mass, _sizes(jnp.exp(move.sizes.log_step_size_avg)), False)


def _learnt(x: np.ndarray, before: np.ndarray, dense: bool) -> np.ndarray:
    """The covariance of what all chains (chain, step, size) saw, drawn to the one before where that is little."""
    n, size = x.shape[0] * x.shape[1], x.shape[2]
    found = np.atleast_2d(np.cov(x.reshape(n, size).T)) if n > 1 else before
    found, few = (found, size + 5.0) if dense else (np.diag(np.diag(found)), 5.0)
    return (n * found + few * before) / (n + few)


def _sizes(size: Numbers) -> Pytree:
    """Dual averaging from a step size that is about right already; otherwise it first tries ten times as long ones."""
    init = import_bayes("blackjax.adaptation.step_size").dual_averaging_adaptation(0.8)[0]
    begun = jax.tree.map(lambda x: jnp.asarray(x, jnp.result_type(float)), init(size))
    return begun._replace(mu=begun.log_step_size, log_step_size_avg=begun.log_step_size)
