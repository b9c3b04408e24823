"""Maps chosen by cross-validation: cohorts of which it is known on which maps their parameter depends."""

import brainstate
import brainunit as u
import jax.numpy as jnp
import numpy as np
import optax
import pandas
import pytest
from brainstate.nn import Param, SoftplusT

import brainmass as bm
from brainmass.connectome import Connectome
from brainmass.datasets import Cohort, Subject, from_bold

N = 16
ABOVE = np.triu_indices(N, 1)
REGIONS = [f"V{i + 1}" for i in range(N)]
LEVEL = np.log(np.expm1(1.2))


def maps_of(seed):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=N) for name in ("one", "two", "three", "four", "five")}


def standard(x):
    return (x - x.mean()) / x.std()


def leak_of(maps, coefficients):
    return np.logaddexp(0, LEVEL + sum(c * standard(maps[name]) for name, c in coefficients.items()) * np.ones(N))


def world(seed, coefficients, n=6, samples=400):
    """People whose leak follows maps with these coefficients, drawn by numpy."""
    rng, maps = np.random.default_rng(100 + seed), maps_of(seed)
    weights = np.triu(rng.uniform(0, 1, (N, N)), 1)
    weights = (weights + weights.T) / np.linalg.eigvalsh(weights + weights.T)[-1]
    covariance = np.linalg.inv(np.diag(leak_of(maps, coefficients)) - 0.7 * weights)

    def subject(i):
        signal = rng.multivariate_normal(np.zeros(N), covariance, samples)
        bold = from_bold(signal, 2 * u.second, labels=REGIONS, detrend=False)
        return Subject(f"{i:02}", bold, Connectome(weights, labels=REGIONS))

    return maps, Cohort([subject(i) for i in range(n)], "known")


class Leaky(brainstate.nn.Module):
    """Symmetric coupling against a leak, with white noise: the covariance is half the inverse of the Jacobian."""

    def __init__(self, weights, maps):
        super().__init__()
        self.weights = Param(jnp.asarray(weights), fit=False)
        self.leak = bm.RegionalMap(maps, a=1.4, transform=SoftplusT(0.0))


traces = []


def theory(model):
    traces.append(1)
    leak = jnp.broadcast_to(model.leak.value(), (N,))
    covariance = jnp.linalg.inv(jnp.diag(leak) - 0.7 * model.weights.value())
    deviation = jnp.sqrt(jnp.diagonal(covariance))
    return covariance / deviation[:, None] / deviation


def apart(made, target):
    return jnp.mean((made[ABOVE] - target[ABOVE]) ** 2)


def make(train, maps):
    model = Leaky(train.connectome.weights, maps)
    return bm.Fitter(model, optax.adam(0.1), predict=theory, objective=apart)


TWO = {"one": 0.8, "two": -0.5}
HOW = {"folds": 3, "n_steps": 80, "runs": 1}


def test_finds_the_maps_that_a_parameter_depends_on():
    maps, cohort = world(1, TWO)
    traces.clear()
    found = bm.select_maps(make, maps, cohort, **HOW)
    assert found.chosen == ("one", "two") and [step.taken for step in found.steps] == [True, True, True, False]
    for fit in found.steps[2].row.fits:
        np.testing.assert_allclose(fit.best_params["leak"], leak_of(maps, TWO), rtol=0.15)
    assert [set(step.candidates) for step in found.steps[1:3]] == [set(maps), set(maps) - {"one"}]
    # of 13 sets of maps and thrice as many fits one program for each number of maps
    assert sum(len(step.candidates) for step in found.steps) == 5 + 4 + 3 and len(traces) % 4 == 0
    once = len(traces) // 4
    traces.clear()
    bm.select_maps(make, {"one": maps["one"]}, cohort, **HOW)
    assert len(traces) == 2 * once
    lines = repr(found).splitlines()
    assert lines[0].startswith("MapSelection: one, two; 3 parts of the subjects, 3 folds; each fit has 120 numbers")
    assert [line.split("  ")[0] for line in lines[2:6]] == [
        "no map",
        "+ one",
        "+ two",
        f"not {found.steps[3].maps[-1]}",
    ]
    assert [row.row.parameters for row in found.steps] == [1, 2, 3, 4]
    assert "nested=True" in lines[6] and "<table>" in found._repr_html_()


