"""The reduced Wong–Wang model with an excitatory and an inhibitory pool (dynamic mean field)."""

from __future__ import annotations

from typing import Any

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.fields import Initializer, Par, param, positive, state, unit_interval
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep
from brainmass.models.wong_wang.transfer import wong_wang_transfer

__all__ = ["WongWangExcInhStep"]


class WongWangExcInhStep(NeuralMassDynamics):
    r"""Reduced Wong–Wang model of an excitatory and an inhibitory pool: the "dynamic mean field".

    .. math::
        \dot S_E &= -S_E/\tau_E + (1 - S_E)\,\gamma_E H_E(x_E), &
        x_E &= w_p J_N S_E - J_i S_I + W_E I_o + G J_N c + I_{ext} \\
        \dot S_I &= -S_I/\tau_I + \gamma_I H_I(x_I), &
        x_I &= J_N S_E - S_I + W_I I_o + \lambda G J_N c

    with :math:`H(x) = y/(1 - e^{-d y})`, :math:`y = a x - b`, in Hz, and :math:`c` the weighted sum of the other
    regions' :math:`S_E`. Time is in ms, currents in nA, as plain numbers; noise adds to the derivatives (per ms).

    Reference: Deco et al. 2014, J. Neurosci. 34:7886.
    """

    use_case = "resting-state BOLD and functional connectivity; excitation-inhibition balance"
    output = "S_e"
    coupling_port = "coupling"
    remembers = ("coupling",)
    largest_step = LargestStep(of={"tau_e": 0.05, "tau_i": 0.5})

    a_e: Par = param(default=310.0, doc="gain of the excitatory pool, Hz/nA", domain=positive)
    b_e: Par = param(default=125.0, doc="threshold of the excitatory pool, Hz")
    d_e: Par = param(default=0.16, doc="curvature of the excitatory pool, s", domain=positive)
    gamma_e: Par = param(default=0.641e-3, doc="kinetic factor of the excitatory gating", domain=positive)
    tau_e: Par = param(default=100.0, doc="NMDA time constant, ms", domain=positive)
    w_p: Par = param(default=1.4, doc="recurrent excitation")
    W_e: Par = param(default=1.0, doc="share of the external current, excitatory pool")
    a_i: Par = param(default=615.0, doc="gain of the inhibitory pool, Hz/nA", domain=positive)
    b_i: Par = param(default=177.0, doc="threshold of the inhibitory pool, Hz")
    d_i: Par = param(default=0.087, doc="curvature of the inhibitory pool, s", domain=positive)
    gamma_i: Par = param(default=1e-3, doc="kinetic factor of the inhibitory gating", domain=positive)
    tau_i: Par = param(default=10.0, doc="GABA time constant, ms", domain=positive)
    W_i: Par = param(default=0.7, doc="share of the external current, inhibitory pool")
    J_N: Par = param(default=0.15, doc="NMDA synaptic coupling, nA")
    J_i: Par = param(default=1.0, doc="local feedback inhibition, nA")
    I_o: Par = param(default=0.382, doc="external current, nA")
    I_ext: Par = param(default=0.0, doc="further current into the excitatory pool, nA")
    G: Par = param(default=2.0, doc="global coupling")
    lamda: Par = param(default=0.0, doc="share of long-range feedforward inhibition")
    init_S_e: Initializer = Constant(0.001)
    init_S_i: Initializer = Constant(0.001)
    noise_e: Noise | None = None
    noise_i: Noise | None = None

    S_e: HiddenState = state("excitatory gating", port="coupling", add="add_e", noise="noise_e", domain=unit_interval)
    S_i: HiddenState = state("inhibitory gating", add="add_i", noise="noise_i", domain=unit_interval)

    def dS_e(self, S_e, S_i, coupling, add=0.0):
        p = self.p
        return (-S_e / p.tau_e + (1 - S_e) * p.gamma_e * self._rate_e(S_e, S_i, coupling) + add) / u.ms

    def dS_i(self, S_i, S_e, coupling, add=0.0):
        return (-S_i / self.p.tau_i + self.p.gamma_i * self._rate_i(S_e, S_i, coupling) + add) / u.ms

    def H_e(self, coupling: Any = None) -> Any:
        """Rate of the excitatory pool in Hz; network input as received in the last step, unless given."""
        return self._rate_e(self.S_e.value, self.S_i.value, self._received(coupling))

    def H_i(self, coupling: Any = None) -> Any:
        """Rate of the inhibitory pool in Hz; network input as received in the last step, unless given."""
        return self._rate_i(self.S_e.value, self.S_i.value, self._received(coupling))

    def _received(self, coupling: Any) -> Any:
        return self.received_coupling.value if coupling is None else coupling

    def _rate_e(self, S_e, S_i, coupling):
        p = self.p
        return wong_wang_transfer(p.a_e * (self._excitation_e(S_e, coupling) - p.J_i * S_i) - p.b_e, p.d_e)

    def _rate_i(self, S_e, S_i, coupling):
        return wong_wang_transfer(self.p.a_i * (self._excitation_i(S_e, coupling) - S_i) - self.p.b_i, self.p.d_i)

    def _excitation_e(self, S_e, coupling):
        p = self.p
        return p.w_p * p.J_N * S_e + p.W_e * p.I_o + p.G * p.J_N * coupling + p.I_ext

    def _excitation_i(self, S_e, coupling):
        p = self.p
        return p.J_N * S_e + p.W_i * p.I_o + p.lamda * p.G * p.J_N * coupling
