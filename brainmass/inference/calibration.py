"""`calibrate`: whether the posteriors of an engine can be believed, tried on data whose truth is known."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import chisquare

from brainmass._common.checks import flag, instance, is_function, number, one_of, whole
from brainmass._common.display import page, table
from brainmass._common.messages import Argument, argument_error
from brainmass._common.progress import progress_bar
from brainmass._common.random import as_key
from brainmass._common.typing import Numbers, Pytree, Seed
from brainmass.dynamics.module import Closed
from brainmass.inference.estimator import Estimator
from brainmass.inference.posterior import Posterior
from brainmass.inference.problem import Problem
from brainmass.inference.sampling import METHODS, sample
from brainmass.inference.simulated import Simulated

__all__ = ["Calibration", "calibrate"]

Engine = Callable[[Problem, Any], Posterior]

_RANKS = 99  # draws among which a truth has its rank: 0 to 99
_UNLIKELY = 0.01
_SHORT = 3.0  # standard errors that a coverage may be off


class Calibration(Closed):
    """How an engine did on studies whose truth was drawn from the prior. One column for each number of a parameter.

    Attributes
    ----------
    names : list of str
    ranks : array of int (study, number)
        How many of 99 draws lie below the truth: each number from 0 to 99 is as likely as another, if the posteriors
        are right (Talts et al. 2018; Cook, Gelman and Rubin 2006).
    z_scores : array (study, number)
        (posterior mean - truth) / posterior standard deviation.
    shrinkage : array (study, number)
        1 - posterior variance / prior variance: 1 where the data tell all, 0 where they tell nothing.
    notes : list of str
        What is wrong, in words; empty where nothing was found.
    left_out : int
        Studies that tell nothing, as their features are infinite or NaN.

    The numbers are those in which engines work: without bounds, of order one, in the order of the values.
    """

    def __init__(self, names: list[str], ranks: Numbers, z_scores: Numbers, shrinkage: Numbers, *, left_out: int = 0):
        self.names, self.ranks, self.left_out = list(names), np.asarray(ranks), left_out
        self.z_scores, self.shrinkage = np.asarray(z_scores), np.asarray(shrinkage)
        self.notes = self._notes()

    @property
    def p_values(self) -> dict[str, float]:
        """How likely ranks as uneven as these are by chance, by number: chi-squared over bins of ten studies or so."""
        # So that some ten are expected in each, as the distribution of χ² is that of many counts.
        n_bins = int(np.clip(len(self.ranks) // 10, 4, 20))
        bins = self.ranks * n_bins // (_RANKS + 1)
        counts = [np.bincount(column, minlength=n_bins) for column in bins.T]
        # 100 ranks do not fill all numbers of bins evenly: each is expected to have by how many ranks it holds.
        expected = np.bincount(np.arange(_RANKS + 1) * n_bins // (_RANKS + 1)) / (_RANKS + 1) * len(self.ranks)
        return {name: float(chisquare(c, expected).pvalue) for name, c in zip(self.names, counts, strict=True)}

    def coverage(self, mass: float = 0.8) -> dict[str, float]:
        """In which share of the studies the central interval with this mass holds the truth, by number."""
        mass = number(Argument("mass", "coverage"), mass, "between 0 and 1", lambda x: 0 < x < 1)
        return dict(zip(self.names, self._within(mass).mean(axis=0).tolist(), strict=True))

    def _within(self, mass: float) -> np.ndarray:
        place = (self.ranks + 0.5) / (_RANKS + 1)
        return np.abs(place - 0.5) < mass / 2

    def summary(self) -> str:
        """A table: p of even ranks, coverage of 50, 80 and 95 % intervals, mean shrinkage, mean and sd of z."""
        rows = [_HEAD, *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([self._title(), *lines, *(f"Note: {note}" for note in self.notes)])

    def _rows(self) -> list[tuple[str, ...]]:
        p, cover = self.p_values, [self.coverage(mass) for mass in (0.5, 0.8, 0.95)]
        rows = []
        for i, name in enumerate(self.names):
            z, shares = self.z_scores[:, i], (f"{100 * c[name]:.0f} %" for c in cover)
            shrinkage = f"{self.shrinkage[:, i].mean():.3f}"
            rows.append((name, f"{p[name]:.3f}", *shares, shrinkage, f"{z.mean():.2f}", f"{z.std():.2f}"))
        return rows

    def _title(self) -> str:
        without = f", {self.left_out} more left out" * bool(self.left_out)
        found = "nothing wrong found" if not self.notes else "not calibrated"
        return f"Calibration: {len(self.ranks)} studies{without}, {found}"

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        notes = table(("notes",), [(note,) for note in self.notes])
        return page("Calibration", self._title().partition(" ")[2], table(_HEAD, self._rows()), notes)

    def _notes(self) -> list[str]:
        """Bonferroni's correction: one of many numbers is uneven by chance."""
        notes, limit = [], _UNLIKELY / len(self.names)
        for i, (name, p) in enumerate(self.p_values.items()):
            covered, expected = self._within(0.8)[:, i].mean(), 0.8
            # Of a share of so many independent studies (binomial).
            error = np.sqrt(expected * (1 - expected) / len(self.ranks))
            place = (self.ranks[:, i] + 0.5) / (_RANKS + 1)
            # In standard errors: an even distribution from 0 to 1 has the variance 1/12.
            lean = (place.mean() - 0.5) * np.sqrt(12 * len(place))
            if abs(lean) > _SHORT + 0.5:
                notes.append(f"{name}: too {'low' if lean > 0 else 'high'} on the whole")
            elif abs(covered - expected) > _SHORT * error:
                which = "narrow" if covered < expected else "wide"
                notes.append(f"{name}: too {which}, its 80 % intervals hold the truth in {100 * covered:.0f} %")
            elif p < limit:
                notes.append(f"{name}: ranks of the truth are uneven (p = {p:.2g})")
        return notes


