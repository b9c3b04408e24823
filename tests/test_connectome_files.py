"""Connectomes in files: what is written is read, by us and by other readers; damaged files are refused by name."""

import bz2
import io
import zipfile

import brainunit as u
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from brainmass.connectome.dense import Connectome
from brainmass.connectome.edges import Edges

W = np.array([[0.0, 0.1, 3.0], [1e-7, 0.5, 0.0], [2.0, 1 / 3, 0.0]])
L = np.array([[0.0, 40.0, 61.5], [40.0, 0.0, 12.25], [61.5, 12.25, 0.0]])
XYZ = np.array([[-30.5, 1.0, 2.0], [30.5, 1.0, 2.0], [0.0, -9.75, 8.0]])
NAMES = ("lV1", "rV1", "rMT")
SIDES = ("left", "right", "right")


@pytest.fixture
def full():
    return Connectome(W, L * u.mm, NAMES, "toy", SIDES, XYZ * u.mm)


def same(conn, name="toy", centres=True, hemispheres=True, labels=NAMES):
    np.testing.assert_array_equal(conn.weights, W)
    np.testing.assert_array_equal(conn.lengths.to_decimal(u.mm), L)
    assert (conn.labels, conn.name) == (labels, name)
    assert conn.hemispheres == (SIDES if hemispheres else None)
    if centres:
        np.testing.assert_array_equal(conn.centres.to_decimal(u.mm), XYZ)
    return True


def text(rows, delimiter=" "):
    return "".join(delimiter.join(map(str, row)) + "\n" for row in np.asarray(rows, dtype=object).tolist())


def put(path, content):
    path.write_text(content)
    return path


# --- The Virtual Brain ------------------------------------------------------------------------------------------------
TVB = {
    "weights.txt": text(W),
    "tract_lengths.txt": text(L),
    "centres.txt": text(np.column_stack([np.array(NAMES, dtype=object), XYZ])),
    "hemispheres.txt": "0\n1\n1\n",
    "info.txt": 'weights_unit = "au"\nlength_unit = "mm"area_unit = "mm^2"',
    "average_orientations.txt": "not read",
    "areas.txt": "not read",
    "cortical.txt": "1\n1\n1\n",
}


def archive(path, members, folder=""):
    with zipfile.ZipFile(path, "w") as target:
        for name, content in members.items():
            content = content.encode() if isinstance(content, str) else content
            target.writestr(folder + name, content)
    return path


def compressed(members):
    return {name + ".bz2": bz2.compress(content.encode()) for name, content in members.items() if name != "info.txt"}


@pytest.mark.parametrize("folder", ["", "connectivity_3/"])
@pytest.mark.parametrize("change", [dict, compressed])
def test_tvb_archive(tmp_path, folder, change):
    path = archive(tmp_path / "toy.zip", change(TVB), folder)
    same(Connectome.from_tvb(path))
    assert Connectome.from_tvb(str(path), name="other").name == "other"


def test_tvb_folder(tmp_path):
    folder = tmp_path / "toy"
    folder.mkdir()
    for name, content in TVB.items():
        put(folder / name, content)
    same(Connectome.from_tvb(folder))
    same(Connectome.from_tvb(f"{folder}/"))


def test_tvb_rows_receive(tmp_path):
    path = archive(tmp_path / "two.zip", {"weights.txt": "0 0\n4 0\n", "centres.txt": "V1 0 0 0\nMT 1 1 1\n"})
    edges = Connectome.from_tvb(path).to_edges()
    assert [edges.labels[i] for i in (*edges.source, *edges.target)] == ["V1", "MT"]


def test_tvb_only_weights_are_needed(tmp_path):
    conn = Connectome.from_tvb(archive(tmp_path / "w.zip", {"weights.txt": text(W)}))
    np.testing.assert_array_equal(conn.weights, W)
    assert conn.lengths is conn.centres is conn.hemispheres is None


