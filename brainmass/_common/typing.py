"""Names for what public functions take, for annotations and editors; what a value must be is checked when it enters."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import brainstate
import brainunit as u
import jax
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Array",
    "ArrayLike",
    "Complex",
    "Initialiser",
    "RunInputs",
    "Key",
    "Monitors",
    "Numbers",
    "PathLike",
    "Period",
    "Pytree",
    "Seed",
    "Shape",
    "Speed",
    "Time",
    "Weights",
]

# Static tools learn from brainunit that `5 * u.ms` is a quantity or a unit, and cannot tell dimensions apart.
_Measured = u.Quantity | u.Unit

Time = _Measured
"""One time with its unit."""
Speed = _Measured
"""One conduction speed, or one for each connection."""
Period = _Measured | int
"""A time, or a number of time steps."""

Array = jax.Array | np.ndarray | u.Quantity
"""Numbers, with a unit or without."""
Complex: TypeAlias = NDArray[np.complexfloating[Any, Any]]
"""Complex numbers, such as eigenvalues: numpy's plain `ndarray` has no real part for tools."""
ArrayLike = Array | u.Unit | float | np.number | Sequence[Any]
"""What becomes an array: a number, a list of them, an array or a quantity."""
Weights = ArrayLike
"""Of connections: `weights[i, j]` goes from region j to region i."""

Initialiser: TypeAlias = Callable[..., Any] | ArrayLike
"""Where a state or weights begin: an initialiser, as of `braintools.init`, or the values themselves."""

Numbers: TypeAlias = Any
"""An array or a quantity within a computation, where its kind depends on what the model is given.

Tools let it pass: JAX declares its functions for arrays alone, and brainunit its own as returning anything.
"""
Pytree: TypeAlias = Any
"""Arrays in tuples, lists and mappings, as JAX's transformations take them."""
Shape: TypeAlias = int | Sequence[int]
"""One size, or one for each axis."""

Key = int | np.integer | jax.Array
"""What random numbers are drawn by: a seed, or a random key of JAX."""
Seed = Key | None
"""The same, or None for the state of `brainstate.random`."""

PathLike = str | os.PathLike[str]

Monitors = str | Iterable[str] | Mapping[str, Any] | Callable[..., Any] | None
"""What a run records: a name, names, forward models and functions by name, or one function; None for all states."""
RunInputs = Mapping[str, Any] | Callable[..., Any] | brainstate.graph.Node | ArrayLike | None
"""What enters the input ports, by name; or what enters the first, or one function of step and time."""
RunParameters = Mapping[str, Any] | None
"""What parameters are in a run, by name: numbers, stimuli, functions of time."""
