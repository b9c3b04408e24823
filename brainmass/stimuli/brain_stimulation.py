"""What stimulators put out: magnetic pulses, direct and alternating currents, balanced pulses of electrodes."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial

import brainunit as u
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import is_traced, one_of, whole
from brainmass._common.clock import Double, step_in_ms
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Array, Numbers
from brainmass.dynamics.fields import Par, nonnegative, option, param, positive
from brainmass.stimuli.waveforms import Stimulus

__all__ = ["AlternatingCurrent", "BalancedPulses", "DirectCurrent", "MagneticPulses"]


class Balanced(Stimulus):
    """Pulses whose phases cancel. The value of a step is the mean within it, so that they do at any step."""

    @abstractmethod
    def charge(self, since: Numbers) -> Numbers:
        """What has gone through so many ms after the onset, in ms times the largest value; zero after a pulse."""

    @abstractmethod
    def lasts(self) -> Numbers:
        """How long a pulse is, in ms."""

    def check_duration(self, what: str, duration: float) -> None:
        step, least = step_in_ms(), self.lasts()
        if not is_traced((step, least)) and step > 0.5 * np.min(np.asarray(least)) * (1 + 1e-6):
            rule = "must have pulses of two time steps or more, as the phases of one cancel within a step"
            got = f"is a {self._owner} with pulses of {show(float(np.min(np.asarray(least))) * u.ms)}"
            hint = "Take a smaller dt, longer pulses, or a rectangular Pulse that stands for their effect."
            raise argument_error(what, rule, f"{got} at dt={show(step * u.ms)}", hint=hint)

    def course(self, since: Numbers) -> Numbers:
        step = step_in_ms()
        return (self.charge(since + 0.5 * step) - self.charge(since - 0.5 * step)) / step


class MagneticPulses(Balanced):
    r"""The electric field that pulses of transcranial magnetic stimulation (TMS) induce, one or a train of them.

    It is the slope of the current of the coil, which rises to its peak within `rise`. 'biphasic': one cycle of
    :math:`\cos(\pi t / 2 t_r)`; 'monophasic': :math:`(1 - t/t_r)\,e^{-t/t_r}`, the discharge of a critically damped
    circuit, strong one way and weak the other. What is induced sums up to zero. A single pulse by default; `period`
    and `count` make a train, as 10 Hz rTMS; with `pulses`, bursts of so many with `pulse_period` between them begin at
    each `period`: theta bursts are `MagneticPulses(n, period=200 * u.ms, pulses=3)`.

    References
    ----------
    Peterchev, Murphy, Lisanby 2011, J. Neural Eng. 8:036016; Huang et al. 2005, Neuron 45:201 (theta bursts).

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> pulse = brainmass.MagneticPulses(1, rise=0.1 * u.ms)
    >>> print(pulse.series(0.5 * u.ms, 0.05 * u.ms)[:, 0].round(2) + 0.0)
    [ 0.9   0.37 -0.37 -0.9  -0.9  -0.37  0.37  0.9   0.    0.  ]
    """

    waveform: str = option(default="biphasic", check=partial(one_of, known=("biphasic", "monophasic")))
    rise: Par = param(default=0.07 * u.ms, doc="time to the peak of the current in the coil", domain=positive)
    period: Par = param(default=None, doc="from pulse to pulse, or burst to burst; default one", domain=positive,
                        unit=u.ms)  # fmt: skip
    count: int | None = option(default=None, check=whole)
    pulses: int = option(default=1, check=whole)
    pulse_period: Par = param(default=20.0 * u.ms, doc="from pulse to pulse in a burst", domain=positive)

    def check(self) -> None:
        if self.period is None and self.count is not None:
            raise argument_error(Argument("count", self._owner), "needs `period`, from pulse to pulse")
        longest = self._longest * np.max(_in(self, "rise"))
        burst = longest if self.pulses == 1 else self.pulses * np.max(_in(self, "pulse_period"))
        gaps = {} if self.pulses == 1 else {"pulse_period": longest}
        gaps |= {} if self.period is None else {"period": burst}
        for name, least in gaps.items():
            if np.any(np.asarray(_in(self, name)) < least * (1 - 1e-6)):
                rule = f"must be at least {show(float(least) * u.ms)}, which is how long pulses are"
                raise argument_error(Argument(name, self._owner), rule, f"is {show(getattr(self.p, name))}")

    @property
    def _longest(self) -> float:
        """Of a pulse, in times of its rise; what is left of the monophasic one then is 6e-8 of its current."""
        return 4.0 if self.waveform == "biphasic" else 20.0

    def lasts(self) -> Numbers:
        return 4.0 * _in(self, "rise")  # of the monophasic the strong phase and most of the weak

    def charge(self, since: Numbers) -> Numbers:
        began = since >= 0
        if self.period is not None:
            period = self.exactly("period")
            began = began if self.count is None else began & (since < self.count * period)
            since = since % period
        if self.pulses > 1:
            apart = self.exactly("pulse_period")
            began = began & (since < self.pulses * apart)
            since = since % apart
        t = (since / self.exactly("rise")).value
        on = began & (t >= 0) & (t < self._longest)
        t = jnp.where(on, t, 0.0)
        current = jnp.sin(0.5 * np.pi * t) / (0.5 * np.pi) if self.waveform == "biphasic" else t * jnp.exp(-t)
        return jnp.where(on, current * self.exactly("rise").value, 0.0)


class BalancedPulses(Balanced):
    """Charge-balanced rectangular pulses, as of deep brain stimulation (DBS): a phase of `width`, a `gap`, recharge.

    The recharge is `recharge` times as long and as many times weaker, so that no charge is left. The defaults are
    common settings of DBS, 130 pulses of 0.06 ms in a second, with a recharge of the same form; devices with
    passive recharge are like `recharge=10`. Phases that lie within one time step cancel in it.

    References
    ----------
    Merrill, Bikson, Jefferys 2005, J. Neurosci. Methods 141:171; Hofmann et al. 2011, Front. Neuroeng. 4:9 (gaps).
    """

    frequency: Par = param(default=130.0 * u.Hz, doc="pulses per second", domain=positive)
    width: Par = param(default=0.06 * u.ms, doc="duration of the first phase", domain=positive)
    gap: Par = param(default=0.0 * u.ms, doc="between the phases", domain=nonnegative)
    recharge: Par = param(default=1.0, doc="duration of the second phase, in those of the first", domain=positive)
    count: int | None = option(default=None, check=whole)

    def check(self) -> None:
        longest = np.max(np.asarray(self.lasts()))
        period = 1e3 / np.max(np.asarray(_in(self, "frequency", u.Hz)))
        if longest > period * (1 + 1e-6):
            rule = f"must leave each pulse its {show(float(longest) * u.ms)}"
            raise argument_error(Argument("frequency", self._owner), rule, f"is {show(self.p.frequency)}")

    def _times(self) -> tuple[Numbers, Numbers, Numbers]:
        return _in(self, "width"), _in(self, "gap"), self.p.recharge

    def lasts(self) -> Numbers:
        width, gap, recharge = self._times()
        return width * (1 + recharge) + gap

    def charge(self, since: Numbers) -> Numbers:
        began, period = since >= 0, 1e3 / self.exactly("frequency")
        began = began if self.count is None else began & (since < self.count * period)
        width, gap, recharge = self._times()
        t = (since % period).value
        given = jnp.clip(t, 0.0, width)
        taken = jnp.clip(t - width - gap, 0.0, width * recharge) / recharge
        return jnp.where(began, given - taken, 0.0)


class DirectCurrent(Stimulus):
    """Transcranial direct current (tDCS): a rise within `ramp`, the amplitude, and a fall within `ramp` at the end.

    In practice ramps are 10 to 30 s and sessions some ten minutes; a model needs ramps that are slow against its own
    time constants.

    References
    ----------
    Woods et al. 2016, Clin. Neurophysiol. 127:1031.
    """

    ramp: Par = param(default=100.0 * u.ms, doc="duration of the rise, and of the fall", domain=positive)
    duration: Par = param(default=None, doc="in all; default without end", domain=positive, unit=u.ms)

    is_smooth = True

    def check(self) -> None:
        _check_ramps(self)

    def course(self, since: Numbers) -> Numbers:
        return _ramped(self, since)


class AlternatingCurrent(Stimulus):
    r"""Transcranial alternating current (tACS): a sine wave within ramps, :math:`o + \sin(2\pi f t + \varphi)`.

    References
    ----------
    Antal, Paulus 2013, Front. Hum. Neurosci. 7:317.
    """

    frequency: Par = param(default=10.0 * u.Hz, doc="frequency", domain=positive)
    phase: Par = param(default=0.0, doc="phase at the onset, rad")
    offset: Par = param(default=0.0, doc="direct current below it, in amplitudes")
    ramp: Par = param(default=100.0 * u.ms, doc="duration of the rise, and of the fall", domain=positive)
    duration: Par = param(default=None, doc="in all; default without end", domain=positive, unit=u.ms)

    is_smooth = True

    def check(self) -> None:
        _check_ramps(self)

    def course(self, since: Numbers) -> Numbers:
        cycles = since * self.exactly("frequency") * 1e-3
        wave = jnp.sin(2 * np.pi * cycles.off_whole() + self.p.phase)
        return (self.p.offset + wave) * _ramped(self, since)


def _in(stimulus: Stimulus, name: str, unit: u.Unit = u.ms) -> Numbers:
    return getattr(stimulus.p, name).to_decimal(unit)


def _ramped(stimulus: Stimulus, since: Double) -> Array:
    """From 0 to 1 and back."""
    ramp = stimulus.exactly("ramp")
    rise = (since / ramp).value
    if stimulus.duration is None:
        return jnp.clip(rise, 0.0, 1.0)
    fall = ((stimulus.exactly("duration") - since) / ramp).value
    return jnp.clip(jnp.minimum(rise, fall), 0.0, 1.0)


def _check_ramps(stimulus: Stimulus) -> None:
    if stimulus.duration is None:
        return
    ramp, duration = (np.asarray(_in(stimulus, name)) for name in ("ramp", "duration"))
    if np.any(2 * ramp > duration * (1 + 1e-6)):
        rule = f"must be at least two ramps, {show(float(2 * ramp.max()) * u.ms)}"
        raise argument_error(Argument("duration", stimulus._owner), rule, f"is {show(stimulus.p.duration)}")
