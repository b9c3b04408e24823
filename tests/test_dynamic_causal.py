"""The columns of dynamic causal modelling against equations in numpy and scipy's evoked responses of two areas."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import brainmass as bm

mV, Hz, per_s = u.mV, u.Hz, u.mV / u.second
UNITS = (mV,) * 4 + (per_s,) * 4

# Prior values: gains in mV, time constants in s, intrinsic strengths
He, Hi, tau_e, tau_i = 4.0, 32.0, 0.008, 0.016
GAMMA = 128.0 * np.array([1, 4 / 5, 1 / 4, 1 / 4])


def S(x):
    return 1 / (1 + np.exp(-2 / 3 * (x - 1 / 3))) - 1 / (1 + np.exp(2 / 9))


def erp(y, forward=0.0, backward=0.0, lateral=0.0, stimulus=0.0):
    """x1, x2, x3, x7, then their rates of change, per second."""
    x1, x2, x3, x7, x4, x5, x6, x8 = y
    x0 = x2 - x3
    return np.array(
        [
            *(x4, x5, x6, x8),
            He / tau_e * (forward + lateral + GAMMA[0] * S(x0) + stimulus) - 2 * x4 / tau_e - x1 / tau_e**2,
            He / tau_e * (backward + lateral + GAMMA[1] * S(x1)) - 2 * x5 / tau_e - x2 / tau_e**2,
            Hi / tau_i * GAMMA[3] * S(x7) - 2 * x6 / tau_i - x3 / tau_i**2,
            He / tau_e * (backward + lateral + GAMMA[2] * S(x0)) - 2 * x8 / tau_e - x7 / tau_e**2,
        ]
    )


def microcircuit(y, forward=0.0, backward=0.0, own=(0.0, 0.0, 0.0, 0.0)):
    """Potentials of ss, sp, ii, dp, then their rates of change, per second."""
    G, T = 200.0 * np.array([4, 4, 8, 4, 4, 2, 4, 4, 2, 1]), np.array([0.002, 0.002, 0.016, 0.028])
    ss, sp, ii, dp = (1 / (1 + np.exp(-2 / 3 * v)) - 0.5 for v in y[:4])
    pulses = (
        forward - G[0] * ss - G[2] * ii - G[1] * sp,
        G[7] * ss - G[6] * sp - backward,
        G[4] * ss + G[5] * dp - G[3] * ii - backward / 2,
        forward / 2 - G[9] * dp - G[8] * ii,
    )
    pulses = np.stack([a + b for a, b in zip(pulses, own, strict=True)])
    tau = T[:, None] if np.ndim(y) > 1 else T
    return np.concatenate([y[4:], (pulses - 2 * y[4:] - y[:4] / tau) / tau])


def rates(node, y, *inputs):
    state = tuple(jnp.asarray(x) * n for x, n in zip(y, UNITS, strict=True))
    found = node.derivative(state, 0 * u.ms, *(x * Hz for x in inputs))
    return jnp.stack([x.to_decimal(n / u.second) for x, n in zip(found, UNITS, strict=True)])


def states(seed):
    return np.random.default_rng(seed).normal(size=(8, 3)) * ([[2.0]] * 4 + [[50.0]] * 4)


def test_right_hand_side_of_the_erp_column(x64):
    y = states(0)
    found = rates(bm.ERPColumnStep(3), y, 3.0, -2.0, 5.0, 7.0)
    np.testing.assert_allclose(found, erp(y, 3.0, -2.0, 5.0, 7.0), rtol=1e-11)


def test_right_hand_side_of_the_microcircuit(x64):
    y, own = states(1), (1.0, 2.0, 3.0, 4.0)
    found = rates(bm.CanonicalMicrocircuitStep(3), y, 30.0, -20.0, *own)
    np.testing.assert_allclose(found, microcircuit(y, 30.0, -20.0, own), rtol=1e-11)


@pytest.mark.parametrize("model", [bm.ERPColumnStep, bm.CanonicalMicrocircuitStep])
def test_without_input_all_rests_at_zero(model, x64):
    still = rates(model(1), np.zeros((8, 1)), *np.zeros(len(model._ports)))
    np.testing.assert_allclose(still, 0.0, atol=1e-11)


def oscillations(jacobian):
    """Frequency (Hz) and decay (per second) around rest, the slowest to decay first."""
    turning = [x for x in np.linalg.eigvals(jacobian) if x.imag > 1]
    return [(x.imag / (2 * np.pi), -x.real) for x in sorted(turning, key=lambda x: -x.real)]


@pytest.mark.parametrize(
    ("model", "equations", "published"),
    [(bm.ERPColumnStep, erp, [5.6, 15.2]), (bm.CanonicalMicrocircuitStep, microcircuit, [7.3, 16.9, 45.0, 45.5])],
)
def test_resonances_around_rest(model, equations, published, x64):
    """Those of the ERP column lie in theta and beta; of the microcircuit in theta, beta and gamma."""
    node, n = model(1), len(model._ports)
    ours = jax.jacfwd(lambda y: rates(node, y[:, None], *np.zeros(n))[:, 0])(jnp.zeros(8))
    theirs = np.stack([(equations(h) - equations(-h)) / 2e-6 for h in 1e-6 * np.eye(8)], 1)
    np.testing.assert_allclose(oscillations(ours), oscillations(theirs), rtol=1e-5)
    np.testing.assert_allclose([f for f, _ in oscillations(ours)], published, atol=0.1)


# --- two areas ----------------------------------------------------------------------------------------------------
ONE_TO_TWO, TWO_TO_ONE = np.array([[0.0, 0], [1, 0]]), np.array([[0.0, 1], [0, 0]])
PULSE = bm.Pulse(2, amplitude=np.array([100.0, 0.0]) * Hz, onset=20 * u.ms, width=16 * u.ms)


def areas(node, sent, ports, strengths, **delays):
    """A lower and a higher area, by forward and backward connections."""
    return bm.Network(
        node,
        projections=[
            bm.Projection(conn, coupled_var=var, port=port, k=k, coupling="additive", **delays)
            for conn, var, port, k in zip((ONE_TO_TWO, TWO_TO_ONE), sent, ports, strengths, strict=True)
        ],
    )


def exact(one, ports, t):
    """scipy's potentials, (time, area); `one(y, forward, backward, stimulus)` is the equation of an area."""

    def both(time, y, stimulus):
        low, high = y.reshape(2, 8)
        sent_low, sent_high = ports(low), ports(high)
        return np.concatenate([one(low, 0.0, sent_high[1], stimulus), one(high, sent_low[0], 0.0, 0.0)])

    y, parts = np.zeros(16), []
    for start, end, stimulus in ((0.0, 0.02, 0.0), (0.02, 0.036, 100.0), (0.036, t[-1], 0.0)):
        solved = solve_ivp(both, (start, end), y, "LSODA", args=(stimulus,), rtol=1e-9, atol=1e-10, dense_output=True)
        y = solved.y[:, -1]
        parts.append(solved.sol(t[(t > start + 1e-9) & (t < end + 1e-9)]))
    return np.concatenate(parts, axis=1).reshape(2, 8, -1)


