"""Programs that use whole vector registers, where the processor has those of 512 bits.

XLA by itself works with half of them. JAX takes an option for a program that nothing else holds: a run, a sweep, or the
step of a fit. A program within another is compiled as that one is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Jaxpr, jaxprs_in_params

from brainmass._common.checks import is_traced
from brainmass._common.machine import compiles_for

__all__ = ["Alone"]

_WHOLE: dict[str, Any] = {"xla_cpu_prefer_vector_width": 512}

# Of a program: the gradient of a large one (48,000, of `ZerlautSecondOrderStep`) took more than 14 GB to compile.
_MOST_EQUATIONS = 10_000


class Alone:
    """`jax.jit(function)`, for calls outside of other programs with whole registers."""

    def __init__(self, function: Callable):
        self._plain: Any = jax.jit(function)
        self._wide: Any = jax.jit(function, compiler_options=_WHOLE)
        self._is_small: bool | None = None

    def __call__(self, *args: Any) -> Any:
        return self._one_for(args)(*args)

    def lower(self, *args: Any) -> Any:
        return self._one_for(args).lower(*args)

    def _cache_size(self) -> int:
        """How many programs it has called, as a function of `jax.jit` tells it."""
        return self._plain._cache_size() + self._wide._cache_size()

    def _one_for(self, args: tuple) -> Any:
        # A number that JAX makes is traced within a program, even where no argument is; there JAX refuses options.
        if not (_has_whole() and compiles_for() == "cpu") or is_traced((args, jnp.asarray(np.float32(0)))):
            return self._plain
        if self._is_small is None:
            # The call that follows finds the trace, whichever it is of.
            self._is_small = _equations(self._plain.trace(*args).jaxpr.jaxpr) <= _MOST_EQUATIONS
        return self._wide if self._is_small else self._plain


@cache
def _has_whole() -> bool:
    """Whether the processor has registers of 512 bits, and this XLA knows the option, which the user has not set."""
    if jax.default_backend() != "cpu" or "xla_cpu_prefer_vector_width" in os.environ.get("XLA_FLAGS", ""):
        return False
    try:
        if "avx512f" not in Path("/proc/cpuinfo").read_text():
            return False
        with jax.ensure_compile_time_eval():
            jax.jit(lambda x: x, compiler_options=_WHOLE)(np.float32(0))
    except (OSError, RuntimeError):  # not Linux; an option that is not known
        return False
    return True


def _equations(jaxpr: Jaxpr) -> int:
    return sum(1 + sum(map(_equations, jaxprs_in_params(equation.params))) for equation in jaxpr.eqns)
