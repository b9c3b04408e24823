"""Pictures: what is drawn, the units on the axes, and the refusals."""

import ast
import importlib
import inspect
import pkgutil
import sys

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402
from scipy import signal as scipy_signal  # noqa: E402

from brainmass import datasets, objectives, viz  # noqa: E402
from brainmass.connectome.dense import Connectome  # noqa: E402
from brainmass.viz.drawing import COLORS, FAINT  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 3))
MANY = RNG.normal(size=(50, 30))
TS = np.arange(50) * 0.5 * u.ms
W = np.array([[0.0, 2.0], [1.0, 0.0]])

CALLS = {
    "timeseries": lambda ax=None: viz.plot_timeseries(X, TS, ax=ax),
    "timeseries, many": lambda ax=None: viz.plot_timeseries(MANY * u.mV, ax=ax),
    "phase portrait": lambda ax=None: viz.plot_phase_portrait(X, X**2, ax=ax),
    "connectivity": lambda ax=None: viz.plot_connectivity(W, ax=ax),
    "functional connectivity": lambda ax=None: viz.plot_functional_connectivity(X, ax=ax),
    "functional connectivity dynamics": lambda ax=None: viz.plot_functional_connectivity_dynamics(X, ax=ax),
    "power spectrum": lambda ax=None: viz.plot_power_spectrum(X, 1 * u.ms, ax=ax),
    "power spectrum, many": lambda ax=None: viz.plot_power_spectrum(MANY, 1 * u.ms, ax=ax),
    "sweep": lambda ax=None: viz.plot_sweep([1.0, 2.0], [3.0, 4.0], ax=ax, best=2.0),
    "loss": lambda ax=None: viz.plot_loss([3.0, 2.0], ax=ax, label="Adam"),
}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def labels(ax):
    return ax.get_xlabel(), ax.get_ylabel()


def tick_names(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


@pytest.mark.few(4)
@pytest.mark.parametrize("plot", CALLS.values(), ids=CALLS)
def test_draws_on_the_axes_given_or_on_new_ones(plot):
    _, ax = plt.subplots()
    assert plot(ax) is ax
    new = plot()
    assert new is not ax and new.figure is not ax.figure
    assert all(labels(new))
    new.figure.canvas.draw()


@pytest.mark.parametrize("convert", [np.asarray, jnp.asarray, lambda x: x * u.mV, lambda x: jnp.asarray(x) * u.mV])
def test_timeseries_draws_the_data(convert):
    ax = viz.plot_timeseries(convert(X), TS)
    assert len(ax.lines) == 3
    for i, line in enumerate(ax.lines):
        np.testing.assert_allclose(line.get_xdata(), TS.mantissa)
        np.testing.assert_allclose(line.get_ydata(), X[:, i], rtol=1e-6)


def test_timeseries_labels_carry_units():
    assert labels(viz.plot_timeseries(X * u.mV, TS)) == ("time (ms)", "signal (mV)")
    assert labels(viz.plot_timeseries(X[:, 0])) == ("sample", "signal")
    assert labels(viz.plot_timeseries(X, np.arange(50.0))) == ("time", "signal")
    assert labels(viz.plot_timeseries(MANY * u.Hz, TS))[1] == "signal, stacked (Hz)"


def test_dimensionless_quantities_are_numbers():
    line = viz.plot_timeseries(np.full(4, 2.0) * (u.mV / u.volt)).lines[0]
    np.testing.assert_allclose(line.get_ydata(), 0.002)


def test_few_traces_have_a_legend_and_colours_of_their_own():
    ax = viz.plot_timeseries(X, labels=["a", "b", "c"])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]
    assert len({line.get_color() for line in ax.lines}) == 3
    for name in ("color", "c"):
        assert viz.plot_timeseries(X, linewidth=3, **{name: "red"}).lines[1].get_color() == "red"


def test_many_traces_are_stacked_without_overlap():
    ax = viz.plot_timeseries(MANY, labels=[f"r{i}" for i in range(30)])
    traces = np.array([line.get_ydata() for line in ax.lines])
    assert (traces[:-1].min(axis=1) >= traces[1:].max(axis=1)).all()
    np.testing.assert_allclose(np.diff(traces, axis=1), np.diff(MANY.T, axis=1), atol=1e-9)
    assert tick_names(ax.yaxis) == [f"r{i}" for i in range(0, 30, 2)]
    for tick, line in zip(ax.get_yticks(), ax.lines[::2], strict=True):
        assert line.get_ydata().min() <= tick <= line.get_ydata().max()


