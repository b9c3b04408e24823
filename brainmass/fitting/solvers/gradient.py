"""Gradient descent by an optax optimiser, from one start or from several side by side."""

from __future__ import annotations

from functools import partial
from typing import Any
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
import optax

from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.random import fold, fold_at_once
from brainmass._common.typing import Array, Numbers, Pytree
from brainmass._common.whole_vectors import Alone
from brainmass.fitting.course import Course, Given, Step
from brainmass.fitting.problem import Problem, norm
from brainmass.fitting.rows import chunks, minibatch
from brainmass.fitting.saved import digest, leaves_of, with_leaves
from brainmass.fitting.space import SearchSpace
from brainmass.simulation.lanes import Lanes, lanes_at_once

__all__ = ["GradientDescent"]


class GradientDescent:
    """Back end 'grad'."""

    many = False
    name = "an optimiser with a line search"

    def __init__(self, problem: Problem, optimizer: Any, n_starts: int = 1):
        self.problem, self.optimizer, self.n_starts = problem, _as_optax(optimizer), n_starts
        self._update = optax.with_extra_args_support(self.optimizer).update
        self._compiled: dict[Any, Any] = {}
        self.fresh_noise = self.may_be_fresh = True

    def check(self, space: SearchSpace) -> None:
        if self.n_starts > 1 and all(side.prior is None and side.low is None for side in space.sides.values()):
            raise argument_error(
                Argument("n_starts", "Fitter"),
                "needs a `search_space` to draw starts from",
                example='search_space={"a": (-1.0, 1.0)}.',
            )
        self._searches = _searches_along_lines(self.optimizer.init(space.start))
        self.fresh_noise = self.may_be_fresh = not self._searches
        if self._searches and any(end is not None for side in space.sides.values() for end in side.kept):
            raise argument_error(
                Argument("search_space", "Fitter"),
                "cannot hold bounds for an optimiser with a line search, which would step beyond them: "
                'write Fitter(model, "L-BFGS-B", backend="scipy", ...)',
            )
        if self._searches and self.problem.mode == "forward":
            raise argument_error(Argument("mode", "Fitter"), "must be 'reverse' for an optimiser with a line search")

    def describe(self, given: Given) -> dict[str, object]:
        """What a file must agree with; optimisers are told apart by the step that they make."""
        state = self.optimizer.init(given.theta)
        # Those of optax are closures that name no settings: what they do with a known gradient tells them apart.
        ones = jax.tree.map(jnp.ones_like, given.theta)
        value = {"value": jnp.ones(()), "grad": ones, "value_fn": lambda theta: norm(theta) ** 2}
        updates, _ = self._update(ones, state, given.theta, **value)
        return {
            "optimizer": f"{crc32(str(jax.tree.structure(state)).encode()):x}-{digest(updates)}",
            "n_starts": self.n_starts,
        }

    def run(self, course: Course, structure: Any, given: Given, space: SearchSpace) -> Pytree:
        if structure not in self._compiled:
            step = partial(self._step, space)
            at_once = lanes_at_once(self.problem.inventory())
            # Starts are lanes of one program, which share the noise and the target of a step.
            several = Lanes(step, (0, 0, None, None, None, None), (0, 0, 0, 0, None), at_once)
            self._compiled[structure] = Alone(step) if self.n_starts == 1 else several
        compiled = self._compiled[structure]
        theta = self._starts(given, space)
        # Each start has an optimiser of its own: momenta, and what a line search has found.
        state = self.optimizer.init(theta) if self.n_starts == 1 else jax.vmap(self.optimizer.init)(theta)
        if course.saved is not None:
            course.restore(course.saved.arrays, given.theta)
            theta, state = with_leaves("state", (theta, state), course.saved.arrays)
        course.snapshot = lambda: course.arrays() | leaves_of("state", (theta, state))
        judge = _Judge(self, course, structure, given) if course.orders.batch else None
        if judge:
            judge(theta)
        while not course.over:
            # The loss and the gradient are those of the place before the step: with it they are noted, and it may be
            # the best.
            before = theta
            target = judge.rows() if judge else given.target
            theta, state, loss, sizes, used = compiled(theta, state, given.fixed, given.key, course.number, target)
            norms, lengths = sizes
            several = self.n_starts > 1
            natural = self.problem.natural  # the loss is that before the step, callbacks are told where it has led
            step = Step(loss, before, used, natural, told=theta, norms=norms, sizes=lengths, several=several)
            if course.ends(step):
                break
            if judge:
                judge(theta)
        if judge:
            judge(theta, at_end=True)
        return state

    def stored(self, place: dict[str, Numbers]) -> Pytree:
        return place

    def _step(
        self,
        space: SearchSpace,
        theta: Pytree,
        state: Pytree,
        fixed: Pytree,
        key: Numbers,
        number: Array,
        target: Pytree,
    ) -> tuple:
        key = fold(key, number)

        def loss_at(theta: Pytree) -> Numbers:
            return self.problem.loss(theta, fixed, key, target)

        if self._searches:  # which has been where the step begins
            loss, gradient = optax.value_and_grad_from_state(loss_at)(theta, state=state)
        else:
            loss, gradient = self.problem.value_and_grad(loss_at)(theta)
        # The loss, its gradient and the function go with it, for optimisers that look along a line; others ignore
        # them.
        updates, state = self._update(gradient, state, theta, value=loss, grad=gradient, value_fn=loss_at)
        sizes = norm(gradient), norm(theta)
        theta = optax.apply_updates(theta, updates)
        # A step may lead beyond the bounds: it ends at the nearest place within them.
        return space.kept_within(theta), state, loss, sizes, key

    def _starts(self, given: Given, space: SearchSpace) -> Pytree:
        """The present values first, then others drawn from priors and bounds."""
        # A start beyond the bounds is moved to them first: its loss would count as the best of a place that is not
        # allowed.
        first = space.kept_within(given.theta)
        if self.n_starts == 1:
            return first
        return jax.tree.map(lambda *x: jnp.stack(x), first, *space.draws(given.key, self.n_starts - 1))


