"""Connectome: checked at construction, immutable, normalised, turned into delays."""

import re

import brainunit as u
import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from brainmass.connectome.dense import Connectome
from brainmass.datasets import load_dataset

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
        ({"labels": ["a", "b", None]}, TypeError, "texts or numbers, one per region, but are .*None"),
        ({"name": 7}, TypeError, "string, but is 7"),
    ],
)
def test_refuses(arguments, error, message):
    (argument,) = arguments
    with pytest.raises(error, match=f"Argument `{argument}` of Connectome .*{message}.*Example: "):
        Connectome(**{"weights": W, **arguments})


@pytest.mark.slow
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
        (W, "rows", "'max', 'row' or 'spectral', but is 'rows'"),
        ([[0, 0], [1, -1]], "row", "into region 1 sum to 0"),
        ([[-2, 1], [1, 1]], "row", "into region 0 sum to -1"),
        (np.triu(np.ones((3, 3)), 1), "spectral", "no feedback loop"),
        ([[1, -1], [1, -1]], "spectral", "no feedback loop"),
    ],
)
def test_normalize_refuses(weights, by, message):
    with pytest.raises(ValueError, match=f"Argument `by` of Connectome .*{message}.*(Example: |Did you mean)"):
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


# --- regions: sides and places, subnetworks, order --------------------------------------------------------------------
NAMES = ["lV1", "rV1", "lMT", "rMT"]
RNG = np.random.default_rng(3)
W4, L4 = RNG.random((4, 4)), RNG.random((4, 4)) * 100
XYZ = RNG.normal(size=(4, 3))
SIDES = ("left", "right", "left", "right")


@pytest.fixture
def full():
    return Connectome(W4, L4 * u.mm, NAMES, "four", SIDES, XYZ * u.cm)


def agree(conn, indices):
    block = np.ix_(indices, indices)
    np.testing.assert_array_equal(conn.weights, W4[block])
    np.testing.assert_array_equal(conn.lengths.to_decimal(u.mm), L4[block])
    np.testing.assert_array_equal(conn.centres.to_decimal(u.cm), XYZ[indices])
    assert conn.labels == tuple(NAMES[i] for i in indices)
    assert conn.hemispheres == tuple(SIDES[i] for i in indices)
    assert conn.name == "four"


def test_sides_and_places_are_kept(full):
    agree(full, [0, 1, 2, 3])
    with pytest.raises(ValueError, match="read-only"):
        full.centres.mantissa[0, 0] = 1.0
    assert full.normalize("max").hemispheres == SIDES
    np.testing.assert_array_equal(full.map_weights(np.sqrt).centres.mantissa, XYZ)
    assert Connectome(W4).hemispheres is None and Connectome(W4).centres is None


@pytest.mark.parametrize(
    "sides", [[False, True, False, True], [0, 1, 0, 1], ["L", "r", "lh", "RIGHT"], np.array(SIDES)]
)
def test_spellings_of_sides(sides):
    assert Connectome(W4, hemispheres=sides).hemispheres == SIDES


@pytest.mark.parametrize(
    ("regions", "indices"),
    [
        ([2, 0], [2, 0]),
        (np.array([2, 0]), [2, 0]),
        (range(1, 4), [1, 2, 3]),
        ([-1], [3]),
        (["rMT", "lV1"], [3, 0]),
        (("lMT", 1), [2, 1]),
        ("rV1", [1]),
        ([True, False, False, True], [0, 3]),
        (np.array([False, True, True, False]), [1, 2]),
    ],
)
def test_subnetwork(full, regions, indices):
    agree(full.subnetwork(regions), indices)


def test_hemisphere(full):
    agree(full.hemisphere("left"), [0, 2])
    agree(full.hemisphere("right"), [1, 3])


