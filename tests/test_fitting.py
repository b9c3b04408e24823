"""Gradient fitting: what it finds, what it keeps, what it refuses."""

import functools
import warnings

import brainstate
import braintools
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import L2Reg, Param, SoftplusT
from braintools.init import Constant

import brainmass as bm

DT = 0.5 * u.ms
TRACES = []


def hopf(a=0.1, **options):
    return bm.HopfStep(2, a=a, w=0.3, init_x=Constant(0.6), init_y=Constant(0.0), method="heun", **options)


def trajectory(model):
    TRACES.append("predict")
    return bm.Simulator(model, dt=DT).run(40 * DT, monitors=["x"])["x"]


@functools.cache
def measured():
    return np.asarray(trajectory(hopf(a=np.array([0.25, -0.1]))))


def trainable(value, **options):
    return Param(jnp.asarray(value), fit=True, **options)


def distance_to(goal):
    """A loss that needs no simulation: how far parameter `a` is from a goal."""

    def loss(model):
        TRACES.append("loss")
        return jnp.mean((model.a.value() - goal) ** 2)

    return loss


def sgd_by_hand(a, goal, rate, n):
    """Losses and values of gradient descent on (a - goal)², in numpy."""
    values, losses = [], []
    for _ in range(n):
        values.append(a)
        losses.append((a - goal) ** 2)
        a = a - rate * 2 * (a - goal)
    return values, losses


def fit(a=0.1, goal=0.5, n_steps=5, rate=0.25, run=None, **options):
    model = hopf(trainable(a))
    fitter = bm.Fitter(model, optax.sgd(rate), loss_fn=distance_to(goal), **options)
    return fitter.fit(n_steps=n_steps, **(run or {}))


# --- what it finds ------------------------------------------------------------------------------------------
@functools.cache
def recovered():
    """A Hopf network fitted to its own trajectory, twice: with how often the prediction was traced."""
    model = hopf(trainable([0.05, 0.05]))
    objective = bm.objectives.timeseries_rmse()
    fitter = bm.Fitter(model, optax.adam(0.02), predict=trajectory, objective=objective, transient=4)
    first = fitter.fit(measured()[4:], n_steps=60)
    before = len(TRACES)
    second = fitter.fit(0 * measured()[4:], n_steps=2)
    return first, second, len(TRACES) - before


@pytest.mark.slow
def test_recovers_the_parameter_of_a_trajectory():
    result, _, _ = recovered()
    np.testing.assert_allclose(result.best_params["a"], [0.25, -0.1], atol=5e-3)
    assert result.best_loss == min(result.history) < 0.02 * result.history[0]
    assert result.n_steps == len(result.history) == 60
    assert result.prediction.shape == (36, 2)
    np.testing.assert_allclose(result.prediction, measured()[4:], atol=0.02)
    assert "FitResult: loss" in repr(result) and "60 steps" in repr(result)


def test_second_fit_compiles_nothing():
    first, second, traces = recovered()
    assert traces == 0
    np.testing.assert_array_equal(first.best_params["a"].shape, second.best_params["a"].shape)
    assert second.history[0] == pytest.approx(float(np.sqrt(np.mean(first.prediction**2))), rel=1e-4)


def test_gradient_descent_by_hand():
    values, losses = sgd_by_hand(0.1, 0.5, 0.25, 5)
    result = fit()
    np.testing.assert_allclose(result.history, losses, rtol=1e-4)
    assert float(result.best_params["a"]) == pytest.approx(values[-1], rel=1e-5)
    assert result.prediction is None


def test_a_changed_model_is_the_one_that_is_fitted():
    """Values of other parameters, and its structure, as they are at the time of the fit."""
    model = hopf(trainable(0.1))
    fitter = bm.Fitter(model, optax.sgd(0.0), loss_fn=lambda m: m.a.value() + m.w.value() + (10 if m.noise_x else 0))
    assert fitter.fit(n_steps=1).best_loss == pytest.approx(0.4)
    for w in 1.0, 2.0:
        model.w.set_value(w)
        assert fitter.fit(n_steps=1).best_loss == pytest.approx(0.1 + w)
    model.noise_x = bm.WhiteNoise(2, sigma=1.0)
    assert fitter.fit(n_steps=1).best_loss == pytest.approx(12.1)


