"""A run in segments, and how small deviations of its states go along: what exponents and sensitivities are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import instance, is_traced, mapping
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.random import as_key
from brainmass._common.same import Pictures
from brainmass._common.times import check_countable, milliseconds
from brainmass._common.typing import Numbers, Period, Pytree, RunInputs, Seed, Time
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.noise import Noise
from brainmass.network.network import Network
from brainmass.simulation.simulator import Simulator
from brainmass.simulation.watch import raise_if_diverged

__all__ = ["Given", "Moment", "Tangents", "simulator_of"]

State = Mapping[str, Any]

_MOST_RECENT = 8
# Models that were followed last; of each a simulator, what tells whether it is what it was, and programs.
_recent: list[tuple[Any, Simulator, Pictures, dict[Any, Any]]] = []


class Moment(NamedTuple):
    """The state of the run, and deviations from it, shape (k, size), as rows."""

    state: State
    deviations: jax.Array


class Given(NamedTuple):
    """What a compiled program is called with: values of parameters by name, and the key of the noise."""

    values: Mapping[str, Any]
    key: jax.Array


class Tangents:
    """Deviations of all that the model remembers, its delayed past included; those of noises stay zero, so that a
    deviation meets the same noise as the run itself.

    Attributes
    ----------
    n_steps : int
        Of a segment.
    size : int
        Numbers in a deviation.
    """

    def __init__(
        self,
        owner: str,
        simulator: Simulator,
        duration: Time,
        n_steps: int,
        inputs: RunInputs,
        parameters: Mapping[str, Any] | None,
        seed: Seed,
    ):
        self.owner, self.simulator, self.duration, self.inputs = owner, simulator, duration, inputs
        self.values = {} if parameters is None else mapping(Argument("parameters", owner), parameters, "values")
        program, found, given = simulator._program(duration, inputs, [], None, None, False, None, None, [*self.values])
        if given.series:
            port = next(iter(given.series))
            raise argument_error(
                Argument("inputs", owner, entry=port),
                "must hold for any time",
                f"has one row per step for {port!r}",
                f'inputs={{"{port}": brainmass.Recording(..., after="repeat")}}.',
            )
        given.check_end(program.plan.n_steps * self.dt)
        random = program.random_parts(found.raw(), given.arrays, False)
        if seed is None and random:
            raise argument_error(
                Argument("seed", owner),
                f"must be given, as this is random: {', '.join(random[:3])}",
                "is missing",
                "seed=0.",
            )
        # A run takes a key, also where nothing is random.
        self.given = Given(self.values, as_key(0 if seed is None else seed))
        # an input of one value per region must not be taken for one row per step
        taken = {u.math.shape(x)[:1] for x in given.constants.values()}
        self.n_steps = n_steps + ((n_steps,) in taken and n_steps > 1)
        self.run = self._run(self.n_steps)

    def _run(self, n_steps: int) -> Callable[..., Pytree]:
        run = self.simulator.pure(n_steps * self.simulator.dt, monitors=[], inputs=self.inputs, free=[*self.values])
        self._made_of = vars(run)["made_of"]
        return lambda given, state: run(given.values, given.key, state).final

    def program(self, make: Callable[..., Any], *settings: int) -> Any:
        """What `make(self, *settings)` compiles, to be called with `given`; made once for a run that is what it was.

        What a run is made of is told as for the programs of `Simulator`, its numbers and the functions of the user
        included.
        """
        if is_traced(self._made_of["numbers"]):
            return make(self, *settings)
        _, _, pictures, programs = _followed_before(self.simulator.model)
        number = pictures.number({"run": self._made_of, "x64": jax.config.read("jax_enable_x64")})
        key = (number, make, *settings)
        if key not in programs:
            programs[key] = make(self, *settings)
            if len(programs) > _MOST_RECENT:
                del programs[next(iter(programs))]
        return programs[key]

    @property
    def dt(self) -> float:
        """In ms."""
        return milliseconds("dt", self.simulator.dt)

    @property
    def length(self) -> float:
        """Of a segment, in ms."""
        return self.n_steps * self.dt

    def first(self, given: Given) -> State:
        """After one segment from initial states."""
        state = self.run(given, None)
        # What a scan carries must have one type from the beginning.
        return {**state, "step": jnp.asarray(state["step"], jnp.int32)}

    # --- as one row of numbers ----------------------------------------------------------------------------------------
    @cached_property
    def _paths(self) -> dict[str, tuple[int, ...]]:
        return self.program(Tangents._deviating)

    def _deviating(self) -> dict[str, tuple[int, ...]]:
        """What may deviate: the states of the model that are real numbers and no noise, with their shapes."""
        found = self.simulator._holds(self.duration, [], self.inputs)
        like = jax.eval_shape(lambda: self.first(self.given))["states"]
        kept = {
            path: u.math.shape(like[path])
            for path, (owner, _, _) in found.states.items()
            if path.startswith("model.") and not isinstance(owner, Noise)
        }
        return {path: shape for path, shape in kept.items() if jnp.issubdtype(_dtype(like[path]), jnp.floating)}

    @property
    def paths(self) -> list[str]:
        return list(self._paths)

    @cached_property
    def sizes(self) -> np.ndarray:
        """How many numbers each path has."""
        return np.array([int(np.prod(shape)) for shape in self._paths.values()])

    @property
    def size(self) -> int:
        return int(self.sizes.sum())

    def flat(self, state: State) -> jax.Array:
        return jnp.concatenate([jnp.ravel(u.get_mantissa(state["states"][path])) for path in self._paths])

    def _with(self, state: State, x: jax.Array) -> State:
        states = dict(state["states"])
        parts = jnp.split(x, np.cumsum(self.sizes)[:-1].tolist())
        for (path, shape), part in zip(self._paths.items(), parts, strict=True):
            old = states[path]
            new = part.reshape(shape).astype(_dtype(old))
            states[path] = u.Quantity(new, unit=old.unit) if isinstance(old, u.Quantity) else new
        return {**state, "states": states}

    # --- along the run ------------------------------------------------------------------------------------------------
    def along(self, given: Given, moment: Moment) -> Moment:
        """A segment later."""

        def flow(x: jax.Array) -> tuple[jax.Array, State]:
            final = self.run(given, self._with(moment.state, x))
            return self.flat(final), final

        def pushed(v: jax.Array) -> tuple[jax.Array, State]:
            # The run itself does not depend on v: under `vmap` it is computed once for all deviations.
            _, later, final = jax.jvp(flow, (self.flat(moment.state),), (v,), has_aux=True)
            return later, final

        later, final = jax.vmap(pushed, out_axes=(0, None))(moment.deviations)
        return Moment(final, later)

    def plainly(self, given: Given, state: State, n: int, look: Callable[[jax.Array], Pytree]) -> Pytree:
        """The state `n` segments later, and what `look` sees after each."""

        def segment(state: State, _: None) -> tuple[State, Pytree]:
            state = self.run(given, state)
            return state, look(self.flat(state))

        return jax.lax.scan(segment, state, None, length=n)

    def stretched(
        self, given: Given, moment: Moment, n: int, rescale: Callable[[jax.Array], tuple[jax.Array, Pytree]]
    ) -> tuple[Moment, Pytree]:
        """`n` segments later; after each `rescale` gives the deviations to go on with, and what is kept."""

        def segment(moment: Moment, _: None) -> tuple[Moment, Pytree]:
            moment = self.along(given, moment)
            deviations, kept = rescale(moment.deviations)
            return Moment(moment.state, deviations), kept

        return jax.lax.scan(segment, moment, None, length=n)

    @staticmethod
    def in_turn(follow: Callable[[State, Numbers], tuple[State, Pytree]], state: State, keys: jax.Array) -> Pytree:
        """One stretch of the run for each key, from where the one before ended."""
        return jax.lax.scan(follow, state, keys)

    def check(self, found: Pytree, end: State) -> None:
        """That what was found, and the state in the end, are finite. Of a run that diverged the error says where."""
        at_end = self.flat(end)
        if is_traced((found, at_end)) or (np.isfinite(found).all() and np.isfinite(at_end).all()):
            return
        run = self.simulator._watched(self.duration, [], [*self.values], self.inputs, None, None)
        result, told = run(*self.given)
        raise_if_diverged(told.watched.bad, self.simulator.dt, result, False, {})
        raise argument_error(
            Argument("model", self.owner),
            "must have equations whose derivatives are finite along the run, and deviations that do not vanish",
            "its states are finite, and their deviations become zero, infinite or NaN: try a shorter `segment`",
        )


def simulator_of(owner: str, model: Any) -> Simulator:
    """The simulator that was given, or one of the model."""
    kinds = (Simulator, NeuralMassDynamics, Network, brainstate.nn.Module)
    instance(Argument("model", owner), model, kinds, "a model, or a Simulator of one")
    return model if isinstance(model, Simulator) else _followed_before(model)[1]


def _followed_before(model: Any) -> tuple[Any, Simulator, Pictures, dict[Any, Any]]:
    known = next((entry for entry in _recent if entry[0] is model), None)
    if known is None:
        known = model, Simulator(model), Pictures("analysis"), {}
        _recent[:] = [*_recent[1 - _MOST_RECENT :], known]
    return known


def whole_steps(owner: str, name: str, period: Period, simulator: Simulator, least: int = 1) -> int:
    """A time, or a number of steps, as a number of steps."""
    dt = milliseconds("dt", simulator.dt)
    if isinstance(period, int | np.integer) and not isinstance(period, bool):
        n = int(period)
    else:
        n = round(milliseconds(name, period, owner) / dt)
    if n < least:
        rule = "must be at least one time step" if least else "must not be negative"
        raise argument_error(Argument(name, owner), rule, f"is {show(period)}")
    check_countable(Argument(name, owner), n, period, simulator.dt)
    return n


def _dtype(x: Pytree) -> Pytree:
    return u.get_mantissa(x).dtype
