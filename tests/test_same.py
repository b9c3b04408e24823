"""What a user changes between two runs is seen by the second; and where nothing changed, nothing is compiled.

The truth is arithmetic: a node that only adds up its input, two Euler steps of 0.1 ms from 0.
"""

import functools
import os
import subprocess
import sys
import textwrap
import types

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate import HiddenState
from brainstate.nn import IdentityT, Param
from braintools.init import Constant

import brainmass as bm
from brainmass._common.same import Pictures, Unseen, picture
from brainmass.dynamics.fields import Initializer, Par, param, state
from brainmass.dynamics.node import NeuralMassDynamics

DT = 0.1 * u.ms
AMPLITUDE = 1.0
CALLS = []


class Adds(NeuralMassDynamics):
    """x' = ext, per ms; counts how often it is traced."""

    scale: Par = param(default=1.0, doc="no matter")
    init_x: Initializer = Constant(0.0)
    x: HiddenState = state("sum", port="x_inp")

    def dx(self, x, x_ext):
        CALLS.append("dx")
        return x_ext / u.ms + 0 * self.p.scale / u.ms


def adding(**options):
    return bm.Simulator(Adds(1, method="euler", **options), dt=DT)


def total(simulator, function):
    """What a function of time has put in within two steps, by step."""
    return float(simulator.run(2 * DT, inputs={"x_inp": function}, monitors=["x"])["x"][-1, 0]) / 0.2


# --- all that a function can read -------------------------------------------------------------------------------
def of_a_helper():
    def helper(t):
        return AMPLITUDE * jnp.ones(1)

    def change():
        global AMPLITUDE
        AMPLITUDE = 5.0

    return (lambda t: helper(t)), change


def of_a_dictionary():
    settings = {"deep": {"amplitude": 1.0}}
    return (lambda t: settings["deep"]["amplitude"]), lambda: settings["deep"].update(amplitude=5.0)


def of_an_object():
    settings = types.SimpleNamespace(amplitude=1.0)
    return (lambda t: settings.amplitude), lambda: setattr(settings, "amplitude", 5.0)


def of_a_list():
    values = [1.0]
    return (lambda t: sum(values)), lambda: values.append(4.0)


def of_an_array_in_place():
    settings = {"amplitude": np.ones(1)}
    return (lambda t: settings["amplitude"].item()), lambda: settings["amplitude"].__imul__(5.0)


def of_a_module():
    module = types.ModuleType("settings_of_a_user")
    module.AMPLITUDE, module.gain = 1.0, None
    exec("def gain(t): return AMPLITUDE", vars(module))
    return (lambda t: module.gain(t)), lambda: setattr(module, "AMPLITUDE", 5.0)


class Settings:
    amplitude = 1.0

    def __init__(self, gain=1.0):
        self._gain = gain

    @property
    def gain(self):
        return self._gain * AMPLITUDE

    def method(self, t):
        return self.gain

    def __call__(self, t):
        return self.gain


def of_a_class():
    Settings.amplitude = 1.0
    return (lambda t: Settings.amplitude), lambda: setattr(Settings, "amplitude", 5.0)


def of_a_bound_method():
    settings = Settings()
    return settings.method, lambda: setattr(settings, "_gain", 5.0)


def of_something_callable():
    settings = Settings()
    return settings, lambda: setattr(settings, "_gain", 5.0)


def of_a_property():
    return Settings(), of_a_helper()[1]


def of_a_partial():
    settings = Settings()
    return functools.partial(lambda s, t: s.gain, settings), lambda: setattr(settings, "_gain", 5.0)


def of_a_wrapper():
    settings = {"amplitude": 1.0}
    inner = jax.vmap(lambda x: settings["amplitude"] * x)
    return (lambda t: inner(jnp.ones(1))), lambda: settings.update(amplitude=5.0)


def of_a_default():
    settings = {"amplitude": 1.0}
    return (lambda t, s=settings: s["amplitude"]), lambda: settings.update(amplitude=5.0)


def of_an_objective():
    series = jnp.asarray([[0.0, 1.0, 3.0], [1.0, 0.0, 1.0], [2.0, 5.0, 0.0], [0.0, 1.0, 1.0]])
    settings = {"alike": bm.objectives.fc_corr()}  # 1 of what is the same, as a loss 0
    change = lambda: settings.update(alike=bm.objectives.fc_corr(as_loss=True))  # noqa: E731
    return (lambda t: 5 - 4 * settings["alike"](series, series)), change


