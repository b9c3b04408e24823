"""Parameters that are plain numbers in seconds or hertz, or quantities."""

from __future__ import annotations

from typing import Any

import brainunit as u
from brainstate.nn import Param

__all__ = ["HERTZ", "PER_SECOND_SQUARED", "SECONDS", "SECONDS_SQUARED", "plain_value"]

SECONDS: Any = (u.UNITLESS, u.second)
SECONDS_SQUARED: Any = (u.UNITLESS, u.second**2)
HERTZ: Any = (u.UNITLESS, u.Hz)
PER_SECOND_SQUARED: Any = (u.UNITLESS, u.Hz**2)


def plain_value(parameter: Param, unit: u.Unit = u.UNITLESS) -> Any:
    """The value of a parameter as a plain number in this unit."""
    value = parameter.value()
    return value.to_decimal(unit) if isinstance(value, u.Quantity) else value
