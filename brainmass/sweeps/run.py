"""`sweep`: many runs of one simulator, in batches, with what fails noted and what is done kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import flag, function, instance, whole
from brainmass._common.extras import import_io
from brainmass._common.memory import host_memory, runs_at_once
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.progress import progress_bar
from brainmass._common.typing import Array, Monitors, Numbers, PathLike, Period, Pytree, RunInputs, RunParameters, Time
from brainmass._common.version import __version__
from brainmass.simulation.identity import digest
from brainmass.simulation.inputs import Inputs
from brainmass.simulation.inventory import Inventory
from brainmass.simulation.lanes import Lanes
from brainmass.simulation.program import Program
from brainmass.simulation.result import Result
from brainmass.simulation.simulator import Simulator
from brainmass.simulation.watch import Told, Watched
from brainmass.sweeps.bounds import Extremes
from brainmass.sweeps.design import Design, as_design
from brainmass.sweeps.identity import identity
from brainmass.sweeps.jobs import Jobs, as_seeds
from brainmass.sweeps.layout import Layout, layout
from brainmass.sweeps.lock import only_writer
from brainmass.sweeps.machines.dask import as_client, n_workers, on_workers
from brainmass.sweeps.machines.processes import from_first, gathered, in_turn
from brainmass.sweeps.store import Elsewhere, File, Memory, as_store_path, remove_leftovers

if TYPE_CHECKING:
    from xarray import Dataset

__all__ = ["arranged", "sweep"]

T = TypeVar("T")
Measure = Callable[[Result], Any]


def sweep(
    simulator: Simulator,
    duration: Time | float,
    values: Mapping[str, Numbers],
    *,
    design: str = "grid",
    seeds: int | Sequence[int] = 1,
    monitors: Monitors = None,
    inputs: RunInputs = None,
    transient: Period | None = None,
    sample_every: Period | None = None,
    measure: Measure | None = None,
    common_random_numbers: bool = False,
    at_once: int | None = None,
    store: PathLike | None = None,
    resume: bool = True,
    progress: bool = False,
    cluster: object = None,
    attrs: Mapping[str, str] | None = None,
    parameters: RunParameters = None,
) -> Dataset:
    """Run a simulator for many values of its parameters, many runs at once. Needs the extra `io`.

    Parameters
    ----------
    simulator : Simulator
    duration : Quantity
        Length of each run.
    values : mapping of str to array, Quantity or list
        Values by name of the parameter, of the model (`"k"`, `"node.eta"`), of an input (`"x_inp.amplitude"`), of a
        course (`"parameters.a.amplitude"`) or of a monitor (`"bold.tau"`), as in `Simulator.pure(free=...)`; with
        units; along the first axis where each is an array.
        Of weights (`"conn"`) they may be connectomes; conduction lengths stay those of the network.
    design : {'grid', 'list'}
        Whether to go through all combinations, or through the values side by side; for the latter see also
        `random_design` and `sobol_design`.
    seeds : int or sequence of int
        How many runs there are at each point, with the seeds 0, 1, ..., or which seeds they have.
    monitors, inputs, transient, sample_every, parameters
        As in `Simulator.run`.
    measure : callable, optional
        `measure(result)`, from the result of one run to an array, a quantity or a mapping of them, in terms of
        `jax.numpy`: what to keep instead of trajectories.
    common_random_numbers : bool
        Whether all points have the same noise under the same seed.
    at_once : int, optional
        Number of runs side by side; default what memory allows, at most some hundreds.
    store : path, optional
        A `.zarr` folder or `.nc` file. Results are written as they come, and a sweep that was cut off goes on from
        there when it is called again. A `.zarr` is read from the disk piece by piece.
    resume : bool
        Whether to go on with a store that is there already.
    progress : bool
        Whether to show a progress bar.
    cluster : dask.distributed.Client, optional
        Whose workers run the batches; a batch whose worker dies is run again. Needs the extra `cluster`.
    attrs : mapping of str to str, optional
        Further attributes of the dataset, such as where its numbers come from; a store has those of the sweep that
        began it.

    Returns
    -------
    xarray.Dataset
        A variable for each monitor or measure. Its dimensions are the parameters (or `point`), `seed`, and those of
        one run: `time` in ms and `region`; axes of a measure are numbered, except of shapes (region,) and (region,
        region). `failed` says why a run failed, and is empty where it did not; the values of a run that failed are NaN.
        Under `jax.distributed` all processes call the same sweep and share its runs; all return the dataset, but with
        a `store` the first, which writes it, alone, and the others None.

    Raises
    ------
    ValueError, TypeError
        Before anything is run, where an argument is not right, or the store belongs to another sweep.
    RuntimeError
        If another sweep is writing to the store.

    Notes
    -----
    The run at point `p` (in C order) under seed `s` is `simulator.pure(...)(values, key)` with
    `key = jax.random.fold_in(jax.random.key(s), p)`, or `jax.random.key(s)` with common random numbers, whatever
    runs beside it.

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> simulator = brainmass.Simulator(brainmass.HopfStep(1), dt=0.1 * u.ms)
    >>> data = brainmass.sweep(simulator, 10 * u.ms, {"a": [-0.2, 0.0, 0.2]}, seeds=2, monitors=["x"])
    >>> dict(data["x"].sizes)
    {'a': 3, 'seed': 2, 'time': 100, 'region': 1}
    """
    what = partial(Argument, owner="sweep")
    instance(what("simulator"), simulator, Simulator, "a Simulator")
    for name, value in ("common_random_numbers", common_random_numbers), ("resume", resume), ("progress", progress):
        flag(what(name), value)
    if measure is not None:
        function(what("measure"), measure, "the result of a run")
    if attrs is not None:
        instance(what("attrs"), attrs, Mapping, "a mapping of str to str")
    import_io("xarray")
    client = None if cluster is None else as_client(cluster)
    if client is not None and jax.process_count() > 1:
        raise argument_error(
            Argument("cluster", "sweep"), "must be None under jax.distributed, whose processes share the runs"
        )
    path = None if store is None else as_store_path(store)
    settings = {
        "monitors": monitors, "inputs": inputs, "transient": transient, "sample_every": sample_every,
        "parameters": parameters,
    }  # fmt: skip
    all_runs = arranged(
        simulator, duration, values, design, seeds, settings, measure, common_random_numbers, at_once, path is None
    )
    lane, jobs = all_runs.lane, all_runs.jobs
    plan = dataclasses.replace(all_runs.layout, attrs={**(attrs or {}), **all_runs.layout.attrs})
    # Only where it is compared: what a file cannot tell of a function is warned of, and is no matter in memory.
    known_by: dict[str, str] = {}
    if path is not None or jax.process_count() > 1:
        known_by = identity(lane, _made(simulator, duration, settings), jobs)
    # The store is held until the dataset is read back.
    with ExitStack() as held:
        sink, size, pending = _begun(path, plan, known_by, all_runs.at_once, at_once, resume, held)
        if client is not None:
            make = partial(_on_worker, simulator.model, simulator.dt, duration, settings, measure, jobs, size)
            batches = on_workers(client, make, pending, _spread(size, len(pending), n_workers(client), at_once))
        elif jax.process_count() > 1:
            share = _spread(size, len(pending), jax.process_count(), at_once)
            here = Batches(lane, jobs, share)
            batches = in_turn(lambda runs: here.tried(runs, share), pending, share)
        else:
            batches = Batches(lane, jobs, size).of(pending)
        extremes = _go(batches, sink, len(pending), progress)
        extremes.warn(simulator._holds(duration, **settings), jobs.words)
        return sink.finish()


@dataclasses.dataclass(frozen=True)
class AllRuns:
    """What a sweep will do: one run as a function, the values and key of each, what they give, how many at once."""

    lane: Lane
    jobs: Jobs
    layout: Layout
    at_once: int


def arranged(
    simulator: Simulator,
    duration: Numbers,
    values: Mapping[str, Numbers],
    design: Any = "grid",
    seeds: Numbers = 1,
    settings: Mapping[str, Any] = MappingProxyType({}),
    measure: Measure | None = None,
    common_random_numbers: bool = False,
    at_once: int | None = None,
    in_memory: bool = False,
) -> AllRuns:
    """All runs of a sweep; all errors that there are before a run."""
    found = simulator._holds(duration, **settings)
    points = as_design(found, values, design)
    lane = Lane(simulator, duration, settings, measure, points)
    jobs = Jobs(points, as_seeds(seeds), common_random_numbers)
    plan, bytes_of_run = _explored(lane, jobs, simulator.model)
    if at_once is None:
        size = runs_at_once(plan.n_runs, bytes_of_run + plan.bytes_of_run, len(jax.local_devices()))
    else:
        size = min(whole(Argument("at_once", "sweep"), at_once), plan.n_runs)
    if in_memory:
        _check_fits(plan)
    return AllRuns(lane, jobs, plan, size)


class Lane:
    """One run: from values without units and a key to what is kept, and the first bad step of every state."""

    def __init__(
        self, simulator: Simulator, duration: Numbers, settings: Mapping[str, Any], measure: Any, design: Design
    ):
        self.dt = float(simulator.dt.to_decimal(u.ms))
        self.units = design.units
        self._measure = measure
        self._run = simulator._watched(duration, free=list(self.units), **settings)
        self._simulator, self._duration, self._settings = simulator, duration, settings
        self._pictures, self._things = simulator._pictures, {"measure": measure}

    def batched(self, devices: Sequence[Any]) -> Callable[..., Pytree]:
        """Many runs side by side as one program."""
        at_once = _made(self._simulator, self._duration, self._settings)[0].at_once
        # By the number of devices: a program is made for a mesh of them.
        lane, program = self.remembered(len(devices), lambda: (self, _program(self, devices, at_once)))
        lane._measure = self._measure  # which is alike, but may have been written anew
        return program

    def remembered(self, what: Hashable, make: Callable[[], T]) -> T:
        """What `make()` gives, made earlier if the model and all else but the values are the same."""
        program, found, given = _made(self._simulator, self._duration, self._settings)
        start = {} if program.makes_states else found.state_values()
        # What is not swept is a constant of the program.
        numbers = digest((found.raw(), given.arrays, program.courses.constants, start))
        key = ("sweep", tuple(self.units.items()), self._pictures.number(self._things), numbers, what)
        if key not in program.compiled:
            program.compiled[key] = make()
        return program.compiled[key]

    def whole(self, values: Mapping[str, Numbers], key: Numbers) -> tuple[Result, Mapping[str, Numbers], Told]:
        """The result of the run, what is kept of it, and what it tells of its states."""
        given = {n: x if (unit := self.units[n]) == u.UNITLESS else u.Quantity(x, unit=unit) for n, x in values.items()}
        result, told = self._run(given, key)
        if self._measure is None:
            return result, result.recorded, told
        with self._pictures.calling(self._things):
            return result, _named(self._measure, result), told

    def __call__(self, values: Mapping[str, Array], key: jax.Array) -> tuple[dict[str, Numbers], Watched]:
        """What is kept; and by state the first bad step, and of those that have bounds the extremes."""
        _, kept, told = self.whole(values, key)
        never, (bad, least, most) = np.iinfo(np.int32).max, told.watched
        watched = Watched(
            # No bad step is -1, which would be the least of all.
            {path: jnp.where(steps >= 0, steps, never).min(initial=never) for path, steps in bad.items()},
            {path: x.min() for path, x in least.items()},
            {path: x.max() for path, x in most.items()},
        )
        return {name: jnp.asarray(u.get_mantissa(value)) for name, value in kept.items()}, watched

    def reason(self, first: Mapping[str, Pytree]) -> str:
        """Why a run failed, from its first bad steps; empty if it did not."""
        path = min(first, key=lambda path: first[path], default=None)
        if path is None or first[path] == np.iinfo(np.int32).max:
            return ""
        return f"State `{path.removeprefix('model.')}` became infinite or NaN by {first[path] * self.dt:g} ms."


def _named(measure: Measure, result: Result) -> dict[str, Numbers]:
    """What a measure returns, by name."""
    measured = measure(result)
    measured = measured.recorded if isinstance(measured, Result) else measured
    if not isinstance(measured, Mapping):
        name = getattr(measure, "__name__", "")
        measured = {name if name.isidentifier() else "measure": measured}
    for name, value in measured.items():
        try:
            jnp.asarray(u.get_mantissa(value))
        except (TypeError, ValueError):
            raise argument_error(
                Argument("measure", "sweep"),
                "must return an array, a quantity or a mapping of them",
                f"returns {show(value)} as {name!r}",
                kind=TypeError,
            ) from None
    return {str(name): u.math.asarray(value) for name, value in measured.items()}


# --- before the first run -------------------------------------------------------------------------------------------
def _explored(lane: Lane, jobs: Jobs, model: brainstate.nn.Module) -> tuple[Layout, int]:
    """What a sweep will give, and the bytes that a run needs, from a trace of one run."""
    design = jobs.design
    values, keys = jobs.of(np.arange(1))
    one = {name: x[0] for name, x in values.items()}
    shapes = tuple((name, x.shape, x.dtype.str) for name, x in one.items())
    # A trace of a network takes as long as many short runs.
    result, kept, times, read = lane.remembered(shapes, lambda: _traced(lane, one, keys[0]))
    for axis in design.axes:
        if axis.name not in read:
            nothing = Argument("values", "sweep", entry=axis.name, text="Nothing in this run")
            raise argument_error(nothing, f"depends on `{axis.name}`, so there is nothing to sweep")
    times = {name: u.Quantity(np.asarray(u.get_mantissa(t)), unit=u.ms) for name, t in times.items()}
    attrs = {
        "brainmass": __version__,
        "jax": jax.__version__,
        "keys": "jax.random.key(seed)" if jobs.common else "jax.random.fold_in(jax.random.key(seed), point)",
    }
    labels = getattr(model, "labels", None)
    is_result = lane._measure is None
    plan = layout(design, jobs.seeds, result, None if is_result else kept, times, labels, attrs)
    sizes = jax.tree.leaves((result, {} if is_result else kept))
    return plan, sum(x.size * x.dtype.itemsize for x in sizes)


def _traced(
    lane: Lane, values: Mapping[str, Array], key: Numbers
) -> tuple[Result, dict[str, jax.ShapeDtypeStruct], dict[str, Numbers], set[str]]:
    """The shapes of one run's result and of what is kept of it, its times, and which of the values it reads.

    A delay that a network was made for is a parameter that its program never reads.
    """
    times: dict[str, Numbers] = {}

    def run(values: dict[str, Array], key: jax.Array) -> tuple[Result, Mapping[str, Numbers]]:
        result, kept, _ = lane.whole(values, key)
        times.update(result.times)
        return result, dict(kept)

    closed, (result, kept) = jax.make_jaxpr(run, return_shape=True)(values, key)
    # JAX takes a mapping apart by its sorted names, and values come before the key: so variables are told apart.
    used = {id(x) for equation in closed.jaxpr.eqns for x in equation.invars} | {id(x) for x in closed.jaxpr.outvars}
    read = {name for name, x in zip(sorted(values), closed.jaxpr.invars, strict=False) if id(x) in used}
    return result, kept, times, read


def _check_fits(plan: Layout) -> None:
    needed, free = plan.n_runs * plan.bytes_of_run, host_memory()
    if needed > free:
        raise MemoryError(
            f"The results of this sweep take {needed / 1e9:.3g} GB, and {free / 1e9:.3g} GB are free: give it "
            'a `measure`, a `sample_every`, or a file. Example: store="sweep.zarr".'
        )


def _made(simulator: Simulator, duration: Numbers, settings: Mapping[str, Any]) -> tuple[Program, Inventory, Inputs]:
    """The program of a run, what the model, its inputs and monitors hold, and the inputs."""
    every = settings["sample_every"]
    return simulator._program(
        duration, settings["inputs"], settings["monitors"], settings["transient"], every, False, None, None, (),
        settings["parameters"],
    )  # fmt: skip


def _begun(
    path: Any, plan: Layout, known_by: dict[str, str], size: int, asked: object, resume: bool, held: ExitStack
) -> tuple[Any, int, np.ndarray]:
    """Where results are put, how many runs go side by side and which there are to do, alike on all processes.

    A store that goes on keeps the number that it was begun with, unless another is asked for: batches of another size
    are another program, whose numbers may differ in the last bit.
    """
    sink: Any = Memory(plan) if path is None else Elsewhere(plan)

    def begin() -> tuple[int, np.ndarray]:
        nonlocal sink
        if path is not None:
            if held.enter_context(only_writer(path)):
                remove_leftovers(path)
            sink = File(path, plan, known_by, size, resume)
        known = sink.at_once if asked is None else None
        return known or size, sink.pending()

    if jax.process_count() == 1:
        begun = begin()  # which may put another sink in its place
        return sink, *begun
    # Compared before the first process opens the store, which another sweep may own.
    everyones = gathered(known_by)
    other = [name for name in known_by if any(its.get(name) != known_by[name] for its in everyones)]
    if other:
        raise ValueError(f"The processes of a sweep must all call the same one; what differs: {', '.join(other)}.")
    begun = from_first(begin)
    return sink, *begun


# --- running --------------------------------------------------------------------------------------------------------
def _go(batches: Iterator[tuple], sink: Memory | File | Elsewhere, n_pending: int, progress: bool) -> Extremes:
    bar, extremes = None, Extremes(sink.layout.n_runs)
    if progress:
        total = sink.layout.n_runs
        bar = progress_bar(total=total, initial=total - n_pending, desc="sweeping", unit="run")
    try:
        for runs, values, reasons, outermost in batches:
            sink.write(runs, values, reasons)
            extremes.note(runs, *outermost)
            if bar is not None:
                bar.update(len(runs))
    finally:
        if bar is not None:
            bar.close()
    return extremes


def _on_worker(model: Any, dt: Any, duration: Any, settings: Any, measure: Any, jobs: Jobs, n: int) -> Any:
    return Batches(Lane(Simulator(model, dt), duration, settings, measure, jobs.design), jobs, n)


def _spread(size: int, n_runs: int, workers: int, asked: int | None) -> int:
    """The size of batches, small enough for every worker to have one, unless one is asked for."""
    return size if asked is not None else max(1, min(size, -(-n_runs // workers)))


class Batches:
    """Runs side by side, `at_once` of them, as one compiled program; the last batch is filled up."""

    def __init__(self, lane: Lane, jobs: Jobs, at_once: int):
        self.lane, self.jobs, self.at_once = lane, jobs, at_once
        self._program: Callable[..., Pytree] | None = None

    def of(self, pending: np.ndarray) -> Iterator[tuple]:
        """Runs, what is kept of them, why they failed, and the least and the largest values of states with bounds."""
        start = 0
        while start < len(pending):
            # Batches become smaller on the way where memory does not hold so many.
            runs = pending[start : start + self.at_once]
            start += len(runs)
            yield from self.tried(runs, self.at_once)

    def tried(self, runs: np.ndarray, size: int) -> list[tuple]:
        """The runs as one batch, or in halves where that raises an error, down to the run that does."""
        try:
            values, watched = self._computed(runs, size)
        except Exception as error:
            if len(runs) == 1:
                return [(runs, {}, [_in_words(error)], ({}, {}))]
            half = -(-len(runs) // 2)
            parts = self.tried(runs[:half], half) + self.tried(runs[half:], half)
            if len(parts) == 2 and self._are_fine(parts):  # together they were too many
                self.at_once = min(self.at_once, half)
            return parts
        reasons = [self.lane.reason({path: steps[i] for path, steps in watched.bad.items()}) for i in range(len(runs))]
        failed = np.array([bool(reason) for reason in reasons])

        def without(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: _without(x, failed) for name, x in values.items()}

        # Extremes too: a state that became infinite has left its bounds, and its run is told of as failed.
        return [(runs, without(values), reasons, (without(watched.least), without(watched.most)))]

    @staticmethod
    def _are_fine(parts: list[tuple]) -> bool:
        return all(part[1] for part in parts)

    def _computed(self, runs: np.ndarray, size: int) -> tuple[dict[str, np.ndarray], Watched]:
        if self._program is None:
            self._program = self.lane.batched(jax.local_devices())
        # Runs from the beginning once more, so that all batches have one shape and are one program.
        filled = np.resize(runs, _multiple(size, len(jax.local_devices())))
        return jax.tree.map(lambda x: np.asarray(x)[: len(runs)], self._program(*self.jobs.of(filled)))


def _multiple(size: int, n: int) -> int:
    return -(-size // n) * n


def _program(lane: Lane, devices: Sequence[Any], at_once: int | None) -> Callable[..., Pytree]:
    """A batch of runs as one program; with several devices each has its share of the runs."""
    return Lanes(lane, 0, 0, at_once, devices).on_host


def _without(values: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Floating-point values, NaN where a run failed."""
    values = values if values.dtype.kind in "fc" else values.astype(np.float64)
    if not failed.any():
        return values
    return np.where(failed.reshape(-1, *(1,) * (values.ndim - 1)), np.asarray(np.nan, values.dtype), values)


def _in_words(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else ''}"[:300]
