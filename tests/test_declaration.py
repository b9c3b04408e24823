"""What follows from a declaration: constructor, checks and their messages, ports, noise, states, precision."""

# ruff: noqa: E501 (rows of messages)

import inspect
import re

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brainstate import HiddenState
from brainstate.nn import Param, SoftplusT
from braintools.init import Constant, Normal, Uniform

import brainmass
from brainmass import (
    CoombesByrneStep,
    HopfStep,
    MontbrioPazoRoxinStep,
    OUProcess,
    WhiteNoise,
    WongWangExcInhStep,
)
from brainmass.dynamics import checks
from brainmass.dynamics.fields import Par, param, positive, spelling, state
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.testing import check_ports

MPR = MontbrioPazoRoxinStep


def ready(module, batch=None):
    brainstate.nn.init_all_states(module, batch_size=batch)
    return module


def says(error, message):
    """The exception is raised with a message that contains this one."""
    return pytest.raises(error, match=re.escape(message))


# --- signature and table ------------------------------------------------------------------------------------
def test_signature():
    assert str(inspect.signature(HopfStep)).startswith(
        "(in_size, a=0.25, w=0.2, beta=1.0, noise_x=None, noise_y=None, init_x"
    )
    names = list(inspect.signature(MPR).parameters)
    assert names[:10] == "in_size tau eta delta J init_r init_v noise_r noise_v method".split()
    assert sorted(names[10:]) == sorted("v_rest v_th R clamp name".split())
    shown = inspect.signature(MPR).parameters
    assert shown["tau"].default == 1.0 * u.ms and shown["method"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert {shown[name].kind for name in names[10:]} == {inspect.Parameter.KEYWORD_ONLY}
    assert list(inspect.signature(MPR.update).parameters) == ["self", "r_inp", "v_inp", "I_ext"]
    takes = str(inspect.signature(WongWangExcInhStep.derivative))
    assert takes == "(self, state, t, coupling, add_e=0.0, add_i=0.0, current_e=0.0, current_i=0.0)"


def test_help_table():
    doc = inspect.getdoc(MPR)
    assert "tau : default 1.0 ms\n    Time constant of the population; > 0; ms.\n" in doc
    assert "delta : default 1.0 Hz\n" in doc and "; > 0; Hz, or no unit.\n" in doc
    assert "init_r : callable\n    Initial values of `r`.\n" in doc
    assert "noise_v : Noise, optional\n    Noise that enters the derivative of `v`.\n" in doc
    assert "Attributes\n----------\nr : HiddenState\n    Firing rate, in Hz.\n" in doc
    assert "Initial values of `f`, `v`, `q`." in inspect.getdoc(brainmass.BOLDSignal)


def test_positional_arguments_follow_the_signature():
    node = MPR(4, 2.0 * u.ms, -4.0, 0.5 * u.Hz, 12.0)
    assert [node.tau.value() / u.ms, node.eta.value(), node.J.value()] == [2.0, -4.0, 12.0]
    assert node.varshape == (4,) and HopfStep([2, 3]).varshape == (2, 3)


# --- parameters ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: MPR(3, tau=1 * u.mV),
            u.UnitMismatchError,
            "Argument `tau` of MontbrioPazoRoxinStep (time constant of the population) must have a unit like ms, "
            "but is 1 mV (a unit like mV). Example: tau=1.0 * u.ms.",
        ),
        (lambda: MPR(3, tau=10.0), u.UnitMismatchError, "must have a unit like ms, but is 10.0 (no unit)."),
        (lambda: MPR(3, eta=1 * u.mV), u.UnitMismatchError, "must have no unit, but is 1 mV"),
        (lambda: MPR(3, delta=1 * u.mV), u.UnitMismatchError, "must have a unit like Hz or no unit, but is 1 mV"),
        (
            lambda: MPR(3, tau=-2 * u.ms),
            ValueError,
            "Argument `tau` of MontbrioPazoRoxinStep (time constant of the population) must be > 0, but is -2 ms.",
        ),
        (lambda: MPR(3, tau=[1.0, 2.0, -0.3] * u.ms), ValueError, "must be > 0, but is -0.3 ms at index (2,)."),
        (lambda: MPR(3, eta=np.nan), ValueError, "Argument `eta` of MontbrioPazoRoxinStep (mean excitability) must be finite, but is nan."),
        (lambda: HopfStep((2, 2), a=[[0, 1], [np.inf, 0]]), ValueError, "must be finite, but is inf at index (1, 0)."),
        (lambda: CoombesByrneStep(3, k=-0.1), ValueError, "must be >= 0, but is -0.1."),
        (lambda: MPR(3, tau="1 ms"), TypeError, "must be a number, a quantity, an array, an initialiser or a brainstate Param, but is 1 ms (str). Example: tau=1.0 * u.ms."),
        (lambda: MPR(3, J=None), TypeError, "but is None (NoneType). Example: J=15.0."),
        (lambda: MPR(3, J=1j), TypeError, "but is 1j (complex)."),
        (lambda: MPR(3, J=True), TypeError, "but is True (bool)."),
        (lambda: MPR(3, J=np.ones(4)), ValueError, "must be a scalar or fit the population shape (3,), but has shape (4,)."),
        (lambda: MPR(3, J=np.ones((2, 3))), ValueError, "must be a scalar or fit the population shape (3,), but has shape (2, 3)."),
        (lambda: MPR(3, J=Normal(0.0 * u.mV, 1.0 * u.mV)), u.UnitMismatchError, "Argument `J` of MontbrioPazoRoxinStep (recurrent"),
        (lambda: MPR(3, J=Param(jnp.ones(5))), ValueError, "but has shape (5,)."),
        (lambda: MPR(3, tau=Param(-1.0 * u.ms)), ValueError, "must be > 0, but is -1."),
        (lambda: MPR(3, etta=1.0), TypeError, "MontbrioPazoRoxinStep has no argument `etta`. Did you mean 'eta'? It has in_size, tau, eta,"),
        (lambda: MPR(), TypeError, "MontbrioPazoRoxinStep: missing a required argument: 'in_size'."),
        (lambda: MPR(3, 1 * u.ms, tau=2 * u.ms), TypeError, "MontbrioPazoRoxinStep: multiple values for argument 'tau'."),
        (lambda: MPR(0), ValueError, "Argument `in_size` of MontbrioPazoRoxinStep (shape of the population) must be a positive int or a tuple of them, but is 0."),
        (lambda: MPR(2.5), ValueError, "must be a positive int or a tuple of them, but is 2.5."),
        (lambda: MPR((2, -1)), ValueError, "but is (2, -1)."),
        (lambda: MPR(True), ValueError, "but is True."),
        (lambda: MPR(()), ValueError, "but is ()."),
        (lambda: MPR(2, init_r=0.3), TypeError, "Argument `init_r` of MontbrioPazoRoxinStep must be a callable that takes a shape, but is 0.3. Example: init_r=braintools.init.Constant(0.3)."),
        (lambda: brainmass.XY_Oscillator(2), TypeError, "abstract class XY_Oscillator"),
        (lambda: NeuralMassDynamics(2), TypeError, "NeuralMassDynamics is a base class"),
    ],
)  # fmt: skip
def test_refused_arguments(make, error, message):
    with says(error, message):
        make()


