"""A sweep on several processes of `jax.distributed`: each runs its share of the batches, all are told the results."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import jax
import numpy as np

__all__ = ["from_first", "gathered", "in_turn"]

T = TypeVar("T")


def gathered(value: object) -> list[Any]:
    """What each process gives, by its number."""
    from jax.experimental.multihost_utils import process_allgather

    mine = np.frombuffer(pickle.dumps(value), np.uint8)
    # In two parts: arrays of JAX are of 32 bits unless it is set otherwise, and a result may be larger than 2 GB.
    sizes = np.asarray(process_allgather(np.asarray([mine.size // 2**20, mine.size % 2**20], np.int32)))
    sizes = sizes.reshape(-1, 2).astype(np.int64) @ (2**20, 1)
    # All processes must give arrays of one shape.
    filled = np.zeros(sizes.max(), np.uint8)
    filled[: mine.size] = mine
    everyones = np.asarray(process_allgather(filled)).reshape(len(sizes), -1)
    return [pickle.loads(row[:size].tobytes()) for row, size in zip(everyones, sizes, strict=True)]


def from_first(make: Callable[[], T]) -> T:
    """What the first process makes; if it raises an error, all do.

    Raises
    ------
    RuntimeError
        On the others, with the words of the first.
    """
    made, words, raised = None, "", None
    if jax.process_index() == 0:
        try:
            made = make()
        except Exception as error:
            raised, words = error, f"{type(error).__name__}: {error}"
    made, words = gathered((made, words))[0]
    if raised is not None:
        raise raised
    if words:
        raise RuntimeError(f"The first process of this sweep stopped: {words}")
    return made


def in_turn(run: Callable[[np.ndarray], list[tuple]], pending: np.ndarray, at_once: int) -> Iterator[tuple]:
    """As `Batches.of`, on every process; batch `i` is run by process `i` modulo their number."""
    batches = [pending[i : i + at_once] for i in range(0, len(pending), at_once)]
    n, me = jax.process_count(), jax.process_index()
    for first in range(0, len(batches), n):
        # Those without a batch join in the exchange all the same: the others would wait for them forever.
        mine = run(batches[first + me]) if first + me < len(batches) else []
        for parts in gathered(mine):
            yield from parts
