"""Counts and sums of statistics late in a long run, against double precision; totals of long averages."""

import brainstate
import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest

import brainmass as bm
from brainmass.forward.statistics import Statistic

N, MORE = 3, 4096
LATE = [10**7, 2**24 + 1]

# A statistic, what it has to say of values, and the values: a rate around 0.64 or phases.
STATISTICS = {
    "Mean": (lambda: bm.Mean(N), lambda x: x.mean(0)),
    "Covariance": (lambda: bm.Covariance(N), lambda x: np.cov(x.T)),
    "FunctionalConnectivity": (lambda: bm.FunctionalConnectivity(N), lambda x: np.corrcoef(x.T)),
    "OrderParameter": (lambda: bm.OrderParameter(N), lambda x: np.abs(np.exp(1j * x).mean(-1)).mean(keepdims=True)[0]),
    "Metastability": (lambda: bm.Metastability(N), lambda x: np.abs(np.exp(1j * x).mean(-1)).std(keepdims=True)[0]),
    "WelchSpectrum": (lambda: bm.WelchSpectrum(N, window=16, every=1 * u.ms), None),
    "FunctionalConnectivityDynamics": (
        lambda: bm.FunctionalConnectivityDynamics(N, window=30, step=5, windows=3), None
    ),
}  # fmt: skip


def values(rows):
    return (0.64 + 0.3 * np.random.default_rng(rows).normal(size=(rows, N)) * [1.0, 0.1, 2.0]).astype(np.float32)


def enter(statistic, x):
    """Take in many values, in one compiled loop."""
    brainstate.transform.for_loop(lambda row: statistic.update(row), jnp.asarray(x))


def test_every_statistic_is_here():
    public = {n for n in dir(bm) if isinstance(getattr(bm, n), type) and issubclass(getattr(bm, n), Statistic)}
    assert public - {"Statistic"} == set(STATISTICS)


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("name", [n for n, (_, truth) in STATISTICS.items() if truth])
def test_statistics_late_in_a_run(name, late):
    """The sums as they are after so many values, a block repeated, and further ones: as numpy in double precision."""
    make, truth = STATISTICS[name]
    block, more = values(1000), values(MORE)
    x = block.astype(float)
    statistic = make()
    brainstate.nn.init_all_states(statistic)
    r = np.abs(np.exp(1j * x).mean(-1))[:, None]
    seen = r if hasattr(statistic, "square") else x
    away = seen - seen.mean(0)
    sums = {
        "total": seen.mean(0) * late,
        "product": away.T @ away / 1000 * late,
        "square": (away**2).mean(0) * late,
    }
    statistic.count.value = jnp.full_like(statistic.count.value, late)
    for part in statistic._sums:
        rounded = np.asarray(sums[part], np.float32)
        getattr(statistic, part).value = jnp.asarray(rounded)
        getattr(statistic, f"{part}_rest").value = jnp.asarray(sums[part] - rounded, jnp.float32)
    enter(statistic, more)
    assert int(statistic.count.value[0]) == late + MORE
    y = more.astype(float) if seen is x else np.abs(np.exp(1j * more.astype(float)).mean(-1))[:, None]
    mean = seen.mean(0)
    added = {"total": y.sum(0), "product": (y - mean).T @ (y - mean), "square": ((y - mean) ** 2).sum(0)}
    for part in statistic._sums:  # what came to the sums, to the digits of the values
        end = [np.asarray(getattr(statistic, f"{part}{kind}").value, float) for kind in ("", "_rest")]
        largest = np.abs(added[part]).max()
        np.testing.assert_allclose(sum(end) - sums[part], added[part], rtol=2e-3, atol=2e-3 * largest)


@pytest.mark.few(2)
@pytest.mark.parametrize("name", [n for n, (_, truth) in STATISTICS.items() if truth])
def test_a_million_values(name):
    """Of which a lone sum in single precision would be off in the fourth digit."""
    make, truth = STATISTICS[name]
    x = np.tile(values(1000), (1000, 1))
    statistic = make()
    brainstate.nn.init_all_states(statistic)
    enter(statistic, x)
    np.testing.assert_allclose(statistic.signal(), truth(x.astype(float)), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("late", LATE)
def test_windows_late_in_a_run(late):
    """A spectrum counts its segments, and windows begin where they did: from a count that is a multiple of the step."""
    spectrum = bm.WelchSpectrum(N, window=16, every=1 * u.ms)
    brainstate.nn.init_all_states(spectrum)
    segments = (late - 16) // 8 + 1
    density = np.linspace(1, 2, 9)[:, None] * np.ones(N)
    spectrum.count.value = jnp.full_like(spectrum.count.value, late)
    whole = density * segments
    spectrum.total.value = jnp.asarray(whole, jnp.float32)
    spectrum.total_rest.value = jnp.asarray(whole - np.float32(whole), jnp.float32)
    np.testing.assert_allclose(spectrum.signal().to_decimal(u.second), density, rtol=1e-6)
    for _ in range(8):
        spectrum.update(np.ones(N))
    assert int((spectrum.count.value[0] - 16) // 8 + 1) == segments + 1


def test_means_over_long_windows():
    """Of 200,000 steps: what is gathered between two updates of a forward model is not a lone sum either."""
    node = bm.LinearStep(2, gamma=0.0, method="euler", init_x=lambda shape: jnp.full(shape, 0.1))
    average = bm.TemporalAverage(20_000 * u.ms, in_size=2)
    result = bm.Simulator(node, dt=0.1 * u.ms).run(20_000 * u.ms, monitors={"mean": average}, seed=0)
    np.testing.assert_allclose(np.asarray(result["mean"], float), np.float32(0.1), rtol=1e-6)


@pytest.mark.slow
def test_a_run_that_goes_on_late_has_its_statistics():
    """From step 2^24 on, its counts as they were: against numpy on the samples."""
    node = bm.HopfStep(N, noise_x=bm.WhiteNoise(N, sigma=0.1))
    simulator = bm.Simulator(node, dt=0.1 * u.ms)
    monitors = {"x": "x", "mean": bm.Monitor(bm.Mean(N, every=0.1 * u.ms), source="x")}
    start = dict(simulator.run(10 * u.ms, monitors=monitors, seed=0).final)
    start["step"] = jnp.int32(2**24 - 7)
    late = 2**24 - 7
    as_then = {"count": lambda x: jnp.full_like(x, late), "total": lambda x: jnp.full_like(x, 0.5 * late)}
    start["states"] = {
        path: as_then.get(path.rpartition(".")[2], lambda x: x)(x) for path, x in start["states"].items()
    }
    result = simulator.run(100 * u.ms, state=start, monitors=monitors)
    x = np.asarray(result["x"], float)
    total = np.float64(np.float32(0.5 * late)) + x.sum(0)
    seen = result.final["states"]
    np.testing.assert_allclose(result["mean"][-1], total / (late + 1000), rtol=2e-7)
    assert {int(v.reshape(-1)[0]) for p, v in seen.items() if p.endswith("count")} == {late + 1000}
