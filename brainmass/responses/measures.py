"""What is measured of responses: peaks and their latencies, energy, decay; in a window of time after the onset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import brainunit as u
import jax
import numpy as np

from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.times import milliseconds
from brainmass._common.typing import Numbers, Time
from brainmass.objectives import decay_time

__all__ = ["Measured", "Peaks", "Window", "plain", "rows_in", "stamps_of", "with_unit"]

Window = Sequence[Time] | None


class Peaks(NamedTuple):
    """The peak of each response, in the unit of the signal, and its time after the onset."""

    amplitude: Numbers
    latency: u.Quantity


class Measured:
    """Responses with `mean`, shape (..., time, region), at `time` after the onset."""

    time: u.Quantity

    @property
    def mean(self) -> Numbers:
        """Over trials, shape (..., time, region)."""
        raise NotImplementedError

    def peaks(self, window: Window = None, sign: int | None = None) -> Peaks:
        """The largest deflections of the mean, shape (..., region); where all is zero its first sample.

        Parameters
        ----------
        window : (start, stop), optional
            Times after the onset; default all after it.
        sign : 1 or -1, optional
            Of the peaks that count; default those largest in size.
        """
        if sign not in (None, 1, -1) or isinstance(sign, bool):
            raise argument_error(Argument("sign", "peaks"), "must be 1, -1 or None", f"is {show(sign)}")
        rows = self._rows(window, "peaks")
        values = plain(self.mean)[..., rows, :]
        at = np.argmax(np.abs(values) if sign is None else sign * values, axis=-2)
        amplitude = np.take_along_axis(values, at[..., None, :], axis=-2)[..., 0, :]
        latency = u.Quantity(stamps_of(self.time)[rows][at], unit=u.ms)
        return Peaks(with_unit(amplitude, u.get_unit(self.mean)), latency)

    def energy(self, window: Window = None) -> Numbers:
        r"""Of each response :math:`\int x^2\,dt` of its mean, shape (..., region); in its unit squared times ms."""
        rows = self._rows(window, "energy")
        total = np.sum(plain(self.mean)[..., rows, :] ** 2, axis=-2) * self._period
        return with_unit(total, u.get_unit(self.mean) ** 2) * u.ms

    def decay_time(self, window: Window = None) -> u.Quantity:
        """Of each response, as `brainmass.objectives.decay_time` of its mean, shape (..., region)."""
        rows = self._rows(window, "decay_time")
        values = plain(self.mean)[..., rows, :]
        flat = values.reshape(-1, *values.shape[-2:])
        measured = jax.vmap(lambda x: decay_time(x, self._period * u.ms))(flat)
        found = stamps_of(measured).reshape(*values.shape[:-2], values.shape[-1])
        return u.Quantity(found, unit=u.ms)

    @property
    def _period(self) -> float:
        stamps = stamps_of(self.time)
        return float((stamps[-1] - stamps[0]) / (len(stamps) - 1))

    def _rows(self, window: Window, owner: str) -> np.ndarray:
        stamps = stamps_of(self.time)
        # the sample at the onset is from before the stimulus
        return rows_in(Argument("window", owner), window, stamps, (0.5 * self._period, stamps[-1]))


def rows_in(what: Argument, window: Window, stamps: np.ndarray, default: tuple[float, float]) -> np.ndarray:
    """Which samples are in a window, its ends included; at least two must be."""
    example = f"{what.name}=(10 * u.ms, 100 * u.ms)"
    start, stop = default
    if window is not None:
        if not isinstance(window, tuple | list) or len(window) != 2:
            raise argument_error(what, "must be two times, (start, stop)", f"is {show(window)}", example)
        start, stop = (milliseconds(what.name, edge, what.owner) for edge in window)
    slack = 1e-6 * (stamps[-1] - stamps[0])
    rows = np.flatnonzero((stamps >= start - slack) & (stamps <= stop + slack))
    if len(rows) < 2:
        rule = f"must have two samples in it or more, of those from {stamps[0]:g} to {stamps[-1]:g} ms after the onset"
        raise argument_error(what, rule, f"is {start:g} to {stop:g} ms", example)
    return rows


def plain(values: Numbers) -> np.ndarray:
    """In double precision, without unit."""
    return np.asarray(u.get_mantissa(values), float)


def stamps_of(time: u.Quantity) -> np.ndarray:
    """In ms."""
    return np.asarray(time.to_decimal(u.ms), float)


def with_unit(values: np.ndarray, unit: u.Unit) -> Numbers:
    """As a Quantity, where there is a unit."""
    return values if unit == u.UNITLESS else u.Quantity(values, unit=unit)
