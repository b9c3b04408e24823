"""Robinson's model: rest, gains and spectra against published numbers and the closed form of the papers."""

import brainunit as u
import numpy as np
import pytest
from braintools.init import Constant
from scipy.optimize import brentq

import brainmass as bm
from brainmass.dynamics.regime import longest_step

PAIRS = ("ee", "ei", "es", "se", "sr", "sn", "re", "rs")

# Mean rates (e, r, s) with which the strengths were published, in pulses per second: Abeysuriya, Rennie, Robinson 2015
# and 2014; files of examples and tests of the simulator of Sanz-Leon et al. 2018.
RATES = {
    "eyes_closed": (5.248361515, 15.3960197, 8.789733431),
    "sleep_spindles": (7.591590455, 19.85307944, 5.055302),
    "alpha": (6.9858430745, 15.3466300572, 5.6382566040),
}
# Gains of wake with eyes closed: Abeysuriya, Rennie, Robinson 2015
GAINS = dict(ee=2.07, ei=-4.11, es=0.77, se=7.77, sr=-3.30, sn=8.10, re=0.66, rs=0.20, ese=5.99, esre=-1.67, srs=-0.65)


def numbers(node):
    """Parameters in mV and seconds."""
    units = dict(Q_max=u.Hz, theta=u.mV, sigma=u.mV, alpha=u.Hz, beta=u.Hz, gamma_e=u.Hz, t0=u.second, phi_n=u.Hz)
    units |= {f"nu_{ab}": u.mV * u.second for ab in PAIRS}
    return {name: float(getattr(node, name).value().to_decimal(unit)) for name, unit in units.items()}


def potential(rate, p):
    return p["theta"] - p["sigma"] * np.log(p["Q_max"] / rate - 1)


def rest(p):
    """The lowest fixed point, by one equation for the rate of e."""

    def of_s(e):
        return (potential(e, p) - (p["nu_ee"] + p["nu_ei"]) * e) / p["nu_es"]

    def of_r(e):
        V = p["nu_re"] * e + p["nu_rs"] * of_s(e)
        return p["Q_max"] / (1 + np.exp(-(V - p["theta"]) / p["sigma"]))

    def excess(e):
        return p["nu_se"] * e + p["nu_sr"] * of_r(e) + p["nu_sn"] * p["phi_n"] - potential(of_s(e), p)

    grid = [e for e in np.linspace(0.5, 20, 4000) if 0 < of_s(e) < p["Q_max"]]
    first = next(i for i in range(len(grid) - 1) if excess(grid[i]) * excess(grid[i + 1]) < 0)
    e = brentq(excess, grid[first], grid[first + 1], xtol=1e-13)
    return e, of_r(e), of_s(e)


def at_rest(name, **others):
    """A node that starts at rest, with its numbers."""
    p = numbers(bm.RobinsonStep.preset(name, 1))
    e, r, s = rest(p)
    starts = {f"init_V_{a}": potential(x, p) * u.mV for a, x in zip("ers", (e, r, s), strict=True)}
    starts = {k: Constant(x) for k, x in {**starts, "init_phi_e": e * u.Hz}.items()}
    node = bm.RobinsonStep.preset(name, 1, **starts, **others)
    node.init_state()
    return node, p


@pytest.mark.parametrize("name", bm.RobinsonStep.presets)
def test_rest_is_where_the_papers_have_it(name, x64):
    """The rates that were published with the strengths, and nothing moves there."""
    node, p = at_rest(name)
    np.testing.assert_allclose(rest(p), RATES[name], rtol=1e-6)
    state = tuple(node.state_values().values())
    for spec, rate in zip(
        node._states.values(), node.derivative(state, 0 * u.ms, *(0 * u.mV,) * 3, 0 * u.Hz), strict=True
    ):
        assert abs(float(rate.to_decimal(spec.unit / u.ms)[0])) < 1e-9, spec.name


