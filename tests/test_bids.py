"""Folders of BIDS derivatives: recordings by subject and session, connectomes, and what leaves them open."""

import json

import brainunit as u
import nibabel
import numpy as np
import pandas as pd
import pytest
from nibabel.cifti2 import BrainModelAxis, ParcelsAxis, SeriesAxis

from brainmass.connectome import Connectome
from brainmass.datasets import from_bold, read_bids, read_connectivity, split

NAMES = ["V1", "V2", "MT"]
OTHER = ["MT", "V1", "V2"]


def series(seed):
    return np.random.default_rng(seed).normal(size=(60, 3))


def write(folder, name, values, columns=NAMES, **style):
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(values, columns=columns).to_csv(folder / name, sep="\t", index=False, na_rep="n/a", **style)


def weights(seed):
    return np.random.default_rng(seed).uniform(1, 2, (3, 3)) * (1 - np.eye(3))


def write_matrix(folder, name, matrix):
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / name, matrix, delimiter="\t")


@pytest.fixture
def xcpd(tmp_path):
    """As XCP-D writes it: two subjects of two sessions, the second with its regions in another order."""
    root = tmp_path / "xcp_d"
    for i, sub in enumerate(("01", "02")):
        for j in (1, 2):
            func = root / f"sub-{sub}" / f"ses-{j}" / "func"
            stem = f"sub-{sub}_ses-{j}_task-rest_space-MNI_seg-Small"
            write(func, f"{stem}_stat-mean_timeseries.tsv", series(10 * i + j), [NAMES, OTHER][i])
            write(func, f"{stem}_stat-alff_bold.tsv", series(99)[:1])
            write(func, f"sub-{sub}_ses-{j}_task-rest_motion.tsv", series(99))
            relmat = pd.DataFrame(np.corrcoef(series(1), rowvar=False), NAMES, NAMES)
            relmat.to_csv(func / f"{stem}_stat-pearsoncorrelation_relmat.tsv", sep="\t", index_label="Node")
    (root / "dataset_description.json").write_text("{}")
    (root / "task-rest_bold.json").write_text(json.dumps({"RepetitionTime": 0.8}))
    return root


@pytest.fixture
def bep034(tmp_path):
    """Weights and distances without names, and the names of the nodes for all."""
    root = tmp_path / "tvb"
    for i, sub in enumerate(("01", "02")):
        write_matrix(root / f"sub-{sub}" / "net", f"sub-{sub}_desc-tracts_weights.tsv", weights(i))
        write_matrix(root / f"sub-{sub}" / "net", f"sub-{sub}_desc-tracts_distances.tsv", 50 * weights(i))
    (root / "coord").mkdir()
    (root / "coord" / "desc-tracts_nodes.tsv").write_text("\n".join(NAMES) + "\n")
    return root


def test_recordings_by_subject_and_session(xcpd):
    cohort = read_bids(xcpd)
    assert cohort.names == ("01", "02") and list(cohort["02"].sessions) == ["ses-1_task-rest", "ses-2_task-rest"]
    assert cohort.labels == tuple(NAMES) and cohort.name == "xcp_d"
    first = cohort["01"].sessions["ses-2_task-rest"]
    assert first.repetition_time == 0.8 * u.second
    np.testing.assert_allclose(first.signal, from_bold(series(2), 0.8 * u.second).signal, atol=1e-12)
    turned = from_bold(series(11), 0.8 * u.second).signal[:, [1, 2, 0]]
    np.testing.assert_allclose(cohort["02"].sessions["ses-1_task-rest"].signal, turned, atol=1e-12)


def test_from_folders_to_train_and_test(xcpd, bep034):
    cohort = read_bids(xcpd, connectomes=bep034, bandpass=(0.01 * u.Hz, 0.1 * u.Hz), detrend=False)
    train, test = split(cohort, 1, seed=0)
    assert len(train) == len(test) == 1 and train.connectome.labels == tuple(NAMES)
    np.testing.assert_allclose(cohort["02"].connectome.weights, weights(1))
    np.testing.assert_allclose(cohort["02"].connectome.lengths.to_decimal(u.mm), 50 * weights(1))


