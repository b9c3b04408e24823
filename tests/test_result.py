"""Result: a mapping, a pytree, and files that other readers understand."""

import json
import os

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainmass.simulation.result import Result

STAMPS = np.arange(1.0, 5.0) * u.ms
RATE = np.arange(12.0, dtype=np.float32).reshape(4, 3)
BOLD = np.linspace(-1.0, 1.0, 30, dtype=np.float32).reshape(2, 5, 3)


def make(monitors=None, times=None, **options):
    """Four samples of a rate in three regions, unless told otherwise."""
    monitors = {"r": jnp.asarray(RATE) * u.Hz} if monitors is None else monitors
    times = {name: STAMPS for name in monitors} if times is None else times
    return Result(monitors, times, **{"dt": 0.1 * u.ms, "duration": 4 * u.ms, **options})


def make_two_rates(**options):
    """A rate at every ms and batched BOLD at every second ms."""
    return make(
        {"r": jnp.asarray(RATE) * u.Hz, "bold": jnp.asarray(BOLD)},
        {"r": STAMPS, "bold": np.array([0.002, 0.004]) * u.second},
        labels=("V1", "V2", "MT"),
        provenance={"seed": "3", "model": "MontbrioPazoRoxinStep", "note": ""},
        **options,
    )


def final_state():
    return {
        "state": {("node", "r"): jnp.arange(3.0) * u.kHz, ("node", "v"): jnp.float32(-2.0)},
        "step": 40,
        "key": jax.random.key(7),
        "other": (None, [1.5, jnp.ones((2, 3), jnp.bfloat16)], True, "text"),
        "threshold": 2.5 * u.mV,
        "spiked": jnp.array([True, False]),
        "empty": jnp.zeros((0, 3)),
        "clock": np.array([0.1, 0.2]),  # float64, whatever JAX is set to
    }


