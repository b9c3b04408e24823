"""Names on their way out: they work for two minor releases, and say what to write."""

from __future__ import annotations

import warnings

__all__ = ["warn_of_old_name"]


def warn_of_old_name(old: str, new: str, last: str = "", *, stacklevel: int = 2) -> None:
    """Tell, where it is used, that a name is old, what to write, and the last release that knows it, if that is set."""
    until = f" {last} is the last release that knows it." if last else ""
    warnings.warn(f"{old} is an old name: write {new}.{until}", DeprecationWarning, stacklevel=stacklevel + 1)
