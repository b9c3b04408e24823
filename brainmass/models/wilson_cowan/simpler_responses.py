"""Wilson–Cowan models with a simpler response: without refractoriness, or linear above a threshold."""

from __future__ import annotations

import brainunit as u
import jax

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, param, positive
from brainmass.dynamics.regime import LargestStep
from brainmass.models.wilson_cowan.base import _Recurrent
from brainmass.models.wilson_cowan.groups import Refractoriness, Sigmoids, Weights, weight

__all__ = ["WilsonCowanLinearStep", "WilsonCowanNoSaturationStep"]


class WilsonCowanNoSaturationStep(Sigmoids, Weights, _Recurrent):
    r"""Wilson–Cowan without refractoriness.

    .. math::
        \tau_E\dot r_E &= -r_E + F(w_{EE} r_E - w_{IE} r_I + I_E; a_E, \theta_E) \\
        \tau_I\dot r_I &= -r_I + F(w_{EI} r_E - w_{II} r_I + I_I; a_I, \theta_I)

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1, with r = 0 and k = 1.
    """

    use_case = "rate networks; Wilson-Cowan dynamics where refractoriness does not matter"
    questions = ("excitation and inhibition",)


class WilsonCowanLinearStep(Refractoriness, _Recurrent):
    r"""Wilson–Cowan with threshold-linear populations, :math:`[x]_+ = \max(x, 0)`.

    .. math::
        \tau_E\dot r_E &= -r_E + (1 - r\,r_E)\, [w_{EE} r_E - w_{IE} r_I + I_E]_+ \\
        \tau_I\dot r_I &= -r_I + (1 - r\,r_I)\, [w_{EI} r_E - w_{II} r_I + I_I]_+

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1, with a threshold-linear response.
    """

    use_case = "balance of excitation and inhibition in closed form; linear response above threshold"
    questions = ("excitation and inhibition",)
    largest_step = LargestStep(of={"tau_E": 0.1, "tau_I": 0.1})

    tau_E: Par = param(default=1.0 * u.ms, doc="time constant of the excitatory population", domain=positive)
    tau_I: Par = param(default=1.0 * u.ms, doc="time constant of the inhibitory population", domain=positive)
    wEE: Par = weight(0.8, "E to E")
    wIE: Par = weight(0.3, "I to E")
    wEI: Par = weight(1.0, "E to I")
    wII: Par = weight(0.85, "I to I")

    def _transfer(self, k: str, x: Numbers) -> jax.Array:
        return jax.nn.relu(x)
