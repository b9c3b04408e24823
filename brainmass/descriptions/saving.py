"""`save_model`: a model class as a file."""

from __future__ import annotations

import inspect
import math
import re
from os import PathLike
from typing import Any

import brainunit as u
import jax
import numpy as np
from braintools.init import Constant, Uniform

from brainmass._common.files import whole_file
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.paths import target_path
from brainmass._common.units import per
from brainmass.descriptions.made import make_model
from brainmass.descriptions.reading import read_description
from brainmass.descriptions.tracing import NotWritable, Traced, trace
from brainmass.descriptions.yaml_files import yaml_text
from brainmass.dynamics.declaration import is_abstract
from brainmass.dynamics.fields import Domain, ParamSpec
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.regime import default_method

__all__ = ["save_model"]

Model = type[NeuralMassDynamics]
_OWNER = "save_model"
# What a step does beside integrating the equations.
_STEPS = ("update", "_motion", "_own_field", "_advance", "_settled", "set_time_step")


def save_model(model: Model, path: str | PathLike[str]) -> None:
    """Write a model class as a description that `load_model` reads: its equations as JAX traces them.

    The equations of the file hold for the numbers in its units, per ms (`units: numbers`). Written are parameters with
    defaults, units and domains; states with their ports and what they start from; equations; what the model can send.
    Not written: presets, other spellings of arguments and inputs, parameters and options that are None by default.

    Parameters
    ----------
    model : type
        A subclass of `NeuralMassDynamics`.
    path : path
        Of a `.yaml` or `.yml` file, which is replaced if it is there.

    Raises
    ------
    ValueError
        If the model is more than equations between parameters, states and inputs: a delay, a network, a table of
        numbers; the message says what. Nothing is written then.
    ImportError
        If PyYAML is not installed.
    """
    what = Argument("model", _OWNER)
    if not (inspect.isclass(model) and issubclass(model, NeuralMassDynamics)) or is_abstract(model):
        raise argument_error(
            what, "must be a class of models", f"is {show(model)}", "save_model(brainmass.JansenRitStep, ...).",
            kind=TypeError,
        )  # fmt: skip
    example = f'save_model({model.__name__}, "{model.__name__}.yaml").'
    target = target_path(path, Argument("path", _OWNER), (".yaml", ".yml"), example)
    try:
        data = _described(model)
        # Before anything is written.
        _check_same(model, make_model(read_description(data, target.name)))
    except NotWritable as reason:
        raise argument_error(
            what, "must have equations between parameters, states and inputs", f"{model.__name__} has not: {reason}"
        ) from None
    with whole_file(target) as partial:
        partial.write_text(yaml_text(data), encoding="utf-8")


def _described(model: Model) -> dict[str, object]:
    """The description of a model, as the file holds it."""
    _check_is_a_node(model)
    outputs = (model.output,) if isinstance(model.output, str) else model.output
    watched = dict.fromkeys((*model.sources, *(name for name in outputs if name not in model._states)))
    traced = trace(model, tuple(watched))
    data: dict[str, object] = {
        "name": model.__name__,
        "description": _text(model),
        "model_type": model.category,
        "use_case": model.use_case,
        "units": "numbers",
        "output": model.output if isinstance(model.output, str) else list(model.output),
        "method": default_method(model),
        "parameters": {name: _parameter(spec) for name, spec in _params(model).items()},
        "coupling_inputs": _inputs(model),
        "derived_variables": {
            name: {"equation": {"rhs": text}, **_unit(traced.units.get(name, u.UNITLESS))}
            for name, text in traced.derived.items()
        },
        "state_variables": _states(model, traced),
    }
    # Empty tables say nothing.
    return {key: x for key, x in data.items() if x}


def _check_is_a_node(model: Model) -> None:
    for name in _STEPS:
        owner = next(base for base in model.__mro__ if name in vars(base))
        # The methods that rows make, and those of the base, do no more than integrate.
        is_generated = hasattr(vars(owner)[name], "_generated") or owner.__module__.startswith("brainmass.dynamics.")
        if not is_generated:
            raise NotWritable(f"it writes its own `{name}`, with a past, or a network")
    if model._settings:
        raise NotWritable(f"shapes depend on {', '.join(model._settings)}")
    if unknown := [name for name, x in model._states.items() if x.unit is None]:
        raise NotWritable(f"only an instance knows the unit of {', '.join(unknown)}")


def _params(model: Model) -> dict[str, ParamSpec]:
    return {name: spec for name, spec in model._params.items() if spec.default is not None}


def _text(model: Model) -> str:
    """The docstring as it was written, without the table that is made from the rows."""
    # The table is made anew when the file is read.
    return re.split(r"\n(?:Other )?Parameters\n---", inspect.cleandoc(model.__doc__ or ""))[0].strip()


