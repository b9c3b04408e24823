"""The drift: the equations of a model as a function of a flat state and of named parameters."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brainstate import HiddenState
from braintools.init import Constant
from long_models import long_are_slow

import brainmass
from brainmass import Drift, Noise
from brainmass.declare import Initializer, Par, param, state

NODES = [getattr(brainmass, info.name) for info in brainmass.list_models()]
NODES = [m for m in NODES if issubclass(m, brainmass.NeuralMassDynamics) and m.__name__ != "XY_Oscillator"]


def stepped(model, x, inputs=None, dt=1e-5):
    """Rates of change, from one step of Euler's method in double precision."""
    drift = Drift(model, inputs)
    brainstate.environ.set(dt=dt * u.ms)
    brainstate.nn.init_all_states(model)
    nodes = getattr(model, "populations", {"": model})
    for prefix, node in nodes.items():
        node.method = "euler"
        for name in node._states:
            key = f"{prefix}.{name}" if len(nodes) > 1 else name
            getattr(node, name).value = drift.unpack(x)[key]
    if hasattr(model, "init_state") and hasattr(model, "projections"):
        model.init_state()  # the past of delayed connections
    model.update(**(inputs or {}))
    return (drift.pack(model.state_values()) - x) / dt


@pytest.mark.parametrize("kind", long_are_slow(NODES), ids=lambda kind: kind.__name__)
def test_it_is_what_a_step_follows(kind, x64):
    model = kind(2)
    x = Drift(model).starts(1, seed=3)[0]
    expected = stepped(model, x)
    got = Drift(model)(x)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max() + 1e-9)


def network(**more):
    weights = np.array([[0.0, 1.0, 0.5], [0.3, 0.0, 0.0], [0.2, 0.7, 0.0]])
    return brainmass.Network(brainmass.HopfStep(3, a=-0.1), conn=weights, coupled_var="x", k=0.3, **more)


def two_populations():
    nodes = {"cortex": brainmass.HopfStep(3), "thalamus": brainmass.HopfStep(1, a=0.1)}
    down = brainmass.Projection(np.ones((3, 1)), coupled_var="x", source="thalamus", target="cortex", k=0.1)
    return brainmass.Network(nodes, projections=[down])


@pytest.mark.parametrize(
    ("make", "inputs"),
    [(network, {"x_inp": 0.1}), (lambda: network(coupling="additive", port="y_inp"), {}),
     (two_populations, {"cortex.x_inp": 0.2})],
)  # fmt: skip
def test_networks(make, inputs, x64):
    model = make()
    drift = Drift(model, inputs)
    x = drift.starts(1, seed=1)[0] + 0.3
    np.testing.assert_allclose(drift(x), stepped(model, x, inputs), rtol=1e-4, atol=1e-9)


def test_means_of_noises_count(x64):
    noise = brainmass.OUProcess(1, mean=220.0 * u.Hz, sigma=1.0 * u.Hz)
    noisy = Drift(brainmass.JansenRitStep(1, noise_E=noise))
    held = Drift(brainmass.JansenRitStep(1), {"E_inp": 220.0 * u.Hz})
    x = np.arange(6.0)
    np.testing.assert_allclose(noisy(x), held(x))
    assert "noise_E.sigma" in noisy.parameters
    # Jansen, Rit 1995: dEv/dt = A a (p + C2 S(C1 y0)) - 2 a y4 - a² y1, here in mV/s per ms
    sigmoid = 5.0 / (1 + np.exp(0.56 * (6.0 - 135 * 0.0)))
    expected = (3.25 * 100 * (220 + 0.8 * 135 * sigmoid) - 2 * 100 * 4.0 - 100**2 * 1.0) / 1000
    np.testing.assert_allclose(held(x)[4], expected)


