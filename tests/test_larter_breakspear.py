"""Larter–Breakspear against its equations in numpy, scipy's solutions, and the regimes of Breakspear et al. 2003."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from braintools.init import Constant
from scipy.integrate import solve_ivp
from scipy.optimize import fsolve

import brainmass
from brainmass.models.larter_breakspear.step import LarterBreakspearStep

PER_MS = u.ms**-1


def share(x, threshold, spread):
    return 0.5 * (1 + np.tanh((x - threshold) / spread))


def rates(y, d_V, gCa=1.0, C=0.0, c=0.0):
    """The equations of Breakspear, Terry, Friston 2003, with numbers in place."""
    V, W, Z = y
    QV, QZ = share(V, 0, d_V), share(Z, 0, 0.7)
    q = (1 - C) * QV + C * c
    dV = -(gCa + 0.25 * 0.4 * q) * share(V, -0.01, 0.15) * (V - 1) - 2 * W * (V + 0.7) - 0.5 * (V + 0.5)
    dV += -(6.7 * share(V, 0.3, 0.15) + 0.4 * q) * (V - 0.53) - 2 * Z * QZ + 0.3
    return np.array([dV, 0.7 * (share(V, 0, 0.3) - W), 0.1 * (0.4 * 0.3 + 2 * V * QV)])


def run(node, n_steps, dt):
    with brainstate.environ.context(dt=dt * u.ms):
        return brainstate.transform.for_loop(lambda i: node.update(), np.arange(n_steps))


def plain(node, y, c=0.0, add=0.0):
    """The derivative as numbers per ms."""
    state = tuple(jnp.asarray(x) for x in y)
    return jnp.stack([d.to_decimal(PER_MS) for d in node.derivative(state, 0 * u.ms, c, add)])


def test_right_hand_side_at_the_defaults(x64):
    y = np.array([[-0.3, 0.2], [0.25, 0.6], [0.1, -0.2]])
    c, add = np.array([0.4, 0.7]), np.array([0.05, -0.02])
    expected = rates(y, 0.65, gCa=1.1, C=0.1, c=c)
    np.testing.assert_allclose(plain(LarterBreakspearStep(2), y, c), expected, rtol=1e-13)
    expected[0] += add
    np.testing.assert_allclose(plain(LarterBreakspearStep(2), y, c, add), expected, rtol=1e-13)


def test_right_hand_side_with_every_parameter_changed(x64):
    rng = np.random.default_rng(3)
    p = {n: s.default + rng.uniform(0.05, 0.2) for n, s in LarterBreakspearStep._params.items()}
    V, W, Z, c = -0.15, 0.3, 0.2, 0.45
    QV = p["QV_max"] * share(V, p["VT"], p["d_V"])
    QZ = p["QZ_max"] * share(Z, p["ZT"], p["d_Z"])
    q = (1 - p["C"]) * QV + p["C"] * c
    m_Ca, m_Na, m_K = (share(V, p[f"T{ion}"], p[f"d_{ion}"]) for ion in ("Ca", "Na", "K"))
    dV = -(p["gCa"] + p["rNMDA"] * p["aee"] * q) * m_Ca * (V - p["VCa"]) - p["gK"] * W * (V - p["VK"])
    dV += -p["gL"] * (V - p["VL"]) - (p["gNa"] * m_Na + p["aee"] * q) * (V - p["VNa"])
    dV += -p["aie"] * Z * QZ + p["ane"] * p["Iext"]
    dW = p["phi"] * (m_K - W) / p["tau_K"]
    dZ = p["b"] * (p["ani"] * p["Iext"] + p["aei"] * V * QV)
    found = plain(LarterBreakspearStep(1, **p), ([V], [W], [Z]), c)[:, 0]
    np.testing.assert_allclose(found, p["t_scale"] * np.array([dV, dW, dZ]), rtol=1e-12)


def test_rests_where_scipy_finds_the_root(x64):
    root = fsolve(rates, [-0.2, 0.2, 0.1], args=(0.5,), xtol=1e-13)
    node = LarterBreakspearStep.preset("fixed_point", 1, method="rk4")
    node.init_state()
    run(node, 10_000, 0.1)
    np.testing.assert_allclose([float(x[0]) for x in node.state_values().values()], root, atol=1e-10)


@pytest.mark.slow
def test_leaves_rest_between_0_55_and_0_56(x64):
    """The largest real part of the Jacobian's eigenvalues at the root changes its sign there, in both Jacobians."""
    for d_V, stable in (0.55, True), (0.56, False):
        root = fsolve(rates, [-0.2, 0.2, 0.1], args=(d_V,), xtol=1e-13)
        node = LarterBreakspearStep(1, gCa=1.0, C=0.0, d_V=d_V)
        ours = jax.jacfwd(lambda y, node=node: plain(node, y[:, None])[:, 0])(jnp.asarray(root))
        h = 1e-6 * np.eye(3)
        by_differences = np.stack([(rates(root + e, d_V) - rates(root - e, d_V)) / 2e-6 for e in h], axis=1)
        np.testing.assert_allclose(ours, by_differences, atol=1e-8)
        assert (np.linalg.eigvals(ours).real.max() < 0) == stable


