"""Feedback: Riccati's gains by scipy, delays by Lambert's W, filters by eigenvalues, and its training; refusals."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import Param
from braintools.init import Uniform
from scipy.linalg import expm, solve_continuous_are, solve_discrete_are
from scipy.special import lambertw

import brainmass as bm
from brainmass import LinearFeedback, PolicyFeedback

W = np.array([[0.0, 0.8, 0.0], [0.0, 0.0, 0.5], [0.6, 0.0, 0.0]])
A, SITES = W - 0.5 * np.eye(3), [0, 1]
B = np.eye(3)[:, SITES]
Q, R = 2.0, 0.5
COST = [bm.TrackingCost("x", 0.0, Q), bm.EnergyCost(R)]


def network(dt, **options):
    node = bm.LinearStep(3, gamma=-0.5, method="rk4", **options)
    return bm.Simulator(bm.Network(node, conn=W, coupling="additive", coupled_var="x"), dt=dt * u.ms)


def one(dt=0.01, gamma=0.0, **options):
    return bm.Simulator(bm.LinearStep(1, gamma=gamma, method="rk4", **options), dt=dt * u.ms)


def held(dt):
    """x after a step, for what is held through it: x' = A x + B u."""
    whole = expm(dt * np.block([[A, B], [np.zeros((2, 5))]]))
    return whole[:3, :3], whole[:3, 3:]


def regulator(dt):
    """Gain and matrix of costs of the discrete regulator."""
    Ad, Bd = held(dt)
    P = solve_discrete_are(Ad, Bd, Q * dt * np.eye(3), R * dt * np.eye(2))
    return np.linalg.solve(R * dt * np.eye(2) + Bd.T @ P @ Bd, Bd.T @ P @ Ad), P


# --- in a run --------------------------------------------------------------------------------------------------------
def test_feedback_enters_as_a_closed_loop_by_hand_does():
    simulator = network(0.1)
    feedback = LinearFeedback(3, "x", gain=[[1.0, 0.0, -0.5]], target=[0.2, 0.0, 0.4], bias=0.1, sites=[1])
    gain, target = jnp.array([1.0, 0.0, -0.5]), jnp.array([0.2, 0.0, 0.4])
    by_hand = lambda t, model: jnp.zeros(3).at[1].set(gain @ (target - model.node.x.value) + 0.1)  # noqa: E731
    settings = dict(state={"x": np.array([1.0, -0.5, 0.3])}, monitors=["x"])
    a, b = (simulator.run(3 * u.ms, inputs={"x_inp": x}, **settings)["x"] for x in (feedback, by_hand))
    np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("k", [0.5, 2.0])
def test_delayed_feedback_decays_and_grows_as_lambert_says(k, x64):
    """x' = -k x(t - τ): the slowest solution is exp(W(-k τ) t / τ)."""
    tau = 1.0
    feedback = LinearFeedback(1, "x", tau * u.ms, gain=k)
    run = one(0.002).run(30 * u.ms, inputs={"x_inp": feedback}, state={"x": 1.0}, monitors=["x", "inputs.x_inp"])
    x, rate = np.asarray(run["x"])[:, 0], lambertw(-k * tau) / tau
    late = np.arange(10000, 14000)
    # what solves a linear equation with this pair of rates: x(t + 2h) - 2 Re(e^{rate h}) x(t + h) + |e^{rate h}|^2 x(t)
    ahead = 400
    step = np.exp(rate * ahead * 0.002)
    rest = x[late + 2 * ahead] - 2 * step.real * x[late + ahead] + abs(step) ** 2 * x[late]
    assert np.abs(rest).max() < 0.01 * np.abs(x[late]).max() * abs(step) ** 2
    # what enters in a step is the state that was there a delay before the step
    np.testing.assert_allclose(run["inputs.x_inp"][501:, 0], -k * x[: 15000 - 501], rtol=1e-12)
    np.testing.assert_array_equal(run["inputs.x_inp"][:501, 0], -k)


