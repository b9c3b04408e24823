"""Where the keys of a TOML document stand: `tomllib` says what they hold, and nothing of lines."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Path", "Place", "find_places"]

Path = tuple[str | int, ...]
"""Keys from the root on, and numbers for the entries of arrays."""


class Place(NamedTuple):
    """Where a key, a table header or an entry of an array stands; lines and columns count from 1."""

    line: int
    column: int
    length: int


_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = (
    # One or two quotes may stand just before the three that end a text.
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}(?!")', re.DOTALL),
    re.compile(r"'''.*?'{3,5}(?!')", re.DOTALL),
    re.compile(r'"(?:[^"\\]|\\.)*"'),
    re.compile(r"'[^']*'"),
)
_PLAIN = re.compile(r"[^\s,\]}#]+(?: [0-9][^\s,\]}#]*)?")  # numbers, booleans, dates with a blank before the time


def find_places(text: str) -> dict[Path, Place]:
    """The places of all that a document holds, which `tomllib` must have accepted.

    A table that no header or key names by itself stands where its first key does.
    """
    return _Scan(text).document()


class _Scan:
    def __init__(self, text: str):
        self.text, self.at = text, 0
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.places: dict[Path, Place] = {}
        self.counts: dict[Path, int] = {}  # of arrays of tables

    def document(self) -> dict[Path, Place]:
        table: Path = ()
        self.skip_blank()
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
            self.skip_blank()
        return self.places

    def header(self) -> Path:
        """[a.b] or [[a.b]]; names of arrays of tables stand for their last entry."""
        start = self.at
        is_array = self.text.startswith("[[", start)
        self.at += 1 + is_array
        names, _ = self.key()
        self.at = self.text.index("]" * (1 + is_array), self.at) + 1 + is_array
        path: Path = ()
        for i, name in enumerate(names):
            path = (*path, name)
            last = i == len(names) - 1
            if last and is_array:
                self.counts[path] = self.counts.get(path, -1) + 1
            self.note(path, start, self.at, certain=last)
            if path in self.counts:
                # As tomllib has it, a list: what follows belongs to its last entry.
                path = (*path, self.counts[path])
                self.note(path, start, self.at, certain=last)
        return path

    def pair(self, table: Path) -> None:
        names, starts = self.key()
        end = self.at
        for i in range(len(names)):
            self.note((*table, *names[: i + 1]), starts[i], end, certain=i == len(names) - 1)
        self.skip_blank()
        self.at += 1  # the sign =
        self.skip_blank()
        self.value((*table, *names))

    def key(self) -> tuple[list[str], list[int]]:
        """The parts of a dotted key, and where each begins; ends behind the last."""
        names, starts = [], []
        while True:
            self.skip_blank()
            starts.append(self.at)
            token = self.string() or self.take(_BARE)
            # By tomllib itself, which knows the escapes of a quoted key.
            names.append(next(iter(tomllib.loads(f"{token} = 0"))))
            end = self.at
            self.skip_blank()
            if self.text[self.at : self.at + 1] != ".":
                self.at = end
                return names, starts
            self.at += 1

    def value(self, path: Path) -> None:
        sign = self.text[self.at]
        if sign == "[":
            self.entries(path)
        elif sign == "{":
            self.inline_table(path)
        elif not self.string():
            self.take(_PLAIN)

    def entries(self, path: Path) -> None:
        self.at += 1
        number = 0
        while not self.ends("]"):
            start = self.at
            self.value((*path, number))
            self.note((*path, number), start, self.at, certain=True)
            number += 1

    def inline_table(self, path: Path) -> None:
        self.at += 1
        while not self.ends("}"):
            self.pair(path)

    def ends(self, bracket: str) -> bool:
        """Steps over blanks and a comma, then over the closing bracket if it is there."""
        self.skip_blank()
        if self.text[self.at] == ",":
            self.at += 1
            self.skip_blank()
        if self.text[self.at] != bracket:
            return False
        self.at += 1
        return True

    def string(self) -> str:
        for pattern in _STRINGS:
            if match := pattern.match(self.text, self.at):
                self.at = match.end()
                return match[0]
        return ""

    def take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        assert match, f"no TOML at {self.text[self.at : self.at + 20]!r}"  # tomllib has accepted it
        self.at = match.end()
        return match[0]

    def skip_blank(self) -> None:
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def note(self, path: Path, start: int, end: int, *, certain: bool) -> None:
        """A header or key that names a table itself goes before a key within the table."""
        if path in self.places and not certain:
            return
        line = self._line_of(start)
        # Of what goes over several lines the first is marked.
        last = min(end, self.starts[line] - 1 if line < len(self.starts) else len(self.text))
        self.places[path] = Place(line, start - self.starts[line - 1] + 1, max(1, last - start))

    def _line_of(self, position: int) -> int:
        return bisect_right(self.starts, position)


def paths_of(value: object, path: Path = ()) -> dict[Path, object]:
    """All that a document holds, by path: what `find_places` finds places for."""
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    found: dict[Path, object] = {path: value} if path else {}
    for key, x in inner:
        found |= paths_of(x, (*path, key))
    return found
