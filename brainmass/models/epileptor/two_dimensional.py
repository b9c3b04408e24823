"""The Epileptor on the slow time scale: two states."""

from __future__ import annotations

import brainunit as u
import jax
import jax.numpy as jnp
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.fields import Initializer, Par, param, positive, state, unit_interval
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep

__all__ = ["Epileptor2DStep"]


class Epileptor2DStep(NeuralMassDynamics):
    r"""Epileptor reduced to its slow time scale: the envelope of seizures, as in the virtual epileptic patient.

    .. math::
        \dot x_1 &= c - d x_1^2 - z + I_{ext} + K_{vf} c_1 + f_1 x_1, &
        f_1 &= \begin{cases} b x_1 - a x_1^2 & x_1 < 0 \\ s + 0.6\,(z - 4)^2 & x_1 \ge 0 \end{cases} \\
        \dot z &= r\,(h - z + K_s c_1), &
        h &= \begin{cases} 4 (x_1 - x_0) - 0.1 z^7 & z < 0 \\ 4 (x_1 - x_0) & z \ge 0 \end{cases}

    with :math:`s` = `slope` and the input :math:`c_1`. It is `EpileptorStep` without its second ensemble, and with
    :math:`y_1` where it settles. `tt` multiplies both right-hand sides. Dimensionless, time in ms. `modification` moves
    :math:`h` from the above to :math:`x_0 + 3/(1 + e^{-(x_1 + 0.5)/0.1})`. With the other defaults a region seizes by
    itself for :math:`x_0 > -2.06`, and with `modification = 1` for :math:`x_0` from 1.12 to 2.91. Its coupling is that
    of `EpileptorStep`: diffusive, of strength `Ks = -K`.

    Reference: Proix et al. 2014, J. Neurosci. 34:15009.
    """

    category = "physiological"
    use_case = "spread of seizures in a patient's brain, at their onset and offset times"
    questions = ("seizures",)
    output = "x1"
    coupling_port = "x1_inp"
    largest_step = LargestStep(over={"tt": 0.2})

    a: Par = param(default=1.0, doc="cubic coefficient of x1")
    b: Par = param(default=3.0, doc="quadratic coefficient of x1")
    c: Par = param(default=1.0, doc="constant drive of x1")
    d: Par = param(default=5.0, doc="quadratic coefficient of x1 of the recovery that has settled")
    r: Par = param(default=0.00035, doc="rate of the permittivity", domain=positive)
    x0: Par = param(default=-1.6, doc="epileptogenicity")
    Iext: Par = param(default=3.1, doc="external input")
    slope: Par = param(default=0.0, doc="linear coefficient of x1 above zero")
    Kvf: Par = param(default=0.0, doc="coupling to x1")
    Ks: Par = param(default=0.0, doc="coupling to the permittivity")
    tt: Par = param(default=1.0, doc="factor on time", domain=positive)
    modification: Par = param(default=0.0, doc="share of the sigmoidal drive of z", domain=unit_interval)
    init_x1: Initializer = Constant(-1.5)
    init_z: Initializer = Constant(3.5)
    noise_x1: Noise | None = None
    noise_z: Noise | None = None

    x1: HiddenState = state("envelope of the first ensemble", port="x1_inp", add="add1")
    z: HiddenState = state("slow permittivity variable", port="z_inp")

    presets = {
        "epileptogenic": Preset(
            "seizes by itself, x0 = -1.6", "Proix et al. 2014, J. Neurosci. 34:15009", {"x0": -1.6}
        ),
    }

    def dx1(self, x1, z, x1_inp, add=0.0):
        p = self.p
        f1 = jnp.where(x1 < 0, p.b * x1 - p.a * x1**2, p.slope + 0.6 * (z - 4) ** 2)
        return (p.tt * (p.c - p.d * x1**2 - z + p.Iext + p.Kvf * x1_inp + f1 * x1) + add) / u.ms

    def dz(self, z, x1, x1_inp, z_inp):
        p = self.p
        sigmoidal = p.x0 + 3 * jax.nn.sigmoid((x1 + 0.5) / 0.1)
        linear = 4 * (x1 - p.x0) - 0.1 * jnp.minimum(z, 0.0) ** 7
        h = p.modification * sigmoidal + (1 - p.modification) * linear
        return (p.tt * p.r * (h - z + p.Ks * x1_inp) + z_inp) / u.ms