def test_parameters_with_units_and_of_a_network():
    node = bm.MontbrioPazoRoxinStep(3, tau=Param(2.0 * u.ms, fit=True))
    net = bm.Network(node, conn=bm.EdgeWeights(np.ones((3, 3)) - np.eye(3)), coupled_var="r", k=trainable(0.5))

    def loss(model):
        weights = model.coupling.conn.value()
        return (model.node.tau.value().to_decimal(u.ms) - 3.0) ** 2 + jnp.sum((weights - 2.0 * (weights > 0)) ** 2)

    result = bm.Fitter(net, optax.adam(0.1), loss_fn=loss).fit(n_steps=60)
    assert result.best_params.keys() == {"node.tau", "coupling.conn", "coupling.k"}
    assert float(result.best_params["node.tau"].to_decimal(u.ms)) == pytest.approx(3.0, abs=0.05)
    assert result.best_params["k"] is result.best_params["coupling.k"]
    with pytest.raises(KeyError, match="no fitted parameter 'taus'. Did you mean 'tau'"):
        result.best_params["taus"]
    doubled = jax.tree.map(lambda x: 2 * x, result.best_params)
    assert float(doubled["tau"].to_decimal(u.ms)) == pytest.approx(6.0, abs=0.1)
    np.testing.assert_allclose(result.best_params["coupling.conn"], 2.0 * (1 - np.eye(3)), atol=0.05)


@pytest.mark.slow
def test_a_delayed_network_that_has_never_run():
    """Trainable edges and noise parameters reach the initial states inside the trace."""
    noise = bm.OUProcess(2, sigma=trainable(0.2), start="stationary")
    edges = bm.EdgeWeights([[0.0, 1.0], [0.5, 0.0]])
    net = bm.Network(hopf(noise_x=noise), conn=edges, coupled_var="x", distance=np.full((2, 2), 3.0), speed=1.0)

    def loss(model, key):
        return jnp.mean(bm.Simulator(model, dt=DT).run(12 * DT, seed=key, monitors=["x"])["x"] ** 2)

    result = bm.Fitter(net, optax.sgd(0.1), loss_fn=loss).fit(n_steps=2, fresh_noise=False)
    assert result.history[1] < result.history[0]
    assert float(net.node.noise_x.sigma.value()) != pytest.approx(0.2) or result.best_loss == result.history[0]


def test_transforms_keep_the_domain():
    model = hopf(0.1, beta=Param(jnp.array(1.0), t=SoftplusT(0.0), fit=True))
    result = bm.Fitter(model, optax.sgd(5.0), loss_fn=lambda m: m.beta.value()).fit(n_steps=6)
    assert 0.0 < float(result.best_params["beta"]) < 0.05  # pushed towards zero, never beyond
    assert float(model.beta.value()) == pytest.approx(float(result.best_params["beta"]))
    # steps of the parameter before its transform: x - 5 σ(x)
    x = np.log(np.expm1(1.0))
    for _ in range(5):
        x = x - 5.0 / (1.0 + np.exp(-x))
    assert float(result.best_params["beta"]) == pytest.approx(np.log1p(np.exp(x)), rel=1e-3)


def test_regularisation_enters():
    model = hopf(trainable(0.8, reg=L2Reg(0.5)))
    result = bm.Fitter(model, optax.sgd(0.1), loss_fn=distance_to(0.5)).fit(n_steps=80)
    assert result.history[0] == pytest.approx(0.3**2 + 0.5 * 0.8**2, rel=1e-5)
    assert float(result.best_params["a"]) == pytest.approx(0.5 / 1.5, rel=1e-3)  # of (a - ½)² + ½ a²


# --- what it keeps ------------------------------------------------------------------------------------------
def test_best_seen_is_restored():
    """A step too long diverges: the first parameters were the best."""
    model = hopf(trainable(0.1))
    result = bm.Fitter(model, optax.sgd(1.5), loss_fn=distance_to(0.5)).fit(n_steps=4)
    _, losses = sgd_by_hand(0.1, 0.5, 1.5, 4)
    np.testing.assert_allclose(result.history, losses, rtol=1e-4)
    assert losses[-1] > losses[0] and result.best_loss == pytest.approx(losses[0])
    assert float(model.a.value()) == pytest.approx(0.1)


