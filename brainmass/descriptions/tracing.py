"""The equations of a model class as expressions: what JAX traces of its derivatives, read back as text.

The trace is of numbers in the declared units, so the expressions hold for those. Regions do not know one another in a
node; an operation between regions, or any that no expression has, is refused by its name.
"""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.typing import Numbers
from brainmass._common.units import per
from brainmass.dynamics.node import NeuralMassDynamics

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn


__all__ = ["NotWritable", "Traced", "trace"]

REGIONS = 3  # so that what mixes regions, or picks one, does not look like what does not


class NotWritable(Exception):
    """Why the equations of a model are no expressions."""


class Traced:
    """Expressions: `rates` by state, `derived` symbols that they share or that the model sends, by name, with units."""

    def __init__(self, rates: Mapping[str, str], derived: Mapping[str, str]):
        self.rates, self.derived = rates, derived
        self.units: dict[str, u.Unit] = {}


def trace(cls: type[NeuralMassDynamics], sources: tuple[str, ...]) -> Traced:
    """The expressions of the derivatives of a model class, and of what it can send or tell by a method.

    Raises
    ------
    NotWritable
        If JAX finds an operation in them that no expression has.
    """
    params = {name: spec for name, spec in cls._params.items() if spec.default is not None}
    ports = tuple(cls._port_units)
    units: dict[str, u.Unit] = {}

    def equations(
        numbers: Mapping[str, Numbers], states: Mapping[str, Numbers], inputs: Mapping[str, Numbers]
    ) -> tuple[dict[str, Numbers], dict[str, Numbers]]:
        given = {n: u.maybe_decimal(x * u.get_unit(params[n].default)) for n, x in numbers.items()}
        node = cls(REGIONS, **given)
        now = {n: u.maybe_decimal(states[n] * spec.unit) for n, spec in cls._states.items()}
        entering = [u.maybe_decimal(inputs[port] * cls._port_units[port]) for port in ports]
        rates = node.derivative(tuple(now.values()), 0.0 * u.ms, *entering)
        found = {n: u.Quantity(x).to_decimal(per(cls._states[n].unit, u.ms)) for n, x in zip(now, rates, strict=True)}
        for n, x in now.items():
            # What a method tells it reads from the states of the node.
            setattr(node, n, brainstate.HiddenState(x))
        for port in cls.remembers:
            setattr(node, f"received_{port}", brainstate.HiddenState(entering[ports.index(port)]))
        sent = {n: node.source(n, now) if n in cls.sources else getattr(node, n)() for n in sources}
        units.update({n: u.get_unit(x) for n, x in sent.items()})
        return found, {n: u.get_mantissa(x) for n, x in sent.items()}

    # Numbers of the equations come out with all their digits.
    with jax.enable_x64(True):
        numbers = {n: jnp.asarray(float(np.asarray(u.get_mantissa(s.default)))) for n, s in params.items()}
        vector = jnp.zeros(REGIONS)
        given = numbers, dict.fromkeys(cls._states, vector), dict.fromkeys(ports, vector)
        closed = jax.make_jaxpr(equations)(*given)
    # JAX goes through dictionaries in the order of their keys
    names = [*sorted(params), *sorted(cls._states), *sorted(ports)]
    outputs = [*sorted(cls._states), *sorted(sources)]
    traced = _Reading(closed, names).traced(outputs, tuple(cls._states))
    traced.units = units
    return traced


