"""Features of recordings against numpy, scipy and closed forms."""

import itertools

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
import scipy.stats

from brainmass import inference, objectives
from brainmass.inference import Features
from brainmass.inference.features import FEATURES

RNG = np.random.default_rng(0)
X = scipy.signal.lfilter([1.0], [1.0, -0.8], RNG.normal(size=(400, 4)), axis=0) + np.arange(4)
PERIOD = 0.004
BANDS = 0, 1, 2, 3, 4, 6, 9, 13, 18, 25, 36, 50  # of equal ratio, but for whole numbers
UPPER = np.triu_indices(4, 1)
FC = np.corrcoef(X.T)


def of(name, x=X, **more):
    return np.asarray(Features(name, **more)(x))


def welch():
    return scipy.signal.welch(X, 1 / PERIOD, nperseg=100, axis=0)


def decibel_free(band):
    frequencies, power = welch()
    return np.log(power[(frequencies >= band[0]) & (frequencies < band[1])].mean(0))


def autocorrelation(lag):
    z = (X - X.mean(0)) / X.std(0)
    return (z[lag:] * z[:-lag]).sum(0) / len(z)


TRUTHS = {
    "mean": X.mean(0),
    "std": X.std(0),
    "skewness": scipy.stats.skew(X),
    "kurtosis": scipy.stats.kurtosis(X, fisher=False),
    "minimum": X.min(0),
    "maximum": X.max(0),
    "quantiles": np.quantile(X, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0),
    "series": X,
    "autocorrelation": np.stack([autocorrelation(lag) for lag in (1, 2, 4, 8, 16, 32, 64)]),
    "crossings": (np.diff(X > X.mean(0), axis=0) != 0).mean(0),
    "peak_power": np.log(welch()[1][1:].max(0)),
    "spectral_centroid": (welch()[0][1:, None] * welch()[1][1:]).sum(0) / welch()[1][1:].sum(0),
    "spectral_entropy": scipy.stats.entropy(welch()[1][1:], axis=0) / np.log(50),
    "band_power": np.stack([decibel_free(band) for band in ((1, 4), (4, 8), (8, 13), (13, 30), (30, 80))]),
    "spectrum": np.log([welch()[1][1:][a:b].mean(0) for a, b in itertools.pairwise(BANDS)]),
    "envelope_mean": np.abs(scipy.signal.hilbert(X - X.mean(0), axis=0)).mean(0),
    "envelope_std": np.abs(scipy.signal.hilbert(X - X.mean(0), axis=0)).std(0),
    "fc": FC[UPPER],
    "fc_mean": FC[UPPER].mean(),
    "fc_std": FC[UPPER].std(),
    "fc_strength": (FC.sum(0) - 1) / 3,
    "fc_eigenvalues": np.linalg.eigvalsh(FC)[::-1],
    "covariance": np.cov(X.T, ddof=0)[np.triu_indices(4)],
    "plv": np.asarray(objectives.phase_locking_value(X))[UPPER],
    "synchrony": np.mean(objectives.order_parameter(objectives.instantaneous_phase(X))),
    "metastability": objectives.metastability(objectives.instantaneous_phase(X)),
    "fcd_mean": np.mean(np.asarray(objectives.fcd_matrix(X))[np.triu_indices(75, 1)]),
    "fcd_std": np.std(np.asarray(objectives.fcd_matrix(X))[np.triu_indices(75, 1)]),
    "fcd": objectives.fcd_distribution(objectives.fcd_matrix(X), midpoints=np.linspace(-0.95, 0.95, 20)),
    "fcd_eigenvalues": np.linalg.eigvalsh(objectives.fcd_matrix(X))[::-1][:10] / 75,
}


@pytest.mark.few(10)
@pytest.mark.parametrize("name", TRUTHS)
def test_a_feature_is_that_of_numpy_and_scipy(name):
    found = of(name, sampling_period=PERIOD * u.second)
    np.testing.assert_allclose(found, np.ravel(TRUTHS[name]), rtol=2e-4, atol=2e-5)


IN_OTHER_UNITS = {  # four times the numbers of a signal, and of its seconds
    "": lambda y: y,
    "signal": lambda y: 4 * y,
    "signal²": lambda y: 16 * y,
    "Hz": lambda y: y / 4,
    "s": lambda y: 4 * y,
    "log(signal²/Hz)": lambda y: y + np.log(16 * 4),
}


ONE_OF_EACH = "std", "covariance", "peak_frequency", "decay_time", "peak_power", "band_power", "fc"


