"""What a run keeps an eye on: states that are not finite, and states that leave the values they are declared for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from brainstate.util import StateJaxTracer
from jax import lax

from brainmass._common.messages import monitor_named, show
from brainmass._common.same import ByIdentity
from brainmass._common.typing import Array, Numbers
from brainmass.dynamics.fields import ParamSpec, StateSpec
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.simulation.inventory import Inventory, Values
from brainmass.simulation.monitors import Monitor, feeders
from brainmass.simulation.result import Result

__all__ = ["Bounded", "DivergenceError", "Told", "Watched", "listening", "raise_if_diverged", "tell"]


class DivergenceError(FloatingPointError):
    """A state became infinite or NaN. `result` holds what was recorded."""

    result: Result


class Watched(NamedTuple):
    """By path of a state: the first step at whose block end it was not finite (-1: never), and, of states that have
    bounds to stay in, the least and the largest values of all steps.
    """

    bad: Values
    least: Values
    most: Values

    def after(self, least: Values, most: Values) -> Watched:
        return Watched(
            self.bad,
            {path: jnp.minimum(x, least[path]) for path, x in self.least.items()},
            {path: jnp.maximum(x, most[path]) for path, x in self.most.items()},
        )


class Bounded:
    """What has bounds: the states of a model, in nodes that do not put them back there, and parameters that move."""

    def __init__(self, found: Inventory):
        self.moving = tuple(found.moving)
        self.specs: dict[str, StateSpec | ParamSpec] = dict(found.moving) | {
            f"{path}.{name}": spec
            for path, module in found.modules.items()
            if path.partition(".")[0] == "model" and isinstance(module, NeuralMassDynamics) and not module.clamp
            for name, spec in module._states.items()
            if spec.domain.is_bounded
        }

    def values(self, states: Values) -> tuple[Values, Values]:
        """Of those with a bound below and above."""
        # What is only looked at has no part in a gradient, which would keep it of each step.
        plain = {path: lax.stop_gradient(u.get_mantissa(states[path])) for path in self.specs}
        return tuple(  # pyright: ignore[reportReturnType]
            {path: x for path, x in plain.items() if np.isfinite(self.specs[path].domain.bounds[side])}
            for side in (0, 1)
        )


@jax.tree_util.register_pytree_node_class
class Told:
    """What a run, which may be within a trace, tells of states that have bounds: their extremes."""

    def __init__(self, watched: Watched, known: ByIdentity):
        self.watched, self._known = watched, known

    @classmethod
    def of(cls, found: Inventory, watched: Watched, labels: Any, batched: bool) -> Told:
        return cls(watched, ByIdentity((Bounded(found).specs, labels, _IN_A_BATCH if batched else ())))

    def tree_flatten(self) -> tuple[tuple[Watched], ByIdentity]:
        return (self.watched,), self._known

    @classmethod
    def tree_unflatten(cls, known: ByIdentity, parts: tuple[Watched]) -> Told:
        return cls(parts[0], known)

    def warn(self, outer: Sequence[str] = (), stacklevel: int = 3) -> None:
        """Say which states left their bounds, how far and where; `outer` says what further leading axes are."""
        specs, labels, lanes = self._known.thing
        self.warn_in_words(lambda where: place_of(where, labels, (*outer, *lanes)), "values", stacklevel + 1)

    def warn_in_words(self, place: Callable[[tuple[int, ...]], str], of: str, stacklevel: int = 3) -> None:
        """The same, with a function that says where an element is."""
        extremes = (self.watched.least, 0), (self.watched.most, 1)
        left = [
            words
            for path, spec in self._known.thing[0].items()
            for values, side in extremes
            if path in values and (words := _left(path, spec, side, np.asarray(values[path]), place, of))
        ]
        if left:
            states = any(words.startswith("State") for words in left)
            remedy = " clamp=True of the model puts states back to their bounds after each step; less noise or a "
            warnings.warn(f"{'; '.join(left)}.{f'{remedy}smaller dt keeps them in.' * states}", stacklevel=stacklevel)


def _left(
    path: str, spec: StateSpec | ParamSpec, side: int, values: np.ndarray, place: Callable[..., str], of: str
) -> str:
    """What to say of values that went beyond a bound; of none nothing."""
    # How far beyond: positive below a lower bound, and above an upper one.
    outside = (spec.domain.bounds[side] - values) * (1, -1)[side]
    beyond = outside > 1e-6  # less is rounding, and NaN is told as divergence
    if not beyond.any():
        return ""
    # `argmax` gives the place of a NaN if there is one: only what lies beyond takes part.
    where = tuple(map(int, np.unravel_index(np.where(beyond, outside, 0).argmax(), outside.shape)))
    is_state = isinstance(spec, StateSpec)
    words = spec.unit_words if is_state else ""
    value = f"{values[where]:.4g}{f' {words}' if words else ''}"
    count = f"{int(beyond.sum())} of {int((~np.isnan(values)).sum())} {of}"
    return (
        f"{'State' if is_state else 'Parameter'} `{path.removeprefix('model.')}` ({spec.doc}) must be "
        f"{spec.domain.text}, but came to {value} in {place(where)}, and {count} were beyond that bound at some step"
    )


_IN_A_BATCH = ("run {} of the batch",)


def place_of(where: tuple[int, ...], labels: Sequence[str] | None, lanes: Sequence[str]) -> str:
    """A region, and what the leading axes are."""
    place = "this value"
    if len(where) > len(lanes):
        place = labels[where[-1]] if labels and where[-1] < len(labels) else f"region {where[-1]}"
    return ", ".join([place, *(words.format(i) for words, i in zip(lanes, where, strict=False))])


# --- runs within a trace --------------------------------------------------------------------------------------------
_listener: ContextVar[tuple[list[Told], Any] | None] = ContextVar("who is told of bounds", default=None)


@contextmanager
def listening() -> Iterator[list[Told]]:
    """The runs within it that are part of the same trace; those in a transformation of the user's are not heard."""
    told: list[Told] = []
    token = _listener.set((told, StateJaxTracer()))
    try:
        yield told
    finally:
        _listener.reset(token)