def test_accepted_arguments():
    assert MPR(3, tau=10 * u.ms).tau.value().mantissa.dtype == np.float32  # an int gives a real number
    np.testing.assert_array_equal(MPR(3, eta=[1, 2, 3]).eta.value(), [1.0, 2.0, 3.0])
    assert MPR((2, 3), eta=np.ones(3)).eta.value().shape == (3,)
    drawn = MPR(50, eta=Uniform(-6.0, -4.0)).eta.value()
    assert drawn.shape == (50,) and drawn.min() >= -6 and drawn.max() <= -4 and np.ptp(drawn) > 1
    assert float(MPR(3, tau=0.01 * u.second).tau.value().to_decimal(u.ms)) == pytest.approx(10.0)
    fitted = MPR(3, tau=Param(2.0 * u.ms, t=SoftplusT(1.0 * u.ms), fit=True))
    assert float(fitted.p.tau / u.ms) == pytest.approx(2.0, rel=1e-5) and fitted.tau.fit


def test_an_attribute_set_later_is_checked_too():
    node = MPR(3)
    node.tau = 4.0 * u.ms
    assert isinstance(node.tau, Param) and node.tau.value() == 4.0 * u.ms
    with says(ValueError, "Argument `tau` of MontbrioPazoRoxinStep"):
        node.tau = 0.0 * u.ms
    with says(TypeError, "Argument `init_r`"):
        node.init_r = 3.0
    with says(AttributeError, "MontbrioPazoRoxinStep has no attribute 'dleta'. Did you mean 'delta'?"):
        node.dleta  # noqa: B018


