"""A closer look at runs that gave no number: at which step, in which state and region it began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import brainunit as u
import jax.numpy as jnp
import numpy as np

from brainmass._common.typing import Numbers

__all__ = ["Probe"]


@dataclass
class Probe:
    """What a run is asked, and what it tells.

    Parameters
    ----------
    cut : int, optional
        Gradients pass through no step before this one, the first being 0. Without it states are watched at each step.
    nudge : mapping, optional
        Added to states, by path, before that step: the gradient there is that of what follows.
    n_steps, dt, states
        Of the longest run: its length, its step, and zeros like its states.
    n_runs : int
        Runs that were watched from outside a trace.
    """

    cut: Numbers = None
    nudge: dict[str, Numbers] = field(default_factory=dict)
    n_steps: int = 0
    dt: Numbers = None
    states: dict[str, Numbers] = field(default_factory=dict)
    n_runs: int = 0

    def note(self, n_steps: int, dt: Numbers, states: Mapping[str, Numbers]) -> None:
        if n_steps > self.n_steps:
            # Counters and cursors have no gradient, and nothing can be added to them.
            floats = {p: x for p, x in states.items() if jnp.issubdtype(u.get_mantissa(x).dtype, jnp.floating)}
            self.n_steps, self.dt = n_steps, dt
            self.states = {p: np.zeros(u.math.shape(x), u.get_mantissa(x).dtype) for p, x in floats.items()}

    def nudged(self, states: dict[str, Numbers], here: Numbers) -> dict[str, Numbers]:
        """States with the nudge, where `here`; another run's states are left."""

        def moved(path: str, x: Numbers) -> Numbers:
            by = self.nudge.get(path)
            if by is None or by.shape != u.math.shape(x):
                return x
            return x + u.math.asarray(jnp.where(here, by, 0.0), unit=u.get_unit(x))

        return {path: moved(path, x) for path, x in states.items()}
