"""Calls of version 0.1.1 of the published package, against closed forms and steps taken by hand."""

import importlib
import re

import brainstate
import braintools
import brainunit as u
import jax
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


@pytest.mark.parametrize("what", [lambda m: m.noise(), lambda m: brainstate.random.randn(2)])
def test_a_monitor_that_draws_is_refused_and_an_update_that_draws_is_recorded(what):
    class Samples(brainstate.nn.Module):
        def __init__(self):
            super().__init__()
            self.noise = bm.GaussianNoise(2, sigma=0.3)

        def update(self):
            return self.noise()

    with pytest.raises(ValueError, match="`monitors` must read the model without drawing .*Example: "):
        simulator(Samples()).run(0.3 * u.ms, monitors=what)
    drawn = simulator(Samples()).run(400 * u.ms, monitors=None)["output"]
    assert drawn.shape == (4000, 2)
    np.testing.assert_allclose(np.std(drawn, axis=0), 0.3, rtol=0.06)  # over five standard errors


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
    assert len(steps) >= 26
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
    assert layer.horn is layer.node and layer.h2h is layer.rec and layer.i2h is layer.inp and layer.n_hidden == 3
    network = bm.HORNSeqNetwork(2, 3, 4)
    assert network.h2o is network.readout
    from brainmass.coupling import AdditiveConn

    assert AdditiveConn is bm.horn.AdditiveConn
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


@pytest.mark.few(1)
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


# --- a node of one's own -----------------------------------------------------------------------------------------
class Own(brainstate.nn.Dynamics):
    """Decays at a rate g, with a second input."""

    def __init__(self):
        super().__init__(2)
        self.g = Param(1.0, fit=True)

    def init_state(self, batch_size=None, **kwargs):
        self.x = brainstate.HiddenState(jnp.array([1.0, 3.0]))

    def update(self, received=0.0, other=0.0):
        self.x.value = self.x.value + 0.1 * (received - self.g.value() * self.x.value) + other
        return self.x.value


@pytest.mark.few(1)
@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_a_network_of_a_node_of_ones_own_runs_and_is_fitted(delay):
    past = {} if delay == 0 else {"distance": np.full((2, 2), 0.6), "speed": 2.0, "delay_init": Constant(0.5)}
    with brainstate.environ.context(dt=DT):
        network = bm.Network(Own(), conn=WEIGHTS + 9.0 * np.eye(2), coupled_var="x", k=0.5, **past)
        sim, expected = bm.Simulator(network), by_hand(delay)
        assert network.n_node == 2
        np.testing.assert_allclose(sim.run(1.2 * u.ms, monitors=X, seed=0)["x"], expected, rtol=1e-5)
        pushed = sim.run(0.1 * u.ms, inputs=lambda i, t: 1.0, seed=0)["output"]
        np.testing.assert_allclose(pushed[0], expected[0] + 1.0, rtol=1e-5)  # the input after the coupling
        network.node.g.set_value(jnp.asarray(2.0))
        fit = bm.Fitter(network, "L-BFGS-B", predict=lambda m: bm.Simulator(m).run(1.2 * u.ms, monitors=X)["x"],
                        objective=lambda x, target: jnp.mean((x - target) ** 2), backend="scipy")  # fmt: skip
        np.testing.assert_allclose(fit.fit(expected).best_params["node.g"], 1.0, rtol=1e-3)


def test_a_network_of_a_node_of_ones_own_checks_what_it_is_given():
    with brainstate.environ.context(dt=DT):
        with pytest.raises(ValueError, match=r"`conn` of Network must be square .*\(2, 2\), but has shape \(3, 3\)"):
            bm.Network(Own(), conn=np.ones((3, 3)), coupled_var="x")
        with pytest.raises(ValueError, match="`speed` of Network needs the lengths"):
            bm.Network(Own(), conn=WEIGHTS, coupled_var="x", speed=1.0)
        with pytest.raises(ValueError, match="`self_connection` of Network must be True for trainable weights"):
            bm.Network(Own(), conn=Param(WEIGHTS), coupled_var="x")
    with pytest.raises(TypeError, match="`node` of Network must be a NeuralMassDynamics model"):
        bm.Network(3, conn=WEIGHTS, coupled_var="x")


