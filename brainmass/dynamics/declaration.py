"""From the rows of a class body to its constructor, its signature, its documentation and its methods."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import brainunit as u
import numpy as np
from brainstate.nn import Param

from brainmass._common.checks import MOST, is_whole
from brainmass._common.messages import Argument, argument_error, show, suggestion
from brainmass._common.typing import Array, ArrayLike, Numbers, Pytree
from brainmass.dynamics.checks import as_numbers
from brainmass.dynamics.fields import ParamSpec, SettingSpec, StateSpec, real
from brainmass.dynamics.regime import default_method, longest_step

if TYPE_CHECKING:
    from brainmass.dynamics.node import NeuralMassDynamics


# --- reading a declaration ----------------------------------------------------------------------------------
def read_declaration(cls: type) -> None:
    """Collect the rows of the class body, and of its bases, into the tables that everything else reads."""
    cls.__doc__ = cls.__doc__ or cls.__name__  # else a dataclass writes one, with defaults printed through JAX
    # For its fields alone: constructor and display come from the rows, and a module equals itself only.
    dataclasses.dataclass(cls, init=False, eq=False, repr=False)
    rows = _rows_in_order(cls)
    specs = {n: dataclasses.replace(f.default, name=n) for n, f in rows.items() if isinstance(f.default, ParamSpec)}
    cls._params = {n: spec for n, spec in specs.items() if not isinstance(spec, SettingSpec)}
    cls._settings = {n: spec for n, spec in specs.items() if isinstance(spec, SettingSpec)}
    cls._states = {n: _named_state(cls, n, f.metadata["spec"], rows) for n, f in rows.items() if "spec" in f.metadata}
    cls._starts = {s.init: rows[s.init].default for s in cls._states.values() if isinstance(s.init, str)}
    cls._noises = {s.noise: s.noise_port for s in cls._states.values() if s.noise}
    cls._spellings = {n: f.metadata["spelling"] for n, f in rows.items() if "spelling" in f.metadata}
    cls._spelled = {n: of for n in cls._spellings if (of := rows[n].metadata["of"])}
    taken = {"in_size", "name", *specs, *cls._states, *cls._starts, *cls._noises, *cls._spellings}
    cls._options = tuple(n for n in rows if n not in taken)
    cls._checks = {n: rows[n].metadata["check"] for n in cls._options if "check" in rows[n].metadata}
    cls.__signature__ = _signature(rows)


def _rows_in_order(cls: type) -> dict[str, dataclasses.Field]:
    """Those that come first in all of a family, then the class's own, then those it inherits, where restated too."""
    rows = {f.name: f for f in dataclasses.fields(cls) if not f.name.startswith("_")}
    written = [(name, c) for c in cls.__mro__ for name in inspect.get_annotations(c)]
    homes = dict(reversed(written)) | {name: c for name, c in written if name in vars(c)}
    order = [*cls._first_rows, *(name for name, c in written if homes[name] is c)]
    return {name: rows[name] for name in dict.fromkeys(order) if name in rows}


def _named_state(cls: type, name: str, spec: StateSpec, rows: Mapping[str, Any]) -> StateSpec:
    # A name is that of an argument; an initialiser itself leaves the user no choice.
    start = spec.init or f"init_{name}"
    if isinstance(start, str) and start not in rows:
        raise TypeError(
            f"{cls.__name__}.{name} is a state, so the class must also declare its initial values `{start}`."
        )
    elsewhere = {f.metadata["spec"].noise for f in rows.values() if "spec" in f.metadata}
    # A noise called after a state is its own, unless another state names it.
    noise = spec.noise or (f"noise_{name}" if f"noise_{name}" not in elsewhere else "")
    if spec.noise and noise not in rows:
        raise TypeError(f"{cls.__name__}.{name} names the noise `{noise}`, which the class does not declare.")
    noise = noise if noise in rows else ""
    if noise and not spec.noise_port:
        raise TypeError(f"{cls.__name__}.{name} has the noise `{noise}` but no port for it to enter.")
    return dataclasses.replace(spec, name=name, init=start, noise=noise)


