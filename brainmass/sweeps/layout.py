"""What a sweep gives: the dimensions, coordinates and units of its dataset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import brainunit as u
import numpy as np

from brainmass._common.extras import import_io
from brainmass._common.typing import Array, Numbers
from brainmass.simulation.result import Result
from brainmass.simulation.storage import exportable
from brainmass.sweeps.design import Design

if TYPE_CHECKING:
    import xarray


__all__ = ["FAILED", "NOT_RUN", "Layout", "Variable"]

FAILED = "failed"
NOT_RUN = "not run yet"  # what stands in `failed` then


@dataclass(frozen=True)
class Variable:
    """What one run adds to a variable."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype
    attrs: dict[str, str]


@dataclass(frozen=True)
class Layout:
    """The dataset of a sweep: `dims` and `shape` are those of the runs, which come first in every variable."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    variables: dict[str, Variable]
    coords: dict[str, tuple]
    attrs: dict[str, str]

    @property
    def n_runs(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes_of_run(self) -> int:
        return sum(math.prod(v.shape) * v.dtype.itemsize for v in self.variables.values())

    def dataset(self, flat: Mapping[str, np.ndarray]) -> xarray.Dataset:
        """The dataset of these arrays, whose first axis is the run."""
        xarray = import_io("xarray")
        variables = {
            name: ((*self.dims, *v.dims), flat[name].reshape(*self.shape, *v.shape), v.attrs)
            for name, v in self.variables.items()
        }
        variables[FAILED] = (self.dims, flat[FAILED].reshape(self.shape), {"long_name": "why a run failed"})
        return xarray.Dataset(variables, self.coords, self.attrs)


def layout(
    design: Design,
    seeds: np.ndarray,
    result: Result,
    kept: Mapping[str, Numbers] | None,
    times: dict[str, Numbers],
    labels: Sequence[str] | None,
    attrs: Mapping[str, str],
) -> Layout:
    """From the shapes of one run: of its result, or of what is `kept` instead, by name."""
    # `Result.to_xarray` says once how axes and coordinates are named: here for a run of zeros, of which only the shapes
    # are known.
    template = _template(result, {} if kept is not None else result.recorded, times)
    if kept is None:
        made = template.data_vars
        variables = {
            str(n): Variable(tuple(map(str, v.dims)), v.shape, _kept_as(v.dtype), v.attrs) for n, v in made.items()
        }
        coords = {str(name): (c.dims, c.values, c.attrs) for name, c in template.coords.items()}
    else:
        n = None if labels is None else len(labels)
        variables = {name: _measured(name, value, n) for name, value in kept.items()}
        used = {dim for v in variables.values() for dim in v.dims}
        coords = {dim: (dim, np.asarray(labels), {}) for dim in ("region", "region_2") if dim in used}
    coords = {**design.coords(), "seed": ("seed", seeds, {}), **coords}
    _check_names(design, variables, result)
    # A run has one seed, and a sweep an axis of them.
    attrs = {**{k: v for k, v in template.attrs.items() if k != "seed"}, **attrs}
    return Layout((*design.dims, "seed"), (*design.shape, len(seeds)), variables, coords, attrs)


def _template(result: Result, recorded: Mapping[str, Numbers], times: Mapping[str, Array]) -> xarray.Dataset:
    """The dataset of one run, with zeros in it."""
    values = {}
    times = {name: times[name] for name in recorded}
    for name, value in recorded.items():
        if not hasattr(u.get_mantissa(value), "shape"):
            raise TypeError(
                f"A sweep keeps arrays, but {name!r} is a {type(value).__name__}: record or measure its parts."
            )
        x, unit = u.get_mantissa(value), u.get_unit(value)
        zeros = np.zeros(x.shape, x.dtype)
        values[name] = zeros if unit == u.UNITLESS else u.Quantity(zeros, unit=unit)
    sensors = {name: names for name, names in result.sensors.items() if name in values}
    return Result(
        values,
        times,
        dt=result.dt,
        duration=result.duration,
        labels=result.labels,
        provenance=result.provenance,
        sensors=sensors,
    ).to_xarray()


def _measured(name: str, value: object, n_regions: int | None) -> Variable:
    x = u.get_mantissa(value)
    dims = tuple(f"{name}_{i}" for i in range(x.ndim))
    if x.ndim and set(x.shape) == {n_regions} and x.ndim <= 2:
        dims = ("region", "region_2")[: x.ndim]
    return Variable(dims, x.shape, _kept_as(exportable(np.zeros((), x.dtype)).dtype), {"units": str(u.get_unit(value))})


def _kept_as(dtype: np.dtype) -> np.dtype:
    """A type that has NaN, for the runs that fail."""
    return np.dtype(dtype) if np.dtype(dtype).kind in "fc" else np.dtype(np.float64)


def _check_names(design: Design, variables: Mapping[str, Any], result: Result) -> None:
    taken = {"time", "seed", "region", "region_2", "point", FAILED} | {d for v in variables.values() for d in v.dims}
    for axis in design.axes:
        if axis.name in taken | set(variables):
            raise ValueError(
                f"Parameter {axis.name!r} has the name of something else in the dataset: write its whole path, or give "
                'the monitor another name. Example: monitors={"activity": "r"}.'
            )
    if bad := (taken | set(design.dims)) & set(variables):
        raise ValueError(
            f"A variable of a sweep must not be named {sorted(bad)[0]!r}, which stands for something else."
        )
