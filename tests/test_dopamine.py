"""Quadratic integrate-and-fire neurons under dopamine: single neurons, a network of them, and scipy's bifurcation.

What vbjax has of the model is compared with its numbers (`tests/truths/vbjax_dopamine.py`).
"""

import json
from pathlib import Path

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq, fsolve

import brainmass as bm

A, B, C, ETA, DELTA = 0.04, 5.0, 140.0, 12.0, 5.0
UNITS = (u.kHz, u.mV, u.mV / u.ms, u.UNITLESS, u.UNITLESS, u.UNITLESS, u.UNITLESS)  # of the states
VBJAX = json.loads((Path(__file__).parent / "truths" / "vbjax_dopamine.json").read_text())


def rates(y, c_dopa=0.0, R_d=1.0):
    """The equations with numbers in place, rates per ms, without network."""
    r, V, w, S_a, S_g, D, M = y
    excitation, inhibition = (0.2 + M) * 12 * S_a, 12 * S_g
    return np.array(
        [
            A * DELTA / np.pi + r * (2 * A * V + B - excitation - inhibition),
            A * V**2 + B * V + C + ETA - np.pi**2 * r**2 / A - w - excitation * V + inhibition * (-80 - V),
            0.013 * (0.4 * V - w) + 12 * r,
            -S_a / 2.6 + 0.8 * r,
            -S_g / 2.6,
            (1e5 * c_dopa - 1300 * D / (150 + D)) / 500,
            (-M + R_d / (1 + np.exp(-(D + 1)))) / 500,
        ]
    )


def rest(c_dopa, R_d=1.0):
    D = 150 * 1e5 * c_dopa / (1300 - 1e5 * c_dopa)  # where release and re-uptake are the same
    M = R_d / (1 + np.exp(-(D + 1)))
    found = fsolve(lambda x: rates([*x, 0, D, M], c_dopa, R_d)[:4], [0.16, -7, 146, 0.33], xtol=1e-13)
    return np.array([*found, 0, D, M])


def in_numbers(node, y, *inputs):
    state = tuple(x[None] * unit for x, unit in zip(y, UNITS, strict=True))
    found = node.derivative(state, 0 * u.ms, 0.0, *inputs)
    return jnp.stack([d.to_decimal(unit / u.ms)[0] for d, unit in zip(found, UNITS, strict=True)])


def ours(y, c_dopa=0.0, **others):
    node = bm.MontbrioDopamineStep(1, **others)

    def rates(x):
        return in_numbers(node, x, 0 * u.Hz, 0 * u.Hz, c_dopa * u.kHz)

    return np.asarray(rates(jnp.asarray(y))), np.asarray(jax.jacfwd(rates)(jnp.asarray(y)))


@pytest.mark.parametrize("case", VBJAX["cases"], ids=lambda case: case["kind"])
def test_right_hand_side_is_that_of_vbjax(case, x64):
    """Alike where nothing is modulated; where dopamine modulates by Bd + Ad Dp, without receptors, V is."""
    theirs = VBJAX["parameters"]
    node = bm.MontbrioDopamineStep(
        1,
        eta=theirs["Eta"] * u.mV / u.ms,
        Delta=theirs["Delta"] * u.mV / u.ms,
        tau_Sa=theirs["tauSa"] * u.ms,
        tau_Sg=theirs["tauSg"] * u.ms,
        B_d=0.2,
    )
    y, (c_inh, c_exc, c_dopa) = np.array(case["state"]), case["inputs"]
    is_modulated = case["kind"] == "modulated"
    M = 0.01 * y[5] if is_modulated else 0.8
    # its own spikes do not open its synapses
    found = in_numbers(node, np.append(y, M), (c_exc - y[0]) * u.kHz, c_inh * u.kHz, c_dopa * u.kHz)[:6]
    compared = slice(1, 6) if is_modulated else slice(6)
    np.testing.assert_allclose(found[compared], case["rates"][compared], rtol=1e-10)


def growth(c_dopa, R_d):
    y, h = rest(c_dopa, R_d), 1e-6
    slope = [(rates(y + e, c_dopa, R_d) - rates(y - e, c_dopa, R_d)) / (2 * h) for e in h * np.eye(7)]
    return np.linalg.eigvals(np.stack(slope, axis=1)).real.max()


@pytest.mark.slow
def test_rest_fires_as_single_neurons_do(x64):
    """Each neuron fires regularly at rest, at the rate that its slope has in closed form."""
    r, V, w, S_a, _, D, M = rest(1e-3)
    assert pytest.approx(12.5) == D
    slope = B - (0.2 + M) * 12 * S_a

    def rate(eta):
        return np.sqrt(np.maximum(4 * A * (C + eta - w) - slope**2, 0)) / (2 * np.pi)

    threshold = slope**2 / (4 * A) - C + w
    # over x = sqrt(eta - threshold), in which the rate has no kink
    mean = quad(lambda x: rate(threshold + x**2) * DELTA / np.pi / ((threshold + x**2 - ETA) ** 2 + DELTA**2) * 2 * x,
                0, np.inf, epsabs=1e-12, limit=500)[0]  # fmt: skip
    assert mean == pytest.approx(r, rel=1e-7)
    found, _ = ours([r, V, w, S_a, 0.0, D, M], 1e-3)
    np.testing.assert_allclose(found, 0, atol=1e-9)