@pytest.mark.few(len(ONE_OF_EACH))
@pytest.mark.parametrize("name", dict.fromkeys([*ONE_OF_EACH, *inference.list_features()]))
def test_a_feature_has_the_unit_that_is_told_of_it(name):
    slower = 1 if name == "band_power" else 4  # its bands are in Hz: they are others of a slower recording
    expected = IN_OTHER_UNITS[FEATURES[name].unit](of(name, sampling_period=PERIOD * u.second))
    if slower == 1:
        expected = expected - np.log(4)
    found = of(name, 4 * X, sampling_period=slower * PERIOD * u.second)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4)


def test_the_spread_of_one_connection_is_zero_with_slope_zero():
    spread = Features("fc_std")
    assert spread(X[:, :2]) == 0.0
    np.testing.assert_array_equal(jax.grad(lambda x: spread(x)[0])(jnp.asarray(X[:, :2])), 0.0)


@pytest.mark.slow
def test_features_of_rhythms_and_of_disorder():
    t = np.arange(1000)[:, None] * PERIOD
    sine = np.sin(2 * np.pi * 10.3 * t + 0.1)
    assert abs(of("peak_frequency", sine, sampling_period=PERIOD * u.second)[0] - 10.3) < 0.1
    assert abs(of("peak_frequency", sine)[0] - 10.3 * PERIOD) < 0.1 * PERIOD
    pulses = np.zeros((1000, 1))
    pulses[5::50] = 1.0
    assert of("burstiness", pulses)[0] == -1.0  # all intervals alike
    poisson = (np.random.default_rng(1).random((20000, 1)) < 0.05).astype(float)
    assert abs(of("burstiness", poisson)[0]) < 0.05  # intervals whose sd is their mean
    assert of("permutation_entropy", t)[0] == 0.0
    noise = np.random.default_rng(2).normal(size=(20000, 1))
    np.testing.assert_allclose(of("permutation_entropy", noise), 1.0, atol=1e-3)
    shares = np.diff(scipy.stats.norm.cdf(np.r_[-np.inf, np.linspace(-3, 3, 17)[1:-1], np.inf]))
    np.testing.assert_allclose(of("entropy", noise), scipy.stats.entropy(shares) / np.log(16), atol=3e-3)
    decay = scipy.signal.lfilter([1.0], [1.0, -np.exp(-1 / 20)], np.random.default_rng(3).normal(size=(100_000, 1)), 0)
    np.testing.assert_allclose(of("decay_time", decay), 20, rtol=0.05)


@pytest.mark.slow
def test_all_features_have_names_and_stay_finite_and_the_same_in_a_program():
    features = Features(list(inference.list_features()), sampling_period=PERIOD * u.second)
    names = features.names(X)
    assert len(set(names)) == len(names)
    together = jax.jit(jax.vmap(features))(np.stack([X, 2 * X]))
    np.testing.assert_allclose(together[0], features(X), rtol=1e-3, atol=1e-4)
    assert together.shape == (2, len(names))
    assert np.isfinite(features(np.full((400, 4), 3.0))).all()
    slopes = jax.jacfwd(Features(["std", "fc", "spectrum", "envelope_std"]))(jnp.asarray(X))
    assert np.isfinite(slopes).all()


def test_functions_units_labels_and_axes():
    def spread(recording):
        return recording.max(0) - recording.min(0)

    features = Features([spread, "mean"])
    assert features.names(X, labels=["a", "b", "c", "d"])[3:6] == ["spread[3]", "mean[a]", "mean[b]"]
    np.testing.assert_allclose(features(X * u.mV)[:4], np.ptp(X, axis=0), rtol=1e-5)
    np.testing.assert_allclose(of("mean", X[:, 0]), X[:, 0].mean(), rtol=1e-5)
    assert of("mean", X.reshape(400, 2, 2)).shape == (4,)


@pytest.mark.parametrize(
    "give, message",
    [
        (lambda: Features("fcc"), "`which`.*Did you mean 'fc'"),
        (lambda: Features([]), "at least one"),
        (lambda: Features(["fc", "fc"]), "fc twice"),
        (lambda: Features([3]), "names and functions"),
        (lambda: Features("band_power"), "`sampling_period`.*band_power"),
        (lambda: of("band_power", sampling_period=1 * u.second), r"frequencies from 1 to 4 Hz \(delta\)"),
        (lambda: of("fcd", X[:, :2]), "'fcd' is not.*at least 3 regions"),
        (lambda: of("mean", X[:1]), "two samples or more"),
    ],
)
def test_what_is_refused(give, message):
    with pytest.raises((ValueError, TypeError), match=message):
        give()
