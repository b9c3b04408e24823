"""What the dynamic mean fields share: an excitatory and an inhibitory pool, their currents and their rates."""

from __future__ import annotations

from abc import abstractmethod

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Initializer, Par, param, positive, state, unit_interval
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep
from brainmass.models.wong_wang.transfer import wong_wang_transfer

__all__ = ["NO_CURRENT", "WongWangExcInhBase"]

NO_CURRENT: Numbers = 0.0 * u.nA


class WongWangExcInhBase(NeuralMassDynamics):
    """An excitatory and an inhibitory pool by their gating; a subclass says what the local inhibition `J_i` is."""

    use_case = "resting-state BOLD and functional connectivity; excitation-inhibition balance"
    output = "S_e"
    coupling_port = "coupling"
    further_inputs = {"current_e": u.nA, "current_i": u.nA}
    remembers = ("coupling", "current_e", "current_i")
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
    I_o: Par = param(default=0.382, doc="external current, nA")
    I_ext: Par = param(default=0.0, doc="further current into the excitatory pool, nA")
    G: Par = param(default=2.0, doc="global coupling")
    lamda: Par = param(default=0.0, doc="share of long-range feedforward inhibition")
    init_S_e: Initializer = Constant(0.001)
    init_S_i: Initializer = Constant(0.001)
    noise_e: Noise | None = None
    noise_i: Noise | None = None
    gain_e: Par = param(default=1.0, doc="factor of the excitatory gain", domain=positive, kw_only=True)
    gain_i: Par = param(default=1.0, doc="factor of the inhibitory gain", domain=positive, kw_only=True)

    S_e: HiddenState = state("excitatory gating", port="coupling", add="add_e", noise="noise_e", domain=unit_interval)
    S_i: HiddenState = state("inhibitory gating", add="add_i", noise="noise_i", domain=unit_interval)

    @abstractmethod
    def dS_e(self, S_e, S_i, coupling, add=0.0): ...

    def dS_i(self, S_i, S_e, coupling, add=0.0, current_i=NO_CURRENT):
        return (-S_i / self.p.tau_i + self.p.gamma_i * self._rate_i(S_e, S_i, coupling, current_i) + add) / u.ms

    def H_e(self, coupling: Numbers = None, current: Numbers = None) -> Numbers:
        """Rate of the excitatory pool in Hz; network input and current as received in the last step, unless given."""
        received = self._received(coupling=coupling, current_e=current)
        return self._rate_e(self.S_e.value, self.S_i.value, self._inhibition(), *received)

    def H_i(self, coupling: Numbers = None, current: Numbers = None) -> Numbers:
        """Rate of the inhibitory pool in Hz; network input and current as received in the last step, unless given."""
        return self._rate_i(self.S_e.value, self.S_i.value, *self._received(coupling=coupling, current_i=current))

    @abstractmethod
    def _inhibition(self) -> Numbers: ...

    def _received(self, **given: Numbers) -> list[Numbers]:
        return [getattr(self, f"received_{p}").value if x is None else self._read(p, x) for p, x in given.items()]

    def _motion_e(self, S_e, S_i, J_i, coupling, current, add):
        p = self.p
        return (-S_e / p.tau_e + (1 - S_e) * p.gamma_e * self._rate_e(S_e, S_i, J_i, coupling, current) + add) / u.ms

    def _rate_e(self, S_e, S_i, J_i, coupling, current):
        p, x = self.p, self._excitation_e(S_e, coupling, current) - J_i * S_i
        return wong_wang_transfer(p.gain_e * (p.a_e * x - p.b_e), p.d_e)

    def _rate_i(self, S_e, S_i, coupling, current):
        p, x = self.p, self._excitation_i(S_e, coupling, current) - S_i
        return wong_wang_transfer(p.gain_i * (p.a_i * x - p.b_i), p.d_i)

    def _excitation_e(self, S_e, coupling, current=NO_CURRENT):
        p, current = self.p, current.to_decimal(u.nA)
        return p.w_p * p.J_N * S_e + p.W_e * p.I_o + p.G * p.J_N * coupling + p.I_ext + current

    def _excitation_i(self, S_e, coupling, current=NO_CURRENT):
        p = self.p
        return p.J_N * S_e + p.W_i * p.I_o + p.lamda * p.G * p.J_N * coupling + current.to_decimal(u.nA)
