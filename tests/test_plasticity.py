"""Plasticity: every rule against scipy's solution of the equations written out, with and without delays, fixed points
in closed form, and a rate model against its published Hopf points."""

import brainstate
import brainunit as u
import jax
import numpy as np
import pytest
from brainstate import HiddenState
from braintools.init import Constant
from scipy.integrate import solve_ivp

import brainmass as bm
from brainmass.declare import Par, param, positive, state

W = np.array([[0.0, 0.7], [0.4, 0.0]])
EDGES = bm.Edges(2, [1, 0], [0, 1], [0.7, 0.4])
START, DRIVE = np.array([0.9, 0.3]), np.array([0.5, 0.4])
DT = 0.1 * u.ms
RATE = 0.1  # per ms, of an activity of 1: 100 Hz
PER_MS = 100 * u.Hz


def made(rule):
    """One to give to a network, with its times short."""
    if rule == "tsodyks_markram":
        return bm.TsodyksMarkram(tau_D=20 * u.ms, tau_F=50 * u.ms, scale=PER_MS)
    if rule == "hebbian":
        return bm.HebbianPlasticity(tau=20 * u.ms, eta=0.8)
    if rule == "inhibitory":
        return bm.InhibitoryPlasticity(eta=0.1 / u.ms, rho=0.4)
    if rule == "bcm":
        return bm.BCMPlasticity(eta=0.05 / u.ms, rho=0.6, tau_theta=10 * u.ms)
    times = dict(tau_plus=10 * u.ms, tau_minus=15 * u.ms, scale=PER_MS)
    return bm.PairPlasticity(A_plus=0.3, A_minus=0.2, **times)


# What the states of each begin with: of sources or connections, and of targets, two each.
FIRST = {
    "tsodyks_markram": np.array([1.0, 1.0, 0.3, 0.3]),
    "hebbian": np.ones(2),
    "inhibitory": np.ones(2),
    "bcm": np.ones(4),
    "stdp": np.array([1.0, 1.0, 0, 0, 0, 0]),
}
# Of the two connections: onto 0 from 1, and onto 1 from 0.
SOURCE, TARGET, WEIGHT = np.array([1, 0]), np.array([0, 1]), np.array([0.7, 0.4])


def rates(rule, y, past):
    """Of x and of the rule's states, with what was sent at an earlier time in `past`."""
    x, s = y[:2], y[2:]
    if rule == "tsodyks_markram":
        r, u_r = s.reshape(2, 2)
        entering = W @ past
        return entering, np.concatenate(
            [(1 - r) / 20 - u_r * r * RATE * x, (0.3 - u_r) / 50 + 0.3 * (1 - u_r) * RATE * x]
        )
    pre, post = past[SOURCE], x[TARGET]
    g = s[:2]
    entering = np.zeros(2)
    entering[TARGET] = WEIGHT * g * pre
    if rule == "hebbian":
        more = (0.8 * pre * post - g) / 20
    elif rule == "inhibitory":
        more = 0.1 * pre * (post - 0.4)
    elif rule == "bcm":
        theta = s[2:]
        more = np.concatenate([0.05 * pre * post * (post / 0.6 - theta[TARGET]), ((x / 0.6) ** 2 - theta) / 10])
    else:
        p, q = s[2:4], s[4:]
        more = np.concatenate(
            [0.3 * p * RATE * post - 0.2 * q[TARGET] * RATE * pre, RATE * pre - p / 10, RATE * x - q / 15]
        )
    return entering, more


SIGN = {"inhibitory": -1.0}


def sent(rule, y):
    return y[2:4] * y[4:6] * y[:2] if rule == "tsodyks_markram" else y[:2]


def truth(rule, duration, delay=0.0):
    """x and the rule's states at the end; with a delay in pieces as long as it, each driven by the one before."""

    def motion(past):
        def field(t, y):
            entering, more = rates(rule, y, sent(rule, y) if past is None else past(t))
            return np.concatenate([-y[:2] + DRIVE + SIGN.get(rule, 1.0) * entering, more])

        return field

    y = np.r_[START, FIRST[rule]]
    settings = dict(rtol=1e-11, atol=1e-12, dense_output=True)
    if not delay:
        return solve_ivp(motion(None), (0, duration), y, **settings).y[:, -1]
    before = sent(rule, y)
    past, pieces = (lambda t: before), int(round(duration / delay))
    for k in range(pieces):
        piece = solve_ivp(motion(past), (k * delay, (k + 1) * delay), y, **settings)
        y, past = piece.y[:, -1], lambda t, s=piece.sol: sent(rule, s(t - delay))
    return y


