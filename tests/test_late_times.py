"""Time late in a long run: stimuli, steps and samples against exact fractions and double precision of numpy."""

from fractions import Fraction

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from brainstate.nn import Param
from braintools.init import Constant

import brainmass as bm
from brainmass._common.clock import Double, as_written, of_count, of_number

LATE = {"hour": (36_000_000, 0.1), "million ms": (100_000_000, 0.01)}
late = pytest.mark.parametrize(("first", "dt"), LATE.values(), ids=LATE.keys())


def seen(stimulus, first, n, dt):
    """What a stimulus gives in steps of a compiled loop, as a run asks it."""

    def step(i):
        with brainstate.environ.context(i=i, t=i * dt * u.ms, dt=dt * u.ms):
            return stimulus.update()

    values = jax.jit(jax.vmap(step))(jnp.int32(first) + jnp.arange(n, dtype=jnp.int32))
    return np.asarray(u.get_mantissa(values), np.float64)[:, 0]


def middles(first, n, dt, after=0):
    """Times of the middles of steps since a time, exactly."""
    dt = Fraction(str(dt))
    return [(first + k) * dt + dt / 2 - Fraction(str(after)) for k in range(n)]


# --- numbers of twice the digits ----------------------------------------------------------------------------------
def exact(x):
    return [Fraction(float(v)) + Fraction(float(r)) for v, r in zip(np.ravel(x.value), np.ravel(x.rest), strict=True)]


@pytest.mark.slow
def test_arithmetic_against_fractions():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 2**31, 200).astype(np.int32)
    others = (rng.integers(1, 10**5, 200) / 10 ** rng.integers(0, 4, 200)).astype(np.float32)

    @jax.jit
    def compiled(n, x):
        n, x = of_count(n), as_written(x)
        return n * x, n - x, n / x, n % x, (n * 1e-5 * x).off_whole(), x

    product, difference, ratio, left, off, x = compiled(counts, others)
    for k, (n, y) in enumerate(zip(map(int, counts), exact(x), strict=True)):
        assert abs(exact(product)[k] - n * y) <= abs(n * y) * Fraction(1, 2**44)
        assert abs(exact(difference)[k] - (n - y)) <= n * Fraction(1, 2**44)
        assert abs(exact(ratio)[k] - n / y) <= n / y * Fraction(1, 2**42)
        away = abs(exact(left)[k] - n % y)
        assert min(away, y - away) <= n * Fraction(1, 2**42)
        turns = n * y / 10**5
        away = abs(Fraction(float(off[k])) - (turns - round(turns)))
        assert min(away, 1 - away) < 1e-4  # of up to 2e9 whole turns


def test_a_parameter_is_the_decimal_number_it_was_written_as():
    for text in ["7.3", "0.1", "100.0", "0.0125", "1234.7", "3600000.0", "52345.6", "0.00625"]:
        (found,) = exact(as_written(np.float32(text)))
        assert abs(found - Fraction(text)) <= Fraction(text) / 2**44, text
    third = np.float32(1 / 3 * 100)
    assert exact(as_written(third)) == [Fraction(float(third))]


def test_in_functions_of_jax_it_is_a_number():
    x = of_number(7.25)
    assert float(jnp.exp(-x / 10)) == pytest.approx(np.exp(-0.725))
    assert float(jnp.sin(2 * np.pi * x)) == pytest.approx(np.sin(14.5 * np.pi), abs=1e-5)
    assert (np.float64(2) * x).value == (2 * x).value == 14.5
    assert bool(x > 7.0) and bool(x <= 7.25) and not bool(x < jnp.float32(7.25)) and float(x**2) == 52.5625


