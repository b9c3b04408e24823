"""The state that a run ends in, and whether it belongs to the run that is to go on from it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import is_traced
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Array, Numbers

__all__ = ["Origin", "belonging", "with_origin"]

ORIGIN, TIME = "origin", "time"
_NEEDED = ("step", "key", "states")


@jax.tree_util.register_static
@dataclass(frozen=True, eq=False)
class Origin:
    """What a final state is from: time step in ms, model, forward models by name, delays in steps by projection.

    A pytree without leaves, so that a state may pass through transformations.
    """

    dt: float
    model: str
    observers: tuple[tuple[str, str], ...] = ()
    delays: tuple[tuple[str, object], ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origin) and next(self.differences(other), None) is None

    def __hash__(self) -> int:
        # Without delays, which are arrays and have no hash.
        return hash((self.dt, self.model, self.observers))

    def differences(self, other: Origin) -> Iterator[str]:
        """In words, what a state is from, `self`, and what this run is."""
        # Given in another unit a step may differ in its last digits. Relative alone, as it may be of any size.
        if not np.isclose(self.dt, other.dt, rtol=1e-6, atol=0):
            yield f"comes from a run with dt={self.dt:g} ms, and this has dt={other.dt:g} ms"
        if self.model != other.model:
            yield f"comes from a run of a {self.model}, and this is one of a {other.model}"
        there, here = dict(self.observers), dict(other.observers)
        for name in {**there, **here}:
            if there.get(name) != here.get(name):
                yield f"comes from a run whose monitor `{name}` is {_a(there, name)}, and here it is {_a(here, name)}"
        there, here = dict(self.delays), dict(other.delays)
        for name in there.keys() & here.keys():
            if not _same_delays(there[name], here[name]):
                yield (
                    f"comes from a run with delays of {_range(there[name])} steps in `{name}`, and here they are "
                    f"{_range(here[name])}: another speed, or other lengths"
                )

    def __getstate__(self) -> dict[str, object]:
        # Files and other processes get numpy's arrays: JAX's belong to a device of this one.
        return {**vars(self), "delays": tuple((name, np.asarray(steps)) for name, steps in self.delays)}


def _a(observers: Mapping[str, str], name: str) -> str:
    return f"a {observers[name]}" if name in observers else "no forward model"


def _same_delays(one: Numbers, other: Numbers) -> bool:
    return one is other or (np.shape(one) == np.shape(other) and np.array_equal(np.asarray(one), np.asarray(other)))


def _range(steps: Numbers) -> str:
    delayed = np.asarray(steps)
    delayed = delayed[delayed > 0]
    return f"{delayed.min()} to {delayed.max()}" if delayed.size else "no"


def with_origin(final: Mapping[str, Array], origin: Origin) -> dict[str, Numbers]:
    """The final state with its time in ms, and what it is from."""
    step = final["step"]
    # From the integer step, once: a running sum of 36 million times 0.1 ms drifts.
    time = jnp.asarray(step) * origin.dt if is_traced(step) else np.asarray(step, np.float64) * origin.dt
    return {**final, TIME: u.Quantity(time, unit=u.ms), ORIGIN: origin}


def belonging(state: object, shapes: Mapping[str, tuple[int, ...]], origin: Origin) -> dict[str, Any]:
    """A state given to a run of this origin whose states have these shapes, for one lane; as the run takes it.

    Raises
    ------
    TypeError, ValueError
        If it is no final state, or one of another run, with what differs.
    """
    if not isinstance(state, Mapping) or set(_NEEDED) - set(state):
        raise argument_error(
            Argument("state", "run"),
            "must be `result.final` of an earlier run, or states by name",
            f"is {show(state)}",
            kind=TypeError,
        )
    before = state.get(ORIGIN)
    for words in () if before is None else before.differences(origin):
        raise argument_error(Argument("state", "run"), "must belong to this run", words)
    _check_states(state, shapes)
    if before is None:
        warnings.warn(
            f"{Argument('state', 'run')} does not say which run it is from, as files of earlier versions do not: "
            "time step and delays are taken to be those of this run.",
            stacklevel=4,
        )
    states = {path: x for path, x in state["states"].items() if path in shapes}
    return {name: state[name] for name in _NEEDED} | {"states": states}


def _unknown(these: Iterable[str], there: Iterable[str]) -> list[str]:
    """Paths of states that are not there, but for those of all of a drive: it is switched on, or off, between both."""
    owners = {path.rpartition(".")[0] for path in there}
    return [p for p in these if p not in there and not (p.startswith("inputs.") and p.rpartition(".")[0] not in owners)]


def _check_states(state: Mapping[str, Numbers], shapes: Mapping[str, tuple[int, ...]]) -> None:
    states = state["states"]
    missing, left = _unknown(shapes, states), _unknown(states, shapes)
    if missing or left:
        raise argument_error(
            Argument("state", "run"),
            "must come from a run of the same model with the same forward models; "
            f"{f'it lacks {missing[0]}' if missing else 'it holds states that this run has not'}",
        )
    # The last axis of a key are its two words; a run side by side with others has one before it.
    lanes = u.math.shape(state["key"])[:-1]
    for path, shape in shapes.items():
        if path not in states:
            continue
        got = u.math.shape(states[path])
        if got != (*lanes, *shape):
            of = " of the past, which follows from delays and time step," if ".delays." in path else ""
            raise argument_error(
                Argument("state", "run"),
                "must belong to this run",
                f"its `{path.removeprefix('model.')}`{of} has shape {got[len(lanes) :]}, and here it has {shape}",
            )
