"""What has states of its own and belongs to a projection: a system that a network steps along with its nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import brainstate
import brainunit as u

from brainmass._common.messages import Argument, argument_error, show, suggestion
from brainmass._common.typing import Numbers
from brainmass.dynamics.checks import initial_values
from brainmass.dynamics.declaration import batch_shape
from brainmass.dynamics.declared import WithRows

__all__ = ["Attached", "chosen"]


class _Awaited:
    """Where nothing is yet: with what the network brings it is that."""

    def __add__(self, brought: Numbers) -> Numbers:
        return brought


_AWAITED = _Awaited()


class Attached(WithRows):
    """Base of synapses and plasticity: rows of a model, whose shapes are those of a projection."""

    # What a step of time asks of whatever it steps.
    remembers: ClassVar[tuple[str, ...]] = ()

    argument: ClassVar[str] = ""  # of a network, under which it is given
    awaits: ClassVar[tuple[str, ...]] = ()  # what the network brings at each stage, by name

    _batch: tuple[int, ...] | None = None

    @property
    def method(self) -> str:
        """That of the network: it has none of its own."""
        return ""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of each state, without batch."""
        raise NotImplementedError

    # --- states -----------------------------------------------------------------------------------------------------
    def init_state(
        self,
        batch_size: int | tuple[int, ...] | None = None,
        *,
        rng: brainstate.random.RandomState | None = None,
        **kwargs: object,
    ) -> None:
        self._batch = batch_shape(self._owner, batch_size)
        for name, value in self._initial(rng).items():
            setattr(self, name, brainstate.HiddenState(value))

    def reset_state(self, *args: object, **kwargs: object) -> None:
        for name, value in self._initial().items():
            getattr(self, name).value = value

    def _initial(self, rng: brainstate.random.RandomState | None = None) -> dict[str, Numbers]:
        rng = brainstate.random.DEFAULT if rng is None else rng
        return {name: self._beginning(name, (*(self._batch or ()), *shape), rng) for name, shape in self.shapes.items()}

    def _beginning(self, name: str, shape: tuple[int, ...], rng: brainstate.random.RandomState) -> Numbers:
        spec, known = self._states[name], {**self.initial(), **self._begins}
        argument, init = (spec.init, getattr(self, spec.init)) if isinstance(spec.init, str) else (name, spec.init)
        init = (lambda _: known[name]) if name in known else init
        return initial_values(self._owner, spec, argument, init, shape, rng)

    def initial(self) -> dict[str, Numbers]:
        """Values that states begin with, of those where they follow from parameters."""
        return {}

    @property
    def has_states(self) -> bool:
        return all(isinstance(vars(self).get(name), brainstate.State) for name in self._states)

    def state_values(self) -> dict[str, Numbers]:
        """The present values of the states, by name."""
        return {name: getattr(self, name).value for name in self._states}

    # --- motion, as of a node -----------------------------------------------------------------------------------------
    def _held_inputs(self, given: Mapping[str, Numbers]) -> tuple[dict[str, Any], None]:
        return dict.fromkeys(self.awaits, _AWAITED), None

    def _own_field(self) -> Callable | None:
        return None

    def _read(self, port: str, value: Numbers) -> Numbers:
        return value

    def _motion(self, state: tuple, t: Numbers, *inputs: Numbers) -> tuple:
        raise NotImplementedError

    def drift(self, state: tuple, *inputs: Numbers) -> tuple:
        """The rates of change that analyses see."""
        return self._motion(state, 0.0 * u.ms, *inputs)

    def _settled(self, name: str, value: Numbers) -> Numbers:
        return value

    def _refuse_another(self) -> Exception:
        """It was given to one projection, and now to another of another size."""
        return argument_error(
            Argument(self.argument, "Network"),
            "must be one of its own for each projection",
            "is one of another with other sizes",
        )


def chosen(base: type[Attached], names: Mapping[str, type[Attached]], given: Any, example: str) -> Any:
    """One of a kind by its name, its class, or itself; None stays None."""
    if isinstance(given, str) and given in names:
        return names[given]()
    if isinstance(given, type) and issubclass(given, base) and given is not base and given._states:
        return given()
    if given is None or isinstance(given, base):
        return given
    raise argument_error(
        Argument(base.argument, "Network"),
        f"must be one of {', '.join(map(repr, names))}, or a {base.__name__}",
        f"is {show(given)}",
        example,
        hint=suggestion(str(given), names),
        kind=ValueError if isinstance(given, str) else TypeError,
    )
