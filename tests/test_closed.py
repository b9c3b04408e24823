"""What is made is closed: a name that it does not have is refused, and what its constructor refuses, assigning does."""

import copy
import inspect
import re

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import Param
from braintools.init import Constant

import brainmass as bm
from brainmass.dynamics.declared import WithRows
from brainmass.dynamics.module import Closed
from brainmass.testing import check_closed

W = np.array([[0.0, 0.4, -0.2], [0.1, 0.0, 0.3], [0.5, 0.2, 0.0]])
LENGTHS = np.full((3, 3), 20.0) * u.mm


def hopf(n=3, **options):
    start = {name: Constant(x) for name, x in {"init_x": 0.3, "init_y": 0.1}.items()}
    return bm.HopfStep(n, **{"a": 0.2, "w": 0.4, "method": "heun", **start, **options})


def network(**options):
    return bm.Network(
        hopf(init_x=lambda shape: np.array([0.3, -0.2, 0.6])), **{"conn": W, "coupled_var": "x", **options}
    )


def run(model, monitor="x", duration=10 * u.ms, **options):
    return np.asarray(bm.Simulator(model, dt=0.1 * u.ms).run(duration, monitors=[monitor], seed=0, **options)[monitor])


def refused(error, *words):
    return pytest.raises(error, match="(?s)" + "(?=.*" + ")(?=.*".join(map(re.escape, words)) + ")")


# --- every public class ---------------------------------------------------------------------------------------------
STEP = bm.JansenRitStep(3)
EXAMPLES = {
    "Coupling": None,  # bases, of which the classes that derive from them are examples
    "Feedback": None,
    "HRFKernel": None,
    "NeuralMassDynamics": None,
    "Noise": None,
    "Observer": None,
    "Plasticity": None,
    "Stimulus": None,
    "WilsonCowanBase": None,
    "WilsonCowanThreePopBase": None,
    "XY_Oscillator": None,
    "Network": lambda: network(),
    "Projection": lambda: bm.Projection(W, coupled_var="x"),
    "Simulator": lambda: bm.Simulator(hopf(), dt=0.1 * u.ms),
    "Fitter": lambda: bm.Fitter(hopf(a=Param(0.2, fit=True)), loss_fn=lambda m: m.a.value() ** 2),
    "Trainer": lambda: bm.Trainer(bm.HORNSeqNetwork(2, 4, 2), loss_fn=lambda a, b: ((a - b) ** 2).mean()),
    "Result": lambda: bm.Simulator(hopf(), dt=0.1 * u.ms).run(1 * u.ms, seed=0),
    "FitResult": lambda: bm.FitResult(backend="grad", best_loss=0.0, best_params={}, history=[], n_steps=1),
    "ParetoFront": lambda: bm.ParetoFront(
        names=("a", "b"), values=[[0.0, 1.0]], params={}, fitted={}, hypervolume=[], reference=[1.0, 2.0]
    ),
    "Prior": lambda: bm.Normal(0.0, 1.0),
    "Normal": lambda: bm.Normal(0.0, 1.0),
    "LogNormal": lambda: bm.LogNormal(1.0, 0.1),
    "RandomWalk": lambda: bm.RandomWalk(0.0, 1.0, 0.1),
    "EdgeWeights": lambda: bm.EdgeWeights(W),
    "LaplacianConnParam": lambda: bm.LaplacianConnParam(np.abs(W)),
    "RegionalMap": lambda: bm.RegionalMap(np.arange(3.0), a=1.0),
    "Recording": lambda: bm.Recording(3, data=np.ones(5)),
    "Steps": lambda: bm.Steps(3, values=np.ones(2), times=[0, 1] * u.ms),
    "LinearFeedback": lambda: bm.LinearFeedback(3, "x"),
    "PolicyFeedback": lambda: bm.PolicyFeedback(3, "x", policy=np.negative),
    "WelchSpectrum": lambda: bm.WelchSpectrum(3, every=1 * u.ms),
    "LeadFieldModel": lambda: bm.LeadFieldModel(3, 2, np.ones((3, 2))),
    "EEGLeadFieldModel": lambda: bm.EEGLeadFieldModel(3, 2, np.ones((3, 2))),
    "MEGLeadFieldModel": lambda: bm.MEGLeadFieldModel(3, 2, np.ones((3, 2))),
    "SEEGLeadFieldModel": lambda: bm.SEEGLeadFieldModel(3, 2, np.ones((3, 2))),
    "TemporalAverage": lambda: bm.TemporalAverage(2 * u.ms),
    "LeadfieldReadout": lambda: bm.LeadfieldReadout(np.ones((2, 3)), 0.0, 1.0, demean=False),
    "SpatialAverage": lambda: bm.SpatialAverage([0, 0, 1]),
    "JansenRitTR": lambda: bm.JansenRitTR(3, 1 * u.ms, np.abs(W), 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0),
    "HORNSeqLayer": lambda: bm.HORNSeqLayer(2, 3),
    "HORNSeqNetwork": lambda: bm.HORNSeqNetwork(2, 3, 2),
    "HORN_TR": lambda: bm.horn.HORN_TR(3),
    "JansenRitLayer": lambda: bm.jansen_rit.JansenRitLayer(2, 3),
    "JansenRit2Layer": lambda: bm.jansen_rit.JansenRit2Layer(2, 3),
    "JansenRitNetwork": lambda: bm.jansen_rit.JansenRitNetwork(2, 3, 2),
    "LaplacianConnectivity": lambda: bm.jansen_rit.LaplacianConnectivity(
        lambda: np.ones((3, 3)), STEP.prefetch("M"), STEP.prefetch("E"), STEP.prefetch("I"), np.abs(W), 0.0, 0.0, 0.0
    ),
    "LaplacianConnV2": lambda: bm.jansen_rit.LaplacianConnV2(STEP, 1 * u.ms),
    "WilsonCowanSeqLayer": lambda: bm.wilson_cowan.WilsonCowanSeqLayer(2, 3),
    "WilsonCowanSeqNetwork": lambda: bm.wilson_cowan.WilsonCowanSeqNetwork(2, 3, 2),
}
for _name in "AdditiveConn", "DelayedAdditiveConn", "DelayedLaplacianConn":
    EXAMPLES[_name] = lambda name=_name: getattr(bm.horn, name)(
        bm.HORNStep(3), *([] if name == "AdditiveConn" else [1 * u.ms])
    )
