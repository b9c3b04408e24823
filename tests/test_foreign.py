"""Containers of other libraries keep what they say: names, order, units; or are refused by name."""

import brainunit as u
import numpy as np
import pytest
import scipy.sparse as sp

import brainmass
from brainmass import Connectome, Edges

pd = pytest.importorskip("pandas")
xr = pytest.importorskip("xarray")
nx = pytest.importorskip("networkx")

W = np.array([[0.0, 1.0, 2.0], [3.0, 0.0, 4.0], [5.0, 6.0, 0.0]])
NAMES = ["V1", "V2", "MT"]
SHUFFLED = [2, 0, 1]


def frame(values=W, rows=NAMES, columns=NAMES):
    return pd.DataFrame(values, index=rows, columns=columns)


def shuffled(values=W):
    """The same table in another order: each number keeps its names."""
    order = [NAMES[i] for i in SHUFFLED]
    return frame(values).loc[order, order]


# --- connectomes ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "table",
    [
        frame(),
        frame().astype(int),
        frame().astype("Float64"),
        frame().astype(object),
        xr.DataArray(W, dims=("to", "from"), coords={"to": NAMES, "from": NAMES}),
        xr.DataArray(W.T, dims=("source", "target"), coords={"source": NAMES, "target": NAMES}),
        frame(W.T).rename_axis(index="from", columns="to"),
    ],
    ids=["frame", "int", "nullable", "object", "xarray", "xarray-turned", "frame-turned"],
)
def test_a_table_is_a_connectome_with_its_names(table):
    conn = Connectome(table)
    assert conn.labels == tuple(NAMES)
    np.testing.assert_array_equal(conn.weights, W)


