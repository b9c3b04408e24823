"""`continue_curve`: folds and Hopf points in two parameters, with the points of higher codimension on them."""

from __future__ import annotations

from typing import Any, NamedTuple

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import instance, number, whole
from brainmass._common.messages import Argument, argument_error
from brainmass._common.precision import double_precision
from brainmass._common.typing import ArrayLike
from brainmass.analysis.continuation import EquilibriumSystem, interval_of
from brainmass.analysis.curves import LOST, Curve, located, solved_at, traced
from brainmass.analysis.diagram import Diagram, Special
from brainmass.analysis.normal_forms import Derivatives, lyapunov_coefficient

__all__ = ["BifurcationCurve", "continue_curve"]

_KINDS = ("fold", "Hopf")


class BifurcationCurve(NamedTuple):
    """Folds or Hopf points in the plane of two parameters.

    Attributes
    ----------
    kind : {'fold', 'Hopf'}
    names : (str, str)
        Of the parameters.
    values : array (k, 2)
        Of both, in their units.
    x : array (k, n)
        The equilibrium.
    period : array (k,) or None
        Of Hopf points, in ms.
    special : list of Special
        'cusp', 'Bogdanov-Takens', 'generalised Hopf', 'zero-Hopf', with `value` and `second`.
    ends : (str, str)
        Why it is over.
    units : (unit, unit)
        Of both parameters.
    """

    kind: str
    names: tuple[str, str]
    values: np.ndarray
    x: np.ndarray
    period: np.ndarray | None
    special: list[Special]
    ends: tuple[str, str]
    units: tuple[Any, Any] = (u.UNITLESS, u.UNITLESS)

    def __repr__(self) -> str:
        first, second = self.names
        lines = [f"Curve of {self.kind} points in {first} and {second}: {len(self.values)} points"]
        lines += [f"{p.kind}  {first} = {p.value:.8g}, {second} = {p.second:.8g}" for p in self.special]
        return "\n".join([*lines, f"It {self.ends[0]}; {self.ends[1]}."])


def continue_curve(
    diagram: Diagram,
    point: Special,
    name: str,
    interval: tuple[ArrayLike, ArrayLike],
    *,
    longest_step: float = 0.02,
    n_points: int = 2000,
) -> BifurcationCurve:
    r"""Follow a fold or a Hopf point while a second parameter changes, too.

    A fold is where :math:`F = 0` and :math:`F_x v = 0`; a Hopf point where :math:`F = 0` and
    :math:`(F_x^2 + \omega^2) v = 0`, which goes on through a Bogdanov-Takens point to neutral saddles (Kuznetsov 2004,
    section 10.2): there the curve ends here.

    Parameters
    ----------
    diagram : Diagram
        Of equilibria over the first parameter, whose interval bounds the curve.
    point : Special
        A fold or a Hopf point of it.
    name : str
        The second parameter.
    interval : (low, high)
        In which its present value lies.
    longest_step, n_points
        As of `continue_equilibria`.

    Raises
    ------
    ValueError, TypeError
        If the point is of another kind, the parameters are one, or the present value lies outside of the interval.
    """
    instance(Argument("diagram", "continue_curve"), diagram, Diagram, "a Diagram of continue_equilibria")
    instance(Argument("point", "continue_curve"), point, Special, "a special point of the diagram")
    number(Argument("longest_step", "continue_curve"), longest_step, "> 0", lambda x: x > 0)
    whole(Argument("n_points", "continue_curve"), n_points)
    if point.kind not in _KINDS:
        raise argument_error(
            Argument("point", "continue_curve"), "must be a fold or a Hopf point", f"is a {point.kind}",
            'point=diagram.points("Hopf")[0]',
        )  # fmt: skip
    system, drift = diagram.system, diagram.drift
    if drift.delays.size:
        raise argument_error(
            Argument("diagram", "continue_curve"), "must be of a model without conduction delays", "has delays"
        )
    name = drift.find(name)
    if name == drift.find(diagram.name):
        raise argument_error(Argument("name", "continue_curve"), "must be another parameter", f"is {name!r} again")
    low, high = interval_of(drift, name, interval, "continue_curve")
    with double_precision():
        now = float(np.ravel(system.held_value(name))[0])
        if not low <= now <= high:
            raise argument_error(
                Argument("interval", "continue_curve"),
                f"must hold the present value, {now:g}",
                f"is {low:g} to {high:g}",
            )
        curves = _Folds if point.kind == "fold" else _HopfPoints
        equations = curves(system, name, (low, high), point, now)
        return _followed(equations, diagram, longest_step, n_points)


