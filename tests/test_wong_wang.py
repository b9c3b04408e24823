"""The Wong–Wang models: a decision between two alternatives (2006), and the dynamic mean field (Deco et al. 2014)."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, curve_fit, root

import brainmass
from brainmass.models.wong_wang.decision import WongWangStep
from brainmass.models.wong_wang.exc_inh import WongWangExcInhStep
from brainmass.models.wong_wang.reduced import ReducedWongWangStep

PER_MS = u.ms**-1


def H(current, a=270.0, b=108.0, d=0.154):
    """Rate in Hz at a current in nA; Wong & Wang 2006."""
    y = a * current - b
    return y / (1 - np.exp(-d * y))


def currents(S1, S2, c=0.0, mu_0=30.0):
    """Wong & Wang 2006, the model without recurrent AMPA currents; nA."""
    I1 = 0.2609 * S1 - 0.0497 * S2 + 5.2e-4 * mu_0 * (1 + c) + 0.3255
    I2 = 0.2609 * S2 - 0.0497 * S1 + 5.2e-4 * mu_0 * (1 - c) + 0.3255
    return I1, I2


def rates(S, c=0.0, mu_0=30.0, n=(0.0, 0.0)):
    """Rates of change of the gating, per ms."""
    I1, I2 = currents(*S, c, mu_0)
    return np.array([-S[i] / 100 + (1 - S[i]) * 0.641e-3 * H((I1, I2)[i] + n[i]) for i in range(2)])


def plain(node, S, *inputs):
    """The derivative as numbers per ms."""
    return jnp.stack([d.to_decimal(PER_MS) for d in node.derivative(tuple(jnp.asarray(S)), 0 * u.ms, *inputs)])


def run(node, n_steps, dt, **inputs):
    with brainstate.environ.context(dt=dt * u.ms):
        return brainstate.transform.for_loop(lambda i: node.update(**inputs), np.arange(n_steps))


# --- decision -----------------------------------------------------------------------------------------------
def test_decision_right_hand_side(x64):
    S, c, n = np.array([[0.1, 0.6, 0.3], [0.5, 0.05, 0.3]]), np.array([-0.5, 0.128, 1.0]), (0.02, -0.03)
    node = WongWangStep(3)
    found = plain(node, S, c, n[0] * u.nA, n[1] * u.nA)
    np.testing.assert_allclose(found, rates(S, c, n=n), rtol=1e-12)
    r1, r2 = 12.0 * u.Hz, 3.0 * u.Hz
    np.testing.assert_allclose(node.dS1_dt(0.2, r1).to_decimal(u.Hz), -2 + 0.8 * 0.641 * 12, rtol=1e-12)
    np.testing.assert_allclose(node.dS2_dt(0.2, r2).to_decimal(u.Hz), -2 + 0.8 * 0.641 * 3, rtol=1e-12)


def test_decision_right_hand_side_with_unequal_pools(x64):
    """Arguments by position, in the order of the published package; each weight has its place."""
    given = (0.08 * u.second, 0.7, 250 * u.Hz / u.nA, 0.38 * u.nA, 0.26 * u.nA, 0.27 * u.nA, 0.05 * u.nA, 0.06 * u.nA)
    node = WongWangStep(1, *given, 6e-4 * u.nA * u.second, 35 * u.Hz, 0.32 * u.nA)
    S1, S2, c = 0.3, 0.45, 0.25
    I1 = 0.26 * S1 - 0.05 * S2 + 6e-4 * 35 * 1.25 + 0.32
    I2 = 0.27 * S2 - 0.06 * S1 + 6e-4 * 35 * 0.75 + 0.32
    r1, r2 = (H(x, 250, 250 * 0.38) for x in (I1, I2))
    expected = [-S1 / 80 + (1 - S1) * 0.7e-3 * r1, -S2 / 80 + (1 - S2) * 0.7e-3 * r2]
    np.testing.assert_allclose(plain(node, [[S1], [S2]], c, 0 * u.nA, 0 * u.nA)[:, 0], expected, rtol=1e-12)


def test_decision_transfer_function(x64):
    """H in Hz: the quotient, its limit 1/d at the threshold, and its slope a/2 there."""
    node = WongWangStep(1)
    phi = jax.jit(lambda x: node.phi(x * u.nA).to_decimal(u.Hz))
    current = np.array([0.2, 0.38, 0.43, 0.6])
    np.testing.assert_allclose(phi(current), H(current), rtol=1e-12)
    assert float(phi(0.4)) == pytest.approx(1 / 0.154, rel=1e-12)
    assert float(jax.jit(jax.grad(phi))(0.4)) == pytest.approx(135.0, rel=1e-9)


def fixed_points(mu_0):
    """All roots of the paper's equations on a grid of starts, and whether they are stable."""
    found = {}
    for start in np.stack(np.meshgrid(*2 * [np.linspace(0, 1, 15)]), axis=-1).reshape(-1, 2):
        with np.errstate(over="ignore"):  # steps of the solver far out
            solved = root(rates, start, args=(0.0, mu_0), tol=1e-13)
        if np.abs(rates(solved.x, 0.0, mu_0)).max() < 1e-12:
            S = solved.x
            jacobian = np.stack([(rates(S + e, 0, mu_0) - rates(S - e, 0, mu_0)) / 2e-6 for e in 1e-6 * np.eye(2)], 1)
            found[tuple(S.round(6))] = bool(np.linalg.eigvals(jacobian).real.max() < 0)
    return found


