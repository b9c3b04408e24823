"""What came out of many runs: along one parameter, or over two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import brainunit as u
import numpy as np

from brainmass._common.checks import as_array, number, one_of
from brainmass._common.messages import Argument, argument_error, named
from brainmass._common.typing import Array, Numbers
from brainmass.viz.drawing import (
    COLORS,
    DIVERGING,
    SEQUENTIAL,
    argument_of,
    axes_or_new,
    axis_label,
    check_looks,
    split,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_sweep", "plot_sweep_map"]


def plot_sweep(
    values: Numbers,
    scores: Numbers,
    *,
    ax: Axes | None = None,
    best: object = None,
    xlabel: str = "parameter",
    ylabel: str = "score",
    **kwargs: object,
) -> Axes:
    """Draw a score against the values of one parameter.

    Parameters
    ----------
    values : array or Quantity, shape (K,)
        Values of the parameter.
    scores : array or Quantity, shape (K,)
        What is NaN is a gap.
    ax : matplotlib Axes, optional
    best : scalar or Quantity, optional
        Value of the parameter to mark with a vertical line; read in the unit of `values`.
    xlabel, ylabel : str
        What the axes show; units are added.
    **kwargs
        Passed to `Axes.plot`.

    Raises
    ------
    ValueError
        If the two are not of one shape (K,), or `best` has another unit.
    """
    of = "plot_sweep"
    xs, x_unit = split(values, "values", of)
    ys, y_unit = split(scores, "scores", of)
    if xs.ndim != 1 or xs.shape != ys.shape:
        raise argument_error(
            argument_of("scores", of),
            f"must be of shape (K,) as `values` {xs.shape}",
            f"is of shape {ys.shape}",
            "plot_sweep(values, [score(v) for v in values])",
        )
    marked = None if best is None else _in_unit_of(best, values)
    ax = axes_or_new(ax, of)
    ax.plot(xs, ys, **{"marker": "o", **style(0, kwargs)})
    if marked is not None:
        ax.axvline(marked, color=COLORS[1], linestyle="--", label=f"best: {marked:.4g} {x_unit}".rstrip())
        ax.legend()
    ax.set_xlabel(axis_label(xlabel, x_unit))
    ax.set_ylabel(axis_label(ylabel, y_unit))
    return ax


def _in_unit_of(best: object, values: Array) -> float:
    """`best` as a number in the unit of `values`; a plain number is taken to be in it."""
    unit = u.get_unit(as_array(values))
    if not isinstance(best, u.Quantity):
        return number(Argument("best", "plot_sweep", "value of the parameter to mark"), best)
    if not best.unit.has_same_dim(unit):
        raise argument_error(
            argument_of("best", "plot_sweep"),
            f"must have the dimension of `values` ({unit or 'none'})",
            f"is {best}",
            "plot_sweep(values, scores, best=values[3])",
        )
    return float(best.to_decimal(unit))


def plot_sweep_map(
    data: Any,
    name: str | None = None,
    *,
    x: str | None = None,
    y: str | None = None,
    center: float | None = None,
    ax: Axes | None = None,
    cmap: Any = None,
    colorbar: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw what `brainmass.sweep` returns over two parameters, as colours; the mean over the seeds.

    A grid is drawn as cells around its points, values side by side (`design="list"`) as dots. A point of which all
    runs failed stays empty.

    Parameters
    ----------
    data : xarray.Dataset or DataArray
        One number for each run; reduce others first, e.g. `data["fc"].mean(["region", "region_2"])`, and choose one
        value of further parameters with `sel`.
    name : str, optional
        Which variable of a Dataset; default the only one.
    x, y : str, optional
        The parameters along the axes; default the second one of the sweep along x, the first along y.
    center : float, optional
        Value of the middle colour: colours then reach equally far to both sides, on a diverging map.
    ax : matplotlib Axes, optional
    cmap : matplotlib colour map, optional
        Default 'viridis', with `center` 'RdBu_r'.
    colorbar : bool
    **kwargs
        Passed to `Axes.pcolormesh`, or to `Axes.scatter`.

    Raises
    ------
    ValueError, TypeError
        If it is not clear what to draw along which axis, or nothing is finite.
    """
    array = _variable(data, name)
    if "seed" in array.dims:
        # A run that failed is NaN: the others of its point still count.
        array = array.mean("seed", skipna=True)
    is_list = array.dims == ("point",)
    x, y = _axes_of(array, x, y, is_list)
    numbers = array.values if is_list else array.transpose(y, x).values
    if numbers.dtype.kind not in "biuf" or not np.isfinite(numbers).any():
        raise argument_error(
            argument_of("data", _MAP), "must hold finite numbers", "has none", "plot_sweep_map(data, 'score')"
        )
    numbers = np.ma.masked_invalid(numbers.astype(float))
    coordinates = [_coordinate(array, axis) for axis in (x, y)]
    if center is not None:
        center = number(Argument("center", "plot_sweep_map"), center)
    check_looks("plot_sweep_map", cmap=cmap, colorbar=colorbar)
    ax = axes_or_new(ax, "plot_sweep_map")
    colours = _colours(numbers, center, cmap) | kwargs
    if is_list:
        image = ax.scatter(coordinates[0][0], coordinates[1][0], c=numbers, **{"s": 60, **colours})
    else:
        # A sweep has values in the order in which they were given; cells need them ascending.
        order = [np.argsort(values, kind="stable") for values, _ in coordinates]
        ordered = [values[i] for (values, _), i in zip(coordinates, order, strict=True)]
        image = ax.pcolormesh(*ordered, numbers[np.ix_(order[1], order[0])], shading="nearest", **colours)
    for axis, (values, names) in zip((ax.xaxis, ax.yaxis), coordinates, strict=True):
        if names is not None:
            axis.set_ticks(values, names)
    ax.set_xlabel(_labelled(array, x))
    ax.set_ylabel(_labelled(array, y))
    if colorbar:
        unit = str(array.attrs.get("units", ""))
        ax.figure.colorbar(image, ax=ax, label=axis_label(str(array.name or "score"), "" if unit == "1" else unit))
    return ax


