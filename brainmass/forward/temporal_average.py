"""Averages of activity: over time, and over the nodes of a parcel."""

from __future__ import annotations

import inspect

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate import HiddenState, LongTermState
from braintools.init import Constant

from brainmass._common.checks import as_array, instance, is_traced, numbers
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.precision import default_dtype
from brainmass._common.times import milliseconds, steps_of, time_step
from brainmass._common.typing import Array, ArrayLike, Numbers, Time
from brainmass.dynamics.checks import check_input_shape
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import state
from brainmass.dynamics.module import ShowsConstructor, fixed
from brainmass.forward.observer import Observer, in_words, written

__all__ = ["LinearObserver", "SpatialAverage", "TemporalAverage"]


class LinearObserver(ShowsConstructor, Observer):
    """Base of the forward models that see a linear function of the present activity.

    Called on activity of shape (..., regions) it gives what is seen, shape (..., channels). In a run a sample is what
    is seen of the mean activity since the last update, at most a millisecond earlier.
    """

    seen: HiddenState = state("what was seen at the last update", unit=None, start=Constant(0.0))

    _elsewhere = fixed("in_size", "out_size", "name", "sized", "n_parcels", "labels", "weights")

    unit = u.UNITLESS  # of what is seen

    def _admitted(self, key: str, value: object) -> object:
        if key == "unit":
            instance(Argument("unit", self._owner), value, u.Unit, "a unit", example="unit=u.mV")
        return super()._admitted(key, value)

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if "in_size" not in inspect.signature(cls).parameters:
            # The table of the base names an argument that the constructor of such a class does not take.
            rows = "Parameters\n----------\nin_size : int or tuple of int\n    Shape of the population.\n"
            cls.__doc__ = (cls.__doc__ or "").replace(rows, "")

    @classmethod
    def translate(cls, given: dict[str, object]) -> dict[str, object]:
        # The size of those that do not take it is set once their other arguments are read.
        return given if "in_size" in given else given | {"in_size": 1}

    @property
    def seen_shape(self) -> tuple[int, ...]:
        """Shape of what is seen."""
        return self.varshape

    def _initial(self, rng: brainstate.random.RandomState | None) -> dict[str, Numbers]:
        zeros = u.math.zeros((*(self._batch or ()), *self.seen_shape), dtype=default_dtype())
        return {"seen": u.maybe_decimal(zeros * self.unit)}

    def __call__(self, x: Numbers) -> Numbers:
        """What is seen, shape (..., channels), of activity of shape (..., regions)."""
        check_regions(self._owner, x, self.varshape)
        return self._see(u.math.asarray(x))

    def _see(self, x: Array) -> Numbers:
        raise NotImplementedError

    def update(self, z: Numbers) -> Numbers:
        """Take in the activity `z` of one step, shape (batch..., regions); returns what is seen of it."""
        z = u.math.asarray(z)
        batch = u.math.shape(self.seen.value)[: -len(self.seen_shape)]
        check_input_shape(self._owner, "z", z, (*batch, *self.varshape))
        self.seen.value = self._see(u.math.broadcast_to(z, (*batch, *self.varshape)))
        return self.seen.value

    def signal(self) -> Numbers:
        """What was seen at the last update, shape (batch..., channels)."""
        return self.seen.value

    def _in_unit(self, x: Numbers) -> Numbers:
        """The activity in the unit that this observer was made for."""
        if not u.get_unit(x).has_same_dim(self.unit):
            raise u.UnitMismatchError(
                f"The activity given to {self._owner} must be in {in_words(self.unit)}, as its argument `unit` says, "
                f"but is in {in_words(u.get_unit(x))}. Example: unit={written(u.get_unit(x))}."
            )
        return x.to(self.unit) if self.unit.dim != u.DIMENSIONLESS else u.maybe_decimal(x)


