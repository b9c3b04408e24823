"""netCDF files: written through bytes, so that a full disk is an OSError, and with checksums."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

from brainmass._common.extras import import_io
from brainmass._common.files import whole_file
from brainmass._common.reading.hdf5 import check_dataset, check_heaps
from brainmass._common.reading.problems import bad

if TYPE_CHECKING:
    import xarray


__all__ = ["CHECKSUM", "read_netcdf", "write_netcdf"]

CHECKSUM = "checksum"  # the attribute that says that there is one

_MARK = b"\nbrainmass sha256 "  # after the end of the HDF5 file, where its readers do not look
_LENGTH = len(_MARK) + 64


def write_netcdf(path: Path, dataset: xarray.Dataset, said_at: str | None = None) -> None:
    """Write a Dataset of xarray, whole or not at all.

    Arrays carry HDF5's checksums, and the file one of its own, of which the variable `said_at` tells, or the file. The
    HDF5 library ends the process where it cannot write (a full disk), so it writes into memory only.
    """
    import_io("xarray", "h5netcdf", "h5py")
    # HDF5 has checksums of chunks: each variable is one, which must be smaller than 4 GB.
    checked = {
        name: {"fletcher32": True, "chunksizes": variable.shape}
        for name, variable in dataset.variables.items()
        if variable.size and variable.ndim and variable.dtype.kind in "biuf" and variable.nbytes < 2**31
    }
    dataset = dataset.copy()
    teller = dataset if said_at is None else dataset[said_at]
    teller.attrs = {**teller.attrs, CHECKSUM: "sha256, after the end of the HDF5 file"}
    content = io.BytesIO()
    dataset.to_netcdf(content, engine="h5netcdf", encoding=checked)
    data = content.getvalue()
    with whole_file(path) as partial, open(partial, "xb") as file:
        file.write(data)
        file.write(_MARK + hashlib.sha256(data).hexdigest().encode())


def read_netcdf(path: Path) -> xarray.Dataset:
    """The Dataset in a file, once its checksum is found right; it lies in memory."""
    xarray, h5py = import_io("xarray", "h5netcdf", "h5py"), import_io("h5py")
    data, said = path.read_bytes(), None
    if data[-_LENGTH:].startswith(_MARK):
        data, said = data[:-_LENGTH], data[-64:]
        if hashlib.sha256(data).hexdigest().encode() != said:
            raise bad(path, "be as it was written", "its checksum is another")
    check_heaps(path, data)
    with h5py.File(io.BytesIO(data), "r") as file:
        if said is None and any(CHECKSUM in item.attrs for item in (file, *file.values())):
            raise bad(path, "be as it was written", "its checksum is cut off")
        for name in file:
            if isinstance(file.get(name, getlink=True), h5py.ExternalLink):
                raise bad(path, "hold its own numbers", f"{name!r} lies in another file")
            if isinstance(file[name], h5py.Dataset):
                check_dataset(path, file[name], len(data))
    # Times stay numbers of ms, of which xarray would make timedeltas.
    return xarray.open_dataset(io.BytesIO(data), engine="h5netcdf", decode_times=False)
