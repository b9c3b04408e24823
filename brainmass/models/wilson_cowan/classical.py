"""The Wilson–Cowan model, and its forms with fewer parameters."""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax
import numpy as np
from brainstate.nn import Param

from brainmass.dynamics.base import Preset
from brainmass.dynamics.fields import Par, is_traced, param, positive, show, spelling
from brainmass.models.wilson_cowan.base import Populations, Refractoriness, Sigmoids, Weights, _Recurrent, weight

__all__ = [
    "WilsonCowanLinearStep",
    "WilsonCowanNoSaturationStep",
    "WilsonCowanSimplifiedStep",
    "WilsonCowanStep",
    "WilsonCowanSymmetricStep",
]

# Strengths written with their sign, onto the first from the second population: the same with our names.
SIGNED = {"c_EE": ("wEE", 1), "c_EI": ("wIE", -1), "c_IE": ("wEI", 1), "c_II": ("wII", -1)}


class WilsonCowanStep(Sigmoids, Weights, Refractoriness, _Recurrent):
    r"""Wilson–Cowan: rates of an excitatory and an inhibitory population.

    .. math::
        \tau_E\dot r_E &= -r_E + (1 - r\,r_E)\, F(w_{EE} r_E - w_{IE} r_I + I_E; a_E, \theta_E) \\
        \tau_I\dot r_I &= -r_I + (1 - r\,r_I)\, F(w_{EI} r_E - w_{II} r_I + I_I; a_I, \theta_I)

    with :math:`F` of `WilsonCowanBase`. The paper writes :math:`k - r\,r_E` with :math:`k = \sup F`, just below 1.

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1-24.
    """

    use_case = "excitation-inhibition balance, multistability, hysteresis, rhythms"
    presets = {
        "hysteresis": Preset(
            "the default: a quiet, a saddle and an active state",
            "Wilson, Cowan 1972, fig. 4",
            {"wEE": 12.0, "wIE": 4.0, "wEI": 13.0, "wII": 11.0, "a_E": 1.2, "theta_E": 2.8, "a_I": 1.0, "theta_I": 4.0},
        ),
        "oscillatory": Preset(
            "a limit cycle at `rE_inp=1.25`, rest without input",
            "Wilson, Cowan 1972, fig. 11",
            {"wEE": 16.0, "wIE": 12.0, "wEI": 15.0, "wII": 3.0, "a_E": 1.3, "theta_E": 4.0, "a_I": 2.0, "theta_I": 3.7},
        ),
    }

    c_EE: Any = spelling("wEE, as the strength onto E from E, with its sign", default=None)
    c_EI: Any = spelling("-wIE: the strength onto E from I, with its sign", default=None)
    c_IE: Any = spelling("wEI, as the strength onto I from E, with its sign", default=None)
    c_II: Any = spelling("-wII: the strength onto I from I, with its sign", default=None)

    @classmethod
    def translate(cls, given: dict[str, Any]) -> dict[str, Any]:
        signed = [name for name in SIGNED if name in given]
        unsigned = [name for name, _ in SIGNED.values() if name in given]
        if signed and unsigned:
            raise TypeError(
                f"{cls.__name__} was given `{signed[0]}`, a strength onto {signed[0][-2]} with its sign, and "
                f"`{unsigned[0]}`, one from {unsigned[0][-2]} without: write all of them in one of the two ways."
            )
        rest = {name: value for name, value in given.items() if name not in SIGNED}
        return rest | {SIGNED[name][0]: cls._unsigned(name, given[name]) for name in signed}

    @classmethod
    def _unsigned(cls, name: str, value: Any) -> Any:
        new, sign = SIGNED[name]
        if isinstance(value, Param):
            if sign > 0:
                return value
            raise TypeError(
                f"Argument `{name}` of {cls.__name__} must be numbers: its sign is turned. Give the Param to `{new}`."
            )
        if callable(value):
            return lambda shape: cls._unsigned(name, value(shape))
        value = np.asarray(value) if isinstance(value, list | tuple) else value
        if not is_traced(value) and np.any(sign * np.asarray(u.get_mantissa(value)) < 0):
            raise ValueError(
                f"Argument `{name}` of {cls.__name__} must be {'>= 0' if sign > 0 else '<= 0'}, but is {show(value)}: "
                "excitation is positive, inhibition negative."
            )
        return sign * value


