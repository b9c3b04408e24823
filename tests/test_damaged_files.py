"""Damaged and hostile files give the errors that are promised, and nothing else; a full disk is an error."""

import gzip
import subprocess
import sys
import textwrap

import brainunit as u
import h5py
import jax.numpy as jnp
import nibabel
import numpy as np
import pytest
import scipy.io
import scipy.sparse
import xarray

import brainmass
from brainmass import Connectome, Edges, Result, read_array

W = np.array([[0.0, 1.5, 2.0], [3.25, 0.0, 4.0], [5.0, 6.0, 0.0]])


def result(n=200):
    values = jnp.arange(3.0 * n).reshape(n, 3)
    return Result(
        {"r": values * u.Hz},
        {"r": jnp.arange(1.0, n + 1) * u.ms},
        dt=1 * u.ms,
        duration=n * u.ms,
        labels=("a", "b", "c"),
    )


def connectome():
    return Connectome(W, 10 * W * u.mm, ["a", "b", "c"], "toy", ["left", "right", "left"], np.ones((3, 3)) * u.mm)


def parcels():
    places = [{"CIFTI_STRUCTURE_CORTEX_LEFT": np.array([i])} for i in range(3)]
    axis = nibabel.cifti2.ParcelsAxis(
        ["a", "b", "c"], [np.zeros((0, 3), int)] * 3, places, np.eye(4), (2, 2, 2), {"CIFTI_STRUCTURE_CORTEX_LEFT": 10}
    )
    return nibabel.Cifti2Image(W, (axis, axis))


def write_all(folder):
    """Every kind of file, with what reads it."""
    import pandas as pd

    conn, edges = connectome(), connectome().to_edges()
    for kind in ("csv", "npz", "mat"):
        getattr(conn, f"to_{kind}")(folder / f"c.{kind}")
    conn.to_tvb(folder / "c.zip")
    scipy.io.savemat(folder / "z.mat", {"SC": W, "s": {"D": W, "who": ["a", "bc"]}}, do_compression=True)
    edges.to_csv(folder / "e.csv")
    edges.to_npz(folder / "e.npz")
    np.save(folder / "w.npy", W)
    with h5py.File(folder / "w.h5", "w") as file:
        file["weights"] = W
        file["labels"] = ["a", "b", "c"]
    table = xarray.DataArray(W, dims=("target", "source"), coords={"source": list("abc"), "target": list("abc")})
    table.to_dataset(name="weights").to_netcdf(folder / "w.nc", engine="h5netcdf")
    np.savez(folder / "o.npz", weights=W, labels=np.array(["a", "b", "c"], object))
    pd.DataFrame(W).to_excel(folder / "w.xlsx", header=False, index=False)
    pd.DataFrame(W, list("abc"), list("abc")).to_parquet(folder / "w.parquet")
    pd.DataFrame({"source": ["a", "b"], "target": ["b", "a"], "weight": [1.0, 2.0]}).to_excel(folder / "e.xlsx")
    nibabel.save(parcels(), folder / "w.pconn.nii")
    scipy.io.savemat(folder / "four.mat", {"SC": W, "names": np.array(["a", "b", "c"])}, format="4")
    scipy.io.savemat(folder / "sparse.mat", {"SC": scipy.sparse.csc_matrix(W)})
    scipy.sparse.save_npz(folder / "sparse.npz", scipy.sparse.csr_array(W))
    (folder / "w.csv.gz").write_bytes(gzip.compress((folder / "c.csv").read_bytes()))
    result().save(folder / "r.npz")
    result().save(folder / "r.nc")
    names = "c.csv c.npz c.mat z.mat c.zip w.npy w.h5 w.xlsx w.parquet w.pconn.nii four.mat sparse.mat sparse.npz"
    names += " w.nc o.npz w.csv.gz"
    readers = dict.fromkeys(names.split(), Connectome.from_file) | {"e.xlsx": Edges.from_file}
    return readers | {"e.csv": Edges.from_csv, "e.npz": Edges.from_npz, "r.npz": Result.load, "r.nc": Result.load}


