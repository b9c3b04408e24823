"""What is measured of responses to a stimulus: how complex they are, and how long they last."""

from __future__ import annotations

import functools
from collections.abc import Callable

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import as_array, is_traced
from brainmass._common.messages import argument_error
from brainmass._common.typing import Array, Numbers, Time
from brainmass.objectives import _checks as check
from brainmass.signals.complexity import entropy_of_source, lempel_ziv

__all__ = ["decay_time", "lempel_ziv_complexity", "perturbational_complexity", "state_transition_complexity"]


def decay_time(response: Numbers, sampling_period: Time) -> u.Quantity:
    r"""Time constant of the decay of responses, :math:`2 \int t\,x^2\,dt / \int x^2\,dt` from the first sample on.

    Of :math:`e^{-t/\tau}` it is :math:`\tau`, of what is zero 0. It has a slope in the response, so that a fit can
    have it as its objective.

    Parameters
    ----------
    response : array, shape (time, region)
        Differences to rest, long enough to have decayed.
    sampling_period : Quantity of time

    Returns
    -------
    Quantity, shape (region,)
        In ms.

    Examples
    --------
    >>> import brainunit as u
    >>> import jax.numpy as jnp
    >>> t = jnp.arange(0.0, 300.0)[:, None]
    >>> time = decay_time(jnp.exp(-t / 20.0), 1.0 * u.ms)
    >>> print(f"{time[0].to_decimal(u.ms):.2f}")
    20.02
    """
    of = "decay_time"
    period = 1e3 * check.seconds(sampling_period, of, "decay_time(x, 1 * u.ms)")
    x = check.series(response, "response", of)
    # In its own size, and where all is zero by one: no NaN, nor in the gradient.
    size = jnp.max(jnp.abs(x), axis=0)
    squares = (x / jnp.where(size > 0, size, 1.0)) ** 2
    # From the middles of the steps: from their beginnings an exponential would decay one whole step faster.
    times = (jnp.arange(len(x)) + 0.5)[:, None] * period
    total = squares.sum(axis=0)
    return u.Quantity(2 * (times * squares).sum(axis=0) / jnp.where(total > 0, total, 1.0), unit=u.ms)


def lempel_ziv_complexity(x: Array, normalize: bool = True) -> Numbers:
    r"""Complexity of Lempel and Ziv of a binary sequence, or matrix: how many different words it is made of.

    Parameters
    ----------
    x : array of 0 and 1, or of bools, shape (time,) or (time, region)
        Of a matrix words lie within one sample, from region to region, as for the perturbational complexity.
    normalize : bool
        Whether to divide the number of words by :math:`L H / \log_2 L`, of the number of entries and the entropy of
        their source: a random sequence comes to 1 from above as it gets longer, a constant one is 0.

    References
    ----------
    Lempel, Ziv 1976, IEEE Trans. Inf. Theory 22:75; Casali et al. 2013, Sci. Transl. Med. 5:198ra105.

    Examples
    --------
    >>> lempel_ziv_complexity([1, 0, 0, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 1, 0], normalize=False)
    6
    """
    of = "lempel_ziv_complexity"
    check.flag(normalize, "normalize", of)
    given = as_array(x)
    values = check.real(
        # `real` refuses bools, which here are 0 and 1.
        given.astype(np.uint8) if np.dtype(getattr(given, "dtype", float)).kind == "b" else given,
        "x",
        of,
    )
    if is_traced(values):
        rule = "must be numbers that are known, not those of a trace"
        raise argument_error(check.what("x", of), rule, "is within jax.jit, grad or vmap", kind=TypeError)
    values = np.asarray(values)
    if values.ndim not in (1, 2) or values.size < 2 or not np.isin(values, (0, 1)).all():
        rule = "must be 0 and 1, of shape (time,) or (time, region), and two or more"
        raise argument_error(check.what("x", of), rule, f"is of shape {values.shape}", "x > threshold")
    binary = values.astype(np.uint8) if values.ndim == 2 else values.astype(np.uint8)[None]
    return _normalized(binary) if normalize else lempel_ziv(binary)


