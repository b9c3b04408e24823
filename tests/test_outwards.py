"""Results and lead fields, to and from the libraries that people go on with."""

import copy

import brainunit as u
import jax.numpy as jnp
import mne
import numpy as np
import pandas as pd
import pytest
import xarray

import brainmass
from brainmass import Result

TIMES = jnp.arange(1.0, 6.0) * 2 * u.ms
VALUES = jnp.arange(15.0).reshape(5, 3)


def result(values=VALUES * u.mV, times=TIMES, labels=("a", "b", "c"), **more):
    monitors = {"v": values, **more}
    return Result(monitors, dict.fromkeys(monitors, times), dt=1 * u.ms, duration=10 * u.ms, labels=labels)


def test_to_pandas_and_csv(tmp_path):
    table = result().to_pandas()
    assert list(table.columns) == ["a", "b", "c"]
    assert (table.index.name, table.attrs["units"]) == ("time (ms)", "mV")
    np.testing.assert_array_equal(table.loc[4.0], [3, 4, 5])
    result().to_csv(tmp_path / "v.csv")
    again = pd.read_csv(tmp_path / "v.csv", index_col=0)
    np.testing.assert_array_equal(again, VALUES)
    np.testing.assert_array_equal(again.index, [2, 4, 6, 8, 10])
    batch = result(jnp.arange(30.0).reshape(5, 2, 3)).to_pandas()
    assert batch.columns.names == ["batch", "region"]
    np.testing.assert_array_equal(batch[(1, "b")], np.arange(30.0).reshape(5, 2, 3)[:, 1, 1])
    with pytest.raises(ValueError, match="`name` of Result.to_pandas must say which monitor, one of 'v', 'r'"):
        result(r=VALUES).to_pandas()
    assert list(result(r=VALUES[:, :2]).to_pandas("r").columns) == [0, 1]


def test_a_table_goes_in_as_it_came_out():
    drive = brainmass.Recording(3, data=result(VALUES).to_pandas(), every=2 * u.ms)
    np.testing.assert_array_equal(drive.data.value, VALUES)
    np.testing.assert_array_equal(
        brainmass.Recording(3, data=result(VALUES).to_xarray()["v"], every=2 * u.ms).data.value, VALUES
    )
    with pytest.raises(ValueError, match="rows 2 ms apart, but `every` is 1 ms"):
        brainmass.Recording(3, data=result(VALUES).to_xarray()["v"])


def test_to_mne():
    raw = result().to_mne(sensors=["Fz", "Cz", "Pz"])
    assert (raw.ch_names, raw.info["sfreq"]) == (["Fz", "Cz", "Pz"], 500.0)
    np.testing.assert_allclose(raw.get_data(), 1e-3 * np.asarray(VALUES).T, rtol=1e-6)
    assert raw.get_channel_types() == ["eeg"] * 3
    assert result(VALUES * u.tesla).to_mne(kind="mag").ch_names == ["a", "b", "c"]
    with pytest.raises(u.UnitMismatchError, match="'v' must be in V for the 'eeg' of MNE, but is in Hz"):
        result(VALUES * u.Hz).to_mne()
    with pytest.raises(ValueError, match="`sensors` of Result.to_mne must be 3 names, but are 1"):
        result().to_mne(sensors=["Fz"])
    with pytest.raises(ValueError, match="must be sampled evenly"):
        result(times=jnp.array([1.0, 2.0, 4.0, 5.0, 6.0]) * u.ms).to_mne()
    with pytest.raises(ValueError, match="`kind` .*'eeg', 'seeg', 'ecog', 'mag', but is 'EEG'"):
        result().to_mne(kind="EEG")


def test_a_fit_to_xarray():
    fit = brainmass.FitResult(
        backend="grad", best_loss=0.5, best_params={"node.a": jnp.ones(3) * u.mV}, history=[1.0, 0.5], n_steps=2,
        histories=np.ones((2, 4)), prediction=VALUES, provenance={"who": "me"},
    )  # fmt: skip
    dataset = fit.to_xarray()
    assert dataset["loss"].values.tolist() == [1.0, 0.5]
    assert (dataset["losses"].dims, dataset["node.a"].attrs["units"]) == (("step", "start"), "mV")
    assert (dataset.attrs["who"], dataset.attrs["best_loss"]) == ("me", 0.5)
    np.testing.assert_array_equal(dataset["prediction"], VALUES)


# --- lead fields of MNE -----------------------------------------------------------------------------------------------
DIRECTIONS = np.array([[0.0, 0.0, 1.0], [0.0, 3.0, 4.0], [1.0, 0.0, 0.0]])


