"""How well chains agree and how much their draws are worth (Vehtari et al. 2021, Bayesian Anal. 16:667).

Libraries have both, but ArviZ takes seconds to import, and blackjax's, of many small operations of JAX, took 7 s of CPU
time for the first ten numbers, or 2.4 s in one program, which serves one shape alone; this takes 0.01 s.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import ndtri
from scipy.stats import rankdata

__all__ = ["effective_draws", "effective_draws_of_tails", "r_hat"]


def r_hat(x: np.ndarray) -> np.ndarray:
    """Rank-normalised split r̂ of draws (chain, draw, number), the larger of that of place and that of spread.

    NaN of a single chain, of fewer than four draws, and of draws that are not numbers.
    """
    if x.shape[0] < 2 or x.shape[1] < 4:
        return np.full(x.shape[2], np.nan)
    halves = _halves(x)
    spread = np.abs(halves - np.median(halves, axis=(0, 1)))
    # `fmax` passes NaN over: of draws that are all equally far from the median the spread has none.
    return _defined(np.fmax(_between_chains(_normal_scores(halves)), _between_chains(_normal_scores(spread))), x)


def effective_draws(x: np.ndarray) -> np.ndarray:
    """How many independent draws would tell as much of the middle; none, of draws that never change."""
    return _effective(_normal_scores(_halves(x)), x)


def effective_draws_of_tails(x: np.ndarray) -> np.ndarray:
    """How many would tell as much of the 5 % and 95 % quantiles: the smaller of the two."""
    shares = [_halves(x <= np.quantile(x, p, axis=(0, 1))).astype(float) for p in (0.05, 0.95)]
    return np.minimum(*(_effective(share, x) for share in shares))


def _halves(x: np.ndarray) -> np.ndarray:
    """Chains cut in two, so that one that drifts does not agree with itself."""
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, -half:]]) if half else x


def _normal_scores(x: np.ndarray) -> np.ndarray:
    """Blom's, of the ranks in all chains together."""
    n = x.shape[0] * x.shape[1]
    ranks = rankdata(x.reshape(n, -1), axis=0)
    return ndtri((ranks - 0.375) / (n + 0.25)).reshape(x.shape)


def _between_chains(x: np.ndarray) -> np.ndarray:
    n = x.shape[1]
    within, between = x.var(axis=1, ddof=1).mean(axis=0), x.mean(axis=1).var(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # chains that never change
        return np.sqrt(between / within + (n - 1) / n)


def _effective(scores: np.ndarray, x: np.ndarray) -> np.ndarray:
    """By Geyer's initial monotone sequence of autocorrelations of what was made of the draws `x`."""
    m, n = scores.shape[:2]
    if n < 4:
        return np.full(x.shape[2], np.nan)
    means, size = scores.mean(axis=1), next_fast_len(2 * n, real=True)
    # Padded to twice the length, so that the end of a chain is not multiplied with its beginning.
    powers = np.abs(np.asarray(rfft(scores - means[:, None], size, axis=1))) ** 2
    covariance = np.asarray(irfft(powers, size, axis=1))[:, :n].mean(axis=0) / n
    total = covariance[0] + means.var(axis=0, ddof=1)
    lengths = np.array([_length(*parts, n) for parts in zip(covariance.T, total, strict=True)])
    # Antithetic chains are worth more than their draws, but no more than n log10(n) of them (Vehtari et al. 2021).
    worth = m * n / np.maximum(lengths, 1 / np.log10(m * n))
    worth = np.where(np.ptp(x, axis=(0, 1)) > 0, worth, 0.0)
    return _defined(worth, x)


def _length(covariance: np.ndarray, total: float, n: int) -> float:
    """The sum of autocorrelations over positive and negative lags, cut where pairs of them are noise."""
    if not total > 0:
        return np.inf
    # By how far chains differ, too: those that do not agree are worth little.
    rho = 1 - (covariance[0] * n / (n - 1) - covariance) / total
    rho[0] = 1.0
    pairs = rho[: n - 1 - (n - 1) % 2].reshape(-1, 2)
    # Geyer 1992: of a reversible chain sums of two neighbours are positive and fall; where they do not, it is noise.
    sums = pairs.sum(axis=1)
    end = int(np.argmax(sums < 0)) if (sums < 0).any() else len(sums) - 1
    return 2 * np.minimum.accumulate(sums[:end]).sum() - 1 + max(pairs[end, 0], 0.0)


def _defined(found: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(x).any(axis=(0, 1)), np.nan, found)
