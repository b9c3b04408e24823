"""From what is asked of a run to its plan: the periods of its monitors, the intervals of its observers."""

from __future__ import annotations

from typing import Any

from brainstate import graph
from brainstate.nn import Module

from brainmass._common.machine import compiles_for
from brainmass._common.messages import argument_error, monitor_named
from brainmass._common.typing import Numbers, Period
from brainmass.delays.lines import BlockedLine, History
from brainmass.forward.observer import Observer
from brainmass.simulation.monitors import Monitor, feeders
from brainmass.simulation.plan import (
    Plan,
    interval_in_steps,
    make_plan,
    steps_in,
    steps_of_run,
    steps_of_transient,
)

__all__ = ["arrange", "weight_of_past"]

# A step of a gradient keeps about as much as this many numbers for each region, of which the past has one a step: two
# states, two draws and what arrives at both ends of a step of Montbrió's model, by what XLA compiles for a GPU.
_NUMBERS_OF_A_STEP = 6


def weight_of_past(model: Module) -> float:
    """How many steps of what a gradient keeps take as much memory as the past; on a GPU, whose many lanes all have one.

    On a CPU lanes go one after the other, and memory is no matter.
    """
    if compiles_for() != "gpu":
        return 1.0
    parts: Any = graph.nodes(model)
    lines = (part for part in parts.values() if isinstance(part, History | BlockedLine))
    return max(1.0, sum(line.depth for line in lines) / _NUMBERS_OF_A_STEP)


def arrange(
    duration: Any,
    watched: dict[str, Monitor],
    transient: Any,
    every: object,
    dt: Numbers,
    block: Any,
    horizon: Period | None,
    weight: float = 1.0,
) -> Plan:
    n_steps, skipped = steps_of_run(duration, dt), steps_of_transient(transient, dt)
    default = 1 if every is None else steps_in("sample_every", every, dt, minimum=1)
    observers = {n: m.what for n, m in watched.items() if isinstance(m.what, Observer)}
    at_end = {n for n, observer in observers.items() if observer.sums_up}

    def period(name: str, monitor: Monitor) -> int:
        if monitor.every is not None:
            return steps_in("every", monitor.every, dt, minimum=1)
        if name in at_end:
            # One at least: that a run is all transient is told by `make_plan`.
            return max(1, n_steps - skipped)
        own = getattr(observers.get(name), "period", None) if every is None else None
        return default if own is None else steps_in("period", own, dt, f"`{name}`", minimum=1)

    periods = {n: period(n, m) for n, m in watched.items()}
    exact = {
        n: steps_in(o.every_argument, o.every, dt, f"`{n}`", minimum=1)
        for n, o in observers.items()
        if o.every is not None
    }
    # One that sees another observer takes in a value whenever that one has one.
    exact |= {n: periods[source] for n, source in feeders(watched).items() if n not in exact}
    targets = {n: interval_in_steps(o.interval, dt) for n, o in observers.items() if n not in exact}
    window = None if horizon is None else steps_in("grad_horizon", horizon, dt, minimum=1)
    plan = make_plan(n_steps, skipped, periods, targets, block, exact, window, weight)
    for name, interval in plan.observed.items():
        if periods[name] // interval < observers[name].needed:
            raise argument_error(
                monitor_named(name),
                f"is asked for after {periods[name] // interval} value(s), one every {interval} step(s)",
                f"a {type(observers[name]).__name__} needs {observers[name].needed} before there is "
                "anything to see: make the run, or the monitor's `every`, longer",
            )
    return plan
