"""Connectomes in files: formats, and what is wrong with a file that is not one.

The readers return the arguments of `Connectome` and `Edges`. Rows and columns in messages count from 1, as editors do.
"""

from __future__ import annotations

import bz2
import contextlib
import csv
import importlib
import io
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import brainunit as u
import numpy as np

from brainmass.files import whole_file
from brainmass.network.connectome_checks import checked_length_unit

if TYPE_CHECKING:
    from brainmass.network.connectome import Connectome
    from brainmass.network.edges import Edges
    from brainmass.network.regions import Regions

__all__ = [
    "dense_variables",
    "read_csv",
    "read_edge_list",
    "read_edges_npz",
    "read_mat",
    "read_npz",
    "read_tvb",
    "sparse_variables",
    "write_csv",
    "write_edge_list",
    "write_mat",
    "write_npz",
    "write_tvb",
]

Row = tuple[int, list[str]]  # number of the line, cells


def _bad(where: Any, must: str, but: str) -> ValueError:
    return ValueError(f"File {str(where)!r} must {must}, but {but}.")


# --- tables of numbers ------------------------------------------------------------------------------------------------


def _text(where: Any, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(where, "be a text file", f"byte {error.start} is no text") from error


def _rows(where: Any, text: str, delimiter: str | None) -> list[Row]:
    """The lines that are neither empty nor comments, in cells."""
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip() and line.lstrip()[0] != "#"]
    if not lines:
        raise _bad(where, "hold numbers", "it is empty")
    if delimiter is None:
        delimiter = next((mark for mark in ";\t," if mark in lines[0][1]), " ")
    rows = [(i, _cells(where, i, line, delimiter)) for i, line in lines]
    if all(len(cells) > 1 and not cells[-1] for _, cells in rows):  # every line ends with the delimiter
        rows = [(i, cells[:-1]) for i, cells in rows]
    return rows


def _cells(where: Any, number: int, line: str, delimiter: str) -> list[str]:
    if delimiter == " ":
        return line.split()
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, strict=True))]
    except csv.Error as error:
        raise _bad(where, "be a table of text", f"row {number} is none ({error})") from error


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # Python's thousands, nobody else's


def _numbers(where: Any, rows: Sequence[Row], first_column: int = 1) -> np.ndarray:
    """Rows of equal length as a matrix."""
    first, width = rows[0][0], len(rows[0][1])
    for i, cells in rows:
        for column, cell in enumerate(cells, first_column):
            if not _is_number(cell):
                raise _bad(where, "hold numbers", f"row {i}, column {column} holds {cell!r}")
        if len(cells) != width:
            but = f"row {i} has {len(cells)} numbers and row {first} {width}{_cut_short(rows, i, len(cells) < width)}"
            raise _bad(where, "have rows of equal length", but)
    return np.asarray([[float(cell) for cell in cells] for _, cells in rows])


def _cut_short(rows: Sequence[Row], number: int, shorter: bool) -> str:
    return " (is the file cut short?)" if shorter and number == rows[-1][0] else ""


def _labelled_matrix(where: Any, rows: list[Row]) -> tuple[np.ndarray, list[str] | None]:
    """A matrix, and the labels in its first row and perhaps its first column."""
    (first, head), body = rows[0], rows[1:]
    texts = sum(not _is_number(cell) for cell in head)
    corner = head[0] == "" and texts == 1 < len(head)  # of numbers of rows and columns
    # one cell that is no number among several is a damaged number
    if texts == 0 or texts == 1 < len(head) - 1 and not corner:
        return _numbers(where, rows), None
    if not body:
        raise _bad(where, "hold numbers", "it ends after a row of labels")
    if corner or all(not _is_number(cells[0]) for _, cells in body):
        labels = head[1:] if len(head) == len(body[0][1]) else head
        _check_same_order(where, [(i, cells[0]) for i, cells in body], labels)
        body = [(i, cells[1:]) for i, cells in body]
        matrix = _numbers(where, body, first_column=2)
    else:
        labels, matrix = head, _numbers(where, body)
    if len(labels) != matrix.shape[1]:
        but = f"row {first} has {len(labels)} labels and row {body[0][0]} {matrix.shape[1]} numbers"
        raise _bad(where, "have one label per column", but)
    return matrix, labels


