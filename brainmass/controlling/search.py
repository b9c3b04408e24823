"""The search for what costs least, and what it comes to."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.messages import Argument, argument_error
from brainmass._common.random import as_key, fold
from brainmass._common.typing import Pytree, Seed
from brainmass.controlling.optimizers import Minimizer
from brainmass.controlling.outcome import Validation
from brainmass.controlling.problem import Problem
from brainmass.simulation.watch import DivergenceError

__all__ = ["Search", "check_seed"]

_AT_ONCE = 50  # runs of a validation side by side


class Search:
    """Plans of one problem."""

    def __init__(self, problem: Problem, minimize: Minimizer, optimizer: object, n_noises: int, seed: Seed):
        self.problem, self.minimize, self.n_noises = problem, minimize, n_noises
        self.fresh = not isinstance(optimizer, str)
        self.key = as_key(0 if seed is None else seed)

    def keys(self, step: int, n: int, kind: int = 0) -> jax.Array:
        """Of the noises of a step of the search (`kind` 0), of the run itself (1), of a validation (2)."""
        # Apart by kind: a plan that knew the noise of the run itself, or was validated on its own, would look too good.
        own = fold(fold(self.key, kind), step if self.fresh else 0)
        return jnp.stack([jnp.asarray(fold(own, i)) for i in range(n)])

    def plan(self, start: np.ndarray, state: Pytree, first: int) -> tuple[np.ndarray, list[float], str]:
        """The best control from a state on, of the window that begins after the step `first`."""
        # The same noises in all steps: a line search compares costs, which fresh noise would change between two places.
        problem, held = self.problem, None if self.fresh else self.keys(0, self.n_noises)

        def costs(flat: np.ndarray, step: int) -> tuple[float, np.ndarray]:
            keys = self.keys(step, self.n_noises) if held is None else held
            value, gradient = problem.value_and_grad(jnp.asarray(flat, jnp.result_type(float)), keys, state, first)
            # scipy works in double precision, whatever that of the run.
            gradient = np.asarray(gradient, float)
            if not (np.isfinite(value) and np.isfinite(gradient).all()):
                self.diverged(flat, keys, state, step, first)
            return float(value), gradient

        found = self.minimize(start, costs)
        return found.values, found.history, found.ended

    def diverged(self, flat: np.ndarray, keys: jax.Array, state: Pytree, step: int, first: int) -> None:
        """The error of a control under which something is not finite."""
        problem = self.problem
        entering = problem.entering(jnp.asarray(flat), first)
        words = f"Step {step} of the search of {problem.owner} meets a control"
        for key in keys:
            try:
                # What is differentiated has no errors: a run of its own tells which state was lost, and when.
                duration = problem.n_window * problem.simulator.dt
                problem.simulator.run(duration, inputs=entering, seed=key, state=state)
            except DivergenceError as error:
                told = DivergenceError(f"{words} under which the run diverges: {error} {problem.advice}")
                told.result = error.result
                raise told from error
        raise FloatingPointError(
            f"{words} whose cost, or the slope of it, is infinite or NaN, though the run is finite."
        )

    def outcome(
        self, flat: np.ndarray, state: Pytree, n_validation: int
    ) -> tuple[float, dict[str, float], Validation | None]:
        """The cost, each of the costs, and where `n_validation` is not zero the cost on fresh noises."""
        problem, x = self.problem, jnp.asarray(flat, jnp.result_type(float))
        totals, parts = problem.each(x, self.keys(0, self.n_noises), state, 0)
        validation = None
        if n_validation:
            keys = self.keys(0, n_validation, kind=2)
            # In parts, as runs side by side hold their samples all at once.
            each = [problem.each(x, keys[i : i + _AT_ONCE], state, 0)[0] for i in range(0, n_validation, _AT_ONCE)]
            costs = np.concatenate([np.asarray(e, float) for e in each])
            error = costs.std(ddof=1) / np.sqrt(len(costs)) if len(costs) > 1 else np.nan
            validation = Validation(float(costs.mean()), float(error), costs)
        return float(np.mean(totals)), {name: float(part) for name, part in parts.items()}, validation


def check_seed(problem: Problem, state: Pytree, seed: Seed, n_noises: int) -> bool:
    """Whether there is noise; an error for a random model without a seed, and for noises where there are none."""
    random = problem.random_parts(state)
    if random and seed is None:
        rule = f"must be given, as this is random: {', '.join(random[:3])}"
        raise argument_error(Argument("seed", problem.owner), rule, "is missing", "seed=0")
    if not random and n_noises > 1:
        raise argument_error(Argument("n_noises", problem.owner), "has no effect, as nothing here is random")
    return bool(random)
