"""The value of an expression, from the values of its symbols."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import brainunit as u

from brainmass._common.typing import Numbers
from brainmass.descriptions.functions import CONSTANTS, FUNCTIONS, alike

__all__ = ["Scope"]


class Scope:
    """Values by name: those that are given, and derived ones, each worked out once when it is first asked for."""

    def __init__(self, given: Mapping[str, Any], derived: Mapping[str, ast.expr]):
        self._known, self._derived = dict(given), derived

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = self.of(self._derived[name]) if name in self._derived else CONSTANTS[name]
        return self._known[name]

    def of(self, tree: ast.expr) -> Numbers:
        """What an expression is: a number, an array, a quantity, or a condition."""
        match tree:
            case ast.Constant():
                return tree.value
            case ast.Name():
                return self[tree.id]
            case ast.UnaryOp():
                return -self.of(tree.operand)
            case ast.BinOp():
                return u.maybe_decimal(self._operation(tree))
            case ast.Compare():
                a, b = alike(self.of(tree.left), self.of(tree.comparators[0]))
                return _COMPARED[type(tree.ops[0])](a, b)
            case ast.Call(func=ast.Name(id="where"), args=[condition, a, b]):
                chosen = self.of(condition)
                if isinstance(chosen, bool):
                    return self.of(a if chosen else b)
                return FUNCTIONS["where"].of(chosen, self.of(a), self.of(b))
            case ast.Call(func=ast.Name(id=name)):
                return u.maybe_decimal(FUNCTIONS[name].of(*map(self.of, tree.args)))
        raise AssertionError(ast.dump(tree))

    def _operation(self, tree: ast.BinOp) -> Numbers:
        a, b = self.of(tree.left), self.of(tree.right)
        match tree.op:
            case ast.Add():
                a, b = alike(a, b)
                return a + b
            case ast.Sub():
                a, b = alike(a, b)
                return a - b
            case ast.Mult():
                return a * b
            case ast.Div():
                return a / b
        # A whole power is a few products; of a float it takes many times as long.
        whole = isinstance(b, float) and b.is_integer() and abs(b) < 2**31
        return a ** (int(b) if whole else b)


_COMPARED = {
    operation: lambda a, b, name=name: FUNCTIONS[name].of(a, b)
    for name, function in FUNCTIONS.items()
    if (operation := function.comparison) is not None
}
