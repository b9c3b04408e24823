"""Results outside: as an xarray dataset, and in files."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass.extras import import_io
from brainmass.files import whole_file

if TYPE_CHECKING:
    from brainmass.simulation.result import Result

__all__ = ["SUFFIXES", "decode", "encode", "exportable", "load", "save", "to_xarray"]

SUFFIXES = (".npz", ".nc")
_FORMAT = "brainmass.Result"
_FORMAT_VERSION = 1
_MANIFEST = "brainmass_manifest"


def to_xarray(result: Result) -> Any:
    xarray = import_io("xarray")
    axis_names = result._axis_names()
    dims = _Dimensions(None if result.labels is None else len(result.labels))
    variables = {}
    for name, value in result.items():
        values = exportable(u.get_mantissa(value))
        names = (axis_names[result._axis_of[name]], *dims.names(name, values.shape[1:]))
        variables[name] = (names, values, {"units": str(u.get_unit(value))})
    coords = {
        name: (name, _stamps(axis), {"units": "ms", "long_name": "time"})
        for name, axis in zip(axis_names, result._axes, strict=True)
    }
    if result.labels is not None and "region" in dims.sizes:
        coords["region"] = ("region", np.asarray(result.labels), {})
    _check_no_clash(variables, {*axis_names, *dims.sizes})
    steps = {"dt": _text(result.dt), "duration": _text(result.duration)}
    return xarray.Dataset(variables, coords, {**result.provenance, **steps})


def save(result: Result, target: Path) -> None:
    """Write `target`, whole or not at all."""
    write = _write_npz if target.suffix == ".npz" else _write_netcdf
    with whole_file(target) as partial:
        write(result, partial)


def load(kind: type[Result], source: Path) -> Result:
    """The result that was saved."""
    read = _read_npz if source.suffix == ".npz" else _read_netcdf
    try:
        return _from_manifest(kind, *read(source))
    except (FileNotFoundError, PermissionError, IsADirectoryError, ImportError):
        raise
    except (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            "Argument `path` of Result.load must be a whole file written by Result.save, but "
            f"{str(source)!r} is not: {error}"
        ) from error


def _listed(names: Any) -> str:
    return ", ".join(repr(name) for name in names)


def _text(time: Any) -> str:
    return f"{u.get_mantissa(time):.6g} {time.unit}"


class _Dimensions:
    """Hands out dimension names; one name stands for one size."""

    def __init__(self, regions: int | None):
        self._regions = regions
        self.sizes: dict[str, int] = {}

    def names(self, monitor: str, shape: tuple[int, ...]) -> list[str]:
        """Names for the axes after time: batch..., region."""
        bases = ["batch", *(f"batch_{i}" for i in range(2, len(shape)))][: len(shape) - 1] + ["region"]
        return [self._name(base, size, monitor) for base, size in zip(bases[: len(shape)], shape, strict=True)]

    def _name(self, base: str, size: int, monitor: str) -> str:
        expected = self._regions if base == "region" else None
        if size != self.sizes.get(base, size if expected is None else expected):
            base = f"{base}_{monitor}"  # sensors, say, beside regions
        self.sizes[base] = size
        return base


def exportable(values: Any) -> np.ndarray:
    values = np.asarray(values)
    narrow = values.dtype.kind == "V" or values.dtype == np.float16  # bfloat16 and kin: netCDF has none
    return values.astype(np.float32) if narrow else values


def _stamps(axis: Any) -> np.ndarray:
    values = np.asarray(u.get_mantissa(axis), dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(
            f"Result.to_xarray needs one run, but this result holds a stack of {len(values)}. "
            "Example: jax.tree.map(lambda x: x[0], result).to_xarray()."
        )
    return values


def _check_no_clash(variables: Mapping[str, Any], dimensions: set[str]) -> None:
    if clash := dimensions & set(variables):
        raise ValueError(
            f"Result.to_xarray needs the name {_listed(sorted(clash))} for a dimension, but a monitor of "
            'this result has it. Example: save to ".npz" instead.'
        )


# --- files --------------------------------------------------------------------------------------------
#
# A file holds plain arrays and a manifest (JSON) that says what they are. Units stand in it twice: as text
# for people, and as exponents and scale, which no version of brainunit spells differently.


def _unit_facts(unit: Any) -> dict[str, Any]:
    return {
        "name": str(unit),
        "exponents": [float(exponent) for exponent in unit.dim._dims],
        "scale": float(unit.scale),
        "factor": float(unit.factor),
    }


def _unit_from(facts: Mapping[str, Any]) -> Any:
    exact = u.Unit(dim=u.get_or_create_dimension(facts["exponents"]), scale=facts["scale"], factor=facts["factor"])
    try:
        named = u.parse_unit(facts["name"])
    except ValueError:
        return exact
    return named if named == exact else exact


def encode(value: Any, arrays: dict[str, np.ndarray], name: str) -> dict[str, Any]:
    """`value` in terms of JSON; its arrays go to `arrays` under `name`."""
    if isinstance(value, u.Quantity):
        return {"unit": _unit_facts(value.unit), "of": encode(value.mantissa, arrays, name)}
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        data = encode(jax.random.key_data(value), arrays, name)
        return {"key": str(jax.random.key_impl(value)), "of": data}
    if isinstance(value, jax.Array | np.ndarray | np.generic):
        return _encode_array(np.asarray(value), arrays, name)
    if value is None or isinstance(value, bool | int | float | str):
        return {"plain": value}
    if type(value) in (list, tuple):
        items = [encode(item, arrays, f"{name}.{i}") for i, item in enumerate(value)]
        return {type(value).__name__: items}
    if isinstance(value, Mapping):
        pairs = enumerate(value.items())
        return {"dict": [[encode(k, {}, ""), encode(v, arrays, f"{name}.{i}")] for i, (k, v) in pairs]}
    raise TypeError(
        "Result.save can keep arrays, quantities, random keys, numbers, strings, dicts, lists and tuples, "
        f"but found {type(value).__name__} in {name!r}. Example: final={{'r': rate}}."
    )


def _encode_array(values: np.ndarray, arrays: dict[str, np.ndarray], name: str) -> dict[str, Any]:
    if values.dtype.kind in "OUSMm":
        raise TypeError(
            f"Result.save can keep arrays of numbers, but {name!r} has dtype {values.dtype}. "
            "Example: jnp.asarray([0.1, 0.2])."
        )
    arrays[name] = values
    return {"array": name, "dtype": values.dtype.name}


def decode(code: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    """What was encoded."""
    if "unit" in code:
        return u.Quantity(decode(code["of"], arrays), unit=_unit_from(code["unit"]))
    if "key" in code:
        return jax.random.wrap_key_data(jnp.asarray(decode(code["of"], arrays)), impl=code["key"])
    if "array" in code:
        return _restored(arrays[code["array"]], jnp.dtype(code["dtype"]))
    if "plain" in code:
        return code["plain"]
    if "list" in code:
        return [decode(item, arrays) for item in code["list"]]
    if "tuple" in code:
        return tuple(decode(item, arrays) for item in code["tuple"])
    return {decode(key, arrays): decode(value, arrays) for key, value in code["dict"]}


def _restored(values: np.ndarray, dtype: Any) -> Any:
    values = values.view(dtype) if values.dtype.kind == "V" else values.astype(dtype)
    # 64-bit numbers stay in numpy where JAX, as configured, would cut them to 32
    return jnp.asarray(values) if jax.dtypes.canonicalize_dtype(dtype) == dtype else values


def _to_manifest(result: Result, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    axes = zip(result._axes, result._axis_names(), strict=True)
    return {
        "format": _FORMAT,
        "version": _FORMAT_VERSION,
        "monitors": [[name, encode(result[name], arrays, f"monitors/{name}")] for name in result],
        "axes": [encode(axis, arrays, f"times/{name}") for axis, name in axes],
        "axis_of": result._axis_of,
        "dt": encode(result.dt, arrays, "dt"),
        "duration": encode(result.duration, arrays, "duration"),
        "final": encode(result.final, arrays, "final_state"),
        "labels": result.labels,
        "provenance": result._provenance,
    }


def _from_manifest(kind: type[Result], manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Result:
    axes = [decode(axis, arrays) for axis in manifest["axes"]]
    return kind(
        {name: decode(code, arrays) for name, code in manifest["monitors"]},
        {name: axes[axis] for name, axis in manifest["axis_of"].items()},
        dt=decode(manifest["dt"], arrays),
        duration=decode(manifest["duration"], arrays),
        final=decode(manifest["final"], arrays),
        labels=manifest["labels"],
        provenance=dict(manifest["provenance"]),
    )


def _check_manifest(text: str) -> dict[str, Any]:
    manifest = json.loads(text)
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise ValueError("its manifest is not that of a Result")
    if manifest["version"] > _FORMAT_VERSION:
        raise ValueError(f"it has format version {manifest['version']}, this brainmass reads {_FORMAT_VERSION}")
    return manifest


def _write_npz(result: Result, path: Path) -> None:
    arrays: dict[str, Any] = {}
    arrays[_MANIFEST] = np.asarray(json.dumps(_to_manifest(result, arrays)))
    with open(path, "xb") as file:
        np.savez(file, **arrays)


def _read_npz(path: Path) -> tuple[dict[str, Any], Mapping[str, np.ndarray]]:
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("it is no complete npz archive")
        file.seek(0)
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    if _MANIFEST not in arrays:
        raise ValueError("it has no manifest")
    return _check_manifest(str(arrays.pop(_MANIFEST))), arrays


def _check_netcdf(result: Result, arrays: Mapping[str, np.ndarray], taken: set[str]) -> None:
    if bad := [name for name in result if "/" in name or name in taken]:
        raise ValueError(f'netCDF cannot hold monitors named {_listed(bad)}. Example: result.save("run.npz").')
    if bad := [name for name, values in arrays.items() if values.dtype.kind == "c"]:
        raise TypeError(f'netCDF has no complex numbers, as in {_listed(bad)}. Example: result.save("run.npz").')


def _write_netcdf(result: Result, path: Path) -> None:
    import_io("xarray", "h5netcdf", "h5py")
    arrays: dict[str, np.ndarray] = {}
    manifest = _to_manifest(result, arrays)
    dataset = result.to_xarray()
    extra = {name: values for name, values in arrays.items() if name.startswith("final_state")}
    _check_netcdf(result, arrays, {_MANIFEST, *extra})
    for name, values in extra.items():
        dims = [f"{name}_axis_{i}" for i in range(values.ndim)]
        dataset[name] = (dims, exportable(values))
    dataset[_MANIFEST] = ((), json.dumps(manifest), {"long_name": "what the variables are, for Result.load"})
    dataset.to_netcdf(path, engine="h5netcdf")


def _read_netcdf(path: Path) -> tuple[dict[str, Any], Mapping[str, np.ndarray]]:
    xarray = import_io("xarray", "h5netcdf", "h5py")
    with open(path, "rb"):  # a missing file is reported as missing, not as broken
        pass
    with xarray.open_dataset(path, engine="h5netcdf", decode_times=False) as dataset:
        if _MANIFEST not in dataset:
            raise ValueError("it has no manifest")
        manifest = _check_manifest(str(dataset[_MANIFEST].values))
        arrays = {str(name): variable.values for name, variable in dataset.variables.items()}
    folders = ("", "monitors/", "times/")  # the manifest's names have one, netCDF's have none
    return manifest, {f"{folder}{name}": values for name, values in arrays.items() for folder in folders}