class WilsonCowanNoSaturationStep(Sigmoids, Weights, _Recurrent):
    r"""Wilson–Cowan without refractoriness.

    .. math::
        \tau_E\dot r_E &= -r_E + F(w_{EE} r_E - w_{IE} r_I + I_E; a_E, \theta_E) \\
        \tau_I\dot r_I &= -r_I + F(w_{EI} r_E - w_{II} r_I + I_I; a_I, \theta_I)

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1-24, with r = 0 and k = 1.
    """

    use_case = "rate networks; Wilson-Cowan dynamics where refractoriness does not matter"


class WilsonCowanSymmetricStep(Weights, Refractoriness, _Recurrent):
    r"""Wilson–Cowan with one time constant and one sigmoid for both populations.

    .. math::
        \tau\dot r_E &= -r_E + (1 - r\,r_E)\, F(w_{EE} r_E - w_{IE} r_I + I_E; a, \theta) \\
        \tau\dot r_I &= -r_I + (1 - r\,r_I)\, F(w_{EI} r_E - w_{II} r_I + I_I; a, \theta)

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1-24, with equal populations.
    """

    use_case = "Wilson-Cowan dynamics with fewer parameters to fit; both populations alike"

    tau: Par = param(default=1.0 * u.ms, doc="time constant of both populations", domain=positive)
    a: Par = param(default=1.1, doc="slope of the sigmoid", domain=positive)
    theta: Par = param(default=3.4, doc="threshold of the sigmoid")

    def _of(self, k: str, name: str) -> Any:
        return getattr(self.p, name)


class TwoStrengths(Populations):
    """One strength of all excitation, one of all inhibition."""

    w_exc: Par = weight(8.0, "E to E and I")
    w_inh: Par = weight(12.0, "I to E and I")


class WilsonCowanSimplifiedStep(Sigmoids, TwoStrengths, Refractoriness, _Recurrent):
    r"""Wilson–Cowan with one strength of excitation and one of inhibition.

    .. math::
        \tau_k\dot r_k = -r_k + (1 - r\,r_k)\, F(w_{exc} r_E - w_{inh} r_I + I_k; a_k, \theta_k), \qquad k = E, I

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1-24, with c1 = c3 and c2 = c4.
    """

    use_case = "Wilson-Cowan dynamics with two strengths to fit; both populations see the same input"

    def _onto_E(self, rE, rI):
        return self.p.w_exc * rE, self.p.w_inh * rI

    _onto_I = _onto_E


class WilsonCowanLinearStep(Refractoriness, _Recurrent):
    r"""Wilson–Cowan with threshold-linear populations, :math:`[x]_+ = \max(x, 0)`.

    .. math::
        \tau_E\dot r_E &= -r_E + (1 - r\,r_E)\, [w_{EE} r_E - w_{IE} r_I + I_E]_+ \\
        \tau_I\dot r_I &= -r_I + (1 - r\,r_I)\, [w_{EI} r_E - w_{II} r_I + I_I]_+

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1-24, with a threshold-linear response.
    """

    use_case = "balance of excitation and inhibition in closed form; linear response above threshold"

    tau_E: Par = param(default=1.0 * u.ms, doc="time constant of the excitatory population", domain=positive)
    tau_I: Par = param(default=1.0 * u.ms, doc="time constant of the inhibitory population", domain=positive)
    wEE: Par = weight(0.8, "E to E")
    wIE: Par = weight(0.3, "I to E")
    wEI: Par = weight(1.0, "E to I")
    wII: Par = weight(0.85, "I to I")

    def _transfer(self, k: str, x: Any) -> Any:
        return jax.nn.relu(x)
