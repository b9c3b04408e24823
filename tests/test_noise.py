"""Stochastic processes: their laws against theory, at any time step; units, batches, reset."""

import brainstate
import brainunit as u
import jax
import numpy as np
import pytest
from braintools.init import Constant

import brainmass
from brainmass import GaussianNoise, OUProcess, WhiteNoise

ALL = [GaussianNoise, OUProcess, WhiteNoise]


def ready(module, batch=None):
    brainstate.nn.init_all_states(module, batch_size=batch)
    return module


def record(module, n_steps, dt, batch=None):
    """Samples of consecutive steps, shape (time, ...), as numbers."""
    with brainstate.environ.context(dt=dt):
        ready(module, batch)
        samples = brainstate.transform.for_loop(lambda i: module.update(), np.arange(n_steps))
    return np.asarray(u.get_mantissa(samples))


class Leaky(brainmass.HopfStep):
    """x' = −x + noise: the stationary standard deviation under white noise is sigma/√2."""

    def dx(self, x, y, x_ext):
        return (-x + x_ext) / u.ms


# --- laws ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["exp_euler", "euler", "heun"])
def test_white_noise_in_a_drift_is_independent_of_the_step(method):
    """The standard deviation at each step, up to the method's own bias of order dt."""
    measured = {}
    for dt in 0.2, 0.05:
        node = ready(Leaky(4000, noise_x=WhiteNoise(4000, sigma=0.6), init_x=Constant(0.0), method=method))
        with brainstate.environ.context(dt=dt * u.ms):
            brainstate.transform.for_loop(lambda i, node=node: node.update()[0], np.arange(round(6 / dt)))
        measured[dt] = np.std(node.x.value)
        # Euler has variance 1/(1 − dt/2), the others that of sigma²/2 to second order
        bias = (1 - dt / 2) ** -0.5 if method == "euler" else 1.0
        assert measured[dt] == pytest.approx(0.6 / np.sqrt(2) * bias, rel=0.04)


def test_white_noise_grows_as_the_square_root_of_time():
    """The sum of sample·dt over a duration T has standard deviation sigma·√T, and mean·T as its mean."""
    for dt in 0.05, 0.4:
        samples = record(WhiteNoise(4000, mean=0.5 * u.mV, sigma=2.0 * u.mV), round(3.2 / dt), dt * u.ms)
        total = samples.sum(axis=0) * dt
        assert total.std() == pytest.approx(2.0 * np.sqrt(3.2), rel=0.04)
        assert total.mean() == pytest.approx(0.5 * 3.2, abs=5 * 2.0 * np.sqrt(3.2 / 4000))


def test_white_noise_takes_any_unit_of_time():
    with brainstate.environ.context(dt=0.0001 * u.second):
        brainstate.random.seed(1)
        in_seconds = WhiteNoise(5).update()
    with brainstate.environ.context(dt=0.1 * u.ms):
        brainstate.random.seed(1)
        np.testing.assert_allclose(WhiteNoise(5).update() / u.nA, in_seconds / u.nA, rtol=1e-5)


def test_gaussian_samples():
    """Standard deviation sigma at each step, whatever the step; independent in time and space."""
    for dt in 0.01, 1.0:
        samples = record(GaussianNoise(50, mean=3.0 * u.nA, sigma=2.0 * u.nA), 400, dt * u.ms)
        assert samples.std() == pytest.approx(2.0, rel=0.03)
        assert samples.mean() == pytest.approx(3.0, abs=5 * 2.0 / np.sqrt(20_000))
        centred = samples - 3.0
        assert abs(np.mean(centred[1:] * centred[:-1])) < 5 * 4.0 / np.sqrt(20_000)
        assert abs(np.mean(centred[:, 1:] * centred[:, :-1])) < 5 * 4.0 / np.sqrt(20_000)


@pytest.mark.parametrize("ratio", [0.02, 0.2, 1.0])
def test_ou_process_is_exact_at_any_step(ratio):
    """Stationary standard deviation sigma/√2; correlation e^{−lag/tau}."""
    tau, size = 5.0, 4000
    steps = max(round(1 / ratio), 1)
    process = OUProcess(size, mean=1.5 * u.mV, sigma=0.8 * u.mV, tau=tau * u.ms, start="stationary")
    samples = record(process, 2 * steps + 1, ratio * tau * u.ms)
    assert samples[-1].std() == pytest.approx(0.8 / np.sqrt(2), rel=0.04)
    assert samples[-1].mean() == pytest.approx(1.5, abs=5 * 0.8 / np.sqrt(2 * size))
    for lag in steps, 2 * steps:
        correlation = np.corrcoef(samples[-1], samples[-1 - lag])[0, 1]
        assert correlation == pytest.approx(np.exp(-lag * ratio), abs=5 / np.sqrt(size))


def test_ou_process_starts_at_its_mean_and_relaxes():
    """The variance is sigma²/2·(1 − e^{−2t/tau}), the mean of a displaced start decays as e^{−t/tau}."""
    process = OUProcess(4000, mean=1.0, sigma=1.0, tau=10 * u.ms)
    ready(process)
    np.testing.assert_array_equal(process.x.value, np.ones(4000))
    samples = record(process, 5, 1.0 * u.ms)
    assert samples[-1].var() == pytest.approx((1 - np.exp(-1.0)) / 2, rel=0.1)
    displaced = record(OUProcess(4000, sigma=0.1, tau=10 * u.ms, init=Constant(3.0)), 5, 1.0 * u.ms)
    assert displaced[-1].mean() == pytest.approx(3 * np.exp(-0.5), abs=0.01)