def _check_same_order(where: Any, names: list[tuple[int, str]], labels: list[str]) -> None:
    for (line, name), label in zip(names, labels, strict=False):
        if name != label:
            but = f"row {line} is {name!r} where the column is {label!r}"
            raise _bad(where, "name rows and columns in the same order", but)


def read_csv(path: Any, lengths: Any, length_unit: Any, delimiter: str | None) -> dict[str, Any]:
    """Weights, lengths and labels from one or two text files."""
    unit = checked_length_unit(length_unit)
    matrix, labels = _labelled_matrix(path, _rows(path, _text(path, Path(path).read_bytes()), delimiter))
    fields: dict[str, Any] = {"weights": matrix, "labels": labels}
    if lengths is not None:
        rows = _rows(lengths, _text(lengths, Path(lengths).read_bytes()), delimiter)
        values, names = _labelled_matrix(lengths, rows)
        if values.shape != matrix.shape:
            but = f"it is {_shape(values)} and that is {_shape(matrix)}"
            raise _bad(lengths, f"be of the shape of {str(path)!r}", but)
        if names is not None and labels is not None and names != labels:
            i = next(i for i, (one, other) in enumerate(zip(names, labels, strict=True)) if one != other)
            but = f"region {i} is {names[i]!r} here and {labels[i]!r} there"
            raise _bad(lengths, f"have the regions of {str(path)!r} in its order", but)
        fields["lengths"] = values * unit
    return fields


def _shape(matrix: np.ndarray) -> str:
    return " × ".join(map(str, matrix.shape))


def write_csv(path: Any, lengths: Any, connectome: Connectome) -> None:
    """Weights with a row of labels, and lengths in mm likewise."""
    tables = {path: connectome.weights}
    if lengths is not None:
        if connectome.lengths is None:
            raise ValueError(f"Connectome {connectome.name!r} has no lengths to write. Example: to_csv('weights.csv')")
        tables[lengths] = connectome.lengths.to_decimal(u.mm)
    _check_labels_are_no_numbers(connectome.labels)
    for file, matrix in tables.items():
        _write_csv(file, [connectome.labels, *np.asarray(matrix).tolist()])


def _check_labels_are_no_numbers(labels: Sequence[str]) -> None:
    for label in labels:
        if _is_number(label) or label.startswith("#") or label != label.strip() or not label.isprintable():
            raise ValueError(f"A csv file cannot hold the label {label!r}. Example: to_npz('connectome.npz')")


