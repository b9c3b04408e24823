"""The reduced set of FitzHugh-Nagumo neurons of Stefanescu and Jirsa."""

from __future__ import annotations

import brainunit as u
import jax.numpy as jnp
from brainstate import HiddenState

from brainmass.dynamics.fields import Par, param, positive, state
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.regime import LargestStep
from brainmass.models.stefanescu_jirsa.modes import Modes
from brainmass.models.stefanescu_jirsa.names import of_modes, three

__all__ = ["StefanescuJirsaFitzHughNagumoStep"]


class StefanescuJirsaFitzHughNagumoStep(Modes, NeuralMassDynamics):
    r"""Excitatory and inhibitory FitzHugh–Nagumo neurons that are driven unequally, as three modes of each.

    .. math::
        \dot\xi_i &= \tau\,(\xi_i - e_i \xi_i^3/3 - \eta_i + I_i + c) + K_{11} \Bigl(\sum_k A_{ik}\xi_k - \xi_i\Bigr)
        - K_{12} \Bigl(\sum_k A_{ki}\alpha_k - \xi_i\Bigr) \\
        \tau\dot\eta_i &= \xi_i - b\eta_i + m_i \\
        \dot\alpha_i &= \tau\,(\alpha_i - e_i \alpha_i^3/3 - \beta_i + I_i + c)
        + K_{21} \Bigl(\sum_k A_{ik}\xi_k - \alpha_i\Bigr) \\
        \tau\dot\beta_i &= \alpha_i - b\beta_i + m_i

    Mode i is a third of a normal distribution of drives, of width :math:`w_i` and mean :math:`z_i`:
    :math:`e_i = 1/w_i`, :math:`m_i = a\sqrt{w_i}`, :math:`I_i = \sqrt{w_i} z_i`; `mode_parameters()` has :math:`w, I`
    and :math:`A` as arrays. What a network brings, c, enters all modes. It may send `xi` or another state without its
    number: the sum over the modes. Time is in ms. The order of the indices with :math:`K_{12}` is that of The Virtual
    Brain.

    Each mode is a state of its own. In results they are an axis: `monitors=["xi"]` records all three, `result["xi"]`
    has shape (time, batch..., region, mode), and `to_xarray()` a coordinate `mode`. Initial values have the modes as
    last axis: `init_xi=lambda shape: np.broadcast_to([-1.0, 0.0, 1.0], shape)`.

    Reference: Stefanescu, Jirsa 2008, PLoS Comput. Biol. 4:e1000219.
    """

    category = "phenomenological"
    use_case = "populations of neurons that differ: synchrony, clusters and rest of their modes"
    questions = ("synchrony",)
    output = "xi_1"
    coupling_port = "coupling"
    shared_inputs = {"coupling": u.UNITLESS}
    modes = three("xi", "eta", "alpha", "beta")
    sources = tuple(modes)
    largest_step = LargestStep(0.1 * u.ms)

    tau: Par = param(default=3.0, doc="ratio of the time scales", domain=positive)
    a: Par = param(default=0.45, doc="offset of the recovery")
    b: Par = param(default=0.9, doc="decay of the recovery")

    xi_1: HiddenState = state("excitatory potential, mode 1", start="init_xi")
    xi_2: HiddenState = state("excitatory potential, mode 2", start="init_xi")
    xi_3: HiddenState = state("excitatory potential, mode 3", start="init_xi")
    eta_1: HiddenState = state("excitatory recovery, mode 1", start="init_eta")
    eta_2: HiddenState = state("excitatory recovery, mode 2", start="init_eta")
    eta_3: HiddenState = state("excitatory recovery, mode 3", start="init_eta")
    alpha_1: HiddenState = state("inhibitory potential, mode 1", start="init_alpha")
    alpha_2: HiddenState = state("inhibitory potential, mode 2", start="init_alpha")
    alpha_3: HiddenState = state("inhibitory potential, mode 3", start="init_alpha")
    beta_1: HiddenState = state("inhibitory recovery, mode 1", start="init_beta")
    beta_2: HiddenState = state("inhibitory recovery, mode 2", start="init_beta")
    beta_3: HiddenState = state("inhibitory recovery, mode 3", start="init_beta")

    def _xi(self, xi, eta, alpha, coupling):
        return (self._fast(xi, eta, coupling) + self.excited(xi, alpha)) / u.ms

    def _alpha(self, alpha, beta, xi, coupling):
        return (self._fast(alpha, beta, coupling) + self.inhibited(xi, alpha)) / u.ms

    def _slow(self, fast, slow):
        p = self.p
        return (fast - p.b * slow + p.a * jnp.sqrt(self.width(fast))) / p.tau / u.ms

    def _fast(self, fast, slow, coupling):
        return self.p.tau * (fast - fast**3 / (3 * self.width(fast)) - slow + self.drive(fast) + coupling)

    dxi_1, dxi_2, dxi_3 = of_modes("xi", _xi, "xi eta alpha", "coupling")
    deta_1, deta_2, deta_3 = of_modes("eta", _slow, "xi eta")
    dalpha_1, dalpha_2, dalpha_3 = of_modes("alpha", _alpha, "alpha beta xi", "coupling")
    dbeta_1, dbeta_2, dbeta_3 = of_modes("beta", _slow, "alpha beta")
