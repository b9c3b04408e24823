"""The plane of two states: trajectories, vector field, nullclines and where they cross."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import brainstate
import brainunit as u
import numpy as np

from brainmass._common.checks import instance, is_whole, items, numbers
from brainmass._common.messages import Argument, argument_error, named, show
from brainmass._common.typing import Numbers
from brainmass.analysis.drift import Drift
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.viz.drawing import COLORS, FAINT, argument_of, axes_or_new, axis_label, columns, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_phase_plane", "plot_phase_portrait"]

_FINE, _COARSE = 241, 10  # points along a side, and which of them carry the vector field
_SMALLEST_ANGLE = 0.02  # in cells; nullclines that are closer to parallel are one line


def plot_phase_portrait(x: Numbers, y: Numbers, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """Draw trajectories in the plane of two states; a dot marks each start.

    Parameters
    ----------
    x, y : array or Quantity, shape (T,) or (T, R)
        Two states over time, of the same shape.
    ax : matplotlib Axes, optional
        For example that of `plot_phase_plane`.
    **kwargs
        Passed to `Axes.plot`.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    of = "plot_phase_portrait"
    xs, x_unit = columns(x, "x", of)
    ys, y_unit = columns(y, "y", of)
    if xs.shape != ys.shape:
        raise argument_error(
            argument_of("y", of),
            f"must have the shape of `x`, {xs.shape}",
            f"is of shape {ys.shape}",
            "plot_phase_portrait(x, y)",
        )
    ax = axes_or_new(ax, of)
    for i in range(xs.shape[1]):
        (line,) = ax.plot(xs[:, i], ys[:, i], **style(i, kwargs))
        ax.plot(xs[0, i], ys[0, i], marker="o", linestyle="none", color=line.get_color())
    ax.set_xlabel(axis_label("x", x_unit))
    ax.set_ylabel(axis_label("y", y_unit))
    return ax


