"""Several objectives: fronts that are known in closed form, resuming, refinement by gradient, refusals."""

import re

import brainstate
import brainunit as u
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from braintools.init import Constant

import brainmass as bm
from brainmass.objectives import Several, timeseries_rmse

pytest.importorskip("pymoo")


class Place(brainstate.nn.Module):
    def __init__(self, n, start=0.5):
        super().__init__()
        self.x = brainstate.nn.Param(jnp.full(n, start), fit=True)


def place(model):
    return model.x.value()


def search(objectives, n, popsize, **settings):
    space = {"x": (0.0, 1.0)}
    return bm.Fitter(
        Place(n),
        backend="pymoo",
        predict=place,
        objective=Several(objectives),
        search_space=space,
        popsize=popsize,
        **settings,
    )


def first(p, _):
    return p[0]


# Zitzler, Deb & Thiele 2000, Evol. Comput. 8:173: the front is at g = 1, where x_2 = ... = x_n = 0
def zdt1(p, _):
    g = 1 + 9 * jnp.mean(p[1:])
    return g * (1 - jnp.sqrt(p[0] / g))


def zdt2(p, _):
    g = 1 + 9 * jnp.mean(p[1:])
    return g * (1 - (p[0] / g) ** 2)


A, B = np.array([0.2, 0.3, 0.4]), np.array([0.8, 0.5, 0.6])
PARABOLAS = {"a": lambda p, _: jnp.sum((p - A) ** 2), "b": lambda p, _: jnp.sum((p - B) ** 2)}


def volume_from(front, far):
    """Of two objectives: rectangles from the left to the right."""
    ends = np.r_[front.values[1:, 0], far]
    return np.sum((ends - front.values[:, 0]) * (far - front.values[:, 1]))


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("second", "known", "area"),
    [
        # up to the corner (1.1, 1.1): 1.21 less the area below the front, which goes on flat from 1 to 1.1
        (zdt1, lambda x: 1 - np.sqrt(x), 1.21 - 1 / 3),
        (zdt2, lambda x: 1 - x**2, 1.21 - 2 / 3),
    ],
)
def test_fronts_of_zitzler_deb_and_thiele(second, known, area):
    front = search({"1": first, "2": second}, 8, 40).fit(n_steps=120).front
    x, y = front.values.T
    # beside x = 0 a point far above the front is bettered by none that is not exactly there
    assert np.mean(np.abs(y - known(x)) < 0.02) > 0.98
    assert volume_from(front, 1.1) == pytest.approx(area, rel=0.01)
    assert (np.diff(front.hypervolume) >= 0).all() and front.hypervolume.shape == (120,)
    assert (np.diff(x) > 0).all() and (np.diff(y) < 0).all()  # in order, and none betters another
    # the reference is the worst of the first generation, beyond the corner: strips at both sides come to it
    r = front.reference
    corner = volume_from(front, 1.1) + (r[0] - 1.1) * (1.1 - y[-1]) + (r[1] - 1.1) * (r[0] - x[0])
    assert front.hypervolume[-1] == pytest.approx(corner, rel=1e-3)


def test_the_best_of_both_is_the_lowest_weighted_sum():
    front = search({"1": first, "2": lambda p, t: 10 * zdt1(p, t)}, 4, 40).fit(n_steps=60).front
    # scaled from the best to the worst of the front
    # f1 + f2 = x + 1 - sqrt x is lowest at 1/4; 4 f1 + f2 at 1/64; each alone at its end
    assert front.best().values["1"] == pytest.approx(0.25, abs=0.04)
    assert front.best({"1": 4, "2": 1}).values["1"] == pytest.approx(1 / 64, abs=0.02)
    assert front.best({"1": 1}).values["1"] == front.values[:, 0].min()
    assert front.best({"2": 1}).values["2"] == front.values[:, 1].min()
    point = front.best()
    np.testing.assert_allclose(point.params["x"][0], point.values["1"], rtol=1e-5)


