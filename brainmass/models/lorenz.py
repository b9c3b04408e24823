"""The Lorenz system."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.fields import Initializer, Par, param, positive, state
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep

__all__ = ["LorenzStep"]


class LorenzStep(NeuralMassDynamics):
    r"""Lorenz's three equations of convection, chaotic at their defaults; time in ms.

    .. math::
        \dot x &= \sigma (y - x) + I \\
        \dot y &= x (\rho - z) - y \\
        \dot z &= x y - \beta z

    Reference: Lorenz 1963, J. Atmos. Sci. 20:130.
    """

    category = "phenomenological"
    use_case = "chaos; checks of integrators and of Lyapunov exponents"
    questions = ("chaos",)
    output = "x"
    coupling_port = "x_inp"
    largest_step = LargestStep(0.01 * u.ms)
    presets = {
        "chaotic": Preset(
            "the strange attractor", "Lorenz 1963, J. Atmos. Sci. 20:130", {"sigma": 10.0, "rho": 28.0, "beta": 8 / 3}
        )
    }

    sigma: Par = param(default=10.0, doc="Prandtl number, per ms", domain=positive)
    rho: Par = param(default=28.0, doc="Rayleigh number relative to the onset of convection")
    beta: Par = param(default=8 / 3, doc="aspect ratio of the convection cell, per ms", domain=positive)
    init_x: Initializer = Constant(1.0)
    init_y: Initializer = Constant(1.0)
    init_z: Initializer = Constant(1.0)
    noise_x: Noise | None = None

    x: HiddenState = state("intensity of convection", port="x_inp")
    y: HiddenState = state("temperature difference between the currents")
    z: HiddenState = state("deviation of the temperature profile from linear")

    def dx(self, x, y, x_inp):
        return (self.p.sigma * (y - x) + x_inp) / u.ms

    def dy(self, y, x, z):
        return (x * (self.p.rho - z) - y) / u.ms

    def dz(self, z, x, y):
        return (x * y - self.p.beta * z) / u.ms
