"""Many runs side by side: one program over lanes, and on CPU a part of the lanes for each core.

XLA cuts each kernel of a program in pieces for its cores. The kernels of a network are so short that this takes longer
than it saves: at 84 regions two cores together are slower than one. So each core has lanes of its own, from the first
step to the last. It takes few of them at once, mostly one: the loop of one run is compiled whole, its states and its
past stay in the cache, while a step of many lanes at once leaves the loop for products, and for the past of each.

A GPU takes all lanes at once. Wherever they run, lanes for which there is no memory are divided before they fail.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from threading import Lock
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from brainmass._common.checks import is_traced
from brainmass._common.machine import usable_cores
from brainmass._common.memory import bytes_needed, free_memory
from brainmass._common.typing import Pytree
from brainmass._common.whole_vectors import Alone
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.network.projection import Projection
from brainmass.simulation.inventory import Inventory

__all__ = ["Lanes", "lanes_at_once"]

# The noise of a block for more lanes than these does not stay in the cache of a core.
_MOST_IN_A_PART = 128

# Of the memory that is free: other programs take some, and of what is left not all lies in one piece.
_SHARE = 0.9

# Lanes that a core takes at once, by the number of regions up to which they do; docs/why.md has what was measured.
_FEW = (1, 8), (4, 4)
# Weights of more regions than these are better read once for all lanes, unless there are delays.
_MANY = 128


def lanes_at_once(found: Inventory) -> int | None:
    """How many lanes one core takes at once of a run of this model; None: all that it has."""
    nodes = [x for x in found.modules.values() if isinstance(x, NeuralMassDynamics)]
    if not nodes:
        return None
    shapes = [u.math.shape(param.value()) for param in found.params.values()]
    # The narrow side of a matrix: that of the layout of an edge list, (rows, width), is its number of places.
    widest = max((min(shape[-2:]) for shape in shapes if len(shape) > 1), default=0)
    if widest > _MANY and not any(isinstance(x, Projection) and x.is_delayed for x in found.modules.values()):
        return None
    regions = max(math.prod(node.in_size) for node in nodes)
    return next((lanes for most, lanes in _FEW if regions <= most), 1)


class Lanes:
    """`function` over lanes; `in_axes` and `out_axes` are those of `jax.vmap`.

    `mapped` is the plain function, `together` that as one compiled program. A call compiles too, and divides the lanes:
    on CPU among the cores, each of which takes `at_once` of its lanes after the other; elsewhere into as many parts,
    one after the other, as it takes for each to fit into memory. Several `devices` have an equal share of each part.
    """

    def __init__(
        self, function: Callable, in_axes: Any, out_axes: Any, at_once: int | None, devices: Sequence[Any] | None = None
    ):
        self.in_axes, self.out_axes, self.at_once = in_axes, out_axes, at_once
        self._devices = list(devices or jax.local_devices()[:1])
        self.mapped = jax.vmap(function, in_axes, out_axes)
        self.together = Alone(self.mapped if len(self._devices) == 1 else self._shared())
        self._in_turn = Alone(partial(_in_turn, function, in_axes, out_axes, at_once or 1))
        self._sizes: dict[int, int] = {}  # of a part, by the number of lanes
        self._compiled: set[int] = set()

    def _shared(self) -> Callable[..., Pytree]:
        """The same, of which each device has its share."""

        def specs(axes: object) -> Pytree:
            def spec(axis: int | None) -> jax.sharding.PartitionSpec:
                return jax.sharding.PartitionSpec(*([] if axis is None else [None] * axis + ["lanes"]))

            return jax.tree.map(spec, axes, is_leaf=lambda axis: axis is None)

        mesh = jax.sharding.Mesh(np.asarray(self._devices), ("lanes",))
        into, out = specs(self.in_axes), specs(self.out_axes)
        return jax.shard_map(self.mapped, mesh=mesh, in_specs=into, out_specs=out, check_vma=False)

    def __call__(self, *args: object) -> Pytree:
        # Within a trace there is nothing to divide yet.
        if is_traced(args):
            return self.together(*args)
        found, in_parts = self._found(args)
        return jax.tree.map(jnp.asarray, found) if in_parts else found

    def on_host(self, *args: object) -> Pytree:
        """The same as arrays of numpy: one copy less of what the parts give."""
        return jax.tree.map(np.asarray, self._found(args)[0])

    def _found(self, args: Pytree) -> tuple[Pytree, bool]:
        """What all lanes give, and whether it came in parts, and so as arrays of numpy."""
        counts: list[int] = []
        _along(self.in_axes, lambda axis, x: counts.append(x.shape[axis]), args)
        lanes, side_by_side = counts[0], usable_cores() if self._on_cores else 1
        # Once for as many lanes: parts of another size are another program, whose numbers may differ in the last bit.
        if lanes not in self._sizes:
            wanted = self._for_cores(lanes, side_by_side) if self._on_cores else lanes
            self._sizes[lanes] = self._that_fits(args, lanes, min(wanted, lanes), side_by_side)
        size = self._sizes[lanes]
        if size >= lanes:
            return self._part(*args), False
        return self._in_parts(args, lanes, size, side_by_side), True

    @property
    def _on_cores(self) -> bool:
        return jax.default_backend() == "cpu" and len(self._devices) == 1

    def _for_cores(self, lanes: int, cores: int) -> int:
        """The size of parts that keep all cores busy."""
        # As many parts for each core as it takes to keep them small: 600 lanes on two cores are six parts of 100.
        parts = cores * -(-lanes // (cores * _MOST_IN_A_PART))
        size = -(-lanes // parts)
        if self.at_once is not None and size > self.at_once:
            # whole groups, as one that is not full would be compiled besides
            size = -(-size // self.at_once) * self.at_once
        return size

    def _that_fits(self, args: Pytree, lanes: int, size: int, side_by_side: int) -> int:
        """The size of parts, `size` or smaller, of which as many as run side by side have the memory they need."""
        free, of_devices = _SHARE * free_memory(self._devices) / len(self._devices), len(self._devices)

        def like(axis: int, x: jax.Array) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct((*x.shape[:axis], size, *x.shape[axis + 1 :]), jnp.result_type(x))

        while size > of_devices:
            given = args if size == lanes else _along(self.in_axes, like, args)
            # To compile is to know; the call that follows finds the program compiled.
            needed = bytes_needed(self._part.lower(*given).compile()) * min(side_by_side, -(-lanes // size))
            if needed <= free:
                break
            # What is needed grows with the lanes, but not all of it; all parts are alike.
            most = max(of_devices, min(size // 2, int(size * free / needed)) // of_devices * of_devices)
            parts = side_by_side * -(-lanes // (side_by_side * most))
            size = -(-lanes // (parts * of_devices)) * of_devices
        return size

    @property
    def _part(self) -> Any:
        return self._in_turn if self._on_cores and self.at_once is not None else self.together

    def _in_parts(self, args: Pytree, lanes: int, size: int, side_by_side: int) -> Pytree:
        everything: list[Pytree] = []
        first_of_all = Lock()

        def do(start: int) -> None:
            which = np.minimum(np.arange(start, start + size), lanes - 1)  # the last part is filled up
            # By numpy: an operation of JAX would be compiled, for each shape, to do no more.
            given = _along(self.in_axes, lambda axis, x: np.take(np.asarray(x), which, axis), args)
            found = jax.tree.map(np.asarray, self._part(*given))
            with first_of_all:
                if not everything:
                    everything.append(_along(self.out_axes, partial(_room, lanes), found))
            # Each core copies what it has made.
            _along(self.out_axes, partial(_put, start), everything[0], found)

        starts = list(range(0, lanes, size))
        if size not in self._compiled:  # in this thread, which has the settings of JAX
            do(starts.pop(0))
            self._compiled.add(size)
        with ThreadPoolExecutor(side_by_side) as pool:
            # A thread begins without the context of its maker, in which settings of JAX, brainstate and a fit are.
            contexts = [copy_context() for _ in starts]
            list(pool.map(lambda context, start: context.run(do, start), contexts, starts))
        return everything[0]


def _room(lanes: int, axis: int, x: np.ndarray) -> np.ndarray:
    return np.empty((*x.shape[:axis], lanes, *x.shape[axis + 1 :]), x.dtype)


def _put(start: int, axis: int, whole: np.ndarray, x: np.ndarray) -> None:
    here = np.moveaxis(whole, axis, 0)[start : start + x.shape[axis]]
    here[...] = np.moveaxis(x, axis, 0)[: len(here)]


def _in_turn(function: Callable, in_axes: object, out_axes: object, at_once: int, *args: Pytree) -> Pytree:
    """`function` over lanes, of which `at_once` go together."""
    # `lax.map` goes along the first axis of all in a list; what has no lanes stays outside of the loop.
    with_lanes: list[jax.Array] = []
    _along(in_axes, lambda axis, x: with_lanes.append(jnp.moveaxis(x, axis, 0)), args)
    n = len(with_lanes[0])

    def one(lane: list[jax.Array]) -> Pytree:
        parts = iter(lane)
        return function(*_along(in_axes, lambda axis, x: next(parts), args))

    def put(axis: int | None, found: Pytree) -> Pytree:
        return jax.tree.map(lambda x: x[0] if axis is None else jnp.moveaxis(x, 0, axis), found)

    found = lax.map(one, with_lanes, batch_size=None if at_once == 1 else min(at_once, n))
    return jax.tree.map(put, out_axes, found, is_leaf=lambda axis: axis is None)


def _along(axes: object, f: Callable, *trees: object) -> Pytree:
    """`f(axis, *leaves)` for every array that has lanes; the others as in the first tree. `axes` is a prefix."""

    def with_axis(axis: int | None, *parts: object) -> Pytree:
        return parts[0] if axis is None else jax.tree.map(lambda *xs: f(axis, *xs), *parts)

    return jax.tree.map(with_axis, axes, *trees, is_leaf=lambda axis: axis is None)
