"""Several steps of many lanes in one kernel of a GPU.

A loop of XLA launches some kernels for each step, which takes longer than what they do as long as there are few lanes,
and reads and writes all states between them when there are many. Here a kernel takes a tile of lanes and goes through
all steps that nothing interrupts: states stay in registers, the weights close by, and noise is drawn where it is used.

What a kernel does is the step itself, traced for one lane and worked out for a tile of lanes times regions: an array of
one lane has no axis, or one of regions, and each operation is one that Triton knows. A step that is not so (delays read
a past, double precision, weights of each lane) goes on as a loop; so does a gradient, which needs what a step leaves.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from brainmass._common.machine import compiles_for
from brainmass._common.random import Normals
from brainmass._common.typing import Numbers, Pytree

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr, JaxprEqn, Var

__all__ = ["in_one_kernel", "interpreted"]

# The most regions: more have states and weights that leave no registers.
_MOST = 256
# Lanes of a tile, the fewest that a product on a GPU takes.
_LANES = 16
# Sources that a product takes at once, whose weights are read from the cache where they do not stay in shared memory.
_SOURCES = 32
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
    switched_off = os.environ.get("BRAINMASS_KERNELS", "1") == "0"
    if compiles_for() != "gpu" or switched_off or jax.config.read("jax_enable_x64") or jax.tree.leaves(inputs):
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
    except _Unknown:
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


class _Unknown(Exception):
    """A step has something that a kernel cannot do."""


@dataclass(frozen=True)
class _Weights:
    """A matrix, left where it is; a product reads it in parts."""

    ref: Any
    is_turned: bool = False


@dataclass
class _Program:
    """What a kernel does for a step that was traced: `closed` takes a carry, the number of the step, and normals."""

    closed: ClosedJaxpr
    n_carried: int
    n_steps: int
    of_normals: list[tuple[int, ...]]

    def __post_init__(self) -> None:
        jaxpr = self.closed.jaxpr
        self.of_consts = [_shape(x) for x in jaxpr.constvars]
        self.of_carry = [_shape(x) for x in jaxpr.invars[: self.n_carried]]
        self.changes = [
            out is not given for out, given in zip(jaxpr.outvars, jaxpr.invars[: self.n_carried], strict=True)
        ]
        changed = [x for x, changes in zip(jaxpr.outvars, self.changes, strict=True) if changes]
        self.alive = _alive(jaxpr, changed)
        used = {id(x) for eqn in self.alive for x in eqn.invars} | {id(x) for x in changed}
        self.uses_const = [id(x) in used for x in jaxpr.constvars]
        self.uses_carried = [id(x) in used for x in jaxpr.invars[: self.n_carried]]
        sizes: set[int] = set()
        for part in (jaxpr, *_inner(self.alive)):
            for eqn in self.alive if part is jaxpr else part.eqns:
                _check(eqn)
                for x in (*eqn.invars, *eqn.outvars):
                    sizes.update(_shape(x))
        if len(sizes) != 1 or not 1 < (regions := sizes.pop()) <= _MOST:
            raise _Unknown
        self.regions, self.columns = regions, max(_SOURCES, 1 << (regions - 1).bit_length())
        of_normals = [_squeezed(shape) for shape in self.of_normals]
        if any(shape not in ((), (regions,)) for shape in (*self.of_carry, *of_normals)):
            raise _Unknown
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
                constants[k] = _Weights(ref) if len(self.of_consts[k]) == 2 else read(ref)
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
                tile = _Tile((rows, columns), regions, place, self.close_by, interpret, triton, pl)
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
            shape, dtype = self.closed.jaxpr.invars[k].aval.shape, carried[0][k].dtype
            leaves[k] = x.reshape(n_lanes, *shape).astype(dtype)
        return leaves


class _Tile:
    """Works a step out for a tile of lanes. An array is (lanes or 1, regions or 1): what all share is there once."""

    def __init__(
        self, shape: tuple[int, int], regions: int, place: jax.Array, close_by: bool, exact: bool, triton: Any, pl: Any
    ):
        self.shape, self.regions, self.place = shape, regions, place
        self.close_by, self.exact, self.triton, self.pl = close_by, exact, triton, pl
        # By what it is made of, which is kept with it: the name of an object that is gone may be given again.
        self._done: dict[tuple[str, tuple[int, ...], str], tuple[Any, list[Any]]] = {}
        self._literals: dict[tuple[float, str], jax.Array] = {}

    def evaluate(self, jaxpr: Jaxpr, eqns: Sequence[JaxprEqn], consts: Sequence, args: Sequence) -> list[Any]:
        known: dict[Var, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *args), strict=True))

        def value(x: Any) -> Any:
            return self._literal(x) if hasattr(x, "val") else known[x]

        for eqn in eqns:
            given = [value(x) for x in eqn.invars]
            if inner := _called(eqn):
                found = self.evaluate(inner.jaxpr, inner.jaxpr.eqns, [_whole(x) for x in inner.consts], given)
            else:
                # Two stages that need the same, such as a product, have it once; XLA would see to it.
                same = eqn.primitive.name, tuple(map(id, given)), str(eqn.params)
                if same not in self._done:
                    self._done[same] = self._operation(eqn, eqn.primitive.name, given), given
                found = [self._done[same][0]]
            known.update(zip(eqn.outvars, found, strict=True))
        return [value(x) if hasattr(x, "val") or x in known else None for x in jaxpr.outvars]

    def _literal(self, x: Any) -> jax.Array:
        kept = float(x.val), str(x.aval.dtype)
        if kept not in self._literals:
            self._literals[kept] = jnp.full((1, 1), x.val, x.aval.dtype)
        return self._literals[kept]

    def _operation(self, eqn: JaxprEqn, name: str, given: list[Any]) -> Any:
        if name == "iota":
            dtype, shape = eqn.params["dtype"], _shape(eqn.outvars[0])
            return self.place.astype(dtype) if shape else jnp.zeros((1, 1), dtype)
        if name == "dot_general":
            return self._product(eqn, *given)
        if isinstance(given[0], _Weights):
            return _Weights(given[0].ref, not given[0].is_turned)
        if name in _ALIKE:
            return given[0]
        if name in _NEUTRAL:
            # of noise and inputs that are not there
            for x, other in zip(eqn.invars, given[::-1], strict=True):
                if getattr(x, "val", None) == _NEUTRAL[name]:
                    return other
        if name in _OF_OURS:
            return _OF_OURS[name](given[0], **eqn.params)
        if name in _OVER_REGIONS:
            return self._over_regions(eqn, name, given[0])
        shape = jnp.broadcast_shapes(*(x.shape for x in given))
        return eqn.primitive.bind(*(jnp.broadcast_to(x, shape) for x in given), **eqn.params)

    def _over_regions(self, eqn: JaxprEqn, name: str, x: jax.Array) -> jax.Array:
        if not _shape(eqn.invars[0]) or _shape(eqn.outvars[0]):
            return x
        reduce, neutral = _OVER_REGIONS[name]
        x = jnp.broadcast_to(x, (x.shape[0], self.shape[1]))
        there = jnp.broadcast_to(self.place < self.regions, x.shape)
        return reduce(jnp.where(there, x, jnp.full_like(x, neutral(x.dtype))), axis=1)[:, None]

    def _product(self, eqn: JaxprEqn, left: Any, right: Any) -> jax.Array:
        (of_left, of_right), _ = eqn.params["dimension_numbers"]
        matrix, x, (along,) = (left, right, of_left) if isinstance(left, _Weights) else (right, left, of_right)
        along = 1 - along if matrix.is_turned else along
        x = jnp.broadcast_to(x, self.shape)
        columns = self.shape[1]
        total = jnp.zeros(self.shape, x.dtype)
        parts = [x] if columns == _SOURCES else jnp.split(x, columns // _SOURCES, axis=1)
        for k, part in enumerate(parts):
            some = self.pl.ds(k * _SOURCES, _SOURCES)
            there = matrix.ref.at[some, :] if along == 0 else matrix.ref.at[:, some]
            weights = self.triton.load(there, volatile=not (self.close_by or self.exact))
            # Three products of tensor cores are as exact as one of single precision, which has none.
            exact = lax.Precision.HIGHEST if self.exact else lax.DotAlgorithmPreset.TF32_TF32_F32_X3
            total = total + lax.dot_general(part, weights, (((1,), (along,)), ((), ())), precision=exact)
        return total


# --- what a step may have ---------------------------------------------------------------------------------------------
# Operations number by number, for which Triton has a rule.
_BY_NUMBER = frozenset(
    "abs neg sign ceil floor exp exp2 expm1 log log1p sqrt rsqrt cbrt square pow integer_pow sin cos tan asin acos "
    "atan atan2 sinh cosh tanh asinh acosh atanh logistic erf_inv add sub mul div rem max min clamp add_any and or xor "
    "not shift_left shift_right_logical shift_right_arithmetic eq ne lt le gt ge select_n is_finite "
    "convert_element_type nextafter population_count".split()
)
# What gives the same numbers in another shape, or for a slope alone.
_ALIKE = frozenset("broadcast_in_dim reshape squeeze expand_dims transpose copy copy_p stop_gradient".split())
_NEUTRAL = {"add": 0, "mul": 1}
_OVER_REGIONS: Mapping[str, tuple[Callable, Callable]] = {
    "reduce_sum": (jnp.sum, lambda dtype: 0),
    "reduce_max": (jnp.max, lambda dtype: _ends(dtype)[0]),
    "reduce_min": (jnp.min, lambda dtype: _ends(dtype)[1]),
}


def _with_fewer_digits(x: jax.Array, exponent_bits: int, mantissa_bits: int) -> jax.Array:
    """Rounded to the nearest number with so many digits, of two the even one."""
    lost = 23 - mantissa_bits
    words = lax.bitcast_convert_type(x, jnp.uint32)
    half = np.uint32((1 << (lost - 1)) - 1) + ((words >> np.uint32(lost)) & np.uint32(1))
    return lax.bitcast_convert_type((words + half) & np.uint32(~((1 << lost) - 1) & 0xFFFFFFFF), jnp.float32)


def _rounded(x: jax.Array, rounding_method: object) -> jax.Array:
    """To the nearest whole number, of two the even one."""
    below = jnp.floor(x)
    rest, is_odd = x - below, below - 2 * jnp.floor(below / 2)
    return below + jnp.where(rest == 0.5, is_odd, jnp.where(rest > 0.5, jnp.float32(1), jnp.float32(0)))


# For what Triton has no rule.
_OF_OURS: Mapping[str, Callable] = {"reduce_precision": _with_fewer_digits, "round": _rounded}


def _ends(dtype: Any) -> tuple[Any, Any]:
    return (-np.inf, np.inf) if jnp.issubdtype(dtype, jnp.floating) else (jnp.iinfo(dtype).min, jnp.iinfo(dtype).max)


def _shape(x: Any) -> tuple[int, ...]:
    """That of a variable in a program, without the axes of one."""
    return _squeezed(x.aval.shape)


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _called(eqn: JaxprEqn) -> ClosedJaxpr | None:
    """The program that an operation is only a name for."""
    names = "jaxpr", "call_jaxpr"
    if eqn.primitive.name not in ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call"):
        return None
    return next((eqn.params[name] for name in names if name in eqn.params), None)


def _inner(eqns: Sequence[JaxprEqn]) -> Iterator[Jaxpr]:
    for eqn in eqns:
        if (inner := _called(eqn)) is not None:
            yield inner.jaxpr
            yield from _inner(inner.jaxpr.eqns)


def _check(eqn: JaxprEqn) -> None:
    """Refuse what a kernel cannot do."""
    name = eqn.primitive.name
    avals: list[Any] = [x.aval for x in (*eqn.invars, *eqn.outvars)]
    shapes, kinds = [_squeezed(x.shape) for x in avals], {str(x.dtype) for x in avals}
    known = name in _BY_NUMBER | _ALIKE | _OVER_REGIONS.keys() | _OF_OURS.keys() | {"iota"} or _called(eqn)
    if name == "dot_general":
        (_, batch), sides = eqn.params["dimension_numbers"], sorted(len(shape) for shape in shapes[:2])
        known = batch == ((), ()) and sides == [1, 2]
        known = known and all(len(x.shape) == len(shape) for x, shape in zip(avals, shapes, strict=True))
        shapes = shapes[2:]
    elif name == "transpose" and eqn.params["permutation"] == (1, 0):
        shapes = []
    elif name == "reduce_precision":
        known = eqn.params["exponent_bits"] == 8
    elif name == "round":
        known = eqn.params["rounding_method"] == lax.RoundingMethod.TO_NEAREST_EVEN
    if not known or any(len(shape) > 1 for shape in shapes) or not kinds <= {"float32", "int32", "uint32", "bool"}:
        raise _Unknown(str(eqn))


def _alive(jaxpr: Jaxpr, outvars: Sequence[Any]) -> list[JaxprEqn]:
    """The operations that what comes out is made of."""
    needed = {id(x) for x in outvars}
    eqns = []
    for eqn in reversed(jaxpr.eqns):
        if any(id(x) in needed for x in eqn.outvars):
            needed |= {id(x) for x in eqn.invars}
            eqns.append(eqn)
    return eqns[::-1]


# --- arrays -----------------------------------------------------------------------------------------------------------
def _whole(x: Any) -> Any:
    if jnp.ndim(x):
        raise _Unknown
    return jnp.full((1, 1), x, jnp.result_type(x))


def _flat(x: jax.Array, has_lanes: bool, shape: tuple[int, ...]) -> jax.Array:
    """An array in two dimensions; true and false as numbers."""
    x = x.astype(jnp.int32) if x.dtype == bool else x
    return x.reshape(x.shape[0] if has_lanes else 1, shape[0] if shape else 1)


def _broadcast(x: jax.Array, n_lanes: int, shape: tuple[int, ...]) -> jax.Array:
    return jnp.broadcast_to(x, (n_lanes, shape[0] if shape else 1))


def _shared_memory() -> int:
    """Bytes that a block of this card may have."""
    return getattr(jax.local_devices()[0], "shared_memory_per_block_optin", _SHARED)
