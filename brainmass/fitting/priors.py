"""Priors: what is known of a parameter before it is fitted."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from brainmass._common.checks import flag, instance, numbers
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Numbers
from brainmass.dynamics.module import Closed, fixed

__all__ = ["LogNormal", "Normal", "Prior", "RandomWalk"]

_NEEDED = ("log_prob", "sample")
_SPREADS = ("std", "spread", "step")


class Prior(Closed):
    """A distribution of a parameter's value, as the equations see it; its numbers are independent.

    Parameters
    ----------
    distribution
        Of numbers, with the methods of numpyro: `log_prob(x)`, `sample(key, shape)` and, where a solver needs bounds
        and is given none, `icdf(p)`, or `cdf(x)` to be inverted. Example: `numpyro.distributions.Beta(2.0, 5.0)`.
    unit : Unit, optional
        Of those numbers; densities are per this unit.
    log : bool
        Whether steps are measured in the logarithm by solvers that search within bounds.

    Raises
    ------
    TypeError
        If the distribution lacks a method.
    """

    _elsewhere = fixed("distribution", "unit", "log")

    def __init__(self, distribution: Any, unit: u.Unit = u.UNITLESS, *, log: bool = False):
        if lacking := [name for name in _NEEDED if not callable(getattr(distribution, name, None))]:
            raise argument_error(
                Argument("distribution", "Prior"),
                f"must have a method `{lacking[0]}`, as those of numpyro have",
                f"is {show(distribution)}",
                "brainmass.Normal(0.0, 1.0), or brainmass.Prior(numpyro.distributions.Gamma(2.0, 1.0), unit=u.ms).",
                kind=TypeError,
            )
        what = partial(Argument, owner=type(self).__name__)
        self.unit = instance(what("unit"), unit, u.Unit, "a unit", example="unit=u.mV")
        self.distribution, self.log = distribution, flag(what("log"), log)

    def log_density(self, value: Numbers) -> Any:
        """The sum over the numbers of `value` of the logarithm of their density."""
        return jnp.sum(self.distribution.log_prob(self._numbers(value)))

    def sample(self, key: Any, shape: tuple[int, ...] = ()) -> Numbers:
        """Draws of this shape, with the unit of the prior; `key` is that of JAX."""
        return self._value(self.distribution.sample(key, shape))

    def quantile(self, p: Numbers) -> Numbers:
        """The value below which lies the share `p` of the distribution."""
        return self._value(_quantile(self.distribution, p))

    def ends(self) -> tuple[Numbers, Numbers]:
        """What bounds the numbers of the distribution, from below and above; infinite where nothing does."""
        ends = _support(self.distribution)
        return (-np.inf, np.inf) if ends is None else ends

    def residuals(self, value: object) -> Numbers:
        """Numbers whose squares add up to the negative log density, but for a constant; None where there are none."""
        residuals = getattr(self.distribution, "residuals", None)
        return None if residuals is None else residuals(self._numbers(value))

    def describe(self) -> list[str]:
        """What tells one prior from another, in a saved fit: family, unit and a few draws."""
        probes = [np.asarray(self.distribution.sample(np.array([0, i], np.uint32), ())).tolist() for i in range(3)]
        return [type(self.distribution).__name__, str(self.unit), str(probes)]

    def _numbers(self, value: object) -> Numbers:
        return u.Quantity(value).to_decimal(self.unit)

    def _value(self, numbers: object) -> Numbers:
        return numbers if self.unit.is_unitless else u.Quantity(numbers, unit=self.unit)


class Normal(Prior):
    """A normal prior.

    Parameters
    ----------
    mean, std : number, Quantity or array
        One for all numbers of the parameter, or one for each; `std` > 0, with the unit of the mean.
    """

    def __init__(self, mean: Numbers, std: Numbers):
        unit, mean, std = _numbers("Normal", mean=mean, std=std)
        super().__init__(_Gauss(mean, std), unit)


class LogNormal(Prior):
    """A prior of positive numbers, whose logarithm is normal.

    Parameters
    ----------
    median : number, Quantity or array
        Greater than zero.
    spread : number or array
        Standard deviation of the logarithm, > 0: with 0.1, two thirds lie within about ten percent of the median.
    """

    def __init__(self, median: Numbers, spread: object):
        unit, median = _numbers("LogNormal", median=median)
        _, _, spread = _numbers("LogNormal", of_log=0.0, spread=spread)
        if not (median > 0).all():
            raise argument_error(Argument("median", "LogNormal"), "must be > 0", f"is {show(median)}")
        super().__init__(_LogGauss(np.log(median), spread), unit, log=True)


class RandomWalk(Prior):
    """A prior of numbers in a row, each of which is near the one before it: smoothness.

    The first has a normal distribution, and so has each difference between neighbours along the first axis.

    Parameters
    ----------
    mean, std : number, Quantity or array
        Of the first; `std` > 0.
    step : number, Quantity or array
        Standard deviation of the differences, > 0. Its square is one over twice the weight of a penalty on their
        squares.
    """

    def __init__(self, mean: Numbers, std: Numbers, step: Numbers):
        unit, mean, std, step = _numbers("RandomWalk", mean=mean, std=std, step=step)
        super().__init__(_Walk(mean, std, step), unit)


class _Walk:
    def __init__(self, mean: Numbers, std: Numbers, step: Numbers):
        self.first, self.further = _Gauss(mean, std), _Gauss(0.0, step)

    def log_prob(self, x: Numbers) -> Any:
        # The first and the differences determine the row, and by a matrix whose determinant is one: densities
        # need no factor.
        further = self.further.log_prob(jnp.diff(x, axis=0))
        return jnp.concatenate([self.first.log_prob(x[:1]), further])

    def sample(self, key: Numbers, shape: tuple[int, ...]) -> Any:
        # A single number has no neighbours.
        if not shape:
            return self.first.sample(key, shape)
        first, further = jax.random.split(jnp.asarray(key))
        start = self.first.sample(first, (1, *shape[1:]))
        steps = self.further.sample(further, (shape[0] - 1, *shape[1:]))
        return jnp.cumsum(jnp.concatenate([start, steps]), axis=0)

    def residuals(self, x: Numbers) -> Any:
        return jnp.concatenate([self.first.residuals(x[:1]), self.further.residuals(jnp.diff(x, axis=0))])


class _Gauss:
    def __init__(self, mean: Numbers, std: Numbers):
        self.mean, self.std = mean, std

    def log_prob(self, x: Numbers) -> Any:
        return norm.logpdf(x, self.mean, self.std)

    def icdf(self, p: Numbers) -> Any:
        return norm.ppf(p, self.mean, self.std)

    def sample(self, key: Numbers, shape: tuple[int, ...]) -> Any:
        return self.mean + self.std * jax.random.normal(key, shape)

    def residuals(self, x: Numbers) -> Any:
        # Solvers of least squares make the sum of squares small: z²/2 is the negative log density.
        return (x - self.mean) / self.std / np.sqrt(2)


class _LogGauss:
    support = SimpleNamespace(lower_bound=0.0, upper_bound=np.inf)

    def __init__(self, mean: Numbers, std: Numbers):
        self.mean, self.std, self.of_log = mean, std, _Gauss(mean, std)

    def log_prob(self, x: Numbers) -> Any:
        # d(log x)/dx = 1/x: a density per logarithm is one per number after division by x.
        return self.of_log.log_prob(jnp.log(x)) - jnp.log(x)

    def icdf(self, p: Numbers) -> Any:
        return jnp.exp(self.of_log.icdf(p))

    def sample(self, key: Numbers, shape: tuple[int, ...]) -> Any:
        return jnp.exp(self.of_log.sample(key, shape))

    def residuals(self, x: Numbers) -> Any:
        """By completing the square: the density is highest where the logarithm is mean - std²."""
        return (jnp.log(x) - self.mean + self.std**2) / self.std / np.sqrt(2)


def _quantile(distribution: Any, p: float) -> Numbers:
    ends = _support(distribution)
    # The support says them, whatever `icdf` gives there.
    if ends is not None and p in (0, 1):
        return ends[p == 1]
    try:
        return distribution.icdf(jnp.asarray(p, jnp.result_type(float)))
    except (AttributeError, NotImplementedError, ImportError):  # numpyro's Gamma, Beta and StudentT want TensorFlow
        if ends is None or not callable(getattr(distribution, "cdf", None)):
            raise NotImplementedError(f"{type(distribution).__name__} has neither `icdf` nor `cdf`.") from None
    return _inverse_of_cdf(distribution, p, *ends)


def _support(distribution: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Where the distribution ends, as numpyro's say it."""
    support = getattr(distribution, "support", None)
    if support is None:
        return None
    ends = getattr(support, "lower_bound", -np.inf), getattr(support, "upper_bound", np.inf)
    low, high = (np.broadcast_to(np.asarray(end, float), getattr(distribution, "batch_shape", ())) for end in ends)
    return low, high


