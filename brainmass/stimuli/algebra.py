"""What drives a run from outside, and its sums and products."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.messages import show
from brainmass._common.places import refuse_two_places
from brainmass._common.times import steps_of
from brainmass._common.typing import Numbers, Time
from brainmass.dynamics.module import Module
from brainmass.dynamics.noise import Noise

__all__ = ["Combined", "Drive"]


class Drive(Module):
    """Something to put into an input port: a stimulus, or a sum or product of stimuli, noises and numbers."""

    if TYPE_CHECKING:  # a stimulus has it as a module with a population

        @property
        def varshape(self) -> tuple[int, ...]:
            """Shape of the population."""
            ...

    draws: bool = False  # whether it draws random numbers

    def entering(self, look: Callable[[Any], Numbers]) -> Numbers:
        """What enters a port in the present step of a run; `look` tells what closes a loop what the model is like."""
        return self.update()

    @abstractmethod
    def update(self) -> Numbers:
        """The value in the present step, which begins at the time `t` of the environment; of the population's shape."""

    @property
    @abstractmethod
    def unit(self) -> Numbers:
        """Its unit."""

    @property
    def holds(self) -> bool:
        """Whether, as a course, it has one value through each step, and not one for each stage."""
        return True

    def at_stage(self) -> Numbers:
        """The value at the present stage of a step, for a parameter that it moves; of what jumps that of the step."""
        return self.update()

    @property
    def closing(self) -> tuple[Any, ...]:
        """The parts of it that close a loop."""
        return ()

    def check_duration(self, what: str, duration: float) -> None:
        """Refuse a run that ends so many ms after time zero and that it cannot drive; errors call it `what`."""

    def __call__(self, t: object) -> Numbers:
        """The value at the time `t`, a Quantity."""
        if not u.get_unit(t).has_same_dim(u.ms):
            raise u.UnitMismatchError(
                f"{type(self).__name__} must be called with a time, but is with {show(t)}. Example: stimulus(5 * u.ms)."
            )
        if t is brainstate.environ.get("t", default=None):  # within a run: its number of steps says it to all digits
            return self.update()
        with brainstate.environ.context(t=t, i=None):
            return self.update()

    def series(self, duration: Time, dt: Time) -> Numbers:
        """The values of all steps of a run from time zero on, as an array (steps, *in_size).

        What draws random numbers has none: those of a run come from its key.
        """
        if self.draws:
            raise ValueError(
                f"This {type(self).__name__} has no series: its random numbers come from the key of a run. Give it to "
                "the run itself, as one of its `inputs`."
            )
        n = steps_of("duration", duration, dt)

        def step(i: object) -> Numbers:
            with brainstate.environ.context(i=i, t=i * dt, dt=dt):
                return self.update()

        return jax.jit(jax.vmap(step))(jnp.arange(n))

    def __add__(self, other: object) -> Combined:
        return Combined(self, other, "+")

    def __radd__(self, other: object) -> Combined:
        return Combined(other, self, "+")

    def __neg__(self) -> Combined:
        return Combined(-1.0, self, "*")

    def __sub__(self, other: Any) -> Combined:
        return Combined(self, Combined(-1.0, other, "*") if isinstance(other, Drive | Noise) else -1.0 * other, "+")

    def __rsub__(self, other: object) -> Combined:
        return Combined(other, -self, "+")

    def __mul__(self, other: object) -> Combined:
        return Combined(self, other, "*")

    def __rmul__(self, other: object) -> Combined:
        return Combined(other, self, "*")


class Combined(Drive):
    """The sum or the product of two drives, noises or numbers."""

    def __init__(self, first: object, second: object, operation: str):
        super().__init__()
        for part in first, second:
            if not isinstance(part, Drive | Noise) and (callable(part) or np.ndim(u.get_mantissa(part)) > 0):
                raise TypeError(
                    f"A stimulus can be added to and multiplied by stimuli, noises and numbers, but not {show(part)}."
                )
        units = [_unit(part) for part in (first, second)]
        if operation == "+" and not units[0].has_same_dim(units[1]):
            raise u.UnitMismatchError(
                f"Stimuli that are added must have one dimension, but have the units {units[0]} and {units[1]}."
            )
        sizes = [part.varshape for part in (first, second) if isinstance(part, Drive | Noise)]
        if len(set(sizes)) > 1:
            raise ValueError(f"Stimuli that are combined must have one `in_size`, but have {sizes[0]} and {sizes[1]}.")
        refuse_two_places(type(self).__name__, _noises_in("first", first) + _noises_in("second", second))
        self._varshape = sizes[0]
        self.first, self.second, self.operation = first, second, operation

    @property
    def varshape(self) -> tuple[int, ...]:
        return self._varshape

    @property
    def draws(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return any(isinstance(part, Noise) or (isinstance(part, Drive) and part.draws) for part in self.operands)

    @property
    def holds(self) -> bool:
        return all(part.holds for part in self.operands if isinstance(part, Drive))

    @property
    def unit(self) -> Numbers:
        first, second = _unit(self.first), _unit(self.second)
        return first if self.operation == "+" else first * second

    @property
    def closing(self) -> tuple[Any, ...]:
        return tuple(loop for part in self.operands if isinstance(part, Drive) for loop in part.closing)

    def check_duration(self, what: str, duration: float) -> None:
        for part in self.first, self.second:
            if isinstance(part, Drive):
                part.check_duration(what, duration)

    def update(self) -> Numbers:
        return self._of(*map(_now, self.operands))

    def entering(self, look: Callable[[Any], Numbers]) -> Numbers:
        return self._of(*(part.entering(look) if isinstance(part, Drive) else _now(part) for part in self.operands))

    def at_stage(self) -> Numbers:
        return self._of(*(part.at_stage() if isinstance(part, Drive) else part for part in self.operands))

    def _of(self, first: Numbers, second: Numbers) -> Numbers:
        return first + second if self.operation == "+" else first * second

    @property
    def operands(self) -> tuple[Numbers, Numbers]:
        return self.first, self.second


def _noises_in(name: str, part: object) -> list[tuple[str, Noise]]:
    """The noises of an operand, by their places in it."""
    if not isinstance(part, Combined):
        return [(name, part)] if isinstance(part, Noise) else []
    return _noises_in(f"{name}.first", part.first) + _noises_in(f"{name}.second", part.second)


def _now(part: Numbers) -> Numbers:
    return part.update() if isinstance(part, Drive | Noise) else part


def _unit(part: object) -> Numbers:
    if isinstance(part, Noise):
        return u.get_unit(part.p.sigma)
    return part.unit if isinstance(part, Drive) else u.get_unit(part)
