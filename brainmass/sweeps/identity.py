"""What makes two sweeps the same: values, seeds, settings, and all that a model is made of, as short texts.

They stay the same from one process to the next, so that a store can tell the sweep it belongs to.
"""

from __future__ import annotations

import functools
import hashlib
import re
import types
from collections.abc import Mapping
from typing import Any

import brainstate
import brainunit as u
import jax
import numpy as np

from brainmass.simulation.functional import TRANSIENT_ATTRIBUTES

__all__ = ["digest"]


def digest(thing: Any) -> str:
    """A short text that is equal for things that are made alike."""
    hasher = hashlib.sha256()
    _feed(thing, hasher, {})
    return hasher.hexdigest()[:16]


def _feed(thing: Any, hasher: Any, seen: dict[int, Any]) -> None:
    def put(*parts: Any) -> None:
        hasher.update(repr(parts).encode())

    def into(*parts: Any) -> None:
        for part in parts:
            _feed(part, hasher, seen)

    if thing is None or isinstance(thing, bool | int | float | complex | str | bytes):
        return put(type(thing).__name__, thing)
    if isinstance(thing, u.Quantity):
        put(str(thing.unit))
        return into(np.asarray(thing.mantissa))
    if isinstance(thing, jax.Array) and jax.numpy.issubdtype(thing.dtype, jax.dtypes.prng_key):
        thing = jax.random.key_data(thing)
    if isinstance(thing, jax.Array | np.ndarray | np.generic):
        values = np.asarray(thing)
        put(str(values.dtype), values.shape)
        return hasher.update(np.ascontiguousarray(values).tobytes())
    if isinstance(thing, u.Unit | type | types.ModuleType):
        return put(str(getattr(thing, "__qualname__", getattr(thing, "__name__", thing))))
    if id(thing) in seen:  # a module within itself
        return put("seen")
    seen[id(thing)] = thing  # and so its id is not given to another
    if isinstance(thing, Mapping):
        put("mapping", len(thing))
        return into(*(part for pair in thing.items() for part in pair))
    if isinstance(thing, set | frozenset):
        return put(sorted(map(repr, thing)))
    if isinstance(thing, tuple | list):
        put(len(thing))
        return into(*thing)
    if isinstance(thing, types.MethodType):
        return into(thing.__func__, thing.__self__)
    if isinstance(thing, functools.partial):
        return into(thing.func, thing.args, thing.keywords)
    if isinstance(thing, types.FunctionType):
        return _feed_function(thing, put, into)
    if isinstance(thing, types.CodeType):
        put(thing.co_code, thing.co_names)
        return into(*thing.co_consts)
    put(type(thing).__qualname__)
    if isinstance(thing, brainstate.ParamState | brainstate.LongTermState):
        return into(thing.value)
    if isinstance(thing, brainstate.State):  # of another moment: a run leaves the model changed
        return None
    if hasattr(thing, "__dict__"):
        return into({k: v for k, v in vars(thing).items() if k not in TRANSIENT_ATTRIBUTES})
    put(re.sub(r" at 0x[0-9a-f]+", "", repr(thing)))


def _feed_function(function: types.FunctionType, put: Any, into: Any) -> None:
    """Its code, and the values of the names that it looks up."""
    package = (function.__module__ or "").partition(".")[0]
    into(function.__code__, function.__defaults__, function.__kwdefaults__)
    if package not in ("jax", "jaxlib"):  # whose wrappers hold what differs between processes
        into(*(cell.cell_contents for cell in function.__closure__ or ()))
    if package in _KNOWN:
        return put(function.__qualname__)
    into(*(function.__globals__.get(name) for name in sorted(_names(function.__code__))))


_KNOWN = ("jax", "jaxlib", "numpy", "brainmass", "brainunit", "brainstate", "braintools")


def _names(code: types.CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))
