"""The synapses of the sleeping cortex: four conductances, each of second order in time."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state
from brainmass.dynamics.noise import Noise
from brainmass.models.costa.synapses import per_ms, rate_of, second_order

__all__ = ["CorticalSynapses"]


class CorticalSynapses(Declared):
    """Firing rates of pyramidal cells (p) and interneurons (i), and what they leave: excitation (e), inhibition (g)."""

    Q_max_p: Par = param(default=0.03 * per_ms, doc="highest firing rate of pyramidal cells", domain=positive)
    Q_max_i: Par = param(default=0.06 * per_ms, doc="highest firing rate of interneurons", domain=positive)
    theta: Par = param(default=-58.5 * u.mV, doc="firing threshold")
    sigma_p: Par = param(default=4.7 * u.mV, doc="spread of the thresholds of pyramidal cells", domain=positive)
    sigma_i: Par = param(default=6.0 * u.mV, doc="spread of the thresholds of interneurons", domain=positive)
    gamma_e: Par = param(default=0.07 * per_ms, doc="rate of excitatory synapses", domain=positive)
    gamma_g: Par = param(default=0.0586 * per_ms, doc="rate of inhibitory synapses", domain=positive)
    N_pp: Par = param(default=115.0, doc="strength from pyramidal to pyramidal cells", domain=nonnegative)
    N_ip: Par = param(default=72.0, doc="strength from pyramidal cells to interneurons", domain=nonnegative)
    N_pi: Par = param(default=90.0, doc="strength from interneurons to pyramidal cells", domain=nonnegative)
    N_ii: Par = param(default=90.0, doc="strength from interneurons to interneurons", domain=nonnegative)
    N_pt: Par = param(default=2.5, doc="strength from the network to pyramidal cells", domain=nonnegative)
    N_it: Par = param(default=2.5, doc="strength from the network to interneurons", domain=nonnegative)
    init_s: Initializer = Constant(0.0)
    noise_drive_p: Noise | None = None
    noise_drive_i: Noise | None = None

    s_ep: HiddenState = state("excitation of pyramidal cells", unit=per_ms, start="init_s")
    s_ei: HiddenState = state("excitation of interneurons", unit=per_ms, start="init_s")
    s_gp: HiddenState = state("inhibition of pyramidal cells", unit=per_ms, start="init_s")
    s_gi: HiddenState = state("inhibition of interneurons", unit=per_ms, start="init_s")
    x_ep: HiddenState = state(
        "slope of s_ep",
        unit=per_ms**2,
        start="init_s",
        port="drive_p",
        port_unit=per_ms,
        noise="noise_drive_p",
    )
    x_ei: HiddenState = state(
        "slope of s_ei",
        unit=per_ms**2,
        start="init_s",
        port="drive_i",
        port_unit=per_ms,
        noise="noise_drive_i",
    )
    x_gp: HiddenState = state("slope of s_gp", unit=per_ms**2, start="init_s")
    x_gi: HiddenState = state("slope of s_gi", unit=per_ms**2, start="init_s")

    def rate_p(self, V):
        """Firing rate of pyramidal cells at the mean potential `V`."""
        return rate_of(V, self.p.Q_max_p, self.p.theta, self.p.sigma_p)

    def rate_i(self, V):
        """Firing rate of interneurons at the mean potential `V`."""
        return rate_of(V, self.p.Q_max_i, self.p.theta, self.p.sigma_i)

    def ds_ep(self, s_ep, x_ep):
        return x_ep

    def ds_ei(self, s_ei, x_ei):
        return x_ei

    def ds_gp(self, s_gp, x_gp):
        return x_gp

    def ds_gi(self, s_gi, x_gi):
        return x_gi

    def dx_ep(self, x_ep, s_ep, V_p, coupling, drive_p):
        p = self.p
        return second_order(p.gamma_e, p.N_pp * self.rate_p(V_p) + p.N_pt * coupling + drive_p, s_ep, x_ep)

    def dx_ei(self, x_ei, s_ei, V_p, coupling, drive_i):
        p = self.p
        return second_order(p.gamma_e, p.N_ip * self.rate_p(V_p) + p.N_it * coupling + drive_i, s_ei, x_ei)

    def dx_gp(self, x_gp, s_gp, V_i):
        return second_order(self.p.gamma_g, self.p.N_pi * self.rate_i(V_i), s_gp, x_gp)

    def dx_gi(self, x_gi, s_gi, V_i):
        return second_order(self.p.gamma_g, self.p.N_ii * self.rate_i(V_i), s_gi, x_gi)
