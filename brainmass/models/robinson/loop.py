"""The way between cortex and thalamus, which takes time."""

from __future__ import annotations

from collections.abc import Mapping

import brainunit as u
import jax.numpy as jnp
import numpy as np

from brainmass._common.typing import Numbers
from brainmass.dynamics.functions import sigmoid
from brainmass.models.own_past import OwnPast

__all__ = ["Loop"]


class Loop(OwnPast):
    """Cortex and relay nuclei send each other firing rates, which arrive after half of `t0`."""

    _delays = {"t0": 0.5}

    def Q(self, V: Numbers) -> Numbers:
        """Firing rate at the potential `V`."""
        return sigmoid(V, self.p.Q_max, self.p.theta, 1 / self.p.sigma)

    def _sent(self, values: Mapping[str, Numbers]) -> Numbers:
        """`phi_e`, and the rate of relay nuclei."""
        return self._side_by_side([x.to_decimal(u.Hz) for x in (values["phi_e"], self.Q(values["V_s"]))])

    def _own_delays(self) -> tuple[Numbers, Numbers]:
        way = u.math.broadcast_to(self.p.t0 / 2, self.varshape).to_decimal(u.ms).reshape(-1)
        return jnp.stack([way, way]), np.arange(2 * way.shape[0]).reshape(2, -1)

    def _own_at_rest(self, values: Mapping[str, Numbers], arriving: Numbers = None) -> dict[str, Numbers]:
        """What cortex and relay nuclei send each other, by port."""
        p = self.p
        if arriving is None:
            phi_e, Q_s = values["phi_e"], self.Q(values["V_s"])
        else:
            sent = jnp.moveaxis(arriving, -2, 0).reshape(2, *u.math.shape(values["phi_e"]))
            phi_e, Q_s = u.Quantity(sent, unit=u.Hz)
        return {"e_inp": p.nu_es * Q_s, "r_inp": p.nu_re * phi_e, "s_inp": p.nu_se * phi_e}
