"""The postsynaptic potentials of the cortical column of Jansen and Rit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.typing import Numbers
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, state
from brainmass.dynamics.noise import Noise
from brainmass.models.jansen_rit.firing_rates import Identity

__all__ = ["Potentials"]

mV_per_s: Any = u.mV / u.second


class Potentials(Declared):
    """Three potentials and their rates of change, and what becomes of the firing rates that drive them."""

    M_init: Initializer = Constant(0.0 * u.mV)  # pyright: ignore[reportArgumentType]
    E_init: Initializer = Constant(0.0 * u.mV)  # pyright: ignore[reportArgumentType]
    I_init: Initializer = Constant(0.0 * u.mV)  # pyright: ignore[reportArgumentType]
    Mv_init: Initializer = Constant(0.0 * mV_per_s)
    Ev_init: Initializer = Constant(0.0 * mV_per_s)
    Iv_init: Initializer = Constant(0.0 * mV_per_s)
    fr_scale: Callable[[Numbers], Numbers] = Identity()
    noise_E: Noise | None = None
    noise_I: Noise | None = None
    noise_M: Noise | None = None

    M: HiddenState = state("potential that pyramidal cells evoke", unit=u.mV, start="M_init")
    E: HiddenState = state("excitatory potential of pyramidal cells", unit=u.mV, start="E_init")
    I: HiddenState = state("inhibitory potential of pyramidal cells", unit=u.mV, start="I_init")  # noqa: E741
    Mv: HiddenState = state(
        "rate of change of `M`", unit=mV_per_s, start="Mv_init", port="M_inp", port_unit=u.mV, noise="noise_M"
    )
    Ev: HiddenState = state(
        "rate of change of `E`", unit=mV_per_s, start="Ev_init", port="E_inp", port_unit=u.Hz, noise="noise_E"
    )
    Iv: HiddenState = state(
        "rate of change of `I`", unit=mV_per_s, start="Iv_init", port="I_inp", port_unit=u.mV, noise="noise_I"
    )

    def dM(self, M, Mv):
        return Mv

    def dE(self, E, Ev):
        return Ev

    def dI(self, I, Iv):  # noqa: E741
        return Iv
