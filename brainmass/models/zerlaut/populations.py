"""The two populations of the Zerlaut models: neurons, synapses, network, and their stationary rates."""

from __future__ import annotations

from functools import partial

import brainunit as u
import numpy as np

from brainmass._common.checks import instance
from brainmass._common.typing import Numbers
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Domain, Par, nonnegative, option, param, positive, unit_interval
from brainmass.models.zerlaut.transfer import FAST_SPIKING, REGULAR_SPIKING, EffectiveThreshold, rate

__all__ = ["Populations"]

_between = Domain("between 0 and 1, and neither of them", lambda x: (x > 0) & (x < 1), (0.0, 1.0, np.nan), (0.0, 1.0))
_threshold = partial(instance, kinds=EffectiveThreshold, must="a brainmass.EffectiveThreshold")


class Populations(Declared):
    """Excitatory, regular-spiking and inhibitory, fast-spiking neurons with conductance synapses."""

    g_L: Par = param(default=10.0 * u.nS, doc="leak conductance", domain=positive)
    E_L_e: Par = param(default=-65.0 * u.mV, doc="leak reversal potential of excitatory neurons")
    E_L_i: Par = param(default=-65.0 * u.mV, doc="leak reversal potential of inhibitory neurons")
    C_m: Par = param(default=200.0 * u.pF, doc="membrane capacitance", domain=positive)
    b_e: Par = param(default=60.0 * u.pA, doc="adaptation per spike, excitatory neurons")
    a_e: Par = param(default=4.0 * u.nS, doc="subthreshold adaptation, excitatory neurons")
    b_i: Par = param(default=0.0 * u.pA, doc="adaptation per spike, inhibitory neurons")
    a_i: Par = param(default=0.0 * u.nS, doc="subthreshold adaptation, inhibitory neurons")
    tau_w_e: Par = param(default=500.0 * u.ms, doc="time constant of adaptation, excitatory neurons", domain=positive)
    tau_w_i: Par = param(default=500.0 * u.ms, doc="time constant of adaptation, inhibitory neurons", domain=positive)
    E_e: Par = param(default=0.0 * u.mV, doc="reversal potential of excitatory synapses")
    E_i: Par = param(default=-80.0 * u.mV, doc="reversal potential of inhibitory synapses")
    Q_e: Par = param(default=1.5 * u.nS, doc="conductance per excitatory spike", domain=positive)
    Q_i: Par = param(default=5.0 * u.nS, doc="conductance per inhibitory spike", domain=positive)
    tau_e: Par = param(default=5.0 * u.ms, doc="decay time of excitatory synapses", domain=positive)
    tau_i: Par = param(default=5.0 * u.ms, doc="decay time of inhibitory synapses", domain=positive)
    N_tot: Par = param(default=10000.0, doc="number of neurons", domain=positive)
    p_connect_e: Par = param(default=0.05, doc="probability of a connection from E", domain=unit_interval)
    p_connect_i: Par = param(default=0.05, doc="probability of a connection from I", domain=unit_interval)
    g: Par = param(default=0.2, doc="fraction of inhibitory neurons", domain=_between)
    K_ext_e: Par = param(default=400.0, doc="excitatory synapses from outside, per neuron", domain=nonnegative)
    T: Par = param(default=20.0 * u.ms, doc="time scale of the activity", domain=positive)
    external_input_ex_ex: Par = param(default=0.0 * u.Hz, doc="excitatory drive of E", domain=nonnegative)
    external_input_ex_in: Par = param(
        default=0.0 * u.Hz, doc="rate of all inhibitory spikes from outside at a neuron of E", domain=nonnegative
    )
    external_input_in_ex: Par = param(default=0.0 * u.Hz, doc="excitatory drive of I", domain=nonnegative)
    external_input_in_in: Par = param(
        default=0.0 * u.Hz, doc="rate of all inhibitory spikes from outside at a neuron of I", domain=nonnegative
    )
    S_i: Par = param(default=1.0, doc="strength of network input onto I, relative to E", domain=nonnegative)
    threshold_e: EffectiveThreshold = option(default=REGULAR_SPIKING, check=_threshold, doc="of excitatory neurons")
    threshold_i: EffectiveThreshold = option(default=FAST_SPIKING, check=_threshold, doc="of inhibitory neurons")

    def F_e(self, E, I, W_e, drive):  # noqa: E741
        """Stationary rate of excitatory neurons, at these rates, adaptation and excitatory drive from outside."""
        mu, sigma, tau, tau_m = self.potential_e(E, I, W_e, drive)
        return rate(self.threshold_e, mu, sigma, tau, tau_m)

    def F_i(self, E, I, W_i, drive):  # noqa: E741
        """Stationary rate of inhibitory neurons."""
        mu, sigma, tau, tau_m = self.potential_i(E, I, W_i, drive)
        return rate(self.threshold_i, mu, sigma, tau, tau_m)

    def potential_e(self, E, I, W_e, drive):  # noqa: E741
        """Mean, standard deviation, autocorrelation time, and the resting membrane's time constant."""
        return self._potential(E, I, W_e, drive + self.p.external_input_ex_ex, self.p.external_input_ex_in, "E_L_e")

    def potential_i(self, E, I, W_i, drive):  # noqa: E741
        return self._potential(E, I, W_i, drive + self.p.external_input_in_ex, self.p.external_input_in_in, "E_L_i")

    def _potential(self, E: Numbers, I: Numbers, W: Numbers, exc: Numbers, inh: Numbers, rest: str) -> Numbers:  # noqa: E741
        p, silent = self.p, 1e-3 * u.Hz  # which keeps a variance where nothing fires; rates below zero count as that
        N_e, N_i = (1 - p.g) * p.p_connect_e * p.N_tot, p.g * p.p_connect_i * p.N_tot
        f_e = u.math.maximum((E + silent) * N_e + exc * p.K_ext_e, silent)
        f_i = u.math.maximum((I + silent) * N_i + inh, silent)
        G_e, G_i = p.Q_e * p.tau_e * f_e, p.Q_i * p.tau_i * f_i
        G = p.g_L + G_e + G_i
        mu = (G_e * p.E_e + G_i * p.E_i + p.g_L * getattr(p, rest) - W) / G
        v_e, v_i = (
            f * (Q * tau * (E_syn - mu) / G) ** 2
            for f, Q, tau, E_syn in ((f_e, p.Q_e, p.tau_e, p.E_e), (f_i, p.Q_i, p.tau_i, p.E_i))
        )
        filtered = v_e / (p.C_m / G + p.tau_e) + v_i / (p.C_m / G + p.tau_i)
        return mu, u.math.sqrt(filtered / 2), (v_e + v_i) / filtered, p.C_m / p.g_L
