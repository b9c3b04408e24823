"""brainmass: cases of the benchmark, one per process."""

import sys
import time

from problem import (
    COUPLING,
    DELTA,
    DT,
    ETA,
    LARGE,
    NOISE_R,
    NOISE_V,
    REGIONS,
    SAMPLE_EVERY,
    WONG_WANG_DT,
    WONG_WANG_G,
    WONG_WANG_NOISE,
    WONG_WANG_TR,
    J,
    couplings,
    delay_steps,
    large_connectome,
    weights,
)
from protocol import serve


def node(regions=REGIONS, noisy=True):
    import brainunit as u

    import brainmass

    noise = {
        "noise_r": brainmass.WhiteNoise(regions, sigma=NOISE_R / u.ms),
        "noise_v": brainmass.WhiteNoise(regions, sigma=NOISE_V),
    }
    return brainmass.MontbrioPazoRoxinStep(
        regions, eta=ETA, delta=DELTA / u.ms, J=J, method="heun", **(noise if noisy else {})
    )


def simulator():
    import brainunit as u

    import brainmass

    network = brainmass.Network(node(), conn=weights(), coupling="additive", coupled_var="r", k=COUPLING)
    return brainmass.Simulator(network, dt=DT * u.ms)


def forward(n_steps):
    import brainunit as u
    import jax

    sim = simulator()

    def run():
        result = sim.run(n_steps * DT * u.ms, monitors=["r", "v"], sample_every=SAMPLE_EVERY, seed=0)
        jax.block_until_ready(result["r"])

    return run