_MAP = "plot_sweep_map"


def _variable(data: Any, name: str | None) -> Any:
    example = "plot_sweep_map(brainmass.sweep(...), 'score')"
    if hasattr(data, "data_vars"):
        known = [str(key) for key in data.data_vars if key != "failed"]  # which says of each run why it failed
        if name is None and len(known) == 1:
            name = known[0]
        data = data[one_of(Argument("name", _MAP), name, known)]
    if not hasattr(data, "dims") or not hasattr(data, "coords"):
        raise argument_error(
            argument_of("data", _MAP),
            "must be an xarray Dataset or DataArray, as brainmass.sweep gives",
            f"is a {type(data).__name__}",
            example,
            kind=TypeError,
        )
    return data.copy(deep=False).assign_attrs(data.attrs)


def _axes_of(array: Any, x: str | None, y: str | None, is_list: bool) -> tuple[str, str]:
    known = [str(key) for key, c in array.coords.items() if c.dims == ("point",) and key != "point"] if is_list else []
    known = known or [str(dim) for dim in array.dims]
    what = f"of the parameters {', '.join(known)}"
    if not is_list and len(known) != 2:
        example = (
            "plot_sweep(data['k'], data['score'].mean('seed'))" if len(known) == 1 else "data.sel(k=0.1).mean('time')"
        )
        raise argument_error(
            argument_of("data", _MAP),
            "must have two parameters for its dimensions beside the seeds",
            f"has {', '.join(known) or 'none'}",
            example,
        )
    if x is None and y is None and len(known) == 2:
        y, x = known
    for argument, other in (("x", y), ("y", x)):
        if (x if argument == "x" else y) is None and len(known) == 2 and isinstance(other, str) and other in known:
            remaining = known[1 - known.index(other)]
            x, y = (remaining, y) if argument == "x" else (x, remaining)
    # the one that was given first: the other may be missing only
    for argument, value in sorted((("x", x), ("y", y)), key=lambda pair: pair[1] is None):
        if not isinstance(value, str) or value not in known:
            raise argument_error(
                argument_of(argument, _MAP), f"must be one {what}", f"is {named(value)}", f'{argument}="{known[0]}"'
            )
    if x == y:
        raise argument_error(
            argument_of("y", _MAP), f"must be another one {what} than `x`, {x!r}", example=f'y="{known[0]}"'
        )
    return str(x), str(y)


def _coordinate(array: Any, name: str) -> tuple[np.ndarray, list[str] | None]:
    """Where the points lie along an axis, and their names if they are no numbers."""
    values = array[name].values
    if values.dtype.kind in "biuf":
        return values.astype(float), None
    # Names, of kernels or models, have no distance: they stand side by side.
    return np.arange(len(values), dtype=float), [str(value) for value in values]


def _labelled(array: Any, name: str) -> str:
    unit = str(array[name].attrs.get("units", ""))
    return axis_label(name, "" if unit == "1" else unit)


def _colours(numbers: Any, center: float | None, cmap: object) -> dict[str, Any]:
    if center is None:
        return {"cmap": SEQUENTIAL if cmap is None else cmap}
    # As far to both sides, so that the middle colour is the value of the middle.
    reach = float(np.abs(numbers - center).max()) or 1.0
    return {"cmap": DIVERGING if cmap is None else cmap, "vmin": center - reach, "vmax": center + reach}
