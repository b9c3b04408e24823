"""The reduced Wong–Wang model of a decision between two alternatives."""

from __future__ import annotations

import brainunit as u

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, nonnegative, param, positive
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.regime import LargestStep
from brainmass.models.wong_wang.pools import Pools
from brainmass.models.wong_wang.transfer import wong_wang_transfer

__all__ = ["WongWangStep"]


class WongWangStep(Pools, NeuralMassDynamics):
    r"""Reduced Wong–Wang model of a decision: two excitatory pools that inhibit each other.

    .. math::
        \dot S_i &= -S_i/\tau_S + (1 - S_i)\,\gamma\, r_i, \qquad
        r_i = H(I_i) = \frac{a (I_i - \theta)}{1 - e^{-d a (I_i - \theta)}} \\
        I_1 &= J_{N,11} S_1 - J_{N,12} S_2 + J_{A,ext}\,\mu_0 (1 + c) + I_0 + I_{1,inp} \\
        I_2 &= J_{N,22} S_2 - J_{N,21} S_1 + J_{A,ext}\,\mu_0 (1 - c) + I_0 + I_{2,inp}

    with the coherence :math:`c` of the stimulus, from -1 to 1: positive favours pool 1. The paper's threshold
    :math:`b = a\theta` is 108 Hz. `update` returns the rates :math:`(r_1, r_2)` at the new gating, with what entered
    in the step. The paper's noise is `OUProcess(sigma=0.02 nA, tau=2 ms)` in each pool; without noise and at
    :math:`c = 0` the pools stay equal. `mu_0 = 0` is a region without stimulus.

    Reference: Wong, Wang 2006, J. Neurosci. 26:1314.
    """

    use_case = "perceptual decisions between two alternatives; accuracy and reaction times"
    questions = ("decisions",)
    output = ("r1", "r2")
    coupling_port = "coherence"
    shared_inputs = {"coherence": u.UNITLESS}
    remembers = ("coherence", "I1_inp", "I2_inp")
    largest_step = LargestStep(of={"tau_S": 0.02})

    tau_S: Par = param(default=0.1 * u.second, doc="NMDA time constant", domain=positive)
    gamma: Par = param(default=0.641, doc="kinetic factor of the gating", domain=positive)
    a: Par = param(default=270.0 * u.Hz / u.nA, doc="gain", domain=positive)
    theta: Par = param(default=0.4 * u.nA, doc="threshold current")
    J_N11: Par = param(default=0.2609 * u.nA, doc="excitation of pool 1 by itself")
    J_N22: Par = param(default=0.2609 * u.nA, doc="excitation of pool 2 by itself")
    J_N12: Par = param(default=0.0497 * u.nA, doc="inhibition of pool 1 by pool 2")
    J_N21: Par = param(default=0.0497 * u.nA, doc="inhibition of pool 2 by pool 1")
    J_A_ext: Par = param(default=5.2e-4 * u.nA / u.Hz, doc="strength of the stimulus, nA/Hz")
    mu_0: Par = param(default=30.0 * u.Hz, doc="rate of the stimulus at zero coherence", domain=nonnegative)
    I_0: Par = param(default=0.3255 * u.nA, doc="background current")
    d: Par = param(default=0.154 * u.second, doc="curvature of the transfer function", domain=positive, kw_only=True)

    def dS1(self, S1, S2, coherence, I1_inp):
        return self.dS1_dt(S1, self.phi(self._current_1(S1, S2, coherence, I1_inp)))

    def dS2(self, S2, S1, coherence, I2_inp):
        return self.dS2_dt(S2, self.phi(self._current_2(S1, S2, coherence, I2_inp)))

    def dS1_dt(self, S1, r1):
        """Rate of change of the gating of pool 1 that fires at the rate `r1`."""
        return self._gating(S1, r1)

    def dS2_dt(self, S2, r2):
        """Rate of change of the gating of pool 2 that fires at the rate `r2`."""
        return self._gating(S2, r2)

    def phi(self, I: Numbers) -> Numbers:  # noqa: E741
        """Firing rate at the current `I`."""
        p = self.p
        return wong_wang_transfer(p.a * (I - p.theta), p.d).to(u.Hz)

    def _gating(self, S, r):
        p = self.p
        return -S / p.tau_S + (1 - S) * p.gamma * r

    def _current_1(self, S1, S2, coherence, I1_inp):
        p = self.p
        return p.J_N11 * S1 - p.J_N12 * S2 + self._stimulus(coherence) + I1_inp

    def _current_2(self, S1, S2, coherence, I2_inp):
        p = self.p
        return p.J_N22 * S2 - p.J_N21 * S1 + self._stimulus(-coherence) + I2_inp

    def _stimulus(self, coherence):
        p = self.p
        return p.J_A_ext * p.mu_0 * (1 + coherence) + p.I_0
