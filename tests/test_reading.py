"""Files that people have: read as those who wrote them meant, or refused with the call that reads them."""

import bz2
import gzip
import lzma
import pickle
import zipfile

import brainunit as u
import h5py
import nibabel
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp

import brainmass
from brainmass import Connectome, Edges, read_array

W = np.array([[0.0, 1.5, 2.0, 0.0], [3.25, 0.0, 4.0, 1.0], [5.0, 6.0, 0.0, 2.0], [1.0, 0.0, 7.5, 0.0]])
L = np.where(W > 0, 10 * W, 0.0)
NAMES = ["V1", "V2", "MT", "M1"]
SYMMETRIC = W + W.T
FRAME = pd.DataFrame(W, NAMES, NAMES)


def put(path, content):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def lines(matrix, mark=",", number="{:g}"):
    return "".join(mark.join(map(number.format, row)) + "\n" for row in matrix)


def with_commas(matrix, mark=";"):
    return lines(matrix, mark).replace(".", ",")


# --- text -------------------------------------------------------------------------------------------------------------
R = FRAME.rename_axis("").to_csv(quoting=2).replace("\r", "")  # as of R's write.csv: all text in quotes
IDS_OF_4 = np.array([[1, 2, 3, 4]])
IDS = ["1001", "1002", "2001", "2002"]
DIALECTS = {
    "bom": ("\ufeff" + lines(W), None),
    "utf-16": (("\ufeff" + FRAME.to_csv(sep="\t")).encode("utf-16-le"), NAMES),
    "utf-16-be": (("\ufeff" + FRAME.to_csv(sep="\t")).encode("utf-16-be"), NAMES),
    "sep": ("sep=;\r\n" + FRAME.to_csv(sep=";").replace("\n", "\r\n"), NAMES),
    "percent": ("% written by hand\n" + lines(W, " "), None),
    "comma": (with_commas(W), None),
    "comma-tab": (with_commas(W, "\t"), None),
    "comma-blank": (with_commas(W, " "), None),
    "german": (FRAME.to_csv(sep=";", decimal=","), NAMES),
    "pandas": (FRAME.to_csv(), NAMES),
    "R": (R, NAMES),
    "quoted": (FRAME.to_csv(quoting=1), NAMES),
    "numbers-quoted": ("".join(",".join(f'"{x:g}"' for x in row) + "\n" for row in W), None),
    "rows": (FRAME.to_csv(header=False), NAMES),
    "old-mac": (lines(W).replace("\n", "\r"), None),
    "named": ("V 1,left;V2;MT;M1\n" + lines(W, ";"), ["V 1,left", "V2", "MT", "M1"]),
    "ids": (FRAME.set_axis([1001, 1002, 2001, 2002]).set_axis([1001, 1002, 2001, 2002], axis=1).to_csv(), IDS),
}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "pack", [lambda x: x, gzip.compress, bz2.compress, lzma.compress], ids=["plain", "gz", "bz2", "xz"]
)
def test_dialects_of_text(tmp_path, dialect, pack):
    content, labels = DIALECTS[dialect]
    path = put(tmp_path / "w.csv", pack(content.encode() if isinstance(content, str) else content))
    conn = Connectome.from_file(path)
    np.testing.assert_array_equal(conn.weights, W)
    assert conn.labels == tuple(labels or [f"region {i}" for i in range(4)])
    np.testing.assert_array_equal(read_array(path), W)


def test_a_code_page_is_told(tmp_path):
    path = put(tmp_path / "w.csv", FRAME.rename(columns={"V1": "Aire é"}).to_csv(index=False).encode("cp1252"))
    with pytest.warns(UserWarning, match="w.csv' is no UTF-8 .*encoding='cp1252'"):
        assert Connectome.from_csv(path).labels[0] == "Aire é"
    assert Connectome.from_csv(path, encoding="latin-1").labels[0] == "Aire é"
    assert Connectome.from_csv(path, encoding="cp1251").labels[0] == "Aire й"
    with pytest.raises(ValueError, match="text file in 'klingon', but it is none"):
        Connectome.from_csv(path, encoding="klingon")


