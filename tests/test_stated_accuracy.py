"""The accuracies that comments and docstrings state, each against double precision or a finer step."""

from fractions import Fraction

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from brainstate.nn import Param
from braintools.init import Constant

import brainmass as bm
from brainmass._common import clock
from brainmass.dynamics import coloured_noise
from brainmass.dynamics.integrators import without_turns
from brainmass.forward import hrf_kernels


def balloon(dt_ms, drive, every_ms=100):
    """The signal of a balloon stepped at `dt_ms`, under the mean of a drive given every 4 ms."""
    x = drive.reshape(-1, round(dt_ms / 4), 1).mean(1)
    alone = bm.Simulator(bm.BOLDSignal(1), dt=dt_ms * u.ms)
    monitors = {"bold": lambda model: model.bold()}
    result = alone.run(len(x) * dt_ms * u.ms, inputs={"z": x}, monitors=monitors, sample_every=every_ms * u.ms, seed=0)
    return np.asarray(result["bold"], float)[:, 0]


def test_the_balloon_at_20_and_at_100_ms(x64):
    """Under a fluctuating drive, against steps of 4 ms: 3e-4 and 6e-3 of the standard deviation of the signal."""
    rng, drive = np.random.default_rng(0), np.zeros(15_000)
    for i in range(1, len(drive)):
        drive[i] = drive[i - 1] * np.exp(-4 / 200) + 0.05 * rng.normal()
    fine = balloon(4, drive + 0.3)
    for dt, stated in ((20, 3e-4), (100, 6e-3)):
        error = np.abs(balloon(dt, drive + 0.3) - fine)[50:]
        assert np.sqrt((error**2).mean()) / fine[50:].std() < stated, dt


@pytest.mark.parametrize("sign", [1, -1])
def test_the_oscillation_of_a_kernel_where_its_forms_meet(sign):
    """All digits of single precision on both sides of |w t|² = 0.01, under- and overdamped."""
    decay, t = 0.7, np.linspace(0.01, 2, 60, dtype=np.float32)
    for x in (0.002, 0.0099, 0.0101, 0.05):
        square = sign * x / t.astype(float) ** 2
        found = hrf_kernels._oscillation(t, np.float32(decay), (square + np.float32(decay) ** 2).astype(np.float32))
        w2 = (square + np.float32(decay) ** 2).astype(np.float32).astype(float) - float(np.float32(decay)) ** 2
        w = np.sqrt(w2.astype(complex))
        exact = (np.exp(-float(np.float32(decay)) * t.astype(float)) * np.sin(w * t) / w).real
        np.testing.assert_allclose(found, exact, rtol=2e-6)


def test_log1mexp_to_all_digits():
    x = np.geomspace(1e-6, 30, 2000, dtype=np.float32)
    wide = x.astype(float)
    exact = np.where(wide < 0.7, np.log(-np.expm1(-wide)), np.log1p(-np.exp(-wide)))
    np.testing.assert_allclose(coloured_noise._log1mexp(x), exact, rtol=5e-7)


def test_an_angle_without_turns():
    angle = np.linspace(-400, 400, 100_001, dtype=np.float32)
    exact = angle.astype(float) - 2 * np.pi * np.round(angle.astype(float) / (2 * np.pi))
    found = np.asarray(jax.jit(without_turns)(angle), float)
    away = np.angle(np.exp(1j * (found - exact)))
    assert np.abs(away).max() < 3e-7 and np.abs(found).max() <= np.pi + 3e-7


def test_a_short_sum_is_good_to_five_digits():
    """Of as many values as are gathered in one number, in the order of a loop."""
    x = np.random.default_rng(0).uniform(0.5, 1.0, (1024, 50)).astype(np.float32)
    total, _ = jax.lax.scan(lambda total, row: (total + row, None), jnp.zeros(50), x)
    np.testing.assert_allclose(total, x.astype(float).sum(0), rtol=1e-5)


@pytest.mark.parametrize("dt", [0.1, 3.0])
def test_a_linear_node_is_exact_at_any_step(dt, x64):
    """For an input held constant, also at steps of thirty time constants."""
    gamma, drive, n = np.array([-10.0, -0.3, 0.2]), 1.7, 12
    node = bm.LinearStep(3, gamma=gamma, init_x=Constant(0.5))
    x = bm.Simulator(node, dt=dt * u.ms).run(n * dt * u.ms, inputs={"x_inp": drive}, monitors=["x"], seed=0)["x"]
    t = dt * np.arange(1, n + 1)[:, None]
    np.testing.assert_allclose(x, 0.5 * np.exp(gamma * t) + drive * np.expm1(gamma * t) / gamma, rtol=1e-12)


@pytest.mark.slow
def test_an_hour_in_single_precision_and_in_twice_its_digits():
    """The nearest number is off by 0.1 ms; of what is kept, by less than 1e-6 ms."""
    steps = np.arange(36_000_000, 36_000_400)
    exact = [int(step) * Fraction(1, 10) for step in steps]
    kept = jax.jit(lambda i: clock.of_count(i) * clock.of_number(0.1))(jnp.asarray(steps))
    alone = [abs(float(Fraction(float(x)) - t)) for x, t in zip(kept.value, exact, strict=True)]
    both = [
        abs(float(Fraction(float(x)) + Fraction(float(rest)) - t))
        for x, rest, t in zip(kept.value, kept.rest, exact, strict=True)
    ]
    assert 0.09 < max(alone) <= 0.125 and max(both) < 1e-6


def test_bounds_of_a_prior_are_all_of_it_but_a_ten_thousandth_at_either_side():
    model = bm.HopfStep(1, a=Param(0.1, fit=True))
    fitter = bm.Fitter(model, loss_fn=lambda m: m.a.value() ** 2, search_space={"a": bm.Normal(0.5, 2.0)})
    bounds = fitter.fit(n_steps=1).bounds["a"]
    np.testing.assert_allclose([bounds.low, bounds.high], scipy.stats.norm(0.5, 2.0).ppf([1e-4, 1 - 1e-4]), rtol=1e-3)
