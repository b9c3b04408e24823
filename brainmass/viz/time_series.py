"""Signals over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from brainmass._common.messages import argument_error
from brainmass._common.typing import Numbers
from brainmass.viz.drawing import MANY, argument_of, axes_or_new, axis_label, columns, names_for, shown, split, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_timeseries"]


def plot_timeseries(
    signal: Numbers,
    ts: object = None,
    *,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
    **kwargs: object,
) -> Axes:
    """Draw one or several signals over time.

    Parameters
    ----------
    signal : array or Quantity, shape (T,) or (T, R)
        Up to seven signals are drawn over each other; more are stacked, the first at the top, each moved by one
        multiple of the largest range among them. What is NaN or infinite is a gap.
    ts : array or Quantity of time, shape (T,), optional
        Times; the number of the sample if not given.
    labels : R strings, optional
        Names of the signals.
    ax : matplotlib Axes, optional
    **kwargs
        Passed to `Axes.plot`.

    Raises
    ------
    ValueError, TypeError
        For other shapes, another number of labels, or what holds no real number.
    """
    of = "plot_timeseries"
    traces, unit = columns(signal, "signal", of)
    # matplotlib leaves a gap at NaN; of infinity no axis could be made.
    traces = np.where(np.isfinite(traces), traces, np.nan)
    if np.isnan(traces).all():
        raise argument_error(
            argument_of("signal", of), "must hold a finite number", "all are NaN or infinite", "signal=result['x']"
        )
    times, time_unit = _times(ts, len(traces), of)
    names = names_for(labels, traces.shape[1], of)
    ax = axes_or_new(ax, of)
    ax.set_xlabel("sample" if ts is None else axis_label("time", time_unit))
    if traces.shape[1] > MANY:
        _draw_stacked(ax, times, traces, names, kwargs)
        ax.set_ylabel(axis_label("signal, stacked", unit))
    else:
        _draw_overlaid(ax, times, traces, names, kwargs)
        ax.set_ylabel(axis_label("signal", unit))
    return ax


def _times(ts: object, n: int, of: str) -> tuple[np.ndarray, str]:
    times, unit = (np.arange(n), "") if ts is None else split(ts, "ts", of)
    if times.shape != (n,):
        raise argument_error(
            argument_of("ts", of),
            f"must have one entry per sample ({n})",
            f"is of shape {times.shape}",
            "plot_timeseries(result['x'], result.time)",
        )
    return times, unit


def _draw_overlaid(
    ax: Axes, times: np.ndarray, traces: np.ndarray, names: list[str] | None, kwargs: dict[str, Any]
) -> None:
    for i, trace in enumerate(traces.T):
        name = {} if names is None else {"label": names[i]}
        ax.plot(times, trace, **style(i, {**name, **kwargs}))
    if names is not None:
        ax.legend()


def _draw_stacked(
    ax: Axes, times: np.ndarray, traces: np.ndarray, names: list[str] | None, kwargs: dict[str, Any]
) -> None:
    # `fmin` and `fmax` pass over NaN.
    lowest, highest = np.fmin.reduce(traces, axis=0), np.fmax.reduce(traces, axis=0)
    step = float(np.fmax.reduce(highest - lowest)) or 1.0
    # Downwards, the first on top; the largest range apart, so that no two can cross.
    levels = -step * np.arange(traces.shape[1])
    # About the middle of its own range each: a mean far from the others would move it into their place.
    ax.plot(times, traces - (highest + lowest) / 2 + levels, **{**style(0, {"linewidth": 0.8}), **kwargs})
    if names is None:
        names = [str(i) for i in range(traces.shape[1])]
    written = shown(len(names))
    ax.set_yticks(levels[written], [names[i] for i in written])
