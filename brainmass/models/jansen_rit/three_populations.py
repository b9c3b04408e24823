"""The postsynaptic potentials of the column of Zetterberg and Jansen."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, state
from brainmass.dynamics.noise import Noise

__all__ = ["ThreePopulations"]

mV_per_ms: u.Unit = u.mV / u.ms  # pyright: ignore[reportAssignmentType]
_AT_REST: Initializer = Constant(0.0 * u.mV)  # pyright: ignore[reportArgumentType]
_STILL: Initializer = Constant(0.0 * mV_per_ms)  # pyright: ignore[reportArgumentType]


class ThreePopulations(Declared):
    """Potentials of stellate, pyramidal and inhibitory cells, and their rates of change."""

    init_v: Initializer = _AT_REST
    init_y: Initializer = _STILL
    noise_U: Noise | None = None
    noise_P: Noise | None = None
    noise_Q: Noise | None = None

    v1: HiddenState = state("potential of stellate cells", unit=u.mV, start="init_v")
    y1: HiddenState = state(
        "rate of change of `v1`", unit=mV_per_ms, start="init_y", port="U_inp", port_unit=u.Hz, noise="noise_U"
    )
    v2: HiddenState = state("excitatory potential of pyramidal cells", unit=u.mV, start="init_v")
    y2: HiddenState = state(
        "rate of change of `v2`", unit=mV_per_ms, start="init_y", port="P_inp", port_unit=u.Hz, noise="noise_P"
    )
    v3: HiddenState = state("inhibitory potential of pyramidal cells", unit=u.mV, start="init_v")
    y3: HiddenState = state("rate of change of `v3`", unit=mV_per_ms, start="init_y")
    v4: HiddenState = state("excitatory potential of inhibitory cells", unit=u.mV, start="init_v")
    y4: HiddenState = state(
        "rate of change of `v4`", unit=mV_per_ms, start="init_y", port="Q_inp", port_unit=u.Hz, noise="noise_Q"
    )
    v5: HiddenState = state("inhibitory potential of inhibitory cells", unit=u.mV, start="init_v")
    y5: HiddenState = state("rate of change of `v5`", unit=mV_per_ms, start="init_y")

    def dv1(self, v1, y1):
        return y1

    def dv2(self, v2, y2):
        return y2

    def dv3(self, v3, y3):
        return y3

    def dv4(self, v4, y4):
        return y4

    def dv5(self, v5, y5):
        return y5
