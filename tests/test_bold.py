"""The Balloon–Windkessel model against scipy at tight tolerance, in the variables of the paper."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from braintools.init import Constant
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import brainmass

DEFAULTS = {"gamma": 0.41, "k": 0.65, "alpha": 0.32, "tau": 0.98, "rho": 0.34, "V0": 0.02}


def balloon(y, z, gamma, k, alpha, tau, rho, V0):
    """Friston, Harrison, Penny 2003, equations 3; per second."""
    x, f, v, q = y
    extraction = (1 - (1 - rho) ** (1 / f)) / rho
    outflow = v ** (1 / alpha)
    return [z - k * x - gamma * (f - 1), x, (f - outflow) / tau, (f * extraction - outflow * q / v) / tau]


def signal(v, q, rho=0.34, V0=0.02, **_):
    return V0 * (7 * rho * (1 - q) + 2 * (1 - q / v) + (2 * rho - 0.2) * (1 - v))


def reference(seconds, drive, values=DEFAULTS):
    """States at these times from rest, for a drive that is `drive(t)` and steps at 1 s."""
    solve = dict(rtol=1e-11, atol=1e-13, dense_output=True, method="DOP853")
    first = solve_ivp(lambda t, y: balloon(y, drive(0.5), **values), (0, 1), [0, 1, 1, 1], **solve)
    second = solve_ivp(lambda t, y: balloon(y, drive(1.5), **values), (1, seconds[-1] + 1), first.y[:, -1], **solve)
    return np.where(seconds <= 1, first.sol(np.minimum(seconds, 1)), second.sol(np.maximum(seconds, 1)))


def simulate(seconds, dt, drive, **values):
    """The signal after each step and the states at the end."""
    bold = brainmass.BOLDSignal(1, **values)
    bold.init_state()
    h = dt.to_decimal(u.second)
    z = np.array([drive((i + 0.5) * h) for i in range(round(seconds / h))])
    with brainstate.environ.context(dt=dt):
        y = brainstate.transform.for_loop(bold.update, z)
    return np.asarray(y)[:, 0], bold


def one_second(t):
    return float(t < 1)


def test_response_to_one_second_of_input(x64):
    """Peak 0.02524 at 3.375 s and undershoot −0.00563 at 9.58 s, and the whole course as scipy has it."""
    y, _ = simulate(20, 5 * u.ms, one_second)
    t = 0.005 * np.arange(1, len(y) + 1)
    _, _, v, q = reference(t, one_second)
    np.testing.assert_allclose(y, signal(v, q), atol=2e-7)
    assert y.max() == pytest.approx(0.02524, abs=1e-5) and t[y.argmax()] == pytest.approx(3.375, abs=0.006)
    assert y.min() == pytest.approx(-0.00563, abs=1.2e-5) and t[y.argmin()] == pytest.approx(9.58, abs=0.011)


def test_steady_state_under_constant_input(x64):
    """f = 1 + z/gamma, v = f^alpha, q = v E(f)/rho: 3.4390, 1.48477, 0.497004, and y = 0.045899."""
    y, bold = simulate(60, 20 * u.ms, lambda t: 1.0)
    f = 1 + 1 / 0.41
    v = f**0.32
    q = v * (1 - (1 - 0.34) ** (1 / f)) / 0.34
    assert [f, v, q, signal(v, q)] == pytest.approx([3.4390, 1.48477, 0.497004, 0.045899], rel=1e-4)
    found = [bold.x.value[0], bold.f.value[0], bold.v.value[0], bold.q.value[0], y[-1]]
    np.testing.assert_allclose(found, [0, f, v, q, signal(v, q)], rtol=1e-6, atol=1e-7)


def test_other_parameters(x64):
    values = {"gamma": 0.32, "k": 0.9, "alpha": 0.5, "tau": 1.6, "rho": 0.6, "V0": 0.04}
    y, _ = simulate(6, 5 * u.ms, one_second, **values)
    _, _, v, q = reference(0.005 * np.arange(1, len(y) + 1), one_second, values)
    np.testing.assert_allclose(y, signal(v, q, **values), atol=2e-6)


def test_second_order_in_the_step(x64):
    """Heun: the error falls fourfold when the step is halved; at 10 ms it is below 1e-5 of the peak."""
    error = {}
    for ms in 10, 20, 40:
        y, _ = simulate(4, ms * u.ms, one_second)
        _, _, v, q = reference(1e-3 * ms * np.arange(1, len(y) + 1), one_second)
        error[ms] = np.abs(y - signal(v, q)).max()
    assert error[40] / error[20] == pytest.approx(4, rel=0.1)
    assert error[20] / error[10] == pytest.approx(4, rel=0.1)
    assert error[10] < 5e-5 * 0.025


def test_rest_is_a_fixed_point():
    y, bold = simulate(1, 10 * u.ms, lambda t: 0.0)
    np.testing.assert_array_equal(y, 0.0)
    assert [float(value[0]) for value in bold.state_values().values()] == [0, 1, 1, 1]


def test_any_unit_of_the_step():
    expected, _ = simulate(2, 10.0 * u.ms, one_second)
    for dt in 0.01 * u.second, 1e4 * u.us:
        np.testing.assert_allclose(simulate(2, dt, one_second)[0], expected, rtol=1e-5, atol=1e-9)
    with brainstate.environ.context(dt=0.01):
        bold = brainmass.BOLDSignal(1)
        bold.init_state()
        with pytest.warns(UserWarning, match=r"reads the time step 0.01 .* as 0.01 s.*write 0.01 \* u.second"):
            plain = bold.update(1.0)
    np.testing.assert_allclose(plain, expected[0], rtol=1e-5)


def test_derivative_is_the_papers(x64):
    y = np.array([0.3, 1.4, 0.8, 1.2])
    found = brainmass.BOLDSignal(1).derivative(tuple(y), 0 * u.ms, 0.7)
    np.testing.assert_allclose([rate.to_decimal(u.Hz) for rate in found], balloon(y, 0.7, **DEFAULTS), rtol=1e-13)


def test_deactivation(x64):
    """Flow falls to a fifth of its resting value, where its equation is stiff; also at coarse steps."""
    deactivate = lambda t: -0.95 * (t < 1)  # noqa: E731
    for ms, tolerance in (5, 1e-6), (100, 1e-3):
        y, _ = simulate(12, ms * u.ms, deactivate)
        _, f, v, q = reference(1e-3 * ms * np.arange(1, len(y) + 1), deactivate)
        assert 0.1 < f.min() < 0.25
        np.testing.assert_allclose(y, signal(v, q), atol=tolerance)


@pytest.mark.parametrize(
    "name, wrong, rule",
    [
        ("gamma", 0.0, "> 0"),
        ("k", -1.0, "> 0"),
        ("tau", np.nan, "> 0"),
        ("V0", 0.0, "> 0"),
        ("rho", 0.0, "between 0 and 1, exclusive"),
        ("rho", 1.0, "between 0 and 1, exclusive"),
        ("alpha", 0.0, "> 0 and at most 1"),
        ("alpha", 1.01, "> 0 and at most 1"),
    ],
)
def test_domains(name, wrong, rule):
    with pytest.raises(ValueError, match=f"Argument `{name}` of BOLDSignal .* must be {rule}, but is {wrong}"):
        brainmass.BOLDSignal(2, **{name: wrong})
    brainmass.BOLDSignal(2, alpha=1.0)


def test_parameters_take_their_units(x64):
    """In any unit of their dimension, also by region; plain numbers are seconds and hertz."""
    y, z = (jnp.array([0.1, 0.2]), *jnp.array([[1.2, 0.9], [1.1, 1.3], [0.8, 1.4]])), 0.3
    plain = brainmass.BOLDSignal(2, tau=[1.0, 1.2], k=0.7, gamma=0.5)
    given = brainmass.BOLDSignal(2, tau=[1000, 1200] * u.ms, k=0.0007 / u.ms, gamma=0.5 / u.second**2)
    for a, b in zip(plain.derivative(y, 0 * u.ms, z), given.derivative(y, 0 * u.ms, z), strict=True):
        np.testing.assert_allclose(a.to_decimal(u.Hz), b.to_decimal(u.Hz), rtol=1e-12)
    with pytest.raises(u.UnitMismatchError, match=r"`tau` of BOLDSignal .* must have no unit or a unit like s"):
        brainmass.BOLDSignal(2, tau=1.0 * u.mV)


def test_initial_values_must_be_positive():
    with pytest.raises(ValueError, match="`init` of BOLDSignal .*must be > 0"):
        brainmass.BOLDSignal(2, init=Constant(0.0)).init_state()


def test_input_unit():
    bold = brainmass.BOLDSignal(2)
    bold.init_state()
    with (
        brainstate.environ.context(dt=1 * u.ms),
        pytest.raises(u.UnitMismatchError, match="The activity that drives BOLDSignal .* in mV"),
    ):
        bold.update(1.0 * u.mV)


def test_input_shape():
    bold = brainmass.BOLDSignal(2)
    bold.init_state(3)
    with brainstate.environ.context(dt=1 * u.ms):
        assert bold.update(np.ones(2)).shape == (3, 2)
        for shape in (3,), (4, 3, 2):
            with pytest.raises(ValueError, match=r"Input `z` of BOLDSignal must be a scalar or fit .*\(3, 2\)"):
                bold.update(np.ones(shape))


def test_gradients_against_finite_differences(x64):
    """Of the signal 3 s after the start of the input, in every parameter and in the input."""

    def after_three_seconds(values):
        values = dict(values)
        bold = brainmass.BOLDSignal(1, **{name: values[name] for name in DEFAULTS})
        bold.init_state()
        with brainstate.environ.context(dt=50 * u.ms):
            y = brainstate.transform.for_loop(bold.update, values["z"] * (np.arange(60) < 20))
        return y[-1, 0]

    values = {**DEFAULTS, "z": 1.0}
    slopes = jax.jit(jax.grad(after_three_seconds))(values)
    f = jax.jit(after_three_seconds)
    for name, x in values.items():
        h = 1e-5 * x
        expected = (f({**values, name: x + h}) - f({**values, name: x - h})) / (2 * h)
        assert abs(expected) > 1e-6
        np.testing.assert_allclose(slopes[name], expected, rtol=1e-6, err_msg=name)


def test_constant_input_gives_the_inverse_of_the_steady_state(x64):
    """Which constant drive gives one per cent? The root of the closed form, put back into the model."""

    def steady(z):
        f = 1 + z / 0.41
        v = f**0.32
        return signal(v, v * (1 - (1 - 0.34) ** (1 / f)) / 0.34)

    z = brentq(lambda z: steady(z) - 0.01, 0, 1)
    y, _ = simulate(60, 50 * u.ms, lambda t: z)
    assert y[-1] == pytest.approx(0.01, rel=1e-6)


# --- the other outputs ----------------------------------------------------------------------------------------------
def at_state(v, q, **options):
    bold = brainmass.BOLDSignal(1, **options)
    bold.init_state()
    bold.v.value, bold.q.value = np.array([v]), np.array([q])
    return float(bold.bold()[0])


def test_coefficients_at_one_and_a_half_tesla(x64):
    """Obata et al. 2004, at rho = 0.4, TE = 40 ms: 2.77, 0.572 and 0.43 of opposite sign."""
    given = dict(rho=0.4, V0=1.0, output="obata2004")
    k1, k2, k3 = 4.3 * 40.3 * 0.4 * 0.04, 1.43 * 25 * 0.4 * 0.04, 1 - 1.43
    assert [k1, k2, k3] == pytest.approx([2.773, 0.572, -0.43], abs=1e-3)
    v, q = 1.2, 0.7
    assert at_state(v, q, **given) == pytest.approx((k1 + k2) * (1 - q) + (k3 - k2) * (1 - v), rel=1e-12)
    revised = at_state(v, q, **given | {"output": "stephan2007"})
    assert revised == pytest.approx(k1 * (1 - q) + k2 * (1 - q / v) + k3 * (1 - v), rel=1e-12)


def test_parameters_of_the_scanner(x64):
    """Another field strength, echo time and ratio of the signals."""
    given = dict(output="stephan2007", TE=30 * u.ms, nu0=80.6 * u.Hz, r0=110.0 / u.second, epsilon=0.5)
    k1, k2, k3 = 4.3 * 80.6 * 0.34 * 0.03, 0.5 * 110 * 0.34 * 0.03, 0.5
    expected = 0.02 * (k1 * (1 - 0.9) + k2 * (1 - 0.9 / 1.3) + k3 * (1 - 1.3))
    assert at_state(1.3, 0.9, **given) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("output", ["friston2003", "obata2004", "stephan2007"])
def test_every_output_is_zero_at_rest(output):
    assert at_state(1.0, 1.0, output=output) == 0.0


def test_the_linear_output_is_the_tangent_of_the_other(x64):
    """The difference falls fourfold when the distance from rest is halved."""

    def difference(h):
        return at_state(1 + h, 1 - 2 * h, output="obata2004") - at_state(1 + h, 1 - 2 * h, output="stephan2007")

    assert difference(1e-3) / difference(5e-4) == pytest.approx(4, rel=1e-2)


def test_gradients_of_the_other_output(x64):
    """In the parameters that it alone has, and in rho, against finite differences."""

    def value(values):
        quantities = {"TE": values["TE"] * u.ms, "nu0": values["nu0"] * u.Hz, "r0": values["r0"] * u.Hz}
        bold = brainmass.BOLDSignal(1, **{**values, **quantities}, output="stephan2007")
        bold.init_state()
        bold.v.value, bold.q.value = jax.numpy.array([1.2]), jax.numpy.array([0.7])
        return bold.bold()[0]

    values = {"TE": 40.0, "nu0": 40.3, "r0": 25.0, "epsilon": 1.43, "rho": 0.34}
    slopes = jax.jit(jax.grad(value))(values)
    for name, x in values.items():
        h = 1e-5 * x
        expected = (value({**values, name: x + h}) - value({**values, name: x - h})) / (2 * h)
        assert abs(expected) > 1e-6
        np.testing.assert_allclose(slopes[name], expected, rtol=1e-7, err_msg=name)


def test_outputs_refused():
    with pytest.raises(ValueError, match="`output` of BOLDSignal must be .*'friston2003'.*Did you mean 'stephan2007'"):
        brainmass.BOLDSignal(1, output="stephan2008")
    with pytest.raises(
        TypeError, match=r"`epsilon` of BOLDSignal has no part in the output 'friston2003'.*'stephan2007'"
    ):
        brainmass.BOLDSignal(1, epsilon=1.0)
    with pytest.raises(u.UnitMismatchError, match=r"`TE` of BOLDSignal \(echo time\)"):
        brainmass.BOLDSignal(1, output="stephan2007", TE=0.04)


def test_of_a_trajectory():
    """Run by itself: one second of unit input peaks at 0.02524 after 3.375 s and undershoots to -0.00562 (scipy)."""
    z = np.zeros((4000, 2), np.float32)
    z[:200, 1] = 1.0
    alone = brainmass.Simulator(brainmass.BOLDSignal(2), dt=5 * u.ms)
    result = alone.run(
        4000 * 5 * u.ms, inputs={"z": z}, monitors={"bold": lambda m: m.bold()}, sample_every=25 * u.ms, seed=0
    )
    bold, seconds = np.asarray(result["bold"]), np.asarray(result.time.to_decimal(u.second))
    assert not bold[:, 0].any()
    np.testing.assert_allclose(bold[:, 1].max(), 0.02524, rtol=1e-3)
    np.testing.assert_allclose(seconds[bold[:, 1].argmax()], 3.375, atol=0.03)
    np.testing.assert_allclose(bold[:, 1].min(), -0.00562, rtol=2e-3)
    np.testing.assert_allclose(seconds[bold[:, 1].argmin()], 9.58, atol=0.06)


class Silent(brainstate.nn.Module):
    """A module that makes its state itself, not in `init_state`."""

    def __init__(self):
        super().__init__()
        self.x = brainstate.HiddenState(jax.numpy.zeros(2))

    def update(self):
        self.x.value = 0.5 * self.x.value

    def activity(self):
        return self.x.value


def test_rest_of_a_module_that_makes_its_own_states():
    monitors = {"bold": brainmass.Monitor(brainmass.BOLDSignal(2), every=8)}
    pure = brainmass.Simulator(Silent(), dt=1 * u.ms).pure(16 * u.ms, monitors=monitors)
    np.testing.assert_array_equal(pure({}, 0)["bold"], np.zeros((2, 2)))


# --- what drives it --------------------------------------------------------------------------------------------
RATE = 1031.0  # Hz, of the active state of `MontbrioPazoRoxinStep.preset("bistable", n)`


def plateau(z, alpha=0.32, gamma=0.41, rho=0.34):
    """The signal under a drive that lasts: f = 1 + z/gamma, and v and q follow."""
    f = 1 + z / gamma
    v = f**alpha
    q = v * (1 - (1 - rho) ** (1 / f)) / rho
    return 0.02 * (7 * rho * (1 - q) + 2 * (1 - q / v) + (2 * rho - 0.2) * (1 - v))


def test_a_rate_needs_a_scale():
    """A rate of 1 kHz taken for a drive of 1031 saturates; with `scale` it is the drive 1.031, in closed form."""
    z = np.array([1.0, 0.2]) * RATE * u.Hz
    alone = brainmass.Simulator(brainmass.BOLDSignal(2, scale=1 / u.kHz), dt=20 * u.ms)
    bold = alone.run(50 * u.second, inputs={"z": z}, monitors={"bold": lambda m: m.bold()}, sample_every=2500, seed=0)[
        "bold"
    ]
    np.testing.assert_allclose(bold[-1], plateau(np.array([1.031, 0.2062])), rtol=2e-3)
    model = brainmass.MontbrioPazoRoxinStep.preset("bistable", 2)
    simulator = brainmass.Simulator(model, dt=0.1 * u.ms)
    for forward in brainmass.BOLDSignal(2), brainmass.HRFBold(in_size=2):
        name = type(forward).__name__
        words = rf"drives {name} must be a plain number .* but is in Hz. Example: {name}\(..., scale=0.01 / u.Hz\)"
        with pytest.raises(u.UnitMismatchError, match=words):
            simulator.run(2 * u.second, monitors={"bold": brainmass.Monitor(forward, source="r")}, seed=0)
    with pytest.raises(u.UnitMismatchError, match=r"is in Hz, and the scale in mV. Example"):
        wrong = brainmass.Monitor(brainmass.BOLDSignal(2, scale=1 * u.mV), source="r")
        simulator.run(1 * u.second, monitors={"bold": wrong}, seed=0)
    with pytest.raises(u.UnitMismatchError, match=r"is in mV. Example: BOLDSignal\(..., scale=1 / u.mV\)"):
        column = brainmass.Simulator(brainmass.JansenRitStep(2), dt=0.1 * u.ms)
        column.run(1 * u.second, monitors={"bold": brainmass.BOLDSignal(2)}, seed=0)


@pytest.mark.slow
def test_a_scaled_rate_is_the_activity_that_the_model_sends():
    """By default the Montbrió model drives with tau r; so does `source="r"` with `scale=tau`, in both models."""
    simulator = brainmass.Simulator(brainmass.MontbrioPazoRoxinStep.preset("bistable", 2), dt=0.1 * u.ms)
    monitors = {
        "sent": brainmass.BOLDSignal(2),
        "rate": brainmass.Monitor(brainmass.BOLDSignal(2, scale=1 * u.ms), source="r"),
        "convolved": brainmass.HRFBold(in_size=2),
        "convolved rate": brainmass.Monitor(brainmass.HRFBold(in_size=2, scale=1 * u.ms), source="r"),
    }
    result = simulator.run(1 * u.second, monitors=monitors, sample_every=1 * u.second, seed=0)
    np.testing.assert_allclose(result["rate"], result["sent"], rtol=1e-5)
    np.testing.assert_allclose(result["convolved rate"], result["convolved"], rtol=1e-5)
    assert np.abs(result["sent"]).min() > 1e-5


@pytest.mark.parametrize("forward", [brainmass.Mean(2), brainmass.TemporalAverage(1 * u.ms, in_size=2)])
def test_other_forward_models_ask_for_the_unit_of_a_rate(forward):
    simulator = brainmass.Simulator(brainmass.MontbrioPazoRoxinStep(2), dt=0.1 * u.ms)
    monitors = {"seen": brainmass.Monitor(forward, source="r")}
    with pytest.raises(u.UnitMismatchError, match=r"is in Hz. Example: .*unit=u.Hz"):
        simulator.run(2 * u.ms, monitors=monitors, seed=0)
