"""Values given to a run in place of those that parameters have: which they are of, their units and domains."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import brainunit as u
import numpy as np

from brainmass._common.checks import holds_numbers
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Array, Numbers
from brainmass.dynamics.checks import check_param_value
from brainmass.dynamics.declared import WithRows
from brainmass.dynamics.fields import ParamSpec, real
from brainmass.simulation.inventory import Inventory

__all__ = ["check_course_values", "check_unit", "checked_value", "declared_of", "free_paths"]


def declared_of(found: Inventory, path: str) -> tuple[Any, str, ParamSpec | None]:
    """The module that a parameter belongs to, its name there, and its row; None: it is not declared."""
    owner, _, name = path.rpartition(".")
    module = found.modules.get(owner)
    return module, name, module._params.get(name) if isinstance(module, WithRows) else None


def free_paths(values: Mapping[str, Array], free: Mapping[str, str], freed: Inventory) -> dict[str, str]:
    """By path, the names by which `values` of a pure run set parameters."""
    paths: dict[str, str] = {}
    for name in values:
        try:
            path = free.get(name) or freed.find_param(name)
        except ValueError:
            may = ", ".join(free) or "nothing"
            raise ValueError(f"`values` may set {may}, but sets {name!r}: name it in `free`.") from None
        if path in paths:
            raise ValueError(f"`values` sets one parameter twice, as {paths[path]!r} and {name!r}.")
        paths[path] = name
    return paths


def checked_value(found: Inventory, path: str, value: Numbers, what: str = "") -> Numbers:
    """A parameter value given to a run: its unit and domain are those of the declaration; errors call it `what`."""
    module, name, spec = declared_of(found, path)
    public = path.removeprefix("model.")
    if not holds_numbers(value):
        raise TypeError(
            f"{what or f'Value of parameter `{public}`'} must be a number, a quantity or an array, but is "
            f"{show(value)}."
        )
    value = check_param_value(public, spec, found.params[path].value(), value, what)
    check = getattr(module, "check_given", None)
    if check is not None:
        check(name, value)
    return value


def check_unit(found: Inventory, path: str, unit: u.Unit, what: Argument) -> None:
    """The unit alone, of values that are not known."""
    _, name, spec = declared_of(found, path)
    present = found.params[path].value()
    # Zero stands for the values that are not known, and so any number is allowed.
    check_param_value(name, spec and dataclasses.replace(spec, domain=real), present, u.Quantity(0.0, unit=unit), what)


def check_course_values(found: Inventory, path: str, values: Numbers, times: np.ndarray, what: Argument) -> None:
    """The same of values at times in ms, along the first axis; errors say when."""
    _, _, spec = declared_of(found, path)
    # The domain is looked at here, to say when it is left; what follows would say only that it is.
    if spec is not None:
        inside = np.asarray(spec.domain.contains(np.asarray(u.get_mantissa(values))))
        rows = np.flatnonzero(~inside.reshape(len(times), -1).all(axis=1))
        if len(rows):
            bad, unit = np.asarray(u.get_mantissa(values))[rows[0]], u.get_unit(values)
            worst = bad.reshape(-1)[~inside[rows[0]].reshape(-1)][0]
            shown = show(worst) if unit.dim == u.DIMENSIONLESS else f"{show(worst)} {unit}"
            raise argument_error(what, f"must be {spec.domain.text}", f"comes to {shown} at {times[rows[0]]:g} ms")
    checked_value(found, path, values, what)
