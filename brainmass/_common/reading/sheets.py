"""Tables of Excel, parquet and CIFTI files, through the libraries that read them."""

from __future__ import annotations

import io
import warnings
import zipfile
from typing import Any

import numpy as np

from brainmass._common.extras import import_extra
from brainmass._common.foreign import Held, opened
from brainmass._common.reading.problems import bad, check_size
from brainmass._common.reading.text import Quoted, TextStyle, labelled_matrix

__all__ = ["read_cifti", "read_excel", "read_parquet"]


def read_excel(where: Any, data: bytes, style: TextStyle, sheet: Any = 0) -> Held:
    """The first sheet, or the one of this name."""
    pandas = import_extra("tables", "pandas", "openpyxl")
    try:
        infos = zipfile.ZipFile(io.BytesIO(data)).infolist()
        check_size(where, sum(info.file_size for info in infos), len(data))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that are not read
            frame = pandas.read_excel(io.BytesIO(data), sheet_name=sheet, header=None, engine="openpyxl", dtype=object)
    except Exception as error:
        if isinstance(error, ValueError) and str(error).startswith("File '"):
            raise
        raise bad(where, "be a whole Excel file", f"it cannot be read ({error})") from error
    grid = [(i, [_cell(x) for x in row]) for i, row in enumerate(frame.to_numpy().tolist(), 1)]
    grid = [(i, cells) for i, cells in grid if any(cells)]
    if not grid:
        raise bad(where, "hold numbers", "its sheet is empty")
    return labelled_matrix(where, grid, style)


def _cell(value: Any) -> str:
    if value is None or value != value:
        return ""
    return Quoted(value) if isinstance(value, str) else repr(float(value)) if isinstance(value, int | float) else "?"


def read_parquet(where: Any, data: bytes) -> Held:
    pandas = import_extra("tables", "pandas", "pyarrow")
    try:
        declared = import_extra("tables", "pyarrow.parquet").ParquetFile(io.BytesIO(data)).metadata
        check_size(where, declared.num_rows * declared.num_columns * 8, len(data))
        frame = pandas.read_parquet(io.BytesIO(data), engine="pyarrow")
    except Exception as error:
        if isinstance(error, ValueError) and str(error).startswith("File '"):
            raise
        raise bad(where, "be a whole parquet file", f"it cannot be read ({error})") from error
    texts = [name for name in frame.columns if frame[name].dtype.kind not in "biuf"]
    if len(texts) == 1 and texts[0] == frame.columns[0]:
        frame = frame.set_index(texts[0])
    return opened(f"File {str(where)!r}", frame)


def read_cifti(where: Any, data: bytes) -> Held:
    """A matrix or series of parcels, with their names."""
    nibabel = import_extra("brain", "nibabel")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = nibabel.Cifti2Image.from_bytes(data)
        shape = image.shape
        check_size(where, int(np.prod(shape, dtype=object)) * 8, len(data))
        labels = tuple(_names(image.header.get_axis(axis)) for axis in range(len(shape)))
        return Held(np.asarray(image.dataobj, float), labels)
    except Exception as error:
        if isinstance(error, ValueError) and str(error).startswith("File '"):
            raise
        raise bad(where, "be a whole CIFTI file", f"it cannot be read ({error})") from error


def _names(axis: Any) -> np.ndarray | None:
    return np.asarray(axis.name, object) if type(axis).__name__ in ("ParcelsAxis", "ScalarAxis") else None
