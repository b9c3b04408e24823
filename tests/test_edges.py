"""Edges: the same network as the dense connectome, against scipy.sparse; tables of neighbours; refusals."""

import tracemalloc

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from brainmass.connectome.dense import Connectome
from brainmass.connectome.edges import Edges
from brainmass.datasets import load_dataset

RNG = np.random.default_rng(7)
SPEED = 5.0 * u.mm / u.ms

matrices = arrays(float, (5, 5), elements=st.sampled_from([0.0, 0.0, 0.25, 1.0, 3.0]))


def random_edges(n=30, n_edges=150, seed=0):
    rng = np.random.default_rng(seed)
    target, source = np.divmod(rng.choice(n * n, n_edges, replace=False), n)
    return Edges(n, source, target, rng.normal(size=n_edges), rng.uniform(10, 100, n_edges) * u.mm)


def coo(edges, values=None):
    values = edges.weight if values is None else values
    return sp.coo_array((values, (edges.target, edges.source)), shape=(edges.n, edges.n))


def test_keeps_what_it_is_given_in_its_order():
    edges = Edges(4, [2, 0, 1], [0, 3, 1], [1.0, -2.0, 0.0], [5.0, 6.0, 7.0] * u.cm, list("abcd"), "toy")
    np.testing.assert_array_equal(edges.source, [2, 0, 1])
    np.testing.assert_array_equal(edges.target, [0, 3, 1])
    np.testing.assert_array_equal(edges.weight, [1.0, -2.0, 0.0])
    np.testing.assert_array_equal(edges.length.to_decimal(u.cm), [5.0, 6.0, 7.0])
    assert (edges.n, edges.n_regions, edges.labels, edges.name) == (4, 4, ("a", "b", "c", "d"), "toy")
    assert edges.source.dtype == edges.target.dtype == np.int32


def test_regions_by_label():
    edges = Edges(3, ["c", "a"], np.array(["a", "b"]), [1.0, 2.0], labels=["a", "b", "c"])
    np.testing.assert_array_equal(edges.source, [2, 0])
    np.testing.assert_array_equal(edges.target, [0, 1])


def test_is_immutable_and_independent_of_the_source():
    weight = np.ones(2)
    edges = Edges(3, [0, 1], [1, 2], weight)
    weight[0] = 9.0
    assert edges.weight[0] == 1.0
    for array in (edges.source, edges.target, edges.weight):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(AttributeError):
        edges.n = 7


def test_repr():
    edges = Edges(3, [0, 1, 1], [1, 2, 1], np.ones(3), [20.0, 30.0, 0.0] * u.mm)
    assert repr(edges) == (
        "Edges('edges': 3 regions, 2 connections (density 0.333), 1 self-connection, lengths 20 to 30 mm)"
    )
    assert repr(Edges(2, [], [], [])) == "Edges('edges': 2 regions, 0 connections (density 0), no lengths)"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"n": 0}, ValueError, "`n` .*positive int.*, but is 0"),
        ({"n": 2.0}, ValueError, "`n` .*but is 2.0"),
        ({"n": True}, ValueError, "`n` .*but is True"),
        ({"source": [0, 3]}, ValueError, r"`source` .*between 0 and 2, but source\[1\] is 3"),
        ({"target": [-1, 2]}, ValueError, r"`target` .*between 0 and 2, but target\[0\] is -1"),
        ({"source": [0.0, 0.5]}, TypeError, "`source` .*indices or labels, but are of type float64"),
        ({"source": [0, 1, 2]}, ValueError, r"`source` .*\(2,\), but are of shape \(3,\)"),
        ({"source": ["a", "b"]}, ValueError, r"`source` .*regions of this connectome, but source\[0\] is 'a'"),
        ({"weight": [1.0, np.nan]}, ValueError, r"`weight` .*finite, but weight\[1\] is nan"),
        ({"weight": [[1.0, 2.0]]}, ValueError, r"`weight` .*\(E,\), but are of shape \(1, 2\)"),
        ({"weight": [1.0, 2.0] * u.mV}, ValueError, "`weight` .*plain numbers, but are in mV"),
        ({"length": [1.0, 2.0]}, ValueError, "`length` .*unit of length, but are plain numbers"),
        ({"length": [1.0] * u.mm}, ValueError, r"`length` .*\(2,\), but are of shape \(1,\)"),
        ({"length": [1.0, -2.0] * u.mm}, ValueError, r"`length` .*length\[1\] is -2"),
        ({"labels": ["a", "b"]}, ValueError, r"`labels` .*one per region \(3\), but are 2"),
        ({"target": [1, 1], "source": [0, 0]}, ValueError, "once, but the one from 'region 0' to 'region 1' is there"),
    ],
)
def test_refuses(changes, error, message):
    with pytest.raises(error, match=f"of Edges .*{message}|Argument {message}.*Example: "):
        Edges(**{"n": 3, "source": [0, 1], "target": [1, 2], "weight": [1.0, 2.0], **changes})