def test_parameter_may_be_traced():
    """Under a transformation a value has no number to check, but a unit and a shape."""
    slope = jax.grad(lambda a: HopfStep(1, a=a).derivative((2.0, 0.0), 0 * u.ms, 0.0, 0.0)[0].to_decimal(u.kHz))(0.5)
    assert float(slope) == 2.0  # d/da of (a − x²) x at x = 2
    with says(u.UnitMismatchError, "Argument `tau`"):
        jax.jit(lambda x: MPR(1, tau=x * u.mV).tau.value())(1.0)
    with says(ValueError, "must be >= 0, but is -1.0"):  # a number that is known inside a jit is still checked
        jax.jit(lambda x: x * HopfStep(1, beta=-1.0).p.beta)(1.0)


# --- ports --------------------------------------------------------------------------------------------------
def final_state(node, **inputs):
    with brainstate.environ.context(dt=0.1 * u.ms):
        ready(node).update(**inputs)
    return {name: np.asarray(u.get_mantissa(value)) for name, value in node.state_values().items()}


def still(**options):
    return MPR(2, init_r=Constant(10.0), init_v=Constant(0.1), method="euler", **options)


def test_plain_number_is_read_in_the_ports_unit():
    """Euler: the input adds dt·I/tau to the state."""
    nothing, plain, unit = (
        final_state(still()),
        final_state(still(), r_inp=5.0),
        final_state(still(), r_inp=0.005 * u.kHz),
    )
    np.testing.assert_allclose(plain["r"] - nothing["r"], 0.1 * 5.0, rtol=1e-4)
    np.testing.assert_allclose(unit["r"], plain["r"], rtol=1e-6)
    np.testing.assert_array_equal(plain["v"], nothing["v"])


def test_rate_at_a_dimensionless_port_is_read_in_hertz():
    nothing = final_state(still())
    for rate in 0.3 * u.Hz, 0.3 / u.second, 0.0003 / u.ms:
        np.testing.assert_allclose(final_state(still(), v_inp=rate)["v"] - nothing["v"], 0.03, rtol=1e-4)
    np.testing.assert_allclose(final_state(still(), v_inp=[0.0, 1.0])["v"] - nothing["v"], [0.0, 0.1], atol=1e-6)


@pytest.mark.parametrize(
    "inputs, error, message",
    [
        ({"r_inp": 1 * u.mV}, u.UnitMismatchError, "Input `r_inp` of MontbrioPazoRoxinStep must have a unit like Hz, or be a plain number read in it, but is 1 mV"),
        ({"v_inp": 1 * u.nA}, u.UnitMismatchError, "Input `v_inp` of MontbrioPazoRoxinStep must have no unit, or be"),
        ({"v_inp": np.ones(3)}, ValueError, "Input `v_inp` of MontbrioPazoRoxinStep must be a scalar or fit the shape of the states, (2,), but has shape (3,)."),
        ({"v_inp": np.ones((4, 2))}, ValueError, "but has shape (4, 2)."),
        ({"w_inp": 1.0}, TypeError, "MontbrioPazoRoxinStep.update has no input `w_inp`; it has r_inp, v_inp, I_ext. Did you mean"),
    ],
)  # fmt: skip
def test_refused_inputs(inputs, error, message):
    node = still()
    with says(error, message):
        final_state(node, **inputs)
    assert u.math.shape(node.r.value) == (2,)


