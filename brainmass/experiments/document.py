"""An experiment file: what it holds, where that stands, and what is wrong with it."""

from __future__ import annotations

import enum
import hashlib
import os
import pathlib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

import brainunit as u

from brainmass._common.messages import ArgumentError, show, suggestion
from brainmass.experiments.places import Path, Place, find_places

__all__ = ["EXPECTED", "WRONG", "Document", "ExperimentError", "Wrong"]


class Wrong(enum.Enum):
    """Its one member is a mark: of an enumeration, as tools know what is left after `x is WRONG`."""

    WRONG = "WRONG"

    def __repr__(self) -> str:
        return "WRONG"


WRONG: Final = Wrong.WRONG
"""In the place of a value that was complained about."""

T = TypeVar("T")

# What the package raises for input that is not right.
EXPECTED = (ValueError, TypeError, KeyError, OSError, ImportError, MemoryError, u.UnitMismatchError)


_TABLES = {"run": "simulation", "Simulator": "simulation", "Fitter": "fit"}
"""The tables of functions and classes that are not called like them."""


class ExperimentError(Exception):
    """What is wrong with an experiment file, with lines, as it is shown to a user; or what went wrong in a run."""

    def __init__(self, message: str, status: int = 2):
        super().__init__(message)
        self.status = status


