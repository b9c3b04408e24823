"""Modules generated from their declaration: `WithRows`, `Declared`, which has a population, `NeuralMassDynamics`."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self, dataclass_transform

import brainstate
import brainunit as u
from brainstate.nn import Param

from brainmass._common.checks import is_function, is_traced
from brainmass._common.display import Html, folded, number, page, parameter_words, table
from brainmass._common.messages import show, suggestion
from brainmass._common.places import refuse_two_places
from brainmass._common.precision import default_dtype
from brainmass.dynamics import integrators
from brainmass.dynamics.declared import (
    batch_shape,
    bind_arguments,
    bind_derivative,
    check_derivatives,
    check_ports_are_used,
    derivative_method,
    differs,
    doc_table,
    is_abstract,
    population_shape,
    read_declaration,
    read_ports,
    update_method,
)
from brainmass.dynamics.fields import (
    ParamSpec,
    SettingSpec,
    StateSpec,
    as_input,
    as_param,
    as_setting,
    check_input_shape,
    initial_values,
    option,
    param,
    required,
    setting,
    spelling,
    state,
)
from brainmass.dynamics.module import ClosedModule
from brainmass.dynamics.regime import LargestStep, default_method, longest_step

__all__ = [
    "Declared",
    "ModelInfo",
    "NeuralMassDynamics",
    "Preset",
    "WithRows",
    "catalogued",
    "list_models",
    "near_name",
]


class ModelInfo(NamedTuple):
    """One row of the catalogue of models."""

    name: str
    category: str
    states: tuple[str, ...]
    use_case: str
    method: str = ""
    largest_step: float = math.inf
    """That of the default parameters, in ms."""


Field = Callable[[dict[str, Any], Any], Mapping[str, Any]]
"""From the states of a node at a stage, and the fraction of the step that has passed, to what enters its ports."""

_MODELS: list[Any] = []


def catalogued(model: Any) -> Any:
    """Put a class into the catalogue that is no complete node: a base of nodes, or a network of them."""
    _MODELS.append(model)
    return model


def list_models() -> list[ModelInfo]:
    """The models of the package, in alphabetical order."""
    own = [m for m in _MODELS if m.__module__.startswith("brainmass.")]
    return sorted(
        ModelInfo(m.__name__, m.category, tuple(m._states), m.use_case, default_method(m), longest_step(m)) for m in own
    )


@dataclasses.dataclass(frozen=True)
class Preset:
    """A named set of parameters: what it is, where it is from, the constructor's arguments, and the inputs it needs."""

    doc: str
    reference: str
    values: Mapping[str, Any]
    inputs: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Values:
    """Parameter values by name: `p = self.p`, then `p.tau` instead of `self.tau.value()`."""

    __slots__ = ("_module",)

    def __init__(self, module: WithRows):
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name).value()


@dataclass_transform(eq_default=False, field_specifiers=(param, setting, state, option, required, spelling))
class _Fields(ClosedModule):
    """Carries `dataclass_transform`, which must stand one class above those that static tools should read."""


