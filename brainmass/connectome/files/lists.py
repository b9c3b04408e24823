"""Lists of connections, and sparse matrices, in files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import brainunit as u
import numpy as np

from brainmass._common.foreign import is_sparse
from brainmass._common.paths import as_path
from brainmass._common.reading.contents import Contents, check_kind, check_style, is_list, opened_file, table_rows
from brainmass._common.reading.kinds import in_words, kind_of
from brainmass._common.reading.problems import bad, unpacked
from brainmass._common.reading.text import Quoted, Row, TextStyle, cut_short, is_number, numbers
from brainmass._common.typing import PathLike
from brainmass.connectome.files.dense import Given, chosen, labels_and_places, region_fields
from brainmass.connectome.files.regions import region_argument
from brainmass.connectome.tables import named_ends

if TYPE_CHECKING:
    from brainmass.connectome.edges import Edges


__all__ = ["edge_rows", "read_connections", "read_edge_list", "read_edges_npz"]


_TABLES = ("text", "xlsx", "parquet")


def read_connections(path: PathLike, given: Given, n: int | None, numbering: int | str | None) -> dict[str, Any] | None:
    """The arguments of Edges from a list of connections, or a sparse matrix, of any kind; None of what is neither."""
    path = as_path(path)
    data = b"" if path.is_dir() else unpacked(path, path.read_bytes())
    kind = "tvb" if path.is_dir() else kind_of(data)
    rows = table_rows(path, data, kind, given.style, given.sheet) if kind in _TABLES else []
    if rows and is_list(rows[0][1]):
        check_style(path, kind, given.style, given.sheet)
        _check_idle(path, given, "a list of connections", ("weights", "lengths", "symmetrize", "number_repeated"))
        empty = given.style.empty
        return _edge_list(path, rows, n, given.labels, numbering, given.length_unit, empty) | _places(given)
    # Three or four columns and many rows: a list without names, and no matrix.
    if rows and len(rows[0][1]) in (3, 4) and len(rows) not in (len(rows[0][1]), len(rows[0][1]) + 1):
        _columns(path, rows)  # for its error
    if n is not None or numbering is not None:
        idle = "n" if n is not None else "numbering"
        raise bad(
            path, f"be a list of connections, to which `{idle}` applies", f"it is {in_words(kind)} of another kind"
        )
    if kind in ("npz", "mat", "hdf5"):
        return _of_variables(opened_file(path), given)
    return None


def _check_idle(path: Any, given: Given, kind: str, arguments: Sequence[str]) -> None:
    idle = next((name for name in arguments if getattr(given, name) not in (None, False)), None)
    if idle is not None:
        raise bad(path, f"be of a kind to which `{idle}` applies", f"it is {kind}: leave {idle}= out")


def _places(given: Given) -> dict[str, Any]:
    said = {argument: getattr(given, argument) for argument in ("centres", "hemispheres")}
    return {a: region_argument(a, x, None, given.length_unit) for a, x in said.items() if x is not None}


def _of_variables(contents: Contents, given: Given) -> dict[str, Any] | None:
    where, variables = contents.where, contents.variables
    if contents.kind == "npz" and {"source", "target", "weight", "labels"} <= set(variables):
        _check_idle(where, given, "a list of connections", ("weights", "lengths", "symmetrize", "number_repeated"))
        return _listed(contents)
    name = chosen(contents, "weights", given.weights)
    matrix = None if name is None else contents.value(name)
    lengths = given.lengths if given.lengths is not None else chosen(contents, "lengths", None)
    # Lengths are a full matrix: read as a Connectome, and listed then.
    if not is_sparse(matrix) or lengths is not None:
        return None
    _check_idle(where, given, "a sparse matrix", ("symmetrize",))
    check_style(where, contents.kind, given.style, given.sheet)
    rows, columns = matrix.shape  # pyright: ignore[reportOptionalMemberAccess]
    if rows != columns:
        raise bad(where, "hold a square matrix", f"{name!r} is {rows} × {columns}")
    # Row by row, as `Edges.from_dense` lists them.
    entries = matrix.tocsr().tocoo()  # pyright: ignore[reportOptionalMemberAccess]
    fields: dict[str, Any] = {"n": rows, "source": entries.col, "target": entries.row, "weight": entries.data}
    return labels_and_places(contents, fields, given, rows)


def read_edge_list(
    path: PathLike, n: int | None, labels: object, numbering: int | str | None, length_unit: u.Unit, style: TextStyle
) -> dict[str, Any]:
    """The columns source, target, weight and length of a text; a row with a source alone names a region."""
    path = as_path(path)
    data = unpacked(path, path.read_bytes())
    check_kind(path, kind_of(data), ("text",))
    rows = table_rows(path, data, "text", style, 0)
    return _edge_list(path, rows, n, labels, numbering, length_unit, style.empty)


def _edge_list(
    path: PathLike,
    rows: list[Row],
    n: int | None,
    labels: object,
    numbering: int | str | None,
    length_unit: u.Unit,
    empty: float | None,
) -> dict[str, Any]:
    columns = _columns(path, rows)
    regions, body = _regions_first(rows[1:], columns)
    labels = None if labels is None else region_argument("labels", labels, None, length_unit)
    labels = regions if labels is None and regions else labels
    fields: dict[str, Any] = {"weight": _column(path, body, columns["weight"], empty)}
    if "length" in columns:
        fields["length"] = _column(path, body, columns["length"], empty) * length_unit
    ends = [[cells[columns[end]] for _, cells in body] for end in ("source", "target")]
    for end, side in zip(("source", "target"), ends, strict=True):
        for (i, _), cell in zip(body, side, strict=True):
            if not cell and not isinstance(cell, Quoted):
                raise bad(path, "name both ends of a connection", f"row {i} has no {end}")
    if labels is None:
        labels = _names(path, body, columns)
    return fields | named_ends(f"File {str(path)!r}", ends[0], ends[1], n, labels, numbering)


def _regions_first(body: list[Row], columns: dict[str, int]) -> tuple[list[str], list[Row]]:
    """The regions that are named by rows of their own, and the other rows."""
    rest = [place for name, place in columns.items() if name in ("target", "weight", "length")]
    alone = [all(not c[place] and not isinstance(c[place], Quoted) for place in rest) for _, c in body]
    regions = [str(c[columns["source"]]) for (_, c), is_region in zip(body, alone, strict=True) if is_region]
    return regions, [row for row, is_region in zip(body, alone, strict=True) if not is_region]


def _names(path: PathLike, body: list[Row], columns: dict[str, int]) -> list[str] | None:
    """Ends that are names, in the order in which they first appear; None where all are whole numbers."""
    cells = [(i, c[columns[end]]) for i, c in body for end in ("source", "target")]
    # A number in quotes is a name, as `to_csv` writes it.
    if cells and all(isinstance(cell, Quoted) or not is_number(cell) for _, cell in cells):
        return list(dict.fromkeys(str(cell) for _, cell in cells))
    for line, cell in cells:
        if not cell.isdecimal():
            must = "have whole numbers from 0, or else labels only, for source and target"
            raise bad(path, must, f"row {line} holds {str(cell)!r}")
    return None


# Which column is the source cannot be seen: to read one order for the other would turn every connection round.
_WITHOUT_NAMES = (
    ", as of a list without names: write them above it (source,target,weight), or give its columns to "
    "Edges(n=..., source=..., target=..., weight=...)"
)
_COLUMNS = ("source", "target", "weight", "length")


def _columns(path: PathLike, rows: list[Row]) -> dict[str, int]:
    """Where the columns are, by their names."""
    head = [cell.lower() for cell in rows[0][1]]
    missing = [name for name in ("source", "target", "weight") if name not in head]
    if missing:
        but = f"row {rows[0][0]} is {', '.join(repr(str(cell)) for cell in rows[0][1][:6])}"
        but += ": rename the columns" if not any(map(is_number, rows[0][1])) else _WITHOUT_NAMES
        raise bad(path, f"have a first row with {', '.join(map(repr, missing))}", but)
    for i, cells in rows[1:]:
        if len(cells) != len(head):
            but = f"row {i} has {len(cells)}{cut_short(rows, i, len(cells) < len(head))}"
            raise bad(path, f"have {len(head)} columns", but)
    twice = next((name for name, times in Counter(head).items() if times > 1 and name in _COLUMNS), None)
    if twice is not None:
        raise bad(path, f"have one column {twice!r}", "it has several")
    return {name: place for place, name in enumerate(head)}


def _column(path: PathLike, body: list[Row], place: int, empty: float | None) -> np.ndarray:
    cells = [(i, [cells[place]]) for i, cells in body]
    return numbers(path, cells, place + 1, empty)[:, 0] if cells else np.zeros(0)


def edge_rows(edges: Edges, lengths: list[float] | None) -> list[list[object]]:
    """The rows of a list; regions first, by themselves, where the connections do not show all of them in order."""
    ends = [[edges.labels[i] for i in side] for side in (edges.source.tolist(), edges.target.tolist())]
    columns = {"source": ends[0], "target": ends[1], "weight": edges.weight.tolist()}
    if lengths is not None:
        columns["length"] = lengths
    # A reader finds the regions in the order in which they first appear.
    shown = tuple(dict.fromkeys(label for pair in zip(*ends, strict=True) for label in pair))
    alone = [] if shown == edges.labels else [[label, *[None] * (len(columns) - 1)] for label in edges.labels]
    return [list(columns), *alone, *map(list, zip(*columns.values(), strict=True))]


def read_edges_npz(path: PathLike) -> dict[str, Any]:
    """What was written of a list of connections."""
    return _listed(opened_file(path, only=("npz",)))


def _listed(contents: Contents) -> dict[str, Any]:
    path, variables = contents.where, contents.variables
    missing = [name for name in ("source", "target", "weight", "labels") if name not in variables]
    if missing:
        but = f"it has {contents.listing()} and not {', '.join(map(repr, missing))}"
        raise bad(path, "be written by Edges.to_npz", but)
    fields: dict[str, Any] = {name: contents.array(name) for name in ("source", "target", "weight")}
    if "length_mm" in variables:
        fields["length"] = contents.array("length_mm") * u.mm
    labels = [str(label) for label in np.ravel(variables["labels"])]
    return fields | {"labels": labels, "n": len(labels)} | region_fields(contents)
