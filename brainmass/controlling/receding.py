"""Receding horizon: plan ahead, do a part of it, see where the run is, and plan again."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers, Pytree
from brainmass.controlling.schedule import Schedule
from brainmass.controlling.search import Search
from brainmass.simulation.inputs import as_inputs

__all__ = ["receding"]


def receding(
    search: Search,
    problem: Schedule,
    start: np.ndarray,
    state: Pytree,
    n_steps: int,
    advance: int,
    inputs: Mapping[str, object] | None,
) -> tuple[dict[str, np.ndarray], list[float], str]:
    """Values by port over the whole run, the cost of each plan, and why it ended."""
    _check(problem, advance, n_steps, inputs)
    # One noise throughout, which goes on with the number of the step, and which no plan has seen.
    simulator, key = problem.simulator, search.keys(0, 1, kind=1)[0]
    n_rows, own = advance // problem.hold, -(-n_steps // problem.hold)

    @jax.jit
    def done(rows: Mapping[str, Numbers], state: Pytree) -> Pytree:
        """The state after the part of a plan that is done, under the noise of the run itself."""
        run = simulator.pure(advance * simulator.dt, monitors=[], free=[], inputs={**problem.others, **rows})
        return run({}, key, state).final

    applied: dict[str, list[np.ndarray]] = {place.port: [] for place in problem.places}
    flat, history, moves = start, [], 0
    for first in range(0, n_steps, advance):
        flat, costs, _ = search.plan(flat, state, first)
        # The lowest, which is that of the plan that is returned, where steps do not always go down.
        history.append(min(costs))
        values = problem.split(jnp.asarray(flat))
        for port, rows in values.items():
            applied[port].append(np.asarray(rows[:n_rows]))
        entering = problem.rows(values, first)
        state = done({port: rows[:advance] for port, rows in entering.items()}, state)
        # what is left of a plan is where the next one starts
        flat = np.concatenate(
            [np.asarray(jnp.roll(v, -n_rows, 0).at[-n_rows:].set(v[-1])).ravel() for v in values.values()]
        )
        flat, moves = np.asarray(flat, float), moves + 1
    together = {port: np.concatenate(parts)[:own] for port, parts in applied.items()}
    return together, history, f"{moves} plans are done"


def _check(problem: Schedule, advance: int, n_steps: int, inputs: Mapping[str, object] | None) -> None:
    if not advance <= problem.n_window:
        raise argument_error(Argument("advance", "control"), "must be no longer than the horizon")
    # Else the second plan would begin between two values of the control, or between two samples.
    for name, period in {
        "every": problem.hold,
        **{f"the period of {n!r}": p for n, p in problem.periods.items()},
    }.items():
        if advance % period:
            rule = f"must be a multiple of {name}, {period} steps"
            raise argument_error(Argument("advance", "control"), rule, f"is {advance} steps")
    # An array has its rows by the steps of one run: each plan is a run of its own, and would begin with the first row.
    series = as_inputs(
        {k: x for k, x in (inputs or {}).items() if k in problem.others}, problem.simulator.model, n_steps
    )
    if series.series:
        port = next(iter(series.series))
        rule = "must hold for any time, with a receding horizon"
        raise argument_error(Argument("inputs", "control", entry=port), rule, f"has one row per step for {port!r}",
                             f'inputs={{"{port}": brainmass.Recording(...)}}')  # fmt: skip
