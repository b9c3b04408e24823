"""Groups of parameters of the Wilson–Cowan family.

A member of the family is put together from groups. The order of its base classes is that of its arguments.
"""

from __future__ import annotations

from typing import Any

import brainunit as u

from brainmass._common.typing import Array, Numbers
from brainmass.dynamics.fields import Par, nonnegative, param, positive
from brainmass.dynamics.regime import LargestStep
from brainmass.models.wilson_cowan.base import Populations

__all__ = ["Refractoriness", "Sigmoids", "Weights", "weight"]


def weight(default: float, path: str) -> Any:
    """The row of a connection strength."""
    return param(default=default, doc=f"strength from {path}", domain=nonnegative)


class Sigmoids(Populations):
    """Time constants and sigmoids of the populations E and I."""

    largest_step = LargestStep(of={"tau_E": 0.1, "tau_I": 0.1})
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

    def _available(self, rate: Array) -> Numbers:
        return 1 - self.p.r * rate