@pytest.mark.parametrize(
    ("content", "asked", "answer"),
    [
        (lines(W).replace("0", "", 1), r"row 1, column 1 holds '' \(say empty=0.0", {"empty": 0.0}),
        (lines(W).replace("0,", "NA,", 1), r"holds 'NA' \(say empty=0.0", {"empty": 0}),
        (lines(W, ";").replace("1.5", "1,500"), "one decimal mark: say decimal=','", {"decimal": ","}),
        (lines(np.block([[0, IDS_OF_4], [IDS_OF_4.T, W]])), "header=True or header=False", {"header": True}),
        (lines([[1, 2, 3, 4], *W]), "hold a square matrix, but it is 5 × 4: .*say header=True", {"header": True}),
    ],
)  # fmt: skip
def test_what_a_text_leaves_open_is_asked_for(tmp_path, content, asked, answer):
    path = put(tmp_path / "w.csv", content)
    with pytest.raises(ValueError, match=asked):
        Connectome.from_csv(path)
    np.testing.assert_array_equal(Connectome.from_file(path, **answer).weights, W)
    np.testing.assert_array_equal(Connectome.from_csv(path, **answer).weights, W)


def test_empty_cells_of_an_array_may_be_nan(tmp_path):
    assert np.isnan(read_array(put(tmp_path / "x.csv", "1,\n2,3\n"), empty=np.nan)).tolist() == [
        [False, True],
        [False] * 2,
    ]
    assert read_array(put(tmp_path / "y.txt", "1\n2\n3\n"), unit=u.Hz).shape == (3,)


# --- labels, lengths and centres from wherever they are ---------------------------------------------------------------
def test_parts_in_files_of_their_own(tmp_path):
    weights, lengths = put(tmp_path / "w.csv", lines(W)), put(tmp_path / "l.txt", lines(L, " "))
    labels = put(
        tmp_path / "labels.txt", "".join(f"{name} left\n" if i else f"{name}\n" for i, name in enumerate(NAMES))
    )
    centres = put(tmp_path / "xyz.txt", "".join(f"{i} {-i} 0.5\n" for i in range(4)))
    conn = Connectome.from_file(
        weights,
        lengths=str(lengths),
        labels=labels,
        centres=centres,
        hemispheres=["l", "r", "l", "r"],
        length_unit=u.cm,
    )
    assert conn.labels == ("V1", "V2 left", "MT left", "M1 left")
    np.testing.assert_array_equal(conn.lengths.to_decimal(u.cm), L)
    np.testing.assert_array_equal(conn.centres.to_decimal(u.cm)[2], [2, -2, 0.5])
    np.savez(tmp_path / "all.npz", far=L, who=np.array([x.encode() for x in NAMES]), SC=W, where=np.ones((4, 3)))
    conn = Connectome.from_npz(tmp_path / "all.npz", lengths="far", labels="who", centres="where")
    assert conn.labels == tuple(NAMES)
    assert conn.centres.shape == (4, 3)
    assert Connectome.from_npz(tmp_path / "all.npz", labels=NAMES, lengths=L * u.mm).labels == tuple(NAMES)
    lut = put(tmp_path / "lut.txt", "".join(f"{1000 + i} ctx-{n} 25 100 40 0\n" for i, n in enumerate(NAMES)))
    assert Connectome.from_csv(weights, labels=lut).labels == tuple(f"ctx-{n}" for n in NAMES)
    with pytest.raises(FileNotFoundError, match="`labels` must be a file, or a name in it, but there is no 'none.txt'"):
        Connectome.from_csv(weights, labels="none.txt")
    with pytest.raises(ValueError, match="hold the variable 'names', but it has 'far'"):
        Connectome.from_npz(tmp_path / "all.npz", labels="names")