def network(rule, conn=W, **options):
    node = bm.LinearStep(2, gamma=-1.0, method=options.pop("method", "rk4"), init_x=lambda shape: START)
    options = {"coupled_var": "x", "coupling": "additive", "k": SIGN.get(rule, 1.0)} | options
    return bm.Network(node, conn=conn, plasticity=made(rule) if rule in FIRST else rule, **options)


def run(net, duration=30.0, dt=DT, **settings):
    settings = {"inputs": {"x_inp": DRIVE}, "monitors": {"x": "x", "rule": states_of}, "seed": 0} | settings
    return bm.Simulator(net, dt=dt).run(duration * u.ms, **settings)


def states_of(model):
    return model.plasticity.state_values()


def last(found, net):
    """x and the states of the rule at the end, as `truth` has them."""
    states = [np.asarray(found["rule"][name][-1]) for name in net.plasticity._states]
    # of a matrix what is at the two connections; an edge list has just these
    states = [x[TARGET, SOURCE] if x.shape == (2, 2) else x.reshape(2) for x in states]
    return np.concatenate([found["x"][-1], *states])


@pytest.mark.parametrize("rule", FIRST)
def test_rules_against_scipy(x64, rule):
    """At tight tolerance, and by a method of second order, which keeps its order."""
    net, expected = network(rule), truth(rule, 30.0)
    np.testing.assert_allclose(last(run(net), net), expected, rtol=1e-7)


@pytest.mark.few(1)
@pytest.mark.parametrize("rule", FIRST)
def test_edge_lists_are_the_matrix(x64, rule):
    net = network(rule, EDGES)
    np.testing.assert_allclose(last(run(net, 10.0), net), truth(rule, 10.0), rtol=1e-6)


@pytest.mark.few(2)
@pytest.mark.parametrize("options", [{}, {"interpolate": True}], ids=["steps", "fractions"])
@pytest.mark.parametrize("rule", FIRST)
def test_delays_against_scipy(x64, rule, options):
    """What a source sends is scaled when it leaves; what a connection is worth counts when it arrives."""
    net, expected = network(rule, delay=5 * u.ms, **options), truth(rule, 15.0, 5.0)
    found = [last(run(net, 15.0, dt * u.ms), net) for dt in (0.1, 0.05)]
    errors = [np.abs(x / expected - 1).max() for x in found]
    # the past is linear between steps
    assert errors[1] < 2e-5 and 3.5 < errors[0] / errors[1] < 4.5


@pytest.mark.few(3)
@pytest.mark.parametrize("options", [{}, {"delay": 2 * u.ms}], ids=["at once", "delayed"])
@pytest.mark.parametrize("rule", FIRST)
def test_a_run_in_two_is_the_run(x64, rule, options):
    """Bit for bit, with the states of the rule and the past of what was sent."""
    net = network(rule, **options)
    whole = run(net, 8.0)
    first = run(net, 3.0)
    rest = run(net, 5.0, state=first.final, seed=None)
    for name in ("x", *(("rule", s) for s in net.plasticity._states)):
        one, two, both = (r[name] if isinstance(name, str) else r["rule"][name[1]] for r in (first, rest, whole))
        np.testing.assert_array_equal(np.concatenate([one, two]), both)


@pytest.mark.few(1)
@pytest.mark.parametrize("rule", FIRST)
def test_gradients_are_finite_differences(x64, rule):
    """Of the activity at the end, by a parameter of the rule and by the weights, through delays."""
    net = network(rule, delay=1 * u.ms, method="heun")
    name = {"tsodyks_markram": "U", "hebbian": "eta", "inhibitory": "rho", "bcm": "rho", "stdp": "A_plus"}[rule]
    pure = bm.Simulator(net, dt=0.25 * u.ms).pure(
        10 * u.ms, monitors=["x"], inputs={"x_inp": DRIVE}, free=[f"plasticity.{name}", "conn"]
    )

    @jax.jit
    def end(value, scale):
        return pure({f"plasticity.{name}": value, "conn": scale * W}, 0)["x"][-1, 0]

    at = float(getattr(net.plasticity, name).value()), 1.0
    found = jax.jit(jax.grad(end, (0, 1)))(*at)
    for i, slope in enumerate(found):
        there, back = ([x + (i == j) * h for j, x in enumerate(at)] for h in (1e-5, -1e-5))
        assert abs(slope) > 1e-4 and slope == pytest.approx(float(end(*there) - end(*back)) / 2e-5, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["tsodyks_markram", "stdp"])
