"""Angles without whole turns, states within their bounds or told, divergence told as whose it is."""

import warnings

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate import HiddenState
from brainstate.nn import Param
from braintools.init import Constant

import brainmass as bm
from brainmass.dynamics.fields import Initializer, Par, nonnegative, param, state
from brainmass.dynamics.node import NeuralMassDynamics

DT = 0.1 * u.ms


# --- angles -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dt", [0.1, 0.01])
def test_a_phase_keeps_its_frequency_however_long_it_has_turned(dt):
    """10 Hz, from a phase as it was after ten minutes without wrapping, and after a second of its own."""
    model = bm.KuramotoNetwork(1, omega=2 * np.pi * 0.01, init_theta=Constant(2 * np.pi * 6000.25))
    result = bm.Simulator(model, dt=dt * u.ms).run(2000 * u.ms, monitors=["theta"], sample_every=1 * u.ms, seed=0)
    phase = np.asarray(result["theta"], np.float64)[:, 0]
    assert np.abs(phase).max() <= np.pi * (1 + 1e-6)
    turned = np.diff(np.unwrap(phase)[[0, -1]])[0] / (2 * np.pi)
    assert turned / 1.999 == pytest.approx(10, abs=1e-3)


@pytest.mark.slow
def test_a_wrapped_phase_has_the_slope_of_one_that_grows():
    def end(omega):
        model = bm.KuramotoNetwork(1, omega=Param(omega), init_theta=Constant(3.1), method="euler")
        run = bm.Simulator(model, dt=DT).pure(1 * u.ms, monitors=["theta"], free=["omega"])
        return run({"omega": omega}, 0)["theta"][-1, 0]

    assert float(end(1.0)) == pytest.approx(4.1 - 2 * np.pi, abs=1e-5)
    assert float(jax.grad(end)(1.0)) == pytest.approx(1.0, abs=1e-5)


# --- bounds -------------------------------------------------------------------------------------------------------
def montbrio(**options):
    return bm.MontbrioPazoRoxinStep(
        3, noise_r=bm.WhiteNoise(3, sigma=5.0 * u.Hz), noise_v=bm.WhiteNoise(3, sigma=1.0), method="heun", **options
    )


def wong_wang(**options):
    noises = {f"noise_{x}": bm.WhiteNoise(3, sigma=0.3) for x in "ei"}
    return bm.WongWangExcInhStep(3, **noises, **options)


@pytest.mark.slow
def test_a_state_that_leaves_its_bounds_is_told():
    with pytest.warns(UserWarning, match=r"State `r` \(firing rate\) must be >= 0, but came to -.* Hz in .*clamp=True"):
        r = bm.Simulator(montbrio(), dt=DT).run(50 * u.ms, monitors=["r"], seed=0)["r"]
    assert np.asarray(r.mantissa).min() < -1
    with pytest.warns(
        UserWarning, match="State `S_e`.*between 0 and 1, but came to -.*; State `S_e`.*came to [1-9].*run"
    ):
        bm.Simulator(wong_wang(), dt=DT).run(50 * u.ms, monitors=["S_e"], seed=0, batch_size=2)


class Counter(NeuralMassDynamics):
    """Adds up what it is given."""

    init_x: Initializer = Constant(0.0)
    x: HiddenState = state("count", port="x_inp", domain=nonnegative)

    def dx(self, x, x_inp):
        return 0 * x / u.ms + x_inp / u.ms


def counted(steps, **options):
    node = Counter(2, method="euler", **options)
    given = np.asarray(steps, float)
    return np.asarray(
        bm.Simulator(node, dt=1 * u.ms).run(len(given) * u.ms, inputs={"x_inp": given}, monitors=["x"], seed=0)["x"]
    )


def test_one_step_outside_is_enough():
    """Between two samples, two blocks even; what is told is the extreme and its region."""
    steps = np.zeros((300, 2))
    steps[7, 1], steps[8, 1] = -4.5, 5.0
    words = r"State `x` \(count\) must be >= 0, but came to -4.5 in region 1, and 1 of 2 values"
    with pytest.warns(UserWarning, match=words):
        counted(steps)


class Drifts(Counter):
    """From 0 by `slope` per ms."""

    slope: Par = param(default=1.0, doc="slope")
    init_x: Initializer = Constant(0.0)
    x: HiddenState = state("count", port="x_inp", domain=nonnegative)

    def dx(self, x, x_inp):
        return 0 * x / u.ms + self.p.slope / u.ms


def drifting(**options):
    """Region 0 is the lower."""
    start = Constant(np.array([0.0, 0.5]))
    return bm.Simulator(Drifts(2, method="euler", init_x=start, **options), dt=1 * u.ms)


WORDS = r"State `x` \(count\) must be >= 0, but came to {} in {}, and {} were beyond"


def test_a_sweep_tells_which_run_left_the_bounds():
    traced, simulator = [], drifting()

    def measure(result):
        traced.append(1)
        return result["x"][-1]

    run = {"monitors": ["x"], "measure": measure, "seeds": 2, "at_once": 4}
    with pytest.warns(
        UserWarning, match=WORDS.format("-4.5", "the run with `slope` = -0.45 and seed 0", "4 of 6 runs")
    ):
        data = bm.sweep(simulator, 10 * u.ms, {"slope": [-0.1, -0.45, 0.2]}, **run)
    np.testing.assert_allclose(data["measure"][:, 0, 0], [-1.0, -4.5, 2.0], rtol=1e-5)
    compiled = len(traced)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bm.sweep(simulator, 10 * u.ms, {"slope": [0.1, 0.45, 0.2]}, **run)
    assert len(traced) == compiled


