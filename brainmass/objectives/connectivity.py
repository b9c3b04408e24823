"""Functional connectivity, and how alike two of them are."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from brainmass._common.typing import Array, Numbers
from brainmass.objectives import _checks as check
from brainmass.objectives._checks import Objective
from brainmass.objectives._made import makes_objective
from brainmass.signals.correlation import above_diagonal, correlation, correlation_matrix, distance


def functional_connectivity(x: Numbers) -> jax.Array:
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
    return correlation_matrix(check.series(x, "x", "functional_connectivity"))


@makes_objective
def fc_corr(as_loss: bool = False, *, target_is_fc: bool | None = None) -> Objective:
    """Pearson correlation of two functional connectivities, over the entries above the diagonal.

    Parameters
    ----------
    as_loss : bool
        Return 1 - correlation, in [0, 2], instead of the correlation, in [-1, 1].
    target_is_fc : bool, optional
        Whether `target` is a functional connectivity matrix (R, R) rather than a time series (T', R). Unsaid, a
        symmetric target with unit diagonal is a matrix, with a warning; any other square one must be said.

    Returns
    -------
    callable
        `f(prediction, target)`; prediction of shape (T, R) with R >= 3. T and T' may differ.
        0 correlation if either side is the same between all pairs of regions.
    """

    as_loss = check.flag(as_loss, "as_loss", "fc_corr")
    target_is_fc = check.flag_or_none(target_is_fc, "target_is_fc", "fc_corr")

    def corr(prediction: Array, target: Array) -> jax.Array:
        # Two regions have one pair, over which there is nothing to correlate.
        fc_p, fc_t = _two_connectivities(prediction, target, target_is_fc, "fc_corr", min_regions=3)
        # Each pair once: the diagonal is 1 in both, and would raise any correlation.
        r = correlation(above_diagonal(fc_p), above_diagonal(fc_t))
        return 1.0 - r if as_loss else r

    return corr


@makes_objective
def fc_rmse(*, target_is_fc: bool | None = None) -> Objective:
    """Root mean square difference of two functional connectivities, over all R² entries.

    The diagonal, where both are 1, is counted: the value is sqrt(1 - 1/R) times that of the entries off the
    diagonal.

    Parameters
    ----------
    target_is_fc : bool, optional
        Whether `target` is a functional connectivity matrix (R, R) rather than a time series (T', R). Unsaid, a
        symmetric target with unit diagonal is a matrix, with a warning; any other square one must be said.

    Returns
    -------
    callable
        `f(prediction, target)`, in [0, 2]; prediction of shape (T, R) with R >= 2. T and T' may differ.
    """

    target_is_fc = check.flag_or_none(target_is_fc, "target_is_fc", "fc_rmse")

    def rmse(prediction: Array, target: Array) -> jax.Array:
        fc_p, fc_t = _two_connectivities(prediction, target, target_is_fc, "fc_rmse", min_regions=2)
        return distance(fc_p, fc_t)

    return rmse


@makes_objective
def fc_mean(*, target_is_fc: bool | None = None) -> Objective:
    """Difference of the mean functional connectivities, absolute: how strong connections are, over all pairs.

    Parameters
    ----------
    target_is_fc : bool, optional
        As in `fc_corr`.

    Returns
    -------
    callable
        `f(prediction, target)`, in [0, 2]; prediction of shape (T, R) with R >= 3.
    """
    return _moment(jnp.mean, target_is_fc, "fc_mean")


@makes_objective
def fc_variance(*, target_is_fc: bool | None = None) -> Objective:
    """Difference of the variances of functional connectivity over pairs of regions, absolute: how different they are.

    Parameters
    ----------
    target_is_fc : bool, optional
        As in `fc_corr`.

    Returns
    -------
    callable
        `f(prediction, target)`, in [0, 1]; prediction of shape (T, R) with R >= 3. The variance is the mean square
        about the mean.
    """
    return _moment(jnp.var, target_is_fc, "fc_variance")


def _moment(moment: Callable[[jax.Array], jax.Array], target_is_fc: bool | None, of: str) -> Objective:
    target_is_fc = check.flag_or_none(target_is_fc, "target_is_fc", of)

    def difference(prediction: Array, target: Array) -> jax.Array:
        pair = _two_connectivities(prediction, target, target_is_fc, of, min_regions=3)
        # Without the diagonal, whose ones are no connections.
        p, t = (moment(above_diagonal(fc)) for fc in pair)
        return jnp.abs(p - t)

    return difference


def _two_connectivities(
    prediction: Array, target: Array, target_is_fc: bool | None, objective: str, min_regions: int
) -> tuple[jax.Array, jax.Array]:
    pair = check.series_and_matrix(prediction, target, correlation_matrix, "target_is_fc", target_is_fc, objective)
    check.at_least_regions(min_regions, pair[0].shape[0], "prediction", objective, check.both_series(objective))
    return pair
