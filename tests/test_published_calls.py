"""Calls of version 0.1.1 of the published package, against closed forms and steps taken by hand."""

import importlib
import re

import brainstate
import brainunit as u
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import Param, SigmoidT
from braintools.init import Constant

import brainmass as bm

DT = 0.1 * u.ms
RAMP = jnp.arange(5.0)


def integrator(n=2, **options):
    """An Euler step adds 0.1 times the input."""
    return bm.LinearStep(n, gamma=0.0, init_x=Constant(0.0), method="euler", **options)


def simulator(model=None):
    return bm.Simulator(model or integrator(), dt=DT)


# --- results --------------------------------------------------------------------------------------------------------
def test_a_result_is_a_mapping_with_time_stamps_that_takes_further_entries(tmp_path):
    result = simulator().run(0.4 * u.ms, inputs=1.0, monitors=["x"])
    np.testing.assert_allclose(result["ts"].to_decimal(u.ms), [0.1, 0.2, 0.3, 0.4], rtol=1e-6)
    assert set(dict(result)) == {name for name, _ in result.items()} == {"x", "ts"}
    result["doubled"] = 2 * result["x"]
    result["note"] = {"of": "x", "weights": (1.0, 2.0)}
    for found in (result, dict(result)):
        np.testing.assert_allclose(found["doubled"][:, 0], [0.2, 0.4, 0.6, 0.8], rtol=1e-6)
    for suffix in ("npz", "nc"):
        if suffix == "nc":
            pytest.importorskip("h5netcdf")
        result.save(tmp_path / f"run.{suffix}")
        loaded = bm.Result.load(tmp_path / f"run.{suffix}")
        np.testing.assert_array_equal(loaded["doubled"], result["doubled"])
        assert loaded["note"] == result["note"] and set(loaded) == {"x", "ts", "doubled", "note"}
    del result["doubled"]
    with pytest.raises(TypeError, match="What a run recorded stays"):
        del result["x"]


def test_output_is_what_update_returns():
    assert simulator().run(0.3 * u.ms, inputs=1.0)["output"].shape == (3, 2)
    run = simulator(bm.HopfStep(2)).run(0.3 * u.ms, seed=0)
    np.testing.assert_array_equal(run["output"][1], run["y"])  # a Hopf step returns the pair (x, y)
    assert run["output"].shape == (3, 2) and len(run["output"]) == 2
    column = simulator(bm.JansenRitStep(2)).run(0.3 * u.ms, seed=0)
    np.testing.assert_allclose(column["output"] / u.mV, (column["E"] - column["I"]) / u.mV, rtol=1e-5, atol=1e-6)


def test_a_function_as_monitors_is_recorded_as_output_whatever_its_shape():
    double = simulator().run(0.3 * u.ms, inputs=1.0, monitors=lambda m: 2 * m.x.value)["output"]
    np.testing.assert_allclose(double[:, 1], [0.2, 0.4, 0.6], rtol=1e-6)
    both = simulator().run(0.3 * u.ms, inputs=1.0, monitors=lambda m: (m.x.value, {"mean": jnp.mean(m.x.value)}))
    np.testing.assert_allclose(both["output"][1]["mean"], [0.1, 0.2, 0.3], rtol=1e-6)


# --- inputs ---------------------------------------------------------------------------------------------------------
def test_input_functions_are_told_apart_by_the_names_of_their_arguments():
    by_step = {
        "i, t": lambda i, t: 1.0 * i,
        "_, t": lambda _, t: t / DT,
        "step, time": lambda step, time: 0.5 * step + 0.5 * time / DT,
        "i, t, a": lambda i, t, a=RAMP: a[i],
        "t": lambda t: t / DT,
        "t, model": lambda t, model: t / DT + 0 * model.x.value,
    }
    for name, function in by_step.items():
        for inputs in function, {"x_inp": function}:
            x = simulator().run(0.5 * u.ms, inputs=inputs, monitors=["x"])["x"][:, 0]
            np.testing.assert_allclose(x, 0.1 * np.cumsum(np.arange(5.0)), rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    "ambiguous",
    [lambda a, b: 0.0, lambda i, model: 0.0, lambda t, i: 0.0, lambda i, t, model: 0.0, lambda: 0.0, lambda x, y: 0.0],
)
def test_an_ambiguous_input_function_is_refused_with_what_to_write(ambiguous):
    with pytest.raises(TypeError, match=r"lambda t: ..., lambda t, model: ... or lambda i, t: ..."):
        simulator().run(0.5 * u.ms, inputs=ambiguous)


