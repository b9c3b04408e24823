"""The populations of the canonical microcircuit."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, state
from brainmass.dynamics.noise import Noise

__all__ = ["Layers"]

mV_per_ms: u.Unit = u.mV / u.ms  # pyright: ignore[reportAssignmentType]
_AT_REST: Initializer = Constant(0.0 * u.mV)  # pyright: ignore[reportArgumentType]
_STILL: Initializer = Constant(0.0 * mV_per_ms)  # pyright: ignore[reportArgumentType]


class Layers(Declared):
    """Potentials of four populations and their rates of change."""

    init_v: Initializer = _AT_REST
    init_w: Initializer = _STILL
    noise_ss: Noise | None = None
    noise_sp: Noise | None = None
    noise_ii: Noise | None = None
    noise_dp: Noise | None = None

    v_ss: HiddenState = state("potential of spiny stellate cells", unit=u.mV, start="init_v")
    v_sp: HiddenState = state("potential of superficial pyramidal cells", unit=u.mV, start="init_v")
    v_ii: HiddenState = state("potential of inhibitory cells", unit=u.mV, start="init_v")
    v_dp: HiddenState = state("potential of deep pyramidal cells", unit=u.mV, start="init_v")
    w_ss: HiddenState = state(
        "rate of change of `v_ss`", unit=mV_per_ms, start="init_w", port="ss_inp", port_unit=u.Hz, noise="noise_ss"
    )
    w_sp: HiddenState = state(
        "rate of change of `v_sp`", unit=mV_per_ms, start="init_w", port="sp_inp", port_unit=u.Hz, noise="noise_sp"
    )
    w_ii: HiddenState = state(
        "rate of change of `v_ii`", unit=mV_per_ms, start="init_w", port="ii_inp", port_unit=u.Hz, noise="noise_ii"
    )
    w_dp: HiddenState = state(
        "rate of change of `v_dp`", unit=mV_per_ms, start="init_w", port="dp_inp", port_unit=u.Hz, noise="noise_dp"
    )

    def dv_ss(self, v_ss, w_ss):
        return w_ss

    def dv_sp(self, v_sp, w_sp):
        return w_sp

    def dv_ii(self, v_ii, w_ii):
        return w_ii

    def dv_dp(self, v_dp, w_dp):
        return w_dp
