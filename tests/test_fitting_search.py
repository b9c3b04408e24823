"""Search without derivatives and solvers of second order: beside scipy on the same function, and closed forms."""

import brainunit as u
import jax
import jax.numpy as jnp
import nevergrad
import numpy as np
import optimistix
import pytest
import scipy.optimize
from brainstate.nn import L2Reg, Param, SigmoidT, SoftplusT
from braintools.init import Constant

import brainmass as bm
from brainmass._common.precision import matching_precision

# Steps that end a minimisation, and gradients of zero at the start, are what some of these fits are about.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*ended after n_steps:RuntimeWarning", "ignore:The gradient is exactly zero:RuntimeWarning"
)


TRACES = []
SPACE = {"a": (-2.0, 2.0), "beta": (0.01, 3.0)}
LOWEST = {"a": 1.0, "beta": 1.0}


def trainable(value, **options):
    return Param(value, fit=True, **options)


def hopf(a=0.2, beta=0.5):
    return bm.HopfStep(1, a=trainable(a), beta=trainable(beta), w=0.3)


def banana(model):
    """Rosenbrock's function, with a valley less steep."""
    TRACES.append("loss")
    a, b = model.a.value(), model.beta.value()
    return (1 - a) ** 2 + 10 * (b - a**2) ** 2


def banana_at(x):
    return (1 - x[0]) ** 2 + 10 * (x[1] - x[0] ** 2) ** 2


def of_cube(z):
    """Where in the search space a place in the unit cube is."""
    low, high = np.array(list(SPACE.values())).T
    return low + (high - low) * np.asarray(z)


def fitter(backend, optimizer=None, model=None, loss=banana, **options):
    options = {"search_space": SPACE} | options
    return bm.Fitter(hopf() if model is None else model, optimizer, loss_fn=loss, backend=backend, **options)


# --- what they find -----------------------------------------------------------------------------------------
@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("backend", "optimizer", "n_steps", "within"),
    [
        ("nevergrad", None, 60, 0.1),
        pytest.param("nevergrad", "twopointsde", 30, 0.1, marks=pytest.mark.slow),
        pytest.param("nevergrad", nevergrad.families.ParametrizedCMA(scale=0.5), 60, 0.1, marks=pytest.mark.slow),
        ("scipy", None, 40, 1e-3),
        ("scipy", "L-BFGS-B", 1, 1e-3),
        ("scipy", "nelder-mead", 1, 1e-3),
        pytest.param("scipy", "TNC", 1, 1e-2, marks=pytest.mark.slow),
        pytest.param("scipy", "SLSQP", 1, 1e-2, marks=pytest.mark.slow),
        pytest.param("scipy", "Powell", 1, 1e-2, marks=pytest.mark.slow),
    ],
)
def test_finds_the_lowest_point(backend, optimizer, n_steps, within):
    model = hopf()
    fit = fitter(backend, optimizer, model)
    result = fit.fit(n_steps=n_steps)
    for name, best in LOWEST.items():
        assert float(result.best_params[name]) == pytest.approx(best, abs=within)
        assert float(getattr(model, name).value()) == pytest.approx(best, abs=within)
    assert result.best_loss == result.history.min() < 0.01 * result.history[0]
    np.testing.assert_array_equal(result.history, result.histories.min(axis=1))
    before = len(TRACES)
    fit.fit(n_steps=3)
    assert len(TRACES) == before


@pytest.mark.parametrize("optimizer", ["BFGS", pytest.param("CG", marks=pytest.mark.slow)])
def test_without_bounds(optimizer):
    result = fitter("scipy", optimizer, search_space=None).fit()
    np.testing.assert_allclose([result.best_params[name] for name in LOWEST], 1.0, atol=1e-3)


