"""Times as numbers: in milliseconds, and in whole steps; and the time step that is set."""

from __future__ import annotations

import brainstate
import brainunit as u
import numpy as np

from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Numbers

__all__ = [
    "MOST_STEPS",
    "check_countable",
    "many_milliseconds",
    "milliseconds",
    "nearest_step",
    "steps_of",
    "time_step",
    "written",
]

MOST_STEPS = 2**31 - 1
"""Steps are counted in 32 bits."""


def written(number: object) -> float:
    """A number as a Python float; one in single precision as the decimal number that it was written as."""
    number = np.asarray(number)
    return float(str(number)) if number.dtype == np.float32 else float(number)


def many_milliseconds(times: Numbers) -> np.ndarray:
    """Times as numbers, of any shape."""
    return np.vectorize(written, otypes=[float])(np.asarray(times.to_decimal(u.ms)))


def milliseconds(argument: str, time: Numbers, owner: str = "", *, positive: bool = False) -> float:
    """One finite time as a number, or an error."""
    try:
        # to_decimal compares dimensions, which takes long enough to be felt in a short run
        number = np.asarray(time.mantissa if time.unit is u.ms else time.to_decimal(u.ms))
        number = np.float64(written(number)) if number.shape == () else number
    except (AttributeError, u.UnitMismatchError):
        what, example = Argument(argument, owner), _example(argument)
        raise argument_error(what, "must be a time", f"is {show(time)}", example, kind=u.UnitMismatchError) from None
    if number.shape != () or not np.isfinite(number) or (positive and not number > 0):
        rule = f"must be one finite time{' > 0' * positive}"
        raise argument_error(Argument(argument, owner), rule, f"is {show(time)}", _example(argument))
    return float(number)


def nearest_step(argument: str, time: Numbers, step: Numbers, owner: str = "") -> tuple[int, bool]:
    """The number of steps in a time, rounded, and whether the time is a multiple of the step."""
    ratio = milliseconds(argument, time, owner) / milliseconds("dt", step, owner, positive=True)
    n = round(ratio)
    # A tiny part of a step is no step up to rounding, but no multiple of one.
    return n, abs(ratio - n) <= _rounding(time, step) * max(1.0, abs(ratio)) and (n != 0 or ratio == 0)


def steps_of(argument: str, time: Numbers, step: Numbers, owner: str = "", called: str = "the time step") -> int:
    """The number of steps in a time, which must be a multiple of the step."""
    n, exact = nearest_step(argument, time, step, owner)
    if not exact:
        h = milliseconds("dt", step, owner)
        raise argument_error(
            Argument(argument, owner),
            f"must be a multiple of {called} {show(step)}",
            f"is {show(time)}",
            nearest=max(n, 1) * h * u.ms,
        )
    check_countable(Argument(argument, owner), n, time, step)
    return n


def _rounding(*times: Numbers) -> float:
    """What may be rounding in a ratio of times: single precision carries about seven digits."""
    for time in times:
        if not isinstance(time.mantissa, float) and np.asarray(time.mantissa).dtype == np.float32:
            return 1e-5
    return 1e-9


def check_countable(what: str, steps: int, time: object, dt: Numbers) -> None:
    """Refuse more steps than are counted."""
    if steps > MOST_STEPS:
        raise argument_error(
            what,
            f"must be at most {MOST_STEPS} time steps, in which time is counted",
            f"{show(time)} in steps dt={show(dt)} is {steps}",
            hint="Take a larger dt, or a shorter run.",
        )


def _example(argument: str) -> str:
    return f"{argument}={0.1 if argument == 'dt' else 100} * u.ms."


def time_step(owner: str) -> Numbers:
    """The time step of the environment, or an error that says where to set one."""
    dt = brainstate.environ.get("dt", default=None)
    if dt is None:
        raise ValueError(
            f"{owner} needs a time step: write brainmass.Simulator(model, dt=0.1 * u.ms), "
            "or brainstate.environ.set(dt=0.1 * u.ms)."
        )
    if not u.get_unit(dt).has_same_dim(u.ms):
        raise u.UnitMismatchError(
            f"{owner} needs a time step that is a time, but brainstate.environ has dt={show(dt)}. "
            "Example: brainstate.environ.set(dt=0.1 * u.ms)."
        )
    return dt
