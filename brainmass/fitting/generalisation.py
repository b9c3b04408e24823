"""What a cross-validation found, as one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from brainmass._common.display import page, table
from brainmass.fitting.outcome import FitResult

__all__ = ["CrossValidation", "Row", "aligned", "divided", "spread"]

_HEAD = ("", "free parameters", "fitted", "left out")


class Row:
    """Scores of one predictor, by fold.

    Attributes
    ----------
    name : str
    parameters : int or None
        How many numbers were free; None of a predictor that is data itself.
    nonzero : int or None
        Those that are not exactly zero, on average over folds, rounded.
    train, test : array (folds,)
        Mean score over the subjects that were fitted, and over those that were left out.
    by_subject : list of arrays
        Of those left out, by fold.
    fits : list of FitResult
    """

    def __init__(self, name: str, parameters: int | None = None, ceiling: bool = False):
        self.name, self.parameters, self.ceiling = name, parameters, ceiling
        self.fits: list[FitResult] = []
        self._train: list[float] = []
        self._nonzero: list[int] = []
        self.by_subject: list[np.ndarray] = []

    def add(
        self,
        scores: tuple[Sequence[float], Sequence[float]],
        fit: FitResult | None = None,
        counted: tuple[int, int] = (0, 0),
    ) -> None:
        """A fold: scores of those who were fitted and of those who were not, and how many numbers were free."""
        self._train.append(float(np.mean(scores[0])))
        self.by_subject.append(np.asarray(scores[1]))
        if fit is not None:
            self.fits.append(fit)
            self.parameters = counted[0]
            self._nonzero.append(counted[1])

    def take(self, other: Row) -> None:
        """The folds of another row."""
        self._train += other._train
        self._nonzero += other._nonzero
        self.by_subject += other.by_subject
        self.fits += other.fits
        self.parameters = other.parameters

    @property
    def train(self) -> np.ndarray:
        return np.asarray(self._train)

    @property
    def test(self) -> np.ndarray:
        return np.asarray([scores.mean() for scores in self.by_subject])

    @property
    def nonzero(self) -> int | None:
        # A sparse fit may leave other numbers zero in each fold.
        return round(np.mean(self._nonzero)) if self._nonzero else self.parameters

    def _cells(self) -> tuple[str, str, str, str]:
        count = "" if self.parameters is None else f"{self.parameters:,}"
        if self.nonzero != self.parameters:
            count = f"{self.nonzero:,} of {count}"
        return self.name, count, spread(self.train), spread(self.test)

    def __repr__(self) -> str:
        return f"Row({', '.join(cell for cell in self._cells() if cell)})"


class CrossValidation(Mapping[str, Row]):
    """Rows of a cross-validation by name; printed, it is a table of mean scores over folds and their spread.

    Attributes
    ----------
    folds : list of tuples of str
        Who, or what, was left out.
    n_data : int
        Numbers that a fit was compared with; of connectivity those above the diagonal.
    reliability : array (folds,) or None
        Of the connectivity of those left out: first halves of their recordings with second ones, by the formula of
        Spearman and Brown for their whole length. A perfect model would correlate its root with them.
    """

    def __init__(
        self, rows: Mapping[str, Row], folds: Sequence[tuple[str, ...]], n_data: int, reliability: Any, by: str
    ):
        self._rows, self.folds, self.n_data, self.by = MappingProxyType(dict(rows)), list(folds), n_data, by
        self.reliability = None if reliability is None else np.asarray(reliability)

    def __getitem__(self, name: str) -> Row:
        return self._rows[name]

    def __iter__(self) -> Any:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def _table(self) -> list[tuple[str, str, str, str]]:
        # What no model can pass stands last; sorting is stable, and leaves the others as they were given.
        rows = [row._cells() for row in sorted(self.values(), key=lambda row: row.ceiling)]
        if self.reliability is not None:
            rows.append(("halves of a recording", "", "", spread(self.reliability)))
        return rows

    @property
    def _title(self) -> str:
        return divided(self.folds, self.by, self.n_data)

    def __repr__(self) -> str:
        return "\n".join([f"CrossValidation: {self._title}", *aligned([_HEAD, *self._table()])])

    def _repr_html_(self) -> str:
        return page("CrossValidation", self._title, table(_HEAD, self._table()))


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Of a table the lines: names to the left, numbers to the right."""
    first, *others = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        f"{line[0]:<{first}}" + "".join(f"  {cell:>{width}}" for cell, width in zip(line[1:], others, strict=True))
        for line in lines
    ]
    return [line.rstrip() for line in text]


def divided(folds: Sequence[tuple[str, ...]], by: str, n_data: int) -> str:
    """Who was left out, in words."""
    one = all(len(names) == 1 for names in folds)
    left = f"one {by} at a time" if one else f"{len(folds)} parts of the {by}s"
    return f"{left}, {len(folds)} folds; each fit has {n_data:,} numbers of data"


def spread(scores: np.ndarray, error: float | None = None) -> str:
    """Mean and standard deviation; or an error in its place."""
    if error is None:
        error = scores.std(ddof=1) if len(scores) > 1 else None
    return f"{scores.mean():.3f}" + ("" if error is None else f" ± {error:.3f}")
