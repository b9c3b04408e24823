"""Odd files that look like usual ones: read as they are meant, or refused in words; none is misread in silence."""

import bz2
import gzip
import io
import lzma
import struct
import tracemalloc

import brainunit as u
import h5py
import networkx
import nibabel
import numpy as np
import openpyxl
import pandas as pd
import pytest
import scipy.io
import scipy.sparse
import xarray

from brainmass import Connectome, Edges, read_array

W = np.array([[0, 1.5, 2, 0], [1.5, 0, 4, 7], [2, 4, 0, 0.5], [0, 7, 0.5, 0]])
NAMES = ["V1", "V2", "MT", "M1"]


def put(path, content, encoding="utf-8"):
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def lines(matrix, mark=",", write=str):
    return "".join(mark.join(write(float(x)) for x in row) + "\n" for row in matrix)


# --- text -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lines(W, "|"), r"a row is '1.5\|0.0\|4.0\|7.0': say delimiter='\|'"),
        ("0,1_000,2_000\n1_000,0,5\n2_000,5,0\n", "names in its first row and column.* begins with '0', '1_0"),
        ("0,$1,$2\n$1,0,5\n$2,5,0\n", r"names in its first row and column .*header=True.* '0', '\$1', '\$2'"),
        (lines(W) + "Source: somebody\n", r"hold numbers, but row 5 holds 'Source: somebody', and 1 cell of 4\.$"),
        ("My title,,,\n" + lines(W), "have a name for each column, but row 1 has none for column 2 of numbers"),
        ("V1,,MT,M1\n" + lines(W), "have a name for each column, but row 1 has none for column 2 of numbers"),
        (lines(W).encode("utf-16-le"), "byte 1 is no text .say encoding='utf-16'"),
        ('"V\n1","V2","MT","M1"\n' + lines(W), "a quote that does not end"),
        (lines(W).replace("7.0", "7.0 # strong"), "row 2, column 4 holds '7.0 # strong'"),
    ],
)  # fmt: skip
def test_text_that_is_no_table_is_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        Connectome.from_file(put(tmp_path / "w.csv", content))


def test_numbers_of_fortran_and_of_wide_characters(tmp_path):
    content = lines(W, " ", lambda x: f"{x:.3E}".replace("E", "D"))
    np.testing.assert_array_equal(Connectome.from_file(put(tmp_path / "w.txt", content)).weights, W)
    assert Connectome.from_file(put(tmp_path / "a.csv", "1D,2D\n0,1\n2,0\n")).labels == ("1D", "2D")
    wide = put(tmp_path / "w.csv", "\ufeff" + lines(W), "utf-32-le")
    np.testing.assert_array_equal(Connectome.from_file(wide).weights, W)


THOUSANDS = np.array([[0, 1500, 2000.25], [1500, 0, 500], [2000.25, 500, 0]])


@pytest.mark.parametrize(
    ("content", "mark"),
    [
        ("0;1.500;2.000,25\n1.500;0;500\n2.000,25;500;0\n", ","),
        ("0;1,500;2,000.25\n1,500;0;500\n2,000.25;500;0\n", "."),
        ('"0","1,500","2,000.25"\n"1,500","0","500"\n"2,000.25","500","0"\n', "."),
        ("0\t1.500\t2.000,25\n1.500\t0\t500\n2.000,25\t500\t0\n", ","),
    ],
)
def test_marks_of_thousands_are_asked_for_and_read(tmp_path, content, mark):
    path = put(tmp_path / "w.csv", content)
    with pytest.raises(ValueError, match="must have one decimal mark: say decimal=',' or decimal='.', but row 1"):
        Connectome.from_file(path)
    np.testing.assert_array_equal(Connectome.from_file(path, decimal=mark).weights, THOUSANDS)


