"""`Simulator`: runs a model, as a compiled call or as a pure function."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import flag, instance, is_traced, items
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.random import as_key
from brainmass._common.same import Pictures, environment
from brainmass._common.times import milliseconds
from brainmass._common.typing import (
    Array,
    ArrayLike,
    Monitors,
    Numbers,
    Period,
    Pytree,
    RunInputs,
    RunParameters,
    Seed,
    Time,
)
from brainmass._common.whole_vectors import Alone
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.module import Closed, fixed
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.dynamics.regime import warn_of_large_step
from brainmass.forward.observer import Observer
from brainmass.simulation import context
from brainmass.simulation.courses import Courses, as_courses
from brainmass.simulation.final import Origin, with_origin
from brainmass.simulation.identity import plan_of
from brainmass.simulation.inputs import Inputs, as_inputs
from brainmass.simulation.inventory import Inventory, inventory, refuse_shared_processes
from brainmass.simulation.monitors import Monitor, as_monitors, default_monitors, modes_of, returned_names, sensors_of
from brainmass.simulation.ownership import trainable_within
from brainmass.simulation.plan import (
    Plan,
    check_dt,
)
from brainmass.simulation.program import Bundle, Program, initialise_missing, states_missing
from brainmass.simulation.progress import ProgressBar
from brainmass.simulation.result import Result, unchecked
from brainmass.simulation.schedule import arrange, weight_of_past
from brainmass.simulation.start import Beginnings
from brainmass.simulation.values import checked_value, free_paths
from brainmass.simulation.watch import DivergenceError, Told, raise_if_diverged, tell

__all__ = ["DivergenceError", "Simulator"]

_MOST_PROGRAMS = 64  # that a simulator keeps


class Simulator(Closed):
    """Runs a model.

    Parameters
    ----------
    model : NeuralMassDynamics, Network, or another brainstate module with `update`
    dt : Quantity, optional
        Time step; default that of `brainstate.environ`.

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> simulator = brainmass.Simulator(brainmass.HopfStep(3), dt=0.1 * u.ms)
    >>> result = simulator.run(50 * u.ms, monitors=["x"], sample_every=1 * u.ms, seed=0)
    >>> result["x"].shape
    (50, 3)
    """

    _elsewhere = fixed("model")

    def __init__(self, model: brainstate.nn.Module, dt: Time | None = None):
        if not isinstance(model, brainstate.nn.Module) or not _has_update(model):
            raise argument_error(
                Argument("model", "Simulator"), "must be a module with `update`", f"is {show(model)}", kind=TypeError
            )
        if getattr(model, "loops_over_time", False):
            raise argument_error(
                Argument("model", "Simulator"),
                "must advance by one time step",
                f"{type(model).__name__} goes through many in one call: call it, in "
                "brainstate.transform.for_loop where there are several",
                kind=TypeError,
            )
        self.model = model
        self._dt = None if dt is None else check_dt(dt)
        self._programs: dict[Hashable, Program] = {}
        self._pictures = Pictures()

    def __getstate__(self) -> dict[str, object]:
        """What a copy is made of: not the compiled programs."""
        return {name: x for name, x in vars(self).items() if name not in ("_programs", "_pictures")}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self._programs, self._pictures = {}, Pictures()

    def __repr__(self) -> str:
        step = "that of brainstate.environ" if self._dt is None else self._dt
        return f"Simulator, dt={step}, of {self.model!r}"

    @property
    def dt(self) -> Numbers:
        """The time step."""
        dt = brainstate.environ.get("dt", default=None) if self._dt is None else self._dt
        if dt is None:
            raise ValueError(
                "Simulator needs a time step: write Simulator(model, dt=0.1 * u.ms), "
                "or brainstate.environ.set(dt=0.1 * u.ms)."
            )
        return check_dt(dt)

    @dt.setter
    def dt(self, dt: Time) -> None:
        self._dt = None if dt is None else check_dt(dt)

    def run(
        self,
        duration: Time | float,
        *,
        inputs: RunInputs = None,
        monitors: Monitors = None,
        transient: Period | None = None,
        sample_every: Period | None = None,
        batch_size: int | None = None,
        init_states: bool = True,
        jit: bool = True,
        seed: Seed = None,
        state: Mapping[str, Numbers] | None = None,
        progress: bool = False,
        block: int | None = None,
        grad_horizon: Period | None = None,
        parameters: RunParameters = None,
    ) -> Result:
        """Simulate, and record what was asked for.

        Parameters
        ----------
        duration : Quantity
            Length of the run; of what is no multiple of the time step the whole steps are taken, and a plain number is
            read in ms, both with a warning.
        inputs : mapping, optional
            What enters the input ports, by name: a constant, an array with one row per step, a Stimulus, a Noise, or a
            function: of time; of time and model, `lambda t, model: ...`, which closes a loop: it sees the states at the
            start of the step; or of the number of the step and time, `lambda i, t: ...`. They are told apart by what
            their arguments are called. One without a name enters the first port; a function may return a tuple, one
            value for each argument of the model's `update`.
        monitors : list of str, mapping of str to str, callable, Observer or Monitor, or callable, optional
            What to record; of a function of the model alone what it returns, as "output"; of a feedback what it puts
            in, as "inputs.<port>". Default all states, and what the model returns, as "output".
        transient : Quantity or int, optional
            Beginning of the run that is not recorded, as a time or in steps.
        sample_every : Quantity or int, optional
            Sampling period, as a time or in steps; default the `period` of a forward model that has one, else every
            step. A sample is the state at the end of its period.
        batch_size : int, optional
            Number of independent runs side by side. Run `b` is the unbatched run with the key `fold_in(key, b)`.
        init_states : bool
            Whether to start from initial states, or from those that the model has now.
        jit : bool
            Whether to compile the run.
        seed : int or JAX key, optional
            Decides random initial states and noise. Default: drawn from `brainstate.random`.
        state : optional
            Where to go on from: `result.final` of an earlier run, whose key goes on too unless a seed is given. Or
            values of states by name, such as those of an equilibrium, `fixed_points(model)[0].state`: the run begins
            there, its past as if it had always been so, with other states at their initial values. What drives the run
            may be another: a drive of which the earlier run had nothing begins.
        progress : bool
            Whether to show a progress bar.
        block : int, optional
            Steps between the checkpoints of a gradient, at which a state is kept; noise is drawn for as many at once.
            Default about the square root of their number.
        grad_horizon : Quantity or int, optional
            Truncated backpropagation through time: gradients stay within windows of this length, a time or a number of
            steps. Default that of the fit in which it runs, else gradients go back to the start.
        parameters : mapping, optional
            What parameters are in this run, by name, as in `pure(free=...)`, of model, coupling, noise, inputs and
            monitors: a number; or a course, which moves them: a stimulus, or a sum with one, as in
            `-0.5 + Ramp(1, amplitude=1.0, duration=1 * u.second)`, or a function of time. A course is evaluated at
            every stage of the method; one with jumps, as a pulse or `Steps`, holds through each step.

        Returns
        -------
        Result
            Arrays of shape (time, batch, region) by monitor, with time stamps, and the final state.

        Raises
        ------
        ValueError, TypeError
            Before anything is run, where an argument is not as said here, or there is no time step.
        DivergenceError
            When a state became infinite or NaN; its `result` holds what was recorded.
        """
        for name, switch in ("init_states", init_states), ("jit", jit), ("progress", progress):
            flag(Argument(name, "run"), switch)
        if not init_states and states_missing(inventory(self.model)):
            raise argument_error(
                Argument("init_states=False", "run"), "needs a model that has states: call init_all_states() first"
            )
        program, found, given = self._program(
            duration, inputs, monitors, transient, sample_every, progress, block, grad_horizon, (), parameters
        )
        _check_owner(found)
        if state is None and init_states and program.makes_states:
            self._warn_of_odd_delays(program)
        beginnings = Beginnings(self.model, program, found, given)
        state, key, batched = beginnings.of_run(state, seed, batch_size, init_states)
        call = _compiled(program, batched, state is not None, jit)
        samples, final, watched = call(found.raw(), program.courses.constants, key, state, given.arrays)
        provenance = {} if seed is None or is_traced(seed) else {"seed": str(seed)}
        output = returned_names(self.model) if monitors is None else None
        start = 0 if state is None else state["step"]
        sensors = sensors_of(found.modules)
        result = self._result(program.plan, beginnings.origin, samples, final, start, provenance, output, sensors)
        told = Told.of(found, watched, result.labels, batched)
        # Nothing can be looked at within a trace: who listens is told outside of it, and the model is left alone.
        if is_traced((samples, final)):
            tell(told)
            return result
        if (probe := context.present().probe) is not None:
            probe.n_runs += 1
        # Before the error of a run that diverged: the model is then where the run was, to be looked at.
        _write_back(found, final["states"], final["key"].shape[:-1])
        raise_if_diverged(watched.bad, program.dt, result, batched, program.monitors)
        told.warn()
        return result

    def pure(
        self,
        duration: Time | float,
        *,
        monitors: Monitors = None,
        free: Sequence[str] | None = None,
        inputs: RunInputs = None,
        transient: Period | None = None,
        sample_every: Period | None = None,
        block: int | None = None,
        grad_horizon: Period | None = None,
        parameters: RunParameters = None,
    ) -> Callable[..., Result]:
        """The run as a pure function `f(values, key, state=None) -> Result`, safe under jit, grad and vmap.

        Parameters
        ----------
        duration, monitors, inputs, transient, sample_every, block, grad_horizon, parameters
            As in `run`.
        free : list of str, optional
            Names of the parameters that `values` may set, as the equations see them; default the trainable ones. They
            are those of the model ("node.a"), of what drives it ("inputs.x_inp.amplitude"), of courses
            ("parameters.a.amplitude") and of the forward models ("observers.bold.tau"); as much of the end of a name
            as tells it apart will do ("amplitude").

        Returns
        -------
        callable
            `values` maps some of those names to values, with units; `key` is an int or a JAX key. It raises and warns
            of nothing that happens in the run, as a traced function cannot: run once with `run`, which tells states
            that diverge or leave their bounds.
        """
        run = self._watched(duration, monitors, free, inputs, transient, sample_every, block, grad_horizon, parameters)

        def pure_run(values: Mapping[str, Array], key: int, state: Pytree = None) -> Result:
            result, told = run(values, key, state)
            bad = told.watched.bad
            if (probe := context.present().probe) is not None and not is_traced(bad):
                probe.n_runs += 1
                raise_if_diverged(bad, self.dt, result, False, as_monitors(monitors, self.model))
            tell(told)
            return result

        # By what it is made of sweeps and fits tell whether two such functions are one (`identity.py`).
        pure_run.made_of = run.made_of  # type: ignore[attr-defined]
        return pure_run

    def _watched(
        self,
        duration: Numbers,
        monitors: Monitors,
        free: Sequence[str] | None,
        inputs: Pytree,
        transient: Period | None,
        sample_every: Numbers,
        block: int | None = None,
        grad_horizon: Period | None = None,
        parameters: RunParameters = None,
    ) -> Callable[..., tuple[Result, Told]]:
        """As `pure`; besides the result, what was watched."""
        if free is not None:
            free = [
                instance(Argument("free"), name, str, "a list of names of parameters")
                for name in items(Argument("free"), free, "names of parameters", example='free=["k"]')
            ]
        program, found, given = self._program(
            duration, inputs, monitors, transient, sample_every, False, block, grad_horizon, free or (), parameters
        )
        if free is None:
            free = [path.removeprefix("model.") for path, p in found.params.items() if p.fit]
        named = {name: found.find_param(name) for name in free}
        freed = Inventory(params={path: found.params[path] for path in named.values()})
        courses = program.courses
        courses.refuse_given(named)
        raw, beginnings = found.raw(), Beginnings(self.model, program, found, given).fixed()
        output = returned_names(self.model) if monitors is None else None
        sensors = sensors_of(found.modules)

        def run(values: Mapping[str, Array], key: ArrayLike, state: Pytree = None) -> tuple[Result, Told]:
            paths = free_paths(values, named, freed)
            overrides = {path: checked_value(found, path, values[name]) for path, name in paths.items()}
            _check_owner(found, overrides)
            state, words, _ = beginnings.of_pure(state, key)
            samples, final, watched = program(raw, courses.constants | overrides, words, state, given.arrays)
            start = 0 if state is None else state["step"]
            result = self._result(program.plan, beginnings.origin, samples, final, start, {}, output, sensors)
            return result, Told.of(found, watched, result.labels, False)

        # It keeps what it was made with, whatever becomes of that.
        made = {"structure": plan_of(found), **program.things, "numbers": (raw, given.arrays, courses.constants)}
        run.made_of = made | {"run": (program.plan, self.dt, named)}  # type: ignore[attr-defined]
        return run

    def _trials(
        self, duration: Numbers, seeds: np.ndarray, settings: Mapping[str, Any], values: Mapping[str, np.ndarray]
    ) -> Result:
        """Runs side by side from initial states, each with its seed and its `values` of parameters, without unit.

        Other numbers compile nothing, and the model stays as it is.
        """
        s = settings
        program, found, given = self._program(
            duration, s["inputs"], s["monitors"], s["transient"], s["sample_every"], False, None, None, (),
            s["parameters"],
        )  # fmt: skip
        _check_owner(found)
        beginnings = Beginnings(self.model, program, found, given)
        keys, n = np.stack([as_key(int(seed)) for seed in seeds]), len(seeds)
        state = beginnings.of_run(None, int(seeds[0]), n if program.makes_states else None, True).state
        if state is not None:  # of a model that makes none: each run begins at those that it has
            each = jax.tree.map(lambda x: jnp.broadcast_to(x, (n, *jnp.shape(x))), state["states"])
            state = {**state, "key": keys, "states": each}
        own = {found.find_param(name): x for name, x in values.items()}
        call = program.of_trials(state is not None, tuple(own))
        samples, final, watched = call(found.raw(), program.courses.constants, own, keys, state, given.arrays)
        sensors = sensors_of(found.modules)
        result = self._result(program.plan, beginnings.origin, samples, final, 0, {}, None, sensors)
        if not is_traced(samples):
            raise_if_diverged(watched.bad, program.dt, result, True, program.monitors)
            Told.of(found, watched, result.labels, True).warn()
        return result

    def _holds(
        self,
        duration: Numbers,
        monitors: Monitors,
        inputs: Pytree,
        transient: Period | None = None,
        sample_every: Period | None = None,
        parameters: RunParameters = None,
    ) -> Inventory:
        """What a run holds, by path: parameters and states of the model, its inputs and its forward models."""
        return self._program(duration, inputs, monitors, transient, sample_every, False, None, None, (), parameters)[1]

    def _warn_of_odd_delays(self, program: Program) -> None:
        warn = getattr(self.model, "warn_of_odd_delays", None)
        if warn is not None:
            step = milliseconds("dt", program.dt)
            warn(step, step * program.plan.n_steps)

    # --- arranging a run --------------------------------------------------------------------------------------------
    def _program(
        self,
        duration: Numbers,
        inputs: Pytree,
        monitors: Any,
        transient: Any,
        every: Numbers,
        progress: bool,
        block: Any,
        horizon: Any,
        free: Sequence[str] = (),
        parameters: RunParameters = None,
    ) -> Any:
        """The program for these settings, made earlier if one fits, with what the model holds now."""
        dt, probe = self.dt, context.present().probe
        if probe is not None and probe.cut is None:
            block = 1  # states are looked at when a block ends
        # What it has to record is known once it has states; their values do not matter here.
        if monitors is None and not default_monitors(self.model):
            initialise_missing(Bundle(self.model, {}), dt)
        watched = as_monitors(monitors, self.model)
        # Before the plan, whose blocks depend on how far back the past reaches, and the inventory, which is to hold the
        # delays in steps of this dt.
        set_time_step = getattr(self.model, "set_time_step", None)
        if set_time_step is not None:
            set_time_step(dt)
        window = context.present().horizon if horizon is None else horizon
        plan = arrange(duration, watched, transient, every, dt, block, window, weight_of_past(self.model))
        given = as_inputs(inputs, self.model, plan.n_steps)
        courses = as_courses(parameters, lambda: inventory(Bundle(self.model, watched, given.modules)))
        if (owner := context.present().owner) is not None:
            watchers = [what for m in watched.values() for what in (m.what, m.source)]
            owner.check(trainable_within([*given.functions.values(), *courses.functions.values(), *watchers]))
        bundle = Bundle(self.model, watched, given.modules, courses.modules)
        found = inventory(bundle)
        found.moving = courses.specs(found)
        what = tuple((name, _kind(m.what), _kind(m.source)) for name, m in watched.items())
        things = {**found.others, **_functions(watched, given, courses)}
        key = (plan, what, milliseconds("dt", dt), progress, found.structure, given.structure, courses.structure)
        # All that decides how the program looks, and none of the numbers in it, which are arguments. A function of
        # the user is told by what it does and reads (`Pictures`): that it is the same object says too little, or too
        # much.
        key = (*key, jax.config.read("jax_enable_x64"), self._pictures.number(things) if things else None)
        program = self._programs.get(key) if probe is None else None
        if program is None:
            refuse_shared_processes(found)
            nodes = (m for m in found.modules.values() if isinstance(m, NeuralMassDynamics))
            warn_of_large_step(nodes, milliseconds("dt", dt), free)
            bar = ProgressBar(plan.n_steps) if progress else None
            program = Program(bundle, plan, dt, bar, self._pictures, watched, given, things, courses)
            if probe is None:
                self._keep(key, program)
            # Anew: states that were missing have been given to the model by now.
            found = inventory(bundle)
            found.moving = courses.specs(found)
        else:
            # Functions that look alike are other objects at each call: what is still to be traced calls those of this
            # one.
            program.calls_on(watched, given, things, courses)
        return program, found, given

    def _keep(self, key: Hashable, program: Program) -> None:
        self._programs[key] = program
        if len(self._programs) > _MOST_PROGRAMS:  # those that were made for what a function read once
            del self._programs[next(iter(self._programs))]

    def _result(
        self,
        plan: Plan,
        origin: Origin,
        samples: dict[str, Array],
        final: Pytree,
        start: Numbers,
        provenance: dict[str, str],
        output: str | tuple[str, ...] | None,
        sensors: Any,
    ) -> Result:
        # Time stamps by numpy where the start is a number: in 64 bits, whatever JAX is set to.
        xp = jnp if is_traced(start) else np
        first = (start if is_traced(start) else int(start)) + plan.transient
        dt, step = self.dt, origin.dt
        rows = {n: (period, plan.n_samples(n)) for n, period in plan.periods.items() if samples[n] is not None}
        # Monitors with one period share one array of time stamps.
        kinds = list(dict.fromkeys(rows.values()))
        return unchecked(
            {name: samples[name] for name in rows},
            tuple(u.Quantity((first + p * xp.arange(1, n + 1)) * step, unit=u.ms) for p, n in kinds),
            {name: kinds.index(row) for name, row in rows.items()},
            with_origin(final, origin),
            (float(dt.mantissa), dt.unit),
            (plan.n_steps * step, u.ms),
            getattr(self.model, "labels", None),
            (("model", origin.model), *_method_of(self.model), *provenance.items()),
            output,
            sensors,
            _joined(modes_of(self.model), rows, samples),
        )


def _has_update(model: object) -> bool:
    return getattr(type(model), "update", None) not in (None, getattr(brainstate.nn.Module, "update", None))


def _joined(
    modes: Mapping[str, tuple[str, ...]], rows: Mapping[str, tuple[int, int]], samples: Mapping[str, Numbers]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The modes that a run recorded, all of them and alike, where nothing else has their name."""

    def alike(states: tuple[str, ...]) -> bool:
        return len({(rows[state], np.shape(u.get_mantissa(samples[state]))) for state in states}) == 1

    found = [(name, states) for name, states in modes.items() if name not in rows and rows.keys() >= set(states)]
    return tuple((name, states) for name, states in found if alike(states))


