"""Objectives against NumPy, SciPy, closed forms and finite differences."""

import pickle

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.spatial import distance

from brainmass.objectives import (
    Several,
    combine,
    cosine_sim,
    fc_corr,
    fc_mean,
    fc_rmse,
    fc_variance,
    functional_connectivity,
    plv_rmse,
    psd_rmse,
    timeseries_rmse,
)

RNG = np.random.default_rng(0)
MIXING = RNG.normal(size=(5, 5))
P = (RNG.normal(size=(40, 5)) @ MIXING).astype(np.float32)
T = (RNG.normal(size=(60, 5)) @ MIXING).astype(np.float32)
FC_P, FC_T = np.corrcoef(P.T), np.corrcoef(T.T)
ABOVE = np.triu_indices(5, 1)

varied = arrays(np.float32, (9, 4), elements=st.integers(-50, 50).map(float)).filter(
    lambda x: (np.ptp(x, axis=0) > 0).all()
)

few = settings(deadline=None, max_examples=30)  # the first call compiles
compiled_fc = jax.jit(functional_connectivity)
compiled_rmse = jax.jit(timeseries_rmse())


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def with_constant_column(x, value=0.1):
    x = np.array(x)
    x[:, 2] = value
    return x


def finite_differences(f, x, step=1e-6):
    gradient = np.zeros(x.shape)
    for i in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        gradient[i] = (f(up) - f(down)) / (2 * step)
    return gradient


# functional connectivity


@pytest.mark.slow
@few
@given(varied)
def test_connectivity_is_numpys(x):
    np.testing.assert_allclose(compiled_fc(x), np.corrcoef(x.T), atol=2e-6)


@few
@given(varied, st.floats(0.1, 100.0), st.integers(-100, 100))
def test_connectivity_knows_neither_scale_nor_baseline(x, scale, baseline):
    fc = compiled_fc(x)
    np.testing.assert_allclose(compiled_fc(np.float32(scale) * x + np.float32(baseline)), fc, atol=2e-4)
    np.testing.assert_allclose(compiled_fc(x * u.mV), fc, atol=1e-6)


@few
@given(arrays(np.float32, (5, 4), elements=st.floats(-(2.0**70), 2.0**70, width=32)))
def test_connectivity_is_a_correlation_whatever_the_data(x):
    fc = np.asarray(compiled_fc(x))
    assert np.isfinite(fc).all() and np.abs(fc).max() <= 1
    np.testing.assert_array_equal(np.diag(fc), 1.0)
    np.testing.assert_array_equal(fc, fc.T)


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1e30])
def test_connectivity_of_tiny_and_huge_numbers(scale):
    np.testing.assert_allclose(functional_connectivity(P * np.float32(scale)), FC_P, atol=1e-5)


def test_connectivity_on_a_high_baseline():
    shifted = (1e4 + P).astype(np.float32)  # raw BOLD
    np.testing.assert_allclose(functional_connectivity(shifted), np.corrcoef(shifted.T), atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e8, 1e-30])
def test_constant_series_is_uncorrelated(value):
    expected = FC_P.copy()
    expected[2, :] = expected[:, 2] = 0.0
    expected[2, 2] = 1.0
    np.testing.assert_allclose(functional_connectivity(with_constant_column(P, value)), expected, atol=1e-5)


