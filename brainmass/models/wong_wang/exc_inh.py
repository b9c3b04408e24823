"""The reduced Wong–Wang model with an excitatory and an inhibitory pool (dynamic mean field)."""

from __future__ import annotations

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, param
from brainmass.models.wong_wang.exc_inh_base import NO_CURRENT, WongWangExcInhBase

__all__ = ["WongWangExcInhStep"]


class WongWangExcInhStep(WongWangExcInhBase):
    r"""Reduced Wong–Wang model of an excitatory and an inhibitory pool: the "dynamic mean field".

    .. math::
        \dot S_E &= -S_E/\tau_E + (1 - S_E)\,\gamma_E H_E(x_E), &
        x_E &= w_p J_N S_E - J_i S_I + W_E I_o + G J_N c + I_{ext} + I_E \\
        \dot S_I &= -S_I/\tau_I + \gamma_I H_I(x_I), &
        x_I &= J_N S_E - S_I + W_I I_o + \lambda G J_N c + I_I

    with :math:`H(x) = y/(1 - e^{-d y})`, :math:`y = g\,(a x - b)`, in Hz, and :math:`c` the weighted sum of the
    other regions' :math:`S_E`. Time is in ms, currents in nA, as plain numbers; noise adds to the derivatives (per
    ms). The currents :math:`I_E, I_I` enter the ports `current_e` and `current_i`. Neuromodulation scales the gain of
    a pool, `gain_e` and `gain_i`: :math:`g = 1 + s R` for receptors of density :math:`R`.

    Reference: Deco et al. 2014, J. Neurosci. 34:7886; receptors: Deco et al. 2018, Curr. Biol. 28:3065.
    """

    questions = ("rest", "drugs")
    _first_rows = (
        *("in_size", "a_e", "b_e", "d_e", "gamma_e", "tau_e", "w_p", "W_e"),
        *("a_i", "b_i", "d_i", "gamma_i", "tau_i", "W_i", "J_N", "J_i"),
    )

    J_i: Par = param(default=1.0, doc="local feedback inhibition, nA")

    def dS_e(self, S_e, S_i, coupling, add=0.0, current_e=NO_CURRENT):
        return self._motion_e(S_e, S_i, self.p.J_i, coupling, current_e, add)

    def _inhibition(self) -> Numbers:
        return self.p.J_i
