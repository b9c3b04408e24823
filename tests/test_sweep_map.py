"""Sweeps over two parameters as colours: values at their places."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
xarray = pytest.importorskip("xarray")

import brainunit as u  # noqa: E402
from matplotlib import pyplot as plt  # noqa: E402

import brainmass  # noqa: E402
from brainmass import viz  # noqa: E402

SCORES = np.arange(12.0).reshape(3, 2, 2) ** 2  # k, tau, seed
SCORES[2, 0] = np.nan
SCORES[1, 1, 0] = np.nan
COORDS = {"k": [0.1, 0.2, 0.5], "tau": ("tau", [20.0, 10.0], {"units": "ms"}), "seed": [0, 1]}
GRID = xarray.Dataset(
    {
        "score": (("k", "tau", "seed"), SCORES, {"units": "Hz"}),
        "failed": (("k", "tau", "seed"), np.full((3, 2, 2), "")),
    },
    COORDS,
)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def cells(ax):
    """Value at the middle of each cell, by (x, y); None where there is none."""
    mesh = ax.collections[0]
    corners = mesh.get_coordinates()
    middles = (corners[1:, 1:] + corners[:-1, :-1]) / 2
    values = np.ma.masked_array(mesh.get_array()).reshape(middles.shape[:2])
    return {
        tuple(np.round(middles[i]).astype(int)): None if values[i] is np.ma.masked else float(values[i])
        for i in np.ndindex(values.shape)
    }


def test_each_cell_has_the_mean_over_the_seeds():
    data = GRID.assign_coords(k=[1.0, 2.0, 3.0])
    ax = viz.plot_sweep_map(data)
    expected = {(20, 1): 0.5, (10, 1): 6.5, (20, 2): 20.5, (10, 2): 49.0, (20, 3): None, (10, 3): 110.5}
    assert cells(ax) == expected
    assert cells(viz.plot_sweep_map(data["score"], x="k")) == {(k, tau): v for (tau, k), v in expected.items()}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("tau (ms)", "k")
    assert ax.collections[0].colorbar.ax.get_ylabel() == "score (Hz)"
    assert ax.collections[0].cmap.name == "viridis"
    _, given = plt.subplots()
    assert viz.plot_sweep_map(GRID, ax=given, colorbar=False) is given


def test_colours_reach_equally_far_to_both_sides_of_a_center():
    mesh = viz.plot_sweep_map(GRID, center=10.0).collections[0]
    assert mesh.get_clim() == (10 - 100.5, 10 + 100.5)
    assert np.ptp(mesh.cmap(mesh.norm(10.0))[:3]) < 0.01


def test_values_side_by_side_are_dots():
    data = xarray.Dataset(
        {"score": (("point", "seed"), [[1.0, 3.0], [4.0, 4.0], [np.nan, np.nan]])},
        {"k": ("point", [0.1, 0.7, 0.3]), "tau": ("point", [5.0, 6.0, 7.0]), "point": [0, 1, 2], "seed": [0, 1]},
    )
    ax = viz.plot_sweep_map(data)
    dots = ax.collections[0]
    assert_allclose(dots.get_offsets()[:2], [[5.0, 0.1], [6.0, 0.7]])
    assert_allclose(np.ma.compressed(dots.get_array()), [2.0, 4.0])


def test_names_stand_on_an_axis():
    data = GRID.assign_coords(tau=["mine", "yours"])
    ax = viz.plot_sweep_map(data)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["mine", "yours"]


def test_what_sweep_returns_is_drawn():
    simulator = brainmass.Simulator(brainmass.LinearStep(1, init_x=np.ones), dt=0.1 * u.ms)
    values = {"gamma": [-1.0, -2.0]}
    data = brainmass.sweep(simulator, 1 * u.ms, values, seeds=2, measure=lambda r: {"x": r["x"][-1, 0]}, monitors=["x"])
    data = data.expand_dims({"other": [0.0, 1.0]})
    assert cells(viz.plot_sweep_map(data, x="gamma")) == pytest.approx(
        {(g, other): np.exp(g) for g in (-1, -2) for other in (0, 1)}, rel=1e-3
    )


REFUSALS = [
    (lambda: viz.plot_sweep_map(np.eye(3)), TypeError, "xarray Dataset or DataArray"),
    (lambda: viz.plot_sweep_map(GRID, "scores"), ValueError, "must be 'score', but is 'scores'"),
    (lambda: viz.plot_sweep_map(GRID.isel(k=0)), ValueError, "two parameters .* but has tau. Example: plot_sweep"),
    (lambda: viz.plot_sweep_map(GRID, x="seed"), ValueError, "`x` .* one of the parameters k, tau, but is 'seed'"),
    (lambda: viz.plot_sweep_map(GRID, x="k", y="k"), ValueError, "another one"),
    (lambda: viz.plot_sweep_map(GRID["score"] * np.nan), ValueError, "finite numbers, but has none"),
]


@pytest.mark.parametrize(("draw", "kind", "message"), REFUSALS)
def test_refuses(draw, kind, message):
    with pytest.raises(kind, match=message):
        draw()
    assert not plt.get_fignums()
