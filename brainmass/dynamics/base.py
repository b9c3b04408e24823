"""`Declared`: a module generated from its declaration. `NeuralMassDynamics`: one with equations of motion."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Self, dataclass_transform

import brainstate
import brainunit as u

from brainmass.dynamics import integrators
from brainmass.dynamics.declaration import (
    batch_shape,
    bind_arguments,
    bind_derivative,
    check_derivatives,
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
    StateSpec,
    as_input,
    as_param,
    check_input_shape,
    default_dtype,
    initial_values,
    is_traced,
    option,
    param,
    required,
    show,
    spelling,
    state,
    suggestion,
)

__all__ = ["Declared", "ModelInfo", "NeuralMassDynamics", "Preset", "list_models"]


class ModelInfo(NamedTuple):
    """One row of the catalogue of models."""

    name: str
    category: str
    states: tuple[str, ...]
    use_case: str


_MODELS: list[type[NeuralMassDynamics]] = []


def list_models() -> list[ModelInfo]:
    """The node models of the package, in alphabetical order."""
    own = [m for m in _MODELS if m.__module__.startswith("brainmass.")]
    return sorted(ModelInfo(m.__name__, m.category, tuple(m._states), m.use_case) for m in own)


@dataclasses.dataclass(frozen=True)
class Preset:
    """A named set of parameters: what it is, where it is from, and the constructor's arguments."""

    doc: str
    reference: str
    values: Mapping[str, Any]


class Values:
    """Parameter values by name: `p = self.p`, then `p.tau` instead of `self.tau.value()`."""

    __slots__ = ("_module",)

    def __init__(self, module: Declared):
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name).value()


@dataclass_transform(eq_default=False, field_specifiers=(param, state, option, required, spelling))
class _Fields(brainstate.nn.Dynamics):
    """Carries `dataclass_transform`, which must stand one class above those that static tools should read."""


