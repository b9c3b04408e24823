"""Smooth densities of functional connectivity dynamics, and distances between densities."""

from __future__ import annotations

import math
from numbers import Real

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from brainmass._common.checks import numbers
from brainmass._common.messages import argument_error
from brainmass._common.typing import Array, Numbers
from brainmass.objectives import _checks as check
from brainmass.signals.correlation import above_diagonal, root

_EXAMPLE = "fcd_distribution(fcd_matrix(bold))"


def fcd_distribution(
    fcd_matrix: object,
    midpoints: Numbers = None,
    n_diag: int = 1,
    bw_method: str | float | None = None,
    normalize: bool = True,
) -> jax.Array:
    """Probability density of the entries of functional connectivity dynamics (FCD).

    A Gaussian kernel density estimate, as `scipy.stats.gaussian_kde`, which makes it differentiable. The
    kernel is at least a quarter as wide (standard deviation) as the midpoints are apart: a narrower one, as
    of equal entries, would fall between them.

    Parameters
    ----------
    fcd_matrix : array, shape (W, W) or (K,)
        FCD of W windows, symmetric; or entries pooled from several, which are taken as they are.
    midpoints : array, shape (M,), optional
        Where the density is evaluated: increasing, evenly spaced. By default 100 points from -0.99 to 0.99.
    n_diag : int
        First diagonal above the main one that counts, >= 1. With `ceil(window_size / step_size)` only pairs
        of windows without common samples count.
    bw_method : "scott", "silverman" or float, optional
        Kernel's standard deviation over that of the entries: by default Scott's K^(-1/5).
    normalize : bool
        Scale the densities such that their sum times the spacing of the midpoints is 1.

    Returns
    -------
    Array, shape (M,)
        Not negative. 0 everywhere if no entry comes near the midpoints.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as said here, or fewer than two entries count.

    Examples
    --------
    >>> import jax
    >>> import numpy as np
    >>> from brainmass.objectives import fcd_matrix
    >>> bold = jax.random.normal(jax.random.key(0), (200, 5))
    >>> density = fcd_distribution(fcd_matrix(bold), midpoints=np.linspace(-0.95, 0.95, 20))
    >>> round(float(density.sum()) * 0.1, 5)
    1.0
    """
    entries = fcd_entries(check.real(fcd_matrix, "fcd_matrix", "fcd_distribution"), n_diag, "fcd_distribution")
    check_bw_method(bw_method, "fcd_distribution")
    points = check_midpoints(midpoints, "fcd_distribution")
    normalize = check.flag(normalize, "normalize", "fcd_distribution")
    return density(entries, points, bw_method, normalize)


def ks_distance(p: Numbers, q: object) -> jax.Array:
    """Kolmogorov-Smirnov distance of two densities given at the same points, evenly spaced.

    The largest difference of their distribution functions `cumsum(p) / sum(p)`, in [0, 1]. The scale of a
    density does not matter. Where all of a density is 0, so is its distribution function.

    Parameters
    ----------
    p, q : array, shape (M,)
        Densities or counts, not negative.

    Examples
    --------
    >>> float(ks_distance([1.0, 1.0, 0.0], [0.0, 1.0, 1.0]))
    0.5
    """
    return jnp.max(jnp.abs(_difference(*_two_densities(p, q, "ks_distance"))))


def wasserstein_1d(p: Numbers, q: object, x: Numbers) -> jax.Array:
    """First Wasserstein distance (earth mover's distance) of two distributions over the same points.

    The integral of the absolute difference of their distribution functions, in the unit of `x`. As
    `scipy.stats.wasserstein_distance(x, x, p, q)`: `p` and `q` are weights of the points, whatever their sums.

    Parameters
    ----------
    p, q : array, shape (M,)
        Weights, not negative; densities if the points are evenly spaced.
    x : array, shape (M,)
        Points, increasing.

    Examples
    --------
    >>> float(wasserstein_1d([1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 2.0]))
    2.0
    """
    densities = _two_densities(p, q, "wasserstein_1d")
    points = check.real(x, "x", "wasserstein_1d")
    if points.shape != densities[0].shape:
        raise argument_error(
            check.what("x", "wasserstein_1d"),
            "must be of the shape of `p`",
            f"is {points.shape} against {densities[0].shape}",
            "wasserstein_1d(p, q, np.linspace(-0.99, 0.99, p.size))",
        )
    if not (_is_traced(x) or (np.diff(np.asarray(u.get_mantissa(x), float)) > 0).all()):
        raise argument_error(
            check.what("x", "wasserstein_1d"),
            "must increase",
            "does not",
            "wasserstein_1d(p, q, np.linspace(-0.99, 0.99, p.size))",
        )
    # Between two points the distribution functions are constant: the sum is the integral.
    return jnp.sum(jnp.abs(_difference(*densities)[:-1]) * jnp.diff(points))


def fcd_entries(fcd: jax.Array, n_diag: int, of: str, argument: str = "fcd_matrix") -> jax.Array:
    """The entries that count, as a vector; pooled entries as they are."""
    first = check.whole(n_diag, "n_diag", of, 1, f"{of}(..., n_diag=1)")
    if fcd.ndim != 1:
        # One half: an FCD is symmetric, and each pair of windows is to count once.
        entries = above_diagonal(check.square(fcd, argument, of, "(window, window)", _EXAMPLE), first)
    else:
        # Pooled from several recordings there are no diagonals left to choose by.
        entries = fcd
    if entries.size < 2:
        raise argument_error(
            check.what(argument, of),
            f"must have two entries or more from diagonal n_diag={first} on",
            f"has {entries.size}",
            "a longer signal or a smaller step_size",
        )
    return entries


