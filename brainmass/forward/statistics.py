"""Statistics of a run, worked out while it goes on, in memory that does not grow with its length."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import Any, ClassVar

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from braintools.init import Constant

from brainmass._common.checks import as_array, is_traced, numbers, whole
from brainmass._common.clock import Double
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.precision import default_dtype
from brainmass._common.typing import Array, Numbers, Time
from brainmass.dynamics.checks import check_input_shape
from brainmass.dynamics.fields import option, state
from brainmass.forward.observer import Observer, in_words, written
from brainmass.signals.correlation import above_diagonal, correlation_of_products
from brainmass.signals.phases import mean_resultant_length
from brainmass.signals.spectra import periodogram

__all__ = [
    "Covariance",
    "FunctionalConnectivity",
    "FunctionalConnectivityDynamics",
    "Mean",
    "Metastability",
    "OrderParameter",
    "Statistic",
    "WelchSpectrum",
]


def _checked_time(what: str, time: object) -> Numbers:
    time = as_array(time)
    if not u.get_unit(time).has_same_dim(u.ms):
        raise argument_error(what, "must be a time", f"is {show(time)}", "every=1 * u.ms.", kind=u.UnitMismatchError)
    return numbers(what, time)


class Statistic(Observer):
    """Base of the statistics of a run. In a run they see what comes after the transient, and are recorded at the end.

    `every` is the time between the values that enter, each the mean of the activity since the last (phases are not
    averaged); by default, of a monitor whose `source` is another monitor, that one's sampling period, else a
    millisecond at most. By hand each call of `update(z)` enters a value.

    Examples
    --------
    The functional connectivity of a BOLD signal that is not itself stored:

    >>> import brainmass, brainunit as u
    >>> bold = brainmass.Monitor(brainmass.BOLDSignal(3), every=200 * u.ms)
    >>> fc = brainmass.Monitor(brainmass.FunctionalConnectivity(3), source="bold")
    >>> node = brainmass.HopfStep(3, noise_x=brainmass.WhiteNoise(3, sigma=0.1))
    >>> result = brainmass.Simulator(node, dt=1 * u.ms).run(4000 * u.ms, monitors={"bold": bold, "fc": fc}, seed=0)
    >>> result["fc"].shape
    (1, 3, 3)
    """

    sums_up = True

    every: Any = option(default=None, check=_checked_time)
    unit: u.Unit = option(default=u.UNITLESS)

    count: Any = state("number of values so far", start=Constant(0.0))

    # Counts are integers, and sums keep what rounding takes from them, as `<name>_rest`: in single precision a count
    # stops at 2^24, and a sum of that many values no longer sees the next.
    _sums: ClassVar[tuple[str, ...]] = ()

    def _initial(self, rng: brainstate.random.RandomState | None) -> dict[str, Array]:
        batch, shapes = self._batch or (), self._shapes()
        shapes |= {f"{name}_rest": shapes[name] for name in self._sums}
        zeros = {name: jnp.zeros((*batch, *shape), default_dtype()) for name, shape in shapes.items()}
        return {"count": jnp.zeros((*batch, 1), jnp.int32), **zeros}

    def _add(self, name: str, x: jax.Array) -> None:
        """Add to a sum."""
        total = self._sum(name) + x
        getattr(self, name).value, getattr(self, f"{name}_rest").value = total.value, total.rest

    def _sum(self, name: str) -> Double:
        return Double(getattr(self, name).value, getattr(self, f"{name}_rest").value)

    def _per_value(self, name: str, less: int = 0) -> jax.Array:
        """A sum over the number of values, or so many less; zero where there are none."""
        count = jnp.maximum(self.count.value - less, 1).astype(default_dtype())
        total = getattr(self, name).value
        return total / count.reshape(*count.shape, *(1,) * (total.ndim - count.ndim))

    @abstractmethod
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the states, without batch."""

    def update(self, z: Numbers) -> Numbers:
        """Take in a value, shape (batch..., regions)."""
        check_input_shape(self._owner, "z", z, (*(self.count.value.shape[:-1]), *self.varshape))
        if not u.get_unit(z).has_same_dim(self.unit):
            raise u.UnitMismatchError(
                f"The activity that {self._owner} sees must be in {in_words(self.unit)}, as its argument `unit` says, "
                f"but is in {in_words(u.get_unit(z))}. "
                f"Example: {self._owner}({self.varshape[0]}, unit={written(u.get_unit(z))})."
            )
        x = z.to_decimal(self.unit) if isinstance(z, u.Quantity) else z
        shape = (*self.count.value.shape[:-1], *self.varshape)
        self._enter(jnp.broadcast_to(jnp.asarray(x, default_dtype()), shape))
        self.count.value = self.count.value + 1

    @abstractmethod
    def _enter(self, x: jax.Array) -> None:
        """Take in a plain value, before it is counted."""

    def signal(self) -> Numbers:
        """The statistic of what has entered so far."""
        count = self.count.value
        # By hand. In a run the plan has made sure that there are enough (`schedule.py`).
        if not is_traced(count) and np.any(np.asarray(count) < self.needed):
            raise ValueError(
                f"{self._owner} has seen {int(np.min(count))} values, and needs {self.needed} before there is anything "
                "to see."
            )
        return self._statistic()

    @abstractmethod
    def _statistic(self) -> Numbers: ...