def test_series_constant_up_to_rounding_is_constant():
    x = with_constant_column(P, 0.1)
    x[::2, 2] = np.nextafter(np.float32(0.1), np.float32(1))
    np.testing.assert_array_equal(functional_connectivity(x)[2], [0, 0, 1, 0, 0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_data_are_not_hidden(bad):
    x = P.copy()
    x[3, 1] = bad
    fc = np.asarray(functional_connectivity(x))
    assert np.isnan(fc[1, [0, 2, 3, 4]]).all() and np.isfinite(np.delete(np.delete(fc, 1, 0), 1, 1)).all()
    for objective in (fc_corr(), fc_rmse()):
        assert np.isnan(objective(x, T))
    assert not np.isfinite(timeseries_rmse()(x, P))


def test_integers_are_series():
    x = np.arange(12).reshape(4, 3) ** 2
    np.testing.assert_allclose(functional_connectivity(x), np.corrcoef(x.T), atol=1e-6)


# values


@few
@given(varied, varied)
def test_rmse_is_numpys(p, t):
    np.testing.assert_allclose(compiled_rmse(p, t), np.sqrt(np.mean((p - t) ** 2)), rtol=1e-5)


def test_rmse_is_in_the_unit_of_the_target():
    value = timeseries_rmse()(P * u.mV, (P / 1e3 + 1.0) * u.volt)
    np.testing.assert_allclose(value, 1.0, rtol=1e-6)
    assert not isinstance(value, u.Quantity)
    np.testing.assert_allclose(timeseries_rmse()((P / 1e3 + 1.0) * u.volt, P * u.mV), 1e3, rtol=1e-5)


def test_rmse_of_dimensionless_quantities():
    permille = np.full((3, 2), 5.0) * (u.mV / u.volt)
    np.testing.assert_allclose(timeseries_rmse()(np.zeros((3, 2)), permille), 0.005, rtol=1e-6)
    np.testing.assert_allclose(timeseries_rmse()(permille, np.zeros((3, 2))), 0.005, rtol=1e-6)


def test_fc_corr_is_scipys():
    expected = stats.pearsonr(FC_P[ABOVE], FC_T[ABOVE]).statistic
    np.testing.assert_allclose(fc_corr()(P, T), expected, atol=1e-5)
    np.testing.assert_allclose(fc_corr(as_loss=True)(P, T), 1 - expected, atol=1e-5)
    np.testing.assert_allclose(fc_corr(target_is_fc=True)(P, FC_T), expected, atol=1e-5)


def test_mean_and_variance_of_fc_are_numpys():
    above = np.triu_indices(len(FC_P), 1)
    for objective, moment in ((fc_mean, np.mean), (fc_variance, np.var)):
        expected = abs(moment(FC_P[above]) - moment(FC_T[above]))
        assert expected > 1e-3
        np.testing.assert_allclose(objective()(P, T), expected, atol=1e-6)
        np.testing.assert_allclose(objective(target_is_fc=True)(P, FC_T), expected, atol=1e-6)
        np.testing.assert_allclose(objective()(P, 3 * P + 2), 0.0, atol=1e-6)


def test_several_hold_each_and_sum_up():
    both = Several({"fc": fc_corr(as_loss=True), "rmse": fc_rmse()}, weights={"rmse": 3.0})
    each = both.each(P, T)
    np.testing.assert_allclose([each["fc"], each["rmse"]], [fc_corr(as_loss=True)(P, T), fc_rmse()(P, T)], atol=1e-6)
    np.testing.assert_allclose(both(P, T), each["fc"] + 3 * each["rmse"], rtol=1e-6)
    known = Several({"fc": fc_corr(), "rmse": fc_rmse(target_is_fc=True)})
    own = known.each(P, {"fc": T, "rmse": FC_T})
    np.testing.assert_allclose([own["fc"], own["rmse"]], [1 - each["fc"], each["rmse"]], atol=1e-6)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(both))(P, T), both(P, T))


def test_fc_rmse_counts_all_entries():
    np.testing.assert_allclose(fc_rmse()(P, T), np.sqrt(np.mean((FC_P - FC_T) ** 2)), atol=1e-6)
    np.testing.assert_allclose(fc_rmse(target_is_fc=True)(P, FC_T), fc_rmse()(P, T), atol=1e-6)
    off = np.sqrt(np.mean((FC_P - FC_T)[ABOVE] ** 2))
    np.testing.assert_allclose(fc_rmse()(P, T), off * np.sqrt(1 - 1 / 5), atol=1e-6)


def test_same_connectivity_scores_best():
    np.testing.assert_allclose(fc_corr()(P, 3 * P + 2), 1.0, atol=1e-6)
    np.testing.assert_allclose(fc_rmse()(P, 3 * P + 2), 0.0, atol=1e-6)
    assert timeseries_rmse()(P, P) == 0.0


