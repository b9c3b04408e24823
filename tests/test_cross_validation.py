"""Fits to some subjects, scored on others, against what numpy and scipy find by hand."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.optimize
from brainstate.nn import Param

import brainmass
from brainmass import CrossValidation, Fitter, cross_validate, datasets
from brainmass.connectome import Connectome
from brainmass.datasets import Cohort, Subject, from_bold
from brainmass.objectives import fc_corr

N = 6
ABOVE = np.triu_indices(N, 1)
NAMES = [f"V{i + 1}" for i in range(N)]


def wiring(seed=0):
    weights = np.triu(np.random.default_rng(seed).uniform(0, 1, (N, N)), 1)
    return weights + weights.T


def theory(k, weights):
    covariance = np.linalg.inv(np.eye(N) - k * weights / np.linalg.eigvalsh(weights).max())
    deviation = np.sqrt(np.diag(covariance))
    return covariance / np.outer(deviation, deviation)


def recording(seed, weights, k=0.7, samples=600, labels=NAMES):
    signal = np.random.default_rng(seed).multivariate_normal(np.zeros(N), theory(k, weights), samples)
    return from_bold(signal, 2 * u.second, labels=labels, detrend=False)


def cohort(n=5, sessions=("a", "b")):
    def subject(i):
        weights = wiring(i)
        return Subject(
            f"{i:02}",
            {s: recording(100 * i + j, weights) for j, s in enumerate(sessions)},
            Connectome(weights, labels=NAMES),
        )

    return Cohort([subject(i) for i in range(n)], "known")


class Coupled(brainstate.nn.Module):
    def __init__(self, weights, k=0.2):
        super().__init__()
        self.weights, self.k = jnp.asarray(weights / np.linalg.eigvalsh(weights).max()), Param(k, fit=True)


def predicted(model, weights=None):
    weights = model.weights if weights is None else weights
    covariance = jnp.linalg.inv(jnp.eye(N) - model.k.value() * weights)
    deviation = jnp.sqrt(jnp.diagonal(covariance))
    return covariance / deviation[:, None] / deviation


def apart(made, target):
    return jnp.mean((made[ABOVE] - target[ABOVE]) ** 2)


def of_group(train):
    return Fitter(Coupled(train.connectome.weights), optax.adam(0.05), predict=predicted, objective=apart)


def corr(one, other):
    return np.corrcoef(one[ABOVE], other[ABOVE])[0, 1]


def fisher(matrices):
    return np.tanh(np.mean([np.arctanh(m - np.eye(N)) for m in matrices], axis=0)) + np.eye(N)


def test_scores_are_those_of_a_fit_by_hand():
    five = cohort()
    found = cross_validate(of_group, five, n_steps=150, runs=1)
    assert isinstance(found, CrossValidation) and found.folds == [(name,) for name in five.names]
    for k, subject in enumerate(five):
        others = [s for s in five if s is not subject]
        fc, weights = fisher([s.fc for s in others]), np.mean([s.connectome.weights for s in others], axis=0)
        best = scipy.optimize.minimize_scalar(
            lambda g, w=weights, fc=fc: np.mean((theory(g, w) - fc)[ABOVE] ** 2), bounds=(0, 0.95), method="bounded"
        ).x
        assert found["model"].fits[k].best_params["k"] == pytest.approx(best, abs=2e-3)
        assert found["model"].test[k] == pytest.approx(corr(theory(best, weights), subject.fc), abs=1e-3)
        inside = np.mean([corr(theory(best, weights), s.fc) for s in others])
        assert found["model"].train[k] == pytest.approx(inside, abs=1e-3)
        assert found["connectome itself"].test[k] == pytest.approx(corr(weights, subject.fc), abs=1e-6)
        assert found["FC of those fitted"].test[k] == pytest.approx(corr(fc, subject.fc), abs=1e-6)
    assert found.n_data == 15 and found["model"].parameters == 1 and found["connectome itself"].parameters == 0


@pytest.mark.slow
def test_reliability_is_that_of_halves_for_the_whole_length():
    """Spearman and Brown: a record of twice the length has 2r / (1 + r)."""
    five = cohort()
    found = cross_validate(of_group, five, n_steps=1, runs=1)
    signals = [bold.signal for bold in five[2].sessions.values()]
    first, second = (
        fisher([np.corrcoef(x, rowvar=False) for x in part])
        for part in ([x[:300] for x in signals], [x[300:] for x in signals])
    )
    r = corr(first, second)
    assert found.reliability[2] == pytest.approx(2 * r / (1 + r), abs=1e-9)


@pytest.mark.slow
def test_each_subject_with_its_own_connectome():
    def predict(model, key, weights):
        return predicted(model, weights)

    five = cohort(4)
    model = Coupled(wiring())
    fitter = Fitter(model, optax.adam(0.05), predict=predict, objective=apart)

    def own(subject):
        return subject.connectome.weights / np.linalg.eigvalsh(subject.connectome.weights).max()

    found = cross_validate(fitter, five, 2, data=own, n_steps=150, runs=1, seed=3)
    assert sorted(name for names in found.folds for name in names) == list(five.names)
    assert found.n_data == 30 and model.k.value() == pytest.approx(0.2)  # as it was
    for k, names in enumerate(found.folds):
        others = [s for s in five if s.name not in names]

        def loss(g, others=others):
            return np.mean([np.mean((theory(g, s.connectome.weights) - s.fc)[ABOVE] ** 2) for s in others])

        best = scipy.optimize.minimize_scalar(loss, bounds=(0, 0.95), method="bounded").x
        assert found["model"].fits[k].best_params["k"] == pytest.approx(best, abs=2e-3)
        by_hand = [corr(theory(best, five[name].connectome.weights), five[name].fc) for name in names]
        np.testing.assert_allclose(found["model"].by_subject[k], by_hand, atol=1e-3)
        by_hand = [corr(five[name].connectome.weights, five[name].fc) for name in names]
        np.testing.assert_allclose(found["connectome itself"].by_subject[k], by_hand, atol=1e-6)


@pytest.mark.slow
def test_by_session():
    found = cross_validate(of_group, cohort(3), by="session", n_steps=2, runs=1)
    assert found.folds == [("a",), ("b",)] and "one session at a time" in repr(found)
    assert [len(scores) for scores in found["model"].by_subject] == [3, 3]


def test_group_to_group():
    one, other = map(datasets.load_dataset, ("hcp_schaefer100", "hcp_schaefer100_test"))
    above = np.triu_indices(100, 1)

    class Scaled(brainstate.nn.Module):
        def __init__(self, weights):
            super().__init__()
            self.weights, self.k = jnp.asarray(weights), Param(1.0, fit=True)

    def scaled(model):
        return model.k.value() * model.weights + jnp.eye(100)

    def fitter(train):
        weights = train.connectome.normalize("max").weights
        return Fitter(Scaled(weights), predict=scaled, objective=lambda m, t: jnp.mean((m - t) ** 2))

    found = cross_validate(fitter, [(one, other), (other, one)], n_steps=1, runs=1)
    assert found.folds == [("hcp_schaefer100_test",), ("hcp_schaefer100",)] and found.reliability is None
    between = np.corrcoef(one.fc[above], other.fc[above])[0, 1]
    np.testing.assert_allclose(found["FC of those fitted"].test, between, atol=1e-6)
    np.testing.assert_allclose(found["FC of those fitted"].train, 1)
    structure = np.corrcoef(one.connectome.weights[above], other.fc[above])[0, 1]
    assert found["model"].test[0] == pytest.approx(structure, abs=1e-5)
    assert found["connectome itself"].test[0] == pytest.approx(structure, abs=1e-9)
    with pytest.raises(ValueError, match="must test on another group than was fitted, but has 'hcp_schaefer100' and"):
        cross_validate(fitter, [(one, one)])


@pytest.mark.slow
def test_runs_have_noise_that_nothing_was_fitted_on():
    """Time series of a model with noise: more runs, nearer to what the theory says."""
    three, samples = cohort(3), 400

    def simulate(model, key):
        z = jax.random.normal(jax.random.wrap_key_data(key), (samples, N))
        return z @ jnp.linalg.cholesky(predicted(model)).T

    fitter = Fitter(
        Coupled(three.connectome.weights, 0.8), predict=simulate, objective=fc_corr(True, target_is_fc=True)
    )
    pair = [datasets.split(three, ["02"])]

    def scored(runs, seed):
        return cross_validate(fitter, pair, n_steps=1, runs=runs, seed=seed)["model"].test[0]

    best = corr(theory(0.8, three.connectome.weights), three["02"].fc)
    one, many = scored(1, 5), scored(25, 5)
    assert one == scored(1, 5) != scored(1, 6)
    assert abs(many - best) < min(0.04, abs(one - best))


@pytest.mark.slow
def test_several_fitters_and_their_order():
    found = cross_validate({"theory": of_group, "again": of_group}, cohort(3), n_steps=1, runs=1)
    assert list(found) == ["connectome itself", "FC of those fitted", "theory", "again"] and len(found) == 4
    np.testing.assert_array_equal(found["theory"].test, found["again"].test)
    lines = repr(found).splitlines()
    assert [line.split("  ")[0] for line in lines[2:]] == [
        "connectome itself", "theory", "again", "FC of those fitted", "halves of a recording",
    ]  # fmt: skip
    assert "15 numbers of data" in lines[0] and "free parameters" in lines[1] and "±" in lines[3]
    assert "<table>" in found._repr_html_() and repr(found["theory"]).startswith("Row(theory, 1, ")


def test_one_program_serves_all_folds():
    traces = []

    def predict(model, key, weights):
        traces.append(1)
        return predicted(model, weights)

    fitter = Fitter(Coupled(wiring()), predict=predict, objective=apart)
    five = cohort(5)
    cross_validate(fitter, five, data=lambda s: s.connectome.weights, n_steps=2, runs=2)
    first = len(traces)
    cross_validate(fitter, five, data=lambda s: s.connectome.weights / 2, n_steps=2, runs=2)
    assert len(traces) == first


class Wired(Coupled):
    """Its weights are arguments of a program."""

    def __init__(self, weights):
        super().__init__(weights)
        self.weights = Param(self.weights)


def of_wired(model):
    return predicted(model, model.weights.value())


def alone(maker, part, **options):
    """A fold by itself, which has no other's program."""
    return cross_validate(maker, [part], **options)


