"""Bifurcation diagrams: equilibria and cycles over a parameter, bifurcations in the plane of two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import brainunit as u
import numpy as np

from brainmass._common.checks import instance, is_function, items, one_of
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import ArrayLike
from brainmass.analysis.diagram import Branch, Diagram
from brainmass.analysis.two_parameters import BifurcationCurve
from brainmass.viz.drawing import COLORS, axes_or_new, axis_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_bifurcation_curves", "plot_bifurcations"]

_MARKS = {
    "fold": "s",
    "Hopf": "o",
    "branch point": "D",
    "fold of cycles": "s",
    "period doubling": "^",
    "torus": "v",
    "cusp": "P",
    "Bogdanov-Takens": "X",
    "generalised Hopf": "*",
    "zero-Hopf": "d",
}
_EQUILIBRIA, _CYCLES = COLORS[0], COLORS[1]


def plot_bifurcations(
    diagram: Diagram,
    state: str | Callable[[Mapping[str, Any]], ArrayLike] | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw a bifurcation diagram: stable solutions as lines, unstable ones dashed, cycles by their extremes.

    Parameters
    ----------
    diagram : Diagram
        Of `continue_equilibria`, or `continue_cycles`.
    state : str or function, optional
        Which entry of the state is drawn, one of `diagram.drift.labels`, by default the first; or a function of the
        states by name, each of shape (..., in_size), such as `lambda x: x["E"] - x["I"]`, or the mean over regions.
    ax : matplotlib Axes, optional

    Raises
    ------
    ValueError
        If the state is not there, or the function gives more than one number for each state.
    """
    of = "plot_bifurcations"
    instance(Argument("diagram", of), diagram, Diagram, "a Diagram of continue_equilibria")
    shown = _Shown(diagram, state)
    ax = axes_or_new(ax, of)
    # What is in the legend already: a kind of solution comes in many pieces.
    said: set[str] = set()
    for branch in diagram.branches:
        for start, stop, stable in _stretches(branch):
            part = slice(start, stop)
            color = _EQUILIBRIA if branch.kind == "equilibria" else _CYCLES
            label = f"{'stable' if stable else 'unstable'} {branch.kind}"
            for values in shown.of(branch):
                new = None if label in said else label
                said.add(label)
                ax.plot(branch.values[part], values[part], "-" if stable else "--", color=color, label=new)
    for point in diagram.special:
        branch = diagram.branches[point.branch]
        height = [shown(point.x)]
        if branch.kind == "cycles":
            # A branch of cycles may pass a value more than once; its period tells which time it is.
            i = int(np.argmin(np.abs(branch.values - point.value) + np.abs(branch.period - point.period)))  # pyright: ignore[reportOperatorIssue]
            height = [values[i] for values in shown.of(branch)]
        new = None if point.kind in said else point.kind
        said.add(point.kind)
        values = [point.value] * len(height)
        fill = "full" if branch.kind == "equilibria" else "none"
        ax.plot(values, height, _MARKS[point.kind], fillstyle=fill, color="#7F7F7F", linestyle="none", label=new)
    ax.set_xlabel(axis_label(diagram.name, _words(diagram.unit)))
    ax.set_ylabel(axis_label(shown.name, _words(shown.unit)).strip())
    ax.legend(frameon=False)
    return ax


def plot_bifurcation_curves(curves: BifurcationCurve | Iterable[BifurcationCurve], *, ax: Axes | None = None) -> Axes:
    """Draw curves of folds and Hopf points in the plane of two parameters, with what happens on them.

    Parameters
    ----------
    curves : BifurcationCurve, or several of the same two parameters
        Of `continue_curve`.
    ax : matplotlib Axes, optional
    """
    of = "plot_bifurcation_curves"
    what = Argument("curves", of)
    curves = [curves] if isinstance(curves, BifurcationCurve) else items(what, curves, "curves of continue_curve")
    if not curves:
        raise argument_error(what, "must hold at least one curve", "is empty")
    ax = axes_or_new(ax, of)
    said: set[str] = set()
    for curve in curves:
        instance(Argument("curves", of), curve, BifurcationCurve, "curves of continue_curve")
        color = _EQUILIBRIA if curve.kind == "fold" else _CYCLES
        ax.plot(*curve.values.T, color=color, label=None if curve.kind in said else curve.kind)
        said.add(curve.kind)
        for point in curve.special:
            if point.second is None:  # it is not in this plane
                continue
            new = None if point.kind in said else point.kind
            said.add(point.kind)
            ax.plot(point.value, point.second, _MARKS[point.kind], color="#7F7F7F", linestyle="none", label=new)
    labels = [axis_label(name, _words(unit)) for name, unit in zip(curves[0].names, curves[0].units, strict=True)]
    ax.set(xlabel=labels[0], ylabel=labels[1])
    ax.legend(frameon=False)
    return ax


def _stretches(branch: Branch) -> Iterator[tuple[int, int, bool]]:
    """Parts of a branch of one stability; each goes on to the first point of the next, so that no gap is left."""
    stable = branch.stable
    ends = [0, *(np.flatnonzero(np.diff(stable.astype(int))) + 1), len(branch)]
    for start, stop in zip(ends, ends[1:], strict=False):
        yield int(start), min(int(stop) + 1, len(branch)), bool(stable[start])


class _Shown:
    """What is drawn over the parameter: an entry of the state, or a function of it."""

    def __init__(self, diagram: Diagram, state: Any):
        self.drift, self.function = diagram.drift, state if is_function(state) else None
        labels = self.drift.labels
        if self.function is None:
            self.name = one_of(Argument("state", "plot_bifurcations"), labels[0] if state is None else state, labels)
            self.unit, self.entry = self.drift.units[self.name.partition("[")[0]], labels.index(self.name)
        else:
            name = getattr(self.function, "__name__", "")
            self.name, self.unit = (
                name.replace("<lambda>", ""),
                u.get_unit(self.function(self.drift.unpack(diagram.branches[0].x[0]))),
            )

    def __call__(self, x: np.ndarray) -> np.ndarray:
        if self.function is None:
            return x[..., self.entry]
        values = np.asarray(u.Quantity(self.function(self.drift.unpack(x))).to_decimal(self.unit))
        if values.shape == (*x.shape[:-1], 1):
            values = values[..., 0]
        if values.shape != x.shape[:-1]:
            raise argument_error(
                Argument("state", "plot_bifurcations"),
                f"must give one number for each state, shape {x.shape[:-1]}",
                f"gives shape {values.shape}",
                'state=lambda x: x["E"].mean(axis=-1)',
            )
        return values

    def of(self, branch: Branch) -> list[np.ndarray]:
        """Of equilibria the values, of cycles the extremes."""
        if branch.low is None or branch.high is None:
            return [self(branch.x)]
        if self.function is None:
            return [self(branch.low), self(branch.high)]
        # The extremes of a function are not the function of extremes: it is followed along each cycle, where those were
        # kept.
        if branch.orbits is None:
            return [self(branch.x)]
        turns = self(branch.orbits)
        return [turns.min(axis=1), turns.max(axis=1)]


def _words(unit: Any) -> str:
    return "" if unit.is_unitless else str(unit)
