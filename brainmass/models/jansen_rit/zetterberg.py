"""The column of Zetterberg and Jansen: inhibitory cells that inhibit each other, and three inputs."""

from __future__ import annotations

from collections.abc import Mapping

import brainunit as u

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, nonnegative, param, positive
from brainmass.dynamics.functions import sigmoid, sys2nd
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.regime import LargestStep
from brainmass.models.jansen_rit.three_populations import ThreePopulations

__all__ = ["ZetterbergJansenStep"]


class ZetterbergJansenStep(ThreePopulations, NeuralMassDynamics):
    r"""Zetterberg–Jansen: a column in which inhibitory cells inhibit each other, with an input to each population.

    .. math::
        \ddot v_1 &= H_e k_e\, \bigl(\gamma_1 S(v_2 - v_3) + \gamma_{1T} (U + c)\bigr) - 2 k_e \dot v_1 - k_e^2 v_1 \\
        \ddot v_2 &= H_e k_e\, \bigl(\gamma_2 S(v_1) + \gamma_{2T} (P + c)\bigr) - 2 k_e \dot v_2 - k_e^2 v_2 \\
        \ddot v_3 &= H_i k_i\, \gamma_4 S(v_4 - v_5) - 2 k_i \dot v_3 - k_i^2 v_3 \\
        \ddot v_4 &= H_e k_e\, \bigl(\gamma_3 S(v_2 - v_3) + \gamma_{3T} (Q + c)\bigr) - 2 k_e \dot v_4 - k_e^2 v_4 \\
        \ddot v_5 &= H_i k_i\, \gamma_5 S(v_4 - v_5) - 2 k_i \dot v_5 - k_i^2 v_5

    with :math:`S(v) = 2 e_0/(1 + e^{\rho_1 (\rho_2 - v)})` and :math:`y_1 \ldots y_5` the rates of change of
    :math:`v_1 \ldots v_5`. The port `c` enters all three populations; what enters `U_inp`, `P_inp` and `Q_inp` adds to
    the constant :math:`U, P, Q`. The potential of pyramidal cells, :math:`v_2 - v_3`, is what `update` returns; a
    network may send it (`coupled_var="eeg"`), or their firing rate (`"rate"`, in Hz).

    Reference: Zetterberg, Kristiansson, Mossberg 1978, Biol. Cybern. 31:15; Jansen, Rit 1995, Biol. Cybern. 73:357.
    Names and values are those of The Virtual Brain.
    """

    use_case = "alpha rhythm and evoked potentials of a column with input to each of its populations"
    questions = ("alpha", "evoked")
    output = "eeg"
    coupling_port = "c"
    shared_inputs = {"c": u.Hz}
    sources = ("eeg", "rate")
    largest_step = LargestStep(over={"ke": 0.1, "ki": 0.1})

    He: Par = param(default=3.25 * u.mV, doc="excitatory synaptic gain", domain=positive)
    Hi: Par = param(default=22.0 * u.mV, doc="inhibitory synaptic gain", domain=positive)
    ke: Par = param(default=100.0 * u.Hz, doc="inverse time constant of excitatory synapses", domain=positive)
    ki: Par = param(default=50.0 * u.Hz, doc="inverse time constant of inhibitory synapses", domain=positive)
    e0: Par = param(default=2.5 * u.Hz, doc="half of the maximum firing rate", domain=positive)
    rho_2: Par = param(default=6.0 * u.mV, doc="potential at half of the maximum firing rate")
    rho_1: Par = param(default=0.56 / u.mV, doc="steepness of the sigmoid", domain=positive)
    gamma_1: Par = param(default=135.0, doc="synapses, pyramidal to stellate cells", domain=nonnegative)
    gamma_2: Par = param(default=108.0, doc="synapses, stellate to pyramidal cells", domain=nonnegative)
    gamma_3: Par = param(default=33.75, doc="synapses, pyramidal to inhibitory cells", domain=nonnegative)
    gamma_4: Par = param(default=33.75, doc="synapses, inhibitory to pyramidal cells", domain=nonnegative)
    gamma_5: Par = param(default=15.0, doc="synapses, inhibitory to inhibitory cells", domain=nonnegative)
    gamma_1T: Par = param(default=1.0, doc="share of input to stellate cells", domain=nonnegative)
    gamma_2T: Par = param(default=1.0, doc="share of input to pyramidal cells", domain=nonnegative)
    gamma_3T: Par = param(default=1.0, doc="share of input to inhibitory cells", domain=nonnegative)
    P: Par = param(default=120.0 * u.Hz, doc="input to pyramidal cells")
    U: Par = param(default=120.0 * u.Hz, doc="input to stellate cells")
    Q: Par = param(default=120.0 * u.Hz, doc="input to inhibitory cells")

    def S(self, v: Numbers) -> Numbers:
        """Firing rate at the membrane potential `v`."""
        return sigmoid(v, 2 * self.p.e0, self.p.rho_2, self.p.rho_1)

    def dy1(self, y1, v1, v2, v3, c, U_inp):
        p = self.p
        return sys2nd(p.He, p.ke, p.gamma_1 * self.S(v2 - v3) + p.gamma_1T * (p.U + U_inp + c), v1, y1)

    def dy2(self, y2, v1, v2, c, P_inp):
        p = self.p
        return sys2nd(p.He, p.ke, p.gamma_2 * self.S(v1) + p.gamma_2T * (p.P + P_inp + c), v2, y2)

    def dy3(self, y3, v3, v4, v5):
        return sys2nd(self.p.Hi, self.p.ki, self.p.gamma_4 * self.S(v4 - v5), v3, y3)

    def dy4(self, y4, v2, v3, v4, c, Q_inp):
        p = self.p
        return sys2nd(p.He, p.ke, p.gamma_3 * self.S(v2 - v3) + p.gamma_3T * (p.Q + Q_inp + c), v4, y4)

    def dy5(self, y5, v4, v5):
        return sys2nd(self.p.Hi, self.p.ki, self.p.gamma_5 * self.S(v4 - v5), v5, y5)

    def eeg(self) -> Numbers:
        """The potential of pyramidal cells, in mV."""
        return self.source("eeg", self.state_values())

    def source(self, name: str, values: Mapping[str, Numbers]) -> Numbers:
        if name not in self.sources:
            return values[name]
        potential = values["v2"] - values["v3"]
        return potential if name == "eeg" else self.S(potential)
