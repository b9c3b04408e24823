"""What is written is read: any labels, any numbers, regions without connections, in every format."""

import csv

import brainunit as u
import h5py
import networkx
import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from brainmass import Connectome, Edges

few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
finite = st.floats(-1e300, 1e300, allow_subnormal=False)
letters = st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Zl", "Zp"])
labels = st.one_of(
    st.text(letters, min_size=1, max_size=6),
    st.sampled_from(["1", "0.5", "#a", "%b", "a,b", 'c"d', " e ", "a;b", "nan"])
)  # fmt: skip


@st.composite
def connectomes(draw):
    n = draw(st.integers(1, 4))
    weights = draw(arrays(float, (n, n), elements=finite | st.just(0.0)))
    names = draw(st.lists(labels, min_size=n, max_size=n, unique=True))
    lengths = draw(st.none() | arrays(float, (n, n), elements=st.floats(0, 1e6, allow_subnormal=False)))
    centres = draw(st.none() | arrays(float, (n, 3), elements=st.floats(-1e6, 1e6, allow_subnormal=False)))
    sides = draw(st.none() | st.lists(st.sampled_from(["left", "right", "midline"]), min_size=n, max_size=n))
    return Connectome(
        weights,
        None if lengths is None else lengths * u.mm,
        names,
        "toy",
        sides,
        None if centres is None else centres * u.mm,
    )


def same_numbers(one, other):
    if one is None or other is None:
        return one is other
    return np.array_equal(np.asarray(one.to_decimal(u.mm)), np.asarray(other.to_decimal(u.mm)))


@pytest.mark.filterwarnings("ignore:.*triangular")
@pytest.mark.parametrize("kind", ["npz", "mat"])
@few
@given(conn=connectomes())
@example(conn=Connectome(np.zeros((3, 3)), labels=["1", "2", "3"]))
def test_archives_keep_everything(tmp_path, kind, conn):
    getattr(conn, f"to_{kind}")(tmp_path / f"a.{kind}")
    again = getattr(Connectome, f"from_{kind}")(tmp_path / f"a.{kind}")
    assert np.array_equal(again.weights, conn.weights)
    assert (again.labels, again.name, again.hemispheres) == (conn.labels, conn.name, conn.hemispheres)
    assert same_numbers(again.lengths, conn.lengths)
    assert same_numbers(again.centres, conn.centres)


@pytest.mark.filterwarnings("ignore:.*triangular")
@few
@given(conn=connectomes())
@example(conn=Connectome(np.ones((1, 1)), labels=["1"]))
@example(conn=Connectome(np.array([[0.0, 1.0], [2.0, 0.0]]), labels=["", "b"]))
def test_text_keeps_labels_lengths_and_centres(tmp_path, conn):
    files = [tmp_path / f"{name}.csv" for name in ("w", "l", "c")]
    files[1] = None if conn.lengths is None else files[1]
    files[2] = None if conn.centres is None else files[2]
    conn.to_csv(*files)
    again = Connectome.from_csv(files[0], files[1], centres=files[2])
    assert np.array_equal(again.weights, conn.weights)
    assert again.labels == conn.labels
    assert same_numbers(again.lengths, conn.lengths)
    assert same_numbers(again.centres, conn.centres)


@few
@given(conn=connectomes(), seed=st.integers(0, 10))
@example(
    conn=Connectome(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), labels=["2", "alone", "1"]), seed=0
)
def test_lists_keep_regions_without_connections_and_their_order(tmp_path, conn, seed):
    edges = conn.to_edges()
    order = np.random.default_rng(seed).permutation(edges.weight.size)
    edges = Edges(
        edges.n, edges.source[order], edges.target[order], edges.weight[order],
        None if edges.length is None else edges.length[order], edges.labels, "toy", edges.hemispheres, edges.centres,
    )  # fmt: skip
    edges.to_csv(tmp_path / "e.csv")
    edges.to_npz(tmp_path / "e.npz")
    for again in (Edges.from_csv(tmp_path / "e.csv"), Edges.from_npz(tmp_path / "e.npz")):
        assert again.labels == edges.labels
        for name in ("source", "target", "weight"):
            assert np.array_equal(getattr(again, name), getattr(edges, name))
        assert same_numbers(again.length, edges.length)
    assert again.hemispheres == edges.hemispheres
    assert same_numbers(again.centres, edges.centres)


@pytest.mark.filterwarnings("ignore:.*triangular")
@few
@given(conn=connectomes())
def test_archives_of_the_virtual_brain_are_read_or_refused_in_words(tmp_path, conn):
    try:
        conn.to_tvb(tmp_path / "a.zip")
    except ValueError as error:
        assert any(
            words in str(error) for words in ("cannot hold the label", "differ in more than", "needs coordinates")
        )
        return
    again = Connectome.from_tvb(tmp_path / "a.zip")
    assert np.array_equal(again.weights, conn.weights)
    assert again.labels == tuple("_".join(label.split()) for label in conn.labels)
    assert same_numbers(again.lengths, conn.lengths)
    assert same_numbers(again.centres, conn.centres)


def test_regions_without_a_side_lie_in_the_middle():
    names = [f"ctx-{side}-{i}" for side in ("lh", "rh") for i in range(8)]
    conn = Connectome(np.ones((18, 18)), labels=[*names, "Brain-Stem", "Vermis"])
    assert conn.hemisphere("left").n_regions == 8
    assert conn.hemisphere("midline").labels == ("Brain-Stem", "Vermis")
    with pytest.raises(ValueError, match="its sides are not known"):
        Connectome(np.ones((3, 3)), labels=["lh-V1", "rh-V1", "stem"]).hemisphere("left")