def test_inputs_by_position():
    by_name = final_state(still(), r_inp=3.0, v_inp=0.5)
    node = ready(still())
    with brainstate.environ.context(dt=0.1 * u.ms):
        node.update(3.0, 0.5)
        np.testing.assert_array_equal(node.v.value, by_name["v"])
        with says(TypeError, "MontbrioPazoRoxinStep.update was given `r_inp` twice."):
            node.update(3.0, r_inp=1.0)
        with says(TypeError, "MontbrioPazoRoxinStep.update takes the inputs r_inp, v_inp, but was given 3."):
            node.update(1.0, 2.0, 3.0)
    with says(TypeError, "MontbrioPazoRoxinStep.derivative takes the inputs r_inp, v_inp, but was given 1."):
        node.derivative((1 * u.Hz, 0.0), 0 * u.ms, 0 * u.Hz)


def test_time_step_is_asked_for():
    node = ready(HopfStep(2))
    with says(ValueError, "HopfStep needs a time step: write brainmass.Simulator(model, dt=0.1 * u.ms), or brainstate.environ.set(dt=0.1 * u.ms)."):  # fmt: skip
        node.update()
    with (
        brainstate.environ.context(dt=0.1),
        says(u.UnitMismatchError, "HopfStep needs a time step that is a time"),
    ):
        node.update()


# --- states -------------------------------------------------------------------------------------------------
def test_initial_values():
    node = ready(MPR(3, init_r=Constant(0.3 * u.kHz), init_v=lambda shape: np.arange(3)))
    assert isinstance(node.r, HiddenState)
    np.testing.assert_allclose(node.r.value.to_decimal(u.Hz), 300.0, rtol=1e-6)
    np.testing.assert_array_equal(node.v.value, [0.0, 1.0, 2.0])
    assert u.get_unit(ready(MPR(3, init_r=Constant(2.0))).r.value) == u.Hz  # a plain number is read in the state's unit
    drawn = ready(MPR(1000)).r.value.to_decimal(u.Hz)
    assert drawn.min() >= 0 and drawn.max() <= 0.05 and drawn.mean() == pytest.approx(0.025, rel=0.1)


@pytest.mark.parametrize(
    "init, error, message",
    [
        (Constant(1 * u.mV), u.UnitMismatchError, "Argument `init_r` of MontbrioPazoRoxinStep (initial values of firing rate) must have a unit like Hz, but gives [1. 1.] mV."),
        (Constant(-0.3), ValueError, "must be >= 0, but is -0.3 Hz at index (0,)."),
        (lambda shape: np.ones(3), ValueError, "must be a scalar or fit the population shape (2,), but has shape (3,)."),
        (Constant(np.nan), ValueError, "must be >= 0, but is nan"),
    ],
)  # fmt: skip
def test_refused_initial_values(init, error, message):
    with says(error, message):
        ready(MPR(2, init_r=init))


def test_states_before_initialisation():
    node = HopfStep(3)
    with says(AttributeError, "State `x` of HopfStep is not there yet: call init_all_states() first."):
        node.x  # noqa: B018
    with says(RuntimeError, "HopfStep has no states to reset: call init_all_states() first."):
        node.reset_state()
    with says(ValueError, "Argument `batch_size` of HopfStep must be a positive int or None, but is 0."):
        node.init_state(0)
    with says(ValueError, "but is 2.5."):
        node.init_state(2.5)


@pytest.mark.parametrize("batch, shape", [(None, (3,)), (4, (4, 3)), ((2, 4), (2, 4, 3))])
def test_reset_keeps_the_batch(batch, shape):
    node = HopfStep(3, init_x=Constant(0.2), method="euler")
    node.init_all_states(batch_size=batch)
    assert node.x.value.shape == node.y.value.shape == shape
    same = node.x
    with brainstate.environ.context(dt=0.1 * u.ms):
        node.update()
        assert not np.any(node.x.value == np.float32(0.2))
    node.reset_state()
    assert node.x is same
    np.testing.assert_array_equal(node.x.value, np.full(shape, 0.2, np.float32))


def test_lanes_of_a_batch_start_apart():
    node = ready(HopfStep(20), batch=3)
    assert len(np.unique(node.x.value)) == 60


