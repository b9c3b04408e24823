"""The populations of the Larter–Breakspear model."""

from __future__ import annotations

from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, Par, param, positive, state, unit_interval
from brainmass.dynamics.noise import Noise
from brainmass.models.larter_breakspear.channels import fraction

__all__ = ["Populations"]


class Populations(Declared):
    """An excitatory and an inhibitory population: their connections, firing rates and states."""

    aee: Par = param(default=0.4, doc="excitatory-to-excitatory strength")
    aei: Par = param(default=2.0, doc="excitatory-to-inhibitory strength")
    aie: Par = param(default=2.0, doc="inhibitory-to-excitatory strength")
    ane: Par = param(default=1.0, doc="strength of the external input, excitatory population")
    ani: Par = param(default=0.4, doc="strength of the external input, inhibitory population")
    b: Par = param(default=0.1, doc="rate of the inhibitory population")
    C: Par = param(default=0.1, doc="share of the excitation that comes from other regions", domain=unit_interval)
    Iext: Par = param(default=0.3, doc="external input")
    rNMDA: Par = param(default=0.25, doc="ratio of NMDA to AMPA receptors")
    VT: Par = param(default=0.0, doc="firing threshold of the excitatory population")
    d_V: Par = param(default=0.65, doc="spread of the excitatory thresholds", domain=positive)
    ZT: Par = param(default=0.0, doc="firing threshold of the inhibitory population")
    d_Z: Par = param(default=0.7, doc="spread of the inhibitory thresholds", domain=positive)
    QV_max: Par = param(default=1.0, doc="highest rate of the excitatory population", domain=positive)
    QZ_max: Par = param(default=1.0, doc="highest rate of the inhibitory population", domain=positive)
    t_scale: Par = param(default=1.0, doc="factor on time", domain=positive)
    init_V: Initializer = Constant(0.0)
    init_W: Initializer = Constant(0.0)
    init_Z: Initializer = Constant(0.0)
    noise_V: Noise | None = None

    V: HiddenState = state("mean membrane potential of the excitatory population", port="V_inp", add="add")
    W: HiddenState = state("fraction of open potassium channels")
    Z: HiddenState = state("mean membrane potential of the inhibitory population")

    def QV(self, V):
        """Firing rate of the excitatory population at the potential `V`."""
        p = self.p
        return p.QV_max * fraction(V, p.VT, p.d_V)

    def QZ(self, Z):
        """Firing rate of the inhibitory population at the potential `Z`."""
        p = self.p
        return p.QZ_max * fraction(Z, p.ZT, p.d_Z)