@pytest.mark.parametrize("mu_0, n_stable, n_saddles", [(0.0, 3, 2), (30.0, 2, 1)])
def test_decision_fixed_points(mu_0, n_stable, n_saddles, x64):
    """Without stimulus a spontaneous state at S = 0.1 beside two memories; with it the symmetric state is a saddle."""
    truth = fixed_points(mu_0)
    assert (sum(truth.values()), len(truth) - sum(truth.values())) == (n_stable, n_saddles)
    node = WongWangStep(1, mu_0=mu_0 * u.Hz)
    derivative = jax.jit(lambda S: plain(node, S[:, None], 0.0, 0 * u.nA, 0 * u.nA)[:, 0])
    jacobian = jax.jit(jax.jacfwd(derivative))
    for S, stable in truth.items():
        np.testing.assert_allclose(derivative(jnp.array(S)), 0.0, atol=1e-7)
        assert (np.linalg.eigvals(jacobian(jnp.array(S))).real.max() < 0) == stable
    spontaneous = min(truth, key=lambda S: abs(S[0] - S[1]))
    assert truth[spontaneous] == (mu_0 == 0)
    assert spontaneous[0] == pytest.approx(0.1027 if mu_0 == 0 else 0.4245, abs=1e-4)


def test_decision_start_rest_and_symmetry(x64):
    """From S = 0 without stimulus to the spontaneous state; with one, noise and coherence the pools stay equal."""
    node = WongWangStep(2, mu_0=np.array([0.0, 30.0]) * u.Hz, method="rk4")
    node.init_state()
    np.testing.assert_array_equal(node.S1.value, [0.0, 0.0])
    r1, r2 = run(node, 20_000, 0.5)
    np.testing.assert_array_equal(r1.to_decimal(u.Hz), r2.to_decimal(u.Hz))
    assert float(node.S1.value[0]) == pytest.approx(0.102651, abs=1e-6)
    assert float(r1[-1, 0].to_decimal(u.Hz)) == pytest.approx(1.785, abs=1e-3)
    np.testing.assert_array_equal(node.get_decision(), [0, 0])


def test_decision_against_scipy(x64):
    """One trial at coherence 0.128, and its mirror image: the winner's way up and the loser's down."""
    node = WongWangStep(2, method="rk4")
    node.init_state()
    S, c = [], jnp.array([0.128, -0.128])
    for _ in range(4):
        run(node, 250, 1.0, coherence=c)
        S.append([node.S1.value, node.S2.value])
    times = [250, 500, 750, 1000]
    truth = solve_ivp(lambda t, S: rates(S, 0.128), (0, 1000), [0, 0], rtol=1e-10, atol=1e-12, t_eval=times).y.T
    np.testing.assert_allclose(np.array(S)[:, :, 0], truth, atol=1e-7)
    np.testing.assert_allclose(np.array(S)[:, ::-1, 1], truth, atol=1e-7)
    np.testing.assert_array_equal(node.get_decision(), [1, -1])
    assert truth[-1, 0] > 0.6 and truth[-1, 1] < 0.1


