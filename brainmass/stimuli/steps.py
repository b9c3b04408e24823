"""A stimulus that goes through a few values at times of their own."""

from __future__ import annotations

from typing import Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import numbers
from brainmass._common.clock import Double, as_written, moment, part_of_step, step_in_ms
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.precision import default_dtype
from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, option, param
from brainmass.stimuli.waveforms import Stimulus

__all__ = ["Steps"]


class Steps(Stimulus):
    """Values that hold from one time to the next, or with `interpolate=True` are joined by straight lines.

    The first holds before its time too, and the last for ever. The values are a parameter, which can be trained: one
    for each window of a recording is `Steps(1, values=..., times=starts of the windows)` in the `parameters` of a fit,
    with `brainmass.RandomWalk` as the prior that keeps neighbours alike.

    Other Parameters
    ----------------
    times : Quantity (K,)
        When each value begins, after the onset; in ascending order. With `interpolate`, when each is reached.
    interpolate : bool
        Whether to go from value to value in straight lines.

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> there_and_back = brainmass.Steps(1, values=[-0.5, 0.5, -0.5], times=[0, 1, 2] * u.second, interpolate=True)
    >>> print(there_and_back(1.25 * u.second))
    [0.25]
    """

    values: Par = param(default=..., doc="the values, shape (K,) or (K, in_size)", unit="any", kw_only=True)
    times: Any = option(default=None)
    interpolate: bool = option(default=False)

    of_any_shape = ("values",)

    def __setattr__(self, key: str, value: object) -> None:
        if self._checked and key == "times":
            value = brainstate.LongTermState(jnp.asarray(_checked_times(self._owner, value), default_dtype()))
        super().__setattr__(key, value)

    def check(self) -> None:
        n, shape = len(self.times.value), u.math.shape(self.values.value())
        if shape not in ((n,), (n, *self.varshape)):
            axes = ", ".join(map(str, self.varshape))
            raise argument_error(
                Argument("values", self._owner),
                f"must have one row for each of the {n} times, ({n},) or ({n}, {axes})",
                f"has shape {shape}",
            )

    @property
    def unit(self) -> Numbers:
        return u.get_unit(self.p.amplitude) * u.get_unit(self.p.values)

    def at_stage(self) -> Numbers:
        return self.update() if self.holds else self._value(moment(self._owner, part_of_step() + 0.5))

    @property
    def holds(self) -> bool:
        return not self.interpolate

    def course(self, since: Numbers) -> Numbers:
        values, times = jax.tree.map(jnp.asarray, self.p.values), as_written(self.times.value)
        rows = (-1, *(1 for _ in np.shape(since)))
        times = Double(times.value.reshape(rows), times.rest.reshape(rows))
        if not self.interpolate:
            # A value begins with the step that begins at its time, whatever the rounding.
            begun = since + 1e-4 * step_in_ms() >= times
            return _at(values, jnp.sum(begun[1:], axis=0), self.varshape)
        elapsed = (since - 0.5 * step_in_ms() - times).value  # values are those of times, not of steps
        if len(elapsed) == 1:
            return _at(values, jnp.zeros(np.shape(since), int), self.varshape)
        widths = jnp.diff(times.value, axis=0)
        row = jnp.sum(elapsed[1:-1] >= 0, axis=0)
        part = jnp.clip(_at(elapsed[:-1], row, np.shape(since)) / _at(widths, row, np.shape(since)), 0.0, 1.0)
        first, second = (_at(values, row + k, self.varshape) for k in (0, 1))
        return first + part * (second - first)


def _at(rows: Numbers, which: Numbers, shape: tuple[int, ...]) -> Numbers:
    """The row of this number; where there is a number for each region, that of each."""
    if jnp.ndim(which) == 0:
        return rows[which]

    def take(rows: Numbers) -> Numbers:
        rows = jnp.broadcast_to(rows.reshape(len(rows), *(rows.shape[1:] or (1,))), (len(rows), *shape))
        return jnp.take_along_axis(rows, which[None], axis=0)[0]

    return jax.tree.map(take, rows)


def _checked_times(owner: str, times: Numbers) -> np.ndarray:
    """In ms."""
    what, example = Argument("times", owner), "times=[0, 1, 2] * u.second"
    if times is None:
        raise TypeError(f"{owner} needs the argument `times`, when each of its values begins. Example: {example}.")
    given = np.asarray(numbers(what, times, unit=u.ms, example=example), float)
    if given.ndim != 1 or not len(given) or not np.isfinite(given).all() or (np.diff(given) <= 0).any():
        raise argument_error(what, "must be a list of times in ascending order", f"is {show(times)}", f"{example}.")
    return given