def test_uniform_connectivity_scores_zero():
    synchronous = np.repeat(P[:, :1], 5, axis=1) * np.array([1, 2, 3, 4, 5], np.float32)
    assert fc_corr()(synchronous, T) == 0.0
    assert fc_corr()(np.ones((7, 5)), T) == 0.0


def test_cosine_is_scipys():
    expected = 1 - distance.cosine(P.ravel().astype(float), T[:40].ravel().astype(float))
    np.testing.assert_allclose(cosine_sim()(P, T[:40]), expected, rtol=1e-5)
    np.testing.assert_allclose(cosine_sim(as_loss=True)(P, T[:40]), 1 - expected, rtol=1e-5)
    np.testing.assert_allclose(cosine_sim()(P * u.mV, T[:40] * u.ms), expected, rtol=1e-5)
    np.testing.assert_allclose(cosine_sim()(P * np.float32(1e-30), T[:40] * np.float32(1e30)), expected, rtol=1e-5)
    np.testing.assert_allclose(cosine_sim()(P[0], -3 * P[0]), -1.0, rtol=1e-6)


def test_cosine_of_signals_shorter_than_epsilon():
    p, t = np.array([0.3, 0.4]), np.array([3.0, 0.0])
    np.testing.assert_allclose(cosine_sim()(p, t), 0.6, rtol=1e-6)
    np.testing.assert_allclose(cosine_sim(epsilon=1.0)(p, t), 0.3, rtol=1e-6)
    np.testing.assert_allclose(cosine_sim(epsilon=4.0)(p, t), 0.9 / 16, rtol=1e-6)


@pytest.mark.parametrize("epsilon", [0.0, 1e-8, 2.0])
def test_gradient_of_the_cosine_with_zero_is_finite(epsilon):
    value_and_gradient = jax.jit(jax.value_and_grad(cosine_sim(epsilon=epsilon)))
    for p, t in ((0 * P, P), (P, 0 * P), (0 * P, 0 * P), (P, P)):
        value, gradient = value_and_gradient(p, t)
        assert np.isfinite(gradient).all()
        np.testing.assert_allclose(value, 1.0 if p is t is P else 0.0, atol=1e-6)


# gradients


OBJECTIVES = {
    "timeseries_rmse": (timeseries_rmse(), T[:40]),
    "cosine_sim": (cosine_sim(), T[:40]),
    "cosine_sim with epsilon": (cosine_sim(as_loss=True, epsilon=50.0), T[:40]),
    "fc_corr": (fc_corr(), T),
    "fc_corr to fc": (fc_corr(target_is_fc=True), FC_T),
    "fc_rmse": (fc_rmse(), T),
    "fc_rmse to fc": (fc_rmse(target_is_fc=True), FC_T),
    "fc_mean": (fc_mean(), T),
    "fc_variance to fc": (fc_variance(target_is_fc=True), FC_T),
    "combine": (combine((0.5, fc_rmse()), (2.0, fc_corr(as_loss=True))), T),
}
SAMPLE_BY_SAMPLE = [f for name, (f, _) in OBJECTIVES.items() if name.startswith(("timeseries", "cosine"))]
every_objective = pytest.mark.parametrize(("f", "target"), OBJECTIVES.values(), ids=OBJECTIVES)


@pytest.mark.few(4)
@every_objective
def test_gradient_is_that_of_finite_differences(float64, f, target):
    p, target = P.astype(float), np.asarray(target, float)
    loss = jax.jit(lambda x: f(x, target))
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(p), finite_differences(loss, p), atol=1e-8)


@every_objective
def test_gradient_past_a_constant_series(float64, f, target):
    p, target = with_constant_column(P.astype(float)), np.asarray(target, float)
    others = [0, 1, 3, 4]
    loss = jax.jit(lambda x: f(x, target))
    gradient = np.asarray(jax.jit(jax.grad(loss))(p))
    assert np.isfinite(gradient).all()
    expected = finite_differences(lambda x: loss(with_constant_column(x)), p)
    np.testing.assert_allclose(gradient[:, others], expected[:, others], atol=1e-8)
    if f not in SAMPLE_BY_SAMPLE:
        assert not gradient[:, 2].any()


