"""Containers of other libraries: the numbers they hold, in the order and with the unit that they say.

A table knows more than its numbers: which region a row is, and sometimes in which unit it is. Whatever takes numbers
from a user opens what it was given here. None of the libraries is imported: an object of one is only there if the
user has imported it.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import brainunit as u
import jax
import numpy as np

from brainmass._common.messages import argument_error
from brainmass._common.typing import Array, Numbers

__all__ = ["Held", "align", "as_text", "is_a", "is_foreign", "is_table", "opened", "plain", "positions", "tree"]


@dataclasses.dataclass(frozen=True)
class Held:
    """What a container holds: an array or Quantity; for each axis its labels and its name, where it has them.

    `times` are those of its rows, where it says them with a unit.
    """

    values: Any
    labels: tuple[np.ndarray | None, ...] = ()
    dims: tuple[str | None, ...] = ()
    times: Numbers = None

    def texts(self, what: str, axis: int) -> list[str] | None:
        """The labels of an axis as text, all different."""
        labels = self.labels[axis] if axis < len(self.labels) else None
        if labels is None:
            return None
        texts = [as_text(what, label) for label in labels]
        check_different(what, texts)
        return texts

    def taken(self, places: Sequence[int], axis: int) -> Held:
        """Its rows, columns, ... in another order."""
        rows = np.asarray(places, int)
        values = self.values[(slice(None),) * axis + (rows,)]
        labels = [x if i != axis or x is None else x[rows] for i, x in enumerate(self.labels)]
        return dataclasses.replace(self, values=values, labels=tuple(labels))

    def transposed(self, axes: Sequence[int]) -> Held:
        values = self.values.transpose(*axes)
        labels = tuple(self.labels[i] for i in axes) if self.labels else ()
        dims = tuple(self.dims[i] for i in axes) if self.dims else ()
        return Held(values, labels, dims, self.times)


_OURS = ("brainmass", "brainstate", "brainunit", "saiunit", "jax", "jaxlib")  # what the package handles itself


# --- recognising ------------------------------------------------------------------------------------------------------
def is_a(given: object, module: str, *names: str) -> bool:
    """Whether it is an instance of one of these classes of a module, which is not imported for that."""
    loaded: Any = sys.modules
    for part in range(module.count(".") + 1):
        if ".".join(module.split(".")[: part + 1]) not in loaded:
            return False
    found = [getattr(loaded[module], name, None) for name in names]
    return isinstance(given, tuple(kind for kind in found if isinstance(kind, type)))


def is_table(given: object) -> bool:
    """Whether it is a container with labels of its axes."""
    return is_a(given, "pandas", "DataFrame", "Series", "Index") or is_a(given, "xarray", "DataArray")


def is_sparse(given: object) -> bool:
    return "scipy.sparse" in sys.modules and sys.modules["scipy.sparse"].issparse(given)


def is_graph(given: object) -> bool:
    return is_a(given, "networkx", "Graph")


def is_foreign(given: object) -> bool:
    """Whether it is a container that `opened` has to open."""
    known = isinstance(given, jax.Array | u.Quantity | str | bytes | bool | int | float | complex | list | tuple | dict)
    if given is None or known or type(given).__module__.partition(".")[0] in _OURS or isinstance(given, type):
        return False
    # Of numpy's arrays only tables with named columns, which are refused in words.
    if type(given) is np.ndarray:
        return given.dtype.names is not None
    return (
        is_table(given)
        or is_sparse(given)
        or is_graph(given)
        or is_a(given, "xarray", "Dataset")
        or isinstance(given, np.ndarray)
        or any(hasattr(given, name) for name in ("detach", "__cuda_array_interface__", "magnitude"))
        or (hasattr(given, "__array__") and not isinstance(given, np.generic))
    )


# --- opening ----------------------------------------------------------------------------------------------------------
def opened(what: str, given: object) -> Held:
    """The numbers of a container with what it says of them; anything else as it is.

    `what` begins the messages, as in Argument("target", "fit").

    Raises
    ------
    ValueError, TypeError
        If a square table has the same labels for its rows and columns, but in another order, or a label twice, or the
        container holds no array of numbers; the message says what to write.
    """
    if isinstance(given, Held):  # as a file holds it
        values = opened(what, given.values).values
        return _in_one_order(what, dataclasses.replace(given, values=values))
    if not is_foreign(given):
        return Held(given)
    held = _opener(what, given)(what, given)
    return _in_one_order(what, held)


def plain(what: str, given: object, regions: Sequence[str] | None = None) -> Numbers:
    """The numbers of a container, as an array or Quantity; anything else as it is.

    Axes labelled with the names of `regions` are put in their order.
    """
    held = opened(what, given)
    return held.values if regions is None else align(what, held, regions).values


def tree(what: str, given: Numbers, regions: Sequence[str] | None = None) -> Numbers:
    """A structure of mappings, lists and tuples with the containers in it opened."""
    if is_a(given, "xarray", "Dataset"):
        given = {str(name): given[name] for name in given.data_vars}
    if isinstance(given, Mapping):
        opened_up = {key: tree(f"{what}, {key!r},", x, regions) for key, x in given.items()}
        return opened_up if type(given) is not dict and not isinstance(given, dict) else type(given)(opened_up)
    if isinstance(given, tuple) and hasattr(given, "_fields"):
        return type(given)(*(tree(what, x, regions) for x in given))
    if type(given) in (list, tuple) and any(map(is_foreign, given)):
        return type(given)(tree(what, x, regions) for x in given)
    return plain(what, given, regions)


def _opener(what: str, given: object) -> Callable[[str, Any], Held]:
    if is_a(given, "pandas", "DataFrame"):
        return _of_frame
    if is_a(given, "pandas", "Series", "Index"):
        return _of_series
    if is_a(given, "xarray", "DataArray"):
        return _of_data_array
    if is_a(given, "xarray", "Dataset"):
        return _refuse_dataset
    if is_sparse(given):
        return _of_sparse
    if is_graph(given):
        return _refuse_graph
    if hasattr(given, "magnitude") or is_a(given, "astropy.units", "Quantity"):
        return _of_quantity
    return _of_array


def _of_frame(what: str, frame: Any) -> Held:
    texts = [name for name, kind in frame.dtypes.items() if not _is_numeric(frame[name].to_numpy(), kind)]
    if texts:
        raise argument_error(
            what,
            "must hold numbers",
            f"its column {texts[0]!r} does not",
            hint=f"If it names the rows, give table.set_index({texts[0]!r}); else leave it out: "
            f"table.drop(columns={texts[0]!r}).",
            kind=TypeError,
        )
    # Columns of pandas' own types hold `pd.NA`, of which there is no float.
    values = _with_unit(frame.to_numpy(dtype=float, na_value=np.nan), frame)
    labels = _of_index(frame.index), _of_index(frame.columns)
    return Held(values, labels, (frame.index.name, frame.columns.name), _times(frame.index.to_numpy()))


def _is_numeric(values: np.ndarray, kind: object) -> bool:
    if getattr(kind, "kind", values.dtype.kind) in "biuf":
        return True
    return values.dtype == object and all(isinstance(x, bool | int | float | np.number) for x in values)


def _of_series(what: str, series: Any) -> Held:
    values = series.to_numpy()
    if values.dtype == object and _is_numeric(values, np.dtype(object)):
        values = values.astype(float)
    elif getattr(series.dtype, "kind", "O") in "biuf" and values.dtype == object:
        values = series.to_numpy(dtype=float, na_value=np.nan)
    index = getattr(series, "index", None)
    values = _with_unit(values, series)
    if index is None:
        return Held(values)
    return Held(values, (_of_index(index),), (index.name,), _times(index.to_numpy()))


def _of_index(index: Any) -> np.ndarray | None:
    """The labels of rows or columns; None where they are counted only."""
    if is_a(index, "pandas", "RangeIndex") and index.start == 0 and index.step == 1:
        return None
    # Filled, not converted: of tuples, as a MultiIndex has them, numpy would make a matrix.
    labels = np.empty(len(index), object)
    labels[:] = list(index)
    return labels


def _of_data_array(what: str, array: Any) -> Held:
    labels = tuple(np.asarray(array.coords[dim].values) if dim in array.coords else None for dim in array.dims)
    dims = tuple(map(str, array.dims))
    held = Held(_with_unit(np.asarray(array.values), array), labels, dims)
    # `Result.to_xarray` names the times of a monitor with a period of its own `time_bold`.
    when = next((i for i, dim in enumerate(dims) if dim == "time" or dim.startswith("time_")), None)
    if when is None:
        return held
    coordinate = array.coords[array.dims[when]] if array.dims[when] in array.coords else None
    times = None if coordinate is None else _times(np.asarray(coordinate.values), coordinate.attrs.get("units", ""))
    # Rows are times here, wherever xarray has them.
    held = held.transposed([when, *(i for i in range(len(dims)) if i != when)])
    return dataclasses.replace(held, times=times)


def _times(stamps: np.ndarray, unit: str = "") -> Numbers:
    """The times of rows, if they carry a unit."""
    if stamps.dtype.kind in "mM" and len(stamps):
        # Dates count from the first, as runs begin at zero.
        since = stamps - stamps[0] if stamps.dtype.kind == "M" else stamps
        return u.Quantity(since / np.timedelta64(1, "ms"), unit=u.ms)
    known = _unit_of(unit)
    if known is not None and known.has_same_dim(u.ms) and stamps.dtype.kind in "biuf":
        return u.Quantity(np.asarray(stamps, float), unit=known)
    return None


def _with_unit(values: np.ndarray, container: object) -> Array:
    """With the unit that `attrs["units"]` of a table names, as `Result.to_xarray` writes it."""
    unit = _unit_of(getattr(container, "attrs", {}).get("units", ""))
    return values if unit is None or unit.has_same_dim(u.UNITLESS) else u.Quantity(values, unit=unit)


def _unit_of(text: object) -> u.Unit | None:
    """The unit that a file or table names; None where it names none that is known."""
    try:
        return u.parse_unit(str(text)) if str(text).strip() else None
    except Exception:  # whatever a parser makes of "a.u." or "percent signal change"
        return None


def _refuse_dataset(what: str, dataset: Any) -> Held:
    names = ", ".join(map(repr, dataset.data_vars)) or "none"
    raise argument_error(
        what,
        "must be one array",
        f"is a Dataset of xarray with {names}",
        hint="Give one: dataset['name'].",
        kind=TypeError,
    )


def _refuse_graph(what: str, graph: object) -> Held:
    raise argument_error(
        what,
        "must be an array",
        "is a graph of networkx",
        hint="Give brainmass.Connectome.from_networkx(graph), or brainmass.Edges.from_networkx(graph).",
        kind=TypeError,
    )


_LARGEST_DENSE = 2**31  # bytes


def _of_sparse(what: str, matrix: Numbers) -> Held:
    # In Python's integers, which do not overflow.
    size = int(np.prod([int(n) for n in matrix.shape], dtype=object)) * 8
    if size > _LARGEST_DENSE:
        raise argument_error(
            what,
            f"would take {size / 1e9:.3g} GB as a full array: give the list of its entries, "
            "brainmass.Edges.from_scipy(matrix)",
        )
    return Held(np.asarray(matrix.toarray()))


def _of_quantity(what: str, given: Any) -> Held:
    """Of pint, quantities, neo and astropy."""
    said = getattr(given, "units", None) or getattr(given, "unit", "")
    name = str(getattr(said, "dimensionality", said))
    values = np.asarray(given.magnitude if hasattr(given, "magnitude") else given.value)
    if name in ("", "dimensionless"):
        return Held(values)
    # pint writes mV as millivolt unless it is asked for the short form.
    unit = _unit_of(f"{said:~}") if _has_short_form(said) else _unit_of(name)
    unit = _unit_of(name) if unit is None else unit
    if unit is None:
        raise argument_error(what, f"is in {name!r}, which is no unit here", example="np.asarray(values) * u.mV.")
    return Held(u.Quantity(values, unit=unit))


def _has_short_form(unit: Any) -> bool:
    try:
        return bool(f"{unit:~}")
    except (TypeError, ValueError):
        return False


def _of_array(what: str, given: Any) -> Held:
    if isinstance(given, np.ma.MaskedArray):
        return Held(np.ma.filled(given.astype(float), np.nan) if np.ma.is_masked(given) else np.asarray(given))
    if hasattr(given, "detach") and hasattr(given, "cpu"):  # a tensor of torch, perhaps with a gradient
        # numpy takes no tensor with a gradient, nor one on a GPU.
        given = given.detach().cpu()
        given = given.numpy() if hasattr(given, "numpy") else given
    if hasattr(given, "__cuda_array_interface__") and hasattr(given, "get"):  # cupy
        given = given.get()
    values = np.asarray(given)
    if values.dtype.names:
        raise argument_error(
            what,
            "must be an array of numbers",
            f"is a table with the columns {', '.join(values.dtype.names)}",
            hint=f"Give one: table[{values.dtype.names[0]!r}].",
            kind=TypeError,
        )
    return Held(values)


# --- order ------------------------------------------------------------------------------------------------------------
def _in_one_order(what: str, held: Held) -> Held:
    rows, columns = held.labels if len(held.labels) == 2 else (None, None)
    if rows is None or columns is None or len(rows) != len(columns):
        return held
    rows, columns = held.texts(what, 0), held.texts(what, 1)
    assert rows is not None and columns is not None
    if rows != columns and set(rows) == set(columns):
        i = next(i for i, (row, column) in enumerate(zip(rows, columns, strict=True)) if row != column)
        raise argument_error(
            what,
            "must have its rows and columns in one order",
            f"row {i + 1} is {rows[i]!r} where the column is {columns[i]!r}",
            "table.loc[table.index, table.index]",
        )
    return held


def align(what: str, held: Held, regions: Sequence[str]) -> Held:
    """Axes that are labelled with the names of the regions in their order.

    Raises
    ------
    ValueError
        If an axis of as many entries has names, and they are not those of the regions.
    """
    # Numbers, and the names of a connectome without any, say nothing of an order.
    if not are_names(regions):
        return held
    axes = [axis for axis, labels in enumerate(held.labels) if labels is not None]
    texts = {axis: held.texts(what, axis) for axis in axes if len(held.labels[axis]) == len(regions)}  # type: ignore
    fitting = [axis for axis, labels in texts.items() if set(labels) == set(regions)]  # type: ignore[arg-type]
    for axis in fitting:
        held = held.taken(positions(what, regions, texts[axis]), axis)  # type: ignore[arg-type]
    # An axis of as many entries may be something else, as time: it is wrong only where none has the regions.
    odd = [axis for axis, labels in texts.items() if axis not in fitting and are_names(labels)]  # type: ignore
    if odd and not fitting:
        stranger = next(label for label in texts[odd[0]] if label not in set(regions))  # type: ignore[union-attr]
        raise argument_error(
            what,
            f"must have the names of the regions ({regions[0]!r}, ...)",
            f"{stranger!r} is none of them",
            hint="If it is in their order, give its numbers alone: .to_numpy().",
        )
    return held


_COUNTED = re.compile(r"(region )?[\d.]+")


def are_names(labels: Sequence[str]) -> bool:
    """Whether labels say more than a number does."""
    return not all(_COUNTED.fullmatch(label) for label in labels)


def positions(what: str, wanted: Sequence[str], there: Sequence[str]) -> list[int]:
    """Where each of the wanted labels is."""
    place = {label: i for i, label in enumerate(there)}
    for label in wanted:
        if label not in place:
            raise argument_error(what, f"must have the region {label!r}", "has it not")
    return [place[label] for label in wanted]


def check_different(what: str, labels: Sequence[str]) -> None:
    repeated = next((label for label, times in Counter(labels).items() if times > 1), None)
    if repeated is not None:
        raise argument_error(what, "must have labels that differ from each other", f"{repeated!r} is there twice")


# --- labels -----------------------------------------------------------------------------------------------------------
_DIRECTIONS = set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def as_text(what: str, label: object) -> str:
    """A label as a person would write it: bytes are decoded, 1001.0 is '1001'.

    Raises
    ------
    ValueError
        For characters that steer a terminal instead of being printed.
    TypeError
        If it is missing, or no text or number.
    """
    text = _written(label)
    if text is None:
        raise argument_error(what, "must be texts or numbers", f"one is {label!r}", kind=TypeError)
    odd = next((c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in _DIRECTIONS), None)
    if odd is not None:
        raise argument_error(what, "must be printable", f"{text!r} holds the character {odd!r}")
    return text


def _written(label: object) -> str | None:
    if isinstance(label, str):
        return str(label)
    if isinstance(label, bytes):
        return _decoded(label).rstrip("\0")
    if isinstance(label, tuple):
        parts = [_written(part) for part in label]
        return None if None in parts else " ".join(parts)  # type: ignore[arg-type]
    if isinstance(label, np.ndarray) and label.size == 1:
        return _written(label.ravel()[0])
    if label is None or isinstance(label, np.ndarray | bool | np.bool_) or label != label:
        return None
    if isinstance(label, int | np.integer):
        return str(int(label))
    if isinstance(label, float | np.floating):
        return str(int(label)) if float(label).is_integer() else repr(float(label))
    return str(label) if hasattr(label, "isoformat") else None


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
