"""The synapses of the thalamus: four conductances, each of second order in time."""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state

__all__ = ["Synapses", "mS_per_cm2", "mV_per_ms", "passive", "per_ms", "rate_of", "second_order", "uF_per_cm2"]

per_ms: Any = u.ms**-1
mV_per_ms: Any = u.mV / u.ms
mS_per_cm2: Any = u.mS / u.cm**2
uF_per_cm2: Any = u.uF / u.cm**2
_CONDUCTANCE = 1.0 * u.ms  # of all synapses over that of the leak, for an input of one spike per ms
_STEEP = u.math.pi / 3**0.5


class Synapses(Declared):
    """Firing rates of relay (t) and reticular (r) neurons, and what the rates leave: excitation (e), inhibition (g)."""

    Q_max: Par = param(default=0.4 * per_ms, doc="highest firing rate", domain=positive)
    theta: Par = param(default=-58.5 * u.mV, doc="firing threshold")
    sigma: Par = param(default=6.0 * u.mV, doc="spread of the thresholds", domain=positive)
    gamma_e: Par = param(default=0.07 * per_ms, doc="rate of excitatory synapses", domain=positive)
    gamma_g: Par = param(default=0.1 * per_ms, doc="rate of inhibitory synapses", domain=positive)
    N_rt: Par = param(default=3.0, doc="strength from relay to reticular neurons", domain=nonnegative)
    N_tr: Par = param(default=5.0, doc="strength from reticular to relay neurons", domain=nonnegative)
    N_rr: Par = param(default=25.0, doc="strength from reticular to reticular neurons", domain=nonnegative)
    N_tp: Par = param(default=1.0, doc="strength from the cortex to relay neurons", domain=nonnegative)
    N_rp: Par = param(default=1.0, doc="strength from the cortex to reticular neurons", domain=nonnegative)
    init_s: Initializer = Constant(0.0)

    s_et: HiddenState = state("excitation of relay neurons", unit=per_ms, start="init_s")
    s_gt: HiddenState = state("inhibition of relay neurons", unit=per_ms, start="init_s")
    s_er: HiddenState = state("excitation of reticular neurons", unit=per_ms, start="init_s")
    s_gr: HiddenState = state("inhibition of reticular neurons", unit=per_ms, start="init_s")
    x_et: HiddenState = state("slope of s_et", unit=per_ms**2, start="init_s")
    x_gt: HiddenState = state("slope of s_gt", unit=per_ms**2, start="init_s")
    x_er: HiddenState = state("slope of s_er", unit=per_ms**2, start="init_s")
    x_gr: HiddenState = state("slope of s_gr", unit=per_ms**2, start="init_s")

    def firing_rate(self, V):
        """Rate of a population at the mean potential `V`."""
        return rate_of(V, self.p.Q_max, self.p.theta, self.p.sigma)

    def ds_et(self, s_et, x_et):
        return x_et

    def ds_gt(self, s_gt, x_gt):
        return x_gt

    def ds_er(self, s_er, x_er):
        return x_er

    def ds_gr(self, s_gr, x_gr):
        return x_gr

    def dx_et(self, x_et, s_et, coupling):
        return second_order(self.p.gamma_e, self.p.N_tp * coupling, s_et, x_et)

    def dx_gt(self, x_gt, s_gt, V_r):
        return second_order(self.p.gamma_g, self.p.N_tr * self.firing_rate(V_r), s_gt, x_gt)

    def dx_er(self, x_er, s_er, V_t, coupling):
        p = self.p
        return second_order(p.gamma_e, p.N_rt * self.firing_rate(V_t) + p.N_rp * coupling, s_er, x_er)

    def dx_gr(self, x_gr, s_gr, V_r):
        return second_order(self.p.gamma_g, self.p.N_rr * self.firing_rate(V_r), s_gr, x_gr)


def rate_of(V, highest, threshold, spread):
    """Rate of a population at the mean potential `V`, whose thresholds have this standard deviation."""
    return highest * jax.nn.sigmoid(u.maybe_decimal(_STEEP * (V - threshold) / spread))


def second_order(gamma, drive, s, x):
    """The second derivative of a synapse's response `s`, whose first is `x`."""
    return gamma**2 * (drive - s) - 2 * gamma * x


def passive(p, V, excitation, inhibition):
    """The rate of change of a potential by the leak and the synapses of a population with the parameters `p`."""
    synapses = _CONDUCTANCE * (excitation * (V - p.E_e) + inhibition * (V - p.E_g))
    return -(V - p.E_L + synapses) / p.tau
