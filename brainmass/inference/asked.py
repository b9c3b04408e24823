"""The parameters of a fit as a row of numbers in their own units, and what the data say of them as functions of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers, Pytree
from brainmass.fitting.checks import check_finite
from brainmass.fitting.fitter import Fitter
from brainmass.fitting.space import SearchSpace
from brainmass.inference.likelihoods import Gaussian, Likelihood, StudentT
from brainmass.inference.problem import Problem
from brainmass.inference.reals import labels
from brainmass.simulation.inventory import Values

__all__ = ["Asked", "Row", "asked_of_fitter", "asked_of_problem", "derivatives"]

_AT = Argument("at", "identifiability")


class Row:
    """Parameters as the equations see them, side by side, in their units."""

    def __init__(self, space: SearchSpace):
        self.space = space
        sides = space.sides.values()
        self.names = tuple(name for path, side in space.sides.items() for name in labels(path, side.shape))
        self.units = [side.unit for side in sides for _ in range(side.size)]
        self._ends = np.cumsum([side.size for side in sides])[:-1].tolist()

    def of(self, values: Mapping[str, Numbers]) -> jax.Array:
        parts = [u.Quantity(values[path]).to_decimal(side.unit) for path, side in self.space.sides.items()]
        return jnp.concatenate([jnp.ravel(jnp.asarray(x, jnp.result_type(float))) for x in parts])

    def values(self, x: jax.Array) -> Values:
        sides = self.space.sides
        parts = zip(sides.items(), jnp.split(x, self._ends), strict=True)
        return {path: side.value(jnp.reshape(part, side.shape)) for (path, side), part in parts}

    def scales(self, x: np.ndarray) -> np.ndarray:
        """How large each is; of one at zero how wide its bounds or its prior are, else 1."""
        widths = np.concatenate([np.ravel(_width(side)) for side in self.space.sides.values()])
        return np.where(x != 0, np.abs(x), widths)


class Asked(NamedTuple):
    """What is looked at: the parameters, and two functions of a row of them.

    `standardised` gives numbers whose derivatives J have the expected information JᵀJ, `log_density` is what a fit
    makes large; either may be None.
    """

    row: Row
    start: jax.Array
    standardised: Callable[[jax.Array], jax.Array] | None
    log_density: Callable[[jax.Array], jax.Array]
    is_density: bool


def asked_of_problem(problem: Problem, at: Mapping[str, Numbers] | None) -> Asked:
    """The likelihood of a problem."""
    found, space = problem._found()
    row, given = Row(space), problem._given(found, space)
    values = space.after(space.start) if at is None else space.by_path(_AT, at, found)

    def standardised(x: jax.Array) -> jax.Array:
        likelihoods, recorded = problem._predicted(row.values(x), given)
        parts = [_standardised(one, one.feature(recorded[name])) for name, one in likelihoods.items()]
        return jnp.concatenate(parts)

    known = all(type(x) in _WEIGHTS for x in problem._fitted.subject.likelihoods.values())
    log_density = lambda x: problem._likelihood(row.values(x), given)  # noqa: E731
    return Asked(row, row.of(values), standardised if known else None, log_density, True)


# By how much a number counts, of d(prediction)²/σ² and of d(log σ)²: Fisher's information of location and scale. That
# of Student's t: Lange, Little, Taylor 1989, J. Am. Stat. Assoc. 84:881.
_WEIGHTS: dict[type[Likelihood], Callable[[Any], tuple[Any, Any]]] = {
    Gaussian: lambda x: (1.0, 2.0),
    StudentT: lambda x: ((x.df.value() + 1) / (x.df.value() + 3), 2 * x.df.value() / (x.df.value() + 3)),
}


def _standardised(likelihood: Any, predicted: Numbers) -> jax.Array:
    of_location, of_scale = _WEIGHTS[type(likelihood)](likelihood)
    sigma = likelihood._as_numbers(likelihood.sigma.value(), predicted, "sigma")
    numbers = jnp.asarray(u.get_mantissa(predicted))
    sigma = jnp.broadcast_to(sigma, numbers.shape)
    # derivatives of the prediction count by σ here, of which those are parts of their own
    location = jnp.sqrt(of_location) * numbers / jax.lax.stop_gradient(sigma)
    # A σ that is not fitted has no slope, and its rows are zero.
    return jnp.concatenate([jnp.ravel(location), jnp.ravel(jnp.sqrt(of_scale) * jnp.log(sigma))])


def asked_of_fitter(
    fitter: Fitter, target: Pytree, at: Mapping[str, Numbers] | None, noise: float | None, seed: Any, fisher: bool
) -> Asked:
    """The loss of a fit; with `fisher` its prediction too, by the noise that is given, or as large as what is left."""
    found = fitter._problem.renewed()
    space = fitter._space(found)
    row, problem = Row(space), fitter._problem
    fitter._check_target("identifiability", target)
    check_finite(Argument("target", "identifiability"), target)
    given = fitter._given(found, space, fitter._as_predicted(target), seed)
    values = space.after(space.start) if at is None else space.by_path(_AT, at, found)
    start = row.of(values)

    def residuals(x: jax.Array) -> jax.Array:
        theta = row.values(x)
        if fitter.backend == "optimistix":
            return jnp.ravel(u.get_mantissa(problem.compared(theta, given.fixed, given.key, given.target, None, True)))
        # `predicted` takes numbers before transforms; derivatives are asked for by those after them.
        stored = {path: side.transform.inverse(theta[path]) for path, side in space.sides.items()}
        predicted = problem.predicted(stored, given.fixed, given.key, None)[0]
        return jnp.concatenate([jnp.ravel(u.get_mantissa(x)) for x in jax.tree.leaves(_less(predicted, given.target))])

    def loss(x: jax.Array) -> jax.Array:
        return -problem.loss(row.values(x), given.fixed, given.key, given.target, True)

    if not fisher:
        return Asked(row, start, None, loss, False)
    if noise is None:
        noise = _noise(np.asarray(residuals(start), float), start.size)
    return Asked(row, start, lambda x: residuals(x) / noise, loss, True)


def _noise(left: np.ndarray, n: int) -> float:
    """The standard deviation of what `n` parameters left."""
    if left.size > n and np.any(left):
        # Less the parameters, which have taken their share of the errors: without bias for a linear model.
        return float(np.sqrt(np.sum(left**2) / (left.size - n)))
    raise argument_error(
        Argument("noise", "identifiability"),
        "must be given where it cannot be estimated",
        f"there are {left.size} data, {n} parameters, and an error of {np.sum(left**2):.3g}",
        "noise=0.1.",
    )


def _less(predicted: Numbers, target: Pytree) -> Pytree:
    return predicted if target is None else jax.tree.map(lambda x, y: x - y, predicted, target)


def _width(side: Any) -> np.ndarray:
    if side.low is None or side.high is None:
        return np.ones(side.size)
    return np.broadcast_to(np.asarray(side.high - side.low, float), side.shape)


def derivatives(function: Callable[..., Numbers]) -> Callable[..., tuple[Numbers, Numbers, Numbers]]:
    """The function with its gradient and Hessian by its first argument, compiled.

    Forward over forward mode: a run keeps nothing, and there are few parameters.
    """

    def value(y: jax.Array, *args: Pytree) -> Numbers:
        return (x := function(y, *args)), x

    def slope(y: jax.Array, *args: Pytree) -> Numbers:
        g, x = jax.jacfwd(value, has_aux=True)(y, *args)
        return g, (x, g)

    def all_three(y: jax.Array, *args: Pytree) -> Any:
        H, (x, g) = jax.jacfwd(slope, has_aux=True)(y, *args)
        return x, g, H

    return jax.jit(all_three)