def test_limit_cycle_against_scipy(x64):
    """The way onto the cycle, and the cycle's period and extent long after."""
    node = LarterBreakspearStep.preset("limit_cycle", 1, method="rk4", init_V=Constant(-0.1), init_W=Constant(0.2))
    node.init_state()
    V = np.asarray(run(node, 100_000, 0.02))[:, 0]

    def crossing(t, y):
        return y[0] + 0.17

    crossing.direction = 1
    truth = solve_ivp(
        lambda t, y: rates(y, 0.57),
        (0, 2000),
        [-0.1, 0.2, 0.0],
        method="DOP853",
        rtol=1e-10,
        atol=1e-12,
        dense_output=True,
        events=crossing,
    )
    times = 0.02 * np.arange(1, len(V) + 1)
    np.testing.assert_allclose(V[:10_000], truth.sol(times[:10_000])[0], atol=1e-6)
    up = np.flatnonzero((V[:-1] < -0.17) & (V[1:] >= -0.17))
    ups = times[up] + 0.02 * (-0.17 - V[up]) / (V[up + 1] - V[up])
    period = np.diff(truth.t_events[0][-20:]).mean()
    assert np.diff(ups[-20:]).mean() == pytest.approx(period, rel=1e-5)
    last = truth.sol(times[-10_000:])[0]
    np.testing.assert_allclose([V[-10_000:].min(), V[-10_000:].max()], [last.min(), last.max()], atol=1e-5)


def lyapunov_exponents(node, n, h=0.1, transient=20_000, steps=100_000):
    """The largest exponent of each of `n` isolated regions, per ms: growth of a tangent vector under classical RK4."""

    def step(y):
        k1 = plain(node, y)
        k2 = plain(node, y + h / 2 * k1)
        k3 = plain(node, y + h / 2 * k2)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + plain(node, y + h * k3))

    def grow(i, carry):
        y, v, total = carry
        y, v = jax.jvp(step, (y,), (v,))
        length = jnp.sqrt(jnp.sum(v**2, axis=0))
        return y, v / length, total + jnp.log(length)

    @jax.jit
    def exponents(y):
        y = jax.lax.fori_loop(0, transient, lambda i, y: step(y), y)
        carry = jax.lax.fori_loop(0, transient, grow, (y, jnp.ones_like(y), jnp.zeros(n)))
        return jax.lax.fori_loop(0, steps, grow, (*carry[:2], jnp.zeros(n)))[2] / (steps * h)

    return np.asarray(exponents(jnp.zeros((3, n))))


@pytest.mark.slow
def test_regimes_by_lyapunov_exponent(x64):
    """Rest: the slowest eigenvalue of scipy's root. Limit cycle: zero. Chaos: positive."""
    d_V = np.array([0.5, 0.57, 0.58, 0.63, 0.65])
    found = lyapunov_exponents(LarterBreakspearStep(5, gCa=1.0, C=0.0, d_V=d_V), 5)
    root = fsolve(rates, [-0.2, 0.2, 0.1], args=(0.5,), xtol=1e-13)
    jacobian = np.stack([(rates(root + e, 0.5) - rates(root - e, 0.5)) / 2e-6 for e in 1e-6 * np.eye(3)], axis=1)
    assert found[0] == pytest.approx(np.linalg.eigvals(jacobian).real.max(), abs=1e-3)
    np.testing.assert_allclose(found[1:3], 0.0, atol=5e-4)
    assert np.all(found[3:] > 5e-3)


def test_a_network_couples_rates(x64):
    """Input is W·Q_V, and regions in step receive what C took from them: they move like isolated ones with C = 0."""
    weights = np.array([[0.0, 0.3, 0.7], [0.5, 0.0, 0.5], [0.9, 0.1, 0.0]])
    node = LarterBreakspearStep(3, C=0.4, d_V=0.6, init_V=lambda shape: jnp.array([-0.3, 0.1, 0.2]))
    node.init_state()
    net = brainmass.Network(node, conn=weights, coupling="additive", coupled_var="V")
    np.testing.assert_allclose(net.coupling_input(), weights @ share(np.array([-0.3, 0.1, 0.2]), 0, 0.6), rtol=1e-13)
    together = tuple(jnp.full(3, x) for x in (-0.2, 0.3, 0.1))
    found = jnp.stack([d.to_decimal(PER_MS) for d in net.derivative(together, 0 * u.ms)])
    expected = rates(np.array([-0.2, 0.3, 0.1]), 0.6, gCa=1.1)
    np.testing.assert_allclose(found, np.repeat(expected[:, None], 3, axis=1), rtol=1e-12)


@pytest.mark.parametrize("C, t_scale", [(0.0, 1.0), (0.5, 2.0)])
def test_noise_adds_to_the_derivative_of_V(C, t_scale, x64):
    """A noise without spread is a constant drift, whatever the coupling and the clock."""
    noise = brainmass.GaussianNoise(2, mean=0.3, sigma=0.0)
    moved = []
    for noise_V in noise, None:
        node = LarterBreakspearStep(2, C=C, t_scale=t_scale, noise_V=noise_V, method="euler")
        brainstate.nn.init_all_states(node)
        run(node, 1, 0.1)
        moved.append(node.V.value)
    np.testing.assert_allclose(moved[0] - moved[1], 0.03, rtol=1e-10)


def test_t_scale_is_a_clock(x64):
    fast, slow = (LarterBreakspearStep(1, t_scale=s, method="rk4", d_V=0.57) for s in (4.0, 1.0))
    for node, dt in (fast, 0.025), (slow, 0.1):
        node.init_state()
        run(node, 300, dt)
    np.testing.assert_allclose(fast.V.value, slow.V.value, rtol=1e-10)
    assert abs(float(slow.V.value[0])) > 0.1