@pytest.mark.slow
def test_decision_rates_are_those_of_the_last_input(x64):
    """Coherence, currents and noise of the step, at the new gating; `reset_state` forgets them."""
    noise = brainmass.GaussianNoise(2, mean=0.03 * u.nA, sigma=0.0 * u.nA)
    node = WongWangStep(2, noise_s1=noise)
    brainstate.nn.init_all_states(node, 3)
    r1, r2 = (r[-1] for r in run(node, 5, 1.0, coherence=0.4, I2_inp=0.05 * u.nA))
    S1, S2 = node.S1.value, node.S2.value
    assert S1.shape == r1.shape == node.get_decision().shape == (3, 2)
    I1, I2 = currents(S1, S2, 0.4)
    np.testing.assert_allclose(r1.to_decimal(u.Hz), H(I1 + 0.03), rtol=1e-12)
    np.testing.assert_allclose(r2.to_decimal(u.Hz), H(I2 + 0.05), rtol=1e-12)
    np.testing.assert_allclose(node.r1().to_decimal(u.Hz), r1.to_decimal(u.Hz), rtol=1e-14)
    at_zero = node.compute_inputs()
    np.testing.assert_allclose([x.to_decimal(u.nA) for x in at_zero], currents(S1, S2), rtol=1e-12)
    with_noise = node.compute_inputs(0.4, 0.03 * u.nA, 0.05 * u.nA)
    np.testing.assert_allclose([x.to_decimal(u.nA) for x in with_noise], [I1 + 0.03, I2 + 0.05], rtol=1e-12)
    node.reset_state()
    np.testing.assert_allclose(node.r1().to_decimal(u.Hz), H(currents(0, 0)[0]), rtol=1e-12)


@pytest.mark.slow
def test_decision_threshold():
    """Beyond 15 Hz the pool with the higher rate; below it none."""
    node = WongWangStep(4)
    node.init_state()
    node.S1.value = jnp.array([0.6, 0.1, 0.1, 0.7])
    node.S2.value = jnp.array([0.1, 0.6, 0.1, 0.6])
    r1, r2 = (np.array(x) for x in (H(np.array(currents(node.S1.value, node.S2.value)))))
    np.testing.assert_array_equal([r1[0] > 15, r2[1] > 15, max(r1[2], r2[2]) > 15, r1[3] > r2[3] > 15], [1, 1, 0, 1])
    np.testing.assert_array_equal(node.get_decision(), [1, -1, 0, 1])
    np.testing.assert_array_equal(node.get_decision(threshold=60 * u.Hz), [0, 0, 0, 0])


COHERENCES = np.array([0.0, 0.032, 0.064, 0.128, 0.256, 0.512])


def first_crossings(r1, r2, every):
    """Which pool is first at 15 Hz, and when; 0 and NaN where none is. Rates (time, trial, coherence)."""
    reached = np.maximum(r1, r2) >= 15
    first = reached.argmax(axis=0)
    winner = np.take_along_axis(np.sign(r1 - r2), first[None], axis=0)[0]
    decided = reached.any(axis=0)
    return np.where(decided, winner, 0), np.where(decided, (first + 1.0) * every, np.nan)


def trials_in_numpy(n, duration, dt, every):
    """The paper's trials: Euler's method, under noise of correlation time 2 ms and variance (0.02 nA)²/2."""
    rng = np.random.default_rng(1)
    S, noise = np.zeros((2, n, 6)), np.zeros((2, n, 6))
    decay, kept = np.exp(-dt / 2), []
    for step in range(1, round(duration / dt) + 1):
        noise = decay * noise + 0.02 * np.sqrt((1 - decay**2) / 2) * rng.standard_normal(noise.shape)
        S = S + dt * rates(S, COHERENCES, n=noise)
        if step % round(every / dt) == 0:
            kept.append(H(np.array(currents(*S, COHERENCES)) + noise))
    return first_crossings(*np.moveaxis(np.array(kept), 1, 0), every)


