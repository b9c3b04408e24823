"""The Larter–Breakspear model: a conductance-based excitatory population with inhibitory feedback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brainunit as u
import jax.numpy as jnp
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.base import NeuralMassDynamics, Preset
from brainmass.dynamics.fields import Initializer, Par, param, positive, state, unit_interval
from brainmass.noise import Noise

__all__ = ["LarterBreakspearStep"]

_REGIMES = "Breakspear, Terry, Friston 2003, Network 14:703"


class LarterBreakspearStep(NeuralMassDynamics):
    r"""Larter–Breakspear: calcium, potassium and sodium channels under excitatory and inhibitory feedback.

    .. math::
        \dot V &= -(g_{Ca} + r_{NMDA} a_{ee} q)\, m_{Ca} (V - V_{Ca}) - g_K W (V - V_K) - g_L (V - V_L) \\
               &\quad - (g_{Na} m_{Na} + a_{ee} q)(V - V_{Na}) - a_{ie} Z Q_Z + a_{ne} I_{ext} \\
        \dot W &= \phi\, (m_K - W)/\tau_K \\
        \dot Z &= b\, (a_{ni} I_{ext} + a_{ei} V Q_V)

    with :math:`q = (1 - C)\, Q_V + C c`, where :math:`c` is the mean rate of the other regions, and
    :math:`m_{ion}, Q_V, Q_Z` equal to :math:`\tfrac12 (1 + \tanh((x - T)/\delta))` of the voltage
    (:math:`Q_Z`: of :math:`Z`), each with its threshold and spread. `t_scale` multiplies all right-hand sides;
    noise is added to that of :math:`V`. Everything is dimensionless, time in ms. A network that couples `V` sends the
    rate :math:`Q_V(V)`. At :math:`C > 0` a region without input lacks the fraction :math:`C` of its excitation.

    An isolated region (:math:`C = 0`) with the paper's :math:`g_{Ca} = 1` rests below :math:`\delta_V = 0.555`, has a
    small limit cycle up to 0.595, and above it chaos with periodic windows: the presets. With the default
    :math:`g_{Ca} = 1.1` it leaves rest at 0.51, and is periodic almost everywhere above.

    Reference: Breakspear, Terry, Friston 2003, Network 14:703; Larter, Speelman, Worth 1999, Chaos 9:795.
    """

    use_case = "fast rhythms with slow modulation; synchronisation of chaotic regions"
    output = "V"
    coupling_port = "V_inp"

    gCa: Par = param(default=1.1, doc="calcium conductance")
    gK: Par = param(default=2.0, doc="potassium conductance")
    gL: Par = param(default=0.5, doc="leak conductance")
    gNa: Par = param(default=6.7, doc="sodium conductance")
    TCa: Par = param(default=-0.01, doc="threshold of the calcium channels")
    TK: Par = param(default=0.0, doc="threshold of the potassium channels")
    TNa: Par = param(default=0.3, doc="threshold of the sodium channels")
    d_Ca: Par = param(default=0.15, doc="spread of the calcium thresholds", domain=positive)
    d_K: Par = param(default=0.3, doc="spread of the potassium thresholds", domain=positive)
    d_Na: Par = param(default=0.15, doc="spread of the sodium thresholds", domain=positive)
    VCa: Par = param(default=1.0, doc="calcium reversal potential")
    VK: Par = param(default=-0.7, doc="potassium reversal potential")
    VL: Par = param(default=-0.5, doc="leak reversal potential")
    VNa: Par = param(default=0.53, doc="sodium reversal potential")
    phi: Par = param(default=0.7, doc="temperature factor of the potassium channels")
    tau_K: Par = param(default=1.0, doc="relaxation time of the potassium channels", domain=positive)
    aee: Par = param(default=0.4, doc="excitatory-to-excitatory strength")
    aei: Par = param(default=2.0, doc="excitatory-to-inhibitory strength")
    aie: Par = param(default=2.0, doc="inhibitory-to-excitatory strength")
    ane: Par = param(default=1.0, doc="strength of the external input, excitatory population")
    ani: Par = param(default=0.4, doc="strength of the external input, inhibitory population")
    b: Par = param(default=0.1, doc="rate of the inhibitory population")
    C: Par = param(default=0.1, doc="share of the excitation that comes from other regions", domain=unit_interval)
    Iext: Par = param(default=0.3, doc="external input")
    rNMDA: Par = param(default=0.25, doc="ratio of NMDA to AMPA receptors")
    VT: Par = param(default=0.0, doc="firing threshold of the excitatory population")
    d_V: Par = param(default=0.65, doc="spread of the excitatory thresholds", domain=positive)
    ZT: Par = param(default=0.0, doc="firing threshold of the inhibitory population")
    d_Z: Par = param(default=0.7, doc="spread of the inhibitory thresholds", domain=positive)
    QV_max: Par = param(default=1.0, doc="highest rate of the excitatory population", domain=positive)
    QZ_max: Par = param(default=1.0, doc="highest rate of the inhibitory population", domain=positive)
    t_scale: Par = param(default=1.0, doc="factor on time", domain=positive)
    init_V: Initializer = Constant(0.0)
    init_W: Initializer = Constant(0.0)
    init_Z: Initializer = Constant(0.0)
    noise_V: Noise | None = None

    presets = {
        "fixed_point": Preset("an isolated region at rest", _REGIMES, {"gCa": 1.0, "C": 0.0, "d_V": 0.5}),
        "limit_cycle": Preset("an isolated region that oscillates", _REGIMES, {"gCa": 1.0, "C": 0.0, "d_V": 0.57}),
        "chaos": Preset("an isolated chaotic region", _REGIMES, {"gCa": 1.0, "C": 0.0, "d_V": 0.65}),
    }

    V: HiddenState = state("mean membrane potential of the excitatory population", port="V_inp", add="add")
    W: HiddenState = state("fraction of open potassium channels")
    Z: HiddenState = state("mean membrane potential of the inhibitory population")

    def QV(self, V):
        """Firing rate of the excitatory population at the potential `V`."""
        p = self.p
        return p.QV_max * _fraction(V, p.VT, p.d_V)

    def QZ(self, Z):
        """Firing rate of the inhibitory population at the potential `Z`."""
        p = self.p
        return p.QZ_max * _fraction(Z, p.ZT, p.d_Z)

    def dV(self, V, W, Z, V_inp, add=0.0):
        p = self.p
        excitation = p.aee * ((1 - p.C) * self.QV(V) + p.C * V_inp)
        calcium = (p.gCa + p.rNMDA * excitation) * _fraction(V, p.TCa, p.d_Ca) * (V - p.VCa)
        sodium = (p.gNa * _fraction(V, p.TNa, p.d_Na) + excitation) * (V - p.VNa)
        potassium = p.gK * W * (V - p.VK)
        leak = p.gL * (V - p.VL)
        inhibition = p.aie * Z * self.QZ(Z)
        return (p.t_scale * (p.ane * p.Iext - calcium - sodium - potassium - leak - inhibition) + add) / u.ms

    def dW(self, W, V):
        p = self.p
        return p.t_scale * p.phi * (_fraction(V, p.TK, p.d_K) - W) / p.tau_K / u.ms

    def dZ(self, Z, V):
        p = self.p
        return p.t_scale * p.b * (p.ani * p.Iext + p.aei * V * self.QV(V)) / u.ms

    def source(self, name: str, values: Mapping[str, Any]) -> Any:
        return self.QV(values[name]) if name == "V" else values[name]


def _fraction(x, threshold, spread):
    return (1 + jnp.tanh((x - threshold) / spread)) / 2
