"""The models against published numbers, closed forms, and right-hand sides written out in plain numpy."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from braintools.init import Constant
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import brainmass

PER_MS = u.ms**-1


def canonical_mpr(n=1, **others):
    """Δ = 1, τ = 1 ms, η = −5, J = 15: the bistable set of Montbrió, Pazó, Roxin 2015, figure 2."""
    return brainmass.MontbrioPazoRoxinStep(n, **{"delta": 1.0 * PER_MS, **others})


def run(node, n_steps, dt, **inputs):
    """The states after some steps."""

    def step(i):
        node.update(**inputs)

    with brainstate.environ.context(dt=dt * u.ms):
        brainstate.transform.for_loop(step, np.arange(n_steps))
    return node.state_values()


# --- Montbrió–Pazó–Roxin ------------------------------------------------------------------------------------
# tau·r and v of the three fixed points
FIXED_POINTS = [(0.08113, -1.9616), (0.47298, -0.33649), (1.03060, -0.15443)]


@pytest.mark.parametrize("rho, v", FIXED_POINTS)
@pytest.mark.parametrize("tau", [1.0, 10.0])
def test_mpr_fixed_points_are_roots(rho, v, tau, x64):
    """Digits as published; refined by brentq on the cubic that the paper eliminates v into."""

    def balance(rho):
        return (1 / (2 * np.pi * rho)) ** 2 - 5 + 15 * rho - np.pi**2 * rho**2

    exact = brentq(balance, rho - 1e-4, rho + 1e-4, xtol=1e-15)
    assert exact == pytest.approx(rho, abs=6e-6)
    assert -1 / (2 * np.pi * exact) == pytest.approx(v, abs=5e-5)
    node = canonical_mpr(tau=tau * u.ms, delta=1.0 / (tau * u.ms))
    state = (jnp.array([exact]) / (tau * u.ms), jnp.array([-1 / (2 * np.pi * exact)]))
    dr, dv = node.derivative(state, 0 * u.ms, 0 * u.Hz, 0.0)
    np.testing.assert_allclose([dr.to_decimal(PER_MS**2), dv.to_decimal(PER_MS)], 0.0, atol=1e-12)


def test_mpr_relaxes_to_its_two_stable_states():
    start = np.array([0.02, 0.44, 0.52, 1.5])  # below and above the saddle
    node = canonical_mpr(4, init_r=lambda s: start * u.kHz, init_v=Constant(-0.3), method="rk4")
    node.init_state()
    final = run(node, 3000, 0.01)
    low, high = FIXED_POINTS[0], FIXED_POINTS[2]
    np.testing.assert_allclose(final["r"].to_decimal(u.kHz), [low[0], low[0], high[0], high[0]], atol=5e-5)
    np.testing.assert_allclose(final["v"], [low[1], low[1], high[1], high[1]], atol=1e-4)


def test_mpr_time_constant_rescales_time():
    """At tau = 10 ms and ten times the step tau·r and v are those at tau = 1 ms; with input at both ports."""
    final = {}
    for tau in 1.0, 10.0:
        node = canonical_mpr(
            tau=tau * u.ms, delta=1 / (tau * u.ms), init_r=Constant(0.2 / (tau * u.ms)), init_v=Constant(-1.0)
        )
        node.init_state()
        states = run(node, 50, 0.01 * tau, r_inp=0.05 / (tau * u.ms), v_inp=1.5)
        final[tau] = [float(u.maybe_decimal(tau * u.ms * states["r"])[0]), float(states["v"][0])]
    np.testing.assert_allclose(final[10.0], final[1.0], rtol=2e-5)
    assert abs(final[1.0][0] - 0.2) > 0.005


@pytest.mark.parametrize("tau", [1.0, 12.5])
def test_mpr_dimensionless_delta_is_the_papers(tau, x64):
    """`delta=0.7` is Δ = 0.7, as is the rate Δ/tau; dr at v = 0 and no input is Δ/(π tau²)."""
    plain = canonical_mpr(tau=tau * u.ms, delta=0.7)
    rate = canonical_mpr(tau=tau * u.ms, delta=0.7 / (tau * u.ms))
    state = (jnp.array([0.3]) * PER_MS, jnp.array([0.0]))
    for node in plain, rate:
        dr, _ = node.derivative(state, 0 * u.ms, 0 * u.Hz, 0.0)
        np.testing.assert_allclose(dr.to_decimal(PER_MS**2), 0.7 / (np.pi * tau**2), rtol=1e-14)


def test_mpr_right_hand_side(x64):
    """tau r' = Δ/(π tau) + 2 r v + I_r,  tau v' = v² + η + J tau r − (π tau r)² + I_v, in 1/ms and ms."""
    tau, eta, Delta, J = 2.5, -4.1, 0.9, 13.0
    r, v, Ir, Iv = np.array([0.2, 0.7]), np.array([-1.3, 0.4]), 0.3, -0.6
    node = canonical_mpr(2, tau=tau * u.ms, eta=eta, delta=Delta / (tau * u.ms), J=J)
    dr, dv = node.derivative((jnp.asarray(r) * PER_MS, jnp.asarray(v)), 0 * u.ms, Ir * PER_MS, Iv)
    np.testing.assert_allclose(dr.to_decimal(PER_MS**2), (Delta / (np.pi * tau) + 2 * r * v + Ir) / tau, rtol=1e-13)
    expected = (v**2 + eta + J * tau * r - (np.pi * tau * r) ** 2 + Iv) / tau
    np.testing.assert_allclose(dv.to_decimal(PER_MS), expected, rtol=1e-13)


def test_mpr_trajectory_against_scipy(x64):
    """The transient of the bistable set, at every fifth millisecond."""
    node = canonical_mpr(init_r=Constant(0.5 * u.kHz), init_v=Constant(-0.5), method="rk4")
    node.init_state()

    def rates(t, y):
        return [1 / np.pi + 2 * y[0] * y[1], y[1] ** 2 - 5 + 15 * y[0] - (np.pi * y[0]) ** 2]

    truth = solve_ivp(rates, (0, 5), [0.5, -0.5], rtol=1e-12, atol=1e-13).y[:, -1]
    final = run(node, 1000, 0.005)
    np.testing.assert_allclose([final["r"].to_decimal(u.kHz)[0], final["v"][0]], truth, rtol=1e-6)


def test_mpr_sends_the_dimensionless_rate():
    node = canonical_mpr(2, tau=20 * u.ms, init_r=Constant(25.0 * u.Hz))
    node.init_state()
    np.testing.assert_allclose(node.activity(), [0.5, 0.5], rtol=1e-6)


# --- Coombes–Byrne ------------------------------------------------------------------------------------------
def test_coombes_byrne_without_synapses_is_mpr_without_coupling(x64):
    r, v = jnp.array([0.1, 0.6]), jnp.array([-2.0, 0.7])
    cb = brainmass.CoombesByrneStep(2, Delta=0.8, eta=1.7, k=0.0)
    mpr = canonical_mpr(2, delta=0.8 * PER_MS, eta=1.7, J=0.0)
    ours = cb.derivative((r, v), 0 * u.ms, 0.2, 0.3)
    theirs = mpr.derivative((r * PER_MS, v), 0 * u.ms, 0.2 * PER_MS, 0.3)
    np.testing.assert_allclose(ours[0].to_decimal(PER_MS), theirs[0].to_decimal(PER_MS**2), rtol=1e-14)
    np.testing.assert_allclose(ours[1].to_decimal(PER_MS), theirs[1].to_decimal(PER_MS), rtol=1e-14)


def test_coombes_byrne_right_hand_side(x64):
    """r' = Δ/π + 2 v r − g r,  v' = v² − (π r)² + η + (v_syn − v) g,  g = k π r."""
    r, v, Ir, Iv = np.array([0.1, 0.6]), np.array([-2.0, 0.7]), 0.2, -0.3
    Delta, eta, k, v_syn = 0.5, 20.0, 0.9, -10.0
    node = brainmass.CoombesByrneStep(2, Delta=Delta, eta=eta, k=k, v_syn=v_syn)
    dr, dv = node.derivative((jnp.asarray(r), jnp.asarray(v)), 0 * u.ms, Ir, Iv)
    g = k * np.pi * r
    np.testing.assert_allclose(dr.to_decimal(PER_MS), Delta / np.pi + 2 * v * r - g * r + Ir, rtol=1e-13)
    np.testing.assert_allclose(dv.to_decimal(PER_MS), v**2 - (np.pi * r) ** 2 + eta + (v_syn - v) * g + Iv, rtol=1e-13)


# --- Hopf ---------------------------------------------------------------------------------------------------
def test_hopf_radius_and_frequency(x64):
    """On the limit cycle: radius √(a/beta), and after a period 2π/w the same point."""
    a, w, beta, n = 0.4, 0.7, 1.6, 2000
    node = brainmass.HopfStep(1, a=a, w=w, beta=beta, init_x=Constant(0.01), init_y=Constant(0.0), method="rk4")
    node.init_state()
    on_cycle = run(node, 4000, 0.02)
    assert np.hypot(on_cycle["x"], on_cycle["y"])[0] == pytest.approx(np.sqrt(a / beta), rel=1e-9)
    after = run(node, n, 2 * np.pi / w / n)
    for name in "xy":
        np.testing.assert_allclose(after[name], on_cycle[name], atol=1e-9)
    quarter = run(node, n, np.pi / 2 / w / n)  # anticlockwise: x takes the value of −y
    np.testing.assert_allclose(quarter["x"], -after["y"], atol=1e-9)
    np.testing.assert_allclose(quarter["y"], after["x"], atol=1e-9)


def test_hopf_below_the_bifurcation_decays(x64):
    """Far from the origin the cubic term acts; near it the radius falls as e^{a t}."""
    node = brainmass.HopfStep(1, a=-0.2, init_x=Constant(1e-5), init_y=Constant(0.0), method="rk4")
    node.init_state()
    final = run(node, 500, 0.02)
    assert np.hypot(final["x"], final["y"])[0] == pytest.approx(1e-5 * np.exp(-0.2 * 10), rel=1e-7)


def test_hopf_does_not_start_at_its_unstable_point():
    node = brainmass.HopfStep(5, a=0.1, w=0.1)
    node.init_state()
    assert np.all(np.hypot(node.x.value, node.y.value) > 0)
    x, y = run(node, 1000, 0.1).values()
    np.testing.assert_allclose(np.hypot(x, y), np.sqrt(0.1), rtol=0.05)


def test_hopf_right_hand_side(x64):
    x, y, Ix, Iy = np.array([0.3, -1.1]), np.array([0.8, 0.2]), 0.15, -0.25
    node = brainmass.HopfStep(2, a=-0.3, w=0.45, beta=2.2)
    dx, dy = node.derivative((jnp.asarray(x), jnp.asarray(y)), 0 * u.ms, Ix, Iy)
    z = x + 1j * y
    dz = (-0.3 + 0.45j) * z - 2.2 * np.abs(z) ** 2 * z + Ix + 1j * Iy
    np.testing.assert_allclose(dx.to_decimal(PER_MS), dz.real, rtol=1e-13)
    np.testing.assert_allclose(dy.to_decimal(PER_MS), dz.imag, rtol=1e-13)


# --- reduced Wong–Wang --------------------------------------------------------------------------------------
def transfer(x, a, b, d):
    return (a * x - b) / (1 - np.exp(-d * (a * x - b)))


def test_wong_wang_isolated_rate(x64):
    """Deco et al. 2014: with J_i = 1 an isolated area fires at about 3 Hz; 3.077 Hz at S_E = 0.16476."""
    node = brainmass.WongWangExcInhStep(1, method="heun")
    node.init_state()
    run(node, 10_000, 0.5)
    assert float(node.S_e.value[0]) == pytest.approx(0.16476, abs=1e-5)
    assert float(node.H_e()[0]) == pytest.approx(3.077, abs=1e-3)
    np.testing.assert_allclose(node.S_i.value, node.H_i() * 10e-3, rtol=1e-6)  # S_I = gamma_i tau_i H_I


def test_wong_wang_right_hand_side(x64):
    Se, Si, c, add_e, add_i = np.array([0.1, 0.6]), np.array([0.05, 0.3]), np.array([0.4, 0.9]), 1e-3, -2e-3
    node = brainmass.WongWangExcInhStep(2, G=1.7, lamda=0.3, I_ext=0.02, J_i=1.2)
    dSe, dSi = node.derivative((jnp.asarray(Se), jnp.asarray(Si)), 0 * u.ms, c, add_e, add_i)
    xe = 1.4 * 0.15 * Se - 1.2 * Si + 1.0 * 0.382 + 1.7 * 0.15 * c + 0.02
    xi = 0.15 * Se - Si + 0.7 * 0.382 + 0.3 * 1.7 * 0.15 * c
    He, Hi = transfer(xe, 310, 125, 0.16), transfer(xi, 615, 177, 0.087)
    np.testing.assert_allclose(dSe.to_decimal(PER_MS), -Se / 100 + (1 - Se) * 0.641e-3 * He + add_e, rtol=1e-12)
    np.testing.assert_allclose(dSi.to_decimal(PER_MS), -Si / 10 + 1e-3 * Hi + add_i, rtol=1e-12)
    without = node.derivative((jnp.asarray(Se), jnp.asarray(Si)), 0 * u.ms, c)
    np.testing.assert_allclose((dSe - without[0]).to_decimal(PER_MS), add_e, rtol=1e-10)


def excitatory_rate(y, d=0.16):
    """H_E as a function of y = a x − b, through the public method: I_ext sets y."""
    node = brainmass.WongWangExcInhStep(1, W_e=0.0, d_e=d, I_ext=(y + 125.0) / 310.0, w_p=0.0, J_i=0.0)
    node.init_state()
    return node.H_e(0.0)[0]


@pytest.mark.slow
def test_wong_wang_transfer_function_at_and_near_its_removable_singularity(x64):
    """1/d at y = 0, slope 1/2, and a smooth join with y/(1 − e^{−dy})."""
    assert float(excitatory_rate(0.0)) == pytest.approx(1 / 0.16, rel=1e-12)
    assert float(jax.grad(excitatory_rate)(0.0)) == pytest.approx(0.5, abs=1e-9)
    for y in -0.2, -0.0626, -0.0624, -1e-3, 1e-9, 0.03, 0.0624, 0.0626, 1.0, 50.0:
        exact = -y / np.expm1(-0.16 * y)
        assert float(excitatory_rate(y)) == pytest.approx(exact, rel=1e-9), y
        e = np.exp(-0.16 * y)
        if abs(y) > 1e-2:
            slope = 1 / (1 - e) - y * 0.16 * e / (1 - e) ** 2
            assert float(jax.grad(excitatory_rate)(y)) == pytest.approx(slope, rel=1e-6), y


@pytest.mark.parametrize("y, rate, slope", [(-1e5, 0.0, 0.0), (1e5, 1e5, 1.0), (-3e3, 0.0, 0.0)])
def test_wong_wang_transfer_function_far_out(y, rate, slope):
    """In single precision: neither overflow nor NaN, in value and slope."""
    assert float(excitatory_rate(y)) == pytest.approx(rate, rel=1e-4, abs=1e-20)
    assert float(jax.grad(excitatory_rate)(y)) == pytest.approx(slope, rel=1e-3, abs=1e-20)
    assert np.isfinite(float(jax.grad(excitatory_rate, argnums=1)(y, 0.16)))


@pytest.mark.slow
def test_wong_wang_rate_remembers_the_input_of_the_last_step():
    node = brainmass.WongWangExcInhStep(2)
    node.init_state(3)
    assert node.received_coupling.value.shape == (3, 2)
    with brainstate.environ.context(dt=0.1 * u.ms):
        node.update(coupling=0.7)
    np.testing.assert_array_equal(node.H_e(), node.H_e(0.7))
    assert np.all(node.H_e() > node.H_e(0.0))
    node.reset_state()
    np.testing.assert_array_equal(node.received_coupling.value, np.zeros((3, 2)))
