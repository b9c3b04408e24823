"""The phenomenological models against closed forms, published numbers, scipy, and equations written out in numpy."""

import copy

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from braintools.init import Constant
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import ai_zeros

from brainmass import GaussianNoise, Simulator, WhiteNoise
from brainmass.models.fitzhugh_nagumo import FitzHughNagumoStep
from brainmass.models.generic_2d_oscillator import Generic2dOscillatorStep
from brainmass.models.linear import LinearStep
from brainmass.models.lorenz import LorenzStep
from brainmass.models.oscillators.hopf import HopfStep, StuartLandauStep
from brainmass.models.oscillators.van_der_pol import VanDerPolStep
from brainmass.models.threshold_linear import ThresholdLinearStep

PER_MS = u.ms**-1


def started(node, *values):
    """The node with its states at these values."""
    node.init_all_states()
    for name, value in zip(node.state_values(), values, strict=True):
        getattr(node, name).value = jnp.broadcast_to(jnp.asarray(value, getattr(node, name).value.dtype), node.varshape)
    return node


def trajectory(node, n_steps, dt, **inputs):
    """Each state after every step: shape (states, steps, regions)."""

    def step(i):
        node.update(**inputs)
        return tuple(node.state_values().values())

    with brainstate.environ.context(dt=dt * u.ms):
        return np.stack(brainstate.transform.for_loop(step, np.arange(n_steps)))


def rates(node, *values, inputs=None):
    """Rates of change per ms, one row per state; no input unless given."""
    inputs = (0.0,) * len(node._ports) if inputs is None else inputs
    found = node.derivative(tuple(jnp.asarray(x, float) for x in values), 0 * u.ms, *inputs)
    return np.stack([rate.to_decimal(PER_MS) for rate in found])


def field(node):
    """The rates of a single region, per ms, as a function of its states, without input."""

    def rates(state):
        found = node.derivative(tuple(state[:, None]), 0 * u.ms, *(0.0,) * len(node._ports))
        return jnp.concatenate([rate.to_decimal(PER_MS) for rate in found])

    return rates


def jacobian(node, values):
    """Partial derivatives of the rates of a single region, per ms."""
    return jax.jacfwd(field(node))(jnp.asarray(values, float))


def solution(rates, start, duration):
    """The end point that scipy finds."""
    return solve_ivp(rates, (0, duration), start, method="DOP853", rtol=1e-12, atol=1e-13).y[:, -1]


def upward_crossings(x, dt):
    """Times at which a sampled signal passes through zero from below."""
    i = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
    return dt * (i - x[i] / (x[i + 1] - x[i]))


# --- Hopf and Stuart–Landau ---------------------------------------------------------------------------------
@pytest.mark.few(1)
@pytest.mark.parametrize("a, beta", [(0.4, 1.6), (-0.3, 0.7)])
def test_hopf_closed_form(a, beta, x64):
    """r² = a / (β + (a/r0² − β) e^{−2at}), and the phase advances by w t; starts inside and outside the cycle."""
    w, dt, n = 0.9, 0.01, 800
    r0, phase = np.array([0.05, 0.5, 1.8]), np.array([0.3, -2.0, 1.1])
    node = started(HopfStep(3, a=a, w=w, beta=beta, method="rk4"), r0 * np.cos(phase), r0 * np.sin(phase))
    x, y = trajectory(node, n, dt)
    t = dt * np.arange(1, n + 1)[:, None]
    r = np.sqrt(a / (beta + (a / r0**2 - beta) * np.exp(-2 * a * t)))
    np.testing.assert_allclose(x + 1j * y, r * np.exp(1j * (phase + w * t)), atol=1e-9)


def test_hopf_amplitude_and_frequency():
    """In single precision, off the random start of the constructor."""
    node = HopfStep(4, a=[0.1, 0.2, 0.4, 0.8], w=[0.05, 0.1, 0.2, 0.3], beta=2.0, method="rk4")
    node.init_all_states()
    trajectory(node, 3000, 0.1)
    x, y = trajectory(node, 10_000, 0.1)
    np.testing.assert_allclose(np.hypot(x, y), np.broadcast_to(np.sqrt([0.05, 0.1, 0.2, 0.4]), x.shape), rtol=1e-4)
    for i, w in enumerate([0.05, 0.1, 0.2, 0.3]):
        assert 2 * np.pi / np.diff(upward_crossings(x[:, i], 0.1)).mean() == pytest.approx(w, rel=2e-4)


