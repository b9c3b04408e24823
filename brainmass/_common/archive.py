"""What is kept in a file: plain arrays, and a manifest (JSON) that says what they are."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.files import whole_file
from brainmass._common.messages import Argument, argument_error
from brainmass._common.reading.packed import Npz
from brainmass._common.reading.problems import DAMAGE
from brainmass._common.typing import Array

__all__ = ["MANIFEST", "Archive", "decode", "encode"]

MANIFEST = "brainmass_manifest"


@dataclass(frozen=True)
class Archive:
    """A kind of file: its name and version, and how it is read and written in words."""

    kind: str
    version: int
    argument: tuple[str, str]  # which names the file, and what it is one of
    writer: str

    def manifest(self, content: Mapping[str, object]) -> str:
        return json.dumps({"format": self.kind, "version": self.version, **content})

    def content(self, manifest: str) -> dict[str, Any]:
        """What the manifest of a file of this kind says."""
        content = json.loads(manifest)
        if not isinstance(content, dict) or content.get("format") != self.kind:
            raise ValueError(f"its manifest is not that of a {self.kind.removeprefix('brainmass.')}")
        if content["version"] > self.version:
            raise ValueError(f"it has format version {content['version']}, this brainmass reads {self.version}")
        return content

    def write(self, path: Path, content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Write a `.npz` file, whole or not at all."""
        held: dict[str, Any] = {**arrays, MANIFEST: np.asarray(self.manifest(content))}
        with whole_file(path) as partial, open(partial, "xb") as file:
            np.savez(file, **held)

    def read(self, path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        data = path.read_bytes()
        if not zipfile.is_zipfile(io.BytesIO(data)):
            raise ValueError("it is no complete npz archive")
        arrays = dict(Npz(path, data))
        if MANIFEST not in arrays:
            raise ValueError("it has no manifest")
        return self.content(str(arrays.pop(MANIFEST))), arrays

    @contextlib.contextmanager
    def reading(self, path: Path) -> Iterator[None]:
        """Whatever is wrong with a file is told in one way."""
        try:
            yield
        except (FileNotFoundError, PermissionError, IsADirectoryError, ImportError):
            raise
        except DAMAGE as error:
            argument, owner = self.argument
            rule = f"must be a whole file written by {self.writer}"
            raise argument_error(Argument(argument, owner), rule, f"{str(path)!r} is not: {error}") from error


# Units stand in a manifest twice: as text for people, and as exponents and scale, which no version of brainunit
# spells differently.


def _unit_facts(unit: u.Unit) -> dict[str, object]:
    return {
        "name": str(unit),
        "exponents": [float(exponent) for exponent in unit.dim._dims],
        "scale": float(unit.scale),
        "factor": float(unit.factor),
    }


def _unit_from(facts: Mapping[str, Any]) -> u.Unit:
    exact = u.Unit(dim=u.get_or_create_dimension(facts["exponents"]), scale=facts["scale"], factor=facts["factor"])
    try:
        named = u.parse_unit(facts["name"])
    except ValueError:
        return exact
    # The text may mean something else to another version of brainunit.
    return named if named == exact else exact


def encode(value: Any, arrays: dict[str, np.ndarray], name: str) -> dict[str, Any]:
    """`value` in terms of JSON; its arrays go to `arrays` under `name`."""
    if isinstance(value, u.Quantity):
        return {"unit": _unit_facts(value.unit), "of": encode(value.mantissa, arrays, name)}
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        data = encode(jax.random.key_data(value), arrays, name)
        return {"key": str(jax.random.key_impl(value)), "of": data}
    # Before Python's numbers: numpy's float64 is one of them.
    if isinstance(value, jax.Array | np.ndarray | np.generic):
        return _encode_array(np.asarray(value), arrays, name)
    if value is None or isinstance(value, bool | int | float | str):
        return {"plain": value}
    # A named tuple would come back without its names, and is refused.
    if type(value) in (list, tuple):
        items = [encode(item, arrays, f"{name}.{i}") for i, item in enumerate(value)]
        return {type(value).__name__: items}
    if isinstance(value, Mapping):
        pairs = enumerate(value.items())
        # In pairs, as keys of an object in JSON are all text.
        return {"dict": [[encode(k, {}, ""), encode(v, arrays, f"{name}.{i}")] for i, (k, v) in pairs]}
    raise TypeError(
        "`save` can keep arrays, quantities, random keys, numbers, strings, dicts, lists and tuples, "
        f"but found {type(value).__name__} in {name!r}. Example: final={{'r': rate}}."
    )


def _encode_array(values: np.ndarray, arrays: dict[str, np.ndarray], name: str) -> dict[str, object]:
    if values.dtype.kind in "OUSMm":
        raise TypeError(
            f"`save` can keep arrays of numbers, but {name!r} has dtype {values.dtype}. "
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


def _restored(values: np.ndarray, dtype: Any) -> Array:
    # numpy has no bfloat16: of such types it keeps the bytes.
    values = values.view(dtype) if values.dtype.kind == "V" else values.astype(dtype)
    # 64-bit numbers stay in numpy where JAX, as configured, would cut them to 32
    return jnp.asarray(values) if jax.dtypes.canonicalize_dtype(dtype) == dtype else values
