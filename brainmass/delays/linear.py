"""Linear operations that know their transpose.

JAX derives the transpose of a linear operation from those of its parts. Where another program for the same numbers is
faster, `linear` takes it. Derivatives forwards and backwards, `jax.vmap` and `jax.jit` go through.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from brainmass._common.typing import Array, Numbers, Pytree

__all__ = ["linear"]


def linear(
    there: Callable[[Numbers, Numbers], Numbers],
    back: Callable[[Numbers, Numbers], Numbers],
    known: Pytree,
    given: object,
) -> Pytree:
    """there(known, given), which is linear in `given`; its transpose is back(known, cotangents).

    Of operations in a row only the transpose of the whole need be right.
    """
    # A primitive binds arrays and not trees: both operations are made ones of flat lists, which know their trees.
    known, of_known = jax.tree.flatten(known)
    given, of_given = jax.tree.flatten(given)
    of_result = jax.tree.structure(jax.eval_shape(there, of_known.unflatten(known), of_given.unflatten(given)))

    def flat(operation: Callable[[Numbers, Numbers], Numbers], of_argument: Any) -> Callable[..., list[Any]]:
        def on_leaves(*leaves: Any) -> list[Array]:
            first, rest = leaves[: len(known)], leaves[len(known) :]
            return jax.tree.leaves(operation(of_known.unflatten(first), of_argument.unflatten(rest)))

        return on_leaves

    ways = {"there": flat(there, of_given), "back": flat(back, of_result)}
    return of_result.unflatten(_linear.bind(*known, *given, **ways, n_known=len(known)))


_linear = Primitive("linear")
_linear.multiple_results = True


@_linear.def_impl
def _value(*leaves: Pytree, there: Any, back: object, n_known: int) -> list[Numbers]:
    return there(*leaves)


@_linear.def_abstract_eval
def _shape(*leaves: Pytree, there: Any, back: Callable, n_known: int) -> list[Numbers]:
    shapes = jax.eval_shape(there, *(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in leaves))
    return [ShapedArray(x.shape, x.dtype) for x in shapes]


def _slope(leaves: Pytree, slopes: Array, *, there: Any, back: object, n_known: int) -> tuple[object, object]:
    known, given = leaves[:n_known], leaves[n_known:]
    value = _linear.bind(*leaves, there=there, back=back, n_known=n_known)
    d_given = [ad.instantiate_zeros(x) for x in slopes[n_known:]]
    slope = _linear.bind(*known, *d_given, there=there, back=back, n_known=n_known)
    # `there` is linear in what is given, and so its own slope there. In what is known it is any function: JAX derives
    # it, and only where something moves, as the derivative of a whole step costs as much as several.
    moving = [k for k, x in enumerate(slopes[:n_known]) if type(x) is not ad.Zero]
    if moving:

        def of_moving(*moved: object) -> list[Numbers]:
            every = list(known)
            for k, x in zip(moving, moved, strict=True):
                every[k] = x
            return there(*every, *given)

        more = jax.jvp(of_moving, [known[k] for k in moving], [slopes[k] for k in moving])[1]
        slope = [a + b for a, b in zip(slope, more, strict=True)]
    return value, slope


def _transpose(cotangents: Pytree, *leaves: object, there: Callable, back: Callable, n_known: int) -> list[Numbers]:
    cotangents = [ad.instantiate_zeros(x) for x in cotangents]
    # The two ways change places, so that the transpose of the transpose is the operation again.
    slopes = _linear.bind(*leaves[:n_known], *cotangents, there=back, back=there, n_known=n_known)
    of_given = [x if ad.is_undefined_primal(y) else None for x, y in zip(slopes, leaves[n_known:], strict=True)]
    return [None] * n_known + of_given


def _batch(leaves: Pytree, axes: Any, *, there: object, back: object, n_known: int) -> tuple[object, object]:
    # Both ways are mapped over the same axes, and of a transpose no one knows yet which cotangents will have lanes:
    # all that is given gets them, while what is known keeps its own.
    size = next(x.shape[axis] for x, axis in zip(leaves, axes, strict=True) if axis is not None)
    first = tuple(None if axis is None else axis for axis in axes[:n_known])
    given = [
        jnp.broadcast_to(x, (size, *x.shape)) if axis is None else jnp.moveaxis(x, axis, 0)
        for x, axis in zip(leaves[n_known:], axes[n_known:], strict=True)
    ]

    def over_lanes(operation: Any) -> Any:
        return lambda *x: jax.vmap(operation, (*first, *[0] * (len(x) - n_known)))(*x)

    ways = {"there": over_lanes(there), "back": over_lanes(back)}
    results = _linear.bind(*leaves[:n_known], *given, **ways, n_known=n_known)
    return results, [0] * len(results)


ad.primitive_jvps[_linear] = _slope
ad.primitive_transposes[_linear] = _transpose
batching.primitive_batchers[_linear] = _batch
mlir.register_lowering(
    # Compiled is the way there alone: the way back is in a program only where a transpose has put it in place of it.
    _linear,
    mlir.lower_fun(lambda *leaves, there, back, n_known: there(*leaves), multiple_results=True),
)