def test_stuart_landau_is_hopf_with_a_saturation_of_one():
    start = np.linspace(-1, 1, 5), np.linspace(0.3, -0.7, 5)
    both = [
        trajectory(started(node, *start), 500, 0.1, x_inp=0.02, y_inp=-0.01)
        for node in (StuartLandauStep(5, 0.3, 0.7), HopfStep(5, 0.3, 0.7, 1.0))
    ]
    np.testing.assert_array_equal(*both)


def test_stuart_landau_radius_and_rates(x64):
    z, inp = np.array([0.3 + 0.8j, -1.1 + 0.2j]), 0.15 - 0.25j
    found = rates(StuartLandauStep(2, a=-0.3, w=0.45), z.real, z.imag, inputs=(inp.real, inp.imag))
    expected = (-0.3 + 0.45j) * z - np.abs(z) ** 2 * z + inp
    np.testing.assert_allclose(found, [expected.real, expected.imag], rtol=1e-13)
    x, y = trajectory(started(StuartLandauStep(1, method="rk4"), 0.01, 0.0), 2000, 0.05)
    assert np.hypot(x, y)[-1, 0] == pytest.approx(0.5, rel=1e-9)  # √0.25


def test_stuart_landau_has_no_saturation_to_set():
    with pytest.raises(TypeError, match="StuartLandauStep has no argument `beta`"):
        StuartLandauStep(1, beta=2.0)


# --- van der Pol --------------------------------------------------------------------------------------------
def van_der_pol_cycle(mu, dt, periods, period):
    """Period and amplitude on the cycle, averaged over some periods, after two for the transient."""
    node = started(VanDerPolStep(1, mu=mu, method="rk4"), 2.0, 2.0 - 8 / 3)
    transient, n = int(max(2 * period, 12 / mu) / dt), int((periods + 1) * period / dt)
    trajectory(node, transient, dt)
    x = trajectory(node, n, dt)[0, :, 0]
    crossings = upward_crossings(x, dt)
    return (crossings[-1] - crossings[0]) / (len(crossings) - 1), x.max()


@pytest.mark.parametrize("mu", [0.1, 0.3])
def test_van_der_pol_nearly_harmonic(mu, x64):
    """Andersen & Geer 1982, SIAM J. Appl. Math. 42:678: ω = 1 − μ²/16 + 17μ⁴/3072; amplitude 2 + μ²/96."""
    period, amplitude = van_der_pol_cycle(mu, 0.005, 5, 2 * np.pi)
    assert 2 * np.pi / period == pytest.approx(1 - mu**2 / 16 + 17 * mu**4 / 3072, abs=1e-4 * mu**6 + 1e-7)
    assert amplitude == pytest.approx(2 + mu**2 / 96, abs=0.002 * mu**4 + 1e-6)


def test_van_der_pol_published_period_and_amplitude(x64):
    """At mu = 1: 6.6633 and 2.0086, as in the tables of the limit cycle; scipy on x'' = (1 − x²) x' − x too."""

    def at_rest(t, s):
        return s[1]

    at_rest.direction = -1
    scalar = solve_ivp(
        lambda t, s: [s[1], (1 - s[0] ** 2) * s[1] - s[0]], (0, 100), [2, 0], events=at_rest, rtol=1e-11, atol=1e-12
    )
    maxima, largest = scalar.t_events[0][-2:], scalar.y_events[0][-1, 0]
    period, amplitude = van_der_pol_cycle(1.0, 0.005, 5, 6.6633)
    assert period == pytest.approx(6.6633, abs=5e-5) and amplitude == pytest.approx(2.0086, abs=5e-5)
    assert period == pytest.approx(np.diff(maxima)[0], abs=1e-5) and amplitude == pytest.approx(largest, abs=1e-5)


