"""`brainmass sweep FILE`: the numbers of runs by hand, files to go on from, and errors with their lines."""

import hashlib

import brainunit as u
import jax
import numpy as np
import pytest

import brainmass
from brainmass.cli import main
from brainmass.sweeps import store

FC = np.array([[1.0, 0.5, 0.1], [0.5, 1.0, 0.3], [0.1, 0.3, 1.0]])
EXPERIMENT = """\
[model]
type = "HopfStep"
in_size = 3
noise_x = {type = "WhiteNoise", sigma = 0.1}

[monitors]
x = "x"

[simulation]
dt = "0.1 ms"
duration = "5 ms"

[sweep]
seeds = [4, 7]
at_once = 2
store = "kept.zarr"

[sweep.values]
a = {type = "linspace", start = -0.2, stop = 0.2, num = 3}

[sweep.measure]
level = {type = "mean", of = "x", axis = 0}
score = {type = "fc_corr", of = "x", target = {file = "fc.csv"}, target_is_fc = true}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savetxt("fc.csv", FC, delimiter=",")
    (tmp_path / "scan.toml").write_text(EXPERIMENT)
    return tmp_path


def test_sweep_is_cut_off_goes_on_and_has_the_numbers_of_single_runs(folder, capsys, monkeypatch):
    write, written = store.File.write, []

    def interrupted(self, runs, *rest):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(len(runs))
        write(self, runs, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(store.File, "write", interrupted)
        assert main(["sweep", "scan.toml", "-q"]) == 130
    assert written == [2, 2] and "interrupted" in capsys.readouterr().err
    rest = []
    monkeypatch.setattr(store.File, "write", lambda self, runs, *x: (rest.append(len(runs)), write(self, runs, *x)))
    assert main(["sweep", "scan.toml"]) == 0
    assert rest == [2]
    told = capsys.readouterr()
    assert "sweep of 6 runs (a 3, seed 2)" in told.out and "wrote" in told.out and "sweeping" in told.err

    xarray = pytest.importorskip("xarray")
    data = xarray.open_zarr("kept.zarr", chunks=None)
    np.testing.assert_allclose(data["a"], [-0.2, 0.0, 0.2])
    node = brainmass.HopfStep(3, noise_x=brainmass.WhiteNoise(3, sigma=0.1))
    run = jax.jit(brainmass.Simulator(node, dt=0.1 * u.ms).pure(5 * u.ms, monitors=["x"], free=["a"]))
    x = np.asarray(run({"a": 0.2}, jax.random.fold_in(jax.random.key(7), 2))["x"])
    one = data.isel(a=2).sel(seed=7)
    np.testing.assert_allclose(one["level"], x.mean(0), rtol=1e-4, atol=1e-6)
    pairs = np.triu_indices(3, 1)
    expected = np.corrcoef(np.corrcoef(x.T)[pairs], FC[pairs])[0, 1]
    np.testing.assert_allclose(one["score"], expected, rtol=1e-3)
    greatest = data["score"].mean("seed").max().item()
    assert f"  score  greatest {greatest:.4g} at a = " in told.out
    assert data.attrs["experiment_text"] == EXPERIMENT and data.attrs["precision"] == "float32"
    assert data.attrs["sha256 of fc.csv"] == hashlib.sha256((folder / "fc.csv").read_bytes()).hexdigest()


def test_another_sweep_does_not_go_into_the_store_and_force_removes_only_stores(folder, capsys):
    (folder / "kept.zarr").mkdir()
    (folder / "kept.zarr" / "mine.txt").write_text("not yours")
    for more in [], ["--force"]:
        assert main(["sweep", "scan.toml", "-q", *more]) == 2
        assert "is no file of a sweep" in capsys.readouterr().err
    assert (folder / "kept.zarr" / "mine.txt").exists()


@pytest.mark.parametrize("design", ["random_design", "sobol_design"])
def test_points_that_are_drawn(folder, design):
    text = EXPERIMENT.replace("seeds =", f'design = {{type = "{design}", n = 4, seed = 3}}\nseeds =')
    text = text.replace('{type = "linspace", start = -0.2, stop = 0.2, num = 3}', "[-0.2, 0.2]")
    (folder / "scan.toml").write_text(text.replace("level =", "x =").replace('score = {type = "fc_corr", of', "#"))
    from brainmass.experiments.document import Document
    from brainmass.experiments.experiment import Experiment
    from brainmass.experiments.sweeping import Sweep

    document = Document("scan.toml")
    given = Sweep(Experiment(document)).arguments
    document.check()
    drawn = getattr(brainmass, design)({"a": (-0.2, 0.2)}, 4, seed=3)
    np.testing.assert_array_equal(given["values"]["a"], drawn["a"])
    assert given["design"] == "list"


WRONG = [
    ("[sweep.values]\na", "[sweep.values]\nb", 19, "There is no parameter 'b'"),
    ("num = 3}", "nun = 3}", 19, "`nun` is no argument of linspace. Did you mean 'num'?"),
    ("start = -0.2", 'start = "-0.2 mV"', 19, "Both ends must have one unit"),
    ('{type = "linspace", start = -0.2, stop = 0.2, num = 3}', '["1 mV"]', 19, "must have no unit"),
    ('{type = "linspace", start = -0.2, stop = 0.2, num = 3}', '["1 mV", "1 ms"]', 19, "All entries must be in mV"),
    ('"mean"', '"meen"', 22, "There is no measure 'meen'. Did you mean 'mean'?"),
    ('of = "x", axis', 'of = "y", axis', 22, "There is no monitor 'y'. There are x."),
    ("axis = 0", "axes = 0", 22, "`axes` is no argument of mean. Did you mean 'axis'?"),
    ('target = {file = "fc.csv"}, ', "", 23, "fc_corr needs `target`"),
    ('"fc.csv"', '"cf.csv"', 23, "There is no file 'cf.csv'"),
    ('{file = "fc.csv"}', '{dataset = "hcp_schaefer100", array = "cf"}', 23, "There are fc, fcd_tril"),
    ("seeds = [4, 7]", "seeds = 1.5", 14, "must be a whole number, or a list of them, but is 1.5"),
    ("at_once", "at_one", 15, "[sweep] has no key `at_one`. Did you mean 'at_once'?"),
    ("seeds =", 'design = {n = 3}\nseeds =', 14, "must be text, or a table with a `type`"),
    ("seeds =", 'design = "gird"\nseeds =', 14, "must be 'grid' or 'list'"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "words"), WRONG, ids=lambda x: str(x)[:30])
def test_what_is_wrong_is_shown_with_its_line(folder, capsys, old, new, line, words):
    assert EXPERIMENT.count(old) == 1
    (folder / "scan.toml").write_text(EXPERIMENT.replace(old, new))
    assert main(["sweep", "scan.toml"]) == 2
    error = capsys.readouterr().err
    assert [text for text in error.splitlines() if words in text and text.startswith(f"scan.toml:{line}: ")], error
    assert not (folder / "kept.zarr").exists()


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[4, 7]", "[4, 4]", "must hold different seeds"),
        ("[sweep.values]", "[sweep.values]\nw = [0.1, 0.2]", "must have as many values"),
        ("at_once = 2", "at_once = 0", "at_once"),
        ("[sweep.values]", "[sweep.values]\nbeta = [[1.0, 2.0], [1.0, 2.0]]", "beta"),
    ],
)
def test_a_check_tries_all_points_together_and_runs_nothing(folder, capsys, old, new, words):
    text = EXPERIMENT.replace("seeds =", 'design = "list"\nseeds =')
    assert text.count(old) == 1
    (folder / "scan.toml").write_text(text)
    assert main(["sweep", "scan.toml", "--check"]) == 0
    (folder / "scan.toml").write_text(text.replace(old, new))
    assert main(["sweep", "scan.toml", "--check"]) == 2
    assert words in capsys.readouterr().err
    assert not list(folder.glob("*.zarr"))
