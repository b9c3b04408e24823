"""The columns of Wendling and of Zetterberg and Jansen, against the papers' equations, scipy and published rhythms."""

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import brainmass as bm

mV, Hz, per_s = u.mV, u.Hz, u.mV / u.second


def S(v):
    return 5.0 / (1 + np.exp(0.56 * (6.0 - v)))


def wendling(y, p, A, B, G, py=0.0, slow=0.0, fast=0.0):
    """The equations of the paper, per second, with potentials added to those of the cells."""
    a, b, g, C = 100.0, 50.0, 500.0, 135.0
    C1, C2, C3, C4, C5, C6, C7 = C * np.array([1, 0.8, 0.25, 0.25, 0.3, 0.1, 0.8])
    return np.array(
        [
            *y[5:],
            A * a * S(y[1] - y[2] - y[3] + py) - 2 * a * y[5] - a**2 * y[0],
            A * a * (p + C2 * S(C1 * y[0])) - 2 * a * y[6] - a**2 * y[1],
            B * b * C4 * S(C3 * y[0] + slow) - 2 * b * y[7] - b**2 * y[2],
            G * g * C7 * S(C5 * y[0] - C6 * y[4] + fast) - 2 * g * y[8] - g**2 * y[3],
            B * b * S(C3 * y[0] + slow) - 2 * b * y[9] - b**2 * y[4],
        ]
    )


def rates(node, y, unit, **inputs):
    """The model's derivative as numbers, in mV and seconds."""
    units = [mV if spec.unit.has_same_dim(mV) else per_s for spec in node._states.values()]
    state = tuple(jnp.atleast_1d(x) * n for x, n in zip(y, units, strict=True))
    given = {port: 0.0 * unit for port, unit in node._port_units.items() if port in node._ports} | inputs
    found = node.derivative(state, 0 * u.ms, *given.values())
    return np.stack([x.to_decimal(n / u.second) for x, n in zip(found, units, strict=True)])


def states(seed, n=4):
    return np.random.default_rng(seed).normal(size=(10, n)) * ([[0.1], [9], [7], [5], [0.3]] + [[50]] * 5)


# --- Wendling ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", bm.WendlingStep.presets)
def test_right_hand_side_is_wendlings(name, x64):
    y, node = states(0), bm.WendlingStep.preset(name, 4)
    given = dict(py_inp=0.7 * mV, p=90.0 * Hz, slow_inp=-0.4 * mV, fast_inp=0.2 * mV)
    gains = {k: float(getattr(node, k).value() / mV) for k in "ABG"}
    truth = wendling(y, 90.0, **gains, py=0.7, slow=-0.4, fast=0.2)
    np.testing.assert_allclose(rates(node, y, mV, **given), truth, rtol=1e-11, atol=1e-9)


def test_without_fast_inhibition_it_is_the_column_of_jansen_and_rit(x64):
    y = states(1)
    column = bm.JansenRitStep(4, Ae=5.0 * mV, Ai=30.0 * mV)
    theirs = rates(column, [*y[:3], *y[5:8]], mV, E_inp=120.0 * Hz)
    y[3] = 0.0
    ours = rates(bm.WendlingStep(4, B=30.0 * mV, G=0.0 * mV), y, mV, p=120.0 * Hz)
    np.testing.assert_allclose(ours[[0, 1, 2, 5, 6, 7]], theirs, rtol=1e-12)


def frequency(lfp, dt):
    """Of crossings of the mean, upwards."""
    up = np.flatnonzero((lfp[1:] >= lfp.mean()) & (lfp[:-1] < lfp.mean()))
    return 1000 / (np.diff(up).mean() * dt)