def test_differential_evolution_is_that_of_scipy(x64):
    """The losses of all candidates, generation by generation."""
    first = []

    def keep(z):
        first.append(np.array(z))
        return banana_at(of_cube(z.T).T)

    words = np.array([0, 3], np.uint32)
    drawn = scipy.stats.qmc.LatinHypercube(2, rng=np.random.default_rng(words)).random(12)
    drawn[0] = [2.2 / 4, 0.49 / 2.99]
    scipy.optimize.differential_evolution(
        keep,
        [(0, 1)] * 2,
        init=drawn,
        maxiter=6,
        updating="deferred",
        vectorized=True,
        polish=False,
        rng=np.random.default_rng([*words, 1]),
    )
    with matching_precision():
        model = hopf()
    result = fitter("scipy", model=model, popsize=12).fit(n_steps=7, seed=3)
    assert result.histories.shape == (7, 12) and len(first) == 7
    np.testing.assert_allclose(result.histories, [banana_at(of_cube(z.T).T) for z in first], rtol=1e-10)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_l_bfgs_is_that_of_scipy(x64, mode):
    def both(z):
        a, b = of_cube(z)
        slope = np.array([-2 * (1 - a) - 40 * a * (b - a**2), 20 * (b - a**2)])
        return banana_at((a, b)), slope * [4.0, 2.99]

    truth = scipy.optimize.minimize(both, [2.2 / 4, 0.49 / 2.99], jac=True, bounds=[(0, 1)] * 2, method="L-BFGS-B")
    with matching_precision():
        model = hopf()
    result = fitter("scipy", "L-BFGS-B", model, mode=mode).fit()
    assert result.n_steps == truth.nfev
    np.testing.assert_allclose(result.raw.x, truth.x, rtol=1e-8)
    assert result.grad_norms[0] == pytest.approx(np.linalg.norm(both(np.array([2.2 / 4, 0.49 / 2.99]))[1]))


def test_bounds_hold_and_are_reached():
    """Of a slope, the lowest point is a corner, in the units of the parameters and for each region."""
    node = bm.MontbrioPazoRoxinStep(2, tau=trainable(2.0 * u.ms), eta=trainable(np.array([-5.0, -4.0])))
    seen = []

    def slope(model):
        return model.tau.value().to_decimal(u.ms) - jnp.sum(model.eta.value())

    space = {"tau": (1.0 * u.ms, 0.02 * u.second), "eta": ([-6.0, -7.0], -3.0)}
    result = bm.Fitter(
        node, loss_fn=slope, backend="scipy", search_space=space, callbacks=lambda step: seen.append(step.params)
    ).fit(n_steps=40)
    assert float(result.best_params["tau"].to_decimal(u.ms)) == pytest.approx(1.0, abs=0.05)
    np.testing.assert_allclose(result.best_params["eta"], [-3.0, -3.0], atol=0.05)
    assert all(1.0 <= float(p["tau"].to_decimal(u.ms)) <= 20.0 for p in seen)
    exact = bm.Fitter(node, "L-BFGS-B", loss_fn=slope, backend="scipy", search_space=space).fit()
    np.testing.assert_allclose(exact.best_params["eta"], [-3.0, -3.0])
    assert float(exact.best_params["tau"].to_decimal(u.ms)) == pytest.approx(1.0)


def test_logarithmic_scale_and_transforms():
    """Half-way from 1e-4 to 1 is 1e-2; a transform of the parameter does not enter the search."""
    seen = []
    model = bm.HopfStep(1, beta=Param(jnp.array(1.0), t=SoftplusT(0.0), fit=True))
    space = {"beta": bm.Bounds(1e-4, 1.0, log=True)}
    loss = lambda m: jnp.log(m.beta.value() / 3e-3) ** 2  # noqa: E731
    options = dict(loss_fn=loss, backend="scipy", search_space=space)
    bm.Fitter(model, **options, popsize=200, callbacks=lambda s: seen.append(s)).fit(n_steps=1)
    result = bm.Fitter(model, **options).fit(n_steps=20)
    assert float(model.beta.value()) == pytest.approx(3e-3, rel=1e-2) == float(result.best_params["beta"])
    losses = bm.Fitter(model, **options, popsize=200).fit(n_steps=1).histories[0]
    distance = np.sqrt(losses)  # even on the logarithmic scale: from 3e-3 down to 1e-4, and up to 1
    assert np.mean(distance < np.log(30)) == pytest.approx(2 * np.log(30) / np.log(1e4), abs=0.02)


