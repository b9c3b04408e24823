"""`npe`: neural posterior estimation: simulations, features, and a flow that learns the posterior."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import flag, instance, number, whole
from brainmass._common.messages import Argument, argument_error, counted
from brainmass._common.paths import as_path
from brainmass._common.random import as_key
from brainmass._common.typing import Numbers, PathLike, Seed
from brainmass.inference.estimator import Estimator
from brainmass.inference.flow import Flow, Shape, Standard, Training, kept, leaves_of, train, with_leaves
from brainmass.inference.flow import blank as blank_weights
from brainmass.inference.journal import Journal
from brainmass.inference.problem import Problem
from brainmass.inference.simulated import Simulated
from brainmass.inference.summary import Features, Named

__all__ = ["npe"]

_EVERY = 5.0  # seconds from one writing of the file to the next
_LEAST = 20  # simulations that something can be learnt from
_RARE = 0.2  # share of simulations without a feature up to which they are left out, and not the feature
_OUTSIDE = 1e-4  # share of the posterior that a later round may lose
_OF_POSTERIOR = 10_000  # draws that tell where it ends
_FEW = 6


def npe(
    problem: Problem,
    n_simulations: int = 1000,
    *,
    features: Features | Named | Iterable[Named] | Mapping[str, Any] | None = None,
    n_rounds: int = 1,
    n_layers: int = 5,
    width: int = 50,
    n_epochs: int = 200,
    patience: int = 40,
    learning_rate: float = 1e-3,
    seed: Seed = 0,
    progress: bool = False,
    checkpoint: PathLike | None = None,
    resume: PathLike | None = None,
) -> Estimator:
    """Learn the posterior of a problem from simulations: neural posterior estimation.

    Draws of the prior are simulated side by side, each with noise of its own, and a normalising flow (flowjax) learns
    the distribution of the parameters given features of what is observed (Papamakarios and Murray 2016; Greenberg et
    al. 2019). No likelihood is needed, so this is what suits stochastic models; and what is learnt serves any
    observation at once.

    Parameters
    ----------
    problem : Problem
        With or without a likelihood: what it adds to a run belongs to what is observed. It needs an observation for
        several rounds only.
    n_simulations : int
        Of each round.
    features : list of str and callables, Features, or mapping of them by monitor, optional
        What observations are told by: names of `list_features()`, functions of a recording. By default all numbers
        that were observed, which suits short responses.
    n_rounds : int
        After the first, simulations are drawn where the posterior of the observation of the problem may be: from the
        prior, cut off where the flow has less than a ten-thousandth of its mass (Deistler, Goncalves and Macke 2022,
        truncated sequential estimation). Fewer simulations for one observation; no others can be asked then.
    n_layers, width : int
        Of the flow: autoregressive layers, each an affine map and a spline, and units of their two hidden layers.
    n_epochs, patience : int
        Passes over the simulations at most, and how many after the best of those held out, a tenth.
    learning_rate : float
        Of Adam at first; it falls to a hundredth along half a cosine.
    seed : int or JAX key
        Decides all: parameters, noise, order and first weights.
    progress : bool
        Show bars.
    checkpoint, resume : path, optional
        File that is written as it goes on, and one to go on from, bit for bit; of the same problem and settings.

    Returns
    -------
    Estimator
        `estimator.posterior(observed)` draws in milliseconds. With a warning, and `notes`, where simulations or
        features were left out.

    Raises
    ------
    ValueError
        If a parameter has no prior, or fewer than 20 simulations are finite.

    Examples
    --------
    >>> estimator = inference.npe(problem, 2000, features=["mean", "std", "fc"], seed=1)  # doctest: +SKIP
    >>> estimator.posterior(bold).summary()  # doctest: +SKIP
    """
    instance(Argument("problem", "npe"), problem, Problem, "a Problem")
    what = {
        "n_simulations": n_simulations, "n_rounds": n_rounds, "n_layers": n_layers, "width": width,
        "n_epochs": n_epochs, "patience": patience,
    }  # fmt: skip
    for name, given in what.items():
        whole(Argument(name, "npe"), given, _LEAST if name == "n_simulations" else 1)
    rate = Argument("learning_rate", "npe")
    what["learning_rate"] = number(rate, learning_rate, "above 0", lambda x: 0 < x < np.inf)
    flag(Argument("progress", "npe"), progress)
    if n_rounds > 1 and problem.observed is None:
        raise argument_error(
            Argument("n_rounds", "npe"),
            "must be 1 for a problem without an observation",
            f"is {n_rounds}",
            hint="Later rounds are for one observation: give it to the problem.",
        )
    simulated, key = Simulated(problem, features), as_key(seed)
    journal = Journal(
        {"problem": simulated.describe(), "settings": {**what, "seed": np.asarray(key).tolist()}},
        None if checkpoint is None else as_path(checkpoint, Argument("checkpoint", "npe")),
        None if resume is None else as_path(resume, Argument("resume", "npe")),
        progress,
        "npe",
    )
    work = _Work(simulated, jnp.asarray(key), what, journal)
    estimator = work.estimator()
    for note in estimator.notes:
        warnings.warn(f"npe: {note}.", RuntimeWarning, stacklevel=2)
    return estimator


class _Work:
    """What is simulated and learnt so far."""

    def __init__(self, simulated: Simulated, key: jax.Array, settings: Mapping[str, Any], journal: Journal):
        self.simulated, self.key, self.settings, self.journal = simulated, key, settings, journal
        self.begun = self.kept = time.perf_counter()
        self.z: list[np.ndarray] = []
        self.x: list[np.ndarray] = []
        self.weights: list[np.ndarray] | None = None  # of the flow after the last whole round
        self.rounds, self.training, self.before = 0, None, 0.0
        if journal.kept is not None:
            self.z, self.x, self.weights, self.rounds, self.training, self.before = journal.kept
            self.z, self.x = ([np.asarray(part) for part in parts] for parts in (self.z, self.x))

    def estimator(self) -> Estimator:
        n_rounds = self.settings["n_rounds"]
        fitted = self._flow() if self.weights is not None else None
        losses: Numbers = self.training[-1] if self.training is not None else None
        while self.rounds < n_rounds:
            self._simulate(None if fitted is None else fitted)
            fitted, losses = self._train()
            self.rounds, self.weights = self.rounds + 1, leaves_of(fitted.weights)
            # The next round trains anew: with more runs other features may count, in other scales.
            if self.rounds < n_rounds:
                self.training = None
            self._keep(now=True)
        x, notes = np.concatenate(self.x), []
        good, there, notes = self._sorted(x)
        only = None
        if n_rounds > 1:
            only = np.asarray(self.simulated.row(self.simulated.problem.observed))  # pyright: ignore[reportArgumentType]
        return Estimator(
            self.simulated,
            fitted,  # pyright: ignore[reportArgumentType]
            np.stack([_end(x[good], np.min), _end(x[good], np.max)]),
            n_simulations=int(good.sum()),
            losses=losses,
            notes=notes,
            seconds=self._seconds(),
            only=only,
        )

    # --- a round ------------------------------------------------------------------------------------------------------
    def _simulate(self, flow: Flow | None) -> None:
        """The simulations of this round, those that are there already left as they are."""
        # By the number of the round alone, so that a work that goes on draws the same parameters and noise.
        of_values, of_runs = jax.random.split(jax.random.fold_in(self.key, self.rounds))
        n, there = self.settings["n_simulations"], self.rounds < len(self.x)
        inside = None if flow is None else self._region(flow)
        values, z = self.simulated.draws(np.asarray(of_values), n, inside)
        # From a file, a round may be there in part: its parameters are drawn again, its runs are not.
        begun = self.x.pop() if there else None
        if not there:
            self.z.append(np.asarray(z))
        if begun is not None and len(begun) == n:
            self.x.append(begun)
            return
        self.x.append(np.zeros((0, 0)) if begun is None else begun)
        with self.journal.bar(n, 0 if begun is None else len(begun)) as bar:

            def tell(x: np.ndarray) -> None:
                bar.update(len(x) - bar.n)
                self.x[-1] = x
                self._keep()

            self.x[-1] = self.simulated.run(values, of_runs, begun, tell)
        self._keep(now=True)

    def _region(self, flow: Flow) -> Numbers:
        """Where the posterior is, but for very little of it."""
        row = np.asarray(self.simulated.row(self.simulated.problem.observed))  # pyright: ignore[reportArgumentType]
        # Beyond all rounds, so that no draws are those of a simulation.
        lp = flow.draw(jax.random.fold_in(self.key, 10_000 + self.rounds), row[None], _OF_POSTERIOR)[1]
        least = jnp.quantile(lp, _OUTSIDE)
        return lambda z: flow.log_density(z, row) > least

    def _train(self) -> tuple[Flow, Numbers]:
        z, x = np.concatenate(self.z), np.concatenate(self.x)
        good, there, _ = self._sorted(x)
        # Of all rounds: a prior that is cut off is still the prior, but for a factor, where it is not, and what is
        # learnt of it needs no correction (Deistler et al. 2022).
        shape, standard = self._shape(there), Standard.of(z[good], x[good], there)
        s, key = self.settings, jax.random.fold_in(self.key, 20_000 + self.rounds)
        done = 0 if self.training is None else self.training[0]
        with self.journal.bar(s["n_epochs"], done) as bar:

            def tell(training: Training) -> None:
                bar.update(training.epoch - bar.n)
                self.training = kept(training)
                self._keep()

            ways = s["n_epochs"], s["patience"], s["learning_rate"], self.training, tell
            training = train(shape, standard, z[good], x[good], key, *ways)
        return Flow(shape, standard, training.best), training.losses

    def _flow(self) -> Flow:
        """That of the last whole round, from a file."""
        rounds = slice(self.rounds)
        z, x = np.concatenate(self.z[rounds]), np.concatenate(self.x[rounds])
        good, there, _ = self._sorted(x)
        shape = self._shape(there)
        return Flow(shape, Standard.of(z[good], x[good], there), with_leaves(blank_weights(shape), self.weights or []))

    def _shape(self, there: np.ndarray) -> Shape:
        return Shape(self.simulated.reals.size, len(there), self.settings["n_layers"], self.settings["width"])

    def _sorted(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Which simulations are good, which features, and what is to be said of the others."""
        names, finite = self.simulated.names, np.isfinite(x)
        # A run that diverged has no finite feature: it speaks against the run, and not against features.
        ran = finite.any(axis=1)
        lacking = 1 - finite[ran].mean(axis=0) if ran.any() else np.zeros(x.shape[1])
        rare = lacking > _RARE
        good = finite[:, ~rare].all(axis=1) if not rare.all() else np.zeros(len(x), bool)
        if good.sum() < _LEAST:
            worst = f"{names[int(np.argmax(lacking))]} is most often" if ran.any() else "all are"
            raise ValueError(
                f"Only {good.sum()} of {counted(len(x), 'simulation')} have finite features, in the others {worst} "
                "infinite or NaN: the run diverges in most of the prior, or the feature suits no such recording. "
                f"Narrow the priors, or leave the feature out; {_LEAST} are needed."
            )
        # Rounding is no variation: scaled to one, it would be noise to learn from.
        low, high = x[good].min(axis=0), x[good].max(axis=0)
        with np.errstate(invalid="ignore"):
            same = ~rare & (high - low <= 1e-6 * np.maximum(np.abs(high), np.abs(low)))
        kept = np.flatnonzero(~rare & ~same)
        if not len(kept):
            raise ValueError(
                f"The features are the same in all {good.sum()} simulations ({_some(names)}): nothing can be learnt "
                "from them. Give others."
            )
        notes = []
        if bad := len(x) - int(good.sum()):
            failed = int((~ran).sum())
            notes.append(
                f"{counted(bad, 'simulation')} of {len(x)} left out, as features are infinite or NaN"
                f"{f', in {failed} of them all' * bool(failed)}"
            )
        for which, how in (rare, "infinite or NaN in many simulations"), (same, "the same in all simulations"):
            if which.any():
                gone = [names[i] for i in np.flatnonzero(which)]
                notes.append(f"{counted(len(gone), 'feature')} left out, {how}: {_some(gone)}")
        return good, kept, notes  # pyright: ignore[reportReturnType]

    # --- files --------------------------------------------------------------------------------------------------------
    def _seconds(self) -> float:
        return self.before + time.perf_counter() - self.begun

    def _keep(self, now: bool = False) -> None:
        if not now and time.perf_counter() - self.kept < _EVERY:
            return
        self.journal.keep((self.z, self.x, self.weights, self.rounds, self.training, self._seconds()))
        self.kept = time.perf_counter()


def _end(x: np.ndarray, of: Any) -> np.ndarray:
    """The least or the largest of each feature that is finite."""
    return of(np.where(np.isfinite(x), x, 0.0), axis=0)


def _some(names: list[str]) -> str:
    return ", ".join(names[:_FEW]) + (f" and {len(names) - _FEW} more" if len(names) > _FEW else "")
