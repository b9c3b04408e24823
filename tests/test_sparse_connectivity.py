"""Sparse networks from functional connectivity, against scikit-learn, conditions of the optimum, and a run."""

import brainunit as u
import numpy as np
import pytest

import brainmass
from brainmass import SparseConnectivity, datasets, sparse_connectivity

graphical_lasso = pytest.importorskip("sklearn.covariance").graphical_lasso


def correlations(covariance):
    deviation = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    return covariance / deviation[..., :, None] / deviation[..., None, :]


def known(n=8, seed=0, density=0.4):
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.uniform(-0.5, 0.8, (n, n)) * (rng.uniform(size=(n, n)) < density), 1)
    weights += weights.T
    return 0.7 * weights / np.abs(np.linalg.eigvalsh(weights)).max()


def sampled(seed=0, n=8, samples=200):
    rng = np.random.default_rng(seed)
    return np.corrcoef(rng.multivariate_normal(np.zeros(n), np.linalg.inv(np.eye(n) - known(n, seed)), samples).T)


@pytest.mark.parametrize("sparsity", [0.02, 0.1])
def test_is_the_graphical_lasso(sparsity):
    fc = sampled()
    found = sparse_connectivity(fc, sparsity=sparsity)
    _, precision = graphical_lasso(fc, sparsity, tol=1e-8, enet_tol=1e-8, max_iter=1000)
    root = np.sqrt(np.diag(precision))
    np.testing.assert_allclose(found.weights, np.eye(8) - precision / np.outer(root, root), atol=1e-4)
    np.testing.assert_allclose(found.correlation, correlations(np.linalg.inv(precision)), atol=1e-4)
    pairs = np.count_nonzero(np.triu(np.abs(precision) > 1e-6, 1))
    assert found.n_connections == found.n_parameters == pairs < 28 and found.shared is None
    np.testing.assert_array_equal(found.leak, 1)


@pytest.mark.slow
def test_connections_are_found_and_a_run_has_the_connectivity():
    weights = known(5, 3, 0.5)
    found = sparse_connectivity(correlations(np.linalg.inv(np.eye(5) - weights)), sparsity=1e-4)
    np.testing.assert_allclose(found.weights, weights, atol=0.01)
    node = brainmass.LinearStep(5, gamma=-1.0, noise_x=brainmass.WhiteNoise(5, sigma=0.1 * u.UNITLESS))
    network = brainmass.Network(node, conn=found.weights, coupling="additive", coupled_var="x")
    run = brainmass.Simulator(network, dt=0.05 * u.ms).run(20000 * u.ms, monitors=["x"], transient=20 * u.ms, seed=0)
    np.testing.assert_allclose(np.corrcoef(np.asarray(run["x"]).T), found.correlation, atol=0.03)


def test_anatomy_restricts_or_weighs():
    fc, anatomy = sampled(1), np.abs(known(8, 5))
    found = sparse_connectivity(fc, anatomy, 0.02)
    assert not found.weights[anatomy == 0].any() and found.n_connections <= np.count_nonzero(np.triu(anatomy, 1))
    weighed = sparse_connectivity(fc, np.abs(fc), 0.03, anatomy="weights")
    plain = sparse_connectivity(fc, sparsity=0.03)
    strong = np.abs(fc) > np.median(np.abs(fc[np.triu_indices(8, 1)]))
    assert np.count_nonzero(weighed.weights[~strong]) < np.count_nonzero(plain.weights[~strong])


def test_subjects_share_and_deviate():
    """The conditions of the optimum: slopes are within the penalties, and at them where a weight is not zero."""
    fc = np.stack([sampled(s, samples=150) for s in (2, 2, 3)])
    fc[1] = sampled(2, samples=149)
    found = sparse_connectivity(fc, sparsity=0.05, deviation=0.08)
    slopes = np.linalg.inv(found.leak[:, :, None] * np.eye(8) - found.weights) - fc
    own, off = found.weights - found.shared, ~np.eye(8, dtype=bool)
    np.testing.assert_allclose(np.diagonal(slopes, axis1=1, axis2=2), 0, atol=1e-4)
    assert np.abs(slopes[:, off]).max() < 0.08 + 1e-4 and np.abs(slopes.sum(0)[off]).max() < 3 * 0.05 + 1e-4
    there = np.abs(own) > 1e-5
    np.testing.assert_allclose(slopes[there], -0.08 * np.sign(own[there]), atol=1e-4)
    there = np.abs(found.shared) > 1e-5
    np.testing.assert_allclose(slopes.sum(0)[there], -0.15 * np.sign(found.shared[there]), atol=1e-4)
    assert 0 < np.count_nonzero(own) < own.size and "of 3 subjects" in repr(found)
    pairs = np.count_nonzero(np.triu(found.shared)) + np.count_nonzero(np.triu(own))
    assert found.n_connections == pairs and found.n_parameters == pairs + 24


