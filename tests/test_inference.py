"""Posteriors against closed forms, scipy and one another."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import brainmass as bm
from brainmass import inference
from brainmass.inference.starts import curvature, peaks, root_of

N = 20
SIGMA = 0.5
RNG = np.random.default_rng(0)
DATA = 1.3 + SIGMA * RNG.standard_normal(N)


def constant(model):
    """A prediction that is the parameter itself: normal priors then have normal posteriors."""
    return model.a.value() * jnp.ones(N)


def conjugate(data=DATA, prior_sd=2.0, **more):
    space = {"a": bm.Normal(0.0, prior_sd)}
    return inference.Problem(bm.HopfStep(1), space, inference.Gaussian(SIGMA), data, predict=constant, **more)


def closed_form(data=DATA, prior_sd=2.0, n=N):
    precision = 1 / prior_sd**2 + n / SIGMA**2
    return np.sum(data) / SIGMA**2 / precision, precision**-0.5


def test_density_of_scipy():
    value = 0.7
    expected = scipy.stats.norm(value, SIGMA).logpdf(DATA).sum() + scipy.stats.norm(0, 2).logpdf(value)
    np.testing.assert_allclose(conjugate().log_density({"a": value}), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "likelihood, density",
    [
        (inference.Gaussian(0.4), scipy.stats.norm(0.7, 0.4)),
        (inference.StudentT(0.4, 3.0), scipy.stats.t(3.0, 0.7, 0.4)),
    ],
)
def test_likelihoods_of_scipy(likelihood, density):
    found = likelihood.pointwise(jnp.full(N, 0.7), DATA)
    np.testing.assert_allclose(found, density.logpdf(DATA), rtol=1e-5)


def test_units_of_likelihoods():
    """A standard deviation in Hz and a recording in kHz; the density is per unit of what is predicted."""
    likelihood = inference.Gaussian(500 * u.Hz)
    found = likelihood.pointwise(jnp.full(N, 0.7) * u.kHz, DATA * 1000 * u.Hz)
    np.testing.assert_allclose(found, scipy.stats.norm(0.7, 0.5).logpdf(DATA), rtol=1e-5)
    with pytest.raises(u.UnitMismatchError, match="`sigma`.*unit of what is predicted, kHz"):
        inference.Gaussian(1 * u.mV).pointwise(jnp.ones(1) * u.kHz, jnp.ones(1) * u.kHz)


SPACES = {
    "normal": (bm.Normal(1.0, 0.5), scipy.stats.norm(1.0, 0.5)),
    "lognormal": (bm.LogNormal(2.0, 0.3), scipy.stats.lognorm(0.3, scale=2.0)),
    "bounds": ((-1.0, 3.0), scipy.stats.uniform(-1.0, 4.0)),
    "log bounds": (bm.Bounds(0.1, 10.0, log=True), scipy.stats.loguniform(0.1, 10.0)),
}


@pytest.mark.few(1)
@pytest.mark.parametrize("name", SPACES)
def test_unbounded_numbers_have_the_density_of_the_prior(name):
    """Integrated over the numbers, the prior with its slope is one; mean and spread are those of scipy."""
    given, truth = SPACES[name]
    model = bm.HopfStep(1)
    problem = inference.Problem(model, {"a": given}, inference.Gaussian(1.0), DATA, predict=constant)
    density = problem.density()
    z = jnp.linspace(-12, 12, 20001)[:, None]
    weights = jnp.exp(jax.vmap(density.log_prior)(z)) * (z[1, 0] - z[0, 0])
    values = jax.vmap(density.reals.values)(z)["a"]
    mean = jnp.sum(weights * values)
    np.testing.assert_allclose([jnp.sum(weights), mean], [1.0, truth.mean()], rtol=2e-3)
    np.testing.assert_allclose(jnp.sum(weights * (values - mean) ** 2), truth.var(), rtol=5e-3)
    for value in truth.ppf([0.1, 0.5, 0.9]):
        row = density.reals.row({"a": value})
        np.testing.assert_allclose(density.reals.values(row)["a"], value, rtol=1e-5)


@pytest.mark.few(1)
@pytest.mark.parametrize("method, options", [("laplace", {"n_starts": 2}), ("nuts", {"n_warmup": 200})])
def test_conjugate_posterior(method, options):
    posterior = inference.sample(conjugate(), 500, method=method, seed=1, **options)
    mean, sd = closed_form()
    ess = posterior.diagnostics()["a"]["ess_bulk"]
    assert abs(posterior.mean()["a"] - mean) < 4 * sd / np.sqrt(ess)
    np.testing.assert_allclose(posterior.std()["a"], sd, rtol=0.1)
    low, high = posterior.interval(0.9)["a"]
    np.testing.assert_allclose([low, high], scipy.stats.norm(mean, sd).ppf([0.05, 0.95]), atol=0.3 * sd)


def test_a_prior_that_says_more_than_the_data():
    posterior = inference.sample(conjugate(prior_sd=0.05), 500, method="laplace", n_starts=2)
    mean, sd = closed_form(prior_sd=0.05)
    np.testing.assert_allclose(posterior.mean()["a"], mean, atol=0.1 * sd)
    np.testing.assert_allclose(posterior.std()["a"], sd, rtol=0.1)


@pytest.mark.slow
def test_an_estimated_error():
    """The scale of the errors is a parameter like others; its posterior is close to the chi-squared one."""
    space = {"a": bm.Normal(0.0, 2.0), "likelihood.sigma": bm.LogNormal(0.5, 1.0)}
    problem = inference.Problem(bm.HopfStep(1), space, inference.Gaussian(0.1), DATA, predict=constant)
    posterior = inference.sample(problem, 500, n_chains=2, seed=0)
    np.testing.assert_allclose(posterior["sigma"].mean(), np.std(DATA, ddof=1), rtol=0.15)


def test_both_modes_of_gradients_are_those_of_finite_differences(x64):
    node = bm.HopfStep(2, a=0.1)
    how = dict(duration=20 * u.ms, monitors=["x"], sample_every=1 * u.ms)
    simulator = bm.Simulator(node, dt=0.1 * u.ms)
    observed = simulator.run(**how)["x"] + 0.01
    space = {"a": bm.Normal(0.0, 0.3), "w": (0.05, 0.5)}
    for mode in "forward", "reverse":
        density = inference.Problem(simulator, space, inference.Gaussian(0.1), observed, mode=mode, **how).density()
        z = jnp.array([0.2, -0.3])
        found = jax.jit(jax.grad(density.log_density))(z, density.given)
        f = jax.jit(density.log_density)
        h = 1e-5
        ends = [(f(z + h * e, density.given), f(z - h * e, density.given)) for e in np.eye(2)]
        np.testing.assert_allclose(found, [(b - a) / (2 * h) for b, a in ends], rtol=1e-5)


def bent(model):
    """A prediction that bends in both parameters, which the data tell of a hundred times apart."""
    a, w = model.a.value(), model.w.value()
    return jnp.sin(a) + jnp.exp(0.3 * w) * jnp.arange(N) + a * w


@pytest.mark.parametrize("precision, close", [pytest.param("float32", 3e-3, marks=pytest.mark.slow), ("float64", 1e-4)])
def test_curvature_at_the_peak_is_that_of_second_derivatives(precision, close):
    """In widths of the posterior: the Hessian of JAX, by which it would be the unit matrix."""
    with jax.enable_x64(precision == "float64"):
        space = {"a": bm.Normal(0.0, 1.0), "w": bm.Normal(0.0, 1.0)}
        likelihood = inference.Gaussian(0.1)
        problem = inference.Problem(bm.HopfStep(1), space, likelihood, np.arange(N) + 1.0, predict=bent)
        density = problem.density()
        found = peaks(density, jnp.array([0, 1], jnp.uint32), 3)
        root = root_of(found, seen := curvature(density, found))
        full = lambda z, given: density.log_likelihood(z, given) + density.log_prior(z)  # noqa: E731
        exact = jax.hessian(full)(jnp.asarray(found.z[0]), density.given)
    np.testing.assert_allclose(root.T @ seen @ root, -np.eye(2), atol=1e-6)
    np.testing.assert_allclose(root.T @ np.asarray(exact, float) @ root, -np.eye(2), atol=close)
    assert found.z.dtype == precision


def test_curvature_of_a_density_with_a_kink_is_not_told():
    kinked = inference.Problem(
        bm.HopfStep(1), {"a": bm.Normal(0.0, 1.0), "w": bm.Normal(0.0, 1.0)},
        lambda predicted, observed: -5 * jnp.sum(jnp.abs(predicted - observed)), np.array([0.3, 0.1]),
        predict=lambda model: jnp.stack([model.a.value() + model.w.value(), model.w.value()]),
    )  # fmt: skip
    density = kinked.density()
    assert curvature(density, peaks(density, jnp.array([0, 1], jnp.uint32), 2)) is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The draws by")
def test_other_data_need_no_other_program():
    problem = conjugate()
    inference.sample(problem, 300, n_chains=2, n_warmup=100)
    count = len(problem._programs)
    other = problem.replace(DATA + 1)
    posterior = inference.sample(other, 300, n_chains=2, n_warmup=100)
    assert len(problem._programs) == count
    np.testing.assert_allclose(posterior.mean()["a"], closed_form(DATA + 1)[0], atol=0.1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The draws by")
def test_sampling_goes_on_where_it_stopped(tmp_path):
    whole = inference.sample(conjugate(), 40, n_chains=2, n_warmup=50, checkpoint=tmp_path / "a.npz")
    again = inference.sample(conjugate(), 40, n_chains=2, n_warmup=50, resume=tmp_path / "a.npz")
    np.testing.assert_array_equal(whole["a"], again["a"])

    class Killed(Exception):
        pass

    def kill(bar, n):
        if bar.n >= 20:
            raise Killed
        bar.n += n

    with pytest.MonkeyPatch.context() as patch:
        from tqdm.auto import tqdm

        patch.setattr(tqdm, "update", kill)
        with pytest.raises(Killed):
            inference.sample(conjugate(), 40, n_chains=2, n_warmup=50, checkpoint=tmp_path / "b.npz")
    rest = inference.sample(conjugate(), 40, n_chains=2, n_warmup=50, resume=tmp_path / "b.npz")
    np.testing.assert_array_equal(whole["a"], rest["a"])
    with pytest.raises(ValueError, match="another observation"):
        inference.sample(conjugate(DATA + 1), 40, n_chains=2, n_warmup=50, resume=tmp_path / "b.npz")


@pytest.mark.slow
def test_files(tmp_path):
    posterior = inference.sample(conjugate(), 200, method="laplace")
    posterior.save(tmp_path / "p.npz")
    again = inference.Posterior.load(tmp_path / "p.npz", conjugate())
    assert repr(again) == repr(posterior)
    np.testing.assert_array_equal(again["a"], posterior["a"])
    with pytest.raises(ValueError, match="`path`.*another observation"):
        inference.Posterior.load(tmp_path / "p.npz", conjugate(DATA + 1))
    with pytest.raises(ValueError, match="`problem`"):
        inference.Posterior.load(tmp_path / "p.npz").predict()


def test_predictive_draws_and_arviz():
    posterior = inference.sample(conjugate(), 400, method="laplace")
    drawn = posterior.predict(300)
    mean, sd = closed_form()
    assert drawn["y"].shape == drawn["observed y"].shape == (300, N)
    np.testing.assert_allclose(drawn["observed y"].std(), np.hypot(SIGMA, sd), rtol=0.05)
    outside = posterior.to_arviz(predict=10)
    density = scipy.stats.norm(np.asarray(posterior["a"])[..., None], SIGMA).logpdf(DATA)
    np.testing.assert_allclose(outside["log_likelihood"]["y"], density, rtol=1e-4)
    assert outside["posterior_predictive"]["y"].shape == (1, 10, N)
    # each datum given all others, whose posterior is known
    others = [closed_form(np.delete(DATA, i), n=N - 1) for i in range(N)]
    left_out = [scipy.stats.norm(m, np.hypot(SIGMA, s)).logpdf(x) for (m, s), x in zip(others, DATA, strict=True)]
    arviz = pytest.importorskip("arviz")
    loo = arviz.loo(outside)
    np.testing.assert_allclose(loo.elpd if hasattr(loo, "elpd") else loo.elpd_loo, np.sum(left_out), atol=0.1)
    if not hasattr(arviz, "waic"):
        return  # of ArviZ 1
    # log predictive densities, less their variances: that of (y - a)² is 2 sd⁴ + 4 sd² (y - mean)², a being normal
    predicted = scipy.stats.norm(mean, np.hypot(SIGMA, sd)).logpdf(DATA)
    variances = (2 * sd**4 + 4 * sd**2 * (DATA - mean) ** 2) / (4 * SIGMA**4)
    found = arviz.waic(outside)
    np.testing.assert_allclose(
        [found.elpd_waic, found.p_waic], [(predicted - variances).sum(), variances.sum()], atol=0.1
    )


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(search_space={"a": bm.Free()}), "`search_space`.*a a prior or bounds"),
        (dict(observed=DATA[:-1]), r"`observed`.*shape of what is predicted, \(20,\), but has \(19,\)"),
        (dict(observed=np.full(N, np.nan)), "`observed`.*finite"),
        (dict(likelihood=3), "`likelihood`.*must be a likelihood"),
        (dict(likelihood={}), "`likelihood`.*at least one"),
        (dict(mode="sideways"), "`mode`"),
        (dict(duration=1 * u.ms), "`duration`.*belongs to the run"),
    ],
)
def test_what_is_refused(change, message):
    given = dict(search_space={"a": bm.Normal(0, 1)}, likelihood=inference.Gaussian(1.0), observed=DATA)
    with pytest.raises((ValueError, TypeError), match=message):
        inference.Problem(bm.HopfStep(1), **{**given, "predict": constant, **change})


def test_what_sampling_refuses():
    with pytest.raises(TypeError, match="`n_warmpu`.*Did you mean 'n_warmup'"):
        inference.sample(conjugate(), n_warmpu=3)
    nowhere = inference.Problem(
        bm.HopfStep(1), {"a": bm.Normal(0, 1)}, lambda predicted, observed: jnp.nan, DATA, predict=constant
    )
    with pytest.raises(ValueError, match="NaN at all of .* draws of the prior, such as a = "):
        inference.sample(nowhere, 10)


@pytest.mark.slow
def test_one_course_of_noise_is_told():
    node = bm.HopfStep(1, a=-0.1, noise_x=bm.WhiteNoise(1, sigma=0.1))
    how = dict(duration=5 * u.ms, monitors=["x"], sample_every=1 * u.ms)
    problem = inference.Problem(
        bm.Simulator(node, dt=0.1 * u.ms), {"a": bm.Normal(0, 1)}, inference.Gaussian(0.1), np.zeros((5, 1)), **how
    )
    with pytest.warns(RuntimeWarning, match="for one course of this noise"):
        inference.sample(problem, 10, method="laplace", n_starts=1)
