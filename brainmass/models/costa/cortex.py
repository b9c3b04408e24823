"""The cortex of Weigenand and of Schellenberger Costa: K-complexes and slow oscillations."""

from __future__ import annotations

from collections.abc import Mapping

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.regime import LargestStep
from brainmass.models.costa.cortical_synapses import CorticalSynapses
from brainmass.models.costa.synapses import mS_per_cm2, mV_per_ms, passive, per_ms, uF_per_cm2

__all__ = ["CostaCortexStep"]


def _sleep(doc: str, sigma_p: float, g_KNa: float) -> Preset:
    source = "settings of the authors' program for Schellenberger Costa et al. 2016, PLoS Comput. Biol. 12:e1005022"
    return Preset(doc, source, {"sigma_p": sigma_p * u.mV, "g_KNa": g_KNa * mS_per_cm2})


class CostaCortexStep(NeuralMassDynamics, CorticalSynapses):
    r"""Cortex asleep: pyramidal cells (p) that sodium tires, and interneurons (i): K-complexes, slow oscillations.

    .. math::
        \tau\dot V_p &= -(V_p - E_L) - g s_{ep}(V_p - E_e) - g s_{gp}(V_p - E_g) - \tau\,I_{KNa}/C_m \\
        \tau\dot V_i &= -(V_i - E_L) - g s_{ei}(V_i - E_e) - g s_{gi}(V_i - E_g) \\
        \tau_{Na}\dot{Na} &= \alpha_{Na} Q_p(V_p) - R_{pump}\bigl(f(Na) - f(Na_{eq})\bigr), \quad
        f(x) = x^3/(x^3 + 15^3) \\
        I_{KNa} &= g_{KNa}\, \frac{0.37}{1 + (38.7/Na)^{3.5}}\, (V_p - E_K), \quad g = 1\,\mathrm{ms}

    A synapse obeys :math:`\ddot s = \gamma^2 (N Q - s) - 2\gamma\dot s`. What a network brings, the weighted sum of
    rates, joins the excitation of both populations, as do the inputs `drive_p` and `drive_i`, which are noise in the
    paper. A network that couples `V_p` or `V_i` sends the rate. Sodium is in mmol/l. The defaults are those with a
    thalamus.

    Reference: Weigenand et al. 2014, PLoS Comput. Biol. 10:e1003923; with a thalamus, `CostaThalamusStep`,
    Schellenberger Costa et al. 2016, PLoS Comput. Biol. 12:e1005022.
    """

    use_case = "K-complexes and slow oscillations of the sleeping cortex"
    questions = ("sleep", "up and down")
    output = "V_p"
    coupling_port = "coupling"
    shared_inputs = {"coupling": per_ms}
    largest_step = LargestStep(4.0 * u.ms)
    presets = {
        "n2": _sleep("N2: rests in the up state, where noise makes single K-complexes", 4.7, 1.33),
        "n3": _sleep("N3: slow oscillations below 1 Hz", 6.0, 2.0),
    }

    tau: Par = param(default=30.0 * u.ms, doc="membrane time constant", domain=positive)
    C_m: Par = param(default=1.0 * uF_per_cm2, doc="membrane capacitance", domain=positive)
    E_e: Par = param(default=0.0 * u.mV, doc="reversal potential of excitatory synapses")
    E_g: Par = param(default=-70.0 * u.mV, doc="reversal potential of inhibitory synapses")
    E_L: Par = param(default=-64.0 * u.mV, doc="leak reversal potential")
    E_K: Par = param(default=-100.0 * u.mV, doc="potassium reversal potential")
    g_KNa: Par = param(default=1.33 * mS_per_cm2, doc="potassium channels that sodium opens", domain=nonnegative)
    alpha_Na: Par = param(default=2.0 * u.mM * u.ms, doc="sodium that enters with a spike", domain=nonnegative)
    tau_Na: Par = param(default=1.7 * u.ms, doc="time constant of sodium", domain=positive)
    R_pump: Par = param(default=0.09 * u.mM, doc="strength of the sodium pump", domain=positive)
    Na_eq: Par = param(default=9.5 * u.mM, doc="sodium without firing", domain=positive)
    init_V: Initializer = Constant(-64.0 * u.mV)  # pyright: ignore[reportArgumentType]
    init_Na: Initializer = Constant(9.5 * u.mM)  # pyright: ignore[reportArgumentType]

    V_p: HiddenState = state(
        "potential of pyramidal cells", unit=u.mV, port="V_p_inp", port_unit=mV_per_ms, start="init_V"
    )
    V_i: HiddenState = state(
        "potential of interneurons", unit=u.mV, port="V_i_inp", port_unit=mV_per_ms, start="init_V"
    )
    Na: HiddenState = state("sodium in pyramidal cells", unit=u.mM, start="init_Na", domain=nonnegative)

    def dV_p(self, V_p, s_ep, s_gp, Na, V_p_inp):
        p = self.p
        tired = p.g_KNa * 0.37 / (1 + (38.7 / Na.to_decimal(u.mM)) ** 3.5) * (V_p - p.E_K)
        return passive(self.p, V_p, s_ep, s_gp) - tired / p.C_m + V_p_inp

    def dV_i(self, V_i, s_ei, s_gi, V_i_inp):
        return passive(self.p, V_i, s_ei, s_gi) + V_i_inp

    def dNa(self, Na, V_p):
        p = self.p
        return (p.alpha_Na * self.rate_p(V_p) - p.R_pump * (_pumped(Na) - _pumped(p.Na_eq))) / p.tau_Na

    def source(self, name: str, values: Mapping[str, Numbers]) -> Numbers:
        rates = {"V_p": self.rate_p, "V_i": self.rate_i}
        return rates[name](values[name]) if name in rates else values[name]


def _pumped(Na):
    Na = Na.to_decimal(u.mM)
    return Na**3 / (Na**3 + 15**3)
