"""One declaration per fact: the parameters, states and ports of a model, with their units and domains.

The rows written with `param` and `state` are what the constructor, its signature, the `help()` table, the
checks with their messages, the list of models and the generic tests read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import brainunit as u
import numpy as np
from brainstate.nn import Param

from brainmass._common.checks import flag, instance
from brainmass._common.messages import Argument
from brainmass._common.typing import Numbers

__all__ = [
    "Domain",
    "Initializer",
    "Par",
    "ParamSpec",
    "SettingSpec",
    "StateSpec",
    "nonnegative",
    "option",
    "param",
    "positive",
    "real",
    "required",
    "setting",
    "spelling",
    "state",
    "unit_interval",
]

Initializer = Callable[..., Any]
"""A callable that takes a shape and returns initial values, e.g. `braintools.init.Uniform(0., 1.)`."""


# --- domains ------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Domain:
    """The values that a parameter or a state may take: a test on numpy arrays, and words that describe it.

    `bounds` are the least and the largest of them.
    """

    text: str
    # Not compared: a lambda equals itself alone, and what it says stands in `text` and `bounds`.
    contains: Callable[[np.ndarray], Numbers] = field(compare=False, repr=False)
    # Some that it refuses, which `brainmass.testing` tries on every parameter that has it.
    outside: tuple[float, ...] = field(default=(np.nan,), compare=False, repr=False)
    bounds: tuple[float, float] = (-np.inf, np.inf)

    @property
    def is_bounded(self) -> bool:
        """Whether some number lies outside."""
        return self.bounds != (-np.inf, np.inf)


real = Domain("finite", np.isfinite)
"""Any finite number."""
positive = Domain("> 0", lambda x: np.isfinite(x) & (x > 0), (0.0, -1.0, np.nan, np.inf), (0.0, np.inf))
"""Above zero, and finite."""
nonnegative = Domain(">= 0", lambda x: np.isfinite(x) & (x >= 0), (-1.0, np.nan, np.inf), (0.0, np.inf))
"""Zero or above, and finite."""
unit_interval = Domain("between 0 and 1", lambda x: (x >= 0) & (x <= 1), (-0.1, 1.1, np.nan), (0.0, 1.0))
"""From 0 to 1."""


# --- specifications -----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class ParamSpec:
    """A parameter: default, meaning, domain, and the units it may carry (none listed: any unit)."""

    default: Any
    doc: str
    domain: Domain = real
    units: tuple[u.Unit, ...] = (u.UNITLESS,)
    in_derivative: bool = True
    name: str = ""


@dataclass(frozen=True)
class SettingSpec(ParamSpec):
    """A number that is known before a run is compiled, and stays as it was given: a `Quantity`, not a `Param`."""


@dataclass(frozen=True)
class StateSpec:
    """A state variable: meaning, unit, initial values, and the ports and noise through which it is driven.

    `port` is the argument of `update` that enters its derivative, `add` a second port that only noise uses; noise
    enters `add` where there is one, else `port`.
    """

    doc: str
    unit: u.Unit | None = u.UNITLESS
    init: str | Initializer = ""
    port: str = ""
    port_unit: u.Unit = u.UNITLESS
    add: str = ""
    add_unit: u.Unit = u.UNITLESS
    noise: str = ""
    domain: Domain = real
    is_angle: bool = False
    name: str = ""

    @property
    def unit_words(self) -> str:
        return "" if self.unit is None or self.unit.has_same_dim(u.UNITLESS) else str(self.unit)

    @property
    def noise_port(self) -> str:
        return self.add or self.port


# --- rows, as written in a class body -----------------------------------------------------------------------
if TYPE_CHECKING:

    class Par:
        """For editors: give a number, a quantity, an initialiser or a `Param`; read back a `Param`."""

        def __get__(self, obj: object, owner: object) -> Param: ...
        def __set__(self, obj: object, value: object) -> None: ...
else:
    Par = Param


def param(
    *,
    default: object,
    doc: str,
    domain: Domain = real,
    unit: Any = None,
    kw_only: bool = False,
    in_derivative: bool = True,
) -> Any:
    """Declare a parameter.

    Parameters
    ----------
    default : number, Quantity, None or ...
        None: a parameter that a model may be without; ... : one that must be given.
    doc : str
        What it is, in a few words.
    domain : Domain
        `real`, `positive`, `nonnegative`, `unit_interval`.
    unit : Unit, tuple of Unit, or "any"
        Units with the allowed dimensions. Taken from the default when not given.
    kw_only : bool
        Whether it is given by keyword only.
    in_derivative : bool
        Whether it enters the rates of change at a given state; a delay does not.
    """
    if unit is None:
        units = (u.get_unit(default),)
    else:
        units = () if isinstance(unit, str) else unit if isinstance(unit, tuple) else (unit,)
    # The specification is the dataclass default itself: dataclasses refuse a Quantity, which is not hashable.
    return dataclasses.field(default=ParamSpec(default, doc, domain, units, in_derivative), kw_only=kw_only)


def setting(*, default: object, doc: str, domain: Domain = real, unit: Any = None) -> Any:
    """Declare numbers that shapes depend on: they are checked as a parameter is, but are never traced or trained."""
    units = (u.get_unit(default),) if unit is None else unit if isinstance(unit, tuple) else (unit,)
    return dataclasses.field(default=SettingSpec(default, doc, domain, units))


def spelling(doc: str, *, of: str = "", kw_only: Literal[True] = True, default: None = None) -> Any:
    """Declare another way to write parameters, by keyword: `translate` of the class turns it into those.

    Where it is a number, it is checked as the parameter `of` is, but for its domain.
    """
    return dataclasses.field(default=default, kw_only=kw_only, metadata={"spelling": doc, "of": of})


def state(
    doc: str,
    *,
    unit: u.Unit | None = u.UNITLESS,
    start: str | Initializer = "",
    port: str = "",
    port_unit: u.Unit | None = None,
    add: str = "",
    add_unit: u.Unit | None = None,
    noise: str = "",
    domain: Domain = real,
    is_angle: bool = False,
    # Read by type checkers alone, to whom a state is so no argument of the constructor.
    init: Literal[False] = False,
) -> Any:
    """Declare a state variable.

    Parameters
    ----------
    doc : str
        What it is, in a few words.
    unit : Unit or None
        Unit of the state; None when only the instance knows it.
    start : str or callable
        Name of the constructor argument that gives the initial values (default `init_<state>`), or the
        initialiser itself where the user has no choice.
    port : str
        Argument of `update` that enters the derivative of this state.
    port_unit : Unit
        Unit of the port; default that of the state.
    add : str
        Second port, for noise alone.
    add_unit : Unit
        Unit of the second port; default that of the state.
    noise : str
        Name of the constructor argument that holds the noise (default `noise_<state>` where that is
        declared).
    domain : Domain
        Values that the state may have: it starts from one of them, and a run tells when it leaves them.
    is_angle : bool
        Whether it is an angle in rad, of which whole turns are taken away after each step: it stays between -π and π.
    """
    unit_of_port = port_unit if port_unit is not None else unit or u.UNITLESS
    unit_of_add = add_unit if add_unit is not None else unit or u.UNITLESS
    spec = StateSpec(doc, unit, start, port, unit_of_port, add, unit_of_add, noise, domain, is_angle)
    return dataclasses.field(init=False, repr=False, metadata={"spec": spec})


def required(doc: str = "") -> Any:
    """Declare an argument without default. (A bare annotation would take brainstate's property as one.)"""
    return dataclasses.field(metadata={"doc": doc} if doc else {})


def option(
    *, default: object, kw_only: bool = True, doc: str = "", check: Callable[[Argument, Any], Any] | None = None
) -> Any:
    """Declare an argument that is neither parameter nor state.

    Parameters
    ----------
    doc : str
        Its meaning in the table of `help()`.
    check : callable
        `check(what, value)` gives what is set, or an error that begins with `what`, as those of
        `brainmass._common.checks`. Not asked of None where that is the default. Switches and units need none.
    """
    facts = {"doc": doc or None, "check": check or _check_of_kind(default)}
    return dataclasses.field(default=default, kw_only=kw_only, metadata={k: x for k, x in facts.items() if x})


def _check_of_kind(default: object) -> Callable[[Argument, Any], Any] | None:
    """What a switch or a unit is asked."""
    if isinstance(default, bool):
        return flag
    return partial(instance, kinds=u.Unit, must="a unit", example="u.mV") if isinstance(default, u.Unit) else None
