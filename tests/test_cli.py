"""What the command line prints."""

import subprocess
import sys

import pytest

import brainmass
from brainmass.cli import main


def test_catalogue_has_every_model_with_its_states(capsys):
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for model in brainmass.list_models():
        (row,) = [line for line in lines if line.split()[:1] == [model.name]]
        assert ", ".join(model.states) in row


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


def test_command_is_installed():
    out = subprocess.run([sys.executable, "-m", "brainmass.cli", "--help"], capture_output=True, text=True, check=True)
    assert "demo" in out.stdout and "models" in out.stdout


def test_a_reader_that_leaves_is_no_error():
    """As in `brainmass models | head -1`."""
    command = [sys.executable, "-m", "brainmass.cli", "models"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
