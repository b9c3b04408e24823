"""A file of any kind that is read here, as one table or as variables by name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np

from brainmass._common.checks import instance, is_whole, items
from brainmass._common.extras import import_io
from brainmass._common.foreign import Held, align, as_text, is_sparse, plain
from brainmass._common.messages import Argument
from brainmass._common.paths import as_path
from brainmass._common.reading.hdf5 import Hdf5
from brainmass._common.reading.kinds import READERS, in_words, kind_of, refuse_kind
from brainmass._common.reading.matlab import Opaque, read_matlab
from brainmass._common.reading.packed import Npz, read_npy
from brainmass._common.reading.problems import DAMAGE, bad, unpacked
from brainmass._common.reading.sheets import excel_rows, parquet_rows, read_cifti, read_parquet
from brainmass._common.reading.text import Row, TextStyle, labelled_matrix, rows_of, text_of
from brainmass._common.typing import Array, Numbers

__all__ = ["Contents", "check_style", "filled", "is_list", "opened_file", "read_array", "table_rows"]

_SPARSE = {"format", "shape", "data"}  # what scipy's save_npz writes


class Contents:
    """What a file holds: a `table`, or `variables` by name, of which parts of structs are named with dots."""

    def __init__(
        self, where: object, kind: str, table: Held | None = None, variables: Mapping[str, object] | None = None
    ):
        self.where, self.kind, self.table = where, kind, table
        self.variables: Mapping[str, Any] = {} if variables is None else variables

    def has(self, name: str) -> bool:
        return self._found(name) is not None

    def value(self, name: str) -> Any:
        """A variable; the error lists those that there are."""
        found = self._found(name)
        if found is None:
            raise bad(self.where, f"hold the variable {name!r}", f"it has {self.listing()}")
        return found[0]

    def _found(self, name: str) -> tuple[object] | None:
        if name in self.variables:
            return (self.variables[name],)
        name = name if "." in name else name.replace("/", ".")  # as HDF5 writes it
        first, dot, rest = name.partition(".")
        there: Any = self.variables.get(first) if first in self.variables else None
        while dot and there is not None:
            there = there if isinstance(there, Mapping) else _cells(there)
            if rest in there:
                return (there[rest],)
            first, dot, rest = rest.partition(".")
            there = there.get(first)
        return None

    def listing(self) -> str:
        """The variables with their shapes, in words."""
        parts = [part for name in self.variables for part in self._listed(name)]
        return ", ".join(parts[:40]) + (", ..." if len(parts) > 40 else "") or "no variables"

    def _listed(self, name: str) -> list[str]:
        with contextlib.suppress(ValueError):  # one that cannot be read is named without its shape
            return [f"{path!r} {_shape(x)}" for path, x in _leaves(name, self.variables[name])]
        return [repr(name)]

    def held(self, name: str) -> Held:
        """A variable as an array, with the names of its axes and their labels where the file says them."""
        values = self.array(name)
        axes = self.variables.axes(name) if isinstance(self.variables, Hdf5) else ()
        if len(axes) != np.ndim(values):
            return Held(values)
        return Held(values, tuple(labels for _, labels in axes), tuple(dim for dim, _ in axes))

    def array(self, name: str) -> Any:
        """A variable as an array of real numbers."""
        return real_array(self.where, name, self.value(name))


def _cells(value: object) -> dict[str, object]:
    """The cells of a cell array by their numbers, "(1)" and so on."""
    cells = value if isinstance(value, np.ndarray) and value.dtype.kind == "O" else ()
    return {f"({i})": cell for i, cell in enumerate(cells, 1)}


def _leaves(name: str, value: object) -> list[tuple[str, object]]:
    if not isinstance(value, Mapping):
        return [(name, value)]
    return [leaf for key, part in value.items() for leaf in _leaves(f"{name}.{key}", part)]


def _shape(value: Any) -> str:
    return value.kind if isinstance(value, Opaque) else str(np.shape(value) if not is_sparse(value) else value.shape)


def real_array(where: object, name: str, value: object) -> Array:
    if is_sparse(value):
        return plain(f"Variable {name!r} of {str(where)!r}", value)
    if isinstance(value, Mapping):
        raise bad(
            where,
            "hold real numbers",
            f"the variable {name!r} is a struct: say which part, {name}.{next(iter(value), '...')}",
        )
    if isinstance(value, Opaque):
        raise bad(where, "hold real numbers", f"the variable {name!r} is {value.kind}")
    values = np.asarray(value)
    if values.dtype == object and values.ndim == 1 and len(values) and not any(map(_is_matrix, values)):
        # Rows of unequal length are no matrix, and stay cells.
        with contextlib.suppress(*DAMAGE):  # cells of numbers, one row each
            values = np.asarray([np.ravel(np.asarray(cell, float)) for cell in values])
    if values.dtype.kind not in "biuf":
        matrices = values.dtype == object and any(map(_is_matrix, values.ravel()))
        if matrices:
            raise bad(where, "hold one array", f"the variable {name!r} has cells of matrices: say which, {name}.(1)")
        kinds = {"U": "text", "S": "text", "c": "complex numbers"}
        raise bad(
            where,
            "hold real numbers",
            f"the variable {name!r} holds {kinds.get(values.dtype.kind, 'cells or objects')}",
        )
    return values


def _is_matrix(cell: Any) -> bool:
    return is_sparse(cell) or min(np.shape(cell)[:2], default=0) > 1


def texts(where: object, name: str, value: object) -> list[str]:
    """The strings of an array of text, of MATLAB's cells, of characters as numbers, or of one text with lines."""
    if isinstance(value, Opaque | Mapping):
        kind = value.kind if isinstance(value, Opaque) else "a struct"
        raise bad(where, "hold text", f"{name!r} is {kind}: save cellstr(...) of it there")
    values = np.asarray(value)
    if _is_code(values):
        values = np.asarray(["".join(map(chr, np.ravel(values).astype(int)))])
    cells = [_cell_text(where, name, cell) for cell in np.ravel(values)]
    if len(cells) == 1 and "\n" in cells[0].strip("\n\0 "):
        cells = [cell.strip("\0 \t\r") for cell in cells[0].strip("\n\0 ").split("\n")]
    return [cell.rstrip("\0") for cell in cells]


