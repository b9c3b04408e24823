"""Whether the terms of an expression agree in their units, and which units its inputs must have."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

import brainunit as u

from brainmass.descriptions.faults import Place
from brainmass.descriptions.functions import CONSTANTS, FUNCTIONS

__all__ = ["Dimensions", "Measure"]


@dataclass(frozen=True)
class Measure:
    """A unit, with powers of inputs whose unit is not known yet; `is_zero` of a plain 0, which has any."""

    unit: u.Unit = u.UNITLESS
    powers: Mapping[str, float] = field(default_factory=dict)
    is_zero: bool = False

    def times(self, other: Measure, power: float = 1.0) -> Measure:
        powers = {n: self.powers.get(n, 0) + power * other.powers.get(n, 0) for n in {*self.powers, *other.powers}}
        unit = cast(u.Unit, self.unit * other.unit**power)
        # An input that cancels leaves no power to settle.
        return Measure(unit, {n: x for n, x in powers.items() if x})

    def __str__(self) -> str:
        return "no unit" if self.unit.dim == u.DIMENSIONLESS else str(self.unit)


PLAIN, ANY = Measure(), Measure(is_zero=True)
CONDITION = "a condition"


class Dimensions:
    """The units of symbols by name, as far as they are known.

    Parameters
    ----------
    units : mapping
        Units of parameters, states and inputs; None of an input whose unit is to be found.
    derived : mapping
        Expressions of derived symbols, with their places.
    """

    def __init__(self, units: Mapping[str, u.Unit | None], derived: Mapping[str, tuple[Place, ast.expr]]):
        self.units, self.derived = dict(units), derived
        self._known: dict[str, Measure | str] = {}

    def solve(self, equations: Iterable[tuple[Place, ast.expr, Measure]]) -> None:
        """Find the units of the inputs from equations with the units that they must have, then check all of them."""
        equations = list(equations)
        # A unit that is found may settle others, in equations that were looked at before: each round finds one at
        # least, or is the last.
        for _ in self.units:
            before = dict(self.units)
            self._known = {}
            for place, tree, wanted in equations:
                self.agree(place, tree, self.of(place, tree), wanted)
            if before == self.units:
                break
        # An input that no equation ties to a unit is a plain number.
        self.units = {name: u.UNITLESS if unit is None else unit for name, unit in self.units.items()}
        self._known = {}  # derived symbols were measured by what was known before
        for place, tree, wanted in equations:
            self.agree(place, tree, self.of(place, tree), wanted)

    def agree(self, place: Place, tree: ast.expr, one: Measure | str, other: Measure, what: str = "") -> Measure:
        """The unit that two parts have, which may settle that of an input; an error where it is not one."""
        one, other = self._resolved(self._number(place, tree, one)), self._resolved(other)
        # A plain 0 has the unit of what stands beside it.
        if one.is_zero or other.is_zero:
            return other if one.is_zero else one
        powers = one.times(other, -1.0).powers
        if not powers:
            if not one.unit.has_same_dim(other.unit):
                self._differ(place, tree, one, other, what)
        # The unit of one unknown input follows; of several together none does yet.
        elif len(powers) == 1:
            ((name, power),) = powers.items()
            self._settle(name, (other.unit / one.unit) ** (1 / power))
        return self._resolved(one)

    def _resolved(self, measure: Measure) -> Measure:
        """With the units of inputs that have been found since."""
        for name, power in measure.powers.items():
            if (unit := self.units[name]) is not None:
                rest = {n: x for n, x in measure.powers.items() if n != name}
                measure = Measure(cast(u.Unit, measure.unit * unit**power), rest)
        return measure

    def _settle(self, name: str, unit: u.Unit) -> None:
        self.units[name] = u.UNITLESS if unit.dim == u.DIMENSIONLESS else unit

    def _differ(self, place: Place, tree: ast.expr, one: Measure, other: Measure, what: str) -> None:
        raise place.fault(
            what or "must have terms of one unit",
            f"has {ast.unparse(tree)} with {one} beside {other}",
            hint="Give the units that are missing, or read it with units='numbers': the equations then hold for the "
            "numbers in the units of the file.",
            kind=u.UnitMismatchError,
        )

    def _number(self, place: Place, tree: ast.expr, found: Measure | str) -> Measure:
        if isinstance(found, str):
            raise place.fault(
                "must have numbers where numbers are added, chosen or given to functions",
                f"has the condition {ast.unparse(tree)}",
            )
        return found

    def of(self, place: Place, tree: ast.expr) -> Measure | str:
        """The unit of an expression, or that it is a condition."""
        match tree:
            # First: True is a number to Python.
            case ast.Constant(value=bool()):
                return CONDITION
            case ast.Constant():
                return ANY if tree.value == 0 else PLAIN
            case ast.Name():
                return self._of_name(tree.id)
            case ast.UnaryOp():
                return self._number(place, tree.operand, self.of(place, tree.operand))
            case ast.BinOp():
                return self._of_operation(place, tree)
            case ast.Compare():
                self._same(place, [tree.left, *tree.comparators])
                return CONDITION
            case ast.Call(func=ast.Name(id=name)):
                return self._of_call(place, name, tree.args)
        # `parse` leaves no other kind of node.
        raise AssertionError(ast.dump(tree))

    def _of_name(self, name: str) -> Measure | str:
        if name in self.derived:
            if name not in self._known:
                self._known[name] = self.of(*self.derived[name])
            return self._known[name]
        if name not in self.units and name in CONSTANTS:
            return PLAIN
        unit = self.units[name]
        return Measure(powers={name: 1.0}) if unit is None else Measure(unit)

    def _same(self, place: Place, trees: list[ast.expr]) -> Measure:
        """The unit that all of them have."""
        found = self._number(place, trees[0], self.of(place, trees[0]))
        for tree in trees[1:]:
            found = self.agree(place, tree, self.of(place, tree), found)
        return found

    def _of_operation(self, place: Place, tree: ast.BinOp) -> Measure:
        if isinstance(tree.op, ast.Add | ast.Sub):
            return self._same(place, [tree.left, tree.right])
        a, b = (self._number(place, x, self.of(place, x)) for x in (tree.left, tree.right))
        if isinstance(tree.op, ast.Mult | ast.Div):
            return a.times(b, 1.0 if isinstance(tree.op, ast.Mult) else -1.0)
        self.agree(place, tree.right, b, PLAIN, "must have exponents without unit")
        # With a symbol as exponent the unit would depend on its value: then only plain numbers will do.
        if isinstance(tree.right, ast.Constant) and isinstance(tree.right.value, float):
            return PLAIN.times(a, tree.right.value)
        return self.agree(
            place, tree.left, a, PLAIN, "must take powers of plain numbers where the exponent is a symbol"
        )

    def _of_call(self, place: Place, name: str, args: list[ast.expr]) -> Measure | str:
        kind = FUNCTIONS[name].kind
        if kind in ("where", "logic"):
            for tree in args[:1] if kind == "where" else args:
                if self.of(place, tree) is not CONDITION:
                    raise place.fault("must choose by conditions, such as x > 0", f"has {ast.unparse(tree)}")
            return CONDITION if kind == "logic" else self._same(place, args[1:])
        if kind == "number":
            for tree in args:
                self.agree(place, tree, self.of(place, tree), PLAIN, f"must give `{name}` a number without unit")
            return PLAIN
        found = self._same(place, args)
        return PLAIN.times(found, 0.5) if kind == "root" else found if kind == "same" else PLAIN
