"""The reduced Wong–Wang model with one pool per region (dynamic mean field of 2013)."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Initializer, Par, param, positive, state, unit_interval
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep
from brainmass.models.wong_wang.transfer import wong_wang_transfer

__all__ = ["ReducedWongWangStep"]


class ReducedWongWangStep(NeuralMassDynamics):
    r"""Reduced Wong–Wang model of one excitatory pool per region: the "dynamic mean field" of 2013.

    .. math::
        \dot S &= -S/\tau_S + (1 - S)\,\gamma\, H(x), \qquad
        H(x) = \frac{a x - b}{1 - e^{-d (a x - b)}} \\
        x &= w J_N S + I_0 + G J_N c + I

    with :math:`c` the weighted sum of the other regions' :math:`S` and the input :math:`I` of the port `current`. The
    paper's noise of amplitude :math:`\sigma` is `noise_S=WhiteNoise(n, sigma=0.001)`: it adds to the derivative, per
    ms. In the parametric mean field of Kong et al. :math:`w`, :math:`I_0` and :math:`\sigma` differ between regions and
    follow cortical maps: give a number for each region, or a `RegionalMap`.

    Reference: Deco et al. 2013, J. Neurosci. 33:11239; Kong et al. 2021, Nat. Commun. 12:6373.
    """

    use_case = "resting-state BOLD and functional connectivity with one state per region"
    questions = ("rest",)
    output = "S"
    coupling_port = "coupling"
    further_inputs = {"current": u.nA}
    remembers = ("coupling", "current")
    largest_step = LargestStep(of={"tau_S": 0.1})
    presets = {
        "resting": Preset(
            "one state, of low activity",
            "Deco et al. 2013, J. Neurosci. 33:11239",
            {"w": 0.9, "I_0": 0.3 * u.nA},
        ),
        "parametric": Preset(
            "middle of the regional values of a fit to FC and FCD, for weights with a maximum of 1; sigma is 0.0057",
            "Kong et al. 2021, Nat. Commun. 12:6373 (the example of its code)",
            {"w": 0.63, "I_0": 0.272 * u.nA, "G": 1.286},
        ),
    }

    w: Par = param(default=0.9, doc="recurrent excitation")
    J_N: Par = param(default=0.2609 * u.nA, doc="synaptic coupling")
    I_0: Par = param(default=0.3 * u.nA, doc="external current")
    G: Par = param(default=1.0, doc="global coupling")
    tau_S: Par = param(default=100.0 * u.ms, doc="NMDA time constant", domain=positive)
    gamma: Par = param(default=0.641, doc="kinetic factor of the gating", domain=positive)
    a: Par = param(default=270.0 * u.Hz / u.nA, doc="gain", domain=positive)
    b: Par = param(default=108.0 * u.Hz, doc="threshold")
    d: Par = param(default=0.154 * u.second, doc="curvature of the transfer function", domain=positive)
    init_S: Initializer = Constant(0.001)
    noise_S: Noise | None = None

    S: HiddenState = state("synaptic gating", port="coupling", add="add", domain=unit_interval)

    def dS(self, S, coupling, add=0.0, current=0.0 * u.nA):
        p = self.p
        return -S / p.tau_S + (1 - S) * p.gamma * self._rate(S, coupling, current) + add / u.ms

    def H(self, coupling: Numbers = None, current: Numbers = None) -> Numbers:
        """Firing rate; inputs as received in the last step, unless given."""
        coupling = self.received_coupling.value if coupling is None else coupling
        return self._rate(self.S.value, coupling, self.received_current.value if current is None else current)

    def _rate(self, S, coupling, current):
        p = self.p
        x = p.J_N * (p.w * S + p.G * coupling) + p.I_0 + current
        return wong_wang_transfer(p.a * x - p.b, p.d).to(u.Hz)
