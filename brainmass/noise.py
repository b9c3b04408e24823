"""Stochastic processes that drive a model: white and Ornstein-Uhlenbeck noise, independent samples."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import Any

import brainstate
import brainunit as u
from brainstate import HiddenState

from brainmass.dynamics.base import Declared, time_step
from brainmass.dynamics.fields import (
    Initializer,
    Par,
    default_dtype,
    initial_values,
    nonnegative,
    option,
    param,
    positive,
    state,
)

__all__ = ["GaussianNoise", "Noise", "OUProcess", "WhiteNoise"]


class Noise(Declared):
    """Base of the stochastic processes. `update()` gives this step's sample, shape `(batch..., *in_size)`.

    By hand a noise draws from `brainstate.random`; inside a run the loop hands it numbers that depend only on
    the key and on the step, so that a run is reproducible whatever its blocks, its sampling or its batch.
    """

    # Standard normals for this step, set by the time loop; None outside a run.
    _handed = None

    @abstractmethod
    def update(self) -> Any: ...

    def standard_normal(self) -> Any:
        """Independent standard normals for this step."""
        if self._handed is not None:
            return self._handed
        shape = (*(self._batch or ()), *self.varshape)
        return brainstate.random.randn(*shape, dtype=default_dtype())

    def _mean(self) -> Any:
        """The mean; zero, in the unit of sigma, when none was given."""
        return u.maybe_decimal(0.0 * u.get_unit(self.p.sigma)) if self.mean is None else self.p.mean

    def __setattr__(self, key: str, value: Any) -> None:
        super().__setattr__(key, value)
        if self._checked and {"mean", "sigma"} <= vars(self).keys() and self.mean is not None:
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
    start: str = option(default="mean")

    x: HiddenState = state("present value", unit=None, start="init")

    def __setattr__(self, key: str, value: Any) -> None:
        if self._checked and key == "start" and value not in ("mean", "stationary"):
            raise ValueError(f"Argument `start` of {self._owner} must be 'mean' or 'stationary', but is {value!r}.")
        super().__setattr__(key, value)

    def _initial(self, rng: Any) -> dict[str, Any]:
        rng = brainstate.random.DEFAULT if rng is None else rng
        shape = (*(self._batch or ()), *self.varshape)
        zero = u.math.zeros(shape, dtype=default_dtype())
        spread = rng.randn(*shape, dtype=default_dtype()) / 2**0.5 if self.start == "stationary" else zero
        base = self._mean()
        if self.init is not None:
            spec = dataclasses.replace(self._states["x"], unit=u.get_unit(self.p.sigma))
            base = initial_values(self._owner, spec, "init", self.init, shape, rng)
        return {"x": base + self.p.sigma * spread}

    def update(self) -> Any:
        p, mean = self.p, self._mean()
        decay = u.maybe_decimal(time_step(self._owner) / p.tau)
        spread = u.math.sqrt(-u.math.expm1(-2 * decay) / 2)
        self.x.value = mean + (self.x.value - mean) * u.math.exp(-decay) + p.sigma * (spread * self.standard_normal())
        return self.x.value
