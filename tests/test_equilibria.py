"""Equilibria, their stability, and characteristic roots under delays."""

import brainunit as u
import numpy as np
import pytest
from braintools.init import Constant
from scipy.special import lambertw

import brainmass
from brainmass import characteristic_roots, fixed_points


def leaky_ring(tau, gain=-1.0, gamma=0.0):
    """x' = gamma x + gain x(t - tau)"""
    return brainmass.Network(
        brainmass.LinearStep(1, gamma=gamma), conn=[[gain]], distance=[[tau]], speed=1.0 * u.mm / u.ms,
        coupling="additive", coupled_var="x", self_connection=True,
    )  # fmt: skip


def test_fitzhugh_nagumo_loses_its_rest_where_the_paper_says():
    """The classic cell is unstable between I = 0.331 and 1.419 (FitzHugh 1961, with a = 0.7, b = 0.8, tau = 12.5)."""
    drift = brainmass.Drift(brainmass.FitzHughNagumoStep.preset("classic", 1))
    kinds = {x: fixed_points(drift, parameters={"V_inp": x}).kinds for x in (0.330, 0.332, 1.418, 1.420)}
    assert kinds == {
        0.330: ("stable focus",),
        0.332: ("unstable focus",),
        1.418: ("unstable focus",),
        1.420: ("stable focus",),
    }


@pytest.mark.slow
def test_lorenz():
    """Lorenz 1963: C± = (±√(β(ρ-1)), ±√(β(ρ-1)), ρ-1), and the origin, with its eigenvalues in closed form."""
    found = fixed_points(brainmass.LorenzStep(1, sigma=10.0, rho=28.0, beta=8 / 3))
    root = np.sqrt(8 / 3 * 27)
    np.testing.assert_allclose(found.x, [[-root, -root, 27], [0, 0, 0], [root, root, 27]], atol=1e-5)
    at_origin = [(-11 + np.sqrt(121 + 40 * 27)) / 2, -8 / 3, (-11 - np.sqrt(121 + 40 * 27)) / 2]
    np.testing.assert_allclose(found.eigenvalues[1], at_origin, atol=1e-5)
    assert found.kinds == ("saddle-focus", "saddle", "saddle-focus")


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("p", "n", "stable"),
    [
        (-20.0, 3, 1),
        pytest.param(100.0, 3, 1, marks=pytest.mark.slow),
        (114.0, 1, 0),
        pytest.param(400.0, 1, 1, marks=pytest.mark.slow),
    ],
)
def test_jansen_rit(p, n, stable):
    """Grimbert, Faugeras 2006: three equilibria between the folds at p = -41.3 and 113.6, then a rhythm to 315.7."""
    found = fixed_points(brainmass.JansenRitStep(1), {"E_inp": p * u.Hz})
    assert (len(found), found.stable.sum()) == (n, stable)
    S = lambda v: 5 / (1 + np.exp(0.56 * (6 - v)))  # noqa: E731
    for point in found:  # y = y1 - y2 = (A/a) (p + C2 S(C1 y0)) - (B/b) C4 S(C3 y0), y0 = (A/a) S(y)
        M, E, I = (float(point.states[name].to_decimal(u.mV)[0, 0]) for name in "MEI")  # noqa: E741
        np.testing.assert_allclose(M, 0.0325 * S(E - I), rtol=1e-9)
        np.testing.assert_allclose(E, 0.0325 * (p + 108 * S(135 * M)), rtol=1e-9)
        np.testing.assert_allclose(I, 0.44 * 33.75 * S(33.75 * M), rtol=1e-9)


@pytest.mark.slow
def test_the_domain_is_respected():
    found = fixed_points(brainmass.MontbrioPazoRoxinStep(1, J=15.0, eta=-5.0, delta=1.0))
    assert len(found) == 3
    assert found.kinds[:2] == ("stable node", "saddle")
    assert (found.states["r"].to_decimal(u.Hz) > 0).all()


