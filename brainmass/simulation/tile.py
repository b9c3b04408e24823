"""What one step does to a tile of lanes and regions, within a kernel of a GPU.

The operations that a tile knows stand here, and how each is done by Triton; when a kernel is made, and of what, is
said in `kernel.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Var

__all__ = ["SOURCES", "Tile", "Unknown", "Weights", "operations", "shape_of", "squeezed"]

# Sources that a product takes at once, whose weights are read from the cache where they do not stay in shared memory.
SOURCES = 32


class Unknown(Exception):
    """A step has something that a kernel cannot do."""


@dataclass(frozen=True)
class Weights:
    """A matrix, left where it is; a product reads it in parts."""

    ref: Any
    is_turned: bool = False


class Tile:
    """Works a step out for a tile of lanes. An array is (lanes or 1, regions or 1): what all share is there once."""

    def __init__(
        self, shape: tuple[int, int], regions: int, place: jax.Array, close_by: bool, exact: bool, triton: Any, pl: Any
    ):
        self.shape, self.regions, self.place = shape, regions, place
        self.close_by, self.exact, self.triton, self.pl = close_by, exact, triton, pl
        # By what it is made of, which is kept with it: the name of an object that is gone may be given again.
        self._done: dict[tuple[str, tuple[int, ...], str], tuple[Any, list[Any]]] = {}
        self._literals: dict[tuple[str, str], jax.Array] = {}

    def evaluate(self, jaxpr: Jaxpr, eqns: Sequence[JaxprEqn], consts: Sequence, args: Sequence) -> list[Any]:
        known: dict[Var, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *args), strict=True))

        def value(x: Any) -> Any:
            return self._literal(x) if hasattr(x, "val") else known[x]

        for eqn in eqns:
            given = [value(x) for x in eqn.invars]
            if inner := _called(eqn):
                found = self.evaluate(
                    inner.jaxpr,
                    inner.jaxpr.eqns,
                    [jnp.full((1, 1), x, jnp.result_type(x)) for x in inner.consts],
                    given,
                )
            else:
                # Two stages that need the same, such as a product, have it once; XLA would see to it.
                same = eqn.primitive.name, tuple(map(id, given)), str(eqn.params)
                if same not in self._done:
                    self._done[same] = self._operation(eqn, eqn.primitive.name, given), given
                found = [self._done[same][0]]
            known.update(zip(eqn.outvars, found, strict=True))
        return [value(x) if hasattr(x, "val") or x in known else None for x in jaxpr.outvars]

    def _literal(self, x: Any) -> jax.Array:
        kept = float(x.val).hex(), str(x.aval.dtype)  # of zeros the sign, too
        if kept not in self._literals:
            self._literals[kept] = jnp.full((1, 1), x.val, x.aval.dtype)
        return self._literals[kept]

    def _operation(self, eqn: JaxprEqn, name: str, given: list[Any]) -> Any:
        if name == "iota":
            dtype, shape = eqn.params["dtype"], shape_of(eqn.outvars[0])
            return self.place.astype(dtype) if shape else jnp.zeros((1, 1), dtype)
        if name == "dot_general":
            return self._product(eqn, *given)
        if isinstance(given[0], Weights):
            return Weights(given[0].ref, not given[0].is_turned)
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
        if not shape_of(eqn.invars[0]) or shape_of(eqn.outvars[0]):
            return x
        reduce, neutral = _OVER_REGIONS[name]
        x = jnp.broadcast_to(x, (x.shape[0], self.shape[1]))
        there = jnp.broadcast_to(self.place < self.regions, x.shape)
        return reduce(jnp.where(there, x, jnp.full_like(x, neutral(x.dtype))), axis=1)[:, None]

    def _product(self, eqn: JaxprEqn, left: Any, right: Any) -> jax.Array:
        (of_left, of_right), _ = eqn.params["dimension_numbers"]
        matrix, x, (along,) = (left, right, of_left) if isinstance(left, Weights) else (right, left, of_right)
        along = 1 - along if matrix.is_turned else along
        x = jnp.broadcast_to(x, self.shape)
        columns = self.shape[1]
        total = jnp.zeros(self.shape, x.dtype)
        parts = [x] if columns == SOURCES else jnp.split(x, columns // SOURCES, axis=1)
        for k, part in enumerate(parts):
            some = self.pl.ds(k * SOURCES, SOURCES)
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


def shape_of(x: Any) -> tuple[int, ...]:
    """That of a variable in a program, without the axes of one."""
    return squeezed(x.aval.shape)


def squeezed(shape: Sequence[int]) -> tuple[int, ...]:
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
    shapes, kinds = [squeezed(x.shape) for x in avals], {str(x.dtype) for x in avals}
    known = name in _BY_NUMBER | _ALIKE | _OVER_REGIONS.keys() | _OF_OURS.keys() | {"iota"}
    if inner := _called(eqn):
        known = not any(jnp.ndim(x) for x in inner.consts)
    elif name == "dot_general":
        (_, batch), sides = eqn.params["dimension_numbers"], sorted(len(shape) for shape in shapes[:2])
        known = batch == ((), ()) and sides == [1, 2] and kinds == {"float32"}
        known = known and all(len(x.shape) == len(shape) for x, shape in zip(avals, shapes, strict=True))
        shapes = shapes[2:]
    elif name == "transpose" and eqn.params["permutation"] == (1, 0):
        shapes = []
    elif name == "reduce_precision":
        known = eqn.params["exponent_bits"] == 8
    elif name == "round":
        known = eqn.params["rounding_method"] == lax.RoundingMethod.TO_NEAREST_EVEN
    if not known or any(len(shape) > 1 for shape in shapes) or not kinds <= {"float32", "int32", "uint32", "bool"}:
        raise Unknown(str(eqn))


def operations(jaxpr: Jaxpr, outvars: Sequence[Any]) -> tuple[list[JaxprEqn], set[int]]:
    """The operations that these are made of, and the sizes of all axes; `Unknown` where a tile cannot do one."""
    eqns, sizes = _alive(jaxpr, outvars), set[int]()
    for eqn in (*eqns, *(eqn for part in _inner(eqns) for eqn in part.eqns)):
        _check(eqn)
        for x in (*eqn.invars, *eqn.outvars):
            sizes.update(shape_of(x))
    return eqns, sizes


def _alive(jaxpr: Jaxpr, outvars: Sequence[Any]) -> list[JaxprEqn]:
    needed = {id(x) for x in outvars}
    eqns = []
    for eqn in reversed(jaxpr.eqns):
        if any(id(x) in needed for x in eqn.outvars):
            needed |= {id(x) for x in eqn.invars}
            eqns.append(eqn)
    return eqns[::-1]