@pytest.mark.slow
def test_psychometric_and_chronometric_function():
    """Accuracy rises and reaction time falls with coherence, by as much as in trials written out in numpy."""
    n, duration, every = 800, 1600.0, 5.0
    noise = [brainmass.OUProcess(6, sigma=0.02 * u.nA, tau=2 * u.ms) for _ in range(2)]
    node = WongWangStep(6, noise_s1=noise[0], noise_s2=noise[1])
    result = brainmass.Simulator(node, dt=0.5 * u.ms).run(
        duration * u.ms,
        inputs={"coherence": COHERENCES},
        monitors={"r1": lambda m: m.r1(), "r2": lambda m: m.r2()},
        sample_every=every * u.ms,
        batch_size=n,
        seed=3,
    )
    ours = first_crossings(*(np.asarray(result[r].to_decimal(u.Hz)) for r in ("r1", "r2")), every)
    truth = trials_in_numpy(n, duration, 0.5, every)
    correct, expected = ((winner == 1).mean(axis=0) for winner, _ in (ours, truth))
    spread = np.sqrt(2 * expected * (1 - expected) / n)
    np.testing.assert_array_less(np.abs(correct - expected), 4 * spread + 2 / n)
    assert abs(correct[0] - 0.5) < 0.08 and correct[3] > 0.97 and np.all(correct[4:] > 0.99)
    assert np.all(np.diff(correct[:4]) > 0.05)
    time, expected = (np.nanmean(t, axis=0) for _, t in (ours, truth))
    np.testing.assert_allclose(time, expected, rtol=0.08)
    assert np.all(np.diff(time) < 0) and time[0] > 2 * time[5]
    threshold, slope = weibull(correct)
    assert 3.5 < threshold < 6 and 1.0 < slope < 1.7


def weibull(correct):
    """Threshold (in percent) and slope of accuracy as a function of coherence."""

    def curve(c, threshold, slope):
        return 1 - 0.5 * np.exp(-((c / threshold) ** slope))

    return curve_fit(curve, 100 * COHERENCES[1:], correct[1:], p0=[5.0, 1.3])[0]


# --- dynamic mean field -------------------------------------------------------------------------------------
def test_feedback_inhibition_control_holds_every_region_at_3_hz(x64):
    """Deco et al. 2014: with I_E - b/a = -0.026 nA in each region its rate is 3.063 Hz, whatever it receives.

    The J_i that do it follow on paper from the two equations at rest.
    """
    weights, G = np.array([[0.0, 0.9, 0.1], [0.3, 0.0, 0.2], [0.5, 0.7, 0.0]]), 1.2
    x_E = 125 / 310 - 0.026
    rate = H(x_E, 310, 125, 0.16)
    assert rate == pytest.approx(3.063, abs=1e-3)
    S_E = 0.0641 * rate / (1 + 0.0641 * rate)
    S_I = brentq(lambda S: S - 0.01 * H(0.15 * S_E - S + 0.7 * 0.382, 615, 177, 0.087), 0, 1, xtol=1e-15)
    J_i = (1.4 * 0.15 * S_E + 0.382 + G * 0.15 * weights.sum(axis=1) * S_E - x_E) / S_I
    assert np.ptp(J_i) > 0.1 and np.all(J_i > 1)
    node = WongWangExcInhStep(3, J_i=J_i, G=G, method="heun")
    net = brainmass.Network(node, conn=weights, coupling="additive", coupled_var="S_e")
    brainstate.nn.init_all_states(net)
    run(net, 20_000, 0.5)
    np.testing.assert_allclose(node.H_e(), 3.063, atol=1e-3)
    np.testing.assert_allclose(node.S_e.value, S_E, rtol=1e-6)
    np.testing.assert_allclose(node.S_i.value, S_I, rtol=1e-6)


def test_without_inhibition_of_the_coupling_a_strong_network_leaves_3_hz(x64):
    """At G = 2 and J_i = 1 the only state left fires fast; its rate is the root of the two equations at rest."""

    def balance(x, G):
        S_E, S_I = x
        E = H(1.4 * 0.15 * S_E - S_I + 0.382 + G * 0.15 * S_E, 310, 125, 0.16)
        inhibition = H(0.15 * S_E - S_I + 0.7 * 0.382, 615, 177, 0.087)
        return [-S_E / 100 + (1 - S_E) * 0.641e-3 * E, -S_I / 10 + 1e-3 * inhibition]

    truth = root(balance, [0.9, 0.3], args=(2.0,), tol=1e-13).x
    node = WongWangExcInhStep(2, G=2.0, method="heun")
    net = brainmass.Network(node, conn=1 - np.eye(2), coupling="additive", coupled_var="S_e")
    brainstate.nn.init_all_states(net)
    run(net, 20_000, 0.5)
    np.testing.assert_allclose(node.S_e.value, truth[0], rtol=1e-6)
    np.testing.assert_allclose(node.S_i.value, truth[1], rtol=1e-6)
    assert float(node.H_e()[0]) > 10


