"""Times as numbers: in milliseconds, and in whole steps."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np

from brainmass.dynamics.fields import show

__all__ = ["milliseconds", "steps_of"]


def milliseconds(argument: str, time: Any, owner: str = "", *, positive: bool = False) -> float:
    """One finite time as a number, or an error."""
    try:
        # to_decimal compares dimensions, which takes long enough to be felt in a short run
        number = np.asarray(time.mantissa if time.unit is u.ms else time.to_decimal(u.ms), np.float64)
    except (AttributeError, u.UnitMismatchError):
        raise u.UnitMismatchError(
            f"{_named(argument, owner)} must be a time, but is {show(time)}. {_example(argument)}"
        ) from None
    if number.shape != () or not np.isfinite(number) or (positive and not number > 0):
        raise ValueError(
            f"{_named(argument, owner)} must be one finite time{' > 0' * positive}, but is {show(time)}. "
            f"{_example(argument)}"
        )
    return float(number)


def steps_of(argument: str, time: Any, step: Any, owner: str = "", called: str = "the time step") -> int:
    """The number of steps in a time, which must be a multiple of the step."""
    h = milliseconds("dt", step, owner, positive=True)
    ratio = milliseconds(argument, time, owner) / h
    n = round(ratio)
    # single precision carries about seven digits of a time
    if abs(ratio - n) > 1e-5 * max(1.0, abs(ratio)) or (n == 0 and ratio != 0):
        raise ValueError(
            f"{_named(argument, owner)} must be a multiple of {called} {show(step)}, but is {show(time)}. "
            f"The nearest that is: {argument}={max(n, 1) * h:g} * u.ms."
        )
    return n


def _named(argument: str, owner: str) -> str:
    return f"Argument `{argument}`{f' of {owner}' * bool(owner)}"


def _example(argument: str) -> str:
    return f"Example: {argument}={0.1 if argument == 'dt' else 100} * u.ms."
