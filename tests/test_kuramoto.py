"""The Kuramoto network against closed forms, published thresholds and its definition written out in numpy."""

import math

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

import brainmass as bm
from brainmass.models.kuramoto import KuramotoNetwork

RNG = np.random.default_rng(7)
N = 5
W = RNG.uniform(-0.5, 1.5, (N, N))
LAG = RNG.uniform(-1.0, 1.0, (N, N))
OMEGA = RNG.uniform(-0.4, 0.4, N)
START = RNG.uniform(0.0, 6.0, N)
TWO = math.pi / 2  # phases of two oscillators start this far apart
PER_MS = u.ms**-1


def at(values):
    """An initialiser that gives these values."""
    return lambda shape: np.broadcast_to(values, shape)


def pull(theta, conn=None, K=1.0, alpha=0.0, normalize=True, exclude=True):
    """Σ_j by its definition, one pair at a time."""
    n = len(theta)
    lag = np.broadcast_to(np.reshape(alpha, (-1, 1)) if np.ndim(alpha) == 1 else alpha, (n, n))
    weights = np.ones((n, n)) if conn is None else conn
    out = np.zeros(n)
    for i in range(n):
        for j in range(n):
            if not (exclude and i == j):
                out[i] += weights[i, j] * np.sin(theta[j] - theta[i] - lag[i, j])
    return np.broadcast_to(K, n) * out / (n if normalize else 1)


def rate(net, theta, theta_inp=0.0):
    (found,) = net.derivative((jnp.asarray(theta),), 0.0 * u.ms, theta_inp)
    return np.asarray(found.to_decimal(PER_MS))


def unwrapped(theta):
    """Recorded phases as they would have gone on, whole turns included."""
    return np.unwrap(np.asarray(theta, np.float64), axis=0)


def apart(found, expected):
    """Differences of phases, whole turns aside."""
    return np.angle(np.exp(1j * (found - np.asarray(expected))))


def ending(net, duration, dt, **options):
    return np.asarray(
        bm.Simulator(net, dt=dt * u.ms).run(duration * u.ms, seed=0, monitors=["theta"], **options)["theta"]
    )[-1]


# --- the definition ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("exclude", [True, False])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.7, LAG[0], LAG], ids=["none", "scalar", "target", "connection"])
@pytest.mark.parametrize("conn", [None, W], ids=["all", "weights"])
def test_the_coupling_is_its_definition(x64, conn, alpha, normalize, exclude):
    K = np.linspace(0.5, 1.5, N)
    net = KuramotoNetwork(N, OMEGA, K, alpha, conn, normalize, exclude)
    expected = OMEGA + pull(START, conn, K, alpha, normalize, exclude) + 0.3
    np.testing.assert_allclose(rate(net, START, 0.3), expected, rtol=1e-12, atol=1e-13)


def test_a_lag_belongs_to_the_target(x64):
    lag = np.zeros(N)
    lag[2] = 0.5
    changed = rate(KuramotoNetwork(N, K=1.0, alpha=lag), START) - rate(KuramotoNetwork(N, K=1.0), START)
    assert np.flatnonzero(np.abs(changed) > 1e-12).tolist() == [2]


def test_weights_may_be_flat_and_trainable(x64):
    flat = KuramotoNetwork(N, K=1.0, conn=W.ravel())
    trained = KuramotoNetwork(N, K=1.0, conn=brainstate.nn.Param(jnp.asarray(W), fit=True))
    np.testing.assert_allclose(rate(flat, START), rate(trained, START), rtol=1e-5)  # brainstate's Param is float32
    assert len(trained.states(brainstate.ParamState)) == 1


@pytest.mark.slow
def test_the_slope_in_the_lag(x64):
    def total(alpha):
        (found,) = KuramotoNetwork(N, K=0.8, alpha=alpha, conn=W).derivative((jnp.asarray(START),), 0.0 * u.ms)
        return jnp.sum(jnp.sin(found.to_decimal(PER_MS)))

    for alpha in (0.3, LAG):
        slope = np.sum(jax.grad(total)(jnp.asarray(alpha)))
        assert slope == pytest.approx(float(total(alpha + 1e-6) - total(alpha - 1e-6)) / 2e-6, rel=1e-7)


