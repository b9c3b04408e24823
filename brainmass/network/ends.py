"""The two ends of a projection: what of the source can be sent, and what of the target can receive it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Self

import jax
import numpy as np

from brainmass._common.checks import is_traced
from brainmass._common.messages import Argument, argument_error, named, suggestion
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.network.coupling import Coupling

__all__ = ["Ends"]


@dataclass(frozen=True)
class Ends:
    """The two nodes of a projection, as far as what can be set afterwards is checked against them."""

    owner: str
    source: str
    sent: tuple[str, ...]
    target: str
    known_there: tuple[str, ...]
    ports: tuple[str, ...]
    same: bool
    angles: tuple[str, ...]
    sizes: tuple[int, int]

    @classmethod
    def of(cls, owner: str, source: NeuralMassDynamics, target: NeuralMassDynamics) -> Self:
        return cls(
            owner=owner,
            source=type(source).__name__,
            sent=(*source._states, *source.sources),
            target=type(target).__name__,
            known_there=(*target._states, *target.sources),
            ports=target._ports,
            same=source is target,
            angles=tuple(name for name, spec in source._states.items() if spec.is_angle),
            sizes=(target.varshape[0], source.varshape[0]),
        )

    def check_sent(self, name: object, coupling: Coupling) -> None:
        if not isinstance(name, str) or name not in self.sent:
            raise argument_error(
                Argument("coupled_var", self.owner),
                f"must be a state of {self.source} ({', '.join(self.sent)})",
                f"is {named(name)}",
                hint=suggestion(str(name), self.sent),
            )
        # Such a kernel reads the same state at both ends.
        if coupling.needs_target and name not in self.known_there:
            raise ValueError(
                f"{type(coupling).__name__} compares `{name}` of {self.source} with that of the target, and "
                f"{self.target} has none. Example: coupling='additive'."
            )
        if name in self.angles and _sees_turns(coupling):
            raise argument_error(
                Argument("coupling", self.owner),
                f"must be the same for an angle and a turn more, as `{name}` of {self.source} is an angle from -π to π",
                f"{type(coupling).__name__} is not",
                "coupling='kuramoto'.",
            )

    def check_port(self, name: object) -> None:
        if not isinstance(name, str) or name not in self.ports:
            raise argument_error(
                Argument("port", self.owner),
                f"must be an input of {self.target} ({', '.join(self.ports)})",
                f"is {named(name)}",
                hint=suggestion(str(name), self.ports),
            )

    def check_sizes(self, coupling: Coupling) -> None:
        shape, (n_out, n_in) = (coupling.n_out, coupling.n_in), self.sizes
        if shape != self.sizes:
            whose = "one row per region of the node" if self.same else "a row per target, a column per source"
            raise argument_error(
                Argument("conn", self.owner),
                f"must be {'square with ' if self.same else ''}{whose}, ({n_out}, {n_in})",
                f"has shape {shape}",
            )


def _sees_turns(coupling: Coupling) -> bool:
    """Whether what a kernel sends tells an angle from one that is a turn more."""
    # Tried out, as a kernel of the user's says nothing of itself: the same for 0.3 and 0.3 + 2π at all sources.
    others = [np.zeros(coupling.n_in)] * (len(inspect.signature(coupling.pre).parameters) - 1)
    with jax.ensure_compile_time_eval():
        sent = [coupling.pre(np.full(coupling.n_in, angle), *others) for angle in (0.3, 0.3 + 2 * np.pi)]
    # sine and cosine of 0.3 + 2π differ by rounding, in single precision by about 1e-7
    return not is_traced(sent) and not np.allclose(*sent, atol=1e-4)
