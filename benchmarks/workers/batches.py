"""Batches of runs for a GPU, as functions of a coupling strength and a key for each."""

from typing import NamedTuple

from ours import delayed_simulator, simulator, wong_wang_monitors, wong_wang_simulator
from problem import DT, REGIONS, WONG_WANG_DT

GPU_REGIONS = 100  # of the reduced Wong-Wang model: those of the public record


class Batch(NamedTuple):
    function: object  # of couplings (lanes,) and keys (lanes, 2): what is recorded, its mean, or that with its slope
    steps: int
    regions: int


def batch(what, of="mean", seconds=None):
    """`what` is "mpr", "mpr_delays" or "wong_wang"; `of` is "recorded", "mean" or "gradient"."""
    import brainunit as u
    import jax
    import jax.numpy as jnp

    if what == "wong_wang":
        sim, regions, dt, name = wong_wang_simulator(GPU_REGIONS), GPU_REGIONS, WONG_WANG_DT, "bold"
        steps = round((seconds or 10) * 1000 / dt)
        run = sim.pure(steps * dt * u.ms, monitors=wong_wang_monitors(regions), free=["coupling.k"])
    else:
        sim = simulator() if what == "mpr" else delayed_simulator(REGIONS, noisy=True)
        regions, dt, name = REGIONS, DT, "r"
        steps = round((seconds or 0.1) * 1000 / dt)
        run = sim.pure(steps * dt * u.ms, monitors=["r"], sample_every=steps // 10, free=["coupling.k"])

    def recorded(k, key):
        return u.get_mantissa(run({"coupling.k": k}, key)[name])

    def mean(k, key):
        return jnp.mean(recorded(k, key))

    functions = {"recorded": recorded, "mean": mean, "gradient": jax.value_and_grad(mean)}
    return Batch(jax.vmap(functions[of]), steps, regions)