def test_tvb_unit_of_length(tmp_path):
    said = TVB | {"info.txt": 'length_unit = "cm"'}
    conn = Connectome.from_tvb(archive(tmp_path / "cm.zip", said))
    np.testing.assert_allclose(conn.lengths.to_decimal(u.mm), 10 * L, rtol=1e-12)
    conn = Connectome.from_tvb(tmp_path / "cm.zip", length_unit=u.meter)
    np.testing.assert_allclose(conn.lengths.to_decimal(u.mm), 1000 * L, rtol=1e-12)
    archive(tmp_path / "ell.zip", TVB | {"info.txt": 'length_unit = "ell"'})
    with pytest.raises(
        ValueError, match=r"info.txt' must name a length_unit among .*, but it names 'ell'.*length_unit="
    ):
        Connectome.from_tvb(tmp_path / "ell.zip")


def test_tvb_fifth_column_and_rubbish_of_other_systems(tmp_path):
    members = TVB | {
        "centres.txt": "lV1 -30.5 1.0 2.0 None\n rV1 30.5 1 2 None\nrMT 0 -9.75 8 None\n",
        "__MACOSX/weights.txt": "rubbish",
    }
    same(Connectome.from_tvb(archive(tmp_path / "toy.zip", members)))


def test_to_tvb(full, tmp_path):
    full.to_tvb(tmp_path / "toy.zip")
    same(Connectome.from_tvb(tmp_path / "toy.zip"))
    with zipfile.ZipFile(tmp_path / "toy.zip") as stored:
        np.testing.assert_array_equal(np.loadtxt(io.BytesIO(stored.read("weights.txt"))), W)
        np.testing.assert_array_equal(np.loadtxt(io.BytesIO(stored.read("tract_lengths.txt"))), L)
        centres = np.loadtxt(io.BytesIO(stored.read("centres.txt")), dtype=str)
        np.testing.assert_array_equal(np.loadtxt(io.BytesIO(stored.read("hemispheres.txt"))), [0, 1, 1])
    assert tuple(centres[:, 0]) == NAMES
    np.testing.assert_array_equal(centres[:, 1:].astype(float), XYZ)


def test_to_tvb_labels_have_no_blanks(tmp_path):
    Connectome(np.ones((2, 2)), labels=["LH 1", "LH 2"], centres=XYZ[:2] * u.mm).to_tvb(tmp_path / "b.zip")
    assert Connectome.from_tvb(tmp_path / "b.zip").labels == ("LH_1", "LH_2")
    with pytest.raises(ValueError, match="differ in more than blanks"):
        Connectome(np.ones((2, 2)), labels=["a b", "a_b"], centres=XYZ[:2] * u.mm).to_tvb(tmp_path / "c.zip")
    with pytest.raises(ValueError, match="needs coordinates, but Connectome 'none' has none.*centres="):
        Connectome(np.ones((2, 2)), name="none").to_tvb(tmp_path / "d.zip")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"weights.txt": "0 1 2\n1 0 x\n2 1 0\n"},
            r"toy.zip/weights.txt' must hold numbers, but row 2, column 3 .*'x'",
        ),
        ({"weights.txt": "0 1 2\n1 0 3\n2 1\n"}, r"weights.txt' .*row 3 has 2 numbers and row 1 3 \(is the file cut"),
        (
            {"weights.txt": "0 1 2\n1 0 3\n"},
            r"tract_lengths.txt' must have one row per region, .* 3 and weights.txt has 2",
        ),
        ({"weights.txt": ""}, r"weights.txt' must hold numbers, but it is empty"),
        ({"weights.txt": "0 nan 2\n1 0 3\n2 1 0\n"}, r"toy.zip' does not hold .*`weights` .*weights\[0, 1\] is nan"),
        ({"weights.txt": b"\xff\xfe\x00"}, "weights.txt' must be a text file, but byte 0 is no text"),
        (
            {"tract_lengths.txt": "0 1 2\n1 0 3\n2 -1 0\n"},
            r"toy.zip' does not hold .*`lengths` .*lengths\[2, 1\] is -1",
        ),
        ({"tract_lengths.txt": text(np.ones((3, 2)))}, r"`lengths` .*\(3, 3\), but are of shape \(3, 2\)"),
        (
            {"centres.txt": "lV1 0 0 0\nrV1 0 0 0\n"},
            "centres.txt' must have one row per region, .* 2 and weights.txt has 3",
        ),
        (
            {"centres.txt": "a 0 0 0\nb 0 y 0\nc 1 1 1\n"},
            "centres.txt' must hold numbers, but row 2, column 3 holds 'y'",
        ),
        ({"centres.txt": "a 0 0 0\nb 0 0\nc 1 1 1\n"}, "centres.txt' must have rows of equal length, but row 2 has 2"),
        (
            {"centres.txt": "a 0 0 0\na 0 0 1\nc 1 1 1\n"},
            "labels that differ: .*number_repeated.* 'a' is there twice",
        ),
        ({"hemispheres.txt": "0\n1\n2\n"}, "toy.zip' does not hold .*`hemispheres` .*but is 2"),
        ({"hemispheres.txt": "0\n1\n"}, "hemispheres.txt' must have one row per region"),
        ({"old/weights.txt": "1"}, "toy.zip' must hold weights once, but it has 'weights.txt' and 'old/weights.txt'"),
        ({"weights.txt": None}, "toy.zip' must hold weights.txt, but it has centres, hemispheres, info, lengths"),
        ({"weights.txt": None, "weights.txt.bz2": bz2.compress(b"1 2\n3 4")[:-4]}, "weights.txt.bz2' must be whole"),
        (
            {"weights.txt": None, "weights.txt.bz2": b"1 2\n3 4"},
            "weights.txt.bz2' must be whole, but it cannot be read",
        ),
    ],
)
def test_tvb_refuses(tmp_path, members, message):
    members = {name: content for name, content in (TVB | members).items() if content is not None}
    with pytest.raises(ValueError, match=f"File '.*{message}"):
        Connectome.from_tvb(archive(tmp_path / "toy.zip", members))


