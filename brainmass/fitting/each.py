"""Many fits of one shape as one batched program: subjects, windows, settings, starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import flag, instance
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.progress import progress_bar
from brainmass._common.typing import Numbers, Pytree, Seed
from brainmass.fitting.coordinate import Coordinate
from brainmass.fitting.course import Course, Given, Orders, Step
from brainmass.fitting.description import Free
from brainmass.fitting.fitter import Fitter
from brainmass.fitting.outcome import FitResult
from brainmass.fitting.rows import Rows
from brainmass.fitting.saved import shapes_of
from brainmass.fitting.solvers.gradient import GradientDescent
from brainmass.simulation.lanes import Lanes, lanes_at_once

__all__ = ["Batch", "Candidate", "fit_each", "lane", "stacked"]

_CALL = 'fit_each(fitter, {"01": fc_of_01, "02": fc_of_02}, 100)'


def fit_each(
    fitter: Fitter,
    targets: Mapping[str, Numbers],
    n_steps: int = 100,
    *,
    data: Mapping[str, Pytree] | None = None,
    values: Mapping[str, Mapping[str, Any]] | None = None,
    seed: Seed = 0,
    fresh_noise: bool | None = None,
    patience: int | None = None,
    min_delta: float = 0.0,
    progress: bool = False,
) -> dict[str, FitResult]:
    """Fit one model to many targets, or under many settings, each by itself, by gradient in one batched program.

    The same as `fitter.fit(target)` for one after the other, to rounding; the program is compiled once. The model stays
    as it is.

    Parameters
    ----------
    fitter : Fitter
        With the back end 'grad' and one start.
    targets : mapping of str to array
        What each candidate is compared with, by its label, such as a subject; all of one shape. None, of a fitter with
        `loss_fn`.
    n_steps : int
    data : mapping of str to array, optional
        By the same labels, what `predict(model, key, data)` gets besides, such as the connectome of that subject.
    values : mapping of str to mappings, optional
        By the same labels, values of parameters by name: of one that is fitted, where that candidate starts; of any
        other, what it is there.
    seed, fresh_noise, patience, min_delta, progress
        As in `Fitter.fit`. All candidates see the same noise; patience is that of each.

    Returns
    -------
    dict of str to FitResult

    Raises
    ------
    ValueError, TypeError
        If labels differ, or candidates do not share a shape.
    """
    what = Argument("fitter", "fit_each")
    instance(what, fitter, Fitter, "a Fitter", example=_CALL)
    solver = fitter._solver
    if not isinstance(solver, GradientDescent) or solver.n_starts > 1:
        raise argument_error(what, "must have the back end 'grad' and one start", f"has {fitter.backend!r}")
    if fitter._callbacks:
        raise argument_error(what, "must have no callbacks: they are told of one fit")
    instance(Argument("targets", "fit_each"), targets, Mapping, "a mapping of labels to targets", example=_CALL)
    if not targets:
        raise argument_error(Argument("targets", "fit_each"), "must hold a target", "is empty", _CALL)
    if not fitter._problem.compares and any(target is not None for target in targets.values()):
        raise argument_error(
            Argument("targets", "fit_each"), "must hold None for each label of a fitter with `loss_fn`, which gets none"
        )
    flag(Argument("progress", "fit_each"), progress)
    for name, given in {"data": data, "values": values}.items():
        _check_labels(name, given, targets)
    how = {"seed": seed, "fresh_noise": fresh_noise, "patience": patience, "min_delta": min_delta}
    candidates = []
    for label, target in targets.items():
        row = {} if data is None else {"data": _row(data[label])}
        arranged = fitter._arranged(_row(target) if row else target, n_steps, **how, **row)
        candidates.append(Candidate.of(label, arranged, {} if values is None else values[label]))
    batch = Batch(fitter, solver, candidates)
    return batch.results(batch.run(progress))


class Candidate(NamedTuple):
    label: str
    orders: Orders
    space: Any
    given: Given
    structure: Any

    @classmethod
    def of(cls, label: str, arranged: tuple, values: Mapping[str, Numbers]) -> Candidate:
        orders, found, space, given, structure = arranged
        theta, fixed = dict(given.theta), dict(given.fixed)
        for name, value in values.items():
            path, what = found.find_param(name), Argument("values", "fit_each", entry=label, more=f", for `{name}`,")
            # the transform of a parameter that is not fitted is its own
            side = space.sides[path] if path in theta else Coordinate(path, Free(), found)
            kept, raw = (theta if path in theta else fixed), side.raw_of(what, value)
            # In the precision of the model: another would be another program.
            kept[path] = jax.tree.map(lambda x, old: jnp.asarray(x, jnp.result_type(old)), raw, kept[path])
        return cls(label, orders, space, given._replace(theta=theta, fixed=fixed), structure)


class Batch:
    """Candidates side by side. What is the same for all has no lanes: it is an argument once."""

    def __init__(self, fitter: Fitter, solver: GradientDescent, candidates: list[Candidate]):
        self._fitter, self._solver, self._candidates = fitter, solver, candidates
        first, givens = candidates[0], [candidate.given for candidate in candidates]
        shapes = [shapes_of((given.theta, given.fixed, given.target)) for given in givens]
        for candidate, shape in zip(candidates, shapes, strict=True):
            if shape != shapes[0] or candidate.structure != first.structure:
                raise argument_error(
                    Argument("targets", "fit_each"),
                    "must be of one shape, to be fitted side by side",
                    f"{candidate.label!r} is unlike {first.label!r}",
                )
        self._first, self._space = first, first.space
        # A start beyond the bounds is moved to them, as in a fit of one.
        self._theta = stacked([self._space.kept_within(given.theta) for given in givens])
        self._fixed_axes = {path: _axis([given.fixed[path] for given in givens]) for path in first.given.fixed}
        self._fixed = {
            path: first.given.fixed[path] if axis is None else stacked([given.fixed[path] for given in givens])
            for path, axis in self._fixed_axes.items()
        }
        self._target_axis = _axis([given.target for given in givens])
        targets = [given.target for given in givens]
        self._target = targets[0] if self._target_axis is None else stacked(targets)

    def _lanes(self, kind: str, function: Any, in_axes: Any, out_axes: Any) -> Lanes:
        # Which arguments have lanes is a part of the program, whatever their values.
        varying = tuple(path for path, axis in self._fixed_axes.items() if axis == 0), self._target_axis
        compiled = self._solver._compiled
        lanes = Lanes(function, in_axes, out_axes, lanes_at_once(self._solver.problem.inventory()))
        return compiled.setdefault((kind, self._first.structure, varying), lanes)

    def run(self, progress: bool) -> list[Course]:
        """The course of each candidate."""
        key, natural = self._first.given.key, self._solver.problem.natural
        step = partial(self._solver._step, self._space)
        axes = (0, 0, self._fixed_axes, None, None, self._target_axis)
        steps, theta = self._lanes("each", step, axes, (0, 0, 0, 0, None)), self._theta
        state = jax.vmap(self._solver.optimizer.init)(theta)
        courses = [Course(candidate.orders, {}, None) for candidate in self._candidates]
        going = [i for i, course in enumerate(courses) if not course.over]
        bar = progress_bar(total=self._first.orders.n_steps, desc="fitting", unit="step") if progress else None
        # Candidates that have ended take steps with the others, as lanes cannot leave; nothing of it is noted.
        while going:
            # Copied to the host once for all lanes, not one slice of an array of JAX for each.
            before = jax.tree.map(np.asarray, theta)
            # All are at the same step, and so see the same noise.
            number = courses[going[0]].number
            theta, state, losses, (norms, sizes), used = steps(theta, state, self._fixed, key, number, self._target)
            losses, norms, sizes = (np.asarray(x) for x in (losses, norms, sizes))
            for i in list(going):
                place = lane(before, i)
                told = Step(losses[i], place, used, natural, norms=norms[i], sizes=sizes[i])
                if courses[i].ends(told):
                    going.remove(i)
            if bar is not None:
                bar.update()
        if bar is not None:
            bar.close()
        return courses

    def best(self, courses: list[Course]) -> Pytree:
        """The places of the lowest losses, along the first axis; where there is none, those of the starts."""
        chosen = [course.chosen() for course in courses]
        return stacked([lane(self._theta, i) if key is None else place for i, (_, place, key) in enumerate(chosen)])

    def results(self, courses: list[Course]) -> dict[str, FitResult]:
        problem = self._solver.problem
        chosen = [course.chosen() for course in courses]
        keys = np.stack([np.asarray(self._first.given.key if key is None else key) for _, _, key in chosen])
        theta = self.best(courses)
        params = jax.vmap(lambda theta: dict(problem.natural(theta)))(theta)
        predictions = None
        if problem.predicts:
            predict = self._lanes("each predicts", problem.predicted, (0, self._fixed_axes, 0, self._target_axis), 0)
            predictions, told = predict(theta, self._fixed, keys, self._target)
            if isinstance(self._first.given.target, Rows):
                # Each had one row of its own, by `_row`.
                predictions = jax.tree.map(lambda x: x[:, 0], predictions)
            for run in told:
                run.warn(("candidate {}",), stacklevel=5)
        return {
            candidate.label: FitResult(
                backend=self._fitter.backend,
                best_loss=best_loss,
                best_params=lane(params, i),
                history=np.asarray(course.losses),
                n_steps=course.n_done,
                prediction=None if predictions is None else lane(predictions, i),
                optimizer=self._fitter.optimizer,
                histories=np.asarray(course.histories),
                grad_norms=np.asarray(course.norms) if course.norms else None,
                bounds=self._space.bounds(),
            )
            for i, (candidate, course, (best_loss, _, _)) in enumerate(
                zip(self._candidates, courses, chosen, strict=True)
            )
        }


def _check_labels(name: str, given: Any, targets: Mapping[str, Pytree]) -> None:
    if given is None:
        return
    what = Argument(name, "fit_each")
    instance(what, given, Mapping, "a mapping by the labels of `targets`")
    if given.keys() != targets.keys():
        odd = next(iter(given.keys() ^ targets.keys()))
        raise argument_error(what, "must have the labels of `targets`", f"{show(odd)} is in one alone")


def _row(x: Numbers) -> Numbers:
    """As the only row of several."""
    return jax.tree.map(lambda x: np.asarray(x)[None], x)


def _axis(trees: Iterable[Pytree]) -> int | None:
    """Whether there are lanes: not where all have the same numbers."""
    first, *others = [jax.tree.leaves(tree) for tree in trees]
    # Compared, as equal numbers without lanes are read once for all.
    same = all(a is b or np.array_equal(a, b) for other in others for a, b in zip(first, other, strict=True))
    return None if same else 0


def stacked(trees: list[Pytree]) -> Pytree:
    return jax.tree.map(lambda *xs: jnp.stack(xs), *trees)


def lane(tree: Pytree, i: int) -> Pytree:
    return jax.tree.map(lambda x: x[i], tree)
