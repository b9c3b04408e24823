"""A run as one pure function of parameter values, key, initial state and inputs."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp

from brainmass._common.clock import Double, at_stage, time_at
from brainmass._common.machine import compiles_for
from brainmass._common.messages import argument_error, monitor_named
from brainmass._common.random import Normals, fold
from brainmass._common.same import Pictures
from brainmass._common.typing import Array, Numbers, Pytree
from brainmass.dynamics.declared import Declared
from brainmass.forward.observer import Observer
from brainmass.network.attached import Attached
from brainmass.simulation import context, loop
from brainmass.simulation.courses import Courses, reading
from brainmass.simulation.inputs import Inputs
from brainmass.simulation.inventory import (
    Inventory,
    Template,
    Values,
    initialise,
    initialises_from_key,
    inventory,
    stateful,
    takes_generator,
)
from brainmass.simulation.lanes import Lanes, lanes_at_once
from brainmass.simulation.monitors import INPUTS, RETURNED, Monitor, check_phases, feeders, put_in, read
from brainmass.simulation.plan import Plan
from brainmass.simulation.progress import ProgressBar
from brainmass.simulation.watch import Bounded, Watched

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr


__all__ = ["Bundle", "Program", "initialise_missing", "note_given", "states_missing"]


class Bundle(brainstate.nn.Module):
    """The model, the observers, what drives it in a run and what its parameters follow, as one module."""

    def __init__(
        self,
        model: Any,
        monitors: dict[str, Monitor],
        inputs: dict[str, Any] | None = None,
        parameters: dict[str, Any] | None = None,
    ):
        super().__init__()
        self.model = model
        self.inputs = dict(inputs or {})
        # under the name that users know it by, in place of a method of brainstate's modules that nothing here calls
        self.parameters = dict(parameters or {})  # pyright: ignore[reportAttributeAccessIssue]
        self.observers = {name: m.what for name, m in monitors.items() if isinstance(m.what, Observer)}

    @property
    def courses(self) -> dict[str, Any]:
        """What moves parameters, by name."""
        return vars(self)["parameters"]


_OUTPUT = " output"  # where what `update` returned stands beside what observers gather; no monitor has this name


def _stream(name: str) -> int:
    """The number of a random stream; that of one process does not depend on which others there are."""
    # Not hash(), which Python salts: the streams of one seed must be the same tomorrow.
    return zlib.crc32(name.encode())


@runtime_checkable
class Resumes(Protocol):
    """A module that keeps what follows from its states and parameters."""

    def resume(self) -> None: ...


@runtime_checkable
class KnowsWhatIsGiven(Protocol):
    """A module for which it matters that a run is given other values of its parameters than it has."""

    def note_given(self, params: Collection[object]) -> None: ...


def note_given(found: Inventory, paths: Collection[str]) -> None:
    """Tell the modules which of their parameters are given other values."""
    for module in found.modules.values():
        if isinstance(module, KnowsWhatIsGiven):
            module.note_given([found.params[path] for path in paths if path in found.params])


class Program:
    """The pure function behind `Simulator.run` and `Simulator.pure`, for fixed settings and a fixed structure.

    Calling it gives the samples by monitor, the final state, and what was `Watched`.
    """

    def __init__(
        self,
        bundle: Bundle,
        plan: Plan,
        dt: Numbers,
        bar: ProgressBar | None,
        pictures: Pictures,
        monitors: dict[str, Monitor],
        inputs: Inputs,
        things: Mapping[str, object],
        courses: Courses,
    ):
        self.plan, self.dt, self.bar, self.pictures = plan, dt, bar, pictures
        self.calls_on(monitors, inputs, things, courses)
        initialise_missing(bundle, dt)
        found = inventory(bundle)
        self.initialises_from_key = initialises_from_key(found)
        self.template = Template(bundle)
        self.fed = feeders(monitors)
        for name, monitor in monitors.items():
            # For the error of a name that is not there, before anything is compiled.
            if isinstance(monitor.what, str):
                _look(bundle, monitor.what)
            if name not in self.fed:
                check_phases(name, monitor, bundle.model)
            if isinstance(monitor.source, str) and name not in self.fed:
                read(bundle.model, monitor.source, [other for other in bundle.observers if other != name])
        # For one lane; a state that is given may have one more axis.
        self.states = {path: u.math.shape(x) for path, x in found.state_values().items()}
        self._shapes: dict[str, tuple[int, ...]] | None = None
        self.makes_states = bool(stateful(inventory(bundle.model)))  # else a run starts from the states it finds
        self.at_once = lanes_at_once(found)
        self.compiled: dict[Hashable, Any] = {}

    def calls_on(
        self, monitors: dict[str, Monitor], inputs: Inputs, things: Mapping[str, object], courses: Courses
    ) -> None:
        """The functions of the user to call from now on; `things` are all of which it matters what they read."""
        self.monitors, self.inputs, self.things, self.courses = monitors, inputs, things, courses

    def __call__(self, raw: Values, overrides: Values, key: jax.Array, state: Pytree, arrays: object) -> tuple:
        with self.pictures.calling(self.things), brainstate.environ.context(dt=self.dt):
            return _Run(self, self.template.natural(raw, overrides), key, arrays, overrides).go(state)

    def shapes(self, raw: Values, arrays: object) -> dict[str, tuple[int, ...]]:
        """Of the states, by path, for one lane."""
        # Else they are made before the run, and their shapes are known.
        if not (self.makes_states and self.initialises_from_key):
            return self.states
        if self._shapes is None:
            with brainstate.environ.context(dt=self.dt):
                like = jax.eval_shape(self._initial, raw, jnp.zeros(2, jnp.uint32), arrays)
            self._shapes = {path: u.math.shape(x) for path, x in like.items()}
        return self._shapes

    def random_parts(self, raw: Values, arrays: object, starts: bool) -> list[str]:
        """What draws random numbers in a run, in words; initial values only in one that `starts` from them."""
        found = self.template.build()[1]
        parts = [f"the noise `{path.removeprefix('model.')}`" for path in found.noises]
        drawing = [path for path, m in found.modules.items() if isinstance(m, Observer) and m.takes_key]
        parts += [f"the forward model `{path.removeprefix('observers.')}`" for path in drawing]
        if not starts or not self.makes_states:
            return parts
        if not self.initialises_from_key:
            return [*parts, "initial values, for all that is known"]
        with brainstate.environ.context(dt=self.dt):
            closed = jax.make_jaxpr(lambda key: self._initial(raw, key, arrays))(jnp.zeros(2, jnp.uint32))
        return parts + ["the initial values"] * _depends(closed.jaxpr)

    def _initial(self, raw: Values, key: jax.Array, arrays: object) -> Values:
        return self.beginning_at({}, raw, key, arrays)

    def beginning_at(self, held: Values, raw: Values, key: jax.Array, arrays: object) -> Values:
        """Initial states, of which some, by path, are given; delays hold them as if it had been so always."""
        run = _Run(self, self.template.natural(raw, {}), key, arrays, {})
        with run.at(jnp.int32(0), 0.0):
            return run.initial_states(held=held)

    def batched(self, has_state: bool) -> Lanes:
        """The same over lanes: keys, states and what comes out have one more axis, after time."""
        lanes = {"step": None, "key": 0, "states": 0}
        into, out = (None, None, 0, lanes if has_state else None, None), (1, lanes, 0)
        return Lanes(self.__call__, into, out, self.at_once)

    def of_trials(self, has_state: bool, own: tuple[str, ...]) -> Lanes:
        """Over lanes, in which also the parameters at the paths `own` have values of their own."""
        kept = ("trials", has_state, own)
        if kept not in self.compiled:

            def one(raw: Values, same: Values, own: Values, key: jax.Array, state: Pytree, arrays: Any) -> Pytree:
                return self(raw, same | own, key, state, arrays)

            lanes = {"step": None, "key": 0, "states": 0}
            into = (None, None, 0, 0, lanes if has_state else None, None)
            self.compiled[kept] = Lanes(one, into, (1, lanes, 0), self.at_once)
        return self.compiled[kept]


class Gathered(NamedTuple):
    """The sum of an activity since an observer was last updated; of a long one also what rounding took from it."""

    total: Numbers
    rest: Numbers

    @classmethod
    def none(cls, zeros: Numbers, steps: int) -> Gathered:
        return cls(zeros, u.get_mantissa(zeros) if steps > _LONG else None)

    def plus(self, x: Numbers) -> Gathered:
        if self.rest is None:
            return Gathered(self.total + x, None)
        # The rest is a plain number, so that the sum is too while it grows.
        unit = u.get_unit(self.total)
        total = Double(u.get_mantissa(self.total), self.rest) + (x.to_decimal(unit) if isinstance(x, u.Quantity) else x)
        return Gathered(u.maybe_decimal(total.value * unit), total.rest)


_LONG = 1024  # values, whose sum in single precision is good to five digits


class _Run:
    """One call of a program, on the values of one trace."""

    def __init__(self, program: Program, natural: Values, key: jax.Array, arrays: Any, overrides: Values):
        self.program, self.natural, self.key, self.arrays = program, natural, key, arrays
        self.dt, self.plan = program.dt, program.plan
        self.prepared: Values = {}
        # Without tables yet: this first copy is there to make them.
        _, found = self.bind()
        note_given(found, (*overrides, *program.courses.moving))
        # what follows from parameters alone, such as weights without their diagonal, is worked out once for all steps
        with self.at(jnp.int32(0), 0.0):
            self.prepared = dict(self._fixed(found))
        shapes = {path: noise.draw_shape for path, noise in found.noises.items()}
        self.normals = Normals(key, {path: _stream(path) for path in shapes}, shapes) if shapes else None
        drawing = [path for path, m in found.modules.items() if isinstance(m, Observer) and m.takes_key]
        self.keys = {path.removeprefix("observers."): fold(key, _stream(path)) for path in drawing}
        found.moving = program.courses.specs(found)
        self.bounded = Bounded(found)
        self.probe, self.start = context.present().probe, jnp.int32(0)

    def bind(self, states: Values | None = None, held: Values | None = None) -> tuple[Bundle, Inventory]:
        bundle, found = self.program.template.bind(self.natural, states, self.prepared)
        self.program.courses.put(bundle, found, held)
        return bundle, found

    @staticmethod
    def _fixed(found: Inventory) -> Iterator[tuple[str, Any]]:
        """What modules prepare, by path, of those that no parameter that moves has a part in."""
        for path, module in found.modules.items():
            if hasattr(module, "prepare"):
                with reading() as moving:
                    table = module.prepare()
                if not moving.found:
                    yield path, table

    def at(self, number: Numbers, part: float) -> AbstractContextManager:
        """Where parameters move, the time that they are read at: a part of the step with this number."""
        if not self.program.courses.moving:
            return nullcontext()
        stack = ExitStack()
        stack.enter_context(brainstate.environ.context(i=number, t=time_at(number, self.dt), dt=self.dt))
        stack.enter_context(at_stage(part))
        return stack

    def watched_values(self, states: Values) -> tuple[Values, Values]:
        """Of all that has bounds, states and parameters that move, after a step."""
        if not self.program.courses.moving:
            return self.bounded.values(states)
        _, found = self.bind(states)
        return self.bounded.values(states | {path: found.params[path].value() for path in self.bounded.moving})

    def go(self, state: Pytree) -> tuple:
        # The number of the step goes on with the run: draws, times and courses are those of a run that was never cut.
        start = jnp.int32(0) if state is None else state["step"]
        with self.at(start, 0.0):
            states = self.initial_states() if state is None else self.resumed(state["states"])
        self.start, moves = start, bool(self.program.courses.moving)
        if self.probe is not None:
            self.probe.note(self.plan.n_steps, self.dt, states)
        fed = self.program.fed
        # What sees another observer has no activity of its own to gather.
        driven = [n for n in self.plan.observed if n not in fed]
        observers = self.bind(states)[0].observers
        zeros = {n: self.driving(n, observers[n], states) for n in driven}
        # BOLD every 20 steps sees their mean, and not the last of them: an activity that is fast against the
        # haemodynamics would else be aliased. An observer that does not average reads the state as it is.
        gathered = {n: Gathered.none(zeros[n], self.plan.observed[n]) for n in driven if observers[n].averages}
        if any(monitor.what is RETURNED for monitor in self.program.monitors.values()):
            gathered[_OUTPUT] = self.returned_zeros(states)
        # Those that see another observer come after it: they take what it has just updated.
        order = driven + list(fed)
        # -1: no state was ever seen to be infinite. Integers cannot be, and are not looked at.
        never = {path: jnp.full(u.math.shape(x), -1, jnp.int32) for path, x in states.items() if _is_float(x)}
        machine = loop.Machine(
            step=self.step,
            draws=self.draws,
            inputs=self.inputs,
            sample={name: lambda carry, n=name: self.sample(n, carry) for name in self.plan.periods},
            observe={name: lambda carry, record, n=name: self.observe(n, carry, record) for name in order},
            watch=lambda carry, i, n: self.watch(carry, i, n, start),
            normals=self.normals,
        )
        with self.at(start, 0.0):
            least, most = self.watched_values(states)
        # where parameters move, what is looked at after a step is that at its end: the carry has its number
        carry = (states, gathered, Watched(never, least, most), jnp.asarray(start, jnp.int32) if moves else None)
        (states, _, watched, _), samples = loop.run(machine, self.plan, carry, start)
        return samples, {"step": start + self.plan.n_steps, "key": self.key, "states": states}, watched

    def initial_states(
        self, given: Mapping[str, object] = MappingProxyType({}), held: Mapping[str, Any] = MappingProxyType({})
    ) -> Values:
        """Those of all modules; where those of the model are `given`, of the forward models and of what drives it."""
        bundle, found = self.bind()
        for path, value in held.items():
            owner, _, name = path.rpartition(".")
            module = found.modules[owner]
            # Of this copy alone. Delays fill their past from it, as they would from an initialiser.
            vars(module)["_begins"] = {**module._begins, name: value}
        if given:
            # Those of the model are there; to initialise it again would draw, and fill its delays.
            found.modules = {p: m for p, m in found.modules.items() if p.partition(".")[0] != "model"}
        # A generator of its own stream: initial values stay the same, whether a run has noise or not.
        initialise(stateful(found), brainstate.random.RandomState(fold(self.key, _stream("initial values"))))
        return {**inventory(bundle).state_values(), **given}

    def resumed(self, states: Values) -> Values:
        """The states to go on from; what modules derive from them and from parameters is derived anew."""
        if len(states) < len(self.program.states):
            states = self.initial_states(states)
        _, found = self.bind(states)
        for module in found.modules.values():
            if isinstance(module, Resumes):
                module.resume()
        return found.state_values()

    # --- the parts of the machine -----------------------------------------------------------------------------------
    def draws(self, first: Numbers, n: int) -> Pytree:
        if self.normals is None:
            return None
        rows = self.normals.rows(first, n)
        # In a step a GPU takes a kernel for each process to find its normals in a row; a CPU needs no further array.
        return jax.vmap(self.normals.of_row)(rows) if compiles_for() == "gpu" else rows

    def step(self, carry: tuple, x: tuple) -> tuple:
        if self.probe is None or self.probe.cut is None:
            return self.advance(carry, x)
        done, cut, probe = x[0] - self.start, self.probe.cut, self.probe

        def through(carry: tuple) -> tuple:
            return self.advance((probe.nudged(carry[0], done == cut), *carry[1:]), x)

        # A branch not taken has no gradient at all; one of zeros could turn into NaN within a step.
        return jax.lax.cond(done >= cut, through, lambda c: jax.lax.stop_gradient(self.advance(c, x)), carry)

    def advance(self, carry: tuple, x: tuple) -> tuple:
        states, gathered, watched, last = carry
        states, returned = self.stepped(states, x)
        with self.at(x[0], 1.0):
            gathered = {
                n: returned if n == _OUTPUT else so_far.plus(self.activity(n, states)) for n, so_far in gathered.items()
            }
            watched = watched.after(*self.watched_values(states))
        return states, gathered, watched, last if last is None else x[0]

    def stepped(self, states: Values, x: tuple) -> tuple[Values, Any]:
        """The states after one step, and what the model's `update` returned."""
        number, draws, (row, held) = x
        bundle, found = self.bind(states, held)
        # a noise takes what it is handed for its draw of this step: so equations call it as they do outside of a run
        drawn = draws if isinstance(draws, dict) else {} if self.normals is None else self.normals.of_row(draws)
        for path, normals in drawn.items():
            setattr(found.noises[path], "_handed", normals)  # noqa: B010
        t = time_at(number, self.dt)
        with brainstate.environ.context(i=number, t=t, dt=self.dt):
            args, given = self.program.inputs.at(
                self.arrays, row, number, t, bundle.model, bundle.inputs, bundle.observers
            )
            returned = bundle.model.update(*args, **given)
        # a loop carries the types that it began with
        return jax.tree.map(lambda new, old: new.astype(old.dtype), found.state_values(), states), returned

    def returned_zeros(self, states: Values) -> Pytree:
        """Zeros like what the model's `update` returns."""
        # By a step that is looked at and not computed: only equations know what `update` returns.
        row = jax.tree.map(lambda x: x[0], (self.draws(self.start, 1), self.inputs(self.start, 1)))
        like = jax.eval_shape(lambda: self.stepped(states, (self.start, *row))[1])
        return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), like)

    def inputs(self, first: Numbers, n: int) -> Pytree:
        return self.program.inputs.rows(self.arrays, first - self.start, n), self.held(first, n)

    def held(self, first: Numbers, n: int) -> Values:
        """What holds through each of some steps, of courses: worked out for a block at once."""

        def of_step(number: Numbers) -> Values:
            with self.at(number, 0.0):
                return self.program.courses.held(self.bind()[0])

        return jax.vmap(of_step)(first + jnp.arange(n, dtype=jnp.int32)) if self.program.courses.holds else {}

    def activity(self, name: str, states: Values) -> Array:
        """What drives an observer."""
        bundle, _ = self.bind(states)
        source = self.program.monitors[name].source
        if source is not None:
            return read(bundle.model, source)
        if not hasattr(bundle.model, "activity"):
            raise argument_error(monitor_named(name), "needs a `source`: the model does not say what its activity is")
        return bundle.model.activity()

    def driving(self, name: str, observer: Observer, states: Values) -> Array:
        """Zeros like what drives an observer, which must have the shape that this was made for."""
        zeros = _zeros_like(self.activity(name, states))
        if zeros.shape not in ((), (1,), observer.varshape):
            raise argument_error(
                monitor_named(name),
                f"is a {type(observer).__name__} of activity of shape {observer.varshape}",
                f"what drives it has shape {zeros.shape}: make it for that shape, or give the monitor another `source`",
            )
        return zeros

    def observe(self, name: str, carry: tuple, record: bool) -> tuple:
        states, gathered, watched, last = carry
        interval, source = self.plan.observed[name], self.program.fed.get(name)
        bundle, found = self.bind(states)
        observer = bundle.observers[name]
        # in the transient a sum is yet to begin, but what has a motion of its own, such as blood flow, goes on
        if record or not observer.sums_up:
            observer._handed = self.keys.get(name)  # pyright: ignore[reportAttributeAccessIssue]
            with self.at(last, 1.0):
                if source is not None:
                    seen = bundle.observers[source].signal()
                else:
                    seen = gathered[name].total / interval if name in gathered else self.activity(name, states)
                # Its own step: an observer that is updated every 20 steps integrates over 20.
                with brainstate.environ.context(dt=interval * self.dt):
                    observer.update(seen)
            states = found.state_values()
        if name in gathered:
            # A new mean begins, also after a transient in which nothing was taken in.
            gathered = {**gathered, name: Gathered.none(_zeros_like(gathered[name].total), interval)}
        return states, gathered, watched, last

    def sample(self, name: str, carry: tuple) -> Numbers:
        what = self.program.monitors[name].what
        if what is RETURNED:
            return carry[1][_OUTPUT]
        bundle, _ = self.bind(carry[0])
        with self.at(carry[3], 1.0):
            value = bundle.observers[name].signal() if isinstance(what, Observer) else _look(bundle, what)
        return jax.tree.map(u.math.asarray, value, is_leaf=lambda x: isinstance(x, u.Quantity))

    def watch(self, carry: tuple, i: Numbers, n: int, start: Numbers) -> tuple:
        """Note the first block at whose end a state is not finite; move the progress bar."""
        states, gathered, watched, last = carry
        # NaN stays NaN: it is enough to look at the end of each block
        bad = {p: jnp.where((seen < 0) & ~_finite(states[p]), i, seen) for p, seen in watched.bad.items()}
        if self.program.bar is not None:
            self.program.bar.report(i - start, n)
        return states, gathered, watched._replace(bad=bad), last