def test_a_network_is_followed_from_its_uncoupled_regions():
    """x' = a x - x³ + k Σ (x_j - x_i): in a ring all regions stay at ±√a."""
    n = 20
    ring = np.roll(np.eye(n), 1, axis=1) + np.roll(np.eye(n), -1, axis=1)
    network = brainmass.Network(brainmass.HopfStep(n, a=-0.02, w=0.2), conn=ring, coupled_var="x", k=0.01)
    found = fixed_points(network)
    np.testing.assert_allclose(found.x, np.zeros((1, 2 * n)), atol=1e-12)
    # of the pattern with wavenumber q the Jacobian is [[a - c, -w], [w, a]], c = 2k (1 - cos(2 π q / n))
    c = 0.02 * (1 - np.cos(2 * np.pi * np.arange(n) / n))
    expected = np.concatenate([np.linalg.eigvals([[-0.02 - x, -0.2], [0.2, -0.02]]) for x in c])
    np.testing.assert_allclose(np.sort(found.eigenvalues[0].real), np.sort(expected.real), atol=1e-9)
    np.testing.assert_allclose(found.frequency.to_decimal(u.Hz)[0], 0.2 / (2 * np.pi) * 1000)


@pytest.mark.slow
def test_branches_that_end_are_named():
    """Two stable states of Wilson and Cowan; strong inhibition from others removes the upper one."""
    weights = 1.0 - np.eye(8)
    network = brainmass.Network(
        brainmass.WilsonCowanStep(8), conn=weights, coupling="additive", coupled_var="rE", k=-1.0
    )
    found = fixed_points(network)
    assert len(found) >= 1
    assert any("ends at" in end for end in found.ends)
    assert found.ends[0] in repr(found)


@pytest.mark.slow
def test_where_the_jacobian_of_a_region_is_singular_it_is_not_at_rest():
    """At r = v = 0 that of the MPR model is zero, and its rate Δ / (π τ²) is not."""
    node = brainmass.MontbrioPazoRoxinStep(7, init_r=Constant(0.0), init_v=Constant(0.0))
    found = fixed_points(brainmass.Network(node, conn=np.eye(7, k=1), coupling="additive", coupled_var="r", k=0.01))
    assert len(found) and not found.ends


def test_what_is_shown_and_handed_on():
    found = fixed_points(brainmass.FitzHughNagumoStep.preset("classic", 1), start={"V": -1.0, "w": -0.5})
    assert "1 equilibrium of FitzHughNagumoStep" in repr(found)
    assert "stable focus" in repr(found)
    assert "<td" in found._repr_html_()
    data = found.to_xarray()
    assert data["V"].dims == ("equilibrium", "region")
    assert data["kind"].values[0] == "stable focus"
    assert len(found[found.stable]) == 1
    for number in (0, -1, np.argmax(found.stable)):
        assert found[number].kinds == found.kinds and found[number].x.shape == (1, 2)
    with pytest.raises(IndexError, match="no equilibrium of number 1: there are 1"):
        found[1]


def test_characteristic_roots_are_those_of_lambert():
    """x' = g x + b x(t - τ): z = g + W_k(b τ e^{-g τ}) / τ."""
    for tau, b, g in (0.3, -1.0, 0.0), (2.0, -1.0, 0.0), (5.0, 0.8, -1.0):
        found = characteristic_roots(leaky_ring(tau, b, g), [0.0])
        expected = np.array([g + lambertw(b * tau * np.exp(-g * tau), k) / tau for k in range(-30, 31)])
        expected = expected[np.argsort(-expected.real)][: len(found)]
        np.testing.assert_allclose(np.sort(found.real), np.sort(expected.real), atol=1e-7)
        np.testing.assert_allclose(np.sort(found.imag), np.sort(expected.imag), atol=1e-7)


def test_hopf_of_a_delay():
    kinds = {tau: fixed_points(leaky_ring(tau)) for tau in (np.pi / 2 - 1e-4, np.pi / 2 + 1e-4)}
    before, after = kinds.values()
    assert before.kinds == ("stable focus",)
    assert after.kinds == ("saddle-focus",)
    np.testing.assert_allclose(after.frequency.to_decimal(u.kHz), 1 / (2 * np.pi), rtol=1e-3)


def test_networks_with_several_delays():
    """Every root that is found solves det(z - A - W e^{-z D}) = 0; many delays of nearly nothing change nothing."""
    rng = np.random.default_rng(3)
    W, D = rng.normal(size=(3, 3)), rng.uniform(0.5, 4.0, (3, 3))
    network = brainmass.Network(
        brainmass.LinearStep(3, gamma=-0.5), conn=W, distance=D, speed=1.0 * u.mm / u.ms, coupling="additive",
        coupled_var="x", self_connection=True,
    )  # fmt: skip
    found = characteristic_roots(network, np.zeros(3), right_of=-0.5)
    assert len(found) > 4
    for z in found:
        M = (z + 0.5) * np.eye(3) - W * np.exp(-z * D)
        assert np.linalg.svd(M)[1][-1] < 1e-6
    # the argument principle counts the roots in the rectangle
    counted = _winding(lambda z: np.linalg.det((z + 0.5) * np.eye(3) - W * np.exp(-z * D)), 0.0, 6.0, 12.0)
    assert counted == (found.real > 0).sum()


