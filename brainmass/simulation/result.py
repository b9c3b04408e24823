"""What a run returns: recorded activity with its time stamps, ready to look at, export and keep."""

from __future__ import annotations

import difflib
import importlib
import json
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

__all__ = ["Result"]

_FORMAT = "brainmass.Result"
_FORMAT_VERSION = 1
_SUFFIXES = (".npz", ".nc")
_MANIFEST = "brainmass_manifest"
_TIME = u.ms.dim


class Result(Mapping[str, Any]):
    """Recorded trajectories by monitor name, read-only; each of shape ``(time, batch..., region)``.

    A JAX pytree: the recordings, their time stamps and the final state are its leaves; names, ``dt``,
    ``duration``, ``labels`` and ``provenance`` belong to its structure.

    Parameters
    ----------
    monitors
        Recorded arrays or quantities, one row per sample.
    times
        Time stamps of every monitor, one per row. Kept in ms.
    dt, duration
        Integration step and length of the run.
    final
        State at the end of the run, from which it can be continued: nested dicts, tuples and lists of
        arrays, quantities, random keys and plain numbers.
    labels
        Names of the regions.
    provenance
        Where the numbers come from: version, model, seed, ...

    Examples
    --------
    >>> import brainunit as u
    >>> import jax.numpy as jnp
    >>> result = Result({"r": jnp.ones((4, 2)) * u.Hz}, {"r": jnp.arange(1.0, 5.0) * u.ms},
    ...                 dt=0.1 * u.ms, duration=4 * u.ms)
    >>> result
    Result: 4 ms in steps of 0.1 ms
      r  (4, 2)  every 1 ms  Hz  min 1  mean 1  max 1
    >>> result["r"].shape
    (4, 2)
    """

    _monitors: dict[str, Any]
    _axes: tuple[Any, ...]  # the distinct time axes, in ms
    _axis_of: dict[str, int]  # monitor name -> position in _axes

    def __init__(
        self,
        monitors: Mapping[str, Any],
        times: Mapping[str, Any],
        *,
        dt: Any,
        duration: Any,
        final: Any = None,
        labels: tuple[str, ...] | None = None,
        provenance: Mapping[str, str] | None = None,
    ):
        self._monitors = dict(monitors)
        _check_monitors(self._monitors, times)
        self._axes, self._axis_of = _distinct_axes({name: times[name] for name in self._monitors})
        self._dt = _scalar_time("dt", dt)
        self._duration = _scalar_time("duration", duration)
        self._final = final
        self._labels = _check_labels(labels)
        self._provenance = _check_provenance(provenance)

    # the mapping; `_monitors` alone decides what is in it, "time" is a courtesy of __getitem__

    def __getitem__(self, name: str) -> Any:
        if name == "time":
            return self.time
        if name not in self._monitors:
            raise KeyError(_unknown_monitor(name, tuple(self._monitors)))
        return self._monitors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._monitors)

    def __len__(self) -> int:
        return len(self._monitors)

    def __contains__(self, name: object) -> bool:
        return name in self._monitors

    # comparing arrays has no single truth value: two results are equal when they are the same object
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    @property
    def time(self) -> Any:
        """Time stamps in ms, where all monitors share them."""
        if len(self._axes) == 1:
            return self._axes[0]
        if not self._axes:
            raise ValueError("This result has no monitors, hence no time axis.")
        name = next(reversed(self._monitors))
        raise ValueError(
            f"The monitors {_listed(self)} of this result do not share one time axis. "
            f'Ask for one: result.times["{name}"].'
        )

    @property
    def times(self) -> Mapping[str, Any]:
        """Time stamps in ms of every monitor, one per row."""
        return MappingProxyType({name: self._axes[axis] for name, axis in self._axis_of.items()})

    @property
    def dt(self) -> Any:
        """Integration step."""
        return u.Quantity(*self._dt)

    @property
    def duration(self) -> Any:
        """Length of the run."""
        return u.Quantity(*self._duration)

    @property
    def final(self) -> Any:
        """State at the end of the run, from which it can be continued."""
        return self._final

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Names of the regions."""
        return self._labels

    @property
    def provenance(self) -> Mapping[str, str]:
        """Where the numbers come from."""
        return MappingProxyType(dict(self._provenance))

    def __repr__(self) -> str:
        rows = [_summary(name, self[name], self.times[name]) for name in self]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        head = f"Result: {_show_time(self._duration)} in steps of {_show_time(self._dt)}"
        return "\n  ".join([head, *lines])

    def to_xarray(self) -> Any:
        """An ``xarray.Dataset``: one variable per monitor, times in ms and regions as coordinates."""
        xarray = _import_io("xarray")
        axis_names = self._axis_names()
        dims = _Dimensions(None if self.labels is None else len(self.labels))
        variables = {}
        for name, value in self.items():
            values = _exportable(u.get_mantissa(value))
            names = (axis_names[self._axis_of[name]], *dims.names(name, values.shape[1:]))
            variables[name] = (names, values, {"units": str(u.get_unit(value))})
        coords = {
            name: (name, _stamps(axis), {"units": "ms", "long_name": "time"})
            for name, axis in zip(axis_names, self._axes, strict=True)
        }
        if self.labels is not None and "region" in dims.sizes:
            coords["region"] = ("region", np.asarray(self.labels), {})
        _check_no_clash(variables, {*axis_names, *dims.sizes})
        steps = {"dt": _show_time(self._dt), "duration": _show_time(self._duration)}
        return xarray.Dataset(variables, coords, {**self.provenance, **steps})

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to ``.npz`` (numpy only) or ``.nc`` (netCDF); :meth:`load` restores all of it.

        The file appears whole or not at all: a write that fails leaves what was there before.
        """
        target = _check_path(path, "save").resolve()
        if not target.parent.is_dir():
            raise FileNotFoundError(
                f"Argument `path` of Result.save must lie in an existing folder, but {target.parent} "
                f'is none. Example: result.save("run{target.suffix}").'
            )
        write = _write_npz if target.suffix == ".npz" else _write_netcdf
        partial = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.partial{target.suffix}")
        try:
            write(self, partial)
            with open(partial, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Result:
        """Read a file written by :meth:`save`."""
        source = _check_path(path, "load")
        read = _read_npz if source.suffix == ".npz" else _read_netcdf
        try:
            manifest, arrays = read(source)
            return _from_manifest(manifest, arrays)
        except (FileNotFoundError, PermissionError, IsADirectoryError, ImportError):
            raise
        except (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(
                "Argument `path` of Result.load must be a whole file written by Result.save, but "
                f"{str(source)!r} is not: {error}"
            ) from error

    def _axis_names(self) -> list[str]:
        if len(self._axes) == 1:
            return ["time"]
        first: dict[int, str] = {}
        for name, axis in self._axis_of.items():
            first.setdefault(axis, f"time_{name}")
        return list(first.values())


# --- a result as a pytree -----------------------------------------------------------------------------


def _flatten(result: Result):
    key = jax.tree_util.GetAttrKey
    children = (
        (key("monitors"), tuple(result._monitors.values())),
        (key("times"), result._axes),
        (key("final"), result._final),
    )
    static = (
        tuple(result._axis_of.items()),
        result._dt,
        result._duration,
        result._labels,
        result._provenance,
    )
    return children, static


def _unflatten(static, children) -> Result:
    # no checks: transformations put tracers, None and placeholders here, and vmap adds leading axes
    result = object.__new__(Result)
    values, result._axes, result._final = children
    axis_of, result._dt, result._duration, result._labels, result._provenance = static
    result._axis_of = dict(axis_of)
    result._monitors = dict(zip(result._axis_of, values, strict=True))
    return result


jax.tree_util.register_pytree_with_keys(Result, _flatten, _unflatten)


# --- checks at the door -------------------------------------------------------------------------------


def _listed(names) -> str:
    return ", ".join(repr(name) for name in names)


def _unknown_monitor(name: object, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"No monitor {name!r} in this result.{hint} It has: {_listed(known) or 'none'}."


def _check_monitors(monitors: dict[str, Any], times: Mapping[str, Any]) -> None:
    if "time" in monitors:
        raise ValueError(
            "Argument `monitors` of Result must leave the name 'time' to the time stamps, but has it. "
            'Example: {"r": rate}.'
        )
    if set(times) != set(monitors):
        raise ValueError(
            "Argument `times` of Result must have the same names as `monitors` "
            f"({_listed(monitors)}), but has {_listed(times) or 'none'}. "
            'Example: times={"r": jnp.arange(100.0) * u.ms}.'
        )
    for name, value in monitors.items():
        _check_stamps(name, np.shape(u.get_mantissa(value)), times[name])


def _check_stamps(name: str, shape: tuple[int, ...], stamps: Any) -> None:
    if not _is_time(stamps):
        raise u.UnitMismatchError(
            f"Argument `times` of Result must have unit of time, but times[{name!r}] is in "
            f"{u.get_unit(stamps)}. Example: jnp.arange(100.0) * u.ms.",
            u.get_unit(stamps),
        )
    if np.shape(u.get_mantissa(stamps)) != shape[:1] or not shape:
        raise ValueError(
            f"Argument `times` of Result must have one time stamp per row, but times[{name!r}] has shape "
            f"{np.shape(u.get_mantissa(stamps))} and monitors[{name!r}] has shape {shape}. "
            "Example: stamps of shape (100,) for a monitor of shape (100, 84)."
        )


def _scalar_time(name: str, value: Any) -> tuple[float, Any]:
    if not _is_time(value) or np.shape(u.get_mantissa(value)) != ():
        raise u.UnitMismatchError(
            f"Argument `{name}` of Result must be one number with unit of time, but is {value}. "
            f"Example: {name}=0.1 * u.ms.",
            u.get_unit(value),
        )
    return float(u.get_mantissa(value)), value.unit


def _is_time(value: Any) -> bool:
    # comparing dimensions takes long enough to be felt in a short run
    return getattr(value, "unit", None) is u.ms or u.get_dim(value) == _TIME


def _check_labels(labels: Any) -> tuple[str, ...] | None:
    if labels is None:
        return None
    if isinstance(labels, str) or not all(issubclass(kind, str) for kind in set(map(type, labels))):
        raise TypeError(
            f"Argument `labels` of Result must be a sequence of strings, but is {labels!r}. "
            'Example: labels=("lh_V1", "rh_V1").'
        )
    return tuple(labels)


def _check_provenance(provenance: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    items = tuple((provenance or {}).items())
    if not all(isinstance(text, str) for item in items for text in item):
        raise TypeError(
            f"Argument `provenance` of Result must map strings to strings, but is {provenance!r}. "
            'Example: provenance={"seed": "0"}.'
        )
    return items


def _check_path(path: str | os.PathLike[str], method: str) -> Path:
    if Path(path).suffix not in _SUFFIXES:
        raise ValueError(
            f"Argument `path` of Result.{method} must end in {' or '.join(_SUFFIXES)}, but is "
            f'{os.fspath(path)!r}. Example: {method}("run.npz").'
        )
    return Path(path)


# --- time axes ----------------------------------------------------------------------------------------


def _in_ms(stamps: Any) -> Any:
    if stamps.unit is u.ms:
        return stamps
    return u.Quantity(stamps.mantissa * (stamps.unit.magnitude / u.ms.magnitude), u.ms)


def _same_axis(a: Any, b: Any) -> bool:
    a, b = u.get_mantissa(a), u.get_mantissa(b)
    if a is b:
        return True
    return _is_concrete(a) and _is_concrete(b) and np.array_equal(np.asarray(a), np.asarray(b))


def _distinct_axes(times: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, int]]:
    axes: list[Any] = []
    axis_of = {}
    given = {id(stamps): _in_ms(stamps) for stamps in times.values()}  # one conversion per given object
    for name, stamps in times.items():
        axis = given[id(stamps)]
        known = next((i for i, other in enumerate(axes) if _same_axis(axis, other)), None)
        if known is None:
            axes.append(axis)
        axis_of[name] = len(axes) - 1 if known is None else known
    return tuple(axes), axis_of


def _is_concrete(value: Any) -> bool:
    if isinstance(value, Tracer):
        return False
    return isinstance(value, np.ndarray) or (isinstance(value, jax.Array) and value.is_fully_addressable)


# --- the summary --------------------------------------------------------------------------------------


def _show_time(time: tuple[float, Any]) -> str:
    return f"{time[0]:.6g} {time[1]}"


def _summary(name: str, value: Any, stamps: Any) -> tuple[str, ...]:
    values = u.get_mantissa(value) if isinstance(value, u.Quantity) else value
    unit = str(value.unit) if isinstance(value, u.Quantity) else ""
    shape = getattr(values, "shape", None)
    return name, "" if shape is None else str(tuple(shape)), _period(stamps), unit, _range(values)


def _period(stamps: Any) -> str:
    values = u.get_mantissa(stamps) if isinstance(stamps, u.Quantity) else stamps
    if not _is_concrete(values) or values.shape[-1] < 2:
        return ""
    values = np.asarray(values, dtype=np.float64).reshape(-1, values.shape[-1])[0]
    return f"every {(values[-1] - values[0]) / (len(values) - 1):.4g} ms"


def _range(values: Any) -> str:
    if not _is_concrete(values) or values.size == 0 or jnp.issubdtype(values.dtype, jax.dtypes.extended):
        return ""
    numbers = {"min": values.min(), "mean": values.mean(), "max": values.max()}
    return "  ".join(f"{word} {number.item():.4g}" for word, number in numbers.items())


# --- xarray -------------------------------------------------------------------------------------------


def _import_io(*names: str) -> Any:
    """Import what the extra "io" brings; the first module is handed back."""
    try:
        return [importlib.import_module(name) for name in names][0]
    except ImportError as error:
        raise ImportError(f'This needs {" and ".join(names)}: pip install "brainmass[io]" ({error}).') from error


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


def _exportable(values: Any) -> np.ndarray:
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


def _encode(value: Any, arrays: dict[str, np.ndarray], name: str) -> dict[str, Any]:
    """`value` in terms of JSON; its arrays go to `arrays` under `name`."""
    if isinstance(value, u.Quantity):
        return {"unit": _unit_facts(value.unit), "of": _encode(value.mantissa, arrays, name)}
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        data = _encode(jax.random.key_data(value), arrays, name)
        return {"key": str(jax.random.key_impl(value)), "of": data}
    if isinstance(value, jax.Array | np.ndarray | np.generic):
        return _encode_array(np.asarray(value), arrays, name)
    if value is None or isinstance(value, bool | int | float | str):
        return {"plain": value}
    if type(value) in (list, tuple):
        items = [_encode(item, arrays, f"{name}.{i}") for i, item in enumerate(value)]
        return {type(value).__name__: items}
    if isinstance(value, Mapping):
        pairs = enumerate(value.items())
        return {"dict": [[_encode(k, {}, ""), _encode(v, arrays, f"{name}.{i}")] for i, (k, v) in pairs]}
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


def _decode(code: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    if "unit" in code:
        return u.Quantity(_decode(code["of"], arrays), unit=_unit_from(code["unit"]))
    if "key" in code:
        return jax.random.wrap_key_data(jnp.asarray(_decode(code["of"], arrays)), impl=code["key"])
    if "array" in code:
        return _restored(arrays[code["array"]], jnp.dtype(code["dtype"]))
    if "plain" in code:
        return code["plain"]
    if "list" in code:
        return [_decode(item, arrays) for item in code["list"]]
    if "tuple" in code:
        return tuple(_decode(item, arrays) for item in code["tuple"])
    return {_decode(key, arrays): _decode(value, arrays) for key, value in code["dict"]}


def _restored(values: np.ndarray, dtype: Any) -> Any:
    values = values.view(dtype) if values.dtype.kind == "V" else values.astype(dtype)
    # 64-bit numbers stay in numpy where JAX, as configured, would cut them to 32
    return jnp.asarray(values) if jax.dtypes.canonicalize_dtype(dtype) == dtype else values


def _to_manifest(result: Result, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    axes = zip(result._axes, result._axis_names(), strict=True)
    return {
        "format": _FORMAT,
        "version": _FORMAT_VERSION,
        "monitors": [[name, _encode(result[name], arrays, f"monitors/{name}")] for name in result],
        "axes": [_encode(axis, arrays, f"times/{name}") for axis, name in axes],
        "axis_of": result._axis_of,
        "dt": _encode(result.dt, arrays, "dt"),
        "duration": _encode(result.duration, arrays, "duration"),
        "final": _encode(result.final, arrays, "final_state"),
        "labels": result.labels,
        "provenance": result._provenance,
    }


def _from_manifest(manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Result:
    axes = [_decode(axis, arrays) for axis in manifest["axes"]]
    return Result(
        {name: _decode(code, arrays) for name, code in manifest["monitors"]},
        {name: axes[axis] for name, axis in manifest["axis_of"].items()},
        dt=_decode(manifest["dt"], arrays),
        duration=_decode(manifest["duration"], arrays),
        final=_decode(manifest["final"], arrays),
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
    _import_io("xarray", "h5netcdf", "h5py")
    arrays: dict[str, np.ndarray] = {}
    manifest = _to_manifest(result, arrays)
    dataset = result.to_xarray()
    extra = {name: values for name, values in arrays.items() if name.startswith("final_state")}
    _check_netcdf(result, arrays, {_MANIFEST, *extra})
    for name, values in extra.items():
        dims = [f"{name}_axis_{i}" for i in range(values.ndim)]
        dataset[name] = (dims, _exportable(values))
    dataset[_MANIFEST] = ((), json.dumps(manifest), {"long_name": "what the variables are, for Result.load"})
    dataset.to_netcdf(path, engine="h5netcdf")


def _read_netcdf(path: Path) -> tuple[dict[str, Any], Mapping[str, np.ndarray]]:
    xarray = _import_io("xarray", "h5netcdf", "h5py")
    with open(path, "rb"):  # a missing file is reported as missing, not as broken
        pass
    with xarray.open_dataset(path, engine="h5netcdf", decode_times=False) as dataset:
        if _MANIFEST not in dataset:
            raise ValueError("it has no manifest")
        manifest = _check_manifest(str(dataset[_MANIFEST].values))
        arrays = {str(name): variable.values for name, variable in dataset.variables.items()}
    folders = ("", "monitors/", "times/")  # the manifest's names have one, netCDF's have none
    return manifest, {f"{folder}{name}": values for name, values in arrays.items() for folder in folders}