def test_batches_are_their_lanes(x64, rule):
    """Of a run, and by hand, where states have the batch in front."""
    net = network(rule, delay=0.3 * u.ms)
    one = run(net, 1.0)
    many = run(net, 1.0, batch_size=3)
    np.testing.assert_allclose(many["x"][:, 2], one["x"], rtol=1e-12)
    with brainstate.environ.context(dt=DT):
        brainstate.nn.init_all_states(net, batch_size=2)
        for _ in range(10):
            net.update(x_inp=DRIVE)
    for name, values in one["rule"].items():
        state = getattr(net.plasticity, name).value
        np.testing.assert_allclose(state, np.broadcast_to(values[-1], state.shape), rtol=1e-10)


def test_a_sweep_over_a_parameter_of_a_rule(x64):
    simulator = bm.Simulator(network("hebbian"), dt=DT)
    values = np.array([0.2, 0.8])
    swept = bm.sweep(
        simulator, 3 * u.ms, {"plasticity.eta": values}, monitors=["x"], inputs={"x_inp": DRIVE}, seeds=[0]
    )
    for i, eta in enumerate(values):
        alone = run(network(bm.HebbianPlasticity(tau=20 * u.ms, eta=eta)), 3.0)
        np.testing.assert_allclose(np.squeeze(np.asarray(swept["x"]))[i], alone["x"], rtol=1e-10)


# --- fixed points -------------------------------------------------------------------------------------------------
def test_hebbian_weights_at_rest(x64):
    """Two regions alike: x = d + w g x and g = eta x², of which x is a root of w eta x³ - x + d."""
    w, eta, d = 0.5, 0.8, 0.3
    net = network(bm.HebbianPlasticity(tau=5 * u.ms, eta=eta), w * (1 - np.eye(2)))
    found = run(net, 200.0, inputs={"x_inp": d}, state={"x": np.array([0.4, 0.4])})
    x = np.sort(np.roots([w * eta, 0, -1, d]).real)[1]
    np.testing.assert_allclose(found["x"][-1], x, rtol=1e-9)
    np.testing.assert_allclose(found["rule"]["g"][-1][[0, 1], [1, 0]], eta * x**2, rtol=1e-9)
    at_rest = bm.fixed_points(net, inputs={"x_inp": d})
    stable = at_rest.x[at_rest.stable]
    np.testing.assert_allclose(stable, [[x, x, 0, eta * x**2, eta * x**2, 0]], atol=1e-7)


def test_inhibition_brings_rates_to_their_target(x64):
    """Two regions under unlike drives, each by a population of its own: E = rho, and weights (drive - rho) / I."""
    nodes = {
        "exc": bm.LinearStep(2, gamma=-1.0, method="rk4"),
        "inh": bm.LinearStep(2, gamma=-1.0, method="rk4"),
    }
    rho, drives = np.array([[0.5], [0.2]]), np.array([1.0, 0.7])
    rule = bm.InhibitoryPlasticity(eta=0.02 / u.ms, rho=rho, post="x")
    down = bm.Projection(
        np.eye(2), source="inh", target="exc", coupled_var="x", coupling="additive", k=-1.0, plasticity=rule
    )
    net = bm.Network(nodes, projections=[down])
    found = bm.Simulator(net, dt=DT).run(
        4000 * u.ms,
        inputs={"exc.x_inp": drives, "inh.x_inp": 0.4},
        monitors={"x": "exc.x", "g": lambda m: m.projections[0].plasticity.g.value},
        sample_every=100 * u.ms,
        seed=0,
    )
    np.testing.assert_allclose(found["x"][-1], rho[:, 0], rtol=1e-5)
    np.testing.assert_allclose(np.diag(found["g"][-1]), (drives - rho[:, 0]) / 0.4, rtol=1e-5)


