"""The Zerlaut models against their equations in numpy, with scipy's roots, and the linear response in matrices."""

import brainunit as u
import numpy as np
import pytest
from scipy.optimize import root
from scipy.special import erfc

import brainmass as bm
from brainmass.models.zerlaut.transfer import FAST_SPIKING, REGULAR_SPIKING

T, N = 20.0, np.array([8000, 2000])
P = np.array([REGULAR_SPIKING.coefficients, FAST_SPIKING.coefficients])


def membrane(nu, W, drive):
    """Mean, standard deviation, autocorrelation time: di Volo et al. 2019, in ms, mV, nS, pF, per ms."""
    f = np.array([400 * (nu[0] + 1e-6 + drive), 100 * (nu[1] + 1e-6)])
    Q, tau, E = np.array([1.5, 5.0]), np.array([5.0, 5.0]), np.array([0.0, -80.0])
    G = 10 + np.sum(Q * tau * f)
    mu = (np.sum(Q * tau * f * E) + 10 * -65.0 - W) / G
    size = f * (Q / G * (E - mu) * tau) ** 2
    return mu, np.sqrt(np.sum(size / (200 / G + tau)) / 2), np.sum(size) / np.sum(size / (200 / G + tau))


def transfer(k, nu, W, drive):
    mu, sigma, tau = membrane(nu, W, drive)
    x, y, z = (mu + 60) / 10, (sigma - 4) / 6, tau / 20 - 0.5
    threshold = P[k] @ [1, x, y, z, x * x, y * y, z * z, x * y, x * z, y * z]
    return erfc((threshold - mu) / (np.sqrt(2) * sigma)) / (2 * tau)


def rates(nu, W, drive):
    return np.array([transfer(k, nu, W[k], drive) for k in range(2)])


def adaptation(nu, drive):
    """That of excitatory neurons at rest, which enters its own potential."""
    return root(lambda W: 500 * 60 * nu[0] + 4 * (membrane(nu, W[0], drive)[0] + 65) - W[0], [50.0]).x[0]


def test_asynchronous_state_is_the_root_of_the_transfer_functions(x64):
    drive = 2.5e-3

    def balance(nu):
        return rates(nu, (adaptation(nu, drive), 0.0), drive) - nu

    found = root(balance, [1e-3, 8e-3], tol=1e-12)
    assert found.success
    node = bm.ZerlautStep.preset("asynchronous", 1)
    run = bm.Simulator(node, dt=0.5 * u.ms).run(8000 * u.ms, sample_every=8000 * u.ms, monitors=["E", "I", "W_e"])
    ours = [run[name][-1, 0].to_decimal(unit) for name, unit in (("E", u.kHz), ("I", u.kHz), ("W_e", u.pA))]
    np.testing.assert_allclose(ours, [*found.x, adaptation(found.x, drive)], rtol=1e-5)
    np.testing.assert_allclose(np.array(ours[:2]) * 1e3, [1.411, 8.999], rtol=1e-3)  # Hz