def test_filtered_feedback_is_a_system_of_two(x64):
    """x' = -x - 2 y, 3 y' = x - y."""
    feedback = LinearFeedback(1, "x", gain=2.0, time_constant=3 * u.ms)
    x = one(0.002, gamma=-1.0).run(6 * u.ms, inputs={"x_inp": feedback}, state={"x": 1.0}, monitors=["x"])["x"]
    matrix = np.array([[-1.0, -2.0], [1 / 3, -1 / 3]])
    exact = [(expm(t * matrix) @ [1.0, 1.0])[0] for t in (1.0, 3.0, 6.0)]
    np.testing.assert_allclose(x[np.array([499, 1499, 2999]), 0], exact, atol=2e-3)


def test_limits_observed_regions_and_other_signals():
    simulator = network(0.1)
    feedback = LinearFeedback(3, "x", gain=10.0, sites=[2], observed=[0], limits=(-0.3, None))
    settings = dict(state={"x": np.array([1.0, -0.5, 0.3])}, monitors=["x", "inputs.x_inp"])
    entered = simulator.run(1 * u.ms, inputs={"x_inp": feedback}, **settings)["inputs.x_inp"]
    np.testing.assert_allclose(entered, np.array([[0.0, 0.0, -0.3]] * 10), atol=1e-6)
    mean = lambda model: model.node.x.value.mean()  # noqa: E731
    of_mean = LinearFeedback(3, mean, gain=[[1.0], [2.0], [3.0]], n_observed=1)
    entered = simulator.run(1 * u.ms, inputs={"x_inp": of_mean}, **settings)["inputs.x_inp"]
    np.testing.assert_allclose(entered[0], -np.array([1.0, 2.0, 3.0]) * 0.8 / 3, rtol=1e-5)


def test_a_forward_model_is_observed():
    simulator = bm.Simulator(bm.LinearStep(2, gamma=-1.0), dt=0.5 * u.ms)
    seen = bm.TemporalAverage(2 * u.ms, in_size=2)
    feedback = PolicyFeedback(2, "seen", policy=lambda x: 0.5 * x)
    run = simulator.run(
        10 * u.ms, inputs={"x_inp": feedback}, state={"x": 1.0}, monitors={"seen": bm.Monitor(seen, source="x"),
        "entered": "inputs.x_inp"},
    )  # fmt: skip
    # from the end of a period on, what was seen in it enters
    np.testing.assert_allclose(run["entered"][4::4], 0.5 * run["seen"][:-1], rtol=1e-6)


def test_a_run_goes_on_in_lanes_and_with_another_step():
    feedback = LinearFeedback(3, "x", 0.5 * u.ms, gain=1.0, time_constant=1 * u.ms)
    inputs = {"x_inp": feedback + bm.Pulse(3, amplitude=0.1, onset=1 * u.ms)}
    simulator, settings = network(0.1, init_x=Uniform(0.0, 1.0)), dict(inputs=inputs, monitors=["x"])
    whole = simulator.run(4 * u.ms, seed=1, **settings)["x"]
    first = simulator.run(1.7 * u.ms, seed=1, **settings)
    rest = simulator.run(2.3 * u.ms, state=first.final, **settings)["x"]
    np.testing.assert_array_equal(np.concatenate([first["x"], rest]), whole)
    lanes = simulator.run(4 * u.ms, seed=1, batch_size=3, **settings)["x"]
    alone = simulator.run(4 * u.ms, seed=jax.random.fold_in(jax.random.PRNGKey(1), 2), **settings)["x"]
    np.testing.assert_allclose(lanes[:, 2], alone, atol=1e-6)
    finer = network(0.05, init_x=Uniform(0.0, 1.0)).run(4 * u.ms, seed=1, **settings)["x"]
    np.testing.assert_allclose(finer[1::2], whole, atol=0.01)


