"""What may enter an objective, and the errors that say so."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from brainmass._common import checks
from brainmass._common.foreign import plain
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Array, Numbers

Objective = Callable[[Any, Any], jax.Array]
"""From a prediction and data to a number, the smaller the better."""

_MEANING = {
    "alpha": "level of significance",
    "band": "lowest and highest frequency",
    "bandpass": "lowest and highest frequency",
    "baseline": "before the stimulus",
    "bw_method": "width of the smoothing kernel",
    "data": "time series",
    "epsilon": "smallest norm to divide by",
    "fcd_matrix": "functional connectivity dynamics",
    "floor": "smallest density, relative to the mean density of the target",
    "k": "weight of the baseline",
    "least_snr": "smallest ratio of response and baseline",
    "midpoints": "where the density is evaluated",
    "n_diag": "first diagonal that counts",
    "n_surrogates": "how many surrogates",
    "n_thresholds": "how many thresholds",
    "normalize": "whether to normalise",
    "order": "of the filter",
    "p": "first density",
    "phases": "phases in radians",
    "prediction": "simulated signal",
    "q": "second density",
    "response": "after the stimulus",
    "sampling_period": "time between samples",
    "seed": "of the surrogates",
    "step_size": "samples from one window to the next",
    "target": "data to compare with",
    "tr": "repetition time",
    "variance": "share of the response",
    "weighted_objectives": "pairs of weight and objective",
    "window_size": "samples in a window",
    "x": "time series",
}


def what(argument: str, of: str) -> Argument:
    return Argument(argument, of, _MEANING[argument])


def flag(value: object, argument: str, of: str) -> bool:
    return checks.flag(Argument(argument, of), value)


def real(x: Numbers, argument: str, of: str, unit: u.Unit | None = None) -> jax.Array:
    """The numbers of `x` (in `unit`, or in its own) as a real floating-point array."""
    x = checks.as_array(plain(Argument(argument, of), x))
    if np.iscomplexobj(u.get_mantissa(x)):
        raise argument_error(what(argument, of), "must be real", "is complex", f"{argument}=z.real", kind=TypeError)
    if not checks.holds_numbers(x):
        raise argument_error(
            what(argument, of),
            "must be an array of real numbers",
            f"is {show(x)}",
            f"{argument}=np.zeros((100, 10))",
            kind=TypeError,
        )
    if isinstance(x, u.Quantity):
        # Without a unit asked for, any will do: correlations and phases do not change with it.
        x = x.mantissa if unit is None else x.to_decimal(unit)
    values = x if isinstance(x, jax.Array) else _in_precision(np.asarray(x))
    return values if jnp.issubdtype(values.dtype, jnp.floating) else values.astype(float)


def _in_precision(x: np.ndarray) -> jax.Array:
    # a copy in the precision of the moment: `jnp.asarray` has handed on float64 after x64 was turned off again
    return jnp.asarray(x.astype(jax.dtypes.canonicalize_dtype(x.dtype)))


def series(x: Numbers, argument: str, of: str, unit: u.Unit | None = None) -> jax.Array:
    """A real array of shape (time, region) with two samples or more."""
    values = real(x, argument, of, unit)
    if values.ndim != 2 or values.shape[0] < 2:
        raise argument_error(
            what(argument, of),
            "must be of shape (time, region) with 2 samples or more",
            f"is of shape {values.shape}",
            "jax.vmap over further axes",
        )
    return values


def same_shape(prediction: jax.Array, target: jax.Array, objective: str) -> None:
    # A mean over nothing would be NaN.
    if prediction.shape != target.shape or prediction.size == 0:
        raise argument_error(
            what("prediction", objective),
            "must be of one, nonempty shape with `target`",
            f"is {prediction.shape} against {target.shape}",
            f"{objective}()(signal, data)",
        )


def same_regions(prediction: jax.Array, target: jax.Array, objective: str, call: str = "()") -> None:
    """`call` is the pair of brackets that makes the objective, for the example."""
    if prediction.shape[1] != target.shape[1]:
        raise argument_error(
            what("prediction", objective),
            "must have as many regions as `target`",
            f"has {prediction.shape[1]} against {target.shape[1]}",
            both_series(objective, call),
        )


def both_series(objective: str, call: str = "()") -> str:
    return f"{objective}{call}(signal, data) with both of shape (time, region)"


def common_unit(prediction: Numbers, target: Numbers, objective: str, call: str = "()") -> u.Unit:
    unit_p, unit_t = u.get_unit(checks.as_array(prediction)), u.get_unit(checks.as_array(target))
    if not unit_p.has_same_dim(unit_t):
        raise argument_error(
            what("prediction", objective),
            "must have the dimension of `target`",
            f"is in {unit_p} against {unit_t}",
            f"{objective}{call}(v * u.mV, data * u.mV)",
        )
    return u.UNITLESS if unit_t.has_same_dim(u.UNITLESS) else unit_t


def series_and_matrix(
    prediction: Numbers,
    target: Numbers,
    matrix_of: Callable[[jax.Array], jax.Array],
    option: str,
    is_matrix: bool | None,
    of: str,
) -> tuple[jax.Array, jax.Array]:
    """`matrix_of` both sides, shape (R, R); the target may be such a matrix already if `option` is set.

    Unsaid, a symmetric target with unit diagonal is one, with a warning: scripts for the published package give the
    functional connectivity of data so, which there is correlated once more as if it were a time series.
    """
    p = series(prediction, "prediction", of)
    if is_matrix is None and _is_surely_matrix(target):
        is_matrix = True
        warnings.warn(
            f"The target of {of} is symmetric with unit diagonal, and so taken as a matrix between regions, not as a "
            f"time series: write {of}({option}=True).",
            stacklevel=5,  # whoever calls the objective
        )
    t = _region_matrix(target, option, of) if is_matrix else target_series(target, option, is_matrix, of)
    same_regions(p, t, of)
    return matrix_of(p), (t if is_matrix else matrix_of(t))


def at_least_regions(count: int, given: int, argument: str, of: str, example: str) -> None:
    if given < count:
        raise argument_error(what(argument, of), f"must have at least {count} regions", f"has {given}", example)


def target_series(target: Numbers, option: str, is_matrix: bool | None, of: str) -> jax.Array:
    """The target as a time series. One that is square could be a matrix: within a fit its numbers cannot be seen."""
    values = series(target, "target", of)
    if _is_surely_matrix(target):
        raise argument_error(
            what("target", of),
            f"must be a time series unless {option}=True",
            "is a symmetric matrix with unit diagonal",
            f"{of}({option}=True)",
        )
    # As many samples as regions, and no look at the numbers decides it.
    if is_matrix is None and values.shape[0] == values.shape[1]:
        raise argument_error(
            what("target", of),
            f"must be said to be a matrix or a time series, as {values.shape} could be either: "
            f"{option}=True, or {option}=False",
            example=f"{of}({option}=True)",
        )
    return values


def _is_surely_matrix(x: Array) -> bool:
    """Looks at the data as given: once converted, they would be traced inside `jit`."""
    x = u.get_mantissa(checks.as_array(plain(Argument("target"), x)))
    if isinstance(x, Tracer):
        return False
    values = np.asarray(x)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or values.dtype.kind not in "iuf":
        return False
    # No recording is like that but by chance.
    return bool(np.allclose(np.diag(values), 1.0) and np.allclose(values, values.T))


def _region_matrix(target: Array, option: str, of: str) -> jax.Array:
    example = f"{of}({option}=True)(signal, {option.removeprefix('target_is_')})"
    matrix = without_unit(target, "target", of, f" with {option}=True", example)
    return square(matrix, "target", of, f"(region, region) with {option}=True", example)


def without_unit(x: Numbers, argument: str, of: str, when: str, example: str) -> jax.Array:
    x = checks.as_array(x)
    if not u.get_unit(x).has_same_dim(u.UNITLESS):
        raise argument_error(what(argument, of), f"must be without unit{when}", f"is in {u.get_unit(x)}", example)
    return real(x, argument, of, u.UNITLESS)


def square(x: jax.Array, argument: str, of: str, axes: str, example: str) -> jax.Array:
    if x.ndim != 2 or x.shape[0] != x.shape[1]:
        raise argument_error(what(argument, of), f"must be a square matrix {axes}", f"is of shape {x.shape}", example)
    return x


def flag_or_none(value: object, argument: str, of: str) -> bool | None:
    # None stays apart from False: what is not said may be guessed, with a warning.
    return None if value is None else flag(value, argument, of)


def number(
    value: Numbers, argument: str, of: str, must: str, holds: Callable[[np.ndarray], Any], example: str
) -> float:
    return checks.number(what(argument, of), value, must, holds, example=example)


def whole(value: Numbers, argument: str, of: str, least: int, example: str, most: int = checks.MOST) -> int:
    """An integer, `least` or more."""
    return checks.whole(what(argument, of), value, least, most, example=example)


def long_enough(x: jax.Array, samples: int, argument: str, of: str, reason: str, example: str) -> None:
    if x.shape[0] < samples:
        raise argument_error(
            what(argument, of), f"must have {samples} samples or more ({reason})", f"has {x.shape[0]}", example
        )


def seconds(sampling_period: Numbers, of: str, example: str, argument: str = "sampling_period") -> float:
    # Periods shape what is compiled, windows and filters: they are numbers here, and never traced.
    sampling_period = checks.as_array(sampling_period)
    if not u.get_unit(sampling_period).has_same_dim(u.second):
        raise argument_error(what(argument, of), "must have unit of time", f"is {show(sampling_period)}", example)
    period = np.asarray(u.Quantity(sampling_period).to_decimal(u.second))
    if period.shape != () or not 0 < period < np.inf:
        raise argument_error(what(argument, of), "must be one time > 0", f"is {show(sampling_period)}", example)
    return float(period)


def in_band(band: object, frequencies: np.ndarray, of: str, example: str, remedy: str) -> np.ndarray:
    """Indices of the frequencies (Hz, from 0 up) that lie in a band, its ends included."""
    low, high = _band_edges(band, "band", of, example)
    slack = 1e-6 * frequencies[1]  # a bound meant to lie on a frequency includes it
    chosen = np.flatnonzero((frequencies >= low - slack) & (frequencies <= high + slack))
    if chosen.size == 0:
        raise argument_error(
            what("band", of),
            f"must include one of the frequencies, {frequencies[1]:g} Hz apart up to {frequencies[-1]:g} Hz",
            f"is {low:g} to {high:g} Hz",
            remedy,
        )
    return chosen


def below_nyquist(band: object, period: float, argument: str, of: str, example: str) -> tuple[float, float]:
    """The edges, in Hz, of a band that a filter at this sampling period can have."""
    low, high = _band_edges(band, argument, of, example)
    if not 0 < low < high < 0.5 / period:
        rule = f"must lie above 0 and below half the sampling rate, {0.5 / period:g} Hz, and be wider than 0"
        raise argument_error(what(argument, of), rule, f"is {low:g} to {high:g} Hz", example)
    return low, high


def _band_edges(band: Any, argument: str, of: str, example: str) -> tuple[float, float]:
    try:
        low, high = (float(u.Quantity(edge).to_decimal(u.Hz)) for edge in band)
    except (TypeError, ValueError, u.UnitMismatchError):
        # NaN is in no order: the message below is that of all that is no band.
        low, high = np.nan, np.nan
    if not 0 <= low <= high:
        raise argument_error(
            what(argument, of), "must be two frequencies, the lower one first", f"is {show(band)}", example
        )
    return low, high
