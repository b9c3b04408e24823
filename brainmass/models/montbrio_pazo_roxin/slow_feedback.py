"""The exact mean field with a slow feedback of the rate: spike-frequency adaptation, or synaptic depression."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, Par, param, positive, state
from brainmass.dynamics.node import Preset
from brainmass.dynamics.regime import LargestStep
from brainmass.models.montbrio_pazo_roxin.step import MontbrioPazoRoxinStep

__all__ = ["MontbrioAdaptationStep", "MontbrioDepressionStep"]

_GAST = "Gast, Schmidt, Knösche 2020, Neural Comput. 32:1615"
_J = 15 * 2**0.5


class _SlowFeedback(Declared):
    """What the rate leaves behind: :math:`A`, that is `alpha` times the rate seen through an alpha function."""

    alpha: Par = param(default=10.0, doc="strength of the feedback")
    tau_A: Par = param(default=10.0 * u.ms, doc="time constant of the feedback", domain=positive)
    init_A: Initializer = Constant(0.0)
    init_B: Initializer = Constant(0.0)

    A: HiddenState = state("slow feedback")
    B: HiddenState = state("rate of change of the slow feedback, in units of tau_A")

    def dA(self, A, B):
        return B / self.p.tau_A

    def dB(self, B, A, r):
        p = self.p
        return (p.alpha * u.maybe_decimal(p.tau * r) - A - 2 * B) / p.tau_A


class MontbrioAdaptationStep(MontbrioPazoRoxinStep, _SlowFeedback):
    r"""Montbrió–Pazó–Roxin with spike-frequency adaptation: bursts of the whole population.

    .. math::
        \dot r &= \frac{\delta}{\pi\tau} + \frac{2 r v + I_r}{\tau} \\
        \tau\dot v &= v^2 + \bar\eta + J\tau r - A - (\pi\tau r)^2 + I_v \\
        \tau_A\dot A &= B, \qquad \tau_A\dot B = \alpha\tau r - A - 2B

    The rest is as in `MontbrioPazoRoxinStep`. At rest :math:`A = \alpha\tau r`.

    Reference: Gast, Schmidt, Knösche 2020, Neural Comput. 32:1615.
    """

    use_case = "exact mean field of QIF neurons that tire; population bursts, up and down states"
    questions = ("neurons", "up and down")
    largest_step = LargestStep(of={"tau": 0.02, "tau_A": 0.1})
    presets = {
        "bursting": Preset(
            "bursts; rest is unstable between Hopf points at eta = -4.0398 and -0.5341",
            _GAST,
            {"delta": 2.0, "J": _J, "eta": -2.0, "alpha": 10.0, "tau_A": 10 * u.ms},
        ),
    }

    def dv(self, v, r, A, v_ext):  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().dv(v, r, v_ext - A)


class MontbrioDepressionStep(MontbrioPazoRoxinStep, _SlowFeedback):
    r"""Montbrió–Pazó–Roxin whose recurrent synapses tire with the rate (short-term depression).

    .. math::
        \dot r &= \frac{\delta}{\pi\tau} + \frac{2 r v + I_r}{\tau} \\
        \tau\dot v &= v^2 + \bar\eta + J\tau r (1 - A) - (\pi\tau r)^2 + I_v \\
        \tau_A\dot A &= B, \qquad \tau_A\dot B = \alpha\tau r - A - 2B

    The rest is as in `MontbrioPazoRoxinStep`. At :math:`A > 1` the synapses would inhibit.

    Reference: Gast, Schmidt, Knösche 2020, Neural Comput. 32:1615.
    """

    use_case = "exact mean field of QIF neurons with synapses that tire; population bursts"
    questions = ("neurons",)
    largest_step = LargestStep(of={"tau": 0.02, "tau_A": 0.1})
    presets = {
        "bursting": Preset(
            "bursts; rest is unstable between Hopf points at eta = -5.659 and -5.019",
            _GAST,
            {"delta": 2.0, "J": _J, "eta": -5.3, "alpha": 0.5, "tau_A": 10 * u.ms},
        ),
    }

    alpha: Par = param(default=0.5, doc="strength of the depression")

    def dv(self, v, r, A, v_ext):  # pyright: ignore[reportIncompatibleMethodOverride]
        p = self.p
        return super().dv(v, r, v_ext - p.J * u.maybe_decimal(p.tau * r) * A)
