"""The functions that an expression may call: what they are, of how many arguments, and what units they take."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import brainunit as u
import jax
import jax.numpy as jnp

from brainmass._common.typing import Numbers

__all__ = ["CONSTANTS", "FUNCTIONS", "SPELLINGS", "Function", "alike"]

CONSTANTS = {"pi": math.pi}
"""Names that stand for a number where a file does not use them for something else."""

SPELLINGS = {
    "Abs": "abs",
    "Min": "min",
    "Max": "max",
    "ln": "log",
    "H": "heaviside",
    "Heaviside": "heaviside",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "minimum": "min",
    "maximum": "max",
    "Eq": "eq",
    "Ne": "ne",
    "Lt": "lt",
    "Le": "le",
    "Gt": "gt",
    "Ge": "ge",
}
"""Other names of functions, as sympy, LEMS and numpy write them."""


@dataclass(frozen=True)
class Function:
    """A function of expressions.

    `kind` is what it takes and gives: "number", plain numbers; "same", values of one unit, and gives that unit;
    "ratio", values of one unit, and gives a plain number; "root" the root of a unit; "sign" a plain number for any
    value; "where" and "logic" what conditions choose, and conditions.
    """

    of: Callable[..., Numbers]
    kind: str = "number"
    least: int = 1
    most: int = 1
    comparison: type[ast.cmpop] | None = None

    def tree(self, *args: ast.expr) -> ast.expr | None:
        """Its call as another kind of node, where it is a comparison."""
        return None if self.comparison is None else ast.Compare(args[0], [self.comparison()], [args[1]])


def alike(*values: Numbers) -> tuple[Numbers, ...]:
    """A plain zero takes the unit that the others have."""
    units = [u.get_unit(x) for x in values if not _is_zero(x)]
    unit = units[0] if units else u.UNITLESS
    if unit.dim == u.DIMENSIONLESS:
        return values
    return tuple(x * unit if _is_zero(x) else x for x in values)


def _is_zero(x: object) -> bool:
    # Only a number as the file has it: an array may be traced, and its zero has a unit.
    return isinstance(x, float) and x == 0


def _many(function: Callable[[Numbers, Numbers], Numbers]) -> Callable[..., Numbers]:
    def of_many(*values: Numbers) -> Numbers:
        first, *others = alike(*values)
        for x in others:
            first = function(first, x)
        return first

    return of_many


def _where(condition: Numbers, a: Numbers, b: Numbers) -> Numbers:
    return u.math.where(condition, *alike(a, b))


def _heaviside(x: Numbers) -> Numbers:
    # One half at zero, as sympy has it.
    return jnp.heaviside(u.get_mantissa(x), 0.5)


def _atan2(y: Numbers, x: Numbers) -> Numbers:
    y, x = alike(y, x)
    unit = u.get_unit(y)
    return jnp.arctan2(u.get_mantissa(y), u.maybe_decimal(x / unit) if unit.dim != u.DIMENSIONLESS else x)


def _of_numbers(**functions: Callable[..., Numbers]) -> dict[str, Function]:
    return {name: Function(function) for name, function in functions.items()}


FUNCTIONS: Mapping[str, Function] = {
    **_of_numbers(exp=jnp.exp, expm1=jnp.expm1, log=jnp.log, log1p=jnp.log1p, log10=jnp.log10),
    **_of_numbers(sin=jnp.sin, cos=jnp.cos, tan=jnp.tan, asin=jnp.arcsin, acos=jnp.arccos, atan=jnp.arctan),
    **_of_numbers(sinh=jnp.sinh, cosh=jnp.cosh, tanh=jnp.tanh, asinh=jnp.arcsinh, acosh=jnp.arccosh, atanh=jnp.arctanh),
    **_of_numbers(erf=jax.scipy.special.erf, erfc=jax.scipy.special.erfc, sigmoid=jax.nn.sigmoid),
    "sqrt": Function(u.math.sqrt, "root"),
    "abs": Function(u.math.abs, "same"),
    "min": Function(_many(u.math.minimum), "same", 2, 99),
    "max": Function(_many(u.math.maximum), "same", 2, 99),
    "sign": Function(lambda x: jnp.sign(u.get_mantissa(x)), "sign"),
    "heaviside": Function(_heaviside, "sign"),
    "atan2": Function(_atan2, "ratio", 2, 2),
    "where": Function(_where, "where", 3, 3),
    "And": Function(_many(jnp.logical_and), "logic", 2, 99),
    "Or": Function(_many(jnp.logical_or), "logic", 2, 99),
    "Not": Function(jnp.logical_not, "logic"),
    "eq": Function(operator.eq, "same", 2, 2, ast.Eq),
    "ne": Function(operator.ne, "same", 2, 2, ast.NotEq),
    "lt": Function(operator.lt, "same", 2, 2, ast.Lt),
    "le": Function(operator.le, "same", 2, 2, ast.LtE),
    "gt": Function(operator.gt, "same", 2, 2, ast.Gt),
    "ge": Function(operator.ge, "same", 2, 2, ast.GtE),
}
"""By the name under which a tree has them."""
