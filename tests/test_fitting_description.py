"""One description of a parameter for every solver: priors, bounds, sharing; beside scipy and closed forms."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions
import optax
import pytest
import scipy.optimize
import scipy.stats
from brainstate.nn import ExpT, L2Reg, OrderedT, Param, SigmoidT, SoftplusT

import brainmass as bm
from brainmass.fitting.solvers.second_order import METHODS

# Steps that end a minimisation, and gradients of zero at the start, are what some of these fits are about.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*ended after n_steps:RuntimeWarning", "ignore:The gradient is exactly zero:RuntimeWarning"
)


TRACES = []
GOAL = np.array([0.5, 0.1, -0.3, 0.7], np.float32)


def hopf(n=4, a=0.2, **options):
    return bm.HopfStep(n, a=a, w=0.3, **options)


def to_goal(model):
    TRACES.append("loss")
    return jnp.sum((model.a.value() - GOAL) ** 2) / 2


def residuals(model):
    return (model.a.value() - GOAL) / np.sqrt(2)


SOLVERS = [
    ("grad", lambda: optax.sgd(0.2), to_goal, 40, 1e-3),
    ("scipy", lambda: "BFGS", to_goal, 1, 1e-3),
    ("optimistix", lambda: "GaussNewton", residuals, 3, 1e-4),
    pytest.param("nevergrad", lambda: "CMA", to_goal, 60, 0.03, marks=pytest.mark.slow),
]


# --- priors -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("backend", "optimizer", "loss", "n_steps", "within"), SOLVERS)
def test_the_mean_of_a_gaussian_posterior(backend, optimizer, loss, n_steps, within):
    """One number seen four times with unit variance, under a normal prior (Gelman et al., BDA, eq. 2.12)."""
    fit = bm.Fitter(
        hopf(),
        optimizer(),
        loss_fn=loss,
        backend=backend,
        search_space={"a": bm.Normal(-1.0, 0.5)},
    )
    result = fit.fit(n_steps=n_steps)
    truth = (GOAL.sum() - 1.0 / 0.25) / (4 + 1 / 0.25)
    assert float(result.best_params["a"]) == pytest.approx(truth, abs=within) == float(fit.model.a.value())
    if backend != "optimistix":
        lowest = np.sum((truth - GOAL) ** 2) / 2 - scipy.stats.norm(-1.0, 0.5).logpdf(truth)
        assert result.best_loss == pytest.approx(lowest, rel=1e-3)
    before = len(TRACES)
    fit.fit(n_steps=1)
    assert len(TRACES) == before


def mpr(**options):
    return bm.MontbrioPazoRoxinStep(2, tau=2.0 * u.ms, eta=np.array([-5.0, -4.0], np.float32), **options)


SPACE = {
    "tau": bm.LogNormal(2.0 * u.ms, 0.3),
    "eta": bm.Free(bounds=(-8.0, -2.0), prior=bm.Normal([-5.0, -4.5], 0.5)),
    "J": bm.Bounds(1.0, 20.0, log=True),
    "delta": (0.5, 2.0),
}


def test_densities_and_units_are_those_of_scipy():
    """In the loss those of priors; in log_prior bounds too, as even densities."""
    fit = bm.Fitter(mpr(delta=1.5), loss_fn=lambda m: 0.0 * m.J.value(), search_space=SPACE)
    tau, eta, J = 0.003 * u.second, np.array([-4.0, -5.0]), 10.0
    truth = scipy.stats.lognorm(0.3, scale=2.0).logpdf(3.0) + scipy.stats.norm([-5.0, -4.5], 0.5).logpdf(eta).sum()
    even = scipy.stats.loguniform(1.0, 20.0).logpdf(J) + scipy.stats.uniform(0.5, 1.5).logpdf(1.5)
    values = {"tau": tau, "eta": eta, "J": J, "delta": 1.5}
    assert float(fit.log_prior(values)) == pytest.approx(truth + even, rel=1e-5)
    assert fit.log_prior(values | {"J": 0.5}) == -np.inf == fit.log_prior(values | {"eta": [-9.0, -4.0]})
    for name, value in values.items():
        getattr(fit.model, name).set_value(value)
    assert fit.fit(n_steps=1).best_loss == pytest.approx(-truth, rel=1e-5)


@pytest.mark.slow
def test_draws_have_their_distributions():
    draws = bm.Fitter(mpr(delta=1.5), loss_fn=lambda m: m.J.value(), search_space=SPACE).sample_prior(1, 400)
    assert draws["eta"].shape == (400, 2) and draws["tau"].shape == (400,)
    for numbers, truth in [
        (draws["tau"].to_decimal(u.ms), scipy.stats.lognorm(0.3, scale=2.0)),
        (draws["eta"][:, 1], scipy.stats.norm(-4.5, 0.5)),
        (draws["J"], scipy.stats.loguniform(1.0, 20.0)),
        (draws["delta"], scipy.stats.uniform(0.5, 1.5)),
    ]:
        assert scipy.stats.kstest(np.asarray(numbers), truth.cdf).pvalue > 0.01


@pytest.mark.slow
def test_starts_are_drawn_from_the_prior():
    space = {"tau": bm.LogNormal(2.0 * u.ms, 0.3)}
    fit = bm.Fitter(mpr(), loss_fn=lambda m: 0.0 * m.J.value(), search_space=space, n_starts=6)
    draws = fit.sample_prior(3, 5)["tau"].to_decimal(u.ms)
    losses = -scipy.stats.lognorm(0.3, scale=2.0).logpdf([2.0, *draws])
    np.testing.assert_allclose(fit.fit(n_steps=1, seed=3).histories[0], losses, rtol=1e-4)


def test_a_distribution_of_another_library():
    """With the methods of numpyro; without `icdf` a solver that needs bounds asks for them."""

    class Gumbel:
        def log_prob(self, x):
            return -x - jnp.exp(-x)

        def sample(self, key, shape=()):
            return jax.random.gumbel(key, shape)

    options = dict(loss_fn=lambda m: 0.0 * m.J.value(), backend="scipy")
    prior = bm.Prior(Gumbel(), unit=u.second)
    fit = bm.Fitter(mpr(), "BFGS", **options, search_space={"tau": prior})
    assert float(fit.log_prior({"tau": 500.0 * u.ms})) == pytest.approx(scipy.stats.gumbel_r().logpdf(0.5), rel=1e-5)
    with pytest.raises(ValueError, match="must bound all trainable parameters, but lacks tau"):
        bm.Fitter(mpr(), **options, search_space={"tau": prior})
    bm.Fitter(mpr(), **options, search_space={"tau": bm.Free(bounds=(1 * u.ms, 2 * u.second), prior=prior)})


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("given", "truth"),
    [
        (numpyro.distributions.Gamma(np.array([2.0, 3.0]), 1.0), scipy.stats.gamma([2.0, 3.0])),
        (numpyro.distributions.Beta(2.0, 5.0), scipy.stats.beta(2.0, 5.0)),
        pytest.param(
            numpyro.distributions.StudentT(3.0, 1.0, 2.0), scipy.stats.t(3.0, 1.0, 2.0), marks=pytest.mark.slow
        ),
        (numpyro.distributions.TruncatedNormal(0.5, 1.0, low=0.0), scipy.stats.truncnorm(-0.5, np.inf, 0.5)),
        (numpyro.distributions.HalfCauchy(2.0), scipy.stats.halfcauchy(scale=2.0)),
    ],
)
def test_distributions_of_numpyro(given, truth):
    """Densities, quantiles and ends are those of scipy; some of numpyro's have no quantiles without TensorFlow."""
    prior = bm.Prior(given)
    assert float(prior.log_density(truth.ppf(0.7))) == pytest.approx(np.sum(truth.logpdf(truth.ppf(0.7))), rel=1e-5)
    for p in (1e-4, 0.3, 0.9999):
        np.testing.assert_allclose(prior.quantile(p), truth.ppf(p), rtol=3e-4)
    np.testing.assert_array_equal([prior.quantile(0.0), prior.quantile(1.0)], truth.support())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "optimizer", "n_steps", "within"),
    [
        ("grad", optax.sgd(0.4), 40, 1e-3),
        ("nevergrad", "CMA", 40, 1e-2),
    ],
)
def test_a_prior_of_numpyro_gives_its_mode(backend, optimizer, n_steps, within):
    """Gamma(3, 2) has it at (3 - 1)/2, in the unit of the prior; a step too far stays within the support."""
    space = {"tau": bm.Prior(numpyro.distributions.Gamma(3.0, 2.0), unit=u.ms)}
    seen = []
    fit = bm.Fitter(
        bm.MontbrioPazoRoxinStep(1, tau=1.5 * u.ms),
        optimizer,
        loss_fn=lambda m: 0.0 * m.J.value(),
        backend=backend,
        search_space=space,
        callbacks=lambda step: seen.append(step.params["tau"].to_decimal(u.ms)),
        **({"n_starts": 3} if backend == "grad" else {}),
    )
    result = fit.fit(n_steps=n_steps)
    assert float(result.best_params["tau"].to_decimal(u.ms)) == pytest.approx(1.0, abs=within)
    assert np.min(seen) > 0
    draws = fit.sample_prior(0, 500)["tau"].to_decimal(u.ms)
    assert scipy.stats.kstest(draws, scipy.stats.gamma(3.0, scale=0.5).cdf).pvalue > 0.01


