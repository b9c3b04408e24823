"""Noise whose spectrum is a power of the frequency."""

from __future__ import annotations

import functools
from typing import ClassVar

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate import HiddenState
from braintools.init import Constant
from jax import lax
from jax.lax.linalg import triangular_solve

from brainmass._common.checks import is_traced
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.times import time_step
from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import (
    Domain,
    Par,
    nonnegative,
    param,
    positive,
    state,
)
from brainmass.dynamics.noise import Noise

__all__ = ["BlueNoise", "ColoredNoise", "PinkNoise", "VioletNoise"]

_SECTIONS = 8  # poles and zeros between `low` and `high`, or the fastest frequency that there is
_colors = Domain("between -2 and 2", lambda x: (x >= -2) & (x <= 2), (-2.1, 2.1, np.nan))


class ColoredNoise(Noise):
    r"""Noise coloured in time: spectral density :math:`\propto f^{-\beta}` for frequencies from `low` to `high`.

    The standard deviation of a sample is `sigma` at any time step, and the process is stationary from its first
    sample on. Below `low` its spectrum is flat. With a `high` well below :math:`1/dt`, above which the density falls
    off as :math:`f^{-2}`, its law does not depend on the time step, up to :math:`O(dt^2)`. Without one the slope goes
    on as far as the time step allows, and it is the standard deviation alone that does not depend on `dt`: where most
    of the power lies at high frequencies, :math:`\beta < 1`, the density at a given frequency goes as
    :math:`dt^{1-\beta}`.

    The filter has eight poles and zeros, evenly spaced in log frequency as in Oustaloup, Levron, Mathieu, Nanot 2000,
    IEEE Trans. Circuits Syst. I 47:25, and takes one normal per step. It runs as a chain of all-pass sections, whose
    states are independent standard normals at all times and for any time step.
    """

    beta: Par = param(default=1.0, doc="exponent: 1 pink, 2 brown, 0 white, -1 blue, -2 violet", domain=_colors)
    mean: Par = param(default=None, doc="mean; default zero", unit="any")
    sigma: Par = param(default=1.0 * u.nA, doc="standard deviation of a sample", domain=nonnegative, unit="any")
    low: Par = param(default=0.1 * u.Hz, doc="frequency where the slope begins", domain=positive, kw_only=True)
    high: Par = param(
        default=None,
        doc="frequency where it ends, at least ten times `low`; default as high as the time step allows",
        domain=positive,
        unit=u.Hz,
        kw_only=True,
    )

    past: HiddenState = state("states of the filter, (batch..., section, in_size)", start=Constant(0.0))

    _prepared: ClassVar[Numbers] = None

    def check(self) -> None:
        super().check()
        band = 10.0 if self.high is None else u.maybe_decimal(self.p.high / self.p.low)
        if not is_traced(band) and np.any(np.asarray(band) < 10):
            raise argument_error(
                Argument("high", self._owner),
                "must be at least ten times `low`",
                f"is {show(self.p.high)}, with low={show(self.p.low)}",
            )

    def _exponent(self) -> Numbers:
        return self.p.beta

    def _initial(self, rng: brainstate.random.RandomState | None) -> dict[str, Numbers]:
        # Standard normals are the stationary law of the sections: there is no transient.
        return {"past": self._drawn(rng, _SECTIONS + (self.high is not None))}

    def prepare(self) -> tuple:
        """The filter of a step, from the exponent and the corner frequencies as radians per step."""
        dt = time_step(self._owner)
        # Corners beyond the sampling rate would have no effect.
        high = 1.0 if self.high is None else jnp.minimum(u.maybe_decimal(self.p.high * dt), 1.0)
        low = jnp.minimum(u.maybe_decimal(self.p.low * dt), high / 10)
        return _filter(self._exponent(), 2 * np.pi * low, 2 * np.pi * high, self.high is not None, len(self.varshape))

    def update(self) -> Numbers:
        """The next sample, shape (batch..., in_size)."""
        rows, entry, weight, spread = self.prepare() if self._prepared is None else self._prepared
        axis = -1 - len(self.varshape)
        z, past = self.standard_normal(), jnp.asarray(self.past.value)
        # Sums written out, for the reason given at `_mix`.
        each = [lax.index_in_dim(past, k, axis) for k in range(len(rows))]
        total = sum((weight[k] * x.squeeze(axis) for k, x in enumerate(each)), start=z)
        self.past.value = sum(rows[:, k] * x for k, x in enumerate(each)) + entry * jnp.expand_dims(z, axis)
        return self._mean() + self.p.sigma * (total / spread)