def _signature(rows: Mapping[str, Any]) -> inspect.Signature:
    """Positional arguments in the order of their declaration, then those by keyword."""
    P = inspect.Parameter
    positional, keyword = [], []
    for f in rows.values():
        if not f.init:
            continue
        default = f.default.default if isinstance(f.default, ParamSpec) else f.default
        default = P.empty if default is dataclasses.MISSING or default is ... else default
        (keyword if f.kw_only else positional).append(
            P(f.name, P.KEYWORD_ONLY if f.kw_only else P.POSITIONAL_OR_KEYWORD, default=default)
        )
    # `name`, which every module has, stands last.
    keyword.sort(key=lambda p: p.name == "name")
    # The method ends the positional ones, as all have it that inherit it; to a dataclass it would begin them.
    last = [p.replace(kind=P.POSITIONAL_OR_KEYWORD) for p in keyword if p.name == "method"]
    return inspect.Signature(positional + last + [p for p in keyword if p.name != "method"])


def bind_arguments(cls: type, args: tuple, kwargs: dict[str, object]) -> dict[str, Any]:
    for key in kwargs:
        if key not in cls.__signature__.parameters:
            known = ", ".join(cls.__signature__.parameters)
            raise TypeError(
                f"{cls.__name__} has no argument `{key}`.{suggestion(key, known.split(', '))} It has {known}."
            )
    try:
        bound = cls.__signature__.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{cls.__name__}: {error}.") from None
    # To give None for another spelling is not to give it.
    given = {key: x for key, x in bound.arguments.items() if not (key in cls._spellings and x is None)}
    # Before defaults are filled in: what is written in another spelling takes their place.
    given = cls.translate(given | _checked_spellings(cls, given))
    defaults = {key: p.default for key, p in cls.__signature__.parameters.items() if key not in cls._spellings}
    return defaults | given


def _checked_spellings(cls: type, given: Mapping[str, object]) -> dict[str, object]:
    """Those that are numbers, checked under the name by which they were given."""
    shape = population_shape(cls.__name__, given["in_size"]) if "in_size" in given else None
    return {
        name: as_numbers(cls.__name__, dataclasses.replace(cls._params[of], name=name, domain=real), given[name], shape)
        for name, of in cls._spelled.items()
        if name in given and not isinstance(given[name], Param)
    }


def population_shape(owner: str, in_size: Any, argument: str = "in_size") -> tuple[int, ...]:
    shape = tuple(in_size) if isinstance(in_size, list | tuple) else (in_size,)
    # Each may be as large as it likes: it is the product that has a limit, and words of its own.
    are_whole = all(is_whole(n, most=10**400) for n in shape)
    if not shape or not are_whole or math.prod(map(int, shape)) > MOST:
        limit = f" with a product of {MOST} at most" * are_whole
        raise argument_error(
            Argument(argument, owner, "shape of the population"),
            f"must be a positive int or a tuple of them{limit}",
            f"is {show(in_size)}",
            f"{argument}=84.",
        )
    return tuple(int(n) for n in shape)


def batch_shape(owner: str, batch_size: Numbers) -> tuple[int, ...]:
    if batch_size is None or batch_size == ():
        return ()
    shape = tuple(batch_size) if isinstance(batch_size, list | tuple) else (batch_size,)
    if not all(map(is_whole, shape)):
        raise argument_error(Argument("batch_size", owner), "must be a positive int or None", f"is {show(batch_size)}")
    return tuple(int(n) for n in shape)


def differs(value: Numbers, default: object) -> bool:
    if default is None or default is ...:
        return default is ...
    try:
        return not bool(np.all(np.asarray(u.maybe_decimal(value / u.get_unit(default))) == u.get_mantissa(default)))
    # What cannot be compared, such as an array of another shape, is another value.
    except (TypeError, ValueError):
        return True