def test_it_is_switched_on_and_off_between_runs():
    simulator, late = network(0.1), LinearFeedback(3, "x", 0.5 * u.ms, gain=1.0)
    free = simulator.run(1 * u.ms, state={"x": 1.0}, monitors=["x"])
    on = simulator.run(1 * u.ms, inputs={"x_inp": late}, state=free.final, monitors=["x", "inputs.x_inp"])
    # it begins to look when it is switched on
    np.testing.assert_allclose(on["inputs.x_inp"][:6], -np.tile(free["x"][-1], (6, 1)))
    off = simulator.run(1 * u.ms, state=on.final, monitors=["x"])
    again = simulator.run(1 * u.ms, state={"x": on["x"][-1]}, monitors=["x"])
    np.testing.assert_allclose(off["x"], again["x"], rtol=1e-6)
    filtered = LinearFeedback(3, "x", 0.5 * u.ms, gain=1.0, time_constant=1 * u.ms)
    with pytest.raises(ValueError, match="it lacks inputs.x_inp.filtered"):
        simulator.run(1 * u.ms, inputs={"x_inp": filtered}, state=on.final)


# --- its training ----------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_trained_gains_are_those_of_the_regulator(x64):
    """Of all initial states one gain is best over a long time, as Riccati's equation has it."""
    dt = 0.005
    simulator = network(dt, init_x=Uniform(-1.0, 1.0))
    found = bm.train_feedback(
        simulator, 10 * u.ms, COST, LinearFeedback(3, "x", sites=SITES), n_noises=6, n_validation=2, seed=0
    )
    gain = found.parameters["x_inp.gain"]
    np.testing.assert_allclose(gain, regulator(dt)[0], rtol=1e-3)
    P = solve_continuous_are(A, B, Q * np.eye(3), R * np.eye(2))
    np.testing.assert_allclose(gain, B.T @ P / R, rtol=0.01)
    # what it costs from one state, less half a step of what the state costs at the start, which no sample counts
    x0 = np.array([1.0, -0.5, 0.3])
    run = simulator.run(10 * u.ms, inputs=found.inputs, state={"x": x0}, monitors=["x", "inputs.x_inp"])
    cost = 0.5 * dt * (Q * np.sum(run["x"] ** 2) + R * np.sum(run["inputs.x_inp"] ** 2))
    assert cost + 0.25 * Q * dt * x0 @ x0 == pytest.approx(0.5 * x0 @ P @ x0, rel=1e-3)


@pytest.mark.slow
def test_trained_on_noise_it_costs_what_the_regulator_costs(x64):
    """Of a stationary run ½ tr(P Σ) for each step, on noises that it has never seen."""
    dt, sigma, T = 0.02, 0.4, 60.0
    noise = bm.WhiteNoise(3, sigma=sigma * u.UNITLESS)
    simulator = network(dt, noise_x=noise)
    settings = dict(state={"x": 0.0}, seed=0, n_noises=16, n_validation=200)
    feedback = LinearFeedback(3, "x", sites=SITES)
    found = bm.train_feedback(simulator, T * u.ms, COST, feedback, **settings)
    gain, P = regulator(dt)
    stationary = 0.5 * sigma**2 * np.trace(P)  # Σ = σ² dt, but for what changes within a step
    mean, error = found.validation.mean / T, found.validation.standard_error / T
    # from rest it takes a while to its variance
    assert abs(mean - stationary) < 0.03 * stationary + 2 * error
    assert error < 0.02 * stationary
    np.testing.assert_allclose(found.parameters["x_inp.gain"], gain, atol=0.1)


@pytest.mark.slow
def test_layers_and_optax_train():
    """Layers without nonlinearity have nothing better to find than the regulator, and find it."""
    simulator = network(0.05, init_x=Uniform(-1.0, 1.0))
    layers = brainstate.nn.Linear(3, 2)
    policy = PolicyFeedback(3, "x", policy=layers, sites=SITES)
    before = np.array(layers.weight.value["weight"])
    settings = dict(n_noises=6, n_validation=2, seed=0)
    found = bm.train_feedback(simulator, 10 * u.ms, COST, policy, **settings)
    values = found.parameters["x_inp.policy.weight"]
    np.testing.assert_allclose(-values["weight"].T, regulator(0.05)[0], rtol=0.01)
    np.testing.assert_array_equal(layers.weight.value["weight"], before)  # what was given stays as it is
    linear = LinearFeedback(3, "x", gain=Param(np.ones((2, 3)), fit=True), sites=SITES)
    by_adam = bm.train_feedback(simulator, 10 * u.ms, COST, linear, optimizer=optax.adam(0.03), n_steps=150, **settings)
    np.testing.assert_allclose(by_adam.parameters["x_inp.gain"], regulator(0.05)[0], atol=0.1)