@pytest.mark.parametrize("mu, dt", [(20.0, 0.002), (60.0, 0.001)])
def test_van_der_pol_relaxation(mu, dt, x64):
    """T = (3 − 2 ln 2) μ + 3 α μ^{−1/3} + O(ln μ / μ), −α the first zero of Ai (Dorodnitsyn 1947)."""
    expected = (3 - 2 * np.log(2)) * mu - 3 * ai_zeros(1)[0][0] * mu ** (-1 / 3)
    period, amplitude = van_der_pol_cycle(mu, dt, 1, expected)
    assert period == pytest.approx(expected, abs=2 * np.log(mu) / mu)
    assert amplitude == pytest.approx(2, abs=0.01)


def test_van_der_pol_against_the_scalar_equation(x64):
    """x'' = μ (1 − x²) x' − x + I' with an input into x held constant; scipy on (x, x')."""
    mu, x0, v0, T = 2.3, 0.4, -0.7, 9.0
    node = started(VanDerPolStep(1, mu=mu, method="rk4"), x0, x0 - x0**3 / 3 - v0 / mu)
    x, y = trajectory(node, 4500, 0.002)[:, -1, 0]
    truth = solution(lambda t, s: [s[1], mu * (1 - s[0] ** 2) * s[1] - s[0]], [x0, v0], T)
    np.testing.assert_allclose([x, mu * (x - x**3 / 3 - y)], truth, rtol=1e-8)
    np.testing.assert_allclose(
        rates(node, [x0], [v0], inputs=(0.3, -0.2))[:, 0], [mu * (x0 - x0**3 / 3 - v0) + 0.3, x0 / mu - 0.2], rtol=1e-14
    )


# --- FitzHugh–Nagumo ----------------------------------------------------------------------------------------
CLASSIC = {"alpha": 1 / 3, "beta": 0.0, "gamma": 1.0, "delta": -0.7, "epsilon": 0.8, "tau": 12.5 * u.ms}


def classic(in_size=1, **others):
    return FitzHughNagumoStep.preset("classic", in_size, **others)


def fitzhugh(current):
    """V' = V − V³/3 − w + I, 12.5 w' = V + 0.7 − 0.8 w."""
    return lambda t, s: [s[0] - s[0] ** 3 / 3 - s[1] + current, (s[0] + 0.7 - 0.8 * s[1]) / 12.5]


def test_fitzhugh_nagumo_general_rates(x64):
    V, w, tau = np.array([0.4, -1.2]), np.array([0.3, 0.1]), 7.0
    node = FitzHughNagumoStep(2, 2.0, 3.0, -0.4, 0.1, 0.6, tau * u.ms)
    found = rates(node, V, w, inputs=(0.25, -0.05))
    expected = [-2 * V**3 + 3 * V**2 - 0.4 * V - w + 0.25, (V - 0.1 - 0.6 * w) / tau - 0.05]
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_fitzhugh_nagumo_classic_parameters_are_the_general_ones():
    start = np.linspace(-2, 2, 6), np.linspace(0.5, -0.5, 6)
    general = trajectory(started(FitzHughNagumoStep(6, **CLASSIC), *start), 400, 0.1, V_inp=0.5)
    for node in FitzHughNagumoStep(6, tau=12.5 * u.ms, a=0.7, b=0.8), classic(6), classic(6, a=[0.7] * 6, b=[0.8] * 6):
        np.testing.assert_array_equal(trajectory(started(node, *start), 400, 0.1, inp=0.5), general)


def test_fitzhugh_nagumo_the_classic_parameter_not_given(x64):
    only_a, only_b = FitzHughNagumoStep(1, a=0.3), FitzHughNagumoStep(1, b=0.5, tau=9 * u.ms)
    for node, V, w in (only_a, 0.3, 0.8), (only_b, 0.7, 0.5):
        np.testing.assert_allclose([node.p.alpha, node.p.beta, node.p.gamma], [1 / 3, 0, 1], rtol=1e-15)
        np.testing.assert_allclose([-node.p.delta, node.p.epsilon], [V, w], rtol=1e-15)
    assert only_a.p.tau == 20 * u.ms and only_b.p.tau == 9 * u.ms