class _Reading:
    """Reads one trace; what is used more than once gets a name of its own."""

    def __init__(self, closed: Any, names: list[str]):
        self.taken = set(names)
        self.values: dict[object, ast.expr] = {}
        self.uses: Counter = Counter()
        self.derived: dict[str, str] = {}
        jaxpr = _flat(closed)
        self.jaxpr = jaxpr
        for equation in jaxpr.equations:
            self.uses.update(x for x in equation.inputs if not isinstance(x, float | bool))
        self.values |= {x: ast.Name(name) for x, name in zip(jaxpr.arguments, names, strict=True)}

    def traced(self, outputs: list[str], states: tuple[str, ...]) -> Traced:
        for equation in self.jaxpr.equations:
            found = _node(equation, [self._value(x) for x in equation.inputs])
            self.values[equation.output] = self._shared(equation, found)
        found = {name: ast.unparse(self._value(x)) for name, x in zip(outputs, self.jaxpr.results, strict=True)}
        sent = {name: text for name, text in found.items() if name not in states}
        return Traced({name: found[name] for name in states}, {**self.derived, **sent})

    def _value(self, x: object) -> ast.expr:
        if isinstance(x, bool):
            return ast.Constant(x)
        return _constant(x) if isinstance(x, float) else self.values[x]

    def _shared(self, equation: _Operation, found: ast.expr) -> ast.expr:
        is_small = isinstance(found, ast.Name | ast.Constant)
        is_condition = isinstance(found, ast.Compare) or _called(found) in ("And", "Or", "Not")
        # A condition stays where it chooses: a derived symbol is something that the model can send.
        if self.uses[equation.output] < 2 or is_small or is_condition:
            return found
        name = next(f"u{i}" for i in range(1, 10**6) if f"u{i}" not in self.taken)
        self.taken.add(name)
        self.derived[name] = ast.unparse(found)
        return ast.Name(name)


# --- the trace as one list of operations ------------------------------------------------------------------------------
class _Operation:
    def __init__(self, name: str, inputs: list[Any], output: Any, params: Mapping[str, Any]):
        self.name, self.inputs, self.output, self.params = name, inputs, output, params


class _Flat:
    def __init__(self, arguments: list[Any]):
        self.arguments = arguments
        self.equations: list[_Operation] = []
        self.results: list[object] = []


_SAME = {"broadcast_in_dim", "convert_element_type", "copy", "copy_p", "reshape", "squeeze", "stop_gradient"}
# Operations that hold a program, by where they keep it; their names differ between versions of JAX.
_INNER = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr"}
_INNER |= {"custom_vjp_call": "call_jaxpr", "remat": "jaxpr", "core_call": "call_jaxpr", "checkpoint": "jaxpr"}


def _flat(closed: ClosedJaxpr) -> _Flat:
    """Without calls, and without what changes neither number nor shape; each value by an identity of its own."""
    flat = _Flat([object() for _ in closed.jaxpr.invars])

    def run(jaxpr: Jaxpr, constants: list[object], given: list[object]) -> list[object]:
        known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*map(_plain, constants), *given], strict=True))

        def read(x: Numbers) -> object:
            return _plain(x.val) if hasattr(x, "val") else known[x]

        for equation in jaxpr.eqns:
            name, inputs = equation.primitive.name, [read(x) for x in equation.invars]
            if name in _INNER:
                inner = equation.params[_INNER[name]]
                made = run(getattr(inner, "jaxpr", inner), getattr(inner, "consts", []), inputs)
                known |= dict(zip(equation.outvars, made, strict=True))
                continue
            _check_regions(equation)
            if name in _SAME:
                known[equation.outvars[0]] = _converted(equation, inputs[0])
                continue
            output = object()
            known[equation.outvars[0]] = output
            flat.equations.append(_Operation(name, inputs, output, equation.params))
        return [read(x) for x in jaxpr.outvars]

    flat.results = run(closed.jaxpr, closed.consts, flat.arguments)
    flat.equations = _needed(flat)
    return flat


def _needed(flat: _Flat) -> list[_Operation]:
    """Those that some result depends on."""
    wanted, kept = {id(x) for x in flat.results}, []
    for operation in reversed(flat.equations):
        if id(operation.output) in wanted:
            wanted |= {id(x) for x in operation.inputs}
            kept.append(operation)
    return kept[::-1]


def _check_regions(equation: JaxprEqn) -> None:
    """Each value is one number, or one for each region in its place."""
    shapes = [getattr(x.aval, "shape", ()) for x in (*equation.invars, *equation.outvars)]
    if len(equation.outvars) != 1 or any(math.prod(s) not in (1, REGIONS) for s in shapes):
        raise NotWritable(f"{equation.primitive.name} is an operation between regions")
    if equation.primitive.name == "reshape" and math.prod(shapes[0]) != math.prod(shapes[-1]):
        raise NotWritable("reshape is an operation between regions")