@pytest.mark.parametrize(
    ("xyz", "problem"),
    [
        ([[-40, -70, 0], [40, -70, 0], [0, 20, 50]], None),
        ([[-4, -7, 0], [4, -7, 0], [0, 2, 5]], "no coordinates in MNI space"),
        ([[90, 120, 60], [10, 200, 60], [50, 30, 90]], "no coordinates in MNI space"),
        ([[40, -70, 0], [-40, -70, 0], [0, 20, 50]], "left have positive x"),
    ],
)
def test_coordinates_that_are_no_mni_space_are_told(xyz, problem):
    conn = Connectome(np.ones((3, 3)), centres=np.array(xyz, float) * u.mm, hemispheres=["left", "right", "midline"])
    found = [text for text in conn.report().problems if "MNI" in text]
    assert bool(found) == (problem is not None)
    assert problem is None or problem in found[0]


# --- what other libraries write ---------------------------------------------------------------------------------------
EXCEL = 1e-14  # it keeps fifteen digits and a bit


@st.composite
def named_tables(draw):
    """Square tables with names of any kind, and regions without connections."""
    n = draw(st.integers(2, 4))
    names = draw(st.lists(labels, min_size=n, max_size=n, unique=True))
    weights = draw(arrays(float, (n, n), elements=st.floats(-1e6, 1e6, allow_subnormal=False) | st.just(0.0)))
    return pd.DataFrame(weights, names, names)


def written(folder, table, kind):
    path = folder / f"a.{kind}"
    if kind == "xlsx":
        table.to_excel(path)
    elif kind == "parquet":
        table.to_parquet(path)
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file["weights"], file["labels"] = table.to_numpy(), list(table)
    elif kind == "mat":
        scipy.io.savemat(path, {"SC": table.to_numpy(), "names": np.array(list(table), object)})
    elif kind == "npz":
        np.savez(path, SC=table.to_numpy(), regions=np.array(list(table), object))
    elif kind == "tsv.gz":
        table.to_csv(path, sep="\t", quoting=csv.QUOTE_NONNUMERIC)
    else:
        table.to_csv(path, quoting=csv.QUOTE_NONNUMERIC)
    return path


@pytest.mark.filterwarnings("ignore:.*triangular", "ignore:.*sums of the others")
@pytest.mark.parametrize("kind", ["csv", "tsv.gz", "xlsx", "parquet", "h5", "mat", "npz"])
@few
@given(table=named_tables())
def test_what_other_libraries_write_is_read(tmp_path, kind, table):
    assume(kind != "xlsx" or not any(name[0] in "=#" for name in table))  # which are formulas and errors there
    conn = Connectome.from_file(written(tmp_path, table, kind))
    np.testing.assert_allclose(conn.weights, table.to_numpy(), rtol=EXCEL if kind == "xlsx" else 0)
    assert conn.labels == tuple(table)


@pytest.mark.filterwarnings("ignore:.*triangular", "ignore:.*sums of the others")
@few
@given(table=named_tables())
def test_lists_that_pandas_writes_are_read(tmp_path, table):
    assume(not any(name[0] in "=#" for name in table))  # formulas and errors of Excel
    target, source = np.nonzero(table.to_numpy())
    names = np.array(list(table), object)
    weight = table.to_numpy()[target, source]
    frame = pd.DataFrame({"source": names[source], "target": names[target], "weight": weight})
    frame.to_csv(tmp_path / "e.csv", quoting=csv.QUOTE_NONNUMERIC, index=False)
    frame.to_excel(tmp_path / "e.xlsx", index=False)
    frame.to_parquet(tmp_path / "e.parquet")
    for kind in ("csv", "xlsx", "parquet"):
        edges = Edges.from_file(tmp_path / f"e.{kind}", labels=list(table))
        found = edges.to_connectome().weights
        np.testing.assert_allclose(found, table.to_numpy(), rtol=EXCEL if kind == "xlsx" else 0)
        assert edges.labels == tuple(table)


@few
@given(table=named_tables(), directed=st.booleans())
def test_graphs_of_networkx_come_back(table, directed):
    weights = table.to_numpy() if directed else np.triu(table.to_numpy()) + np.triu(table.to_numpy(), 1).T
    graph = networkx.from_pandas_adjacency(
        pd.DataFrame(weights.T, table.index, table.columns), networkx.DiGraph if directed else networkx.Graph
    )
    for conn in (Connectome.from_networkx(graph), Edges.from_networkx(graph).to_connectome()):
        assert np.array_equal(conn.weights, weights)
        assert conn.labels == tuple(table)


@pytest.mark.filterwarnings("ignore:.*triangular", "ignore:.*sums of the others")
@pytest.mark.parametrize("style", [{}, {"sep": "\t"}, {"sep": ";", "decimal": ","}, {"sep": " "}], ids=str)
@settings(few, max_examples=60)
@given(table=named_tables())
def test_names_without_quotes_are_never_taken_for_others(tmp_path, style, table):
    """Where only those are in quotes that must be, some leave open what they are, and are refused."""
    table.to_csv(tmp_path / "a.csv", **style)
    try:
        conn = Connectome.from_file(tmp_path / "a.csv")
    except ValueError as error:
        assert str(error).startswith("File ")
        return
    assert conn.n_regions == len(table)
    assert np.array_equal(conn.weights, table.to_numpy())
    assert [name.strip() for name in conn.labels] == [name.strip() for name in table]
