"""Simulations of a problem at draws of its prior, as rows of numbers: parameters, and features of what is observed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.memory import runs_at_once
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Numbers, Pytree
from brainmass.inference.predicting import Function
from brainmass.inference.problem import Given, Problem
from brainmass.inference.reals import Reals
from brainmass.inference.summary import Features, as_features
from brainmass.simulation.inventory import Values
from brainmass.simulation.lanes import Lanes, lanes_at_once

__all__ = ["Simulated"]

_FAR = 10.0  # where a draw at an end of its prior is put: beyond what a flow of single precision tells apart
_CHUNK = 4096  # draws of the prior at once, of which those in a region are kept
_MOST_CHUNKS = 500


class Simulated:
    """A problem whose observations are told by features: by one list of them, by monitor, or as they are."""

    def __init__(self, problem: Problem, features: Any):
        self.problem = problem
        likelihoods = problem._fitted.subject.likelihoods
        if any(isinstance(x, Function) for x in likelihoods.values()):
            raise argument_error(
                Argument("problem", "npe"),
                "must have likelihoods that can draw what is observed",
                "has a log density alone",
                "likelihood=brainmass.inference.Gaussian(0.1).",
            )
        self.features = self._by_monitor(features, list(likelihoods))
        for name, x in likelihoods.items():
            if self.features[name] is not None and (x.of is not None or x.summarised):
                raise argument_error(
                    Argument("features", "npe"),
                    "must be left out where the likelihood compares features itself",
                    f"is given beside `of` of {type(x).__name__}",
                )
        self._observed = {name: predicted for name, (_, predicted) in problem._shapes().items()}
        self.names = [name for monitor in self.features for name in self._names(monitor)]
        self.reals = Reals(problem._found()[1])

    def row(self, observed: Mapping[str, Numbers]) -> jax.Array:
        """The features of an observation."""
        parts = [jnp.ravel(self._told(name, observed[name])) for name in self.features]
        return jnp.concatenate(parts).astype(jnp.result_type(float))

    def draws(self, key: Any, n: int, inside: Callable[[jax.Array], jax.Array] | None = None) -> tuple[Values, Numbers]:
        """`n` values of the parameters from the prior, of those `inside`, and the same as rows of numbers."""
        space = self.reals.space
        rows = self.problem._program("rows", lambda: jax.jit(jax.vmap(self.reals.row)))
        if inside is None:
            values = space.sample(key, n)
            return values, _within_reach(rows(values))
        found, count = [], 0
        for i in range(_MOST_CHUNKS):
            values = space.sample(np.asarray(jax.random.fold_in(key, i)), _CHUNK)
            # As the flow has learnt them.
            z = _within_reach(rows(values))
            good = np.flatnonzero(np.asarray(inside(z)))
            found.append((jax.tree.map(lambda x, good=good: x[good], values), z[good]))
            count += len(good)
            if count >= n:
                return jax.tree.map(lambda *parts: jnp.concatenate(parts)[:n], *found)
        raise ValueError(
            f"Only {count} of {_MOST_CHUNKS * _CHUNK} draws of the prior are where the posterior may be: it is so "
            "narrow that draws of the prior do not find it. Ask for fewer rounds, or narrow the prior."
        )

    def run(
        self, values: Values, key: Any, begun: np.ndarray | None = None, tell: Callable[[Any], None] = lambda x: None
    ) -> np.ndarray:
        """Features of what is observed at these values, shape (n, features), each run with noise of its own.

        `begun` holds the first rows, if they were worked out before; `tell` is called with all rows so far.
        """
        n = u.math.shape(next(iter(values.values())))[0]
        # All at once, so that a run has the same noise whichever others are in its batch.
        keys = np.asarray(jax.random.split(jnp.asarray(key), n))
        # As many as memory holds of what is recorded.
        at_once = runs_at_once(n, self._bytes(), 1)
        found, space = self.problem._found()
        given = self.problem._given(found, space)._replace(observed=None)

        def one(values: Values, key: jax.Array, given: Given) -> jax.Array:
            observed = self.problem._observation(values, key, given)[1]
            finite = jnp.array([jnp.isfinite(u.get_mantissa(x)).all() for x in observed.values()]).all()
            return jnp.where(finite, self.row(observed), jnp.nan)  # a run that failed has no features

        program = self.problem._program(
            ("features", *self._words()), lambda: Lanes(one, (0, 0, None), 0, lanes_at_once(found))
        )
        x = np.zeros((0, len(self.names))) if begun is None else begun
        for first in range(len(x), n, at_once):
            which = np.minimum(np.arange(first, first + at_once), n - 1)  # the last batch is filled up
            rows = np.asarray(program(jax.tree.map(lambda v, at=which: v[at], values), keys[which], given))
            x = np.concatenate([x.astype(rows.dtype), rows[: n - first]])
            tell(x)
        return x

    def describe(self) -> dict[str, object]:
        """What a file must agree with."""
        described = self.problem.describe()
        # What is learnt serves any.
        del described["observation"]
        told = {name: None if x is None else x.describe() for name, x in self.features.items()}
        return described | {"features": told}

    def _words(self) -> tuple:
        return tuple(self.features.items())

    def _by_monitor(self, features: Any, monitors: list[str]) -> dict[str, Features | None]:
        what = Argument("features", "npe")
        if not isinstance(features, Mapping):
            return dict.fromkeys(monitors, None if features is None else as_features(what, features))
        if set(features) != set(monitors) or monitors == [""]:
            wanted = "must be a list" if monitors == [""] else f"must map {', '.join(monitors)} to features"
            raise argument_error(what, wanted, f"has {', '.join(map(show, features))}")
        return {name: None if features[name] is None else as_features(what, features[name]) for name in monitors}

    def _told(self, name: str, observed: Pytree) -> Pytree:
        features = self.features[name]
        return u.get_mantissa(observed) if features is None else features(observed)

    def _names(self, monitor: str) -> list[str]:
        shape, features = self._observed[monitor], self.features[monitor]
        likelihood = self.problem._fitted.subject.likelihoods[monitor]
        if features is not None:
            names = features.names(shape, self.problem.labels)
        elif isinstance(likelihood.of, Features):
            names = likelihood.of.names(self.problem._shapes()[monitor][0], self.problem.labels)
        else:
            places = np.ndindex(u.math.shape(shape))
            names = [f"observed[{', '.join(map(str, place))}]" for place in places]
        return [f"{monitor}.{name}" if monitor else name for name in names]

    def _bytes(self) -> int:
        leaves = jax.tree.leaves(self.problem._shapes())
        return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)


def _within_reach(z: jax.Array) -> jax.Array:
    return jnp.nan_to_num(z, nan=0.0, posinf=_FAR, neginf=-_FAR)
