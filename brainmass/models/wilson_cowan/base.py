"""What the members of the Wilson–Cowan family share: populations, their transfer function, groups of parameters.

A member of the family is put together from groups. The order of its base classes is that of its arguments.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import brainunit as u
import jax
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.base import NeuralMassDynamics
from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state
from brainmass.noise import Noise

__all__ = ["Populations", "Refractoriness", "Sigmoids", "Weights", "WilsonCowanBase", "weight"]


class Populations(NeuralMassDynamics):
    """Populations whose rates relax to their response to excitation, inhibition and external input."""

    def F(self, x: Any, a: Any, theta: Any) -> Any:
        """Sigmoid of slope `a` around the threshold `theta`, shifted to be zero at zero."""
        return jax.nn.sigmoid(a * (x - theta)) - jax.nn.sigmoid(-a * theta)

    def _relax(self, k: str, rate: Any, exc: Any, inh: Any, ext: Any) -> Any:
        """Rate of change of population `k`."""
        return (-rate + self._available(rate) * self._response(k, exc, inh, ext)) / self._of(k, "tau")

    def _response(self, k: str, exc: Any, inh: Any, ext: Any) -> Any:
        return self._transfer(k, exc - inh + ext)

    def _transfer(self, k: str, x: Any) -> Any:
        return self.F(x, self._of(k, "a"), self._of(k, "theta"))

    def _available(self, rate: Any) -> Any:
        """The share of the population that can respond."""
        return 1.0

    def _of(self, k: str, name: str) -> Any:
        """A constant of population `k`."""
        return getattr(self.p, f"{name}_{k}")


class WilsonCowanBase(Populations):
    r"""Base of the models of an excitatory and an inhibitory population: rates :math:`r_E, r_I`.

    .. math::
        F(x; a, \theta) = \frac{1}{1 + e^{-a(x - \theta)}} - \frac{1}{1 + e^{a\theta}}

    A subclass writes `drE(rE, rI, ext)` and `drI(rI, rE, ext)`. In the whole family `wXY` is the strength from X to
    Y, not negative: the equations write the sign of inhibition.

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1-24.
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


# --- groups of parameters -----------------------------------------------------------------------------------
def weight(default: float, path: str) -> Any:
    """The row of a connection strength."""
    return param(default=default, doc=f"strength from {path}", domain=nonnegative)


class Sigmoids(Populations):
    """Time constants and sigmoids of the populations E and I."""

    tau_E: Par = param(default=1.0 * u.ms, doc="time constant of the excitatory population", domain=positive)
    a_E: Par = param(default=1.2, doc="slope of the excitatory sigmoid", domain=positive)
    theta_E: Par = param(default=2.8, doc="threshold of the excitatory sigmoid")
    tau_I: Par = param(default=1.0 * u.ms, doc="time constant of the inhibitory population", domain=positive)
    a_I: Par = param(default=1.0, doc="slope of the inhibitory sigmoid", domain=positive)
    theta_I: Par = param(default=4.0, doc="threshold of the inhibitory sigmoid")


class Weights(Populations):
    """Connection strengths of Wilson and Cowan 1972: their c1, c2, c3, c4."""

    wEE: Par = weight(12.0, "E to E")
    wIE: Par = weight(4.0, "I to E")
    wEI: Par = weight(13.0, "E to I")
    wII: Par = weight(11.0, "I to I")


class Refractoriness(Populations):
    """Active neurons do not respond for a while."""

    r: Par = param(default=1.0, doc="refractory period", domain=nonnegative)

    def _available(self, rate: Any) -> Any:
        return 1 - self.p.r * rate