READ = [of_a_helper, of_a_dictionary, of_an_object, of_a_list, of_an_array_in_place, of_a_module, of_a_class]
READ += [
    of_a_bound_method,
    of_something_callable,
    of_a_property,
    of_a_partial,
    of_a_wrapper,
    of_a_default,
    of_an_objective,
]


@pytest.fixture(autouse=True)
def ones():
    global AMPLITUDE
    AMPLITUDE = 1.0


@pytest.mark.few(5)
@pytest.mark.parametrize("make", READ, ids=lambda make: make.__name__)
def test_what_an_input_reads(make):
    function, change = make()
    simulator = adding()
    assert total(simulator, function) == pytest.approx(1.0)
    calls = len(CALLS)
    assert total(simulator, function) == pytest.approx(1.0) and len(CALLS) == calls  # compiled once
    change()
    assert total(simulator, function) == pytest.approx(5.0)


# --- all places that call a function ----------------------------------------------------------------------------
SETTINGS = {"gain": 1.0}


@pytest.fixture(autouse=True)
def gain_of_one():
    SETTINGS["gain"] = 1.0


def twice(measure):
    """What comes out before and after the gain of one becomes one of five."""
    before = measure()
    SETTINGS["gain"] = 5.0
    return float(np.ravel(before)[-1]), float(np.ravel(measure())[-1])


class Grows(NeuralMassDynamics):
    """x' = gain, per ms."""

    init_x: Initializer = Constant(0.0)
    x: HiddenState = state("sum", port="x_inp")

    def dx(self, x, x_ext):
        return SETTINGS["gain"] / u.ms + x_ext / u.ms


class Even(bm.HRFKernel):
    """A response of the gain throughout."""

    def __call__(self, t):
        return SETTINGS["gain"] * jnp.ones(u.math.shape(t))


def test_a_monitor():
    simulator = adding(init_x=Constant(1.0))
    monitors = {"m": lambda model: SETTINGS["gain"] * model.x.value}
    assert twice(lambda: simulator.run(2 * DT, monitors=monitors)["m"]) == pytest.approx((1.0, 5.0))


def test_the_source_of_an_observer():
    simulator = adding(init_x=Constant(1.0))
    monitors = {"m": bm.Monitor(bm.Mean(1), source=lambda model: SETTINGS["gain"] * model.x.value)}
    assert twice(lambda: simulator.run(2 * DT, monitors=monitors)["m"]) == pytest.approx((1.0, 5.0))


def test_initial_values():
    simulator = adding(init_x=lambda shape: SETTINGS["gain"] * jnp.ones(shape))
    assert twice(lambda: simulator.run(2 * DT, monitors=["x"])["x"]) == pytest.approx((1.0, 5.0))
    start = simulator.model.init_x = Constant(1.0)
    assert simulator.run(2 * DT, monitors=["x"])["x"][-1, 0] == 1.0
    start.value = 3.0
    assert simulator.run(2 * DT, monitors=["x"])["x"][-1, 0] == 3.0


def test_the_amplitude_of_a_noise():
    node = bm.HopfStep(1, a=0.0, w=0.0, beta=1e-6, init_x=Constant(0.0), init_y=Constant(0.0), method="euler")
    node.noise_x = bm.WhiteNoise(1, sigma=1.0, amplitude=lambda s: SETTINGS["gain"] + 0 * s["x"])
    simulator = bm.Simulator(node, dt=DT)
    one, five = twice(lambda: simulator.run(2 * DT, seed=0, monitors=["x"])["x"])
    assert five == pytest.approx(5 * one, rel=1e-5)


def test_a_kernel_of_haemodynamics():
    def bold(simulator):
        observer = bm.HRFBold(in_size=1, kernel=Even(40 * DT), period=40 * DT)
        return simulator.run(80 * DT, monitors={"b": bm.Monitor(observer, source="x", every=40)})["b"]

    simulator = adding(init_x=Constant(1.0))
    one, five = twice(lambda: bold(simulator))
    assert one != five == float(bold(adding(init_x=Constant(1.0)))[-1, 0])