def deco_2014(S_E, S_I, J, c, current=(0.0, 0.0), gain=(1.0, 1.0)):
    """The rates of the two pools in Hz, with a current and a factor of the gain for each."""
    x_E = 1.4 * 0.15 * S_E - J * S_I + 0.382 + 2.0 * 0.15 * c + current[0]
    x_I = 0.15 * S_E - S_I + 0.7 * 0.382 + current[1]
    return H(x_E, 310 * gain[0], 125 * gain[0], 0.16), H(x_I, 615 * gain[1], 177 * gain[1], 0.087)


def test_currents_and_gains_enter_the_rates(x64):
    """Deco et al. 2018: the gain scales the current above threshold. Plain numbers are nA."""
    S, c, current, gain = np.array([[0.1, 0.3], [0.05, 0.1]]), 0.2, (0.03, -0.02), (1.3, np.array([1.0, 0.8]))
    node = WongWangExcInhStep(2, gain_e=gain[0], gain_i=gain[1])
    found = plain(node, S, c, 0.0, 0.0, current[0] * u.nA, current[1] * u.nA)
    r = deco_2014(*S, 1.0, c, current, gain)
    truth = [-S[0] / 100 + (1 - S[0]) * 0.641e-3 * r[0], -S[1] / 10 + 1e-3 * r[1]]
    np.testing.assert_allclose(found, truth, rtol=1e-12)
    node.init_state()
    with brainstate.environ.context(dt=0.1 * u.ms):
        node.update(c, current[0], -20.0 * u.pA)
    S = node.S_e.value, node.S_i.value
    for rate, expected in zip((node.H_e(), node.H_i()), deco_2014(*S, 1.0, c, current, gain), strict=True):
        np.testing.assert_allclose(rate, expected, rtol=1e-12)
    np.testing.assert_allclose(node.H_e(0.0, 0.0), deco_2014(*S, 1.0, 0.0, (0.0, 0.0), gain)[0], rtol=1e-12)
    message = "`current_i` of WongWangExcInhStep"
    with brainstate.environ.context(dt=0.1 * u.ms), pytest.raises(u.UnitMismatchError, match=message):
        node.update(current_i=1 * u.mV)


@pytest.mark.slow
def test_a_projection_onto_inhibition(x64):
    """A population excites the inhibitory pool of another; the balance at rest takes the current into account."""
    node = WongWangExcInhStep(2, G=0.5)
    onto = brainmass.Projection(
        np.array([[0.0, 0.1], [0.2, 0.0]]), coupled_var="S_e", coupling="additive", port="current_i"
    )
    net = brainmass.Network(node, conn=1 - np.eye(2), coupling="additive", coupled_var="S_e", projections=[onto])
    node.J_i = brainmass.feedback_inhibition(net, 3.0 * u.Hz)
    brainstate.nn.init_all_states(net)
    run(net, 40_000, 0.5)
    np.testing.assert_allclose(node.H_e(), 3.0, rtol=1e-6)
    x_I = 0.15 * node.S_e.value + 0.7 * 0.382 - node.S_i.value + np.array([0.1, 0.2]) * node.S_e.value[::-1]
    np.testing.assert_allclose(node.H_i(), H(x_I, 615, 177, 0.087), rtol=1e-6)


