"""The exact mean field of quadratic integrate-and-fire neurons."""

from __future__ import annotations

from collections.abc import Mapping

import brainunit as u
from brainstate import HiddenState
from braintools.init import Uniform

from brainmass._common.typing import Array, Numbers
from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state
from brainmass.dynamics.node import Preset
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep
from brainmass.models.montbrio_pazo_roxin.voltage_scale import VoltageScale

__all__ = ["MontbrioPazoRoxinStep"]

pi = u.math.pi


class MontbrioPazoRoxinStep(VoltageScale):
    r"""Montbrió–Pazó–Roxin: exact mean field of all-to-all coupled quadratic integrate-and-fire neurons.

    .. math::
        \dot r &= \frac{\delta}{\pi\tau} + \frac{2 r v + I_r}{\tau} \\
        \tau\dot v &= v^2 + \bar\eta + J\tau r - (\pi\tau r)^2 + I_v

    In the paper's symbols :math:`\delta = \Delta/\tau`: the half-width of the excitabilities seen as a rate.
    A dimensionless `delta` is read as :math:`\Delta` itself. The paper's canonical set
    (:math:`\Delta=1, \tau=1` ms) is `delta = 1 / u.ms`. The model sends the dimensionless :math:`\tau r` into
    a network. A region alone under constant input comes to rest, often in damped oscillations: by Dulac's criterion
    with :math:`1/r^2` it has no limit cycle.

    With `v_rest` and `v_th` the neurons have a voltage scale,
    :math:`\tau\dot V = (V - V_{rest})(V - V_{th})/D + R I` with :math:`D = V_{th} - V_{rest}`, which is the same
    model at :math:`\bar\eta - 1/4` and :math:`I_v = R I/D`. Then `eta` and `delta` are centre and half-width of
    :math:`R I/D` over the neurons (default 0 and 1), `update(I_ext=...)` takes a current, and
    `membrane_potential()` is in mV. The default `J = 15` is that of the dimensionless model: choose your own.

    Reference: Montbrió, Pazó, Roxin 2015, Phys. Rev. X 5:021028.
    """

    use_case = "exact mean field of QIF (theta) neurons; bistability, damped oscillations"
    questions = ("neurons", "rest")
    output = "r"
    coupling_port = "v_inp"
    largest_step = LargestStep(of={"tau": 0.1})
    presets = {
        "bistable": Preset(
            "a quiet and an active state at once",
            "Montbrió, Pazó, Roxin 2015, Phys. Rev. X 5:021028, fig. 2",
            {"delta": 1 / u.ms, "eta": -5.0},
        ),
        "resting_state": Preset(
            "a node of a whole-brain network, bistable",
            "Rabuffo et al. 2021, eNeuro 8:ENEURO.0283-21.2021",
            {"delta": 0.7 / u.ms, "eta": -4.6, "J": 14.5},
        ),
    }

    tau: Par = param(default=1.0 * u.ms, doc="time constant of the population", domain=positive)
    eta: Par = param(default=-5.0, doc="mean excitability")
    delta: Par = param(
        default=1.0 * u.Hz,
        doc="half-width of the distribution of excitabilities",
        domain=positive,
        unit=(u.Hz, u.UNITLESS),
    )
    J: Par = param(default=15.0, doc="recurrent coupling strength")
    init_r: Initializer = Uniform(0.0 * u.Hz, 0.05 * u.Hz)  # pyright: ignore[reportArgumentType]
    init_v: Initializer = Uniform(0.0, 0.05)
    noise_r: Noise | None = None
    noise_v: Noise | None = None

    r: HiddenState = state("firing rate", unit=u.Hz, port="r_inp", domain=nonnegative)
    v: HiddenState = state("mean membrane potential", port="v_inp")

    def dr(self, r, v, r_ext):
        p = self.p
        delta = p.delta if u.get_unit(p.delta).has_same_dim(u.Hz) else p.delta / p.tau
        return delta / (pi * p.tau) + (2 * r * v + r_ext) / p.tau

    def dv(self, v, r, v_ext):
        p = self.p
        rho = u.maybe_decimal(p.tau * r)
        eta = p.eta if self.v_rest is None else p.eta - 0.25
        return (v**2 + eta + v_ext + p.J * rho - (pi * rho) ** 2) / p.tau

    def source(self, name: str, values: Mapping[str, Array]) -> Numbers:
        value = values[name]
        return u.maybe_decimal(self.p.tau * value) if name == "r" else value
