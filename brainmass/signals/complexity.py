"""Complexity of what is on or off: Lempel and Ziv's, of sequences and of matrices."""

from __future__ import annotations

import numpy as np

__all__ = ["entropy_of_source", "lempel_ziv"]


def lempel_ziv(columns: np.ndarray) -> int:
    """The number of words that a binary matrix (columns, rows) is made of, read column after column.

    A word is the shortest stretch of its column that is in no earlier column, nor begins earlier in its own. One that
    its column cuts off counts in the last column alone (Casali et al. 2013, supplement): of a single column this is
    the complexity of Lempel and Ziv 1976.
    """
    n, size = columns.shape
    # A mark between columns, which no word has, so that all that was before is searched at once.
    text = b"|".join(column.tobytes() for column in (columns + ord("0")).astype(np.uint8))
    words = 0
    for start in range(0, n * (size + 1), size + 1):
        begin, end = start, start + size
        while begin < end:
            stop = begin + 1
            while stop <= end and text.find(text[begin:stop], 0, stop - 1) >= 0:
                stop += 1
            words += stop <= end or end == len(text)
            begin = stop
    return words


def entropy_of_source(share: float) -> float:
    """In bits, of what is on with this probability."""
    parts = np.array([share, 1.0 - share])
    parts = parts[parts > 0]
    return float(-(parts * np.log2(parts)).sum())
