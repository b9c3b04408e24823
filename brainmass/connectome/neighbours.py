"""Connections by the region that receives, in tables of equal rows: what a product over a list of them needs.

Regions have unequal numbers of inputs, rows of a table have one width. Five connections onto three regions:

    source -> target        NeighbourTable, as wide as the        SplitTable of width 2, where a region
    1 -> 0                  region with most inputs               with more inputs has several rows
    0 -> 1                  target   sources   weights            targets   sources   weights
    0 -> 2                  0        1 . .     w . .              0         1 .       w .
    1 -> 2                  1        0 . .     w . .              1         0 .       w .
    2 -> 2                  2        0 1 2     w w w              2         0 1       w w
                                                                  2         2 .       w .

What fills a row up is the region itself with weight 0: an activity that is not finite stays where it is.
"""

from __future__ import annotations

from typing import NamedTuple

import brainunit as u
import numpy as np

__all__ = ["Inputs", "NeighbourTable", "SplitTable"]

#: entries of a table of neighbours per connection and region, at most; small tables are never refused
_PADDING = 8
_SMALL_TABLE = 2**20


class NeighbourTable(NamedTuple):
    """Connections by receiving region, in rows of equal width; the rest of a row has weight 0 and length 0."""

    sources: np.ndarray
    weights: np.ndarray
    lengths: u.Quantity | None


class SplitTable(NamedTuple):
    """Connections in rows of equal width, where a region with many inputs has several rows; `targets` is sorted."""

    targets: np.ndarray
    sources: np.ndarray
    weights: np.ndarray
    lengths: u.Quantity | None


class Inputs:
    """Connections onto each of `n` regions."""

    def __init__(self, n: int, source: np.ndarray, target: np.ndarray):
        self.n, self.source, self.target = n, source, target
        self.number = np.bincount(target, minlength=n)

    @property
    def most(self) -> int:
        """The largest number of inputs; at least 1, as a table needs a column."""
        return max(int(self.number.max(initial=0)), 1)

    def would_be_padding(self, width: int) -> bool:
        """Whether a table with a row of this width for each region would hold far more than the connections."""
        return self._is_too_large(self.n * width)

    def split_would_be_padding(self, width: int) -> bool:
        return self._is_too_large(int(self._rows_of_each(width).sum()) * width)

    def _is_too_large(self, n_entries: int) -> bool:
        return n_entries > max(_PADDING * (self.target.size + self.n), _SMALL_TABLE)

    def _rows_of_each(self, width: int) -> np.ndarray:
        return np.maximum(-(-self.number // width), 1)

    def rank(self) -> np.ndarray:
        """Place of each connection among the inputs of its target, which are ordered by source."""
        # In 64 bits, as `Edges._pairs`.
        order = np.argsort(self.target.astype(np.int64) * self.n + self.source, kind="stable")
        first = np.cumsum(self.number) - self.number  # where the inputs of each region begin in that order
        rank = np.empty(order.size, np.int64)
        rank[order] = np.arange(order.size) - first[self.target[order]]
        return rank

    def table(self, weight: np.ndarray, length: u.Quantity | None) -> NeighbourTable:
        """One row for each region."""
        return NeighbourTable(*self._filled(np.arange(self.n), self.target, self.rank(), self.most, weight, length))

    def split_table(self, width: int, weight: np.ndarray, length: u.Quantity | None) -> SplitTable:
        """As many rows of this width as each region needs."""
        rows, rank = self._rows_of_each(width), self.rank()
        first = np.cumsum(rows) - rows  # the first row of each region
        targets = np.repeat(np.arange(self.n, dtype=np.int32), rows)
        row, column = first[self.target] + rank // width, rank % width
        return SplitTable(targets, *self._filled(targets, row, column, width, weight, length))

    def _filled(
        self,
        targets: np.ndarray,
        row: np.ndarray,
        column: np.ndarray,
        width: int,
        weight: np.ndarray,
        length: u.Quantity | None,
    ) -> tuple[np.ndarray, np.ndarray, u.Quantity | None]:
        sources = np.repeat(targets.astype(np.int32)[:, None], width, axis=1)
        sources[row, column] = self.source
        weights = np.zeros(sources.shape)
        weights[row, column] = weight
        if length is None:
            return sources, weights, None
        lengths = np.zeros(sources.shape)
        lengths[row, column] = length.mantissa
        return sources, weights, u.Quantity(lengths, unit=length.unit)
