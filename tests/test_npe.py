"""Posteriors learnt from simulations against closed forms, and what calibration finds."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from braintools.init import Constant
from tqdm.auto import tqdm

import brainmass as bm
from brainmass import inference
from brainmass.inference import amortised, flow
from brainmass.inference.simulated import Simulated

N = 20
SIGMA = 0.5
PRIOR = 2.0
DATA = 1.3 + SIGMA * np.random.default_rng(0).standard_normal(N)
SMALL = dict(n_layers=1, width=8, n_epochs=20)
SPACE = {"a": bm.Normal(0.0, PRIOR)}


def constant(model):
    return model.a.value() * jnp.ones(N)


def conjugate(observed=None, **more):
    return inference.Problem(bm.HopfStep(1), SPACE, inference.Gaussian(SIGMA), observed, predict=constant, **more)


def closed_form(data):
    precision = 1 / PRIOR**2 + N / SIGMA**2
    return np.sum(data) / SIGMA**2 / precision, precision**-0.5


def half_known(model):
    """Of a parameter that is predicted: its value where it is positive, NaN elsewhere."""
    a = model.a.value()
    return jnp.where(a > 0, a, jnp.nan) * jnp.ones(N)


@pytest.fixture(scope="module")
def estimator():
    return inference.npe(conjugate(), 1500, features=["mean", "std"], n_layers=3, n_epochs=100, seed=1)


def test_posteriors_are_those_of_the_closed_form(estimator):
    """For any observation at once; only the mean tells of the parameter, so that nothing is lost by features."""
    for shift in (-3.0, 0.0, 2.0):
        posterior = estimator.posterior(DATA + shift, 4000, seed=2)
        mean, sd = closed_form(DATA + shift)
        assert abs(posterior.mean()["a"] - mean) < 0.35 * sd
        np.testing.assert_allclose(posterior.std()["a"], sd, rtol=0.15)
        assert not posterior.notes


def test_the_density_of_draws_is_that_of_their_distribution(estimator):
    posterior = estimator.posterior(DATA, 4000)
    mean, sd = closed_form(DATA)
    at = np.argmin(np.abs(np.ravel(posterior["a"]) - mean))
    np.testing.assert_allclose(np.ravel(posterior.stats["lp"])[at], -np.log(sd * np.sqrt(2 * np.pi)), atol=0.25)


@pytest.mark.slow
def test_an_observation_that_cannot_be_is_told_by_its_feature(estimator):
    with pytest.warns(RuntimeWarning, match=r"lies outside of what was simulated \(mean\[0\] is 3\d"):
        estimator.posterior(DATA + 30)
    with pytest.warns(RuntimeWarning, match=r"std\[0\] is"):
        estimator.posterior(10 * (DATA - DATA.mean()))


def test_all_subjects_at_once(estimator):
    shifts = {"anna": -3.0, "bruno": 0.0, "carla": 2.0}
    found = estimator.posteriors({name: DATA + shift for name, shift in shifts.items()}, 4000, seed=2)
    for name, shift in shifts.items():
        mean, sd = closed_form(DATA + shift)
        assert found[name].shape == (1, 4000) and abs(found[name].mean()["a"] - mean) < 0.35 * sd
        np.testing.assert_array_equal(found[name].problem.observed[""], (DATA + shift).astype(np.float32))
    rows = estimator.posteriors([[DATA.mean(), DATA.std()]] * 2, 50, summarised=True)
    assert list(rows) == ["0", "1"] and not np.array_equal(rows["0"]["a"], rows["1"]["a"])
    with pytest.warns(RuntimeWarning, match="observation of 'bruno' lies outside"):
        estimator.posteriors({"anna": DATA, "bruno": DATA + 30})
    with pytest.raises(ValueError, match="`observed` of posteriors must hold at least one"):
        estimator.posteriors([])


def test_features_instead_of_a_recording(estimator):
    row = [DATA.mean(), DATA.std()]
    found = estimator.posterior(row, summarised=True)
    np.testing.assert_allclose(found["a"], estimator.posterior(DATA)["a"], rtol=1e-4)
    with pytest.raises(ValueError, match="must hold 2 features"):
        estimator.posterior(DATA, summarised=True)
    with pytest.raises(ValueError, match=r"finite features.*mean\[0\]"):
        estimator.posterior([np.nan, 1.0], summarised=True)


def test_files(estimator, tmp_path):
    estimator.save(tmp_path / "e.npz")
    again = inference.Estimator.load(tmp_path / "e.npz", conjugate())
    assert repr(again) == repr(estimator)
    np.testing.assert_array_equal(again.posterior(DATA)["a"], estimator.posterior(DATA)["a"])
    other = inference.Problem(bm.HopfStep(1), SPACE, inference.StudentT(1.0), predict=constant)
    with pytest.raises(ValueError, match="`path`.*file of the same problem"):
        inference.Estimator.load(tmp_path / "e.npz", other)
    with pytest.raises(ValueError, match="another features"):
        inference.Estimator.load(tmp_path / "e.npz", conjugate(), features=["mean"])


@pytest.mark.slow
def test_calibration_of_what_was_learnt(estimator):
    found = inference.calibrate(estimator, 300, seed=5)
    assert found.p_values["a"] > 0.01 and not found.notes
    assert 0.73 < found.coverage(0.8)["a"] < 0.87
    np.testing.assert_allclose(found.shrinkage.mean(), 1 - (closed_form(DATA)[1] / PRIOR) ** 2, atol=0.002)
    with pytest.raises(ValueError, match="`method`.*of no use for an Estimator"):
        inference.calibrate(estimator, method="nuts")


# --- calibration of any engine --------------------------------------------------------------------------------------
def engine(narrower=1.0, shift=0.0):
    """The closed form, or what is deliberately wrong."""

    def draw(problem, key):
        mean, sd = closed_form(problem.observed[""])
        draws = mean + sd * (shift + jax.random.normal(key, (1, 500)) / narrower)
        return inference.Posterior(method="closed form", samples={"a": draws}, problem=problem)

    return draw


def test_the_closed_form_is_calibrated():
    found = inference.calibrate(conjugate(), 100, method=engine(), seed=3)
    assert found.p_values["a"] > 0.01 and 0.7 < found.coverage(0.8)["a"] < 0.9 and not found.notes
    assert abs(found.z_scores.mean()) < 0.4 and abs(found.z_scores.std() - 1) < 0.3


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "wrong, words", [(engine(2.0), "too narrow"), (engine(0.5), "too wide"), (engine(shift=0.8), "too high")]
)
def test_a_wrong_engine_is_found(wrong, words):
    with pytest.warns(RuntimeWarning, match=f"a: {words}"):
        found = inference.calibrate(conjugate(), 100, method=wrong, seed=3)
    assert found.p_values["a"] < 0.01


@pytest.mark.slow
def test_studies_compile_nothing_anew():
    traced = []

    def predict(model):
        traced.append(1)
        return constant(model)

    problem = inference.Problem(bm.HopfStep(1), SPACE, inference.Gaussian(SIGMA), predict=predict)
    inference.calibrate(problem, 20, method="laplace", n_draws=100, n_chains=1, n_starts=1)
    count = len(traced)
    inference.calibrate(problem, 25, method="laplace", n_draws=100, n_chains=1, n_starts=1, seed=1)
    assert len(traced) <= count + 2  # the batch of observations has another size


# --- simulations ----------------------------------------------------------------------------------------------------
def noisy():
    node = bm.HopfStep(2, a=-0.1, noise_x=bm.WhiteNoise(2, sigma=0.1))
    how = dict(duration=30 * u.ms, monitors=["x"], sample_every=1 * u.ms)
    return inference.Problem(bm.Simulator(node, dt=0.5 * u.ms), {"a": (-0.4, -0.05)}, **how)


@pytest.mark.slow
def test_each_simulation_has_its_own_noise_whatever_runs_beside_it(monkeypatch):
    problem = noisy()
    simulated = Simulated(problem, ["std", "fc"])
    values = {"a": jnp.full(7, -0.2)}
    x = simulated.run(values, jax.random.key_data(jax.random.key(0)))
    assert len(np.unique(x[:, 0])) == 7
    monkeypatch.setattr("brainmass.inference.simulated.runs_at_once", lambda *args: 3)
    np.testing.assert_allclose(simulated.run(values, jax.random.key_data(jax.random.key(0))), x, rtol=1e-4)
    rest = simulated.run(values, jax.random.key_data(jax.random.key(0)), x[:4])
    np.testing.assert_allclose(rest, x, rtol=1e-4)


@pytest.mark.slow
def test_a_problem_without_a_likelihood():
    problem = noisy()
    drawn = problem.prior_predictive(5)
    assert drawn["x"].shape == (5, 30, 2) if "x" in drawn else drawn["y"].shape == (5, 30, 2)
    np.testing.assert_array_equal(drawn["y"], drawn["observed y"])
    assert drawn["a"].shape == (5,)
    with pytest.raises(ValueError, match="`likelihood`.*npe"):
        problem.log_density({"a": -0.2})
    with pytest.raises(ValueError, match="`likelihood`.*npe"):
        inference.sample(problem.replace(np.zeros((30, 2))))
    with pytest.raises(ValueError, match="`observed`.*needed for a density"):
        conjugate().log_density({"a": 1.0})
    with pytest.raises(ValueError, match=r"shape of what is predicted, \(30, 2\)"):
        problem.replace(np.zeros((29, 2)))


def test_likelihoods_take_features_by_name():
    problem = inference.Problem(
        bm.HopfStep(1), SPACE, inference.Gaussian(SIGMA, of=["mean", "std"]), DATA, predict=constant
    )
    expected = -0.5 * np.sum((np.array([0.7, 0.0]) - [DATA.mean(), DATA.std()]) ** 2) / SIGMA**2
    expected -= 2 * np.log(SIGMA * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(problem.log_likelihood({"a": 0.7}), expected, rtol=1e-4)
    with pytest.raises(ValueError, match="`features`.*left out where the likelihood compares features"):
        inference.npe(problem, features=["mean"])
    assert Simulated(problem, None).names == ["mean[0]", "std[0]"]


def test_observations_are_taken_in_the_unit_of_what_is_recorded():
    node = bm.MontbrioPazoRoxinStep(1, init_r=Constant(0.1 * u.kHz), init_v=Constant(0.0))
    how = dict(duration=2 * u.ms, monitors=["r"], sample_every=1 * u.ms)
    problem = inference.Problem(bm.Simulator(node, dt=0.1 * u.ms), {"eta": bm.Normal(-5.0, 1.0)}, **how)
    unit = problem.prior_predictive(1)["y"].unit
    row = Simulated(problem, ["mean"]).row(problem.replace(np.full((2, 1), 200.0) * u.Hz).observed)
    np.testing.assert_allclose(row, (200.0 * u.Hz).to_decimal(unit), rtol=1e-5)


# --- what goes wrong ------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_simulations_and_features_that_are_no_good_are_counted_told_and_left_out():
    problem = inference.Problem(bm.HopfStep(1), SPACE, inference.Gaussian(SIGMA), predict=half_known)

    def rare(x):
        return jnp.where(jnp.mean(x) > 6.0, jnp.nan, jnp.mean(x))

    def never(x):
        return jnp.where(jnp.mean(x) > 1.0, jnp.nan, jnp.mean(x))

    def same(x):
        return 3.0

    with pytest.warns(RuntimeWarning) as told:
        found = inference.npe(problem, 200, features=["mean", rare, never, same], **SMALL)
    words = " ".join(str(one.message) for one in told)
    assert found.features == ["mean[0]", "rare"]
    assert "simulations of 200 left out" in words and "1 feature left out, infinite or NaN in many" in words
    assert "1 feature left out, the same in all simulations: same" in words
    assert found.n_simulations == pytest.approx(100, abs=20)
    with pytest.warns(RuntimeWarning) as told:  # of a flow that has learnt little, too
        studies = inference.calibrate(found, 100)
    assert studies.left_out == 100 - len(studies.ranks) == pytest.approx(50, abs=20)
    assert f"{studies.left_out} studies of 100 left out, as their features are infinite" in str(told[0].message)
    assert f"{studies.left_out} more left out" in repr(studies)


def test_studies_without_any_finite_feature_cannot_be_calibrated(estimator, monkeypatch):
    monkeypatch.setattr(Simulated, "run", lambda self, values, *others: np.full((20, 2), np.nan))
    with pytest.raises(ValueError, match="all 20 studies are infinite or NaN"):
        inference.calibrate(estimator, 20)


def test_what_npe_refuses():
    with pytest.raises(ValueError, match="Only 0 of 50 simulations .* in the others all are infinite or NaN"):
        inference.npe(conjugate(), 50, features=[lambda x: jnp.nan * x], **SMALL)
    with pytest.raises(ValueError, match="the same in all 50 simulations"):
        inference.npe(conjugate(), 50, features=[lambda x: 1.0], **SMALL)
    with pytest.raises(ValueError, match="`n_rounds`.*without an observation"):
        inference.npe(conjugate(), 50, n_rounds=2)
    with pytest.raises(ValueError, match="`n_simulations`"):
        inference.npe(conjugate(), 3)
    with pytest.raises(ValueError, match="`search_space`.*a prior or bounds"):
        inference.Problem(bm.HopfStep(1), {"a": bm.Free()}, predict=constant)
    with pytest.raises(ValueError, match=r"`features`.*'fc' has no number for a recording of shape \(20,\)"):
        inference.npe(conjugate(), 50, features=["fc"])
    with pytest.raises(u.UnitMismatchError, match="`observed`.*must have no unit, but is in mV"):
        conjugate(DATA * u.mV)
    alone = inference.Problem(bm.HopfStep(1), SPACE, lambda p, o: jnp.sum(p - o), DATA, predict=constant)
    with pytest.raises(ValueError, match="can draw what is observed"):
        inference.npe(alone)


# --- files ----------------------------------------------------------------------------------------------------------
class Killed(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("at", [20, 85])
def test_it_goes_on_where_it_stopped(at, tmp_path, monkeypatch):
    """Killed while it simulates, and while it trains in a second round."""
    monkeypatch.setattr(amortised, "_EVERY", 0.0)
    monkeypatch.setattr("brainmass.inference.simulated.runs_at_once", lambda *args: 15)
    how = dict(features=["mean"], n_rounds=2, seed=4, **SMALL)
    whole = inference.npe(conjugate(DATA), 30, **how)
    count = [0]

    def kill(bar, n):
        count[0] += n
        if count[0] > at:  # a round has 30 simulations and 20 epochs
            raise Killed
        bar.n += n

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tqdm, "update", kill)
        with pytest.raises(Killed):
            inference.npe(conjugate(DATA), 30, checkpoint=tmp_path / "c.npz", **how)
    rest = inference.npe(conjugate(DATA), 30, resume=tmp_path / "c.npz", **how)
    np.testing.assert_array_equal(whole.losses, rest.losses)
    np.testing.assert_array_equal(whole.posterior()["a"], rest.posterior()["a"])
    with pytest.raises(ValueError, match="another n_rounds"):
        inference.npe(conjugate(DATA), 30, resume=tmp_path / "c.npz", **{**how, "n_rounds": 3})


@pytest.mark.slow
def test_later_rounds_are_for_one_observation():
    found = inference.npe(conjugate(DATA), 300, features=["mean"], n_rounds=2, n_epochs=60, n_layers=2, seed=0)
    mean, sd = closed_form(DATA)
    posterior = found.posterior(n_draws=4000)
    assert abs(posterior.mean()["a"] - mean) < 0.35 * sd
    np.testing.assert_allclose(posterior.std()["a"], sd, rtol=0.2)
    with pytest.warns(RuntimeWarning, match="later rounds were for another observation"):
        found.posterior(DATA + 0.1)


@pytest.mark.slow
def test_a_training_has_no_more_epochs_than_were_asked_for():
    z = np.random.default_rng(0).normal(size=(64, 1)).astype(np.float32)
    shape, standard = flow.Shape(1, 1, 1, 4), flow.Standard.of(z, 2 * z + 1, np.array([0]))
    training = flow.train(shape, standard, z, 2 * z + 1, jax.random.key(0), 25, 40, 1e-3)  # blocks of two do not fit
    assert training.epoch == len(training.losses) == 25