def _method_of(model: object) -> tuple[tuple[str, str], ...]:
    """The integration method, which all nodes share, as a line of provenance."""
    node = next(iter(getattr(model, "populations", {"": model}).values()))
    return (("method", node.method),) if isinstance(node, NeuralMassDynamics) else ()


def _kind(what: object) -> str | type | None:
    """What a monitor is, as far as it is told apart by that; of a function it is told what it reads."""
    return what if what is None or type(what) is str else type(what)


def _functions(watched: Mapping[str, Monitor], given: Inputs, courses: Courses) -> dict[str, Pytree]:
    """The functions of the user in a run; where there are any, with the settings that they may ask for."""
    functions: dict[str, Callable[..., Numbers]] = {f"input {name}": f for name, f in given.functions.items()}
    functions |= {f"parameter {path}": f for path, f in courses.functions.items()}
    for name, monitor in watched.items():
        parts = {f"monitor {name}": monitor.what, f"source of {name}": monitor.source}
        functions |= {n: f for n, f in parts.items() if callable(f) and not isinstance(f, Observer)}
    return functions and functions | {"brainstate.environ": environment()}


def _check_owner(found: Inventory, overridden: Mapping[str, object] = MappingProxyType({})) -> None:
    """Within a fit, refuse trainable parameters that it does not change."""
    if (owner := context.present().owner) is not None:
        owner.check({path: param for path, param in found.params.items() if path not in overridden})


# --- calling it, and what comes back ------------------------------------------------------------------------------
def _compiled(program: Program, batched: bool, has_state: bool, jit: bool) -> Callable[..., Pytree]:
    if not jit:
        return program.batched(has_state).mapped if batched else program.__call__
    if (batched, has_state) not in program.compiled:
        lanes = program.batched(has_state) if batched else None
        # A progress bar counts the steps of one program.
        program.compiled[batched, has_state] = (
            Alone(program.__call__) if lanes is None else lanes if program.bar is None else lanes.together
        )
    return program.compiled[batched, has_state]


def _write_back(found: Inventory, states: Mapping[str, Array], lanes: tuple[int, ...]) -> None:
    """Leave the model in the state that the run ended in."""
    for path, (_, _, state) in found.states.items():
        state.value = states[path]
    for module in found.modules.values():
        # `reset_state` makes as many initial values as there are lanes now.
        if isinstance(module, Declared) and module._batch != lanes:
            module._batch = lanes
