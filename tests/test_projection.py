"""Kernels, several projections at once, several populations, delays that are trained: against closed forms."""

import math
import re

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
from brainstate import HiddenState
from brainstate.nn import Param
from braintools.init import Constant
from scipy.optimize import brentq

import brainmass as bm
from brainmass.connectome.neighbours import Inputs
from brainmass.dynamics.fields import Initializer, state
from brainmass.dynamics.node import NeuralMassDynamics

MM_PER_MS = u.mm / u.ms
RNG = np.random.default_rng(3)
W, X, EDGES = RNG.normal(size=(4, 4)), RNG.normal(size=4), RNG.normal(size=(4, 4))


class Sum(NeuralMassDynamics):
    """Two states that do nothing but add up what they receive."""

    init_x: Initializer = Constant(1.0)
    init_y: Initializer = Constant(0.0)
    x: HiddenState = state("first sum", port="x_inp")
    y: HiddenState = state("second sum", port="y_inp")

    def dx(self, x, x_inp):
        return x_inp / u.ms

    def dy(self, y, y_inp):
        return y_inp / u.ms


def at(values):
    return lambda shape: np.broadcast_to(values, shape)


def says(error, message):
    return pytest.raises(error, match=re.escape(message))


# --- kernels ------------------------------------------------------------------------------------------------
# name -> (class, its parameters, the formula for sources x_ij onto targets y_i)
KERNELS = {
    "sigmoidal": (
        bm.SigmoidalCoupling,
        dict(k=0.7, a=1.3, b=0.2, slope=2.0, midpoint=0.4),
        lambda x, y: 0.7 / (1 + np.exp(-2.0 * (1.3 * (W * x).sum(-1) + 0.2 - 0.4))),
    ),
    "tanh": (
        bm.HyperbolicTangentCoupling,
        dict(k=0.7, scale=1.5),
        lambda x, y: 0.7 * np.tanh(1.5 * (W * x).sum(-1)),
    ),
    "sigmoidal_jansen_rit": (
        bm.SigmoidalJansenRitCoupling,
        dict(k=0.7, cmin=0.1, cmax=2.0, midpoint=0.5, r=1.4),
        lambda x, y: 0.7 * (W * (0.1 + 1.9 / (1 + np.exp(1.4 * (0.5 - x))))).sum(-1),
    ),
    "pre_tanh": (
        bm.PreTanhCoupling,
        dict(k=0.7, b=1.2, midpoint=0.3, sigma=0.8),
        lambda x, y: 0.7 * (W * (1 + np.tanh((1.2 * x - 0.3) / 0.8))).sum(-1),
    ),
    "pre_sigmoidal": (
        bm.PreSigmoidalCoupling,
        dict(k=0.7, H=0.6, Q=0.9, G=3.0, P=1.1, theta=0.2),
        lambda x, y: 0.7 * (W * 0.6 * (0.9 + np.tanh(3.0 * (1.1 * x - 0.2)))).sum(-1),
    ),
    "kuramoto": (
        bm.KuramotoCoupling,
        dict(k=0.7, alpha=0.3),
        lambda x, y: 0.7 / 4 * (W * np.sin(x - y[..., None] - 0.3)).sum(-1),
    ),
}
each = pytest.mark.parametrize("name", KERNELS)


@each
@pytest.mark.parametrize("batch", [(), (2, 3)], ids=str)
def test_kernel_on_activity(name, batch, x64):
    kernel, parameters, formula = KERNELS[name]
    x = RNG.normal(size=(*batch, 4))
    expected = formula(np.broadcast_to(x[..., None, :], (*batch, 4, 4)), x)
    np.testing.assert_allclose(kernel(conn=W, **parameters)(x), expected, rtol=1e-12)


@each
def test_kernel_on_bound_sources(name, x64):
    kernel, parameters, formula = KERNELS[name]
    targets = {"y": lambda: jnp.asarray(X)} if name == "kuramoto" else {}
    for sources in EDGES, EDGES.reshape(-1), np.broadcast_to(EDGES, (2, 4, 4)):
        value = kernel(x=lambda sources=sources: jnp.asarray(sources), conn=W, **targets, **parameters)()
        np.testing.assert_allclose(value, np.broadcast_to(formula(EDGES, X), value.shape), rtol=1e-12)