def test_a_tuple_of_inputs_is_by_the_position_of_the_arguments_of_update():
    given = simulator(bm.JansenRitStep(1)).run(1 * u.ms, inputs=lambda i, t: (0 * u.mV, 220 * u.Hz), seed=0)
    named = simulator(bm.JansenRitStep(1)).run(1 * u.ms, inputs={"E_inp": 220 * u.Hz}, seed=0)
    np.testing.assert_array_equal(given["E"].mantissa, named["E"].mantissa)


# --- times ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("duration", "said", "steps"),
    [
        (2, r"read as 2 ms: write 2 \* u.ms", 20),
        (0.5, "read as 0.5 ms", 5),
        (np.float32(0.5), "read as 0.5 ms", 5),
        (1.07 * u.ms, r"no multiple of the time step 0.1 ms: it takes 10 steps and ends at 1\. ms", 10),
    ],
)
def test_lengths_that_are_plain_numbers_or_no_multiples_are_read_with_a_warning(duration, said, steps):
    with pytest.warns(UserWarning, match=said) as seen:
        assert simulator().run(duration, monitors=["x"])["x"].shape == (steps, 2)
    assert seen[0].filename == __file__


def test_a_transient_counts_steps_or_is_a_time():
    for transient in 5, 0.5 * u.ms:
        ts = simulator().run(1 * u.ms, monitors=["x"], transient=transient)["ts"]
        np.testing.assert_allclose(ts[0] / u.ms, 0.6, rtol=1e-6)
    with pytest.warns(UserWarning, match="recorded begins after 6 steps"):
        ts = simulator().run(1 * u.ms, monitors=["x"], transient=0.57 * u.ms)["ts"]
    np.testing.assert_allclose(ts[0] / u.ms, 0.7, rtol=1e-6)
    with pytest.raises(u.UnitMismatchError, match="`transient` must be a time"):
        simulator().run(1 * u.ms, transient=0.5)


