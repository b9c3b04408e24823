"""Batches of a sweep on the workers of a Dask cluster; what a worker that dies had begun is done by another."""

from __future__ import annotations

import functools
import io
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import brainstate
import jax
import numpy as np

from brainmass._common.extras import import_extra
from brainmass._common.messages import Argument, argument_error, show

__all__ = ["as_client", "n_workers", "on_workers"]

_IN_FLIGHT = 2  # batches per worker: one runs, one waits


def as_client(cluster: object) -> object:
    if not isinstance(cluster, import_extra("cluster", "distributed").Client):
        raise argument_error(
            Argument("cluster", "sweep"),
            "must be a dask.distributed Client",
            f"is {show(cluster)}",
            "cluster=Client(n_workers=4).",
            kind=TypeError,
        )
    return cluster


def n_workers(client: Any) -> int:
    # Said, as versions of distributed differ in how many they tell of by default.
    return max(1, len(client.scheduler_info(n_workers=-1)["workers"]))


def on_workers(client: Any, make: object, pending: np.ndarray, at_once: int) -> Iterator[tuple]:
    """As `Batches.of`, in the order in which batches end; `make()` makes the batches, on a worker."""
    from distributed import as_completed

    task = _packed((make, jax.config.read("jax_enable_x64")))
    # Turned round, as `pop` takes the last; halves of what failed are the next to be taken.
    waiting = [pending[i : i + at_once] for i in range(0, len(pending), at_once)][::-1]

    def send() -> object:
        runs = waiting.pop()
        future = client.submit(_run, task, runs, at_once, pure=False)
        sent[future.key] = runs
        return future

    def room() -> int:
        return min(_IN_FLIGHT * n_workers(client) - len(sent), len(waiting))

    sent: dict[str, np.ndarray] = {}
    done = as_completed([send() for _ in range(room())])
    for future in done:
        runs = sent.pop(future.key)
        if future.status == "finished":
            yield from future.result()
        # It failed by itself, and is not tried again.
        elif len(runs) == 1:
            yield runs, {}, [f"{type(future.exception()).__name__}: {future.exception()}"[:300]], ({}, {})
        else:  # its workers died, perhaps for want of memory
            half = -(-len(runs) // 2)
            waiting += [runs[half:], runs[:half]]
        # Else the cluster keeps the results.
        future.release()
        for _ in range(room()):  # workers come and go
            done.add(send())


_OF_STATES = type(brainstate.State(None)._trace_state)  # in which trace a state was made
_alone = threading.Lock()  # a batch uses all cores of its worker


def _run(task: bytes, runs: np.ndarray, at_once: int) -> list[tuple]:
    with _alone:
        batches, x64 = _unpacked(task)
        # A worker may be set otherwise than this process.
        with jax.enable_x64(x64):
            return batches.tried(runs, at_once)


def _packed(task: object) -> bytes:
    """As bytes, functions and models included; what belongs to this process alone is made anew on a worker."""
    import cloudpickle

    class Pickler(cloudpickle.Pickler):
        def reducer_override(self, obj: object) -> Any:
            if isinstance(obj, type(threading.RLock())):
                return threading.RLock, ()
            if isinstance(obj, _OF_STATES):
                return _OF_STATES, ()
            if type(obj).__name__ == "Traceback":  # where a state was made, for error messages
                return type(None), ()
            return super().reducer_override(obj)

    file = io.BytesIO()
    Pickler(file).dump(task)
    return file.getvalue()


@functools.lru_cache(maxsize=2)
def _unpacked(task: bytes) -> tuple[Any, bool]:
    make, x64 = pickle.loads(task)
    with jax.enable_x64(x64):
        return make(), x64
