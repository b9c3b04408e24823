"""One name space for a run: parameters of the model, of what drives it and of what observes it, through every door."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import Param, SigmoidT
from braintools.init import Constant

import brainmass as bm
from brainmass.simulation.inventory import Template

DT = 0.1 * u.ms
GAMMA = -0.5
N = 80


def node(**parameters):
    return bm.LinearStep(1, **{"gamma": GAMMA, "init_x": Constant(0.0), **parameters})


def simulator(**parameters):
    return bm.Simulator(node(**parameters), dt=DT)


def pulse(amplitude=0.2, width=5 * u.ms):
    return bm.Pulse(1, width=width, amplitude=amplitude)


def step_response(amplitude, width=5.0, gamma=GAMMA):
    """Of x' = gamma x + a pulse from time zero on, at the ends of the steps."""
    t = 0.1 * np.arange(1, N + 1)
    risen = amplitude / -gamma * (1 - np.exp(gamma * np.minimum(t, width)))
    return (risen * np.exp(gamma * np.maximum(t - width, 0)))[:, None]


def mse(prediction, target):
    return jnp.mean((prediction - target) ** 2)


def key_of(point, seed=0):
    return jax.random.fold_in(jax.random.key(seed), point)


# --- sweep -----------------------------------------------------------------------------------------------------------
def test_sweep_over_a_stimulus():
    values = {"gamma": [-0.5, -0.25], "x_inp.amplitude": [0.1, 0.7], "width": [2.0, 5.0] * u.ms}
    data = bm.sweep(simulator(), N * DT, values, inputs={"x_inp": pulse()}, monitors=["x"])
    assert data["x"].dims[:3] == ("gamma", "x_inp.amplitude", "width")
    assert data["width"].attrs["units"] == "ms"
    for i, gamma in enumerate(values["gamma"]):
        for j, amplitude in enumerate(values["x_inp.amplitude"]):
            for k, width in enumerate((2.0, 5.0)):
                expected = step_response(amplitude, width, gamma)
                np.testing.assert_allclose(data["x"].values[i, j, k, 0], expected, rtol=2e-5, atol=1e-7)


