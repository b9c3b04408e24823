"""Stochastic processes that drive a model: white, coloured and Brownian noise, independent samples."""

from __future__ import annotations

import dataclasses
import functools
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate import HiddenState, LongTermState
from braintools.init import Constant
from jax import lax
from jax.lax.linalg import triangular_solve

from brainmass._common.checks import function, is_traced, numbers, one_of
from brainmass._common.messages import show
from brainmass._common.precision import default_dtype
from brainmass._common.times import time_step
from brainmass.dynamics.declaration import population_shape
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import (
    Domain,
    Initializer,
    Par,
    initial_values,
    nonnegative,
    option,
    param,
    positive,
    spelling,
    state,
)
from brainmass.dynamics.integrators import METHODS

__all__ = [
    "BlueNoise",
    "BrownianNoise",
    "ColoredNoise",
    "GaussianNoise",
    "Noise",
    "OUProcess",
    "PinkNoise",
    "VioletNoise",
    "WhiteNoise",
]


class Noise(Declared):
    """Base of the stochastic processes. `update()` gives this step's sample, shape `(batch..., *in_size)`.

    By hand a noise draws from `brainstate.random`; inside a run the loop hands it numbers that depend only on
    the key and on the step, so that a run is reproducible whatever its blocks, its sampling or its batch.

    Every noise may be correlated along the last axis of the population (`covariance`, or a `factor` of it), and
    may have an `amplitude` that depends on the state of the node it drives: a function of the dict of its states,
    such as `lambda state: state["x"]`, by which the whole sample is multiplied at the port. Of `WhiteNoise` the
    `interpretation` then matters: 'ito' takes the amplitude at the start of each step, 'stratonovich' at each stage
    of the method with one and the same draw, which needs a method of two stages or more, such as 'heun'.
    """

    covariance: Any = spelling(
        "symmetric positive definite matrix (N, N) of plain numbers, by which the samples of N regions "
        "are correlated; `sigma` multiplies it, so that with ones on the diagonal `sigma` keeps its meaning",
        default=None,
    )
    factor: Any = spelling(
        "in place of the covariance a matrix L of shape (N, any), with L Lᵀ the covariance", default=None
    )
    amplitude: Callable[[Mapping[str, Any]], Any] | None = option(
        default=None, check=partial(function, of="the node's states", example='amplitude=lambda state: state["x"]')
    )
    interpretation: str = option(default="ito", check=partial(one_of, known=("ito", "stratonovich")))

    # Standard normals for this step, set by the time loop; None outside a run.
    _handed: ClassVar[Any] = None
    # The transpose of the factor of the covariance, where there is one.
    mixing: ClassVar[Any] = None

    @classmethod
    def translate(cls, given: dict[str, Any]) -> dict[str, Any]:
        names = given.keys() & {"covariance", "factor"}
        if not names:
            return given
        if len(names) == 2:
            raise TypeError(f"{cls.__name__} takes either `covariance` or its `factor`, not both.")
        n, (name,) = population_shape(cls.__name__, given["in_size"])[-1], names
        factor = _factor(f"Argument `{name}` of {cls.__name__}", n, given.pop(name), name == "covariance")
        return given | {"mixing": LongTermState(jnp.asarray(factor.T, default_dtype()))}

    @abstractmethod
    def update(self) -> Any:
        """The next sample, shape (batch..., in_size)."""

    @property
    def draw_shape(self) -> tuple[int, ...]:
        """Shape of the independent standard normals that a step takes."""
        return self.varshape if self.mixing is None else (*self.varshape[:-1], len(self.mixing.value))

    def standard_normal(self) -> Any:
        """Standard normals for this step, correlated if the noise is."""
        if self._handed is not None:
            return self._mixed(self._handed)
        return self._drawn(brainstate.random.DEFAULT)

    def _drawn(self, rng: Any, *extra: int) -> Any:
        """Standard normals from a generator, with further axes before those of the population."""
        rng = brainstate.random.DEFAULT if rng is None else rng
        return self._mixed(rng.randn(*(self._batch or ()), *extra, *self.draw_shape, dtype=default_dtype()))

    def _from(self, init: Initializer, rng: Any) -> Any:
        """Initial values of the state `x`, in the unit of `sigma`."""
        rng = brainstate.random.DEFAULT if rng is None else rng
        spec = dataclasses.replace(self._states["x"], unit=u.get_unit(self.p.sigma))
        return initial_values(self._owner, spec, "init", init, (*(self._batch or ()), *self.varshape), rng)

    def _mixed(self, z: Any) -> Any:
        return z if self.mixing is None else _mix(z, self.mixing.value)

    def scaled(self, sample: Any, values: Mapping[str, Any]) -> Any:
        """A sample as it enters the port of a node whose states have these values."""
        return sample if self.amplitude is None else sample * self.amplitude(values)

    def enters_stages(self, owner: str, method: str) -> bool:
        """Whether the amplitude follows the state through the stages of the method."""
        if self.amplitude is None or self.interpretation == "ito":
            return False
        if METHODS.get(method, METHODS["euler"]) == METHODS["euler"]:
            raise ValueError(
                f"The Stratonovich noise of {owner} needs a method of two stages or more, but its method is "
                f"{method!r}. Example: method='heun'; or interpretation='ito'."
            )
        return True

    def _mean(self) -> Any:
        """The mean; zero, in the unit of sigma, when none was given."""
        return u.maybe_decimal(0.0 * u.get_unit(self.p.sigma)) if self.mean is None else self.p.mean

    def check(self) -> None:
        if {"mean", "sigma"} <= self._params.keys() and self.mean is not None:
            mean, sigma = u.get_unit(self.p.mean), u.get_unit(self.p.sigma)
            if not mean.has_same_dim(sigma):
                raise u.UnitMismatchError(
                    f"Argument `mean` of {self._owner} must have the unit of `sigma` ({sigma}), but is {self.p.mean}."
                )


