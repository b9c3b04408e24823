"""What a run records: states by name, functions of the model, forward models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import brainstate

from brainmass._common.checks import is_function, items
from brainmass._common.messages import Argument, ArgumentError, argument_error, monitor_named, show, suggestion
from brainmass._common.places import refuse_two_places
from brainmass._common.typing import Numbers, Period
from brainmass.forward.observer import Observer
from brainmass.stimuli.algebra import Drive

if TYPE_CHECKING:
    from brainmass._common.copying import CopiedByParts

__all__ = ["Monitor", "as_monitors", "feeders", "modes_of", "put_in", "sensors_of"]


@dataclass(frozen=True)
class Monitor:
    """Something to record.

    Parameters
    ----------
    what : str, callable or Observer
        Name of a state, of what has states as its modes, or of what the node returns, such as 'eeg' of a Jansen–Rit
        column; a function of the model; or a forward model, which is integrated inside the run.
    every : Quantity or int, optional
        Sampling period, as a time or in steps; default `sample_every` of the run; where there is none,
        the `period` of a forward model that has one, else every step.
    source : str or callable, optional
        What drives a forward model: the name of a state, a function of the model, or the name of another monitor that
        is itself a forward model, whose signal is then taken at its sampling period. Default the model's activity.
    """

    what: str | Callable[..., Numbers] | Observer
    every: Period | None = None
    source: str | Callable[..., Numbers] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.what, type) and issubclass(self.what, Observer):
            raise argument_error(
                Argument("what", "Monitor"),
                "must be a forward model that is made",
                f"is the class {self.what.__name__}",
                f"{self.what.__name__}(...).",
                kind=TypeError,
            )
        if not isinstance(self.what, str | Observer) and not is_function(self.what):
            raise argument_error(
                Argument("what", "Monitor"),
                "must be the name of a state, a function of the model, or a forward model such as brainmass.BOLDSignal",
                f"is {show(self.what)}",
                kind=TypeError,
            )
        if self.source is not None and not isinstance(self.source, str) and not is_function(self.source):
            raise argument_error(
                Argument("source", "Monitor"),
                "must be a name or a function of the model",
                f"is {show(self.source)}",
                kind=TypeError,
            )
        if self.source is not None and not isinstance(self.what, Observer):
            raise argument_error(Argument("source", "Monitor"), "belongs to a forward model; this monitor is none")


def feeders(monitors: Mapping[str, Monitor]) -> dict[str, str]:
    """Of the forward models that are driven by what another one sees, that other one, sources first."""
    fed = {
        name: monitor.source
        for name, monitor in monitors.items()
        if isinstance(monitor.source, str)
        and monitor.source in monitors
        and monitor.source != name  # of this name there is a state as well
        and isinstance(monitors[monitor.source].what, Observer)
    }

    def depth(name: str, seen: tuple[str, ...] = ()) -> int:
        if name in seen:
            raise ValueError(f"Monitors {', '.join(map(repr, seen))} are each other's source.")
        return 0 if name not in fed else 1 + depth(fed[name], (*seen, name))

    # In whatever order monitors are given, each comes after the one it sees.
    return {name: fed[name] for name in sorted(fed, key=depth)}


class Returned:
    """Stands for what the model's `update` returned."""

    def __call__(self, model: object) -> Numbers:
        raise TypeError("What `update` returned is known to the run alone.")


RETURNED = Returned()


def returned_names(model: object) -> str | tuple[str, ...] | None:
    """The names under which a run records what the model's `update` returns; None where it declares none."""
    populations = getattr(model, "populations", None)
    if populations is not None:
        return next(iter(populations.values())).output if len(populations) == 1 else None
    # An `update` of the user's own may return anything, whatever `output` of its base class says.
    generated = hasattr(getattr(type(model), "update", None), "_generated")
    return getattr(model, "output", None) if generated else None


def _recorded_by_default(model: CopiedByParts) -> dict[str, Any]:
    """All states, and what the model returns."""
    names, output = default_monitors(model), returned_names(model)
    if output is not None:
        outputs = (output,) if isinstance(output, str) else output
        # What a model returns may be one of its states: it is recorded once.
        return {name: name for name in dict.fromkeys([*names, *outputs])}
    whole = {} if len(getattr(model, "populations", ())) > 1 else {"output": RETURNED}
    return {name: name for name in names} | whole


