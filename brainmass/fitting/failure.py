"""Where a loss, or its gradient, first is no number."""

from __future__ import annotations

from typing import NamedTuple

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.random import fold_at_once
from brainmass._common.typing import Numbers, Pytree
from brainmass.fitting.course import Given
from brainmass.fitting.problem import Problem
from brainmass.fitting.rows import Rows
from brainmass.simulation import context
from brainmass.simulation.probe import Probe
from brainmass.simulation.simulator import DivergenceError

__all__ = ["Failure", "of_gradient", "of_loss"]


class Failure(NamedTuple):
    """In words; and what was recorded of the run that diverged, if one did."""

    text: str
    error: DivergenceError | None = None


def of_loss(problem: Problem, given: Given) -> Failure:
    """Run again what gave the loss, row by row, and watch the states at each step."""
    probe, where = Probe(), ""
    rows = [None] if not isinstance(given.target, Rows) else given.target.which
    for i in rows:
        where = "" if i is None else f"Row {i}: "
        key, seen = (given.key, (given.target, None)) if i is None else _of_row(given, i)
        try:
            with context.within(probe=probe):
                loss = problem.compared(given.theta, given.fixed, key, *seen, plain=False)
        except DivergenceError as error:
            return Failure(f"{where}{str(error).partition(' Try ')[0]}", error)
        if i is not None and not np.isfinite(np.asarray(u.get_mantissa(loss))).all():
            break
    if not probe.n_runs:
        return Failure("Where it began is not known: no run could be watched, as all are within a transformation.")
    return Failure(f"{where}All states of the run are finite: it is what is made of them that gives no number.")


def _of_row(given: Given, i: object) -> tuple[Pytree, Pytree]:
    return fold_at_once(given.key, i), given.target.row(i)


def of_gradient(problem: Problem, given: Given) -> Failure:
    """By bisection: the last step whose own gradient is no number, and of which state and region."""
    probe = Probe()

    def loss(theta: Numbers, cut: object, nudge: Numbers) -> Numbers:
        probe.cut, probe.nudge = cut, nudge
        with context.within(probe=probe):
            return problem.loss(theta, given.fixed, given.key, given.target)

    slopes = jax.jit(jax.grad(loss, argnums=(0, 2)))
    parameters, _ = slopes(given.theta, jnp.int32(0), {})
    hit = [path for path, slope in parameters.items() if not _finite(slope)]
    text = f"It is that of {', '.join(hit)}." if hit else "It is finite when it is worked out anew."

    def at(step: int) -> Numbers:
        return slopes(given.theta, jnp.int32(step), probe.states)

    low, high = 0, probe.n_steps
    if not hit or not high or not _finite(at(high)):
        return Failure(f"{text} It does not come from the steps of a run.")
    while high - low > 1:  # not finite at low, finite at high
        middle = (low + high) // 2
        low, high = (low, middle) if _finite(at(middle)) else (middle, high)
    if high == probe.n_steps:
        return Failure(f"{text} It comes from what is made of the run, or from its last step.")
    time = f"{float((low * probe.dt).to_decimal(u.ms)):g} ms"
    return Failure(f"{text} Backwards in time it is first so in the step from {time}{_element(at(low)[1])}.")


def _element(states: dict[str, object]) -> str:
    for path, slope in states.items():
        if not _finite(slope):
            region = np.argwhere(~np.isfinite(np.asarray(slope)))[0]
            return f", by state `{path.removeprefix('model.')}`{f' of region {region[-1]}' if region.size else ''}"
    return ""


def _finite(tree: object) -> bool:
    return all(np.isfinite(np.asarray(x)).all() for x in jax.tree.leaves(tree))
