"""What many arguments are asked: each check returns the value, or says in words what it must be.

`what` begins the message, as in Argument("jit", "Simulator.run"); an `example` ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from brainmass._common.foreign import plain
from brainmass._common.messages import argument_error, named, show, suggestion
from brainmass._common.typing import Numbers

__all__ = [
    "MOST",
    "as_array",
    "flag",
    "function",
    "holds_numbers",
    "instance",
    "is_function",
    "is_traced",
    "is_whole",
    "items",
    "mapping",
    "number",
    "numbers",
    "one_of",
    "region_numbers",
    "whole",
]

MOST = 2**31 - 1
"""Sizes and numbers of steps are counted in 32 bits."""


def one_of(what: str, value: object, known: Iterable[str | None], *, also: str = "") -> Any:
    """A name among the known ones; `also` says what else may be given, as in "a function or "."""
    known = tuple(known)
    if (value is None or isinstance(value, str)) and value in known:
        return value
    near = suggestion(value, [name for name in known if name]) if isinstance(value, str) else ""
    raise argument_error(what, f"must be {also}{_choice(known)}", f"is {named(value)}", hint=near)


def _choice(known: tuple) -> str:
    names = [named(name) for name in known]
    return (
        f"one of {', '.join(names)}"
        if len(names) > 3
        else " or ".join([", ".join(names[:-1]), names[-1]][-len(names) :])
    )


def flag(what: str, value: object) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise _error(what, "True or False", show(value))
    return bool(value)


def is_function(value: object) -> bool:
    """Whether it can be called for a value. A class is called to make an instance."""
    return callable(value) and not isinstance(value, type)


def function(what: str, value: object, of: str = "", *, example: str = "") -> Any:
    """Something to call, of what `of` says."""
    if not is_function(value):
        raise _error(what, f"a function{of and f' of {of}'}", show(value), example)
    return value


def instance(what: str, value: object, kinds: Any, must: str, *, example: str = "") -> Any:
    """An object of one of these classes, which `must` names."""
    if not isinstance(value, kinds):
        raise _error(what, must, show(value), example)
    return value


def items(what: str, value: object, of: str, *, example: str = "") -> list[Any]:
    """The items of a list, tuple, set or iterator, of what `of` says; no text or mapping, though one can go through."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable) or isinstance(value, u.Quantity):
        raise _error(what, f"a list of {of}", show(value), example)
    return list(value)


def mapping(what: str, value: object, of: str, *, example: str = "") -> dict[str, Any]:
    """A mapping from names, to what `of` says."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise _error(what, f"a mapping of names to {of}", show(value), example)
    return dict(value)


def is_whole(value: object, least: int = 1, most: int = MOST) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(least <= value <= most)


def whole(what: str, value: Numbers, least: int = 1, most: int = MOST, *, example: str = "") -> int:
    """A whole number."""
    if not is_whole(value, least, most):
        # Only what is too large is told how large it may be.
        limit = f" of at most {most}" if is_whole(value, most, 10**4000) else ""
        must = "a positive int" if least == 1 else f"an int of at least {least}"
        raise _error(what, f"{must}{limit}", show(value), example, kind=ValueError)
    return int(value)


def region_numbers(
    what: str, given: Any, n: int, names: Iterable[str] | None = None, *, most: int = MOST, example: str = ""
) -> np.ndarray:
    """The numbers of regions out of n, from one or a list of numbers or names, each once and at most so many."""
    listed = isinstance(given, list | tuple | range | np.ndarray) and np.ndim(given) == 1
    known = list(names or ())
    found = [known.index(x) if isinstance(x, str) and x in known else x for x in (given if listed else [given])]
    if not 0 < len(found) <= most or not all(is_whole(x, 0, n - 1) for x in found) or len(set(found)) < len(found):
        up_to = "" if most == MOST else f"up to {most} "
        rule = f"must be {up_to}numbers, from 0, or names of the {n} regions, each once"
        raise argument_error(what, rule, f"is {show(given)}", example)
    return np.asarray(found, int)


def number(
    what: str,
    value: Numbers,
    must: str = "that is finite",
    holds: Callable[[np.ndarray], Any] = np.isfinite,
    *,
    example: str = "",
) -> Numbers:
    """One number without unit, of which `must` says what `holds` tests; a traced one as it is."""
    value = as_array(value)
    if not holds_numbers(value):
        raise _error(what, f"a number {must}", show(value), example)
    value = numbers(what, value, unit=u.UNITLESS, example=example)
    if np.shape(value) != () or not (is_traced(value) or holds(np.asarray(value))):
        raise _error(what, f"a number {must}", show(value), example, kind=ValueError)
    return value if is_traced(value) else float(value)


def numbers(what: str, value: object, *, unit: u.Unit | None = None, example: str = "") -> Numbers:
    """A number, array or Quantity of real numbers, from whatever holds them; in `unit`, where that is given."""
    value = as_array(plain(what, value))
    if not holds_numbers(value):
        raise _error(what, "of real numbers", show(value), example)
    if unit is None:
        return value
    if not u.get_unit(value).has_same_dim(unit):
        asked = {u.UNITLESS.dim: "without unit", u.ms.dim: "a time"}.get(unit.dim, f"in a unit like {unit}")
        raise _error(what, asked, show(value), example, kind=u.UnitMismatchError)
    return value.to_decimal(unit) if isinstance(value, u.Quantity) else value


def holds_numbers(value: object) -> bool:
    """Whether an array, a Quantity, or one number is of real numbers."""
    mantissa = u.get_mantissa(value)
    # a traced value has a dtype, but is refused by np.asarray
    dtype = mantissa.dtype if hasattr(mantissa, "dtype") else np.asarray(mantissa).dtype
    return jnp.issubdtype(dtype, np.floating) or jnp.issubdtype(dtype, np.integer)


def as_array(value: object) -> Numbers:
    """Lists as arrays; what is no array of numbers as one of objects."""
    if not isinstance(value, list | tuple):
        return value
    try:
        # numpy would ask a tracer for its number, and take units from quantities.
        if any(isinstance(leaf, Tracer | u.Quantity) for leaf in jax.tree.leaves(value, is_leaf=_is_quantity)):
            return u.math.asarray(value)
        return np.asarray(value)
    except (TypeError, ValueError):
        return np.empty(len(value), object)


def _is_quantity(value: object) -> bool:
    return isinstance(value, u.Quantity)


def is_traced(value: object) -> bool:
    """Whether the value is only known to a JAX trace, so that there is no number to look at."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(value))


def _error(what: str, must: str, shown: str, example: str = "", kind: type[Exception] = TypeError) -> Exception:
    return argument_error(what, f"must be {must}", f"is {shown}", f"{example}." if example else "", kind=kind)
