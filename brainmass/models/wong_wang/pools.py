"""Two pools that compete, and what is read from them: currents, rates, a decision."""

from __future__ import annotations

import brainunit as u
import jax.numpy as jnp
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.typing import Numbers
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import state, unit_interval
from brainmass.dynamics.noise import Noise

__all__ = ["Pools"]


class Pools(Declared):
    """Two pools by their gating; the model gives their currents, and their rate `phi` at a current."""

    noise_s1: Noise | None = None
    noise_s2: Noise | None = None

    S1: HiddenState = state(
        "synaptic gating of pool 1",
        start=Constant(0.0),
        port="I1_inp",
        port_unit=u.nA,
        noise="noise_s1",
        domain=unit_interval,
    )
    S2: HiddenState = state(
        "synaptic gating of pool 2",
        start=Constant(0.0),
        port="I2_inp",
        port_unit=u.nA,
        noise="noise_s2",
        domain=unit_interval,
    )

    def compute_inputs(
        self, coherence: Numbers = 0.0, noise_1_val: Numbers = 0.0 * u.nA, noise_2_val: Numbers = 0.0 * u.nA
    ):
        """The currents (I1, I2) at the present gating."""
        S1, S2 = self.S1.value, self.S2.value
        return self._current_1(S1, S2, coherence, noise_1_val), self._current_2(S1, S2, coherence, noise_2_val)

    def r1(self) -> Numbers:
        """Firing rate of pool 1 at the present gating, with the input of the last step."""
        return self.phi(self._last_inputs()[0])

    def r2(self) -> Numbers:
        """Firing rate of pool 2 at the present gating, with the input of the last step."""
        return self.phi(self._last_inputs()[1])

    def get_decision(self, threshold: Numbers = 15.0 * u.Hz) -> Numbers:
        """1 where pool 1 has reached the threshold, -1 where pool 2 has, the faster one if both; 0 where none has."""
        r1, r2 = self.r1(), self.r2()
        return jnp.where(u.math.maximum(r1, r2) >= threshold, u.math.sign(r1 - r2), 0).astype(int)

    def _last_inputs(self) -> tuple[Numbers, Numbers]:
        kept = (getattr(self, f"received_{port}").value for port in self.remembers)
        return self.compute_inputs(*kept)
