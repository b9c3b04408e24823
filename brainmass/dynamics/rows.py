"""Rows of inputs, one per time step, for the modules that go through many steps in one call: layers, repetition times.

The time loop of runs is `brainmass.simulation.loop`.
"""

from __future__ import annotations

from collections.abc import Callable

import brainstate

from brainmass._common.typing import Numbers, Pytree

__all__ = ["through_rows"]


def through_rows(step: Callable[[Numbers], Pytree], rows: object) -> Pytree:
    """Call `step` on one row after the other; what it returns, stacked along the first axis."""
    return brainstate.transform.for_loop(step, rows)