def plot_phase_plane(
    model: NeuralMassDynamics,
    x: str | None = None,
    y: str | None = None,
    *,
    xlim: object = None,
    ylim: object = None,
    inputs: Mapping[str, object] | None = None,
    held: Mapping[str, object] | None = None,
    region: int | tuple[int, ...] = 0,
    trajectory: object = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the vector field of a model in the plane of two states, with the nullclines, where one of them rests.

    From the equations of the model, with its parameters as they are, noise at its mean; recurrent input that a model
    delays is taken without delay, which leaves the nullclines as they are. Where the nullclines cross, both states
    rest: a full circle is such a fixed point that is stable against small changes of the two states, an open one is
    not. It is the truth about the whole model where it has no other states, and no delays.

    Parameters
    ----------
    model : NeuralMassDynamics
    x, y : str, optional
        Names of the states along the axes; default the two of a model that has two.
    xlim, ylim : pair of numbers or Quantities, optional
        What is drawn; plain numbers are in the unit of the state. Default: where the trajectory goes, and some more.
    inputs : mapping, optional
        What enters the input ports, by name: constants.
    held : mapping, optional
        Values of the other states, by name. Default: the present ones of the model, as a run leaves them.
    region : int or tuple of int
        Whose parameters.
    trajectory : Result, optional
        A run that recorded both states, to draw on top. It belongs into this plane if it ran with the same inputs.
    ax : matplotlib Axes, optional

    Raises
    ------
    ValueError, TypeError
        For unknown states or inputs, where other states are not known, or without limits.

    Examples
    --------
    >>> import brainmass
    >>> model = brainmass.FitzHughNagumoStep.preset("classic", 1)
    >>> ax = brainmass.viz.plot_phase_plane(model, xlim=(-2.5, 2.5), ylim=(-1, 2), inputs={"V_inp": 0.5})
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('V', 'w')
    """
    if not isinstance(model, NeuralMassDynamics):
        example = "plot_phase_plane(network.node, inputs={...})"
        raise argument_error(
            argument_of("model", "plot_phase_plane"),
            "must be one node, a NeuralMassDynamics",
            f"is {show(model)}",
            example,
            kind=TypeError,
        )
    plane = _Plane(model, x, y, region)
    # A Result is a mapping as well.
    for argument, given in {"inputs": inputs, "held": held, "trajectory": trajectory}.items():
        if given is not None:
            instance(Argument(argument, "plot_phase_plane"), given, Mapping, "a mapping by name")
    ends = [
        plane.limits(name, axis, given, trajectory)
        for name, axis, given in zip(plane.names, ("xlim", "ylim"), (xlim, ylim), strict=True)
    ]
    points = [np.linspace(low, high, _FINE) for low, high in ends]
    rates = plane.rates(points, inputs or {}, held or {})
    ax = axes_or_new(ax, "plot_phase_plane")
    _draw_field(ax, points, rates)
    for i, rate in enumerate(rates):
        _draw_nullcline(ax, points, rate, f"d{plane.names[i]}/dt = 0", COLORS[i])
    if trajectory is not None:
        xs, ys = (plane.recorded(name, trajectory) for name in plane.names)
        plot_phase_portrait(xs, ys, ax=ax, color=COLORS[2])
    for *place, stable in _fixed_points(points, rates):
        fill = "black" if stable else "white"
        ax.plot(*place, "o", color="black", markerfacecolor=fill, markersize=7, zorder=4, gid="fixed point")
    ax.set(xlim=ends[0], ylim=ends[1])
    ax.set_xlabel(axis_label(plane.names[0], plane.unit_name(plane.names[0])))
    ax.set_ylabel(axis_label(plane.names[1], plane.unit_name(plane.names[1])))
    ax.legend(loc="upper right")
    return ax


class _Plane:
    """Two states of a model, and their rates of change."""

    of = "plot_phase_plane"

    def __init__(self, model: NeuralMassDynamics, x: str | None, y: str | None, region: object):
        self.model, known = model, tuple(model._states)
        if x is None and y is None and len(known) == 2:
            x, y = known
        # the one that was given first: the other may be missing only
        for argument, name in sorted((("x", x), ("y", y)), key=lambda pair: pair[1] is None):
            if not isinstance(name, str) or name not in known or (argument == "y" and x == y):
                must = f"must be one of two different states of {type(model).__name__} ({', '.join(known)}), but is "
                raise argument_error(
                    argument_of(argument, self.of), f"{must}{named(name)}", example=f'{argument}="{known[-1]}"'
                )
        self.names: list[str] = [str(x), str(y)]
        # Those of the instance: a declaration need not know them. The values have no part.
        self.units = {name: u.get_unit(value) for name, value in self._initial().items()}
        self.index = _region(model, region)

    def _initial(self) -> dict[str, Any]:
        return self.model._initial(brainstate.random.RandomState(0))

    def unit_name(self, name: str) -> str:
        return "" if self.units[name].has_same_dim(u.UNITLESS) else str(self.units[name])

    def number(self, argument: str, name: str, value: Any) -> np.ndarray:
        """A value of a state as numbers in its unit."""
        value = numbers(Argument(argument, self.of), value)
        unit, got = self.units[name], u.get_unit(value)
        if got.has_same_dim(unit):
            return np.asarray(u.Quantity(value).to_decimal(unit), float)
        if got.has_same_dim(u.UNITLESS):
            return np.asarray(u.maybe_decimal(value), float)
        raise argument_error(
            argument_of(argument, self.of),
            f"must have the unit of the state `{name}`, {unit}",
            f"is {show(value)}",
            f"{argument}=... * u.{unit}",
            kind=u.UnitMismatchError,
        )

    def recorded(self, name: str, trajectory: Any) -> Any:
        if name not in trajectory:
            raise argument_error(
                argument_of("trajectory", self.of),
                f"must have recorded the states {', '.join(self.names)}",
                f"has {', '.join(trajectory) or 'none'}",
                f'simulator.run(duration, monitors=["{name}"])',
            )
        values = trajectory[name]
        if u.math.ndim(values) != 1 + len(self.model.varshape):
            raise argument_error(
                argument_of("trajectory", self.of),
                "must be one run, without a batch",
                f"`{name}` is of shape {u.math.shape(values)}",
                "simulator.run(duration)",
            )
        return (
            values[(slice(None), *self.index)].to(self.units[name]) if self.unit_name(name) else values[:, *self.index]
        )

    def limits(self, name: str, argument: str, given: object, trajectory: object) -> tuple[float, float]:
        if given is None and trajectory is None:
            raise argument_error(
                argument_of(argument, self.of),
                "must be given where there is no `trajectory`",
                example=f"{argument}=(-1, 1)",
            )
        if given is None:
            values = self.number("trajectory", name, self.recorded(name, trajectory))
            values = values[np.isfinite(values)]
            low, high = float(values.min()), float(values.max())
            margin = 0.1 * (high - low) or 1.0  # a state at rest has no range
            return low - margin, high + margin
        what = Argument(argument, self.of)
        pair = [self.number(argument, name, value) for value in items(what, given, "two numbers")]
        if len(pair) != 2 or any(end.shape for end in pair) or not np.isfinite(pair).all() or not pair[0] < pair[1]:
            raise argument_error(
                argument_of(argument, self.of),
                "must be two finite numbers, the lower one first",
                f"is {show(given)}",
                f"{argument}=(-1, 1)",
            )
        return float(pair[0]), float(pair[1])

    def rates(self, points: list[np.ndarray], inputs: Mapping, held: Mapping) -> list[np.ndarray]:
        """The rates of change of both states on the grid of these points, per ms."""
        xs, ys = np.meshgrid(*points)
        at = dict(zip(self.names, (xs, ys), strict=True))
        self._check_held(held)
        given = {name: at[name] if name in at else self._held(name, held) for name in self.model._states}
        drift = Drift(self.model, inputs)
        x = drift.pack({name: self._everywhere(numbers, xs.shape) for name, numbers in given.items()})
        rates = drift.unpack(drift(x))
        return [np.asarray(u.get_mantissa(rates[name]), float)[(..., *self.index)] for name in self.names]

    def _check_held(self, held: Mapping[str, object]) -> None:
        others = [name for name in self.model._states if name not in self.names]
        for key in held:
            if key not in others:
                raise argument_error(
                    argument_of("held", self.of),
                    f"must name other states than those of the axes ({', '.join(others) or 'none'})",
                    f"has {key!r}",
                    f"held={{{others[0]!r}: 0.0}}" if others else "held=None",
                )

    def _held(self, name: str, held: Mapping[str, object]) -> np.ndarray:
        if name in held:
            value = self.number("held", name, held[name])
            if value.shape:
                raise argument_error(
                    argument_of("held", self.of), f"must be one number for {name!r}", example=f"held={{{name!r}: 0.0}}"
                )
            return value
        present = vars(self.model).get(name)
        if not isinstance(present, brainstate.State):
            raise argument_error(
                argument_of("held", self.of),
                f"must give the state {name!r}, as the model has not run yet",
                example=f"held={{{name!r}: 0.0}}",
            )
        values = self.number("held", name, present.value)
        if values.shape != tuple(self.model.varshape):
            raise argument_error(
                argument_of("held", self.of),
                f"must give the state {name!r}, as the present one belongs to a batch",
                example=f"held={{{name!r}: 0.0}}",
            )
        return values[self.index]

    def _everywhere(self, numbers: np.ndarray, grid: tuple[int, ...]) -> np.ndarray:
        # All regions at the same point, of which one is read off: its parameters may be its own.
        values = np.broadcast_to(numbers, grid).reshape(*grid, *(1 for _ in self.model.varshape))
        return np.broadcast_to(values, (*grid, *self.model.varshape))


def _region(model: NeuralMassDynamics, region: Any) -> tuple[int, ...]:
    index = tuple(region) if isinstance(region, tuple | list) else (region,)
    if len(index) != len(model.varshape) or not all(
        is_whole(i, 0, n - 1) for i, n in zip(index, model.varshape, strict=True)
    ):
        raise argument_error(
            argument_of("region", "plot_phase_plane"),
            f"must be an index into the population, in_size={model.varshape}",
            f"is {show(region)}",
            "region=0",
        )
    return index


def _draw_field(ax: Axes, points: list[np.ndarray], rates: list[np.ndarray]) -> None:
    # The field is smooth; nullclines need the fine grid.
    xs, ys = (axis[::_COARSE] for axis in points)
    dx, dy = (rate[::_COARSE, ::_COARSE] for rate in rates)
    if not (np.isfinite(dx) & np.isfinite(dy)).all():
        dx, dy = np.ma.masked_invalid(dx), np.ma.masked_invalid(dy)
    ax.streamplot(xs, ys, dx, dy, color=FAINT["color"], linewidth=0.6, arrowsize=0.8, density=0.9)


def _draw_nullcline(ax: Axes, points: list[np.ndarray], rate: np.ndarray, label: str, color: str) -> None:
    rate = np.ma.masked_invalid(rate)
    if rate.min() <= 0 <= rate.max():
        ax.contour(*points, rate, levels=[0.0], colors=[color], linewidths=2, zorder=3)
    else:
        label += " (not here)"
    # For the legend, which takes no contours.
    ax.plot([], [], color=color, linewidth=2, label=label)


def _fixed_points(points: list[np.ndarray], rates: list[np.ndarray]) -> list[tuple[float, float, bool]]:
    """Where both rates are zero, and whether it is stable."""
    steps = np.array([axis[1] - axis[0] for axis in points])
    # A function that is bilinear in a cell lies between its values at the corners.
    corners = np.stack([[f[:-1, :-1], f[:-1, 1:], f[1:, :-1], f[1:, 1:]] for f in rates])
    crossed = ((corners.min(axis=1) <= 0) & (corners.max(axis=1) >= 0)).all(axis=0)
    found = {}
    for row, column in np.argwhere(crossed):
        within = _crossing(corners[:, :, row, column])
        if within is not None:
            place, slopes = within
            cells = np.array([column, row]) + place
            x, y = (axis[0] + step * n for axis, step, n in zip(points, steps, cells, strict=True))
            # Slopes by cell, divided by the size of a cell: the Jacobian.
            stable = bool((np.linalg.eigvals(slopes / steps).real < 0).all())
            found.setdefault(tuple(np.round(cells, 3)), (x, y, stable))  # a point on an edge belongs to two cells
    return list(found.values())


def _crossing(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Where in a cell two bilinear functions are zero, by Newton's method, and their slopes there; None: nowhere."""
    f, across, up, both = (corners @ _BILINEAR).T
    place, slopes = np.full(2, 0.5), np.eye(2)
    for _ in range(8):
        slopes = np.stack([across + both * place[1], up + both * place[0]], axis=1)
        if not abs(np.linalg.det(slopes)) > _SMALLEST_ANGLE * np.prod(np.linalg.norm(slopes, axis=1)):
            return None
        # From the middle of a small cell, where both are almost flat, a few steps give all digits.
        place = place - np.linalg.solve(slopes, f + across * place[0] + up * place[1] + both * np.prod(place))
    # An edge belongs to both its cells, so that no crossing on it is lost.
    return (place, slopes) if (np.abs(place - 0.5) <= 0.5 + 1e-6).all() else None


# From a function at four corners, row by row, to its value at the first, slopes, and mixed slope.
_BILINEAR = np.array([[1, -1, -1, 1], [0, 1, 0, -1], [0, 0, 1, -1], [0, 0, 0, 1]])
