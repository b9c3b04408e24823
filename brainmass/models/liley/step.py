"""Liley's model: cortex with reversal potentials and second-order synapses of its own for each pair of cells."""

from __future__ import annotations

from collections.abc import Mapping

import brainunit as u

from brainmass._common.typing import Numbers
from brainmass.dynamics.functions import sigmoid, sys2nd
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.regime import LargestStep
from brainmass.models.liley.cells import Cells
from brainmass.models.liley.drives import Drives

__all__ = ["LileyStep"]


class LileyStep(Cells, Drives, NeuralMassDynamics):
    r"""Liley: mean potentials of excitatory and inhibitory cells, driven through synapses with reversal potentials.

    For :math:`k` in :math:`e, i`, with :math:`l k` from :math:`l` to :math:`k`

    .. math::
        \tau_k \dot h_k &= h^r_k - h_k + \sum_l \frac{h^{eq}_{lk} - h_k}{|h^{eq}_{lk} - h^r_k|} I_{lk} \\
        \bigl(\tfrac{d}{dt} + \gamma_{ek}\bigr)^2 I_{ek} &=
            e\, \Gamma_{ek} \gamma_{ek} \bigl(N^\beta_{ek} S_e(h_e) + \phi_{ek} + p_{ek}\bigr) \\
        \bigl(\tfrac{d}{dt} + \gamma_{ik}\bigr)^2 I_{ik} &=
            e\, \Gamma_{ik} \gamma_{ik} \bigl(N^\beta_{ik} S_i(h_i) + p_{ik}\bigr) \\
        \bigl(\tfrac{d}{dt} + v\Lambda\bigr)^2 \phi_{ek} &= (v\Lambda)^2 N^\alpha_{ek} S_e(h_e)

    with :math:`S_k(h) = S^{max}_k/(1 + e^{-\sqrt 2 (h - \mu_k)/\sigma_k})`: the theory of a sheet that does the same
    everywhere. What enters `ee_inp` and its like adds to :math:`p_{lk}`; a network sends :math:`S_e`, `rate`.

    Reference: Liley, Cadusch, Dafilis 2002, Network 13:67; Bojak, Liley 2005, Phys. Rev. E 71:041902.
    """

    use_case = "alpha rhythm of EEG from cortex; effects of drugs and anaesthetics on synapses"
    questions = ("alpha", "drugs")
    output = "h_e"
    coupling_port = "ee_inp"
    sources = ("rate",)
    largest_step = LargestStep(over=dict.fromkeys(("gamma_ee", "gamma_ei", "gamma_ie", "gamma_ii"), 0.2))
    presets = {
        "alpha": Preset(
            "rests at -57.6 mV; noise in `ee_inp` makes an alpha rhythm of 12 Hz",
            "a set that is used with Bojak, Stoyanov, Liley 2015, Front. Syst. Neurosci. 9:18",
            {},
        )
    }

    def S_e(self, h_e: Numbers) -> Numbers:
        """Firing rate of excitatory cells at the mean potential `h_e`."""
        return sigmoid(h_e, self.p.S_max_e, self.p.mu_e, 2**0.5 / self.p.sigma_e)

    def S_i(self, h_i: Numbers) -> Numbers:
        """Firing rate of inhibitory cells at the mean potential `h_i`."""
        return sigmoid(h_i, self.p.S_max_i, self.p.mu_i, 2**0.5 / self.p.sigma_i)

    def dh_e(self, h_e, I_ee, I_ie):
        p = self.p
        excited = _weight(p.h_ee_eq, h_e, p.h_e_rest) * I_ee
        return (p.h_e_rest - h_e + excited + _weight(p.h_ie_eq, h_e, p.h_e_rest) * I_ie) / p.tau_e

    def dh_i(self, h_i, I_ei, I_ii):
        p = self.p
        excited = _weight(p.h_ei_eq, h_i, p.h_i_rest) * I_ei
        return (p.h_i_rest - h_i + excited + _weight(p.h_ii_eq, h_i, p.h_i_rest) * I_ii) / p.tau_i

    def dJ_ee(self, J_ee, I_ee, h_e, phi_ee, ee_inp):
        p = self.p
        pulses = p.N_beta_ee * self.S_e(h_e) + phi_ee + p.p_ee + ee_inp
        return sys2nd(u.math.e * p.Gamma_ee, p.gamma_ee, pulses, I_ee, J_ee)

    def dJ_ei(self, J_ei, I_ei, h_e, phi_ei, ei_inp):
        p = self.p
        pulses = p.N_beta_ei * self.S_e(h_e) + phi_ei + p.p_ei + ei_inp
        return sys2nd(u.math.e * p.Gamma_ei, p.gamma_ei, pulses, I_ei, J_ei)

    def dJ_ie(self, J_ie, I_ie, h_i, ie_inp):
        p = self.p
        return sys2nd(u.math.e * p.Gamma_ie, p.gamma_ie, p.N_beta_ie * self.S_i(h_i) + p.p_ie + ie_inp, I_ie, J_ie)

    def dJ_ii(self, J_ii, I_ii, h_i, ii_inp):
        p = self.p
        return sys2nd(u.math.e * p.Gamma_ii, p.gamma_ii, p.N_beta_ii * self.S_i(h_i) + p.p_ii + ii_inp, I_ii, J_ii)

    def dpsi_ee(self, psi_ee, phi_ee, h_e):
        return sys2nd(self.p.N_alpha_ee * self.p.v_Lambda, self.p.v_Lambda, self.S_e(h_e), phi_ee, psi_ee)

    def dpsi_ei(self, psi_ei, phi_ei, h_e):
        return sys2nd(self.p.N_alpha_ei * self.p.v_Lambda, self.p.v_Lambda, self.S_e(h_e), phi_ei, psi_ei)

    def source(self, name: str, values: Mapping[str, Numbers]) -> Numbers:
        return self.S_e(values["h_e"]) if name == "rate" else values[name]


def _weight(reversal: Numbers, h: Numbers, rest: Numbers) -> Numbers:
    """Driving force at the potential `h`, as a share of that at rest; its sign is that of the synapse."""
    return (reversal - h) / u.math.abs(reversal - rest)
