"""Folds: who is fitted and who is tested, and how alike their data are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from brainmass._common import checks
from brainmass._common.messages import Argument, argument_error, show, suggestion
from brainmass._common.random import as_key
from brainmass._common.typing import Numbers, Seed
from brainmass.datasets.cohort import Cohort, in_order_of, mean_fc
from brainmass.datasets.hcp import EmpiricalDataset
from brainmass.datasets.splitting import check_held_out, split
from brainmass.objectives import functional_connectivity

if TYPE_CHECKING:
    from brainmass.connectome.dense import Connectome


__all__ = ["Fold", "Part", "connectivity", "folds_of", "halves", "similarity"]

_OF = "cross_validate"


class Part:
    """Those who are fitted, or those who are tested: subjects, or one group as if it were a subject."""

    def __init__(self, given: Cohort | EmpiricalDataset):
        self.given, self.fc, self._subjects = given, given.fc, list(given) if isinstance(given, Cohort) else [given]
        self.names: tuple[str, ...] = tuple(subject.name for subject in self._subjects)

    @property
    def connectome(self) -> Connectome:
        return self.given.connectome

    def __iter__(self) -> Iterator[Any]:
        return iter(self._subjects)


@dataclasses.dataclass(frozen=True)
class Fold:
    train: Part
    test: Part
    by: str

    @property
    def names(self) -> tuple[str, ...]:
        """What is left out."""
        if self.by == "subject":
            return self.test.names
        return tuple(dict.fromkeys(key for subject in self.test for key in subject.sessions))

    @property
    def everyone(self) -> list[Any]:
        return [*self.train, *self.test]

    def scored(self, score: Callable[[Any], float]) -> tuple[list[float], list[float]]:
        return [score(s) for s in self.train], [score(s) for s in self.test]


def folds_of(subjects: Any, folds: Any, by: str, seed: Seed, owner: str = _OF) -> list[Fold]:
    """Checked: nobody, or no recording, is on both sides of one."""
    checks.one_of(Argument("by", owner), by, ("subject", "session"))
    if not isinstance(subjects, Cohort):
        return _paired(subjects, folds, by, owner)
    units = subjects.names if by == "subject" else tuple(dict.fromkeys(k for s in subjects for k in s.sessions))
    out = [split(subjects, names, by=by) for names in _left_out(folds, units, by, seed, owner)]
    for train, test in out:
        check_held_out(train, test, by)
    return [Fold(Part(train), Part(test), by) for train, test in out]


def _left_out(folds: Any, units: Sequence[str], by: str, seed: Seed, owner: str) -> list[Any]:
    what, n = Argument("folds", owner), len(units)
    if n < 2:
        raise argument_error(Argument("subjects", owner), f"must have two {by}s or more", f"has {n}")
    if folds is None:
        return [[unit] for unit in units]
    if checks.is_whole(folds):
        if not 2 <= folds <= n:
            raise argument_error(what, f"must be from 2 to the number of {by}s, {n}", f"is {folds}", "folds=None")
        # Drawn, as subjects may be listed by group or by site.
        order = np.random.default_rng(np.asarray(as_key(seed))).permutation(n)
        return [[units[i] for i in sorted(part)] for part in np.array_split(order, int(folds))]
    lists = checks.items(what, folds, f"lists of names of {by}s, or a number", example="folds=[['01', '02'], ['03']]")
    lists = [checks.items(what, names, "names", example="folds=[['01', '02'], ['03']]") for names in lists]
    if not lists:
        raise argument_error(what, "must have a fold", "is empty", "folds=5")
    for name in (name for names in lists for name in names):
        if name not in units:
            hint = suggestion(str(name), units)
            raise argument_error(what, f"must be names of {', '.join(units)}", f"has {name!r}", hint=hint)
    return lists


def _paired(subjects: Any, folds: Any, by: str, owner: str) -> list[Fold]:
    what, example = Argument("subjects", owner), "subjects=[(one, other), (other, one)]"
    pairs = checks.items(what, subjects, "a Cohort, or pairs (train, test)", example=example)
    if folds is not None:
        raise argument_error(
            Argument("folds", owner), "must be left out where `subjects` are the folds", example=example
        )
    out = []
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise argument_error(what, "must be a Cohort, or pairs (train, test)", f"has {pair!r}", example)
        train, test = (checks.instance(what, x, Cohort | EmpiricalDataset, "cohorts or groups") for x in pair)
        if isinstance(train, Cohort) and isinstance(test, Cohort):
            check_held_out(train, test, by)
            out.append((train, in_order_of(train, test)))
            continue
        _check_groups(what, train, test)
        out.append((train, test))
    if not out:
        raise argument_error(what, "must have a pair", "is empty", example)
    return [Fold(Part(train), Part(test), by) for train, test in out]


def _check_groups(what: str, train: Any, test: Any) -> None:
    if train.name == test.name or np.array_equal(train.fc, test.fc):
        but = f"has {train.name!r} and {test.name!r}, which are one"
        raise argument_error(what, "must test on another group than was fitted", but)
    names = [_labels(group) for group in (train, test)]
    if names[0] != names[1]:
        but = f"{train.name!r} and {test.name!r} have not"
        raise argument_error(what, "must have the same regions in one order", but)


def _labels(group: Any) -> Any:
    return group.labels if isinstance(group, Cohort) else group.connectome.labels


# --- how alike data are -----------------------------------------------------------------------------------------------
def connectivity(prediction: Numbers) -> Any:
    """Functional connectivity of a prediction: of a time series, or a matrix of it as it is."""
    shape = np.shape(prediction)
    if len(shape) != 2:
        rule = "must be given where a prediction is no time series and no matrix"
        but = f"it has shape {shape}" if shape else "it is no array"
        raise argument_error(Argument("summary", _OF), rule, but, "summary=lambda made: functional_connectivity(...)")
    if (
        shape[0] == shape[1]
        and np.allclose(np.diag(prediction), 1)
        and np.allclose(prediction, np.transpose(prediction))
    ):
        return prediction
    return functional_connectivity(prediction)


def similarity(matrix: Numbers, subject: Any) -> float:
    """Correlation of a matrix with the FC of a subject, above the diagonal."""
    if np.shape(matrix) != subject.fc.shape:
        rule = f"must give of what is predicted a matrix as the FC of {subject.name!r}, of shape {subject.fc.shape}"
        raise argument_error(Argument("summary", _OF), rule, f"gives one of shape {np.shape(matrix)}")
    above = np.triu_indices(len(subject.fc), 1)
    return float(np.corrcoef(np.asarray(matrix)[above], subject.fc[above])[0, 1])


def as_score(score: Callable[[Any, Any], Any], summary: Any, subject: Any) -> float:
    found = score(summary, subject)
    if np.shape(found) != () or not checks.holds_numbers(found):
        raise argument_error(Argument("score", _OF), "must return a number", f"returns {show(found)}", kind=TypeError)
    return float(found)


def halves(folds: Sequence[Fold]) -> list[float] | None:
    """By fold, how reliable the FC of those tested is: first halves of recordings with second ones, Spearman-Brown."""
    # A group has one connectivity, and no recordings to be halved.
    if any(isinstance(subject, EmpiricalDataset) for fold in folds for subject in fold.test):
        return None
    return [float(np.mean([_reliability(subject) for subject in fold.test])) for fold in folds]


def _reliability(subject: Any) -> float:
    signals = [bold.signal for bold in subject.sessions.values()]
    first, second = (
        mean_fc([np.corrcoef(part, rowvar=False) for part in parts])
        for parts in ([x[: len(x) // 2] for x in signals], [x[len(x) // 2 :] for x in signals])
    )
    above = np.triu_indices(len(first), 1)
    r = np.corrcoef(first[above], second[above])[0, 1]
    # Spearman 1910, Brown 1910: of the whole length, from halves of it.
    return 2 * r / (1 + r)
