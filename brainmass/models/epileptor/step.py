"""The Epileptor: seizures that start and end by themselves."""

from __future__ import annotations

import brainunit as u
import jax
import jax.numpy as jnp

from brainmass.dynamics.fields import Par, option, param, positive, unit_interval
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.regime import LargestStep
from brainmass.models.epileptor.ensembles import Ensembles

__all__ = ["EpileptorStep"]


class EpileptorStep(Ensembles, NeuralMassDynamics):
    r"""Epileptor: fast discharges and spike-and-wave events, switched on and off by a slow permittivity.

    .. math::
        \dot x_1 &= y_1 - z + I_{ext} + K_{vf} c_1 + f_1 x_1, &
        f_1 &= \begin{cases} b x_1 - a x_1^2 & x_1 < 0 \\ s - x_2 + 0.6\,(z - 4)^2 & x_1 \ge 0 \end{cases} \\
        \dot y_1 &= c - d x_1^2 - y_1 \\
        \dot z &= r\,(h - z + K_s c_1), &
        h &= \begin{cases} 4 (x_1 - x_0) - 0.1 z^7 & z < 0 \\ 4 (x_1 - x_0) & z \ge 0 \end{cases} \\
        \dot x_2 &= -y_2 + x_2 - x_2^3 + I_{ext2} + b_b g - 0.3 (z - 3.5) + K_f c_2 \\
        \dot y_2 &= (f_2 - y_2)/\tau, & f_2 &= a_a \max(0, x_2 + 0.25) \\
        \dot g &= -0.01\,(g - 0.1 x_1)

    with :math:`s` = `slope` and the inputs :math:`c_1, c_2`; `tt` multiplies all right-hand sides; noise is added to
    those of :math:`x_1, x_2`. Dimensionless, time in ms. `modification` moves :math:`h` from the above
    to :math:`x_0 + 3/(1 + e^{-(x_1 + 0.5)/0.1})`. With the other defaults a region seizes
    for :math:`x_0 > -2.06`.

    In a network with diffusive coupling of `x1` the papers' permittivity coupling of strength :math:`K` is
    `Ks = -K`: a seizing neighbour lowers :math:`z`.

    Reference: Jirsa et al. 2014, Brain 137:2210; Proix et al. 2014, J. Neurosci. 34:15009 (coupling).
    """

    category = "physiological"
    use_case = "onset, offset and spread of epileptic seizures"
    questions = ("seizures",)
    output = "lfp"
    coupling_port = "x1_inp"
    largest_step = LargestStep(over={"tt": 0.1})

    a: Par = param(default=1.0, doc="cubic coefficient of x1")
    b: Par = param(default=3.0, doc="quadratic coefficient of x1")
    c: Par = param(default=1.0, doc="drive of y1")
    d: Par = param(default=5.0, doc="quadratic coefficient of x1 in y1")
    r: Par = param(default=0.00035, doc="rate of the permittivity", domain=positive)
    x0: Par = param(default=-1.6, doc="epileptogenicity")
    Iext: Par = param(default=3.1, doc="input to the first ensemble")
    slope: Par = param(default=0.0, doc="linear coefficient of x1 above zero")
    Iext2: Par = param(default=0.45, doc="input to the second ensemble")
    tau: Par = param(default=10.0, doc="time constant of y2", domain=positive)
    aa: Par = param(default=6.0, doc="linear coefficient of x2 in y2")
    bb: Par = param(default=2.0, doc="drive of the second ensemble by the first")
    Kvf: Par = param(default=0.0, doc="coupling to x1")
    Kf: Par = param(default=0.0, doc="coupling to x2")
    Ks: Par = param(default=0.0, doc="coupling to the permittivity")
    tt: Par = param(default=1.0, doc="factor on time", domain=positive)
    modification: Par = param(default=0.0, doc="share of the sigmoidal drive of z", domain=unit_interval)

    method: str = option(default="rk4")  # Heun's is unstable at 0.1 ms, where x1 is lowest

    presets = {
        "epileptogenic": Preset("seizes by itself, x0 = -1.6", "Jirsa et al. 2014, Brain 137:2210", {"x0": -1.6}),
    }

    def dx1(self, x1, y1, z, x2, x1_inp, add=0.0):
        p = self.p
        below = p.b * x1 - p.a * x1**2
        above = p.slope - x2 + 0.6 * (z - 4) ** 2
        f1 = jnp.where(x1 < 0, below, above)
        return (p.tt * (y1 - z + p.Iext + p.Kvf * x1_inp + f1 * x1) + add) / u.ms

    def dy1(self, y1, x1):
        p = self.p
        return p.tt * (p.c - p.d * x1**2 - y1) / u.ms

    def dz(self, z, x1, x1_inp):
        p = self.p
        sigmoidal = p.x0 + 3 * jax.nn.sigmoid((x1 + 0.5) / 0.1)
        linear = 4 * (x1 - p.x0) - 0.1 * jnp.minimum(z, 0.0) ** 7
        h = p.modification * sigmoidal + (1 - p.modification) * linear
        return p.tt * p.r * (h - z + p.Ks * x1_inp) / u.ms

    def dx2(self, x2, y2, z, g, x2_inp, add=0.0):
        p = self.p
        drift = -y2 + x2 - x2**3 + p.Iext2 + p.bb * g - 0.3 * (z - 3.5) + p.Kf * x2_inp
        return (p.tt * drift + add) / u.ms

    def dy2(self, y2, x2):
        p = self.p
        return p.tt * (p.aa * jnp.maximum(x2 + 0.25, 0.0) - y2) / p.tau / u.ms

    def dg(self, g, x1):
        return -0.01 * self.p.tt * (g - 0.1 * x1) / u.ms