def test_decimals_that_only_look_like_thousands_are_read(tmp_path):
    """Three decimals everywhere, and short ones without zeros at the end, are those of programs."""
    for content in ("0.000 1.500\n1.500 0.000\n", "0 1.125\n5 0\n"):
        weights = Connectome.from_file(put(tmp_path / "w.txt", content)).weights
        np.testing.assert_array_equal(weights, np.loadtxt(tmp_path / "w.txt"))


# --- compressed -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_several_streams_are_read_to_the_end(tmp_path, pack):
    """bgzip and pbzip2 write a file of many."""
    both = pack(lines(W[:2]).encode()) + pack(lines(W[2:]).encode())
    np.testing.assert_array_equal(Connectome.from_file(put(tmp_path / "w.csv.x", both + bytes(8))).weights, W)
    with pytest.raises(ValueError, match="must be whole, but it goes on with 4 bytes that are not compressed"):
        Connectome.from_file(put(tmp_path / "w.csv.x", both + b"junk"))
    with pytest.raises(ValueError, match="must be whole, but it is cut short"):
        Connectome.from_file(put(tmp_path / "w.csv.x", both[:-5]))
    with pytest.raises(ValueError, match="be compressed once, but it is compressed twice"):
        Connectome.from_file(put(tmp_path / "w.csv.x", pack(both)))


def test_an_array_that_is_followed_by_another(tmp_path):
    with open(tmp_path / "w.npy", "wb") as file:
        np.save(file, W)
        np.save(file, 2 * W)
    with pytest.raises(ValueError, match="it is followed by more .was np.save called twice"):
        Connectome.from_file(tmp_path / "w.npy")


# --- MATLAB -----------------------------------------------------------------------------------------------------------
def test_matlab_4(tmp_path):
    """A variable of doubles begins with four zeros, as no other kind does."""
    path = tmp_path / "w.mat"
    scipy.io.savemat(path, {"SC": W, "names": np.array(NAMES)}, format="4")
    conn = Connectome.from_file(path)
    np.testing.assert_array_equal(conn.weights, W)
    assert conn.labels == tuple(NAMES)
    whole = path.read_bytes()
    with pytest.raises(ValueError, match="be a whole MATLAB file, .*a part is cut short"):
        Connectome.from_file(put(path, whole[:-3]))
    declares = whole[:4] + struct.pack("<2i", 2**30, 2**30) + whole[12:]  # as rows and columns
    with pytest.raises(ValueError, match="be a whole MATLAB file"):
        Connectome.from_file(put(path, declares))


def test_a_sparse_matrix_of_matlab_with_a_row_that_is_not_there(tmp_path):
    """scipy takes the row as it is, and the process ends when the matrix is filled in."""
    path = tmp_path / "w.mat"
    scipy.io.savemat(path, {"SC": scipy.sparse.csc_matrix(W)})
    rows = struct.pack("<4i", 1, 2, 0, 2)
    assert path.read_bytes().count(rows) == 1
    put(path, path.read_bytes().replace(rows, struct.pack("<4i", 1, 2, 0, 999_999)))
    with pytest.raises(ValueError, match="be a whole MATLAB file, but it cannot be read .*indices"):
        Connectome.from_file(path)


def test_a_large_sparse_matrix_of_matlab(tmp_path):
    """More entries than bytes of file, as the local connectivity of The Virtual Brain."""
    matrix = scipy.sparse.random(2000, 2000, 1e-4, random_state=0, format="csc")
    scipy.io.savemat(tmp_path / "w.mat", {"LocalCoupling": matrix})
    np.testing.assert_array_equal(read_array(tmp_path / "w.mat"), matrix.toarray())


# --- Edges.from_file --------------------------------------------------------------------------------------------------
LIST = pd.DataFrame({"source": ["a", "b", "d"], "target": ["b", "c", "a"], "weight": [1.0, 2.5, 0.5], "length": 9.0})
LISTED = np.array([[0, 0, 0, 0.5], [1, 0, 0, 0], [0, 2.5, 0, 0], [0, 0, 0, 0]])