def test_what_is_inhibited_below_its_target_loses_its_inhibition(x64):
    """Weights are put back to zero, and stay there."""
    net = network(bm.InhibitoryPlasticity(eta=0.1 / u.ms, rho=5.0), k=-1.0)
    g = np.asarray(run(net, 50.0)["rule"]["g"])[:, [0, 1], [1, 0]]
    assert g.min() == 0.0 and (g[-100:] == 0).all()


def test_bcm_comes_to_rest_at_its_activity(x64):
    """A single connection from a source held at y: target x = w g y, and at rest theta = 1 and x = rho."""
    nodes = {"a": bm.LinearStep(1, gamma=-1.0, method="rk4"), "b": bm.LinearStep(1, gamma=-1.0, method="rk4")}
    rule = bm.BCMPlasticity(eta=0.01 / u.ms, rho=0.6, tau_theta=5 * u.ms)
    way = bm.Projection([[0.5]], source="a", target="b", coupled_var="x", coupling="additive", plasticity=rule)
    found = bm.Simulator(bm.Network(nodes, projections=[way]), dt=DT).run(
        6000 * u.ms,
        inputs={"a.x_inp": 0.9},
        monitors={"x": "b.x", "g": lambda m: m.projections[0].plasticity.g.value},
        sample_every=100 * u.ms,
        seed=0,
    )
    np.testing.assert_allclose(found["x"][-1], 0.6, rtol=1e-6)
    np.testing.assert_allclose(found["g"][-1], 0.6 / (0.5 * 0.9), rtol=1e-6)


def test_pairs_at_constant_rates(x64):
    """Their drift is (A_plus tau_plus - A_minus tau_minus) r_i r_j, as of independent Poisson trains."""
    hold = dict(gamma=-1.0, method="rk4", init_x=lambda shape: np.array([0.2, 0.1]))
    rule = bm.PairPlasticity(tau_plus=10 * u.ms, tau_minus=20 * u.ms, scale=PER_MS)
    net = bm.Network(bm.LinearStep(2, **hold), conn=1e-9 * W, coupled_var="x", coupling="additive", plasticity=rule)
    g = np.asarray(run(net, 400.0, inputs={"x_inp": np.array([0.2, 0.1])})["rule"]["g"])[:, 0, 1]
    expected = (0.005 * 10 - 0.005 * 20) * (0.2 * RATE) * (0.1 * RATE)
    assert (g[-1] - g[-1001]) / 100 == pytest.approx(expected, rel=1e-5)


def test_a_source_that_leads_is_strengthened():
    """Two oscillators of one frequency, of which one is a quarter of a turn ahead."""
    node = bm.HopfStep(2, a=1.0, w=0.1, init_x=lambda s: np.array([1.0, 0.0]), init_y=lambda s: np.array([0.0, -1.0]))
    rule = bm.PairPlasticity(A_plus=0.05, A_minus=0.05, scale=PER_MS)
    net = bm.Network(node, conn=1e-9 * np.ones((2, 2)), coupled_var="x", coupling="additive", plasticity=rule)
    g = bm.Simulator(net, dt=DT).run(600 * u.ms, monitors=["plasticity.g"], seed=0)["plasticity.g"][-1]
    assert g[1, 0] > 1.05 and g[0, 1] < 0.95


# --- rules of one's own, and other kernels --------------------------------------------------------------------------
class Depression(bm.Plasticity):
    """Resources that what is sent uses up."""

    tau: Par = param(default=20 * u.ms, doc="time of recovery", domain=positive)
    x: HiddenState = state("resources", start=Constant(1.0))

    def dx(self, x, pre):
        return (1 - x) / self.p.tau - 0.05 * x * pre / u.ms


class Scaling(bm.Plasticity):
    """All that enters a target is scaled, so that its activity comes to 0.5."""

    g: HiddenState = state("scale of what enters", start=Constant(1.0))

    def dg(self, g, post):
        return g * (0.5 - post) / (10 * u.ms)


class Phases(bm.Plasticity):
    """Connections between what is in phase grow."""

    g: HiddenState = state("factor", start=Constant(1.0))

    def dg(self, g, pre, post):
        return (u.math.cos(pre - post) - g) / (30 * u.ms)


