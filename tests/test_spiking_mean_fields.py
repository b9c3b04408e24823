"""Mean fields of quadratic integrate-and-fire neurons with slow feedback and with synapses: rest, Hopf points, rhythms.

Equations are written again here, with numbers in place; scipy finds their states of rest and where those lose
stability, and the models have the same Jacobians there.
"""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, fsolve

import brainmass as bm

J = 15 * 2**0.5
PI = np.pi


def slope(rates, y, h=1e-6):
    return np.stack([(rates(y + e) - rates(y - e)) / (2 * h) for e in h * np.eye(len(y))], axis=1)


def jacobian(node, y):
    """Of a node of one region, in 1/ms, kHz and plain numbers."""
    kHz = [u.kHz if s.unit.has_same_dim(u.Hz) else u.UNITLESS for s in node._states.values()]
    inputs = [u.maybe_decimal(0.0 * unit) for unit in node._port_units.values()]

    def rates(x):
        state = tuple(u.maybe_decimal(xi[None] * k) for xi, k in zip(x, kHz, strict=True))
        found = node.derivative(state, 0 * u.ms, *inputs)
        return jnp.stack([d.to_decimal(k / u.ms)[0] for d, k in zip(found, kHz, strict=True)])

    assert np.abs(rates(jnp.asarray(y))).max() < 1e-9  # at rest
    return np.asarray(jax.jacfwd(rates)(jnp.asarray(y)))


def growth(matrix):
    """The largest real part of the eigenvalues, and the frequency that belongs to it."""
    values = np.linalg.eigvals(matrix)
    leading = values[np.argmax(values.real)]
    return leading.real, abs(leading.imag)


# --- slow feedback --------------------------------------------------------------------------------------------------
def with_feedback(y, eta, alpha, depression, Delta=2.0, tau_A=10.0):
    r, v, A, B = y
    recurrent = J * r * (1 - A) if depression else J * r - A
    return np.array(
        [Delta / PI + 2 * r * v, v**2 + eta + recurrent - (PI * r) ** 2, B / tau_A, (alpha * r - A - 2 * B) / tau_A]
    )


def rest_with_feedback(r, alpha, depression):
    """The state of rest with rate r, and the excitability that has it."""
    y = np.array([r, -1 / (PI * r), alpha * r, 0.0])
    return y, -with_feedback(y, 0.0, alpha, depression)[1]


@pytest.mark.parametrize(
    "model, alpha, between, published",
    [
        (bm.MontbrioAdaptationStep, 10.0, (0.21, 0.235), -4.0398),
        (bm.MontbrioAdaptationStep, 10.0, (1.05, 1.2), -0.5341),
        # not published: what scipy finds
        (bm.MontbrioDepressionStep, 0.5, (0.235, 0.25), -5.6587),
        (bm.MontbrioDepressionStep, 0.5, (0.65, 0.8), -5.0186),
    ],
)
def test_hopf_points_of_slow_feedback(model, alpha, between, published, x64):
    """Gast, Schmidt, Knösche 2020: with adaptation the rhythm stands between η = −4.0398 and −0.5341."""
    depression = model is bm.MontbrioDepressionStep

    def at(r):
        y, eta = rest_with_feedback(r, alpha, depression)
        return growth(slope(lambda x: with_feedback(x, eta, alpha, depression), y))[0]

    r = brentq(at, *between)
    y, eta = rest_with_feedback(r, alpha, depression)
    assert eta == pytest.approx(published, abs=1e-4)
    node = model(1, eta=eta, delta=2.0, J=J, alpha=alpha)
    real, frequency = growth(jacobian(node, y))
    assert abs(real) < 1e-6 and frequency > 0.05


def test_adaptation_leaves_rest_between_its_hopf_points_alone():
    """From close to a state of rest it goes back there below the lower point and above the upper one."""
    rate = np.array([0.2, 0.6, 1.15])
    etas = np.array([rest_with_feedback(r, 10.0, False)[1] for r in rate])
    assert etas[0] < -4.0398 < etas[1] < -0.5341 < etas[2]
    node = bm.MontbrioAdaptationStep(
        3,
        eta=etas,
        delta=2.0,
        J=J,
        alpha=10.0,
        init_r=lambda shape: 1.001 * rate * u.kHz,
        init_v=lambda shape: -1 / (PI * rate),
        init_A=lambda shape: 10 * rate,
        method="rk4",
    )
    run = bm.Simulator(node, dt=0.01 * u.ms).run(200 * u.ms, monitors=["r"], transient=150 * u.ms, seed=0)
    below, within, above = np.ptp(np.asarray(run["r"].to_decimal(u.kHz)), axis=0)
    assert below < 1e-3 and within > 1.0 and above < 1e-3


