"""The reduced sets of Stefanescu and Jirsa: their modes in closed form, the sum of them in a network.

Their derivatives are compared with those of The Virtual Brain in `test_tvb_parity.py`.
"""

from statistics import NormalDist

import brainunit as u
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import root

import brainmass as bm

MODELS = [bm.StefanescuJirsaFitzHughNagumoStep, bm.StefanescuJirsaHindmarshRoseStep]
DT = 0.05 * u.ms


def test_modes_are_thirds_of_a_normal_distribution(x64):
    """The middle third of a standard normal reaches from -0.4307 to 0.4307; its neighbours are mirror images."""
    node = bm.StefanescuJirsaFitzHughNagumoStep(1, sigma=2.0, mu=0.5)
    width, drive = (np.asarray(part(np.zeros((3, 1))))[:, 0] for part in (node.width, node.drive))
    assert width[1] == pytest.approx(2 * 2 * NormalDist().inv_cdf(2 / 3), rel=2e-3)
    assert width[0] == pytest.approx(width[2], rel=1e-12)
    centres = drive / np.sqrt(width)
    np.testing.assert_allclose([centres[1], centres[0] + centres[2]], [0.5, 1.0], atol=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_a_network_sends_the_sum_of_the_modes(x64, model):
    W = np.array([[0.0, 0.3], [0.7, 0.0]])
    network = bm.Network(model(2), conn=W, coupled_var="xi", coupling="additive", k=0.5)
    drift, alone = bm.Drift(network), bm.Drift(model(2))
    x = np.random.default_rng(0).uniform(-1, 1, drift.size)
    sent = np.sum([drift.unpack(x)[f"xi_{k}"] for k in (1, 2, 3)], axis=0)
    np.testing.assert_allclose(drift(x), alone(x, {"coupling": 0.5 * W @ sent}), atol=1e-12)


@pytest.mark.slow
def test_without_strengths_each_mode_is_a_neuron(x64):
    """The rest of each mode by scipy: tau (x - x^3 / (3 w) - y + I), (x - b y + a sqrt(w)) / tau."""
    node = bm.StefanescuJirsaFitzHughNagumoStep(1, K11=0.0, K12=0.0, K21=0.0)
    found = bm.fixed_points(node).x[0].reshape(4, 3)
    width, drive = (np.asarray(part(np.zeros((3, 1))))[:, 0] for part in (node.width, node.drive))
    for k in range(3):
        w, driven = width[k], drive[k]
        rest = root(
            lambda z, w=w, driven=driven: [
                z[0] - z[0] ** 3 / (3 * w) - z[1] + driven,
                z[0] - 0.9 * z[1] + 0.45 * w**0.5,
            ],
            [0, 0],
        )
        np.testing.assert_allclose(found[0::2, k], rest.x[0], atol=1e-6)
        np.testing.assert_allclose(found[1::2, k], rest.x[1], atol=1e-6)


# --- modes as an axis ---------------------------------------------------------------------------------------------
def spread(shape):
    return np.broadcast_to([-1.0, 0.0, 1.0], shape)


@pytest.fixture(scope="module")
def recorded():
    """Two regions in a network, three runs: the modes of xi, one of eta, and the mean of alpha."""
    connectome = bm.Connectome(np.array([[0.0, 1.0], [1.0, 0.0]]), labels=("left", "right"))
    network = bm.Network(MODELS[0](2, init_xi=spread), conn=connectome, coupled_var="xi", coupling="additive", k=0.1)
    monitors = {"xi": "xi", "eta_2": "eta_2", "mean": lambda model: jnp.mean(model.node.alpha_1.value, axis=-1)}
    return bm.Simulator(network, dt=0.1 * u.ms).run(1 * u.ms, monitors=monitors, batch_size=3, seed=0)


def test_a_result_has_the_modes_as_one_axis(recorded):
    modes = [recorded[f"xi_{k}"] for k in (1, 2, 3)]
    assert recorded["xi"].shape == (10, 3, 2, 3)
    for k, mode in enumerate(modes):
        np.testing.assert_array_equal(recorded["xi"][..., k], mode)
    assert dict(recorded.modes) == {"xi": ("xi_1", "xi_2", "xi_3")}  # and not eta, of which one was recorded
    data = recorded.to_xarray()
    assert data.xi.dims == ("time", "batch", "region", "mode") and list(data.mode.values) == [1, 2, 3]
    np.testing.assert_array_equal(data.xi.sel(mode=3, region="right"), modes[2][..., 1])
    assert set(data.data_vars) == {"xi", "eta_2", "mean"}


@pytest.mark.parametrize("suffix", [".npz", ".nc"])
def test_modes_are_kept_in_files(recorded, tmp_path, suffix):
    recorded.save(tmp_path / f"run{suffix}")
    read = type(recorded).load(tmp_path / f"run{suffix}")
    assert read.modes == recorded.modes and list(read.recorded) == list(recorded.recorded)
    np.testing.assert_array_equal(read["xi"], recorded["xi"])
    np.testing.assert_array_equal(read["xi_2"], recorded["xi_2"])


def test_initial_values_have_the_modes_as_last_axis():
    node = MODELS[0](4, init_xi=spread, init_eta=lambda shape: np.arange(12.0).reshape(shape))
    node.init_state()
    np.testing.assert_array_equal([node.xi_1.value[2], node.xi_2.value[2], node.xi_3.value[2]], [-1, 0, 1])
    np.testing.assert_array_equal(node.eta_2.value, [1, 4, 7, 10])
    assert np.ptp([node.alpha_1.value, node.alpha_2.value], axis=0).min() > 0  # drawn, each its own


def test_parameters_of_modes_are_arrays(x64):
    """As the derivatives have them, which are those of The Virtual Brain; of values per region, per region."""
    found = MODELS[0](2, sigma=np.array([0.35, 0.7]), mu=0.1).mode_parameters()
    assert found["width"].shape == found["drive"].shape == (2, 3) and found["mixing"].shape == (3, 3)
    np.testing.assert_allclose(found["width"][1], 2 * found["width"][0])
    np.testing.assert_allclose(found["mixing"][0, 1] * found["mixing"][1, 0], found["mixing"][1, 1] ** 2, rtol=1e-3)
    node = MODELS[0](1, K11=1.0, K12=0.0, K21=0.0)
    state = [np.zeros(1)] * 12
    state[1] = np.ones(1)  # xi_2
    rates = node.derivative(tuple(state), 0 * u.ms, 0.0)
    own = MODELS[0](1).mode_parameters()
    received = rates[0].to_decimal(u.ms**-1)[0] - 3.0 * own["drive"][0]
    assert received == pytest.approx(own["mixing"][0, 1])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (dict(monitors={"x": "xi"}), "`monitors` of run must have the name .*by mode, but calls 'xi' 'x'"),
        (dict(monitors=["zeta"]), "no state 'zeta'"),
    ],
)
def test_other_names_of_modes_are_refused(given, said):
    with pytest.raises(ValueError, match=said):
        bm.Simulator(MODELS[0](1), dt=DT).run(1 * u.ms, **given)


