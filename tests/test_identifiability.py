"""What data tell of parameters: closed forms, scipy, finite differences."""

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from brainstate.nn import Param
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar

import brainmass as bm
from brainmass import inference
from brainmass.inference import identifiability, profile_likelihood

SIGMA = 0.2
T = np.arange(10.0)
Y = 1.5 + 0.3 * T + SIGMA * np.random.default_rng(0).standard_normal(10)
X = np.stack([np.ones(10), T], axis=1)
BEST = np.linalg.lstsq(X, Y, rcond=None)[0]
COVARIANCE = np.linalg.inv(X.T @ X)
LEFT = np.sum((Y - X @ BEST) ** 2)
WIDE = {"a": (-5.0, 5.0), "w": (-5.0, 5.0)}


def line(model):
    return model.a.value() + model.w.value() * T


def product(model):
    return model.a.value() * model.w.value() * T


def decay(model):
    return model.a.value() * jnp.exp(-model.w.value() * T)


def problem(predict=line, space=WIDE, likelihood=None, data=Y, **start):
    model = bm.HopfStep(1, **({"a": 1.5, "w": 0.3} | start))
    return inference.Problem(model, space, likelihood or inference.Gaussian(SIGMA), data, predict=predict)


# --- Fisher's information -------------------------------------------------------------------------------------------
def test_linear_regression():
    found = identifiability(problem())
    assert (found.names, found.method) == (("a", "w"), "fisher")
    np.testing.assert_allclose(found.information, X.T @ X / SIGMA**2, rtol=1e-5)
    relative = X * [1.5, 0.3] / SIGMA
    values, vectors = np.linalg.eigh(relative.T @ relative)
    np.testing.assert_allclose(found.eigenvalues, values[::-1], rtol=1e-5)
    np.testing.assert_allclose(np.abs(found.directions), np.abs(vectors[:, ::-1]), rtol=1e-4)
    np.testing.assert_allclose(found.condition, values[1] / values[0], rtol=1e-5)
    errors = SIGMA * np.sqrt(np.diag(COVARIANCE))
    np.testing.assert_allclose(list(found.standard_errors.values()), errors, rtol=1e-5)
    np.testing.assert_allclose(list(found.relative_errors.values()), errors / [1.5, 0.3], rtol=1e-5)
    assert found.flat_directions == ()


def test_the_direction_of_a_product_is_flat():
    found = identifiability(problem(product))
    (direction,) = found.flat_directions
    np.testing.assert_allclose([direction["a"], direction["w"]] / np.sqrt(0.5), [1, -1], atol=1e-4)
    assert found.condition == np.inf
    assert set(found.standard_errors.values()) == {np.inf}
    np.testing.assert_allclose(found.eigenvalues[0], 2 * np.sum((0.45 * T / SIGMA) ** 2), rtol=1e-5)
    assert "1 flat direction" in repr(found)
    assert "flat: +0.71" in repr(found)


def test_what_is_apart_from_a_flat_direction_keeps_its_error():
    """Of a product and a constant the constant is known as in a regression."""
    model = bm.HopfStep(1, a=1.5, w=0.3, beta=0.7)
    predict = lambda m: m.beta.value() + m.a.value() * m.w.value() * T  # noqa: E731
    given = inference.Problem(model, WIDE | {"beta": (0.0, 5.0)}, inference.Gaussian(SIGMA), Y, predict=predict)
    errors = identifiability(given).standard_errors
    assert (errors["a"], errors["w"]) == (np.inf, np.inf)
    np.testing.assert_allclose(errors["beta"], SIGMA * np.sqrt(COVARIANCE[0, 0]), rtol=1e-3)


def test_an_estimated_noise_level():
    """It has the standard error σ/√(2n), and is independent of the rest."""
    found = identifiability(problem(space=WIDE | {"likelihood.sigma": (0.01, 5.0)}))
    np.testing.assert_allclose(found.standard_errors["likelihood.sigma"], SIGMA / np.sqrt(20), rtol=1e-5)
    np.testing.assert_allclose(found.information[2, :2], 0.0, atol=1e-3)


