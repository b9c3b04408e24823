"""`cross_validate`: fits to some subjects, scored on others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from brainmass._common import checks
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.progress import progress_bar
from brainmass._common.typing import Numbers, PathLike, Seed
from brainmass.datasets.cohort import Cohort
from brainmass.fitting.fitter import Fitter
from brainmass.fitting.generalisation import CrossValidation, Row
from brainmass.fitting.held_out import Fold, as_score, connectivity, folds_of, halves, similarity
from brainmass.fitting.trials import Study, as_folder, check_compares

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
    study = Study(_OF, _EXAMPLE, target=target, data=data, summary=summary, score=score, runs=runs, seed=seed, fit=fit)
    checks.flag(Argument("progress", _OF), progress)
    fitters, parts = _fitters(fitter), folds_of(subjects, folds, by, seed)
    folder = as_folder(Argument("checkpoints", _OF), checkpoints)
    rows = _baselines(parts, score, data is not None) if summary is connectivity else {}
    with progress_bar(
        total=len(fitters) * len(parts), desc="cross-validating", unit="fit", disable=not progress
    ) as bar:
        for name, given in fitters.items():
            rows[name] = study.row(name, given, parts, folder, bar.update)
    reliability = halves(parts) if (summary, score) == (connectivity, similarity) else None
    return CrossValidation(rows, [part.names for part in parts], study.n_data, reliability, by)


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
            check_compares(what, fitter)
        elif not checks.is_function(fitter):
            rule = "must be a Fitter, a function that makes one, or a mapping of them"
            raise argument_error(what, rule, f"is {show(fitter)}", _EXAMPLE, kind=TypeError)
        else:
            named[name] = partial(_made, name, fitter)
    return named


def _made(name: str, function: Callable[[Any], Any], train: Any) -> Fitter:
    fitter, what = function(train), Argument("fitter", _OF)
    checks.instance(what, fitter, Fitter, f"a function that returns a Fitter, for {name!r},", example=_EXAMPLE)
    check_compares(what, fitter)
    return fitter