class _FixedColor(ColoredNoise):
    beta: ClassVar[float]  # pyright: ignore[reportIncompatibleVariableOverride]

    def _exponent(self) -> float:
        return self.beta


class PinkNoise(_FixedColor):
    r"""`ColoredNoise` of spectral density :math:`\propto 1/f`."""

    beta = 1.0


class BlueNoise(_FixedColor):
    r"""`ColoredNoise` of spectral density :math:`\propto f`."""

    beta = -1.0


class VioletNoise(_FixedColor):
    r"""`ColoredNoise` of spectral density :math:`\propto f^2`, as that of differences of white noise."""

    beta = -2.0


@functools.partial(jax.jit, static_argnums=(3, 4))
def _filter(beta: Numbers, low: Numbers, high: Numbers, falls_off: bool, ndim: int) -> tuple:
    """`rows`, `entry`, `weight` of x ← A x + b z, y = c·x + z, fast sections first, and the standard deviation of y.

    Arrays of shape (section, ..., *in_size). The rows of [A b] are orthonormal.
    """
    width = jnp.log(high / low) / _SECTIONS
    # The middles of equal parts of the band, in its logarithm, from the fastest on.
    place = np.arange(_SECTIONS)[::-1].reshape(-1, *[1] * ndim) + 0.5
    # A density of f^-beta is an amplitude of f^(-beta/2): from a pole to its zero it is beta/2 of the way to the next
    # pole.
    pole, zero = (low * jnp.exp(width * (place + shift)) for shift in (-beta / 4, beta / 4))
    if falls_off:
        # One more pole, at the next place, without a zero: beyond it the amplitude falls as 1/f.
        fall = jnp.broadcast_to(high * jnp.exp(width / 2), pole[:1].shape)
        pole, zero = jnp.concatenate([fall, pole]), jnp.concatenate([jnp.full_like(fall, np.inf), zero])
    # A section with the input u: x becomes p x + g u, and g x - p u goes on to the next, with p² + g² = 1.
    p, gain = jnp.exp(-pole), jnp.sqrt(-jnp.expm1(-2 * pole))

    # At each pole the weighted sum of the sections is the transfer function minus one: a triangular system.
    target = jnp.expm1(jnp.sum(_log1mexp(zero[:, None] + pole) - _log1mexp(pole[:, None] + pole), axis=0))
    apart = -jnp.expm1(-(pole[:, None] + pole))
    section = gain[:, None] * p / apart * _product_before(p[:, None] * jnp.expm1(pole[:, None] - pole) / apart)
    matrix, right = jnp.moveaxis(section, (0, 1), (-2, -1)), jnp.moveaxis(target, 0, -1)[..., None, :]
    weight = jnp.moveaxis(triangular_solve(matrix, right)[..., 0, :], -1, 0)

    # Section k gets from section j what that lets out, g_j x_j, times -p of each one between them.
    direct = _product_before(-p)
    chain = gain[:, None] * gain * direct[:, None] / (-p * direct)
    k = np.arange(len(p)).reshape(-1, *[1] * p.ndim)
    rows = jnp.where(k > k[:, 0], chain, jnp.where(k == k[:, 0], p, 0.0))
    return rows, gain * direct, weight, jnp.sqrt(1 + jnp.sum(weight**2, axis=0))


def _log1mexp(x: Numbers) -> jax.Array:
    """log(1 − e^−x), to all digits."""
    # On either side of ln 2 the form that keeps the digits of what is near zero there.
    return jnp.where(x < 0.7, jnp.log(-jnp.expm1(-x)), jnp.log1p(-jnp.exp(-x)))


def _product_before(x: Numbers) -> jax.Array:
    """For each index along the first axis the product of all before it."""
    return jnp.concatenate([jnp.ones_like(x[:1]), jnp.cumprod(x[:-1], axis=0)])
