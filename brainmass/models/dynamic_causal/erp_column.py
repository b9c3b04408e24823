"""The column of dynamic causal models of evoked responses."""

from __future__ import annotations

from collections.abc import Mapping

import brainunit as u

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, nonnegative, param, positive
from brainmass.dynamics.functions import sigmoid, sys2nd
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.regime import LargestStep
from brainmass.models.dynamic_causal.erp_potentials import ERPPotentials

__all__ = ["ERPColumnStep"]


class ERPColumnStep(ERPPotentials, NeuralMassDynamics):
    r"""David–Friston: the column of dynamic causal modelling, with forward, backward and lateral input.

    .. math::
        \ddot x_1 &= \tfrac{H_e}{\tau_e} \bigl(F + L + \gamma_1 S(x_0) + u\bigr)
            - \tfrac{2}{\tau_e} \dot x_1 - \tfrac{1}{\tau_e^2} x_1 \\
        \ddot x_2 &= \tfrac{H_e}{\tau_e} \bigl(B + L + \gamma_2 S(x_1)\bigr)
            - \tfrac{2}{\tau_e} \dot x_2 - \tfrac{1}{\tau_e^2} x_2 \\
        \ddot x_3 &= \tfrac{H_i}{\tau_i} \gamma_4 S(x_7) - \tfrac{2}{\tau_i} \dot x_3 - \tfrac{1}{\tau_i^2} x_3 \\
        \ddot x_7 &= \tfrac{H_e}{\tau_e} \bigl(B + L + \gamma_3 S(x_0)\bigr)
            - \tfrac{2}{\tau_e} \dot x_7 - \tfrac{1}{\tau_e^2} x_7

    with :math:`x_0 = x_2 - x_3` and :math:`S(x) = e_0/(1 + e^{-\rho_1 (x - \rho_2)}) - e_0/(1 + e^{\rho_1 \rho_2})`,
    so that a column without input rests at zero; :math:`x_4, x_5, x_6, x_8` are the rates of change of
    :math:`x_1, x_2, x_3, x_7`. Columns send :math:`S(x_0)` (`coupled_var="rate"`) into the ports `forward` (spiny
    stellate cells), `backward` (pyramidal and inhibitory cells) and `lateral` (all), with a projection for each; the
    prior strengths of the papers are 32, 16 and 4, with delays of 16 ms. What is measured is :math:`x_0`.

    The default values, the prior strengths and their delay are those of the papers' own program, `spm_fx_erp` of SPM
    (revision 4718), compared number by number; the tables of the papers themselves could not be had.

    Reference: David, Kiebel, Harrison, Mattout, Kilner, Friston 2006, NeuroImage 30:1255; sigmoid as in Kiebel,
    Garrido, Friston 2007, NeuroImage 36:332.
    """

    use_case = "event-related potentials and fields; hierarchies of areas with forward and backward connections"
    questions = ("evoked",)
    output = "x0"
    coupling_port = "forward"
    other_inputs = {"u": "u_inp"}
    sources = ("x0", "rate")
    largest_step = LargestStep(of={"tau_e": 0.2, "tau_i": 0.2})

    He: Par = param(default=4.0 * u.mV, doc="excitatory synaptic gain", domain=positive)
    Hi: Par = param(default=32.0 * u.mV, doc="inhibitory synaptic gain", domain=positive)
    tau_e: Par = param(default=8.0 * u.ms, doc="time constant of excitatory synapses", domain=positive)
    tau_i: Par = param(default=16.0 * u.ms, doc="time constant of inhibitory synapses", domain=positive)
    gamma_1: Par = param(default=128.0, doc="strength, pyramidal to stellate cells", domain=nonnegative)
    gamma_2: Par = param(default=102.4, doc="strength, stellate to pyramidal cells", domain=nonnegative)
    gamma_3: Par = param(default=32.0, doc="strength, pyramidal to inhibitory cells", domain=nonnegative)
    gamma_4: Par = param(default=32.0, doc="strength, inhibitory to pyramidal cells", domain=nonnegative)
    e0: Par = param(default=1.0 * u.Hz, doc="range of the firing rate", domain=positive)
    rho_1: Par = param(default=2 / 3 / u.mV, doc="steepness of the sigmoid", domain=positive)
    rho_2: Par = param(default=1 / 3 * u.mV, doc="potential at half of the range")

    shared_inputs = {"forward": u.Hz, "backward": u.Hz, "lateral": u.Hz}

    def S(self, x: Numbers) -> Numbers:
        """Firing rate at the potential `x`, above that at zero."""
        p = self.p
        return sigmoid(x, p.e0, p.rho_2, p.rho_1) - sigmoid(0.0 * u.mV, p.e0, p.rho_2, p.rho_1)

    def dx4(self, x4, x1, x2, x3, forward, lateral, u_inp):
        return self._excited(x1, x4, forward + lateral + self.p.gamma_1 * self.S(x2 - x3) + u_inp)

    def dx5(self, x5, x1, x2, backward, lateral):
        return self._excited(x2, x5, backward + lateral + self.p.gamma_2 * self.S(x1))

    def dx6(self, x6, x3, x7):
        return sys2nd(self.p.Hi, 1 / self.p.tau_i, self.p.gamma_4 * self.S(x7), x3, x6)

    def dx8(self, x8, x2, x3, x7, backward, lateral):
        return self._excited(x7, x8, backward + lateral + self.p.gamma_3 * self.S(x2 - x3))

    def _excited(self, x: Numbers, rate_of_x: Numbers, pulses: Numbers) -> Numbers:
        return sys2nd(self.p.He, 1 / self.p.tau_e, pulses, x, rate_of_x)

    def x0(self) -> Numbers:
        """The potential of pyramidal cells, in mV."""
        return self.source("x0", self.state_values())

    def source(self, name: str, values: Mapping[str, Numbers]) -> Numbers:
        if name not in self.sources:
            return values[name]
        potential = values["x2"] - values["x3"]
        return potential if name == "x0" else self.S(potential)