def _write_csv(path: Any, rows: Iterable[Sequence[Any]]) -> None:
    with _whole(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


# --- lists of connections ---------------------------------------------------------------------------------------------


def read_edge_list(
    path: Any, n: int | None, labels: Sequence[str] | None, length_unit: Any, delimiter: str | None
) -> dict[str, Any]:
    """The columns source, target, weight and length."""
    unit = checked_length_unit(length_unit)
    rows = _rows(path, _text(path, Path(path).read_bytes()), delimiter)
    columns = _columns(path, rows)
    fields: dict[str, Any] = {"weight": _column(path, rows, columns["weight"])}
    if "length" in columns:
        fields["length"] = _column(path, rows, columns["length"]) * unit
    ends = [[(i, cells[columns[end]]) for i, cells in rows[1:]] for end in ("source", "target")]
    cells = [cell for pair in zip(*ends, strict=True) for _, cell in pair]
    if labels is None and cells and not any(map(_is_number, cells)):
        labels = list(dict.fromkeys(cells))
    if labels is None:
        source, target = ([_index(path, i, cell) for i, cell in column] for column in ends)
        n = max(source + target, default=-1) + 1 if n is None else n
    else:
        source, target = ([cell for _, cell in column] for column in ends)
        n = len(labels) if n is None else n
    return fields | {"source": source, "target": target, "labels": labels, "n": n}


def _columns(path: Any, rows: list[Row]) -> dict[str, int]:
    """Where the columns are, by their names."""
    head = [cell.lower() for cell in rows[0][1]]
    missing = [name for name in ("source", "target", "weight") if name not in head]
    if missing:
        but = f"row {rows[0][0]} is {', '.join(map(repr, rows[0][1][:6]))}"
        raise _bad(path, f"have a first row with {', '.join(map(repr, missing))}", but)
    for i, cells in rows[1:]:
        if len(cells) != len(head):
            but = f"row {i} has {len(cells)}{_cut_short(rows, i, len(cells) < len(head))}"
            raise _bad(path, f"have {len(head)} columns", but)
    return {name: place for place, name in enumerate(head)}


def _column(path: Any, rows: list[Row], place: int) -> np.ndarray:
    cells = [(i, [cells[place]]) for i, cells in rows[1:]]
    return _numbers(path, cells, place + 1)[:, 0] if cells else np.zeros(0)


def _index(path: Any, line: int, cell: str) -> int:
    if not cell.isdecimal():
        must = "have whole numbers from 0, or else labels only, for source and target"
        raise _bad(path, must, f"row {line} holds {cell!r}")
    return int(cell)


def write_edge_list(path: Any, edges: Edges) -> None:
    """The columns source, target, weight and length in mm; regions by label."""
    _check_labels_are_no_numbers(edges.labels)
    names = [[edges.labels[i] for i in ends] for ends in (edges.source.tolist(), edges.target.tolist())]
    columns = {"source": names[0], "target": names[1], "weight": edges.weight.tolist()}
    if edges.length is not None:
        columns["length"] = np.asarray(edges.length.to_decimal(u.mm)).tolist()
    _write_csv(path, [list(columns), *zip(*columns.values(), strict=True)])


# --- archives of named arrays -----------------------------------------------------------------------------------------

_USUAL = {
    "weights": ("weights", "SC", "sc", "C", "W", "connectivity", "Cmat", "conn"),
    "lengths": ("lengths_mm", "lengths", "tract_lengths", "D", "distances", "distance", "Dmat", "len"),
    "labels": ("labels", "region_labels", "regions", "names"),
}


def dense_variables(connectome: Connectome) -> dict[str, Any]:
    """What `to_npz` and `to_mat` write; lengths in mm."""
    lengths = {} if connectome.lengths is None else {"lengths_mm": _in_mm(connectome.lengths)}
    return {"weights": connectome.weights, **lengths, **_region_variables(connectome)}


def sparse_variables(edges: Edges) -> dict[str, Any]:
    """What `to_npz` of a list of connections writes; lengths in mm."""
    length = {} if edges.length is None else {"length_mm": _in_mm(edges.length)}
    connections = {"source": edges.source, "target": edges.target, "weight": edges.weight}
    return {**connections, **length, **_region_variables(edges)}


def _region_variables(regions: Regions) -> dict[str, Any]:
    variables = {"labels": np.asarray(regions.labels), "name": np.asarray(regions.name)}
    if regions.centres is not None:
        variables["centres_mm"] = _in_mm(regions.centres)
    if regions.hemispheres is not None:
        variables["hemispheres"] = np.asarray(regions.hemispheres)
    return variables


def _in_mm(lengths: u.Quantity) -> np.ndarray:
    return np.asarray(lengths.to_decimal(u.mm))


def _from_variables(
    path: Any, variables: Mapping[str, Any], names: Mapping[str, str | None], length_unit: Any
) -> dict[str, Any]:
    """The arguments of a Connectome among the variables of a file."""
    unit = checked_length_unit(length_unit)
    found = {argument: _chosen(path, variables, argument, names[argument]) for argument in _USUAL}
    if found["weights"] is None:
        but = f"it has {_contents(variables)}: say which, as in weights='SC'"
        raise _bad(path, "hold weights under a usual name", but)
    fields: dict[str, Any] = {"weights": _real_array(path, found["weights"], variables)}
    if found["lengths"] is not None:
        fields["lengths"] = _real_array(path, found["lengths"], variables) * unit
    if found["labels"] is not None:
        labels = _strings(variables[found["labels"]])
        if names["labels"] is not None or len(labels) == len(fields["weights"]):
            fields["labels"] = labels
    return fields | _region_fields(path, variables)


def _region_fields(path: Any, variables: Mapping[str, Any]) -> dict[str, Any]:
    """What our own files say of the regions besides their labels."""
    fields: dict[str, Any] = {}
    if "centres_mm" in variables:
        fields["centres"] = _real_array(path, "centres_mm", variables) * u.mm
    if "hemispheres" in variables:
        sides = np.ravel(variables["hemispheres"])
        fields["hemispheres"] = sides if sides.dtype.kind in "biu" else _strings(sides)
    if "name" in variables:
        fields["name"] = "".join(_strings(variables["name"]))
    return fields


def _chosen(path: Any, variables: Mapping[str, Any], argument: str, name: str | None) -> str | None:
    if name is not None:
        if name not in variables:
            raise _bad(path, f"hold the variable {name!r}", f"it has {_contents(variables)}")
        return name
    usual = [name for name in _USUAL[argument] if name in variables]
    if len(usual) > 1:
        but = f"it has {' and '.join(map(repr, usual))}: say which, as in {argument}={usual[0]!r}"
        raise _bad(path, f"hold {argument} under one usual name", but)
    return usual[0] if usual else None


def _contents(variables: Mapping[str, Any]) -> str:
    shapes = []
    for name in variables:
        with contextlib.suppress(ValueError):  # one that cannot be read is named without its shape
            name = f"{name!r} {np.shape(variables[name])}"
        shapes.append(name)
    return ", ".join(shapes) or "no variables"


def _real_array(path: Any, name: str, variables: Mapping[str, Any]) -> np.ndarray:
    values = variables[name]
    values = values.toarray() if hasattr(values, "toarray") else np.asarray(values)  # MATLAB's sparse matrices
    if values.dtype.kind not in "biuf":
        kinds = {"U": "text", "S": "text", "c": "complex numbers"}
        but = f"the variable {name!r} holds {kinds.get(values.dtype.kind, 'cells or objects')}"
        raise _bad(path, "hold real numbers", but)
    return values


def _strings(values: Any) -> list[str]:
    """The strings of an array of text, or of MATLAB's cells."""
    return [str(np.asarray(cell).ravel()[0]).strip() if np.size(cell) else "" for cell in np.ravel(np.asarray(values))]


class _Npz(Mapping[str, Any]):
    """The arrays of an archive, each read when it is asked for."""

    def __init__(self, path: Any, stored: Any):
        self._path, self._stored = path, stored

    def __getitem__(self, name: str) -> Any:
        try:
            return self._stored[name]
        except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise _bad(self._path, "be whole and hold plain arrays", f"{name!r} cannot be read ({error})") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored.files)

    def __len__(self) -> int:
        return len(self._stored.files)


