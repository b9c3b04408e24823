"""`HierarchicalProblem`: many subjects at once, whose parameters are draws of a group."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import instance, items
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.random import as_key
from brainmass._common.typing import ArrayLike, Numbers, Pytree, Seed
from brainmass.dynamics.module import Closed, fixed
from brainmass.fitting.priors import Prior
from brainmass.fitting.saved import digest
from brainmass.inference.problem import Density, Problem
from brainmass.simulation.inventory import ByPath, Values

__all__ = ["HierarchicalProblem"]


_NAMES = "names of parameters of the problem"


class HierarchicalProblem(Closed):
    r"""One problem for many subjects: all their runs in one batch, and group means and spreads.

    A parameter of the group has, for each subject :math:`s`, the value :math:`\theta_s = m + \tau \epsilon_s` with
    :math:`\epsilon_s \sim N(0, 1)`, which is how it is sampled (non-centred). The mean :math:`m` has the prior that the
    problem gives the parameter. A parameter that is positive is normal among subjects in its logarithm, one between two
    ends in the logit of its share of the way; :math:`m` is then the median, and the spread :math:`\tau` that of the
    logarithm or logit. Regional parameters have a mean and a spread for each region.

    `sample` of it gives a `Posterior` with, for a parameter `a`, `a` of shape (chain, draw, subject, ...), `a.mean`
    and `a.spread`.

    Parameters
    ----------
    problem : Problem
        Of one subject.
    observed : sequence
        What was observed of each subject, each in the form of `Problem`'s `observed`.
    group : name, list of names, or mapping of names to priors
        Parameters that are draws of a group. A prior of the spread, such as `brainmass.LogNormal(0.2, 0.5)`, in the
        unit of the parameter where that has no ends, else without unit. By default half of a normal distribution, as
        wide as the parameter's own prior.
    shared : name, or list of names, optional
        Parameters that are the same in all subjects, such as `"likelihood.sigma"`. Those that are neither are each
        subject's own, with the prior of the problem.
    subjects : sequence of str, optional
        Names of the subjects; by default numbers.

    Examples
    --------
    >>> of_all = inference.HierarchicalProblem(problem, recordings, group=["a"], shared=["sigma"])  # doctest: +SKIP
    >>> posterior = inference.sample(of_all, 500)  # doctest: +SKIP
    >>> posterior["a.mean"], posterior["a.spread"], posterior["a"][..., 3]  # doctest: +SKIP
    """

    _elsewhere = fixed("problem", "group", "shared", "subjects")

    def __init__(
        self,
        problem: Problem,
        observed: Sequence[ArrayLike | Mapping[str, ArrayLike]],
        group: str | Iterable[str] | Mapping[str, Prior],
        *,
        shared: str | Iterable[str] = (),
        subjects: Sequence[str] | None = None,
    ):
        instance(Argument("problem", "HierarchicalProblem"), problem, Problem, "a Problem")
        each = list(observed) if isinstance(observed, Sequence | np.ndarray | jax.Array) else []
        if len(each) < 2:
            what = "must hold what was observed of each of two or more subjects"
            raise argument_error(Argument("observed", "HierarchicalProblem"), what, f"is {show(observed)}")
        self.problem = problem
        self.group = _priors(problem, group)
        what = Argument("shared", "HierarchicalProblem")
        names = [shared] if isinstance(shared, str) else items(what, shared, _NAMES)
        self.shared = tuple(_path(problem, name, "shared") for name in names)
        if both := set(self.group) & set(self.shared):
            raise argument_error(
                Argument("shared", "HierarchicalProblem"), f"must not name {both.pop()}, which `group` names"
            )
        named = Argument("subjects", "HierarchicalProblem")
        self.subjects = tuple(map(str, range(len(each)) if subjects is None else items(named, subjects, "names")))
        if len(self.subjects) != len(each):
            raise argument_error(
                Argument("subjects", "HierarchicalProblem"),
                f"must name all {len(each)} subjects",
                f"has {len(self.subjects)}",
            )
        checked = [problem.replace(x).observed for x in each]
        self.observed = jax.tree.map(lambda *x: u.math.stack(x), *checked, is_leaf=_is_quantity)

    # --- as a problem -------------------------------------------------------------------------------------------------
    @property
    def names(self) -> list[str]:
        """The paths of the parameters, those of the group with their mean and spread."""
        return list(_Numbers(self, self._of(0).density().reals).named())

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Names of the regions, if the model knows them."""
        return self.problem.labels

    def density(self) -> Density:
        """What an engine takes: the density over unbounded numbers of all subjects and of the group."""
        # With what one of them observed: the problem itself need not have any.
        one = self._of(0).density()
        numbers = _Numbers(self, one.reals)
        # Axes for `vmap`: only what was observed differs between subjects.
        rows = one.given._replace(observed=0, **dict.fromkeys(set(one.given._fields) - {"observed"}))

        def log_likelihood(z: jax.Array, given: Pytree) -> jax.Array:
            return jnp.sum(jax.vmap(one.log_likelihood, (0, rows))(numbers.rows(z), given))

        def log_prior(z: jax.Array) -> jax.Array:
            return numbers.log_prior(z)

        def alone(z: jax.Array, given: Pytree) -> jax.Array:
            # of one subject, whose gradient is worked out as the problem says: forwards, it has few numbers
            # Its prior is not that of the subject here, but of the group: taken off again.
            return one.log_density(z, given) - one.log_prior(z)

        def log_density(z: jax.Array, given: Pytree) -> jax.Array:
            return jnp.sum(jax.vmap(alone, (0, rows))(numbers.rows(z), given)) + log_prior(z)

        place = "cohort", len(self.subjects), self.shared, json.dumps(self._groups())

        def program(name: Any, make: Callable[[], Any]) -> Any:
            return one.program((*place, name), make)

        given = one.given._replace(observed=self.observed)
        return Density(numbers, log_likelihood, log_prior, log_density, given, program)  # pyright: ignore[reportArgumentType]

    def describe(self) -> dict[str, object]:
        """What a file must agree with."""
        whole = self._of(0).describe()
        return whole | {
            "observation": digest(self.observed),
            "group": self._groups(),
            "shared parameters": list(self.shared),
            "subjects": list(self.subjects),
        }

    def _groups(self) -> dict[str, str]:
        return {path: "half-normal" if prior is None else str(prior.describe()) for path, prior in self.group.items()}

    def observations(self, values: Mapping[str, Numbers], seed: Seed = 0) -> dict[str, Numbers]:
        """As of `Problem`, for each subject: shape (n, subject, ...)."""
        # Draws and subjects in one axis: each run has noise of its own, and all are one batch.
        n, subjects = u.math.shape(next(iter(values.values())))[0], len(self.subjects)
        of_all = self._of_subjects(values, n)
        flat = {path: u.math.reshape(x, (n * subjects, *x.shape[2:])) for path, x in of_all.items()}
        found = self.problem.observations(flat, as_key(seed))
        return {name: u.math.reshape(x, (n, subjects, *u.math.shape(x)[1:])) for name, x in found.items()}

    def pointwise(self, values: Mapping[str, Numbers]) -> dict[str, jax.Array]:
        """As of `Problem`, for each subject: shape (n, subject, ...)."""
        n = u.math.shape(next(iter(values.values())))[0]
        of_all = self._of_subjects(values, n)
        parts = [
            self._of(s).pointwise({path: x[:, s] for path, x in of_all.items()}) for s in range(len(self.subjects))
        ]
        return jax.tree.map(lambda *x: jnp.stack(x, axis=1), *parts)

    def _of(self, subject: int) -> Problem:
        """The problem with what was observed of one."""
        other = object.__new__(Problem)
        vars(other).update(vars(self.problem))
        # not by `replace`: features would be made of features
        vars(other)["observed"] = jax.tree.map(lambda x: x[subject], self.observed, is_leaf=_is_quantity)
        return other

    def _of_subjects(self, values: Mapping[str, Numbers], n: int) -> Values:
        """Of each subject, shape (n, subject, ...), for each parameter of the problem."""
        subjects = len(self.subjects)
        found = {}
        for path in self.problem.names:
            x = ByPath(values)[path]
            if path in self.shared:
                x = u.math.broadcast_to(x[:, None], (n, subjects, *u.math.shape(x)[1:]))
            found[path] = x
        return found


