"""`sensitivity`: what becomes of a small change of the state, as a function of time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import is_traced, number, whole
from brainmass._common.display import page
from brainmass._common.extras import import_io
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers, Period, Pytree, RunInputs, Seed, Time
from brainmass.analysis.tangents import Given, Moment, Tangents, simulator_of, whole_steps
from brainmass.simulation.simulator import Simulator

if TYPE_CHECKING:
    import xarray

__all__ = ["Sensitivity", "sensitivity"]

_SAMPLES = 100  # of a horizon, unless told otherwise


@dataclasses.dataclass(frozen=True, repr=False)
class Sensitivity:
    """How much larger a small change of the state has become, as a function of time.

    Attributes
    ----------
    times : quantity (m,)
        After the change.
    log_growth : array (n_starts, m)
        The natural logarithm of the factor, from each start: the root mean square over random directions, each state
        in units of how far it moves in the run.
    """

    times: u.Quantity
    log_growth: np.ndarray

    @property
    def growth(self) -> np.ndarray:
        """The typical factor, the median over the starts, shape (m,)."""
        return np.exp(np.median(self.log_growth, axis=0))

    def grad_horizon(self, limit: float = 100.0) -> Numbers:
        """Over which time a gradient can go back: until changes have typically grown by the factor `limit`.

        None where in the end they have not, so that no horizon is needed. What a fit, or a run, takes as
        `grad_horizon`.
        """
        limit = number(Argument("limit", "grad_horizon"), limit, "> 1", lambda x: x > 1)
        above = np.flatnonzero(np.median(self.log_growth, axis=0) > np.log(limit))
        # Growth may pass the limit and come back, as after a stimulus: what counts is the last time below it.
        if len(above) == 0 or above[-1] != len(self.times) - 1:
            return None
        below = np.setdiff1d(np.arange(len(self.times)), above)
        return self.times[int(below[-1]) if len(below) else 0]

    def to_xarray(self) -> xarray.Dataset:
        """The logarithm of the growth over `start` and `time`."""
        xr = import_io("xarray")
        time = ("time", np.asarray(self.times.to_decimal(u.ms)), {"units": "ms"})
        data = {"log_growth": (("start", "time"), np.asarray(self.log_growth))}
        return xr.Dataset(data, coords={"time": time, "start": np.arange(len(self.log_growth))})

    @property
    def _title(self) -> str:
        horizon = self.grad_horizon()
        end = float(self.times[-1].to_decimal(u.ms))
        said = "no horizon needed" if horizon is None else f"gradients over {float(horizon.to_decimal(u.ms)):.4g} ms"
        return f"changes grow by {self.growth[-1]:.3g} in {end:.4g} ms: {said}"

    def __repr__(self) -> str:
        return f"Sensitivity: {self._title}"

    def _repr_html_(self) -> str:
        return page("Sensitivity", self._title)


def sensitivity(
    model: brainstate.nn.Module | Simulator,
    horizon: Time,
    *,
    inputs: RunInputs = None,
    parameters: Mapping[str, Any] | None = None,
    transient: Time | None = None,
    segment: Period | None = None,
    n_starts: int = 20,
    n_directions: int = 4,
    seed: Seed = None,
) -> Sensitivity:
    """Sensitivity to the state that a run starts from, as a function of time: what horizon a gradient can have.

    A gradient through a run is as large as small changes grow along it. They are followed by the derivative of the
    steps of the run itself, from `n_starts` states, one horizon after the other along one run, each in `n_directions`
    random directions.

    Parameters
    ----------
    model : NeuralMassDynamics, Network or Simulator
    horizon : Quantity
        Longest time over which changes are followed.
    inputs, parameters, seed
        As of :func:`lyapunov_exponents`.
    transient : Quantity, optional
        How long the run settles before; default as long as the horizon.
    segment : Quantity or int, optional
        Time, or steps, between samples; default a hundredth of the horizon.
    n_starts, n_directions : int

    Raises
    ------
    ValueError, TypeError
        If the model is stochastic and has no seed, or an argument is not as said here.
    DivergenceError
        If a state becomes infinite or NaN.

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> lorenz = brainmass.Simulator(brainmass.LorenzStep(1, method="rk4"), dt=0.01 * u.ms)
    >>> found = brainmass.sensitivity(lorenz, 10 * u.ms)
    >>> bool(found.growth[-1] > 1000), brainmass.sensitivity(lorenz, 1 * u.ms).grad_horizon()
    (True, None)
    """
    owner = "sensitivity"
    simulator = simulator_of(owner, model)
    steps = whole_steps(owner, "horizon", horizon, simulator)
    every = max(steps // _SAMPLES, 1) if segment is None else whole_steps(owner, "segment", segment, simulator)
    n_starts = whole(Argument("n_starts", owner), n_starts)
    n_directions = whole(Argument("n_directions", owner), n_directions)
    settling = steps if transient is None else whole_steps(owner, "transient", transient, simulator, least=0)
    duration = (settling + n_starts * steps) * simulator.dt
    tangents = Tangents(owner, simulator, duration, every, inputs, parameters, seed)
    if is_traced(tangents.values):
        raise TypeError("sensitivity looks at numbers, and cannot within jax.jit, grad and their like.")
    n = steps // tangents.n_steps
    if n < 1:
        raise argument_error(Argument("segment", owner), "must fit into the horizon", f"is {tangents.length:g} ms")
    # The scale is that of the second half of them.
    before = max(settling // tangents.n_steps, 2)

    end, found = tangents.program(_compiled, before, n, n_starts, n_directions)(tangents.given)
    tangents.check(found, end)
    times = u.Quantity(np.arange(1, n + 1) * tangents.length, unit=u.ms)
    return Sensitivity(times, np.asarray(found, float))


def _compiled(tangents: Tangents, before: int, n: int, n_starts: int, n_directions: int) -> Callable[..., Pytree]:
    """The state in the end, and the logarithm of the mean growth from each start."""

    def followed(given: Given) -> Pytree:
        state, moments = tangents.plainly(given, tangents.first(given), before, _moments(tangents))
        scale = _scale(tangents, moments)

        def from_here(state: Pytree, key: Numbers) -> Pytree:
            changes = jax.random.normal(key, (n_directions, tangents.size), scale.dtype)
            # Of length 1 in the scale, and back in the units of the states below.
            changes = changes / jnp.linalg.norm(changes, axis=1, keepdims=True)
            return _grown(tangents, given, Moment(state, changes * scale), scale, n)

        return tangents.in_turn(from_here, state, jax.random.split(jax.random.key(0), n_starts))

    return jax.jit(followed)


def _grown(tangents: Tangents, given: Given, moment: Moment, scale: Pytree, n: int) -> tuple[Pytree, Numbers]:
    """The state at the end, and the logarithm of the mean growth after each segment."""

    def rescale(changes: Pytree) -> tuple[Pytree, Numbers]:
        # Kept as logarithms: over a long horizon the factor of a chaotic run is no number any more.
        sizes = jnp.linalg.norm(changes / scale, axis=1)
        return changes / sizes[:, None], jnp.log(sizes)

    end, logarithms = tangents.stretched(given, moment, n, rescale)
    squares = 2 * jnp.cumsum(logarithms, axis=0)
    mean = jax.scipy.special.logsumexp(squares, axis=1) - np.log(squares.shape[1])
    return end.state, mean / 2


def _moments(tangents: Tangents) -> Any:
    """Mean and mean square of each state, over regions."""
    which = np.repeat(np.arange(len(tangents.sizes)), tangents.sizes)

    def look(x: jax.Array) -> Pytree:
        sums = [jax.ops.segment_sum(y, which, len(tangents.sizes)) / tangents.sizes for y in (x, x**2)]
        return jnp.stack(sums).astype(x.dtype)

    return look


def _scale(tangents: Tangents, moments: Pytree) -> Pytree:
    """How far each state moves; of one at rest how large it is."""
    mean, square = moments[len(moments) // 2 :].mean(axis=0)
    deviation = jnp.sqrt(jnp.maximum(square - mean**2, 0.0))
    size = jnp.sqrt(square)
    scale = jnp.where(deviation > 1e-3 * size, deviation, jnp.where(size > 0, size, 1.0))
    return jnp.repeat(scale, tangents.sizes, total_repeat_length=tangents.size)