@contextlib.contextmanager
def _opened_npz(path: Any) -> Iterator[_Npz]:
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            raise _bad(path, "be a whole npz archive", "it is none (is it cut short?)")
        file.seek(0)
        try:
            stored = np.load(file, allow_pickle=False)
        except (ValueError, OSError, zipfile.BadZipFile) as error:
            raise _bad(path, "be a whole npz archive", f"it cannot be read ({error})") from error
        with stored:
            yield _Npz(path, stored)


def read_npz(path: Any, names: Mapping[str, str | None], length_unit: Any) -> dict[str, Any]:
    """An archive of numpy arrays."""
    with _opened_npz(path) as variables:
        return _from_variables(path, variables, names, length_unit)


def read_edges_npz(path: Any) -> dict[str, Any]:
    """What was written of a list of connections."""
    with _opened_npz(path) as variables:
        missing = [name for name in ("source", "target", "weight", "labels") if name not in variables]
        if missing:
            but = f"it has {_contents(variables)} and not {', '.join(map(repr, missing))}"
            raise _bad(path, "be written by Edges.to_npz", but)
        fields: dict[str, Any] = {name: variables[name] for name in ("source", "target", "weight")}
        if "length_mm" in variables:
            fields["length"] = _real_array(path, "length_mm", variables) * u.mm
        labels = _strings(variables["labels"])
        return fields | {"labels": labels, "n": len(labels)} | _region_fields(path, variables)


