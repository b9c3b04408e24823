"""Engines for posteriors against closed forms: conjugate, bimodal, correlated and bent densities."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from jax.scipy.stats import cauchy, norm

import brainmass as bm
from brainmass import inference

N, SIGMA = 20, 0.5
DATA = 1.3 + SIGMA * np.random.default_rng(0).standard_normal(N)
PRECISION = 1 / 2.0**2 + N / SIGMA**2
MEAN, SD = DATA.sum() / SIGMA**2 / PRECISION, PRECISION**-0.5
EVIDENCE = scipy.stats.multivariate_normal(np.zeros(N), SIGMA**2 * np.eye(N) + 4 * np.ones((N, N))).logpdf(DATA)


def conjugate(data=DATA):
    """A prediction that is the parameter itself, with a normal prior of standard deviation 2."""

    def constant(model):
        return model.a.value() * jnp.ones(N)

    return inference.Problem(
        bm.HopfStep(1), {"a": bm.Normal(0.0, 2.0)}, inference.Gaussian(SIGMA), data, predict=constant
    )


def of_two(space, log_density):
    """A posterior over `a` and `w` whose likelihood is this function of both."""

    def both(model):
        return jnp.stack([model.a.value(), model.w.value()])

    return inference.Problem(bm.HopfStep(1), space, lambda x, _: log_density(x), np.zeros(2), predict=both)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "method, options, evidence",
    [
        ("vi", {"family": "mean-field", "n_steps": 200}, "elbo"),
        ("smc", {}, "log_evidence"),
        ("pathfinder", {}, None),
        ("vi", {"n_steps": 200}, "elbo"),
        ("vi", {"family": "flow", "n_steps": 400}, "elbo"),
    ],
)
def test_conjugate_posterior(method, options, evidence):
    posterior = inference.sample(conjugate(), 500, method=method, seed=1, **options)
    assert abs(posterior.mean()["a"] - MEAN) < 0.2 * SD
    np.testing.assert_allclose(posterior.std()["a"], SD, rtol=0.1)
    assert posterior.notes == []
    if evidence is not None:
        np.testing.assert_allclose(posterior.facts[evidence], EVIDENCE, atol=0.2)


@pytest.mark.filterwarnings("ignore:The draws by")
@pytest.mark.slow
def test_smc_weighs_two_modes():
    """30 % of the mass lies around -3, as the density says; chains of NUTS would stay where they began."""

    def constant(model):
        return model.a.value()

    def two(a, _):
        return jnp.logaddexp(jnp.log(0.3) + norm.logpdf(a, -3.0, 0.2), jnp.log(0.7) + norm.logpdf(a, 2.0, 0.3))

    problem = inference.Problem(bm.HopfStep(1), {"a": (-6.0, 6.0)}, two, 0.0, predict=constant)
    posterior = inference.sample(problem, 1000, method="smc", n_moves=5, seed=0)
    draws = np.ravel(posterior["a"])
    left = draws[draws < 0]
    # worth some 500 independent draws of the 4000: three standard errors
    np.testing.assert_allclose(len(left) / len(draws), 0.3, atol=0.06)
    np.testing.assert_allclose([left.mean(), left.std()], [-3.0, 0.2], atol=0.04)
    np.testing.assert_allclose([draws[draws > 0].mean(), draws[draws > 0].std()], [2.0, 0.3], atol=0.04)
    np.testing.assert_allclose(posterior.facts["log_evidence"], -np.log(12), atol=0.15)


COVARIANCE = np.array([[1.0, 0.95 * 0.3], [0.95 * 0.3, 0.09]])


def correlated():
    return of_two(
        {"a": bm.Normal(0.0, 100.0), "w": bm.Normal(0.0, 100.0)},
        lambda x: -0.5 * (x - 1.0) @ np.linalg.inv(COVARIANCE) @ (x - 1.0),
    )


@pytest.mark.slow
@pytest.mark.parametrize("method, options", [("vi", {"n_steps": 400}), ("pathfinder", {})])
def test_correlated_posterior(method, options):
    posterior = inference.sample(correlated(), 1000, method=method, seed=0, **options)
    draws = np.stack([posterior.flat("a"), posterior.flat("w")])
    np.testing.assert_allclose(np.cov(draws), COVARIANCE, rtol=0.1)
    np.testing.assert_allclose(draws.mean(1), [1.0, 1.0], atol=0.06)


@pytest.mark.slow
def test_an_approximation_that_is_far_off_is_told():
    """No normal distribution has the tails of Cauchy's."""
    space = {"a": bm.Normal(0.0, 1.0), "w": bm.Normal(0.0, 100.0)}
    heavy = of_two(space, lambda x: cauchy.logpdf(x[1], 0.0, 0.1))
    with pytest.warns(RuntimeWarning, match="far from the posterior .*k̂"):
        posterior = inference.sample(heavy, 500, method="pathfinder", n_paths=2)
    assert posterior.facts["pareto_k"] > 0.7