def test_tvb_archive_that_is_cut_or_changed(tmp_path):
    whole = archive(tmp_path / "toy.zip", TVB).read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 5):
        (tmp_path / "cut.zip").write_bytes(whole[:length])
        with pytest.raises(ValueError, match="cut.zip' must be a folder or a whole zip archive, but it is none"):
            Connectome.from_tvb(tmp_path / "cut.zip")
    (tmp_path / "bad.zip").write_bytes(whole.replace(b"0.3333", b"0.4333", 1))
    with pytest.raises(ValueError, match="bad.zip/weights.txt' must be whole, but it cannot be read .*CRC"):
        Connectome.from_tvb(tmp_path / "bad.zip")
    with pytest.raises(FileNotFoundError, match="none.zip"):
        Connectome.from_tvb(tmp_path / "none.zip")


# --- csv --------------------------------------------------------------------------------------------------------------
def test_csv_round_trip(full, tmp_path):
    full.to_csv(tmp_path / "toy.csv", tmp_path / "lengths.csv")
    same(Connectome.from_csv(tmp_path / "toy.csv", tmp_path / "lengths.csv"), centres=False, hemispheres=False)
    numbers = np.loadtxt(tmp_path / "lengths.csv", delimiter=",", skiprows=1)
    np.testing.assert_array_equal(numbers, L)
    full.to_csv(tmp_path / "alone.csv")
    assert Connectome.from_csv(tmp_path / "alone.csv").lengths is None


HEAD = text([NAMES], ",")


