"""`continue_cycles`: limit cycles from a Hopf point on, with period, extremes and Floquet multipliers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import brainunit as u
import numpy as np

from brainmass._common.checks import instance, number, whole
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.precision import double_precision
from brainmass._common.typing import Time
from brainmass.analysis.collocation import DEGREE, Cycles
from brainmass.analysis.curves import LOST, Test, located, solved_at, tangent_at, traced
from brainmass.analysis.diagram import Branch, Diagram, Special

__all__ = ["continue_cycles"]

_BETWEEN_MESHES = 6  # points of the branch
_IN_HOPF = "ends in a Hopf point"
_ROUNDING = 1e-9  # share of the interval of the parameter to which cycles are solved
_ACCURATE, _FINER, _FINEST = 1e-7, 1.5, 4  # share by which it may move with the mesh, else that is finer, up to so much
_SURE = 10  # times the error of the parameter: how far it must move in a step for a fold there
_UNSURE = 0.1  # distance from 1 of the multiplier along the cycle, beyond which the others are not known either
_BIRTH = 0.01  # amplitude of the first cycle, in the scale of the states
_NEAR, _QUARTERS = 0.1, 4  # share of a longest step to which its parameter is near the Hopf point's, else it is smaller


def continue_cycles(
    diagram: Diagram,
    hopf: Special | None = None,
    *,
    n_intervals: int = 40,
    longest_step: float = 0.05,
    n_points: int = 400,
    longest_period: Time | None = None,
) -> Diagram:
    r"""Follow the cycles that are born in Hopf points.

    By orthogonal collocation and pseudo-arclength; folds of cycles, period doublings and torus bifurcations are
    located. A branch ends in another Hopf point, at an end of the interval, or where the period grows without end, as
    near a homoclinic orbit.

    Parameters
    ----------
    diagram : Diagram
        Of equilibria, from `continue_equilibria`.
    hopf : Special, optional
        One of its Hopf points; default all, one after the other.
    n_intervals : int
        Of a cycle at birth; in each it is a polynomial of degree 4. Where the parameter of a cycle depends on them by
        more than 1e-7 of the interval, they become more, up to four times as many.
    longest_step : float
        As of `continue_equilibria`, and of the period as a share of it.
    n_points : int
        Largest number of cycles of a branch.
    longest_period : Quantity, optional
        Default a hundred times that at birth.

    Returns
    -------
    Diagram
        The same with the branches and special points of the cycles.

    Raises
    ------
    ValueError, TypeError
        If there is no Hopf point, or the model has conduction delays.
    """
    instance(Argument("diagram", "continue_cycles"), diagram, Diagram, "a Diagram of continue_equilibria")
    if diagram.drift.delays.size:
        raise argument_error(
            Argument("diagram", "continue_cycles"), "must be of a model without conduction delays", "has delays"
        )
    whole(Argument("n_intervals", "continue_cycles"), n_intervals)
    whole(Argument("n_points", "continue_cycles"), n_points)
    number(Argument("longest_step", "continue_cycles"), longest_step, "> 0", lambda x: x > 0)
    starts = diagram.points("Hopf") if hopf is None else [hopf]
    if hopf is not None and (not isinstance(hopf, Special) or hopf.kind != "Hopf"):
        what = hopf.kind if isinstance(hopf, Special) else show(hopf)
        raise argument_error(
            Argument("hopf", "continue_cycles"), "must be a Hopf point of the diagram", f"is {what}",
            'hopf=diagram.points("Hopf")[0]',
        )  # fmt: skip
    branches, special = list(diagram.branches), list(diagram.special)
    ended: list[Special] = []
    with double_precision():
        for point in starts:
            if any(point is other for other in ended):  # its cycles came from another one
                continue
            most = 100 * point._known_period if longest_period is None else _ms(longest_period)
            walk = _Walk(diagram, point, n_intervals, longest_step, most, len(branches))
            if walk.go(n_points):
                ended += walk.arrived()
                branches.append(walk.branch())
                special += walk.special
    return dataclasses.replace(diagram, branches=branches, special=sorted(special, key=lambda p: p.value))


def _ms(time: Time) -> float:
    what = Argument("longest_period", "continue_cycles")
    if not u.get_unit(time).has_same_dim(u.ms):
        raise argument_error(what, "must be a time", f"is {show(time)}", "longest_period=5 * u.second")
    return float(number(what, float(u.Quantity(time).to_decimal(u.ms)), "> 0", lambda x: x > 0))


class _Walk:
    """One branch of cycles."""

    def __init__(self, diagram: Diagram, hopf: Special, n_intervals: int, longest: float, most: float, number: int):
        self.system, self.hopf, self.longest, self.most, self.number = diagram.system, hopf, longest, most, number
        self._known = diagram.special
        self.special: list[Special] = []
        self.rows: list[tuple[Any, ...]] = []
        self.over = ""
        self._largest, self._finest = 0.0, _FINEST * n_intervals
        mesh = np.linspace(0.0, 1.0, n_intervals + 1)
        phases = (mesh[:-1, None] + np.diff(mesh)[:, None] * np.linspace(0, 1, DEGREE + 1)[:-1]).ravel()
        jacobian = self.system.jacobian(np.append(hopf.x, hopf.value))[:, :-1]
        values, vectors = np.linalg.eig(jacobian)
        q = vectors[:, int(np.argmin(np.abs(values - 2j * np.pi / hopf._known_period)))]
        shape = np.real(q * np.exp(2j * np.pi * phases)[:, None])
        # A state that is zero at rest, such as a rate of change, has no size there: it is that which the eigenvector
        # gives it beside the others.
        scale, sizes = self.system.sizes, np.abs(q)
        ratio = np.quantile((sizes / scale)[sizes > 1e-9 * sizes.max()], 0.25)
        self.scale_x = scale = np.maximum(scale, sizes / ratio)
        shape /= np.sqrt(np.mean((shape / scale) ** 2))
        self.mesh = mesh
        self.rest = np.append(np.tile(hopf.x, len(shape)), [hopf._known_period, hopf.value])
        self.grown = np.append(shape.ravel(), [0.0, 0.0])

    def _cycles(self, y: np.ndarray, mesh: np.ndarray) -> Cycles:
        states = y[:-2].reshape(-1, len(self.hopf.x))
        return Cycles(self.system.of_many, mesh, states, y[-2], self.scale_x, self.system.scale[-1], self._why_it_ends)

    def _why_it_ends(self, y: np.ndarray, size: float, turned: bool) -> str | None:
        if y[-1] > self.system.high or y[-1] < self.system.low:
            return f"leaves {self.system.name} = {self.system.low:g} to {self.system.high:g}"
        if y[-2] > self.most:
            return f"has a period beyond {self.most:.4g} ms {self.system.at(y[-1])}"
        # Small cycles at birth are no end: it has grown before it shrinks.
        if turned or (self._largest > 3 * _BIRTH and size < 0.5 * _BIRTH):
            return _IN_HOPF
        return None

    def go(self, n_points: int) -> bool:
        """Whether there is a branch at all."""
        born = self._born()
        if born is None:
            return False
        cycles, y, t = born
        step = 0.02 * self.longest
        self._note(cycles, y, t)
        errors = [0.0]
        while not self.over and len(self.rows) < n_points:
            curve = traced(cycles, y, t, step=step, longest=self.longest, n_points=_BETWEEN_MESHES)
            # The last cycle on a better mesh: by how much its parameter moves tells how exact it is.
            n = len(cycles.widths)
            better = self._on_mesh(cycles, curve.points[-1], curve.tangents[-1], n)
            if better is not None:
                errors = [errors[-1], abs(better[1][-1] - curve.points[-1][-1]) / self.system.scale[-1]]
            if errors[-1] > _ACCURATE and n < self._finest:
                finer = self._on_mesh(cycles, y, t, min(math.ceil(_FINER * n), self._finest))
                if finer is not None:
                    cycles, y, t = finer
                    continue
            for i, step in enumerate(curve.steps):
                self._note(cycles, curve.points[i + 1], curve.tangents[i + 1])
                self._between(cycles, curve.points[i], curve.tangents[i], step, max(errors))
            if not curve.end.startswith("goes on"):
                self.over = curve.end
            elif better is None:
                self.over = LOST
            else:
                step = min(self.longest, curve.steps[-1] * 1.4)
                cycles, y, t = better
                self.scale_x = np.maximum(self.scale_x, cycles.states(y).std(axis=0))  # it has grown
        self.over = self.over or f"goes on: {n_points} points are reached"
        if self.over == LOST:
            self.over += f" {self.system.at(self.rows[-1][0])}"
        return True

    def _born(self) -> tuple[Cycles, np.ndarray, np.ndarray] | None:
        """The first cycle and the direction on: so small that it is near the Hopf point in the parameter, too."""
        born = None
        for amplitude in _BIRTH * 0.25 ** np.arange(_QUARTERS + 1):
            first = self.rest + amplitude * self.grown
            cycles = self._cycles(first, self.mesh)
            direction = self.grown / cycles.scale
            direction /= np.linalg.norm(direction)
            found = solved_at(cycles, first, direction)
            if found is not None:
                born = cycles, found[0], tangent_at(cycles, found[0], direction)
                if abs(found[0][-1] - self.hopf.value) < _NEAR * self.longest * self.system.scale[-1]:
                    break
        return born

    def _on_mesh(
        self, cycles: Cycles, y: np.ndarray, t: np.ndarray, n_intervals: int
    ) -> tuple[Cycles, np.ndarray, np.ndarray] | None:
        """A cycle, and the direction on, on a better mesh, with that cycle as the reference of the phase."""
        mesh = cycles.better_mesh(y, n_intervals)
        moved = np.append(cycles.moved_to(mesh, cycles.states(y)).ravel(), y[-2:])
        ahead = t * cycles.scale
        ahead = np.append(cycles.moved_to(mesh, cycles.states(ahead)).ravel(), ahead[-2:])
        new = self._cycles(moved, mesh)
        like = ahead / new.scale
        like /= np.linalg.norm(like)
        found = solved_at(new, moved, like)
        return None if found is None else (new, found[0], tangent_at(new, found[0], like))

    def _note(self, cycles: Cycles, y: np.ndarray, t: np.ndarray) -> None:
        low, high = cycles.extremes(y)
        self._largest = max(self._largest, self._size(cycles, y))
        self.rows.append((y[-1], (cycles, cycles.states(y)), cycles.multipliers(y), low, high, y[-2], t[-1]))

    def _size(self, cycles: Cycles, y: np.ndarray) -> float:
        states = cycles.states(y)
        return float(np.sqrt(np.mean(((states - states.mean(axis=0)) / self.scale_x) ** 2)))

    def _between(self, cycles: Cycles, y: np.ndarray, t: np.ndarray, step: float, error: float) -> None:
        """What happens in one step, on a mesh on which the parameter is known up to a share of its interval."""
        before, after = self.rows[-2], self.rows[-1]
        # Near a homoclinic orbit the parameter no longer changes, and the sign of its slope says nothing.
        exact = step * max(abs(before[-1]), abs(after[-1])) > max(_ROUNDING, _SURE * error)
        turns = exact and before[-1] * after[-1] < 0
        along = (value[int(np.argmin(np.abs(value - 1)))] for value in (before[2], after[2]))
        known = exact and all(abs(value - 1) < _UNSURE for value in along)
        one, other = _others(before[2]), _others(after[2])
        change = abs(_outside(one) - _outside(other)) if known else 0
        if turns:
            self._locate("fold of cycles", cycles, y, t, step, lambda y, t: t[-1])
        elif change == 1:
            k = min(_outside(one), _outside(other))
            crossing = one[k] if _outside(one) > _outside(other) else other[k]
            # Through +1 without a fold another branch of cycles crosses, which is not followed.
            if crossing.real < 0:
                self._locate("period doubling", cycles, y, t, step, lambda y, t: _beyond(cycles, y, k))
        elif change == 2:
            k = min(_outside(one), _outside(other))
            self._locate("torus", cycles, y, t, step, lambda y, t: _beyond(cycles, y, k))

    def _locate(self, kind: str, cycles: Cycles, y: np.ndarray, t: np.ndarray, step: float, test: Test) -> None:
        if self._size(cycles, y) < 2 * _BIRTH:  # at birth the parameter turns: that is the Hopf point
            return
        found = located(cycles, y, t, step, test)
        if found is not None:
            point = found[0]
            states = cycles.states(point)
            self.special.append(
                Special(
                    kind, float(point[-1]), states[0], cycles.multipliers(point), self.number, period=float(point[-2])
                )
            )

    def arrived(self) -> list[Special]:
        """The Hopf point in which the branch ends, if it does and the diagram has it."""
        value, (_, (x, *_)) = self.rows[-1][:2]
        near = [
            (float(np.abs(np.append((p.x - x) / self.scale_x, (p.value - value) / self.system.scale[-1])).max()), p)
            for p in self._known
            if p.kind == "Hopf" and p is not self.hopf
        ]
        if self.over != _IN_HOPF or not near:
            return []
        apart, point = min(near, key=lambda pair: pair[0])
        if apart > 0.1:
            return []
        self.over = f"ends in the Hopf point {self.system.at(point.value)}"
        return [point]

    def branch(self) -> Branch:
        values, orbits, multipliers, low, high, period, _ = zip(*self.rows, strict=True)
        values, multipliers, low, high, period = (np.array(x) for x in (values, multipliers, low, high, period))
        orbits = np.array(_as_many_points(orbits))
        born = f"is born in the Hopf point {self.system.at(self.hopf.value)}"
        return Branch("cycles", values, orbits[:, 0], multipliers, (born, self.over), low, high, period, orbits)


def _as_many_points(orbits: Sequence[tuple[Cycles, np.ndarray]]) -> list[np.ndarray]:
    """Each at as many moments as that on the finest mesh, crowded as its own."""
    most = max(len(cycles.widths) for cycles, _ in orbits)
    same = []
    for cycles, states in orbits:
        n = len(cycles.widths)
        mesh = np.interp(np.linspace(0, 1, most + 1), np.linspace(0, 1, n + 1), cycles.mesh)
        same.append(states if n == most else cycles.moved_to(mesh, states))
    return same


def _others(multipliers: np.ndarray) -> np.ndarray:
    """All but the one along the cycle, which is 1."""
    return np.delete(multipliers, int(np.argmin(np.abs(multipliers - 1))))


def _outside(multipliers: np.ndarray) -> int:
    return int(np.sum(np.abs(multipliers) > 1))


def _beyond(cycles: Cycles, y: np.ndarray, k: int) -> float:
    others = _others(cycles.multipliers(y))
    return float(np.abs(others[k]) - 1)