def write_list(path):
    kind = path.suffix
    if kind == ".csv":
        LIST.to_csv(path, sep=";", decimal=",")
    elif kind == ".xlsx":
        LIST.to_excel(path, index=False, sheet_name="edges")
    elif kind == ".parquet":
        LIST.to_parquet(path)
    else:
        Edges.from_pandas(LIST, length="length", labels=list("abcd")).to_npz(path)
    return path


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet", "npz"])
def test_a_list_of_connections_of_any_kind(tmp_path, kind):
    path = write_list(tmp_path / f"e.{kind}")
    edges = Edges.from_file(path, labels=None if kind == "npz" else list("abcd"))
    np.testing.assert_array_equal(edges.to_connectome().weights, LISTED)
    assert edges.labels == tuple("abcd") and edges.length.to_decimal(u.mm).tolist() == [9.0] * 3
    with pytest.raises(ValueError, match="hold a matrix, but it is a list of connections, which Edges.from_(file|csv)"):
        Connectome.from_file(path)
    with pytest.raises(
        ValueError, match="a kind to which `symmetrize` applies, but it is a list of connections: leave"
    ):
        Edges.from_file(path, symmetrize=True)


def test_a_sparse_matrix_is_not_filled_in(tmp_path):
    """A full one of this size would take 80 GB."""
    n = 100_000
    matrix = scipy.sparse.coo_array(([1.0, 2.0], ([0, n - 1], [5, 7])), shape=(n, n))
    scipy.sparse.save_npz(tmp_path / "w.npz", matrix)
    scipy.io.savemat(tmp_path / "w.mat", {"SC": matrix.tocsc()}, do_compression=True)
    for name in ("w.npz", "w.mat"):
        edges = Edges.from_file(tmp_path / name)
        assert (edges.n, edges.target.tolist(), edges.source.tolist()) == (n, [0, n - 1], [5, 7])
    small = {"SC": scipy.sparse.csc_matrix(W), "names": np.array(NAMES, object)}
    scipy.io.savemat(tmp_path / "s.mat", small)
    conn = Edges.from_file(tmp_path / "s.mat").to_connectome()
    np.testing.assert_array_equal(conn.weights, W)
    assert conn.labels == tuple(NAMES)


def test_edges_of_a_matrix(tmp_path):
    path = put(tmp_path / "w.csv", "V1,V2,MT,M1\n" + lines(np.triu(W)))
    edges = Edges.from_file(path, symmetrize=True, name="mine")
    np.testing.assert_array_equal(edges.to_connectome().weights, W)
    assert (edges.labels, edges.name) == (tuple(NAMES), "mine")
    with pytest.raises(ValueError, match="a list of connections, to which `numbering` applies, but it is a text file"):
        Edges.from_file(path, numbering=1)
    with pytest.raises(TypeError, match="Edges.from_file has no argument 'symetrize'.*symmetrize"):
        Edges.from_file(path, symetrize=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("source,source,target,weight\n0,9,1,2\n", "have one column 'source', but it has several"),
        ("source,target,weight\nV1,,2\nV2,V1,3\n", "name both ends of a connection, but row 2 has no target"),
        ("source,target,weight\nV1,V2,\nV2,V1,3\n", "row 2, column 3 holds ''"),
    ],
)
def test_lists_that_leave_something_open(tmp_path, content, message):
    path = put(tmp_path / "e.csv", content)
    for read in (Edges.from_file, Edges.from_csv):
        with pytest.raises(ValueError, match=message):
            read(path)
    assert Edges.from_file(put(path, "source,target,weight\na,b,\nb,a,1\n"), empty=0.5).weight.tolist() == [0.5, 1.0]


# --- Excel and parquet ------------------------------------------------------------------------------------------------
LABELLED = [[None, *NAMES], *([name, *row] for name, row in zip(NAMES, W.tolist(), strict=True))]


def sheet(path, cells=LABELLED, row=1, column=1, change=lambda book: None):
    book = openpyxl.Workbook()
    for i, line in enumerate(cells):
        for j, value in enumerate(line):
            book.active.cell(row + i, column + j, value)
    change(book)
    book.save(path)
    return path


