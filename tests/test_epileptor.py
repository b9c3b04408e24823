"""The Epileptor against its equations in numpy, scipy's solutions, and the threshold that follows on paper."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import brainmass
from brainmass.models.epileptor.step import EpileptorStep

PER_MS = u.ms**-1
START = [-1.5, -10.0, 3.5, -1.0, 0.0, 0.0]


def rates(t, y, x0):
    """Jirsa et al. 2014, with numbers in place."""
    x1, y1, z, x2, y2, g = (float(x) for x in y)
    f1 = x1**3 - 3 * x1**2 if x1 < 0 else (x2 - 0.6 * (z - 4) ** 2) * x1
    f2 = 0.0 if x2 < -0.25 else 6 * (x2 + 0.25)
    h = 4 * (x1 - x0) - (0.1 * z**7 if z < 0 else 0)
    return [
        y1 - f1 - z + 3.1,
        1 - 5 * x1**2 - y1,
        0.00035 * (h - z),
        -y2 + x2 - x2**3 + 0.45 + 2 * g - 0.3 * (z - 3.5),
        (-y2 + f2) / 10,
        -0.01 * (g - 0.1 * x1),
    ]


@pytest.fixture(scope="module")
def seizures():
    """scipy's solution at x0 = -1.6 over two onsets, and their times: where the permittivity turns upwards."""

    def onset(t, y):
        return rates(t, y, -1.6)[2]

    onset.direction = 1
    times = np.arange(1.0, 2700.0)
    options = {"method": "LSODA", "rtol": 1e-8, "atol": 1e-10, "events": onset, "t_eval": times}
    solved = solve_ivp(lambda t, y: rates(t, y, -1.6), (0, 2700), START, **options)
    return times, solved.y, solved.t_events[0]


def plain(node, y, *inputs):
    """The derivative as numbers per ms."""
    return jnp.stack([d.to_decimal(PER_MS) for d in node.derivative(tuple(y), 0 * u.ms, *inputs)])


def run(node, duration, dt=0.05):
    """Permittivity and local field potential at every step."""

    def step(i):
        lfp = node.update()
        return node.z.value, lfp

    with brainstate.environ.context(dt=dt * u.ms):
        return map(np.asarray, brainstate.transform.for_loop(step, np.arange(round(duration / dt))))


POINTS = np.array(
    [
        [-1.2, 0.3, 1.1, -0.4, 0.9, -0.1],  # x1
        [-8.0, -2.0, -9.0, 1.0, -3.0, 0.4],  # y1
        [3.2, 2.9, 3.6, -0.3, -0.8, 3.1],  # z
        [-1.0, 0.4, -0.3, -0.2, 0.8, -0.5],  # x2
        [0.1, 1.2, 0.0, 0.6, -0.1, 0.3],  # y2
        [-0.1, 0.02, 0.05, -0.07, 0.0, 0.1],  # g
    ]
)


def test_right_hand_side_on_all_branches(x64):
    expected = np.stack([rates(0.0, y, -1.7) for y in POINTS.T], axis=1)
    np.testing.assert_allclose(plain(EpileptorStep(6, x0=-1.7), POINTS, 0.3, -0.2), expected, rtol=1e-12, atol=1e-15)


def test_right_hand_side_with_every_parameter_changed(x64):
    p = {name: spec.default + 0.1 + 0.01 * i for i, (name, spec) in enumerate(EpileptorStep._params.items())}
    c1, c2, add1, add2, m = 0.4, -0.7, 0.06, -0.03, p["modification"]
    expected = []
    for x1, y1, z, x2, y2, g in POINTS.T:
        f1 = -p["a"] * x1**2 + p["b"] * x1 if x1 < 0 else p["slope"] - x2 + 0.6 * (z - 4) ** 2
        f2 = 0.0 if x2 < -0.25 else p["aa"] * (x2 + 0.25)
        linear = 4 * (x1 - p["x0"]) + (-0.1 * z**7 if z < 0 else 0)
        h = m * (p["x0"] + 3 / (1 + np.exp(-(x1 + 0.5) / 0.1))) + (1 - m) * linear
        rhs = [
            y1 - z + p["Iext"] + p["Kvf"] * c1 + f1 * x1,
            p["c"] - p["d"] * x1**2 - y1,
            p["r"] * (h - z + p["Ks"] * c1),
            -y2 + x2 - x2**3 + p["Iext2"] + p["bb"] * g - 0.3 * (z - 3.5) + p["Kf"] * c2,
            (-y2 + f2) / p["tau"],
            -0.01 * (g - 0.1 * x1),
        ]
        expected.append(p["tt"] * np.array(rhs) + [add1, 0, 0, add2, 0, 0])
    found = plain(EpileptorStep(6, **p), POINTS, c1, c2, add1, add2)
    np.testing.assert_allclose(found, np.stack(expected, axis=1), rtol=1e-12)


