"""Odd files that look like usual ones: read as they are meant, or refused in words; none is misread in silence."""

import bz2
import gzip
import lzma
import struct

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from brainmass import Connectome, read_array

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