def test_nan_stops_and_keeps_the_best():
    model = hopf(trainable(0.3))
    loss = lambda m: jnp.sqrt(m.a.value()) + 0.0 * m.a.value()  # noqa: E731
    with pytest.warns(RuntimeWarning, match="The loss is nan at step 1: it stops and keeps its best"):
        result = bm.Fitter(model, optax.sgd(1.0), loss_fn=loss).fit(n_steps=10)
    assert result.n_steps == 2 and np.isnan(result.history[1])
    assert result.best_loss == pytest.approx(0.3**0.5) and float(model.a.value()) == pytest.approx(0.3)


def test_callbacks_see_each_step_and_can_stop():
    seen = []

    def stop_at_three(step):
        seen.append(step)
        return step.step == 2

    others = []
    result = fit(n_steps=10, callbacks=[stop_at_three, others.append])
    values, losses = sgd_by_hand(0.1, 0.5, 0.25, 4)
    assert result.n_steps == 3 and len(others) == 2
    assert [s.step for s in seen] == [0, 1, 2]
    np.testing.assert_allclose([s.loss for s in seen], losses[:3], rtol=1e-4)
    np.testing.assert_allclose([s.best_loss for s in seen], losses[:3], rtol=1e-4)
    assert fit(n_steps=3, callbacks=lambda step: None).n_steps == 3


def test_patience():
    assert fit(rate=0.0, n_steps=50, run={"patience": 4}).n_steps == 5  # the first step is an improvement
    _, losses = sgd_by_hand(0.1, 0.5, 0.25, 50)
    big = next(i for i, (a, b) in enumerate(zip(losses, losses[1:], strict=False), 1) if a - b < 1e-3)
    result = fit(n_steps=50, run={"patience": 3, "min_delta": 1e-3})
    assert big < result.n_steps <= big + 5
    assert result.best_loss == min(result.history)


def test_verbose_and_progress(capsys):
    fit(n_steps=20, run={"verbose": True, "progress": True})
    lines = capsys.readouterr().out.splitlines()
    assert 9 <= len(lines) <= 12 and lines[0].startswith("step     0  loss 0.16")


# --- noise --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("fresh", [True, False])
def test_fresh_or_common_noise(fresh):
    model = hopf(trainable(0.0))
    loss = lambda m, key: m.a.value() + jax.random.normal(key)  # noqa: E731
    fitter = bm.Fitter(model, optax.sgd(0.0), loss_fn=loss)
    history = fitter.fit(n_steps=6, seed=3, fresh_noise=fresh).history
    assert len(set(history.tolist())) == (6 if fresh else 1)
    keys = [jax.random.fold_in(jax.random.PRNGKey(3), i if fresh else 0) for i in range(6)]
    np.testing.assert_allclose(history, [jax.random.normal(key) for key in keys], rtol=1e-5)
    np.testing.assert_array_equal(history, fitter.fit(n_steps=6, seed=3, fresh_noise=fresh).history)
    assert not np.allclose(history, fitter.fit(n_steps=6, seed=4, fresh_noise=fresh).history)


@pytest.mark.parametrize("fresh", [True, False])
def test_runs_without_a_seed_follow_the_key_of_the_step(fresh):
    model = hopf(trainable(0.0), noise_x=bm.WhiteNoise(2, sigma=1.0))

    def loss(m):
        simulator = bm.Simulator(m, dt=DT)
        return jnp.mean((simulator.run(2 * DT)["x"] - simulator.run(2 * DT)["x"]) ** 2)  # two runs: two keys

    fitter = bm.Fitter(model, optax.sgd(0.0), loss_fn=loss)
    history = fitter.fit(n_steps=3, seed=3, fresh_noise=fresh).history
    assert len(set(history.tolist())) == (3 if fresh else 1) and np.all(history > 1e-3)
    np.testing.assert_array_equal(history, fitter.fit(n_steps=3, seed=3, fresh_noise=fresh).history)


