"""Recordings of BOLD: what nilearn and scipy make of them, files, and what is refused."""

import json

import brainunit as u
import nibabel
import nilearn.signal
import numpy as np
import pandas as pd
import pytest
import scipy.signal
from nibabel.cifti2 import BrainModelAxis, ParcelsAxis, SeriesAxis

from brainmass import objectives
from brainmass.datasets import from_bold

TR = 0.72 * u.second
BAND = (0.01 * u.Hz, 0.1 * u.Hz)
NAMES = ["V1", "V2", "MT", "M1"]


def walks(samples=300, regions=4, seed=0):
    return 1e4 + np.cumsum(np.random.default_rng(seed).normal(size=(samples, regions)), axis=0)


def test_cleaned_as_by_nilearn():
    x, confounds = walks(), walks(seed=1)[:, :2]
    bold = from_bold(x, TR, bandpass=BAND, confounds=confounds)
    expected = nilearn.signal.clean(x, standardize=None, confounds=confounds, low_pass=0.1, high_pass=0.01, t_r=0.72)
    np.testing.assert_array_equal(bold.signal, expected)
    assert (
        bold.band == (0.01, 0.1)
        and bold.repetition_time == TR
        and "300 samples of 0.72 s, 4 regions, 0.01 to 0.1 Hz" in repr(bold)
    )


def test_the_filter_of_simulated_signals_is_that_of_data():
    x = walks()
    data = from_bold(x, TR, bandpass=BAND).signal
    simulated = objectives.bandpass(scipy.signal.detrend(x, axis=0), BAND, TR)
    np.testing.assert_allclose(simulated, data, atol=1e-4 * data.std())


@pytest.mark.slow
def test_statistics():
    x = walks(400)
    bold = from_bold(x, TR, detrend=False)
    np.testing.assert_array_equal(bold.signal, x)
    np.testing.assert_allclose(bold.fc, np.corrcoef(x, rowvar=False), rtol=1e-12)
    assert (np.diag(bold.fc) == 1).all() and (bold.fc == bold.fc.T).all()
    above = np.triu_indices(4, 1)
    windows = [np.corrcoef(x[i : i + 50], rowvar=False)[above] for i in range(0, 351, 10)]
    np.testing.assert_allclose(bold.fcd(50, 10), np.corrcoef(windows), atol=1e-3)
    frequencies, density = bold.spectrum(100)
    f, p = scipy.signal.welch(x, 1 / 0.72, nperseg=100, axis=0)
    np.testing.assert_allclose(frequencies.to_decimal(u.Hz), f, rtol=1e-5)
    np.testing.assert_allclose(density.mantissa, p, rtol=1e-3, atol=1e-3 * p.max())
    narrow = from_bold(x, TR, bandpass=(0.04 * u.Hz, 0.07 * u.Hz))
    phases = np.angle(scipy.signal.hilbert(narrow.signal - narrow.signal.mean(axis=0), axis=0))
    np.testing.assert_allclose(np.exp(1j * narrow.phases), np.exp(1j * phases), atol=1e-3)
    with pytest.raises(ValueError, match="`bandpass` .* must be given for phases"):
        bold.phases  # noqa: B018
    for array in (bold.signal, bold.fc):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_tables_and_regions_by_name():
    x = walks()
    bold = from_bold(pd.DataFrame(x, columns=NAMES), TR, detrend=False)
    assert bold.labels == tuple(NAMES)
    assert from_bold(x, TR, detrend=False).labels is None
    np.testing.assert_array_equal(bold.of_regions(["MT", "V1"]).signal, x[:, [2, 0]])
    with pytest.raises(ValueError, match="must have the region 'V9'"):
        bold.of_regions(["V9"])
    with pytest.raises(ValueError, match="'V1' is there twice"):
        bold.of_regions(["V1", "V1"])


