"""Stimuli: time courses against closed forms and scipy, in runs, batches and gradients; refusals."""

# ruff: noqa: E501 (rows of messages)

import re

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from brainstate.nn import Param

import brainmass as bm

DT = 0.1 * u.ms
HALF = 0.05  # of a step, in ms: a stimulus is that of the middle of a step


def course(stimulus, duration=20.0 * u.ms, dt=DT):
    return np.asarray(u.get_mantissa(stimulus.series(duration, dt)))[:, 0]


def middles(duration=20.0, dt=0.1):
    return np.arange(round(duration / dt)) * dt + dt / 2


# --- time courses ---------------------------------------------------------------------------------------------
@pytest.mark.few(3)
@pytest.mark.parametrize("dt", [0.1, 0.05, 0.025])
@pytest.mark.parametrize("onset", [0.0, 0.3, 7.7])
def test_a_pulse_of_whole_steps_has_just_as_many(dt, onset):
    values = course(bm.Pulse(1, onset=onset * u.ms, width=1.2 * u.ms), dt=dt * u.ms)
    on = np.flatnonzero(values)
    assert on[0] == round(onset / dt) and len(on) == round(1.2 / dt) and np.all(np.diff(on) == 1)


def test_a_train_repeats_its_pulse():
    values = course(bm.PulseTrain(1, amplitude=3.0, width=0.2 * u.ms, period=2.5 * u.ms, onset=1 * u.ms, count=4))
    starts = 10 + 25 * np.arange(4)
    np.testing.assert_array_equal(np.flatnonzero(values), np.sort(np.r_[starts, starts + 1]))
    assert set(values) == {0.0, 3.0}
    endless = course(bm.PulseTrain(1, width=0.2 * u.ms, period=2.5 * u.ms))
    assert (endless > 0).sum() == 2 * 8