def test_several_atlases_are_asked_for(xcpd):
    func = xcpd / "sub-01" / "ses-1" / "func"
    write(func, "sub-01_ses-1_task-rest_space-MNI_seg-Large_stat-mean_timeseries.tsv", series(5))
    with pytest.raises(ValueError, match=r"one file for 'ses-1_task-rest' of subject '01'.*choose=\{'seg': 'Large'}"):
        read_bids(xcpd)
    assert len(read_bids(xcpd, choose={"seg": "Small"})) == 2
    assert read_bids(xcpd, choose={"seg": "Large"}).names == ("01",)
    with pytest.raises(ValueError, match="`choose` .* leaves none of sub-01_ses-1"):
        read_bids(xcpd, choose={"seg": "Huge"})


def test_what_is_missing_is_told_with_the_file(xcpd):
    (xcpd / "task-rest_bold.json").unlink()
    with pytest.raises(ValueError, match="sub-01_ses-1.*`tr` of from_bold"):
        read_bids(xcpd)
    values = series(0)
    values[:, 1] = np.nan
    name = "sub-02_ses-1_task-rest_space-MNI_seg-Small_stat-mean_timeseries.tsv"
    write(xcpd / "sub-02" / "ses-1" / "func", name, values)
    with pytest.raises(ValueError, match="sub-02_ses-1.* has NaN or infinity in region 'V2'"):
        read_bids(xcpd, 0.8 * u.second)
    (xcpd / "anat").mkdir()
    with pytest.raises(ValueError, match="must hold recordings"):
        read_bids(xcpd / "anat")
    with pytest.raises(FileNotFoundError, match="`folder` .* must be a folder"):
        read_bids(xcpd / "nowhere")


def test_confounds_of_the_same_scan(tmp_path):
    func = tmp_path / "sub-01" / "func"
    x, confounds = series(0), series(1)
    write(func, "sub-01_task-rest_timeseries.tsv", x)
    confounds[0, 1] = np.nan  # a derivative
    write(func, "sub-01_task-rest_desc-confounds_timeseries.tsv", confounds, ["csf", "csf_derivative1", "white_matter"])
    cohort = read_bids(tmp_path, 2 * u.second, confounds=["csf", "csf_derivative1"])
    chosen = confounds[:, :2].copy()
    chosen[0, 1] = chosen[1:, 1].mean()
    np.testing.assert_allclose(cohort[0].bold.signal, from_bold(x, 2 * u.second, confounds=chosen).signal, atol=1e-9)
    with pytest.raises(ValueError, match="`confounds` .* has no 'rot_x': it has csf, csf_derivative1"):
        read_bids(tmp_path, 2 * u.second, confounds=["rot_x"])
    (func / "sub-01_task-rest_desc-confounds_timeseries.tsv").unlink()
    with pytest.raises(ValueError, match="`confounds` .* there is no"):
        read_bids(tmp_path, 2 * u.second, confounds=["csf"])


def test_cifti_where_there_is_no_table(tmp_path):
    func = tmp_path / "sub-01" / "func"
    func.mkdir(parents=True)
    parcels = [(n, BrainModelAxis.from_surface([i], 3, "CIFTI_STRUCTURE_CORTEX_LEFT")) for i, n in enumerate(NAMES)]
    axes = SeriesAxis(0, 1.5, 60), ParcelsAxis.from_brain_models(parcels)
    image = nibabel.Cifti2Image(series(0).astype(np.float32), nibabel.cifti2.Cifti2Header.from_axes(axes))
    image.to_filename(func / "sub-01_task-rest_space-fsLR_den-91k_timeseries.ptseries.nii")
    cohort = read_bids(tmp_path, detrend=False)
    np.testing.assert_allclose(cohort[0].bold.signal, series(0), rtol=1e-5, atol=1e-6)
    assert cohort.labels == tuple(NAMES) and cohort[0].bold.repetition_time == 1.5 * u.second
    write(func, "sub-01_task-rest_timeseries.tsv", series(1))
    np.testing.assert_allclose(read_bids(tmp_path, 1.5 * u.second, detrend=False)[0].bold.signal, series(1))


