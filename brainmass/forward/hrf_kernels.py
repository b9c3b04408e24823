"""Haemodynamic response functions: what one impulse of activity does to the BOLD signal."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate.nn import Param
from jax import lax
from jax.scipy.special import gammaln

from brainmass._common.messages import Argument, argument_error
from brainmass._common.precision import default_dtype
from brainmass._common.times import milliseconds
from brainmass._common.typing import Array, Numbers, Time
from brainmass.dynamics.checks import as_input
from brainmass.dynamics.declared import WithRows
from brainmass.dynamics.fields import Domain, Par, param, positive, setting
from brainmass.forward.units import HERTZ, SECONDS, SECONDS_SQUARED, plain_value

__all__ = [
    "DoubleExponentialHRFKernel",
    "FirstOrderVolterraHRFKernel",
    "GammaHRFKernel",
    "HRFKernel",
    "MixtureOfGammasHRFKernel",
]

_shape = Domain("> 1", lambda x: np.isfinite(x) & (x > 1), (1.0, 0.0, np.nan))


class HRFKernel(WithRows):
    """Base of the haemodynamic response functions: `kernel(t)` gives the response at the time `t` after an impulse.

    `t` is a time of any shape, a plain number is read in ms; the response is a plain number, and zero before the
    impulse. Parameters are plain numbers in seconds or hertz, or quantities; some may have shape (N,), a value for each
    region, and the response then has a last axis of N.
    """

    duration: Time = setting(
        default=20.0 * u.second, doc="time after which the response is taken to be over", domain=positive
    )

    def _admitted(self, key: str, value: Numbers) -> Numbers:
        if key == "duration":
            milliseconds(key, value, self._owner, positive=True)  # or an error of its kind
        value = super()._admitted(key, value)
        if key in self._params and len(shape := u.math.shape(value.value())) > 1:
            what = Argument(key, self._owner, self._params[key].doc)
            raise argument_error(what, "must be one number, or one for each region", f"has shape {shape}")
        return value

    def shape_of(self, key: str, value: Numbers) -> tuple[int, ...] | None:
        n = self._count({name for name in self._params if name != key})
        return None if n is None else (n,)

    @abstractmethod
    def __call__(self, t: Numbers) -> Numbers: ...

    @property
    def n_regions(self) -> int | None:
        """How many regions have a response of their own; None: all have the same."""
        return self._count(self._params)

    def _count(self, names: Iterable[str]) -> int | None:
        params = [vars(self).get(name) for name in names]
        return next((shape[0] for p in params if p is not None and (shape := u.math.shape(p.value()))), None)

    @property
    def _duration(self) -> float:
        return milliseconds("duration", self.duration, self._owner, positive=True)

    def _seconds(self, t: Numbers) -> jax.Array:
        time = as_input(self._owner, "t", u.ms, t).to_decimal(u.second)
        time = jnp.asarray(time, default_dtype())
        # The last axis is for the regions, against which parameters of shape (N,) stand.
        return time if self.n_regions is None else time[..., None]


class FirstOrderVolterraHRFKernel(HRFKernel):
    r"""First Volterra kernel of blood flow: :math:`h = s\, e^{-t/2\tau_s} \sin(\omega t)/\omega`.

    .. math:: \omega^2 = \frac{1}{\tau_f} - \frac{1}{4 \tau_s^2}

    Divided by the `scaling` :math:`s` it is the response of the flow of `BOLDSignal` with :math:`k = 1/\tau_s` and
    :math:`\gamma = 1/\tau_f`. Where :math:`\omega^2 < 0` the sine is a hyperbolic one. Its integral is
    :math:`s \tau_f`.

    Reference: Friston, Mechelli, Turner, Price 2000, NeuroImage 12:466.
    """

    tau_s: Par = param(default=0.8, doc="decay time of the vasodilatory signal, s", domain=positive, unit=SECONDS)
    tau_f: Par = param(
        default=0.4, doc="inverse of the flow-dependent elimination, s²", domain=positive, unit=SECONDS_SQUARED
    )
    scaling: Par = param(default=1.0 / 3.0, doc="factor")

    def __call__(self, t: Numbers) -> jax.Array:
        t = self._seconds(t)
        decay, elimination = 1 / (2 * plain_value(self.tau_s, u.second)), 1 / plain_value(self.tau_f, u.second**2)
        # Both branches are computed, and before the impulse the response would grow without bound: infinity times zero
        # in the gradient is NaN.
        return jnp.where(t > 0, self.scaling.value() * _oscillation(jnp.maximum(t, 0), decay, elimination), 0.0)


def _oscillation(t: Numbers, decay: Numbers, stiffness: Numbers) -> jax.Array:
    """exp(-decay t) sin(wt)/w with w² = stiffness - decay², also where that is not positive."""
    square = stiffness - decay**2
    x = square * t**2
    near = jnp.abs(x) < 0.01  # here the series has all digits, and the other forms lose theirs
    # At zero, where the root has no slope, the series is taken: any number will do here.
    w = jnp.sqrt(jnp.where(square == 0, 1.0, jnp.abs(square)))
    series = t * (1 - x / 6 + x**2 / 120 - x**3 / 5040)
    sine = jnp.sin(w * t) / w
    # The slower of the two decays has the rate stiffness/(decay + w): decay - w would lose digits.
    slow, fast = stiffness / (decay + w), decay + w
    overdamped = (jnp.exp(-slow * t) - jnp.exp(-fast * t)) / (2 * w)
    return jnp.where(square < 0, jnp.where(near, 0.0, overdamped), 0.0) + jnp.exp(-decay * t) * jnp.where(
        near, series, jnp.where(square < 0, 0.0, sine)
    )


class GammaHRFKernel(HRFKernel):
    r"""Gamma density with its maximum scaled to `a`: :math:`h \propto (t/\tau)^{n-1} e^{-t/\tau}`.

    The maximum is at :math:`(n-1)\,\tau`.

    Reference: Boynton, Engel, Glover, Heeger 1996, J. Neurosci. 16:4207.
    """

    tau: Par = param(default=1.08, doc="time constant, s", domain=positive, unit=SECONDS)
    n: Par = param(default=3.0, doc="phase delay", domain=_shape)
    a: Par = param(default=0.1, doc="maximum")

    def __call__(self, t: Numbers) -> Array:
        n = plain_value(self.n)
        # Divided by the density at its maximum, (n - 1) tau.
        return self.a.value() * _gamma(self._seconds(t) / plain_value(self.tau, u.second), n) / _gamma(n - 1, n)


def _gamma(x: Numbers, n: Numbers) -> jax.Array:
    """The gamma density x^(n-1) exp(-x) / Γ(n); zero for x <= 0."""
    # The logarithm of zero, though not chosen, would make the gradient NaN.
    safe = jnp.where(x > 0, x, 1.0)
    # As one exponential: the power and the gamma function by themselves overflow long before their quotient.
    return jnp.where(x > 0, jnp.exp((n - 1) * jnp.log(safe) - safe - gammaln(n)), 0.0)


class DoubleExponentialHRFKernel(HRFKernel):
    r"""Difference of two damped oscillations with its maximum scaled to `a`.

    .. math:: h \propto A_1 e^{-t/\tau_1} \sin(2\pi f_1 t) - A_2 e^{-t/\tau_2} \sin(2\pi f_2 t)

    :math:`A_1, A_2` are `amp_1` and `amp_2`.

    Reference: Polonsky, Blake, Braun, Heeger 2000, Nat. Neurosci. 3:1153.
    """

    tau_1: Par = param(default=7.22, doc="decay time of the first oscillation, s", domain=positive, unit=SECONDS)
    tau_2: Par = param(default=7.4, doc="decay time of the second oscillation, s", domain=positive, unit=SECONDS)
    f_1: Par = param(default=0.03, doc="frequency of the first oscillation, Hz", domain=positive, unit=HERTZ)
    f_2: Par = param(default=0.12, doc="frequency of the second oscillation, Hz", domain=positive, unit=HERTZ)
    amp_1: Par = param(default=0.1, doc="amplitude of the first oscillation")
    amp_2: Par = param(default=0.1, doc="amplitude of the second oscillation")
    a: Par = param(default=0.1, doc="maximum within `duration`")
    duration: Time = setting(
        default=40.0 * u.second, doc="time after which the response is taken to be over", domain=positive
    )

    def __call__(self, t: Numbers) -> Array:
        t = self._seconds(t)
        return self.a.value() * jnp.where(t > 0, self._raw(t), 0.0) / self._raw(self._peak())

    def _raw(self, t: Numbers) -> Numbers:
        def oscillation(amplitude: Param, tau: Param, f: Param) -> Array:
            return (
                plain_value(amplitude)
                * jnp.exp(-t / plain_value(tau, u.second))
                * jnp.sin(2 * np.pi * plain_value(f, u.Hz) * t)
            )

        return oscillation(self.amp_1, self.tau_1, self.f_1) - oscillation(self.amp_2, self.tau_2, self.f_2)

    def _peak(self) -> jax.Array:
        """The time of the maximum: the best of a grid, improved by Newton's method.

        Its own derivative is not needed: the response is flat there.
        """
        last = self._duration / 1000
        grid = jnp.linspace(0.0, last, 4001, dtype=default_dtype())
        # Of several peaks the highest: Newton's method alone would find the nearest.
        t = grid[jnp.argmax(self._raw(grid if self.n_regions is None else grid[:, None]), axis=0)]
        slope = jax.grad(lambda t: self._raw(t).sum())  # of each region in its own time
        for _ in range(3):
            curvature = jax.grad(lambda t: slope(t).sum())(t)
            # Where the best of the grid is an end of it, there need be no peak: it stays. Elsewhere a step may not
            # leave the cell, beyond which another peak may lie.
            step = jnp.where(curvature < 0, slope(t) / jnp.where(curvature < 0, curvature, -1.0), 0.0)
            t = jnp.clip(t - jnp.clip(step, -grid[1], grid[1]), 0.0, last)
        return lax.stop_gradient(t)


class MixtureOfGammasHRFKernel(HRFKernel):
    r"""A gamma density for the response, less one for the undershoot.

    .. math:: h = \frac{(l t)^{a_1-1} e^{-l t}}{\Gamma(a_1)} - c\, \frac{(l t)^{a_2-1} e^{-l t}}{\Gamma(a_2)}

    The integral is :math:`(1 - c)/l`.

    Reference: Glover 1999, NeuroImage 9:416.
    """

    a_1: Par = param(default=6.0, doc="shape of the response", domain=_shape)
    a_2: Par = param(default=13.0, doc="shape of the undershoot", domain=_shape)
    l: Par = param(default=1.0, doc="rate, per s", domain=positive, unit=HERTZ)  # noqa: E741
    c: Par = param(default=0.4, doc="weight of the undershoot")

    def __call__(self, t: Numbers) -> Array:
        x = plain_value(self.l, u.Hz) * self._seconds(t)
        return _gamma(x, plain_value(self.a_1)) - self.c.value() * _gamma(x, plain_value(self.a_2))
