"""The states of Liley's model."""

from __future__ import annotations

from typing import Any

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, state
from brainmass.dynamics.noise import Noise

__all__ = ["Drives"]

per_ms: Any = u.ms**-1
mV_per_ms: Any = u.mV / u.ms
_NONE: Any = Constant(0.0 * u.mV)  # pyright: ignore[reportArgumentType]
_STILL: Any = Constant(0.0 * mV_per_ms)
_QUIET: Any = Constant(0.0 * per_ms)
_QUIET_RATE: Any = Constant(0.0 * per_ms**2)


class Drives(Declared):
    """Potentials of both kinds of cells, what drives them, and pulses from afar."""

    init_h_e: Initializer = Constant(-68.1355 * u.mV)  # pyright: ignore[reportArgumentType]
    init_h_i: Initializer = Constant(-77.2602 * u.mV)  # pyright: ignore[reportArgumentType]
    init_I: Initializer = _NONE
    init_J: Initializer = _STILL
    init_phi: Initializer = _QUIET
    init_psi: Initializer = _QUIET_RATE
    noise_ee: Noise | None = None
    noise_ei: Noise | None = None

    h_e: HiddenState = state("mean potential of excitatory cells", unit=u.mV)
    h_i: HiddenState = state("mean potential of inhibitory cells", unit=u.mV)
    I_ee: HiddenState = state("excitatory drive of excitatory cells", unit=u.mV, start="init_I")
    J_ee: HiddenState = state(
        "rate of change of `I_ee`", unit=mV_per_ms, start="init_J", port="ee_inp", port_unit=per_ms, noise="noise_ee"
    )
    I_ei: HiddenState = state("excitatory drive of inhibitory cells", unit=u.mV, start="init_I")
    J_ei: HiddenState = state(
        "rate of change of `I_ei`", unit=mV_per_ms, start="init_J", port="ei_inp", port_unit=per_ms, noise="noise_ei"
    )
    I_ie: HiddenState = state("inhibitory drive of excitatory cells", unit=u.mV, start="init_I")
    J_ie: HiddenState = state(
        "rate of change of `I_ie`", unit=mV_per_ms, start="init_J", port="ie_inp", port_unit=per_ms
    )
    I_ii: HiddenState = state("inhibitory drive of inhibitory cells", unit=u.mV, start="init_I")
    J_ii: HiddenState = state(
        "rate of change of `I_ii`", unit=mV_per_ms, start="init_J", port="ii_inp", port_unit=per_ms
    )
    phi_ee: HiddenState = state("pulses from distant cells onto excitatory cells", unit=per_ms, start="init_phi")
    psi_ee: HiddenState = state("rate of change of `phi_ee`", unit=per_ms**2, start="init_psi")
    phi_ei: HiddenState = state("pulses from distant cells onto inhibitory cells", unit=per_ms, start="init_phi")
    psi_ei: HiddenState = state("rate of change of `phi_ei`", unit=per_ms**2, start="init_psi")

    def dI_ee(self, I_ee, J_ee):
        return J_ee

    def dI_ei(self, I_ei, J_ei):
        return J_ei

    def dI_ie(self, I_ie, J_ie):
        return J_ie

    def dI_ii(self, I_ii, J_ii):
        return J_ii

    def dphi_ee(self, phi_ee, psi_ee):
        return psi_ee

    def dphi_ei(self, phi_ei, psi_ei):
        return psi_ei
