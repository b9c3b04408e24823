"""Bursters in the unfolding of a singularity of codimension 3: seizures by the bifurcations that begin and end them."""

from __future__ import annotations

import brainunit as u

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, param, positive, unit_interval
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.regime import LargestStep
from brainmass.models.epileptor.bursters import Bursters
from brainmass.models.epileptor.unfolding import Point, on_arc, point

__all__ = ["EpileptorCodim3Step"]


class EpileptorCodim3Step(Bursters, NeuralMassDynamics):
    r"""Burster on a path through the unfolding of a degenerate Takens–Bogdanov singularity.

    .. math::
        \dot x &= -y, \qquad \dot y = x^3 - \mu_2 x - \mu_1 - y\,(\nu + b x + x^2) + c_y \\
        \dot z &= -c \left(\sqrt{(x - x_s)^2 + y^2} - d^* + 0.1\,m\,(z - 0.5)^7 + K_s c_x\right) \\
        (\mu_2, -\mu_1, \nu) &= R\,(E \cos z + F \sin z)

    with the orthogonal unit vectors :math:`E, F` of the great circle from `start` (at :math:`z = 0`), where seizures
    end, to `stop`, where they begin; :math:`x_s` is the resting state, the root of :math:`x^3 - \mu_2 x - \mu_1` on
    branch `N` (where that has ended, its real part), :math:`m` = `modification`, :math:`d^*` = `dstar`. Away from rest
    by more than :math:`d^*`, :math:`z` falls, otherwise it rises. The bifurcations at both ends are the class of
    the burster. For :math:`d^* < 0` it does not seize by itself, and :math:`m = 1` keeps :math:`z` within bounds.
    Dimensionless, time in ms.

    Reference: Saggio et al. 2017, J. Math. Neurosci. 7:7; Saggio et al. 2020, eLife 9:e55632.
    """

    category = "phenomenological"
    use_case = "classes of seizures by the bifurcations at their onset and offset"
    questions = ("seizures",)
    output = "x"
    coupling_port = "x_inp"
    largest_step = LargestStep(0.2 * u.ms)
    presets = {
        "c2s": Preset(
            "seizures from a saddle-node to a saddle-homoclinic bifurcation, as those of the Epileptor",
            "Saggio et al. 2017, J. Math. Neurosci. 7:7",
            {"mu1_start": -0.02285, "mu2_start": 0.3448, "nu_start": 0.2014}
            | {"mu1_stop": -0.07465, "mu2_stop": 0.3351, "nu_stop": 0.2053},
        ),
    }

    mu1_start: Par = param(default=-0.02285, doc="mu1 at the offset of seizures")
    mu2_start: Par = param(default=0.3448, doc="mu2 at the offset of seizures")
    nu_start: Par = param(default=0.2014, doc="nu at the offset of seizures")
    mu1_stop: Par = param(default=-0.07465, doc="mu1 at the onset of seizures")
    mu2_stop: Par = param(default=0.3351, doc="mu2 at the onset of seizures")
    nu_stop: Par = param(default=0.2053, doc="nu at the onset of seizures")
    b: Par = param(default=1.0, doc="kind of the singularity; 1: focus")
    R: Par = param(default=0.4, doc="radius of the sphere", domain=positive)
    c: Par = param(default=0.001, doc="rate of the slow variable", domain=positive)
    dstar: Par = param(default=0.3, doc="distance from rest at which the slow variable turns")
    Ks: Par = param(default=0.0, doc="coupling to the slow variable")
    modification: Par = param(default=1.0, doc="share of what holds the slow variable back", domain=unit_interval)

    def dx(self, x, y, z, add=0.0):
        return self._fast(x, y, self._at(z))[0] + add / u.ms

    def dy(self, y, x, z, y_inp):
        return self._fast(x, y, self._at(z))[1] + y_inp / u.ms

    def dz(self, z, x, y, x_inp, z_inp):
        return self._slow(x, y, z, self._at(z), x_inp, z_inp)

    def _at(self, z: Numbers) -> Point:
        p = self.p
        start = point(p.mu1_start, p.mu2_start, p.nu_start)
        return on_arc(start, point(p.mu1_stop, p.mu2_stop, p.nu_stop), z, p.R)
