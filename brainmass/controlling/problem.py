"""The cost of a control as a function of its values, through the run of a simulator."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import items, numbers, region_numbers
from brainmass._common.messages import Argument, argument_error, named, show
from brainmass._common.precision import default_dtype
from brainmass._common.typing import Key, Monitors, Numbers, Period, Pytree
from brainmass.controlling.costs import Cost, GivenCosts, Recorded, as_costs
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.network.network import Network
from brainmass.simulation.monitors import as_monitors, default_monitors
from brainmass.simulation.result import Result
from brainmass.simulation.simulator import Simulator
from brainmass.stimuli.algebra import Drive

__all__ = ["Place", "Problem", "Sites"]

Values = dict[str, jax.Array]
Regions: TypeAlias = int | str | Sequence[int | str] | np.ndarray
"""By number or name."""
Sites: TypeAlias = Regions | None
"""The same, or None for all of them."""


class Place(NamedTuple):
    """Where a control enters: an input port, its unit, the shape of its population, and the sites there."""

    port: str
    unit: u.Unit
    shape: tuple[int, ...]
    sites: np.ndarray


def places(model: brainstate.nn.Module, ports: str | Sequence[str] | None, sites: Sites) -> list[Place]:
    """Of the ports, and of the sites there, that are controlled."""
    owner = "control"
    known = _ports(model)
    names = [next(iter(known))] if ports is None else [ports] if isinstance(ports, str) else None
    names = items(Argument("ports", owner), ports, "names of input ports") if names is None else names
    found = []
    for name in names:
        if name not in known:
            rule = f"must be input ports of {type(model).__name__}, {', '.join(known)}"
            raise argument_error(Argument("ports", owner), rule, f"has {named(name)}", f"ports={next(iter(known))!r}")
        node, port = known[name]
        size = int(np.prod(node.varshape))
        what, labels = Argument("sites", owner), getattr(model, "labels", None)
        chosen = np.arange(size) if sites is None else region_numbers(what, sites, size, labels, example="sites=[0]")
        found.append(Place(name, node._port_units[port], tuple(node.varshape), chosen))
    return found


def _ports(model: Any) -> dict[str, tuple[NeuralMassDynamics, str]]:
    """The nodes and their ports, by the names of inputs."""
    nodes = model.populations if isinstance(model, Network) else {"": model}
    several = len(nodes) > 1
    return {f"{name}.{port}" if several else port: (node, port) for name, node in nodes.items() for port in node._ports}


class Problem:
    """A run of `n_steps` from a state, which `n_window` of them at a time are looked at."""

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
        self.simulator, self.n_window, self.hold, self.places = simulator, n_window, hold, where
        self.dt = float(simulator.dt.to_decimal(u.ms))
        self.sample_every = sample_every
        costs = as_costs(cost)
        self.monitors = self._monitors(costs, monitors)
        # At a port that is controlled the sum of both enters, as rows: a run takes one input for each port.
        self.others = {name: x for name, x in inputs.items() if name not in {place.port for place in where}}
        self.base = {place.port: self._base(place, inputs.get(place.port), n_steps) for place in where}
        # Rounded up: the last value may hold for a shorter time than the others.
        self.n_values = -(-n_window // hold)
        self.sizes = [self.n_values * place.sites.size for place in where]
        recorded = self._recorded(n_steps)
        self.periods = {name: one.steps for name, one in recorded.items()}
        self.costs = {name: one.bound(recorded, n_window) for name, one in costs.items()}

    def _monitors(self, costs: Mapping[str, Cost], monitors: Monitors) -> Monitors:
        named = list(dict.fromkeys(name for cost in costs.values() for name in cost.monitors))
        if monitors is None:
            any_state = any(not cost.monitors and type(cost).of_run is not Cost.of_run for cost in costs.values())
            states = list(default_monitors(self.simulator.model)) if any_state or not named else []
            return [*states, *(name for name in named if name not in states)]
        given = as_monitors(monitors, self.simulator.model)
        return {**given, **{name: name for name in named if name not in given}}

    def _recorded(self, n_steps: int) -> dict[str, Recorded]:
        """What a run of that many steps records."""
        every = self.sample_every
        plan = self.simulator._program(n_steps * self.simulator.dt, self._inputs_at_rest(n_steps), self.monitors, None,
                                       every, False, None, None)[0].plan  # fmt: skip
        # Shapes and units alone: monitors may be functions, which only a trace can tell, and nothing is run for it.
        like = jax.eval_shape(lambda: self._run(self._inputs_at_rest(self.n_window), np.zeros(2, np.uint32), None))
        found = {}
        for name, period in plan.periods.items():
            # A sample is what is there after its steps: the first is not at 0.
            times = (np.arange(plan.n_samples(name)) + 1) * period * self.dt
            found[name] = Recorded(times, period, period * self.dt, tuple(like[name].shape[1:]), u.get_unit(like[name]))
        return found

    def _inputs_at_rest(self, n: int) -> dict[str, object]:
        rows = {p.port: u.maybe_decimal(jnp.zeros((n, *p.shape), default_dtype()) * p.unit) for p in self.places}
        return {**self.others, **rows}

    def _base(self, place: Place, given: object, n_steps: int) -> np.ndarray:
        """What enters a port besides the control, as rows of plain numbers, and as many zeros as are looked ahead."""
        size = int(np.prod(place.shape))
        rows = np.zeros((n_steps, size))
        if given is not None:
            what = Argument("inputs", "control", entry=place.port, text=f"Input {place.port!r} of control")
            if isinstance(given, Drive) and not given.draws:
                given = given.series(n_steps * self.simulator.dt, self.simulator.dt)
            elif callable(given) or isinstance(given, Drive):
                rule = "must be a number, an array or a stimulus without noise, as this port is controlled"
                raise argument_error(what, rule, f"is {show(given)}")
            plain = np.asarray(
                numbers(what, given, unit=place.unit) if u.get_unit(given).dim != u.DIMENSIONLESS else given
            )
            plain = np.asarray(u.get_mantissa(plain), float)
            fits = plain.shape in ((), (1,), place.shape) or plain.shape in ((n_steps, *place.shape), (n_steps, 1))
            if not fits:
                rule = f"must be one value, one per region, or one row for each of the {n_steps} steps"
                raise argument_error(what, rule, f"has shape {plain.shape}")
            rows = rows + (
                plain.reshape(n_steps, -1) if plain.shape[:1] == (n_steps,) and plain.ndim > 1 else plain.ravel()
            )
        # A window at the end looks beyond it; `dynamic_slice` would move one back that is not all there.
        return np.concatenate([rows, np.zeros((self.n_window, size))])

    # --- values -------------------------------------------------------------------------------------------------------
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

    # --- runs ---------------------------------------------------------------------------------------------------------
    def _run(self, inputs: Mapping[str, object], key: Key | np.ndarray, state: Pytree) -> Result:
        n, simulator = self.n_window, self.simulator
        run = simulator.pure(
            n * simulator.dt, monitors=self.monitors, free=[], inputs=inputs, sample_every=self.sample_every
        )
        return run({}, key, state)

    def parts(self, flat: jax.Array, keys: jax.Array, state: Pytree, first: int | jax.Array) -> dict[str, jax.Array]:
        """Each of the costs, on average over the noises of these keys."""
        values = self.split(flat)
        rows = self.rows(values, first)

        def of_run(key: Key) -> dict[str, jax.Array]:
            result = self._run({**self.others, **rows}, key, state)
            return {name: jnp.asarray(cost.of_run(result, first), flat.dtype) for name, cost in self.costs.items()}

        # One run needs no axis of lanes.
        each = jax.vmap(of_run)(keys) if len(keys) > 1 else {n: x[None] for n, x in of_run(keys[0]).items()}
        own = {name: cost.of_control(values, self.hold * self.dt) for name, cost in self.costs.items()}
        return {name: each[name] + own[name] for name in self.costs}

    def total(self, flat: jax.Array, keys: jax.Array, state: Pytree, first: int | jax.Array) -> jax.Array:
        return sum(x.mean() for x in self.parts(flat, keys, state, first).values())  # pyright: ignore[reportReturnType]

    @functools.cached_property
    def value_and_grad(self) -> Callable[..., tuple[jax.Array, jax.Array]]:
        return jax.jit(jax.value_and_grad(self.total))

    @functools.cached_property
    def each(self) -> Callable[..., tuple[jax.Array, dict[str, jax.Array]]]:
        """Total costs, shape (keys,), and each cost on average."""

        def each(
            flat: jax.Array, keys: jax.Array, state: Pytree, first: int | jax.Array
        ) -> tuple[jax.Array, dict[str, jax.Array]]:
            parts = self.parts(flat, keys, state, first)
            return sum(parts.values()), {name: x.mean() for name, x in parts.items()}  # pyright: ignore[reportReturnType]

        return jax.jit(each)