def test_heavy_tails():
    """The mean square of the scores of location and scale, by quadrature."""
    df = 3.0
    given = problem(
        lambda m: m.a.value() * jnp.ones(1), {"a": (-5.0, 5.0), "likelihood.sigma": (0.01, 5.0)},
        inference.StudentT(SIGMA, df), Y[:1],
    )  # fmt: skip
    density = lambda x, m=0.0, s=SIGMA: scipy.stats.t.logpdf(x, df, m, s)  # noqa: E731
    scores = [
        lambda x: (density(x, m=1e-5) - density(x, m=-1e-5)) / 2e-5,
        lambda x: (density(x, s=SIGMA + 1e-5) - density(x, s=SIGMA - 1e-5)) / 2e-5,
    ]
    expected = [quad(lambda x, f=f: f(x) ** 2 * np.exp(density(x)), -20, 20, limit=200)[0] for f in scores]
    np.testing.assert_allclose(np.diag(identifiability(given).information), expected, rtol=1e-3)


@pytest.mark.slow
def test_of_a_run_with_units(x64):
    """Against finite differences of the recording; τ in ms has its standard error in ms."""
    node = bm.WilsonCowanStep(1, method="rk4")
    simulator = bm.Simulator(node, dt=0.1 * u.ms)
    run = dict(duration=40 * u.ms, monitors=["rE"], sample_every=1 * u.ms, inputs={"rE_inp": 1.0})
    data = simulator.run(**run)["rE"]
    space = {"tau_E": bm.LogNormal(10.0 * u.ms, 0.3), "wEE": bm.Normal(12.0, 3.0)}
    found = identifiability(inference.Problem(simulator, space, inference.Gaussian(0.01), data, **run))

    def recorded(tau, w):
        pure = simulator.pure(free=["tau_E", "wEE"], **run)
        return np.ravel(pure({"tau_E": tau * u.ms, "wEE": w}, 0)["rE"])

    tau, w = found.values
    J = [(recorded(tau + h, w + k) - recorded(tau - h, w - k)) / 2e-5 for h, k in ((1e-5, 0), (0, 1e-5))]
    np.testing.assert_allclose(found.information, np.inner(J, J) / 0.01**2, rtol=1e-5)
    errors = np.sqrt(np.diag(np.linalg.inv(np.inner(J, J)))) * 0.01
    np.testing.assert_allclose(found.standard_errors["tau_E"].to_decimal(u.ms), errors[0], rtol=1e-4)
    np.testing.assert_allclose(found.standard_errors["wEE"], errors[1], rtol=1e-4)


def test_numbers_of_regions_and_values_at_zero():
    model = bm.HopfStep(3, a=np.array([0.0, 1.0, 2.0]))
    seen = lambda m: m.a.value()[:2] * jnp.ones((4, 2))  # noqa: E731
    given = inference.Problem(model, {"a": (-4.0, 4.0)}, inference.Gaussian(SIGMA), np.zeros((4, 2)), predict=seen)
    found = identifiability(given)
    assert found.names == ("a[0]", "a[1]", "a[2]")
    np.testing.assert_allclose(found.scales, [8.0, 1.0, 2.0])
    np.testing.assert_allclose([*found.standard_errors.values()], [SIGMA / 2, SIGMA / 2, np.inf], rtol=1e-5)
    assert found.flat_directions == ({"a[2]": 1.0},)
    assert dict(found.to_xarray().sizes) == {"parameter": 3, "parameter_": 3, "direction": 3}


# --- the Hessian ----------------------------------------------------------------------------------------------------
def test_hessian_of_a_likelihood_at_its_optimum():
    found = identifiability(problem(), method="hessian", at={"a": BEST[0], "w": BEST[1]})
    np.testing.assert_allclose(found.information, X.T @ X / SIGMA**2, rtol=1e-3)
    with pytest.raises(ValueError, match="`fit` of identifiability must have converged for the Hessian, but a step by"):
        identifiability(problem(), method="hessian", at={"a": 1.0, "w": 0.3})


def test_a_point_from_which_the_likelihood_rises_is_no_optimum():
    top = problem(lambda m: m.a.value() ** 2 * jnp.ones(10), {"a": (-5.0, 5.0)}, a=1e-6)
    with pytest.raises(ValueError, match="must have converged for the Hessian, but falls away along {'a': 1.0}"):
        identifiability(top, method="hessian")


def trainable():
    return bm.HopfStep(1, a=Param(1.0, fit=True), w=Param(0.1, fit=True))


@pytest.mark.slow
def test_least_squares_with_the_noise_that_is_left():
    made = bm.Fitter(trainable(), backend="optimistix", predict=line)
    made.fit(Y, n_steps=30)
    found = identifiability(made, Y)
    errors = np.sqrt(np.diag(COVARIANCE) * LEFT / 8)
    np.testing.assert_allclose([*found.standard_errors.values()], errors, rtol=1e-3)
    given = identifiability(made, Y, noise=SIGMA)
    np.testing.assert_allclose([*given.standard_errors.values()], SIGMA * np.sqrt(np.diag(COVARIANCE)), rtol=1e-4)


