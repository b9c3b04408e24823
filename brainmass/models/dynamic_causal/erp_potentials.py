"""The postsynaptic potentials of the column of evoked responses."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, state
from brainmass.dynamics.noise import Noise

__all__ = ["ERPPotentials"]

mV_per_ms: u.Unit = u.mV / u.ms  # pyright: ignore[reportAssignmentType]
_AT_REST: Initializer = Constant(0.0 * u.mV)  # pyright: ignore[reportArgumentType]
_STILL: Initializer = Constant(0.0 * mV_per_ms)  # pyright: ignore[reportArgumentType]


class ERPPotentials(Declared):
    """Four potentials and their rates of change."""

    init_x: Initializer = _AT_REST
    init_rates: Initializer = _STILL
    noise_u: Noise | None = None

    x1: HiddenState = state("potential of stellate cells", unit=u.mV, start="init_x")
    x2: HiddenState = state("excitatory potential of pyramidal cells", unit=u.mV, start="init_x")
    x3: HiddenState = state("inhibitory potential of pyramidal cells", unit=u.mV, start="init_x")
    x7: HiddenState = state("potential of inhibitory cells", unit=u.mV, start="init_x")
    x4: HiddenState = state(
        "rate of change of `x1`", unit=mV_per_ms, start="init_rates", port="u_inp", port_unit=u.Hz, noise="noise_u"
    )
    x5: HiddenState = state("rate of change of `x2`", unit=mV_per_ms, start="init_rates")
    x6: HiddenState = state("rate of change of `x3`", unit=mV_per_ms, start="init_rates")
    x8: HiddenState = state("rate of change of `x7`", unit=mV_per_ms, start="init_rates")

    def dx1(self, x1, x4):
        return x4

    def dx2(self, x2, x5):
        return x5

    def dx3(self, x3, x6):
        return x6

    def dx7(self, x7, x8):
        return x8