@pytest.mark.slow
def test_what_was_found_is_what_a_run_takes():
    """Two ports of two populations, one with something else; the cost is that of a run with what was found."""
    nodes = {name: bm.LinearStep(2, gamma=-1.0, method="rk4") for name in "EI"}
    both = dict(coupled_var="x", coupling="additive", conn=np.eye(2), delay=0.5 * u.ms, k=0.8)
    arrows = [bm.Projection(source=a, target=b, **both) for a, b in ("EI", "IE")]
    network = bm.Network(nodes, projections=arrows)
    simulator = bm.Simulator(network, dt=0.1 * u.ms)
    cost = {"track": bm.TrackingCost("E.x", 0.5), "energy": bm.EnergyCost(0.01), "smooth": bm.SmoothnessCost(1e-4)}
    loops = {
        "E.x_inp": LinearFeedback(2, ["E.x", "I.x"], 0.2 * u.ms, sites=[0], target=0.5),
        "I.x_inp": LinearFeedback(2, "E.x", gain=Param(0.0, fit=True), bias=Param(0.0, fit=True), limits=(-1, 1)),
    }
    given = {"E.x_inp": bm.Pulse(2, amplitude=0.3, onset=1 * u.ms), "I.x_inp": 0.1}
    start = {"E.x": 0.0, "I.x": 0.0}
    found = bm.train_feedback(simulator, 4 * u.ms, cost, loops, inputs=given, state=start, n_steps=30)
    assert found.cost < 0.8 * found.history[0]
    assert set(found.parameters) == {"E.x_inp.gain", "I.x_inp.gain", "I.x_inp.bias"}
    names = ["inputs.E.x_inp", "inputs.I.x_inp"]
    run = found.run(monitors=["E.x", *names])
    tracking = 0.5 * 0.1 * float(np.sum((run["E.x"] - 0.5) ** 2))
    energy = 0.5 * 0.01 * 0.1 * sum(float(np.sum(run[name] ** 2)) for name in names)
    assert found.costs["track"] == pytest.approx(tracking, rel=1e-4)
    assert found.costs["energy"] == pytest.approx(energy, rel=1e-4)
    assert found.energy == pytest.approx(energy / 0.005, rel=1e-4)
    np.testing.assert_allclose(found.values["E.x_inp"], run["inputs.E.x_inp"][:, :1], rtol=1e-5)
    assert found.values["I.x_inp"].shape == (40, 2)
    assert bm.viz.plot_control(found, "I.x_inp").get_ylabel() == "I.x_inp"


# --- refusals --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: LinearFeedback(3), TypeError, "missing a required argument: 'of'"),
        (lambda: LinearFeedback(3, 2.0), TypeError, "`of` of LinearFeedback must be the name of a state"),
        (lambda: LinearFeedback(3, "x", gain=np.ones((2, 2))), ValueError, r"or \(3, 3\), of 3 sites and 3 values"),
        (lambda: LinearFeedback(3, "x", target=[0.0, 1.0]), ValueError, r"`target` of LinearFeedback must have shape"),
        (lambda: LinearFeedback(3, "x", sites=[0, 3]), ValueError, "`sites` of LinearFeedback must be numbers, from 0"),
        (lambda: LinearFeedback(3, "x", limits=(1.0, 0.0)), ValueError, "must go from low to high"),
        (lambda: LinearFeedback(3, "x", limits=1.0), ValueError, r"must be \(low, high\)"),
        (lambda: LinearFeedback(3, "x", observed=[0], n_observed=2), ValueError, "together with `observed`"),
        (lambda: LinearFeedback(3, "x", delay=-1 * u.ms), ValueError, "`delay`.*>= 0"),
        (lambda: PolicyFeedback(3, "x"), TypeError, "`policy` of PolicyFeedback must be a function or a module"),
        (lambda: LinearFeedback(3, "x").update(), TypeError, "is an input of a run, whose model it sees"),
    ],
)  # fmt: skip
def test_feedbacks_that_are_none(make, error, words):
    with pytest.raises(error, match=words):
        make()


