"""Networks against ordinary and delay differential equations solved elsewhere."""

import functools
import math

import brainstate
import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
from brainstate import HiddenState
from braintools.init import Constant

import brainmass as bm
from brainmass.dynamics.fields import Initializer, state
from brainmass.dynamics.node import NeuralMassDynamics

MM_PER_MS = u.mm / u.ms
PER_MS = u.get_unit(1 / u.ms)


class Sum(NeuralMassDynamics):
    """x' = input: what a region receives is all that moves it."""

    init_x: Initializer = Constant(1.0)
    x: HiddenState = state("accumulated input", port="x_inp")

    def dx(self, x, x_ext):
        return x_ext / u.ms


W = np.array([[0.0, 0.9, -0.4], [0.3, 0.0, 0.8], [-0.7, 0.2, 0.0]])
START = np.array([1.0, -0.5, 0.25])


def at(values):
    """An initialiser that gives these values."""
    return lambda shape: np.broadcast_to(values, shape)


def summing(conn=W, method="euler", start=START, coupling="additive", **options):
    node = Sum(len(start), init_x=at(start), method=method)
    return bm.Network(node, conn=conn, coupled_var="x", coupling=coupling, **options)


def ending(net, duration, dt, seed=0):
    """The last x of a run."""
    return np.asarray(bm.Simulator(net, dt=dt * u.ms).run(duration * u.ms, seed=seed, monitors=["x"])["x"][-1])


def orders(errors, halvings=1):
    return [math.log2(a / b) / halvings for a, b in zip(errors, errors[1:], strict=False)]


# --- the order of the method, on a network ------------------------------------------------------------------
@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2), ("rk4", 4)])
def test_order_on_a_linear_network(x64, method, order):
    exact = scipy.linalg.expm(2.0 * W) @ START
    errors = [np.abs(ending(summing(method=method), 2.0, dt) - exact).max() for dt in (0.05, 0.025)]
    assert orders(errors)[0] == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize(("method", "order"), [("exp_euler", 1), ("heun", 2), ("rk4", 4)])
def test_order_on_coupled_oscillators(x64, method, order):
    a, w, beta, k = np.array([0.5, -0.1, 0.2]), 0.7, 1.2, 0.4
    y0 = np.array([0.1, -0.2, 0.3])

    def motion(t, state):
        x, y = state[:3], state[3:]
        pull = np.array([sum(W[i, j] * (x[j] - x[i]) for j in range(3)) for i in range(3)])
        growth = a - beta * (x**2 + y**2)
        return np.concatenate([growth * x - w * y + k * pull, growth * y + w * x])

    exact = scipy.integrate.solve_ivp(motion, (0, 4), np.concatenate([START, y0]), rtol=1e-12, atol=1e-13).y[:3, -1]
    node = bm.HopfStep(3, a=a, w=w, beta=beta, init_x=at(START), init_y=at(y0), method=method)
    net = bm.Network(node, conn=W, coupled_var="x", coupling="diffusive", k=k)
    errors = [np.abs(ending(net, 4.0, dt) - exact).max() for dt in (0.1, 0.05)]
    assert orders(errors)[0] == pytest.approx(order, abs=0.25)


# --- delays -------------------------------------------------------------------------------------------------
def feedback(delays, method="heun", **options):
    """Regions with x' = -x(t - delay), each on its own."""
    n = len(delays)
    lengths = np.diag(delays) * u.mm
    return summing(
        -np.eye(n), method, np.ones(n), distance=lengths, speed=1.0 * MM_PER_MS, self_connection=True, **options
    )


def by_method_of_steps(t, tau):
    """x' = -x(t - tau) with x = 1 before t = 0, in closed form."""
    pieces = range(int(t // tau) + 2)
    return sum((-1) ** n * max(t - (n - 1) * tau, 0.0) ** n / math.factorial(n) for n in pieces)


@functools.cache
def feedback_errors(method):
    errors = []
    for dt in 0.1, 0.05:
        run = bm.Simulator(feedback([1.0], method), dt=dt * u.ms).run(5.5 * u.ms, seed=0)
        exact = [by_method_of_steps(t, 1.0) for t in run.time.to_decimal(u.ms)]
        errors.append(np.abs(np.asarray(run["x"][:, 0]) - exact).max())
    return errors


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("exp_euler", 1), ("heun", 2), ("rk4", 2)])
def test_delayed_feedback_by_the_method_of_steps(x64, method, order):
    errors = feedback_errors(method)
    assert errors[-1] < {1: 0.1, 2: 2e-3}[order]
    assert orders(errors)[0] == pytest.approx(order, abs=0.2)