@dataclasses.dataclass(init=False, eq=False, repr=False)
class WithRows(_Fields):
    """A module whose constructor, checks, documentation and display come from its declared fields."""

    _first_rows: ClassVar[tuple[str, ...]] = ()
    _params: ClassVar[Mapping[str, ParamSpec]] = {}
    _settings: ClassVar[Mapping[str, SettingSpec]] = {}
    _states: ClassVar[Mapping[str, StateSpec]] = {}
    _starts: ClassVar[Mapping[str, Any]] = {}
    _noises: ClassVar[Mapping[str, str]] = {}
    _spellings: ClassVar[Mapping[str, str]] = {}
    _spelled: ClassVar[Mapping[str, str]] = {}
    _options: ClassVar[tuple[str, ...]] = ()
    _checks: ClassVar[Mapping[str, Callable[[str, Any], Any]]] = {}

    # --- the class ------------------------------------------------------------------------------------------
    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        read_declaration(cls)
        cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\n{doc_table(cls)}".rstrip() + "\n"

    # Set on what a user makes, not on the copies that brainstate puts together from parts already checked.
    _checked = False
    graph_invisible_attrs = ("_checked",)

    def __init__(self, *args: Any, **kwargs: Any):
        values = bind_arguments(type(self), args, kwargs)
        super().__init__()
        self._set_rows(values)

    def _set_rows(self, values: Mapping[str, Any]) -> None:
        """Set the rows of an object that is being made, each checked by itself, then all together."""
        self._checked = True
        for key, value in values.items():
            setattr(self, key, value)
        self.check()

    def _close(self) -> None:
        self._checked = True
        super()._close()

    @classmethod
    def translate(cls, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments given to the constructor, with those declared by `spelling` turned into parameters."""
        return given

    def check(self) -> None:
        """Refuse parameters that contradict one another; each by itself is in order."""

    @property
    def _owner(self) -> str:
        return type(self).__name__

    @property
    def p(self) -> Values:
        """The parameter values, by name."""
        return Values(self)

    def shape_of(self, key: str, value: Any) -> tuple[int, ...] | None:
        """The shape that a parameter must fit; None where it is not known yet."""
        return ()

    # --- setting ----------------------------------------------------------------------------------------------
    def __setattr__(self, key: str, value: Any) -> None:
        if not self._checked:  # a copy that is put together: a run does that whenever it is traced
            object.__setattr__(self, key, value)
            return
        if not self._closed or key in self._states or key.startswith("_"):
            super().__setattr__(key, self._admitted(key, value))
            return
        before = dict(vars(self))
        try:
            super().__setattr__(key, self._admitted(key, value))
            self.check()
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    def _admitted(self, key: str, value: Any) -> Any:
        """What is set for what was given, or an error that says what may be given."""
        if key in self._params:
            if value is not None or self._params[key].default is not None:
                value = as_param(self._owner, self._params[key], value, self.shape_of(key, value))
        elif key in self._settings:
            value = as_setting(self._owner, self._settings[key], value, self.shape_of(key, value) or ())
        elif key in self._noises:
            self._attach_noise(key, value)
        elif key in self._checks:
            if value is not None or inspect.signature(type(self)).parameters[key].default is not None:
                value = self._checks[key](f"Argument `{key}` of {self._owner}", value)
        elif any(key in getattr(base, "_params", ()) for base in type(self).__mro__):
            raise AttributeError(f"{self._owner} has no parameter {key!r}: it has {', '.join(self._params)}.")
        elif key in self._spellings:
            raise AttributeError(
                f"`{key}` of {self._owner} is known to the constructor alone ({self._spellings[key]}): "
                "set the parameters that it stands for."
            )
        elif key in self._states and not isinstance(value, brainstate.State):
            raise AttributeError(
                f"`{key}` of {self._owner} is a state: write .{key}.value = ... once there are states, or give what "
                f"it starts from{f', `{start}`' if isinstance(start := self._states[key].init, str) else ''}."
            )
        elif key in self._starts and not is_function(value) and not (value is self._starts[key] is None):
            raise TypeError(
                f"Argument `{key}` of {self._owner} must be a callable that takes a shape, "
                f"but is {show(value)}. Example: {key}=braintools.init.Constant({show(value)})."
            )
        return value

    def __getattr__(self, key: str) -> Any:
        # Reached only when the attribute is missing.
        if key in type(self)._states:
            raise AttributeError(f"State `{key}` of {self._owner} is not there yet: call init_all_states() first.")
        raise AttributeError(f"{self._owner} has no attribute {key!r}.{near_name(type(self), key)}")

    # --- showing ------------------------------------------------------------------------------------------------
    def _given(self) -> list[str]:
        """What is not as by default, as it would be written."""
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        given = []
        for key, spec in self._params.items():
            if getattr(self, key) is None:
                continue
            value, fit = getattr(self, key).value(), getattr(self, key).fit
            if fit or is_traced(value) or u.math.shape(value) != () or differs(value, spec.default):
                given.append(f"{key}={'...' if is_traced(value) else show(value)}{' (trainable)' if fit else ''}")
        settings = {key: getattr(self, key) for key in self._settings}
        given += [f"{key}={show(x)}" for key, x in settings.items() if differs(x, self._settings[key].default)]
        for key in (*self._noises, *self._options):
            value = getattr(self, key)
            plain = isinstance(value, str | bool | int | float)
            if value != defaults[key] if plain else type(value) is not type(defaults[key]):
                value = value.value() if isinstance(value, Param) else value
                given.append(f"{key}={'...' if is_traced(value) else show(repr(value))}")
        return given

    def __repr__(self) -> str:
        return f"{self._owner}({', '.join(self._given())})"

    def _repr_html_(self) -> str:
        return page(self._owner, "", *self._tables())

    def _tables(self) -> list[Html]:
        """Parameters, states and noises."""
        params = {key: getattr(self, key) for key in self._params}
        rows = [(k, *parameter_words(p), self._params[k].doc) for k, p in params.items() if p is not None]
        rows += [(k, *number(getattr(self, k)), "", spec.doc) for k, spec in self._settings.items()]
        states = [(s.name, s.unit_words, s.port, s.noise, s.doc) for s in self._states.values()]
        noises = [(key, repr(x)) for key in self._noises if (x := getattr(self, key)) is not None]
        options = [(key, show(repr(getattr(self, key)))) for key in self._options if key != "name"]
        return [
            table(("parameter", "value", "unit", "trainable", "meaning"), rows),
            table(("state", "unit", "input", "noise", "meaning"), states),
            table(("noise", ""), noises),
            folded("options", table(("option", "value"), options)),
        ]


class Declared(WithRows, brainstate.nn.Dynamics):
    """A module with a population, whose constructor, checks, documentation and states come from its declared fields.

    Parameters
    ----------
    in_size : int or tuple of int
        Shape of the population, e.g. the number of regions.
    name : str, optional
    """

    in_size: Any = required()
    name: str | None = option(default=None)

    _first_rows = ("in_size",)

    def __init__(self, *args: Any, **kwargs: Any):
        values = bind_arguments(type(self), args, kwargs)
        shape, name = population_shape(self._owner, values.pop("in_size")), values.pop("name")
        brainstate.nn.Dynamics.__init__(self, shape, name=name)
        self._batch: tuple[int, ...] | None = None
        self._set_rows(values)

    @property
    def varshape(self) -> tuple[int, ...]:
        """Shape of the population."""
        return self._in_size  # pyright: ignore[reportReturnType]

    def shape_of(self, key: str, value: Any) -> tuple[int, ...] | None:
        return () if key in self._settings else self.varshape

    def _attach_noise(self, key: str, noise: Any) -> None:
        from brainmass.dynamics.noise import Noise

        if noise is None:
            return
        if not isinstance(noise, Noise):
            raise TypeError(
                f"Argument `{key}` of {self._owner} must be a brainmass.Noise or None, but is {show(noise)}."
            )
        if "_in_size" in vars(noise) and noise.varshape != self.varshape:
            raise ValueError(
                f"Argument `{key}` of {self._owner} must have the shape of the population, "
                f"in_size={self.varshape}, but is a {type(noise).__name__} with in_size={noise.varshape}."
            )
        others = [(name, vars(self).get(name)) for name in self._noises if name != key]
        refuse_two_places(self._owner, [*others, (key, noise)])
        if self._batch is not None and noise._batch != self._batch:
            noise.init_state(batch_size=self._batch)

    # --- states ---------------------------------------------------------------------------------------------
    def init_state(self, batch_size: int | tuple[int, ...] | None = None, *, rng: Any = None, **kwargs: Any) -> None:
        """Allocate the states with their initial values.

        Parameters
        ----------
        batch_size : int or tuple of int, optional
            Leading axes in front of the population shape.
        rng : brainstate RandomState, optional
            Generator of random initial values; default `brainstate.random`.
        """
        self._batch = batch_shape(self._owner, batch_size)
        for name, value in self._initial(rng).items():
            setattr(self, name, brainstate.HiddenState(value))

    def reset_state(self, *args: Any, **kwargs: Any) -> None:
        """Put the states, and those of the attached noises, back to initial values; the batch stays."""
        if self._batch is None and self._states:
            raise RuntimeError(f"{self._owner} has no states to reset: call init_all_states() first.")
        for name, value in self._initial(None).items():
            getattr(self, name).value = value
        for noise in self._noises:
            if getattr(self, noise) is not None:
                getattr(self, noise).reset_state()

    def _initial(self, rng: Any) -> dict[str, Any]:
        shape = (*(self._batch or ()), *self.varshape)
        rng = brainstate.random.DEFAULT if rng is None else rng
        return {
            s.name: initial_values(self._owner, s, *self._initializer(s), shape, rng) for s in self._states.values()
        }

    def _initializer(self, spec: StateSpec) -> tuple[str, Callable]:
        return (spec.init, getattr(self, spec.init)) if isinstance(spec.init, str) else (spec.name, spec.init)

    def state_values(self) -> dict[str, Any]:
        """The present values of the states, by name."""
        return {name: getattr(self, name).value for name in self._states}

    def __repr__(self) -> str:
        return f"{self._owner}({', '.join([', '.join(map(str, self.varshape)), *self._given()])})"

    def _repr_html_(self) -> str:
        size = ", ".join(map(str, self.varshape))
        return page(self._owner, f"in_size=({size})", *self._tables())


class NeuralMassDynamics(Declared):
    """A node of a brain network: states with equations of motion.

    A subclass declares its parameters and states and writes one method `d<state>` per state. The arguments of
    that method are bound by name: a state, a port, `ext` or `inp` for the state's own port, `add` for its
    second port. Beside its rows it may set these class attributes:

    - `category`, `use_case`: for the catalogue.
    - `output`: what `update` returns: the name of a state or of a method, or a tuple of names.
    - `coupling_port`: the port that network input enters.
    - `shared_inputs`: ports, with their units, that belong to no one state.
    - `other_inputs`: other names for ports; `convert_input` turns their values into those of the port.
    - `sources`: names besides the states that `source` knows, for a network to send.
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
    output: ClassVar[str | tuple[str, ...]] = ""
    coupling_port: ClassVar[str] = ""
    shared_inputs: ClassVar[Mapping[str, u.Unit]] = {}
    other_inputs: ClassVar[Mapping[str, str]] = {}
    sources: ClassVar[tuple[str, ...]] = ()
    presets: ClassVar[Mapping[str, Preset]] = {}
    largest_step: ClassVar[LargestStep | None] = None
    remembers: ClassVar[tuple[str, ...]] = ()

    _ports: ClassVar[tuple[str, ...]] = ()
    _adds: ClassVar[tuple[str, ...]] = ()
    _port_units: ClassVar[Mapping[str, u.Unit]] = {}
    _arguments: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_derivatives(cls)
        if not cls._states:
            return
        read_ports(cls)
        cls._arguments = {name: bind_derivative(cls, spec) for name, spec in cls._states.items()}
        check_ports_are_used(cls)
        cls.output = cls.output or next(iter(cls._states))
        cls.coupling_port = cls.coupling_port or cls._ports[0]
        if cls.coupling_port not in cls._ports:
            raise TypeError(f"{cls.__name__}.coupling_port must be one of {cls._ports}, but is {cls.coupling_port!r}.")
        cls.update = update_method(cls)
        cls.derivative = derivative_method(cls)
        if not is_abstract(cls) and not cls.__name__.startswith("_"):
            _MODELS.append(cls)

    def __init__(self, *args: Any, **kwargs: Any):
        if is_abstract(type(self)):
            raise TypeError(f"{self._owner} is a base class: write its equations in a subclass, or use one of those.")
        super().__init__(*args, **kwargs)

    @classmethod
    def preset(cls, name: str, in_size: Any, **others: Any) -> Self:
        """A model with a named set of parameters; further arguments add to it or take its place."""
        if name not in cls.presets:
            raise ValueError(
                f"{cls.__name__} has no preset {name!r}.{suggestion(str(name), cls.presets)} "
                f"It has {', '.join(cls.presets) or 'none'}."
            )
        return cls(in_size, **{**cls.presets[name].values, **others})

    def __setattr__(self, key: str, value: Any) -> None:
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
            if self.coupling_port in (port, spec.port):
                return name
        if not self._noises:
            raise AttributeError(f"{self._owner} takes no noise.")
        return next(iter(self._noises))

    # --- what a network and an observer take from a node ----------------------------------------------------
    def source(self, name: str, values: Mapping[str, Any]) -> Any:
        """What the node sends to others as `name`, a state or one of `sources`, made fit for the coupling port."""
        return values[name]

    def convert_input(self, name: str, value: Any) -> Any:
        """What an input of `other_inputs` is at its port."""
        return value

    def activity(self) -> Any:
        """The present activity that a network, or a forward model, takes from this node by default."""
        first = self.output if isinstance(self.output, str) else self.output[0]
        return self.source(first, self.state_values()) if first in self._states else getattr(self, first)()

    def _initial(self, rng: Any) -> dict[str, Any]:
        values = super()._initial(rng)
        shape = (*(self._batch or ()), *self.varshape)
        for port in self.remembers:
            zeros = u.math.zeros(shape, dtype=default_dtype()) * self._port_units[port]
            values[f"received_{port}"] = u.maybe_decimal(zeros)
        return values

    # --- motion ---------------------------------------------------------------------------------------------
    def _rates(self, state: tuple, inputs: Mapping[str, Any]) -> tuple:
        known = {**dict(zip(self._states, state, strict=True)), **inputs}
        return tuple(getattr(self, f"d{s}")(*(known[a] for a in args)) for s, args in self._arguments.items())

    def _motion(self, state: tuple, t: Any, *inputs: Any) -> tuple:
        """What a step integrates: the rates of change under the inputs of a stage."""
        return type(self).derivative(self, state, t, *inputs)

    def set_time_step(self, dt: Any) -> None:
        """Told the time step before a run; a node that keeps its past makes room for it."""

    def _own_field(self) -> Field | None:
        """What the node adds to its own ports at each stage, beside inputs and network: a function, or None.

        Called once at the start of every step, it may take in what is sent then.
        """
        return None

    def _advance(self, given: Mapping[str, Any], field: Field | None = None) -> Any:
        """One step of time.

        `given` holds the inputs of this step by port; `field(values, fraction)`, if there is one, what is
        added to them at each stage of the method.
        """
        advance([self], [given], None if field is None else lambda values, fraction: [field(values[0], fraction)])
        return self._result()

    def _read(self, port: str, value: Any) -> Any:
        return as_input(self._owner, port, self._port_units[port], value)

    def _held_inputs(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], Field | None]:
        """What enters each port through the whole step, and noise whose amplitude follows the state through it.

        The first is what the caller gives, plus noise; the second, if there is any, a function as of `_own_field`.
        """
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
            entering = functools.partial(self._noise_at_port, name, port, noise, noise())
            if noise.enters_stages(self._owner, self.method):
                following.append((port, entering))
            else:
                held[port] = held[port] + entering(values)
        if not following:
            return held, None
        return held, lambda values, fraction: {port: entering(values) for port, entering in following}

    def _noise_at_port(self, name: str, port: str, noise: Any, sample: Any, values: Mapping[str, Any]) -> Any:
        owner = f"{self._owner}, from `{name}`,"
        return as_input(owner, port, self._port_units[port], noise.scaled(sample, values))

    def _settled(self, name: str, value: Any) -> Any:
        """A state at the end of a step: an angle without whole turns, with `clamp` a value within its bounds."""
        spec = self._states[name]
        if spec.is_angle:
            return integrators.without_turns(value)
        if not (self.clamp and spec.domain.is_bounded):
            return value
        low, high = (u.maybe_decimal(bound * u.get_unit(value)) for bound in spec.domain.bounds)
        return u.math.clip(value, low, high)

    def _result(self) -> Any:
        def present(name: str) -> Any:
            value = getattr(self, name)
            return value.value if isinstance(value, brainstate.State) else value()

        return present(self.output) if isinstance(self.output, str) else tuple(map(present, self.output))


