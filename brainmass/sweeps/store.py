"""Where the results of a sweep are put as they come: in memory, or in a file from which a sweep goes on."""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from brainmass._common.extras import import_io
from brainmass._common.messages import Argument, argument_error
from brainmass._common.netcdf import CHECKSUM, read_netcdf, write_netcdf
from brainmass._common.paths import target_path
from brainmass._common.reading.problems import DAMAGE
from brainmass.sweeps.layout import FAILED, NOT_RUN, Layout

if TYPE_CHECKING:
    import xarray


__all__ = ["Elsewhere", "File", "Memory", "as_store_path", "is_store", "remove_leftovers"]

SUFFIXES = (".zarr", ".nc")
_IDENTITY, _AT_ONCE = "brainmass_sweep", "at_once"
_BYTES_OF_CHUNK = 1 << 20


def as_store_path(path: object) -> Path:
    return target_path(path, Argument("store", "sweep"), SUFFIXES, 'store="sweep.zarr".')


def is_store(path: Path) -> bool:
    """Whether this is a file or folder that a sweep wrote."""
    try:
        return _IDENTITY in _attrs_of(path)
    except ValueError:
        return False


def remove_leftovers(path: Path) -> None:
    """Remove what sweeps that were killed had begun to write under this name; only for who holds the store."""
    for target in (path, _folder_of(path)):
        begun = re.compile(rf"\.{re.escape(target.stem)}\.[0-9a-f]{{8}}\.partial{re.escape(target.suffix)}")
        for there in path.parent.iterdir():
            if begun.fullmatch(there.name):
                shutil.rmtree(there, ignore_errors=True) if there.is_dir() else there.unlink(missing_ok=True)


def _folder_of(path: Path) -> Path:
    """The zarr folder that results of this store are written to."""
    return path if path.suffix == ".zarr" else path.with_name(f"{path.name}.unfinished.zarr")


class Memory:
    """Results as arrays whose first axis is the run."""

    at_once = None

    def __init__(self, layout: Layout):
        self.layout, n = layout, layout.n_runs
        self._flat = {name: np.empty((n, *v.shape), v.dtype) for name, v in layout.variables.items()}
        self._failed = np.full(n, NOT_RUN, object)

    def pending(self) -> np.ndarray:
        return np.flatnonzero(self._failed == NOT_RUN)

    def write(self, runs: np.ndarray, values: Mapping[str, np.ndarray], reasons: Sequence[str]) -> None:
        first, last = runs[0], runs[-1]
        # A slice is one copy; of a list of numbers numpy takes row by row.
        where = slice(first, last + 1) if last - first + 1 == len(runs) else runs
        for name, flat in self._flat.items():
            flat[where] = values.get(name, np.nan)  # a run that raised an error has none
        self._failed[runs] = reasons

    def finish(self) -> xarray.Dataset:
        return self.layout.dataset({**self._flat, FAILED: self._failed.astype(str)})


class Elsewhere:
    """Results that another process keeps."""

    at_once = None

    def __init__(self, layout: Layout):
        self.layout = layout

    def write(self, runs: np.ndarray, values: Mapping[str, np.ndarray], reasons: Sequence[str]) -> None:
        pass

    def finish(self) -> None:
        return None