@pytest.mark.slow
def test_one_program_serves_networks_with_as_many_maps():
    def network(train, maps):
        noise = {name: bm.WhiteNoise(N, sigma=0.1) for name in ("noise_x", "noise_y")}
        node = bm.HopfStep(N, a=bm.RegionalMap(maps, a=-0.5), w=0.3, **noise)
        conn = train.connectome.normalize("spectral")
        return bm.Network(node, conn=conn, coupling="additive", coupled_var="x", k=0.2)

    def predict(model):
        traces.append(1)
        return bm.linear_response(model).correlation()

    def of(train, maps):
        return bm.Fitter(network(train, maps), optax.adam(0.02), predict=predict, objective=apart)

    maps, cohort = world(1, TWO)
    counts = []
    for nested in (False, True):
        traces.clear()
        bm.select_maps(of, maps, cohort, nested=nested, folds=3, most=1, n_steps=2, runs=1)
        counts.append(len(traces))
    assert counts[0] == counts[1] > 0 and counts[0] % 2 == 0


@pytest.mark.slow
def test_scores_are_those_of_cross_validate():
    maps, cohort = world(2, TWO)
    found = bm.select_maps(make, maps, cohort, most=1, **HOW)
    assert len(found.steps) == 2
    given = {name: {name: standard(x)} for name, x in maps.items()}
    fitters = {name: lambda train, one=one: make(train, one) for name, one in given.items()}
    rows = bm.cross_validate({"no map": lambda train: make(train, {})} | fitters, cohort, **HOW)
    np.testing.assert_array_equal(found.steps[0].row.test, rows["no map"].test)
    for name in maps:
        np.testing.assert_array_equal(found.steps[1].candidates[name].test, rows[name].test)
    best = max(maps, key=lambda name: rows[name].test.mean())
    assert found.steps[1].maps == (best,) == found.chosen
    np.testing.assert_array_equal(found.steps[1].gain, rows[best].test - rows["no map"].test)


@pytest.mark.slow
def test_none_is_chosen_of_maps_that_say_nothing():
    """Of all that a leak alike in all regions gives, maps predict nothing; nor does the choice among them."""
    gains = []
    for seed in range(4):
        maps, cohort = world(seed, {})
        found = bm.select_maps(make, maps, cohort, nested=True, **HOW)
        assert found.chosen == () and found.steps[-1].maps and not found.steps[-1].taken
        assert repr(found).startswith("MapSelection: no map; ")
        gains.append(found.nested.gain.mean())
    assert np.mean(gains) < 0.005


@pytest.mark.slow
def test_nested_scores_are_of_choices_made_without_those_who_are_scored():
    maps, cohort = world(3, {"one": 0.8, "two": 0.15})
    found = bm.select_maps(make, maps, cohort, nested=True, most=2, **HOW)
    for k, left_out in enumerate(found.folds):
        train, test = bm.datasets.split(cohort, left_out)
        inner = [names for names in found.folds if names != left_out]
        alone = bm.select_maps(make, maps, train, **HOW | {"folds": inner, "most": 2})
        assert alone.chosen == found.nested.chosen[k] and "one" in alone.chosen
        chosen = {name: standard(maps[name]) for name in alone.chosen}
        row = bm.cross_validate(lambda t, chosen=chosen: make(t, chosen), [(train, test)], **HOW | {"folds": None})
        assert found.nested.row.test[k] == row["model"].test[0]
        assert found.nested.base.test[k] == found.steps[0].row.test[k]
    np.testing.assert_array_equal(found.nested.gain, found.nested.row.test - found.steps[0].row.test)
    assert found.nested.counts["one"] == 3
    assert "chosen anew in each fold" in repr(found) and "Chosen in folds: one 3" in repr(found)


@pytest.mark.slow
def test_goes_on_from_its_files(tmp_path):
    maps, cohort = world(1, TWO)
    how = HOW | {"most": 1, "checkpoints": tmp_path, "nested": True}
    found, files = bm.select_maps(make, maps, cohort, **how), {path: path.stat() for path in tmp_path.rglob("*.npz")}
    assert len(files) == 6 * 3 + 3 * (6 * 2 + 1)
    again = bm.select_maps(make, maps, cohort, **how)
    np.testing.assert_array_equal(again.nested.row.test, found.nested.row.test)
    with pytest.raises(ValueError, match="must be a file of the same fit"):
        bm.select_maps(make, maps | {"one": maps["five"] ** 2}, cohort, **how)


