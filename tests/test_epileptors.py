"""The Epileptor's relatives: thresholds that follow on paper, bifurcations that papers publish, Hopfield's memories."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import brainmass as bm
from brainmass.models.epileptor.unfolding import distance, on_arc, point, resting_x

PER_MS = u.ms**-1


def plain(node, y, *inputs):
    """The derivative as numbers per ms."""
    ports = inputs or (0.0,) * len(node._ports)
    return jnp.stack([d.to_decimal(PER_MS) for d in node.derivative(tuple(jnp.asarray(y)), 0 * u.ms, *ports)])


def rates_and_slopes(model, **others):
    """The derivative of one region, and its Jacobian, as functions of the state and of parameters."""

    def rates(y, parameters):
        return plain(model(1, **others, **parameters), y[:, None])[:, 0]

    return jax.jit(rates), jax.jit(jax.jacfwd(rates))


# --- two states -------------------------------------------------------------------------------------------------------
def test_the_reduction_loses_its_rest_where_the_epileptor_does(x64):
    """x1 folds at -4/3, which is x0 = -2.062 (Jirsa et al. 2017, NeuroImage 145:377); z shifts it by 0.0001."""
    critical = -4 / 3 - (4.1 + (4 / 3) ** 3 - 2 * (4 / 3) ** 2) / 4
    assert critical == pytest.approx(-2.062, abs=5e-4)
    rates, slopes = rates_and_slopes(bm.Epileptor2DStep)
    for x0, stable in (-2.2, True), (critical - 1e-3, True), (critical + 1e-3, False), (-1.6, False):
        x1 = brentq(lambda x, x0=x0: x**3 + 2 * x**2 + 4 * (x - x0) - 4.1, -3, 0, xtol=1e-15)
        rest = np.array([x1, 4 * (x1 - x0)])
        np.testing.assert_allclose(rates(rest, {"x0": x0}), 0.0, atol=1e-13)
        assert (np.linalg.eigvals(slopes(rest, {"x0": x0})).real.max() < 0) == stable, x0


@pytest.mark.slow
def test_it_is_the_epileptor_with_a_settled_recovery(x64):
    """Without its second ensemble, at y1 = c - d x1²."""
    rng = np.random.default_rng(0)
    x1, z = rng.uniform(-2, 1, 20), rng.uniform(-1, 5, 20)
    zero = np.zeros(20)
    whole = plain(bm.EpileptorStep(20, Ks=0.3, Kvf=0.2), [x1, 1 - 5 * x1**2, z, zero, zero, zero], 0.4, 0.0)
    found = plain(bm.Epileptor2DStep(20, Ks=0.3, Kvf=0.2), [x1, z], 0.4, 0.0)
    np.testing.assert_allclose(found, whole[np.array([0, 2])], rtol=1e-12, atol=1e-15)


def test_seizures_with_the_sigmoidal_drive(x64):
    """From x0 = 4.1 - 3/(1 + e^-5) = 1.12, where x1 can fall, to the z of the fold, 2.91, where it can rise."""
    x0 = np.array([1.0, 1.25, 2.8, 3.0])
    node = bm.Epileptor2DStep(4, x0=x0, modification=1.0)
    run = bm.Simulator(node, dt=0.2 * u.ms).run(40 * u.second, transient=20 * u.second, sample_every=10 * u.ms)
    assert ((np.ptp(run["x1"], axis=0) > 2) == [False, True, True, False]).all()


# --- the resting state ------------------------------------------------------------------------------------------------
def test_the_third_population_turns_at_its_hopf_bifurcations(x64):
    """Where 3 x² - 6 x + 1 = 0; the lower one, a = 1.7402, is the working point of Spiegler et al. 2016; at 9.55 Hz."""
    rates, slopes = rates_and_slopes(bm.EpileptorRestingStateStep, x0=-2.2)
    for a, side in (1.7402, -1), (14.2598, 1):
        x = 1 + side * np.sqrt(2 / 3)
        exact = {"a_rs": x**3 - 3 * x**2 + 10 * x}
        assert exact["a_rs"] == pytest.approx(a, abs=1e-4)
        y = np.zeros(8)
        y[6:] = x, x**3 - 3 * x**2
        np.testing.assert_allclose(rates(y, exact)[6:], 0.0, atol=1e-14)
        pair = np.linalg.eigvals(slopes(y, exact)[6:, 6:])
        np.testing.assert_allclose(pair.real, 0.0, atol=1e-12)
        assert 1000 * abs(pair[0].imag) / (2 * np.pi) == pytest.approx(9.549, abs=1e-3)


def test_what_a_region_shows():
    node = bm.EpileptorRestingStateStep(3, share=[0.0, 0.25, 1.0], init_x_rs=lambda shape: jnp.full(shape, 0.4))
    node.init_state()
    np.testing.assert_allclose(node.lfp(), [0.4, 0.25 * 0.5 + 0.75 * 0.4, 0.5], rtol=1e-6)


# --- codimension 3 ----------------------------------------------------------------------------------------------------
START, STOP = point(-0.02285, 0.3448, 0.2014), point(-0.07465, 0.3351, 0.2053)  # Saggio et al. 2017, class c2s
WAY = np.arccos(np.dot(START, STOP) / np.linalg.norm(START) / np.linalg.norm(STOP))


def test_the_path_goes_along_a_great_circle(x64):
    for angle, end in (0.0, START), (WAY, STOP):
        found = np.array(on_arc(START, STOP, angle, 0.4))
        np.testing.assert_allclose(found, 0.4 * np.array(end) / np.linalg.norm(end), rtol=1e-12)
    assert pytest.approx(0.4) == np.linalg.norm(on_arc(START, STOP, 0.7, 0.4))


@pytest.mark.slow
def test_rest_against_the_roots_of_numpy(x64):
    """The largest and the smallest real part of the roots, with one and with three real ones; slopes by differences."""
    rng = np.random.default_rng(1)
    mu1, mu2 = rng.uniform(-0.1, 0.1, 300), rng.uniform(-0.4, 0.4, 300)
    roots = np.array([np.sort(np.roots([1, 0, -b, -a]).real) for a, b in zip(mu1, mu2, strict=True)])
    three = mu1**2 / 4 < mu2**3 / 27
    assert 20 < three.sum() < 280
    for upper, column in (True, 2), (False, 0):
        x = jax.jit(lambda a, b, upper=upper: resting_x(point(a, b, 0.0), upper))
        np.testing.assert_allclose(x(mu1, mu2), roots[:, column], rtol=1e-9, atol=1e-12)
        slope = jax.vmap(jax.grad(x))(mu1, mu2)
        away = np.abs(mu1**2 / 4 - mu2**3 / 27) > 1e-4
        np.testing.assert_allclose(slope[away], (x(mu1 + 1e-6, mu2) - x(mu1 - 1e-6, mu2))[away] / 2e-6, rtol=1e-4)
    assert float(x(0.0, 0.0)) == 0.0
    assert np.isfinite(jax.grad(lambda x: distance(x, x))(0.0)) and np.isfinite(jax.grad(x)(0.0, 0.0))
    at_fold = jnp.float32(2 * (0.3 / 3) ** 1.5)
    assert np.isfinite(jax.grad(x)(at_fold, jnp.float32(0.3))) and np.isfinite(jax.grad(x)(-at_fold, jnp.float32(0.3)))


def fast(z, duration, start):
    """The fast system at a fixed place of the path, by scipy."""
    mu2, minus_mu1, nu = (float(p) for p in on_arc(START, STOP, z, 0.4))

    def rates(t, s):
        return [-s[1], s[0] ** 3 - mu2 * s[0] + minus_mu1 - s[1] * (nu + s[0] + s[0] ** 2)]

    return solve_ivp(
        rates, (0, duration), start, rtol=1e-9, atol=1e-11, t_eval=np.linspace(duration / 2, duration, 4000)
    ).y[0]


@pytest.mark.slow
def test_seizures_begin_at_a_saddle_node_and_end_at_a_saddle_homoclinic(x64):
    """The class of the published points: rest folds at `stop`, the cycle is gone from `start` on, and not before."""
    mu2, minus_mu1, _ = STOP
    assert 27 * minus_mu1**2 == pytest.approx(4 * mu2**3, rel=2e-3)
    upper = float(resting_x(on_arc(START, STOP, WAY - 0.01, 0.4), True))
    assert np.ptp(fast(WAY - 0.005, 2000, [upper, 0.0])) < 0.01  # still at rest
    assert np.ptp(fast(WAY + 0.005, 2000, [upper, 0.0])) > 0.7  # seizes
    focus = float(resting_x(on_arc(START, STOP, 0.0, 0.4), False))  # within the cycle, and unstable
    assert np.ptp(fast(0.01, 4000, [focus + 0.01, 0.0])) > 0.7  # goes on
    assert np.ptp(fast(-0.01, 4000, [focus + 0.01, 0.0])) < 0.01  # has ended


@pytest.mark.slow
def test_a_burster_that_moves_begins_as_one_that_does_not_and_ends_at_its_other_class(x64):
    rng = np.random.default_rng(2)
    x, y, z = rng.uniform(-1, 1, (2, 5)).tolist() + [rng.uniform(0, 0.4, 5)]
    moving = bm.EpileptorCodim3SlowModStep(5)
    p = {name: getattr(moving, name).value() for name in moving._params}
    angle = {
        k: np.arccos(
            np.dot(*(np.array(point(*(p[f"{m}_{k}{at}"] for m in ("mu1", "mu2", "nu")))) / 0.4 for at in ("in", "end")))
        )
        for k in "AB"
    }
    for at, way in ("in", (0.0, 0.0)), ("end", (angle["A"], angle["B"])):
        path = {
            f"{m}_{ours}": p[f"{m}_{end}{at}"]
            for m in ("mu1", "mu2", "nu")
            for ours, end in (("start", "A"), ("stop", "B"))
        }
        fixed = plain(bm.EpileptorCodim3Step(5, c=0.002, **path), [x, y, z])
        found = plain(moving, [x, y, z, np.full(5, way[0]), np.full(5, way[1])])
        np.testing.assert_allclose(found[:3], fixed, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(found[3:], [[1e-4] * 5, [1.2e-4] * 5], rtol=1e-12)


def test_a_seizing_neighbour_moves_the_slow_variable(x64):
    """By -c Ks times the input, and nothing else."""
    y = np.array([[0.3], [0.1], [0.2]])
    for model, more in (bm.EpileptorCodim3Step, 0), (bm.EpileptorCodim3SlowModStep, 2):
        y_more = np.concatenate([y, np.zeros((more, 1))])
        node = model(1, Ks=-0.5, c=0.001)
        change = plain(node, y_more, 0.8, 0.0, 0.0) - plain(node, y_more, 0.0, 0.0, 0.0)
        np.testing.assert_allclose(change[:, 0], [0, 0, 0.0004, *[0] * more], atol=1e-15)


def test_only_two_branches():
    with pytest.raises(ValueError, match="`N` of EpileptorCodim3Step must be .*2.*N=1"):
        bm.EpileptorCodim3Step(1, N=3)


# --- Hopfield ---------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_network_comes_to_rest_at_the_pattern_that_it_started_near(x64):
    """Of orthogonal patterns each overlap at rest solves m = tanh(2 m): 0.95750, as of mean-field theory."""
    m = brentq(lambda m: m - np.tanh(2 * m), 0.1, 1)
    assert m == pytest.approx(0.95750, abs=1e-5)
    n = 64
    hadamard = np.array([[(-1) ** bin(i & j).count("1") for j in range(n)] for i in (5, 18, 43)])
    weights = hadamard.T @ hadamard / n
    for k, pattern in enumerate(hadamard):
        damaged = np.where(np.arange(n) % 5 == k, -pattern, pattern).astype(float)
        node = bm.HopfieldStep(n, init_x=lambda shape, x=damaged: jnp.asarray(x))
        kernel = bm.PreSigmoidalCoupling(H=1.0, Q=0.0, G=2.0, P=1.0, theta=0.0)
        net = bm.Network(node, conn=weights, coupling=kernel, coupled_var="x", self_connection=True)
        end = bm.Simulator(net, dt=0.2 * u.ms).run(40 * u.ms, monitors=["x"], seed=0)["x"][-1]
        np.testing.assert_allclose(end, m * pattern, atol=1e-6)


def test_threshold_follows_its_input(x64):
    node = bm.HopfieldStep(1, tauT=5 * u.ms, init_theta=lambda shape: jnp.ones(shape), method="rk4")
    with brainstate.environ.context(dt=0.1 * u.ms):
        node.init_state()
        for _ in range(50):
            node.update(theta_inp=0.2)
    assert float(node.theta.value[0]) == pytest.approx(0.2 + 0.8 * np.exp(-1), rel=1e-6)