def test_the_last_axis_is_one_network(x64):
    two = KuramotoNetwork((2, N), K=1.0, conn=W)
    theta = np.stack([START, START[::-1]])
    np.testing.assert_allclose(rate(two, theta), [pull(theta[0], W), pull(theta[1], W)], rtol=1e-12)


# --- order of the methods ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("method", "order"), [("exp_euler", 1), ("euler", 1), ("heun", 2), ("rk4", 4)])
def test_order(x64, method, order):
    def motion(t, theta):
        return OMEGA + pull(theta, W, 2.0, LAG[0])

    exact = scipy.integrate.solve_ivp(motion, (0, 4), START, rtol=1e-12, atol=1e-13, method="DOP853").y[:, -1]
    net = KuramotoNetwork(N, OMEGA, 2.0, LAG[0], W, init_theta=at(START), method=method)
    errors = [np.abs(apart(ending(net, 4.0, dt), exact)).max() for dt in (0.1, 0.05)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.3)


def test_inside_a_network(x64):
    """The oscillators' own coupling and that of a connectome add up, at every stage."""
    other = np.array([[0.0, 0.4, 0.0], [0.1, 0.0, 0.3], [0.2, 0.0, 0.0]])
    start, omega = START[:3], OMEGA[:3]

    def motion(t, theta):
        return omega + pull(theta, None, 1.5) + 0.5 * (other * np.sin(theta - theta[:, None])).sum(1)

    exact = scipy.integrate.solve_ivp(motion, (0, 2), start, rtol=1e-12, atol=1e-13).y[:, -1]
    node = KuramotoNetwork(3, omega, 1.5, init_theta=at(start), method="rk4")
    kernel = {"coupling": "kuramoto", "k": 0.5 * 3}  # a mean over the three sources
    net = bm.Network(node, conn=other, coupled_var="theta", **kernel)
    np.testing.assert_allclose(apart(ending(net, 2.0, 0.05), exact), 0, atol=1e-5)
    (found,) = net.derivative((jnp.asarray(start),), 0.0 * u.ms)
    np.testing.assert_allclose(found.to_decimal(PER_MS), motion(0, start), rtol=1e-12)


def test_an_angle_through_a_kernel_that_sees_whole_turns_is_refused():
    for coupling in ("diffusive", "additive", "sigmoidal"):
        with pytest.raises(ValueError, match=r"`theta` of KuramotoNetwork is an angle.*Example: coupling='kuramoto'"):
            bm.Network(KuramotoNetwork(3), conn=np.ones((3, 3)), coupled_var="theta", coupling=coupling)


# --- two oscillators --------------------------------------------------------------------------------------------
def pair(omega, K, alpha=0.0, **options):
    return KuramotoNetwork(2, np.array([omega, 0.0]), K, alpha, init_theta=at([TWO, 0.0]), method="rk4", **options)


def test_two_oscillators_drift_in_closed_form(x64):
    """φ' = Ω - K sin φ with |Ω| > K: tan(φ/2) = K/Ω + s tan(s Ω (t - t0) / 2), s² = 1 - (K/Ω)²."""
    omega, K, duration = 0.5, 0.4, 20.0
    s, ratio = math.sqrt(1 - (K / omega) ** 2), K / omega
    phase0 = math.atan((math.tan(TWO / 2) - ratio) / s)
    theta = unwrapped(bm.Simulator(pair(omega, K), dt=0.02 * u.ms).run(duration * u.ms, seed=0)["theta"])
    times = 0.02 * np.arange(1, len(theta) + 1)
    expected = ratio + s * np.tan(s * omega * times / 2 + phase0)
    difference = theta[:, 0] - theta[:, 1]
    apart = np.angle(np.exp(1j * (difference - 2 * np.arctan(expected))))
    np.testing.assert_allclose(apart, 0.0, atol=1e-8)


