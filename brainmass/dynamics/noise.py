"""Stochastic processes that drive a model: white noise, Ornstein–Uhlenbeck, Brownian motion, independent samples."""

from __future__ import annotations

import dataclasses
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

from brainmass._common.checks import function, numbers, one_of
from brainmass._common.messages import Argument, argument_error
from brainmass._common.precision import default_dtype
from brainmass._common.times import time_step
from brainmass._common.typing import Array, Numbers
from brainmass.dynamics.checks import initial_values
from brainmass.dynamics.declaration import population_shape
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, Par, nonnegative, option, param, positive, spelling, state
from brainmass.dynamics.integrators import METHODS

__all__ = [
    "BrownianNoise",
    "GaussianNoise",
    "Noise",
    "OUProcess",
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
    amplitude: Callable[[Mapping[str, Numbers]], Numbers] | None = option(
        default=None, check=partial(function, of="the node's states", example='amplitude=lambda state: state["x"]')
    )
    interpretation: str = option(default="ito", check=partial(one_of, known=("ito", "stratonovich")))

    # Standard normals for this step, set by the time loop; None outside a run.
    _handed: ClassVar[Numbers] = None
    # The transpose of the factor of the covariance, where there is one.
    mixing: ClassVar[Numbers] = None

    @classmethod
    def translate(cls, given: dict[str, object]) -> dict[str, Any]:
        names = given.keys() & {"covariance", "factor"}
        if not names:
            return given
        if len(names) == 2:
            raise TypeError(f"{cls.__name__} takes either `covariance` or its `factor`, not both.")
        # Correlated are regions, the last axis of a population.
        n, (name,) = population_shape(cls.__name__, given["in_size"])[-1], names
        factor = _factor(Argument(name, cls.__name__), n, given.pop(name), name == "covariance")
        # As a table a run takes it for an argument: another one of its shape needs no other program.
        return given | {"mixing": LongTermState(jnp.asarray(factor.T, default_dtype()))}

    @abstractmethod
    def update(self) -> Numbers:
        """The next sample, shape (batch..., in_size)."""

    @property
    def draw_shape(self) -> tuple[int, ...]:
        """Shape of the independent standard normals that a step takes."""
        return self.varshape if self.mixing is None else (*self.varshape[:-1], len(self.mixing.value))

    def standard_normal(self) -> Numbers:
        """Standard normals for this step, correlated if the noise is."""
        if self._handed is not None:
            return self._mixed(self._handed)
        return self._drawn(brainstate.random.DEFAULT)

    def _drawn(self, rng: Any, *extra: int) -> Numbers:
        """Standard normals from a generator, with further axes before those of the population."""
        rng = brainstate.random.DEFAULT if rng is None else rng
        return self._mixed(rng.randn(*(self._batch or ()), *extra, *self.draw_shape, dtype=default_dtype()))

    def _from(self, init: Initializer, rng: Any) -> Numbers:
        """Initial values of the state `x`, in the unit of `sigma`."""
        rng = brainstate.random.DEFAULT if rng is None else rng
        spec = dataclasses.replace(self._states["x"], unit=u.get_unit(self.p.sigma))
        return initial_values(self._owner, spec, "init", init, (*(self._batch or ()), *self.varshape), rng)

    def _mixed(self, z: Numbers) -> Numbers:
        return z if self.mixing is None else _mix(z, self.mixing.value)

    def scaled(self, sample: Numbers, values: Mapping[str, Array]) -> Numbers:
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

    def _mean(self) -> Numbers:
        """The mean; zero, in the unit of sigma, when none was given."""
        return u.maybe_decimal(0.0 * u.get_unit(self.p.sigma)) if self.mean is None else self.p.mean

    def check(self) -> None:
        if {"mean", "sigma"} <= self._params.keys() and self.mean is not None:
            mean, sigma = u.get_unit(self.p.mean), u.get_unit(self.p.sigma)
            if not mean.has_same_dim(sigma):
                raise argument_error(
                    Argument("mean", self._owner),
                    f"must have the unit of `sigma` ({sigma})",
                    f"is {self.p.mean}",
                    kind=u.UnitMismatchError,
                )


class GaussianNoise(Noise):
    r"""Independent samples :math:`\mu + \sigma z` at every step.

    The standard deviation of the *sample* is `sigma`, so its effect inside a drift depends on the time step
    (it vanishes as :math:`\sqrt{dt}`): `WhiteNoise` is the process whose effect does not.
    """

    mean: Par = param(default=None, doc="mean; default zero", unit="any")
    sigma: Par = param(default=1.0 * u.nA, doc="standard deviation of a sample", domain=nonnegative, unit="any")

    def update(self) -> Numbers:
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

    def update(self) -> Numbers:
        """The next sample, shape (batch..., in_size)."""
        # A drift multiplies it by dt: sigma z √(dt/ms) is then the increment of a step.
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

    def _initial(self, rng: brainstate.random.RandomState | None) -> dict[str, Numbers]:
        zero = u.math.zeros((*(self._batch or ()), *self.varshape), dtype=default_dtype())
        # Of the stationary law, with standard deviation sigma/√2.
        spread = self._drawn(rng) / 2**0.5 if self.start == "stationary" else zero
        base = self._mean() if self.init is None else self._from(self.init, rng)
        return {"x": base + self.p.sigma * spread}

    def update(self) -> Numbers:
        """The next sample, shape (batch..., in_size)."""
        p, mean = self.p, self._mean()
        # The law of a step, exactly (Gillespie 1996, Phys. Rev. E 54:2084); 1 - exp by expm1, which keeps its digits at
        # small steps.
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

    def _initial(self, rng: brainstate.random.RandomState | None) -> dict[str, Numbers]:
        return {"x": self._from(self.init, rng)}

    def update(self) -> Numbers:
        """The next sample, shape (batch..., in_size)."""
        elapsed = u.maybe_decimal(time_step(self._owner) / u.ms)
        self.x.value = self.x.value + self.p.sigma * (elapsed**0.5 * self.standard_normal())
        return self._mean() + self.x.value


def _mix(z: jax.Array, factor: jax.Array) -> jax.Array:
    """`z @ factor` summed in one order: that of a matrix product, and so its last bits, would vary with the batch."""
    # Filled up with zeros, which add nothing, to whole eights.
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


def _factor(what: str, n: int, given: object, is_covariance: bool) -> np.ndarray:
    """The checked factor of a covariance, from either."""
    given = numbers(what, given)
    if u.get_unit(given).dim != u.DIMENSIONLESS:
        raise argument_error(
            what,
            "must be of plain numbers, since `sigma` carries the unit",
            f"is in {u.get_unit(given)}",
            kind=u.UnitMismatchError,
        )
    given = np.asarray(u.maybe_decimal(given))
    shape = (n, n) if is_covariance else (n, *given.shape[1:2])
    if given.shape != shape or given.ndim != 2:
        raise argument_error(
            what, f"must have shape ({n}, {n if is_covariance else 'any'})", f"has shape {given.shape}"
        )
    matrix = given.astype(float)
    if not np.isfinite(matrix).all():
        raise argument_error(what, "must be finite", "holds infinite values or NaN")
    if not is_covariance:
        return matrix
    # By so much rounding of its entries can move an eigenvalue.
    rounding = n * np.finfo(given.dtype if given.dtype.kind == "f" else float).eps * np.abs(matrix).max()
    if np.abs(matrix - matrix.T).max() > rounding:
        raise argument_error(
            what, "must be symmetric", f"differs from its transpose by {np.abs(matrix - matrix.T).max():.3g}"
        )
    smallest = np.linalg.eigvalsh(matrix)[0]
    if smallest <= rounding:
        raise argument_error(
            what,
            "must be positive definite",
            f"its smallest eigenvalue is {smallest:.3g}",
            hint="Of a semidefinite one give a `factor` L, with L Lᵀ the covariance.",
        )
    return np.linalg.cholesky((matrix + matrix.T) / 2)
