"""Gradient descent by an optax optimiser, from one start or from several side by side."""

from __future__ import annotations

from functools import partial
from typing import Any
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
import optax

from brainmass.dynamics.fields import show
from brainmass.fitting.course import Course, Given
from brainmass.fitting.problem import Problem, norm
from brainmass.fitting.saved import digest, leaves_of, with_leaves
from brainmass.fitting.space import SearchSpace
from brainmass.simulation.lanes import Lanes
from brainmass.simulation.random import fold

__all__ = ["GradientDescent"]


class GradientDescent:
    """Back end 'grad'."""

    many = False
    fresh_noise = True

    def __init__(self, problem: Problem, optimizer: Any, n_starts: int = 1):
        self.problem, self.optimizer, self.n_starts = problem, _as_optax(optimizer), n_starts
        self._compiled: dict[Any, Any] = {}

    def describe(self, given: Given) -> dict[str, Any]:
        """What a file must agree with; optimisers are told apart by the step that they make."""
        state = self.optimizer.init(given.theta)
        ones = jax.tree.map(jnp.ones_like, given.theta)
        updates, _ = self.optimizer.update(ones, state, given.theta)
        return {
            "optimizer": f"{crc32(str(jax.tree.structure(state)).encode()):x}-{digest(updates)}",
            "n_starts": self.n_starts,
        }

    def run(self, course: Course, structure: Any, given: Given, space: SearchSpace | None) -> Any:
        if structure not in self._compiled:
            step = partial(self._step, space)
            several = Lanes(step, (0, 0, None, None, None, None), (0, 0, 0, 0, None))
            self._compiled[structure] = jax.jit(step) if self.n_starts == 1 else several
        compiled = self._compiled[structure]
        theta = self._starts(given, space)
        state = self.optimizer.init(theta) if self.n_starts == 1 else jax.vmap(self.optimizer.init)(theta)
        if course.saved is not None:
            course.restore(course.saved.arrays, given.theta)
            theta, state = with_leaves("state", (theta, state), course.saved.arrays)
        course.snapshot = lambda: course.arrays() | leaves_of("state", (theta, state))
        lane = course.lane if self.n_starts > 1 else lambda tree, i: tree
        while not course.over:
            before = theta
            theta, state, loss, sizes, used = compiled(
                theta, state, given.fixed, given.key, course.number, given.target
            )
            if course.ends(
                loss,
                lambda i, at=before: lane(at, i),
                used,
                lambda i, at=theta: self.problem.natural(lane(at, i)),
                *sizes,
            ):
                break
        return state

    def stored(self, place: Any) -> Any:
        return place

    def _step(
        self, space: SearchSpace | None, theta: Any, state: Any, fixed: Any, key: Any, number: Any, target: Any
    ) -> tuple:
        key = fold(key, number)
        loss, gradient = self.problem.value_and_grad(self.problem.loss)(theta, fixed, key, target)
        updates, state = self.optimizer.update(gradient, state, theta)
        sizes = norm(gradient), norm(theta)
        theta = optax.apply_updates(theta, updates)
        theta = theta if space is None else space.kept_within(theta)  # type: ignore[arg-type]
        return theta, state, loss, sizes, key

    def _starts(self, given: Given, space: SearchSpace | None) -> Any:
        """The present values first, then others drawn from the search space."""
        if self.n_starts == 1:
            return given.theta if space is None else space.kept_within(given.theta)
        assert space is not None
        draws = np.random.default_rng(np.asarray(given.key)).uniform(size=(self.n_starts - 1, space.size))
        drawn = [given.theta | space.stored(jnp.asarray(z)) for z in draws]
        return jax.tree.map(lambda *x: jnp.stack(x), space.kept_within(given.theta), *drawn)


def _as_optax(optimizer: Any) -> Any:
    if optimizer is None:
        return optax.adam(1e-2)
    inner = getattr(optimizer, "tx", optimizer)  # braintools' optimisers hold an optax one
    if not (hasattr(inner, "init") and hasattr(inner, "update")):
        raise TypeError(
            f"Argument `optimizer` of Fitter must be an optax or braintools optimiser, but is {show(optimizer)}. "
            "Example: optax.adam(1e-2)."
        )
    return inner
