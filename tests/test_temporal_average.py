"""Averages over time and over parcels, against numpy."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import brainmass as bm
from brainmass.forward.temporal_average import SpatialAverage, TemporalAverage

DT = 0.5 * u.ms
LABELS = np.array([0, 2, 1, -1, 2])
AREAS = np.array([1.0, 2.0, 3.0, 4.0, 6.0])


def signal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def noisy(n=3):
    """A simulator of activity that changes at every step."""
    return bm.Simulator(bm.HopfStep(n, a=0.1, noise_x=bm.WhiteNoise(n, sigma=0.2)), dt=DT)


def parcel_means(x):
    """By hand: parcels 0 (node 0), 1 (node 2), 2 (nodes 1 and 4, with areas 2 and 6); node 3 has none."""
    return np.stack([x[..., 0], x[..., 2], (2 * x[..., 1] + 6 * x[..., 4]) / 8], axis=-1)


# --- over time ------------------------------------------------------------------------------------------------------
def test_means_of_windows_without_the_incomplete_last(x64):
    x = signal(23, 2, 3)
    expected = np.stack([x[4 * k : 4 * k + 4].mean(0) for k in range(5)])
    np.testing.assert_allclose(TemporalAverage(2 * u.ms)(x, DT), expected, rtol=1e-13)
    # any unit of the signal is kept, and any unit of time read
    found = TemporalAverage(0.002 * u.second)(x * u.mV, 500 * u.us)
    np.testing.assert_allclose(found.to_decimal(u.mV), expected, rtol=1e-13)
    np.testing.assert_allclose(TemporalAverage()(x, 4 * u.ms), x, rtol=1e-13)


def test_time_average_under_jit_grad_and_vmap(x64):
    average, x, c = TemporalAverage(2 * u.ms), signal(12, 3), signal(3, 3, seed=1)
    np.testing.assert_allclose(jax.jit(lambda x: average(x, DT))(x), average(x, DT), rtol=1e-13)
    slope = jax.grad(lambda x: jnp.sum(c * average(x, DT) ** 2))(x)
    expected = np.repeat(2 * c * np.asarray(average(x, DT)) / 4, 4, axis=0)  # by the chain rule
    np.testing.assert_allclose(slope, expected, rtol=1e-12)
    batch = signal(5, 12, 3)
    found = jax.vmap(lambda x: average(x, DT))(batch)
    np.testing.assert_allclose(found, batch.reshape(5, 3, 4, 3).mean(2), rtol=1e-13, atol=1e-15)


@pytest.mark.few(1)
@pytest.mark.parametrize("batch", [None, 2])
def test_in_a_run_it_is_the_mean_over_its_period(batch):
    """Of every step, whatever is sampled beside it, and where it is sampled at a multiple of its period."""
    average = TemporalAverage(2 * u.ms, in_size=3)
    rare = bm.Monitor(TemporalAverage(2 * u.ms, in_size=3), every=8)
    monitors = {"x": "x", "mean": bm.Monitor(average, every=4), "rare": rare}
    run = noisy().run(40 * DT, seed=1, monitors=monitors, batch_size=batch)
    np.testing.assert_allclose(run["mean"], average(run["x"], DT), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(run["rare"], run["mean"][1::2])
    assert run["mean"].shape[0] == 10 and run["rare"].shape[0] == 5


def test_in_a_run_activity_with_a_unit():
    average = TemporalAverage(2 * u.ms, in_size=2, unit=u.mV)
    simulator = bm.Simulator(bm.JansenRitStep(2), dt=DT)
    run = simulator.run(16 * DT, monitors={"eeg": lambda model: model.eeg(), "mean": bm.Monitor(average, every=4)})
    expected = run["eeg"].to_decimal(u.mV).reshape(4, 4, 2).mean(1)
    np.testing.assert_allclose(run["mean"].to_decimal(u.mV), expected, rtol=1e-5)
    with pytest.raises(u.UnitMismatchError, match="TemporalAverage must be in plain numbers.*but is in .*unit=u.mV"):
        simulator.run(16 * DT, monitors={"mean": bm.Monitor(TemporalAverage(2 * u.ms, in_size=2), every=4)})


def test_time_average_refuses():
    with pytest.raises(ValueError, match=r"`period` of TemporalAverage must be a multiple of the time step.*period=2"):
        TemporalAverage(2.2 * u.ms)(signal(20, 3), DT)
    with pytest.raises(
        u.UnitMismatchError, match=r"`period` of TemporalAverage must be a time, but is 4.*period=100 \* u.ms"
    ):
        TemporalAverage(4.0)
    with pytest.raises(u.UnitMismatchError, match="`dt` of TemporalAverage must be a time"):
        TemporalAverage()(signal(20, 3), 0.1)
    for wrong in 0 * u.ms, -1 * u.ms, np.inf * u.ms, np.ones(2) * u.ms:
        with pytest.raises(ValueError, match="`period` of TemporalAverage must be one finite time > 0"):
            TemporalAverage(wrong)
    with pytest.raises(ValueError, match=r"at least 8 rows, the `period` of 4.0? ms, but has shape \(7, 3\)"):
        TemporalAverage()(signal(7, 3), DT)
    with pytest.raises(ValueError, match="TemporalAverage needs `in_size`, the number of regions, in a run"):
        noisy().run(8 * DT, monitors={"mean": bm.Monitor(TemporalAverage(), every=8)})
    with pytest.raises(ValueError, match=r"`period` of `mean` must be a multiple of the time step 0.5.*: period=2 "):
        noisy().run(8 * DT, monitors={"mean": bm.Monitor(TemporalAverage(2.2 * u.ms, in_size=3), every=8)})
    with pytest.raises(ValueError, match=r"its sampling period, 1 step\(s\), .*: 4 steps, as in every=4"):
        noisy().run(8 * DT, monitors={"mean": TemporalAverage(2 * u.ms, in_size=3)}, sample_every=1)
    average = TemporalAverage(2 * u.ms, in_size=3)
    average.init_state()
    with brainstate.environ.context(dt=DT), pytest.raises(ValueError, match="must be updated with the mean over its"):
        average.update(np.ones(3))


# --- over parcels ---------------------------------------------------------------------------------------------------
def test_means_of_parcels(x64):
    x = signal(7, 2, 5)
    average = SpatialAverage(LABELS, AREAS)
    np.testing.assert_allclose(average(x), parcel_means(x), rtol=1e-13)
    np.testing.assert_allclose(SpatialAverage(LABELS)(x)[..., 2], (x[..., 1] + x[..., 4]) / 2, rtol=1e-13)
    found = SpatialAverage(LABELS, AREAS * u.mm**2, unit=u.mV)(x * 1e-3 * u.volt)
    np.testing.assert_allclose(found.to_decimal(u.mV), parcel_means(x), rtol=1e-13)


@pytest.mark.slow
def test_parcels_under_jit_grad_and_vmap(x64):
    average, x, c = SpatialAverage(LABELS, AREAS), signal(4, 5), np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(jax.jit(average.__call__)(x), parcel_means(x), rtol=1e-13)
    np.testing.assert_allclose(jax.vmap(average.__call__)(x), parcel_means(x), rtol=1e-13)
    slope = jax.grad(lambda x: jnp.sum(c * average(x)))(x)
    np.testing.assert_allclose(slope, np.tile([1.0, 3 * 2 / 8, 2.0, 0.0, 3 * 6 / 8], (4, 1)), rtol=1e-13)


@pytest.mark.few(1)
@pytest.mark.parametrize("batch", [None, 2])
def test_parcels_in_a_run(batch):
    monitors = {"x": "x", "parcels": bm.Monitor(SpatialAverage(LABELS, AREAS), every=1)}
    run = noisy(5).run(12 * DT, seed=2, monitors=monitors, batch_size=batch)
    np.testing.assert_allclose(run["parcels"], parcel_means(np.asarray(run["x"])), rtol=1e-5, atol=1e-6)


def test_parcels_by_hand_with_a_batch():
    average = SpatialAverage(LABELS, AREAS)
    average.init_state(4)
    x = signal(4, 5).astype(np.float32)
    assert average.signal().shape == (4, 3)
    np.testing.assert_allclose(average.update(x), parcel_means(x), rtol=1e-5)
    np.testing.assert_array_equal(average.signal(), average.seen.value)


def test_parcels_refused():
    for wrong in np.array([0.0, 1.0]), np.array([[0, 1]]), np.array([-1, -1]):
        with pytest.raises(ValueError, match="`labels` of SpatialAverage must be integers of shape"):
            SpatialAverage(wrong)
    with pytest.raises(ValueError, match="every parcel from 0 to 3 a node of positive weight, but parcel 2 has none"):
        SpatialAverage(np.array([0, 1, 3]))
    for wrong in np.ones(2), np.array([1.0, -1.0, 1.0]), np.array([1.0, np.nan, 1.0]):
        with pytest.raises(
            ValueError, match=r"`weights` of SpatialAverage must be finite numbers >= 0 of shape \(3,\)"
        ):
            SpatialAverage(np.array([0, 1, 1]), wrong)
    with pytest.raises(ValueError, match=r"given to SpatialAverage must have shape \(..., 5\), but has shape \(4, 3\)"):
        SpatialAverage(LABELS)(signal(4, 3))
    with pytest.raises(u.UnitMismatchError, match="SpatialAverage must be in plain numbers.*but is in mV"):
        SpatialAverage(LABELS)(signal(4, 5) * u.mV)