def perturbational_complexity(
    response: Numbers, baseline: Numbers, *, alpha: float = 0.01, n_surrogates: int = 200, seed: int = 0
) -> Numbers:
    r"""Perturbational complexity index: how complex the pattern of significant responses is in space and time.

    Responses averaged over trials are significant where they are larger than the `1 - alpha` quantile of the largest
    values, over regions and time, of surrogates: averages of the baseline at times that are drawn anew in each trial.
    Regions are sorted by how long they respond; then it is the normalised `lempel_ziv_complexity` of the pattern, 0
    where nothing is significant. It can be called within `jax.jit` and so in searches without gradients; it has no
    slope.

    Parameters
    ----------
    response, baseline : array, shape (trial, time, region), or (time, region) of one trial
        After the stimulus and before it, of the same trials.
    alpha : float
        Between 0 and 1.
    n_surrogates, seed : int
        How many, and what they are drawn with.

    References
    ----------
    Casali et al. 2013, Sci. Transl. Med. 5:198ra105.
    """
    of = "perturbational_complexity"
    check.number(alpha, "alpha", of, "between 0 and 1", lambda x: (x > 0) & (x < 1), "alpha=0.01")
    check.whole(n_surrogates, "n_surrogates", of, 2, "n_surrogates=200")
    check.whole(seed, "seed", of, 0, "seed=0")
    after, before = _trials(response, "response", of), _trials(baseline, "baseline", of)
    if after.shape[::2] != before.shape[::2]:
        rule = f"must have as many trials and regions as `response`, {after.shape[0]} and {after.shape[2]}"
        raise argument_error(check.what("baseline", of), rule, f"has {before.shape[0]} and {before.shape[2]}")
    # Within a trace the numbers are not known; a region that is constant is then one without responses.
    if not is_traced(before) and not np.ptp(np.asarray(before), axis=(0, 1)).all():
        rule = "must vary in all regions, as a response is significant against that"
        raise argument_error(check.what("baseline", of), rule, "is constant in one")
    return _outside(functools.partial(_complexity, alpha, n_surrogates, seed), after, before)


def state_transition_complexity(
    response: Numbers,
    baseline: Numbers,
    *,
    k: float = 1.2,
    least_snr: float = 1.1,
    variance: float = 0.99,
    n_thresholds: int = 100,
) -> Numbers:
    r"""Perturbational complexity by state transitions, PCI\ :sup:`ST`, of a mean response.

    Of each principal component of the response, how often it goes to another state and back, more than `k` times what
    the baseline does: a state is what lies within a threshold, which is the one with the largest difference. It is
    the sum over components. Noise that passes `least_snr` counts as well: average over many trials. It can be called
    within `jax.jit`, and has no slope.

    Parameters
    ----------
    response, baseline : array, shape (time, region)
        After the stimulus and before it; the mean of the baseline is taken off both.
    k : float
        Weight of the baseline.
    least_snr : float
        Smallest ratio of the sizes (root mean square) of response and baseline in a component that counts.
    variance : float
        Of the response, which the components make up together.
    n_thresholds : int
        From the median distance in the baseline to the largest in the response.

    References
    ----------
    Comolatti et al. 2019, Brain Stimul. 12:1280.
    """
    of = "state_transition_complexity"
    for name, value in (("k", k), ("least_snr", least_snr)):
        check.number(value, name, of, ">= 0", lambda x: x >= 0, f"{name}=1.2")
    check.number(variance, "variance", of, "above 0, at most 1", lambda x: (x > 0) & (x <= 1), "variance=0.99")
    check.whole(n_thresholds, "n_thresholds", of, 2, "n_thresholds=100")
    after, before = check.series(response, "response", of), check.series(baseline, "baseline", of)
    if after.shape[1] != before.shape[1]:
        rule = f"must have as many regions as `response`, {after.shape[1]}"
        raise argument_error(check.what("baseline", of), rule, f"has {before.shape[1]}")
    return _outside(functools.partial(_transitions, k, least_snr, variance, n_thresholds), after, before)