def test_one_program_serves_fitters_that_a_function_makes():
    calls = []

    def counted(model):
        calls.append(1)
        return of_wired(model)

    def maker(train):
        return Fitter(Wired(train.connectome.weights), optax.adam(0.05), predict=counted, objective=apart)

    three, how = cohort(3), dict(n_steps=4, runs=1)
    found = cross_validate(maker, three, **how)
    once = len(calls)
    for k, name in enumerate(three.names):
        again = alone(maker, datasets.split(three, [name]), **how)
        assert len(calls) == (k + 2) * once  # as often for all three as for one
        assert again["model"].test[0] == found["model"].test[k]
        np.testing.assert_array_equal(again["model"].fits[0].history, found["model"].fits[k].history)
    assert np.ptp(found["model"].test) > 1e-3


def network(train, cut=False):
    weights = np.array(train.connectome.weights)
    if cut:
        weights[0, 1] = weights[1, 0] = 0
    noise = {name: brainmass.WhiteNoise(N, sigma=0.1) for name in ("noise_x", "noise_y")}
    node = brainmass.HopfStep(N, a=-0.5, w=0.3, **noise)
    conn, lengths = weights / np.linalg.eigvalsh(weights)[-1], 10 * np.ones((N, N)) * u.mm
    return brainmass.Network(
        node, conn=conn, coupling="additive", coupled_var="x", k=0.1, distance=lengths, speed=2 * u.mm / u.ms
    )