def test_hopf_point_of_delayed_feedback():
    """x' = -x(t - tau) loses stability at tau = pi/2, with a period of 4 tau."""
    step = math.pi / 2 / 40
    net = feedback([36 * step, 40 * step, 44 * step])
    x = np.asarray(bm.Simulator(net, dt=step * u.ms).run(40 * 32 * step * u.ms, seed=0)["x"])
    early, late = np.ptp(x[-640:-480], axis=0), np.ptp(x[-160:], axis=0)
    assert late[0] < 0.9 * early[0]
    assert late[1] == pytest.approx(early[1], rel=2e-3)
    assert late[2] > 1.1 * early[2]
    np.testing.assert_allclose(x[-160:, 1], x[-320:-160, 1], atol=5e-3)  # the period is 160 steps, 4 tau
    assert np.abs(x[-160:, 1] + x[-240:-80, 1]).max() < 5e-3  # and no shorter


LENGTHS = np.array([[0.0, 3.2, 1.0], [0.04, 0.0, 2.6], [2.4, 7.0, 0.0]])


def delayed_euler_by_loop(n_steps, dt, conn=W, lengths=LENGTHS, kernel="diffusive", own=False):
    """The same network, edge by edge and step by step."""
    n = len(conn)
    past = [START]
    for now in range(n_steps):
        x, inputs = past[now], np.zeros(n)
        for i in range(n):
            for j in range(n):
                if i == j and not own:
                    continue
                sent = past[max(0, now - round(lengths[i, j] / dt))][j]
                inputs[i] += conn[i, j] * (sent - (x[i] if kernel == "diffusive" else 0.0))
        past.append(x + dt * 0.5 * inputs)
    return np.array(past[1:])


@pytest.mark.parametrize("kernel", ["diffusive", "additive"])
def test_delayed_network_by_loop(kernel):
    net = summing(coupling=kernel, k=0.5, distance=LENGTHS * u.mm, speed=1.0 * MM_PER_MS)
    x = bm.Simulator(net, dt=0.1 * u.ms).run(120 * 0.1 * u.ms, seed=0)["x"]  # one edge is too short for a delay
    np.testing.assert_allclose(x, delayed_euler_by_loop(120, 0.1, kernel=kernel), rtol=1e-4, atol=1e-5)


def test_delayed_self_connections_by_loop():
    conn, lengths = W - np.diag([0.5, 0.2, 0.1]), LENGTHS + np.diag([0.5, 0.0, 1.5])
    net = summing(conn, k=0.5, distance=lengths * u.mm, speed=1.0 * MM_PER_MS, self_connection=True)
    x = bm.Simulator(net, dt=0.1 * u.ms).run(60 * 0.1 * u.ms, seed=0)["x"]
    expected = delayed_euler_by_loop(60, 0.1, conn, lengths, "additive", own=True)
    np.testing.assert_allclose(x, expected, rtol=1e-4, atol=1e-5)


def moderate(**options):
    """A network as most tests below need it, with a run of two milliseconds."""
    options = {"distance": LENGTHS * u.mm, "speed": 2.0 * MM_PER_MS, "method": "heun", **options}
    return summing(**{name: value for name, value in options.items() if value is not None})


@functools.cache
def moderate_run():
    return ending(moderate(), 2.0, 0.1)


def test_speed_and_lengths_in_other_units():
    same = moderate(distance=LENGTHS / 1000 * u.meter, speed=2.0 * u.meter / u.second)
    np.testing.assert_array_equal(ending(same, 2.0, 0.1), moderate_run())
    same = moderate(distance=LENGTHS, speed=2.0)  # plain numbers are mm and mm/ms
    np.testing.assert_array_equal(ending(same, 2.0, 0.1), moderate_run())
    same = moderate(conn=bm.Connectome(W, lengths=LENGTHS * u.mm), distance=None)
    np.testing.assert_array_equal(ending(same, 2.0, 0.1), moderate_run())


@pytest.mark.filterwarnings("ignore:All delays are shorter than half a step")
def test_very_fast_conduction_is_no_delay():
    fast, none = moderate(speed=1e9 * MM_PER_MS), moderate(distance=None, speed=None)
    np.testing.assert_array_equal(ending(fast, 2.0, 0.1), ending(none, 2.0, 0.1))
    assert not np.allclose(ending(none, 2.0, 0.1), moderate_run())


