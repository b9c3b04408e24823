"""brainmass: cases of the benchmark, one per process."""

import sys
import time

from problem import COUPLING, DELTA, DT, ETA, NOISE_R, NOISE_V, REGIONS, SAMPLE_EVERY, J, delay_steps, weights
from protocol import serve


def simulator():
    import brainunit as u

    import brainmass

    node = brainmass.MontbrioPazoRoxinStep(
        REGIONS,
        eta=ETA,
        delta=DELTA / u.ms,
        J=J,
        method="heun",
        noise_r=brainmass.WhiteNoise(REGIONS, sigma=NOISE_R / u.ms),
        noise_v=brainmass.WhiteNoise(REGIONS, sigma=NOISE_V),
    )
    network = brainmass.Network(node, conn=weights(), coupling="additive", coupled_var="r", k=COUPLING)
    return brainmass.Simulator(network, dt=DT * u.ms)


def forward(n_steps):
    import brainunit as u
    import jax

    sim = simulator()

    def run():
        result = sim.run(n_steps * DT * u.ms, monitors=["r", "v"], sample_every=SAMPLE_EVERY, seed=0)
        jax.block_until_ready(result["r"])

    return run


def delays(n_steps, regions):
    import brainunit as u
    import jax

    import brainmass

    node = brainmass.MontbrioPazoRoxinStep(regions, eta=ETA, delta=DELTA / u.ms, J=J, method="heun")
    lengths = delay_steps(regions) * DT * u.mm
    options = dict(conn=weights(regions), distance=lengths, speed=1.0 * u.mm / u.ms)
    network = brainmass.Network(node, coupling="additive", coupled_var="r", k=COUPLING, **options)
    sim = brainmass.Simulator(network, dt=DT * u.ms)

    def run():
        result = sim.run(n_steps * DT * u.ms, monitors=["r", "v"], sample_every=SAMPLE_EVERY, seed=0)
        jax.block_until_ready(result["r"])

    return run


def delays_84(n_steps):
    return delays(n_steps, 84)


def delays_400(n_steps):
    return delays(n_steps, 400)


def bold(n_steps):
    import brainunit as u
    import jax

    import brainmass

    sim = simulator()
    period = n_steps // 10

    def run():
        monitors = {"bold": brainmass.Monitor(brainmass.BOLDSignal(REGIONS), every=period)}
        result = sim.run(n_steps * DT * u.ms, monitors=monitors, seed=0)
        jax.block_until_ready(result["bold"])

    return run


def compiled_functions(n_steps):
    """The run and its gradient for the coupling strength and all excitabilities, compiled ahead of time."""
    import brainunit as u
    import jax
    import jax.numpy as jnp

    run = simulator().pure(n_steps * DT * u.ms, monitors=["r"], sample_every=n_steps // 10, free=["k", "eta"])
    values = {"k": jnp.float32(COUPLING), "eta": jnp.full(REGIONS, ETA, jnp.float32)}

    def loss(v):
        return u.get_mantissa(run(v, 0)["r"]).mean()

    forward = jax.jit(loss).lower(values).compile()
    gradient = jax.jit(jax.value_and_grad(loss)).lower(values).compile()
    return values, forward, gradient


def gradient(n_steps):
    """One forward run and one gradient, in turn, in the same process."""
    import jax

    values, forward, gradient = compiled_functions(n_steps)
    memory = gradient.memory_analysis().temp_size_in_bytes / 1e6

    def timed(f):
        start = time.perf_counter()
        jax.block_until_ready(f(values))
        return time.perf_counter() - start

    return lambda: {"forward": timed(forward), "gradient": timed(gradient), "temporary_MB": memory}


def memory(n_steps):
    """Temporary memory of a BOLD run, with `n_steps` steps per sample and ten samples."""
    import brainunit as u
    import jax

    import brainmass

    sim = simulator()
    monitors = {"bold": brainmass.Monitor(brainmass.BOLDSignal(REGIONS), every=n_steps)}
    run = sim.pure(10 * n_steps * DT * u.ms, monitors=monitors)
    compiled = jax.jit(lambda key: run({}, key)["bold"]).lower(jax.random.key_data(jax.random.key(0))).compile()
    used = compiled.memory_analysis().temp_size_in_bytes / 1e6
    return lambda: {"temporary_MB": used}


def overhead(n_steps):
    """A short run through `Simulator.run`, and the compiled call alone."""
    import brainunit as u
    import jax
    import numpy as np

    from brainmass.simulation.functional import inventory
    from brainmass.simulation.program import Bundle

    sim = simulator()
    settings = dict(monitors=["r", "v"], sample_every=SAMPLE_EVERY, seed=0)
    sim.run(n_steps * DT * u.ms, **settings)
    (program,) = sim._programs.values()
    compiled = program.compiled[False, False]
    raw, key = inventory(Bundle(sim.model, program.monitors)).raw(), np.zeros(2, np.uint32)

    def median(f, repeats=50):
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            f()
            times.append(time.perf_counter() - start)
        return float(np.median(times))

    def run():
        return {
            "run": median(lambda: sim.run(n_steps * DT * u.ms, **settings)),
            "call": median(lambda: jax.block_until_ready(compiled(raw, {}, key, None, program.inputs.arrays))),
            "programs": len(sim._programs),
            "traces": compiled._cache_size(),
        }

    return run


if __name__ == "__main__":
    case, n = globals()[sys.argv[1]], int(sys.argv[2])
    run = case(n)
    start = time.perf_counter()
    run()
    serve(run, first=time.perf_counter() - start)
