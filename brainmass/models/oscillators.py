"""Planar oscillators in the coordinates (x, y)."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import brainunit as u
from brainstate import HiddenState
from braintools.init import Uniform

from brainmass.dynamics.base import NeuralMassDynamics, catalogued
from brainmass.dynamics.fields import Initializer, Par, param, positive, state
from brainmass.noise import Noise

__all__ = ["HopfStep", "StuartLandauStep", "VanDerPolStep", "XY_Oscillator"]


@catalogued
class XY_Oscillator(NeuralMassDynamics):
    r"""Base of the planar oscillators: two states :math:`x, y` with one input each; time in ms.

    A subclass writes `dx(x, y, x_ext)` and `dy(y, x, y_ext)`. `update` returns the pair `(x, y)`.

    Reference: Strogatz 2015, Nonlinear Dynamics and Chaos, 2nd edition, chapters 6 to 8.
    """

    category = "phenomenological"
    use_case = "base of planar oscillators of your own"
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


class HopfStep(XY_Oscillator):
    r"""Normal form of the Hopf bifurcation; time in ms.

    .. math::
        \dot x &= (a - \beta (x^2 + y^2))\, x - \omega y + I_x \\
        \dot y &= (a - \beta (x^2 + y^2))\, y + \omega x + I_y

    For `a > 0` a limit cycle of radius :math:`\sqrt{a/\beta}` and angular frequency `w`; for `a < 0` damped
    oscillations around the origin.

    Reference: Deco, Kringelbach, Jirsa, Ritter 2017, Sci. Rep. 7:3095 (as a whole-brain model).
    """

    use_case = "onset of oscillations; resting-state fluctuations near criticality"

    a: Par = param(default=0.25, doc="bifurcation parameter, per ms")
    w: Par = param(default=0.2, doc="angular frequency, rad per ms")
    beta: Par = param(default=1.0, doc="cubic saturation, per ms", domain=positive)

    def dx(self, x, y, x_ext):
        return (self._growth(x, y) * x - self.p.w * y + x_ext) / u.ms

    def dy(self, y, x, y_ext):
        return (self._growth(x, y) * y + self.p.w * x + y_ext) / u.ms

    def _growth(self, x, y):
        return self.p.a - self.p.beta * (x**2 + y**2)


class StuartLandauStep(HopfStep):
    r"""Stuart–Landau oscillator: the normal form of the Hopf bifurcation with a saturation of one; time in ms.

    .. math::
        \dot z = (a + i\omega)\, z - |z|^2 z + I, \qquad z = x + i y

    Reference: Landau 1944, Dokl. Akad. Nauk SSSR 44:339; Stuart 1960, J. Fluid Mech. 9:353.
    """

    use_case = "amplitude and phase of weakly nonlinear oscillations"

    beta: ClassVar[None] = None  # no parameter here

    def _growth(self, x, y):
        return self.p.a - (x**2 + y**2)


class VanDerPolStep(XY_Oscillator):
    r"""Van der Pol's relaxation oscillator in Liénard's coordinates; time in ms.

    .. math::
        \dot x &= \mu\,(x - x^3/3 - y) + I_x \\
        \dot y &= x/\mu + I_y

    Without input :math:`\ddot x - \mu (1 - x^2)\,\dot x + x = 0`, of amplitude near 2; :math:`y` is
    :math:`x - x^3/3 - \dot x/\mu`, not the velocity. The period goes from :math:`2\pi` (small `mu`) to
    :math:`(3 - 2\ln 2)\,\mu` (large `mu`).

    Reference: van der Pol 1926, Phil. Mag. 2:978.
    """

    use_case = "from harmonic to relaxation oscillations"

    mu: Par = param(default=1.0, doc="strength of the nonlinear damping", domain=positive)

    def dx(self, x, y, inp):
        return (self.p.mu * (x - x**3 / 3 - y) + inp) / u.ms

    def dy(self, y, x, inp=0.0):
        return (x / self.p.mu + inp) / u.ms
