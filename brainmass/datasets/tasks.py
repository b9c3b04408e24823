"""Synthetic tasks for networks that learn."""

from __future__ import annotations

import numpy as np

from brainmass._common.checks import MOST, whole
from brainmass._common.messages import Argument

__all__ = ["delayed_match_task"]


def delayed_match_task(
    n_samples: int = 128, *, seq_len: int = 10, n_symbols: int = 4, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Delayed match to sample: is the symbol at the end the one that was shown at the beginning?

    The first step shows a symbol, the last another or the same; in between there is nothing to see. In half of the
    samples, rounded down, the symbols match.

    Parameters
    ----------
    n_samples : int
        Number of samples, at least 1.
    seq_len : int
        Number of steps, at least 2.
    n_symbols : int
        Number of different symbols, at least 2.
    seed : int
        Decides the symbols; a set with another seed is for testing.

    Returns
    -------
    inputs : float array (n_samples, seq_len, n_symbols)
        One-hot.
    targets : int array (n_samples,)
        1 where the symbols match, else 0.

    Raises
    ------
    ValueError
        If a number is no int or too small.
    """
    least = {"n_samples": (n_samples, 1), "seq_len": (seq_len, 2), "n_symbols": (n_symbols, 2), "seed": (seed, 0)}
    for name, (value, smallest) in least.items():
        whole(Argument(name, "delayed_match_task"), value, smallest)
    if n_samples * seq_len * n_symbols > MOST:
        raise ValueError(
            f"Arguments {', '.join(map('`{}`'.format, list(least)[:3]))} of delayed_match_task must have a product of "
            f"{MOST} at most, but have {n_samples * seq_len * n_symbols}."
        )
    rng = np.random.default_rng(seed)
    targets = rng.permutation(np.arange(n_samples) < n_samples // 2).astype(np.int32)
    first = rng.integers(n_symbols, size=n_samples)
    # One to n - 1 further round: each of the others, and never the same.
    other = (first + rng.integers(1, n_symbols, size=n_samples)) % n_symbols
    inputs = np.zeros((n_samples, seq_len, n_symbols), np.float32)
    inputs[np.arange(n_samples), 0, first] = 1
    inputs[np.arange(n_samples), -1, np.where(targets, first, other)] = 1
    return inputs, targets
