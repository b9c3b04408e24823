"""Several steps of many lanes in one kernel of a GPU.

A loop of XLA launches some kernels for each step, which takes longer than what they do as long as there are few lanes,
and reads and writes all states between them when there are many. Here a kernel takes a tile of lanes and goes through
all steps that nothing interrupts: states stay in registers, the weights close by, and noise is drawn where it is used.

What a kernel does is the step itself, traced for one lane and worked out for a tile of lanes times regions (`tile.py`):
an array of one lane has no axis, or one of regions, and each operation is one that Triton knows. A step that is not so
(delays read a past, double precision, weights of each lane) goes on as a loop, and so does the way back of a gradient,
which needs what each step leaves.
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from brainmass._common.machine import compiles_for
from brainmass._common.random import Normals
from brainmass._common.typing import Numbers, Pytree
from brainmass.simulation.tile import SOURCES, Tile, Unknown, Weights, operations, shape_of, squeezed

__all__ = ["in_one_kernel", "interpreted"]

# The most regions: more have states and weights that leave no registers.
_MOST = 256
# Lanes of a tile, the fewest that a product on a GPU takes.
_LANES = 16
# Bytes of shared memory of a block on a card that is not asked, an H200; some of it for what moves between threads.
_SHARED, _OTHERWISE = 232_448, 40_000

_interpreted: ContextVar[bool] = ContextVar("kernels are interpreted", default=False)


@contextmanager
def interpreted() -> Iterator[None]:
    """Within it, kernels are worked out by Pallas' interpreter, on any machine: to test them."""
    token = _interpreted.set(True)
    try:
        yield
    finally:
        _interpreted.reset(token)


def in_one_kernel(
    step: Callable[[Pytree, tuple], Pytree],
    normals: Normals | None,
    carry: Pytree,
    xs: tuple,
    plain: Callable[[Callable[[Pytree, tuple], Pytree], Pytree, tuple], Pytree],
) -> Pytree | None:
    """The carry after steps with the numbers, draws and inputs `xs`; None if they cannot go in one kernel.

    Draws are normals by process. `plain(step, carry, xs)` is the loop: of a run alone, of slopes, and on other devices.
    """
    numbers, draws, inputs = xs
    off = os.environ.get("BRAINMASS_KERNELS", "1") == "0" or not _there_is_triton()
    if compiles_for() != "gpu" or off or jax.config.read("jax_enable_x64") or jax.tree.leaves(inputs):
        return None
    n_steps = len(numbers)
    handed = {} if normals is None else jax.tree.map(lambda x: x[0], draws)
    like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (carry, numbers[0], handed))
    closed, out = jax.make_jaxpr(lambda c, i, z: step(c, (i, z, inputs)), return_shape=True)(*like)
    leaves, tree = jax.tree.flatten(carry)
    if jax.tree.structure(out) != tree:
        return None
    processes = sorted(handed)  # as JAX orders what a dictionary holds
    try:
        program = _Program(closed, len(leaves), n_steps, [handed[name].shape for name in processes])
    except Unknown:
        return None

    def loop(consts: list, leaves: list) -> list:
        def one(carry: Pytree, x: tuple) -> Pytree:
            number, drawn, _ = x
            flat = *jax.tree.leaves(carry), number, *(drawn[name] for name in processes)
            return jax.tree.unflatten(tree, jaxpr_as_fun(ClosedJaxpr(closed.jaxpr, consts))(*flat))

        return jax.tree.leaves(plain(one, jax.tree.unflatten(tree, leaves), xs))

    # The values are those of a kernel where there are lanes. Slopes are those of the loop, which nobody works out
    # where nobody asks for them.
    @jax.custom_jvp
    def several(looped: list, *args: Any) -> list:
        return lanes(looped, *args)

    several.defjvp(lambda given, slopes: (several(*given), slopes[0]))
    lanes = jax.custom_batching.custom_vmap(lambda looped, *args: looped)

    @lanes.def_vmap
    def of_lanes(n_lanes: int, batched: Sequence, *args: Any) -> tuple[list, list]:
        of_looped, of_consts, of_leaves, of_keys, of_first = batched
        # What a step leaves as it is, such as the state of an observer, stays outside.
        changed = [program.changes[k] or of_leaves[k] or was for k, was in enumerate(of_looped)]

        def whole(leaves: list, of: Sequence) -> list:
            return [
                jnp.broadcast_to(x, (n_lanes, *x.shape)) if wanted and not has else x
                for x, has, wanted in zip(leaves, of, changed, strict=True)
            ]

        def by_loop(looped: list, *_: Any) -> list:
            return whole(looped, of_looped)

        def by_kernel(_: list, consts: list, leaves: list, keys: list, first: jax.Array) -> list:
            found = program.run(
                n_lanes, first, (consts, of_consts), (leaves, of_leaves), (keys, of_keys), _interpreted.get()
            )
            return whole(found, [changes or was for changes, was in zip(program.changes, of_leaves, strict=True)])

        weights = any(lane for lane, shape in zip(of_consts, program.of_consts, strict=True) if len(shape) == 2)
        if weights or of_first:
            return by_loop(*args), changed
        if _interpreted.get():
            return by_kernel(*args), changed
        return lax.platform_dependent(*args, cuda=by_kernel, default=by_loop), changed

    keys = [] if normals is None else [normals.keys[name] for name in processes]
    consts = list(closed.consts)
    return jax.tree.unflatten(tree, several(loop(consts, leaves), consts, leaves, keys, numbers[0]))


