"""Ion channels of thalamic neurons: T channels for calcium, and h channels that it binds."""

from __future__ import annotations

from typing import Any

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state
from brainmass.models.costa.gates import relay_h, relay_t, reticular_t
from brainmass.models.costa.synapses import mS_per_cm2, per_ms

__all__ = ["Channels"]

_PER_CHARGE: Any = u.mM / u.ms / (u.uA / u.cm**2)


class Channels(Declared):
    """T channels of both populations, h channels of relay neurons, and the calcium in these."""

    E_Ca: Par = param(default=120.0 * u.mV, doc="calcium reversal potential")
    E_h: Par = param(default=-40.0 * u.mV, doc="reversal potential of h channels")
    g_T_t: Par = param(default=3.0 * mS_per_cm2, doc="T channels of relay neurons", domain=nonnegative)
    g_T_r: Par = param(default=2.3 * mS_per_cm2, doc="T channels of reticular neurons", domain=nonnegative)
    g_h: Par = param(default=0.062 * mS_per_cm2, doc="h channels of relay neurons", domain=nonnegative)
    g_inc: Par = param(default=2.0, doc="conductance of bound h channels, as a multiple", domain=nonnegative)
    alpha_Ca: Par = param(default=-51.8e-6 * _PER_CHARGE, doc="calcium that enters with a T current")
    tau_Ca: Par = param(default=10.0 * u.ms, doc="time constant of calcium", domain=positive)
    Ca_0: Par = param(default=2.4e-4 * u.mM, doc="calcium at rest", domain=positive)
    k1: Par = param(
        default=2.5e7 * per_ms, doc="rate at which 1 mmol/l of calcium activates the binding protein", domain=positive
    )
    k2: Par = param(default=4e-4 * per_ms, doc="rate at which it is inactivated", domain=positive)
    k3: Par = param(default=0.1 * per_ms, doc="rate at which h channels are bound", domain=nonnegative)
    k4: Par = param(default=0.001 * per_ms, doc="rate at which they are set free", domain=positive)
    n_P: Par = param(default=4.0, doc="calcium ions for each protein", domain=positive)
    init_Ca: Initializer = Constant(2.4e-4 * u.mM)  # pyright: ignore[reportArgumentType]
    init_gate: Initializer = Constant(0.1)

    Ca: HiddenState = state("calcium in relay neurons", unit=u.mM, domain=nonnegative)
    h_T_t: HiddenState = state("T channels of relay neurons not inactivated", start="init_gate")
    h_T_r: HiddenState = state("T channels of reticular neurons not inactivated", start="init_gate")
    m_h1: HiddenState = state("h channels open and free", start="init_gate")
    m_h2: HiddenState = state("h channels open and bound", start="init_gate")

    def dCa(self, Ca, V_t, h_T_t):
        p = self.p
        return p.alpha_Ca * self._relay_T(V_t, h_T_t) - (Ca - p.Ca_0) / p.tau_Ca

    def dh_T_t(self, h_T_t, V_t):
        _, steady, tau = relay_t(V_t)
        return (steady - h_T_t) / tau

    def dh_T_r(self, h_T_r, V_r):
        _, steady, tau = reticular_t(V_r)
        return (steady - h_T_r) / tau

    def dm_h1(self, m_h1, m_h2, V_t, Ca):
        p = self.p
        steady, tau = relay_h(V_t)
        return (steady * (1 - m_h2) - m_h1) / tau - p.k3 * self._bound(Ca) * m_h1 + p.k4 * m_h2

    def dm_h2(self, m_h2, m_h1, Ca):
        p = self.p
        return p.k3 * self._bound(Ca) * m_h1 - p.k4 * m_h2

    def _relay_T(self, V, h):
        return self.p.g_T_t * relay_t(V)[0] ** 2 * h * (V - self.p.E_Ca)

    def _reticular_T(self, V, h):
        return self.p.g_T_r * reticular_t(V)[0] ** 2 * h * (V - self.p.E_Ca)

    def _h_current(self, V, free, bound):
        p = self.p
        return p.g_h * (free + p.g_inc * bound) * (V - p.E_h)

    def _bound(self, Ca):
        """The share of binding protein that calcium has activated."""
        p = self.p
        return 1 / (1 + p.k2 / (p.k1 * Ca.to_decimal(u.mM) ** p.n_P))
