"""Sweeps: every run is the single run with its values and key, whatever runs beside it, fails or is cut off."""

import os
import socket
import subprocess
import sys
import textwrap
import time

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from braintools.init import Constant

import brainmass
from brainmass._common import memory
from brainmass.simulation.identity import digest
from brainmass.sweeps import run
from brainmass.sweeps.layout import Layout, Variable
from brainmass.sweeps.machines import dask
from brainmass.sweeps.store import File, Memory, blocks

pytest.importorskip("xarray")

WEIGHTS = np.array([[0.0, 1.0, 0.2], [0.5, 0.0, 0.0], [0.0, 0.3, 0.0]])
DT = 0.1 * u.ms


def network(conn=WEIGHTS, sigma=0.1, **kwargs):
    node = brainmass.HopfStep(3, noise_x=brainmass.WhiteNoise(3, sigma=sigma))
    return brainmass.Network(node, conn=conn, coupled_var="x", k=0.1, **kwargs)


def simulator(*args, **kwargs):
    return brainmass.Simulator(network(*args, **kwargs), dt=DT)


def linear(n=2):
    return brainmass.Simulator(brainmass.LinearStep(n, init_x=Constant(1.0)), dt=DT)


def mean_and_variance(result):
    return {"mean": result["x"].mean(0), "variance": result["x"].var()}


def key_of(point, seed):
    return jax.random.fold_in(jax.random.key(seed), point)


# --- runs -----------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_linear_node_decays_at_each_rate_as_it_should():
    rates = [-1.0, -2.0, -0.5]
    data = brainmass.sweep(linear(), 5 * u.ms, {"gamma": rates}, seeds=2, sample_every=1 * u.ms)
    assert data["x"].dims == ("gamma", "seed", "time", "region") and data["x"].shape == (3, 2, 5, 2)
    expected = np.exp(np.multiply.outer(rates, np.arange(1, 6)))
    np.testing.assert_allclose(data["x"], np.broadcast_to(expected[:, None, :, None], (3, 2, 5, 2)), rtol=2e-6)
    np.testing.assert_allclose(data["time"], np.arange(1, 6))
    assert data["time"].attrs["units"] == "ms" and data.attrs["model"] == "LinearStep"
    assert data.sel(gamma=-2.0, seed=1)["x"].shape == (5, 2)
    assert (data["failed"] == "").all()


COUPLINGS, GROWTHS, SEEDS = [0.1, 0.5], [-0.2, 0.3], [7, 3]
SETTINGS = {"monitors": ["x"], "transient": 1 * u.ms, "sample_every": 0.5 * u.ms}


@pytest.fixture(scope="module")
def single():
    """Single runs of the noisy network, compiled."""
    return jax.jit(simulator().pure(4 * u.ms, free=["k", "node.a"], **SETTINGS))


@pytest.mark.parametrize("at_once", [pytest.param(None, marks=pytest.mark.slow), 3])
def test_a_run_is_the_single_run_with_its_values_and_key(at_once, single):
    values = {"k": COUPLINGS, "node.a": GROWTHS}
    data = brainmass.sweep(simulator(), 4 * u.ms, values, seeds=SEEDS, at_once=at_once, **SETTINGS)
    assert data["x"].dims == ("k", "node.a", "seed", "time", "region")
    for i, k in enumerate(COUPLINGS):
        for j, a in enumerate(GROWTHS):
            for seed in SEEDS:
                alone = single({"k": k, "node.a": a}, key_of(2 * i + j, seed))
                here = data["x"].sel({"k": k, "node.a": a, "seed": seed})
                np.testing.assert_allclose(here, alone["x"], rtol=1e-5, atol=1e-6)
                np.testing.assert_allclose(data["time"], alone.time.mantissa, rtol=1e-6)