# --- stimuli ------------------------------------------------------------------------------------------------------
@late
@pytest.mark.parametrize("period", [7.3, 3.37])
def test_pulses_have_exactly_their_steps(first, dt, period):
    """Trains that began at time zero, long before, whether or not a period is a whole number of steps."""
    n = 2000
    train = bm.PulseTrain(1, width=1 * u.ms, period=period * u.ms)
    expected = [since % Fraction(str(period)) < 1 for since in middles(first, n, dt)]
    np.testing.assert_array_equal(seen(train, first, n, dt), expected)


@pytest.mark.few(1)
@late
def test_a_pulse_and_bursts_late(first, dt):
    begin = float(np.float32((first + 500) * dt))
    pulse = seen(bm.Pulse(1, onset=begin * u.ms, width=1 * u.ms), first, 1000, dt)
    assert pulse.sum() == round(1 / dt) and abs(np.flatnonzero(pulse)[0] - (begin / dt - first)) < 1
    times = {"width": 0.5, "pulse_period": 2.0, "burst_period": 20.0, "train": 60.0, "train_period": 100.7}
    bursts = bm.ThetaBurst(1, **{name: ms * u.ms for name, ms in times.items()})
    in_train = [since % Fraction("100.7") for since in middles(first, 2000, dt)]
    expected = [s < 60 and s % 20 < 6 and s % 20 % 2 < Fraction("0.5") for s in in_train]
    np.testing.assert_array_equal(seen(bursts, first, 2000, dt), expected)


