"""Delays that are given as times, against closed forms and against lengths with a speed."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brainstate.nn import Param
from braintools.init import Constant
from scipy.optimize import brentq

import brainmass as bm

RNG = np.random.default_rng(0)
W, LENGTHS = RNG.uniform(0, 0.2, (4, 4)), RNG.uniform(5, 80, (4, 4))
DT = 0.1 * u.ms


def network(conn=W, **options):
    node = bm.HopfStep(4, init_x=lambda shape: np.linspace(-1, 1, 4))
    return bm.Network(node, conn=conn, coupled_var="x", **options)


def run(net, **settings):
    return np.asarray(bm.Simulator(net, dt=DT).run(20 * u.ms, monitors=["x"], seed=0, **settings)["x"])


BY_LENGTH = run(network(distance=LENGTHS, speed=4.0))


@pytest.mark.parametrize("interpolate", [False, True])
def test_method_of_steps(x64, interpolate):
    """x' = -x - x(t - 1): x = 2 exp(-t) - 1 up to the delay; by scipy after it, from the method of steps."""
    node = bm.LinearStep(1, gamma=-1.0, init_x=Constant(1.0), method="heun")
    sent = {"conn": [[-1.0]], "coupled_var": "x", "coupling": "additive", "self_connection": True}
    net = bm.Network(node, **sent, delay=1.0 * u.ms, interpolate=interpolate)
    x = np.asarray(bm.Simulator(net, dt=0.01 * u.ms).run(2 * u.ms, monitors=["x"], seed=0)["x"])[:, 0]
    t = 0.01 * np.arange(1, 201)
    np.testing.assert_allclose(x[:100], 2 * np.exp(-t[:100]) - 1, atol=1e-4)
    s = t[100:] - 1  # then x' = -x - 2 exp(-s) + 1
    np.testing.assert_allclose(x[100:], 1 + (2 / np.e - 2 - 2 * s) * np.exp(-s), atol=1e-4)


@pytest.mark.parametrize(
    "delay", [LENGTHS / 4 * u.ms, LENGTHS / 4000 * u.second, LENGTHS / 4, Param(LENGTHS / 4 * u.ms, fit=False)]
)
def test_they_are_lengths_over_speed(delay):
    np.testing.assert_array_equal(run(network(delay=delay)), BY_LENGTH)
    conn = bm.Connectome(W, lengths=7 * LENGTHS * u.mm)
    np.testing.assert_array_equal(run(network(conn, delay=delay)), BY_LENGTH)


@pytest.mark.slow
def test_one_for_each_edge():
    """In the order of the list, beside what `distance` would be; and as a matrix in a batch."""
    target, source = np.nonzero(RNG.permuted(1 - np.eye(4)[::-1]) * (1 - np.eye(4)))
    order = RNG.permutation(len(target))
    target, source = target[order], source[order]
    dense = np.zeros((4, 4))
    dense[target, source] = W[target, source]
    edges = bm.Edges(4, source, target, W[target, source])
    expected = run(network(dense, distance=LENGTHS, speed=4.0))
    np.testing.assert_allclose(run(network(edges, delay=LENGTHS[target, source] / 4 * u.ms)), expected, atol=1e-5)
    two = run(network(dense, delay=LENGTHS / 4 * u.ms), batch_size=2)
    np.testing.assert_allclose(two[:, 1], expected, atol=1e-5)


def locked(tau, omega=0.5, k=0.1):
    """Yeung & Strogatz 1999: the frequency of two delayed oscillators in phase, Ω = ω − K sin Ωτ."""
    return brentq(lambda f: f - omega + k * np.sin(f * tau), omega - 2 * k, omega + 2 * k)


def frequency(tau, run):
    theta = jnp.unwrap(run({"delay": tau * u.ms}, 0)["theta"][:, 0])
    return (theta[-1] - theta[199]) / 200.0


