"""What Wilson–Cowan models with a third, modulatory population share."""

from __future__ import annotations

from abc import abstractmethod

from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.fields import Initializer, nonnegative, state
from brainmass.dynamics.noise import Noise
from brainmass.models.wilson_cowan.base import Populations

__all__ = ["WilsonCowanThreePopBase"]


class WilsonCowanThreePopBase(Populations):
    r"""Base of the models of an excitatory, an inhibitory and a modulatory population.

    A subclass writes `drE(rE, rI, rM, ext)`, `drI(rI, rE, rM, ext)` and `drM(rM, rE, rI, ext)`. The sigmoid
    :math:`F` and the reading of the strengths are those of `WilsonCowanBase`.

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1 (the two-population model that this extends).
    """

    coupling_port = "rE_inp"

    noise_E: Noise | None = None
    noise_I: Noise | None = None
    noise_M: Noise | None = None
    rE_init: Initializer = Constant(0.0)
    rI_init: Initializer = Constant(0.0)
    rM_init: Initializer = Constant(0.0)

    rE: HiddenState = state(
        "rate of the excitatory population", start="rE_init", port="rE_inp", noise="noise_E", domain=nonnegative
    )
    rI: HiddenState = state(
        "rate of the inhibitory population", start="rI_init", port="rI_inp", noise="noise_I", domain=nonnegative
    )
    rM: HiddenState = state(
        "rate of the modulatory population", start="rM_init", port="rM_inp", noise="noise_M", domain=nonnegative
    )

    @abstractmethod
    def drE(self, rE, rI, rM, ext): ...

    @abstractmethod
    def drI(self, rI, rE, rM, ext): ...

    @abstractmethod
    def drM(self, rM, rE, rI, ext): ...
