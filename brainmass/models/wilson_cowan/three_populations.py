"""Wilson–Cowan with a third, modulatory population."""

from __future__ import annotations

import brainunit as u

from brainmass.dynamics.fields import Par, param, positive
from brainmass.dynamics.regime import LargestStep
from brainmass.models.wilson_cowan.base import Populations
from brainmass.models.wilson_cowan.groups import Refractoriness, Sigmoids, Weights, weight
from brainmass.models.wilson_cowan.three_populations_base import WilsonCowanThreePopBase

__all__ = ["WilsonCowanThreePopulationStep"]


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

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1; a third population as motivated by Pfeffer et al. 2013,
    Nat. Neurosci. 16:1068.
    """

    use_case = "cortical circuits with a second, slower excitatory population"
    questions = ("excitation and inhibition",)
    largest_step = LargestStep(of={"tau_E": 0.1, "tau_I": 0.1, "tau_M": 0.1})

    def drE(self, rE, rI, rM, ext):
        p = self.p
        return self._relax("E", rE, p.wEE * rE + p.wME * rM, p.wIE * rI, ext)

    def drI(self, rI, rE, rM, ext):
        p = self.p
        return self._relax("I", rI, p.wEI * rE + p.wMI * rM, p.wII * rI, ext)

    def drM(self, rM, rE, rI, ext):
        p = self.p
        return self._relax("M", rM, p.wEM * rE + p.wMM * rM, p.wIM * rI, ext)
