"""One process, one place: what draws random numbers or keeps states may not stand in two places at once."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["refuse_two_places", "two_places"]


def refuse_two_places(owner: str, places: Iterable[tuple[str, object]]) -> None:
    """Refuse an object that stands under two of these names; None may stand under any."""
    first: dict[int, str] = {}
    for name, thing in places:
        if thing is not None and first.setdefault(id(thing), name) != name:
            raise two_places(owner, thing, first[id(thing)], name)


def two_places(owner: str, thing: object, one: str, other: str) -> ValueError:
    """The error for an object in two places."""
    return ValueError(
        f"`{one}` and `{other}` of {owner} are one and the same {type(thing).__name__}, which would take its steps "
        f"twice and give both the same numbers: make two, or a copy. Example: {other}=copy.deepcopy({one}). "
        "(Parameters are shared by giving one brainstate.nn.Param to both.)"
    )
