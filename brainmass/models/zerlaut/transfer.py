"""Transfer functions of adaptive exponential neurons with conductance synapses, as published fits."""

from __future__ import annotations

from dataclasses import dataclass

import brainunit as u
import numpy as np
from jax.scipy.special import erfc

from brainmass._common.checks import is_traced
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Numbers

__all__ = ["EffectiveThreshold"]


@dataclass(frozen=True)
class EffectiveThreshold:
    r"""The effective spiking threshold of a neuron, in mV, a quadratic in the statistics of its membrane potential.

    .. math::
        V_{thre} = P_0 + \sum_x P_x x + \sum_{x \le y} P_{xy}\, x y

    with :math:`x = (\mu_V + 60)/10,\ (\sigma_V - 4)/6,\ \tau_V g_L/C_m - 0.5`, in mV.

    Parameters
    ----------
    coefficients : 10 numbers
        In mV: :math:`P_0, P_\mu, P_\sigma, P_\tau, P_{\mu\mu}, P_{\sigma\sigma}, P_{\tau\tau}, P_{\mu\sigma},
        P_{\mu\tau}, P_{\sigma\tau}`.
    reference : str
        Where they are from.
    """

    coefficients: tuple[float, ...]
    reference: str = ""

    def __post_init__(self):
        values = self.coefficients
        if is_traced(values) or np.shape(values) != (10,) or not np.isfinite(np.asarray(values, float)).all():
            what = Argument("coefficients", "EffectiveThreshold")
            raise argument_error(what, "must be 10 finite numbers, in mV", f"is {show(values)}")
        object.__setattr__(self, "coefficients", tuple(map(float, values)))

    def __call__(self, mu: Numbers, sigma: Numbers, tau: Numbers) -> Numbers:
        """In mV, at mean and standard deviation in mV, and the autocorrelation time over that of the membrane."""
        x, y, z = (mu + 60) / 10, (sigma - 4) / 6, tau - 0.5
        P = self.coefficients
        linear = P[0] + P[1] * x + P[2] * y + P[3] * z
        return linear + P[4] * x**2 + P[5] * y**2 + P[6] * z**2 + P[7] * x * y + P[8] * x * z + P[9] * y * z


def rate(threshold: EffectiveThreshold, mu: Numbers, sigma: Numbers, tau: Numbers, tau_m: Numbers) -> Numbers:
    """Firing rate of a neuron whose potential has this mean, standard deviation and autocorrelation time."""
    mu, sigma = mu.to_decimal(u.mV), sigma.to_decimal(u.mV)
    above = threshold(mu, sigma, u.maybe_decimal(tau / tau_m)) - mu
    return erfc(above / (2**0.5 * sigma)) / (2 * tau)


_DI_VOLO = (
    "di Volo, Romagnoni, Capone, Destexhe 2019, Neural Comput. 31:653, in the digits that The Virtual Brain 2.10 gives"
)
REGULAR_SPIKING = EffectiveThreshold(
    (
        -49.83106,
        5.063550882777,
        -23.47012180731,
        2.295151372507,
        -0.410530265203,
        10.54705134355,
        -36.59252821137,
        7.437487505798,
        1.265064721846,
        -40.7216129449,
    ),
    _DI_VOLO,
)
FAST_SPIKING = EffectiveThreshold(
    (
        -51.49122024209,
        4.003689190271,
        -8.352013668528,
        0.2414237992766,
        -0.5070645080016,
        1.434539410428,
        -14.68668949895,
        4.502706285436,
        2.847219035253,
        -15.35780459459,
    ),
    _DI_VOLO,
)
_ZERLAUT = (
    "a public script that runs the neurons of Zerlaut, Chemla, Chavane, Destexhe 2018, J. Comput. Neurosci. 44:45, in "
    "The Virtual Brain; the paper's manuscript prints no coefficients"
)
# Those that an author's notebook prints (yzerlaut/notebook_papers, Modeling_Mesoscopic_Dynamics_JCNS_2017) are no
# coefficients of the paper's formulas: they have a term of the logarithm of the conductance, belong to 200 pF, and were
# fitted with a variance of V in which inhibition has Q_i U_i in place of tau_i U_i, so as good as none. With that they
# rest at 2.418 and 9.603 Hz, as the notebook prints; with the paper's variance, at 12.4 and 28.2 Hz.
REGULAR_SPIKING_2018 = EffectiveThreshold((-49.8, 5.06, -25.0, 1.4, -0.41, 10.5, -36.0, 7.4, 1.2, -40.7), _ZERLAUT)
FAST_SPIKING_2018 = EffectiveThreshold((-51.4, 4.0, -8.3, 0.2, -0.5, 1.4, -14.6, 4.5, 2.8, -15.3), _ZERLAUT)