def test_sheets_as_people_make_them(tmp_path):
    """Not at the left edge, numbers kept as text, with numbers as names."""
    path = tmp_path / "w.xlsx"
    texts = [LABELLED[0], *([name, *map(str, row)] for name, *row in LABELLED[1:])]
    numbered = [[None, 1, 2, 3, 4], *([i, *row] for i, row in enumerate(W.tolist(), 1))]
    for made in ({"row": 3, "column": 2}, {"cells": texts}, {"cells": numbered}):
        conn = Connectome.from_file(sheet(path, **made))
        np.testing.assert_array_equal(conn.weights, W)
        assert conn.labels == (("1", "2", "3", "4") if made.get("cells") is numbered else tuple(NAMES))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda book: book.active.__setitem__("C3", "=1+1"), "row 3, column 3 is a formula without its value"),
        (lambda book: book.active.__setitem__("C3", "#DIV/0!"), "row 3, column 3 holds '#DIV/0!'"),
        (lambda book: book.active.merge_cells("B3:C3"), "a value in each cell, but the cells B3:C3 are merged"),
        (lambda book: book.active.__setitem__("C1", None), "a name for each column, but row 1 has none for column 2"),
        (
            lambda book: (setattr(book.active, "sheet_state", "hidden"), book.create_sheet("more")),
            "show the sheet that is read, but 'Sheet' is hidden: say which, sheet='Sheet', 'more'",
        ),
        (lambda book: book.active.__setitem__("ZZ9999", 1.0), "hold a table, but it has 26 filled cells|holds ''"),
    ],
)
def test_sheets_that_would_be_misread_are_refused(tmp_path, change, message):
    """Most of these looked like empty cells, which `empty` would have filled."""
    path = sheet(tmp_path / "w.xlsx", change=change)
    for empty in (None, 0.0):
        if empty is None or "holds ''" not in message:
            with pytest.raises(ValueError, match=message):
                Connectome.from_file(path, empty=empty)


@pytest.mark.slow
def test_a_cell_at_the_end_of_a_sheet_takes_no_memory(tmp_path):
    path = sheet(tmp_path / "w.xlsx", change=lambda book: book.active.__setitem__("XFD1048576", 1.0))
    tracemalloc.start()
    with pytest.raises(ValueError, match="must"):
        Connectome.from_file(path)
    assert tracemalloc.get_traced_memory()[1] < 300e6
    tracemalloc.stop()


def test_parquet_of_other_columns_is_refused_in_words(tmp_path):
    frame = pd.DataFrame(W, columns=NAMES)
    frame.assign(name=NAMES).to_parquet(tmp_path / "a.parquet")
    assert Connectome.from_file(tmp_path / "a.parquet").labels == tuple(NAMES)
    frame.assign(name=NAMES, note=NAMES).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="hold numbers, but its columns 'name', 'note' hold others"):
        Connectome.from_file(tmp_path / "a.parquet")
    frame.where(frame != 0).to_parquet(tmp_path / "b.parquet")
    for read in (read_array, lambda path, **how: Connectome.from_file(path, **how).weights):
        np.testing.assert_array_equal(read(tmp_path / "b.parquet", empty=0.0), W)


# --- what has no part -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("argument", ["delimiter", "decimal", "encoding", "header", "sheet"])
def test_arguments_that_a_file_has_no_use_for_are_refused(tmp_path, argument):
    np.save(tmp_path / "w.npy", W)
    how = {"delimiter": ";", "decimal": ",", "encoding": "utf-8", "header": False, "sheet": 1}
    for read in (Connectome.from_file, read_array, Edges.from_file):
        with pytest.raises(ValueError, match=f"of a kind to which `{argument}` applies, but it is an array of numpy"):
            read(tmp_path / "w.npy", **{argument: how[argument]})


