"""How far back in time gradients go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["gradients_through", "present_horizon"]

_horizon: ContextVar[Any] = ContextVar("horizon of gradients", default=None)


@contextmanager
def gradients_through(horizon: Any) -> Iterator[None]:
    """Within it, runs that say nothing else pass gradients through windows of this many steps, or of this time."""
    token = _horizon.set(horizon)
    try:
        yield
    finally:
        _horizon.reset(token)


def present_horizon() -> Any:
    return _horizon.get()