def test_receptors_still_the_bursts_at_the_density_that_scipy_finds(x64):
    """Rest is stable above a density of receptors, with dopamine of 1 Hz: a Hopf bifurcation."""
    density = brentq(lambda R: growth(1e-3, R), 0.5, 1.0, xtol=1e-10)
    y = rest(1e-3, density)
    found, jacobian = ours(y, 1e-3, R_d=density)
    np.testing.assert_allclose(found, 0, atol=1e-9)
    leading = max(np.linalg.eigvals(jacobian), key=lambda x: x.real)
    assert abs(leading.real) < 1e-6 and abs(leading.imag) > 0.1
    assert growth(1e-3, 1.0) < 0 < growth(0.0, 1.0)  # as in the presets


def passed(V, slope, drive, dt):
    """V' = A V² + slope V + drive over dt, in closed form, and whether V went through infinity."""
    shift = slope / (2 * A)
    x, surplus = V + shift, drive - A * shift**2
    s = np.sqrt(np.abs(surplus) / A)
    phase = np.arctan(x / s) + A * s * dt
    ratio = (x - s) / (x + s) * np.exp(2 * A * s * dt)
    above = surplus > 0
    spikes = np.where(above, phase > np.pi / 2, (x > s) & (ratio >= 1))
    return np.where(above, s * np.tan(phase), s * (1 + ratio) / (1 - ratio)) - shift, spikes


@pytest.mark.slow
def test_mean_field_is_that_of_eight_thousand_neurons():
    """From less adaptation than at rest, with dopamine: a damped oscillation."""
    n, dt, c_dopa = 8000, 0.01, 1e-3
    start = rest(c_dopa) - [0, 0, 25, 0, 0, 0, 0]
    r, V0, w, S_a, _, D, M = start
    quantiles = np.tan(np.pi / 2 * (2 * np.arange(1, n + 1) - n - 1) / (n + 1))
    V = V0 + np.pi * r / A * np.random.default_rng(0).permutation(quantiles)
    network = []
    for _ in range(round(30 / dt)):
        excitation = (0.2 + M) * 12 * S_a  # with a reversal potential of 0 mV
        V, spikes = passed(V, B - excitation, C + ETA + DELTA * quantiles - w, dt)
        fired = spikes.mean()
        w += dt * 0.013 * (0.4 * V[np.abs(V) < 1000].mean() - w) + 12 * fired
        S_a = S_a * np.exp(-dt / 2.6) + 0.8 * fired
        network.append((fired / dt, w, S_a))
    node = bm.MontbrioDopamineStep(
        1,
        init_r=lambda shape: np.full(shape, start[0]) * u.kHz,
        **{f"init_{k}": lambda shape, x=x: np.full(shape, x) for k, x in zip(
            ("V", "w", "S_a", "Dp", "M"), start[[1, 2, 3, 5, 6]], strict=True)},
    )  # fmt: skip
    run = bm.Simulator(node, dt=dt * u.ms).run(30 * u.ms, inputs={"c_dopa": c_dopa * u.kHz}, monitors=["r", "w", "S_a"])
    field = np.stack([run["r"].to_decimal(u.kHz), run["w"].to_decimal(u.mV / u.ms), run["S_a"]], axis=1)[..., 0]

    def binned(x):
        return np.asarray(x).reshape(60, -1, 3).mean(1)

    difference, swing = np.abs(binned(network) - binned(field)).max(0), np.ptp(binned(field), axis=0)
    assert np.all(swing > [0.2, 20, 0.1])
    assert np.all(difference < swing * [0.12, 0.01, 0.06])


def test_dopamine_follows_scipy_where_re_uptake_is_saturated():
    """Release above the largest re-uptake: dopamine rises without end; after it, re-uptake at its full rate."""
    truth = solve_ivp(lambda t, D: (2000 * (t < 500) - 1300 * D / (150 + D)) / 500, (0, 1000), [0.0], rtol=1e-9,
                      t_eval=[250, 500, 1000], max_step=1.0).y[0]  # fmt: skip
    pulse = bm.Pulse(1, amplitude=20 * u.Hz, onset=0 * u.ms, width=500 * u.ms)
    run = bm.Simulator(bm.MontbrioDopamineStep(1), dt=0.02 * u.ms).run(
        1000 * u.ms, inputs={"c_dopa": pulse}, monitors=["Dp"], sample_every=250 * u.ms
    )
    np.testing.assert_allclose(np.asarray(run["Dp"])[[0, 1, 3], 0], truth, rtol=2e-3)


@pytest.mark.slow
def test_inhibition_stills_and_excitation_drives():
    node = bm.MontbrioDopamineStep(3)
    inputs = {"c_inh": np.array([0.0, 500.0, 0.0]) * u.Hz, "c_exc": np.array([0.0, 0.0, 300.0]) * u.Hz}
    run = bm.Simulator(node, dt=0.02 * u.ms).run(200 * u.ms, inputs=inputs, monitors=["r"], transient=100 * u.ms)
    truth = [
        solve_ivp(
            lambda t, y, e=e, i=i: rates(y) + np.array([0, 0, 0, 0.8 * e, 1.2 * i, 0, 0]),
            (0, 200), [0.1, -60, 100, 0, 0, 0, 0.7], "LSODA", np.arange(100, 200, 0.02), rtol=1e-8, atol=1e-9,
        ).y[0].mean()
        for e, i in ((0, 0), (0, 0.5), (0.3, 0))
    ]  # fmt: skip
    np.testing.assert_allclose(run["r"].to_decimal(u.kHz).mean(0), truth, rtol=0.02)
    assert truth[1] < 0.1 * truth[0]