def test_value_and_slope_of_two_oscillators(x64):
    node = bm.KuramotoNetwork(2, omega=0.5, init_theta=Constant(0.0), method="heun")
    sent = {"conn": np.ones((2, 2)) - np.eye(2), "coupled_var": "theta", "coupling": "kuramoto", "k": 0.2}
    net = bm.Network(node, **sent, delay=Param(2.525 * u.ms, fit=True))
    pure = bm.Simulator(net, dt=0.05 * u.ms).pure(400 * u.ms, monitors=["theta"], sample_every=1 * u.ms, free=["delay"])
    value, slope = jax.jit(jax.value_and_grad(frequency), static_argnums=1)(2.525, pure)
    expected = locked(2.525)
    assert float(value) == pytest.approx(expected, rel=1e-5)
    by_tau = -0.1 * np.cos(expected * 2.525) * expected / (1 + 0.1 * 2.525 * np.cos(expected * 2.525))
    assert float(slope) == pytest.approx(by_tau, rel=1e-3)
    with pytest.raises(ValueError, match="Values of `delay` must be at most 5.05 ms"):
        bm.sweep(bm.Simulator(net, dt=0.05 * u.ms), 1 * u.ms, {"delay": [2.0, 6.0] * u.ms}, monitors=["theta"])


def test_swept_by_name():
    delays = np.array([2.0, 5.0, 9.93]) * u.ms
    net = network(delay=9.93 * u.ms, interpolate=True)
    found = bm.sweep(bm.Simulator(net, dt=DT), 20 * u.ms, {"delay": delays}, monitors=["x"])
    for i, delay in enumerate(delays):
        np.testing.assert_allclose(found["x"][i, 0], run(network(delay=delay, interpolate=True)), atol=1e-5)
    with pytest.raises(ValueError, match="Values of `delay` have no effect.*interpolate=True"):
        bm.sweep(bm.Simulator(network(delay=9.9), dt=DT), 20 * u.ms, {"delay": delays}, monitors=["x"])


@pytest.mark.slow
def test_what_is_set_afterwards_holds():
    net = network(delay=3 * u.ms)
    before = run(net)
    assert "delays 3 ms" in repr(net)
    net.delay = LENGTHS / 4
    np.testing.assert_array_equal(run(net), BY_LENGTH)
    assert np.abs(before - BY_LENGTH).max() > 1e-3
    net.delay, net.distance, net.speed = None, LENGTHS, 4.0
    np.testing.assert_array_equal(run(net), BY_LENGTH)
    net.speed = None
    np.testing.assert_allclose(run(net), run(network(delay=0.0)), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": 2.0, "distance": LENGTHS}, "`distance` of Network must not come beside `delay`"),
        ({"speed": 2.0, "conn": bm.Connectome(W, lengths=LENGTHS * u.mm)}, "`delay` of Network must not .* `speed`"),
        ({"distance": LENGTHS}, "`distance` of Network must not come beside `delay`"),
        ({"delay": -1.0 * u.ms}, "`delay` of Network .conduction delay. must be >= 0, but is -1.0 ms"),
        ({"delay": np.nan}, "`delay` of Network .conduction delay. must be >= 0"),
        ({"delay": 1.0 * u.mm}, "`delay` of Network .conduction delay. must have a unit like ms"),
        ({"delay": np.ones(3)}, r"`delay` of Network .*\(4, 4\), but has shape \(3,\)"),
        ({"delay": "5 ms"}, "`delay` of Network"),
    ],
)
def test_refusals(options, message):
    with pytest.raises((ValueError, TypeError, u.UnitMismatchError), match=message):
        network(**{"delay": 3.0, **options})


def test_refusals_afterwards():
    net = network(delay=3.0)
    for name, value in ("speed", 2.0), ("distance", LENGTHS):
        with pytest.raises(ValueError, match=f"`{name}` of Network must not come beside `delay`"):
            setattr(net, name, value)
    with pytest.warns(UserWarning, match=r"All delays are longer than the run of 20 ms \(delays of 30 to 30 ms\)"):
        run(network(delay=30.0))


def test_in_an_experiment_file(tmp_path):
    np.savetxt(tmp_path / "weights.csv", W, delimiter=",")
    text = f"""
[model]
type = "HopfStep"
[connectome]
file = "{tmp_path}/weights.csv"
[network]
coupled_var = "x"
delay = "3 ms"
[simulation]
dt = "0.1 ms"
duration = "20 ms"
seed = 3
"""
    (tmp_path / "experiment.toml").write_text(text)
    found = bm.experiments.load(tmp_path / "experiment.toml")
    assert "delays 3 ms" in repr(found.simulator.model)
