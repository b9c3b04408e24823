"""Parameters from cortical maps: values, domains, slopes, a fit that finds the coefficients, refusals."""

import re

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import SigmoidT, SoftplusT
from jax.test_util import check_grads

import brainmass as bm

MAPS = np.random.default_rng(0).normal(size=(2, 6))


def test_values_are_the_linear_combination(x64):
    value = bm.RegionalMap(MAPS, a=3.0 * u.mV, b=[0.5, -1.0]).value()
    np.testing.assert_allclose(value.to_decimal(u.mV), 3.0 + MAPS.T @ [0.5, -1.0], rtol=1e-12)
    np.testing.assert_allclose(bm.RegionalMap(MAPS[0], a=2.0, b=0.3).value(), 2.0 + 0.3 * MAPS[0], rtol=1e-12)


def test_a_transform_keeps_the_domain_and_the_level(x64):
    positive = bm.RegionalMap(MAPS, a=0.2, b=[3.0, -4.0], transform=SoftplusT(0.0)).value()
    assert (positive > 0).all() and positive.max() > 3
    np.testing.assert_allclose(bm.RegionalMap(MAPS, a=0.2, transform=SoftplusT(0.0)).value(), 0.2, rtol=1e-9)
    share = bm.RegionalMap(MAPS, a=0.25, b=[9.0, 9.0], transform=SigmoidT(0.0, 1.0)).value()
    assert ((share > 0) & (share < 1)).all()


def test_maps_by_name():
    by_name = {"myelin": MAPS[0], "gradient": MAPS[1]}
    map_ = bm.RegionalMap(by_name, a=0.2, b={"gradient": -1.0}, transform=SoftplusT(0.0))
    same = bm.RegionalMap(MAPS, a=0.2, b=[0.0, -1.0], transform=SoftplusT(0.0))
    np.testing.assert_array_equal(map_.value(), same.value())
    np.testing.assert_allclose(list(map_.named.values()), [np.log(np.expm1(0.2)), 0.0, -1.0], rtol=1e-5)
    assert list(map_.named) == ["level", "myelin", "gradient"]
    np.testing.assert_allclose(bm.RegionalMap({"one": MAPS[0]}, a=1.0, b=2.0).value(), 1 + 2 * MAPS[0], rtol=1e-6)
    with pytest.raises(ValueError, match="no names of maps"):
        _ = same.named


def test_no_map_leaves_the_level():
    level = bm.RegionalMap({}, a=0.3 * u.mV, b=1.0)
    assert level.value().shape == () and level.value().to_decimal(u.mV) == pytest.approx(0.3)
    assert level.coefficients.shape == (1,) and list(level.named) == ["level"]
    assert bm.HopfStep(6, a=bm.RegionalMap({}, a=0.3)).a.value() == pytest.approx(0.3)


def test_one_program_serves_all_maps_of_a_shape():
    """Each by its own maps: the slope of the loss in the coefficient of a map is found from that map."""
    traces = []

    def loss(model):
        traces.append(1)
        return jnp.sum(model.gamma.value() ** 2)

    def fit(maps, last=None):
        fitter = bm.Fitter(bm.LinearStep(6, gamma=bm.RegionalMap(maps, a=-0.4)), optax.sgd(0.1), loss_fn=loss)
        if last is not None:
            fitter._share(last)
        fitter.fit(n_steps=2)
        return fitter

    first = fit(MAPS[0])
    once = len(traces)
    other = fit(MAPS[1], first)
    assert len(traces) == once
    # one step down the gradient by hand, as the best of the two losses that are seen is the second
    for fitter, m in ((first, MAPS[0]), (other, MAPS[1])):
        design = np.stack([np.ones(6), m])
        expected = np.array([-0.4, 0.0])
        expected = expected - 0.1 * 2 * design @ (expected @ design)
        np.testing.assert_allclose(fitter.model.gamma.coefficients, expected, rtol=1e-5)


@pytest.mark.slow
def test_it_is_a_parameter_of_any_model():
    node = bm.HopfStep(6, a=bm.RegionalMap(MAPS, a=0.3, b=0.1))
    result = bm.Simulator(node, dt=0.1 * u.ms).run(5 * u.ms, monitors=["x"], seed=0)
    same = bm.HopfStep(6, a=0.3 + 0.1 * MAPS.sum(0))
    expected = bm.Simulator(same, dt=0.1 * u.ms).run(5 * u.ms, monitors=["x"], seed=0)
    np.testing.assert_allclose(result["x"], expected["x"], rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="`a` of HopfStep .* must be a scalar or fit"):
        bm.HopfStep(5, a=bm.RegionalMap(MAPS, a=0.3))
    with pytest.raises(u.UnitMismatchError, match="`tau` of MontbrioPazoRoxinStep"):
        bm.MontbrioPazoRoxinStep(6, tau=bm.RegionalMap(MAPS, a=1.0))


def test_it_may_be_made_within_a_trace():
    def value(x):
        made = bm.WongWangExcInhStep(3, w_p=bm.RegionalMap(np.array([-1.0, 0.0, 1.0]), a=1.5, b=0.25))
        return x * made.w_p.value()

    np.testing.assert_allclose(jax.jit(value)(2.0), [2.5, 3.0, 3.5], rtol=1e-6)


def test_a_fit_finds_the_coefficients():
    """Steady states of x' = (gamma x + 1)/ms at x = -1/gamma tell gamma; three numbers are fitted to six regions."""
    wanted = [-0.5, 0.1, -0.05]
    target = -1 / (wanted[0] + MAPS.T @ wanted[1:])
    node = bm.LinearStep(6, gamma=bm.RegionalMap(MAPS, a=-0.4))

    def loss(model):
        x = bm.Simulator(model, dt=0.5 * u.ms).run(60 * u.ms, inputs={"x_inp": 1.0}, monitors=["x"], seed=0)["x"][-1]
        return jnp.mean((x / target - 1) ** 2)

    result = bm.Fitter(node, optax.adam(0.02), loss_fn=loss).fit(n_steps=200)
    np.testing.assert_allclose(node.gamma.coefficients, wanted, atol=2e-3)
    np.testing.assert_allclose(result.best_params["gamma"], -1 / target, atol=5e-3)


def test_slopes_in_the_coefficients(x64):
    made = bm.RegionalMap(MAPS, a=0.7, b=[0.3, -0.2], transform=SoftplusT(0.0))
    check_grads(lambda c: jnp.sum(made.precompute(c) ** 2), (made.coefficients,), order=1, modes=["rev"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bm.RegionalMap(MAPS, a=[1.0, 2.0]), "`a` of RegionalMap must be one number"),
        (lambda: bm.RegionalMap(MAPS, a=1.0, b=[1.0, 2.0, 3.0]), "one for each of the 2 maps, but has shape (3,)"),
        (lambda: bm.RegionalMap({"m": MAPS[0], "n": MAPS[1][:3]}, a=1.0), "maps of one shape (N,), but 'n' has (3,)"),
        (lambda: bm.RegionalMap({"level": MAPS[0]}, a=1.0), "other than 'level'"),
        (lambda: bm.RegionalMap({"m": MAPS[0]}, a=1.0, b={"n": 1.0}), "may name m, but names 'n'"),
        (lambda: bm.RegionalMap([0.0, np.nan], a=1.0), "must be finite, but is nan in map 0, region 1"),
        (
            lambda: bm.RegionalMap(MAPS, a=-1.0, transform=SoftplusT(0.0)),
            "`a` of RegionalMap must lie within",
        ),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
