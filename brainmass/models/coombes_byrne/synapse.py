"""The mean field of quadratic integrate-and-fire neurons with conductances that rise and fall in time."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep

__all__ = ["CoombesByrneSynapseStep"]

pi = u.math.pi


class CoombesByrneSynapseStep(NeuralMassDynamics):
    r"""Coombes–Byrne next-generation mass with synapses of second order: rhythms of synchrony.

    .. math::
        \dot r &= \Delta/\pi + 2 v r - g r + I_r \\
        \dot v &= v^2 - (\pi r)^2 + \eta + (v_{syn} - v)\, g + I_v \\
        \dot g &= \alpha q, \qquad \dot q = \alpha\,(k\pi r - g - 2 q)

    Time is in ms, :math:`r` in 1/ms and :math:`\alpha` in 1/ms, as plain numbers. Where :math:`\alpha` is large this is
    `CoombesByrneStep`; its states of rest are those of that model at any :math:`\alpha`.

    Reference: Coombes, Byrne 2019, in Nonlinear Dynamics in Computational Neuroscience, pp. 1-16.
    """

    use_case = "exact mean field of QIF neurons with synaptic kinetics; rhythms, rebound of synchrony"
    questions = ("neurons",)
    output = "r"
    coupling_port = "v_inp"
    largest_step = LargestStep(0.01 * u.ms)

    Delta: Par = param(default=0.5, doc="half-width of the distribution of excitabilities", domain=positive)
    alpha: Par = param(default=0.95, doc="rate of the synapse, per ms", domain=positive)
    v_syn: Par = param(default=-10.0, doc="synaptic reversal potential")
    k: Par = param(default=1.0, doc="synaptic conductance scale", domain=nonnegative)
    eta: Par = param(default=20.0, doc="mean excitability")
    init_r: Initializer = Constant(0.1)
    init_v: Initializer = Constant(0.0)
    init_g: Initializer = Constant(1.0)
    init_q: Initializer = Constant(0.0)
    noise_r: Noise | None = None
    noise_v: Noise | None = None

    r: HiddenState = state("firing rate", port="r_inp", domain=nonnegative)
    v: HiddenState = state("mean membrane potential", port="v_inp")
    g: HiddenState = state("synaptic conductance")
    q: HiddenState = state("rate of change of the conductance, in units of alpha")

    def dr(self, r, v, g, r_ext):
        return (self.p.Delta / pi + 2 * v * r - g * r + r_ext) / u.ms

    def dv(self, v, r, g, v_ext):
        p = self.p
        return (v**2 - (pi * r) ** 2 + p.eta + (p.v_syn - v) * g + v_ext) / u.ms

    def dg(self, g, q):
        return self.p.alpha * q / u.ms

    def dq(self, q, g, r):
        p = self.p
        return p.alpha * (p.k * pi * r - g - 2 * q) / u.ms
