"""`profile_likelihood`: one parameter, while all others are fitted anew at each of its values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq, minimize

from brainmass._common.checks import instance, number, numbers
from brainmass._common.display import page
from brainmass._common.extras import import_io
from brainmass._common.messages import Argument, argument_error, suggestion
from brainmass._common.typing import ArrayLike, Numbers, Pytree
from brainmass.dynamics.checks import check_param_value
from brainmass.inference.asked import derivatives
from brainmass.inference.problem import Problem
from brainmass.inference.reals import Reals
from brainmass.simulation.inventory import ByPath

if TYPE_CHECKING:
    import xarray

__all__ = ["Profile", "profile_likelihood"]

_OWNER = "profile_likelihood"
_HIGHER = 0.02  # by which the log-likelihood elsewhere may lie above the optimum
_FINE = 1e-3  # of the distance of two values, within which the end of an interval is found


@dataclasses.dataclass(frozen=True, repr=False)
class Profile:
    """The highest likelihood at each value of one parameter.

    Attributes
    ----------
    name : str
    values : array or quantity (m,)
    log_likelihood : array (m,)
        With the other parameters fitted.
    others : mapping of str to array (m, ...)
        What they came to.
    best : number or quantity
        The value at the optimum.
    best_log_likelihood : float
    level : float
        Of the interval.
    interval : (number or quantity, number or quantity)
        Values that a likelihood-ratio test does not reject; infinite at a side where no given value was rejected.
    """

    name: str
    values: Numbers
    log_likelihood: np.ndarray
    others: Mapping[str, Numbers]
    best: Numbers
    best_log_likelihood: float
    level: float
    interval: tuple[Numbers, Numbers]

    @property
    def ratio(self) -> np.ndarray:
        """Twice the logarithm of the likelihood ratio, shape (m,): χ² with one degree of freedom if true."""
        return 2 * (self.best_log_likelihood - self.log_likelihood)

    def to_xarray(self) -> xarray.Dataset:
        """Log-likelihood, ratio and the other parameters over the values."""
        xr = import_io("xarray")
        data: dict[str, Any] = {"log_likelihood": ("value", self.log_likelihood), "ratio": ("value", self.ratio)}
        for name, x in self.others.items():
            axes = [f"{name}_{i}" for i in range(u.math.ndim(x) - 1)]
            data[name] = (("value", *axes), np.asarray(u.get_mantissa(x)), {"units": str(u.get_unit(x))})
        values = ("value", np.asarray(u.get_mantissa(self.values)), {"units": str(u.get_unit(self.values))})
        return xr.Dataset(data, coords={"value": values}, attrs={"parameter": self.name})

    @property
    def _title(self) -> str:
        unit = u.get_unit(self.best)
        low, high = (float(u.get_mantissa(x)) for x in self.interval)
        within = f"{float(u.get_mantissa(self.best)):.4g} within {low:.4g} to {high:.4g}"
        return f"{self.name} = {within}{'' if unit.is_unitless else f' {unit}'} ({self.level:.0%})"

    def __repr__(self) -> str:
        return f"Profile: {self._title}"

    def _repr_html_(self) -> str:
        return page("Profile", self._title)


def profile_likelihood(
    problem: Problem,
    name: str,
    values: ArrayLike,
    *,
    at: Mapping[str, ArrayLike] | None = None,
    level: float = 0.95,
) -> Profile:
    """The profile likelihood of one parameter, with its likelihood-ratio interval.

    All parameters are fitted first, then, from there outwards, the others at each of the values, by Newton's method in
    a trust region; and at the ends of the interval, which are found between values. Bounds hold, priors have no part.
    Flat where data do not determine a parameter; unlike standard errors it sees curvature and bounds (Raue et al.
    2009, Bioinformatics 25:1923).

    Parameters
    ----------
    problem : inference.Problem
    name : str
        A parameter that is one number, or one of the numbers of one, as "a[3]".
    values : array or quantity (m,)
    at : mapping of str to value, optional
        Where the fit of all begins; default the present values of the model.
    level : float

    Raises
    ------
    ValueError, TypeError
        If the fit does not converge, or a value elsewhere is better than its optimum.

    Examples
    --------
    >>> import brainmass, numpy as np
    >>> from brainmass import inference
    >>> problem = inference.Problem(
    ...     brainmass.HopfStep(1), {"a": (-5.0, 5.0), "w": (-5.0, 5.0)}, inference.Gaussian(0.1), np.arange(5.0),
    ...     predict=lambda model: model.a.value() + model.w.value() * np.arange(5.0),
    ... )
    >>> found = inference.profile_likelihood(problem, "w", np.linspace(0.9, 1.1, 5))
    >>> print([round(float(x), 3) for x in found.interval])
    [0.938, 1.062]
    """
    instance(Argument("problem", _OWNER), problem, Problem, "an inference.Problem, which has a likelihood")
    level = number(Argument("level", _OWNER), level, "between 0 and 1", lambda x: 0 < x < 1)
    climb = _Climb(problem, instance(Argument("name", _OWNER), name, str, "the name of a parameter"))
    grid = climb.checked(values)
    start = climb.start(at)
    y, best = climb.all(start)
    x = climb.value_of(y)
    kept: dict[float, tuple[np.ndarray, float]] = {x: (climb.without(y), best)}
    # χ² with one degree of freedom is the square of a normal number: of a ratio 2 Δ log L (Wilks 1938), half of that.
    threshold = NormalDist().inv_cdf((1 + level) / 2) ** 2 / 2
    ends = [_outwards(climb, kept, x, side, best - threshold) for side in (grid[grid < x][::-1], grid[grid > x])]
    higher = max(kept, key=lambda value: kept[value][1])
    # The optimum was the best near the start; what the profile met shows a higher one.
    if kept[higher][1] > best + _HIGHER:
        raise argument_error(
            Argument("problem", _OWNER),
            "must have its optimum found",
            f"the likelihood is higher at {climb.name} = {higher:.4g} than at the optimum from here, {x:.4g}",
            hint="Begin nearer to it, by `at`.",
        )
    low, high = (np.inf * sign if end is None else end for sign, end in zip((-1, 1), ends, strict=True))
    found = [kept[value] for value in grid]
    return Profile(
        climb.name, climb.measured(grid), np.array([lp for _, lp in found]), climb.others(found),
        climb.measured(x), best, level, (climb.measured(low), climb.measured(high)),
    )  # fmt: skip


def _outwards(climb: _Climb, kept: dict, x: float, side: np.ndarray, rejected: float) -> float | None:
    """Fit at the values of one side, each from the one before; where the likelihood falls below the threshold."""
    last, end = x, None
    for value in map(float, side):
        kept[value] = climb.others_at(value, kept[last][0])
        if end is None and kept[value][1] < rejected:
            start, inside, outside = kept[last][0], last, value
            # Refitted at each place, as between two values the others move along.
            end = brentq(
                lambda v, start=start: climb.others_at(v, start)[1] - rejected,
                inside, outside, xtol=_FINE * abs(outside - inside),
            )  # fmt: skip
        last = value
    return end  # pyright: ignore[reportReturnType]


class _Climb:
    """Searches for the highest likelihood, over the unbounded numbers of all parameters or of all but one."""

    def __init__(self, problem: Problem, name: str):
        found, self.space = problem._found()
        self.problem, self.found = problem, found
        self.reals = reals = Reals(self.space)
        names = reals.names()
        self.index = self._find(name, names)
        self.name, self.path = names[self.index], self._paths()[self.index]
        self.side = self.space.sides[self.path]
        first = self._paths().index(self.path)
        given, place, i = problem._given(found, self.space), self.index - first, self.index

        def of_all(z: jax.Array) -> jax.Array:
            return -problem._likelihood(reals.values(z), given)

        def of_others(y: jax.Array, value: jax.Array) -> jax.Array:
            # The value itself, not its unbounded number: it is given by the user, and is put in after the others.
            parts = reals.values(jnp.insert(y, i, 0.0))
            numbers = jnp.ravel(u.get_mantissa(parts[self.path])).at[place].set(value)
            parts[self.path] = self.side.value(numbers.reshape(self.side.shape))
            return -problem._likelihood(parts, given)

        self._all, self._others = derivatives(of_all), derivatives(of_others)
        self._place = place

    def _paths(self) -> list[str]:
        return [path for path, side in self.space.sides.items() for _ in range(side.size)]

    def _find(self, name: str, names: list[str]) -> int:
        ending, _, entry = name.partition("[")
        path = self.found.find_param(ending)
        whole = f"{path}[{entry}" if entry else path
        if whole not in names:
            raise argument_error(
                Argument("name", _OWNER),
                f"must be one of the numbers that are fitted, {', '.join(names)}",
                f"is {name!r}",
                hint=suggestion(name, names),
            )
        return names.index(whole)

    def checked(self, values: Numbers) -> np.ndarray:
        """In the unit of the parameter, ascending."""
        what = Argument("values", _OWNER)
        check_param_value(self.name, None, self.side.like, 0 * numbers(what, values), what=what)
        grid = np.sort(np.ravel(np.asarray(u.Quantity(values).to_decimal(self.side.unit), float)))
        side = self.reals.sides[self.path]
        low, high = side.low[self._place], side.high[self._place]
        if not grid.size or not ((grid > low) & (grid < high)).all():
            raise argument_error(what, f"must lie between {low:.4g} and {high:.4g}, the ends of {self.name}")
        return np.unique(grid)

    def start(self, at: Numbers) -> np.ndarray:
        values = self.space.after(self.space.start)
        if at is not None:
            values = self.space.by_path(Argument("at", _OWNER), at, self.found)
        z = np.asarray(self.reals.row(values), float)
        if not np.isfinite(z).all():
            name = self.reals.names()[int(np.flatnonzero(~np.isfinite(z))[0])]
            raise argument_error(Argument("at", _OWNER), f"must lie within the bounds of {name}, and not at their ends")
        return z

    # --- searches ---------------------------------------------------------------------------------------------------
    def all(self, z: np.ndarray) -> tuple[np.ndarray, float]:
        return _highest(self._all, z, (), "all parameters")

    def others_at(self, value: float, y: np.ndarray) -> tuple[np.ndarray, float]:
        return _highest(self._others, y, (value,), f"the parameters at {self.name} = {value:.4g}", "values")

    # --- what comes out ---------------------------------------------------------------------------------------------
    def without(self, z: np.ndarray) -> np.ndarray:
        return np.delete(z, self.index)

    def value_of(self, z: np.ndarray) -> float:
        return float(np.ravel(u.get_mantissa(self.reals.values(jnp.asarray(z))[self.path]))[self._place])

    def measured(self, x: Numbers) -> Numbers:
        x = np.asarray(x, float) if np.ndim(x) else float(x)
        return u.Quantity(x, unit=self.side.unit) if isinstance(self.side.like, u.Quantity) else x

    def others(self, found: list[tuple[np.ndarray, float]]) -> ByPath:
        """The other parameters, as the equations see them."""
        rows = jnp.asarray(np.stack([np.insert(y, self.index, 0.0) for y, _ in found]))
        values = jax.vmap(self.reals.values)(rows)
        return ByPath((path, x) for path, x in values.items() if path != self.path)


def _highest(
    function: Callable[..., Pytree], y: np.ndarray, args: tuple, what: str, argument: str = "at"
) -> tuple[np.ndarray, float]:
    """Where minus the log-likelihood, with its derivatives, is lowest, and the log-likelihood there."""
    if not y.size:
        return y, -_finite(float(function(jnp.asarray(y), *args)[0]), what, argument)
    seen: dict[bytes, tuple] = {}

    def at(y: np.ndarray) -> tuple:
        if (place := y.tobytes()) not in seen:
            # scipy asks for value, slope and Hessian of one place in turn: one program gives all three.
            seen.clear()
            seen[place] = tuple(np.asarray(x, float) for x in function(jnp.asarray(y), *args))
        return seen[place]

    _finite(float(at(y)[0]), what, argument)

    def value(y: np.ndarray) -> float:
        # Where a run diverges the step is refused, and the trust region made smaller.
        return float(v) if np.isfinite(v := at(y)[0]) else np.inf

    found = minimize(
        value, y, jac=lambda y: at(y)[1], hess=lambda y: at(y)[2], method="trust-exact", options={"gtol": 1e-4}
    )
    slope, H = at(found.x)[1:]
    widths, directions = np.linalg.eigh((H + H.T) / 2)
    # Along a flat direction the slope is rounding, and divided by no curvature it would look like a long way to go.
    sure = widths > 1e-6 * max(widths[-1], 0.0)
    left = float(np.sum((directions[:, sure].T @ slope) ** 2 / widths[sure]) / 2)
    if left > _HIGHER:
        raise argument_error(
            Argument("problem", _OWNER),
            f"must have {what} fitted",
            f"the search ended {left:.2g} below a peak: {found.message}",
            hint="Begin nearer to it, by `at`, or use double precision.",
        )
    return found.x, -float(found.fun)


def _finite(value: float, what: str, argument: str) -> float:
    if not np.isfinite(value):
        raise argument_error(
            Argument(argument, _OWNER), "must have a likelihood", f"the log-likelihood is {-value} where {what} begin"
        )
    return value