def test_sweep_over_the_noise_that_is_an_input():
    """A linear model at rest answers in proportion; and so does a run with the noise made by hand."""
    noise = bm.WhiteNoise(1, sigma=0.1)
    sigmas = [0.1, 0.3]
    data = bm.sweep(
        simulator(), N * DT, {"sigma": sigmas}, inputs={"x_inp": noise}, monitors=["x"], common_random_numbers=True
    )["x"].values[:, 0]
    np.testing.assert_allclose(data[1], 3 * data[0], rtol=1e-5, atol=1e-6)
    by_hand = simulator().run(N * DT, inputs={"x_inp": bm.WhiteNoise(1, sigma=0.3)}, monitors=["x"], seed=0)["x"]
    np.testing.assert_allclose(data[1], by_hand, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
def test_sweep_over_a_forward_model():
    def bold(tau):
        return {"bold": bm.Monitor(bm.BOLDSignal(1, tau=tau), every=10 * u.ms)}

    slow = bm.Simulator(node(), dt=1 * u.ms)
    run, times = dict(inputs={"x_inp": 1.0}), [0.8, 1.6]
    data = bm.sweep(slow, 1000 * u.ms, {"bold.tau": times}, monitors=bold(1.0), **run)["bold"].values[:, 0]
    for found, tau in zip(data, times, strict=True):
        by_hand = slow.run(1000 * u.ms, monitors=bold(tau), **run, seed=0)["bold"]
        np.testing.assert_allclose(found, by_hand, rtol=1e-4, atol=1e-7)
    assert abs(data[0, -1] / data[1, -1] - 1) > 0.01


def test_a_store_tells_sweeps_of_other_inputs_apart(tmp_path):
    def sweep(width):
        run = dict(inputs={"x_inp": pulse(width=width)}, monitors=["x"], store=tmp_path / "sweep.zarr")
        return bm.sweep(simulator(), 20 * DT, {"amplitude": [0.1, 0.2]}, **run)

    assert sweep(1 * u.ms).identical(sweep(1 * u.ms))
    with pytest.raises(ValueError, match="belongs to another sweep; what differs: `inputs`"):
        sweep(2 * u.ms)


# --- names -----------------------------------------------------------------------------------------------------------
def test_what_may_be_meant_twice_is_asked():
    noisy = simulator(noise_x=bm.WhiteNoise(1, sigma=0.1))
    run = dict(inputs={"x_inp": bm.WhiteNoise(1, sigma=0.2)}, monitors=["x"])
    both = "'sigma' could be any of noise_x.sigma, inputs.x_inp.sigma: write the whole path"
    with pytest.raises(ValueError, match=both):
        noisy.pure(10 * DT, free=["sigma"], **run)
    with pytest.raises(ValueError, match=both):
        bm.sweep(noisy, 10 * DT, {"sigma": [0.1]}, **run)
    with pytest.raises(ValueError, match=both):
        bm.Fitter(noisy, duration=10 * DT, objective=mse, search_space={"sigma": (0.1, 0.2)}, **run)
    silent = noisy.pure(10 * DT, free=["noise_x.sigma", "x_inp.sigma"], **run)(
        {"noise_x.sigma": 0.0, "x_inp.sigma": 0.0}, 0
    )
    np.testing.assert_array_equal(silent["x"], 0.0)
    rate = bm.Monitor(bm.BOLDSignal(1), source=lambda model: model.r.value.to_decimal(u.kHz), every=10)
    bold = bm.Simulator(bm.MontbrioPazoRoxinStep(1), dt=DT).pure(20 * DT, free=["tau"], monitors={"bold": rate})
    assert set(bold({"tau": 2 * u.ms}, 0).recorded) == {"bold"}  # the whole path of the model's


def test_a_name_that_is_not_there_is_near_one():
    run = dict(inputs={"x_inp": pulse()}, monitors=["x"])
    words = (
        r"no parameter 'amplitud'. Did you mean 'amplitude'\? There are gamma, inputs.x_inp.*, inputs.x_inp.amplitude"
    )
    with pytest.raises(ValueError, match=words):
        bm.sweep(simulator(), 10 * DT, {"amplitud": [0.1]}, **run)
    with pytest.raises(ValueError, match=words):
        bm.Fitter(simulator(), duration=10 * DT, objective=mse, search_space={"amplitud": (0.1, 0.2)}, **run)


def test_values_of_a_pure_run_are_named_as_it_frees_them():
    run = simulator().pure(N * DT, inputs={"x_inp": pulse()}, monitors=["x"], free=["inputs.x_inp.amplitude"])
    np.testing.assert_allclose(run({"amplitude": 0.7}, 0)["x"], step_response(0.7), rtol=2e-5)
    with pytest.raises(ValueError, match="sets one parameter twice, as 'amplitude' and 'x_inp.amplitude'"):
        run({"amplitude": 0.7, "x_inp.amplitude": 0.7}, 0)
    with pytest.raises(ValueError, match="may set inputs.x_inp.amplitude, but sets 'gamma': name it in `free`"):
        run({"gamma": -1.0}, 0)


def test_inputs_of_a_population():
    """A recording at one of two: its rows and its amplitude have the name of the input, dot and all."""
    net = bm.Network(
        {"core": node(), "shell": node()},
        projections=[bm.Projection(np.zeros((1, 1)), source="core", target="shell", coupled_var="x", k=0.0)],
    )
    rows = bm.Recording(1, data=np.ones(N), every=DT, interpolate=False)
    data = bm.sweep(
        bm.Simulator(net, dt=DT), N * DT, {"core.x_inp.amplitude": [0.1, 0.7]}, inputs={"core.x_inp": rows},
        monitors={"core": "core.x", "shell": "shell.x"},
    )  # fmt: skip
    for found, amplitude in zip(data["core"].values[:, 0], (0.1, 0.7), strict=True):
        np.testing.assert_allclose(found, step_response(amplitude, 100.0), rtol=2e-5)
    np.testing.assert_array_equal(data["shell"], 0.0)


# --- fits: these monitors against these data -------------------------------------------------------------------------
def fitter(stimulus, optimizer=None, **options):
    settings = dict(duration=N * DT, monitors=["x"], inputs={"x_inp": stimulus}, objective=mse)
    return bm.Fitter(simulator(), optimizer or optax.adam(0.1), **(settings | options))


@pytest.mark.slow
def test_a_trainable_stimulus_is_fitted():
    stimulus = pulse(Param(0.2, fit=True))
    seen = []
    result = fitter(stimulus, callbacks=lambda step: seen.append(step.params["amplitude"])).fit(
        step_response(0.7), n_steps=120
    )
    assert list(result.best_params) == ["inputs.x_inp.amplitude"] and len(seen) == 120
    np.testing.assert_allclose(result.best_params["x_inp.amplitude"], 0.7, rtol=1e-3)
    np.testing.assert_allclose(stimulus.amplitude.value(), 0.7, rtol=1e-3)
    np.testing.assert_allclose(result.prediction, step_response(0.7), rtol=2e-3)


@pytest.mark.few(1)
@pytest.mark.parametrize("backend", ["nevergrad", "scipy", "optimistix"])
def test_every_solver_knows_the_parameters_of_inputs(backend):
    """Named, with bounds, though given as plain numbers; beside one of the model."""
    objective = None if backend == "optimistix" else mse
    options = {} if backend == "optimistix" else {"popsize": 8}
    names = dict(nevergrad="CMA", scipy="differential_evolution", optimistix="LevenbergMarquardt")
    space = {"gamma": (-1.0, -0.1), "x_inp.amplitude": (0.1, 1.0)}
    fit = bm.Fitter(
        simulator(gamma=-0.3), names[backend], duration=N * DT, monitors=["x"], inputs={"x_inp": pulse()},
        objective=objective, search_space=space, backend=backend, **options,
    )  # fmt: skip
    result = fit.fit(step_response(0.7), n_steps=40)
    np.testing.assert_allclose(result.best_params["amplitude"], 0.7, rtol=0.05)
    np.testing.assert_allclose(result.best_params["gamma"], GAMMA, rtol=0.05)
    assert set(result.bounds) == {"gamma", "inputs.x_inp.amplitude"}


@pytest.mark.slow
def test_a_fit_of_several_monitors():
    """Each against its data, by name; the double of a signal has four times its error."""

    def twice(model):
        return 2 * model.x.value

    monitors = {"x": "x", "twice": twice}
    off = dict(seed=0, n_steps=1)
    one = fitter(pulse(Param(0.2, fit=True)), optax.sgd(0.0)).fit({"x": step_response(0.7)}, **off).best_loss
    np.testing.assert_allclose(one, np.mean((step_response(0.2) - step_response(0.7)) ** 2), rtol=1e-4)
    both = fitter(pulse(Param(0.2, fit=True)), optax.sgd(0.0), monitors=monitors, objective={"x": mse, "twice": mse})
    data = {"x": step_response(0.7), "twice": 2 * step_response(0.7)}
    np.testing.assert_allclose(both.fit(data, **off).best_loss, 5 * one, rtol=1e-4)
    by_hand = fitter(
        pulse(Param(0.2, fit=True)), optax.sgd(0.0), monitors=monitors, objective=lambda p, t: mse(p["twice"], t)
    )
    np.testing.assert_allclose(by_hand.fit(data["twice"], **off).best_loss, 4 * one, rtol=1e-4)
    with pytest.raises(ValueError, match="Argument `target` of fit lacks twice"):
        both.fit({"x": step_response(0.7)})
    with pytest.raises(TypeError, match="Argument `target` of fit must map x, twice to what belongs to each"):
        both.fit(step_response(0.7))
    with pytest.raises(ValueError, match="names 'twise', which is not compared. Did you mean 'twice'"):
        fitter(pulse(Param(0.2, fit=True)), monitors=monitors, objective={"twise": mse})


@pytest.mark.slow
def test_what_is_left_out_of_a_fit_of_monitors():
    """Samples of the record, or a time of the run."""
    target = step_response(0.7)
    for transient, rest in ((30, target[30:]), (3 * u.ms, target[30:])):
        fit = fitter(pulse(Param(0.2, fit=True)), optax.sgd(0.0), transient=transient).fit(rest, n_steps=1)
        np.testing.assert_allclose(fit.best_loss, np.mean((rest * 5 / 7) ** 2), rtol=1e-4)
    coarse = fitter(pulse(Param(0.2, fit=True)), optax.sgd(0.0), sample_every=1 * u.ms).fit(target[9::10], n_steps=1)
    np.testing.assert_allclose(coarse.best_loss, np.mean((target[9::10] * 5 / 7) ** 2), rtol=1e-4)


@pytest.mark.slow
def test_a_forward_model_of_a_fit_has_parameters():
    """The slope in that of an observer, against finite differences."""
    with jax.enable_x64(True):
        bold = bm.BOLDSignal(1, tau=Param(1.0, fit=True))
        fit = bm.Fitter(
            bm.Simulator(node(), dt=1 * u.ms), duration=200 * u.ms, monitors={"bold": bm.Monitor(bold, every=200)},
            inputs={"x_inp": 1.0}, objective=lambda p, t: p.sum() * 1e3,
        )  # fmt: skip
        check = fit.check_gradient()
    assert list(check) == ["observers.bold.tau"] and check.ok
    assert check["observers.bold.tau"].gradient != 0


@pytest.mark.slow
def test_a_fit_goes_on_only_with_its_own_run(tmp_path):
    file = tmp_path / "fit.npz"
    first = fitter(pulse(Param(0.2, fit=True)))
    first.fit(step_response(0.7), n_steps=3)
    first.save(file)
    straight = fitter(pulse(Param(0.2, fit=True))).fit(step_response(0.7), n_steps=6)
    resumed = fitter(pulse(Param(0.2, fit=True))).fit(step_response(0.7), n_steps=6, resume=file)
    np.testing.assert_array_equal(straight.history, resumed.history)
    with pytest.raises(ValueError, match="has another run"):
        fitter(pulse(Param(0.2, fit=True)), transient=1 * u.ms).fit(step_response(0.7)[10:], resume=file)


def test_an_array_of_a_fit_is_kept_as_it_was_given():
    rows = np.full((N, 1), 0.2)
    fit = bm.Fitter(
        simulator(gamma=Param(GAMMA, fit=True)), optax.sgd(0.0), duration=N * DT, monitors=["x"],
        inputs={"x_inp": rows},
        objective=mse,
    )  # fmt: skip
    rows[:] = 5.0
    assert fit.fit(step_response(0.2, 100.0), n_steps=1).best_loss < 1e-10


def test_fitter_refuses_what_would_have_no_effect():
    stimulus = pulse(Param(0.2, fit=True))

    def predict(model):
        return bm.Simulator(model, dt=DT).run(N * DT, monitors=["x"])["x"]

    for name, value in dict(duration=N * DT, monitors=["x"], inputs={"x_inp": stimulus}, sample_every=2).items():
        with pytest.raises(ValueError, match=f"Argument `{name}` of Fitter belongs to the run that it makes itself"):
            bm.Fitter(node(gamma=Param(GAMMA, fit=True)), predict=predict, objective=mse, **{name: value})
    with pytest.raises(ValueError, match="Argument `transient` of Fitter belongs to the run"):
        bm.Fitter(node(gamma=Param(GAMMA, fit=True)), predict=predict, objective=mse, transient=1 * u.ms)
    with pytest.raises(ValueError, match="both `duration` and `objective`"):
        bm.Fitter(simulator(), objective=mse)
    with pytest.raises(ValueError, match="Argument `data` of fit needs a function"):
        fitter(stimulus).fit(np.zeros((2, N, 1)), data=np.zeros(2))
    with pytest.raises(ValueError, match="names 'z_inp'"):
        fitter(stimulus, inputs={"z_inp": stimulus})
    with pytest.raises(ValueError, match="has no state 'z'"):
        fitter(stimulus, monitors=["z"])


def test_functions_are_given_the_simulator_where_the_fitter_was():
    sim = simulator(gamma=Param(-0.3, fit=True))

    seen = []

    def predict(simulator):
        seen.append((type(simulator), simulator.dt))
        return simulator.run(N * DT, inputs={"x_inp": pulse(0.7)}, monitors=["x"])["x"]

    result = bm.Fitter(sim, optax.adam(0.05), predict=predict, objective=mse).fit(step_response(0.7), n_steps=100)
    np.testing.assert_allclose(result.best_params["gamma"], GAMMA, rtol=0.01)
    assert result.model is sim.model and seen[0] == (bm.Simulator, DT)


# --- a trainable parameter that the fit does not know ----------------------------------------------------------------
STIMULUS = pulse(Param(0.2, fit=True))


class Driven(brainstate.nn.Module):
    """A model with what drives it."""

    def __init__(self, model, stimulus):
        super().__init__()
        self.model, self.stimulus = model, stimulus


def run_of(model, **run):
    return bm.Simulator(model, dt=DT).run(N * DT, **{"monitors": ["x"], **run})["x"]


def pure_run_of(model, stimulus):
    return bm.Simulator(model, dt=DT).pure(N * DT, monitors=["x"], inputs={"x_inp": stimulus})


def strange(name):
    stimulus = pulse(Param(0.2, fit=True))
    original = node(gamma=Param(GAMMA, fit=True))
    gain = Param(0.2, fit=True)
    by_name = {
        "an input": lambda model: run_of(model, inputs={"x_inp": stimulus}),
        "a global": lambda model: run_of(model, inputs={"x_inp": STIMULUS}),
        "its values": lambda model: run_of(model, inputs={"x_inp": stimulus.series(N * DT, DT)}),
        "a function of time": lambda model: run_of(model, inputs={"x_inp": lambda t: gain.value()}),
        "the model itself": lambda model: run_of(original),
        "a noise": lambda model: run_of(model, inputs={"x_inp": bm.WhiteNoise(1, sigma=Param(0.1, fit=True))}),
        "a sum": lambda model: run_of(model, inputs={"x_inp": stimulus + 1.0}),
        "an observer": lambda model: bm.Simulator(model, dt=DT).run(
            N * DT, monitors={"bold": bm.Monitor(bm.BOLDSignal(1, tau=Param(1.0, fit=True)), every=10)}
        )["bold"],
        "a pure run": lambda model: pure_run_of(model, stimulus)({}, 0)["x"],
    }
    return original, by_name[name]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("an input", "stimulus.amplitude"),
        ("a global", "STIMULUS.amplitude"),
        ("its values", "stimulus.amplitude"),
        ("a function of time", "gain"),
        ("the model itself", "`gamma` of a run in this fit is that of the model itself"),
        ("a noise", "inputs.x_inp.sigma"),
        ("a sum", "stimulus.amplitude"),
        ("an observer", "observers.bold.tau"),
        ("a pure run", "stimulus.amplitude"),
    ],
)
def test_a_trainable_parameter_that_the_fit_does_not_know_is_refused(name, words):
    model, predict = strange(name)
    with pytest.raises(ValueError, match=words):
        bm.Fitter(model, optax.adam(0.05), predict=predict, objective=mse).fit(np.zeros((N, 1)), n_steps=1)


