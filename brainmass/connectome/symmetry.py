"""Weights that are the same both ways."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["COMBINED", "listed_both_ways", "mirrored", "triangle"]


def _larger(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """The one of larger size; of two of one size, the positive one."""
    # From both ends the same one, as the weights are to be the same both ways.
    larger = np.where(np.abs(there) > np.abs(back), there, back)
    return np.where(np.abs(there) == np.abs(back), np.maximum(there, back), larger)


#: what becomes of the weights there and back
COMBINED: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": lambda there, back: (there + back) / 2,
    "max": _larger,
    "sum": lambda there, back: there + back,
}


def triangle(weights: np.ndarray) -> str | None:
    """'upper' or 'lower', where that half alone of a matrix of three regions or more is filled."""
    if (
        weights.ndim != 2
        or weights.shape[0] != weights.shape[1]
        # One connection between two regions is as likely meant so.
        or len(weights) < 3
        or weights.dtype.kind not in "biuf"
    ):
        return None
    upper, lower = np.triu(weights, 1).any(), np.tril(weights, -1).any()
    return None if upper == lower else "upper" if upper else "lower"


def mirrored(weights: np.ndarray) -> np.ndarray:
    """Both halves of a triangular matrix."""
    return weights + weights.T - np.diag(np.diag(weights))


def listed_both_ways(
    n: int, source: np.ndarray, target: np.ndarray, weight: np.ndarray, length: np.ndarray | None, by: str
) -> tuple[np.ndarray, ...]:
    """Source, target, weight and length of the connections there and back; the longer of two lengths."""
    keys = target.astype(np.int64) * n + source
    every = np.union1d(keys, source.astype(np.int64) * n + target)
    rows, columns = np.divmod(every, n)
    there, back = _at(keys, weight, every), _at(keys, weight, columns * n + rows)
    # A self-connection is one, and not two that are added.
    weights = np.where(rows == columns, there, COMBINED[by](there, back))
    if length is None:
        return columns, rows, weights
    return columns, rows, weights, np.maximum(_at(keys, length, every), _at(keys, length, columns * n + rows))


def _at(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Values by their keys; 0 where there is none."""
    if not keys.size:
        return np.zeros(wanted.shape)
    order = np.argsort(keys)
    # What lies beyond the last key is compared with that, and is another.
    place = np.minimum(np.searchsorted(keys, wanted, sorter=order), keys.size - 1)
    found = order[place]
    return np.where(keys[found] == wanted, values[found], 0.0)
