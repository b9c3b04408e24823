"""Neurons among potassium (KIonEx): the model's equations again, with the paper's numbers in place, solved by scipy."""

import brainunit as u
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import fsolve

import brainmass as bm


def rates(y, K_bath):
    """Bandyopadhyay et al. 2025, eLife 104249, for an isolated population."""
    x, V, n, DKi, Kg = y
    Nai, Nao = 16 - DKi, 138 + 3 * DKi
    Ki, Ko = 130 + DKi, 4.8 - 3 * DKi + Kg
    E_Na, E_K, E_Cl = 26.64 * np.log(Nao / Nai), 26.64 * np.log(Ko / Ki), 26.64 * np.log(5 / 112)
    m, h = 1 / (1 + np.exp((-24 - V) / 12)), 1.1 - 1 / (1 + np.exp(-8 * (n - 0.4)))
    I_K, I_Na, I_Cl = (0.12 + 22 * n) * (V - E_K), (0.02 + 40 * m * h) * (V - E_Na), 7.5 * (V - E_Cl)
    pump = 250 / (1 + np.exp((21 - Nai) / 2)) / (1 + np.exp(5.5 - Ko))
    R, c = (0.5, -40) if V <= -31 else (-0.5, -20)
    return np.array(
        [
            1 + 2 * R * (V - c) * x - 0.1 * 0.5 / np.pi * x**2,
            -(I_K + I_Na + I_Cl + pump) - R * x**2,
            (1 / (1 + np.exp((-19 - V) / 18)) - n) / 4,
            -0.04 / 2160 * (I_K - 2 * pump),
            0.001 * (K_bath - Ko),
        ]
    )


START = [0.1, -70.0, 0.05, -0.5, -1.0]


@pytest.mark.few(1)
@pytest.mark.parametrize("K_bath, fires", [(5.5, False), (15.5, True)])
def test_potassium_in_the_bath_decides_between_rest_and_firing(K_bath, fires):
    truth = solve_ivp(
        lambda t, y: rates(y, K_bath), (0, 2000), START, "LSODA", np.arange(1, 20001) * 0.1, rtol=1e-8, atol=1e-9
    ).y
    node = bm.KIonExStep(1, K_bath=K_bath * u.mM)
    run = bm.Simulator(node, dt=0.01 * u.ms).run(2000 * u.ms, monitors=list(node._states), sample_every=0.1 * u.ms)
    V, late = np.asarray(run["V"].to_decimal(u.mV))[:, 0], slice(10000, None)
    assert (np.ptp(truth[1][late]) > 50) == fires
    np.testing.assert_allclose(np.quantile(V[late], [0, 0.5, 1]), np.quantile(truth[1][late], [0, 0.5, 1]), atol=1.0)

    def spikes(V):
        return np.count_nonzero((V[1:] > -30) & (V[:-1] <= -30))

    assert abs(spikes(V[late]) - spikes(truth[1][late])) <= 1
    for name, expected in zip(("DKi", "Kg"), truth[3:], strict=True):
        np.testing.assert_allclose(np.asarray(run[name].to_decimal(u.mM))[late, 0], expected[late], atol=0.02)


def test_at_rest_the_bath_sets_the_potassium_outside_and_two_go_out_by_channels_for_each_pump(x64):
    root = fsolve(rates, [0.03, -73.0, 0.05, 0.3, 1.6], args=(5.5,), xtol=1e-13)
    assert 4.8 - 3 * root[3] + root[4] == pytest.approx(5.5, abs=1e-9)
    node = bm.KIonExStep(1)
    inputs = [0 * unit for unit in node._port_units.values()]
    units = [spec.unit for spec in node._states.values()]
    state = tuple(u.maybe_decimal(np.array([x]) * unit) for x, unit in zip(root, units, strict=True))
    for d, unit in zip(node.derivative(state, 0 * u.ms, *inputs), units, strict=True):
        assert abs(float(d.to_decimal(unit / u.ms)[0])) < 1e-9


def test_numbers_without_unit_are_refused():
    with pytest.raises(u.UnitMismatchError, match="`tau_n` of KIonExStep"):
        bm.KIonExStep(1, tau_n=4.0)
