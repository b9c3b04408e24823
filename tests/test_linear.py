"""Linear operations with a transpose of their own, against JAX's derivatives of the same numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainmass.delays.linear import linear

RNG = np.random.default_rng(5)
WEIGHTS, SENT, ALONG = RNG.normal(size=(3, 4)), RNG.normal(size=(4,)), RNG.normal(size=(4,))


def product(weights, sent):
    """Of a pair, so that structures have to match; nothing goes from the second to the result."""

    def there(known, given):
        x, unused = given
        return {"sum": known["weights"] @ x}

    def back(known, given):
        return known["weights"].T @ given["sum"], jnp.zeros(2)

    return linear(there, back, {"weights": weights, "n": jnp.int32(3)}, (sent, jnp.ones(2)))["sum"]


def plain(weights, sent):
    return weights @ sent


def cubed(operation):
    return lambda w, x: jnp.sum(operation(w, jnp.sin(operation(w.T @ w, x))) ** 3)


DERIVATIVES = {
    "value": lambda f: cubed(f),
    "backwards": lambda f: jax.grad(cubed(f), (0, 1)),
    "forwards": lambda f: lambda w, x: jax.jvp(cubed(f), (w, x), (jnp.ones_like(w), jnp.asarray(ALONG))),
    "twice": lambda f: jax.hessian(cubed(f), (0, 1)),
    "twice backwards": lambda f: jax.jacrev(jax.grad(cubed(f), (0, 1)), (0, 1)),
    "in a scan": lambda f: jax.grad(
        lambda w, x: jnp.sum(jax.lax.scan(lambda c, i: (jnp.tanh(i * f(w.T @ w, c)), None), x, jnp.arange(3.0))[0])
    ),
}


@pytest.mark.parametrize("derivative", DERIVATIVES)
def test_derivatives(derivative, x64):
    ours, theirs = (jax.jit(DERIVATIVES[derivative](f))(WEIGHTS, SENT) for f in (product, plain))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), ours, theirs)


@pytest.mark.few(3)
@pytest.mark.parametrize("axes", [(None, 0), (0, None), (0, 0), (2, 1)])
@pytest.mark.parametrize("derivative", ["value", "backwards"])
def test_over_lanes(axes, derivative, x64):
    weights, sent = (
        value if axis is None else np.stack([value, 2 * value, -value], axis=axis)
        for value, axis in zip((WEIGHTS, SENT), axes, strict=True)
    )
    ours, theirs = (jax.vmap(DERIVATIVES[derivative](f), axes)(weights, sent) for f in (product, plain))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), ours, theirs)


def test_the_transpose_that_is_given_is_taken():
    operation = lambda x: linear(lambda k, g: 2 * g, lambda k, g: 5 * g, (), x)  # noqa: E731
    assert jax.grad(operation)(1.0) == 5
    assert jax.jvp(operation, (1.0,), (1.0,))[1] == 2
    assert jax.jvp(jax.grad(lambda x: operation(x) ** 2), (1.0,), (1.0,))[1] == 20  # d/dx of 2 f(x) * 5