def test_nodes_of_ones_own_under_keys():
    class Two(brainstate.nn.Module):
        def __init__(self):
            super().__init__()
            self.nodes = {"first": Own(), "second": Own()}

        def update(self):
            return self.nodes["second"](self.nodes["first"]())

    x = bm.Simulator(Two(), dt=DT).run(0.2 * u.ms, monitors={"x": lambda m: m.nodes["second"].x.value}, seed=0)["x"]
    first = np.array([1.0, 3.0]) * np.array([[0.9], [0.81]])
    second = 0.9 * np.array([1.0, 3.0]) + 0.1 * first[0]
    np.testing.assert_allclose(x, [second, 0.9 * second + 0.1 * first[1]], rtol=1e-5)


# --- weights -----------------------------------------------------------------------------------------------------
def test_flat_weights_are_read_row_by_row():
    x = np.array([1.0, 3.0])
    for made in bm.AdditiveCoupling(conn=WEIGHTS.ravel()), bm.AdditiveCoupling(conn=jnp.asarray(WEIGHTS).ravel()):
        np.testing.assert_allclose(made(x), WEIGHTS @ x)
    np.testing.assert_allclose(bm.additive_coupling(x, WEIGHTS.ravel()), WEIGHTS @ x)
    network = bm.Network(bm.HopfStep(2), conn=WEIGHTS.ravel(), coupled_var="x")
    np.testing.assert_array_equal(network.conn.value(), WEIGHTS)
    with pytest.raises(ValueError, match=r"`conn` of Network must be a matrix.*\(5,\).*reshape"):
        bm.Network(bm.HopfStep(2), conn=np.ones(5), coupled_var="x")
    with pytest.raises(ValueError, match=r"`conn` of Network must be square.*\(2, 2\), but has shape \(3, 3\)"):
        bm.Network(bm.HopfStep(2), conn=np.ones(9), coupled_var="x")


@pytest.mark.slow
def test_the_gradient_of_a_network_by_weights_that_it_is_made_of():
    def loss(weights):
        node = bm.LinearStep(2, gamma=-1.0, init_x=lambda shape: jnp.array([1.0, 3.0]), method="euler")
        network = bm.Network(node, conn=weights, coupled_var="x", k=0.5)
        return jnp.sum(bm.Simulator(network, dt=DT).run(0.2 * u.ms, monitors=["x"])["x"][-1])

    found, h = jax.grad(loss)(jnp.asarray(WEIGHTS, jnp.float32)), 1e-2
    for i, j in (0, 1), (1, 0):
        step = np.zeros((2, 2), np.float32)
        step[i, j] = h
        np.testing.assert_allclose(found[i, j], (loss(WEIGHTS + step) - loss(WEIGHTS - step)) / (2 * h), rtol=1e-3)


# --- forward models and pictures -------------------------------------------------------------------------------------
def test_the_scale_of_a_lead_field_may_be_a_unit():
    L = np.array([[1.0, 0.0, 2.0], [3.0, 1.0, 0.0]]) * (u.mV / (u.nA * u.meter))
    one, two = np.array([1.0, 2.0]), np.ones((5, 2))
    per_mv = bm.LeadFieldModel(2, 3, L, scale=u.nA * u.meter / u.mV)
    np.testing.assert_allclose(per_mv(one * u.mV).to_decimal(u.mV), [7.0, 2.0, 2.0])
    plain = bm.LeadFieldModel(2, 3, L, scale=u.nA * u.meter)
    np.testing.assert_allclose(plain.update(one).to_decimal(u.mV), [7.0, 2.0, 2.0])
    np.testing.assert_allclose(bm.LeadFieldModel(2, 3, L, scale=2.0)(two)[3].to_decimal(u.mV), [8.0, 2.0, 4.0])


def test_a_readout_takes_a_trajectory_when_it_has_states():
    readout = bm.LeadfieldReadout(np.ones((3, 2)), y0=0.0, cy0=4.0, demean=False)
    brainstate.nn.init_all_states(readout)
    np.testing.assert_allclose(readout.update(np.array([[1.0, 3.0]] * 5)), np.full((5, 3), 8.0))


def test_a_spectrum_with_a_plain_time_step():
    pytest.importorskip("matplotlib")
    x = np.sin(2 * np.pi * 0.25 * np.arange(400))
    axes = bm.viz.plot_power_spectrum(x, 0.5, loglog=False)
    frequency, power = axes.lines[0].get_data()
    assert frequency[np.argmax(power)] == pytest.approx(0.5, rel=0.02) and "per unit of dt" in axes.get_xlabel()


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
    with pytest.warns(RuntimeWarning, match="ended before it converged"):
        assert tight.fit(jnp.ones(5)).raw.nit == 1


