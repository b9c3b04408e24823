"""The ion channels of the Larter–Breakspear model."""

from __future__ import annotations

import jax.numpy as jnp

from brainmass._common.typing import Numbers
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Par, param, positive

__all__ = ["IonChannels", "fraction"]


def fraction(x: Numbers, threshold: Numbers, spread: object) -> Numbers:
    """The share of channels, or of neurons, whose threshold lies below `x`."""
    return (1 + jnp.tanh((x - threshold) / spread)) / 2


class IonChannels(Declared):
    """Calcium, potassium, sodium and leak channels: their constants, and their currents at the potential `V`.

    What open receptors add to a conductance is `receptors`; `W` is the share of open potassium channels.
    """

    gCa: Par = param(default=1.1, doc="calcium conductance")
    gK: Par = param(default=2.0, doc="potassium conductance")
    gL: Par = param(default=0.5, doc="leak conductance")
    gNa: Par = param(default=6.7, doc="sodium conductance")
    TCa: Par = param(default=-0.01, doc="threshold of the calcium channels")
    TK: Par = param(default=0.0, doc="threshold of the potassium channels")
    TNa: Par = param(default=0.3, doc="threshold of the sodium channels")
    d_Ca: Par = param(default=0.15, doc="spread of the calcium thresholds", domain=positive)
    d_K: Par = param(default=0.3, doc="spread of the potassium thresholds", domain=positive)
    d_Na: Par = param(default=0.15, doc="spread of the sodium thresholds", domain=positive)
    VCa: Par = param(default=1.0, doc="calcium reversal potential")
    VK: Par = param(default=-0.7, doc="potassium reversal potential")
    VL: Par = param(default=-0.5, doc="leak reversal potential")
    VNa: Par = param(default=0.53, doc="sodium reversal potential")
    phi: Par = param(default=0.7, doc="temperature factor of the potassium channels")
    tau_K: Par = param(default=1.0, doc="relaxation time of the potassium channels", domain=positive)

    def _calcium_current(self, V, receptors):
        p = self.p
        return (p.gCa + receptors) * fraction(V, p.TCa, p.d_Ca) * (V - p.VCa)

    def _sodium_current(self, V, receptors):
        p = self.p
        return (p.gNa * fraction(V, p.TNa, p.d_Na) + receptors) * (V - p.VNa)

    def _potassium_current(self, V, W):
        return self.p.gK * W * (V - self.p.VK)

    def _leak_current(self, V):
        return self.p.gL * (V - self.p.VL)
