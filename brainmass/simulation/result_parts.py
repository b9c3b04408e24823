"""What a result is made of, as it is given: checked, with its time stamps in ms and each time axis once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import brainunit as u
import jax
import numpy as np
from jax.core import Tracer

from brainmass._common.checks import instance, items
from brainmass._common.foreign import as_text
from brainmass._common.messages import Argument, argument_error, suggestion
from brainmass._common.typing import Array, Numbers

__all__ = [
    "check_labels",
    "check_modes",
    "check_monitors",
    "check_provenance",
    "check_sensors",
    "distinct_axes",
    "is_concrete",
    "listed",
    "scalar_time",
    "unknown_monitor",
    "without_time_stamps",
]


_TIME = u.ms.dim


def listed(names) -> str:
    return ", ".join(repr(name) for name in names)


def unknown_monitor(name: object, known: tuple[str, ...]) -> str:
    return f"No monitor {name!r} in this result.{suggestion(str(name), known)} It has: {listed(known) or 'none'}."


def without_time_stamps(monitors: Mapping[str, Numbers], times: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """`dict(result)` has its time stamps as "ts": a copy finds them in `times`."""
    if "ts" in monitors and any(
        np.array_equal(np.asarray(_ms(t)), np.asarray(_ms(monitors["ts"]))) for t in times.values()
    ):
        return {name: value for name, value in monitors.items() if name != "ts"}
    return dict(monitors)


def _ms(time: Numbers) -> Numbers:
    return time.to_decimal(u.ms) if isinstance(time, u.Quantity) and time.unit.has_same_dim(u.ms) else time


def check_monitors(monitors: Mapping[str, Numbers], times: Mapping[str, Numbers]) -> None:
    if taken := {"time", "ts"} & set(monitors):
        raise argument_error(
            Argument("monitors", "Result"),
            f"must leave the name {taken.pop()!r} to the time stamps",
            "has it",
            '{"r": rate}.',
        )
    if set(times) != set(monitors):
        raise argument_error(
            Argument("times", "Result"),
            f"must have the same names as `monitors` ({listed(monitors)})",
            f"has {listed(times) or 'none'}",
            'times={"r": jnp.arange(100.0) * u.ms}.',
        )
    for name, value in monitors.items():
        _check_stamps(name, np.shape(u.get_mantissa(value)), times[name])


def _check_stamps(name: str, shape: tuple[int, ...], stamps: Numbers) -> None:
    if not _is_time(stamps):
        raise argument_error(
            Argument("times", "Result", entry=name),
            "must have unit of time",
            f"times[{name!r}] is in {u.get_unit(stamps)}",
            "jnp.arange(100.0) * u.ms.",
            kind=u.UnitMismatchError,
        )
    if np.shape(u.get_mantissa(stamps)) != shape[:1] or not shape:
        raise argument_error(
            Argument("times", "Result"),
            "must have one time stamp per row",
            f"times[{name!r}] has shape {np.shape(u.get_mantissa(stamps))} and monitors[{name!r}] has shape {shape}",
            "stamps of shape (100,) for a monitor of shape (100, 84).",
        )


def scalar_time(name: str, value: Numbers) -> tuple[float, u.Unit]:
    if not _is_time(value) or np.shape(u.get_mantissa(value)) != ():
        raise argument_error(
            Argument(name, "Result"),
            "must be one number with unit of time",
            f"is {value}",
            f"{name}=0.1 * u.ms.",
            kind=u.UnitMismatchError,
        )
    return float(u.get_mantissa(value)), value.unit


def _is_time(value: Numbers) -> bool:
    # comparing dimensions takes long enough to be felt in a short run
    return getattr(value, "unit", None) is u.ms or u.get_dim(value) == _TIME


def check_sensors(
    sensors: Mapping[str, Sequence[str]], monitors: Mapping[str, Numbers]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    checked = []
    for name, given in dict(sensors).items():
        size = np.shape(u.get_mantissa(monitors[name]))[-1:] if name in monitors else ()
        names = tuple(as_text(Argument("sensors", "Result"), one) for one in given)
        if size != (len(names),) or len(set(names)) < len(names):
            raise argument_error(
                Argument("sensors", "Result"),
                "must name, with names that differ, each entry of the last axis of a monitor",
                f"{name!r} has shape {size} there and {len(names)} names",
            )
        checked.append((name, names))
    return tuple(checked)


def check_modes(
    modes: object, monitors: Mapping[str, Numbers], axis_of: Mapping[str, int]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    given = dict(instance(Argument("modes", "Result"), modes, Mapping, "a mapping"))
    checked = tuple((name, tuple(items(Argument("modes", "Result"), x, "names"))) for name, x in given.items())
    for name, states in checked:
        alike = {(np.shape(u.get_mantissa(monitors[s])), axis_of[s]) for s in states if s in monitors}
        if name in monitors or len(alike) != 1 or not set(states) <= set(monitors):
            raise argument_error(
                Argument("modes", "Result"),
                "must give names that are no monitor to monitors of one shape and one time axis",
                f"has {name!r}: {states!r}",
                'modes={"xi": ("xi_1", "xi_2", "xi_3")}.',
            )
    return checked


def check_labels(labels: Sequence[str] | None) -> tuple[str, ...] | None:
    if labels is None:
        return None
    if isinstance(labels, str) or not all(issubclass(kind, str) for kind in set(map(type, labels))):
        raise argument_error(
            Argument("labels", "Result"),
            "must be a sequence of strings",
            f"is {labels!r}",
            'labels=("lh_V1", "rh_V1").',
            kind=TypeError,
        )
    return tuple(as_text(Argument("labels", "Result"), label) for label in labels)


def check_provenance(provenance: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    items = tuple((provenance or {}).items())
    if not all(isinstance(text, str) for item in items for text in item):
        raise argument_error(
            Argument("provenance", "Result"),
            "must map strings to strings",
            f"is {provenance!r}",
            'provenance={"seed": "0"}.',
            kind=TypeError,
        )
    return items


def _in_ms(stamps: Numbers) -> Numbers:
    if stamps.unit is u.ms:
        return stamps
    return u.Quantity(stamps.mantissa * (stamps.unit.magnitude / u.ms.magnitude), u.ms)


def _same_axis(a: Array, b: Numbers) -> bool:
    a, b = u.get_mantissa(a), u.get_mantissa(b)
    if a is b:
        return True
    return is_concrete(a) and is_concrete(b) and np.array_equal(np.asarray(a), np.asarray(b))


def distinct_axes(times: Mapping[str, Numbers]) -> tuple[tuple[Numbers, ...], dict[str, int]]:
    axes: list[Numbers] = []
    axis_of = {}
    given = {id(stamps): _in_ms(stamps) for stamps in times.values()}  # one conversion per given object
    for name, stamps in times.items():
        axis = given[id(stamps)]
        known = next((i for i, other in enumerate(axes) if _same_axis(axis, other)), None)
        if known is None:
            axes.append(axis)
        axis_of[name] = len(axes) - 1 if known is None else known
    return tuple(axes), axis_of


def is_concrete(value: Numbers) -> bool:
    if isinstance(value, Tracer):
        return False
    # Of an array over several hosts no process holds all of it.
    return isinstance(value, np.ndarray) or (isinstance(value, jax.Array) and value.is_fully_addressable)
