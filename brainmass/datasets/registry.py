"""Data sets by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from brainmass._common.checks import flag, instance
from brainmass._common.messages import Argument, argument_error, named, nearest, suggestion

if TYPE_CHECKING:
    from brainmass.datasets.hcp import EmpiricalDataset

__all__ = ["list_datasets", "load_dataset", "register_dataset"]


@dataclasses.dataclass(frozen=True)
class _Entry:
    loader: Callable[[], Any]
    description: str


_ENTRIES: dict[str, _Entry] = {}


def register_dataset(
    name: str,
    loader: Callable[[], Any],
    *,
    description: str | None = None,
    overwrite: bool = False,
) -> None:
    """Make a data set available to `load_dataset`.

    Parameters
    ----------
    name : str
        Name of the data set.
    loader : callable without arguments
        Returns the data set; it is called at each `load_dataset(name)`, not before.
    description : str, optional
        One line; by default the first line of the loader's docstring.
    overwrite : bool
        Whether a data set of this name may be replaced.

    Raises
    ------
    TypeError, ValueError
        If `name` is not a nonempty string or is taken, or `loader` is not callable.
    """
    what, example = (
        Argument("name", "register_dataset", "name of the data set"),
        "register_dataset('my_cohort', lambda: np.load('my_cohort.npy'))",
    )
    if not isinstance(name, str) or not name:
        raise argument_error(what, "must be a nonempty string", f"is {name!r}", example, kind=TypeError)
    if not callable(loader):
        of = Argument("loader", "register_dataset", "function that loads")
        but = f"is {type(loader).__name__}"
        raise argument_error(of, "must be callable without arguments", but, example, kind=TypeError)
    flag(Argument("overwrite", "register_dataset"), overwrite)
    instance(Argument("description", "register_dataset"), description, str | None, "text")
    if name in _ENTRIES and not overwrite:
        but = f"{name!r} is registered already (overwrite=True replaces it)"
        raise argument_error(what, "must be new", but, example)
    # The loader alone: data are read when they are asked for.
    _ENTRIES[name] = _Entry(loader, description or _first_line(loader.__doc__))


def list_datasets() -> list[tuple[str, str]]:
    """Return name and description of each registered data set, sorted by name."""
    return sorted((name, entry.description) for name, entry in _ENTRIES.items())


def load_dataset(name: str) -> EmpiricalDataset:
    """Load a data set by name; what it returns is said by the data set's loader.

    Raises
    ------
    ValueError
        If no data set of this name is registered; the message lists those that are.
    """
    if not isinstance(name, str) or name not in _ENTRIES:
        near, hint = nearest(str(name), _ENTRIES), suggestion(str(name), _ENTRIES)
        raise argument_error(
            Argument("name", "load_dataset", "name of the data set"),
            "must be a registered one",
            f"is {named(name)}.{hint} Registered: {'; '.join(map(_describe, sorted(_ENTRIES)))}",
            f"load_dataset({(near or sorted(_ENTRIES))[0]!r})",
        )
    return _ENTRIES[name].loader()


def _describe(name: str) -> str:
    description = _ENTRIES[name].description
    return f"{name!r} ({description})" if description else repr(name)


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().partition("\n")[0].rstrip(".")