# --- cells of MATLAB --------------------------------------------------------------------------------------------------
def test_cells_of_matrices_are_asked_for_by_number(tmp_path):
    """Four subjects with 2 × 2 matrices each are no 4 × 4 matrix."""
    cells = np.empty((1, 4), object)
    cells[0] = [W[:2, :2], W[2:, 2:], W[:2, 2:], W[2:, :2]]
    scipy.io.savemat(tmp_path / "w.mat", {"SC": cells})
    with pytest.raises(ValueError, match=r"'SC' has cells of matrices: say which, SC.\(1\)"):
        Connectome.from_file(tmp_path / "w.mat")
    np.testing.assert_array_equal(read_array(tmp_path / "w.mat", "SC.(2)"), W[2:, 2:])


def test_groups_of_hdf5_are_named_as_there(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["subject/SC"], file["subject/names"] = W, NAMES
    conn = Connectome.from_file(tmp_path / "w.h5", weights="subject/SC", labels="subject/names")
    assert conn.labels == tuple(NAMES)


# --- texts that numpy stored as objects -------------------------------------------------------------------------------
@pytest.mark.parametrize("names", [NAMES, [*NAMES[:3], "V1 "], ["Größe", "a,b", "#", "é" * 300]])
def test_labels_that_numpy_stored_as_objects(tmp_path, names):
    """So does dTOR's archive, with plain arrays beside them."""
    np.savez(tmp_path / "a.npz", weights=W, region_labels=np.array(names, object), n_nodes=4)
    assert Connectome.from_file(tmp_path / "a.npz").labels == tuple(names)
    np.save(tmp_path / "names.npy", np.array(names, object).reshape(4, 1))
    np.save(tmp_path / "w.npy", W)
    assert Connectome.from_file(tmp_path / "w.npy", labels=tmp_path / "names.npy").labels == tuple(names)


class Prints:
    def __reduce__(self):
        return (print, ("ran",))


OTHERS = [Prints(), ["a"], {"a": 1}, 3.0, None, np.ones(3), b"a" * 10 + bytes(1), slice]


@pytest.mark.parametrize("thing", OTHERS, ids=lambda x: type(x).__name__)
def test_objects_that_are_more_than_texts_are_refused_and_nothing_runs(tmp_path, thing, capsys):
    names = np.empty(4, object)
    names[:] = [*NAMES[:3], None]
    names[3] = thing
    np.savez(tmp_path / "a.npz", weights=W, labels=names)
    if isinstance(thing, bytes):
        assert Connectome.from_file(tmp_path / "a.npz").labels[3] == "a" * 10
        return
    with pytest.raises(ValueError, match="'labels' cannot be read .it holds objects, as a pickle: it "):
        Connectome.from_file(tmp_path / "a.npz")
    assert capsys.readouterr().out == ""


def test_a_pickle_that_asks_for_memory_is_refused(tmp_path):
    """The place of something to remember is a number of four bytes, before which all places would be made."""
    stored = io.BytesIO()
    np.save(stored, np.array(NAMES, object))
    whole = stored.getvalue()
    head = whole[: whole.index(b"\n") + 1]
    hostile = b"\x80\x02]r" + (2**31).to_bytes(4, "little") + b"."
    put(tmp_path / "a.npy", head + hostile)
    np.save(tmp_path / "w.npy", W)
    with pytest.raises(ValueError, match="it is not as numpy writes it"):
        Connectome.from_file(tmp_path / "w.npy", labels=tmp_path / "a.npy")


# --- coordinates ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "content",
    [
        "label,x,y,z,volume\nV1,1,2,3,9\nV2,4,5,6,9\nMT,7,8,9,9\nM1,0,0,1,9\n",
        "z,y,x,region\n3,2,1,V1\n6,5,4,V2\n9,8,7,MT\n1,0,0,M1\n",
        "name\tside\tX\tY\tZ\nV1\tL\t1\t2\t3\nV2\tR\t4\t5\t6\nMT\tL\t7\t8\t9\nM1\tR\t0\t0\t1\n",
        "V2 4 5 6\nV1 1 2 3\nMT 7 8 9\nM1 0 0 1\n",
    ],
)
def test_coordinates_in_any_order_of_columns(tmp_path, content):
    path = put(tmp_path / "w.csv", "V1,V2,MT,M1\n" + lines(W))
    conn = Connectome.from_file(path, centres=put(tmp_path / "xyz.txt", content))
    np.testing.assert_array_equal(conn.centres.to_decimal(u.mm), [[1, 2, 3], [4, 5, 6], [7, 8, 9], [0, 0, 1]])


