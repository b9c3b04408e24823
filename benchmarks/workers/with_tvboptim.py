"""tvboptim 0.4.0 (Python 3.11 or newer), in its own environment, through its documented interface.

Cases: `forward`, `sweep_64`, `sweep_512`, `delays_84`, `delays_400`, the delayed ones with `_noise`, `gradient_delays`.
tvboptim holds the coupling through a step unless told otherwise, which is faster and of first order in the coupling.
`forward` and the sweeps ask for the coupling at both stages of Heun's method, as brainmass has it, and then the
trajectories agree to float32; `forward_held` is the default. The delayed cases are the default, a read of the past once
per step; those with `_linear` interpolate, and agree with brainmass.

Every 10th step is picked inside the compiled function, by tvboptim's own monitor, from the full trajectory.
"""

import sys
import time

import jax
import jax.numpy as jnp
from gradients import forward_and_gradient
from problem import (
    COUPLING,
    DELTA,
    DT,
    ETA,
    NODE_DT,
    NOISE_R,
    NOISE_V,
    REGIONS,
    SAMPLE_EVERY,
    TAU,
    WONG_WANG_DT,
    WONG_WANG_G,
    WONG_WANG_NOISE,
    WONG_WANG_TR,
    J,
    couplings,
    delay_steps,
    weights,
)
from protocol import serve
from tvboptim.experimental.network_dynamics import Network, prepare
from tvboptim.experimental.network_dynamics.coupling import DelayedLinearCoupling, LinearCoupling
from tvboptim.experimental.network_dynamics.dynamics.tvb import (
    Epileptor,
    JansenRit,
    MontbrioPazoRoxin,
    WilsonCowan,
    WongWangExcInh,
)
from tvboptim.experimental.network_dynamics.graph import DenseDelayGraph, DenseGraph
from tvboptim.experimental.network_dynamics.noise import AdditiveNoise
from tvboptim.experimental.network_dynamics.solvers import Heun
from tvboptim.observations.tvb_monitors import BalloonWindkesselBold, SubSampling


def network(noisy, delayed, regions, linear):
    node, w = MontbrioPazoRoxin(tau=TAU, eta=ETA, Delta=DELTA, J=J), jnp.asarray(weights(regions))
    assert NOISE_R == NOISE_V  # one number for both states
    noise = AdditiveNoise(sigma=NOISE_R, key=jax.random.key(0)) if noisy else None
    if not delayed:
        return Network(node, {"instant": LinearCoupling(incoming_states="r", G=COUPLING)}, DenseGraph(w), noise=noise)
    graph = DenseDelayGraph(w, jnp.asarray(delay_steps(regions) * DT, jnp.float32))
    options = dict(incoming_states="r", G=COUPLING, history_interpolation="linear" if linear else None)
    coupling = DelayedLinearCoupling(buffer_strategy="roll", **options)  # measured as the fastest of the three
    return Network(node, {"delayed": coupling}, graph, noise=noise)


def from_rest(x):
    """The start of the hand-written runs; pointers into the history are integers and stay."""
    return jnp.full_like(x, 0.02) if jnp.issubdtype(x.dtype, jnp.floating) else x


def prepared(case, n):
    """A compiled function and its argument; it returns r and V, shape (samples, 2, regions)."""
    kind, *options = case.split("_")
    delayed = kind == "delays"
    regions, noisy = int(options[0]) if delayed else REGIONS, not delayed or "noise" in options
    solver = Heun(recompute_coupling_per_stage=not delayed and "held" not in options)
    system = network(noisy, delayed, regions, "linear" in options)
    solve, config = prepare(system, solver, t0=0.0, t1=n * DT, dt=DT)
    config.initial_state = jax.tree.map(from_rest, config.initial_state)
    sampled = SubSampling(period=SAMPLE_EVERY * DT)

    def with_coupling(G):
        own = jax.tree.map(lambda x: x, config)
        own.coupling.instant.G = G
        return sampled(solve(own)).ys

    if kind == "sweep":
        return jax.jit(jax.vmap(with_coupling)), jnp.asarray(couplings(int(options[0])))
    return jax.jit(lambda config: sampled(solve(config)).ys), config


def wong_wang(n, bold):
    """A minute or more of BOLD, its states in steps of 1 ms; what is not BOLD is one sample in every 10 steps."""
    noise = AdditiveNoise(sigma=WONG_WANG_NOISE, key=jax.random.key(0))
    coupling = {"instant": LinearCoupling(incoming_states="S_e", G=1.0)}  # the model multiplies by its own G
    system = Network(WongWangExcInh(G=WONG_WANG_G), coupling, DenseGraph(jnp.asarray(weights())), noise=noise)
    solve, config = prepare(
        system, Heun(recompute_coupling_per_stage=True), t0=0.0, t1=n * WONG_WANG_DT, dt=WONG_WANG_DT
    )
    sampled = BalloonWindkesselBold(period=WONG_WANG_TR, voi=0) if bold else SubSampling(period=10 * WONG_WANG_DT)
    return jax.jit(lambda config: sampled(solve(config)).ys), config


def nodes(kind, regions, n):
    """A node model alone, its coupling zero, or in a network, without noise."""
    dynamics, coupled = {
        "JansenRit": (JansenRit, "y1"),
        "WilsonCowan": (WilsonCowan, "E"),
        "Epileptor": (Epileptor, "x1"),
    }[kind]
    coupling = {"instant": LinearCoupling(incoming_states=coupled, G=0.1 if regions > 1 else 0.0)}
    graph = DenseGraph(jnp.asarray(weights(regions)) if regions > 1 else jnp.zeros((1, 1)))
    solver = Heun(recompute_coupling_per_stage=regions > 1)
    solve, config = prepare(Network(dynamics(), coupling, graph), solver, t0=0.0, t1=n * NODE_DT, dt=NODE_DT)
    sampled = SubSampling(period=SAMPLE_EVERY * NODE_DT)
    return jax.jit(lambda config: sampled(solve(config)).ys), config


def gradient(n):
    """The mean rate of a network with delays and noise, and its gradient for the coupling and all excitabilities."""
    system = network(True, True, REGIONS, linear=False)
    solve, config = prepare(system, Heun(recompute_coupling_per_stage=False), t0=0.0, t1=n * DT, dt=DT)
    config.initial_state = jax.tree.map(from_rest, config.initial_state)
    sampled = SubSampling(period=n // 10 * DT)

    def loss(values):
        own = jax.tree.map(lambda x: x, config)
        own.coupling.delayed.G, own.dynamics.eta = values
        return sampled(solve(own)).ys[:, 0].mean()

    return forward_and_gradient(loss, (jnp.float32(COUPLING), jnp.full(REGIONS, ETA, jnp.float32)))


def made(case, n):
    if case.startswith("wong_wang"):
        return wong_wang(n, case == "wong_wang_bold")
    kind, _, regions = case.partition("_")
    if kind in ("JansenRit", "WilsonCowan", "Epileptor"):
        return nodes(kind, int(regions), n)
    return prepared(case, n)


if __name__ == "__main__":
    case, n = sys.argv[1], int(sys.argv[2])

    if case == "gradient_delays":
        run = gradient(n)
    else:
        f, config = made(case, n)

        def run():
            jax.block_until_ready(f(config))

    start = time.perf_counter()
    run()
    serve(run, first=time.perf_counter() - start)