for _name in "DelayedAdditiveConnTR", "DelayedLaplacianConnTR":
    EXAMPLES[_name] = lambda name=_name: getattr(bm.horn, name)(bm.HORNStep(3), 1 * u.ms)


def public_classes():
    found = {}
    for room in bm, bm.horn, bm.jansen_rit, bm.wilson_cowan:
        for name, x in vars(room).items():
            if inspect.isclass(x) and issubclass(x, Closed) and name in getattr(room, "__all__", dir(bm)):
                found.setdefault(name, x)
    return found


def example(name, cls):
    if name in EXAMPLES:
        return EXAMPLES[name]()
    arguments = [p for p in inspect.signature(cls).parameters.values() if p.default is p.empty]
    return (
        cls(3)
        if [p.name for p in arguments] == ["in_size"] or "in_size" in inspect.signature(cls).parameters
        else cls()
    )


CLASSES = [name for name in public_classes() if EXAMPLES.get(name, "") is not None]


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_is_closed(name):
    thing = example(name, public_classes()[name])
    check_closed(thing)
    if isinstance(thing, brainstate.nn.Module) and name not in ("EdgeWeights", "LaplacianConnParam", "RegionalMap"):
        check_closed(copy.deepcopy(thing))


def test_plain_classes_are_closed_or_frozen():
    """Everything else that is public cannot be changed at all."""
    for thing in bm.Monitor("x"), bm.Bounds(0, 1), bm.Fixed(), bm.Free(), bm.Connectome(np.abs(W)):
        for name in "everry", "what", "low":
            with pytest.raises(AttributeError):
                setattr(thing, name, 1.0)