def test_with_common_random_numbers_the_seed_alone_decides_the_noise(single):
    values = {"k": [0.1, 0.1], "node.a": [-0.2, -0.2]}
    data = brainmass.sweep(
        simulator(), 4 * u.ms, values, design="list", seeds=2, common_random_numbers=True, **SETTINGS
    )
    np.testing.assert_array_equal(data["x"][0], data["x"][1])
    alone = single({"k": 0.1, "node.a": -0.2}, jax.random.key(1))
    np.testing.assert_allclose(data["x"][0, 1], alone["x"], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_values_side_by_side_carry_their_units():
    sim = brainmass.Simulator(brainmass.MontbrioPazoRoxinStep(1), dt=DT)
    values = {"tau": [1 * u.ms, 0.002 * u.second], "eta": np.array([-5.0, -4.0])}
    data = brainmass.sweep(sim, 5 * u.ms, values, design="list", monitors=["r"])
    assert data["r"].dims == ("point", "seed", "time", "region")
    np.testing.assert_allclose(data["tau"], [1, 2])
    assert data["tau"].attrs["units"] == "ms" and data["tau"].dims == ("point",)
    assert data["r"].attrs["units"] == str(u.get_unit(sim.run(1 * u.ms, seed=0)["r"]))
    alone = sim.pure(5 * u.ms, free=["tau", "eta"], monitors=["r"])({"tau": 2 * u.ms, "eta": -4.0}, key_of(1, 0))
    np.testing.assert_allclose(data["r"][1, 0], alone["r"].mantissa, rtol=1e-5)


def test_without_values_there_are_seeds_alone():
    noisy = brainmass.LinearStep(1, noise_x=brainmass.WhiteNoise(1, sigma=0.1))
    data = brainmass.sweep(brainmass.Simulator(noisy, dt=DT), 1 * u.ms, {}, seeds=3)
    assert data["x"].dims == ("seed", "time", "region") and len(np.unique(data["x"][:, -1, 0])) == 3


def test_values_may_differ_between_regions():
    rates = np.array([[-1.0, -2.0], [-3.0, -0.5]])
    data = brainmass.sweep(linear(), 1 * u.ms, {"gamma": rates}, sample_every=1 * u.ms)
    np.testing.assert_allclose(data["x"][:, 0, 0], np.exp(rates), rtol=2e-6)
    np.testing.assert_array_equal(data["gamma_values"], rates)


def test_connectomes_give_the_exponentials_of_their_matrices():
    linalg = pytest.importorskip("scipy.linalg")
    rng = np.random.default_rng(0)
    all_of_them = [brainmass.Connectome(rng.random((3, 3)), name=name) for name in ("ann", "bob")]
    node = brainmass.LinearStep(3, gamma=-1.0, init_x=Constant(1.0), method="rk4")
    net = brainmass.Network(node, conn=WEIGHTS, coupled_var="x", coupling="additive", k=0.1)
    sim = brainmass.Simulator(net, dt=DT)
    data = brainmass.sweep(sim, 3 * u.ms, {"conn": all_of_them, "k": [0.1, 0.9]}, sample_every=3 * u.ms)
    assert list(data["conn"].values) == ["ann", "bob"] and data["conn_values"].shape == (2, 3, 3)
    for connectome in all_of_them:
        weights = connectome.weights * (1 - np.eye(3))
        for k in (0.1, 0.9):
            expected = linalg.expm(3 * (k * weights - np.eye(3))) @ np.ones(3)
            here = data["x"].sel(conn=connectome.name, k=k, seed=0)
            np.testing.assert_allclose(here[0], expected, rtol=1e-5)


@pytest.mark.slow
def test_connectomes_of_other_lengths_are_refused_where_there_are_delays():
    lengths = 20 * WEIGHTS * u.mm
    sim = simulator(brainmass.Connectome(WEIGHTS, lengths=lengths), speed=5 * u.mm / u.ms)
    same, other = (brainmass.Connectome(2 * WEIGHTS, lengths=n * lengths) for n in (1, 2))
    data = brainmass.sweep(sim, 0.5 * u.ms, {"conn": [same, same]}, monitors=["x"])
    assert list(data["conn"].values) == [0, 1]  # as they have one name
    with pytest.raises(ValueError, match="connectomes with the lengths of the network"):
        brainmass.sweep(sim, 0.5 * u.ms, {"conn": [same, other]}, monitors=["x"])


@pytest.mark.slow
def test_a_speed_is_swept_where_the_network_can_follow():
    lengths = 30.0 * (WEIGHTS != 0) * u.mm
    slow, fast = 10 * u.mm / u.ms, 25 * u.mm / u.ms

    def delayed(speed, **kwargs):
        return simulator(sigma=0.0, distance=lengths, speed=speed, **kwargs)

    sim = delayed(slow, interpolate=True)
    data = brainmass.sweep(sim, 10 * u.ms, {"speed": [slow, fast]}, monitors=["x"])
    alone = delayed(fast, interpolate=True).run(10 * u.ms, monitors=["x"], seed=key_of(1, 0))
    np.testing.assert_allclose(data["x"][1, 0], alone["x"], rtol=1e-4, atol=1e-6)
    assert np.abs(data["x"][0] - data["x"][1]).max() > 1e-3
    with pytest.raises(ValueError, match="`speed` must be at least 10 mm/ms"):
        brainmass.sweep(sim, 10 * u.ms, {"speed": [5 * u.mm / u.ms]})
    with pytest.raises(ValueError, match="`speed` have no effect"):
        brainmass.sweep(delayed(slow), 10 * u.ms, {"k": [0.1], "speed": [slow, fast]})


# --- measures -------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_measure_is_that_of_each_run():
    sim = simulator(brainmass.Connectome(WEIGHTS, labels=["a", "b", "c"]))

    def measure(result):
        x = result["x"]
        return {"fc": jnp.corrcoef(x.T), "mean": x.mean(0), "spread": x.std() * u.mV, "n": x.size, "ends": x[:2]}

    data = brainmass.sweep(sim, 5 * u.ms, {"k": [0.1, 0.4, 0.8]}, measure=measure, monitors=["x"])
    assert data["fc"].dims == ("k", "seed", "region", "region_2") and data["mean"].dims == ("k", "seed", "region")
    assert data["ends"].dims == ("k", "seed", "ends_0", "ends_1")
    assert data["spread"].shape == (3, 1) and data["spread"].attrs["units"] == "mV" and (data["n"] == 150).all()
    assert list(data["region"].values) == list(data["region_2"].values) == ["a", "b", "c"]
    x = np.asarray(sim.pure(5 * u.ms, free=["k"], monitors=["x"])({"k": 0.8}, key_of(2, 0))["x"])
    np.testing.assert_allclose(data["fc"].sel(k=0.8, seed=0), np.corrcoef(x.T), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(data["spread"].sel(k=0.8, seed=0), x.std(), rtol=1e-5)


def test_a_measure_that_is_one_array_has_its_own_name():
    def last(result):
        return result["x"][-1]

    data = brainmass.sweep(linear(), 1 * u.ms, {"gamma": [-1.0]}, measure=last)
    np.testing.assert_allclose(data["last"], np.full((1, 1, 2), np.exp(-1)), rtol=1e-5)
    assert "measure" in brainmass.sweep(linear(), 1 * u.ms, {"gamma": [-1.0]}, measure=lambda r: r["x"].mean())


def test_all_batches_are_one_program():
    traces = []

    def measure(result):
        traces.append(1)
        return result["x"].mean()

    sim = linear()
    data = brainmass.sweep(sim, 1 * u.ms, {"gamma": -np.arange(10.0)}, measure=measure, at_once=4)
    assert np.isfinite(data["measure"]).all()
    assert len(traces) == 2  # for the shapes, and the program
    again = brainmass.sweep(sim, 1 * u.ms, {"gamma": -np.arange(7.0)}, measure=measure, at_once=4)
    np.testing.assert_array_equal(again["measure"], data["measure"][:7])
    assert len(traces) == 2  # the second sweep traces nothing


@pytest.mark.slow
def test_a_parameter_that_was_set_counts_in_the_next_sweep():
    sim = noisy(init_x=Constant(1.0))
    settings = {"values": {"sigma": [0.0]}, "sample_every": 1 * u.ms}
    before = brainmass.sweep(sim, 1 * u.ms, **settings)
    sim.model.gamma.set_value(-2.0)
    after = brainmass.sweep(sim, 1 * u.ms, **settings)
    np.testing.assert_allclose(before["x"], np.full((1, 1, 1, 3), np.exp(-1)), rtol=1e-5)
    np.testing.assert_allclose(after["x"], np.full((1, 1, 1, 3), np.exp(-2)), rtol=1e-5)


# --- designs --------------------------------------------------------------------------------------------------------
def test_random_points_are_uniform_between_the_bounds():
    bounds = {"k": (0, 1), "tau": (10 * u.ms, 0.02 * u.second)}
    points = brainmass.random_design(bounds, 500, seed=3)
    drawn = np.random.default_rng(3).random((500, 2))
    np.testing.assert_allclose(points["k"], drawn[:, 0])
    np.testing.assert_allclose(points["tau"].to_decimal(u.ms), 10 + 10 * drawn[:, 1])


@pytest.mark.parametrize("n", [1, 6, 8])
def test_sobol_points_are_those_of_scipy(n):
    qmc = pytest.importorskip("scipy.stats").qmc
    points = brainmass.sobol_design({"a": (-2.0, 2.0), "k": (0, 3)}, n, seed=5)
    expected = qmc.scale(qmc.Sobol(2, rng=np.random.default_rng(5)).random_base2(3)[:n], [-2, 0], [2, 3])
    np.testing.assert_allclose(np.stack([points["a"], points["k"]], 1), expected)


@pytest.mark.parametrize(
    ("bounds", "n", "message"),
    [
        ({"k": (1, 0)}, 4, "`bounds` of random_design, for 'k', must be two finite numbers, the lower one first"),
        ({"k": (0, np.inf)}, 4, "two finite numbers"),
        ({"k": 3}, 4, "must be a pair"),
        ({"k": (0 * u.ms, 3)}, 4, "must have one unit"),
        ({"k": (0, 3)}, 0, "`n` of random_design must be a positive int, but is 0"),
        ({}, 4, "must be like"),
    ],
)
def test_nonsense_bounds_are_refused(bounds, n, message):
    with pytest.raises((ValueError, TypeError, u.UnitMismatchError), match=message):
        brainmass.random_design(bounds, n)


REFUSED = {
    "unknown": ({"kk": [1.0]}, {}, "no parameter 'kk'. Did you mean 'k'. There are .*coupling.k"),
    "unit": ({"k": [1.0 * u.ms]}, {}, "parameter `coupling.k` must have no unit"),
    "units": ({"k": [1.0 * u.ms, 2.0]}, {}, "`values` of sweep, for 'k', must have one unit"),
    "domain": ({"sigma": [-1.0, 0.1]}, {}, "`node.noise_x.sigma` must be"),
    "lengths": ({"k": [1.0], "a": [1.0, 2.0]}, {"design": "list"}, "1 of 'k', 2 of 'a'"),
    "empty": ({"k": []}, {}, "for 'k', must be at least one value"),
    "scalar": ({"k": 1.0}, {}, "for 'k', must be at least one value, in a list"),
    "text": ({"k": ["a"]}, {}, "`values` of sweep, for 'k', must be of real numbers"),
    "shape": ({"a": np.ones((2, 5))}, {}, r"`values` of sweep, for 'a', must be numbers or arrays of shape \(3,\)"),
    "twice": ({"k": [1.0], "coupling.k": [1.0]}, {}, "one parameter twice: 'k' and 'coupling.k'"),
    "no mapping": ([1.0], {}, "must be a mapping of names of parameters"),
    "design": ({"k": [1.0]}, {"design": "latin"}, "must be 'grid' or 'list', but is 'latin'"),
    "no seeds": ({"k": [1.0]}, {"seeds": 0}, "`seeds` of sweep must be a positive int or"),
    "negative seed": ({"k": [1.0]}, {"seeds": [0, -1]}, "`seeds` of sweep must be a positive int or"),
    "true": ({"k": [1.0]}, {"seeds": True}, "`seeds` of sweep must be a positive int or"),
    "same seeds": ({"k": [1.0]}, {"seeds": [2, 2]}, "different seeds"),
    "at_once": ({"k": [1.0]}, {"at_once": 0}, "`at_once` of sweep must be a positive int"),
    "store": ({"k": [1.0]}, {"store": "a.csv"}, "must end in .zarr or .nc, but is 'a.csv'"),
    "folder": ({"k": [1.0]}, {"store": "/nowhere/a.nc"}, "/nowhere is none"),
    "measure": ({"k": [1.0]}, {"measure": lambda r: "x"}, "must return an array, a quantity or a mapping"),
    "names": ({"k": [1.0]}, {"measure": lambda r: {"k": r["x"].mean()}}, "'k' has the name of something else"),
    "reserved": ({"k": [1.0]}, {"measure": lambda r: {"failed": r["x"].mean()}}, "not be named 'failed'"),
    "sizes": (
        {"conn": [brainmass.Connectome(np.ones((2, 2))), brainmass.Connectome(np.ones((3, 3)))]},
        {},
        "connectomes of one size",
    ),
}


@pytest.mark.parametrize(("values", "settings", "message"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused(values, settings, message):
    errors = (ValueError, TypeError, u.UnitMismatchError, FileNotFoundError)
    with pytest.raises(errors, match=message):
        brainmass.sweep(simulator(), 1 * u.ms, values, **settings)


def test_without_xarray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ImportError, match=r"pip install \"brainmass\[io\]\""):
        brainmass.sweep(linear(), 1 * u.ms, {"gamma": [-1.0]})


# --- failures -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("measure", [None, mean_and_variance])
def test_a_run_that_diverges_is_noted_and_the_others_go_on(measure):
    values = {"gamma": [-1.0, 90.0, -0.5]}
    data = brainmass.sweep(linear(), 5 * u.ms, values, measure=measure, sample_every=1 * u.ms)
    first = data[next(iter(data.data_vars))]
    assert np.isnan(first[1]).all() and np.isfinite(first[[0, 2]]).all()
    assert list(data["failed"].values[[0, 2], 0]) == ["", ""]
    assert "State `x` became infinite or NaN by" in str(data["failed"].values[1, 0])


@pytest.mark.slow
def test_a_run_that_raises_is_noted_and_the_others_go_on():
    def check(x):
        if x > 0.5:
            raise RuntimeError("too much")
        return x

    def checked(result):
        end = result["x"][-1, 0]
        return jax.pure_callback(check, jax.ShapeDtypeStruct((), end.dtype), end, vmap_method="sequential")

    rates = np.array([-3.0, -2.0, -0.1, -1.0, -4.0])
    data = brainmass.sweep(linear(), 1 * u.ms, {"gamma": rates}, measure=checked, at_once=5)
    expected = np.where(rates == -0.1, np.nan, np.exp(rates))
    np.testing.assert_allclose(data["checked"][:, 0], expected, rtol=1e-5)
    assert [bool(reason) for reason in data["failed"].values[:, 0]] == list(rates == -0.1)


def test_a_batch_for_which_there_is_no_memory_is_tried_in_halves(monkeypatch):
    sizes, make = [], run._program

    def small_machine(*things):
        program = make(*things)

        def call(values, keys):
            sizes.append(len(keys))
            if len(keys) > 2:
                raise RuntimeError("RESOURCE_EXHAUSTED")
            return program(values, keys)

        return call

    monkeypatch.setattr(run, "_program", small_machine)
    rates = -np.arange(10.0)
    data = brainmass.sweep(linear(), 1 * u.ms, {"gamma": rates}, at_once=4, sample_every=1 * u.ms)
    np.testing.assert_allclose(data["x"][:, 0, 0, 0], np.exp(rates), rtol=1e-5)
    assert (data["failed"] == "").all()
    assert sizes == [4, 2, 2, 2, 2, 2]  # and what was learnt is kept


def test_runs_in_memory_stand_in_their_places_whatever_order_they_come_in():
    layout = Layout(("run",), (5,), {"x": Variable((), (), np.dtype(np.float32), {})}, {}, {})
    kept = Memory(layout)
    kept.write(np.array([4, 0]), {"x": np.array([4.0, 0.0])}, ["", ""])
    kept.write(np.array([1, 2]), {"x": np.array([1.0, 2.0])}, ["", ""])
    assert kept.pending().tolist() == [3]
    kept.write(np.array([3]), {}, ["it raised an error"])
    np.testing.assert_array_equal(kept.finish()["x"], [0.0, 1.0, 2.0, np.nan, 4.0])


def test_a_mistake_in_the_measure_is_raised_before_anything_runs():
    with pytest.raises(KeyError, match="No monitor 'y'"):
        brainmass.sweep(linear(), 1 * u.ms, {"gamma": [-1.0]}, measure=lambda result: result["y"])


# --- memory ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("runs", "each", "devices", "expected"),
    [(10, 1, 1, 10), (300, 1, 1, 150), (10_000, 1, 1, 250), (100, 100, 1, 10), (5, 10**6, 1, 1), (10, 1, 8, 16)],
)
def test_as_many_runs_at_once_as_there_is_memory_for(runs, each, devices, expected, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda devices: 4000)
    assert memory.runs_at_once(runs, each, devices) == expected


def test_a_sweep_whose_results_do_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr(run, "host_memory", lambda: 10_000)
    values = {"gamma": [-1.0] * 50}
    with pytest.raises(MemoryError, match='give it a `measure`.*store="sweep.zarr"'):
        brainmass.sweep(linear(), 10 * u.ms, values)
    brainmass.sweep(linear(), 10 * u.ms, values, measure=mean_and_variance)


def test_memory_that_is_free_is_known():
    assert 1 << 20 < memory.host_memory() < 1 << 50


@pytest.mark.parametrize(
    ("row", "top", "limit", "used", "kept"),
    [
        ("0::/slurm/job_7/step_0", "", "memory.max", "memory.current", "inactive_file"),
        (
            "4:memory:/slurm/job_7/step_0",
            "memory",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_inactive_file",
        ),
    ],
)
def test_memory_is_that_of_the_job(row, top, limit, used, kept, tmp_path):
    job = tmp_path / top / "slurm" / "job_7"
    (job / "step_0").mkdir(parents=True)
    for group, most, now, files in ((job, "1000", "700", "100"), (job / "step_0", "max", "600", "50")):
        for name, text in ((limit, most), (used, now), ("memory.stat", f"anon 1\n{kept} {files}\n")):
            (group / name).write_text(text)
    own = tmp_path / "cgroup"
    own.write_text(f"3:cpuset:/slurm\n{row}\n")
    assert memory._of_groups(own, tmp_path) == [400]
    assert memory._of_groups(tmp_path / "none", tmp_path) == []


# --- files ----------------------------------------------------------------------------------------------------------
@pytest.fixture(params=["zarr", "nc"])
def path(request, tmp_path):
    pytest.importorskip("zarr")
    if request.param == "nc":
        pytest.importorskip("h5netcdf")
        pytest.importorskip("h5py")
    return tmp_path / f"sweep.{request.param}"


def noisy(gamma=-1.0, dt=DT, **kwargs):
    noise = brainmass.WhiteNoise(3, sigma=0.1)
    return brainmass.Simulator(brainmass.LinearStep(3, gamma=gamma, noise_x=noise, **kwargs), dt=dt)


VALUES = {"gamma": [-1.0, -2.0, -3.0], "sigma": [0.1, 0.4]}


def swept(**settings):
    settings = {"duration": 2 * u.ms, "values": VALUES, "seeds": 2, "at_once": 4, **settings}
    return brainmass.sweep(settings.pop("simulator", None) or noisy(), **settings)


@pytest.mark.few(1)
@pytest.mark.parametrize("measure", [None, mean_and_variance])
def test_a_file_holds_what_comes_back(path, measure):
    xarray = pytest.importorskip("xarray")
    data, plain = swept(store=path, measure=measure), swept(measure=measure)
    xarray.testing.assert_identical(data.load(), plain)
    reader = xarray.open_zarr if path.suffix == ".zarr" else xarray.open_dataset
    stored = reader(path, decode_times=False)
    for name in plain.variables:
        np.testing.assert_array_equal(stored[name].values.astype(plain[name].dtype), plain[name].values)
    stored.close()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_sweep_that_is_done_is_not_run_again(path, monkeypatch):
    xarray = pytest.importorskip("xarray")
    before = swept(store=path).load()
    monkeypatch.setattr(run, "_program", None)
    xarray.testing.assert_identical(swept(store=path).load(), before)
    with pytest.raises(FileExistsError, match="is there already"):
        swept(store=path, resume=False)


OTHERS = {
    "the values of `gamma`": {"values": {**VALUES, "gamma": [-1.0, -2.0, -4.0]}},
    "the values of `sigma`": {"values": {"gamma": VALUES["gamma"]}},
    "the design": {"values": {name: [0.1, 0.2, 0.3] for name in VALUES}, "design": "list"},
    "the seeds": {"seeds": [0, 5]},
    "the duration": {"duration": 3 * u.ms},
    "`monitors`": {"monitors": {"activity": "x"}},
    "`transient`": {"transient": 1 * u.ms},
    "`inputs`": {"inputs": {"x_inp": 0.1}},
    "`measure`": {"measure": mean_and_variance},
    "the parameters of the model": {"simulator": noisy(gamma=-1.5)},
    "the time step": {"simulator": noisy(dt=0.2 * u.ms)},
    "the model": {"simulator": noisy(init_x=Constant(0.3))},
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    pytest.importorskip("zarr")
    path = tmp_path_factory.mktemp("sweeps") / "sweep.zarr"
    swept(store=path)
    return path


@pytest.mark.parametrize("what", OTHERS)
def test_a_file_of_another_sweep_is_refused(stored, what):
    with pytest.raises(ValueError, match=f"belongs to another sweep; what differs: .*{what}"):
        swept(store=stored, **OTHERS[what])


def test_a_file_of_something_else_is_refused(path):
    if path.suffix == ".zarr":
        path.mkdir()
    else:
        path.write_text("something")
    with pytest.raises(ValueError, match="is no file of a sweep"):
        swept(store=path)


@pytest.mark.slow
def test_a_sweep_is_known_again_after_its_model_was_run():
    sim = delayed()
    sim.pure(1 * u.ms)
    before = digest(sim.model)
    sim.run(1 * u.ms, seed=0, batch_size=2)
    assert digest(sim.model) == before


def test_functions_are_known_by_what_they_do():
    def times(n):
        return lambda x: n * x

    assert digest(times(2)) == digest(times(2)) != digest(times(3))
    assert digest(lambda x: x + 1) != digest(lambda x: x - 1)
    fc_corr = brainmass.objectives.fc_corr
    assert digest(fc_corr()) == digest(fc_corr()) != digest(fc_corr(as_loss=True))
    assert digest(np.arange(3)) != digest(np.arange(3.0)) and digest(1 * u.ms) != digest(1 * u.second)


KILLED = """
    import os, signal, sys
    sys.path.insert(0, {tests!r})
    from brainmass.sweeps.store import File
    import test_sweep

    calls, put = [], File._put

    def dying(self, name, *args):
        calls.append(name)
        if len(calls) == 6:  # the results of the third batch are there, but not noted
            os.kill(os.getpid(), signal.SIGKILL)
        put(self, name, *args)

    File._put = dying
    print(test_sweep.digest(test_sweep.delayed().model), flush=True)
    test_sweep.swept(store={path!r})
"""


def delayed():
    return simulator(brainmass.Connectome(WEIGHTS, lengths=20 * WEIGHTS * u.mm), speed=5 * u.mm / u.ms)


def in_process(code, **env):
    env = {**os.environ, **env}
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, env=env)


@pytest.mark.parametrize("suffix", [".zarr", pytest.param(".nc", marks=pytest.mark.slow)])
def test_a_sweep_that_was_killed_goes_on_where_it_was(suffix, tmp_path, monkeypatch):
    xarray = pytest.importorskip("xarray")
    for module in ("zarr", "h5netcdf", "h5py")[: 1 if suffix == ".zarr" else 3]:
        pytest.importorskip(module)
    path = tmp_path / f"sweep{suffix}"
    out = in_process(KILLED.format(tests=os.path.dirname(__file__), path=str(path)))
    assert out.returncode == -9, out.stderr
    assert out.stdout.split() == [digest(delayed().model)]
    written, write = [], File.write
    monkeypatch.setattr(File, "write", lambda self, runs, *args: [written.extend(runs), write(self, runs, *args)])
    data = swept(store=path, at_once=None).load()
    assert written == [8, 9, 10, 11]
    xarray.testing.assert_identical(data, swept())


BEGUN = """
    import os, signal, sys
    sys.path.insert(0, {tests!r})
    import brainmass.sweeps.store as store
    import test_sweep

    store.{last} = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)
    test_sweep.swept(store={path!r})
"""


@pytest.mark.parametrize(
    ("suffix", "last", "left"),
    [
        (".zarr", "os.rename", "zarr"),  # all is there but the results
        pytest.param(".nc", "os.rename", "zarr", marks=pytest.mark.slow),
        pytest.param(".nc", "os.replace", "nc", marks=pytest.mark.slow),  # all is there, in the file that it ends in
    ],
)
def test_what_a_killed_sweep_had_begun_is_removed_by_the_next(suffix, last, left, tmp_path):
    for module in ("zarr", "h5netcdf", "h5py")[: 1 if suffix == ".zarr" else 3]:
        pytest.importorskip(module)
    path = tmp_path / f"sweep{suffix}"
    out = in_process(BEGUN.format(tests=os.path.dirname(__file__), last=last, path=str(path)))
    assert out.returncode == -9, out.stderr
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(f".partial.{left}")]
    others = {".sweep.b.0123abcd.partial.zarr", ".sweep.nc.0123abcd.partial.zarr", ".other.0123abcd.partial.nc"}
    for name in others:
        (tmp_path / name).mkdir()
    swept(store=path)
    assert {p.name for p in tmp_path.iterdir()} == {path.name, *others}


HELD = """
    import sys, time
    from pathlib import Path
    from brainmass.sweeps.lock import only_writer
    with only_writer(Path({path!r})):
        print("held", flush=True)
        time.sleep(60)
"""


@pytest.mark.slow
def test_a_store_that_another_process_writes_to_is_refused_until_that_ends(path):
    code = textwrap.dedent(HELD.format(path=str(path)))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "held\n"
            with pytest.raises(RuntimeError, match=rf"is being written to by another sweep, process {other.pid} on "):
                swept(store=path)
        finally:
            other.kill()
    assert [p.name for p in path.parent.iterdir()] == [f".{path.name}.lock"]
    swept(store=path)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4), (3, 1, 2, 2)])