def _look(bundle: Bundle, what: Any) -> Numbers:
    """What a monitor that is no forward model sees."""
    if isinstance(what, str) and what.startswith(INPUTS):
        return put_in(bundle.inputs, what)
    return read(bundle.model, what)


def _depends(jaxpr: Jaxpr) -> bool:
    """Whether what comes out depends on the first argument."""
    # Backwards through the program, from what comes out to what it is made of.
    needed = {id(x) for x in jaxpr.outvars}
    for equation in reversed(jaxpr.eqns):
        if any(id(x) in needed for x in equation.outvars):
            needed |= {id(x) for x in equation.invars}
    return id(jaxpr.invars[0]) in needed


_DECLARING = Declared | Attached  # their states


def states_missing(found: Inventory) -> list[Any]:
    """The modules that have yet to be given states."""
    missing = [m for m in stateful(found) if isinstance(m, _DECLARING) and not m._made <= vars(m).keys()]
    others = [m for m in stateful(found) if not isinstance(m, _DECLARING) and not _holds_states(found, m)]
    return missing + others if missing or not found.states else []


def _holds_states(found: Inventory, module: object) -> bool:
    """Whether a module that does not declare its states, such as a network with delays, has been given them."""
    path = next(path for path, m in found.modules.items() if m is module)
    owners = [owner for p, (owner, _, _) in found.states.items() if not path or p.startswith(f"{path}.")]
    return any(not isinstance(owner, _DECLARING) for owner in owners)


