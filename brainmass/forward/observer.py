"""`Observer`: a forward model that is integrated inside a run."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import brainunit as u
import jax

from brainmass._common.typing import Numbers, Time
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Par, param

__all__ = ["Observer", "ScaledDrive", "in_words", "written"]


class Observer(Declared):
    """Base of the forward models that have states of their own.

    `update(z)` takes the activity of one time step, `signal()` returns what is seen. Inside a run an observer
    may be updated less often than the nodes are, with the mean of the activity since its last update unless `averages`
    is false.
    """

    # Longest interval at which it may be updated without a visible error.
    interval: ClassVar[Time] = 1.0 * u.ms
    # The interval at which it must be updated, where its values depend on that.
    every: ClassVar[Time | None] = None
    # The argument of the constructor that says so.
    every_argument: ClassVar[str] = "every"
    # Whether it sums up a whole run: it then sees nothing of the transient, and is sampled once, at the end, unless the
    # monitor says otherwise.
    sums_up: ClassVar[bool] = False
    # Whether it takes in the mean of the activity since its last update, or the activity at that moment: a phase has no
    # mean.
    averages: ClassVar[bool] = True
    # Whether what it takes in must be phases, in rad.
    takes_phases: ClassVar[bool] = False
    # The key of its random numbers, set by the time loop if it `takes_key`; None outside a run.
    _handed: ClassVar[jax.Array | None] = None

    @property
    def takes_key(self) -> bool:
        """Whether it draws random numbers."""
        return False

    @property
    def needed(self) -> int:
        """How many updates it takes before there is anything to see."""
        return 0

    @abstractmethod
    def update(self, z: Numbers) -> Numbers:
        """Take in the activity `z`, shape (batch..., regions); may return what is seen of it."""

    @abstractmethod
    def signal(self) -> Numbers:
        """What is recorded at a sample."""


class ScaledDrive(Observer):
    """Base of the haemodynamic models, whose drive is a plain number of order 1: 0 at rest, 1 where a region is active.

    `scale` makes it from activity of another size or with a unit; without one such activity is refused.
    """

    scale: Par = param(
        default=None,
        doc="drive per activity; needed for activity with a unit: by `0.01 / u.Hz` a rate of 100 Hz is a drive of 1",
        unit="any",
        kw_only=True,
    )

    def as_drive(self, activity: Numbers) -> Numbers:
        """The activity as a plain number, of order 1."""
        drive = activity if self.scale is None else self.scale.value() * activity
        unit, given = u.get_unit(drive), u.get_unit(activity)
        if unit.dim == u.DIMENSIONLESS:
            return u.maybe_decimal(drive)
        example = (
            "0.01 / u.Hz), by which 100 Hz are a drive of 1" if given.has_same_dim(u.Hz) else f"1 / {written(given)})"
        )
        so_far = "" if self.scale is None else f", and the scale in {u.get_unit(self.scale.value())}"
        raise u.UnitMismatchError(
            f"The activity that drives {self._owner} must be a plain number of order 1, or be made one by `scale`, but "
            f"is in {in_words(given)}{so_far}. Example: {self._owner}(..., scale={example}."
        )


def in_words(unit: u.Unit) -> str:
    """A unit as a message names it."""
    return "plain numbers" if unit.dim == u.DIMENSIONLESS else str(unit)


def written(unit: u.Unit) -> str:
    """A unit as code, for the example of a message: millivolts where it has no one name."""
    return f"u.{unit}" if str(unit).isidentifier() and hasattr(u, str(unit)) else "u.mV"
