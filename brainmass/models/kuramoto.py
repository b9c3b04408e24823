"""Phase oscillators that pull on one another."""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate import HiddenState
from braintools.init import Uniform

from brainmass._common.typing import Numbers
from brainmass.dynamics.fields import Initializer, Par, option, param, state
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep
from brainmass.models.phase_coupling import PhaseCoupled

__all__ = ["KuramotoNetwork"]


class KuramotoNetwork(PhaseCoupled):
    r"""Kuramoto–Sakaguchi network of phase oscillators; time in ms.

    .. math::
        \dot\theta_i = \omega_i + \frac{K_i}{N_c} \sum_{j \neq i} w_{ij}
            \sin(\theta_j(t - d_{ij}) - \theta_i - \alpha_i) + I_i

    :math:`N_c = N`, the number of oscillators, with `normalize_by_n`, although the sum leaves out one of them; else
    1. The oscillators are those of the last axis of `in_size`. Whole turns are taken from a phase after each
    step, so that it keeps its digits in a long run; `np.unwrap` of a recorded phase puts them back. By the addition
    theorem the sum is two matrix products, of the sources' sines and cosines, and without weights and delays two plain
    sums.

    The weights `conn`, an array (N, N) or flat, or a Connectome, are onto i from j; a phase lag `alpha` may be given
    per connection, too.

    Reference: Kuramoto 1975, Lect. Notes Phys. 39:420; Sakaguchi, Kuramoto 1986, Prog. Theor. Phys. 76:576; with
    delays Yeung, Strogatz 1999, Phys. Rev. Lett. 82:648.

    Other Parameters
    ----------------
    normalize_by_n : bool
        Whether the sum is divided by N.
    exclude_self : bool
        Whether an oscillator is left out of what it receives.
    delay : Quantity, scalar or (N, N), optional
        Delays, rounded to whole steps. The phases of the past are those of the start.
    """

    category = "phenomenological"
    use_case = "synchronisation of rhythms; phase lags, delays"
    questions = ("synchrony",)
    largest_step = LargestStep(over={"K": 0.2})

    omega: Par = param(default=0.0, doc="natural angular frequency, rad per ms")
    K: Par = param(default=0.0, doc="coupling strength, per ms")
    # at the default K = 0 no rate depends on it
    alpha: Par = param(default=0.0, doc="phase lag of the target, rad", in_derivative=False)
    conn: Par = param(default=None, doc="weights, row receives; none: all ones", unit=u.UNITLESS, in_derivative=False)
    normalize_by_n: bool = True
    exclude_self: bool = True
    noise_theta: Noise | None = None
    init_theta: Initializer = Uniform(0.0, 2 * np.pi)
    delay: Any = option(default=None)

    theta: HiddenState = state("phase, rad, from -π to π", port="theta_inp", add="drive", is_angle=True)

    def dtheta(self, theta, drive):
        return (self.p.omega + drive) / u.ms

    def derivative(self, state: tuple, t: Numbers, theta_inp: Numbers = 0.0, drive: Numbers = 0.0) -> tuple:
        """Rate of change of the phases under the coupling of this very state. `drive` adds to the input."""
        return self._motion(state, t, theta_inp, drive + self._field(advance=False)({"theta": state[0]}, 0.0)["drive"])

    def _motion(self, state: tuple, t: Numbers, *inputs: Numbers) -> tuple:
        theta_inp, drive = inputs
        return (self.dtheta(state[0], theta_inp + drive),)

    def order_parameter(self) -> jax.Array:
        r"""The complex order parameter :math:`R e^{i\psi} = \frac1N \sum_j e^{i\theta_j}`, shape (batch...,)."""
        return jnp.mean(jnp.exp(1j * self.theta.value), axis=-1)
