"""Data sets: the registry, and facts about the empirical data."""

import brainunit as u
import numpy as np
import pytest

from brainmass import datasets
from brainmass.connectome.dense import Connectome
from brainmass.datasets import delayed_match_task, hcp, registry

N = 100


@pytest.fixture(scope="module")
def data():
    return datasets.load_dataset("hcp_schaefer100")


@pytest.fixture
def entries(monkeypatch):
    """A registry that forgets what the test adds."""
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))


def off_diagonal(matrix):
    return matrix[~np.eye(len(matrix), dtype=bool)]


def test_there_is_one_connectome_class(data):
    assert datasets.Connectome is Connectome
    assert type(data.connectome) is Connectome


def test_connectome_facts(data):
    weights, lengths = data.connectome.weights, data.connectome.lengths
    assert weights.shape == (N, N) and data.connectome.name == "hcp_schaefer100"
    assert lengths.unit == u.mm
    for matrix in (weights, lengths.mantissa):
        np.testing.assert_array_equal(matrix, matrix.T)
        assert not np.diag(matrix).any()
        assert matrix.min() == 0
    np.testing.assert_array_equal(weights > 0, lengths.mantissa > 0)
    assert (weights > 0).sum() == 9184


def test_lengths_are_of_a_human_brain(data):
    lengths = data.connectome.lengths.to_decimal(u.mm)
    connected = lengths[lengths > 0]
    assert 10 < connected.min() and connected.max() < 300
    assert lengths[:50, 50:].mean() > lengths[:50, :50].mean()


def test_hemispheres_are_the_two_halves(data):
    weights = data.connectome.weights
    between = weights[:50, 50:].mean()
    assert min(weights[:50, :50].mean(), weights[50:, 50:].mean()) > 5 * between
    assert data.connectome.labels[0] == "LH 1" and data.connectome.labels[49] == "LH 50"
    assert data.connectome.labels[50] == "RH 1" and data.connectome.labels[99] == "RH 50"


def test_functional_facts(data):
    np.testing.assert_array_equal(data.fc, data.fc.T)
    np.testing.assert_array_equal(np.diag(data.fc), 1.0)
    assert -1 < off_diagonal(data.fc).min() and off_diagonal(data.fc).max() < 1
    assert np.linalg.eigvalsh(data.fc.astype(float)).min() > 0  # a correlation matrix
    assert data.fcd_tril.shape == (13677,)
    assert -1 < data.fcd_tril.min() and data.fcd_tril.max() < 1
    assert data.repetition_time == 0.72 * u.second


def test_structure_predicts_function(data):
    above = np.triu_indices(N, 1)
    assert np.corrcoef(data.connectome.weights[above], data.fc[above])[0, 1] > 0.2


def test_networks_are_ordered_within_each_hemisphere(data):
    assert set(data.yeo7) == set(range(7))
    for hemisphere in (data.yeo7[:50], data.yeo7[50:]):
        assert (np.diff(hemisphere) >= 0).all()
    same = data.yeo7[:, None] == data.yeo7[None, :]
    np.fill_diagonal(same, False)
    assert data.fc[same].mean() > data.fc[~same].mean() + 0.1


def test_maps_are_z_scored(data):
    assert set(data.maps) == {"myelinmap", "thickness", "gabaa", "nmda", "genepc1", "fcgradient01"}
    for values in data.maps.values():
        assert values.shape == (N,)
        np.testing.assert_allclose([values.mean(), values.std()], [0, 1], atol=1e-5)


