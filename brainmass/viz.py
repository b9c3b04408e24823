"""Pictures. Each function draws on `ax` (a new one if not given) and returns it.

Quantities, JAX and NumPy arrays are accepted alike; axes carry the unit. Needs the extra `brainmass[viz]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import brainunit as u
import numpy as np

from brainmass.network.connectome import Connectome
from brainmass.objectives import functional_connectivity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "plot_connectivity",
    "plot_functional_connectivity",
    "plot_loss",
    "plot_phase_portrait",
    "plot_power_spectrum",
    "plot_sweep",
    "plot_timeseries",
]

# Okabe & Ito (2008): eight colours that people with any colour vision can tell apart
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
_MANY = len(_COLORS)  # more traces than this are not told apart by colour
_MAX_TICKS = 25


def plot_timeseries(
    signal: Any,
    ts: Any = None,
    *,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw one or several signals over time.

    Parameters
    ----------
    signal : array or Quantity, shape (T,) or (T, R)
        Up to eight signals are drawn over each other; more are stacked, the first at the top, each moved by
        one multiple of the largest range among them.
    ts : array or Quantity of time, shape (T,), optional
        Times; the number of the sample if not given.
    labels : R strings, optional
        Names of the signals.
    ax : matplotlib Axes, optional
    **kwargs
        Passed to `Axes.plot`.

    Raises
    ------
    ValueError
        For other shapes, or another number of labels.
    """
    traces, unit = _columns(signal, "signal", "plot_timeseries")
    times, time_unit = _times(ts, len(traces))
    names = _names(labels, traces.shape[1], "plot_timeseries")
    ax = _axes(ax)
    ax.set_xlabel("sample" if ts is None else _axis_label("time", time_unit))
    if traces.shape[1] > _MANY:
        _draw_stacked(ax, times, traces, names, kwargs)
        ax.set_ylabel(_axis_label("signal, stacked", unit))
    else:
        _draw_overlaid(ax, times, traces, names, kwargs)
        ax.set_ylabel(_axis_label("signal", unit))
    return ax


def plot_phase_portrait(x: Any, y: Any, *, ax: Axes | None = None, **kwargs: Any) -> Axes:
    """Draw trajectories in the plane of two states; a dot marks each start.

    Parameters
    ----------
    x, y : array or Quantity, shape (T,) or (T, R)
        Two states over time, of the same shape.
    ax : matplotlib Axes, optional
    **kwargs
        Passed to `Axes.plot`.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    xs, x_unit = _columns(x, "x", "plot_phase_portrait")
    ys, y_unit = _columns(y, "y", "plot_phase_portrait")
    if xs.shape != ys.shape:
        must = f"must have the shape of `x`, {xs.shape}, but is of shape {ys.shape}"
        raise _error("y", "plot_phase_portrait", must, "plot_phase_portrait(x, y)")
    ax = _axes(ax)
    for i in range(xs.shape[1]):
        (line,) = ax.plot(xs[:, i], ys[:, i], **_style(i, kwargs))
        ax.plot(xs[0, i], ys[0, i], marker="o", linestyle="none", color=line.get_color())
    ax.set_xlabel(_axis_label("x", x_unit))
    ax.set_ylabel(_axis_label("y", y_unit))
    return ax


def plot_connectivity(
    matrix: Any,
    *,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
    cmap: Any = "viridis",
    colorbar: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw a connectivity matrix. Rows receive: entry [i, j] is from region j to region i.

    Parameters
    ----------
    matrix : array, Quantity or Connectome, shape (N, N)
        Of a Connectome, the weights and, unless given, the labels are taken.
    labels : N strings, optional
        Names of the regions; thinned out where more than 25.
    ax : matplotlib Axes, optional
    cmap : matplotlib colour map
    colorbar : bool
    **kwargs
        Passed to `Axes.imshow`.

    Raises
    ------
    ValueError
        If the matrix is not square, or there is another number of labels.
    """
    if isinstance(matrix, Connectome):
        labels = matrix.labels if labels is None else labels
        matrix = matrix.weights
    values, unit = _square(matrix, "matrix", "plot_connectivity")
    names = _names(labels, len(values), "plot_connectivity")
    ax = _axes(ax)
    image = _draw_matrix(ax, values, names, {"cmap": cmap, **kwargs})
    ax.set_xlabel("from region")
    ax.set_ylabel("to region")
    if colorbar:
        ax.figure.colorbar(image, ax=ax, label=_axis_label("weight", unit))
    return ax


