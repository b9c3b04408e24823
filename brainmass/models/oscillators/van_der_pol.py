"""Van der Pol's relaxation oscillator."""

from __future__ import annotations

import brainunit as u

from brainmass.dynamics.fields import Par, param, positive
from brainmass.dynamics.regime import LargestStep
from brainmass.models.oscillators.base import XY_Oscillator

__all__ = ["VanDerPolStep"]


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
    questions = ("synchrony",)
    largest_step = LargestStep(0.2 * u.ms, over={"mu": 0.2})

    mu: Par = param(default=1.0, doc="strength of the nonlinear damping", domain=positive)

    def dx(self, x, y, inp):  # pyright: ignore[reportIncompatibleMethodOverride]
        return (self.p.mu * (x - x**3 / 3 - y) + inp) / u.ms

    def dy(self, y, x, inp=0.0):  # pyright: ignore[reportIncompatibleMethodOverride]
        return (x / self.p.mu + inp) / u.ms
