"""The dynamic mean field whose local inhibition learns to keep the excitatory rate at a target."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, positive, state
from brainmass.models.wong_wang.exc_inh_base import NO_CURRENT, WongWangExcInhBase

__all__ = ["WongWangPlasticInhibitionStep"]


class WongWangPlasticInhibitionStep(WongWangExcInhBase):
    r"""The model `WongWangExcInhStep` with inhibitory plasticity: the local inhibition is a slow state.

    .. math::
        \dot J_i = \gamma\, H_I(x_I)\,\big(H_E(x_E) - \rho\big)

    Inhibition grows where the excitatory pool fires faster than the target rate :math:`\rho` while the inhibitory
    pool is active, and shrinks where it fires more slowly; the gating and the rates are those of
    `WongWangExcInhStep`. At rest every region fires at :math:`\rho`, under the inhibition that
    `feedback_inhibition` finds; with noise the mean of :math:`H_I (H_E - \rho)` is zero instead, and the mean rate a
    few percent lower. The speed `gamma` is a choice: near 3 Hz the default takes some ten seconds, long against the
    gating. Where no inhibition is left and the rate stays below the target, `J_i` would become negative;
    `clamp=True` keeps it at 0.

    Reference: Vogels et al. 2011, Science 334:1569; Naskar et al. 2021, Netw. Neurosci. 5:757.
    """

    use_case = "inhibition that balances itself: rates kept at a target through development, lesion, drugs"
    questions = ("rest",)
    _first_rows = ("in_size", "S_e", "S_i")

    gamma: Par = param(default=1e-5, doc="speed of the plasticity, nA/(ms Hz²)", domain=positive)
    rho: Par = param(default=3.0, doc="target rate of the excitatory pool, Hz", domain=positive)
    init_J_i: Initializer = Constant(1.0)

    J_i: HiddenState = state("local feedback inhibition, nA", domain=nonnegative)

    def dS_e(self, S_e, S_i, J_i, coupling, add=0.0, current_e=NO_CURRENT):  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._motion_e(S_e, S_i, J_i, coupling, current_e, add)

    def dJ_i(self, J_i, S_e, S_i, coupling, current_e=NO_CURRENT, current_i=NO_CURRENT):
        rate_e = self._rate_e(S_e, S_i, J_i, coupling, current_e)
        return self.p.gamma * self._rate_i(S_e, S_i, coupling, current_i) * (rate_e - self.p.rho) / u.ms

    def _inhibition(self) -> Numbers:
        return self.J_i.value