@pytest.mark.parametrize(
    ("prior", "truth"),
    [(bm.Normal(2.0, 0.3), scipy.stats.norm(2.0, 0.3)), (bm.LogNormal(2.0, 0.3), scipy.stats.lognorm(0.3, scale=2.0))],
)
def test_squares_of_residuals_are_densities(prior, truth):
    values = np.array([1.5, 1.9, 3.0])
    squares = np.asarray([np.sum(prior.residuals(x) ** 2) for x in values])
    np.testing.assert_allclose(np.diff(squares), -np.diff(truth.logpdf(values)), rtol=1e-4)
    assert float(prior.quantile(0.9)) == pytest.approx(truth.ppf(0.9), rel=1e-5)


# --- sharing ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("backend", "optimizer", "loss", "n_steps", "within"), SOLVERS)
def test_regions_that_share_a_number_have_the_mean(backend, optimizer, loss, n_steps, within):
    """Least squares of a constant, for two networks of regions: its mean over each."""
    space = {"a": bm.Free(bounds=None if backend != "nevergrad" else (-1.0, 1.0), shared=["b", "a", "b", "a"])}
    start = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    seen = []
    fit = bm.Fitter(
        hopf(a=start), optimizer(), loss_fn=loss, backend=backend, search_space=space, callbacks=seen.append
    )
    result = fit.fit(n_steps=n_steps)
    truth = np.array([GOAL[::2].mean(), GOAL[1::2].mean()] * 2)
    np.testing.assert_allclose(result.best_params["a"], truth, atol=within)
    np.testing.assert_allclose(fit.model.a.value(), truth, atol=within)
    if backend == "grad":  # from the means of what the regions had
        assert result.history[0] == pytest.approx(np.sum((np.array([0.2, 0.3, 0.2, 0.3]) - GOAL) ** 2) / 2, rel=1e-5)
    before = len(TRACES)
    fit.fit(n_steps=1)
    assert len(TRACES) == before