def _converted(equation: JaxprEqn, x: object) -> object:
    kinds = [getattr(v.aval, "dtype", np.dtype(float)).kind for v in (equation.invars[0], equation.outvars[0])]
    # In an expression True is no 1.
    if "b" in kinds and kinds[0] != kinds[1]:
        raise NotWritable("a condition is used as a number")
    return x


def _plain(value: object) -> bool | float:
    value = np.asarray(value)
    # An expression has one number for all regions.
    if value.size > 1 and (value != value.flat[0]).any():
        raise NotWritable("it holds numbers that differ between regions")
    number = value.flat[0]
    return bool(number) if value.dtype.kind == "b" else float(number)


# --- operations as expressions ----------------------------------------------------------------------------------------
_SIGNS = {"add": ast.Add, "add_any": ast.Add, "sub": ast.Sub, "mul": ast.Mult, "div": ast.Div, "pow": ast.Pow}
_COMPARISONS = {"lt": ast.Lt, "le": ast.LtE, "gt": ast.Gt, "ge": ast.GtE, "eq": ast.Eq, "ne": ast.NotEq}
_FUNCTIONS = {
    **dict.fromkeys(("exp", "expm1", "log", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh")),
    **dict.fromkeys(("cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "sqrt", "abs", "sign", "max", "min")),
    "logistic": "sigmoid",
}


def _node(operation: _Operation, args: list[ast.expr]) -> ast.expr:
    name = operation.name
    if name in _SIGNS:
        return ast.BinOp(args[0], _SIGNS[name](), args[1])
    if name in _COMPARISONS:
        return ast.Compare(args[0], [_COMPARISONS[name]()], [args[1]])
    if name in _FUNCTIONS:
        return _call(_FUNCTIONS[name] or name, *args)
    rule: Callable[..., ast.expr] | None = _OTHERS.get(name)
    if rule is None or name == "select_n" and len(args) != 3:
        raise NotWritable(f"the operation {name} has no place in an expression")
    return rule(operation, *args)


def _call(name: str, *args: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name), list(args), [])


def _called(node: ast.expr) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _constant(x: float) -> ast.expr:
    """A number as it is written: 2 for 2.0."""
    if not math.isfinite(x):
        raise NotWritable(f"it has the number {x}")
    # Beyond that 1e20 is shorter than its digits.
    return ast.Constant(int(x) if x.is_integer() and abs(x) < 1e15 else x)


def _cases(operation: _Operation, condition: ast.expr, otherwise: ast.expr, chosen: ast.expr) -> ast.expr:
    # `select_n` has the case for False first.
    pairs = [ast.Tuple([chosen, condition]), ast.Tuple([otherwise, ast.Constant(True)])]
    return _call("Piecewise", *pairs)


_OTHERS: Mapping[str, Callable[..., ast.expr]] = {
    "neg": lambda _, x: ast.UnaryOp(ast.USub(), x),
    "integer_pow": lambda operation, x: ast.BinOp(x, ast.Pow(), ast.Constant(int(operation.params["y"]))),
    "square": lambda _, x: ast.BinOp(x, ast.Pow(), ast.Constant(2)),
    "rsqrt": lambda _, x: ast.BinOp(ast.Constant(1), ast.Div(), _call("sqrt", x)),
    # A power of a negative number is none.
    "cbrt": lambda _, x: ast.BinOp(
        _call("sign", x), ast.Mult(), ast.BinOp(_call("abs", x), ast.Pow(), ast.Constant(1 / 3))
    ),
    "exp2": lambda _, x: ast.BinOp(ast.Constant(2), ast.Pow(), x),
    "clamp": lambda _, low, x, high: _call("min", _call("max", x, low), high),
    "select_n": _cases,
    "and": lambda _, a, b: _call("And", a, b),
    "or": lambda _, a, b: _call("Or", a, b),
    "not": lambda _, x: _call("Not", x),
}
