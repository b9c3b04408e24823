"""What a way of sampling is given, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax

from brainmass._common.typing import Numbers

__all__ = ["Drawn", "Orders"]


@dataclass(frozen=True)
class Orders:
    """How many draws, from which key, and who is told of them."""

    n_draws: int
    n_chains: int
    key: jax.Array
    journal: Any


@dataclass(frozen=True)
class Drawn:
    """Draws `z` (chain, draw, size) of unbounded numbers, what is told of each, what is wrong with them, and facts.

    Facts are numbers, and lists of them, that belong to the whole, such as `pareto_k` and `log_evidence`.
    """

    z: jax.Array
    stats: dict[str, Numbers]
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