def test_the_past_before_a_run():
    node = bm.LinearStep(2, gamma=0.0, init_x=Constant(0.0), method="euler")
    past = {"conn": np.eye(2)[::-1], "coupled_var": "x", "coupling": "additive", "distance": np.ones((2, 2)) * u.mm}
    net = bm.Network(node, speed=5.0, k=1.0, delay_init=lambda shape: SETTINGS["gain"] * jnp.ones(shape), **past)
    simulator = bm.Simulator(net, dt=DT)
    one, five = twice(lambda: simulator.run(2 * DT, monitors=["x"])["x"])
    assert one != 0 and five == pytest.approx(5 * one, rel=1e-5)


def test_what_a_parameter_is_made_of():
    value = Param(jnp.ones(1), precompute=lambda x: SETTINGS["gain"] * x, fit=True)
    simulator = bm.Simulator(bm.LinearStep(1, gamma=value, init_x=Constant(1.0), method="euler"), dt=DT)
    one, five = twice(lambda: simulator.run(1 * DT, monitors=["x"])["x"])
    assert (one, five) == pytest.approx((1.1, 1.5))


def test_equations_of_a_user():
    simulator = bm.Simulator(Grows(1, method="euler"), dt=DT)
    assert twice(lambda: simulator.run(2 * DT, monitors=["x"])["x"]) == pytest.approx((0.2, 1.0))


def test_the_measure_of_a_sweep(tmp_path):
    pytest.importorskip("zarr")
    simulator = adding(init_x=Constant(1.0))

    def measure(result):
        CALLS.append("measure")
        return SETTINGS["gain"] * result["x"][-1, 0]

    def swept(**store):
        return bm.sweep(simulator, 2 * DT, {"scale": [1.0]}, monitors=["x"], measure=measure, **store)["measure"].values

    assert np.ravel(swept(store=tmp_path / "kept.zarr")) == 1.0
    calls = len(CALLS)
    assert np.ravel(swept()) == 1.0 and len(CALLS) == calls
    SETTINGS["gain"] = 5.0
    assert np.ravel(swept()) == 5.0
    with pytest.raises(ValueError, match="belongs to another sweep; what differs: `measure`"):
        swept(store=tmp_path / "kept.zarr")


@pytest.mark.filterwarnings("ignore:Nelder-Mead ended before")
@pytest.mark.parametrize("backend", ["grad", "scipy"])
def test_losses_and_predictions(backend):
    def predict(model):
        CALLS.append("predict")
        return SETTINGS["gain"] * model.a.value()

    optimizer = {"grad": optax.sgd(0.0), "scipy": {"method": "Nelder-Mead", "options": {"maxfev": 1}}}[backend]
    for functions in (
        {"predict": predict, "objective": lambda p, t: jnp.sum(p)},
        {"predict": lambda model: model.a.value(), "objective": lambda p, t: jnp.sum(SETTINGS["gain"] * p)},
        {"loss_fn": lambda model: jnp.sum(predict(model))},
    ):
        SETTINGS["gain"] = 1.0
        model = bm.HopfStep(1, a=Param(jnp.ones(1), fit=True))
        fitter = bm.Fitter(model, optimizer, backend=backend, **functions)

        def best(fitter=fitter, model=model):
            model.a.set_value(jnp.ones(1))
            return fitter.fit(n_steps=1).best_loss

        assert best() == pytest.approx(1.0)
        calls = len(CALLS)
        assert best() == pytest.approx(1.0) and len(CALLS) == calls
        SETTINGS["gain"] = 5.0
        assert best() == pytest.approx(5.0)


def test_the_loss_and_the_metric_of_a_training():
    import brainstate

    model = brainstate.nn.Linear(1, 1, w_init=Constant(1.0), b_init=Constant(0.0))
    functions = {name: lambda out, y: jnp.mean(SETTINGS["gain"] * out) for name in ("loss_fn", "metric")}
    trainer = bm.Trainer(model, optax.sgd(0.0), batch_size=2, **functions)
    x = np.ones((2, 1))
    seen = [trainer.evaluate(x, x)]
    SETTINGS["gain"] = 5.0
    seen.append(trainer.evaluate(x, x))
    assert [tuple(score) for score in seen] == [(1.0, 1.0), (5.0, 5.0)]


