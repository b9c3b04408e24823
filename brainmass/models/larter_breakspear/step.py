"""The Larter–Breakspear model: a conductance-based excitatory population with inhibitory feedback."""

from __future__ import annotations

from collections.abc import Mapping

import brainunit as u

from brainmass._common.typing import Numbers
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.regime import LargestStep
from brainmass.models.larter_breakspear.channels import IonChannels, fraction
from brainmass.models.larter_breakspear.populations import Populations

__all__ = ["LarterBreakspearStep"]

_REGIMES = "Breakspear, Terry, Friston 2003, Network 14:703"


class LarterBreakspearStep(IonChannels, Populations, NeuralMassDynamics):
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
    :math:`g_{Ca} = 1.1` it leaves rest at 0.51, and is periodic almost everywhere above. With
    `method="exp_euler"` and steps of 0.1 ms rest already ends at 0.53.

    Reference: Breakspear, Terry, Friston 2003, Network 14:703; Larter, Speelman, Worth 1999, Chaos 9:795.
    """

    use_case = "fast rhythms with slow modulation; synchronisation of chaotic regions"
    questions = ("chaos", "synchrony")
    output = "V"
    coupling_port = "V_inp"
    largest_step = LargestStep(over={"t_scale": 0.2})
    presets = {
        "fixed_point": Preset("an isolated region at rest", _REGIMES, {"gCa": 1.0, "C": 0.0, "d_V": 0.5}),
        "limit_cycle": Preset("an isolated region that oscillates", _REGIMES, {"gCa": 1.0, "C": 0.0, "d_V": 0.57}),
        "chaos": Preset("an isolated chaotic region", _REGIMES, {"gCa": 1.0, "C": 0.0, "d_V": 0.65}),
    }

    def dV(self, V, W, Z, V_inp, add=0.0):
        p = self.p
        excitation = p.aee * ((1 - p.C) * self.QV(V) + p.C * V_inp)
        calcium = self._calcium_current(V, p.rNMDA * excitation)
        sodium = self._sodium_current(V, excitation)
        potassium = self._potassium_current(V, W)
        leak = self._leak_current(V)
        inhibition = p.aie * Z * self.QZ(Z)
        return (p.t_scale * (p.ane * p.Iext - calcium - sodium - potassium - leak - inhibition) + add) / u.ms

    def dW(self, W, V):
        p = self.p
        return p.t_scale * p.phi * (fraction(V, p.TK, p.d_K) - W) / p.tau_K / u.ms

    def dZ(self, Z, V):
        p = self.p
        return p.t_scale * p.b * (p.ani * p.Iext + p.aei * V * self.QV(V)) / u.ms

    def source(self, name: str, values: Mapping[str, object]) -> Numbers:
        return self.QV(values[name]) if name == "V" else values[name]
