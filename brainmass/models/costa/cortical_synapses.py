"""The synapses of the sleeping cortex: four conductances, each of second order in time."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state
from brainmass.dynamics.noise import Noise
from brainmass.models.costa.synapses import rate_of, second_order

__all__ = ["CorticalSynapses"]


class CorticalSynapses(Declared):
    """Firing rates of pyramidal cells (p) and interneurons (i), and what they leave: excitation (e), inhibition (g)."""

    Q_max_p: Par = param(default=0.03, doc="highest firing rate of pyramidal cells, per ms", domain=positive)
    Q_max_i: Par = param(default=0.06, doc="highest firing rate of interneurons, per ms", domain=positive)
    theta: Par = param(default=-58.5, doc="firing threshold, mV")
    sigma_p: Par = param(default=4.7, doc="spread of the thresholds of pyramidal cells, mV", domain=positive)
    sigma_i: Par = param(default=6.0, doc="spread of the thresholds of interneurons, mV", domain=positive)
    gamma_e: Par = param(default=0.07, doc="rate of excitatory synapses, per ms", domain=positive)
    gamma_g: Par = param(default=0.0586, doc="rate of inhibitory synapses, per ms", domain=positive)
    N_pp: Par = param(default=115.0, doc="strength from pyramidal to pyramidal cells", domain=nonnegative)
    N_ip: Par = param(default=72.0, doc="strength from pyramidal cells to interneurons", domain=nonnegative)
    N_pi: Par = param(default=90.0, doc="strength from interneurons to pyramidal cells", domain=nonnegative)
    N_ii: Par = param(default=90.0, doc="strength from interneurons to interneurons", domain=nonnegative)
    N_pt: Par = param(default=2.5, doc="strength from the network to pyramidal cells", domain=nonnegative)
    N_it: Par = param(default=2.5, doc="strength from the network to interneurons", domain=nonnegative)
    init_s: Initializer = Constant(0.0)
    noise_drive_p: Noise | None = None
    noise_drive_i: Noise | None = None

    s_ep: HiddenState = state("excitation of pyramidal cells", start="init_s")
    s_ei: HiddenState = state("excitation of interneurons", start="init_s")
    s_gp: HiddenState = state("inhibition of pyramidal cells", start="init_s")
    s_gi: HiddenState = state("inhibition of interneurons", start="init_s")
    x_ep: HiddenState = state("rate of change of s_ep, per ms", start="init_s", port="drive_p", noise="noise_drive_p")
    x_ei: HiddenState = state("rate of change of s_ei, per ms", start="init_s", port="drive_i", noise="noise_drive_i")
    x_gp: HiddenState = state("rate of change of s_gp, per ms", start="init_s")
    x_gi: HiddenState = state("rate of change of s_gi, per ms", start="init_s")

    def rate_p(self, V):
        """Firing rate in 1/ms of pyramidal cells at the mean potential `V`."""
        return rate_of(V, self.p.Q_max_p, self.p.theta, self.p.sigma_p)

    def rate_i(self, V):
        """Firing rate in 1/ms of interneurons at the mean potential `V`."""
        return rate_of(V, self.p.Q_max_i, self.p.theta, self.p.sigma_i)

    def ds_ep(self, s_ep, x_ep):
        return x_ep / u.ms

    def ds_ei(self, s_ei, x_ei):
        return x_ei / u.ms

    def ds_gp(self, s_gp, x_gp):
        return x_gp / u.ms

    def ds_gi(self, s_gi, x_gi):
        return x_gi / u.ms

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
