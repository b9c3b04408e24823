"""What the command line prints."""

import functools
import importlib.metadata
import inspect
import platform
import re
import runpy
import subprocess
import sys
from pathlib import Path

import brainstate
import braintools
import brainunit
import jax
import jaxlib
import numpy
import optax
import pytest

import brainmass
from brainmass.cli import info, main
from brainmass.experiments import machine
from brainmass.experiments.schema import TABLES

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.toml"))


def test_catalogue_has_every_model_with_its_states(capsys):
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for model in brainmass.list_models():
        rows = [line for line in lines if line.split()[:1] == [model.name]]
        assert len(rows) == len(model.questions) >= 1
        assert all(", ".join(model.states) in row for row in rows)


@pytest.mark.parametrize("model", brainmass.list_models(), ids=lambda model: model.name)
def test_page_of_a_model(model, capsys):
    """Equations without markup, every parameter with its default, the states, the reference."""
    assert main(["models", model.name]) == 0
    out = capsys.readouterr().out
    assert "Reference: " in out and "\\" not in out and ":math:" not in out
    cls = getattr(brainmass, model.name)
    lines = [line.split() for line in out.splitlines()]
    for name in (*cls._params, *model.states):
        assert any(words[:1] == [name] for words in lines), name
    for preset in cls.presets:
        assert any(words[:1] == [preset] for words in lines), preset


def test_equations_are_readable(capsys):
    main(["models", "MontbrioPazoRoxinStep"])
    out = capsys.readouterr().out
    assert "r' = (δ) / (πτ) + (2 r v + I_r) / (τ)\n    τ v' = v^2 + η + Jτ r - (πτ r)^2 + I_v\n" in out


def test_unknown_model_is_told_the_nearest(capsys):
    assert main(["models", "CoombesByrn"]) == 1
    assert "no model 'CoombesByrn'. Did you mean 'CoombesByrneStep'?" in capsys.readouterr().err


def test_without_a_command_it_says_which_there_are(capsys):
    assert main([]) == 2
    told = capsys.readouterr().err
    assert all(f"\n    {command} " in told for command in ("demo", "models", "keys", "info", "run", "sweep", "fit"))


def test_keys_of_an_experiment_file(capsys):
    """What a key means is what the docstring of the function says of its argument."""
    assert main(["keys"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for table in TABLES.values():
        assert f"[{table.name}]" in out
        assert all(key.meaning and f" {key.name} " in out for key in table.keys)
    (transient,) = [key for key in TABLES["simulation"].keys if key.name == "transient"]
    assert transient.meaning == "Beginning of the run that is not recorded, as a time or in steps."
    assert main(["keys", "simulaton"]) == 2
    assert "Did you mean 'simulation'?" in capsys.readouterr().err


def test_every_key_is_an_argument_of_its_function():
    for table in TABLES.values():
        for key in table.keys:
            if key.of:
                function = functools.reduce(getattr, key.of.split("."), brainmass)
                assert key.name in inspect.signature(function).parameters, (table.name, key.name)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_right(path, tmp_path, monkeypatch):
    (command,) = re.findall(r"^#   brainmass (\w+) examples/(\S+)$", path.read_text(), flags=re.MULTILINE)
    assert command[1] == path.name
    monkeypatch.chdir(tmp_path)
    assert main([command[0], str(path), "--check"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(path, tmp_path, monkeypatch):
    """In a small form."""
    text = path.read_text()
    shorter = {"612 s": "57.6 s", "50.4 s": "5.76 s", "14.4 s": "0.72 s", "n_steps = 15": "n_steps = 2"}
    for old, new in shorter.items():
        text = text.replace(old, new)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(text)
    (command,) = re.findall(r"^#   brainmass (\w+)", text, flags=re.MULTILINE)
    assert main([command, "small.toml"]) == 0


def test_info_for_a_bug_report(capsys):
    """Versions are those that the packages say themselves."""
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split(maxsplit=1)[1:] for line in out.splitlines() if line.startswith("  ")}
    for package in (brainmass, brainstate, braintools, brainunit, jax, jaxlib, numpy, optax):
        assert rows[package.__name__] == [package.__version__]
    assert rows["python"] == [platform.python_version()]
    assert rows["jax_enable_x64"] == ["False"]
    assert "cpu" in rows["devices"][0]
    assert rows["viz"] == [f"matplotlib {importlib.metadata.version('matplotlib')}"]
    assert out.splitlines()[-1] == "known problems: none"


def test_info_tells_known_problems(monkeypatch, x64):
    old = {"jax": "0.9.9", "jaxlib": "0.10.2", "brainmass": "0.1.1", "numpy": None, "distributed": "2024.7.1"}
    there = machine.installed
    for module in machine, info:
        monkeypatch.setattr(module, "installed", lambda package: old.get(package, there(package)))
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_extra_options=a=1")
    found = "\n".join(info.problems())
    for words in (
        "jax must be 0.10 or newer, but is 0.9.9",
        "numpy must be 2.0 or newer, but is not installed",
        "distributed must be 2024.8 or newer, but is 2024.7.1",
        "jax 0.9.9 and jaxlib 0.10.2",
        "installed is 0.1.1",
        "XLA_FLAGS has others",
        "64 bits, brainstate is set to 32",
    ):
        assert words in found


def test_the_package_is_run_as_the_command_is(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["brainmass", "models", "HopfStep"])
    with pytest.raises(SystemExit) as left:
        runpy.run_module("brainmass", run_name="__main__")
    assert left.value.code == 0
    by_module = capsys.readouterr().out
    assert main(["models", "HopfStep"]) == 0
    assert by_module == capsys.readouterr().out != ""


@pytest.mark.slow
def test_command_is_installed():
    out = subprocess.run([sys.executable, "-m", "brainmass", "--help"], capture_output=True, text=True, check=True)
    assert "demo" in out.stdout and "models" in out.stdout


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error():
    """As in `brainmass models | head -1`."""
    command = [sys.executable, "-m", "brainmass", "models"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