def advance(
    nodes: Sequence[NeuralMassDynamics],
    given: Sequence[Mapping[str, Any]],
    field: Callable[[list[dict[str, Any]], Any], Sequence[Mapping[str, Any]]] | None = None,
) -> None:
    """One step of time of some nodes together.

    `given` holds the inputs of this step for each node, by port; `field(values, fraction)` what is added to them at
    each stage of the method, for each node, from the states of all.
    """
    dt, t = time_step(nodes[0]._owner), brainstate.environ.get("t", 0.0 * u.ms)
    entering = [node._held_inputs(inputs) for node, inputs in zip(nodes, given, strict=True)]
    held = [ports for ports, _ in entering]
    own = [(node._own_field(), noise) for node, (_, noise) in zip(nodes, entering, strict=True)]

    def inputs(state: tuple, fraction: Any) -> tuple:
        values = _by_node(nodes, state)
        extra = [{} for _ in nodes] if field is None else field(values, fraction)
        flat: list[Any] = []
        for node, ports, within, others, present in zip(nodes, held, own, extra, values, strict=True):
            for added in (others, *(adds(present, fraction) for adds in within if adds)):
                ports = {port: x + node._read(port, added[port]) if port in added else x for port, x in ports.items()}
            flat += ports.values()
        return tuple(flat)

    def motion(state: tuple, t: Any, *inputs: Any) -> tuple:
        rates, rest = [], inputs
        for node, values in zip(nodes, _by_node(nodes, state), strict=True):
            mine, rest = rest[: len(node._port_units)], rest[len(node._port_units) :]
            rates += node._motion(tuple(values.values()), t, *mine)
        return tuple(rates)

    old = tuple(value for node in nodes for value in node.state_values().values())
    _remember(nodes, inputs, old)
    new = integrators.step(nodes[0].method, motion, old, t, dt, inputs)
    for node, values in zip(nodes, _by_node(nodes, new), strict=True):
        for name, value in values.items():
            getattr(node, name).value = node._settled(name, value)