class TemporalAverage(LinearObserver):
    r"""Mean activity over consecutive windows: :math:`y_k = \frac1w \sum_{i=kw}^{(k+1)w-1} x_i`, `w = period/dt`.

    Called as `average(signal, dt)` on a signal of shape (time, ..., regions) it gives (windows, ..., regions), in the
    unit of the signal; an incomplete last window is left out. As a monitor of a run it keeps the last mean, and needs
    `in_size` and, for activity with a unit, `unit`.

    `period` is the length of a window, a multiple of the time step.

    Examples
    --------
    >>> import brainunit as u
    >>> import jax.numpy as jnp
    >>> signal = jnp.arange(6.0)[:, None]
    >>> TemporalAverage(2 * u.ms)(signal, 1 * u.ms)[:, 0].tolist()
    [0.5, 2.5, 4.5]

    In a run: `monitors={"mean": TemporalAverage(2 * u.ms, in_size=84)}, sample_every=2 * u.ms`.
    """

    def __init__(
        self, period: Time = 4.0 * u.ms, *, in_size: object = None, unit: u.Unit = u.UNITLESS, name: str | None = None
    ):
        self.sized = in_size is not None
        Declared.__init__(self, period=period, in_size=in_size if self.sized else 1, unit=unit, name=name)

    every_argument = "period"

    @property
    def period(self) -> Time:
        """Length of a window."""
        return self._period * u.ms

    @period.setter
    def period(self, period: Time) -> None:
        self._period = milliseconds("period", period, self._owner, positive=True)

    # A run updates it exactly so often.
    @property
    def every(self) -> Time:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The period over which activity is averaged."""
        return self.period

    @property
    def interval(self) -> Time:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.period

    def init_state(
        self,
        batch_size: int | tuple[int, ...] | None = None,
        *,
        rng: brainstate.random.RandomState | None = None,
        **kwargs: object,
    ) -> None:
        check_sized(self, self.sized)
        super().init_state(batch_size, rng=rng, **kwargs)

    def __call__(self, signal: Array, dt: Time) -> Numbers:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Means over the windows of a signal (time, ..., regions) with the time step `dt`."""
        return window_means(self._owner, "period", signal, self.period, dt)

    def update(self, z: Numbers) -> Numbers:
        """Take in the mean activity over one period, shape (batch..., regions); returns it."""
        check_input_shape(self._owner, "z", z, u.math.shape(self.seen.value))
        check_step(self, "period", self.period)
        self.seen.value = u.math.broadcast_to(self._in_unit(z), u.math.shape(self.seen.value))
        return self.seen.value


class SpatialAverage(LinearObserver):
    r"""Mean activity of each parcel: :math:`y_p = \sum_{i \in p} w_i x_i / \sum_{i \in p} w_i`.

    Called on activity of shape (..., nodes), a single state or a trajectory, it gives (..., parcels).

    `labels`, integers of shape (nodes,), say which parcel 0, 1, 2, ... a node belongs to, a negative one that it
    belongs to none. `weights`, shape (nodes,), are e.g. the areas of the nodes; default all equal. `unit` is that of
    the activity.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> SpatialAverage([0, 0, 1, -1])(jnp.array([1.0, 3.0, 5.0, 7.0])).tolist()
    [2.0, 5.0]
    """

    def __init__(
        self, labels: ArrayLike, weights: Numbers = None, *, unit: u.Unit = u.UNITLESS, name: str | None = None
    ):
        ids, share = _shares(type(self).__name__, labels, weights)
        Declared.__init__(self, labels=None, weights=None, unit=unit, name=name)
        self.in_size = len(ids)
        self.n_parcels = int(ids.max()) + 1
        # Nodes without a parcel have no weight, and may count to the first.
        self.labels = LongTermState(jnp.asarray(np.maximum(ids, 0), np.int32))
        self.weights = LongTermState(jnp.asarray(share, default_dtype()))

    @property
    def seen_shape(self) -> tuple[int, ...]:
        return (self.n_parcels,)

    def _see(self, x: Array) -> Numbers:
        numbers = u.get_mantissa(self._in_unit(x))
        # Sums by segment go along the first axis.
        weighted = jnp.moveaxis(numbers * self.weights.value, -1, 0)
        means = jax.ops.segment_sum(weighted, self.labels.value, self.n_parcels)
        return u.maybe_decimal(jnp.moveaxis(means, 0, -1) * self.unit)


