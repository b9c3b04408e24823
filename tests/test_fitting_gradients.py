"""Gradients of a fit: several starts, horizon, forward mode, health, self-check."""

import warnings

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import Param
from braintools.init import Constant

import brainmass as bm
from brainmass._common.precision import matching_precision
from brainmass.simulation import context

DT = 0.5 * u.ms
TRACES = []


def hopf(a=0.1, n=2, **options):
    return bm.HopfStep(n, a=a, w=0.3, init_x=Constant(0.6), init_y=Constant(0.1), method="heun", **options)


def trainable(value):
    return Param(value, fit=True)


def two_valleys(model):
    """Low at 1 and, lower, at -1."""
    TRACES.append("loss")
    a = model.a.value()
    return (a**2 - 1) ** 2 + 0.3 * a


def descent(a, rate, n):
    """Losses of gradient descent on the two valleys, and where it ends, by numpy."""
    losses = []
    for _ in range(n):
        losses.append((a**2 - 1) ** 2 + 0.3 * a)
        a = a - rate * (4 * a * (a**2 - 1) + 0.3)
    return losses, a


# --- several starts -----------------------------------------------------------------------------------------
def test_starts_side_by_side_are_single_descents_and_the_best_wins():
    model = hopf(trainable(0.9), n=1)
    fitter = bm.Fitter(model, optax.sgd(0.05), loss_fn=two_valleys, n_starts=6, search_space={"a": (-1.5, 1.5)})
    result = fitter.fit(n_steps=40, seed=1)
    draws = np.random.default_rng(np.array([0, 1], np.uint32)).uniform(size=5)
    starts = [0.9, *(-1.5 + 3.0 * draws)]
    truth = np.array([descent(a, 0.05, 40)[0] for a in starts]).T
    assert result.histories.shape == (40, 6) and result.grad_norms.shape == (40,)
    np.testing.assert_allclose(result.histories, truth, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(result.history, result.histories.min(axis=1))
    assert float(result.best_params["a"]) == pytest.approx(-1.036, abs=0.01) == float(model.a.value())
    before = len(TRACES)
    fitter.fit(n_steps=2)
    assert len(TRACES) == before


def test_a_start_that_fails_leaves_the_others():
    loss = lambda m: jnp.where(m.a.value() > 0.5, jnp.nan, 1.0) * m.a.value() ** 2  # noqa: E731
    fitter = bm.Fitter(hopf(trainable(0.9), 1), loss_fn=loss, n_starts=4, search_space={"a": (-1.0, 1.0)})
    result = fitter.fit(n_steps=5)
    assert np.isnan(result.histories[:, 0]).all() and np.isfinite(result.history).all()
    assert result.n_steps == 5 and abs(float(result.best_params["a"])) < 0.9


# --- forward mode -------------------------------------------------------------------------------------------
def activity(model):
    return bm.Simulator(model, dt=DT).run(20.0 * u.ms, monitors=["x"])["x"]


def test_forward_and_reverse_mode_agree():
    net = lambda: bm.Network(  # noqa: E731
        hopf(trainable(np.array([0.1, -0.2], np.float32))), conn=np.ones((2, 2)) - np.eye(2), coupled_var="x",
        k=trainable(0.3),
    )  # fmt: skip
    options = dict(loss_fn=lambda m: jnp.mean(activity(m) ** 2))
    fitters = [bm.Fitter(net(), optax.adam(0.05), mode=mode, **options) for mode in ("reverse", "forward")]
    results = [fitter.fit(n_steps=4) for fitter in fitters]
    np.testing.assert_allclose(results[0].grad_norms, results[1].grad_norms, rtol=1e-4)
    for name, value in results[0].best_params.items():
        np.testing.assert_allclose(value, results[1].best_params[name], rtol=1e-4)


# --- horizon ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("horizon", "block"),
    [pytest.param(7, 4, marks=pytest.mark.slow), (5.0 * u.ms, 5), pytest.param(19, None, marks=pytest.mark.slow)],
)
def test_horizon_is_a_loss_over_windows(x64, horizon, block):
    """The gradient of single short runs, each from where the last one ended, taken as constant."""
    with matching_precision():
        model = hopf(trainable(0.1))
    simulator, n = bm.Simulator(model, dt=DT), 19
    window = 10 if isinstance(horizon, u.Quantity) else horizon

    def whole(a):
        run = simulator.pure(n * DT, monitors=["x"], block=block, transient=2, grad_horizon=horizon)
        return jnp.sum(jnp.sin(run({"a": a}, 0)["x"]))

    def windows(a):
        total, state, done = 0.0, None, 0
        while done < n:
            steps = min(window, n - done)
            result = simulator.pure(steps * DT, monitors=["x"])({"a": a}, 0, state)
            total += jnp.sum(jnp.sin(result["x"])[max(0, 2 - done) :])
            state, done = jax.lax.stop_gradient(result.final), done + steps
        return total

    value, slope = jax.value_and_grad(whole)(0.1)
    np.testing.assert_allclose((value, slope), jax.value_and_grad(windows)(0.1), rtol=1e-10)
    tangent = jax.jvp(whole, (0.1,), (1.0,))[1]
    np.testing.assert_allclose(tangent, slope, rtol=1e-10)


