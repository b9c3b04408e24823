"""Synapse filters: their responses to an impulse and to a step in closed form, exact solutions of linear networks,
equilibria and linear noise of networks that have them, by scipy."""

import brainstate
import brainunit as u
import jax
import numpy as np
import pytest
from brainstate.nn import Param
from braintools.init import Constant
from scipy.linalg import expm, solve_continuous_lyapunov
from scipy.optimize import root

import brainmass as bm

W = np.array([[0.0, 0.7], [0.3, 0.0]])
DT = 0.1 * u.ms


def response(t, rise, decay):
    """To an impulse."""
    if rise == decay:
        return t * np.exp(-t / rise) / rise**2
    return (np.exp(-t / decay) - np.exp(-t / rise)) / (decay - rise)


def network(synapse, conn=W, method="rk4", gamma=-1.0, **options):
    node = bm.LinearStep(2, gamma=gamma, method=method, init_x=lambda shape: np.array([1.0, 0.5]))
    return bm.Network(node, conn=conn, coupled_var="x", coupling="additive", synapse=synapse, **options)


def run(net, duration=20.0, dt=DT, **settings):
    monitors = {"x": "x", "entering": lambda m: m.projections[0].synapse.filtered.value}
    return bm.Simulator(net, dt=dt).run(duration * u.ms, monitors=monitors, seed=0, **settings)


KINDS = [
    (bm.AlphaSynapse(), 5.0, 5.0),
    (bm.AlphaSynapse(tau=3 * u.ms), 3.0, 3.0),
    (bm.DoubleExponentialSynapse(tau_rise=1 * u.ms, tau_decay=4 * u.ms), 1.0, 4.0),
    (bm.NMDASynapse(), 2.0, 100.0),
]


@pytest.mark.parametrize(("synapse", "rise", "decay"), KINDS)
def test_response_to_an_impulse(x64, synapse, rise, decay):
    """From the state that an impulse of 1 ms leaves, 1 / rise; its integral is 1, so that a constant passes."""
    node = bm.LinearStep(1, method="rk4")
    alone = bm.Network(node, conn=[[0.0]], coupled_var="x", coupling="additive", synapse=synapse)
    brainstate.nn.init_all_states(alone)
    synapse.rising.value = synapse.rising.value + 1 / rise

    def step(i):
        alone.update()
        return synapse.filtered.value[0]

    with brainstate.environ.context(dt=DT):
        found = brainstate.transform.for_loop(step, np.arange(60))
    t = 0.1 * np.arange(1, 61)
    np.testing.assert_allclose(found, response(t, rise, decay), rtol=1e-5)


@pytest.mark.parametrize(("synapse", "rise", "decay"), [("alpha", 5.0, 5.0), ("double_exponential", 0.5, 5.0)])
def test_a_network_is_one_linear_system(x64, synapse, rise, decay):
    """(x, r, s) of both regions by the exponential of their matrix; each method keeps its order."""
    eye, zero = np.eye(2), np.zeros((2, 2))
    A = np.block([[-eye, zero, eye], [W / rise, -eye / rise, zero], [zero, eye / decay, -eye / decay]])
    truth = expm(5.0 * A) @ np.array([1.0, 0.5, 0, 0, 0, 0])
    found = run(network(synapse), 5.0)
    np.testing.assert_allclose(found["x"][-1], truth[:2], rtol=1e-5)
    np.testing.assert_allclose(found["entering"][-1], truth[4:], rtol=1e-5)
    errors = [
        np.abs(run(network(synapse, method="heun"), 5.0, dt * u.ms)["x"][-1] - truth[:2]).max() for dt in (0.1, 0.05)
    ]
    assert 1.8 < np.log2(errors[0] / errors[1]) < 2.3


@pytest.mark.parametrize("options", [{}, {"delay": 3 * u.ms}])
def test_edges_and_time_constants_by_region(x64, options):
    """Each target by the exponential of the network without delays; an edge list is the matrix."""
    by_region = dict(tau_rise=1 * u.ms, tau_decay=[4.0, 6.0] * u.ms)
    edges = bm.Edges(2, [1, 0], [0, 1], [0.7, 0.3])
    found = [run(network(bm.DoubleExponentialSynapse(**by_region), conn, **options), 5.0)["x"] for conn in (W, edges)]
    np.testing.assert_allclose(*found, rtol=1e-9)
    if not options:
        eye, zero, decay = np.eye(2), np.zeros((2, 2)), np.diag([1 / 4, 1 / 6])
        A = np.block([[-eye, zero, eye], [W, -eye, zero], [zero, decay, -decay]])
        np.testing.assert_allclose(found[0][-1], (expm(5.0 * A) @ [1.0, 0.5, 0, 0, 0, 0])[:2], rtol=1e-5)


