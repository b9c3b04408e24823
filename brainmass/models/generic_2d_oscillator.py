"""A planar oscillator with polynomial nullclines."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.fields import Initializer, Par, param, positive, state
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep

__all__ = ["Generic2dOscillatorStep"]

SANZ_LEON = "Sanz-Leon, Knock, Spiegler, Jirsa 2015, NeuroImage 111:385"


class Generic2dOscillatorStep(NeuralMassDynamics):
    r"""Generic two-dimensional oscillator: a cubic and a quadratic nullcline of free shape; time in ms.

    .. math::
        \dot V &= d\,\tau\,(-f V^3 + e V^2 + g V + \alpha W + \gamma I + \gamma I_V) \\
        \dot W &= \frac{d}{\tau}\,(a + b V + c V^2 - \beta W)

    Noise adds to the derivatives (per ms), not scaled by :math:`d\,\tau` and :math:`\gamma`.

    Reference: Sanz-Leon, Knock, Spiegler, Jirsa 2015, NeuroImage 111:385; after FitzHugh 1961, Biophys. J. 1:445.
    """

    category = "phenomenological"
    use_case = "excitable, bistable and oscillating regimes in one plane"
    questions = ("chaos", "synchrony")
    output = "V"
    coupling_port = "V_inp"
    largest_step = LargestStep(over={"d": 0.02, "tau": 1.0})
    presets = {
        "excitable": Preset(
            "one stable focus; oscillates at a = 2", SANZ_LEON, {"a": -2.0, "b": -10.0, "c": 0.0, "d": 0.02}
        ),
        "bistable": Preset("a stable node beside a limit cycle", SANZ_LEON, {"a": 1.0, "b": 0.0, "c": -5.0, "d": 0.02}),
        "morris_lecar": Preset(
            "excitable through a saddle, as the Morris-Lecar model",
            SANZ_LEON,
            {"a": 0.5, "b": 0.6, "c": -4.0, "d": 0.02},
        ),
    }

    a: Par = param(default=-2.0, doc="constant term of the nullcline of W")
    b: Par = param(default=-10.0, doc="linear term of the nullcline of W")
    c: Par = param(default=0.0, doc="quadratic term of the nullcline of W")
    d: Par = param(default=0.02, doc="speed of both variables, per ms", domain=positive)
    e: Par = param(default=3.0, doc="quadratic term of the nullcline of V")
    f: Par = param(default=1.0, doc="cubic term of the nullcline of V", domain=positive)
    g: Par = param(default=0.0, doc="linear term of the nullcline of V")
    alpha: Par = param(default=1.0, doc="strength of W in the equation of V")
    beta: Par = param(default=1.0, doc="decay of W")
    gamma: Par = param(default=1.0, doc="strength of current and network input")
    I: Par = param(default=0.0, doc="constant current into V")  # noqa: E741
    tau: Par = param(default=1.0, doc="separation of time scales", domain=positive)
    init_V: Initializer = Constant(0.0)
    init_W: Initializer = Constant(0.0)
    noise_V: Noise | None = None
    noise_W: Noise | None = None

    V: HiddenState = state("fast variable", port="V_inp", add="add_V")
    W: HiddenState = state("slow variable", add="add_W")

    def dV(self, V, W, V_inp, add=0.0):
        p = self.p
        cubic = -p.f * V**3 + p.e * V**2 + p.g * V
        return (p.d * p.tau * (cubic + p.alpha * W + p.gamma * (p.I + V_inp)) + add) / u.ms

    def dW(self, W, V, add=0.0):
        p = self.p
        return (p.d / p.tau * (p.a + p.b * V + p.c * V**2 - p.beta * W) + add) / u.ms
