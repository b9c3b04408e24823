"""What drives a run from outside: time courses with a strength for each region, their sums and products."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import is_traced, is_whole, items, number, numbers, one_of, whole
from brainmass._common.clock import Double, as_written, moment, step_in_ms
from brainmass._common.foreign import opened
from brainmass._common.messages import named, show
from brainmass._common.places import refuse_two_places
from brainmass._common.precision import default_dtype
from brainmass._common.times import many_milliseconds, steps_of
from brainmass.dynamics.declaration import population_shape
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Par, nonnegative, option, param, positive, spelling
from brainmass.dynamics.module import Module
from brainmass.dynamics.noise import Noise

__all__ = ["Chirp", "Drive", "Pulse", "PulseTrain", "Ramp", "Recording", "Sinusoid", "Stimulus", "ThetaBurst"]


class Drive(Module):
    """Something to put into an input port: a stimulus, or a sum or product of stimuli, noises and numbers."""

    varshape: Any  # shape of the population
    draws: bool = False  # whether it draws random numbers

    @abstractmethod
    def update(self) -> Any:
        """The value in the present step, which begins at the time `t` of the environment; of the population's shape."""

    @property
    @abstractmethod
    def unit(self) -> Any:
        """Its unit."""

    def check_duration(self, port: str, duration: float) -> None:
        """Refuse a run that ends so many ms after time zero and that it cannot drive."""

    def __call__(self, t: Any) -> Any:
        """The value at the time `t`, a Quantity."""
        if not u.get_unit(t).has_same_dim(u.ms):
            raise u.UnitMismatchError(
                f"{type(self).__name__} must be called with a time, but is with {show(t)}. Example: stimulus(5 * u.ms)."
            )
        if t is brainstate.environ.get("t", default=None):  # within a run: its number of steps says it to all digits
            return self.update()
        with brainstate.environ.context(t=t, i=None):
            return self.update()

    def series(self, duration: Any, dt: Any) -> Any:
        """The values of all steps of a run from time zero on, as an array (steps, *in_size).

        What draws random numbers has none: those of a run come from its key.
        """
        if self.draws:
            raise ValueError(
                f"This {type(self).__name__} has no series: its random numbers come from the key of a run. Give it to "
                "the run itself, as one of its `inputs`."
            )
        n = steps_of("duration", duration, dt)

        def step(i: Any) -> Any:
            with brainstate.environ.context(i=i, t=i * dt, dt=dt):
                return self.update()

        return jax.jit(jax.vmap(step))(jnp.arange(n))

    def __add__(self, other: Any) -> Combined:
        return Combined(self, other, "+")

    def __radd__(self, other: Any) -> Combined:
        return Combined(other, self, "+")

    def __neg__(self) -> Combined:
        return Combined(-1.0, self, "*")

    def __sub__(self, other: Any) -> Combined:
        return Combined(self, Combined(-1.0, other, "*") if isinstance(other, Drive | Noise) else -1.0 * other, "+")

    def __rsub__(self, other: Any) -> Combined:
        return Combined(other, -self, "+")

    def __mul__(self, other: Any) -> Combined:
        return Combined(self, other, "*")

    def __rmul__(self, other: Any) -> Combined:
        return Combined(other, self, "*")


