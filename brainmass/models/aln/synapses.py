"""The two populations of the adaptive linear-nonlinear model: connections, synapses, external input."""

from __future__ import annotations

from typing import Any

import brainunit as u
import numpy as np

from brainmass._common.typing import Numbers
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Domain, Par, nonnegative, param, positive

__all__ = ["Synapses"]

per_ms: Any = u.mV / u.ms
noise: Any = u.mV / u.ms**0.5
negative = Domain("< 0", lambda x: np.isfinite(x) & (x < 0), (0.0, 1.0, np.nan, -np.inf), (-np.inf, 0.0))


class Synapses(Declared):
    """Synapses between and within the populations; of two letters the first is the receiver, as in the paper."""

    Ke: Par = param(default=800.0, doc="number of excitatory inputs of a neuron", domain=nonnegative)
    Ki: Par = param(default=200.0, doc="number of inhibitory inputs of a neuron", domain=nonnegative)
    c_gl: Par = param(default=0.3 * per_ms, doc="amplitude of synapses between regions", domain=nonnegative)
    Ke_gl: Par = param(default=250.0, doc="number of inputs from other regions", domain=nonnegative)
    tau_se: Par = param(default=2.0 * u.ms, doc="time constant of excitatory synapses", domain=positive)
    tau_si: Par = param(default=5.0 * u.ms, doc="time constant of inhibitory synapses", domain=positive)
    cee: Par = param(default=0.3 * per_ms, doc="amplitude of a synapse onto E from E", domain=nonnegative)
    cie: Par = param(default=0.3 * per_ms, doc="amplitude of a synapse onto I from E", domain=nonnegative)
    cei: Par = param(default=0.5 * per_ms, doc="amplitude of a synapse onto E from I", domain=nonnegative)
    cii: Par = param(default=0.5 * per_ms, doc="amplitude of a synapse onto I from I", domain=nonnegative)
    Jee_max: Par = param(default=2.43 * per_ms, doc="largest input onto E from E", domain=positive)
    Jie_max: Par = param(default=2.6 * per_ms, doc="largest input onto I from E", domain=positive)
    Jei_max: Par = param(default=-3.3 * per_ms, doc="largest input onto E from I", domain=negative)
    Jii_max: Par = param(default=-1.64 * per_ms, doc="largest input onto I from I", domain=negative)
    mue_ext_mean: Par = param(default=0.4 * per_ms, doc="external input of E")
    mui_ext_mean: Par = param(default=0.3 * per_ms, doc="external input of I")
    sigmae_ext: Par = param(default=1.5 * noise, doc="noise in the external input of E", domain=nonnegative)
    sigmai_ext: Par = param(default=1.5 * noise, doc="noise in the external input of I", domain=nonnegative)

    def _arriving(
        self, pair: str, E_rate: Numbers, I_rate: Numbers, coupling: Numbers = None
    ) -> tuple[Numbers, Numbers]:
        """Mean and variance of the spikes that arrive at synapses, in units of what opens all of them."""
        p, J = self.p, abs(getattr(self.p, f"J{pair}_max"))
        tau, spikes = (p.tau_se, p.Ke * E_rate) if pair[1] == "e" else (p.tau_si, p.Ki * I_rate)
        size = getattr(p, f"c{pair}") / J
        mean, variance = size * tau * spikes, (size * tau) ** 2 * spikes
        if coupling is not None:
            size, spikes = p.c_gl / J, p.Ke_gl * coupling
            mean, variance = mean + size * tau * spikes, variance + (size * tau) ** 2 * spikes
        return u.maybe_decimal(mean), variance

    def _mean(self, pair: str, m: Numbers, *rates: Numbers) -> Numbers:
        """Rate of change of the mean fraction of open synapses."""
        tau = self.p.tau_se if pair[1] == "e" else self.p.tau_si
        return ((1 - m) * self._arriving(pair, *rates)[0] - m) / tau

    def _variance(self, pair: str, m: Numbers, v: Numbers, *rates: Numbers) -> Numbers:
        """Rate of change of its variance."""
        tau = self.p.tau_se if pair[1] == "e" else self.p.tau_si
        mean, variance = self._arriving(pair, *rates)
        return ((1 - m) ** 2 * variance + (variance - 2 * tau * (mean + 1)) * v) / tau**2

    def _strength(
        self,
        k: str,
        tau_m: Numbers,
        v_e: Numbers,
        v_i: Numbers,
        E_rate: Numbers,
        I_rate: Numbers,
        coupling: Numbers = None,
    ) -> Numbers:
        """Strength of the noise in the input of a population, in mV/√ms, as a plain number."""
        p = self.p
        total: Numbers = getattr(p, f"sigma{k}_ext") ** 2
        for pair, v, tau, more in ((f"{k}e", v_e, p.tau_se, coupling), (f"{k}i", v_i, p.tau_si, None)):
            mean, _ = self._arriving(pair, E_rate, I_rate, more)
            total = total + 2 * getattr(p, f"J{pair}_max") ** 2 * v * tau * tau_m / ((1 + mean) * tau_m + tau)
        strength: Numbers = u.math.sqrt(total)
        return strength.to_decimal(noise)
