"""A fit in a file, to go on from where it stopped."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass.files import whole_file

__all__ = ["Saved", "digest", "leaves_of", "shapes_of", "with_leaves"]

_FORMAT, _VERSION = "brainmass.Fitter", 1


@dataclass(frozen=True)
class Saved:
    """What was fitted, in words, and how far it had come, as arrays."""

    problem: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def write(self, path: Path) -> None:
        manifest = json.dumps({"format": _FORMAT, "version": _VERSION, "problem": self.problem})
        with whole_file(path) as partial, open(partial, "xb") as file:
            np.savez(file, **self.arrays, manifest=np.asarray(manifest))  # pyright: ignore[reportArgumentType]

    @classmethod
    def read(cls, path: Path) -> Saved:
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            manifest = json.loads(str(arrays.pop("manifest")))
            if manifest["format"] != _FORMAT or manifest["version"] > _VERSION:
                raise ValueError(f"it is {manifest['format']} of version {manifest['version']}")
            return cls(manifest["problem"], arrays)
        except (FileNotFoundError, PermissionError, IsADirectoryError):
            raise
        except (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"Argument `resume` of fit must be a whole file written by `save`, but {str(path)!r} is not: {error}"
            ) from error

    @classmethod
    def read_for(cls, path: Path, problem: dict[str, Any]) -> Saved:
        """The file, which must be one of this very problem."""
        saved, present = cls.read(path), json.loads(json.dumps(problem))
        for what in dict.fromkeys([*present, *saved.problem]):
            then, now = saved.problem.get(what), present.get(what)
            if then != now:
                raise ValueError(
                    f"Argument `resume` of fit must be a file of the same fit, but {str(path)!r} has another {what}: "
                    f"{then} there, {now} here."
                )
        return saved


def shapes_of(tree: Any) -> Any:
    """Shape, precision and unit of the arrays of a mapping, by name."""
    leaves = jax.tree.flatten_with_path(tree, is_leaf=lambda x: isinstance(x, u.Quantity))[0]
    return {
        jax.tree_util.keystr(path): f"{tuple(u.math.shape(x))} {jnp.result_type(u.get_mantissa(x))} {u.get_unit(x)}"
        for path, x in leaves
    }


def digest(tree: Any) -> str:
    """A short text that differs for different numbers."""
    total = hashlib.sha256(json.dumps(shapes_of(tree)).encode())
    for leaf in jax.tree.leaves(tree):
        total.update(np.ascontiguousarray(np.asarray(leaf)).tobytes())
    return total.hexdigest()[:16]


def leaves_of(name: str, tree: Any) -> dict[str, np.ndarray]:
    return {f"{name}/{i}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(tree))}


def with_leaves(name: str, like: Any, arrays: dict[str, np.ndarray]) -> Any:
    """A tree built as another one, of stored arrays."""
    leaves, tree = jax.tree.flatten(like)
    return jax.tree.unflatten(tree, [jnp.asarray(arrays[f"{name}/{i}"]) for i in range(len(leaves))])
