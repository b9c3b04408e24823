"""What a description says of a model: parameters, states, inputs and equations."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

import brainunit as u

from brainmass.descriptions.faults import Place
from brainmass.dynamics.fields import Domain

__all__ = ["Description", "Input", "Parameter", "State"]


@dataclass(frozen=True)
class Parameter:
    """A parameter: default in its unit, meaning, domain."""

    value: float
    unit: u.Unit
    doc: str
    domain: Domain


@dataclass(frozen=True)
class State:
    """A state: its equation, unit, meaning, domain, and what it starts from, a number or two bounds.

    `input` and `noise_input` name inputs that are its own: input and noise of the state enter there. Where it `adds`,
    the input is no part of the equation, but adds to it.
    """

    equation: ast.expr
    place: Place
    unit: u.Unit
    doc: str
    domain: Domain
    start: float | tuple[float, float]
    is_angle: bool = False
    input: str = ""
    adds: bool = False
    noise_input: str = ""


@dataclass(frozen=True)
class Input:
    """What enters the equations from outside; its unit is None where the equations must tell it.

    One that most runs leave at zero is optional.
    """

    unit: u.Unit | None
    doc: str
    is_optional: bool = False


@dataclass(frozen=True)
class Description:
    """A model as a file describes it.

    `with_units` says whether its equations hold for quantities; else they hold for the numbers in the units of the
    file, and rates of change are per `time_unit`.
    """

    name: str
    place: Place
    doc: str
    category: str
    parameters: Mapping[str, Parameter]
    inputs: Mapping[str, Input]
    derived: Mapping[str, tuple[Place, ast.expr, u.Unit | None]]
    states: Mapping[str, State]
    with_units: bool
    time_unit: u.Unit
    output: str | tuple[str, ...] = ""
    method: str = ""
    clamp: bool = False
    use_case: str = ""
