"""The BOLD signal as a convolution of activity with a haemodynamic response function, on trajectories and in a run."""

from __future__ import annotations

import math
from functools import partial
from typing import ClassVar

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate import HiddenState
from brainstate.nn import Param
from braintools.init import Constant
from jax import lax

from brainmass._common.checks import one_of
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.precision import default_dtype
from brainmass._common.times import milliseconds, steps_of
from brainmass._common.typing import ArrayLike, Numbers, Shape, Time
from brainmass.dynamics.checks import check_input_shape
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Par, param, positive, real, state
from brainmass.dynamics.module import ShowsConstructor, fixed
from brainmass.forward.hrf_kernels import FirstOrderVolterraHRFKernel, HRFKernel
from brainmass.forward.observer import ScaledDrive
from brainmass.forward.temporal_average import check_sized, check_step, window_means

__all__ = ["HRFBold"]

_MODES, _METHODS, _SCALINGS = ("valid", "same", "full"), ("fft", "direct"), ("integral", "tvb")


class HRFBold(ShowsConstructor, ScaledDrive):
    r"""BOLD signal as a convolution of activity with a haemodynamic response function.

    .. math:: y = k_1 V_0\,(c - b), \qquad c_m = \delta \sum_i h(i\,\Delta)\, s_{m-i}

    :math:`s` are the means of the activity over `downsample_period` :math:`\Delta`, and :math:`\delta = \Delta` in
    seconds, so that the sum is an integral over time; with `scaling='tvb'` it is :math:`\Delta` in units of 4 ms, which
    gives the numbers of The Virtual Brain. :math:`b` is the `baseline`. A sample is taken every `period`.

    Called as `bold(signal, dt)` on activity of shape (time, ..., regions) it gives (samples, ..., regions). As a
    monitor of a run, sampled at multiples of its `period`, it needs `in_size` and gives the same, with memory for one
    row per `period` of the response.

    `scale` makes a plain number of order 1 from activity with a unit, such as a rate in Hz. `k_1` and `V_0` are plain
    numbers, together the gain. `kernel` is an `HRFKernel`, default `FirstOrderVolterraHRFKernel()`; its parameters may
    differ between regions, as in `GammaHRFKernel(tau=[1.0, 1.2])`. `history` is the activity before the start, rows of
    one `downsample_period` of shape (rows, ..., regions), of which the last count; default zero; 'steady' holds the
    first row of the signal.
    `method` is 'fft' or 'direct', `convolution_mode` as of `numpy.convolve`.

    Examples
    --------
    Ten seconds at the time step 1 ms, in which activity begins after two.

    >>> import brainunit as u
    >>> import jax.numpy as jnp
    >>> activity = jnp.zeros((10_000, 3)).at[2_000:].set(1.0)
    >>> from brainmass import GammaHRFKernel
    >>> HRFBold(kernel=GammaHRFKernel(), baseline=0.0)(activity, 1 * u.ms).shape
    (10, 3)
    """

    k_1: Par = param(default=5.6, doc="slope of the signal", domain=real)
    V_0: Par = param(default=0.02, doc="resting blood volume fraction", domain=positive)
    baseline: Par = param(default=1.0, doc="value of the convolution at which the signal is zero", kw_only=True)

    seen: HiddenState = state("convolution at the last sample", start=Constant(0.0))
    pending: HiddenState = state("convolutions at the samples to come, so far", start=Constant(0.0))
    passed: HiddenState = state("updates since the last sample", start=Constant(0.0))

    _prepared: ClassVar[jax.Array | None] = None
    _elsewhere = fixed("in_size", "out_size", "name", "sized")

    def __init__(
        self,
        k_1: ArrayLike | Param = 5.6,
        V_0: ArrayLike | Param = 0.02,
        period: Time = 1000.0 * u.ms,
        downsample_period: Time = 4.0 * u.ms,
        kernel: HRFKernel | None = None,
        convolution_mode: str = "valid",
        method: str = "fft",
        history: ArrayLike | str | None = None,
        *,
        baseline: ArrayLike | Param = 1.0,
        scaling: str = "integral",
        scale: ArrayLike | None = None,
        in_size: Shape | None = None,
        name: str | None = None,
    ):
        self.sized = in_size is not None
        Declared.__init__(
            self,
            k_1=k_1,
            V_0=V_0,
            period=period,
            downsample_period=downsample_period,
            kernel=FirstOrderVolterraHRFKernel() if kernel is None else kernel,
            convolution_mode=convolution_mode,
            method=method,
            history=history,
            baseline=baseline,
            scaling=scaling,
            scale=scale,
            in_size=in_size if self.sized else 1,
            name=name,
        )

    def check(self) -> None:
        options = {"convolution_mode": _MODES, "method": _METHODS, "scaling": _SCALINGS}
        for argument, known in options.items():
            one_of(Argument(argument, "HRFBold"), getattr(self, argument), known)
        if not isinstance(self.kernel, HRFKernel):
            raise argument_error(
                Argument("kernel", "HRFBold"),
                "must be an HRFKernel",
                f"is {show(self.kernel)}",
                "kernel=brainmass.GammaHRFKernel().",
                kind=TypeError,
            )
        if isinstance(self.history, str) and self.history != "steady":
            raise argument_error(
                Argument("history", "HRFBold"), "must be an array, None or 'steady'", f"is {self.history!r}"
            )
        _ = self.stride

    @property
    def period(self) -> Time:
        """Time between samples."""
        return self._period * u.ms

    @period.setter
    def period(self, period: Time) -> None:
        self._period = milliseconds("period", period, "HRFBold", positive=True)

    @property
    def downsample_period(self) -> Time:
        """Length of the windows whose means are convolved."""
        return self._downsample_period * u.ms

    @downsample_period.setter
    def downsample_period(self, period: Time) -> None:
        self._downsample_period = milliseconds("downsample_period", period, "HRFBold", positive=True)

    @property
    def stride(self) -> int:
        """The number of updates between samples."""
        return steps_of("period", self.period, self.downsample_period, "HRFBold", "`downsample_period`")

    @property
    def length(self) -> int:
        """The number of updates for which the response lasts."""
        # A quotient that is whole but for rounding is no window more.
        return math.ceil(self.kernel._duration / self._downsample_period - 1e-6)

    # A run updates it exactly so often.
    every_argument = "downsample_period"

    @property
    def every(self) -> Time:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The period of what it takes in, `downsample_period`."""
        return self.downsample_period

    @property
    def interval(self) -> Time:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.downsample_period

    def weights(self) -> Numbers:
        """The response at the times 0, 1, 2, ... `downsample_period`, as it enters the sum.

        Of shape (length,), or (length, regions) where these differ.
        """
        seconds = self._downsample_period / 1000
        unit = seconds if self.scaling == "integral" else seconds / 0.004
        return unit * self.kernel(np.arange(self.length) * self.downsample_period)

    # --- on a trajectory --------------------------------------------------------------------------------------------
    def __call__(self, signal: Numbers, dt: Time) -> Numbers:
        """The signal (samples, ..., regions) of activity (time, ..., regions) with the time step `dt`."""
        means = window_means(self._owner, "downsample_period", signal, self.downsample_period, dt)
        means = self.as_drive(means)
        self._check_regions(means.shape[1:], "the signal")
        # As many rows as the response is long stand before the signal: every sample is a whole sum.
        past = self._past(means.shape[1:], means[:1])
        lead, tail = _PADDING[self.convolution_mode](self.length)
        pad = [(lead, tail), *[(0, 0)] * (means.ndim - 1)]
        rows = jnp.pad(jnp.concatenate([past, means]), pad)
        if len(rows) < self.length + self.stride:
            raise ValueError(
                f"The signal given to HRFBold must be at least one `period` long, {show(self.period)}, but has "
                f"{len(means)} rows of {show(self.downsample_period)}."
            )
        return self._scaled(_CONVOLVE[self.method](rows, self.weights(), self.stride))

    def _past(self, shape: tuple[int, ...], first: Numbers = None) -> Numbers:
        """The rows before the start, as many as the response is long."""
        if isinstance(self.history, str):
            if first is None:
                raise argument_error(
                    Argument("history", "HRFBold"),
                    "must be an array or None in a run, where the first row is not known before",
                    "is 'steady'",
                )
            return jnp.broadcast_to(first, (self.length, *shape))
        if self.history is None:
            return jnp.zeros((self.length, *shape), default_dtype())
        given = jnp.asarray(self.as_drive(self.history), default_dtype())
        # From the last axis backwards, as shapes broadcast, without the first, which is time.
        pairs = zip(given.shape[:0:-1], reversed(shape), strict=False)
        if not 0 < given.ndim <= len(shape) + 1 or not all(got in (1, n) for got, n in pairs):
            raise argument_error(
                Argument("history", "HRFBold"),
                f"must have shape (rows, {', '.join(map(str, shape))})",
                f"has shape {given.shape}",
            )
        given = jnp.broadcast_to(given[-self.length :], (min(len(given), self.length), *shape))
        return jnp.concatenate([jnp.zeros((self.length - len(given), *shape), default_dtype()), given])

    def _check_regions(self, shape: tuple[int, ...], whose: str) -> None:
        n, shape = self.kernel.n_regions, shape or (1,)
        if n is not None and shape[-1] != n:
            raise argument_error(
                Argument("kernel", "HRFBold"),
                f"must have one response, or one for each of the {shape[-1]} regions of {whose}",
                f"has {n}",
            )

    def _scaled(self, convolved: Numbers) -> Numbers:
        p = self.p
        return p.k_1 * p.V_0 * (convolved - p.baseline)

    # --- in a run ---------------------------------------------------------------------------------------------------
    def init_state(
        self,
        batch_size: int | tuple[int, ...] | None = None,
        *,
        rng: brainstate.random.RandomState | None = None,
        **kwargs: object,
    ) -> None:
        check_sized(self, self.sized)
        self._check_regions(self.varshape, "`in_size`")
        super().init_state(batch_size, rng=rng, **kwargs)

    def prepare(self) -> jax.Array:
        """What a row adds to the samples to come: weights (samples, updates until the next sample, regions if any)."""
        n, weights = math.ceil(self.length / self.stride), self.weights()
        return _padded(weights, n * self.stride).reshape(n, self.stride, *weights.shape[1:])

    def _initial(self, rng: brainstate.random.RandomState | None) -> dict[str, Numbers]:
        batch = self._batch or ()
        past = self._past((*batch, *self.varshape))[::-1]  # the latest row first
        table = self.prepare()
        seen = _summed(self.weights(), past)
        # Row a has its weight a + stride (j + 1) in the sample j to come.
        flat = table.reshape(-1, *table.shape[2:])
        spread = _padded(flat, len(flat) + len(past) + self.stride)
        start = self.stride * np.arange(1, len(table) + 1)[:, None] + np.arange(len(past))
        pending = _summed(spread[np.minimum(start, len(spread) - 1)], past, 1)
        place = len(batch)  # the batch comes first, as in all states
        return {
            "seen": seen,
            "pending": jnp.moveaxis(pending, 0, place),
            "passed": jnp.zeros(batch, jnp.int32),
        }

    def update(self, z: Numbers) -> Numbers:
        """Take in the mean activity over one `downsample_period`, shape (batch..., regions); returns the signal."""
        z = self.as_drive(z)
        shape = u.math.shape(self.seen.value)
        check_input_shape(self._owner, "z", z, shape)
        check_step(self, "downsample_period", self.downsample_period)
        table = self.prepare() if self._prepared is None else self._prepared
        axis = len(shape) - len(self.varshape)
        seen, pending, passed = self.state_values().values()
        passed = passed + 1
        n = jnp.reshape(passed, -1)[0]  # the same in the whole batch
        # Between this row and the next sample lie stride - n more updates: so old is it then, and a period more for
        # each sample after it.
        column = lax.dynamic_index_in_dim(table, self.stride - n, 1, keepdims=False)
        column = _over_rows(column, len(self.varshape))
        pending = pending + column * jnp.expand_dims(jnp.broadcast_to(z, shape), axis)
        # What was first is complete at a sample. The others come one place nearer, and a new one begins with nothing.
        first = lax.index_in_dim(pending, 0, axis, keepdims=False)
        shifted = jnp.concatenate(
            [lax.slice_in_dim(pending, 1, None, axis=axis), jnp.zeros_like(jnp.expand_dims(first, axis))], axis
        )
        complete = n == self.stride
        self.seen.value = jnp.where(complete, first, seen)
        self.pending.value = jnp.where(complete, shifted, pending)
        self.passed.value = jnp.where(complete, 0, passed)
        return self.signal()

    def signal(self) -> Numbers:
        """The signal at the last sample, shape (batch..., regions)."""
        return self._scaled(self.seen.value)


# --- weights of shape (..., rows), or (..., rows, regions) where regions differ ---------------------------------------
def _padded(weights: Numbers, length: int) -> jax.Array:
    return jnp.pad(weights, [(0, length - len(weights)), *[(0, 0)] * (weights.ndim - 1)])


def _over_rows(weights: Numbers, ndim: int) -> Numbers:
    """Weights of one axis, and perhaps of regions, to multiply rows with `ndim` axes after the first."""
    return weights.reshape(len(weights), *[1] * (ndim + 1 - weights.ndim), *weights.shape[1:])


def _summed(weights: Numbers, rows: Numbers, more: int = 0) -> jax.Array:
    """The weighted sum over rows, of weights with `more` axes before those of the rows."""
    if weights.ndim == 1 + more:
        return jnp.tensordot(weights, rows, 1, precision=lax.Precision.HIGHEST)
    return jax.vmap(partial(_summed, more=more), (-1, -1), -1)(weights, rows)


# Rows of zeros before and after, for a response of this length.
_PADDING = {
    "valid": lambda k: (0, 0),
    "same": lambda k: (k - 1 - (k - 1) // 2, (k - 1) // 2),
    "full": lambda k: (k - 1, k - 1),
}


def _by_fft(rows: Numbers, weights: Numbers, stride: int) -> jax.Array:
    """The valid part of a convolution along the first axis, without its first row: every `stride`-th."""
    n = len(rows)  # what a circular convolution wraps around lies before the valid part
    spectrum = _over_rows(jnp.fft.rfft(weights, n, axis=0), rows.ndim - 1)
    return jnp.fft.irfft(jnp.fft.rfft(rows, axis=0) * spectrum, n, axis=0)[len(weights) - 1 + stride :: stride]


def _directly(rows: Numbers, weights: Numbers, stride: int) -> jax.Array:
    """The same as sums, of those rows alone."""
    # The first sample is a period after the start. Layout (batch, region, time), one group for each region, so that
    # regions do not mix; the kernel turned round, as what JAX calls a convolution is a correlation.
    series, n = jnp.moveaxis(rows[stride:], 0, -1), weights[0].size
    flat = series.reshape(-1, n, series.shape[-1])
    kernels = weights[::-1].reshape(-1, 1, n).T.astype(flat.dtype)
    out = lax.conv_general_dilated(
        flat, kernels, (stride,), "VALID", feature_group_count=n, precision=lax.Precision.HIGHEST
    )
    return jnp.moveaxis(out.reshape(*series.shape[:-1], -1), -1, 0)


_CONVOLVE = {"fft": _by_fft, "direct": _directly}
