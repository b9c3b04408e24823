"""Evoked responses and maps of them: closed forms of linear nodes and networks, and what a run gives by itself."""

import dataclasses

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm, solve_continuous_lyapunov

import brainmass as bm

ZERO = {"init_x": np.zeros}


def simulator(n=1, conn=None, gamma=-0.1, dt=0.1, sigma=None, **options):
    noise = None if sigma is None else bm.WhiteNoise(n, sigma=sigma)
    node = bm.LinearStep(n, gamma=gamma, noise_x=noise, method="rk4" if sigma is None else "heun", **ZERO)
    if conn is None:
        return bm.Simulator(node, dt=dt * u.ms)
    return bm.Simulator(bm.Network(node, conn=conn, coupling="additive", coupled_var="x", **options), dt=dt * u.ms)


def pulse(n=1, **options):
    return {"x_inp": bm.Pulse(n, **{"amplitude": 1.0, "onset": 20 * u.ms, "width": 1 * u.ms, **options})}


def decay(time, gamma=0.1, width=1.0):
    """Of x' = -gamma x + 1 within a pulse, from 0."""
    rise = (1 - np.exp(-gamma * np.clip(time, 0, width))) / gamma
    return rise * np.exp(-gamma * np.clip(time - width, 0, None))


def test_the_mean_response_of_an_ou_process_is_its_decay_within_the_standard_error():
    erp = bm.evoked_response(simulator(sigma=0.2), 60 * u.ms, pulse(), "x", seeds=300, sample_every=1 * u.ms)
    time = np.asarray(erp.time.to_decimal(u.ms))
    assert erp.trials.shape == (300, 60, 1) and (time[0], time[19], time[-1]) == (-19, 0, 40)
    deviation = (erp.mean - decay(time)[:, None]) / erp.standard_error
    assert 0.05 < np.sqrt(np.mean(deviation**2)) < 2
    low, high = erp.band(0.99)
    inside = (decay(time)[:, None] > low) & (decay(time)[:, None] < high)
    assert inside.mean() > 0.95
    # Student's t of 299 degrees of freedom
    np.testing.assert_allclose((high - low) / 2, 2.5923 * erp.standard_error, rtol=1e-4)
    below, above = erp.band(0.5, of="trials")
    assert ((erp.trials > below) & (erp.trials < above)).mean() == pytest.approx(0.5, abs=0.01)
    np.testing.assert_allclose(erp.trials[:, :20].mean(axis=1), 0.0, atol=1e-6)


def test_against_sham_the_noise_cancels_and_trial_k_is_the_run_with_seed_k():
    one = simulator(sigma=0.2)
    settings = dict(seeds=[3, 8], sample_every=1 * u.ms)
    sham = bm.evoked_response(one, 60 * u.ms, pulse(), "x", against="sham", **settings)
    time = np.asarray(sham.time.to_decimal(u.ms))
    np.testing.assert_allclose(sham.trials, np.broadcast_to(decay(time)[:, None], (2, 60, 1)), atol=2e-3)
    assert np.abs(sham.trials[0] - sham.trials[1]).max() < 1e-5
    raw = bm.evoked_response(one, 60 * u.ms, pulse(), "x", against=None, at_once=1, **settings)
    for trial, seed in zip(raw.trials, (3, 8), strict=True):
        run = one.run(60 * u.ms, inputs=pulse(), monitors=["x"], sample_every=1 * u.ms, seed=seed)
        np.testing.assert_allclose(trial, run["x"], atol=1e-6)
    window = (-10 * u.ms, -5 * u.ms)
    corrected = bm.evoked_response(one, 60 * u.ms, pulse(), "x", baseline=window, **settings)
    expected = raw.trials - raw.trials[:, 9:15].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(corrected.trials, expected, atol=1e-6)


