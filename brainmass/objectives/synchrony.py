"""Phases of oscillating signals, and how much they go together."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.messages import argument_error
from brainmass._common.typing import Array, Numbers, Time
from brainmass.objectives import _checks as check
from brainmass.objectives._checks import Objective
from brainmass.objectives._made import makes_objective
from brainmass.signals.correlation import deviations, distance, root_mean_square
from brainmass.signals.phases import analytic, mean_resultant_length, phase_locking


def analytic_signal(x: Numbers) -> jax.Array:
    """The signal plus i times its Hilbert transform over time, as `scipy.signal.hilbert(x, axis=0)`.

    Parameters
    ----------
    x : array or Quantity, shape (T, R)
        Time series, T >= 2, taken as periodic. Its mean is kept; its unit is dropped.

    Returns
    -------
    Complex array, shape (T, R)
        Its real part is `x`.
    """
    return analytic(check.series(x, "x", "analytic_signal"))


def instantaneous_phase(x: Numbers, band: Any = None, sampling_period: Numbers = None) -> jax.Array:
    """Phase of the analytic signal of `x` about its mean over time, in radians.

    Meaningful for signals of a narrow frequency band: those that have others need `band`.

    Parameters
    ----------
    x : array or Quantity, shape (T, R)
        Time series, T >= 2. Its unit does not matter.
    band : pair of Quantities, optional
        Lowest and highest frequency that count, included; what lies outside is taken out before.
    sampling_period : Quantity, optional
        Time between samples, for `band`.

    Returns
    -------
    Array, shape (T, R)
        In (-π, π]; 0, without gradient, where the analytic signal is 0, as for a constant series.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as said here, or the band holds none of the frequencies of `x`, 1 / (T · sampling_period)
        apart.
    """
    values = check.series(x, "x", "instantaneous_phase")
    # Less the mean: beside a large one the analytic signal does not go round zero, and has no phase.
    z = analytic(deviations(values)[0], _chosen(len(values), band, sampling_period))
    zero = (z.real == 0) & (z.imag == 0)
    # Twice: at the origin an angle has no slope, and NaN of a branch not taken stays in a gradient.
    return jnp.where(zero, 0.0, jnp.arctan2(z.imag, jnp.where(zero, 1.0, z.real)))


def order_parameter(phases: Numbers) -> jax.Array:
    r"""Kuramoto order parameter :math:`|\frac1R \sum_r e^{i\theta_r(t)}|`: synchrony at each time.

    Parameters
    ----------
    phases : array, shape (T, R)
        Phases in radians, T >= 2, as of `instantaneous_phase`, `KuramotoNetwork`.

    Returns
    -------
    Array, shape (T,)
        From 0 to 1, where all phases are equal.
    """
    return _order_parameter(phases, "order_parameter")


def metastability(phases: Numbers) -> jax.Array:
    """Standard deviation over time of the Kuramoto order parameter (divided by T, not T - 1).

    Shanahan 2010, Chaos 20:013108.

    Parameters
    ----------
    phases : array, shape (T, R)
        Phases in radians, T >= 2.

    Returns
    -------
    Scalar array
        From 0, where synchrony is steady, to 1/2.
    """
    r = _order_parameter(phases, "metastability")
    # Not `jnp.std`, whose slope where synchrony is steady is NaN.
    return root_mean_square(r - jnp.mean(r))


def phase_locking_value(x: Numbers) -> jax.Array:
    r"""Phase-locking value :math:`|\frac1T \sum_t e^{i(\theta_r(t) - \theta_s(t))}|` of all pairs of regions.

    Lachaux et al. 1999, Hum. Brain Mapp. 8:194, over time rather than trials. The phases are those of
    `instantaneous_phase`.

    Parameters
    ----------
    x : array or Quantity, shape (T, R)
        Time series, T >= 2, of a narrow frequency band. Its unit does not matter.

    Returns
    -------
    Array, shape (R, R)
        In [0, 1], symmetric; diagonal 1; 0 between a constant series and any other.
    """
    return phase_locking(check.series(x, "x", "phase_locking_value"))


@makes_objective
def plv_rmse(*, target_is_plv: bool | None = None) -> Objective:
    """Root mean square difference of two phase-locking matrices, over all R² entries, diagonal included.

    Parameters
    ----------
    target_is_plv : bool, optional
        Whether `target` is a matrix of phase-locking values (R, R) rather than a time series (T', R). Unsaid, a
        symmetric target with unit diagonal is a matrix, with a warning; any other square one must be said.

    Returns
    -------
    callable
        `f(prediction, target)`, in [0, 1]; prediction of shape (T, R) with R >= 2. T and T' may differ.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> t = jnp.arange(200)[:, None] * 0.1
    >>> locked, drifting = jnp.sin(t + jnp.array([0.0, 1.0])), jnp.sin(t * jnp.array([1.0, 2.0]))
    >>> loss = plv_rmse()
    >>> bool(loss(locked, locked) < loss(drifting, locked))
    True
    """

    target_is_plv = check.flag_or_none(target_is_plv, "target_is_plv", "plv_rmse")

    def rmse(prediction: Array, target: Array) -> jax.Array:
        pair = check.series_and_matrix(prediction, target, phase_locking, "target_is_plv", target_is_plv, "plv_rmse")
        check.at_least_regions(2, pair[0].shape[0], "prediction", "plv_rmse", check.both_series("plv_rmse"))
        return distance(*pair)

    return rmse


def _chosen(count: int, band: object, sampling_period: Time) -> np.ndarray | None:
    """Which of the frequencies of a series, 0 included, lie in a band; None: all."""
    of, call = "instantaneous_phase", "instantaneous_phase(x, band=(8 * u.Hz, 12 * u.Hz), sampling_period=1 * u.ms)"
    if (band is None) != (sampling_period is None):
        raise argument_error(
            check.what("band", of), "must be given with `sampling_period`, and that with it", example=call
        )
    if band is None:
        return None
    frequencies = np.fft.rfftfreq(count, check.seconds(sampling_period, of, call))
    return check.in_band(band, frequencies, of, call, "a longer series")


def _order_parameter(phases: Array, of: str) -> jax.Array:
    example = f"{of}(instantaneous_phase(x))"
    # Angles in rad are plain numbers; a signal in mV, given in place of its phases, is refused.
    theta = check.series(check.without_unit(phases, "phases", of, "", example), "phases", of)
    return mean_resultant_length(theta)
