"""Modules generated from their declaration: `WithRows`, and `Declared`, which has a population."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping, Set
from types import MappingProxyType
from typing import Any, ClassVar, dataclass_transform

import brainstate
import brainunit as u
import jax
from brainstate.nn import Param

from brainmass._common.checks import instance, is_function, is_traced
from brainmass._common.display import Html, folded, number, page, parameter_words, table
from brainmass._common.messages import Argument, argument_error, show, suggestion
from brainmass._common.typing import Numbers, Pytree
from brainmass.dynamics.checks import as_param, as_setting, initial_values
from brainmass.dynamics.declaration import (
    batch_shape,
    bind_arguments,
    differs,
    doc_table,
    population_shape,
    read_declaration,
)
from brainmass.dynamics.fields import (
    ParamSpec,
    SettingSpec,
    StateSpec,
    option,
    param,
    required,
    setting,
    spelling,
    state,
)
from brainmass.dynamics.module import ClosedModule

__all__ = ["Declared", "WithRows", "near_name"]


class Values:
    """Parameter values by name: `p = self.p`, then `p.tau` instead of `self.tau.value()`."""

    __slots__ = ("_module",)

    def __init__(self, module: WithRows):
        self._module = module

    def __getattr__(self, name: str) -> jax.Array:
        return getattr(self._module, name).value()


@dataclass_transform(eq_default=False, field_specifiers=(param, setting, state, option, required, spelling))
class _Fields(ClosedModule):
    """Carries `dataclass_transform`, which must stand one class above those that static tools should read."""


@dataclasses.dataclass(init=False, eq=False, repr=False)
class WithRows(_Fields):
    """A module whose constructor, checks, documentation and display come from its declared fields."""

    # Parameters whose shape is no matter of that of the population.
    of_any_shape: ClassVar[tuple[str, ...]] = ()

    _first_rows: ClassVar[tuple[str, ...]] = ()
    _params: ClassVar[Mapping[str, ParamSpec]] = {}
    _settings: ClassVar[Mapping[str, SettingSpec]] = {}
    _begins: ClassVar[Mapping[str, Numbers]] = MappingProxyType({})  # what a run begins with, whatever initialisers say
    _states: ClassVar[Mapping[str, StateSpec]] = {}
    _starts: ClassVar[Mapping[str, Any]] = {}
    _noises: ClassVar[Mapping[str, str]] = {}
    _spellings: ClassVar[Mapping[str, str]] = {}
    _spelled: ClassVar[Mapping[str, str]] = {}
    _options: ClassVar[tuple[str, ...]] = ()
    _checks: ClassVar[Mapping[str, Callable[[str, Any], Any]]] = {}

    # --- the class ------------------------------------------------------------------------------------------
    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        read_declaration(cls)
        cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\n{doc_table(cls)}".rstrip() + "\n"

    # Set on what a user makes, not on the copies that brainstate puts together from parts already checked.
    _checked = False
    graph_invisible_attrs = ("_checked",)

    def __init__(self, *args: object, **kwargs: object):
        values = bind_arguments(type(self), args, kwargs)
        super().__init__()
        self._set_rows(values)

    def _set_rows(self, values: Mapping[str, object]) -> None:
        """Set the rows of an object that is being made, each checked by itself, then all together."""
        self._checked = True
        for key, value in values.items():
            setattr(self, key, value)
        self.check()

    def _close(self) -> None:
        self._checked = True
        super()._close()

    @classmethod
    def translate(cls, given: dict[str, object]) -> dict[str, Any]:
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

    def shape_of(self, key: str, value: object) -> tuple[int, ...] | None:
        """The shape that a parameter must fit; None where it is not known yet."""
        return ()

    @property
    def _made(self) -> Set[str]:
        """The states that `init_state` makes, by name, in any run."""
        return self._states.keys()

    # --- setting ----------------------------------------------------------------------------------------------
    def __setattr__(self, key: str, value: object) -> None:
        if not self._checked:  # a copy that is put together: a run does that whenever it is traced
            object.__setattr__(self, key, value)
            return
        if not self._closed or key in self._states or key.startswith("_"):
            super().__setattr__(key, self._admitted(key, value))
            return
        # Whether it contradicts the others can be told only once it is set: then all is put back.
        before = dict(vars(self))
        try:
            super().__setattr__(key, self._admitted(key, value))
            self.check()
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    def _admitted(self, key: str, value: object) -> Any:
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
                value = self._checks[key](Argument(key, self._owner), value)
        # A base has such a parameter, which this class has replaced by a fact of its own.
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
            raise argument_error(
                Argument(key, self._owner),
                "must be a callable that takes a shape",
                f"is {show(value)}",
                f"{key}=braintools.init.Constant({show(value)}).",
                kind=TypeError,
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
            shown = fit or is_traced(value) or u.math.shape(value) != () or spec.default is None
            if shown or differs(value, spec.default):
                given.append(f"{key}={'...' if is_traced(value) else show(value)}{' (trainable)' if fit else ''}")
        settings = {key: getattr(self, key) for key in self._settings}
        given += [f"{key}={show(x)}" for key, x in settings.items() if differs(x, self._settings[key].default)]
        for key in (*self._noises, *self._options):
            value = getattr(self, key)
            plain = isinstance(value, str | bool | int | float)
            # Initialisers and the like have no equality: they are told by their class.
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
    name: str | None = option(default=None)  # pyright: ignore[reportIncompatibleMethodOverride]

    _first_rows = ("in_size",)

    def __init__(self, *args: Any, **kwargs: Any):
        values = bind_arguments(type(self), args, kwargs)
        shape, name = population_shape(self._owner, values.pop("in_size")), values.pop("name")
        instance(Argument("name", self._owner), name, str | None, "text")
        brainstate.nn.Dynamics.__init__(self, shape, name=name)
        self._batch: tuple[int, ...] | None = None
        self._set_rows(values)

    @property
    def varshape(self) -> tuple[int, ...]:
        """Shape of the population."""
        return self._in_size  # pyright: ignore[reportReturnType]

    def shape_of(self, key: str, value: object) -> tuple[int, ...] | None:
        return None if key in self.of_any_shape else () if key in self._settings else self.varshape

    # --- states ---------------------------------------------------------------------------------------------
    def init_state(
        self,
        batch_size: int | tuple[int, ...] | None = None,
        *,
        rng: brainstate.random.RandomState | None = None,
        **kwargs: object,
    ) -> None:
        """Allocate the states with their initial values.

        Parameters
        ----------
        batch_size : int or tuple of int, optional
            Leading axes in front of the population shape.
        rng : brainstate RandomState, optional
            Generator of random initial values; default `brainstate.random`.
        """
        # Kept for `reset_state`, and for a noise that is attached later.
        self._batch = batch_shape(self._owner, batch_size)
        for name, value in self._initial(rng).items():
            setattr(self, name, brainstate.HiddenState(value))

    def reset_state(self, *args: object, **kwargs: object) -> None:
        """Put the states, and those of the attached noises, back to initial values; the batch stays."""
        if self._batch is None and self._states:
            raise RuntimeError(f"{self._owner} has no states to reset: call init_all_states() first.")
        for name, value in self._initial(None).items():
            getattr(self, name).value = value
        for noise in self._noises:
            if getattr(self, noise) is not None:
                getattr(self, noise).reset_state()

    def _initial(self, rng: brainstate.random.RandomState | None) -> dict[str, Pytree]:
        shape = (*(self._batch or ()), *self.varshape)
        # Asked for at each call: a default argument would hold that of the import.
        rng = brainstate.random.DEFAULT if rng is None else rng
        return {
            s.name: initial_values(self._owner, s, *self._initializer(s), shape, rng) for s in self._states.values()
        }

    def _initializer(self, spec: StateSpec) -> tuple[str, Callable]:
        if spec.name in self._begins:
            return spec.name, lambda shape: self._begins[spec.name]
        return (spec.init, getattr(self, spec.init)) if isinstance(spec.init, str) else (spec.name, spec.init)

    def state_values(self) -> dict[str, Numbers]:
        """The present values of the states, by name."""
        return {name: getattr(self, name).value for name in self._states}

    def __repr__(self) -> str:
        return f"{self._owner}({', '.join([', '.join(map(str, self.varshape)), *self._given()])})"

    def _repr_html_(self) -> str:
        size = ", ".join(map(str, self.varshape))
        return page(self._owner, f"in_size=({size})", *self._tables())


@functools.lru_cache(maxsize=1024)
def near_name(kind: type, name: str) -> str:
    """Kept, since brainstate asks for what is not there whenever it rebuilds a module."""
    return suggestion(name, dir(kind))
