"""The arguments of a Connectome, from a file of any kind that holds matrices."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import brainunit as u
import numpy as np

from brainmass._common.checks import flag, instance
from brainmass._common.foreign import Held, is_sparse, positions
from brainmass._common.messages import Argument
from brainmass._common.paths import as_path
from brainmass._common.reading.contents import Contents, check_style, filled, opened_file, real_array, texts
from brainmass._common.reading.problems import bad
from brainmass._common.reading.text import TextStyle
from brainmass._common.typing import Array, Numbers, PathLike
from brainmass.connectome.files.regions import named_or_path, numbered, region_argument, sides_of
from brainmass.connectome.symmetry import mirrored, triangle

__all__ = ["Given", "USUAL", "chosen", "finished", "given_by", "labels_and_places", "read_dense", "region_fields"]

USUAL = {
    "weights": ("weights", "SC", "sc", "C", "W", "connectivity", "Cmat", "conn"),
    "lengths": ("lengths_mm", "lengths", "tract_lengths", "D", "distances", "distance", "Dmat", "len"),
    "labels": ("labels", "region_labels", "regions", "names", "name", "roi_names"),
}


@dataclasses.dataclass(frozen=True)
class Given:
    """What a user says beside the path: each a name in the file, a file of its own, or the values."""

    weights: str | None = None
    lengths: object = None
    labels: object = None
    centres: object = None
    hemispheres: object = None
    length_unit: u.Unit = u.mm
    symmetrize: bool | None = None
    number_repeated: bool = False
    sheet: str | int = 0
    style: TextStyle = TextStyle()

    def __post_init__(self) -> None:
        instance(Argument("weights"), self.weights, str | None, "the name of a variable", example="weights='SC'")
        if self.symmetrize is not None:
            flag(Argument("symmetrize"), self.symmetrize)
        flag(Argument("number_repeated"), self.number_repeated)


def given_by(how: Mapping[str, Any]) -> Given:
    """What arguments of `from_file` say."""
    style = {field.name for field in dataclasses.fields(TextStyle)}
    said = {name: x for name, x in how.items() if name not in style and not (name == "length_unit" and x is None)}
    return Given(**said, style=TextStyle(**{name: x for name, x in how.items() if name in style}))


def read_dense(path: PathLike, given: Given, only: Sequence[str] = ()) -> dict[str, Any]:
    """Weights, and what else is known of the regions."""
    contents = opened_file(path, given.style, given.sheet, only)
    check_style(contents.where, contents.kind, given.style, given.sheet)
    fields = _of_table(contents, given) if contents.table is not None else _of_variables(contents, given)
    return finished(contents.where, fields | _said_of_regions(contents, given), given)


def _of_table(contents: Contents, given: Given) -> dict[str, Any]:
    assert contents.table is not None
    if given.weights is not None:
        raise bad(contents.where, f"hold the variable {given.weights!r}", "it holds one table without a name")
    table = contents.table
    if "time" in table.dims:
        raise bad(contents.where, "hold a matrix", "it is a time series: see read_array")
    values = filled(real_array(contents.where, "the table", table.values), given.style.empty)
    fields: dict[str, Any] = {"weights": dataclasses.replace(table, values=values)}
    if given.lengths is not None:
        fields["lengths"] = _lengths(contents, given)
    return fields


def _of_variables(contents: Contents, given: Given) -> dict[str, Any]:
    where, name = contents.where, chosen(contents, "weights", given.weights)
    if name is None:
        if {"source", "target", "weight"} <= set(contents.variables):
            raise bad(where, "hold a matrix", "it is a list of connections, which Edges.from_file reads")
        example = next((path for path in _matrices(contents)), "SC")
        but = f"it has {contents.listing()}: say which, as in weights={example!r}"
        raise bad(where, "hold weights under a usual name", but)
    fields: dict[str, Any] = {"weights": _weights(contents, name, given)}
    far = given.lengths if given.lengths is not None else chosen(contents, "lengths", None)
    if far is not None:
        fields["lengths"] = _lengths(contents, dataclasses.replace(given, lengths=far))
    return _with_regions(contents, fields, given, np.shape(_values(fields["weights"]))[0])


def _weights(contents: Contents, name: str, given: Given) -> Any:
    held = contents.held(name)
    values = filled(_square(contents, held.values), given.style.empty)
    return dataclasses.replace(held, values=values) if held.dims else values


def _with_regions(contents: Contents, fields: dict[str, object], given: Given, n: int) -> dict[str, Any]:
    """With what the file says of the n regions."""
    # A file may hold `labels` and a `name` of its own: the first usual name counts.
    labels = None if given.labels is not None else chosen(contents, "labels", None, among_several=True)
    if labels is not None:
        _add_labels(contents, fields, labels, n)
    return fields | region_fields(contents)


def labels_and_places(contents: Contents, fields: dict[str, Any], given: Given, n: int) -> dict[str, Any]:
    """With labels that differ, centres and sides, as the file or the user says them."""
    fields = _with_regions(contents, fields, given, n) | _said_of_regions(contents, given)
    if isinstance(fields.get("labels"), list) and not isinstance(given.labels, list):
        fields["labels"] = numbered(contents.where, fields["labels"], given.number_repeated)
    return fields


def _said_of_regions(contents: Contents, given: Given) -> dict[str, Any]:
    said = {argument: getattr(given, argument) for argument in ("labels", "centres", "hemispheres")}
    return {a: region_argument(a, x, contents, given.length_unit) for a, x in said.items() if x is not None}


def _square(contents: Contents, matrix: Array) -> Any:
    """Without the columns that are no rows: CONN names rows and columns apart."""
    if np.ndim(matrix) != 2 or matrix.shape[0] >= matrix.shape[1] or not contents.has("names2"):
        return matrix
    rows, columns = (texts(contents.where, name, contents.value(name)) for name in ("names", "names2"))
    return matrix[:, positions(f"Variable 'names2' of {str(contents.where)!r}", rows, columns)]


def _add_labels(contents: Contents, fields: dict[str, Any], name: str, n: int) -> None:
    """Those of a usual name, if there is one per region; else that they are left out is told."""
    found = texts(contents.where, name, contents.value(name))
    if len(found) == n:
        fields["labels"] = found
        return
    if name == "name":  # of the connectome
        return
    warnings.warn(
        f"File {str(contents.where)!r} has {len(found)} {name!r} for {n} regions, which are left out: say which are "
        "theirs, as in labels='names', or labels=[...].",
        stacklevel=2,
    )


def chosen(contents: Contents, argument: str, name: str | None, among_several: bool = False) -> str | None:
    """The variable of this name, or of the usual one that the file has."""
    if name is not None:
        contents.value(name)
        return name
    usual = [name for name in USUAL[argument] if name in contents.variables]
    # `C` and `SC` may be a covariance and a structure, which no order decides.
    if len(usual) > 1 and not among_several:
        but = f"it has {' and '.join(map(repr, usual))}: say which, as in {argument}={usual[0]!r}"
        raise bad(contents.where, f"hold {argument} under one usual name", but)
    return usual[0] if usual else None


def _matrices(contents: Contents) -> list[str]:
    """Square arrays, also those in structs, for the example."""
    found = []
    for name in contents.variables:
        try:
            value = contents.variables[name]
        except ValueError:  # which cannot be read
            continue
        if np.ndim(value) == 2 and np.shape(value)[0] == np.shape(value)[1] > 1:
            found.append(name)
        for part, inner in value.items() if isinstance(value, Mapping) else ():
            if np.ndim(inner) == 2 and np.shape(inner)[0] == np.shape(inner)[1] > 1:
                found.append(f"{name}.{part}")
    return found


def _lengths(contents: Contents, given: Given) -> Numbers:
    """Lengths by name, from a file of their own, or as they are."""
    kind, where = named_or_path("lengths", given.lengths, contents)
    if kind == "values":
        return where
    if kind == "name":
        held = contents.held(where)
        values = held.values * given.length_unit
        return dataclasses.replace(held, values=values) if held.dims else values
    other = opened_file(where, given.style, given.sheet)
    table = other.table
    if table is None:
        name = chosen(other, "lengths", None) or chosen(other, "weights", None)
        if name is None:
            raise bad(where, "hold lengths under a usual name", f"it has {other.listing()}")
        table = Held(other.array(name))
    return dataclasses.replace(table, values=real_array(where, "the table", table.values) * given.length_unit)


def region_fields(contents: Contents) -> dict[str, object]:
    """What our own files, and those of The Virtual Brain, say of the regions besides their labels."""
    fields: dict[str, object] = {}
    for name in ("centres_mm", "centres"):
        if name in contents.variables:
            fields["centres"] = contents.array(name) * u.mm
            break
    if "hemispheres" in contents.variables:
        fields["hemispheres"] = sides_of(contents, "hemispheres")
    if "name" in contents.variables and np.ndim(contents.variables["name"]) < 2:
        found = texts(contents.where, "name", contents.variables["name"])
        # Several are labels of regions.
        if len(found) == 1 and np.asarray(contents.variables["name"]).dtype.kind in "US":
            fields["name"] = found[0]
    return fields


# --- what remains to be asked -----------------------------------------------------------------------------------------
def finished(where: object, fields: dict[str, Any], given: Given) -> dict[str, Any]:
    """With labels that differ, and both halves of a matrix that holds one."""
    if isinstance(fields.get("labels"), list) and not isinstance(given.labels, list):
        fields["labels"] = numbered(where, fields["labels"], given.number_repeated)
    fields["weights"] = _numbered_table(where, fields["weights"], given)
    _check_lengths_shape(where, fields, given)
    _check_margins(where, _values(fields["weights"]))
    side = triangle(_values(fields["weights"]))
    if side is None and given.symmetrize:
        but = "both are filled: see Connectome.symmetrize"
        raise bad(where, "hold one triangle to be mirrored by symmetrize=True", but)
    # A directed chain is triangular, too: only the user knows.
    if side is not None and given.symmetrize is None:
        warnings.warn(
            f"File {str(where)!r} holds a triangular matrix, with the {side} half alone, and is read as directed: say "
            "symmetrize=True where each connection goes both ways, as MRtrix writes it, or symmetrize=False.",
            stacklevel=2,
        )
    if side is not None and given.symmetrize:
        fields["weights"] = _mirrored_table(fields["weights"])
        if fields.get("lengths") is not None and triangle(_plain(fields["lengths"])) is not None:
            fields["lengths"] = _mirrored_table(fields["lengths"])
    return fields


def _numbered_table(where: object, table: Numbers, given: Given) -> object:
    if not isinstance(table, Held) or not table.labels:
        return table
    labels = []
    for found in table.labels:
        if found is None or given.labels is not None:
            labels.append(None)
        else:
            fresh = numbered(where, [str(label) for label in found], given.number_repeated)
            labels.append(np.asarray(fresh, object))
    return dataclasses.replace(table, labels=tuple(labels))


def _check_margins(where: object, weights: np.ndarray) -> None:
    """Names that were read as a row or column of numbers, and sums at the end, make one too many."""
    if weights.ndim != 2 or weights.dtype.kind not in "biuf":
        return
    rows, columns = weights.shape
    if abs(rows - columns) == 1 and min(rows, columns) > 1:
        first = weights[0] if rows > columns else weights[:, 0]
        if (first == np.round(first)).all() and len(set(first.tolist())) == len(first):
            names = (
                "first row are names, say header=True" if rows > columns else "first column are names, leave them out"
            )
            but = f"it is {rows} × {columns}: if its {names}"
            raise bad(where, "hold a square matrix", but)
    # Of three regions or fewer, sums may agree by chance. The corner is the sum of all, which no connectome has on its
    # diagonal.
    if rows == columns > 3 and weights[-1, -1] and _ends_with_sums(weights) and _ends_with_sums(weights.T):
        warnings.warn(
            f"File {str(where)!r} has a last row and column that are the sums of the others, and are read as a region: "
            "leave them out if they are none, subnetwork(range(N - 1)).",
            stacklevel=2,
        )


def _ends_with_sums(weights: np.ndarray) -> bool:
    return bool(np.allclose(weights[:-1].sum(axis=0), weights[-1], rtol=1e-6, atol=0))


def _check_lengths_shape(where: object, fields: dict[str, Any], given: Given) -> None:
    said = given.lengths
    if fields.get("lengths") is None or not isinstance(said, str | os.PathLike) or not as_path(said).is_file():
        return
    here, there = _plain(fields["lengths"]).shape, _values(fields["weights"]).shape
    if here != there:
        but = f"it is {' × '.join(map(str, here))} and that is {' × '.join(map(str, there))}"
        raise bad(given.lengths, f"be of the shape of {str(where)!r}", but)


def _values(table: Numbers) -> np.ndarray:
    values = table.values if isinstance(table, Held) else table
    return values.toarray() if is_sparse(values) and values.shape[0] < 5000 else np.asarray(values)


def _plain(lengths: Numbers) -> np.ndarray:
    return np.asarray(u.get_mantissa(lengths.values if isinstance(lengths, Held) else lengths))


def _mirrored_table(table: Numbers) -> object:
    if isinstance(table, Held):
        return dataclasses.replace(table, values=_mirrored_table(table.values))
    values = table.toarray() if is_sparse(table) else table
    full = mirrored(np.asarray(u.get_mantissa(values)))
    return u.Quantity(full, unit=values.unit) if isinstance(values, u.Quantity) else full
