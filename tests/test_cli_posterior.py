"""`brainmass posterior FILE`: the draws of Python, files to go on from, and errors with their lines."""

import brainunit as u
import numpy as np
import pytest
from braintools.init import Constant

import brainmass
from brainmass import inference
from brainmass.cli import main

EXPERIMENT = """\
[model]
type = "HopfStep"
in_size = 1
a = 0.05
w = 0.3
init_x = {type = "Constant", value = 0.6}
init_y = {type = "Constant", value = 0.0}

[monitors]
x = "x"

[simulation]
dt = "0.5 ms"
duration = "10 ms"

[posterior]
method = "laplace"
n_draws = 50
n_chains = 2
n_starts = 2
seed = 5

[posterior.likelihood]
type = "Gaussian"
of = "x"
sigma = 0.1
observed = {file = "observed.npz", array = "x"}

[posterior.search_space]
a = {type = "Normal", mean = 0.0, std = 0.5}
w = [0.1, 0.5]
"""

NODE = dict(w=0.3, init_x=Constant(0.6), init_y=Constant(0.0))
RUN = dict(duration=10 * u.ms, monitors={"x": "x"})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clean = brainmass.Simulator(brainmass.HopfStep(1, a=0.2, **NODE), dt=0.5 * u.ms).run(**RUN)["x"]
    np.savez("observed.npz", x=np.asarray(clean) + 0.1 * np.random.default_rng(0).standard_normal(clean.shape))
    (tmp_path / "hopf.toml").write_text(EXPERIMENT)
    return tmp_path


@pytest.mark.slow
def test_draws_are_those_of_python(folder):
    assert main(["posterior", "hopf.toml", "--quiet"]) == 0
    found = inference.Posterior.load("hopf_posterior.npz")
    simulator = brainmass.Simulator(brainmass.HopfStep(1, a=0.05, **NODE), dt=0.5 * u.ms)
    problem = inference.Problem(
        simulator,
        {"a": brainmass.Normal(0.0, 0.5), "w": (0.1, 0.5)},
        inference.Gaussian(0.1),
        np.load("observed.npz")["x"],
        **RUN,
    )
    expected = inference.sample(problem, 50, method="laplace", n_chains=2, n_starts=2, seed=5)
    for name in "a", "w":
        np.testing.assert_array_equal(found[name], expected[name])
    assert found.provenance["experiment_text"] == EXPERIMENT
    assert main(["posterior", "hopf.toml", "--quiet"]) == 2  # it is there


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('"Gaussian"', '"Gausian"', "24: There is no likelihood 'Gausian'. Did you mean 'Gaussian'"),
        ('of = "x"', 'of = "y"', "There is no monitor 'y'"),
        ("sigma = 0.1", "sgma = 0.1", "`sgma` is no argument of Gaussian"),
        ("sigma = 0.1", "sigma = -0.1", "sigma"),
        ("n_starts = 2", "n_warmup = 2", "`n_warmup`.*no option of 'laplace'"),
        ("a = {type", "b = {type", "'b'"),
        (
            '[posterior.search_space]\na = {type = "Normal", mean = 0.0, std = 0.5}\nw = [0.1, 0.5]\n',
            "",
            "search_space",
        ),
        ('"10 ms"', '"9 ms"', "`observed`.*shape"),
    ],
)
def test_what_is_wrong_is_told(folder, capsys, old, new, said):
    assert old in EXPERIMENT
    (folder / "hopf.toml").write_text(EXPERIMENT.replace(old, new))
    assert main(["posterior", "hopf.toml", "--check"]) == 2
    import re

    assert re.search(said, capsys.readouterr().err)
