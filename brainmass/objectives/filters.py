"""Signals in a band of frequencies, and objectives that compare them there."""

from __future__ import annotations

import brainunit as u
import jax

from brainmass._common import checks
from brainmass._common.messages import Argument
from brainmass._common.typing import Array, ArrayLike, Numbers, Time
from brainmass.objectives import _checks as check
from brainmass.objectives._checks import Objective
from brainmass.objectives._made import makes_objective
from brainmass.signals import filters

_CALL = "(x, band=(0.01 * u.Hz, 0.1 * u.Hz), sampling_period=0.72 * u.second)"


def bandpass(x: Numbers, band: object, sampling_period: Time, order: int = 5) -> Numbers:
    """What of a signal lies in a band of frequencies, without a shift in time.

    A Butterworth filter, forwards and backwards, with the ends continued point-symmetrically: the numbers of
    `scipy.signal.sosfiltfilt`, and so those of `nilearn.signal.clean(..., filter="butterworth")`. It is
    differentiable, so that simulated signals are filtered as the data were.

    Parameters
    ----------
    x : array or Quantity, shape (T, R)
        Time series, T > 3 (2 order + 1). Its mean does not pass.
    band : pair of Quantities
        Lowest and highest frequency, above 0 and below half the sampling rate: there the amplitude is halved.
    sampling_period : Quantity
        Time between samples, as the repetition time of BOLD.
    order : int
        Of the Butterworth filter, 1 to 12.

    Returns
    -------
    array or Quantity, shape (T, R)
        In the unit of `x`.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as said here.
    """
    of = "bandpass"
    low, high, period, order = _checked(band, sampling_period, order, of, f"{of}{_CALL}")
    return _with_unit(x, _passed(x, "x", low, high, period, order, of))


@makes_objective
def filtered(
    objective: Objective, band: object, sampling_period: Time, order: int = 5, *, target: bool = False
) -> Objective:
    """An objective that sees a band of the prediction, as `bandpass` makes it.

    Parameters
    ----------
    objective : callable
        `f(prediction, target)`.
    band, sampling_period, order
        As in `bandpass`; `sampling_period` is that of the prediction.
    target : bool
        Filter the target, too: a time series at the same sampling period that is not filtered yet.

    Returns
    -------
    callable
        `f(prediction, target)`; prediction of shape (T, R).

    Examples
    --------
    >>> import brainunit as u
    >>> import jax
    >>> from brainmass.objectives import fc_corr
    >>> simulated, measured = jax.random.normal(jax.random.key(0), (2, 200, 5))
    >>> loss = filtered(fc_corr(), (0.01 * u.Hz, 0.1 * u.Hz), 0.72 * u.second, target=True)
    >>> round(float(loss(measured, measured)), 6)
    1.0
    """
    of = "filtered"
    example = f"{of}(fc_corr(), (0.01 * u.Hz, 0.1 * u.Hz), 0.72 * u.second)"
    checks.function(Argument("objective", of), objective, "prediction and target", example=example)
    low, high, period, order = _checked(band, sampling_period, order, of, example)
    target = check.flag(target, "target", of)

    def loss(prediction: Array, data: Numbers = None) -> jax.Array:
        # The filter works on numbers; the objective is to see the unit that the signal came with.
        seen = _with_unit(prediction, _passed(prediction, "prediction", low, high, period, order, of))
        if target:
            # With its unit again, which the objective may compare with that of the prediction.
            data = _with_unit(data, _passed(data, "target", low, high, period, order, of))
        return objective(seen, data)

    return loss


def _with_unit(like: Numbers, values: jax.Array) -> Numbers:
    unit = u.get_unit(checks.as_array(like))
    return values if unit.is_unitless else u.Quantity(values, unit=unit)


def _checked(band: object, sampling_period: Time, order: int, of: str, example: str) -> tuple[float, float, float, int]:
    period = check.seconds(sampling_period, of, example)
    low, high = check.below_nyquist(band, period, "band", of, example)
    return low, high, period, check.whole(order, "order", of, 1, f"{of}(..., order=5)", most=12)


def _passed(x: ArrayLike, argument: str, low: float, high: float, period: float, order: int, of: str) -> jax.Array:
    values = check.series(x, argument, of)
    reason = f"the ends of a series are continued for a filter of order {order}"
    check.long_enough(values, filters.least_samples(order), argument, of, reason, "order=2")
    return filters.bandpass(values, low, high, period, order)