def assert_identical(a, b):
    """Same nesting, same types of leaf, same bits."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        if isinstance(x, str):
            assert x == y
            continue
        assert jnp.shape(x) == jnp.shape(y)
        assert isinstance(x, jax.Array) == isinstance(y, jax.Array)
        if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            assert jax.random.key_impl(x) == jax.random.key_impl(y)
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        assert jnp.result_type(x) == jnp.result_type(y)
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


@pytest.fixture(params=[".npz", ".nc"])
def suffix(request):
    if request.param == ".nc":
        for name in ("xarray", "h5netcdf", "h5py"):
            pytest.importorskip(name)
    return request.param


# --- a mapping ---


def test_is_a_mapping_of_monitors_only():
    result = make_two_rates()
    assert list(result) == ["r", "bold"]
    assert len(result) == 2
    assert "bold" in result and "time" not in result
    assert dict(result)["r"] is result["r"]
    np.testing.assert_array_equal(result["r"].to_decimal(u.Hz), RATE)


def test_is_read_only():
    result = make()
    for attempt in (
        lambda: result.__delitem__("r"),
        lambda: setattr(result, "time", 0),
        lambda: setattr(result, "final", 0),
        lambda: result.times.__setitem__("r", 0),
        lambda: result.provenance.__setitem__("seed", "0"),
    ):
        with pytest.raises((AttributeError, TypeError)):
            attempt()


def test_time_is_shared_by_monitors_that_agree():
    result = make({"r": jnp.ones(4), "v": jnp.ones(4)}, {"r": STAMPS, "v": np.arange(1.0, 5.0) * u.ms})
    np.testing.assert_array_equal(result.time.to_decimal(u.ms), [1, 2, 3, 4])
    assert result["time"] is result.time


@pytest.mark.parametrize("unit", [u.ms, u.second])
def test_time_is_shared_while_traced(unit):
    def shared(values):
        stamps = u.Quantity(values, unit=unit)
        return make({"r": jnp.ones(4), "v": jnp.ones(4)}, {"r": stamps, "v": stamps}).time

    factor = u.Quantity(1.0, unit=unit).to_decimal(u.ms)
    np.testing.assert_allclose(jax.jit(shared)(jnp.arange(4.0)).to_decimal(u.ms), factor * np.arange(4))


def test_time_is_refused_where_monitors_differ():
    result = make_two_rates()
    for ask in (lambda: result.time, lambda: result["time"]):
        with pytest.raises(ValueError, match=r'result\.times\["bold"\]'):
            ask()
    np.testing.assert_allclose(result.times["bold"].to_decimal(u.ms), [2.0, 4.0])


def test_time_is_refused_without_monitors():
    with pytest.raises(ValueError, match="no monitors"):
        _ = make({}).time


def test_unknown_name_is_answered_with_the_nearest_and_all():
    with pytest.raises(KeyError, match="'bolt'.*Did you mean 'bold'.*'r', 'bold'"):
        make_two_rates()["bolt"]
    assert make_two_rates().get("nothing") is None


def test_equality_is_identity():
    result = make()
    assert result == result and result != make()
    assert {result: 1}[result] == 1


# --- checks at the door ---


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(monitors={"time": jnp.ones(4)}), "leave the name 'time'"),
        (dict(times={}), r"same names as `monitors` \('r'\), but has none"),
        (dict(times={"r": np.arange(4.0)}), r"unit of time, but times\['r'\] is in 1"),
        (dict(times={"r": np.arange(4.0) * u.mV}), "unit of time.*mV"),
        (dict(times={"r": np.arange(5.0) * u.ms}), r"one time stamp per row.*\(5,\).*\(4, 3\)"),
        (dict(monitors={"r": jnp.float32(0.0)}, times={"r": 1.0 * u.ms}), "one time stamp per row"),
        (dict(dt=0.1), "`dt` of Result must be one number with unit of time, but is 0.1"),
        (dict(dt=np.ones(2) * u.ms), "`dt` of Result must be one number"),
        (dict(duration=4 * u.mV), "`duration` of Result must be one number with unit of time"),
        (dict(labels="abc"), "`labels` of Result must be a sequence of strings"),
        (dict(labels=(1, 2, 3)), "`labels` of Result must be a sequence of strings"),
        (dict(provenance={"seed": 0}), "`provenance` of Result must map strings to strings"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises((ValueError, TypeError, u.UnitMismatchError), match=message) as caught:
        make(**arguments)
    assert "Example" in str(caught.value)


# --- the summary ---


def test_summary():
    assert repr(make_two_rates()).splitlines() == [
        "Result: 4 ms in steps of 0.1 ms (MontbrioPazoRoxinStep, seed 3)",
        "  r     (4, 3)     every 1 ms  Hz  min 0  mean 5.5  max 11",
        f"  bold  (2, 5, 3)  every 2 ms      min -1  mean {BOLD.mean():.4g}  max 1",
    ]


def test_summary_under_tracing_shows_shapes():
    seen = []
    jax.jit(lambda result: seen.append(repr(result)))(make())
    assert seen == ["Result: 4 ms in steps of 0.1 ms\n  r  (4, 3)    Hz"]


@pytest.mark.parametrize(
    "values, words",
    [
        (jnp.zeros((4, 0)), "(4, 0)"),
        (jnp.array([1, 2, 3, 4]), "mean 2.5"),
        (jnp.array([True, False, True, True]), "mean 0.75"),
        (jnp.array([1.0, jnp.nan, 0.0, 0.0]), "max nan"),
    ],
)
def test_summary_of_unusual_monitors(values, words):
    assert words in repr(make({"x": values}))


def test_summary_of_empty_abstract_and_stacked_results():
    assert repr(make({})) == "Result: 4 ms in steps of 0.1 ms"
    assert "(4, 3)" in repr(jax.eval_shape(lambda result: result, make()))
    stacked = jax.vmap(lambda gain: make({"r": gain * jnp.asarray(RATE)}))(jnp.arange(5.0))
    assert "(5, 4, 3)  every 1 ms" in repr(stacked)


# --- a pytree ---


def test_survives_tree_map_and_jit():
    result = make_two_rates(final=final_state()["state"])
    for copy in (jax.tree.map(lambda x: x, result), jax.jit(lambda x: x)(result)):
        assert list(copy) == ["r", "bold"]  # in the order given: "bold" would sort first
        assert copy["r"].unit == u.Hz
        np.testing.assert_array_equal(copy["bold"], BOLD)
        np.testing.assert_allclose(copy.times["bold"].to_decimal(u.ms), [2.0, 4.0])
        assert copy.final[("node", "r")].unit == u.kHz
        assert (copy.dt, copy.duration) == (result.dt, result.duration)
        assert (copy.labels, copy.provenance) == (result.labels, result.provenance)


def test_tree_map_reaches_every_array():
    doubled = jax.tree.map(lambda x: 2 * x, make(final={"r": jnp.ones(3)}))
    np.testing.assert_array_equal(doubled["r"].to_decimal(u.Hz), 2 * RATE)
    np.testing.assert_array_equal(doubled.time.to_decimal(u.ms), [2, 4, 6, 8])
    np.testing.assert_array_equal(doubled.final["r"], [2, 2, 2])


def test_equal_structure_is_not_traced_again():
    traces = []
    mean = jax.jit(lambda result: traces.append(1) or result["r"].mean())
    mean(make_two_rates())
    mean(make_two_rates())
    assert len(traces) == 1
    mean(make())
    assert len(traces) == 2


def test_gradient_through_a_result():
    def power(gain):
        return (make({"r": gain * jnp.asarray(RATE)})["r"] ** 2).sum()

    assert jax.grad(power)(1.0) == pytest.approx(2 * (RATE**2).sum())


def test_leaves_have_readable_paths():
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(make())]
    assert any(path.startswith(".monitors") for path in paths)


# --- xarray ---


def test_to_xarray():
    pytest.importorskip("xarray")
    dataset = make_two_rates().to_xarray()
    assert dataset["r"].dims == ("time_r", "region")
    assert dataset["bold"].dims == ("time_bold", "batch", "region")
    assert dataset["r"].attrs["units"] == "Hz" and dataset["bold"].attrs["units"] == "1"
    assert dataset["time_r"].attrs["units"] == "ms"
    assert list(dataset["region"].values) == ["V1", "V2", "MT"]
    assert dataset["r"].sel(time_r=3.0, region="MT").item() == RATE[2, 2]
    np.testing.assert_allclose(dataset["time_bold"], [2.0, 4.0])
    assert dataset.attrs["seed"] == "3" and dataset.attrs["dt"] == "0.1 ms"


def test_to_xarray_shares_time():
    pytest.importorskip("xarray")
    dataset = make({"r": jnp.asarray(RATE), "v": jnp.asarray(RATE)}).to_xarray()
    assert dataset["r"].dims == dataset["v"].dims == ("time", "region")
    assert "region" not in dataset.coords


def test_to_xarray_keeps_axes_of_different_size_apart():
    pytest.importorskip("xarray")
    monitors = {
        "eeg": jnp.ones((4, 7)),
        "r": jnp.asarray(RATE),
        "mean": jnp.ones(4),
        "x": jnp.ones((4, 2, 5, 3)),
    }
    dataset = make(monitors, labels=("V1", "V2", "MT")).to_xarray()
    assert dataset["eeg"].dims == ("time", "channel_eeg")
    assert dataset["r"].dims == ("time", "region")
    assert dataset["mean"].dims == ("time",)
    assert dataset["x"].dims == ("time", "batch", "batch_2", "region")


def test_to_xarray_refuses_a_stack_and_a_clash():
    pytest.importorskip("xarray")
    stacked = jax.vmap(lambda gain: make({"r": gain * jnp.asarray(RATE)}))(jnp.arange(5.0))
    with pytest.raises(ValueError, match="holds a stack of 5"):
        stacked.to_xarray()
    one = jax.tree.map(lambda x: x[2], stacked)  # what the message advises
    np.testing.assert_array_equal(one.to_xarray()["r"], 2 * RATE)
    with pytest.raises(ValueError, match="the name 'region' for a dimension"):
        make({"region": jnp.asarray(RATE)}).to_xarray()


def test_missing_xarray_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "xarray", None)
    for attempt in (lambda: make().to_xarray(), lambda: make().save(tmp_path / "run.nc")):
        with pytest.raises(ImportError, match=r"brainmass\[io\]"):
            attempt()
    make().save(tmp_path / "run.npz")  # numpy is enough


# --- files ---


def test_file_restores_everything(tmp_path, suffix):
    result = make_two_rates(final=final_state())
    result.save(tmp_path / f"run{suffix}")
    loaded = Result.load(tmp_path / f"run{suffix}")
    assert_identical(result, loaded)  # the structure holds names, labels, provenance, dt, duration, units
    assert list(loaded) == ["r", "bold"]
    assert repr(loaded) == repr(result)


def test_restored_key_draws_the_same_numbers(tmp_path, suffix):
    path = tmp_path / f"run{suffix}"
    for key in (jax.random.key(3), jax.random.key(3, impl="rbg"), jax.random.split(jax.random.key(0), 4)[1]):
        make(final=key).save(path)
        again = jax.random.normal(Result.load(path).final, (5,))
        np.testing.assert_array_equal(again, jax.random.normal(key, (5,)))


def compound_units():
    units = [u.mV / u.ms**0.5, u.nA / u.Hz, u.ms ** (1 / 3), u.mV**2 * u.um / u.Hz, u.Unit(factor=3.0)]
    return {f"compound_{i}": unit for i, unit in enumerate(units)}


def every_unit():
    named = {name: unit for name in dir(u) if isinstance(unit := getattr(u, name), u.Unit)}
    assert len(named) > 100
    return named | compound_units()


def test_every_unit_is_restored(tmp_path, suffix):
    units = every_unit() if suffix == ".npz" else compound_units()  # a thousand variables take netCDF minutes
    result = make({name: u.Quantity(jnp.ones(4), unit=unit) for name, unit in units.items()})
    result.save(tmp_path / f"run{suffix}")
    loaded = Result.load(tmp_path / f"run{suffix}")
    for name, unit in units.items():
        restored = u.get_unit(loaded[name])
        assert restored == unit and str(restored) == str(unit), name


def test_units_do_not_depend_on_their_spelling(tmp_path, monkeypatch):
    def refuse(text):
        raise ValueError(text)

    units = every_unit()
    make({name: u.Quantity(jnp.ones(4), unit=unit) for name, unit in units.items()}).save(tmp_path / "a.npz")
    monkeypatch.setattr(u, "parse_unit", refuse)
    loaded = Result.load(tmp_path / "a.npz")
    assert {name: u.get_unit(loaded[name]) for name in units} == units


def test_numpy_reads_npz(tmp_path):
    make_two_rates().save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz", allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["monitors/r"], RATE)
        np.testing.assert_array_equal(stored["monitors/bold"], BOLD)
        np.testing.assert_array_equal(stored["times/time_r"], [1, 2, 3, 4])
        assert not any(stored[name].dtype.hasobject for name in stored.files)


def test_xarray_reads_netcdf(tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5py")
    result = make_two_rates(final=final_state())
    result.save(tmp_path / "run.nc")
    with xarray.open_dataset(tmp_path / "run.nc", engine="h5netcdf") as dataset:
        xarray.testing.assert_identical(dataset[["r", "bold"]], result.to_xarray())


def test_monitors_named_like_parts_of_the_file(tmp_path, suffix):
    names = ["final_state", "final_state.0", "dt", "labels", "times", "r.E"]
    result = make({name: jnp.full(4, i) for i, name in enumerate(names)}, final={"a": 1})
    result.save(tmp_path / f"run{suffix}")
    assert_identical(result, Result.load(tmp_path / f"run{suffix}"))


def test_monitors_whose_names_netcdf_cannot_hold(tmp_path):
    pytest.importorskip("h5py")
    for monitors in ({"a/b": jnp.ones(4)}, {"final_state.0": jnp.ones(4)}):
        with pytest.raises(ValueError, match="netCDF.*npz"):
            make(monitors, final={"r": jnp.ones(3)}).save(tmp_path / "run.nc")
        make(monitors, final={"r": jnp.ones(3)}).save(tmp_path / "run.npz")
    assert list(tmp_path.iterdir()) == [tmp_path / "run.npz"]


def test_complex_numbers_need_npz(tmp_path):
    pytest.importorskip("h5py")
    result = make({"z": jnp.ones(4) * 1j})
    with pytest.raises(TypeError, match="complex.*npz"):
        result.save(tmp_path / "run.nc")
    result.save(tmp_path / "run.npz")
    assert_identical(result, Result.load(tmp_path / "run.npz"))


@pytest.mark.parametrize("final", [{"r": object()}, {"r": np.array(["a"])}, {"r": np.array([None])}])
def test_only_plain_values_are_kept(tmp_path, final):
    with pytest.raises(TypeError, match=r"`save` can keep.*final_state.0"):
        make(final=final).save(tmp_path / "run.npz")
    assert list(tmp_path.iterdir()) == []


def test_other_suffixes_are_refused(tmp_path):
    for act in (make().save, Result.load):
        with pytest.raises(ValueError, match=r"must end in .npz or .nc, but is '.*run.csv'"):
            act(tmp_path / "run.csv")


def test_missing_folder_and_missing_file(tmp_path, suffix):
    with pytest.raises(FileNotFoundError, match="existing folder"):
        make().save(tmp_path / "nowhere" / f"run{suffix}")
    with pytest.raises(FileNotFoundError):
        Result.load(tmp_path / f"run{suffix}")


def test_save_replaces_and_leaves_nothing_beside(tmp_path, suffix):
    path = tmp_path / f"run{suffix}"
    make({"r": jnp.zeros(4)}).save(path)
    make({"r": jnp.ones(4)}).save(str(path))
    np.testing.assert_array_equal(Result.load(str(path))["r"], np.ones(4))
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_keeps_the_good_file(tmp_path, suffix, monkeypatch):
    path = tmp_path / f"run{suffix}"
    good = make()
    good.save(path)
    before = path.read_bytes()

    def no_space(file):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        make({"r": jnp.ones(4)}).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_saving_through_a_link_keeps_the_link(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "run.npz").symlink_to(tmp_path / "data" / "real.npz")
    make().save(tmp_path / "run.npz")
    assert (tmp_path / "run.npz").is_symlink() and (tmp_path / "data" / "real.npz").is_file()


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.3, 0.7, 0.95, 0.999])
def test_truncated_file_is_refused(tmp_path, suffix, kept):
    path = tmp_path / f"run{suffix}"
    make(final=final_state()).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match="must be a whole file written by Result.save"):
        Result.load(path)


def test_foreign_files_are_refused(tmp_path, suffix):
    path = tmp_path / f"run{suffix}"
    path.write_bytes(b"time,r\n0,1\n" * 200)
    with pytest.raises(ValueError, match="must be a whole file written by Result.save") as caught:
        Result.load(path)
    assert suffix == ".nc" or "it is no complete npz archive" in str(caught.value)
    if suffix == ".npz":
        np.savez(path, r=RATE)
    else:
        make().to_xarray().to_netcdf(path, engine="h5netcdf")
    with pytest.raises(ValueError, match="it has no manifest"):
        Result.load(path)


@pytest.mark.parametrize(
    "manifest, message",
    [
        ([], "not that of a Result"),
        ({"format": "other"}, "not that of a Result"),
        ({"format": "brainmass.Result", "version": 2}, "format version 2, this brainmass reads 1"),
        ({"format": "brainmass.Result", "version": 1}, "monitors|axes"),
    ],
)
def test_manifests_of_others_are_refused(tmp_path, manifest, message):
    np.savez(tmp_path / "run.npz", brainmass_manifest=np.asarray(json.dumps(manifest)))
    with pytest.raises(ValueError, match=message):
        Result.load(tmp_path / "run.npz")


class Trap:
    """Unpickling it leaves a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_pickles_are_never_opened(tmp_path):
    np.savez(tmp_path / "run.npz", brainmass_manifest=np.array([Trap(tmp_path / "sprung")], dtype=object))
    with pytest.raises(ValueError, match="objects, as a pickle"):
        Result.load(tmp_path / "run.npz")
    assert not (tmp_path / "sprung").exists()
