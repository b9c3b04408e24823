"""Power spectra, and how alike two of them are."""

from __future__ import annotations

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.typing import Array, Numbers, Time
from brainmass.objectives import _checks as check
from brainmass.objectives._checks import Objective
from brainmass.objectives._made import makes_objective
from brainmass.signals.correlation import deviations, distance
from brainmass.signals.spectra import welch


def power_spectral_density(x: Numbers, sampling_period: Time, window_size: int = 256) -> tuple[u.Quantity, u.Quantity]:
    """One-sided power spectral density by Welch's method.

    The mean over windows (Hann, half overlapping, mean taken out) of their periodograms, as
    `scipy.signal.welch(x, 1 / sampling_period, nperseg=window_size, axis=0)`.

    Parameters
    ----------
    x : array or Quantity, shape (T, R)
        Time series, T >= window_size.
    sampling_period : Quantity
        Time between samples, as the repetition time of BOLD.
    window_size : int
        Samples in a window, >= 2. The frequencies are 1 / (window_size · sampling_period) apart.

    Returns
    -------
    frequencies : Quantity, shape (window_size // 2 + 1,)
        From 0 to half the sampling rate, in Hz.
    density : Quantity, shape (window_size // 2 + 1, R)
        In the squared unit of `x` per Hz. The sum times the spacing of the frequencies is about the variance.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as said here.
    """
    of, call = "power_spectral_density", "power_spectral_density(x, sampling_period=0.72 * u.second)"
    size = check.whole(window_size, "window_size", of, 2, call)
    period = check.seconds(sampling_period, of, call)
    values = check.series(x, "x", of)
    _check_length(values, size, "x", of, "power_spectral_density(x, sampling_period, window_size=128)")
    # welch is told seconds, and so gives densities per hertz.
    density = u.Quantity(welch(values, period, size), unit=u.get_unit(x) ** 2 / u.Hz)
    return u.Quantity(np.fft.rfftfreq(size, period), unit=u.Hz), density


@makes_objective
def psd_rmse(
    sampling_period: Time,
    band: object = None,
    window_size: int = 256,
    *,
    log: bool = True,
    normalize: bool = False,
    floor: float = 1e-6,
) -> Objective:
    """Root mean square difference of two power spectral densities, over frequencies and regions.

    Parameters
    ----------
    sampling_period : Quantity
        Time between samples, of both signals.
    band : pair of Quantities, optional
        Lowest and highest frequency that count, included. By default all above 0.
    window_size : int
        Samples in a window, >= 2; as in `power_spectral_density`.
    log : bool
        Compare decibels, 10 log10(density): the log-spectral distance. Otherwise the densities themselves.
    normalize : bool
        Divide each spectrum by its mean over the band first: compare shapes, whatever the amplitudes and units.
    floor : float
        In decibels, densities smaller than `floor` times the mean density of the target count as that, without
        gradient: silence is that far below the data, not infinitely far. > 0.

    Returns
    -------
    callable
        `f(prediction, target)`; both of shape (time, R) and not shorter than a window. In dB with `log`,
        otherwise in the squared unit of the target per Hz, or without unit if normalized.

    Examples
    --------
    >>> import brainunit as u
    >>> import jax.numpy as jnp
    >>> t = jnp.arange(400)[:, None] * 0.5
    >>> slow, fast = jnp.sin(0.2 * t), jnp.sin(0.8 * t)
    >>> loss = psd_rmse(0.5 * u.second, band=(0.01 * u.Hz, 0.3 * u.Hz), window_size=100, normalize=True, log=False)
    >>> float(loss(slow, 3 * slow)) < 1e-5 < float(loss(fast, slow))
    True
    """
    of, call = "psd_rmse", "(0.72 * u.second)"
    size = check.whole(window_size, "window_size", of, 2, f"{of}(0.72 * u.second, window_size=256)")
    period = check.seconds(sampling_period, of, f"{of}{call}")
    frequencies = np.fft.rfftfreq(size, period)
    example = f"{of}(0.72 * u.second, band=(0.01 * u.Hz, 0.1 * u.Hz))"
    if band is None:
        # At frequency 0 there is nothing: each window is less its mean.
        chosen = np.arange(1, frequencies.size)
    else:
        chosen = check.in_band(band, frequencies, of, example, "a larger window_size")
    floor = check.number(floor, "floor", of, "> 0", lambda x: x > 0, f"{of}(0.72 * u.second, floor=1e-6)")
    log, normalize = check.flag(log, "log", of), check.flag(normalize, "normalize", of)

    def spectrum(x: Array, argument: str, unit: u.Unit | None) -> jax.Array:
        values = check.series(x, argument, of, unit)
        _check_length(values, size, argument, of, f"{of}(0.72 * u.second, window_size=128)")
        if not normalize:
            return welch(values, period, size)[chosen]
        density = welch(deviations(values)[0], period, size)[chosen]  # of order 1, that no square under- or overflows
        return density / _or_one(jnp.mean(density, axis=0))

    def rmse(prediction: Array, target: Array) -> jax.Array:
        # Shapes alone have no unit, and may be compared across units.
        unit = None if normalize else check.common_unit(prediction, target, of, call)
        p, t = spectrum(prediction, "prediction", unit), spectrum(target, "target", unit)
        check.same_regions(p, t, of, call)
        if not log:
            return distance(p, t)
        # Of the target alone: were it of both, a silent prediction would lower its own floor.
        least = floor * _or_one(jax.lax.stop_gradient(jnp.mean(t)))
        return distance(_decibels(p, least), _decibels(t, least))

    return rmse


def _decibels(density: jax.Array, least: jax.Array) -> jax.Array:
    return 10 / np.log(10) * jnp.log(jnp.maximum(density, least))


def _or_one(x: jax.Array) -> jax.Array:
    return jnp.where(x == 0, 1.0, x)


def _check_length(x: jax.Array, size: int, argument: str, of: str, example: str) -> None:
    check.long_enough(x, size, argument, of, f"a window of {size}", example)