def as_monitors(monitors: Any, model: Any) -> dict[str, Monitor]:
    """Monitors by name, from what a user may write: nothing, a name, a list of names, a mapping, or a function."""
    if monitors is None:
        monitors = _recorded_by_default(model)
    # A module can be called as well, but is no function of the model; a class gets the error below.
    elif callable(monitors) and not isinstance(monitors, Observer | type):
        monitors = {"output": monitors}
    if isinstance(monitors, str):
        monitors = [monitors]
    if not isinstance(monitors, Mapping):
        given = items(_MONITORS, monitors, "names") if isinstance(monitors, Iterable) else [monitors]
        if not all(isinstance(name, str) for name in given):
            raise TypeError(
                f"{_MONITORS} must be a list of names, a dict or a function, but is {show(monitors)}. "
                'Example: monitors={"rate": lambda model: model.r.value}.'
            )
        monitors = {name: name for name in given}
    watched = _by_mode({name: _as_monitor(name, what) for name, what in monitors.items()}, modes_of(model))
    # A forward model has states: under two names it would be moved on twice a step.
    refuse_two_places("`monitors`", [(n, m.what) for n, m in watched.items() if isinstance(m.what, Observer)])
    return watched


_MONITORS = Argument("monitors", "run")
INPUTS = "inputs."


def _as_monitor(name: object, what: str) -> Monitor:
    try:
        return what if isinstance(what, Monitor) else Monitor(what)
    except ArgumentError as error:
        of = Argument("monitors", "run", entry=str(name), more=f", {name!r},")
        raise argument_error(of, error.rule, error.given, error.example, kind=TypeError) from None


def modes_of(model: Any) -> dict[str, tuple[str, ...]]:
    """The states that are modes of one thing, by its name, as a run names them."""
    populations = getattr(model, "populations", {})
    if len(populations) > 1:
        return {
            f"{population}.{name}": tuple(f"{population}.{state}" for state in states)
            for population, node in populations.items()
            for name, states in getattr(node, "modes", {}).items()
        }
    return dict(getattr(getattr(model, "node", model), "modes", {}))


def _by_mode(watched: dict[str, Monitor], modes: Mapping[str, tuple[str, ...]]) -> dict[str, Monitor]:
    """With what has modes recorded mode by mode."""
    found: dict[str, Monitor] = {}
    for name, monitor in watched.items():
        if isinstance(monitor.what, str) and monitor.what in modes:
            if name != monitor.what:
                raise argument_error(
                    Argument("monitors", "run", entry=name),
                    "must have the name of the states where they are recorded by mode",
                    f"calls {monitor.what!r} {name!r}",
                    f'monitors=["{monitor.what}"].',
                )
            found |= {state: replace(monitor, what=state) for state in modes[name]}
        else:
            found[name] = monitor
    return found


