"""How the past rates of a region act on the region itself, in the adaptive linear-nonlinear model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np

from brainmass._common.typing import Numbers
from brainmass.delays.lines import History
from brainmass.dynamics.fields import Par, nonnegative, param
from brainmass.models.own_past import OwnPast

__all__ = ["Delays"]

ROUNDS = 10  # rates without delay act on their own noise, weakly: each round takes a change down by some factor
Rates = tuple[Numbers, Numbers]


class Delays(OwnPast):
    """Delays from the excitatory and from the inhibitory population, and the rates that arrive after them."""

    de: Par = param(default=4.0 * u.ms, doc="delay from E", domain=nonnegative, in_derivative=False)
    di: Par = param(default=2.0 * u.ms, doc="delay from I", domain=nonnegative, in_derivative=False)

    _delays = dict.fromkeys(("de", "di"), 1.0)
    _source_needs_inputs = True

    # --- the rates: they follow from the states, and from what arrives ----------------------------------------------
    def _rates_at(self, values: Mapping[str, Numbers], E_rate: Numbers, I_rate: Numbers, coupling: Numbers) -> Rates:
        v = values
        exc = self._response_e(v["mufe"], v["IA"], v["seev"], v["seiv"], E_rate, I_rate, coupling)
        return exc[0], self._response_i(v["mufi"], v["siev"], v["siiv"], E_rate, I_rate)[0]

    def _undelayed(self, values: Mapping[str, Numbers]) -> Rates:
        rates = (0.0 * u.Hz, 0.0 * u.Hz)
        for _ in range(ROUNDS):
            rates = self._rates_at(values, *rates, values["coupling"])
        return rates

    def _rates_now(self, values: Mapping[str, Numbers]) -> Rates:
        """From the past where there is one; without delay where what enters is among the values."""
        if "coupling" in values:
            return self._undelayed(values)
        coupling = self.received_coupling.value
        if not self._has_past:
            return self._undelayed({**values, "coupling": coupling})
        return self._rates_at(values, *self._onto_itself(self._past, 1.0), coupling)

    def source(self, name: str, values: Mapping[str, Numbers]) -> Numbers:
        return self._rates_now(values)[name == "rate_i"] if name in self.sources else values[name]

    # --- the past ---------------------------------------------------------------------------------------------------
    def _sent(self, values: Mapping[str, Numbers]) -> Numbers:
        """Both rates, in Hz."""
        return self._side_by_side([rate.to_decimal(u.Hz) for rate in self._rates_now(values)])

    def _own_delays(self) -> tuple[Numbers, Numbers]:
        delays = [u.math.broadcast_to(d, self.varshape).to_decimal(u.ms).reshape(-1) for d in (self.p.de, self.p.di)]
        return jnp.stack(delays), np.arange(2 * int(np.prod(self.varshape))).reshape(2, -1)

    def _own_at_rest(self, values: Mapping[str, Numbers], arriving: Numbers = None) -> dict[str, Numbers]:
        if arriving is None:
            return dict(zip(("E_rate", "I_rate"), self._undelayed(values), strict=True))
        return self._by_port(arriving)

    def _by_port(self, rates: Numbers) -> dict[str, Numbers]:
        batch = u.math.shape(rates)[:-2]
        E, I = (rates[..., i, :].reshape(*batch, *self.varshape) * u.Hz for i in (0, 1))  # noqa: E741
        return {"E_rate": E, "I_rate": I}

    def _arrived(self, past: History, values: Mapping[str, Numbers], fraction: Numbers) -> dict[str, Numbers]:
        """What arrives at this fraction of a step: within it the rates are those of its start."""
        delays, source = self._own_delays()
        return self._by_port(past.before(past.ago(0 * source, source), fraction, delays / self._step, source))

    def _onto_itself(self, past: Any, fraction: Numbers) -> Rates:
        arrived = self._arrived(past, {}, fraction)
        return arrived["E_rate"], arrived["I_rate"]

    @property
    def _has_past(self) -> bool:
        return self._past is not None and self._past.is_filled

    def _fill(self) -> None:
        values = {**self.state_values(), "coupling": self.received_coupling.value}
        self._past.fill(self._sent(values))  # pyright: ignore[reportOptionalMemberAccess]

    # --- motion -----------------------------------------------------------------------------------------------------
    def _derivative(self, state: tuple, t: Any, coupling: Any, E_rate: Any, I_rate: Any, E_inp: Any, I_inp: Any):
        """Rates of change of the states: from the past as it is now, or without delay where there is none yet."""
        values = {**dict(zip(self._states, state, strict=True)), "coupling": coupling}
        E, I = self._onto_itself(self._past, 1.0) if self._has_past else self._undelayed(values)  # noqa: E741
        return self._motion(state, t, coupling, E_rate + E, I_rate + I, E_inp, I_inp)

    def _motion(self, state: tuple, t: Numbers, *inputs: Numbers) -> tuple:
        return self._rates(state, dict(zip(self._ports, inputs, strict=True)))