class _Numbers:
    """All parameters of a cohort as one row of unbounded numbers; stands where `Reals` does for one subject.

    Side by side: means of the group and shared numbers, logarithms of the spreads, then for each subject in turn its
    deviations from the group, in spreads, and what is its own.
    """

    def __init__(self, cohort: HierarchicalProblem, one: Any):
        self.one, self.n, self.group, self.shared = one, len(cohort.subjects), cohort.group, cohort.shared
        ends = np.cumsum([0, *(side.size for side in one.sides.values())])
        self.places = {path: slice(a, b) for path, a, b in zip(one.sides, ends[:-1], ends[1:], strict=True)}
        of = np.concatenate([np.full(side.size, path, object) for path, side in one.sides.items()])
        self.grouped = np.array([path in cohort.group for path in of])
        self.common = self.grouped | np.array([path in cohort.shared for path in of])
        self.own = ~np.array([path in cohort.shared for path in of])
        self.size = int(self.common.sum() + self.grouped.sum() + self.n * self.own.sum())

    def parts(self, z: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Means and shared numbers, logarithms of spreads, and deviations or own numbers (subject, ...)."""
        a, b = int(self.common.sum()), int(self.common.sum() + self.grouped.sum())
        return z[:a], z[a:b], z[b:].reshape(self.n, int(self.own.sum()))

    def rows(self, z: jax.Array) -> jax.Array:
        """The numbers of each subject, (subject, size of one)."""
        common, spreads, own = self.parts(z)
        # One line for all three kinds: of a shared number `apart` is zero, of one of the subject's own `middle`.
        middle = jnp.zeros(self.one.size, z.dtype).at[self.common].set(common)
        width = jnp.ones(self.one.size, z.dtype).at[self.grouped].set(jnp.exp(spreads))
        apart = jnp.zeros((self.n, self.one.size), z.dtype).at[:, self.own].set(own)
        return middle + width * apart

    def values(self, z: jax.Array) -> Values:
        common, spreads, _ = self.parts(z)
        middle = self.one.values(jnp.zeros(self.one.size, z.dtype).at[self.common].set(common))
        # Numbers are in widths of the prior; times these, spreads are in the unit of the parameter, or of its log.
        widths = jnp.zeros(self.one.size, z.dtype).at[self.grouped].set(jnp.exp(spreads)) * self._scale()
        each = jax.vmap(self.one.values)(self.rows(z))
        found = {}
        for path in self.one.sides:
            found[path] = middle[path] if path in self.shared else each[path]
            if path in self.group:
                found[f"{path}.mean"] = middle[path]
                width = jnp.reshape(widths[self.places[path]], u.math.shape(middle[path]))
                found[f"{path}.spread"] = width * self.unit(path)
        return found

    def unit(self, path: str) -> Any:
        side = self.one.sides[path]
        return u.UNITLESS if (side.bounded | side.below | side.above).any() else side.side.unit

    def _scale(self) -> np.ndarray:
        return np.concatenate([np.broadcast_to(side.scale, side.size) for side in self.one.sides.values()])

    def log_prior(self, z: jax.Array) -> jax.Array:
        common, spreads, own = self.parts(z)
        zero = jnp.zeros(self.one.size, z.dtype)
        of_common = self.one.log_priors(zero.at[self.common].set(common))
        # what is each subject's own; deviations stand in the same rows, and are left out
        of_own = jax.vmap(self.one.log_priors)(jnp.zeros((self.n, self.one.size), z.dtype).at[:, self.own].set(own))
        free = [path for path in self.one.sides if path not in self.group and path not in self.shared]
        total = sum((of_common[path] for path in self.one.sides if path not in free), jnp.zeros((), z.dtype))
        total = total + sum((jnp.sum(of_own[path]) for path in free), jnp.zeros((), z.dtype))
        deviations = own[:, self.grouped[self.own]]
        return total + jnp.sum(jax.scipy.stats.norm.logpdf(deviations)) + self._of_spreads(spreads)

    def _of_spreads(self, spreads: jax.Array) -> jax.Array:
        """Their prior, times the slope of the exponential."""
        widths = jnp.zeros(self.one.size, spreads.dtype).at[self.grouped].set(jnp.exp(spreads))
        # The logarithm of the slope of exp.
        total = jnp.sum(spreads)
        for path, prior in self.group.items():
            of_path = widths[self.places[path]]
            scale = np.broadcast_to(self.one.sides[path].scale, of_path.shape)
            if prior is None:
                total = total + jnp.sum(jax.scipy.stats.norm.logpdf(of_path) + jnp.log(2.0))
            else:
                total = total + jnp.sum(prior.log_density(of_path * scale * self.unit(path)) + np.log(scale).sum())
        return total

    def sample(self, key: jax.Array, n: int) -> jax.Array:
        """Numbers (n, size) of draws of the prior."""
        of_common, of_own, of_spreads, of_widths = jax.random.split(key, 4)
        common = self.one.sample(of_common, n)[:, self.common]
        own = self.one.sample(of_own, n * self.n).reshape(n, self.n, -1)
        # Deviations from the group are standard normal, whatever the prior of the parameter.
        normal = jax.random.normal(of_spreads, own.shape)
        own = jnp.where(self.grouped, normal, own)[:, :, self.own]
        widths = jnp.abs(jax.random.normal(of_widths, (n, self.one.size)))
        for i, (path, prior) in enumerate(self.group.items()):
            if prior is not None:
                place, key = self.places[path], jax.random.fold_in(of_widths, i)
                drawn = prior.sample(key, (n, place.stop - place.start))
                numbers = jnp.asarray(u.Quantity(drawn).to_decimal(self.unit(path)))
                widths = widths.at[:, place].set(numbers / self.one.sides[path].scale)
        return jnp.concatenate([common, jnp.log(widths[:, self.grouped]), own.reshape(n, -1)], axis=1)

    def named(self) -> Iterable[str]:
        for path in self.one.sides:
            yield path
            if path in self.group:
                yield from (f"{path}.mean", f"{path}.spread")

    def names(self) -> list[str]:
        """One for each number, as `a.mean`, `a.spread` and `a (subject 3)`."""
        of_one = np.array(self.one.names(), object)
        own = [f"{name} (subject {s})" for s in range(self.n) for name in of_one[self.own]]
        common = [
            name + ".mean" * bool(g) for name, g in zip(of_one[self.common], self.grouped[self.common], strict=True)
        ]
        return [*common, *(f"{name}.spread" for name in of_one[self.grouped]), *own]


def _is_quantity(x: object) -> bool:
    return isinstance(x, u.Quantity)


def _path(problem: Problem, name: str, argument: str) -> str:
    try:
        known = isinstance(name, str) and name in problem.names
        return name if known else next(p for p in problem.names if p.endswith(f".{name}"))
    except StopIteration:
        raise argument_error(
            Argument(argument, "HierarchicalProblem"),
            f"must name parameters of the problem: {', '.join(problem.names)}",
            f"has {name!r}",
        ) from None


def _priors(problem: Problem, group: Any) -> dict[str, Prior | None]:
    what = Argument("group", "HierarchicalProblem")
    if isinstance(group, Mapping):
        names = dict(group)
    else:
        given = [group] if isinstance(group, str) else items(what, group, _NAMES)
        names = {_path(problem, name, "group"): None for name in given}
    if not names:
        raise argument_error(what, "must name at least one parameter", "is empty")
    for name, prior in names.items():
        if prior is not None and not isinstance(prior, Prior):
            raise argument_error(
                what,
                f"must give the spread of {name} a prior, or None",
                f"gives {show(prior)}",
                'group={"a": brainmass.LogNormal(0.2, 0.5)}.',
                kind=TypeError,
            )
    return {_path(problem, name, "group"): prior for name, prior in names.items()}