@pytest.mark.slow
def test_the_fit_is_that_of_the_weighted_sum():
    weighted = Several(PARABOLAS, weights={"a": 3.0})
    setting = dict(predict=place, objective=weighted, search_space={"x": (0.0, 1.0)})
    model = Place(3)
    found = bm.Fitter(model, backend="pymoo", popsize=30, **setting).fit(n_steps=40)
    expected = (3 * A + B) / 4
    np.testing.assert_allclose(found.best_params["x"], expected, atol=0.05)
    np.testing.assert_allclose(model.x.value(), found.best_params["x"], atol=1e-6)
    down = bm.Fitter(Place(3), optax.adam(0.05), **setting).fit(n_steps=120)
    np.testing.assert_allclose(down.best_params["x"], expected, atol=2e-3)


@pytest.mark.slow
def test_gradients_lead_from_a_front_to_the_segment_between_the_minima():
    fitter = search(PARABOLAS, 3, 12)
    rough = fitter.fit(n_steps=6).front
    fine = bm.refine_front(fitter, rough, n_steps=150, optimizer=optax.adam(0.02))

    def off(front):
        x, along = np.asarray(front.params["x"]), B - A
        share = (x - A) @ along / (along @ along)
        return share, np.abs(x - A - share[:, None] * along).max(axis=1)

    before, after = off(rough)[1], off(fine)[1]
    assert np.median(before) > 0.03 and (after < 1e-3).sum() >= len(rough) * 0.9
    share, ends = off(fine)[0][after < 1e-3], off(fine)[0]
    assert ends.min() < 0.02 and ends.max() > 0.98 and (share > -1e-3).all() and (share < 1 + 1e-3).all()
    assert fine.hypervolume[-1] > rough.hypervolume[-1]
    np.testing.assert_allclose(fine.values[:, 0], ((fine.params["x"] - A) ** 2).sum(axis=1), atol=1e-5)


def test_a_seed_says_all_and_a_search_goes_on_as_if_it_had_not_stopped(tmp_path):
    def run(n_steps, **more):
        np.random.seed(n_steps)  # what others draw makes no difference
        return search(PARABOLAS, 3, 8).fit(n_steps=n_steps, seed=3, **more).front

    whole = run(9)
    run(5, checkpoint=tmp_path / "front.npz")
    again = run(9, resume=tmp_path / "front.npz")
    for name in ("values", "hypervolume", "reference"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(again, name))
    np.testing.assert_array_equal(whole.params["x"], again.params["x"])
    other = search(PARABOLAS, 3, 8).fit(n_steps=9, seed=4).front
    assert other.values.shape != whole.values.shape or not np.array_equal(other.values, whole.values)


def test_a_generation_is_one_batched_run_of_a_model():
    def model(a):
        return bm.HopfStep(2, a=a, w=0.3, init_x=Constant(0.6), init_y=Constant(0.0))

    traces = []

    def predict(model):
        traces.append(None)
        return bm.Simulator(model, dt=0.5 * u.ms).run(10 * u.ms, monitors=["x", "y"])

    def rmse_of(monitor):
        return lambda p, t: timeseries_rmse()(p[monitor], t)

    data = predict(model(0.2))
    both = Several({"x": rmse_of("x"), "y": rmse_of("y")})
    fitter = bm.Fitter(
        model(0.05), backend="pymoo", predict=predict, objective=both, search_space={"a": (-0.5, 0.5)}, popsize=8
    )
    traces.clear()
    target = {"x": data["x"], "y": data["y"]}
    result = fitter.fit(target, n_steps=8)
    once = len(traces)
    assert result.best_params["a"] == pytest.approx(0.2, abs=0.02)
    fitter.fit(target, n_steps=20)
    assert len(traces) == once


