"""The catalogue of models: what stands in it, and the list of it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeVar

from brainmass.dynamics.regime import default_method, longest_step

__all__ = ["ModelInfo", "catalogued", "list_models"]


M = TypeVar("M", bound=type)


class ModelInfo(NamedTuple):
    """One row of the catalogue of models."""

    name: str
    category: str
    states: tuple[str, ...]
    use_case: str
    method: str = ""
    largest_step: float = math.inf
    """That of the default parameters, in ms."""


_models: list[Any] = []


def catalogued(model: M) -> M:
    """Put a class into the catalogue that is no complete node: a base of nodes, or a network of them."""
    _models.append(model)
    return model


def list_models() -> list[ModelInfo]:
    """The models of the package, in alphabetical order."""
    own = [m for m in _models if m.__module__.startswith("brainmass.")]
    return sorted(
        ModelInfo(m.__name__, m.category, tuple(m._states), m.use_case, default_method(m), longest_step(m)) for m in own
    )