@pytest.mark.slow
def test_second_order_is_the_expansion_in_matrices(x64):
    """T dc/dt = A + (F - nu)(F - nu)' + J c + c J' - 2 c, and half of the curvature of F in the rates."""
    nu, W, c = np.array([5e-3, 12e-3]), (40.0, 0.0), np.array([[2e-6, 1e-6], [1e-6, 3e-6]])
    h = 2e-6
    e = np.eye(2) * h
    F = rates(nu, W, 0.0)
    J = np.stack([(rates(nu + d, W, 0.0) - rates(nu - d, W, 0.0)) / (2 * h) for d in e], axis=1)
    curvature = np.array(
        [
            [sum(s * t * rates(nu + s * d + t * f, W, 0.0) for s in (1, -1) for t in (1, -1)) / (4 * h * h) for f in e]
            for d in e
        ]
    )
    d_nu = (F - nu + np.einsum("ab,abk->k", c, curvature) / 2) / T
    d_c = (np.diag(F * (1 / T - F) / N) + np.outer(F - nu, F - nu) + J @ c + c @ J.T - 2 * c) / T

    units = {"E": u.kHz, "I": u.kHz, "W_e": u.pA, "W_i": u.pA, "C_ee": u.kHz**2, "C_ei": u.kHz**2, "C_ii": u.kHz**2}
    values = dict(zip(units, [*nu, *W, c[0, 0], c[0, 1], c[1, 1]], strict=True))
    node = bm.ZerlautSecondOrderStep(1)
    state = tuple(np.array([values[name]]) * units[name] for name in node._states)
    found = dict(zip(node._states, node.derivative(state, 0 * u.ms, 0 * u.Hz, 0 * u.Hz, 0 * u.Hz), strict=True))
    ours = {name: float(x.to_decimal(units[name] / u.ms)[0]) for name, x in found.items()}
    np.testing.assert_allclose([ours["E"], ours["I"]], d_nu, rtol=1e-4)
    np.testing.assert_allclose([ours["C_ee"], ours["C_ei"], ours["C_ii"]], d_c[[0, 0, 1], [0, 1, 1]], rtol=1e-5)


@pytest.mark.parametrize("coefficients", [(1.0,) * 9, (np.nan,) * 10])
def test_a_threshold_has_ten_numbers(coefficients):
    with pytest.raises(ValueError, match="`coefficients` of EffectiveThreshold must be 10 finite numbers, in mV"):
        bm.EffectiveThreshold(coefficients)


@pytest.mark.slow
def test_silence_and_rates_below_zero_are_no_trouble():
    node = bm.ZerlautSecondOrderStep(2)
    state = tuple(np.array([0.0, -5.0]) * spec.unit for spec in node._states.values())
    for x in node.derivative(state, 0 * u.ms, 0 * u.Hz, 0 * u.Hz, 0 * u.Hz):
        assert np.isfinite(u.get_mantissa(x)).all()


def test_preset_of_2018_rests_where_its_text_says(x64):
    """No more than near an author's notebook for the paper, 2.4 and 9.6 Hz, and near its first manuscript, 1.6 and 8.9:
    both with other thresholds, of which the paper prints none."""
    node = bm.ZerlautStep.preset("zerlaut_2018", 1)
    P = np.array([node.threshold_e.coefficients, node.threshold_i.coefficients])

    def balance(nu):
        f = np.array([400 * (nu[0] + 1e-6 + 4e-3), 100 * (nu[1] + 1e-6)])
        Q, E = np.array([1.0, 5.0]), np.array([0.0, -80.0])
        G = 10 + np.sum(Q * 5 * f)
        mu = (np.sum(Q * 5 * f * E) - 650) / G
        size = f * (Q / G * (E - mu) * 5) ** 2
        filtered = np.sum(size / (150 / G + 5))
        sigma, tau = np.sqrt(filtered / 2), np.sum(size) / filtered
        x, y, z = (mu + 60) / 10, (sigma - 4) / 6, tau / 15 - 0.5
        threshold = P @ [1, x, y, z, x * x, y * y, z * z, x * y, x * z, y * z]
        return erfc((threshold - mu) / (np.sqrt(2) * sigma)) / (2 * tau) - nu

    found = root(balance, [2e-3, 1e-2], tol=1e-12)
    assert found.success
    np.testing.assert_allclose(found.x * 1e3, [3.095, 10.676], rtol=1e-3)
    state = (found.x[:1] * u.kHz, found.x[1:] * u.kHz, np.zeros(1) * u.pA, np.zeros(1) * u.pA)
    for rate in node.derivative(state, 0 * u.ms, 0 * u.Hz, 0 * u.Hz, 0 * u.Hz)[:2]:
        assert abs(rate.to_decimal(u.kHz / u.ms)[0]) < 1e-9