def test_fitzhugh_nagumo_classic_parameter_as_initialiser_or_trace(x64):
    assert FitzHughNagumoStep(3, a=Constant(0.4)).p.delta == pytest.approx(-0.4)
    slope = jax.grad(
        lambda a: FitzHughNagumoStep(1, a=a).derivative((0.0, 0.0), 0 * u.ms, 0.0, 0.0)[1].to_decimal(PER_MS)
    )
    assert slope(0.7) == pytest.approx(1 / 20)


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ({"a": 0.7, "delta": 0.1}, ValueError, "was given a and delta"),
        ({"a": 0.7, "b": 0.8, "alpha": 3.0, "gamma": 1.0}, ValueError, "was given a, b and alpha, gamma"),
        ({"a": brainstate.nn.Param(0.7)}, TypeError, "fit `delta`"),
        ({"a": 0.7 * u.mV}, u.UnitMismatchError, "`a` of FitzHughNagumoStep"),
        ({"alpha": -1.0}, ValueError, "must be > 0"),
    ],
)
def test_fitzhugh_nagumo_refusals(arguments, error, words):
    with pytest.raises(error, match=words):
        FitzHughNagumoStep(1, **arguments)


def test_fitzhugh_nagumo_one_input_of_two_names():
    node = started(classic(), 0.0, 0.0)
    with brainstate.environ.context(dt=0.1 * u.ms), pytest.raises(TypeError, match="both `V_inp`"):
        node.update(0.5, inp=0.5)


def test_fitzhugh_nagumo_rest(x64):
    """V = −1.1994, w = −0.6243: root of V − V³/3 = (V + 0.7)/0.8; reached from elsewhere."""
    V = brentq(lambda V: V - V**3 / 3 - (V + 0.7) / 0.8, -2, 2, xtol=1e-15)
    w = (V + 0.7) / 0.8
    assert V == pytest.approx(-1.1994, abs=5e-5) and w == pytest.approx(-0.6243, abs=5e-5)
    np.testing.assert_allclose(rates(classic(), [V], [w]), 0, atol=1e-14)
    np.testing.assert_allclose(
        trajectory(started(classic(method="heun"), 1.0, 0.0), 8000, 0.05)[:, -1, 0], [V, w], atol=1e-6
    )


@pytest.mark.slow
def test_fitzhugh_nagumo_window_of_oscillations(x64):
    """The rest state loses its stability where V² = 1 − b/τ: at I = 0.331 and 1.419."""
    edges = []
    for V in -np.sqrt(1 - 0.8 / 12.5), np.sqrt(1 - 0.8 / 12.5):
        w = (V + 0.7) / 0.8
        edges.append(w - V + V**3 / 3)
        eigenvalues = np.linalg.eigvals(jacobian(classic(), [V, w]))
        np.testing.assert_allclose(eigenvalues.real, 0, atol=1e-12)
        assert np.abs(eigenvalues.imag).min() > 0.1
    assert edges == pytest.approx([0.3313, 1.4187], abs=5e-5)
    currents = np.array([0.2, 0.31, 0.35, 0.9, 1.40, 1.44, 1.6])
    node = started(classic(7, method="heun"), -1.0, -0.3)
    trajectory(node, 10_000, 0.1, inp=currents)
    swing = np.ptp(trajectory(node, 2000, 0.1, inp=currents)[0], axis=0)
    np.testing.assert_array_equal(swing > 2.5, (edges[0] < currents) & (currents < edges[1]))
    np.testing.assert_array_less(swing[swing < 2.5], 0.05)


def test_fitzhugh_nagumo_spike_against_scipy(x64):
    """Through one spike of the classic equations."""
    V, w = trajectory(started(classic(method="rk4"), -1.1994, -0.6243), 4000, 0.01, inp=0.5)[..., 0]
    truth = solution(fitzhugh(0.5), [-1.1994, -0.6243], 40.0)
    assert V.max() > 1.5
    np.testing.assert_allclose([V[-1], w[-1]], truth, rtol=1e-7)