# --- files, from which sweeps and fits go on --------------------------------------------------------------------
def some(first, *others):
    """All that a function can read for the first, and for the others, which are looked at alike, two of it."""
    cases = [(first, make) for make in READ] + [(name, make) for name in others for make in READ[:1] + READ[9:10]]
    return pytest.mark.parametrize(("name", "make"), cases, ids=lambda x: getattr(x, "__name__", x))


@pytest.mark.few(6)
@some("measure", "inputs", "monitors")
def test_a_store_tells_what_a_function_reads(make, name, tmp_path):
    pytest.importorskip("zarr")
    function, change = make()
    given = {
        "measure": lambda result: function(0.0) * result["x"][-1, 0],
        "inputs": {"x_inp": lambda t: function(t)},
        "monitors": {"x": lambda model: function(0.0) * model.x.value},
    }
    run = {"monitors": ["x"]} | {name: given[name]}

    def swept():
        return bm.sweep(adding(), 2 * DT, {"scale": [1.0]}, store=tmp_path / "kept.zarr", **run)

    assert swept().identical(swept())
    change()
    with pytest.raises(ValueError, match=f"belongs to another sweep; what differs: `{name}`[.]"):
        swept()


@pytest.mark.few(6)
@some("objective", "loss_fn", "predict")
def test_a_file_of_a_fit_tells_what_a_function_reads(make, name, tmp_path):
    function, change = make()
    functions = {
        "loss_fn": {"loss_fn": lambda model: jnp.sum((function(0.0) * model.a.value()) ** 2)},
        "predict": {"predict": lambda model: function(0.0) * model.a.value(), "objective": lambda p, t: jnp.sum(p**2)},
        "objective": {"predict": lambda model: model.a.value(), "objective": lambda p, t: jnp.sum(function(0) * p**2)},
    }[name]

    def fit(n_steps, **resume):
        fitter = bm.Fitter(bm.HopfStep(1, a=Param(jnp.ones(1), fit=True)), optax.sgd(0.1), **functions)
        return fitter.fit(n_steps=n_steps, checkpoint=tmp_path / "fit.npz", **resume).best_loss

    fit(1)
    assert fit(2, resume=tmp_path / "fit.npz") < fit(1)
    change()
    with pytest.raises(ValueError, match=f"must be a file of the same fit, but .* has another `{name}` .its code"):
        fit(3, resume=tmp_path / "fit.npz")


@pytest.mark.slow
def test_a_file_of_a_fit_tells_what_its_run_and_its_model_read(tmp_path):
    def fit(scale=1.0, kernel="additive", **resume):
        past = {"conn": np.eye(2)[::-1], "coupled_var": "x", "coupling": kernel}
        net = bm.Network(bm.LinearStep(2, init_x=lambda shape: scale * jnp.ones(shape)), **past)
        fitter = bm.Fitter(
            bm.Simulator(net, dt=DT),
            optax.sgd(0.1),
            duration=4 * DT,
            monitors=["x"],
            inputs={"x_inp": lambda t: SETTINGS["gain"]},
            objective=lambda prediction, target: jnp.sum(prediction**2),
            search_space={"k": (0.0, 2.0)},
        )
        return fitter.fit(n_steps=2, checkpoint=tmp_path / "fit.npz", **resume)

    file = tmp_path / "fit.npz"
    fit()
    fit(resume=file)
    for other in {"scale": 2.0}, {"kernel": "diffusive"}:
        with pytest.raises(ValueError, match="another (model .how it is made|set of other parameters)"):
            fit(**other, resume=file)
    SETTINGS["gain"] = 5.0
    with pytest.raises(ValueError, match="another `inputs` .its code, or what it reads"):
        fit(resume=file)


def test_a_file_of_a_training_tells_what_its_functions_read(tmp_path):
    import brainstate

    def train(**resume):
        brainstate.random.seed(0)
        model = brainstate.nn.Linear(1, 1, w_init=Constant(1.0), b_init=Constant(0.0))
        trainer = bm.Trainer(
            model, optax.sgd(0.0), batch_size=2, loss_fn=lambda out, y: jnp.mean(SETTINGS["gain"] * out)
        )
        return trainer.fit(np.ones((2, 1)), np.ones((2, 1)), 1, checkpoint=tmp_path / "fit.npz", **resume)

    train()
    train(resume=tmp_path / "fit.npz")
    SETTINGS["gain"] = 5.0
    with pytest.raises(ValueError, match="another `loss_fn` .its code, or what it reads"):
        train(resume=tmp_path / "fit.npz")