def damaged(data, rng):
    """One byte changed, some bytes changed, cut, or with something in between."""
    data = bytearray(data)
    how = rng.integers(4)
    if how == 0:
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    elif how == 1:
        for _ in range(5):
            data[rng.integers(len(data))] = rng.integers(256)
    elif how == 2:
        data = data[: rng.integers(len(data))]
    else:
        at = rng.integers(len(data))
        data[at:at] = rng.bytes(7)
    return bytes(data)


def fuzz(folder, count):
    unclear = []
    for name, read in write_all(folder).items():
        whole, suffix = (folder / name).read_bytes(), name.partition(".")[2]
        target = folder / f"damaged.{suffix}"
        rng = np.random.default_rng(list(name.encode()))
        for i in range(count):
            target.write_bytes(damaged(whole, rng))
            try:
                read(target)
            except ValueError as error:
                if not str(error).isprintable():
                    unclear.append((name, i, repr(error)))
            except Exception as error:
                unclear.append((name, i, repr(error)))
    return unclear


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_give_the_promised_error(tmp_path):
    """Those of MATLAB that ended the process within scipy were about one in a hundred: see `matlab_layout`."""
    assert fuzz(tmp_path, 30) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_many_damaged_files_give_the_promised_error(tmp_path):
    assert fuzz(tmp_path, 1500) == []


def test_texts_of_hdf5_whose_rest_has_no_size(tmp_path):
    """The HDF5 library goes round in such a file without an end."""
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["weights"], file["labels"] = W, ["a", "b", "c"]
    whole = (tmp_path / "w.h5").read_bytes()
    start = whole.index(b"GCOL")
    rest = start + 16 + 3 * 24  # after three parts of one letter each, which take eight bytes
    assert whole[rest : rest + 2] == bytes(2) and int.from_bytes(whole[rest + 8 : rest + 16], "little") > 1000
    (tmp_path / "w.h5").write_bytes(whole[: rest + 8] + bytes(8) + whole[rest + 16 :])
    with pytest.raises(ValueError, match="be a whole HDF5 file, .*a part of its texts does not fit in"):
        Connectome.from_file(tmp_path / "w.h5")


def test_a_changed_bit_in_a_netcdf_file_never_goes_unseen(tmp_path):
    path = tmp_path / "r.nc"
    result().save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for at in rng.integers(len(whole), size=60):
        changed = bytearray(whole)
        changed[at] ^= 1 << rng.integers(8)
        path.write_bytes(changed)
        with pytest.raises(ValueError, match="must be a whole file written by Result.save"):
            Result.load(path)


def test_a_netcdf_file_is_read_by_xarray_and_by_other_readers_with_its_checksums(tmp_path):
    import xarray

    result().save(tmp_path / "r.nc")
    with xarray.open_dataset(tmp_path / "r.nc", engine="h5netcdf") as dataset:
        np.testing.assert_array_equal(dataset["r"], result()["r"].mantissa)
    with h5py.File(tmp_path / "r.nc") as file:
        assert file["r"].fletcher32


def test_a_result_whose_numbers_lie_elsewhere_is_refused(tmp_path):
    result().save(tmp_path / "r.nc")
    (tmp_path / "secret").write_bytes(bytes(8000))
    with h5py.File(tmp_path / "r.nc", "r+") as file:
        del file["r"]
        file.create_dataset("r", (200, 3), "f8", external=[(str(tmp_path / "secret"), 0, 4800)])
    with pytest.raises(
        ValueError, match="must be a whole file written by Result.save.*(lies in another file|checksum)"
    ):
        Result.load(tmp_path / "r.nc")


