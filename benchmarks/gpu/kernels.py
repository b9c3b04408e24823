"""What kernels of ours work out, counted in the program that they are traced to: the text that XLA prints hides it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from benchmarks.gpu.programs import LONG, OF_LONG

_NO_ARITHMETIC = set("broadcast_in_dim reshape squeeze iota get masked_load swap masked_swap program_id split".split())
_NO_ARITHMETIC |= {"convert_element_type", "copy", "stop_gradient", "transpose", "addupdate", "slice"}
_LONG = LONG | {"div", "exp", "expm1", "log", "log1p", "pow", "sin", "cos"}


def kernels(jaxpr: Any) -> dict[str, tuple[int, int]]:
    """By the name of a kernel, the operations of one launch, with those on what only fills a tile, and its tiles.

    A product counts as one of single precision, though tensor cores take three of fewer digits for it.
    """
    found = {}
    for eqn in _kernels(jaxpr):
        tiles = math.prod(eqn.params["grid_mapping"].grid)
        found[eqn.params["name"]] = tiles * _of(eqn.params["jaxpr"]), tiles
    return found


def _kernels(jaxpr: Any) -> Iterator[Any]:
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "pallas_call":
            yield eqn
        else:
            for inner in _inner(eqn):
                yield from _kernels(inner)


def _inner(eqn: Any) -> Iterator[Any]:
    for param in eqn.params.values():
        for part in param if isinstance(param, list | tuple) else [param]:
            if hasattr(part, "eqns"):
                yield part
            elif hasattr(getattr(part, "jaxpr", None), "eqns"):
                yield part.jaxpr


def _of(jaxpr: Any) -> int:
    total = 0
    for eqn in jaxpr.eqns:
        name = eqn.primitive.name
        inner = list(_inner(eqn))
        if inner:
            total += eqn.params.get("length", 1) * sum(map(_of, inner))
        elif name == "dot_general":
            (along, _), _ = eqn.params["dimension_numbers"]
            summed = math.prod(eqn.invars[0].aval.shape[axis] for axis in along)
            total += math.prod(eqn.outvars[0].aval.shape) * summed
        elif name not in _NO_ARITHMETIC:
            size = max(math.prod(x.aval.shape) for x in (*eqn.invars, *eqn.outvars) if hasattr(x.aval, "shape"))
            total += (OF_LONG if name in _LONG else 1) * size
    return total