class Pairs(bm.Coupling):
    """The sine of the difference, each connection by itself."""

    def pre(self, x_j, x_i):
        return u.math.sin(x_j - x_i)

    def post(self, total, target, strength):
        return self.p.k * total


def end_of(rates, y, duration):
    return solve_ivp(lambda t, y: rates(*y.reshape(-1, 2)), (0, duration), y, rtol=1e-11, atol=1e-12).y[:, -1]


def test_rules_of_ones_own(x64):
    """Where states are follows from what derivatives take: of sources, of targets."""
    assert Depression.of_sources and not Scaling.of_sources

    def depression(x, r):
        return np.concatenate([-x + DRIVE + W @ (r * x), (1 - r) / 20 - 0.05 * r * x])

    def scaling(x, g):
        return np.concatenate([-x + DRIVE + g * (W @ x), g * (0.5 - x) / 10])

    for rule, rates in ((Depression, depression), (Scaling, scaling)):
        net = network(rule)
        expected = end_of(rates, np.r_[START, 1.0, 1.0], 20.0)
        np.testing.assert_allclose(last(run(net, 20.0), net), expected, rtol=1e-7)


def test_diffusive_coupling_takes_away_as_much_as_it_brings(x64):
    """The target is taken away once for each connection, times its factor."""

    def rates(x, g):
        pre = x[SOURCE]
        return np.concatenate([-x + DRIVE + WEIGHT * g * (pre - x), (0.8 * pre * x - g) / 20])

    net = network("hebbian", coupling="diffusive")
    np.testing.assert_allclose(last(run(net), net), end_of(rates, np.r_[START, 1.0, 1.0], 30.0), rtol=1e-7)


@pytest.mark.parametrize("coupling", ["kuramoto", Pairs])
def test_adaptive_phases(x64, coupling):
    """A kernel that sends sines and cosines, and one that looks at both ends."""
    phases = np.array([0.3, -0.4])

    def rates(x, g):
        off = x[SOURCE] - x
        return np.concatenate([-x + DRIVE + WEIGHT * g * np.sin(off), (np.cos(off) - g) / 30])

    kernel = bm.KuramotoCoupling(normalize_by_n=False) if coupling == "kuramoto" else Pairs()
    node = bm.LinearStep(2, gamma=-1.0, method="rk4", init_x=lambda shape: phases)
    net = bm.Network(node, conn=W, coupled_var="x", coupling=kernel, plasticity=Phases)
    np.testing.assert_allclose(last(run(net), net), end_of(rates, np.r_[phases, 1.0, 1.0], 30.0), rtol=1e-7)


def test_initial_factors_and_states_by_name(x64):
    g = np.array([[0.0, 0.5], [2.0, 0.0]])
    net = network(bm.HebbianPlasticity(init_g=lambda shape: g))
    one = run(net, 2.0)
    other = run(network("hebbian"), 2.0, state={"plasticity.g": g})
    np.testing.assert_allclose(one["rule"]["g"][0], g, atol=1e-3)
    assert abs(np.asarray(other["rule"]["g"][0]) - g)[[0, 1], [1, 0]].max() < 0.02


@pytest.mark.parametrize("rule", ["hebbian", "tsodyks_markram"])
def test_a_delayed_network_stays_at_its_fixed_point(x64, rule):
    """Of the equations that analyses see, with delays; the rates at the past that was always there are zero."""
    net, inputs = network(rule, delay=3 * u.ms), {"x_inp": DRIVE}
    found = bm.fixed_points(net, inputs=inputs)
    stable = int(np.argmax(found.stable))
    x, drift = found.x[stable], bm.Drift(net, inputs=inputs)
    past = np.broadcast_to(x, (drift.delays.size, drift.size))
    np.testing.assert_allclose(drift.delayed(x, past), 0.0, atol=1e-12)
    stays = run(net, 5.0, state=found[stable].state)
    np.testing.assert_allclose(stays["x"][-1], drift.unpack(x)["x"], rtol=1e-9)