def test_without_feedback_they_are_montbrios(x64):
    r, v = jnp.array([20.0, 300.0]) * u.Hz, jnp.array([-1.0, 0.3])
    zero = jnp.zeros(2)
    plain = bm.MontbrioPazoRoxinStep(2, delta=2.0, J=J).derivative((r, v), 0 * u.ms, 0 * u.Hz, 0.1)
    for model in bm.MontbrioAdaptationStep, bm.MontbrioDepressionStep:
        found = model(2, delta=2.0, J=J).derivative((r, v, zero, zero), 0 * u.ms, 0 * u.Hz, 0.1)
        for a, b in zip(found[:2], plain, strict=True):
            np.testing.assert_array_equal(a.mantissa, b.mantissa)


# --- Coombes and Byrne ----------------------------------------------------------------------------------------------
def coombes_byrne(y, eta=20.0, Delta=0.5, alpha=0.95, v_syn=-10.0, k=1.0):
    r, v, g, q = y
    return np.array(
        [
            Delta / PI + 2 * v * r - g * r,
            v**2 - (PI * r) ** 2 + eta + (v_syn - v) * g,
            alpha * q,
            alpha * (k * PI * r - g - 2 * q),
        ]
    )


def test_rest_of_synapses_is_that_of_the_fast_limit_and_loses_stability_where_scipy_finds_it(x64):
    start = np.array([0.7, 1.0, 2.0, 0.0])

    def rest(eta):
        return fsolve(coombes_byrne, start, args=(eta,), xtol=1e-13)

    def real(eta):
        return growth(slope(lambda y: coombes_byrne(y, eta), rest(eta)))[0]

    eta = brentq(real, 2.0, 20.0)
    y = rest(eta)
    found, frequency = growth(jacobian(bm.CoombesByrneSynapseStep(1, eta=eta), y))
    assert abs(found) < 1e-6 and frequency > 1.0
    fast = bm.CoombesByrneStep(1, eta=eta, Delta=0.5, v_syn=-10.0)
    jacobian(fast, y[:2])  # at rest there, too


# --- excitation and inhibition with conductances --------------------------------------------------------------------
SYNAPSES = dict(kEE=0.7, kEI=2.3, kIE=1.8, kII=0.4)
TIMES = dict(tau_EE=1.5, tau_EI=2.0, tau_IE=5.0, tau_II=4.0)


def order_parameters(t, y, eta=(10.0, 0.5), Delta=(0.5, 0.4), tau=(10.0, 8.0), v_syn=(10.0, -10.0)):
    """The same populations as theta neurons: each by its complex order parameter (Coombes, Byrne 2019)."""
    z = y[:2] + 1j * y[2:4]
    g, q = y[4:8], y[8:12]  # EE IE EI II
    w = (1 - z.conj()) / (1 + z.conj())
    rate = w.real / PI  # per time constant
    dz = []
    for i, (gE, gI) in enumerate(((g[0], g[1]), (g[2], g[3]))):
        drive = -Delta[i] + 1j * (eta[i] + v_syn[0] * gE + v_syn[1] * gI)
        turn = -1j * (z[i] - 1) ** 2 / 2 + (z[i] + 1) ** 2 / 2 * drive - (z[i] ** 2 - 1) / 2 * (gE + gI)
        dz.append(turn / tau[i])
    k = np.array([SYNAPSES[f"k{x}"] for x in ("EE", "IE", "EI", "II")])
    T = np.array([TIMES[f"tau_{x}"] for x in ("EE", "IE", "EI", "II")])
    return np.concatenate([np.real(dz), np.imag(dz), q / T, (k * rate[[0, 1, 0, 1]] - g - 2 * q) / T])