def test_constant_traces_can_be_stacked():
    traces = [line.get_ydata()[0] for line in viz.plot_timeseries(np.ones((5, 10))).lines]
    np.testing.assert_allclose(np.diff(traces), -1.0)


def test_phase_portrait():
    ax = viz.plot_phase_portrait(X[:, 0] * u.mV, X[:, 1] * u.Hz)
    line, start = ax.lines
    np.testing.assert_array_equal([line.get_xdata(), line.get_ydata()], X[:, :2].T)
    assert (start.get_xdata()[0], start.get_ydata()[0]) == (X[0, 0], X[0, 1])
    assert start.get_color() == line.get_color()
    assert labels(ax) == ("x (mV)", "y (Hz)")


def test_connectivity_shows_rows_that_receive():
    ax = viz.plot_connectivity(W * u.nA, labels=["a", "b"], vmax=5.0)
    image = ax.images[0]
    np.testing.assert_array_equal(image.get_array(), W)
    assert labels(ax) == ("from region", "to region")
    assert image.cmap.name == "viridis" and image.get_clim()[1] == 5.0
    assert tick_names(ax.xaxis) == tick_names(ax.yaxis) == ["a", "b"]
    assert image.colorbar.ax.get_ylabel() == "weight (nA)"


def test_connectivity_of_a_connectome():
    conn = Connectome(W, labels=["V1", "V2"])
    ax = viz.plot_connectivity(conn, colorbar=False)
    np.testing.assert_array_equal(ax.images[0].get_array(), W)
    assert tick_names(ax.xaxis) == ["V1", "V2"] and ax.images[0].colorbar is None
    assert tick_names(viz.plot_connectivity(conn, labels=["a", "b"]).xaxis) == ["a", "b"]


def test_connectivity_from_one_population_onto_another_is_no_square():
    ax = viz.plot_connectivity(X[:6] * u.nA)
    np.testing.assert_array_equal(ax.images[0].get_array(), X[:6])
    assert ax.get_xlim() == (-0.5, 2.5) and ax.get_ylim() == (5.5, -0.5)  # three that send, six that receive


def test_many_labels_are_thinned_out():
    ax = viz.plot_connectivity(np.eye(100), labels=[str(i) for i in range(100)])
    assert tick_names(ax.xaxis) == [str(i) for i in range(0, 100, 4)]


def test_functional_connectivity_of_series_and_of_matrix():
    expected = np.corrcoef(X.T)
    for ax in (
        viz.plot_functional_connectivity(X * u.mV),
        viz.plot_functional_connectivity(expected, is_matrix=True),
    ):
        np.testing.assert_allclose(ax.images[0].get_array(), expected, atol=1e-6)
        assert ax.images[0].get_clim() == (-1, 1)
    assert viz.plot_functional_connectivity(X, vmin=-0.5, vmax=0.5).images[0].get_clim() == (-0.5, 0.5)


def test_no_correlation_is_colourless():
    image = viz.plot_functional_connectivity(np.zeros((2, 2)), is_matrix=True).images[0]
    assert np.ptp(image.cmap(image.norm(0.0))[:3]) < 0.01


