"""Data of many subjects or windows, one row each, of which a step may see a few."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np

from brainmass._common.checks import is_whole
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Numbers, Pytree

__all__ = ["Rows", "as_rows", "chunks", "minibatch"]


class Rows(NamedTuple):
    """What is fitted to, with a leading axis of rows, and the rows that are seen."""

    which: Numbers
    target: Pytree
    data: Pytree

    def row(self, i: Numbers) -> tuple[Pytree, Pytree]:
        return jax.tree.map(lambda x: x[i], (self.target, self.data))


def as_rows(target: Numbers, data: object, batch: int | None) -> Numbers:
    """All rows; the target itself where there are none."""
    if data is None and batch is None:
        return target
    parts = {"target": jax.tree.leaves(target), "data": jax.tree.leaves(data)}
    lengths = {f"`{name}`": (*np.shape(x), "no rows")[0] for name, leaves in parts.items() for x in leaves}
    if not lengths:
        raise argument_error(
            Argument("batch", "fit"), "needs `data` or `target`, which must have one row for each subject or window"
        )
    counts = {np.shape(x)[:1] for leaves in parts.values() for x in leaves}
    if len(counts) != 1 or counts == {()} or counts == {(0,)}:
        raise ValueError(
            "Arguments `target` and `data` of fit must have one row for each subject or window along their first axis, "
            f"but have {', '.join(f'{n} in {name}' for name, n in lengths.items())}."
        )
    n = counts.pop()[0]
    if batch is not None and not is_whole(batch, 1, n):
        raise argument_error(
            Argument("batch", "fit"), f"must be an int from 1 to {n}, the number of rows", f"is {show(batch)}"
        )
    as_arrays = jax.tree.map(np.asarray, (target, data))
    return Rows(np.arange(n, dtype=np.int32), *as_arrays)


def minibatch(rows: Rows, words: Numbers, step: int, size: int) -> Rows:
    """The rows of a step: those of all steps, one after the other, go through one random order after another.

    They follow from the seed and the number of the step alone.
    """
    n, first = len(rows.which), step * size
    # Ten rows, four a step: steps see 0-3, 4-7, then 8 and 9 of this order and two of the next. That of an epoch is
    # drawn from its number, so that a fit that goes on needs no more than the number of its step.
    epochs = range(first // n, (first + size - 1) // n + 1)
    order = np.concatenate([np.random.default_rng([*np.asarray(words), 2, e]).permutation(n) for e in epochs])
    return rows._replace(which=order[first % n :][:size].astype(np.int32))


def chunks(rows: Rows, size: int) -> list[Rows]:
    """All rows, so many at a time; the last are filled up by the first."""
    n = len(rows.which)
    # All of one size, so that one compiled program serves; what the last has too much is cut off by who asked.
    return [rows._replace(which=np.arange(i, i + size, dtype=np.int32) % n) for i in range(0, n, size)]