def test_blocks_are_the_elements_between_first_and_last(shape):
    numbers = np.arange(np.prod(shape)).reshape(shape)
    for first in range(numbers.size + 1):
        for last in range(first, numbers.size + 1):
            got = [numbers[block].ravel() for block in blocks(shape, first, last)]
            np.testing.assert_array_equal(np.concatenate([np.arange(0), *got]), np.arange(first, last))


# --- progress, devices ----------------------------------------------------------------------------------------------
def test_progress_is_shown(capfd, monkeypatch):
    monkeypatch.setenv("TQDM_MININTERVAL", "0")  # however quick a run is
    brainmass.sweep(linear(), 1 * u.ms, {"gamma": [-1.0, -2.0]}, at_once=1, progress=True)
    shown = capfd.readouterr().err
    assert "sweeping" in shown and "1/2 [" in shown


SHARED = """
    import sys, jax, numpy as np
    sys.path.insert(0, {tests!r})
    import test_sweep
    from brainmass.sweeps.run import _program
    twice = _program(lambda values, key: 2 * values["a"] + key, jax.devices(), None)
    doubled = twice({{"a": np.ones(16)}}, np.zeros(16))
    assert len(doubled.sharding.device_set) == 8 and (np.asarray(doubled) == 2).all()
    np.save({out!r}, test_sweep.swept(at_once={at_once})["x"].values)
"""


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [5, 12])
def test_many_devices_give_the_numbers_of_one(tmp_path, at_once):
    out = str(tmp_path / "x.npy")
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    code = SHARED.format(tests=os.path.dirname(__file__), out=out, at_once=at_once)
    done = in_process(code, XLA_FLAGS=flags, JAX_PLATFORMS="cpu")
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(out), swept()["x"], rtol=1e-5, atol=1e-6)


