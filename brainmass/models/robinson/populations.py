"""The populations of Robinson's model."""

from __future__ import annotations

from typing import Any

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, state
from brainmass.dynamics.noise import Noise

__all__ = ["Populations"]

mV_per_ms: Any = u.mV / u.ms
Hz_per_ms: Any = u.Hz / u.ms


class Populations(Declared):
    """Pulses in cortex, the potentials of cortex, reticular and relay nuclei, and their rates of change."""

    init_phi_e: Initializer = Constant(5.248 * u.Hz)  # pyright: ignore[reportArgumentType]
    init_psi_e: Initializer = Constant(0.0 * Hz_per_ms)
    init_V_e: Initializer = Constant(-2.871 * u.mV)  # pyright: ignore[reportArgumentType]
    init_V_r: Initializer = Constant(1.336 * u.mV)  # pyright: ignore[reportArgumentType]
    init_V_s: Initializer = Constant(-0.868 * u.mV)  # pyright: ignore[reportArgumentType]
    init_W: Initializer = Constant(0.0 * mV_per_ms)
    noise_n: Noise | None = None

    phi_e: HiddenState = state("pulses of excitatory cells that arrive in cortex", unit=u.Hz)
    psi_e: HiddenState = state("rate of change of `phi_e`", unit=Hz_per_ms)
    V_e: HiddenState = state("potential of cortical cells", unit=u.mV)
    W_e: HiddenState = state("rate of change of `V_e`", unit=mV_per_ms, start="init_W", port="e_inp", port_unit=u.mV)
    V_r: HiddenState = state("potential of the reticular nucleus", unit=u.mV)
    W_r: HiddenState = state("rate of change of `V_r`", unit=mV_per_ms, start="init_W", port="r_inp", port_unit=u.mV)
    V_s: HiddenState = state("potential of relay nuclei", unit=u.mV)
    W_s: HiddenState = state(
        "rate of change of `V_s`", unit=mV_per_ms, start="init_W", port="n_inp", port_unit=u.Hz, noise="noise_n"
    )

    def dphi_e(self, phi_e, psi_e):
        return psi_e

    def dV_e(self, V_e, W_e):
        return W_e

    def dV_r(self, V_r, W_r):
        return W_r

    def dV_s(self, V_s, W_s):
        return W_s
