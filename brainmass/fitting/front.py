"""A Pareto front: what no other candidate betters in one objective without loss in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from brainmass._common.checks import instance, number
from brainmass._common.display import number as in_words
from brainmass._common.extras import import_fit
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers
from brainmass.dynamics.module import Closed
from brainmass.simulation.inventory import ByPath

__all__ = ["FrontPoint", "ParetoFront", "hypervolume_of", "not_bettered"]


class FrontPoint(NamedTuple):
    """One point of a front."""

    #: what the objectives are there, by name
    values: dict[str, float]
    #: the parameters, by path, as the equations see them
    params: dict[str, Numbers]


class ParetoFront(Closed):
    """The candidates of a search that no other one betters in all objectives, in the order of the first objective.

    Items are points, by number.

    Attributes
    ----------
    names : tuple of str
        Of the K objectives.
    values : array (n, K)
        What they are at each point; lower is better.
    params : dict
        Of each parameter the values at all points, along the first axis; by path, or as much of its end as tells it.
    fitted : dict
        The same as a solver moves them: before transforms, one number where regions share it, coefficients of maps.
    hypervolume : array (n_steps,)
        After each generation, the volume between the front and `reference`: it grows with a better, a wider or a
        closer front (Zitzler & Thiele 1998, PPSN V:292).
    reference : array (K,)
        The worst values of the first generation, each objective by itself.
    """

    def __init__(
        self,
        *,
        names: Sequence[str],
        values: Any,
        params: Mapping[str, Numbers],
        fitted: Mapping[str, Numbers],
        hypervolume: Any,
        reference: Any,
    ):
        self.names, self.params, self.fitted = tuple(names), ByPath(params), ByPath(fitted)
        self.values, self.hypervolume, self.reference = (np.asarray(x) for x in (values, hypervolume, reference))

    def parts(self) -> dict[str, object]:
        """What it is made of."""
        names = ("names", "values", "params", "fitted", "hypervolume", "reference")
        return {name: getattr(self, name) for name in names}

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, i: int) -> FrontPoint:
        values = dict(zip(self.names, map(float, self.values[i]), strict=True))
        return FrontPoint(values, ByPath({path: x[i] for path, x in self.params.items()}))

    def best(self, weights: Mapping[str, float] | None = None) -> FrontPoint:
        """The point of the lowest weighted sum, each objective counted from 0, its best on the front, to 1, its worst.

        With equal weights, the default, it is the knee of two objectives: the point that lies farthest below the line
        between the ends (Das 1999, Struct. Optim. 18:107). A weight that is not given is 0.
        """
        what = Argument("weights", "best")
        given = dict.fromkeys(self.names, 1.0) if weights is None else weights
        instance(what, given, Mapping, "a mapping of names to numbers", example=f'front.best({{"{self.names[0]}": 2}})')
        if unknown := [name for name in given if name not in self.names]:
            raise argument_error(what, f"may name {', '.join(self.names)}", f"names {unknown[0]!r}")
        each = [number(what, given.get(name, 0.0), "of at least 0", lambda x: x >= 0) for name in self.names]
        return self[int(np.argmin(self.scaled() @ np.asarray(each, float)))]

    def scaled(self) -> np.ndarray:
        """The values from 0, the best of the front in each objective, to 1, the worst: shape (n, K)."""
        # By the span of the front: objectives have scales of their own, and a sum would be that of the largest.
        low, span = self.values.min(axis=0), np.ptp(self.values, axis=0)
        return (self.values - low) / np.where(span > 0, span, 1.0)

    def __repr__(self) -> str:
        ends = zip(self.names, self.values.min(axis=0), self.values.max(axis=0), strict=True)
        lines = [f"{name} from {in_words(low)[0]} to {in_words(high)[0]}" for name, low, high in ends]
        if len(self.hypervolume):
            lines.append(f"hypervolume {self.hypervolume[0]:.4g} → {self.hypervolume[-1]:.4g}")
        return "\n  ".join([f"ParetoFront: {len(self)} points of {', '.join(self.params)}", *lines])


def not_bettered(values: np.ndarray) -> np.ndarray:
    """Which rows no other row betters in all columns; of equal ones the first; in the order of the first column."""
    # Sorted by that: equal rows better one another in nothing, and all of them would stay.
    different, first = np.unique(values, axis=0, return_index=True)
    sorting = import_fit("pymoo.util.nds.non_dominated_sorting").NonDominatedSorting()
    return first[np.sort(sorting.do(different, only_non_dominated_front=True))]


def hypervolume_of(values: np.ndarray, reference: np.ndarray) -> float:
    """The volume of what rows better, as far as `reference`."""
    return float(import_fit("pymoo.indicators.hv").HV(reference)(values))