def _parameter(spec: ParamSpec) -> dict[str, object]:
    if spec.default is ...:
        raise NotWritable(f"parameter `{spec.name}` has no default")
    value = np.asarray(u.get_mantissa(spec.default))
    if value.ndim:
        raise NotWritable(f"parameter `{spec.name}` is a table of numbers")
    made = {"value": value.item(), **_unit(u.get_unit(spec.default)), "description": spec.doc}
    return made | _domain(spec.domain)


def _unit(unit: u.Unit | None) -> dict[str, str]:
    return {} if unit is None or unit.dim == u.DIMENSIONLESS else {"unit": str(unit).replace(" ", "")}


def _domain(domain: Domain, enforce: str = "refuse") -> dict[str, object]:
    if not domain.is_bounded:
        return {}
    low, high = domain.bounds
    made = {"lo": low, "hi": high, "enforce": enforce}
    if math.isfinite(low) and not domain.contains(np.asarray(low)):
        is_open = math.isfinite(high) and not domain.contains(np.asarray(high))
        made["open"] = "both" if is_open else "lo"
    return {"domain": made}


def _inputs(model: Model) -> dict[str, object]:
    # The first input of a file is the one that couples.
    ports = dict.fromkeys((model.coupling_port, *model._port_units))
    optional = {port: {"optional": True} for port in model.further_inputs}
    return {port: {**_unit(model._port_units[port]), **optional.get(port, {})} for port in ports}


def _states(model: Model, traced: Traced) -> dict[str, object]:
    clamps = inspect.signature(model).parameters["clamp"].default
    made: dict[str, object] = {}
    for name, spec in model._states.items():
        entering = {"input": spec.port, "noise_input": spec.add}
        made[name] = {
            "equation": {"rhs": traced.rates[name]},
            **_unit(spec.unit),
            "description": spec.doc,
            **_domain(spec.domain, "clamp" if clamps else "refuse"),
            **_start(model, spec),
            **{key: port for key, port in entering.items() if port},
            **({"is_angle": True} if spec.is_angle else {}),
        }
    return made


def _start(model: Model, spec: Any) -> dict[str, object]:
    given = model._starts[spec.init] if isinstance(spec.init, str) else spec.init

    def number(x: Any) -> float:
        return float(x if u.get_unit(x).dim == u.DIMENSIONLESS else u.Quantity(x).to_decimal(spec.unit))

    if isinstance(given, Uniform):
        ends = {"lo": number(given.low), "hi": number(given.high)}
        return {"distribution": {"name": "Uniform", "domain": ends}}
    if isinstance(given, Constant):
        return {"initial_value": number(given.value)}
    raise NotWritable(f"`{spec.name}` starts from {show(given)}, which is neither constant nor uniform")


# --- what was written is what is read ---------------------------------------------------------------------------------
def _check_same(model: Model, read: Model) -> None:
    """The derivatives of what is read agree with those of the model, at states and parameters of both signs."""
    # In double precision the two differ only by how XLA arranges the same operations.
    with jax.enable_x64(True):
        for seed in range(3):
            one, other = (_rates(cls, seed, tuple(model._port_units)) for cls in (model, read))
            if not np.allclose(one, other, rtol=1e-9, atol=1e-12 * (1 + np.abs(one).max()), equal_nan=True):
                raise NotWritable(f"what was read back differs: {other} where the model has {one}")


def _rates(cls: Model, seed: int, ports: tuple[str, ...]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    params = {name: np.asarray(u.get_mantissa(x.default)) * rng.uniform(0.9, 1.1) for name, x in _params(cls).items()}
    # a share that is 1 by default stays one
    params = {name: np.clip(x, *cls._params[name].domain.bounds) for name, x in params.items()}
    params = {name: u.maybe_decimal(x * u.get_unit(cls._params[name].default)) for name, x in params.items()}
    states = []
    for x in cls._states.values():
        # Below zero as well, where the cases of an equation may differ; states with bounds stay within them.
        signs = 1.0 if x.domain.is_bounded else rng.choice([-1.0, 1.0], 4)
        states.append(u.maybe_decimal(rng.uniform(0.05, 0.9, 4) * signs * (x.unit or u.UNITLESS)))
    numbers = {port: rng.uniform(0.1, 0.5, 4) for port in ports}
    entering = [u.maybe_decimal(numbers[port] * unit) for port, unit in cls._port_units.items()]
    rates = cls(4, **params).derivative(tuple(states), 0.0 * u.ms, *entering)
    units = [per(x.unit, u.ms) for x in cls._states.values()]
    return np.stack([u.Quantity(x).to_decimal(unit) for x, unit in zip(rates, units, strict=True)])
