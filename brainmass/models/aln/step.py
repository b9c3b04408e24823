"""The adaptive linear-nonlinear cascade: excitatory and inhibitory populations of adaptive exponential neurons."""

from __future__ import annotations

import brainunit as u

from brainmass.dynamics.node import Preset
from brainmass.dynamics.regime import LargestStep
from brainmass.models.aln.delays import Delays
from brainmass.models.aln.responses import Responses

__all__ = ["ALNStep"]

_PAPER = "Cakan, Obermayer 2020, PLoS Comput. Biol. 16:e1007822"
per_ms = u.mV / u.ms


def _preset(doc: str, exc: float, inh: float, b: float = 0.0) -> Preset:
    inputs = {"mue_ext_mean": exc * per_ms, "mui_ext_mean": inh * per_ms}
    return Preset(
        doc, f"a point within the region of this state in {_PAPER}", {**inputs, "a": 0.0 * u.nS, "b": b * u.pA}
    )


class ALNStep(Responses, Delays):
    r"""Adaptive linear-nonlinear cascade: populations of adaptive exponential integrate-and-fire neurons.

    .. math::
        \tau\,\dot\mu_\alpha &= \sum_\beta J_{\alpha\beta} \bar s_{\alpha\beta} + \mu^{ext}_\alpha - \mu_\alpha,
            \qquad (r_\alpha, V_\alpha, \tau) = \Phi(\mu_\alpha - I_A/C, \sigma_\alpha) \\
        \tau_\beta\, \dot{\bar s}_{\alpha\beta} &= (1 - \bar s_{\alpha\beta}) z_{\alpha\beta} - \bar s_{\alpha\beta},
            \qquad z = \tau_\beta K_\beta\, r_\beta(t - d_\beta)\, c_{\alpha\beta}/|J_{\alpha\beta}| \\
        \tau_\beta^2\, \dot\sigma^2_{s,\alpha\beta} &= (1 - \bar s_{\alpha\beta})^2 \rho_{\alpha\beta}
            + (\rho_{\alpha\beta} - 2\tau_\beta (z_{\alpha\beta} + 1))\, \sigma^2_{s,\alpha\beta},
            \qquad \rho = \tau_\beta z\, c_{\alpha\beta}/|J_{\alpha\beta}| \\
        \sigma_\alpha^2 &= \sum_\beta \frac{2 J_{\alpha\beta}^2 \sigma^2_{s,\alpha\beta} \tau_\beta \tau_m}
            {(1 + z_{\alpha\beta}) \tau_m + \tau_\beta} + \sigma_{ext,\alpha}^2 \\
        \tau_A\, \dot I_A &= a (V_E - E_A) - I_A + \tau_A b\, r_E

    onto α from β = E, I. :math:`\Phi` is read from a `CascadeTable`; only E adapts. The inputs `E_inp`, `I_inp` add
    to :math:`\mu^{ext}`; `coupling`, the rate of other regions, arrives at E through `Ke_gl` synapses of amplitude
    `c_gl`, and `E_rate`, `I_rate` add to the region's own. What a network sends is `rate_e`, in Hz.
    The past is linear between steps; before the start the rates were those of the initial state. `derivative` before
    there is a past takes the rates without delay.

    Reference: Augustin, Ladenbauer, Baumann, Obermayer 2017, PLoS Comput. Biol. 13:e1005545; Cakan, Obermayer 2020,
    PLoS Comput. Biol. 16:e1007822.
    """

    use_case = "up and down states, fast and slow oscillations of adaptive spiking neurons; electrical stimulation"
    questions = ("up and down", "neurons")
    output = "rate_e"
    coupling_port = "coupling"
    sources = ("rate_e", "rate_i")
    shared_inputs = {"coupling": u.Hz, "E_rate": u.Hz, "I_rate": u.Hz}
    remembers = ("coupling",)
    largest_step = LargestStep(0.05 * u.ms)  # at 0.1 ms synapses are unstable above 97 Hz
    derivative = Delays._derivative
    presets = {
        "down": _preset("silent but for chance", 0.4, 0.9),
        "up": _preset("asynchronous, at high rates", 2.2, 0.9),
        "fast_oscillation": _preset("excitation and inhibition in turn, near 23 Hz", 1.0, 0.3),
        "slow_oscillation": _preset("up and down in turn by adaptation, near 2 Hz", 2.4, 1.7, b=40.0),
    }

    def dmufe(self, mufe, IA, seem, seim, seev, seiv, coupling, E_rate, I_rate, inp):
        p, tau = self.p, self._response_e(mufe, IA, seev, seiv, E_rate, I_rate, coupling)[2]
        return (p.Jee_max * seem + p.Jei_max * seim + p.mue_ext_mean + inp - mufe) / tau

    def dmufi(self, mufi, siem, siim, siev, siiv, E_rate, I_rate, inp):
        p, tau = self.p, self._response_i(mufi, siev, siiv, E_rate, I_rate)[2]
        return (p.Jie_max * siem + p.Jii_max * siim + p.mui_ext_mean + inp - mufi) / tau

    def dIA(self, IA, mufe, seev, seiv, coupling, E_rate, I_rate):
        p, (rate, V, _) = self.p, self._response_e(mufe, IA, seev, seiv, E_rate, I_rate, coupling)
        return (p.a * (V - p.EA) - IA) / p.tauA + p.b * rate

    def dseem(self, seem, coupling, E_rate, I_rate):
        return self._mean("ee", seem, E_rate, I_rate, coupling)

    def dseim(self, seim, E_rate, I_rate):
        return self._mean("ei", seim, E_rate, I_rate)

    def dsiem(self, siem, E_rate, I_rate):
        return self._mean("ie", siem, E_rate, I_rate)

    def dsiim(self, siim, E_rate, I_rate):
        return self._mean("ii", siim, E_rate, I_rate)

    def dseev(self, seev, seem, coupling, E_rate, I_rate):
        return self._variance("ee", seem, seev, E_rate, I_rate, coupling)

    def dseiv(self, seiv, seim, E_rate, I_rate):
        return self._variance("ei", seim, seiv, E_rate, I_rate)

    def dsiev(self, siev, siem, E_rate, I_rate):
        return self._variance("ie", siem, siev, E_rate, I_rate)

    def dsiiv(self, siiv, siim, E_rate, I_rate):
        return self._variance("ii", siim, siiv, E_rate, I_rate)