def _is_code(values: np.ndarray) -> bool:
    """Whether numbers are the characters of a text of several lines, as DSI Studio writes."""
    if values.dtype.kind not in "iuf" or values.size < 3 or min(values.shape, default=0) != 1 and values.ndim > 1:
        return False
    flat = np.ravel(values)
    printable = (flat >= 32) & (flat < 0x3000) | np.isin(flat, (9, 10, 13, 0))
    return bool(printable.all() and (flat == 10).any() and (flat == np.round(flat)).all())


def _cell_text(where: object, name: str, cell: object) -> str:
    # MATLAB's cells are arrays that hold an array that holds the text.
    while isinstance(cell, np.ndarray) and cell.size == 1:
        cell = cell.ravel()[0]
    if isinstance(cell, np.ndarray):
        if cell.size == 0:
            return ""
        if cell.dtype.kind in "iu":
            return "".join(map(chr, cell.ravel().tolist()))
        raise bad(where, "hold text", f"{name!r} has a cell of shape {cell.shape}")
    try:
        text = cell if isinstance(cell, str) else as_text("", cell)
    except (TypeError, ValueError) as error:
        raise bad(where, "hold text", f"{name!r} holds {cell!r}") from error
    return str(text)


# --- opening ----------------------------------------------------------------------------------------------------------
def opened_file(path: object, style: TextStyle | None = None, sheet: object = 0, only: Sequence[str] = ()) -> Contents:
    """What is in a file; `only` are the kinds that the caller reads."""
    path = as_path(path)
    data = unpacked(path, path.read_bytes())
    kind = kind_of(data)
    check_kind(path, kind, only)
    style = TextStyle() if style is None else style
    if kind == "npz" and only != ("text",):
        return _of_npz(path, Npz(path, data))
    return _READ[kind](path, data, style, sheet)


