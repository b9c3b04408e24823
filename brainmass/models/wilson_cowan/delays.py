"""Delays within the Wilson–Cowan family: their parameters, and what is sent."""

from __future__ import annotations

from collections.abc import Mapping

import brainunit as u

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, nonnegative, param
from brainmass.models.own_past import OwnPast
from brainmass.models.wilson_cowan.base import WilsonCowanBase

__all__ = ["Delays"]


class Delays(WilsonCowanBase, OwnPast):
    """The time that activity takes from population to population."""

    delay_EE: Par = param(default=2.0 * u.ms, doc="delay from E to E", domain=nonnegative, in_derivative=False)
    delay_IE: Par = param(default=1.5 * u.ms, doc="delay from I to E", domain=nonnegative, in_derivative=False)
    delay_EI: Par = param(default=2.0 * u.ms, doc="delay from E to I", domain=nonnegative, in_derivative=False)
    delay_II: Par = param(default=1.5 * u.ms, doc="delay from I to I", domain=nonnegative, in_derivative=False)

    _delays = dict.fromkeys(("delay_EE", "delay_IE", "delay_EI", "delay_II"), 1.0)

    def _sent(self, values: Mapping[str, Numbers]) -> Numbers:
        """Both rates."""
        return self._side_by_side([values["rE"], values["rI"]])
