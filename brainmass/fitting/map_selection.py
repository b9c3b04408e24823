"""`select_maps`: which maps of the cortex a parameter follows, by fits scored on those who were left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import brainunit as u
import numpy as np

from brainmass._common import checks
from brainmass._common.foreign import plain
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.progress import progress_bar
from brainmass._common.typing import Numbers, PathLike, Seed
from brainmass.datasets.cohort import Cohort
from brainmass.fitting.fitter import Fitter
from brainmass.fitting.generalisation import Row
from brainmass.fitting.held_out import Fold, connectivity, folds_of, similarity
from brainmass.fitting.selection import MapSelection, NestedSelection, SelectionStep
from brainmass.fitting.trials import Study, as_folder, check_compares

__all__ = ["select_maps"]

_OF = "select_maps"
_EXAMPLE = 'select_maps(make, {"myelin": myelin, "gradient": gradient}, cohort)'
_DEPENDENT = 1e-6  # share of a map's variance that the others leave, as of numbers in single precision
_ALIKE = 0.8


def select_maps(
    make: Callable[[Any, dict[str, np.ndarray]], Fitter],
    maps: Mapping[str, Any],
    subjects: Cohort | Sequence[tuple[Any, Any]],
    folds: int | Sequence[Sequence[str]] | None = None,
    *,
    by: str = "subject",
    nested: bool = False,
    most: int | None = None,
    margin: float = 2.0,
    standardise: bool = True,
    target: Callable[[Any], Any] = attrgetter("fc"),
    data: Callable[[Any], Any] | None = None,
    summary: Callable[[Numbers], Numbers] = connectivity,
    score: Callable[[Numbers, Numbers], Numbers] = similarity,
    runs: int = 4,
    seed: Seed = 0,
    checkpoints: PathLike | None = None,
    progress: bool = False,
    **fit: Any,
) -> MapSelection:
    """Choose maps one after the other, each the one that raises most the score of those who were left out.

    It ends where the best further map does not raise it by more than `margin` standard errors of its gain over folds,
    fold against the same fold. That it predicts other people tells that a map is of use, not that no other map as
    smooth would be: for that, select again with maps that `spin_test` would compare with.

    Parameters
    ----------
    make : function
        `make(train, maps)` returns a Fitter of those who are fitted, as `lambda train: Fitter(...)` of
        `cross_validate`, with a coefficient for each of these maps, by name: `RegionalMap(maps, a=1.4)`. The first are
        none. Fitters that differ in numbers alone, those of as many maps, are compiled once.
    maps : mapping of str to array (N,)
        One number for each region of the subjects, in their order; tables with the names of regions are put in it.
    subjects, folds, by
        As in `cross_validate`; two folds or more.
    nested : bool
        Also score the whole selection on people who had no part in it: for each fold it is done anew on the others,
        by folds of their own, which takes as many times longer. It needs a Cohort, and three folds or more.
    most : int, optional
        No more maps than these.
    margin : float
        Of the gain over folds, in standard errors; 1 is the rule of one standard error (Breiman et al. 1984). By
        default more, as the best of several maps gains by chance, and folds share most of those who are fitted, which
        makes errors seem smaller than they are.
    standardise : bool
        Whether `make` gets maps with mean 0 and standard deviation 1, so that one step of an optimiser is as large in
        each.
    target, data, summary, score, runs, seed, checkpoints, progress, **fit
        As in `cross_validate`.

    Returns
    -------
    MapSelection

    Raises
    ------
    ValueError, TypeError
        If a map does not differ between regions, is not finite, or follows from the others; or `make` has no
        coefficients for maps.
    """
    study = Study(_OF, _EXAMPLE, target=target, data=data, summary=summary, score=score, runs=runs, seed=seed, fit=fit)
    checks.function(Argument("make", _OF), make, example="make=lambda train, maps: Fitter(...)")
    for name, flag in {"nested": nested, "standardise": standardise, "progress": progress}.items():
        checks.flag(Argument(name, _OF), flag)
    checks.number(Argument("margin", _OF), margin, ">= 0", lambda x: 0 <= x < np.inf)
    parts = folds_of(subjects, folds, by, seed, _OF)
    _check_enough(subjects, parts, nested)
    given = _as_maps(maps, parts[0].train.given, standardise)
    most = len(given) if most is None else checks.whole(Argument("most", _OF), most)
    _check_coefficients(make, given, parts[0])
    folder = as_folder(Argument("checkpoints", _OF), checkpoints)
    with progress_bar(desc="selecting", unit="fit", disable=not progress) as bar:
        search = _Search(study, make, given, most, float(margin), bar.update)
        steps = search.steps(parts, folder)
        outer = search.nested(steps[0].row, parts, folder) if nested else None
    return MapSelection(steps, [part.names for part in parts], study.n_data, by, _correlations(given), outer)


class _Search:
    """From no map to as many as are worth it."""

    def __init__(
        self,
        study: Study,
        make: Callable[[Any, dict[str, np.ndarray]], Fitter],
        maps: dict[str, np.ndarray],
        most: int,
        margin: float,
        done: Callable[[], object],
    ):
        self._study, self._make, self._maps, self._most, self._margin = study, make, maps, most, margin
        self._done = done

    def steps(self, parts: Sequence[Fold], folder: Path | None) -> list[SelectionStep]:
        """The first without a map; the last may be one that was not taken."""
        steps = [SelectionStep((), self.row((), parts, folder))]
        while steps[-1].taken and len(steps) <= min(self._most, len(self._maps)):
            last = steps[-1]
            rows = {
                name: self.row((*last.maps, name), parts, folder) for name in self._maps if name not in last.maps
            }  # fmt: skip
            # A fit that was lost has no score, and is not chosen.
            best = max(rows, key=lambda name: np.nan_to_num(rows[name].test.mean(), nan=-np.inf))
            gain = rows[best].test - last.row.test
            taken = bool(gain.mean() > self._margin * gain.std(ddof=1) / np.sqrt(len(gain)))
            steps.append(SelectionStep((*last.maps, best), rows[best], gain, taken, rows))
        return steps

    def nested(self, base: Row, parts: Sequence[Fold], folder: Path | None) -> NestedSelection:
        """For each fold, what is chosen without it and how that does on it."""
        row, chosen = Row("chosen anew in each fold"), []
        for k, part in enumerate(parts):
            inside = None if folder is None else as_folder("", folder / f"without-{k}")
            # The others leave out one another, as all do outside.
            left_out = [
                [name for name in other.names if name not in part.names] for other in parts if other is not part
            ]
            inner = folds_of(part.train.given, [names for names in left_out if names], part.by, self._study.seed, _OF)
            steps = self.steps(inner, inside)
            chosen.append(steps[-1].maps if steps[-1].taken else steps[-2].maps)
            row.take(self.row(chosen[-1], [part], inside, "of all of them"))
        return NestedSelection(row, base, chosen)

    def row(self, names: tuple[str, ...], parts: Sequence[Fold], folder: Path | None, more: str = "") -> Row:
        maps = {name: self._maps[name] for name in names}
        label = " + ".join(names) or "no map"
        row = self._study.row(
            f"{label} {more}".strip(), lambda train: self._make(train, maps), parts, folder, self._done
        )
        row.name = label
        return row


# --- what is given ----------------------------------------------------------------------------------------------------
def _as_maps(maps: Any, train: Any, standardise: bool) -> dict[str, np.ndarray]:
    what = Argument("maps", _OF)
    checks.mapping(what, maps, "arrays with a number for each region")
    if not maps:
        raise argument_error(what, "must hold a map", "is empty", _EXAMPLE)
    n, labels = len(train.fc), getattr(train, "labels", None)
    labels = getattr(train.connectome, "labels", None) if labels is None and not isinstance(train, Cohort) else labels
    found = {
        name: _as_map(Argument("maps", _OF, entry=name, more=f", {name!r},"), x, n, labels) for name, x in maps.items()
    }
    _check_independent(what, found)
    if standardise:
        found = {name: (values - values.mean()) / values.std() for name, values in found.items()}
    return found


def _as_map(what: Argument, given: Any, n: int, labels: Any) -> np.ndarray:
    if what.entry == "level":
        raise argument_error(what, "must have another name, as RegionalMap calls the level so")
    values = checks.numbers(what, plain(what, given, labels), unit=u.UNITLESS)
    values = np.asarray(values, float)
    if values.shape != (n,):
        raise argument_error(what, f"must have one number for each of the {n} regions", f"has shape {values.shape}")
    if not np.isfinite(values).all():
        i = int(np.flatnonzero(~np.isfinite(values))[0])
        raise argument_error(what, "must be finite", f"is {values[i]} in region {i}")
    if np.ptp(values) <= 1e-6 * np.abs(values).max():
        raise argument_error(what, "must differ between regions", f"is {values[0]:.6g} in all of them")
    return values


def _check_independent(what: str, maps: dict[str, np.ndarray]) -> None:
    """Coefficients of maps that follow from one another could be anything."""
    names = list(maps)
    standardised = np.stack([(x - x.mean()) / np.linalg.norm(x - x.mean()) for x in maps.values()])
    for k in range(1, len(names)):
        weights, *_ = np.linalg.lstsq(standardised[:k].T, standardised[k], rcond=None)
        rest = standardised[k] - weights @ standardised[:k]
        if rest @ rest < _DEPENDENT:
            others = [repr(name) for name, weight in zip(names, weights, strict=False) if abs(weight) > 1e-3]
            but = f"{names[k]!r} follows from {' and '.join(others)}: no data tell them apart"
            raise argument_error(what, "must not be sums of one another", but)


def _correlations(maps: dict[str, np.ndarray]) -> list[tuple[str, str, float]]:
    """Pairs that could stand for one another."""
    names, r = list(maps), np.atleast_2d(np.corrcoef(np.stack(list(maps.values()))))
    pairs = zip(*np.triu_indices(len(names), 1), strict=True)
    return [(names[i], names[j], float(r[i, j])) for i, j in pairs if abs(r[i, j]) >= _ALIKE]


def _check_enough(subjects: Any, parts: Sequence[Fold], nested: bool) -> None:
    if len(parts) < 2:
        rule = "must have two folds or more, over which a gain has an error"
        raise argument_error(Argument("subjects", _OF), rule, f"has {len(parts)}")
    if nested and not isinstance(subjects, Cohort):
        rule = "must be a Cohort where nested=True, as those who are fitted are divided once more"
        raise argument_error(Argument("subjects", _OF), rule, f"is {show(subjects)}", kind=TypeError)
    if nested and len(parts) < 3:
        rule = "must be three or more where nested=True, as those who are fitted are divided once more"
        raise argument_error(Argument("folds", _OF), rule, f"are {len(parts)}", "folds=None")


def _check_coefficients(make: Callable[..., Any], maps: dict[str, np.ndarray], part: Fold) -> None:
    counts, what = [], Argument("make", _OF)
    for chosen in ({}, maps):
        fitter = make(part.train.given, dict(chosen))
        checks.instance(what, fitter, Fitter, "a function that returns a Fitter", example=_EXAMPLE)
        check_compares(what, fitter)
        counts.append(sum(side.size for side in fitter._space(fitter._problem.inventory()).sides.values()))
    if counts[1] < counts[0] + len(maps):
        rule = "must fit a coefficient for each map that it is given"
        but = f"has {counts[0]} free numbers without a map, and {counts[1]} with {len(maps)}"
        raise argument_error(what, rule, but, "RegionalMap(maps, a=1.4)")