class GaussianNoise(Noise):
    r"""Independent samples :math:`\mu + \sigma z` at every step.

    The standard deviation of the *sample* is `sigma`, so its effect inside a drift depends on the time step
    (it vanishes as :math:`\sqrt{dt}`): `WhiteNoise` is the process whose effect does not.
    """

    mean: Par = param(default=None, doc="mean; default zero", unit="any")
    sigma: Par = param(default=1.0 * u.nA, doc="standard deviation of a sample", domain=nonnegative, unit="any")

    def update(self) -> Any:
        """The next sample, shape (batch..., in_size)."""
        return self._mean() + self.p.sigma * self.standard_normal()


class WhiteNoise(Noise):
    r"""Continuous-time white noise: :math:`\mu + \sigma\, z/\sqrt{dt/\mathrm{ms}}` at every step.

    Fed to a drift, it accumulates a standard deviation `sigma` over :math:`\sqrt{\mathrm{ms}}`, whatever the
    time step. An additive noise of strength :math:`D` per ms (as in The Virtual Brain) is
    `sigma = sqrt(2 D)`.
    """

    mean: Par = param(default=None, doc="mean; default zero", unit="any")
    sigma: Par = param(
        default=1.0 * u.nA,
        doc="standard deviation accumulated over a millisecond",
        domain=nonnegative,
        unit="any",
    )

    def update(self) -> Any:
        """The next sample, shape (batch..., in_size)."""
        steps_per_ms = u.maybe_decimal(u.ms / time_step(self._owner))
        return self._mean() + self.p.sigma * (steps_per_ms**0.5 * self.standard_normal())


