"""Tables of Excel, parquet and CIFTI files, through the libraries that read them."""

from __future__ import annotations

import contextlib
import io
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from brainmass._common.extras import import_extra
from brainmass._common.foreign import Held, opened
from brainmass._common.reading.problems import bad, check_size
from brainmass._common.reading.text import Quoted, Row, TextStyle, tidied

__all__ = ["excel_rows", "parquet_rows", "read_cifti", "read_parquet"]


@contextlib.contextmanager
def _whole(where: object, kind: str) -> Iterator[None]:
    """What a library raises at a damaged file, in our words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that are not read
            yield
    except (ImportError, KeyboardInterrupt):
        raise
    except Exception as error:
        if isinstance(error, ValueError) and str(error).startswith("File '"):
            raise
        raise bad(where, f"be a whole {kind} file", f"it cannot be read ({error})") from error


# --- Excel ------------------------------------------------------------------------------------------------------------
_MOST_EMPTY = 100, 2**16  # empty cells per filled one, and at least as many
_LOOKED_INTO = 2**23  # bytes of sheets in which merged cells are looked for


def excel_rows(where: object, data: bytes, style: TextStyle, sheet: object = 0) -> list[Row]:
    """The cells of a sheet, from the first column that is filled; texts are `Quoted`."""
    openpyxl = import_extra("tables", "openpyxl")
    with _whole(where, "Excel"):
        sizes = [info.file_size for info in zipfile.ZipFile(io.BytesIO(data)).infolist()]
        check_size(where, sum(sizes), len(data))
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        found = _the_sheet(where, book, sheet)
        found.reset_dimensions()  # which may be said to be larger than they are
        cells = _filled_cells(where, found)
    if not cells:
        raise bad(where, "hold numbers", "its sheet is empty")
    rows = sorted({row for row, _ in cells})
    columns = range(min(column for _, column in cells), max(column for _, column in cells) + 1)
    if len(rows) * len(columns) > max(_MOST_EMPTY[0] * len(cells), _MOST_EMPTY[1]):
        but = f"it has {len(cells)} filled cells in {len(rows)} rows and {len(columns)} columns"
        raise bad(where, "hold a table", but)
    grid = [(i, [cells.get((i, j), "") for j in columns]) for i in rows]
    empty = [(i, j) for i in rows for j in columns if (i, j) not in cells]
    if empty[1:] or (empty and empty[0] != (rows[0], columns[0])):  # all but the corner
        with _whole(where, "Excel"):
            _check_why_empty(where, openpyxl, data, found.title, set(empty), sum(sizes))
    return tidied(where, grid, style)


def _the_sheet(where: object, book: Any, sheet: object) -> Any:
    """The sheet of this name or number; the first one must be one that is seen."""
    sheets = book.worksheets
    names = ", ".join(repr(one.title) for one in sheets)
    if isinstance(sheet, str):
        chosen = [one for one in sheets if one.title == sheet]
    else:
        chosen = sheets[sheet : sheet + 1] if isinstance(sheet, int) and 0 <= sheet else []
    if not chosen:
        raise bad(where, f"have the sheet {sheet!r}", f"it has {names}")
    if chosen[0].sheet_state != "visible" and not isinstance(sheet, str):
        raise bad(where, "show the sheet that is read", f"{chosen[0].title!r} is hidden: say which, sheet={names}")
    return chosen[0]


def _filled_cells(where: object, sheet: Any) -> dict[tuple[int, int], str]:
    cells, passed = {}, 0
    for i, row in enumerate(sheet.iter_rows(), 1):
        passed += len(row)
        for j, cell in enumerate(row):
            if cell.value is not None and cell.value != "":
                cells[i, j] = _cell(cell.value, cell.data_type)
        if passed > max(_MOST_EMPTY[0] * len(cells), 2**24):
            raise bad(where, "hold a table", f"it has {len(cells)} filled cells among {passed}")
    return cells


def _cell(value: object, kind: str) -> str:
    if kind == "e":  # "#DIV/0!"
        return str(value)
    # Excel has floats alone: 1001.0 is shown as 1001, and so is a label.
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return repr(float(value) if isinstance(value, bool) else value) if isinstance(value, int | float) else Quoted(value)


def _check_why_empty(
    where: object, openpyxl: Any, data: bytes, title: str, empty: set[tuple[int, int]], size: int
) -> None:
    """Refuse cells that only look empty: formulas without their value, and parts of merged cells."""
    whole = size < _LOOKED_INTO
    # Formulas in place of their values now. Merged cells are known only of a sheet that is read whole, which takes
    # memory.
    sheet = openpyxl.load_workbook(io.BytesIO(data), read_only=not whole)[title]
    if whole:
        said = {(i, j) for i, j in empty if sheet.cell(i, j + 1).value is not None}
    else:
        sheet.reset_dimensions()
        said = {(i, j) for i, row in enumerate(sheet.iter_rows(), 1) for j, cell in enumerate(row) if cell.value}
    for i, j in sorted(said & empty)[:1]:
        but = f"row {i}, column {j + 1} is a formula without its value: open the file in Excel and save it"
        raise bad(where, "hold numbers", but)
    for merged in sheet.merged_cells.ranges if whole else ():
        if any((i, j - 1) in empty for i, j in merged.cells):
            raise bad(where, "have a value in each cell", f"the cells {merged} are merged")


# --- parquet ----------------------------------------------------------------------------------------------------------
def _frame(where: object, data: bytes) -> Any:
    pandas = import_extra("tables", "pandas", "pyarrow")
    with _whole(where, "parquet"):
        declared = import_extra("tables", "pyarrow.parquet").ParquetFile(io.BytesIO(data)).metadata
        check_size(where, declared.num_rows * declared.num_columns * 8, len(data))
        return pandas.read_parquet(io.BytesIO(data), engine="pyarrow")


def read_parquet(where: object, data: bytes) -> Held:
    """A table of numbers, whose rows are named by its index or by its one column of text."""
    frame = _frame(where, data)
    if {str(name).lower() for name in frame.columns} >= {"source", "target", "weight"}:
        raise bad(where, "hold a matrix", "it is a list of connections, which Edges.from_file reads")
    # One column of text names the rows; of several, none tells which.
    texts = [name for name in frame.columns if frame[name].dtype.kind not in "biuf"]
    if len(texts) == 1:
        frame = frame.set_index(texts[0])
    elif texts:
        raise bad(where, "hold numbers", f"its columns {', '.join(map(repr, texts[:4]))} hold others")
    with _whole(where, "parquet"):
        return opened(f"File {str(where)!r}", frame)


def parquet_rows(where: object, data: bytes) -> list[Row]:
    """The rows of a table with their heads, as those of a text."""
    frame = _frame(where, data)
    head: list[str] = [Quoted(name) for name in frame.columns]
    body = [[_of_frame(value) for value in row] for row in frame.itertuples(index=False)]
    return list(enumerate([head, *body], 1))


def _of_frame(value: Any) -> str:
    if isinstance(value, str):
        return Quoted(value)
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, int | np.integer) else repr(float(value))


# --- CIFTI ------------------------------------------------------------------------------------------------------------
def read_cifti(where: object, data: bytes) -> Held:
    """A matrix or series of parcels, with their names."""
    nibabel = import_extra("brain", "nibabel")
    with _whole(where, "CIFTI"), nibabel.imageglobals.LoggingOutputSuppressor():
        image = nibabel.Cifti2Image.from_bytes(data)
        shape = image.shape
        check_size(where, int(np.prod(shape, dtype=object)) * 8, len(data))
        axes = [image.header.get_axis(axis) for axis in range(len(shape))]
        dims = tuple("time" if type(axis).__name__ == "SeriesAxis" else None for axis in axes)
        return Held(np.asarray(image.dataobj, float), tuple(map(_names, axes)), dims)


def _names(axis: Any) -> np.ndarray | None:
    return np.asarray(axis.name, object) if type(axis).__name__ in ("ParcelsAxis", "ScalarAxis") else None
