"""`Estimator`: posteriors of a problem for any observation, learnt once."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Self

import brainunit as u
import jax
import numpy as np

from brainmass._common.archive import Archive, decode, encode
from brainmass._common.checks import flag, instance, items, mapping, whole
from brainmass._common.messages import Argument, argument_error, counted, show
from brainmass._common.paths import as_path, target_path
from brainmass._common.random import as_key
from brainmass._common.typing import ArrayLike, Numbers, PathLike, Seed
from brainmass.dynamics.module import Closed
from brainmass.inference.flow import Flow, Shape, Standard, blank, leaves_of, with_leaves
from brainmass.inference.posterior import Posterior, check_same
from brainmass.inference.problem import Problem
from brainmass.inference.simulated import Simulated
from brainmass.inference.summary import restored

__all__ = ["Estimator"]

_ARCHIVE = Archive("brainmass.Estimator", 1, ("path", "Estimator.load"), "Estimator.save")
_SAVED = ("notes", "n_simulations", "losses", "seconds")
_MARGIN = 0.05  # of the range of a feature in the simulations, beyond which an observation lies outside
_FEW = 6  # names in a message


class Estimator(Closed):
    """What `npe` learns: the posterior of a problem, given any observation of its kind.

    Attributes
    ----------
    problem : Problem
    features : list of str
        The features that it was given, by name; those that are the same in all simulations are left out.
    n_simulations : int
        That it learnt from.
    losses : array (epoch, 2)
        The negative log density of simulations that it learns from, and of those held out.
    notes : list of str
        What a reader must know, in words.
    seconds : float
        How long simulations and training took.
    """

    def __init__(
        self,
        simulated: Simulated,
        flow: Flow,
        ranges: np.ndarray,
        *,
        n_simulations: int,
        losses: Numbers,
        notes: list[str],
        seconds: float,
        only: np.ndarray | None = None,
    ):
        self.problem, self._simulated, self._flow = simulated.problem, simulated, flow
        self.features = [simulated.names[i] for i in flow.standard.kept]
        self.n_simulations, self.seconds, self.notes = n_simulations, seconds, list(notes)
        self.losses = np.asarray(losses)
        self._ranges, self._only = ranges, only  # ends of all features; the features that later rounds were for

    def posterior(
        self,
        observed: ArrayLike | Mapping[str, ArrayLike] | None = None,
        n_draws: int = 1000,
        *,
        seed: Seed = 0,
        summarised: bool = False,
    ) -> Posterior:
        """Draws from the posterior, given an observation; by default that of the problem.

        Parameters
        ----------
        observed : array, or mapping of them by monitor
            In the form of what the monitor records.
        n_draws : int
        seed : int or JAX key
        summarised : bool
            Whether `observed` is a row of features already, one for each of `features`.

        Raises
        ------
        ValueError
            If the observation has another shape, or a feature of it is infinite or NaN.

        Warns
        -----
        RuntimeWarning
            Where a feature lies outside of what was simulated: what a flow says there is a guess.
        """
        return self._posteriors([observed], n_draws, seed, summarised, "posterior")[0]

    def posteriors(
        self,
        observed: Mapping[str, ArrayLike | Mapping[str, ArrayLike]] | Sequence[ArrayLike | Mapping[str, ArrayLike]],
        n_draws: int = 1000,
        *,
        seed: Seed = 0,
        summarised: bool = False,
    ) -> dict[str, Posterior]:
        """Draws from the posteriors of many observations, such as all subjects of a study, in one batch.

        Parameters
        ----------
        observed : mapping of str to observation, or sequence of them
            By the name of the subject, or in order; each as :meth:`posterior` takes it.
        n_draws, seed, summarised
            As of :meth:`posterior`.

        Returns
        -------
        dict of str to Posterior
            By the name of the subject, or its number.
        """
        what = Argument("observed", "posteriors")
        if isinstance(observed, Mapping):
            named = mapping(what, observed, "observations")
        else:
            given = list(observed) if isinstance(observed, np.ndarray | jax.Array | u.Quantity) else observed
            named = {str(i): x for i, x in enumerate(items(what, given, "observations"))}
        if not named:
            raise argument_error(what, "must hold at least one observation", "is empty")
        found = self._posteriors(list(named.values()), n_draws, seed, summarised, "posteriors", list(named))
        return dict(zip(named, found, strict=True))

    def _posteriors(
        self, observed: list[Any], n_draws: int, seed: Seed, summarised: bool, owner: str, names: Sequence[str] = ("",)
    ) -> list[Posterior]:
        n_draws = whole(Argument("n_draws", owner), n_draws)
        flag(Argument("summarised", owner), summarised)
        begun = time.perf_counter()
        asked = [self._problem_and_row(x, summarised) for x in observed]
        doubts = [self._doubts(row, f" of {name!r}" * bool(name)) for name, (_, row) in zip(names, asked, strict=True)]
        z, lp = self._flow.draw(as_key(seed), np.stack([row for _, row in asked]), n_draws)
        values, lp = self._natural(z, lp)
        seconds, found = time.perf_counter() - begun, []
        for i, ((problem, _), notes) in enumerate(zip(asked, doubts, strict=True)):
            one = Posterior(
                method="npe",
                samples=jax.tree.map(lambda x, i=i: x[i : i + 1], values),
                stats={"lp": np.asarray(lp)[i : i + 1]},
                notes=notes,
                labels=self.problem.labels,
                seconds=seconds / len(asked),
                seed=show(seed),
                problem=problem,
                described={} if problem is None else None,
            )
            for note in notes:
                warnings.warn(f"The posterior by npe: {note}.", RuntimeWarning, stacklevel=3)
            found.append(one)
        return found

    def _problem_and_row(self, observed: Any, summarised: bool) -> tuple[Problem | None, np.ndarray]:
        """The problem of an observation, which features alone have none of, and all features."""
        if summarised:
            return None, self._given_row(observed)
        problem = self.problem if observed is None else self.problem.replace(observed)
        if problem.observed is None:
            raise argument_error(Argument("observed", "posterior"), "is needed, as the problem has none", "is missing")
        return problem, np.asarray(self._simulated.row(problem.observed))

    def draws(self, x: Numbers, n: int, key: Any) -> np.ndarray:
        """Draws of unbounded numbers for many rows of all features: shape (rows, n, numbers)."""
        return np.asarray(self._flow.draw(key, x, n)[0])

    def summary(self) -> str:
        """How it was made, in a few lines."""
        lines = [
            f"Estimator by npe: {self.n_simulations} simulations, {counted(len(self.features), 'feature')}, "
            f"{len(self.losses)} epochs in {self.seconds:.1f} s",
            f"parameters  {_some(self.problem.names)}",
            f"features    {_some(self.features)}",
            f"loss        {self.losses[:, 0].min():.3f}, of those held out {self.losses[:, 1].min():.3f}",
        ]
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return self.summary()

    # --- files --------------------------------------------------------------------------------------------------------
    def save(self, path: PathLike) -> None:
        """Write to a `.npz` file, whole or not at all, what :meth:`load` reads."""
        target = target_path(path, Argument("path", "Estimator.save"), (".npz",), 'estimator.save("estimator.npz").')
        arrays: dict[str, Numbers] = {}
        parts = {name: encode(getattr(self, name), arrays, name) for name in _SAVED}
        standard = {**vars(self._flow.standard)}
        flow = list(self._flow.shape), standard, leaves_of(self._flow.weights), self._ranges, self._only
        parts["flow"] = encode(flow, arrays, "flow")
        _ARCHIVE.write(target, parts | {"problem": self._simulated.describe()}, arrays)

    @classmethod
    def load(cls, path: PathLike, problem: Problem, features: Any = None) -> Self:
        """Read a file written by :meth:`save`, for the same problem.

        `features` must be given again if there were functions among them, or a mapping.

        Raises
        ------
        ValueError
            If the file is of another problem, or has other features.
        """
        what = Argument("path", "Estimator.load")
        source = as_path(path, what, (".npz",), 'Estimator.load("estimator.npz", problem).')
        instance(Argument("problem", "Estimator.load"), problem, Problem, "a Problem")
        with _ARCHIVE.reading(source):
            content, arrays = _ARCHIVE.read(source)
            held = {name: decode(content[name], arrays) for name in _SAVED}
            shape, standard, weights, ranges, only = decode(content["flow"], arrays)
            described = content["problem"]
        simulated = Simulated(problem, _features_of(described, features))
        check_same(described, simulated.describe(), what, os.fspath(source))
        shape = Shape(*shape)
        plain = Standard(**{name: np.asarray(x) for name, x in standard.items()})
        flow = Flow(shape, plain, with_leaves(blank(shape), weights))
        only = None if only is None else np.asarray(only)
        return cls(simulated, flow, np.asarray(ranges), only=only, **held)

    # --- how ----------------------------------------------------------------------------------------------------------
    def _natural(self, z: jax.Array, lp: jax.Array) -> tuple[Any, jax.Array]:
        """Values by path, (chain, draw, ...), and the density of these."""
        reals = self._simulated.reals

        def one(z: jax.Array, lp: jax.Array) -> Numbers:
            # A density of the numbers becomes one of the values by the slope between them.
            return reals.values(z), lp - reals.log_slope(z)

        return self.problem._program("natural", lambda: jax.jit(jax.vmap(jax.vmap(one))))(z, lp)

    def _given_row(self, row: Numbers) -> np.ndarray:
        """All features, of which those that are left out do not matter."""
        what = Argument("observed", "posterior")
        given = np.asarray(row, float)
        if given.shape != (len(self.features),):
            raise argument_error(what, f"must hold {counted(len(self.features), 'feature')}", f"has {given.shape}")
        # Something finite in the places of the others, so that rows have one length for the flow.
        full = self._ranges.mean(0)
        full[self._flow.standard.kept] = given
        return full

    def _doubts(self, row: np.ndarray, whose: str) -> list[str]:
        kept = self._flow.standard.kept
        x, (low, high) = row[kept], self._ranges[:, kept]
        if not np.isfinite(x).all():
            bad = [self.features[i] for i in np.flatnonzero(~np.isfinite(x))]
            raise argument_error(
                Argument("observed", "posterior"),
                f"{whose} must have finite features".lstrip(),
                f"these are not: {_some(bad)}",
            )
        doubts, room = [], _MARGIN * (high - low)
        outside = np.flatnonzero((x < low - room) | (x > high + room))
        if len(outside):
            far = [f"{self.features[i]} is {x[i]:.4g}, of {low[i]:.4g} to {high[i]:.4g}" for i in outside]
            doubts.append(
                f"the observation{whose} lies outside of what was simulated ({_some(far, '; ')}): the model cannot "
                "make it, or its prior is too narrow, and what the estimator says is a guess"
            )
        # To rounding: features of the same recording differ in the last digits between programs.
        if self._only is not None and not np.allclose(x, self._only[kept], rtol=1e-4, atol=1e-12):
            doubts.append(f"its later rounds were for another observation: for this one{whose} it was not trained")
        return doubts


def _some(names: list[str], between: str = ", ") -> str:
    more = f"{between}and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return between.join(names[:_FEW]) + more


def _features_of(described: Mapping[str, Any], given: Any) -> Any:
    """As they are given, or from their names in a file."""
    if given is not None:
        return given
    told = {name: None if x is None else restored(x) for name, x in described["features"].items()}
    return told[""] if set(told) == {""} else told
