"""What there is to know of a connectome before it is used."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, Protocol

import brainunit as u
import numpy as np

from brainmass._common.messages import counted

__all__ = ["ConnectomeReport", "density", "report_on"]

_HUMAN_MM = (10.0, 250.0)  # where the median length of the connections of a human brain lies, in any parcellation
_UNITS_OF_LENGTH = (u.um, u.mm, u.cm, u.meter)
_ROUNDING = 1e-3  # of the largest weight


class Listed(Protocol):
    """What a report looks at: regions, and a list of connections between them. `Edges` is that."""

    @property
    def n(self) -> int: ...
    @property
    def source(self) -> np.ndarray: ...
    @property
    def target(self) -> np.ndarray: ...
    @property
    def weight(self) -> np.ndarray: ...
    @property
    def length(self) -> u.Quantity | None: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def name(self) -> str: ...
    @property
    def hemispheres(self) -> tuple[str, ...] | None: ...
    @property
    def centres(self) -> u.Quantity | None: ...
    def _sides(self) -> Any: ...


@dataclasses.dataclass(frozen=True, repr=False)
class ConnectomeReport:
    """Facts and problems of a connectome, as text; `print` it."""

    name: str
    #: facts, one per line
    lines: tuple[str, ...]
    #: what to look at before it is used; some may be as intended
    problems: tuple[str, ...]

    def __str__(self) -> str:
        problems = [f"  ! {problem}" for problem in self.problems] or ["  no problems found"]
        return "\n".join([f"Connectome {self.name!r}", *(f"  {line}" for line in self.lines), *problems])

    __repr__ = __str__


class _Notes:
    """The connections of different regions, and what is found about them."""

    def __init__(self, edges: Listed):
        there = edges.weight != 0
        between = there & (edges.source != edges.target)
        self.edges = edges
        self.source, self.target, self.weight = (a[between] for a in (edges.source, edges.target, edges.weight))
        self.length = None if edges.length is None else np.asarray(edges.length.mantissa)[between]
        self.all_weights = edges.weight[there]
        self.n_self = int(there.sum() - between.sum())
        self.lines: list[str] = []
        self.problems: list[str] = []

        n, source, target = edges.n, self.source.astype(np.int64), self.target.astype(np.int64)
        # A pair is there once, as `Edges` holds.
        there_and_back = np.intersect1d(
            target * n + source, source * n + target, assume_unique=True, return_indices=True
        )
        self._pairs = there_and_back[1:]

    def mirrored(self, values: np.ndarray) -> np.ndarray:
        """The value of the connection the other way, NaN where there is none."""
        one, other = self._pairs
        back = np.full(values.shape, np.nan)
        back[one] = values[other]
        return back


def report_on(edges: Listed) -> ConnectomeReport:
    """Look at a list of connections."""
    notes = _Notes(edges)
    for look in (_size, _weights, _direction, _regions, _lengths, _hemispheres, _centres):
        look(notes)
    return ConnectomeReport(edges.name, tuple(notes.lines), tuple(notes.problems))


def _size(notes: _Notes) -> None:
    n, n_edges = notes.edges.n, notes.weight.size
    selves = counted(notes.n_self, "self-connection") if notes.n_self else "no self-connections"
    share = f"density {density(n, n_edges):.3g}"
    notes.lines.append(f"{counted(n, 'region')}, {counted(n_edges, 'connection')} ({share}), {selves}")
    if notes.n_self:
        notes.problems.append(f"{selves}: a Network leaves them out unless self_connection=True")


def _weights(notes: _Notes) -> None:
    weights = notes.all_weights
    if not weights.size:
        return
    notes.lines.append(f"weights {weights.min():.4g} to {weights.max():.4g}, median {np.median(weights):.4g}")
    negative = int((weights < 0).sum())
    if negative:
        notes.problems.append(
            f"{counted(negative, 'negative weight')} (down to {weights.min():.4g}): "
            "inhibitory connections, or correlations instead of a structure?"
        )


def _direction(notes: _Notes) -> None:
    if not notes.weight.size:
        return
    back = notes.mirrored(notes.weight)
    apart = np.abs(notes.weight - np.nan_to_num(back)).max() / np.abs(notes.weight).max()
    if apart <= _ROUNDING:
        rounding = "" if apart == 0 else f" up to rounding ({apart:.1g} of the largest weight)"
        notes.lines.append(f"symmetric{rounding}: the direction of rows and columns does not matter")
        return
    one_way = np.isnan(back).mean()
    for half, filled in (("upper", notes.target < notes.source), ("lower", notes.target > notes.source)):
        if filled.all() and notes.edges.n > 2:
            notes.problems.append(
                f"triangular, with the {half} half alone: if each connection goes both ways, it needs symmetrize()"
            )
    into, out = _sums(notes)
    notes.lines.append(f"directed, {one_way:.0%} of the connections have none back; rows are read as receiving")
    notes.lines.append(f"sums of weights into a region {_span(into)}, out of a region {_span(out)}")
    if _all_equal(out) and not _all_equal(into):
        notes.problems.append(
            f"the weights out of each region sum to {out[out != 0].mean():.4g}: "
            "if they were scaled by what a region receives, its columns receive, and it needs transpose()"
        )


def _sums(notes: _Notes) -> tuple[np.ndarray, np.ndarray]:
    edges = notes.edges
    into = np.bincount(edges.target, edges.weight, minlength=edges.n)
    return into, np.bincount(edges.source, edges.weight, minlength=edges.n)


def _all_equal(sums: np.ndarray) -> bool:
    sums = sums[sums != 0]
    return sums.size > 1 and bool(np.ptp(sums) <= 1e-6 * np.abs(sums).max())


def _span(values: np.ndarray) -> str:
    return f"{values.min():.4g} to {values.max():.4g}"


def _regions(notes: _Notes) -> None:
    n, labels = notes.edges.n, notes.edges.labels
    receives = np.bincount(notes.target, minlength=n) > 0
    sends = np.bincount(notes.source, minlength=n) > 0
    for which, words in (
        (~receives & ~sends, "without any connection to another"),
        (~receives & sends, "without input from another"),
        (receives & ~sends, "without output to another"),
    ):
        if which.any():
            named = _listed(labels[i] for i in np.flatnonzero(which))
            notes.problems.append(f"{counted(int(which.sum()), 'region')} {words}: {named}")


def _lengths(notes: _Notes) -> None:
    if notes.length is None or notes.edges.length is None:
        notes.lines.append("no lengths: no delays can be computed")
        return
    unit, zero = notes.edges.length.unit, int((notes.length == 0).sum())
    positive = notes.length[notes.length > 0]
    if zero:
        notes.problems.append(f"{counted(zero, 'connection')} of length 0, hence without delay")
    if positive.size:
        median = float(np.median(positive))
        notes.lines.append(f"lengths {_span(positive)} {unit}, median {median:.4g} {unit}")
        _judge_unit(notes, median, unit)
    away = np.abs(notes.length - notes.mirrored(notes.length))
    # Each pair is there from both ends.
    unequal = int((away > _ROUNDING * notes.length.max(initial=0.0)).sum()) // 2
    if unequal:
        notes.problems.append(
            f"{counted(unequal, 'pair')} of regions with another length each way, by up to {np.nanmax(away):.4g} {unit}"
        )


def _judge_unit(notes: _Notes, median: float, unit: u.Unit) -> None:
    low, high = _HUMAN_MM
    if low <= u.Quantity(median, unit=unit).to_decimal(u.mm) <= high:
        return
    fitting = [str(unit) for unit in _UNITS_OF_LENGTH if low <= u.Quantity(median, unit=unit).to_decimal(u.mm) <= high]
    question = f"are the lengths in {' or '.join(fitting)}?" if fitting else "what unit are the lengths in?"
    notes.problems.append(
        f"median length {median:.4g} {unit}, while a human brain has {low:g} to {high:g} mm: {question}"
    )


def _hemispheres(notes: _Notes) -> None:
    sides = notes.edges._sides()
    if sides is not None:
        counts = ", ".join(f"{sides.count(side)} {side}" for side in sorted(set(sides)))
        notes.lines.append(f"hemispheres: {counts}" + ("" if notes.edges.hemispheres else " (from the labels)"))


_MNI_MM = np.array([[-100.0, 100.0], [-140.0, 110.0], [-90.0, 120.0]])  # x, y, z of a brain in MNI space


def _centres(notes: _Notes) -> None:
    """Whether coordinates can be those of MNI space: x to the right, y to the front, z up, from the commissure."""
    if notes.edges.centres is None:
        return
    xyz, sides = np.asarray(notes.edges.centres.to_decimal(u.mm)), notes.edges._sides()
    low, high = xyz.min(axis=0), xyz.max(axis=0)
    notes.lines.append(
        "centres " + ", ".join(f"{n} {a:.4g} to {b:.4g}" for n, a, b in zip("xyz", low, high, strict=True))
    )
    outside = (low < _MNI_MM[:, 0]).any() or (high > _MNI_MM[:, 1]).any()
    # Less than 2 cm across: numbers in cm or m, or of a unit sphere.
    if outside or (notes.edges.n > 2 and np.ptp(xyz, axis=0).max() < 20):
        notes.problems.append("the centres are no coordinates in MNI space, in mm: pictures of brains will be off")
    elif sides is not None:
        swapped = [s == ("right" if x < 0 else "left") for s, x in zip(sides, xyz[:, 0], strict=True) if s != "midline"]
        # Some centres near the midline may lie on the other side of it.
        if swapped and np.mean(swapped) > 0.5:
            notes.problems.append("centres of the left have positive x: in MNI space x points to the right")


def _listed(names: Iterable[str], most: int = 10) -> str:
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def density(n_regions: int, n_edges: int) -> float:
    """The share of pairs of different regions that are connected."""
    return n_edges / max(n_regions * (n_regions - 1), 1)
