"""Search for a Pareto front, by pymoo: the candidates of a generation are one batched run."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.extras import import_fit
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Array, Numbers
from brainmass.fitting.course import Given
from brainmass.fitting.front import ParetoFront, hypervolume_of, not_bettered
from brainmass.fitting.problem import Problem
from brainmass.fitting.recorded import ByMonitor
from brainmass.fitting.solvers.derivative_free import NO_LOSS, Generation, Generations
from brainmass.fitting.space import Box, SearchSpace
from brainmass.objectives.combination import Several

__all__ = ["ParetoSearch", "stacked"]


class ParetoSearch(Generations):
    """Back end 'pymoo', by ask and tell. The loss of a candidate is the weighted sum, of which the lowest is the best.

    All candidates see the same noise: else those would stay on the front that met a favourable one.
    """

    fresh_noise = may_be_fresh = False

    def __init__(self, problem: Problem, optimizer: Any, popsize: int | None, named: Any):
        self._make = _algorithm(optimizer)
        self._size = popsize or 100
        super().__init__(problem, "NSGA2" if optimizer is None else optimizer, self._size)
        # Of the loss: one number for each objective, where other solvers want a single one.
        problem.shape = (len(named.weights),)
        self.named, self._weights = named, np.asarray(list(named.weights.values()))

    @property
    def name(self) -> str:
        return str(self.optimizer if isinstance(self.optimizer, str) else type(self.optimizer).__name__)

    def check(self, space: SearchSpace) -> None:
        super().check(space)
        if space.penalised:
            raise argument_error(
                Argument("search_space", "Fitter"),
                "must have bounds alone for a Pareto front: a prior or a regularisation is a loss of its own",
                hint="Give it as one more objective.",
            )

    def describe(self, given: Given) -> dict[str, object]:
        return {"optimizer": self.name, "popsize": self.popsize, "objectives": list(self.named.weights.items())}

    def told(self, losses: np.ndarray) -> np.ndarray:
        return losses @ self._weights

    def _search(self, generation: Generation, box: Box, given: Given) -> Any:
        core = [import_fit(f"pymoo.{name}") for name in ("core.problem", "core.evaluator", "problems.static")]
        problem_of, evaluator, static = core[0].Problem, core[1].Evaluator(), core[2].StaticProblem
        size, words = box.start.size, np.asarray(given.key)
        problem = problem_of(n_var=size, n_obj=len(self._weights), xl=np.zeros(size), xu=np.ones(size))
        draw = np.random.default_rng(words)
        first = import_fit("scipy.stats").qmc.LatinHypercube(size, rng=draw).random(self.popsize)
        # One candidate of the first generation is the model as it is.
        first[0] = box.start
        termination = import_fit("pymoo.core.termination").NoTermination()
        algorithm = self._make(self.popsize, first)
        algorithm.setup(problem, termination=termination, seed=int(draw.integers(2**31)))
        seen = _Seen(self.named)
        while not generation.over:
            asked = algorithm.ask()
            if asked is None or len(asked) == 0:  # an algorithm may end by itself
                break
            places = asked.get("X").astype(float)
            # Fewer, where children are alike, are filled up: one compiled program serves.
            filled = places[np.arange(max(self._size, len(places))) % len(places)]
            losses = generation(filled)[: len(places)]
            seen.add(places, losses)
            evaluator.eval(static(problem, F=losses), asked)
            algorithm.tell(infills=asked)
        return seen.front(self.problem, box)


class _Seen:
    """Of all that has been seen, what is not bettered."""

    def __init__(self, named: Any):
        self._names = tuple(named.weights)
        self._reference = np.full(len(self._names), np.nan)
        self.values, self.places = np.zeros((0, len(self._names))), None
        self.hypervolume: list[float] = []

    def add(self, places: np.ndarray, values: np.ndarray) -> None:
        # What has no loss was told as `NO_LOSS`, and would stretch the reference.
        known = (values < NO_LOSS).all(axis=1)
        if known.any():
            places, values = places[known], values[known]
            if self.places is None:
                # Of the first generation, and the same for the whole search: so its hypervolumes can be compared.
                self._reference, self.places = values.max(axis=0), places[:0]
            values, places = np.concatenate([self.values, values]), np.concatenate([self.places, places])
            best = not_bettered(values)
            self.values, self.places = values[best], places[best]
        seen = self.places is not None
        self.hypervolume.append(hypervolume_of(self.values, self._reference) if seen else 0.0)

    def front(self, problem: Problem, box: Box) -> ParetoFront | None:
        """None where nothing finite was seen."""
        if self.places is None:
            return None
        fitted = jax.vmap(box.stored)(jnp.asarray(self.places, jnp.result_type(float)))
        return ParetoFront(
            names=self._names,
            values=self.values,
            params=jax.vmap(lambda theta: dict(problem.natural(theta)))(fitted),
            fitted=fitted,
            hypervolume=self.hypervolume,
            reference=self._reference,
        )


def _algorithm(optimizer: Any) -> Any:
    """A function of the size of a generation and the first one."""
    nsga2 = import_fit("pymoo.algorithms.moo.nsga2").NSGA2
    if optimizer is None or (isinstance(optimizer, str) and optimizer.upper().replace("-", "") in ("NSGA2", "NSGAII")):
        return lambda popsize, first: nsga2(pop_size=popsize, sampling=first)
    base = import_fit("pymoo.core.algorithm").Algorithm
    if isinstance(optimizer, type) and issubclass(optimizer, base):
        return lambda popsize, first: optimizer(pop_size=popsize, sampling=first)
    raise argument_error(
        Argument("optimizer", "Fitter"),
        "must be 'NSGA2', or a class of pymoo that takes `pop_size` and `sampling`",
        f"is {show(optimizer)}",
        "pymoo.algorithms.moo.age2.AGEMOEA2.",
        kind=TypeError,
    )


def stacked(named: Any) -> Any:
    """Objectives by name as one function with several values."""
    if not isinstance(named, Several | ByMonitor):
        raise argument_error(
            Argument("objective", "Fitter"),
            "must hold several objectives by name for a Pareto front",
            f"is {show(named)}",
            'objective=brainmass.objectives.Several({"fc": fc_corr(as_loss=True), "fcd": fcd_ks()}).',
            kind=TypeError,
        )

    def losses(prediction: Numbers, target: Numbers) -> Array:
        return jnp.stack(list(named.each(prediction, target).values()))

    return losses
