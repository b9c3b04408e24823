"""Power spectra."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import brainunit as u
import jax.numpy as jnp
import numpy as np

from brainmass._common.messages import argument_error
from brainmass._common.typing import Numbers, Time
from brainmass.signals.spectra import welch
from brainmass.viz.drawing import (
    FAINT,
    MANY,
    argument_of,
    axes_or_new,
    axis_label,
    check_looks,
    columns,
    finite,
    plain_length,
    seconds,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_power_spectrum"]

_EXAMPLE = "plot_power_spectrum(signal, 0.1 * u.ms)"


def plot_power_spectrum(
    signal: Numbers,
    dt: Time,
    *,
    ax: Axes | None = None,
    loglog: bool = True,
    window: object = None,
    **kwargs: object,
) -> Axes:
    """Draw the one-sided power spectral density by Welch's method.

    The mean over windows (Hann, half overlapping, mean taken out) of their periodograms. Of more than seven signals,
    all are drawn in grey and their mean on top.

    Parameters
    ----------
    signal : array or Quantity, shape (T,) or (T, R)
        Equally spaced samples, finite, T >= 4.
    dt : Quantity of time, or number
        Distance of the samples. With a plain number frequencies are per unit of it, not in Hz.
    ax : matplotlib Axes, optional
    loglog : bool
        Logarithmic axes, without the frequency 0.
    window : Quantity of time, or number as `dt`, optional
        Length of a window; frequencies are its inverse apart. Default two ninths of the signal, which makes eight of
        them, or 256 samples where that is more.
    **kwargs
        Passed to `Axes.plot`.

    Raises
    ------
    ValueError
        If `dt` is not a positive time, for a window of less than 4 samples or longer than the signal, or for other
        shapes of the signal, or NaN in it.
    """
    of = "plot_power_spectrum"
    check_looks(of, loglog=loglog)
    traces, unit = columns(signal, "signal", of)
    finite(traces, "signal", of)
    if len(traces) < 4:
        raise argument_error(argument_of("signal", of), "must have 4 samples or more", f"has {len(traces)}", _EXAMPLE)
    in_seconds = isinstance(dt, u.Quantity)
    length = seconds if in_seconds else plain_length
    size = _window_size(len(traces), length(dt, "dt", of, _EXAMPLE), window, length)
    frequencies, power = _welch(traces, length(dt, "dt", of, _EXAMPLE), size)
    # Frequency 0 has no logarithm.
    first = 1 if loglog else 0
    ax = axes_or_new(ax, of)
    _draw_spectra(ax, frequencies[first:], power[first:], kwargs)
    if loglog:
        ax.set_xscale("log")
        ax.set_yscale("log")
    ax.set_xlabel("frequency (Hz)" if in_seconds else "frequency (per unit of dt)")
    per = "Hz" if in_seconds else "frequency"
    ax.set_ylabel(axis_label("power spectral density", f"({unit})²/{per}" if unit else f"1/{per}"))
    return ax


def _draw_spectra(ax: Axes, frequencies: np.ndarray, power: np.ndarray, kwargs: dict[str, Any]) -> None:
    if power.shape[1] <= MANY:
        for i, spectrum in enumerate(power.T):
            ax.plot(frequencies, spectrum, **style(i, kwargs))
        return
    ax.plot(frequencies, power, **{**FAINT, "linewidth": 0.5})
    # The mean of densities, and not of their logarithms: it is the spectrum of all regions together.
    ax.plot(frequencies, power.mean(axis=1), **style(0, {"label": "mean", **kwargs}))
    ax.legend()


def _window_size(n: int, dt: float, window: object, length: Callable[..., float]) -> int:
    """Samples of a window."""
    of = "plot_power_spectrum"
    # n/9 apart and overlapping by half, eight windows of 2n/9 fit.
    size = max(min(n, 256), 2 * n // 9) if window is None else round(length(window, "window", of, _EXAMPLE) / dt)
    if not 4 <= size <= n:
        raise argument_error(
            argument_of("window", of),
            f"must be 4 samples or more, and no longer than the signal of {n}",
            f"is {size} samples",
            "plot_power_spectrum(signal, 0.1 * u.ms, window=1 * u.second)",
        )
    return size


def _welch(traces: np.ndarray, dt: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in 1/dt and one-sided densities of the columns."""
    return np.fft.rfftfreq(size, dt), np.asarray(welch(jnp.asarray(traces), dt, size), float)