class _Curves:
    """What both kinds of curves share: unknown are x, what is particular to them, and both parameters, the last two."""

    kind = ""

    def __init__(self, system: EquilibriumSystem, name: str, interval: tuple[float, float], point: Special, now: float):
        self.n, self.system, self.names = len(point.x), system, (system.name, name)
        self.box = ((system.low, system.high), interval)
        drift, held = system.drift, system.held

        def rates(x: jax.Array, both: jax.Array) -> jax.Array:
            return drift(x, held | {system.name: both[0], name: both[1]})

        self.rates, self.derivatives = rates, Derivatives(rates)
        self._residual = jax.jit(self._equations)
        self._jacobian = jax.jit(jax.jacfwd(self._equations))
        self._of_x = jax.jit(jax.jacfwd(rates))
        self.first, self.scale = self._start(point, now)

    def _equations(self, y: jax.Array) -> jax.Array:
        raise NotImplementedError

    def _start(self, point: Special, now: float) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError

    def _along(self, x: jax.Array, both: jax.Array, v: jax.Array) -> jax.Array:
        return jax.jvp(lambda x: self.rates(x, both), (x,), (v,))[1]

    def residual(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(self._residual(y))

    def jacobian(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(self._jacobian(y))

    def of_x(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(self._of_x(y[: self.n], y[-2:]))

    def end(self, y: np.ndarray) -> str | None:
        for value, (low, high), name in zip(y[-2:], self.box, self.names, strict=True):
            if not low - 1e-12 <= value <= high + 1e-12:
                return f"leaves {name} = {low:g} to {high:g}"
        drift, x = self.system.drift, y[: self.n]
        out = (x < drift.lower - 1e-9) | (x > drift.upper + 1e-9)
        return f"leaves the domain of {drift.labels[int(out.argmax())]} {self.at(y)}" if out.any() else None

    def at(self, y: np.ndarray) -> str:
        """Where something is, in words: both parameters with their values and units."""
        units = [self.system.drift.unit_of(name) for name in self.names]
        values = zip(self.names, y[-2:], units, strict=True)
        return "at " + ", ".join(f"{a} = {x:.6g}" + ("" if b.is_unitless else f" {b}") for a, x, b in values)

    def _scale(self, more: list[float]) -> np.ndarray:
        return np.concatenate([self.system.scale[:-1], more, [high - low for low, high in self.box]])


class _Folds(_Curves):
    kind = "fold"

    def _equations(self, y: jax.Array) -> jax.Array:
        x, v, both = y[: self.n], y[self.n : -2], y[-2:]
        return jnp.concatenate([self.rates(x, both), self._along(x, both, v), (v @ v - 1)[None]])

    def _start(self, point: Special, now: float) -> tuple[np.ndarray, np.ndarray]:
        jacobian = self.of_x(np.concatenate([point.x, [point.value, now]]))
        v = np.linalg.svd(jacobian)[2][-1]
        return np.concatenate([point.x, v, [point.value, now]]), self._scale([1.0] * self.n)

    def happens(self, y: np.ndarray, t: np.ndarray, before: np.ndarray) -> dict[str, float]:
        """Functions whose sign changes at special points."""
        values = np.linalg.eigvals(self.of_x(y))
        # the last but one coefficient of the characteristic polynomial: zero where a second eigenvalue is
        minors = sum(np.prod(np.delete(values, i)) for i in range(len(values)))
        others = np.delete(values, int(np.argmin(np.abs(values))))
        # A fold has one eigenvalue at zero; a complex pair beside it that reaches the axis is another thing.
        complex_ones = others[np.abs(others.imag) > 1e-9 * np.abs(values).max()]
        # In a cusp the curve turns back on itself in the plane of the parameters, but not in its unknowns.
        tests = {"cusp": float(t[-2:] @ before[-2:]), "Bogdanov-Takens": float(np.real(minors))}
        if len(complex_ones):
            tests["zero-Hopf"] = float(complex_ones[np.argmin(np.abs(complex_ones.real))].real)
        return tests


class _HopfPoints(_Curves):
    kind = "Hopf"

    def _equations(self, y: jax.Array) -> jax.Array:
        x, v, square, both = y[: self.n], y[self.n : -3], y[-3], y[-2:]
        twice = self._along(x, both, self._along(x, both, v))
        # The kernel of F_x² + ω² is a plane: v is that vector in it of length 1 that is orthogonal to a fixed one.
        return jnp.concatenate([self.rates(x, both), twice + square * v, (v @ v - 1)[None], (v @ self._across)[None]])

    def _start(self, point: Special, now: float) -> tuple[np.ndarray, np.ndarray]:
        jacobian = self.of_x(np.concatenate([point.x, [point.value, now]]))
        omega = 2 * np.pi / point._known_period
        plane = np.linalg.svd(jacobian @ jacobian + omega**2 * np.eye(self.n))[2][-2:]
        self._across = plane[0]
        first = np.concatenate([point.x, plane[1], [omega**2, point.value, now]])
        return first, self._scale([*[1.0] * self.n, omega**2])

    def end(self, y: np.ndarray) -> str | None:
        # ω² below zero: two real eigenvalues of opposite sign, a neutral saddle.
        if y[-3] < -1e-9 * self.scale[-3]:
            return "ends in a Bogdanov-Takens point"
        return super().end(y)

    def happens(self, y: np.ndarray, t: np.ndarray, before: np.ndarray) -> dict[str, float]:
        jacobian = self.of_x(y)
        values = np.linalg.eigvals(jacobian)
        tests = {}
        # The coefficient is divided by ω, which goes to zero towards a Bogdanov-Takens point.
        if y[-3] > 1e-6 * self.scale[-3]:
            tests["generalised Hopf"] = lyapunov_coefficient(self.derivatives, y[: self.n], y[-2:], jacobian)[0]
        real = values[np.abs(values.imag) < 1e-9 * np.abs(values).max()]
        if len(real):
            tests["zero-Hopf"] = float(real[np.argmin(np.abs(real))].real)
        return tests


def _followed(equations: _Folds | _HopfPoints, diagram: Diagram, longest: float, n_points: int) -> BifurcationCurve:
    y = equations.first
    row = np.eye(len(y))[-1]
    found = solved_at(equations, y, row)
    if found is None:
        raise ValueError(f"No curve of {equations.kind} points is found at {equations.names[0]} = {y[-2]:.6g}.")
    ways = [
        traced(equations, found[0], sign * row, step=0.2 * longest, longest=longest, n_points=n_points)
        for sign in (-1.0, 1.0)
    ]
    special: list[Special] = []
    for way in ways:
        _look(equations, way, special)
        if way.end == LOST:
            way.end += f" {equations.at(way.points[-1])}"
    back, forth = ways
    # One curve, from the end of the one way to the end of the other.
    points = np.array([*back.points[:0:-1], *forth.points])
    period = None
    if equations.kind == "Hopf":
        # In a Bogdanov-Takens point beyond all measure, but no division by zero.
        period = 2 * np.pi / np.sqrt(np.maximum(points[:, -3], 0.0) + 1e-300)
        ended = [np.array(way.points[-1]) for way in ways if "Bogdanov" in way.end]
        special += [s for y in ended if (s := _at_zero(equations, y)) is not None]
    return BifurcationCurve(
        equations.kind,
        equations.names,
        points[:, -2:],
        points[:, : equations.n],
        period,
        special,
        (back.end, forth.end),
        (diagram.drift.unit_of(equations.names[0]), diagram.drift.unit_of(equations.names[1])),
    )


def _look(equations: _Folds | _HopfPoints, curve: Curve, special: list[Special]) -> None:
    """What happens between the points of a curve."""
    for i, step in enumerate(curve.steps):
        y, t, after = curve.points[i], curve.tangents[i], curve.points[i + 1]
        one = equations.happens(y, t, t)
        other = equations.happens(after, curve.tangents[i + 1], t)
        for kind in one:
            if kind not in other or one[kind] * other[kind] >= 0:
                continue
            found = located(equations, y, t, step, lambda y, s, kind=kind, t=t: equations.happens(y, s, t)[kind])
            if found is not None:
                special.append(_special(equations, kind, found[0]))


def _at_zero(equations: _Folds | _HopfPoints, y: np.ndarray) -> Special | None:
    """The Bogdanov-Takens point near the end of a curve of Hopf points: there the frequency is zero."""
    row = np.zeros(len(y))
    row[-3] = 1.0
    guess = y.copy()
    guess[-3] = 0.0
    found = solved_at(equations, guess, row)
    return None if found is None else _special(equations, "Bogdanov-Takens", found[0])


def _special(equations: _Folds | _HopfPoints, kind: str, y: np.ndarray) -> Special:
    values = np.linalg.eigvals(equations.of_x(y)).astype(np.complex128)
    return Special(kind, float(y[-2]), y[: equations.n], values, 0, second=float(y[-1]))
