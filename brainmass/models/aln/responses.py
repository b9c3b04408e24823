"""The states of the adaptive linear-nonlinear model, and the response of its populations, from a table."""

from __future__ import annotations

from functools import partial
from typing import Any

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.checks import instance
from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Initializer, Par, nonnegative, option, param, positive, state, unit_interval
from brainmass.dynamics.noise import Noise
from brainmass.models.aln.synapses import Synapses
from brainmass.models.aln.table import CascadeTable, default_table

__all__ = ["Responses"]

per_ms: Any = u.mV / u.ms
_table = partial(instance, kinds=CascadeTable, must="a brainmass.CascadeTable")


class Responses(Synapses):
    """Input, synapses and adaptation of the two populations; their rates from a table."""

    a: Par = param(default=15.0 * u.nS, doc="subthreshold adaptation", domain=nonnegative)
    b: Par = param(default=40.0 * u.pA, doc="adaptation per spike", domain=nonnegative)
    EA: Par = param(default=-80.0 * u.mV, doc="reversal potential of adaptation")
    tauA: Par = param(default=200.0 * u.ms, doc="time constant of adaptation", domain=positive)
    table: CascadeTable | None = option(default=None, check=_table, doc="default that of the paper's neuron")
    init_mufe: Initializer = Constant(0.0 * per_ms)  # pyright: ignore[reportArgumentType]
    init_mufi: Initializer = Constant(0.0 * per_ms)  # pyright: ignore[reportArgumentType]
    init_IA: Initializer = Constant(0.0 * u.pA)  # pyright: ignore[reportArgumentType]
    init_m: Initializer = Constant(0.0)
    init_v: Initializer = Constant(0.0)
    noise_E: Noise | None = None
    noise_I: Noise | None = None

    mufe: HiddenState = state("mean input of E", unit=per_ms, port="E_inp", noise="noise_E")
    mufi: HiddenState = state("mean input of I", unit=per_ms, port="I_inp", noise="noise_I")
    IA: HiddenState = state("adaptation current", unit=u.pA)
    seem: HiddenState = state("open synapses onto E from E", start="init_m", domain=unit_interval)
    seim: HiddenState = state("open synapses onto E from I", start="init_m", domain=unit_interval)
    siem: HiddenState = state("open synapses onto I from E", start="init_m", domain=unit_interval)
    siim: HiddenState = state("open synapses onto I from I", start="init_m", domain=unit_interval)
    seev: HiddenState = state("variance of open synapses onto E from E", start="init_v", domain=nonnegative)
    seiv: HiddenState = state("variance of open synapses onto E from I", start="init_v", domain=nonnegative)
    siev: HiddenState = state("variance of open synapses onto I from E", start="init_v", domain=nonnegative)
    siiv: HiddenState = state("variance of open synapses onto I from I", start="init_v", domain=nonnegative)

    @property
    def _cascade(self) -> CascadeTable:
        return default_table() if self.table is None else self.table

    def _response(self, mu: Numbers, k: str, *noise: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Rate, mean potential and time constant of a population."""
        neuron = self._cascade.neuron
        sigma = self._strength(k, neuron.C / neuron.gL * u.ms, *noise)
        rate, V, tau = self._cascade(mu.to_decimal(per_ms), sigma)
        return 1e3 * rate * u.Hz, V * u.mV, tau * u.ms

    def _response_e(self, mufe, IA, seev, seiv, E_rate, I_rate, coupling):
        return self._response(mufe - IA / (self._cascade.neuron.C * u.pF), "e", seev, seiv, E_rate, I_rate, coupling)

    def _response_i(self, mufi, siev, siiv, E_rate, I_rate):
        return self._response(mufi, "i", siev, siiv, E_rate, I_rate)

    def rate_e(self) -> Numbers:
        """Rate of the excitatory population, in Hz."""
        return self.source("rate_e", self.state_values())

    def rate_i(self) -> Numbers:
        """Rate of the inhibitory population, in Hz."""
        return self.source("rate_i", self.state_values())