@pytest.mark.few(4)
@each
@pytest.mark.parametrize("delayed", [False, True])
def test_kernel_by_name_in_a_network(name, delayed, x64):
    """With its default parameters, with delays and without, on a batch; nothing has moved before the start."""
    x = RNG.normal(size=(3, 4))
    options = dict(distance=20.0 * (W != 0), speed=10.0) if delayed else {}
    net = bm.Network(Sum(4, init_x=at(x)), conn=W, coupled_var="x", coupling=name, self_connection=True, **options)
    with brainstate.environ.context(dt=0.1 * u.ms):
        brainstate.nn.init_all_states(net, batch_size=3)
        np.testing.assert_allclose(net.coupling_input(), KERNELS[name][0](conn=W, k=1.0)(x), rtol=1e-12)


def test_functions_are_the_kernels(x64):
    for name, function in {
        "sigmoidal": bm.sigmoidal_coupling,
        "tanh": bm.hyperbolic_tangent_coupling,
        "sigmoidal_jansen_rit": bm.sigmoidal_jansen_rit_coupling,
    }.items():
        _, parameters, formula = KERNELS[name]
        np.testing.assert_allclose(function(jnp.asarray(EDGES), W, **parameters), formula(EDGES, X), rtol=1e-12)


def test_jansen_rit_kernel_reads_millivolt():
    kernel = bm.SigmoidalJansenRitCoupling(conn=W)
    np.testing.assert_allclose(kernel(0.006 * np.ones(4) * u.volt), 0.0025 * W.sum(1), rtol=1e-5)


def test_virtual_brains_sigmoidal_from_ours(x64):
    """cmin + (cmax − cmin) / (1 + exp(−a (g − midpoint)/σ)), as its documentation writes it."""
    cmin, cmax, midpoint, a, sigma = -1.0, 1.0, 0.3, 1.2, 2.3
    ours = bm.SigmoidalCoupling(conn=W, k=cmax - cmin, slope=a / sigma, midpoint=midpoint)
    theirs = cmin + (cmax - cmin) / (1 + np.exp(-a * (W @ X - midpoint) / sigma))
    np.testing.assert_allclose(cmin + ours(X), theirs, rtol=1e-12)


# --- several projections ------------------------------------------------------------------------------------
def test_two_couplings_into_two_ports_and_two_into_one(x64):
    A, B, C = RNG.normal(size=(3, 3, 3))
    for matrix in A, B, C:
        np.fill_diagonal(matrix, 0)
    more = [
        bm.Projection(B, coupled_var="y", coupling="diffusive", port="y_inp", k=0.3),
        bm.Projection(C, coupled_var="y", coupling="tanh"),
    ]
    net = bm.Network(Sum(3, method="rk4"), conn=A, coupled_var="x", coupling="additive", projections=more)
    x, y = RNG.normal(size=(2, 3))

    def rates(t, z):
        x, y = z[:3], z[3:]
        return np.r_[A @ x + np.tanh(2 * C @ y), 0.3 * (B @ y - B.sum(1) * y)]

    brainstate.nn.init_all_states(net)
    net.node.x.value, net.node.y.value = jnp.asarray(x), jnp.asarray(y)
    np.testing.assert_allclose(net.coupling_input("x_inp"), rates(0, np.r_[x, y])[:3])
    result = bm.Simulator(net, dt=0.01 * u.ms).run(1 * u.ms, init_states=False, seed=0)
    truth = scipy.integrate.solve_ivp(rates, (0, 1), np.r_[x, y], rtol=1e-11, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(np.r_[result["x"][-1], result["y"][-1]], truth, rtol=1e-7)


def thalamocortical(method="rk4", **delays):
    """Three cortical regions and two thalamic ones, of another model; every coupling linear."""
    up, down, within = RNG.normal(size=(3, 2)), RNG.normal(size=(2, 3)), RNG.normal(size=(3, 3))
    np.fill_diagonal(within, 0)
    cortex = Sum(3, init_x=at([1.0, -0.5, 0.2]), method=method)
    thalamus = bm.LinearStep(2, gamma=-0.5, init_x=at([0.3, 0.8]), method=method)
    additive = dict(coupled_var="x", coupling="additive")
    net = bm.Network(
        {"cortex": cortex, "thalamus": thalamus},
        projections=[
            bm.Projection(within, source="cortex", target="cortex", **additive),
            bm.Projection(up, source="thalamus", target="cortex", **additive, **delays),
            bm.Projection(down, source="cortex", target="thalamus", k=0.2, **additive),
        ],
    )
    return net, np.block([[within, up], [0.2 * down, -0.5 * np.eye(2)]]), np.array([1.0, -0.5, 0.2, 0.3, 0.8])


def test_two_populations_move_as_one_linear_system(x64):
    net, system, start = thalamocortical()
    run = bm.Simulator(net, dt=0.01 * u.ms).run(1 * u.ms, seed=0)
    assert list(run) == ["cortex.x", "cortex.y", "thalamus.x", "ts"]
    truth = scipy.linalg.expm(system) @ start
    np.testing.assert_allclose(np.r_[run["cortex.x"][-1], run["thalamus.x"][-1]], truth, rtol=1e-7)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2)])