def initialise_missing(bundle: Bundle, dt: Numbers) -> None:
    """States must exist before a module can be taken apart; the values that they get here are never used."""
    missing = states_missing(inventory(bundle))
    # A run may itself be traced, inside a fit: the states are put there at once all the same. Their values are not
    # computed, since parameters may be traced: a state has the shape of its value, and is zero.
    with brainstate.environ.context(dt=dt):
        by_shape = [m for m in missing if takes_generator(m)]
        held = inventory(bundle).states.keys()
        like = jax.eval_shape(lambda: _initialised(bundle, by_shape))
        with jax.ensure_compile_time_eval():
            for path, (owner, name, state) in inventory(bundle).states.items():
                if path not in held:
                    new = type(state)(jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), like[path]))
                    setattr(owner, name, new)
            initialise([m for m in missing if not takes_generator(m)], None)


def _initialised(bundle: Bundle, modules: list[object]) -> Values:
    initialise(modules, brainstate.random.RandomState(0))
    return inventory(bundle).state_values()


def _is_float(x: Array) -> bool:
    return jnp.issubdtype(u.get_mantissa(x).dtype, jnp.floating)


def _finite(x: jax.Array) -> jax.Array:
    return jnp.isfinite(u.get_mantissa(x))


def _zeros_like(x: Array) -> Array:
    return u.math.zeros_like(u.math.asarray(x))
