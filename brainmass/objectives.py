"""What to compare: scores and losses of a prediction against data.

Each builder returns `f(prediction, target) -> scalar`, safe under `jit`, `grad` and `vmap`. Time series are
of shape (time, region); map over batches with `jax.vmap`.

Functional connectivity is the Pearson correlation over time. A series that is constant (up to rounding) is
uncorrelated with all others and sends no gradient; no gradient is NaN unless the data are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

__all__ = ["combine", "fc_corr", "fc_rmse", "functional_connectivity", "timeseries_rmse"]

Objective = Callable[[Any, Any], jax.Array]

_MEANING = {
    "prediction": "simulated signal",
    "target": "data to compare with",
    "x": "time series",
    "weighted_objectives": "pairs of weight and objective",
}


def functional_connectivity(x: Any) -> jax.Array:
    """Pearson correlation over time between all pairs of regions.

    Parameters
    ----------
    x : array or Quantity, shape (T, R)
        Time series, T >= 2. Its unit does not matter.

    Returns
    -------
    Array, shape (R, R)
        In [-1, 1], symmetric; diagonal 1; 0 between a constant series and any other.

    Raises
    ------
    ValueError, TypeError
        If `x` is not a real array of two dimensions with T >= 2.
    """
    return _connectivity(_series(x, "x", "functional_connectivity"))


def timeseries_rmse() -> Objective:
    """Root mean square difference of two signals of the same shape.

    The objective returns a plain number, in the unit of the target; prediction and target must have the same
    dimension. Its gradient at equality is 0.
    """

    def rmse(prediction: Any, target: Any) -> jax.Array:
        unit = _common_unit(prediction, target)
        p = _real(prediction, "prediction", "timeseries_rmse", unit)
        t = _real(target, "target", "timeseries_rmse", unit)
        if p.shape != t.shape or p.size == 0:
            must = f"must be of one, nonempty shape with `target`, but is {p.shape} against {t.shape}"
            raise _error("prediction", "timeseries_rmse", must, "timeseries_rmse()(signal, data)")
        return _root_mean_square(p - t)

    return rmse


def fc_corr(as_loss: bool = False, *, target_is_fc: bool = False) -> Objective:
    """Pearson correlation of two functional connectivities, over the entries above the diagonal.

    Parameters
    ----------
    as_loss : bool
        Return 1 - correlation, in [0, 2], instead of the correlation, in [-1, 1].
    target_is_fc : bool
        Whether `target` is a functional connectivity matrix (R, R) rather than a time series (T', R). The two
        are never told apart by guess.

    Returns
    -------
    callable
        `f(prediction, target)`; prediction of shape (T, R) with R >= 3. T and T' may differ.
        0 correlation if either side is the same between all pairs of regions.
    """

    def corr(prediction: Any, target: Any) -> jax.Array:
        fc_p, fc_t = _two_connectivities(prediction, target, target_is_fc, "fc_corr", min_regions=3)
        above = np.triu_indices(fc_p.shape[0], k=1)
        r = jnp.clip(jnp.sum(_standardize(fc_p[above]) * _standardize(fc_t[above])), -1.0, 1.0)
        return 1.0 - r if as_loss else r

    return corr


def fc_rmse(*, target_is_fc: bool = False) -> Objective:
    """Root mean square difference of two functional connectivities, over all R² entries.

    The diagonal, where both are 1, is counted: the value is sqrt(1 - 1/R) times that of the entries off the
    diagonal.

    Parameters
    ----------
    target_is_fc : bool
        Whether `target` is a functional connectivity matrix (R, R) rather than a time series (T', R). The two
        are never told apart by guess.

    Returns
    -------
    callable
        `f(prediction, target)`, in [0, 2]; prediction of shape (T, R) with R >= 2. T and T' may differ.
    """

    def rmse(prediction: Any, target: Any) -> jax.Array:
        fc_p, fc_t = _two_connectivities(prediction, target, target_is_fc, "fc_rmse", min_regions=2)
        return _root_mean_square(fc_p - fc_t)

    return rmse


def combine(*weighted_objectives: tuple[Any, Objective]) -> Objective:
    """Weighted sum of objectives, `combine((w1, f1), (w2, f2))(p, t) = w1 * f1(p, t) + w2 * f2(p, t)`.

    All objectives get the same prediction and target. Weights are scalars, of either sign.
    """
    for pair in weighted_objectives:
        _check_pair(pair)
    if not weighted_objectives:
        must = "must be one pair or more, but is empty"
        raise _error("weighted_objectives", "combine", must, "combine((1.0, fc_rmse()))")

    def weighted_sum(prediction: Any, target: Any) -> jax.Array:
        return jnp.asarray(sum(weight * f(prediction, target) for weight, f in weighted_objectives))

    return weighted_sum


def _check_pair(pair: Any) -> None:
    is_pair = isinstance(pair, tuple | list) and len(pair) == 2
    if not (is_pair and not callable(pair[0]) and np.shape(pair[0]) == () and callable(pair[1])):
        must = f"must be pairs (weight, objective), but one is {pair!r}"
        raise _error("weighted_objectives", "combine", must, "combine((1.0, fc_rmse()))", TypeError)


def _two_connectivities(
    prediction: Any, target: Any, target_is_fc: bool, objective: str, min_regions: int
) -> tuple[jax.Array, jax.Array]:
    example = f"{objective}()(signal, data) with both of shape (time, region)"
    p = _series(prediction, "prediction", objective)
    t = _matrix(target, objective) if target_is_fc else _target_series(target, objective)
    if p.shape[1] != t.shape[1]:
        must = f"must have as many regions as `target`, but has {p.shape[1]} against {t.shape[1]}"
        raise _error("prediction", objective, must, example)
    if p.shape[1] < min_regions:
        must = f"must have at least {min_regions} regions, but has {p.shape[1]}"
        raise _error("prediction", objective, must, example)
    return _connectivity(p), (t if target_is_fc else _connectivity(t))


def _target_series(target: Any, objective: str) -> jax.Array:
    series = _series(target, "target", objective)
    if _is_surely_connectivity(u.get_mantissa(target)):
        must = "must be a time series unless target_is_fc=True, but is a symmetric matrix with unit diagonal"
        raise _error("target", objective, must, f"{objective}(target_is_fc=True)")
    return series


def _is_surely_connectivity(x: Any) -> bool:
    """Looks at the data as given: once converted, they would be traced inside `jit`."""
    if isinstance(x, Tracer):
        return False
    values = np.asarray(x)
    return values.shape[0] == values.shape[1] and bool(
        np.allclose(np.diag(values), 1.0) and np.allclose(values, values.T)
    )


def _matrix(target: Any, objective: str) -> jax.Array:
    if not u.get_unit(target).has_same_dim(u.UNITLESS):
        must = f"must be without unit with target_is_fc=True, but is in {u.get_unit(target)}"
        raise _error("target", objective, must, f"{objective}(target_is_fc=True)(signal, fc)")
    fc = _real(target, "target", objective, u.UNITLESS)
    if fc.ndim != 2 or fc.shape[0] != fc.shape[1]:
        must = f"must be a square matrix (region, region) with target_is_fc=True, but is of shape {fc.shape}"
        raise _error("target", objective, must, f"{objective}(target_is_fc=True)(signal, fc)")
    return fc


def _series(x: Any, argument: str, of: str) -> jax.Array:
    values = _real(x, argument, of)
    if values.ndim != 2 or values.shape[0] < 2:
        must = f"must be of shape (time, region) with 2 samples or more, but is of shape {values.shape}"
        raise _error(argument, of, must, "jax.vmap over further axes")
    return values


def _real(x: Any, argument: str, of: str, unit: u.Unit | None = None) -> jax.Array:
    """The numbers of `x` (in `unit`, or in its own) as a real floating-point array."""
    if isinstance(x, u.Quantity):
        x = x.mantissa if unit is None else x.to_decimal(unit)
    try:
        values = jnp.asarray(x if isinstance(x, jax.Array) else np.asarray(x))
    except (TypeError, ValueError) as error:
        must = f"must be an array of real numbers, but is {type(x).__name__}"
        raise _error(argument, of, must, f"{argument}=np.zeros((100, 10))", TypeError) from error
    if jnp.iscomplexobj(values):
        raise _error(argument, of, "must be real, but is complex", f"{argument}=z.real", TypeError)
    return values if jnp.issubdtype(values.dtype, jnp.floating) else values.astype(float)


def _common_unit(prediction: Any, target: Any) -> u.Unit:
    unit_p, unit_t = u.get_unit(prediction), u.get_unit(target)
    if not unit_p.has_same_dim(unit_t):
        must = f"must have the dimension of `target`, but is in {unit_p} against {unit_t}"
        raise _error("prediction", "timeseries_rmse", must, "timeseries_rmse()(v * u.mV, data * u.mV)")
    return u.UNITLESS if unit_t.has_same_dim(u.UNITLESS) else unit_t


def _connectivity(x: jax.Array) -> jax.Array:
    z = _standardize(x)
    # full precision: the default on some accelerators keeps three decimal digits
    fc = jnp.clip(jnp.matmul(z.T, z, precision=jax.lax.Precision.HIGHEST), -1.0, 1.0)
    return jnp.where(np.eye(x.shape[1], dtype=bool), 1.0, fc)


def _standardize(x: jax.Array) -> jax.Array:
    """Subtract the mean over axis 0 and divide by the norm; constant columns become 0.

    Taking the first sample and the range out beforehand, as constants, changes neither value nor gradient;
    it saves digits when the baseline is large, and the squares from under- and overflow.
    """
    shifted = x - jax.lax.stop_gradient(x[:1])
    spread = jax.lax.stop_gradient(jnp.max(jnp.abs(shifted), axis=0))
    rounding = 8 * jnp.finfo(x.dtype).eps * jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=0))
    constant = (spread <= rounding) & jnp.isfinite(spread)  # NaN and infinity are passed on, as NaN
    scaled = shifted / jnp.where(constant, 1.0, spread)
    centred = jnp.where(constant, 0.0, scaled - jnp.mean(scaled, axis=0))
    return centred / jnp.sqrt(jnp.where(constant, 1.0, jnp.sum(centred**2, axis=0)))


def _root_mean_square(residual: jax.Array) -> jax.Array:
    mean_square = jnp.mean(residual**2)
    zero = mean_square == 0  # the root has no derivative there; 0 is its subgradient. NaN is passed on
    return jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, mean_square)))


def _error(argument: str, of: str, must: str, example: str, kind: type[Exception] = ValueError) -> Exception:
    return kind(f"Argument `{argument}` of {of} ({_MEANING[argument]}) {must}. Example: {example}")