class File:
    """Results in a zarr folder, each written whole before it is noted as done; a `.nc` file is made from it at the end.

    Runs side by side in the dataset share files of about a megabyte.
    """

    def __init__(self, path: Path, layout: Layout, identity: dict[str, str], at_once: int, resume: bool):
        import_io("zarr")
        import_io("xarray", *(["h5netcdf", "h5py"] if path.suffix == ".nc" else []))
        self.path, self.layout = path, layout
        self.folder = _folder_of(path)
        if path.suffix == ".nc":
            _check_netcdf(layout)
        self._complete = path != self.folder and path.exists()
        there = path if self._complete else self.folder
        if there.exists() and not resume:
            raise FileExistsError(
                f"{there} is there already: give `store` another name, or resume=True to go on with it."
            )
        if there.exists():
            attrs = _attrs_of(there)
            _check_identity(there, attrs, identity)
            # In batches of another size numbers may differ in the last bit.
            at_once = int(attrs[_AT_ONCE])
        else:
            self._create({**layout.attrs, _IDENTITY: json.dumps(identity), _AT_ONCE: at_once})
        self.at_once = at_once
        # A process that ended between the last write and the removal has left it.
        if self._complete:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            self._group = import_io("zarr").open_group(self.folder, mode="r+")

    def _create(self, attrs: dict[str, object]) -> None:
        """The folder with all but the results; it appears whole or not at all."""
        zarr, layout = import_io("zarr"), self.layout
        partial = self.folder.with_name(f".{self.folder.stem}.{secrets.token_hex(4)}.partial.zarr")
        try:
            group = zarr.create_group(partial, attributes=attrs, zarr_format=3)
            for name, (dims, values, its) in layout.coords.items():
                dims, values = (dims,) if isinstance(dims, str) else dims, np.asarray(values)
                kind = "str" if values.dtype.kind == "U" else values.dtype
                self._array(group, name, dims, values.shape, kind, values.shape, "" if kind == "str" else 0, its)[
                    ...
                ] = values.astype(object) if kind == "str" else values
            for name, v in layout.variables.items():
                dims, shape = (*layout.dims, *v.dims), (*layout.shape, *v.shape)
                chunks = (*_runs_in_chunk(layout.shape, math.prod(v.shape) * v.dtype.itemsize), *v.shape)
                self._array(group, name, dims, shape, v.dtype, chunks, np.nan, v.attrs)
            attrs = {"long_name": "why a run failed"}
            # What was never written reads as not run.
            self._array(group, FAILED, layout.dims, layout.shape, "str", layout.shape, NOT_RUN, attrs)
            os.rename(partial, self.folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    @staticmethod
    def _array(
        group: Any,
        name: str,
        dims: object,
        shape: object,
        dtype: object,
        chunks: Any,
        fill: object,
        attrs: Mapping[str, object],
    ) -> Any:
        # Of an axis without entries, too: zarr has no chunks of size zero.
        chunks = tuple(max(1, n) for n in chunks)
        return group.create_array(
            name, shape=shape, dtype=dtype, chunks=chunks, fill_value=fill, dimension_names=dims, attributes=dict(attrs)
        )

    def pending(self) -> np.ndarray:
        if self._complete:
            return np.arange(0)
        return np.flatnonzero(np.asarray(self._group[FAILED][...]).ravel().astype(object) == NOT_RUN)

    def write(self, runs: np.ndarray, values: Mapping[str, np.ndarray], reasons: Sequence[str]) -> None:
        for name, x in values.items():
            self._put(name, runs, x)
        # Last: what is noted as run here is whole.
        self._put(FAILED, runs, np.asarray(reasons, object))

    def _put(self, name: str, runs: np.ndarray, values: np.ndarray) -> None:
        array, n = self._group[name], len(self.layout.shape)
        shape = array.shape[n:]
        done = 0
        for first, last in _stretches(runs):
            for block in blocks(self.layout.shape, first, last):
                sizes = [s.stop - s.start for s in block]
                part = values[done : done + math.prod(sizes)]
                array[(*block, *(slice(None),) * len(shape))] = part.reshape(*sizes, *shape)
                done += len(part)

    def finish(self) -> xarray.Dataset:
        xarray = import_io("xarray")
        if self.path == self.folder:
            _consolidate(self.folder)
            return _as_in_memory(xarray.open_zarr(self.folder, chunks=None, decode_times=False))
        if not self._complete:
            # Only a `.zarr` that is finished has a list of its arrays.
            dataset = xarray.open_zarr(self.folder, chunks=None, decode_times=False, consolidated=False)
            # Chunks and codecs of zarr are none of netCDF.
            for variable in dataset.variables.values():
                variable.encoding = {}
            write_netcdf(self.path, _plain_text(dataset).load())
            shutil.rmtree(self.folder, ignore_errors=True)
        return _as_in_memory(_whole(self.path))


def _whole(path: Path) -> xarray.Dataset:
    """What is in a `.nc` file, which must be as it was written."""
    try:
        with read_netcdf(path) as dataset:
            return dataset.load()
    except DAMAGE as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise argument_error(
            _store(path), f"is no whole file of a sweep ({error}): remove it, or give another name"
        ) from error


def _as_in_memory(dataset: xarray.Dataset) -> xarray.Dataset:
    """Without what only the file needs."""
    dataset.attrs = {
        name: value for name, value in dataset.attrs.items() if name not in (_IDENTITY, _AT_ONCE, CHECKSUM)
    }
    return _plain_text(dataset)


def _plain_text(dataset: xarray.Dataset) -> xarray.Dataset:
    # Texts of variable length, as zarr gives them, and objects: in memory a sweep has texts of numpy.
    texts = {str(name): v for name, v in dataset.variables.items() if v.dtype.kind in "TO"}
    return dataset.assign({name: (v.dims, v.values.astype(object).astype(str), v.attrs) for name, v in texts.items()})


def _consolidate(folder: Path) -> None:
    """Put a list of all arrays into one file; other readers of the format pass over it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_io("zarr").consolidate_metadata(folder)


def _attrs_of(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".nc":
            with read_netcdf(path) as dataset:
                return dict(dataset.attrs)
        return dict(import_io("zarr").open_group(path, mode="r").attrs)
    except DAMAGE as error:
        raise argument_error(_store(path), f"is no file of a sweep ({error}): give `store` another name") from error


def _store(path: Path) -> Argument:
    return Argument("store", "sweep", text=str(path))


def _check_identity(path: Path, attrs: Mapping[str, Any], identity: Mapping[str, str]) -> None:
    known = json.loads(attrs.get(_IDENTITY, "{}"))
    if not known:
        raise argument_error(_store(path), "is no file of a sweep: give `store` another name")
    other = [name for name in {**known, **identity} if known.get(name) != identity.get(name)]
    if other:
        raise argument_error(
            _store(path),
            f"belongs to another sweep; what differs: {', '.join(other)}",
            hint="Give `store` another name, or remove the file.",
        )


def _check_netcdf(layout: Layout) -> None:
    for name, variable in layout.variables.items():
        if variable.dtype.kind == "c":
            raise TypeError(f'netCDF has no complex numbers, as in {name!r}. Example: store="sweep.zarr".')
        if "/" in name:
            raise ValueError(f'netCDF cannot hold a variable named {name!r}. Example: store="sweep.zarr".')


def _runs_in_chunk(shape: tuple[int, ...], bytes_of_run: int) -> tuple[int, ...]:
    """Runs that share a file: neighbours in C order."""
    left, chunk = max(1, _BYTES_OF_CHUNK // max(1, bytes_of_run)), []
    for n in reversed(shape):
        chunk.append(min(n, left))
        left //= n
        left = max(1, left)
    return tuple(reversed(chunk))


def _stretches(runs: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and last + 1 of the stretches without gap in ascending numbers."""
    for part in np.split(runs, np.flatnonzero(np.diff(runs) != 1) + 1):
        yield int(part[0]), int(part[-1]) + 1


def blocks(shape: tuple[int, ...], first: int, last: int) -> Iterator[tuple[slice, ...]]:
    """Blocks of an array that together hold its elements from `first` to before `last`, in C order."""
    if first >= last:
        return
    if len(shape) == 1:
        yield (slice(first, last),)
        return
    row = math.prod(shape[1:])
    # The end of a row, whole rows, and the beginning of another.
    begin, end = -(-first // row), last // row  # the rows that are whole
    # First and last lie within one row.
    if begin > end:
        yield from _within(shape, end, first - end * row, last - end * row)
        return
    yield from _within(shape, begin - 1, first - (begin - 1) * row, row if first < begin * row else 0)
    if begin < end:
        yield (slice(begin, end), *(slice(0, n) for n in shape[1:]))
    yield from _within(shape, end, 0, last - end * row)


def _within(shape: tuple[int, ...], row: int, first: int, last: int) -> Iterator[tuple[slice, ...]]:
    return ((slice(row, row + 1), *rest) for rest in blocks(shape[1:], first, last))
