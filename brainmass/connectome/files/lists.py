"""Lists of connections in files."""

from __future__ import annotations

from typing import Any

import numpy as np

from brainmass._common.reading.contents import check_kind, opened_file
from brainmass._common.reading.kinds import kind_of
from brainmass._common.reading.problems import as_path, bad, unpacked
from brainmass._common.reading.text import Quoted, Row, TextStyle, cut_short, is_number, numbers, rows_of, text_of
from brainmass.connectome.files.dense import region_fields
from brainmass.connectome.files.regions import region_argument
from brainmass.connectome.tables import named_ends

__all__ = ["edge_rows", "read_edge_list", "read_edges_npz"]


def read_edge_list(
    path: Any, n: int | None, labels: Any, numbering: Any, length_unit: Any, style: TextStyle
) -> dict[str, Any]:
    """The columns source, target, weight and length; a row with a source alone names a region."""
    path = as_path(path)
    data = unpacked(path, path.read_bytes())
    check_kind(path, kind_of(data), ("text",))
    rows = rows_of(path, text_of(path, data, style.encoding), style)
    columns = _columns(path, rows)
    regions, body = _regions_first(rows[1:], columns)
    labels = None if labels is None else region_argument("labels", labels, None, length_unit)
    labels = regions if labels is None and regions else labels
    fields: dict[str, Any] = {"weight": _column(path, body, columns["weight"])}
    if "length" in columns:
        fields["length"] = _column(path, body, columns["length"]) * length_unit
    ends = [[cells[columns[end]] for _, cells in body] for end in ("source", "target")]
    if labels is None:
        labels = _names(path, body, columns)
    return fields | named_ends(f"File {str(path)!r}", ends[0], ends[1], n, labels, numbering)


def _regions_first(body: list[Row], columns: dict[str, int]) -> tuple[list[str], list[Row]]:
    """The regions that are named by rows of their own, and the other rows."""
    rest = [place for name, place in columns.items() if name in ("target", "weight", "length")]
    alone = [all(not c[place] and not isinstance(c[place], Quoted) for place in rest) for _, c in body]
    regions = [str(c[columns["source"]]) for (_, c), is_region in zip(body, alone, strict=True) if is_region]
    return regions, [row for row, is_region in zip(body, alone, strict=True) if not is_region]


def _names(path: Any, body: list[Row], columns: dict[str, int]) -> list[str] | None:
    """Ends that are names, in the order in which they first appear; None where all are whole numbers."""
    cells = [(i, c[columns[end]]) for i, c in body for end in ("source", "target")]
    if cells and all(isinstance(cell, Quoted) or not is_number(cell) for _, cell in cells):
        return list(dict.fromkeys(str(cell) for _, cell in cells))
    for line, cell in cells:
        if not cell.isdecimal():
            must = "have whole numbers from 0, or else labels only, for source and target"
            raise bad(path, must, f"row {line} holds {str(cell)!r}")
    return None


def _columns(path: Any, rows: list[Row]) -> dict[str, int]:
    """Where the columns are, by their names."""
    head = [cell.lower() for cell in rows[0][1]]
    missing = [name for name in ("source", "target", "weight") if name not in head]
    if missing:
        but = f"row {rows[0][0]} is {', '.join(repr(str(cell)) for cell in rows[0][1][:6])}"
        raise bad(path, f"have a first row with {', '.join(map(repr, missing))}", but)
    for i, cells in rows[1:]:
        if len(cells) != len(head):
            but = f"row {i} has {len(cells)}{cut_short(rows, i, len(cells) < len(head))}"
            raise bad(path, f"have {len(head)} columns", but)
    return {name: place for place, name in enumerate(head)}


def _column(path: Any, body: list[Row], place: int) -> np.ndarray:
    cells = [(i, [cells[place]]) for i, cells in body]
    return numbers(path, cells, place + 1)[:, 0] if cells else np.zeros(0)


def edge_rows(edges: Any, lengths: list[float] | None) -> list[list[Any]]:
    """The rows of a list; regions first, by themselves, where the connections do not show all of them in order."""
    ends = [[edges.labels[i] for i in side] for side in (edges.source.tolist(), edges.target.tolist())]
    columns = {"source": ends[0], "target": ends[1], "weight": edges.weight.tolist()}
    if lengths is not None:
        columns["length"] = lengths
    shown = tuple(dict.fromkeys(label for pair in zip(*ends, strict=True) for label in pair))
    alone = [] if shown == edges.labels else [[label, *[None] * (len(columns) - 1)] for label in edges.labels]
    return [list(columns), *alone, *map(list, zip(*columns.values(), strict=True))]


def read_edges_npz(path: Any) -> dict[str, Any]:
    """What was written of a list of connections."""
    contents = opened_file(path, only=("npz",))
    variables = contents.variables
    missing = [name for name in ("source", "target", "weight", "labels") if name not in variables]
    if missing:
        but = f"it has {contents.listing()} and not {', '.join(map(repr, missing))}"
        raise bad(path, "be written by Edges.to_npz", but)
    import brainunit as u

    fields: dict[str, Any] = {name: contents.array(name) for name in ("source", "target", "weight")}
    if "length_mm" in variables:
        fields["length"] = contents.array("length_mm") * u.mm
    labels = [str(label) for label in np.ravel(variables["labels"])]
    return fields | {"labels": labels, "n": len(labels)} | region_fields(contents)