# --- forms ------------------------------------------------------------------------------------------------------------
@given(matrices)
def test_dense_and_back(weights):
    lengths = np.where(weights != 0, 10.0 + np.arange(25.0).reshape(5, 5), 0.0)
    dense = Connectome(weights, lengths * u.mm, list("abcde"), "toy", [0, 1, 0, 1, 0], np.eye(5, 3) * u.mm)
    edges = dense.to_edges()
    again = edges.to_connectome()
    assert edges.weight.size == np.count_nonzero(weights)
    np.testing.assert_array_equal(again.weights, weights)
    np.testing.assert_array_equal(again.lengths.to_decimal(u.mm), lengths)
    assert (again.labels, again.name, again.hemispheres) == (dense.labels, dense.name, dense.hemispheres)
    np.testing.assert_array_equal(again.centres.mantissa, dense.centres.mantissa)


def test_rows_receive():
    edges = Edges(2, source=[0], target=[1], weight=[3.0])
    np.testing.assert_array_equal(edges.to_connectome().weights, [[0, 0], [3, 0]])
    np.testing.assert_array_equal(Edges.from_dense([[0, 0], [3, 0]]).target, [1])


def test_to_and_from_scipy():
    edges = random_edges()
    x = RNG.normal(size=30)
    np.testing.assert_allclose(edges.to_scipy() @ x, coo(edges) @ x, rtol=1e-12)
    again = Edges.from_scipy(coo(edges), name="again")
    np.testing.assert_array_equal(again.to_connectome().weights, coo(edges).toarray())
    twice = sp.coo_array(([1.0, 2.0], ([1, 1], [0, 0])), shape=(2, 2))
    np.testing.assert_array_equal(Edges.from_scipy(twice).weight, [3.0])
    with pytest.raises(ValueError, match=r"square matrix \(N, N\), but are of shape \(2, 3\)"):
        Edges.from_scipy(sp.coo_array((2, 3)))


def test_from_dense_takes_a_connectome_as_it_is():
    with pytest.raises(TypeError, match="with a matrix, not with a Connectome"):
        Edges.from_dense(Connectome(np.ones((2, 2))), labels=["a", "b"])


def test_transpose():
    edges = random_edges()
    np.testing.assert_array_equal(edges.transpose().to_connectome().weights, coo(edges).toarray().T)
    lengths = edges.transpose().to_connectome().lengths.mantissa
    np.testing.assert_array_equal(lengths, coo(edges, edges.length.mantissa).toarray().T)


@given(matrices, st.permutations(range(5)), st.integers(1, 5))
def test_subnetwork_is_that_of_the_dense_form(weights, order, size):
    dense = Connectome(weights, weights * u.mm, list("abcde"), hemispheres=[0, 1, 0, 1, 0])
    for act in (
        lambda c: c.subnetwork(order[:size]),
        lambda c: c.permute(order),
        lambda c: c.hemisphere("right"),
        lambda c: c.sorted_by_label(),
        lambda c: c.transpose(),
    ):
        expected, got = act(dense), act(dense.to_edges()).to_connectome()
        np.testing.assert_array_equal(got.weights, expected.weights)
        np.testing.assert_array_equal(got.lengths.mantissa, expected.lengths.mantissa)
        assert (got.labels, got.hemispheres) == (expected.labels, expected.hemispheres)


