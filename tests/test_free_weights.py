"""Weights that a run, a sweep or a fit is given: of connections that are not there in the network, and only of those
that can be. The truth is Euler's method in numpy, with each delay in steps.
"""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import Param
from braintools.init import Constant

import brainmass as bm

DT, STEPS, START = 0.1 * u.ms, 30, np.array([1.0, 2.0, 3.0, 4.0])
W = np.array([[0, 0.5, 0, 0], [0.5, 0, 0, 0], [0.5, 0, 0, 0.2], [0, 0, 0.2, 0]])
NEW = W + np.array([[0, 0, 1.0, 0], [0, 0, 0, 0.3], [0, 0.4, 0, 0], [0, 0, 0, 0]])
# As in many tables, no length where there was no connection: onto 0 from 2, and onto 1 from 3.
L = np.array([[0, 10.0, 0, 0], [10, 0, 20, 0], [10, 20, 0, 20], [0, 0, 20, 0]])


def by_hand(weights, delays=L):
    x = [START] * 40
    for _ in range(STEPS):
        late = np.stack([[x[-1 - int(d)][j] for j, d in enumerate(row)] for row in delays])
        x.append(x[-1] + 0.1 * (-x[-1] + 0.1 * (weights * late).sum(1)))
    return np.stack(x[40:])


def edges(weights, listed=NEW):
    target, source = np.nonzero(listed)
    return bm.Edges(4, source, target, weights[target, source], length=L[target, source] * u.mm)


def simulator(conn, **options):
    node = bm.LinearStep(4, gamma=-1.0, init_x=Constant(START), method="euler")
    if not isinstance(conn, bm.Edges):
        options["distance"] = L * u.mm
    network = {"coupled_var": "x", "coupling": "additive", "k": 0.1, "speed": 10 * u.mm / u.ms}
    return bm.Simulator(bm.Network(node, conn=conn, **network, **options), dt=DT)


RUN = {"duration": STEPS * DT, "monitors": ["x"]}
LAYOUTS = {"matrix": lambda w: w, "list": edges, "interpolated": lambda w: w}


@pytest.fixture(params=LAYOUTS)
def made(request):
    """A simulator with the weights that are there, and the layout of others."""
    layout = LAYOUTS[request.param]
    options = {"interpolate": True} if request.param == "interpolated" else {}
    table = (lambda w: edges(w).rows().weights) if request.param == "list" else np.asarray
    return simulator(layout(W), **options), table


def test_a_run_is_given_connections_that_are_not_there(made):
    sim, table = made
    run = sim.pure(**RUN, free=["coupling.conn"])
    for weights in (NEW, W):
        np.testing.assert_allclose(run({"coupling.conn": table(weights)}, 0)["x"], by_hand(weights), rtol=1e-5)
        np.testing.assert_allclose(
            jax.jit(lambda w: run({"conn": w}, 0))(table(weights))["x"], by_hand(weights), rtol=1e-5
        )
    np.testing.assert_allclose(sim.run(**RUN, seed=0)["x"], by_hand(W), rtol=1e-5)


def test_a_sweep_over_connections_that_are_not_there(made):
    sim, table = made
    swept = bm.sweep(sim, **RUN, values={"coupling.conn": np.stack([table(W), table(NEW)])})["x"].values[:, 0]
    np.testing.assert_allclose(swept, [by_hand(W), by_hand(NEW)], rtol=1e-5)


