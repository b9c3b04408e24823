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
from brainmass.models.costa.synapses import Synapses, mS_per_cm2, mV_per_ms, passive, per_ms, uF_per_cm2

__all__ = ["CostaThalamusStep"]


class CostaThalamusStep(NeuralMassDynamics, Channels, Synapses):
    r"""Thalamus: relay (t) and reticular (r) neurons with T and h channels, which make sleep spindles.

    .. math::
        \tau\dot V_t &= -(V_t - E_L) - g s_{et}(V_t - E_e) - g s_{gt}(V_t - E_g) - \tau\,(I_{LK} + I_T + I_h)/C_m \\
        \tau\dot V_r &= -(V_r - E_L) - g s_{er}(V_r - E_e) - g s_{gr}(V_r - E_g) - \tau\,(I_{LK} + I_T)/C_m \\
        I_{LK} &= g_{LK} (V - E_K), \quad I_T = g_T m_\infty^2 h_T (V - E_{Ca}), \quad
        I_h = g_h (m_{h1} + g_{inc} m_{h2}) (V_t - E_h), \quad g = 1\,\mathrm{ms}

    Calcium binds the open h channels, :math:`m_{h2}`, and ends a spindle. A synapse obeys
    :math:`\ddot s = \gamma^2 (N Q - s) - 2\gamma\dot s`; the cortex, the network's weighted sum of rates,
    excites both populations. A network that couples `V_t` sends the rate :math:`Q(V_t)`.

    Reference: Schellenberger Costa et al. 2016, PLoS Comput. Biol. 12:e1005022.
    """

    use_case = "sleep spindles of the thalamus"
    questions = ("sleep",)
    output = "V_t"
    coupling_port = "coupling"
    shared_inputs = {"coupling": per_ms}
    largest_step = LargestStep(0.1 * u.ms)

    tau: Par = param(default=20.0 * u.ms, doc="membrane time constant", domain=positive)
    C_m: Par = param(default=1.0 * uF_per_cm2, doc="membrane capacitance", domain=positive)
    E_e: Par = param(default=0.0 * u.mV, doc="reversal potential of excitatory synapses")
    E_g: Par = param(default=-70.0 * u.mV, doc="reversal potential of inhibitory synapses")
    E_L: Par = param(default=-70.0 * u.mV, doc="leak reversal potential")
    E_K: Par = param(default=-100.0 * u.mV, doc="potassium reversal potential")
    g_LK: Par = param(default=0.018 * mS_per_cm2, doc="potassium leak", domain=nonnegative)
    init_V_t: Initializer = Constant(-68.0 * u.mV)  # pyright: ignore[reportArgumentType]
    init_V_r: Initializer = Constant(-68.0 * u.mV)  # pyright: ignore[reportArgumentType]
    noise_V_t: Noise | None = None
    noise_V_r: Noise | None = None

    V_t: HiddenState = state("potential of relay neurons", unit=u.mV, port="V_t_inp", port_unit=mV_per_ms)
    V_r: HiddenState = state("potential of reticular neurons", unit=u.mV, port="V_r_inp", port_unit=mV_per_ms)

    def dV_t(self, V_t, s_et, s_gt, h_T_t, m_h1, m_h2, V_t_inp):
        p = self.p
        channels = p.g_LK * (V_t - p.E_K) + self._relay_T(V_t, h_T_t) + self._h_current(V_t, m_h1, m_h2)
        return passive(self.p, V_t, s_et, s_gt) - channels / p.C_m + V_t_inp

    def dV_r(self, V_r, s_er, s_gr, h_T_r, V_r_inp):
        p = self.p
        channels = p.g_LK * (V_r - p.E_K) + self._reticular_T(V_r, h_T_r)
        return passive(self.p, V_r, s_er, s_gr) - channels / p.C_m + V_r_inp

    def source(self, name: str, values: Mapping[str, Numbers]) -> Numbers:
        return self.firing_rate(values[name]) if name in ("V_t", "V_r") else values[name]
