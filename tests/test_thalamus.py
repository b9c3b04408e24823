"""The thalamus of Schellenberger Costa et al. 2016 against neurolib's run of the same model, and its spindles; the
cortex, and the loop of both, against scipy's integration of the equations written out."""

import brainunit as u
import jax
import numpy as np
import pytest
from braintools.init import Constant
from scipy.integrate import solve_ivp
from scipy.signal import butter, hilbert, sosfiltfilt

import brainmass as bm

mS = u.mS / u.cm**2

# neurolib 0.6.2, ThalamicMassModel at its defaults without noise, from V_t = -63, V_r = -55 mV and all gates shut, by
# Euler's method at 0.001 ms: potentials in mV after so many ms.
NEUROLIB = {
    1: (-63.9619, -56.5075),
    20: (-72.0415, -71.4250),
    50: (-70.1312, -74.0478),
    100: (-62.6684, -31.0456),
    300: (-70.3349, -65.5556),
}


@pytest.mark.slow
def test_the_course_from_a_start_is_neurolibs():
    node = bm.CostaThalamusStep(
        1, init_V_t=Constant(-63.0 * u.mV), init_V_r=Constant(-55.0 * u.mV), init_gate=Constant(0.0), method="rk4"
    )
    run = bm.Simulator(node, dt=0.05 * u.ms).run(300 * u.ms, monitors=["V_t", "V_r"], sample_every=1 * u.ms, seed=0)
    for time, potentials in NEUROLIB.items():
        found = [float(run[name][time - 1, 0] / u.mV) for name in ("V_t", "V_r")]
        np.testing.assert_allclose(found, potentials, atol=0.02)


@pytest.mark.slow
def test_spindles_of_12_to_15_hz_come_and_go():
    """Published: fast spindles, 12-15 Hz. Ours begin at 12.0 Hz, slow down towards their end, and pause for seconds."""
    node = bm.CostaThalamusStep(1, g_LK=0.033 * mS, g_h=0.05 * mS)
    run = bm.Simulator(node, dt=0.1 * u.ms).run(
        15 * u.second, monitors=["V_t"], sample_every=1 * u.ms, transient=5 * u.second, seed=0
    )
    V = np.asarray(run["V_t"].to_decimal(u.mV))[:, 0]
    peaks = np.flatnonzero((V[1:] > -50) & (V[:-1] <= -50))
    gaps = np.diff(peaks)
    within = gaps[gaps < 200]
    assert len(within) > 5 and np.count_nonzero(gaps > 1000) >= 2
    assert 1000 / within.min() == pytest.approx(12.0, abs=0.2)


def cortex_rates(y, brought, sigma_p, g_KNa):
    """V_p, V_i, Na, s_ep, s_ei, s_gp, s_gi and the rates of change of these four, per ms; what axons bring, in 1/ms."""
    V_p, V_i, Na, *s = y
    Q_p, Q_i = 0.03 * fires(V_p, sigma_p), 0.06 * fires(V_i, 6.0)
    pump = 0.09 * (Na**3 / (Na**3 + 3375) - 9.5**3 / (9.5**3 + 3375))
    drive = np.array([115 * Q_p + 2.5 * brought, 72 * Q_p + 2.5 * brought, 90 * Q_i, 90 * Q_i])
    gamma, s, x = np.array([0.07, 0.07, 0.0586, 0.0586]), np.array(s[:4]), np.array(s[4:])
    return np.concatenate([
        [-(V_p + 64 + s[0] * V_p + s[2] * (V_p + 70)) / 30 - g_KNa * 0.37 / (1 + (38.7 / Na) ** 3.5) * (V_p + 100),
         -(V_i + 64 + s[1] * V_i + s[3] * (V_i + 70)) / 30, (2 * Q_p - pump) / 1.7],
        x, gamma**2 * (drive - s) - 2 * gamma * x,
    ])  # fmt: skip


def fires(V, sigma):
    return 1 / (1 + np.exp(-np.pi / np.sqrt(3) * (V + 58.5) / sigma))


START = np.array([-64.0, -64.0, 9.5, *8 * [0.0]])


@pytest.mark.parametrize("stage", ["n2", "n3"])
def test_cortex_is_scipys(x64, stage):
    node = bm.CostaCortexStep.preset(stage, 1, method="rk4")
    found = bm.Simulator(node, dt=0.1 * u.ms).run(3 * u.second, monitors=["V_p", "Na"], sample_every=100 * u.ms)
    settings = {"n2": (4.7, 1.33), "n3": (6.0, 2.0)}[stage]
    truth = solve_ivp(
        lambda t, y: cortex_rates(y, 0.0, *settings), (0, 3000), START, t_eval=100 * np.arange(1, 31), rtol=1e-9,
        atol=1e-9,
    ).y  # fmt: skip
    np.testing.assert_allclose(found["V_p"][:, 0] / u.mV, truth[0], atol=1e-4)
    np.testing.assert_allclose(found["Na"][:, 0] / u.mM, truth[2], atol=1e-4)