def test_a_refit_has_the_fc_of_connected_pairs_and_no_other_connection():
    """What covariance selection is known by: FC as given where there is a connection, none in the inverse elsewhere."""
    fc = sampled(4)
    kept, found = (sparse_connectivity(fc, sparsity=0.1, refit=refit) for refit in (False, True))
    there = kept.weights != 0
    np.testing.assert_array_equal(found.weights != 0, there)
    np.testing.assert_allclose(found.correlation[there], fc[there], atol=1e-5)
    assert np.abs(kept.correlation - fc)[there].max() > 0.05 and not there.all()
    inverse = np.linalg.inv(found.correlation)
    np.testing.assert_allclose(inverse[~there & ~np.eye(8, dtype=bool)], 0, atol=1e-10)


def test_a_refit_of_subjects_has_the_mean_fc_where_they_share():
    fc = np.stack([sampled(s, samples=150) for s in (2, 3)])
    kept, found = (sparse_connectivity(fc, sparsity=0.05, deviation=0.3, refit=refit) for refit in (False, True))
    own, shared = kept.weights != kept.shared, kept.shared != 0
    np.testing.assert_array_equal(found.shared != 0, shared)
    made = np.linalg.inv(found.leak[:, :, None] * np.eye(8) - found.weights)
    np.testing.assert_allclose(made.sum(0)[shared], fc.sum(0)[shared], atol=1e-4)
    np.testing.assert_allclose(made[own], fc[own], atol=1e-4)
    assert not (found.weights != found.shared)[~own].any()


@pytest.mark.slow
def test_the_other_group_with_fewer_connections_than_data():
    one, other = map(datasets.load_dataset, ("hcp_schaefer100", "hcp_schaefer100_test"))
    above = np.triu_indices(100, 1)
    found = sparse_connectivity(one.fc, one.connectome, 0.05, anatomy="weights", n_steps=400)
    assert found.n_parameters < 1500 < 4950
    assert np.corrcoef(found.correlation[above], other.fc[above])[0, 1] > 0.97
    assert np.linalg.eigvalsh(found.weights).max() < 1  # stable


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"correlation": np.ones((3, 4))}, "`correlation` .* shape \\(N, N\\)"),
        ({"correlation": np.full((3, 3), np.nan)}, "`correlation` .* must be finite and symmetric"),
        ({"correlation": 2 * np.eye(3)}, "`correlation` .* ones on its diagonal"),
        ({"correlation": np.eye(3) + 2 * (1 - np.eye(3))}, "`correlation` .* between -1 and 1, but reaches 2"),
        ({"sparsity": 0.0}, "`sparsity` .* > 0"),
        ({"anatomy": "areas"}, "`anatomy` .* 'edges' or 'weights'"),
        ({"anatomy": "weights"}, "`connectome` .* is needed"),
        ({"connectome": np.ones((4, 4))}, "`connectome` .* shape \\(8, 8\\)"),
        ({"connectome": np.eye(8)}, "`connectome` .* must have a connection"),
        ({"deviation": 0.1}, "`deviation` .* no effect on one FC"),
        ({"n_steps": 0}, "`n_steps`"),
        ({"refit": "yes"}, "`refit`"),
        ({"correlation": np.ones((3, 3)), "refit": True}, "`correlation` .* positive definite.* has the eigenvalue"),
    ],
)
def test_refused(given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        sparse_connectivity(**{"correlation": sampled()} | given)


def test_repr():
    found = sparse_connectivity(sampled(), sparsity=0.1)
    assert isinstance(found, SparseConnectivity) and repr(found).endswith("connected pairs of 8 regions")
