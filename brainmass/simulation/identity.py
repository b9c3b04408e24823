"""What makes two sweeps, or two fits, the same, as short texts that stay the same from one process to the next.

A file can so tell the work that it belongs to. Functions are looked through as by `same.picture`; what that compares by
identity is put into words here.
"""

from __future__ import annotations

import enum
import hashlib
import re
import types
import warnings
from collections.abc import Callable, Mapping

import brainstate
import jax
import numpy as np

from brainmass._common.same import ByIdentity, Seen, Unseen
from brainmass.simulation.inventory import TRANSIENT_ATTRIBUTES, Inventory

__all__ = ["digest", "lasting", "plan_of", "within"]


def digest(thing: object) -> str:
    """A short text that is equal for things that are made alike."""
    hasher = hashlib.sha256()
    for path, text in lasting({"it": thing}).items():
        hasher.update(f"{path}\0{text}\n".encode())
    return hasher.hexdigest()[:16]


def lasting(
    things: Mapping[str, object], besides: Callable[[str], bool] = lambda path: False, what: str = ""
) -> dict[str, str]:
    """Things by name as texts by path, without what lies at the paths `besides`.

    Of what cannot be seen a warning tells, where `what` names the work.
    """
    seen = _Lasting()
    for name, thing in things.items():
        seen.take(name, thing)
    for way in dict.fromkeys(seen.hidden if what else ()):
        warnings.warn(
            f"A function given to this {what} reads {way}, of which a file cannot tell whether it is what it was: see "
            f"to it when the {what} goes on. Let the function read numbers or arrays instead.",
            RuntimeWarning,
            stacklevel=4,
        )
    return {_without_places(path): _text(part) for path, part in seen.parts.items() if not besides(path)}


def within(texts: Mapping[str, str], *names: str) -> dict[str, str]:
    """Those of the things with these names, or, where it ends in a dot or a space, whose names begin so."""
    ends = tuple(name if name[-1] in ". " else f"{name}/" for name in names)
    return {path: text for path, text in texts.items() if path in names or path.startswith(ends)}


def plan_of(found: Inventory) -> tuple:
    """How a module is made, in classes by name; what those of a user are is told by `others` of the inventory."""
    return tuple(f"{x.__module__}.{x.__qualname__}" if isinstance(x, type) else x for x in found.structure)


class _Lasting(Seen):
    """A picture that leaves out the moment: states, of which a run leaves others."""

    # Without the limit of a look at each run: this one is taken once, when a file is written or read.
    most, passing = float("inf"), TRANSIENT_ATTRIBUTES

    def __init__(self) -> None:
        super().__init__()
        self.hidden: list[str] = []

    def take(self, path: str, thing: object) -> None:
        try:
            super().take(path, thing.thing if isinstance(thing, ByIdentity) else thing)
        except Unseen as way:
            self.hidden.append(str(way))
            self.parts[path] = "not seen", str(way)

    def _state(self, path: str, thing: object) -> None:
        if isinstance(thing, brainstate.ParamState | brainstate.LongTermState):
            super()._state(path, thing)
        else:
            self.parts[path] = type(thing)

    def _function(self, path: str, function: Callable) -> None:
        made = getattr(function, "made_of", None)
        if made is None:
            super()._function(path, function)
        else:
            self._all(path, made)


def _text(part: object) -> str:
    """What is compared, in words without places in memory."""
    if isinstance(part, ByIdentity):
        return _text_of_one(part.thing)
    if isinstance(part, types.CodeType):
        # Without the lines and the file, which change where nothing of what is done does.
        return _text((part.co_code, part.co_names, part.co_consts))
    if isinstance(part, type):
        return f"{part.__module__}.{part.__qualname__}"
    if isinstance(part, tuple):
        return f"({', '.join(map(_text, part))})"
    if isinstance(part, frozenset):
        # In an order of its own: that of a set differs from process to process.
        return f"{{{', '.join(sorted(map(_text, part)))}}}"
    return _without_places(repr(part))


def _without_places(text: str) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def _text_of_one(thing: object) -> str:
    """Of a thing that is like itself alone within a process."""
    # Numbers, and not the array itself, which is another in each process.
    if isinstance(thing, jax.Array):
        if jax.numpy.issubdtype(thing.dtype, jax.dtypes.prng_key):
            thing = jax.random.key_data(thing)
        values = np.asarray(thing)
        return f"array {values.dtype} {values.shape} {hashlib.sha256(values.tobytes()).hexdigest()}"
    name = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None) or getattr(thing, "name", None)
    if name is None or isinstance(thing, enum.Enum):
        return _text(repr(thing) if name is None else f"{type(thing)} {name}")
    return f"{getattr(thing, '__module__', '')}.{name}"