@pytest.mark.slow
def test_n2_rests_and_n3_does_not():
    """Published: noise around a stable focus in N2, a slow oscillation below 1 Hz in N3."""
    (n2,), (n3,) = (bm.fixed_points(bm.CostaCortexStep.preset(stage, 1)).kinds for stage in ("n2", "n3"))
    assert (n2, n3) == ("stable focus", "saddle-focus")
    node = bm.CostaCortexStep.preset("n3", 1)
    run = bm.Simulator(node, dt=0.5 * u.ms).run(20 * u.second, monitors=["V_p"], transient=5 * u.second, seed=0)
    V = np.asarray(run["V_p"].to_decimal(u.mV))[:, 0]
    cycles = np.diff(np.flatnonzero((V[1:] < -65) & (V[:-1] >= -65))) / 2000
    assert 0.5 < 1 / cycles.mean() < 1.0 and V.min() < -75 and V.max() > -47


def axons(source, target, sends, **options):
    synapse = bm.AlphaSynapse(tau=1 / 0.12 * u.ms)
    ends = dict(source=source, target=target, coupled_var=sends, coupling="additive", self_connection=True)
    return bm.Projection(np.eye(1), synapse=synapse, **ends, **options)


def loop(method, **of_cortex):
    cortex = bm.CostaCortexStep.preset("n2", 1, method=method, **of_cortex)
    thalamus = bm.CostaThalamusStep(1, g_h=0.051 * mS, g_LK=0.024 * mS, N_tp=2.6, N_rp=2.6, method=method)
    ways = [axons("cortex", "thalamus", "V_p"), axons("thalamus", "cortex", "V_t")]
    return bm.Network({"cortex": cortex, "thalamus": thalamus}, projections=ways)


@pytest.mark.slow
def test_the_loop_is_scipys(x64):
    """Cortex and axons written out here; the thalamus, which is neurolib's, by its own equations at each instant."""
    net = loop("rk4")
    drift = bm.Drift(net.thalamus)
    alone = jax.jit(lambda y, brought: drift(y, {"coupling": brought}))
    n, nu = drift.size, 0.12

    def rates(t, y):
        cortex, thalamus, (p, dp, q, dq) = y[:11], y[11 : 11 + n], y[11 + n :]
        sent_p, sent_t = 0.03 * fires(cortex[0], 4.7), 0.4 * fires(thalamus[0], 6.0)
        ways = [dp, nu**2 * (sent_p - p) - 2 * nu * dp, dq, nu**2 * (sent_t - q) - 2 * nu * dq]
        return np.concatenate([cortex_rates(cortex, q, 4.7, 1.33), alone(thalamus, p), ways])

    start = np.concatenate([START, drift.starts(1)[0], np.zeros(4)])
    times = 20 * np.arange(1, 31)
    truth = solve_ivp(rates, (0, 600), start, t_eval=times, rtol=1e-8, atol=1e-10).y
    found = bm.Simulator(net, dt=0.05 * u.ms).run(
        600 * u.ms, monitors=["cortex.V_p", "thalamus.V_t"], sample_every=20 * u.ms
    )
    np.testing.assert_allclose(found["cortex.V_p"][:, 0] / u.mV, truth[0], atol=1e-3)
    np.testing.assert_allclose(found["thalamus.V_t"][:, 0] / u.mV, truth[11 + drift.names.index("V_t")], atol=1e-2)


@pytest.mark.slow
def test_spindles_ride_on_k_complexes():
    """Published: spindles of 12 to 15 Hz follow the trough of a K-complex. Ours: 8 times the mean power in the second
    after it, a sixth of it in the second before."""
    noise = {name: bm.WhiteNoise(1, sigma=0.63 / u.ms) for name in ("noise_drive_p", "noise_drive_i")}
    run = bm.Simulator(loop("heun", **noise), dt=0.1 * u.ms).run(
        120 * u.second, monitors=["cortex.V_p", "thalamus.V_t"], sample_every=10 * u.ms, transient=5 * u.second, seed=0
    )
    V_p, V_t = (np.asarray(run[name].to_decimal(u.mV))[:, 0] for name in ("cortex.V_p", "thalamus.V_t"))
    falls = np.flatnonzero((V_p[1:] < -68) & (V_p[:-1] >= -68))
    falls = falls[(falls > 100) & (falls < len(V_p) - 100)]
    band = butter(3, [12, 15], "band", fs=100, output="sos")
    power = np.abs(hilbert(sosfiltfilt(band, V_t))) ** 2
    before, after = (power[np.add.outer(falls, np.arange(100) + shift)].mean() / power.mean() for shift in (-100, 0))
    assert 5 <= len(falls) <= 25
    assert before < 1 and after > 4