@pytest.mark.slow
def test_one_program_serves_networks_with_delays_that_have_the_same_connections():
    calls = []

    def compared(made, target):
        calls.append(1)
        return apart(jnp.corrcoef(made.T), target)

    def maker(cut):
        return lambda train: Fitter(
            brainmass.Simulator(network(train, cut and "00" in train.names), dt=0.5 * u.ms),
            optax.adam(0.05),
            duration=200 * u.ms,
            monitors=["x"],
            objective=compared,
            search_space={"k": (0.0, 0.4)},
        )

    two, how, counts = cohort(2), dict(n_steps=2, runs=1), {}
    for cut in (False, True):
        calls.clear()
        found = cross_validate(maker(cut), two, **how)
        counts[cut] = len(calls)
        for k, name in enumerate(two.names):
            again = alone(maker(cut), datasets.split(two, [name]), **how)
            np.testing.assert_array_equal(again["model"].fits[0].history, found["model"].fits[k].history)
            assert again["model"].test[0] == found["model"].test[k]
    assert counts[True] == 2 * counts[False]


@pytest.mark.slow
@pytest.mark.parametrize("otherwise", ["optimiser", "bounds", "constant", "numbers"])
def test_fitters_that_are_made_otherwise_have_their_own_programs(otherwise):
    """Each fold is what it is alone, whatever the function makes of those who are fitted."""

    def maker(train):
        other = "00" in train.names
        scale = 0.5 if otherwise == "constant" and other else 1.0
        return Fitter(
            (Coupled if otherwise == "numbers" else Wired)(train.connectome.weights),
            optax.adam(0.2 if otherwise == "optimiser" and other else 0.05),
            predict=lambda model: scale * (predicted if otherwise == "numbers" else of_wired)(model),
            objective=apart,
            search_space={"k": (0.0, 0.22 if otherwise == "bounds" and other else 0.4)},
        )

    two, how = cohort(2), dict(n_steps=3, runs=1)
    found = cross_validate(maker, two, **how)
    for k, name in enumerate(two.names):
        again = alone(maker, datasets.split(two, [name]), **how)
        np.testing.assert_array_equal(again["model"].fits[0].history, found["model"].fits[k].history)
        assert again["model"].test[0] == found["model"].test[k]