def plain_text(value: object) -> str:
    """A number with its unit. Unlike `str` it does not start JAX, which an import must not do."""
    if not isinstance(value, u.Quantity):
        return str(value)
    return f"{value.mantissa} {value.unit}".removesuffix(" 1")


def _described(spec: ParamSpec) -> list[str]:
    """The lines of a parameter in the table."""
    units = ", or ".join(str(unit) if unit.dim != u.DIMENSIONLESS else "no unit" for unit in spec.units)
    dimensional = any(unit.dim != u.DIMENSIONLESS for unit in spec.units)
    meaning = f"{spec.doc[0].upper()}{spec.doc[1:]}; {spec.domain.text}"
    return [
        spec.name if spec.default is ... else f"{spec.name} : default {plain_text(spec.default)}",
        f"    {meaning}{f'; {units}' if dimensional else ''}.",
    ]


def doc_table(cls: type) -> str:
    """The numpydoc sections that follow from the declaration."""
    rows = {f.name: f for f in dataclasses.fields(cls)}
    lines = ["Parameters", "----------"]
    for name in inspect.signature(cls).parameters:
        spec = cls._params.get(name) or cls._settings.get(name)
        if name == "in_size" and name in rows:
            lines += ["in_size : int or tuple of int", "    Shape of the population."]
        elif spec is not None:
            lines += _described(spec)
        elif name in rows and "doc" in rows[name].metadata:
            default = rows[name].default
            shown = "" if default is dataclasses.MISSING else f"default {default!r}"
            lines += [f"{name} : {shown}".rstrip(" :"), f"    {rows[name].metadata['doc']}."]
    for s in cls._states.values():
        if isinstance(s.init, str) and f"{s.init} : callable" not in lines:
            names = ", ".join(f"`{t.name}`" for t in cls._states.values() if t.init == s.init)
            lines += [f"{s.init} : callable", f"    Initial values of {names}."]
    for s in cls._states.values():
        if s.noise:
            lines += [f"{s.noise} : Noise, optional", f"    Noise that enters the derivative of `{s.name}`."]
    for name, doc in cls._spellings.items():
        lines += [f"{name} : optional", f"    {doc[0].upper()}{doc[1:]}."]
    if "method" in cls._options:
        default, limit = default_method(cls), getattr(cls, "largest_step", None)
        up_to = "" if limit is None else f" The default is for time steps up to {longest_step(cls):g} ms ({limit})."
        lines += [f"method : str, default {default!r}", f"    E.g. `'heun'`, `'rk4'`, `'exp_euler'`.{up_to}"]
    if any(s.domain.is_bounded for s in cls._states.values()) and "clamp" in cls._options:
        lines += ["clamp : bool, default False", "    Whether states are put back to their bounds after each step."]
    if cls._states:
        lines += ["", "Attributes", "----------"]
    for s in cls._states.values():
        unit = "" if s.unit is None or s.unit.dim == u.DIMENSIONLESS else f", in {s.unit}"
        lines += [f"{s.name} : HiddenState", f"    {s.doc[0].upper()}{s.doc[1:]}{unit}."]
    if getattr(cls, "presets", None):
        lines += ["", "Notes", "-----", "Presets, as in `preset(name, in_size)`:", ""]
        for name, preset in cls.presets.items():
            at = ", ".join(f"`{port}={plain_text(value)}`" for port, value in preset.inputs.items())
            lines += [f"- `{name}`: {preset.doc}{f', e.g. at {at}' if at else ''} ({preset.reference})."]
    return "\n".join(lines if len(lines) > 2 else [])


# --- ports and equations ------------------------------------------------------------------------------------
def read_ports(cls: type) -> None:
    states = cls._states.values()
    cls._ports = (*cls.shared_inputs, *(s.port for s in states if s.port), *cls.further_inputs)
    cls._adds = tuple(s.add for s in states if s.add)
    cls._port_units = {
        **cls.shared_inputs,
        **{s.port: s.port_unit for s in states if s.port},
        **{s.add: s.add_unit for s in states if s.add},
        **cls.further_inputs,
    }
    # Of two ports with one name the table has one.
    if len(cls._port_units) != len(cls._ports) + len(cls._adds):
        raise TypeError(f"{cls.__name__} declares a port twice: {cls._ports + cls._adds}.")
    if not cls._ports:
        raise TypeError(f"{cls.__name__} must declare at least one input port: state(..., port='x_inp').")
    if strange := [name for name, port in cls.other_inputs.items() if port not in cls._ports or name in cls._ports]:
        raise TypeError(f"{cls.__name__}.other_inputs must map new names to ports, {cls._ports}: not {strange}.")