def sensors_of(modules: Mapping[str, object]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The names of the sensors of each forward model of a run that has some, by monitor."""
    found = {path.removeprefix("observers."): module for path, module in modules.items() if path[:10] == "observers."}
    named = {name: getattr(module, "sensors", None) for name, module in found.items()}
    return tuple((name, sensors) for name, sensors in named.items() if sensors is not None)


def default_monitors(model: object) -> list[str]:
    """All states of the node."""
    populations = getattr(model, "populations", {})
    if len(populations) > 1:
        return [f"{name}.{state}" for name, node in populations.items() for state in node._states]
    node = getattr(model, "node", model)
    names: list[str] = list(getattr(node, "_states", ()))
    # A module without declared rows: what brainstate calls short-term is what changes in a run.
    if not names:
        names = [k for k, v in vars(node).items() if isinstance(v, brainstate.ShortTermState)]
    return names


def _of_function(model: object, what: Callable[..., Numbers]) -> Numbers:
    try:
        return what(model)
    except brainstate.TraceContextError as error:  # brainstate's own generator stands outside of a run
        raise ValueError(
            f"A function in `monitors` must read the model without drawing random numbers, but {show(what)} draws. "
            "Example: monitors=lambda m: m.noise_x.x.value, or draw in the `update` of a model of your own and record "
            "what it returns."
        ) from error


def read(model: CopiedByParts, what: Any, sources: Sequence[str] = ()) -> Numbers:
    """The present value of a state, of what a node returns, by name, or of a function of the model.

    `sources` are named in the error as well.
    """
    if not isinstance(what, str):
        return _of_function(model, what)
    owner, target = _find(model, what)
    name = what.rpartition(".")[2]
    if isinstance(target, brainstate.State):
        return target.value
    # Only what the model says that it returns: any other method may draw, or move something on.
    if callable(target) and name in _outputs(owner):
        return target()
    known = [*default_monitors(model)]
    others = f" Monitors that can be a source: {', '.join(sources)}." if sources else ""
    call = f"{_path_to(model, owner)}.{name}()" if callable(target) else "..."
    raise ValueError(
        f"The model has no state {what!r} to monitor.{suggestion(what, [*known, *sources])} "
        f"It has {', '.join(known) or 'none'}; anything else is a function of the model: "
        f'monitors={{"{name}": lambda model: {call}}}.{others}'
    )


def put_in(inputs: Mapping[str, object], what: str) -> Numbers:
    """What the feedback at a port puts in, by the name `inputs.<port>`."""
    drive = inputs.get(what.removeprefix(INPUTS))
    loops = drive.closing if isinstance(drive, Drive) else ()
    if len(loops) != 1:
        known = [f"{INPUTS}{port}" for port, x in inputs.items() if isinstance(x, Drive) and len(x.closing) == 1]
        there = f"This run has {', '.join(known)}." if known else "This run has none."
        raise argument_error(_MONITORS, "may name an input that is a feedback", f"have {what!r}", hint=there)
    return loops[0].entered.value


def check_phases(name: str, monitor: Monitor, model: CopiedByParts) -> None:
    """Refuse a state that is no phase where a forward model takes phases; what a function returns is the user's."""
    if not getattr(monitor.what, "takes_phases", False) or callable(monitor.source):
        return
    driving = monitor.source or _sent_by_default(model)
    owner, _ = _find(model, driving) if driving else (None, None)
    spec = getattr(owner, "_states", {}).get(driving.rpartition(".")[2])
    if spec is not None and not spec.is_angle:
        kind = type(monitor.what).__name__
        raise argument_error(
            monitor_named(name, f", a {kind},"),
            "takes phases",
            f"`{driving}` of {type(owner).__name__} is none: record it, and give "
            "objectives.instantaneous_phase(x, band, sampling_period) to objectives.order_parameter "
            "or metastability",
            f"Monitor({kind}(...), source=lambda model: jnp.arctan2(model.y.value, model.x.value)).",
            hint="Of an oscillator in the plane the angle will do.",
        )


def _sent_by_default(model: object) -> str:
    """The name of the state that is the activity of a model of one population, if it is one."""
    populations = getattr(model, "populations", {})
    output = getattr(getattr(model, "node", model), "output", "") if len(populations) < 2 else ""
    return output if isinstance(output, str) else output[0]


def _find(model: CopiedByParts, path: str) -> tuple[object, object]:
    """What stands under a dotted name, else under a plain one in the node of a network; and whose it is."""
    for start in (model, getattr(model, "node", None)) if "." not in path else (model,):
        owner, target = None, start
        for part in path.split("."):
            owner, target = target, _part_of(target, part)
        if target is not None:
            return owner, target
    return None, None


def _part_of(thing: object, name: str) -> Any:
    """What a thing has under a name; of a list, under a number."""
    if isinstance(thing, list) and name.isdecimal():
        return thing[int(name)] if int(name) < len(thing) else None
    return getattr(thing, name, None)


def _outputs(owner: object) -> tuple[str, ...]:
    output = getattr(owner, "output", ())
    return (output,) if isinstance(output, str) else output


def _path_to(model: object, owner: object) -> str:
    parts = {**getattr(model, "populations", {}), "node": getattr(model, "node", None)}
    return next((f"model.{name}" for name, part in parts.items() if part is owner), "model")