def test_steps_of_scipy_are_minimisations_each_to_its_end():
    """Two valleys: the one at the start is the shallower, at 0.5; the other, at 2, is 1 deeper."""

    def valleys(m):
        a = m.a.value()
        return jnp.sum(jnp.where(a < 1.25, (a - 0.5) ** 2, (a - 2.0) ** 2 - 1.0))

    def fitted(n_steps):
        model = bm.HopfStep(1, a=Param(0.3, t=SigmoidT(0.05, 3.0), fit=True))
        return bm.Fitter(model, "Nelder-Mead", loss_fn=valleys, backend="scipy").fit(n_steps=n_steps)

    np.testing.assert_allclose(fitted(1).best_params["a"], 0.5, atol=1e-3)
    result = fitted(6)
    np.testing.assert_allclose([result.best_params["a"][()], result.raw.fun], [2.0, -1.0], atol=1e-3)
    assert fitted(None).n_steps == fitted(1).n_steps < result.n_steps == len(result.history)
    with pytest.warns(RuntimeWarning, match="Nelder-Mead ended before it converged: Maximum number of iterations"):
        to_one({"method": "Nelder-Mead", "options": {"maxiter": 2}}, backend="scipy").fit(jnp.ones(5))
    with pytest.raises(ValueError, match="`n_steps` of fit must be 1 for BFGS without bounds, but is 2"):
        to_one("BFGS", backend="scipy").fit(jnp.ones(5), n_steps=2)


def test_the_optimiser_is_the_one_that_was_given():
    adam = braintools.optim.Adam(0.1)
    assert to_one(adam).optimizer is adam


def test_a_callback_reads_by_name():
    seen = []
    fit = to_one(optax.adam(0.1), callbacks=[lambda info: seen.append((info["loss"], info[1], dict(info)["step"]))])
    result = fit.fit(jnp.ones(5), n_steps=3)
    assert [loss for loss, _, _ in seen] == [loss for _, loss, _ in seen] == list(result.history)
    assert [step for _, _, step in seen] == [0, 1, 2]


def test_a_gradient_of_zero_at_the_start_is_said():
    with pytest.warns(RuntimeWarning, match="exactly zero at the start"):
        to_one(optax.adam(0.1), predict=None, loss_fn=lambda m: 1.0 + 0.0 * m.a.value()).fit(n_steps=2)


@pytest.mark.filterwarnings("ignore:.*ended after n_steps:RuntimeWarning")
def test_the_best_parameters_are_where_the_best_loss_was():
    """Steps of 0.7 pass over the lowest point, so that those after the best are worse."""
    model = bm.HopfStep(1, a=Param(0.0, fit=True))
    fit = bm.Fitter(model, braintools.optim.Adam(lr=0.7), loss_fn=lambda model: ((model.a.value() - 1.0) ** 2).sum())
    result = fit.fit(n_steps=4)
    best = float(result.best_params["a"])
    assert result.best_loss == pytest.approx((best - 1.0) ** 2, rel=1e-5) == result.history.min()
    assert result.best_loss < result.history[-1] and float(model.a.value()) == best


def test_a_search_by_nevergrad_with_settings_begins_in_the_middle_of_the_bounds():
    """Samples of nevergrad have a standard deviation of a sixth of the box."""

    def first_candidates(start, optimizer, **options):
        model = bm.HopfStep(1, a=Param(start, fit=True))
        search = bm.Fitter(
            model,
            optimizer,
            loss_fn=lambda model: model.a.value().sum(),
            backend="nevergrad",
            search_space={"a": (-2.0, 4.0)},
            **options,
        )
        return search.fit(n_steps=1, seed=1).histories[0]

    settings = {"method": "DE", "n_sample": 400}
    low, high = (first_candidates(start, settings) for start in (-1.9, 3.9))
    np.testing.assert_array_equal(low, high)
    assert low.mean() == pytest.approx(1.0, abs=0.2) and low.std() == pytest.approx(1.0, rel=0.1)
    assert first_candidates(-1.9, "DE", popsize=400).mean() < -0.9
