"""Phases and phase locking against SciPy, closed forms and finite differences."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal
from test_objectives import finite_differences, with_constant_column

from brainmass.objectives import (
    analytic_signal,
    instantaneous_phase,
    metastability,
    order_parameter,
    phase_locking_value,
    plv_rmse,
)

RNG = np.random.default_rng(11)
MIXING = RNG.normal(size=(5, 5))
P = (RNG.normal(size=(40, 5)) @ MIXING).astype(np.float32)
T = (RNG.normal(size=(60, 5)) @ MIXING).astype(np.float32)


def reference_phase(x):
    x = np.asarray(x, float)
    return np.angle(signal.hilbert(x - x.mean(0), axis=0))


def reference_plv(x):
    z = np.exp(1j * reference_phase(x))
    return np.abs(np.einsum("ti,tj->ij", z, z.conj())) / len(x)


PLV_P, PLV_T = reference_plv(P), reference_plv(T)


@pytest.mark.parametrize("samples", [2, 3, 39, 40])
def test_analytic_signal_is_scipys(x64, samples):
    x = P[:samples].astype(float) + 3.0
    np.testing.assert_allclose(analytic_signal(x), signal.hilbert(x, axis=0), atol=1e-13)
    np.testing.assert_allclose(analytic_signal(x * u.mV), signal.hilbert(x, axis=0), atol=1e-13)


def test_phase_is_scipys_and_knows_neither_scale_nor_baseline():
    for x in (P, 1e-12 * P, (1e3 + P).astype(np.float32), P * u.mV):
        turned = np.exp(1j * np.asarray(instantaneous_phase(x)))
        np.testing.assert_allclose(turned, np.exp(1j * reference_phase(P)), atol=3e-3)
    np.testing.assert_array_equal(instantaneous_phase(with_constant_column(P))[:, 2], 0.0)


def test_phase_of_a_cosine_is_its_argument():
    argument = 2 * np.pi * 5 * np.arange(64) / 64 - 1.0
    phase = instantaneous_phase(np.cos(argument)[:, None])[:, 0]
    np.testing.assert_allclose(np.exp(1j * np.asarray(phase)), np.exp(1j * argument), atol=1e-5)


def test_order_parameter_is_the_length_of_the_mean_phasor():
    theta = RNG.uniform(-9, 9, (30, 6))
    expected = np.abs(np.exp(1j * theta).mean(1))
    np.testing.assert_allclose(order_parameter(theta), expected, atol=1e-5)
    np.testing.assert_allclose(order_parameter(theta * u.radian), expected, atol=1e-5)
    np.testing.assert_allclose(metastability(theta), expected.std(), atol=1e-6)
    np.testing.assert_allclose(order_parameter(np.full((3, 4), 0.7)), 1.0, rtol=1e-6)
    np.testing.assert_allclose(order_parameter([[0, np.pi], [0, np.pi / 2]]), [0, np.sqrt(0.5)], atol=1e-6)


def test_metastability_of_a_network_that_is_half_the_time_in_phase():
    theta = np.zeros((20, 2))
    theta[10:, 1] = np.pi
    np.testing.assert_allclose(metastability(theta), 0.5, rtol=1e-6)
    assert metastability(np.zeros((20, 2))) == 0.0


def test_phase_locking_is_numpys(x64):
    np.testing.assert_allclose(phase_locking_value(P.astype(float)), PLV_P, atol=1e-12)
    np.testing.assert_allclose(phase_locking_value(7 + 3 * P.astype(float)), PLV_P, atol=1e-12)


def test_phase_locking_in_single_precision():
    plv = np.asarray(phase_locking_value(P))
    np.testing.assert_allclose(plv, PLV_P, atol=1e-5)
    np.testing.assert_array_equal(plv, plv.T)
    assert plv.max() == 1.0 and plv.dtype == np.float32


@pytest.mark.slow
def test_phase_locking_of_cosines():
    t = 2 * np.pi * np.arange(128) / 128
    x = np.stack([np.cos(5 * t), 3 * np.cos(5 * t - 1), np.cos(9 * t)], axis=1)
    np.testing.assert_allclose(phase_locking_value(x), [[1, 1, 0], [1, 1, 0], [0, 0, 1]], atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e8])
def test_constant_series_is_locked_to_none(value):
    expected = PLV_P.copy()
    expected[2, :] = expected[:, 2] = 0.0
    expected[2, 2] = 1.0
    np.testing.assert_allclose(phase_locking_value(with_constant_column(P, value)), expected, atol=1e-5)


@pytest.mark.slow
def test_loss_counts_all_entries():
    expected = np.sqrt(np.mean((PLV_P - PLV_T) ** 2))
    np.testing.assert_allclose(plv_rmse()(P, T), expected, atol=1e-6)
    np.testing.assert_allclose(plv_rmse(target_is_plv=True)(P, PLV_T), expected, atol=1e-6)
    np.testing.assert_allclose(plv_rmse()(P, 2 * P - 1), 0.0, atol=1e-5)


SCALARS = {
    "plv_rmse": lambda x: plv_rmse()(x, T.astype(x.dtype)),
    "plv_rmse to plv": lambda x: plv_rmse(target_is_plv=True)(x, PLV_T),
    "metastability": metastability,
    "metastability of a signal": lambda x: metastability(instantaneous_phase(x)),
    "order parameter": lambda x: jnp.mean(order_parameter(x) ** 3),
}
every_scalar = pytest.mark.parametrize("f", SCALARS.values(), ids=SCALARS)


@pytest.mark.few(2)
@every_scalar
def test_gradient_is_that_of_finite_differences(x64, f):
    p = P.astype(float)
    np.testing.assert_allclose(jax.jit(jax.grad(f))(p), finite_differences(jax.jit(f), p), atol=1e-7)


def test_gradient_past_a_constant_series(x64):
    p, others = with_constant_column(P.astype(float)), [0, 1, 3, 4]
    loss = jax.jit(lambda x: plv_rmse()(x, T.astype(float)))
    gradient = np.asarray(jax.jit(jax.grad(loss))(p))
    expected = finite_differences(lambda x: loss(with_constant_column(x)), p)
    np.testing.assert_allclose(gradient[:, others], expected[:, others], atol=1e-7)
    assert not gradient[:, 2].any()


@pytest.mark.few(2)
@every_scalar
def test_gradient_of_degenerate_signals_is_finite(f):
    zeros = np.zeros((40, 5))
    opposite = np.tile([0, np.pi, 0, np.pi, 9], (40, 1))
    compiled = jax.jit(jax.value_and_grad(f))
    for x in (zeros, zeros + 1, P[:, :1].repeat(5, 1), T[:40] * 1e-30, opposite):
        value, gradient = compiled(x.astype(np.float32))
        assert np.isfinite(value) and np.isfinite(gradient).all()


@pytest.mark.slow
def test_gradient_at_opposite_phases_and_at_the_target_is_zero():
    opposite = jnp.zeros((3, 4))
    gradient = jax.grad(lambda x: jnp.sum(order_parameter(x)))(opposite)
    np.testing.assert_array_equal(gradient, 0.0)
    np.testing.assert_allclose(jax.jit(jax.grad(plv_rmse()))(P, P), 0.0, atol=1e-6)


@every_scalar
def test_missing_data_are_not_hidden(f):
    x = P.copy()
    x[3, 1] = np.nan
    assert np.isnan(jax.jit(f)(x))


@pytest.mark.few(2)
@every_scalar
def test_jit_and_vmap_change_nothing(f):
    batch = jnp.stack([P, P[::-1], with_constant_column(P)])
    compiled = jax.jit(f)
    loop = [compiled(p) for p in batch]
    np.testing.assert_allclose(loop[0], f(P), atol=1e-5)
    values, gradients = jax.jit(jax.vmap(jax.value_and_grad(f)))(batch)
    np.testing.assert_allclose(values, loop, atol=1e-5)
    assert gradients.shape == batch.shape and np.isfinite(gradients).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: analytic_signal(P[0]), r"`x` of analytic_signal .*\(time, region\).*\(5,\)"),
        (lambda: instantaneous_phase(P[None]), r"`x` of instantaneous_phase .*\(1, 40, 5\).*jax\.vmap"),
        (lambda: phase_locking_value(P[:1]), "`x` of phase_locking_value .*2 samples or more"),
        (lambda: order_parameter(P[0]), r"`phases` of order_parameter .*\(time, region\)"),
        (lambda: metastability(P * u.mV), "`phases` of metastability .*without unit, but is in mV"),
        (lambda: plv_rmse()(P, T[:, :4]), "`prediction` of plv_rmse .*as many regions .*5 against 4"),
        (lambda: plv_rmse()(P[:, :1], T[:, :1]), "at least 2 regions, but has 1"),
        (lambda: plv_rmse(target_is_plv=False)(P, PLV_T), "time series unless target_is_plv=True, but is a symmetric"),
        (lambda: plv_rmse(target_is_plv=True)(P, T), r"square matrix \(region, region\) .*\(60, 5\)"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert caught.match("^Argument `.*` of .* must .*, but .* Example: ")