class Mean(Statistic):
    """The mean over time, shape (batch..., regions), in `unit`."""

    total: Any = state("sum of the values so far", start=Constant(0.0))
    total_rest: Any = state("what rounding took from it", start=Constant(0.0))

    _sums = ("total",)

    @property
    def needed(self) -> int:
        return 1

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {"total": self.varshape}

    def _enter(self, x: jax.Array) -> None:
        self._add("total", x)

    def _statistic(self) -> Numbers:
        return u.maybe_decimal(self._per_value("total") * self.unit)


class Covariance(Mean):
    """The covariance over time, with divisor T - 1: shape (batch..., regions, regions), in the square of `unit`.

    By the update of Welford 1962, Technometrics 4:419.
    """

    product: Any = state("sum of the products of deviations", start=Constant(0.0))
    product_rest: Any = state("what rounding took from it", start=Constant(0.0))

    _sums = ("total", "product")

    @property
    def needed(self) -> int:
        return 2

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {"total": self.varshape, "product": 2 * self.varshape}

    def _enter(self, x: jax.Array) -> None:
        # The product of the deviations before and after x is counted in adds up to the covariance, and nothing cancels:
        # the mean square less the square of the mean would lose its digits beside a large mean.
        before = x - self._per_value("total")
        super()._enter(x)
        # x is in the sum, but is counted only afterwards.
        after = x - self._per_value("total", less=-1)
        self._add("product", before[..., :, None] * after[..., None, :])

    def _statistic(self) -> Numbers:
        return u.maybe_decimal(self._per_value("product", less=1) * self.unit**2)


class FunctionalConnectivity(Covariance):
    """The Pearson correlation over time, shape (batch..., regions, regions); 0 where a region is constant."""

    def _statistic(self) -> jax.Array:
        return correlation_of_products(self.product.value)


class OrderParameter(Statistic):
    r"""The mean over time of the Kuramoto order parameter, :math:`R = |\frac1N \sum_j e^{i\theta_j}|`, from 0 to 1.

    The activity that enters is the phases, in rad: in a run those of every step, or with `every` those at the end of
    each such interval.
    """

    averages = False
    takes_phases = True
    # At each step: what may not be averaged may not be left out either.
    interval = 0.0 * u.ms

    total: Any = state("sum of R so far", start=Constant(0.0))
    total_rest: Any = state("what rounding took from it", start=Constant(0.0))
    square: Any = state("sum of the squared deviations of R", start=Constant(0.0))
    square_rest: Any = state("what rounding took from it", start=Constant(0.0))

    _sums = ("total", "square")

    @property
    def needed(self) -> int:
        return 1

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {"total": (1,), "square": (1,)}

    def _enter(self, x: Numbers) -> None:
        r = mean_resultant_length(x)[..., None]
        before = r - self._per_value("total")
        self._add("total", r)
        self._add("square", before * (r - self._per_value("total", less=-1)))

    def _statistic(self) -> Numbers:
        return self._per_value("total")[..., 0]


class Metastability(OrderParameter):
    """The standard deviation over time of the Kuramoto order parameter, with divisor T.

    Reference: Shanahan 2010, Chaos 20:013108.
    """

    def _statistic(self) -> jax.Array:
        # Where nothing varies rounding can leave less than zero.
        return jnp.sqrt(jnp.maximum(self._per_value("square"), 0.0))[..., 0]


class _Windowed(Statistic):
    """Base of the statistics of overlapping windows: it keeps the last `window` values."""

    recent: Any = state("the last values, (batch..., window, regions)", start=Constant(0.0))

    window: ClassVar[int]
    step: ClassVar[int]
    _kept: ClassVar[tuple[str, ...]] = ()

    @property
    def needed(self) -> int:
        return self.window

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {"recent": (self.window, *self.varshape)}

    def _enter(self, x: Numbers) -> None:
        recent = self.recent.value
        self.recent.value = jnp.concatenate([recent[..., 1:, :], x[..., None, :]], axis=-2)
        # Batches count in step: what one lane does, all do.
        entered = self.count.value.reshape(-1)[0] + 1 - self.window
        due = (entered >= 0) & (entered % self.step == 0)
        kept = {name: getattr(self, name).value for name in self._kept}
        number = entered // self.step
        # A branch, and no choice between results: after most values no window is complete, and nothing is worked out.
        new = jax.lax.cond(due, lambda kept: self._take(kept, number), lambda kept: kept, kept)
        for name, value in new.items():
            getattr(self, name).value = value

    @abstractmethod
    def _take(self, kept: dict[str, object], number: object) -> dict[str, object]:
        """What is kept after the window of this number."""


