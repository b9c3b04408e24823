"""Labels, coordinates and sides of regions, from a name in the file, a file of their own, or a sequence."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainmass._common.foreign import Held
from brainmass._common.messages import Argument, argument_error
from brainmass._common.paths import as_path
from brainmass._common.reading.contents import Contents, opened_file, read_array, table_rows, texts
from brainmass._common.reading.kinds import kind_of
from brainmass._common.reading.problems import bad, unpacked
from brainmass._common.reading.text import TextStyle, is_number, numbers, text_of
from brainmass._common.typing import Numbers

__all__ = ["centres_of_rows", "labels_of_file", "named_or_path", "numbered", "region_argument"]

_HEADS = ("label", "labels", "name", "names", "region", "regions", "roi", "rois")


def named_or_path(argument: str, given: object, contents: Contents | None) -> tuple[str, Any]:
    """Whether an argument is a 'name' of a variable, a 'path', or the 'values' themselves."""
    # A name in the file comes before a file of that name.
    if isinstance(given, str) and contents is not None and contents.has(given):
        return "name", given
    if isinstance(given, str | os.PathLike):
        path = as_path(given, Argument(argument))
        # A path that is no file gets the error of a path; a text may have been meant as a name.
        if isinstance(given, os.PathLike) or path.is_file():
            return "path", path
        if contents is not None and contents.variables:
            contents.value(given)  # for its error, which lists the variables
        raise argument_error(
            Argument(argument), "must be a file, or a name in it", f"there is no {given!r}", kind=FileNotFoundError
        )
    return "values", given


def region_argument(argument: str, given: Any, contents: Contents | None, unit: Any) -> Any:
    """Labels, centres or hemispheres, from wherever they are."""
    kind, where = named_or_path(argument, given, contents)
    if kind == "values":
        return where
    if argument == "labels":
        return (
            texts(contents.where, where, contents.value(where))
            if kind == "name" and contents
            else labels_of_file(where)
        )
    if argument == "hemispheres":
        return sides_of(contents, where) if kind == "name" else _sides_of_file(where)
    if kind == "name" and contents:
        return np.asarray(contents.array(where), float) * unit
    rows = _table_of_file(where)
    if not isinstance(rows, list):
        return np.asarray(rows, float) * unit
    labels, xyz = centres_of_rows(where, rows)
    return xyz * unit if labels is None else Held(xyz * unit, (np.asarray(labels, object), None))


def _table_of_file(path: Path) -> Numbers:
    """The rows of a text or sheet; of arrays, the one there is."""
    data = unpacked(path, path.read_bytes())
    kind = kind_of(data)
    if kind in ("text", "xlsx", "parquet"):
        return table_rows(path, data, kind, TextStyle(), 0)
    return read_array(path)


def sides_of(contents: Contents | None, name: str) -> Any:
    assert contents is not None
    values = np.ravel(contents.value(name))
    return values if values.dtype.kind in "biuf" else texts(contents.where, name, values)


def _sides_of_file(path: Path) -> Any:
    rows = _table_of_file(path)
    if not isinstance(rows, list):
        return np.ravel(rows)
    cells = [str(cells[-1]) for _, cells in rows]
    cells = cells[1:] if cells[0].lower() in ("hemisphere", "hemispheres", "hemi", "side") else cells
    return [float(cell) for cell in cells] if all(map(is_number, cells)) else cells


def labels_of_file(path: Path) -> list[str]:
    """One name per line; or the one column of text in a table, as of FreeSurfer's colours."""
    data = unpacked(path, path.read_bytes())
    kind = kind_of(data)
    if kind not in ("text", "xlsx", "parquet"):
        return _labels_of_arrays(opened_file(path))
    rows = table_rows(path, data, kind, TextStyle(), 0)
    if kind == "text" and len({len(cells) for _, cells in rows}) > 1:  # names with blanks
        lines = text_of(path, data).splitlines()
        rows = [(i, [line.strip()]) for i, line in enumerate(lines, 1) if line.strip()]
    columns = list(zip(*(cells for _, cells in rows), strict=True))
    # The head of a column of numbers is text, too, and is passed over.
    named = [c for c in columns if not any(map(is_number, c[1:] or c))]
    if len(columns) == 1:
        named = columns
    if len(named) != 1:
        raise bad(path, "hold one name per line", f"it has {len(named)} columns of text among {len(columns)}")
    cells = [str(cell) for cell in named[0]]
    return cells[1:] if cells[0].lower() in _HEADS else cells


