"""What errors say: a value in short, and the name that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = ["counted", "named", "show", "suggestion"]


def show(value: Any) -> str:
    """A value as shown in an error message: short, with its unit."""
    text = str(value).replace("\n", " ")
    return text if len(text) <= 60 else f"{text[:57]}..."


def named(value: Any) -> str:
    """A value as shown where a name is asked: text in quotes."""
    return repr(str(value)) if isinstance(value, str) else show(value)


def suggestion(given: str, known: Iterable[str]) -> str:
    """' Did you mean ...?' when a known name is near."""
    near = difflib.get_close_matches(given, list(known), 1)
    return f" Did you mean {near[0]!r}?" if near else ""


def counted(number: int, noun: str) -> str:
    """'1 region', '2 regions'."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
