"""The cortical column of Jansen and Rit."""

from __future__ import annotations

from collections.abc import Mapping

import brainunit as u

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, nonnegative, param, positive
from brainmass.dynamics.functions import sigmoid, sys2nd
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.regime import LargestStep
from brainmass.models.jansen_rit.potentials import Potentials

__all__ = ["JansenRitStep"]

per_mV = u.mV**-1


class JansenRitStep(Potentials, NeuralMassDynamics):
    r"""Jansen–Rit: pyramidal cells with an excitatory and an inhibitory feedback loop, a column of cortex.

    .. math::
        \ddot M &= A_e b_e\, S(E - I + I_M) - 2 b_e \dot M - b_e^2 M \\
        \ddot E &= A_e b_e\, \bigl(p + C a_2 S(C a_1 M)\bigr) - 2 b_e \dot E - b_e^2 E \\
        \ddot I &= A_i b_i\, C a_4 S(C a_3 M + I_I) - 2 b_i \dot I - b_i^2 I

    with :math:`S(v) = s_{max}/(1 + e^{r (v_0 - v)})`. In the paper's symbols :math:`A = A_e`, :math:`B = A_i`,
    :math:`a = b_e`, :math:`b = b_i`, :math:`2 e_0 = s_{max}`, :math:`C_i = a_i C` and
    :math:`(y_0, y_1, y_2) = (M, E, I)`. The input :math:`p` (pulses per second) is the port `E_inp`. The rhythm of the
    default column needs it: at `p = 0` the column rests. The EEG, :math:`E - I`, is what `update` returns; a network
    may send it (`coupled_var="eeg"`) with a coupling strength in Hz/mV.

    Reference: Jansen, Rit 1995, Biol. Cybern. 73:357.

    Other Parameters
    ----------------
    fr_scale : callable
        What becomes of the three total firing rates before they reach the synapses; default nothing.
    """

    use_case = "alpha rhythm and evoked potentials of a cortical column; EEG and MEG"
    questions = ("alpha", "evoked")
    output = "eeg"
    coupling_port = "E_inp"
    other_inputs = {"p": "E_inp"}
    sources = ("eeg",)
    largest_step = LargestStep(over={"be": 0.1, "bi": 0.1})
    presets = {
        "alpha": Preset(
            "the default column, with an alpha rhythm for p = 140 to 315 Hz",
            "Jansen, Rit 1995, Biol. Cybern. 73:357",
            {},
            {"E_inp": 220.0 * u.Hz},
        )
    }

    Ae: Par = param(default=3.25 * u.mV, doc="excitatory synaptic gain", domain=positive)
    Ai: Par = param(default=22.0 * u.mV, doc="inhibitory synaptic gain", domain=positive)
    be: Par = param(default=100.0 * u.Hz, doc="inverse time constant of excitatory synapses", domain=positive)
    bi: Par = param(default=50.0 * u.Hz, doc="inverse time constant of inhibitory synapses", domain=positive)
    C: Par = param(default=135.0, doc="number of synapses", domain=positive)
    a1: Par = param(default=1.0, doc="share of synapses, pyramidal to excitatory cells", domain=nonnegative)
    a2: Par = param(default=0.8, doc="share of synapses, excitatory to pyramidal cells", domain=nonnegative)
    a3: Par = param(default=0.25, doc="share of synapses, pyramidal to inhibitory cells", domain=nonnegative)
    a4: Par = param(default=0.25, doc="share of synapses, inhibitory to pyramidal cells", domain=nonnegative)
    s_max: Par = param(default=5.0 * u.Hz, doc="maximum firing rate", domain=positive)
    v0: Par = param(default=6.0 * u.mV, doc="potential at half of the maximum firing rate")
    r: Par = param(default=0.56, doc="steepness of the sigmoid, per mV", domain=positive, unit=(u.UNITLESS, per_mV))

    def S(self, v):
        """Firing rate at the membrane potential `v`."""
        p = self.p
        r = p.r if u.get_unit(p.r).has_same_dim(per_mV) else p.r / u.mV
        return sigmoid(v, p.s_max, p.v0, r)

    def dMv(self, Mv, M, E, I, inp):  # noqa: E741
        p = self.p
        return sys2nd(p.Ae, p.be, self.fr_scale(self.S(E - I + inp)), M, Mv)

    def dEv(self, Ev, M, E, inp=0.0 * u.Hz):
        p = self.p
        return sys2nd(p.Ae, p.be, self.fr_scale(p.C * p.a2 * self.S(p.C * p.a1 * M) + inp), E, Ev)

    def dIv(self, Iv, M, I, inp):  # noqa: E741
        p = self.p
        return sys2nd(p.Ai, p.bi, self.fr_scale(p.C * p.a4 * self.S(p.C * p.a3 * M + inp)), I, Iv)

    def eeg(self):
        """The potential of pyramidal cells, in mV."""
        return self.source("eeg", self.state_values())

    def source(self, name: str, values: Mapping[str, Numbers]) -> Numbers:
        return values["E"] - values["I"] if name == "eeg" else values[name]