def density(entries: jax.Array, points: np.ndarray, bw_method: str | float | None, normalize: bool) -> jax.Array:
    """Gaussian kernel density estimate at `points`."""
    spacing = float(points[1] - points[0])
    factor = _kernel_factor(bw_method, entries.size)
    # Not that of jax.scipy.stats, which has no least width: of entries that are all equal its density is a needle of
    # height 2e7 that falls between the points, with slopes of 4e13.
    # Shifted by a constant: the spread of nearly equal entries keeps its digits.
    deviation = root(jnp.var(entries - jax.lax.stop_gradient(entries[0]), ddof=1))
    width = jnp.maximum(factor * deviation, spacing / 4)
    z = (jnp.asarray(points, entries.dtype)[:, None] - entries) / width
    values = jnp.mean(jnp.exp(-0.5 * z**2), axis=1) / (width * math.sqrt(2 * math.pi))
    return values / (_sum_or_one(values) * spacing) if normalize else values


def check_bw_method(bw_method: object, of: str) -> None:
    known = bw_method is None or (isinstance(bw_method, str) and bw_method in ("scott", "silverman"))
    number = isinstance(bw_method, Real) and not isinstance(bw_method, bool) and float(bw_method) > 0
    if not (known or number):
        raise argument_error(
            check.what("bw_method", of),
            "must be 'scott', 'silverman', a number > 0 or None",
            f"is {bw_method!r}",
            f"{of}(..., bw_method='scott')",
        )


def check_midpoints(midpoints: Numbers, of: str) -> np.ndarray:
    """The points as numbers, known when the objective is made."""
    if midpoints is None:
        return np.linspace(-0.99, 0.99, 100)
    example = f"{of}(..., midpoints=np.linspace(-0.99, 0.99, 100))"
    # Their spacing decides the least width of the kernel, as a number.
    if _is_traced(midpoints):
        raise argument_error(check.what("midpoints", of), "must be known at compilation", "is traced", example)
    points = np.asarray(numbers(check.what("midpoints", of), midpoints, unit=u.UNITLESS, example=example), float)
    steps = np.diff(points) if points.ndim == 1 else np.zeros(0)
    # Steps that differ by rounding are even: points may have been made in single precision.
    if steps.size == 0 or not (steps > 0).all() or not np.allclose(steps, steps.mean(), rtol=1e-3):
        shown = f"is of shape {points.shape}" if steps.size == 0 else f"has spacings {steps.min():g} to {steps.max():g}"
        raise argument_error(
            check.what("midpoints", of), "must be a vector, increasing in even steps", f"{shown}", example
        )
    return points


def _is_traced(x: Array) -> bool:
    return isinstance(u.get_mantissa(x), Tracer)


def _kernel_factor(bw_method: str | float | None, count: int) -> float:
    # Scott 1992 and Silverman 1986, of one dimension: the factors of `scipy.stats.gaussian_kde`.
    if bw_method is None or bw_method == "scott":
        return count ** (-1 / 5)
    if bw_method == "silverman":
        return (count * 3 / 4) ** (-1 / 5)
    return float(bw_method)


def _two_densities(p: Array, q: object, of: str) -> tuple[jax.Array, jax.Array]:
    call = "ks_distance(p, q)" if of == "ks_distance" else "wasserstein_1d(p, q, x)"
    pair = _density(p, "p", of, call), _density(q, "q", of, call)
    if pair[0].shape != pair[1].shape:
        raise argument_error(
            check.what("p", of),
            "must be of the shape of `q`",
            f"is {pair[0].shape} against {pair[1].shape}",
            f"{call} with both at the same midpoints",
        )
    return pair


def _density(values: Numbers, argument: str, of: str, call: str) -> jax.Array:
    numbers = check.real(values, argument, of)
    if numbers.ndim != 1 or numbers.size < 2:
        raise argument_error(
            check.what(argument, of),
            "must be a vector of two densities or more",
            f"is of shape {numbers.shape}",
            f"{call}; jax.vmap over further axes",
        )
    if not _is_traced(values) and (np.asarray(u.get_mantissa(values)) < 0).any():
        raise argument_error(check.what(argument, of), "must not be negative", "is somewhere", f"{call} of densities")
    return numbers


def _difference(p: jax.Array, q: jax.Array) -> jax.Array:
    """Of the two distribution functions; one within their rounding is 0, since its direction is chance."""
    # By its own sum each, not by the spacing: a density that is cut off by the midpoints still ends at 1.
    difference = jnp.cumsum(p) / _sum_or_one(p) - jnp.cumsum(q) / _sum_or_one(q)
    return jnp.where(jnp.abs(difference) <= 8 * jnp.finfo(difference.dtype).eps, 0.0, difference)


def _sum_or_one(values: jax.Array) -> jax.Array:
    total = jnp.sum(values)
    # Where all is zero, nothing over nothing is to be zero.
    return jnp.where(total == 0, 1.0, total)
