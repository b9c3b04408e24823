"""Robinson's model: cortex, and the relay and reticular nuclei of the thalamus, with the time between them."""

from __future__ import annotations

import brainunit as u

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Par, nonnegative, param, positive
from brainmass.dynamics.regime import LargestStep
from brainmass.models.robinson.gains import LinearTheory
from brainmass.models.robinson.populations import Populations
from brainmass.models.robinson.presets import PRESETS, mV_s

__all__ = ["RobinsonStep"]


class RobinsonStep(Populations, LinearTheory):
    r"""Robinson: corticothalamic activity and the alpha rhythm that the loop through the thalamus makes.

    Excitatory (e) cells of cortex, with inhibitory ones that do the same, reticular (r) and relay (s) nuclei:

    .. math::
        \ddot V_a &= \alpha\beta\,(P_a - V_a) - (\alpha + \beta)\dot V_a, \qquad
        \ddot\phi_e = \gamma_e^2 (Q_e - \phi_e) - 2\gamma_e \dot\phi_e \\
        P_e &= \nu_{ee}\phi_e + \nu_{ei} Q_e + \nu_{es} Q_s(t - t_0/2) \\
        P_r &= \nu_{re}\phi_e(t - t_0/2) + \nu_{rs} Q_s \\
        P_s &= \nu_{se}\phi_e(t - t_0/2) + \nu_{sr} Q_r + \nu_{sn}\phi_n

    with :math:`Q_a = Q_{max}/(1 + e^{-(V_a - \theta)/\sigma})`. As in the papers :math:`\nu_{ab}` is onto a from b, and
    negative where b inhibits; cortex is a single patch. `W_a` and `psi_e` are the rates of change of `V_a` and `phi_e`.
    What enters `e_inp`, `r_inp` and `s_inp` adds to :math:`P_a`, in mV, and `n_inp` adds to :math:`\phi_n`, in pulses
    per second. A network may send `phi_e` into `e_inp`, with a strength in mV s.

    Before :math:`t = 0` all was as at the start. The past is interpolated linearly, so that a method has order two at
    most, and `t0` can be trained. The time step must be known when the states are made: in a `Simulator` it is.

    Reference: Robinson, Rennie, Rowe 2002, Phys. Rev. E 65:041924; Robinson, Rennie, Rowe, O'Connor 2004, Hum. Brain
    Mapp. 23:53, whose table I has the default rates, times, threshold (13 mV there) and spread of thresholds. Strengths
    are from files of the authors' simulator, NFTsim, digit by digit: the defaults, those of Abeysuriya, Rennie,
    Robinson 2015, J. Neurosci. Methods 253:55, from `eirs-corticothalamic.conf`. That paper's table could not be had.
    """

    use_case = "EEG spectra and arousal: alpha rhythm, sleep spindles and seizures of the corticothalamic loop"
    questions = ("alpha", "sleep")
    output = "phi_e"
    coupling_port = "e_inp"
    shared_inputs = {"s_inp": u.mV}
    largest_step = LargestStep(of={"t0": 0.02}, over={"beta": 0.5})
    presets = PRESETS

    Q_max: Par = param(default=340.0 * u.Hz, doc="maximum firing rate", domain=positive)
    theta: Par = param(default=12.92 * u.mV, doc="mean firing threshold")
    sigma: Par = param(default=3.8 * u.mV, doc="spread of thresholds (standard deviation times √3/π)", domain=positive)
    alpha: Par = param(default=1 / 0.012 * u.Hz, doc="inverse decay time of potentials", domain=positive)
    beta: Par = param(default=1 / 0.0013 * u.Hz, doc="inverse rise time of potentials", domain=positive)
    gamma_e: Par = param(default=116.0 * u.Hz, doc="damping rate of pulses in cortex", domain=positive)
    t0: Par = param(
        default=85.0 * u.ms, doc="time from cortex to thalamus and back", domain=nonnegative, in_derivative=False
    )
    nu_ee: Par = param(default=1.525377176 * mV_s, doc="strength onto e from e")
    nu_ei: Par = param(default=-3.022754434 * mV_s, doc="strength onto e from inhibitory cells")
    nu_es: Par = param(default=0.5674779589 * mV_s, doc="strength onto e from s")
    nu_se: Par = param(default=3.447358203 * mV_s, doc="strength onto s from e")
    nu_sr: Par = param(default=-1.465128967 * mV_s, doc="strength onto s from r")
    nu_sn: Par = param(default=3.593330094 * mV_s, doc="strength onto s from outside")
    nu_re: Par = param(default=0.1695899041 * mV_s, doc="strength onto r from e")
    nu_rs: Par = param(default=0.05070036187 * mV_s, doc="strength onto r from s")
    phi_n: Par = param(default=1.0 * u.Hz, doc="mean input from outside", domain=nonnegative)

    def dpsi_e(self, psi_e, phi_e, V_e):
        return self.p.gamma_e**2 * (self.Q(V_e) - phi_e) - 2 * self.p.gamma_e * psi_e

    def dW_e(self, W_e, V_e, phi_e, e_inp):
        return self._response(V_e, W_e, self.p.nu_ee * phi_e + self.p.nu_ei * self.Q(V_e) + e_inp)

    def dW_r(self, W_r, V_r, V_s, r_inp):
        return self._response(V_r, W_r, self.p.nu_rs * self.Q(V_s) + r_inp)

    def dW_s(self, W_s, V_s, V_r, s_inp, n_inp):
        p = self.p
        return self._response(V_s, W_s, p.nu_sr * self.Q(V_r) + p.nu_sn * (p.phi_n + n_inp) + s_inp)

    def _response(self, V: Numbers, W: Numbers, drive: Numbers) -> Numbers:
        alpha, beta = self.p.alpha, self.p.beta
        return alpha * beta * (drive - V) - (alpha + beta) * W

    def derivative(
        self, state: tuple, t: Numbers, s_inp: Numbers, e_inp: Numbers, r_inp: Numbers, n_inp: Numbers
    ) -> tuple:
        """Rates of change of the states: from the past as it is now, or without delay where there is none yet."""
        values = dict(zip(self._states, state, strict=True))
        if self._past is not None and self._past.is_filled:
            loop = self._arrived(self._past, values, 1.0)
        else:
            loop = self._own_at_rest(values)
        given = {"s_inp": s_inp, "e_inp": e_inp, "r_inp": r_inp}
        return self._motion(state, t, *(x + loop[port] for port, x in given.items()), n_inp)

    def _motion(self, state: tuple, t: Numbers, *inputs: Numbers) -> tuple:
        return self._rates(state, dict(zip(self._ports, inputs, strict=True)))
