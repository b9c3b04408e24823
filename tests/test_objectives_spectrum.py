"""Power spectra against SciPy, closed forms and finite differences."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal
from test_objectives import finite_differences, with_constant_column

from brainmass.objectives import power_spectral_density, psd_rmse

RNG = np.random.default_rng(7)
PERIOD = 0.5 * u.second
P = RNG.normal(size=(80, 4)).cumsum(0).astype(np.float32)
T = RNG.normal(size=(100, 4)).astype(np.float32)


def welch(x, size):
    return signal.welch(x, fs=2.0, nperseg=size, axis=0)


@pytest.mark.few(2)
@pytest.mark.parametrize("size", [2, 15, 16, 33, 80])
def test_density_is_scipys(x64, size):
    frequencies, density = power_spectral_density(P.astype(float), PERIOD, size)
    expected = welch(P.astype(float), size)
    np.testing.assert_allclose(frequencies.to_decimal(u.Hz), expected[0], rtol=1e-14)
    np.testing.assert_allclose(density.to_decimal(u.UNITLESS / u.Hz), expected[1], rtol=1e-10, atol=1e-14)


def test_density_in_single_precision_on_a_baseline():
    shifted = 1e3 + P  # what float32 keeps of it
    _, density = power_spectral_density(shifted, PERIOD, 32)
    expected = welch(shifted.astype(float), 32)[1]
    np.testing.assert_allclose(density.mantissa, expected, rtol=1e-3, atol=1e-4)


def test_units():
    frequencies, density = power_spectral_density(P * u.mV, 500 * u.ms, 16)
    assert density.unit.has_same_dim(u.mV**2 / u.Hz)
    np.testing.assert_allclose(density.to_decimal(u.mV**2 / u.Hz), welch(P, 16)[1], rtol=1e-3)
    np.testing.assert_allclose(frequencies.to_decimal(u.Hz)[[0, 1, -1]], [0, 0.125, 1.0])


def test_sine_has_its_power_at_its_frequency():
    t = np.arange(256) * 0.5
    x = 3 * np.sin(2 * np.pi * 0.25 * t)[:, None]
    frequencies, density = power_spectral_density(x, PERIOD, 64)
    power = density.mantissa[:, 0] * (2.0 / 64)
    assert frequencies.mantissa[np.argmax(power)] == 0.25
    np.testing.assert_allclose(power.sum(), 3**2 / 2, rtol=1e-5)


BAND = (0.2 * u.Hz, 0.8 * u.Hz)
IN_BAND = slice(4, 13)  # of 32 samples at 2 Hz: 1/16 Hz apart


@pytest.mark.parametrize(("band", "rows"), [(None, slice(1, None)), (BAND, IN_BAND)])
def test_losses_are_numpys_of_scipys_densities(x64, band, rows):
    p, t = (welch(x.astype(float), 32)[1][rows] for x in (P, T))
    level = 10 * np.log10(p) - 10 * np.log10(t)
    shape = p / p.mean(0) - t / t.mean(0)
    options = {"band": band, "window_size": 32}
    ours = [
        psd_rmse(PERIOD, **options)(P.astype(float), T.astype(float)),
        psd_rmse(PERIOD, **options, log=False)(P.astype(float), T.astype(float)),
        psd_rmse(PERIOD, **options, log=False, normalize=True)(P.astype(float), T.astype(float)),
    ]
    expected = [np.sqrt(np.mean(x**2)) for x in (level, p - t, shape)]
    np.testing.assert_allclose(ours, expected, rtol=1e-10)


def test_band_bounds_are_included():
    whole = psd_rmse(PERIOD, window_size=32)(P, T)
    exact = psd_rmse(PERIOD, (0.0625 * u.Hz, 1.0 * u.Hz), 32)(P, T)
    np.testing.assert_allclose(exact, whole, rtol=1e-6)
    np.testing.assert_allclose(psd_rmse(PERIOD, (0.0625 / u.second, 0.001 * u.kHz), 32)(P, T), whole, rtol=1e-6)


def test_twice_the_amplitude_is_six_decibels():
    np.testing.assert_allclose(psd_rmse(PERIOD, window_size=32)(2 * T, T), 20 * np.log10(2), rtol=1e-4)
    np.testing.assert_allclose(psd_rmse(PERIOD, window_size=32, normalize=True)(2 * T, T), 0.0, atol=1e-4)
    np.testing.assert_allclose(psd_rmse(PERIOD, window_size=32)(T * u.volt, T * 1e3 * u.mV), 0.0, atol=1e-4)
    np.testing.assert_allclose(psd_rmse(PERIOD, window_size=32, normalize=True)(T * u.mV, T * u.Hz), 0.0, atol=1e-4)


def test_silence_is_the_floor_below_the_data():
    f = psd_rmse(PERIOD, window_size=32, floor=1e-3)
    white = np.zeros((32, 4), np.float32)
    white[16] = 1.0  # a pulse has the same density at all frequencies
    np.testing.assert_allclose(f(np.zeros((40, 4)), white), 30.0, rtol=0.01)
    np.testing.assert_allclose(f(np.full((40, 4), 0.1), white), 30.0, rtol=0.01)
    assert f(np.ones((40, 4)), np.ones((40, 4))) == 0.0


OBJECTIVES = {
    "decibels": psd_rmse(PERIOD, window_size=32),
    "band": psd_rmse(PERIOD, BAND, 33),
    "linear": psd_rmse(PERIOD, window_size=32, log=False),
    "shape": psd_rmse(PERIOD, BAND, window_size=32, normalize=True),
}
SLOW = ("band", "linear")
every_objective = pytest.mark.parametrize(
    "f", [pytest.param(f, id=name, marks=[pytest.mark.slow] * (name in SLOW)) for name, f in OBJECTIVES.items()]
)


@pytest.mark.few(1)
@every_objective
@pytest.mark.parametrize("change", [np.array, with_constant_column])
def test_gradient_is_that_of_finite_differences(x64, f, change):
    p, t = change(P.astype(float)), T.astype(float)
    loss = jax.jit(lambda x: f(x, t))
    gradient = np.asarray(jax.jit(jax.grad(loss))(p))
    others = [0, 1, 3]
    expected = finite_differences(lambda x: loss(change(x)), p)
    np.testing.assert_allclose(gradient[:, others], expected[:, others], rtol=1e-4, atol=1e-6)
    assert np.isfinite(gradient).all() and (change is np.array or not gradient[:, 2].any())


@pytest.mark.few(1)
@every_objective
def test_gradient_of_degenerate_signals_is_finite(f):
    zeros = np.zeros((80, 4), np.float32)
    compiled = jax.jit(jax.value_and_grad(f))
    for p in (zeros, zeros + 1, P, T[:80] * np.float32(1e-12)):
        for t in (zeros, with_constant_column(P), P):
            value, gradient = compiled(p, t)
            assert np.isfinite(value) and np.isfinite(gradient).all()


@every_objective
def test_missing_data_are_not_hidden(f):
    x = P.copy()
    x[30, 1] = np.nan
    compiled = jax.jit(f)
    assert np.isnan(compiled(x, T[:80])) and np.isnan(compiled(P, x))


@pytest.mark.few(1)
@every_objective
def test_jit_and_vmap_change_nothing(f):
    batch = jnp.stack([P, P[::-1], with_constant_column(P)])
    compiled = jax.jit(f)
    loop = [compiled(p, T) for p in batch]
    np.testing.assert_allclose(loop[0], f(P, T), rtol=1e-4)
    values, gradients = jax.jit(jax.vmap(jax.value_and_grad(f), (0, None)))(batch, T)
    np.testing.assert_allclose(values, loop, rtol=1e-4)
    assert gradients.shape == batch.shape and np.isfinite(gradients).all()
    assert jax.jit(lambda x: power_spectral_density(x, PERIOD, 16)[1])(P).shape == (9, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: psd_rmse(0.5), "`sampling_period` of psd_rmse .*unit of time, but is 0.5"),
        (lambda: psd_rmse(2.0 * u.Hz), "`sampling_period` .*unit of time, but is 2"),
        (lambda: psd_rmse(-1 * u.ms), "`sampling_period` .*one time > 0, but is -1"),
        (lambda: psd_rmse(np.ones(2) * u.ms), "`sampling_period` .*one time > 0"),
        (lambda: psd_rmse(PERIOD, window_size=1), "`window_size` of psd_rmse .*at least 2, but is 1"),
        (lambda: psd_rmse(PERIOD, (0.1, 0.2)), r"`band` of psd_rmse .*two frequencies.*but is \(0.1, 0.2\)"),
        (lambda: psd_rmse(PERIOD, 0.1 * u.Hz), "`band` .*two frequencies, the lower one first, but is"),
        (lambda: psd_rmse(PERIOD, (0.2 * u.Hz, 0.1 * u.Hz)), "`band` .*the lower one first"),
        (lambda: psd_rmse(PERIOD, (0.1 * u.ms, 0.2 * u.ms)), "`band` .*two frequencies"),
        (lambda: psd_rmse(PERIOD, (2 * u.Hz, 3 * u.Hz)), "`band` .*up to 1 Hz, but is 2 to 3 Hz"),
        (lambda: psd_rmse(PERIOD, floor=0.0), "`floor` of psd_rmse .*> 0, but is 0.0"),
        (lambda: psd_rmse(PERIOD)(P, T), r"`prediction` of psd_rmse .*256 samples .*\(a window of 256\), but has 80"),
        (lambda: psd_rmse(PERIOD, None, 90)(T, P), "`target` of psd_rmse .*90 samples or more .*but has 80"),
        (lambda: psd_rmse(PERIOD, None, 32)(P, T[:, :3]), "as many regions as `target`, but has 4 against 3"),
        (lambda: psd_rmse(PERIOD, None, 32)(P * u.mV, T), "dimension of `target`, but is in mV against 1"),
        (lambda: power_spectral_density(P[0], PERIOD, 2), r"`x` of power_spectral_density .*\(time, region\)"),
        (lambda: power_spectral_density(P, PERIOD), "`x` of power_spectral_density .*256 samples .*but has 80"),
        (lambda: power_spectral_density(P, 3), "`sampling_period` of power_spectral_density .*but is 3"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert caught.match("^Argument `.*` of .* must .*, but .* Example: ")