def _shares(owner: str, labels: object, weights: Array) -> tuple[np.ndarray, np.ndarray]:
    """The checked labels, and by node its share of its parcel."""
    ids = np.asarray(as_array(labels)) if isinstance(labels, list | tuple | np.ndarray | jax.Array) else np.zeros(0)
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or not (ids >= 0).any():
        raise argument_error(
            Argument("labels", owner),
            "must be integers of shape (nodes,), not all of them negative",
            f"is {show(labels)}",
            "labels=np.array([0, 0, 1, 1, -1]).",
        )
    ids = ids.astype(np.int64)
    share = np.ones(len(ids))
    if weights is not None:
        share = np.asarray(u.get_mantissa(numbers(Argument("weights", owner), weights)), float)
    if share.shape != ids.shape or not (np.isfinite(share) & (share >= 0)).all():
        raise argument_error(
            Argument("weights", owner),
            f"must be finite numbers >= 0 of shape {ids.shape}, one for each node",
            f"is {show(weights)}",
        )
    # A node of no parcel is counted to the first one, with nothing.
    share = np.where(ids >= 0, share, 0.0)
    total = np.bincount(np.maximum(ids, 0), share)
    if not (total > 0).all():
        raise argument_error(
            Argument("labels", owner),
            f"must give every parcel from 0 to {ids.max()} a node of positive weight",
            f"parcel {int(np.argmin(total > 0))} has none",
        )
    return ids, share / total[np.maximum(ids, 0)]


# --- time, shared with the other forward models ---------------------------------------------------------------------
def window_means(owner: str, argument: str, signal: Numbers, period: Time, dt: Time) -> Numbers:
    """Means over consecutive windows of a signal (time, ...); an incomplete last one is left out."""
    w = steps_of(argument, period, dt, owner)
    signal = u.math.asarray(signal)
    shape = u.math.shape(signal)
    if not shape or shape[0] < w:
        raise ValueError(
            f"The signal given to {owner} must have shape (time, ..., regions) and at least {w} rows, the "
            f"`{argument}` of {show(period)}, but has shape {shape}."
        )
    n = shape[0] // w
    return u.math.mean(u.math.reshape(signal[: n * w], (n, w, *shape[1:])), axis=1)


def check_step(observer: Observer, argument: str, period: Time) -> None:
    """Refuse an update that stands for another time than the one the observer was made for."""
    owner = type(observer).__name__
    dt = time_step(owner)
    # A step may have been rounded to single precision, or given in seconds.
    if not is_traced(dt) and not np.isclose(
        milliseconds("dt", dt, owner), milliseconds(argument, period, owner), rtol=1e-5
    ):
        raise ValueError(
            f"{owner} must be updated with the mean over its `{argument}`, {show(period)}, but the time step is "
            f"{show(dt)}. In a run sample it at a multiple of that: Monitor(..., every={show(period)}); or call it on "
            "a whole trajectory."
        )


def check_sized(observer: Observer, sized: bool) -> None:
    """Refuse to make states of unknown shape."""
    if not sized:
        owner = type(observer).__name__
        raise ValueError(f"{owner} needs `in_size`, the number of regions, in a run. Example: {owner}(in_size=84).")


def check_regions(owner: str, x: Numbers, shape: tuple[int, ...]) -> None:
    """Refuse activity whose last axes are not those of the population."""
    got = u.math.shape(x)
    # Of fewer axes than the population has, all: a negative start would count from the end.
    if got[max(0, len(got) - len(shape)) :] != tuple(shape):
        regions = ", ".join(map(str, shape))
        raise ValueError(f"The activity given to {owner} must have shape (..., {regions}), but has shape {got}.")
