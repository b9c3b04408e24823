"""Two populations with threshold-linear gain."""

from __future__ import annotations

import brainunit as u
import jax.numpy as jnp
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep

__all__ = ["ThresholdLinearStep"]


class ThresholdLinearStep(NeuralMassDynamics):
    r"""Threshold-linear rates of an excitatory and an inhibitory population.

    .. math::
        \tau_E \dot E &= -E + \beta_E\, [I_E]_+ \\
        \tau_I \dot I &= -I + \beta_I\, [I_I]_+

    In the paper rates are in Hz, inputs in pA and gains in Hz/pA; here all three are plain numbers. The populations
    meet only through their inputs: recurrent connections belong to the network. Noise adds to the input, inside the
    rectification, so that rates do not become negative.

    Reference: Chaudhuri, Knoblauch, Gariel, Kennedy, Wang 2015, Neuron 88:419.
    """

    category = "phenomenological"
    use_case = "hierarchy of time scales across the cortex; large-scale rate networks"
    questions = ("excitation and inhibition",)
    output = "E"
    coupling_port = "E_inp"
    largest_step = LargestStep(of={"tau_E": 0.1, "tau_I": 0.1})

    tau_E: Par = param(default=20.0 * u.ms, doc="time constant of the excitatory population", domain=positive)
    tau_I: Par = param(default=10.0 * u.ms, doc="time constant of the inhibitory population", domain=positive)
    beta_E: Par = param(default=0.066, doc="gain of the excitatory population")
    beta_I: Par = param(default=0.351, doc="gain of the inhibitory population")
    init_E: Initializer = Constant(0.0)
    init_I: Initializer = Constant(0.0)
    noise_E: Noise | None = None
    noise_I: Noise | None = None

    E: HiddenState = state("excitatory rate", port="E_inp", domain=nonnegative)
    I: HiddenState = state("inhibitory rate", port="I_inp", domain=nonnegative)  # noqa: E741

    def dE(self, E, E_inp):
        p = self.p
        return (-E + p.beta_E * jnp.maximum(E_inp, 0.0)) / p.tau_E

    def dI(self, I, I_inp):  # noqa: E741
        p = self.p
        return (-I + p.beta_I * jnp.maximum(I_inp, 0.0)) / p.tau_I