class OUProcess(Noise):
    r"""Ornstein–Uhlenbeck process, :math:`dX = (\mu - X)\,dt/\tau + (\sigma/\sqrt\tau)\,dW`.

    Stationary standard deviation :math:`\sigma/\sqrt2` and correlation time `tau`, exactly, at any time step.
    It starts at its mean, or from its stationary law with `start='stationary'`.
    """

    mean: Par = param(default=None, doc="mean; default zero", unit="any")
    sigma: Par = param(
        default=1.0 * u.nA, doc="√2 times the stationary standard deviation", domain=nonnegative, unit="any"
    )
    tau: Par = param(default=10.0 * u.ms, doc="correlation time", domain=positive)
    init: Initializer | None = None
    start: str = option(default="mean", check=partial(one_of, known=("mean", "stationary")))

    x: HiddenState = state("present value", unit=None, start="init")

    def _initial(self, rng: Any) -> dict[str, Any]:
        zero = u.math.zeros((*(self._batch or ()), *self.varshape), dtype=default_dtype())
        spread = self._drawn(rng) / 2**0.5 if self.start == "stationary" else zero
        base = self._mean() if self.init is None else self._from(self.init, rng)
        return {"x": base + self.p.sigma * spread}

    def update(self) -> Any:
        """The next sample, shape (batch..., in_size)."""
        p, mean = self.p, self._mean()
        decay = u.maybe_decimal(time_step(self._owner) / p.tau)
        spread = u.math.sqrt(-u.math.expm1(-2 * decay) / 2)
        self.x.value = mean + (self.x.value - mean) * u.math.exp(-decay) + p.sigma * (spread * self.standard_normal())
        return self.x.value


class BrownianNoise(Noise):
    r"""Brownian motion: :math:`\mu + x_0 + \sigma W_t`, with variance :math:`\sigma^2 t/\mathrm{ms}` at any time step.

    It is not stationary; `ColoredNoise(beta=2)` is the stationary process of the same slope.
    """

    mean: Par = param(default=None, doc="mean; default zero", unit="any")
    sigma: Par = param(
        default=1.0 * u.nA,
        doc="standard deviation accumulated over a millisecond",
        domain=nonnegative,
        unit="any",
    )
    init: Initializer = Constant(0.0)

    x: HiddenState = state("present value, less the mean", unit=None, start="init")

    def _initial(self, rng: Any) -> dict[str, Any]:
        return {"x": self._from(self.init, rng)}

    def update(self) -> Any:
        """The next sample, shape (batch..., in_size)."""
        elapsed = u.maybe_decimal(time_step(self._owner) / u.ms)
        self.x.value = self.x.value + self.p.sigma * (elapsed**0.5 * self.standard_normal())
        return self._mean() + self.x.value


_SECTIONS = 8
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

    _prepared: ClassVar[Any] = None

    def check(self) -> None:
        super().check()
        band = 10.0 if self.high is None else u.maybe_decimal(self.p.high / self.p.low)
        if not is_traced(band) and np.any(np.asarray(band) < 10):
            raise ValueError(
                f"Argument `high` of {self._owner} must be at least ten times `low`, "
                f"but is {show(self.p.high)}, with low={show(self.p.low)}."
            )

    def _exponent(self) -> Any:
        return self.p.beta

    def _initial(self, rng: Any) -> dict[str, Any]:
        return {"past": self._drawn(rng, _SECTIONS + (self.high is not None))}

    def prepare(self) -> tuple:
        """The filter of a step, from the exponent and the corner frequencies as radians per step."""
        dt = time_step(self._owner)
        # Corners beyond the sampling rate would have no effect.
        high = 1.0 if self.high is None else jnp.minimum(u.maybe_decimal(self.p.high * dt), 1.0)
        low = jnp.minimum(u.maybe_decimal(self.p.low * dt), high / 10)
        return _filter(self._exponent(), 2 * np.pi * low, 2 * np.pi * high, self.high is not None, len(self.varshape))

    def update(self) -> Any:
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

    def _exponent(self) -> Any:
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
def _filter(beta: Any, low: Any, high: Any, falls_off: bool, ndim: int) -> tuple:
    """`rows`, `entry`, `weight` of x ← A x + b z, y = c·x + z, fast sections first, and the standard deviation of y.

    Arrays of shape (section, ..., *in_size). The rows of [A b] are orthonormal.
    """
    width = jnp.log(high / low) / _SECTIONS
    place = np.arange(_SECTIONS)[::-1].reshape(-1, *[1] * ndim) + 0.5
    pole, zero = (low * jnp.exp(width * (place + shift)) for shift in (-beta / 4, beta / 4))
    if falls_off:
        fall = jnp.broadcast_to(high * jnp.exp(width / 2), pole[:1].shape)
        pole, zero = jnp.concatenate([fall, pole]), jnp.concatenate([jnp.full_like(fall, np.inf), zero])
    p, gain = jnp.exp(-pole), jnp.sqrt(-jnp.expm1(-2 * pole))

    # At each pole the weighted sum of the sections is the transfer function minus one: a triangular system.
    target = jnp.expm1(jnp.sum(_log1mexp(zero[:, None] + pole) - _log1mexp(pole[:, None] + pole), axis=0))
    apart = -jnp.expm1(-(pole[:, None] + pole))
    section = gain[:, None] * p / apart * _product_before(p[:, None] * jnp.expm1(pole[:, None] - pole) / apart)
    matrix, right = jnp.moveaxis(section, (0, 1), (-2, -1)), jnp.moveaxis(target, 0, -1)[..., None, :]
    weight = jnp.moveaxis(triangular_solve(matrix, right)[..., 0, :], -1, 0)

    direct = _product_before(-p)
    chain = gain[:, None] * gain * direct[:, None] / (-p * direct)
    k = np.arange(len(p)).reshape(-1, *[1] * p.ndim)
    rows = jnp.where(k > k[:, 0], chain, jnp.where(k == k[:, 0], p, 0.0))
    return rows, gain * direct, weight, jnp.sqrt(1 + jnp.sum(weight**2, axis=0))


