"""Runs in the form that they have on a GPU, computed here: they are the runs that a CPU makes, to rounding."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import brainmass as bm
from brainmass._common.machine import compiled_for, compiles_for
from brainmass.simulation.loop import _steps_in_a_round

DT = 0.1 * u.ms
RNG = np.random.default_rng(0)


def network(n, longest=0, **options):
    """With delays of 1 to `longest` steps."""
    conn = np.where(RNG.random((n, n)) < 0.5, RNG.random((n, n)), 0.0) / n
    if longest:
        options |= {"distance": 0.1 * RNG.integers(1, longest + 1, (n, n)) * u.mm, "speed": 1 * u.mm / u.ms}
    node = bm.HopfStep(n, a=0.1, w=2.0, noise_x=bm.WhiteNoise(n, sigma=0.01))
    return bm.Network(node, conn=conn, coupling="diffusive", coupled_var="x", k=0.3, **options)


def outcome(net, platform, n_steps, every, lanes):
    """Samples, final states and the slope of all in the strength of the coupling, of as many runs."""
    with compiled_for(platform):
        run = bm.Simulator(net, dt=DT).pure(n_steps * DT, monitors=["x"], sample_every=every, free=["k"])

        def score(k, key):
            result = run({"k": k}, key)
            return jnp.sum(result["x"] ** 2), (result["x"], result.final["states"])

        keys = jax.random.split(jax.random.PRNGKey(0), lanes)
        slopes = jax.vmap(jax.value_and_grad(score, has_aux=True), in_axes=(None, 0))
        return jax.jit(slopes)(0.3, keys)


@pytest.mark.parametrize(
    ("options", "n_steps", "every"),
    [
        ({"n": 3}, 40, 10),
        # a sample after each step, and a number of steps that nothing divides
        pytest.param({"n": 3}, 37, 1, marks=pytest.mark.slow),
        pytest.param({"n": 3}, 37, 37, marks=pytest.mark.slow),
        pytest.param({"n": 3, "longest": 4}, 40, 20, marks=pytest.mark.slow),
        pytest.param({"n": 3, "longest": 4, "interpolate": True}, 40, 20, marks=pytest.mark.slow),
        pytest.param({"n": 40, "longest": 40}, 60, 30, marks=pytest.mark.slow),  # in blocks
    ],
)
def test_runs_made_for_a_gpu_are_those_of_a_cpu(options, n_steps, every):
    net = network(**options)
    made, expected = (jax.tree.leaves(outcome(net, platform, n_steps, every, 3)) for platform in ("gpu", "cpu"))
    for one, other in zip(made, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-5 * np.abs(other).max())


@pytest.mark.parametrize(("n", "steps"), [(125, 5), (200, 5), (128, 4), (9, 3), (22, 2), (37, 5), (3, 3), (1, 1)])
def test_rounds_take_some_five_steps_on_a_gpu_alone(n, steps):
    assert _steps_in_a_round(n) == 1
    with compiled_for("gpu"):
        assert _steps_in_a_round(n) == steps
    assert compiles_for() == "cpu"


def test_a_step_is_done_with_the_past_before_the_next_writes_it_on_a_gpu_alone():
    net, found = network(40, 40), {}
    for platform in "cpu", "gpu":
        with compiled_for(platform):
            run = bm.Simulator(net, dt=DT).pure(20 * DT, monitors=["x"], sample_every=20, free=["k"])
            found[platform] = "optimization_barrier" in str(jax.make_jaxpr(run)({"k": 0.3}, jax.random.PRNGKey(0)))
    assert found == {"cpu": False, "gpu": True}


def kept_by_a_step(net, platform):
    """How many arrays a step of a gradient stores for the way back, from the program before it is compiled."""

    def loops(jaxpr):
        for eqn in jaxpr.eqns:
            if eqn.primitive.name == "scan":
                yield eqn
            for inner in jax.tree.leaves(eqn.params, is_leaf=lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr")):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from loops(inner)

    with compiled_for(platform):
        run = bm.Simulator(net, dt=DT).pure(40 * DT, monitors=["S_e"], sample_every=40, free=["k"])
        slope = jax.grad(lambda k: jnp.sum(run({"k": k}, jax.random.PRNGKey(0))["S_e"]))
        found = loops(jax.make_jaxpr(slope)(0.3).jaxpr)
    return max(len(eqn.outvars) - eqn.params["num_carry"] for eqn in found if eqn.params["length"] == 40)


def test_a_gradient_on_a_gpu_keeps_of_a_step_its_states_and_its_sums_alone():
    n = 5
    node = bm.WongWangExcInhStep(n, method="heun", noise_e=bm.WhiteNoise(n, sigma=0.01))
    net = bm.Network(node, conn=RNG.random((n, n)) / n, coupling="additive", coupled_var="S_e", k=0.3)
    assert kept_by_a_step(net, "gpu") == 4  # of two states, and of a product at each of two stages
    assert kept_by_a_step(net, "cpu") > 10


@pytest.mark.parametrize(("longest", "block"), [(0, 128), (24, 256)])
def test_blocks_are_longer_on_a_gpu_where_a_past_weighs_more_than_a_step(longest, block):
    """The square root of 16,384 steps, of four times as many where 24 steps are 6 numbers of each region."""
    net = network(3, longest)
    if longest:
        net.distance = 0.1 * np.full((3, 3), longest) * u.mm
    simulator = bm.Simulator(net, dt=DT)
    blocks = {}
    for platform in "cpu", "gpu":
        with compiled_for(platform):
            blocks[platform] = simulator._program(16_384 * DT, None, ["x"], None, 16_384, False, None, None)[
                0
            ].plan.block
    assert blocks == {"cpu": 128, "gpu": block}
