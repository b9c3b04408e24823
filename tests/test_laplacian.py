"""Laplacians against scipy's, whose sign is the other one."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brainstate.nn import Param
from scipy.sparse.csgraph import laplacian

import brainmass as bm

RNG = np.random.default_rng(1)
W = RNG.uniform(0.1, 1, (5, 5))
SYMMETRIC = W + W.T
for matrix in W, SYMMETRIC:
    np.fill_diagonal(matrix, 0)


def test_plain_is_coupling_by_differences(x64):
    x = RNG.normal(size=5)
    differences = (W * (x[None, :] - x[:, None])).sum(1)
    np.testing.assert_allclose(bm.laplacian_connectivity(W) @ x, differences, rtol=1e-12)
    np.testing.assert_allclose(bm.laplacian_connectivity(W), -laplacian(W, use_out_degree=True), rtol=1e-12)
    matrix, strength = bm.laplacian_connectivity(W, return_diag=True)
    np.testing.assert_allclose(strength, W.sum(1), rtol=1e-12)
    np.testing.assert_allclose(matrix.sum(1), 0, atol=1e-12)


def test_symmetric_normalisation_is_scipys(x64):
    np.testing.assert_allclose(
        bm.laplacian_connectivity(SYMMETRIC, normalize="sym"),
        -laplacian(SYMMETRIC, normed=True),
        rtol=1e-12,
        atol=1e-14,
    )


def test_random_walk_normalisation(x64):
    """Each row of W / d is a probability: the rows of L sum to zero, and its diagonal is −1."""
    matrix = np.asarray(bm.laplacian_connectivity(W, normalize="rw"))
    np.testing.assert_allclose(matrix + np.eye(5), W / W.sum(1)[:, None], rtol=1e-12)
    np.testing.assert_allclose(matrix.sum(1), 0, atol=1e-12)


@pytest.mark.parametrize("normalize", [None, "rw", "sym"])
def test_isolated_region_has_a_row_of_zeros_and_finite_slopes(normalize, x64):
    alone = SYMMETRIC.copy()
    alone[2], alone[:, 2] = 0, 0
    np.testing.assert_array_equal(bm.laplacian_connectivity(alone, normalize=normalize)[2], 0)
    slope = jax.grad(lambda w: (bm.laplacian_connectivity(w, normalize=normalize) ** 2).sum())(jnp.asarray(alone))
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("normalize", [None, "rw", "sym"])
def test_trainable_one_starts_at_the_laplacian_of_its_weights(normalize, x64):
    start = bm.LaplacianConnParam(W, normalize=normalize)
    np.testing.assert_allclose(start.value(), bm.laplacian_connectivity(W, normalize=normalize), rtol=1e-12)
    assert isinstance(start, Param) and start.fit
    masked = bm.LaplacianConnParam(W, mask=np.triu(np.ones((5, 5))))
    np.testing.assert_allclose(masked.value(), bm.laplacian_connectivity(np.triu(W)), rtol=1e-12)


def test_refusals():
    for bad, message in (
        (-W, "must be finite and >= 0, but is -"),
        (W[:3], "must be a square matrix, but has shape (3, 5)"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            bm.laplacian_connectivity(bad)
    with pytest.raises(ValueError, match="must be None, 'rw' or 'sym', but is 'row'"):
        bm.laplacian_connectivity(W, normalize="row")
    with pytest.raises(ValueError, match=re.escape("must be finite and >= 0")):
        bm.LaplacianConnParam(-W)
