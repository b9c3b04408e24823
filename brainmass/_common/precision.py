"""The precision in which numbers are made: that of JAX."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from brainmass._common.typing import Numbers

__all__ = ["default_dtype", "double_precision", "doubled", "matching_precision"]


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


def double_precision() -> Any:
    """Within it JAX computes in double precision, in this thread alone."""
    return jax.enable_x64(True)


def doubled(x: Numbers) -> np.ndarray:
    """Numbers in double precision; those in single precision as the decimal numbers that they were written as."""
    x = np.asarray(x)
    # By their shortest decimal: 0.1 in single precision is 0.1, and not 0.10000000149.
    return x.astype(str).astype(np.float64) if x.dtype == np.float32 else x.astype(np.float64)
