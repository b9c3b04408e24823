"""Many runs side by side: one program over lanes, and on CPU a part of the lanes for each core.

XLA cuts each kernel of a program in pieces for its cores. The kernels of a network are so short that this takes longer
than it saves: at 84 regions two cores together are slower than one. Parts of the lanes, each on a core of its own from
the first step to the last, take half the time.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import is_traced
from brainmass._common.machine import usable_cores
from brainmass._common.typing import Pytree

__all__ = ["Lanes"]

# The noise of a block for more lanes than these does not stay in the cache of a core.
_MOST_IN_A_PART = 128


class Lanes:
    """`function` over lanes; `in_axes` and `out_axes` are those of `jax.vmap`.

    `mapped` is the plain function, `together` that as one compiled program. A call compiles too, and divides the lanes
    among the cores.
    """

    def __init__(self, function: Callable, in_axes: Any, out_axes: object):
        self.in_axes, self.out_axes = in_axes, out_axes
        self.mapped = jax.vmap(function, in_axes, out_axes)
        self.together = jax.jit(self.mapped)
        self._compiled: set[int] = set()

    def __call__(self, *args: object) -> Any:
        counts: list[int] = []
        _along(self.in_axes, lambda axis, x: counts.append(x.shape[axis]), args)
        lanes, cores = counts[0], usable_cores()
        if cores == 1 or lanes == 1 or jax.default_backend() != "cpu" or is_traced(args):
            return self.together(*args)
        # As many parts for each core as it takes to keep them small: 600 lanes on two cores are six parts of 100.
        parts = cores * -(-lanes // (cores * _MOST_IN_A_PART))
        return self._in_parts(args, lanes, -(-lanes // parts), cores)

    def _in_parts(self, args: Pytree, lanes: int, size: int, cores: int) -> Any:
        def part(start: int) -> Any:
            which = np.minimum(np.arange(start, start + size), lanes - 1)  # the last part is filled up
            return jax.block_until_ready(
                self.together(*_along(self.in_axes, lambda axis, x: np.take(np.asarray(x), which, axis), args))
            )

        starts, done = list(range(0, lanes, size)), []
        if size not in self._compiled:  # in this thread, which has the settings of JAX
            done.append(part(starts.pop(0)))
            self._compiled.add(size)
        with ThreadPoolExecutor(cores) as pool:
            # A thread begins without the context of its maker, in which settings of JAX, brainstate and a fit are.
            contexts = [copy_context() for _ in starts]
            done += pool.map(lambda context, start: context.run(part, start), contexts, starts)
        last = range(lanes - size * (len(done) - 1))

        def joined(axis: int, *xs: Any) -> jax.Array:
            return jnp.asarray(np.concatenate([*xs[:-1], np.take(xs[-1], last, axis)], axis))

        return _along(self.out_axes, joined, *done)


def _along(axes: object, f: Callable, *trees: object) -> Any:
    """`f(axis, *leaves)` for every array that has lanes; the others as in the first tree. `axes` is a prefix."""

    def with_axis(axis: int | None, *parts: object) -> Any:
        return parts[0] if axis is None else jax.tree.map(lambda *xs: f(axis, *xs), *parts)

    return jax.tree.map(with_axis, axes, *trees, is_leaf=lambda axis: axis is None)
