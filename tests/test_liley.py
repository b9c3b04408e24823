"""Liley's model against its equations in numpy: derivatives, rest, and the alpha rhythm around it."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import fsolve

import brainmass as bm

# A set that is used with Bojak, Stoyanov, Liley 2015; mV and ms. The second letter is the cell that receives.
H_REST, TAU = {"e": -68.1355, "i": -77.2602}, {"e": 138.366, "i": 89.3207}
H_EQ = {"ee": -15.8527, "ei": 7.4228, "ie": -85.9896, "ii": -84.5363}
GAMMA = {"ee": 0.3127, "ei": 0.9426, "ie": 0.4947, "ii": 1.4122}
RATE = {"ee": 0.4393, "ei": 0.2350, "ie": 0.0791, "ii": 0.0782}
NEAR = {"ee": 4582.0661, "ei": 4198.1829, "ie": 989.5281, "ii": 531.9419}
FAR = {"ee": 4994.486, "ei": 2222.906, "ie": 0.0, "ii": 0.0}
INPUT = {"ee": 3.6032, "ei": 0.3639, "ie": 0.0, "ii": 0.0}
S_MAX, MU, SIGMA = {"e": 0.2801, "i": 0.1228}, {"e": -47.1364, "i": -45.3751}, {"e": 2.612, "i": 2.8294}
V_LAMBDA = 0.2433 * 0.1714


def S(k, h):
    return S_MAX[k] / (1 + np.exp(-np.sqrt(2) * (h - MU[k]) / SIGMA[k]))


def share(lk, h):
    return (H_EQ[lk] - h) / abs(H_EQ[lk] - H_REST[lk[1]])


def liley(y, inputs=(0.0, 0.0, 0.0, 0.0)):
    """h_e, h_i; then I and its rate of change for ee, ei, ie, ii; then phi and its rate of change for ee, ei."""
    h = dict(zip("ei", y[:2], strict=True))
    I, J = dict(zip(RATE, y[2:10:2], strict=True)), dict(zip(RATE, y[3:10:2], strict=True))  # noqa: E741
    phi, psi = dict(zip(("ee", "ei"), y[10::2], strict=True)), dict(zip(("ee", "ei"), y[11::2], strict=True))
    found = [(H_REST[k] - h[k] + sum(share(l + k, h[k]) * I[l + k] for l in "ei")) / TAU[k] for k in "ei"]  # noqa: E741
    for lk, given in zip(RATE, inputs, strict=True):
        pulses = NEAR[lk] * S(lk[0], h[lk[0]]) + phi.get(lk, 0.0) + INPUT[lk] + given
        g = RATE[lk]
        found += [J[lk], np.e * GAMMA[lk] * g * pulses - 2 * g * J[lk] - g**2 * I[lk]]
    for ek in phi:
        pulses = FAR[ek] * S("e", h["e"])
        found += [psi[ek], V_LAMBDA**2 * (pulses - phi[ek]) - 2 * V_LAMBDA * psi[ek]]
    return np.array(found)


def rest():
    """The fixed point, from the two equations of the potentials."""

    def drive(lk, h):
        pulses = (NEAR[lk] + FAR[lk]) * S(lk[0], h[lk[0]]) + INPUT[lk]
        return np.e * GAMMA[lk] / RATE[lk] * pulses

    def excess(x):
        h = dict(zip("ei", x, strict=True))
        return [H_REST[k] - h[k] + sum(share(l + k, h[k]) * drive(l + k, h) for l in "ei") for k in "ei"]  # noqa: E741

    x = fsolve(excess, [-58.0, -57.0], xtol=1e-13)
    h = dict(zip("ei", x, strict=True))
    far = [FAR[ek] * S("e", h["e"]) for ek in ("ee", "ei")]
    return np.array([*x, *(y for lk in RATE for y in (drive(lk, h), 0.0)), far[0], 0.0, far[1], 0.0])


def rates(node, y, *inputs):
    units = [spec.unit for spec in node._states.values()]
    state = tuple(jnp.atleast_1d(x) * n for x, n in zip(y, units, strict=True))
    found = node.derivative(state, 0 * u.ms, *(x / u.ms for x in inputs))
    return jnp.stack([x.to_decimal(n / u.ms) for x, n in zip(found, units, strict=True)])


def test_right_hand_side_is_the_papers(x64):
    rng = np.random.default_rng(0)
    scales = np.array([10, 10, *[5, 0.5] * 4, 5, 0.1, 5, 0.1])[:, None]
    y = rng.normal(size=(14, 3)) * scales + np.array([-55, -55, *[0] * 12])[:, None]
    found = rates(bm.LileyStep(3), y, 0.3, -0.2, 0.1, 0.4)
    np.testing.assert_allclose(found, liley(y, (0.3, -0.2, 0.1, 0.4)), rtol=1e-11, atol=1e-12)


@pytest.mark.slow
def test_rest_and_the_alpha_rhythm_around_it(x64):
    """It rests above the resting potentials of its cells, firing 0.95 times a second, with a slowly decaying alpha."""
    y = rest()
    np.testing.assert_allclose(y[:2], [-57.63, -57.14], atol=0.005)
    np.testing.assert_allclose(rates(node := bm.LileyStep(1), y[:, None], 0.0, 0.0, 0.0, 0.0), 0.0, atol=1e-9)
    assert 1e3 * float(np.ravel(u.maybe_decimal(node.S_e(y[0] * u.mV) * u.ms))[0]) == pytest.approx(0.951, abs=0.001)
    ours = jax.jacfwd(lambda y: rates(node, y[:, None], 0.0, 0.0, 0.0, 0.0)[:, 0])(jnp.asarray(y))
    step = 1e-6 * np.eye(14)
    theirs = np.stack([(liley(y + h) - liley(y - h)) / 2e-6 for h in step], 1)
    for jacobian in ours, theirs:
        alpha = max((x for x in np.linalg.eigvals(jacobian) if x.imag > 0), key=lambda x: x.real)
        assert 1e3 * alpha.imag / (2 * np.pi) == pytest.approx(12.06, abs=0.01)
        assert 1e3 * alpha.real == pytest.approx(-6.4, abs=0.05)


@pytest.mark.slow
def test_noise_makes_an_alpha_rhythm():
    """The spectrum of the potential under white noise at the excitatory synapses, with its peak where alpha is."""
    y = rest()
    noise = bm.WhiteNoise(8, sigma=0.05 / u.ms)
    node = bm.LileyStep.preset("alpha", 8, noise_ee=noise)
    run = bm.Simulator(node, dt=0.25 * u.ms).run(
        25 * u.second, monitors=["h_e"], sample_every=5 * u.ms, transient=1 * u.second, seed=1
    )
    h = np.asarray(run["h_e"].to_decimal(u.mV))
    assert h.mean() == pytest.approx(y[0], abs=0.3)
    pieces = (h - h.mean(0))[: len(h) // 400 * 400].reshape(-1, 400, 8) * np.hanning(400)[None, :, None]
    f, power = np.fft.rfftfreq(400, 0.005), np.mean(np.abs(np.fft.rfft(pieces, axis=1)) ** 2, (0, 2))
    band = (f > 6) & (f < 30)
    assert 10 < f[band][np.argmax(power[band])] < 13
