"""Wilson–Cowan models with fewer parameters: populations that are alike, or strengths that are."""

from __future__ import annotations

import brainunit as u

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, param, positive
from brainmass.dynamics.regime import LargestStep
from brainmass.models.wilson_cowan.base import Populations, _Recurrent
from brainmass.models.wilson_cowan.groups import Refractoriness, Sigmoids, Weights, weight

__all__ = ["WilsonCowanSimplifiedStep", "WilsonCowanSymmetricStep"]


class WilsonCowanSymmetricStep(Weights, Refractoriness, _Recurrent):
    r"""Wilson–Cowan with one time constant and one sigmoid for both populations.

    .. math::
        \tau\dot r_E &= -r_E + (1 - r\,r_E)\, F(w_{EE} r_E - w_{IE} r_I + I_E; a, \theta) \\
        \tau\dot r_I &= -r_I + (1 - r\,r_I)\, F(w_{EI} r_E - w_{II} r_I + I_I; a, \theta)

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1, with equal populations.
    """

    use_case = "Wilson-Cowan dynamics with fewer parameters to fit; both populations alike"
    questions = ("excitation and inhibition",)
    largest_step = LargestStep(of={"tau": 0.1})

    tau: Par = param(default=1.0 * u.ms, doc="time constant of both populations", domain=positive)
    a: Par = param(default=1.1, doc="slope of the sigmoid", domain=positive)
    theta: Par = param(default=3.4, doc="threshold of the sigmoid")

    def _of(self, k: str, name: str) -> Numbers:
        return getattr(self.p, name)


class TwoStrengths(Populations):
    """One strength of all excitation, one of all inhibition."""

    w_exc: Par = weight(8.0, "E to E and I")
    w_inh: Par = weight(12.0, "I to E and I")


class WilsonCowanSimplifiedStep(Sigmoids, TwoStrengths, Refractoriness, _Recurrent):
    r"""Wilson–Cowan with one strength of excitation and one of inhibition.

    .. math::
        \tau_k\dot r_k = -r_k + (1 - r\,r_k)\, F(w_{exc} r_E - w_{inh} r_I + I_k; a_k, \theta_k), \qquad k = E, I

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1, with c1 = c3 and c2 = c4.
    """

    use_case = "Wilson-Cowan dynamics with two strengths to fit; both populations see the same input"
    questions = ("excitation and inhibition",)

    def _onto_E(self, rE, rI):
        return self.p.w_exc * rE, self.p.w_inh * rI

    _onto_I = _onto_E
