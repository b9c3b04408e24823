"""What enters the input ports of a model during a run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from brainmass._common import checks
from brainmass._common.checks import is_function, is_traced, numbers
from brainmass._common.clock import at_stage
from brainmass._common.foreign import plain
from brainmass._common.messages import Argument, argument_error, input_named, show, suggestion
from brainmass._common.typing import Numbers, Pytree
from brainmass.dynamics.noise import Noise
from brainmass.forward.observer import Observer, in_words
from brainmass.simulation.monitors import read
from brainmass.stimuli.algebra import Drive
from brainmass.stimuli.waveforms import Stimulus

if TYPE_CHECKING:
    from brainmass._common.copying import CopiedByParts

__all__ = ["Inputs", "arguments_of", "as_inputs"]

ALL = ""


@dataclass
class Inputs:
    """Inputs by port: one row per step, constant, a function, or a module.

    The function of the port `ALL` gives those of all, as one value or a tuple in the order of `update`'s arguments.
    """

    series: dict[str, Numbers] = field(default_factory=dict)
    constants: dict[str, Numbers] = field(default_factory=dict)
    functions: dict[str, Callable[..., Numbers]] = field(default_factory=dict)
    modules: dict[str, Drive | Noise] = field(default_factory=dict)

    @property
    def arrays(self) -> dict[str, dict[str, Any]]:
        """What a compiled program takes as its arguments."""
        return {"series": self.series, "constants": self.constants}

    def check_end(self, end: float) -> None:
        """Refuse a run that ends so many ms after time zero, if what drives it ends before."""
        for port, drive in self.modules.items():
            if isinstance(drive, Drive):
                drive.check_duration(input_named(port), end)

    @property
    def structure(self) -> tuple:
        return tuple(self.series), tuple(self.constants), tuple(self.functions)

    @staticmethod
    def rows(arrays: dict[str, dict[str, Any]], first: Numbers, n: int) -> dict[str, Pytree]:
        """The rows of the series for `n` steps."""
        # `first` counts from the beginning of this run: a series has a row for each of its steps.
        return jax.tree.map(lambda x: lax.dynamic_slice_in_dim(x, first, n), arrays["series"])

    def at(
        self,
        arrays: dict[str, dict[str, Any]],
        row: dict[str, object],
        i: Numbers,
        t: Numbers,
        model: CopiedByParts,
        modules: dict[str, Pytree],
        observers: Mapping[str, Observer],
    ) -> tuple[tuple, dict[str, Any]]:
        """All inputs of one step, by position and by name; `model`, `modules`, `observers` are of this step."""
        known = {"i": i, "t": t, "model": model}

        def value(function: Callable) -> Any:
            return function(*(known[name] for name in arguments_of(function)))

        def look(what: Any) -> Numbers:
            seen = observers.get(what) if isinstance(what, str) else None
            return read(model, what, list(observers)) if seen is None else seen.signal()

        # What is given by hand comes as an argument of the program, so that other numbers need no new one; functions
        # and modules are traced into the step.
        named = {
            **row,
            **arrays["constants"],
            **{port: value(function) for port, function in self.functions.items()},
            **{name: _value_of(modules[name], look) for name in self.modules},
        }
        given = named.pop(ALL, ())
        return given if isinstance(given, tuple) else (given,), named


def _value_of(module: Drive | Noise, look: Callable[[Any], Numbers]) -> Numbers:
    """That of a step: of a stimulus whose parameters move, in its middle, as its own course."""
    with at_stage(0.5 if isinstance(module, Drive) else 0.0):
        return module.entering(look) if isinstance(module, Drive) else module.update()


# What the arguments of a function are called, by which its two forms are told apart.
_STEP = {"i", "k", "n", "idx", "index", "step", "i_step", "step_index"}
_TIME = {"t", "time", "ts", "now", "t_ms"}
_MODEL = {"m", "model", "net", "network", "node", "brain", "module"}


def arguments_of(function: Callable[..., Numbers]) -> tuple[str, ...]:
    """What an input function is given: time; time and model, a closed loop; or the number of the step and time."""
    checks.function(Argument("inputs", "run", more=", each of them,"), function, "time")
    parameters = inspect.signature(function).parameters.values()
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    # What has a default is a number that the function brings along, as in `lambda t, rate=rate: ...`.
    names = [p.name.lstrip("_") for p in parameters if p.default is p.empty and p.kind in kinds]
    spread = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if len(names) == 1 or (not names and spread):
        return ("t",)
    first, second = names if len(names) == 2 else (None, None)
    # Names alone tell `lambda i, t` from `lambda t, model`; an underscore is an argument that is not looked at.
    if (first in _STEP and second in _TIME | {""}) or (first == "" and second in _TIME):
        return "i", "t"
    if (first in _TIME and second not in _STEP | _TIME) or (first == "" and second in _MODEL):
        return "t", "model"
    raise TypeError(
        f"An input function must be written lambda t: ..., lambda t, model: ... or lambda i, t: ..., where i is the "
        f"number of the step; but the arguments of this one are called ({', '.join(names)}). Other arguments need a "
        "default."
    )


def as_inputs(inputs: Pytree, model: Any, n_steps: int) -> Inputs:
    """Inputs from what a user may write; checked against the ports of the model where it declares any."""
    if inputs is None:
        return Inputs()
    given = Inputs()
    if callable(inputs) and not isinstance(inputs, Drive | Noise | Mapping):
        arguments_of(inputs)  # for its errors
        if len(getattr(model, "populations", ())) > 1:
            raise argument_error(
                Argument("inputs", "run"), "must map `population.port` to its input in this network", kind=TypeError
            )
        # One function may return the inputs of several ports, in the order of `update`.
        given.functions[ALL] = inputs
        return given
    if not isinstance(inputs, Mapping):
        inputs = {_first_input(model): inputs}
    for name, value in inputs.items():
        _, node, port = model.find_input(name) if hasattr(model, "find_input") else ("", model, name)
        ports, others = _inputs_of(node)
        if ports and port not in (*ports, *others):
            raise argument_error(
                Argument("inputs", "run"),
                f"names {port!r}; {type(node).__name__} has the inputs {', '.join((*ports, *others))}",
                hint=suggestion(port, (*ports, *others)),
            )
        if isinstance(value, Drive | Noise):
            _check_module(name, value, node, port)
            given.modules[name] = value
            continue
        if is_function(value):
            arguments_of(value)  # for its errors
            given.functions[name] = value
            continue
        value = _finite(name, plain(input_named(name), value, getattr(model, "labels", None)))
        if port in others:
            node._read(others[port], node.convert_input(port, value))  # for its errors; the step converts
        elif ports:
            value = node._read(port, value)
        kind = given.series if _is_series(name, value, getattr(node, "varshape", None), n_steps) else given.constants
        kind[name] = value
    return given


def _first_input(model: brainstate.nn.Module) -> str:
    """The first argument of the model's `update`."""
    node = getattr(model, "node", None) if hasattr(model, "populations") else model
    ports = getattr(node, "_ports", ())
    if not hasattr(model, "populations"):
        ports = ports or tuple(inspect.signature(type(model).update).parameters)[1:]
    if not ports:
        raise argument_error(
            Argument("inputs", "run"), "must map the arguments of the model's `update` to their values", kind=TypeError
        )
    return ports[0]


