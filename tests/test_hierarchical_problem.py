"""Many subjects against the closed form of a normal hierarchy, integrated on a grid."""

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import brainmass as bm
from brainmass import inference

SUBJECTS, N, SIGMA = 20, 5, 0.5
TRUTH = dict(mean=0.8, spread=0.4)
RNG = np.random.default_rng(3)
OF_EACH = TRUTH["mean"] + TRUTH["spread"] * RNG.standard_normal(SUBJECTS)
DATA = OF_EACH[:, None] + SIGMA * RNG.standard_normal((SUBJECTS, N))


def constant(model):
    return model.a.value() * jnp.ones(N)


def one(**space):
    space = {"a": bm.Normal(0.0, 2.0)} | space
    return inference.Problem(bm.HopfStep(1), space, inference.Gaussian(SIGMA), DATA[0], predict=constant)


def cohort(**more):
    return inference.HierarchicalProblem(one(), DATA, {"a": bm.LogNormal(0.5, 0.7)}, **more)


def on_a_grid():
    """Means and standard deviations of the group's mean and spread: the means of subjects are normal around both."""
    m, t = np.meshgrid(np.linspace(-1, 3, 400), np.linspace(1e-3, 2.5, 400), indexing="ij")
    means = DATA.mean(1)
    lp = scipy.stats.norm(0, 2).logpdf(m) + scipy.stats.lognorm(0.7, scale=0.5).logpdf(t)
    lp = lp + sum(scipy.stats.norm(m, np.hypot(t, SIGMA / np.sqrt(N))).logpdf(x) for x in means)
    p = np.exp(lp - lp.max())
    p /= p.sum()
    return [(np.sum(p * x), np.sqrt(np.sum(p * x**2) - np.sum(p * x) ** 2)) for x in (m, t)]


def test_density_is_that_of_the_hierarchy():
    density = cohort().density()
    z = np.random.default_rng(0).standard_normal(density.reals.size) * 0.3
    values = {name: np.asarray(x) for name, x in density.reals.values(jnp.asarray(z)).items()}
    # of the deviations, the logarithm of the spread, and the mean in its own unit
    mean, spread, each = (values[name] for name in ("a.mean", "a.spread", "a"))
    expected = scipy.stats.norm(each[:, None], SIGMA).logpdf(DATA).sum()
    expected += scipy.stats.norm(0, 2).logpdf(mean) + scipy.stats.lognorm(0.7, scale=0.5).logpdf(spread)
    expected += scipy.stats.norm.logpdf((each - mean) / spread).sum() + np.log(spread)
    expected += np.log(
        density.reals.one.sides["a"].scale
    ).sum()  # of the mean, whose numbers are in spreads of the prior
    np.testing.assert_allclose(density.log_density(jnp.asarray(z), density.given), expected, rtol=1e-4)


def test_the_problem_itself_needs_no_observation():
    bare = inference.Problem(bm.HopfStep(1), {"a": bm.Normal(0.0, 2.0)}, inference.Gaussian(SIGMA), predict=constant)
    of = inference.HierarchicalProblem(bare, DATA, {"a": bm.LogNormal(0.5, 0.7)})
    assert of.names == ["a", "a.mean", "a.spread"]
    density, with_one = of.density(), cohort().density()
    z = jnp.linspace(-0.5, 0.5, density.reals.size)
    assert density.log_density(z, density.given) == with_one.log_density(z, with_one.given)


@pytest.mark.filterwarnings("ignore:The draws by")
@pytest.mark.slow
def test_twenty_subjects():
    posterior = inference.sample(cohort(), 400, n_chains=2, seed=0, n_warmup=300)
    for name, (mean, sd) in zip(("a.mean", "a.spread"), on_a_grid(), strict=True):
        assert abs(posterior.mean()[name] - mean) < 0.25 * sd
        np.testing.assert_allclose(posterior.std()[name], sd, rtol=0.2)
        low, high = posterior.interval(0.9)[name]
        assert low < TRUTH[name.partition(".")[2]] < high
    assert posterior["a"].shape == (2, 400, SUBJECTS)
    low, high = posterior.interval(0.9)["a"]
    assert 14 <= np.sum((low < OF_EACH) & (OF_EACH < high)) <= 20


