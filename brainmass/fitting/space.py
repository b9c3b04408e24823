"""Where parameters are searched for: bounds, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from brainmass.dynamics.base import Declared
from brainmass.dynamics.fields import check_param_value, real, show
from brainmass.simulation.functional import Inventory, Values

__all__ = ["Bounds", "Box", "SearchSpace", "Stored"]


@dataclass(frozen=True)
class Bounds:
    """Where a parameter is searched for: from `low` to `high`, evenly or, with `log`, evenly in the logarithm.

    Parameters
    ----------
    low, high : number, Quantity or array
        Of the parameter as the equations see it; one number for all regions, or one for each.
    log : bool
        Whether starts are drawn, and steps measured, in the logarithm; both bounds are then positive.
    """

    low: Any
    high: Any
    log: bool = False


class _Side:
    """One parameter of a search space: its bounds as arrays, in the unit of the parameter."""

    def __init__(self, path: str, bounds: Any, found: Inventory):
        self.what = f"Argument `search_space` of Fitter, for the parameter `{path}`,"
        if not isinstance(bounds, Bounds):
            if not isinstance(bounds, tuple | list) or len(bounds) != 2:
                raise TypeError(f"{self.what} must be bounds (low, high) or a brainmass.Bounds, but is {show(bounds)}.")
            bounds = Bounds(*bounds)
        self.transform, self.log = found.params[path].t, bounds.log
        self.like = self.transform.forward(_raw(found, path))
        self.unit, self.shape = u.get_unit(self.like), u.math.shape(self.like)
        self.dtype = u.get_mantissa(self.like).dtype
        self.size = int(np.prod(self.shape))
        self.low, self.high = (self._checked(path, side, found) for side in (bounds.low, bounds.high))
        if not (self.low < self.high).all():
            raise ValueError(f"{self.what} must go from low to high, but is from {bounds.low} to {bounds.high}.")
        if self.log and not (self.low > 0).all():
            raise ValueError(f"{self.what} must have bounds > 0 for a logarithmic scale, but low is {bounds.low}.")

    def _checked(self, path: str, bound: Any, found: Inventory) -> np.ndarray:
        owner, _, name = path.rpartition(".")
        module, param = found.modules.get(owner), found.params[path]
        declared = isinstance(module, Declared) and param.precompute is None
        spec = module._params.get(name) if declared else None  # pyright: ignore[reportOptionalMemberAccess]
        check_param_value(path, spec, self.like, bound, what=self.what)
        value = np.asarray(u.Quantity(bound).to_decimal(self.unit), float)
        if not np.isfinite(value).all():
            raise ValueError(f"{self.what} must be {real.text}, but is {show(bound)}.")
        try:
            value = np.broadcast_to(value, self.shape)
        except ValueError:
            raise ValueError(f"{self.what} must fit its shape {self.shape}, but has shape {value.shape}.") from None
        back = u.get_mantissa(self.transform.forward(self.transform.inverse(self.value(value))))
        if u.math.shape(back) != self.shape or not np.allclose(back, value, rtol=1e-3, atol=1e-6):
            raise ValueError(
                f"{self.what} must lie within what its transform {type(self.transform).__name__} can give, "
                f"but is {show(bound)}."
            )
        return value

    def value(self, numbers: Any) -> Any:
        numbers = jnp.asarray(numbers, self.dtype)
        return u.Quantity(numbers, unit=self.unit) if isinstance(self.like, u.Quantity) else numbers

    def at(self, place: Any) -> Any:
        """The value at a place from 0 (low) to 1 (high)."""
        place = place.reshape(self.shape)
        if self.log:
            return self.value(jnp.exp((1 - place) * np.log(self.low) + place * np.log(self.high)))
        return self.value((1 - place) * self.low + place * self.high)

    def place(self, value: Any) -> np.ndarray:
        numbers = np.clip(np.asarray(u.Quantity(value).to_decimal(self.unit), float), self.low, self.high)
        low, high = self.low, self.high
        if self.log:
            numbers, low, high = np.log(numbers), np.log(low), np.log(high)
        return np.ravel((numbers - low) / (high - low))

    def kept_within(self, raw: Any) -> Any:
        """A stored value, moved to the nearest bound where it lies beyond."""
        value = self.transform.forward(raw)
        low, high = self.value(self.low), self.value(self.high)
        raw = u.math.where(value < low, self.transform.inverse(low), raw)
        return u.math.where(value > high, self.transform.inverse(high), raw)


class SearchSpace:
    """Bounds of trainable parameters, by path; the parameters side by side make a unit cube."""

    def __init__(self, given: Mapping[str, Any], found: Inventory, trainable: Mapping[str, Any]):
        if not isinstance(given, Mapping) or not given:
            raise TypeError(
                f"Argument `search_space` of Fitter must map names to bounds, but is {show(given)}. "
                'Example: search_space={"a": (-1.0, 1.0)}.'
            )
        bounds = {_trainable_path(name, found, trainable): b for name, b in given.items()}
        if len(bounds) < len(given):
            raise ValueError(f"Argument `search_space` of Fitter names a parameter twice: {', '.join(given)}.")
        self.sides = {path: _Side(path, bounds[path], found) for path in trainable if path in bounds}
        self.size = sum(side.size for side in self.sides.values())

    def at(self, place: Any) -> Values:
        """Parameter values, after their transforms, at a place in the unit cube."""
        parts = np.cumsum([side.size for side in self.sides.values()])[:-1]
        pieces = jnp.split(place, parts)
        return {path: side.at(z) for (path, side), z in zip(self.sides.items(), pieces, strict=True)}

    def stored(self, place: Any) -> Values:
        """The same before their transforms."""
        return {path: self.sides[path].transform.inverse(value) for path, value in self.at(place).items()}

    def place(self, theta: Values) -> np.ndarray:
        """Where in the unit cube stored values are, or what is nearest to them."""
        return np.concatenate([side.place(side.transform.forward(theta[path])) for path, side in self.sides.items()])

    def kept_within(self, theta: Values) -> Values:
        return theta | {path: side.kept_within(theta[path]) for path, side in self.sides.items()}

    def describe(self) -> dict[str, Any]:
        return {
            path: [side.low.tolist(), side.high.tolist(), str(side.unit), side.log] for path, side in self.sides.items()
        }


class Box:
    """The unit cube of a search space as the coordinates of a solver."""

    plain = True

    def __init__(self, space: SearchSpace, theta: Values):
        if missing := [path for path in theta if path not in space.sides]:
            raise ValueError(
                "Argument `search_space` of Fitter must bound all trainable parameters, but lacks "
                f"{', '.join(missing)}. One that is not to be fitted is given without `fit=True`."
            )
        self.start, self.bounded = space.place(theta), True
        self.values, self.stored = space.at, space.stored


class Stored:
    """Stored values, side by side, as the coordinates of a solver: without bounds."""

    plain = False

    def __init__(self, theta: Values):
        flat, unravel = ravel_pytree(theta)
        self.start, self.bounded = np.asarray(flat, float), False
        self.values = self.stored = lambda x: unravel(jnp.asarray(x, flat.dtype))


def _raw(found: Inventory, path: str) -> Any:
    return found.raw()[path]


def _trainable_path(name: str, found: Inventory, trainable: Mapping[str, Any]) -> str:
    path = found.find_param(name)
    if path not in trainable:
        raise ValueError(
            f"Argument `search_space` of Fitter names {name!r}, which is not trainable: make it so by "
            f"brainstate.nn.Param(value, fit=True). Trainable are {', '.join(trainable)}."
        )
    return path
