"""What a store of a sweep is known by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import brainunit as u

from brainmass._common.precision import default_dtype
from brainmass._common.typing import Numbers
from brainmass._common.version import __version__
from brainmass.forward.observer import Observer
from brainmass.simulation.identity import digest, lasting, plan_of, within
from brainmass.simulation.inventory import inventory, stateful

if TYPE_CHECKING:
    from brainmass.sweeps.jobs import Jobs
    from brainmass.sweeps.run import Lane


__all__ = ["identity"]


def identity(lane: Lane, made: tuple, jobs: Jobs) -> dict[str, str]:
    """What a sweep is made with, by name, as short texts; `made` is the program of a run and what it holds.

    After a trace, which shows what functions change themselves, such as a log: that is left out.
    """
    simulator, settings, is_own = lane._simulator, lane._settings, lane._pictures.is_own
    program, found, given = made
    courses = program.courses
    design = jobs.design
    read, measure = lasting(program.things, is_own, "sweep"), lasting(lane._things, is_own, "sweep")
    its = inventory(simulator.model)
    start = {} if stateful(its) else its.state_values()  # of a model that starts from the states it has

    def numbers(kind: str) -> dict[str, Any]:
        return {path: x for path, x in found.raw().items() if path.startswith(kind)}

    def parts(modules: Mapping[str, object], *kinds: str) -> Any:
        return [plan_of(inventory(m)) for m in modules.values()], numbers(kinds[0]), within(read, *kinds)

    # Of a function its kind alone: what it is made of stands in `parts`, by what it reads.
    monitors = [(n, _known(m.what), m.every, _known(m.source)) for n, m in program.monitors.items()]
    observers = {n: m.what for n, m in program.monitors.items() if isinstance(m.what, Observer)}
    things = {
        **{f"the values of `{axis.name}`": (axis.values, axis.unit) for axis in design.axes},
        "the design": (design.is_grid, design.dims),
        "the seeds": (jobs.seeds, jobs.common),
        "the duration": _in_ms(lane._duration, simulator.dt),
        "the time step": float(simulator.dt.to_decimal(u.ms)),
        "`monitors`": (monitors, parts(observers, "observers.", "monitor ", "source of ")),
        "`inputs`": (given.structure, given.arrays, parts(given.modules, "inputs.", "input ")),
        "`parameters`": (courses.structure, courses.constants, parts(courses.modules, "parameters.", "parameter ")),
        **{f"`{name}`": settings[name] for name in ("transient", "sample_every")},
        "`measure`": measure,
        "the parameters of the model": numbers("model."),
        "the model": (plan_of(its), start, within(read, "model.", "model ")),
        "`brainstate.environ`": within(read, "brainstate.environ"),
    }
    # Runs of another version or precision may have other numbers, and do not go into the same file.
    versions = {"the precision": str(default_dtype()), "the version of brainmass": __version__}
    return {name: digest(thing) for name, thing in things.items()} | versions


def _known(what: object) -> str | None:
    """A name, or what kind of thing it is."""
    return what if isinstance(what, str | None) else type(what).__qualname__


def _in_ms(duration: Numbers, dt: Numbers) -> float:
    return float((duration if isinstance(duration, u.Quantity) else duration * dt).to_decimal(u.ms))
