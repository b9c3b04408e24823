"""A voltage scale for quadratic integrate-and-fire neurons, whose own variables have no dimension."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np

from brainmass._common.checks import is_traced
from brainmass._common.messages import argument_error, input_named, show
from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, param, positive
from brainmass.dynamics.node import NeuralMassDynamics

__all__ = ["VoltageScale"]


class VoltageScale(NeuralMassDynamics):
    """Potentials in mV and input currents for the dimensionless potential `v`: 0 half-way between rest and threshold.

    The scale is optional; without one `v_rest` is None.
    """

    other_inputs = {"I_ext": "v_inp"}

    v_rest: Par = param(default=None, doc="resting potential", unit=u.mV, kw_only=True)
    v_th: Par = param(default=None, doc="threshold potential, above v_rest", unit=u.mV, kw_only=True)
    R: Par = param(
        default=None, doc="membrane resistance, 10 MΩ if not given", domain=positive, unit=u.Mohm, kw_only=True
    )

    @classmethod
    def translate(cls, given: dict[str, object]) -> dict[str, Any]:
        scale = {name: given[name] for name in ("v_rest", "v_th") if given.get(name) is not None}
        if len(scale) == 1 or (not scale and given.get("R") is not None):
            raise ValueError(
                f"{cls.__name__} has a voltage scale with both `v_rest` and `v_th`, or with neither and without `R`. "
                "Example: v_rest=-65 * u.mV, v_th=-50 * u.mV."
            )
        return {"eta": 0.0, "delta": 1.0, "R": 10.0 * u.Mohm, **given} if scale else given

    def check(self) -> None:
        span = None if self.v_rest is None else self.p.v_th - self.p.v_rest
        if span is not None and not is_traced(span) and np.any(u.get_mantissa(span) <= 0):
            raise ValueError(
                f"Arguments `v_rest` and `v_th` of {self._owner} must have v_th above v_rest, but are "
                f"{show(self.p.v_rest)} and {show(self.p.v_th)}."
            )

    def membrane_potential(self) -> Numbers:
        """Mean membrane potential, as a voltage."""
        p, span = self.p, self._span("membrane_potential()")
        return (p.v_rest + p.v_th) / 2 + span * self.v.value

    def convert_input(self, name: str, value: Numbers) -> Numbers:
        if u.get_unit(value).dim == u.DIMENSIONLESS:
            return value
        if not u.get_unit(value).has_same_dim(u.nA):
            raise argument_error(
                input_named(name, f" of {self._owner}"),
                "must be a current, or dimensionless as `v_inp`",
                f"is {show(value)}",
                f"{name}=2 * u.nA.",
                kind=u.UnitMismatchError,
            )
        span = self._span(f"an input `{name}` with a unit")
        return u.maybe_decimal(self.p.R * value / span)

    def _span(self, purpose: str) -> Numbers:
        if self.v_rest is None:
            raise ValueError(
                f"{self._owner} needs a voltage scale for {purpose}. Example: v_rest=-65 * u.mV, v_th=-50 * u.mV."
            )
        return self.p.v_th - self.p.v_rest