@pytest.mark.slow
def test_candidates_of_a_generation_are_runs_of_the_model():
    """A batched generation gives what single runs give, noise included."""
    noise = bm.WhiteNoise(2, sigma=0.1)
    model = bm.HopfStep(2, a=trainable(0.1), w=0.3, init_x=Constant(0.5), noise_x=noise)

    def predict(model, key):
        return bm.Simulator(model, dt=0.5 * u.ms).run(10.0 * u.ms, seed=key, monitors=["x"])["x"]

    def rmse(prediction, target):
        return jnp.mean((prediction - target) ** 2)

    target, seen = np.zeros((20, 2)), []
    fit = bm.Fitter(
        model,
        predict=predict,
        objective=rmse,
        backend="nevergrad",
        search_space={"a": (-0.5, 0.5)},
        popsize=5,
        callbacks=seen.append,
    )
    result = fit.fit(target, n_steps=2)
    twin = bm.HopfStep(2, a=seen[1].params["a"], w=0.3, init_x=Constant(0.5), noise_x=noise)
    key = jax.random.fold_in(jax.random.PRNGKey(0), 1)
    assert float(rmse(predict(twin, key), target)) == pytest.approx(seen[1].loss, rel=1e-5)
    assert float(rmse(result.prediction, target)) == pytest.approx(result.best_loss, rel=1e-5)


def test_a_candidate_without_a_loss_is_passed_over():
    loss = lambda m: jnp.where(m.a.value() < 0.4, jnp.nan, m.a.value() + m.beta.value() ** 2)  # noqa: E731
    for backend in "nevergrad", "scipy":
        result = fitter(backend, loss=loss).fit(n_steps=25)
        assert np.isnan(result.histories).any() and 0.4 <= float(result.best_params["a"]) < 0.6
    with pytest.warns(RuntimeWarning, match="No candidate of step 0 has a finite loss"):
        fitter("scipy", loss=lambda m: jnp.nan * m.a.value() * m.beta.value()).fit(n_steps=2)


def test_patience_and_callbacks_end_a_search():
    constant = lambda m: 0 * m.a.value() * m.beta.value()  # noqa: E731
    for backend, optimizer in ("nevergrad", None), ("scipy", None):
        assert fitter(backend, optimizer, loss=constant).fit(n_steps=30, patience=4).n_steps <= 5
    for backend, optimizer in ("nevergrad", None), ("scipy", None), ("scipy", "L-BFGS-B"):
        stop = fitter(backend, optimizer, callbacks=lambda step: step.step == 2)
        assert stop.fit(n_steps=30).n_steps == 3


# --- least squares ------------------------------------------------------------------------------------------
def residuals(model):
    TRACES.append("residuals")
    a, b = model.a.value(), model.beta.value()
    return jnp.stack([1 - a, np.sqrt(10) * (b - a**2)])


@pytest.mark.parametrize(
    "optimizer",
    [
        None,
        pytest.param("GaussNewton", marks=pytest.mark.slow),
        pytest.param("Dogleg", marks=pytest.mark.slow),
        pytest.param(optimistix.LevenbergMarquardt(1e-6, 1e-6), marks=pytest.mark.slow),
    ],
)
def test_least_squares_find_the_lowest_point(optimizer):
    fit = fitter("optimistix", optimizer, loss=residuals, search_space=None)
    result = fit.fit(n_steps=30)
    np.testing.assert_allclose([result.best_params[name] for name in LOWEST], 1.0, atol=1e-3)
    assert result.history[0] == pytest.approx(banana_at((0.2, 0.5)), rel=1e-5)
    before = len(TRACES)
    fit.fit(n_steps=2)
    assert len(TRACES) == before


def test_one_gauss_newton_step_solves_a_linear_problem(x64):
    """With a rate that falls linearly in the parameter: the normal equations, by numpy."""
    rng = np.random.default_rng(0)
    design, target = rng.normal(size=(9, 3)), rng.normal(size=9)
    with matching_precision():
        model = bm.HopfStep(3, a=trainable(np.array([0.3, 0.1, -0.2])))
    fit = bm.Fitter(model, "GaussNewton", predict=lambda m: design @ m.a.value(), backend="optimistix")
    result = fit.fit(target, n_steps=4)
    truth, (squares,), *_ = np.linalg.lstsq(design, target)
    np.testing.assert_allclose(result.best_params["a"], truth, rtol=1e-8)
    assert result.best_loss == pytest.approx(squares) == result.history[1]
    np.testing.assert_allclose(result.prediction, design @ truth)


# --- bounds for the gradient --------------------------------------------------------------------------------
@pytest.mark.parametrize("transform", [None, SigmoidT(-1.0, 1.0)])
def test_gradient_descent_stays_within_the_bounds(transform):
    a = trainable(0.1) if transform is None else trainable(0.1, t=transform)
    model, seen = bm.HopfStep(1, a=a), []
    import optax

    bm.Fitter(
        model,
        optax.sgd(0.3),
        loss_fn=lambda m: (m.a.value() - 0.9) ** 2,
        search_space={"a": (-0.5, 0.4)},
        callbacks=lambda step: seen.append(float(step.params["a"])),
    ).fit(n_steps=20)
    assert max(seen) == pytest.approx(0.4, abs=1e-6) == float(model.a.value())