# --- generic two-dimensional oscillator ---------------------------------------------------------------------
def test_generic_2d_rates(x64):
    a, b, c, d, e, f, g, alpha, beta, gamma, current, tau = (
        0.7,
        -3.0,
        0.4,
        0.05,
        2.0,
        1.5,
        0.3,
        0.9,
        1.2,
        -0.8,
        0.6,
        1.7,
    )
    V, W, inp = np.array([0.4, -1.2]), np.array([0.3, -0.9]), np.array([0.2, 0.5])
    node = Generic2dOscillatorStep(2, a, b, c, d, e, f, g, alpha, beta, gamma, current, tau)
    dV = d * tau * (-f * V**3 + e * V**2 + g * V + alpha * W + gamma * current + gamma * inp)
    dW = d / tau * (a + b * V + c * V**2 - beta * W)
    np.testing.assert_allclose(rates(node, V, W, inputs=(inp,)), [dV, dW], rtol=1e-13)
    np.testing.assert_allclose(rates(node, V, W, inputs=(inp, 0.3, -0.4)), [dV + 0.3, dW - 0.4], rtol=1e-13)


def test_generic_2d_noise_is_not_scaled(x64):
    """Noise of mean m moves V and W by m dt, where a network input of the same size moves V by d τ γ m dt."""

    def moved(noise=None, **inputs):
        node = Generic2dOscillatorStep(
            1, d=0.05, tau=2.0, gamma=3.0, noise_V=noise, noise_W=copy.deepcopy(noise), method="euler"
        )
        return trajectory(started(node, 0.2, -0.1), 1, 0.1, **inputs)[:, 0, 0]

    still = moved()
    np.testing.assert_allclose(moved(GaussianNoise(1, mean=0.4, sigma=0.0)) - still, [0.04, 0.04], rtol=1e-12)
    np.testing.assert_allclose(moved(V_inp=0.4) - still, [0.05 * 2 * 3 * 0.04, 0.0], rtol=1e-12)


def fixed_points(a, b, c):
    """(V, W) where 3V² − V³ + W = 0 and W = a + bV + cV², in rising order of V."""
    roots = np.roots([-1, 3 + c, b, a])
    V = np.sort(roots[np.abs(roots.imag) < 1e-9].real)
    return [(V, a + b * V + c * V**2) for V in V]


def character(node, point):
    eigenvalues = np.linalg.eigvals(jacobian(node, point))
    if np.prod(eigenvalues).real < 0:
        return "saddle"
    kind = "focus" if np.abs(eigenvalues.imag).max() > 0 else "node"
    return f"{'stable' if eigenvalues.real.max() < 0 else 'unstable'} {kind}"


@pytest.mark.parametrize(
    "preset, coefficients, characters",
    [
        ("excitable", (-2.0, -10.0, 0.0), ["stable focus"]),
        ("bistable", (1.0, 0.0, -5.0), ["stable node", "saddle", "unstable focus"]),
        ("morris_lecar", (0.5, 0.6, -4.0), ["stable node", "saddle", "unstable focus"]),
    ],
)
def test_generic_2d_fixed_points(preset, coefficients, characters, x64):
    node = Generic2dOscillatorStep.preset(preset, 1)
    points = fixed_points(*coefficients)
    for V, W in points:
        np.testing.assert_allclose(rates(node, [V], [W]), 0, atol=1e-13)
    assert [character(node, point) for point in points] == characters


def test_generic_2d_bistable(x64):
    """A stable node at V = −(1 + √5)/2 beside a limit cycle around (√5 − 1)/2, also for scipy."""
    phi = (1 + np.sqrt(5)) / 2
    np.testing.assert_allclose([V for V, _ in fixed_points(1.0, 0.0, -5.0)], [-phi, -1, 1 / phi], rtol=1e-12)
    V0, W0 = np.array([-3.0, 0.6, 2.0, 3.0]), np.array([0.0, -0.9, -1.0, -20.0])
    node = started(Generic2dOscillatorStep.preset("bistable", 4, method="rk4"), V0, W0)
    trajectory(node, 12_000, 0.5)
    V, W = trajectory(node, 2000, 0.5)  # more than a period
    np.testing.assert_allclose(V[:, 2:], -phi, atol=3e-4)
    np.testing.assert_allclose(W[:, 2:], 1 - 5 * phi**2, atol=5e-3)
    cycle = solve_ivp(
        lambda t, s: [0.02 * (-(s[0] ** 3) + 3 * s[0] ** 2 + s[1]), 0.02 * (1 - 5 * s[0] ** 2 - s[1])],
        (0, 6000),
        [0.0, 0.0],
        rtol=1e-10,
        atol=1e-12,
        t_eval=np.arange(5000, 6000, 0.5),
    ).y[0]
    for i in 0, 1:
        assert [V[:, i].min(), V[:, i].max()] == pytest.approx([cycle.min(), cycle.max()], abs=1e-3)
    assert cycle.max() - cycle.min() > 2.5