def test_arrays_are_read_only(data):
    for array in (data.fc, data.fcd_tril, data.yeo7, *data.maps.values()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(AttributeError):
        data.fc = None


def test_provenance_is_printed(data):
    assert "Van Essen" in data.citation and "Saberi" in data.citation and "Schaefer" in data.citation
    assert "HCP Open Access" in data.licence and "706" in data.source
    for fact in (data.citation, data.licence, data.source, "0.72 s", repr(data.connectome)):
        assert fact in repr(data)


def test_licence_travels_with_the_data():
    folder = hcp.resources.files("brainmass.datasets").joinpath("data")
    assert "BSD 3-Clause" in folder.joinpath("LICENSE.cubnm").read_text()


def test_loader_is_called_at_load_and_not_before(entries):
    calls = []
    datasets.register_dataset("toy", lambda: calls.append(1) or "data")
    assert ("toy", "") in datasets.list_datasets() and not calls
    assert datasets.load_dataset("toy") == "data" and len(calls) == 1


def test_list_is_sorted(entries):
    datasets.register_dataset("zebra", dict, description="striped")
    datasets.register_dataset("ant", dict)
    found = datasets.list_datasets()
    assert found == sorted(found) and found[0][0] == "ant" and found[-1] == ("zebra", "striped")


def test_unknown_name_is_answered_with_the_nearest_and_all(entries):
    datasets.register_dataset("toy", dict, description="a toy")
    hint, names = r"Did you mean 'hcp_schaefer100'\?", r"HCP Young Adult.*'toy' \(a toy\)"
    with pytest.raises(ValueError, match=f"but is 'hcp_shaefer'. {hint}.*{names}.*Example: "):
        datasets.load_dataset("hcp_shaefer")
    with pytest.raises(ValueError, match="but is 'qqq'. Registered: "):
        datasets.load_dataset("qqq")


def test_registered_name_is_not_replaced_unasked(entries):
    datasets.register_dataset("toy", lambda: 1)
    with pytest.raises(ValueError, match="`name` of register_dataset .*'toy' is registered already"):
        datasets.register_dataset("toy", lambda: 2)
    assert datasets.load_dataset("toy") == 1
    datasets.register_dataset("toy", lambda: 2, overwrite=True)
    assert datasets.load_dataset("toy") == 2


@pytest.mark.parametrize(
    ("name", "loader", "message"),
    [
        ("", dict, "`name` .*nonempty string, but is ''"),
        (3, dict, "`name` .*nonempty string, but is 3"),
        ("toy", np.ones(2), "`loader` .*callable without arguments, but is ndarray"),
    ],
)
def test_register_refuses(entries, name, loader, message):
    with pytest.raises(TypeError, match=f"Argument {message}.*Example: "):
        datasets.register_dataset(name, loader)


# --- tasks ----------------------------------------------------------------------------------------------------------
def test_delayed_match_task():
    inputs, targets = delayed_match_task(301, seq_len=6, n_symbols=5, seed=2)
    assert inputs.shape == (301, 6, 5) and targets.shape == (301,)
    np.testing.assert_array_equal(inputs.sum(axis=2), np.tile([1, 0, 0, 0, 0, 1], (301, 1)))
    np.testing.assert_array_equal(targets, (inputs[:, 0] * inputs[:, -1]).sum(axis=1))
    assert targets.sum() == 150
    pairs = {(int(a.argmax()), int(b.argmax())) for a, b in zip(inputs[:, 0], inputs[:, -1], strict=True)}
    assert len(pairs) == 25
    again, other = (delayed_match_task(301, seq_len=6, n_symbols=5, seed=s)[0] for s in (2, 3))
    np.testing.assert_array_equal(again, inputs)
    assert not np.array_equal(other, inputs)
    assert [x.shape for x in delayed_match_task()] == [(128, 10, 4), (128,)]


@pytest.mark.parametrize("wrong", [{"n_samples": 0}, {"seq_len": 1}, {"n_symbols": 1.5}, {"n_symbols": True}])
def test_delayed_match_task_refuses(wrong):
    with pytest.raises(
        ValueError, match=f"`{next(iter(wrong))}` of delayed_match_task must be (a positive int|an int of at least)"
    ):
        delayed_match_task(**wrong)