def test_numbers_of_groups_are_in_the_order_of_their_first_regions():
    space = {"a": bm.Free(prior=bm.Normal([0.5, -0.5], 0.1), shared=["b", "a", "b", "a"])}
    result = bm.Fitter(hopf(), "BFGS", loss_fn=lambda m: 0.0, backend="scipy", search_space=space).fit()
    np.testing.assert_allclose(result.best_params["a"], [0.5, -0.5, 0.5, -0.5], atol=1e-3)


def test_one_number_for_all_behind_a_transform_and_with_a_unit():
    tau = Param(np.array([1.0, 3.0], np.float32) * u.ms, t=SoftplusT(0.0 * u.ms), fit=True)
    node = bm.MontbrioPazoRoxinStep(2, tau=tau)
    goal = np.array([4.0, 6.0])
    loss = lambda m: jnp.mean((m.tau.value().to_decimal(u.ms) - goal) ** 2)  # noqa: E731
    fit = bm.Fitter(node, optax.adam(0.3), loss_fn=loss, search_space={"tau": bm.Free(shared=True)})
    result = fit.fit(n_steps=80)
    np.testing.assert_allclose(result.best_params["tau"].to_decimal(u.ms), [5.0, 5.0], atol=0.05)
    assert result.history[0] == pytest.approx(np.mean((2.0 - goal) ** 2), rel=1e-4)


