"""Jansen–Rit columns against the paper's equations in numpy, published bifurcations, and scipy."""

import inspect

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brainstate.nn import Param
from braintools.init import Constant
from scipy.integrate import solve_ivp
from scipy.linalg import solve_discrete_lyapunov
from scipy.optimize import brentq

from brainmass.dynamics.noise import GaussianNoise, OUProcess
from brainmass.models.jansen_rit.connectivity import LaplacianConnectivity
from brainmass.models.jansen_rit.firing_rates import Identity
from brainmass.models.jansen_rit.step import JansenRitStep
from brainmass.models.jansen_rit.tr import JansenRitTR
from brainmass.network.network import Network

mV, Hz, per_s = u.mV, u.Hz, u.mV / u.second
UNITS = (mV, mV, mV, per_s, per_s, per_s)

# Jansen & Rit 1995, section 3: A, B in mV; a, b in 1/s
A, B, a, b, C = 3.25, 22.0, 100.0, 50.0, 135.0


def S(v, e0=2.5, v0=6.0, r=0.56):
    return 2 * e0 / (1 + np.exp(r * (v0 - v)))


def paper(y, p=0.0):
    """Equation 6 of the paper, y0 ... y5, per second."""
    y0, y1, y2, y3, y4, y5 = y
    return np.array(
        [
            y3,
            y4,
            y5,
            A * a * S(y1 - y2) - 2 * a * y3 - a**2 * y0,
            A * a * (p + 0.8 * C * S(C * y0)) - 2 * a * y4 - a**2 * y1,
            B * b * 0.25 * C * S(0.25 * C * y0) - 2 * b * y5 - b**2 * y2,
        ]
    )


def rates(node, y, M_inp=0.0, E_inp=0.0, I_inp=0.0):
    """The model's derivative as numbers, in mV and seconds."""
    state = tuple(jnp.atleast_1d(x) * unit for x, unit in zip(y, UNITS, strict=True))
    found = node.derivative(state, 0 * u.ms, M_inp * mV, E_inp * Hz, I_inp * mV)
    return jnp.stack([x.to_decimal(unit / u.second) for x, unit in zip(found, UNITS, strict=True)])


def run(node, n_steps, dt=0.1, **inputs):
    """The EEG in mV, shape (time, regions)."""
    if not hasattr(node, "M"):
        node.init_state()
    with brainstate.environ.context(dt=dt * u.ms):
        eeg = brainstate.transform.for_loop(lambda i: node.update(**inputs), np.arange(n_steps))
    return np.asarray(eeg.to_decimal(mV))


# --- the equations ------------------------------------------------------------------------------------------------
def test_right_hand_side_is_the_papers(x64):
    y = np.random.default_rng(0).normal(size=(6, 4)) * [[0.1], [20], [15], [5], [800], [600]]
    node = JansenRitStep(4)
    np.testing.assert_allclose(rates(node, y, E_inp=187.0), paper(y, 187.0), rtol=1e-12)


def test_right_hand_side_with_all_parameters_and_ports(x64):
    Ae, Ai, be, bi, C, a1, a2, a3, a4, s_max, v0, r = 4.1, 19.0, 80.0, 60.0, 110.0, 0.9, 0.7, 0.3, 0.2, 6.0, 5.0, 0.4
    y = np.random.default_rng(1).normal(size=(6, 3)) * [[0.1], [9], [7], [5], [80], [60]]
    M, E, I, Mv, Ev, Iv = y  # noqa: E741
    names = dict(C=C, a1=a1, a2=a2, a3=a3, a4=a4, r=r)
    node = JansenRitStep(
        3,
        Ae=Ae * mV,
        Ai=Ai * mV,
        be=be * Hz,
        bi=bi * Hz,
        s_max=s_max * Hz,
        v0=v0 * mV,
        fr_scale=lambda x: 2 * x,
        **names,
    )
    m, e, i = 0.8, 150.0, -1.3

    def S(v):
        return s_max / (1 + np.exp(r * (v0 - v)))

    expected = [
        Mv,
        Ev,
        Iv,
        Ae * be * 2 * S(E - I + m) - 2 * be * Mv - be**2 * M,
        Ae * be * 2 * (e + C * a2 * S(C * a1 * M)) - 2 * be * Ev - be**2 * E,
        Ai * bi * 2 * C * a4 * S(C * a3 * M + i) - 2 * bi * Iv - bi**2 * I,
    ]
    np.testing.assert_allclose(rates(node, y, m, e, i), expected, rtol=1e-12)


