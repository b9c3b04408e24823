"""Objectives that can be pickled: by the function that makes them, and what it was given."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax

__all__ = ["makes_objective"]


class _Made:
    """What a function has made, which it makes anew from a pickle."""

    def __init__(self, function: Callable, make: Callable, args: tuple, named: dict[str, object]):
        functools.update_wrapper(self, function)
        self._function, self._recipe = function, (make, args, named)

    def __call__(self, *args: object, **named: object) -> jax.Array:
        return self._function(*args, **named)

    # An objective is a closure, which no pickle holds: the call that made it is repeated.
    def __reduce__(self) -> tuple:
        make, args, named = self._recipe
        return functools.partial(make, **named), args


def makes_objective(factory: Callable) -> Callable:
    """Of a function that returns a function, one whose results can be pickled."""

    @functools.wraps(factory)
    def make(*args: object, **named: object) -> _Made:
        return _Made(factory(*args, **named), make, args, named)

    return make