def test_prediction_is_that_of_the_best_key():
    model = hopf(trainable(0.0))
    predict = lambda m, key: m.a.value() + jax.random.normal(key, (3, 2))  # noqa: E731
    objective = lambda prediction, target: jnp.mean((prediction - target) ** 2)  # noqa: E731
    result = bm.Fitter(model, optax.sgd(0.0), predict=predict, objective=objective).fit(np.zeros((3, 2)), n_steps=5)
    assert float(jnp.mean(result.prediction**2)) == pytest.approx(result.best_loss, rel=1e-5)


# --- optimisers ---------------------------------------------------------------------------------------------
def test_optimiser_of_braintools():
    model, twin = hopf(trainable(0.1)), hopf(trainable(0.1))
    ours = bm.Fitter(model, braintools.optim.Adam(lr=0.05), loss_fn=distance_to(0.5)).fit(n_steps=10)
    optaxs = bm.Fitter(twin, optax.adam(0.05), loss_fn=distance_to(0.5)).fit(n_steps=10)
    np.testing.assert_allclose(ours.history, optaxs.history, rtol=1e-4)


def test_default_optimiser():
    result = bm.Fitter(hopf(trainable(0.1)), loss_fn=distance_to(0.5)).fit(n_steps=3)
    assert float(result.best_params["a"]) == pytest.approx(0.12, abs=1e-4)  # Adam: 1e-2 at each step


# --- refusals -----------------------------------------------------------------------------------------------
def rmse(prediction, target):
    return jnp.mean((prediction - target) ** 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda m: bm.Fitter(hopf(), loss_fn=distance_to(0)), "nothing to fit. Make a parameter trainable.*a, w, beta"),
        (lambda m: bm.Fitter(m, loss_fn=distance_to(0), backend="gradd"), "`backend` of Fitter must be one of"),
        (lambda m: bm.Fitter(m), "either `loss_fn`, or both `predict` and `objective`"),
        (lambda m: bm.Fitter(m, objective=rmse), "either `loss_fn`, or both"),
        (lambda m: bm.Fitter(m, loss_fn=distance_to(0), predict=trajectory, objective=rmse), "either `loss_fn`, or"),
        (
            lambda m: bm.Fitter(m, "adam", loss_fn=distance_to(0)),
            "`optimizer` of Fitter must be an optax or braintools",
        ),
        (lambda m: bm.Fitter(m, loss_fn=distance_to(0)).fit(n_steps=0), "`n_steps` of fit must be a positive int"),
        (lambda m: bm.Fitter(m, loss_fn=distance_to(0)).fit(n_steps=True), "`n_steps` of fit must be a positive int"),
        (
            lambda m: bm.Fitter(m, loss_fn=lambda m: m.a.value() * jnp.ones(3)).fit(),
            r"one number, but has shape \(3,\)",
        ),
        (
            lambda m: bm.Fitter(m, predict=lambda m: m.a.value() * jnp.ones(3), objective=rmse).fit(
                np.array([1.0, np.nan, 0.0])
            ),
            "`target` of fit must be finite",
        ),
        (lambda m: bm.Fitter(m, loss_fn=distance_to(0)).fit(n_steps=1, seed=0.5), "`seed` must be an int"),
        (lambda m: bm.Fitter(m, loss_fn=distance_to(0)).fit(0.5, 1), "`target` of fit has no effect with `loss_fn`"),
        (
            lambda m: bm.Fitter(m, loss_fn=distance_to(0)).check_gradient(0.5),
            "`target` of check_gradient has no effect with `loss_fn`",
        ),
    ],
)
def test_refusals(make, message):
    with warnings.catch_warnings(), pytest.raises((ValueError, TypeError), match=message):
        make(hopf(trainable(0.1)))


def test_model_is_left_concrete_and_usable():
    """No tracer of the fit stays behind."""
    result, _, _ = recovered()
    model = result.model
    assert isinstance(np.asarray(model.a.value()), np.ndarray)
    assert bm.Simulator(model, dt=DT).run(4 * DT)["x"].shape == (4, 2)
    assert isinstance(vars(model)["a"].val, brainstate.State)