@pytest.mark.few(2)
@pytest.mark.parametrize(
    "f", [timeseries_rmse(), fc_corr(as_loss=True), fc_rmse(), plv_rmse(), psd_rmse(1 * u.second, window_size=16)]
)
def test_gradient_at_the_target_is_zero(f):
    np.testing.assert_allclose(jax.jit(jax.grad(f))(P, P), 0.0, atol=1e-6)


def test_a_difference_of_rounding_has_no_gradient_and_a_larger_one_has():
    size = lambda p: np.abs(jax.jit(jax.grad(fc_rmse()))(p, P)).max()  # noqa: E731
    assert size(3 * P + 2) == 0.0
    rng = np.random.default_rng(1)
    assert size(P + 1e-4 * rng.normal(size=P.shape).astype(np.float32)) > 1e-3


@pytest.mark.few(3)
@pytest.mark.parametrize("f", [fc_corr(), fc_rmse()])
@pytest.mark.parametrize("p", [np.zeros((7, 5)), np.ones((7, 5)), P[:1].repeat(7, 0), P[:, :1].repeat(5, 1)])
def test_gradient_of_degenerate_signals_is_finite(f, p):
    assert np.isfinite(jax.jit(jax.grad(f))(jnp.asarray(p), T)).all()


@pytest.mark.few(4)
@every_objective
def test_jit_and_vmap_change_nothing(f, target):
    batch = jnp.stack([P, P[::-1], with_constant_column(P)])
    compiled = jax.jit(f)
    loop = [compiled(p, target) for p in batch]
    np.testing.assert_allclose(loop[0], f(P, target), atol=1e-6)
    values, gradients = jax.jit(jax.vmap(jax.value_and_grad(f), (0, None)))(batch, target)
    np.testing.assert_allclose(values, loop, atol=1e-6)
    assert gradients.shape == batch.shape and np.isfinite(gradients).all()


def test_precision_follows_x64(float64):
    assert functional_connectivity(P.astype(float)).dtype == np.float64
    np.testing.assert_allclose(functional_connectivity(P.astype(float)), FC_P, atol=1e-14)


# combine


def test_combine_is_the_weighted_sum():
    f = combine((2.0, fc_rmse()), (-0.5, fc_corr()), (jnp.float32(3.0), fc_rmse()))
    np.testing.assert_allclose(f(P, T), 5 * fc_rmse()(P, T) - 0.5 * fc_corr()(P, T), rtol=1e-5)


def test_combine_hands_on_what_it_gets():
    f = combine((1.0, lambda p, t: jnp.sum(p) if t is None else 0.0))
    assert f(jnp.ones(3), None) == 3.0


@pytest.mark.parametrize(
    "pairs",
    [
        (fc_rmse(),),
        (1.0, fc_rmse()),
        ((fc_rmse(), 1.0),),
        ((1.0, fc_rmse(), 2.0),),
        (([1.0, 2.0], fc_rmse()),),
        ((fc_rmse(), fc_rmse()),),
    ],
)
def test_combine_refuses(pairs):
    with pytest.raises(TypeError, match=r"pairs \(weight, objective\), but one is .*Example: combine\("):
        combine(*pairs)


def test_combine_of_nothing():
    with pytest.raises(ValueError, match="one pair or more, but is empty"):
        combine()


# refusals

SQUARE = np.asarray(FC_T)