def test_generic_2d_excitable_oscillates_at_a_positive_a():
    node = started(Generic2dOscillatorStep.preset("excitable", 2, a=[-2.0, 2.0], method="rk4"), 0.0, 0.0)
    trajectory(node, 8000, 0.5)
    swing = np.ptp(trajectory(node, 2000, 0.5)[0], axis=0)
    assert swing[0] < 1e-4 and swing[1] > 1


def test_generic_2d_morris_lecar_threshold_is_the_saddle(x64):
    """At the W of the saddle: below its V the state goes back, above it fires; both come to rest at the node."""
    (rest, _), (threshold, W), _ = fixed_points(0.5, 0.6, -4.0)
    node = started(
        Generic2dOscillatorStep.preset("morris_lecar", 2, method="rk4"), threshold + np.array([-0.1, 0.1]), W
    )
    V = trajectory(node, 16_000, 0.25)[0]
    assert V[:, 0].max() < threshold and V[:, 1].max() > 1.5
    np.testing.assert_allclose(V[-1], rest, atol=0.01)


def test_generic_2d_against_scipy(x64):
    node = started(Generic2dOscillatorStep(1, tau=1.4, e=2.5, I=0.3, method="rk4"), 0.5, -0.3)
    truth = solution(
        lambda t, s: [
            0.02 * 1.4 * (-(s[0] ** 3) + 2.5 * s[0] ** 2 + s[1] + 0.3),
            0.02 / 1.4 * (-2 - 10 * s[0] - s[1]),
        ],
        [0.5, -0.3],
        200.0,
    )
    np.testing.assert_allclose(trajectory(node, 2000, 0.1)[:, -1, 0], truth, rtol=1e-8)


# --- Lorenz -------------------------------------------------------------------------------------------------
def lorenz(t, s):
    return [10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8 / 3 * s[2]]


def test_lorenz_rates_and_divergence(x64):
    point = np.array([1.3, -2.1, 17.0])
    found = rates(LorenzStep(1, 9.0, 30.0, 2.5), *point[:, None], inputs=(0.6,))[:, 0]
    x, y, z = point
    np.testing.assert_allclose(found, [9 * (y - x) + 0.6, x * (30 - z) - y, x * y - 2.5 * z], rtol=1e-14)
    assert np.trace(jacobian(LorenzStep(1), point)) == pytest.approx(-(10 + 1 + 8 / 3))


def test_lorenz_fixed_points(x64):
    """x = y = ±√(β(ρ − 1)), z = ρ − 1, with eigenvalues −13.855 and 0.094 ± 10.195 i."""
    side = np.sqrt(8 / 3 * 27)
    for x in 0.0, side, -side:
        np.testing.assert_allclose(rates(LorenzStep(1), [x], [x], [27.0 if x else 0.0]), 0, atol=1e-13)
    for x in side, -side:
        eigenvalues = np.sort_complex(np.linalg.eigvals(jacobian(LorenzStep.preset("chaotic", 1), [x, x, 27.0])))
        np.testing.assert_allclose(eigenvalues, [-13.8546, 0.09396 - 10.1945j, 0.09396 + 10.1945j], atol=5e-5)
    origin = np.sort(np.linalg.eigvals(jacobian(LorenzStep(1), [0.0, 0.0, 0.0])).real)
    np.testing.assert_allclose(origin, np.sort([-8 / 3, *np.roots([1, 11, -270])]), rtol=1e-12)