@pytest.mark.slow
def test_objectives_by_monitor_and_several_of_one():
    node = bm.HopfStep(2, w=0.3, init_x=Constant(0.6), init_y=Constant(0.0))
    run = dict(duration=10 * u.ms, monitors=["x", "y"])
    simulator = bm.Simulator(node, dt=0.5 * u.ms)
    data = simulator.run(**run)
    mean = Several({"mean": lambda p, t: (p.mean() - t) ** 2, "rms": lambda p, t: ((p**2).mean() - t) ** 2})
    common = dict(backend="pymoo", search_space={"a": (-0.5, 0.5)}, popsize=4)
    fitter = bm.Fitter(simulator, **run, objective={"x": mean, "y": timeseries_rmse()}, **common)
    own = {"mean": float(data["x"].mean()), "rms": float((data["x"] ** 2).mean())}
    front = fitter.fit({"x": own, "y": data["y"]}, n_steps=2).front
    assert front.names == ("x.mean", "x.rms", "y") and len(front) >= 1
    # the model as it is, where all losses are 0, is in the first generation
    np.testing.assert_allclose(front.values[0], 0.0, atol=1e-6)
    alone = bm.Fitter(simulator, duration=10 * u.ms, monitors=["x"], objective=mean, **common)
    np.testing.assert_allclose(alone.fit(own, n_steps=1).front.values[0], 0.0, atol=1e-6)


def test_a_front_is_in_the_file_of_a_result(tmp_path):
    result = search(PARABOLAS, 3, 8).fit(n_steps=3)
    result.save(tmp_path / "result.npz")
    again = bm.FitResult.load(tmp_path / "result.npz").front
    assert again.names == result.front.names and repr(again) == repr(result.front)
    np.testing.assert_array_equal(again.values, result.front.values)
    np.testing.assert_array_equal(again.fitted["x"], result.front.fitted["x"])
    ax = bm.viz.plot_front(again, ax=bm.viz.plot_front(result.front))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a", "b")
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), result.front.values)


def test_losses_that_are_no_numbers_are_not_on_the_front():
    broken = {"a": PARABOLAS["a"], "b": lambda p, _: jnp.where(p[0] > 0.5, jnp.nan, jnp.sum((p - B) ** 2))}
    front = search(broken, 3, 20).fit(n_steps=10).front
    assert np.isfinite(front.values).all() and (np.asarray(front.params["x"])[:, 0] <= 0.5).all()


def refined(front):
    return bm.refine_front(search({"a": first, "c": zdt1}, 3, 8), front)


def test_refusals():
    front = search(PARABOLAS, 3, 8).fit(n_steps=1).front
    normal = {"x": bm.Free(bounds=(0.0, 1.0), prior=bm.Normal(0.0, 1.0))}
    cases = [
        (lambda: bm.Fitter(Place(3), backend="pymoo", predict=place, objective=first), "several objectives by name"),
        (lambda: search({}, 3, 8), "must hold at least one function"),
        (lambda: Several({"a": 1.0}), "must map names to functions"),
        (lambda: Several(PARABOLAS, weights={"c": 1.0}), "may name a, b, but names 'c'"),
        (lambda: Several(PARABOLAS, weights={"a": -1.0}), "must be a number > 0"),
        (lambda: search(PARABOLAS, 3, 8, n_starts=2), "`n_starts` of Fitter belongs to"),
        (lambda: search(PARABOLAS, 3, 8).fit(fresh_noise=True), "must be False for NSGA2"),
        (lambda: search(PARABOLAS, 3, 8, optimizer="CMA"), "must be 'NSGA2', or a class of pymoo"),
        (lambda: front.best({"c": 1.0}), "may name a, b, but names 'c'"),
        (lambda: refined(front), "must be of a, c, but is of"),
        (
            lambda: bm.Fitter(
                Place(3), backend="pymoo", predict=place, objective=Several(PARABOLAS), search_space=normal
            ),
            "must have bounds alone for a Pareto front",
        ),
    ]
    for call, message in cases:
        with pytest.raises((ValueError, TypeError), match=re.escape(message)):
            call()
