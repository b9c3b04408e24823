"""Excitatory synapses that dopamine modulates, inhibitory ones, and dopamine itself."""

from __future__ import annotations

from typing import Any

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state

__all__ = ["DopamineSynapses", "per_ms"]

per_ms: Any = u.ms**-1


class DopamineSynapses(Declared):
    """Open synapses, dopamine between release and re-uptake, and receptors that raise the excitatory conductance."""

    g_a: Par = param(default=12.0 * per_ms, doc="excitatory conductance over capacitance", domain=nonnegative)
    E_a: Par = param(default=0.0 * u.mV, doc="reversal potential of excitation")
    S_ja: Par = param(default=0.8, doc="opening of excitatory synapses by a spike", domain=nonnegative)
    tau_Sa: Par = param(default=2.6 * u.ms, doc="time constant of excitatory synapses", domain=positive)
    g_g: Par = param(default=12.0 * per_ms, doc="inhibitory conductance over capacitance", domain=nonnegative)
    E_g: Par = param(default=-80.0 * u.mV, doc="reversal potential of inhibition")
    S_jg: Par = param(default=1.2, doc="opening of inhibitory synapses by a spike", domain=nonnegative)
    tau_Sg: Par = param(default=2.6 * u.ms, doc="time constant of inhibitory synapses", domain=positive)
    k: Par = param(default=1e5 * u.ms, doc="release of dopamine by a spike, times `tau_Dp`", domain=nonnegative)
    V_max: Par = param(default=1300.0, doc="largest re-uptake, times `tau_Dp`", domain=nonnegative)
    K_m: Par = param(default=150.0, doc="dopamine at which re-uptake is half of that", domain=positive)
    tau_Dp: Par = param(default=500.0 * u.ms, doc="time constant of dopamine", domain=positive)
    B_d: Par = param(default=0.2, doc="modulation without any receptor", domain=nonnegative)
    R_d: Par = param(default=1.0, doc="density of receptors: their largest activation", domain=nonnegative)
    S_p: Par = param(default=-1.0, doc="steepness of activation; below zero dopamine raises it")
    tau_M: Par = param(default=500.0 * u.ms, doc="time constant of the receptors", domain=positive)
    init_S_a: Initializer = Constant(0.0)
    init_S_g: Initializer = Constant(0.0)
    init_Dp: Initializer = Constant(0.0)
    init_M: Initializer = Constant(0.7)

    S_a: HiddenState = state("open excitatory synapses", port="c_exc", port_unit=u.Hz, domain=nonnegative)
    S_g: HiddenState = state("open inhibitory synapses", port="c_inh", port_unit=u.Hz, domain=nonnegative)
    Dp: HiddenState = state("dopamine", port="c_dopa", port_unit=u.Hz, domain=nonnegative)
    M: HiddenState = state("activation of the receptors", domain=nonnegative)

    def dS_a(self, S_a, r, c_exc):
        return self.p.S_ja * (r + c_exc) - S_a / self.p.tau_Sa

    def dS_g(self, S_g, c_inh):
        return self.p.S_jg * c_inh - S_g / self.p.tau_Sg

    def dDp(self, Dp, c_dopa):
        p = self.p
        return (p.k * c_dopa - p.V_max * Dp / (p.K_m + Dp)) / p.tau_Dp

    def dM(self, M, Dp):
        p = self.p
        return (p.R_d / (1 + u.math.exp(p.S_p * (Dp + 1))) - M) / p.tau_M

    def _conductance(self, S_a, S_g, M):
        return self._excitation(S_a, M) + self.p.g_g * S_g

    def _synaptic(self, V, S_a, S_g, M):
        p = self.p
        return self._excitation(S_a, M) * (p.E_a - V) + p.g_g * S_g * (p.E_g - V)

    def _excitation(self, S_a, M):
        return (self.p.B_d + M) * self.p.g_a * S_a
