"""Synapses between an excitatory and an inhibitory population, of first order in time."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, Par, param, positive, state

__all__ = ["Synapses"]


class Synapses(Declared):
    """What the rates of both populations, and other regions, leave at the synapses."""

    tau_s: Par = param(default=1.0 * u.ms, doc="synaptic time constant", domain=positive)
    wEE: Par = param(default=0.0, doc="weight from excitatory to excitatory neurons")
    wEI: Par = param(default=0.0, doc="weight from excitatory to inhibitory neurons")
    wIE: Par = param(default=10.0, doc="weight from inhibitory to excitatory neurons")
    wII: Par = param(default=15.0, doc="weight from inhibitory to inhibitory neurons")
    Gamma: Par = param(default=5.0, doc="input from other regions into inhibitory neurons, as a multiple")
    init_sEE: Initializer = Constant(0.0 * u.Hz)  # pyright: ignore[reportArgumentType]
    init_sIE: Initializer = Constant(0.0 * u.Hz)  # pyright: ignore[reportArgumentType]
    init_sEI: Initializer = Constant(0.0 * u.Hz)  # pyright: ignore[reportArgumentType]
    init_sII: Initializer = Constant(0.0 * u.Hz)  # pyright: ignore[reportArgumentType]

    sEE: HiddenState = state("synapse from excitatory to excitatory neurons", unit=u.Hz)
    sIE: HiddenState = state("synapse from inhibitory to excitatory neurons", unit=u.Hz)
    sEI: HiddenState = state("synapse from excitatory to inhibitory neurons", unit=u.Hz)
    sII: HiddenState = state("synapse from inhibitory to inhibitory neurons", unit=u.Hz)

    def dsEE(self, sEE, rE, coupling):
        return (-sEE + self.p.wEE * rE + coupling) / self.p.tau_s

    def dsIE(self, sIE, rI):
        return (-sIE + self.p.wIE * rI) / self.p.tau_s

    def dsEI(self, sEI, rE, coupling):
        p = self.p
        return (-sEI + p.wEI * rE + p.Gamma * coupling) / p.tau_s

    def dsII(self, sII, rI):
        return (-sII + self.p.wII * rI) / self.p.tau_s