@pytest.mark.slow
def test_goes_on_where_it_stopped(tmp_path):
    three, steps = cohort(3), []

    def fitter(train):
        def stop(step):
            steps.append(step.step)
            if limit and len(steps) > 6:
                raise KeyboardInterrupt

        return Fitter(
            Coupled(train.connectome.weights), optax.adam(0.05), predict=predicted, objective=apart, callbacks=stop
        )

    limit = False
    whole = cross_validate(fitter, three, n_steps=5, runs=1)
    steps.clear()
    limit = True
    with pytest.raises(KeyboardInterrupt):
        cross_validate(fitter, three, n_steps=5, runs=1, checkpoints=tmp_path / "fits")
    steps.clear()
    limit = False
    again = cross_validate(fitter, three, n_steps=5, runs=1, checkpoints=tmp_path / "fits")
    assert 0 < len(steps) < 15 - 5
    np.testing.assert_array_equal(again["model"].test, whole["model"].test)
    with pytest.raises(ValueError, match="must be a file of the same fit.*another seed"):
        cross_validate(fitter, three, n_steps=5, runs=1, seed=1, checkpoints=tmp_path / "fits")


def test_a_number_that_is_exactly_zero_is_no_parameter():
    class Two(brainstate.nn.Module):
        def __init__(self):
            super().__init__()
            self.x = Param(jnp.array([0.0, 1.0, 2.0]), fit=True)

    fitter = Fitter(Two(), optax.sgd(0.0), predict=lambda m: jnp.eye(N) + m.x.value().sum(), objective=apart)
    found = cross_validate(fitter, cohort(3), n_steps=1, runs=1, score=lambda made, subject: 0.5)
    assert found["model"].nonzero == 2 and found["model"].parameters == 3 and "2 of 3" in repr(found)
    assert found.reliability is None  # of another score than a correlation


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"folds": 6}, "`folds` .* from 2 to the number of subjects, 5, but is 6"),
        ({"folds": 1}, "`folds` .* is 1"),
        ({"folds": []}, "`folds` .* must have a fold"),
        ({"folds": [["09"]]}, "`folds` .* must be names of 00, 01, 02, 03, 04, but has '09'"),
        ({"by": "run"}, "`by` .* 'subject' or 'session'"),
        ({"runs": 0}, "`runs` of cross_validate"),
        ({"resume": "x"}, "`resume` of cross_validate belongs to cross_validate"),
        ({"data": 3}, "`data` of cross_validate"),
        ({"score": 3}, "`score` of cross_validate"),
        ({"fitter": {}}, "`fitter` .* must hold a Fitter"),
        ({"fitter": 3}, "`fitter` .* must be a Fitter, a function"),
        ({"fitter": lambda train: 3}, "`fitter` .* function that returns a Fitter"),
        ({"fitter": Fitter(Coupled(wiring()), loss_fn=lambda m: m.k.value())}, "has a `loss_fn`, which compares"),
        ({"subjects": [1]}, "`subjects` .* must be a Cohort, or pairs"),
        ({"subjects": []}, "`subjects` .* must have a pair"),
        ({"subjects": cohort(1)}, "`subjects` .* must have two subjects or more, but has 1"),
        ({"subjects": cohort(3, ["a"]), "by": "session"}, "must have two sessions or more, but has 1"),
        ({"subjects": [(cohort(3), cohort(2))]}, "must have nobody that was fitted, but has '00'"),
        ({"subjects": [(cohort(3), cohort(2))], "folds": 2}, "`folds` .* left out where `subjects` are the folds"),
    ],
)
def test_refused(given, message):
    arguments = {"fitter": of_group, "subjects": cohort(), "n_steps": 1} | given
    with pytest.raises((ValueError, TypeError), match=message):
        cross_validate(**arguments)