# --- names ----------------------------------------------------------------------------------------------------------
def test_method_ends_the_positional_arguments():
    start = Constant(0.1)
    assert bm.HopfStep(2, 0.25, 0.2, 1.0, None, None, start, start, "rk4").method == "rk4"
    for name in (info.name for info in bm.list_models() if info.name.endswith("Step")):
        model = getattr(bm, name)
        positional = [p.name for p in model.__signature__.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert positional[-1] == "method", name


def test_module_paths_lead_to_the_same_things():
    for path, names in bm.published.modules.PATHS.items():
        module = importlib.import_module(f"brainmass.{path}")
        for name in names:
            assert getattr(module, name) == getattr(bm, name, getattr(module, name)), (path, name)
    assert importlib.import_module("brainmass.hopf").HopfStep is bm.HopfStep
    assert callable(bm.list_models)  # the module of this name does not take its place
    with pytest.raises(AttributeError, match=r"brainmass.hopf.*it has HopfStep"):
        bm.hopf.HopfStp  # noqa: B018


def test_old_names_warn_and_unknown_ones_are_refused():
    steps = [name for name in bm.__all__ if name.endswith("Step") and name not in ("FitStep", "LargestStep")]
    assert len(steps) == 26
    for step in steps:
        with pytest.warns(DeprecationWarning, match=f"write brainmass.{step}"):
            assert getattr(bm, step.replace("Step", "Model")) is getattr(bm, step)
    with pytest.raises(AttributeError, match="Did you mean 'HopfStep'"):
        bm.HopfStp  # noqa: B018
    assert ".".join(map(str, bm.__version_info__)) == bm.__version__


def test_all_is_what_the_package_offers():
    assert len(set(bm.__all__)) == len(bm.__all__)
    assert all(getattr(bm, name) is not None for name in bm.__all__)
    here = {name for name, thing in vars(bm).items() if getattr(thing, "__module__", "").startswith("brainmass.")}
    assert here - {"published"} <= set(bm.__all__), here - set(bm.__all__)


def test_other_names_of_attributes():
    conn = np.array([[0.0, 2.0], [1.0, 0.0]])
    network = bm.Network(bm.HopfStep(2), conn=conn, coupled_var="x")
    assert (network.n_node, network.coupled_var, network.self_connection) == (2, "x", False)
    layer = bm.HORNSeqLayer(2, 3)
    assert layer.horn is layer.node and layer.h2h is layer.rec and layer.i2h is layer.inp
    info = {m.name: m for m in bm.list_models()}
    assert info["JansenRitStep"].n_state_vars == 6 and info["LinearStep"].n_state_vars == 1
    table = bm.list_models.to_table().splitlines()
    assert table[0].split() == ["name", "category", "#states", "use_case"]
    assert any(re.match(r"HopfStep +phenomenological +2 +onset", line) for line in table)


def test_example_data_have_the_shapes_that_tutorials_rely_on():
    names = {name for name, description in bm.datasets.list_datasets() if description}
    assert {"example_connectome", "example_signal", "delayed_match_task"} <= names
    weights, distances, labels = bm.datasets.load_dataset("example_connectome")
    assert weights.shape == (8, 8) == distances.shape and len(labels) == 8 and distances.unit == u.mm
    off = ~np.eye(8, dtype=bool)
    nearest = (distances / u.mm)[off].min()
    np.testing.assert_allclose(weights[off], np.exp((nearest - (distances / u.mm)[off]) / 40.0))
    signal = bm.datasets.load_dataset("example_signal")
    assert isinstance(signal, bm.datasets.Signal) and signal.signal.shape == (500, 8) and signal.dt == 1.0 * u.ms
    np.testing.assert_allclose(signal.fc, np.corrcoef(signal.signal.T))
    inputs, targets = bm.datasets.load_dataset("delayed_match_task")
    assert inputs.shape == (128, 10, 4) and targets.shape == (128,)


# --- modules wired by hand ------------------------------------------------------------------------------------------
WEIGHTS = np.array([[0.0, 1.0], [2.0, 0.0]])


class Wired(brainstate.nn.Module):
    """Two integrators that receive one another, as scripts wire them."""

    def __init__(self, delay, k=0.5):
        super().__init__()
        self.node = bm.LinearStep(2, gamma=-1.0, init_x=lambda shape: jnp.array([1.0, 3.0]), method="euler")
        delays = (np.full((2, 2), delay) * u.ms, np.tile(np.arange(2), (2, 1)))
        sources = self.node.prefetch_delay("x", delays, init=Constant(0.5)) if delay else self.node.prefetch("x")
        self.coupling = bm.DiffusiveCoupling(sources, self.node.prefetch("x"), WEIGHTS, k=k)

    def update(self):
        return self.node(self.coupling())


def by_hand(delay, k=0.5, steps=12):
    """Euler steps in numpy; up to the start the history of brainstate's prefetch holds 0.5."""
    x, late = [np.array([1.0, 3.0])], round(delay / 0.1)
    for i in range(steps):
        then = x[i - late] if late == 0 or i > late else np.full(2, 0.5)
        drive = k * (WEIGHTS @ then - WEIGHTS.sum(1) * x[i])
        x.append(x[i] + 0.1 * (-x[i] + drive))
    return np.array(x[1:])


X = {"x": lambda model: model.node.x.value}


@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_a_module_wired_by_hand_runs_sweeps_and_is_fitted(delay):
    with brainstate.environ.context(dt=DT):
        sim = bm.Simulator(Wired(delay))
        expected = by_hand(delay)
        np.testing.assert_allclose(sim.run(1.2 * u.ms, monitors=X)["x"], expected, rtol=1e-5)
        second, made = sim.run(1.2 * u.ms, monitors=X)["x"], len(sim._programs)
        np.testing.assert_array_equal(second, sim.run(1.2 * u.ms, monitors=X)["x"])
        assert len(sim._programs) == made  # the same again is not compiled again
        np.testing.assert_allclose(sim.run(1.2 * u.ms)["output"], expected, rtol=1e-5)
        np.testing.assert_allclose(sim.run(1.2 * u.ms, monitors=X, batch_size=2)["x"][:, 1], expected, rtol=1e-5)
        pytest.importorskip("xarray")
        swept = bm.sweep(sim, 1.2 * u.ms, {"coupling.k": [0.0, 0.5]}, monitors=X, measure=lambda r: r["x"][-1])
        np.testing.assert_allclose(swept["measure"][:, 0], [by_hand(delay, k)[-1] for k in (0.0, 0.5)], rtol=1e-5)
        fitted = Wired(delay, k=Param(0.2, fit=True))
        result = bm.Fitter(
            fitted,
            "L-BFGS-B",
            predict=lambda m: bm.Simulator(m).run(1.2 * u.ms, monitors=X)["x"],
            objective=lambda prediction, target: jnp.mean((prediction - target) ** 2),
            backend="scipy",
        ).fit(expected)
    np.testing.assert_allclose(result.best_params["coupling.k"], 0.5, rtol=1e-3)


# --- fits -----------------------------------------------------------------------------------------------------------
def to_one(optimizer=None, at=0.3, transform=None, **options):
    """A fit of `a` to 1, where the loss is 0."""
    transform = {} if transform is None else {"t": transform}
    model = bm.HopfStep(1, a=Param(at, fit=True, **transform))
    return bm.Fitter(model, optimizer, **{"predict": lambda m: m.a.value() * jnp.ones(5), **options})


def test_what_comes_with_the_loss_is_the_prediction():
    fit = to_one(optax.adam(0.1), predict=None, loss_fn=lambda m: ((m.a.value() - 1.0) ** 2, {"a": m.a.value()}))
    result = fit.fit(n_steps=60)
    np.testing.assert_allclose(result.best_params["a"], 1.0, atol=0.02)
    np.testing.assert_allclose(result.prediction["a"], result.best_params["a"], rtol=1e-6)


def test_a_prediction_without_objective_is_compared_by_root_mean_square():
    result = to_one(optax.adam(0.1)).fit(jnp.array([0.3, 0.3, 0.3, 0.3, 1.3]), n_steps=1)
    np.testing.assert_allclose(result.history[0], np.sqrt(1 / 5), rtol=1e-6)


def test_settings_as_a_dictionary_and_bounds_from_the_transform():
    pytest.importorskip("nevergrad")
    fit = to_one({"method": "DE", "n_sample": 6}, transform=SigmoidT(0.05, 3.0), backend="nevergrad")
    result = fit.fit(jnp.ones(5), n_steps=12)
    assert result.histories.shape == (12, 6)
    np.testing.assert_allclose(result.best_params["a"], 1.0, atol=0.3)
    bounds = result.bounds["a"]
    np.testing.assert_allclose([bounds.low, bounds.high], [0.05, 3.0], atol=1e-3)
    with pytest.raises(ValueError, match="may hold method, n_sample, but holds 'budgets'"):
        to_one({"method": "DE", "budgets": 6}, transform=SigmoidT(0.05, 3.0), backend="nevergrad")
    tight = to_one({"method": "L-BFGS-B", "tol": 1e-8, "options": {"maxiter": 1}}, backend="scipy")
    assert tight.fit(jnp.ones(5)).raw.nit == 1


def test_a_minimisation_that_its_steps_end_says_so():
    with pytest.warns(RuntimeWarning, match="Nelder-Mead ended after n_steps=3 evaluations.*in brainmass 0.1.1"):
        to_one("Nelder-Mead", backend="scipy").fit(jnp.ones(5), n_steps=3)
    converged = to_one("Nelder-Mead", backend="scipy").fit(jnp.ones(5), n_steps=400)
    np.testing.assert_allclose(converged.best_params["a"], 1.0, atol=1e-3)


def test_a_callback_reads_by_name():
    seen = []
    fit = to_one(optax.adam(0.1), callbacks=[lambda info: seen.append((info["loss"], info[1], dict(info)["step"]))])
    result = fit.fit(jnp.ones(5), n_steps=3)
    assert [loss for loss, _, _ in seen] == [loss for _, loss, _ in seen] == list(result.history)
    assert [step for _, _, step in seen] == [0, 1, 2]


def test_a_gradient_of_zero_at_the_start_is_said():
    with pytest.warns(RuntimeWarning, match="exactly zero at the start"):
        to_one(optax.adam(0.1), predict=None, loss_fn=lambda m: 1.0 + 0.0 * m.a.value()).fit(n_steps=2)
