"""`Control`: what `control` found, as stimuli that a run takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import brainunit as u
import numpy as np

from brainmass._common.display import page, table
from brainmass._common.typing import Numbers, Pytree
from brainmass.simulation.result import Result
from brainmass.simulation.simulator import Simulator
from brainmass.stimuli.algebra import Drive

__all__ = ["Control", "Validation"]


class Validation(NamedTuple):
    """The cost on noises that the control was not made with: mean, standard error, and the cost on each."""

    mean: float
    standard_error: float
    costs: np.ndarray


@dataclasses.dataclass(frozen=True, repr=False)
class Control:
    """A control, and what it costs.

    Attributes
    ----------
    values : dict
        By port, what enters at each site, shape (K, sites), with the unit of the port; each row holds for `every`. Of a
        feedback, what it puts in under the first of the noises that it was trained with.
    sites : dict
        By port, the numbers of the regions.
    every : Quantity
    stimuli : dict
        By port, the control alone, as a stimulus of all regions, or as a feedback.
    inputs : dict
        What the run takes: all that was given, and the control.
    cost : float
        Of the control, on average over the noises that it was made with.
    costs : dict
        Each of the costs by name.
    history : array
        The cost at the start and after each step; with a receding horizon that of each plan.
    validation : Validation or None
        The cost on fresh noises.
    ended : str
        Why the search was over.
    parameters : dict
        Of a feedback, those that were trained, as `port.name`.
    """

    values: Mapping[str, Numbers]
    sites: Mapping[str, np.ndarray]
    every: u.Quantity
    stimuli: Mapping[str, Drive]
    inputs: Mapping[str, object]
    cost: float
    costs: Mapping[str, float]
    history: np.ndarray
    validation: Validation | None
    ended: str
    simulator: Simulator
    duration: u.Quantity
    state: Pytree = None
    parameters: Mapping[str, Numbers] = dataclasses.field(default_factory=dict)

    def run(self, **settings: Any) -> Result:
        """The run with this control; `settings` are those of `Simulator.run`."""
        return self.simulator.run(self.duration, **{"inputs": self.inputs, "state": self.state, **settings})

    @property
    def energy(self) -> float:
        r""":math:`\int \sum_i u_i^2\,dt` over all ports, in their units squared, and ms."""
        every = float(self.every.to_decimal(u.ms))
        return float(sum(np.sum(np.asarray(u.get_mantissa(v), float) ** 2) for v in self.values.values())) * every

    def _rows(self) -> list[tuple[str, str]]:
        rows = [(name, f"{value:.6g}") for name, value in self.costs.items()]
        if self.validation is not None:
            v = self.validation
            rows.append((f"on {len(v.costs)} fresh noises", f"{v.mean:.6g} ± {v.standard_error:.1g}"))
        return rows

    @property
    def _title(self) -> str:
        where = ", ".join(f"{name} at {len(sites)} sites" for name, sites in self.sites.items())
        return f"cost {self.cost:.6g}, from {self.history[0]:.6g}, of {self.duration} into {where}"

    def __repr__(self) -> str:
        return "\n  ".join(
            [f"Control: {self._title}", *(f"{name}: {value}" for name, value in self._rows()), self.ended]
        )

    def _repr_html_(self) -> str:
        return page("Control", self._title, table(("cost", "value"), self._rows()))