def _finite(name: str, value: object) -> Numbers:
    value = numbers(input_named(name), value)
    mantissa = u.get_mantissa(value)
    # A look at an array of a device by numpy would copy all of it.
    xp = jnp if isinstance(mantissa, jax.Array) else np
    if not is_traced(value) and not xp.isfinite(mantissa).all():
        raise argument_error(input_named(name), "must be finite", f"is {show(value)}, with NaN or infinite values")
    return u.math.asarray(value)


def _check_module(name: str, drive: Numbers, node: Any, port: str) -> None:
    population = getattr(node, "varshape", drive.varshape)
    if drive.varshape != population:
        raise argument_error(
            input_named(name),
            f"must have the shape of the population, {population}",
            f"is a {type(drive).__name__} with in_size={drive.varshape}",
        )
    if getattr(drive, "amplitude", None) is not None and isinstance(drive, Noise):
        raise argument_error(
            input_named(name),
            "is a noise whose amplitude follows the state of a node: give it to the node",
            example=f"{type(node).__name__}(..., noise_...={type(drive).__name__}(...)).",
        )
    ports, others = _inputs_of(node)
    unit = u.get_unit(drive.p.sigma) if isinstance(drive, Noise) else drive.unit
    # Units are checked on zeros, before the run: within the loop the error would come out of a trace.
    sample = u.maybe_decimal(u.Quantity(np.zeros(population), unit=unit))
    try:
        if port in others:
            node._read(others[port], node.convert_input(port, sample))
        elif ports:
            node._read(port, sample)
    except u.UnitMismatchError:
        wanted, strength = in_words(node._port_units[others.get(port, port)]), _strength_of(drive)
        raise argument_error(
            input_named(name, f" of {type(node).__name__}"),
            f"must be in {wanted}",
            f"is a {type(drive).__name__} in {in_words(unit)}: give that unit to its {strength}",
            kind=u.UnitMismatchError,
        ) from None


def _strength_of(drive: Drive | Noise) -> str:
    """Which arguments say its unit."""
    return "`sigma`" if isinstance(drive, Noise) else "`amplitude`" if isinstance(drive, Stimulus) else "parts"


def _inputs_of(node: object) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """The ports of a node, and the other names that they have; of a module that declares none, nothing."""
    return tuple(getattr(node, "_ports", ())), getattr(node, "other_inputs", {})


def _is_series(port: str, value: object, population: tuple[int, ...] | None, n_steps: int) -> bool:
    """Whether the first axis of an input is time; a shape that could be both is refused."""
    shape = u.math.shape(value)
    if population is None:  # a module that does not say what it takes
        return shape[:1] == (n_steps,)
    # 100 steps of 100 regions: neither reading is more likely, and a wrong one would pass in silence.
    fits_series = shape[:1] == (n_steps,) and shape[1:] in ((), (1,), population)
    fits_constant = shape in ((), (1,), population)
    if fits_series and fits_constant and n_steps > 1:
        raise argument_error(
            input_named(port, f" of shape {shape}"),
            "could be one value per region or one per step",
            hint=f"Give it the shape {(n_steps, *population)}, or a function of time.",
        )
    if not (fits_series or fits_constant):
        hint = ""
        if len(shape) > 1 and shape[1:] in ((1,), population):
            hint = (
                f" It has {shape[0]} rows for {n_steps} steps: give brainmass.Recording(..., data=rows, every=time "
                "between rows, after='zero', 'hold' or 'repeat')."
            )
        raise argument_error(
            input_named(port),
            f"must be a scalar, one value per region {population}, one row per step {(n_steps, *population)}, or a "
            "function of time",
            f"is {show(value)} of shape {shape}",
            hint=hint,
        )
    return fits_series and not fits_constant
