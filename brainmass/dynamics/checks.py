"""Checks of what is given for a declared field; a message names argument, owner, rule, what was given, an example."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
from functools import partial
from typing import Any

import brainstate
import braintools
import brainunit as u
import jax
import numpy as np
from brainstate.nn import Param, Regularization, Transform

from brainmass._common.checks import as_array, holds_numbers, instance, is_function, is_traced, numbers
from brainmass._common.messages import Argument, argument_error, input_named, show
from brainmass._common.precision import default_dtype, matching_precision
from brainmass._common.typing import Array, ArrayLike, Numbers
from brainmass.dynamics.fields import Domain, Initializer, ParamSpec, SettingSpec, StateSpec, real

__all__ = [
    "as_input",
    "as_param",
    "as_setting",
    "check_input_shape",
    "check_param_value",
    "as_regularisation",
    "as_transform",
    "initial_values",
]


def as_param(owner: str, spec: ParamSpec, value: Any, shape: tuple[int, ...] | None) -> Param:
    """The checked parameter for what a user passed: number, quantity, array, initialiser or `Param`.

    The shape is that of what it belongs to; None where that is not known yet.
    """
    if isinstance(value, Param):
        as_numbers(owner, spec, value.value(), shape)
        return value
    # checked as it was given: inside a jit the array made from it is traced, and has no number to look at
    value = as_numbers(owner, spec, value, shape)
    # A model that is made within jax.jit holds numbers all the same, and no tracer that outlives its trace.
    with matching_precision(), contextlib.nullcontext() if is_traced(value) else jax.ensure_compile_time_eval():
        return Param.init(value)


def as_numbers(owner: str, spec: ParamSpec, value: Numbers, shape: tuple[int, ...] | None) -> ArrayLike:
    """The checked number, quantity or array for what a user passed, or for what an initialiser returns."""
    what = Argument(spec.name, owner, spec.doc)
    if is_function(value):
        if shape is None:
            raise argument_error(what, "cannot be an initialiser here, as its shape is not known yet", kind=TypeError)
        # An initialiser is asked once, here: what comes back is checked like what is given by hand.
        value = value(shape)
    # In this order: what is no number has no unit, what has another unit no place in the domain.
    value = as_array(value)
    _check_is_number(what, value, spec)
    _check_unit(what, value, spec)
    if shape is not None:
        _check_shape(what, value, shape)
    _check_domain(what, value, spec.domain)
    return value


def as_setting(owner: str, spec: SettingSpec, value: object, shape: tuple[int, ...] = ()) -> Numbers:
    """The checked number, with its unit, for what a user passed."""
    what = Argument(spec.name, owner, spec.doc)
    if isinstance(value, Param) or is_traced(value):
        raise argument_error(
            what, "must be known before a run is compiled, so it cannot be trained or traced by JAX", kind=TypeError
        )
    value = as_array(value)
    _check_is_number(what, value, spec)
    _check_unit(what, value, spec)
    _check_shape(what, value, shape)
    _check_domain(what, value, spec.domain)
    return value


as_regularisation = partial(instance, kinds=Regularization | None, must="a brainstate.nn.Regularization or None")
as_transform = partial(instance, kinds=Transform | None, must="a brainstate.nn.Transform or None")


def check_param_value(name: str, spec: ParamSpec | None, present: Numbers, value: object, what: str = "") -> Numbers:
    """A new value for a parameter, of the same kind as its present one; errors call it `what`."""
    what = what or f"Value of parameter `{name}`"
    known = spec or ParamSpec(present, "", units=(), name=name)
    _check_unit(what, value, known if known.units else dataclasses.replace(known, units=(u.get_unit(present),)))
    _check_domain(what, value, spec.domain if spec else real)
    return value


def _check_is_number(what: str, value: object, spec: ParamSpec) -> None:
    if not holds_numbers(value):
        raise argument_error(
            what,
            "must be a number, a quantity, an array, an initialiser or a brainstate Param",
            f"is {show(value)} ({type(value).__name__})",
            f"{spec.name}={_example(spec)}.",
            kind=TypeError,
        )


def _check_unit(what: str, value: object, spec: ParamSpec) -> None:
    got = u.get_unit(value)
    if not spec.units or any(got.has_same_dim(unit) for unit in spec.units):
        return
    wanted = " or ".join(_unit_words(unit) for unit in spec.units)
    raise argument_error(
        what,
        f"must have {wanted}",
        f"is {show(value)} ({_unit_words(got)})",
        f"{spec.name}={_example(spec)}.",
        kind=u.UnitMismatchError,
    )


def _unit_words(unit: u.Unit) -> str:
    return "no unit" if unit.dim == u.DIMENSIONLESS else f"a unit like {unit}"


def _example(spec: ParamSpec) -> str:
    default = 1.0 * (spec.units or (u.UNITLESS,))[0] if spec.default is None or spec.default is ... else spec.default
    unit = u.get_unit(default)
    if unit.dim == u.DIMENSIONLESS:
        return show(default)
    code = re.sub(
        r"[^\W\d]\w*", lambda symbol: f"u.{_unit_names().get(symbol[0], symbol[0])}", str(unit).replace("^", "**")
    )
    return f"{u.get_mantissa(default)} * {code}"


@functools.cache
def _unit_names() -> dict[str, str]:
    """By symbol, the name under which brainunit has a unit: "s" is `u.second`."""
    names = {}
    for name, unit in vars(u).items():
        # Of several names that which is the symbol itself.
        if isinstance(unit, u.Unit) and (str(unit) not in names or name == str(unit)):
            names[str(unit)] = name
    return names


def _fits(got: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    try:
        # What broadcasts to a larger shape would give the population another one.
        return np.broadcast_shapes(got, shape) == tuple(shape)
    except ValueError:
        return False


def _check_shape(what: str, value: object, shape: tuple[int, ...]) -> None:
    got = u.math.shape(value)
    if not _fits(got, shape):
        raise argument_error(what, f"must be a scalar or fit the population shape {shape}", f"has shape {got}")


def _check_domain(what: str, value: object, domain: Domain) -> None:
    if is_traced(value):
        return
    # numpy, not jnp: a jnp comparison would turn into a tracer inside jit
    values = np.asarray(u.get_mantissa(value))
    inside = np.broadcast_to(np.asarray(domain.contains(values)), values.shape)
    if inside.all():
        return
    where = "" if values.ndim == 0 else f" at index {tuple(int(i) for i in np.argwhere(~inside)[0])}"
    bad = values if values.ndim == 0 else values[~inside].flat[0]
    unit = u.get_unit(value)
    shown = show(bad) if unit.dim == u.DIMENSIONLESS else f"{show(bad)} {unit}"
    raise argument_error(what, f"must be {domain.text}", f"is {shown}{where}")


def as_input(owner: str, port: str, unit: u.Unit, value: Numbers) -> Numbers:
    """What enters an input port: a plain number is read in the port's unit, a quantity must fit it.

    A dimensionless port reads a rate by its magnitude in Hz.
    """
    got = u.get_unit(value)
    if got.dim == u.DIMENSIONLESS:
        plain = u.maybe_decimal(value)
        return plain if unit.dim == u.DIMENSIONLESS else plain * unit
    # Not converted: equations compute with units, and work it out themselves.
    if got.has_same_dim(unit):
        return value
    if unit.dim == u.DIMENSIONLESS and got.has_same_dim(u.Hz):
        return value.to_decimal(u.Hz)
    raise argument_error(
        input_named(port, f" of {owner}"),
        f"must have {_unit_words(unit)}, or be a plain number read in it",
        f"is {show(value)} ({_unit_words(got)})",
        kind=u.UnitMismatchError,
    )


def check_input_shape(owner: str, port: str, value: Numbers, shape: tuple[int, ...]) -> None:
    """Refuse an input that would change the shape of the states."""
    got = u.math.shape(value)
    if not _fits(got, shape):
        raise argument_error(
            input_named(port, f" of {owner}"),
            f"must be a scalar or fit the shape of the states, {tuple(shape)}",
            f"has shape {got}",
        )


def initial_values(
    owner: str,
    spec: StateSpec,
    argument: str,
    init: Initializer,
    shape: tuple[int, ...],
    rng: brainstate.random.RandomState,
) -> Array:
    """Initial values of a state: drawn from its initialiser, checked, in its unit, of the full shape."""
    what = Argument(argument, owner, f"initial values of {spec.doc}")
    try:
        with matching_precision():
            value = _call_initializer(init, shape, rng)
    except brainstate.TraceContextError:
        raise ValueError(
            f"{what} draws from brainstate.random, which gives no numbers within jax.jit and its like: give a "
            "generator, init_all_states(rng=brainstate.random.RandomState(key)), or values that are not random. "
            f"Example: {argument}=braintools.init.Constant(0.1)."
        ) from None
    value = numbers(f"What {what[0].lower()}{what[1:]} returns", value)
    got = u.get_unit(value)
    unit = spec.unit if spec.unit is not None else got
    if got.dim == u.DIMENSIONLESS and unit.dim != u.DIMENSIONLESS:
        value = u.maybe_decimal(value) * unit
    elif not got.has_same_dim(unit):
        raise argument_error(what, f"must have {_unit_words(unit)}", f"gives {show(value)}", kind=u.UnitMismatchError)
    _check_shape(what, value, shape)
    _check_domain(what, value, spec.domain)
    # In the declared unit, whatever the one it was given in: a loop carries numbers of one unit.
    number = u.get_mantissa(value.to(unit) if isinstance(value, u.Quantity) else value)
    full = u.math.broadcast_to(u.math.asarray(number, dtype=default_dtype()), shape)
    return full if unit.dim == u.DIMENSIONLESS else full * unit


def _call_initializer(init: Initializer, shape: tuple[int, ...], rng: brainstate.random.RandomState) -> Numbers:
    """braintools' initialisers draw from the generator they are handed; a callable takes just a shape."""
    if isinstance(init, braintools.init.Initialization):
        return init(shape, rng=rng)
    return init(shape)
