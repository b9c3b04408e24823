"""`cross_validate`: fits to some subjects, scored on others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common import checks
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.paths import as_path
from brainmass._common.progress import progress_bar
from brainmass._common.random import as_key, fold_at_once
from brainmass._common.typing import Numbers, PathLike, Pytree, Seed
from brainmass.datasets.cohort import Cohort
from brainmass.fitting.fitter import Fitter
from brainmass.fitting.generalisation import CrossValidation, Row
from brainmass.fitting.held_out import Fold, as_score, connectivity, folds_of, halves, similarity
from brainmass.fitting.outcome import FitResult
from brainmass.fitting.rows import as_rows, chunks

__all__ = ["cross_validate"]

_OF = "cross_validate"
_EXAMPLE = "cross_validate(fitter, cohort, folds=5)"


def cross_validate(
    fitter: Fitter | Callable[[Any], Fitter] | Mapping[str, Fitter | Callable[[Any], Fitter]],
    subjects: Cohort | Sequence[tuple[Any, Any]],
    folds: int | Sequence[Sequence[str]] | None = None,
    *,
    by: str = "subject",
    target: Callable[[Any], Any] = attrgetter("fc"),
    data: Callable[[Any], Any] | None = None,
    summary: Callable[[Numbers], Numbers] = connectivity,
    score: Callable[[Numbers, Numbers], Numbers] = similarity,
    runs: int = 4,
    seed: Seed = 0,
    checkpoints: PathLike | None = None,
    progress: bool = False,
    **fit: Any,
) -> CrossValidation:
    """Fit to some subjects and score on the others, each of which is left out once.

    In one table with the fits stand what they are to be held against: the connectome itself, without a model; the mean
    functional connectivity (FC) of the subjects that were fitted, as a predictor of the others; how well one half of
    a recording predicts the other; and the number of free parameters beside that of the data.

    Every fit starts from the values that the model has now, and the model is left with them.

    Parameters
    ----------
    fitter : Fitter, function, or mapping of them by name
        With an `objective` that compares a prediction with the target. A function makes one of the subjects that are
        fitted, such as of their mean connectome: `lambda train: Fitter(...)`; those that differ in the numbers of their
        parameters alone are compiled once. Baselines, such as a model whose regions are all alike or linear theory, are
        further fitters.
    subjects : Cohort, or pairs (train, test)
        Pairs of cohorts or of groups, such as `EmpiricalDataset`, say the folds themselves.
    folds : int or lists of names, optional
        How many parts, into which the seed divides the subjects, or who is left out in each. Default: one at a time.
    by : {'subject', 'session'}
        What is left out: people, or sessions of the same people.
    target : function
        What is fitted to: of a cohort, or, with `data`, of a subject. Default its `fc`.
    data : function, optional
        Of a subject, such as `lambda subject: subject.connectome.weights`: the third argument of `predict`, and each
        subject is then fitted and predicted with its own. Without it one model is fitted to the group.
    summary : function, optional
        What is averaged over runs: of a prediction. Default: its functional connectivity.
    score : function, optional
        `score(summary, subject)`, higher is better. Default: Pearson correlation with the FC of the subject above the
        diagonal.
    runs : int
        How many runs are predicted with the fitted parameters, with noise that nothing was fitted on.
    seed : int or JAX key
        Decides folds, fits and runs.
    checkpoints : path of a folder, optional
        Each fit is written there while it goes on, and gone on from where its file is there.
    progress : bool
        Show a progress bar of fits.
    **fit
        Further arguments of `Fitter.fit`, such as `n_steps` or `batch`.

    Returns
    -------
    CrossValidation

    Raises
    ------
    ValueError, TypeError
        If a subject, or a recording, is both fitted and tested; or a fitter has nothing that is compared.
    """
    of = partial(Argument, owner=_OF)
    if odd := sorted({"target", "data", "seed", "resume", "checkpoint", "progress"} & set(fit)):
        raise argument_error(of(odd[0]), "belongs to cross_validate, not to a single fit", example=_EXAMPLE)
    for name, function in {"target": target, "summary": summary, "score": score}.items():
        checks.function(of(name), function)
    if data is not None:
        checks.function(of("data"), data, example="data=lambda subject: subject.connectome.weights")
    checks.whole(of("runs"), runs)
    checks.flag(of("progress"), progress)
    fitters, parts = _fitters(fitter), folds_of(subjects, folds, by, seed)
    folder = None if checkpoints is None else as_path(checkpoints, of("checkpoints"))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    rows = _baselines(parts, score, data is not None) if summary is connectivity else {}
    counted = [0] * len(parts)
    with progress_bar(
        total=len(fitters) * len(parts), desc="cross-validating", unit="fit", disable=not progress
    ) as bar:
        for name, given in fitters.items():
            row = rows[name] = Row(name)
            made = None
            for k, part in enumerate(parts):
                made = given if isinstance(given, Fitter) else _made(name, given, part, made)
                trial = _Trial(made, target, data, runs, seed)
                path = None if folder is None else folder / f"{_as_file(name)}-{k}.npz"
                with _as_it_was(made):
                    result = trial.fit(part, path, fit)
                    row.add(trial.scores(part, summary, score, fit.get("batch")), result, trial.counted(result))
                counted[k] = trial.n_data
                bar.update()
    reliability = halves(parts) if (summary, score) == (connectivity, similarity) else None
    return CrossValidation(rows, [part.names for part in parts], max(counted), reliability, by)


class _Trial:
    """One fitter on one fold."""

    def __init__(self, fitter: Fitter, target: Any, data: Any, runs: int, seed: Seed):
        self.fitter, self.runs, self.n_data = fitter, runs, 0
        self._target, self._data, self._seed = target, data, seed

    def fit(self, part: Fold, path: Path | None, how: Mapping[str, Any]) -> Any:
        target, data = self._target(part.train), None
        if self._data is not None:
            target = _stacked([self._target(subject) for subject in part.train])
            data = self._of_each(list(part.train))
        self.n_data = _count(target)
        # A file of another fit is refused by `resume` itself, in words.
        saved = {} if path is None else {"checkpoint": path, "resume": path if path.exists() else None}
        return self.fitter.fit(target, data=data, seed=self._seed, **saved, **how)

    def scores(self, part: Fold, summary: Any, score: Any, batch: int | None) -> tuple[list[float], list[float]]:
        """Of each subject that was fitted, and of each that was not."""
        everyone = [*part.train, *part.test]
        summaries = self._predicted(everyone, summary, batch)
        found = [as_score(score, made, subject) for made, subject in zip(summaries, everyone, strict=True)]
        return found[: -len(part.test.names)], found[-len(part.test.names) :]

    def counted(self, result: FitResult) -> tuple[int, int]:
        """Numbers that were free, and those of them that are not exactly zero."""
        sides = self.fitter._space(self.fitter._problem.inventory()).sides
        found = {path: np.asarray(u.get_mantissa(result.best_params[path])) for path in sides}
        # a number that regions share stands for all of them there
        nonzero = [np.count_nonzero(x) if x.size == sides[path].size else sides[path].size for path, x in found.items()]
        return sum(side.size for side in sides.values()), int(sum(nonzero))

    def _predicted(self, everyone: Sequence[Any], summary: Any, batch: int | None) -> list[Numbers]:
        fitter, data = self.fitter, self._of_each(everyone) if self._data is not None else None
        problem, key = fitter._problem, as_key(self._seed)
        found = problem.inventory()
        space = fitter._space(found)
        target = None if data is None else as_rows(data, data, None)
        given = fitter._given(found, space, target, self._seed)
        structure = fitter._structure(found, given), "cross_validate"
        predict = fitter._predictions.setdefault(structure, jax.jit(lambda *args: problem.predicted(*args)[0]))
        # Summed up run by run: predictions of all runs at once may not fit into memory.
        total: list[Numbers] = []
        for run in range(self.runs):
            fresh = fold_at_once(key, np.uint32(2**32 - 1 - run))  # steps of a fit count from zero
            if target is None:
                made = [summary(predict(given.theta, given.fixed, fresh, None))]
            else:
                parts = [predict(given.theta, given.fixed, fresh, p) for p in chunks(target, batch or len(everyone))]
                rows = jax.tree.map(lambda *x: jnp.concatenate(x), *parts)
                made = [summary(jax.tree.map(lambda x, i=i: x[i], rows)) for i in range(len(everyone))]
            total = made if not total else [jax.tree.map(jnp.add, a, b) for a, b in zip(total, made, strict=True)]
        # Of summaries, not of signals, whose noise would cancel and leave another connectivity.
        means = [jax.tree.map(lambda x: np.asarray(x) / self.runs, one) for one in total]
        return means if target is not None else means * len(everyone)

    def _of_each(self, subjects: Sequence[Any]) -> Pytree:
        return _stacked([self._data(subject) for subject in subjects])


@contextmanager
def _as_it_was(fitter: Fitter) -> Iterator[None]:
    """Whatever is fitted within, the model has its values again after it."""
    start = fitter._problem.inventory().raw()
    try:
        yield
    finally:
        found = fitter._problem.inventory()
        for path in fitter._space(found).sides:
            param, value = found.params[path], start[path]
            if param.fit:
                # into the state that is there: others may hold it
                param.val.value = value  # pyright: ignore[reportAttributeAccessIssue]
            else:
                param.val = value
                param.clear_cache()


def _baselines(parts: Sequence[Fold], score: Any, own: bool) -> dict[str, Row]:
    """What predicts without a model: connectomes, and the FC of those who were fitted."""
    rows = {}
    if all(subject.connectome is not None for part in parts for subject in part.everyone):
        rows["connectome itself"] = row = Row("connectome itself", parameters=0)
        for part in parts:
            group = part.train.connectome.weights
            row.add(part.scored(lambda s, group=group: as_score(score, s.connectome.weights if own else group, s)))
    rows["FC of those fitted"] = row = Row("FC of those fitted", ceiling=True)
    for part in parts:
        row.add(part.scored(lambda s, fc=part.train.fc: as_score(score, fc, s)))
    return rows


def _fitters(given: Any) -> dict[str, Any]:
    what = Argument("fitter", _OF)
    named = dict(given) if isinstance(given, Mapping) else {"model": given}
    if not named:
        raise argument_error(what, "must hold a Fitter", "is empty", _EXAMPLE)
    for name, fitter in named.items():
        if not isinstance(name, str):
            raise argument_error(what, "must have names as keys", f"has {name!r}", kind=TypeError)
        if isinstance(fitter, Fitter):
            _check_compares(fitter)
        elif not checks.is_function(fitter):
            rule = "must be a Fitter, a function that makes one, or a mapping of them"
            raise argument_error(what, rule, f"is {show(fitter)}", _EXAMPLE, kind=TypeError)
    return named


def _made(name: str, function: Callable[[Any], Any], part: Fold, last: Fitter | None) -> Fitter:
    fitter = function(part.train.given)
    what = Argument("fitter", _OF)
    checks.instance(what, fitter, Fitter, f"a function that returns a Fitter, for {name!r},", example=_EXAMPLE)
    _check_compares(fitter)
    if last is not None and last is not fitter:
        fitter._share(last)  # what is compiled for the first fold serves the others
    return fitter


def _check_compares(fitter: Fitter) -> None:
    if not fitter._problem.compares:
        rule = "must compare a prediction with the subjects"
        but = "has a `loss_fn`, which compares by itself"
        raise argument_error(Argument("fitter", _OF), rule, but, "Fitter(model, predict=..., objective=...)")


def _stacked(rows: Sequence[Pytree]) -> Pytree:
    try:
        return jax.tree.map(lambda *x: np.stack([np.asarray(one) for one in x]), *rows)
    except ValueError as error:
        rule = "must give arrays of one shape for all subjects"
        raise argument_error(Argument("data", _OF), rule, str(error)) from error


def _count(target: Pytree) -> int:
    """How many numbers are compared with; of symmetric matrices those above the diagonal."""

    def of(x: Numbers) -> int:
        x = np.asarray(x)
        square = x.ndim >= 2 and x.shape[-1] == x.shape[-2]
        # Each pair of regions is one number of data, though the matrix has it twice.
        if square and np.array_equal(x, np.swapaxes(x, -1, -2)):
            return x.size // x.shape[-1] * (x.shape[-1] - 1) // 2
        return x.size

    return sum(map(of, jax.tree.leaves(target)))


def _as_file(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)
