"""The report of a fit: the numbers it draws."""

import brainstate
import brainunit as u
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import ExpT, NegSoftplusT, Param, SigmoidT
from numpy.testing import assert_allclose

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402

import brainmass  # noqa: E402
from brainmass import viz  # noqa: E402

RNG = np.random.default_rng(0)
FC = np.corrcoef(RNG.normal(size=(4, 30)))


def result(**others):
    values = {"k": jnp.array([1.0, 3.0]), "tau": 10.0 * u.ms, "free": 2.0}
    bounds = {"k": brainmass.Bounds(0.0, 4.0), "tau": brainmass.Bounds(1 * u.ms, 0.1 * u.second, log=True)}
    course = dict(history=np.array([8.0, 2.0, 4.0]), histories=np.array([[8.0, 9.0], [2.0, 5.0], [4.0, 6.0]]))
    return brainmass.FitResult(
        backend="grad", best_loss=2.0, best_params=values, n_steps=3, bounds=bounds, **course, **others
    )


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_course_and_parameters():
    axes = viz.plot_fit(result())
    assert list(axes) == ["loss", "parameters"]
    *starts, course, lowest = (line.get_ydata() for line in axes["loss"].lines)
    assert_allclose(starts, [[8, 2, 4], [9, 5, 6]])
    assert_allclose([course, lowest], [[8, 2, 4], [8, 2, 2]])
    dots = [line.get_xdata() for line in axes["parameters"].lines if line.get_marker() == "o"]
    assert_allclose(dots[0], [0.25, 0.75])
    assert_allclose(dots[1], [0.5])  # 10 ms is in the middle of 1 and 100 ms, on a logarithmic scale
    rows = [text.get_text() for text in axes["parameters"].get_yticklabels()]
    assert rows[1:] == ["tau = 10 ms\nfrom 1 to 100, log", "free = 2"]
    assert [text.get_text() for text in axes["parameters"].texts] == ["no bounds"]


def test_matrices_share_one_picture():
    axes = viz.plot_fit(result(prediction=jnp.asarray(0.5 * FC)), target=FC)
    image = axes["comparison"].images[0]
    drawn, below = np.ma.filled(image.get_array(), np.nan), np.tril_indices(4, -1)
    assert_allclose(drawn[below], FC[below])
    assert_allclose(drawn.T[below], 0.5 * FC[below], rtol=1e-6)
    assert np.isnan(np.diag(drawn)).all()
    assert image.get_clim()[0] == -image.get_clim()[1]
    assert axes["comparison"].get_title() == "r = 1.00"


def test_signals_lie_over_each_other_and_many_against_each_other():
    one, other = RNG.normal(size=(2, 20)) * u.mV
    lines = viz.plot_fit(result(), target=one.to(u.uvolt), prediction=other)
    target, prediction = (line.get_ydata() for line in lines["comparison"].lines)
    assert_allclose([target, prediction], [1000 * one.mantissa, 1000 * other.mantissa], rtol=1e-5)
    several = RNG.normal(size=(20, 3))
    ax = viz.plot_fit(result(prediction=several**2), target=several)["comparison"]
    assert_allclose(ax.lines[0].get_xydata(), np.stack([several.ravel(), several.ravel() ** 2], axis=1))
    assert ax.get_title() == f"r = {np.corrcoef(several.ravel(), several.ravel() ** 2)[0, 1]:.2f}"


def test_draws_on_the_axes_given():
    _, axes = plt.subplot_mosaic([["parameters", "loss"]])
    assert viz.plot_fit(result(), ax=axes) == axes
    assert axes["loss"].lines


REFUSALS = [
    (lambda: viz.plot_fit([1.0]), TypeError, "must be a brainmass.FitResult"),
    (lambda: viz.plot_fit(result(), ax={}), TypeError, "must map loss, parameters to axes"),
    (lambda: viz.plot_fit(result(), target=FC), ValueError, "has no `predict`"),
    (lambda: viz.plot_fit(result(prediction=FC), target=FC[:3]), ValueError, r"\(4, 4\) in 1, but has \(3, 4\)"),
    (lambda: viz.plot_fit(result(prediction=FC), target=FC * u.mV), ValueError, r"but has \(4, 4\) in mV"),
]


@pytest.mark.parametrize(("draw", "kind", "message"), REFUSALS)
def test_refuses(draw, kind, message):
    with pytest.raises(kind, match=message):
        draw()
    assert not plt.get_fignums()


def test_a_transform_gives_bounds():
    """Both ends, or one: where the value lies between the former, and the latter in words."""
    node = brainmass.HopfStep(
        1,
        a=Param(0.1, t=SigmoidT(-0.5, 0.5), fit=True),
        w=Param(0.3, t=ExpT(0.0), fit=True),
        beta=Param(1.0, t=NegSoftplusT(2.0), fit=True),
    )
    fitter = brainmass.Fitter(node, loss_fn=lambda m: m.a.value() ** 2 + m.w.value() ** 2 + m.beta.value() ** 2)
    found = fitter.fit(n_steps=1)
    ends = {name: (float(b.low), float(b.high)) for name, b in found.bounds.items()}
    assert_allclose([ends["a"], ends["w"], ends["beta"]], [(-0.5, 0.5), (0.0, np.inf), (-np.inf, 2.0)])
    assert "a = 0.1, within -0.5 to 0.5" in repr(found) and ", above 0" in repr(found) and ", below 2" in repr(found)
    axes = viz.plot_fit(found)
    assert [text.get_text() for text in axes["parameters"].texts] == ["above 0", "below 2"]
    (place,) = [line.get_xdata() for line in axes["parameters"].lines if line.get_marker() == "o"]
    assert_allclose(place, [0.6], atol=0.05)


def test_a_fit_tells_its_bounds():
    model = brainmass.HopfStep(4, a=brainstate.nn.Param(jnp.full(4, 0.3), fit=True), w=0.5)
    space = {
        "a": brainmass.Free((-1.0, 1.0), shared=["u", "v", "u", "v"]),
        "w": brainmass.Bounds(0.01, 1.0, log=True),
        "beta": brainmass.Free(),
    }
    fitter = brainmass.Fitter(
        model, optax.sgd(0.1), search_space=space, loss_fn=lambda m: jnp.sum(m.a.value() ** 2) + m.w.value() ** 2
    )
    found = fitter.fit(n_steps=2)
    assert set(found.bounds) == {"a", "w"} and set(found.best_params) == {"a", "w", "beta"}
    assert_allclose([found.bounds["a"].low, found.bounds["a"].high], [[-1.0] * 4, [1.0] * 4])
    assert (found.bounds["w"].log, float(found.bounds["w"].high)) == (True, 1.0)
    assert set(viz.plot_fit(found)) == {"loss", "parameters"}