def check_derivatives(cls: type) -> None:
    """A method `dz(self, z, ...)` is the derivative of a state `z`, which must be there."""
    for name, function in vars(cls).items():
        if inspect.isfunction(function) and name.startswith("d") and name[1:] not in cls._states:
            # Told by its argument: a method such as `draw(self, ax)` is the derivative of nothing.
            if list(inspect.signature(function).parameters)[1:2] == [name[1:]]:
                raise TypeError(
                    f"{cls.__name__} writes `{name}`, so it must declare the state `{name[1:]}`. "
                    f'Example: {name[1:]}: HiddenState = state("...", port="{name[1:]}_inp").'
                )


def is_abstract(cls: type) -> bool:
    return not cls._states or any(getattr(getattr(cls, f"d{s}"), "__isabstractmethod__", False) for s in cls._states)


def bind_derivative(cls: type, spec: StateSpec) -> tuple[str, ...]:
    """The names of the values that `d<state>` takes, in its order."""
    function = getattr(cls, f"d{spec.name}", None)
    if function is None:
        raise TypeError(f"{cls.__name__} declares the state `{spec.name}`, so it must write `d{spec.name}`.")
    aliases = {"ext": spec.port, "inp": spec.port, "add": spec.add}
    known = {*cls._states, *cls._port_units}
    bound = []
    for name in list(inspect.signature(function).parameters)[1:]:
        target = _external_name(name, known, aliases)
        if target not in known:
            raise TypeError(
                f"{cls.__name__}.d{spec.name} takes `{name}`, which is neither a state "
                f"({', '.join(cls._states)}) nor a port ({', '.join(cls._port_units)}) of the model."
            )
        bound.append(target)
    if bound[:1] != [spec.name]:
        raise TypeError(f"{cls.__name__}.d{spec.name} must take `{spec.name}` as its first argument.")
    return tuple(bound)


def check_ports_are_used(cls: type) -> None:
    """What enters a port must enter an equation; a class that writes its own `derivative` takes all of them there."""
    if is_abstract(cls) or _is_written(cls, "derivative"):
        return
    taken = {name for arguments in cls._arguments.values() for name in arguments}
    for spec in cls._states.values():
        for port in (spec.port, spec.add):
            if port and port not in taken:
                raise TypeError(
                    f"{cls.__name__} declares the port `{port}` of the state `{spec.name}`, but no derivative takes "
                    "it: input, coupling and noise that enter there would be lost. Write it as an argument, "
                    f"d{spec.name}(self, {spec.name}, ..., {port}), or leave the port out of the state."
                )
    for port in (*cls.shared_inputs, *cls.further_inputs):
        if port not in taken:
            where = "shared_inputs" if port in cls.shared_inputs else "further_inputs"
            raise TypeError(f"{cls.__name__}.{where} has the port `{port}`, but no derivative takes it.")


def _external_name(name: str, known: set[str], aliases: Mapping[str, str]) -> str:
    """`r_ext` names the port `r_inp` as well: the equations of the field write external input both ways."""
    if name in known:
        return name
    if name.endswith("_ext") and f"{name[:-4]}_inp" in known:
        return f"{name[:-4]}_inp"
    return aliases.get(name, name)


def _is_written(cls: type, name: str) -> bool:
    """Whether a model class wrote this method itself, so that none is to be generated."""
    # The first on the way up that has it; from the class without states on, which is the base of all, none is written.
    owner = next(c for c in cls.__mro__ if name in vars(c) or not getattr(c, "_states", None))
    return (
        name in vars(owner) and bool(getattr(owner, "_states", None)) and not hasattr(vars(owner)[name], "_generated")
    )


