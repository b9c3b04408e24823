"""The published package of the same name, 0.1.1, in its own environment, through its documented interface."""

import sys
import time

import brainstate
import brainunit as u
import jax
from problem import (
    COUPLING,
    DELTA,
    DT,
    ETA,
    NOISE_R,
    NOISE_V,
    REGIONS,
    SAMPLE_EVERY,
    WONG_WANG_DT,
    WONG_WANG_G,
    WONG_WANG_NOISE,
    J,
    couplings,
    delay_steps,
    weights,
)
from protocol import serve

import brainmass


def wong_wang(n):
    """The reduced Wong-Wang model, of which it keeps one sample a second, without BOLD."""
    brainstate.environ.set(dt=WONG_WANG_DT * u.ms)
    noise = {name: brainmass.GaussianNoise(REGIONS, sigma=WONG_WANG_NOISE) for name in ("noise_e", "noise_i")}
    node = brainmass.WongWangExcInhStep(REGIONS, G=WONG_WANG_G, method="rk2", **noise)
    network = brainmass.Network(node, conn=weights(), coupling="additive", coupled_var="S_e")
    sim = brainmass.Simulator(network, dt=WONG_WANG_DT * u.ms)

    def run():
        result = sim.run(n * WONG_WANG_DT * u.ms, monitors=lambda m: m.node.S_e.value, sample_every=10_000)
        jax.block_until_ready(jax.tree.leaves(result))

    return run


def sets(n, size):
    """As many couplings, each a model of its own and a run."""

    def run():
        for coupling in couplings(size):
            montbrio_pazo_roxin(n, coupling)()

    return run


def montbrio_pazo_roxin(n, coupling=COUPLING):
    brainstate.environ.set(dt=DT * u.ms)
    rate = DELTA * 1e3 * u.Hz
    case, *options = sys.argv[1].split("_")
    delayed = case == "delays"
    regions = int(options[0]) if delayed else REGIONS
    noise = dict(
        noise_r=brainmass.GaussianNoise(regions, sigma=NOISE_R * 1e3 * u.Hz),
        noise_v=brainmass.GaussianNoise(regions, sigma=NOISE_V),
    )
    node = brainmass.MontbrioPazoRoxinStep(
        regions,
        eta=ETA,
        delta=rate,
        J=J,
        method="rk2",
        **(noise if not delayed or "noise" in options else {}),
    )
    lengths = dict(distance=delay_steps(regions) * DT * u.mm, speed=1.0 * u.mm / u.ms) if delayed else {}
    options = dict(
        conn=weights(regions), **lengths, coupling="additive", coupled_var="r", k=coupling
    )  # it couples into r
    sim = brainmass.Simulator(brainmass.Network(node, **options), dt=DT * u.ms)

    def run():
        result = sim.run(n * DT * u.ms, monitors=lambda m: m.node.r.value, sample_every=SAMPLE_EVERY)
        jax.block_until_ready(jax.tree.leaves(result))

    return run


if __name__ == "__main__":
    n = int(sys.argv[2])
    case = sys.argv[1]
    if case.startswith("sets"):
        run = sets(n, int(case.removeprefix("sets_")))
    else:
        run = wong_wang(n) if case == "wong_wang" else montbrio_pazo_roxin(n)
    start = time.perf_counter()
    run()
    serve(run, first=time.perf_counter() - start)