def test_step_after_a_delay(x64):
    """A source held at 1 since the start, 3 ms away: 1 - (d exp(-s/d) - r exp(-s/r)) / (d - r)."""
    nodes = {"a": bm.HopfStep(1, a=0.0, w=0.0, beta=0.0, init_x=Constant(1.0), init_y=Constant(0.0), method="rk4"),
             "b": bm.LinearStep(1, method="rk4")}  # fmt: skip
    way = bm.Projection(
        [[1.0]], coupled_var="x", coupling="additive", source="a", target="b", delay=3 * u.ms,
        delay_init=Constant(0.0), synapse=bm.DoubleExponentialSynapse(tau_rise=1 * u.ms, tau_decay=4 * u.ms),
    )  # fmt: skip
    net = bm.Network(nodes, projections=[way])
    monitors = {"s": lambda m: m.projections[0].synapse.filtered.value}
    found = np.asarray(bm.Simulator(net, dt=0.01 * u.ms).run(10 * u.ms, monitors=monitors, seed=0)["s"])[:, 0]
    s = np.maximum(0.01 * np.arange(1, 1001) - 3, 0)
    np.testing.assert_allclose(found, 1 - (4 * np.exp(-s / 4) - np.exp(-s)) / 3, atol=1e-3)


@pytest.mark.slow
def test_batches_continued_runs_and_gradients(x64):
    net = network(bm.AlphaSynapse(tau=Param(5.0 * u.ms, fit=True)))
    whole = run(net, batch_size=2)
    np.testing.assert_allclose(whole["x"][:, 1], run(net)["x"], rtol=1e-12)
    first = bm.Simulator(net, dt=DT).run(8 * u.ms, monitors=["x"], seed=0)
    rest = bm.Simulator(net, dt=DT).run(12 * u.ms, monitors=["x"], state=first.final)
    np.testing.assert_allclose(np.concatenate([first["x"], rest["x"]]), run(net)["x"], rtol=1e-12)
    pure = bm.Simulator(net, dt=DT).pure(20 * u.ms, monitors=["x"], free=["tau"])

    def end(tau):
        return pure({"tau": tau * u.ms}, 0)["x"][-1, 0]

    slope = float(jax.jit(jax.grad(end))(5.0))
    assert abs(slope) > 1e-5 and slope == pytest.approx(float(end(5.001) - end(4.999)) / 2e-3, rel=1e-5)


def linear(rise, decay):
    """The matrix of `network` with gamma -1: x, rising, filtered."""
    eye, zero = np.eye(2), np.zeros((2, 2))
    return np.block([[-eye, zero, eye], [W / rise, -eye / rise, zero], [zero, eye / decay, -eye / decay]])


def test_drift_and_linear_noise_are_those_of_the_matrix():
    net = network(bm.DoubleExponentialSynapse(tau_rise=1 * u.ms, tau_decay=4 * u.ms))
    net.node.noise_x = bm.WhiteNoise(2, sigma=[0.5, 1.0] * u.UNITLESS)
    drift = bm.Drift(net)
    assert drift.names == ("x", "projections.0.synapse.rising", "projections.0.synapse.filtered")
    np.testing.assert_allclose(drift.jacobian(np.zeros(6)), linear(1, 4), atol=1e-7)
    other = {"tau_decay": 2 * u.ms, "gamma": -1.0}
    np.testing.assert_allclose(drift.jacobian(np.zeros(6), other), linear(1, 2), atol=1e-7)
    Q = np.diag([0.25, 1.0, 0, 0, 0, 0])
    covariance = solve_continuous_lyapunov(linear(1, 4), -Q)[:2, :2]
    np.testing.assert_allclose(bm.linear_response(net).covariance(), covariance, rtol=1e-6)


