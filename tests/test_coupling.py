"""Coupling kernels against plain loops."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from braintools.init import Constant

import brainmass as bm
from brainmass.network.coupling import Coupling

RNG = np.random.default_rng(5)
W = RNG.normal(size=(4, 4)).astype(np.float32)  # neither symmetric nor of one sign
X = RNG.normal(size=4).astype(np.float32)
K, B = 0.7, 0.2


def by_loop(kernel, x, y=None):
    """k Σ_j w_ij (x_ij - y_i), or k Σ_j w_ij x_ij, one edge at a time; x per region or per edge."""
    if y is None:
        y, x = x, np.broadcast_to(x[..., None, :], (*x.shape, 4))
    out = np.zeros(x.shape[:-1])
    for index in np.ndindex(x.shape[:-1]):
        i = index[-1]
        for j in range(4):
            out[index] += W[i, j] * (x[(*index, j)] - (y[index] if kernel == "diffusive" else 0.0))
    return K * out


def module(kernel, **options):
    return {"diffusive": bm.DiffusiveCoupling, "additive": bm.AdditiveCoupling}[kernel](conn=W, k=K, **options)


def agrees(value, expected):
    np.testing.assert_allclose(np.asarray(value), expected, rtol=2e-5, atol=2e-6)


both = pytest.mark.parametrize("kernel", ["diffusive", "additive"])


@both
@pytest.mark.parametrize("batch", [(), (3,), (2, 3)], ids=str)
def test_called_on_activity(kernel, batch):
    x = RNG.normal(size=(*batch, 4)).astype(np.float32)
    agrees(module(kernel)(x), by_loop(kernel, x))


@both
@pytest.mark.parametrize("batch", [(), (3,)], ids=str)
def test_by_name_in_a_network(kernel, batch):
    net = bm.Network(bm.HopfStep(4), conn=W, coupled_var="x", coupling=kernel, k=K, self_connection=True)
    brainstate.nn.init_all_states(net, batch_size=batch)
    x = RNG.normal(size=(*batch, 4)).astype(np.float32)
    net.node.x.value = jnp.asarray(x)
    agrees(net.coupling_input(), by_loop(kernel, x))


@both
def test_network_leaves_out_the_diagonal(kernel):
    net = bm.Network(bm.HopfStep(4, init_x=lambda shape: X), conn=W, coupled_var="x", coupling=kernel, k=K)
    brainstate.nn.init_all_states(net)
    own = np.diag(W) * X if kernel == "additive" else 0.0
    agrees(net.coupling_input(), by_loop(kernel, X) - K * own)


@both
def test_bound_sources_per_edge(kernel):
    edges, y = RNG.normal(size=(2, 4, 4)).astype(np.float32), RNG.normal(size=(2, 4)).astype(np.float32)
    target = {"y": lambda: y} if kernel == "diffusive" else {}
    agrees(module(kernel, x=lambda: edges, **target)(), by_loop(kernel, edges, y))
    agrees(module(kernel, x=lambda: edges.reshape(2, 16), **target)(), by_loop(kernel, edges, y))


@both
def test_functions(kernel):
    edges, y = RNG.normal(size=(2, 4, 4)).astype(np.float32), RNG.normal(size=(2, 4)).astype(np.float32)
    for x in edges, edges.reshape(2, 16):
        if kernel == "diffusive":
            agrees(bm.diffusive_coupling(x, y, W, K), by_loop(kernel, edges, y))
        else:
            agrees(bm.additive_coupling(x, W, K, B), by_loop(kernel, edges, y) + B)


@both
def test_one_axis_of_sources_serves_all_targets(kernel):
    if kernel == "diffusive":
        agrees(bm.diffusive_coupling(X, X, W, K), by_loop(kernel, X))
        agrees(module(kernel, x=lambda: X, y=lambda: X)(), by_loop(kernel, X))
    else:
        agrees(bm.additive_coupling(X, W, K), by_loop(kernel, X))
        agrees(module(kernel, x=lambda: X)(), by_loop(kernel, X))


def test_rectangular_weights():
    conn, x, y = RNG.normal(size=(2, 4)), RNG.normal(size=(5, 2, 4)), RNG.normal(size=(5, 2))
    agrees(bm.AdditiveCoupling(x=x, conn=conn)(), np.einsum("ij,bij->bi", conn, x))
    agrees(bm.DiffusiveCoupling(x=x, y=y, conn=conn)(), np.einsum("ij,bij->bi", conn, x - y[..., None]))


def test_offset_and_strength_per_target():
    k, b = np.arange(1.0, 5.0), np.array([0.0, 1.0, 0.0, -1.0])
    agrees(bm.AdditiveCoupling(conn=W, k=k, b=b)(X), k * (W @ X) + b)


def test_offset_without_unit_is_read_in_that_of_the_sum():
    value = bm.AdditiveCoupling(conn=W, k=2.0 * u.nA, b=1.0)(X)
    agrees(value.to_decimal(u.nA), 2 * W @ X + 1)


def test_activity_of_an_oscillator_is_its_first_coordinate():
    agrees(module("additive")((X, 100 * X)), by_loop("additive", X))
    agrees(module("diffusive")([X, 100 * X]), by_loop("diffusive", X))


def test_rows_receive():
    conn = np.zeros((3, 3))
    conn[0, 2] = 1.0  # onto 0, from 2
    np.testing.assert_array_equal(bm.AdditiveCoupling(conn=conn)(np.array([1.0, 10.0, 100.0])), [100.0, 0.0, 0.0])
    net = bm.Network(bm.HopfStep(3, init_x=lambda s: np.array([1.0, 10.0, 100.0])), conn=conn, coupled_var="x")
    brainstate.nn.init_all_states(net)
    np.testing.assert_array_equal(net.coupling_input(), [99.0, 0.0, 0.0])


def test_a_connectome_is_a_matrix():
    agrees(bm.AdditiveCoupling(conn=bm.Connectome(W), k=K)(X), by_loop("additive", X))


def test_a_kernel_of_ones_own():
    class Sigmoidal(Coupling):
        def pre(self, x):
            return jnp.tanh(x)

        def post(self, total, target, strength):
            return self.k.value() * total

    net = bm.Network(
        bm.HopfStep(4, init_x=lambda s: X), conn=W, coupled_var="x", coupling=Sigmoidal, k=K, self_connection=True
    )
    brainstate.nn.init_all_states(net)
    agrees(net.coupling_input(), K * W @ np.tanh(X))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bm.AdditiveCoupling()(X), "needs the argument `conn`"),
        (lambda: bm.AdditiveCoupling(conn=X[:3]), r"`conn` of AdditiveCoupling must be a matrix.*\(3,\)"),
        (lambda: bm.AdditiveCoupling(conn=W)(X[:3]), r"couples 4 regions, but the activity has shape \(3,\)"),
        (lambda: bm.AdditiveCoupling(conn=W)(), "no bound sources: call it with the activity"),
        (lambda: bm.DiffusiveCoupling(conn=W, x=X)(), "needs its targets `y`"),
        (lambda: bm.AdditiveCoupling(conn=W, k=np.ones(3)), r"`k` of AdditiveCoupling.*\(4,\).*\(3,\)"),
        (lambda: bm.AdditiveCoupling(conn=W, k=np.nan), "`k` of AdditiveCoupling.*finite"),
        (lambda: bm.AdditiveCoupling(conn=W, b=np.ones(3)), "`b` of AdditiveCoupling"),
        (lambda: bm.AdditiveCoupling(conn=np.where(W > 1, np.nan, np.inf)), "`conn` of AdditiveCoupling.*finite"),
        (
            lambda: bm.additive_coupling(np.ones((3, 4)), W),
            r"`delayed_x` of additive_coupling .*shape .*\(3, 4\)",
        ),
        (lambda: bm.additive_coupling(X, X[:3]), "must be a matrix"),
    ],
)
def test_refusals(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


# --- edge weights -------------------------------------------------------------------------------------------
SPARSE = np.array([[0.0, 0.5, -2.0], [0.25, 0.0, 0.0], [0.0, 1.0, 0.0]])


def test_edge_weights_start_from_the_weights():
    np.testing.assert_allclose(bm.EdgeWeights(SPARSE).value(), SPARSE, rtol=1e-6)
    np.testing.assert_allclose(bm.EdgeWeights(bm.Connectome(SPARSE)).value(), SPARSE, rtol=1e-6)


def test_edge_weights_keep_zeros_and_signs_under_any_gradient_step():
    edges = bm.EdgeWeights(SPARSE)

    def loss(gain):
        return jnp.sum((edges.precompute(gain) - 3.0) ** 2)

    gain = edges.val.value
    gradient = jax.grad(loss)(gain)
    assert np.all(np.isfinite(gradient)) and np.all((np.asarray(gradient) == 0) == (SPARSE == 0))
    edges.val.value = gain - 0.1 * gradient
    moved = np.asarray(edges.value())
    np.testing.assert_array_equal(np.sign(moved), np.sign(SPARSE))
    assert not np.allclose(moved, SPARSE)


def test_edge_weights_set_and_get():
    edges, new = bm.EdgeWeights(SPARSE), SPARSE * np.array([[1.0, 3.0, 0.1]])
    edges.set_value(new)
    np.testing.assert_allclose(edges.value(), new, rtol=1e-6)
    assert np.all(np.isfinite(edges.val.value))


def test_edge_weights_refuse_to_change_sign_or_sparsity():
    for bad in -SPARSE, np.ones((3, 3)), np.zeros((3, 3)):
        with pytest.raises(ValueError, match="EdgeWeights"):
            bm.EdgeWeights(SPARSE).set_value(bad)


def test_edge_weights_regularise_the_weights():
    edges = bm.EdgeWeights(SPARSE, reg=brainstate.nn.L1Reg(0.5))
    assert float(edges.reg_loss()) == pytest.approx(0.5 * np.abs(SPARSE).sum(), rel=1e-6)


def test_edge_weights_in_a_network():
    net = bm.Network(
        bm.HopfStep(3, init_x=Constant(1.0)), conn=bm.EdgeWeights(SPARSE), coupled_var="x", coupling="additive"
    )
    brainstate.nn.init_all_states(net)
    np.testing.assert_allclose(net.coupling_input(), SPARSE.sum(1), rtol=1e-6)
