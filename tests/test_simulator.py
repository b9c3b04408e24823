"""The run: what it records, what it recompiles, how it goes on, and its derivatives."""

import functools
import re

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brainstate import HiddenState
from braintools.init import Constant
from jax.test_util import check_grads

import brainmass as bm
from brainmass.dynamics.fields import Initializer, Par, param, state
from brainmass.dynamics.node import NeuralMassDynamics

DT = 0.1 * u.ms
W = np.array([[0.0, 0.9, -0.4], [0.3, 0.0, 0.8], [-0.7, 0.2, 0.0]])
LENGTHS = np.array([[0.0, 3.2, 1.0], [0.04, 0.0, 2.6], [2.4, 1.0, 0.0]])
START = np.array([1.0, -0.5, 0.25])
TRACES = []


class Driven(NeuralMassDynamics):
    """x' = gain·x² + input; counts how often its equation is traced."""

    gain: Par = param(default=0.0, doc="growth, per ms")
    init_x: Initializer = Constant(0.0)
    noise_x: bm.Noise | None = None
    x: HiddenState = state("accumulated input", port="x_inp")

    def dx(self, x, x_ext):
        TRACES.append("dx")
        return (self.p.gain * x**2 + x_ext) / u.ms


def traces_of(run):
    before = len(TRACES)
    run()
    return len(TRACES) - before


def driven(n=2, **options):
    return bm.Simulator(Driven(n, method="euler", **options), dt=DT)


def at(values):
    return lambda shape: jnp.asarray(values)


def deterministic(**options):
    node = bm.HopfStep(3, init_x=at(START), init_y=Constant(0.1), method="heun", w=0.8)
    return bm.Network(node, conn=W, coupled_var="x", k=0.5, **options)


@functools.cache
def full():
    """A simulator with all there is: delays, white and coloured noise, random starts."""
    node = bm.HopfStep(
        3, a=0.1, noise_x=bm.WhiteNoise(3, sigma=0.2), noise_y=bm.OUProcess(3, sigma=0.3), method="euler"
    )
    net = bm.Network(node, conn=W, coupled_var="x", k=0.3, distance=LENGTHS * u.mm, speed=2.0)
    return bm.Simulator(net, dt=DT)


FULL = {"x": "x", "y": bm.Monitor("y", every=20), "bold": bm.Monitor(bm.BOLDSignal(3), every=20)}


@functools.cache
def full_run():
    return full().run(80 * DT, seed=7, monitors=FULL)