def runs(feedback, **settings):
    return network(0.1).run(1 * u.ms, inputs={"x_inp": feedback}, state={"x": 0.0}, **settings)


def trains(feedback, **settings):
    settings = {"state": {"x": 0.0}, "cost": COST} | settings
    return bm.train_feedback(network(0.1), 1 * u.ms, feedback=feedback, **settings)


@pytest.mark.parametrize(
    ("feedback", "settings", "error", "words"),
    [
        (LinearFeedback(3, "y"), {}, ValueError, "no state 'y'"),
        (LinearFeedback(3, "x", 0.05 * u.ms), {}, ValueError, "`delay` of LinearFeedback must be a multiple"),
        (LinearFeedback(2, "x"), {}, ValueError, "must have the shape of the population"),
        (LinearFeedback(3, lambda m: m.node.x.value[:2]), {}, ValueError, "n_observed=2"),
        (LinearFeedback(3, "x", target=1 * u.mV), {}, u.UnitMismatchError, "`target` of LinearFeedback must be in"),
        (PolicyFeedback(3, "x", policy=lambda x: x[:2]), {}, ValueError, "one number for each of the 3 sites"),
        (LinearFeedback(3, "x", gain=1.0), {"monitors": ["inputs.y_inp"]}, ValueError, "This run has inputs.x_inp"),
    ],
)
def test_refusals_of_a_run(feedback, settings, error, words):
    with pytest.raises(error, match=words):
        runs(feedback, **settings)


SHARED = brainstate.nn.Linear(3, 3)


@pytest.mark.parametrize(
    ("feedback", "settings", "error", "words"),
    [
        ({"y_inp": LinearFeedback(3, "x")}, {}, ValueError, "must be input ports of Network, x_inp, but has 'y_inp'"),
        ({}, {}, TypeError, "`feedback` of train_feedback must be a feedback, or map ports"),
        (LinearFeedback(2, "x"), {}, ValueError, r"must have the shape of the population, \(3,\)"),
        (LinearFeedback(3, "x", gain=1.0), {}, ValueError, "must have parameters to be trained, but the LinearFeed"),
        (PolicyFeedback(3, "x", policy=lambda x: -x), {}, ValueError, "the PolicyFeedback at x_inp has none"),
        (LinearFeedback(3, "x"), {"start": 0.0}, TypeError, "start"),
        (LinearFeedback(3, "x"), {"n_noises": 3}, ValueError, "`n_noises` of train_feedback has no effect"),
        (LinearFeedback(3, "x"), {"state": None, "cost": bm.EnergyCost(), "inputs": {"x_inp": lambda t: 0.0}},
         ValueError, "must be a number, a stimulus or a noise, as a feedback enters here"),
        (LinearFeedback(3, "x"), {"inputs": {"x_inp": LinearFeedback(3, "x")}}, ValueError, "no feedback of its own"),
        (LinearFeedback(3, "x"), {"cost": bm.TrackingCost("z", 0.0)}, ValueError, "z"),
    ],
)  # fmt: skip
def test_refusals_of_a_training(feedback, settings, error, words):
    with pytest.raises(error, match=words):
        trains(feedback, **settings)


def test_a_feedback_under_which_a_run_diverges_names_the_step():
    simulator = bm.Simulator(bm.FitzHughNagumoStep(1, method="euler"), dt=0.1 * u.ms)
    wild = LinearFeedback(1, "V", gain=Param(-1e4, fit=True))
    with pytest.raises(bm.DivergenceError, match="Step 0 of the search of train_feedback meets a control under which"):
        bm.train_feedback(simulator, 5 * u.ms, bm.TrackingCost("V", 0.0), wild, state={"V": 0.1, "w": 0.0})
