"""Results outside: as an xarray dataset, and in files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import brainunit as u
import numpy as np

from brainmass._common.archive import MANIFEST, Archive, decode, encode
from brainmass._common.extras import import_io
from brainmass._common.netcdf import read_netcdf, write_netcdf
from brainmass._common.typing import Numbers, Pytree
from brainmass.simulation.final import ORIGIN, Origin

if TYPE_CHECKING:
    import xarray


__all__ = ["SUFFIXES", "Recorded", "exportable", "load", "save", "to_xarray"]

SUFFIXES = (".npz", ".nc")
_ARCHIVE = Archive("brainmass.Result", 1, ("path", "Result.load"), "Result.save")


class Recorded(Protocol):
    """What is read of a result. `Result` is that."""

    _axes: tuple[Numbers, ...]
    _axis_of: dict[str, int]
    _output: str | tuple[str, ...] | None
    _assigned: dict[str, object]
    _provenance: tuple[tuple[str, str], ...]

    @property
    def recorded(self) -> Mapping[str, Numbers]: ...
    @property
    def times(self) -> Mapping[str, Numbers]: ...
    @property
    def dt(self) -> Numbers: ...
    @property
    def duration(self) -> Numbers: ...
    @property
    def final(self) -> Pytree: ...
    @property
    def labels(self) -> tuple[str, ...] | None: ...
    @property
    def sensors(self) -> Mapping[str, tuple[str, ...]]: ...
    @property
    def modes(self) -> Mapping[str, tuple[str, ...]]: ...
    @property
    def provenance(self) -> Mapping[str, str]: ...
    def _axis_names(self) -> list[str]: ...
    def __getitem__(self, name: str, /) -> Numbers: ...


R = TypeVar("R", bound=Recorded)


def to_xarray(result: Recorded) -> xarray.Dataset:
    xarray = import_io("xarray")
    axis_names = result._axis_names()
    # Sizes, not names, decide what is a region: a monitor may be a sum over all, or a list of sensors.
    dims = _Dimensions(None if result.labels is None else len(result.labels))
    variables = {}
    joined = {mode for modes in result.modes.values() for mode in modes}
    for name, value in {n: x for n, x in result.recorded.items() if n not in joined}.items():
        if not hasattr(u.get_mantissa(value), "shape"):
            raise TypeError(f"Result.to_xarray takes arrays, but {name!r} is a {type(value).__name__}: save to '.npz'.")
        values = exportable(u.get_mantissa(value))
        sensors = result.sensors.get(name)
        names = (axis_names[result._axis_of[name]], *dims.names(name, values.shape[1:], sensors is not None))
        variables[name] = (names, values, {"units": str(u.get_unit(value))})
    for name, modes in result.modes.items():
        values = exportable(u.get_mantissa(result[name]))
        names = dims.names(name, values.shape[1:-1], False)
        mode = dims.of_modes(name, len(modes))
        time = axis_names[result._axis_of[modes[0]]]
        variables[name] = ((time, *names, mode), values, {"units": str(u.get_unit(result[name]))})
    coords = {
        name: (name, _stamps(axis), {"units": "ms", "long_name": "time"})
        for name, axis in zip(axis_names, result._axes, strict=True)
    }
    for name, sensors in result.sensors.items():
        coords[f"channel_{name}"] = (f"channel_{name}", np.asarray(sensors), {"long_name": "sensor"})
    for mode in dims.modes:
        coords[mode] = (mode, np.arange(1, dims.sizes[mode] + 1), {"long_name": "mode"})
    if result.labels is not None and "region" in dims.sizes:
        coords["region"] = ("region", np.asarray(result.labels), {})
    # xarray would take a variable with the name of a dimension for its coordinate.
    _check_no_clash(variables, {*axis_names, *dims.sizes})
    steps = {"dt": _text(result.dt), "duration": _text(result.duration)}
    return xarray.Dataset(variables, coords, {**result.provenance, **steps})


def save(result: Recorded, target: Path) -> None:
    """Write `target`, whole or not at all."""
    write = _write_npz if target.suffix == ".npz" else _write_netcdf
    write(result, target)


def load(kind: Callable[..., R], source: Path) -> R:
    """The result that was saved."""
    read = _ARCHIVE.read if source.suffix == ".npz" else _read_netcdf
    with _ARCHIVE.reading(source):
        return _from_manifest(kind, *read(source))


def _listed(names: Any) -> str:
    return ", ".join(repr(name) for name in names)


def _text(time: Numbers) -> str:
    return f"{u.get_mantissa(time):.6g} {time.unit}"


class _Dimensions:
    """Hands out dimension names; one name stands for one size."""

    def __init__(self, regions: int | None):
        self._regions = regions
        self.sizes: dict[str, int] = {}
        self.modes: list[str] = []

    def names(self, monitor: str, shape: tuple[int, ...], of_sensors: bool) -> list[str]:
        """Names for the axes after time: batch..., region or that of the sensors."""
        bases = ["batch", *(f"batch_{i}" for i in range(2, len(shape)))][: len(shape) - 1] + ["region"]
        if of_sensors:
            bases[-1] = f"channel_{monitor}"
        return [self._name(base, size, monitor) for base, size in zip(bases[: len(shape)], shape, strict=True)]

    def of_modes(self, monitor: str, size: int) -> str:
        name = self._name("mode", size, monitor)
        self.modes = [*dict.fromkeys([*self.modes, name])]
        return name

    def _name(self, base: str, size: int, monitor: str) -> str:
        expected = self._regions if base == "region" else None
        if size != self.sizes.get(base, size if expected is None else expected):
            base = f"{'channel' if base == 'region' else base}_{monitor}"  # sensors, say, beside regions
        self.sizes[base] = size
        return base


def exportable(values: Numbers) -> np.ndarray:
    values = np.asarray(values)
    narrow = values.dtype.kind == "V" or values.dtype == np.float16  # bfloat16 and kin: netCDF has none
    return values.astype(np.float32) if narrow else values


def _stamps(axis: Numbers) -> np.ndarray:
    # In double precision whatever the run had: 0.1 ms steps of an hour are beyond the digits of a single.
    values = np.asarray(u.get_mantissa(axis), dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(
            f"Result.to_xarray needs one run, but this result holds a stack of {len(values)}. "
            "Example: jax.tree.map(lambda x: x[0], result).to_xarray()."
        )
    return values


def _check_no_clash(variables: Mapping[str, object], dimensions: set[str]) -> None:
    if clash := dimensions & set(variables):
        raise ValueError(
            f"Result.to_xarray needs the name {_listed(sorted(clash))} for a dimension, but a monitor of "
            'this result has it. Example: save to ".npz" instead.'
        )


# --- files --------------------------------------------------------------------------------------------


def _to_manifest(result: Recorded, arrays: dict[str, np.ndarray]) -> dict[str, object]:
    axes = zip(result._axes, result._axis_names(), strict=True)
    return {
        "monitors": [[n, encode(x, arrays, f"monitors/{n}")] for n, x in result.recorded.items()],
        "output": result._output,
        "assigned": encode(result._assigned, arrays, "assigned"),
        # Most monitors share one time axis, which is then written once.
        "axes": [encode(axis, arrays, f"times/{name}") for axis, name in axes],
        "axis_of": result._axis_of,
        "dt": encode(result.dt, arrays, "dt"),
        "duration": encode(result.duration, arrays, "duration"),
        "final": encode(_with_plain_origin(result.final), arrays, "final_state"),
        "labels": result.labels,
        "modes": {name: list(modes) for name, modes in result.modes.items()},
        "sensors": {name: list(names) for name, names in result.sensors.items()},
        "provenance": result._provenance,
    }


def _from_manifest(kind: Callable[..., R], manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> R:
    axes = [decode(axis, arrays) for axis in manifest["axes"]]
    result = kind(
        {name: decode(code, arrays) for name, code in manifest["monitors"]},
        {name: axes[axis] for name, axis in manifest["axis_of"].items()},
        dt=decode(manifest["dt"], arrays),
        duration=decode(manifest["duration"], arrays),
        final=_with_origin(decode(manifest["final"], arrays)),
        labels=manifest["labels"],
        provenance=dict(manifest["provenance"]),
        sensors=manifest.get("sensors"),
        modes=manifest.get("modes"),
    )
    # Older files lack the last entries. JSON has lists alone, and names of a pair are compared as a tuple.
    output = manifest.get("output")
    result._output = tuple(output) if isinstance(output, list) else output
    result._assigned = decode(manifest["assigned"], arrays) if "assigned" in manifest else {}
    return result


def _with_plain_origin(final: object) -> Pytree:
    """A final state of a run, with what it is from as a dict."""
    if not isinstance(final, Mapping) or not isinstance(final.get(ORIGIN), Origin):
        return final
    parts = {field.name: getattr(final[ORIGIN], field.name) for field in fields(Origin)}
    return {**final, ORIGIN: {**parts, "delays": tuple((name, np.asarray(x)) for name, x in parts["delays"])}}


def _with_origin(final: object) -> Any:
    if not isinstance(final, Mapping) or not isinstance(final.get(ORIGIN), Mapping):
        return final
    return {**final, ORIGIN: Origin(**final[ORIGIN])}


def _write_npz(result: Recorded, path: Path) -> None:
    arrays: dict[str, np.ndarray] = {}
    _ARCHIVE.write(path, _to_manifest(result, arrays), arrays)


def _check_netcdf(result: Recorded, arrays: Mapping[str, np.ndarray], taken: set[str]) -> None:
    if bad := [name for name in result.recorded if "/" in name or name in taken]:
        raise ValueError(f'netCDF cannot hold monitors named {_listed(bad)}. Example: result.save("run.npz").')
    if bad := [name for name, values in arrays.items() if values.dtype.kind == "c"]:
        raise TypeError(f'netCDF has no complex numbers, as in {_listed(bad)}. Example: result.save("run.npz").')


def _write_netcdf(result: Recorded, path: Path) -> None:
    import_io("xarray", "h5netcdf", "h5py")
    arrays: dict[str, np.ndarray] = {}
    manifest = _to_manifest(result, arrays)
    dataset = to_xarray(result)
    # The dataset is that of `to_xarray`, for any reader; what only `Result.load` needs lies beside it.
    extra = {name: values for name, values in arrays.items() if name.startswith(("final_state", "assigned"))}
    _check_netcdf(result, arrays, {MANIFEST, *extra})
    for name, values in extra.items():
        # Dimensions of its own: those of states have other sizes than what was recorded.
        dims = [f"{name}_axis_{i}" for i in range(values.ndim)]
        dataset[name] = (dims, exportable(values))
    dataset[MANIFEST] = ((), _ARCHIVE.manifest(manifest), {"long_name": "what the variables are, for Result.load"})
    write_netcdf(path, dataset, said_at=MANIFEST)


def _read_netcdf(path: Path) -> tuple[dict[str, object], Mapping[str, np.ndarray]]:
    with read_netcdf(path) as dataset:
        if MANIFEST not in dataset:
            raise ValueError("it has no manifest")
        manifest = _ARCHIVE.content(str(dataset[MANIFEST].values))
        arrays = {str(name): variable.values for name, variable in dataset.variables.items()}
    for name, modes in manifest.get("modes", {}).items():
        arrays |= {mode: arrays[name][..., k] for k, mode in enumerate(modes)}
    folders = ("", "monitors/", "times/")  # the manifest's names have one, netCDF's have none
    return manifest, {f"{folder}{name}": values for name, values in arrays.items() for folder in folders}