def _labels_of_arrays(contents: Contents) -> list[str]:
    if contents.table is not None:
        return texts(contents.where, "the array", contents.table.values)
    name = next((name for name in (*_HEADS, "region_labels") if contents.has(name)), None)
    if name is None:
        raise bad(contents.where, "hold labels under a usual name", f"it has {contents.listing()}")
    return texts(contents.where, name, contents.value(name))


def centres_of_rows(where: object, rows: list[tuple[int, list[str]]]) -> tuple[list[str] | None, np.ndarray]:
    """Label (of one or several words), x, y, z, and perhaps more, which is not read; in any order under a head."""
    first = [str(cell).lower() for cell in rows[0][1]]
    if {"x", "y", "z"} <= set(first) and all(len(cells) == len(first) for _, cells in rows):
        return _under_a_head(where, rows, first)
    if first[-3:] == ["x", "y", "z"]:
        rows = rows[1:]
    if all(len(cells) == 3 and all(map(is_number, cells)) for _, cells in rows):
        return None, numbers(where, rows)
    placed = [_place(cells) for _, cells in rows]
    labels = [" ".join(cells[:at]) for (_, cells), at in zip(rows, placed, strict=True)]
    return labels, numbers(where, [(i, cells[at : at + 3]) for (i, cells), at in zip(rows, placed, strict=True)], 2)


def _under_a_head(
    where: object, rows: list[tuple[int, list[str]]], head: list[str]
) -> tuple[list[str] | None, np.ndarray]:
    """Columns by their names: x, y, z, and that of the labels."""
    if len(set(head)) < len(head):
        raise bad(where, "have columns with names that differ", f"row {rows[0][0]} is {', '.join(map(repr, head))}")
    xyz = numbers(where, [(i, [cells[head.index(axis)] for axis in "xyz"]) for i, cells in rows[1:]])
    named = next((head.index(name) for name in _HEADS if name in head), None)
    if named is None:
        texts = [j for j in range(len(head)) if not any(is_number(cells[j]) for _, cells in rows[1:])]
        named = texts[0] if len(texts) == 1 else None
    return (None if named is None else [str(cells[named]) for _, cells in rows[1:]]), xyz


def _place(cells: Sequence[str]) -> int:
    """Where the coordinates begin: the first number after the first word of the label that three numbers follow."""
    for at in range(1, len(cells) - 2):
        if all(map(is_number, cells[at : at + 3])):
            return at
    return 1


def numbered(where: object, labels: Sequence[str], number_repeated: bool) -> list[str]:
    """Labels that differ from each other: those that are there several times are numbered where that is asked for."""
    times = Counter(labels)
    repeated = next((label for label, n in times.items() if n > 1), None)
    if repeated is None:
        return list(labels)
    if not number_repeated:
        raise bad(
            where,
            "have labels that differ: say number_repeated=True, or give `labels`",
            f"{repeated!r} is there twice"
            if times[repeated] == 2
            else f"{repeated!r} is there {times[repeated]} times",
        )
    seen: Counter[str] = Counter()
    out = []
    for label in labels:
        seen[label] += 1
        out.append(label if times[label] == 1 else f"{label} {seen[label]}")
    # A number may make a label that another region has: "V1 1" beside two of "V1".
    return out if len(set(out)) == len(out) else [f"{label} [{i}]" for i, label in enumerate(labels)]