# --- names ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        (lambda: bm.MontbrioPazoRoxinStep(2), "etaa", ["MontbrioPazoRoxinStep", "Did you mean 'eta'?", "tau, eta"]),
        (lambda: bm.Pulse(2), "widht", ["Pulse", "Did you mean 'width'?"]),
        (lambda: bm.WhiteNoise(2), "sigm", ["WhiteNoise", "Did you mean 'sigma'?"]),
        (lambda: bm.SigmoidalCoupling(conn=W), "slop", ["SigmoidalCoupling", "Did you mean 'slope'?"]),
        (lambda: bm.GammaHRFKernel(), "durations", ["GammaHRFKernel", "Did you mean 'duration'?"]),
        (lambda: network(), "kk", ["Network", "k"]),
        (lambda: network(), "weights", ["Network", "`conn`"]),
        (lambda: network(), "node", ["Network", "make a new one"]),
        (lambda: network(), "coupling", ["Network", "network.coupling.k"]),
        (lambda: network(), "dt", ["Network", "Simulator(network, dt="]),
        (lambda: network(), "projections", ["Network", "make a new one"]),
        (lambda: network().projections[0], "spede", ["Projection", "Did you mean 'speed'?"]),
        (lambda: network().projections[0], "delays", ["Projection", "`speed`"]),
        (lambda: bm.Simulator(hopf()), "seed", ["Simulator", "dt"]),
        (lambda: bm.Simulator(hopf()), "model", ["Simulator", "make a new one"]),
        (lambda: bm.Fitter(hopf(a=Param(0.2, fit=True)), loss_fn=abs), "search_space", ["Fitter", "constructor"]),
        (lambda: hopf(), "update", ["HopfStep", "a method"]),
        (lambda: hopf(), "coupling_port", ["HopfStep", "a fact of the class"]),
        (lambda: hopf(), "in_size", ["HopfStep", "make a new one"]),
        (lambda: hopf(), "x", ["HopfStep", "is a state", "init_x"]),
        (lambda: hopf(), "noise_z", ["HopfStep", "noise_x, noise_y"]),
        (lambda: bm.BOLDSignal(3), "interval", ["BOLDSignal", "a fact of the class"]),
    ],
)  # fmt: skip
def test_a_wrong_name_is_refused_with_what_was_meant(make, name, words):
    with refused(AttributeError, name, *words):
        setattr(make(), name, 3.0)


def test_a_class_of_ones_own_sets_what_it_likes_in_its_constructor_and_new_states_later():
    class Adapting(bm.HopfStep):
        gain = 2.0  # a default of the class, which an instance may have otherwise

        def __init__(self, in_size, **options):
            super().__init__(in_size, **options)
            self.threshold = 0.5

        def init_state(self, batch_size=None, **options):
            super().init_state(batch_size, **options)
            self.fatigue = brainstate.HiddenState(jnp.zeros(self.varshape))
            self._seen = 3

        def dx(self, x, y, x_inp):
            return super().dx(x, y, x_inp) - self.gain * self.threshold * self.fatigue.value / u.ms

    node = Adapting(3)
    node.threshold, node.gain = 0.7, 1.0
    assert run(node).shape == (100, 3)
    with refused(AttributeError, "thresholds", "Did you mean 'threshold'?"):
        node.thresholds = 0.7


@pytest.mark.parametrize(
    "thing", [hopf, lambda: bm.OUProcess(2), lambda: bm.SigmoidalCoupling(conn=W), bm.GammaHRFKernel]
)
def test_copies_are_closed_too(thing):
    twin = copy.deepcopy(thing())
    name, *_ = twin._params
    with pytest.raises(AttributeError):
        setattr(twin, f"{name}x", 1.0)
    with refused(ValueError, f"`{name}`"):
        setattr(twin, name, np.nan)


def test_what_brainstate_takes_apart_can_be_put_together():
    for model in hopf(), network(speed=2.0, distance=LENGTHS):
        with brainstate.environ.context(dt=0.1 * u.ms):
            brainstate.nn.init_all_states(model)
        rebuilt = brainstate.graph.treefy_merge(*brainstate.graph.treefy_split(model))
        assert repr(rebuilt) == repr(model)