def sweep(n_steps, size):
    """As many couplings at once, each with noise of its own."""
    import brainunit as u

    import brainmass

    sim, values = simulator(), {"k": couplings(size)}

    def run():
        kept = brainmass.sweep(sim, n_steps * DT * u.ms, values, monitors=["r", "v"], sample_every=SAMPLE_EVERY)
        assert kept["r"].shape == (size, 1, n_steps // SAMPLE_EVERY, REGIONS)

    return run


def sweep_64(n_steps):
    return sweep(n_steps, 64)


def sweep_512(n_steps):
    return sweep(n_steps, 512)


def delayed_simulator(regions, noisy):
    import brainunit as u

    import brainmass

    lengths = delay_steps(regions) * DT * u.mm
    options = dict(conn=weights(regions), distance=lengths, speed=1.0 * u.mm / u.ms)
    network = brainmass.Network(node(regions, noisy), coupling="additive", coupled_var="r", k=COUPLING, **options)
    return brainmass.Simulator(network, dt=DT * u.ms)


def delays(n_steps, regions, noisy=False):
    import brainunit as u
    import jax

    sim = delayed_simulator(regions, noisy)

    def run():
        result = sim.run(n_steps * DT * u.ms, monitors=["r", "v"], sample_every=SAMPLE_EVERY, seed=0)
        jax.block_until_ready(result["r"])

    return run


def delays_84(n_steps):
    return delays(n_steps, 84)


def delays_400(n_steps):
    return delays(n_steps, 400)


def delays_84_noise(n_steps):
    return delays(n_steps, 84, noisy=True)


def delays_400_noise(n_steps):
    return delays(n_steps, 400, noisy=True)


def large(n_steps, as_list, delayed):
    """Of 10,000 regions, with the peak memory of the process."""
    import resource

    import brainunit as u
    import jax
    import numpy as np

    import brainmass

    source, target, weight, steps = large_connectome()
    if as_list:
        conn = brainmass.Edges(LARGE, source, target, weight, steps * DT * u.mm if delayed else None)
        options = {"speed": 1.0} if delayed else {}
    else:
        conn, options = np.zeros((LARGE, LARGE), np.float32), {}
        conn[target, source] = weight
        if delayed:
            lengths = np.zeros((LARGE, LARGE), np.float32)
            lengths[target, source] = steps * DT
            options = {"distance": lengths * u.mm, "speed": 1.0}
    network = brainmass.Network(
        node(LARGE, noisy=False), conn=conn, coupling="additive", coupled_var="r", k=COUPLING, **options
    )
    sim = brainmass.Simulator(network, dt=DT * u.ms)

    def run():
        jax.block_until_ready(sim.run(n_steps * DT * u.ms, monitors=["r"], sample_every=n_steps, seed=0)["r"])
        return {"peak_GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}

    return run


def edge_list(n_steps):
    return large(n_steps, as_list=True, delayed=False)


def edge_list_delays(n_steps):
    return large(n_steps, as_list=True, delayed=True)


def matrix(n_steps):
    return large(n_steps, as_list=False, delayed=False)


def matrix_delays(n_steps):
    return large(n_steps, as_list=False, delayed=True)


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


def wong_wang_simulator(regions):
    import brainunit as u

    import brainmass

    noise = {name: brainmass.WhiteNoise(regions, sigma=WONG_WANG_NOISE) for name in ("noise_e", "noise_i")}
    node = brainmass.WongWangExcInhStep(regions, G=WONG_WANG_G, method="heun", **noise)
    network = brainmass.Network(node, conn=weights(regions), coupling="additive", coupled_var="S_e")
    return brainmass.Simulator(network, dt=WONG_WANG_DT * u.ms)


def wong_wang_monitors(regions):
    """BOLD alone."""
    import brainunit as u

    import brainmass

    return {"bold": brainmass.Monitor(brainmass.BOLDSignal(regions), every=WONG_WANG_TR * u.ms)}


def wong_wang(n_steps):
    """The reduced Wong-Wang model with BOLD."""
    import brainunit as u
    import jax

    sim, monitors = wong_wang_simulator(REGIONS), wong_wang_monitors(REGIONS)

    def run():
        jax.block_until_ready(sim.run(n_steps * WONG_WANG_DT * u.ms, monitors=monitors, seed=0)["bold"])

    return run


def growth(n_steps, regions, inputs=None, lanes=None):
    """MPR with noise on random weights, dense or with so many inputs for each region, alone or many at once."""
    import brainunit as u
    import jax
    import numpy as np

    import brainmass

    rng = np.random.default_rng(0)
    if inputs is None:
        conn = rng.random((regions, regions), np.float32) / regions
    else:
        source = np.concatenate([rng.choice(regions, inputs, replace=False) for _ in range(regions)])
        weight = rng.random(source.size, np.float32) / inputs
        conn = brainmass.Edges(regions, source, np.repeat(np.arange(regions), inputs), weight)
    network = brainmass.Network(node(regions), conn=conn, coupling="additive", coupled_var="r", k=COUPLING)
    sim = brainmass.Simulator(network, dt=DT * u.ms)

    def run():
        result = sim.run(n_steps * DT * u.ms, monitors=["r"], sample_every=n_steps, seed=0, batch_size=lanes)
        jax.block_until_ready(result["r"])

    return run


def gradient(n_steps):
    return gradient_of(simulator(), n_steps)


def gradient_delays(n_steps):
    return gradient_of(delayed_simulator(REGIONS, noisy=True), n_steps)


def gradient_of(sim, n_steps):
    """The mean rate, and its gradient for the coupling strength and all excitabilities."""
    import brainunit as u
    import jax.numpy as jnp
    from gradients import forward_and_gradient

    run = sim.pure(n_steps * DT * u.ms, monitors=["r"], sample_every=n_steps // 10, free=["k", "eta"])
    values = {"k": jnp.float32(COUPLING), "eta": jnp.full(REGIONS, ETA, jnp.float32)}
    return forward_and_gradient(lambda v: u.get_mantissa(run(v, 0)["r"]).mean(), values)


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


def observers(n_steps):
    """A run that records its end, and one that works out BOLD and functional connectivities, in turn."""
    import brainunit as u
    import jax

    import brainmass

    sim, end = simulator(), n_steps
    bare = {"r": brainmass.Monitor("r", every=end)}
    watched = bare | {
        "bold": brainmass.Monitor(brainmass.BOLDSignal(REGIONS), every=2_000),
        "fc": brainmass.Monitor(brainmass.FunctionalConnectivity(REGIONS, every=100 * DT * u.ms), source=rate),
        "fc_bold": brainmass.Monitor(brainmass.FunctionalConnectivity(REGIONS), source="bold"),
    }
    compiled, used = {}, {}
    for name, monitors in {"bare": bare, "observed": watched}.items():
        run = sim.pure(n_steps * DT * u.ms, monitors=monitors)
        lowered = jax.jit(lambda key, run=run: dict(run({}, key))).lower(jax.random.key_data(jax.random.key(0)))
        compiled[name] = lowered.compile()
        analysis = compiled[name].memory_analysis()
        used[f"{name}_MB"] = (analysis.temp_size_in_bytes + analysis.output_size_in_bytes) / 1e6
    key = jax.random.key_data(jax.random.key(0))

    def timed(f):
        start = time.perf_counter()
        jax.block_until_ready(f(key))
        return time.perf_counter() - start

    return lambda: {name: timed(f) for name, f in compiled.items()} | used


def rate(model):
    import brainunit as u

    return u.get_mantissa(model.node.r.value)


def overhead(n_steps):
    """A short run through `Simulator.run`, and the compiled call alone."""
    import brainunit as u
    import jax
    import numpy as np

    from brainmass.simulation.inventory import inventory
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
    case, n = sys.argv[1], int(sys.argv[2])
    if case.startswith("growth"):
        _, regions, inputs, lanes = (int(x) if x.isdigit() else None for x in case.split("_"))
        run = growth(n, regions, inputs, lanes)
    else:
        run = globals()[case](n)
    start = time.perf_counter()
    run()
    serve(run, first=time.perf_counter() - start)
