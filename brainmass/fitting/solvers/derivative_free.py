"""Search without derivatives: the candidates of a generation are one batched run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.extras import import_fit
from brainmass._common.messages import Argument, argument_error, nearest, show
from brainmass._common.random import fold
from brainmass._common.typing import Array, Numbers, Pytree
from brainmass.fitting.course import Course, Given, Step
from brainmass.fitting.problem import Problem
from brainmass.fitting.solvers.journal import Journal
from brainmass.fitting.space import Box, SearchSpace
from brainmass.simulation.lanes import Lanes, lanes_at_once

__all__ = ["NO_LOSS", "DifferentialEvolution", "Generation", "Generations", "Nevergrad", "from_dictionary"]

NO_LOSS = 1e20  # what a candidate without a finite loss is given


class Generations(ABC):
    """A search that asks for the losses of a generation at a time."""

    many = False

    def __init__(self, problem: Problem, optimizer: Any, popsize: int | None):
        self.problem, self.optimizer, self.popsize = problem, optimizer, popsize
        self._compiled: dict[Any, Lanes] = {}

    def check(self, space: SearchSpace) -> None:
        Box(space)

    def run(self, course: Course, structure: object, given: Given, space: SearchSpace) -> Any:
        box = Box(space)
        if structure not in self._compiled:
            # Candidates and losses have lanes; what is fixed, key, number and target are the same for all of a
            # generation.
            at_once = lanes_at_once(self.problem.inventory())
            loss = partial(self._loss, space)
            self._compiled[structure] = Lanes(loss, (0, None, None, None, None), (0, None), at_once)
        self.stored = box.stored
        journal = Journal(None if course.saved is None else course.saved.arrays)
        course.snapshot = journal.arrays
        return self._search(Generation(self, course, self._compiled[structure], given, box, journal), box, given)

    def _loss(
        self,
        space: SearchSpace,
        place: jax.Array,
        fixed: dict[str, Array],
        key: jax.Array,
        number: jax.Array,
        target: jax.Array | None,
    ) -> tuple[Array, Array]:
        key = fold(key, number)
        return self.problem.loss(space.at(place), fixed, key, target, plain=True), key

    def told(self, losses: np.ndarray) -> np.ndarray:
        """One loss for each candidate, of what is found of it."""
        return losses

    @abstractmethod
    def describe(self, given: Given) -> dict[str, object]: ...

    @abstractmethod
    def _search(self, generation: Generation, box: Box, given: Given) -> Any:
        """Ask for generations until there is to be no more; what is handed back is kept as the raw result."""


class Generation:
    """Losses of candidates, one row of the unit cube each; afterwards `over` says whether it was the last."""

    def __init__(self, solver: Generations, course: Course, losses: Lanes, given: Given, box: Box, journal: Journal):
        self._solver, self.course, self._losses, self._given = solver, course, losses, given
        self._box, self._journal, self.over = box, journal, course.over

    def __call__(self, places: np.ndarray) -> np.ndarray:
        losses, key = self._journal.ask(places, self._find)

        def params(place: Numbers) -> dict[str, Pytree]:
            return self._solver.problem.natural(self._box.stored(place))

        step = Step(self._solver.told(losses), _numbers(places), key, params, several=True)
        self.over = self.course.ends(step, nan_ends=False, replayed=self._journal.replaying)
        if not np.isfinite(losses).any() and not self._journal.replaying:
            self.course.warn_of_lost_generation()
        # Strategies rank candidates, and NaN has no rank: large, so that the search turns away from there.
        return np.where(np.isfinite(losses), losses, NO_LOSS)

    def _find(self, places: np.ndarray) -> tuple[Array, Array]:
        given = self._given
        return self._losses(_numbers(places), given.fixed, given.key, self.course.number, given.target)


class Nevergrad(Generations):
    """Back end 'nevergrad', by ask and tell."""

    fresh_noise = may_be_fresh = True
    name = "nevergrad"
    settings: Mapping[str, Any] = {}

    def __init__(self, problem: Problem, optimizer: Any, popsize: int | None):
        super().__init__(problem, optimizer, popsize)
        self._make = _nevergrad_optimizer("CMA" if optimizer is None else optimizer)

    def describe(self, given: Given) -> dict[str, object]:
        return {"optimizer": _name(self._make), "popsize": self.popsize, **self.settings}

    def _search(self, generation: Generation, box: Box, given: Given) -> Any:
        ng = import_fit("nevergrad")
        popsize = self.popsize or max(16, 4 + int(3 * np.log(box.start.size)))
        start = np.full_like(box.start, 0.5) if self.settings.get("from_middle") else box.start
        region = ng.p.Array(init=start, lower=0.0, upper=1.0)
        # Else nevergrad draws from numpy's global generator, and a seed would not say what a fit does.
        region.random_state = np.random.RandomState(np.asarray(given.key))
        optimizer = self._make(region, budget=generation.course.orders.n_steps * popsize, num_workers=popsize)
        while not generation.over:
            asked = [optimizer.ask() for _ in range(popsize)]
            losses = generation(np.stack([candidate.value for candidate in asked]))
            for candidate, loss in zip(asked, losses, strict=True):
                # Told one by one: nevergrad itself knows no generations.
                optimizer.tell(candidate, float(loss))
        return optimizer


class DifferentialEvolution(Generations):
    """Back end 'scipy', by default."""

    fresh_noise = may_be_fresh = False
    name = "differential_evolution"

    def __init__(self, problem: Problem, popsize: int | None):
        super().__init__(problem, "differential_evolution", popsize)

    def describe(self, given: Given) -> dict[str, object]:
        return {"optimizer": "differential_evolution", "popsize": self.popsize}

    def _search(self, generation: Generation, box: Box, given: Given) -> Any:
        optimize, stats = import_fit("scipy.optimize"), import_fit("scipy.stats")
        size, n_steps, words = box.start.size, generation.course.orders.n_steps, np.asarray(given.key)
        first = stats.qmc.LatinHypercube(size, rng=np.random.default_rng(words)).random(self.popsize or 15 * size)
        # One candidate of the first generation is the model as it is: a search ends no worse than it began.
        first[0] = box.start

        def losses(places: np.ndarray) -> np.ndarray:
            if generation.over:
                raise StopIteration
            # scipy hands over columns, (numbers, candidates).
            return generation(places.T)

        try:
            return optimize.differential_evolution(
                losses,
                [(0.0, 1.0)] * size,
                init=first,
                maxiter=n_steps,
                updating="deferred",
                vectorized=True,
                polish=False,
                rng=np.random.default_rng([*words, 1]),
            )
        except StopIteration:
            return None


# What a dictionary of settings may hold for a back end, beside the method.
_SETTINGS = {"nevergrad": ("n_sample",), "scipy": ("tol", "options")}


def from_dictionary(backend: str, optimizer: object, popsize: Numbers) -> tuple[Any, Any, dict[str, Any]]:
    """Optimiser, size of a generation and other settings, from what may be a dictionary of them."""
    if not isinstance(optimizer, Mapping) or backend not in _SETTINGS:
        return optimizer, popsize, {}
    known = ("method", *_SETTINGS[backend])
    if unknown := [name for name in optimizer if name not in known]:
        raise argument_error(
            Argument("optimizer", "Fitter", more=f", as a dictionary for the back end {backend!r},"),
            f"may hold {', '.join(known)}",
            f"holds {unknown[0]!r}",
        )
    settings = dict(optimizer)
    method, n_sample = settings.pop("method", None), settings.pop("n_sample", None)
    if n_sample is not None and popsize is not None:
        raise ValueError("Give Fitter either `popsize` or the setting 'n_sample', which mean the same.")
    if settings and (method is None or method == "differential_evolution"):
        raise ValueError("The settings 'tol' and 'options' of Fitter belong to a method of scipy.optimize.minimize.")
    if backend == "nevergrad":  # In the published package, whose form this is, searches ignore the present values.
        settings["from_middle"] = True
    return method, popsize if n_sample is None else n_sample, settings


def _numbers(places: np.ndarray) -> np.ndarray:
    return np.asarray(places, jnp.result_type(float))


def _nevergrad_optimizer(optimizer: object) -> Any:
    ng = import_fit("nevergrad")
    if isinstance(optimizer, str):
        known = {name.lower(): name for name in ng.optimizers.registry}
        if optimizer.lower() not in known:
            near = nearest(optimizer, known.values(), 3)
            raise argument_error(
                Argument("optimizer", "Fitter"),
                "must be the name of an optimiser of nevergrad",
                f"is {optimizer!r}",
                f"{', '.join(map(repr, near or ['CMA', 'TwoPointsDE', 'PSO']))}.",
            )
        return ng.optimizers.registry[known[optimizer.lower()]]
    base = ng.optimizers.base
    if isinstance(optimizer, base.ConfiguredOptimizer) or (
        isinstance(optimizer, type) and issubclass(optimizer, base.Optimizer)
    ):
        return optimizer
    raise argument_error(
        Argument("optimizer", "Fitter"),
        "must be a name, class or family of nevergrad, not yet bound to parameters",
        f"is {show(optimizer)}",
        '"CMA", or nevergrad.families.ParametrizedCMA(scale=0.3).',
        kind=TypeError,
    )


def _name(optimizer: type) -> str:
    return optimizer.__name__ if isinstance(optimizer, type) else str(optimizer)