class WelchSpectrum(_Windowed):
    """The power spectral density by Welch's method, shape (batch..., frequencies, regions); `unit` squared per Hz.

    One-sided, with a Hann window, segments of `window` values that overlap by half, each less its mean: the defaults of
    `scipy.signal.welch`. The `frequencies` follow from `every`.

    Reference: Welch 1967, IEEE Trans. Audio Electroacoust. 15:70.
    """

    window: int = option(default=256, check=partial(whole, least=2))  # pyright: ignore[reportIncompatibleVariableOverride]

    total: Any = state("sum of the periodograms", start=Constant(0.0))
    total_rest: Any = state("what rounding took from it", start=Constant(0.0))

    _sums = ("total",)
    _kept = ("total", "total_rest")

    def check(self) -> None:
        if self.every is None:
            raise TypeError(f"{self._owner} needs the argument `every`, its sampling period. Example: every=1 * u.ms.")

    @property
    def step(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Updates from the start of one window to that of the next: half a window."""
        return self.window - self.window // 2

    @property
    def frequencies(self) -> Time:
        """Those of the spectrum, in Hz."""
        return np.fft.rfftfreq(self.window, self._period) * u.Hz

    @property
    def _period(self) -> float:
        return float(self.every.to_decimal(u.second))

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {**super()._shapes(), "total": (self.window // 2 + 1, *self.varshape)}

    def _take(self, kept: dict[str, object], number: object) -> dict[str, object]:
        total = Double(kept["total"], kept["total_rest"]) + periodogram(self.recent.value, self._period)
        return {"total": total.value, "total_rest": total.rest}

    def _statistic(self) -> Numbers:
        # Segments that are complete: the first after `window` values, then one every `step`.
        segments = ((self.count.value[..., None] - self.window) // self.step + 1).astype(default_dtype())
        return u.maybe_decimal(self.total.value / segments * (self.unit**2 / u.Hz))


class FunctionalConnectivityDynamics(_Windowed):
    """The FCD matrix: correlations between the functional connectivities of windows, shape (batch..., K, K).

    Windows are `window` values long and begin every `step` values; `windows` is their number, K, which a run must
    reach. Of each window the correlations above the diagonal are kept.

    Reference: Hansen, Battaglia, Spiegler, Deco, Jirsa 2015, NeuroImage 105:525.
    """

    window: int = option(default=30, check=partial(whole, least=2))  # pyright: ignore[reportIncompatibleVariableOverride]
    step: int = option(default=5, check=whole)  # pyright: ignore[reportIncompatibleVariableOverride]
    windows: int = option(default=2, check=partial(whole, least=2))

    pairs: Any = state("correlations of each window, (batch..., K, pairs)", start=Constant(0.0))

    _kept = ("pairs",)

    def check(self) -> None:
        if len(self.varshape) != 1 or self.varshape[0] < 3:
            raise argument_error(Argument("in_size", self._owner), "must be 3 regions or more", f"is {self.varshape}")

    @property
    def needed(self) -> int:
        return self.window + (self.windows - 1) * self.step

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        (n,) = self.varshape
        return {**super()._shapes(), "pairs": (self.windows, n * (n - 1) // 2)}

    def _take(self, kept: dict[str, Any], number: Numbers) -> dict[str, object]:
        x = self.recent.value
        x = x - jnp.mean(x, axis=-2, keepdims=True)
        fc = correlation_of_products(_product(jnp.swapaxes(x, -1, -2), x))
        # A run may go on beyond its K windows, for which there is no room.
        return {"pairs": kept["pairs"].at[..., number, :].set(above_diagonal(fc), mode="drop")}

    def _statistic(self) -> jax.Array:
        pairs = self.pairs.value
        pairs = pairs - jnp.mean(pairs, axis=-1, keepdims=True)
        return correlation_of_products(_product(pairs, jnp.swapaxes(pairs, -1, -2)))


def _product(x: jax.Array, y: jax.Array) -> jax.Array:
    # In full precision, as the objectives of the same name: the default of some accelerators keeps three digits.
    return jnp.matmul(x, y, precision=jax.lax.Precision.HIGHEST)