def write_npz(path: Any, variables: Mapping[str, Any]) -> None:
    """An archive of numpy arrays."""
    with _whole(path, ".npz") as partial, open(partial, "xb") as file:
        np.savez(file, **variables)


def _scipy_io() -> Any:
    try:
        return importlib.import_module("scipy.io")
    except ImportError as error:
        raise ImportError(f'MATLAB files need scipy: pip install "brainmass[io]" ({error}).') from error


def read_mat(path: Any, names: Mapping[str, str | None], length_unit: Any) -> dict[str, Any]:
    """A MATLAB file."""
    scipy_io = _scipy_io()
    with open(path, "rb") as file, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*spmatrix")  # either kind of sparse matrix will do
        try:
            variables = scipy_io.loadmat(file)
        except Warning:
            raise
        except NotImplementedError as error:
            raise _bad(path, "be of MATLAB's version 7 or older", "it is newer: save it there with '-v7'") from error
        except Exception as error:  # what a damaged file raises depends on where it is damaged
            raise _bad(path, "be a whole MATLAB file", f"it cannot be read ({error})") from error
    variables = {name: value for name, value in variables.items() if not name.startswith("__")}
    return _from_variables(path, variables, names, length_unit)


def write_mat(path: Any, variables: Mapping[str, Any]) -> None:
    """A MATLAB file; strings become cells."""
    scipy_io = _scipy_io()
    cells = {name: value.astype(object) if value.dtype.kind == "U" else value for name, value in variables.items()}
    cells["name"] = str(variables["name"])
    with _whole(path, ".mat") as partial, open(partial, "xb") as file:
        scipy_io.savemat(file, cells)


# --- The Virtual Brain ------------------------------------------------------------------------------------------------

_TVB = {
    "weights": ("weights",),
    "lengths": ("tract_lengths", "tract"),
    "centres": ("centres", "centers"),
    "hemispheres": ("hemispheres", "hemisphere"),
    "info": ("info",),
}
_TVB_UNITS = {"um": u.um, "mm": u.mm, "cm": u.cm, "m": u.meter}
_DAMAGE = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error)


def read_tvb(path: Any, length_unit: Any) -> dict[str, Any]:
    """A zip archive or a folder of text files."""
    texts = {part: (where, _text(where, _read_member(where, read))) for part, where, read in _tvb_members(path)}
    tables = {part: (where, _rows(where, text, None)) for part, (where, text) in texts.items() if part != "info"}
    if "weights" not in tables:
        raise _bad(path, "hold weights.txt", f"it has {', '.join(sorted(texts)) or 'nothing of the kind'}")
    fields: dict[str, Any] = {"weights": _numbers(*tables["weights"])}
    if "lengths" in tables:
        unit = _tvb_unit(texts.get("info")) if length_unit is None else checked_length_unit(length_unit)
        fields["lengths"] = _numbers(*tables["lengths"]) * unit
    if "centres" in tables:
        where, rows = tables["centres"]
        fields["labels"] = [cells[0] for _, cells in rows]
        # some files have a fifth column
        fields["centres"] = _numbers(where, [(i, cells[1:4]) for i, cells in rows], first_column=2) * u.mm
    if "hemispheres" in tables:
        where, rows = tables["hemispheres"]
        fields["hemispheres"] = _numbers(where, rows).ravel()
    for part, (where, _) in tables.items():
        if len(fields[part]) != len(fields["weights"]):
            but = f"it has {len(fields[part])} and weights.txt has {len(fields['weights'])}"
            raise _bad(where, "have one row per region", but)
    return fields