def _winding(f, left, right, top, n=40_000):
    t = np.linspace(0, 1, n)
    corners = [right - 1j * top, right + 1j * top, left + 1j * top, left - 1j * top, right - 1j * top]
    path = np.concatenate([a + (b - a) * t for a, b in zip(corners, corners[1:], strict=False)])
    return round(np.diff(np.unwrap(np.angle([f(z) for z in path]))).sum() / (2 * np.pi))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fixed_points(brainmass.HopfStep(1), start=[np.nan, 0.0]), "`start` of fixed_points must be finite"),
        (
            lambda: fixed_points(brainmass.LinearStep(1, gamma=0.0), {"x_inp": 0.1}, start=[0.0]),
            "must be near an equil",
        ),
        (lambda: fixed_points(brainmass.HopfStep(1), n_starts=0), "`n_starts` of fixed_points"),
        (lambda: fixed_points(brainmass.Drift(brainmass.HopfStep(1)), {"x_inp": 0.1}), "has no effect beside a Drift"),
        (lambda: fixed_points(brainmass.KuramotoNetwork(2, K=1.0)), "not isolated"),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()


def test_nothing_found_is_said():
    found = fixed_points(brainmass.LinearStep(1, gamma=0.0), {"x_inp": 0.1}, n_starts=16)
    assert len(found) == 0
    assert "0 equilibria of LinearStep, from 16 starts" in repr(found)


@pytest.mark.parametrize(("omega", "K", "tau"), [pytest.param(1.0, 0.5, 2.0, marks=pytest.mark.slow), (1.0, 2.0, 3.0)])
def test_two_delayed_phase_oscillators(omega, K, tau):
    """In phase Ω = ω - K sin Ωτ, in antiphase Ω = ω + K sin Ωτ; stable where K cos Ωτ > 0, or < 0 (Earl, Strogatz)."""
    pair = brainmass.KuramotoNetwork(2, omega=omega, K=K, normalize_by_n=False, delay=tau * u.ms)
    found = brainmass.phase_locked(pair)
    grid = np.linspace(omega - K - 0.1, omega + K + 0.1, 200_001)
    for sign, phase in (1, 0.0), (-1, np.pi):
        f = grid - omega + sign * K * np.sin(grid * tau)
        expected = grid[:-1][np.diff(np.sign(f)) != 0]
        ours = np.isclose(np.abs(found.phases[:, 1]), phase, atol=1e-6)
        np.testing.assert_allclose(found.omega[ours], expected, atol=1e-4)
        assert (found.stable[ours] == (sign * K * np.cos(found.omega[ours] * tau) > 0)).all()


def test_phase_locked_states_need_phases():
    with pytest.raises(ValueError, match="must have phases as its only states, but has x"):
        brainmass.phase_locked(brainmass.HopfStep(1))


def test_a_run_begins_at_an_equilibrium():
    """x' = -x - x(t - 2) + 0.6 rests at 0.3, if it was there all the time before, and stays so in each lane."""
    loop = leaky_ring(2.0, gamma=-1.0)
    point = fixed_points(loop, {"x_inp": 0.6})[0]
    simulator = brainmass.Simulator(loop, dt=0.1 * u.ms)
    kept = simulator.run(5 * u.ms, inputs={"x_inp": 0.6}, state=point.state)["x"]
    np.testing.assert_allclose(kept, 0.3, atol=1e-6)
    lanes = simulator.run(5 * u.ms, inputs={"x_inp": 0.6}, state=point.state, batch_size=2, seed=0)["x"]
    assert lanes.shape == (50, 2, 1)
    np.testing.assert_allclose(lanes, 0.3, atol=1e-6)
    # without input x' = -x - 0.3 as long as what arrives left before
    x = simulator.run(1 * u.ms, state=point.state)["x"][-1, 0]
    np.testing.assert_allclose(x, 0.6 * np.exp(-1.0) - 0.3, atol=0.01)
    with pytest.raises(ValueError, match="choose one"):
        fixed_points(brainmass.LorenzStep(1)).state  # noqa: B018


