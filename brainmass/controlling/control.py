"""`control`: the stimulus that brings a run where it should be, at the least cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import brainunit as u
import numpy as np
import optax

from brainmass._common.checks import instance, number, numbers, whole
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import ArrayLike, Monitors, Numbers, Period, Pytree, RunInputs, Seed, Time
from brainmass.controlling.costs import GivenCosts
from brainmass.controlling.optimizers import minimizer
from brainmass.controlling.outcome import Control
from brainmass.controlling.problem import Place, Sites, places
from brainmass.controlling.receding import receding
from brainmass.controlling.schedule import Schedule
from brainmass.controlling.search import Search, check_seed
from brainmass.simulation.plan import steps_in
from brainmass.simulation.simulator import Simulator
from brainmass.stimuli.recordings import Recording

__all__ = ["control"]

_OWNER = "control"


def control(
    simulator: Simulator,
    duration: Time,
    cost: GivenCosts,
    *,
    ports: str | Sequence[str] | None = None,
    sites: Sites = None,
    every: Period | None = None,
    limits: Sequence[ArrayLike | None] | None = None,
    start: ArrayLike | Mapping[str, ArrayLike] | None = None,
    inputs: RunInputs = None,
    monitors: Monitors = None,
    sample_every: Period | None = None,
    state: Mapping[str, Pytree] | None = None,
    optimizer: str | optax.GradientTransformation = "L-BFGS-B",
    n_steps: int = 100,
    tolerance: float = 1e-9,
    n_noises: int = 1,
    n_validation: int = 100,
    horizon: Period | None = None,
    advance: Period | None = None,
    seed: Seed = None,
) -> Control:
    r"""Find what to put into a model, so that its run costs least: optimal control by gradients through the run.

    The control is free at each step, or at each `every`, in each site; the gradient of the cost goes back through the
    run of the simulator itself, with coupling, delays and noise.

    Parameters
    ----------
    simulator : Simulator
    duration : Quantity
        Length of the run.
    cost : Cost, function, or several of them in a list or a mapping
        `TrackingCost`, `EnergyCost`, `SparsityCost`, `SmoothnessCost`, or a function of the `Result` that returns one
        number, for example an objective of what it records; their sum counts.
    ports : str or list of str, optional
        Input ports that are controlled, `population.port` where there are several; default the first of the model.
    sites : list of int or str, optional
        The regions, by number or name; default all.
    every : Quantity or int, optional
        Time, or steps, for which the control holds, a whole part of the duration; default one step.
    limits : (low, high), optional
        Of the control, in the unit of the port; one that is None is open.
    start : number, or mapping of arrays (K, sites) by port, optional
        Where the search starts; default zero.
    inputs : mapping, optional
        What else enters, as of `Simulator.run`; the control is added to what is given at its ports.
    monitors, sample_every : optional
        What functions of the result need, as of `Simulator.run`; default all states, at each step.
    state : optional
        Where the run begins, as of `Simulator.run`: `result.final`, or states by name.
    optimizer : 'L-BFGS-B', 'CG', or an optimiser of optax
        Nonlinear conjugate gradients take no limits.
    n_steps : int
        Largest number of steps of the search; with a receding horizon of each plan.
    tolerance : float
        Relative change of the cost at which L-BFGS-B ends.
    n_noises : int
        Noises, the same in all steps, over which the cost is averaged. An optimiser of optax meets fresh ones in each
        step.
    n_validation : int
        Fresh noises on which the cost of the control is told, where there is noise.
    horizon, advance : Quantity or int, optional
        Receding horizon: plan over `horizon`, do the first `advance` of it, see where the run is, and plan again.
        Default the whole run at once.
    seed : int or JAX key, optional
        Of the noises, where there are some, and of random initial states.

    Returns
    -------
    Control
        Its `stimuli` and `inputs` are what a run takes.

    Raises
    ------
    ValueError, TypeError
        For ports, sites or samples that are not there, limits that exclude the start, a random model without a seed.
    DivergenceError
        If the run under a control becomes infinite or NaN; it says in which step of the search.

    References
    ----------
    Salfenmoser, Obermayer 2022, Front. Comput. Neurosci. 16:931121; Nocedal, Wright 2006, Numerical Optimization.

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> simulator = brainmass.Simulator(brainmass.LinearStep(1, gamma=-1.0), dt=0.1 * u.ms)
    >>> cost = [brainmass.TrackingCost("x", 0.0), brainmass.EnergyCost(0.1)]
    >>> found = brainmass.control(simulator, 2 * u.ms, cost, state={"x": 1.0})
    >>> bool(found.cost < found.history[0])
    True
    """
    instance(
        Argument("simulator", _OWNER), simulator, Simulator, "a Simulator", example="Simulator(model, dt=0.1 * u.ms)"
    )
    if inputs is not None and not isinstance(inputs, Mapping):
        raise argument_error(Argument("inputs", _OWNER), "must map ports to what enters them", f"is {show(inputs)}")
    dt = simulator.dt
    n = steps_in("duration", duration, dt, _OWNER, minimum=1)
    hold = 1 if every is None else steps_in("every", every, dt, _OWNER, minimum=1)
    if (horizon is None) != (advance is None):
        raise argument_error(Argument("horizon", _OWNER), "must be given together with `advance`")
    ahead = n if horizon is None else min(steps_in("horizon", horizon, dt, _OWNER, minimum=1), n)
    # The last value would hold for less than it is charged for: energies are sums over whole `every`.
    for name, length in {"duration": n, "horizon": ahead}.items():
        if length % hold:
            raise argument_error(
                Argument("every", _OWNER), f"must divide the `{name}`", f"is {show(every)}, of {show(length * dt)}"
            )
    for name, value in {"n_steps": n_steps, "n_noises": n_noises, "n_validation": n_validation}.items():
        whole(Argument(name, _OWNER), value)
    number(Argument("tolerance", _OWNER), tolerance, ">= 0", lambda x: x >= 0)
    where = places(simulator.model, ports, sites, Argument("ports", _OWNER))
    problem = Schedule(simulator, n, ahead, hold, cost, where, inputs or {}, monitors, sample_every)
    noisy = check_seed(problem, state, seed, n_noises)
    first = _start(problem, start)
    bounds = _bounds(problem, limits, first)
    search = Search(problem, minimizer(optimizer, n_steps, tolerance, bounds), optimizer, n_noises, seed)
    if horizon is None:
        flat, history, ended = search.plan(first, state, 0)
        values = {name: np.asarray(v) for name, v in problem.split(flat).items()}
        whole_problem = problem
    else:
        step = steps_in("advance", advance, dt, _OWNER, minimum=1)
        values, history, ended = receding(search, problem, first, state, n, step, inputs)
        whole_problem = Schedule(simulator, n, n, hold, cost, where, inputs or {}, monitors, sample_every)
        search = Search(whole_problem, search.minimize, optimizer, n_noises, seed)
        flat = np.concatenate([values[place.port].ravel() for place in where])
    return _outcome(search, whole_problem, flat, values, history, ended, state, noisy, n_validation, inputs or {})


# --- what was given ---------------------------------------------------------------------------------------------------
def _start(problem: Schedule, start: ArrayLike | Mapping[str, ArrayLike] | None) -> np.ndarray:
    parts = []
    for place in problem.places:
        given = start.get(place.port, 0.0) if isinstance(start, Mapping) else 0.0 if start is None else start
        shape = (problem.n_values, place.sites.size)
        plain = _plain(Argument("start", _OWNER), given, place)
        if plain.shape not in ((), (1,), shape[1:], shape):
            rule = f"must be one number, or of shape {shape} at {place.port}"
            raise argument_error(Argument("start", _OWNER), rule, f"has shape {plain.shape}")
        parts.append(np.broadcast_to(plain, shape).ravel())
    # What it names beyond the ports would else be dropped without a word.
    if isinstance(start, Mapping) and (unknown := set(start) - {place.port for place in problem.places}):
        raise argument_error(
            Argument("start", _OWNER), f"has no effect on {sorted(unknown)[0]!r}, which is not controlled"
        )
    return np.concatenate(parts)


def _plain(what: Argument, given: ArrayLike, place: Place) -> np.ndarray:
    """Numbers in the unit of the port."""
    given = numbers(what, given)
    if u.get_unit(given).dim != u.DIMENSIONLESS:
        given = numbers(what, given, unit=place.unit)
    plain = np.asarray(u.maybe_decimal(given), float)
    if np.isnan(plain).any():
        raise argument_error(what, "must not be NaN")
    return plain


def _bounds(
    problem: Schedule, limits: Sequence[ArrayLike | None] | None, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Lowest and highest values of all that is free; None where all are open."""
    what = Argument("limits", _OWNER)
    if limits is None:
        return None
    if not isinstance(limits, tuple | list) or len(limits) != 2:
        raise argument_error(what, "must be (low, high)", f"is {show(limits)}", "limits=(-1.0, 1.0)")
    ends = []
    for end, open_ in zip(limits, (-np.inf, np.inf), strict=True):
        each = [np.array(open_) if end is None else _plain(what, end, place) for place in problem.places]
        if any(x.shape for x in each):
            raise argument_error(what, "must be two numbers, or None", f"is {show(limits)}", "limits=(-1.0, 1.0)")
        ends.append(np.repeat([float(x) for x in each], problem.sizes))
    low, high = ends
    if not (low < high).all():
        raise argument_error(what, "must go from low to high", f"is {show(limits)}")
    if (start < low).any() or (start > high).any():
        outside = start[(start < low) | (start > high)][0]
        raise argument_error(what, "must include the start", f"is {show(limits)}, and the search starts at {outside:g}",
                             hint="Give `start`.")  # fmt: skip
    return low, high