@pytest.mark.parametrize(
    "labels",
    [
        NAMES,
        ["lh_a", "rh_a", "lh_b", "rh_b"],
        ["LH 1", "RH 1", "LH 2", "RH 2"],
        ["ctx-lh-cuneus", "ctx-rh-cuneus", "Left-Thalamus", "Right-Thalamus"],
        ["7Networks_LH_Vis_1", "7Networks_RH_Vis_1", "7Networks_LH_Vis_2", "7Networks_RH_Vis_2"],
        ["Precentral_L", "Precentral_R", "Cuneus_L", "Cuneus_R"],
    ],
)
def test_sides_are_read_from_labels(labels):
    conn = Connectome(W4, labels=labels)
    np.testing.assert_array_equal(conn.hemisphere("right").weights, W4[1::2, 1::2])
    assert conn.hemispheres is None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "'four', but its sides are not known"),
        (["lh_a", "rh_a", "lh_b", "stem"], "its sides are not known"),
        (["left", "lingual", "right", "rolandic"], "its sides are not known"),
        (["L_a", "L_b", "L_c", "L_d"], "its sides are not known"),
    ],
)
def test_sides_are_not_guessed_where_a_label_has_none(labels, message):
    with pytest.raises(ValueError, match=f"Argument `side` of Connectome .*{message}.*hemispheres=\\["):
        Connectome(W4, labels=labels, name="four").hemisphere("left")


def test_hemisphere_that_is_not_there():
    with pytest.raises(ValueError, match="it has only left"):
        Connectome(W4, hemispheres=["left"] * 4).hemisphere("right")


@given(st.permutations(range(4)))
def test_permute(order):
    full = Connectome(W4, L4 * u.mm, NAMES, "four", SIDES, XYZ * u.cm)
    permuted = full.permute(order)
    agree(permuted, list(order))
    agree(permuted.permute(np.argsort(order)), [0, 1, 2, 3])
    matrix = np.eye(4)[list(order)]
    np.testing.assert_array_equal(permuted.weights, matrix @ W4 @ matrix.T)


def test_sorted_by_label(full):
    agree(full.sorted_by_label(), [2, 0, 3, 1])


def test_transpose(full):
    turned = full.transpose()
    np.testing.assert_array_equal(turned.weights, W4.T)
    np.testing.assert_array_equal(turned.lengths.mantissa, L4.T)
    agree(turned.transpose(), [0, 1, 2, 3])
    assert Connectome(W).transpose().lengths is None


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda c: c.subnetwork([0, 4]), ValueError, "`regions` .* between 0 and 3, but one is 4"),
        (lambda c: c.subnetwork(["lv1"]), ValueError, "`regions` .*'lv1' is none .*mean 'lV1'"),
        (lambda c: c.subnetwork([0, "lV1"]), ValueError, "`regions` .*'lV1' is there twice"),
        (lambda c: c.subnetwork([]), ValueError, "`regions` .*name none"),
        (lambda c: c.subnetwork([True, False]), ValueError, r"`regions` .*one entry per region \(4\), but has 2"),
        (lambda c: c.subnetwork([1.5]), TypeError, "`regions` .*one is 1.5"),
        (lambda c: c.subnetwork(2), TypeError, "`regions` .*sequence, but is 2"),
        (lambda c: c.permute([0, 1, 3]), ValueError, "`order` .*all 4 regions, but 'lMT' is missing"),
        (lambda c: c.permute([0, 1, 1, 3]), ValueError, "`order` .*'rV1' is there twice"),
        (lambda c: c.hemisphere("top"), ValueError, "`side` .*'left', 'right' or 'midline', but is 'top'"),
        (lambda c: Connectome(W4, hemispheres=SIDES[:3]), ValueError, r"`hemispheres` .*\(4\), but are 3"),
        (lambda c: Connectome(W4, hemispheres=[0, 1, 2, 0]), ValueError, "`hemispheres` .*but is 2"),
        (lambda c: Connectome(W4, hemispheres=[[0, 1], [0, 1]]), ValueError, r"`hemispheres` .*but is \[0, 1\]"),
        (lambda c: Connectome(W4, centres=XYZ), ValueError, "`centres` .*unit of length, but are plain numbers"),
        (lambda c: Connectome(W4, centres=XYZ[:3] * u.mm), ValueError, r"`centres` .*\(4, 3\).* of shape \(3, 3\)"),
        (lambda c: Connectome(W4, centres=XYZ * np.nan * u.mm), ValueError, r"`centres` .*centres\[0, 0\] is nan"),
    ],
)
def test_regions_refuse(full, act, error, message):
    with pytest.raises(error, match=f"Argument {message}.*Example: "):
        act(full)


# --- report -----------------------------------------------------------------------------------------------------------
def problems(*args, **kwargs):
    return " | ".join(Connectome(*args, **kwargs).report().problems)


