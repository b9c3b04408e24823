"""Bursters whose path through the unfolding moves: ultra-slow transitions between classes of seizures."""

from __future__ import annotations

import brainunit as u

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, param, positive, unit_interval
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.regime import LargestStep
from brainmass.models.epileptor.bursters import Bursters, Drift
from brainmass.models.epileptor.unfolding import Point, on_arc, point

__all__ = ["EpileptorCodim3SlowModStep"]


class EpileptorCodim3SlowModStep(Bursters, Drift, NeuralMassDynamics):
    r"""Burster whose path through the unfolding moves: its seizures change their class over hours and days.

    `EpileptorCodim3Step` whose points of offset, :math:`A`, and of onset, :math:`B`, move along great circles of
    their own,

    .. math::
        A &= R\,(G \cos u_A + H \sin u_A), & \dot u_A &= c_A \\
        B &= R\,(L \cos u_B + M \sin u_B), & \dot u_B &= c_B

    from the points `Ain`, `Bin` at :math:`u = 0` through `Aend`, `Bend`. The angles :math:`u_A, u_B` stay between
    :math:`-\pi` and :math:`\pi`. Dimensionless, time in ms.

    Reference: Saggio et al. 2017, J. Math. Neurosci. 7:7.
    """

    category = "phenomenological"
    use_case = "ultra-slow transitions between classes of seizures"
    questions = ("seizures",)
    output = "x"
    coupling_port = "x_inp"
    largest_step = LargestStep(0.2 * u.ms)

    mu1_Ain: Par = param(default=0.05494, doc="mu1 at the offset of seizures, at first")
    mu2_Ain: Par = param(default=0.2731, doc="mu2 at the offset of seizures, at first")
    nu_Ain: Par = param(default=0.287, doc="nu at the offset of seizures, at first")
    mu1_Bin: Par = param(default=-0.0461, doc="mu1 at the onset of seizures, at first")
    mu2_Bin: Par = param(default=0.243, doc="mu2 at the onset of seizures, at first")
    nu_Bin: Par = param(default=0.3144, doc="nu at the onset of seizures, at first")
    mu1_Aend: Par = param(default=0.06485, doc="mu1 that the offset moves to")
    mu2_Aend: Par = param(default=0.07337, doc="mu2 that the offset moves to")
    nu_Aend: Par = param(default=-0.3878, doc="nu that the offset moves to")
    mu1_Bend: Par = param(default=0.03676, doc="mu1 that the onset moves to")
    mu2_Bend: Par = param(default=-0.02792, doc="mu2 that the onset moves to")
    nu_Bend: Par = param(default=-0.3973, doc="nu that the onset moves to")
    b: Par = param(default=1.0, doc="kind of the singularity; 1: focus")
    R: Par = param(default=0.4, doc="radius of the sphere", domain=positive)
    c: Par = param(default=0.002, doc="rate of the slow variable", domain=positive)
    cA: Par = param(default=0.0001, doc="rate at which the offset moves")
    cB: Par = param(default=0.00012, doc="rate at which the onset moves")
    dstar: Par = param(default=0.3, doc="distance from rest at which the slow variable turns")
    Ks: Par = param(default=0.0, doc="coupling to the slow variable")
    modification: Par = param(default=1.0, doc="share of what holds the slow variable back", domain=unit_interval)

    def dx(self, x, y, z, uA, uB, add=0.0):
        return self._fast(x, y, self._at(z, uA, uB))[0] + add / u.ms

    def dy(self, y, x, z, uA, uB, y_inp):
        return self._fast(x, y, self._at(z, uA, uB))[1] + y_inp / u.ms

    def dz(self, z, x, y, uA, uB, x_inp, z_inp):
        return self._slow(x, y, z, self._at(z, uA, uB), x_inp, z_inp)

    def _at(self, z: Numbers, uA: Numbers, uB: Numbers) -> Point:
        p = self.p
        first = point(p.mu1_Ain, p.mu2_Ain, p.nu_Ain), point(p.mu1_Aend, p.mu2_Aend, p.nu_Aend)
        last = point(p.mu1_Bin, p.mu2_Bin, p.nu_Bin), point(p.mu1_Bend, p.mu2_Bend, p.nu_Bend)
        return on_arc(on_arc(*first, uA, p.R), on_arc(*last, uB, p.R), z, p.R)