@dataclass
class _Program:
    """What a kernel does for a step that was traced: `closed` takes a carry, the number of the step, and normals."""

    closed: ClosedJaxpr
    n_carried: int
    n_steps: int
    of_normals: list[tuple[int, ...]]

    def __post_init__(self) -> None:
        jaxpr = self.closed.jaxpr
        self.of_consts = [shape_of(x) for x in jaxpr.constvars]
        self.of_leaves = [x.aval.shape for x in jaxpr.invars[: self.n_carried]]
        self.of_carry = [squeezed(shape) for shape in self.of_leaves]
        self.changes = [
            out is not given for out, given in zip(jaxpr.outvars, jaxpr.invars[: self.n_carried], strict=True)
        ]
        changed = [x for x, changes in zip(jaxpr.outvars, self.changes, strict=True) if changes]
        self.alive, sizes = operations(jaxpr, changed)
        used = {id(x) for eqn in self.alive for x in eqn.invars} | {id(x) for x in changed}
        self.uses_const = [id(x) in used for x in jaxpr.constvars]
        self.uses_carried = [id(x) in used for x in jaxpr.invars[: self.n_carried]]
        if len(sizes) != 1 or not 1 < (regions := sizes.pop()) <= _MOST:
            raise Unknown
        self.regions, self.columns = regions, max(SOURCES, 1 << (regions - 1).bit_length())
        of_normals = [squeezed(shape) for shape in self.of_normals]
        if any(shape not in ((), (regions,)) for shape in (*self.of_carry, *of_normals)):
            raise Unknown
        given: list[Any] = [*jaxpr.constvars, *jaxpr.invars]
        if any(id(x) in used and x.aval.dtype == bool for x in given):
            raise Unknown  # a kernel reads numbers
        # With two numbers in place of each, by which a product is as exact as one of single precision.
        matrices = sum(used and len(shape) == 2 for used, shape in zip(self.uses_const, self.of_consts, strict=True))
        self.close_by = matrices * 2 * 4 * self.columns**2 <= _shared_memory() - _OTHERWISE

    def _constant(self, k: int, x: jax.Array, has_lanes: bool) -> jax.Array:
        shape = self.of_consts[k]
        if len(shape) < 2:
            return _flat(x, has_lanes, shape)
        # with regions that are not there, of no weight
        return lax.pad(x.reshape(shape), jnp.zeros((), x.dtype), [(0, self.columns - n, 0) for n in shape])

    def run(
        self,
        n_lanes: int,
        first: jax.Array,
        consts: tuple[list, list],
        carried: tuple[list, list],
        keys: tuple[list, list],
        interpret: bool,
    ) -> list:
        """The leaves of the carry after all steps; each list comes with whether its arrays have an axis of lanes."""
        from jax.experimental import pallas as pl
        from jax.experimental.pallas import triton

        moved = [k for k, changes in enumerate(self.changes) if changes]
        held = [k for k, uses in enumerate(self.uses_carried) if uses and not self.changes[k]]
        fixed = [k for k, uses in enumerate(self.uses_const) if uses]
        outwards = [
            _broadcast(_flat(carried[0][k], carried[1][k], self.of_carry[k]), n_lanes, self.of_carry[k]) for k in moved
        ]
        words = [_flat(key[..., word], lane, ()) for key, lane in zip(*keys, strict=True) for word in (0, 1)]
        others = [
            *words,
            *(self._constant(k, consts[0][k], consts[1][k]) for k in fixed),
            *(_flat(carried[0][k], carried[1][k], self.of_carry[k]) for k in held),
        ]
        rows, columns, regions = _LANES, self.columns, self.regions

        def kernel(first_ref: Any, *refs: Any) -> None:
            given, moving, out = refs[: len(others)], refs[len(others) : -len(moved)], refs[-len(moved) :]
            lane = pl.program_id(0) * rows + lax.broadcasted_iota(jnp.int32, (rows, 1), 0)
            place = lax.broadcasted_iota(jnp.int32, (1, columns), 1)
            # What is not there is the last that is: numbers like the others, which nobody reads.
            last = jnp.minimum(lane, n_lanes - 1), jnp.minimum(place, regions - 1)

            def at(ref: Any, where: tuple[jax.Array, jax.Array]) -> tuple[Any, tuple[int, ...]]:
                shape = tuple(1 if n == 1 else len_ for n, len_ in zip(ref.shape, (rows, columns), strict=True))
                index = (
                    jnp.broadcast_to(x if n > 1 else jnp.zeros((1, 1), jnp.int32), shape)
                    for n, x in zip(ref.shape, where, strict=True)
                )
                return ref.at[tuple(index)], shape

            def read(ref: Any) -> jax.Array:
                return triton.load(at(ref, last)[0])

            words = [read(ref) for ref in given[: 2 * len(self.of_normals)]]
            constants: list[Any] = [None] * len(self.of_consts)
            for k, ref in zip(fixed, given[len(words) :], strict=False):
                constants[k] = Weights(ref) if len(self.of_consts[k]) == 2 else read(ref)
            start: list[Any] = [None] * self.n_carried
            for k, ref in zip(held, given[len(words) + len(fixed) :], strict=True):
                start[k] = read(ref)
            shapes = [(rows, columns if self.of_carry[k] else 1) for k in moved]
            begin = triton.load(first_ref.at[jnp.zeros((1, 1), jnp.int32), jnp.zeros((1, 1), jnp.int32)])

            def step(i: Numbers, now: tuple) -> tuple:
                number = begin + i
                carry = list(start)
                for k, x in zip(moved, now, strict=True):
                    carry[k] = x
                drawn = [
                    Normals.one_by_one((words[2 * k], words[2 * k + 1]), number, place, math.prod(shape))
                    for k, shape in enumerate(self.of_normals)
                ]
                tile = Tile((rows, columns), regions, place, self.close_by, interpret, triton, pl)
                found = tile.evaluate(self.closed.jaxpr, self.alive, constants, [*carry, number, *drawn])
                return tuple(jnp.broadcast_to(found[k], shape) for k, shape in zip(moved, shapes, strict=True))

            begun = tuple(jnp.broadcast_to(read(ref), shape) for ref, shape in zip(moving, shapes, strict=True))
            for ref, x in zip(out, lax.fori_loop(0, self.n_steps, step, begun), strict=True):
                there, shape = at(ref, (lane, place))
                mask = (lane < n_lanes) & ((place < regions) if ref.shape[1] > 1 else jnp.full((1, 1), True))
                triton.store(there, x, mask=jnp.broadcast_to(mask, shape))

        whole = pl.BlockSpec(memory_space=pl.ANY)
        n_others = 1 + len(others)
        found = pl.pallas_call(
            kernel,
            out_shape=[jax.ShapeDtypeStruct(x.shape, x.dtype) for x in outwards],
            grid=(-(-n_lanes // rows),),
            in_specs=[whole] * (n_others + len(outwards)),
            out_specs=[whole] * len(outwards),
            # A tile reads its own lanes before it writes them.
            input_output_aliases={n_others + k: k for k in range(len(outwards))},
            interpret=interpret,
            compiler_params=triton.CompilerParams(num_warps=max(1, min(8, columns // 16)), num_stages=1),
            name=f"steps_{self.n_steps}",
        )(first.reshape(1, 1), *others, *outwards)
        leaves = list(carried[0])
        for k, x in zip(moved, found, strict=True):
            leaves[k] = x.reshape(n_lanes, *self.of_leaves[k])
        return leaves


@cache
def _there_is_triton() -> bool:
    """Whether this JAX has it; of 0.12 a warning says that a later one will not."""
    return importlib.util.find_spec("jax.experimental.pallas.triton") is not None


# --- arrays -----------------------------------------------------------------------------------------------------------
def _flat(x: jax.Array, has_lanes: bool, shape: tuple[int, ...]) -> jax.Array:
    """An array in two dimensions."""
    return x.reshape(x.shape[0] if has_lanes else 1, shape[0] if shape else 1)


def _broadcast(x: jax.Array, n_lanes: int, shape: tuple[int, ...]) -> jax.Array:
    return jnp.broadcast_to(x, (n_lanes, shape[0] if shape else 1))


def _shared_memory() -> int:
    """Bytes that a block of this card may have."""
    return getattr(jax.local_devices()[0], "shared_memory_per_block_optin", _SHARED)