def test_rates_and_synchrony_are_those_of_theta_neurons():
    """The run against scipy's of the order parameter, from the same start."""
    kept = {name: x * u.ms for name, x in TIMES.items()}
    node = bm.CoombesByrneExcInhStep(
        1, tau_I=8 * u.ms, eta_I=0.5, Delta_I=0.4, method="rk4", **SYNAPSES, **kept,
        init_rE=lambda s: np.full(s, 20.0) * u.Hz, init_rI=lambda s: np.full(s, 30.0) * u.Hz,
    )  # fmt: skip
    run = bm.Simulator(node, dt=0.01 * u.ms).run(
        60 * u.ms, monitors={"rE": "rE", "rI": "rI", "sync": lambda m: jnp.stack(m.synchrony())}, seed=0
    )
    w = PI * np.array([0.2, 0.24])  # pi tau r - i v, at v = 0
    z = (1 - w) / (1 + w)
    truth = solve_ivp(
        order_parameters, (0, 60), [*z, 0, 0, *np.zeros(8)], "LSODA", np.arange(1, 61.0), rtol=1e-9, atol=1e-11
    ).y
    z = truth[:2] + 1j * truth[2:4]
    rates = ((1 - z.conj()) / (1 + z.conj())).real / PI / np.array([[10.0], [8.0]])
    rows = slice(99, None, 100)
    np.testing.assert_allclose(run["rE"].to_decimal(u.kHz)[rows, 0], rates[0], rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(run["rI"].to_decimal(u.kHz)[rows, 0], rates[1], rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(np.asarray(run["sync"])[rows, :, 0], np.abs(z).T, atol=1e-3)


def test_a_network_of_them_sends_the_dimensionless_rate(x64):
    node = bm.CoombesByrneExcInhStep(2, tau_E=5 * u.ms, init_rE=lambda s: jnp.array([20.0, 40.0]) * u.Hz)
    node.init_state()
    net = bm.Network(node, conn=np.array([[0.0, 1.0], [3.0, 0.0]]), coupling="additive", coupled_var="rE")
    np.testing.assert_allclose(net.coupling_input(), [0.2, 0.3], rtol=1e-12)


# --- Dumont and Gutkin ----------------------------------------------------------------------------------------------
def interneurons(y, Theta, J=21.0, Delta=0.3, tau_m=10.0, tau_d=5.0):
    """Devalle, Roxin, Montbrió 2017, equations of inhibitory neurons alone."""
    R, V, S = y
    return np.array(
        [
            (Delta / (PI * tau_m) + 2 * R * V) / tau_m,
            (V**2 - (PI * tau_m * R) ** 2 - J * tau_m * S + Theta) / tau_m,
            (-S + R) / tau_d,
        ]
    )


@pytest.mark.slow
def test_interneuron_gamma_begins_where_scipy_finds_it_and_has_its_period(x64):
    def rest(Theta):
        return fsolve(interneurons, [0.03, -0.1, 0.03], args=(Theta,), xtol=1e-13)

    def real(Theta):
        return growth(slope(lambda y: interneurons(y, Theta), rest(Theta)))[0]

    Theta = brentq(real, 0.5, 4.0)
    R, V, S = rest(Theta)
    node = bm.DumontGutkinStep.preset("interneuron_gamma", 1, eta_I=Theta, eta_E=Theta)
    y = np.array([R, V, R, V, 0.0, 21 * S, 0.0, 21 * S])
    found, frequency = growth(jacobian(node, y))
    assert abs(found) < 1e-6
    assert frequency == pytest.approx(growth(slope(lambda x: interneurons(x, Theta), rest(Theta)))[1], rel=1e-6)

    truth = solve_ivp(
        lambda t, y: interneurons(y, 4.0), (0, 600), [0.01, 0.0, 0.0], "LSODA", np.arange(300, 600, 0.1), rtol=1e-9
    ).y[0]
    run = bm.Simulator(bm.DumontGutkinStep.preset("interneuron_gamma", 1, method="rk4"), dt=0.1 * u.ms).run(
        600 * u.ms, monitors=["rI"], transient=300 * u.ms, seed=0
    )
    ours = run["rI"].to_decimal(u.kHz)[:, 0]

    def hertz(x):
        up = np.flatnonzero((x[1:] > x.mean()) & (x[:-1] <= x.mean()))
        return 1e4 / np.diff(up).mean()

    assert hertz(ours) == pytest.approx(hertz(truth), rel=2e-3)
    assert ours.max() == pytest.approx(truth.max(), rel=2e-3)


def test_other_regions_excite_inhibition_gamma_times_as_much(x64):
    node = bm.DumontGutkinStep(1, Gamma=3.0)
    zero = tuple(jnp.zeros(1) * (s.unit or u.UNITLESS) for s in node._states.values())
    given = {"coupling": 7.0 * u.Hz}
    found = node.derivative(
        zero, 0 * u.ms, *(given.get(p, u.maybe_decimal(0.0 * x)) for p, x in node._port_units.items())
    )
    rates = dict(zip(node._states, found, strict=True))
    assert rates["sEE"].to_decimal(u.Hz / u.ms)[0] == pytest.approx(7.0)
    assert rates["sEI"].to_decimal(u.Hz / u.ms)[0] == pytest.approx(21.0)
