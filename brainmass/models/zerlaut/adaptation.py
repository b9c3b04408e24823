"""The states that both Zerlaut models have, and the adaptation of their neurons."""

from __future__ import annotations

import brainunit as u
from brainstate import HiddenState
from braintools.init import Constant

from brainmass.dynamics.fields import Initializer, nonnegative, state
from brainmass.dynamics.node import Preset
from brainmass.dynamics.noise import Noise
from brainmass.models.zerlaut.populations import Populations
from brainmass.models.zerlaut.transfer import FAST_SPIKING_2018, REGULAR_SPIKING_2018

__all__ = ["PRESETS", "AdaptiveRates"]

_DRIVE = {"external_input_ex_ex": 2.5 * u.Hz, "external_input_in_ex": 2.5 * u.Hz}
_DI_VOLO = "di Volo, Romagnoni, Capone, Destexhe 2019, Neural Comput. 31:653"
PRESETS = {
    "asynchronous": Preset("an irregular state of low rates under a drive of 2.5 Hz", _DI_VOLO, _DRIVE),
    "zerlaut_2018": Preset(
        "neurons without adaptation in the mean field, under a drive of 4 Hz: rests at 3.1 and 10.7 Hz to first order, "
        "where an author's notebook for the paper, with thresholds of another form, has 2.4 and 9.6",
        "Zerlaut, Chemla, Chavane, Destexhe 2018, J. Comput. Neurosci. 44:45, table 1; thresholds as "
        "`node.threshold_e.reference` says",
        {
            "C_m": 150.0 * u.pF,
            "Q_e": 1.0 * u.nS,
            "a_e": 0.0 * u.nS,
            "b_e": 0.0 * u.pA,
            "T": 5.0 * u.ms,
            "threshold_e": REGULAR_SPIKING_2018,
            "threshold_i": FAST_SPIKING_2018,
            "external_input_ex_ex": 4.0 * u.Hz,
            "external_input_in_ex": 4.0 * u.Hz,
        },
    ),
}


class AdaptiveRates(Populations):
    """Rates and adaptation currents of the two populations."""

    init_E: Initializer = Constant(1.0 * u.Hz)  # pyright: ignore[reportArgumentType]
    init_I: Initializer = Constant(1.0 * u.Hz)  # pyright: ignore[reportArgumentType]
    init_W_e: Initializer = Constant(0.0 * u.pA)  # pyright: ignore[reportArgumentType]
    init_W_i: Initializer = Constant(0.0 * u.pA)  # pyright: ignore[reportArgumentType]
    noise_E: Noise | None = None
    noise_I: Noise | None = None

    E: HiddenState = state("rate of excitatory neurons", unit=u.Hz, port="E_inp", domain=nonnegative)
    I: HiddenState = state("rate of inhibitory neurons", unit=u.Hz, port="I_inp", domain=nonnegative)  # noqa: E741
    W_e: HiddenState = state("adaptation current of excitatory neurons", unit=u.pA)
    W_i: HiddenState = state("adaptation current of inhibitory neurons", unit=u.pA)

    def dW_e(self, W_e, E, I, coupling, E_inp):  # noqa: E741
        p, mu = self.p, self.potential_e(E, I, W_e, coupling + E_inp)[0]
        return (p.a_e * (mu - p.E_L_e) - W_e) / p.tau_w_e + p.b_e * E

    def dW_i(self, W_i, E, I, coupling, I_inp):  # noqa: E741
        p, mu = self.p, self.potential_i(E, I, W_i, self.p.S_i * coupling + I_inp)[0]
        return (p.a_i * (mu - p.E_L_i) - W_i) / p.tau_w_i + p.b_i * I
