"""`brainmass sweep FILE`."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from brainmass._common.messages import show
from brainmass.cli.running import Work
from brainmass.experiments.document import ExperimentError
from brainmass.sweeps.store import is_store

__all__ = ["sweep"]


def sweep(given: argparse.Namespace) -> int:
    """Go through the values that a file names, and keep what it asks for in a store."""
    work = Work(given)
    work.file.check("sweep")
    work.write_to(work.file.store or Path(f"{given.file.stem}_sweep.zarr"), (".zarr", ".nc"))
    work.tell(*work.file.describe())
    if given.check:
        work.file.try_out("sweep")
        return 0
    if given.force:
        _remove(work.output)
    data = work.file.sweep(store=work.output, progress=not given.quiet)
    work.tell(*summary(data))
    work.tell_end(work.output)
    return 0


def _remove(path: Path) -> None:
    """Remove the store of an earlier sweep, and nothing else."""
    # A .nc is written from a .zarr beside it, which a sweep that was cut off has left.
    for there in (path, path.with_name(f"{path.name}.unfinished.zarr")):
        if there.exists() and not is_store(there):
            raise ExperimentError(f"{there} is no file of a sweep: it is not written over. Nothing was run.")
        shutil.rmtree(there) if there.is_dir() else there.unlink(missing_ok=True)


def summary(data: Any) -> list[str]:
    """What a sweep gave: its size, runs that failed, and of numbers the least and the greatest with their place."""
    failed = data["failed"].values
    sizes = ", ".join(f"{dim} {n}" for dim, n in data["failed"].sizes.items())
    lines = [f"sweep of {failed.size} runs ({sizes})"]
    if (failed != "").any():
        first = next(text for text in failed.ravel() if text)
        lines.append(f"{(failed != '').sum()} failed, the first since: {first}")
    for name, variable in data.data_vars.items():
        if name == "failed":
            continue
        if set(variable.dims) != set(data["failed"].dims):
            lines.append(f"  {name}  {dict(variable.sizes)}")
        # `nanargmin` raises where all is NaN.
        elif np.isfinite(mean := variable.mean("seed").values).any():
            lines += [f"  {name}  {word} {_at(data, variable, which(mean))}" for word, which in _ENDS.items()]
    return lines


_ENDS = {"least": np.nanargmin, "greatest": np.nanargmax}


def _at(data: Any, variable: Any, where: Any) -> str:
    """The mean over seeds at a point, and which it is."""
    mean = variable.mean("seed")
    place = dict(zip(mean.dims, np.unravel_index(where, mean.shape), strict=True))
    point = mean.isel(place)
    given = [n for n, c in data.coords.items() if c.dims and set(c.dims) <= set(mean.dims) and n != "point"]
    at = ", ".join(f"{n} = {show(point[n].item())}{_unit(data[n])}" for n in given if point[n].ndim == 0)
    return f"{point.item():.4g}{_unit(variable)} at {at}"


def _unit(variable: Any) -> str:
    unit = variable.attrs.get("units", "1")
    return "" if unit == "1" else f" {unit}"