@pytest.fixture(scope="module")
def forward():
    info = mne.create_info(["Fz", "Cz", "Pz", "Oz"], 100.0, "eeg")
    info.set_montage("biosemi64")
    sphere = mne.make_sphere_model((0.0, 0.0, 0.04), 0.095, info, verbose="error")
    places = np.array([[0.0, 0.03, 0.07], [0.03, 0.0, 0.07], [-0.03, 0.0, 0.06]])
    sources = mne.setup_volume_source_space(pos={"rr": places, "nn": np.tile([0.0, 0.0, 1.0], (3, 1))}, verbose="error")
    return mne.make_forward_solution(info, None, sources, sphere, eeg=True, meg=False, mindist=0, verbose="error")


def test_a_lead_field_of_mne_sees_what_mne_says(forward):
    eeg = brainmass.EEGLeadFieldModel.from_mne(forward, orientations=DIRECTIONS)
    moments = np.array([1.0, -2.0, 0.5])  # nA m
    vectors = DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True) * moments[:, None]
    volts = forward["sol"]["data"] @ (1e-9 * vectors).ravel()
    np.testing.assert_allclose(eeg(moments).to_decimal(u.volt), volts, rtol=1e-5)
    assert (eeg.R, eeg.M) == (3, 4)


def test_sources_become_regions(forward):
    single = brainmass.EEGLeadFieldModel.from_mne(forward, orientations=DIRECTIONS).L.value().mantissa
    for parcels in (np.array([0, 1, 0]), np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 0.0]])):
        both = brainmass.EEGLeadFieldModel.from_mne(forward, orientations=DIRECTIONS, parcels=parcels)
        expected = np.stack([(single[0] + single[2]) / 2, single[1]])
        np.testing.assert_allclose(both.L.value().mantissa, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "sources in a volume, which have no normal. Give `orientations`"),
        ({"orientations": np.ones((2, 3))}, r"shape \(3, 3\), one direction per source, but has \(2, 3\)"),
        ({"orientations": DIRECTIONS, "parcels": [0, 2, 2]}, "and none for region 1"),
        ({"orientations": DIRECTIONS, "parcels": [0, 1]}, r"each of the 3 sources, .*but has shape \(2, 2\)"),
    ],
)
def test_what_a_forward_leaves_open_is_asked(forward, arguments, message):
    with pytest.raises(ValueError, match=message):
        brainmass.EEGLeadFieldModel.from_mne(forward, **arguments)


def test_other_things_than_forwards_are_refused(forward):
    with pytest.raises(TypeError, match="must be a Forward of MNE, but is a list"):
        brainmass.EEGLeadFieldModel.from_mne([1])
    with pytest.raises(ValueError, match="must have sensors of MEGLeadFieldModel, but has none"):
        brainmass.MEGLeadFieldModel.from_mne(forward, orientations=DIRECTIONS)
    with pytest.raises(TypeError, match=r"is a Forward of MNE. Example: EEGLeadFieldModel.from_mne\(forward\)"):
        brainmass.EEGLeadFieldModel(3, 4, forward)


# --- names of sensors -------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_names_of_sensors_go_where_the_recording_goes(tmp_path, forward):
    """As many sensors as regions, which would else have the names of these."""
    regions = ["left", "right", "middle", "deep"]
    conn = brainmass.Connectome(np.ones((4, 4)) - np.eye(4), labels=regions)
    network = brainmass.Network(brainmass.HopfStep(4), conn=conn, coupled_var="x", k=0.1)
    parcels = np.array([[1.0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]])
    eeg = brainmass.EEGLeadFieldModel.from_mne(forward, orientations=DIRECTIONS, parcels=parcels)
    assert eeg.sensors == ("Fz", "Cz", "Pz", "Oz")
    simulator = brainmass.Simulator(network, dt=0.5 * u.ms)
    run = simulator.run(5 * u.ms, monitors={"x": "x", "eeg": eeg}, seed=0)
    run.save(tmp_path / "r.npz")
    run.save(tmp_path / "r.nc")
    for kept in (run, Result.load(tmp_path / "r.npz"), Result.load(tmp_path / "r.nc"), copy.deepcopy(run)):
        assert dict(kept.sensors) == {"eeg": eeg.sensors}
        dataset = kept.to_xarray()
        assert dataset["x"].dims == ("time", "region") and dataset["eeg"].dims == ("time", "channel_eeg")
        assert dataset["channel_eeg"].values.tolist() == list(eeg.sensors)
        assert dataset["region"].values.tolist() == regions
    assert list(run.to_pandas("eeg").columns) == list(eeg.sensors)
    assert run.to_pandas("eeg").columns.name == "sensor"
    assert run.to_mne("eeg").ch_names == list(eeg.sensors)
    swept = brainmass.sweep(simulator, 5 * u.ms, {"k": [0.1, 0.2]}, monitors={"eeg": eeg}, seeds=1)
    assert swept["channel_eeg"].values.tolist() == list(eeg.sensors)