class Enough(Exception):
    pass


def seen(maps, **how):
    """What `make` is given at its second call, of all maps."""
    calls = []

    def look(train, given):
        calls.append(given)
        if len(calls) == 2:
            raise Enough
        return make(train, given)

    with pytest.raises(Enough):
        bm.select_maps(look, maps, world(1, {})[1], **HOW | how)
    assert calls[0] == {}
    return calls[1]


def test_maps_are_standardised_and_in_the_order_of_the_regions():
    values = maps_of(1)["one"]
    np.testing.assert_allclose(seen({"one": values})["one"], standard(values))
    np.testing.assert_array_equal(seen({"one": values}, standardise=False)["one"], values)
    mixed = pandas.Series(values, REGIONS).sort_index()
    assert list(mixed.index) != REGIONS
    np.testing.assert_array_equal(seen({"one": mixed}, standardise=False)["one"], values)


def test_maps_that_are_alike_are_told():
    maps = maps_of(1)
    near = maps | {"near": maps["one"] + 0.3 * maps["two"]}
    (one, other, r), *more = bm.fitting.map_selection._correlations(near)
    assert (one, other) == ("one", "near") and not more
    assert r == pytest.approx(np.corrcoef(near["one"], near["near"])[0, 1])


ONE = maps_of(1)["one"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"maps": {}}, "`maps` of select_maps must hold a map, but is empty"),
        ({"maps": [ONE]}, "`maps` of select_maps must be a mapping of names"),
        ({"maps": {1: ONE}}, "`maps` of select_maps must be a mapping of names"),
        ({"maps": {"level": ONE}}, "must have another name"),
        ({"maps": {"a": ONE[:5]}}, r"`maps` of select_maps, 'a', must have one number .* 16 .* has shape \(5,\)"),
        ({"maps": {"a": np.where(np.arange(N) == 3, np.nan, ONE)}}, "'a', must be finite, but is nan in region 3"),
        ({"maps": {"a": np.full(N, 2.0)}}, "'a', must differ between regions, but is 2 in all"),
        ({"maps": {"a": ONE, "b": 2 * ONE + 1}}, "not be sums of one another, but 'b' follows from 'a'"),
        ({"maps": maps_of(1) | {"b": ONE - maps_of(1)["five"]}}, "'b' follows from 'one' and 'five'"),
        ({"maps": {"a": ONE * u.mV}}, "'a', must be .*without unit"),
        ({"make": 3}, "`make` of select_maps must be a function"),
        ({"make": lambda train, maps: 3}, "`make` of select_maps must be a function that returns a Fitter"),
        ({"make": lambda train, maps: make(train, {})}, "coefficient for each map .* has 1 free numbers without a map"),
        ({"margin": -1}, "`margin` of select_maps"),
        ({"most": 0}, "`most` of select_maps"),
        ({"nested": 1}, "`nested` of select_maps"),
        ({"nested": True, "folds": 2}, "`folds` of select_maps must be three or more"),
        ({"folds": 7}, "`folds` of select_maps must be from 2"),
        ({"score": 3}, "`score` of select_maps must be a function"),
        ({"seed": 0, "resume": "x"}, "`resume` of select_maps belongs to select_maps"),
    ],
)
def test_refused(given, message):
    arguments = {"make": make, "maps": {"a": ONE}, "subjects": world(1, {})[1]} | HOW | given
    with pytest.raises((ValueError, TypeError, u.UnitMismatchError), match=message):
        bm.select_maps(**arguments)


def test_pairs_are_refused_where_they_cannot_be_divided():
    cohort = world(1, {})[1]
    pair, how = bm.datasets.split(cohort, ["00"]), HOW | {"folds": None}
    with pytest.raises(ValueError, match="two folds or more, over which a gain has an error, but has 1"):
        bm.select_maps(make, {"a": ONE}, [pair], **how)
    pairs = [bm.datasets.split(cohort, [name]) for name in cohort.names]
    with pytest.raises(TypeError, match="`subjects` of select_maps must be a Cohort where nested=True"):
        bm.select_maps(make, {"a": ONE}, pairs, nested=True, **how)
