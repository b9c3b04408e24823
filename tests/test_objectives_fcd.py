"""Functional connectivity dynamics and its distributions against NumPy, SciPy and finite differences."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from test_objectives import few, finite_differences, with_constant_column

from brainmass.objectives import (
    combine,
    fcd,
    fcd_distribution,
    fcd_ks,
    fcd_matrix,
    fcd_wasserstein,
    ks_distance,
    wasserstein_1d,
)

POINTS = np.linspace(-0.99, 0.99, 100)


def signal(seed, samples=90, regions=5):
    """Coupled series whose coupling changes in the middle, float32."""
    rng = np.random.default_rng(seed)
    halves = [rng.normal(size=(samples // 2, regions)) @ rng.normal(size=(regions, regions)) for _ in range(2)]
    return np.concatenate(halves).astype(np.float32)


def reference_fcd(x, size, step):
    rows, columns = np.triu_indices(x.shape[1], 1)
    starts = range(0, len(x) - size + 1, step)
    return np.corrcoef([np.corrcoef(x[s : s + size].astype(float).T)[rows, columns] for s in starts])


def reference_density(entries, bw_method=None):
    values = stats.gaussian_kde(np.asarray(entries, float), bw_method)(POINTS)
    return values / (values.sum() * (POINTS[1] - POINTS[0]))


P, T = signal(1), signal(2)
SMALL = {"window_size": 12, "step_size": 4}
FCD_P, FCD_T = reference_fcd(P, 12, 4), reference_fcd(T, 12, 4)
weights = arrays(np.float32, 30, elements=st.integers(0, 9).map(float)).filter(lambda x: x.sum() > 0)


# the matrix


@pytest.mark.few(2)
@pytest.mark.parametrize(("size", "step"), [(30, 5), (12, 4), (31, 7), (90, 5), (3, 2)])
def test_matrix_is_numpys(x64, size, step):
    x = P.astype(float)
    expected = reference_fcd(x, size, step) if size < 90 else np.ones((1, 1))
    np.testing.assert_allclose(fcd_matrix(x, size, step), expected, atol=1e-12)


def test_matrix_in_single_precision():
    np.testing.assert_allclose(fcd_matrix(P, 12, 4), FCD_P, atol=1e-5)
    np.testing.assert_allclose(fcd_matrix(1e4 + 100 * P, 12, 4), FCD_P, atol=2e-2)  # raw BOLD
    np.testing.assert_allclose(fcd_matrix(P * u.mV, 12, 4), FCD_P, atol=1e-5)


def test_default_windows_are_of_30_samples_5_apart():
    assert fcd_matrix(P).shape == ((90 - 30) // 5 + 1,) * 2
    np.testing.assert_allclose(fcd_matrix(P), reference_fcd(P, 30, 5), atol=1e-5)
    np.testing.assert_array_equal(fcd()(P, None), fcd_matrix(P))
    np.testing.assert_array_equal(fcd()(P), fcd_matrix(P))


def test_steady_connectivity_has_no_dynamics():
    period = signal(3, samples=10)
    np.testing.assert_allclose(fcd_matrix(np.tile(period, (6, 1)), 20, 5), 1.0, atol=1e-5)


def test_constant_series_is_uncorrelated_in_every_window():
    x = with_constant_column(P)
    pairs = [(i, j) for i in range(5) for j in range(i + 1, 5)]

    def connectivity(window):
        fc = np.corrcoef(np.delete(window, 2, 1).T)
        index = {0: 0, 1: 1, 3: 2, 4: 3}
        return [0.0 if 2 in pair else fc[index[pair[0]], index[pair[1]]] for pair in pairs]

    expected = np.corrcoef([connectivity(x[s : s + 12]) for s in range(0, 79, 4)])
    np.testing.assert_allclose(fcd_matrix(x, 12, 4), expected, atol=1e-5)
    still = fcd_matrix(np.concatenate([P[:12], np.zeros((12, 5)), P[12:24]]), 12, 12)
    np.testing.assert_array_equal(np.asarray(still)[1], [0, 1, 0])


def test_fcd_is_the_correlation_of_the_matrices():
    above = np.triu_indices(len(FCD_P), 1)
    expected = stats.pearsonr(FCD_P[above], FCD_T[above]).statistic
    np.testing.assert_allclose(fcd(**SMALL)(P, T), expected, atol=1e-5)
    np.testing.assert_allclose(fcd(**SMALL, as_loss=True)(P, T), 1 - expected, atol=1e-5)
    np.testing.assert_allclose(fcd(**SMALL, target_is_fcd=True)(P, FCD_T), expected, atol=1e-5)
    np.testing.assert_allclose(fcd(**SMALL)(P, 3 * P + 2), 1.0, atol=1e-6)


# the distribution


@pytest.mark.parametrize("bw_method", [None, "scott", "silverman", 0.2, 1])
def test_density_is_scipys(x64, bw_method):
    entries = FCD_P[np.triu_indices(len(FCD_P), 1)]
    density = fcd_distribution(FCD_P, bw_method=bw_method)
    np.testing.assert_allclose(density, reference_density(entries, bw_method), rtol=1e-10)
    np.testing.assert_allclose(np.sum(density) * (POINTS[1] - POINTS[0]), 1.0)
    raw = fcd_distribution(FCD_P, bw_method=bw_method, normalize=False)
    np.testing.assert_allclose(raw, stats.gaussian_kde(entries, bw_method)(POINTS), rtol=1e-10)


def test_density_of_later_diagonals_and_of_pooled_entries():
    far = FCD_P[np.triu_indices(len(FCD_P), 3)]
    np.testing.assert_allclose(fcd_distribution(FCD_P, n_diag=3), reference_density(far), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(fcd_distribution(far), reference_density(far), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_density_at_other_points(x64):
    points = np.linspace(-0.5, 1.0, 31)
    entries = FCD_P[np.triu_indices(len(FCD_P), 1)]
    values = stats.gaussian_kde(entries)(points)
    np.testing.assert_allclose(fcd_distribution(FCD_P, points), values / values.sum() / 0.05, rtol=1e-10)
    far_away = fcd_distribution(FCD_P, np.linspace(100, 101, 5))
    np.testing.assert_array_equal(far_away, 0.0)


@pytest.mark.parametrize("value", [0.3, 0.31, 1.0])
def test_density_of_equal_entries_is_a_narrow_bell(value):
    density = np.asarray(fcd_distribution(np.full((6, 6), value, np.float32)))
    spacing = POINTS[1] - POINTS[0]
    np.testing.assert_allclose(density.sum() * spacing, 1.0, rtol=1e-5)
    assert abs(POINTS[density.argmax()] - value) <= spacing
    assert density[np.abs(POINTS - value) > 2 * spacing].max() < 1e-6 * density.max()


# distances


@few
@given(weights, weights)
def test_distances_are_scipys(p, q):
    x = np.linspace(-1, 1, 30)
    np.testing.assert_allclose(wasserstein_1d(p, q, x), stats.wasserstein_distance(x, x, p, q), atol=1e-6)
    samples = [np.repeat(x, w.astype(int)) for w in (p, q)]  # densities of whole numbers are samples
    np.testing.assert_allclose(ks_distance(p, q), stats.ks_2samp(*samples, method="asymp").statistic, atol=1e-6)
    np.testing.assert_allclose(ks_distance(p, 7 * p), 0.0, atol=1e-6)


def test_wasserstein_of_uneven_points_and_shifted_bumps():
    x = np.array([0.0, 1.0, 4.0, 4.5])
    p, q = np.array([1.0, 2.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0])
    np.testing.assert_allclose(wasserstein_1d(p, q, x), stats.wasserstein_distance(x, x, p, q), rtol=1e-6)
    bump = np.exp(-0.5 * ((POINTS + 0.4) / 0.05) ** 2)
    np.testing.assert_allclose(wasserstein_1d(bump, np.roll(bump, 30), POINTS), 0.6, rtol=1e-5)
    np.testing.assert_allclose(ks_distance(bump, np.roll(bump, 50)), 1.0, rtol=1e-5)
    np.testing.assert_allclose(wasserstein_1d(p, q, x * u.mV), wasserstein_1d(p, q, x))


def test_density_of_zeros_is_as_far_as_can_be():
    assert ks_distance(np.zeros(4), np.ones(4)) == 1.0
    assert ks_distance(np.zeros(4), np.zeros(4)) == 0.0


@pytest.mark.few(1)
@pytest.mark.parametrize("options", [{}, {"bw_method": "silverman", "n_diag": 3}])
def test_losses_are_distances_of_scipys_densities(x64, options):
    n_diag, bw_method = options.get("n_diag", 1), options.get("bw_method")
    p, q = (reference_density(f[np.triu_indices(len(f), n_diag)], bw_method) for f in (FCD_P, FCD_T))
    ks = np.abs(np.cumsum(p) / p.sum() - np.cumsum(q) / q.sum()).max()
    ours = {f: f(**SMALL, **options)(P.astype(float), T.astype(float)) for f in (fcd_ks, fcd_wasserstein)}
    np.testing.assert_allclose(ours[fcd_ks], ks, atol=1e-10)
    np.testing.assert_allclose(ours[fcd_wasserstein], stats.wasserstein_distance(POINTS, POINTS, p, q), atol=1e-10)


@pytest.mark.slow
def test_smoothed_distances_are_near_those_of_the_entries(x64):
    p, t = signal(4, samples=600).astype(float), signal(5, samples=600).astype(float)
    entries = [f[np.triu_indices(len(f), 1)] for f in (reference_fcd(p, 12, 4), reference_fcd(t, 12, 4))]
    ks = fcd_ks(**SMALL)(p, t)
    np.testing.assert_allclose(ks, stats.ks_2samp(*entries).statistic, atol=0.03)
    np.testing.assert_allclose(fcd_wasserstein(**SMALL)(p, t), stats.wasserstein_distance(*entries), rtol=0.1)


@pytest.mark.parametrize("make", [fcd_ks, fcd_wasserstein])
def test_target_may_be_a_matrix_or_pooled_entries(make):
    expected = make(**SMALL)(P, T)
    f = make(**SMALL, target_is_fcd=True)
    np.testing.assert_allclose(f(P, FCD_T.astype(np.float32)), expected, atol=1e-5)
    np.testing.assert_allclose(f(P, FCD_T[np.triu_indices(len(FCD_T), 1)]), expected, atol=1e-5)
    assert np.isfinite(make(**SMALL)(P, T[:60, :4]))  # lengths and regions may differ


# gradients


OBJECTIVES = {
    "fcd": (fcd(**SMALL), T),
    "fcd to fcd": (fcd(**SMALL, as_loss=True, target_is_fcd=True), FCD_T),
    "fcd_ks": (fcd_ks(**SMALL), T),
    "fcd_wasserstein": (fcd_wasserstein(**SMALL), T),
    "fcd_wasserstein to entries": (fcd_wasserstein(**SMALL, target_is_fcd=True), FCD_T[np.triu_indices(20, 1)]),
    "combine": (combine((0.5, fcd_ks(**SMALL)), (2.0, fcd(**SMALL, as_loss=True))), T),
}
SLOW = ("combine", "fcd", "fcd_wasserstein", "fcd_wasserstein to entries")
every_objective = pytest.mark.parametrize(
    ("f", "target"),
    [pytest.param(*case, id=name, marks=[pytest.mark.slow] * (name in SLOW)) for name, case in OBJECTIVES.items()],
)


@pytest.mark.few(1)
@every_objective
def test_gradient_is_that_of_finite_differences(x64, f, target):
    p, target = P.astype(float), np.asarray(target, float)
    loss = jax.jit(lambda x: f(x, target))
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(p), finite_differences(loss, p), atol=2e-8)


@every_objective
def test_gradient_past_a_constant_series(x64, f, target):
    p, target = with_constant_column(P.astype(float)), np.asarray(target, float)
    others = [0, 1, 3, 4]
    loss = jax.jit(lambda x: f(x, target))
    gradient = np.asarray(jax.jit(jax.grad(loss))(p))
    expected = finite_differences(lambda x: loss(with_constant_column(x)), p)
    np.testing.assert_allclose(gradient[:, others], expected[:, others], atol=2e-8)
    assert not gradient[:, 2].any()


@pytest.mark.few(1)
@every_objective
def test_gradient_of_degenerate_signals_is_finite(f, target):
    zeros = np.zeros((90, 5), np.float32)
    compiled = jax.jit(jax.value_and_grad(f))
    for p in (zeros, zeros + 1, P[:1].repeat(90, 0), P[:, :1].repeat(5, 1), T):
        value, gradient = compiled(p, np.asarray(target, np.float32))
        assert np.isfinite(value) and np.isfinite(gradient).all()


@pytest.mark.few(1)
@pytest.mark.parametrize("f", [fcd_ks(**SMALL), fcd_wasserstein(**SMALL), fcd(**SMALL)])
def test_missing_data_are_not_hidden(f):
    x = P.copy()
    x[3, 1] = np.nan
    assert np.isnan(jax.jit(f)(x, T))


@pytest.mark.slow
@every_objective
def test_jit_and_vmap_change_nothing(f, target):
    batch, target = jnp.stack([P, P[::-1], with_constant_column(P)]), np.asarray(target, np.float32)
    compiled = jax.jit(f)
    loop = [compiled(p, target) for p in batch]
    np.testing.assert_allclose(loop[0], f(P, target), atol=1e-5)
    values, gradients = jax.jit(jax.vmap(jax.value_and_grad(f), (0, None)))(batch, target)
    np.testing.assert_allclose(values, loop, atol=1e-5)
    assert gradients.shape == batch.shape and np.isfinite(gradients).all()


@pytest.mark.slow
def test_distribution_under_jit_grad_and_vmap():
    batch = jnp.stack([FCD_P, FCD_T]).astype(np.float32)
    values = jax.jit(jax.vmap(fcd_distribution))(batch)
    np.testing.assert_allclose(values, [fcd_distribution(m) for m in batch], rtol=1e-3, atol=1e-5)
    distances = jax.jit(jax.vmap(ks_distance, (0, None)))(values, values[0])
    np.testing.assert_allclose(distances, [0.0, ks_distance(values[1], values[0])], atol=1e-6)


@pytest.mark.parametrize("f", [ks_distance, lambda p, q: wasserstein_1d(p, q, POINTS)], ids=["ks", "wasserstein"])
def test_gradient_of_distances_is_that_of_finite_differences(x64, f):
    p, q = (reference_density(x[np.triu_indices(20, 1)]) for x in (FCD_P, FCD_T))
    loss = jax.jit(lambda x: f(x, q))
    gradient = jax.jit(jax.grad(loss))
    np.testing.assert_allclose(gradient(p), finite_differences(loss, p), atol=1e-8)
    for degenerate in (0 * p, q, np.eye(100)[3]):
        assert np.isfinite(gradient(degenerate)).all()


@pytest.mark.slow
def test_a_step_down_the_gradient_comes_nearer():
    f = jax.jit(jax.value_and_grad(fcd_wasserstein(**SMALL)))
    value, gradient = f(P, T)
    nearer, _ = f(P - 0.1 * value * gradient / np.sum(gradient**2), T)
    assert 0.8 * value < nearer < 0.97 * value


# refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fcd_matrix(P[:29]), r"`x` of fcd_matrix .*30 samples or more \(a window of 30\), but has 29"),
        (lambda: fcd_matrix(P[:0]), "2 samples or more, but is of shape"),
        (lambda: fcd_matrix(P, 0), "`window_size` of fcd_matrix .*int of at least 2, but is 0"),
        (lambda: fcd_matrix(P, 12.5), "`window_size` .*an int of at least 2, but is 12.5"),
        (lambda: fcd_matrix(P, True), "`window_size` .*but is True"),
        (lambda: fcd_matrix(P, 12, 0), "`step_size` of fcd_matrix .*positive int, but is 0"),
        (lambda: fcd_matrix(P[:, :2], 12), "`x` of fcd_matrix .*at least 3 regions, but has 2"),
        (lambda: fcd_matrix(P[None], 12), r"\(time, region\).*jax\.vmap"),
        (lambda: fcd(window_size=1), "`window_size` of fcd .*at least 2, but is 1"),
        (lambda: fcd_ks(step_size=-1), "`step_size` of fcd_ks .*positive int, but is -1"),
        (lambda: fcd(12, 4)(P[:19], T), r"`prediction` of fcd .*20 samples .*\(3 windows of 12, 4 apart\), but has 19"),
        (lambda: fcd(12, 4)(P, T[:60]), "as many windows as `target`, but has 20 against 13.*fcd_ks"),
        (lambda: fcd(12, 4, as_loss=True)(P, None), "`target` of fcd .*given with as_loss=True, but is None"),
        (lambda: fcd(12, 4, target_is_fcd=True)(P, T), r"`target` of fcd .*square matrix \(window, window\)"),
        (lambda: fcd_ks(12, 4, target_is_fcd=True)(P, FCD_T * u.mV), "`target` .*without unit .*but is in mV"),
        (lambda: fcd_ks(12, 4)(P, T[:15]), "`target` of fcd_ks .*20 samples or more .*but has 15"),
        (lambda: fcd_ks(12, 4, n_diag=20)(P, T), "96 samples .*22 windows of 12"),
        (lambda: fcd_ks(n_diag=0), "`n_diag` of fcd_ks .*positive int, but is 0"),
        (lambda: fcd_wasserstein(bw_method="wide"), "`bw_method` of fcd_wasserstein .*'scott'.*but is 'wide'"),
        (lambda: fcd_wasserstein(bw_method=0.0), "`bw_method` .*but is 0.0"),
        (lambda: fcd_ks(midpoints=[0.1, 0.0]), "`midpoints` of fcd_ks .*even steps, but has spacings -0.1"),
        (lambda: fcd_ks(midpoints=[0.0, 0.1, 0.5]), "`midpoints` .*spacings 0.1 to 0.4"),
        (lambda: fcd_ks(midpoints=0.5), r"`midpoints` .*but is of shape \(\)"),
        (lambda: jax.jit(lambda m: fcd_distribution(FCD_P, m))(POINTS), "`midpoints` .*known at compilation"),
        (lambda: fcd_distribution(P), r"`fcd_matrix` of fcd_distribution .*square matrix .*\(90, 5\)"),
        (lambda: fcd_distribution(FCD_P[:2, :2]), "two entries or more from diagonal n_diag=1 on, but has 1"),
        (lambda: ks_distance(np.ones(3), np.ones(4)), r"`p` of ks_distance .*\(3,\) against \(4,\)"),
        (lambda: ks_distance(np.ones((3, 3)), np.ones(3)), r"`p` .*vector .*\(3, 3\).*jax\.vmap"),
        (lambda: ks_distance(np.ones(3), -np.ones(3)), "`q` of ks_distance .*not be negative"),
        (lambda: wasserstein_1d(np.ones(3), np.ones(3), np.ones(2)), r"`x` of wasserstein_1d .*\(2,\) against \(3,\)"),
        (lambda: wasserstein_1d(np.ones(3), np.ones(3), [0, 2, 1]), "`x` of wasserstein_1d .*must increase"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert caught.match("^Argument `.*` of .* must .*, but .* Example: ")


@pytest.mark.parametrize("make", [pytest.param(fcd_ks, marks=pytest.mark.slow), fcd_wasserstein])
def test_no_gradient_at_the_target(make):
    """Where a distance has its least value its slope is 0; what rounding would give there is chance."""
    x = np.random.default_rng(1).normal(size=(120, 6)).astype(np.float32)
    loss = make(30, 5)
    value, slope = jax.value_and_grad(lambda p: loss(p, x))(jnp.asarray(x) * (1 + 1e-7))
    assert float(value) == 0.0
    np.testing.assert_array_equal(slope, 0.0)
    assert float(jnp.abs(jax.grad(lambda p: loss(p, x))(jnp.asarray(x[::-1] ** 3))).max()) > 1e-4
