"""Lengths and conduction speed as they are given to a network, in mm and in mm/ms."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np
from brainstate.nn import Param

from brainmass._common.checks import numbers
from brainmass._common.foreign import plain
from brainmass._common.messages import Argument, argument_error, show

__all__ = ["as_lengths", "as_speed"]


def as_lengths(distance: Any, speed: Any, shape: tuple[int, ...], conn: Any) -> np.ndarray:
    """Lengths in mm, in the layout of the weights."""
    if speed is None:
        raise argument_error(
            Argument("distance", "Network"), "needs the conduction speed as well", example="speed=10 * u.mm / u.ms."
        )
    lengths = plain(Argument("distance", "Network"), distance, getattr(conn, "labels", None))
    lengths = numbers(Argument("distance", "Network", "lengths"), lengths, example="distance=D * u.mm")
    lengths = lengths if u.get_unit(lengths).dim != u.DIMENSIONLESS else np.asarray(lengths) * u.mm
    if not u.get_unit(lengths).has_same_dim(u.mm):
        raise argument_error(
            Argument("distance", "Network"),
            "must have unit of length",
            f"is {show(lengths)}",
            "distance=D * u.mm.",
            kind=u.UnitMismatchError,
        )
    values = np.asarray(lengths.to_decimal(u.mm), np.float64)
    if values.shape != shape:
        raise argument_error(
            Argument("distance", "Network"), f"must have shape {shape}, as `conn`", f"has {values.shape}"
        )
    if not (np.isfinite(values) & (values >= 0)).all():
        i, j = np.argwhere(~(np.isfinite(values) & (values >= 0)))[0]
        raise argument_error(
            Argument("distance", "Network"), "must be finite and nonnegative", f"is {values[i, j]:g} mm at [{i}, {j}]"
        )
    return values


def as_speed(speed: Any) -> Any:
    if isinstance(speed, Param) or callable(speed):
        return speed
    speed = numbers(Argument("speed", "Network", "conduction speed"), speed, example="speed=10 * u.mm / u.ms")
    return speed if u.get_unit(speed).dim != u.DIMENSIONLESS else u.maybe_decimal(speed) * (u.mm / u.ms)
