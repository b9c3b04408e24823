"""From a Pareto front onwards by gradient: each point along the weighted sum that it is nearest to."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import flag, instance
from brainmass._common.messages import Argument, argument_error
from brainmass._common.random import fold
from brainmass._common.typing import Numbers, Pytree, Seed
from brainmass.fitting.each import Batch, Candidate, lane
from brainmass.fitting.fitter import Fitter
from brainmass.fitting.front import ParetoFront, hypervolume_of, not_bettered
from brainmass.fitting.solvers.multi_objective import ParetoSearch
from brainmass.simulation.lanes import Lanes, lanes_at_once

__all__ = ["refine_front"]


class _Weighed(NamedTuple):
    """A target, and what each objective counts."""

    target: Pytree
    weights: Numbers


def refine_front(
    fitter: Fitter,
    front: ParetoFront,
    target: Numbers = None,
    n_steps: int = 100,
    *,
    optimizer: Any = None,
    mode: str = "reverse",
    seed: Seed = 0,
    progress: bool = False,
) -> ParetoFront:
    """Move the points of a front on by gradient, side by side in one batched program.

    Each goes down a weighted sum of its own: the better a point is in an objective, the more that counts, by its
    distance from the worst of the front (the pseudo-weights of Deb 2001, Multi-objective optimization using
    evolutionary algorithms). A part of a front that is not convex no weighted sum reaches; what a step worsens is left
    out, so that a front never becomes worse.

    Parameters
    ----------
    fitter : Fitter
        The one that found the front, with the back end 'pymoo'.
    front : ParetoFront
    target
        As it was then.
    n_steps : int
    optimizer : optional
        Of optax or braintools, default `optax.adam(1e-2)`.
    mode : {'reverse', 'forward'}
        As of `Fitter`.
    seed : int or JAX key
        That of the search: then all see the same noise as there.

    Returns
    -------
    ParetoFront
        Of the points and of where they have come to; its hypervolume is that of the search and one more.
    """
    what = Argument("fitter", "refine_front")
    instance(what, fitter, Fitter, "a Fitter")
    instance(Argument("front", "refine_front"), front, ParetoFront, "a ParetoFront")
    flag(Argument("progress", "refine_front"), progress)
    search = fitter._solver
    if not isinstance(search, ParetoSearch):
        raise argument_error(what, "must have the back end 'pymoo'", f"has {fitter.backend!r}")
    if tuple(search.named.weights) != front.names:
        raise argument_error(
            Argument("front", "refine_front"), f"must be of {', '.join(search.named.weights)}", f"is of {front.names}"
        )
    descent = _by_gradient(fitter, search.named, optimizer, mode)
    weights = pseudo_weights(front)
    arranged = descent._arranged(
        _Weighed(fitter._as_predicted(target), weights[0]), n_steps, seed=seed, fresh_noise=False
    )
    orders, _, space, given, structure = arranged
    if front.fitted.keys() != given.theta.keys():
        raise argument_error(
            Argument("front", "refine_front"),
            f"must be of {', '.join(given.theta)}",
            f"is of {', '.join(front.fitted)}",
        )
    candidates = [
        Candidate(
            str(i),
            orders,
            space,
            given._replace(theta=lane(front.fitted, i), target=_Weighed(given.target.target, weights[i])),
            structure,
        )
        for i in range(len(front))
    ]
    batch = Batch(descent, descent._solver, candidates)  # pyright: ignore[reportArgumentType]
    moved = batch.best(batch.run(progress))
    # Where each began as well: a step that makes one objective worse cannot lose what was there.
    both = {path: jnp.concatenate([front.fitted[path], moved[path]]) for path in moved}
    return _front_of(search, front, both, given, given.target.target)


def pseudo_weights(front: ParetoFront) -> np.ndarray:
    """Of each point what each objective counts, for values as they are: shape (n, K)."""
    # From the worst of the front, as a share of the way to its best.
    far = 1.0 - front.scaled()
    total = far.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, far / np.where(total > 0, total, 1.0), 1.0 / len(front.names))
    span = np.ptp(front.values, axis=0)
    # Shares are of scaled values; the sum is of values in their own units.
    return np.asarray(shares / np.where(span > 0, span, 1.0), jnp.result_type(float))


def _by_gradient(fitter: Fitter, named: Any, optimizer: Any, mode: str) -> Fitter:
    """The same fitter for a weighted sum, whose weights come with the target."""

    def weighted_sum(prediction: Numbers, given: _Weighed) -> Numbers:
        losses = jnp.stack(list(named.each(prediction, given.target).values()))
        return jnp.dot(given.weights, losses)

    (model, _), settings = fitter._given_as
    changed = {"backend": "grad", "popsize": None, "callbacks": None, "mode": mode, "objective": weighted_sum}
    return Fitter(model, optimizer, **{**settings, **changed})


def _front_of(search: ParetoSearch, front: ParetoFront, fitted: Any, given: Any, target: Pytree) -> ParetoFront:
    """What is not bettered of these points, all under the same noise."""
    problem, key = search.problem, fold(given.key, jnp.uint32(0))

    def losses(theta: Pytree, fixed: Pytree, key: Numbers, target: Pytree) -> Numbers:
        return problem.loss(theta, fixed, key, target)

    of_each = Lanes(losses, (0, None, None, None), 0, lanes_at_once(problem.inventory()))
    values = np.asarray(of_each(fitted, given.fixed, key, target), float)
    # NaN is neither better nor worse, and would stay on any front.
    finite = np.flatnonzero(np.isfinite(values).all(axis=1))
    best = finite[not_bettered(values[finite])]
    kept = {path: x[best] for path, x in fitted.items()}
    return ParetoFront(
        names=front.names,
        values=values[best],
        params=jax.vmap(lambda theta: dict(problem.natural(theta)))(kept),
        fitted=kept,
        hypervolume=[*front.hypervolume, hypervolume_of(values[best], front.reference)],
        reference=front.reference,
    )