def test_lorenz_convection_becomes_unstable(x64):
    """Subcritical Hopf bifurcation at ρ = σ(σ + β + 3)/(σ − β − 1) = 24.74 (Lorenz 1963)."""
    critical = 10 * (10 + 8 / 3 + 3) / (10 - 8 / 3 - 1)
    assert critical == pytest.approx(24.74, abs=5e-3)
    for rho, sign in (critical - 0.01, -1), (critical + 0.01, 1):
        x = np.sqrt(8 / 3 * (rho - 1))
        growth = np.linalg.eigvals(jacobian(LorenzStep(1, rho=rho), [x, x, rho - 1])).real.max()
        assert np.sign(growth) == sign and abs(growth) < 1e-3


def test_lorenz_trajectory_against_scipy(x64):
    node = LorenzStep(1, method="rk4")
    node.init_all_states()
    end = trajectory(node, 5000, 0.001)[:, -1, 0]
    np.testing.assert_allclose(end, solution(lorenz, [1.0, 1.0, 1.0], 5.0), rtol=1e-6)


def test_lorenz_lyapunov_exponents(x64):
    """0.906, 0, −14.572 (Sprott 2003, Chaos and Time-Series Analysis), by QR of the flow's linearisation.

    Mean over 200 orbits of 150 ms each; their sum is the divergence.
    """
    flow, dt = field(LorenzStep(1)), 0.01

    def both(state, tangent):
        return flow(state), jax.jacfwd(flow)(state) @ tangent

    def rk4(pair, _):
        k1 = both(*pair)
        k2 = both(*(x + dt / 2 * k for x, k in zip(pair, k1, strict=True)))
        k3 = both(*(x + dt / 2 * k for x, k in zip(pair, k2, strict=True)))
        k4 = both(*(x + dt * k for x, k in zip(pair, k3, strict=True)))
        new = (x + dt / 6 * (a + 2 * b + 2 * c + d) for x, a, b, c, d in zip(pair, k1, k2, k3, k4, strict=True))
        return tuple(new), None

    def stretch(pair, _):
        state, tangent = jax.lax.scan(rk4, pair, None, length=20)[0]
        q, r = jnp.linalg.qr(tangent)
        return (state, q), jnp.log(jnp.abs(jnp.diag(r))) / (20 * dt)

    @jax.jit
    @jax.vmap
    def exponents(start):
        settled = jax.lax.scan(stretch, (start, jnp.eye(3)), None, length=100)[0]
        return jax.lax.scan(stretch, settled, None, length=750)[1].mean(0)

    found = exponents(np.random.default_rng(1).normal([0, 0, 25], 5, (200, 3)))
    np.testing.assert_allclose(np.mean(found, 0), [0.906, 0, -14.572], atol=0.01)  # standard errors 0.001
    np.testing.assert_allclose(found.sum(1), -(10 + 1 + 8 / 3), rtol=1e-4)


# --- threshold-linear ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("state, gain, tau", [("E", 0.066, 20.0), ("I", 0.351, 10.0)])
def test_threshold_linear_relaxes_to_gain_times_input(state, gain, tau, x64):
    """β[inp]₊ + (start − β[inp]₊) e^{−t/τ}, exactly at any step of 'exp_euler'."""
    start, inp = np.array([0.0, 5.0, 5.0, 0.3]), np.array([100.0, 100.0, -40.0, 0.0])
    node = started(ThresholdLinearStep(4, method="exp_euler"), start, start)
    path = trajectory(node, 40, 4.0, **{f"{state}_inp": inp})["EI".index(state)]
    t = 4.0 * np.arange(1, 41)[:, None]
    steady = gain * np.maximum(inp, 0)
    np.testing.assert_allclose(path, steady + (start - steady) * np.exp(-t / tau), rtol=1e-12, atol=1e-15)


