"""One parameter that is fitted: the numbers that a solver moves, their bounds and their prior."""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np

from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Array, ArrayLike, Numbers
from brainmass.dynamics.checks import check_param_value
from brainmass.dynamics.declared import WithRows
from brainmass.dynamics.fields import real
from brainmass.fitting.description import Bounds, Free
from brainmass.fitting.sharing import Sharing
from brainmass.simulation.inventory import Inventory

__all__ = ["Coordinate"]

_FAR = 1e8  # an end that is none: brainstate cuts its exponential off at exp(20)
_TAIL = 1e-4  # of a prior: it is not searched by solvers that need bounds


class Coordinate:
    """A parameter and how it is fitted.

    Attributes
    ----------
    start, like
        The present value as it is fitted, one number where regions share it: before the transform, and after it.
    low, high : array or None
        The box of solvers that need one, in the unit of the parameter: the bounds, else where the prior lies.
    kept : (array or None, array or None)
        What gradient descent keeps to: the bounds, else the ends of the prior where there are such.
    """

    def __init__(self, path: str, free: Free, found: Inventory):
        self.what = Argument("search_space", "Fitter", entry=path, more=f", for the parameter `{path}`,")
        param, owner = found.params[path], found.modules.get(path.rpartition(".")[0])
        self.path, self.free, self.prior, self._own = path, free, free.prior, param.t
        self.transform, raw = free.transform or param.t, found.raw()[path]
        whole = self._own.forward(raw)
        self.sharing = Sharing(self.what, free.shared, u.math.shape(whole), getattr(owner, "varshape", (None,))[-1])
        self.like = self.sharing.mean(whole)
        # Where nothing is shared and the transform is its own, the stored number itself: forwards and back again is
        # not the same to the last bit, and a fit of no steps would change the model.
        as_it_is = self.like is whole and self.transform is self._own
        self.start = raw if as_it_is else self._before()
        self.unit, self.shape = u.get_unit(self.like), u.math.shape(self.like)
        self.dtype, self.size = jnp.result_type(u.get_mantissa(self.like)), int(np.prod(self.shape))
        self._check_transform(whole)
        declared = isinstance(owner, WithRows) and param.precompute is None
        self._spec = owner._params.get(path.rpartition(".")[2]) if declared else None  # pyright: ignore[reportOptionalMemberAccess]
        bounds = free.bounds
        self.log = bounds.log if bounds is not None else self.prior is not None and self.prior.log
        self.low: Numbers = None
        self.high: Numbers = None
        if self.prior is not None:
            self._check_prior()
        if bounds is not None:
            self._set_box(bounds.low, bounds.high)
        elif self.prior is not None:
            self._set_box_of_prior()
        self.kept = (self.low, self.high) if bounds is not None else self._ends_of_prior()

    def bound_by_transform(self) -> None:
        """Without bounds and prior, the box is what the transform gives, less its ends, where it has no inverse."""
        low, high = self._ends_of_transform()
        if self.low is None and np.isfinite([low, high]).all():
            margin = _TAIL * (high - low)
            self._set_box(self.value(low + margin), self.value(high - margin))

    # --- between the solver and the model -----------------------------------------------------------------------------
    def value(self, numbers: Numbers) -> Numbers:
        numbers = jnp.asarray(numbers, self.dtype)
        return u.Quantity(numbers, unit=self.unit) if isinstance(self.like, u.Quantity) else numbers

    def at(self, place: Numbers) -> Numbers:
        """The value at a place from 0 (low) to 1 (high)."""
        place = place.reshape(self.shape)
        if self.log:
            # Both ends are hit exactly: low + place (high - low) may lie beyond high by rounding.
            return self.value(jnp.exp((1 - place) * np.log(self.low) + place * np.log(self.high)))
        return self.value((1 - place) * self.low + place * self.high)

    def place(self, value: Numbers) -> np.ndarray:
        # A start outside of the box, as bounds may be narrower than where the model is, begins at its nearest end.
        numbers = np.clip(np.asarray(u.Quantity(value).to_decimal(self.unit), float), self.low, self.high)
        low, high = self.low, self.high
        if self.log:
            numbers, low, high = np.log(numbers), np.log(low), np.log(high)
        return np.ravel((numbers - low) / (high - low))

    def kept_within(self, raw: Numbers) -> Array:
        """A value before its transform, moved to the nearest end where it lies beyond."""
        low, high = self.kept
        value = self.transform.forward(raw)
        if low is not None:
            # Compared after the transform, where bounds are meant, and moved before it, where the optimiser steps.
            # What lies within stays as it is, to the bit.
            raw = u.math.where(value < self.value(low), self.transform.inverse(self.value(low)), raw)
        if high is not None:
            raw = u.math.where(value > self.value(high), self.transform.inverse(self.value(high)), raw)
        return raw

    def draws(self, key: object, n: int) -> Any:
        """Values drawn from the prior; those beyond the bounds are moved to them."""
        assert self.prior is not None
        values = self.value(u.Quantity(self.prior.sample(key, (n, *self.shape))).to_decimal(self.unit))
        low, high = self.kept
        return u.math.clip(values, None if low is None else self.value(low), None if high is None else self.value(high))

    def stored(self, raw: Numbers) -> Numbers:
        """What the parameter of the model stores, for numbers that were fitted."""
        raw = self.sharing.spread(raw)
        return raw if self.transform is self._own else self._own.inverse(self.transform.forward(raw))

    def log_density(self, value: Numbers) -> Numbers:
        """Of the prior, else evenly within the bounds (in the logarithm where these say so)."""
        numbers = u.Quantity(value).to_decimal(self.unit)
        inside = True if self.free.bounds is None else jnp.all((numbers >= self.low) & (numbers <= self.high))
        if self.prior is not None:
            density = self.prior.log_density(value)
        elif self.log:
            # Even in log x is 1 / (x log(high / low)) in x.
            density = -jnp.sum(jnp.log(numbers) + np.log(np.log(self.high) - np.log(self.low)))
        else:
            density = -jnp.sum(np.log(self.high - self.low))
        return jnp.where(inside, density, -jnp.inf)

    def raw_of(self, what: str, value: Numbers) -> Numbers:
        """The number before the transform, of a value of the parameter that `what` names in errors."""
        return self.transform.inverse(self.value(self._checked(value, what)))

    def bounds(self) -> Bounds | None:
        """The box, else what the transform can give, for each of the numbers that share one; None where that is all."""
        ends = self._ends_of_transform() if self.low is None else (self.low, self.high)
        if not any(np.isfinite(end).all() for end in ends):
            return None
        low, high = (self.sharing.spread(self.value(end)) for end in ends)
        return Bounds(low, high, self.log)

    def _ends_of_transform(self) -> tuple[np.ndarray, np.ndarray]:
        """What it gives far out on both sides; infinite where it has no end."""
        numbers, unit = u.split_mantissa_unit(u.math.asarray(self.start))
        # Asked of the transform itself, as those of a user say nothing of their ends.
        far = [u.maybe_decimal(u.Quantity(jnp.full_like(numbers, end), unit=unit)) for end in (-np.inf, np.inf)]
        ends = np.sort([np.asarray(u.get_mantissa(self.transform.forward(x)), float) for x in far], axis=0)
        # Some have no value at infinity: of those no end is known.
        known = ~np.isnan(ends).any(axis=0)
        low, high = np.where(known & (np.abs(ends) < _FAR), ends, np.nan)
        return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)

    def describe(self) -> list[object]:
        box = None if self.low is None or self.high is None else [self.low.tolist(), self.high.tolist()]
        prior = None if self.prior is None else self.prior.describe()
        return [
            box,
            str(self.unit),
            self.log,
            prior,
            self.sharing.describe(),
            repr(self.transform),
            repr(self.free.reg),
        ]

    def _before(self) -> Numbers:
        try:
            return self.transform.inverse(self.like)
        except (IndexError, TypeError, ValueError, u.UnitMismatchError) as error:
            kind, unit = type(self.transform).__name__, u.get_unit(self.like)
            ends = "" if unit.is_unitless else f" Its ends must have the unit of the parameter, {unit}."
            raise argument_error(
                self.what,
                f"is {show(self.like)} of shape {u.math.shape(self.like)}, which its transform {kind} "
                f"does not take: {' '.join(str(error).split()).rstrip('.')}",
                hint=ends,
            ) from error

    # --- checks -------------------------------------------------------------------------------------------------------
    def _check_transform(self, whole: Array) -> None:
        kind = type(self.transform).__name__
        if not all(np.isfinite(u.get_mantissa(x)).all() for x in (self.start, self.transform.forward(self.start))):
            raise argument_error(self.what, f"is {show(self.like)}, which its transform {kind} cannot give")
        # Spread before the transform or after it: the same, if it acts on each number by itself.
        one = self.transform.forward(self.sharing.spread(self.start))
        other = self.sharing.spread(self.transform.forward(self.start))
        same = u.math.shape(one) == u.math.shape(other) and u.get_unit(one) == u.get_unit(whole)
        if not same or not np.allclose(u.get_mantissa(one), u.get_mantissa(other), rtol=1e-3, atol=1e-6):
            raise argument_error(self.what, f"cannot be shared: its transform {kind} does not act on each number alone")

    def _set_box(self, low: ArrayLike, high: ArrayLike) -> None:
        self.low, self.high = self._checked(low), self._checked(high)
        if not (self.low < self.high).all():
            raise argument_error(self.what, "must go from low to high", f"is from {low} to {high}")
        if self.log and not (self.low > 0).all():
            raise argument_error(self.what, "must have bounds > 0 for a logarithmic scale", f"low is {low}")

    def _checked(self, bound: Numbers, what: str = "") -> np.ndarray:
        what = what or self.what
        check_param_value(self.path, self._spec, self.like, bound, what=what)
        value = np.asarray(u.Quantity(bound).to_decimal(self.unit), float)
        if not np.isfinite(value).all():
            raise argument_error(what, f"must be {real.text}", f"is {show(bound)}")
        try:
            value = np.broadcast_to(value, self.shape)
        except ValueError:
            raise argument_error(what, f"must fit its shape {self.shape}", f"has shape {value.shape}") from None
        # There and back: a value that the transform cannot give comes back as another, or as NaN.
        back = u.get_mantissa(self.transform.forward(self.transform.inverse(self.value(value))))
        if u.math.shape(back) != self.shape or not np.allclose(back, value, rtol=1e-3, atol=1e-6):
            raise argument_error(
                what,
                f"must lie within what its transform {type(self.transform).__name__} can give",
                f"is {show(bound)}",
            )
        return value

    def _check_prior(self) -> None:
        assert self.prior is not None
        check_param_value(self.path, None, self.like, 0 * self.prior.unit, what=self.what)
        try:
            drawn = u.math.shape(self.prior.sample(np.zeros(2, np.uint32), self.shape))
        except (TypeError, ValueError):
            drawn = None
        if drawn != self.shape:
            raise argument_error(self.what, f"must have a prior that fits its shape {self.shape}", f"it draws {drawn}")

    def _set_box_of_prior(self) -> None:
        assert self.prior is not None
        try:
            low, high = self.prior.quantile(_TAIL), self.prior.quantile(1 - _TAIL)
        except (AttributeError, NotImplementedError):
            return  # solvers that need bounds will ask for them
        self._set_box(low, high)

    def _ends_of_prior(self) -> tuple[Numbers, Numbers]:
        if self.prior is None or self.low is None:
            return None, None
        # The box of a prior is cut at its tails; only where the prior itself ends must values be kept within.
        ends = (u.get_mantissa(self.prior.quantile(p)) for p in (0.0, 1.0))
        low, high = (
            box if np.isfinite(end).all() else None for end, box in zip(ends, (self.low, self.high), strict=True)
        )
        return low, high
