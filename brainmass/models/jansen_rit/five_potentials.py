"""The postsynaptic potentials of the column of Wendling."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, state
from brainmass.dynamics.noise import Noise

__all__ = ["FivePotentials"]

mV_per_ms: u.Unit = u.mV / u.ms  # pyright: ignore[reportAssignmentType]
_AT_REST: Initializer = Constant(0.0 * u.mV)  # pyright: ignore[reportArgumentType]
_STILL: Initializer = Constant(0.0 * mV_per_ms)  # pyright: ignore[reportArgumentType]


class FivePotentials(Declared):
    """Five potentials and their rates of change."""

    init_y: Initializer = _AT_REST
    init_rates: Initializer = _STILL
    noise_p: Noise | None = None

    y0: HiddenState = state("potential that pyramidal cells evoke", unit=u.mV, start="init_y")
    y1: HiddenState = state("excitatory potential of pyramidal cells", unit=u.mV, start="init_y")
    y2: HiddenState = state("slow inhibitory potential of pyramidal cells", unit=u.mV, start="init_y")
    y3: HiddenState = state("fast inhibitory potential of pyramidal cells", unit=u.mV, start="init_y")
    y4: HiddenState = state("slow inhibitory potential of fast inhibitory cells", unit=u.mV, start="init_y")
    y5: HiddenState = state("rate of change of `y0`", unit=mV_per_ms, start="init_rates", port="py_inp", port_unit=u.mV)
    y6: HiddenState = state(
        "rate of change of `y1`", unit=mV_per_ms, start="init_rates", port="p", port_unit=u.Hz, noise="noise_p"
    )
    y7: HiddenState = state(
        "rate of change of `y2`", unit=mV_per_ms, start="init_rates", port="slow_inp", port_unit=u.mV
    )
    y8: HiddenState = state(
        "rate of change of `y3`", unit=mV_per_ms, start="init_rates", port="fast_inp", port_unit=u.mV
    )
    y9: HiddenState = state("rate of change of `y4`", unit=mV_per_ms, start="init_rates")

    def dy0(self, y0, y5):
        return y5

    def dy1(self, y1, y6):
        return y6

    def dy2(self, y2, y7):
        return y7

    def dy3(self, y3, y8):
        return y8

    def dy4(self, y4, y9):
        return y9
