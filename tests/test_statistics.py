"""Statistics worked out in a run against numpy and scipy on the stored trajectory; refusals."""

# ruff: noqa: E501 (rows of messages)

import re

import brainstate
import brainunit as u
import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

import brainmass as bm

N = 5
DT = 0.5 * u.ms


def node(n=N):
    return bm.HopfStep(n, a=-0.02, w=0.3, method="heun", noise_x=bm.WhiteNoise(n, sigma=0.1))


def run(monitors, duration=400 * u.ms, **options):
    return bm.Simulator(node(), dt=DT).run(duration, monitors=monitors, **{"seed": 0, **options})


def of_run(statistic, every=DT, **options):
    """The stored values at this period, and what the statistic made of them."""
    result = run({"x": "x", "seen": bm.Monitor(statistic, source="x")}, **options)
    x = np.asarray(result["x"], float)
    k = round(float(u.maybe_decimal(every / DT)))
    return x.reshape(-1, k, *x.shape[1:]).mean(1), np.asarray(u.get_mantissa(result["seen"]))


def order_parameter(theta):
    return np.abs(np.exp(1j * theta).mean(-1))


def fcd(x, window, step):
    above = np.triu_indices(x.shape[1], 1)
    starts = range(0, len(x) - window + 1, step)
    return np.corrcoef([np.corrcoef(x[s : s + window].T)[above] for s in starts])


# --- against the stored trajectory ------------------------------------------------------------------------------
@pytest.mark.parametrize("every", [pytest.param(0.5 * u.ms, marks=pytest.mark.slow), 2 * u.ms])
def test_mean_covariance_connectivity(every):
    for cls, expected in (
        (bm.Mean, lambda x: x.mean(0)),
        (bm.Covariance, lambda x: np.cov(x.T)),
        (bm.FunctionalConnectivity, lambda x: np.corrcoef(x.T)),
    ):
        x, seen = of_run(cls(N, every=every), every)
        assert seen.shape[0] == 1
        np.testing.assert_allclose(seen[0], expected(x), rtol=1e-4, atol=1e-6)