@pytest.mark.parametrize(
    ("content", "labels"),
    [
        (text(W, ","), None),
        (text(W, " "), None),
        (text(W, "\t"), None),
        (text(W, ";"), None),
        (text(W, ", "), None),
        (text(W, ",").replace("\n", "\r\n"), None),
        (text(W, ",").replace("\n", ",\n"), None),
        ("\ufeff" + text(W, ","), None),
        ("# command: tck2connectome\n\n" + text(W, "  "), None),
        (HEAD + text(W, ","), NAMES),
        (" ".join(NAMES) + "\n" + text(W), NAMES),
        ('"lV1";"rV1";"rMT"\n' + text(W, ";"), NAMES),
        ('"V1, left","V1, right",MT\n' + text(W, ","), ("V1, left", "V1, right", "MT")),
        ("," + HEAD + text(np.column_stack([np.array(NAMES, dtype=object), W]), ","), NAMES),
        (" ".join(NAMES) + "\n" + text(np.column_stack([np.array(NAMES, dtype=object), W])), NAMES),
        (",0,1,2\n" + text(np.column_stack([np.array([0, 1, 2], dtype=object), W]), ","), ("0", "1", "2")),
    ],
)
def test_csv_dialects(tmp_path, content, labels):
    conn = Connectome.from_csv(put(tmp_path / "toy.csv", content))
    np.testing.assert_array_equal(conn.weights, W)
    assert conn.labels == (labels or tuple(f"region {i}" for i in range(3)))
    assert conn.name == "toy"


def test_csv_unit_of_length(tmp_path):
    paths = put(tmp_path / "w.csv", text(W)), put(tmp_path / "l.csv", text(L))
    conn = Connectome.from_csv(*paths, length_unit=u.cm)
    np.testing.assert_allclose(conn.lengths.to_decimal(u.mm), 10 * L, rtol=1e-12)
    with pytest.raises(ValueError, match="`length_unit` must be a unit of length, but is .*ms.*length_unit=u.mm"):
        Connectome.from_csv(*paths, length_unit=u.ms)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0,1\n1,x\n", "row 2, column 2 holds 'x'"),
        ("0,1\n1,\n", "row 2, column 2 holds ''"),
        ("0,1\n1,1_0\n", "row 2, column 2 holds '1_0'"),
        ("0,1,2\n1,0,3\nx,1,0\n", "row 3, column 1 holds 'x'"),
        ("0,x,2\n1,0,3\n2,1,0\n", "row 1, column 2 holds 'x'"),
        ("# by hand\n\na,b\n0,1\n1,0;5\n", "row 5, column 2 holds '0;5'"),
        ("0;1.5\n1;0,5\n", "one decimal mark: say decimal=',' or decimal='.', but row 2 holds '0,5' and another '1.5'"),
        ("0;1,500\n2,250;0\n", "one decimal mark: .*row 1 holds '1,500'"),
        (",a,b\na,0,1\nb,?,0\n", r"row 3, column 2 holds '\?'"),
        ("0,1,2\n1,0,3\n2,1", r"row 3 has 2 numbers and row 1 3 \(is the file cut short\?\)"),
        ("0,1,2\n1,0\n2,1,0\n", "row 2 has 2 numbers and row 1 3"),
        ("a,b,c\n", "it ends after a row of labels"),
        ("a,b,c\n0,1\n1,0\n", "row 1 has 3 labels and row 2 2 numbers"),
        (",a,b\nb,0,1\na,1,0\n", "row 1 is 'b' where the column is 'a'"),
        (",a,b\na,0,1\nc,1,0\n", "must be a table of the regions 'a', 'c', but has 'b'"),
        ("# nothing\n", "it is empty"),
        ('"a,b\n0,1\n1,0\n', "row 1 has a quote that does not end"),
        ("0,1,2\n1,0,3\n", "hold a square matrix, but it is 2 × 3: if its first column are names"),
        ("0,1\n1,inf\n", r"weights\[1, 1\] is inf"),
        ("a,a\n0,1\n1,0\n", "'a' is there twice"),
    ],
)
def test_csv_refuses(tmp_path, content, message):
    with pytest.raises(ValueError, match=f"^File '.*w.csv' .*{message}"):
        Connectome.from_csv(put(tmp_path / "w.csv", content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0 1\n1 0\n", "l.csv' must be of the shape of '.*w.csv', but it is 2 × 2 and that is 3 × 3"),
        ("lV1,rMT,V4\n" + text(L, ","), "`lengths` .*must be a table of the regions 'lV1', .*but has 'V4'"),
        (text(L, ",").replace("12.25", "?"), r"l.csv' must hold numbers, but row 2, column 3 holds '\?'"),
        (text(-L, ","), r"w.csv' does not hold .*`lengths` .*lengths\[0, 1\] is -40"),
    ],
)
def test_csv_refuses_lengths(tmp_path, content, message):
    weights, lengths = put(tmp_path / "w.csv", HEAD + text(W, ",")), put(tmp_path / "l.csv", content)
    with pytest.raises(ValueError, match=f"^File '.*{message}"):
        Connectome.from_csv(weights, lengths)