# --- noise --------------------------------------------------------------------------------------------------
def test_noise_is_the_noise_of_the_main_port():
    for node, name in (
        (HopfStep(2), "noise_x"),
        (MPR(2), "noise_v"),
        (CoombesByrneStep(2), "noise_v"),
        (WongWangExcInhStep(2), "noise_e"),
    ):
        assert node.noise is None
        process = OUProcess(2, sigma=0.1)
        node.noise = process
        assert getattr(node, name) is node.noise is process
        node.method = "euler"
        brainstate.random.seed(1)
        before = final_state(type(node)(2, method="euler"))
        brainstate.random.seed(1)
        with_noise = final_state(node)
        moved = {s for s in before if np.abs(with_noise[s] - before[s]).min() > 0}
        assert moved == {next(s.name for s in node._states.values() if s.noise == name)}


@pytest.mark.parametrize(
    "attach, error, message",
    [
        (lambda m: setattr(m, "noise_z", OUProcess(2)), AttributeError, "MontbrioPazoRoxinStep has no noise `noise_z`; it has noise_r, noise_v, and `noise` for the main port."),
        (lambda m: setattr(m, "noise_r", 0.3), TypeError, "Argument `noise_r` of MontbrioPazoRoxinStep must be a brainmass.Noise or None, but is 0.3."),
        (lambda m: setattr(m, "noise", 0.3), TypeError, "Argument `noise_v` of MontbrioPazoRoxinStep must be"),
        (lambda m: setattr(m, "noise_r", OUProcess(3)), ValueError, "Argument `noise_r` of MontbrioPazoRoxinStep must have the shape of the population, in_size=(2,), but is a OUProcess with in_size=(3,)."),
        (lambda m: setattr(m, "noise_r", OUProcess(1)), ValueError, "with in_size=(1,)."),
        (lambda m: MPR(2, noise_q=OUProcess(2)), TypeError, "MontbrioPazoRoxinStep has no argument `noise_q`."),
        (lambda m: MPR(2, noise_r="white"), TypeError, "must be a brainmass.Noise or None, but is white."),
    ],
)  # fmt: skip
def test_refused_noise(attach, error, message):
    node = MPR(2)
    with says(error, message):
        attach(node)
    assert node.noise_r is None and node.noise_v is None


def test_noise_attached_after_initialisation_is_initialised_with_the_batch():
    node = ready(HopfStep(3), batch=4)
    node.noise_x = OUProcess(3, sigma=0.1)
    assert node.noise_x.x.value.shape == (4, 3)
    node.noise_y = ready(OUProcess(3, sigma=0.1))  # initialised on its own, for one lane
    assert node.noise_y.x.value.shape == (4, 3)
    with brainstate.environ.context(dt=0.1 * u.ms):
        brainstate.transform.for_loop(lambda i: node.update(), np.arange(3))
    assert len(np.unique(node.noise_y.x.value)) == 12
    node.noise_x = None
    assert node.noise_x is None


def test_noise_enters_the_drift():
    """Euler: a sample n adds dt·n, here through a process that is all mean."""
    node = HopfStep(2, method="euler", noise_y=WhiteNoise(2, mean=3.0, sigma=0.0))
    brainstate.random.seed(0)
    driven = final_state(node)
    brainstate.random.seed(0)
    free = final_state(HopfStep(2, method="euler"))
    np.testing.assert_allclose(driven["y"] - free["y"], 0.1 * 3.0, rtol=1e-5)
    np.testing.assert_array_equal(driven["x"], free["x"])


# --- errors at class creation -------------------------------------------------------------------------------
def two_states(**body):
    """A class with states x and y, and what is given instead."""
    members = {
        "__annotations__": {"init_x": object, "init_y": object, "x": HiddenState, "y": HiddenState},
        "__doc__": "A model.",
        "init_x": Constant(0.0),
        "init_y": Constant(0.0),
        "x": state("first", port="x_inp"),
        "y": state("second", port="y_inp"),
        "dx": lambda self, x, y, x_ext: (y - x + x_ext) / u.ms,
        "dy": lambda self, y, ext: (ext - y) / u.ms,
        **body,
    }
    return type("TwoStates", (NeuralMassDynamics,), {k: v for k, v in members.items() if v is not None})