# --- by numpy, outside of traces ----------------------------------------------------------------------------------
def _outside(measure: Callable[[np.ndarray, np.ndarray], float], after: jax.Array, before: jax.Array) -> Numbers:
    """A measure of numpy's as a number of Python, or within a trace as one of its arrays."""
    if not is_traced((after, before)):
        return measure(np.asarray(after, float), np.asarray(before, float))
    dtype = jnp.result_type(float)

    def call(after: np.ndarray, before: np.ndarray) -> np.ndarray:
        return np.asarray(measure(np.asarray(after, float), np.asarray(before, float)), dtype)

    # Sorting, words and components of varying number have no shape that XLA could know; lanes come one by one.
    return jax.pure_callback(call, jax.ShapeDtypeStruct((), dtype), after, before, vmap_method="sequential")


def _trials(x: Numbers, argument: str, of: str) -> jax.Array:
    values = check.real(x, argument, of)
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[1] < 2 or not values.size:
        rule = "must be of shape (trial, time, region) or (time, region), with 2 samples or more"
        raise argument_error(check.what(argument, of), rule, f"is of shape {values.shape}")
    return values


def _complexity(alpha: float, n_surrogates: int, seed: int, after: np.ndarray, before: np.ndarray) -> float:
    centre, scale = before.mean(axis=(0, 1)), before.std(axis=(0, 1))
    # A region that never varies at rest is not significant in the response either.
    scale = np.where(scale > 0, scale, np.inf)
    rest, rng = (before - centre) / scale, np.random.default_rng(seed)
    n, length, _ = rest.shape
    # The largest over regions and time of each: so `alpha` is the chance of a single false response anywhere.
    largest = [
        np.abs(rest[np.arange(n), rng.integers(length, size=(length, n))].mean(axis=1)).max()
        for _ in range(n_surrogates)
    ]
    significant = np.abs((after.mean(axis=0) - centre) / scale) > np.quantile(largest, 1 - alpha)
    # Regions that respond equally long keep their order, so that a pattern has one complexity.
    order = np.argsort(-significant.sum(axis=0), kind="stable")
    return _normalized(significant[:, order].astype(np.uint8))


def _normalized(binary: np.ndarray) -> float:
    entropy = entropy_of_source(float(binary.mean()))
    return lempel_ziv(binary) * np.log2(binary.size) / (binary.size * entropy) if entropy > 0 else 0.0


def _transitions(k: float, least_snr: float, variance: float, n: int, after: np.ndarray, before: np.ndarray) -> float:
    after, before = after - before.mean(axis=0), before - before.mean(axis=0)
    _, sizes, axes = np.linalg.svd(after, full_matrices=False)
    if not sizes.any():
        return 0.0
    share = np.cumsum(sizes**2) / np.sum(sizes**2)
    # Rounding may leave the last share just below 1: no component of nothing is to be added for it.
    axes = axes[: int((share < variance * (1 - 1e-12)).sum()) + 1]
    total = 0.0
    for axis in axes:
        response, rest = after @ axis, before @ axis
        if np.sqrt(np.mean(response**2)) <= least_snr * np.sqrt(np.mean(rest**2)):
            continue
        of_response, of_rest = (np.abs(x[:, None] - x) for x in (response, rest))
        thresholds = np.linspace(np.median(of_rest), of_response.max(), n)
        more = _changes(of_response, thresholds) - k * _changes(of_rest, thresholds)
        total += max(0.0, float(more.max())) * len(response)
    return total


def _changes(distances: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Over all pairs of times, the share of those that come within a threshold or leave it in the next sample."""
    # A pair changes at the thresholds from its smaller to its larger distance: sorted once, those are counted by
    # bisection, where the definition has a matrix of states for each threshold.
    first, second = distances[:, :-1], distances[:, 1:]
    nearer, farther = (np.sort(f(first, second), axis=None) for f in (np.minimum, np.maximum))
    within = [np.searchsorted(x, thresholds, side="right") for x in (nearer, farther)]
    return (within[0] - within[1]) / distances.size