def test_csv_that_is_no_text(tmp_path):
    (tmp_path / "w.csv").write_bytes(np.arange(300, dtype=np.uint8).tobytes())
    with pytest.raises(ValueError, match="w.csv' must be a text file, but byte 128 is no text"):
        Connectome.from_csv(tmp_path / "w.csv")
    with pytest.raises(FileNotFoundError):
        Connectome.from_csv(tmp_path / "none.csv")


def test_csv_is_not_written_where_it_could_not_be_read(full, tmp_path):
    with pytest.raises(ValueError, match="'bare' has no lengths to write"):
        Connectome(W, name="bare").to_csv(tmp_path / "w.csv", tmp_path / "l.csv")
    with pytest.raises(ValueError, match="`lengths` of to_csv must be a file of its own"):
        full.to_csv(tmp_path / "w.csv", tmp_path / "w.csv")
    assert not list(tmp_path.iterdir())


# --- npz and mat ------------------------------------------------------------------------------------------------------
WRITERS = {"npz": lambda path, **arrays: np.savez(path, **arrays), "mat": lambda path, **a: scipy.io.savemat(path, a)}


@pytest.fixture(params=["npz", "mat"])
def kind(request):
    return request.param


def read(kind, path, **arguments):
    return getattr(Connectome, f"from_{kind}")(path, **arguments)


def write(kind, conn, path):
    getattr(conn, f"to_{kind}")(path)
    return path


def test_archive_round_trip(kind, full, tmp_path):
    path = write(kind, full, tmp_path / f"file.{kind}")
    same(read(kind, path))
    assert read(kind, path, name="other").name == "other"
    bare = Connectome(W)
    again = read(kind, write(kind, bare, path))
    assert again.lengths is again.hemispheres is again.centres is None
    assert (again.labels, again.name) == (bare.labels, bare.name)


def test_archive_is_read_by_others(full, tmp_path):
    with np.load(write("npz", full, tmp_path / "a.npz"), allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["weights"], W)
        np.testing.assert_array_equal(stored["lengths_mm"], L)
        assert tuple(stored["labels"]) == NAMES
    stored = scipy.io.loadmat(write("mat", full, tmp_path / "a.mat"))
    np.testing.assert_array_equal(stored["weights"], W)
    np.testing.assert_array_equal(stored["lengths_mm"], L)
    assert [cell.item() for cell in stored["labels"].ravel()] == list(NAMES)


def test_lengths_are_written_in_mm(kind, tmp_path):
    conn = Connectome(W, L / 1000 * u.meter)
    again = read(kind, write(kind, conn, tmp_path / f"a.{kind}"))
    np.testing.assert_allclose(again.lengths.to_decimal(u.mm), L, rtol=1e-14)


@pytest.mark.parametrize(
    "names", [("SC", "D"), ("C", "tract_lengths"), ("connectivity", "lengths"), ("sc", "distances")]
)
def test_usual_names(kind, names, tmp_path):
    weights, lengths = names
    WRITERS[kind](tmp_path / f"a.{kind}", **{weights: W, lengths: L, "unrelated": np.ones(7)})
    conn = read(kind, tmp_path / f"a.{kind}")
    np.testing.assert_array_equal(conn.weights, W)
    np.testing.assert_array_equal(conn.lengths.to_decimal(u.mm), L)
    assert conn.name == "a"