def test_a_class_of_ones_own():
    cls = two_states()
    dx, dy = cls(1).derivative((1.0, 3.0), 0 * u.ms, 10.0, 20.0)
    assert [float(rate.to_decimal(u.kHz)) for rate in (dx, dy)] == [12.0, 17.0]
    assert cls not in [getattr(brainmass, row.name) for row in brainmass.list_models()]


@pytest.mark.parametrize(
    "body, message",
    [
        ({"dx": lambda self, x, z_ext: x}, "TwoStates.dx takes `z_ext`, which is neither a state (x, y) nor a port (x_inp, y_inp) of the model."),
        ({"dx": lambda self, y, x: x}, "TwoStates.dx must take `x` as its first argument."),
        ({"dx": None}, "TwoStates declares the state `x`, so it must write `dx`."),
        ({"dz": lambda self, z, x: x}, "TwoStates writes `dz`, so it must declare the state `z`."),
        ({"__annotations__": {"init_x": object, "x": HiddenState, "y": HiddenState}}, "TwoStates.y is a state, so the class must also declare its initial values `init_y`."),
        ({"y": state("second", port="x_inp")}, "TwoStates declares a port twice: ('x_inp', 'x_inp')."),
        ({"y": state("second", port="y_inp", add="x_inp")}, "TwoStates declares a port twice:"),
        ({"x": state("first"), "y": state("second"), "dx": lambda self, x: x, "dy": lambda self, y: y}, "TwoStates must declare at least one input port"),
        ({"coupling_port": "z_inp"}, "TwoStates.coupling_port must be one of ('x_inp', 'y_inp'), but is 'z_inp'."),
        ({"dx": lambda self, x, y: (y - x) / u.ms}, "TwoStates declares the port `x_inp` of the state `x`, but no derivative takes it"),
        ({"y": state("second", port="y_inp", add="y_add")}, "TwoStates declares the port `y_add` of the state `y`, but no derivative takes it"),
        ({"shared_inputs": {"both": u.UNITLESS}}, "TwoStates.shared_inputs has the port `both`, but no derivative takes it."),
        ({"y": state("second", port="y_inp", noise="noise_q")}, "TwoStates.y names the noise `noise_q`, which the class does not declare."),
    ],
)  # fmt: skip
def test_class_creation_errors(body, message):
    with says(TypeError, message):
        two_states(**body)


def test_a_port_may_enter_the_equation_of_another_state():
    cls = two_states(dx=lambda self, x, y: (y - x) / u.ms, dy=lambda self, y, ext, x_ext: (ext + x_ext - y) / u.ms)
    dx, dy = cls(1).derivative((0.0, 0.0), 0 * u.ms, 10.0, 20.0)
    assert [float(rate.to_decimal(u.kHz)) for rate in (dx, dy)] == [0.0, 30.0]


def test_check_of_a_model_finds_a_port_that_its_equation_leaves_out():
    check_ports(two_states())
    deaf = two_states(dx=lambda self, x, y, x_ext: (y - x) / u.ms)
    with pytest.raises(AssertionError, match="nothing depends on what enters the port `x_inp`"):
        check_ports(deaf)


def test_noise_without_a_port_is_an_error_at_class_creation():
    with says(TypeError, "Deaf.x has the noise `noise_x` but no port for it to enter."):

        class Deaf(NeuralMassDynamics):
            """A model."""

            noise_x: object = None
            init_x: object = Constant(0.0)
            x: HiddenState = state("state")

            def dx(self, x):
                return -x / u.ms


def test_subclass_overrides_equation_and_parameter():
    class Slow(HopfStep):
        """A Hopf node that only decays."""

        a: Par = param(default=-0.5, doc="decay")
        gain: Par = param(default=2.0, doc="gain of the input", domain=positive)

        def dx(self, x, y, x_ext):
            return (self.p.a * x + self.p.gain * x_ext) / u.ms

    # as in a dataclass, what is restated keeps its place
    assert list(inspect.signature(Slow).parameters)[:5] == ["in_size", "gain", "a", "w", "beta"]
    dx, _ = Slow(1).derivative((4.0, 0.0), 0 * u.ms, 3.0, 0.0)
    assert float(dx.to_decimal(u.kHz)) == -0.5 * 4 + 2 * 3
    with says(ValueError, "Argument `gain` of Slow (gain of the input) must be > 0"):
        Slow(1, gain=0.0)
    assert float(HopfStep(1).a.value()) == 0.25