def test_groups_of_a_model_with_one_number():
    result = bm.Fitter(hopf(), optax.sgd(0.25), loss_fn=to_goal, search_space={"a": bm.Free(shared=[0, 0, 1, 1])}).fit(
        n_steps=30
    )
    np.testing.assert_allclose(result.best_params["a"], np.repeat([0.3, 0.2], 2), atol=1e-3)


def test_populations_that_share_a_parameter_fit_one_number():
    """Each pulls it to a goal of its own, one three times as hard: to 0.75 of one and 0.25 of the other."""
    a = Param(0.1, fit=True)
    network = bm.Network(
        {"core": hopf(3, a=a), "shell": hopf(1, a=a)},
        projections=[bm.Projection(np.ones((1, 3)), source="core", target="shell", coupled_var="x")],
    )

    def loss(model):
        core, shell = (model.populations[name].a.value() for name in ("core", "shell"))
        return (3 * (core - 0.8) ** 2 + (shell - 0.4) ** 2) / 8

    result = bm.Fitter(network, optax.sgd(0.5), loss_fn=loss).fit(n_steps=20)
    assert list(result.best_params) == ["core.a"]
    for node in network.populations.values():
        np.testing.assert_allclose(node.a.value(), 0.7, atol=1e-4)


# --- what is fitted, and how ----------------------------------------------------------------------------------
def test_plain_numbers_are_fitted_by_name_and_others_kept():
    model = hopf(a=Param(0.1, fit=True), beta=Param(2.0, fit=True))
    loss = lambda m: (m.a.value() - 1.0) ** 2 + (m.beta.value() - 1.0) ** 2 + (m.w.value() - 1.0) ** 2  # noqa: E731
    fit = bm.Fitter(model, optax.sgd(0.5), loss_fn=loss, search_space={"beta": bm.Fixed(), "w": (0.0, 0.8)})
    result = fit.fit(n_steps=3)
    assert result.best_params.keys() == {"a", "w"}
    assert float(model.w.value()) == pytest.approx(0.8) and float(model.a.value()) == pytest.approx(1.0)
    assert float(model.beta.value()) == 2.0
    np.testing.assert_array_equal(bm.Simulator(model, dt=0.1 * u.ms).run(0.3 * u.ms, seed=0)["x"].shape, (3, 4))


def test_transform_and_regularisation_of_the_description():
    """Steps of the logarithm-like coordinate of SoftplusT, by numpy; the regularisation sees the value."""
    free = bm.Free(transform=SoftplusT(0.0), reg=L2Reg(0.5))
    model = hopf(beta=1.0)
    fit = bm.Fitter(model, optax.sgd(0.1), loss_fn=lambda m: m.beta.value(), search_space={"beta": free})
    result = fit.fit(n_steps=4)
    x, losses = np.log(np.expm1(1.0)), []
    for _ in range(4):
        value = np.log1p(np.exp(x))
        losses.append(value + 0.5 * value**2)
        x -= 0.1 * (1 + value) / (1 + np.exp(-x))
    np.testing.assert_allclose(result.history, losses, rtol=1e-5)
    assert float(model.beta.value()) == pytest.approx(value, rel=1e-5)