class Combined(Drive):
    """The sum or the product of two drives, noises or numbers."""

    def __init__(self, first: Any, second: Any, operation: str):
        super().__init__()
        for part in first, second:
            if not isinstance(part, Drive | Noise) and (callable(part) or np.ndim(u.get_mantissa(part)) > 0):
                raise TypeError(
                    f"A stimulus can be added to and multiplied by stimuli, noises and numbers, but not {show(part)}."
                )
        units = [_unit(part) for part in (first, second)]
        if operation == "+" and not units[0].has_same_dim(units[1]):
            raise u.UnitMismatchError(
                f"Stimuli that are added must have one dimension, but have the units {units[0]} and {units[1]}."
            )
        sizes = [part.varshape for part in (first, second) if isinstance(part, Drive | Noise)]
        if len(set(sizes)) > 1:
            raise ValueError(f"Stimuli that are combined must have one `in_size`, but have {sizes[0]} and {sizes[1]}.")
        refuse_two_places(type(self).__name__, _noises_in("first", first) + _noises_in("second", second))
        self.varshape = sizes[0]
        self.first, self.second, self.operation = first, second, operation

    @property
    def draws(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return any(isinstance(part, Noise) or (isinstance(part, Drive) and part.draws) for part in self.operands)

    @property
    def unit(self) -> Any:
        first, second = _unit(self.first), _unit(self.second)
        return first if self.operation == "+" else first * second

    def check_duration(self, port: str, duration: float) -> None:
        for part in self.first, self.second:
            if isinstance(part, Drive):
                part.check_duration(port, duration)

    def update(self) -> Any:
        first, second = (part.update() if isinstance(part, Drive | Noise) else part for part in self.operands)
        return first + second if self.operation == "+" else first * second

    @property
    def operands(self) -> tuple[Any, Any]:
        return self.first, self.second


def _noises_in(name: str, part: Any) -> list[tuple[str, Noise]]:
    """The noises of an operand, by their places in it."""
    if not isinstance(part, Combined):
        return [(name, part)] if isinstance(part, Noise) else []
    return _noises_in(f"{name}.first", part.first) + _noises_in(f"{name}.second", part.second)


def _unit(part: Any) -> Any:
    if isinstance(part, Noise):
        return u.get_unit(part.p.sigma)
    return part.unit if isinstance(part, Drive) else u.get_unit(part)


_ENDS = ("refuse", "zero", "hold", "repeat")


class Stimulus(Drive, Declared):
    """Base of the stimuli: `amplitude` times the weight of each region times a time course without unit.

    A value holds from the start of a step to its end. Amplitude, weights and times may differ between regions, and
    may be trained, as far as the time course has a slope in them. A subclass gives the time course as
    `course(since)`, from the time since the onset in ms; it is that of the middle of the step, so that a pulse of
    whole steps has just as many. `since` is a `Double`, which is an array to functions of `jax.numpy`; differences and
    remainders of it keep their digits however late the run is, as does `exactly(name)`, a time in ms or a rate in Hz.

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> pulse = brainmass.Pulse(3, amplitude=2.0, onset=1 * u.ms, width=0.5 * u.ms, regions=[1])
    >>> node = brainmass.HopfStep(3)
    >>> result = brainmass.Simulator(node, dt=0.1 * u.ms).run(2 * u.ms, inputs={"x_inp": pulse}, seed=0)
    >>> print(pulse.series(2 * u.ms, 0.1 * u.ms).sum(axis=0))
    [ 0. 10.  0.]
    """

    amplitude: Par = param(default=1.0, doc="strength", unit="any")
    weights: Par = param(default=1.0, doc="factor of each region", unit=u.UNITLESS)
    onset: Par = param(default=0.0 * u.ms, doc="when it begins", kw_only=True)
    regions: Any = spelling(
        "in place of the weights, the numbers of the regions that get weight 1, or a mapping from numbers to weights",
        default=None,
    )

    @classmethod
    def translate(cls, given: dict[str, Any]) -> dict[str, Any]:
        if "regions" not in given:
            return given
        regions = given.pop("regions")
        if "weights" in given:
            raise TypeError(f"{cls.__name__} takes either `weights` or `regions`, not both.")
        (n,) = population_shape(cls.__name__, given["in_size"])
        return given | {"weights": _weights(cls.__name__, regions, n)}

    @property
    def unit(self) -> Any:
        return u.get_unit(self.p.amplitude)

    _prepared: ClassVar[Any] = None

    def prepare(self) -> dict[str, Double]:
        """Times in ms and rates in Hz, to twice the digits; a run works them out once."""
        values = {name: getattr(self, name).value() for name in self._params if getattr(self, name) is not None}
        units = {
            name: next((unit for unit in (u.ms, u.Hz) if u.get_unit(x).has_same_dim(unit)), None)
            for name, x in values.items()
        }
        return {name: as_written(values[name].to_decimal(unit)) for name, unit in units.items() if unit is not None}

    def exactly(self, name: str) -> Double:
        """A parameter that is a time, in ms, or a rate, in Hz."""
        return (self.prepare() if self._prepared is None else self._prepared)[name]

    def update(self) -> Any:
        now = moment(self._owner)
        strength = self.p.amplitude * self.p.weights * self.course(now - self.exactly("onset"))
        return u.math.broadcast_to(strength, self.varshape)

    @abstractmethod
    def course(self, since: Any) -> Any:
        """The time course, `since` ms after the onset (before it: negative)."""


def _weights(owner: str, regions: Any, n: int) -> np.ndarray:
    what, example = f"Argument `regions` of {owner}", f"regions=[0, {n - 1}]"
    regions = np.asarray(regions) if isinstance(regions, jax.Array) else regions
    if isinstance(regions, Mapping):
        entries: list[tuple[Any, Any]] = list(regions.items())
    else:
        one = isinstance(regions, int | np.integer | str)
        entries = [(region, 1.0) for region in ([regions] if one else items(what, regions, "regions"))]
    weights = np.zeros(n)
    for region, weight in entries:
        if not is_whole(region, -n, n - 1):
            raise ValueError(
                f"{what} must be numbers of regions, 0 to {n - 1}, but has {named(region)}. Example: {example}."
            )
        weights[region] = number(what, weight)
    return weights


def _between(since: Any, width: Any) -> Any:
    return jnp.where((since >= 0) & (since < width), 1.0, 0.0)


def _edged(since: Double) -> Double:
    """A time of which the middles of steps that fall on the edge of a pulse lie after it, whatever the rounding."""
    return since + 1e-4 * step_in_ms()


class Pulse(Stimulus):
    """A rectangular pulse, on from `onset` for `width`."""

    width: Par = param(default=1.0 * u.ms, doc="duration", domain=positive)

    def course(self, since: Any) -> Any:
        return _between(_edged(since), self.exactly("width"))


class PulseTrain(Stimulus):
    """Rectangular pulses of a `width`, one at the beginning of each `period`; `count` of them, or without end."""

    width: Par = param(default=1.0 * u.ms, doc="duration of a pulse", domain=positive)
    period: Par = param(default=100.0 * u.ms, doc="from the start of a pulse to that of the next", domain=positive)
    count: int | None = option(default=None, check=whole)

    def check(self) -> None:
        _check_order(self, "width", "period")

    def course(self, since: Any) -> Any:
        since, period = _edged(since), self.exactly("period")
        return _between(since % period, self.exactly("width")) * _first(since, period, self.count)


class ThetaBurst(Stimulus):
    """Bursts of `pulses` pulses, one at the beginning of each `burst_period`, in trains that pauses may separate.

    The defaults are continuous theta-burst stimulation: three pulses at 50 Hz, five times a second. With `train=2 s`
    and `train_period=10 s` it is the intermittent form.

    Reference: Huang, Edwards, Rounis, Bhatia, Rothwell 2005, Neuron 45:201.
    """

    width: Par = param(default=1.0 * u.ms, doc="duration of a pulse", domain=positive)
    pulse_period: Par = param(default=20.0 * u.ms, doc="from pulse to pulse", domain=positive)
    burst_period: Par = param(default=200.0 * u.ms, doc="from burst to burst", domain=positive)
    pulses: int = option(default=3, check=whole)
    bursts: int | None = option(default=None, check=whole)
    train: Par = param(default=None, doc="duration of a train; default without end", domain=positive, unit=u.ms)
    train_period: Par = param(default=None, doc="from train to train; default one train", domain=positive, unit=u.ms)

    def check(self) -> None:
        _check_order(self, "width", "pulse_period")
        _check_order(self, "pulse_period", "burst_period", self.pulses)
        if self.train is None and self.train_period is not None:
            raise ValueError(f"Argument `train_period` of {self._owner} needs `train`, the duration of a train.")

    def course(self, since: Any) -> Any:
        since, burst, pulse = _edged(since), self.exactly("burst_period"), self.exactly("pulse_period")
        on = _first(since, burst, self.bursts)
        if self.train is not None:
            since = since if self.train_period is None else since % self.exactly("train_period")
            on = on * _between(since, self.exactly("train"))
        in_burst = since % burst
        return on * _first(in_burst, pulse, self.pulses) * _between(in_burst % pulse, self.exactly("width"))


class Sinusoid(Stimulus):
    r"""A sine wave from the onset on, :math:`\sin(2\pi f (t - t_0) + \varphi)`."""

    frequency: Par = param(default=10.0 * u.Hz, doc="frequency", domain=positive)
    phase: Par = param(default=0.0, doc="phase at the onset, rad")

    def course(self, since: Any) -> Any:
        cycles = since * self.exactly("frequency") * 1e-3
        return jnp.where(since >= 0, jnp.sin(2 * np.pi * cycles.off_whole() + self.p.phase), 0.0)


class Chirp(Stimulus):
    r"""A sine wave whose frequency moves at an even rate from `start` to `stop` within `duration`, then ends."""

    start: Par = param(default=1.0 * u.Hz, doc="frequency at the onset", domain=nonnegative)
    stop: Par = param(default=40.0 * u.Hz, doc="frequency at the end", domain=nonnegative)
    duration: Par = param(default=1000.0 * u.ms, doc="duration", domain=positive)

    def course(self, since: Any) -> Any:
        start, stop, duration = map(self.exactly, ("start", "stop", "duration"))
        cycles = since * 1e-3 * (start + (stop - start) * (since / (2 * duration)))
        return jnp.sin(2 * np.pi * cycles.off_whole()) * _between(_edged(since), duration)


class Ramp(Stimulus):
    """A rise at an even rate from zero at the onset to the amplitude `duration` later, which is then held."""

    duration: Par = param(default=100.0 * u.ms, doc="duration of the rise", domain=positive)

    def course(self, since: Any) -> Any:
        return jnp.clip((since / self.exactly("duration")).value, 0.0, 1.0)


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

    def __setattr__(self, key: str, value: Any) -> None:
        if self._checked and key == "data":
            held = opened(f"Argument `data` of {self._owner}", value)
            _check_times(self._owner, held.times, self.p.every)
            value = held.values
            value = brainstate.LongTermState(jnp.asarray(_rows(self._owner, value, self.varshape), default_dtype()))
        super().__setattr__(key, value)

    def check_duration(self, port: str, duration: float) -> None:
        if self.after != "refuse":
            return
        every, onset = (many_milliseconds(x) for x in (self.p.every, self.p.onset))
        length, needed = len(self.data.value) * every.max(), duration - onset.min()
        if needed > length + 1e-3 * every.max():
            raise ValueError(
                f"Input `{port}` is a {self._owner} of {length:g} ms and so ends before the run, which needs "
                f"{needed:g} ms of it. Give after='zero', 'hold' or 'repeat', or a shorter run."
            )

    def course(self, since: Any) -> Any:
        starts = since - 0.5 * step_in_ms()  # rows stand for starts of steps, not for middles
        row, part = (starts / self.exactly("every") + 1e-4).split()  # a row begins at its time, whatever the rounding
        now = self._row(row)
        if self.interpolate:
            now = now + jnp.maximum(part - 1e-4, 0.0) * (self._row(row + 1) - now)
        return jnp.where(row >= 0, now, 0.0)

    def _row(self, row: Any) -> Any:
        rows = self.data.value
        n = len(rows)
        at = row % n if self.after == "repeat" else jnp.clip(row, 0, n - 1)
        value = rows[at] if jnp.ndim(at) == 0 else jnp.take_along_axis(rows, at[None], axis=0)[0]
        return jnp.where(row < n, value, 0.0) if self.after == "zero" else value


def _check_times(owner: str, times: Any, every: Any) -> None:
    """The times that a table says of its rows are as far apart as is said beside it."""
    if times is None or is_traced(every) or len(times) < 2:
        return
    gaps, wanted = np.diff(np.asarray(times.to_decimal(u.ms))), float(np.max(every.to_decimal(u.ms)))
    if np.ptp(gaps) > 1e-3 * np.abs(gaps).max():
        raise ValueError(
            f"Argument `data` of {owner} must have rows evenly spaced in time, but they are {gaps.min():g} to "
            f"{gaps.max():g} ms apart."
        )
    if abs(gaps.mean() - wanted) > 1e-3 * wanted:
        raise ValueError(
            f"Argument `data` of {owner} has rows {gaps.mean():g} ms apart, but `every` is {wanted:g} ms. "
            f"Example: {owner}(..., every={gaps.mean():g} * u.ms)"
        )


def _rows(owner: str, data: Any, shape: tuple[int, ...]) -> np.ndarray:
    what = f"Argument `data` of {owner}"
    if data is None:
        raise TypeError(f"{owner} needs the argument `data`, an array (T,) or (T, {', '.join(map(str, shape))}).")
    if isinstance(data, u.Quantity) and not data.unit.has_same_dim(u.UNITLESS):
        raise u.UnitMismatchError(
            f"{what} must be plain numbers, but is in {data.unit}: give the unit to the amplitude. "
            f"Example: Recording(n, data=values, amplitude=1.0 * u.{data.unit})."
        )
    values = np.asarray(u.get_mantissa(numbers(what, data)))
    if values.ndim == 1:
        values = np.broadcast_to(values.reshape(-1, *(1 for _ in shape)), (len(values), *shape))
    if values.ndim == 0 or len(values) == 0 or values.shape[1:] != shape:
        axes = ", ".join(map(str, shape))
        raise ValueError(f"{what} must have one row per time, (T,) or (T, {axes}), but has shape {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError(f"{what} must be finite, but has {values[~np.isfinite(values)][0]}.")
    return values


# --- checks -------------------------------------------------------------------------------------------------------
def _first(since: Any, period: Any, count: int | None) -> Any:
    """1 within the first `count` periods."""
    return _between(since, jnp.inf if count is None else count * period)


def _check_order(stimulus: Stimulus, short: str, long: str, times: int = 1) -> None:
    less, more = (getattr(stimulus.p, name) for name in (short, long))
    if np.any(times * np.asarray(less.to_decimal(u.ms)) > np.asarray(more.to_decimal(u.ms)) * (1 + 1e-6)):
        what = f"`{short}`" if times == 1 else f"{times} times `{short}`"
        raise ValueError(
            f"Argument `{long}` of {stimulus._owner} must be at least {what}, {show(times * less)}, "
            f"but is {show(more)}."
        )
