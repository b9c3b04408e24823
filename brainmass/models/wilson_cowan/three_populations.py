"""Wilson–Cowan with a third, modulatory population."""

from __future__ import annotations

from abc import abstractmethod

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state
from brainmass.models.wilson_cowan.base import Populations, Refractoriness, Sigmoids, Weights, weight
from brainmass.noise import Noise

__all__ = ["WilsonCowanThreePopBase", "WilsonCowanThreePopulationStep"]


class WilsonCowanThreePopBase(Populations):
    r"""Base of the models of an excitatory, an inhibitory and a modulatory population.

    A subclass writes `drE(rE, rI, rM, ext)`, `drI(rI, rE, rM, ext)` and `drM(rM, rE, rI, ext)`. The sigmoid
    :math:`F` and the reading of the strengths are those of `WilsonCowanBase`.

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1-24 (the two-population model that this extends).
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


class ModulatorySigmoid(Populations):
    """Time constant and sigmoid of the population M."""

    tau_M: Par = param(default=2.0 * u.ms, doc="time constant of the modulatory population", domain=positive)
    a_M: Par = param(default=1.0, doc="slope of the modulatory sigmoid", domain=positive)
    theta_M: Par = param(default=3.5, doc="threshold of the modulatory sigmoid")


class ModulatoryWeights(Populations):
    """Connection strengths of the population M."""

    wME: Par = weight(4.0, "M to E")
    wMI: Par = weight(2.0, "M to I")
    wEM: Par = weight(8.0, "E to M")
    wIM: Par = weight(6.0, "I to M")
    wMM: Par = weight(2.0, "M to M")


class WilsonCowanThreePopulationStep(
    Sigmoids, ModulatorySigmoid, Weights, ModulatoryWeights, Refractoriness, WilsonCowanThreePopBase
):
    r"""Wilson–Cowan with a modulatory population M, which excites and is driven like E.

    .. math::
        \tau_k\dot r_k &= -r_k + (1 - r\,r_k)\, F(x_k + I_k; a_k, \theta_k), \qquad k = E, I, M \\
        x_k &= w_{Ek} r_E - w_{Ik} r_I + w_{Mk} r_M

    with :math:`F` of `WilsonCowanBase`.

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1-24; a third population as motivated by Pfeffer et al. 2013,
    Nat. Neurosci. 16:1068-1076.
    """

    use_case = "cortical circuits with a second, slower excitatory population"

    def drE(self, rE, rI, rM, ext):
        p = self.p
        return self._relax("E", rE, p.wEE * rE + p.wME * rM, p.wIE * rI, ext)

    def drI(self, rI, rE, rM, ext):
        p = self.p
        return self._relax("I", rI, p.wEI * rE + p.wMI * rM, p.wII * rI, ext)

    def drM(self, rM, rE, rI, ext):
        p = self.p
        return self._relax("M", rM, p.wEM * rE + p.wMM * rM, p.wIM * rI, ext)