def test_bep034(bep034):
    found = read_connectivity(bep034)
    assert set(found) == {"01", "02"}
    assert found["01"].labels == tuple(NAMES) and found["01"].name == "01"
    np.testing.assert_allclose(found["01"].weights, weights(0))
    np.testing.assert_allclose(found["01"].lengths.to_decimal(u.mm), 50 * weights(0))


def test_group_folder_of_bep034(tmp_path, xcpd):
    write_matrix(tmp_path / "net", "weights.tsv", weights(0))
    write_matrix(tmp_path / "net", "distances.tsv", 50 * weights(0))
    (tmp_path / "coord").mkdir()
    (tmp_path / "coord" / "labels.tsv").write_text("\n".join(NAMES) + "\n")
    found = read_connectivity(tmp_path / "net")
    assert set(found) == {"group"} and found["group"].labels == tuple(NAMES)
    assert found["group"].lengths[0, 1] == 50 * weights(0)[0, 1] * u.mm
    both = read_bids(xcpd, connectomes=tmp_path / "net")
    np.testing.assert_allclose(both["02"].connectome.weights, weights(0))


def test_bep017(tmp_path):
    dwi = tmp_path / "sub-01" / "dwi"
    dwi.mkdir(parents=True)
    for meas, factor in {"streamlinecount": 1, "sift2": 2, "meanlength": 50}.items():
        table = pd.DataFrame(factor * weights(0), NAMES, NAMES)
        table.to_csv(dwi / f"sub-01_seg-Small_meas-{meas}_relmat.dense.tsv", sep="\t")
    with pytest.raises(ValueError, match=r"leave one file for subject '01'.*choose=\{'meas': 'sift2'}"):
        read_connectivity(tmp_path)
    found = read_connectivity(tmp_path, choose={"meas": "sift2"})["01"]
    np.testing.assert_allclose(found.weights, 2 * weights(0))
    np.testing.assert_allclose(found.lengths.to_decimal(u.mm), 50 * weights(0))
    assert found.labels == tuple(NAMES)
    with pytest.raises(ValueError, match="`choose` .* leaves none of"):
        read_connectivity(tmp_path, choose={"meas": "fa"})


def test_connectomes_of_all_and_of_nobody(xcpd):
    one = Connectome(weights(0), labels=NAMES)
    assert all(subject.connectome.labels == one.labels for subject in read_bids(xcpd, connectomes=one))
    by_name = read_bids(xcpd, connectomes={"sub-01": one, "group": Connectome(weights(1), labels=OTHER)})
    np.testing.assert_array_equal(by_name["02"].connectome.weights, weights(1)[np.ix_([1, 2, 0], [1, 2, 0])])
    with pytest.raises(ValueError, match="`connectomes` .* but '02' has none"):
        read_bids(xcpd, connectomes={"01": one})
    with pytest.raises(ValueError, match="must hold connectomes"):
        read_bids(xcpd, connectomes=xcpd)  # functional connectivity is none
    write_matrix(xcpd / "sub-01" / "ses-1" / "func", "sub-01_ses-1_task-rest_relmat.tsv", weights(0))
    with pytest.raises(ValueError, match="must hold connectomes"):
        read_connectivity(xcpd)  # what lies with functions is one, even if its name does not say it
    with pytest.raises(ValueError, match="'ses-1_task-rest' of '01' has 'MT'"):
        read_bids(xcpd, connectomes=Connectome(weights(0), labels=["V1", "V2", "M1"]))