def test_repetition_time_from_the_description_beside_a_table(tmp_path):
    table = tmp_path / "sub-01_task-rest_seg-A_timeseries.tsv"
    x = walks()
    pd.DataFrame(x, columns=NAMES).to_csv(table, sep="\t", index=False)
    with pytest.raises(ValueError, match="`tr` of from_bold .* must be given where no file says it"):
        from_bold(table)
    described = tmp_path / "task-rest_bold.json"  # of all scans of this task
    described.write_text(json.dumps({"RepetitionTime": 2.0}))
    bold = from_bold(table, detrend=False)
    np.testing.assert_allclose(bold.signal, x)
    assert bold.labels == tuple(NAMES) and bold.repetition_time == 2.0 * u.second
    (tmp_path / "sub-01_task-rest_seg-A_timeseries.json").write_text(json.dumps({"SamplingFrequency": 2.0}))
    assert from_bold(table).repetition_time == 0.5 * u.second
    with pytest.raises(ValueError, match="`tr` .* must be that of the file, 0.5 s, but is 3 s"):
        from_bold(table, 3 * u.second)
    described.write_text(json.dumps({"RepetitionTime": 2.0}))
    (tmp_path / "sub-01_task-rest_seg-A_timeseries.json").write_text("{")
    with pytest.raises(ValueError, match="must be JSON that says a repetition time"):
        from_bold(table)


def test_description_of_another_task_says_nothing(tmp_path):
    pd.DataFrame(walks(), columns=NAMES).to_csv(tmp_path / "sub-01_task-rest_timeseries.tsv", sep="\t", index=False)
    (tmp_path / "task-nback_bold.json").write_text(json.dumps({"RepetitionTime": 2.0}))
    with pytest.raises(ValueError, match="`tr` of from_bold"):
        from_bold(tmp_path / "sub-01_task-rest_timeseries.tsv")


def test_cifti_says_names_and_repetition_time(tmp_path):
    x, cortex = walks(), "CIFTI_STRUCTURE_CORTEX_LEFT"
    parcels = [(name, BrainModelAxis.from_surface([i], 4, cortex)) for i, name in enumerate(NAMES)]
    axes = SeriesAxis(0, 0.72, 300), ParcelsAxis.from_brain_models(parcels)
    path = tmp_path / "sub-01_task-rest.ptseries.nii"
    nibabel.Cifti2Image(x.astype(np.float32), nibabel.cifti2.Cifti2Header.from_axes(axes)).to_filename(path)
    bold = from_bold(path, detrend=False)
    np.testing.assert_allclose(bold.signal, x, rtol=1e-6)
    assert bold.labels == tuple(NAMES) and bold.repetition_time == TR


def with_value(value, row=slice(None)):
    x = walks()
    x[row, 2] = value
    return pd.DataFrame(x, columns=NAMES)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bold": with_value(np.nan, 3)}, "`bold` .* must be finite, but has NaN or infinity in region 'MT'"),
        ({"bold": with_value(np.inf, 3).to_numpy()}, "`bold` .* NaN or infinity in region 2"),
        ({"bold": with_value(7.0)}, "`bold` .* must vary in each region, but is constant in region 'MT'"),
        ({"bold": with_value(np.arange(300.0))}, "nothing is left of region 'MT'"),
        ({"bold": walks()[:, 0]}, "`bold` .* of shape \\(time, region\\)"),
        ({"bold": walks(30)}, "`bold` .* must have 34 samples or more"),
        ({"bold": "missing.tsv"}, "`bold` .* must be a file"),
        ({"tr": None}, "`tr` .* must be given"),
        ({"tr": 0.72}, "`tr` .* must have unit of time"),
        ({"tr": 0 * u.second}, "`tr` .* must be one time > 0"),
        ({"bandpass": (0.01 * u.Hz, 0.8 * u.Hz)}, "`bandpass` .* half the sampling rate, 0.694444 Hz"),
        ({"bandpass": (0.01, 0.1)}, "`bandpass` .* two frequencies"),
        ({"labels": NAMES[:3]}, "`labels` .* one per region \\(4\\), but are 3"),
        ({"bold": walks(4, 300), "labels": NAMES}, "Is it \\(region, time\\)\\? Then give bold.T"),
        ({"confounds": walks(299)}, "`confounds` .* a row for each of the 300 samples, but has 299"),
        ({"confounds": with_value(np.nan, 0)}, "`confounds` .* must be finite"),
    ],
)
def test_refuses(given, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        from_bold(**{"bold": walks(), "tr": TR, "bandpass": BAND} | given)
