"""Texts that numpy stored as objects, `np.array(names, dtype=object)`: read without running what a pickle may run."""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any

import numpy as np

__all__ = ["texts_of_objects"]

# what is needed to build a list of texts, and no more
_OPCODES = set(
    "PROTO FRAME STOP GLOBAL STACK_GLOBAL REDUCE BUILD MARK TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_TUPLE EMPTY_LIST APPEND "
    "APPENDS NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 BINUNICODE SHORT_BINUNICODE BINBYTES SHORT_BINBYTES "
    "BINSTRING SHORT_BINSTRING BINPUT LONG_BINPUT MEMOIZE BINGET LONG_BINGET".split()
)


class _Stored:
    """Stands for an array or its type: keeps what is said of it."""

    state: Any = None

    def __setstate__(self, state: object) -> None:
        self.state = state


def _make(*_: object) -> _Stored:
    return _Stored()


class _Reader(pickle.Unpickler):
    """Takes arrays of numpy and nothing else; numpy itself is not asked."""

    def find_class(self, module: str, name: str) -> Any:
        where = module.split(".")[0]
        if where == "numpy" and name in ("_reconstruct", "ndarray", "dtype"):
            return _make
        raise ValueError(f"it names {module}.{name}")


def texts_of_objects(data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """The array of a pickle that holds texts alone.

    Raises
    ------
    ValueError
        If it holds, or names, anything else.
    """
    places = 0
    for code, argument, _ in pickletools.genops(data):
        if code.name not in _OPCODES:
            raise ValueError(f"it holds more than texts ({code.name.lower()})")
        if code.name in ("BINPUT", "LONG_BINPUT"):
            places += 1
            if int(argument or 0) > places:  # which would take memory for all places before it
                raise ValueError("it is not as numpy writes it")
    # Texts of Python 2 are bytes in a pickle.
    stored = _Reader(io.BytesIO(data), encoding="utf-8").load()
    state = getattr(stored, "state", None)
    items = state[-1] if isinstance(state, tuple) else None
    if not isinstance(items, list) or not all(isinstance(item, str | bytes) for item in items):
        raise ValueError("it holds more than texts")
    out = np.empty(len(items), object)
    out[:] = items
    return out.reshape(shape)