def test_a_recording_under_another_name_is_found():
    five = cohort()
    renamed = Cohort([Subject("someone", five[1].sessions, five[1].connectome)])
    with pytest.raises(ValueError, match="that of 'someone' is the one of '01' in `train`"):
        cross_validate(of_group, [(five, renamed)])


def test_regions_of_those_tested_are_put_in_the_order_of_those_fitted():
    train = cohort(3)
    order = [3, 0, 1, 2, 5, 4]
    weights = wiring(9)
    signal = recording(900, weights).signal
    plain, mixed = (
        Cohort([Subject("new", from_bold(x, 2 * u.second, labels=n, detrend=False), Connectome(w, labels=n))])
        for x, w, n in (
            (signal, weights, NAMES),
            (signal[:, order], weights[np.ix_(order, order)], [NAMES[i] for i in order]),
        )
    )
    scores = [cross_validate(of_group, [(train, test)], n_steps=2, runs=1)["model"].test for test in (plain, mixed)]
    np.testing.assert_allclose(*scores, rtol=1e-12)
    stranger = Cohort([Subject("new", recording(900, weights, labels=[*NAMES[:-1], "M1"]))])
    with pytest.raises(ValueError, match="session '1' of 'new' has 'M1'"):
        cross_validate(of_group, [(train, stranger)])


def test_a_model_of_other_regions_is_told():
    fitter = Fitter(Coupled(wiring()), predict=lambda m: jnp.eye(4) * m.k.value() + 1, objective=lambda m, t: m.sum())
    with pytest.raises(ValueError, match="the FC of '01', of shape \\(6, 6\\), but gives one of shape \\(4, 4\\)"):
        cross_validate(fitter, cohort(3), n_steps=1, summary=lambda made: made)
    several = Fitter(Coupled(wiring()), predict=lambda m: {"x": m.k.value()}, objective=lambda m, t: m["x"])
    with pytest.raises(ValueError, match="`summary` .* must be given where a prediction is no time series"):
        cross_validate(several, cohort(3), n_steps=1)
    assert brainmass.fitting.cross_validate is cross_validate


@pytest.mark.slow
def test_scores_are_of_noise_that_nothing_was_fitted_on():
    """What is predicted shows the noise: no draw of a fit comes again."""
    drawn = {"fit": [], "scored": []}

    def predict(model, key):
        return model.k.value() + jax.random.uniform(key, (2,))

    def loss(made, target):
        jax.debug.callback(lambda x: drawn["fit"].append(tuple(np.asarray(x).tolist())), made - made[0])
        return jnp.sum(made**2)

    def summary(made):
        drawn["scored"].append(tuple(np.asarray(made - made[0]).tolist()))
        return made

    fitter = Fitter(Coupled(wiring()), optax.sgd(0.0), predict=predict, objective=loss)
    cross_validate(fitter, cohort(2), n_steps=5, runs=3, summary=summary, score=lambda made, subject: 0.0)
    jax.effects_barrier()
    assert len(set(drawn["scored"])) == 3 and len(set(drawn["fit"])) >= 5
    near = [np.isclose(a, b, atol=1e-5).all() for a in set(drawn["scored"]) for b in set(drawn["fit"])]
    assert not any(near)
