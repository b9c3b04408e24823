"""What kind of file it is, by its first bytes, and which call reads it."""

from __future__ import annotations

import io
import zipfile

from brainmass._common.reading.matlab_layout import is_matlab_4

__all__ = ["READERS", "in_words", "kind_of", "refuse_kind"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
#: kinds that are read nowhere here: how they begin, what they are, and what to do
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x80\x02", "a pickle", "which can run code when it is read: save it as .npz"),
    (b"\x80\x03", "a pickle", "which can run code when it is read: save it as .npz"),
    (b"\x80\x04", "a pickle", "which can run code when it is read: save it as .npz"),
    (b"\x80\x05", "a pickle", "which can run code when it is read: save it as .npz"),
    (b"\x89PNG", "a picture", "which holds no numbers to read"),
    (b"\xff\xd8\xff", "a picture", "which holds no numbers to read"),
    (b"%PDF", "a PDF document", "which holds no numbers to read"),
    (b"%%MatrixMarket", "a Matrix Market file", "which Edges.from_scipy(scipy.io.mmread(path)) reads"),
    (b"ARROW1", "a feather file", "which pandas.read_feather(path) reads; give its table"),
    (b"graph [", "a GML file", "which Connectome.from_networkx(networkx.read_gml(path)) reads"),
    (b"mrtrix tracks", "a file of streamlines", "of which tck2connectome makes a connectome"),
    (b"TRACK", "a file of streamlines", "of which a connectome has to be made first"),
    (
        b"<?xml",
        "an XML file",
        "as GraphML: Connectome.from_networkx(networkx.read_graphml(path)) reads that",
    ),
    (b"<graphml", "a GraphML file", "which Connectome.from_networkx(networkx.read_graphml(path)) reads"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file", "save it as .xlsx or .csv"),
    (b"RDX", "a file of R", "save the matrix there with write.csv"),
    (b"X\n\0\0\0", "a file of R", "save the matrix there with write.csv"),
    (b"CDF", "a netCDF 3 file", "which xarray.open_dataset(path) reads; give its array"),
    (b"7z\xbc\xaf", "a 7z archive", "which has to be unpacked first"),
    (b"Rar!", "a RAR archive", "which has to be unpacked first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "which has to be unpacked first"),
    (b"\x7fELF", "a program", "which holds no numbers to read"),
)
_TAR = "a tar archive"
WORDS = {
    "text": "a text file", "npy": "an array of numpy (.npy)", "npz": "an archive of numpy arrays (.npz)",
    "mat": "a MATLAB file", "hdf5": "an HDF5 file", "xlsx": "an Excel file", "parquet": "a parquet file",
    "cifti": "a NIfTI file", "tvb": "a zip archive of text files, as of The Virtual Brain", "zip": "a zip archive",
}  # fmt: skip
READERS = {
    "text": "from_csv", "npz": "from_npz", "mat": "from_mat", "hdf5": "from_file", "tvb": "from_tvb",
    "npy": "from_file", "xlsx": "from_file", "parquet": "from_file", "cifti": "from_file", "zip": "from_file",
}  # fmt: skip


def kind_of(data: bytes) -> str:
    """'text', 'npy', 'npz', 'mat', 'hdf5', 'xlsx', 'parquet', 'cifti', 'tvb', 'zip', or the words for another."""
    if data[:6] == b"\x93NUMPY":
        return "npy"
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _kind_of_zip(data)
    # Before MATLAB's older versions, which begin with the same word.
    if data[:10] == b"MATLAB 7.3":
        return "hdf5"
    if data[:6] == b"MATLAB" or is_matlab_4(data):
        return "mat"
    # A user's block of 512 bytes, or twice as many and so on, may stand before it (HDF5 File Format Specification,
    # II.A).
    if any(data[at : at + 8] == _HDF5 for at in (0, 512, 1024, 2048)):
        return "hdf5"
    if data[:4] == b"PAR1":
        return "parquet"
    # NIfTI-2 says so in its fifth byte, NIfTI-1 in its 345th.
    if data[4:8] in (b"n+2\0", b"n+1\0") or data[344:348] in (b"n+1\0", b"ni1\0"):
        return "cifti"
    if data[257:262] == b"ustar":
        return _TAR
    for start, words, _ in _OTHERS:
        if data[: len(start)] == start:
            return words
    return "text"


def _kind_of_zip(data: bytes) -> str:
    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except Exception:  # damaged: whoever reads it says so
        return "zip"
    bases = [name.replace("\\", "/").split("/")[-1].lower() for name in names]
    if "[Content_Types].xml" in names:
        return "xlsx"
    if bases and all(base.endswith(".npy") for base in bases):
        return "npz"
    known = ("weights.txt", "tract_lengths.txt", "centres.txt", "centers.txt")
    return "tvb" if any(base.removesuffix(".bz2") in known for base in bases) else "zip"


def in_words(kind: str) -> str:
    return WORDS.get(kind, kind)


def refuse_kind(kind: str) -> str:
    """What to do with a file of a kind that is not read here."""
    if kind == _TAR:
        return "which has to be unpacked first"
    return next((advice for _, words, advice in _OTHERS if words == kind), "which is not read here")