def test_functional_connectivity_dynamics_is_that_of_numpy():
    rows, above = RNG.normal(size=(40, 4)), np.triu_indices(4, 1)
    of_windows = [np.corrcoef(rows[start : start + 10].T)[above] for start in range(0, 31, 6)]
    for data, is_matrix in ((rows * u.mV, False), (np.corrcoef(of_windows), True)):
        ax = viz.plot_functional_connectivity_dynamics(
            data, window_size=10, step_size=6, sampling_period=500 * u.ms, is_matrix=is_matrix
        )
        np.testing.assert_allclose(ax.images[0].get_array(), np.corrcoef(of_windows), atol=1e-5)
        assert ax.images[0].get_clim() == (-1, 1)
        assert labels(ax) == ("start of window (s)", "start of window (s)")
        assert ax.images[0].get_extent() == [-1.5, 16.5, 16.5, -1.5]  # cells of 6 x 0.5 s around 0, 3, ..., 15 s


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("n", "window", "size"), [(64, None, 64), (65, None, 65), (9000, None, 2000), (700, None, 256), (700, 0.2, 100)]
)
def test_power_spectrum_is_scipys(n, window, size):
    x = 1e-3 * RNG.normal(size=(n, 2)) + 3.0
    given = {} if window is None else {"window": window * u.second}
    ax = viz.plot_power_spectrum(x * u.mV, 2 * u.ms, loglog=False, **given)
    f, power = scipy_signal.welch(x, fs=500.0, nperseg=size, axis=0)
    for i, line in enumerate(ax.lines):
        np.testing.assert_allclose(line.get_xdata(), f, rtol=1e-6)
        np.testing.assert_allclose(line.get_ydata(), power[:, i], rtol=1e-3, atol=1e-5 * power.max())
    assert labels(ax) == ("frequency (Hz)", "power spectral density ((mV)²/Hz)")
    with pytest.raises(ValueError, match=f"`window` .*no longer than the signal of {n}"):
        viz.plot_power_spectrum(x, 2 * u.ms, window=(n + 1) * 2 * u.ms)