class _Judge:
    """How good parameters are on all rows, where a step sees a minibatch of them."""

    def __init__(self, solver: GradientDescent, course: Course, structure: object, given: Given):
        self._course, self._given, self._several = course, given, solver.n_starts > 1
        if ("losses", structure) not in solver._compiled:
            losses = partial(solver.problem.losses)
            several = jax.vmap(losses, (0, None, None, None))
            solver._compiled["losses", structure] = jax.jit(losses if solver.n_starts == 1 else several)
        self._losses = solver._compiled["losses", structure]
        self._size: int = course.orders.batch  # type: ignore[assignment]
        self._steps = -(-len(given.target.which) // self._size)

    def rows(self) -> Pytree:
        """Those of the next step."""
        return minibatch(self._given.target, self._given.key, self._course.n_done, self._size)

    def __call__(self, theta: Pytree, at_end: bool = False) -> None:
        """At the same key throughout; at the start, after a pass through the rows, and when a fit ends elsewhere."""
        given, course = self._given, self._course
        if (course.n_done % self._steps == 0) == at_end:
            return
        key = fold_at_once(given.key, 0)
        parts = [self._losses(theta, given.fixed, key, rows) for rows in chunks(given.target, self._size)]
        losses = np.concatenate(parts, axis=-1)[..., : len(given.target.which)].mean(axis=-1)
        course.judge(Step(losses, theta, key, several=self._several), at_end)


def _searches_along_lines(state: object) -> bool:
    """Whether the state of an optimiser has that of a line search, which needs the loss itself."""
    kinds = optax.ScaleByZoomLinesearchState, optax.ScaleByBacktrackingLinesearchState
    parts = jax.tree.leaves(state, is_leaf=lambda part: isinstance(part, kinds))
    return any(isinstance(part, kinds) for part in parts)


def _as_optax(optimizer: object) -> Any:
    if optimizer is None:
        return optax.adam(1e-2)
    inner = getattr(optimizer, "tx", optimizer)  # braintools' optimisers hold an optax one
    if not (hasattr(inner, "init") and hasattr(inner, "update")):
        raise argument_error(
            Argument("optimizer", "Fitter"),
            "must be an optax or braintools optimiser",
            f"is {show(optimizer)}",
            "optax.adam(1e-2).",
            kind=TypeError,
        )
    return inner
