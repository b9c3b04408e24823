"""`train_feedback`: the feedback that keeps a run where it should be, at the least cost."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from brainmass._common.checks import instance, number, whole
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Monitors, Numbers, Period, Pytree, RunInputs, Seed, Time
from brainmass.controlling.costs import Cost, GivenCosts
from brainmass.controlling.feedback import Feedback
from brainmass.controlling.optimizers import minimizer
from brainmass.controlling.outcome import Control
from brainmass.controlling.problem import Place, Problem, Values, places
from brainmass.controlling.search import Search, check_seed
from brainmass.dynamics.noise import Noise
from brainmass.simulation.inventory import Inventory, Template, inventory
from brainmass.simulation.monitors import INPUTS, Monitor, as_monitors
from brainmass.simulation.plan import steps_in
from brainmass.simulation.result import Result
from brainmass.simulation.simulator import Simulator
from brainmass.stimuli.algebra import Drive

__all__ = ["train_feedback"]

_OWNER = "train_feedback"


def train_feedback(
    simulator: Simulator,
    duration: Time,
    cost: GivenCosts,
    feedback: Feedback | Mapping[str, Feedback],
    *,
    inputs: RunInputs = None,
    monitors: Monitors = None,
    sample_every: Period | None = None,
    state: Mapping[str, Pytree] | None = None,
    optimizer: str | optax.GradientTransformation = "L-BFGS-B",
    n_steps: int = 100,
    tolerance: float = 1e-9,
    n_noises: int = 1,
    n_validation: int = 100,
    seed: Seed = None,
) -> Control:
    """Train what closes a loop, so that a run costs least: by gradients through the run of the simulator itself.

    Trained are the parameters of the feedback that are `Param(..., fit=True)`, and those of layers of brainstate. The
    feedback that was given stays as it is.

    Parameters
    ----------
    simulator : Simulator
    duration : Quantity
        Length of the run.
    cost : Cost, function, or several of them in a list or a mapping
        As of `control`; the energy is that of what the feedback puts in.
    feedback : Feedback, or mapping from ports to Feedback
        What enters, `LinearFeedback` or `PolicyFeedback`; default the first port.
    inputs : mapping, optional
        What else enters, as of `Simulator.run`; the feedback is added to a number, a stimulus or a noise at its port.
    monitors, sample_every : optional
        What functions of the result, and the feedback, need, as of `Simulator.run`; default all states, at each step.
    state : optional
        Where the run begins, as of `Simulator.run`; without it initial states are drawn, for each noise anew.
    optimizer : 'L-BFGS-B', 'CG', or an optimiser of optax
    n_steps : int
        Largest number of steps of the search.
    tolerance : float
        Relative change of the cost at which L-BFGS-B ends.
    n_noises : int
        Noises, and random initial states, the same in all steps, over which the cost is averaged. An optimiser of optax
        meets fresh ones in each step.
    n_validation : int
        Fresh noises on which the cost is told, where there is noise.
    seed : int or JAX key, optional
        Of the noises, where there are some, and of random initial states.

    Returns
    -------
    Control
        Its `stimuli` are the trained feedbacks by port, its `inputs` what a run takes.

    Raises
    ------
    ValueError, TypeError
        For ports that are not there, a feedback of another shape or with nothing to train, a random model without a
        seed.
    DivergenceError
        If the run under a feedback becomes infinite or NaN; it says in which step of the search.

    References
    ----------
    Åström, Murray 2021, Feedback Systems, 2nd ed., chapter 7.

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> simulator = brainmass.Simulator(brainmass.LinearStep(1, gamma=-1.0), dt=0.1 * u.ms)
    >>> cost = [brainmass.TrackingCost("x", 0.0), brainmass.EnergyCost()]
    >>> towards_zero = brainmass.LinearFeedback(1, "x")
    >>> found = brainmass.train_feedback(simulator, 10 * u.ms, cost, towards_zero, state={"x": 1.0})
    >>> print(found.parameters["x_inp.gain"].round(2))
    [[0.39]]
    """
    instance(
        Argument("simulator", _OWNER), simulator, Simulator, "a Simulator", example="Simulator(model, dt=0.1 * u.ms)"
    )
    if inputs is not None and not isinstance(inputs, Mapping):
        raise argument_error(Argument("inputs", _OWNER), "must map ports to what enters them", f"is {show(inputs)}")
    n = steps_in("duration", duration, simulator.dt, _OWNER, minimum=1)
    for name, value in {"n_steps": n_steps, "n_noises": n_noises, "n_validation": n_validation}.items():
        whole(Argument(name, _OWNER), value)
    number(Argument("tolerance", _OWNER), tolerance, ">= 0", lambda x: x >= 0)
    problem = _ClosedLoop(simulator, n, cost, _loops(simulator, feedback), inputs or {}, monitors, sample_every)
    noisy = check_seed(problem, state, seed, n_noises)
    search = Search(problem, minimizer(optimizer, n_steps, tolerance, None, anew=True), optimizer, n_noises, seed)
    flat, history, ended = search.plan(problem.start, state, 0)
    total, costs, validation = search.outcome(flat, state, n_validation if noisy else 0)
    trained = problem.trained(flat)
    x = jnp.asarray(flat, jnp.result_type(float))
    values = jax.jit(problem.entered_in)(x, search.keys(0, n_noises)[0], state)
    return Control(
        values={p.port: u.maybe_decimal(np.asarray(values[p.port]) * p.unit) for p in problem.places},
        sites={p.port: p.sites for p in problem.places},
        every=simulator.dt,
        stimuli=trained,
        inputs=problem.together(trained),
        cost=total,
        costs=costs,
        history=np.array(history),
        validation=validation,
        ended=ended,
        simulator=simulator,
        duration=n * simulator.dt,
        state=state,
        parameters=problem.named(trained),
    )


class _ClosedLoop(Problem):
    """Free are the trainable parameters of the feedbacks, as they are stored before transforms."""

    owner = _OWNER
    advice = "Give the feedback `limits`, start from a smaller gain, or give an optimiser with smaller steps."

    def __init__(
        self,
        simulator: Simulator,
        n_steps: int,
        cost: GivenCosts,
        loops: Mapping[str, Feedback],
        inputs: Mapping[str, Any],
        monitors: Monitors,
        sample_every: Period | None,
    ):
        self.loops, self.given = loops, inputs
        where = places(simulator.model, list(loops), None, Argument("feedback", _OWNER))
        where = [_at_sites(place, loops[place.port]) for place in where]
        _check_given(inputs, loops)
        self.templates = {port: Template(loop) for port, loop in loops.items()}
        self.stored = {port: inventory(loop).raw() for port, loop in loops.items()}
        free = {port: _trainable(inventory(loop)) for port, loop in loops.items()}
        _check_free(free, loops)
        flat, self.unravel = ravel_pytree({p: {path: self.stored[p][path] for path in free[p]} for p in loops})
        self.start, self.dtype = np.asarray(flat, float), flat.dtype
        super().__init__(simulator, n_steps, n_steps, 1, cost, where, inputs, monitors, sample_every)

    def _monitors(self, costs: Mapping[str, Cost], monitors: Monitors) -> Monitors:
        asked = as_monitors(super()._monitors(costs, monitors), self.simulator.model)
        # At each step, whatever the others: energies are sums over all that enters.
        return {**asked, **{f"{INPUTS}{port}": Monitor(f"{INPUTS}{port}", every=1) for port in self.loops}}

    def together(self, loops: Mapping[str, Drive]) -> dict[str, object]:
        """All that enters, with these feedbacks."""
        both = {port: loop + self.given[port] if port in self.given else loop for port, loop in loops.items()}
        return {**self.given, **both}

    def at_rest(self, n: int) -> Mapping[str, object]:
        return self.together(self.loops)

    def entering(self, flat: jax.Array, first: int | jax.Array) -> Mapping[str, object]:
        free = self.unravel(flat.astype(self.dtype))
        return self.together({p: t.on({**self.stored[p], **free[p]})[0] for p, t in self.templates.items()})

    def entered(self, flat: jax.Array, result: Result) -> Values:
        rows = {p.port: u.get_mantissa(result[f"{INPUTS}{p.port}"]) for p in self.places}
        return {p.port: rows[p.port].reshape(len(rows[p.port]), -1)[:, p.sites] for p in self.places}

    def entered_in(self, flat: jax.Array, key: jax.Array, state: Pytree) -> Values:
        """What the feedback puts in, in a run."""
        return self.entered(flat, self.run(self.entering(flat, 0), key, state))

    def run(self, inputs: Mapping[str, object], key: Any, state: Pytree) -> Result:
        # Feedbacks hold what is traced, and a simulator keeps what it has compiled.
        n, own = self.n_window, Simulator(self.simulator.model, self.simulator.dt)
        pure = own.pure(n * own.dt, monitors=self.monitors, free=[], inputs=inputs, sample_every=self.sample_every)
        return pure({}, key, state)

    def trained(self, flat: np.ndarray) -> dict[str, Feedback]:
        """Copies of the feedbacks with these parameters."""
        free, copies = self.unravel(jnp.asarray(flat, self.dtype)), copy.deepcopy(dict(self.loops))
        for port, loop in copies.items():
            for path, held in _trainable(inventory(loop)).items():
                held.value = free[port][path]
        return copies

    def named(self, loops: Mapping[str, Feedback]) -> dict[str, Numbers]:
        """The trained parameters, after transforms."""
        found = {port: inventory(loop) for port, loop in loops.items()}
        return {
            f"{port}.{path}": listed.params[path].value() if path in listed.params else held.value
            for port, listed in found.items()
            for path, held in _trainable(listed).items()
        }


def _loops(simulator: Simulator, feedback: Feedback | Mapping[str, Feedback]) -> dict[str, Feedback]:
    """The feedbacks by port."""
    what = Argument("feedback", _OWNER)
    if isinstance(feedback, Feedback):
        feedback = {places(simulator.model, None, None, what)[0].port: feedback}
    rule, example = "must be a feedback, or map ports to feedbacks", 'LinearFeedback(n, "x")'
    if not isinstance(feedback, Mapping) or not feedback:
        raise argument_error(what, rule, f"is {show(feedback)}", example, kind=TypeError)
    for loop in feedback.values():
        instance(what, loop, Feedback, "a feedback, or map ports to feedbacks", example=example)
    return dict(feedback)


def _at_sites(place: Place, loop: Feedback) -> Place:
    if loop.varshape != place.shape:
        what, rule = Argument("feedback", _OWNER), f"must have the shape of the population, {place.shape}"
        raise argument_error(what, rule, f"has in_size={loop.varshape} at {place.port}")
    return place if loop.sites is None else place._replace(sites=np.asarray(loop.sites))


def _check_given(inputs: Mapping[str, object], loops: Mapping[str, Feedback]) -> None:
    for port in loops.keys() & inputs.keys():
        given = inputs[port]
        if not isinstance(given, Drive | Noise) and (callable(given) or np.ndim(u.get_mantissa(given)) > 0):
            rule = "must be a number, a stimulus or a noise, as a feedback enters here, too"
            what = Argument("inputs", _OWNER, entry=port, text=f"Input {port!r} of {_OWNER}")
            raise argument_error(what, rule, f"is {show(given)}", "brainmass.Recording(n, data=rows, every=0.1 * u.ms)")
        if isinstance(given, Drive) and given.closing:
            what = Argument("inputs", _OWNER, entry=port, text=f"Input {port!r} of {_OWNER}")
            raise argument_error(what, "must have no feedback of its own", hint="Give it as `feedback`.")


def _trainable(found: Inventory) -> dict[str, Any]:
    """What holds the numbers that are trained, by path."""
    free = {path: param.val for path, param in found.params.items() if param.fit}
    # Layers of brainstate hold theirs in states of this kind, without a `Param` around them.
    return free | {path: x for path, x in found.tables.items() if isinstance(x, brainstate.ParamState)}


def _check_free(free: Mapping[str, Mapping[str, brainstate.State]], loops: Mapping[str, Feedback]) -> None:
    what, seen = Argument("feedback", _OWNER), {}
    for port, states in free.items():
        if not states:
            name = type(loops[port]).__name__
            rule = "must have parameters to be trained"
            example = f"{name}(..., gain=brainstate.nn.Param(0.0, fit=True))"
            raise argument_error(what, rule, f"the {name} at {port} has none", example)
        for path, held in states.items():
            if id(held) in seen:
                rule = "must have parameters of its own at each port"
                raise argument_error(what, rule, f"has one in two places, {seen[id(held)]} and {port}.{path}")
            seen[id(held)] = f"{port}.{path}"