def test_power_spectrum_peaks_at_the_frequency_of_a_sine():
    t = np.arange(1000) * 1e-3
    ax = viz.plot_power_spectrum(np.sin(2 * np.pi * 10 * t), 1 * u.ms, window=0.5 * u.second)
    f, power = ax.lines[0].get_data()
    np.testing.assert_allclose(f[np.argmax(power)], 10.0, rtol=1e-6)
    np.testing.assert_allclose(power.sum() * f[0], 0.5, rtol=1e-3)  # variance of a sine (Parseval)
    assert f[0] > 0 and (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_power_spectra_of_many_have_their_mean_on_top():
    lines = viz.plot_power_spectrum(MANY, 1 * u.ms).lines
    np.testing.assert_allclose(lines[-1].get_ydata(), np.mean([line.get_ydata() for line in lines[:-1]], axis=0))
    assert len(lines) == 31


def test_sweep_marks_the_best():
    values = [10.0, 20.0] * u.ms
    ax = viz.plot_sweep(values, [1.0, 2.0], best=0.02 * u.second, xlabel="delay", ylabel="fit")
    np.testing.assert_allclose(ax.lines[1].get_xdata(), 20.0, rtol=1e-6)
    assert ax.get_legend().get_texts()[0].get_text() == "best: 20 ms"
    assert labels(ax) == ("delay (ms)", "fit")
    assert len(viz.plot_sweep([1, 2], [3, 4]).lines) == 1
    np.testing.assert_allclose(viz.plot_sweep([1 * u.ms, 2 * u.ms], [3, 4]).lines[0].get_xdata(), [1, 2])


def test_losses_on_one_plot_differ_in_colour():
    ax = viz.plot_loss(jnp.array([3.0, 2.0, 1.0]), label="Adam")
    viz.plot_loss([3.0, 2.5], ax=ax, label="SGD")
    np.testing.assert_array_equal(ax.lines[0].get_data(), [[0, 1, 2], [3, 2, 1]])
    assert ax.lines[0].get_color() != ax.lines[1].get_color()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Adam", "SGD"]
    assert labels(ax) == ("iteration", "loss")


def test_what_is_not_finite_is_a_gap():
    rows = X.copy()
    rows[7, 1] = np.inf
    line = viz.plot_timeseries(rows).lines[1]
    assert np.isnan(line.get_ydata()[7]) and np.isfinite(np.delete(line.get_ydata(), 7)).all()
    wide = np.tile(rows, 10)
    levels = viz.plot_timeseries(wide).get_yticks()
    assert np.isfinite(levels).all() and len(set(levels)) > 1


def luminance(color):
    """Relative luminance by WCAG 2."""
    rgb = np.array(matplotlib.colors.to_rgb(color))
    return np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


def test_colours_are_seen_on_white_and_on_black():
    for color in {*COLORS, FAINT["color"]}:
        assert 1.05 / (luminance(color) + 0.05) > 2 < (luminance(color) + 0.05) / 0.05


NAN = np.where(np.arange(50) == 3, np.nan, 1.0)
REFUSALS = {
    "signal": (
        lambda: viz.plot_timeseries(np.ones((2, 3, 4))),
        r"\(time, region\), but is of shape \(2, 3, 4\)",
    ),
    "ts": (lambda: viz.plot_timeseries(X, TS[:10]), r"one entry per sample \(50\), but is of shape \(10,\)"),
    "labels": (lambda: viz.plot_timeseries(X, labels=["a"]), "3 names, but are 1"),
    "labels ": (lambda: viz.plot_connectivity(W, labels=["a"]), "2 names, but are 1"),
    "y": (lambda: viz.plot_phase_portrait(X, X[:10]), r"shape of `x`, \(50, 3\), but is of shape \(10, 3\)"),
    "matrix": (lambda: viz.plot_connectivity(X[0]), r"a matrix, but is of shape \(3,\)"),
    "matrix  ": (lambda: viz.plot_connectivity(X, labels=["a"]), r"square matrix, but is of shape \(50, 3\)"),
    "matrix   ": (lambda: viz.plot_connectivity(X[:0]), r"a matrix, but is of shape \(0, 3\)"),
    "data": (lambda: viz.plot_functional_connectivity(X, is_matrix=True), "square matrix, but"),
    "dt": (lambda: viz.plot_power_spectrum(X, -0.1), "a number > 0 that is finite, but is -0.1"),
    "dt ": (lambda: viz.plot_power_spectrum(X, 0.1 * u.mV), "positive time, but is 0.1 mV"),
    "dt  ": (lambda: viz.plot_power_spectrum(X, 0.0 * u.ms), "positive time, but is 0"),
    "signal ": (lambda: viz.plot_power_spectrum(X[:3], 1 * u.ms), "4 samples or more, but has 3"),
    "scores": (lambda: viz.plot_sweep([1, 2], [1, 2, 3]), r"`values` \(2,\), but is of shape \(3,\)"),
    "best": (lambda: viz.plot_sweep([1, 2] * u.ms, [1, 2], best=1 * u.mV), r"`values` \(ms\), but is 1 mV"),
    "signal  ": (lambda: viz.plot_power_spectrum(NAN, 1 * u.ms), r"finite, but is nan at index \(3, 0\), one of 1"),
    "signal   ": (lambda: viz.plot_timeseries(NAN * np.nan), "finite number, but all are NaN"),
    "matrix ": (lambda: viz.plot_connectivity(W * np.nan), r"finite, but is nan at index \(0, 0\)"),
    "data ": (lambda: viz.plot_functional_connectivity(W * np.nan, is_matrix=True), "finite, but is nan"),
    "data  ": (lambda: viz.plot_functional_connectivity_dynamics(X, is_matrix=True), "square matrix, but"),
    "sampling_period": (
        lambda: viz.plot_functional_connectivity_dynamics(X, sampling_period=2.0),
        "positive time, but is 2.0",
    ),
    "history": (lambda: viz.plot_loss(X), r"\(K,\), but is of shape \(50, 3\)"),
}


@pytest.mark.parametrize("argument", REFUSALS)
def test_refuses(argument):
    plot, message = REFUSALS[argument]
    with pytest.raises(ValueError, match=f"Argument `{argument.strip()}` of plot_.* must .*{message}.*Example: "):
        plot()
    assert not plt.get_fignums()  # no empty figure stays behind


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "brainmass\[viz\]"'):
        viz.plot_loss([1.0])


def test_refuses_what_is_no_real_number():
    with pytest.raises(TypeError, match="`signal` of plot_timeseries .* must be real numbers, but is of type complex"):
        viz.plot_timeseries(1j * X)
    with pytest.raises(TypeError, match="`matrix` of plot_connectivity .* real numbers, but is of type <U1"):
        viz.plot_connectivity([["a"]])


DRAWING = [importlib.import_module(f"brainmass.viz.{info.name}") for info in pkgutil.iter_modules(viz.__path__)]


@pytest.mark.parametrize(
    "module",
    [
        *DRAWING,
        objectives,
        datasets,
        datasets.hcp,
        datasets.registry,
        importlib.import_module("brainmass.connectome.dense"),
    ],
)
def test_optional_packages_are_imported_late(module):
    tree = ast.parse(inspect.getsource(module))
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {getattr(node, "module", None) or node.names[0].name for node in top}
    late = {"matplotlib", "scipy", "xarray", "nilearn", "mne"}
    assert names and not {name.partition(".")[0] for name in names} & late