@pytest.mark.slow
def test_parameters_by_name_with_their_slopes(x64):
    drift = Drift(network(), {"x_inp": 0.1})
    x = np.linspace(0.1, 0.6, 6)
    for name, value in {"node.a": -0.1, "k": 0.3, "x_inp": 0.1, "conn": drift.parameters["coupling.conn"]}.items():
        np.testing.assert_allclose(drift(x, {name: value}), drift(x))
        slope = jax.jvp(lambda v, name=name: drift(x, {name: v}), (value,), (np.ones_like(value),))[1]
        step = (drift(x, {name: value + 1e-6}) - drift(x, {name: value - 1e-6})) / 2e-6
        np.testing.assert_allclose(slope, step, atol=1e-8)
        assert np.abs(slope).max() > 0.01
    many = jax.jit(jax.vmap(lambda k: drift(x, {"k": k})))(jnp.array([0.0, 0.3]))
    np.testing.assert_allclose(many[1], drift(x))
    assert Drift(network()).unit_of("x_inp").dim == u.DIMENSIONLESS
    assert Drift(brainmass.JansenRitStep(1)).unit_of("be") == u.Hz


def test_parameters_are_the_numbers_that_were_written():
    drift = Drift(brainmass.JansenRitStep(1))
    assert float(drift.parameters["r"]) == 0.56
    with jax.enable_x64(True):
        assert drift(np.zeros(6)).dtype == np.float64
    assert drift(np.zeros(6)).dtype == np.float32


@pytest.mark.slow
def test_with_delays_the_past_counts(x64):
    distance = np.array([[0.0, 10.0, 20.0], [10.0, 0.0, 20.0], [10.0, 20.0, 0.0]])
    drift = Drift(network(distance=distance, speed=5.0 * u.mm / u.ms, coupling="additive"))
    np.testing.assert_allclose(drift.delays, [2.0, 4.0])
    np.testing.assert_allclose(drift.delays_of({"speed": 10.0}), [1.0, 2.0])
    x = np.linspace(0.1, 0.6, 6)
    np.testing.assert_allclose(drift.delayed(x, np.stack([x, x])), drift(x))
    past = np.stack([x + 1.0, x - 1.0])
    # region 0: w_01 = 1 over 2 ms, w_02 = 0.5 over 4 ms, times k; region 2: w_20 over 2, w_21 over 4 ms
    np.testing.assert_allclose((drift.delayed(x, past) - drift(x))[:3], 0.3 * np.array([1 - 0.5, 0.3, 0.2 - 0.7]))


@pytest.mark.slow
def test_nodes_that_keep_their_past(x64):
    drift = Drift(brainmass.KuramotoNetwork(2, omega=1.0, K=0.5, alpha=0.1, delay=2 * u.ms))
    theta, past = np.array([0.2, 0.9]), np.array([[0.1, 0.5]])
    expected = 1 + 0.25 * np.sin(past[0, ::-1] - theta - 0.1)
    np.testing.assert_allclose(drift.delayed(theta, past), expected)
    assert drift.angles.all()
    drift = Drift(brainmass.WilsonCowanDelayedStep(2))
    np.testing.assert_allclose(drift.delays, [1.5, 2.0])
    x = np.array([0.1, 0.2, 0.3, 0.4])
    instantaneous = Drift(brainmass.WilsonCowanStep(2))
    np.testing.assert_allclose(drift.delayed(x, np.stack([x, x])), instantaneous(x))
    # entries: rE, rE, rI, rI
    ahead = x + np.array([0.1, 0.0, 0.0, 0.0]), x + np.array([0.0, 0.0, 0.0, 0.1])
    EI = drift.delayed(x, np.stack([x, ahead[0]])) - drift(x)
    II = drift.delayed(x, np.stack([ahead[1], x])) - drift(x)
    assert (EI[::2] != 0).all() and (EI[1::2] == 0).all()
    assert (II[1::2] != 0).all() and (II[::2] == 0).all()


