"""Excitatory and inhibitory quadratic integrate-and-fire neurons with synaptic conductances of second order."""

from __future__ import annotations

from collections.abc import Mapping

import brainunit as u
import jax.numpy as jnp
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep
from brainmass.models.coombes_byrne.conductances import Conductances

__all__ = ["CoombesByrneExcInhStep"]

pi = u.math.pi


class CoombesByrneExcInhStep(NeuralMassDynamics, Conductances):
    r"""Next-generation excitatory and inhibitory populations with conductance synapses of second order.

    .. math::
        \tau_X\dot r_X &= \frac{\Delta_X}{\pi\tau_X} + 2 r_X v_X - (g_{EX} + g_{IX})\, r_X \\
        \tau_X\dot v_X &= v_X^2 - (\pi\tau_X r_X)^2 + \eta_X + I_X + g_{EX} (v_E^{syn} - v_X)
                          + g_{IX} (v_I^{syn} - v_X) \\
        \Big(1 + \tau_{YX}\frac{d}{dt}\Big)^2 g_{YX} &= k_{YX}\,\tau_Y r_Y + c_{YX}

    for X, Y = E and I; two letters are from the first population to the second. :math:`c_{EE}` is the network's: the
    weighted sum of the other regions' :math:`\tau_E r_E`. The default strengths and synaptic times are chosen for a
    beta rhythm of 27 Hz.

    Reference: Byrne, O'Dea, Forrester, Ross, Coombes 2020, J. Neurophysiol. 123:726.
    """

    use_case = "exact mean field of QIF neurons with synaptic kinetics; beta and gamma, synchrony that comes and goes"
    questions = ("neurons", "excitation and inhibition")
    output = "rE"
    coupling_port = "coupling"
    shared_inputs = {"coupling": u.UNITLESS}
    largest_step = LargestStep(of={"tau_E": 0.01, "tau_I": 0.01})

    tau_E: Par = param(default=10.0 * u.ms, doc="time constant of excitatory neurons", domain=positive)
    eta_E: Par = param(default=10.0, doc="mean excitability of excitatory neurons")
    Delta_E: Par = param(default=0.5, doc="half-width of excitatory neurons' excitabilities", domain=positive)
    tau_I: Par = param(default=10.0 * u.ms, doc="time constant of inhibitory neurons", domain=positive)
    eta_I: Par = param(default=0.0, doc="mean excitability of inhibitory neurons")
    Delta_I: Par = param(default=0.5, doc="half-width of inhibitory neurons' excitabilities", domain=positive)
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

    def drE(self, rE, vE, gEE, gIE):
        p = self.p
        return (p.Delta_E / (pi * p.tau_E) + (2 * vE - gEE - gIE) * rE) / p.tau_E

    def dvE(self, vE, rE, gEE, gIE, vE_inp):
        p = self.p
        return (self._bare(vE, rE, p.tau_E) + p.eta_E + vE_inp + self._synaptic(vE, gEE, gIE)) / p.tau_E

    def drI(self, rI, vI, gEI, gII):
        p = self.p
        return (p.Delta_I / (pi * p.tau_I) + (2 * vI - gEI - gII) * rI) / p.tau_I

    def dvI(self, vI, rI, gEI, gII, vI_inp):
        p = self.p
        return (self._bare(vI, rI, p.tau_I) + p.eta_I + vI_inp + self._synaptic(vI, gEI, gII)) / p.tau_I

    def source(self, name: str, values: Mapping[str, Numbers]) -> Numbers:
        taus = {"rE": "tau_E", "rI": "tau_I"}
        return u.maybe_decimal(getattr(self.p, taus[name]) * values[name]) if name in taus else values[name]

    def synchrony(self) -> tuple[Numbers, Numbers]:
        """Kuramoto's order parameter of excitatory and of inhibitory neurons, from 0 to 1."""
        rates, potentials = self.state_values(), (self.vE.value, self.vI.value)
        rhos = (self.source(name, rates) for name in ("rE", "rI"))
        return tuple(_order(rho, v) for rho, v in zip(rhos, potentials, strict=True))  # pyright: ignore[reportReturnType]

    @staticmethod
    def _bare(v, r, tau):
        return v**2 - (pi * u.maybe_decimal(tau * r)) ** 2


def _order(rho, v):
    w = pi * rho - 1j * v
    return jnp.abs((1 - w) / (1 + w))
