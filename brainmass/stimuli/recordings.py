"""A stimulus that plays rows of numbers."""

from __future__ import annotations

from functools import partial
from typing import Any

import brainstate
import brainunit as u
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import is_traced, numbers, one_of
from brainmass._common.clock import moment, part_of_step, step_in_ms
from brainmass._common.foreign import opened
from brainmass._common.messages import Argument, argument_error
from brainmass._common.precision import default_dtype
from brainmass._common.times import many_milliseconds
from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, option, param, positive
from brainmass.stimuli.waveforms import Stimulus

__all__ = ["Recording"]

_ENDS = ("refuse", "zero", "hold", "repeat")


class Recording(Stimulus):
    """Data as a stimulus: rows of an array, one every `every`, times the amplitude.

    Between the rows it is linear, or with `interpolate=False` the last row holds.

    Other Parameters
    ----------------
    data : array or table (T,) or (T, in_size)
        Plain numbers; their unit is that of the amplitude. Where a table says the times of its rows in a unit, they
        must be `every` apart.
    after : 'refuse', 'zero', 'hold' or 'repeat'
        What comes after the last row. 'refuse' is an error for a run that is longer.
    """

    every: Par = param(default=1.0 * u.ms, doc="time between rows", domain=positive)
    interpolate: bool = option(default=True)
    after: str = option(default="refuse", check=partial(one_of, known=_ENDS))
    data: Any = option(default=None)

    def __setattr__(self, key: str, value: object) -> None:
        if self._checked and key == "data":
            held = opened(Argument("data", self._owner), value)
            _check_times(self._owner, held.times, self.p.every)
            value = held.values
            value = brainstate.LongTermState(jnp.asarray(_rows(self._owner, value, self.varshape), default_dtype()))
        super().__setattr__(key, value)

    def check_duration(self, what: str, duration: float) -> None:
        if self.after != "refuse":
            return
        every, onset = (many_milliseconds(x) for x in (self.p.every, self.p.onset))
        length, needed = len(self.data.value) * every.max(), duration - onset.min()
        if needed > length + 1e-3 * every.max():
            raise argument_error(
                what,
                f"is a {self._owner} of {length:g} ms and so ends before the run, which needs {needed:g} ms of it",
                hint="Give after='zero', 'hold' or 'repeat', or a shorter run.",
            )

    def at_stage(self) -> Numbers:
        # `course` takes the middle of a step for its start
        return self.update() if self.holds else self._value(moment(self._owner, part_of_step() + 0.5))

    @property
    def holds(self) -> bool:
        return not self.interpolate

    def course(self, since: Numbers) -> Numbers:
        starts = since - 0.5 * step_in_ms()  # rows stand for starts of steps, not for middles
        row, part = (starts / self.exactly("every") + 1e-4).split()  # a row begins at its time, whatever the rounding
        now = self._row(row)
        if self.interpolate:
            now = now + jnp.maximum(part - 1e-4, 0.0) * (self._row(row + 1) - now)
        return jnp.where(row >= 0, now, 0.0)

    def _row(self, row: Numbers) -> Numbers:
        rows = self.data.value
        n = len(rows)
        at = row % n if self.after == "repeat" else jnp.clip(row, 0, n - 1)
        value = rows[at] if jnp.ndim(at) == 0 else jnp.take_along_axis(rows, at[None], axis=0)[0]
        return jnp.where(row < n, value, 0.0) if self.after == "zero" else value


def _check_times(owner: str, times: Numbers, every: Numbers) -> None:
    """The times that a table says of its rows are as far apart as is said beside it."""
    if times is None or is_traced(every) or len(times) < 2:
        return
    gaps, wanted = np.diff(np.asarray(times.to_decimal(u.ms))), float(np.max(every.to_decimal(u.ms)))
    if np.ptp(gaps) > 1e-3 * np.abs(gaps).max():
        raise argument_error(
            Argument("data", owner),
            "must have rows evenly spaced in time",
            f"they are {gaps.min():g} to {gaps.max():g} ms apart",
        )
    if abs(gaps.mean() - wanted) > 1e-3 * wanted:
        raise argument_error(
            Argument("data", owner),
            f"has rows {gaps.mean():g} ms apart",
            f"`every` is {wanted:g} ms",
            f"{owner}(..., every={gaps.mean():g} * u.ms)",
        )


def _rows(owner: str, data: object, shape: tuple[int, ...]) -> np.ndarray:
    what = Argument("data", owner)
    if data is None:
        raise TypeError(f"{owner} needs the argument `data`, an array (T,) or (T, {', '.join(map(str, shape))}).")
    if isinstance(data, u.Quantity) and not data.unit.has_same_dim(u.UNITLESS):
        raise argument_error(
            what,
            "must be plain numbers",
            f"is in {data.unit}: give the unit to the amplitude",
            f"Recording(n, data=values, amplitude=1.0 * u.{data.unit}).",
            kind=u.UnitMismatchError,
        )
    values = np.asarray(u.get_mantissa(numbers(what, data)))
    if values.ndim == 1:
        values = np.broadcast_to(values.reshape(-1, *(1 for _ in shape)), (len(values), *shape))
    if values.ndim == 0 or len(values) == 0 or values.shape[1:] != shape:
        axes = ", ".join(map(str, shape))
        raise argument_error(what, f"must have one row per time, (T,) or (T, {axes})", f"has shape {values.shape}")
    if not np.isfinite(values).all():
        raise argument_error(what, "must be finite", f"has {values[~np.isfinite(values)][0]}")
    return values