def check_kind(path: object, kind: str, only: Sequence[str]) -> None:
    """Refuse a file of another kind, with the call that reads it."""
    if kind not in READERS:
        raise bad(path, "hold a table or arrays", f"it is {kind}, {refuse_kind(kind)}")
    if only and kind not in only:
        wanted = " or ".join(in_words(kind) for kind in only)
        raise bad(path, f"be {wanted}", f"it is {in_words(kind)}, which Connectome.{READERS[kind]} reads")


def table_rows(path: Path, data: bytes, kind: str, style: TextStyle, sheet: object) -> list[Row]:
    """The rows of a text, an Excel or a parquet file."""
    if kind == "parquet":
        return parquet_rows(path, data)
    if kind == "xlsx":
        return excel_rows(path, data, style, sheet)
    return rows_of(path, text_of(path, data, style.encoding), style)


def is_list(row: Sequence[str]) -> bool:
    """Whether the first row of a table is that of a list of connections."""
    return {cell.lower() for cell in row} >= {"source", "target", "weight"}


def check_style(path: object, kind: str, style: TextStyle, sheet: object) -> None:
    """Refuse what has no part in a file of this kind."""
    if not is_whole(sheet, 0):
        instance(Argument("sheet"), sheet, str, "the number of a sheet, from 0, or its name")
    known = {"text": ("delimiter", "decimal", "encoding", "header"), "xlsx": ("decimal", "header", "sheet")}
    said = {name: getattr(style, name) for name in known["text"]} | {"sheet": sheet or None}
    idle = next((name for name, x in said.items() if x is not None and name not in known.get(kind, ())), None)
    if idle is not None:
        raise bad(path, f"be of a kind to which `{idle}` applies", f"it is {in_words(kind)}: leave {idle}= out")


def filled(matrix: Numbers, empty: float | None) -> Array:
    """With a number where there is NaN, if one is given."""
    if empty is None or is_sparse(matrix) or np.asarray(matrix).dtype.kind != "f":
        return matrix
    return np.where(np.isnan(matrix), empty, matrix)


def _of_rows(kind: str) -> Callable:
    def read(path: Path, data: bytes, style: TextStyle, sheet: object) -> Contents:
        rows = table_rows(path, data, kind, style, sheet)
        if is_list(rows[0][1]):
            reader = "from_csv" if kind == "text" else "from_file"
            raise bad(path, "hold a matrix", f"it is a list of connections, which Edges.{reader} reads")
        return Contents(path, kind, labelled_matrix(path, rows, style))

    return read


def _of_npz(path: Path, stored: Mapping[str, object]) -> Contents:
    if not set(stored) >= _SPARSE:
        return Contents(path, "npz", variables=stored)
    sparse = _sparse_matrix(path, stored)
    return Contents(path, "npz", Held(sparse), {"weights": sparse})


def _sparse_matrix(path: object, stored: Mapping[str, Any]) -> Any:
    scipy = import_io("scipy.sparse")
    try:
        kind = texts(path, "format", stored["format"])[0]
        shape = tuple(int(n) for n in stored["shape"])
        if kind == "coo":
            matrix = scipy.coo_array((stored["data"], (stored["row"], stored["col"])), shape=shape)
        elif kind in ("csr", "csc", "bsr"):
            matrix = getattr(scipy, f"{kind}_array")((stored["data"], stored["indices"], stored["indptr"]), shape=shape)
            matrix.check_format(full_check=True)
        else:
            matrix = scipy.dia_array((stored["data"], stored["offsets"]), shape=shape)
        return matrix.tocsr()
    except DAMAGE as error:
        # One of ours says what is wrong already.
        if isinstance(error, ValueError) and str(error).startswith("File '"):
            raise
        raise bad(path, "be a whole sparse matrix of scipy", f"it cannot be read ({error})") from error


