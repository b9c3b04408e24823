"""Where a run begins: at initial states, at the end of another run, or at the states that the model has now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import is_traced, whole
from brainmass._common.messages import Argument, argument_error
from brainmass._common.random import as_key, fold, next_key
from brainmass._common.times import check_countable, milliseconds
from brainmass._common.typing import Array, ArrayLike, Numbers, Pytree
from brainmass.dynamics.checks import initial_values
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.noise import Noise
from brainmass.forward.observer import Observer
from brainmass.network.attached import Attached
from brainmass.simulation.final import Origin, belonging
from brainmass.simulation.inputs import Inputs
from brainmass.simulation.inventory import Inventory, inventory, stateful
from brainmass.simulation.program import Bundle, Program

if TYPE_CHECKING:
    from brainmass._common.copying import CopiedByParts

__all__ = ["Beginnings", "Start"]


class Start(NamedTuple):
    """One beginning: a state, None where the program makes initial ones; a key, or one for each lane; whether there are
    lanes."""

    state: Pytree
    key: Numbers
    batched: bool


@dataclass
class Beginnings:
    """Where runs of a program can begin. A state has three origins:

    - initial states. The program makes them from the key; where an initialiser draws from `brainstate.random`, which a
      trace cannot, they are made before it.
    - the final state of another run, which must fit this one.
    - what the model has now: with `init_states=False`, and for a model whose states are not made by `init_state`. What
      drives it and forward models begin afresh.
    """

    model: Any
    program: Program
    found: Inventory
    given: Inputs

    @cached_property
    def origin(self) -> Origin:
        """What the final states of these runs are from."""
        monitors, tables = self.program.monitors.items(), self.found.tables.items()
        kinds = {name: type(m.what).__name__ for name, m in monitors if isinstance(m.what, Observer)}
        steps = {path: x.value for path, x in tables if path.endswith(_STEPS) and not is_traced(x.value)}
        delays = {path.removesuffix(_STEPS).removeprefix("model."): x for path, x in steps.items()}
        dt = milliseconds("dt", self.program.dt)
        return Origin(dt, _described(self.model), tuple(sorted(kinds.items())), tuple(sorted(delays.items())))

    def fixed(self) -> Beginnings:
        """These, of the model as it is now, whatever becomes of it."""
        # Both are worked out when they are first asked for, and then kept.
        _ = self.origin, self._held
        return self

    def of_run(self, state: Pytree, seed: Numbers, batch_size: int | None, init_states: bool) -> Start:
        """That of a call of `run`."""
        # A model that makes no states begins from those that it has, as with `init_states=False`.
        of_model = not init_states or not self.program.makes_states
        if init_states and _is_by_name(state):
            return self._by_name(state, self._drawn_key(True) if seed is None else seed, batch_size)
        # A state that is given brings the key of its run, with which the noise goes on.
        if seed is None and state is None:
            seed = self._drawn_key(not of_model)
        if of_model and (state is None or not init_states):
            state = self._states_now(state, seed)
        elif state is not None:
            state = self._belonging(state)
        self._check_end(state)
        if state is None:
            if batch_size is not None:
                batch_size = whole(Argument("batch_size", "run"), batch_size)
            key = _lane_keys(as_key(seed), batch_size)
            return Start(self._made_before(key) if batch_size is None else None, key, batch_size is not None)
        # Lanes are told by the keys, which every run has; a model may have no state.
        lanes = u.math.shape(state["key"])[:-1]
        if batch_size is not None and lanes != (batch_size,):
            raise argument_error(
                Argument("batch_size", "run"), f"is {batch_size}", f"the state to go on from has {lanes or 'no'} lanes"
            )
        key = state["key"] if seed is None else _lane_keys(as_key(seed), lanes[0] if lanes else None)
        return Start(state, key, bool(lanes))

    def of_pure(self, state: Pytree, key: ArrayLike) -> Start:
        """That of a call of a pure run, which has no lanes of its own."""
        words = as_key(key)
        if _is_by_name(state):
            state = self._by_name(state, words, None).state
        elif state is not None:
            state = self._belonging(state)
        elif self._held is not None:
            state = {"step": jnp.int32(0), "key": words, "states": self._held}
        else:
            state = self._made_before(words)
        self._check_end(state)
        return Start(state, words, False)

    def _by_name(self, states: Mapping[str, Numbers], seed: Numbers, batch_size: int | None) -> Start:
        """At given values of some states of the model, the others at their initial ones; in each lane."""
        known = {path: x for path, x in self.found.states.items() if _is_of_equations(path, x[0])}
        by_name = Inventory(states=known)
        # The states of the only node have names without a path, as in analyses, whatever else has one of that name.
        paths = {name: path if (path := f"model.node.{name}") in known else by_name.find_state(name) for name in states}
        held = {paths[name]: value for name, value in states.items()}
        for path, value in held.items():
            owner, name, _ = known[path]
            # Taken for an initialiser: so shape, unit and domain are checked as of one. Nothing is drawn.
            spec, rng = owner._states[name], brainstate.random.RandomState(0)
            shape = owner.varshape if isinstance(owner, Declared) else owner.shapes[name]
            initial_values(owner._owner, spec, "state", lambda _, x=value: x, shape, rng)  # or its error
        if not self.program.initialises_from_key:
            kind = type(self.model).__name__
            raise argument_error(
                Argument("state", "run"),
                "must be `result.final` of an earlier run",
                f"is by name, and the `init_state` of {kind} does not take `rng`",
            )
        lanes = None if batch_size is None else whole(Argument("batch_size", "run"), batch_size)
        key, raw = _lane_keys(as_key(seed), lanes), self.found.raw()
        with brainstate.environ.context(dt=self.program.dt):
            make: Callable[[Numbers], Pytree] = lambda key: self.program.beginning_at(held, raw, key, self.given.arrays)  # noqa: E731
            found = (make if lanes is None else jax.vmap(make))(key)
        return Start({"step": jnp.int32(0), "key": key, "states": found}, key, lanes is not None)

    def _belonging(self, state: object) -> Pytree:
        return belonging(state, self.program.shapes(self.found.raw(), self.given.arrays), self.origin)

    def _made_before(self, key: Array) -> Any:
        """Initial states, where they may be drawn from `brainstate.random`; else None, as the program makes them."""
        if self.program.initialises_from_key or is_traced(key):
            return None
        # An initialiser of numpy's or of brainstate's global generator: it follows the seed, and leaves no trace
        # behind.
        with brainstate.random.seed_context(int(np.asarray(key)[-1])), brainstate.environ.context(dt=self.program.dt):
            bundle = Bundle(self.model, self.program.monitors, self.program.inputs.modules)
            brainstate.nn.init_all_states(bundle)
        return {"step": jnp.int32(0), "key": key, "states": inventory(bundle).state_values()}

    @cached_property
    def _held(self) -> dict[str, Numbers] | None:
        """The states of a model that has none to make."""
        return None if stateful(inventory(self.model)) else self._of_model()

    def _states_now(self, state: object, seed: Numbers) -> Pytree:
        if state is not None:
            raise ValueError("Give either init_states=False or `state`, not both.")
        modules = self.found.modules.items()
        # All modules of a model have been initialised together, and have one batch.
        batches = {m._batch for p, m in modules if isinstance(m, Declared) and p.startswith("model") and m._states}
        batch = next(iter(batches), ()) or ()
        if len(batch) > 1:
            raise argument_error(Argument("init_states=False", "run"), "works with one batch axis at most")
        key = _lane_keys(as_key(seed), batch[0] if batch else None)
        return {"step": jnp.int32(0), "key": key, "states": self._of_model()}

    def _of_model(self) -> dict[str, Array]:
        return {path: x for path, x in self.found.state_values().items() if path.startswith("model.")}

    def _drawn_key(self, makes_states: bool) -> Array:
        """The key of a run without a seed. Within jax.jit none can be drawn: any will do where none is used."""
        try:
            return next_key()
        except brainstate.TraceContextError:
            parts = self.program.random_parts(self.found.raw(), self.given.arrays, makes_states)
        if parts:
            raise argument_error(
                Argument("seed", "run"),
                "must be given within jax.jit and its like, where brainstate.random gives no numbers, "
                f"since this is random: {', '.join(parts[:3])}",
                example="seed=0, or a key that is an argument of the function.",
            )
        return as_key(0)

    def _check_end(self, state: Pytree) -> None:
        """Refuse a run that goes on beyond the steps that are counted, or the end of what drives it."""
        start = 0 if state is None or is_traced(state["step"]) else int(state["step"])
        end, step = start + self.program.plan.n_steps, milliseconds("dt", self.program.dt)
        if start:
            check_countable("What `state` goes on to in run", end, u.Quantity(end * step, unit=u.ms), self.program.dt)
        with brainstate.environ.context(dt=self.program.dt):
            self.given.check_end(end * step)
        if self.program.courses.moving:
            self.program.courses.check(self.found, start, self.program.plan.n_steps, self.program.dt)


def _is_by_name(state: object) -> bool:
    """Whether it gives states of the model by name, and is no final state of a run."""
    return isinstance(state, Mapping) and bool(state) and not {"step", "key", "states"} & state.keys()


def _is_of_equations(path: str, owner: object) -> bool:
    return path.startswith("model.") and isinstance(owner, Declared | Attached) and not isinstance(owner, Noise)


_STEPS = ".delays.steps"  # of a projection whose delays are whole steps


def _described(model: CopiedByParts) -> str:
    node = getattr(model, "node", None)
    return type(model).__name__ if node is None else f"{type(model).__name__} of {type(node).__name__}"


def _lane_keys(key: jax.Array, lanes: int | None) -> jax.Array:
    return key if lanes is None else _fold_many(key, np.arange(lanes, dtype=np.uint32))


_fold_many = jax.jit(jax.vmap(fold, in_axes=(None, 0)))
