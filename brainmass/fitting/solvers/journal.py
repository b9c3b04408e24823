"""What a solver was told: enough to bring a new one to the same point without running the model again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers

__all__ = ["Journal"]


class Journal:
    """Rows of places and what was found there. Solvers draw from a seed: told the same, they ask the same."""

    def __init__(self, arrays: dict[str, np.ndarray] | None):
        self._rows: list[tuple[np.ndarray, ...]] = []
        self._old = [] if not arrays else list(zip(*(arrays[f"journal/{i}"] for i in range(len(arrays))), strict=True))

    @property
    def replaying(self) -> bool:
        """Whether the last answer came from the file."""
        return len(self._rows) <= len(self._old)

    def ask(self, place: np.ndarray, find: Callable[[np.ndarray], tuple[Numbers, ...]]) -> tuple[np.ndarray, ...]:
        """What is at a place: from the file, or found now."""
        if len(self._rows) < len(self._old):
            row = self._old[len(self._rows)]
            # To the bit: from the first difference on, stored answers would belong to other places.
            if not np.array_equal(row[0], place):
                raise argument_error(
                    Argument("resume", "fit"),
                    f"has the steps of another version of the optimiser: at step {len(self._rows)} it asks "
                    "for other candidates than are in the file",
                )
        else:
            # A copy: solvers reuse the array that they ask with.
            row = (np.array(place), *(np.asarray(x) for x in find(place)))
        self._rows.append(row)
        return row[1:]

    def arrays(self) -> dict[str, np.ndarray]:
        return {f"journal/{i}": np.stack(column) for i, column in enumerate(zip(*self._rows, strict=True))}
