"""Power spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from brainmass.viz.drawing import FAINT, MANY, argument_error, axes_or_new, axis_label, columns, finite, seconds, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_power_spectrum"]

_EXAMPLE = "plot_power_spectrum(signal, 0.1 * u.ms)"


def plot_power_spectrum(
    signal: Any,
    dt: Any,
    *,
    ax: Axes | None = None,
    loglog: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw the one-sided power spectral density.

    The periodogram of the signal less its mean, under a Hann window. Of more than seven signals, all are
    drawn in grey and their mean on top.

    Parameters
    ----------
    signal : array or Quantity, shape (T,) or (T, R)
        Equally spaced samples, finite, T >= 4.
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
        If `dt` is not a positive time, or for other shapes of the signal, or NaN in it.
    """
    of = "plot_power_spectrum"
    traces, unit = columns(signal, "signal", of)
    finite(traces, "signal", of)
    if len(traces) < 4:
        raise argument_error("signal", of, f"must have 4 samples or more, but has {len(traces)}", _EXAMPLE)
    frequencies, power = _power_spectrum(traces, seconds(dt, "dt", of, _EXAMPLE))
    first = 1 if loglog else 0
    ax = axes_or_new(ax)
    _draw_spectra(ax, frequencies[first:], power[first:], kwargs)
    if loglog:
        ax.set_xscale("log")
        ax.set_yscale("log")
    ax.set_xlabel("frequency (Hz)")
    ax.set_ylabel(axis_label("power spectral density", f"({unit})²/Hz" if unit else "1/Hz"))
    return ax


def _draw_spectra(ax: Axes, frequencies: np.ndarray, power: np.ndarray, kwargs: dict[str, Any]) -> None:
    if power.shape[1] <= MANY:
        for i, spectrum in enumerate(power.T):
            ax.plot(frequencies, spectrum, **style(i, kwargs))
        return
    ax.plot(frequencies, power, **{**FAINT, "linewidth": 0.5})
    ax.plot(frequencies, power.mean(axis=1), **style(0, {"label": "mean", **kwargs}))
    ax.legend()


def _power_spectrum(traces: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz and one-sided densities per Hz of the columns."""
    n = len(traces)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    spectrum = np.fft.rfft((traces - traces.mean(axis=0)) * window[:, None], axis=0)
    power = np.abs(spectrum) ** 2 * dt / np.sum(window**2)
    power[1 : (n + 1) // 2] *= 2  # both signs of a frequency; 0 and an even n's highest stand alone
    return np.fft.rfftfreq(n, dt), power
