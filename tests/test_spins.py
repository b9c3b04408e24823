"""Spin tests: turned maps stay smooth, chance is chance, and what agrees is found."""

import brainunit as u
import numpy as np
import pytest
from scipy.spatial.distance import cdist

import brainmass as bm
from brainmass.connectome.spins import _rotated

N = 60


def sphere(n=N):
    """Points of a spiral over the sphere, evenly spread; both hemispheres, mirrored."""
    i = np.arange(n) + 0.5
    z, angle = 1 - 2 * i / n, np.pi * (1 + 5**0.5) * i
    left = np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], axis=1)
    places = np.concatenate([left - [1.5, 0, 0], left * [-1, 1, 1] + [1.5, 0, 0]])
    return bm.Connectome(np.ones((2 * n, 2 * n)), centres=places * u.mm, hemispheres=["left"] * n + ["right"] * n)


BRAIN = sphere()
PLACES = np.asarray(BRAIN.centres.to_decimal(u.mm))
LEFT = PLACES[:N] + [1.5, 0, 0]


def smooth(rng):
    """A slope along a random direction, the same in both hemispheres."""
    direction = rng.normal(size=3)
    half = LEFT @ direction
    return np.r_[half, half]


def test_regions_change_places_within_hemispheres_and_neighbours_stay_neighbours():
    orders = _rotated(BRAIN, 50, 0)
    assert (np.sort(orders, axis=1) == np.arange(2 * N)).all()
    assert (orders[:, :N] < N).all()
    np.testing.assert_array_equal(orders[:, N:] - N, orders[:, :N])  # mirrored
    distances = cdist(LEFT, LEFT)
    turned = np.array([np.corrcoef(distances[np.ix_(o, o)].ravel(), distances.ravel())[0, 1] for o in orders[:, :N]])
    assert turned.min() > 0.9
    assert (orders != np.arange(2 * N)).mean() > 0.7


def test_chance_is_chance_where_a_permutation_sees_significance():
    """Slopes in random directions are independent: p is even, though correlations are large."""
    rng = np.random.default_rng(0)
    tests = [bm.spin_test(smooth(rng), smooth(rng), BRAIN, 99, seed=i) for i in range(60)]
    p = np.array([test.p for test in tests])
    assert np.mean(p < 0.1) < 0.22 and 0.35 < p.mean() < 0.65
    # of independent regions correlations beyond 0.18 would be rare, one in twenty
    assert np.mean([abs(test.correlation) > 0.18 for test in tests]) > 0.6


def test_what_agrees_is_found():
    rng = np.random.default_rng(1)
    x = np.r_[LEFT[:, 0] * LEFT[:, 1] ** 2 + LEFT[:, 2], LEFT[:, 0] * LEFT[:, 1] ** 2 + LEFT[:, 2]]
    x = x + 0.1 * rng.normal(size=2 * N)
    found = bm.spin_test(x, -2 * x + 0.1 * rng.normal(size=2 * N), BRAIN, 199)
    assert found.correlation < -0.95 and found.p < 0.02 and found.null.shape == (199,)
    again = bm.spin_test(x, -x, BRAIN, 20, seed=4)
    np.testing.assert_array_equal(again.null, bm.spin_test(x, -x, BRAIN, 20, seed=4).null)
    assert (again.null != bm.spin_test(x, -x, BRAIN, 20, seed=5).null).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bm.spin_test(np.arange(3.0), np.arange(120.0), BRAIN), r"`x` of spin_test must have shape \(120,\)"),
        (lambda: bm.spin_test(np.ones(120), np.arange(120.0), BRAIN), "`x` of spin_test must be finite, and differ"),
        (lambda: bm.spin_test(np.arange(3.0), np.arange(3.0), bm.Connectome(np.ones((3, 3)))), "must have centres"),
        (lambda: bm.spin_test(np.arange(120.0), np.arange(120.0), BRAIN, 0), "`n` of spin_test"),
        (lambda: bm.spin_test(np.arange(120.0), np.arange(120.0), BRAIN, seed=-1), "`seed` of spin_test"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