PROCESSES = """
    import sys
    import jax
    sys.path.insert(0, {tests!r})
    me = int(sys.argv[1])
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize("127.0.0.1:{port}", num_processes=2, process_id=me)
    import numpy as np
    import test_sweep

    def told(**settings):
        try:
            test_sweep.swept(**settings)
        except (RuntimeError, ValueError) as error:
            return str(error)

    data = test_sweep.swept(at_once=4)
    assert data.attrs and jax.device_count() == 2
    np.savez({out!r} + str(me), **{{name: data[name].values for name in data.variables}})
    stored = test_sweep.swept(store={out!r} + ".zarr", at_once=4)
    assert (stored is None) == (me == 1)
    assert "what differs: the seeds" in told(seeds=2 + me)
    assert "belongs to another sweep" in told(store={out!r} + ".zarr", seeds=3)
    spread = test_sweep.swept(at_once=None)
    np.testing.assert_allclose(spread["x"], data["x"], rtol=1e-5, atol=1e-6)
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.slow
def test_processes_of_jax_share_the_runs_and_give_the_numbers_of_one(tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("zarr")
    out = str(tmp_path / "sweep")
    code = textwrap.dedent(PROCESSES.format(tests=os.path.dirname(__file__), port=free_port(), out=out))
    env = {**os.environ, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", code]
    both = [subprocess.Popen([*command, str(i)], env=env, stderr=subprocess.PIPE, text=True) for i in range(2)]
    for process in both:
        _, words = process.communicate(timeout=300)
        assert process.returncode == 0, words
    alone = swept(at_once=4)
    for i in range(2):
        shared = np.load(f"{out}{i}.npz")
        for name in alone.variables:
            np.testing.assert_array_equal(shared[name], alone[name].values)
    xarray.testing.assert_identical(swept(store=f"{out}.zarr", at_once=4).load(), alone)


CLUSTER = """
    import os, signal, sys
    sys.path.insert(0, {tests!r})
    from distributed import Client, LocalCluster
    from brainmass.sweeps.store import File
    import test_sweep

    if __name__ == "__main__":
        write = File.write
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
            with Client(cluster) as client:
                workers = client.run(os.getpid)

                def killing(self, *args):
                    write(self, *args)
                    if workers:
                        os.kill(workers.popitem()[1], signal.SIGKILL)
                        workers.clear()

                File.write = killing
                test_sweep.swept(store={path!r}, simulator=test_sweep.delayed(), cluster=client, **test_sweep.SMALL)
                assert not workers
