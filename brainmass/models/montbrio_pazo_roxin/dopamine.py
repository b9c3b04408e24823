"""The exact mean field of adapting neurons whose excitation dopamine modulates."""

from __future__ import annotations

from typing import Any

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep
from brainmass.models.montbrio_pazo_roxin.dopamine_synapses import DopamineSynapses, per_ms

__all__ = ["MontbrioDopamineStep"]

pi = u.math.pi
mV_per_ms: Any = u.mV / u.ms
_PROGRAM = "a public program that builds on vbjax, by Depannemaecker's institute"


class MontbrioDopamineStep(NeuralMassDynamics, DopamineSynapses):
    r"""Adapting quadratic integrate-and-fire neurons with conductances, of which dopamine sets the excitatory one.

    .. math::
        \dot r &= \frac{a\Delta}{\pi} + (2 a V + b - g)\, r \\
        \dot V &= a V^2 + b V + c + \eta - \frac{(\pi r)^2}{a} - w + I_V
                  + (B_d + M)\, g_a S_a (E_a - V) + g_g S_g (E_g - V) \\
        \dot w &= \alpha (\beta V - w) + w_d r \\
        \dot S_a &= -\frac{S_a}{\tau_{Sa}} + S_{ja} (r + c_{exc}), \qquad
        \dot S_g = -\frac{S_g}{\tau_{Sg}} + S_{jg} c_{inh} \\
        \tau_{Dp}\dot D &= k\, c_{dopa} - \frac{V_{max} D}{K_m + D}, \qquad
        \tau_M\dot M = -M + \frac{R_d}{1 + e^{S_p (D + 1)}}

    with :math:`g = (B_d + M)\, g_a S_a + g_g S_g`. Three connectomes enter it: `c_exc`, `c_inh` and `c_dopa` are
    weighted sums of rates. Dopamine `Dp` (:math:`D`) is taken up again at a rate that saturates (Michaelis–Menten):
    above :math:`k\, c_{dopa} = V_{max}` it has no state of rest. The receptors' activation `M` follows it. :math:`a, b,
    c` are those of Izhikevich 2003. Dopamine is a number, as its unit is not known; `k` and `V_max` are what a spike
    releases and what is taken up in a time of `tau_Dp`.

    :math:`r` and :math:`V` are exact for infinitely many neurons of Izhikevich's type with a Lorentzian of
    excitabilities and an adaptation `w` in common (:math:`u` of Izhikevich), if both equations have the modulation.
    **Not checked against the paper**, whose text could not be had: the other equations and all values are those of a
    public program of the authors' institute, built on vbjax. Programs differ: vbjax 0.0.19 itself has the modulation
    :math:`B_d + A_d D`, without receptors and in :math:`\dot V` alone, no :math:`r` in :math:`\dot S_a`, time constants
    of synapses of 5 ms, :math:`\eta` = 18 and :math:`\Delta` = 1 mV/ms; with these its rates of change are ours.

    Reference: Depannemaecker et al. 2024, bioRxiv 2024.06.23.600260, "A next generation neural mass model with
    neuromodulation"; on a connectome, Angiolelli et al. 2025, npj Syst. Biol. Appl. 11:40; Izhikevich 2003, IEEE Trans.
    Neural Netw. 14:1569.
    """

    use_case = "exact mean field of QIF neurons under dopamine; bursts that it stills; Parkinson's disease, levodopa"
    questions = ("neurons", "drugs")
    output = "r"
    coupling_port = "c_exc"
    largest_step = LargestStep(0.02 * u.ms)
    presets = {
        "bursting": Preset("without dopamine the population fires in bursts, eight per second", _PROGRAM, {}),
        "dopamine": Preset(
            "dopamine ends the bursts within seconds: firing is steady", _PROGRAM, {}, inputs={"c_dopa": 1.0 * u.Hz}
        ),
    }

    a: Par = param(default=0.04 / (u.mV * u.ms), doc="curvature of the neuron's slope", domain=positive)
    b: Par = param(default=5.0 * per_ms, doc="linear term of the neuron's slope")
    c: Par = param(default=140.0 * mV_per_ms, doc="constant term of the neuron's slope")
    eta: Par = param(default=12.0 * mV_per_ms, doc="mean excitability")
    Delta: Par = param(default=5.0 * mV_per_ms, doc="half-width of the distribution of excitabilities", domain=positive)
    alpha: Par = param(default=0.013 * per_ms, doc="rate of adaptation", domain=nonnegative)
    beta: Par = param(default=0.4 * per_ms, doc="adaptation by the potential")
    w_d: Par = param(default=12.0 * mV_per_ms, doc="adaptation by a spike")
    init_r: Initializer = Constant(100.0 * u.Hz)  # pyright: ignore[reportArgumentType]
    init_V: Initializer = Constant(-60.0 * u.mV)  # pyright: ignore[reportArgumentType]
    init_w: Initializer = Constant(100.0 * mV_per_ms)
    noise_V: Noise | None = None

    r: HiddenState = state("firing rate", unit=u.Hz, domain=nonnegative)
    V: HiddenState = state("mean membrane potential", unit=u.mV, port="V_inp", port_unit=mV_per_ms)
    w: HiddenState = state("adaptation", unit=mV_per_ms)

    def dr(self, r, V, S_a, S_g, M):
        p = self.p
        return p.a * p.Delta / pi + (2 * p.a * V + p.b - self._conductance(S_a, S_g, M)) * r

    def dV(self, V, r, w, S_a, S_g, M, V_inp):
        p = self.p
        slope = p.a * V**2 + p.b * V + p.c
        return slope + p.eta - (pi * r) ** 2 / p.a - w + V_inp + self._synaptic(V, S_a, S_g, M)

    def dw(self, w, V, r):
        p = self.p
        return p.alpha * (p.beta * V - w) + p.w_d * r
