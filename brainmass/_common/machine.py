"""The machine that a process runs on, and what programs are compiled for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import jax

__all__ = ["compiled_for", "compiles_for", "usable_cores"]

_compiles_for: ContextVar[str | None] = ContextVar("platform that is compiled for", default=None)


def usable_cores() -> int:
    """The number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return (os.cpu_count() or 1) if affinity is None else len(affinity(0))


def compiles_for() -> str:
    """The platform that what is traced now will run on: "cpu", "gpu" or "tpu"."""
    return _compiles_for.get() or jax.default_backend()


@contextmanager
def compiled_for(platform: str) -> Iterator[None]:
    """Within it, what is traced is made for this platform, whatever computes: a GPU that is not there, in a test."""
    token = _compiles_for.set(platform)
    try:
        yield
    finally:
        _compiles_for.reset(token)