_HEAD = "parameter", "p of ranks", "in 50 %", "in 80 %", "in 95 %", "shrinkage", "mean z", "sd of z"


def calibrate(
    problem: Problem | Estimator,
    n_studies: int = 100,
    *,
    method: str | Engine | None = None,
    seed: Seed = 0,
    progress: bool = False,
    **options: Any,
) -> Calibration:
    """Simulation-based calibration: draw truths from the prior, observe each, and see where posteriors have them.

    Parameters
    ----------
    problem : Problem or Estimator
        Its own observation plays no part.
    n_studies : int
    method : str or callable, optional
        Of a problem: a method of `sample`, 'nuts' by default, or `method(problem, key) -> Posterior` for any other.
    seed : int or JAX key
    progress : bool
        Show a bar.
    **options
        Those of `sample`, such as `n_draws` and `n_warmup`.

    Returns
    -------
    Calibration
        With a warning where the posteriors are too narrow, too wide, or on one side, or studies are left out.

    Examples
    --------
    >>> inference.calibrate(problem, 100, method="laplace").coverage(0.8)  # doctest: +SKIP
    """
    instance(Argument("problem", "calibrate"), problem, (Problem, Estimator), "a Problem, or an Estimator")
    n_studies = whole(Argument("n_studies", "calibrate"), n_studies, 20)
    flag(Argument("progress", "calibrate"), progress)
    estimator = problem if isinstance(problem, Estimator) else None
    if estimator is not None:
        for name in ("method",) * (method is not None) + tuple(options):
            raise argument_error(Argument(name, "calibrate"), "is of no use for an Estimator", "is given")
    engine = None if estimator is not None else _engine(method, options)
    of_truths, of_draws = jax.random.split(jnp.asarray(as_key(seed)))
    simulated = Simulated(problem, None) if isinstance(problem, Problem) else problem._simulated
    # More than the studies where those are few: they tell how wide the prior is.
    values, truth = simulated.draws(np.asarray(of_truths), max(n_studies, 1000))
    prior_sd, truth = np.std(np.asarray(truth), axis=0), np.asarray(truth)[:n_studies]
    left_out = 0
    values = jax.tree.map(lambda x: x[:n_studies], values)
    if estimator is not None:
        x = simulated.run(values, jax.random.fold_in(of_truths, 1))
        good = np.isfinite(x[:, estimator._flow.standard.kept]).all(axis=1)
        left_out = int((~good).sum())
        if left_out == n_studies:
            raise ValueError(
                f"The features of all {n_studies} studies are infinite or NaN: the run diverges in most of the prior."
            )
        # Features that are left out may be NaN, and are not read.
        truth, draws = truth[good], estimator.draws(np.nan_to_num(x[good]), 1000, of_draws)
    else:
        draws = _posteriors(simulated, values, engine, jax.random.fold_in(of_truths, 1), of_draws, progress)
    found = _compared(simulated.reals.names(), truth, draws, prior_sd, left_out)
    untold = [f"{left_out} studies of {n_studies} left out, as their features are infinite or NaN"] * bool(left_out)
    for note in [*untold, *found.notes]:
        warnings.warn(f"calibrate: {note}.", RuntimeWarning, stacklevel=2)
    return found


