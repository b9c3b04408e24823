"""Band-pass filters of signals against scipy's, and objectives that see a band."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from jax.test_util import check_grads

from brainmass import objectives
from brainmass.objectives import bandpass, filtered

TR = 0.72 * u.second
BAND = (0.01 * u.Hz, 0.1 * u.Hz)


def walks(samples, regions=3, seed=0):
    return np.cumsum(np.random.default_rng(seed).normal(size=(samples, regions)), axis=0)


def of_scipy(x, band=(0.01, 0.1), period=0.72, order=5):
    sections = scipy.signal.butter(order, band, "bandpass", fs=1 / period, output="sos")
    return scipy.signal.sosfiltfilt(sections, x, axis=0)


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize(("samples", "order"), [(300, 5), (301, 2), (50, 1), (34, 5)])
def test_numbers_are_those_of_scipy(double, samples, order):
    x = walks(samples)
    expected = of_scipy(x, order=order)
    np.testing.assert_allclose(bandpass(x, BAND, TR, order), expected, atol=1e-9 * expected.std())


def test_narrow_band_at_another_rate(double):
    x = walks(400)
    expected = of_scipy(x, (8.0, 12.0), 0.004, 3)
    np.testing.assert_allclose(bandpass(x, (8 * u.Hz, 12 * u.Hz), 4 * u.ms, 3), expected, atol=1e-10 * expected.std())


def test_beside_a_large_mean_single_precision_keeps_its_digits():
    x = (walks(400) + 1e4).astype(np.float32)
    expected = of_scipy(x.astype(float))
    y = bandpass(x, BAND, TR)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected, atol=1e-5 * expected.std())


def test_frequencies_within_pass_without_shift_and_those_outside_do_not(double):
    t = np.arange(4000)[:, None] * 0.72
    inside, outside = np.sin(2 * np.pi * 0.04 * t), np.sin(2 * np.pi * 0.3 * t)
    middle = slice(1200, -1200)
    np.testing.assert_allclose(bandpass(inside + outside + 5, BAND, TR)[middle], inside[middle], atol=0.01)
    edge = np.sin(2 * np.pi * 0.1 * t)
    np.testing.assert_allclose(bandpass(edge, BAND, TR)[middle].std() / edge.std(), 0.5, atol=0.02)  # |H|² at an edge


@pytest.mark.slow
def test_unit_stays_and_constant_regions_are_zero():
    x = walks(100)
    x[:, 1] = 3.0
    y = bandpass(x * u.mV, BAND, TR)
    assert y.unit == u.mV and not np.asarray(y.mantissa)[:, 1].any()
    assert np.isfinite(np.asarray(jax.grad(lambda x: jnp.sum(bandpass(x, BAND, TR) ** 2))(jnp.asarray(x)))).all()


@pytest.mark.slow
def test_gradient_jit_and_vmap(double):
    x = walks(60, 2)
    check_grads(lambda x: jnp.sum(jnp.sin(bandpass(x, BAND, TR, 2))), (x,), order=1, modes=("rev", "fwd"), rtol=1e-6)
    np.testing.assert_allclose(jax.jit(lambda x: bandpass(x, BAND, TR, 2))(x), bandpass(x, BAND, TR, 2), rtol=1e-12)
    many = np.stack([walks(60, 2, seed) for seed in range(3)])
    each = np.stack([bandpass(one, BAND, TR, 2) for one in many])
    np.testing.assert_allclose(jax.vmap(lambda x: bandpass(x, BAND, TR, 2))(many), each, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_objective_sees_the_band_alone(double):
    x, data = walks(200), walks(200, seed=1)
    loss = objectives.fc_corr()
    expected = loss(of_scipy(x), of_scipy(data))
    np.testing.assert_allclose(filtered(loss, BAND, TR, target=True)(x, data), expected, rtol=1e-9)
    np.testing.assert_allclose(filtered(loss, BAND, TR)(x, of_scipy(data)), expected, rtol=1e-9)
    fc = np.corrcoef(of_scipy(data), rowvar=False)
    np.testing.assert_allclose(filtered(objectives.fc_corr(target_is_fc=True), BAND, TR)(x, fc), expected, rtol=1e-9)
    gradient = jax.grad(filtered(objectives.timeseries_rmse(), BAND, TR))(x, of_scipy(data))
    assert np.isfinite(gradient).all() and gradient.any()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"band": (0.01 * u.Hz, 0.7 * u.Hz)},
            "`band` .* half the sampling rate, 0.694444 Hz.* is 0.01 to 0.7 Hz",
        ),
        ({"band": (0.0 * u.Hz, 0.1 * u.Hz)}, "`band` .* must lie above 0"),
        ({"band": (0.1 * u.Hz, 0.1 * u.Hz)}, "`band` .* be wider than 0"),
        ({"band": (0.1 * u.Hz, 0.01 * u.Hz)}, "`band` .* the lower one first"),
        ({"band": (0.01, 0.1)}, "`band` .* must be two frequencies"),
        ({"sampling_period": 0.72}, "`sampling_period` .* must have unit of time"),
        ({"order": 0}, "`order` .* must be a positive int"),
        ({"order": 13}, "`order` .* at most 12"),
        ({"x": walks(33)}, "`x` .* must have 34 samples or more .*, but has 33"),
        ({"x": walks(100)[:, 0]}, "`x` .* of shape"),
    ],
)
def test_refuses(given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        bandpass(**{"x": walks(100), "band": BAND, "sampling_period": TR} | given)