"""
SMALL = {"values": {"k": [0.1, 0.4, 0.8]}, "monitors": ["x"], "at_once": 1}


@pytest.mark.slow
def test_on_a_cluster_the_numbers_are_those_of_one_process_though_a_worker_is_killed(tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("zarr")
    pytest.importorskip("distributed")
    path, script = tmp_path / "sweep.zarr", tmp_path / "script.py"
    script.write_text(textwrap.dedent(CLUSTER.format(tests=os.path.dirname(__file__), path=str(path))))
    out = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    stored = swept(store=path, simulator=delayed(), **SMALL).load()
    xarray.testing.assert_identical(stored, swept(simulator=delayed(), **SMALL))


class Slow:
    """Batches that take their time."""

    def tried(self, runs, size):
        time.sleep(0.05)
        return [(runs, {}, [""] * len(runs))]


def test_workers_that_join_are_sent_batches_and_none_is_lost():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as workers:
        with distributed.Client(workers) as client:
            submit, sent = client.submit, []
            client.submit = lambda *args, **kwargs: sent.append(submit(*args, **kwargs)) or sent[-1]
            batches = dask.on_workers(client, Slow, np.arange(20), 1)
            done, under_way = [], []
            for runs, _, _ in batches:
                under_way.append(len(sent) - len(done))
                done.extend(runs)
                if len(done) == 2:
                    workers.scale(3)
                    client.wait_for_workers(3)
    assert sorted(done) == list(range(20))
    assert under_way[0] == 2 and max(under_way) == 6


def test_what_is_no_cluster_is_refused(monkeypatch):
    pytest.importorskip("distributed")
    with pytest.raises(TypeError, match="`cluster` of sweep must be a dask.distributed Client, but is 4"):
        swept(cluster=4)
    with monkeypatch.context() as several:
        several.setattr(run, "as_client", lambda cluster: cluster)
        several.setattr(jax, "process_count", lambda: 2)
        with pytest.raises(ValueError, match="`cluster` of sweep must be None under jax.distributed"):
            swept(cluster=4)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"brainmass\[cluster\]"):
        swept(cluster=4)
