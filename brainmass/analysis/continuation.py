"""`continue_equilibria`: equilibria over a parameter, with their stability and bifurcations."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import brainunit as u
import jax
import numpy as np

from brainmass._common.checks import flag, holds_numbers, number, whole
from brainmass._common.messages import Argument, argument_error, counted, show
from brainmass._common.precision import double_precision
from brainmass._common.typing import ArrayLike, Complex, Numbers
from brainmass.analysis.curves import LOST, Curve, Test, located, solved_at, tangent_at, traced
from brainmass.analysis.delay_stability import characteristic_roots
from brainmass.analysis.diagram import Branch, Diagram, Special
from brainmass.analysis.drift import Drift, as_drift
from brainmass.analysis.equilibria import fixed_points
from brainmass.analysis.normal_forms import Derivatives, lyapunov_coefficient
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.network.network import Network

__all__ = ["EquilibriumSystem", "continue_equilibria", "interval_of"]

_HALVINGS = 14  # of a step in which several things happen
_FAR = 50  # how far from the equilibria at both ends, in their scale, a branch is followed
_SAME = 1e-5  # distance, in the scale, of what is one point


class EquilibriumSystem:
    """The equations of an equilibrium: unknown are the flat state and the parameter, as a number in its unit."""

    def __init__(self, drift: Drift, name: str, interval: tuple[float, float], parameters: Mapping[str, ArrayLike]):
        self.drift, self.name, self.low, self.high = drift, name, *interval
        held = {drift.find(key): value for key, value in parameters.items()}

        def rates(x: jax.Array, p: jax.Array) -> jax.Array:
            return drift(x, held | {name: p})

        self.rates = jax.jit(rates)
        slopes = jax.jacfwd(rates, argnums=(0, 1))
        self._slopes = jax.jit(slopes)
        # at several states, for cycles, with the rates; compiled once for all of them
        self.of_many = jax.jit(jax.vmap(lambda x, p: (rates(x, p), *slopes(x, p)), (0, None)))
        self.derivatives = Derivatives(rates)
        self.held = held
        # What begins at zero, as a rate of change does, has no size of its own.
        size = np.abs(drift.starts(8)).max(axis=0)
        self.sizes = np.maximum(size, 1e-3 * max(size.max(), 1.0))

    def wider(self, points: np.ndarray) -> None:
        """Measure states by those of equilibria, where they are larger than initial ones."""
        self.sizes = np.maximum(self.sizes, np.abs(points).max(axis=0))

    @property
    def scale(self) -> np.ndarray:
        """Of the unknowns; that of a state in many regions is its root mean square over them."""
        entries = [part.stop - part.start for part in self.drift.slices.values()]
        return np.append(self.sizes * np.sqrt(np.repeat(entries, entries)), self.high - self.low)

    def held_value(self, name: str) -> np.ndarray:
        """The present value of another parameter, in its unit."""
        value = self.held.get(name, self.drift.parameters[name])
        return np.asarray(u.Quantity(self.drift.quantity(name, value)).to_decimal(self.drift.unit_of(name)))

    def residual(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(self.rates(y[:-1], y[-1]))

    def jacobian(self, y: np.ndarray) -> np.ndarray:
        of_x, of_p = self._slopes(y[:-1], y[-1])
        return np.column_stack([np.asarray(of_x), np.asarray(of_p)])

    def at(self, value: float) -> str:
        """Where something is, in words: the parameter with its value and its unit."""
        unit = self.drift.unit_of(self.name)
        return f"at {self.name} = {value:.6g}" + ("" if unit.is_unitless else f" {unit}")

    def end(self, y: np.ndarray) -> str | None:
        # Branches begin on the edge, and rounding may put their first point beyond it.
        margin = 1e-12 * (self.high - self.low)
        if y[-1] > self.high + margin or y[-1] < self.low - margin:
            return f"leaves {self.name} = {self.low:g} to {self.high:g}"
        x, margins = y[:-1], 1e-9 * self.sizes
        out = (x < self.drift.lower - margins) | (x > self.drift.upper + margins)
        if out.any():
            return f"leaves the domain of {self.drift.labels[int(out.argmax())]} {self.at(y[-1])}"
        far = np.abs(x) > _FAR * self.sizes
        if far.any():
            return f"grows without end in {self.drift.labels[int(far.argmax())]} {self.at(y[-1])}"
        return None

    def eigenvalues(self, y: np.ndarray) -> Complex:
        """By falling real part, per ms; with delays the rightmost characteristic roots."""
        if self.drift.delays.size:
            values = characteristic_roots(self.drift, y[:-1], parameters=self.held | {self.name: float(y[-1])})
        else:
            values = np.linalg.eigvals(self.jacobian(y)[:, :-1]).astype(np.complex128)
        return values[np.lexsort((-values.imag, -values.real))]


def continue_equilibria(
    model: NeuralMassDynamics | Network | Drift,
    name: str,
    interval: tuple[ArrayLike, ArrayLike],
    inputs: Mapping[str, Any] | None = None,
    *,
    parameters: Mapping[str, ArrayLike] = MappingProxyType({}),
    start: Mapping[str, ArrayLike] | ArrayLike | None = None,
    crossing: bool = True,
    longest_step: float = 0.02,
    n_points: int = 5000,
    n_branches: int = 32,
    seed: int = 0,
) -> Diagram:
    r"""Follow equilibria while a parameter, or what is held at an input port, goes through an interval.

    By pseudo-arclength, through folds, in double precision; folds, Hopf points and branch points are located to
    rounding. The branches are those of the equilibria that `fixed_points` finds at both ends and in the middle of the
    interval, and those that cross them.

    Parameters
    ----------
    model : NeuralMassDynamics, Network or Drift
    name : str
        Of a parameter or an input port, as in `drift.parameters`. One that regions have each is the same in all.
    interval : (low, high)
        Quantities, or numbers in the unit of the parameter.
    inputs, parameters : mapping, optional
        As in `fixed_points`.
    start : mapping of states, or array, optional
        Follow the equilibrium near this state alone, at `low`.
    crossing : bool
        Whether branches that cross others are followed, too.
    longest_step : float
        Of the parameter as a share of the interval, and of the states as a share of their size.
    n_points : int
        Largest number of points of a branch.
    n_branches : int
        Largest number of branches, as those that cross may be many in a network of regions that are alike. The
        diagram's `end` says what was not followed.
    seed : int
        Decides where equilibria are looked for.

    Returns
    -------
    Diagram
        Branches with stability, and special points; `continue_cycles` goes on from a Hopf point, and `continue_curve`
        follows a fold or a Hopf point in a second parameter.

    Raises
    ------
    ValueError, TypeError
        If the parameter is unknown, the interval leaves its domain, or there is no equilibrium to begin with.

    Examples
    --------
    >>> import brainmass
    >>> model = brainmass.FitzHughNagumoStep.preset("classic", 1)
    >>> diagram = brainmass.continue_equilibria(model, "V_inp", (0.0, 2.0))
    >>> [(point.kind, round(point.value, 3)) for point in diagram.special]
    [('Hopf', 0.331), ('Hopf', 1.419)]
    """
    drift = as_drift(model, inputs)
    name = drift.find(name, "continue_equilibria")
    parameters = drift.held_values(parameters, "continue_equilibria")
    flag(Argument("crossing", "continue_equilibria"), crossing)
    whole(Argument("seed", "continue_equilibria"), seed, least=0)
    low, high = interval_of(drift, name, interval, "continue_equilibria")
    for argument, given in ("inputs", inputs), ("parameters", parameters):
        if isinstance(given, Mapping) and any(name == key or name.endswith(f".{key}") for key in given):
            raise argument_error(
                Argument(argument, "continue_equilibria"), f"has no effect on {name}, which goes through the interval"
            )
    number(Argument("longest_step", "continue_equilibria"), longest_step, "> 0", lambda x: x > 0)
    whole(Argument("n_points", "continue_equilibria"), n_points)
    whole(Argument("n_branches", "continue_equilibria"), n_branches)
    with double_precision():
        system = EquilibriumSystem(drift, name, (low, high), parameters)
        starts = _starts(system, start, seed)
        system.wider(starts[:, :-1])
        search = _Search(system, longest_step, n_points, n_branches)
        search.follow_all(starts)
        if crossing:
            search.follow_crossing()
    return Diagram(system, search.branches, search.what_happens(), search.end)


def interval_of(drift: Drift, name: str, interval: Any, owner: str) -> tuple[float, float]:
    """The ends of an interval as numbers in the unit of the parameter."""
    what = Argument("interval", owner)
    unit = drift.unit_of(name)
    if not isinstance(interval, tuple | list) or len(interval) != 2 or not all(map(holds_numbers, interval)):
        raise argument_error(what, "must be (low, high)", f"is {show(interval)}", f"interval=(0.0, 1.0) for {name}")
    ends = [drift.quantity(name, end) for end in interval]  # or an error of unit or domain
    low, high = (float(np.ravel(u.Quantity(end).to_decimal(unit))[0]) for end in ends)
    if not (np.isfinite([low, high]).all() and low < high):
        raise argument_error(what, "must go from low to high", f"is {show(interval)}")
    return low, high


def _starts(system: EquilibriumSystem, start: Numbers, seed: int) -> np.ndarray:
    places = (system.low,) if start is not None else (system.low, 0.5 * (system.low + system.high), system.high)
    found = []
    for p in places:
        points = fixed_points(system.drift, parameters=system.held | {system.name: p}, start=start, seed=seed).x
        found += [np.append(x, p) for x in points]
    if not found:
        raise ValueError(
            f"No equilibrium of {type(system.drift.model).__name__} is found at {system.name} = "
            f"{', '.join(f'{p:g}' for p in places)}: give `start`, a state near one."
        )
    return np.array(found)


class _Search:
    """Branches that were found so far, and what happens on them."""

    def __init__(self, system: EquilibriumSystem, longest: float, n_points: int, n_branches: int):
        self.system, self.longest, self.n_points, self.n_branches = system, longest, n_points, n_branches
        self.end = ""
        self.branches: list[Branch] = []
        self.special: list[Special] = []

    def follow(self, y: np.ndarray, direction: np.ndarray | None = None) -> None:
        """Both ways from a point, unless it lies on a branch that is there already."""
        if self._is_known(y):
            return
        up = np.eye(len(y))[-1] if direction is None else direction
        ways = [self._traced(y, sign * up) for sign in (-1.0, 1.0)]
        back, forth = ways
        # one curve, from the end of the one way to the end of the other
        points = np.array([*back.points[:0:-1], *forth.points])
        tangents = np.array([*(-t for t in back.tangents[:0:-1]), *forth.tangents])
        steps = np.array([*back.steps[::-1], *forth.steps])
        # the start itself may be a fold, where nothing tells whether it is known
        looked_at = 0, len(back.points) // 2, len(points) - 1 - len(forth.points) // 2, -1
        if len(points) < 2 or all(self._is_known(points[i]) for i in looked_at):
            return
        values = [self.system.eigenvalues(point) for point in points]
        most = max(map(len, values))
        eigenvalues = np.stack([np.pad(v, (0, most - len(v)), constant_values=np.nan) for v in values])
        number = len(self.branches)
        self.branches.append(Branch("equilibria", points[:, -1], points[:, :-1], eigenvalues, (back.end, forth.end)))
        for i, step in enumerate(steps):
            if back.steps and i < len(back.steps):  # these were gone the other way
                self._between(points[i + 1], -tangents[i + 1], step, eigenvalues[i + 1], eigenvalues[i], number, 0)
            else:
                self._between(points[i], tangents[i], step, eigenvalues[i], eigenvalues[i + 1], number, 0)

    def follow_all(self, starts: np.ndarray) -> None:
        for i, y in enumerate(starts):
            if self._is_full:
                return self._cut_short(f"what goes through {len(starts) - i} of {len(starts)} equilibria found")
            self.follow(y)

    def follow_crossing(self) -> None:
        """The branches that cross others in branch points."""
        done = 0
        while done < len(self.special):
            point = self.special[done]
            done += 1
            if point.kind == "branch point":
                if self._is_full:
                    left = sum(p.kind == "branch point" for p in self.special[done - 1 :])
                    return self._cut_short(f"what crosses at {counted(left, 'branch point')}")
                self._switch(np.append(point.x, point.value), point.branch)

    @property
    def _is_full(self) -> bool:
        return len(self.branches) >= self.n_branches

    def _cut_short(self, left: str) -> None:
        n = len(self.branches)
        self.end = f"The search ends with {counted(n, 'branch')}, as n_branches={n}: {left} is not followed."

    def what_happens(self) -> list[Special]:
        """The special points; where branches cross, that one of them turns there is no fold of its own."""
        crossings = [point for point in self.special if point.kind == "branch point"]
        kept = [p for p in self.special if p.kind != "fold" or not any(self._is_at(p, c, 1e-3) for c in crossings)]
        return sorted(kept, key=lambda point: point.value)

    def _traced(self, y: np.ndarray, direction: np.ndarray) -> Curve:
        curve = traced(self.system, y, direction, step=0.2 * self.longest, longest=self.longest, n_points=self.n_points)
        if curve.end == LOST:
            curve.end += f" {self.system.at(curve.points[-1][-1])}"
        return self._up_to_the_edge(curve)

    def _up_to_the_edge(self, curve: Curve) -> Curve:
        """The last point on the edge of the interval itself."""
        if curve.end.startswith(f"leaves {self.system.name} ="):
            y, t = curve.points[-1], curve.tangents[-1]
            edge = self.system.high if t[-1] > 0 else self.system.low
            on = y + (edge - y[-1]) / (t[-1] * self.system.scale[-1]) * t * self.system.scale
            on[-1] = edge
            found = solved_at(self.system, on, np.eye(len(y))[-1])
            if found is not None and found[0][-1] != y[-1]:
                point = found[0]
                curve.steps.append(float(t @ ((point - y) / self.system.scale)))
                curve.points.append(point)
                curve.tangents.append(tangent_at(self.system, point, t))
        return curve

    def _switch(self, y: np.ndarray, of_branch: int) -> None:
        """Follow what crosses at a branch point: there the equations leave two directions open."""
        _, sizes, rows = np.linalg.svd(self.system.jacobian(y) * self.system.scale)
        kernel = rows[-2:]
        branch = self.branches[of_branch]
        near = int(np.argmin(np.linalg.norm((branch.y - y) / self.system.scale, axis=1)))
        ahead = branch.y[min(near + 1, len(branch.y) - 1)] - branch.y[max(near - 1, 0)]
        along = kernel @ (ahead / self.system.scale)
        # Both curves have their tangents in the kernel, and one of these is known. A plane across it, a little away
        # from the point, meets the other curve alone.
        across = kernel.T @ np.array([-along[1], along[0]])
        across /= np.linalg.norm(across)
        for sign in (-1.0, 1.0):
            guess = y + sign * 0.1 * self.longest * across * self.system.scale
            found = solved_at(self.system, guess, across)
            # Both ways, as a fork has two arms; where they are one curve, the second is known by then.
            if found is not None and self.system.end(found[0]) is None:
                self.follow(found[0], sign * across)

    def _is_known(self, y: np.ndarray) -> bool:
        return any(_on(self.system, branch, y) for branch in self.branches)

    # --- what happens within a step -----------------------------------------------------------------------------------
    def _between(
        self, y: np.ndarray, t: np.ndarray, step: float, before: np.ndarray, after: np.ndarray, branch: int, depth: int
    ) -> None:
        """Locate what happens in one step; halve it where that are several things."""
        found = solved_at(self.system, y + step * t * self.system.scale, t)
        t_after = t if found is None else tangent_at(self.system, found[0], t)
        n_before, n_after = _growing(before), _growing(after)
        turns, change = t[-1] * t_after[-1] < 0, abs(n_after - n_before)
        if change == 0 and not turns:
            return
        # At a fold or a branch point one eigenvalue crosses zero, in a Hopf point two cross at once: more are several
        # things.
        if (turns and change > 1) or (not turns and change > 2):
            self._halved(y, t, step, before, after, branch, depth)
        elif turns:
            self._locate("fold", y, t, step, lambda y, t: t[-1], branch)
        else:
            k, kind = min(n_before, n_after), "Hopf" if change == 2 else "branch point"

            # They stand by falling real part: k grow at both ends of the step, and those after them are what crosses.
            def growth(y: np.ndarray, t: np.ndarray) -> float:
                return float(self.system.eigenvalues(y)[k : k + change].real.mean())

            self._locate(kind, y, t, step, growth, branch)

    def _halved(
        self, y: np.ndarray, t: np.ndarray, step: float, before: np.ndarray, after: np.ndarray, branch: int, depth: int
    ) -> None:
        middle = solved_at(self.system, y + 0.5 * step * t * self.system.scale, t)
        if middle is None or depth == _HALVINGS:
            return
        between = self.system.eigenvalues(middle[0])
        self._between(y, t, step / 2, before, between, branch, depth + 1)
        # the rest in the same direction, so that both halves are of one line
        rest = solved_at(self.system, y + step * t * self.system.scale, t)
        if rest is not None:
            t_middle = tangent_at(self.system, middle[0], t)
            length = float(np.linalg.norm((rest[0] - middle[0]) / self.system.scale))
            self._between(middle[0], t_middle, length, between, after, branch, depth + 1)

    def _locate(self, kind: str, y: np.ndarray, t: np.ndarray, step: float, test: Test, branch: int) -> None:
        found = located(self.system, y, t, step, test)
        if found is None:
            return
        point, _ = found
        values = self.system.eigenvalues(point)
        if kind == "Hopf":
            crossing = values[np.argmin(np.abs(values.real))]
            # Two real ones may cross at once, of several states that are alike. Rounding parts a double eigenvalue by
            # its root, also into a pair.
            if abs(crossing.imag) <= 1e-6 * np.abs(values).max():
                kind = "branch point"
        special = Special(kind, float(point[-1]), point[:-1], values, branch)
        if kind == "Hopf" and not self.system.drift.delays.size:
            first, omega = lyapunov_coefficient(
                self.system.derivatives, point[:-1], point[-1], self.system.jacobian(point)[:, :-1]
            )
            special.lyapunov, special.period = first, 2 * np.pi / omega
        elif kind == "Hopf":
            special.period = float(2 * np.pi / abs(values[np.argmin(np.abs(values.real))].imag))
        if not any(self._is_same(special, other) for other in self.special):
            self.special.append(special)

    def _is_same(self, one: Special, other: Special) -> bool:
        return one.kind == other.kind and self._is_at(one, other, _SAME)

    def _is_at(self, one: Special, other: Special, within: float) -> bool:
        apart = (np.append(one.x, one.value) - np.append(other.x, other.value)) / self.system.scale
        return float(np.abs(apart).max()) < within


def _growing(values: Complex) -> int:
    """How many deviations grow."""
    return int(np.sum(values.real > 0))


def _on(system: EquilibriumSystem, branch: Branch, y: np.ndarray) -> bool:
    """Whether a branch goes through a point: one of its solutions at the same parameter is the point."""
    points, apart = branch.y, branch.values - y[-1]
    reach = 1e-9 * (system.high - system.low)
    crossed = apart[:-1] * apart[1:] <= 0
    near = np.abs(apart) < reach
    # A branch ends on the edge of the interval without crossing it.
    for i in np.flatnonzero(crossed | near[:-1] | near[1:]):
        share = np.clip(apart[i] / (apart[i] - apart[i + 1]) if apart[i] != apart[i + 1] else 0.0, 0.0, 1.0)
        guess = points[i] + share * (points[i + 1] - points[i])
        guess[-1] = y[-1]
        found = solved_at(system, guess, np.eye(len(y))[-1])
        if found is not None and np.abs((found[0] - y) / system.scale).max() < _SAME:
            return True
    return False
