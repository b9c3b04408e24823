"""A rate whose recurrent synapses tire and facilitate."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant, Uniform

from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state, unit_interval
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep

__all__ = ["TsodyksMarkramStep"]

_CORTES = "Cortes et al. 2013, PNAS 110:16610"


class TsodyksMarkramStep(NeuralMassDynamics):
    r"""Excitatory population with short-term depression and facilitation of its recurrent synapses.

    .. math::
        \tau\dot E &= -E + \alpha \ln\left(1 + e^{(J u x E + E_0 + I)/\alpha}\right) \\
        \dot x &= \frac{1 - x}{\tau_D} - u x E \\
        \dot u &= \frac{U - u}{\tau_F} + U (1 - u) E

    :math:`x` is the share of the transmitter that is there, :math:`u` the share of this that a spike releases. Rest
    ends in a fold; active states are unstable between two Hopf points, and there the population bursts.
    `TsodyksMarkram` is the same plasticity for the connections of any model.

    Reference: Tsodyks, Pawelzik, Markram 1998, Neural Comput. 10:821; Mongillo, Barak, Tsodyks 2008, Science 319:1543;
    parameters of Cortes et al. 2013, PNAS 110:16610.
    """

    category = "physiological"
    use_case = "population bursts and working memory by short-term plasticity"
    questions = ("up and down",)
    largest_step = LargestStep(of={"tau": 0.1})
    presets = {
        "bursting": Preset(
            "bursts; rest ends in a fold at E0 = -1.463 Hz, and activity is stable from -1.151 Hz on",
            _CORTES,
            {"E0": -1.3 * u.Hz},
        )
    }

    tau: Par = param(default=13.0 * u.ms, doc="time constant of the rate", domain=positive)
    tau_D: Par = param(default=200.0 * u.ms, doc="time constant of recovery from depression", domain=positive)
    tau_F: Par = param(default=1500.0 * u.ms, doc="time constant of facilitation", domain=positive)
    U: Par = param(default=0.3, doc="release at rest", domain=unit_interval)
    J: Par = param(default=3.07, doc="recurrent strength")
    alpha: Par = param(default=1.5 * u.Hz, doc="width of the threshold", domain=positive)
    E0: Par = param(default=-2.0 * u.Hz, doc="input that is always there")
    init_E: Initializer = Uniform(0.0, 0.5)
    init_x: Initializer = Constant(1.0)
    init_u: Initializer = Constant(0.3)
    noise_E: Noise | None = None

    E: HiddenState = state("firing rate", unit=u.Hz, port="E_inp", domain=nonnegative)
    x: HiddenState = state("transmitter that is there", domain=unit_interval)
    u: HiddenState = state("share of it that a spike releases", domain=unit_interval)

    def dE(self, E, x, u, E_inp):
        p = self.p
        return (-E + p.alpha * softplus((p.J * u * x * E + p.E0 + E_inp) / p.alpha)) / p.tau

    def dx(self, x, u, E):
        return (1 - x) / self.p.tau_D - u * x * E

    def du(self, u, E):
        p = self.p
        return (p.U - u) / p.tau_F + p.U * (1 - u) * E


def softplus(x):
    """ln(1 + exp(x)), of what has no unit."""
    return u.math.logaddexp(u.maybe_decimal(x), 0.0)
