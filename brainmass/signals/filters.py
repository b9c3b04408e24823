"""Band-pass filters without phase shift, as data are filtered."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from brainmass.signals.correlation import deviations

__all__ = ["bandpass", "least_samples"]


@functools.partial(jax.jit, static_argnums=(1, 2, 3, 4))
def bandpass(x: jax.Array, low: float, high: float, period: float, order: int) -> jax.Array:
    """Series (time, regions) forwards and backwards through a Butterworth filter, as `scipy.signal.sosfiltfilt`.

    A filter is linear: its steps through time are one convolution with its impulse response, by FFT, and what the state
    that it starts from adds. So there is no loop, and the gradient is as cheap as the filter. Edges in Hz, period in
    seconds.
    """
    edge = least_samples(order) - 1
    values, scale = deviations(x)  # a constant does not pass: taken out before, it costs no digits
    # Point-symmetrically about the first and the last sample, the `padtype="odd"` of scipy.
    before = 2 * values[:1] - values[edge:0:-1]
    after = 2 * values[-1:] - values[-2 : -edge - 2 : -1]
    values = jnp.concatenate([before, values, after])
    spectrum, settling = _responses(len(values), low, high, period, order)
    gain, start = jnp.asarray(spectrum, jnp.result_type(x.dtype, jnp.complex64)), jnp.asarray(settling, x.dtype)

    def through(y: jax.Array) -> jax.Array:
        count = len(y)
        # Filled up with zeros to twice the length, so that the end does not come round to the beginning.
        passed = jnp.fft.irfft(jnp.fft.rfft(y, 2 * count, axis=0) * gain, 2 * count, axis=0)[:count]
        return passed + start * y[:1]

    # Back through it as well: the second shift of the phase undoes the first.
    return through(through(values)[::-1])[::-1][edge:-edge] * scale


def least_samples(order: int) -> int:
    """The shortest series that scipy takes: its ends are continued by three times the length of the filter."""
    return 3 * (2 * order + 1) + 1


@functools.lru_cache(maxsize=16)
def _responses(count: int, low: float, high: float, period: float, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Spectrum of the impulse response, and what is added for a first sample of 1, as if it had always been there."""
    import scipy.signal  # of which JAX is made, too; its import takes long

    sections = scipy.signal.butter(order, [low, high], "bandpass", fs=1 / period, output="sos")
    impulse = np.zeros(count)
    impulse[0] = 1.0
    settling, _ = scipy.signal.sosfilt(sections, np.zeros(count), zi=scipy.signal.sosfilt_zi(sections))
    return np.fft.rfft(scipy.signal.sosfilt(sections, impulse), 2 * count)[:, None], settling[:, None]
