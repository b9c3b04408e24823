"""What the pictures have in common: axes, colours, numbers with their units, and errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import brainunit as u
import numpy as np

from brainmass._common import checks
from brainmass._common.extras import import_extra
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "COLORS",
    "DIVERGING",
    "FAINT",
    "MANY",
    "SEQUENTIAL",
    "argument_of",
    "axes_or_new",
    "axis_label",
    "check_looks",
    "columns",
    "finite",
    "names_for",
    "seconds",
    "shown",
    "split",
    "style",
    "table",
]

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
MANY = len(COLORS)  # more traces than this are not told apart by colour
FAINT = {"color": "#7F7F7F", "alpha": 0.5}
SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"
_MAX_TICKS = 25


def axes_or_new(ax: Axes | None, of: str = "", **figure: object) -> Axes:
    """The axes given, or those of a new figure."""
    if ax is None:
        # Imported when something is drawn: matplotlib is an extra, and slow to import.
        return import_extra("viz", "matplotlib.pyplot").subplots(layout="constrained", **figure)[1]
    kind = import_extra("viz", "matplotlib.axes").Axes
    return checks.instance(Argument("ax", of), ax, kind, "an Axes of matplotlib", example="ax=plt.subplot()")


def check_looks(of: str, *, cmap: object = None, **flags: object) -> None:
    """Refuse a colour map that matplotlib does not know, and what is no switch."""
    for name, value in flags.items():
        checks.flag(Argument(name, of), value)
    matplotlib = import_extra("viz", "matplotlib")
    if cmap is not None and not isinstance(cmap, matplotlib.colors.Colormap):
        checks.one_of(Argument("cmap", of), cmap, list(matplotlib.colormaps), also="a Colormap, or ")


def style(i: int, kwargs: dict[str, object]) -> dict[str, Any]:
    """Keywords of trace i: a colour of our cycle unless the user chose one."""
    return kwargs if {"color", "c"} & kwargs.keys() else {"color": COLORS[i % MANY], **kwargs}


def shown(n: int) -> np.ndarray:
    """Which of n ticks are written."""
    # Evenly thinned out, so that names that are left can be read.
    return np.arange(0, n, -(-n // _MAX_TICKS))


def axis_label(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


# --- numbers --------------------------------------------------------------------------------------------------------
def split(x: Numbers, argument: str, of: str) -> tuple[np.ndarray, str]:
    """Real numbers and the name of their unit, empty if there is none."""
    if isinstance(x, list | tuple) and any(isinstance(item, u.Quantity) for item in x):
        # Of a list of quantities numpy would make an array of objects.
        x = u.math.stack([u.math.asarray(item) for item in x])
    unit = x.unit if isinstance(x, u.Quantity) else u.UNITLESS
    plain = unit.has_same_dim(u.UNITLESS)
    values = np.asarray(x if not isinstance(x, u.Quantity) else x.to_decimal(u.UNITLESS) if plain else x.mantissa)
    # Complex numbers would be drawn without their imaginary part, with a warning at most.
    if values.dtype.kind not in "biuf":
        raise argument_error(
            argument_of(argument, of),
            "must be real numbers",
            f"is of type {values.dtype}",
            f"{argument}=np.zeros(3)",
            kind=TypeError,
        )
    return values, "" if plain else str(unit)


def finite(values: np.ndarray, argument: str, of: str) -> np.ndarray:
    """The values, none of them NaN or infinite."""
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        where = tuple(map(int, bad[0]))
        raise argument_error(
            argument_of(argument, of),
            "must be finite",
            f"is {values[where]} at index {where}, one of {len(bad)}",
            f"{argument}=np.nan_to_num({argument})",
        )
    return values


def columns(x: Numbers, argument: str, of: str) -> tuple[np.ndarray, str]:
    """One column for each region."""
    values, unit = split(x, argument, of)
    if values.ndim not in (1, 2) or values.size == 0:
        raise argument_error(
            argument_of(argument, of),
            "must be of shape (time,) or (time, region)",
            f"is of shape {values.shape}",
            f"{argument}=trajectory[:, 0]",
        )
    return values.reshape(len(values), -1), unit


def table(matrix: Numbers, argument: str, of: str, square: bool = True) -> tuple[np.ndarray, str]:
    """A matrix, finite, with rows and columns, and as many of both if `square`."""
    values, unit = split(matrix, argument, of)
    if values.ndim != 2 or values.size == 0 or (square and values.shape[0] != values.shape[1]):
        rule = "must be a square matrix" if square else "must be a matrix"
        raise argument_error(argument_of(argument, of), rule, f"is of shape {values.shape}", f"{argument}=np.eye(3)")
    return finite(values, argument, of), unit


def seconds(x: Numbers, argument: str, of: str, example: str) -> float:
    is_time = isinstance(x, u.Quantity) and x.unit.has_same_dim(u.second) and u.math.ndim(x) == 0
    value = float(x.to_decimal(u.second)) if is_time else np.nan
    if not (np.isfinite(value) and value > 0):
        raise argument_error(argument_of(argument, of), "must be a positive time", f"is {x}", example)
    return value


def plain_length(x: Numbers, argument: str, of: str, example: str) -> float:
    """The length of a time that is given without unit."""
    what = Argument(argument, of, more=", without unit,")
    return checks.number(what, x, "> 0 that is finite", lambda value: np.isfinite(value) & (value > 0), example=example)


def names_for(labels: Sequence[str] | None, n: int, of: str) -> list[str] | None:
    given = None if labels is None else checks.items(Argument("labels", of), labels, "names")
    names = None if given is None else [str(label) for label in given]
    if names is not None and len(names) != n:
        raise argument_error(
            argument_of("labels", of), f"must be {n} names", f"are {len(names)}", "labels=connectome.labels"
        )
    return names


def argument_of(argument: str, of: str) -> Argument:
    """How messages name an argument."""
    return Argument(argument, of, _MEANING.get(f"{of}.{argument}", _MEANING.get(argument, "")))


_MEANING = {
    "best": "value of the parameter to mark",
    "data": "time series, or the matrix with is_matrix=True",
    "dt": "distance of the samples",
    "history": "loss at each iteration",
    "labels": "names",
    "matrix": "connection strengths",
    "plot_sweep.values": "values of the parameter",
    "positions": "where the sensors are",
    "sampling_period": "distance of the samples",
    "scores": "score of each value",
    "signal": "samples over time",
    "target": "what the model was fitted to",
    "ts": "times of the samples",
    "values": "one number for each sensor",
    "x": "first state",
    "y": "second state",
}