def _engine(method: Any, options: dict[str, Any]) -> Engine:
    if is_function(method):
        if options:
            raise argument_error(Argument(next(iter(options)), "calibrate"), "is of no use for a function", "is given")
        return method
    one_of(Argument("method", "calibrate"), method, (*METHODS, None), also="a function or ")
    return lambda problem, key: sample(problem, method=method or "nuts", seed=key, **options)


def _posteriors(
    simulated: Simulated, values: Pytree, engine: Any, of_runs: Numbers, of_draws: jax.Array, progress: bool
) -> Iterable[np.ndarray]:
    """Draws (draw, number) of each study, as rows of numbers."""
    problem = simulated.problem
    observed = problem.observations(values, of_runs)
    names = list(problem._fitted.subject.likelihoods)
    observed = {name: observed[f"observed {name or 'y'}"] for name in names}
    rows = problem._program("rows", lambda: jax.jit(jax.vmap(simulated.reals.row)))
    n = len(jax.tree.leaves(values)[0])
    with progress_bar(total=n, desc="calibrating", disable=not progress) as bar, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each study's own doubts: what comes of them is seen in the ranks
        for i in range(n):
            one = problem._observing({name: x[i] for name, x in observed.items()})
            posterior = engine(one, jax.random.fold_in(of_draws, i))
            instance(Argument("method", "calibrate"), posterior, Posterior, "a function that returns a Posterior")
            yield np.asarray(rows({name: posterior.flat(name) for name in simulated.reals.sides}))
            bar.update(1)


def _compared(
    names: list[str], truth: np.ndarray, draws: Iterable[np.ndarray], prior_sd: np.ndarray, left_out: int
) -> Calibration:
    ranks, scores, shrinkage = [], [], []
    for true, drawn in zip(truth, draws, strict=True):
        if len(drawn) < _RANKS:
            rule = f"must be at least {_RANKS} in all chains together"
            raise argument_error(Argument("n_draws", "calibrate"), rule, f"there are {len(drawn)}")
        # Ranks are even only among independent draws: those far apart in a chain are nearly so (Talts et al. 2018).
        thinned = drawn[np.linspace(0, len(drawn) - 1, _RANKS).round().astype(int)]
        ranks.append((thinned < true).sum(axis=0))
        # Draws that are all the same tell of no width, and are not to give NaN.
        sd = np.maximum(drawn.std(axis=0), np.finfo(drawn.dtype).tiny)
        scores.append((drawn.mean(axis=0) - true) / sd)
        shrinkage.append(1 - (sd / prior_sd) ** 2)
    return Calibration(names, np.stack(ranks), np.stack(scores), np.stack(shrinkage), left_out=left_out)
