"""The thalamus of Schellenberger Costa and others: sleep spindles."""

from __future__ import annotations

from collections.abc import Mapping

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep
from brainmass.models.costa.channels import Channels
from brainmass.models.costa.synapses import Synapses

__all__ = ["CostaThalamusStep"]


class CostaThalamusStep(NeuralMassDynamics, Channels, Synapses):
    r"""Thalamus: relay (t) and reticular (r) neurons with T and h channels, which make sleep spindles.

    .. math::
        \tau\dot V_t &= -(V_t - E_L) - s_{et}(V_t - E_e) - s_{gt}(V_t - E_g) - \tau\,(I_{LK} + I_T + I_h)/C_m \\
        \tau\dot V_r &= -(V_r - E_L) - s_{er}(V_r - E_e) - s_{gr}(V_r - E_g) - \tau\,(I_{LK} + I_T)/C_m \\
        I_{LK} &= g_{LK} (V - E_K), \quad I_T = g_T m_\infty^2 h_T (V - E_{Ca}), \quad
        I_h = g_h (m_{h1} + g_{inc} m_{h2}) (V_t - E_h)

    Calcium binds the open h channels, :math:`m_{h2}`, and ends a spindle. A synapse obeys
    :math:`\ddot s = \gamma^2 (N Q - s) - 2\gamma\dot s`; the cortex, the network's weighted sum of rates in 1/ms,
    excites both populations. A network that couples `V_t` sends the rate :math:`Q(V_t)`. Time is in ms, potentials
    in mV, as plain numbers.

    Reference: Schellenberger Costa et al. 2016, PLoS Comput. Biol. 12:e1005022.
    """

    use_case = "sleep spindles of the thalamus"
    questions = ("sleep",)
    output = "V_t"
    coupling_port = "coupling"
    shared_inputs = {"coupling": u.UNITLESS}
    largest_step = LargestStep(0.1 * u.ms)

    tau: Par = param(default=20.0, doc="membrane time constant, ms", domain=positive)
    C_m: Par = param(default=1.0, doc="membrane capacitance, µF/cm²", domain=positive)
    E_e: Par = param(default=0.0, doc="reversal potential of excitatory synapses, mV")
    E_g: Par = param(default=-70.0, doc="reversal potential of inhibitory synapses, mV")
    E_L: Par = param(default=-70.0, doc="leak reversal potential, mV")
    E_K: Par = param(default=-100.0, doc="potassium reversal potential, mV")
    g_LK: Par = param(default=0.018, doc="potassium leak, mS/cm²", domain=nonnegative)
    init_V_t: Initializer = Constant(-68.0)
    init_V_r: Initializer = Constant(-68.0)
    noise_V_t: Noise | None = None
    noise_V_r: Noise | None = None

    V_t: HiddenState = state("potential of relay neurons, mV", port="V_t_inp")
    V_r: HiddenState = state("potential of reticular neurons, mV", port="V_r_inp")

    def dV_t(self, V_t, s_et, s_gt, h_T_t, m_h1, m_h2, V_t_inp):
        p = self.p
        channels = p.g_LK * (V_t - p.E_K) + self._relay_T(V_t, h_T_t) + self._h_current(V_t, m_h1, m_h2)
        return (self._synaptic(V_t, s_et, s_gt) - channels / p.C_m + V_t_inp) / u.ms

    def dV_r(self, V_r, s_er, s_gr, h_T_r, V_r_inp):
        p = self.p
        channels = p.g_LK * (V_r - p.E_K) + self._reticular_T(V_r, h_T_r)
        return (self._synaptic(V_r, s_er, s_gr) - channels / p.C_m + V_r_inp) / u.ms

    def source(self, name: str, values: Mapping[str, Numbers]) -> Numbers:
        return self.firing_rate(values[name]) if name in ("V_t", "V_r") else values[name]

    def _synaptic(self, V, excitation, inhibition):
        p = self.p
        return -(V - p.E_L + excitation * (V - p.E_e) + inhibition * (V - p.E_g)) / p.tau
