"""States that are modes, by their names, and their derivatives from one function of all modes."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import jax.numpy as jnp

__all__ = ["of_modes", "three"]


def three(*names: str) -> dict[str, tuple[str, ...]]:
    """The states that are the three modes, by name."""
    return {name: tuple(f"{name}_{k}" for k in (1, 2, 3)) for name in names}


def of_modes(own: str, rate: Callable, states: str, inputs: str = "") -> tuple[Callable, Callable, Callable]:
    """The derivatives of the three modes of the state `own`.

    `rate(self, ...)` takes each of `states` with its modes as first axis, then the `inputs`; both are words.
    """
    names = [f"{state}_{k}" for state in states.split() for k in (1, 2, 3)]

    def of(k: int) -> Callable:
        first = f"{own}_{k + 1}"  # as in every derivative
        order = [first, *(name for name in names if name != first), *inputs.split()]

        def derivative(self, *values):
            given = dict(zip(order, values, strict=True))
            stacks = [jnp.stack([given.pop(name) for name in names[i : i + 3]]) for i in range(0, len(names), 3)]
            return rate(self, *stacks, *given.values())[k]

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        arguments = [inspect.Parameter(name, kind) for name in ("self", *order)]
        derivative.__signature__ = inspect.Signature(arguments)  # type: ignore[attr-defined]
        return derivative

    return of(0), of(1), of(2)
