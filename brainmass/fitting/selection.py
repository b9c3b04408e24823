"""What a selection of maps found, as one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from brainmass._common.display import page, table
from brainmass.fitting.generalisation import Row, aligned, divided, spread

__all__ = ["MapSelection", "NestedSelection", "SelectionStep"]

_HEAD = ("", "free parameters", "fitted", "left out", "gain ± its error")


class SelectionStep:
    """One map more.

    Attributes
    ----------
    maps : tuple of str
        Those of this step, the new one last.
    row : Row
        How a model with them does.
    gain : array (folds,) or None
        Of those left out, over the step before; None of the first, which has no map.
    taken : bool
        False of the last where its gain was too small.
    candidates : mapping of str to Row
        How each map did that could have been added.
    """

    def __init__(
        self,
        maps: tuple[str, ...],
        row: Row,
        gain: np.ndarray | None = None,
        taken: bool = True,
        candidates: Mapping[str, Row] | None = None,
    ):
        self.maps, self.row, self.gain, self.taken, self.candidates = maps, row, gain, taken, dict(candidates or {})

    def _cells(self) -> tuple[str, ...]:
        name = f"{'+' if self.taken else 'not'} {self.maps[-1]}" if self.maps else "no map"
        return name, *self.row._cells()[1:], "" if self.gain is None else _error(self.gain)

    def __repr__(self) -> str:
        return f"SelectionStep({', '.join(cell for cell in self._cells() if cell)})"


class NestedSelection:
    """The selection scored as a whole: for each fold it was done anew without those who are left out.

    Attributes
    ----------
    row, base : Row
        How what was chosen does, and a model without a map.
    gain : array (folds,)
        The one over the other, of those left out.
    chosen : list of tuples of str
        The maps of each fold.
    """

    def __init__(self, row: Row, base: Row, chosen: Sequence[tuple[str, ...]]):
        self.row, self.base, self.chosen = row, base, list(chosen)

    @property
    def gain(self) -> np.ndarray:
        """Of those left out, by fold."""
        return self.row.test - self.base.test

    @property
    def counts(self) -> dict[str, int]:
        """In how many folds each map was chosen, those first that were most often."""
        return dict(Counter(name for names in self.chosen for name in names).most_common())

    def _cells(self) -> tuple[str, ...]:
        _, _, *scores = self.row._cells()
        return self.row.name, "", *scores, _error(self.gain)

    def __repr__(self) -> str:
        return f"NestedSelection({', '.join(cell for cell in self._cells() if cell)})"


class MapSelection:
    """Maps that were chosen; printed, it is a table of mean scores over folds and their spread, a line for each map.

    Attributes
    ----------
    steps : list of SelectionStep
    nested : NestedSelection or None
        The score to report: that of the steps chose the maps.
    alike : list of (str, str, float)
        Pairs of maps that could stand for one another, with their correlation, of 0.8 or more.
    folds : list of tuples of str
        Who, or what, was left out.
    n_data : int
        Numbers that a fit was compared with; of connectivity those above the diagonal.
    """

    def __init__(
        self,
        steps: Sequence[SelectionStep],
        folds: Sequence[tuple[str, ...]],
        n_data: int,
        by: str,
        alike: Sequence[tuple[str, str, float]],
        nested: NestedSelection | None,
    ):
        self.steps, self.folds, self.n_data, self.by = list(steps), list(folds), n_data, by
        self.alike, self.nested = list(alike), nested

    @property
    def chosen(self) -> tuple[str, ...]:
        """Names of the maps, in the order in which they were taken."""
        return [step for step in self.steps if step.taken][-1].maps

    def _table(self) -> list[tuple[str, ...]]:
        rows = [step._cells() for step in self.steps]
        return rows if self.nested is None else [*rows, self.nested._cells()]

    def _notes(self) -> list[str]:
        if self.nested is None:
            notes = [
                "Maps were chosen by what is left out: its score is too good. nested=True scores the choice itself."
            ]
        else:
            times = ", ".join(f"{name} {n}" for name, n in self.nested.counts.items()) or "none"
            notes = [f"Report the last line: the others are too good, as they chose. Chosen in folds: {times}."]
        if self.alike:
            pairs = ", ".join(f"{one} and {other} ({r:.2f})" for one, other, r in self.alike)
            notes.append(f"Correlated, so that one may stand for the other: {pairs}.")
        return notes

    @property
    def _title(self) -> str:
        return f"{', '.join(self.chosen) or 'no map'}; {divided(self.folds, self.by, self.n_data)}"

    def __repr__(self) -> str:
        return "\n".join([f"MapSelection: {self._title}", *aligned([_HEAD, *self._table()]), *self._notes()])

    def _repr_html_(self) -> str:
        return page("MapSelection", self._title, table(_HEAD, self._table(), " ".join(self._notes())))


def _error(gain: np.ndarray) -> str:
    return spread(gain, gain.std(ddof=1) / np.sqrt(len(gain)))