def test_layout():
    drift = Drift(two_populations())
    assert drift.names == ("cortex.x", "cortex.y", "thalamus.x", "thalamus.y")
    assert drift.labels == ("cortex.x[0]", "cortex.x[1]", "cortex.x[2]", "cortex.y[0]", "cortex.y[1]", "cortex.y[2]",
                            "thalamus.x", "thalamus.y")  # fmt: skip
    x = np.arange(8.0)
    np.testing.assert_allclose(drift.pack(drift.unpack(x)), x)
    drift = Drift(brainmass.WilsonCowanStep(2))
    assert (drift.lower == 0).all()
    column = Drift(brainmass.JansenRitStep(1))
    np.testing.assert_allclose(column.pack({**column.unpack(np.zeros(6)), "M": 0.002 * u.volt})[0], 2.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Drift(3), "`model` of Drift must be"),
        (lambda: Drift(brainmass.HopfStep(1), {"x_inp": lambda t: 0.1}), "`x_inp` must be held .* is a function"),
        (lambda: Drift(brainmass.HopfStep(1), {"x_inp": brainmass.Sinusoid(1, amplitude=1.0, frequency=1 * u.Hz)}),
         "`x_inp` must be held .* is a Sinusoid"),
        (lambda: Drift(brainmass.HopfStep(1), {"z_inp": 0.1}), "x_inp, y_inp"),
        (lambda: Drift(brainmass.HopfStep(1))(np.zeros(2), {"aa": 1.0}), "no parameter or input 'aa'"),
        (lambda: Drift(brainmass.HopfStep(1))(np.zeros(3)), r"`x` of Drift .* shape \(..., 2\)"),
        (lambda: Drift(brainmass.HopfStep(1))(np.zeros(2), {"beta": -1.0}), "`beta` must be >= 0"),
        (lambda: Drift(brainmass.HopfStep(1)).pack({"x": 0.1}), "misses 'y'"),
        (lambda: Drift(brainmass.HopfStep(1)).pack({"z": 0.1}), "has no 'z'"),
        (lambda: Drift(brainmass.JansenRitStep(1)).pack(dict.fromkeys(["M", "E", "I", "Mv", "Ev", "Iv"], 1 * u.ms)),
         "must be in mV"),
        (lambda: Drift(network()).delayed(np.zeros(6), np.zeros((1, 6))), r"one row for each of the delays, \(0, 6\)"),
        (lambda: Drift(network(delay=2.0 * u.ms * np.ones((3, 3)))).delays_of({"delay": np.arange(9.0).reshape(3, 3)}),
         "must leave delays equal that are equal in the model"),
    ],
)  # fmt: skip
def test_what_is_refused(call, words):
    with pytest.raises((ValueError, TypeError, u.UnitMismatchError), match=words):
        call()


# --- compiled once ---------------------------------------------------------------------------------------------------
class Rests(brainmass.NeuralMassDynamics):
    """x' = a - x."""

    a: Par = param(default=1.0, doc="rest")
    noise_x: Noise | None = None
    init_x: Initializer = Constant(0.0)
    x: HiddenState = state("activity", port="x_inp", noise="noise_x")

    def dx(self, x, x_inp):
        return (self.p.a - x + x_inp) / u.ms


def test_analyses_of_a_model_that_is_what_it_was_compile_once(monkeypatch):
    """And of one that was changed anew: it rests at a, with the variance sigma² / 2."""
    node, traced, equations = Rests(1, noise_x=brainmass.WhiteNoise(1, sigma=0.1 * u.UNITLESS)), [], Drift.equations
    monkeypatch.setattr(Drift, "equations", lambda *given: traced.append(given) or equations(*given))

    def analysed(**values):
        found = brainmass.fixed_points(node, parameters=values)
        variance = brainmass.linear_response(node, at=found, parameters=values).covariance().item()
        return found.x.item(), variance

    np.testing.assert_allclose(analysed(a=2.0), [2.0, 0.005], rtol=1e-6)
    assert traced
    traced.clear()
    np.testing.assert_allclose(analysed(a=3.0), [3.0, 0.005], rtol=1e-6)
    assert not traced
    node.a, node.noise_x.sigma = 5.0, 0.2
    np.testing.assert_allclose(analysed(a=3.0), [3.0, 0.02], rtol=1e-6)
    np.testing.assert_allclose(analysed(), [5.0, 0.02], rtol=1e-6)
    assert traced
