"""The Wilson–Cowan model."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np
from brainstate.nn import Param

from brainmass._common.checks import is_traced
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import spelling
from brainmass.dynamics.node import Preset
from brainmass.models.wilson_cowan.base import _Recurrent
from brainmass.models.wilson_cowan.groups import Refractoriness, Sigmoids, Weights

__all__ = ["WilsonCowanStep"]

# Strengths written with their sign, onto the first from the second population: the same with our names.
SIGNED = {"c_EE": ("wEE", 1), "c_EI": ("wIE", -1), "c_IE": ("wEI", 1), "c_II": ("wII", -1)}


class WilsonCowanStep(Sigmoids, Weights, Refractoriness, _Recurrent):
    r"""Wilson–Cowan: rates of an excitatory and an inhibitory population.

    .. math::
        \tau_E\dot r_E &= -r_E + (1 - r\,r_E)\, F(w_{EE} r_E - w_{IE} r_I + I_E; a_E, \theta_E) \\
        \tau_I\dot r_I &= -r_I + (1 - r\,r_I)\, F(w_{EI} r_E - w_{II} r_I + I_I; a_I, \theta_I)

    with :math:`F` of `WilsonCowanBase`. The paper writes :math:`k - r\,r_E` with :math:`k = \sup F`, just below 1.

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1.
    """

    use_case = "excitation-inhibition balance, multistability, hysteresis, rhythms"
    questions = ("excitation and inhibition",)
    presets = {
        "hysteresis": Preset(
            "the default: a quiet, a saddle and an active state",
            "Wilson, Cowan 1972, Biophys. J. 12:1, fig. 4",
            {"wEE": 12.0, "wIE": 4.0, "wEI": 13.0, "wII": 11.0, "a_E": 1.2, "theta_E": 2.8, "a_I": 1.0, "theta_I": 4.0},
        ),
        "oscillatory": Preset(
            "a limit cycle under input, rest without",
            "Wilson, Cowan 1972, Biophys. J. 12:1, fig. 11",
            {"wEE": 16.0, "wIE": 12.0, "wEI": 15.0, "wII": 3.0, "a_E": 1.3, "theta_E": 4.0, "a_I": 2.0, "theta_I": 3.7},
            {"rE_inp": 1.25},
        ),
    }

    c_EE: Any = spelling("wEE, as the strength onto E from E, with its sign", of="wEE", default=None)
    c_EI: Any = spelling("-wIE: the strength onto E from I, with its sign", of="wIE", default=None)
    c_IE: Any = spelling("wEI, as the strength onto I from E, with its sign", of="wEI", default=None)
    c_II: Any = spelling("-wII: the strength onto I from I, with its sign", of="wII", default=None)

    @classmethod
    def translate(cls, given: dict[str, object]) -> dict[str, Any]:
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
    def _unsigned(cls, name: str, value: Numbers) -> Numbers:
        new, sign = SIGNED[name]
        if isinstance(value, Param):
            if sign > 0:
                return value
            raise argument_error(
                Argument(name, cls.__name__),
                "must be numbers: its sign is turned",
                hint=f"Give the Param to `{new}`.",
                kind=TypeError,
            )
        if not is_traced(value) and np.any(sign * np.asarray(u.get_mantissa(value)) < 0):
            raise argument_error(
                Argument(name, cls.__name__),
                f"must be {'>= 0' if sign > 0 else '<= 0'}",
                f"is {show(value)}: excitation is positive, inhibition negative",
            )
        return sign * value