def test_two_populations_keep_the_order_of_the_method(x64, method, order):
    errors = []
    for dt in 0.05, 0.025:
        RNG.bit_generator.state = np.random.default_rng(8).bit_generator.state
        net, system, start = thalamocortical(method)
        last = bm.Simulator(net, dt=dt * u.ms).run(1 * u.ms, seed=0)
        found = np.r_[last["cortex.x"][-1], last["thalamus.x"][-1]]
        errors.append(np.abs(found - scipy.linalg.expm(system) @ start).max())
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)


@pytest.mark.slow
def test_two_populations_by_hand_batched_with_inputs_and_delays():
    net, *_ = thalamocortical("euler", distance=np.full((3, 2), 3.0), speed=10.0)
    with brainstate.environ.context(dt=0.1 * u.ms):
        brainstate.nn.init_all_states(net, batch_size=2)
        out = [net.update(**{"cortex.y_inp": 0.5}) for _ in range(5)][-1]
    run = bm.Simulator(net, dt=0.1 * u.ms).run(5 * 0.1 * u.ms, inputs={"cortex.y_inp": 0.5}, batch_size=2, seed=0)
    assert out["cortex"].shape == (2, 3) and out["thalamus"].shape == (2, 2)
    np.testing.assert_allclose(run["cortex.x"][-1], out["cortex"], rtol=1e-5)
    np.testing.assert_allclose(run["cortex.y"][-1], 0.25, rtol=1e-5)
    assert net.activity().shape == (2, 5)


def test_refusals_of_populations():
    cortex, thalamus = Sum(3), bm.LinearStep(2, method="heun")
    nodes = {"cortex": cortex, "thalamus": thalamus}
    with says(ValueError, "`source` of Projection must name a population in a network of several: cortex, thalamus."):
        bm.Network(nodes, projections=[bm.Projection(np.ones((3, 2)), coupled_var="x")])
    with says(ValueError, "`target` of Projection must be one of cortex, thalamus, but is 'cortx'. Did you mean"):
        bm.Network(nodes, projections=[bm.Projection(W, coupled_var="x", source="cortex", target="cortx")])
    with says(
        ValueError, "`conn` of Network must be a row per target, a column per source, (3, 2), but has shape (2, 3)"
    ):
        wrong = bm.Projection(np.ones((2, 3)), coupled_var="x", source="thalamus", target="cortex")
        bm.Network(nodes, projections=[wrong])
    with says(ValueError, "must share one integration method, but have {'cortex': 'heun', 'thalamus': 'rk4'}."):
        right = bm.Projection(np.ones((3, 2)), coupled_var="x", source="thalamus", target="cortex")
        bm.Network({"cortex": cortex, "thalamus": bm.LinearStep(2, method="rk4")}, projections=[right])
    with says(TypeError, "`conn` of Network belongs to one node; of several, name their `projections`"):
        bm.Network(nodes, conn=W, coupled_var="x")
    with says(ValueError, "must name its populations by words such as 'cortex', but has 'left cortex'"):
        bm.Network({"left cortex": cortex}, projections=[])
    net, *_ = thalamocortical()
    with says(ValueError, "Input 'y_inp' of Network must be named `population.port`, with one of cortex, thalamus."):
        bm.Simulator(net, dt=0.1 * u.ms).run(1 * u.ms, inputs={"y_inp": 1.0})
    with says(ValueError, "names 'z_inp'; Sum has the inputs x_inp, y_inp."):
        bm.Simulator(net, dt=0.1 * u.ms).run(1 * u.ms, inputs={"cortex.z_inp": 1.0})


