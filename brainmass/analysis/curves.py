"""Curves of solutions: m equations in m + 1 unknowns, followed by pseudo-arclength.

Keller 1977, in Applications of Bifurcation Theory, 359; steps and end points as in Allgower, Georg 2003, Introduction
to Numerical Continuation Methods. What the equations are is not known here: equilibria over a parameter, folds over
two, cycles with their period.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np
from scipy.linalg import lapack
from scipy.optimize import brentq


class Structured(Protocol):
    """A Jacobian that solves itself, scaled and with one more row."""

    def solved(self, scale: np.ndarray, row: np.ndarray, right: np.ndarray) -> np.ndarray: ...


Matrix: TypeAlias = np.ndarray | Structured

Test: TypeAlias = Callable[[np.ndarray, np.ndarray], float]
"""A function of a point and its tangent, whose sign changes where something happens."""

__all__ = ["LOST", "Curve", "System", "Test", "located", "solved_at", "tangent_at", "traced"]

LOST = "no solution is found nearby"  # why a curve is over where it has a corner, as where a rate has a kink

_NEWTON = 8  # steps of the corrector
_CONVERGED = 1e-9  # length of its last step, in the scale of the unknowns
_STRAIGHT = 0.95  # cosine of the angle between two tangents, below which the step is halved
_GROWTH, _FAST = 1.4, 4  # of the step, after that few corrections
_SHORTEST = 1e-7  # of the longest step


class System(Protocol):
    """Equations `residual(y) = 0`, shape (m,), in unknowns of shape (m + 1,), with their `jacobian` (m, m + 1).

    `scale`, shape (m + 1,), says how large a change of each unknown is: lengths are measured in it. `end(y)` says why
    a curve is over at `y`, or nothing.
    """

    @property
    def scale(self) -> np.ndarray: ...
    def residual(self, y: np.ndarray) -> np.ndarray: ...
    def jacobian(self, y: np.ndarray) -> Matrix: ...
    def end(self, y: np.ndarray) -> str | None: ...


@dataclasses.dataclass
class Curve:
    """Points, shape (k, m + 1), with the tangents (in the scale) and the lengths of the steps from each to the next."""

    points: list[np.ndarray]
    tangents: list[np.ndarray]
    steps: list[float]
    end: str = ""

    def add(self, point: np.ndarray, tangent: np.ndarray, step: float) -> None:
        """A point, with its tangent, one step on from the last."""
        self.points.append(point)
        self.tangents.append(tangent)
        self.steps.append(step)


def _solve(jacobian: Matrix, scale: np.ndarray, row: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of the equations with one more, `row`; what has no solution gives what is not finite.

    Rows may be of very different sizes: each is divided by its largest entry. Where they are singular, as in a branch
    point, the smallest of the solutions is taken.
    """
    if not isinstance(jacobian, np.ndarray):
        return jacobian.solved(scale, row, right)
    matrix = np.vstack([jacobian * scale, row])
    sizes = np.abs(matrix).max(axis=1)
    sizes = np.where(sizes > 0, sizes, 1.0)
    matrix, right = matrix / sizes[:, None], right / sizes
    if not np.isfinite(matrix).all():
        return np.full(len(right), np.nan)
    *_, x, info = lapack.dgesv(matrix, right)  # pyright: ignore[reportAttributeAccessIssue]
    return x if info == 0 else np.linalg.lstsq(matrix, right, rcond=1e-12)[0]


def tangent_at(system: System, y: np.ndarray, like: np.ndarray) -> np.ndarray:
    """The direction of the curve at `y`, of length 1 in the scale, on the side of `like`."""
    right = np.zeros(len(y))
    right[-1] = 1.0
    t = _solve(system.jacobian(y), system.scale, like, right)
    return t / np.linalg.norm(t)


def solved_at(system: System, y: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, int] | None:
    """The solution near `y` in the plane through it with the normal `row`; and how many corrections it took."""
    q0 = y / system.scale
    q, last = q0.copy(), np.inf
    for i in range(_NEWTON):
        right = np.append(system.residual(q * system.scale), row @ (q - q0))
        change = _solve(system.jacobian(q * system.scale), system.scale, row, right)
        if not np.isfinite(change).all():
            return None
        q, size = q - change, np.abs(change).max()
        if size < _CONVERGED or (size < 1e-6 and size > 0.5 * last):  # the rest is rounding
            return q * system.scale, i + 1
        last = size
    return None


def traced(
    system: System, y: np.ndarray, direction: np.ndarray, *, step: float, longest: float, n_points: int
) -> Curve:
    """Follow the curve from a point on it, until the system says that it is over, it closes, or points run out."""
    t = tangent_at(system, y, direction)
    curve, first = Curve([y], [t], []), (y, t)
    while len(curve.points) < n_points:
        new = _advance(system, y, t, step)
        if new is None:
            step *= 0.5
            if step < _SHORTEST * longest:
                curve.end = LOST
                return curve
            continue
        y_new, t_new, n = new
        if reason := system.end(y_new):
            if step > 1e-4 * longest:
                step *= 0.25  # as near to the end as that
                continue
            curve.end = reason
            return curve
        curve.add(y_new, t_new, step)
        y, t = y_new, t_new
        # The first points are within a step of the start, too, where nothing is closed.
        if len(curve.points) > 4 and _is_passed(system, first, y, t, step):
            curve.end = "is closed"
            return curve
        step = min(longest, step * _GROWTH) if n <= _FAST else step
    curve.end = f"goes on: {n_points} points are reached"
    return curve


def _advance(system: System, y: np.ndarray, t: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray, int] | None:
    found = solved_at(system, y + step * t * system.scale, t)
    if found is None:
        return None
    new, n = found
    t_new = tangent_at(system, new, t)
    moved = np.linalg.norm((new - y) / system.scale)
    # A correction longer than the step has left for another branch.
    if not np.isfinite(t_new).all() or t @ t_new < _STRAIGHT or moved > 2 * step:
        return None
    return new, t_new, n


def _is_passed(system: System, first: tuple, y: np.ndarray, t: np.ndarray, step: float) -> bool:
    apart = (first[0] - y) / system.scale
    return float(np.linalg.norm(apart)) < step and t @ first[1] > _STRAIGHT


def located(
    system: System, y: np.ndarray, t: np.ndarray, step: float, test: Test
) -> tuple[np.ndarray, np.ndarray] | None:
    """Where `test(point, tangent)` is zero, between `y` and the point one step on, at which it has another sign."""

    def at(s: float) -> tuple[np.ndarray, np.ndarray]:
        found = solved_at(system, y + s * t * system.scale, t)
        if found is None:
            raise ArithmeticError
        return found[0], tangent_at(system, found[0], t)

    try:
        s = brentq(lambda s: test(*at(s)), 0.0, step, xtol=1e-13 * max(step, 1e-3), rtol=1e-13)  # pyright: ignore[reportArgumentType]
        return at(float(s))  # pyright: ignore[reportArgumentType]
    except (ArithmeticError, ValueError):
        return None