# --- what a constructor refuses, assigning refuses, and leaves everything as it was -----------------------------------
@pytest.mark.parametrize(
    ("make", "name", "value", "error", "words"),
    [
        (hopf, "method", "huen", ValueError, ["heun"]),
        (hopf, "init_x", 0.3, TypeError, ["init_x"]),
        (lambda: bm.OUProcess(2, sigma=1.0), "mean", 1 * u.mV, u.UnitMismatchError, ["`mean`", "`sigma`"]),
        (lambda: bm.OUProcess(2, sigma=1.0), "start", "end", ValueError, ["stationary"]),
        (lambda: bm.PulseTrain(2), "width", 200 * u.ms, ValueError, ["`period`", "`width`"]),
        (lambda: bm.PulseTrain(2), "count", 0, ValueError, ["`count`"]),
        (lambda: bm.Recording(2, data=np.ones(3)), "after", "never", ValueError, ["'refuse', 'zero', 'hold'"]),
        (lambda: bm.Recording(2, data=np.ones(3)), "data", np.ones((3, 4)), ValueError, ["`data`"]),
        (lambda: bm.ColoredNoise(2, high=100 * u.Hz), "low", 50 * u.Hz, ValueError, ["ten times `low`"]),
        (lambda: bm.BOLDSignal(3), "TE", 10 * u.ms, TypeError, ["`TE`", "friston2003"]),
        (lambda: bm.BOLDSignal(3), "output", "stephan", ValueError, ["stephan2007"]),
        (lambda: bm.HRFBold(), "method", "ftt", ValueError, ["'fft'"]),
        (lambda: bm.HRFBold(), "period", 3 * u.ms, ValueError, ["`downsample_period`"]),
        (lambda: bm.HRFBold(), "kernel", 3.0, TypeError, ["GammaHRFKernel"]),
        (lambda: bm.FunctionalConnectivityDynamics(3), "window", 1, ValueError, ["`window`"]),
        (lambda: bm.GammaHRFKernel(), "duration", 3 * u.mV, u.UnitMismatchError, ["`duration`"]),
        (lambda: bm.GammaHRFKernel(), "duration", 0 * u.ms, ValueError, ["`duration`"]),
        (lambda: bm.GammaHRFKernel(), "n", 1.0, ValueError, ["`n`", "> 1"]),
        (lambda: bm.LeadfieldReadout(np.ones((2, 3)), 0.0, 1.0), "lm", np.zeros((2, 3)), ValueError, ["row of zeros"]),
        (lambda: bm.EEGLeadFieldModel(3, 2, np.ones((3, 2))), "L", np.ones((2, 3)), ValueError, ["`L`", "L.T"]),
        (lambda: bm.EEGLeadFieldModel(3, 2, np.ones((3, 2))), "noise_cov", -np.eye(2), ValueError, ["semidefinite"]),
        (lambda: bm.KuramotoNetwork(3), "conn", np.ones((2, 2)), ValueError, ["`conn`", "(3, 3)"]),
        (lambda: bm.KuramotoNetwork(3), "delay", -1 * u.ms, ValueError, ["`delay`"]),
        (lambda: bm.SigmoidalCoupling(conn=W), "conn", np.ones((2, 2)), ValueError, ["`conn`", "(3, 3)"]),
        (lambda: bm.SigmoidalCoupling(conn=W), "conn", None, TypeError, ["`conn`"]),
        (lambda: bm.SigmoidalCoupling(conn=W), "slope", 2 * u.mV, u.UnitMismatchError, ["`slope`"]),
        (lambda: bm.PreTanhCoupling(conn=W), "sigma", 0.0, ValueError, ["`sigma`", "zero"]),
        (network, "k", np.ones(2), ValueError, ["`k`", "(3,)"]),
        (network, "conn", np.ones((2, 2)), ValueError, ["`conn`", "(3, 3)"]),
        (network, "coupled_var", "z", ValueError, ["`coupled_var`", "x, y"]),
        (network, "port", "z_inp", ValueError, ["`port`", "x_inp, y_inp"]),
        (network, "speed", 3.0, ValueError, ["`speed`", "lengths"]),
        (network, "noise", bm.WhiteNoise(2, sigma=0.1), ValueError, ["`noise`", "in_size=(3,)"]),
        (network, "self_connection", "yes", TypeError, ["`self_connection`"]),
        (network, "delay_init", 0.3, TypeError, ["`delay_init`"]),
        (lambda: network(speed=2.0, distance=LENGTHS), "speed", -1.0, ValueError, ["`speed`", "> 0"]),
        (lambda: network(speed=2.0, distance=LENGTHS), "speed", 1 * u.mV, u.UnitMismatchError, ["`speed`"]),
        (lambda: network(speed=2.0, distance=LENGTHS), "distance", 1 * u.mm, ValueError, ["`distance`", "(3, 3)"]),
        (lambda: bm.Simulator(hopf(), dt=0.1 * u.ms), "dt", 1 * u.mV, u.UnitMismatchError, ["dt"]),
    ],
)  # fmt: skip
def test_what_a_constructor_refuses_assigning_refuses(make, name, value, error, words):
    thing = make()
    before = repr(getattr(thing, name))
    with refused(error, *words):
        setattr(thing, name, value)
    assert repr(getattr(thing, name)) == before