def test_delays():
    edges = Edges(3, [0, 1], [1, 2], [1.0, 2.0], [2.0, 3.0] * u.cm)
    delays = edges.delays(SPEED)
    assert delays.unit == u.ms
    np.testing.assert_allclose(delays.mantissa, [4.0, 6.0], rtol=1e-6)
    slope = jax.grad(lambda speed: edges.delays(speed * u.mm / u.ms).mantissa.sum())(5.0)
    np.testing.assert_allclose(slope, -50.0 / 25.0, rtol=1e-5)
    with pytest.raises(ValueError, match="Delays of Edges 'edges' must come from lengths, but it has none"):
        Edges(2, [0], [1], [1.0]).delays(SPEED)
    with pytest.raises(ValueError, match=r"`speed` of Edges .*shape \(2,\), but is of shape \(3,\)"):
        edges.delays(np.ones(3) * SPEED)


def test_report_is_that_of_the_dense_form():
    dense = load_dataset("hcp_schaefer100").connectome
    assert str(dense.to_edges().report()) == str(dense.report())
    edges = Edges(3, [0, 1], [1, 0], [1.0, 0.0])
    assert "1 connection (density 0.167)" in edges.report().lines[0]  # weight zero is no connection


# --- scaling ----------------------------------------------------------------------------------------------------------
@given(matrices)
def test_normalize_is_that_of_the_dense_form(weights):
    for by in ("max", "row"):
        expected = Connectome(weights).normalize(by).weights
        np.testing.assert_allclose(
            Edges.from_dense(weights).normalize(by).to_connectome().weights, expected, rtol=1e-14
        )


def radius(edges):
    return np.abs(np.linalg.eigvals(edges.to_connectome().weights)).max()


@pytest.mark.parametrize("n", [5, 60])
@pytest.mark.parametrize("seed", range(3))
def test_normalize_by_spectral_radius(n, seed):
    edges = random_edges(n, 3 * n, seed)
    np.testing.assert_allclose(radius(edges.normalize("spectral")), 1.0, rtol=1e-9)


