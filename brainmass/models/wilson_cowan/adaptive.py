"""The Wilson–Cowan model with spike-frequency adaptation."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state
from brainmass.models.wilson_cowan.base import Populations, _Recurrent
from brainmass.models.wilson_cowan.groups import Refractoriness, Sigmoids, Weights

__all__ = ["WilsonCowanAdaptiveStep"]


class AdaptationConstants(Populations):
    """Time constants and strengths of adaptation."""

    tau_aE: Par = param(default=100.0 * u.ms, doc="time constant of excitatory adaptation", domain=positive)
    tau_aI: Par = param(default=80.0 * u.ms, doc="time constant of inhibitory adaptation", domain=positive)
    b_E: Par = param(default=0.1, doc="strength of excitatory adaptation")
    b_I: Par = param(default=0.08, doc="strength of inhibitory adaptation")


class AdaptationStates(Declared):
    """The states of adaptation, which follow those of the populations."""

    aE_init: Initializer = Constant(0.0)
    aI_init: Initializer = Constant(0.0)

    aE: HiddenState = state("adaptation of the excitatory population", start="aE_init", domain=nonnegative)
    aI: HiddenState = state("adaptation of the inhibitory population", start="aI_init", domain=nonnegative)


class WilsonCowanAdaptiveStep(Sigmoids, Weights, Refractoriness, AdaptationConstants, _Recurrent, AdaptationStates):
    r"""Wilson–Cowan with slow adaptation :math:`a_E, a_I` of both populations.

    .. math::
        \tau_E\dot r_E &= -r_E + (1 - r\,r_E)\, F(w_{EE} r_E - w_{IE} r_I + I_E - a_E) \\
        \tau_I\dot r_I &= -r_I + (1 - r\,r_I)\, F(w_{EI} r_E - w_{II} r_I + I_I - a_I) \\
        \tau_{aE}\dot a_E &= -a_E + b_E r_E, \qquad \tau_{aI}\dot a_I = -a_I + b_I r_I

    Each :math:`F` is of `WilsonCowanBase`, with its population's slope and threshold.

    Reference: Benda, Herz 2003, Neural Comput. 15:2523 (universal model of adaptation).
    """

    use_case = "slow oscillations, up and down states, responses that fade under constant input"
    questions = ("excitation and inhibition", "up and down")

    def drE(self, rE, rI, aE, ext):  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().drE(rE, rI, ext - aE)

    def drI(self, rI, rE, aI, ext):  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().drI(rI, rE, ext - aI)

    def daE(self, aE, rE):
        return (-aE + self.p.b_E * rE) / self.p.tau_aE

    def daI(self, aI, rI):
        return (-aI + self.p.b_I * rI) / self.p.tau_aI