@pytest.mark.slow
def test_roots_under_a_delay_and_a_synapse():
    """(1 + z)² (1 + z rise)² (1 + z decay)² = w01 w10 exp(-2 z d)."""
    net = network(bm.DoubleExponentialSynapse(tau_rise=1 * u.ms, tau_decay=4 * u.ms), delay=3 * u.ms)
    found = bm.characteristic_roots(net, np.zeros(6), right_of=-0.6)
    assert len(found) > 4

    def residual(z):
        return ((1 + z) * (1 + z) * (1 + 4 * z)) ** 2 - W[0, 1] * W[1, 0] * np.exp(-6 * z)

    slow = root(lambda z: residual(z[0]), [-0.05], tol=1e-12).x[0]
    assert found[0] == pytest.approx(slow, abs=1e-7)
    np.testing.assert_allclose([residual(z) for z in found], 0, atol=1e-6)


@pytest.mark.few(1)
@pytest.mark.parametrize(("n", "gain", "how_many"), [(2, 0.5, 1), (1, 8.0, 3)])
def test_equilibria_of_two_populations(n, gain, how_many):
    """All that scipy finds on the equations written out, with their eigenvalues by finite differences."""
    nodes = {
        "fast": bm.FitzHughNagumoStep.preset("classic", n),
        "slow": bm.LinearStep(n, gamma=-0.1, method="heun"),
    }
    weights, tau = np.array([[0.7, 0.2], [0.3, 0.0]])[:n, :n], np.array([3.0, 6.0])[:n]
    ways = dict(coupling="additive", self_connection=True)
    there = bm.Projection(weights, coupled_var="V", source="fast", target="slow", k=0.1, synapse="nmda", **ways)
    synapse = bm.AlphaSynapse(tau=tau * u.ms)
    back = bm.Projection(np.eye(n), coupled_var="x", source="slow", target="fast", k=gain, synapse=synapse, **ways)

    def rates(y):
        V, w, x, r0, s0, r1, s1 = y.reshape(7, n)
        return np.concatenate(
            [V - V**3 / 3 - w + s1, (V + 0.7 - 0.8 * w) / 12.5, -0.1 * x + s0,
             (0.1 * weights @ V - r0) / 2, (r0 - s0) / 100, (gain * x - r1) / tau, (r1 - s1) / tau]
        )  # fmt: skip

    expected: list = []
    for start in np.random.default_rng(0).uniform(-3, 3, (100, 7 * n)):
        got = root(rates, start, tol=1e-13)
        if got.success and not any(np.allclose(got.x, other, atol=1e-6) for other in expected):
            expected.append(got.x)
    expected = sorted(expected, key=lambda y: tuple(y.round(9)))
    found = bm.fixed_points(bm.Network(nodes, projections=[there, back]))
    assert len(expected) == how_many
    np.testing.assert_allclose(found.x, expected, atol=1e-6)
    for values, y in zip(found.eigenvalues, expected, strict=True):
        J = np.stack([(rates(y + d) - rates(y - d)) / 2e-6 for d in 1e-6 * np.eye(7 * n)], axis=1)
        np.testing.assert_allclose(np.sort(values.real), np.sort(np.linalg.eigvals(J).real), atol=1e-6)


def test_refusals():
    with pytest.raises(ValueError, match="`synapse` of Network must be one of 'alpha'.*Did you mean 'alpha'"):
        network("alfa")
    with pytest.raises(TypeError, match="`synapse` of Network .*, but is 5.0. Example: synapse=brainmass.Alpha"):
        network(5.0)
    with pytest.raises(ValueError, match=r"`tau` of AlphaSynapse .* each target region of 2, but has shape \(3,\)"):
        network(bm.AlphaSynapse(tau=[1, 2, 3] * u.ms))
    with pytest.raises(u.UnitMismatchError, match="`tau` of AlphaSynapse"):
        bm.AlphaSynapse(tau=5.0)
    net = network("nmda")
    with pytest.raises(AttributeError, match="`synapse` of .* cannot be set"):
        net.synapse = "alpha"


def test_in_an_experiment_file(tmp_path):
    np.savetxt(tmp_path / "weights.csv", W, delimiter=",")
    text = f"""
[model]
type = "HopfStep"
[connectome]
file = "{tmp_path}/weights.csv"
[network]
coupled_var = "x"
synapse = {{type = "AlphaSynapse", tau = "7 ms"}}
[simulation]
dt = "0.1 ms"
duration = "20 ms"
"""
    (tmp_path / "experiment.toml").write_text(text)
    synapse = bm.experiments.load(tmp_path / "experiment.toml").simulator.model.synapse
    assert isinstance(synapse, bm.AlphaSynapse) and synapse.tau.value() == 7 * u.ms
