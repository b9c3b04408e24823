"""Experiment files from Python: the same checks, objects and numbers as on the command line."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import brainunit as u
import jsonschema
import numpy as np
import pytest

import brainmass
from brainmass.cli import main

LINEAR = """\
[model]
type = "LinearStep"
in_size = 2
gamma = -0.5
init_x = {type = "Constant", value = 1.0}

[monitors]
x = "x"

[simulation]
dt = "0.1 ms"
duration = "2 ms"
"""
SWEEP = """
[sweep]
seeds = 1

[sweep.values]
gamma = [-0.5, -0.25]
"""
FIT = """
[fit]
optimizer = {type = "adam", learning_rate = 0.05}
n_steps = 60

[fit.loss]
type = "timeseries_rmse"
of = "x"
target = {file = "x.npy"}

[fit.search_space]
gamma = [-1.0, -0.1]
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # x' = gamma x, for gamma = -0.3
    np.save("x.npy", np.exp(-0.3 * 0.1 * np.arange(1, 21))[:, None] * np.ones(2))
    Path("linear.toml").write_text(LINEAR + SWEEP + FIT)
    return Path("linear.toml")


def test_a_run_decays_as_its_equation_says_and_tells_where_it_is_from(file):
    experiment = brainmass.experiments.load(file)
    assert isinstance(experiment.simulator, brainmass.Simulator) and experiment.arguments["duration"] == 2 * u.ms
    result = experiment.run()
    assert isinstance(result, brainmass.Result)
    expected = np.exp(-0.5 * 0.1 * np.arange(1, 21))
    np.testing.assert_allclose(result["x"][:, 0], expected, rtol=1e-3)
    assert result.provenance["experiment_text"] == file.read_text()
    assert main(["run", "linear.toml", "-q"]) == 0
    np.testing.assert_array_equal(brainmass.Result.load("linear_run.npz")["x"], result["x"])


def test_a_run_has_all_that_a_run_of_its_simulator_has(file):
    """What the model returned, and states by mode."""
    text = LINEAR.replace("LinearStep", "StefanescuJirsaFitzHughNagumoStep").partition("[simulation]")
    file.write_text('[model]\ntype = "StefanescuJirsaFitzHughNagumoStep"\nin_size = 2\n\n[simulation]' + text[2])
    experiment = brainmass.experiments.load(file)
    result, direct = experiment.run(), experiment.simulator.run(2 * u.ms, seed=0)
    assert list(result) == list(direct) and "output" in result and dict(result.modes) == dict(direct.modes)
    assert result["xi"].shape == direct["xi"].shape


def test_a_sweep_is_one_of_xarray(file):
    data = brainmass.experiments.load(file).sweep()
    final = data["x"].isel(time=-1, region=0, seed=0)
    np.testing.assert_allclose(final, np.exp([-1.0, -0.5]), rtol=1e-3)
    assert json.loads(json.dumps(data.attrs["experiment"])) == "linear.toml"
    assert not list(Path().glob("*.zarr"))
    brainmass.experiments.load(file).sweep(store="kept.zarr")
    assert Path("kept.zarr").exists()


@pytest.mark.slow
def test_a_fit_finds_the_rate_and_goes_on_from_its_checkpoint(file):
    found = brainmass.experiments.load(file).fit()
    assert isinstance(found, brainmass.FitResult)
    assert float(found.best_params["gamma"]) == pytest.approx(-0.3, abs=0.01)
    again = brainmass.experiments.load(file).fit(checkpoint="there.npz")
    assert Path("there.npz").exists() and again.best_loss == found.best_loss
    assert brainmass.experiments.load(file).fit(checkpoint="there.npz").best_loss == found.best_loss


def test_what_is_wrong_is_raised_with_its_line_by_the_part_that_it_concerns(file):
    file.write_text((LINEAR + FIT).replace("[-1.0, -0.1]", "[-0.1, -1.0]"))
    experiment = brainmass.experiments.load(file)  # the run is right
    with pytest.raises(brainmass.experiments.ExperimentError, match=r"linear.toml:24: .*must go from low to high"):
        experiment.fit()
    with pytest.raises(brainmass.experiments.ExperimentError, match=r"A sweep needs the table \[sweep\]"):
        experiment.sweep()
    file.write_text(LINEAR.replace('"2 ms"', '"2 mm"'))
    with pytest.raises(brainmass.experiments.ExperimentError, match="linear.toml:12: "):
        brainmass.experiments.load(file)


@pytest.mark.slow
def test_it_is_imported_when_it_is_asked_for():
    code = "import sys, brainmass; print('brainmass.experiments' in sys.modules, brainmass.experiments.load.__name__)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["False", "load"]


# --- for editors ------------------------------------------------------------------------------------------------------
EXAMPLES = sorted(Path(__file__).parents[1].glob("examples/*.toml"))


@pytest.fixture(scope="module")
def schema():
    told = subprocess.run([sys.executable, "-m", "brainmass", "keys", "--json-schema"], capture_output=True, text=True)
    found = json.loads(told.stdout)
    jsonschema.Draft7Validator.check_schema(found)
    return jsonschema.Draft7Validator(found)


@pytest.mark.slow
def test_the_examples_keep_to_the_schema(schema):
    assert EXAMPLES
    for path in EXAMPLES:
        schema.validate(tomllib.loads(path.read_text()))


@pytest.mark.parametrize("name", ["test_cli_run", "test_cli_sweep", "test_cli_fit"])
def test_what_the_tests_of_the_command_line_run_keeps_to_the_schema(schema, name):
    text = (Path(__file__).parent / f"{name}.py").read_text()
    schema.validate(tomllib.loads(re.search(r'EXPERIMENT = """\\\n(.*?)"""', text, re.DOTALL)[1]))


WRONG = [  # old, new, the place of what is wrong
    ("[monitors]", "[monitor]", ()),
    ('type = "LinearStep"\n', "", ("model",)),
    ("LinearStep", "LinearStp", ("model", "type")),
    ("gamma = -0.5", "gama = -0.5", ("model",)),
    ("gamma = -0.5", "gamma = true", ("model", "gamma")),
    ('dt = "0.1 ms"', "dt = 0.1", ("simulation", "dt")),
    ('dt = "0.1 ms"', 'dt = "0.1"', ("simulation", "dt")),
    ('dt = "0.1 ms"\n', "", ("simulation",)),
    ('duration = "2 ms"', 'durations = "2 ms"', ("simulation",)),
    ("seeds = 1", "seeds = 1.5", ("sweep", "seeds")),
    ("n_steps = 60", 'n_steps = "60"', ("fit", "n_steps")),
]


@pytest.mark.parametrize(("old", "new", "place"), WRONG, ids=lambda x: str(x)[:30])
def test_the_schema_marks_what_the_command_line_refuses(schema, file, capsys, old, new, place):
    text = LINEAR + SWEEP + FIT
    assert old in text
    schema.validate(tomllib.loads(text))
    text = text.replace(old, new, 1)
    assert place in {tuple(error.absolute_path)[:2] for error in schema.iter_errors(tomllib.loads(text))}
    file.write_text(text)
    command = place[0] if place[:1] in [("sweep",), ("fit",)] else "run"
    assert main([command, "linear.toml", "--check"]) == 2


def test_the_schema_is_of_the_whole_file(capsys):
    with pytest.raises(SystemExit):
        main(["keys", "simulation", "--json-schema"])
    assert "not allowed with" in capsys.readouterr().err
