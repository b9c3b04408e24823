"""Where a fit stops for want of a number: the step, the region and the variable, beside numpy."""

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
from brainmass.dynamics.fields import Initializer, Par, param, state

N_STEPS, DT = 150, 0.5


def linear(**options):
    gamma = Param(np.full(3, -1.0, np.float32), fit=True)
    return bm.LinearStep(3, gamma=gamma, init_x=Constant(0.01), method="euler", **options)


def simulate(model, n=N_STEPS, how="run", **options):
    simulator = bm.Simulator(model, dt=DT * u.ms)
    if how == "run":
        return simulator.run(n * DT * u.ms, monitors=["x"], sample_every=10, **options)["x"]
    pure = simulator.pure(n * DT * u.ms, monitors=["x"], sample_every=10, free=[])
    return (jax.jit(pure) if how == "jit" else pure)({}, jax.random.PRNGKey(0))["x"]


def pushes(how="run"):
    """The gradient of the first step alone leads region 1 to where it grows sixfold at each step."""
    return lambda m: 0.0 * jnp.sum(simulate(m, how=how)) - 11.0 * m.gamma.value()[1]


def overflows():
    """By numpy, when the state of region 1 leaves single precision, in ms."""
    x, n = np.float32(0.01), 0
    with np.errstate(over="ignore"):
        while np.isfinite(x):
            x, n = x + np.float32(DT) * (np.float32(10) * x), n + 1
    return n * DT


def told(fit, message, **run):
    with pytest.warns(RuntimeWarning, match=message) as warned:
        result = fit.fit(**run)
    assert sum("keeps its best" in str(w.message) for w in warned) == 1
    return result


# --- a loss that is no number -------------------------------------------------------------------------------
@pytest.mark.parametrize("how", ["run", pytest.param("pure", marks=pytest.mark.slow)])
def test_the_step_and_the_region_that_diverged(how):
    model = linear()
    fit = bm.Fitter(model, optax.sgd(1.0), loss_fn=pushes(how))
    message = rf"at step 1: it stops and keeps its best.*State `x` became infinite or NaN by {overflows():g} ms"
    result = told(fit, message + ", first in region 1 ", n_steps=5)
    assert result.n_steps == 2 and np.all(np.asarray(model.gamma.value()) == -1.0)
    assert isinstance(result.divergence, bm.DivergenceError)
    assert result.divergence.result["x"].shape == (N_STEPS // 10, 3)
    assert np.isfinite(np.asarray(bm.Simulator(model, dt=0.5 * u.ms).run(2.5 * u.ms)["x"])).all()


@pytest.mark.slow
def test_the_row_that_diverged():
    factors = np.array([-1.0, 10.0, -1.0], np.float32)

    def loss(model, key, gamma):
        run = bm.Simulator(model, dt=DT * u.ms).pure(
            N_STEPS * DT * u.ms, monitors=["x"], sample_every=10, free=["gamma"]
        )
        x = run({"gamma": model.gamma.value() + gamma}, key)["x"]
        return jnp.sum(x**2)

    fit = bm.Fitter(linear(), loss_fn=loss)
    result = told(fit, "Row 1: State `x` became infinite or NaN by", data=factors, n_steps=3, batch=3)
    assert result.n_steps == 1


@pytest.mark.slow
def test_several_starts_and_other_back_ends():
    loss = lambda m: jnp.sum(simulate(m))  # noqa: E731
    for optimizer, options in [(optax.sgd(1.0), {"n_starts": 2}), ("L-BFGS-B", {"backend": "scipy"})]:
        fit = bm.Fitter(linear(), optimizer, loss_fn=loss, search_space={"gamma": ([-1.0, 9.0, -1.0], 11.0)}, **options)
        told(fit, "State `x` became infinite or NaN by .* ms, first in region 1 ", n_steps=3)


@pytest.mark.slow
def test_what_cannot_be_seen():
    """States that are finite, and runs within other transformations."""
    fit = bm.Fitter(linear(), loss_fn=lambda m: jnp.log(-jnp.sum(simulate(m, 10) ** 2) - 1.0))
    assert told(fit, "All states of the run are finite: it is what is made of them", n_steps=2).divergence is None
    told(bm.Fitter(linear(), optax.sgd(1.0), loss_fn=pushes("jit")), "no run could be watched", n_steps=3)


def test_a_run_by_hand_is_located_by_its_block():
    """Outside a fit nothing is looked at more often than before."""
    model = linear()
    model.gamma.set_value(np.array([-1.0, 10.0, -1.0], np.float32))
    with pytest.raises(bm.DivergenceError, match=f"by {np.ceil(overflows() / 5) * 5:g} ms, first in region 1"):
        simulate(model)


# --- a gradient that is no number -----------------------------------------------------------------------------
class Clock(bm.NeuralMassDynamics):
    """Counts down; what it drives has a vertical slope where the clock shows four."""

    category = use_case = "test"
    output = "y"

    c: Par = param(default=1.0, doc="speed")
    w: Par = param(default=1.0, doc="weight")
    init_x: Initializer = Constant(0.0)
    init_y: Initializer = Constant(0.0)

    x: HiddenState = state("what the clock shows")
    y: HiddenState = state("what is driven", port="y_inp")

    def dx(self, x):
        return -self.p.c * jnp.ones_like(x) / u.ms

    def dy(self, y, x, y_inp):
        return self.p.w * jnp.sqrt(jnp.abs(x - 4.0)) / u.ms + y_inp / u.ms


def clock(n_steps, **params):
    start = lambda *a, **k: jnp.array([20.0, 10.0])  # noqa: E731
    model = Clock(2, init_x=start, method="euler", **params)

    def loss(model):
        return jnp.sum(bm.Simulator(model, dt=1.0 * u.ms).run(n_steps * u.ms, monitors=["y"])["y"])

    return bm.Fitter(model, optax.sgd(0.0), loss_fn=loss)


@pytest.mark.slow
def test_the_step_at_which_a_gradient_is_lost():
    """Region 1 shows four after six steps: the square root of the next one has no slope there."""
    free = lambda: Param(1.0, fit=True)  # noqa: E731
    message = (
        "gradient is not finite at step 0.*It is that of c. Backwards in time it is first so in the step from 6 ms"
    )
    result = told(clock(12, c=free(), w=free()), message + ", by state `x` of region 1", n_steps=3)
    assert result.n_steps == 1 and np.isfinite(result.best_loss)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clock(12, w=free()).fit(n_steps=1)  # that of the weight does not go through the clock
        clock(6, c=free()).fit(n_steps=1)  # nor does a run that ends before


@pytest.mark.slow
def test_a_gradient_lost_outside_the_run():
    loss = lambda m: jnp.sum(simulate(m, 10)) + jnp.sqrt(m.gamma.value()[0] + 1.0)  # noqa: E731
    told(bm.Fitter(linear(), loss_fn=loss), "It is that of gamma. It does not come from the steps of a run", n_steps=2)
    loss = lambda m: jnp.sqrt(jnp.sum((simulate(m, 10) - simulate(m, 10)) ** 2))  # noqa: E731
    told(bm.Fitter(linear(), loss_fn=loss), "from what is made of the run, or from its last step", n_steps=2)
