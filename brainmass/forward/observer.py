"""`Observer`: a forward model that is integrated inside a run."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import brainunit as u

from brainmass.dynamics.base import Declared

__all__ = ["Observer", "in_words"]


class Observer(Declared):
    """Base of the forward models that have states of their own.

    `update(z)` takes the activity of one time step, `signal()` returns what is seen. Inside a run an observer
    may be updated less often than the nodes are, with the mean of the activity since its last update unless `averages`
    is false.
    """

    # Longest interval at which it may be updated without a visible error.
    interval: ClassVar[Any] = 1.0 * u.ms
    # The interval at which it must be updated, where its values depend on that.
    every: ClassVar[Any] = None
    # The argument of the constructor that says so.
    every_argument: ClassVar[str] = "every"
    # Whether it sums up a whole run: it then sees nothing of the transient, and is sampled once, at the end, unless the
    # monitor says otherwise.
    sums_up: ClassVar[bool] = False
    # Whether it takes in the mean of the activity since its last update, or the activity at that moment: a phase has no
    # mean.
    averages: ClassVar[bool] = True
    # The key of its random numbers, set by the time loop if it `takes_key`; None outside a run.
    _handed: ClassVar[Any] = None

    @property
    def takes_key(self) -> bool:
        """Whether it draws random numbers."""
        return False

    @property
    def needed(self) -> int:
        """How many updates it takes before there is anything to see."""
        return 0

    @abstractmethod
    def update(self, z: Any) -> Any:
        """Take in the activity `z`, shape (batch..., regions); may return what is seen of it."""

    @abstractmethod
    def signal(self) -> Any:
        """What is recorded at a sample."""


def in_words(unit: u.Unit) -> str:
    """A unit as a message names it."""
    return "plain numbers" if unit.dim == u.DIMENSIONLESS else str(unit)
