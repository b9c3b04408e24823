"""Plain `jax.jit`, `grad` and `vmap` around a run: without a seed where nothing is random, with one elsewhere."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from braintools.init import Constant, Uniform

import brainmass as bm

DT = 0.1 * u.ms
W = np.array([[0.0, 1.0], [0.5, 0.0]])


def decaying(gamma, **options):
    """x(n) = (1 + 0.1 gamma)^n by Euler's method."""
    node = bm.LinearStep(1, gamma=gamma, init_x=Constant(1.0), method="euler", **options)
    return bm.Simulator(node, dt=DT)


def end_of(gamma):
    return decaying(gamma).run(3 * DT, monitors=["x"])["x"][-1, 0]


@pytest.mark.slow
def test_a_model_made_inside():
    assert jax.jit(end_of)(-1.0) == pytest.approx(0.9**3, rel=1e-5)
    assert jax.grad(end_of)(-1.0) == pytest.approx(0.3 * 0.9**2, rel=1e-5)
    assert jax.jit(jax.grad(end_of))(-1.0) == pytest.approx(0.3 * 0.9**2, rel=1e-5)
    np.testing.assert_allclose(jax.vmap(end_of)(jnp.array([-1.0, -2.0])), [0.9**3, 0.8**3], rtol=1e-5)
    slopes = jax.jit(jax.vmap(jax.grad(end_of)))(jnp.array([-1.0, -2.0]))
    np.testing.assert_allclose(slopes, [0.3 * 0.9**2, 0.3 * 0.8**2], rtol=1e-5)


def test_a_simulator_from_outside():
    simulator = decaying(-1.0)

    @jax.jit
    def run(strength):
        return simulator.run(2 * DT, inputs=strength, monitors=["x"])["x"][-1, 0]

    assert run(1.0) == pytest.approx(0.9 * (0.9 + 0.1) + 0.1, rel=1e-5)
    assert jax.grad(run)(1.0) == pytest.approx(0.19, rel=1e-5)


def test_from_the_states_that_a_model_has():
    def end(gamma):
        node = bm.LinearStep(1, gamma=gamma, init_x=Constant(1.0), method="euler")
        node.init_all_states()
        return bm.Simulator(node, dt=DT).run(3 * DT, monitors=["x"], init_states=False)["x"][-1, 0]

    assert jax.jit(jax.grad(end))(-1.0) == pytest.approx(0.3 * 0.9**2, rel=1e-5)


@pytest.mark.few(1)
@pytest.mark.parametrize("delays", [{}, {"distance": np.ones((2, 2)) * u.mm, "speed": 5.0}])
def test_a_network_of_traced_weights(delays, x64):
    def end(weights):
        node = bm.LinearStep(2, gamma=-1.0, init_x=Constant(1.0), method="euler")
        net = bm.Network(node, conn=weights, coupled_var="x", coupling="additive", k=1.0, **delays)
        return jnp.sum(bm.Simulator(net, dt=DT).run(4 * DT, monitors=["x"])["x"][-1])

    slopes, step = jax.jit(jax.grad(end))(jnp.asarray(W)), 1e-4
    for i, j in (0, 1), (1, 0):
        there, back = (end(jnp.asarray(W).at[i, j].add(sign * step)) for sign in (1, -1))
        assert float(slopes[i, j]) == pytest.approx(float(there - back) / (2 * step), rel=1e-6)
    assert slopes[0, 1] > 0


def test_delays_within_a_transformation_are_those_outside():
    def run(k):
        node = bm.LinearStep(2, gamma=-1.0, init_x=Constant(1.0), method="euler")
        net = bm.Network(node, conn=W, coupled_var="x", k=k, distance=np.ones((2, 2)) * u.mm, speed=5.0)
        return bm.Simulator(net, dt=DT).run(6 * DT, monitors=["x"])["x"]

    np.testing.assert_allclose(jax.jit(run)(0.7), run(0.7), rtol=1e-6)

    def at(speed):
        node = bm.LinearStep(2, init_x=Constant(1.0))
        net = bm.Network(node, conn=W, coupled_var="x", distance=np.ones((2, 2)) * u.mm, speed=speed)
        return bm.Simulator(net, dt=DT).run(6 * DT, monitors=["x"])["x"]

    with pytest.raises(ValueError, match="Argument `speed` of Network must be a number where the network is made wi"):
        jax.jit(at)(5.0)


RANDOM = {
    "noise": ({"noise_x": bm.WhiteNoise(1, sigma=1.0)}, "the noise `noise_x`"),
    "start": ({"init_x": Uniform(0.0, 1.0)}, "the initial values"),
}


@pytest.mark.parametrize(("options", "what"), RANDOM.values(), ids=RANDOM)
def test_what_is_random_asks_for_a_seed(options, what):
    def end(seed=None):
        node = bm.LinearStep(1, **{"init_x": Constant(1.0), **options})
        return bm.Simulator(node, dt=DT).run(3 * DT, monitors=["x"], seed=seed)["x"][-1, 0]

    with pytest.raises(ValueError, match=f"Argument `seed` of run must be given within jax.jit .* random: {what}"):
        jax.jit(end)()
    assert jax.jit(end)(jax.random.key(3)) == pytest.approx(float(end(3)), rel=1e-5)


def test_initial_values_by_hand_ask_for_a_generator():
    def start():
        node = bm.HopfStep(1)
        node.init_all_states()
        return node.x.value

    with pytest.raises(ValueError, match=r"Argument `init_x` of HopfStep .* give a generator, init_all_states\(rng="):
        jax.jit(start)()