# --- one row or column too many ---------------------------------------------------------------------------------------
def test_names_that_are_numbers_and_sums_at_the_end(tmp_path):
    """As of the tractography that comes with The Virtual Brain, whose first row are ids of FreeSurfer."""
    path = put(tmp_path / "w.csv", "132,126,104,129\n" + lines(W))
    with pytest.raises(
        ValueError, match="hold a square matrix, but it is 5 × 4: if its first row are names, say header"
    ):
        Connectome.from_file(path)
    assert Connectome.from_file(path, header=True).labels == ("132", "126", "104", "129")
    pd.DataFrame(W).to_csv(path, header=False)
    with pytest.raises(ValueError, match="it is 4 × 5: if its first column are names, leave them out"):
        Connectome.from_file(path)
    total = np.block([[W, W.sum(1)[:, None]], [W.sum(0), W.sum()]])
    with pytest.warns(UserWarning, match="last row and column that are the sums of the others"):
        Connectome.from_file(put(path, lines(total)))


# --- comments that are none -------------------------------------------------------------------------------------------
def test_names_that_numpy_writes_as_a_comment(tmp_path):
    path = tmp_path / "w.csv"
    np.savetxt(path, W, delimiter=",", header=",".join(NAMES))
    with pytest.warns(
        UserWarning, match="a comment with as many words as columns .'V1', .*say header=True if they are"
    ):
        assert Connectome.from_file(path).labels[0] == "region 0"
    conn = Connectome.from_file(path, header=True)
    np.testing.assert_array_equal(conn.weights, W)
    assert conn.labels == tuple(NAMES)
    assert Connectome.from_file(path, header=False).labels[0] == "region 0"
    np.savetxt(path, W, header="made by hand")  # three words over four columns
    np.testing.assert_array_equal(Connectome.from_file(path).weights, W)


def test_a_connection_whose_name_begins_as_a_comment_is_not_dropped(tmp_path):
    content = "source,target,weight\na,b,1\n#c,b,2\nb,a,3\n"
    with pytest.raises(ValueError, match="comments so that they differ from rows, but row 3 begins with '#'"):
        Edges.from_file(put(tmp_path / "e.csv", content))
    quoted = Edges.from_file(put(tmp_path / "e.csv", content.replace("#c", '"#c"')))
    assert quoted.labels == ("a", "b", "#c")
    commented = "source,target,weight\n# from my notes\n0,1,1\n#0,2,9\n1,0,3\n"
    assert Edges.from_file(put(tmp_path / "e.csv", commented)).weight.tolist() == [1.0, 3.0]


# --- what the axes of a file say --------------------------------------------------------------------------------------
@pytest.mark.parametrize("names", [NAMES, [1001, 1002, 2035, 2001], None])
def test_netcdf_of_xarray_keeps_names_and_the_meaning_of_its_axes(tmp_path, names):
    """As in memory: where the sources come first, the table is turned round."""
    directed = np.triu(W) + np.tril(2 * W)
    ends = {} if names is None else {"source": names, "target": names}
    table = xarray.DataArray(directed.T, dims=("source", "target"), coords=ends, name="weights")
    table.to_netcdf(tmp_path / "w.nc", engine="h5netcdf")
    conn = Connectome.from_file(tmp_path / "w.nc")
    np.testing.assert_array_equal(conn.weights, directed)
    assert conn.labels == Connectome(table).labels
    if names is not None:
        assert conn.labels == tuple(map(str, names))
    if names is NAMES:
        found = read_array(tmp_path / "w.nc", "weights", regions=NAMES[::-1])
        np.testing.assert_array_equal(found, directed.T[::-1, ::-1])


