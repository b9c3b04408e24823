"""One step of time of nodes that are stepped together: their inputs at each stage, the integrator, their new states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import brainstate
import brainunit as u

from brainmass._common.times import time_step
from brainmass._common.typing import Numbers
from brainmass.dynamics import integrators

__all__ = ["Field", "Ports", "advance"]

Ports = Mapping[str, Numbers]
"""What enters the ports of a node, by port."""

Field = Callable[[dict[str, Numbers], Numbers], Ports]
"""From the states of a node at a stage, and the fraction of the step that has passed, to what enters its ports."""


class Node(Protocol):
    """What a step asks of a node; `NeuralMassDynamics` answers."""

    _states: ClassVar[Mapping[str, Any]]
    remembers: ClassVar[tuple[str, ...]]

    @property
    def method(self) -> str: ...
    @property
    def _owner(self) -> str: ...
    def state_values(self) -> dict[str, Numbers]: ...
    def _held_inputs(self, given: Ports) -> tuple[Ports, Field | None]: ...
    def _own_field(self) -> Field | None: ...
    def _read(self, port: str, value: Numbers) -> Numbers: ...
    def _motion(self, state: tuple, t: Numbers, *inputs: Numbers) -> tuple: ...
    def _settled(self, name: str, value: Numbers) -> Numbers: ...


def advance(
    nodes: Sequence[Node],
    given: Sequence[Ports],
    field: Callable[[list[dict[str, Numbers]], Numbers], Sequence[Ports]] | None = None,
) -> None:
    """One step of time of some nodes together.

    `given` holds the inputs of this step for each node, by port; `field(values, fraction)` what is added to them at
    each stage of the method, for each node, from the states of all.

    The integrator steps one system, whose state is that of all nodes in a row: of a node with states r, v and another
    with x it is (r, v, x). What enters at a stage is one list, with the ports of each node.
    """
    dt, t = time_step(nodes[0]._owner), brainstate.environ.get("t", 0.0 * u.ms)
    held, following = zip(*(node._held_inputs(inputs) for node, inputs in zip(nodes, given, strict=True)), strict=True)
    # Once at the start of the step, since it may take in what is sent then.
    own = [node._own_field() for node in nodes]

    def entering(state: tuple, fraction: Numbers) -> tuple[list[Ports]]:
        """The held inputs of each node and what is added at this stage: by the network, the node itself, its noise."""
        values = _by_node(nodes, state)
        added = [[] for _ in nodes] if field is None else [[ports] for ports in field(values, fraction)]
        for parts, *adding, present in zip(added, own, following, values, strict=True):
            parts += [adds(present, fraction) for adds in adding if adds]
        # One input alone, the ports of all nodes: the integrator hands inputs on as it gets them.
        return ([_sum(*ports) for ports in zip(nodes, held, added, strict=True)],)

    def motion(state: tuple, t: Numbers, entering: list[Ports]) -> tuple:
        of_nodes = zip(nodes, _by_node(nodes, state), entering, strict=True)
        return tuple(
            rate for node, x, ports in of_nodes for rate in node._motion(tuple(x.values()), t, *ports.values())
        )

    old = tuple(value for node in nodes for value in node.state_values().values())
    # Before the states move: kept is what entered at the start of the step.
    _remember(nodes, lambda: entering(old, 0.0)[0])
    # All nodes of a network have one method, as they are one system.
    new = integrators.step(nodes[0].method, motion, old, t, dt, entering)
    for node, values in zip(nodes, _by_node(nodes, new), strict=True):
        for name, value in values.items():
            getattr(node, name).value = node._settled(name, value)


def _sum(node: Node, held: Ports, parts: Sequence[Ports]) -> Ports:
    """What is held at the ports of a node, with what each part adds to some of them."""
    for part in parts:
        held = {port: x + node._read(port, part[port]) if port in part else x for port, x in held.items()}
    return held


def _by_node(nodes: Sequence[Node], state: tuple) -> list[dict[str, Numbers]]:
    """The states of each node by name, from those of all in a row."""
    rest = iter(state)
    return [{name: next(rest) for name in node._states} for node in nodes]


def _remember(nodes: Sequence[Node], entering: Callable[[], list[Ports]]) -> None:
    """Keep what enters the ports that nodes want to remember."""
    if not any(node.remembers for node in nodes):
        return
    for node, ports in zip(nodes, entering(), strict=True):
        for port in node.remembers:
            kept = getattr(node, f"received_{port}")
            # What is one number for all regions is kept for each: a state keeps its shape.
            kept.value = ports[port] + u.math.zeros_like(kept.value)