# --- what is set is used by the next run ------------------------------------------------------------------------------
DELAYED = {"speed": 2.0, "distance": LENGTHS}
SET = {
    "k": ({}, 0.0, {}),
    "conn": ({}, W.T, {}),
    "conn of new edges": ({**DELAYED, "conn": np.eye(3, k=1)}, W, {}),
    "coupled_var": ({}, "y", {}),
    "port": ({}, "y_inp", {}),
    "self_connection": ({"conn": W + np.eye(3), "coupling": "additive"}, True, {}),
    "delay_init": (DELAYED, Constant(0.9), {}),
    "speed": (DELAYED, 8.0 * u.mm / u.ms, {}),
    "speed of none": ({"conn": bm.Connectome(np.abs(W), lengths=LENGTHS)}, 4.0 * u.mm / u.ms, {}),
    "distance": (DELAYED, 3 * LENGTHS, {}),
    "interpolate": ({**DELAYED, "speed": 2.9}, True, {}),
    "interpolated speed": ({**DELAYED, "interpolate": True}, 0.7 * u.mm / u.ms, {}),
}


@pytest.mark.few(4)
@pytest.mark.parametrize("case", SET)
def test_what_is_set_after_a_run_is_what_a_network_made_so_does(case):
    options, value, _ = SET[case]
    name = {"speed of none": "speed", "conn of new edges": "conn", "interpolated speed": "speed"}.get(case, case)
    net = network(**options)
    simulator = bm.Simulator(net, dt=0.1 * u.ms)
    before = np.asarray(simulator.run(30 * u.ms, monitors=["x"], seed=0)["x"])
    setattr(net, name, value)
    after = np.asarray(simulator.run(30 * u.ms, monitors=["x"], seed=0)["x"])
    np.testing.assert_array_equal(after, run(network(**{**options, name: value}), duration=30 * u.ms))
    assert np.abs(after - before).max() > 1e-4
    net.speed = None
    np.testing.assert_allclose(
        run(net), run(network(**{**options, name: value, "speed": None, "distance": None})), rtol=1e-6
    )


def test_a_stored_value_put_into_a_parameter_holds_as_well():
    """`Param.set_value` goes past the attribute: delays of whole steps follow all the same."""
    net = network(**DELAYED)
    run(net)
    net.speed.set_value(8.0 * u.mm / u.ms)
    np.testing.assert_array_equal(run(net), run(network(**{**DELAYED, "speed": 8.0})))


@pytest.mark.slow
def test_noise_of_a_network_can_be_set():
    net, noise = network(), {"sigma": 0.3}
    run(net)
    net.noise = bm.WhiteNoise(3, **noise)
    np.testing.assert_array_equal(run(net), run(network(noise=bm.WhiteNoise(3, **noise))))


def test_parameters_of_a_kernel_in_a_network():
    net = network(coupling="sigmoidal")
    start = run(net)
    net.projections[0].coupling.slope = 2.0
    expected = run(network(coupling=bm.SigmoidalCoupling(slope=2.0)))
    np.testing.assert_array_equal(run(net), expected)
    assert np.abs(expected - start).max() > 1e-3


