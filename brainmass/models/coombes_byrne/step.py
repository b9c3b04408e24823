"""The mean field of quadratic integrate-and-fire neurons with synaptic conductances."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep

__all__ = ["CoombesByrneStep"]

pi = u.math.pi


class CoombesByrneStep(NeuralMassDynamics):
    r"""Coombes–Byrne next-generation mass: quadratic integrate-and-fire neurons with conductance synapses.

    .. math::
        \dot r &= \Delta/\pi + 2 v r - g r + I_r \\
        \dot v &= v^2 - (\pi r)^2 + \eta + (v_{syn} - v)\, g + I_v, \qquad g = k\pi r

    Time is in ms and :math:`r` in 1/ms, as plain numbers. With `k = 0` this is `MontbrioPazoRoxinStep` with
    `J = 0`, `tau = 1 ms` and `delta = Delta / ms`. A region alone under constant input comes to rest, often in damped
    oscillations: by Dulac's criterion with :math:`1/r^2` it has no limit cycle.

    Reference: Coombes, Byrne 2019, in Nonlinear Dynamics in Computational Neuroscience, pp. 1-16.
    """

    use_case = "exact mean field of QIF neurons with conductance synapses; damped oscillations of synchrony"
    questions = ("neurons",)
    output = "r"
    coupling_port = "v_inp"
    largest_step = LargestStep(0.1 * u.ms)

    Delta: Par = param(default=1.0, doc="half-width of the distribution of excitabilities", domain=positive)
    eta: Par = param(default=2.0, doc="mean excitability")
    k: Par = param(default=1.0, doc="synaptic conductance scale", domain=nonnegative)
    v_syn: Par = param(default=-4.0, doc="synaptic reversal potential")
    init_r: Initializer = Constant(0.1)
    init_v: Initializer = Constant(0.0)
    noise_r: Noise | None = None
    noise_v: Noise | None = None

    r: HiddenState = state("firing rate", port="r_inp", domain=nonnegative)
    v: HiddenState = state("mean membrane potential", port="v_inp")

    def dr(self, r, v, r_ext):
        p = self.p
        return (p.Delta / pi + 2 * v * r - self._conductance(r) * r + r_ext) / u.ms

    def dv(self, v, r, v_ext):
        p = self.p
        return (v**2 - (pi * r) ** 2 + p.eta + (p.v_syn - v) * self._conductance(r) + v_ext) / u.ms

    def _conductance(self, r):
        return self.p.k * pi * r
