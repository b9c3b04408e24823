"""The cost of a control as a function of what is free in it, through the run of a simulator."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import items, region_numbers
from brainmass._common.messages import Argument, argument_error, named
from brainmass._common.typing import Key, Monitors, Period, Pytree
from brainmass.controlling.costs import Cost, GivenCosts, Recorded, as_costs
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.network.network import Network
from brainmass.simulation.monitors import as_monitors, default_monitors
from brainmass.simulation.result import Result
from brainmass.simulation.simulator import Simulator

__all__ = ["Place", "Problem", "Sites", "Values"]

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


def places(
    model: brainstate.nn.Module,
    ports: str | Sequence[str] | None,
    sites: Sites,
    what: Argument,
) -> list[Place]:
    """Of the ports, and of the sites there, that are controlled; errors call the ports `what`."""
    known = _ports(model)
    names = [next(iter(known))] if ports is None else [ports] if isinstance(ports, str) else None
    names = items(what, ports, "names of input ports") if names is None else names
    found = []
    for name in names:
        if name not in known:
            rule = f"must be input ports of {type(model).__name__}, {', '.join(known)}"
            raise argument_error(what, rule, f"has {named(name)}", f"{next(iter(known))!r}")
        node, port = known[name]
        size = int(np.prod(node.varshape))
        here, labels = Argument("sites", "control"), getattr(model, "labels", None)
        chosen = np.arange(size) if sites is None else region_numbers(here, sites, size, labels, example="sites=[0]")
        found.append(Place(name, node._port_units[port], tuple(node.varshape), chosen))
    return found


def _ports(model: Any) -> dict[str, tuple[NeuralMassDynamics, str]]:
    """The nodes and their ports, by the names of inputs."""
    nodes = model.populations if isinstance(model, Network) else {"": model}
    several = len(nodes) > 1
    return {f"{name}.{port}" if several else port: (node, port) for name, node in nodes.items() for port in node._ports}


class Problem(ABC):
    """A run of `n_steps` from a state, which `n_window` of them at a time are looked at.

    What is looked for, `flat`, is one row of numbers; a subclass says what enters for them.
    """

    owner: str
    """Whose arguments errors name."""
    advice: str
    """What to do where a run diverges."""

    def __init__(
        self,
        simulator: Simulator,
        n_steps: int,
        n_window: int,
        hold: int,
        cost: GivenCosts,
        where: list[Place],
        others: Mapping[str, object],
        monitors: Monitors,
        sample_every: Period | None,
    ):
        self.simulator, self.n_window, self.hold, self.places = simulator, n_window, hold, where
        self.dt = float(simulator.dt.to_decimal(u.ms))
        self.sample_every, self.others = sample_every, others
        costs = as_costs(cost)
        self.monitors = self._monitors(costs, monitors)
        recorded = self._recorded(n_steps)
        self.periods = {name: one.steps for name, one in recorded.items()}
        self.costs = {name: one.bound(recorded, n_window) for name, one in costs.items()}

    @abstractmethod
    def at_rest(self, n: int) -> Mapping[str, object]:
        """The inputs of a run of n steps, of which the numbers do not matter."""

    @abstractmethod
    def entering(self, flat: jax.Array, first: int | jax.Array) -> Mapping[str, object]:
        """The inputs of the window that begins after the step `first`."""

    @abstractmethod
    def entered(self, flat: jax.Array, result: Result) -> Values:
        """The control in a run, by port, shape (K, sites); each row held for `hold` steps."""

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
        plan = self._program(n_steps)[0].plan
        # Shapes and units alone: monitors may be functions, which only a trace can tell, and nothing is run for it.
        like = jax.eval_shape(lambda: self.run(self.at_rest(self.n_window), np.zeros(2, np.uint32), None))
        found = {}
        for name, period in plan.periods.items():
            # A sample is what is there after its steps: the first is not at 0.
            times = (np.arange(plan.n_samples(name)) + 1) * period * self.dt
            found[name] = Recorded(times, period, period * self.dt, tuple(like[name].shape[1:]), u.get_unit(like[name]))
        return found

    # --- runs ---------------------------------------------------------------------------------------------------------
    def random_parts(self, state: Pytree) -> list[str]:
        """What is random in a run, in words."""
        n = self.n_window
        program, found, given = self._program(n)
        return program.random_parts(found.raw(), given.arrays, state is None)

    def _program(self, n: int) -> Any:
        simulator, every = self.simulator, self.sample_every
        duration = n * simulator.dt
        return simulator._program(duration, self.at_rest(n), self.monitors, None, every, False, None, None)

    def run(self, inputs: Mapping[str, object], key: Key | np.ndarray, state: Pytree) -> Result:
        """A run of the window, to be differentiated."""
        n, simulator = self.n_window, self.simulator
        run = simulator.pure(
            n * simulator.dt, monitors=self.monitors, free=[], inputs=inputs, sample_every=self.sample_every
        )
        return run({}, key, state)

    def parts(self, flat: jax.Array, keys: jax.Array, state: Pytree, first: int | jax.Array) -> dict[str, jax.Array]:
        """Each of the costs, on average over the noises of these keys."""
        entering, every = self.entering(flat, first), self.hold * self.dt

        def of_run(key: Key) -> dict[str, jax.Array]:
            result = self.run(entering, key, state)
            values = self.entered(flat, result)
            return {
                name: jnp.asarray(cost.of_run(result, first) + cost.of_control(values, every), flat.dtype)
                for name, cost in self.costs.items()
            }

        # One run needs no axis of lanes.
        return jax.vmap(of_run)(keys) if len(keys) > 1 else {n: x[None] for n, x in of_run(keys[0]).items()}

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