@dataclasses.dataclass(init=False, eq=False, repr=False)
class Declared(_Fields):
    """A module whose constructor, checks, documentation and state allocation come from its declared fields.

    Parameters
    ----------
    in_size : int or tuple of int
        Shape of the population, e.g. the number of regions.
    name : str, optional
    """

    in_size: Any = required()
    name: str | None = option(default=None)

    _params: ClassVar[Mapping[str, ParamSpec]] = {}
    _states: ClassVar[Mapping[str, StateSpec]] = {}
    _starts: ClassVar[Mapping[str, Any]] = {}
    _noises: ClassVar[Mapping[str, str]] = {}
    _spellings: ClassVar[Mapping[str, str]] = {}
    _options: ClassVar[tuple[str, ...]] = ()

    # --- the class ------------------------------------------------------------------------------------------
    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        read_declaration(cls)
        cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\n{doc_table(cls)}\n"

    # Set on what a user makes, not on the copies that brainstate puts together from parts already checked.
    _checked = False
    graph_invisible_attrs = ("_checked",)

    def __init__(self, *args: Any, **kwargs: Any):
        values = bind_arguments(type(self), args, kwargs)
        super().__init__(population_shape(self._owner, values.pop("in_size")), name=values.pop("name"))
        self._checked = True
        self._batch: tuple[int, ...] | None = None
        for key, value in values.items():
            setattr(self, key, value)

    @classmethod
    def translate(cls, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments given to the constructor, with those declared by `spelling` turned into parameters."""
        return given

    @property
    def varshape(self) -> tuple[int, ...]:
        """Shape of the population."""
        return self._in_size  # pyright: ignore[reportReturnType]

    @property
    def _owner(self) -> str:
        return type(self).__name__

    @property
    def p(self) -> Values:
        """The parameter values, by name."""
        return Values(self)

    def __setattr__(self, key: str, value: Any) -> None:
        if not self._checked:
            pass
        elif key in self._params and (value is not None or self._params[key].default is not None):
            value = as_param(self._owner, self._params[key], value, self.varshape)
        elif key in self._noises:
            self._attach_noise(key, value)
        elif key in self._spellings:
            raise AttributeError(
                f"`{key}` of {self._owner} is known to the constructor alone ({self._spellings[key]}): "
                "set the parameters that it stands for."
            )
        elif key in self._starts and not callable(value) and not (value is self._starts[key] is None):
            raise TypeError(
                f"Argument `{key}` of {self._owner} must be a callable that takes a shape, "
                f"but is {show(value)}. Example: {key}=braintools.init.Constant({show(value)})."
            )
        super().__setattr__(key, value)

    def __getattr__(self, key: str) -> Any:
        # Reached only when the attribute is missing.
        if key in type(self)._states:
            raise AttributeError(f"State `{key}` of {self._owner} is not there yet: call init_all_states() first.")
        raise AttributeError(f"{self._owner} has no attribute {key!r}.{suggestion(key, dir(type(self)))}")

    def _attach_noise(self, key: str, noise: Any) -> None:
        from brainmass.noise import Noise

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
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        given = [", ".join(map(str, self.varshape))]
        for key, spec in self._params.items():
            if getattr(self, key) is None:
                continue
            value = getattr(self, key).value()
            if is_traced(value) or u.math.shape(value) != () or differs(value, spec.default):
                given.append(f"{key}={'...' if is_traced(value) else show(value)}")
        for key in (*self._noises, *self._options):
            value = getattr(self, key)
            if value is not None and value != defaults[key]:
                given.append(f"{key}={value!r}")
        return f"{self._owner}({', '.join(given)})"


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
    - `remembers_input`: whether what enters the coupling port is kept, as the state `received`.

    Parameters
    ----------
    method : str, default 'exp_euler'
        Integration method: `'exp_euler'` or a fixed-step method of `braintools.quad`, e.g. `'heun'`, `'rk4'`.
    """

    method: str = option(default="exp_euler")

    category: ClassVar[str] = "physiological"
    use_case: ClassVar[str] = ""
    output: ClassVar[str | tuple[str, ...]] = ""
    coupling_port: ClassVar[str] = ""
    shared_inputs: ClassVar[Mapping[str, u.Unit]] = {}
    other_inputs: ClassVar[Mapping[str, str]] = {}
    sources: ClassVar[tuple[str, ...]] = ()
    presets: ClassVar[Mapping[str, Preset]] = {}
    remembers_input: ClassVar[bool] = False

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
        cls.output = cls.output or next(iter(cls._states))
        cls.coupling_port = cls.coupling_port or cls._ports[0]
        if cls.coupling_port not in cls._ports:
            raise TypeError(f"{cls.__name__}.coupling_port must be one of {cls._ports}, but is {cls.coupling_port!r}.")
        cls.update = update_method(cls)
        cls.derivative = derivative_method(cls)
        if not is_abstract(cls):
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
        elif key == "method" and self._checked:
            integrators.check_method(self._owner, value)
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
        if self.remembers_input:
            shape = (*(self._batch or ()), *self.varshape)
            zero = 0.0 * self._port_units[self.coupling_port]
            values["received"] = u.maybe_decimal(u.math.zeros(shape, dtype=default_dtype()) + zero)
        return values

    # --- motion ---------------------------------------------------------------------------------------------
    def _rates(self, state: tuple, inputs: Mapping[str, Any]) -> tuple:
        known = {**dict(zip(self._states, state, strict=True)), **inputs}
        return tuple(getattr(self, f"d{s}")(*(known[a] for a in args)) for s, args in self._arguments.items())

    def _advance(self, given: Mapping[str, Any], field: Callable[[dict, Any], dict] | None = None) -> Any:
        """One step of time.

        `given` holds the inputs of this step by port; `field(values, fraction)`, if there is one, what is
        added to them at each stage of the method.
        """
        dt, t = time_step(self._owner), brainstate.environ.get("t", 0.0 * u.ms)
        held = self._held_inputs(given)

        def inputs(state: tuple, fraction: Any) -> tuple:
            if field is None:
                return tuple(held.values())
            extra = field(dict(zip(self._states, state, strict=True)), fraction)
            return tuple(x + self._read(port, extra[port]) if port in extra else x for port, x in held.items())

        old = tuple(self.state_values().values())
        if self.remembers_input:
            received = dict(zip(held, inputs(old, 0.0), strict=True))[self.coupling_port]
            self.received.value = received + u.math.zeros_like(self.received.value)
        new = integrators.step(self.method, type(self).derivative.__get__(self), old, t, dt, inputs)
        for name, value in zip(self._states, new, strict=True):
            getattr(self, name).value = value
        return self._result()

    def _read(self, port: str, value: Any) -> Any:
        return as_input(self._owner, port, self._port_units[port], value)

    def _held_inputs(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All ports with what enters them through the whole step: what the caller gives, plus noise."""
        held = {port: 0.0 * unit for port, unit in self._port_units.items()}
        held = {port: u.maybe_decimal(zero) for port, zero in held.items()}
        shape = u.math.shape(getattr(self, next(iter(self._states))).value)
        for port, value in given.items():
            if value is not None:
                held[port] = self._read(port, value)
                check_input_shape(self._owner, port, held[port], shape)
        for name, port in self._noises.items():
            noise = getattr(self, name)
            if noise is not None:
                held[port] = held[port] + as_input(
                    f"{self._owner}, from `{name}`,", port, self._port_units[port], noise()
                )
        return held

    def _result(self) -> Any:
        def present(name: str) -> Any:
            value = getattr(self, name)
            return value.value if isinstance(value, brainstate.State) else value()

        return present(self.output) if isinstance(self.output, str) else tuple(map(present, self.output))


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