def test_steepness_per_mV_with_or_without_its_unit(x64):
    v = np.array([-3.0, 6.0, 11.0]) * mV
    for r in 0.56, 0.56 / mV, 560 / u.volt:
        np.testing.assert_allclose(JansenRitStep(3, r=r).S(v).to_decimal(Hz), S(v.to_decimal(mV)), rtol=1e-12)


@pytest.mark.parametrize("given", [{"p": 220.0}, {"E_inp": 0.22 / u.ms}], ids=str)
def test_trajectory_against_scipy(given, x64):
    """A plain number is read in Hz; 0.22/ms is converted to it."""
    truth = solve_ivp(lambda t, y: paper(y, 220.0), (0, 0.5), np.zeros(6), "DOP853", rtol=1e-11, atol=1e-11)
    node = JansenRitStep(1, method="rk4")
    run(node, 5000, **given)
    final = [float(x.to_decimal(unit)[0]) for x, unit in zip(node.state_values().values(), UNITS, strict=True)]
    np.testing.assert_allclose(final, truth.y[:, -1], rtol=1e-6)


def test_exponential_euler_holds_the_other_states(x64):
    """Positions take an Euler step with the old velocity; a velocity decays exactly with its rate 2a or 2b."""
    y = np.array([0.08, 12.0, 9.0, 3.0, 150.0, -90.0])
    node, dt = JansenRitStep(1, method="exp_euler"), 0.5e-3
    node.init_state()
    for name, value, unit in zip(node._states, y, UNITS, strict=True):
        getattr(node, name).value = jnp.array([value]) * unit
    run(node, 1, dt=0.5, p=200.0)
    slope, rate = paper(y, 200.0), np.array([2 * a, 2 * a, 2 * b])
    expected = y + np.concatenate([dt * slope[:3], slope[3:] * -np.expm1(-rate * dt) / rate])
    found = [x.to_decimal(unit)[0] for x, unit in zip(node.state_values().values(), UNITS, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("v, rate", [(-1e5, 0.0), (1e5, 5.0)])
def test_sigmoid_does_not_overflow_in_single_precision(v, rate):
    node = JansenRitStep(1)
    assert float(node.S(v * mV).to_decimal(Hz)) == rate
    assert float(jax.grad(lambda v: node.S(v * mV).to_decimal(Hz))(v)) == 0.0


# --- what the paper says of it ------------------------------------------------------------------------------------
def p_of(y):
    """The input at which the column rests with y = y1 − y2."""
    M = A / a * S(y)
    return a / A * (y + B / b * 0.25 * C * S(0.25 * C * M)) - 0.8 * C * S(C * M)


def resting(y):
    M = A / a * S(y)
    inhibition = B / b * 0.25 * C * S(0.25 * C * M)
    return np.array([M, y + inhibition, inhibition, 0.0, 0.0, 0.0])


def p_slope(y):
    def slope(v):
        return 0.56 * S(v) * (1 - S(v) / 5)

    M, dM = A / a * S(y), A / a * slope(y)
    inhibition = B / b * (0.25 * C) ** 2 * slope(0.25 * C * M) * dM
    return a / A * (1 + inhibition) - 0.8 * C**2 * slope(C * M) * dM


def test_folds_and_hopf_points(x64):
    """Grimbert, Faugeras 2006, Neural Comput. 18:3052: a fold at p = 113.59, Hopf points at −12.15, 89.83, 315.70.

    The folds are where dp/dy = 0 on the curve of equilibria, the Hopf points where a complex pair of eigenvalues of our
    Jacobian crosses the imaginary axis.
    """
    node = JansenRitStep(1)
    jacobian = jax.jit(jax.jacfwd(lambda x, p: rates(node, x, E_inp=p)[:, 0]))

    def eigenvalues(y):
        return np.linalg.eigvals(jacobian(jnp.asarray(resting(y)), p_of(y)))

    def growth(y):
        pairs = [z.real for z in eigenvalues(y) if z.imag > 1.0]  # below 1 rad/s two real ones are about to meet
        return max(pairs, default=np.nan)

    fold = brentq(p_slope, 2.0, 4.0, xtol=1e-13)
    assert p_of(fold) == pytest.approx(113.59, abs=0.005)
    assert np.abs(eigenvalues(fold)).min() == pytest.approx(0.0, abs=1e-6)

    grid = np.arange(4.0, 12.0, 0.1)
    values = np.array([growth(y) for y in grid])
    changes = [i for i in range(len(grid) - 1) if values[i] * values[i + 1] < 0]
    hopf = [brentq(growth, grid[i], grid[i + 1], xtol=1e-10) for i in changes]
    hopf = [y for y in hopf if abs(growth(y)) < 1e-6]  # not where another pair takes the lead
    np.testing.assert_allclose([p_of(y) for y in hopf], [-12.15, 89.83, 315.70], atol=0.005)
    for y in hopf:
        np.testing.assert_allclose(rates(node, resting(y), E_inp=p_of(y)), 0.0, atol=1e-8)


def test_alpha_rhythm(x64):
    """At p = 220 Hz a limit cycle of 10.94 Hz; the frequency is that of upward crossings of the mean."""
    dt, n = 1e-4, 200_000
    eeg = run(JansenRitStep.preset("alpha", 1, method="rk4"), n, p=220.0)[n // 2 :, 0]
    z = eeg - (eeg.max() + eeg.min()) / 2
    up = np.flatnonzero((z[:-1] < 0) & (z[1:] >= 0))
    times = (up - z[up] / (z[up + 1] - z[up])) * dt
    frequency = (len(times) - 1) / (times[-1] - times[0])
    assert frequency == pytest.approx(10.94, abs=0.005)
    assert 1.0 < np.ptp(eeg) < 10.0


def test_at_rest_without_input(x64):
    """p = 0: from silence the column settles at the lowest of its three equilibria."""
    grid = np.linspace(-5, 12, 500)
    roots = [brentq(p_of, lo, hi) for lo, hi in zip(grid[:-1], grid[1:], strict=True) if p_of(lo) * p_of(hi) < 0]
    assert len(roots) == 3
    eeg = run(JansenRitStep(1), 10_000)
    assert eeg[-1, 0] == pytest.approx(roots[0], abs=1e-8)


# --- ports --------------------------------------------------------------------------------------------------------
def test_p_and_its_port_together_are_refused():
    node = JansenRitStep(1)
    node.init_state()
    with brainstate.environ.context(dt=0.1 * u.ms), pytest.raises(TypeError, match="both .*`E_inp`"):
        node.update(p=220.0, E_inp=220.0 * Hz)


def test_noise_enters_the_port_of_its_name(x64):
    """One Euler step from rest with noises that are their means."""
    means = {"noise_M": 1.5 * mV, "noise_E": 200.0 * Hz, "noise_I": -4.0 * mV}
    noises = {name: GaussianNoise(1, mean=mean, sigma=0.0 * mean) for name, mean in means.items()}
    node = JansenRitStep(1, method="euler", **noises)
    run(node, 1, dt=0.1)
    forces = A * a * S(1.5), A * a * (200 + 0.8 * C * S(0.0)), B * b * 0.25 * C * S(-4.0)
    velocities = [x.value.to_decimal(per_s)[0] for x in (node.Mv, node.Ev, node.Iv)]
    np.testing.assert_allclose(velocities, np.multiply(forces, 1e-4), rtol=1e-12)


def test_noise_in_the_unit_of_a_current_is_refused():
    node = JansenRitStep(1)
    node.noise = OUProcess(1)
    assert node.noise_E is node.noise
    brainstate.nn.init_all_states(node)
    with brainstate.environ.context(dt=0.1 * u.ms), pytest.raises(u.UnitMismatchError, match="`E_inp`.*`noise_E`"):
        node.update()


def test_example_of_the_documentation():
    """`update(p=220.)` for 5000 steps of 0.1 ms gives the EEG, in mV."""
    brainstate.environ.set(dt=0.1 * u.ms)
    jr = JansenRitStep(in_size=1)
    jr.init_all_states()
    eeg = brainstate.transform.for_loop(lambda i: jr.update(p=220.0), jnp.arange(5000))
    assert eeg.shape == (5000, 1) and u.get_unit(eeg) == mV
    assert np.ptp(eeg[2000:].to_decimal(mV)) > 1.0


def test_network_of_columns_sends_the_eeg(x64):
    """p_i = k Σ_j w_ij (E_j − I_j), from j to i."""
    W = np.array([[0.0, 2.0, 0.5], [0.0, 0.0, 1.0], [3.0, 0.0, 0.0]])
    y = np.random.default_rng(2).normal(size=(6, 3)) * [[0.1], [9], [7], [5], [80], [60]]
    node = JansenRitStep(3)
    node.init_state()
    net = Network(node, conn=W, coupling="additive", coupled_var="eeg", k=7.0 * Hz / mV)
    state = tuple(jnp.asarray(x) * unit for x, unit in zip(y, UNITS, strict=True))
    found = net.derivative(state, 0 * u.ms)
    expected = paper(y, 7.0 * W @ (y[1] - y[2]))
    np.testing.assert_allclose(found[4].to_decimal(mV / u.second**2), expected[4], rtol=1e-12)
    bare = Network(node, conn=W, coupling="additive", coupled_var="eeg")
    with pytest.raises(u.UnitMismatchError, match="`E_inp`"):
        bare.derivative(state, 0 * u.ms)


# --- columns per repetition time ----------------------------------------------------------------------------------
N = 3
RNG = np.random.default_rng(7)
SC = RNG.random((N, N)) * (1 - np.eye(N))
W_LL, W_FF, W_BB = RNG.normal(size=(3, N, N))
DELAY = np.array([[0.0, 1.2, 4.9], [3.0, 0.0, 2.0], [0.9, 6.1, 0.0]])  # ms
STEPS = np.array([[0, 1, 5], [3, 0, 2], [1, 6, 0]])  # in TRs of 1 ms
GAINS = dict(k=3.0, g_l=40.0, g_f=25.0, g_b=15.0)
BASE = dict(delay=DELAY * u.ms, sc=SC, w_ll=W_LL, w_ff=W_FF, w_bb=W_BB, **GAINS)


def columns(**others):
    model = JansenRitTR(N, **{**BASE, **others})
    assert model.step.method == "heun"
    model.step.method = "exp_euler"  # that of `numpy_tr`
    return model


def run_tr(model, inputs, dt=0.25, **options):
    with brainstate.environ.context(dt=dt * u.ms):
        brainstate.nn.init_all_states(model)
        return np.asarray(brainstate.transform.for_loop(lambda x: model.update(x, **options), jnp.asarray(inputs)))


def numpy_tr(inputs, dt, bound_states=True, bound_rates=True, mask=1.0, start=0.0, past=0.0):
    """Momi et al. 2023 step by step; `inputs` of shape (TR, step, N), exponential Euler as in the test above."""

    def normalised(B):
        return B / np.sqrt(np.sum(B**2)) * mask

    lateral = np.exp(W_LL) * SC
    W = [normalised((lateral + lateral.T) / 2), normalised(np.exp(W_FF) * SC), normalised(np.exp(W_BB) * SC)]
    d = [w.sum(1) for w in W]
    g_l, g_f, g_b = GAINS["g_l"], GAINS["g_f"], GAINS["g_b"]
    y, history, out = np.full((6, N), start), [np.full(N, past)] * 10, []
    for rows in inputs:
        history.append(y[0].copy())
        x = np.array([[history[-1 - STEPS[i, j]][j] for j in range(N)] for i in range(N)])
        LE = [(w * x).sum(1) for w in W]
        for row in rows:
            eeg = y[1] - y[2]
            m = g_l * (LE[0] - d[0] * y[0]) + GAINS["k"] * row
            e = g_f * (LE[1] - d[1] * eeg)
            i = -g_b * (LE[2] - d[2] * eeg)
            drive = [S(eeg + m), e + 0.8 * C * S(C * y[0]), 0.25 * C * S(0.25 * C * y[0] + i)]
            if bound_rates:
                drive = [500 * np.tanh(x / 500) for x in drive]
            new = y.copy()
            for n, (gain, rate) in enumerate([(A, a), (A, a), (B, b)]):
                force = gain * rate * drive[n] - 2 * rate * y[n + 3] - rate**2 * y[n]
                new[n] += dt * y[n + 3]
                new[n + 3] += force * -np.expm1(-2 * rate * dt) / (2 * rate)
            y = np.clip(new, -1000, 1000) if bound_states else new
        out.append(y[1] - y[2])
    return np.array(out)


@pytest.mark.parametrize("states, rates", [(True, False), (False, True)])
def test_tr_against_numpy(states, rates, x64):
    """An input, and a start, so strong that each saturation shows by itself."""
    u_t = 40 + 20 * RNG.normal(size=(25, N))
    model = columns(state_saturation=states, input_saturation=rates, state_init=Constant(1500.0))
    found = run_tr(model, u_t)
    per_step = np.repeat(u_t[:, None], 4, axis=1)
    with np.errstate(over="ignore"):  # of a rate far below threshold
        truth, *wrong = (
            numpy_tr(per_step, 0.25e-3, *flags, start=1500.0)
            for flags in ((states, rates), (not states, rates), (states, not rates))
        )
    np.testing.assert_allclose(found, truth, rtol=1e-9)
    assert all(np.abs(found - other).max() > 1e-3 for other in wrong)


def test_tr_against_numpy_with_mask_starts_and_an_input_per_step(x64):
    u_t, mask = RNG.normal(size=(20, 4, N)), np.array([[1.0, 0, 1], [0.5, 1, 1], [1, 1, 0]])
    model = columns(mask=mask, state_init=Constant(0.3), delay_init=Constant(0.2 * mV))
    found = run_tr(model, u_t, iter_input=True)
    truth = numpy_tr(u_t, 0.25e-3, mask=mask, start=0.3, past=0.2)
    np.testing.assert_allclose(found, truth, rtol=1e-9)


def test_delays_act_in_whole_repetition_times():
    """2 ms are 8 steps of 0.25 ms, and 20 of 0.1 ms: two repetition times either way."""
    for dt, count in (0.25, 8), (0.1, 20):
        with brainstate.environ.context(dt=dt * u.ms):
            np.testing.assert_array_equal(columns(delay=count).delayed.steps(), np.full((N, N), 2))
            np.testing.assert_array_equal(columns(delay=2.0 * u.ms).delayed.steps(), np.full((N, N), 2))
            np.testing.assert_array_equal(columns().delayed.steps(), STEPS)
    assert columns(tr=2.5 * u.ms).delayed.steps().max() == 2  # 6.1 ms


def test_a_delay_longer_than_the_history_is_refused():
    model = columns(delay=8)
    with brainstate.environ.context(dt=0.25 * u.ms):
        brainstate.nn.init_all_states(model)
    with brainstate.environ.context(dt=0.5 * u.ms), pytest.raises(ValueError, match="longer delay"):
        model.update(1.0)


def test_output_states_and_reset(x64):
    model = columns(tr=2 * u.ms)
    with brainstate.environ.context(dt=0.5 * u.ms):
        brainstate.nn.init_all_states(model)
        update = brainstate.transform.jit(lambda: model.update(1.0, record_state=True))
        first, second = update(), update()
        model.reset_state()
        again = update()
    eeg, states = first
    assert set(states) == {"M", "E", "I", "Mv", "Ev", "Iv"} and eeg.shape == (N,)
    np.testing.assert_array_equal(eeg, (states["E"] - states["I"]).to_decimal(mV))
    np.testing.assert_array_equal(again[0], eeg)
    assert np.all(second[0] != eeg)


def test_batch(x64):
    """Each member of a batch, in a compiled function, follows the numpy columns."""
    u_t = RNG.normal(size=(10, 2, N))
    model = columns()
    with brainstate.environ.context(dt=0.5 * u.ms):
        brainstate.nn.init_all_states(model, batch_size=2)
        batch = brainstate.transform.jit(lambda u_t: brainstate.transform.for_loop(model.update, u_t))(u_t)
    for n in range(2):
        np.testing.assert_allclose(batch[:, n], numpy_tr(np.repeat(u_t[:, None, n], 2, 1), 0.5e-3), rtol=1e-9)


def power(values):
    """Mean square of the output for parameters of these values."""
    model = columns(**values)
    with brainstate.environ.context(dt=0.5 * u.ms):
        brainstate.nn.init_all_states(model)
        eeg = brainstate.transform.for_loop(model.update, jnp.full((12, N), 2.0))
    return jnp.mean(eeg**2)


@pytest.mark.slow
def test_gradient_of_the_power(x64):
    """In every parameter, along a direction, against central differences."""
    values = {name: jnp.asarray(BASE[name]) for name in ("w_ll", "w_ff", "w_bb", "g_l", "g_f", "g_b", "k")}
    evaluate, slopes = jax.jit(power), jax.grad(power)(values)
    for name, value in values.items():
        direction = np.random.default_rng(3).normal(size=value.shape)
        h = 1e-4 * max(1.0, float(jnp.abs(value).max()))
        above, below = (evaluate(values | {name: value + s * h * direction}) for s in (1, -1))
        expected = float(above - below) / (2 * h)
        assert float(jnp.sum(slopes[name] * direction)) == pytest.approx(expected, rel=1e-6), name
        assert abs(expected) > 1e-9, name


def test_trainable_log_gains(x64):
    """brainstate's gradient in a fitted parameter; a log-gain without a connection, here the diagonal, has none."""
    model = columns(w_ll=Param(W_LL, fit=True), state_init=Constant(0.3), tr=4 * u.ms)

    model.step.method = "euler"

    def output():
        brainstate.nn.init_all_states(model)
        return jnp.mean(model.update(20.0) ** 2)

    gradient = brainstate.transform.grad(output, brainstate.graph.states(model, brainstate.ParamState))
    with brainstate.environ.context(dt=0.5 * u.ms):
        (slopes,) = brainstate.transform.jit(gradient)().values()
    assert np.all(np.isfinite(slopes))
    np.testing.assert_array_equal(np.asarray(slopes) != 0, ~np.eye(N, dtype=bool))


@pytest.mark.few(1)
@pytest.mark.parametrize("dt", [0.4, 0.1])
def test_strength_of_the_noise_does_not_depend_on_dt(dt, x64):
    """Silent columns: E is p(t) seen through A a t e^(−a t), so its variance is A² σ² ms / (4 a)."""
    sigma = 30.0
    silent = dict(g_l=0.0, g_f=0.0, g_b=0.0, state_saturation=False, input_saturation=False, tr=2 * u.ms)
    model = columns(std_in=sigma, **silent)
    model.step.s_max, model.step.method = 1e-9 * Hz, "euler"
    with brainstate.environ.context(dt=dt * u.ms):
        brainstate.nn.init_all_states(model, batch_size=1000)
        brainstate.transform.for_loop(lambda i: model.update(0.0), np.arange(40))
    E = np.asarray(model.step.E.value.to_decimal(mV))
    h = dt * 1e-3
    step = np.array([[1, h], [-(a**2) * h, 1 - 2 * a * h]])  # Euler's method
    drive = np.array([[0.0], [h * A * a * sigma / np.sqrt(dt)]])
    exact = solve_discrete_lyapunov(step, drive @ drive.T)[0, 0]
    assert exact == pytest.approx(A**2 * sigma**2 * 1e-3 / (4 * a), rel=0.06)
    assert E.var() == pytest.approx(exact, rel=0.12)
    assert np.corrcoef(E.T)[0, 1] == pytest.approx(0.0, abs=0.12)


def test_signature():
    names = "in_size delay sc k w_ll w_ff w_bb g_l g_f g_b std_in mask state_saturation input_saturation"
    assert list(inspect.signature(JansenRitTR).parameters) == [*names.split(), "state_init", "delay_init", "tr"]
    names = "delayed_x M E I sc w_ll w_ff w_bb g_l g_f g_b mask"
    assert list(inspect.signature(LaplacianConnectivity).parameters) == names.split()
    names = "Ae Ai be bi C a1 a2 a3 a4 s_max v0 r M_init E_init I_init Mv_init Ev_init Iv_init fr_scale"
    shown = inspect.signature(JansenRitStep).parameters
    others = ["noise_E", "noise_I", "noise_M", "method", "clamp", "name"]
    assert list(shown) == ["in_size", *names.split(), *others]
    assert shown["fr_scale"].default == Identity("any", thing=1) and shown["fr_scale"].default(3.0) == 3.0


# --- its connectivity ---------------------------------------------------------------------------------------------
def connectivity(sc=SC, w_ll=W_LL, w_ff=W_FF, w_bb=W_BB, **others):
    x = np.arange(9.0).reshape(3, 3) * mV
    state = dict(M=np.array([1.0, 2, 3]), E=np.array([5.0, 4, 7]), I=np.array([2.0, 3, 1]))
    return LaplacianConnectivity(
        lambda: x, *((lambda v=v: v * mV) for v in state.values()), sc, w_ll, w_ff, w_bb, **others
    )


def test_connectivity_closed_form(x64):
    """With g = 1 and equal weights w/‖w‖ between two of three regions: sums by hand."""
    sc = np.array([[0.0, 3, 0], [3, 0, 0], [0, 0, 0]])
    conn = connectivity(sc, 0.4, -1.0, 2.0, g_l=2.0, g_f=3.0, g_b=5.0)
    w = 1 / np.sqrt(2)
    M_inp, E_inp, I_inp = conn.update(conn.update_tr())
    arriving, eeg = np.array([1.0, 3.0]), np.array([3.0, 1.0])  # x[0, 1], x[1, 0]
    np.testing.assert_allclose(M_inp.to_decimal(mV), [*(2 * w * (arriving - [1, 2])), 0], atol=1e-14)
    np.testing.assert_allclose(E_inp.to_decimal(Hz), [*(3 * w * (arriving - eeg)), 0], atol=1e-14)
    np.testing.assert_allclose(I_inp.to_decimal(mV), [*(-5 * w * (arriving - eeg)), 0], atol=1e-14)


def test_weights_are_normalised_and_the_lateral_ones_symmetric(x64):
    lateral, forward, backward = map(np.asarray, connectivity().weights())
    np.testing.assert_allclose(lateral, lateral.T, rtol=1e-14)
    assert np.abs(forward - forward.T).max() > 0.01
    for matrix in lateral, forward, backward:
        assert np.sum(matrix**2) == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(forward / forward[0, 1], np.exp(W_FF) * SC / (np.exp(W_FF) * SC)[0, 1], rtol=1e-12)


@pytest.mark.parametrize("shift", [-300.0, 300.0])
def test_large_log_gains_neither_overflow_nor_vanish(shift):
    """In single precision: a common factor leaves the weights as they are, and their gradient finite."""
    away = np.where(SC == 0, 900.0, W_FF + shift)  # where there is no connection the log-gain does not matter

    def weights(w):
        return connectivity(w_ff=w).weights()[1]

    np.testing.assert_allclose(weights(away), weights(W_FF), rtol=1e-4)
    assert np.all(np.isfinite(jax.grad(lambda w: jnp.sum(weights(w) ** 3))(jnp.asarray(away))))


# --- what is refused ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "given, error, words",
    [
        ({"sc": np.zeros((N, N))}, ValueError, "`sc` .* must have a connection, but is zero everywhere"),
        ({"sc": -SC}, ValueError, "`sc` .* must be >= 0"),
        ({"sc": np.ones((N, N + 1))}, ValueError, r"`sc` of JansenRitTR must have one row and one column per region"),
        ({"delay": -DELAY * u.ms}, ValueError, "`delay` of JansenRitTR .* must be >= 0"),
        ({"delay": DELAY * mV}, u.UnitMismatchError, "`delay` of JansenRitTR"),
        ({"delay": np.ones(4)}, ValueError, "`delay` of JansenRitTR"),
        ({"w_bb": np.ones(5)}, ValueError, "`w_bb` of LaplacianConnectivity"),
        ({"w_ll": np.nan}, ValueError, "`w_ll` of LaplacianConnectivity .* must be finite"),
        ({"g_f": np.ones(4)}, ValueError, "`g_f` of LaplacianConnectivity"),
        ({"k": 1.0 * mV}, u.UnitMismatchError, "`k` of JansenRitTR"),
        ({"std_in": -1.0}, ValueError, "`std_in` of JansenRitTR .* must be >= 0"),
        ({"tr": 1.0}, u.UnitMismatchError, "`tr` of JansenRitTR .*unit like ms"),
        ({"tr": 0.0 * u.ms}, ValueError, "`tr` of JansenRitTR .* must be > 0"),
        ({"in_size": 0}, ValueError, "`in_size` of JansenRitTR"),
        ({"state_init": Constant(1.0 * u.nA)}, u.UnitMismatchError, "`M_init`"),
        ({"delay_init": Constant(1.0 * u.nA)}, u.UnitMismatchError, "`delay_init` of JansenRitTR"),
    ],
)
def test_tr_refuses(given, error, words):
    with brainstate.environ.context(dt=0.1 * u.ms), pytest.raises(error, match=words):
        brainstate.nn.init_all_states(JansenRitTR(**{"in_size": N, **BASE, **given}))


@pytest.mark.parametrize("dt", [0.3, 0.7, 2.0])
def test_tr_must_be_a_multiple_of_dt(dt):
    model = columns()
    with brainstate.environ.context(dt=dt * u.ms):
        brainstate.nn.init_all_states(model)
        with pytest.raises(ValueError, match="`tr` of JansenRitTR .* must be a multiple of dt"):
            model.update(1.0)


def test_tr_counts_steps_by_rounding():
    """1 ms / 0.1 ms is 10, where 0.3 ms / 0.1 ms truncates to 2."""
    for tr, steps in (1.0, 10), (0.3, 3), (0.7, 7):
        with brainstate.environ.context(dt=0.1 * u.ms):
            assert columns(tr=tr * u.ms).inner_steps() == steps


def test_inputs_of_the_wrong_kind_are_refused():
    model = columns()
    with brainstate.environ.context(dt=0.25 * u.ms):
        brainstate.nn.init_all_states(model)
        with pytest.raises(ValueError, match="`input` of JansenRitTR.update must have one row per step of dt, 4"):
            model.update(np.ones((5, N)), iter_input=True)
        with pytest.raises(u.UnitMismatchError, match="`input` of JansenRitTR"):
            model.update(1.0 * u.nA)
        with pytest.raises(ValueError, match="`input` of JansenRitTR must be a scalar or fit the shape"):
            model.update(np.ones(N + 1))
