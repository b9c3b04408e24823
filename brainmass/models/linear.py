"""A single linear node."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.fields import Initializer, Par, option, param, state
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise

__all__ = ["LinearStep"]


class LinearStep(NeuralMassDynamics):
    r"""Linear node: exponential relaxation; time in ms.

    .. math::
        \dot x = \gamma x + I

    Its method, 'exp_euler', is exact at any step, for an input held constant through it. For `gamma > 0` the node is
    unstable.

    Reference: Sanz-Leon, Knock, Spiegler, Jirsa 2015, NeuroImage 111:385.
    """

    category = "phenomenological"
    use_case = "baseline of a network analysis; checks of coupling and noise"
    questions = ("rest",)
    output = "x"
    coupling_port = "x_inp"

    gamma: Par = param(default=-10.0, doc="rate of growth, per ms")
    init_x: Initializer = Constant(0.01)
    noise_x: Noise | None = None
    method: str = option(default="exp_euler")

    x: HiddenState = state("activity", port="x_inp")

    def dx(self, x, x_inp):
        return (self.p.gamma * x + x_inp) / u.ms