def _log1mexp(x: Any) -> Any:
    """log(1 − e^−x), to all digits."""
    return jnp.where(x < 0.7, jnp.log(-jnp.expm1(-x)), jnp.log1p(-jnp.exp(-x)))


def _product_before(x: Any) -> Any:
    """For each index along the first axis the product of all before it."""
    return jnp.concatenate([jnp.ones_like(x[:1]), jnp.cumprod(x[:-1], axis=0)])


def _mix(z: jax.Array, factor: jax.Array) -> jax.Array:
    """`z @ factor` summed in one order: that of a matrix product, and so its last bits, would vary with the batch."""
    fill = -len(factor) % 8
    z = jnp.pad(z, [(0, 0)] * (z.ndim - 1) + [(0, fill)]).reshape(*z.shape[:-1], -1, 8, 1)
    factor = jnp.pad(factor, ((0, fill), (0, 0))).reshape(-1, 8, factor.shape[1])
    parts = z[..., 0, :] * factor[:, 0]
    for k in range(1, 8):
        parts = parts + z[..., k, :] * factor[:, k]
    total = parts[..., 0, :]
    for k in range(1, len(factor)):
        total = total + parts[..., k, :]
    return total


def _factor(what: str, n: int, given: Any, is_covariance: bool) -> np.ndarray:
    """The checked factor of a covariance, from either."""
    given = numbers(what, given)
    if u.get_unit(given).dim != u.DIMENSIONLESS:
        raise u.UnitMismatchError(
            f"{what} must be of plain numbers, since `sigma` carries the unit, but is in {u.get_unit(given)}."
        )
    given = np.asarray(u.maybe_decimal(given))
    shape = (n, n) if is_covariance else (n, *given.shape[1:2])
    if given.shape != shape or given.ndim != 2:
        raise ValueError(f"{what} must have shape ({n}, {n if is_covariance else 'any'}), but has shape {given.shape}.")
    matrix = given.astype(float)
    if not np.isfinite(matrix).all():
        raise ValueError(f"{what} must be finite, but holds infinite values or NaN.")
    if not is_covariance:
        return matrix
    rounding = n * np.finfo(given.dtype if given.dtype.kind == "f" else float).eps * np.abs(matrix).max()
    if np.abs(matrix - matrix.T).max() > rounding:
        raise ValueError(
            f"{what} must be symmetric, but differs from its transpose by {np.abs(matrix - matrix.T).max():.3g}."
        )
    smallest = np.linalg.eigvalsh(matrix)[0]
    if smallest <= rounding:
        raise ValueError(
            f"{what} must be positive definite, but its smallest eigenvalue is {smallest:.3g}. "
            "Of a semidefinite one give a `factor` L, with L Lᵀ the covariance."
        )
    return np.linalg.cholesky((matrix + matrix.T) / 2)
