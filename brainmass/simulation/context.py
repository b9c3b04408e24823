"""What is said to the runs within a fit: the only thing that reaches a run past its arguments.

A fit calls a function of the user, in which runs are made: `predict(model)`, or a loss. What it asks of them cannot go
through the arguments of that function, so it is said around the call, and a run looks when it is made:

    with within(horizon=..., owner=..., probe=...):     a fit (fitting/problem.py, fitting/failure.py)
        loss(model)                                     the user's function
            Simulator(model, dt=...).run(...)           a run: present().horizon, present().owner, present().probe

Each thread has its own. A program is compiled for the horizon that it was made under, which is a part of its plan.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from brainmass._common.typing import Period
from brainmass.simulation.ownership import Owner
from brainmass.simulation.probe import Probe

__all__ = ["Context", "present", "within"]


@dataclasses.dataclass(frozen=True)
class Context:
    """What holds for runs here, where they say nothing else.

    Parameters
    ----------
    horizon : int or Quantity, optional
        Gradients pass through windows of this many steps, or of this time: `Fitter(..., grad_horizon=...)`.
    owner : Owner, optional
        The fit, which refuses runs that have trainable parameters it does not change: they would stay as they are
        without a word.
    probe : Probe, optional
        Runs are watched more closely, to find where a fit that met NaN lost its numbers.
    """

    horizon: Period | None = None
    owner: Owner | None = None
    probe: Probe | None = None


_NOTHING = Context()
# Not a global: what one thread says is nothing to the others. Threads that run parts of a batch get a copy
# (`lanes.py`).
_context: ContextVar[Context] = ContextVar("what is said to runs", default=_NOTHING)


def present() -> Context:
    """What holds here."""
    return _context.get()


@contextmanager
def within(**said: object) -> Iterator[Context]:
    """Within it this holds as well as what is said around it: fields of `Context` by name."""
    token = _context.set(dataclasses.replace(present(), **said))
    try:
        yield present()
    finally:
        _context.reset(token)
