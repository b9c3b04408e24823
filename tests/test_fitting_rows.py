"""Data of many subjects or windows: minibatches beside least squares by numpy, and beside all rows at once."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import brainmass as bm

TRACES = []
N = 12
RNG = np.random.default_rng(0)
DESIGN = RNG.normal(size=(N, 3, 2)).astype(np.float32)  # of each subject three measurements
TARGET = (DESIGN @ np.array([0.7, -0.4]) + 0.05 * RNG.normal(size=(N, 3))).astype(np.float32)
LEAST = np.linalg.lstsq(DESIGN.reshape(-1, 2), TARGET.ravel())[0]


def hopf(a=(0.0, 0.0)):
    return bm.HopfStep(2, a=np.array(a, np.float32), w=0.3)


def predict(model, key, design):
    TRACES.append("predict")
    return design @ model.a.value()


def squares(prediction, target):
    return jnp.mean((prediction - target) ** 2)


def fitter(optimizer=None, model=None, **options):
    options = {"predict": predict, "objective": squares, "search_space": {"a": bm.Free()}} | options
    return bm.Fitter(hopf() if model is None else model, optimizer or optax.sgd(0.1), **options)


def at(params):
    """The mean loss of all subjects, by numpy."""
    return np.mean((DESIGN @ np.asarray(params) - TARGET) ** 2)


def gradient(a, rows):
    return 2 * np.mean([d.T @ (d @ a - t) / 3 for d, t in zip(DESIGN[rows], TARGET[rows], strict=True)], axis=0)


# --- all rows -----------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_all_rows_are_the_mean_by_hand():
    """Without a batch, and with one that holds all: the plain fit of a loss over all subjects."""

    def whole(prediction, target):
        return jnp.mean((prediction - target) ** 2)

    plain = fitter(predict=lambda m: jnp.asarray(DESIGN) @ m.a.value(), objective=whole).fit(TARGET, n_steps=8)
    rows = fitter().fit(TARGET, data=DESIGN, n_steps=8)
    batch = fitter().fit(TARGET, data=DESIGN, n_steps=8, batch=N)
    np.testing.assert_allclose(rows.history, plain.history, rtol=1e-5)
    np.testing.assert_allclose(batch.history, plain.history, rtol=1e-5)
    np.testing.assert_allclose(rows.best_params["a"], plain.best_params["a"], rtol=1e-5)
    np.testing.assert_allclose(rows.prediction, plain.prediction, rtol=1e-5)
    np.testing.assert_allclose(batch.prediction, plain.prediction, rtol=1e-5)
    np.testing.assert_allclose([batch.best_loss, rows.best_loss], plain.best_loss, rtol=1e-5)


@pytest.mark.parametrize(
    ("backend", "optimizer", "n_steps"),
    [("optimistix", "GaussNewton", 3), pytest.param("scipy", "BFGS", 1, marks=pytest.mark.slow)],
)
def test_other_back_ends_see_all_rows(backend, optimizer, n_steps):
    objective = None if backend == "optimistix" else squares
    result = fitter(optimizer, backend=backend, objective=objective).fit(TARGET, data=DESIGN, n_steps=n_steps)
    np.testing.assert_allclose(result.best_params["a"], LEAST, atol=1e-3)


# --- minibatches --------------------------------------------------------------------------------------------
def steps_of(batch, n_steps, seed=0, rate=0.1):
    """Where each step leads, and the gradient that it took."""
    seen = []
    fitter(optax.sgd(rate), callbacks=lambda s: seen.append(np.asarray(s.params["a"], float))).fit(
        TARGET, data=DESIGN, n_steps=n_steps, batch=batch, seed=seed
    )
    path = np.array([[0.0, 0.0], *seen])
    return path, -np.diff(path, axis=0) / rate


@pytest.mark.parametrize("batch", [5, pytest.param(4, marks=pytest.mark.slow)])
def test_minibatches_of_an_epoch_are_all_rows(batch):
    """Steps too small to move: their gradients average to that of all rows, but differ from one another."""
    n_steps = 3 if batch == 4 else 12  # 12 steps of five rows: five passes through twelve
    _, slopes = steps_of(batch, n_steps, rate=1e-3)
    truth = gradient(np.zeros(2), np.arange(N))
    assert np.abs(slopes.mean(0) - truth).max() < 0.02 * np.abs(truth).max()
    assert np.ptp(slopes, axis=0).min() > 0.1 * np.abs(truth).max()


@pytest.mark.slow
def test_a_minibatch_is_a_mean_over_its_rows():
    """Among all sets of two subjects one, and another at each step, has the gradient that was taken."""
    path, slopes = steps_of(2, 6)
    pairs = [(i, j) for i in range(N) for j in range(i)]
    found = []
    for a, slope in zip(path[:-1], slopes, strict=True):
        distance = [np.abs(gradient(a, list(pair)) - slope).max() for pair in pairs]
        assert min(distance) < 1e-4
        found.append(pairs[int(np.argmin(distance))])
    assert sorted(np.ravel(found)) == list(range(N))
    assert not np.allclose(steps_of(2, 6, seed=1)[0], path)
    np.testing.assert_array_equal(steps_of(2, 6)[0], path)


@pytest.mark.parametrize("n_starts", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_minibatches_come_close_to_least_squares(n_starts):
    schedule = optax.exponential_decay(0.4, 30, 0.5)
    space = {"a": bm.Free() if n_starts == 1 else (-1.0, 1.0)}
    fit = fitter(optax.sgd(schedule), n_starts=n_starts, search_space=space)
    result = fit.fit(TARGET, data=DESIGN, n_steps=120, batch=3)
    np.testing.assert_allclose(result.best_params["a"], LEAST, atol=0.01)
    assert result.best_loss == pytest.approx(at(result.best_params["a"]), rel=1e-4)
    assert result.histories.shape == (120, n_starts) and result.prediction.shape == (N, 3)
    before = len(TRACES)
    fit.fit(TARGET, data=DESIGN, n_steps=6, batch=3)
    assert len(TRACES) == before


@pytest.mark.parametrize("stop", [7, pytest.param(6, marks=pytest.mark.slow)])
def test_a_resumed_fit_sees_the_same_rows(tmp_path, stop):
    whole = fitter(optax.adam(0.1)).fit(TARGET, data=DESIGN, n_steps=11, batch=5)
    first = fitter(optax.adam(0.1))
    first.fit(TARGET, data=DESIGN, n_steps=stop, batch=5)
    first.save(tmp_path / "fit.npz")
    second = fitter(optax.adam(0.1)).fit(TARGET, data=DESIGN, n_steps=11, batch=5, resume=tmp_path / "fit.npz")
    np.testing.assert_array_equal(second.history, whole.history)
    np.testing.assert_array_equal(second.best_params["a"], whole.best_params["a"])
    assert second.best_loss == whole.best_loss
    for other, message in [({"batch": 4}, "another batch: 5 there, 4 here"), ({"data": DESIGN + 1}, "another target")]:
        with pytest.raises(ValueError, match=message):
            fitter(optax.adam(0.1)).fit(
                TARGET, n_steps=11, resume=tmp_path / "fit.npz", **({"data": DESIGN, "batch": 5} | other)
            )


# --- runs ---------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_connectomes_and_noise_of_each_subject():
    """Runs in a batch are the single runs, at a key of their own."""
    weights = RNG.uniform(size=(4, 3, 3)).astype(np.float32)
    node = bm.HopfStep(3, a=-0.1, w=0.3, noise_x=bm.WhiteNoise(3, sigma=0.1))
    net = bm.Network(node, conn=bm.EdgeWeights(np.ones((3, 3))), coupled_var="x", k=0.2)
    simulator = bm.Simulator(net, dt=0.5 * u.ms)

    def simulate(model, key, conn):
        run = bm.Simulator(model, dt=0.5 * u.ms).pure(20 * 0.5 * u.ms, monitors=["x"], free=["coupling.conn"])
        return run({"coupling.conn": conn}, key)["x"]

    fit = bm.Fitter(net, optax.sgd(0.0), predict=simulate, objective=squares, search_space={"node.a": (-1.0, 1.0)})
    target = np.zeros((4, 20, 3), np.float32)
    result = fit.fit(target, data=weights, n_steps=1, batch=2)
    keys = [jax.random.fold_in(jax.random.fold_in(jax.random.PRNGKey(0), 0), i) for i in range(4)]
    run = jax.jit(simulator.pure(20 * 0.5 * u.ms, monitors=["x"], free=["coupling.conn"]))
    single = np.stack([run({"coupling.conn": w}, key)["x"] for w, key in zip(weights, keys, strict=True)])
    np.testing.assert_allclose(result.prediction, single, rtol=1e-4, atol=1e-6)
    assert result.best_loss == pytest.approx(np.mean(single**2), rel=1e-4)


@pytest.mark.slow
def test_each_row_has_a_key_of_its_own():
    """That of row i is folded in from that of the step, by `jax.random`; also where only some rows are seen."""

    def drawn(model, key, row):
        return row + 1e-9 * model.a.value().sum() + jax.random.normal(key, (1,))

    run = {"data": np.zeros((N, 1)), "seed": 3, "n_steps": 1, "fresh_noise": False}
    step = jax.random.fold_in(jax.random.key(3), 0)
    own = np.array([float(jax.random.normal(jax.random.fold_in(step, i), (1,))[0]) for i in range(N)])
    for batch in (None, 5):
        found = fitter(optax.sgd(0.0), predict=drawn).fit(np.zeros((N, 1)), **run, batch=batch)
        np.testing.assert_allclose(found.prediction[:, 0], own, rtol=1e-5)
        assert found.best_loss == pytest.approx(np.mean(own**2), rel=1e-5)
        if batch is None:
            assert found.history[0] == pytest.approx(np.mean(own**2), rel=1e-5)


def test_windows_need_no_data():
    """Targets alone have rows too; a loss of the model alone has data."""
    windows = np.array([0.1, 0.3, 0.8], np.float32)
    fit = bm.Fitter(
        hopf(), optax.sgd(0.5), predict=lambda m: m.w.value(), objective=squares, search_space={"w": bm.Free()}
    )
    assert float(fit.fit(windows, n_steps=30, batch=3).best_params["w"]) == pytest.approx(0.4, abs=1e-4)
    loss = lambda m, key, row: (m.w.value() - row["x"]) ** 2  # noqa: E731
    fit = bm.Fitter(hopf(), optax.sgd(0.5), loss_fn=loss, search_space={"w": bm.Free()})
    assert float(fit.fit(data={"x": windows}, n_steps=30).best_params["w"]) == pytest.approx(0.4, abs=1e-4)


# --- refusals -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"data": DESIGN[:5]}, "one row for each subject or window.*but have 12 in `target`, 5 in `data`"),
        ({"data": DESIGN, "batch": 0}, "`batch` of fit must be an int from 1 to 12, the number of rows, but is 0"),
        ({"data": DESIGN, "batch": 13}, "must be an int from 1 to 12"),
        ({"data": DESIGN, "batch": 2.0}, "must be an int from 1 to 12"),
        ({"data": np.full_like(DESIGN, np.nan)}, "`data` of fit must be finite"),
        ({"target": None, "batch": 2}, "must have one row for each"),
        ({"target": 1.0, "batch": 1}, "must have one row for each"),
    ],
)
def test_refusals(run, message):
    with pytest.raises(ValueError, match=message):
        fitter().fit(**({"target": TARGET} | run))


def test_refusals_of_back_ends_and_functions():
    run = dict(target=TARGET, data=DESIGN)
    with pytest.raises(ValueError, match="`batch` of fit belongs to the back end grad"):
        fitter("BFGS", backend="scipy").fit(**run, batch=2)
    with pytest.raises(ValueError, match="belongs to the back end grad, without a line search"):
        fitter(optax.lbfgs()).fit(**run, batch=2)
    with pytest.raises(TypeError, match="`data` of fit needs a third argument.*predict\\(model, key, data\\)"):
        fitter(predict=lambda m, key: m.a.value()).fit(**run)
