"""Stimuli: time courses with a strength for each region."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import is_whole, items, number, whole
from brainmass._common.clock import Double, as_written, moment, part_of_step, step_in_ms
from brainmass._common.messages import Argument, argument_error, named, show
from brainmass._common.typing import Array, Numbers, Time
from brainmass.dynamics.declaration import population_shape
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Par, nonnegative, option, param, positive, spelling
from brainmass.stimuli.algebra import Drive

__all__ = ["Chirp", "Pulse", "PulseTrain", "Ramp", "Sinusoid", "Stimulus", "ThetaBurst"]


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
    def unit(self) -> Numbers:
        return u.get_unit(self.p.amplitude)

    is_smooth: ClassVar[bool] = False
    """Whether it has no jumps: a parameter that it moves then has its value at each stage, else that of the step."""

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

    def update(self) -> Numbers:
        return self._value(moment(self._owner))

    def at_stage(self) -> Numbers:
        return self.update() if self.holds else self._value(moment(self._owner, part_of_step()))

    @property
    def holds(self) -> bool:
        return not self.is_smooth

    def _value(self, now: Double) -> Numbers:
        strength = self.p.amplitude * self.p.weights * self.course(now - self.exactly("onset"))
        return u.math.broadcast_to(strength, self.varshape)

    @abstractmethod
    def course(self, since: Numbers) -> Numbers:
        """The time course, `since` ms after the onset (before it: negative)."""


def _weights(owner: str, regions: Any, n: int) -> np.ndarray:
    what, example = Argument("regions", owner), f"regions=[0, {n - 1}]"
    regions = np.asarray(regions) if isinstance(regions, jax.Array) else regions
    if isinstance(regions, Mapping):
        entries: list[tuple[Any, Any]] = list(regions.items())
    else:
        one = isinstance(regions, int | np.integer | str)
        entries = [(region, 1.0) for region in ([regions] if one else items(what, regions, "regions"))]
    weights = np.zeros(n)
    for region, weight in entries:
        if not is_whole(region, -n, n - 1):
            raise argument_error(
                what, f"must be numbers of regions, 0 to {n - 1}", f"has {named(region)}", f"{example}."
            )
        weights[region] = number(what, weight)
    return weights


def _between(since: Numbers, width: Numbers) -> Array:
    return jnp.where((since >= 0) & (since < width), 1.0, 0.0)


def _edged(since: Double) -> Double:
    """A time of which the middles of steps that fall on the edge of a pulse lie after it, whatever the rounding."""
    return since + 1e-4 * step_in_ms()


class Pulse(Stimulus):
    """A rectangular pulse, on from `onset` for `width`."""

    width: Par = param(default=1.0 * u.ms, doc="duration", domain=positive)

    def course(self, since: Numbers) -> Numbers:
        return _between(_edged(since), self.exactly("width"))


class PulseTrain(Stimulus):
    """Rectangular pulses of a `width`, one at the beginning of each `period`; `count` of them, or without end."""

    width: Par = param(default=1.0 * u.ms, doc="duration of a pulse", domain=positive)
    period: Par = param(default=100.0 * u.ms, doc="from the start of a pulse to that of the next", domain=positive)
    count: int | None = option(default=None, check=whole)

    def check(self) -> None:
        _check_order(self, "width", "period")

    def course(self, since: Numbers) -> Numbers:
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
            raise argument_error(Argument("train_period", self._owner), "needs `train`, the duration of a train")

    def course(self, since: Numbers) -> Numbers:
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

    is_smooth = True

    def course(self, since: Numbers) -> Numbers:
        cycles = since * self.exactly("frequency") * 1e-3
        return jnp.where(since >= 0, jnp.sin(2 * np.pi * cycles.off_whole() + self.p.phase), 0.0)


class Chirp(Stimulus):
    r"""A sine wave whose frequency moves at an even rate from `start` to `stop` within `duration`, then ends."""

    start: Par = param(default=1.0 * u.Hz, doc="frequency at the onset", domain=nonnegative)
    stop: Par = param(default=40.0 * u.Hz, doc="frequency at the end", domain=nonnegative)
    duration: Par = param(default=1000.0 * u.ms, doc="duration", domain=positive)

    is_smooth = True

    def course(self, since: Numbers) -> Numbers:
        start, stop, duration = map(self.exactly, ("start", "stop", "duration"))
        cycles = since * 1e-3 * (start + (stop - start) * (since / (2 * duration)))
        return jnp.sin(2 * np.pi * cycles.off_whole()) * _between(_edged(since), duration)


class Ramp(Stimulus):
    """A rise at an even rate from zero at the onset to the amplitude `duration` later, which is then held."""

    duration: Par = param(default=100.0 * u.ms, doc="duration of the rise", domain=positive)

    is_smooth = True

    def course(self, since: Numbers) -> Numbers:
        return jnp.clip((since / self.exactly("duration")).value, 0.0, 1.0)


# --- checks -------------------------------------------------------------------------------------------------------
def _first(since: Time, period: Numbers, count: int | None) -> Array:
    """1 within the first `count` periods."""
    return _between(since, jnp.inf if count is None else count * period)


def _check_order(stimulus: Stimulus, short: str, long: str, times: int = 1) -> None:
    less, more = (getattr(stimulus.p, name) for name in (short, long))
    if np.any(times * np.asarray(less.to_decimal(u.ms)) > np.asarray(more.to_decimal(u.ms)) * (1 + 1e-6)):
        what = f"`{short}`" if times == 1 else f"{times} times `{short}`"
        raise argument_error(
            Argument(long, stimulus._owner),
            f"must be at least {what}, {show(times * less)}",
            f"is {show(more)}",
        )
