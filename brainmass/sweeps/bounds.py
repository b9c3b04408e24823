"""States that leave their bounds in some run of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from brainmass.simulation.inventory import Inventory
from brainmass.simulation.watch import Told, Watched

__all__ = ["Extremes"]


class Extremes:
    """By state, the least and the largest value of each run; NaN where it was not run here, or failed."""

    def __init__(self, n_runs: int):
        self._n_runs, self._least, self._most = n_runs, {}, {}

    def note(self, runs: np.ndarray, least: Mapping[str, np.ndarray], most: Mapping[str, np.ndarray]) -> None:
        for known, new in (self._least, least), (self._most, most):
            for path, values in new.items():
                known.setdefault(path, np.full(self._n_runs, np.nan))[runs] = values

    def warn(self, found: Inventory, words: Callable[[int], str]) -> None:
        """Say which states left their bounds, how far, and in which run; `words` names a run."""
        told = Told.of(found, Watched({}, self._least, self._most), None, True)
        told.warn_in_words(lambda where: words(where[0]), "runs", stacklevel=4)
