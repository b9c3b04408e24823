"""`Posterior`: draws of parameters given data, with what is known of how they were drawn."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, Self

import brainunit as u
import jax
import numpy as np

from brainmass._common.archive import Archive, decode, encode
from brainmass._common.checks import instance, number, whole
from brainmass._common.display import page, table
from brainmass._common.extras import import_bayes, import_io
from brainmass._common.messages import Argument, argument_error
from brainmass._common.paths import as_path, target_path
from brainmass._common.random import as_key
from brainmass._common.typing import Numbers, PathLike, Seed
from brainmass.dynamics.module import Closed
from brainmass.inference.diagnostics import effective_draws, effective_draws_of_tails, r_hat
from brainmass.inference.hierarchical import HierarchicalProblem
from brainmass.inference.problem import Problem
from brainmass.simulation.inventory import ByPath

__all__ = ["Posterior"]

_ARCHIVE = Archive("brainmass.Posterior", 1, ("path", "Posterior.load"), "Posterior.save")
_SAVED = ("method", "samples", "stats", "facts", "notes", "labels", "subjects", "seconds", "seed", "provenance")


class Posterior(Closed):
    """Draws from a posterior, by parameter: `posterior["a"]` has the shape (chain, draw, ...), with its unit.

    Attributes
    ----------
    samples : mapping of str to array (chain, draw, ...)
        By the path of the parameter; an ending that tells it from the others will do to read one.
    stats : mapping of str to array (chain, draw)
        What the engine tells of each draw, such as `lp`, the log density, and `diverging`.
    facts : mapping of str to number, or array
        What it tells of the whole: of 'smc' `log_evidence`, and for each temperature `temperatures`,
        `effective_draws`, `acceptance_rate` and `ancestors`; of 'vi' and 'pathfinder' `pareto_k` and
        `effective_draws`, of 'vi' `elbo`.
    method : str
    notes : list of str
        What is wrong with the draws, in words; empty where nothing was found.
    seconds : float
        How long the engine worked, its compilation included.
    problem : Problem, HierarchicalProblem or None
        Not in a file.
    provenance : dict of str to str
        Where the draws come from, as `brainmass posterior` writes it.
    """

    def __init__(
        self,
        *,
        method: str,
        samples: Mapping[str, Numbers],
        stats: Mapping[str, Numbers] | None = None,
        facts: Mapping[str, Any] | None = None,
        notes: list[str] | None = None,
        labels: tuple[str, ...] | None = None,
        subjects: tuple[str, ...] | None = None,
        seconds: float = 0.0,
        seed: str = "",
        provenance: Mapping[str, str] | None = None,
        problem: Problem | HierarchicalProblem | None = None,
        described: Mapping[str, Any] | None = None,
    ):
        self.method, self.samples, self.stats = method, ByPath(samples), dict(stats or {})
        self.facts, self.provenance = dict(facts or {}), dict(provenance or {})
        self.notes, self.seconds, self.seed, self.problem = list(notes or []), seconds, seed, problem
        self.labels = None if labels is None else tuple(labels)
        self.subjects = None if subjects is None else tuple(subjects)
        self._described = dict(described or ({} if problem is None else problem.describe()))

    # --- reading ----------------------------------------------------------------------------------------------------
    def __getitem__(self, name: str) -> Numbers:
        return self.samples[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.samples)

    @property
    def shape(self) -> tuple[int, int]:
        """Chains, and draws of each."""
        return u.math.shape(next(iter(self.samples.values())))[:2]

    def flat(self, name: str) -> Numbers:
        """All draws of a parameter, one after the other: shape (chains · draws, ...)."""
        draws = self[name]
        return u.math.reshape(draws, (-1, *u.math.shape(draws)[2:]))

    def mean(self) -> dict[str, Numbers]:
        """Of each parameter."""
        return ByPath({name: self.flat(name).mean(0) for name in self})

    def std(self) -> dict[str, Numbers]:
        """Standard deviation of each parameter."""
        return ByPath({name: self.flat(name).std(0) for name in self})

    def interval(self, mass: float = 0.9) -> dict[str, tuple[Numbers, Numbers]]:
        """Between which values the middle share `mass` of the draws lies, for each parameter."""
        mass = float(number(Argument("mass", "interval"), mass, "between 0 and 1", lambda x: 0 < x < 1))
        ends = (1 - mass) / 2, (1 + mass) / 2
        return ByPath({name: tuple(self._quantile(name, p) for p in ends) for name in self})

    def best(self) -> dict[str, Numbers]:
        """The draw with the highest density, for each parameter."""
        if "lp" not in self.stats:
            raise ValueError(f"Draws by {self.method} have no density to compare them by.")
        at = int(np.argmax(np.ravel(self.stats["lp"])))
        return ByPath({name: self.flat(name)[at] for name in self})

    def _quantile(self, name: str, p: float) -> Numbers:
        draws = self.flat(name)
        numbers = np.quantile(np.asarray(u.get_mantissa(draws)), p, axis=0)
        return u.Quantity(numbers, unit=draws.unit) if isinstance(draws, u.Quantity) else numbers

    # --- how good it is -----------------------------------------------------------------------------------------------
    def diagnostics(self) -> dict[str, dict[str, np.ndarray]]:
        """By parameter: `rhat` (rank-normalised, split), and effective sample sizes `ess_bulk` and `ess_tail`.

        Vehtari et al. 2021, Bayesian Anal. 16:667. One chain has no `rhat`: NaN.
        """
        return {name: _diagnosed(np.asarray(u.get_mantissa(draws), float)) for name, draws in self.samples.items()}

    def summary(self) -> str:
        """A table: mean, standard deviation, 90 % interval, effective samples and r̂ of each parameter."""
        head = ("parameter", "mean", "sd", "5 %", "95 %", "ess", "r̂", "")
        rows = [head, *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([self._title(), *lines, *(f"Note: {note}" for note in self.notes)])

    def _rows(self) -> list[tuple[str, ...]]:
        rows, found = [], self.diagnostics()
        for name in self:
            draws = self.flat(name)
            unit = "" if u.get_unit(draws).is_unitless else str(u.get_unit(draws))
            numbers = np.asarray(u.get_mantissa(draws), float)
            for place in np.ndindex(numbers.shape[1:]):
                x = numbers[(slice(None), *place)]
                of = f"[{self._place(name, place)}]" if place else ""
                ess, rhat = found[name]["ess_bulk"][place], found[name]["rhat"][place]
                spread = np.mean(x), np.std(x), *np.quantile(x, [0.05, 0.95])
                rows.append((name + of, *(f"{v:.4g}" for v in spread), f"{ess:.0f}", f"{rhat:.3f}", unit))
        return rows

    def _place(self, name: str, place: tuple[int, ...]) -> str:
        words = list(map(str, place))
        if self.subjects is not None and self._of_subjects(name, place):
            words[0] = self.subjects[place[0]]
        elif self.labels is not None and len(place) == 1 and place[0] < len(self.labels):
            words[0] = self.labels[place[0]]
        return ", ".join(words)

    def _of_subjects(self, name: str, place: tuple[int, ...]) -> bool:
        """Whether the first of the inner axes of this parameter goes through the subjects of a cohort."""
        return self.subjects is not None and place[0] < len(self.subjects) and not name.endswith((".mean", ".spread"))

    def _title(self) -> str:
        chains, draws = self.shape
        of = f"{chains} chains of {draws} draws" if chains > 1 else f"{draws} draws"
        return f"Posterior by {self.method}: {of} in {self.seconds:.1f} s"

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        head = ("parameter", "mean", "sd", "5 %", "95 %", "ess", "r̂", "unit")
        notes = table(("notes",), [(note,) for note in self.notes])
        return page("Posterior", self._title().partition(" ")[2], table(head, self._rows()), notes)

    # --- predictions --------------------------------------------------------------------------------------------------
    def predict(
        self, n: int = 100, seed: Seed = 0, problem: Problem | HierarchicalProblem | None = None
    ) -> dict[str, Numbers]:
        """Runs of the model at `n` of the draws, all in one batch: by monitor, shape (n, time, ...).

        Names that begin with `observed` hold what would be observed: with the errors of the likelihood.
        """
        problem = self._problem_of(problem)
        n = whole(Argument("n", "Posterior.predict"), n)
        of_choice, of_runs = jax.random.split(as_key(seed))
        total = self.shape[0] * self.shape[1]
        # Each draw once, as long as there are enough.
        chosen = np.sort(np.asarray(jax.random.choice(of_choice, total, (n,), replace=n > total)))
        values = {name: self.flat(name)[chosen] for name in self}
        return problem.observations(values, of_runs)

    def _problem_of(self, problem: Problem | HierarchicalProblem | None) -> Problem | HierarchicalProblem:
        found = problem if problem is not None else self.problem
        if found is None:
            raise argument_error(
                Argument("problem", "Posterior"), "is needed, as a file does not hold it", "is missing"
            )
        return found

    # --- outside ----------------------------------------------------------------------------------------------------
    def to_arviz(self, predict: int = 0, seed: Seed = 0) -> Any:
        """What ArviZ takes: an `InferenceData`, or of ArviZ 1 a `DataTree`, with regions as coordinates.

        Units stand in `attrs`. Where the problem is at hand, it has the observation and its log density by each draw
        (for LOO), and with `predict` so many posterior predictive draws.
        """
        arviz, xarray = import_bayes("arviz"), import_io("xarray")
        groups = {"posterior": self._dataset(xarray, self.samples), "sample_stats": self._dataset(xarray, self.stats)}
        if self.problem is not None:
            observed = {name or "y": x for name, x in self.problem.observed.items()}  # pyright: ignore[reportOptionalMemberAccess]
            groups["observed_data"] = self._dataset(xarray, observed, ())
            if getattr(self.problem, "has_density", True):  # one of many subjects always has one
                groups["log_likelihood"] = self._dataset(xarray, self._pointwise())
        if predict:
            drawn = self.predict(predict, seed)
            drawn = {k.removeprefix("observed "): x[None] for k, x in drawn.items() if k.startswith("observed ")}
            groups["posterior_predictive"] = self._dataset(xarray, drawn)
        # ArviZ 1 has no InferenceData of its own any more: asked for it, it warns and hands out the trees of xarray.
        if "InferenceData" not in vars(arviz):
            return xarray.DataTree.from_dict(groups)
        return arviz.InferenceData(**groups)

    def _pointwise(self) -> dict[str, Numbers]:
        """The log density of each number that was observed, by each draw."""
        problem = self._problem_of(None)
        values = {name: self.flat(name) for name in self}
        return {k or "y": x.reshape(*self.shape, *x.shape[1:]) for k, x in problem.pointwise(values).items()}

    def _dataset(self, xarray: Any, arrays: Mapping[str, Numbers], first: tuple[str, ...] = ("chain", "draw")) -> Any:
        variables = {}
        for name, x in arrays.items():
            numbers = np.asarray(u.get_mantissa(x))
            inner = [self._dim(name, i, n) for i, n in enumerate(numbers.shape[len(first) :])]
            unit = {} if u.get_unit(x).is_unitless else {"units": str(u.get_unit(x))}
            variables[name] = ((*first, *inner), numbers, unit)
        used = {dim for dims, *_ in variables.values() for dim in dims}
        names = {"region": self.labels, "subject": self.subjects}
        coords = {dim: list(of) for dim, of in names.items() if of is not None and dim in used}
        return xarray.Dataset(variables, coords, {"inference_library": "brainmass", "method": self.method})

    def _dim(self, name: str, axis: int, n: int) -> str:
        # Means and spreads of a group have no axis of subjects.
        if axis == 0 and self.subjects is not None and n == len(self.subjects) and self._of_subjects(name, (0,)):
            return "subject"
        return "region" if self.labels is not None and n == len(self.labels) else f"{name}_dim_{axis}"

    def save(self, path: PathLike) -> None:
        """Write to a `.npz` file, whole or not at all, what :meth:`load` reads. For netCDF: `to_arviz().to_netcdf`."""
        target = target_path(path, Argument("path", "Posterior.save"), (".npz",), 'posterior.save("posterior.npz").')
        self._write(target)

    def _write(self, target: Any) -> None:
        arrays: dict[str, Any] = {}
        held = {name: getattr(self, name) for name in _SAVED}
        held["samples"] = dict(self.samples)
        for name in "labels", "subjects":
            held[name] = None if held[name] is None else list(held[name])
        parts = {name: encode(x, arrays, name) for name, x in held.items()}
        _ARCHIVE.write(target, parts | {"problem": self._described}, arrays)

    @classmethod
    def load(cls, path: PathLike, problem: Problem | HierarchicalProblem | None = None) -> Self:
        """Read a file written by :meth:`save`; with a problem, which must be that of the file, to predict from it."""
        source = as_path(path, Argument("path", "Posterior.load"), (".npz",), 'Posterior.load("posterior.npz").')
        with _ARCHIVE.reading(source):
            content, arrays = _ARCHIVE.read(source)
            held = {name: decode(content[name], arrays) for name in _SAVED}
            described = content["problem"]
        if problem is not None:
            instance(
                Argument("problem", "Posterior.load"),
                problem,
                (Problem, HierarchicalProblem),
                "a Problem, or a HierarchicalProblem",
            )
            check_same(described, problem.describe(), Argument("path", "Posterior.load"), os.fspath(source))
        return cls(problem=problem, described=described, **held)


def _diagnosed(draws: np.ndarray) -> dict[str, np.ndarray]:
    flat = draws.reshape(*draws.shape[:2], -1)
    found = {"ess_bulk": effective_draws(flat), "ess_tail": effective_draws_of_tails(flat), "rhat": r_hat(flat)}
    return {name: np.reshape(x, draws.shape[2:]) for name, x in found.items()}


def check_same(then: Mapping[str, object], now: Mapping[str, object], what: Argument, path: str) -> None:
    """Refuse a file of another problem."""
    now = json.loads(json.dumps(now))
    if others := [part for part in dict.fromkeys([*now, *then]) if then.get(part) != now.get(part)]:
        raise argument_error(what, "must be a file of the same problem", f"{path!r} has another {', '.join(others)}")