def test_hessian_of_a_loss():
    """Of the mean square error, at its optimum and before it."""
    loss = lambda prediction, target: jnp.mean((prediction - target) ** 2)  # noqa: E731
    made = bm.Fitter(trainable(), "L-BFGS-B", backend="scipy", predict=line, objective=loss, search_space=WIDE)
    with pytest.raises(ValueError, match="must have converged for the Hessian"):
        identifiability(made, Y)
    made.fit(Y)
    found = identifiability(made, Y)
    np.testing.assert_allclose(found.information, 2 * X.T @ X / 10, rtol=1e-3)
    with pytest.raises(ValueError, match="must have a likelihood for standard errors, but has a loss"):
        _ = found.standard_errors
    predicted = identifiability(made, Y, method="fisher", noise=SIGMA)
    np.testing.assert_allclose(predicted.information, X.T @ X / SIGMA**2, rtol=1e-4)


# --- profiles -------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_profile_of_a_linear_regression():
    grid = np.linspace(0.2, 0.4, 9)
    found = profile_likelihood(problem(), "w", grid)
    error = SIGMA * np.sqrt(COVARIANCE[1, 1])
    np.testing.assert_allclose(found.ratio, ((grid - BEST[1]) / error) ** 2, atol=1e-3)
    np.testing.assert_allclose(found.interval, BEST[1] + 1.959964 * error * np.array([-1, 1]), atol=1e-4)
    np.testing.assert_allclose(found.others["a"], np.mean(Y) - grid * np.mean(T), rtol=1e-3)
    assert dict(found.to_xarray().sizes) == {"value": 9}
    assert "within 0.2441 to 0.3304 (95%)" in repr(found)


def test_profile_of_scipy():
    """An exponential decay: the amplitude in closed form, the rest by scipy; the interval is not symmetric."""
    data = 2.0 * np.exp(-0.3 * T) + SIGMA * np.random.default_rng(1).standard_normal(10)

    def log_likelihood(w):
        shape = np.exp(-w * T)
        a = shape @ data / (shape @ shape)
        return scipy.stats.norm(a * shape, SIGMA).logpdf(data).sum()

    space = {"a": (0.01, 10.0), "w": (0.01, 3.0)}
    grid = np.linspace(0.05, 1.2, 8)
    found = profile_likelihood(problem(decay, space, data=data), "w", grid, level=0.9)
    np.testing.assert_allclose(found.log_likelihood, [log_likelihood(w) for w in grid], rtol=1e-5, atol=1e-4)
    top = minimize_scalar(lambda w: -log_likelihood(w), bounds=(0.05, 1.0), options={"xatol": 1e-10})
    np.testing.assert_allclose(found.best, top.x, atol=1e-3)
    rejected = lambda w: log_likelihood(w) + top.fun + scipy.stats.chi2(1).ppf(0.9) / 2  # noqa: E731
    expected = brentq(rejected, 0.05, top.x), brentq(rejected, top.x, 1.2)
    np.testing.assert_allclose(found.interval, expected, atol=5e-4)
    assert expected[1] - top.x > 1.1 * (top.x - expected[0])


@pytest.mark.slow
def test_profile_with_an_estimated_noise_level():
    """Of the mean of normal data: n log(1 + (m - x)²/s²)."""
    given = problem(lambda m: m.a.value() * jnp.ones(10), {"a": (-5.0, 5.0), "likelihood.sigma": (0.01, 5.0)})
    found = profile_likelihood(given, "a", np.linspace(1.5, 4.5, 11))
    np.testing.assert_allclose(found.ratio, 10 * np.log1p((np.mean(Y) - found.values) ** 2 / np.var(Y)), atol=2e-3)


@pytest.mark.slow
def test_profile_of_a_product_is_flat():
    found = profile_likelihood(problem(product, {"a": (0.1, 5.0), "w": (0.01, 5.0)}), "a", np.linspace(0.5, 3, 4))
    np.testing.assert_allclose(found.ratio, 0.0, atol=1e-3)
    assert found.interval == (-np.inf, np.inf)
    np.testing.assert_allclose(found.others["w"] * found.values, np.sum(T * Y) / np.sum(T**2), rtol=1e-3)


