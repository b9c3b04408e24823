"""The Epileptor with a population at rest: seizures, and the fluctuations between them."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.typing import Numbers
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, Par, param, positive, state, unit_interval
from brainmass.dynamics.node import Preset
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep
from brainmass.models.epileptor.step import EpileptorStep

__all__ = ["EpileptorRestingStateStep", "RestingPopulation"]


class RestingPopulation(Declared):
    """The oscillator at rest: an excitable plane near a Hopf bifurcation."""

    tau_rs: Par = param(default=1.0, doc="time scale of the third population", domain=positive)
    I_rs: Par = param(default=0.0, doc="input to the third population")
    a_rs: Par = param(default=-2.0, doc="excitability of the third population")
    b_rs: Par = param(default=-10.0, doc="linear coefficient of x_rs in y_rs")
    d_rs: Par = param(default=0.02, doc="rate of the third population", domain=positive)
    e_rs: Par = param(default=3.0, doc="quadratic coefficient of x_rs")
    f_rs: Par = param(default=1.0, doc="cubic coefficient of x_rs")
    alpha_rs: Par = param(default=1.0, doc="feedback of y_rs on x_rs")
    beta_rs: Par = param(default=1.0, doc="decay of y_rs")
    gamma_rs: Par = param(default=1.0, doc="factor on the input of the third population")
    K_rs: Par = param(default=1.0, doc="coupling to x_rs")
    init_x_rs: Initializer = Constant(0.0)
    init_y_rs: Initializer = Constant(0.0)
    noise_x_rs: Noise | None = None
    noise_y_rs: Noise | None = None

    x_rs: HiddenState = state("fast variable at rest", port="x_rs_inp", add="add_x_rs")
    y_rs: HiddenState = state("recovery variable at rest", port="y_rs_inp")

    def dx_rs(self, x_rs, y_rs, x_rs_inp, add=0.0):
        p = self.p
        drive = p.alpha_rs * y_rs + p.gamma_rs * (p.I_rs + p.K_rs * x_rs_inp)
        return (p.d_rs * p.tau_rs * (p.e_rs * x_rs**2 - p.f_rs * x_rs**3 + drive) + add) / u.ms

    def dy_rs(self, y_rs, x_rs, y_rs_inp):
        p = self.p
        return (p.d_rs * (p.a_rs + p.b_rs * x_rs - p.beta_rs * y_rs) / p.tau_rs + y_rs_inp) / u.ms


class EpileptorRestingStateStep(EpileptorStep, RestingPopulation):
    r"""Epileptor with a third population that makes the rhythm of the resting state.

    To the six states of `EpileptorStep` it adds an oscillator near a Hopf bifurcation,

    .. math::
        \dot x_{rs} &= d_{rs} \tau_{rs} \left(e_{rs} x_{rs}^2 - f_{rs} x_{rs}^3 + \alpha_{rs} y_{rs}
            + \gamma_{rs} (I_{rs} + K_{rs} c_{rs})\right) \\
        \dot y_{rs} &= d_{rs}\,(a_{rs} + b_{rs} x_{rs} - \beta_{rs} y_{rs})/\tau_{rs}

    with its own input :math:`c_{rs}`. The two do not act on each other; a region shows
    :math:`p\,(x_2 - x_1) + (1 - p)\,x_{rs}` with :math:`p` = `share`, which says how epileptic it is. With
    the other defaults the third population oscillates for :math:`a_{rs}` from 1.74 to 14.26. `tt` is for the Epileptor
    alone. Dimensionless, time in ms.

    The default values of the third population are those of The Virtual Brain 2.10, which its authors gave it; the
    paper's table could not be had, so they are not checked against it. The range of :math:`a_{rs}` is computed.

    Reference: Courtiol et al. 2020, J. Neurosci. 40:5572.
    """

    use_case = "functional connectivity at rest of brains with epilepsy, and their seizures"
    questions = ("seizures", "rest")
    coupling_port = "x_rs_inp"
    largest_step = LargestStep(over={"tt": 0.1, "tau_rs": 2.0})

    share: Par = param(
        default=0.0, doc="share of the Epileptor in what a region shows", domain=unit_interval, in_derivative=False
    )

    presets = {
        "resting": Preset(
            "no seizures; the third population just below its Hopf bifurcation, where noise makes a rhythm near 10 Hz",
            "Courtiol et al. 2020, J. Neurosci. 40:5572; x0: Jirsa et al. 2017, NeuroImage 145:377",
            {"x0": -2.2, "a_rs": 1.74},
        ),
    }

    def lfp(self) -> Numbers:
        """What a contact nearby measures: the Epileptor's field and the rhythm at rest, by `share`."""
        present, share = self.state_values(), self.p.share
        return share * (present["x2"] - present["x1"]) + (1 - share) * present["x_rs"]