def test_edges_of_weight_zero_change_nothing():
    sparse = np.where(np.abs(W) > 0.3, W, 0.0)
    runs = [
        ending(moderate(conn=sparse, distance=np.where(sparse == 0, length, LENGTHS) * u.mm), 2.0, 0.1)
        for length in (0.0, 40.0)
    ]
    np.testing.assert_array_equal(*runs)


def test_delays_are_rounded_to_the_nearest_step():
    exact = np.rint(LENGTHS / 2.0 / 0.1) * 0.1 * 2.0
    np.testing.assert_array_equal(ending(moderate(distance=exact * u.mm), 2.0, 0.1), moderate_run())
    longer = exact + 0.6 * 0.1 * 2.0
    assert not np.allclose(ending(moderate(distance=longer * u.mm), 2.0, 0.1), moderate_run())


def test_history_before_the_start_can_be_given():
    """Nothing was sent before: nothing moves before the first delay has passed."""
    net = feedback([1.0], delay_init=Constant(0.0))
    x = np.asarray(bm.Simulator(net, dt=0.1 * u.ms).run(2 * u.ms, seed=0)["x"][:, 0])
    np.testing.assert_array_equal(x[:9], 1.0)
    assert x[-1] == pytest.approx(0.0, abs=0.06)  # then x' = -1


def test_delays_follow_a_change_of_the_time_step():
    net = feedback([1.0])
    for dt in 0.1, 0.05, 0.1:
        x = bm.Simulator(net, dt=dt * u.ms).run(3 * u.ms, seed=0)["x"]
        assert float(x[-1, 0]) == pytest.approx(by_method_of_steps(3.0, 1.0), abs=5e-3)


@pytest.mark.slow
def test_a_delayed_network_takes_a_new_monitor_and_a_new_noise():
    """They have yet to be given states, while the past of the network is there already."""
    conn = bm.Connectome(W, 10 * np.ones((3, 3)) * u.mm)

    def run(earlier):
        network = bm.Network(bm.HopfStep(3), conn=conn, coupled_var="x", speed=10 * u.mm / u.ms)
        simulator = bm.Simulator(network, dt=0.1 * u.ms)
        if earlier:
            simulator.pure(4 * u.ms, monitors=["x"])
        network.node.noise_x = bm.OUProcess(3, sigma=0.1)
        monitors = {"x": "x", "fc": bm.FunctionalConnectivity(3)}
        return np.asarray(simulator.run(4 * u.ms, monitors=monitors, seed=1)["x"])

    np.testing.assert_array_equal(run(earlier=True), run(earlier=False))


@pytest.mark.slow
def test_delays_of_edges_that_are_yet_to_grow():
    """A trainable weight of zero has the delay of its length."""
    grown, absent = W.copy(), W.copy()
    absent[0, 1] = absent[1, 0] = 0.0  # one has a delay, the other is too short for one
    net = moderate(conn=brainstate.nn.Param(jnp.asarray(absent, jnp.float32), fit=True))
    simulator = bm.Simulator(net, dt=0.1 * u.ms)
    net.coupling.conn.set_value(jnp.asarray(grown, jnp.float32))
    np.testing.assert_array_equal(simulator.run(2 * u.ms, seed=0)["x"][-1], moderate_run())
    by_value = simulator.pure(2 * u.ms, free=["conn"])({"conn": jnp.asarray(grown, jnp.float32)}, 0)
    np.testing.assert_allclose(by_value["x"][-1], moderate_run(), rtol=1e-6)


# --- ports, batches, seeds ----------------------------------------------------------------------------------
def test_qif_population_is_coupled_into_v_by_tau_r():
    tau, rate = 10.0 * u.ms, np.array([5.0, 20.0, 40.0])
    node = bm.MontbrioPazoRoxinStep(3, tau=tau, init_r=at(rate), init_v=Constant(-1.0))
    net = bm.Network(node, conn=W, coupled_var="r", coupling="additive", k=2.0)
    brainstate.nn.init_all_states(net)
    assert net.port == "v_inp"
    given = net.coupling_input()
    np.testing.assert_allclose(given, 2.0 * W @ (rate * 0.01), rtol=1e-5)
    # it enters tau v' as a current, and not r'
    still = (node.r.value, node.v.value)
    alone = node.derivative(still, 0.0 * u.ms, 0.0 * u.Hz, 0.0)
    coupled = net.derivative(still, 0.0 * u.ms)
    np.testing.assert_array_equal(coupled[0].to_decimal(u.Hz / u.ms), alone[0].to_decimal(u.Hz / u.ms))
    np.testing.assert_allclose((coupled[1] - alone[1]).to_decimal(PER_MS), given / 10.0, rtol=1e-4)


