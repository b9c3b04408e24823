"""`brainmass run FILE`: the same numbers as in Python, and errors that say where."""

import hashlib
import platform

import brainunit as u
import jax
import numpy as np
import pytest
from braintools.init import Uniform

import brainmass
from brainmass._common.messages import ArgumentError
from brainmass.cli import main
from brainmass.experiments.document import Document
from brainmass.experiments.experiment import Experiment
from brainmass.experiments.things import quantity

WEIGHTS = np.array([[0, 1.0, 0.2], [0.5, 0, 0.1], [0, 0.3, 0]])
LENGTHS = np.array([[0, 12.0, 20], [12, 0, 7], [20, 7, 0]])
EXPERIMENT = """\
[connectome]
file = "weights.csv"
lengths = "lengths.csv"
transpose = true
normalize = "max"

[model]
type = "HopfStep"
a = [-0.1, -0.2, -0.3]
w = 0.3
method = "heun"
init_x = {type = "Uniform", low = 0.1, high = 0.2}
noise_x = {type = "OUProcess", sigma = 0.02, tau = "5 ms"}

[network]
coupling = "additive"
coupled_var = "x"
k = 0.4
speed = "10 mm/ms"

[monitors]
x = "x"
mean = {what = {type = "TemporalAverage", period = "2 ms"}, every = "2 ms"}
slow = {what = "y", every = "5 ms"}
fc = {type = "FunctionalConnectivity"}

[inputs]
y_inp = {type = "Pulse", amplitude = 0.5, onset = "10 ms", width = "5 ms", regions = [1]}

[simulation]
dt = "0.1 ms"
duration = "40 ms"
transient = "10 ms"
sample_every = "1 ms"
seed = 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savetxt("weights.csv", WEIGHTS, delimiter=",")
    np.savetxt("lengths.csv", LENGTHS, delimiter=",")
    (tmp_path / "net.toml").write_text(EXPERIMENT)
    return tmp_path


def in_python():
    """The same by hand."""
    conn = brainmass.Connectome(WEIGHTS.T, LENGTHS.T * u.mm).normalize("max")
    node = brainmass.HopfStep(
        3,
        a=np.array([-0.1, -0.2, -0.3]),
        w=0.3,
        method="heun",
        init_x=Uniform(0.1, 0.2),
        noise_x=brainmass.OUProcess(3, sigma=0.02, tau=5 * u.ms),
    )
    net = brainmass.Network(node, conn=conn, coupling="additive", coupled_var="x", k=0.4, speed=10 * u.mm / u.ms)
    monitors = {
        "x": "x",
        "mean": brainmass.Monitor(brainmass.TemporalAverage(2 * u.ms, in_size=3), every=2 * u.ms),
        "slow": brainmass.Monitor("y", every=5 * u.ms),
        "fc": brainmass.FunctionalConnectivity(3),
    }
    pulse = brainmass.Pulse(3, amplitude=0.5, onset=10 * u.ms, width=5 * u.ms, regions=[1])
    times = dict(transient=10 * u.ms, sample_every=1 * u.ms)
    simulator = brainmass.Simulator(net, dt=0.1 * u.ms)
    return simulator.run(40 * u.ms, inputs={"y_inp": pulse}, monitors=monitors, seed=3, **times)


def test_run_is_that_of_python_and_says_where_it_comes_from(folder, capsys):
    assert main(["run", "net.toml"]) == 0
    told = capsys.readouterr()
    assert "wrote net_run.npz" in told.out and "node: HopfStep(3" in told.out and "simulating" in told.err
    result, expected = brainmass.Result.load("net_run.npz"), in_python()
    assert list(result) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(result[name], expected[name])
        np.testing.assert_array_equal(result.times[name].mantissa, expected.times[name].mantissa)
    known = result.provenance
    data = (folder / "net.toml").read_bytes()
    assert known["experiment_sha256"] == hashlib.sha256(data).hexdigest() and known["experiment_text"] == EXPERIMENT
    assert known["sha256 of weights.csv"] == hashlib.sha256((folder / "weights.csv").read_bytes()).hexdigest()
    assert (known["seed"], known["jax"], known["python"]) == ("3", jax.__version__, platform.python_version())
    assert known["brainmass"] == brainmass.__version__ and known["precision"] == "float32"

    assert main(["run", "net.toml", "-q"]) == 2  # a result is not written over
    assert "net_run.npz is there already" in capsys.readouterr().err


@pytest.mark.slow
def test_without_connectome_with_preset_inputs_and_a_method(folder, capsys):
    (folder / "column.toml").write_text("""
        model = {type = "MontbrioPazoRoxinStep", preset = "bistable", in_size = 2, method = "heun", eta = -4.5}
        monitors = {r = "r", activity = "activity()"}
        inputs = {v_inp = [0.0, 1.0]}
        simulation = {dt = "0.05 ms", duration = "5 ms", batch_size = 2}
    """)
    (folder / "column.nc").write_text("something else")
    assert main(["run", "column.toml", "-q", "-o", "column.nc", "--force"]) == 0
    assert capsys.readouterr() == ("wrote column.nc\n", "")
    node = brainmass.MontbrioPazoRoxinStep.preset("bistable", 2, method="heun", eta=-4.5)
    run = brainmass.Simulator(node, dt=0.05 * u.ms).run
    monitors = {"r": "r", "activity": lambda model: model.activity()}
    expected = run(5 * u.ms, inputs={"v_inp": np.array([0.0, 1.0])}, monitors=monitors, batch_size=2, seed=0)
    result = brainmass.Result.load("column.nc")
    np.testing.assert_array_equal(result["r"].mantissa, expected["r"].mantissa)
    np.testing.assert_array_equal(result["activity"], expected["activity"])


def test_a_run_that_diverges_keeps_what_was_recorded(folder, capsys):
    (folder / "wild.toml").write_text("""
        model = {type = "LinearStep", in_size = 1, gamma = 5.0}
        inputs = {x_inp = 1.0}
        simulation = {dt = "1 ms", duration = "100 ms"}
    """)
    assert main(["run", "wild.toml", "-q"]) == 1
    assert "became infinite or NaN by" in capsys.readouterr().err
    assert not (folder / "wild_run.npz").exists()
    assert not np.isfinite(brainmass.Result.load("wild_run_diverged.npz")["x"]).all()


def test_check_runs_nothing(folder):
    assert main(["run", "net.toml", "--check"]) == 0
    assert not list(folder.glob("net_*"))


# Old text, new text, the line that is shown (0: of the file as a whole), and what is said there.
WRONG = [
    ("[connectome]", "[conectome]", 1, "no table `conectome`. Did you mean 'connectome'?"),
    ('file = "weights.csv"', 'file = "weigths.csv"', 2, "There is no file 'weigths.csv'"),
    ('"max"', '"maximum"', 5, "must be 'max', 'row' or 'spectral', but is 'maximum'"),
    ("lengths =", 'length_unit = "ms"\nlengths =', 2, "must be a unit of length"),
    ('"HopfStep"', '"HopfStp"', 8, "There is no model 'HopfStp'. Did you mean 'HopfStep'?"),
    ("w = 0.3", 'w = "0.3 mV"', 10, "must have no unit, but is 0.3 mV"),
    ("w = 0.3", "omega = 0.3", 10, "`omega` is no argument of HopfStep"),
    ("w = 0.3", "w = true", 10, "Argument `w` of HopfStep"),
    ("w = 0.3", "w = [1, 2]", 10, "must be a scalar or fit the population shape (3,)"),
    ('"heun"', '"huen"', 11, "Argument `method` of HopfStep"),
    ("low = 0.1", "lo = 0.1", 12, "`lo` is no argument of Uniform. Did you mean 'low'?"),
    ("sigma = 0.02", "sigm = 0.02", 13, "`sigm` is no argument of OUProcess. Did you mean 'sigma'?"),
    ("sigma = 0.02", "sigma = -1.0", 13, "Argument `sigma` of OUProcess"),
    ('tau = "5 ms"', "tau = 5.0", 13, 'must have a unit like ms, but is 5.0 (no unit). Example: tau = "10.0 ms"'),
    ('tau = "5 ms"', 'tau = "5 mz"', 13, "There is no unit 'mz'."),
    ('tau = "5 ms"', 'tau = "5"', 13, "A number without unit is written without quotes: 5."),
    ('tau = "5 ms"', 'tau = "5 HZ"', 13, "There is no unit 'HZ'. Did you mean 'Hz'?"),
    ('"additive"', '"aditive"', 16, "Did you mean 'additive'?"),
    ('coupled_var = "x"', 'coupled_var = "z"', 17, "must be a state of HopfStep (x, y), but is 'z'"),
    ('coupled_var = "x"', "coupled_var = 1", 17, "Key `coupled_var` of [network] must be text, but is 1"),
    ("k = 0.4", "K = 0.4", 18, "[network] has no key `K`"),
    ("k = 0.4", 'k = "much"', 18, "Key `k` of [network] must be a value, but is much"),
    ('x = "x"', 'x = "z"', 22, "HopfStep has no state 'z'"),
    ('x = "x"', 'x = "z()"', 22, "HopfStep has no method 'z'"),
    ('x = "x"', "x = 1", 22, "must be the name of a state, or a table"),
    ('period = "2 ms"', 'perod = "2 ms"', 23, "`perod` is no argument of TemporalAverage"),
    ('every = "5 ms"', 'every = "5.05 ms"', 24, "must be a multiple of the time step 0.1 ms"),
    ("y_inp", "z_inp", 28, "HopfStep has no input `z_inp`"),
    ("amplitude = 0.5", 'amplitude = "0.5 mV"', 28, "Input `y_inp` of HopfStep must be in"),
    ("regions = [1]", "regions = [3]", 28, "must be numbers of regions, 0 to 2, but has 3"),
    ('dt = "0.1 ms"', "dt = 0.1", 31, 'must be a time, but is 0.1. Example: dt = "2 s"'),
    ('dt = "0.1 ms"\n', "", 30, "[simulation] needs the key `dt`"),
    ('"40 ms"', '"40 mm"', 32, "must be a time, but is 40 mm"),
    ("seed = 3", 'seed = "3"', 35, "must be a whole number, but is 3"),
    ("seed = 3", "seed = 3 3", 35, "This is not TOML"),
    ('[model]\ntype = "HopfStep"', "[model]", 7, "[model] needs either `type`"),
    ("[model]", "[model]\nin_size = 3", 8, "has no part beside a [connectome]"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "words"), WRONG, ids=lambda x: str(x)[:30])
def test_what_is_wrong_is_shown_with_its_line(folder, capsys, old, new, line, words):
    assert EXPERIMENT.count(old) == 1
    (folder / "net.toml").write_text(EXPERIMENT.replace(old, new))
    assert main(["run", "net.toml"]) == 2
    error = capsys.readouterr().err
    (shown,) = [text for text in error.splitlines() if words in text]
    assert shown.startswith(f"net.toml:{line}: ")
    text = (folder / "net.toml").read_text().splitlines()[line - 1]
    assert f"    {line} | {text}\n" in error and error.endswith("in net.toml: nothing was run.\n")


@pytest.mark.parametrize(("old", "new", "line"), [case[:3] for case in WRONG], ids=lambda x: str(x)[:30])
def test_the_line_is_found_whatever_the_message_says(folder, capsys, monkeypatch, old, new, line):
    monkeypatch.setattr(ArgumentError, "brief", property(lambda error: "Wrong.", lambda *_: None))
    monkeypatch.setattr(ArgumentError, "__str__", lambda error: "Wrong.")
    (folder / "net.toml").write_text(EXPERIMENT.replace(old, new))
    assert main(["run", "net.toml"]) == 2
    assert capsys.readouterr().err.startswith(f"net.toml:{line}: ")


def test_all_problems_are_told_at_once(folder, capsys):
    text = EXPERIMENT.replace("w = 0.3", 'w = "1 mV"').replace("k = 0.4", "q = 4").replace('dt = "0.1 ms"', "dt = 1")
    (folder / "net.toml").write_text(text.replace("weights.csv", "w.csv"))
    assert main(["run", "net.toml"]) == 2
    error = capsys.readouterr().err
    lines = [line.partition(": ")[0] for line in error.splitlines() if line.startswith("net.toml")]
    assert lines == ["net.toml:2", "net.toml:18", "net.toml:31"]  # units need to know how many regions there are
    assert error.splitlines()[-1] == "3 problems in net.toml: nothing was run."


@pytest.mark.parametrize("arguments", [["none.toml"], ["net.toml", "-o", "x.txt"], ["net.toml", "-o", "no/x.npz"]])
def test_files_that_cannot_be(folder, capsys, arguments):
    assert main(["run", *arguments]) == 2
    assert "must" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.2 mV", 1.2 * u.mV),
        ("10 /ms", 10 / u.ms),
        ("-3e-1 1/ms", -0.3 / u.ms),
        ("5mm/ms", 5 * u.mm / u.ms),
        (".5 nA", 0.5 * u.nA),
        ("2 Hz/nA", 2 * u.Hz / u.nA),
        ("3 ms^2", 3 * u.ms**2),
    ],
)
def test_numbers_with_units(text, expected):
    assert u.math.isclose(quantity(text), expected)


def test_a_kernel_with_parameters(folder, capsys):
    """What a kernel written as a table does is what the one made in Python does; a wrong key is shown where it is."""
    kernel = 'coupling = {type = "sigmoidal", slope = 2.0, midpoint = 0.1, k = 0.4}\n'
    text = EXPERIMENT.replace('coupling = "additive"\n', kernel).replace("k = 0.4\nspeed", "speed")
    (folder / "net.toml").write_text(text.replace("sigma = 0.02", "sigma = 0.0").replace("slope", "slpe"))
    assert main(["run", "net.toml"]) != 0
    assert "`slpe` is no argument of SigmoidalCoupling. Did you mean 'slope'?" in "".join(capsys.readouterr())
    (folder / "net.toml").write_text(text)
    network = Experiment(Document(folder / "net.toml")).model
    assert isinstance(network.coupling, brainmass.SigmoidalCoupling)
    found = [float(getattr(network.coupling, name).value()) for name in ("k", "slope", "midpoint")]
    np.testing.assert_allclose(found, [0.4, 2.0, 0.1], rtol=1e-6)
