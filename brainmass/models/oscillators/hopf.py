"""The Hopf normal form, and the Stuart–Landau oscillator."""

from __future__ import annotations

from typing import ClassVar

import brainunit as u
from braintools.init import Constant, Uniform

from brainmass.dynamics.fields import Initializer, Par, nonnegative, param
from brainmass.dynamics.regime import LargestStep
from brainmass.models.oscillators.base import XY_Oscillator

__all__ = ["HopfStep", "StuartLandauStep"]


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
    questions = ("rest", "synchrony")
    largest_step = LargestStep(over={"w": 0.28})

    a: Par = param(default=0.25, doc="bifurcation parameter, per ms")
    w: Par = param(default=0.2, doc="angular frequency, rad per ms")
    beta: Par = param(default=1.0, doc="cubic saturation, per ms; 0: none", domain=nonnegative)
    init_y: Initializer = Constant(0.0)

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
    questions = ("synchrony",)

    beta: ClassVar[None] = None  # no parameter here  # pyright: ignore[reportIncompatibleVariableOverride]
    init_y: Initializer = Uniform(0.0, 0.05)

    def _growth(self, x, y):
        return self.p.a - (x**2 + y**2)
