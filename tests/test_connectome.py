"""Connectome: checked at construction, immutable, normalised, turned into delays."""

import brainunit as u
import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from brainmass.network.connectome import Connectome

W = np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 4.0], [0.0, 3.0, 0.0]])
L = np.array([[0.0, 10.0, 0.0], [10.0, 0.0, 25.0], [0.0, 25.0, 0.0]]) * u.mm
SPEED = 5.0 * u.meter / u.second

strengths = arrays(float, (4, 4), elements=st.floats(0.0, 1e3).map(lambda x: round(x, 6)))


def with_entry(array, value):
    array = np.array(array)
    array[1, 2] = value
    return array


def test_keeps_what_it_is_given():
    conn = Connectome(W, L, ["a", "b", "c"], "toy")
    np.testing.assert_array_equal(conn.weights, W)
    np.testing.assert_array_equal(conn.lengths.to_decimal(u.mm), L.mantissa)
    assert (conn.labels, conn.name, conn.n_regions) == (("a", "b", "c"), "toy", 3)


def test_default_labels_and_lengths():
    conn = Connectome(W)
    assert conn.labels == ("region 0", "region 1", "region 2")
    assert conn.lengths is None


@pytest.mark.parametrize("weights", [W.tolist(), W.astype(np.float32), W.astype(int), jax.numpy.asarray(W)])
def test_any_array_becomes_float64(weights):
    assert Connectome(weights).weights.dtype == np.float64
    np.testing.assert_array_equal(Connectome(weights).weights, W)


def test_negative_and_directed_weights_are_allowed():
    np.testing.assert_array_equal(Connectome(-np.triu(W)).weights, -np.triu(W))


def test_is_immutable_and_independent_of_the_source():
    source, lengths = W.copy(), np.array(L.mantissa)
    conn = Connectome(source, lengths * u.mm)
    source[0, 1] = lengths[0, 1] = 99.0
    assert (conn.weights[0, 1], conn.lengths.mantissa[0, 1]) == (2.0, 10.0)
    with pytest.raises(ValueError, match="read-only"):
        conn.weights[0, 1] = 0.0
    with pytest.raises(ValueError, match="read-only"):
        conn.lengths.mantissa[0, 1] = 0.0
    with pytest.raises(AttributeError):
        conn.name = "other"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"weights": np.ones((2, 3))}, ValueError, r"square matrix \(N, N\), but are of shape \(2, 3\)"),
        ({"weights": np.ones(3)}, ValueError, r"of shape \(3,\)"),
        ({"weights": np.ones((0, 0))}, ValueError, r"of shape \(0, 0\)"),
        ({"weights": with_entry(W, np.nan)}, ValueError, r"finite, but weights\[1, 2\] is nan"),
        ({"weights": with_entry(W, -np.inf)}, ValueError, r"weights\[1, 2\] is -inf"),
        ({"weights": W * u.mV}, ValueError, "plain numbers, but are in mV"),
        ({"weights": W + 1j}, TypeError, "real numbers"),
        ({"weights": [["a", "b"], ["c", "d"]]}, TypeError, "real numbers, but are of type list"),
        ({"lengths": L.mantissa}, ValueError, "unit of length, but are plain numbers"),
        ({"lengths": L.mantissa * u.ms}, ValueError, "unit of length, but are in ms"),
        ({"lengths": np.ones((2, 2)) * u.mm}, ValueError, r"\(3, 3\), but are of shape \(2, 2\)"),
        (
            {"lengths": with_entry(L.mantissa, -1.0) * u.mm},
            ValueError,
            r"lengths\[1, 2\] is -1",
        ),
        ({"lengths": with_entry(L.mantissa, np.inf) * u.mm}, ValueError, r"lengths\[1, 2\] is inf"),
        ({"labels": ["a", "b"]}, ValueError, r"one per region \(3\), but are 2"),
        ({"labels": "abc"}, ValueError, r"one per region \(3\), but are 1"),
        ({"labels": ["a", "b", "a"]}, ValueError, "'a' is there twice"),
        ({"labels": ["a", "b", 3]}, TypeError, "strings, but one is 3"),
        ({"name": 7}, TypeError, "string, but is 7"),
    ],
)
def test_refuses(arguments, error, message):
    (argument,) = arguments
    with pytest.raises(error, match=f"Argument `{argument}` of Connectome .*{message}.*Example: "):
        Connectome(**{"weights": W, **arguments})


@given(strengths)
def test_normalize_by_max(weights):
    scaled = Connectome(weights).normalize("max").weights
    assert np.abs(scaled).max() == (1.0 if weights.any() else 0.0)
    np.testing.assert_allclose(scaled * weights.max(), weights, rtol=1e-14)


@given(strengths)
def test_normalize_by_row(weights):
    scaled = Connectome(weights).normalize("row").weights
    np.testing.assert_allclose(scaled.sum(axis=1), weights.any(axis=1), rtol=1e-12)
    np.testing.assert_allclose(scaled * weights.sum(axis=1)[:, None], weights, rtol=1e-12)


@given(arrays(float, (4, 4), elements=st.floats(1.0, 4.0)), st.floats(1e-3, 1e3))
def test_normalize_by_spectral_radius(weights, scale):
    scaled = Connectome(weights * scale).normalize("spectral").weights
    growth = np.linalg.matrix_power(scaled, 512) @ np.ones(4)  # of a positive matrix: its Perron vector
    np.testing.assert_allclose(scaled @ growth, growth, rtol=1e-10)
    np.testing.assert_allclose(scaled / scaled[0, 0], weights / weights[0, 0], rtol=1e-12)