def same_bits(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


# --- what is recorded ---------------------------------------------------------------------------------------
@functools.cache
def by_hand():
    """Fifteen steps of the deterministic network, one update at a time: the state after each."""
    net = deterministic()
    rows = []
    with brainstate.environ.context(dt=DT):
        brainstate.nn.init_all_states(net)
        for i in range(15):
            with brainstate.environ.context(i=i, t=i * DT):
                net.update()
            rows.append(np.asarray(net.node.x.value))
    return np.array(rows)


@functools.cache
def deterministic_simulator():
    return bm.Simulator(deterministic(), dt=DT)


def test_every_step_is_recorded_by_default():
    run = deterministic_simulator().run(1.5 * u.ms)
    assert list(run.recorded) == ["x", "y"]
    np.testing.assert_allclose(run["x"], by_hand(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(run.time.to_decimal(u.ms), 0.1 * np.arange(1, 16), rtol=1e-6)


@pytest.mark.parametrize("block", [None, 4])
def test_periods_that_do_not_divide_each_other(block):
    monitors = {"three": bm.Monitor("x", every=3), "five": bm.Monitor("x", every=0.5 * u.ms), "one": "x"}
    run = deterministic_simulator().run(15 * DT, monitors=monitors, block=block)
    np.testing.assert_allclose(run["one"], by_hand(), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(run["three"], run["one"][2::3])
    np.testing.assert_array_equal(run["five"], run["one"][4::5])
    np.testing.assert_allclose(run.times["three"].to_decimal(u.ms), [0.3, 0.6, 0.9, 1.2, 1.5], rtol=1e-6)
    np.testing.assert_allclose(run.times["five"].to_decimal(u.ms), [0.5, 1.0, 1.5], rtol=1e-6)


def test_transient_is_left_out_and_periods_count_from_its_end():
    monitors = {"x": "x", "mean": lambda model: model.node.x.value.mean()}
    run = deterministic_simulator().run(1.5 * u.ms, transient=0.4 * u.ms, sample_every=0.3 * u.ms, monitors=monitors)
    np.testing.assert_allclose(run["x"], by_hand()[[6, 9, 12]], rtol=1e-4, atol=1e-6)  # steps 4 + 3, 4 + 6, 4 + 9
    np.testing.assert_allclose(run["mean"], by_hand()[[6, 9, 12]].mean(1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run.time.to_decimal(u.ms), [0.7, 1.0, 1.3], rtol=1e-6)


def test_states_are_written_back_and_gone_on_from():
    simulator = deterministic_simulator()
    first = simulator.run(6 * DT, seed=0)
    np.testing.assert_array_equal(simulator.model.node.x.value, first["x"][-1])
    second = simulator.run(9 * DT, init_states=False, seed=0)
    np.testing.assert_allclose(second["x"], by_hand()[6:], rtol=1e-4, atol=1e-6)


def test_without_compilation_the_numbers_are_the_same():
    run = deterministic_simulator().run(4 * DT, jit=False)
    np.testing.assert_allclose(run["x"], by_hand()[:4], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_observer_sees_the_mean_activity_of_its_interval():
    """BOLD inside a run is BOLD by hand, driven by the recorded activity."""
    run = full_run()
    bold = bm.BOLDSignal(3)
    steps = 20 if bold.interval >= 2.0 * u.ms else 10  # the longest it bears that divides its period
    with brainstate.environ.context(dt=steps * DT):
        brainstate.nn.init_all_states(bold)
        for part in np.asarray(run["x"]).reshape(-1, steps, 3):
            bold.update(part.mean(0))
    assert run["bold"].shape == (4, 3)
    for name in "x", "f":
        np.testing.assert_allclose(run.final["states"][f"observers.bold.{name}"], getattr(bold, name).value, rtol=1e-4)


class Leaky(bm.Observer):
    """s' = rate (z - s), in ms."""

    interval = 0.5 * u.ms
    rate: Par = param(default=1.0, doc="per ms")
    s: HiddenState = state("trace", start=Constant(0.0))

    def update(self, z):
        dt = brainstate.environ.get("dt").to_decimal(u.ms)
        self.s.value = self.s.value + dt * self.p.rate * (z - self.s.value)

    def signal(self):
        return self.s.value


def test_observers_of_ones_own_and_their_sources():
    """Driven by the mean of every five steps, and sampled at its own period."""
    half = bm.Monitor(Leaky(3), every=5, source=lambda model: model.node.x.value / 2)
    monitors = {
        "all": "x",
        "x": bm.Monitor(Leaky(3), every=5),
        "y": bm.Monitor(Leaky(3), every=10, source="y"),
        "half": half,
    }
    run = deterministic_simulator().run(20 * DT, monitors=monitors)
    trace, expected = np.zeros(3), []
    for part in np.asarray(run["all"]).reshape(4, 5, 3):
        trace = trace + 0.5 * (part.mean(0) - trace)
        expected.append(trace)
    np.testing.assert_allclose(run["x"], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(run["half"], np.array(expected) / 2, rtol=1e-4, atol=1e-6)
    assert run["y"].shape == (2, 3) and not np.allclose(run["y"], run["x"][1::2])


# --- inputs -------------------------------------------------------------------------------------------------
def total_of(value, n=2, steps=6, **options):
    return np.asarray(driven(n).run(steps * DT, inputs=value, **options)["x"])


def test_inputs_constant_per_region_series_and_function():
    rows, steps = np.arange(12.0).reshape(6, 2), np.arange(6.0)
    sums = 0.1 * np.cumsum(rows, axis=0)
    simulator = driven()

    def x(value):
        return simulator.run(6 * DT, inputs=value)["x"]

    np.testing.assert_allclose(x({"x_inp": 3.0}), 0.3 * np.arange(1, 7)[:, None] * [1, 1], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(x({"x_inp": np.array([1.0, 2.0])})[-1], [0.6, 1.2], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(x({"x_inp": rows}), sums, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(x(rows), sums, rtol=1e-4, atol=1e-6)  # into the first port
    np.testing.assert_allclose(x({"x_inp": steps})[:, 1], 0.1 * np.cumsum(steps), rtol=1e-4, atol=1e-6)
    ramp = x({"x_inp": lambda t: t / u.ms})  # t at the start of each step
    np.testing.assert_allclose(ramp[:, 0], 0.01 * np.cumsum(steps), rtol=1e-4, atol=1e-6)


def test_series_in_blocks_after_a_transient_and_in_a_continued_run():
    rows, simulator = np.random.default_rng(0).normal(size=(30, 2)), driven()
    expected = 0.1 * np.cumsum(rows, axis=0)
    run = simulator.run(30 * DT, inputs=rows, transient=11, block=7)
    np.testing.assert_allclose(run["x"], expected[11:], rtol=1e-4, atol=1e-5)
    first = simulator.run(12 * DT, inputs=rows[:12])
    second = simulator.run(18 * DT, inputs=rows[12:], state=first.final)
    np.testing.assert_allclose(second["x"], expected[12:], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(second.time.to_decimal(u.ms), 0.1 * np.arange(13, 31), rtol=1e-6)


def test_functions_of_time_go_on_in_a_continued_run():
    simulator = driven()
    inputs = {"x_inp": lambda t: u.math.sin(t / u.ms)}
    whole = simulator.run(8 * DT, inputs=inputs)["x"]
    first = simulator.run(4 * DT, inputs=inputs)
    same_bits(whole[4:], simulator.run(4 * DT, inputs=inputs, state=first.final)["x"])


def test_new_values_of_inputs_do_not_retrace():
    simulator = driven()
    assert traces_of(lambda: simulator.run(6 * DT, inputs=1.0)) > 0
    assert traces_of(lambda: simulator.run(6 * DT, inputs=2.0)) == 0
    np.testing.assert_allclose(simulator.run(6 * DT, inputs=2.0)["x"][-1], 1.2, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"y_inp": 1.0}, "names 'y_inp'; Driven has the inputs x_inp.*Did you mean 'x_inp'"),
        (np.ones(2), r"Input `x_inp` of shape \(2,\) could be one value per region or one per step.*\(2, 2\)"),
        (np.ones((3, 2)), r"Input `x_inp` must be a scalar.*of shape \(3, 2\)"),
        (np.ones(5), r"Input `x_inp` must be a scalar.*of shape \(5,\)"),
        (1.0 * u.mV, "Input `x_inp` of Driven"),
    ],
)
def test_bad_inputs(inputs, message):
    with pytest.raises((ValueError, TypeError, u.UnitMismatchError), match=message):
        total_of(inputs, steps=2)


# --- compiling ----------------------------------------------------------------------------------------------
def test_second_run_compiles_nothing():
    """Neither for new values, nor another seed, nor a monitor written anew."""
    simulator = driven(init_x=Constant(1.0), gain=0.5, noise_x=bm.WhiteNoise(2, sigma=0.0))

    def run(gain, sigma, seed):
        if (gain, sigma) != (0.5, 0.0):
            simulator.model.gain.set_value(gain)
            simulator.model.noise_x.sigma.set_value(sigma)
        slow, bold = Leaky(2, rate=gain + 1.0), bm.BOLDSignal(2, k=gain + 1.0)
        monitors = {
            "twice": lambda model: 2 * model.x.value,
            "slow": bm.Monitor(slow, every=5),
            "bold": bm.Monitor(bold, every=5),
        }
        return simulator.run(10 * DT, seed=seed, monitors=monitors)

    assert traces_of(lambda: run(0.5, 0.0, 0)) > 0
    assert traces_of(lambda: run(0.5, 0.0, 0)) == 0
    for number in float, np.float64, np.float32, jnp.asarray, jnp.float32:
        assert traces_of(lambda: run(number(-0.7), 0.0, 1)) == 0  # noqa: B023
    x = 1.0
    for _ in range(10):
        x += 0.1 * -0.7 * x**2
    np.testing.assert_allclose(run(-0.7, 0.0, 2)["twice"][-1], 2 * x, rtol=1e-4, atol=1e-6)  # the new value is used
    noisy = [run(0.5, 1.0, seed) for seed in (0, 0, 1)]
    same_bits(noisy[0]["twice"], noisy[1]["twice"])
    assert not np.allclose(noisy[0]["slow"], run(0.3, 1.0, 0)["slow"], rtol=1e-3)
    assert not np.allclose(noisy[0]["twice"], noisy[2]["twice"])


def test_changed_structure_compiles_again():
    simulator = driven(init_x=Constant(1.0), gain=-0.7)
    before = simulator.run(10 * DT, seed=0)["x"][-1, 0]
    simulator.model.method = "rk4"
    after = simulator.run(10 * DT, seed=0)["x"][-1, 0]
    assert float(after) == pytest.approx(1 / 1.7, rel=1e-5)  # x' = -0.7 x² in closed form
    assert abs(float(before) - 1 / 1.7) > 1e-3
    simulator.model.noise_x = bm.WhiteNoise(2, sigma=0.0, mean=1.0)
    assert float(simulator.run(10 * DT, seed=0)["x"][-1, 0]) > float(after) + 0.3
    simulator.model.noise_x = None
    np.testing.assert_array_equal(simulator.run(10 * DT, seed=0)["x"][-1, 0], after)


class Scaled:
    def __init__(self, scale):
        self.scale = scale

    def measure(self, model):
        return self.scale * model.x.value


SCALE = 1.0


@pytest.mark.slow
def test_a_monitor_that_means_something_else_is_not_taken_for_the_old_one():
    global SCALE
    simulator = driven(1, init_x=Constant(1.0))

    def value(monitor):
        return float(simulator.run(2 * DT, seed=0, monitors={"m": monitor})["m"][-1, 0])

    assert [value(Scaled(s).measure) for s in (1.0, 2.0)] == [1.0, 2.0]
    assert [value(lambda model, s=s: s * model.x.value) for s in (1.0, 2.0)] == [1.0, 2.0]
    ones, twos = np.ones(1), np.full(1, 2.0)  # which cannot be hashed
    assert [value(lambda model, s=s: s * model.x.value) for s in (ones, twos)] == [1.0, 2.0]
    assert [value(lambda model, *, s=s: s * model.x.value) for s in (1.0, 2.0)] == [1.0, 2.0]
    assert [value(lambda model: s * model.x.value) for s in (1.0, 2.0)] == [1.0, 2.0]  # noqa: B023
    values = []
    for scale in 1.0, 2.0:
        SCALE = scale
        values.append(value(lambda model: (lambda x: SCALE * x)(model.x.value)))  # noqa: B023
    assert values == [1.0, 2.0]


# --- going on, lanes, blocks --------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_continued_run_is_the_run_that_was_never_cut():
    whole = full_run()
    first = full().run(40 * DT, seed=7, monitors=FULL)
    second = full().run(40 * DT, state=first.final, monitors=FULL)
    for name in FULL:
        same_bits(whole[name], np.concatenate([first[name], second[name]]))
        np.testing.assert_array_equal(
            whole.times[name].mantissa, np.concatenate([first.times[name].mantissa, second.times[name].mantissa])
        )
    same_bits(whole.final, second.final)


@pytest.mark.slow
def test_a_continued_batch_is_the_batch_that_was_never_cut():
    first = full().run(40 * DT, seed=7, monitors=FULL, batch_size=2)
    second = full().run(40 * DT, state=first.final, monitors=FULL)
    one = full().run(80 * DT, seed=jax.random.fold_in(jax.random.key(7), 1), monitors=FULL)
    for name in FULL:
        lane = np.concatenate([first[name], second[name]])[:, 1]
        np.testing.assert_allclose(lane, one[name], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_lanes_are_runs_of_their_own():
    """Lane b is the run with fold_in(key, b)."""
    key = jax.random.key(7)
    batch = full().run(40 * DT, seed=key, batch_size=2, monitors=FULL)
    assert batch["x"].shape == (40, 2, 3) and batch["bold"].shape == (2, 2, 3)
    assert not np.allclose(batch["x"][:, 0], batch["x"][:, 1])
    for lane in range(2):
        alone = full().run(40 * DT, seed=jax.random.fold_in(key, lane), monitors=FULL)
        for name in FULL:
            np.testing.assert_allclose(batch[name][:, lane], alone[name], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_noise_of_a_batch_by_hand_after_a_run():
    """A batched run leaves a model whose noises are batched; one without lanes leaves none."""
    simulator = driven(noise_x=bm.WhiteNoise(2, sigma=1.0))
    model = simulator.model
    simulator.run(2 * DT, seed=0, batch_size=3)
    before = np.asarray(model.x.value)
    with brainstate.environ.context(dt=DT):
        step = np.asarray(model.update()) - before
        assert step.shape == (3, 2) and len(np.unique(step)) == 6  # every lane has noise of its own
        simulator.run(2 * DT, seed=0)
        assert model.update().shape == (2,)


def test_block_length_changes_no_bit():
    run = full().run(80 * DT, seed=7, monitors=FULL, block=7)
    for name in FULL:
        same_bits(full_run()[name], run[name])


@pytest.mark.parametrize("n", [3, 5, 20])
def test_block_length_changes_no_bit_of_products(n):
    """Few columns, and columns that are filled up, beside other noise."""
    node = bm.HopfStep(n, a=0.1, noise_x=bm.WhiteNoise(n, sigma=0.2), method="heun")
    weights = np.random.default_rng(n).random((n, n)) / n
    simulator = bm.Simulator(bm.Network(node, conn=weights, coupled_var="x", k=0.3), dt=DT)
    whole, cut = (simulator.run(100 * DT, seed=0, monitors=["x"], block=block)["x"] for block in (100, 7))
    np.testing.assert_array_equal(whole, cut)


def test_seeds():
    simulator = driven(noise_x=bm.WhiteNoise(2, sigma=1.0))
    x = {name: simulator.run(4 * DT, seed=seed)["x"] for name, seed in {
        "int": 3, "key": jax.random.key(3), "raw": jax.random.PRNGKey(3), "other": 4, "none": None, "again": None,
    }.items()}  # fmt: skip
    same_bits(x["int"], x["key"])
    same_bits(x["int"], x["raw"])
    assert not np.allclose(x["int"], x["other"]) and not np.allclose(x["none"], x["again"])
    brainstate.random.seed(1)
    first = simulator.run(4 * DT)["x"]
    brainstate.random.seed(1)
    same_bits(first, simulator.run(4 * DT)["x"])


@pytest.mark.slow
def test_common_or_own_streams():
    """A process keeps its numbers when another is added, and two processes have different ones."""
    one = bm.HopfStep(
        2, noise_x=bm.WhiteNoise(2, sigma=1.0), method="euler", init_x=Constant(0.0), init_y=Constant(0.0)
    )
    first = bm.Simulator(one, dt=DT).run(1 * DT, seed=0)
    one.noise_y = bm.WhiteNoise(2, sigma=1.0)
    both = bm.Simulator(one, dt=DT).run(1 * DT, seed=0)
    np.testing.assert_allclose(first["x"], both["x"], rtol=1e-6)
    assert not np.allclose(both["x"], both["y"])


# --- the pure function --------------------------------------------------------------------------------------
@functools.cache
def pure_hopf():
    """Final state and mean of a network as a function of its parameters, in double precision."""
    pure = bm.Simulator(deterministic(), dt=DT).pure(30 * DT, free=["k", "node.a", "conn"], monitors=["x"])
    return jax.jit(lambda values: pure(values, 0)["x"][9::10])


HOPF_VALUES = {"k": 0.4, "node.a": np.array([0.1, -0.2, 0.3]), "conn": W}


@pytest.mark.slow
def test_pure_is_run():
    simulator = bm.Simulator(deterministic(), dt=DT)
    with_defaults = simulator.pure(15 * DT)({}, 3)
    np.testing.assert_allclose(with_defaults["x"], by_hand(), rtol=1e-4, atol=1e-6)
    simulator.model.node.a.set_value(HOPF_VALUES["node.a"])
    expected = simulator.run(15 * DT, seed=3)["x"]
    simulator.model.node.a.set_value(0.0)
    value = jax.jit(simulator.pure(15 * DT, free=["a"]))({"a": HOPF_VALUES["node.a"]}, jax.random.key(3))
    np.testing.assert_allclose(value["x"], expected, rtol=1e-4, atol=1e-6)


def test_vmap_over_values_is_a_loop(x64):
    ks = jnp.linspace(-0.5, 1.0, 4)
    together = jax.vmap(lambda k: pure_hopf()({**HOPF_VALUES, "k": k}))(ks)
    for k, one in zip(ks, together, strict=True):
        np.testing.assert_allclose(one, pure_hopf()({**HOPF_VALUES, "k": k}), rtol=1e-12)


@pytest.mark.slow
def test_pure_with_noise_goes_on_and_maps_over_keys():
    simulator = driven(noise_x=bm.OUProcess(2, sigma=1.0))
    pure = jax.jit(simulator.pure(20 * DT))
    keys = jax.random.split(jax.random.key(0), 3)
    together = jax.vmap(lambda key: pure({}, key)["x"])(keys)
    one = pure({}, keys[1])
    np.testing.assert_allclose(together[1], one["x"], rtol=1e-5, atol=1e-6)
    assert not np.allclose(together[1], together[0])
    rest = pure({}, keys[1], one.final)["x"]
    np.testing.assert_allclose(rest, simulator.run(40 * DT, seed=keys[1])["x"][20:], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_derivatives_of_a_network(x64):
    """In strength, node parameters and weights; reverse and forward, against finite differences."""
    values = jax.tree.map(jnp.asarray, HOPF_VALUES)
    check_grads(pure_hopf(), (values,), order=1, modes=("fwd", "rev"), atol=1e-7, rtol=1e-6, eps=1e-5)


@pytest.mark.slow
def test_gradient_of_bold_with_delays_noise_and_trainable_edges(x64):
    node = bm.HopfStep(3, a=0.1, noise_x=bm.OUProcess(3, sigma=0.3), method="euler", init_x=at(START))
    net = bm.Network(node, conn=bm.EdgeWeights(W), coupled_var="x", distance=LENGTHS * u.mm, speed=2.0)
    names = ["conn", "coupling.k", "sigma", "observers.bold.tau"]
    monitors = {"bold": bm.Monitor(bm.BOLDSignal(3), every=40)}
    pure = bm.Simulator(net, dt=0.5 * u.ms).pure(40 * u.ms, free=names, monitors=monitors, block=40)
    start = dict(zip(names, map(np.asarray, (W, 0.3, 0.4, 0.9)), strict=True))
    both = jax.jit(jax.value_and_grad(lambda values: 1e6 * pure(values, 1)["bold"].sum()))
    gradient = both(start)[1]
    rng = np.random.default_rng(0)
    for name in names:
        direction = rng.normal(size=start[name].shape)
        low, high = (both({**start, name: np.asarray(start[name] + h * direction)})[0] for h in (-2e-4, 2e-4))
        slope = float((gradient[name] * direction).sum())
        assert abs(slope) > 1e-4
        assert slope == pytest.approx(float(high - low) / 4e-4, rel=1e-4)


def test_pure_checks_what_it_is_given():
    simulator = deterministic_simulator()
    with pytest.raises(ValueError, match="no parameter 'kk'. Did you mean 'k'. There are node.a"):
        simulator.pure(2 * DT, free=["kk"])
    with pytest.raises(ValueError, match="`values` may set k, but sets 'a': name it in `free`"):
        simulator.pure(2 * DT, free=["k"])({"a": 1.0}, 0)
    with pytest.raises(ValueError, match="`node.beta` must be >= 0, but is -1"):
        simulator.pure(2 * DT, free=["beta"])({"beta": -1.0}, 0)
    with pytest.raises(u.UnitMismatchError, match="`node.beta`"):
        simulator.pure(2 * DT, free=["beta"])({"beta": 1.0 * u.mV}, 0)
    with pytest.raises(ValueError, match="'sigma' could be any of node.noise_x.sigma, node.noise_y.sigma: write"):
        full().pure(20 * DT, free=["sigma"], monitors=["x"])


# --- memory -------------------------------------------------------------------------------------------------
def temporary_bytes(function, *arguments):
    return jax.jit(function).lower(*arguments).compile().memory_analysis().temp_size_in_bytes


def test_memory_of_a_gradient_grows_with_the_root_of_the_steps():
    simulator = driven(1000, init_x=Constant(0.1))

    def needed(n):
        pure = simulator.pure(n * DT, free=["gain"], sample_every=n)
        return temporary_bytes(jax.grad(lambda gain: pure({"gain": gain}, 0)["x"].sum()), 0.1)

    few, many = needed(2**10), needed(2**16)  # 64 times as many steps
    assert many < 16 * few
    assert many < 2**16 * 1000 * 4 / 16  # a sixteenth of one array of all states


def test_memory_of_a_run_that_records_bold_does_not_grow_with_its_length():
    simulator = driven(500, init_x=Constant(0.1), noise_x=bm.WhiteNoise(500, sigma=1.0))

    def needed(n):
        pure = simulator.pure(n * DT, monitors={"bold": bm.Monitor(bm.BOLDSignal(500), every=2**12)}, block=64)
        return temporary_bytes(lambda key: pure({}, key)["bold"], jax.random.key(0))

    few, many = needed(2**13), needed(2**18)
    assert many < 1.1 * few + 64 * 500 * 4 * 2  # what it records is allowed for, nothing else


# --- divergence ---------------------------------------------------------------------------------------------
def exploding(**options):
    """x' = x² from 1 in the second of three regions: infinite after about a millisecond (later, by Euler's method)."""
    node = Driven(3, gain=1.0, init_x=lambda shape: np.broadcast_to([0.0, 1.0, 0.0], shape), method="euler")
    conn = bm.Connectome(np.zeros((3, 3)), labels=["V1", "V2", "MT"])
    return bm.Simulator(bm.Network(node, conn=conn, coupled_var="x", **options), dt=DT)


def test_divergence_names_variable_region_and_time():
    with pytest.raises(bm.DivergenceError, match=r"State `node\.x` .* by 1.9 ms, first in V2 \(3 of 3") as error:
        exploding().run(30 * DT, block=10)
    x = np.asarray(error.value.result["x"])
    assert x.shape == (30, 3) and np.all(np.isfinite(x[:18])) and not np.isfinite(x[18, 1])
    assert np.all(x[:19, 0] == 0)


def test_divergence_names_the_lane():
    with pytest.raises(bm.DivergenceError, match=r"first in V2, run 0 of the batch \(6 of 6"):
        exploding().run(30 * DT, batch_size=2)


def test_divergence_of_a_scalar_state():
    class Growing(brainstate.nn.Module):
        def __init__(self):
            super().__init__()
            self.level = HiddenState(jnp.float32(1.0))

        def update(self):
            self.level.value = self.level.value * 1e10

    with pytest.raises(bm.DivergenceError, match="State `level` became infinite"):
        bm.Simulator(Growing(), dt=DT).run(10 * DT)


# --- modules of any kind ------------------------------------------------------------------------------------
class Leak(brainstate.nn.Module):
    """A module written without brainmass: noisy start, decay."""

    def __init__(self):
        super().__init__()
        self.gain = brainstate.nn.Param(jnp.array(0.5))

    def init_state(self, *args, **kwargs):
        self.h = HiddenState(brainstate.random.rand(2))

    def update(self, drive=0.0):
        self.h.value = self.gain.value() * self.h.value + drive
        return self.h.value


def test_a_module_of_ones_own():
    simulator = bm.Simulator(Leak(), dt=DT)
    run = simulator.run(5 * DT, seed=3, inputs={"drive": np.arange(5.0)})
    assert list(run.recorded) == ["h", "output"]
    steps = np.asarray(run["h"])
    np.testing.assert_allclose(steps[1:], 0.5 * steps[:-1] + np.arange(1, 5)[:, None], rtol=1e-4, atol=1e-6)
    same_bits(run["h"], simulator.run(5 * DT, seed=3, inputs={"drive": np.arange(5.0)})["h"])
    assert not np.allclose(run["h"], simulator.run(5 * DT, seed=4, inputs={"drive": np.arange(5.0)})["h"])
    pure = simulator.pure(5 * DT, free=["gain"])
    same = pure({"gain": 1.0}, 3)["h"]
    np.testing.assert_array_equal(same[0], same[-1])
    with pytest.raises(ValueError, match="Runs side by side.*draw their initial states from `rng`.*of Leak does not"):
        simulator.run(5 * DT, batch_size=2)
    with pytest.raises(
        ValueError, match="a run with a traced key.*draw their initial states from `rng`.*of Leak does not"
    ):
        jax.jit(pure)({}, jax.random.key(0))


class Counter(brainstate.nn.Module):
    """A module that never says how its state begins."""

    def __init__(self):
        super().__init__()
        self.n = HiddenState(jnp.zeros(1))

    def update(self):
        self.n.value = self.n.value + 1.0


def test_a_state_that_nothing_initialises_goes_on():
    """Whatever has been compiled before."""
    simulator = bm.Simulator(Counter(), dt=DT)
    assert [float(simulator.run(n * DT)["n"][-1, 0]) for n in (3, 3, 2, 3)] == [3.0, 6.0, 8.0, 11.0]
    assert float(simulator.pure(2 * DT)({}, 0)["n"][-1, 0]) == 13.0
    assert float(simulator.model.n.value[0]) == 11.0


# --- refusals, before anything runs -------------------------------------------------------------------------
def test_time_step():
    model = Driven(2, method="euler")
    with pytest.raises(ValueError, match=r"Simulator needs a time step: write Simulator\(model, dt=.*environ.set"):
        bm.Simulator(model).run(2 * DT)
    for dt in 0.0 * u.ms, -1.0 * u.ms:
        with pytest.raises(ValueError, match="`dt` .time step. must be > 0"):
            bm.Simulator(model, dt=dt)
    with pytest.raises(u.UnitMismatchError, match="`dt` must be a time"):
        bm.Simulator(model, dt=0.1)
    with brainstate.environ.context(dt=0.5 * u.ms):
        run = bm.Simulator(model).run(1 * u.ms)
    assert run["x"].shape == (2, 2) and float(run.dt.to_decimal(u.ms)) == 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration": 0 * u.ms}, "`duration` must be at least 1"),
        ({"duration": 3 * u.mV}, "`duration` must be a time"),
        ({"transient": 5 * u.ms}, "`transient` must not be longer than the run"),
        ({"transient": -1 * u.ms}, "`transient` must be at least 0"),
        ({"sample_every": 0}, "`sample_every` must be at least 1"),
        ({"sample_every": 9}, "Monitor `x` is sampled every 9 steps, but the run records only 4"),
        ({"sample_every": 0.25 * u.ms}, "`sample_every` must be a multiple"),
        ({"monitors": ["xx"]}, "no state 'xx' to monitor. Did you mean 'x'"),
        ({"monitors": {"m": "node.q"}}, "no state 'node.q'"),
        ({"monitors": {"m": 3}}, "`monitors` of run, 'm', must be the name of a state"),
        ({"monitors": [lambda model: 0.0]}, "`monitors` of run must be a list of names, a dict or a function"),
        ({"monitors": {"m": bm.Monitor(bm.BOLDSignal(2), source="q")}}, "no state 'q' to monitor"),
        (
            {"monitors": {"m": bm.Monitor(bm.Mean(2), source="blod"), "bold": bm.BOLDSignal(2)}},
            "no state 'blod' to monitor. Did you mean 'bold'",
        ),
        ({"batch_size": 0}, "`batch_size` of run must be a positive int"),
        ({"batch_size": 2.0}, "`batch_size` of run must be a positive int"),
        ({"seed": "x"}, "`seed` must be an int or a JAX"),
        ({"seed": np.zeros((3, 2), np.uint32)}, "`seed` must be an int or a JAX"),
        ({"state": 3}, "`state` of run must be `result.final`"),
        ({"state": {"step": 0, "key": np.zeros(2, np.uint32), "states": {}}}, "must come from a run of the same model"),
        ({"init_states": False}, "`init_states=False` of run needs a model that has states"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",  # a repr may hold an address
)
def test_refusals(options, message):
    options = {"duration": 4 * DT, **options}
    before = len(TRACES)
    with pytest.raises((ValueError, TypeError, u.UnitMismatchError), match=message):
        driven().run(**options)
    assert len(TRACES) == before


def test_state_and_batch_must_agree():
    simulator = driven()
    final = simulator.run(2 * DT, batch_size=2).final
    with pytest.raises(ValueError, match="`batch_size` of run is 3, but the state to go on from has"):
        simulator.run(2 * DT, state=final, batch_size=3)
    with pytest.raises(ValueError, match="either init_states=False or `state`"):
        simulator.run(2 * DT, state=final, init_states=False)


def test_simulator_takes_a_module_with_update():
    for model in "hopf", brainstate.nn.Module(), None:
        with pytest.raises(TypeError, match="`model` of Simulator must be a module with `update`"):
            bm.Simulator(model)
    with pytest.raises(ValueError, match="`source` of Monitor belongs to a forward model"):
        bm.Monitor("x", source="y")


@pytest.mark.slow
def test_progress_bar(monkeypatch):
    shown = []

    class Bar:
        def __init__(self, total, **options):
            self.total, self.n = total, 0

        def update(self, steps):
            self.n += steps
            shown.append(self.n)

        def close(self):
            shown.append("closed")

    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    simulator = driven()
    for batch_size in None, 2:
        run = simulator.run(300 * DT, inputs=1.0, progress=True, block=50, transient=100, batch_size=batch_size)
        jax.effects_barrier()
        assert shown == [50, 100, 150, 200, 250, 300, "closed"]
        shown.clear()
        np.testing.assert_allclose(run["x"].ravel()[-1], 30.0, rtol=1e-4)


def test_monitors_name_what_a_node_gives():
    column = bm.JansenRitStep(2, E_init=lambda shape: np.ones(shape) * u.mV)
    network = bm.Network(column, conn=np.ones((2, 2)), coupled_var="eeg", k=1.0 * u.Hz / u.mV)
    for model, names in ((column, ["eeg"]), (network, ["eeg", "node.eeg"])):
        result = bm.Simulator(model, dt=0.1 * u.ms).run(1 * u.ms, monitors=[*names, "E", "I"])
        for name in names:
            np.testing.assert_allclose(result[name].mantissa, (result["E"] - result["I"]).mantissa, rtol=1e-6)


def test_the_error_says_how_to_monitor_a_method():
    node = bm.WongWangExcInhStep(2)
    network = bm.Network(node, conn=np.ones((2, 2)), coupled_var="S_e")
    for model, path in ((node, "model"), (network, "model.node")):
        text = f'monitors={{"H_e": lambda model: {path}.H_e()}}'
        with pytest.raises(ValueError, match=re.escape(text)):
            bm.Simulator(model, dt=0.1 * u.ms).run(1 * u.ms, monitors=["H_e"])
