"""How likely an observation is, given what a model predicts."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
from jax.scipy.stats import norm, t

from brainmass._common.checks import flag
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Array, Numbers
from brainmass.dynamics.declared import WithRows
from brainmass.dynamics.fields import Par, option, param, positive
from brainmass.inference.summary import of_recordings

__all__ = ["Gaussian", "Likelihood", "StudentT"]


class Likelihood(WithRows):
    """Base of the likelihoods: of a recording itself, or of a feature of it.

    One of your own writes `pointwise(predicted, observed)`, the log density of each number, and, for posterior
    predictive draws, `draw(key, predicted)`; its parameters are rows, which a search space names as
    `"likelihood.sigma"`.
    """

    of: Any = option(
        default=None,
        check=of_recordings,
        doc="What is compared: names of features, a function of the recording; by default the recording itself",
    )
    summarised: bool = option(
        default=False, check=flag, doc="Whether `observed` is that feature already, not a recording"
    )

    @abstractmethod
    def pointwise(self, predicted: Array, observed: Array) -> jax.Array:
        """The log density of each number that was observed."""

    @abstractmethod
    def draw(self, key: jax.Array, predicted: Array) -> Array:
        """An observation, given what is predicted."""

    def log_density(self, predicted: Array, observed: Array) -> jax.Array:
        """The logarithm of the density of all that was observed; features of both are made before."""
        return jnp.sum(self.pointwise(predicted, observed))

    def feature(self, recording: Array) -> Array:
        """What is compared, of a recording."""
        return recording if self.of is None else self.of(recording)

    def shape_of(self, key: str, value: Any) -> None:
        """That of a parameter is known when something is observed."""

    def _as_numbers(self, x: Numbers, like: Array, name: str) -> jax.Array:
        """`x` in the unit of what is predicted; plain numbers are in it."""
        unit = u.get_unit(like)
        if u.get_unit(x).is_unitless and not isinstance(x, u.Quantity):
            return jnp.asarray(x)
        if not u.get_unit(x).has_same_dim(unit):
            wanted = "no unit" if unit.is_unitless else f"the unit of what is predicted, {unit}"
            raise argument_error(
                Argument(name, self._owner), f"must have {wanted}", f"is {show(x)}", kind=u.UnitMismatchError
            )
        return u.Quantity(x).to_decimal(unit)


class Gaussian(Likelihood):
    r"""Independent normal errors: :math:`y \sim N(\hat y, \sigma)`.

    A given `sigma` is kept; one that the search space names, as `"likelihood.sigma"`, is estimated.
    """

    sigma: Par = param(default=1.0, doc="standard deviation of the errors", unit="any", domain=positive)

    _first_rows = ("sigma",)

    def pointwise(self, predicted: Array, observed: Array) -> jax.Array:
        sigma = self._as_numbers(self.p.sigma, predicted, "sigma")
        return norm.logpdf(_plain(observed, predicted), _plain(predicted, predicted), sigma)

    def draw(self, key: jax.Array, predicted: Array) -> Array:
        sigma = self._as_numbers(self.p.sigma, predicted, "sigma")
        return _with_errors(predicted, sigma * jax.random.normal(key, u.math.shape(predicted)))


class StudentT(Likelihood):
    r"""Independent errors with heavy tails, Student's t: outliers count less than with `Gaussian`.

    As for that, with `df` degrees of freedom; the standard deviation of the errors is
    :math:`\sigma\sqrt{df/(df - 2)}`.
    """

    sigma: Par = param(default=1.0, doc="scale of the errors", unit="any", domain=positive)
    df: Par = param(default=4.0, doc="degrees of freedom", domain=positive)

    _first_rows = ("sigma", "df")

    def pointwise(self, predicted: Array, observed: Array) -> jax.Array:
        sigma = self._as_numbers(self.p.sigma, predicted, "sigma")
        return t.logpdf(_plain(observed, predicted), self.p.df, _plain(predicted, predicted), sigma)

    def draw(self, key: jax.Array, predicted: Array) -> Array:
        sigma = self._as_numbers(self.p.sigma, predicted, "sigma")
        return _with_errors(predicted, sigma * jax.random.t(key, self.p.df, u.math.shape(predicted)))


def _plain(x: Array, like: Array) -> jax.Array:
    """As numbers in the unit of the prediction."""
    return u.Quantity(x).to_decimal(u.get_unit(like)) if isinstance(x, u.Quantity) else jnp.asarray(x)


def _with_errors(predicted: Array, errors: jax.Array) -> Numbers:
    """Errors are numbers in the unit of the prediction, which stays without one where it has none."""
    return predicted + (u.Quantity(errors, unit=predicted.unit) if isinstance(predicted, u.Quantity) else errors)