def test_a_run_of_a_sweep_that_failed_is_told_as_that_alone():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = bm.sweep(drifting(), 10 * u.ms, {"slope": [-3e38, 1.0]}, monitors=["x"])
    assert "became infinite" in str(data["failed"].values[0, 0]) and data["failed"].values[1, 0] == ""


def test_a_fit_tells_what_its_best_parameters_do():
    """A loss of them alone, from a run of its own and from one that the fit makes; of rows too."""
    recorded = {"duration": 10 * u.ms, "monitors": ["x"]}

    def run(model):
        return bm.Simulator(model, dt=1 * u.ms).run(10 * u.ms, monitors=["x"], seed=0)["x"]

    cases = [
        (recorded, {}),
        ({"predict": run}, {}),
        ({"predict": lambda model, key, row: run(model) + row}, {"data": np.zeros(3)}),
    ]
    cases += [({"loss_fn": lambda model: (jnp.mean((run(model) + 3) ** 2), 0.0)}, {})]
    for how, rows in cases:
        objective = {} if "loss_fn" in how else {"objective": lambda p, t: jnp.mean((p - t) ** 2)}

        def fit(slope, how=how, rows=rows, objective=objective, **options):
            model = drifting(slope=Param(slope, fit=True), **options)
            model = model if how is recorded else model.model
            target = None if "loss_fn" in how else np.full((*np.shape(rows.get("data", 0)), 10, 2), -3.0)
            return bm.Fitter(model, optax.sgd(0.0), **how, **objective).fit(target, n_steps=1, **rows)

        where = "region 0, row 0" if rows else "region 0"
        with pytest.warns(UserWarning, match=WORDS.format("-4.5", where, "6 of 6 values" if rows else "2 of 2 values")):
            fit(-0.45)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fit(0.45)


def test_runs_within_transformations_of_the_user_are_not_heard_and_break_nothing():
    def predict(model):
        run = bm.Simulator(model, dt=1 * u.ms).pure(10 * u.ms, monitors=["x"], free=["slope"])
        return jax.vmap(lambda by: run({"slope": by * model.slope.value()}, 0)["x"])(jnp.ones(3))

    model = Drifts(2, method="euler", slope=Param(-0.45, fit=True))
    fitter = bm.Fitter(model, optax.sgd(0.0), predict=predict, objective=lambda p, t: jnp.mean((p - t) ** 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fitter.fit(np.full((3, 10, 2), -3.0), n_steps=1).prediction[0, -1, 0] == pytest.approx(-4.5)


def test_a_clamped_step_is_the_step_and_then_the_bound():
    steps = np.random.default_rng(0).normal(size=(300, 2))
    expected, x = [], np.zeros(2)
    for step in steps:
        x = np.maximum(x + step, 0)
        expected.append(x)
    found = counted(steps, clamp=True)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert 0.02 < (found == 0).mean() < 0.5


@pytest.mark.parametrize(("make", "state", "high"), [(montbrio, "r", np.inf), (wong_wang, "S_e", 1.0)])
def test_clamped_it_stays_within(make, state, high):
    """As The Virtual Brain does it: put back after each step, and the next step goes on from there."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = bm.Simulator(make(clamp=True), dt=DT).run(50 * u.ms, monitors=[state], seed=0)[state]
    x = np.asarray(u.get_mantissa(x))
    assert x.min() == 0 and x.max() <= high and (x == 0).any()


def test_clamp_without_bounds_is_refused():
    with pytest.raises(ValueError, match="`clamp` of HopfStep has no effect: none of its states, x, y, has bounds"):
        bm.HopfStep(2, clamp=True)
    with pytest.raises(TypeError, match="`clamp` of MontbrioPazoRoxinStep must be True or False, but is yes"):
        bm.MontbrioPazoRoxinStep(2, clamp="yes")


@pytest.mark.slow
def test_a_model_that_stays_within_says_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bm.Simulator(bm.MontbrioPazoRoxinStep(3), dt=DT).run(50 * u.ms, monitors=["r"], seed=0)
        bm.Simulator(bm.WongWangExcInhStep(3), dt=DT).run(50 * u.ms, monitors=["S_e"], seed=0)


# --- divergence of an observer --------------------------------------------------------------------------------------
def test_an_observer_that_diverges_is_named_with_what_drives_it():
    simulator = bm.Simulator(bm.LinearStep(2), dt=1 * u.ms)
    strong = bm.Monitor(bm.BOLDSignal(2), source=lambda model: 3000.0 * (1 + model.x.value))
    monitors = {"rate": bm.Monitor(bm.Mean(2), source="signal"), "signal": strong, "x": "x"}
    with pytest.raises(bm.DivergenceError) as caught:
        simulator.run(20 * u.second, monitors=monitors, sample_every=1 * u.second, seed=0)
    words = str(caught.value)
    assert words.startswith("Monitor `signal`, a BOLDSignal whose state is `")
    assert "driven by a function, while the model itself was finite" in words and "smaller dt" not in words
    assert np.isfinite(np.asarray(caught.value.result["x"])).all()


def test_a_model_that_diverges_is_told_as_the_model_whoever_sees_it():
    node = bm.LinearStep(2, gamma=40.0, init_x=Constant(1.0), method="euler")
    with pytest.raises(bm.DivergenceError, match="^State `x` became infinite or NaN by .* Try a smaller dt"):
        bm.Simulator(node, dt=1 * u.ms).run(
            4 * u.second, monitors={"bold": bm.BOLDSignal(2)}, sample_every=1 * u.second, seed=0
        )