def _inverse_of_cdf(distribution: Any, p: float, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """By bisection, from where some draws are, and twice as far until the quantile is inside."""

    def above(x: np.ndarray) -> np.ndarray:
        return np.asarray(distribution.cdf(jnp.asarray(x, jnp.result_type(float)))) > p

    # Draws tell where to begin, whatever the scale: 1e-9 or 1e9. Fifty halvings are then as exact as the numbers.
    draws = np.asarray(distribution.sample(np.zeros(2, np.uint32), (100,)), float)
    left, right = draws.min(0), draws.max(0)
    while (above(left) | ~above(right)).any() and (right - left).max() < 1e30:
        left, right = np.maximum(2 * left - right, low), np.minimum(2 * right - left, high)
    for _ in range(50):
        middle = (left + right) / 2
        high_enough = above(middle)
        left, right = np.where(high_enough, left, middle), np.where(high_enough, middle, right)
    return right


def _numbers(owner: str, **given: Any) -> tuple:
    """The unit of the first, and all as arrays in it."""
    given = {name: numbers(Argument(name, owner), value) for name, value in given.items()}
    first = next(iter(given))
    unit = u.get_unit(given[first])
    out: list[Numbers] = []
    for name, value in given.items():
        if not u.get_unit(value).has_same_dim(unit):
            kind = "have no unit" if unit.is_unitless else f"have a unit like {unit}"
            as_first = "" if first == "of_log" else f", as `{first}`"
            raise argument_error(
                Argument(name, owner), f"must {kind}{as_first}", f"is {show(value)}", kind=u.UnitMismatchError
            )
        found = np.asarray(u.Quantity(value).to_decimal(unit), float)
        if not np.isfinite(found).all() or (name in _SPREADS and not (found > 0).all()):
            rule = "> 0 and finite" if name in _SPREADS else "finite"
            raise argument_error(Argument(name, owner), f"must be {rule}", f"is {show(value)}")
        out.append(found)
    return unit, *out