@pytest.mark.few(2)
@pytest.mark.parametrize("before", [False, True], ids=["at once", "after a run"])
def test_a_fit_of_connections_that_are_not_there(made, before):
    """The first step of gradient descent is along the gradient of the sum of squares, by differences in numpy."""
    sim, table = made
    if before:
        sim.run(**RUN, seed=0)
    fitter = bm.Fitter(
        sim,
        optax.sgd(1e-3),
        **RUN,
        objective=lambda x, target: jnp.sum((x - target) ** 2),
        search_space={"coupling.conn": bm.Free()},
    )
    fitter.fit(np.zeros((STEPS, 4)), n_steps=2)
    found = np.asarray(sim.model.coupling.conn.value())
    slope = np.zeros((4, 4))
    for place in np.argwhere(~np.eye(4, dtype=bool)):
        step = np.zeros((4, 4))
        step[tuple(place)] = 1e-4
        slope[tuple(place)] = ((by_hand(W + step) ** 2).sum() - (by_hand(W - step) ** 2).sum()) / 2e-4
    expected = W - 1e-3 * slope
    mask = NEW != 0 if table(W).shape != (4, 4) else np.ones((4, 4))
    np.testing.assert_allclose(found, table(expected * mask), rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_gains_of_edges_bring_no_connection():
    weights = bm.EdgeWeights(W)
    sim = simulator(weights)
    fit = {"objective": lambda x, target: jnp.sum((x - target) ** 2)}
    bm.Fitter(sim, optax.sgd(1e-3), **RUN, **fit).fit(np.zeros((STEPS, 4)), n_steps=2)
    found = np.asarray(weights.value())
    assert ((found != 0) == (W != 0)).all() and not np.allclose(found, W, atol=1e-4)
    np.testing.assert_allclose(sim.run(**RUN, seed=0)["x"], by_hand(found), rtol=1e-5)


@pytest.mark.parametrize("between", [False, True], ids=["from itself", "between populations"])
def test_rows_that_are_filled_up_bring_no_connection(between):
    """A list of connections is a table whose short rows are filled with the region itself."""
    listed = np.array([[0.0, 1, 0], [0, 0, 0], [1, 1, 0]])
    target, source = np.nonzero(listed)
    conn = bm.Edges(3, source, target, np.ones(3))
    start = Constant(np.array([1.0, 2.0, 4.0]))
    node = bm.LinearStep(3, gamma=0.0, init_x=start, method="euler")
    sent = {"coupled_var": "x", "coupling": "additive", "k": 1.0}
    if between:
        other = bm.LinearStep(3, gamma=0.0, init_x=start, method="euler")
        projections = [bm.Projection(conn, source="a", target="b", **sent)]
        net, name = bm.Network({"a": node, "b": other}, projections=projections), "b.x"
    else:
        net, name = bm.Network(node, conn=conn, self_connection=True, **sent), "x"
    run = bm.Simulator(net, dt=DT).pure(1 * DT, monitors=[name], free=["conn"])
    shape = conn.rows().weights.shape
    x = run({"conn": np.ones(shape)}, 0)[name][-1]
    np.testing.assert_allclose(x, np.array([1, 2, 4]) + 0.1 * listed @ [1, 2, 4], rtol=1e-6)


def test_rows_of_a_kernel_by_itself_that_are_filled_up():
    listed = np.array([[0.0, 1, 0], [0, 0, 0], [1, 1, 0]])
    target, source = np.nonzero(listed)
    kernel = bm.AdditiveCoupling(conn=bm.Edges(3, source, target, np.ones(3)), k=1.0)
    kernel.conn = Param(np.ones(kernel.conn.value().shape), fit=True)
    np.testing.assert_allclose(kernel(jnp.array([1.0, 2.0, 4.0])), listed @ [1, 2, 4], rtol=1e-6)


@pytest.mark.parametrize(
    ("conn", "value", "error", "message"),
    [
        (W, edges(NEW), TypeError, "`coupling.conn` must be a number, a quantity or an array, but is Edges"),
        (
            W,
            np.ones(4),
            ValueError,
            r"`conn` must have the shape of the weights of the network, \(4, 4\), but",
        ),
        (
            edges(W),
            NEW,
            ValueError,
            r"\(4, 3\), one row of connections as in Edges.rows\(\).weights, but have \(4",
        ),
        (W, 0.5, ValueError, r"the shape of the weights of the network, \(4, 4\), but have \(\)"),
    ],
)
def test_weights_in_another_layout_are_refused(conn, value, error, message):
    run = simulator(conn).pure(**RUN, free=["coupling.conn"])
    with pytest.raises(error, match=message):
        run({"coupling.conn": value}, 0)


@pytest.mark.slow
def test_a_delay_beyond_the_past_that_is_kept_is_refused():
    def model(delay):
        return bm.Simulator(bm.WilsonCowanDelayedStep(1, delay_EE=delay * u.ms), dt=DT)

    run = {"inputs": {"rE_inp": 1.0}, "monitors": ["rE"]}
    pure = model(3.0).pure(40 * u.ms, free=["delay_EE"], **run)
    for delay in (1.5, 3.0):
        found = pure({"delay_EE": delay * u.ms}, 0)["rE"]
        np.testing.assert_allclose(found, model(delay).run(40 * u.ms, **run, seed=0)["rE"], rtol=1e-5)
    with pytest.raises(ValueError, match="Values of `delay_EE` must be at most 3.1 ms, as WilsonCowanDelayedS"):
        pure({"delay_EE": 4.0 * u.ms}, 0)
    with pytest.raises(ValueError, match="must be at most 3.1 ms"):
        bm.sweep(model(3.0), 40 * u.ms, {"delay_EE": [1.5, 4.0] * u.ms}, **run)