def test_given_names_and_unit(kind, tmp_path):
    path = tmp_path / f"a.{kind}"
    WRITERS[kind](path, SC=np.ones((2, 2)), mine=W, far=L, who=np.array(NAMES, dtype=object if kind == "mat" else None))
    conn = read(kind, path, weights="mine", lengths="far", labels="who", length_unit=u.cm)
    np.testing.assert_array_equal(conn.weights, W)
    np.testing.assert_array_equal(conn.lengths.to_decimal(u.cm), L)
    assert conn.labels == NAMES


def test_mat_of_matlab_style(tmp_path):
    arrays = {"SC": scipy.sparse.csc_array(W), "labels": np.array(["lV1", "rV1", "rMT "]), "hemispheres": [[0, 1, 1]]}
    scipy.io.savemat(tmp_path / "a.mat", arrays)
    conn = Connectome.from_mat(tmp_path / "a.mat")
    np.testing.assert_array_equal(conn.weights, W)
    assert (conn.labels, conn.hemispheres) == (NAMES, SIDES)
    scipy.io.savemat(tmp_path / "b.mat", {"SC": W, "labels": np.arange(7)})  # of something else
    with pytest.warns(UserWarning, match="b.mat' has 7 'labels' for 3 regions, which are left out: .*labels='names'"):
        assert Connectome.from_mat(tmp_path / "b.mat").labels[0] == "region 0"


@pytest.mark.parametrize(
    ("arrays", "arguments", "message"),
    [
        ({"x": W}, {}, r"hold weights under a usual name, but it has 'x' \(3, 3\): say which, as in weights='x'"),
        ({"SC": W}, {"weights": "S"}, r"hold the variable 'S', but it has 'SC' \(3, 3\)"),
        ({"SC": W, "C": W}, {}, "weights under one usual name, but it has 'SC' and 'C': say which, as in weights='SC'"),
        ({"SC": W, "D": L, "lengths": L}, {}, "hold lengths under one usual name, but it has 'lengths' and 'D'"),
        ({"SC": np.array(["0", "1"])}, {}, "hold real numbers, but the variable 'SC' holds text"),
        ({"SC": W + 1j}, {}, "hold real numbers, but the variable 'SC' holds complex numbers"),
        ({"SC": W[:2]}, {}, r"does not hold .*square matrix \(N, N\), but are of shape \(2, 3\)"),
        ({"SC": W * np.nan}, {}, r"does not hold .*weights\[0, 0\] is nan"),
        ({"SC": W, "D": L[:2, :2]}, {}, r"does not hold .*`lengths` .*\(3, 3\), but are of shape \(2, 2\)"),
        ({"SC": W, "who": np.array(["a", "b"])}, {"labels": "who"}, r"`labels` .*one per region \(3\), but are 2"),
        ({"SC": W}, {"length_unit": u.ms}, ""),
    ],
)
def test_archive_refuses(kind, arrays, arguments, message, tmp_path):
    WRITERS[kind](tmp_path / f"a.{kind}", **arrays)
    start = f"^File '.*a.{kind}' " if message else "^Argument `length_unit` must be"
    with pytest.raises(ValueError, match=f"{start}.*{message}"):
        read(kind, tmp_path / f"a.{kind}", **arguments)


def test_archive_with_objects(tmp_path):
    np.savez(tmp_path / "a.npz", SC=np.array([None, 1.0]), x=W)
    with pytest.raises(ValueError, match="a.npz' must be whole and hold plain arrays, but 'SC' cannot be read"):
        Connectome.from_npz(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"hold the variable 'y', but it has 'SC', 'x' \(3, 3\)"):
        Connectome.from_npz(tmp_path / "a.npz", weights="y")
    scipy.io.savemat(tmp_path / "a.mat", {"SC": {"field": W}})
    with pytest.raises(ValueError, match="the variable 'SC' is a struct: say which part, SC.field"):
        Connectome.from_mat(tmp_path / "a.mat")


