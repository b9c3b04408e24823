"""The harmonic oscillator as a unit of a recurrent network."""

from __future__ import annotations

import math

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.fields import Initializer, Par, nonnegative, option, param, state
from brainmass.dynamics.integrators import check_method
from brainmass.dynamics.node import NeuralMassDynamics

__all__ = ["HORNStep"]


class HORNStep(NeuralMassDynamics):
    r"""HORN: damped harmonic oscillators, driven through a saturating nonlinearity; time in ms.

    .. math::
        \dot x &= y \\
        \dot y &= \alpha \tanh(I + v x) - \omega^2 x - 2 \gamma y

    By default stepped by the symplectic Euler method, as in the paper: the new velocity moves the position. That is
    stable while :math:`\omega\,\Delta t < 2`.

    Reference: Effenberger, Carvalho, Dubinin, Singer 2025, Proc. Natl. Acad. Sci. 122:e2412830122; related Rusch,
    Mishra 2021, Int. Conf. Learning Representations (coRNN).
    """

    category = "phenomenological"
    use_case = "oscillating recurrent networks that learn tasks"
    questions = ("tasks",)
    output = "x"
    coupling_port = "inputs"

    alpha: Par = param(default=0.04, doc="excitability, per ms²")
    omega: Par = param(default=2 * math.pi / 28, doc="natural angular frequency, rad per ms", domain=nonnegative)
    gamma: Par = param(default=0.01, doc="damping, per ms", domain=nonnegative)
    v: Par = param(default=0.0, doc="feedback of the position on itself, inside the nonlinearity")
    x_init: Initializer = Constant(0.0)
    y_init: Initializer = Constant(0.0)
    method: str = option(default="symplectic_euler", check=check_method)

    x: HiddenState = state("position", start="x_init")
    y: HiddenState = state("velocity, per ms", start="y_init", port="inputs")

    def dx(self, x, y):
        return y / u.ms

    def dy(self, y, x, inp):
        p = self.p
        return (p.alpha * u.math.tanh(inp + p.v * x) - p.omega**2 * x - 2 * p.gamma * y) / u.ms
