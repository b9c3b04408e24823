"""`lyapunov_exponents`: how fast neighbouring trajectories part, or meet."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import is_traced, whole
from brainmass._common.display import page, table
from brainmass._common.extras import import_io
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Array, Numbers, Period, RunInputs, Seed, Time
from brainmass.analysis.tangents import Given, Moment, Tangents, simulator_of, whole_steps
from brainmass.simulation.simulator import Simulator

if TYPE_CHECKING:
    import xarray

__all__ = ["LyapunovExponents", "lyapunov_exponents"]

_STEPS = 10  # of a segment
_LEAST = 40  # segments, of which windows are cut that give the standard error


@dataclasses.dataclass(frozen=True, repr=False)
class LyapunovExponents:
    """Lyapunov exponents of a run, per ms, from the largest down.

    Attributes
    ----------
    exponents : array (n,)
        Averages over the run.
    standard_error : array (n,)
        Of the averages, from how growth varies between windows of the run.
    rates : array (m, n)
        Of each of the m segments: how fast deviations grew in it.
    times : quantity (m,)
        When each segment ended.
    """

    exponents: Array
    standard_error: Array
    rates: Array
    times: u.Quantity

    def __len__(self) -> int:
        return self.exponents.shape[0]

    @property
    def running(self) -> Array:
        """Averages up to the end of each segment, shape (m, n): whether they have settled."""
        return np.cumsum(self.rates, axis=0) / np.arange(1, len(self.rates) + 1)[:, None]

    @property
    def dimension(self) -> float:
        """The Kaplan–Yorke dimension of the attractor; of a part of the spectrum that does not reach it infinite.

        Kaplan & Yorke 1979, Lect. Notes Math. 730:204.
        """
        sums = np.cumsum(np.asarray(self.exponents, float))
        if (below := np.flatnonzero(sums < 0)).size == 0:
            return np.inf
        k = int(below[0])
        # The first k exponents sum to zero or more; the fraction is the share of the next that takes the sum to zero.
        return 0.0 if k == 0 else float(k + sums[k - 1] / -np.asarray(self.exponents)[k])

    def to_xarray(self) -> xarray.Dataset:
        """Exponents and standard errors over `exponent`, rates over `time` too; all per ms."""
        xr = import_io("xarray")
        per_ms = {"units": "1/ms"}
        data = {
            "exponent": ("number", np.asarray(self.exponents), per_ms),
            "standard_error": ("number", np.asarray(self.standard_error), per_ms),
            "rate": (("time", "number"), np.asarray(self.rates), per_ms),
        }
        time = ("time", np.asarray(self.times.to_decimal(u.ms)), {"units": "ms"})
        return xr.Dataset(data, coords={"time": time, "number": np.arange(1, len(self) + 1)})

    def _rows(self) -> list[tuple[str, str]]:
        pairs = zip(np.asarray(self.exponents), np.asarray(self.standard_error), strict=True)
        return [(f"{value:.4g}", f"{error:.1g}") for value, error in pairs]

    @property
    def _title(self) -> str:
        return f"{len(self)} per ms, over {len(self.rates)} segments"

    def __repr__(self) -> str:
        if is_traced(self.exponents):
            return f"LyapunovExponents: {self._title}"
        return "\n  ".join([f"LyapunovExponents: {self._title}", *(f"{x} ± {error}" for x, error in self._rows())])

    def _repr_html_(self) -> str:
        return page("LyapunovExponents", self._title, table(("exponent (1/ms)", "standard error"), self._rows()))


def lyapunov_exponents(
    model: brainstate.nn.Module | Simulator,
    duration: Time,
    n: int = 1,
    *,
    inputs: RunInputs = None,
    parameters: Mapping[str, Any] | None = None,
    transient: Time | None = None,
    segment: Period | None = None,
    seed: Seed = None,
) -> LyapunovExponents:
    """The largest Lyapunov exponents of a model, a network, with delays and noise, along its run.

    Deviations follow the derivative of the steps of the run itself, and are made orthogonal after each segment of it
    (Benettin et al. 1980, Meccanica 15:9 and 21). With noise the deviations meet the same noise: a negative largest
    exponent then says that runs from different states become one. With delays a deviation is one of the past too.

    Works within `jit`, `vmap` (over `parameters`, all in one program) and forward-mode derivatives (`jax.jvp`,
    `jax.jacfwd`). In a chaotic regime the derivative of an average over a time T grows as the deviations do: it is that
    of this run, and not of the attractor.

    Parameters
    ----------
    model : NeuralMassDynamics, Network or Simulator
    duration : Quantity
        Length of the run, its transient included.
    n : int
        How many, from the largest down; each takes about as long as a run.
    inputs : mapping, optional
        As of `Simulator.run`, without arrays over time.
    parameters : mapping, optional
        Values in place of those of the model, by name.
    transient : Quantity, optional
        Beginning that is left out, in which the run settles and deviations turn; default a tenth of the duration.
    segment : Quantity or int, optional
        Time, or steps, after which deviations are made orthogonal; default ten steps.
    seed : int or JAX key, optional
        Of the noise, where there is some, and of random initial states.

    Raises
    ------
    ValueError, TypeError
        If the run is too short, the model is stochastic and has no seed, `n` is larger than the state, or a segment so
        long that rounding hides the smaller exponents.
    DivergenceError
        If a state becomes infinite or NaN.

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> lorenz = brainmass.Simulator(brainmass.LorenzStep(1, method="rk4"), dt=0.01 * u.ms)
    >>> found = brainmass.lyapunov_exponents(lorenz, 100 * u.ms, n=3)
    >>> round(float(found.exponents.sum()), 2)
    -13.67
    """
    owner = "lyapunov_exponents"
    simulator = simulator_of(owner, model)
    steps = _STEPS if segment is None else whole_steps(owner, "segment", segment, simulator)
    tangents = Tangents(owner, simulator, duration, steps, inputs, parameters, seed)
    n = whole(Argument("n", owner), n)
    if n > tangents.size:
        raise argument_error(Argument("n", owner), f"must be at most the number of states, {tangents.size}", f"is {n}")
    total = whole_steps(owner, "duration", duration, simulator) // tangents.n_steps
    settling = total * tangents.n_steps // 10
    if transient is not None:
        settling = whole_steps(owner, "transient", transient, simulator, least=0)
    left_out = max(settling // tangents.n_steps, 1)  # in the first, deviations are yet to be of one size
    if total - left_out < _LEAST:
        raise argument_error(
            Argument("duration", owner),
            f"must have at least {_LEAST} segments of {tangents.length:g} ms after the transient",
            f"has {max(total - left_out, 0)}",
            hint="Run for longer, or make them shorter by `segment`.",
        )

    end, found = tangents.program(_compiled, n, total, left_out)(tangents.given)
    tangents.check(found, end)
    _check_rounding(found, tangents)
    xp = jnp if is_traced(found) else np
    rates = xp.asarray(found, float) / tangents.length
    times = u.Quantity((left_out + 1 + np.arange(len(rates))) * tangents.length, unit=u.ms)
    return LyapunovExponents(rates.mean(axis=0), _standard_error(rates), rates, times)


def _compiled(tangents: Tangents, n: int, total: int, left_out: int) -> Callable[..., Any]:
    """The state in the end, and the logarithms of growth in each segment."""

    def logarithms(given: Given) -> tuple[Any, Numbers]:
        state = tangents.first(given)
        # Nearly all directions give the same exponents; the seed of the run is for its noise.
        start = jax.random.normal(jax.random.key(0), (n, tangents.size), tangents.flat(state).dtype)
        moment = Moment(state, orthogonal(start)[0])
        # The first segment has been run by `first`, so that all others have a state to begin with.
        end, found = tangents.stretched(given, moment, total - 1, orthogonal)
        return end.state, found[left_out - 1 :]

    return jax.jit(logarithms)


def orthogonal(deviations: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Orthonormal deviations that span the same, and the logarithms of how long each was beside those before it."""
    q, r = jnp.linalg.qr(deviations.T)
    return q.T, jnp.log(jnp.abs(jnp.diagonal(r)))