def test_intervals_that_do_not_divide_those_of_others():
    seen = run(
        {
            "x": bm.Monitor("x", every=2 * u.ms),
            "bold": bm.Monitor(bm.BOLDSignal(N), source="x", every=200 * u.ms),
            "c": bm.Monitor(bm.Covariance(N, every=2.5 * u.ms), source="x"),
        }
    )
    alone = run({"x": "x", "bold": bm.Monitor(bm.BOLDSignal(N), source="x", every=200 * u.ms)})
    x = np.asarray(alone["x"], float)
    np.testing.assert_array_equal(seen["x"], alone["x"][3::4])
    np.testing.assert_allclose(seen["c"][0], np.cov(x.reshape(-1, 5, N).mean(1).T), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(seen["bold"], alone["bold"], rtol=2e-2, atol=1e-6)  # updated as often, or more


@pytest.mark.slow
def test_the_transient_is_not_seen():
    result = run(
        {"x": "x", "m": bm.Monitor(bm.Mean(N, every=DT), source="x")},
        transient=50 * u.ms,
    )
    np.testing.assert_allclose(result["m"][0], np.asarray(result["x"], float).mean(0), rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_so_far_at_each_sample_and_over_runs_that_go_on():
    mean = bm.Monitor(bm.Mean(N, every=DT), source="x", every=100 * u.ms)
    result = run({"x": "x", "m": mean})
    x = np.asarray(result["x"], float)
    np.testing.assert_allclose(result["m"], [x[: 200 * k].mean(0) for k in (1, 2, 3, 4)], rtol=1e-5, atol=1e-7)
    simulator = bm.Simulator(node(), dt=DT)
    first = simulator.run(100 * u.ms, monitors={"m": mean}, seed=0)
    second = simulator.run(300 * u.ms, monitors={"m": mean}, state=first.final)
    np.testing.assert_allclose(second["m"], result["m"][1:], rtol=1e-6)


@pytest.mark.slow
def test_lanes():
    result = run({"x": "x", "fc": bm.Monitor(bm.FunctionalConnectivity(N, every=DT), source="x")}, batch_size=3)
    for lane in range(3):
        np.testing.assert_allclose(
            result["fc"][0, lane], np.corrcoef(np.asarray(result["x"], float)[:, lane].T), rtol=1e-4, atol=1e-5
        )


@pytest.mark.slow
def test_spectrum():
    spectra = {window: bm.WelchSpectrum(N, window=window, every=1 * u.ms) for window in (64, 65, 256)}
    result = run({"x": "x"} | {str(window): bm.Monitor(s, source="x") for window, s in spectra.items()})
    x = np.asarray(result["x"], float).reshape(-1, 2, N).mean(1)
    for window, spectrum in spectra.items():
        frequencies, expected = scipy.signal.welch(x, fs=1000, nperseg=window, noverlap=window // 2, axis=0)
        np.testing.assert_allclose(spectrum.frequencies.to_decimal(u.Hz), frequencies, rtol=1e-12)
        seen = result[str(window)][0].to_decimal(u.second)
        np.testing.assert_allclose(seen, expected, rtol=2e-4, atol=1e-5 * expected.max())


def test_order_parameter_and_metastability():
    network = bm.KuramotoNetwork(40, omega=np.random.default_rng(0).normal(0.1, 0.03, 40), K=0.05)
    monitors = {"theta": "theta"} | {
        name: bm.Monitor(cls(40, every=DT), source="theta")
        for name, cls in (("sync", bm.OrderParameter), ("meta", bm.Metastability))
    }
    result = bm.Simulator(network, dt=DT).run(200 * u.ms, monitors=monitors, seed=0)
    r = order_parameter(np.asarray(result["theta"], float))
    np.testing.assert_allclose(result["sync"], [r.mean()], rtol=1e-5)
    np.testing.assert_allclose(result["meta"], [r.std()], rtol=1e-4)


@pytest.mark.parametrize("every", [None, 1.5 * u.ms])
def test_fast_phases_that_jump_at_pi(every):
    """Every step counts by default; with `every` the phases at its end, never a mean of phases."""
    node = bm.KuramotoNetwork(N, omega=np.linspace(3.0, 4.0, N))
    wrapped = {"source": lambda model: jnp.angle(jnp.exp(1j * model.theta.value))}
    monitors = {"theta": "theta"} | {
        name: bm.Monitor(cls(N, every=every), **wrapped)
        for name, cls in (("sync", bm.OrderParameter), ("meta", bm.Metastability))
    }
    result = bm.Simulator(node, dt=DT).run(60 * u.ms, monitors=monitors, seed=0)
    stride = 1 if every is None else 3
    r = order_parameter(np.asarray(result["theta"], float))[stride - 1 :: stride]
    np.testing.assert_allclose(result["sync"], [r.mean()], rtol=1e-4)
    np.testing.assert_allclose(result["meta"], [r.std()], rtol=1e-3)


@pytest.mark.slow
def test_connectivity_dynamics():
    x, seen = of_run(bm.FunctionalConnectivityDynamics(N, window=40, step=20, windows=18, every=1 * u.ms), 1 * u.ms)
    expected = fcd(x[: 40 + 17 * 20], 40, 20)
    np.testing.assert_allclose(seen[0], expected, rtol=1e-3, atol=2e-4)


@pytest.mark.slow
def test_what_another_monitor_sees():
    """Connectivity of a BOLD signal, and its spectrum, at its repetition time."""
    monitors = {
        "fc": bm.Monitor(bm.FunctionalConnectivity(N), source="bold"),
        "bold": bm.Monitor(bm.BOLDSignal(N), source="x", every=20 * u.ms),
        "fcd": bm.Monitor(bm.FunctionalConnectivityDynamics(N, window=30, step=5, windows=2), source="bold"),
    }
    result = run(monitors, 700 * u.ms)
    bold = np.asarray(result["bold"], float)
    np.testing.assert_allclose(result["fc"][0], np.corrcoef(bold.T), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(result["fcd"][0], fcd(bold, 30, 5), rtol=1e-2, atol=1e-3)


@pytest.mark.slow
def test_slope_through_a_statistic(x64):
    monitors = {"fc": bm.Monitor(bm.FunctionalConnectivity(N, every=DT), source="x")}
    simulate = bm.Simulator(node(), dt=DT).pure(50 * u.ms, monitors=monitors, free=["w"])

    @jax.jit
    def loss(w):
        return jnp.sum(simulate({"w": w}, 0)["fc"] ** 2)

    h = 1e-6
    np.testing.assert_allclose(jax.grad(loss)(0.3), (loss(0.3 + h) - loss(0.3 - h)) / (2 * h), rtol=1e-5)


def test_a_second_monitor_alike_compiles_nothing_anew():
    simulator = bm.Simulator(node(), dt=DT)
    for _ in range(2):
        fc = bm.Monitor(bm.FunctionalConnectivity(N, every=1.0 * u.ms), source="x")
        simulator.run(20 * u.ms, monitors={"fc": fc}, seed=0)
    assert len(simulator._programs) == 1


# --- by hand ----------------------------------------------------------------------------------------------------
def test_by_hand_in_units():
    x = np.random.default_rng(0).normal(size=(30, 2, 3))
    mean, covariance = bm.Mean(3, unit=u.mV), bm.Covariance(3, unit=u.mV)
    for statistic in (mean, covariance):
        brainstate.nn.init_all_states(statistic, batch_size=2)
        with pytest.raises(ValueError, match="has seen 0 values, and needs . before there is anything to see"):
            statistic.signal()
        for row in x:
            statistic.update(row * 1e-3 * u.volt)
    np.testing.assert_allclose(mean.signal().to_decimal(u.mV), x.mean(0), rtol=1e-4, atol=1e-6)
    expected = [np.cov(x[:, b].T) for b in range(2)]
    np.testing.assert_allclose(covariance.signal().to_decimal(u.mV**2), expected, rtol=1e-4)
    with pytest.raises(u.UnitMismatchError, match="that Mean sees must be in mV, .* but is in nA"):
        mean.update(x[0] * u.nA)


def test_a_constant_region_is_uncorrelated():
    fc = bm.FunctionalConnectivity(2)
    brainstate.nn.init_all_states(fc)
    for value in (1.0, 2.0, 4.0):
        fc.update(np.array([value, 1.0]))
    np.testing.assert_array_equal(fc.signal(), np.eye(2))


# --- refusals ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("monitor", "options", "message"),
    [
        (bm.Monitor(bm.Covariance(N, every=400 * u.ms), source="x"), {}, "asked for after 1 value(s), one every 800 step(s), but a Covariance needs 2"),
        (bm.Monitor(bm.FunctionalConnectivityDynamics(N, windows=5, every=10 * u.ms), source="x"), {}, "after 40 value(s), one every 20 step(s), but a"),
        (bm.Monitor(bm.Covariance(N), source="x"), {"duration": 1 * u.ms}, "after 1 value(s), one every 2 step(s), but a Covariance needs 2"),
        (bm.Monitor(bm.FunctionalConnectivityDynamics(N), source="x"), {"duration": 20 * u.ms}, "after 20 value(s), one every 2 step(s), but"),
        (bm.Monitor(bm.Mean(N), source="x"), {"transient": 400 * u.ms}, "`m` is sampled every 1 steps, but the run records only 0"),
        (bm.Monitor(bm.Mean(N, every=3 * u.ms), source="x"), {}, "`m` takes in a value every 6 steps, of which the run, 800 step(s), must be a multiple. The nearest that is: 798 steps, as in duration=798."),
        (bm.Monitor(bm.Mean(N, every=2 * u.ms), source="x"), {"transient": 5 * u.ms}, "of which the transient, 10 step(s), must be"),
        (bm.Monitor(bm.Mean(N, every=0.7 * u.ms), source="x"), {}, "must be a multiple of the time step 0.5 ms, but is 0.7 ms. The nearest"),
    ],
)  # fmt: skip
def test_refusals_of_a_run(monitor, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        run({"m": monitor}, **options)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: bm.Mean(3, every=2 * u.mV), u.UnitMismatchError, "`every` of Mean must be a time"),
        (lambda: bm.Monitor(bm.Mean), TypeError, "must be a forward model that is made, but is the class Mean. Example: Mean(...)"),
        (lambda: run({"m": bm.Mean(N + 1)}), ValueError, "Monitor `m` is a Mean of activity of shape (6,), but what drives it has shape (5,)"),
        (lambda: run({"m": bm.Monitor(bm.Mean(N), source=lambda model: model.x.value * u.mV)}), u.UnitMismatchError, "Mean sees must be in plain numbers, as its argument `unit` says, but is in mV. Example: Mean(5, unit=u.mV)"),
        (lambda: bm.WelchSpectrum(3), TypeError, "WelchSpectrum needs the argument `every`"),
        (lambda: bm.WelchSpectrum(3, window=1, every=DT), ValueError, "`window` of WelchSpectrum must be an int of at least 2"),
        (lambda: bm.FunctionalConnectivityDynamics(3, window=0), ValueError, "`window` of FunctionalConnectivityDynamics"),
        (lambda: bm.FunctionalConnectivityDynamics(3, step=0), ValueError, "`step` of FunctionalConnectivityDynamics"),
        (lambda: bm.FunctionalConnectivityDynamics(2), ValueError, "must be 3 regions or more"),
    ],
)  # fmt: skip
def test_refusals(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


def test_two_intervals_of_which_none_divides_the_other():
    every = {"a": 2 * u.ms, "b": 2.5 * u.ms}
    monitors = {name: bm.Monitor(bm.Mean(N, every=t), source="x") for name, t in every.items()}
    told = "`a` takes in a value every 4 steps and monitor `b` every 5: one must divide the other"
    with pytest.raises(ValueError, match=told):
        run(monitors)


def test_sources_in_a_circle():
    one, two = bm.Monitor(bm.Mean(N), source="b"), bm.Monitor(bm.Mean(N), source="a")
    with pytest.raises(ValueError, match="are each other's source"):
        run({"a": one, "b": two})


def precisions(jaxpr):
    """Those of all products in a program."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            yield equation.params["precision"]
        for inner in jax.extend.core.jaxprs_in_params(equation.params):
            yield from precisions(inner)


def fcd_after_a_value(x):
    statistic = bm.FunctionalConnectivityDynamics(3, window=2, step=1)
    statistic.init_state()
    statistic.update(x)
    return statistic._statistic()


@pytest.mark.parametrize(
    ("function", "products"),
    [
        (fcd_after_a_value, 2),
        (bm.LeadfieldReadout(jnp.ones((4, 3)), y0=0.0, cy0=1.0), 1),
        (lambda x: bm.RegionalMap(np.ones((3, 5)), a=1.0, rows="maps").precompute(jnp.r_[1.0, x]), 1),
        (lambda x: bm.HRFBold(in_size=3, history=x[None])._initial(None)["seen"], 2),
    ],
    ids=["FCD", "LeadfieldReadout", "RegionalMap", "HRFBold"],
)
def test_products_are_in_full_precision_on_every_device(function, products):
    found = list(precisions(jax.make_jaxpr(function)(jnp.arange(3.0)).jaxpr))
    assert len(found) == products and set(found) == {(jax.lax.Precision.HIGHEST,) * 2}


@pytest.mark.parametrize("source", [None, "x", "y"])
@pytest.mark.parametrize("statistic", [bm.OrderParameter, bm.Metastability])
def test_a_state_that_is_no_phase_is_refused_by_statistics_of_phases(statistic, source):
    simulator = bm.Simulator(bm.HopfStep(3), dt=0.1 * u.ms)
    monitors = {"sync": bm.Monitor(statistic(3), source=source)}
    with pytest.raises(ValueError, match=rf"`sync`.* phases, but `{source or 'x'}` of HopfStep"):
        simulator.run(1 * u.ms, monitors=monitors, seed=0)


def test_statistics_of_phases_take_phases():
    start = lambda shape: np.array([0.0, 0.0, np.pi])  # noqa: E731
    node = bm.KuramotoNetwork(3, omega=0.3, K=0.0, init_theta=start)
    plane = bm.HopfStep(2, a=0.25, w=0.3, init_x=lambda s: np.array([0.5, -0.5]), init_y=lambda s: np.zeros(2))
    of_plane = lambda model: jnp.arctan2(model.y.value, model.x.value)  # noqa: E731
    for model, n, source, expected in ((node, 3, None, 1 / 3), (node, 3, "theta", 1 / 3), (plane, 2, of_plane, 0.0)):
        monitor = bm.Monitor(bm.OrderParameter(n), source=source)
        r = bm.Simulator(model, dt=0.1 * u.ms).run(5 * u.ms, monitors={"R": monitor}, seed=0)["R"]
        np.testing.assert_allclose(np.ravel(r), expected, atol=1e-5)