@pytest.mark.parametrize(("name", "published"), [("rhythmic_spikes", (3, 6)), ("quasi_sinusoidal", (9, 13))])
def test_rhythms_of_the_types_of_activity(name, published):
    """Types 3 and 6 oscillate by themselves; their frequencies to 1 % of scipy's, within the bands of the paper."""
    preset = bm.WendlingStep.presets[name]
    gains = {k: float(x / mV) for k, x in preset.values.items()}
    t = np.arange(0, 4, 1e-3)
    truth = solve_ivp(lambda t, y: wendling(y, 90.0, **gains), (0, 4), np.zeros(10), "LSODA", t, rtol=1e-8, atol=1e-8).y
    exact = frequency((truth[1] - truth[2] - truth[3])[2000:], 1.0)
    node = bm.WendlingStep.preset(name, 1)
    run = bm.Simulator(node, dt=0.5 * u.ms).run(
        4000 * u.ms, inputs=preset.inputs, monitors=["lfp"], transient=2000 * u.ms, seed=0
    )
    found = frequency(np.asarray(run["lfp"].to_decimal(mV))[:, 0], 0.5)
    assert published[0] < exact < published[1]
    assert found == pytest.approx(exact, rel=0.01)


def linear_rhythm(name):
    """Frequency and decay of the slowest oscillation around rest, per second."""
    gains = {k: float(x / mV) for k, x in bm.WendlingStep.presets[name].values.items()}
    y = solve_ivp(lambda t, y: wendling(y, 90.0, **gains), (0, 6), np.zeros(10), "LSODA", rtol=1e-10, atol=1e-10).y[
        :, -1
    ]
    assert np.abs(wendling(y, 90.0, **gains)).max() < 1e-3  # it rests
    jacobian = np.stack(
        [(wendling(y + h, 90.0, **gains) - wendling(y - h, 90.0, **gains)) / 2e-5 for h in 1e-5 * np.eye(10)], 1
    )
    turning = [x for x in np.linalg.eigvals(jacobian) if x.imag > 1]
    slowest = max(turning, key=lambda x: x.real)
    return slowest.imag / (2 * np.pi), slowest.real


def test_noise_makes_the_other_types_around_rest():
    """Types 1, 2, 4, 5 rest: background and sporadic spikes at 3 to 4 Hz, alpha, and fast activity of low voltage."""
    found = {
        name: linear_rhythm(name)[0] for name in ("background", "sporadic_spikes", "slow_rhythm", "low_voltage_fast")
    }
    assert found["background"] == pytest.approx(4.2, abs=0.1) and found["sporadic_spikes"] == pytest.approx(
        2.9, abs=0.1
    )
    assert 8 < found["slow_rhythm"] < 13 and 14 < found["low_voltage_fast"] < 30


# --- Zetterberg and Jansen --------------------------------------------------------------------------------------------
def test_without_inhibition_of_inhibitory_cells_it_is_the_column_of_jansen_and_rit(x64):
    """Up to where the strengths stand: v1 = C a1 M, v4 = C a3 M."""
    M, E, I, Mv, Ev, Iv = states(2)[[0, 1, 2, 5, 6, 7]]  # noqa: E741
    theirs = rates(bm.JansenRitStep(4), [M, E, I, Mv, Ev, Iv], mV, E_inp=150.0 * Hz)
    none, zero = 0.0 * Hz, np.zeros(4)
    node = bm.ZetterbergJansenStep(4, gamma_5=0.0, U=none, P=none, Q=none)
    ours = rates(node, [135 * M, 135 * Mv, E, Ev, I, Iv, 33.75 * M, 33.75 * Mv, zero, zero], mV, P_inp=150.0 * Hz)
    np.testing.assert_allclose(ours[:6] / [[135], [135], [1], [1], [1], [1]], theirs[[0, 3, 1, 4, 2, 5]], rtol=1e-11)
    np.testing.assert_allclose(ours[6:8] / 33.75, theirs[[0, 3]], rtol=1e-11)


def test_the_inputs_of_zetterberg_and_jansen_add_up(x64):
    y = states(3)
    node = bm.ZetterbergJansenStep(4, gamma_1T=0.5, gamma_2T=2.0, gamma_3T=0.25)
    c = rates(node, y, mV, c=10.0 * Hz)
    each = rates(node, y, mV, U_inp=10.0 * Hz, P_inp=10.0 * Hz, Q_inp=10.0 * Hz)
    np.testing.assert_allclose(c, each, rtol=1e-14)
    moved = (c - rates(node, y, mV))[[1, 3, 5, 7, 9]]
    np.testing.assert_allclose(
        moved, 3.25 * 100 * 10.0 * np.array([[0.5], [2.0], [0], [0.25], [0]]) * np.ones(4), atol=1e-7
    )