# --- solvers ----------------------------------------------------------------------------------------------------
@pytest.mark.few(4)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_of_scipy(method):
    """A quadratic whose lowest point lies beyond a bound; without bounds, that point."""
    takes_bounds, _ = METHODS[method]
    model, seen = hopf(1, a=0.2, beta=1.0), []
    goal, high = np.array([0.9, 0.4]), 0.5 if takes_bounds else np.inf
    loss = lambda m: (m.a.value() - goal[0]) ** 2 + 3 * (m.beta.value() - goal[1]) ** 2  # noqa: E731
    space = {"a": (-0.5, high), "beta": (0.1, 2.0)} if takes_bounds else {"a": bm.Free(), "beta": bm.Free()}
    fit = bm.Fitter(model, method, loss_fn=loss, backend="scipy", search_space=space, callbacks=seen.append)
    result = fit.fit()
    np.testing.assert_allclose([result.best_params[k] for k in space], np.minimum(goal, high), atol=5e-3)
    assert all(float(step.params["a"]) <= high + 1e-6 for step in seen) and len(seen) == result.n_steps
    with pytest.raises(ValueError, match=f"`fresh_noise` of fit must be False for {method}, which needs one function"):
        fit.fit(n_steps=2, fresh_noise=True)


@pytest.mark.parametrize(
    ("optimizer", "goal"),
    [
        ("LevenbergMarquardt", 0.9),
        pytest.param("LevenbergMarquardt", 0.3, marks=pytest.mark.slow),
        pytest.param("Dogleg", 0.9, marks=pytest.mark.slow),
    ],
)
def test_least_squares_within_bounds_are_those_of_scipy(optimizer, goal):
    """Levenberg-Marquardt on exp(a t) against a target that needs a = goal, beyond the bound for one of them."""
    times = np.linspace(0.0, 2.0, 9)
    curve = lambda a, b: b * jnp.exp(a * times)  # noqa: E731
    target = np.exp(goal * times)
    model = hopf(1, a=0.0, beta=2.0)
    fit = bm.Fitter(
        model,
        optimizer,
        predict=lambda m: curve(m.a.value(), m.beta.value()),
        backend="optimistix",
        search_space={"a": (-1.0, 0.5), "beta": (0.1, 5.0)},
    )
    result = fit.fit(target, n_steps=40)
    truth = scipy.optimize.least_squares(
        lambda x: np.asarray(x[1] * np.exp(x[0] * times)) - target, [0.0, 2.0], bounds=([-1.0, 0.1], [0.5, 5.0])
    )
    np.testing.assert_allclose([result.best_params["a"], result.best_params["beta"]], truth.x, atol=2e-3)
    assert result.best_loss == pytest.approx(2 * truth.cost, rel=1e-3, abs=1e-6)


class Flat:
    """Starts here and there, no preference."""

    def log_prob(self, x):
        return jnp.zeros_like(x)

    def sample(self, key, shape=()):
        return jax.random.uniform(key, shape, minval=0.5, maxval=1.5)