def test_tables_of_one_connectome_are_put_in_one_order():
    order = [NAMES[i] for i in SHUFFLED]
    xyz = pd.DataFrame(np.arange(9.0).reshape(3, 3), index=NAMES, columns=list("xyz"))
    conn = Connectome.from_pandas(
        frame(),
        frame(10 * W).loc[order, order],
        centres=xyz.loc[order, list("zxy")],
        hemispheres=pd.Series(["left", "right", "midline"], index=NAMES)[order],
        name="toy",
    )
    np.testing.assert_array_equal(conn.lengths.to_decimal(u.mm), 10 * W)
    np.testing.assert_array_equal(conn.centres.to_decimal(u.mm), xyz.to_numpy())
    assert conn.hemispheres == ("left", "right", "midline")
    assert conn.name == "toy"
    given = Connectome(frame(), labels=order)
    assert given.labels == tuple(order)
    np.testing.assert_array_equal(given.weights, W[np.ix_(SHUFFLED, SHUFFLED)])
    assert Connectome.from_pandas(frame(), frame(W), length_unit=u.cm).lengths.unit == u.cm


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": frame(columns=["V1", "V2", "V4"])}, "`weights` of Connectome must be a table of .*but has 'V4'"),
        ({"weights": frame(), "labels": ["V1", "V2", "V4"]}, "`weights` of Connectome .*but has 'MT'.*to_numpy"),
        ({"weights": frame(rows=["V1", "V1", "MT"])}, "'V1' is there twice"),
        ({"weights": frame(), "hemispheres": pd.Series([0, 1, 1], index=["V1", "V2", "V4"])}, "`hemispheres`.*'V4'"),
        ({"weights": frame()[["V2", "V1", "MT"]]}, "in one order, but row 1 is 'V1' where the column is 'V2'.*loc"),
        ({"weights": frame().reset_index()}, r"column 'index' does not.*set_index\('index'\)"),
        ({"weights": frame().replace(3.0, np.nan)}, r"weights\[1, 0\] is nan"),
        ({"weights": np.array([["1", "x"], ["2", "3"]])}, "real numbers, but are of type ndarray of <U1"),
        ({"weights": np.array([[1, None], [2, 3]])}, "real numbers, but are of type ndarray of object"),
        ({"weights": np.zeros(3, [("a", float), ("b", float)])}, r"columns a, b. Give one: table\['a'\]"),
        ({"weights": xr.Dataset({"sc": (("a", "b"), W)})}, r"Dataset of xarray with 'sc'. Give one: dataset\['name'\]"),
        ({"weights": nx.path_graph(3)}, r"Connectome.from_networkx\(graph\)"),
        ({"weights": W, "labels": ["a", "\x1b[31mb", "c"]}, r"printable, but '\\x1b\[31mb' holds"),
        ({"weights": W, "labels": ["a", "b\u202ec", "d"]}, "printable"),
        ({"weights": W, "labels": ["a", None, "d"]}, "texts or numbers"),
    ],
)
def test_what_a_table_does_not_say_is_refused_by_name(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Connectome(**arguments)


@pytest.mark.parametrize(
    ("labels", "texts"),
    [
        (np.array([b"left", b"right"]), ("left", "right")),
        ([b"\xe9", "b"], ("é", "b")),
        ([1001.0, 1002.0], ("1001", "1002")),
        (np.array([3, 4]), ("3", "4")),
        (pd.Index(["a", "b"]), ("a", "b")),
        (pd.Series(["a", "b"]), ("a", "b")),
        (pd.MultiIndex.from_tuples([("L", "V1"), ("R", "V1")]), ("L V1", "R V1")),
        (xr.DataArray(["a", "b"]), ("a", "b")),
        (np.array(["a", "b"], object), ("a", "b")),
    ],
)
def test_labels_become_text_as_a_person_would_write_it(labels, texts):
    assert Connectome(np.ones((2, 2)), labels=labels).labels == texts
    assert Edges(2, [0], [1], [1.0], labels=labels).labels == texts


@pytest.mark.parametrize("kind", [np.int8, np.uint16, bool, np.float16, object])
def test_any_real_numbers_are_weights(kind):
    np.testing.assert_array_equal(Connectome(np.array([[0, 1], [1, 0]], kind)).weights, [[0.0, 1.0], [1.0, 0.0]])


def test_masked_entries_are_missing():
    with pytest.raises(ValueError, match=r"weights\[0, 1\] is nan"):
        Connectome(np.ma.masked_array(W, W == 1.0))


class Tensor:
    """As torch's: `np.asarray` is refused until it is detached."""

    def __init__(self, values, attached=True):
        self.values, self.attached = values, attached

    def __array__(self, dtype=None, copy=None):
        if self.attached:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        return np.asarray(self.values, dtype)

    def detach(self):
        return Tensor(self.values, attached=False)

    def cpu(self):
        return self


def test_a_tensor_with_a_gradient_is_an_array():
    np.testing.assert_array_equal(Connectome(Tensor(W)).weights, W)
    assert brainmass.RegionalMap(Tensor(W[0]), a=1.0, b=1.0).value().tolist() == [1.0, 2.0, 3.0]


# --- sparse matrices and graphs ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_array, sp.coo_array])
def test_a_sparse_matrix(kind):
    np.testing.assert_array_equal(Connectome(kind(W)).weights, W)
    network = brainmass.Network(brainmass.HopfStep(3), conn=kind(W), coupled_var="x")
    dense = brainmass.Network(brainmass.HopfStep(3), conn=W, coupled_var="x")
    one, other = (brainmass.Simulator(n, dt=0.1 * u.ms).run(2 * u.ms, monitors=["x"], seed=0) for n in (network, dense))
    np.testing.assert_allclose(one["x"], other["x"], rtol=1e-5)
    with pytest.raises(ValueError, match=r"8e\+07 GB as a full array.*Edges.from_scipy"):
        Connectome(sp.coo_array(([1.0], ([0], [1])), shape=(10**8, 10**8)))
    with pytest.raises(TypeError, match="`weights` of Edges .*sparse matrix of scipy, but is a ndarray"):
        Edges.from_scipy(W)


def test_a_graph_of_networkx():
    graph = nx.DiGraph()
    graph.add_nodes_from(["alone", *NAMES])
    graph.add_edge("V1", "MT", weight=2.0, far=30.0)
    edges = Edges.from_networkx(graph, length="far")
    assert edges.labels == ("alone", "V1", "V2", "MT")
    conn = Connectome.from_networkx(graph, length="far", length_unit=u.cm)
    expected = nx.to_numpy_array(graph).T  # rows send there
    np.testing.assert_array_equal(conn.weights, expected)
    np.testing.assert_array_equal(edges.to_connectome().weights, expected)
    assert conn.lengths[3, 1] == 30 * u.cm
    both_ways = nx.Graph([("a", "b"), ("b", "c"), ("c", "c")])
    np.testing.assert_array_equal(Connectome.from_networkx(both_ways).weights, nx.to_numpy_array(both_ways))
    network = brainmass.Network(brainmass.HopfStep(4), conn=graph, coupled_var="x")
    assert network.labels == ("alone", "V1", "V2", "MT")
    both_ways.add_edge("a", "c", weight=3.0)
    with pytest.raises(ValueError, match="'weight' on every edge, but the one from 'a' to 'b' has none"):
        Connectome.from_networkx(both_ways)
    with pytest.raises(ValueError, match="one edge from a node to another, but is a MultiDiGraph"):
        Edges.from_networkx(nx.MultiDiGraph(graph))


# --- lists of connections ---------------------------------------------------------------------------------------------
def edge_table(source, target):
    return pd.DataFrame({"source": source, "target": target, "weight": np.arange(1.0, 1.0 + len(source))})


def test_a_table_of_connections_keeps_regions_without_any():
    edges = Edges.from_pandas(edge_table(["MT", "V1"], ["V1", "MT"]), labels=["V1", "V2", "MT"])
    np.testing.assert_array_equal(edges.to_connectome().weights, [[0, 0, 1], [0, 0, 0], [2, 0, 0]])
    assert Edges.from_pandas(edge_table(["MT", "V1"], ["V1", "MT"])).labels == ("MT", "V1")
    by_id = Edges.from_pandas(edge_table([1001, 2035], [2035, 1002]), labels=[1001, 1002, 1003, 2035])
    assert (by_id.n, by_id.source.tolist(), by_id.target.tolist()) == (4, [0, 3], [3, 1])


@pytest.mark.parametrize(
    ("numbering", "n", "source"),
    [(1, 3, [0, 2]), (0, 4, [1, 3]), ("ids", 3, [0, 2])],
)
def test_numbers_of_regions_that_could_be_read_two_ways_are_asked_for(numbering, n, source):
    table = edge_table([1, 3], [2, 1])
    with pytest.raises(ValueError, match="regions from 1 to 3. Give numbering=1 .* numbering=0 .* numbering='ids'"):
        Edges.from_pandas(table)
    edges = Edges.from_pandas(table, numbering=numbering)
    assert (edges.n, edges.source.tolist()) == (n, source)


def test_numbers_far_apart_are_no_indices():
    with pytest.raises(ValueError, match="a region 1000000000000, but only 1 connections.*numbering='ids'"):
        Edges.from_pandas(edge_table([0], [10**12]))
    with pytest.raises(ValueError, match="`n` of Edges .*at most 10000000"):
        Edges(10**12, [0], [1], [1.0])
    with pytest.raises(ValueError, match=r"column 'to', but has 'source', .*Edges.from_pandas\(table, source="):
        Edges.from_pandas(edge_table([0], [1]), target="to")


# --- networks, inputs, targets ----------------------------------------------------------------------------------------
def network(conn):
    return brainmass.Network(brainmass.HopfStep(3, a=-1.0), conn=conn, coupled_var="x", k=0.1)


def run(model, **arguments):
    return brainmass.Simulator(model, dt=0.1 * u.ms).run(1 * u.ms, monitors=["x"], seed=0, **arguments)["x"]


def test_a_network_takes_tables_in_the_order_of_their_names():
    assert network(frame()).labels == tuple(NAMES)
    with pytest.raises(ValueError, match="rows and columns in one order"):
        network(frame()[["V2", "V1", "MT"]])
    far = brainmass.Network(
        brainmass.HopfStep(3), conn=frame(), distance=shuffled(W), speed=5.0, coupled_var="x", k=0.1
    )
    plain = brainmass.Network(brainmass.HopfStep(3), conn=W, distance=W * u.mm, speed=5.0, coupled_var="x", k=0.1)
    np.testing.assert_allclose(run(far), run(plain))


@pytest.mark.slow
def test_an_input_is_put_in_the_order_of_the_regions():
    model, drive = network(frame()), np.array([1.0, 2.0, 3.0])
    series = pd.Series(drive, index=NAMES)[[NAMES[i] for i in SHUFFLED]]
    np.testing.assert_allclose(run(model, inputs={"x_inp": series}), run(model, inputs={"x_inp": drive}))
    rows = pd.DataFrame(np.arange(30.0).reshape(10, 3), columns=NAMES)
    turned = xr.DataArray(rows.to_numpy().T, dims=("region", "time"), coords={"region": NAMES})
    for given in (rows[NAMES[::-1]], turned):
        np.testing.assert_allclose(run(model, inputs={"x_inp": given}), run(model, inputs={"x_inp": rows.to_numpy()}))
    with pytest.raises(ValueError, match="Input `x_inp` must have the names of the regions.*'V4'.*to_numpy"):
        run(model, inputs={"x_inp": pd.Series(drive, index=["V1", "V2", "V4"])})


def test_a_recording_keeps_its_times():
    node, data = brainmass.HopfStep(2, a=-1.0), np.arange(8.0).reshape(4, 2)
    times = pd.to_timedelta([0, 500, 1000, 1500], unit="us")
    table = pd.DataFrame(data, index=times)
    drive = brainmass.Recording(2, data=table, every=0.5 * u.ms)
    plain = brainmass.Recording(2, data=data, every=0.5 * u.ms)
    np.testing.assert_allclose(run(node, inputs={"x_inp": drive}), run(node, inputs={"x_inp": plain}))
    with pytest.raises(ValueError, match=r"rows 0.5 ms apart, but `every` is 1 ms. Example: Recording\(..., every=0.5"):
        brainmass.Recording(2, data=table)
    stamps = xr.DataArray([0.0, 1.0, 2.0, 4.0], dims="time", attrs={"units": "ms"})
    with pytest.raises(ValueError, match="evenly spaced in time, but they are 1 to 2 ms apart"):
        brainmass.Recording(2, data=xr.DataArray(data, dims=("time", "region"), coords={"time": stamps}))


def test_a_target_is_put_in_the_order_of_the_regions():
    import jax.numpy as jnp
    import optax

    seen = []

    def loss(prediction, target):
        seen.append(target)
        return jnp.sum((prediction - target["fc"]) ** 2)

    model = brainmass.Network(brainmass.HopfStep(3, a=brainmass_param(-1.0)), conn=frame(), coupled_var="x", k=0.1)
    fitter = brainmass.Fitter(
        model, optax.sgd(0.1), predict=lambda m: m.node.a.value() * jnp.ones((3, 3)), objective=loss
    )
    order = [NAMES[i] for i in SHUFFLED]
    result = fitter.fit({"fc": frame().loc[order, order]}, n_steps=1)
    np.testing.assert_allclose(result.history[0], np.sum((-1.0 - W) ** 2), rtol=1e-5)
    with pytest.raises(ValueError, match="target.* of fit.* names of the regions .*'V4'"):
        fitter.fit({"fc": frame(rows=["V1", "V2", "V4"], columns=["V1", "V2", "V4"])}, n_steps=1)


def brainmass_param(value):
    from brainstate.nn import Param

    return Param(value, fit=True)


def test_an_objective_takes_a_table_in_one_order():
    signal = np.random.default_rng(0).normal(size=(50, 3))
    fc = frame(np.corrcoef(signal.T))
    objective = brainmass.objectives.fc_corr(target_is_fc=True)
    np.testing.assert_allclose(objective(signal, fc), objective(signal, fc.to_numpy()), rtol=1e-6)
    with pytest.raises(ValueError, match="`target` of fc_corr .*rows and columns in one order"):
        objective(signal, fc[["V2", "V1", "MT"]])


# --- maps and lead fields ---------------------------------------------------------------------------------------------
def test_a_map_is_put_in_the_order_of_the_regions():
    maps = pd.DataFrame({"myelin": [1.0, 2.0, 3.0], "gradient": [-1.0, 0.0, 1.0]}, index=NAMES)
    order = [NAMES[i] for i in SHUFFLED]
    for table in (maps.loc[order], maps.loc[order].T):
        made = brainmass.RegionalMap(table, a=1.0, b=np.array([1.0, 10.0]), regions=NAMES)
        np.testing.assert_allclose(made.value(), 1 + maps["myelin"] + 10 * maps["gradient"])
    one = brainmass.RegionalMap(maps["myelin"][order], a=0.0, b=1.0, regions=Connectome(frame()))
    np.testing.assert_allclose(one.value(), maps["myelin"])
    with pytest.raises(ValueError, match="`maps` of RegionalMap must have the region 'V4', but has it not"):
        brainmass.RegionalMap(maps, a=1.0, regions=["V1", "V2", "V4"])


@pytest.mark.parametrize(
    "maps", [np.ones((3, 1)), np.arange(9.0).reshape(3, 3), frame()], ids=["column", "square", "t"]
)
def test_what_a_row_of_maps_is_is_asked_for_where_the_shape_leaves_it_open(maps):
    with pytest.raises(ValueError, match="a row for each map or for each region. Give rows='maps' or rows='regions'"):
        brainmass.RegionalMap(maps, a=1.0)
    values = np.asarray(maps)
    for rows, expected in (("regions", values.sum(axis=1)), ("maps", values.sum(axis=0))):
        np.testing.assert_allclose(brainmass.RegionalMap(maps, a=0.0, b=1.0, rows=rows).value(), expected)
    with pytest.raises(ValueError, match="`rows` of RegionalMap must be None, 'maps' or 'regions', but is 'region'"):
        brainmass.RegionalMap(maps, a=1.0, rows="region")


def test_a_lead_field_says_which_axis_is_which():
    lead = xr.DataArray(np.arange(6.0).reshape(2, 3), dims=("sensor", "region"))
    eeg = brainmass.EEGLeadFieldModel(3, 2, lead)
    np.testing.assert_allclose(eeg(np.array([1.0, 0.0, 0.0])).to_decimal(u.mV), [0.0, 3.0])
    readout = brainmass.LeadfieldReadout(
        lead.transpose("region", "sensor"), y0=0.0, cy0=1.0, normalize=False, demean=False
    )
    np.testing.assert_allclose(readout(np.array([1.0, 0.0, 0.0])), [0.0, 3.0])
    square = np.array([[1.0, 2.0], [3.0, 4.0]])
    for make in (lambda x: brainmass.EEGLeadFieldModel(2, 2, x), lambda x: brainmass.LeadfieldReadout(x, 0.0, 1.0)):
        with pytest.raises(ValueError, match=r"square, so that its shape does not tell .*xarray.DataArray\(L, dims="):
            make(square)
    named = brainmass.EEGLeadFieldModel(2, 2, xr.DataArray(square, dims=("sensor", "region")))
    np.testing.assert_allclose(named(np.array([1.0, 0.0])).to_decimal(u.mV), [1.0, 3.0])
    in_volts = xr.DataArray(np.ones((3, 2)), attrs={"units": "V / (nA * m)"})
    assert brainmass.EEGLeadFieldModel(3, 2, in_volts)(np.ones(3))[0].to_decimal(u.mV) == pytest.approx(3000)


def test_units_of_tables_and_of_other_libraries():
    lengths = xr.DataArray(10 * W, attrs={"units": "mm"})
    assert Connectome(W, lengths).lengths.unit == u.mm
    pint = pytest.importorskip("pint", reason="a library of units")
    assert Connectome(W, 10 * W * pint.UnitRegistry().mm).lengths.unit == u.mm