def test_with_several_projections_one_is_named():
    within, other = (bm.Projection(W, coupled_var="x", coupling="additive", k=k) for k in (1.0, 0.5))
    net = bm.Network(hopf(), projections=[within, other])
    with refused(AttributeError, "2 projections", "network.projections[0].k"):
        net.k = 0.0
    net.projections[1].k = 0.0
    alone = bm.Network(hopf(), conn=W, coupled_var="x", coupling="additive")
    np.testing.assert_allclose(run(net), run(alone), rtol=1e-6)
    own = network(projections=[bm.Projection(W, coupled_var="y")])
    own.k = 0.0
    assert own.projections[0].k.value() == 0.0 and own.projections[1].k.value() == 1.0


@pytest.mark.parametrize(("name", "value"), {"k": 0.1, "speed": 10.0, "coupled_var": "x"}.items())
def test_arguments_of_connections_that_a_network_has_not_are_refused(name, value):
    """They would have no effect: those of `projections` are their own."""
    with refused(TypeError, f"`{name}` of Network", f"Projection(weights, {name}=...)"):
        bm.Network(hopf(), projections=[bm.Projection(W, coupled_var="x")], **{name: value})


@pytest.mark.parametrize("name", ["coupled_va", "source"])
def test_a_network_takes_no_other_arguments_of_its_connections(name):
    with refused(TypeError, f"Network has no argument `{name}`"):
        bm.Network(hopf(), conn=W, coupled_var="x", **{name: "x"})


def test_the_arguments_of_a_networks_connections_are_those_of_a_projection():
    network, projection = (inspect.signature(cls).parameters for cls in (bm.Network, bm.Projection))
    assert {"k", "speed", "distance", "coupling"} <= network.keys()
    shared = network.keys() & projection.keys() - {"conn", "coupled_var"}
    assert shared == projection.keys() - {"conn", "coupled_var", "source", "target"}
    assert {name: network[name].default for name in shared} == {name: projection[name].default for name in shared}


def test_a_simulator_takes_another_time_step():
    simulator = bm.Simulator(hopf(), dt=0.1 * u.ms)
    simulator.run(1 * u.ms, seed=0)
    simulator.dt = 0.05 * u.ms
    assert simulator.run(1 * u.ms, monitors=["x"], seed=0)["x"].shape == (20, 3)


# --- kernels as instances ---------------------------------------------------------------------------------------------
def test_a_kernel_that_is_made_is_taken_in_the_place_of_its_name():
    kernel = bm.SigmoidalCoupling(k=0.7, a=1.3, b=0.2, slope=2.0, midpoint=0.4)
    net = network(coupling=kernel, self_connection=True)
    brainstate.nn.init_all_states(net)
    x = np.array([0.3, -0.2, 0.6])
    np.testing.assert_allclose(net.coupling_input(), 0.7 / (1 + np.exp(-2.0 * (1.3 * (W @ x) + 0.2 - 0.4))), rtol=1e-5)
    assert net.coupling is kernel
    projection = bm.Projection(W, coupled_var="x", coupling=bm.AdditiveCoupling(b=2.0), self_connection=True)
    net = bm.Network(hopf(init_x=lambda shape: x), projections=[projection])
    brainstate.nn.init_all_states(net)
    np.testing.assert_allclose(net.coupling_input(), W @ x + 2.0, rtol=1e-5)


def test_refusals_of_kernels_that_are_made():
    kernel = bm.SigmoidalCoupling(slope=2.0)
    with refused(ValueError, "`k`", "SigmoidalCoupling(k=1.0)"):
        network(coupling=kernel, k=1.0)
    with refused(ValueError, "`coupled_var`"):
        network(coupling=kernel, coupled_var="z")
    network(coupling=kernel)  # what was refused has taken nothing
    with refused(ValueError, "has weights already", "another network or projection"):
        network(coupling=kernel)
    with refused(ValueError, "bound sources"):
        network(coupling=bm.SigmoidalCoupling(x=lambda: W[0]))
    with refused(TypeError, "`conn`"):
        bm.SigmoidalCoupling(slope=2.0)(np.ones(3))
    with refused(ValueError, "`slope`", "(3,)"):
        network(coupling=bm.SigmoidalCoupling(slope=np.ones(2)))


