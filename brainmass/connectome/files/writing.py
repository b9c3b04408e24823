"""Connectomes into files, whole or not at all."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import brainunit as u
import numpy as np

from brainmass._common.extras import import_io
from brainmass._common.files import whole_file
from brainmass._common.messages import Argument, argument_error
from brainmass._common.paths import as_path, target_path
from brainmass._common.typing import PathLike
from brainmass.connectome.files.lists import edge_rows
from brainmass.connectome.files.tvb import tvb_tables

if TYPE_CHECKING:
    from brainmass.connectome.dense import Connectome
    from brainmass.connectome.edges import Edges


__all__ = ["dense_variables", "sparse_variables", "write_csv", "write_edge_list", "write_mat", "write_npz", "write_tvb"]


def in_mm(lengths: u.Quantity) -> np.ndarray:
    return np.asarray(lengths.to_decimal(u.mm))


def dense_variables(connectome: Connectome) -> dict[str, np.ndarray]:
    """What `to_npz` and `to_mat` write; lengths in mm."""
    lengths = {} if connectome.lengths is None else {"lengths_mm": in_mm(connectome.lengths)}
    return {"weights": connectome.weights, **lengths, **_region_variables(connectome)}


def sparse_variables(edges: Edges) -> dict[str, np.ndarray]:
    """What `to_npz` of a list of connections writes; lengths in mm."""
    length = {} if edges.length is None else {"length_mm": in_mm(edges.length)}
    connections = {"source": edges.source, "target": edges.target, "weight": edges.weight}
    return {**connections, **length, **_region_variables(edges)}


def _region_variables(regions: Connectome | Edges) -> dict[str, np.ndarray]:
    variables = {"labels": np.asarray(regions.labels), "name": np.asarray(regions.name)}
    if regions.centres is not None:
        variables["centres_mm"] = in_mm(regions.centres)
    if regions.hemispheres is not None:
        variables["hemispheres"] = np.asarray(regions.hemispheres)
    return variables


def write_npz(path: object, variables: Mapping[str, Any]) -> None:
    """An archive of numpy arrays."""
    with whole(path, ".npz") as partial, open(partial, "xb") as file:
        np.savez(file, **variables)


def write_mat(path: object, variables: Mapping[str, Any]) -> None:
    """A MATLAB file; strings become cells."""
    scipy_io = import_io("scipy.io")
    cells = {name: value.astype(object) if value.dtype.kind == "U" else value for name, value in variables.items()}
    # One text is characters to MATLAB; in a cell it would be a list of one.
    cells["name"] = str(variables["name"])
    with whole(path, ".mat") as partial, open(partial, "xb") as file:
        scipy_io.savemat(file, cells)


def write_csv(path: Any, lengths: Any, centres: Any, connectome: Any) -> None:
    """Weights with a row of labels, lengths in mm likewise, and centres in mm with sides, one row per region."""
    files = {"path": path, "lengths": lengths, "centres": centres}
    path, lengths, centres = (None if x is None else as_path(x, Argument(name)) for name, x in files.items())
    tables: dict[PathLike, list[Sequence[object]]] = {path: [connectome.labels, *connectome.weights.tolist()]}
    # Before the first file is written.
    for file, what, others in ((lengths, "lengths", [path]), (centres, "centres", [path, lengths])):
        if file is not None and file in others:
            raise argument_error(Argument(what, "to_csv"), "must be a file of its own", f"{str(file)!r} is named twice")
        if file is not None and getattr(connectome, what) is None:
            example = "Example: to_csv('weights.csv')"
            raise ValueError(f"Connectome {connectome.name!r} has no {what} to write. {example}")
    if lengths is not None:
        tables[lengths] = [connectome.labels, *in_mm(connectome.lengths).tolist()]
    if centres is not None:
        rows = zip(connectome.labels, *in_mm(connectome.centres).T.tolist(), strict=True)
        tables[centres] = [["label", "x", "y", "z"], *rows]
    for file, rows in tables.items():
        _write_table(file, rows)


def write_edge_list(path: PathLike, edges: Edges) -> None:
    """The columns source, target, weight and length in mm; regions by label."""
    _write_table(path, edge_rows(edges, None if edges.length is None else in_mm(edges.length).tolist()))


def _write_table(path: object, rows: Iterable[Sequence[object]]) -> None:
    """Names in quotes, so that they are names whatever they look like; numbers without."""
    with whole(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        for row in rows:
            file.write(",".join(_cell(cell) for cell in row) + "\n")


def _cell(value: object) -> str:
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    # The shortest text that is read as the same number.
    return "" if value is None else repr(value)


def write_tvb(path: object, connectome: object) -> None:
    """A zip archive of text files."""
    tables = tvb_tables(connectome)
    with whole(path, ".zip") as partial, zipfile.ZipFile(partial, "x", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in tables.items():
            archive.writestr(f"{name}.txt", "".join(" ".join(map(str, row)) + "\n" for row in rows))
        archive.writestr("info.txt", 'weights_unit = "au"\nlength_unit = "mm"\n')


def whole(path: object, suffix: str | None = None) -> contextlib.AbstractContextManager[Path]:
    """A path to write to; the file appears under its name when all is written, or not at all."""
    return whole_file(target_path(path, suffixes=() if suffix is None else (suffix,)))