def test_states_by_name_of_several_populations_and_of_synapses():
    """x decays as e^{-t}, an alpha function that holds 0.5 and 0.3 as (0.3 + 0.5 t/τ) e^{-t/τ}."""
    parts = {name: brainmass.LinearStep(2, gamma=-1.0, method="rk4") for name in "AB"}
    tau = 5.0
    link = brainmass.Projection(
        source="A", target="B", conn=np.zeros((2, 2)), coupled_var="x", coupling="additive",
        synapse=brainmass.AlphaSynapse(tau=tau * u.ms),
    )  # fmt: skip
    network = brainmass.Network(parts, projections=[link])
    state = {"A.x": [0.1, 0.2], "synapse.rising": 0.5, "synapse.filtered": 0.3}
    simulator = brainmass.Simulator(network, dt=0.1 * u.ms)
    result = simulator.run(2 * u.ms, state=state, seed=0)
    np.testing.assert_allclose(result["A.x"][-1], np.exp(-2.0) * np.array([0.1, 0.2]), rtol=1e-4)
    filtered = result.final["states"]["model.projections.0.synapse.filtered"]
    np.testing.assert_allclose(filtered, (0.3 + 0.5 * 2 / tau) * np.exp(-2 / tau), rtol=1e-4)


@pytest.mark.parametrize(
    ("state", "error", "words"),
    [
        ({"z": 1.0}, ValueError, "no state 'z'. .*There are x, y"),
        ({"x": np.ones(4)}, ValueError, r"must be a scalar or fit the population shape \(3,\)"),
        ({"x": 1.0 * u.mV}, u.UnitMismatchError, "must have no unit"),
        ({"x": np.nan}, ValueError, "finite"),
    ],
)
def test_states_by_name_that_do_not_fit(state, error, words):
    with pytest.raises(error, match=words):
        brainmass.Simulator(brainmass.HopfStep(3), dt=0.1 * u.ms).run(1 * u.ms, state=state)


def stays_at_rest(model, inputs=None, **given):
    rest = brainmass.resting_state(model, inputs)
    simulator = brainmass.Simulator(model, dt=0.1 * u.ms)
    result = simulator.run(20 * u.ms, inputs=inputs, state=rest, monitors=[*rest], **given)
    for name, value in rest.items():
        got = u.get_mantissa(result[name])
        value = np.asarray(u.Quantity(value).to_decimal(u.get_unit(result[name])))
        np.testing.assert_allclose(got, np.broadcast_to(value, got.shape), rtol=2e-5, atol=2e-5, err_msg=name)
    return rest, simulator


def test_a_run_from_the_resting_state_stays_there():
    """In each of a batch, and as a pure run begins too."""
    rest, simulator = stays_at_rest(brainmass.JansenRitStep(2), {"E_inp": 50.0 * u.Hz}, batch_size=3)
    run = simulator.pure(20 * u.ms, inputs={"E_inp": 50.0 * u.Hz}, monitors=["E"])
    np.testing.assert_allclose(run({}, 0, rest)["E"][-1].mantissa, rest["E"].mantissa, rtol=2e-5)


def test_a_delayed_network_of_two_populations_stays_at_rest():
    """With a past at rest, and coupling of which 10 ms would show in 20."""
    delay = np.array([[0.0, 10.0], [10.0, 0.0]]) * u.ms
    nodes = {"fast": brainmass.WilsonCowanStep(2), "slow": brainmass.WilsonCowanStep(2, tau_E=3.0 * u.ms)}
    W = np.array([[0.0, 1.0], [0.5, 0.0]])
    between = [
        brainmass.Projection(W, source=a, target=b, coupling="additive", coupled_var="rE", delay=delay, k=0.5)
        for a, b in (("fast", "slow"), ("slow", "fast"))
    ]
    rest, _ = stays_at_rest(brainmass.Network(nodes, projections=between))
    assert set(rest) == {"fast.rE", "fast.rI", "slow.rE", "slow.rI"}


def test_what_does_not_come_to_rest_is_refused():
    with pytest.raises(ValueError, match="`model`.*must come to rest.*FitzHughNagumoStep that still moves"):
        brainmass.resting_state(brainmass.FitzHughNagumoStep.preset("classic", 1), {"V_inp": 0.5})
    delayed = dict(coupling="additive", coupled_var="x", self_connection=True, speed=1 * u.mm / u.ms)
    loop = brainmass.Network(brainmass.LinearStep(1, gamma=0.0), conn=[[-1.0]], distance=[[1.6]], **delayed)
    with pytest.raises(ValueError, match="`model`.*comes to an equilibrium that is unstable"):  # beyond π/2
        brainmass.resting_state(loop)
