"""The equations of a model at one set of values: what arrives where, and the rates of change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.messages import argument_error, input_named
from brainmass._common.typing import Numbers
from brainmass.dynamics.declaration import read_input
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise
from brainmass.network.network import Network
from brainmass.simulation.inputs import as_inputs

__all__ = ["Equations", "held_inputs"]

Values = Mapping[str, Numbers]
# What arrives with a delay, by where it arises: the number of a projection, or the name of a node that keeps its past.
Arriving = Mapping[Any, Any]
_NOTHING: Arriving = MappingProxyType({})
_OF_NETWORK = ("", "noise")


def held_inputs(model: Any, inputs: Mapping[str, Any] | None) -> dict[str, Numbers]:
    """What is held at each input port, by name, as quantities."""
    populations = model.populations if isinstance(model, Network) else {"node": model}
    several = len(populations) > 1
    held = {
        f"{name}.{port}" if several else port: u.maybe_decimal(u.Quantity(0.0, unit=node._port_units[port]))
        for name, node in populations.items()
        for port in node._ports
    }
    given = as_inputs(inputs, model, 0)
    for name in given.functions:
        raise _not_autonomous(name, "is a function of time")
    values = {**given.constants}
    for name, module in given.modules.items():
        if not isinstance(module, Noise):
            raise _not_autonomous(name, f"is a {type(module).__name__}, which depends on time")
        values[name] = module._mean()
    for name, value in values.items():
        population, node, port = model.find_input(name) if isinstance(model, Network) else ("", model, name)
        port, value = read_input(node, port, value)
        held[f"{population}.{port}" if several else port] = node._read(port, value)
    return held


def _not_autonomous(name: str, is_: str) -> Exception:
    what = input_named(name) if name else "What enters the model"
    example = f"inputs={{{name!r}: 0.5}}, or one value of it, stimulus(5 * u.ms)" if name else "inputs={'E_inp': 0.5}"
    return argument_error(what, "must be held at one value, as drifts do not depend on time", is_, example)


class Equations:
    """A model, with parameters of given values and inputs held.

    Activity that arrives over delays is a term of its own: `sent` says what leaves, `delays` and `sources` how long and
    from where each connection of it takes, and `rates` takes what arrives over each of them.
    """

    def __init__(self, model: Any, inputs: Values):
        self.model, self.inputs = model, inputs
        self.network = model if isinstance(model, Network) else None
        self.nodes: dict[str, NeuralMassDynamics] = model.populations if isinstance(model, Network) else {"": model}
        self.several = len(self.nodes) > 1
        self.attached = model.attached if isinstance(model, Network) else {}

    def rates(
        self,
        states: Values,
        arriving: Arriving = _NOTHING,
        coupling: jax.Array | float = 1.0,
        samples: Mapping[tuple[str, str], Numbers] = MappingProxyType({}),
    ) -> dict[str, Numbers]:
        """The rates of change of all states, by name.

        `coupling` is a factor on all that the network sends; `samples`, by the keys of `noises`, of what noises are in
        place of their means.
        """
        values = self._by_node(states)
        added: Sequence[Values] = [{} for _ in self.nodes]
        if self.network is not None:
            added = self.network.inputs_at_rest([*values, *self._of_attached(states)], arriving, coupling)
        rates = {}
        # What arrives at synapses stands in `added` behind the nodes, and comes below.
        for (name, node), present, network in zip(self.nodes.items(), values, added, strict=False):
            entering = self._entering(name, node, present, network, arriving.get(name), samples)
            # At any time, as drifts do not depend on it.
            motion = node._motion(tuple(present.values()), 0.0 * u.ms, *entering.values())
            rates |= {self._named(name, state): rate for state, rate in zip(node._states, motion, strict=True)}
        for (path, part), brought in zip(self.attached.items(), added[len(self.nodes) :], strict=True):
            present = tuple(states[f"{path}.{state}"] for state in part._states)
            motion = part.drift(present, *(brought[name] for name in part.awaits))
            rates |= {f"{path}.{state}": rate for state, rate in zip(part._states, motion, strict=True)}
        return rates

    def _of_attached(self, states: Values) -> list[dict[str, Numbers]]:
        """The states of synapses and plasticity, of each by name."""
        return [{s: states[f"{path}.{s}"] for s in part._states} for path, part in self.attached.items()]

    def _entering(
        self, name: str, node: NeuralMassDynamics, values: Values, network: Values, arriving: Numbers, samples: Numbers
    ) -> dict[str, Numbers]:
        """What enters each port: held inputs, means of noises, the network, and what a node sends to itself."""
        held = {port: u.maybe_decimal(0.0 * unit) for port, unit in node._port_units.items()}
        parts = [{port: self.inputs[self._named(name, port)] for port in node._ports}, network]
        for noise_name, port in node._noises.items():
            noise = getattr(node, noise_name)
            if noise is not None:
                sample = samples.get((name, noise_name), noise._mean())
                parts.append({port: node._noise_at_port(noise_name, port, noise, sample, values)})
        if self.network is not None and self.network.noise is not None:
            sample = samples.get(_OF_NETWORK, self.network.noise._mean())
            # A run adds the noise of the network at this port, too.
            parts.append({self.network.projections[0].port: sample})
        held = _added(node, held, *parts)
        return _added(node, held, node._own_at_rest({**held, **values}, arriving))

    def with_inputs(self, name: str, values: Values) -> dict[str, Numbers]:
        """The states of a node, and what is held at its ports."""
        return {**{port: self.inputs[self._named(name, port)] for port in self.nodes[name]._ports}, **values}

    def noises(self) -> dict[tuple[str, str], Noise]:
        """All noises, by the name of their node and their own."""
        noises = {(name, key): getattr(node, key) for name, node in self.nodes.items() for key in node._noises}
        if self.network is not None:
            noises[_OF_NETWORK] = self.network.noise
        return {key: noise for key, noise in noises.items() if noise is not None}

    def sent(self, states: Values) -> dict[Any, Any]:
        """What leaves the sources of each delayed term, shape (..., N)."""
        values = dict(zip(self.nodes, self._by_node(states), strict=True))
        attached, sent = self._of_attached(states), {}
        for i, projection in self._projections().items():
            source, rule = self._source(projection), projection.plasticity
            slow = next((x for x, part in zip(attached, self.attached.values(), strict=True) if part is rule), {})
            sent[i] = projection._sent(self.nodes[source], values[source], slow)
        for name, node in self.nodes.items():
            if node._own_delays() is not None:
                sent[name] = node._sent_to_itself(self.with_inputs(name, values[name]))
        return sent

    def delays(self) -> dict[Any, Any]:
        """Of each delayed term, the delay of each connection, in ms; zero where there is none."""
        delays: dict[Any, Any] = {}
        for i, projection in self._projections().items():
            # Where weights move, in a fit, what is no connection now may be one.
            there = projection._allowed & (np.ones((), bool) if projection._may_come else projection._exists)
            delays[i] = jnp.where(there, projection._delays(), 0.0)
        return delays | {name: own[0] for name, node in self.nodes.items() if (own := node._own_delays()) is not None}

    def sources(self) -> dict[Any, Any]:
        """Of each delayed term, the number of the source of each connection, in a shape that fits its delays."""
        sources: dict[Any, Any] = {}
        for i, projection in self._projections().items():
            where = projection.coupling.sources
            sources[i] = np.arange(projection.coupling.n_in)[None, :] if where is None else where
        return sources | {name: own[1] for name, node in self.nodes.items() if (own := node._own_delays()) is not None}

    def _projections(self) -> dict[int, Any]:
        """Those with delays, by their number."""
        if self.network is None:
            return {}
        return {i: p for i, p in enumerate(self.network.projections) if p.is_delayed}

    def _source(self, projection: Any) -> str:
        return next(iter(self.nodes)) if projection.source is None else projection.source

    def _named(self, name: str, of_node: str) -> str:
        return f"{name}.{of_node}" if self.several else of_node

    def _by_node(self, states: Values) -> list[dict[str, Numbers]]:
        return [{s: states[self._named(name, s)] for s in node._states} for name, node in self.nodes.items()]


def _added(node: NeuralMassDynamics, held: dict[str, Numbers], *parts: Values) -> dict[str, Numbers]:
    for part in parts:
        held = {port: x + node._read(port, part[port]) if port in part else x for port, x in held.items()}
    return held
