"""Arrays of numpy, alone or in archives, and members of zip archives; declared sizes are checked first."""

from __future__ import annotations

import ast
import io
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from brainmass._common.reading.objects import texts_of_objects
from brainmass._common.reading.problems import DAMAGE, bad, check_size

__all__ = ["Npz", "read_npy", "zip_members"]


_WHOLE = "be whole and hold plain arrays"


def read_npy(where: Path, data: bytes, what: str = "it") -> np.ndarray:
    """The array of a `.npy` file."""
    objects = _check_header(where, data[: 2**16], len(data), what)
    try:
        if objects is not None:
            return texts_of_objects(data[objects[0] :], objects[1])
        return np.load(io.BytesIO(data), allow_pickle=False)
    except (*DAMAGE, pickle.UnpicklingError) as error:
        why = f"it holds objects, as a pickle: {error}" if objects is not None else str(error)
        raise bad(where, _WHOLE, f"{what} cannot be read ({why})") from error


def _check_header(where: Path, start: bytes, size: int, what: str) -> tuple[int, tuple[int, ...]] | None:
    """Refuse an array that declares more than there is; of one of objects, its place and shape."""
    try:
        # The length of the head has two bytes in version 1 of the format, four in later ones.
        length, at = (2, 10) if start[6:7] == b"\x01" else (4, 12)
        header = ast.literal_eval(start[at : at + int.from_bytes(start[8 : 8 + length], "little")].decode("latin-1"))
        shape, kind = header["shape"], np.dtype(header["descr"])
        declared = int(np.prod([int(n) for n in shape], dtype=object)) * kind.itemsize
    except DAMAGE as error:
        raise bad(where, _WHOLE, f"{what} cannot be read ({error})") from error
    except SyntaxError as error:
        raise bad(where, _WHOLE, f"{what} cannot be read ({error})") from error
    if kind == np.dtype(object):
        return at + int.from_bytes(start[8 : 8 + length], "little"), shape
    if kind.hasobject:
        raise bad(where, _WHOLE, f"{what} cannot be read (it holds objects, as a pickle)")
    end = at + int.from_bytes(start[8 : 8 + length], "little") + declared
    # numpy would read the first array, and say nothing of the others.
    if end < size:
        raise bad(where, _WHOLE, f"{what} is followed by more (was np.save called twice on one file?)")
    if declared > size:
        but = f"{what} of shape {shape} is cut short or declares {declared / 1e9:.3g} GB that are not there"
        raise bad(where, _WHOLE, but)
    return None


class Npz(Mapping[str, Any]):
    """The arrays of an archive, each read when it is asked for."""

    def __init__(self, where: Path, data: bytes):
        self._where, self._size = where, len(data)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            self._infos = {info.filename.removesuffix(".npy"): info for info in self._zip.infolist()}
        except DAMAGE as error:
            raise bad(where, "be a whole npz archive", f"it is none (is it cut short?) ({error})") from error
        if len(self._infos) < len(self._zip.infolist()):
            raise bad(where, "be a whole npz archive", "an array is there twice")

    def __getitem__(self, name: str) -> np.ndarray:
        info = self._infos[name]
        return read_npy(self._where, _member(self._where, self._zip, info, repr(name), _WHOLE), repr(name))

    def shape(self, name: str) -> tuple[int, ...]:
        """Without reading the array."""
        return np.shape(self[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)


def _member(where: Any, archive: zipfile.ZipFile, info: zipfile.ZipInfo, what: str, must: str) -> bytes:
    check_size(where, info.file_size, info.compress_size, what)
    try:
        with archive.open(info) as stream:
            # One byte more tells that it is longer than it says, without unfolding it all.
            data = stream.read(info.file_size + 1)
    except DAMAGE as error:
        raise bad(where, must, f"{what} cannot be read ({error})") from error
    if len(data) != info.file_size:
        raise bad(where, must, f"{what} is not as long as it is said to be")
    return data


def zip_members(where: object, data: bytes) -> dict[str, Any]:
    """Readers of the members of a zip archive, by name."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = [info for info in archive.infolist() if not info.is_dir()]
    except DAMAGE as error:
        raise bad(where, "be a folder or a whole zip archive", f"it is none ({error})") from error
    return {
        info.filename: lambda i=info: _member(f"{where}/{i.filename}", archive, i, "it", "be whole") for info in infos
    }