# --- refusals -----------------------------------------------------------------------------------------------
NAMES = "`search_space` of Fitter"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"backend": "nevergrad", "search_space": None},
            "must bound all trainable parameters, but lacks a, beta",
        ),
        ({"search_space": {"b": (0, 1)}}, "no parameter 'b'.*There are a, w, beta"),
        ({"search_space": {"a": (0, 1)}, "backend": "scipy"}, "must bound all trainable parameters, but lacks beta"),
        ({"search_space": SPACE | {"a": (1, 0)}}, "must go from low to high, but is from 1 to 0"),
        ({"search_space": SPACE | {"beta": (-1, 1)}}, NAMES + ", for the parameter `beta`, must be >= 0, but is -1"),
        ({"search_space": SPACE | {"a": (-1 * u.ms, 1)}}, "`a`, must have no unit, but is -1"),
        ({"search_space": SPACE | {"a": ([0.0, 0.0], 1.0)}}, r"must fit its shape \(\), but has shape \(2,\)"),
        ({"search_space": SPACE | {"a": (0.0, np.inf)}}, "`a`, must be finite, but is inf"),
        ({"search_space": SPACE | {"a": bm.Bounds(-1.0, 1.0, log=True)}}, "bounds > 0 for a logarithmic scale"),
        (
            {"search_space": SPACE | {"a": 3}},
            "or a brainmass.Bounds, Prior, Free or Fixed, but is 3",
        ),
        ({"search_space": [1]}, "must map names to bounds"),
        ({"backend": "nevergrad", "optimizer": "CNA"}, "must be the name of an optimiser of nevergrad.*'CMA'"),
        ({"backend": "nevergrad", "optimizer": 3}, "must be a name, class or family of nevergrad"),
        ({"backend": "scipy", "optimizer": "LBFGSB"}, "must be one of L-BFGS-B.*Did you mean 'L-BFGS-B'"),
        ({"backend": "scipy", "optimizer": "BFGS"}, "needs a method that takes bounds, but BFGS does not"),
        ({"backend": "scipy", "mode": "forward"}, "`mode` of Fitter would be ignored by differential_evolution"),
        ({"backend": "optimistix", "optimizer": "LM", "search_space": None}, "must be one of LevenbergMarquardt"),
        (
            {"popsize": 4},
            "`popsize` of Fitter belongs to the back ends nevergrad, scipy, pymoo; 'grad' would ignore it",
        ),
        ({"n_starts": 0}, "`n_starts` of Fitter must be a positive int"),
        ({"n_starts": 2, "search_space": None}, "needs a `search_space` to draw starts from"),
        ({"mode": "backward"}, "`mode` of Fitter must be 'reverse' or 'forward'"),
    ],
)
def test_refusals(options, message):
    with pytest.raises((ValueError, TypeError, u.UnitMismatchError), match=message):
        fitter(**({"backend": "grad"} | options)).fit(n_steps=1)


def test_refusals_of_transforms_shapes_and_regularisation():
    model = bm.HopfStep(1, a=Param(jnp.array(0.1), t=SigmoidT(-1.0, 1.0), fit=True))
    with pytest.raises(ValueError, match="within what its transform SigmoidT can give, but is 2.0"):
        bm.Fitter(model, loss_fn=banana, search_space={"a": (-1.0, 2.0)})
    with pytest.raises(ValueError, match="cannot add a regularisation to least squares"):
        bm.Fitter(bm.HopfStep(1, a=trainable(0.1, reg=L2Reg(0.5))), loss_fn=residuals, backend="optimistix")
    predict = lambda m: m.a.value() * jnp.ones((4, 2))  # noqa: E731
    fit = bm.Fitter(bm.HopfStep(1, a=trainable(0.1)), predict=predict, objective=lambda p, t: jnp.mean((p - t) ** 2))
    with pytest.raises(ValueError, match=r"prediction of shape \(4, 2\) with a target of shape \(3,\)"):
        fit.fit(np.zeros(3))


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "nevergrad", None)
    with pytest.raises(ImportError, match=r"needs nevergrad: pip install \"brainmass\[fit\]\""):
        fitter("nevergrad")