def test_threshold_linear_rates(x64):
    E, I, inp = np.array([2.0, 0.5]), np.array([1.0, 3.0]), np.array([30.0, -10.0])  # noqa: E741
    node = ThresholdLinearStep(2, 15 * u.ms, 8 * u.ms, 0.1, 0.3)
    expected = [(-E + 0.1 * np.maximum(inp, 0)) / 15, (-I + 0.3 * np.maximum(2 * inp, 0)) / 8]
    np.testing.assert_allclose(rates(node, E, I, inputs=(inp, 2 * inp)), expected, rtol=1e-14)


def test_threshold_linear_stays_above_zero_under_noise():
    noise = WhiteNoise(50, sigma=30.0)
    node = ThresholdLinearStep(50, noise_E=noise, noise_I=WhiteNoise(50, sigma=30.0))
    node.init_all_states()
    E, I = trajectory(node, 2000, 0.5)  # noqa: E741
    assert E.min() >= 0 and I.min() >= 0 and E[-1].min() > 0


# --- linear -------------------------------------------------------------------------------------------------
def test_linear_is_exact_at_any_step(x64):
    """(x0 + I/γ) e^{γt} − I/γ; x0 + I t for γ = 0; growth for γ > 0."""
    gamma, inp = np.array([-10.0, -0.3, 0.2]), 0.7
    node = LinearStep(4, gamma=[*gamma, 0.0])
    node.init_all_states()
    x = trajectory(node, 12, 0.5, x_inp=inp)[0]
    t = 0.5 * np.arange(1, 13)[:, None]
    np.testing.assert_allclose(x[:, :3], (0.01 + inp / gamma) * np.exp(gamma * t) - inp / gamma, rtol=1e-12)
    np.testing.assert_allclose(x[:, 3:], 0.01 + inp * t, rtol=1e-12)


def test_linear_variance_under_white_noise():
    """The stationary variance of dx = γx dt + σ dW is −σ²/(2γ)."""
    node = LinearStep(2000, gamma=-0.2, noise_x=WhiteNoise(2000, sigma=0.3))
    node.init_all_states()
    x = trajectory(node, 400, 0.1)[0, -1]
    assert np.var(x) == pytest.approx(0.3**2 / 0.4, rel=0.12)


# --- the examples of the documentation that users know ------------------------------------------------------
def test_example_hopf():
    brainstate.environ.set(dt=0.1 * u.ms)
    hopf = HopfStep(in_size=5, w=0.1, a=0.1)
    hopf.init_all_states()
    x, y = brainstate.transform.for_loop(lambda i: hopf.update(), jnp.arange(1000))
    assert x.shape == y.shape == (1000, 5)
    np.testing.assert_allclose(np.hypot(x, y)[-1], np.sqrt(0.1), rtol=0.05)


def test_example_fitzhugh_nagumo():
    brainstate.environ.set(dt=0.1 * u.ms)
    fhn = FitzHughNagumoStep(in_size=1, tau=12.5 * u.ms, a=0.7, b=0.8)
    fhn.init_all_states()
    start = [float(x[0]) for x in fhn.state_values().values()]
    output = fhn.update(inp=0.5)
    assert output.shape == (1,)
    assert float(output[0]) == pytest.approx(solution(fitzhugh(0.5), start, 0.1)[0], abs=1e-3)


@pytest.mark.parametrize(
    "make, dt, duration, rows",
    [
        (lambda: Generic2dOscillatorStep(in_size=1, a=1.0, b=0.0, c=-5.0, d=0.02), 0.1, 200.0, 2000),
        (lambda: LorenzStep(in_size=1, sigma=10.0, rho=28.0), 0.01, 5.0, 500),
        (lambda: LinearStep(in_size=1, gamma=-10.0), 0.1, 20.0, 200),
    ],
    ids=["generic_2d", "lorenz", "linear"],
)
def test_example_simulator(make, dt, duration, rows):
    """With a step of its own, other than that of the environment."""
    brainstate.environ.set(dt=0.1 * u.ms)
    node = make()
    node.init_all_states()
    first = node.state_values()
    out = Simulator(node, dt=dt * u.ms).run(duration * u.ms, monitors=list(first))
    for name, value in first.items():
        assert out[name].shape == (rows, 1) and np.all(np.isfinite(out[name]))
        assert not np.array_equal(out[name][-1], value)
