"""The two ends of a projection: what of the source can be sent, and what of the target can receive it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Self

import brainunit as u
import jax
import numpy as np

from brainmass._common.checks import is_traced
from brainmass._common.messages import Argument, argument_error, named, suggestion
from brainmass._common.typing import Numbers
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.network.coupling import Coupling
from brainmass.network.plasticity import Plasticity

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

    def check_plasticity(self, rule: Plasticity, sent: str, coupling: Coupling, is_delayed: bool) -> None:
        name, kernel = type(rule).__name__, type(coupling).__name__
        looks = rule.looks_at("post")
        if rule.post is not None and not looks:
            raise argument_error(Argument("post", name), "has no effect: this rule does not look at its targets")
        post = sent if rule.post is None else rule.post
        if looks and post not in self.known_there:
            raise argument_error(
                Argument("post", name),
                f"must be a state of {self.target} ({', '.join(self.known_there)})",
                f"is {named(post)}",
                f"plasticity=brainmass.{name}(post={self.known_there[0]!r}).",
                hint=suggestion(post, self.known_there),
            )
        what = Argument("plasticity", self.owner)
        if rule.of_sources and coupling.pairwise:
            rule_of = f"must be of the weights with {kernel}, which looks at both ends where it arrives"
            raise argument_error(what, rule_of, f"{name} is of what is sent")
        if rule.of_sources and _compares(coupling):
            rule_of = (
                f"must be of the weights with {kernel}, which takes away what is at the target for each connection"
            )
            raise argument_error(what, rule_of, f"{name} is of what is sent", "coupling='additive'.")
        if not rule.of_sources and is_delayed and _sends_several(coupling):
            raise argument_error(
                what,
                f"cannot be of the weights with delays and {kernel}, which sends functions of the activity: the "
                "activity itself is not under way",
                hint="Write a kernel `pre(x_j, x_i)`, which sends it.",
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


def _sends_several(coupling: Coupling) -> bool:
    """Whether a kernel sends several numbers for each source."""
    return not coupling.pairwise and np.ndim(_tried(coupling)) > 1


def _compares(coupling: Coupling) -> bool:
    """Whether what enters a target depends on its summed weights."""
    total = np.zeros((*np.shape(_tried(coupling))[:-1], coupling.n_out))
    with jax.ensure_compile_time_eval():
        try:
            found = [coupling.post(total, np.ones(coupling.n_out), s * np.ones(coupling.n_out)) for s in (0.0, 1.0)]
        except u.UnitMismatchError:  # of parameters in the unit of a source, which a plain number has not
            return False
    return not is_traced(found) and not np.array_equal(*map(u.get_mantissa, found))


def _tried(coupling: Coupling) -> Numbers:
    with jax.ensure_compile_time_eval():
        return coupling.pre(np.zeros(coupling.n_in))


def _sees_turns(coupling: Coupling) -> bool:
    """Whether what a kernel sends tells an angle from one that is a turn more."""
    # Tried out, as a kernel of the user's says nothing of itself: the same for 0.3 and 0.3 + 2π at all sources.
    others = [np.zeros(coupling.n_in)] * (len(inspect.signature(coupling.pre).parameters) - 1)
    with jax.ensure_compile_time_eval():
        sent = [coupling.pre(np.full(coupling.n_in, angle), *others) for angle in (0.3, 0.3 + 2 * np.pi)]
    # sine and cosine of 0.3 + 2π differ by rounding, in single precision by about 1e-7
    return not is_traced(sent) and not np.allclose(*sent, atol=1e-4)
