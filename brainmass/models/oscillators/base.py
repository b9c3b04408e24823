"""Planar oscillators in the coordinates (x, y)."""

from __future__ import annotations

from abc import abstractmethod

from brainstate import HiddenState
from braintools.init import Uniform

from brainmass.dynamics.catalogue import catalogued
from brainmass.dynamics.fields import Initializer, state
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise

__all__ = ["XY_Oscillator"]


@catalogued
class XY_Oscillator(NeuralMassDynamics):
    r"""Base of the planar oscillators: two states :math:`x, y` with one input each; time in ms.

    A subclass writes `dx(x, y, x_ext)` and `dy(y, x, y_ext)`. `update` returns the pair `(x, y)`.

    Reference: Strogatz 2015, Nonlinear Dynamics and Chaos, 2nd edition, chapters 6 to 8.
    """

    category = "phenomenological"
    use_case = "base of planar oscillators of your own"
    questions = ("chaos",)
    output = ("x", "y")
    coupling_port = "x_inp"

    noise_x: Noise | None = None
    noise_y: Noise | None = None
    init_x: Initializer = Uniform(0.0, 0.05)
    init_y: Initializer = Uniform(0.0, 0.05)

    x: HiddenState = state("first coordinate", port="x_inp")
    y: HiddenState = state("second coordinate", port="y_inp")

    @abstractmethod
    def dx(self, x, y, x_ext): ...

    @abstractmethod
    def dy(self, y, x, y_ext): ...