def test_initial_values_without_modes_are_refused():
    with pytest.raises(ValueError, match="`init_xi` of .* must return values with the three modes as last axis"):
        MODELS[0](2, init_xi=lambda shape: np.zeros(2)).init_state()


def test_a_result_of_ones_own_may_have_modes():
    make = type(bm.Simulator(MODELS[0](1), dt=DT).run(0.1 * u.ms, monitors=["xi_1"]))
    times = np.arange(2.0) * u.ms
    parts = {"x_a": np.ones((2, 3)) * u.mV, "x_b": np.zeros((2, 3)) * u.mV}
    facts = dict(dt=0.1 * u.ms, duration=2 * u.ms)
    result = make(parts, dict.fromkeys(parts, times), modes={"x": ("x_a", "x_b")}, **facts)
    assert result["x"].shape == (2, 3, 2) and result["x"].unit == u.mV
    for modes in ({"x": ("x_a", "x_c")}, {"x_a": ("x_a", "x_b")}, {"x": ()}):
        with pytest.raises(ValueError, match="`modes` of Result must give names that are no monitor"):
            make(parts, dict.fromkeys(parts, times), modes=modes, **facts)


def test_a_class_whose_modes_are_no_states_is_an_error():
    with pytest.raises(TypeError, match=r"Wrong.modes must give names that are no state"):
        type("Wrong", (MODELS[0],), {"modes": {"xi": ("xi_1", "xi_9")}, "__module__": __name__})