class Document:
    """A TOML file, read and parsed.

    Parameters
    ----------
    path : path

    Raises
    ------
    ExperimentError
        If there is no such file, or it is not TOML.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = pathlib.Path(path)
        self.folder = self.path.resolve().parent
        # A dict is a set that keeps its order: what is noted twice is told once.
        self._problems: dict[tuple[Place | None, str], None] = {}
        self._said: set[tuple[Path, str]] = set()
        self.files: dict[str, str] = {}  # that it names, with their sha256
        try:
            data = self.path.read_bytes()
            self.text = data.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ExperimentError(f"{self.path} must be an experiment file, but cannot be read: {error}") from error
        self.sha256 = hashlib.sha256(data).hexdigest()
        # After the checksum, which is of the bytes: TOML reads both ends of a line as one, and places count on it.
        self.text = self.text.replace("\r\n", "\n")
        try:
            self.data = tomllib.loads(self.text)
            self._places = find_places(self.text)
        except tomllib.TOMLDecodeError as error:
            raise ExperimentError(self._syntax(error)) from error
        # Without its cause, a traceback of a thousand calls.
        except RecursionError:
            raise ExperimentError(f"{self.path} must be an experiment file, but is nested too deep.") from None

    # --- what is wrong ------------------------------------------------------------------------------------------------
    def complain(self, path: Path, message: str) -> Wrong:
        """Note a problem, at a key or at what holds it; returns `WRONG`."""
        self._problems.setdefault((self._place(path), message))
        self._said.add((path, message))
        return WRONG

    def unknown(self, path: Path, what: str, known: Iterable[str]) -> Wrong:
        """Note a name that is not known, with what there is and what is near."""
        known = list(known)
        name = str(path[-1])
        return self.complain(path, f"{what}.{suggestion(name, known)} There are {', '.join(known) or 'none'}.")

    def attempt(self, path: Path, make: Callable[[], T]) -> T | Wrong:
        """What `make()` gives, or `WRONG` where it raises, which is noted at the key that the error names."""
        try:
            return make()
        except EXPECTED as error:
            return self.blame(path, error)

    def blame(self, path: Path, error: Exception) -> Wrong:
        """Note an error that the package raised for what stands at `path`, or at a key within."""
        message = in_words(error)
        if any(x[: len(path)] == path and said == message for x, said in self._said):
            return WRONG  # of an entry of it, which was tried alone
        return self.complain(self._concerned(path, error), message)

    def check(self) -> None:
        """Raise all that was noted."""
        if self._problems:
            raise self.problems()

    def problems(self) -> ExperimentError:
        """All that was noted."""
        # What has no place concerns the whole file, and comes first.
        noted = sorted(self._problems, key=lambda noted: noted[0] or Place(0, 0, 0))
        many = f"{len(noted)} problems" if len(noted) > 1 else "1 problem"
        shown = [self._shown(place, message) for place, message in noted]
        return ExperimentError("\n".join([*shown, f"{many} in {self.path}: nothing was run."]))

    def forget(self) -> None:
        """Begin anew: what a run found to be wrong, such as a file that is there already, may be right in the next."""
        self._problems.clear()
        self._said.clear()

    def _place(self, path: Path) -> Place | None:
        while path and path not in self._places:
            path = path[:-1]
        return self._places.get(path)

    def _concerned(self, path: Path, error: Exception) -> Path:
        """The key within a table of the argument that an error is about, in the table of its owner where several are.

        Where the entry of an argument has no place, such as that of a default, it is the argument as a whole.
        """
        if not isinstance(error, ArgumentError) or not error.argument:
            return path
        argument = tuple(error.argument.split("."))
        for key in (*argument, *error.entry.split(".")), (*argument, error.entry), argument:
            # Places within this table whose path ends in the key.
            inner = [x for x in self._places if x[: len(path)] == path and x[len(path) :][-len(key) :] == key]
            if inner:
                # In the table of the owner, if it has one; of several the outermost.
                return max(inner, key=lambda x: (self._belongs(x[:-1], error.owner), -len(x)))
        return path

    def _belongs(self, table: Path, owner: str) -> bool:
        """Whether a table is that of a function or class: by its `type`, or by its name."""
        given: Any = self.data
        for part in table:
            given = given[part]
        of_type = given.get("type") if isinstance(given, Mapping) else None
        return owner == of_type or bool(table) and table[-1] == _TABLES.get(owner, owner.lower())

    def _shown(self, place: Place | None, message: str) -> str:
        if place is None:
            return f"{self.path}: {message}"
        line = self.text.splitlines()[place.line - 1]
        number = str(place.line)
        marks = " " * (place.column - 1) + "^" * place.length
        return f"{self.path}:{number}: {message}\n    {number} | {line}\n    {' ' * len(number)} | {marks}"

    def _syntax(self, error: tomllib.TOMLDecodeError) -> str:
        found = re.search(r" \(at line (\d+), column (\d+)\)", str(error))
        message = f"This is not TOML: {str(error).partition(' (at ')[0]}."
        lines = self.text.splitlines()
        line, column = (int(found[1]), int(found[2])) if found else (len(lines), 1)
        if line > len(lines):
            line, column = max(1, len(lines)), 1
        shown = self._shown(Place(line, column, 1) if lines else None, message)
        return f"{shown}\n1 problem in {self.path}: nothing was run."

    # --- files that it names ------------------------------------------------------------------------------------------
    def file(self, path: Path, name: object) -> pathlib.Path | Wrong:
        """The path of a file or folder that is named relative to this file; its sha256 is kept."""
        if not isinstance(name, str):
            return self.complain(path, f"{self.call(path)} must be the name of a file, but is {show(name)}.")
        target = self.folder / name
        if not target.exists():
            return self.complain(path, f"There is no file {name!r} in {self.folder}.")
        # A folder, such as that of a connectome of The Virtual Brain, has no bytes of its own.
        if target.is_file():
            self.files[name] = hashlib.sha256(target.read_bytes()).hexdigest()
        return target

    @staticmethod
    def call(path: Path) -> str:
        """A key as messages name it."""
        table = ".".join(map(str, path[:-1]))
        key = f"Entry {path[-1]}" if isinstance(path[-1], int) else f"Key `{path[-1]}`"
        return f"{key} of [{table}]" if table else key


def in_words(error: Exception) -> str:
    """The message of an error on one line, without what it says in Python: a value that would do as in a file."""
    if isinstance(error, ArgumentError):
        value = error.nearest
        instead = (
            "" if value is None else f' The nearest that is: {error.argument} = "{value.mantissa:.12g} {value.unit}".'
        )
        return " ".join(f"{error.brief}{instead}".split())
    # Of a KeyError `str` is the message in quotes.
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return " ".join(text.split()) or type(error).__name__
