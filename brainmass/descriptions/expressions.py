"""Expressions of descriptions: parsed by Python's own parser into a tree of few kinds of node, and never run as Python.

A tree has numbers, names, the operations + - * / and powers, comparisons, and calls of the functions of
`brainmass.descriptions.functions`; everything else of Python is refused, by its text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType

import numpy as np

from brainmass._common.messages import suggestion
from brainmass.descriptions.faults import Place
from brainmass.descriptions.functions import CONSTANTS, FUNCTIONS, SPELLINGS

__all__ = ["Functions", "names_in", "outside_conditions", "parse", "unknown_names"]

LONGEST = 20_000  # characters of an expression, and parts of its tree once functions stand in place of their names

Functions = Mapping[str, tuple[tuple[str, ...], ast.expr]]
"""Functions that a file defines: the names of their arguments, and what they are."""

# LEMS writes comparisons as words and powers as ^, sympy conditions with & and |.
_WORDS = {"gt": ">", "geq": ">=", "ge": ">=", "lt": "<", "leq": "<=", "le": "<=", "eq": "==", "neq": "!=", "ne": "!="}
_WORDS |= {"and": " and ", "or": " or ", "not": " not "}
_OPERATIONS: dict[type[ast.operator], Callable] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
_LOGIC = {ast.BitAnd: "And", ast.BitOr: "Or", ast.And: "And", ast.Or: "Or"}


def parse(place: Place, text: object, functions: Functions = MappingProxyType({})) -> ast.expr:
    """The tree of an expression, in which functions of the file stand written out.

    Raises
    ------
    ValueError
        If it is none, calls what is no function, or is too long; the message says at which place.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        text = repr(text)
    if not isinstance(text, str) or not text.strip():
        raise place.fault("must be an expression", f"is {text!r}", "-x/tau")
    if len(text) > LONGEST:
        raise place.fault(f"must have {LONGEST} characters at most", f"has {len(text)}")
    try:
        # In brackets of their own lines an expression may have several, and a comment at its end.
        tree = ast.parse(f"(\n{_in_python(text)}\n)", mode="eval").body
    except (SyntaxError, ValueError) as error:
        said = error.msg if isinstance(error, SyntaxError) else error
        raise place.fault("must be an expression", f"is {_short(text)!r}: {said}") from None
    # Python's parser tells of too deep a nesting by a MemoryError.
    except (RecursionError, MemoryError):
        raise place.fault("must be an expression", "is nested too deep") from None
    try:
        return _Checked(place, text, functions).visit(tree)
    except RecursionError:
        raise place.fault("must be an expression", "is nested too deep") from None


def _in_python(text: str) -> str:
    text = re.sub(rf"\.({'|'.join(_WORDS)})\.", lambda word: f" {_WORDS[word[1]]} ", text)
    return text.replace("^", "**").replace("&&", "&").replace("||", "|")


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def names_in(tree: ast.AST) -> set[str]:
    """The symbols of an expression."""
    return {node.id for node in _parts(tree) if isinstance(node, ast.Name)}


def outside_conditions(tree: ast.AST) -> set[str]:
    """The symbols that have a part in its value, and not only in the choice of a case."""
    return {node.id for node in _parts(tree, conditions=False) if isinstance(node, ast.Name)}


def _parts(tree: ast.AST, conditions: bool = True) -> Iterator[ast.AST]:
    """The nodes that are values; the name of a function is none."""
    yield tree
    for child in _children(tree, conditions):
        yield from _parts(child, conditions)


def _children(tree: ast.AST, conditions: bool) -> Iterator[ast.AST]:
    if isinstance(tree, ast.Call):
        assert isinstance(tree.func, ast.Name)
        yield from tree.args[:2] if tree.func.id == "where" and conditions else ()
        yield from tree.args[1:2] if tree.func.id == "where" and not conditions else ()
        yield from tree.args if tree.func.id != "where" else tree.args[2:]
    elif isinstance(tree, ast.BinOp):
        yield from (tree.left, tree.right)
    elif isinstance(tree, ast.UnaryOp):
        yield tree.operand
    elif isinstance(tree, ast.Compare) and conditions:
        yield from (tree.left, *tree.comparators)


