"""Ion channels of thalamic neurons, at the potential V in mV: T channels for calcium, and h channels that it binds."""

from __future__ import annotations

import brainunit as u
import jax
import jax.numpy as jnp
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state

__all__ = ["Channels"]

_WARM = 3**1.2  # how much faster T channels are at body temperature


def _relay_t(V):
    """T channels of relay neurons: activation, inactivation, and the time constant of the latter."""
    tau = 30.8 + (211.4 + jnp.exp((V + 115.2) / 5)) / (1 + jnp.exp((V + 86) / 3.2))
    return jax.nn.sigmoid((V + 59) / 6.2), jax.nn.sigmoid(-(V + 81) / 4), tau / _WARM


def _reticular_t(V):
    """T channels of reticular neurons: activation, inactivation, and the time constant of the latter."""
    tau = 85 + 1 / (jnp.exp((V + 48) / 4) + jnp.exp(-(V + 407) / 50))
    return jax.nn.sigmoid((V + 52) / 7.4), jax.nn.sigmoid(-(V + 80) / 5), tau / _WARM


def _relay_h(V):
    """h channels of relay neurons: activation, and its time constant."""
    tau = 20 + 1000 / (jnp.exp((V + 71.5) / 14.2) + jnp.exp(-(V + 89) / 11.6))
    return jax.nn.sigmoid(-(V + 75) / 5.5), tau


class Channels(Declared):
    """T channels of both populations, h channels of relay neurons, and the calcium in these."""

    E_Ca: Par = param(default=120.0, doc="calcium reversal potential, mV")
    E_h: Par = param(default=-40.0, doc="reversal potential of h channels, mV")
    g_T_t: Par = param(default=3.0, doc="T channels of relay neurons, mS/cm²", domain=nonnegative)
    g_T_r: Par = param(default=2.3, doc="T channels of reticular neurons, mS/cm²", domain=nonnegative)
    g_h: Par = param(default=0.062, doc="h channels of relay neurons, mS/cm²", domain=nonnegative)
    g_inc: Par = param(default=2.0, doc="conductance of bound h channels, as a multiple", domain=nonnegative)
    alpha_Ca: Par = param(default=-51.8e-6, doc="calcium that enters with a T current")
    tau_Ca: Par = param(default=10.0, doc="time constant of calcium, ms", domain=positive)
    Ca_0: Par = param(default=2.4e-4, doc="calcium at rest, mmol/l", domain=positive)
    k1: Par = param(default=2.5e7, doc="rate at which calcium activates the binding protein", domain=positive)
    k2: Par = param(default=4e-4, doc="rate at which it is inactivated", domain=positive)
    k3: Par = param(default=0.1, doc="rate at which h channels are bound, per ms", domain=nonnegative)
    k4: Par = param(default=0.001, doc="rate at which they are set free, per ms", domain=positive)
    n_P: Par = param(default=4.0, doc="calcium ions for each protein", domain=positive)
    init_Ca: Initializer = Constant(2.4e-4)
    init_gate: Initializer = Constant(0.1)

    Ca: HiddenState = state("calcium in relay neurons, mmol/l", domain=nonnegative)
    h_T_t: HiddenState = state("T channels of relay neurons not inactivated", start="init_gate")
    h_T_r: HiddenState = state("T channels of reticular neurons not inactivated", start="init_gate")
    m_h1: HiddenState = state("h channels open and free", start="init_gate")
    m_h2: HiddenState = state("h channels open and bound", start="init_gate")

    def dCa(self, Ca, V_t, h_T_t):
        p = self.p
        return (p.alpha_Ca * self._relay_T(V_t, h_T_t) - (Ca - p.Ca_0) / p.tau_Ca) / u.ms

    def dh_T_t(self, h_T_t, V_t):
        _, steady, tau = _relay_t(V_t)
        return (steady - h_T_t) / tau / u.ms

    def dh_T_r(self, h_T_r, V_r):
        _, steady, tau = _reticular_t(V_r)
        return (steady - h_T_r) / tau / u.ms

    def dm_h1(self, m_h1, m_h2, V_t, Ca):
        p = self.p
        steady, tau = _relay_h(V_t)
        return ((steady * (1 - m_h2) - m_h1) / tau - p.k3 * self._bound(Ca) * m_h1 + p.k4 * m_h2) / u.ms

    def dm_h2(self, m_h2, m_h1, Ca):
        p = self.p
        return (p.k3 * self._bound(Ca) * m_h1 - p.k4 * m_h2) / u.ms

    def _relay_T(self, V, h):
        return self.p.g_T_t * _relay_t(V)[0] ** 2 * h * (V - self.p.E_Ca)

    def _reticular_T(self, V, h):
        return self.p.g_T_r * _reticular_t(V)[0] ** 2 * h * (V - self.p.E_Ca)

    def _h_current(self, V, free, bound):
        p = self.p
        return p.g_h * (free + p.g_inc * bound) * (V - p.E_h)

    def _bound(self, Ca):
        """The share of binding protein that calcium has activated."""
        p = self.p
        return 1 / (1 + p.k2 / (p.k1 * Ca**p.n_P))