# --- repr ---------------------------------------------------------------------------------------------------
def test_repr_shows_what_is_not_default():
    assert repr(MPR(5)) == "MontbrioPazoRoxinStep(5)"
    assert repr(HopfStep((2, 3), a=0.1, beta=1.0, method="rk4")) == "HopfStep(2, 3, a=0.1, method='rk4')"
    assert repr(MPR(2, tau=10 * u.ms, noise_v=OUProcess(2, sigma=0.5))) == (
        "MontbrioPazoRoxinStep(2, tau=10. ms, noise_v=OUProcess(2, sigma=0.5))"
    )
    assert repr(HopfStep(2, a=np.array([0.0, 1.0]))) == "HopfStep(2, a=[0. 1.])"
    shown = []
    jax.jit(lambda a: (shown.append(repr(HopfStep(2, a=a))), a)[1])(1.0)
    assert shown[0].startswith("HopfStep(2, a=...")


# --- precision ----------------------------------------------------------------------------------------------
def dtypes(node):
    params = [
        u.get_mantissa(getattr(node, name).value()).dtype for name in node._params if getattr(node, name) is not None
    ]
    return {*params, *(u.get_mantissa(value).dtype for value in node.state_values().values())}


@pytest.mark.slow
def test_single_precision_by_default():
    for cls in MPR, HopfStep, WongWangExcInhStep:
        node = ready(cls(2, method="euler"), batch=2)
        with brainstate.environ.context(dt=0.1 * u.ms):
            node.update(np.ones(2))
        assert dtypes(node) == {np.dtype("float32")}
    assert jax.config.jax_enable_x64 is False


@pytest.mark.slow
def test_precision_follows_jax(x64):
    for cls in MPR, HopfStep, WongWangExcInhStep:
        node = ready(cls(2, method="euler"), batch=2)
        assert dtypes(node) == {np.dtype("float64")}
        with brainstate.environ.context(dt=0.1 * u.ms):
            node.update(np.ones(2))
        node.reset_state()
        assert dtypes(node) == {np.dtype("float64")}
    assert jax.config.jax_enable_x64 is True
    assert float(HopfStep(1, a=1 / 3).a.value()) == 1 / 3
    assert float(ready(HopfStep(1, init_x=Constant(1 / 3))).x.value[0]) == 1 / 3
    drawn = np.asarray(ready(HopfStep(50)).x.value)
    assert np.any(drawn != drawn.astype(np.float32))


def test_precision_of_a_block():
    """`jax.enable_x64` for a block is honoured, and nothing of it is left behind."""
    with jax.enable_x64(True):
        assert dtypes(ready(MPR(2))) == {np.dtype("float64")}
    assert jax.config.jax_enable_x64 is False and jnp.zeros(1).dtype == np.float32
    assert brainstate.environ.get_precision() == 32
    assert dtypes(ready(MPR(2))) == {np.dtype("float32")}


# --- other ways to write arguments and inputs, presets, contradictions ----------------------------------------
class Decay(NeuralMassDynamics):
    """x' = (-rate x + inp) / ms.

    Reference: none.
    """

    coupling_port = "x_inp"
    shared_inputs = {"common": u.UNITLESS}
    other_inputs = {"drive": "x_inp"}
    presets = {"slow": brainmass.Preset("takes its time", "nobody 1900", {"rate": 0.1})}

    rate: Par = param(default=1.0, doc="rate of decay", domain=positive)
    limit: Par = param(default=None, doc="largest rate", domain=positive, kw_only=True)
    init_x: brainmass.dynamics.fields.Initializer = Constant(1.0)
    half_life: float | None = spelling("time in which half is gone: rate = ln 2 / half_life", default=None)

    x: HiddenState = state("what decays", port="x_inp")

    def dx(self, x, x_inp, common):
        return (-self.p.rate * x + x_inp + common) / u.ms

    @classmethod
    def translate(cls, given):
        if "half_life" not in given:
            return given
        return {"rate": np.log(2) / given.pop("half_life"), **given}

    def check(self):
        if self.limit is not None and self.p.rate > self.p.limit:
            raise ValueError("the rate is above its limit")

    def convert_input(self, name, value):
        return 10 * value