@pytest.mark.slow
def test_what_the_fit_knows_or_sets_is_not_refused():
    """A parameter that is fixed, one that `values` set, one made from the fit's numbers, a copy of the model."""
    target = step_response(0.7)
    sim, stimulus = simulator(), pulse(Param(0.2, fit=True))
    run = sim.pure(N * DT, monitors=["x"], inputs={"x_inp": stimulus})

    def by_values(model):
        return run({"amplitude": model.stimulus.amplitude.value()}, 0)["x"]

    def from_numbers(model):
        return run_of(model.model, inputs={"x_inp": pulse(model.stimulus.amplitude.value())})

    def a_copy(model):
        copied, _ = Template(model).build()
        return run_of(copied.model, inputs={"x_inp": copied.stimulus})

    def as_it_is(model):
        return run_of(model.model, inputs={"x_inp": model.stimulus})

    found = []
    for predict in by_values, from_numbers, a_copy, as_it_is:
        held = Driven(node(gamma=Param(GAMMA, fit=True)), pulse(Param(0.2, fit=True)))
        space = {"gamma": bm.Fixed(), "amplitude": bm.Free(transform=SigmoidT(0.0, 1.0))}
        result = bm.Fitter(held, optax.adam(0.2), predict=predict, objective=mse, search_space=space).fit(
            target, n_steps=100
        )
        found.append(result.best_params["stimulus.amplitude"])
    np.testing.assert_allclose(np.ravel(found), 0.7, rtol=1e-3)