def test_a_full_disk_is_an_error_and_the_session_lives(tmp_path):
    code = f"""
        import resource
        import brainunit as u, jax.numpy as jnp
        from brainmass import Result
        n = 20000
        r = Result({{"r": jnp.ones((n, 3))}}, {{"r": jnp.arange(1.0, n + 1) * u.ms}}, dt=1 * u.ms, duration=n * u.ms)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        for suffix in ("nc", "npz"):
            try:
                r.save({str(tmp_path)!r} + "/r." + suffix)
            except OSError as error:
                print("told", suffix)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["told", "nc", "told", "npz"]
    assert list(tmp_path.iterdir()) == []


def test_permissions_are_kept_and_home_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for suffix in ("npz", "nc"):
        result().save(f"~/r.{suffix}")
        (tmp_path / f"r.{suffix}").chmod(0o640)
        result().save(f"~/r.{suffix}")
        assert (tmp_path / f"r.{suffix}").stat().st_mode & 0o777 == 0o640
        assert Result.load(f"~/r.{suffix}").labels == ("a", "b", "c")


def test_nested_too_deep(tmp_path):
    from brainmass.experiments.document import Document, ExperimentError

    (tmp_path / "deep.toml").write_text("a = " + "[" * 20_000 + "]" * 20_000)
    with pytest.raises(ExperimentError, match="nested too deep"):
        Document(tmp_path / "deep.toml")


def test_a_result_that_declares_too_much_is_refused(tmp_path):
    import zipfile

    result().save(tmp_path / "r.npz")
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }".ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "r.npz", "a") as target:
        target.writestr("more.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
    with pytest.raises(ValueError, match="written by Result.save.*declares 8e.03 GB"):
        Result.load(tmp_path / "r.npz")
    assert read_array is brainmass.read_array


# --- sweeps -----------------------------------------------------------------------------------------------------------
SWEEP = """
    import resource, sys
    from pathlib import Path
    import brainmass, brainunit as u, numpy as np
    folder, suffix, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    simulator = brainmass.Simulator(brainmass.HopfStep(40, a=0.1), dt=0.1 * u.ms)
    def run(**how):
        return brainmass.sweep(simulator, 40 * u.ms, {"a": np.linspace(0, 1, 10)}, monitors=["x"], seeds=2, **how)
    store = folder / ("s." + suffix)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        run(store=store)
    except OSError as error:
        print("told")
    print(*sorted(path.name for path in folder.iterdir() if "lock" not in path.name))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    print(run(store=store, resume=True).identical(run().assign_attrs(run(store=store, resume=True).attrs)))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "limit", "left"),
    [("zarr", 50_000, "s.zarr"), ("nc", 1_200_000, "s.nc.unfinished.zarr")],
)
def test_a_full_disk_ends_a_sweep_with_an_error_and_it_goes_on_when_there_is_room(tmp_path, suffix, limit, left):
    """The last: what was run fits on the disk, and the file that is made of it does not."""
    code = [sys.executable, "-c", textwrap.dedent(SWEEP), str(tmp_path), suffix, str(limit)]
    done = subprocess.run(code, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["told", left, "True"]
    assert not list(tmp_path.glob(".*partial*"))


def test_a_file_of_a_sweep_that_is_damaged_or_lies_elsewhere_is_refused(tmp_path):
    simulator = brainmass.Simulator(brainmass.HopfStep(3, a=0.1), dt=0.1 * u.ms)

    def run(**how):
        return brainmass.sweep(simulator, 2 * u.ms, {"a": [0.0, 1.0]}, monitors=["x"], store=tmp_path / "s.nc", **how)

    run()
    whole = (tmp_path / "s.nc").read_bytes()
    rng = np.random.default_rng(0)
    for at in rng.integers(len(whole), size=20):
        changed = bytearray(whole)
        changed[at] ^= 1 << rng.integers(8)
        (tmp_path / "s.nc").write_bytes(changed)
        with pytest.raises(ValueError, match="no file of a sweep"):
            run(resume=True)
    (tmp_path / "s.nc").write_bytes(whole[: whole.rindex(b"\nbrainmass sha256")])
    (tmp_path / "secret").write_bytes(bytes(8000))
    with h5py.File(tmp_path / "s.nc", "r+") as file:
        shape = file["x"].shape
        del file["x"]
        file.create_dataset("x", shape, "f4", external=[(str(tmp_path / "secret"), 0, 4 * int(np.prod(shape)))])
    with pytest.raises(ValueError, match="no file of a sweep .*(lies in another file|checksum)"):
        run(resume=True)
