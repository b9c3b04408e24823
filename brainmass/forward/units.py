"""Parameters that are plain numbers in seconds or hertz, or quantities."""

from __future__ import annotations

import brainunit as u
from brainstate.nn import Param

from brainmass._common.typing import Numbers

__all__ = ["HERTZ", "PER_SECOND_SQUARED", "SECONDS", "SECONDS_SQUARED", "plain_value"]

SECONDS: tuple[u.Unit, u.Unit] = (u.UNITLESS, u.second)
SECONDS_SQUARED: tuple[u.Unit, u.Unit] = (u.UNITLESS, u.second**2)
HERTZ: tuple[u.Unit, u.Unit] = (u.UNITLESS, u.Hz)
PER_SECOND_SQUARED: tuple[u.Unit, u.Unit] = (u.UNITLESS, u.Hz**2)


def plain_value(parameter: Param, unit: u.Unit = u.UNITLESS) -> Numbers:
    """The value of a parameter as a plain number in this unit."""
    value = parameter.value()
    return value.to_decimal(unit) if isinstance(value, u.Quantity) else value
