"""What the members of the Wilson–Cowan family share: populations and their transfer function."""

from __future__ import annotations

from abc import abstractmethod

import jax
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.typing import Array, Numbers
from brainmass.dynamics.fields import Initializer, nonnegative, state
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise

__all__ = ["Populations", "WilsonCowanBase"]


class Populations(NeuralMassDynamics):
    """Populations whose rates relax to their response to excitation, inhibition and external input."""

    def F(self, x: Numbers, a: Numbers, theta: Numbers) -> jax.Array:
        """Sigmoid of slope `a` around the threshold `theta`, shifted to be zero at zero."""
        return jax.nn.sigmoid(a * (x - theta)) - jax.nn.sigmoid(-a * theta)

    def _relax(self, k: str, rate: Array, exc: Numbers, inh: Numbers, ext: Numbers) -> Numbers:
        """Rate of change of population `k`."""
        return (-rate + self._available(rate) * self._response(k, exc, inh, ext)) / self._of(k, "tau")

    def _response(self, k: str, exc: Array, inh: Array, ext: Array) -> jax.Array:
        return self._transfer(k, exc - inh + ext)

    def _transfer(self, k: str, x: Array) -> jax.Array:
        return self.F(x, self._of(k, "a"), self._of(k, "theta"))

    def _available(self, rate: Array) -> float:
        """The share of the population that can respond."""
        return 1.0

    def _of(self, k: str, name: str) -> Numbers:
        """A constant of population `k`."""
        return getattr(self.p, f"{name}_{k}")


class WilsonCowanBase(Populations):
    r"""Base of the models of an excitatory and an inhibitory population: rates :math:`r_E, r_I`.

    .. math::
        F(x; a, \theta) = \frac{1}{1 + e^{-a(x - \theta)}} - \frac{1}{1 + e^{a\theta}}

    A subclass writes `drE(rE, rI, ext)` and `drI(rI, rE, ext)`. In the whole family `wXY` is the strength from X to
    Y, not negative: the equations write the sign of inhibition.

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1.
    """

    coupling_port = "rE_inp"

    noise_E: Noise | None = None
    noise_I: Noise | None = None
    rE_init: Initializer = Constant(0.0)
    rI_init: Initializer = Constant(0.0)

    rE: HiddenState = state(
        "rate of the excitatory population", start="rE_init", port="rE_inp", noise="noise_E", domain=nonnegative
    )
    rI: HiddenState = state(
        "rate of the inhibitory population", start="rI_init", port="rI_inp", noise="noise_I", domain=nonnegative
    )

    @abstractmethod
    def drE(self, rE, rI, ext): ...

    @abstractmethod
    def drI(self, rI, rE, ext): ...


class _Recurrent(WilsonCowanBase):
    """Two populations that excite and inhibit each other and themselves."""

    def drE(self, rE, rI, ext):
        return self._relax("E", rE, *self._onto_E(rE, rI), ext)

    def drI(self, rI, rE, ext):
        return self._relax("I", rI, *self._onto_I(rE, rI), ext)

    def _onto_E(self, rE, rI):
        """Excitation and inhibition that the excitatory population receives."""
        return self.p.wEE * rE, self.p.wIE * rI

    def _onto_I(self, rE, rI):
        """Excitation and inhibition that the inhibitory population receives."""
        return self.p.wEI * rE, self.p.wII * rI
