"""Lengths, conduction speed and delays as they are given to a network, in mm, mm/ms and ms."""

from __future__ import annotations

import dataclasses
from typing import Any

import brainunit as u
import numpy as np
from brainstate.nn import Param

from brainmass._common.checks import numbers
from brainmass._common.foreign import plain
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Numbers
from brainmass.connectome.edges import Edges

__all__ = ["as_delay", "as_lengths", "as_speed", "delay_of_edges", "distance_beside_delay"]


def as_lengths(distance: Numbers, speed: Numbers, shape: tuple[int, ...], conn: Any) -> np.ndarray:
    """Lengths in mm, in the layout of the weights."""
    if speed is None:
        raise argument_error(
            Argument("distance", "Network"), "needs the conduction speed as well", example="speed=10 * u.mm / u.ms."
        )
    lengths = plain(Argument("distance", "Network"), distance, getattr(conn, "labels", None))
    lengths = numbers(Argument("distance", "Network", "lengths"), lengths, example="distance=D * u.mm")
    # Plain numbers are in mm, as the tables of lengths that come with connectomes are.
    lengths = lengths if u.get_unit(lengths).dim != u.DIMENSIONLESS else np.asarray(lengths) * u.mm
    if not u.get_unit(lengths).has_same_dim(u.mm):
        raise argument_error(
            Argument("distance", "Network"),
            "must have unit of length",
            f"is {show(lengths)}",
            "distance=D * u.mm.",
            kind=u.UnitMismatchError,
        )
    # In double precision, whatever JAX has: a delay that is rounded to steps should not depend on that.
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


# A `Param` or an initialiser, of speeds and delays alike, is checked with the row that it comes into.
def as_speed(speed: Any) -> Numbers:
    if isinstance(speed, Param) or callable(speed):
        return speed
    speed = numbers(Argument("speed", "Network", "conduction speed"), speed, example="speed=10 * u.mm / u.ms")
    return speed if u.get_unit(speed).dim != u.DIMENSIONLESS else u.maybe_decimal(speed) * (u.mm / u.ms)


def as_delay(delay: Any) -> Numbers:
    if isinstance(delay, Param) or callable(delay):
        return delay
    delay = numbers(Argument("delay", "Network", "conduction delay"), delay, example="delay=10 * u.ms")
    return delay if u.get_unit(delay).dim != u.DIMENSIONLESS else u.maybe_decimal(delay) * u.ms


def delay_of_edges(delay: Numbers, edges: Edges) -> Numbers:
    """Delays of shape (E,), one per edge, in the layout of the weights; anything else as it is."""
    if delay is None or isinstance(delay, Param) or callable(delay) or u.math.shape(delay) != (edges.weight.size,):
        return delay
    delay = as_delay(delay)
    # In the place of the weights, so that delays go the way of those into the layout of the product.
    rows = dataclasses.replace(edges, weight=np.asarray(u.get_mantissa(delay), np.float64)).rows()
    return rows.weights * u.get_unit(delay)


def distance_beside_delay() -> Exception:
    return argument_error(
        Argument("distance", "Network"),
        "must not come beside `delay`, which says how long the connections take as well",
        hint="Leave one of them out.",
    )