@pytest.mark.parametrize(
    ("f", "p", "t", "message"),
    [
        (timeseries_rmse(), P, P[:, :1], r"`prediction` of timeseries_rmse .*\(40, 5\) against \(40, 1\)"),
        (timeseries_rmse(), P[0], P, r"\(5,\) against \(40, 5\)"),
        (timeseries_rmse(), P[:0], P[:0], r"nonempty shape"),
        (cosine_sim(), P, P[:, :1], r"`prediction` of cosine_sim .*\(40, 5\) against \(40, 1\)"),
        (cosine_sim(), P[:0], P[:0], "nonempty shape"),
        (timeseries_rmse(), P * u.mV, P * u.ms, "dimension of `target`, but is in mV against ms"),
        (timeseries_rmse(), P * u.mV, P, "dimension of `target`, but is in mV against 1"),
        (
            fc_corr(),
            P,
            T[:, :4],
            "`prediction` of fc_corr .*as many regions as `target`, but has 5 against 4",
        ),
        (fc_rmse(), P[:, :1], T, "`prediction` of fc_rmse .*but has 1 against 5"),
        (fc_corr(), P[:, :2], T[:, :2], "at least 3 regions, but has 2"),
        (fc_rmse(), P[:, :1], T[:, :1], "at least 2 regions, but has 1"),
        (fc_corr(), P[:1], T, r"`prediction` .*2 samples or more, but is of shape \(1, 5\)"),
        (fc_corr(), P, T[:1], r"`target` of fc_corr .*but is of shape \(1, 5\)"),
        (fc_corr(), P[None], T, r"\(time, region\).*\(1, 40, 5\).*jax\.vmap"),
        (fc_corr(target_is_fc=False), P, SQUARE, "time series unless target_is_fc=True, but is a symmetric matrix"),
        (fc_rmse(target_is_fc=False), P, SQUARE, r"Example: fc_rmse\(target_is_fc=True\)"),
        (fc_corr(target_is_fc=True), P, T, r"square matrix .*but is of shape \(60, 5\)"),
        (fc_rmse(target_is_fc=True), P[:, :4], SQUARE, "but has 4 against 5"),
        (fc_rmse(target_is_fc=True), P, SQUARE * u.mV, "`target` of fc_rmse .*without unit .*but is in mV"),
    ],
)
def test_refuses(f, p, t, message):
    with pytest.raises(ValueError, match=f"{message}.*"):
        f(p, t)
    with pytest.raises(ValueError, match="^Argument `.*` of .* must .*, but .* Example: "):
        f(p, t)


@pytest.mark.parametrize("epsilon", [-1.0, np.nan])
def test_cosine_refuses(epsilon):
    with pytest.raises(ValueError, match="Argument `epsilon` of cosine_sim .*must be a number >= 0, but is"):
        cosine_sim(epsilon=epsilon)


def test_square_series_is_a_series_also_when_traced():
    np.testing.assert_allclose(
        jax.jit(fc_corr(target_is_fc=False))(P, T[:5]), fc_corr(target_is_fc=False)(P, T[:5]), atol=1e-6
    )


@pytest.mark.parametrize("convert", [np.asarray, jnp.asarray])
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("make", "expected"), [(fc_corr, 1.0), (fc_rmse, 0.0)])
def test_a_connectivity_that_is_given_unsaid_is_taken_as_one_with_a_warning(make, expected, compiled, convert):
    target = convert(SQUARE)  # within `jit` a constant of the program

    def of_series(x):
        return make()(x, target)

    with pytest.warns(UserWarning, match=r"taken as a matrix .*write fc_\w+\(target_is_fc=True\)") as warned:
        value = (jax.jit(of_series) if compiled else of_series)(T)
    np.testing.assert_allclose(value, expected, atol=1e-5)  # as a time series its own connectivity is another
    assert compiled or warned[0].filename == __file__


@pytest.mark.parametrize("x", [np.ones((4, 2)) + 1j, [["p", "q"]], "pqr", None])
def test_connectivity_refuses_what_is_not_real(x):
    with pytest.raises(TypeError, match="Argument `x` of functional_connectivity .*must be .*real"):
        functional_connectivity(x)


@pytest.mark.parametrize("shape", [(5,), (1, 5), (0, 5), (2, 3, 4)])
def test_connectivity_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=r"Argument `x` of functional_connectivity .*2 samples or more, but"):
        functional_connectivity(np.ones(shape))