@pytest.mark.slow
def test_a_flow_bends():
    """Rosenbrock's banana, w around a², of which the moments are known; a normal distribution cannot follow it."""
    space = {"a": bm.Normal(0.0, 1.0), "w": bm.Normal(0.0, 100.0)}
    banana = of_two(space, lambda x: norm.logpdf(x[1], x[0] ** 2, 0.3))
    posterior = inference.sample(banana, 1000, method="vi", family="flow", n_steps=1500)
    assert posterior.facts["pareto_k"] < 0.7
    np.testing.assert_allclose(posterior.std()["a"], 1.0, atol=0.1)
    np.testing.assert_allclose([posterior.mean()["w"], posterior.std()["w"]], [1.0, np.sqrt(2.09)], atol=0.25)


class Killed(Exception):
    pass


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The draws by")
@pytest.mark.parametrize(
    "method, options", [pytest.param("smc", {"n_moves": 2}, marks=pytest.mark.slow), ("vi", {"n_steps": 40})]
)
def test_goes_on_where_it_stopped(tmp_path, monkeypatch, method, options):
    from tqdm.auto import tqdm

    how = dict(method=method, n_chains=2, **options)
    whole = inference.sample(conjugate(), 40, checkpoint=tmp_path / "a.npz", **how)
    np.testing.assert_array_equal(whole["a"], inference.sample(conjugate(), 40, resume=tmp_path / "a.npz", **how)["a"])
    calls = []

    def kill(bar, n=1):
        calls.append(n)
        if len(calls) == 3:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(tqdm, "update", kill)
        with pytest.raises(Killed):
            inference.sample(conjugate(), 40, checkpoint=tmp_path / "b.npz", **how)
    rest = inference.sample(conjugate(), 40, resume=tmp_path / "b.npz", **how)
    np.testing.assert_array_equal(whole["a"], rest["a"])


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(method="smc", n_paths=3), "`n_paths`.*no option of 'smc'.*n_moves, target_ess"),
        (dict(method="vi", family="normal"), "`family`.*'mean-field'"),
        (dict(method="pathfinder", checkpoint="x.npz"), "`checkpoint`.*no effect on 'pathfinder'"),
        (dict(method="smc", n_moves=0), "`n_moves`"),
        (dict(method="smc", target_ess=1.5), "`target_ess`.*between 0 and 1"),
        (dict(method="vi", learning_rate=-0.1), "`learning_rate`"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        inference.sample(conjugate(), 10, **options)


@pytest.mark.parametrize("method", ["smc", "pathfinder"])
def test_a_density_of_zero_everywhere(method):
    nowhere = of_two({"a": bm.Normal(0.0, 1.0), "w": bm.Normal(0.0, 1.0)}, lambda x: x[0] - jnp.inf)
    with pytest.raises(ValueError, match="-inf at all of .* draws of the prior, such as a = "):
        inference.sample(nowhere, 10, method=method)


@pytest.mark.slow
def test_facts_are_saved(tmp_path):
    posterior = inference.sample(conjugate(), 100, method="pathfinder")
    posterior.save(tmp_path / "p.npz")
    assert inference.Posterior.load(tmp_path / "p.npz").facts == posterior.facts
