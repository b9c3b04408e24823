"""Connectivities of The Virtual Brain: a zip archive or folder of text files, or an HDF5 file."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np

from brainmass._common.paths import as_path
from brainmass._common.reading.contents import check_kind
from brainmass._common.reading.kinds import kind_of
from brainmass._common.reading.packed import zip_members
from brainmass._common.reading.problems import bad, unpacked
from brainmass._common.reading.text import numbers, rows_of, text_of
from brainmass._common.typing import PathLike
from brainmass.connectome.files.dense import Given, finished, read_dense
from brainmass.connectome.files.regions import centres_of_rows, region_argument

__all__ = ["is_tvb", "read_tvb", "tvb_tables"]

_PARTS = {
    "weights": ("weights",),
    "lengths": ("tract_lengths", "tract"),
    "centres": ("centres", "centers"),
    "hemispheres": ("hemispheres", "hemisphere"),
    "info": ("info",),
}
_UNITS = {"um": u.um, "mm": u.mm, "cm": u.cm, "m": u.meter}


def is_tvb(path: PathLike) -> bool:
    """Whether it is a folder, or an archive of text files with the names of The Virtual Brain."""
    path = as_path(path)
    return path.is_dir() or kind_of(path.read_bytes()) == "tvb"


def read_tvb(path: PathLike, given: Given, length_unit: u.Unit | None) -> dict[str, Any]:
    """The arguments of a Connectome."""
    path = as_path(path)
    if not path.is_dir():
        data = path.read_bytes()
        kind = kind_of(unpacked(path, data))
        if kind == "hdf5":
            return read_dense(path, given, ("hdf5",))
        # Archives without weights are told below what they have.
        if kind not in ("zip", "text"):
            check_kind(path, kind, ("tvb",))
    members = _members(path, given)
    texts = {part: (where, text_of(where, _read(where, read))) for part, (where, read) in members.items()}
    if "weights" not in texts:
        raise bad(path, "hold weights.txt", f"it has {', '.join(sorted(texts)) or 'nothing of the kind'}")
    fields = _fields(path, texts, length_unit)
    for argument in ("labels", "hemispheres"):
        if getattr(given, argument) is not None:
            fields[argument] = region_argument(argument, getattr(given, argument), None, u.mm)
    return finished(path, fields, given)


def _fields(path: PathLike, texts: dict[str, tuple[str, str]], length_unit: u.Unit | None) -> dict[str, Any]:
    where, text = texts["weights"]
    fields: dict[str, Any] = {"weights": numbers(where, rows_of(where, text))}
    if "lengths" in texts:
        where, text = texts["lengths"]
        if text.strip():
            unit = _unit(texts.get("info")) if length_unit is None else length_unit
            fields["lengths"] = numbers(where, rows_of(where, text)) * unit
        else:
            warnings.warn(f"File {where!r} is empty: the connectome has no lengths, and so no delays.", stacklevel=2)
    if "centres" in texts:
        where, text = texts["centres"]
        fields["labels"], xyz = centres_of_rows(where, rows_of(where, text))
        fields["centres"] = xyz * u.mm
    if "hemispheres" in texts:
        where, text = texts["hemispheres"]
        fields["hemispheres"] = numbers(where, rows_of(where, text)).ravel()
    for part in ("lengths", "centres", "hemispheres"):
        if fields.get(part) is not None and len(fields[part]) != len(fields["weights"]):
            but = f"it has {len(fields[part])} and weights.txt has {len(fields['weights'])}"
            raise bad(texts[part][0], "have one row per region", but)
    return fields


def _members(path: Path, given: Given) -> dict[str, tuple[str, Callable[[], bytes]]]:
    """Place and reader of each file that is known by its name, by part."""
    if path.is_dir():
        files = {str(file.relative_to(path)): file.read_bytes for file in sorted(path.rglob("*")) if file.is_file()}
    else:
        files = zip_members(path, path.read_bytes())
    found: dict[str, dict[str, Callable[[], bytes]]] = {}
    for name, read in files.items():
        base = name.replace("\\", "/").split("/")[-1]
        match = re.fullmatch(r"(\w+)\.txt(?:\.(?:bz2|gz))?", base, re.IGNORECASE)
        part = next((part for part, names in _PARTS.items() if match and match[1].lower() in names), None)
        # macOS puts a file of its own beside each file of an archive, under the same name.
        if part is not None and "__MACOSX" not in name:
            found.setdefault(part, {})[name] = read
    return {part: _one(path, part, several, given) for part, several in found.items()}


def _one(
    path: PathLike, part: str, several: dict[str, Callable[[], bytes]], given: Given
) -> tuple[str, Callable[[], bytes]]:
    """The file of a part: the one there is, the one that was said, or one of several with the same content."""
    said = getattr(given, part, None)
    if isinstance(said, str) and said in several:
        return f"{path}/{said}", several[said]
    names = list(several)
    if len(names) > 1:
        # A file and its compressed copy are one.
        contents = {_read(f"{path}/{name}", read).strip() for name, read in several.items()}
        if len(contents) > 1:
            but = f"it has {' and '.join(map(repr, names))}: say which, as in {part}={names[0]!r}"
            raise bad(path, f"hold {part} once", but)
    return f"{path}/{names[0]}", several[names[0]]


def _read(where: str, read: Callable[[], bytes]) -> bytes:
    data = read()
    packed = where.lower().endswith((".bz2", ".gz"))
    out = unpacked(where, data)
    if packed and out is data:
        raise bad(where, "be whole", "it cannot be read (it is not compressed)")
    return out


def _unit(info: tuple[str, str] | None) -> u.Unit:
    said = re.search(r"length_unit\s*[=:]\s*[\"']?([^\s\"']+)", info[1]) if info else None
    if said is None:
        return u.mm
    if said[1] not in _UNITS:
        must = f"name a length_unit among {', '.join(map(repr, _UNITS))}"
        raise bad(info[0] if info else "", must, f"it names {said[1]!r}: say which, as in length_unit=u.mm")
    return _UNITS[said[1]]


# --- writing ----------------------------------------------------------------------------------------------------------
def tvb_tables(connectome: Any) -> dict[str, list[list[Any]]]:
    """The rows of each file of an archive that The Virtual Brain reads."""
    if connectome.centres is None:
        raise ValueError(
            f"The Virtual Brain needs coordinates, but Connectome {connectome.name!r} has none. "
            "Example: Connectome(weights, centres=xyz * u.mm)"
        )
    labels = ["_".join(label.split()) for label in connectome.labels]
    if len(set(labels)) < len(labels) or "" in labels:
        raise ValueError(f"The labels of Connectome {connectome.name!r} must differ in more than blanks, but do not.")
    # The Virtual Brain would read the rest of a line as a comment, or a quotation.
    odd = next((label for label in labels if re.search(r"[#%\"']", label)), None)
    if odd is not None:
        raise ValueError(f"An archive of The Virtual Brain cannot hold the label {odd!r}. Example: to_npz('conn.npz')")
    centres = np.asarray(connectome.centres.to_decimal(u.mm)).tolist()
    tables = {
        "weights": connectome.weights.tolist(),
        "centres": [[label, *xyz] for label, xyz in zip(labels, centres, strict=True)],
    }
    if connectome.lengths is not None:
        tables["tract_lengths"] = np.asarray(connectome.lengths.to_decimal(u.mm)).tolist()
    sides = connectome.hemispheres
    # There is no number there for what lies between left and right.
    if sides is not None and "midline" not in sides:
        tables["hemispheres"] = [[int(side == "right")] for side in sides]
    return tables
