"""Conductances between an excitatory and an inhibitory population, of second order in time."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state

__all__ = ["Conductances"]


class Conductances(Declared):
    """The four conductances between the populations: second-order responses to the dimensionless rate."""

    v_syn_E: Par = param(default=10.0, doc="reversal potential of excitatory synapses")
    v_syn_I: Par = param(default=-10.0, doc="reversal potential of inhibitory synapses")
    kEE: Par = param(default=0.0, doc="strength from excitatory to excitatory neurons", domain=nonnegative)
    kEI: Par = param(default=2.0, doc="strength from excitatory to inhibitory neurons", domain=nonnegative)
    kIE: Par = param(default=2.0, doc="strength from inhibitory to excitatory neurons", domain=nonnegative)
    kII: Par = param(default=0.0, doc="strength from inhibitory to inhibitory neurons", domain=nonnegative)
    tau_EE: Par = param(default=1.0 * u.ms, doc="synaptic time from excitatory to excitatory neurons", domain=positive)
    tau_EI: Par = param(default=1.0 * u.ms, doc="synaptic time from excitatory to inhibitory neurons", domain=positive)
    tau_IE: Par = param(default=5.0 * u.ms, doc="synaptic time from inhibitory to excitatory neurons", domain=positive)
    tau_II: Par = param(default=5.0 * u.ms, doc="synaptic time from inhibitory to inhibitory neurons", domain=positive)
    init_gEE: Initializer = Constant(0.0)
    init_gIE: Initializer = Constant(0.0)
    init_gEI: Initializer = Constant(0.0)
    init_gII: Initializer = Constant(0.0)
    init_q: Initializer = Constant(0.0)

    gEE: HiddenState = state("conductance from excitatory to excitatory neurons")
    gIE: HiddenState = state("conductance from inhibitory to excitatory neurons")
    gEI: HiddenState = state("conductance from excitatory to inhibitory neurons")
    gII: HiddenState = state("conductance from inhibitory to inhibitory neurons")
    qEE: HiddenState = state("rate of change of gEE, in units of its time constant", start="init_q")
    qIE: HiddenState = state("rate of change of gIE, in units of its time constant", start="init_q")
    qEI: HiddenState = state("rate of change of gEI, in units of its time constant", start="init_q")
    qII: HiddenState = state("rate of change of gII, in units of its time constant", start="init_q")

    def dgEE(self, gEE, qEE):
        return qEE / self.p.tau_EE

    def dgIE(self, gIE, qIE):
        return qIE / self.p.tau_IE

    def dgEI(self, gEI, qEI):
        return qEI / self.p.tau_EI

    def dgII(self, gII, qII):
        return qII / self.p.tau_II

    def dqEE(self, qEE, gEE, rE, coupling):
        p = self.p
        return (p.kEE * u.maybe_decimal(p.tau_E * rE) + coupling - gEE - 2 * qEE) / p.tau_EE

    def dqIE(self, qIE, gIE, rI):
        p = self.p
        return (p.kIE * u.maybe_decimal(p.tau_I * rI) - gIE - 2 * qIE) / p.tau_IE

    def dqEI(self, qEI, gEI, rE):
        p = self.p
        return (p.kEI * u.maybe_decimal(p.tau_E * rE) - gEI - 2 * qEI) / p.tau_EI

    def dqII(self, qII, gII, rI):
        p = self.p
        return (p.kII * u.maybe_decimal(p.tau_I * rI) - gII - 2 * qII) / p.tau_II

    def _synaptic(self, v, excitation, inhibition):
        return excitation * (self.p.v_syn_E - v) + inhibition * (self.p.v_syn_I - v)