def test_gains_are_those_of_the_table(x64):
    node, _ = at_rest("eyes_closed")
    found = {name: float(x[0]) for name, x in node.gains().items()}
    np.testing.assert_allclose([found[name] for name in GAINS], list(GAINS.values()), atol=0.0051)
    # the loops of the cortex, through the thalamus and within it; stable while X + Y < 1
    np.testing.assert_allclose([found[x] for x in "XYZ"], [0.41, 0.51, 0.057], atol=0.0051)


def closed_form(g, p, f):
    """φ_e over φ_n at the frequencies `f`, as in the papers; a patch of cortex, so without wave number."""
    w = 2 * np.pi * f
    L = 1 / ((1 + 1j * w / p["alpha"]) * (1 + 1j * w / p["beta"]))
    way = np.exp(-1j * w * p["t0"] / 2)
    within, thalamus = 1 - g["ei"] * L, 1 - g["srs"] * L**2
    loops = L * g["ee"] + (L**2 * g["ese"] + L**3 * g["esre"]) * way**2 / thalamus
    return L**2 * g["es"] * g["sn"] * way / (thalamus * within) / ((1 + 1j * w / p["gamma_e"]) ** 2 - loops / within)


@pytest.mark.few(1)
@pytest.mark.parametrize(("name", "peak"), [("eyes_closed", 8.9), ("alpha", 9.6)])
def test_spectrum_is_the_closed_form_of_the_papers(name, peak, x64):
    """The answer to a weak pulse into the relay nuclei, by frequency, with its phase; its peak is the alpha rhythm."""
    node, p = at_rest(name, method="rk4")
    gains = {k: float(x[0]) for k, x in node.gains().items()}
    dt, T = 0.25, 5000.0
    pulse = bm.Pulse(1, amplitude=0.01 * u.Hz, onset=0 * u.ms, width=1 * u.ms)
    run = bm.Simulator(node, dt=dt * u.ms).run(T * u.ms, inputs={"n_inp": pulse}, seed=0)
    answer = np.asarray(run["phi_e"].to_decimal(u.Hz))[:, 0] - float(rest(p)[0])
    times = dt * 1e-3 * np.arange(1, len(answer) + 1)
    f = np.arange(1.0, 25.0, 0.1)
    found = np.array([np.sum(answer * np.exp(-2j * np.pi * x * times)) for x in f]) * dt * 1e-3
    sent = 0.01 * (1 - np.exp(-2j * np.pi * f * 1e-3)) / (2j * np.pi * f)
    exact = closed_form(gains, p, f)
    np.testing.assert_allclose(found / sent, exact, atol=0.01 * np.abs(exact).max())
    alpha = (f > 6) & (f < 13)
    assert f[alpha][np.argmax(np.abs(found / sent)[alpha])] == pytest.approx(peak, abs=0.11)


@pytest.mark.slow
def test_the_largest_step_keeps_the_answer_to_a_pulse():
    """Heun's method, up to where alpha has died away: amplitudes within 3 %, and the time of the alpha wave."""
    pulse, found = bm.Pulse(1, amplitude=0.5 * u.Hz, onset=0 * u.ms, width=26 * u.ms), []
    largest = longest_step(bm.RobinsonStep)
    for dt in largest / 16, largest:
        node, p = at_rest("alpha")
        n = int(600 / dt) + 1
        run = bm.Simulator(node, dt=dt * u.ms).run(n * dt * u.ms, inputs={"n_inp": pulse}, seed=0)
        answer = np.asarray(run["phi_e"].to_decimal(u.Hz))[:, 0] - float(rest(p)[0])
        found.append([answer.min(), answer.max(), answer.argmax() * dt, answer.argmin() * dt])
    exact, coarse = np.array(found)
    np.testing.assert_allclose(coarse[:2], exact[:2], atol=0.03 * np.ptp(exact[:2]))
    np.testing.assert_allclose(coarse[2:], exact[2:], atol=3 * largest)
