"""`brainmass fit FILE`: the fit of Python, files to go on from, and errors with their lines."""

import functools

import brainunit as u
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from braintools.init import Constant

import brainmass
from brainmass.cli import main

EXPERIMENT = """\
[model]
type = "HopfStep"
in_size = 2
a = 0.05
w = 0.3
init_x = {type = "Constant", value = 0.6}
init_y = {type = "Constant", value = 0.0}

[monitors]
x = "x"

[simulation]
dt = "0.5 ms"
duration = "10 ms"

[fit]
optimizer = [{type = "clip_by_global_norm", max_norm = 1.0}, {type = "adam", learning_rate = 0.1}]
n_steps = 6
n_starts = 2
seed = 5

[fit.loss]
type = "timeseries_rmse"
of = "x"
target = {file = "target.npz", array = "x"}

[fit.search_space]
a = {type = "Free", bounds = [-0.5, 0.5], prior = {type = "Normal", mean = 0.0, std = 0.5}}
w = {type = "LogNormal", median = 0.3, spread = 0.2}
"""


def oscillators(a):
    return brainmass.HopfStep(2, a=a, w=0.3, init_x=Constant(0.6), init_y=Constant(0.0))


def predict(model):
    return brainmass.Simulator(model, dt=0.5 * u.ms).run(10 * u.ms, monitors=["x"])["x"]


@functools.cache
def recorded():
    return np.asarray(predict(oscillators(0.2)))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("target.npz", x=recorded(), y=0.0)
    (tmp_path / "fit.toml").write_text(EXPERIMENT)
    return tmp_path


def test_a_fit_goes_on_from_its_file_and_is_that_of_python(folder, capsys):
    space = {
        "a": brainmass.Free(bounds=(-0.5, 0.5), prior=brainmass.Normal(0.0, 0.5)),
        "w": brainmass.LogNormal(0.3, 0.2),
    }
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.1))
    run = dict(duration=10 * u.ms, monitors={"x": "x"}, objective=brainmass.objectives.timeseries_rmse())
    simulator = brainmass.Simulator(oscillators(0.05), dt=0.5 * u.ms)
    fitter = brainmass.Fitter(simulator, optimizer, **run, search_space=space, n_starts=2)
    target = np.load("target.npz")["x"]
    fitter.fit(target, n_steps=2, seed=5, checkpoint="fit_fit_unfinished.npz")  # as one that was cut off leaves it
    fitter.model.a, fitter.model.w = 0.05, 0.3
    expected = fitter.fit(target, n_steps=6, seed=5)

    assert main(["fit", "fit.toml"]) == 0
    told = capsys.readouterr()
    assert "going on from fit_fit_unfinished.npz" in told.out and "wrote fit_fit.npz" in told.out
    assert "fitting" in told.err and not (folder / "fit_fit_unfinished.npz").exists()
    found = brainmass.FitResult.load("fit_fit.npz")
    np.testing.assert_array_equal(found.histories, expected.histories)
    np.testing.assert_array_equal(found.prediction, expected.prediction)
    for name in "a", "w":
        np.testing.assert_array_equal(found.best_params[name], expected.best_params[name])
    assert found.best_loss == expected.best_loss and found.n_steps == 6 and found.backend == "grad"
    assert found.provenance["experiment_text"] == EXPERIMENT
    assert main(["fit", "fit.toml", "-q"]) == 2  # a result is not written over


def test_a_fit_in_a_file(tmp_path):
    """Units and shapes come back; a file that is none is told so."""
    result = brainmass.FitResult(
        backend="grad",
        best_loss=0.5,
        best_params={"tau": jnp.array([1.0, 2.0]) * u.ms, "k": jnp.float32(0.1)},
        history=np.array([1.0, 0.5]),
        n_steps=2,
        prediction=jnp.ones((3, 2)) * u.mV,
        histories=np.ones((2, 4)),
        provenance={"seed": "3"},
        bounds={"k": brainmass.Bounds(0.01, 1.0, log=True)},
    )
    result.save(tmp_path / "fit.npz")
    again = brainmass.FitResult.load(tmp_path / "fit.npz")
    assert repr(again) == repr(result) and again.provenance == {"seed": "3"}
    assert u.get_unit(again.best_params["tau"]) == u.ms and u.get_unit(again.prediction) == u.mV
    np.testing.assert_array_equal(again.histories, result.histories)
    assert again.grad_norms is None and again.bounds["k"].log and again.bounds["k"].high == 1.0
    (tmp_path / "other.npz").write_bytes(b"PK no archive")
    with pytest.raises(ValueError, match="must be a whole file written by FitResult.save"):
        brainmass.FitResult.load(tmp_path / "other.npz")
    with pytest.raises(ValueError, match="must end in .npz"):
        result.save(tmp_path / "fit.txt")
    with pytest.raises(FileNotFoundError, match="existing folder"):
        result.save(tmp_path / "no" / "fit.npz")


WRONG = [
    ('"adam"', '"adaam"', 17, "There is no type 'adaam' here. Did you mean 'adam'?"),
    ("learning_rate = 0.1", "rate = 0.1", 17, "adam needs `learning_rate`"),
    ("n_steps = 6", "n_steps = 6.5", 18, "must be a whole number, but is 6.5"),
    ("n_starts = 2", 'n_starts = 2\nbackend = "gard"', 20, "Argument `backend` of Fitter must be one of"),
    ("n_starts = 2", "popsize = 2", 19, "Argument `popsize` of Fitter belongs to the back ends"),
    ("n_steps", "n_step", 18, "[fit] has no key `n_step`. Did you mean 'n_steps'?"),
    ('"timeseries_rmse"', '"timeseries_mse"', 23, "There is no objective 'timeseries_mse'"),
    ('"timeseries_rmse"', '"fc_corr"', 22, "A fit makes fc_corr small: write as_loss = true."),
    ('of = "x"', 'of = "y"', 24, "There is no monitor 'y'"),
    ('array = "x"', 'array = "z"', 25, "target.npz' must hold the variable 'z', but it has 'x'"),
    ("\na = {type", "\nb = {type", 28, "There is no parameter 'b'"),
    ('"Free"', '"Fre"', 28, "Did you mean 'Free'?"),
    ("std = 0.5", "std = -0.5", 28, "Argument `std` of Normal must be > 0"),
    ("[-0.5, 0.5]", "[-0.5, 0.5, 1]", 28, "bounds"),
]


@pytest.mark.parametrize(("old", "new", "line", "words"), WRONG, ids=lambda x: str(x)[:30])
def test_what_is_wrong_is_shown_with_its_line(folder, capsys, old, new, line, words):
    assert EXPERIMENT.count(old) == 1
    (folder / "fit.toml").write_text(EXPERIMENT.replace(old, new))
    assert main(["fit", "fit.toml"]) == 2
    error = capsys.readouterr().err
    assert [text for text in error.splitlines() if words in text and text.startswith(f"fit.toml:{line}: ")], error
    assert not list(folder.glob("fit_fit*"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [("n_steps = 6", "n_steps = 0", "n_steps"), ("n_steps = 6", "n_steps = 6\npatience = 0", "patience")],
)
def test_a_check_says_what_a_fit_would_and_runs_nothing(folder, capsys, old, new, words):
    assert main(["fit", "fit.toml", "--check"]) == 0
    (folder / "fit.toml").write_text(EXPERIMENT.replace(old, new))
    assert main(["fit", "fit.toml", "--check"]) == 2
    assert words in capsys.readouterr().err
    assert not list(folder.glob("fit_fit*"))
