"""Trials: runs with a stimulus, each with its own noise, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import brainunit as u
import jax
import numpy as np

from brainmass._common.checks import instance, is_function, is_traced, one_of, whole
from brainmass._common.memory import runs_at_once
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.times import many_milliseconds, milliseconds
from brainmass._common.typing import Period, RunParameters, Time
from brainmass.forward.observer import Observer
from brainmass.responses.measures import Window, rows_in
from brainmass.simulation.inputs import Inputs
from brainmass.simulation.inventory import Inventory
from brainmass.simulation.monitors import Monitor
from brainmass.simulation.program import Program
from brainmass.simulation.simulator import Simulator
from brainmass.stimuli.algebra import Drive
from brainmass.stimuli.waveforms import Stimulus
from brainmass.sweeps.jobs import as_seeds

__all__ = ["Study", "Trial"]

_TRIALS = 50


class Trial(NamedTuple):
    """The number of a point and of a seed, and the response, shape (time, region)."""

    point: int
    seed: int
    values: np.ndarray


class Study:
    """Runs of a simulator for each seed, and for each of some values of its parameters, of which one signal is kept.

    Attributes
    ----------
    name : str
        Of the signal.
    time : Quantity (T,)
        Of its samples after the onset.
    labels : tuple of str or None
        Of regions or sensors.
    """

    def __init__(
        self,
        owner: str,
        simulator: Simulator,
        duration: Time,
        inputs: Mapping[str, object],
        of: object,
        onset: Time | None,
        seeds: Any,
        baseline: Window,
        against: str | None,
        transient: Period | None,
        sample_every: Period | None,
        parameters: RunParameters,
        at_once: int | None,
    ):
        self.owner, self.simulator, self.duration = owner, simulator, duration
        instance(Argument("simulator", owner), simulator, Simulator, "a Simulator", example="Simulator(model, dt=dt)")
        self.inputs = _checked_inputs(owner, inputs)
        self.name = _checked_signal(owner, of)
        one_of(Argument("against", owner), against, ("baseline", "sham", None))
        if against != "baseline" and baseline is not None:
            rule = "has an effect with against='baseline' alone"
            raise argument_error(Argument("baseline", owner), rule, f"is given beside against={against!r}")
        self.against = against
        self.at_once = None if at_once is None else whole(Argument("at_once", owner), at_once)
        self.onset = onset_of(owner, self.inputs, onset)
        monitors: dict[str, Any] = {self.name: of}
        self.settings: dict[str, Any] = {
            "monitors": monitors, "inputs": self.inputs, "transient": transient, "sample_every": sample_every,
            "parameters": parameters,
        }  # fmt: skip
        s = self.settings
        program, found, given = simulator._program(
            duration, s["inputs"], s["monitors"], s["transient"], s["sample_every"], False, None, None, (),
            s["parameters"],
        )  # fmt: skip
        self.seeds = self._checked_seeds(seeds, program, found, given)
        like = jax.eval_shape(lambda: simulator._watched(duration, free=[], **s)({}, 0)[0])
        if self.name not in like:
            raise argument_error(Argument("of", owner), "must give numbers", "gives None", 'of="x"', kind=TypeError)
        self.unit: u.Unit = u.get_unit(like[self.name])
        self.shape = tuple(u.math.shape(like[self.name]))
        if len(self.shape) not in (1, 2):
            rule = "must have one number, or one for each region or sensor, at a time"
            raise argument_error(Argument("of", owner), rule, f"is of shape {self.shape[1:]}")
        self.shape = (*self.shape, 1)[:2]
        plan = program.plan
        steps = plan.transient + plan.periods[self.name] * np.arange(1, plan.n_samples(self.name) + 1)
        stamps = steps * milliseconds("dt", simulator.dt) - self.onset
        self.time = u.Quantity(stamps, unit=u.ms)
        names = like.sensors.get(self.name, like.labels)
        self.labels = names if names is not None and len(names) == self.shape[1] else None
        self._check_times(stamps)
        self.rows = None
        if against == "baseline":
            before = (float(stamps[0]), float(stamps[stamps <= 1e-6].max()))
            self.rows = rows_in(Argument("baseline", owner), baseline, stamps, before)

    def trials(self, values: Mapping[str, np.ndarray]) -> Iterator[Trial]:
        """The responses of all seeds at all points; `values` are those of parameters, without unit, side by side."""
        sham: dict[int, np.ndarray] = {}
        if self.against == "sham":
            others = {name: x for name, x in self.inputs.items() if not isinstance(x, Drive)}
            sham = {t.seed: t.values for t in self._run({**self.settings, "inputs": others or None}, {})}
        for trial in self._run(self.settings, values):
            response = trial.values
            if self.against == "sham":
                response = response - sham[trial.seed]
            elif self.rows is not None:
                response = response - response[self.rows].mean(axis=0)
            yield Trial(trial.point, trial.seed, response)

    def _run(self, settings: Mapping[str, Any], values: Mapping[str, np.ndarray]) -> Iterator[Trial]:
        """All runs, as many side by side as memory allows; the last part is filled up, to be the same program."""
        n_points = len(next(iter(values.values()))) if values else 1
        n_runs = n_points * len(self.seeds)
        # a run needs its samples twice, as a sweep reckons
        fitting = runs_at_once(n_runs, 2 * 8 * int(np.prod(self.shape)), len(jax.local_devices()))
        size = min(n_runs if self.at_once is None else self.at_once, n_runs, fitting)
        for start in range(0, n_runs, size):
            runs = np.minimum(np.arange(start, start + size), n_runs - 1)
            points, seeds = np.divmod(runs, len(self.seeds))
            own = {name: x[points] for name, x in values.items()}
            result = self.simulator._trials(self.duration, self.seeds[seeds], settings, own)
            found = result[self.name]
            if is_traced(found):
                raise TypeError(
                    f"{self.owner} works with numbers, and cannot be within jax.jit, grad or vmap. There, map "
                    "`Simulator.pure` over keys, and take the measures of brainmass.objectives."
                )
            each = np.moveaxis(np.asarray(u.get_mantissa(found), float), 1, 0)
            for point, seed, one in zip(points[: n_runs - start], seeds, each, strict=False):
                yield Trial(int(point), int(seed), one.reshape(self.shape))

    # --- what was given ---------------------------------------------------------------------------------------------
    def _checked_seeds(self, seeds: Any, program: Program, found: Inventory, given: Inputs) -> np.ndarray:
        random = program.random_parts(found.raw(), given.arrays, program.makes_states)
        chosen = as_seeds((_TRIALS if random else 1) if seeds is None else seeds, self.owner)
        if len(chosen) > 1 and not random:
            rule = "must be one, as nothing here is random"
            raise argument_error(Argument("seeds", self.owner), rule, f"is {show(seeds)}")
        return chosen

    def _check_times(self, stamps: np.ndarray) -> None:
        first, last = stamps[0], stamps[-1]
        rule = "must lie within what is recorded"
        if self.against == "baseline":
            rule += ", two samples after its beginning or more, for a baseline"
        enough = len(stamps) > 1 and (stamps[1] <= 1e-6 if self.against == "baseline" else first <= 1e-6)
        if not enough or last <= 0:
            got = f"is at {self.onset:g} ms, and samples go from {first + self.onset:g} to {last + self.onset:g} ms"
            raise argument_error(Argument("onset", self.owner), rule, got)


def onset_of(owner: str, inputs: Mapping[str, object], onset: Time | None) -> float:
    """When the stimulus begins, in ms."""
    if onset is not None:
        return milliseconds("onset", onset, owner)
    stimuli = [x for x in inputs.values() if isinstance(x, Stimulus)]
    onsets = sorted({float(t) for x in stimuli for t in many_milliseconds(x.p.onset).ravel()})
    if len(onsets) != 1:
        held = f"begins at {len(onsets)} times" if onsets else "has no Stimulus that says when it begins"
        raise argument_error(
            Argument("onset", owner), "must be given", f"what `inputs` holds {held}", "onset=200 * u.ms"
        )
    return onsets[0]


def _checked_inputs(owner: str, inputs: object) -> dict[str, Any]:
    what, example = Argument("inputs", owner), 'inputs={"x_inp": brainmass.Pulse(n, onset=200 * u.ms)}'
    if not isinstance(inputs, Mapping) or not inputs or not all(isinstance(name, str) for name in inputs):
        raise argument_error(what, "must map ports to what enters them", f"is {show(inputs)}", example, kind=TypeError)
    if not any(isinstance(x, Drive) for x in inputs.values()):
        raise argument_error(what, "must have a stimulus", f"is {show(inputs)}", example, kind=TypeError)
    return dict(inputs)


def _checked_signal(owner: str, of: object) -> str:
    """The name of the signal."""
    if not isinstance(of, str | Observer | Monitor) and not is_function(of):
        rule = "must be the name of a state, an observer, a Monitor, or a function of the model"
        raise argument_error(Argument("of", owner), rule, f"is {show(of)}", 'of="x"', kind=TypeError)
    return of if isinstance(of, str) else "response"