def test_a_series_of_parcels_is_no_connectome(tmp_path):
    parts = [{"CIFTI_STRUCTURE_CORTEX_LEFT": np.array([i])} for i in range(4)]
    regions = nibabel.cifti2.ParcelsAxis(
        NAMES, [np.zeros((0, 3), int)] * 4, parts, np.eye(4), (2, 2, 2), {"CIFTI_STRUCTURE_CORTEX_LEFT": 10}
    )
    image = nibabel.Cifti2Image(W, (nibabel.cifti2.SeriesAxis(0, 0.72, 4), regions))
    nibabel.save(image, tmp_path / "run.ptseries.nii")
    with pytest.raises(ValueError, match="hold a matrix, but it is a time series"):
        Connectome.from_file(tmp_path / "run.ptseries.nii")
    found = read_array(tmp_path / "run.ptseries.nii", regions=NAMES[::-1])
    np.testing.assert_allclose(found, W[:, ::-1], rtol=1e-6)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: scipy.io.mmwrite(path, scipy.sparse.coo_array([[0, 0], [3.0, 0]])), "scipy.io.mmread.path"),
        (lambda path: networkx.write_gml(networkx.path_graph(3), path), "networkx.read_gml"),
        (lambda path: networkx.write_weighted_edgelist(GRAPH, path), "a first row with 'source', 'target', 'weight'"),
        (lambda path: pd.DataFrame(W, columns=NAMES).to_feather(path), "pandas.read_feather"),
    ],
)
def test_other_formats_of_graphs_are_named(tmp_path, write, message):
    """A file of Matrix Market with two entries was read as a matrix of three regions."""
    write(tmp_path / "g.mtx")
    with pytest.raises(ValueError, match=message):
        Edges.from_file(tmp_path / "g.mtx")


GRAPH = networkx.from_numpy_array(W)


@pytest.mark.parametrize("kind", ["xlsx", "npy", "txt.gz"])
def test_labels_places_and_sides_in_files_of_other_kinds(tmp_path, kind):
    xyz, sides = np.arange(12.0).reshape(4, 3), ["L", "L", "R", "R"]
    path = put(tmp_path / "w.csv", lines(W))
    files = {name: tmp_path / f"{name}.{kind}" for name in ("labels", "centres", "hemispheres")}
    if kind == "xlsx":
        pd.DataFrame({"name": NAMES}).to_excel(files["labels"], index=False)
        pd.DataFrame(xyz, NAMES, list("xyz")).to_excel(files["centres"])
        pd.DataFrame({"side": sides}).to_excel(files["hemispheres"], index=False)
    elif kind == "npy":
        np.save(files["labels"], np.array(NAMES))
        np.save(files["centres"], xyz)
        np.save(files["hemispheres"], np.array([0, 0, 1, 1]))
    else:
        put(files["labels"], gzip.compress("\n".join(NAMES).encode()))
        put(files["centres"], gzip.compress(lines(xyz, " ").encode()))
        put(files["hemispheres"], gzip.compress("\n".join(["hemisphere", *sides]).encode()))
    conn = Connectome.from_file(path, **files)
    assert (conn.labels, conn.hemispheres) == (tuple(NAMES), ("left", "left", "right", "right"))
    np.testing.assert_array_equal(conn.centres.to_decimal(u.mm), xyz)


def test_an_attribute_that_no_edge_has_is_refused():
    for make in (Connectome.from_networkx, Edges.from_networkx):
        with pytest.raises(ValueError, match="`weight` of Edges must be an attribute of the edges, but 'w' is not"):
            make(GRAPH, weight="w")
    with pytest.raises(TypeError, match="`table` of Edges must be a DataFrame of pandas, but is a Series"):
        Edges.from_pandas(pd.DataFrame(W).stack())