@pytest.mark.slow
def test_evoked_response_of_two_areas():
    """A stimulus to the lower area: the higher one answers later, and its answer comes back."""
    t = np.arange(1, 4001) * 1e-4
    y = exact(
        lambda y, f, b, stimulus: erp(y, f, b, 0.0, stimulus), lambda y: (32 * S(y[1] - y[2]), 16 * S(y[1] - y[2])), t
    )
    truth = (y[:, 1] - y[:, 2]).T
    net = areas(bm.ERPColumnStep(2), ("rate", "rate"), ("forward", "backward"), (32.0, 16.0))
    run = bm.Simulator(net, dt=0.1 * u.ms).run(400 * u.ms, inputs={"u_inp": PULSE}, monitors=["x0"], seed=0)
    found = np.asarray(run["x0"].to_decimal(mV))
    np.testing.assert_allclose(found, truth, atol=2e-3 * np.abs(truth).max())
    low, high = t[np.abs(truth).argmax(0)] * 1000
    assert 20 < low < high < 150


@pytest.mark.slow
def test_conduction_delays_the_answer_of_the_higher_area():
    net = areas(
        bm.ERPColumnStep(2), ("rate", "rate"), ("forward", "backward"), (32.0, 16.0),
        distance=np.full((2, 2), 16.0) * u.mm, speed=1.0 * u.mm / u.ms,
    )  # fmt: skip
    run = bm.Simulator(net, dt=0.1 * u.ms).run(100 * u.ms, inputs={"u_inp": PULSE}, monitors=["x0"], seed=0)
    low, high = np.abs(np.asarray(run["x0"].to_decimal(mV))).T
    first = [np.flatnonzero(x > 1e-9)[0] * 0.1 for x in (low, high)]
    assert first[0] == pytest.approx(20, abs=1) and first[1] > first[0] + 16


@pytest.mark.slow
def test_evoked_response_of_two_microcircuits():
    """Superficial cells of the lower area drive the higher one, deep cells of that inhibit the lower one."""
    t, sigmoid = np.arange(1, 2001) * 1e-4, lambda v: 1 / (1 + np.exp(-2 / 3 * v)) - 0.5
    y = exact(
        lambda y, f, b, stimulus: microcircuit(y, f, b, (stimulus, 0.0, 0.0, 0.0)),
        lambda y: (200 * sigmoid(y[1]), 200 * sigmoid(y[3])),
        t,
    )
    net = areas(bm.CanonicalMicrocircuitStep(2), ("rate_sp", "rate_dp"), ("forward", "backward"), (200.0, 200.0))
    run = bm.Simulator(net, dt=0.1 * u.ms).run(
        200 * u.ms, inputs={"ss_inp": PULSE}, monitors=["v_ss", "v_sp", "v_ii", "v_dp"], seed=0
    )
    for i, name in enumerate(("v_ss", "v_sp", "v_ii", "v_dp")):
        truth = y[:, i].T
        np.testing.assert_allclose(
            np.asarray(run[name].to_decimal(mV)), truth, atol=3e-3 * np.abs(truth).max(), err_msg=name
        )
