"""The mean field of adaptive exponential neurons, second order: with covariances of the rates."""

from __future__ import annotations

from collections.abc import Callable

import brainunit as u
import jax
import jax.numpy as jnp
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Initializer, state
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.regime import LargestStep
from brainmass.models.zerlaut.adaptation import PRESETS, AdaptiveRates

__all__ = ["ZerlautSecondOrderStep"]


def _derivatives(rate: Callable, E: Numbers, I: Numbers, W: Numbers, drive: Numbers) -> tuple:  # noqa: E741
    """A stationary rate F, and by the two rates: F_E, F_I, F_EE, F_EI, F_II."""

    def plain(E, I):  # noqa: E741
        return rate(E * u.Hz, I * u.Hz, W, drive).to_decimal(u.Hz)

    def along(f, x, y):
        return lambda *at: jax.jvp(f, at, (jnp.full_like(at[0], x), jnp.full_like(at[1], y)))[1]

    shape = jnp.broadcast_shapes(*map(u.math.shape, (E, I, W, drive)))
    at = [jnp.broadcast_to(x.to_decimal(u.Hz), shape) for x in (E, I)]
    by_E, by_I = along(plain, 1, 0), along(plain, 0, 1)
    curvatures = (along(by_E, 1, 0), along(by_E, 0, 1), along(by_I, 0, 1))
    return plain(*at) * u.Hz, by_E(*at), by_I(*at), *(f(*at) / u.Hz for f in curvatures)


class ZerlautSecondOrderStep(AdaptiveRates, NeuralMassDynamics):
    r"""Zerlaut: `ZerlautStep` to second order, with variances and covariance of the rates of a finite network.

    .. math::
        T \dot\nu_\mu &= F_\mu - \nu_\mu + \tfrac12 \sum_{\lambda\eta} c_{\lambda\eta}\,
            \partial_\lambda \partial_\eta F_\mu \\
        T \dot c_{\lambda\eta} &= \delta_{\lambda\eta} \frac{F_\lambda (1/T - F_\lambda)}{N_\lambda}
            + (F_\lambda - \nu_\lambda)(F_\eta - \nu_\eta)
            + \sum_\mu (c_{\lambda\mu}\, \partial_\mu F_\eta + c_{\mu\eta}\, \partial_\mu F_\lambda)
            - 2 c_{\lambda\eta}

    with :math:`N_e = (1 - g) N_{tot}`, :math:`N_i = g N_{tot}`. Adaptation is that of the first order. At rest the
    covariances are those of the linear response to the noise of the network's finite size. A fast transient may take
    rates below zero, where the expansion does not hold.

    Reference: El Boustani, Destexhe 2009, Neural Comput. 21:46; Zerlaut et al. 2018, J. Comput. Neurosci. 44:45;
    di Volo et al. 2019, Neural Comput. 31:653 (adaptation).
    """

    use_case = "asynchronous irregular activity of adaptive spiking neurons, with its fluctuations of finite size"
    questions = ("up and down", "neurons")
    output = "E"
    coupling_port = "coupling"
    shared_inputs = {"coupling": u.Hz}
    largest_step = LargestStep(0.5 * u.ms, of={"T": 0.04})
    presets = PRESETS

    init_C_ee: Initializer = Constant(0.0 * u.Hz**2)  # pyright: ignore[reportArgumentType]
    init_C_ei: Initializer = Constant(0.0 * u.Hz**2)  # pyright: ignore[reportArgumentType]
    init_C_ii: Initializer = Constant(0.0 * u.Hz**2)  # pyright: ignore[reportArgumentType]

    C_ee: HiddenState = state("variance of the excitatory rate", unit=u.Hz**2)
    C_ei: HiddenState = state("covariance of both rates", unit=u.Hz**2)
    C_ii: HiddenState = state("variance of the inhibitory rate", unit=u.Hz**2)

    def dE(self, E, I, W_e, C_ee, C_ei, C_ii, coupling, inp):  # noqa: E741
        F, _, _, EE, EI, II = _derivatives(self.F_e, E, I, W_e, coupling + inp)
        return (F - E + (C_ee * EE + 2 * C_ei * EI + C_ii * II) / 2) / self.p.T

    def dI(self, I, E, W_i, C_ee, C_ei, C_ii, coupling, inp):  # noqa: E741
        F, _, _, EE, EI, II = _derivatives(self.F_i, E, I, W_i, self.p.S_i * coupling + inp)
        return (F - I + (C_ee * EE + 2 * C_ei * EI + C_ii * II) / 2) / self.p.T

    def dC_ee(self, C_ee, C_ei, E, I, W_e, coupling, E_inp):  # noqa: E741
        p = self.p
        F, by_E, by_I, *_ = _derivatives(self.F_e, E, I, W_e, coupling + E_inp)
        finite_size = F * (1 / p.T - F) / ((1 - p.g) * p.N_tot)
        return (finite_size + (F - E) ** 2 + 2 * (C_ee * by_E + C_ei * by_I - C_ee)) / p.T

    def dC_ei(self, C_ei, C_ee, C_ii, E, I, W_e, W_i, coupling, E_inp, I_inp):  # noqa: E741
        p = self.p
        F_e, e_E, e_I, *_ = _derivatives(self.F_e, E, I, W_e, coupling + E_inp)
        F_i, i_E, i_I, *_ = _derivatives(self.F_i, E, I, W_i, p.S_i * coupling + I_inp)
        linear = C_ei * (e_E + i_I - 2) + C_ii * e_I + C_ee * i_E
        return ((F_e - E) * (F_i - I) + linear) / p.T

    def dC_ii(self, C_ii, C_ei, E, I, W_i, coupling, I_inp):  # noqa: E741
        p = self.p
        F, by_E, by_I, *_ = _derivatives(self.F_i, E, I, W_i, p.S_i * coupling + I_inp)
        finite_size = F * (1 / p.T - F) / (p.g * p.N_tot)
        return (finite_size + (F - I) ** 2 + 2 * (C_ei * by_E + C_ii * by_I - C_ii)) / p.T
