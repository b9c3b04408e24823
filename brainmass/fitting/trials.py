"""Fits to the subjects of folds, and what they score: of one predictor after another, compiled once where they may."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common import checks
from brainmass._common.messages import Argument, argument_error
from brainmass._common.paths import as_path
from brainmass._common.random import as_key, fold_at_once
from brainmass._common.typing import Numbers, PathLike, Pytree, Seed
from brainmass.fitting.fitter import Fitter
from brainmass.fitting.generalisation import Row
from brainmass.fitting.held_out import Fold, as_score
from brainmass.fitting.outcome import FitResult
from brainmass.fitting.rows import as_rows, chunks

__all__ = ["Study", "as_folder", "check_compares"]

_OWN = {"target", "data", "seed", "resume", "checkpoint", "progress"}


class Study:
    """How fits are made and scored, whichever fitter it is.

    Attributes
    ----------
    n_data : int
        The most numbers that a fit was compared with so far.
    """

    def __init__(
        self,
        owner: str,
        example: str,
        *,
        target: Callable[[Any], Any],
        data: Callable[[Any], Any] | None,
        summary: Callable[[Numbers], Numbers],
        score: Callable[[Numbers, Numbers], Numbers],
        runs: int,
        seed: Seed,
        fit: Mapping[str, Any],
    ):
        if odd := sorted(_OWN & set(fit)):
            raise argument_error(Argument(odd[0], owner), f"belongs to {owner}, not to a single fit", example=example)
        for name, function in {"target": target, "summary": summary, "score": score}.items():
            checks.function(Argument(name, owner), function)
        if data is not None:
            example = "data=lambda subject: subject.connectome.weights"
            checks.function(Argument("data", owner), data, example=example)
        checks.whole(Argument("runs", owner), runs)
        self.target, self.data, self.summary, self.score = target, data, summary, score
        self.owner, self.runs, self.seed, self.fit, self.n_data = owner, runs, seed, dict(fit), 0
        self._made: list[Fitter] = []

    def row(
        self,
        name: str,
        given: Fitter | Callable[[Any], Any],
        parts: Sequence[Fold],
        folder: Path | None,
        done: Callable[[], object],
    ) -> Row:
        """Of one fitter, or of those that a function makes of who is fitted; `done` is called after each fit."""
        row = Row(name)
        for k, part in enumerate(parts):
            fitter = given if isinstance(given, Fitter) else self.shared(given(part.train.given))
            trial = _Trial(fitter, self)
            path = None if folder is None else folder / f"{_as_file(name)}-{k}.npz"
            with _as_it_was(fitter):
                result = trial.fit(part, path)
                row.add(trial.scores(part), result, trial.counted(result))
            self.n_data = max(self.n_data, trial.n_data)
            done()
        return row

    def shared(self, fitter: Fitter) -> Fitter:
        """With what is compiled for those that were made alike before."""
        if not any(fitter is known or fitter._share(known) for known in self._made):
            self._made.append(fitter)
        return fitter

    def stacked(self, function: Callable[[Any], Any], subjects: Iterable[Any]) -> Pytree:
        """What a function gives of each subject."""
        rows = [function(subject) for subject in subjects]
        try:
            return jax.tree.map(lambda *x: np.stack([np.asarray(one) for one in x]), *rows)
        except ValueError as error:
            rule = "must give arrays of one shape for all subjects"
            raise argument_error(Argument("data", self.owner), rule, str(error)) from error


class _Trial:
    """One fitter on one fold."""

    def __init__(self, fitter: Fitter, study: Study):
        self.fitter, self.study, self.n_data = fitter, study, 0

    def fit(self, part: Fold, path: Path | None) -> Any:
        target, data = self.study.target(part.train), None
        if self.study.data is not None:
            target = self.study.stacked(self.study.target, part.train)
            data = self.study.stacked(self.study.data, part.train)
        self.n_data = _count(target)
        # A file of another fit is refused by `resume` itself, in words.
        saved = {} if path is None else {"checkpoint": path, "resume": path if path.exists() else None}
        return self.fitter.fit(target, data=data, seed=self.study.seed, **saved, **self.study.fit)

    def scores(self, part: Fold) -> tuple[list[float], list[float]]:
        """Of each subject that was fitted, and of each that was not."""
        everyone = [*part.train, *part.test]
        summaries = self._predicted(everyone)
        found = [as_score(self.study.score, made, subject) for made, subject in zip(summaries, everyone, strict=True)]
        return found[: -len(part.test.names)], found[-len(part.test.names) :]

    def counted(self, result: FitResult) -> tuple[int, int]:
        """Numbers that were free, and those of them that are not exactly zero."""
        sides = self.fitter._space(self.fitter._problem.inventory()).sides
        found = {path: np.asarray(u.get_mantissa(result.best_params[path])) for path in sides}
        # a number that regions share stands for all of them there
        nonzero = [np.count_nonzero(x) if x.size == sides[path].size else sides[path].size for path, x in found.items()]
        return sum(side.size for side in sides.values()), int(sum(nonzero))

    def _predicted(self, everyone: Sequence[Any]) -> list[Numbers]:
        fitter, data = self.fitter, None
        if self.study.data is not None:
            data = self.study.stacked(self.study.data, everyone)
        problem, key, runs = fitter._problem, as_key(self.study.seed), self.study.runs
        summary, batch = self.study.summary, self.study.fit.get("batch")
        found = problem.inventory()
        space = fitter._space(found)
        target = None if data is None else as_rows(data, data, None)
        given = fitter._given(found, space, target, self.study.seed)
        structure = fitter._structure(found, given), "left out"
        predict = fitter._predictions.setdefault(structure, jax.jit(lambda *args: problem.predicted(*args)[0]))
        # Summed up run by run: predictions of all runs at once may not fit into memory.
        total: list[Numbers] = []
        for run in range(runs):
            fresh = fold_at_once(key, np.uint32(2**32 - 1 - run))  # steps of a fit count from zero
            if target is None:
                made = [summary(predict(given.theta, given.fixed, fresh, None))]
            else:
                parts = [predict(given.theta, given.fixed, fresh, p) for p in chunks(target, batch or len(everyone))]
                rows = jax.tree.map(lambda *x: jnp.concatenate(x), *parts)
                made = [summary(jax.tree.map(lambda x, i=i: x[i], rows)) for i in range(len(everyone))]
            total = made if not total else [jax.tree.map(jnp.add, a, b) for a, b in zip(total, made, strict=True)]
        # Of summaries, not of signals, whose noise would cancel and leave another connectivity.
        means = [jax.tree.map(lambda x: np.asarray(x) / runs, one) for one in total]
        return means if target is not None else means * len(everyone)


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


def check_compares(what: str, fitter: Fitter) -> None:
    if not fitter._problem.compares:
        rule = "must compare a prediction with the subjects"
        but = "has a `loss_fn`, which compares by itself"
        raise argument_error(what, rule, but, "Fitter(model, predict=..., objective=...)")


def as_folder(what: str, checkpoints: PathLike | None) -> Path | None:
    """Of checkpoints, which is there then."""
    folder = None if checkpoints is None else as_path(checkpoints, what)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


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