def many(kind, n=120):
    rng = np.random.default_rng(2)
    matrix = sp.random_array((n, n), density=10 / n, rng=rng, format="csr")
    if kind == "signed":
        matrix.data = rng.standard_normal(matrix.nnz)
    if kind == "bipartite":  # eigenvalues in pairs of opposite sign
        half = sp.random_array((n // 2, n // 2), density=20 / n, rng=rng)
        matrix = sp.block_array([[None, half], [half.T, None]])
    if kind == "antisymmetric":  # imaginary eigenvalues
        matrix = matrix - matrix.T
    if kind == "ring":  # all eigenvalues on a circle
        matrix = sp.coo_array((np.full(n, 0.7), (np.arange(n), (np.arange(n) + 1) % n)), shape=(n, n))
    if kind == "two parts":  # the one sends to the other, which has the larger eigenvalue
        matrix = sp.block_array([[matrix, None], [matrix, 2 * matrix]])
    return Edges.from_scipy(matrix)


@pytest.fixture
def iterated(monkeypatch):
    """Few regions are handled as many are."""
    monkeypatch.setattr("brainmass.connectome.spectral_radius._DENSE_BLOCK", 70)


@pytest.mark.parametrize("kind", ["positive", "signed", "bipartite", "antisymmetric", "ring", "two parts"])
def test_spectral_radius_of_many_regions(kind, iterated):
    edges = many(kind)
    scale = edges.weight / edges.normalize("spectral").weight
    np.testing.assert_allclose(scale, radius(edges), rtol=1e-8)


def test_spectral_radius_where_the_iteration_does_not_converge(iterated, monkeypatch):
    n = 200
    weight = np.random.default_rng(0).uniform(0.5, 1.5, n)
    ring = Edges(n, (np.arange(n) + 1) % n, np.arange(n), weight)  # all eigenvalues on a circle
    expected = np.exp(np.log(weight).mean())
    np.testing.assert_allclose(weight / ring.normalize("spectral").weight, expected, rtol=1e-8)
    monkeypatch.setattr("brainmass.connectome.spectral_radius._DENSE_ATTEMPT", n - 1)
    with pytest.raises(ValueError, match="`by` of Edges .*found no spectral radius: the iteration does not converge"):
        ring.normalize("spectral")


def test_spectral_radius_of_equal_sums_is_that_sum():
    n = 5000  # a lattice on a ring, whose eigenvalues are too near each other to be iterated
    target = np.repeat(np.arange(n), 2)
    lattice = Edges(n, (target + np.tile([1, -1], n)) % n, target, np.full(2 * n, 0.35))
    np.testing.assert_allclose(lattice.normalize("spectral").weight, 0.5, rtol=1e-12)


def test_the_larger_of_a_loop_and_a_part_counts():
    weights = np.zeros((4, 4))
    weights[0, 1], weights[1, 0], weights[0, 0] = 1.0, -4.0, 3.0  # eigenvalues of modulus 2, though 3 on the diagonal
    weights[3, 3], weights[2, 0] = -1.5, 100.0
    np.testing.assert_allclose(Edges.from_dense(weights).normalize("spectral").weight.max(), 100 / 2.0, rtol=1e-12)
    weights[3, 3] = -2.5
    np.testing.assert_allclose(Edges.from_dense(weights).normalize("spectral").weight.max(), 100 / 2.5, rtol=1e-12)


@pytest.mark.parametrize("n", [5, 1000])
def test_no_feedback_loop_has_no_spectral_radius(n):
    chain = Edges(n, np.arange(n - 1), np.arange(1, n), np.ones(n - 1))
    with pytest.raises(ValueError, match="`by` of Edges .*no feedback loop"):
        chain.normalize("spectral")
    looped = Edges(n, np.r_[np.arange(n - 1), 2], np.r_[np.arange(1, n), 2], np.r_[np.ones(n - 1), -4.0])
    np.testing.assert_allclose(looped.normalize("spectral").weight, looped.weight / 4)


def test_zero_weights_stay_zero():
    for edges in (Edges(2, [0], [1], [0.0]), Edges(2, [], [], [])):
        for by in ("max", "row", "spectral"):
            assert not edges.normalize(by).weight.any()


def test_normalize_refuses():
    with pytest.raises(ValueError, match="`by` of Edges .*'max', 'row' or 'spectral', but is 'rows'"):
        random_edges().normalize("rows")
    with pytest.raises(ValueError, match="into region 1 sum to -2"):
        Edges(2, [0, 1], [1, 0], [-2.0, 1.0]).normalize("row")


# --- tables -----------------------------------------------------------------------------------------------------------
def test_table_by_hand():
    edges = Edges(3, [2, 0, 1], [0, 2, 0], [4.0, 6.0, 5.0], [10.0, 30.0, 20.0] * u.mm)
    sources, weights, lengths = edges.table()
    assert sources.dtype == np.int32
    np.testing.assert_array_equal(sources, [[1, 2], [1, 1], [0, 2]])  # padded with the region itself
    np.testing.assert_array_equal(weights, [[5, 4], [0, 0], [6, 0]])
    np.testing.assert_array_equal(lengths.to_decimal(u.mm), [[20, 10], [0, 0], [30, 0]])


def test_table_sums_what_the_matrix_does():
    edges = random_edges()
    x = RNG.normal(size=30)
    sources, weights, lengths = edges.table()
    np.testing.assert_allclose((weights * x[sources]).sum(1), coo(edges) @ x, rtol=1e-12)
    lengthwise = coo(edges, edges.weight * edges.length.mantissa) @ x
    np.testing.assert_allclose((weights * lengths.mantissa * x[sources]).sum(1), lengthwise, rtol=1e-12)
    assert weights.shape == (30, np.bincount(edges.target).max())


def test_slots_are_where_the_table_has_the_connections():
    edges = random_edges()
    row, column = edges.slots()
    sources, weights, lengths = edges.table()
    np.testing.assert_array_equal(weights[row, column], edges.weight)
    np.testing.assert_array_equal(sources[row, column], edges.source)
    np.testing.assert_array_equal(lengths.mantissa[row, column], edges.length.mantissa)


@pytest.mark.parametrize("width", [None, 1, 2, 3, 7, 50])
def test_split_table_sums_what_the_matrix_does(width):
    edges = random_edges()
    x = RNG.normal(size=30)
    targets, sources, weights, lengths = edges.split_table(width)
    assert weights.shape == sources.shape == lengths.shape == (targets.size, width or 5)
    sums = jax.ops.segment_sum(
        jnp.asarray((weights * x[sources]).sum(1)), targets, num_segments=30, indices_are_sorted=True
    )
    np.testing.assert_allclose(sums, coo(edges) @ x, rtol=1e-5, atol=1e-5)


def star(n=200_000):
    rest = np.arange(1, n)
    return Edges(n, np.r_[rest, np.zeros(n - 1, int)], np.r_[np.zeros(n - 1, int), rest], np.ones(2 * (n - 1)))


def test_a_hub_splits_its_row_and_does_not_widen_the_others():
    edges = star()
    with pytest.raises(ValueError, match=r"`table` of Edges .*'region 0' has 199999 and .*edges\.split_table\(\)"):
        edges.table()
    targets, sources, weights, _ = edges.split_table()
    assert weights.size <= 2 * edges.weight.size + edges.n
    assert weights.sum() == edges.weight.sum()
    np.testing.assert_array_equal(np.bincount(targets, weights.sum(1)), np.r_[edges.n - 1, np.ones(edges.n - 1)])


def test_a_small_star_has_a_table():
    assert star(50).table().weights.shape == (50, 49)


def test_memory_follows_the_connections():
    n = 30_000  # a matrix of bytes would take 900 MB
    source = np.repeat(np.arange(n), 4)
    target = (source + np.tile([1, 7, 50, 999], n)) % n
    tracemalloc.start()
    edges = Edges(n, source, target, np.ones(4 * n), np.ones(4 * n) * u.mm)
    for by in ("max", "row", "spectral"):
        edges.normalize(by)
    edges.table(), edges.split_table(), edges.transpose(), edges.report(), edges.subnetwork(range(1000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500 * 4 * n


def test_padding_keeps_what_is_not_finite_where_it_is():
    edges = Edges(3, [0, 1], [1, 1], [1.0, 1.0])
    x = np.array([1.0, 2.0, np.nan])
    sources, weights, _ = edges.table()
    np.testing.assert_array_equal(np.isnan((weights * x[sources]).sum(1)), [False, False, True])


@pytest.mark.parametrize("width", [0, -1, 2.5])
def test_split_table_refuses(width):
    with pytest.raises(ValueError, match=f"`width` of Edges .*positive int, but is {width}"):
        random_edges().split_table(width)


# --- both ways --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("by", ["mean", "max", "sum"])
def test_symmetrize_is_that_of_the_dense_form(by):
    weights = np.array([[1.0, -3.0, 0.0, 0.0], [3.0, 0.0, 0.0, 2.0], [0.0, 5.0, 7.0, 0.0], [0.0, 0.25, 0.0, 0.0]])
    dense = Connectome(weights, np.abs(weights) * u.mm, ["a", "b", "c", "d"])
    combine = {"mean": lambda w: (w + w.T) / 2, "sum": lambda w: w + w.T - np.diag(np.diag(w))}
    expected = combine.get(by, lambda w: np.array([[1, 3, 0, 0], [3, 0, 5, 2], [0, 5, 7, 0], [0, 2, 0, 0]]))(weights)
    for form in (dense, dense.to_edges()):
        both = form.symmetrize(by)
        matrix = both if form is dense else both.to_connectome()
        np.testing.assert_array_equal(matrix.weights, expected)
        far = np.maximum(np.abs(weights), np.abs(weights.T))
        kept = matrix.lengths.to_decimal(u.mm)[expected != 0]
        np.testing.assert_array_equal(kept, far[expected != 0])
        assert both.labels == dense.labels
        with pytest.raises(ValueError, match="'mean', 'max' or 'sum' where weights differ each way, but is None"):
            form.symmetrize()
        with pytest.raises(ValueError, match="'mean', 'max' or 'sum', but is 'min'"):
            form.symmetrize("min")


def test_symmetrize_mirrors_a_triangle_and_leaves_the_symmetric():
    upper = np.triu(np.arange(9.0).reshape(3, 3))
    whole = upper + upper.T - np.diag(np.diag(upper))
    for kind in (Connectome, Edges.from_dense):
        both = kind(upper).symmetrize()
        np.testing.assert_array_equal(getattr(both, "to_connectome", lambda b=both: b)().weights, whole)
        assert both.symmetrize() is both
        with pytest.raises(ValueError, match="where weights differ each way"):
            kind(np.array([[0.0, 1.0], [2.0, 0.0]])).symmetrize()
    assert Edges(3, [0], [1], [2.0]).symmetrize().weight.tolist() == [2.0, 2.0]
    assert Edges(3, [], [], []).symmetrize().weight.size == 0