@functools.lru_cache(maxsize=1024)
def near_name(kind: type, name: str) -> str:
    """Kept, since brainstate asks for what is not there whenever it rebuilds a module."""
    return suggestion(name, dir(kind))


def _check_clamp(node: NeuralMassDynamics, clamp: Any) -> None:
    if not isinstance(clamp, bool):
        raise TypeError(f"Argument `clamp` of {node._owner} must be True or False, but is {show(clamp)}.")
    if clamp and not any(spec.domain.is_bounded for spec in node._states.values()):
        raise ValueError(
            f"Argument `clamp` of {node._owner} has no effect: none of its states, {', '.join(node._states)}, has "
            "bounds."
        )


def _by_node(nodes: Sequence[NeuralMassDynamics], flat: tuple) -> list[dict[str, Any]]:
    """The states of each node by name, from those of all in a row."""
    rest = iter(flat)
    return [{name: next(rest) for name in node._states} for node in nodes]


def _remember(nodes: Sequence[NeuralMassDynamics], inputs: Callable, state: tuple) -> None:
    """Keep what enters the ports that nodes want to remember."""
    if not any(node.remembers for node in nodes):
        return
    entering = iter(inputs(state, 0.0))
    for node in nodes:
        ports = {port: next(entering) for port in node._port_units}
        for port in node.remembers:
            kept = getattr(node, f"received_{port}")
            kept.value = ports[port] + u.math.zeros_like(kept.value)


def time_step(owner: str) -> Any:
    """The time step of the environment, or an error that says where to set one."""
    dt = brainstate.environ.get("dt", default=None)
    if dt is None:
        raise ValueError(
            f"{owner} needs a time step: write brainmass.Simulator(model, dt=0.1 * u.ms), "
            "or brainstate.environ.set(dt=0.1 * u.ms)."
        )
    if not u.get_unit(dt).has_same_dim(u.ms):
        raise u.UnitMismatchError(
            f"{owner} needs a time step that is a time, but brainstate.environ has dt={show(dt)}. "
            "Example: brainstate.environ.set(dt=0.1 * u.ms)."
        )
    return dt