def test_spelling_stands_for_a_parameter():
    assert Decay(1, half_life=2.0).rate.value() == np.float32(np.log(2) / 2)
    assert str(inspect.signature(Decay)).startswith("(in_size, rate=1.0, init_x=")
    assert inspect.signature(Decay).parameters["half_life"].kind is inspect.Parameter.KEYWORD_ONLY
    assert "half_life : optional\n    Time in which half is gone" in inspect.getdoc(Decay)
    assert Decay(1, half_life=None).rate.value() == 1.0
    with says(AttributeError, "`half_life` of Decay is known to the constructor alone (time in which half"):
        Decay(1).half_life = 3.0


def test_check_refuses_contradictions():
    assert Decay(1, limit=2.0).limit.value() == 2.0
    with says(ValueError, "the rate is above its limit"):
        Decay(1, rate=3.0, limit=2.0)


def test_preset():
    assert Decay.preset("slow", 2).rate.value() == np.float32(0.1)
    assert Decay.preset("slow", 2, rate=0.2).rate.value() == np.float32(0.2)
    assert "- `slow`: takes its time (nobody 1900)." in inspect.getdoc(Decay)
    with says(ValueError, "Decay has no preset 'slo'. Did you mean 'slow'? It has slow."):
        Decay.preset("slo", 2)


def test_other_names_of_inputs():
    assert list(inspect.signature(Decay.update).parameters) == ["self", "common", "x_inp", "drive"]
    results = []
    with brainstate.environ.context(dt=0.1 * u.ms):
        for inputs in {"drive": 0.2}, {"x_inp": 2.0}, {"common": 2.0}:
            node = ready(Decay(2, method="euler"))
            node.update(**inputs)
            results.append(np.asarray(node.x.value))
            run = brainmass.Simulator(Decay(2, method="euler")).run(0.1 * u.ms, inputs=inputs, seed=0)
            np.testing.assert_array_equal(run["x"][-1], results[-1])
        node = ready(Decay(2))
        with says(TypeError, "Decay.update was given both `x_inp` and `drive`, one and the same input."):
            node.update(x_inp=1.0, drive=1.0)
        with says(TypeError, "Decay.update has no input `driv`; it has common, x_inp, drive. Did you mean 'drive'?"):
            node.update(driv=1.0)
        with says(ValueError, "names 'drivee'; Decay has the inputs common, x_inp, drive. Did you mean 'drive'?"):
            brainmass.Simulator(Decay(2)).run(1 * u.ms, inputs={"drivee": 1.0})
    for result in results:
        np.testing.assert_allclose(result, 1 + 0.1 * (-1 + 2), rtol=1e-6)


def test_other_inputs_must_name_ports():
    with says(TypeError, "Wrong.other_inputs must map new names to ports, ('x_inp',): not ['p']"):

        class Wrong(NeuralMassDynamics):
            other_inputs = {"p": "y_inp"}
            init_x: brainmass.dynamics.fields.Initializer = Constant(0.0)
            x: HiddenState = state("x", port="x_inp")

            def dx(self, x, x_inp):
                return (x_inp - x) / u.ms


@pytest.mark.parametrize("name", [entry.name for entry in brainmass.list_models()])
def test_examples_in_messages_can_be_pasted(name):
    """brainunit knows some units under other names than it prints: `u.s` does not exist."""
    for spec in getattr(brainmass, name)._params.values():
        pasted = eval(checks._example(spec), {"u": u})
        assert any(u.get_unit(pasted).has_same_dim(unit) for unit in spec.units) or not spec.units
        assert spec.default is None or u.math.allclose(pasted, spec.default)


def test_a_parameter_that_a_subclass_dropped_cannot_be_set():
    node = brainmass.StuartLandauStep(2)
    with says(AttributeError, "StuartLandauStep has no parameter 'beta': it has a, w"):
        node.beta = 3.0
