"""Experiment files: parameters of inputs and monitors by name, measures of phases, and measures tried by `--check`."""

import numpy as np
import pytest
import scipy.signal

import brainmass
from brainmass.cli import main

LINEAR = """\
[model]
type = "LinearStep"
in_size = 2
gamma = -0.5
init_x = {type = "Constant", value = 0.0}

[inputs]
x_inp = {type = "Pulse", amplitude = 0.2, width = "5 ms"}

[monitors]
x = "x"

[simulation]
dt = "0.1 ms"
duration = "5 ms"
"""
SWEEP = """
[sweep.values]
x_inp.amplitude = [0.1, 0.7]
"gamma" = [-0.5, -0.25]
"""
FIT = """
[fit]
optimizer = {type = "adam", learning_rate = 0.1}
n_steps = 60

[fit.loss]
type = "timeseries_rmse"
of = "x"
target = {file = "x.npy"}

[fit.search_space]
x_inp.amplitude = [0.0, 2.0]
"""
HOPF = """\
[model]
type = "HopfStep"
in_size = 3
a = 0.02
w = 0.0628

[monitors]
x = "x"

[simulation]
dt = "0.5 ms"
duration = "600 ms"
transient = "100 ms"
sample_every = "1 ms"

[sweep]

[sweep.values]
w = [0.0628]

[sweep.measure]
sync = {type = "metastability", of = "x"}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def response(amplitude, gamma=-0.5):
    return np.repeat(amplitude / -gamma * (1 - np.exp(gamma * 0.1 * np.arange(1, 51)))[:, None], 2, axis=1)


@pytest.mark.slow
def test_sweep_and_fit_of_an_input(folder):
    (folder / "a.toml").write_text(LINEAR + SWEEP)
    assert main(["sweep", "a.toml", "-q"]) == 0
    data = pytest.importorskip("xarray").open_zarr("a_sweep.zarr", decode_times=False)
    assert data["x"].dims[:2] == ("x_inp.amplitude", "gamma")
    for i, amplitude in enumerate((0.1, 0.7)):
        for j, gamma in enumerate((-0.5, -0.25)):
            np.testing.assert_allclose(data["x"].values[i, j, 0], response(amplitude, gamma), rtol=2e-5)
    np.save("x.npy", response(0.7))
    (folder / "b.toml").write_text(LINEAR + FIT)
    assert main(["fit", "b.toml", "-q"]) == 0
    found = brainmass.FitResult.load("b_fit.npz")
    np.testing.assert_allclose(found.best_params["inputs.x_inp.amplitude"], 0.7, rtol=0.02)


def complaints(folder, capsys, command, text):
    (folder / "c.toml").write_text(text)
    code = main([command, "c.toml", "--check"])
    return code, capsys.readouterr().err


def line_of(text, words):
    return next(i for i, line in enumerate(text.splitlines(), 1) if words in line)


def test_a_name_that_no_part_of_the_run_has(folder, capsys):
    text = LINEAR + SWEEP.replace("x_inp.amplitude", "x_inp.amplitud")
    code, told = complaints(folder, capsys, "sweep", text)
    line = line_of(text, "x_inp.amplitud =")
    assert code == 2 and f"c.toml:{line}: There is no parameter 'x_inp.amplitud'. Did you mean 'inputs.x_inp.am" in told


def test_a_measure_of_phases_is_told_of_which_band(folder, capsys):
    """The order parameter of three oscillators at 10 Hz, of the phases in a band about that, by scipy."""
    code, told = complaints(folder, capsys, "sweep", HOPF)
    line = line_of(HOPF, "sync =")
    assert code == 2 and f"c.toml:{line}: metastability takes phases, and 'x' records none: say of which band" in told
    for wrong in '"8 Hz"', '["8 Hz", "9 Hz", "10 Hz"]', "[8, 12]":
        code, told = complaints(folder, capsys, "sweep", HOPF.replace("of =", f"band = {wrong}, of ="))
        assert code == 2 and "must be two frequencies" in told
    code, told = complaints(folder, capsys, "sweep", HOPF.replace("of =", 'band = ["700 Hz", "800 Hz"], of ='))
    assert code == 2 and "`band` of instantaneous_phase" in told and f"c.toml:{line}: " in told
    right = HOPF.replace('sync = {type = "metastability", of = "x"}', SYNC)
    (folder / "d.toml").write_text(right)
    assert main(["sweep", "d.toml", "-q"]) == 0
    data = pytest.importorskip("xarray").open_zarr("d_sweep.zarr", decode_times=False)
    x = data["signal"].values[0, 0]
    spectrum = np.fft.fft(x - x.mean(axis=0), axis=0)
    spectrum[~((abs(f := np.fft.fftfreq(500, 1e-3)) >= 8) & (abs(f) <= 12))] = 0
    z = scipy.signal.hilbert(np.fft.ifft(spectrum, axis=0).real, axis=0)
    r = np.abs(np.mean(z / np.abs(z), axis=1))
    np.testing.assert_allclose(data["order"].values[0, 0], r, atol=1e-3)
    np.testing.assert_allclose(data["sync"].values[0, 0], r.std(), atol=1e-3)


SYNC = """\
sync = {type = "metastability", of = "x", band = ["8 Hz", "12 Hz"]}
order = {type = "order_parameter", of = "x", band = ["8 Hz", "12 Hz"]}
signal = {of = "x"}"""


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        ('{type = "fcd_matrix", of = "x", window_size = 600, step_size = 5}', "must have 600 samples or more"),
        ('{type = "fc_corr", of = "x", target = {file = "fc.npy"}}', "target_is_fc=True, or target_is_fc=False"),
        ('{type = "fc_corr", of = "x", target = {file = "two.npy"}, target_is_fc = true}', "as many regions"),
    ],
)
def test_measures_and_losses_are_tried_by_check(folder, capsys, measure, words):
    np.save("fc.npy", np.array([[1.0, 0.5, 0.2], [0.4, 1.0, 0.1], [0.2, 0.1, 1.0]]))
    np.save("two.npy", np.eye(2))
    text = HOPF.replace('{type = "metastability", of = "x"}', measure)
    code, told = complaints(folder, capsys, "sweep", text)
    assert code == 2 and words in told and f"c.toml:{line_of(text, 'sync =')}: " in told
    if "target" in measure:
        loss = measure.replace("of =", "as_loss = true, of =")
        head = text[: text.index("[sweep]")]
        fit = "\n".join([head, "[fit]", f"loss = {loss}", "search_space = {w = [0.01, 0.1]}", ""])
        code, told = complaints(folder, capsys, "fit", fit)
        assert code == 2 and words in told
