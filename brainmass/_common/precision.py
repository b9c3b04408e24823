"""The precision in which numbers are made: that of JAX."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import jax
import numpy as np

__all__ = ["default_dtype", "matching_precision"]


def default_dtype() -> np.dtype:
    """The floating-point type of states and parameters: that of JAX."""
    return jax.dtypes.canonicalize_dtype(np.float64)


@contextlib.contextmanager
def matching_precision() -> Iterator[None]:
    """Within it brainstate creates arrays in JAX's own precision, in this thread.

    `brainstate.environ.context(precision=...)` does that too, but sets JAX's precision for the whole process.
    """
    import brainstate

    contexts = brainstate.environ._ENV_STATE.contexts["precision"]
    contexts.append(64 if jax.config.read("jax_enable_x64") else 32)
    try:
        yield
    finally:
        contexts.pop()
