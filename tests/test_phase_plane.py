"""The plane of two states: nullclines and field beside formulas written out by hand."""

import brainstate
import brainunit as u
import numpy as np
import pytest
from numpy.testing import assert_allclose

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.collections import LineCollection  # noqa: E402
from matplotlib.contour import ContourSet  # noqa: E402

import brainmass  # noqa: E402
from brainmass import viz  # noqa: E402

FHN = brainmass.FitzHughNagumoStep.preset("classic", 1)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def nullclines(ax):
    """Points of the first and of the second one."""
    found = [c for c in ax.collections if isinstance(c, ContourSet)]
    return [np.concatenate([path.vertices for path in c.get_paths()]).T for c in found]


def test_nullclines_and_field_of_fitzhugh_nagumo():
    ax = viz.plot_phase_plane(FHN, xlim=(-2.5, 2.5), ylim=(-1, 2), inputs={"V_inp": 0.5})
    (V, w), (V2, w2) = nullclines(ax)
    assert_allclose(w, V - V**3 / 3 + 0.5, atol=2e-3)
    assert_allclose(w2, (V2 + 0.7) / 0.8, atol=1e-5)
    assert np.ptp(V) > 3.5 and np.ptp(w2) == pytest.approx(3.0, abs=0.05)  # from end to end
    lines = [c for c in ax.collections if isinstance(c, LineCollection)][0].get_segments()
    ends = np.concatenate([np.stack([line[:-1], line[1:]]) for line in lines], axis=1)
    ends = ends[:, (ends[0] != ends[1]).any(axis=1)]
    (V, w), (dV, dw) = ends.mean(axis=0).T, (ends[1] - ends[0]).T
    expected = np.array([V - V**3 / 3 - w + 0.5, (V + 0.7 - 0.8 * w) / 12.5])
    cosine = (expected * [dV, dw]).sum(0) / np.linalg.norm(expected, axis=0) / np.hypot(dV, dw)
    assert len(V) > 500 and np.median(cosine) > 0.999 and (cosine > 0.9).mean() > 0.95
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("V", "w")
    assert (ax.get_xlim(), ax.get_ylim()) == ((-2.5, 2.5), (-1, 2))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["dV/dt = 0", "dw/dt = 0"]


def fixed_points(ax):
    """Place and stability, from left to right."""
    found = [line for line in ax.lines if line.get_gid() == "fixed point"]
    places = [(*line.get_xydata()[0], line.get_markerfacecolor() == "black") for line in found]
    return np.array(sorted(places)).T


@pytest.mark.parametrize("current", [0.0, 0.5])
def test_fixed_point_of_fitzhugh_nagumo(current):
    V = np.roots([-1 / 3, 0, 1 - 1 / 0.8, current - 0.7 / 0.8])
    V = V[np.abs(V.imag) < 1e-9].real
    ax = viz.plot_phase_plane(FHN, xlim=(-2.5, 2.5), ylim=(-1, 2), inputs={"V_inp": current})
    (x,), (y,), (stable,) = fixed_points(ax)
    assert_allclose([x, y], [V[0], (V[0] + 0.7) / 0.8], atol=2e-4)
    assert stable == (1 - V[0] ** 2 - 0.8 / 12.5 < 0)  # its trace; its determinant is positive
    assert stable == (current == 0)


def test_three_fixed_points_of_a_bistable_region():
    """Roots of a polynomial; by its slopes the middle one is a saddle."""
    x = np.sort(np.roots([np.pi**2, -15.0, 5.0, 0.0, -1 / (4 * np.pi**2)]).real)[1:]
    ax = viz.plot_phase_plane(
        brainmass.MontbrioPazoRoxinStep(1, delta=1.0 * u.kHz), xlim=(0.02 * u.kHz, 1.6 * u.kHz), ylim=(-4, 2)
    )
    r, v, stable = fixed_points(ax)
    assert_allclose(r, 1000 * x, rtol=5e-3)
    assert_allclose(v, -1 / (2 * np.pi * x), rtol=5e-3)
    assert stable.tolist() == [1, 0, 1]


def test_a_line_of_rest_has_no_points():
    ax = viz.plot_phase_plane(brainmass.HopfStep(1, a=0.5, w=0.0), xlim=(0.1, 2), ylim=(0.1, 2))
    assert not [line for line in ax.lines if line.get_gid() == "fixed point"]


def test_units_of_states_and_limits():
    model = brainmass.MontbrioPazoRoxinStep(1, delta=1.0 * u.kHz)
    ax = viz.plot_phase_plane(model, xlim=(0.02 * u.kHz, 1.6 * u.kHz), ylim=(-4, 2))
    (r, v), (r2, v2) = nullclines(ax)
    rho = r / 1000  # times tau = 1 ms
    assert_allclose(v, -1 / (2 * np.pi * rho), atol=0.02)
    assert_allclose(v2**2 - 5 + 15 * r2 / 1000 - (np.pi * r2 / 1000) ** 2, 0, atol=2e-3)
    assert ax.get_xlabel() == "r (Hz)" and ax.get_xlim() == (20, 1600)


