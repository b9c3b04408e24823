"""Products of weights and activity against numpy: values, slopes by both modes, lanes, units."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from brainmass.network import products
from brainmass.network.products import columns, gathered_product, product

RNG = np.random.default_rng(5)


def dense_case(n_out):
    weights, x = RNG.normal(size=(n_out, 7)), RNG.normal(size=7)
    return (lambda w, x: product(columns(w), x, n_out)), weights, x, lambda w, x: w @ x


def listed_case():
    sources = RNG.integers(0, 7, (3, 5))
    weights, x = RNG.normal(size=(3, 5)), RNG.normal(size=7)
    return (lambda w, x: gathered_product(w, x, jnp.asarray(sources))), weights, x, lambda w, x: (w * x[sources]).sum(0)


@pytest.fixture(params=["dense", "whole vectors", "list", "long list"])
def case(request, monkeypatch, x64):
    if request.param == "long list":
        monkeypatch.setattr(products, "_FEW_ROWS", 0)
    return {"dense": lambda: dense_case(5), "whole vectors": lambda: dense_case(9)}.get(request.param, listed_case)()


def test_values_and_slopes(case):
    multiply, weights, x, expected = case
    np.testing.assert_allclose(multiply(weights, x), expected(weights, x), rtol=1e-13)
    np.testing.assert_allclose(jax.jit(multiply)(weights, x), expected(weights, x), rtol=1e-13)
    check_grads(multiply, (jnp.asarray(weights), jnp.asarray(x)), order=2, modes=["fwd", "rev"])
    check_grads(lambda x: multiply(weights, x), (jnp.asarray(x),), order=1, modes=["fwd", "rev"])


def test_lanes(case):
    """Of the activity, of the weights, of both, of slopes; and activity that has a batch of its own."""
    multiply, weights, x, expected = case
    many_w, many_x = weights * np.array([1.0, 2.0])[:, None, None], RNG.normal(size=(2, *x.shape))
    by_x = [expected(weights, row) for row in many_x]
    np.testing.assert_allclose(jax.vmap(multiply, (None, 0))(weights, many_x), by_x, rtol=1e-12)
    np.testing.assert_allclose(multiply(weights, many_x), by_x, rtol=1e-12)
    both = [expected(w, row) for w, row in zip(many_w, many_x, strict=True)]
    np.testing.assert_allclose(jax.vmap(multiply)(many_w, many_x), both, rtol=1e-12)
    by_w = [expected(w, x) for w in many_w]
    np.testing.assert_allclose(jax.vmap(multiply, (0, None))(many_w, x), by_w, rtol=1e-12)
    slopes = jax.vmap(jax.grad(lambda x: jnp.sum(multiply(weights, x) ** 2)))(many_x)
    single = [jax.grad(lambda x: jnp.sum(multiply(weights, x) ** 2))(row) for row in many_x]
    np.testing.assert_allclose(slopes, single, rtol=1e-12)


def test_units(case):
    multiply, weights, x, expected = case
    out = multiply(weights / u.second, x * u.mV)
    np.testing.assert_allclose(out.to_decimal(u.mV / u.second), expected(weights, x), rtol=1e-13)


@pytest.mark.parametrize(("n", "padded"), [(1, 1), (8, 16), (16, 16), (84, 96), (401, 401)])
def test_weights_fill_whole_vectors_on_a_cpu(n, padded, monkeypatch):
    weights = np.ones((n, 3), np.float32)
    assert np.shape(columns(weights)) == (3, padded)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert np.shape(columns(weights)) == (3, n)
