"""The reduced set of Hindmarsh-Rose neurons of Stefanescu and Jirsa."""

from __future__ import annotations

import brainunit as u
import jax.numpy as jnp
from brainstate import HiddenState
from braintools.init import Uniform

from brainmass.dynamics.fields import Initializer, Par, param, positive, state
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.regime import LargestStep
from brainmass.models.stefanescu_jirsa.modes import Modes
from brainmass.models.stefanescu_jirsa.names import of_modes, three

__all__ = ["StefanescuJirsaHindmarshRoseStep"]


class StefanescuJirsaHindmarshRoseStep(Modes, NeuralMassDynamics):
    r"""Excitatory and inhibitory Hindmarsh–Rose neurons that are driven unequally, as three modes of each.

    .. math::
        \dot\xi_i &= \eta_i - a\,\xi_i^3/w_i + b\,\xi_i^2/\sqrt{w_i} - \tau_i + I_i + c
        + K_{11} \Bigl(\sum_k A_{ik}\xi_k - \xi_i\Bigr) - K_{12} \Bigl(\sum_k A_{ki}\alpha_k - \xi_i\Bigr) \\
        \dot\eta_i &= c_0\sqrt{w_i} - d\,\xi_i^2/\sqrt{w_i} - \eta_i \\
        \dot\tau_i &= r\,\bigl(s\,(\xi_i - x_0\sqrt{w_i}) - \tau_i\bigr)

    and for :math:`\alpha, \beta, \gamma` of the inhibitory neurons alike, with
    :math:`K_{21} (\sum_k A_{ik}\xi_k - \alpha_i)` from the excitatory. Else as `StefanescuJirsaFitzHughNagumoStep`.

    Reference: Stefanescu, Jirsa 2008, PLoS Comput. Biol. 4:e1000219.
    """

    category = "phenomenological"
    use_case = "populations of bursting neurons that differ: bursts, clusters and rest of their modes"
    questions = ("synchrony",)
    output = "xi_1"
    coupling_port = "coupling"
    shared_inputs = {"coupling": u.UNITLESS}
    modes = three("xi", "eta", "tau", "alpha", "beta", "gamma")
    sources = tuple(modes)
    largest_step = LargestStep(0.05 * u.ms)

    sigma: Par = param(default=0.3, doc="standard deviation of the drive over neurons", domain=positive)
    mu: Par = param(default=3.3, doc="mean of the drive")
    K12: Par = param(default=0.1, doc="strength from inhibitory to excitatory neurons")
    r: Par = param(default=0.006, doc="rate of the adaptation, per ms", domain=positive)
    a: Par = param(default=1.0, doc="cubic term")
    b: Par = param(default=3.0, doc="quadratic term")
    c: Par = param(default=1.0, doc="constant of the fast recovery")
    d: Par = param(default=5.0, doc="quadratic term of the fast recovery")
    s: Par = param(default=4.0, doc="strength of the adaptation")
    xo: Par = param(default=-1.6, doc="rest of the adaptation")
    init_tau: Initializer = Uniform(-0.5, 0.5)
    init_gamma: Initializer = Uniform(-0.5, 0.5)

    xi_1: HiddenState = state("excitatory potential, mode 1", start="init_xi")
    xi_2: HiddenState = state("excitatory potential, mode 2", start="init_xi")
    xi_3: HiddenState = state("excitatory potential, mode 3", start="init_xi")
    eta_1: HiddenState = state("excitatory recovery, mode 1", start="init_eta")
    eta_2: HiddenState = state("excitatory recovery, mode 2", start="init_eta")
    eta_3: HiddenState = state("excitatory recovery, mode 3", start="init_eta")
    tau_1: HiddenState = state("excitatory adaptation, mode 1", start="init_tau")
    tau_2: HiddenState = state("excitatory adaptation, mode 2", start="init_tau")
    tau_3: HiddenState = state("excitatory adaptation, mode 3", start="init_tau")
    alpha_1: HiddenState = state("inhibitory potential, mode 1", start="init_alpha")
    alpha_2: HiddenState = state("inhibitory potential, mode 2", start="init_alpha")
    alpha_3: HiddenState = state("inhibitory potential, mode 3", start="init_alpha")
    beta_1: HiddenState = state("inhibitory recovery, mode 1", start="init_beta")
    beta_2: HiddenState = state("inhibitory recovery, mode 2", start="init_beta")
    beta_3: HiddenState = state("inhibitory recovery, mode 3", start="init_beta")
    gamma_1: HiddenState = state("inhibitory adaptation, mode 1", start="init_gamma")
    gamma_2: HiddenState = state("inhibitory adaptation, mode 2", start="init_gamma")
    gamma_3: HiddenState = state("inhibitory adaptation, mode 3", start="init_gamma")

    def _xi(self, xi, eta, tau, alpha, coupling):
        return (self._fast(xi, eta, tau, coupling) + self.excited(xi, alpha)) / u.ms

    def _alpha(self, alpha, beta, gamma, xi, coupling):
        return (self._fast(alpha, beta, gamma, coupling) + self.inhibited(xi, alpha)) / u.ms

    def _recovery(self, fast, recovery):
        root = jnp.sqrt(self.width(fast))
        return (self.p.c * root - self.p.d * fast**2 / root - recovery) / u.ms

    def _adaptation(self, fast, slow):
        p = self.p
        return p.r * (p.s * (fast - p.xo * jnp.sqrt(self.width(fast))) - slow) / u.ms

    def _fast(self, fast, recovery, slow, coupling):
        p, width = self.p, self.width(fast)
        cubic = p.a * fast**3 / width - p.b * fast**2 / jnp.sqrt(width)
        return recovery - cubic - slow + self.drive(fast) + coupling

    dxi_1, dxi_2, dxi_3 = of_modes("xi", _xi, "xi eta tau alpha", "coupling")
    deta_1, deta_2, deta_3 = of_modes("eta", _recovery, "xi eta")
    dtau_1, dtau_2, dtau_3 = of_modes("tau", _adaptation, "xi tau")
    dalpha_1, dalpha_2, dalpha_3 = of_modes("alpha", _alpha, "alpha beta gamma xi", "coupling")
    dbeta_1, dbeta_2, dbeta_3 = of_modes("beta", _recovery, "alpha beta")
    dgamma_1, dgamma_2, dgamma_3 = of_modes("gamma", _adaptation, "alpha gamma")
