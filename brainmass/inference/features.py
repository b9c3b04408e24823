"""What recordings are told by: numbers of a recording (time, region), by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.messages import Argument, argument_error
from brainmass.objectives.connectivity_dynamics import fcd_of
from brainmass.objectives.distributions import density
from brainmass.signals.correlation import above_diagonal, correlation_matrix, deviations, root, root_mean_square
from brainmass.signals.phases import analytic, mean_resultant_length, phase_locking
from brainmass.signals.spectra import welch

__all__ = ["FEATURES", "Feature", "Settings"]

_BANDS = {"delta": (1, 4), "theta": (4, 8), "alpha": (8, 13), "beta": (13, 30), "gamma": (30, 80)}
_QUANTILES = 0.05, 0.25, 0.5, 0.75, 0.95
_POINTS = np.linspace(-0.95, 0.95, 20)
_SIGNAL = "signal"  # the unit of the recording
_LOG_DENSITY = "log(signal²/Hz)"
_MOST = 10  # eigenvalues of the FCD, of which there are as many as windows


class Settings(NamedTuple):
    """What features are worked out with: seconds between samples, or None; samples in a window, and from it on."""

    period: float | None
    window_size: int
    step_size: int


class Feature(NamedTuple):
    """A function of numbers (time, region); of its result the axes, and the unit where a `sampling_period` is given."""

    function: Callable[[jax.Array, Settings], jax.Array]
    axes: tuple[str, ...]
    unit: str
    doc: str


FEATURES: dict[str, Feature] = {}


def _feature(*axes: str, unit: str = "") -> Callable[[Callable[..., jax.Array]], Callable[..., jax.Array]]:
    def enter(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        FEATURES[function.__name__] = Feature(function, axes, unit, (function.__doc__ or "").strip())
        return function

    return enter


# --- values of each region ------------------------------------------------------------------------------------------
@_feature("region", unit=_SIGNAL)
def mean(x: jax.Array, settings: Settings) -> jax.Array:
    """Mean over time."""
    return jnp.mean(x, axis=0)


@_feature("region", unit=_SIGNAL)
def std(x: jax.Array, settings: Settings) -> jax.Array:
    """Standard deviation over time."""
    z, scale = deviations(x)
    return scale * root(jnp.mean(z**2, axis=0))


@_feature("region")
def skewness(x: jax.Array, settings: Settings) -> jax.Array:
    """Third standardised moment; 0 of a constant series, as all that follow from its shape."""
    return jnp.mean(_standard(x) ** 3, axis=0)


@_feature("region")
def kurtosis(x: jax.Array, settings: Settings) -> jax.Array:
    """Fourth standardised moment: 3 of a normal distribution."""
    return jnp.mean(_standard(x) ** 4, axis=0)


@_feature("region", unit=_SIGNAL)
def minimum(x: jax.Array, settings: Settings) -> jax.Array:
    """Least value."""
    return jnp.min(x, axis=0)


@_feature("region", unit=_SIGNAL)
def maximum(x: jax.Array, settings: Settings) -> jax.Array:
    """Largest value."""
    return jnp.max(x, axis=0)


@_feature("quantile", "region", unit=_SIGNAL)
def quantiles(x: jax.Array, settings: Settings) -> jax.Array:
    """Values below which 5, 25, 50, 75 and 95 % of the samples lie."""
    return jnp.quantile(x, np.asarray(_QUANTILES, x.dtype), axis=0)


@_feature("region")
def entropy(x: jax.Array, settings: Settings) -> jax.Array:
    """Shannon entropy of the standardised values in 16 bins from -3 to 3, over its largest value: in [0, 1]."""
    # What lies beyond three standard deviations counts in the outer bins.
    bins = jnp.clip(jnp.floor((_standard(x) + 3) / 6 * 16), 0, 15)
    shares = jnp.mean(bins[..., None] == np.arange(16.0, dtype=x.dtype), axis=0)
    return _entropy(shares) / np.log(16)


@_feature("time", "region", unit=_SIGNAL)
def series(x: jax.Array, settings: Settings) -> jax.Array:
    """All samples: for responses that are short."""
    return x


# --- how it goes on -------------------------------------------------------------------------------------------------
@_feature("lag", "region")
def autocorrelation(x: jax.Array, settings: Settings) -> jax.Array:
    """Autocorrelation 1, 2, 4, ... samples later, up to a quarter of the recording."""
    # The end is exclusive: the small number lets a quarter itself in, where that is a power of two.
    lags = 2 ** np.arange(np.log2(np.maximum(len(x) // 4, 1)) + 1e-9).astype(int)
    return _autocorrelation(x)[lags]


@_feature("region", unit="s")
def decay_time(x: jax.Array, settings: Settings) -> jax.Array:
    """Time until the autocorrelation has fallen to 1/e."""
    along = _autocorrelation(x)
    below = along < np.exp(-1)
    first = jnp.argmax(below, axis=0)
    here, before = (jnp.take_along_axis(along, jnp.maximum(i, 0)[None], 0)[0] for i in (first, first - 1))
    fall = jnp.where(before > here, before - here, 1.0)
    # Between two samples along a line, so that it changes smoothly with the parameters.
    time = jnp.where(first > 0, first - 1 + (before - np.exp(-1)) / fall, 0.0)
    return jnp.where(below.any(axis=0), time, len(x)) * (settings.period or 1.0)


@_feature("region")
def crossings(x: jax.Array, settings: Settings) -> jax.Array:
    """Share of the steps at which the series crosses its mean."""
    above = deviations(x)[0] > 0
    return jnp.mean(above[1:] != above[:-1], axis=0).astype(x.dtype)


@_feature("region")
def permutation_entropy(x: jax.Array, settings: Settings) -> jax.Array:
    """Entropy of the orders of three samples in turn, in [0, 1] (Bandt and Pompe 2002, Phys. Rev. Lett. 88:174102)."""
    a, b, c = x[:-2], x[1:-1], x[2:]
    # Three comparisons give eight numbers, of which two contradict themselves and never occur: six orders.
    pattern = 4 * (a > b) + 2 * (b > c) + (a > c)
    shares = jnp.mean((pattern[..., None] == np.arange(8)).astype(x.dtype), axis=0)
    return _entropy(shares) / np.log(6)


@_feature("region")
def burstiness(x: jax.Array, settings: Settings) -> jax.Array:
    """(σ - μ)/(σ + μ) of the times between rises above mean + sd (Goh and Barabási 2008, EPL 81:48002); -1: regular."""
    above = _standard(x) > 1
    rises = above[1:] & ~above[:-1]
    at = jnp.where(rises, np.arange(1, len(x))[:, None], 0)
    # The rise before each sample, by a running maximum of times: the number of rises is no shape that XLA knows.
    last = jnp.concatenate([jnp.zeros_like(at[:1]), jax.lax.cummax(at, axis=0)[:-1]])
    counted = rises & (last > 0)
    times, n = (at - last).astype(x.dtype), jnp.maximum(counted.sum(axis=0), 1)
    mu = jnp.sum(jnp.where(counted, times, 0.0), axis=0) / n
    sigma = root(jnp.sum(jnp.where(counted, (times - mu) ** 2, 0.0), axis=0) / n)
    return jnp.where(mu > 0, (sigma - mu) / jnp.where(mu > 0, sigma + mu, 1.0), 0.0)


# --- rhythms --------------------------------------------------------------------------------------------------------
@_feature("band", "region", unit=_LOG_DENSITY)
def spectrum(x: jax.Array, settings: Settings) -> jax.Array:
    """Logarithm of the mean spectral density in bands of equal ratio, from the lowest frequency to the highest."""
    frequencies, power = _spectrum(x, settings)
    # Twelve at most: of a short spectrum the lowest ones fall together, as they hold one frequency each.
    ends = np.unique(np.round(np.geomspace(1, len(frequencies) + 1, 13)).astype(int)) - 1
    return jnp.stack([_log(power[a:b].mean(axis=0)) for a, b in zip(ends[:-1], ends[1:], strict=True)])


@_feature("band name", "region", unit=_LOG_DENSITY)
def band_power(x: jax.Array, settings: Settings) -> jax.Array:
    """Logarithm of the mean density of delta (1 to 4 Hz), theta (8), alpha (13), beta (30) and gamma (80 Hz)."""
    frequencies, power = _spectrum(x, settings)
    _check_bands(frequencies)
    inside = [(frequencies >= low) & (frequencies < high) for low, high in _BANDS.values()]
    return jnp.stack([_log(power[chosen].mean(axis=0)) for chosen in inside])


@_feature("region", unit="Hz")
def peak_frequency(x: jax.Array, settings: Settings) -> jax.Array:
    """Frequency at which the spectral density is highest."""
    frequencies, power = _spectrum(x, settings)
    # Off the ends, so that there is a neighbour on either side.
    at = jnp.clip(jnp.argmax(power, axis=0), 1, len(frequencies) - 2)
    left, top, right = (_log(jnp.take_along_axis(power, (at + i)[None], 0)[0]) for i in (-1, 0, 1))
    bend = left - 2 * top + right
    offset = jnp.where(bend < 0, 0.5 * (left - right) / jnp.where(bend < 0, bend, 1.0), 0.0)  # of a parabola
    return frequencies[0] + (at + jnp.clip(offset, -1, 1)) * (frequencies[1] - frequencies[0])


@_feature("region", unit=_LOG_DENSITY)
def peak_power(x: jax.Array, settings: Settings) -> jax.Array:
    """Logarithm of the highest spectral density."""
    return _log(_spectrum(x, settings)[1].max(axis=0))


@_feature("region", unit="Hz")
def spectral_centroid(x: jax.Array, settings: Settings) -> jax.Array:
    """Mean frequency, weighted by the spectral density."""
    frequencies, power = _spectrum(x, settings)
    total = power.sum(axis=0)
    return jnp.sum(frequencies[:, None] * power, axis=0) / jnp.where(total == 0, 1.0, total)


@_feature("region")
def spectral_entropy(x: jax.Array, settings: Settings) -> jax.Array:
    """Entropy of the spectral density as a distribution, in [0, 1]: 1 of white noise."""
    power = _spectrum(x, settings)[1]
    total = power.sum(axis=0)
    shares = power / jnp.where(total == 0, 1.0, total)
    return _entropy(shares.T) / np.log(len(power))


@_feature("region", unit=_SIGNAL)
def envelope_mean(x: jax.Array, settings: Settings) -> jax.Array:
    """Mean amplitude of the analytic signal."""
    return jnp.mean(_envelope(x), axis=0)


@_feature("region", unit=_SIGNAL)
def envelope_std(x: jax.Array, settings: Settings) -> jax.Array:
    """Standard deviation of the amplitude of the analytic signal."""
    return std(_envelope(x), settings)


# --- between regions ------------------------------------------------------------------------------------------------
@_feature("pair")
def fc(x: jax.Array, settings: Settings) -> jax.Array:
    """Functional connectivity: Pearson correlation of each pair of regions."""
    return above_diagonal(correlation_matrix(x))


@_feature()
def fc_mean(x: jax.Array, settings: Settings) -> jax.Array:
    """Mean functional connectivity."""
    return jnp.mean(fc(x, settings))


@_feature()
def fc_std(x: jax.Array, settings: Settings) -> jax.Array:
    """Standard deviation of the functional connectivity over pairs."""
    return _spread(fc(x, settings))


@_feature("region")
def fc_strength(x: jax.Array, settings: Settings) -> jax.Array:
    """Mean functional connectivity of a region with all others."""
    matrix = correlation_matrix(x)
    # Less the diagonal.
    return (matrix.sum(axis=0) - 1) / np.maximum(len(matrix) - 1, 1)


@_feature("number")
def fc_eigenvalues(x: jax.Array, settings: Settings) -> jax.Array:
    """Eigenvalues of the functional connectivity, the largest first."""
    return jnp.linalg.eigvalsh(correlation_matrix(x))[::-1]


@_feature("pair or region", unit="signal²")
def covariance(x: jax.Array, settings: Settings) -> jax.Array:
    """Covariance of each pair of regions, and the variances."""
    z, scale = deviations(x)
    product = jnp.matmul(z.T, z, precision=jax.lax.Precision.HIGHEST) / len(x)
    return above_diagonal(product * scale.reshape(-1, 1) * scale.reshape(1, -1), 0)


@_feature("pair")
def plv(x: jax.Array, settings: Settings) -> jax.Array:
    """Phase-locking value of each pair of regions (Lachaux et al. 1999, Hum. Brain Mapp. 8:194)."""
    return above_diagonal(phase_locking(x))


@_feature()
def synchrony(x: jax.Array, settings: Settings) -> jax.Array:
    """Mean over time of the Kuramoto order parameter."""
    return jnp.mean(_order(x))


@_feature()
def metastability(x: jax.Array, settings: Settings) -> jax.Array:
    """Standard deviation over time of the Kuramoto order parameter (Shanahan 2010, Chaos 20:013108)."""
    return _spread(_order(x))


@_feature("number")
def fcd(x: jax.Array, settings: Settings) -> jax.Array:
    """Density of functional connectivity dynamics (Hansen et al. 2015, NeuroImage 105:525) at 20 values in ±0.95."""
    return density(above_diagonal(_dynamics(x, settings)), _POINTS, None, True)


@_feature()
def fcd_mean(x: jax.Array, settings: Settings) -> jax.Array:
    """Mean of the functional connectivity dynamics over pairs of windows."""
    return jnp.mean(above_diagonal(_dynamics(x, settings)))


@_feature()
def fcd_std(x: jax.Array, settings: Settings) -> jax.Array:
    """Standard deviation of the functional connectivity dynamics over pairs of windows."""
    return _spread(above_diagonal(_dynamics(x, settings)))


@_feature("number")
def fcd_eigenvalues(x: jax.Array, settings: Settings) -> jax.Array:
    """The ten largest eigenvalues of the functional connectivity dynamics, over the number of windows."""
    matrix = _dynamics(x, settings)
    # Their sum is the number of windows: as shares they do not grow with the length of a recording.
    return jnp.linalg.eigvalsh(matrix)[::-1][:_MOST] / len(matrix)


# --- what they are made from ----------------------------------------------------------------------------------------
def _standard(x: jax.Array) -> jax.Array:
    """With mean 0 and standard deviation 1; a constant series is 0."""
    z = deviations(x)[0]
    width = root(jnp.mean(z**2, axis=0))
    return z / jnp.where(width == 0, 1.0, width)


def _spread(x: jax.Array) -> jax.Array:
    # Not `jnp.std`, whose slope is NaN where all are the same, as the one connection of two regions is.
    return root_mean_square(x - jnp.mean(x))


def _entropy(shares: jax.Array) -> jax.Array:
    """Along the last axis."""
    return -jnp.sum(shares * jnp.log(jnp.where(shares > 0, shares, 1.0)), axis=-1)


def _autocorrelation(x: jax.Array) -> jax.Array:
    """At all lags, over that at lag 0; of a constant series 0."""
    z = _standard(x)
    # Padded, so that the end is not multiplied with the beginning.
    power = jnp.abs(jnp.fft.rfft(z, 2 * len(x), axis=0)) ** 2
    return jnp.fft.irfft(power, 2 * len(x), axis=0)[: len(x)] / len(x)


def _spectrum(x: jax.Array, settings: Settings) -> tuple[np.ndarray, jax.Array]:
    """Frequencies above 0, and the density there."""
    # A quarter, so that seven windows, half overlapping, are averaged; of a short recording fewer.
    size = int(np.minimum(len(x), np.maximum(64, len(x) // 4)))
    period = settings.period or 1.0
    return np.fft.rfftfreq(size, period)[1:].astype(x.dtype), welch(x, period, size)[1:]


def _log(density: jax.Array) -> jax.Array:
    # Of silence the logarithm is finite, and can be learnt from.
    return jnp.log(jnp.maximum(density, jnp.finfo(density.dtype).tiny))


def _envelope(x: jax.Array) -> jax.Array:
    z, scale = deviations(x)
    z = analytic(z)
    return scale * root(z.real**2 + z.imag**2)


def _order(x: jax.Array) -> jax.Array:
    z = analytic(deviations(x)[0])
    return mean_resultant_length(jnp.arctan2(z.imag, z.real))


def _dynamics(x: jax.Array, settings: Settings) -> jax.Array:
    return fcd_of(x, "x", settings.window_size, settings.step_size, "fcd_matrix")


def _check_bands(found: np.ndarray) -> None:
    """That each band holds one of the frequencies."""
    for name, (low, high) in _BANDS.items():
        if not ((found >= low) & (found < high)).any():
            raise argument_error(
                Argument("features", entry="band_power"),
                f"with band_power need frequencies from {low} to {high} Hz ({name})",
                f"the recording has them {found[0]:.3g} Hz apart up to {found[-1]:.3g} Hz",
                "features=['spectrum'], whose bands are those that there are.",
            )