def test_peak_latency_energy_and_decay_of_an_alpha_function():
    """An impulse through two equal nodes is t exp(-t / 10 ms): its peak is 10/e at 10 ms, its energy 10³/4."""
    chain = simulator(2, conn=np.array([[0.0, 0.0], [1.0, 0.0]]), dt=0.05)
    inputs = pulse(2, amplitude=20.0, onset=5 * u.ms, width=0.05 * u.ms, regions=[0])
    erp = bm.evoked_response(chain, 155 * u.ms, inputs, "x")
    assert erp.seeds.tolist() == [0]  # nothing is random
    amplitude, latency = erp.peaks()
    assert latency[1].to_decimal(u.ms) == pytest.approx(10.0, abs=0.1)
    assert amplitude[1] == pytest.approx(10 / np.e, rel=1e-3)
    np.testing.assert_allclose(erp.energy().to_decimal(u.ms), [5.0, 250.0], rtol=0.01)
    np.testing.assert_allclose(erp.decay_time().to_decimal(u.ms), [10.0, 30.0], rtol=0.01)
    late = erp.peaks(window=(20 * u.ms, 50 * u.ms))
    assert late.latency[1].to_decimal(u.ms) == pytest.approx(20.0, abs=0.06)
    assert (erp.peaks(sign=-1).amplitude < 1e-4).all() and (erp.peaks(sign=1).amplitude == amplitude).all()


@pytest.fixture(scope="module")
def random_network():
    rng = np.random.default_rng(1)
    conn = rng.uniform(0, 0.08, (5, 5)) * (1 - np.eye(5)) * rng.choice([-1, 1], (5, 5))
    return conn, conn - 0.25 * np.eye(5)


def test_a_response_map_is_the_matrix_exponential(random_network):
    conn, A = random_network
    one = simulator(5, conn=conn, gamma=-0.25, dt=0.1)
    inputs = pulse(5, amplitude=10.0, onset=5 * u.ms, width=0.1 * u.ms, weights=0.3)  # which it has in place of these
    found = bm.response_map(one, 85 * u.ms, inputs, "x", at_once=2)
    time = np.asarray(found.time.to_decimal(u.ms))
    rows = np.flatnonzero(time > 0.01)
    # a pulse of unit area, of one step
    first = np.linalg.solve(A, expm(0.1 * A) - np.eye(5)) * 10
    truth = np.stack([expm((t - 0.1) * A) @ first for t in time[rows]]).transpose(2, 0, 1)
    np.testing.assert_allclose(found.mean[:, rows], truth, atol=2e-5)
    np.testing.assert_allclose(found.mean[:, time < 0], 0.0, atol=1e-7)
    at = np.abs(truth).argmax(axis=1)
    np.testing.assert_allclose(found.peaks().latency.to_decimal(u.ms), time[rows][at], atol=0.11)
    np.testing.assert_allclose(found.peaks().amplitude, np.take_along_axis(truth, at[:, None], 1)[:, 0], atol=2e-5)
    energy = np.stack([np.diag(solve_continuous_lyapunov(A, -np.outer(b, b))) for b in np.eye(5)])
    np.testing.assert_allclose(found.energy().to_decimal(u.ms), energy, rtol=0.05, atol=2e-3)
    some = bm.response_map(one, 85 * u.ms, inputs, "x", sites=[3, 1], against="baseline")
    np.testing.assert_allclose(some.mean, found.mean[[3, 1]], atol=1e-6)
    assert inputs["x_inp"].weights.value() == pytest.approx(0.3)


@pytest.mark.slow
def test_a_noisy_map_has_the_same_noise_at_all_sites_and_names(random_network):
    conn, A = random_network
    names = tuple("ABCDE")
    connectome = bm.Connectome(np.abs(conn), labels=names)
    one = simulator(5, conn=connectome, gamma=-0.6, sigma=0.1)
    settings = dict(sites=["D", "B"], sample_every=1 * u.ms)
    inputs = pulse(5, onset=5 * u.ms)
    found = bm.response_map(one, 40 * u.ms, inputs, "x", seeds=3, **settings)
    quiet = bm.response_map(simulator(5, conn=connectome, gamma=-0.6, dt=0.1), 40 * u.ms, inputs, "x", **settings)
    np.testing.assert_allclose(found.mean, quiet.mean, atol=2e-3)
    assert found.site_labels == ("D", "B") and found.labels == names
    data = found.to_xarray()
    assert data["peak"].dims == ("site", "region") and data["latency"].attrs["units"] == "ms"
    assert float(data["peak"].sel(site="D", region="D")) == pytest.approx(found.peaks().amplitude[0, 3])
    weighted = bm.evoked_response(one, 40 * u.ms, pulse(5, onset=5 * u.ms, regions=[3]), "x", seeds=3, against="sham",
                                  sample_every=1 * u.ms)  # fmt: skip
    np.testing.assert_allclose(weighted.mean, found.mean[0], atol=1e-6)