def test_a_network_has_two_rules(x64):
    """Of projections between populations, by their paths."""
    nodes = {name: bm.LinearStep(2, gamma=-1.0, method="rk4") for name in "ab"}
    ends = dict(coupled_var="x", coupling="additive")
    ways = [
        bm.Projection(W, source="a", target="b", plasticity="tsodyks_markram", **ends),
        bm.Projection(W, source="b", target="a", plasticity="hebbian", synapse="alpha", delay=1 * u.ms, **ends),
    ]
    net = bm.Network(nodes, projections=ways)
    assert [*net.attached] == ["projections.0.plasticity", "projections.1.synapse", "projections.1.plasticity"]
    drift = bm.Drift(net)
    assert drift.shapes["projections.1.plasticity.g"] == (2, 2) and drift.size == 4 + 4 + 4 + 4
    found = bm.Simulator(net, dt=DT).run(5 * u.ms, monitors=["projections.1.plasticity.g"], seed=0)
    assert found["projections.1.plasticity.g"].shape == (50, 2, 2)


# --- what is refused ------------------------------------------------------------------------------------------------
def test_refusals():
    with pytest.raises(ValueError, match="`plasticity` of Network must be one of .*Did you mean 'hebbian'"):
        network("hebian")
    with pytest.raises(TypeError, match="or a Plasticity, but is 3. Example: plasticity=brainmass.Hebbian"):
        network(3)
    with pytest.raises(ValueError, match="`post` of HebbianPlasticity must be a state of LinearStep .x., but is 'y'"):
        network(bm.HebbianPlasticity(post="y"))
    with pytest.raises(ValueError, match="`post` of TsodyksMarkram has no effect"):
        network(bm.TsodyksMarkram(post="x"))
    with pytest.raises(ValueError, match="must be of the weights with DiffusiveCoupling.*Example: coupling='additive'"):
        network("tsodyks_markram", coupling="diffusive")
    with pytest.raises(ValueError, match="must be of the weights with Pairs, which looks at both ends"):
        network("tsodyks_markram", coupling=Pairs, k=1.0)
    with pytest.raises(ValueError, match="with delays and KuramotoCoupling"):
        network("hebbian", coupling="kuramoto", delay=3 * u.ms)
    with pytest.raises(ValueError, match=r"`eta` of Hebb.* each connection, \(2, 2\), .*, but has shape \(2,\)"):
        network(bm.HebbianPlasticity(eta=np.ones(2)))
    with pytest.raises(ValueError, match=r"`U` of TsodyksMarkram .* each of 2 sources, but has shape \(3,\)"):
        network(bm.TsodyksMarkram(U=[0.1, 0.2, 0.3]))
    with pytest.raises(ValueError, match="`U` of TsodyksMarkram .* between 0 and 1"):
        bm.TsodyksMarkram(U=1.2)
    with pytest.raises(TypeError, match="Plasticity has no states"):
        bm.Plasticity()
    net = network("hebbian")
    with pytest.raises(AttributeError, match="`plasticity` of .* cannot be set: a rule is chosen when"):
        net.plasticity = "bcm"
    with pytest.raises(AttributeError, match="`post` of HebbianPlasticity cannot be set"):
        net.plasticity.post = "x"
    with pytest.raises(TypeError, match="here plasticity has states as well"):
        net.derivative((1.0,), 0 * u.ms)
    with pytest.raises(ValueError, match="plasticity.*one of another"):
        network(net.plasticity, np.ones((3, 3))[:2, :2] * [[0, 1], [1, 0]]) and network(net.plasticity, EDGES)


def test_delays_that_come_later_are_refused_too():
    net = network("hebbian", coupling="kuramoto")
    net.delay = 3 * u.ms
    with pytest.raises(ValueError, match="with delays and KuramotoCoupling"):
        run(net, 1.0)


def test_units_that_do_not_fit():
    """At the start of a run, before anything is compiled."""
    with pytest.raises(u.UnitMismatchError, match="`dg` of HebbianPlasticity must be .* plain numbers, but units do"):
        run(network(bm.HebbianPlasticity(eta=1 / u.Hz)), 1.0)
    with pytest.raises(u.UnitMismatchError, match="`dg` of InhibitoryPlasticity must be .*, but it is in 1"):
        run(network(bm.InhibitoryPlasticity(eta=1.0)), 1.0)
    node = bm.TsodyksMarkramStep(2)
    with pytest.raises(ValueError, match="`scale` of TsodyksMarkram has no effect, as activity is a rate, in Hz"):
        rule = bm.TsodyksMarkram(scale=3 * u.Hz)
        net = bm.Network(node, conn=W, coupled_var="E", coupling="additive", plasticity=rule)
        bm.Simulator(net, dt=DT).run(1 * u.ms, seed=0)