def test_seizure_against_scipy(seizures, x64):
    """Rest, seizure and rest again: permittivity and discharges, each at its time."""
    times, truth, _ = seizures
    node = EpileptorStep(1, method="rk4")
    node.init_state()
    z, lfp = run(node, 2700)
    every_ms = slice(19, len(times) * 20, 20)
    np.testing.assert_allclose(z[every_ms, 0], truth[2], atol=2e-4)
    apart = np.abs(lfp[every_ms, 0] - (truth[3] - truth[0])) > 0.05  # on the flank of a discharge
    assert apart.mean() < 0.005
    assert np.ptp(truth[3] - truth[0]) > 3


def test_period_of_seizures(seizures, x64):
    """1933.2 ms from one onset to the next."""
    node = EpileptorStep.preset("epileptogenic", 1, method="rk4")
    node.init_state()
    z, _ = run(node, 2700, dt=0.1)
    onsets = [0.1 * (first + np.argmin(z[first:last, 0])) for first, last in ((0, 10_000), (20_000, 27_000))]
    assert np.diff(seizures[2]) == pytest.approx(1933.2, abs=0.1)
    np.testing.assert_allclose(onsets, seizures[2], atol=1.0)


def rest(x0):
    """The state at rest with x1 < -0.25: a cubic on paper, and one for x2 with y2 = 0."""
    x1 = brentq(lambda x: x**3 + 2 * x**2 + 4 * (x - x0) - 4.1, -3, 0, xtol=1e-15)
    z = 4 * (x1 - x0)
    x2 = brentq(lambda x: x - x**3 + 0.45 + 0.2 * x1 - 0.3 * (z - 3.5), -2, -0.6, xtol=1e-15)
    return np.array([x1, 1 - 5 * x1**2, z, x2, 0.0, 0.1 * x1])


def test_rest_and_its_stability(x64):
    """The derivative vanishes at the state found on paper, which loses its stability just above the fold.

    The fast ensemble's equilibria z = 4.1 - x1³ - 2 x1² fold at x1 = -4/3, which gives x0 = -2.062, the critical
    value in Jirsa et al. 2017, NeuroImage 145:377; the finite rate of z shifts the loss of stability by 0.0015.
    """
    fold = -4 / 3
    critical = fold - (4.1 - fold**3 - 2 * fold**2) / 4
    assert critical == pytest.approx(-2.062, abs=5e-4)

    @jax.jit
    def at_rest(x0, y):
        return plain(EpileptorStep(1, x0=x0), y[:, None], 0.0, 0.0)[:, 0]

    for x0, stable in (-2.2, True), (critical - 0.005, True), (critical + 0.005, False), (-1.6, False):
        np.testing.assert_allclose(at_rest(x0, rest(x0)), 0.0, atol=1e-13)
        slopes = np.linalg.eigvals(jax.jacfwd(at_rest, argnums=1)(x0, rest(x0)))
        assert (slopes.real.max() < 0) == stable, x0


def test_silent_below_the_threshold(x64):
    """At x0 = -2.1 and -2.2 it comes to rest and stays there; at -1.6 and -2.0 it seizes."""
    x0 = np.array([-2.2, -2.1, -2.0, -1.6])
    node = EpileptorStep(4, x0=x0, method="rk4")
    node.init_state()
    _, lfp = run(node, 12_000, dt=0.1)
    extent = np.ptp(lfp[50_000:], axis=0)
    assert np.all(extent[:2] < 0.01) and np.all(extent[2:] > 2.5), extent
    for i in 0, 1:
        y = np.array([float(x[i]) for x in node.state_values().values()])
        np.testing.assert_allclose(y, rest(x0[i]), atol=1e-3)