# --- delays -------------------------------------------------------------------------------------------------
def echo(tau, dt, method="heun", interpolate=None, speed=None, **options):
    """x' = −x(t − τ), one region, x = 1 until now."""
    speed = 1.0 * MM_PER_MS if speed is None else speed
    net = bm.Network(
        Sum(1, method=method), conn=[[-1.0]], coupled_var="x", coupling="additive", self_connection=True,
        distance=[[tau]] * u.mm, speed=speed, interpolate=interpolate, **options,
    )  # fmt: skip
    return bm.Simulator(net, dt=dt * u.ms)


def by_steps(t, tau):
    """The solution of x' = −x(t − τ), x = 1 before 0, by the method of steps."""
    return sum((-1) ** k * (t - (k - 1) * tau) ** k / math.factorial(k) for k in range(int(t // tau) + 2))


@pytest.mark.parametrize("interpolate", [False, True])
def test_method_of_steps(x64, interpolate):
    """τ of 10 steps: no step too early or too late; the error falls as the square of the step."""
    errors = []
    for dt in 0.1, 0.05:
        x = np.asarray(echo(1.0, dt, interpolate=interpolate).run(5 * u.ms, monitors=["x"], seed=0)["x"])[:, 0]
        t = dt * np.arange(1, len(x) + 1)
        errors.append(np.abs(x - [by_steps(s, 1.0) for s in t]).max())
    assert errors[1] < 1e-3 and math.log2(errors[0] / errors[1]) > 1.8


@pytest.mark.slow
def test_delays_between_steps_keep_second_order(x64):
    """τ = 1.037 is no multiple of any step: interpolation does not round it, the nearest step does."""
    errors = {True: [], False: []}
    for interpolate in True, False:
        for dt in 0.1, 0.05, 0.025:
            x = np.asarray(echo(1.037, dt, interpolate=interpolate).run(4 * u.ms, monitors=["x"], seed=0)["x"])[-1, 0]
            errors[interpolate].append(abs(x - by_steps(4.0, 1.037)))
    assert math.log2(errors[True][0] / errors[True][2]) / 2 == pytest.approx(2, abs=0.3)
    assert errors[True][2] < 3e-4 and errors[False][2] > 5 * errors[True][2]


@pytest.mark.slow
def test_hopf_bifurcation_of_a_delay_equation():
    """x' = −x(t − τ) neither grows nor decays at τ = π/2, and its period is 4τ."""
    tau = math.pi / 2
    x = np.asarray(echo(tau, tau / 200).run(40 * tau * u.ms, monitors=["x"], seed=0)["x"])[:, 0]
    crossings = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
    exact = crossings + x[crossings] / (x[crossings] - x[crossings + 1])
    np.testing.assert_allclose(np.diff(exact)[2:] / 200, 4, rtol=1e-3)
    peaks = [np.abs(x[i * 800 : (i + 1) * 800]).max() for i in range(2, 10)]
    np.testing.assert_allclose(peaks, peaks[0], rtol=5e-3)
    below, above = (
        np.abs(np.asarray(echo(s * tau, 0.01).run(60 * u.ms, monitors=["x"], seed=0)["x"])[-700:]).max()
        for s in (0.8, 1.2)
    )
    assert below < 0.3 and above > 2


def locked(omega, k, tau):
    """Frequency of two delayed oscillators in phase, Ω = ω − K sin Ωτ with K = k/2."""
    return brentq(lambda f: f - omega + k / 2 * np.sin(f * tau), omega - k, omega + k)


def two_oscillators(speed, omega=0.5, k=0.2, lengths=30.3):
    node = bm.KuramotoNetwork(2, omega=omega, init_theta=Constant(0.0), method="heun")
    conn, distance = np.ones((2, 2)) - np.eye(2), lengths * (np.ones((2, 2)) - np.eye(2)) * u.mm
    return bm.Network(node, conn=conn, coupled_var="theta", coupling="kuramoto", k=k, distance=distance, speed=speed)


@pytest.mark.slow
def test_two_delayed_oscillators_and_the_slope_in_the_speed(x64):
    """Yeung & Strogatz 1999: Ω = ω − K sin Ωτ; and dΩ/dv, by the closed form and by finite differences.

    τ lies in the middle of a step: on a step the slope of the interpolated past is that of one side.
    """
    speed = 12.0
    net = two_oscillators(Param(speed * MM_PER_MS, fit=True))
    run = bm.Simulator(net, dt=0.05 * u.ms).pure(400 * u.ms, monitors=["theta"], sample_every=1 * u.ms, free=["speed"])

    def frequency(v):
        theta = jnp.unwrap(run({"speed": v * MM_PER_MS}, 0)["theta"][:, 0])
        return (theta[-1] - theta[199]) / 200.0

    value, slope = jax.jit(jax.value_and_grad(frequency))(speed)
    tau = 30.3 / speed
    expected = locked(0.5, 0.2, tau)
    assert float(value) == pytest.approx(expected, rel=1e-5)
    by_tau = -0.1 * np.cos(expected * tau) * expected / (1 + 0.1 * tau * np.cos(expected * tau))
    assert float(slope) == pytest.approx(by_tau * -tau / speed, rel=1e-3)
    there = jax.jit(frequency)
    assert float(slope) == pytest.approx(float(there(speed + 1e-4) - there(speed - 1e-4)) / 2e-4, rel=1e-4)


def random_net(**options):
    weights = np.random.default_rng(0).uniform(0, 0.2, (5, 5))
    node = bm.HopfStep(5, init_x=at(np.linspace(-1, 1, 5)), init_y=at(np.zeros(5)), method="heun")
    return weights, node, lambda conn, **more: bm.Network(node, conn=conn, coupled_var="x", **{**options, **more})


def last(net):
    return np.asarray(bm.Simulator(net, dt=0.1 * u.ms).run(20 * u.ms, monitors=["x"], seed=0)["x"])


@pytest.mark.slow
def test_infinite_speed_is_no_delay_to_the_bit():
    weights, _, network = random_net()
    lengths = np.random.default_rng(1).uniform(5, 80, (5, 5)) * u.mm
    fast = network(weights, distance=lengths, speed=np.inf * MM_PER_MS)
    np.testing.assert_array_equal(last(fast), last(network(weights)))
    assert np.abs(last(network(weights, distance=lengths, speed=2 * MM_PER_MS)) - last(network(weights))).max() > 0.01


@pytest.mark.few(1)
@pytest.mark.parametrize("interpolate", [False, True])
def test_connections_without_weight_change_nothing(interpolate):
    """Whatever their length: neither its delay nor the room that it takes."""
    weights, _, network = random_net(interpolate=interpolate, speed=2 * MM_PER_MS)
    weights[0, 3] = weights[2, 1] = 0.0
    lengths = np.random.default_rng(1).uniform(5, 30, (5, 5))
    longer = lengths.copy()
    longer[0, 3], longer[2, 1] = 90.0, 0.3
    a, b = (last(network(weights, distance=d * u.mm)) for d in (lengths, longer))
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def test_every_connection_has_its_own_speed():
    weights, _, network = random_net()
    lengths, speeds = np.full((5, 5), 20.0), np.random.default_rng(4).choice([1.0, 2.0, 4.0], (5, 5))
    by_speed = network(weights, distance=lengths * u.mm, speed=speeds * MM_PER_MS)
    by_length = network(weights, distance=lengths / speeds * u.mm, speed=1 * MM_PER_MS)
    np.testing.assert_array_equal(last(by_speed), last(by_length))


@pytest.mark.slow
def test_history_from_a_run_goes_on():
    """A delayed run that is cut, in both ways to keep the past, and one whose past is given."""
    weights, _, network = random_net(speed=2 * MM_PER_MS)
    lengths = np.random.default_rng(1).uniform(5, 30, (5, 5)) * u.mm
    for interpolate in False, True:
        simulator = bm.Simulator(network(weights, distance=lengths, interpolate=interpolate), dt=0.1 * u.ms)
        whole = simulator.run(10 * u.ms, monitors=["x"], seed=0)["x"]
        first = simulator.run(4 * u.ms, monitors=["x"], seed=0)
        second = simulator.run(6 * u.ms, monitors=["x"], state=first.final)["x"]
        np.testing.assert_array_equal(np.concatenate([first["x"], second]), whole)
    given = network(weights, distance=lengths, delay_init=Constant(0.5), coupling="additive")
    with brainstate.environ.context(dt=0.1 * u.ms):
        brainstate.nn.init_all_states(given)
        np.testing.assert_allclose(
            given.coupling_input(), 0.5 * (weights - np.diag(np.diag(weights))).sum(1), rtol=1e-6
        )


# --- edge lists ---------------------------------------------------------------------------------------------
def sparse_and_dense(n=12, seed=2):
    rng = np.random.default_rng(seed)
    weights = np.where(rng.random((n, n)) < 0.3, rng.uniform(0.1, 1, (n, n)), 0.0)
    np.fill_diagonal(weights, 0.5)  # ignored, as of a dense matrix
    lengths = rng.uniform(5, 40, (n, n))
    edges = bm.Edges.from_dense(weights, lengths * u.mm)
    return edges, weights, lengths


SPEEDS = {"now": None, "steps": 3.0, "trained": Param(3.0 * MM_PER_MS, fit=True)}
COUPLINGS = ("additive", "diffusive", "tanh", "sigmoidal_jansen_rit", "kuramoto")
EDGE_LISTS = [
    pytest.param(
        coupling,
        speed,
        hubs,
        id=f"{'split rows' if hubs else 'rows'}-{how}-{coupling}",
        marks=() if coupling == "additive" or (how == "steps" and not hubs) else pytest.mark.slow,
    )
    for coupling in COUPLINGS
    for how, speed in SPEEDS.items()
    for hubs in (False, True)
]


@pytest.mark.few(4)
@pytest.mark.parametrize(("coupling", "speed", "hubs"), EDGE_LISTS)
def test_edge_list_is_the_matrix(coupling, speed, hubs, monkeypatch):
    edges, weights, lengths = sparse_and_dense()
    if hubs:
        monkeypatch.setattr(Inputs, "would_be_padding", lambda self, width: True)
    ends = []
    for conn, options in (edges, {}), (weights, {} if speed is None else {"distance": lengths * u.mm}):
        node = bm.HopfStep(12, init_x=at(np.linspace(-1, 1, 12)), init_y=at(np.zeros(12)), method="heun")
        net = bm.Network(node, conn=conn, coupled_var="x", coupling=coupling, k=0.2, speed=speed, **options)
        ends.append(np.asarray(bm.Simulator(net, dt=0.1 * u.ms).run(25 * u.ms, monitors=["x"], seed=0)["x"]))
    np.testing.assert_allclose(ends[0], ends[1], rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("hubs", [pytest.param(False, marks=pytest.mark.slow), True], ids=["rows", "split rows"])
def test_edge_list_by_hand_batched_and_differentiated(hubs, monkeypatch):
    edges, weights, _ = sparse_and_dense()
    if hubs:
        monkeypatch.setattr(Inputs, "would_be_padding", lambda self, width: True)
    x = RNG.normal(size=(3, 12)).astype(np.float32)
    coupling = bm.AdditiveCoupling(conn=edges, k=0.7)
    np.testing.assert_allclose(coupling(x), 0.7 * x @ weights.T, rtol=1e-5, atol=1e-6)
    net = bm.Network(bm.HopfStep(12), conn=edges, coupled_var="x", coupling="additive")
    run = bm.Simulator(net, dt=0.1 * u.ms).pure(2 * u.ms, monitors=["x"], free=["conn"])
    table = jnp.asarray(edges.rows().weights, jnp.float32)
    slope = jax.grad(lambda w: (run({"conn": w}, 0)["x"][-1] ** 2).sum())(table)
    assert slope.shape == table.shape and np.isfinite(slope).all() and np.abs(slope).max() > 0


@pytest.mark.slow
def test_a_hub_costs_its_connections():
    """A star whose neighbour table would have 9e8 entries: each region receives from the centre, which receives all."""
    n = 30_000
    rest = np.arange(1, n)
    edges = bm.Edges(n, np.r_[rest, np.zeros(n - 1, int)], np.r_[np.zeros(n - 1, int), rest], np.ones(2 * (n - 1)))
    coupling = bm.AdditiveCoupling(conn=edges)
    assert coupling.conn.value().size < 5 * n
    x = RNG.random(n).astype(np.float32)
    np.testing.assert_allclose(coupling(x), np.r_[x[1:].sum(dtype=float), np.full(n - 1, x[0])], rtol=1e-4)


# --- delays that nobody can have meant ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("unit", "message"),
    [
        (u.um, "All delays are shorter than half a step of 0.1 ms, and so zero (lengths of 0.02 to 0.02 mm"),
        (u.meter, "All delays are longer than the run of 5 ms (lengths of 20000 to 20000 mm, delays of 2000 to"),
    ],
)
def test_lengths_in_a_wrong_unit_are_warned_of(unit, message):
    weights, _, network = random_net()
    simulator = bm.Simulator(network(weights, distance=np.full((5, 5), 20.0) * unit, speed=10.0), dt=0.1 * u.ms)
    with pytest.warns(UserWarning, match=re.escape(message)):
        simulator.run(5 * u.ms, seed=0)
