"""Paths that users name: to read from, and to write to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brainmass._common.checks import instance
from brainmass._common.messages import Argument, argument_error

__all__ = ["as_path", "target_path"]


def as_path(path: Any, what: str = Argument("path"), suffixes: Sequence[str] = (), example: str = "") -> Path:
    """A path, in which '~' is the home folder; with `suffixes`, one that ends in one of them."""
    path = os.fspath(instance(what, path, str | os.PathLike, "a path"))
    if not path:
        raise argument_error(what, "must be a path", "is empty")
    if suffixes and Path(path).suffix not in suffixes:
        raise argument_error(what, f"must end in {' or '.join(suffixes)}", f"is {path!r}", example)
    return Path(os.path.expanduser(path))


def target_path(path: object, what: str = Argument("path"), suffixes: Sequence[str] = (), example: str = "") -> Path:
    """The whole path of a file to write, whose folder is there."""
    target = as_path(path, what, suffixes, example).resolve()
    if not target.parent.is_dir():
        rule, given = "must lie in an existing folder", f"{target.parent} is none"
        raise argument_error(what, rule, given, example, kind=FileNotFoundError)
    return target
