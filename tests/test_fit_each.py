"""Many fits in one batched program: each is the fit that it would be alone."""

import re

import brainunit as u
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import ExpT, Param
from braintools.init import Constant

import brainmass as bm
from brainmass.objectives import timeseries_rmse

TRACES = []


def model(a, w=0.3):
    return bm.HopfStep(2, a=a, w=w, init_x=Constant(0.6), init_y=Constant(0.0))


def predict(model):
    TRACES.append(None)
    return bm.Simulator(model, dt=0.5 * u.ms).run(10 * u.ms, monitors=["x"])["x"]


def fitter(**settings):
    setting = dict(predict=predict, objective=timeseries_rmse(), search_space={"a": (-0.5, 0.5)})
    return bm.Fitter(model(0.05), optax.adam(0.05), **{**setting, **settings})


def assert_same(one, each):
    np.testing.assert_allclose(each.history, one.history, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(each.best_loss, one.best_loss, rtol=1e-3, atol=1e-6)
    for name, value in one.best_params.items():
        np.testing.assert_allclose(u.get_mantissa(each.best_params[name]), u.get_mantissa(value), rtol=1e-4)
    np.testing.assert_allclose(each.prediction, one.prediction, atol=1e-5)
    assert each.grad_norms.shape == one.grad_norms.shape and each.n_steps == one.n_steps


@pytest.mark.slow
def test_a_hundred_targets_are_one_program():
    targets = {f"{a:.3f}": predict(model(a)) for a in np.linspace(0.1, 0.3, 100)}
    together = fitter()
    TRACES.clear()
    found = bm.fit_each(together, targets, 40)
    compiled = len(TRACES)
    assert list(found) == list(targets) and compiled < 6
    assert_same(fitter().fit(targets["0.201"], 40), found["0.201"])
    wanted = [float(label) for label in targets]
    np.testing.assert_allclose([result.best_params["a"] for result in found.values()], wanted, atol=0.02)
    assert float(together.model.a.value()) == pytest.approx(0.05)  # the model stays as it is
    TRACES.clear()
    bm.fit_each(together, targets, 5)
    assert not TRACES


@pytest.mark.slow
def test_values_are_starts_of_what_is_fitted_and_settings_of_the_rest():
    target = predict(model(0.2))
    values = {"fast": {"w": 0.4, "a": -0.2}, "as it is": {}}
    found = bm.fit_each(fitter(), dict.fromkeys(values, target), 10, values=values)
    setting = dict(predict=predict, objective=timeseries_rmse(), search_space={"a": (-0.5, 0.5)})
    fast = bm.Fitter(model(-0.2, w=0.4), optax.adam(0.05), **setting)
    assert_same(fast.fit(target, 10), found["fast"])
    assert_same(fitter().fit(target, 10), found["as it is"])


@pytest.mark.slow
def test_a_transform_and_a_unit():
    def rest(tau):
        return bm.MontbrioPazoRoxinStep(1, tau=tau, init_r=Constant(0.2), init_v=Constant(-1.0))

    def curve(model):
        return bm.Simulator(model, dt=0.05 * u.ms).run(3 * u.ms, monitors=["v"])["v"]

    targets = {name: curve(rest(tau * u.ms)) for name, tau in {"a": 0.8, "b": 1.3}.items()}
    start = Param(1.0 * u.ms, t=ExpT(0.0 * u.ms), fit=True)
    both = bm.Fitter(rest(start), optax.adam(0.05), predict=curve, objective=timeseries_rmse())
    found = bm.fit_each(both, targets, 60, values={"a": {"tau": 0.9 * u.ms}, "b": {}})
    taus = [result.best_params["tau"].to_decimal(u.ms) for result in found.values()]
    np.testing.assert_allclose(np.ravel(taus), [0.8, 1.3], rtol=2e-2)


@pytest.mark.slow
def test_data_of_each():
    def seen(model, key, w):
        run = bm.Simulator(model, dt=0.5 * u.ms).pure(10 * u.ms, monitors=["x"], free=["w"])
        return run({"w": w}, key)["x"]

    data = {"one": jnp.float32(0.2), "two": jnp.float32(0.5)}
    targets = {label: seen(model(0.2), 0, w) for label, w in data.items()}
    found = bm.fit_each(fitter(predict=seen), targets, 15, data=data)
    for label, w in data.items():
        alone = fitter(predict=seen).fit(targets[label][None], 15, data=w[None])
        alone.prediction = alone.prediction[0]
        assert_same(alone, found[label])


@pytest.mark.slow
def test_one_that_is_lost_ends_alone():
    target = predict(model(0.2))
    values = {"whole": {}, "broken": {"w": 1e30}}
    with pytest.warns(RuntimeWarning, match="The loss is nan at step 0"):
        found = bm.fit_each(fitter(), dict.fromkeys(values, target), 10, values=values)
    assert (found["whole"].n_steps, found["broken"].n_steps) == (10, 1)
    assert_same(fitter().fit(target, 10), found["whole"])
    assert found["broken"].best_loss == np.inf and found["broken"].best_params["a"] == pytest.approx(0.05)


def mean(prediction, target):
    return (prediction.mean() - target.mean()) ** 2


def test_refusals():
    target = predict(model(0.2))
    both = {"a": target, "b": target}
    cases = [
        (lambda: bm.fit_each(None, both), "must be a Fitter"),
        (lambda: bm.fit_each(fitter(), {}), "must hold a target"),
        (lambda: bm.fit_each(fitter(), [target]), "must be a mapping of labels"),
        (lambda: bm.fit_each(fitter(n_starts=2), both), "one start"),
        (lambda: bm.fit_each(fitter(callbacks=print), both), "no callbacks"),
        (lambda: bm.fit_each(fitter(objective=mean), both | {"c": target[:5]}), "'c' is unlike 'a'"),
        (lambda: bm.fit_each(fitter(), both, values={"a": {}}), "must have the labels of `targets`"),
        (lambda: bm.fit_each(fitter(), both, values={"a": {"w": jnp.ones(3)}, "b": {}}), "must fit its shape ()"),
        (lambda: bm.fit_each(fitter(), both, values={"a": {"w": 1 * u.mV}, "b": {}}), "for `w`, must have no unit"),
    ]
    for call, message in cases:
        with pytest.raises((ValueError, TypeError, u.UnitMismatchError), match=re.escape(message)):
            call()
