"""Solvers that build up a picture of the curvature: those of `scipy.optimize.minimize`, least squares by optimistix."""

from __future__ import annotations

import contextlib
import re
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.extras import import_fit
from brainmass._common.messages import Argument, argument_error, show, suggestion
from brainmass._common.random import fold, fold_at_once
from brainmass._common.typing import Array, Numbers, Pytree
from brainmass.fitting.course import Course, Given, Step
from brainmass.fitting.problem import Problem
from brainmass.fitting.saved import leaves_of, with_leaves
from brainmass.fitting.solvers.journal import Journal
from brainmass.fitting.space import Arcs, Box, SearchSpace, Stored

__all__ = ["METHODS", "LeastSquares", "Minimize"]

# Of scipy.optimize.minimize: whether each takes bounds, and whether it wants the gradient.
METHODS = {
    "L-BFGS-B": (True, True),
    "TNC": (True, True),
    "SLSQP": (True, True),
    "trust-constr": (True, True),
    "Nelder-Mead": (True, False),
    "Powell": (True, False),
    "COBYLA": (True, False),
    "COBYQA": (True, False),
    "BFGS": (False, True),
    "CG": (False, True),
    "Newton-CG": (False, True),
}


# What scipy says where its iterations or evaluations are used up; others end where the precision does.
_LIMIT = re.compile("max|limit|exceed", re.IGNORECASE)


class Minimize:
    """Back end 'scipy', with the name of a method: minimisations, each to its end, of which the lowest counts.

    The first starts from the present values, the others from places drawn evenly within the bounds. The course of the
    fit goes by evaluations of the loss and, if wanted, its gradient.
    """

    many = fresh_noise = may_be_fresh = False

    def __init__(self, problem: Problem, method: str):
        known = {name.lower(): name for name in (*METHODS, "differential_evolution")}
        if not isinstance(method, str) or method.lower() not in known:
            raise argument_error(
                Argument("optimizer", "Fitter"),
                f"must be one of {', '.join(known.values())} for the back end 'scipy'",
                f"is {show(method)}",
                hint=suggestion(str(method), known.values()),
            )
        self.problem = problem
        self.optimizer = self.name = known[method.lower()]
        self._compiled: dict[Any, Any] = {}
        self.settings: dict[str, object] = {}

    def describe(self, given: Given) -> dict[str, object]:
        return {"optimizer": self.optimizer, **({"settings": str(self.settings)} if self.settings else {})}

    def check(self, space: SearchSpace) -> None:
        if space.bounded and not METHODS[self.optimizer][0]:
            raise argument_error(
                Argument("search_space", "Fitter"),
                "needs a method that takes bounds",
                f"{self.optimizer} does not: {', '.join(name for name, (bounds, _) in METHODS.items() if bounds)} do",
            )
        if space.bounded:
            Box(space)

    def _starts(self, n: int, at: Box | Stored, given: Given) -> list[np.ndarray]:
        """Where the minimisations start."""
        if n > 1 and not at.bounded:
            raise argument_error(
                Argument("n_steps", "fit"),
                f"must be 1 for {self.optimizer} without bounds",
                f"is {n}: it counts minimisations, each to its end, and all but the first start from a "
                "random place within the bounds",
                'search_space={"k": (0.0, 2.0)}.',
            )
        rng = np.random.default_rng(np.asarray(given.key))
        # In the coordinates of `Box`, from 0 to 1: evenly within the bounds.
        return [at.start, *(rng.uniform(size=at.start.size) for _ in range(n - 1))]

    def _place(self, space: SearchSpace, several: bool) -> Box | Stored:
        """Coordinates of the minimisations: bounded, where all parameters have bounds, or have transforms that are."""
        if several and not space.bounded:
            with contextlib.suppress(ValueError):  # what several starts lack is told in their own words
                return Box(space)
        return Box(space) if space.bounded else Stored(space)

    def run(self, course: Course, structure: Any, given: Given, space: SearchSpace) -> Any:
        optimize, (takes_bounds, wants_gradient) = import_fit("scipy.optimize"), METHODS[self.optimizer]
        n = course.orders.minimisations or 1
        # A transform is bound enough for one minimisation; random starts need numbers.
        at = self._place(space, n > 1 and takes_bounds)
        # Bounded and unbounded coordinates are two programs of one structure.
        structure = structure, at.bounded
        if structure not in self._compiled:
            self._compiled[structure] = jax.jit(partial(self._find, at, wants_gradient))
        self.stored = at.stored
        journal = Journal(None if course.saved is None else course.saved.arrays)
        course.snapshot = journal.arrays
        over = course.over

        # scipy calls the loss when it likes, and cannot be stopped and resumed between two calls. So all answers are
        # kept: a fit that goes on asks scipy anew from the start, and is told them again until it is where it was.
        def find(place: np.ndarray) -> Pytree:
            place = np.asarray(at.clip(place), jnp.result_type(float))
            return self._compiled[structure](place, given.fixed, given.key, course.number, given.target)

        def loss(place: np.ndarray) -> Pytree:
            nonlocal over
            # The only way out of a minimisation of scipy before its end.
            if over:
                raise StopIteration
            value, gradient, key = journal.ask(place, find)
            # scipy may write into the array that it passes.
            kept = np.array(at.clip(place), jnp.result_type(float))
            norms = np.linalg.norm(gradient) if wants_gradient else None
            sizes = np.linalg.norm(kept)
            step = Step(value, kept, key, lambda kept: self.problem.natural(at.stored(kept)), norms=norms, sizes=sizes)
            over = course.ends(step, replayed=journal.replaying)
            return (float(value), np.asarray(gradient, float)) if wants_gradient else float(value)

        size, precision = at.start.size, float(jnp.finfo(jnp.result_type(float)).eps)
        # Nothing beyond a bound is tried, as a model may not run there.
        options = {"bounds": optimize.Bounds(np.zeros(size), np.ones(size), keep_feasible=True)} if at.bounded else {}
        if self.optimizer == "Newton-CG":  # it takes differences of gradients
            options["options"] = {"eps": precision**0.5}
        options |= self.settings
        starts, ended = self._starts(n, at, given), []
        try:
            for start in starts:
                ended.append(
                    optimize.minimize(loss, start, method=self.optimizer, jac=wants_gradient or None, **options)
                )
        except StopIteration:
            pass  # patience or a callback ended it
        lowest = min(ended, key=lambda one: one.fun, default=None)
        if lowest is not None and not lowest.success and _LIMIT.search(str(lowest.message)):
            course.warn_of_an_early_end(self.optimizer, str(lowest.message))
        return lowest

    def _find(
        self,
        at: Numbers,
        wants_gradient: bool,
        place: Array,
        fixed: dict[str, Numbers],
        key: Array,
        number: jax.Array,
        target: Numbers,
    ) -> tuple[Array, Array, Array]:
        # One key for all evaluations of a minimisation: fresh noise would look to it like a rough loss.
        key = fold(key, number)

        def loss(place: Array) -> Numbers:
            return self.problem.loss(at.values(place), fixed, key, target, plain=at.plain)

        if wants_gradient:
            return *self.problem.value_and_grad(loss)(place), key
        return loss(place), jnp.zeros(0), key


