"""HDF5 files, those of MATLAB 7.3 among them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from brainmass._common.extras import import_io
from brainmass._common.reading.matlab import of_hdf5
from brainmass._common.reading.problems import DAMAGE, bad, check_size

__all__ = ["Hdf5", "check_dataset", "check_heaps"]


class Hdf5(Mapping[str, Any]):
    """The datasets of a file by their paths, with dots: each is read when it is asked for."""

    def __init__(self, where: object, data: bytes):
        self._h5py = import_io("h5py")
        self._where, self._size = where, len(data)
        check_heaps(where, data)
        try:
            self._file = self._h5py.File(io.BytesIO(data), "r")
            # MATLAB writes a head of its own before that of HDF5; other tools that write the file anew leave only the
            # attributes.
            self.is_matlab = data[:6] == b"MATLAB" or any("MATLAB_class" in self._file[k].attrs for k in self._plain())
            self._names = list(self._plain())
        except DAMAGE as error:
            raise bad(where, "be a whole HDF5 file", f"it cannot be read ({error})") from error

    def _plain(self) -> list[str]:
        """Names at the top, but links to other files."""
        links = self._h5py.ExternalLink, self._h5py.SoftLink
        return [k for k in self._file if k != "#refs#" and not isinstance(self._file.get(k, getlink=True), links)]

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        try:
            item = self._file[name]
            self._check(item)
            return of_hdf5(self._where, item, self._file) if self.is_matlab else self._plain_value(item)
        except ValueError as error:
            # One of ours says what is wrong already.
            if isinstance(error, ValueError) and str(error).startswith("File '"):
                raise
            raise self._damaged(name, error) from error
        except DAMAGE as error:
            raise self._damaged(name, error) from error

    def axes(self, name: str) -> tuple[tuple[str | None, np.ndarray | None], ...]:
        """Name and labels of each axis of a dataset at the top, where netCDF says them."""
        item = self._file[name] if name in self._names else None
        if item is None or hasattr(item, "keys") or self.is_matlab:
            return ()
        try:
            # HDF5's dimension scales, as netCDF 4 writes them.
            scales = [list(refs) for refs in item.attrs.get("DIMENSION_LIST", ())]
            return tuple(self._axis(self._file[refs[0]]) if refs else (None, None) for refs in scales)
        except DAMAGE as error:
            raise self._damaged(name, error) from error

    def _axis(self, scale: Any) -> tuple[str | None, np.ndarray | None]:
        self._check(scale)
        name = str(scale.name).lstrip("/")
        if self._h5py.check_string_dtype(scale.dtype) is not None:
            return name, np.asarray(scale.asstr()[()], object)
        # An axis without a coordinate is written as a variable, too, whose numbers mean nothing.
        bare = b"netCDF dimension but not a netCDF variable" in np.bytes_(scale.attrs.get("NAME", b""))
        return name, np.asarray(scale[()], object) if scale.dtype.kind in "iu" and not bare else None

    def _damaged(self, name: str, error: Exception) -> ValueError:
        return bad(self._where, "be a whole HDF5 file", f"{name!r} cannot be read ({error})")

    def _check(self, item: Any, depth: int = 0) -> None:
        # Links make circles possible.
        if depth > 20:
            raise bad(self._where, "be a plain HDF5 file", "its groups are nested more than 20 deep")
        if not hasattr(item, "keys"):
            check_dataset(self._where, item, self._size)
            return
        for name in item:
            link = item.get(name, getlink=True)
            if isinstance(link, self._h5py.ExternalLink):
                raise bad(self._where, "hold its own numbers", f"{name!r} lies in another file")
            self._check(item[name], depth + 1)

    def _plain_value(self, item: Any) -> Any:
        if hasattr(item, "keys"):
            return {name: self._plain_value(item[name]) for name in item}
        return np.asarray(item[()])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


_HEAP = b"GCOL\1\0\0\0"  # a collection of texts and references of any length


def check_heaps(where: object, data: bytes) -> None:
    """Refuse collections whose parts do not fit in: the HDF5 library never ends at one whose rest has no size.

    The layout is that of the HDF5 File Format Specification, "Disk Format: Level 1E - Global Heap".
    """
    at = data.find(_HEAP)
    while at >= 0:
        size = int.from_bytes(data[at + 8 : at + 16], "little")
        end, place = at + size, at + 16
        while place + 16 <= end:
            number = int.from_bytes(data[place : place + 2], "little")
            length = int.from_bytes(data[place + 8 : place + 16], "little")
            step = length if number == 0 else 16 + -(-length // 8) * 8  # the rest of it, or a part
            if step < 16 or place + step > min(end, len(data)):
                raise bad(where, "be a whole HDF5 file", "it cannot be read (a part of its texts does not fit in)")
            place += step
        at = data.find(_HEAP, at + 8)


def check_dataset(where: Any, dataset: Any, size: int) -> None:
    """Refuse what lies in other files, or declares far more than there is."""
    if dataset.external or dataset.is_virtual:
        raise bad(where, "hold its own numbers", f"{dataset.name!r} lies in another file")
    # By Python's integers, as declared sizes may overflow others.
    check_size(where, int(np.prod(dataset.shape or (1,), dtype=object)) * dataset.dtype.itemsize, size, dataset.name)