def test_parameters_and_inputs_are_those_of_the_region():
    model = brainmass.HopfStep(3, a=np.array([-1.0, 0.5, 2.0]), w=0.0)
    inputs = {"x_inp": np.array([0.0, 0.3, 0.0])}
    ax = viz.plot_phase_plane(model, xlim=(-2, 2), ylim=(0.1, 2), region=1, inputs=inputs)
    (x, y), (x2, y2) = nullclines(ax)
    assert_allclose((0.5 - x**2 - y**2) * x + 0.3, 0, atol=2e-3)
    assert_allclose(x2**2 + y2**2, 0.5, atol=2e-3)


def test_other_states_are_held():
    model = brainmass.LorenzStep(1)
    _, (x, y) = nullclines(viz.plot_phase_plane(model, "x", "y", xlim=(-2, 2), ylim=(-9, 9), held={"z": 20.0}))
    assert_allclose(y, 8 * x, atol=1e-3)
    brainstate.nn.init_all_states(model)
    model.z.value = model.z.value * 0 + 25.0
    _, (x, y) = nullclines(viz.plot_phase_plane(model, "x", "y", xlim=(-2, 2), ylim=(-9, 9)))
    assert_allclose(y, 3 * x, atol=1e-3)


@pytest.mark.slow
def test_recurrent_input_with_delay_rests_where_that_without_does():
    plain, delayed = brainmass.WilsonCowanStep(1), brainmass.WilsonCowanDelayedStep(1)
    brainmass.Simulator(delayed, dt=0.1 * u.ms).run(5 * u.ms)
    limits = dict(xlim=(0, 0.6), ylim=(0, 0.6), inputs={"rE_inp": 1.25})
    for one, other in zip(*(nullclines(viz.plot_phase_plane(m, **limits)) for m in (plain, delayed)), strict=True):
        assert_allclose(one, other, atol=1e-6)


def test_a_trajectory_is_drawn_and_gives_the_limits():
    result = brainmass.Simulator(FHN, dt=0.2 * u.ms).run(8 * u.ms, inputs={"V_inp": 0.5}, seed=0)
    _, ax = plt.subplots()
    assert viz.plot_phase_plane(FHN, inputs={"V_inp": 0.5}, trajectory=result, ax=ax) is ax
    line = next(line for line in ax.lines if len(line.get_xdata()) == 40)
    assert_allclose(line.get_xydata(), np.stack([result["V"][:, 0], result["w"][:, 0]], axis=1))
    low, high = ax.get_xlim()
    assert low < result["V"].min() and high > result["V"].max()


def test_what_is_not_in_view_is_said():
    ax = viz.plot_phase_plane(FHN, xlim=(3, 4), ylim=(0, 1))
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["dV/dt = 0 (not here)", "dw/dt = 0 (not here)"]


BOX = dict(xlim=(-1, 1), ylim=(-1, 1))
REFUSALS = [
    (lambda: viz.plot_phase_plane(3.0, **BOX), TypeError, "must be one node"),
    (
        lambda: viz.plot_phase_plane(FHN, "V", "v", **BOX),
        ValueError,
        "`y` of .* two different states of FitzHughNagumoStep",
    ),
    (lambda: viz.plot_phase_plane(FHN, "V", "V", **BOX), ValueError, "two different states"),
    (lambda: viz.plot_phase_plane(brainmass.LorenzStep(1), **BOX), ValueError, r"\(x, y, z\), but is None"),
    (lambda: viz.plot_phase_plane(brainmass.LorenzStep(1), "x", "y", **BOX), ValueError, "must give the state 'z'"),
    (lambda: viz.plot_phase_plane(FHN, held={"V": 1.0}, **BOX), ValueError, r"other states .*\(none\), but has 'V'"),
    (lambda: viz.plot_phase_plane(FHN), ValueError, "`xlim` .* must be given where there is no `trajectory`"),
    (lambda: viz.plot_phase_plane(FHN, xlim=(1, -1), ylim=(0, 1)), ValueError, "the lower one first"),
    (lambda: viz.plot_phase_plane(FHN, xlim=(0, np.nan), ylim=(0, 1)), ValueError, "two finite numbers"),
    (
        lambda: viz.plot_phase_plane(FHN, xlim=(0 * u.mV, 1 * u.mV), ylim=(0, 1)),
        u.UnitMismatchError,
        "unit of the state",
    ),
    (lambda: viz.plot_phase_plane(FHN, region=1, **BOX), ValueError, r"in_size=\(1,\), but is 1"),
    (lambda: viz.plot_phase_plane(FHN, inputs={"V_in": 1.0}, **BOX), ValueError, "has the inputs V_inp"),
    (lambda: viz.plot_phase_plane(FHN, inputs={"V_inp": np.ones(4)}, **BOX), ValueError, "one value per region"),
    (
        lambda: viz.plot_phase_plane(FHN, trajectory={"V": np.ones((5, 1))}),
        ValueError,
        "must have recorded the states V, w",
    ),
]


@pytest.mark.parametrize(("draw", "kind", "message"), REFUSALS)
def test_refuses(draw, kind, message):
    with pytest.raises(kind, match=message):
        draw()
    assert not plt.get_fignums()