def test_sensors_are_named_by_a_table_or_an_argument():
    gain = np.arange(6.0).reshape(3, 2)
    table = xarray.DataArray(gain.T, dims=("sensor", "region"), coords={"sensor": ["Fz", "Cz"]})
    assert brainmass.EEGLeadFieldModel(3, 2, table).sensors == ("Fz", "Cz")
    assert brainmass.MEGLeadFieldModel(3, 2, gain, sensors=["M1", "M2"]).sensors == ("M1", "M2")
    assert brainmass.EEGLeadFieldModel(3, 2, gain).sensors is None
    for names in (["Fz"], ["Fz", "Fz"], "Fz"):
        with pytest.raises(ValueError, match="`sensors` of EEGLeadFieldModel must be 2 names that differ, but are"):
            brainmass.EEGLeadFieldModel(3, 2, gain, sensors=names)
    with pytest.raises(ValueError, match="`sensors` of Result must name, .*'v' has shape .3,. there and 1 names"):
        Result({"v": VALUES}, {"v": TIMES}, dt=1 * u.ms, duration=10 * u.ms, sensors={"v": ["a"]})


# --- sources on a surface ---------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def on_surface():
    """Eight dipoles on each of two spheres, with normals that point outwards, as vertices of a cortex have them."""
    montage = mne.channels.make_standard_montage("biosemi16")
    info = mne.create_info(montage.ch_names, 100.0, "eeg")
    info.set_montage(montage)
    sphere = mne.make_sphere_model((0.0, 0.0, 0.04), 0.095, info, verbose="error")
    rng = np.random.default_rng(0)
    spaces = []
    for side, kind in ((-1, 101), (1, 102)):  # left and right hemisphere, by FIFF's constants
        normals = rng.normal(size=(12, 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        used = np.arange(1, 9)  # not all vertices carry a dipole
        space = {
            "id": kind, "type": "surf", "rr": 0.02 * normals + [side * 0.03, 0.0, 0.06], "nn": normals, "np": 12,
            "vertno": used, "nuse": 8, "inuse": np.isin(np.arange(12), used).astype(int), "coord_frame": 4, "ntri": 0,
            "tris": np.zeros((0, 3), int), "nuse_tri": 0, "use_tris": np.zeros((0, 3), int), "nearest": None,
            "nearest_dist": None, "pinfo": None, "patch_inds": None, "dist": None, "dist_limit": None,
            "subject_his_id": "x",
        }  # fmt: skip
        spaces.append(space)
    sources = mne.SourceSpaces(spaces)
    kwargs = {"eeg": True, "meg": False, "mindist": 0, "verbose": "error"}
    return mne.make_forward_solution(info, None, sources, sphere, **kwargs)


def test_sources_on_a_surface_point_along_its_normals(on_surface):
    """Against MNE's own conversion to fixed orientations."""
    fixed = mne.convert_forward_solution(on_surface, surf_ori=True, force_fixed=True, use_cps=False, verbose="error")
    turned = mne.convert_forward_solution(on_surface, surf_ori=True, use_cps=False, verbose="error")
    expected = fixed["sol"]["data"].T
    assert expected.shape == (16, 16)
    si = u.volt / (u.amp * u.meter)
    for given in (on_surface, fixed, turned):
        eeg = brainmass.EEGLeadFieldModel.from_mne(given)
        np.testing.assert_allclose(
            eeg.L.value().to_decimal(si), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()
        )


def test_labels_of_a_cortex_are_the_regions(on_surface):
    fixed = mne.convert_forward_solution(on_surface, surf_ori=True, force_fixed=True, use_cps=False, verbose="error")
    gain = fixed["sol"]["data"].T
    labels = [
        mne.Label([1, 2, 3, 11], hemi="lh", name="a-lh", subject="x"),  # vertex 11 carries no dipole
        mne.Label([4, 5, 6, 7, 8], hemi="lh", name="b-lh", subject="x"),
        mne.Label([2, 8], hemi="rh", name="a-rh", subject="x"),
    ]
    eeg = brainmass.EEGLeadFieldModel.from_mne(on_surface, parcels=labels)
    expected = np.stack([gain[:3].mean(0), gain[3:8].mean(0), gain[[9, 15]].mean(0)])
    si = u.volt / (u.amp * u.meter)
    found = eeg.L.value().to_decimal(si)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    with pytest.raises(ValueError, match="none for region 0"):
        brainmass.EEGLeadFieldModel.from_mne(on_surface, parcels=[mne.Label([11], hemi="lh", subject="x")])