def test_one_default_coupling():
    shown = [inspect.signature(cls).parameters["coupling"].default for cls in (bm.Network, bm.Projection)]
    assert shown == ["diffusive", "diffusive"]
    nodes = {"a": hopf(), "b": bm.MontbrioPazoRoxinStep(3, method="heun")}
    with refused(ValueError, "DiffusiveCoupling compares `x` of HopfStep", "coupling='additive'"):
        bm.Network(nodes, projections=[bm.Projection(W, coupled_var="x", source="a", target="b")])


@pytest.mark.slow
def test_names_of_parameters_of_projections():
    second = bm.Projection(W, coupled_var="y", coupling="sigmoidal", k=0.5)
    for name in "projections.0.coupling.k", "projections.1.coupling.k", "coupling.k":
        run = bm.Simulator(network(projections=[second]), dt=0.1 * u.ms).pure(2 * u.ms, monitors=["x"], free=[name])
        slope = jax.grad(lambda k, run=run, name=name: jnp.sum(run({name: k}, 0)["x"]))(0.5)
        assert np.abs(slope) > 1e-6
        second = bm.Projection(W, coupled_var="y", coupling="sigmoidal", k=0.5)
    for name in "projections.0.coupling.k", "coupling.k", "k":
        data = bm.sweep(bm.Simulator(network(), dt=0.1 * u.ms), 2 * u.ms, {name: [0.0, 0.5]}, monitors=["x"])
        ends = np.asarray(data["x"])
        assert np.abs(ends[0] - ends[1]).max() > 1e-6


@pytest.mark.slow
def test_parameters_of_kernels_are_swept_and_fitted_by_name():
    x, slope = np.array([0.3, -0.2, 0.6]), 2.5
    still = dict(a=-1.0, w=0.0, init_x=lambda shape: x, init_y=Constant(0.0))

    def sent(net):
        brainstate.nn.init_all_states(net)
        return net.coupling_input()

    made = bm.Network(hopf(**still), conn=W, coupled_var="x", coupling=bm.SigmoidalCoupling())
    target = 1 / (1 + np.exp(-slope * (W @ x)))
    fitter = bm.Fitter(
        made,
        optax.adam(0.2),
        loss_fn=lambda net: jnp.sum((sent(net) - target) ** 2),
        search_space={"slope": (0.1, 9.0)},
    )
    np.testing.assert_allclose(fitter.fit(n_steps=150).best_params["coupling.slope"], slope, rtol=0.02)
    data = bm.sweep(bm.Simulator(made, dt=0.1 * u.ms), 1 * u.ms, {"slope": [slope, 0.5]}, monitors=["x"])
    np.testing.assert_allclose(data["x"][0, 0], run(made, duration=1 * u.ms), atol=2e-3)
    with pytest.raises(u.UnitMismatchError, match="`coupling.slope` must have no unit"):
        bm.sweep(bm.Simulator(made, dt=0.1 * u.ms), 1 * u.ms, {"slope": [1.0 * u.mV]})


def test_a_projection_added_to_the_list_afterwards_is_refused():
    net = network()
    net.projections.append(bm.Projection(W, coupled_var="x"))
    with pytest.raises(RuntimeError, match="was not given to its network when that was made"):
        run(net)


# --- rows -------------------------------------------------------------------------------------------------------------
def test_everything_with_parameters_declares_them():
    held = [
        x
        for x in public_classes().values()
        if issubclass(x, (bm.Coupling, bm.HRFKernel, bm.Projection, bm.LeadFieldModel))
    ]
    assert len(held) > 15 and all(issubclass(x, WithRows) for x in held)
    for cls in held:
        for name, spec in cls._params.items():
            assert spec.doc and f"\n{name}" in inspect.getdoc(cls)


