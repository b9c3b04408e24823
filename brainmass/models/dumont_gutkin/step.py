"""The exact mean field of excitatory and inhibitory quadratic integrate-and-fire neurons with synapses."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep
from brainmass.models.dumont_gutkin.synapses import Synapses

__all__ = ["DumontGutkinStep"]

pi = u.math.pi


class DumontGutkinStep(NeuralMassDynamics, Synapses):
    r"""Dumont–Gutkin: excitatory and inhibitory quadratic integrate-and-fire neurons, synapses of first order.

    .. math::
        \tau_X\dot r_X &= \frac{\Delta_X}{\pi\tau_X} + 2 r_X v_X \\
        \tau_X\dot v_X &= v_X^2 + \eta_X + I_X - (\pi\tau_X r_X)^2 + \tau_X (s_{EX} - s_{IX}) \\
        \tau_s\dot s_{EX} &= -s_{EX} + w_{EX} r_E + \Gamma_X c, \qquad \tau_s\dot s_{IX} = -s_{IX} + w_{IX} r_I

    for X = E and I, with :math:`\Gamma_E = 1`, :math:`\Gamma_I = \Gamma`, and :math:`c` the weighted sum of other
    regions' :math:`r_E`. A name with two letters is from the first population to the second, as in
    `WilsonCowanStep`: `wIE` is the papers' :math:`J_{ei}`.

    Reference: Dumont, Gutkin 2019, PLoS Comput. Biol. 15:e1007019.
    """

    use_case = "exact mean field of QIF neurons; gamma rhythms from excitation and inhibition"
    questions = ("neurons", "excitation and inhibition")
    output = "rE"
    coupling_port = "coupling"
    shared_inputs = {"coupling": u.Hz}
    largest_step = LargestStep(of={"tau_E": 0.03, "tau_I": 0.03, "tau_s": 0.3})
    presets = {
        "interneuron_gamma": Preset(
            "inhibitory neurons in a rhythm of their own (ING), which excitatory ones follow",
            "Devalle, Roxin, Montbrió 2017, PLoS Comput. Biol. 13:e1005881, fig. 1",
            {
                "tau_s": 5 * u.ms,
                "eta_I": 4.0,
                "Delta_I": 0.3,
                "wII": 21.0,
                "eta_E": 4.0,
                "Delta_E": 0.3,
                "wIE": 21.0,
            },
        ),
    }

    tau_E: Par = param(default=10.0 * u.ms, doc="time constant of excitatory neurons", domain=positive)
    eta_E: Par = param(default=-5.0, doc="mean excitability of excitatory neurons")
    Delta_E: Par = param(default=1.0, doc="half-width of excitatory neurons' excitabilities", domain=positive)
    tau_I: Par = param(default=10.0 * u.ms, doc="time constant of inhibitory neurons", domain=positive)
    eta_I: Par = param(default=-5.0, doc="mean excitability of inhibitory neurons")
    Delta_I: Par = param(default=1.0, doc="half-width of inhibitory neurons' excitabilities", domain=positive)
    init_rE: Initializer = Constant(10.0 * u.Hz)  # pyright: ignore[reportArgumentType]
    init_vE: Initializer = Constant(0.0)
    init_rI: Initializer = Constant(10.0 * u.Hz)  # pyright: ignore[reportArgumentType]
    init_vI: Initializer = Constant(0.0)
    noise_vE: Noise | None = None
    noise_vI: Noise | None = None

    rE: HiddenState = state("rate of excitatory neurons", unit=u.Hz, domain=nonnegative)
    vE: HiddenState = state("mean potential of excitatory neurons", port="vE_inp")
    rI: HiddenState = state("rate of inhibitory neurons", unit=u.Hz, domain=nonnegative)
    vI: HiddenState = state("mean potential of inhibitory neurons", port="vI_inp")

    def drE(self, rE, vE):
        p = self.p
        return (p.Delta_E / (pi * p.tau_E) + 2 * rE * vE) / p.tau_E

    def dvE(self, vE, rE, sEE, sIE, vE_inp):
        p = self.p
        return _potential(vE, rE, sEE - sIE, p.eta_E + vE_inp, p.tau_E)

    def drI(self, rI, vI):
        p = self.p
        return (p.Delta_I / (pi * p.tau_I) + 2 * rI * vI) / p.tau_I

    def dvI(self, vI, rI, sEI, sII, vI_inp):
        p = self.p
        return _potential(vI, rI, sEI - sII, p.eta_I + vI_inp, p.tau_I)


def _potential(v, r, synapses, drive, tau):
    rho, current = u.maybe_decimal(tau * r), u.maybe_decimal(tau * synapses)
    return (v**2 + drive - (pi * rho) ** 2 + current) / tau
