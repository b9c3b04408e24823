"""What a fit found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import brainunit as u
import numpy as np

from brainmass._common.checks import instance, one_of
from brainmass._common.extras import import_extra
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers
from brainmass.fitting.front import ParetoFront
from brainmass.fitting.outcome import FitResult
from brainmass.viz.drawing import (
    COLORS,
    DIVERGING,
    FAINT,
    SEQUENTIAL,
    argument_of,
    axes_or_new,
    axis_label,
    split,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_fit", "plot_front", "plot_loss"]


def plot_loss(history: object, *, ax: Axes | None = None, label: str | None = None, **kwargs: Any) -> Axes:
    """Draw a loss over the iterations of a fit, counted from 0.

    Parameters
    ----------
    history : array or Quantity, shape (K,)
    ax : matplotlib Axes, optional
        Call again with the axes returned to compare fits.
    label : str, optional
        Name of the fit, shown in the legend.
    **kwargs
        Passed to `Axes.plot`.

    Raises
    ------
    ValueError
        If `history` is not of shape (K,).
    """
    losses, unit = split(history, "history", "plot_loss")
    if losses.ndim != 1:
        raise argument_error(
            argument_of("history", "plot_loss"),
            "must be of shape (K,)",
            f"is of shape {losses.shape}",
            "plot_loss([1.0, 0.5, 0.2])",
        )
    if label is not None:
        instance(Argument("label", "plot_loss"), label, str, "text")
    ax = axes_or_new(ax, "plot_loss")
    ax.plot(losses, **style(len(ax.lines), {"label": label, **kwargs}))
    ax.set_xlabel("iteration")
    ax.set_ylabel(axis_label("loss", unit))
    if label is not None:
        ax.legend()
    return ax


def plot_front(
    front: ParetoFront, x: str | None = None, y: str | None = None, *, ax: Axes | None = None, label: str | None = None
) -> Axes:
    """Draw a Pareto front in two of its objectives, with the knee.

    Parameters
    ----------
    front : ParetoFront
    x, y : str, optional
        Names of the objectives; by default the first two.
    ax : matplotlib Axes, optional
        Call again with the axes returned to compare fronts.
    label : str, optional
        Name of the front, shown in the legend.

    Raises
    ------
    ValueError, TypeError
        If `front` is none, has no objective of that name, or has one alone.
    """
    instance(Argument("front", "plot_front"), front, ParetoFront, "a brainmass.ParetoFront", example="result.front")
    if len(front.names) < 2:
        raise argument_error(argument_of("front", "plot_front"), "must have two objectives", "has one")
    shown = [given if name is None else name for name, given in zip((x, y), front.names, strict=False)]
    for argument, name in zip(("x", "y"), shown, strict=True):
        one_of(Argument(argument, "plot_front"), name, front.names)
    if label is not None:
        instance(Argument("label", "plot_front"), label, str, "text")
    ax = axes_or_new(ax, "plot_front")
    places = front.values[:, [front.names.index(name) for name in shown]]
    # A front leaves two lines on the axes, its points and its knee.
    color = COLORS[len(ax.lines) // 2 % len(COLORS)]
    ax.plot(*places.T, color=color, marker=".", linestyle="none", label=label)
    best = front.best().values
    ax.plot(*(best[name] for name in shown), color=color, marker="o", markersize=9, fillstyle="none", linestyle="none")
    ax.set(xlabel=shown[0], ylabel=shown[1])
    if label is not None:
        ax.legend()
    return ax


def plot_fit(
    result: FitResult,
    *,
    target: Numbers = None,
    prediction: Numbers = None,
    ax: Mapping[str, Axes] | None = None,
) -> dict[str, Axes]:
    """Draw a report of a fit: the course of the loss, the parameters found, and prediction beside target.

    Parameters
    ----------
    result : FitResult
    target : array or Quantity, optional
        To compare the prediction with, of the same shape and unit. Of square matrices the target is drawn below the
        diagonal and the prediction above it; of one signal both over each other; else one against the other.
    prediction : array or Quantity, optional
        In place of `result.prediction`, where that is another thing than the target: e.g. its functional connectivity.
    ax : mapping of str to matplotlib Axes, optional
        Where to draw 'loss', 'parameters' and, with a target, 'comparison', as of `plt.subplot_mosaic`.

    Returns
    -------
    dict of str to matplotlib Axes
        Several, since a report has several panels.

    Raises
    ------
    ValueError, TypeError
        If prediction and target do not fit each other, or `ax` lacks a panel.
    """
    if not isinstance(result, FitResult):
        raise argument_error(
            argument_of("result", "plot_fit"),
            "must be a brainmass.FitResult",
            f"is a {type(result).__name__}",
            "plot_fit(fitter.fit(target))",
            kind=TypeError,
        )
    both = None if target is None else _compared(result.prediction if prediction is None else prediction, target)
    wanted = ["loss", "parameters", *(["comparison"] if both else [])]
    axes = _panels(wanted, ax)
    _draw_course(axes["loss"], result)
    _draw_parameters(axes["parameters"], result)
    if both:
        _draw_comparison(axes["comparison"], *both)
    return axes


def _panels(wanted: list[str], ax: Mapping[str, Axes] | None) -> dict[str, Axes]:
    if ax is None:
        plt = import_extra("viz", "matplotlib.pyplot")
        size = 5 * len(wanted), 3.6
        return plt.figure(figsize=size, layout="constrained").subplot_mosaic([wanted])
    if not isinstance(ax, Mapping) or any(name not in ax for name in wanted):
        example = f"ax=plt.subplot_mosaic([{wanted}])[1]"
        raise argument_error(
            argument_of("ax", "plot_fit"), f"must map {', '.join(wanted)} to axes", example=example, kind=TypeError
        )
    return {name: ax[name] for name in wanted}


# --- the loss -------------------------------------------------------------------------------------------------------
def _draw_course(ax: Axes, result: FitResult) -> None:
    losses = np.asarray(result.history, float)
    several = None if result.histories is None else np.asarray(result.histories, float)
    if several is not None and several.ndim == 2 and several.shape[1] > 1:
        ax.plot(several, **{**FAINT, "linewidth": 0.6})
    plot_loss(losses, ax=ax, color=COLORS[0])
    # `fmin` passes over NaN.
    ax.plot(np.fmin.accumulate(losses), color=COLORS[1], linestyle="--", label=f"lowest so far, {result.best_loss:.4g}")
    # What diverged says nothing of the range to draw.
    positive = losses[np.isfinite(losses)]
    # Over less than two decades a logarithm has too few marks to be read by.
    if len(positive) and (positive > 0).all() and positive.max() > 100 * positive.min():
        ax.set_yscale("log")
    ax.legend()
    ax.set_title(f"{result.backend}, {result.n_steps} steps")


# --- the parameters -------------------------------------------------------------------------------------------------
def _draw_parameters(ax: Axes, result: FitResult) -> None:
    """A row for each: where it lies between its bounds, and the numbers."""
    rows = []
    for i, (name, value) in enumerate(result.best_params.items()):
        numbers, unit = split(value, name, "plot_fit")
        bounds = result.bounds.get(name)
        rows.append(f"{name} = {_in_words(numbers)}{f' {unit}' if unit else ''}")
        if bounds is None:
            ax.text(0.5, i, "no bounds", ha="center", va="center", alpha=0.6)
            continue
        low, high = (
            np.asarray(u.Quantity(end).to_decimal(u.get_unit(value)), float) for end in (bounds.low, bounds.high)
        )
        # Between a bound and infinity nothing has a place.
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            side = f"above {_in_words(low)}" if np.isfinite(low).all() else f"below {_in_words(high)}"
            ax.text(0.5, i, side, ha="center", va="center", alpha=0.6)
            continue
        rows[-1] += f"\nfrom {_in_words(low)} to {_in_words(high)}{', log' if bounds.log else ''}"
        places = _share(numbers, low, high, bounds.log)
        ax.plot([0, 1], [i, i], color=FAINT["color"], linewidth=1)
        ax.plot(places.ravel(), np.full(places.size, i), color=COLORS[0], marker="o", linestyle="none", alpha=0.7)
    ax.set_yticks(range(len(rows)), rows)
    # Downwards, the first on top.
    ax.set(xlim=(-0.05, 1.05), ylim=(len(rows) - 0.5, -0.5), xlabel="place between the bounds")
    ax.set_xticks([0, 0.5, 1])
    ax.set_title("parameters found")


def _share(numbers: np.ndarray, low: np.ndarray, high: np.ndarray, log: bool) -> np.ndarray:
    # Where the search was in logarithms, places are too.
    if log:
        numbers, low, high = np.log(numbers), np.log(low), np.log(high)
    return np.asarray((numbers - low) / (high - low))


def _in_words(numbers: np.ndarray) -> str:
    if np.ptp(numbers) == 0:
        return f"{float(np.ravel(numbers)[0]):.4g}"
    return f"{numbers.min():.3g} … {numbers.max():.3g} ({numbers.size})"


# --- prediction beside target ---------------------------------------------------------------------------------------
def _compared(prediction: Numbers, target: Any) -> tuple[np.ndarray, np.ndarray, str]:
    if prediction is None:
        raise argument_error(
            argument_of("target", "plot_fit"),
            "must be None, as this fit has no `predict`, unless `prediction` is given",
            example="plot_fit(result, target=fc, prediction=model_fc)",
        )
    t, unit = split(target, "target", "plot_fit")
    if not u.get_unit(prediction).has_same_dim(u.get_unit(target)) or u.math.shape(prediction) != t.shape:
        example = "prediction=objectives.functional_connectivity(result.prediction)"
        raise argument_error(
            argument_of("target", "plot_fit"),
            f"must have shape and unit of the prediction, {u.math.shape(prediction)} in {u.get_unit(prediction)}",
            f"has {t.shape} in {u.get_unit(target)}",
            example,
        )
    p = np.asarray(u.Quantity(prediction).to_decimal(u.get_unit(target)), float)
    return p, t, unit


def _draw_comparison(ax: Axes, prediction: np.ndarray, target: np.ndarray, unit: str) -> None:
    if target.ndim == 2 and target.shape[0] == target.shape[1] > 1:
        _draw_halves(ax, prediction, target, unit)
    elif target.ndim == 1:
        ax.plot(target, color=COLORS[6], linewidth=2.5, label="target")
        ax.plot(prediction, color=COLORS[0], label="prediction")
        ax.legend()
        ax.set(xlabel="sample", ylabel=axis_label("signal", unit))
    else:
        both = prediction.ravel(), target.ravel()
        ends = min(map(np.nanmin, both)), max(map(np.nanmax, both))
        ax.plot(*both[::-1], color=COLORS[0], marker=".", linestyle="none", alpha=0.5)
        ax.plot(ends, ends, color=COLORS[6], linewidth=1)
        ax.set(xlabel=axis_label("target", unit), ylabel=axis_label("prediction", unit))
    ax.set_title(f"r = {_correlation(prediction, target):.2f}")


def _draw_halves(ax: Axes, prediction: np.ndarray, target: np.ndarray, unit: str) -> None:
    n = len(target)
    shown = np.where(np.tri(n, k=-1, dtype=bool), target, prediction)
    # The same in both, and often far from the rest: it would take most of the colours.
    np.fill_diagonal(shown, np.nan)
    reach = float(np.nanmax(np.abs(shown))) or 1.0
    signed: dict[str, Any] = (
        {"cmap": DIVERGING, "vmin": -reach, "vmax": reach} if np.nanmin(shown) < 0 else {"cmap": SEQUENTIAL}
    )
    image = ax.imshow(shown, interpolation="nearest", **signed)
    ax.set(xlabel="prediction, above the diagonal", ylabel="target, below it")
    ax.figure.colorbar(image, ax=ax, label=unit)


def _correlation(prediction: np.ndarray, target: np.ndarray) -> float:
    if target.ndim == 2 and target.shape[0] == target.shape[1] > 1:
        # Without the diagonal, in which two of a kind agree by definition.
        below, above = np.tril_indices(len(target), -1), np.triu_indices(len(target), 1)
        # Both halves, as weights need not be symmetric.
        p, t = (np.concatenate([x[below], x[above]]) for x in (prediction, target))
    else:
        p, t = prediction.ravel(), target.ravel()
    # numpy would divide by zero, and warn.
    if np.ptp(p) == 0 or np.ptp(t) == 0:
        return float("nan")
    return float(np.corrcoef(p, t)[0, 1])