@pytest.mark.parametrize(
    ("words", "body"),
    [
        ("declares the state `g`, so it must write `dg`", {"g": state("factor", start=Constant(1.0))}),
        (
            "dg takes `sent`, which is neither a state",
            {"g": state("factor", start=Constant(1.0)), "dg": lambda self, g, sent: sent},
        ),
        (
            "factor takes `sent`, which is neither",
            {
                "g": state("factor", start=Constant(1.0)),
                "dg": lambda self, g, pre: pre,
                "factor": lambda self, sent: sent,
            },
        ),
        (
            "its state `h` knows more",
            {
                "g": state("factor", start=Constant(1.0)),
                "h": state("other", start=Constant(1.0)),
                "dg": lambda self, g, pre: pre,
                "dh": lambda self, h, post: post,
            },
        ),
    ],
)
def test_classes_that_do_not_add_up(words, body):
    annotations = {name: HiddenState for name in body if name in ("g", "h")}
    with pytest.raises(TypeError, match=words):
        type("Mine", (bm.Plasticity,), body | {"__annotations__": annotations})


def test_in_an_experiment_file(tmp_path):
    np.savetxt(tmp_path / "weights.csv", W, delimiter=",")
    text = f"""
[model]
type = "HopfStep"
[connectome]
file = "{tmp_path}/weights.csv"
[network]
coupled_var = "x"
coupling = "additive"
plasticity = PLASTICITY
[simulation]
dt = "0.1 ms"
duration = "20 ms"
"""
    for given in ('{type = "TsodyksMarkram", U = 0.5, tau_D = "700 ms"}', '"tsodyks_markram"'):
        (tmp_path / "experiment.toml").write_text(text.replace("PLASTICITY", given))
        rule = bm.experiments.load(tmp_path / "experiment.toml").simulator.model.plasticity
        assert isinstance(rule, bm.TsodyksMarkram)
    (tmp_path / "experiment.toml").write_text(text.replace("PLASTICITY", '"hebian"'))
    with pytest.raises(bm.experiments.ExperimentError, match="must be one of .tsodyks_markra"):
        bm.experiments.load(tmp_path / "experiment.toml").simulator  # noqa: B018


# --- the model ----------------------------------------------------------------------------------------------------
def test_hopf_points_of_the_rate_model():
    """Those that the tutorial "Neural mass equation" of BifurcationKit prints for this model."""
    diagram = bm.continue_equilibria(bm.TsodyksMarkramStep(1), "E0", (-4.0, -0.9))
    np.testing.assert_allclose(diagram.values("Hopf"), [-1.85012, -1.15106], atol=1e-4)


def test_a_region_that_sends_to_itself_is_the_model(x64):
    """One region, whose rate goes through the network with the same plasticity: its own connections are cut, J = 0."""
    start = dict(init_E=Constant(15.0), init_u=Constant(0.3), method="rk4", E0=-1.2 * u.Hz)
    model = bm.TsodyksMarkramStep(1, **start)
    alone = bm.Simulator(model, dt=0.5 * u.ms).run(1000 * u.ms, seed=0)
    net = bm.Network(
        bm.TsodyksMarkramStep(1, J=0.0, **start),
        conn=[[1.0]],
        coupled_var="E",
        coupling="additive",
        k=3.07,
        self_connection=True,
        plasticity="tsodyks_markram",
    )
    monitors = ["E", "plasticity.x", "plasticity.u"]
    through = bm.Simulator(net, dt=0.5 * u.ms).run(1000 * u.ms, monitors=monitors, seed=0)
    assert np.ptp(u.get_mantissa(alone["E"][200:])) > 5
    for name, there in (("E", "E"), ("x", "plasticity.x"), ("u", "plasticity.u")):
        np.testing.assert_allclose(*(u.get_mantissa(x) for x in (through[there], alone[name])), rtol=1e-9)
    hopf = bm.continue_equilibria(net, "E0", (-4.0, -0.9)).values("Hopf")
    np.testing.assert_allclose(hopf, [-1.85012, -1.15106], atol=1e-4)