def plot_functional_connectivity(
    data: Any,
    *,
    is_matrix: bool = False,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
    colorbar: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw functional connectivity, on colours that are symmetric about 0 and reach from -1 to 1.

    Parameters
    ----------
    data : array or Quantity
        Time series of shape (T, R); with `is_matrix`, functional connectivity of shape (R, R).
    is_matrix : bool
        What `data` is; never guessed from its shape.
    labels : R strings, optional
    ax : matplotlib Axes, optional
    colorbar : bool
    **kwargs
        Passed to `Axes.imshow`; for example `vmin=-0.5, vmax=0.5`.

    Raises
    ------
    ValueError
        If `data` has not the shape announced, or there is another number of labels.
    """
    fc = data if is_matrix else functional_connectivity(data)
    values, _ = _square(fc, "data", "plot_functional_connectivity")
    names = _names(labels, len(values), "plot_functional_connectivity")
    ax = _axes(ax)
    image = _draw_matrix(ax, values, names, {"cmap": "RdBu_r", "vmin": -1, "vmax": 1, **kwargs})
    ax.set_xlabel("region")
    ax.set_ylabel("region")
    if colorbar:
        ax.figure.colorbar(image, ax=ax, label="functional connectivity (Pearson)")
    return ax


def plot_power_spectrum(
    signal: Any,
    dt: Any,
    *,
    ax: Axes | None = None,
    loglog: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw the one-sided power spectral density.

    The periodogram of the signal less its mean, under a Hann window. Of more than eight signals, all are
    drawn in grey and their mean on top.

    Parameters
    ----------
    signal : array or Quantity, shape (T,) or (T, R)
        Equally spaced samples, T >= 4.
    dt : Quantity of time
        Distance of the samples.
    ax : matplotlib Axes, optional
    loglog : bool
        Logarithmic axes, without the frequency 0.
    **kwargs
        Passed to `Axes.plot`.

    Raises
    ------
    ValueError
        If `dt` is not a positive time, or for other shapes of the signal.
    """
    traces, unit = _columns(signal, "signal", "plot_power_spectrum")
    if len(traces) < 4:
        must = f"must have 4 samples or more, but has {len(traces)}"
        raise _error("signal", "plot_power_spectrum", must, "plot_power_spectrum(signal, 0.1 * u.ms)")
    frequencies, power = _power_spectrum(traces, _seconds(dt))
    first = 1 if loglog else 0
    ax = _axes(ax)
    _draw_spectra(ax, frequencies[first:], power[first:], kwargs)
    if loglog:
        ax.set_xscale("log")
        ax.set_yscale("log")
    ax.set_xlabel("frequency (Hz)")
    ax.set_ylabel(_axis_label("power spectral density", f"({unit})²/Hz" if unit else "1/Hz"))
    return ax


def plot_sweep(
    values: Any,
    scores: Any,
    *,
    ax: Axes | None = None,
    best: Any = None,
    xlabel: str = "parameter",
    ylabel: str = "score",
    **kwargs: Any,
) -> Axes:
    """Draw a score against the values of one parameter.

    Parameters
    ----------
    values : array or Quantity, shape (K,)
        Values of the parameter.
    scores : array or Quantity, shape (K,)
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
    xs, x_unit = _split(values)
    ys, y_unit = _split(scores)
    if xs.ndim != 1 or xs.shape != ys.shape:
        must = f"must be of shape (K,) as `values` {xs.shape}, but is of shape {ys.shape}"
        raise _error("scores", "plot_sweep", must, "plot_sweep(values, [score(v) for v in values])")
    marked = None if best is None else _in_unit_of(best, values)
    ax = _axes(ax)
    ax.plot(xs, ys, **{"marker": "o", **_style(0, kwargs)})
    if marked is not None:
        ax.axvline(marked, color=_COLORS[1], linestyle="--", label=f"best: {marked:.4g} {x_unit}".rstrip())
        ax.legend()
    ax.set_xlabel(_axis_label(xlabel, x_unit))
    ax.set_ylabel(_axis_label(ylabel, y_unit))
    return ax


def plot_loss(history: Any, *, ax: Axes | None = None, label: str | None = None, **kwargs: Any) -> Axes:
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
    losses, unit = _split(history)
    if losses.ndim != 1:
        must = f"must be of shape (K,), but is of shape {losses.shape}"
        raise _error("history", "plot_loss", must, "plot_loss([1.0, 0.5, 0.2])")
    ax = _axes(ax)
    ax.plot(losses, **_style(len(ax.lines), {"label": label, **kwargs}))
    ax.set_xlabel("iteration")
    ax.set_ylabel(_axis_label("loss", unit))
    if label is not None:
        ax.legend()
    return ax


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('Pictures need matplotlib. Example: pip install "brainmass[viz]"') from error
    return plt.subplots(layout="constrained")[1]


def _draw_overlaid(
    ax: Axes, times: np.ndarray, traces: np.ndarray, names: list[str] | None, kwargs: dict[str, Any]
) -> None:
    for i, trace in enumerate(traces.T):
        name = {} if names is None else {"label": names[i]}
        ax.plot(times, trace, **_style(i, {**name, **kwargs}))
    if names is not None:
        ax.legend()


def _draw_stacked(
    ax: Axes, times: np.ndarray, traces: np.ndarray, names: list[str] | None, kwargs: dict[str, Any]
) -> None:
    step = _largest_range(traces)
    levels = -step * np.arange(traces.shape[1])
    ax.plot(times, traces - _middle(traces) + levels, **{**_style(0, {"linewidth": 0.8}), **kwargs})
    if names is None:
        names = [str(i) for i in range(traces.shape[1])]
    shown = _shown(len(names))
    ax.set_yticks(levels[shown], [names[i] for i in shown])


def _draw_matrix(ax: Axes, values: np.ndarray, names: list[str] | None, kwargs: dict[str, Any]) -> Any:
    image = ax.imshow(values, **{"interpolation": "nearest", **kwargs})
    if names is not None:
        shown = _shown(len(names))
        ax.set_xticks(shown, [names[i] for i in shown], rotation=90)
        ax.set_yticks(shown, [names[i] for i in shown])
    return image


def _draw_spectra(ax: Axes, frequencies: np.ndarray, power: np.ndarray, kwargs: dict[str, Any]) -> None:
    if power.shape[1] <= _MANY:
        for i, spectrum in enumerate(power.T):
            ax.plot(frequencies, spectrum, **_style(i, kwargs))
        return
    ax.plot(frequencies, power, color="0.75", linewidth=0.5)
    ax.plot(frequencies, power.mean(axis=1), **_style(0, {"label": "mean", **kwargs}))
    ax.legend()


def _power_spectrum(traces: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz and one-sided densities per Hz of the columns."""
    n = len(traces)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    spectrum = np.fft.rfft((traces - traces.mean(axis=0)) * window[:, None], axis=0)
    power = np.abs(spectrum) ** 2 * dt / np.sum(window**2)
    power[1 : (n + 1) // 2] *= 2  # both signs of a frequency; 0 and an even n's highest stand alone
    return np.fft.rfftfreq(n, dt), power


def _seconds(dt: Any) -> float:
    is_time = isinstance(dt, u.Quantity) and dt.unit.has_same_dim(u.second)
    seconds = float(dt.to_decimal(u.second)) if is_time else np.nan
    if not (np.isfinite(seconds) and seconds > 0):
        must = f"must be a positive time, but is {dt}"
        raise _error("dt", "plot_power_spectrum", must, "plot_power_spectrum(signal, 0.1 * u.ms)")
    return seconds


def _times(ts: Any, n: int) -> tuple[np.ndarray, str]:
    times, unit = (np.arange(n), "") if ts is None else _split(ts)
    if times.shape != (n,):
        must = f"must have one entry per sample ({n}), but is of shape {times.shape}"
        raise _error("ts", "plot_timeseries", must, "plot_timeseries(result['x'], result.ts)")
    return times, unit


def _in_unit_of(best: Any, values: Any) -> float:
    """`best` as a number in the unit of `values`; a plain number is taken to be in it."""
    unit = u.get_unit(values)
    if not isinstance(best, u.Quantity):
        return float(best)
    if not best.unit.has_same_dim(unit):
        must = f"must have the dimension of `values` ({unit or 'none'}), but is {best}"
        raise _error("best", "plot_sweep", must, "plot_sweep(values, scores, best=values[3])")
    return float(best.to_decimal(unit))


def _split(x: Any) -> tuple[np.ndarray, str]:
    """Numbers and the name of their unit, empty if there is none."""
    if isinstance(x, list | tuple) and any(isinstance(item, u.Quantity) for item in x):
        x = u.math.stack([u.math.asarray(item) for item in x])
    if not isinstance(x, u.Quantity):
        return np.asarray(x), ""
    if x.unit.has_same_dim(u.UNITLESS):
        return np.asarray(x.to_decimal(u.UNITLESS)), ""
    return np.asarray(x.mantissa), str(x.unit)


def _columns(x: Any, argument: str, of: str) -> tuple[np.ndarray, str]:
    values, unit = _split(x)
    if values.ndim not in (1, 2) or values.size == 0:
        must = f"must be of shape (time,) or (time, region), but is of shape {values.shape}"
        raise _error(argument, of, must, f"{argument}=trajectory[:, 0]")
    return values.reshape(len(values), -1), unit


def _square(matrix: Any, argument: str, of: str) -> tuple[np.ndarray, str]:
    values, unit = _split(matrix)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        must = f"must be a square matrix, but is of shape {values.shape}"
        raise _error(argument, of, must, f"{argument}=np.eye(3)")
    return values, unit


def _names(labels: Sequence[str] | None, n: int, of: str) -> list[str] | None:
    names = None if labels is None else [str(label) for label in labels]
    if names is not None and len(names) != n:
        raise _error("labels", of, f"must be {n} names, but are {len(names)}", "labels=connectome.labels")
    return names


def _style(i: int, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keywords of trace i: a colour of our cycle unless the user chose one."""
    return kwargs if {"color", "c"} & kwargs.keys() else {"color": _COLORS[i % len(_COLORS)], **kwargs}


def _shown(n: int) -> np.ndarray:
    return np.arange(0, n, -(-n // _MAX_TICKS))


def _largest_range(traces: np.ndarray) -> float:
    return float(np.nanmax(np.nanmax(traces, axis=0) - np.nanmin(traces, axis=0))) or 1.0


def _middle(traces: np.ndarray) -> np.ndarray:
    return (np.nanmax(traces, axis=0) + np.nanmin(traces, axis=0)) / 2


def _axis_label(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


def _error(argument: str, of: str, must: str, example: str) -> ValueError:
    return ValueError(f"Argument `{argument}` of {of} ({_MEANING[argument]}) {must}. Example: {example}")


_MEANING = {
    "best": "value of the parameter to mark",
    "data": "time series, or functional connectivity with is_matrix=True",
    "dt": "distance of the samples",
    "history": "loss at each iteration",
    "labels": "names",
    "matrix": "connection strengths",
    "scores": "score of each value",
    "signal": "samples over time",
    "ts": "times of the samples",
    "x": "first state",
    "y": "second state",
}