@pytest.mark.slow
def test_units_sensors_and_functions():
    column = bm.Simulator(bm.JansenRitStep(1, noise_E=bm.WhiteNoise(1, sigma=2 * u.Hz)), dt=0.5 * u.ms)
    drive = bm.Pulse(1, amplitude=200 * u.Hz, onset=150 * u.ms, width=10 * u.ms) + 120 * u.Hz
    settings = dict(onset=150 * u.ms, seeds=4, transient=100 * u.ms, sample_every=1 * u.ms)
    erp = bm.evoked_response(column, 300 * u.ms, {"E_inp": drive}, "eeg", **settings)
    assert u.get_unit(erp.peaks().amplitude) == u.mV and abs(erp.peaks().amplitude[0]) > 1 * u.mV
    assert u.get_unit(erp.energy()).has_same_dim(u.mV**2 * u.ms)
    assert erp.time[0] == -49 * u.ms and "mV after" in repr(erp)
    assert erp.to_xarray()["mean"].attrs["units"] == "mV"
    two = simulator(2, sigma=0.1)
    mean = bm.evoked_response(two, 30 * u.ms, pulse(2), lambda model: model.x.value.mean(), seeds=2)
    assert mean.trials.shape == (2, 300, 1) and mean.name == "response"
    scalp = bm.LeadfieldReadout(np.array([[1.0, -1.0], [0.0, 2.0], [1.0, 1.0]]), 0.0, 1.0, False, False)
    seen = bm.evoked_response(two, 30 * u.ms, pulse(2), bm.Monitor(scalp, source="x"), seeds=2)
    raw = bm.evoked_response(two, 30 * u.ms, pulse(2), "x", seeds=2)
    np.testing.assert_allclose(seen.mean[:, 1], 2 * raw.mean[:, 1], atol=1e-5)


def test_other_values_compile_nothing_and_the_model_stays_as_it_is():
    one = simulator(2, sigma=0.1)
    one.run(1 * u.ms, monitors=["x"], seed=0)
    before = np.asarray(one.model.x.value)
    bm.evoked_response(one, 30 * u.ms, pulse(2), "x", seeds=3)
    maps = bm.response_map(one, 30 * u.ms, pulse(2), "x", seeds=2)

    def compiled():
        lanes = [x for p in one._programs.values() for key, x in p.compiled.items() if key[0] == "trials"]
        return [(id(x), x._in_turn._cache_size() + x.together._cache_size()) for x in lanes]

    once = compiled()
    louder = bm.evoked_response(one, 30 * u.ms, pulse(2, amplitude=2.0), "x", seeds=[4, 5, 6])
    one.model.gamma = -0.5
    other = bm.evoked_response(one, 30 * u.ms, pulse(2), "x", seeds=3)
    again = bm.response_map(one, 30 * u.ms, pulse(2, amplitude=2.0), "x", seeds=[3, 4])
    assert compiled() == once and [n for _, n in once] == [1, 1, 1]
    assert louder.peaks().amplitude[0] > 1.5 > other.peaks().amplitude[0]
    assert again.peaks().amplitude[0, 0] > 1.2 * maps.peaks().amplitude[0, 0]
    np.testing.assert_array_equal(one.model.x.value, before)


class Counter(brainstate.nn.Module):
    """A model that makes no states: it adds up what enters."""

    def __init__(self):
        super().__init__()
        self.x = brainstate.HiddenState(jnp.zeros(2))

    def update(self, u_inp=0.0):
        self.x.value = self.x.value + u_inp


def test_a_model_that_makes_no_states():
    one = bm.Simulator(Counter(), dt=1 * u.ms)
    noisy = bm.Pulse(2, onset=5 * u.ms, width=3 * u.ms) + bm.GaussianNoise(2, sigma=1e-4)
    erp = bm.evoked_response(one, 20 * u.ms, {"u_inp": noisy}, "x", onset=5 * u.ms, seeds=3)
    np.testing.assert_allclose(erp.mean[-1], 3.0, atol=0.01)
    assert len(set(erp.trials[:, -1, 0].tolist())) == 3