def test_profile_in_a_unit():
    node = bm.WilsonCowanStep(1, tau_E=10.0 * u.ms)
    predict = lambda m: m.tau_E.value() * np.ones(4)  # noqa: E731
    given = inference.Problem(
        node, {"tau_E": (1.0 * u.ms, 50.0 * u.ms)}, inference.Gaussian(2.0 * u.ms), 12.0 * np.ones(4) * u.ms,
        predict=predict,
    )  # fmt: skip
    found = profile_likelihood(given, "tau_E", np.array([0.008, 0.016]) * u.second)
    np.testing.assert_allclose([x.to_decimal(u.ms) for x in found.interval], [12 - 1.96, 12 + 1.96], atol=2e-2)
    with pytest.raises(u.UnitMismatchError, match="`values` of profile_likelihood must have a unit like ms"):
        profile_likelihood(given, "tau_E", [8.0, 16.0])


@pytest.mark.slow
def test_one_of_several_numbers():
    model = bm.HopfStep(2, a=np.array([0.5, 1.0]))
    given = inference.Problem(
        model, {"a": (-4.0, 4.0)}, inference.Gaussian(SIGMA), np.ones((4, 2)),
        predict=lambda m: m.a.value() * jnp.ones((4, 2)),
    )  # fmt: skip
    found = profile_likelihood(given, "a[1]", [0.5, 0.9, 1.5])
    np.testing.assert_allclose(found.interval, 1 + 0.98 * SIGMA * np.array([-1, 1]), atol=2e-3)


# --- errors ---------------------------------------------------------------------------------------------------------
def test_errors():
    given = problem()
    cases = [
        ((given, Y), {}, "`target` of identifiability has no effect with a Problem"),
        ((given,), {"noise": 0.1}, "`noise` of identifiability has no effect with a Problem"),
        ((given,), {"method": "newton"}, "`method` of identifiability must be 'fisher', 'hessian'"),
        ((given,), {"at": {"a": 1.0}}, "must give a, w, but gives"),
        ((given,), {"tolerance": 2.0}, "`tolerance` of identifiability must be a number from 0 to 1"),
    ]
    for args, more, message in cases:
        with pytest.raises((ValueError, TypeError), match=message):
            identifiability(*args, **more)
    own = problem(likelihood=lambda predicted, observed: -jnp.sum((predicted - observed) ** 2))
    with pytest.raises(ValueError, match="`method` of identifiability must be 'hessian' for likelihoods other than"):
        identifiability(own, method="fisher")
    with pytest.raises(TypeError, match="`fit` of identifiability must be an inference.Problem or a Fitter"):
        identifiability(bm.HopfStep(1))


def test_errors_of_fitters():
    model = bm.HopfStep(1, a=Param(1.0, fit=True))
    by_loss = bm.Fitter(model, loss_fn=lambda m: (m.a.value() - 1.0) ** 2)
    np.testing.assert_allclose(identifiability(by_loss).information, [[2.0]])
    with pytest.raises(ValueError, match="must be 'hessian' for a Fitter with `loss_fn`, which predicts nothing"):
        identifiability(by_loss, method="fisher")
    with pytest.raises(ValueError, match="`noise` of identifiability has no effect with the Hessian of a loss"):
        identifiability(by_loss, noise=0.1)
    squares = bm.Fitter(model, backend="optimistix", predict=lambda m: m.a.value() * jnp.ones(3))
    with pytest.raises(ValueError, match="`method` of identifiability must be 'fisher' for least squares"):
        identifiability(squares, np.ones(3), method="hessian")
    with pytest.raises(ValueError, match="`noise` of identifiability must be given where it cannot be estimated"):
        identifiability(squares, np.ones(3))


def test_errors_of_profiles():
    with pytest.raises(TypeError, match="`problem` of profile_likelihood must be an inference.Problem, which has"):
        profile_likelihood(trainable(), "a", [1.0])
    with pytest.raises(ValueError, match="must lie between -5 and 5, the ends of a"):
        profile_likelihood(problem(), "a", [1.0, 6.0])
    with pytest.raises(ValueError, match="must be one of the numbers that are fitted, a, w"):
        profile_likelihood(problem(), "beta", [1.0])
    with pytest.raises(ValueError, match="and not at their ends"):
        profile_likelihood(problem(a=5.0), "a", [1.0, 2.0])
    two_peaks = problem(lambda m: (m.a.value() ** 3 - 3 * m.a.value()) * jnp.ones(10), {"a": (-5.0, 5.0)}, a=-1.0)
    with pytest.raises(ValueError, match="must have its optimum found, but the likelihood is higher at a = 2.1 "):
        profile_likelihood(two_peaks, "a", [-1.5, -0.5, 2.1])