def _tvb_members(path: Any) -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """Part, place and reader of each file that is known by its name."""
    path = Path(path)
    if path.is_dir():
        files = {str(file.relative_to(path)): file.read_bytes for file in sorted(path.rglob("*")) if file.is_file()}
    else:
        files = _zip_members(path)
    seen: dict[str, str] = {}
    for name, read in files.items():
        base = name.replace("\\", "/").split("/")[-1]
        match = re.fullmatch(r"(\w+)\.txt(?:\.bz2)?", base, re.IGNORECASE)
        part = next((part for part, names in _TVB.items() if match and match[1].lower() in names), None)
        if part is None or "__MACOSX" in name:
            continue
        if part in seen:
            raise _bad(path, f"hold {part} once", f"it has {seen[part]!r} and {name!r}")
        seen[part] = name
        yield part, f"{path}/{name}", read


def _zip_members(path: Path) -> dict[str, Callable[[], bytes]]:
    data = path.read_bytes()
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile as error:
        raise _bad(path, "be a folder or a whole zip archive", f"it is none ({error})") from error
    return {name: lambda name=name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def _read_member(where: str, read: Callable[[], bytes]) -> bytes:
    try:
        data = read()
        return bz2.decompress(data) if where.lower().endswith(".bz2") else data
    except _DAMAGE as error:
        raise _bad(where, "be whole", f"it cannot be read ({error})") from error


def _tvb_unit(info: tuple[str, str] | None) -> Any:
    said = re.search(r"length_unit\s*[=:]\s*[\"']?([^\s\"']+)", info[1]) if info else None
    if said is None:
        return u.mm
    if said[1] not in _TVB_UNITS:
        must = f"name a length_unit among {', '.join(map(repr, _TVB_UNITS))}"
        raise _bad(info[0] if info else "", must, f"it names {said[1]!r}: say which, as in length_unit=u.mm")
    return _TVB_UNITS[said[1]]


def write_tvb(path: Any, connectome: Connectome) -> None:
    """A zip archive of text files."""
    if connectome.centres is None:
        raise ValueError(
            f"The Virtual Brain needs coordinates, but Connectome {connectome.name!r} has none. "
            "Example: Connectome(weights, centres=xyz * u.mm)"
        )
    labels = ["_".join(label.split()) for label in connectome.labels]
    if len(set(labels)) < len(labels) or "" in labels:
        raise ValueError(f"The labels of Connectome {connectome.name!r} must differ in more than blanks, but do not.")
    centres = np.asarray(connectome.centres.to_decimal(u.mm)).tolist()
    tables = {
        "weights": connectome.weights.tolist(),
        "centres": [[label, *xyz] for label, xyz in zip(labels, centres, strict=True)],
    }
    if connectome.lengths is not None:
        tables["tract_lengths"] = np.asarray(connectome.lengths.to_decimal(u.mm)).tolist()
    sides = connectome.hemispheres
    if sides is not None and "midline" not in sides:
        tables["hemispheres"] = [[int(side == "right")] for side in sides]
    with _whole(path, ".zip") as partial, zipfile.ZipFile(partial, "x", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in tables.items():
            archive.writestr(f"{name}.txt", "".join(" ".join(map(str, row)) + "\n" for row in rows))
        archive.writestr("info.txt", 'weights_unit = "au"\nlength_unit = "mm"\n')


# --- writing ----------------------------------------------------------------------------------------------------------


def _whole(path: Any, suffix: str | None = None) -> contextlib.AbstractContextManager[Path]:
    """A path to write to; the file appears under its name when all is written, or not at all."""
    target = Path(path).resolve()
    if suffix is not None and target.suffix != suffix:
        raise ValueError(f"Argument `path` must end in {suffix}, but is {os.fspath(path)!r}.")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"Argument `path` must lie in an existing folder, but {target.parent} is none.")
    return whole_file(target)