def test_horizon_of_one_step_by_hand():
    """Of forward Euler on x' = a x, with y and w at zero: each step alone counts, x² is a sum of (1 + dt a)² x²."""
    dt, start, a, n = 0.1, 0.5, -0.3, 8
    values = dict(a=trainable(a), w=0.0, beta=1e-9, init_x=Constant(start), init_y=Constant(0.0))
    model = bm.HopfStep(1, **values, method="euler")
    fit = bm.Fitter(
        model,
        optax.sgd(0.0),
        loss_fn=lambda m: jnp.sum(bm.Simulator(m, dt=dt * u.ms).run(n * dt * u.ms, monitors=["x"])["x"] ** 2),
        grad_horizon=1,
    ).fit(n_steps=1)
    x = start * (1 + dt * a) ** np.arange(n + 1)
    assert fit.best_loss == pytest.approx(np.sum(x[1:] ** 2), rel=1e-5)
    assert fit.grad_norms[0] == pytest.approx(abs(np.sum(2 * x[1:] * dt * x[:-1])), rel=1e-5)


def test_a_horizon_is_refused_where_it_is_none_and_ends_with_its_context():
    simulator = bm.Simulator(hopf(), dt=DT)
    for horizon in 0, 0.3 * u.ms, "long":
        with pytest.raises((ValueError, u.UnitMismatchError), match="grad_horizon"):
            simulator.run(4 * DT, grad_horizon=horizon)
    slope = lambda: jax.grad(lambda a: jnp.sum(simulator.pure(9 * DT, free=["a"])({"a": a}, 0)["x"]))(0.1)  # noqa: E731
    free = slope()
    with context.within(horizon=2):
        cut = slope()
    assert not np.isclose(cut, free) and slope() == free


# --- health -------------------------------------------------------------------------------------------------
def test_norms_are_told():
    seen = []
    model = hopf(trainable(np.array([0.5, 0.9], np.float32)))
    loss = lambda m: jnp.sum(m.a.value() ** 2)  # noqa: E731
    result = bm.Fitter(model, optax.sgd(0.25), loss_fn=loss, callbacks=seen.append).fit(n_steps=3)
    truth = 2 * np.hypot(0.5, 0.9) * 0.5 ** np.arange(3)
    np.testing.assert_allclose(result.grad_norms, truth, rtol=1e-5)
    np.testing.assert_allclose([step.grad_norm for step in seen], truth, rtol=1e-5)


def test_a_gradient_that_explodes_is_warned_of_once():
    """The logistic map in its chaos: the slope grows as 2 to the power of the number of steps."""

    def logistic(model):
        x = 0.3
        for _ in range(40):
            x = model.a.value() * x * (1 - x)
        return x**2

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        bm.Fitter(hopf(trainable(3.99), 1), optax.sgd(0.0), loss_fn=logistic).fit(n_steps=3)
    texts = [str(w.message) for w in told if w.category is RuntimeWarning]
    assert len(texts) == 1 and "The gradient explodes: its norm is" in texts[0]
    for way_out in "grad_horizon", "clip_by_global_norm", "smoother", "forward", "nevergrad":
        assert way_out in texts[0]


def test_the_first_gradient_that_is_no_number_ends_the_fit():
    model = hopf(trainable(0.0), 1)
    with pytest.warns(RuntimeWarning, match="The gradient is not finite at step 0: it stops and keeps.*grad_horizon"):
        result = bm.Fitter(model, optax.sgd(0.1), loss_fn=lambda m: jnp.sqrt(m.a.value())).fit(n_steps=5)
    assert result.n_steps == 1 and float(model.a.value()) == 0.0


def test_clipping_and_schedules_of_optax():
    schedule = optax.piecewise_constant_schedule(1.0, {2: 0.5})
    optimizer = optax.chain(optax.clip_by_global_norm(0.1), optax.sgd(schedule))
    seen = []
    options = dict(loss_fn=lambda m: m.a.value() ** 2, callbacks=lambda step: seen.append(step.params))
    bm.Fitter(hopf(trainable(2.0), 1), optimizer, **options).fit(n_steps=4)
    np.testing.assert_allclose([float(p["a"]) for p in seen], [1.9, 1.8, 1.75, 1.7], rtol=1e-5)


# --- self-check ---------------------------------------------------------------------------------------------
def test_gradient_is_checked_against_differences():
    eta = np.array([-5.0, -4.0], np.float32)
    node = bm.MontbrioPazoRoxinStep(2, tau=trainable(2.0 * u.ms), eta=trainable(eta))

    def loss(model):
        return jnp.mean(bm.Simulator(model, dt=0.1 * u.ms).run(3.0 * u.ms, seed=2, monitors=["v"])["v"] ** 2)

    check = bm.Fitter(node, loss_fn=loss).check_gradient()
    assert check.ok and check.keys() == {"tau", "eta"}
    assert repr(check).splitlines()[0].split() == ["parameter", "gradient", "differences", "within"]
    assert repr(check).count("agrees") == 2
    truth = jax.grad(lambda tau: loss(bm.MontbrioPazoRoxinStep(2, tau=tau * u.ms, eta=eta)))(2.0)
    assert abs(check["tau"].gradient) == pytest.approx(abs(float(truth)), rel=1e-4)
    assert all(slope.uncertainty < 0.05 * abs(slope.difference) for slope in check.values())


def test_a_gradient_that_is_wrong_is_found():
    loss = lambda m: jnp.sin(m.a.value()) + jax.lax.stop_gradient(m.beta.value() ** 2)  # noqa: E731
    check = bm.Fitter(hopf(trainable(0.4), 1, beta=trainable(0.5)), loss_fn=loss).check_gradient()
    assert not check.ok and check["a"].agrees and not check["beta"].agrees
    assert abs(check["beta"].difference) == pytest.approx(1.0, rel=1e-2) and check["beta"].gradient == 0.0
    assert "DIFFERS" in repr(check).splitlines()[2]
