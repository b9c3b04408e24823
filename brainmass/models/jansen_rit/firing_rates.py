"""What becomes of firing rates before they reach the synapses of a column."""

from __future__ import annotations

import brainunit as u

from brainmass._common.typing import Array, Numbers
from brainmass.dynamics.functions import bounded_input

__all__ = ["Identity"]


class Identity:
    """Returns what it is given; takes any arguments and ignores them."""

    def __init__(self, *args: object, **kwargs: object):
        pass

    def __call__(self, x: Numbers) -> Numbers:
        return x

    def __repr__(self) -> str:
        return "Identity()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity)

    def __hash__(self) -> int:
        return hash(Identity)


def saturated_rate(rate: Numbers) -> Array:
    """500 tanh(`rate`/500), in Hz."""
    return bounded_input(rate, 500.0 * u.Hz)
