"""What a solver is: what a `Fitter` asks of it, and what it is handed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from brainmass._common.typing import Pytree
from brainmass.fitting.course import Course, Given
from brainmass.fitting.space import SearchSpace

__all__ = ["Solver"]


class Solver(Protocol):
    """A way to bring the loss down.

    A fit goes so: `check` refuses a space that the solver cannot search; `describe` says what a file of a fit must
    agree with; `run` asks the problem for losses at places of its choice and tells the course of each, which keeps
    the best, the history and the file, calls back, and says when it ends; `stored` turns a place into parameters.

    To add one, write such a class in a file of its own here, and give it a name in `options.solver`.
    """

    many: bool
    """Whether it wants each residual, not their sum."""
    fresh_noise: bool
    """Whether each step has noise of its own, where nobody says."""
    may_be_fresh: bool
    """Whether it works with a loss that is another one at each step."""
    _compiled: dict[Any, Any]
    """What was compiled, by structure; solvers that are made alike may have it in common."""

    @property
    def name(self) -> str:
        """As errors call it."""
        ...

    @property
    def optimizer(self) -> Any:
        """What was given, or what it was understood as."""
        ...

    def check(self, space: SearchSpace) -> None:
        """Refuse parameters without the bounds that it needs, and the like, before anything is compiled."""
        ...

    def describe(self, given: Given) -> Mapping[str, object]:
        """What makes two such solvers the same, in terms of JSON."""
        ...

    def run(self, course: Course, structure: object, given: Given, space: SearchSpace) -> Any:
        """Go on until `course` ends.

        `structure` is a hashable key: what was compiled for one structure serves for it alone. Each step is told by
        `course.ends(step)`; where `course.saved` is set, it goes on from there, bit for bit; `course.snapshot` gives
        the arrays from which it can. Returns what is to be kept of the solver's own state.
        """
        ...

    def stored(self, place: Pytree, /) -> Pytree:
        """The parameters at a place, before their transforms."""
        ...