# --- what comes back --------------------------------------------------------------------------------------------------
def _outcome(
    search: Search,
    problem: Schedule,
    flat: np.ndarray,
    values: Mapping[str, np.ndarray],
    history: list[float],
    ended: str,
    state: Pytree,
    noisy: bool,
    n_validation: int,
    inputs: Mapping[str, object],
) -> Control:
    cost, costs, validation = search.outcome(flat, state, n_validation if noisy else 0)
    dt, every = problem.simulator.dt, problem.hold * problem.dt
    stimuli, entering = {}, dict(inputs)
    for place in problem.places:
        size = int(np.prod(place.shape))
        own = np.zeros((len(values[place.port]), size))
        own[:, place.sites] = values[place.port]
        stimuli[place.port] = _recording(place, own, every)
        entering[place.port] = stimuli[place.port]
        base = problem.base[place.port][: problem.n_window]
        # What is given may change at each step, and so does the sum; alone, the control has one row for each `every`.
        if base.any():
            both = np.repeat(own, problem.hold, axis=0)[: problem.n_window] + base
            entering[place.port] = _recording(place, both, problem.dt)
    return Control(
        values={p.port: u.maybe_decimal(values[p.port] * p.unit) for p in problem.places},
        sites={p.port: p.sites for p in problem.places},
        every=u.Quantity(every, unit=u.ms),
        stimuli=stimuli,
        inputs=entering,
        cost=cost,
        costs=costs,
        history=np.array(history),
        validation=validation,
        ended=ended,
        simulator=problem.simulator,
        duration=problem.n_window * dt,
        state=state,
    )


def _recording(place: Place, rows: Numbers, every: float) -> Recording:
    unit = 1.0 if place.unit.dim == u.DIMENSIONLESS else 1.0 * place.unit
    data = rows.reshape(len(rows), *place.shape)
    # Held, and zero after its end: as the run was that the cost was worked out with.
    return Recording(place.shape, data=data, every=every * u.ms, interpolate=False, after="zero", amplitude=unit)