def test_lengths_are_put_in_the_order_of_the_weights(tmp_path):
    order = [2, 0, 3, 1]
    weights = put(tmp_path / "w.csv", FRAME.to_csv())
    lengths = put(tmp_path / "l.csv", pd.DataFrame(L, NAMES, NAMES).iloc[order, order].to_csv())
    np.testing.assert_array_equal(Connectome.from_csv(weights, lengths).lengths.to_decimal(u.mm), L)


def test_labels_that_do_not_fit_are_told_and_repeated_ones_numbered(tmp_path):
    np.savez(tmp_path / "a.npz", SC=W, labels=np.array(["a", "b"]))
    with pytest.warns(UserWarning, match="2 'labels' for 4 regions, which are left out"):
        Connectome.from_npz(tmp_path / "a.npz")
    path = put(tmp_path / "w.csv", "a,b,a,a\n" + lines(W))
    with pytest.raises(
        ValueError, match="labels that differ: say number_repeated=True, or give `labels`, but 'a' is there 3"
    ):
        Connectome.from_csv(path)
    assert Connectome.from_csv(path, number_repeated=True).labels == ("a 1", "b", "a 2", "a 3")
    assert Connectome.from_csv(path, labels=NAMES).labels == tuple(NAMES)


# --- triangles --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("half", [np.triu, np.tril])
def test_a_triangle_alone_is_told(tmp_path, half):
    path = put(tmp_path / "w.csv", lines(half(SYMMETRIC)))
    put(tmp_path / "l.csv", lines(half(10 * SYMMETRIC)))
    with pytest.warns(UserWarning, match="triangular matrix, with the (upper|lower) half alone.*symmetrize=True"):
        conn = Connectome.from_csv(path)
    assert any("triangular" in problem and "symmetrize()" in problem for problem in conn.report().problems)
    np.testing.assert_array_equal(conn.symmetrize().weights, SYMMETRIC)
    both = Connectome.from_file(path, lengths=tmp_path / "l.csv", symmetrize=True)
    np.testing.assert_array_equal(both.weights, SYMMETRIC)
    np.testing.assert_array_equal(both.lengths.to_decimal(u.mm), 10 * SYMMETRIC)
    np.testing.assert_array_equal(Connectome.from_csv(path, symmetrize=False).weights, half(SYMMETRIC))


def test_two_halves_that_differ_are_asked_about(tmp_path):
    conn = Connectome(W)
    with pytest.raises(ValueError, match="'mean', 'max' or 'sum' where weights differ each way"):
        conn.symmetrize()
    np.testing.assert_array_equal(conn.symmetrize("mean").weights, (W + W.T) / 2)
    np.testing.assert_array_equal(conn.symmetrize("max").weights, np.maximum(W, W.T))
    np.testing.assert_array_equal(conn.symmetrize("sum").weights, W + W.T)
    with pytest.raises(ValueError, match="one triangle to be mirrored by symmetrize=True, but both are filled"):
        Connectome.from_csv(put(tmp_path / "w.csv", lines(W)), symmetrize=True)
    with pytest.raises(ValueError, match="`by` of Connectome .*but is 'min'"):
        conn.symmetrize("min")


# --- arrays of numpy and scipy ----------------------------------------------------------------------------------------
def test_npy_and_sparse_npz(tmp_path):
    np.save(tmp_path / "w.npy", np.asfortranarray(W))
    np.testing.assert_array_equal(Connectome.from_file(tmp_path / "w.npy").weights, W)
    for kind in (sp.csr_array, sp.csc_matrix, sp.coo_array, sp.dia_array):
        sp.save_npz(tmp_path / "w.npz", kind(W))
        np.testing.assert_array_equal(Connectome.from_npz(tmp_path / "w.npz").weights, W)
    with pytest.raises(
        ValueError, match="w.npy' must be an archive of numpy arrays .*which Connectome.from_file reads"
    ):
        Connectome.from_npz(tmp_path / "w.npy")