def _no_contents(path: Path, data: bytes, style: TextStyle, sheet: object) -> Contents:
    raise bad(path, "hold arrays", "it is a zip archive of other files: unpack it first")


_READ = {
    "text": _of_rows("text"),
    "npy": lambda path, data, style, sheet: Contents(path, "npy", Held(read_npy(path, data))),
    "mat": lambda path, data, style, sheet: Contents(path, "mat", variables=read_matlab(path, data)),
    "hdf5": lambda path, data, style, sheet: Contents(path, "hdf5", variables=Hdf5(path, data)),
    "xlsx": _of_rows("xlsx"),
    "parquet": lambda path, data, style, sheet: Contents(path, "parquet", read_parquet(path, data)),
    "cifti": lambda path, data, style, sheet: Contents(path, "cifti", read_cifti(path, data)),
    "zip": _no_contents,
    "tvb": _no_contents,
}


def read_array(
    path: object,
    name: str | None = None,
    *,
    regions: object = None,
    unit: u.Unit | None = None,
    empty: float | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    sheet: object = 0,
) -> Numbers:
    """The numbers of a file: text, `.npy`, `.npz`, MATLAB, HDF5, Excel, parquet or CIFTI, compressed or not.

    Parameters
    ----------
    path : str or path
        The file; its kind is told by its first bytes.
    name : str, optional
        Which array, in a file of several; parts of a struct with dots, "data.FC".
    regions : sequence of labels, or Connectome, optional
        Axes with the names of these regions are put in their order.
    unit : unit, optional
        Of the numbers.
    empty : float, optional
        What an empty cell stands for, such as `np.nan`. Default: it is refused.
    delimiter, decimal, encoding, header
        How a text file is written, where it is not found out: the mark between columns, '.' or ',', the code page, and
        whether its first row and column are names.
    sheet : int or str
        Of an Excel file.

    Returns
    -------
    array or Quantity
        Of a table with one row or column, shape (N,).

    Raises
    ------
    ValueError
        If the file is damaged or of another kind, or has several arrays and no such name; the message lists them.
    """
    path = as_path(path)
    style = TextStyle(delimiter, decimal, encoding, empty, header)
    instance(Argument("name", "read_array"), name, str | None, "the name of a variable")
    instance(Argument("unit", "read_array"), unit, u.Unit | None, "a unit", example="unit=u.mV")
    if regions is not None:
        regions = items(Argument("regions", "read_array"), getattr(regions, "labels", regions), "names")
    contents = opened_file(path, style, sheet)
    check_style(path, contents.kind, style, sheet)
    held = contents.table
    if held is None or name is not None and contents.variables:
        held = contents.held(_the_name(contents, name))
    elif name is not None:
        raise bad(path, f"hold the variable {name!r}", f"it is {in_words(contents.kind)} with one table")
    values = filled(real_array(path, "the table", held.values), empty)
    held = Held(values, held.labels if np.ndim(values) == len(held.labels) else ())
    if regions is not None:
        held = align(f"File {str(path)!r}", held, tuple(map(str, regions)))
    values = np.asarray(held.values)
    if contents.kind in ("text", "xlsx", "parquet") and 1 in values.shape:
        values = values.ravel()
    return values if unit is None else u.Quantity(values, unit=unit)


def _the_name(contents: Contents, name: str | None) -> str:
    if name is not None:
        return name
    names = list(contents.variables)
    if len(names) != 1:
        raise bad(
            contents.where,
            "hold one array",
            f"it has {contents.listing()}: say which, as in {names[0]!r}" if names else "it has none",
        )
    return names[0]