@pytest.mark.slow
@pytest.mark.parametrize("n_starts", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_lbfgs_of_optax(n_starts):
    """Rosenbrock's function as its authors mean it, in a few steps, beside scipy's."""

    def banana(model):
        TRACES.append("loss")
        a, b = model.a.value(), model.beta.value()
        return (1 - a) ** 2 + 10 * (b - a**2) ** 2

    flat = bm.Prior(Flat())
    space = {name: flat if n_starts > 1 else bm.Free() for name in ("a", "beta")}
    model = hopf(1, a=0.2, beta=0.5)
    fit = bm.Fitter(
        model,
        optax.lbfgs(),
        loss_fn=banana,
        search_space=space,
        n_starts=n_starts,
    )
    result = fit.fit(n_steps=25)
    np.testing.assert_allclose([result.best_params["a"], result.best_params["beta"]], 1.0, atol=2e-3)
    assert (np.diff(result.histories[:, 0]) <= 1e-6).all()  # the line search never accepts worse
    before = len(TRACES)
    fit.fit(n_steps=2)
    assert len(TRACES) == before
    with pytest.raises(ValueError, match="`fresh_noise` of fit must be False for an optimiser with a line search"):
        fit.fit(n_steps=2, fresh_noise=True)


# --- refusals -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bm.Normal(0.0, 0.0), "`std` of Normal must be > 0 and finite, but is 0.0"),
        (lambda: bm.Normal(1.0 * u.ms, 1.0), "`std` of Normal must have a unit like ms, as `mean`, but is 1.0"),
        (lambda: bm.Normal("a", 1.0), "`mean` of Normal must be of real numbers, but is a"),
        (lambda: bm.LogNormal(-1.0, 0.1), "`median` of LogNormal must be > 0, but is"),
        (lambda: bm.LogNormal(1.0 * u.ms, 0.1 * u.ms), "`spread` of LogNormal must"),
        (lambda: bm.Prior(scipy.stats.norm()), "must have a method `log_prob`.*Example: brainmass.Normal"),
        (lambda: {"a": bm.Normal(0 * u.ms, 1 * u.ms)}, "`a`, must have no unit"),
        (lambda: {"a": bm.Normal([0.0, 1.0], 1.0)}, r"prior that fits its shape \(4,\)"),
        (lambda: {"beta": bm.Normal(0.1, 1.0)}, "`beta`, must be >= 0, but is -3"),
        (lambda: {"a": None}, "must say something, but is None"),
        (lambda: {"a": bm.Free(prior=(0, 1))}, "must have a Prior as `prior`, but has"),
        (lambda: {"a": bm.Free(transform="exp")}, "must have a Transform as `transform`"),
        (lambda: {"a": bm.Free(shared=["x", "y"])}, "a label for each of the 4 in `shared`"),
        (lambda: {"a": bm.Free(transform=OrderedT(), shared=True)}, "which its transform OrderedT does not take"),
        (lambda: {"a": bm.Free(transform=SoftplusT(1.0))}, "which its transform SoftplusT cannot give"),
        (lambda: {"a": bm.Fixed()}, "nothing to fit.*or name it in `search_space`"),
        (lambda: {"a": (0, 1), "beta": bm.Free(), "w": (0, 1)}, None),
    ],
)  # fmt: skip
def test_refusals(make, message):
    def fitter():
        return bm.Fitter(hopf(a=np.full(4, 0.2)), loss_fn=to_goal, search_space=make())

    if message is None:
        fitter()
        return
    with pytest.raises((ValueError, TypeError, u.UnitMismatchError), match=message):
        fitter()


@pytest.mark.parametrize("transform", [ExpT(0.0), SigmoidT(1.0, 30.0)])
def test_ends_of_a_transform_without_the_unit_of_the_parameter(transform):
    node = bm.MontbrioPazoRoxinStep(2, tau=3 * u.ms)
    message = r"`tau`, is 3.* ms of shape \(\), which its transform \w+ does not take.*unit of the parameter, ms"
    with pytest.raises(ValueError, match=message):
        bm.Fitter(node, loss_fn=to_goal, search_space={"tau": bm.Free(transform=transform)})


def test_what_a_solver_cannot_do():
    bounds = {"a": (-1.0, 1.0)}
    with pytest.raises(ValueError, match="cannot hold bounds for an optimiser with a line search.*L-BFGS-B"):
        bm.Fitter(hopf(), optax.lbfgs(), loss_fn=to_goal, search_space=bounds)
    with pytest.raises(ValueError, match="`mode` of Fitter must be 'reverse' for an optimiser with a line search"):
        bm.Fitter(hopf(), optax.lbfgs(), loss_fn=to_goal, search_space={"a": bm.Free()}, mode="forward")
    fit = bm.Fitter(hopf(), loss_fn=to_goal, search_space={"a": bm.Free()})
    with pytest.raises(ValueError, match="must give a a prior or bounds, for a density"):
        fit.log_prior({"a": 0.0})
    with pytest.raises(ValueError, match="`values` of log_prior must give a, but gives"):
        bm.Fitter(hopf(), loss_fn=to_goal, search_space=bounds).log_prior({"w": 0.0})