def test_objects_beside_plain_arrays_do_not_stand_in_the_way(tmp_path):
    np.savez(tmp_path / "a.npz", weights=W, labels=np.array([*NAMES[:3], 4.0], object))
    with pytest.raises(ValueError, match="'labels' cannot be read"):
        Connectome.from_npz(tmp_path / "a.npz")
    assert Connectome.from_npz(tmp_path / "a.npz", labels=NAMES).labels == tuple(NAMES)


# --- MATLAB -----------------------------------------------------------------------------------------------------------
def matlab_73(path, variables):
    """As MATLAB writes: transposed, with classes as attributes, cells as references, texts as codes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            _put_73(file, file, name, value)
    with open(path, "r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + bytes(8) + b"\x00\x02IM")
    return path


def _put_73(file, group, name, value):
    if isinstance(value, dict):
        inner = group.create_group(name)
        inner.attrs["MATLAB_class"] = np.bytes_("struct")
        for key, part in value.items():
            _put_73(file, inner, key, part)
    elif isinstance(value, str):
        codes = np.array([[ord(c)] for c in value], np.uint16)
        group.create_dataset(name, data=codes).attrs["MATLAB_class"] = np.bytes_("char")
    elif isinstance(value, list):
        refs = file.require_group("#refs#")
        cells = np.empty((1, len(value)), h5py.ref_dtype)
        for i, cell in enumerate(value):
            key = f"r{len(refs)}"
            _put_73(file, refs, key, cell)
            cells[0, i] = refs[key].ref
        group.create_dataset(name, data=cells.T, dtype=h5py.ref_dtype).attrs["MATLAB_class"] = np.bytes_("cell")
    elif sp.issparse(value):
        inner = group.create_group(name)
        value = sp.csc_array(value)
        inner.attrs["MATLAB_sparse"] = np.uint64(value.shape[0])
        inner.attrs["MATLAB_class"] = np.bytes_("double")
        for key, part in {"data": value.data, "ir": value.indices, "jc": value.indptr}.items():
            inner.create_dataset(key, data=part)
    else:
        group.create_dataset(name, data=np.asarray(value).T).attrs["MATLAB_class"] = np.bytes_("double")


@pytest.fixture(params=["5", "7.3"])
def matlab(request, tmp_path):
    def write(**variables):
        path = tmp_path / "a.mat"
        if request.param == "7.3":
            return matlab_73(path, variables)
        for name, value in variables.items():
            if isinstance(value, list):
                variables[name] = np.empty(len(value), object)
                variables[name][:] = value
        scipy.io.savemat(path, variables)
        return path

    return write


def test_matlab_files_of_all_versions(matlab):
    path = matlab(SC=W, len=L, names=NAMES)
    for conn in (Connectome.from_mat(path), Connectome.from_file(path)):
        np.testing.assert_array_equal(conn.weights, W)
        np.testing.assert_array_equal(conn.lengths.to_decimal(u.mm), L)
        assert conn.labels == tuple(NAMES)
    np.testing.assert_array_equal(Connectome.from_mat(matlab(SC=sp.csc_array(W))).weights, W)


def test_a_matrix_in_a_struct(matlab):
    path = matlab(data={"SC": W, "deep": {"D": L}, "who": "text"}, other=np.ones(3))
    conn = Connectome.from_mat(path, weights="data.SC", lengths="data.deep.D")
    np.testing.assert_array_equal(conn.weights, W)
    np.testing.assert_array_equal(conn.lengths.to_decimal(u.mm), L)
    with pytest.raises(ValueError, match=r"'data.SC' \(4, 4\).*: say which, as in weights='data.SC'"):
        Connectome.from_mat(path)
    with pytest.raises(ValueError, match="'data' is a struct: say which part, data.SC"):
        Connectome.from_mat(path, weights="data")
    np.testing.assert_array_equal(read_array(path, "data.deep.D"), L)


def test_dsi_studio_writes_names_as_codes_of_their_letters(matlab):
    codes = np.array([[ord(c) for c in "\n".join(NAMES) + "\n"]], np.float64)
    assert Connectome.from_mat(matlab(connectivity=W, name=codes)).labels == tuple(NAMES)


def test_conn_writes_labels_and_places_as_cells(matlab):
    path = matlab(Z=W, names=NAMES, xyz=[np.array([[float(i), 0.0, 1.0]]) for i in range(4)])
    conn = Connectome.from_mat(path, weights="Z", centres="xyz")
    assert conn.labels == tuple(NAMES)
    np.testing.assert_array_equal(conn.centres.to_decimal(u.mm)[:, 0], [0, 1, 2, 3])
    wide = np.column_stack([np.ones(4), np.where(np.eye(4) > 0, np.nan, W)[:, ::-1]])
    path = matlab(Z=wide, names=NAMES, names2=["QC", *NAMES[::-1]])
    with pytest.raises(ValueError, match=r"weights\[0, 0\] is nan"):
        Connectome.from_mat(path, weights="Z")
    np.testing.assert_array_equal(Connectome.from_file(path, weights="Z", empty=0.0).weights, W)


def test_hdf5_of_the_virtual_brain(tmp_path):
    with h5py.File(tmp_path / "conn.h5", "w") as file:
        file.attrs["gid"] = "a"
        file["weights"], file["tract_lengths"], file["centres"] = W, L, np.arange(12.0).reshape(4, 3)
        file["region_labels"], file["hemispheres"] = np.array([x.encode() for x in NAMES]), [0, 1, 0, 1]
    for read in (Connectome.from_tvb, Connectome.from_file):
        conn = read(tmp_path / "conn.h5")
        np.testing.assert_array_equal(conn.weights, W)
        np.testing.assert_array_equal(conn.lengths.to_decimal(u.mm), L)
        assert (conn.labels, conn.hemispheres) == (tuple(NAMES), ("left", "right", "left", "right"))


# --- tables of other programs -----------------------------------------------------------------------------------------
def test_excel_parquet_and_cifti(tmp_path):
    FRAME.to_excel(tmp_path / "a.xlsx", sheet_name="SC")
    FRAME.to_parquet(tmp_path / "a.parquet")
    FRAME.reset_index().to_parquet(tmp_path / "b.parquet", index=False)
    axis = nibabel.cifti2.ParcelsAxis(
        NAMES, [np.zeros((0, 3), int)] * 4, [{"CIFTI_STRUCTURE_CORTEX_LEFT": np.array([i])} for i in range(4)],
        np.eye(4), (2, 2, 2), {"CIFTI_STRUCTURE_CORTEX_LEFT": 10},
    )  # fmt: skip
    nibabel.save(nibabel.Cifti2Image(W, (axis, axis)), tmp_path / "a.pconn.nii")
    for name in ("a.xlsx", "a.parquet", "b.parquet", "a.pconn.nii"):
        conn = Connectome.from_file(tmp_path / name)
        np.testing.assert_allclose(conn.weights, W, rtol=1e-7)
        assert conn.labels == tuple(NAMES), name
        np.testing.assert_allclose(read_array(tmp_path / name, regions=NAMES[::-1]), W[::-1, ::-1], rtol=1e-7)
    pd.DataFrame(W).to_excel(tmp_path / "bare.xlsx", header=False, index=False)
    np.testing.assert_array_equal(Connectome.from_file(tmp_path / "bare.xlsx").weights, W)
    assert Connectome.from_file(tmp_path / "a.xlsx", sheet="SC").labels == tuple(NAMES)


def test_without_a_library_the_extra_is_named(tmp_path, monkeypatch):
    FRAME.to_excel(tmp_path / "a.xlsx")

    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ImportError, match=r'pip install "brainmass\[tables\]"'):
        Connectome.from_file(tmp_path / "a.xlsx")


# --- The Virtual Brain ------------------------------------------------------------------------------------------------
def archive(path, **members):
    with zipfile.ZipFile(path, "w") as target:
        for name, content in members.items():
            target.writestr(f"{name}.txt", content)
    return path


def test_archives_of_the_virtual_brain_as_they_are(tmp_path):
    xyz = "".join(f"{name} {i} 0 1\n" for i, name in enumerate(NAMES))
    path = archive(tmp_path / "a.zip", weights=lines(W, " "), tract_lengths="\n", centres=xyz)
    with pytest.warns(UserWarning, match="tract_lengths.txt' is empty: the connectome has no lengths"):
        assert Connectome.from_tvb(path).lengths is None
    both = archive(tmp_path / "b.zip", weights=lines(W, " "), centres=xyz, centers=xyz)
    assert Connectome.from_file(both).labels == tuple(NAMES)
    other = archive(tmp_path / "c.zip", weights=lines(W, " "), centres=xyz, centers=xyz.replace("V1", "X"))
    with pytest.raises(ValueError, match="centres once, but it has 'centres.txt' and 'centers.txt': say which, as in"):
        Connectome.from_tvb(other)
    assert Connectome.from_tvb(other, centres="centers.txt").labels[0] == "X"
    twice = archive(tmp_path / "d.zip", weights=lines(W, " "), centres=xyz.replace("V2", "V1"))
    with pytest.raises(ValueError, match="number_repeated=True, or give `labels`, but 'V1' is there twice"):
        Connectome.from_tvb(twice)
    assert Connectome.from_tvb(twice, number_repeated=True).labels == ("V1 1", "V1 2", "MT", "M1")
    assert Connectome.from_file(twice, labels=NAMES).labels == tuple(NAMES)
    odd = archive(tmp_path / "e.zip", weights=lines(W, " "), centres=xyz.replace("V1", "left V1,a;b"))
    assert Connectome.from_tvb(odd).labels[0] == "left V1,a;b"


# --- the front door ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps([1]), "it is a pickle, which can run code when it is read: save it as .npz"),
        (b"\x89PNG\r\n\x1a\n", "it is a picture"),
        (b"mrtrix tracks\ndatatype: Float32LE", "streamlines, of which tck2connectome makes a connectome"),
        (b"<?xml version='1.0'?><graphml>", r"Connectome.from_networkx\(networkx.read_graphml\(path\)\)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel file, save it as .xlsx"),
        (b"", "it is empty"),
    ],
)
def test_other_kinds_are_refused_in_words(tmp_path, content, message):
    for read in (Connectome.from_file, Connectome.from_csv, read_array):
        with pytest.raises(ValueError, match=f"^File '.*a' must .*{message}"):
            read(put(tmp_path / "a", content))


def test_a_reader_of_one_kind_names_the_one_that_reads_another(tmp_path):
    np.savez(tmp_path / "a.npz", weights=W)
    (tmp_path / "a.npz").rename(tmp_path / "a.csv")
    with pytest.raises(
        ValueError, match="must be a text file, but it is an archive of numpy .*Connectome.from_npz reads"
    ):
        Connectome.from_csv(tmp_path / "a.csv")
    with pytest.raises(
        ValueError, match="must be a MATLAB file or an HDF5 file, but it is a text file.*from_csv reads"
    ):
        Connectome.from_mat(put(tmp_path / "a.mat", lines(W)))
    with pytest.raises(ValueError, match="from_npz reads"):
        Edges.from_csv(tmp_path / "a.csv")
    np.testing.assert_array_equal(Connectome.from_file(tmp_path / "a.csv").weights, W)
    edges = put(tmp_path / "e.csv", "source,target,weight\n0,1,2\n1,2,3\n2,0,1\n")
    with pytest.raises(ValueError, match=r"Edges.from_csv reads"):
        Connectome.from_file(edges)


def test_home_is_a_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    conn = Connectome(W, L * u.mm, NAMES)
    conn.to_csv("~/w.csv", "~/l.csv")
    conn.to_npz("~/w.npz")
    assert Connectome.from_csv("~/w.csv", "~/l.csv").labels == tuple(NAMES)
    assert Connectome.from_file("~/w.npz").labels == tuple(NAMES)
    np.testing.assert_array_equal(read_array("~/w.csv"), W)


def test_arrays_by_name(tmp_path):
    np.savez(tmp_path / "a.npz", fc=W, sc=L)
    np.testing.assert_array_equal(read_array(tmp_path / "a.npz", "sc"), L)
    for name in (None, "x"):
        with pytest.raises(ValueError, match=r"a.npz' must .*'fc' \(4, 4\), 'sc' \(4, 4\)"):
            read_array(tmp_path / "a.npz", name)
    with pytest.raises(ValueError, match="hold the variable 'fc', but it is a text file with one table"):
        read_array(put(tmp_path / "a.csv", lines(W)), "fc")


# --- bounds -----------------------------------------------------------------------------------------------------------
def npy_header(shape):
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head


@pytest.mark.slow
def test_what_a_small_file_declares_is_checked_before_memory_is_asked_for(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as target:
        target.writestr("weights.npy", npy_header((10**6, 10**6)))
    with pytest.raises(ValueError, match="'weights' of shape .* declares 8e.03 GB that are not there"):
        Connectome.from_npz(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="declares 8e.03 GB"):
        Connectome.from_file(put(tmp_path / "a.npy", npy_header((10**6, 10**6))))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("weights", shape=(10**6, 10**6), chunks=(1000, 1000), dtype="f8")
    with pytest.raises(ValueError, match="declare no more than it holds, but /weights declares 8e.03 GB"):
        Connectome.from_file(tmp_path / "a.h5")
    monkeypatch.setattr("brainmass._common.reading.problems._ALWAYS", 2**20)  # of 2**28, which would take a while
    small = gzip.compress(bytes(3 * 2**20), 9)
    with pytest.raises(ValueError, match="declare no more than it holds"):
        Connectome.from_file(put(tmp_path / "a.csv.gz", small))
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_BZIP2) as target:
        target.writestr("weights.txt", b"0 " * 2**20)
    with pytest.raises(ValueError, match="declare no more than it holds"):
        Connectome.from_tvb(tmp_path / "b.zip")
    assert (tmp_path / "b.zip").stat().st_size < 2**10
    sparse = {"format": np.array(b"coo"), "shape": [10**8, 10**8], "data": [1.0], "row": [0], "col": [0]}
    np.savez(tmp_path / "s.npz", **sparse)
    with pytest.raises(ValueError, match=r"8e\+07 GB as a full array.*Edges.from_scipy"):
        Connectome.from_npz(tmp_path / "s.npz")


def test_numbers_in_other_files_are_refused(tmp_path):
    secret = put(tmp_path / "secret.bin", W.tobytes())
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset("weights", (4, 4), "f8", external=[(str(secret), 0, 128)])
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["weights"] = W
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((4, 4), "f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "weights", (4, 4))
        file.create_virtual_dataset("weights", layout)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["weights"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "weights")
    for name in ("external", "virtual"):
        with pytest.raises(ValueError, match="hold its own numbers, but '/weights' lies in another file"):
            Connectome.from_file(tmp_path / f"{name}.h5")
    with pytest.raises(ValueError, match="hold weights under a usual name, but it has no variables"):
        Connectome.from_file(tmp_path / "link.h5")


def test_labels_do_not_steer_a_terminal(tmp_path):
    path = put(tmp_path / "w.csv", '"\x1b]0;owned\x07V1",V2,MT,M1\n' + lines(W))
    with pytest.raises(ValueError) as caught:
        Connectome.from_csv(path)
    assert str(caught.value).isprintable()
    scipy.io.savemat(tmp_path / "a.mat", {"SC": W, "labels": np.array(["\x1b[31mV1", "V2", "MT", "M1"], object)})
    with pytest.raises(ValueError, match="printable") as caught:
        Connectome.from_mat(tmp_path / "a.mat")
    assert str(caught.value).isprintable()
    with pytest.raises(ValueError, match="labels"):
        brainmass.Result({}, {}, dt=1 * u.ms, duration=1 * u.ms, labels=("a\x1b", "b"))