@pytest.mark.slow
def test_theta_bursts():
    """Continuous: 50 Hz triplets at 5 Hz, so 600 pulses in 40 s; intermittent: 2 s of every 10 s."""
    ms = course(bm.ThetaBurst(1), 40 * u.second, 1 * u.ms)
    starts = np.flatnonzero(ms)
    assert len(starts) == 600
    np.testing.assert_array_equal(starts[:6], [0, 20, 40, 200, 220, 240])
    ms = course(bm.ThetaBurst(1, train=2 * u.second, train_period=10 * u.second), 40 * u.second, 1 * u.ms)
    starts = np.flatnonzero(ms)
    np.testing.assert_array_equal(np.unique(starts // 1000), [0, 1, 10, 11, 20, 21, 30, 31])
    assert len(starts) == 4 * 30
    assert np.count_nonzero(course(bm.ThetaBurst(1, bursts=7, pulses=2), 3 * u.second, 1 * u.ms)) == 14


def test_sinusoid_chirp_and_ramp(x64):
    t = middles()
    found = course(bm.Sinusoid(1, amplitude=2.0, frequency=300 * u.Hz, phase=0.4, onset=3 * u.ms))
    np.testing.assert_allclose(found, np.where(t >= 3, 2 * np.sin(2 * np.pi * 0.3 * (t - 3) + 0.4), 0), atol=1e-12)
    found = course(bm.Chirp(1, start=50 * u.Hz, stop=400 * u.Hz, duration=12 * u.ms))
    expected = scipy.signal.chirp(t / 1e3, 50, 0.012, 400, phi=-90)
    np.testing.assert_allclose(found, np.where(t < 12, expected, 0), atol=1e-10)
    found = course(bm.Ramp(1, amplitude=4.0, onset=2 * u.ms, duration=8 * u.ms))
    np.testing.assert_allclose(found, 4 * np.clip((t - 2) / 8, 0, 1), atol=1e-12)


@pytest.mark.parametrize("after", ["zero", "hold", "repeat"])
@pytest.mark.parametrize("linear", [True, False])
def test_recording(x64, after, linear):
    """Rows every 2 ms, seen at the starts of steps of 0.5 ms, against numpy's interpolation."""
    data = np.random.default_rng(0).normal(size=5)
    found = course(bm.Recording(1, data=data, every=2 * u.ms, after=after, interpolate=linear), 22 * u.ms, 0.5 * u.ms)
    place = np.arange(44) * 0.25
    rows = {
        "zero": np.r_[data, np.zeros(8)],
        "hold": np.r_[data, np.full(8, data[-1])],
        "repeat": np.tile(data, 3),
    }[after]
    expected = np.interp(place, np.arange(len(rows)), rows) if linear else rows[np.floor(place).astype(int)]
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.slow
def test_recording_at_the_steps_is_the_array():
    data = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    node = bm.HopfStep(3, method="heun")
    runs = [
        bm.Simulator(node, dt=DT).run(5 * u.ms, inputs={"x_inp": given}, monitors=["x"], seed=0)["x"]
        for given in (bm.Recording(3, data=data, every=DT, interpolate=False), data)
    ]
    np.testing.assert_allclose(runs[0], runs[1], rtol=1e-6, atol=1e-7)


# --- regions, sums, products -----------------------------------------------------------------------------------
def test_weights_of_regions():
    one = bm.Pulse(4, regions=[1, 3], amplitude=2.0, width=1 * u.ms)
    np.testing.assert_array_equal(one(0.5 * u.ms), [0, 2, 0, 2])
    np.testing.assert_array_equal(bm.Pulse(4, regions={0: 0.5, -1: 3.0})(0 * u.ms), [0.5, 0, 0, 3])
    np.testing.assert_array_equal(bm.Pulse(4, weights=[1.0, 2.0, 3.0, 4.0])(0 * u.ms), [1, 2, 3, 4])


@pytest.mark.slow
def test_sums_and_products():
    slow, fast = bm.Sinusoid(2, frequency=5 * u.Hz), bm.Sinusoid(2, frequency=80 * u.Hz)
    window = bm.Pulse(2, amplitude=1 * u.mV, onset=5 * u.ms, width=10 * u.ms)
    both = window * (slow + 0.5 * fast) + 2 * window
    expected = course(window) * (course(slow) + 0.5 * course(fast)) + 2 * course(window)
    np.testing.assert_allclose(course(both), expected, rtol=1e-5, atol=1e-6)
    assert both.unit.has_same_dim(u.mV)
    np.testing.assert_allclose(course(slow - fast), course(slow) - course(fast), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(course(1.0 - (-slow) - 0.5), 0.5 + course(slow), rtol=1e-5, atol=1e-6)


# --- in runs ---------------------------------------------------------------------------------------------------
def final(inputs, n=2, seed=0, **options):
    node = bm.LinearStep(n, gamma=-0.2, method="heun")
    return bm.Simulator(node, dt=DT).run(20 * u.ms, inputs=inputs, seed=seed, **options)


@pytest.mark.slow
def test_a_run_takes_a_stimulus_as_it_takes_its_array():
    stimulus = bm.PulseTrain(2, amplitude=0.7, width=1 * u.ms, period=5 * u.ms, regions=[1])
    (port,) = bm.LinearStep._ports
    given, same = final({port: stimulus}), final({port: stimulus.series(20 * u.ms, DT)})
    for name in sorted(set(given) - {"ts"}):
        np.testing.assert_allclose(given[name], same[name], rtol=1e-6)
    assert (given[name][-1, 0] != given[name][-1, 1]).all()


@pytest.mark.slow
def test_time_goes_on_in_a_run_that_goes_on():
    (port,) = bm.LinearStep._ports
    inputs = {port: bm.Sinusoid(2, frequency=60 * u.Hz)}
    simulator = bm.Simulator(bm.LinearStep(2, gamma=-0.2), dt=DT)
    whole = simulator.run(20 * u.ms, inputs=inputs, seed=0)
    first = simulator.run(12 * u.ms, inputs=inputs, seed=0)
    second = simulator.run(8 * u.ms, inputs=inputs, state=first.final)
    for name in whole.times:
        np.testing.assert_array_equal(np.concatenate([first[name], second[name]]), whole[name])


@pytest.mark.slow
def test_noise_as_a_stimulus_within_a_window():
    """Lanes have noise of their own; outside the window there is none."""
    (port,) = bm.LinearStep._ports
    noisy = bm.Pulse(2, onset=5 * u.ms, width=10 * u.ms) * bm.OUProcess(2, sigma=1.0, tau=2 * u.ms)
    out = final({port: noisy}, batch_size=3)
    x = out[next(iter(out))]
    assert len(np.unique(x[:50].reshape(50, 6), axis=1).T) == 1 and len(np.unique(x[60])) == 6
    alone = final({port: bm.OUProcess(2, sigma=1.0, tau=2 * u.ms)})
    assert np.std(alone[next(iter(out))]) > 0
    again = final({port: noisy}, batch_size=3)
    np.testing.assert_array_equal(again[next(iter(out))], x)


@pytest.mark.few(1)
@pytest.mark.parametrize("batch", [None, 2])
def test_noise_begins_by_the_seed_where_the_model_stands(batch):
    """Its first value too, and another one in each lane: the law of the start is stationary, of sd 1/sqrt(2)."""
    node = bm.LinearStep(500, gamma=-1e-3)
    brainstate.nn.init_all_states(node, batch_size=batch)
    simulator = bm.Simulator(node, dt=DT)

    def start(seed):
        noise = bm.OUProcess(500, sigma=1.0, tau=1e6 * u.ms, start="stationary")
        node.reset_state()
        return np.asarray(simulator.run(1 * DT, init_states=False, inputs={"x_inp": noise}, seed=seed)["x"])[0]

    first = start(1)
    np.testing.assert_array_equal(start(1), first)
    assert abs(np.corrcoef(start(2).ravel(), first.ravel())[0, 1]) < 0.25
    lanes = first.reshape(-1, 500)
    np.testing.assert_allclose(lanes.std(-1) / 0.1, 0.5**0.5, rtol=0.15)
    if batch:
        assert abs(np.corrcoef(lanes)[0, 1]) < 0.25


def test_a_closed_loop_sees_the_state(x64):
    """Proportional feedback -g x on x' = -x/5 + ... is a faster decay."""
    node = bm.LinearStep(1, gamma=-0.2, method="rk4", init_x=lambda shape: jnp.ones(shape))
    (port,) = bm.LinearStep._ports
    loop = {port: lambda t, model: -0.3 * model.x.value}
    x = bm.Simulator(node, dt=0.001 * u.ms).run(4 * u.ms, inputs=loop, monitors=["x"], seed=0)["x"]
    np.testing.assert_allclose(x[-1], np.exp(-0.5 * 4), rtol=1e-3)


@pytest.mark.slow
def test_slopes_in_the_parameters_of_a_stimulus(x64):
    (port,) = bm.LinearStep._ports
    stimulus = bm.Sinusoid(2, amplitude=Param(0.5, fit=True), frequency=Param(40.0 * u.Hz, fit=True))
    run = bm.Simulator(bm.LinearStep(2, gamma=-0.2), dt=DT).pure(
        10 * u.ms, inputs={port: stimulus}, free=["amplitude", "frequency"]
    )

    def loss(amplitude, frequency):
        result = run({"amplitude": amplitude, "frequency": frequency * u.Hz}, 0)
        return jnp.sum(result[next(iter(result))] ** 2)

    slopes = jax.grad(loss, (0, 1))(0.5, 40.0)
    for k, h in enumerate([1e-5, 1e-4]):
        step = np.eye(2)[k] * h
        difference = (loss(*(np.array([0.5, 40.0]) + step)) - loss(*(np.array([0.5, 40.0]) - step))) / (2 * h)
        np.testing.assert_allclose(slopes[k], difference, rtol=1e-6)


def test_a_stimulus_of_one_population():
    nodes = {"a": bm.HopfStep(2), "b": bm.HopfStep(1)}
    network = bm.Network(nodes, projections=[bm.Projection(np.ones((2, 1)), coupled_var="x", source="b", target="a")])
    data = bm.Recording(1, data=np.ones(50), every=DT)
    result = bm.Simulator(network, dt=DT).run(5 * u.ms, inputs={"b.x_inp": data}, monitors=["a.x", "b.x"], seed=0)
    assert result["b.x"][-1, 0] > 0.5


# --- refusals ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: bm.Pulse(3, width=0 * u.ms), ValueError, "`width` of Pulse"),
        (lambda: bm.Pulse(3, width=1 * u.mV), u.UnitMismatchError, "`width` of Pulse"),
        (lambda: bm.Pulse(3, regions=[3]), ValueError, "`regions` of Pulse must be numbers of regions, 0 to 2, but has 3"),
        (lambda: bm.Pulse(3, regions=[0], weights=1.0), TypeError, "either `weights` or `regions`"),
        (lambda: bm.Pulse(3, weights=[1.0, 2.0]), ValueError, "`weights` of Pulse"),
        (lambda: bm.PulseTrain(3, width=5 * u.ms, period=2 * u.ms), ValueError, "`period` of PulseTrain must be at least"),
        (lambda: bm.PulseTrain(3, count=0), ValueError, "`count` of PulseTrain must be a positive int, but is 0"),
        (lambda: bm.ThetaBurst(3, pulses=20), ValueError, "`burst_period` of ThetaBurst must be at least 20 times"),
        (lambda: bm.ThetaBurst(3, train_period=1 * u.second), ValueError, "`train_period` of ThetaBurst needs `train`"),
        (lambda: bm.Recording(3), TypeError, "Recording needs the argument `data`"),
        (lambda: bm.Recording(3, data=np.ones((5, 2))), ValueError, "(T,) or (T, 3), but has shape (5, 2)"),
        (lambda: bm.Recording(3, data=[1.0, np.nan]), ValueError, "`data` of Recording must be finite, but has nan"),
        (lambda: bm.Recording(3, data=np.ones(3) * u.mV), u.UnitMismatchError, "give the unit to the amplitude"),
        (lambda: bm.Recording(3, data=[1.0], after="stop"), ValueError, "`after` of Recording must be one of 'refuse'"),
        (lambda: bm.Pulse(3) + bm.Pulse(3, amplitude=1 * u.mV), u.UnitMismatchError, "must have one dimension"),
        (lambda: bm.Pulse(3) * bm.Pulse(2), ValueError, "must have one `in_size`, but have (3,) and (2,)"),
        (lambda: bm.Pulse(3)(5.0), u.UnitMismatchError, "Pulse must be called with a time, but is with 5.0. Example: stimulus(5 * u.ms)"),
        (lambda: bm.Pulse(3).series(1 * u.ms, 0.3 * u.ms), ValueError, "`duration` must be a multiple of the time step 0.3 ms, but is 1 ms. The nearest that is: duration=0.9 * u.ms"),
        (lambda: (2 * (bm.Pulse(3) + bm.WhiteNoise(3, sigma=1.0))).series(1 * u.ms, DT), ValueError, "has no series: its random numbers come from the key of a run"),
        (lambda: bm.Pulse(3) * np.ones(3), TypeError, "by stimuli, noises and numbers"),
    ],
)  # fmt: skip
def test_refusals(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


def test_refusals_of_a_run():
    (port,) = bm.LinearStep._ports
    with pytest.raises(
        ValueError, match=re.escape("is a Recording of 5 ms and so ends before the run, which needs 20 ms")
    ):
        final({port: bm.Recording(2, data=np.ones(5))})
    with pytest.raises(
        ValueError, match=r"must have the shape of the population, \(2,\), but is a Pulse with in_size="
    ):
        final({port: bm.Pulse(3)})
    with pytest.raises(ValueError, match=r"It has 5 rows for 200 steps: give brainmass.Recording\(..., data=rows"):
        final({port: np.ones((5, 2))})
    with pytest.raises(
        u.UnitMismatchError, match="`M_inp` of JansenRitStep must be in mV.*is a Pulse in nA.*`amplitude`"
    ):
        bm.Simulator(bm.JansenRitStep(2), dt=DT).run(
            5 * u.ms, inputs={"M_inp": bm.Pulse(2, amplitude=1 * u.nA)}, seed=0
        )
    with pytest.raises(ValueError, match="is a noise whose amplitude follows the state of a node"):
        final({port: bm.WhiteNoise(2, sigma=1.0, amplitude=lambda state: state["x"])})
    with pytest.raises(ValueError, match="needs the time"), brainstate.environ.context(t=None):
        bm.Pulse(2).update()