@pytest.mark.filterwarnings("ignore:The draws by")
@pytest.mark.slow
def test_files_predictions_and_arviz(tmp_path):
    names = tuple(f"s{i}" for i in range(SUBJECTS))
    of = cohort(subjects=names)
    posterior = inference.sample(of, 30, n_chains=2, method="pathfinder", n_paths=2)
    posterior.save(tmp_path / "p.npz")
    again = inference.Posterior.load(tmp_path / "p.npz", of)
    np.testing.assert_array_equal(again["a"], posterior["a"])
    assert "a[s3]" in repr(again)
    assert posterior.predict(7)["observed y"].shape == (7, SUBJECTS, N)
    outside = again.to_arviz()
    assert list(outside["posterior"]["a"].coords["subject"].values) == list(names)
    found = np.asarray(outside["log_likelihood"]["y"])
    each = np.asarray(posterior["a"])[..., None]
    np.testing.assert_allclose(found, scipy.stats.norm(each, SIGMA).logpdf(DATA), rtol=1e-4)
    with pytest.raises(ValueError, match="another subjects"):
        inference.Posterior.load(tmp_path / "p.npz", cohort())


@pytest.mark.slow
def test_shared_and_own_parameters_and_units():
    space = {"tau": bm.LogNormal(10.0 * u.ms, 0.3), "likelihood.sigma": bm.LogNormal(0.5, 0.3), "v_reset": (0.0, 1.0)}
    node = bm.MontbrioPazoRoxinStep(1, tau=10 * u.ms)

    def predicted(model):
        return model.eta.value() * jnp.ones(N) + model.tau.value().to_decimal(u.ms) / 10

    problem = inference.Problem(
        node,
        {"tau": space["tau"], "likelihood.sigma": space["likelihood.sigma"], "eta": (-6.0, 6.0)},
        inference.Gaussian(0.5),
        DATA[0],
        predict=predicted,
    )
    of = inference.HierarchicalProblem(problem, DATA[:3], group="tau", shared="sigma")
    density = of.density()
    values = density.reals.values(jnp.zeros(density.reals.size))
    shapes = {name: u.math.shape(x) for name, x in values.items()}
    assert shapes == {"tau": (3,), "tau.mean": (), "tau.spread": (), "likelihood.sigma": (), "eta": (3,)}
    assert u.get_unit(values["tau"]).has_same_dim(u.ms) and u.get_unit(values["tau.spread"]).is_unitless
    assert len(density.reals.names()) == density.reals.size == 2 + 1 + 3 * 2
    assert np.isfinite(density.log_density(jnp.zeros(density.reals.size), density.given))


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(group="b"), "`group`.*parameters of the problem: a, .*'b'"),
        (dict(group=[]), "`group`.*at least one"),
        (dict(group={"a": 0.3}), "`group`.*a a prior"),
        (dict(shared="a"), "`shared`.*must not name a"),
        (dict(observed=DATA[:1]), "`observed`.*two or more"),
        (dict(subjects=["x"]), "`subjects`.*all 20"),
        (dict(problem=3), "`problem`.*a Problem"),
    ],
)
def test_what_is_refused(change, message):
    given = dict(problem=one(), observed=DATA, group="a") | change
    with pytest.raises((ValueError, TypeError), match=message):
        inference.HierarchicalProblem(**given)


def test_the_old_name():
    with pytest.warns(DeprecationWarning, match="inference.Cohort is an old name: write inference.HierarchicalProblem"):
        assert inference.Cohort is inference.HierarchicalProblem
    with pytest.raises(AttributeError, match="no attribute 'Cohorts'"):
        inference.Cohorts  # noqa: B018