@pytest.mark.parametrize("sign", [1, -1])
def test_two_oscillators_lock_if_and_only_if_the_coupling_reaches_the_detuning(sign):
    K = 0.5
    for omega, locks in (0.49, True), (0.51, False):
        theta = unwrapped(bm.Simulator(pair(sign * omega, K), dt=0.1 * u.ms).run(400 * u.ms, seed=0)["theta"])
        difference = theta[:, 0] - theta[:, 1]
        if locks:
            assert difference[-1] == pytest.approx(sign * math.asin(omega / K), abs=1e-3)
        else:
            turns = 400 * math.sqrt(omega**2 - K**2) / (2 * math.pi)
            assert sign * (difference[-1] - difference[0]) / (2 * math.pi) == pytest.approx(turns, abs=1.0)


def test_sakaguchi_lag_slows_the_locked_pair(x64):
    """Identical oscillators with lag α lock in phase at ω - (K/2) sin α."""
    net = KuramotoNetwork(2, 0.3, 0.4, 0.6, init_theta=at([0.5, 0.0]), method="rk4")
    theta = unwrapped(bm.Simulator(net, dt=0.05 * u.ms).run(200 * u.ms, seed=0)["theta"])
    assert theta[-1, 0] - theta[-1, 1] == pytest.approx(0.0, abs=1e-9)
    assert (theta[-1, 0] - theta[-2, 0]) / 0.05 == pytest.approx(0.3 - 0.2 * math.sin(0.6), abs=1e-9)


# --- delays -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("tau", [2.0, 5.0, 9.0])
def test_delayed_pair_locks_at_the_frequency_of_yeung_and_strogatz(x64, tau):
    """In phase, Ω = ω - K sin(Ω τ), stable where cos(Ω τ) > 0; started on that branch's basin."""
    omega, K, dt = 0.3, 0.1, 0.05
    net = KuramotoNetwork(2, omega, K, normalize_by_n=False, init_theta=at([0.2, 0.0]), delay=tau * u.ms, method="heun")
    theta = unwrapped(bm.Simulator(net, dt=dt * u.ms).run(600 * u.ms, seed=0)["theta"])
    found = (theta[-1, 0] - theta[-2, 0]) / dt
    antiphase = math.cos(theta[-1, 0] - theta[-1, 1]) < 0
    side = -1 if antiphase else 1
    assert abs(math.sin(theta[-1, 0] - theta[-1, 1])) < 1e-6
    assert found == pytest.approx(omega - side * K * math.sin(found * tau), abs=1e-5)
    assert side * math.cos(found * tau) > 0
    assert abs(found - omega) > 0.01


@pytest.mark.parametrize("alpha", [0.0, 0.5, LAG], ids=["none", "scalar", "connection"])
def test_each_connection_has_its_own_delay(x64, alpha):
    """Against Heun's method written out with a list of past phases; delays of 0 to 4.4 steps, rounded."""
    dt, n_steps = 0.1, 60
    steps = np.array([[0, 1, 2, 3, 4], [4, 0, 3, 0, 1], [0, 2, 0, 1, 3], [2, 2, 4, 0, 0], [3, 1, 0, 4, 0]])
    delay = (steps + np.where(steps > 0, RNG.uniform(-0.4, 0.4, steps.shape), 0.0)) * dt
    lag = np.broadcast_to(alpha, (N, N))
    weights = 1.2 * W * (1 - np.eye(N)) / N

    def motion(past, theta, later):
        # past[-1] is the start of the step; what left d >= 1 steps ago arrives `later` = 1 at the end of it
        source = np.where(
            steps == 0,
            theta[None, :],
            np.array([[past[-1 - d + later if d else -1][j] for j, d in enumerate(row)] for row in steps]),
        )
        return OMEGA + np.sum(weights * np.sin(source - theta[:, None] - lag), axis=1)

    past = [START] * 6
    for _ in range(n_steps):
        theta = past[-1]
        first = motion(past, theta, 0)
        past.append(theta + dt / 2 * (first + motion(past, theta + dt * first, 1)))
    net = KuramotoNetwork(N, OMEGA, 1.2, alpha, W, init_theta=at(START), delay=delay * u.ms, method="heun")
    assert past[-1].max() > np.pi  # of which a turn is taken away
    np.testing.assert_allclose(apart(ending(net, n_steps * dt, dt), past[-1]), 0, atol=1e-12)


def delayed():
    return KuramotoNetwork(N, OMEGA, 1.2, conn=W, init_theta=at(START), delay=0.3 * u.ms, method="heun")