def tell(told: Told) -> None:
    """Let who listens know."""
    listener = _listener.get()
    if listener is not None and listener[1].is_valid() and (told.watched.least or told.watched.most):
        # Divergence is told elsewhere; a transformation of the user's would leave tracers that are dead.
        listener[0].append(Told(told.watched._replace(bad={}), told._known))


# --- divergence ---------------------------------------------------------------------------------------------------
def raise_if_diverged(
    bad: Mapping[str, Array], dt: Numbers, result: Result, batched: bool, monitors: Mapping[str, Monitor]
) -> None:
    """Say which state became infinite or NaN first, and what to do about it."""
    first = {path: np.asarray(steps) for path, steps in bad.items()}
    hit = {path: steps for path, steps in first.items() if (steps >= 0).any()}
    if not hit:
        return
    # What is not finite at the end of a block has often spread through the network: a recorded state tells more. Of
    # what is seen at the same time the model comes first, then what it drives.
    fed = feeders(monitors)
    path, steps, where, when = min(
        (_first_bad(path, steps, dt, result) for path, steps in hit.items()),
        key=lambda found: (found[3], _rank(found[0], fed)),
    )
    kind, _, rest = path.partition(".")
    what = f"State `{rest if kind == 'model' else path}`"
    remedy = f"Try a smaller dt than {show(dt)}, another method, or weaker input, coupling or noise."
    if kind == "observers":
        name, _, state = rest.rpartition(".")
        what, remedy = _of_observer(name, state, monitors[name])
    place = place_of(where, result.labels, _IN_A_BATCH if batched else ())
    error = DivergenceError(
        f"{what} became infinite or NaN by {when:g} ms, first in {place} "
        f"({int((steps >= 0).sum())} of {steps.size} values in the end). {remedy} "
        "What was recorded is in the `result` of this error."
    )
    error.result = result
    raise error


def _rank(path: str, fed: Mapping[str, str]) -> int:
    kind, _, rest = path.partition(".")
    return 0 if kind == "model" else 1 if kind == "inputs" else 3 if rest.partition(".")[0] in fed else 2


def _of_observer(name: str, state: str, monitor: Monitor) -> tuple[str, str]:
    """What a forward model that diverged is called, and what to do: the model that drives it has not."""
    source, kind = monitor.source, type(monitor.what).__name__
    driven = (
        f"`{source}`" if isinstance(source, str) else "the activity of the model" if source is None else "a function"
    )
    return (
        monitor_named(name, f", a {kind} whose state is `{state}`,"),
        f"It is driven by {driven}, while the model itself was finite: make that weaker, in the unit and the range "
        f"that a {kind} is for. Example: source=lambda model: 0.1 * model.activity().",
    )


def _first_bad(
    path: str, steps: np.ndarray, dt: Numbers, result: Result
) -> tuple[str, np.ndarray, tuple[int, ...], float]:
    """The first element of a state seen to be not finite, and the time in ms."""
    # The end of a block; what was recorded within the block may tell of an earlier time.
    when = steps[steps >= 0].min()
    where, time = np.argwhere(steps == when)[0], float((when * dt).to_decimal(u.ms))
    kind, _, rest = path.partition(".")
    name = rest.rpartition(".")[0 if kind == "observers" else 2]
    if name in result and u.math.shape(result[name])[1:] == steps.shape:
        rows = np.argwhere(~np.isfinite(np.asarray(u.get_mantissa(result[name]))))
        recorded = float(result.times[name][rows[0][0]].to_decimal(u.ms)) if len(rows) else np.inf
        if recorded < time:
            where, time = rows[0][1:], recorded
    return path, steps, tuple(map(int, where)), time
