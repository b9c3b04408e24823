"""Which values a sweep goes through: grids, lists of points, random and Sobol designs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import brainunit as u
import numpy as np

from brainmass._common.checks import as_array, instance, numbers, one_of, whole
from brainmass._common.extras import import_io
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.precision import default_dtype
from brainmass._common.typing import Array, ArrayLike, Numbers, Seed
from brainmass.connectome.dense import Connectome
from brainmass.network.projection import Projection
from brainmass.simulation.inventory import Inventory
from brainmass.simulation.values import checked_value

__all__ = ["Axis", "Design", "as_design", "random_design", "sobol_design"]

DESIGNS = ("grid", "list")
_MOST_POINTS = 2**30  # of scipy's Sobol sequence


@dataclass(frozen=True)
class Axis:
    """The values of one parameter, along the first axis of `values`."""

    name: str
    values: np.ndarray
    unit: u.Unit
    labels: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def coords(self, dim: str) -> dict[str, tuple]:
        """Coordinates for xarray; values that are arrays themselves stand beside what numbers or names them."""
        attrs = {"units": str(self.unit)}
        if self.values.ndim == 1:
            return {self.name: (dim, self.values, attrs)}
        dims = (dim, *(f"{self.name}_{i}" for i in range(self.values.ndim - 1)))
        short = np.arange(len(self)) if self.labels is None else np.asarray(self.labels)
        return {self.name: (dim, short, {}), f"{self.name}_values": (dims, self.values, attrs)}


@dataclass(frozen=True)
class Design:
    """The points of a sweep, numbered in C order."""

    axes: tuple[Axis, ...]
    is_grid: bool

    @property
    def dims(self) -> tuple[str, ...]:
        if self.is_grid:
            return tuple(axis.name for axis in self.axes)
        return ("point",)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(map(len, self.axes)) if self.is_grid else (len(self.axes[0]),)

    @property
    def n_points(self) -> int:
        return math.prod(self.shape)

    @property
    def units(self) -> dict[str, u.Unit]:
        return {axis.name: axis.unit for axis in self.axes}

    def at(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """The values at these points, without units, in the precision of a run."""
        if not self.axes:
            return {}
        where = np.unravel_index(points, self.shape) if self.is_grid else (points,) * len(self.axes)
        return {a.name: a.values[i].astype(default_dtype()) for a, i in zip(self.axes, where, strict=True)}

    def coords(self) -> dict[str, tuple]:
        dims = self.dims if self.is_grid else self.dims * len(self.axes)
        coords = {} if self.is_grid else {"point": ("point", np.arange(self.n_points), {})}
        for axis, dim in zip(self.axes, dims, strict=True):
            coords |= axis.coords(dim)
        return coords


def as_design(found: Inventory, values: Any, kind: str) -> Design:
    """The design that a user wrote, checked against the parameters of the model."""
    one_of(Argument("design", "sweep"), kind, DESIGNS)
    instance(
        Argument("values", "sweep"), values, Mapping, "a mapping of names of parameters to their values",
        example='{"k": [0.1, 0.2]}',
    )  # fmt: skip
    names: dict[str, str] = {}
    for name in values:
        path = found.find_param(name)
        if path in names:
            raise argument_error(
                Argument("values", "sweep"), f"names one parameter twice: {names[path]!r} and {name!r}"
            )
        names[path] = name
    axes = tuple(_axis(found, path, name, values[name]) for path, name in names.items())
    lengths = {axis.name: len(axis) for axis in axes}
    if kind == "list" and len(set(lengths.values())) > 1:
        text = ", ".join(f"{n} of {name!r}" for name, n in lengths.items())
        raise argument_error(
            Argument("values", "sweep", text='With design="list" all parameters'),
            "must have as many values",
            f"there are {text}",
        )
    # Without any values a sweep is one point, as a grid without axes is; a list has at least one value.
    return Design(axes, kind == "grid" or not axes)


def _axis(found: Inventory, path: str, name: str, given: Array) -> Axis:
    labels = None
    if isinstance(given, list | tuple) and any(isinstance(x, Connectome) for x in given):
        _check_lengths(found, path, name, given)
        given, labels = _weights(name, given)
    what = Argument("values", "sweep", entry=name, more=f", for {name!r},")
    values, unit = _numbers(what, name, given)
    present = np.shape(u.get_mantissa(found.params[path].value()))
    owner = found.modules.get(path.rpartition(".")[0])
    # A parameter that is one number now may be given one for each region.
    shapes = {(), present, getattr(owner, "varshape", present)}
    if values.shape[1:] not in shapes:
        raise argument_error(
            what,
            f"must be numbers or arrays of shape {' or '.join(map(str, shapes - {()}))}, one after another",
            f"has shape {values.shape}",
        )
    checked_value(found, path, values if unit == u.UNITLESS else u.Quantity(values, unit=unit))
    return Axis(name, values, unit, labels)


def _numbers(what: str, name: str, given: Numbers) -> tuple[np.ndarray, u.Unit]:
    example = f'{{"{name}": [0.1, 0.2]}}'
    if isinstance(given, list | tuple) and len({u.get_unit(as_array(x)).dim for x in given}) > 1:
        raise argument_error(what, "must have one unit", f"is {show(given)}", kind=u.UnitMismatchError)
    given = numbers(what, given, example=example)
    # As they were written; `Design.at` brings them to the precision of a run.
    unit, values = u.get_unit(given), np.asarray(u.get_mantissa(given), np.float64)
    if values.ndim == 0 or not len(values):
        raise argument_error(what, "must be at least one value, in a list", f"is {show(given)}", f"{example}.")
    return values, unit


def _weights(name: str, given: Any) -> tuple[np.ndarray, tuple[str, ...] | None]:
    for x in given:
        if not isinstance(x, Connectome):
            raise argument_error(
                Argument("values", "sweep", entry=name, more=f", for {name!r},"),
                "must all be connectomes",
                f"one is {show(x)}",
                kind=TypeError,
            )
        if x.weights.shape != given[0].weights.shape:
            raise argument_error(
                Argument("values", "sweep", entry=name, more=f", for {name!r},"),
                "must be connectomes of one size",
                f"{given[0].name!r} has {len(given[0].weights)} regions and {x.name!r} has {len(x.weights)}",
            )
    names = tuple(x.name for x in given)
    return np.stack([x.weights for x in given]), names if len(set(names)) == len(names) else None


def _check_lengths(found: Inventory, path: str, name: str, given: Any) -> None:
    """Refuse connectomes whose delays are not those that the network was made for."""
    coupling = found.modules.get(path.rpartition(".")[0])
    own = [m for m in found.modules.values() if isinstance(m, Projection) and m.coupling is coupling]
    if not own or own[0].speed is None:
        return
    for x in given:
        there, lengths = x.weights != 0, None if x.lengths is None else x.lengths.to_decimal(u.mm)
        present = np.asarray(own[0]._lengths)
        # Where there is no connection, a length has no effect.
        if lengths is None or lengths.shape != present.shape or (lengths != present)[there].any():
            raise argument_error(
                Argument("values", "sweep", entry=name, more=f", for {name!r},"),
                "must be connectomes with the lengths of the network, as delays are fixed when it is made",
                f"{x.name!r} has others: make a network and a sweep for each",
            )


# --- designs that are drawn -----------------------------------------------------------------------------------------
def random_design(bounds: Mapping[str, tuple[ArrayLike, ArrayLike]], n: int, seed: int = 0) -> dict[str, Numbers]:
    """Return `n` points drawn uniformly between bounds, for `sweep(..., design="list")`.

    Parameters
    ----------
    bounds : mapping of str to (low, high)
        By name of the parameter, with units.
    n : int
    seed : int

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> points = brainmass.random_design({"k": (0, 1), "tau": (1 * u.ms, 20 * u.ms)}, 100)
    >>> points["k"].shape, u.get_unit(points["tau"]) == u.ms
    ((100,), True)
    """
    n, seed = _counts("random_design", n, seed)
    return _between("random_design", bounds, lambda d: np.random.default_rng(seed).random((n, d)))


def sobol_design(bounds: Mapping[str, tuple[object, object]], n: int, seed: int = 0) -> dict[str, Any]:
    """Return the first `n` points of a scrambled Sobol sequence between bounds, for `sweep(..., design="list")`.

    They fill the space more evenly than random ones, best where `n` is a power of two. Needs scipy.

    Parameters
    ----------
    bounds : mapping of str to (low, high)
        By name of the parameter, with units.
    n : int
    seed : int
    """
    n, seed = _counts("sobol_design", n, seed)
    qmc = import_io("scipy.stats").qmc

    def draw(d: int) -> np.ndarray:
        # Drawn up to a power of two: scipy warns of other numbers, as their balance is lost.
        return qmc.Sobol(d, rng=np.random.default_rng(seed)).random_base2(max(0, (n - 1).bit_length()))[:n]

    return _between("sobol_design", bounds, draw)


def _between(owner: str, bounds: Any, draw: Any) -> dict[str, object]:
    what = Argument("bounds", owner)
    if not instance(what, bounds, Mapping, 'a mapping like {"k": (0, 1)}'):
        raise argument_error(what, 'must be like {"k": (0, 1)}', "is empty")
    ends = {name: _bounds(owner, name, pair) for name, pair in bounds.items()}
    points = draw(len(ends))
    values = {}
    for (name, (low, high, unit)), x in zip(ends.items(), points.T, strict=True):
        x = low + (high - low) * x
        values[name] = x if unit == u.UNITLESS else u.Quantity(x, unit=unit)
    return values


def _bounds(owner: str, name: str, pair: object) -> tuple[float, float, u.Unit]:
    what = Argument("bounds", owner, entry=name, more=f", for {name!r},")
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise argument_error(what, "must be a pair (low, high)", f"is {show(pair)}", kind=TypeError)
    numbers, unit = _numbers(what, name, list(pair))
    if numbers.shape != (2,) or not np.isfinite(numbers).all() or not numbers[0] < numbers[1]:
        raise argument_error(what, "must be two finite numbers, the lower one first", f"is {show(pair)}")
    return float(numbers[0]), float(numbers[1]), unit


def _counts(owner: str, n: object, seed: Seed) -> tuple[int, int]:
    return whole(Argument("n", owner), n, most=_MOST_POINTS), whole(Argument("seed", owner), seed, least=0)
