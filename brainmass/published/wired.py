"""Networks of a node that is not one of the package, but a user's own `brainstate.nn.Dynamics`.

How such a node moves is known to its `update` alone. So it is wired as scripts wire it by hand: by brainstate's
prefetches, the coupling held for the step, with delays that are rounded to steps when the network is made.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import brainstate
import brainunit as u
import numpy as np
from brainstate.nn import Param
from braintools.init import Constant

from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.times import time_step
from brainmass._common.typing import ArrayLike, Numbers, Speed
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise
from brainmass.network.coupling import Coupling, as_weights
from brainmass.network.kernels import make_coupling

__all__ = ["WiredNetwork", "install"]


class WiredNetwork(brainstate.nn.Module):
    """What `brainmass.Network(node, ...)` is where the node is a `brainstate.nn.Dynamics` of one's own.

    The arguments are those of `Network`, without the ones that need to know the node's equations. The coupling is the
    first argument of the node's `update`; what `update` of the network is given comes after it. With delays the time
    step of `brainstate.environ` must be set before; what was sent before the start is `delay_init`, default zero.
    """

    def __init__(
        self,
        node: brainstate.nn.Dynamics,
        *,
        conn: object,
        coupled_var: str,
        distance: ArrayLike | None = None,
        speed: Speed | float | None = None,
        coupling: Any = "diffusive",
        k: ArrayLike | Param = 1.0,
        delay_init: Callable[..., Numbers] | None = None,
        self_connection: bool = False,
        noise: Noise | None = None,
    ):
        super().__init__()
        self.node, self.noise = node, noise
        self.coupled_var, self.self_connection = coupled_var, self_connection
        n = self.n_node
        weights = _within(conn, n, self_connection)
        if distance is None and (lengths := getattr(conn, "lengths", None)) is not None:
            distance = lengths
        sources = node.prefetch(coupled_var)
        if speed is not None:
            delays = _delays(distance, speed, n)
            history = Constant(0.0) if delay_init is None else delay_init
            sources = node.prefetch_delay(coupled_var, (delays, np.tile(np.arange(n), (n, 1))), init=history)
        kernel: Coupling = make_coupling(coupling, weights, k, False)
        kernel.x = sources
        if kernel.needs_target:
            kernel.y = node.prefetch(coupled_var)
        self.coupling = kernel

    @property
    def n_node(self) -> int:
        """The number of regions."""
        return int(np.prod(self.node.varshape))

    def update(self, *inputs: Numbers) -> Numbers:
        """Advance one time step; returns what the node returns."""
        current = self.coupling()
        return self.node(current if self.noise is None else current + self.noise(), *inputs)  # it feeds the delays


def _within(conn: object, n: int, self_connection: bool) -> Numbers:
    """The weights between n regions."""
    weights = as_weights("Network", conn)
    shape = u.math.shape(weights.value())
    if shape != (n, n):
        raise argument_error(
            Argument("conn", "Network"),
            f"must be square with one row per region of the node, ({n}, {n})",
            f"has shape {shape}",
        )
    if self_connection:
        return weights
    if isinstance(conn, Param):
        raise argument_error(
            Argument("self_connection", "Network"),
            "must be True for trainable weights onto a node of your own: set the diagonal to zero yourself",
        )
    return weights.value() * (1.0 - np.eye(n))


def _delays(distance: object, speed: object, n: int) -> u.Quantity:
    if distance is None:
        raise argument_error(Argument("speed", "Network"), "needs the lengths of the connections: give `distance`")
    if isinstance(speed, Param):
        raise argument_error(
            Argument("speed", "Network"),
            "cannot be trained with a node of your own: its delays are fixed",
            kind=TypeError,
        )
    lengths = distance if isinstance(distance, u.Quantity) else np.asarray(distance) * u.mm
    pace = speed if isinstance(speed, u.Quantity) else speed * u.mm / u.ms
    delays = lengths / pace
    if not u.get_unit(delays).has_same_dim(u.ms) or u.math.shape(delays) != (n, n):
        raise argument_error(
            Argument("distance", "Network"),
            f"must be lengths of shape ({n}, {n})",
            f"is {show(distance)}, with speed={show(speed)}",
            "speed=3.0 * u.mm / u.ms.",
        )
    dt = time_step("Network with delays").to_decimal(u.ms)
    # A hair less than a whole number of steps, as brainstate rounds up.
    return np.round(delays.to_decimal(u.ms) / dt) * dt * (1.0 - 1e-5) * u.ms


def install(package: ModuleType) -> None:
    """Let `Network` make one of these where it is given a node that is not the package's."""

    def made(cls: type, node: object = None, *args: object, **kwargs: object) -> object:
        foreign = isinstance(node, brainstate.nn.Dynamics) and not isinstance(node, NeuralMassDynamics)
        return object.__new__(WiredNetwork if foreign and cls is package.Network else cls)

    package.Network.__new__ = made
