"""A control that is free over time: the values that it has, one after the other."""

from __future__ import annotations

from collections.abc import Mapping

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import numbers
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.precision import default_dtype
from brainmass._common.typing import Monitors, Numbers, Period
from brainmass.controlling.costs import GivenCosts
from brainmass.controlling.problem import Place, Problem, Values
from brainmass.simulation.result import Result
from brainmass.simulation.simulator import Simulator
from brainmass.stimuli.algebra import Drive

__all__ = ["Schedule"]


class Schedule(Problem):
    """The problem of such a control; each of its values holds for `hold` steps."""

    owner = "control"
    advice = "Give `limits`, a smaller `start`, more weight to the energy, or an optimiser with smaller steps."

    def __init__(
        self,
        simulator: Simulator,
        n_steps: int,
        n_window: int,
        hold: int,
        cost: GivenCosts,
        where: list[Place],
        inputs: Mapping[str, object],
        monitors: Monitors,
        sample_every: Period | None,
    ):
        # At a port that is controlled the sum of both enters, as rows: a run takes one input for each port.
        others = {name: x for name, x in inputs.items() if name not in {place.port for place in where}}
        self.base = {p.port: _base(p, inputs.get(p.port), n_steps, n_window, simulator.dt) for p in where}
        # Rounded up: the last value may hold for a shorter time than the others.
        self.n_values = -(-n_window // hold)
        self.sizes = [self.n_values * place.sites.size for place in where]
        super().__init__(simulator, n_steps, n_window, hold, cost, where, others, monitors, sample_every)

    def split(self, flat: jax.Array | np.ndarray) -> Values:
        """Values by port, shape (K, sites), from all of them in one row."""
        parts = jnp.split(flat, np.cumsum(self.sizes)[:-1].tolist())
        return {
            place.port: part.reshape(self.n_values, place.sites.size)
            for place, part in zip(self.places, parts, strict=True)
        }

    def rows(self, values: Values, first: int | jax.Array) -> dict[str, Numbers]:
        """What enters the ports in each step of the window, with units, from the step `first` on."""
        entering = {}
        for place in self.places:
            size = int(np.prod(place.shape))
            # (K, sites) to (steps, sites), then to all regions.
            own = jnp.repeat(values[place.port], self.hold, axis=0)[: self.n_window]
            whole = jnp.zeros((self.n_window, size), own.dtype).at[:, place.sites].set(own)
            base = jax.lax.dynamic_slice_in_dim(jnp.asarray(self.base[place.port], own.dtype), first, self.n_window)
            entering[place.port] = u.maybe_decimal((whole + base).reshape(self.n_window, *place.shape) * place.unit)
        return entering

    def at_rest(self, n: int) -> dict[str, object]:
        rows = {p.port: u.maybe_decimal(jnp.zeros((n, *p.shape), default_dtype()) * p.unit) for p in self.places}
        return {**self.others, **rows}

    def entering(self, flat: jax.Array, first: int | jax.Array) -> Mapping[str, object]:
        return {**self.others, **self.rows(self.split(flat), first)}

    def entered(self, flat: jax.Array, result: Result) -> Values:
        return self.split(flat)


def _base(place: Place, given: object, n_steps: int, n_window: int, dt: Numbers) -> np.ndarray:
    """What enters a port besides the control, as rows of plain numbers, and as many zeros as are looked ahead."""
    size = int(np.prod(place.shape))
    rows = np.zeros((n_steps, size))
    if given is not None:
        what = Argument("inputs", "control", entry=place.port, text=f"Input {place.port!r} of control")
        if isinstance(given, Drive) and not given.draws:
            given = given.series(n_steps * dt, dt)
        elif callable(given) or isinstance(given, Drive):
            rule = "must be a number, an array or a stimulus without noise, as this port is controlled"
            raise argument_error(what, rule, f"is {show(given)}")
        plain = np.asarray(numbers(what, given, unit=place.unit) if u.get_unit(given).dim != u.DIMENSIONLESS else given)
        plain = np.asarray(u.get_mantissa(plain), float)
        fits = plain.shape in ((), (1,), place.shape) or plain.shape in ((n_steps, *place.shape), (n_steps, 1))
        if not fits:
            rule = f"must be one value, one per region, or one row for each of the {n_steps} steps"
            raise argument_error(what, rule, f"has shape {plain.shape}")
        rows = rows + (
            plain.reshape(n_steps, -1) if plain.shape[:1] == (n_steps,) and plain.ndim > 1 else plain.ravel()
        )
    # A window at the end looks beyond it; `dynamic_slice` would move one back that is not all there.
    return np.concatenate([rows, np.zeros((n_window, size))])
