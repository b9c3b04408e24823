"""`NeuralMassDynamics`: the base of the models, from its rows and equations to a step of time."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import brainstate
import brainunit as u
import jax

from brainmass._common.messages import Argument, argument_error, show, suggestion
from brainmass._common.places import refuse_two_places
from brainmass._common.precision import default_dtype
from brainmass._common.typing import Array, Numbers, Pytree
from brainmass.dynamics import integrators
from brainmass.dynamics.catalogue import catalogued
from brainmass.dynamics.checks import as_input, check_input_shape
from brainmass.dynamics.declaration import (
    bind_derivative,
    check_derivatives,
    check_ports_are_used,
    derivative_method,
    is_abstract,
    read_ports,
    update_method,
)
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import option
from brainmass.dynamics.noise import Noise
from brainmass.dynamics.regime import LargestStep
from brainmass.dynamics.step import Field, advance

__all__ = ["NeuralMassDynamics", "Preset"]


@dataclasses.dataclass(frozen=True)
class Preset:
    """A named set of parameters: what it is, where it is from, the constructor's arguments, and the inputs it needs."""

    doc: str
    reference: str
    values: Mapping[str, Numbers]
    inputs: Mapping[str, Numbers] = dataclasses.field(default_factory=dict)


class NeuralMassDynamics(Declared):
    """A node of a brain network: states with equations of motion.

    A subclass declares its parameters and states and writes one method `d<state>` per state. The arguments of
    that method are bound by name: a state, a port, `ext` or `inp` for the state's own port, `add` for its
    second port. Beside its rows it may set these class attributes:

    - `category`, `use_case`, `questions`: for the catalogue.
    - `output`: what `update` returns: the name of a state or of a method, or a tuple of names.
    - `coupling_port`: the port that network input enters.
    - `shared_inputs`: ports, with their units, that belong to no one state.
    - `further_inputs`: such ports that most runs leave at zero: they come last, in `update` and in `derivative`.
    - `other_inputs`: other names for ports; `convert_input` turns their values into those of the port.
    - `sources`: names besides the states that `source` knows, for a network to send.
    - `modes`: by the name of what they are modes of, states that are its modes: results show them on one axis.
    - `presets`: named sets of parameters.
    - `largest_step`: the largest time step that suits the model with its default method, a `LargestStep`.
    - `remembers`: ports of which the input of the last step is kept, as the states `received_<port>`.

    Parameters
    ----------
    method : str, default 'heun'
        Integration method: a fixed-step method of `braintools.quad`, e.g. `'heun'`, `'rk4'`, or `'exp_euler'`.
    clamp : bool, default False
        Whether after each step a state that noise or a large step took out of its domain is put back to its bound, as
        in The Virtual Brain. Where it is not, a run says so.
    """

    method: str = option(default="heun", check=integrators.check_method)
    clamp: bool = option(default=False)

    category: ClassVar[str] = "physiological"
    use_case: ClassVar[str] = ""
    questions: ClassVar[tuple[str, ...]] = ()
    output: ClassVar[str | tuple[str, ...]] = ""
    coupling_port: ClassVar[str] = ""
    shared_inputs: ClassVar[Mapping[str, u.Unit]] = {}
    further_inputs: ClassVar[Mapping[str, u.Unit]] = {}
    other_inputs: ClassVar[Mapping[str, str]] = {}
    sources: ClassVar[tuple[str, ...]] = ()
    modes: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    presets: ClassVar[Mapping[str, Preset]] = {}
    largest_step: ClassVar[LargestStep | None] = None
    remembers: ClassVar[tuple[str, ...]] = ()
    _source_needs_inputs: ClassVar[bool] = False  # states alone do not say what it sends

    _ports: ClassVar[tuple[str, ...]] = ()
    _adds: ClassVar[tuple[str, ...]] = ()
    _port_units: ClassVar[Mapping[str, u.Unit]] = {}
    _arguments: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        check_derivatives(cls)
        if not cls._states:
            return
        # Ports first: derivatives are bound to them by name.
        read_ports(cls)
        cls._arguments = {name: bind_derivative(cls, spec) for name, spec in cls._states.items()}
        check_ports_are_used(cls)
        cls.output = cls.output or next(iter(cls._states))
        cls.coupling_port = cls.coupling_port or cls._ports[0]
        if cls.coupling_port not in cls._ports:
            raise TypeError(f"{cls.__name__}.coupling_port must be one of {cls._ports}, but is {cls.coupling_port!r}.")
        _check_modes(cls)
        cls.update = update_method(cls)
        cls.derivative = derivative_method(cls)
        # What begins with an underscore is a base of models that share equations.
        if not is_abstract(cls) and not cls.__name__.startswith("_"):
            catalogued(cls)

    def __init__(self, *args: object, **kwargs: object):
        if is_abstract(type(self)):
            raise TypeError(f"{self._owner} is a base class: write its equations in a subclass, or use one of those.")
        super().__init__(*args, **kwargs)

    @classmethod
    def preset(cls, name: str, in_size: object, **others: object) -> Self:
        """A model with a named set of parameters; further arguments add to it or take its place."""
        if name not in cls.presets:
            raise ValueError(
                f"{cls.__name__} has no preset {name!r}.{suggestion(str(name), cls.presets)} "
                f"It has {', '.join(cls.presets) or 'none'}."
            )
        return cls(in_size, **{**cls.presets[name].values, **others})

    def __setattr__(self, key: str, value: object) -> None:
        if key == "noise":
            key = self._main_noise()
        elif key == "clamp" and self._checked:
            _check_clamp(self, value)
        elif self._checked and key.startswith("noise") and key not in self._noises:
            raise AttributeError(
                f"{self._owner} has no noise `{key}`; it has {', '.join(self._noises) or 'none'}"
                f"{', and `noise` for the main port' if self._noises else ''}."
            )
        super().__setattr__(key, value)

    @property
    def noise(self) -> Any:
        """The noise of the main port; assigning sets it."""
        return getattr(self, self._main_noise())

    def _main_noise(self) -> str:
        for name, port in self._noises.items():
            spec = next(s for s in self._states.values() if s.noise == name)
            # That of the state which the network drives; noise may enter it by a port of its own.
            if self.coupling_port in (port, spec.port):
                return name
        if not self._noises:
            raise AttributeError(f"{self._owner} takes no noise.")
        return next(iter(self._noises))

    def _attach_noise(self, key: str, noise: Noise | None) -> None:
        if noise is None:
            return
        if not isinstance(noise, Noise):
            raise argument_error(
                Argument(key, self._owner), "must be a brainmass.Noise or None", f"is {show(noise)}", kind=TypeError
            )
        if "_in_size" in vars(noise) and noise.varshape != self.varshape:
            raise argument_error(
                Argument(key, self._owner),
                f"must have the shape of the population, in_size={self.varshape}",
                f"is a {type(noise).__name__} with in_size={noise.varshape}",
            )
        others = [(name, vars(self).get(name)) for name in self._noises if name != key]
        refuse_two_places(self._owner, [*others, (key, noise)])
        # A model that has states already may run from them, and a noise without, or for other lanes, could not.
        if self._batch is not None and noise._batch != self._batch:
            noise.init_state(batch_size=self._batch)

    # --- what a network and an observer take from a node ----------------------------------------------------
    def source(self, name: str, values: Mapping[str, Numbers]) -> Numbers:
        """What the node sends to others as `name`, a state or one of `sources`, made fit for the coupling port.

        Analyses add to the states among `values` what is held at the ports.
        """
        return values[name]

    def convert_input(self, name: str, value: object) -> Numbers:
        """What an input of `other_inputs` is at its port."""
        return value

    def activity(self) -> Array:
        """The present activity that a network, or a forward model, takes from this node by default."""
        # Of several outputs the first is what others get.
        first = self.output if isinstance(self.output, str) else self.output[0]
        return self.source(first, self.state_values()) if first in self._states else getattr(self, first)()

    def _initial(self, rng: brainstate.random.RandomState | None) -> dict[str, Pytree]:
        # Ports that are remembered are states as well: before the first step nothing has entered.
        values = super()._initial(rng)
        shape = (*(self._batch or ()), *self.varshape)
        for port in self.remembers:
            zeros = u.math.zeros(shape, dtype=default_dtype()) * self._port_units[port]
            values[f"received_{port}"] = u.maybe_decimal(zeros)
        return values

    # --- motion ---------------------------------------------------------------------------------------------
    def _rates(self, state: tuple, inputs: Mapping[str, object]) -> tuple:
        known = {**dict(zip(self._states, state, strict=True)), **inputs}
        return tuple(getattr(self, f"d{s}")(*(known[a] for a in args)) for s, args in self._arguments.items())

    def _motion(self, state: tuple, t: Numbers, *inputs: Numbers) -> tuple:
        """What a step integrates: the rates of change under the inputs of a stage."""
        return type(self).derivative(self, state, t, *inputs)

    def set_time_step(self, dt: Numbers) -> None:
        """Told the time step before a run; a node that keeps its past makes room for it."""

    def _own_field(self) -> Field | None:
        """What the node adds to its own ports at each stage, beside inputs and network: a function, or None.

        Called once at the start of every step, it may take in what is sent then.
        """
        return None

    def _own_at_rest(self, values: Mapping[str, Numbers], arriving: Numbers = None) -> Mapping[str, object]:
        """What `_own_field` adds where the states have long been these; `arriving`: where they were others before.

        Beside the states, `values` has what enters the ports from elsewhere.
        """
        return {}

    def _own_delays(self) -> tuple[Numbers, Numbers] | None:
        """Delays in ms of what a node sends to itself, one for each connection, and where each is from; None: none."""
        return None

    def _sent_to_itself(self, values: Mapping[str, Numbers]) -> Numbers:
        """What arrives after `_own_delays`, shape (batch..., number of sources); `values` has what is held at ports."""
        raise NotImplementedError

    def _advance(self, given: Mapping[str, Pytree], field: Field | None = None) -> Pytree:
        """One step of time.

        `given` holds the inputs of this step by port; `field(values, fraction)`, if there is one, what is
        added to them at each stage of the method.
        """
        advance([self], [given], None if field is None else lambda values, fraction: [field(values[0], fraction)])
        return self._result()

    def _read(self, port: str, value: Numbers) -> Numbers:
        return as_input(self._owner, port, self._port_units[port], value)

    def _held_inputs(self, given: Mapping[str, Pytree]) -> tuple[dict[str, object], Field | None]:
        """What enters each port through the whole step, and noise whose amplitude follows the state through it.

        The first is what the caller gives, plus noise; the second, if there is any, a function as of `_own_field`.
        """
        # A port at which nothing enters is zero in its unit, so that equations need not ask.
        held = {port: 0.0 * unit for port, unit in self._port_units.items()}
        held = {port: u.maybe_decimal(zero) for port, zero in held.items()}
        values = self.state_values()
        shape = u.math.shape(next(iter(values.values())))
        for port, value in given.items():
            if value is not None:
                held[port] = self._read(port, value)
                check_input_shape(self._owner, port, held[port], shape)
        following = []
        for name, port in self._noises.items():
            noise = getattr(self, name)
            if noise is None:
                continue
            # Drawn once, for all stages of the step; bound here, as the loop's variables will be those of the last
            # noise.
            entering = functools.partial(self._noise_at_port, name, port, noise, noise())
            if noise.enters_stages(self._owner, self.method):
                following.append((port, entering))
            else:
                held[port] = held[port] + entering(values)
        if not following:
            return held, None
        return held, lambda values, fraction: {port: entering(values) for port, entering in following}

    def _noise_at_port(
        self, name: str, port: str, noise: Noise, sample: jax.Array, values: Mapping[str, Numbers]
    ) -> Array:
        owner = f"{self._owner}, from `{name}`,"
        return as_input(owner, port, self._port_units[port], noise.scaled(sample, values))

    def _settled(self, name: str, value: jax.Array) -> jax.Array:
        """A state at the end of a step: an angle without whole turns, with `clamp` a value within its bounds."""
        spec = self._states[name]
        if spec.is_angle:
            return integrators.without_turns(value)
        if not (self.clamp and spec.domain.is_bounded):
            return value
        low, high = (u.maybe_decimal(bound * u.get_unit(value)) for bound in spec.domain.bounds)
        return u.math.clip(value, low, high)

    def _result(self) -> Pytree:
        def present(name: str) -> jax.Array:
            value = getattr(self, name)
            return value.value if isinstance(value, brainstate.State) else value()

        return present(self.output) if isinstance(self.output, str) else tuple(map(present, self.output))


def _check_modes(cls: type[NeuralMassDynamics]) -> None:
    for name, states in cls.modes.items():
        if name in cls._states or not states or not set(states) <= cls._states.keys():
            raise TypeError(
                f"{cls.__name__}.modes must give names that are no state to tuples of states, "
                f"{', '.join(cls._states)}, but has {name!r}: {states!r}."
            )


def _check_clamp(node: NeuralMassDynamics, clamp: Any) -> None:
    if not isinstance(clamp, bool):
        raise argument_error(
            Argument("clamp", node._owner), "must be True or False", f"is {show(clamp)}", kind=TypeError
        )
    if clamp and not any(spec.domain.is_bounded for spec in node._states.values()):
        raise argument_error(
            Argument("clamp", node._owner),
            f"has no effect: none of its states, {', '.join(node._states)}, has bounds",
        )
