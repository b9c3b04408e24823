"""When the past of a projection is made anew: where its weights, delays or step are others than before."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable
from typing import Any

import brainstate
import numpy as np
from brainstate.nn import Param

from brainmass._common.checks import is_traced
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers

__all__ = ["Arranged", "check_known", "kept_if_equal", "stored"]


@dataclasses.dataclass
class _Aside:
    original: Callable[[], Any]
    wanted: float | None = None


# Not in the object: what a function reads is compared and copied with all that it holds.
_ASIDE: weakref.WeakKeyDictionary[Arranged, _Aside] = weakref.WeakKeyDictionary()


class Arranged:
    """What the room for the past of `original` was made from. No part of the module: a run does not depend on it.

    Copies that are put together within a trace share it, and so find the one that they are copies of.
    """

    conn: Numbers = None
    pace: Numbers = None
    rest: tuple = ()
    steps: np.ndarray | None = None
    sources: np.ndarray | None = None

    def __init__(self, original: Any):
        self.belong_to(original)

    def belong_to(self, original: Any) -> None:
        _ASIDE[self] = _Aside(weakref.ref(original))

    @property
    def original(self) -> Any:
        """The projection itself, or None where it is no more."""
        return _ASIDE[self].original()

    @property
    def wanted(self) -> float | None:
        """The step of the last run, of the original or of a copy, in ms."""
        return _ASIDE[self].wanted

    @wanted.setter
    def wanted(self, step: float) -> None:
        _ASIDE[self].wanted = step

    def is_from(self, conn: Numbers, pace: Numbers, rest: tuple) -> bool:
        """Whether it was made from these; `rest` ends with the lengths, an array, which are compared by identity."""
        # By identity: to compare the numbers of 10,000 x 10,000 weights before each run would take longer than short
        # runs.
        same = self.conn is conn and self.pace is pace and self.rest[:-1] == rest[:-1]
        return same and self.rest[-1] is rest[-1]

    def note(self, conn: Numbers, pace: Numbers, rest: tuple) -> None:
        self.conn, self.pace, self.rest = conn, pace, rest


def stored(param: Param | None) -> Numbers:
    """What a parameter holds, the object itself: that it is the same is told without looking at its numbers."""
    # `value()` may make a new array at each call, and none would be the one of before.
    value = None if param is None else param.val
    return value.value if isinstance(value, brainstate.State) else value


def kept_if_equal(old: Numbers, new: np.ndarray) -> Numbers:
    """The array that is there where the new one is no other: a compiled run serves for the very same one."""
    return old if isinstance(old, np.ndarray) and np.array_equal(old, new) else new


def check_known(name: str, pace: Numbers) -> None:
    """Refuse a traced speed or delay where the room for the past is made."""
    if is_traced(pace):
        raise argument_error(
            Argument(name, "Network"),
            "must be a number where the network is made within jax.jit or its like, as the room for "
            "the past follows from it",
            f"is traced: make the network outside, with interpolate=True, and give it to Simulator.pure(..., "
            f"free=[{name!r}])",
        )