def test_a_log_of_a_function_is_no_other_work(tmp_path):
    pytest.importorskip("zarr")
    log = []

    def measure(result):
        log.append("called")
        return result["x"][-1, 0]

    def swept():
        store = tmp_path / "kept.zarr"
        return bm.sweep(adding(), 2 * DT, {"scale": [1.0]}, monitors=["x"], measure=measure, store=store)

    swept(), swept()
    assert log


def test_what_a_file_cannot_see_is_told(tmp_path):
    pytest.importorskip("zarr")
    run = {"monitors": ["x"], "measure": lambda result: globals()["AMPLITUDE"] * result["x"][-1, 0]}
    with pytest.warns(RuntimeWarning) as told:
        bm.sweep(adding(), 2 * DT, {"scale": [1.0]}, store=tmp_path / "kept.zarr", **run)
    assert any("reads globals(), of which a file cannot tell whether it is" in str(w.message) for w in told)


ELSEWHERE = """
    import sys
    sys.path.insert(0, {tests!r})
    import test_same as t
    from brainmass.simulation.identity import digest
    things = [make()[0] for make in t.READ]
    named = {{"a", "b", "c", "d", t.twice}}
    things += [{{t.Settings(): 1.0, t.twice: 2.0}}]
    print(digest([*things, lambda x: x in named, t.Even(40 * t.DT), t.bm.objectives.fc_corr(as_loss=True), t.adding()]))
    print(digest(t.adding().pure(2 * t.DT, monitors=["x"], inputs={{"x_inp": things[0]}})))
"""


@pytest.mark.slow
def test_texts_of_things_are_the_same_in_another_process():
    def out(seed):
        code = textwrap.dedent(ELSEWHERE).format(tests=os.path.dirname(__file__))
        env = {**os.environ, "PYTHONHASHSEED": str(seed)}
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True).stdout

    assert out(1) == out(2)


# --- what is no reason ------------------------------------------------------------------------------------------
def test_what_a_function_notes_itself_is_no_reason_to_compile():
    log, settings = [], {"gain": 1.0, "calls": 0}

    def noting(t):
        log.append("called")
        settings["calls"] += 1
        return settings["gain"]

    simulator = adding()
    assert total(simulator, noting) == pytest.approx(1.0)
    calls = len(CALLS)
    assert total(simulator, noting) == pytest.approx(1.0) and len(CALLS) == calls
    settings["gain"] = 5.0
    assert total(simulator, noting) == pytest.approx(5.0)


def test_back_to_what_it_was_compiles_nothing():
    simulator = adding()

    def seen(value):
        SETTINGS["gain"] = value
        return total(simulator, lambda t: SETTINGS["gain"])  # written anew each time

    assert [seen(1.0), seen(5.0)] == pytest.approx([1.0, 5.0])
    calls = len(CALLS)
    assert seen(1.0) == pytest.approx(1.0) and len(CALLS) == calls


# --- what cannot be seen ----------------------------------------------------------------------------------------
def by_the_globals(t):
    return globals()["AMPLITUDE"]


def by_the_clock(t):
    import time

    return time.monotonic()


def by_a_global_generator(t):
    return np.random.rand()


@pytest.mark.parametrize("function", [by_the_globals, by_the_clock, by_a_global_generator])
def test_what_cannot_be_seen_is_compiled_anew_and_told(function):
    global AMPLITUDE
    with pytest.raises(Unseen):
        picture({"function": function})
    if function is not by_the_globals:
        return
    simulator = adding()
    with pytest.warns(RuntimeWarning, match=r"reads globals\(\), of which it cannot be told .* compiled anew each"):
        assert total(simulator, function) == pytest.approx(1.0)
    AMPLITUDE = 5.0
    assert total(simulator, function) == pytest.approx(5.0)


def test_pictures_of_things_alike_are_equal():
    pictures = Pictures()
    ring = {"a": 1.0}
    ring["itself"] = ring

    def things(value):
        return {"f": lambda t: value, "nan": float("nan"), "array": np.arange(3), "init": Constant(value), "ring": ring}

    first = pictures.number(things(1.0))
    assert pictures.number(things(1.0)) == first
    assert pictures.number(things(1)) != first
    assert pictures.number(things(1.0) | {"t": IdentityT()}) != first
