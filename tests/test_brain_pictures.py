"""What nilearn and MNE are handed, and what they draw."""

import sys

import brainunit as u
import numpy as np
import pytest
from numpy.testing import assert_allclose

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.patches import FancyArrow  # noqa: E402

import brainmass  # noqa: E402
from brainmass import viz  # noqa: E402

XYZ = np.array([[-40.0, 20.0, 10.0], [40.0, 25.0, 15.0], [-10.0, -80.0, 5.0], [15.0, -30.0, 60.0]])
W = np.zeros((4, 4))
W[0, 1] = W[1, 0] = 3.0
W[2, 3] = W[3, 2] = 2.0
W[0, 2] = W[2, 0] = 1.0
BRAIN = brainmass.Connectome(W, centres=XYZ / 10 * u.cm)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def segments(view):
    return {tuple(map(tuple, np.sort(line.get_xydata(), axis=0).tolist())) for line in view.lines}


@pytest.mark.slow
def test_regions_and_connections_lie_where_they_are():
    pytest.importorskip("nilearn")
    from_above = viz.plot_connectome(BRAIN, strongest=4, display_mode="z").axes["z"].ax
    (dots,) = [c.get_offsets() for c in from_above.collections]
    assert_allclose(dots, XYZ[:, :2])
    expected = {tuple(map(tuple, np.sort(XYZ[[i, j], :2], axis=0).tolist())) for i, j in ((0, 1), (2, 3))}
    assert segments(from_above) == expected


def test_arrows_go_from_the_region_that_sends():
    pytest.importorskip("nilearn")
    one_way = np.zeros((4, 4))
    one_way[1, 0] = 1.0  # onto 1 from 0
    _, given = plt.subplots()
    brain = brainmass.Connectome(one_way, centres=XYZ * u.mm)
    view = viz.plot_connectome(brain.to_edges(), display_mode="z", ax=given).axes["z"].ax
    (arrow,) = [p for p in view.patches if isinstance(p, FancyArrow)]
    assert_allclose((arrow._x, arrow._y, arrow._dx, arrow._dy), (*XYZ[0, :2], *(XYZ[1] - XYZ[0])[:2]))
    assert view.figure is given.figure


def test_a_page_in_three_dimensions():
    pytest.importorskip("nilearn")
    page = viz.view_connectome(BRAIN).html
    assert "<html" in page.lower() and "connectome" in page


def test_topography_takes_the_values_at_the_sensors():
    pytest.importorskip("mne")
    spiral = np.pi * (1 + 5**0.5) * np.arange(30)
    z = np.linspace(85.0, 10.0, 30)
    xyz = np.stack([np.sqrt(90**2 - z**2) * np.cos(spiral), np.sqrt(90**2 - z**2) * np.sin(spiral), z], axis=1)
    values = xyz[:, 1] + 0.3 * xyz[:, 0]
    ax = viz.plot_topography(values * u.uvolt, xyz * u.mm, label="EEG", contours=0)
    image = ax.images[0]
    assert image.get_clim() == pytest.approx((-np.abs(values).max(), np.abs(values).max()))
    assert image.colorbar.ax.get_ylabel() == "EEG (uV)"
    grid, (left, right, bottom, top) = np.asarray(image.get_array()), image.get_extent()
    rows, cols = np.indices(grid.shape)
    x, y = left + (right - left) * (cols + 0.5) / grid.shape[1], bottom + (top - bottom) * (rows + 0.5) / grid.shape[0]
    inside = np.hypot(x, y) < 0.06
    slopes = np.polynomial.polynomial.polyvander2d(x[inside], y[inside], [1, 1])
    _, by_y, by_x, _ = np.linalg.lstsq(slopes, grid[inside], rcond=None)[0]
    assert by_x / by_y == pytest.approx(0.3, abs=0.05)  # to the right along x, to the front along y


def test_topography_of_a_montage_takes_sensors_by_name():
    mne = pytest.importorskip("mne")
    names = ["Oz", "Fz", "C3", "C4"]
    one = viz.plot_topography([1.0, 2.0, 3.0, 5.0], "biosemi64", labels=names)
    montage = mne.channels.make_standard_montage("biosemi64")
    info = mne.create_info([*names[::-1], "Cz"], 1.0, "eeg", verbose=False).set_montage(montage)
    other = viz.plot_topography([1.0, 2.0, 3.0, 5.0], info, labels=names)
    drawn = [np.asarray(ax.images[0].get_array()) for ax in (one, other)]
    assert_allclose(*drawn)
    assert one.images[0].cmap.name == "viridis" and one.images[0].get_clim() == (1.0, 5.0)
    top, bottom = (drawn[0][i, 32] for i in (-4, 3))
    assert bottom < top and drawn[0][32, 3] < drawn[0][32, -4]  # Oz behind Fz, C3 left of C4


NOWHERE = brainmass.Connectome(W, name="mine")
REFUSALS = [
    (lambda: viz.plot_connectome(NOWHERE), ValueError, "must have coordinates of its regions, but 'mine' has none"),
    (
        lambda: viz.view_connectome(NOWHERE),
        ValueError,
        r"Example: brainmass.Connectome\(weights, centres=xyz \* u.mm\)",
    ),
    (lambda: viz.plot_connectome(W), TypeError, "must be a Connectome or Edges"),
    (lambda: viz.plot_connectome(BRAIN, strongest=0), ValueError, "must be a positive int, but is 0"),
    (lambda: viz.plot_topography(W, None), ValueError, r"shape \(sensors,\), three or more, but are of shape \(4, 4\)"),
    (lambda: viz.plot_topography(np.ones(4), None), ValueError, "must be given, as no sensor has a place"),
    (lambda: viz.plot_topography(np.ones(4) * np.nan, XYZ * u.mm), ValueError, "must be finite, but is nan"),
]
NEED_MNE = [
    (lambda: viz.plot_topography(np.ones(4), XYZ), TypeError, "must be lengths of shape"),
    (lambda: viz.plot_topography(np.ones(3), XYZ * u.mm), ValueError, r"shape \(3, 3\)"),
    (lambda: viz.plot_topography(np.ones(3), "biosemi64"), ValueError, "must have 3 sensors, but have 64"),
    (lambda: viz.plot_topography(np.ones(3), "biosemi64", labels=["Fz", "Cz", "X"]), ValueError, "'X' is none"),
]


@pytest.mark.parametrize(("draw", "kind", "message"), REFUSALS)
def test_refuses(draw, kind, message):
    with pytest.raises(kind, match=message):
        draw()
    assert not plt.get_fignums()


@pytest.mark.parametrize(("draw", "kind", "message"), NEED_MNE)
def test_refuses_sensors(draw, kind, message):
    pytest.importorskip("mne")
    with pytest.raises(kind, match=message):
        draw()
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("draw", "module", "extra"),
    [
        (lambda: viz.plot_connectome(BRAIN), "nilearn.plotting", "brain"),
        (lambda: viz.plot_topography(np.ones(4), XYZ * u.mm), "mne", "eeg"),
    ],
)
def test_without_the_package_the_error_names_the_extra(monkeypatch, draw, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf'pip install "brainmass\[{extra}\]"'):
        draw()
    assert not plt.get_fignums()
