"""How far a sampler has come: shown in a bar, and kept in a file from which it goes on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from brainmass._common.archive import Archive, decode, encode
from brainmass._common.messages import Argument, argument_error
from brainmass._common.progress import progress_bar
from brainmass._common.typing import Pytree

__all__ = ["Journal"]

_ARCHIVE = Archive("brainmass.inference.sample", 1, ("resume", "sample"), "`sample(..., checkpoint=...)`")


class Journal:
    """Of one work, which `described` tells from others: what a file must agree with to be gone on from."""

    def __init__(
        self, described: Mapping[str, Any], checkpoint: Path | None, resume: Path | None, progress: bool, label: str
    ):
        self._described = json.loads(json.dumps(described))
        self._checkpoint, self._progress, self._label = checkpoint, progress, label
        self.keeps = checkpoint is not None or resume is not None
        self.kept: Pytree = None if resume is None else self._read(resume)

    def keep(self, tree: Pytree) -> None:
        """Write what the work goes on from, as plain lists, tuples, dictionaries, numbers and arrays."""
        if self._checkpoint is not None:
            arrays: dict[str, np.ndarray] = {}
            content = encode(tree, arrays, "kept")
            _ARCHIVE.write(self._checkpoint, {"described": self._described, "kept": content}, arrays)

    def _read(self, path: Path) -> Pytree:
        with _ARCHIVE.reading(path):
            content, arrays = _ARCHIVE.read(path)
            then, kept = content["described"], decode(content["kept"], arrays)
        for part in dict.fromkeys([*self._described, *then]):
            one, other = then.get(part, {}), self._described.get(part, {})
            for name in dict.fromkeys([*other, *one]):
                if one.get(name) != other.get(name):
                    raise argument_error(
                        Argument("resume", "sample"),
                        "must be a file of the same problem and settings",
                        f"{str(path)!r} has another {name}: {one.get(name)} there, {other.get(name)} here",
                    )
        return kept

    @contextlib.contextmanager
    def bar(self, total: int, done: int = 0) -> Iterator[Any]:
        """A progress bar, or what only looks like one."""
        with progress_bar(total=total, initial=done, desc=self._label, disable=not self._progress) as bar:
            yield bar