def test_inhibition_that_balances_itself(x64):
    """An isolated region comes to the inhibition that is the root of the equations at rest, from both sides."""
    S_E = 0.0641 * 3 / (1 + 0.0641 * 3)
    S_I = brentq(lambda S: S - 0.01 * H(0.15 * S_E - S + 0.7 * 0.382, 615, 177, 0.087), 0, 1, xtol=1e-15)
    J = brentq(lambda J: deco_2014(S_E, S_I, J, 0.0)[0] - 3, 0, 3, xtol=1e-15)
    node = brainmass.WongWangPlasticInhibitionStep(2, init_J_i=lambda shape: jnp.array([0.5, 1.5]), gamma=1e-4)
    node.init_state()
    run(node, 60_000, 0.5)
    np.testing.assert_allclose(node.J_i.value, J, rtol=1e-6)
    np.testing.assert_allclose(node.H_e(), 3.0, rtol=1e-6)
    S = jnp.array([0.1, 0.3]), jnp.array([0.05, 0.1]), jnp.array([0.8, 1.2])
    r = deco_2014(*S, 0.2, (0.03, -0.02))
    found = plain(node, S, 0.2, 0.0, 0.0, 0.03 * u.nA, -0.02 * u.nA)[2]
    np.testing.assert_allclose(found, 1e-4 * r[1] * (r[0] - 3), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("G", [0.4, 1.2])
def test_a_brain_that_balances_itself(G):
    """The rates and the inhibition of `feedback_inhibition`, within 2 %."""
    conn = brainmass.datasets.load_dataset("hcp_schaefer100").connectome.normalize("spectral")
    sent = {"conn": conn, "coupling": "additive", "coupled_var": "S_e"}
    J = brainmass.feedback_inhibition(brainmass.Network(WongWangExcInhStep(100, G=G), **sent), 3.06 * u.Hz)
    node = brainmass.WongWangPlasticInhibitionStep(100, G=G, rho=3.06)
    result = brainmass.Simulator(brainmass.Network(node, **sent), dt=1 * u.ms).run(
        40 * u.second, monitors={"rate": lambda m: m.node.H_e(), "J_i": "J_i"}, sample_every=10 * u.second, seed=0
    )
    np.testing.assert_allclose(result["rate"][-1], 3.06, rtol=0.02)
    np.testing.assert_allclose(result["J_i"][-1], J, rtol=0.02)


# --- one pool per region ------------------------------------------------------------------------------------
@pytest.mark.parametrize("I_0, published", [(0.30, 0.0344), (0.32, 0.0857), (0.33, 0.1896)])
def test_the_reduced_model_rests_where_published(I_0, published, x64):
    """Deco et al. 2013 at w = 0.9, J_N = 0.2609 nA: one state, from below and from above, and its rate."""
    S = brentq(lambda S: -S / 100 + (1 - S) * 0.641e-3 * H(0.9 * 0.2609 * S + I_0), 1e-4, 0.3, xtol=1e-14)
    assert S == pytest.approx(published, abs=5e-5)
    node = ReducedWongWangStep(2, I_0=I_0 * u.nA, init_S=lambda shape: jnp.array([0.0, 0.9]))
    result = brainmass.Simulator(node, dt=2 * u.ms).run(
        25 * u.second, monitors={"S": "S", "H": lambda m: m.H()}, seed=0
    )
    np.testing.assert_allclose(result["S"][-1], S, rtol=1e-6)
    np.testing.assert_allclose(result["H"][-1].to_decimal(u.Hz), H(0.9 * 0.2609 * S + I_0), rtol=1e-6)


def test_the_reduced_model_hears_its_network_and_a_current(x64):
    """G J_N times the weighted sum, and nA beside it, as in the paper's equations."""
    S, c = np.array([0.1, 0.5, 0.8]), np.array([0.3, 0.0, 1.2])
    x = 0.2609 * (0.9 * S + 1.5 * c) + 0.3 + 0.01
    expected = -S / 100 + (1 - S) * 0.641e-3 * H(x) + 0.002
    node = ReducedWongWangStep(3, G=1.5)
    np.testing.assert_allclose(plain(node, [S], c, 0.002, 0.01 * u.nA)[0], expected, rtol=1e-12)


def test_a_second_state_appears_in_a_coupled_brain(x64):
    """With the same strength in every region all are equal: for G = 1 and strength s the roots are those of w + s.

    From w + s = 1.0 on at I_0 = 0.32 nA there are two stable states (Deco et al. 2013: bistable beyond a critical G).
    """
    weights = (np.ones((4, 4)) - np.eye(4)) * 0.1 / 3
    ends = []
    for start in 0.0, 0.9:
        node = ReducedWongWangStep(4, I_0=0.32 * u.nA, init_S=lambda shape, start=start: jnp.full(shape, start))
        net = brainmass.Network(node, conn=weights, coupling="additive", coupled_var="S")
        ends.append(brainmass.Simulator(net, dt=2 * u.ms).run(20 * u.second, monitors=["S"], seed=0)["S"][-1])
    roots = [
        brentq(lambda S: -S / 100 + (1 - S) * 0.641e-3 * H(0.2609 * S + 0.32), *between, xtol=1e-14)
        for between in ((0.01, 0.2), (0.46, 0.9))
    ]
    np.testing.assert_allclose(ends, [[roots[0]] * 4, [roots[1]] * 4], rtol=1e-5)
