"""Wilson–Cowan models in which inhibition divides."""

from __future__ import annotations

import jax

from brainmass._common.typing import Array, Numbers
from brainmass.dynamics.fields import Par, param, positive
from brainmass.models.wilson_cowan.base import Populations, _Recurrent
from brainmass.models.wilson_cowan.groups import Refractoriness, Sigmoids, weight

__all__ = ["WilsonCowanDivisiveInputStep", "WilsonCowanDivisiveStep"]


class DivisiveWeights(Populations):
    """Connection strengths where inhibition divides."""

    wEE: Par = weight(6.0, "E to E")
    wIE: Par = weight(2.0, "I to E")
    wEI: Par = weight(6.5, "E to I")
    wII: Par = weight(5.5, "I to I")


class Semisaturation(Populations):
    """What inhibition is compared with."""

    sigma_E: Par = param(default=1.0, doc="semisaturation of the excitatory population", domain=positive)
    sigma_I: Par = param(default=1.0, doc="semisaturation of the inhibitory population", domain=positive)


class WilsonCowanDivisiveStep(Sigmoids, DivisiveWeights, Refractoriness, Semisaturation, _Recurrent):
    r"""Wilson–Cowan in which inhibition divides the response: modulation of gain.

    .. math::
        \tau_E\dot r_E &= -r_E + \frac{1 - r\,r_E}{\sigma_E + w_{IE} r_I}\, F(w_{EE} r_E + I_E; a_E, \theta_E) \\
        \tau_I\dot r_I &= -r_I + \frac{1 - r\,r_I}{\sigma_I + w_{II} r_I}\, F(w_{EI} r_E + I_I; a_I, \theta_I)

    Reference: Carandini, Heeger 2012, Nat. Rev. Neurosci. 13:51 (divisive normalisation).
    """

    use_case = "divisive normalisation of responses; control of gain by inhibition"
    questions = ("excitation and inhibition",)

    def _response(self, k: str, exc: Array, inh: Array, ext: Array) -> Numbers:
        return self._transfer(k, exc + ext) / (self._of(k, "sigma") + inh)


class WilsonCowanDivisiveInputStep(Sigmoids, DivisiveWeights, Refractoriness, Semisaturation, _Recurrent):
    r"""Wilson–Cowan in which inhibition divides the recurrent excitation; external input is not divided.

    .. math::
        \tau_E\dot r_E &= -r_E + (1 - r\,r_E)\,
            F\left(\frac{w_{EE} r_E}{\sigma_E + w_{IE} r_I} + I_E; a_E, \theta_E\right) \\
        \tau_I\dot r_I &= -r_I + (1 - r\,r_I)\,
            F\left(\frac{w_{EI} r_E}{\sigma_I + w_{II} r_I} + I_I; a_I, \theta_I\right)

    Reference: Carandini, Heeger 2012, Nat. Rev. Neurosci. 13:51 (divisive normalisation).
    """

    use_case = "divisive normalisation of recurrent input; shunting inhibition"
    questions = ("excitation and inhibition",)

    def _response(self, k: str, exc: Array, inh: Array, ext: Array) -> jax.Array:
        return self._transfer(k, exc / (self._of(k, "sigma") + inh) + ext)