@pytest.mark.slow
def test_local_field_potential_is_what_update_returns():
    node = EpileptorStep(3)
    node.init_state(2)
    np.testing.assert_array_equal(node.lfp(), np.full((2, 3), 0.5))
    with brainstate.environ.context(dt=0.1 * u.ms):
        lfp = node.update()
    np.testing.assert_array_equal(lfp, node.x2.value - node.x1.value)
    np.testing.assert_array_equal(node.activity(), lfp)


WEIGHTS = np.array([[0.0, 0.5, 1.2], [0.3, 0.0, 0.8], [1.0, 0.1, 0.0]])


@pytest.mark.slow
def test_permittivity_coupling(x64):
    """Proix et al. 2014: z_i' = r (h - z_i - K Σ_j w_ij (x1_j - x1_i)), with K = -Ks; the rest is not touched."""
    node = EpileptorStep(3, Ks=-0.7)
    net = brainmass.Network(node, conn=WEIGHTS, coupling="diffusive", coupled_var="x1")
    state = tuple(jnp.asarray(POINTS[:, :3]))
    coupled = jnp.stack([d.to_decimal(PER_MS) for d in net.derivative(state, 0 * u.ms)])
    alone = np.stack([rates(0.0, y, -1.6) for y in POINTS[:, :3].T], axis=1)
    x1 = POINTS[0, :3]
    difference = np.array([sum(WEIGHTS[i, j] * (x1[j] - x1[i]) for j in range(3)) for i in range(3)])
    np.testing.assert_allclose(coupled[2] - alone[2], -0.00035 * 0.7 * difference, rtol=1e-9)
    others = [0, 1, 3, 4, 5]
    np.testing.assert_allclose(coupled[jnp.array(others)], alone[others], rtol=1e-12, atol=1e-15)


def test_seizures_spread_through_the_permittivity(x64):
    """Each epileptogenic region recruits its silent neighbour with Ks < 0, not with Ks = 0 or Ks > 0."""
    Ks = np.repeat([-2.0, 0.0, 2.0], 2)
    node = EpileptorStep(6, x0=np.tile([-1.6, -2.2], 3), Ks=Ks, method="rk4")
    pairs = np.kron(np.eye(3), 1 - np.eye(2))
    net = brainmass.Network(node, conn=pairs, coupling="diffusive", coupled_var="x1")
    brainstate.nn.init_all_states(net)
    with brainstate.environ.context(dt=0.1 * u.ms):
        lfp = np.asarray(brainstate.transform.for_loop(lambda i: net.update(), np.arange(40_000)))
    extent = np.ptp(lfp[10_000:], axis=0)
    assert np.all(extent[[0, 1, 2, 4]] > 2.5) and np.all(extent[[3, 5]] < 0.5), extent


@pytest.mark.parametrize("which, others", [("x1", {"Kvf": 3.0, "tt": 2.0}), ("x2", {"Kf": 3.0, "tt": 2.0})])
def test_noise_adds_to_the_derivative(which, others, x64):
    """A noise without spread is a constant drift, scaled by neither coupling nor clock."""
    moved = []
    for noise in brainmass.GaussianNoise(1, mean=0.3, sigma=0.0), None:
        node = EpileptorStep(1, method="euler", **others, **{f"noise_{which}": noise})
        brainstate.nn.init_all_states(node)
        with brainstate.environ.context(dt=0.1 * u.ms):
            node.update()
        moved.append(getattr(node, which).value)
    np.testing.assert_allclose(moved[0] - moved[1], 0.03, rtol=1e-10)


def test_slopes_are_finite_on_both_sides_of_each_branch():
    """In single precision and far out: no NaN from the branch that is not taken."""
    node = EpileptorStep(1, modification=0.5)

    @jax.jit
    @jax.grad
    def slope(y):
        return jnp.sum(plain(node, y[:, None], 0.0, 0.0))

    for y in ([-40.0, 0, -5.0, -9.0, 0, 0], [0.0, 0, 0.0, -0.25, 0, 0], [40.0, 0, 5.0, 9.0, 0, 0]):
        assert np.all(np.isfinite(slope(jnp.array(y)))), y