def _standard_error(rates: Numbers) -> Numbers:
    """Of their mean, shape (n,).

    Growth over a window of m segments varies by D m + c: what varies at random adds up, and what is only exchanged
    between neighbours, such as the turning of a deviation, does not. Means of batches take both for the first.
    """
    xp = jnp if is_traced(rates) else np
    # Not differentiated: the root of a variance of zero, as of an equilibrium, has an infinite slope.
    growth = xp.cumsum(jax.lax.stop_gradient(rates) if xp is jnp else rates, axis=0)
    growth = xp.concatenate([xp.zeros_like(growth[:1]), growth])
    n = len(rates)

    def variance(m: int) -> Numbers:
        return ((growth[m:] - growth[:-m] - growth[-1] * (m / n)) ** 2).mean(axis=0)

    # Two lengths of windows give D and c, and these the variance of the whole run, of which there is only one.
    m = n // _LEAST
    short, long = variance(m), variance(2 * m)
    adding = xp.maximum(long - short, 0.0) / m
    return xp.sqrt(adding * n + xp.maximum(short - adding * m, 0.0)) / n


def _check_rounding(logarithms: Numbers, tangents: Tangents) -> None:
    if is_traced(logarithms):
        return
    # What has become smaller than the largest by as much as the precision is lost in rounding when it is made
    # orthogonal.
    ratio, least = np.min(logarithms[:, -1] - logarithms[:, 0]), np.log(30 * np.finfo(logarithms.dtype).eps)
    if ratio < least:
        shorter = tangents.n_steps * least / ratio / 2
        advice = f"segment={int(shorter)}, in steps, " if shorter >= 1 else ""
        raise argument_error(
            Argument("segment", "lyapunov_exponents"),
            "must be so short that rounding does not hide the smallest exponent",
            f"is {tangents.length:g} ms, in which deviations part by a factor of 10^{-ratio / np.log(10):.0f}",
            hint=f"Try {advice}fewer exponents, or double precision.",
        )
