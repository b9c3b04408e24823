"""A fit in a file, to go on from where it stopped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.archive import Archive
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Pytree

__all__ = ["Saved", "digest", "leaves_of", "shapes_of", "with_leaves"]

_ARCHIVE = Archive("brainmass.Fitter", 1, ("resume", "fit"), "`save`")


@dataclass(frozen=True)
class Saved:
    """What was fitted, in words, and how far it had come, as arrays."""

    problem: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def write(self, path: Path) -> None:
        _ARCHIVE.write(path, {"problem": self.problem}, self.arrays)

    @classmethod
    def read(cls, path: Path) -> Saved:
        with _ARCHIVE.reading(path):
            content, arrays = _ARCHIVE.read(path)
            return cls(content["problem"], arrays)

    @classmethod
    def read_for(cls, path: Path, problem: dict[str, object]) -> Saved:
        """The file, which must be one of this very problem."""
        # As a file has it: tuples are lists there, and would compare as another.
        saved, present = cls.read(path), json.loads(json.dumps(problem))
        for what in dict.fromkeys([*present, *saved.problem]):
            then, now = saved.problem.get(what), present.get(what)
            if then != now:
                raise argument_error(
                    Argument("resume", "fit"),
                    "must be a file of the same fit",
                    f"{str(path)!r} has another {what}: {then} there, {now} here",
                )
        return saved


def shapes_of(tree: Pytree) -> dict[str, str]:
    """Shape, precision and unit of the arrays of a mapping, by name."""
    leaves = jax.tree.flatten_with_path(tree, is_leaf=lambda x: isinstance(x, u.Quantity))[0]
    return {
        jax.tree_util.keystr(path): f"{tuple(u.math.shape(x))} {jnp.result_type(u.get_mantissa(x))} {u.get_unit(x)}"
        for path, x in leaves
    }


def digest(tree: Pytree) -> str:
    """A short text that differs for different numbers."""
    # Shapes, precision and units count, too: of the same bytes there may be two arrays.
    total = hashlib.sha256(json.dumps(shapes_of(tree)).encode())
    for leaf in jax.tree.leaves(tree):
        total.update(np.ascontiguousarray(np.asarray(leaf)).tobytes())
    return total.hexdigest()[:16]


def leaves_of(name: str, tree: Pytree) -> dict[str, np.ndarray]:
    return {f"{name}/{i}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(tree))}


def with_leaves(name: str, like: Pytree, arrays: dict[str, np.ndarray]) -> Pytree:
    """A tree built as another one, of stored arrays."""
    leaves, tree = jax.tree.flatten(like)
    return jax.tree.unflatten(tree, [jnp.asarray(arrays[f"{name}/{i}"]) for i in range(len(leaves))])