def ring(n=4, length=60.0):
    weights = np.roll(np.eye(n), 1, axis=0) + np.roll(np.eye(n), -1, axis=0)
    return weights, weights * length


def test_report_of_a_sound_connectome():
    weights, lengths = ring()
    report = Connectome(weights, lengths * u.mm, NAMES, "ring").report()
    assert report.problems == ()
    assert str(report) == repr(report)
    assert str(report).splitlines() == [
        "Connectome 'ring'",
        "  4 regions, 8 connections (density 0.667), no self-connections",
        "  weights 1 to 1, median 1",
        "  symmetric: the direction of rows and columns does not matter",
        "  lengths 60 to 60 mm, median 60 mm",
        "  hemispheres: 2 left, 2 right (from the labels)",
        "  no problems found",
    ]


def test_report_of_the_bundled_data():
    report = load_dataset("hcp_schaefer100").connectome.report()
    assert report.problems == ()
    assert "100 regions, 9184 connections" in report.lines[0]
    assert "  hemispheres: 50 left, 50 right (from the labels)" in str(report)


@pytest.mark.parametrize(
    ("values", "unit", "question"),
    [
        (60.0, u.mm, None),
        (6.0, u.cm, None),
        (0.06, u.meter, None),
        (10.0, u.mm, None),
        (250.0, u.mm, None),
        (6.0, u.mm, "6 mm, .* 10 to 250 mm: are the lengths in cm?"),
        (0.06, u.mm, "are the lengths in m?"),
        (60e3, u.mm, "are the lengths in um?"),
        (60.0, u.cm, "60 cm, .* are the lengths in mm?"),
        (60.0, u.meter, "are the lengths in mm?"),
        (1e9, u.mm, "what unit are the lengths in?"),
    ],
)
def test_report_judges_the_unit_of_length(values, unit, question):
    weights, lengths = ring(length=values)
    found = problems(weights, lengths * unit)
    assert (found == "") if question is None else re.search("^median length .*" + question.replace("?", r"\?"), found)


def test_report_names_regions_without_connections():
    weights = np.zeros((5, 5))
    weights[[1, 2, 3], [2, 1, 2]] = 1.0  # 1 <-> 2 -> 3
    weights[4, 1] = 1.0
    weights[4, 4] = 1.0
    found = problems(weights.T, labels=list("abcde"))
    assert "1 region without any connection to another: a" in found
    assert "2 regions without input from another: d, e" in found
    assert "without output" not in found
    assert "2 regions without output to another: d, e" in problems(weights, labels=list("abcde"))
    assert "1 self-connection: a Network leaves them out" in found


def test_report_cuts_long_lists():
    assert problems(np.zeros((13, 13)), labels=list("abcdefghijklm")).endswith(
        "13 regions without any connection to another: a, b, c, d, e, f, g, h, i, j and 3 more"
    )


def test_report_counts_negative_weights():
    weights, _ = ring()
    weights[0, 1] = weights[1, 0] = -0.5
    assert "2 negative weights (down to -0.5)" in problems(weights)


def test_report_of_directions():
    weights, _ = ring()
    lines = "\n".join(Connectome(weights * (1 + 1e-4 * np.triu(weights))).report().lines)
    assert "symmetric up to rounding (0.0001 of the largest weight)" in lines
    one_way = weights.copy()
    one_way[0, 1] = 0
    lines = "\n".join(Connectome(one_way).report().lines)
    assert "directed, 14% of the connections have none back" in lines
    assert "into a region 1 to 2, out of a region 1 to 2" in lines


def test_report_asks_whether_columns_receive():
    weights = RNG.random((5, 5)) * (1 - np.eye(5))
    rows = Connectome(weights).normalize("row")
    assert rows.report().problems == ()
    assert "the weights out of each region sum to 1: " in " ".join(rows.transpose().report().problems)


def test_report_of_lengths():
    weights, lengths = ring()
    lengths[0, 1] = 70
    assert "1 pair of regions with another length each way, by up to 10 mm" in problems(weights, lengths * u.mm)
    lengths[0, 1] = lengths[1, 0] = 0
    assert problems(weights, lengths * u.mm) == "2 connections of length 0, hence without delay"
    assert "no lengths: no delays can be computed" in Connectome(weights).report().lines


def test_report_of_nothing():
    assert "1 region without any connection to another: region 0" in problems([[0.0]], [[0.0]] * u.mm)