class _Checked(ast.NodeTransformer):
    """The tree of Python as one of few kinds of node."""

    def __init__(self, place: Place, text: str, functions: Functions):
        self.place, self.text, self.functions = place, text, functions
        self.size = 0

    def visit(self, node: ast.AST) -> ast.expr:
        self.size += 1
        # Functions that call one another twice double at each level: a short file could fill the memory.
        if self.size > LONGEST:
            raise self.place.fault(f"must have {LONGEST} parts at most, with its functions written out", "has more")
        return super().visit(node)

    # All that has no method here ends here, attributes and subscripts too: a file can reach nothing of Python.
    def generic_visit(self, node: ast.AST) -> ast.expr:
        raise self.place.fault(
            "must be made of numbers, names, + - * / **, comparisons and calls of functions",
            f"has {_short(ast.unparse(node))!r}",
        )

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, bool):
            return node
        if not isinstance(node.value, int | float):
            return self.generic_visit(node)
        # `float` of a larger integer raises.
        return self._number(node, float(node.value) if abs(node.value) < 10**308 else np.inf)

    def _number(self, node: ast.AST, value: float) -> ast.expr:
        if not np.isfinite(value):
            raise self.place.fault("must have finite numbers", f"has {_short(ast.unparse(node))} = {value}")
        return ast.Constant(float(value))

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Name(node.id)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        if type(node.op) in _LOGIC:
            return _call(_LOGIC[type(node.op)], self.visit(node.left), self.visit(node.right))
        if type(node.op) not in _OPERATIONS:
            return self.generic_visit(node)
        made = ast.BinOp(self.visit(node.left), node.op, self.visit(node.right))
        if isinstance(node.op, ast.Div) and _value(made.right) == 0:
            raise self.place.fault("must not divide by zero", f"has {_short(ast.unparse(node))}")
        # Numbers are worked out at once: an exponent that is written 1/2 must be known for the unit of the power.
        a, b = _value(made.left), _value(made.right)
        if a is None or b is None:
            return made
        with np.errstate(all="ignore"):
            return self._number(node, _OPERATIONS[type(node.op)](a, b))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        if isinstance(node.op, ast.Not | ast.Invert):
            return _call("Not", self.visit(node.operand))
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.UAdd):
            return operand
        number = _value(operand)
        return ast.UnaryOp(ast.USub(), operand) if number is None else ast.Constant(-number)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        return _call(_LOGIC[type(node.op)], *map(self.visit, node.values))

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        if not all(isinstance(op, _COMPARISONS) for op in node.ops):
            return self.generic_visit(node)
        values = [self.visit(x) for x in (node.left, *node.comparators)]
        # a < b < c is a < b and b < c.
        pairs = [ast.Compare(a, [op], [b]) for a, op, b in zip(values, node.ops, values[1:], strict=False)]
        return pairs[0] if len(pairs) == 1 else _call("And", *pairs)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if not isinstance(node.func, ast.Name) or node.keywords or any(isinstance(x, ast.Starred) for x in node.args):
            return self.generic_visit(node)
        name = node.func.id
        # Before ours: a file may define a function with the name of one of them.
        if name in self.functions:
            return self._written_out(name, node.args)
        name = SPELLINGS.get(name, name)
        if name == "Piecewise":
            return self._cases(node)
        if name not in FUNCTIONS:
            self._refuse_function(node.func.id)
        least, most = FUNCTIONS[name].least, FUNCTIONS[name].most
        if not least <= len(node.args) <= most:
            wanted = f"{least}" if least == most else f"{least} or more"
            raise self.place.fault(f"must call `{name}` with {wanted} arguments", f"gives it {len(node.args)}")
        return FUNCTIONS[name].tree(*map(self.visit, node.args)) or _call(name, *map(self.visit, node.args))

    def _refuse_function(self, name: str) -> None:
        known = sorted({*FUNCTIONS, *SPELLINGS, "Piecewise", *self.functions})
        raise self.place.fault(
            "must call functions that there are",
            f"calls `{name}`",
            hint=f"{suggestion(name, known)} There are {', '.join(known)}.",
        )

    def _written_out(self, name: str, given: list[ast.expr]) -> ast.expr:
        arguments, tree = self.functions[name]
        if len(given) != len(arguments):
            raise self.place.fault(
                f"must call `{name}` with {len(arguments)} arguments ({', '.join(arguments)})", f"gives it {len(given)}"
            )
        values = dict(zip(arguments, map(self.visit, given), strict=True))
        return self._with(tree, values)

    def _with(self, tree: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr:
        self.size += 1
        if self.size > LONGEST:
            # For its error.
            return self.visit(tree)
        if isinstance(tree, ast.Name):
            return values.get(tree.id, tree)
        fields = {}
        for key, child in ast.iter_fields(tree):
            if isinstance(child, list):
                fields[key] = [self._with(x, values) if isinstance(x, ast.expr) else x for x in child]
            else:
                # The name of a function is no symbol.
                inner = isinstance(child, ast.expr) and not (isinstance(tree, ast.Call) and key == "func")
                fields[key] = self._with(child, values) if inner else child
        return type(tree)(**fields)

    def _cases(self, node: ast.Call) -> ast.expr:
        """`Piecewise((value, condition), ..., (value, True))` as one `where` in another."""
        pairs = [x.elts for x in node.args if isinstance(x, ast.Tuple) and len(x.elts) == 2]
        if not pairs or len(pairs) < len(node.args):
            raise self.place.fault(
                "must give `Piecewise` pairs of value and condition",
                f"is {_short(self.text)!r}",
                "Piecewise((0, x < 0), (x, True))",
            )
        cases = [(self.visit(value), self.visit(condition)) for value, condition in pairs]
        last = cases[-1][1]
        if not (isinstance(last, ast.Constant) and last.value is True):
            raise self.place.fault(
                "must end its cases with one that holds always, (value, True)",
                f"ends with the condition {ast.unparse(last)}",
            )
        made = cases[-1][0]
        # From the last on, as each is what the case before it falls back to.
        for value, condition in reversed(cases[:-1]):
            made = _call("where", condition, value, made)
        return made


def _call(name: str, *args: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name), list(args), [])


def _value(node: ast.expr) -> float | None:
    """The number that a tree is; None of another one."""
    return node.value if isinstance(node, ast.Constant) and type(node.value) is float else None


def unknown_names(tree: ast.expr, known: Collection[str]) -> list[str]:
    """The symbols that are neither known nor a constant such as pi."""
    return sorted(names_in(tree) - {*known, *CONSTANTS})