def test_another_port():
    node = bm.HopfStep(3, init_x=at(START), init_y=at(START), a=0.0, w=0.0)
    net = bm.Network(node, conn=W, coupled_var="x", coupling="additive", port="y_inp")
    brainstate.nn.init_all_states(net)
    dx, dy = net.derivative((node.x.value, node.y.value), 0.0 * u.ms)
    np.testing.assert_allclose((dy - dx).to_decimal(PER_MS), W @ START, rtol=1e-5)


def test_inputs_of_the_node_pass_through():
    net = summing()
    with brainstate.environ.context(dt=0.1 * u.ms):
        brainstate.nn.init_all_states(net)
        net.update(x_inp=np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(net.node.x.value, START + 0.1 * (W @ START + [1.0, 2.0, 3.0]), rtol=1e-5)


def test_noise_of_the_network_is_added_to_its_input():
    net = summing(np.zeros((3, 3)), noise=bm.WhiteNoise(3, sigma=0.0, mean=2.0))
    np.testing.assert_allclose(ending(net, 1.0, 0.1), START + 2.0, rtol=1e-5)


@pytest.mark.parametrize("delayed", [False, True])
def test_batch_by_hand(delayed):
    """Every lane of a batch moves as a network of its own."""
    starts = np.array([START, 2 * START, [0.3, 0.0, -1.0]], np.float32)
    lengths = {"distance": LENGTHS * u.mm, "speed": 20.0 * MM_PER_MS} if delayed else {}
    with brainstate.environ.context(dt=0.1 * u.ms):
        net = summing(start=starts, **lengths)
        brainstate.nn.init_all_states(net, batch_size=3)
        together = [net.update() for _ in range(6)][-1]
        for lane, start in enumerate(starts):
            alone = summing(start=start, **lengths)
            brainstate.nn.init_all_states(alone)
            last = [alone.update() for _ in range(6)][-1]
            np.testing.assert_allclose(together[lane], last, rtol=1e-5, atol=1e-6)
        # two batch axes, and a run that goes on from a batch made by hand
        brainstate.nn.init_all_states(net, batch_size=(1, 3))
        np.testing.assert_allclose([net.update() for _ in range(6)][-1], together[None], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_batches_by_hand_and_in_runs_go_on_from_each_other():
    net = moderate(method="euler")
    simulator = bm.Simulator(net, dt=0.1 * u.ms)
    expected = simulator.run(14 * 0.1 * u.ms, seed=0)["x"]
    with brainstate.environ.context(dt=0.1 * u.ms):
        brainstate.nn.init_all_states(net, batch_size=2)
        for _ in range(2):
            net.update()
        simulator.run(10 * 0.1 * u.ms, init_states=False, seed=0)
        for _ in range(2):
            after = net.update()
    np.testing.assert_allclose(after, np.broadcast_to(expected[-1], (2, 3)), rtol=1e-5)


def test_reset_goes_back_to_the_start():
    net = moderate()
    with brainstate.environ.context(dt=0.1 * u.ms):
        brainstate.nn.init_all_states(net)
        first = [net.update() for _ in range(4)]
        net.reset_state()
        again = [net.update() for _ in range(4)]
    np.testing.assert_array_equal(first, again)


def test_deterministic_run_does_not_depend_on_the_seed():
    simulator = bm.Simulator(moderate(), dt=0.1 * u.ms)
    np.testing.assert_array_equal(simulator.run(2 * u.ms, seed=1)["x"], simulator.run(2 * u.ms, seed=2)["x"])


def test_node_needs_no_time_step_before_the_run():
    net = moderate()
    assert "Sum" in repr(net) and "to 3.5 ms" in repr(net)
    with pytest.raises(ValueError, match="Network needs a time step"):
        brainstate.nn.init_all_states(net)


# --- refusals -----------------------------------------------------------------------------------------------
BAD = np.array([[0.0, np.nan, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"conn": np.ones((2, 2))}, r"`conn` of Network must be square.*\(3, 3\).*\(2, 2\)"),
        ({"conn": np.ones((3, 2))}, r"`conn` of Network must be square.*\(3, 2\)"),
        ({"conn": np.ones(3)}, "`conn` of Network must be a matrix"),
        ({"conn": None}, "Network needs the argument `conn`"),
        ({"conn": BAD}, r"`conn` of Network.*finite, but is nan at index \(0, 1\)"),
        ({"distance": LENGTHS * u.mm}, "`distance` of Network needs the conduction speed"),
        ({"speed": 1.0 * MM_PER_MS}, "`speed` of Network needs lengths"),
        ({"distance": LENGTHS * u.ms, "speed": 1.0 * MM_PER_MS}, "unit of length"),
        ({"distance": LENGTHS[:2] * u.mm, "speed": 1.0 * MM_PER_MS}, r"`distance`.*must have shape \(3, 3\).*\(2, 3\)"),
        ({"distance": -LENGTHS * u.mm, "speed": 1.0 * MM_PER_MS}, "nonnegative"),
        ({"distance": LENGTHS * u.mm, "speed": 1.0 * u.ms}, "`speed` of Network.*must have a unit like mm / ms"),
        ({"distance": LENGTHS * u.mm, "speed": 0.0 * MM_PER_MS}, "`speed` of Network .conduction speed. must be > 0"),
        ({"distance": LENGTHS * u.mm, "speed": -1.0}, "`speed` of Network .conduction speed. must be > 0"),
        ({"coupled_var": "xx"}, "`coupled_var` of Network must be a state of HopfStep.*Did you mean 'x'"),
        ({"port": "x_in"}, "`port` of Network must be an input of HopfStep.*Did you mean 'x_inp'"),
        ({"coupling": "difusive"}, "`coupling` of Network must be one of.*Did you mean 'diffusive'"),
        ({"coupling": 3}, "`coupling` of Network"),
        ({"coupling": ["additive"]}, "`coupling` of Network"),
        ({"k": np.nan}, "`k` of DiffusiveCoupling.*finite"),
        ({"k": np.ones(2)}, r"`k` of DiffusiveCoupling.*shape \(2,\)"),
        ({"noise": 0.1}, "`noise` of Network must be a brainmass.Noise"),
        ({"noise": bm.WhiteNoise(2)}, r"`noise` of Network must have in_size=\(3,\)"),
        ({"node": "hopf"}, "`node` of Network must be a NeuralMassDynamics"),
        ({"node": bm.HopfStep((3, 3))}, r"`node` of Network must have one axis, the regions.*\(3, 3\)"),
    ],
)
def test_refusals(options, message):
    options = {"node": bm.HopfStep(3), "conn": W, "coupled_var": "x", **options}
    with pytest.raises((ValueError, TypeError, u.UnitMismatchError), match=message):
        bm.Network(**options)


def test_network_input_of_the_wrong_unit():
    net = bm.Network(bm.HopfStep(3, init_x=Constant(1.0)), conn=W, coupled_var="x", k=1.0 * u.mV)
    with pytest.raises(u.UnitMismatchError, match="Input `x_inp` of HopfStep"):
        bm.Simulator(net, dt=0.1 * u.ms).run(2 * 0.1 * u.ms, seed=0)


@pytest.mark.slow
def test_a_speed_given_to_a_run_must_have_an_effect():
    """Where delays are whole steps they are fixed; interpolated ones reach no further back than the past kept."""
    weights, lengths = np.array([[0, 1.0], [1, 0]]), np.array([[0, 30.0], [30, 0]]) * u.mm

    def run(interpolate, speed):
        node = bm.HopfStep(2)
        network = bm.Network(
            node, conn=weights, distance=lengths, speed=10 * u.mm / u.ms, coupled_var="x", interpolate=interpolate
        )
        return bm.Simulator(network, dt=0.1 * u.ms).pure(1 * u.ms, free=["speed"])({"speed": speed}, 0)

    with pytest.raises(ValueError, match=r"`speed` have no effect.*interpolate=True"):
        run(False, 20 * u.mm / u.ms)
    with pytest.raises(ValueError, match="`speed` must be at least 10 mm/ms"):
        run(True, 5 * u.mm / u.ms)
    with pytest.raises(u.UnitMismatchError, match="speed` must have a unit like mm / ms"):
        run(True, 20 * u.ms)
    assert np.isfinite(run(True, 20 * u.mm / u.ms)["x"]).all()