def test_normalize_signed_weights():
    rotation = np.array([[0.0, -3.0], [3.0, 0.0]])  # eigenvalues ±3i
    np.testing.assert_allclose(Connectome(rotation).normalize("spectral").weights, rotation / 3, rtol=1e-14)
    inhibitory = Connectome([[0.0, -4.0], [1.0, 0.0]]).normalize("max").weights
    np.testing.assert_array_equal(inhibitory, [[0.0, -1.0], [0.25, 0.0]])


def test_rows_receive():
    into_second = Connectome([[0, 0], [4, 0]]).normalize("row").weights
    np.testing.assert_array_equal(into_second, [[0, 0], [1, 0]])
    uneven = Connectome([[0, 1, 3], [2, 0, 0], [0, 0, 0]]).normalize("row").weights
    np.testing.assert_array_equal(uneven, [[0, 0.25, 0.75], [1, 0, 0], [0, 0, 0]])


def test_zero_weights_stay_zero():
    for by in ("max", "row", "spectral"):
        assert not Connectome(np.zeros((2, 2))).normalize(by).weights.any()


@pytest.mark.parametrize(
    ("weights", "by", "message"),
    [
        (W, "rows", "one of 'max', 'row', 'spectral', but is 'rows'"),
        ([[0, 0], [1, -1]], "row", "into region 1 sum to 0"),
        ([[-2, 1], [1, 1]], "row", "into region 0 sum to -1"),
        (np.triu(np.ones((3, 3)), 1), "spectral", "no feedback loop"),
        ([[1, -1], [1, -1]], "spectral", "no feedback loop"),
    ],
)
def test_normalize_refuses(weights, by, message):
    with pytest.raises(ValueError, match=f"Argument `by` of Connectome .*{message}.*Example: "):
        Connectome(weights).normalize(by)


def test_new_weights_keep_the_rest():
    conn = Connectome(W, L, ["a", "b", "c"], "toy")
    for new in (conn.normalize("max"), conn.map_weights(np.sqrt)):
        assert (new.labels, new.name) == (conn.labels, conn.name)
        np.testing.assert_array_equal(new.lengths.mantissa, L.mantissa)
    np.testing.assert_array_equal(conn.map_weights(np.sqrt).weights, np.sqrt(W))
    np.testing.assert_array_equal(conn.weights, W)


def test_map_weights_refuses():
    with pytest.raises(ValueError, match=r"`f` .*keep the shape \(3, 3\), but .* of shape \(\)"):
        Connectome(W).map_weights(np.sum)
    with np.errstate(divide="ignore"), pytest.raises(ValueError, match=r"weights\[0, 0\] is -inf"):
        Connectome(W).map_weights(np.log)


@pytest.mark.parametrize("unit", [u.mm, u.cm, u.meter])
def test_delays(unit):
    lengths = L.to_decimal(unit) * unit
    for speed in (SPEED, 5.0 * u.mm / u.ms, 500.0 * u.cm / u.second):
        delays = Connectome(W, lengths).delays(speed)
        assert delays.unit == u.ms
        np.testing.assert_allclose(delays.mantissa, [[0, 2, 0], [2, 0, 5], [0, 5, 0]], rtol=1e-6)


def test_delays_at_a_speed_of_its_own_for_each_connection():
    speeds = np.full((3, 3), 5.0)
    speeds[1, 2] = 25.0
    delays = Connectome(W, L).delays(speeds * u.mm / u.ms).mantissa
    np.testing.assert_allclose(delays, [[0, 2, 0], [2, 0, 1], [0, 5, 0]], rtol=1e-12)


def test_delays_are_differentiable_in_the_speed():
    conn = Connectome(W, L)

    def total(speed):
        return conn.delays(speed * u.mm / u.ms).mantissa.sum()

    np.testing.assert_allclose(jax.jit(jax.grad(total))(5.0), -70.0 / 25.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("speed", "message"),
    [
        (5.0, "unit of speed, but is 5.0"),
        (5.0 * u.mm, "unit of speed, but is 5. mm"),
        (0.0 * u.mm / u.ms, "positive and finite, but is 0"),
        (-2.0 * u.mm / u.ms, "positive and finite, but is -2"),
        (np.nan * u.mm / u.ms, "positive and finite, but is nan"),
        (np.inf * u.mm / u.ms, "positive and finite, but is inf"),
        (np.ones(3) * u.mm / u.ms, r"scalar or of shape \(3, 3\), but is of shape \(3,\)"),
    ],
)
def test_delays_refuse(speed, message):
    with pytest.raises(ValueError, match=f"Argument `speed` of Connectome .*{message}.*Example: "):
        Connectome(W, L).delays(speed)


def test_delays_need_lengths():
    with pytest.raises(ValueError, match=r"'toy' must come from lengths, but.*lengths=L \* u\.mm"):
        Connectome(W, name="toy").delays(SPEED)


@pytest.mark.parametrize(
    ("conn", "text"),
    [
        (
            Connectome(W, L, name="toy"),
            "Connectome('toy': 3 regions, 4 connections (density 0.667), lengths 10 to 25 mm)",
        ),
        (
            Connectome([[2.0]]),
            "Connectome('connectome': 1 region, 0 connections (density 0), 1 self-connection, no lengths)",
        ),
        (
            Connectome(np.zeros((2, 2)), np.zeros((2, 2)) * u.cm),
            "Connectome('connectome': 2 regions, 0 connections (density 0), lengths in cm)",
        ),
    ],
)
def test_repr(conn, text):
    assert repr(conn) == text
