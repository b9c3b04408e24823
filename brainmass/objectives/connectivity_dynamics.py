"""Functional connectivity dynamics (FCD): how alike the functional connectivity is from window to window.

Hansen et al. 2015, NeuroImage 105:525. Distances of its distribution: Deco et al. 2021, Sci. Adv. 7:eabf4752.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

from brainmass._common.messages import argument_error
from brainmass._common.typing import Array, Numbers
from brainmass.objectives import _checks as check
from brainmass.objectives import distributions
from brainmass.objectives._checks import Objective
from brainmass.objectives._made import makes_objective
from brainmass.signals.correlation import above_diagonal, correlation, correlation_matrix
from brainmass.signals.windows import windows


def fcd_matrix(x: Numbers, window_size: int = 30, step_size: int = 5) -> jax.Array:
    """Functional connectivity dynamics: Pearson correlation between the connectivities of all pairs of windows.

    Windows start at samples 0, step_size, 2 step_size, ... as long as they fit. Of each, the functional
    connectivities above the diagonal make a vector; those vectors are correlated.

    Parameters
    ----------
    x : array or Quantity, shape (T, R)
        Time series, T >= window_size, R >= 3. Its unit does not matter.
    window_size : int
        Samples in a window, >= 2.
    step_size : int
        Samples from one window to the next, >= 1.

    Returns
    -------
    Array, shape (W, W)
        W = (T - window_size) // step_size + 1. In [-1, 1], symmetric; diagonal 1; 0 between a window in which
        all pairs of regions are correlated alike and any other.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as said here.
    """
    return fcd_of(x, "x", window_size, step_size, "fcd_matrix")


def fcd_of(x: Numbers, argument: str, window_size: int, step_size: int, of: str) -> jax.Array:
    """The same, whose errors name the argument and the function by which `x` was given."""
    size, step = _window(window_size, step_size, of)
    return _dynamics(x, argument, size, step, 1, of)


@makes_objective
def fcd(
    window_size: int = 30, step_size: int = 5, as_loss: bool = False, *, target_is_fcd: bool | None = None
) -> Objective:
    """Pearson correlation of two FCD matrices, over the entries above the diagonal.

    It compares window by window, as for two responses to the same stimulus. Of two recordings at rest compare
    the distributions: `fcd_ks`, `fcd_wasserstein`.

    Parameters
    ----------
    window_size, step_size : int
        Samples in a window (>= 2), and from one window to the next (>= 1).
    as_loss : bool
        Return 1 - correlation, in [0, 2], instead of the correlation, in [-1, 1].
    target_is_fcd : bool, optional
        Whether `target` is an FCD matrix (W, W) rather than a time series (T, R'); to be said where it is square.

    Returns
    -------
    callable
        `f(prediction, target)`; prediction of shape (T, R) with R >= 3 and three windows or more, as many as in
        the target. With `target=None` (not as a loss) the FCD matrix of the prediction.
    """
    size, step = _window(window_size, step_size, "fcd")
    as_loss, target_is_fcd = (
        check.flag(as_loss, "as_loss", "fcd"),
        check.flag_or_none(target_is_fcd, "target_is_fcd", "fcd"),
    )

    def corr(prediction: Numbers, target: Numbers = None) -> jax.Array:
        if target is None and not as_loss:
            return _dynamics(prediction, "prediction", size, step, 1, "fcd")
        if target is None:
            raise argument_error(
                check.what("target", "fcd"), "must be given with as_loss=True", "is None", "fcd()(signal, None)"
            )
        p = _dynamics(prediction, "prediction", size, step, 3, "fcd")
        t = _target(target, target_is_fcd, size, step, 3, "fcd")
        if p.shape != t.shape:
            raise argument_error(
                check.what("prediction", "fcd"),
                "must have as many windows as `target`",
                f"has {p.shape[0]} against {t.shape[0]}",
                "fcd_ks()(signal, data), which compares distributions",
            )
        r = correlation(above_diagonal(p), above_diagonal(t))
        return 1.0 - r if as_loss else r

    return corr


@makes_objective
def fcd_ks(
    window_size: int = 30,
    step_size: int = 5,
    midpoints: Numbers = None,
    bw_method: str | float | None = None,
    n_diag: int = 1,
    *,
    target_is_fcd: bool | None = None,
) -> Objective:
    """Kolmogorov-Smirnov distance of the FCD distributions of two signals, in [0, 1].

    The densities are those of `fcd_distribution`, smoothed by a Gaussian kernel: the distance has a gradient,
    and is a little below that of the raw entries.

    Parameters
    ----------
    window_size, step_size : int
        Samples in a window (>= 2), and from one window to the next (>= 1).
    midpoints, bw_method, n_diag
        As in `fcd_distribution`.
    target_is_fcd : bool, optional
        Whether `target` is an FCD matrix (W, W), or entries (K,) pooled from several, rather than a time series
        (T', R'); to be said where it is square.

    Returns
    -------
    callable
        `f(prediction, target)`; prediction of shape (T, R) with R >= 3. Lengths and regions may differ.

    Examples
    --------
    >>> import jax
    >>> simulated, measured = jax.random.normal(jax.random.key(0), (2, 200, 5))
    >>> loss = fcd_ks(window_size=30, step_size=5)
    >>> bool(0 <= loss(simulated, measured) <= 1), float(loss(measured, measured))
    (True, 0.0)
    """
    densities, _ = _two_distributions("fcd_ks", window_size, step_size, midpoints, bw_method, n_diag, target_is_fcd)
    return lambda prediction, target: distributions.ks_distance(*densities(prediction, target))


@makes_objective
def fcd_wasserstein(
    window_size: int = 30,
    step_size: int = 5,
    midpoints: Numbers = None,
    bw_method: str | float | None = None,
    n_diag: int = 1,
    *,
    target_is_fcd: bool | None = None,
) -> Objective:
    """First Wasserstein distance of the FCD distributions of two signals, in [0, 2].

    It grows with the distance of two distributions that do not overlap, where `fcd_ks` is 1: a better guide
    far from the data. Arguments and objective as in `fcd_ks`.
    """
    of = "fcd_wasserstein"
    densities, points = _two_distributions(of, window_size, step_size, midpoints, bw_method, n_diag, target_is_fcd)
    return lambda prediction, target: distributions.wasserstein_1d(*densities(prediction, target), points)


def _two_distributions(
    of: str,
    window_size: int,
    step_size: int,
    midpoints: Array,
    bw_method: str | float | None,
    n_diag: int,
    target_is_fcd: bool | None,
) -> tuple[Callable[[Any, Any], tuple[jax.Array, jax.Array]], np.ndarray]:
    """A function that gives both densities, and where they are evaluated."""
    size, step = _window(window_size, step_size, of)
    n_diag = check.whole(n_diag, "n_diag", of, 1, f"{of}(n_diag=1)")
    target_is_fcd = check.flag_or_none(target_is_fcd, "target_is_fcd", of)
    # What does not depend on data is refused when an objective is made, not when a fit first calls it.
    distributions.check_bw_method(bw_method, of)
    points = distributions.check_midpoints(midpoints, of)
    enough = n_diag + 2  # windows that leave two entries or more

    def one(fcd: jax.Array, argument: str) -> jax.Array:
        entries = distributions.fcd_entries(fcd, n_diag, of, argument)
        return distributions.density(entries, points, bw_method, normalize=True)

    def both(prediction: Array, target: Array) -> tuple[jax.Array, jax.Array]:
        p = _dynamics(prediction, "prediction", size, step, enough, of)
        t = _target(target, target_is_fcd, size, step, enough, of)
        return one(p, "prediction"), one(t, "target")

    return both, points


def _window(window_size: object, step_size: object, of: str) -> tuple[int, int]:
    call = "fcd_matrix(x, window_size=30, step_size=5)" if of == "fcd_matrix" else f"{of}(window_size=30, step_size=5)"
    size = check.whole(window_size, "window_size", of, 2, call)
    return size, check.whole(step_size, "step_size", of, 1, call)


def _dynamics(x: Array, argument: str, size: int, step: int, least_windows: int, of: str) -> jax.Array:
    values = check.series(x, argument, of)
    # Two regions have one pair, and windows are compared over pairs.
    check.at_least_regions(3, values.shape[1], argument, of, check.both_series(of))
    samples = size + (least_windows - 1) * step
    reason = f"a window of {size}" if least_windows == 1 else f"{least_windows} windows of {size}, {step} apart"
    example = "fcd_matrix(x, window_size=10)" if of == "fcd_matrix" else f"{of}(window_size=10)"
    check.long_enough(values, samples, argument, of, reason, example)
    return _matrix(values, size, step)


@partial(jax.jit, static_argnums=(1, 2))
def _matrix(x: jax.Array, size: int, step: int) -> jax.Array:
    # (windows, pairs); turned round, as what is correlated stands in columns.
    in_windows = jax.vmap(lambda window: above_diagonal(correlation_matrix(window)))(windows(x, size, step))
    return correlation_matrix(in_windows.T)


def _target(target: Array, is_fcd: bool | None, size: int, step: int, least_windows: int, of: str) -> jax.Array:
    """The FCD of a target, which may be one already."""
    if is_fcd:
        return _given(target, of)
    # For its errors.
    check.target_series(target, "target_is_fcd", is_fcd, of)
    return _dynamics(target, "target", size, step, least_windows, of)


def _given(target: Numbers, of: str) -> jax.Array:
    example = f"{of}(target_is_fcd=True)(signal, fcd_matrix(data))"
    values = check.without_unit(target, "target", of, " with target_is_fcd=True", example)
    # Entries pooled from several recordings, of which no matrix is left.
    if of != "fcd" and values.ndim == 1:
        return values
    return check.square(values, "target", of, "(window, window) with target_is_fcd=True", example)