class LeastSquares:
    """Back end 'optimistix': the sum of squared residuals, by a linear model of the residuals at each step."""

    many = True
    fresh_noise = may_be_fresh = False
    name = "least squares"

    def __init__(self, problem: Problem, optimizer: Any):
        optimistix = import_fit("optimistix")
        if isinstance(optimizer, str) or optimizer is None:
            known = ("LevenbergMarquardt", "GaussNewton", "Dogleg")
            if optimizer not in (None, *known):
                raise argument_error(
                    Argument("optimizer", "Fitter"),
                    f"must be one of {', '.join(known)} for the back end 'optimistix'",
                    f"is {optimizer!r}",
                )
            optimizer = getattr(optimistix, optimizer or known[0])(rtol=1e-6, atol=1e-8)
        if not isinstance(optimizer, optimistix.AbstractLeastSquaresSolver):
            raise argument_error(
                Argument("optimizer", "Fitter"),
                "must be a least-squares solver of optimistix",
                f"is {show(optimizer)}",
                "optimistix.LevenbergMarquardt(rtol=1e-6, atol=1e-8).",
                kind=TypeError,
            )
        self.problem, self.optimizer = problem, optimizer
        self._compiled: dict[Any, Any] = {}

    def describe(self, given: Given) -> dict[str, object]:
        return {"optimizer": str(self.optimizer)}

    def check(self, space: SearchSpace) -> None:
        space.check_for_least_squares()
        if space.bounded:
            Arcs(space)

    def run(self, course: Course, structure: Any, given: Given, space: SearchSpace) -> Any:
        equinox = import_fit("equinox")
        at = Arcs(space) if space.bounded else Stored(space)
        self.stored = at.stored
        if structure not in self._compiled:
            parts = partial(self._first, at), partial(self._step, at)
            self._compiled[structure] = tuple(equinox.filter_jit(part) for part in parts)
        first, step = self._compiled[structure]
        args, place = (given.fixed, given.key, given.target), jnp.asarray(at.start, jnp.result_type(float))
        # The state holds programs beside its arrays.
        arrays, programs = equinox.partition(first(place, args), equinox.is_array)
        finished = np.array(False)
        if course.saved is not None:
            course.restore(course.saved.arrays, place)
            place, arrays, finished = with_leaves("state", (place, arrays, finished), course.saved.arrays)
        course.snapshot = lambda: course.arrays() | leaves_of("state", (place, arrays, finished))
        # The noise stays the same: the trust region compares losses of two places.
        key, over = fold_at_once(given.key, 0), course.over or bool(finished)
        while not over:
            place, state, finished = step(place, args, equinox.combine(arrays, programs))
            arrays, programs = equinox.partition(state, equinox.is_array)
            over = course.ends(Step(state.aux, place, key, lambda place: self.problem.natural(at.stored(place))))
            over = over or bool(finished)
        return equinox.combine(arrays, programs)

    def _residuals(self, at: Stored | Arcs, place: jax.Array, args: Pytree) -> tuple[Array, Array]:
        fixed, key, target = args
        residuals = self.problem.residuals(at.values(place), fixed, fold(key, 0), target, plain=at.plain)
        return residuals, jnp.sum(residuals**2)

    def _first(self, at: Stored | Arcs, place: Array, args: Pytree) -> Any:
        function = partial(self._residuals, at)
        shapes = jax.eval_shape(function, place, args)
        return self.optimizer.init(function, place, args, {}, *shapes, frozenset())

    def _step(self, at: Stored | Arcs, place: Array, args: Pytree, state: Pytree) -> tuple[Pytree, Pytree, Pytree]:
        """The place left is the last that was accepted; the state knows its loss, and where to look next."""
        given = partial(self._residuals, at), place, args, {}
        place, state, _ = self.optimizer.step(*given, state, frozenset())
        return place, state, self.optimizer.terminate(given[0], place, args, {}, state, frozenset())[0]