@pytest.mark.slow
def test_a_delay_works_by_hand(x64):
    net = delayed()
    expected = ending(net, 2.0, 0.1)

    def by_hand():
        brainstate.transform.for_loop(lambda i: net.update(), np.arange(20))
        return np.asarray(net.theta.value)

    with brainstate.environ.context(dt=0.1 * u.ms):
        net.init_state()
        np.testing.assert_allclose(by_hand(), expected, rtol=1e-12)
        assert np.abs(rate(net, net.theta.value) - OMEGA - pull(expected, W, 1.2)).max() > 1e-3
        net.reset_state()
        np.testing.assert_allclose(by_hand(), expected, rtol=1e-12)
        net.init_state(3)
        np.testing.assert_allclose(by_hand(), np.broadcast_to(expected, (3, N)), rtol=1e-12)


@pytest.mark.slow
def test_a_delay_works_in_a_batch_and_in_a_network(x64):
    expected = ending(delayed(), 2.0, 0.1)
    together = ending(delayed(), 2.0, 0.1, batch_size=2)
    np.testing.assert_allclose(together, np.broadcast_to(expected, (2, N)), rtol=1e-12)
    coupled = bm.Network(delayed(), conn=np.zeros((N, N)), coupled_var="theta", coupling="kuramoto")
    np.testing.assert_allclose(ending(coupled, 2.0, 0.1), expected, rtol=1e-12)


def test_a_changed_time_step_is_refused_until_the_delays_are_counted_anew():
    net = KuramotoNetwork(2, K=1.0, delay=1.0 * u.ms)
    with pytest.raises(AttributeError, match="init_all_states"):
        rate(net, np.zeros(2))
    with brainstate.environ.context(dt=0.1 * u.ms):
        net.init_state()
        rate(net, np.zeros(2))
    with brainstate.environ.context(dt=0.2 * u.ms):
        with pytest.raises(RuntimeError, match="set_time_step"):
            net.update()
        net.set_time_step(0.2 * u.ms)
        rate(net, np.zeros(2))


# --- many oscillators -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("K", [0.5, 1.5, 2.0])
def test_onset_of_synchrony_for_lorentzian_frequencies(K):
    """Kuramoto 1975: r = sqrt(1 - K_c / K) above K_c = 2 γ, none below; γ = 0.5/ms, up to terms of order 1/sqrt(N)."""
    n, gamma = 2000, 0.5
    omega = gamma * np.tan(math.pi * ((np.arange(n) + 0.5) / n - 0.5))
    net = KuramotoNetwork(n, RNG.permutation(omega), K)
    run = bm.Simulator(net, dt=0.05 * u.ms).run(
        80 * u.ms, seed=0, transient=40 * u.ms, monitors={"r": lambda m: jnp.abs(m.order_parameter())}
    )
    expected = math.sqrt(max(0.0, 1 - 2 * gamma / K))
    assert np.mean(run["r"]) == pytest.approx(expected, abs=3 / math.sqrt(n))


def test_order_parameter_of_a_batch():
    net = KuramotoNetwork(4, init_theta=at([0.0, math.pi / 2, 0.0, math.pi / 2]))
    net.init_state(2)
    np.testing.assert_allclose(net.order_parameter(), [0.5 + 0.5j, 0.5 + 0.5j], atol=1e-6)


# --- refusals ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"conn": np.ones((3, 4))}, ValueError, r"`conn`.*\(5, 5\).*\(3, 4\)"),
        ({"conn": np.full((5, 5), np.nan)}, ValueError, "`conn`.*finite"),
        ({"alpha": np.ones((3, 3))}, ValueError, r"`alpha`.*\(5, 5\).*\(3, 3\)"),
        ({"delay": 1.0}, u.UnitMismatchError, "`delay`.*time.*5.0 \\* u.ms"),
        ({"delay": -1.0 * u.ms}, ValueError, "`delay`.*>= 0"),
        ({"delay": np.ones(5) * u.ms}, ValueError, r"`delay`.*\(5, 5\).*\(5,\)"),
    ],
)
def test_refusals(options, error, words):
    with pytest.raises(error, match=words):
        KuramotoNetwork(5, **options)