def test_a_kernel_shows_itself():
    kernel = bm.SigmoidalCoupling(slope=2.0)
    assert repr(kernel) == "SigmoidalCoupling(slope=2.0)"
    assert "steepness" in kernel._repr_html_() and "slope" in kernel._repr_html_()
    assert repr(bm.GammaHRFKernel(duration=30 * u.second)) == "GammaHRFKernel(duration=30 s)"
    assert "slope : default 1.0\n    Steepness; finite." in inspect.getdoc(bm.SigmoidalCoupling)


def test_a_kernel_of_ones_own_declares_its_parameters():
    from brainmass.dynamics.fields import Par, param, positive

    class Power(bm.AdditiveCoupling):
        exponent: Par = param(default=2.0, doc="exponent of what is sent", domain=positive)

        def pre(self, x):
            return jnp.abs(x) ** self.p.exponent

    x = np.array([0.3, -0.2, 0.6])
    np.testing.assert_allclose(Power(conn=W, exponent=3.0)(x), W @ np.abs(x) ** 3, rtol=1e-5)
    with refused(ValueError, "`exponent` of Power", "> 0"):
        network(coupling=Power(exponent=-1.0))


# --- kernels that look at both ends -----------------------------------------------------------------------------------
class Gated(bm.Coupling):
    """Σ_j w_ij x_j exp(-(x_j - x_i)²): no sum of products."""

    def pre(self, x_j, x_i):
        return x_j * jnp.exp(-((x_j - x_i) ** 2))

    def post(self, total, target, strength):
        return self.k.value() * total


def gated(x_j, x_i):
    """The same by a loop, for sources x_j per connection."""
    return np.array(
        [sum(W[i, j] * x_j[i, j] * np.exp(-((x_j[i, j] - x_i[i]) ** 2)) for j in range(3)) for i in range(3)]
    )


def test_a_kernel_of_both_ends(x64):
    x = np.array([0.3, -0.2, 0.6])
    expected = 0.7 * gated(np.broadcast_to(x, (3, 3)), x)
    np.testing.assert_allclose(Gated(conn=W, k=0.7)(x), expected, rtol=1e-12)
    np.testing.assert_allclose(Gated(conn=W, k=0.7)(np.stack([x, 2 * x]))[0], expected, rtol=1e-12)
    np.testing.assert_allclose(Gated(conn=bm.Edges.from_dense(W), k=0.7)(x), expected, rtol=1e-12)
    np.testing.assert_allclose(Gated(x=lambda: x, y=lambda: x, conn=W, k=0.7)(), expected, rtol=1e-12)
    net = network(coupling=Gated, k=0.7)
    brainstate.nn.init_all_states(net)
    np.testing.assert_allclose(net.coupling_input(), expected, rtol=1e-12)
    assert "connection by connection" in repr(net)


@pytest.mark.parametrize("conn", [W, bm.Edges.from_dense(W)], ids=["matrix", "edges"])
@pytest.mark.parametrize("interpolate", [False, True])
def test_a_kernel_of_both_ends_with_delays(conn, interpolate, x64):
    """Explicit Euler by hand: sources as they were one delay ago, targets as they are now."""
    lengths = np.array([[0.0, 2.0, 5.0], [3.0, 0.0, 1.0], [0.0, 4.0, 0.0]])
    node = bm.LinearStep(3, gamma=-0.5, init_x=lambda s: np.array([0.3, -0.2, 0.6]), method="euler")
    distance = lengths if conn is W else np.take_along_axis(lengths, conn.rows().sources, 1)
    net = bm.Network(
        node, conn=conn, coupled_var="x", coupling=Gated, distance=distance * u.mm, speed=10.0, interpolate=interpolate
    )
    found = bm.Simulator(net, dt=0.1 * u.ms).run(2 * u.ms, monitors=["x"], seed=0)["x"]
    past = [np.array([0.3, -0.2, 0.6])] * 6
    for _ in range(20):
        delayed = np.array([[past[-1 - int(lengths[i, j])][j] for j in range(3)] for i in range(3)])
        past.append(past[-1] + 0.1 * (-0.5 * past[-1] + gated(delayed, past[-1])))
    np.testing.assert_allclose(found, past[6:], rtol=1e-9)