def test_archive_that_is_cut(kind, full, tmp_path):
    whole = write(kind, full, tmp_path / f"a.{kind}").read_bytes()
    cut = tmp_path / f"cut.{kind}"
    for length in (0, 100, len(whole) // 3, len(whole) // 2, len(whole) - 30):
        cut.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=f"^File '.*cut.{kind}' "):
            read(kind, cut)
    with pytest.raises(FileNotFoundError):
        read(kind, tmp_path / f"none.{kind}")


def test_npz_that_is_changed(full, tmp_path):
    content = bytearray(write("npz", full, tmp_path / "a.npz").read_bytes())
    content[content.index(W.tobytes()[8:16])] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match="must be whole .* 'weights' cannot be read .*CRC"):
        Connectome.from_npz(tmp_path / "a.npz")


def test_mat_of_version_7_3(tmp_path):
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + bytes(8) + b"\x00\x02IM"
    (tmp_path / "a.mat").write_bytes(head + bytes(400))
    with pytest.raises(ValueError, match="a.mat' must be a whole HDF5 file, but it cannot be read"):
        Connectome.from_mat(tmp_path / "a.mat")


def test_mat_without_scipy(full, tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    full.to_mat(tmp_path / "a.mat")
    monkeypatch.setattr("importlib.import_module", missing)
    for act in (full.to_mat, Connectome.from_mat):
        with pytest.raises(ImportError, match=r'pip install "brainmass\[io\]"'):
            act(tmp_path / "a.mat")


# --- writing ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["to_tvb", "to_npz", "to_mat"])
def test_suffix_and_folder_are_checked(full, method, tmp_path):
    with pytest.raises(ValueError, match=r"`path` must end in \.(zip|npz|mat), but is '.*x.dat'"):
        getattr(full, method)(tmp_path / "x.dat")
    suffix = {"to_tvb": "zip"}.get(method, method[3:])
    with pytest.raises(FileNotFoundError, match="must lie in an existing folder"):
        getattr(full, method)(tmp_path / "none" / f"x.{suffix}")


def test_a_write_that_fails_leaves_what_was_there(full, tmp_path, monkeypatch):
    path = write("npz", full, tmp_path / "a.npz")
    before = path.read_bytes()

    def fails(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("numpy.savez", fails)
    with pytest.raises(OSError, match="disk full"):
        full.normalize("max").to_npz(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


finite = st.floats(-1e300, 1e300, allow_subnormal=False)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(2, 4).flatmap(lambda n: arrays(float, (n, n), elements=finite)),
    st.lists(st.text("abcXYZ_ -äß", min_size=1).map(lambda s: f"q{s}q"), min_size=4, max_size=4, unique=True),
)
def test_any_numbers_and_labels_survive(tmp_path, weights, labels):
    n = len(weights)
    conn = Connectome(weights, np.abs(weights) * u.mm, labels[:n], centres=np.resize(weights, (n, 3)) * u.mm)
    conn.to_csv(tmp_path / "a.csv", tmp_path / "l.csv")
    again = [Connectome.from_csv(tmp_path / "a.csv", tmp_path / "l.csv")]
    again += [read(kind, write(kind, conn, tmp_path / f"a.{kind}")) for kind in ("npz", "mat")]
    for other in again:
        np.testing.assert_array_equal(other.weights, conn.weights)
        np.testing.assert_array_equal(other.lengths.to_decimal(u.mm), conn.lengths.mantissa)
        assert other.labels == conn.labels


# --- lists of connections ---------------------------------------------------------------------------------------------
@pytest.fixture
def edges(full):
    return full.to_edges()


def test_edges_csv_round_trip(edges, tmp_path):
    edges.to_csv(tmp_path / "toy.csv")
    again = Edges.from_csv(tmp_path / "toy.csv", labels=NAMES)
    np.testing.assert_array_equal(again.to_connectome().weights, W)
    np.testing.assert_array_equal(again.length.mantissa, edges.length.to_decimal(u.mm))
    assert (again.labels, again.name) == (NAMES, "toy")


def test_edges_npz_round_trip(edges, tmp_path):
    edges.to_npz(tmp_path / "file.npz")
    again = Edges.from_npz(tmp_path / "file.npz")
    for name in ("source", "target", "weight"):
        np.testing.assert_array_equal(getattr(again, name), getattr(edges, name))
    np.testing.assert_array_equal(again.length.mantissa, edges.length.mantissa)
    assert (again.n, again.labels, again.hemispheres, again.name) == (3, NAMES, SIDES, "toy")
    np.testing.assert_array_equal(again.centres.mantissa, XYZ)
    np.savez(tmp_path / "other.npz", source=[0], weight=[1.0])
    with pytest.raises(
        ValueError, match=r"must be written by Edges.to_npz, .*'source' \(1,\).* and not 'target', 'labels'"
    ):
        Edges.from_npz(tmp_path / "other.npz")


@pytest.mark.parametrize(
    ("content", "arguments", "expected"),
    [
        ("source,target,weight\n0,1,2.5\n2,0,1\n", {}, (3, [0, 2], [1, 0], None, ("region 0", "region 1", "region 2"))),
        ("weight;Target;other;SOURCE\n2.5;1;x;0\n1;0;y;2\n", {"n": 5}, (5, [0, 2], [1, 0], None, None)),
        ("source target weight length\nb a 2.5 10\nc b 1 20\n", {}, (3, [0, 2], [1, 0], [10, 20], ("b", "a", "c"))),
        ("source,target,weight\na,b,2.5\nc,a,1\n", {"labels": list("cab")}, (3, [1, 0], [2, 1], None, ("c", "a", "b"))),
        ("source,target,weight\n7,5,2.5\n9,7,1\n", {"labels": list("579")}, (3, [1, 2], [0, 1], None, ("5", "7", "9"))),
    ],
)
def test_edges_csv(tmp_path, content, arguments, expected):
    edges = Edges.from_csv(put(tmp_path / "e.csv", content), **arguments)
    n, source, target, length, labels = expected
    assert edges.n == n
    np.testing.assert_array_equal(edges.source, source)
    np.testing.assert_array_equal(edges.target, target)
    np.testing.assert_array_equal(edges.weight, [2.5, 1.0])
    assert edges.length is None if length is None else edges.length.to_decimal(u.mm).tolist() == length
    assert labels is None or edges.labels == labels


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("from,target,weight\n0,1,2\n", {}, "with 'source', but row 1 is 'from', 'target', 'weight': rename"),
        ("0,1,2\n1,0,3\n", {}, r"row 1 is '0', '1', '2', as .*: write them above it \(source,target,weight\), .*Edges"),
        ("source,target,weight\n0,1,2\n1,2,x\n", {}, "hold numbers, but row 3, column 3 holds 'x'"),
        ("source,target,weight,length\na,b,1,2\nb,c,1", {}, r"4 columns, but row 3 has 3 \(is the file cut short\?\)"),
        ("source,target,weight\n0,1,2\n1,x,2\n", {}, "whole numbers from 0, or else labels only, .*row 3 holds 'x'"),
        ("source,target,weight\n0,1,2\n-1,0,2\n", {}, "row 3 holds '-1'"),
        ("source,target,weight\n0,1,2\n1.5,0,2\n", {}, "row 3 holds '1.5'"),
        ("source,target,weight\n0,1,2\n1,5,2\n", {"n": 3}, r"between 0 and 2, but target\[1\] is 5"),
        ("source,target,weight\na,b,2\na,b,2\n", {}, "the one from 'a' to 'b' is there twice"),
        (
            "source,target,weight\na,b,2\nb,d,2\n",
            {"labels": list("abc")},
            "regions of `labels` .*but has 'd'",
        ),
        ("source,target,weight\n0,1,nan\n", {}, r"weight\[0\] is nan"),
        ("source,target,weight\n", {}, "`n` .*but is 0"),
        ("", {}, "it is empty"),
    ],
)
def test_edges_csv_refuses(tmp_path, content, arguments, message):
    with pytest.raises(ValueError, match=f"^File '.*e.csv' .*{message}"):
        Edges.from_csv(put(tmp_path / "e.csv", content), **arguments)
