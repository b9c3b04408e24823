"""What a control costs: how far the run is from where it should be, and what the control itself takes."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import instance, number, numbers, one_of
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.times import milliseconds
from brainmass._common.typing import ArrayLike, Numbers, Time
from brainmass.simulation.result import Result

__all__ = ["Cost", "EnergyCost", "GivenCosts", "Recorded", "SmoothnessCost", "SparsityCost", "TrackingCost"]

Values = Mapping[str, jax.Array]


class Recorded(NamedTuple):
    """What a run records under one name: the times of all samples in ms, how far they are apart in steps and in ms, the
    shape of one, its unit."""

    times: np.ndarray
    steps: int
    every: float
    shape: tuple[int, ...]
    unit: u.Unit


class Cost(ABC):  # noqa: B024
    """Base of the costs. A subclass says what the run costs, `of_run`, or what the control does, `of_control`.

    A function of the `Result` that returns one number is a cost, too.
    """

    weight: Numbers = 1.0

    @property
    def monitors(self) -> tuple[str, ...]:
        """What the run has to record."""
        return ()

    def bound(self, recorded: Mapping[str, Recorded], beyond: int) -> Cost:
        """The same for a run that records this, of which parts may go on for so many samples after its end."""
        return self

    def of_run(self, result: Result, first: int | jax.Array) -> Numbers:
        """Of a part of the run that begins after its step `first`."""
        return 0.0

    def of_control(self, values: Values, every: float) -> Numbers:
        """Of the values at each port, shape (K, sites), each of which holds for `every` ms."""
        return 0.0


OneCost: TypeAlias = Cost | Callable[[Result], Numbers]
GivenCosts: TypeAlias = OneCost | Sequence[OneCost] | Mapping[str, OneCost]
"""What counts together."""


def _weight(owner: str, weight: float) -> float:
    return number(Argument("weight", owner), weight, ">= 0", lambda x: x >= 0)


class TrackingCost(Cost):
    r"""How far a signal is from a target: :math:`\frac w2 \int \sum_i (x_i - x_i^*)^2\,dt`, in its unit, and ms.

    Parameters
    ----------
    of : str
        A state, or another name that the run records.
    target : number, array (N,), or array (samples, N)
        Where it should be: one value, one for each region, or one row for each sample of the window; a plain number
        is in the unit of the signal.
    weight : float
    window : (start, stop), optional
        Times between which it counts, the samples after `start` up to `stop`; default the whole run.
    sites : list of int, optional
        The regions that count; default all.

    Raises
    ------
    ValueError
        Where the control is made: for a target with other rows than the run has samples in the window, or in another
        unit.

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> at_the_end = brainmass.TrackingCost("V", 1.0, window=(40 * u.ms, 50 * u.ms), sites=[0])
    """

    def __init__(
        self,
        of: str,
        target: ArrayLike,
        weight: float = 1.0,
        *,
        window: tuple[Time, Time] | None = None,
        sites: Sequence[int] | np.ndarray | None = None,
    ):
        owner = "TrackingCost"
        self.of = instance(Argument("of", owner), of, str, "the name of what is recorded")
        self.target, self.weight = numbers(Argument("target", owner), target), _weight(owner, weight)
        if not np.isfinite(np.asarray(u.get_mantissa(self.target))).all():
            raise argument_error(Argument("target", owner), "must be finite", f"is {show(target)}")
        self.window = None
        if window is not None:
            if not isinstance(window, tuple | list) or len(window) != 2:
                rule = "must be two times, (start, stop)"
                raise argument_error(Argument("window", owner), rule, f"is {show(window)}")
            self.window = tuple(milliseconds("window", time, owner) for time in window)
        self.sites = None if sites is None else np.atleast_1d(np.asarray(sites))

    @property
    def monitors(self) -> tuple[str, ...]:
        return (self.of,)

    def bound(self, recorded: Mapping[str, Recorded], beyond: int) -> Cost:
        if self.of not in recorded:
            rule = f"must be one of what is recorded, {', '.join(recorded)}"
            raise argument_error(Argument("of", "TrackingCost"), rule, f"is {self.of!r}")
        return _Bound(self, recorded[self.of], beyond)


class _Bound(Cost):
    """Tracking in a run whose samples are known."""

    def __init__(self, cost: TrackingCost, recorded: Recorded, beyond: int):
        self.of, self.recorded = cost.of, recorded
        self.size = int(np.prod(recorded.shape))
        sites = np.arange(self.size) if cost.sites is None else cost.sites
        if not (np.issubdtype(sites.dtype, np.integer) and ((sites >= 0) & (sites < self.size)).all() and sites.size):
            rule = f"must be numbers of the {self.size} regions, from 0"
            raise argument_error(Argument("sites", "TrackingCost"), rule, f"is {show(cost.sites)}")
        low, high = (0.0, np.inf) if cost.window is None else cost.window
        # Times are multiples of steps, rounded: a sample that is meant to lie on an end of the window is to count so.
        slack = 1e-6 * recorded.every
        within = (recorded.times > low + slack) & (recorded.times <= high + slack)
        if not within.any():
            rule = f"must have samples of the run, which are at {recorded.times[0]:g} to {recorded.times[-1]:g} ms"
            raise argument_error(Argument("window", "TrackingCost"), rule, f"is {low:g} to {high:g} ms")
        n = len(within)
        # Rows for all samples, of weight zero for those that do not count: parts of a run are slices of one size, and
        # the last may reach beyond the end, where `dynamic_slice` would move it back.
        self.target, self.factor = np.zeros((n + beyond, sites.size)), np.zeros((n + beyond, 1))
        self.target[:n][within] = self._rows(cost.target, int(within.sum()))[:, sites]
        # The integral as a sum over samples, each of which stands for the time since the one before.
        self.factor[:n][within] = 0.5 * cost.weight * recorded.every
        self.sites = sites

    def _rows(self, target: Numbers, n: int) -> np.ndarray:
        """The target at each of the n samples of the window, shape (n, size)."""
        what, unit = Argument("target", "TrackingCost"), self.recorded.unit
        got = u.get_unit(target)
        if got.dim != u.DIMENSIONLESS and not got.has_same_dim(unit):
            raise argument_error(
                what, f"must be in {unit}, the unit of {self.of}", f"is in {got}", kind=u.UnitMismatchError
            )
        plain = np.asarray(target.to_decimal(unit) if got.dim != u.DIMENSIONLESS else u.maybe_decimal(target), float)
        shape = self.recorded.shape
        if plain.shape in ((), (1,), shape):
            return np.broadcast_to(np.broadcast_to(plain, shape).ravel(), (n, self.size))
        if plain.shape in ((n, *shape), (n, 1)) or (plain.shape == (n,) and self.size == 1):
            return np.broadcast_to(plain.reshape(n, -1), (n, self.size))
        rule = f"must be one value, one per region {shape}, or one row for each of the {n} samples in its window"
        raise argument_error(what, rule, f"has shape {plain.shape}", f"target of shape {(n, *shape)}, at result.time")

    def of_run(self, result: Result, first: int | jax.Array) -> Numbers:
        x = result[self.of]
        plain = jnp.asarray(x.to_decimal(self.recorded.unit) if isinstance(x, u.Quantity) else x)
        plain = plain.reshape(len(plain), -1)[:, self.sites]
        target, factor = (
            jax.lax.dynamic_slice_in_dim(jnp.asarray(rows, plain.dtype), first // self.recorded.steps, len(plain))
            # `first` is traced, so that all parts of a run share one program.
            for rows in (self.target, self.factor)
        )
        return jnp.sum(factor * (plain - target) ** 2)


class EnergyCost(Cost):
    r"""The energy of a control, :math:`\frac w2 \int \sum_i u_i^2\,dt`, in the units of its ports, and ms.

    Parameters
    ----------
    weight : float
    """

    def __init__(self, weight: float = 1.0):
        self.weight = _weight("EnergyCost", weight)

    def of_control(self, values: Values, every: float) -> Numbers:
        return 0.5 * self.weight * every * sum(jnp.sum(v**2) for v in values.values())


class SparsityCost(Cost):
    r"""What favours a control that is zero at most sites, or most of the time.

    `over=None`: :math:`w\int\sum_i |u_i|\,dt`, few values. `over="sites"`: :math:`w\sum_i\sqrt{\int u_i^2\,dt}`, few
    sites. `over="time"`: :math:`w\int\sqrt{\sum_i u_i^2}\,dt`, few moments. (Yuan, Lin 2006, J. R. Stat. Soc. B 68:49.)

    Parameters
    ----------
    weight : float
    over : 'sites' or 'time', optional
    smooth : float
        Amplitude, in the unit of the port, below which the cost is rounded off, so that it has a slope everywhere:
        what should be zero becomes small against this.
    """

    def __init__(self, weight: float = 1.0, over: str | None = None, *, smooth: float = 1e-3):
        self.weight, self.over = _weight("SparsityCost", weight), over
        one_of(Argument("over", "SparsityCost"), over, (None, "sites", "time"))
        self.smooth = number(Argument("smooth", "SparsityCost"), smooth, "> 0", lambda x: x > 0)

    def of_control(self, values: Values, every: float) -> Numbers:
        u_ = jnp.concatenate([v for v in values.values()], axis=1)
        squares = u_**2
        if self.over == "sites":
            length = jnp.sum(squares, axis=0) * every
            # The length that a control of the amplitude `smooth` has over the whole time.
            small = self.smooth * jnp.sqrt(len(u_) * every)
            return self.weight * jnp.sum(jnp.sqrt(length + small**2) - small)
        if self.over == "time":
            squares = jnp.sum(squares, axis=1)
        # Less `smooth`, so that no control costs nothing.
        return self.weight * every * jnp.sum(jnp.sqrt(squares + self.smooth**2) - self.smooth)


class SmoothnessCost(Cost):
    r"""How fast a control changes, :math:`\frac w2 \int \sum_i \dot u_i^2\,dt`, from zero and back to zero at the end.

    Parameters
    ----------
    weight : float
    """

    def __init__(self, weight: float = 1.0):
        self.weight = _weight("SmoothnessCost", weight)

    def of_control(self, values: Values, every: float) -> Numbers:
        # Of slopes `step / every` the integral of the squares: one `every` is cancelled.
        steps = (jnp.diff(jnp.pad(v, ((1, 1), (0, 0))), axis=0) for v in values.values())
        return 0.5 * self.weight / every * sum(jnp.sum(step**2) for step in steps)


class FunctionCost(Cost):
    """A function of the result, such as an objective of what is recorded."""

    def __init__(self, function: Callable[[Result], Numbers]):
        self.function = function

    def of_run(self, result: Result, first: int | jax.Array) -> Numbers:
        value = self.function(result)
        if u.get_unit(value).dim != u.DIMENSIONLESS or jnp.shape(u.maybe_decimal(value)) != ():
            rule = "must be a function of the result that returns one number without unit"
            raise argument_error(Argument("cost", "control"), rule, f"returns {show(value)}")
        return u.maybe_decimal(value)


def as_costs(cost: GivenCosts) -> dict[str, Cost]:
    """Costs by name, from one, several, or a mapping."""
    what = Argument("cost", "control")
    if not isinstance(cost, Mapping):
        given = list(cost) if isinstance(cost, list | tuple) else [cost]
        names = [type(c).__name__ if isinstance(c, Cost) else getattr(c, "__name__", "cost") for c in given]
        seen = [
            # Two of one class are told apart by a number: in a mapping the second would replace the first.
            name if names.count(name) == 1 else f"{name} {names[: i + 1].count(name)}"
            for i, name in enumerate(names)
        ]
        by_name = dict(zip(seen, given, strict=True))
    else:
        by_name = cost
    if not by_name:
        raise argument_error(what, "must be at least one cost", "is empty", 'cost=brainmass.TrackingCost("V", 0.0)')
    costs = {}
    for name, one in by_name.items():
        if not isinstance(one, Cost) and not callable(one):
            rule = "must be a cost, a function of the result, or several of them"
            raise argument_error(what, rule, f"has {show(one)}", kind=TypeError)
        costs[str(name)] = one if isinstance(one, Cost) else FunctionCost(one)
    return costs