def derivative_method(cls: type) -> Callable:
    """`derivative` with one argument per port; a model that writes its own keeps it."""
    if _is_written(cls, "derivative"):
        return cls.derivative
    optional = (*cls._adds, *cls.further_inputs)
    ports = tuple(port for port in cls._ports if port not in optional)

    def derivative(self: NeuralMassDynamics, state: tuple, t: Array, *inputs: ArrayLike) -> tuple:
        given = dict(zip((*ports, *optional), inputs, strict=False))
        missing = [port for port in ports if port not in given]
        if missing or len(inputs) > len(ports) + len(optional):
            raise TypeError(
                f"{self._owner}.derivative takes the inputs {', '.join(ports + optional)}, but was given {len(inputs)}."
            )
        # With units, as an equation adds them to others.
        zeros = {port: u.maybe_decimal(0.0 * self._port_units[port]) for port in optional}
        return self._rates(state, zeros | given)

    P = inspect.Parameter
    derivative.__doc__ = f"Rates of change of ({', '.join(cls._states)}) at time `t`, for given inputs."
    derivative.__qualname__ = f"{cls.__qualname__}.derivative"
    derivative.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [P(n, P.POSITIONAL_OR_KEYWORD) for n in ("self", "state", "t", *ports)]
        + [P(n, P.POSITIONAL_OR_KEYWORD, default=0.0) for n in optional]
    )
    derivative._generated = True  # type: ignore[attr-defined]
    return derivative


def update_method(cls: type) -> Callable:
    """`update` with one argument per port; a model that writes its own keeps it."""
    if _is_written(cls, "update"):
        return cls.update
    P = inspect.Parameter
    signature = inspect.Signature(
        [P("self", P.POSITIONAL_OR_KEYWORD)]
        + [P(n, P.POSITIONAL_OR_KEYWORD, default=None) for n in cls._ports]
        + [P(n, P.KEYWORD_ONLY, default=None) for n in cls.other_inputs]
    )

    def update(self: NeuralMassDynamics, *args: object, **kwargs: object) -> Pytree:
        return self._advance(bind_inputs(self, args, kwargs))

    update.__doc__ = (
        f"Advance one time step. Inputs ({', '.join(cls._ports)}) default to zero. "
        f"Returns {cls.output or 'the first state'}."
    )
    update.__qualname__ = f"{cls.__qualname__}.update"
    update.__signature__ = signature  # type: ignore[attr-defined]
    update._generated = True  # type: ignore[attr-defined]
    return update


def bind_inputs(node: NeuralMassDynamics, args: tuple, kwargs: Mapping[str, object]) -> dict[str, Pytree]:
    """The inputs of one step by port, from the arguments of an `update`."""
    ports = node._ports
    if len(args) > len(ports):
        raise TypeError(f"{node._owner}.update takes the inputs {', '.join(ports)}, but was given {len(args)}.")
    given = dict(zip(ports, args, strict=False))
    names = {port: port for port in given}
    for key, value in kwargs.items():
        # The default of such a name, and no input.
        if value is None and key in node.other_inputs:
            continue
        port, value = read_input(node, key, value)
        if port in given:
            twice = (
                f"`{key}` twice" if key == names[port] else f"both `{names[port]}` and `{key}`, one and the same input"
            )
            raise TypeError(f"{node._owner}.update was given {twice}.")
        given[port], names[port] = value, key
    return given


def read_input(node: Any, name: str, value: Numbers) -> tuple[str, Array]:
    """The port that an input of this name enters, and its value there."""
    if name in node._ports:
        return name, value
    if name in node.other_inputs:
        return node.other_inputs[name], node.convert_input(name, value)
    known = (*node._ports, *node.other_inputs)
    raise TypeError(f"{node._owner}.update has no input `{name}`; it has {', '.join(known)}.{suggestion(name, known)}")
