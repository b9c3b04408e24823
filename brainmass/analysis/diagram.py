"""`Diagram`: branches of equilibria and cycles over a parameter, and what happens on them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import brainunit as u
import numpy as np

from brainmass._common.display import page, table
from brainmass._common.extras import import_io
from brainmass._common.messages import named
from brainmass._common.typing import Complex, Numbers
from brainmass.analysis.drift import Drift

if TYPE_CHECKING:
    import xarray

__all__ = ["Branch", "Diagram", "Special"]


@dataclasses.dataclass
class Branch:
    """One branch, point by point.

    Attributes
    ----------
    kind : {'equilibria', 'cycles'}
    values : array (k,)
        Of the parameter, in its unit.
    x : array (k, n)
        The flat states; of cycles the first point of each.
    eigenvalues : complex array (k, m)
        Of equilibria, per ms, by falling real part; of cycles the Floquet multipliers, by falling size.
    ends : (str, str)
        Why it is over at its first and at its last point.
    low, high : array (k, n) or None
        Of cycles, the extremes of each state.
    period : array (k,) or None
        Of cycles, in ms.
    orbits : array (k, m, n) or None
        Of cycles, the flat states at m moments of one turn, closer together where they change fast.
    """

    kind: str
    values: np.ndarray
    x: np.ndarray
    eigenvalues: Complex
    ends: tuple[str, str]
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    period: np.ndarray | None = None
    orbits: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def y(self) -> np.ndarray:
        """States and parameter side by side, shape (k, n + 1)."""
        return np.column_stack([self.x, self.values])

    @property
    def stable(self) -> np.ndarray:
        """Whether small deviations decay, shape (k,)."""
        if self.kind == "equilibria":
            return ~np.any(self.eigenvalues.real > 0, axis=1)
        # one multiplier is 1, that along the cycle, up to the accuracy of the cycle
        sizes = np.sort(np.abs(self.eigenvalues), axis=1)
        return sizes[:, -1] < 1 + 1e-3 if sizes.shape[1] < 2 else (sizes[:, -1] < 1 + 1e-3) & (sizes[:, -2] < 1)


@dataclasses.dataclass
class Special:
    """A point at which the number or the stability of solutions changes.

    Attributes
    ----------
    kind : str
        'fold', 'Hopf', 'branch point'; of cycles 'fold of cycles', 'period doubling', 'torus'; on curves in two
        parameters 'cusp', 'Bogdanov-Takens', 'generalised Hopf', 'zero-Hopf'.
    value : float
        Of the parameter, in its unit.
    x : array (n,)
    eigenvalues : complex array
        There; of cycles the Floquet multipliers.
    branch : int
        On which branch of the diagram.
    lyapunov : float or None
        The first Lyapunov coefficient of a Hopf point, per ms.
    period : float or None
        Of the cycle there, or that is born there, in ms.
    second : float or None
        Value of the second parameter, on a curve.
    """

    kind: str
    value: float
    x: np.ndarray
    eigenvalues: Complex
    branch: int
    lyapunov: float | None = None
    period: float | None = None
    second: float | None = None

    @property
    def criticality(self) -> str:
        """Of a Hopf point: 'supercritical' (a stable cycle is born), 'subcritical', or '' where it is not known."""
        if self.lyapunov is None:
            return ""
        return "supercritical" if self.lyapunov < 0 else "subcritical"

    @property
    def _known_period(self) -> float:
        """The period, of a point that has one."""
        if self.period is None:
            raise ValueError(f"The {self.kind} at {self.value:g} has no period.")
        return self.period

    @property
    def frequency(self) -> Numbers:
        """In Hz; None where there is no period."""
        return None if self.period is None else 1000.0 / self.period * u.Hz


@dataclasses.dataclass
class Diagram:
    """A bifurcation diagram.

    Attributes
    ----------
    system
        The equations that were followed.
    branches : list of Branch
    special : list of Special
        By value of the parameter.
    end : str
        Of a search that was cut short, why, and what it left.
    """

    system: Any
    branches: list[Branch]
    special: list[Special]
    end: str = ""

    @property
    def drift(self) -> Drift:
        """Of the model."""
        return self.system.drift

    @property
    def name(self) -> str:
        """Of the parameter."""
        return self.system.name

    @property
    def unit(self) -> Any:
        """Of the parameter."""
        return self.drift.unit_of(self.name)

    def points(self, kind: str) -> list[Special]:
        """The special points of a kind, by value of the parameter."""
        known = sorted({point.kind for point in self.special})
        found = [point for point in self.special if point.kind == kind]
        if not found:
            there = f" There are {', '.join(map(repr, known))}." if known else " There are no special points at all."
            raise ValueError(f"The diagram has no {named(kind)}.{there}")
        return found

    def values(self, kind: str) -> np.ndarray:
        """Of the parameter at the special points of a kind, ascending."""
        return np.array([point.value for point in self.special if point.kind == kind])

    def to_xarray(self) -> xarray.Dataset:
        """All points over `point`, with `branch`, `kind`, the parameter and `stable`; states by name.

        Of cycles, states are extremes: `V_low` and `V_high`, which of equilibria are both the state; `period` in ms.
        Special points stand over `special`.
        """
        xr = import_io("xarray")
        branches = self.branches
        short = self.name.rpartition(".")[2]
        facts = {} if self.unit.is_unitless else {"units": str(self.unit)}
        data: dict[str, Any] = {
            "branch": ("point", np.repeat(np.arange(len(branches)), [len(b) for b in branches])),
            "kind": ("point", np.repeat([b.kind for b in branches], [len(b) for b in branches])),
            short: ("point", np.concatenate([b.values for b in branches]), facts),
            "stable": ("point", np.concatenate([b.stable for b in branches])),
            "period": (
                "point",
                np.concatenate([np.full(len(b), np.nan) if b.period is None else b.period for b in branches]),
                {"units": "ms"},
            ),
        }
        low = np.concatenate([b.x if b.low is None else b.low for b in branches])
        high = np.concatenate([b.x if b.high is None else b.high for b in branches])
        for name, part in self.drift.slices.items():
            unit = self.drift.units[name]
            attrs = {} if unit.is_unitless else {"units": str(unit)}
            for end, values in (("low", low), ("high", high)):
                data[f"{name}_{end}"] = (("point", f"{name}_entry"), values[:, part], attrs)
        data["special_kind"] = ("special", [p.kind for p in self.special])
        data["special_value"] = ("special", [p.value for p in self.special], facts)
        data["criticality"] = ("special", [p.criticality for p in self.special])
        return xr.Dataset(data, attrs={"model": type(self.drift.model).__name__, "parameter": self.name})

    def _title(self) -> str:
        unit = "" if self.unit.is_unitless else f" {self.unit}"
        return (
            f"Diagram of {type(self.drift.model).__name__} over {self.name} = {self.system.low:g} to "
            f"{self.system.high:g}{unit}: {len(self.branches)} branch{'es' * (len(self.branches) != 1)}"
        )

    def _rows(self) -> list[tuple[str, ...]]:
        rows = []
        for point in self.special:
            frequency = "" if point.period is None else f"{1000 / point.period:.4g} Hz"
            rows.append((point.kind, f"{point.value:.8g}", point.criticality, frequency, str(point.branch)))
        return rows

    def __repr__(self) -> str:
        rows = [("", self.name.rpartition(".")[2], "", "", "branch"), *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        ends = [f"Branch {i} ({b.kind}) {b.ends[0]}; {b.ends[1]}." for i, b in enumerate(self.branches)]
        ends += [self.end] * bool(self.end)
        return "\n".join([self._title(), *(lines if self.special else ["no special points"]), *ends])

    def _repr_html_(self) -> str:
        head = ("", self.name, "criticality", "frequency", "branch")
        ends = [(str(i), b.kind, *b.ends) for i, b in enumerate(self.branches)]
        return page(
            self._title(), self.end, table(head, self._rows()), table(("branch", "kind", "begins", "ends"), ends)
        )