def test_what_cannot_be_is_refused():
    noisy, still = simulator(sigma=0.1), simulator()

    def refused(match, call=bm.evoked_response, one=noisy, duration=60 * u.ms, inputs=None, of="x", **options):
        with pytest.raises((ValueError, TypeError), match=match):
            call(one, duration, pulse() if inputs is None else inputs, of, **options)

    two = {"x_inp": bm.Pulse(1, onset=20 * u.ms) + bm.Pulse(1, onset=30 * u.ms)}
    refused("`onset` of evoked_response must be given", inputs=two)
    refused("must lie within what is recorded", inputs=pulse(onset=70 * u.ms))
    refused("two samples after its beginning", inputs=pulse(onset=0 * u.ms))
    refused("`seeds` .* nothing here is random", one=still, seeds=5)
    refused("`inputs` .* must have a stimulus", inputs={"x_inp": 1.0})
    refused("`baseline` .* must have two samples", baseline=(-0.05 * u.ms, 0 * u.ms))
    refused("`baseline` .* against='baseline' alone", baseline=(-5 * u.ms, 0 * u.ms), against="sham")
    refused("`against` of evoked_response must be", against="nothing")
    refused("`sites` of response_map", bm.response_map, sites=[1])
    refused("`inputs` of response_map must have a Stimulus", bm.response_map, inputs=two, onset=20 * u.ms)
    refused("`port` of response_map", bm.response_map, port="y_inp")
    erp = bm.evoked_response(still, 60 * u.ms, pulse(), "x")
    with pytest.raises(ValueError, match="there is one trial"):
        erp.band()
    with pytest.raises(ValueError, match="`window` of peaks must have two samples"):
        erp.peaks(window=(50 * u.ms, 60 * u.ms))
    growing = bm.Simulator(bm.LinearStep(1, gamma=40.0, noise_x=bm.WhiteNoise(1, sigma=0.1)), dt=0.1 * u.ms)
    with pytest.raises(bm.DivergenceError, match="State `x` became infinite"):
        bm.evoked_response(growing, 60 * u.ms, pulse(), "x", seeds=1)
    with pytest.raises(bm.DivergenceError, match="State `x` became infinite"):
        bm.response_map(growing, 60 * u.ms, pulse(), "x", seeds=[1], against=None)
    with pytest.raises(TypeError, match="evoked_response works with numbers, and cannot be within jax.jit"):
        jax.jit(lambda a: bm.evoked_response(still, 30 * u.ms, pulse(amplitude=a), "x").mean)(1.0)


def test_pictures_of_responses():
    erp = bm.evoked_response(simulator(3, sigma=0.1), 40 * u.ms, pulse(3, regions=[1]), "x", seeds=3)
    ax = bm.viz.plot_evoked(erp, [1, 2])
    mean, low = ax.lines[1].get_ydata(), ax.collections[0].get_paths()[0].vertices[:, 1].min()
    np.testing.assert_allclose(mean, erp.mean[:, 1])
    assert low == pytest.approx(float(erp.band()[0][:, 1].min()))
    assert ax.get_xlabel() == "time after the onset (ms)"
    assert len(bm.viz.plot_evoked(erp).lines) == 4  # the line at the onset, and three regions
    with pytest.raises(ValueError, match="`regions` of plot_evoked"):
        bm.viz.plot_evoked(erp, [3])
    named = dataclasses.replace(erp, labels=("a", "b", "c"))
    by_name = bm.viz.plot_evoked(named, ["c", "a"]).lines[-2:]
    for line, region in zip(by_name, (2, 0), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), np.asarray(u.get_mantissa(erp.mean))[:, region])
    with pytest.raises(ValueError, match="names of the 3 regions, each once"):
        bm.viz.plot_evoked(named, ["a", 0])
    chain = simulator(2, conn=np.array([[0.0, 0.0], [0.2, 0.0]]))
    found = bm.response_map(chain, 60 * u.ms, pulse(2, onset=5 * u.ms), "x")
    for measure in ("peak", "latency", "energy", "decay"):
        image = bm.viz.plot_response_map(found, measure).images[0]
        shown = np.asarray(image.get_array())
        assert shown[1, 0] > 0  # from the first site to the second region
        assert measure == "latency" or shown[0, 1] == 0
    import matplotlib.pyplot as plt

    plt.close("all")
