"""The column of Wendling: Jansen and Rit's with a fast inhibition beside the slow one."""

from __future__ import annotations

from collections.abc import Mapping

import brainunit as u

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, nonnegative, param, positive
from brainmass.dynamics.functions import sigmoid, sys2nd
from brainmass.dynamics.node import NeuralMassDynamics, Preset
from brainmass.dynamics.regime import LargestStep
from brainmass.models.jansen_rit.five_potentials import FivePotentials

__all__ = ["WendlingStep"]


def _activity(doc: str, A: float, B: float, G: float) -> Preset:
    values = {"A": A * u.mV, "B": B * u.mV, "G": G * u.mV}
    return Preset(doc, "Wendling et al. 2002, Eur. J. Neurosci. 15:1499", values, {"p": 90.0 * u.Hz})


class WendlingStep(FivePotentials, NeuralMassDynamics):
    r"""Wendling: a column with slow (dendritic) and fast (somatic) inhibition, from background to seizure activity.

    .. math::
        \ddot y_0 &= A a\, S(y_1 - y_2 - y_3) - 2 a \dot y_0 - a^2 y_0 \\
        \ddot y_1 &= A a\, \bigl(p + C_2 S(C_1 y_0)\bigr) - 2 a \dot y_1 - a^2 y_1 \\
        \ddot y_2 &= B b\, C_4 S(C_3 y_0) - 2 b \dot y_2 - b^2 y_2 \\
        \ddot y_3 &= G g\, C_7 S(C_5 y_0 - C_6 y_4) - 2 g \dot y_3 - g^2 y_3 \\
        \ddot y_4 &= B b\, S(C_3 y_0) - 2 b \dot y_4 - b^2 y_4

    with :math:`S(v) = 2 e_0/(1 + e^{r (v_0 - v)})`. In the paper :math:`p` is noise around 90 pulses per second. What
    enters potentials acts as an electric field. A network may send `lfp`, :math:`y_1 - y_2 - y_3`, or `rate`, its S.

    Reference: Wendling, Bartolomei, Bellanger, Chauvel 2002, Eur. J. Neurosci. 15:1499.
    """

    use_case = "from background to seizure activity of hippocampus and cortex; fast onset activity; SEEG"
    questions = ("seizures", "alpha")
    output = "lfp"
    coupling_port = "p"
    sources = ("lfp", "rate")
    largest_step = LargestStep(over={"a": 0.1, "b": 0.1, "g": 0.25})
    presets = {
        "background": _activity("normal background, type 1: rests, and noise makes the activity", 5.0, 50.0, 15.0),
        "sporadic_spikes": _activity("type 2: rests; noise makes single spikes", 5.0, 40.0, 15.0),
        "rhythmic_spikes": _activity("type 3: spikes at 4.5 Hz", 5.0, 25.0, 15.0),
        "slow_rhythm": _activity("type 4: rests; noise makes a rhythm near 10 Hz", 5.0, 10.0, 15.0),
        "low_voltage_fast": _activity("type 5: rests; noise makes fast activity of low voltage", 5.0, 5.0, 25.0),
        "quasi_sinusoidal": _activity("type 6: a rhythm of 11 Hz", 5.0, 15.0, 0.0),
    }

    A: Par = param(default=5.0 * u.mV, doc="excitatory synaptic gain", domain=nonnegative)
    B: Par = param(default=50.0 * u.mV, doc="slow inhibitory synaptic gain", domain=nonnegative)
    G: Par = param(default=15.0 * u.mV, doc="fast inhibitory synaptic gain", domain=nonnegative)
    a: Par = param(default=100.0 * u.Hz, doc="inverse time constant of excitatory synapses", domain=positive)
    b: Par = param(default=50.0 * u.Hz, doc="inverse time constant of slow inhibitory synapses", domain=positive)
    g: Par = param(default=500.0 * u.Hz, doc="inverse time constant of fast inhibitory synapses", domain=positive)
    C1: Par = param(default=135.0, doc="synapses, pyramidal to excitatory cells", domain=nonnegative)
    C2: Par = param(default=108.0, doc="synapses, excitatory to pyramidal cells", domain=nonnegative)
    C3: Par = param(default=33.75, doc="synapses, pyramidal to slow inhibitory cells", domain=nonnegative)
    C4: Par = param(default=33.75, doc="synapses, slow inhibitory to pyramidal cells", domain=nonnegative)
    C5: Par = param(default=40.5, doc="synapses, pyramidal to fast inhibitory cells", domain=nonnegative)
    C6: Par = param(default=13.5, doc="synapses, slow to fast inhibitory cells", domain=nonnegative)
    C7: Par = param(default=108.0, doc="synapses, fast inhibitory to pyramidal cells", domain=nonnegative)
    e0: Par = param(default=2.5 * u.Hz, doc="half of the maximum firing rate", domain=positive)
    v0: Par = param(default=6.0 * u.mV, doc="potential at half of the maximum firing rate")
    r: Par = param(default=0.56 / u.mV, doc="steepness of the sigmoid", domain=positive)

    def S(self, v: Numbers) -> Numbers:
        """Firing rate at the membrane potential `v`."""
        return sigmoid(v, 2 * self.p.e0, self.p.v0, self.p.r)

    def dy5(self, y5, y0, y1, y2, y3, py_inp):
        return sys2nd(self.p.A, self.p.a, self.S(y1 - y2 - y3 + py_inp), y0, y5)

    def dy6(self, y6, y0, y1, p):
        return sys2nd(self.p.A, self.p.a, p + self.p.C2 * self.S(self.p.C1 * y0), y1, y6)

    def dy7(self, y7, y0, y2, slow_inp):
        return sys2nd(self.p.B, self.p.b, self.p.C4 * self.S(self.p.C3 * y0 + slow_inp), y2, y7)

    def dy8(self, y8, y0, y3, y4, fast_inp):
        rate = self.S(self.p.C5 * y0 - self.p.C6 * y4 + fast_inp)
        return sys2nd(self.p.G, self.p.g, self.p.C7 * rate, y3, y8)

    def dy9(self, y9, y0, y4, slow_inp):
        return sys2nd(self.p.B, self.p.b, self.S(self.p.C3 * y0 + slow_inp), y4, y9)

    def lfp(self) -> Numbers:
        """The potential of pyramidal cells, in mV."""
        return self.source("lfp", self.state_values())

    def source(self, name: str, values: Mapping[str, Numbers]) -> Numbers:
        if name not in self.sources:
            return values[name]
        potential = values["y1"] - values["y2"] - values["y3"]
        return potential if name == "lfp" else self.S(potential)
