"""The mean field of adaptive exponential neurons, first order: rates and adaptation."""

from __future__ import annotations

import brainunit as u

from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.regime import LargestStep
from brainmass.models.zerlaut.adaptation import PRESETS, AdaptiveRates

__all__ = ["ZerlautStep"]


class ZerlautStep(AdaptiveRates, NeuralMassDynamics):
    r"""Zerlaut: mean field of adaptive exponential neurons with conductance synapses, to first order.

    .. math::
        T \dot\nu_\mu &= F_\mu(\nu_e, \nu_i, W_\mu) - \nu_\mu \\
        \dot W_\mu &= -W_\mu/\tau_{w\mu} + b_\mu \nu_\mu + a_\mu (\mu_{V\mu} - E_{L\mu})/\tau_{w\mu} \\
        F &= \frac{1}{2\tau_V}\, \mathrm{erfc}\Bigl(\frac{V_{thre} - \mu_V}{\sqrt2\, \sigma_V}\Bigr)

    for :math:`\mu` = e, i: `E` and `I` are :math:`\nu_e, \nu_i`. Mean :math:`\mu_V`, standard deviation
    :math:`\sigma_V` and autocorrelation time :math:`\tau_V` of the membrane potential follow from the rates of the
    spikes that a neuron receives, :math:`f_e = (1 - g)\, p_e N_{tot} \nu_e + K_{ext,e} \nu_{drive}` and
    :math:`f_i` alike; :math:`V_{thre}` is an `EffectiveThreshold`, a published fit to the neuron.
    The drive of E is `coupling` + `E_inp` + `external_input_ex_ex`, that of I is `S_i` `coupling` + `I_inp` +
    `external_input_in_ex`.

    Reference: El Boustani, Destexhe 2009, Neural Comput. 21:46; Zerlaut et al. 2018, J. Comput. Neurosci. 44:45;
    di Volo et al. 2019, Neural Comput. 31:653 (adaptation).
    """

    use_case = "asynchronous irregular activity and slow oscillations of adaptive spiking neurons"
    questions = ("up and down", "neurons")
    output = "E"
    coupling_port = "coupling"
    shared_inputs = {"coupling": u.Hz}
    largest_step = LargestStep(0.5 * u.ms, of={"T": 0.1})
    presets = PRESETS

    def dE(self, E, I, W_e, coupling, inp):  # noqa: E741
        return (self.F_e(E, I, W_e, coupling + inp) - E) / self.p.T

    def dI(self, I, E, W_i, coupling, inp):  # noqa: E741
        return (self.F_i(E, I, W_i, self.p.S_i * coupling + inp) - I) / self.p.T
