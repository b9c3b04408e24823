"""The canonical microcircuit of dynamic causal modelling."""

from __future__ import annotations

from collections.abc import Mapping

import brainunit as u

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, nonnegative, param, positive
from brainmass.dynamics.functions import sigmoid, sys2nd
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.regime import LargestStep
from brainmass.models.dynamic_causal.layers import Layers

__all__ = ["CanonicalMicrocircuitStep"]


class CanonicalMicrocircuitStep(Layers, NeuralMassDynamics):
    r"""Canonical microcircuit: superficial and deep pyramidal cells as sources of forward and backward connections.

    Spiny stellate (ss), superficial pyramidal (sp), inhibitory (ii) and deep pyramidal (dp) cells:

    .. math::
        \ddot v_{k} &= \tfrac{H}{\tau_k} u_k - \tfrac{2}{\tau_k} \dot v_k - \tfrac{1}{\tau_k^2} v_k \\
        u_{ss} &= F + I_{ss} - \gamma_1 S(v_{ss}) - \gamma_2 S(v_{sp}) - \gamma_3 S(v_{ii}) \\
        u_{sp} &= -B + I_{sp} + \gamma_8 S(v_{ss}) - \gamma_7 S(v_{sp}) \\
        u_{ii} &= -a_{ii} B + I_{ii} + \gamma_5 S(v_{ss}) + \gamma_6 S(v_{dp}) - \gamma_4 S(v_{ii}) \\
        u_{dp} &= a_{dp} F + I_{dp} - \gamma_9 S(v_{ii}) - \gamma_{10} S(v_{dp})

    with :math:`S(v) = e_0/(1 + e^{-r v}) - e_0/2`, so that without input all rests at zero, and :math:`w_k` the rate of
    change of :math:`v_k`. Superficial cells of a lower area send into the port `forward` (:math:`F`) of a higher one
    (`coupled_var="rate_sp"`), deep cells of the higher one into `backward` (:math:`B`) of the lower one (`"rate_dp"`),
    which inhibits; the prior strength of both is 200, with delays of 8 ms. Each population has a port of its own,
    :math:`I_k`, for stimuli, noise and other pathways. What is measured is mostly :math:`v_{sp}`.

    Reference: Bastos, Usrey, Adams, Mangun, Fries, Friston 2012, Neuron 76:695; connections and prior values as in
    SPM12.
    """

    use_case = "evoked and spectral responses of layered cortex; predictive coding, forward gamma and backward beta"
    questions = ("evoked",)
    output = "v_sp"
    coupling_port = "forward"
    sources = ("rate_ss", "rate_sp", "rate_ii", "rate_dp")
    shared_inputs = {"forward": u.Hz, "backward": u.Hz}
    largest_step = LargestStep(of=dict.fromkeys(("tau_ss", "tau_sp", "tau_ii", "tau_dp"), 0.2))

    H: Par = param(default=1.0 * u.mV, doc="synaptic gain", domain=positive)
    tau_ss: Par = param(default=2.0 * u.ms, doc="time constant of spiny stellate cells", domain=positive)
    tau_sp: Par = param(default=2.0 * u.ms, doc="time constant of superficial pyramidal cells", domain=positive)
    tau_ii: Par = param(default=16.0 * u.ms, doc="time constant of inhibitory cells", domain=positive)
    tau_dp: Par = param(default=28.0 * u.ms, doc="time constant of deep pyramidal cells", domain=positive)
    gamma_1: Par = param(default=800.0, doc="inhibition of ss by itself", domain=nonnegative)
    gamma_2: Par = param(default=800.0, doc="inhibition of ss by sp", domain=nonnegative)
    gamma_3: Par = param(default=1600.0, doc="inhibition of ss by ii", domain=nonnegative)
    gamma_4: Par = param(default=800.0, doc="inhibition of ii by itself", domain=nonnegative)
    gamma_5: Par = param(default=800.0, doc="excitation of ii by ss", domain=nonnegative)
    gamma_6: Par = param(default=400.0, doc="excitation of ii by dp", domain=nonnegative)
    gamma_7: Par = param(default=800.0, doc="inhibition of sp by itself", domain=nonnegative)
    gamma_8: Par = param(default=800.0, doc="excitation of sp by ss", domain=nonnegative)
    gamma_9: Par = param(default=400.0, doc="inhibition of dp by ii", domain=nonnegative)
    gamma_10: Par = param(default=200.0, doc="inhibition of dp by itself", domain=nonnegative)
    a_dp: Par = param(default=0.5, doc="forward input of dp, as a share of that of ss", domain=nonnegative)
    a_ii: Par = param(default=0.5, doc="backward input of ii, as a share of that of sp", domain=nonnegative)
    e0: Par = param(default=1.0 * u.Hz, doc="range of the firing rate", domain=positive)
    r: Par = param(default=2 / 3 / u.mV, doc="steepness of the sigmoid", domain=positive)

    def S(self, v: Numbers) -> Numbers:
        """Firing rate at the potential `v`, above that at zero."""
        return sigmoid(v, self.p.e0, 0.0 * u.mV, self.p.r) - self.p.e0 / 2

    def dw_ss(self, w_ss, v_ss, v_sp, v_ii, forward, ss_inp):
        p, S = self.p, self.S
        pulses = forward + ss_inp - p.gamma_1 * S(v_ss) - p.gamma_2 * S(v_sp) - p.gamma_3 * S(v_ii)
        return sys2nd(p.H, 1 / p.tau_ss, pulses, v_ss, w_ss)

    def dw_sp(self, w_sp, v_ss, v_sp, backward, sp_inp):
        p, S = self.p, self.S
        pulses = sp_inp - backward + p.gamma_8 * S(v_ss) - p.gamma_7 * S(v_sp)
        return sys2nd(p.H, 1 / p.tau_sp, pulses, v_sp, w_sp)

    def dw_ii(self, w_ii, v_ss, v_ii, v_dp, backward, ii_inp):
        p, S = self.p, self.S
        within = p.gamma_5 * S(v_ss) + p.gamma_6 * S(v_dp) - p.gamma_4 * S(v_ii)
        return sys2nd(p.H, 1 / p.tau_ii, within + ii_inp - p.a_ii * backward, v_ii, w_ii)

    def dw_dp(self, w_dp, v_ii, v_dp, forward, dp_inp):
        p, S = self.p, self.S
        pulses = p.a_dp * forward + dp_inp - p.gamma_9 * S(v_ii) - p.gamma_10 * S(v_dp)
        return sys2nd(p.H, 1 / p.tau_dp, pulses, v_dp, w_dp)

    def source(self, name: str, values: Mapping[str, Numbers]) -> Numbers:
        return self.S(values[name.replace("rate", "v")]) if name in self.sources else values[name]
