"""Numbers of twice the digits of single precision, for time: in one single-precision number an hour is off by 0.1 ms.

A `Double` is the sum of two numbers, the second of which is what rounding takes from the first. Sums and products
follow Dekker 1971, Numer. Math. 18:224, and Knuth's TAOCP 2, 4.2.2. In double precision (x64) the second is zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from brainmass._common.checks import is_traced
from brainmass._common.precision import default_dtype
from brainmass._common.times import milliseconds, written
from brainmass._common.typing import Array, Numbers, Pytree

__all__ = [
    "Double",
    "as_written",
    "at_stage",
    "moment",
    "of_count",
    "of_number",
    "part_of_step",
    "step_in_ms",
    "time_at",
    "time_of_stage",
]


@jax.tree_util.register_pytree_node_class
class Double:
    """A number as `value + rest`; to functions of `jax.numpy` it is its `value`.

    It can be added to, subtracted from, multiplied and divided by and compared with numbers, arrays and its like, and
    taken modulo them. Derivatives are those of `value`: a rest is rounding, and has none.
    """

    __array_ufunc__ = None  # of numpy's numbers, which leave the arithmetic to this class
    __array_priority__ = 1000

    def __init__(self, value: Numbers, rest: Numbers = 0.0):
        self.value, self.rest = value, rest

    def __jax_array__(self) -> Any:
        return self.value

    def tree_flatten(self) -> tuple:
        return (self.value, self.rest), None

    @classmethod
    def tree_unflatten(cls, _: object, parts: tuple) -> Double:
        return cls(*parts)

    shape = property(lambda self: jnp.shape(self.value))
    ndim = property(lambda self: jnp.ndim(self.value))
    dtype = property(lambda self: self.value.dtype)

    def __repr__(self) -> str:
        return f"Double({self.value}, {self.rest})"

    # --- arithmetic -------------------------------------------------------------------------------------------------
    def __add__(self, other: Numbers) -> Double:
        other = _double(other)
        total, rounding = _sum(self.value, other.value)
        return _short_sum(total, rounding + self.rest + other.rest)

    def __neg__(self) -> Double:
        return Double(-self.value, -self.rest)

    def __sub__(self, other: object) -> Double:
        return self + -_double(other)

    def __mul__(self, other: object) -> Double:
        other = _double(other)
        product, rounding = _product(self.value, other.value)
        return _short_sum(product, rounding + (self.value * other.rest + self.rest * other.value))

    def __truediv__(self, other: Numbers) -> Double:
        other = _double(other)
        # A long division: what the first quotient leaves is divided once more.
        first = self.value / other.value
        left = self - other * Double(lax.stop_gradient(first))
        return _short_sum(first, lax.stop_gradient(left.value / other.value))

    def __mod__(self, other: Numbers) -> Double:
        """From 0 to `other`, which must be positive; the sign is that of Python."""
        other, left = _double(other), self
        for _ in range(2):  # where there are more periods than a number has digits, the first count is a rough one
            left = left - other * Double(jnp.floor(left.value / other.value))
        left = _where(left < 0, left + other, left)
        return _where(left >= other, left - other, left)

    def __radd__(self, other: Numbers) -> Double:
        return self + other

    def __rsub__(self, other: Numbers) -> Double:
        return -self + other

    def __rmul__(self, other: object) -> Double:
        return self * other

    def __rtruediv__(self, other: object) -> Double:
        return _double(other) / self

    def __pow__(self, power: Numbers) -> Numbers:
        return self.value**power

    def __lt__(self, other: Numbers) -> Numbers:
        other = _double(other)
        return (self.value < other.value) | ((self.value == other.value) & (self.rest < other.rest))

    def __gt__(self, other: object) -> Numbers:
        return _double(other) < self

    def __le__(self, other: object) -> Numbers:
        return ~(self > other)

    def __ge__(self, other: object) -> Numbers:
        return ~(self < other)

    # --- whole numbers and what is between them ---------------------------------------------------------------------
    def split(self) -> tuple[Any, Any]:
        """The whole number below, an int32, and what is above it, from 0 to 1."""
        # The value may be whole where the rest is below zero: 3 and a little less is 2 and nearly 1.
        whole = jnp.floor(self.value)
        left = (self.value - whole) + self.rest
        more = jnp.floor(left)
        return whole.astype(jnp.int32) + more.astype(jnp.int32), left - more

    def off_whole(self) -> Any:
        """What it is more than the nearest whole number, from -1/2 to 1/2."""
        left = (self.value - jnp.round(self.value)) + self.rest
        return left - jnp.round(left)


# --- from other numbers -------------------------------------------------------------------------------------------
def of_number(number: float) -> Double:
    """A Python number."""
    dtype = default_dtype().type
    value = dtype(number)
    return Double(value, dtype(number - float(value)))


def of_count(count: Numbers) -> Double:
    """A whole number below 2^31 in size."""
    # Of 19 and 12 binary digits: single precision has 24, and holds each exactly.
    high, low = count >> 12 << 12, count & 4095
    dtype = default_dtype()
    return _short_sum(jnp.asarray(high, dtype), jnp.asarray(low, dtype))


def as_written(x: Numbers) -> Double:
    """A parameter as the decimal number that it was written as: 7.3 in single precision stands for 7.3.

    That is one of one, three or five decimals which the parameter is the nearest number to; another parameter is what
    it is. The difference is below rounding, but in an hour of periods of 7.3 ms a millisecond of 0.1 adds up.
    """
    value = jnp.asarray(x, default_dtype())
    if value.dtype == np.float64:
        return Double(value, jnp.zeros_like(value))
    fixed = lax.stop_gradient(value)
    rest = jnp.zeros_like(value)
    # The fewest decimals come last and count: of two numbers that fit the shorter one was written.
    for scale in np.array([1e5, 1e3, 1e1], np.float32):
        scaled, rounding = _product(fixed, scale)
        whole = jnp.round(scaled)
        away = (whole - scaled) - rounding
        # 2⁻²⁴ is half the distance to the next number of single precision; from 2²³ on all of them are whole, which
        # tells nothing.
        near = (jnp.abs(away) <= jnp.abs(scaled) * np.float32(2**-24)) & (jnp.abs(whole) < 2**23)
        rest = jnp.where(near, away / scale, rest)
    return Double(value, rest)


def _double(x: Numbers) -> Double:
    if isinstance(x, Double):
        return x
    if isinstance(x, int | float | np.number):
        return of_number(float(x))
    value = jnp.asarray(x, default_dtype())
    return Double(value, jnp.zeros_like(value))


def _where(condition: Numbers, x: Double, y: Double) -> Double:
    return Double(jnp.where(condition, x.value, y.value), jnp.where(condition, x.rest, y.rest))


# --- what rounding takes ------------------------------------------------------------------------------------------
def _sum(a: Numbers, b: Numbers) -> tuple[Pytree, Pytree]:
    """The rounded sum, and what it is short of the sum."""
    total = a + b
    if total.dtype == np.float64:
        return total, jnp.zeros_like(total)
    of_b = total - a
    return total, lax.stop_gradient((a - (total - of_b)) + (b - of_b))


def _short_sum(a: Numbers, b: Numbers) -> Double:
    """The sum where `b` is less than `a` in size, or `a` is zero."""
    total = a + b
    if total.dtype == np.float64:
        return Double(total, jnp.zeros_like(total))
    return Double(total, lax.stop_gradient(b - (total - a)))


@jax.custom_jvp
def _product(a: Array, b: Array) -> tuple[Pytree, Pytree]:
    """The rounded product, and what it is short of the product.

    Of halves, whose products are exact: the processor may take a product and a sum as one operation, with one rounding.
    """
    if a.dtype == np.float64:
        return a * b, jnp.zeros_like(a * b)
    (a, less_a), (b, less_b) = _halves(a), _halves(b)
    middle, short = _sum(a * less_b, less_a * b)
    total, shorter = _sum(a * b, middle)
    product = _short_sum(total, (short + shorter) + less_a * less_b)
    return product.value, product.rest


@_product.defjvp
def _slope_of_product(primals: tuple, tangents: tuple) -> tuple:
    (a, b), (da, db) = primals, tangents
    product, rest = _product(a, b)
    return (product, rest), (a * db + da * b, jnp.zeros_like(rest))


def _halves(a: Numbers) -> tuple[Pytree, Pytree]:
    """Two numbers of twelve binary digits."""
    # Dekker's splitting is a product and differences, two of which the processor may take as one operation.
    high = lax.reduce_precision(a, exponent_bits=8, mantissa_bits=11)
    return high, a - high


# --- the time of a step -------------------------------------------------------------------------------------------
def time_at(number: Numbers, dt: Numbers) -> Numbers:
    """The start of the step of this number as a Quantity: the nearest number of this precision."""
    return u.Quantity((of_count(number) * written(dt.mantissa)).value, unit=dt.unit)


def step_in_ms() -> Numbers:
    """The time step of the environment; 0 where there is none."""
    dt = brainstate.environ.get("dt", default=None)
    return 0.0 if dt is None else dt.to_decimal(u.ms) if is_traced(dt) else milliseconds("dt", dt)


def moment(owner: str, part: Numbers = 0.5) -> Double:
    """A time within the present step in ms, of the number `i` of the environment, or of its time `t` if it has none.

    `part` of the step has passed; the default is its middle.
    """
    i, t = (brainstate.environ.get(name, default=None) for name in ("i", "t"))
    if i is not None:
        return (of_count(i) + part) * step_in_ms()
    if t is None:
        raise ValueError(f"{owner} needs the time: call it with one, as in stimulus(5 * u.ms).")
    # A number that is known is read as it was written; of a traced one, or of many, the computation tells the decimals.
    now = t.to_decimal(u.ms)
    known = not is_traced(now) and np.ndim(now) == 0
    return (of_number(written(now)) if known else as_written(now)) + part * step_in_ms()


# --- the stage of a step ------------------------------------------------------------------------------------------
_part: ContextVar[Numbers] = ContextVar("the part of the step that has passed", default=0.0)


@contextmanager
def at_stage(part: Numbers) -> Iterator[None]:
    """Within it this part of the step has passed: what follows time within a step is asked for its value there."""
    token = _part.set(part)
    try:
        yield
    finally:
        _part.reset(token)


def part_of_step() -> Numbers:
    """The part of the present step that has passed, from 0 to 1; 0 outside of a stage."""
    return _part.get()


def time_of_stage() -> Numbers:
    """The time of the present stage, as a Quantity in the unit of the time step."""
    i, dt = (brainstate.environ.get(name) for name in ("i", "dt"))
    return u.Quantity(((of_count(i) + part_of_step()) * written(dt.mantissa)).value, unit=dt.unit)
