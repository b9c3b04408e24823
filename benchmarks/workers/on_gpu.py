"""Runs on the GPU that is there: equality with the CPU, and speed. A JSON line for each thing that was measured.

`python on_gpu.py dry` is the same in small, on whatever JAX computes with.
"""

import json
import math
import sys
import time
from typing import NamedTuple

import jax
import numpy as np
from batches import GPU_REGIONS, batch
from ours import wong_wang_monitors, wong_wang_simulator

from benchmarks.gpu.cards import cards
from benchmarks.gpu.programs import Program


class Sizes(NamedTuple):
    compared: int  # runs that are compared with the CPU's
    seconds: dict  # of model time, of each of them
    runs: int  # at once, for their speed
    longest: int  # s of model time of these
    gradients: int  # at once, at most
    subjects: int
    steps: int  # of a fit
    fitted: int  # s of model time of a gradient and of a fit


FULL = Sizes(16, {"mpr": 0.1, "mpr_delays": 0.1, "wong_wang": 10}, 32_768, 60, 1024, 100, 10, 2)
DRY = Sizes(2, {"mpr": 0.002, "mpr_delays": 0.002, "wong_wang": 2}, 2, 2, 2, 2, 2, 2)
PATIENCE = 240  # s: 60 s of model time are cut short on a card that would take longer


def told(**facts):
    print(json.dumps(facts), flush=True)


def given(lanes):
    """Couplings and keys of so many runs."""
    keys = np.stack([np.zeros(lanes), np.arange(lanes)], axis=1).astype(np.uint32)  # those of `jax.random.key(seed)`
    return np.linspace(0.1, 1.0, lanes, dtype=np.float32), keys


def compare(sizes):
    """Mean and standard deviation over time of each region and run, all at once and on the CPU one after the other."""
    couplings, keys = given(sizes.compared)
    for what, seconds in sizes.seconds.items():
        run = jax.jit(batch(what, "recorded", seconds).function)
        here = np.asarray(run(couplings, keys), float)
        with jax.default_device(jax.devices("cpu")[0]):
            each = [run(couplings[i : i + 1], keys[i : i + 1]) for i in range(sizes.compared)]
        there = np.concatenate(each).astype(float)
        statistics = (here.mean(1), there.mean(1)), (here.std(1), there.std(1))
        mean, sd = (np.abs(a - b).max() / np.abs(b).max() for a, b in statistics)
        told(measured="equality", run=what, runs=sizes.compared, model_s=seconds, mean=mean, sd=sd)


def timed(compiled, arguments):
    start = time.perf_counter()
    jax.block_until_ready(compiled(*arguments))
    return time.perf_counter() - start


def estimated(compiled):
    """Seconds that the figures of this card allow, if they are known."""
    device = jax.devices()[0]
    card = next((card for name, card in cards().items() if name in device.device_kind), None)
    return None if card is None else card.estimate(Program(compiled.as_text()).launches).seconds


def compiled_for(what, of, seconds, lanes):
    made = batch(what, of, seconds)
    return made, jax.jit(made.function).lower(*given(lanes)).compile()


def speed(sizes):
    """Node-steps a second of the reduced Wong-Wang model with BOLD."""
    made, compiled = compiled_for("wong_wang", "mean", 1, sizes.runs)
    timed(compiled, given(sizes.runs))  # libraries are loaded
    second = timed(compiled, given(sizes.runs))
    seconds = max(1, min(sizes.longest, math.floor(PATIENCE / second)))
    made, compiled = compiled_for("wong_wang", "mean", seconds, sizes.runs)
    wall = timed(compiled, given(sizes.runs))
    rate = sizes.runs * made.regions * made.steps / wall
    told(measured="runs", runs=sizes.runs, model_s=seconds, wall=wall, node_steps=rate, estimate=estimated(compiled))


def gradients(sizes):
    """As many at once as there is memory for."""
    limit = (jax.devices()[0].memory_stats() or {}).get("bytes_limit", math.inf)
    lanes = sizes.gradients
    while True:
        _, compiled = compiled_for("wong_wang", "gradient", sizes.fitted, lanes)
        if compiled.memory_analysis().temp_size_in_bytes < 0.9 * limit or lanes == 1:
            break
        lanes //= 2
    timed(compiled, given(lanes))
    wall = timed(compiled, given(lanes))
    told(measured="gradients", runs=lanes, model_s=sizes.fitted, wall=wall, estimate=estimated(compiled))


def fits(sizes):
    """One coupling strength for each subject, from BOLD that is simulated with another."""
    import brainunit as u
    import optax

    import brainmass
    from brainmass.objectives import timeseries_rmse

    simulator, monitors = wong_wang_simulator(GPU_REGIONS), wong_wang_monitors(GPU_REGIONS)
    made = batch("wong_wang", "recorded", sizes.fitted)
    recorded = np.asarray(jax.jit(made.function)(*given(sizes.subjects)))
    fitter = brainmass.Fitter(
        simulator,
        optax.adam(0.02),
        duration=sizes.fitted * u.second,
        monitors=monitors,
        objective=timeseries_rmse(),
        search_space={"coupling.k": (0.05, 1.5)},
    )
    targets = {str(subject): row for subject, row in enumerate(recorded)}
    brainmass.fit_each(fitter, targets, 1)
    start = time.perf_counter()
    found = brainmass.fit_each(fitter, targets, sizes.steps)
    wall = time.perf_counter() - start
    fell = float(np.mean([result.history[-1] < result.history[0] for result in found.values()]))
    told(measured="fits", runs=sizes.subjects, steps=sizes.steps, model_s=sizes.fitted, wall=wall, fell=fell)


if __name__ == "__main__":
    dry = sys.argv[1:] == ["dry"]
    device = jax.devices()[0]
    if device.platform != "gpu" and not dry:
        sys.stderr.write(f"No GPU: JAX computes on {device.device_kind} ({device.platform}) here.\n")
        sys.exit(2)
    sizes = DRY if dry else FULL
    told(measured="device", kind=device.device_kind, platform=device.platform)
    for part in compare, speed, gradients, fits:
        start = time.perf_counter()
        part(sizes)
        told(measured="time", part=part.__name__, wall=time.perf_counter() - start)
