"""The Hopfield network with graded responses."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Uniform

from brainmass.dynamics.fields import Initializer, Par, param, positive, state
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep

__all__ = ["HopfieldStep"]


class HopfieldStep(NeuralMassDynamics):
    r"""Neuron of a Hopfield network with graded responses: a leaky potential, and a threshold that follows its input.

    .. math::
        \tau_x \dot x = -x + c_x, \qquad \tau_\theta \dot\theta = -\theta + c_\theta

    A network makes the memory: with the symmetric weights :math:`\sum_k \xi^k_i \xi^k_j / n` of patterns :math:`\xi^k`
    and `coupling=PreSigmoidalCoupling(H=1., Q=0., G=2., P=1., theta=0.)`, which is the sum of
    :math:`w_{ij} \tanh 2 x_j`, it comes to rest at the pattern nearest to where it started. The threshold acts on
    nothing here: it is there for couplings that read it. Time in ms.

    Reference: Hopfield 1984, Proc. Natl. Acad. Sci. USA 81:3088.
    """

    category = "phenomenological"
    use_case = "associative memory; multistability of a network"
    questions = ("tasks",)
    output = "x"
    coupling_port = "x_inp"
    largest_step = LargestStep(of={"taux": 0.4, "tauT": 0.4})

    taux: Par = param(default=1.0 * u.ms, doc="time constant of the potential", domain=positive)
    tauT: Par = param(default=5.0 * u.ms, doc="time constant of the threshold", domain=positive)
    init_x: Initializer = Uniform(-1.0, 2.0)
    init_theta: Initializer = Uniform(0.0, 1.0)
    noise_x: Noise | None = None
    noise_theta: Noise | None = None

    x: HiddenState = state("potential", port="x_inp")
    theta: HiddenState = state("threshold", port="theta_inp")

    def dx(self, x, x_inp):
        return (x_inp - x) / self.p.taux

    def dtheta(self, theta, theta_inp):
        return (theta_inp - theta) / self.p.tauT
