"""The Wilson–Cowan model with delays between and within its populations."""

from __future__ import annotations

from collections.abc import Mapping

import brainunit as u
import jax.numpy as jnp
import numpy as np

from brainmass._common.typing import Numbers
from brainmass.models.wilson_cowan.base import _Recurrent
from brainmass.models.wilson_cowan.delays import Delays
from brainmass.models.wilson_cowan.groups import Refractoriness, Sigmoids, Weights

__all__ = ["WilsonCowanDelayedStep"]


class WilsonCowanDelayedStep(Sigmoids, Weights, Refractoriness, Delays, _Recurrent):
    r"""Wilson–Cowan with delayed recurrent input.

    .. math::
        \tau_E\dot r_E &= -r_E + (1 - r\,r_E)\,
            F(w_{EE}\, r_E(t - d_{EE}) - w_{IE}\, r_I(t - d_{IE}) + I_E; a_E, \theta_E) \\
        \tau_I\dot r_I &= -r_I + (1 - r\,r_I)\,
            F(w_{EI}\, r_E(t - d_{EI}) - w_{II}\, r_I(t - d_{II}) + I_I; a_I, \theta_I)

    Before :math:`t = 0` the rates were the initial ones. The past is interpolated linearly, so that a method has
    order two at most, and delays can be trained. It is kept as far as the longest delay reaches when the run is
    arranged, twice as far if that delay is trainable; a delay that grows beyond reads what is oldest.
    `drE`, `drI`, and `derivative` before there is a past, take the recurrent input from the rates that they are given.
    The time step must be known when the states are made: in a `Simulator` it is.

    Reference: Wilson, Cowan 1972, Biophys. J. 12:1, with delays as in Roxin, Brunel, Hansel 2005,
    Phys. Rev. Lett. 94:238103.
    """

    use_case = "rhythms from conduction and synaptic delays; delays as parameters to fit"
    questions = ("excitation and inhibition",)

    def derivative(self, state: tuple, t: Numbers, E_ext: Numbers, I_ext: Numbers) -> tuple:
        """Rates of change of (rE, rI): from the past as it is now, or without delay where there is none yet."""
        if self._past is None or not self._past.is_filled:
            return self._rates(state, {"rE_inp": E_ext, "rI_inp": I_ext})
        arrived = self._arrived(self._past, dict(zip(self._states, state, strict=True)), 1.0)
        return self._motion(state, t, E_ext + arrived["rE_inp"], I_ext + arrived["rI_inp"])

    def _motion(self, state: tuple, t: Numbers, *inputs: Numbers) -> tuple:
        return tuple(self._relax(k, r, 0.0, 0.0, x) for k, r, x in zip("EI", state, inputs, strict=True))

    def _own_at_rest(self, values: Mapping[str, Numbers], arriving: Numbers = None) -> dict[str, Numbers]:
        if arriving is None:
            arriving = self._sent(values)[..., self._own_delays()[1]]
        EE, IE, EI, II = jnp.moveaxis(arriving, -2, 0).reshape(4, *u.math.shape(values["rE"]))
        exc_E, inh_E = self._onto_E(EE, IE)
        exc_I, inh_I = self._onto_I(EI, II)
        return {"rE_inp": exc_E - inh_E, "rI_inp": exc_I - inh_I}

    def _own_delays(self) -> tuple[Numbers, Numbers]:
        p = self.p
        delays = [u.math.broadcast_to(d, self.varshape) for d in (p.delay_EE, p.delay_IE, p.delay_EI, p.delay_II)]
        source = np.arange(2 * int(np.prod(self.varshape))).reshape(2, -1)[[0, 1, 0, 1]]  # E, I, E, I
        return jnp.stack([d.to_decimal(u.ms).reshape(-1) for d in delays]), source