# --- units --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("noise", ALL)
def test_mean_must_have_the_unit_of_sigma(noise):
    with pytest.raises(u.UnitMismatchError, match=f"`mean` of {noise.__name__} must have the unit of `sigma` \\(mV\\)"):
        noise(2, mean=1.0 * u.nA, sigma=1.0 * u.mV)
    with pytest.raises(u.UnitMismatchError, match="`mean`"):
        noise(2, mean=1.0, sigma=1.0 * u.mV)
    with brainstate.environ.context(dt=0.1 * u.ms):
        sample = ready(noise(2, mean=2.0 * u.volt, sigma=1e-6 * u.mV)).update()
    np.testing.assert_allclose(sample / u.mV, 2000.0, rtol=1e-4)


@pytest.mark.parametrize("noise", ALL)
def test_default_unit_is_refused_at_a_port_by_its_name(noise):
    node = ready(brainmass.MontbrioPazoRoxinStep(2, noise_r=noise(2)))
    with brainstate.environ.context(dt=0.1 * u.ms):
        with pytest.raises(u.UnitMismatchError, match="Input `r_inp` of MontbrioPazoRoxinStep, from `noise_r`, .* Hz"):
            node.update()
        node.noise_r = noise(2, sigma=1.0 * u.Hz)
        node.update()


@pytest.mark.parametrize("noise", ALL)
@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_sigma_must_be_nonnegative(noise, wrong):
    with pytest.raises(ValueError, match="`sigma`.*must be >= 0"):
        noise(2, sigma=wrong * u.mV)


def test_ou_arguments():
    with pytest.raises(ValueError, match="`tau` of OUProcess .*must be > 0"):
        OUProcess(2, tau=0.0 * u.ms)
    with pytest.raises(ValueError, match="`start` of OUProcess must be 'mean' or 'stationary', but is 'zero'"):
        OUProcess(2, start="zero")
    with pytest.raises(TypeError, match="`init` of OUProcess must be a callable"):
        OUProcess(2, init=5.0 * u.nA)
    with pytest.raises(u.UnitMismatchError, match="`init` of OUProcess"):
        ready(OUProcess(2, init=Constant(5.0 * u.mV)))
    plain = ready(OUProcess(2, init=Constant(5.0)))  # read in the unit of sigma
    np.testing.assert_array_equal(plain.x.value / u.nA, [5.0, 5.0])
    with pytest.raises(AttributeError, match=r"`x` of OUProcess is not there yet: call init_all_states\(\)"):
        OUProcess(2).x  # noqa: B018
    with pytest.raises(RuntimeError, match="OUProcess has no states to reset"):
        OUProcess(2).reset_state()


def test_time_step_is_asked_for():
    with pytest.raises(ValueError, match=r"WhiteNoise needs a time step: .*brainstate.environ.set\(dt=0.1 \* u.ms\)"):
        WhiteNoise(2).update()
    with (
        brainstate.environ.context(dt=0.1),
        pytest.raises(u.UnitMismatchError, match="that is a time, but .* dt=0.1"),
    ):
        WhiteNoise(2).update()


# --- batches, reset -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("noise", ALL)
@pytest.mark.parametrize("batch", [2, (2, 3)])
def test_lanes_of_a_batch_and_regions_draw_independently(noise, batch):
    shape = (*(batch if isinstance(batch, tuple) else (batch,)), 500)
    samples = record(noise(500, sigma=1.0), 2, 1.0 * u.ms, batch)[-1]
    assert samples.shape == shape
    lanes = samples.reshape(-1, 500)
    apart = np.corrcoef(lanes)[np.triu_indices(len(lanes), 1)]
    assert np.abs(apart).max() < 5 / np.sqrt(500)
    assert len(np.unique(samples)) > 0.99 * samples.size


def test_same_seed_same_samples():
    first, second = (record(OUProcess(3, start="stationary"), 4, 1.0 * u.ms, brainstate.random.seed(5)) for _ in "ab")
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, record(OUProcess(3, start="stationary"), 4, 1.0 * u.ms))


def test_reset_puts_the_process_back_and_keeps_the_batch():
    process = OUProcess(3, mean=2.0, sigma=1.0)
    assert np.ptp(record(process, 3, 1.0 * u.ms, batch=4)) > 0
    process.reset_state()
    np.testing.assert_array_equal(process.x.value, np.full((4, 3), 2.0))
    node = brainmass.HopfStep(3, noise_x=OUProcess(3, sigma=0.1))
    record(node, 3, 1.0 * u.ms, batch=4)
    assert np.abs(node.noise_x.x.value).min() > 0
    node.reset_state()
    np.testing.assert_array_equal(node.noise_x.x.value, np.zeros((4, 3)))


def test_precision(x64):
    """All digits of a draw are there, not those of single precision alone."""
    start = ready(OUProcess(50, sigma=1.0, start="stationary")).x.value
    for samples in GaussianNoise(50, sigma=1.0).update(), start:
        samples = np.asarray(samples)
        assert samples.dtype == np.float64
        assert np.mean(samples == samples.astype(np.float32)) < 0.2
    assert jax.config.jax_enable_x64


def test_gradient_in_sigma_is_the_draw():
    """The sample is linear in sigma: with the same seed its slope is the sample at sigma = 1."""

    def sample(sigma, noise):
        return noise(1, sigma=sigma).update()[0]

    key = jax.random.key(4)
    with brainstate.environ.context(dt=0.25 * u.ms):
        for noise in GaussianNoise, WhiteNoise:
            with brainstate.random.seed_context(key):
                drawn = sample(1.0, noise)
            with brainstate.random.seed_context(key):
                slope = brainstate.transform.grad(lambda sigma, noise=noise: sample(sigma, noise))(0.3)
            np.testing.assert_allclose(slope, drawn, rtol=1e-6)
