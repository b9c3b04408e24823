"""The FitzHugh–Nagumo model."""

from __future__ import annotations

from typing import Any

import brainunit as u
from brainstate import HiddenState
from brainstate.nn import Param
from braintools.init import Uniform

from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Initializer, Par, param, positive, spelling, state
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep

__all__ = ["FitzHughNagumoStep"]


class FitzHughNagumoStep(NeuralMassDynamics):
    r"""FitzHugh–Nagumo: excitability and spikes in two variables; time in ms.

    .. math::
        \dot V &= -\alpha V^3 + \beta V^2 + \gamma V - w + I_V \\
        \tau\dot w &= V - \delta - \varepsilon w + \tau I_w

    `a` and `b` write FitzHugh's own equations, :math:`\dot V = V - V^3/3 - w + I`, :math:`\tau\dot w = V + a - b w`,
    that is `alpha=1/3, beta=0, gamma=1, delta=-a, epsilon=b`; of the two, the one not given is 0.7 or 0.8.

    Reference: FitzHugh 1961, Biophys. J. 1:445; Kostova, Ravindran, Schonbek 2004, Int. J. Bifurcat. Chaos 14:913.
    """

    category = "phenomenological"
    use_case = "excitability; spikes and spreading activity"
    questions = ("chaos", "synchrony")
    output = "V"
    coupling_port = "V_inp"
    largest_step = LargestStep(0.2 * u.ms, of={"tau": 0.1})
    other_inputs = {"inp": "V_inp"}
    presets = {
        "classic": Preset(
            "rests without input, oscillates at inputs from about 0.33 to 1.42",
            "a and b: FitzHugh 1961, Biophys. J. 1:445; tau: Izhikevich, FitzHugh 2006, Scholarpedia 1(9):1349",
            {"a": 0.7, "b": 0.8, "tau": 12.5 * u.ms},
            {"V_inp": 0.5},
        )
    }

    alpha: Par = param(default=3.0, doc="cubic term", domain=positive)
    beta: Par = param(default=4.0, doc="quadratic term")
    gamma: Par = param(default=-1.5, doc="linear term")
    delta: Par = param(default=0.0, doc="value of V at which the nullcline of w crosses zero")
    epsilon: Par = param(default=0.5, doc="decay of the recovery variable")
    tau: Par = param(default=20.0 * u.ms, doc="time constant of the recovery variable", domain=positive)
    a: Any = spelling("minus `delta`, in FitzHugh's own equations", of="delta", default=None)
    b: Any = spelling("`epsilon`, in FitzHugh's own equations", of="epsilon", default=None)
    noise_V: Noise | None = None
    noise_w: Noise | None = None
    init_V: Initializer = Uniform(0.0, 0.05)
    init_w: Initializer = Uniform(0.0, 0.05)

    V: HiddenState = state("fast variable, as the membrane potential", port="V_inp")
    w: HiddenState = state("recovery variable", port="w_inp")

    def dV(self, V, w, inp):
        p = self.p
        return (-p.alpha * V**3 + p.beta * V**2 + p.gamma * V - w + inp) / u.ms

    def dw(self, w, V, inp=0.0):
        p = self.p
        return (V - p.delta - p.epsilon * w) / p.tau + inp / u.ms

    @classmethod
    def translate(cls, given: dict[str, object]) -> dict[str, Any]:
        classic = {name: given.pop(name) for name in ("a", "b") if name in given}
        if not classic:
            return given
        if mixed := [name for name in ("alpha", "beta", "gamma", "delta", "epsilon") if name in given]:
            raise ValueError(
                f"{cls.__name__} takes `a` and `b`, or `alpha` to `epsilon`, but was given {', '.join(classic)} and "
                f"{', '.join(mixed)}. Example: alpha=1/3, beta=0., gamma=1., delta=-0.7, epsilon=0.8 for a=0.7, b=0.8."
            )
        a, b = classic.get("a", 0.7), classic.get("b", 0.8)
        return given | {"alpha": 1 / 3, "beta": 0.0, "gamma": 1.0, "delta": _minus(a), "epsilon": b}


def _minus(a: Numbers) -> Numbers:
    if isinstance(a, Param):
        raise argument_error(
            Argument("a", "FitzHughNagumoStep"),
            "must not be a brainstate Param: fit `delta`, which is -a",
            kind=TypeError,
        )
    return -a