@late
def test_pulses_whose_edges_fall_between_steps(first, dt):
    """On the middles of steps: each pulse has as many steps as the next."""
    train = bm.PulseTrain(1, onset=dt / 2 * u.ms, width=10 * dt * u.ms, period=20 * dt * u.ms)
    np.testing.assert_array_equal(seen(train, first // 20 * 20, 200, dt), np.tile(np.repeat([1.0, 0.0], 10), 10))


@late
@pytest.mark.parametrize("frequency", [100.0, 10.1, 40.3])
def test_a_sine_keeps_its_phase(first, dt, frequency):
    cycles = [since * Fraction(str(frequency)) / 1000 % 1 for since in middles(first, 500, dt)]
    found = seen(bm.Sinusoid(1, frequency=frequency * u.Hz), first, 500, dt)
    np.testing.assert_allclose(found, np.sin(2 * np.pi * np.array(cycles, float)), atol=1e-5)


def test_a_chirp_of_two_hours_keeps_its_phase():
    first, dt = 36_000_000, 0.1
    s = np.array([float(x) for x in middles(first, 500, dt)]) / 1e3
    found = seen(bm.Chirp(1, start=1 * u.Hz, stop=40 * u.Hz, duration=2 * u.hour), first, 500, dt)
    np.testing.assert_allclose(found, scipy.signal.chirp(s, 1, 7200, 40, phi=-90), atol=1e-4)


@late
def test_a_late_ramp_and_a_late_recording(first, dt):
    begin = float(np.float32(first * dt))
    since = np.array([float(x) for x in middles(first, 1000, dt, after=begin)])
    found = seen(bm.Ramp(1, onset=begin * u.ms, duration=400 * dt * u.ms), first, 1000, dt)
    np.testing.assert_allclose(found, np.clip(since / (400 * dt), 0, 1), atol=1e-5)
    rows = np.random.default_rng(0).normal(size=97)
    recording = bm.Recording(1, data=rows, every=5 * dt * u.ms, after="repeat")
    place = (first + np.arange(1000)) / 5
    low = np.floor(place).astype(int)
    expected = rows[low % 97] + (place - low) * (rows[(low + 1) % 97] - rows[low % 97])
    np.testing.assert_allclose(seen(recording, first, 1000, dt), expected, atol=2e-4)


@pytest.mark.slow
def test_sums_and_what_a_function_asks_a_stimulus_are_as_exact():
    first, dt = 36_000_000, 0.1
    train = bm.PulseTrain(1, width=1 * u.ms, period=7.3 * u.ms)
    expected = seen(train, first, 146, dt)
    both = 0.5 * train * bm.Sinusoid(1, frequency=100 * u.Hz) + train
    sine = seen(bm.Sinusoid(1, frequency=100 * u.Hz), first, 146, dt)
    np.testing.assert_allclose(seen(both, first, 146, dt), expected * (1 + 0.5 * sine), atol=1e-6)
    np.testing.assert_array_equal(gain_per_step(lambda t: train(t), first, 14.6) > 0.5, expected > 0.5)


def test_regions_with_onsets_of_their_own():
    onsets = np.array([3_600_000.0, 3_600_003.0])
    pulse = bm.Pulse(2, onset=onsets * u.ms, width=[1.0, 2.0] * u.ms)

    def step(i):
        with brainstate.environ.context(i=i, dt=0.1 * u.ms):
            return pulse.update()

    values = np.asarray(jax.jit(jax.vmap(step))(jnp.int32(36_000_000) + jnp.arange(100)))
    np.testing.assert_array_equal(values.sum(0), [10, 20])
    np.testing.assert_array_equal(values.argmax(0), [0, 30])


@pytest.mark.slow
def test_slopes_of_a_late_ramp_and_sine():
    """In onset, width of the rise, frequency and amplitude: by hand."""
    first, dt, begin = 36_000_000, 0.1, 3_600_000.0

    def value(kind, name, unit, x, at):
        with brainstate.environ.context(i=jnp.int32(first + at), dt=dt * u.ms):
            stimulus = {
                "ramp": lambda: bm.Ramp(1, onset=begin * u.ms, duration=20 * u.ms),
                "sine": lambda: bm.Sinusoid(1, onset=begin * u.ms, frequency=40 * u.Hz),
            }[kind]()
            setattr(stimulus, name, Param(x * unit))
            return stimulus.update()[0]

    since = 5.05
    slope = jax.grad(value, 3)
    assert float(slope("ramp", "onset", u.ms, begin, 50)) == pytest.approx(-1 / 20, rel=1e-4)
    assert float(slope("ramp", "duration", u.ms, 20.0, 50)) == pytest.approx(-since / 400, rel=1e-4)
    wave = 2 * np.pi * 0.040 * since
    of_frequency = 2e-3 * np.pi * since * np.cos(wave)
    assert float(slope("sine", "frequency", u.Hz, 40.0, 50)) == pytest.approx(of_frequency, rel=1e-3)
    assert float(slope("sine", "amplitude", u.UNITLESS, 1.0, 50)) == pytest.approx(np.sin(wave), rel=1e-3)


def test_in_double_precision_it_is_no_worse(x64):
    first, dt = 100_000_000, 0.01
    cycles = [since * Fraction("40.3") / 1000 % 1 for since in middles(first, 100, dt)]
    found = seen(bm.Sinusoid(1, frequency=40.3 * u.Hz), first, 100, dt)
    np.testing.assert_allclose(found, np.sin(2 * np.pi * np.array(cycles, float)), atol=1e-8)


# --- runs ---------------------------------------------------------------------------------------------------------
def simulator_at(step, dt=0.1, **options):
    """A simulator of a node that adds up its input, and a state of it at this step."""
    node = bm.LinearStep(1, gamma=0.0, init_x=Constant(0.0), method="euler", **options)
    simulator = bm.Simulator(node, dt=dt * u.ms)
    state = dict(simulator.run(dt * u.ms, monitors=["x"], seed=0).final)
    state["states"] = {name: jnp.zeros_like(x) for name, x in state["states"].items()}
    return simulator, {**state, "step": jnp.int32(step)}


def gain_per_step(drive, first, duration, dt=0.1):
    simulator, state = simulator_at(first, dt)
    x = simulator.run(duration * u.ms, state=state, inputs={"x_inp": drive}, monitors=["x"])["x"]
    return np.diff(np.concatenate([[0.0], np.asarray(x)[:, 0]])) / dt


def test_the_time_of_a_users_function_is_the_nearest_number():
    """As docs/stimulate.md says: half the distance between two numbers of single precision, and exact in steps."""
    first = 36_000_000
    simulator, state = simulator_at(first)
    times = simulator.run(5 * u.ms, state=state, inputs={"x_inp": lambda t: t.to_decimal(u.ms) - 3.6e6}, monitors=["x"])
    given = np.diff(np.concatenate([[0.0], np.asarray(times["x"], np.float64)[:, 0]])) / 0.1
    exact_times = np.arange(50) * 0.1
    assert np.abs(given - exact_times).max() <= 0.125 + 1e-3  # float32 has one number every 0.25 at 3.6e6
    on = gain_per_step(lambda t: jnp.where(brainstate.environ.get("i") % 73 < 10, 1.0, 0.0), first, 7.3)
    np.testing.assert_allclose(on, (first + np.arange(73)) % 73 < 10, atol=1e-4)


def test_times_of_samples_are_exact():
    simulator, state = simulator_at(100_000_000, dt=0.01)
    result = simulator.run(1 * u.ms, state=state, monitors=["x"], sample_every=0.1 * u.ms)
    np.testing.assert_allclose(np.asarray(result.time.to_decimal(u.ms)), 1e6 + 0.1 * np.arange(1, 11), rtol=1e-15)


@pytest.mark.few(1)
@pytest.mark.parametrize("first", [2**24 - 40, 2**31 - 1 - 300])
def test_a_run_goes_on_from_late_steps(first):
    """In two parts it is to the bit what it is in one, noise and stimulus included."""
    node = bm.HopfStep(3, noise_x=bm.WhiteNoise(3, sigma=0.1))
    simulator = bm.Simulator(node, dt=0.1 * u.ms)
    inputs = {"x_inp": bm.PulseTrain(3, width=1 * u.ms, period=7.3 * u.ms)}
    begin = simulator.run(0.1 * u.ms, inputs=inputs, monitors=["x"], seed=0).final
    begin = {**begin, "step": jnp.int32(first)}
    whole = simulator.run(30 * u.ms, inputs=inputs, state=begin, monitors=["x"])
    one = simulator.run(12 * u.ms, inputs=inputs, state=begin, monitors=["x"])
    two = simulator.run(18 * u.ms, inputs=inputs, state=one.final, monitors=["x"])
    np.testing.assert_array_equal(np.concatenate([one["x"], two["x"]]), whole["x"])
    assert int(whole.final["step"]) == first + 300 and np.isfinite(whole["x"]).all()


def test_more_steps_than_are_counted_are_refused():
    simulator, state = simulator_at(2**31 - 1 - 10)
    with pytest.raises(ValueError, match=r"at most 2147483647 time steps.*100 h in steps dt=0.1 ms is 3600000000"):
        simulator.run(100 * u.hour, monitors=["x"], sample_every=1 * u.hour)
    with pytest.raises(ValueError, match=r"`duration` must be at most 2147483647 time steps"):
        simulator.run(2**31 * 0.1 * u.ms, monitors=["x"])
    with pytest.raises(ValueError, match=r"`sample_every` must be at most 2147483647 time steps"):
        simulator.run(1 * u.ms, monitors=["x"], sample_every=100 * u.hour)
    simulator.run(10 * 0.1 * u.ms, state=state, monitors=["x"])
    with pytest.raises(ValueError, match=r"`state` goes on to in run must be at most 2147483647.* is 2147483648"):
        simulator.run(11 * 0.1 * u.ms, state=state, monitors=["x"])
    with pytest.raises(ValueError, match=r"`state` goes on to in run must be at most 2147483647.* is 2147483648"):
        simulator.pure(11 * 0.1 * u.ms, monitors=["x"])({}, 0, state)


def test_a_recording_that_refuses_to_end_does_so_in_a_run_that_goes_on():
    node = bm.LinearStep(1)
    simulator = bm.Simulator(node, dt=0.1 * u.ms)
    inputs = {"x_inp": bm.Recording(1, data=np.ones(100), every=0.1 * u.ms)}
    one = simulator.run(6 * u.ms, inputs=inputs, monitors=["x"], seed=0)
    simulator.run(4 * u.ms, inputs=inputs, monitors=["x"], state=one.final)
    with pytest.raises(ValueError, match=r"is a Recording of 10 ms and so ends before the run, which needs 10.1 ms"):
        simulator.run(4.1 * u.ms, inputs=inputs, monitors=["x"], state=one.final)
    with pytest.raises(ValueError, match="which needs 10.1 ms"):
        simulator.pure(4.1 * u.ms, inputs=inputs, monitors=["x"])({}, 0, one.final)
    summed = {"x_inp": 2 * inputs["x_inp"] + bm.Pulse(1)}
    two = simulator.run(6 * u.ms, inputs=summed, monitors=["x"], seed=0)
    with pytest.raises(ValueError, match="which needs 12 ms"):
        simulator.run(6 * u.ms, inputs=summed, monitors=["x"], state=two.final)


def test_a_long_time_that_is_no_multiple_of_the_step_is_refused():
    with pytest.raises(ValueError, match=r"multiple of the time step 0.1 ms, but is.*duration=3600000 "):
        bm.Pulse(1).series(3600000.05 * u.ms, 0.1 * u.ms)


def test_its_parts_are_a_tree():
    x = jax.jit(lambda x: x + 1)(Double(jnp.float32(1), jnp.float32(0)))
    assert float(x.value) == 2


# --- windows of gradients -----------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_horizon_leaves_the_slope_in_the_state_a_run_starts_from(x64):
    """Within the first window it is the whole one, also late and after a transient; what lies beyond is cut."""
    simulator = bm.Simulator(bm.HopfStep(2, a=0.1, w=0.3, method="heun"), dt=0.1 * u.ms)
    begin = simulator.run(1 * u.ms, monitors=["x"], seed=0).final
    begin = {**begin, "step": jnp.int32(10**7)}

    def slope(at, **options):
        run = simulator.pure(40 * 0.1 * u.ms, monitors=["x"], **options)

        def value(x):
            return run({}, 0, {**begin, "states": {**begin["states"], "model.x": x}})["x"][at].sum()

        return np.asarray(jax.grad(value)(begin["states"]["model.x"]))

    full = {at: slope(at) for at in (6, 15, 39)}
    for horizon in (7, 20, 40, 100):
        for at, expected in full.items():
            np.testing.assert_allclose(slope(at, grad_horizon=horizon), expected if at < horizon else 0.0, rtol=1e-12)
    np.testing.assert_allclose(slope(5, grad_horizon=20, transient=10), full[15], rtol=1e-12)
    np.testing.assert_allclose(slope(0, grad_horizon=1), slope(0), rtol=1e-12)


@pytest.mark.slow
def test_a_horizon_leaves_the_slope_in_a_parameter_that_initial_states_have(x64):
    """The spread of an OU process enters its stationary start: d x(t)/d sigma is x(t)/sigma in the first window."""
    node = bm.LinearStep(2, noise_x=bm.OUProcess(2, sigma=0.5, tau=5 * u.ms, start="stationary"), method="euler")
    simulator = bm.Simulator(node, dt=0.1 * u.ms)

    def slope(**options):
        run = simulator.pure(
            30 * 0.1 * u.ms, monitors={"noise": lambda model: model.noise_x.x.value}, free=["sigma"], **options
        )
        return np.asarray(jax.jacrev(lambda s: run({"sigma": s}, 0)["noise"])(0.5))

    full, cut = slope(), slope(grad_horizon=20)
    np.testing.assert_allclose(cut[:20], full[:20], rtol=1e-12)
    assert np.abs(cut[20:] - full[20:]).max() > 1e-3
