"""Variables of MATLAB files of all versions: matrices, sparse ones, texts, cells and structs."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from brainmass._common.extras import import_io
from brainmass._common.foreign import is_sparse
from brainmass._common.reading.matlab_layout import check_layout
from brainmass._common.reading.problems import DAMAGE, bad

__all__ = ["Opaque", "read_matlab", "tidy"]


class Opaque:
    """What only MATLAB can read: a table, string array or object."""

    def __init__(self, kind: str):
        self.kind = kind


def read_matlab(where: object, data: bytes) -> dict[str, Any]:
    """Variables up to version 7; a struct is a dict, a cell array a list or an array of objects."""
    scipy_io = import_io("scipy.io")
    check_layout(where, data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # either kind of sparse matrix will do; a name twice is told below
        try:
            found = scipy_io.loadmat(io.BytesIO(data), chars_as_strings=True, verify_compressed_data_integrity=True)
        except Exception as error:  # what a damaged file raises depends on where it is damaged
            raise bad(where, "be a whole MATLAB file", f"it cannot be read ({error})") from error
    try:
        return {name: tidy(value) for name, value in found.items() if not name.startswith("__")}
    except ValueError as error:
        raise bad(where, "be a whole MATLAB file", f"it cannot be read ({error})") from error


def tidy(value: object) -> Any:
    """Structs of one as dicts, others as they are."""
    if type(value).__name__ in ("MatlabOpaque", "MatlabFunction"):
        return Opaque("an object of MATLAB")
    if isinstance(value, np.ndarray) and value.dtype.names is not None:
        parts = [{name: tidy(one[name]) for name in value.dtype.names} for one in value.ravel()]
        return parts[0] if len(parts) == 1 else {f"({i})": part for i, part in enumerate(parts, 1)}
    if isinstance(value, np.ndarray) and value.dtype == object:
        # MATLAB counts down the columns.
        cells: Iterable[object] = (tidy(cell) for cell in value.ravel(order="F"))
        out = np.empty(value.size, object)
        out[:] = list(cells)
        return out
    if is_sparse(value):
        matrix: Any = value.tocsc()  # pyright: ignore[reportAttributeAccessIssue]
        matrix.check_format(full_check=True)  # scipy reads indices without looking, and ends the process at some
        return matrix
    if isinstance(value, np.ndarray) and value.dtype.kind == "U" and value.size > 1:
        return np.char.rstrip(value)  # rows of letters are filled up with blanks
    return value


# --- version 7.3 ------------------------------------------------------------------------------------------------------
def of_hdf5(where: object, item: Any, file: Any, depth: int = 0) -> Any:
    """A dataset or group of a MATLAB 7.3 file as `read_matlab` gives it: MATLAB's arrays are stored transposed."""
    if depth > 20:
        raise bad(where, "be a plain MATLAB file", "its structs are nested more than 20 deep")
    if hasattr(item, "keys"):
        if "MATLAB_sparse" in item.attrs:
            return _sparse(where, item)
        return {name: of_hdf5(where, item[name], file, depth + 1) for name in item if name != "#refs#"}
    kind = item.attrs.get("MATLAB_class", b"")
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if "MATLAB_empty" in item.attrs and item.attrs["MATLAB_empty"]:
        # Of an empty array the shape is stored in place of numbers.
        return np.zeros(tuple(int(n) for n in np.ravel(item[()])[:8]) if item.size <= 8 else (0, 0))
    values = np.asarray(item[()])
    if kind == "char":
        rows = np.atleast_2d(values.T)
        texts = np.asarray(["".join(map(chr, row)) for row in rows.tolist()])
        return np.char.rstrip(texts) if texts.size > 1 else texts
    # References to what lies in "#refs#".
    if values.dtype == object and len(values.ravel()) and not isinstance(values.ravel()[0], str | bytes):
        cells = [
            of_hdf5(where, file[ref], file, depth + 1) if ref else np.zeros(0) for ref in values.T.ravel(order="F")
        ]
        out = np.empty(len(cells), object)
        out[:] = cells
        return out
    if kind in ("table", "string", "containers.Map") or values.dtype.names is not None and kind:
        return Opaque(f"a {kind} of MATLAB")
    return values.T


def _sparse(where: object, group: Any) -> Any:
    sparse = import_io("scipy.sparse")
    # The attribute is the number of rows; `jc` says where each column begins in `ir` and `data`.
    n_rows, jc = int(group.attrs["MATLAB_sparse"]), np.asarray(group["jc"][()], np.int64)
    data = np.asarray(group["data"][()]) if "data" in group else np.zeros(0)
    ir = np.asarray(group["ir"][()], np.int64) if "ir" in group else np.zeros(0, np.int64)
    try:
        matrix = sparse.csc_array((data.astype(float), ir, jc), shape=(n_rows, len(jc) - 1))
        matrix.check_format(full_check=True)
        return matrix
    except DAMAGE as error:
        raise bad(where, "be a whole MATLAB file", f"a sparse matrix cannot be read ({error})") from error
