"""Lyapunov exponents and sensitivity to the initial state, against closed forms and published numbers."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brainstate import HiddenState
from braintools.init import Constant
from scipy.integrate import quad

import brainmass
from brainmass import characteristic_roots, fixed_points, lyapunov_exponents, sensitivity
from brainmass.declare import Initializer, Par, param, state


def lorenz(rho=28.0, dt=0.01):
    return brainmass.Simulator(brainmass.LorenzStep(1, rho=rho, method="rk4"), dt=dt * u.ms)


def ring(tau):
    """x' = -x(t - tau)"""
    network = brainmass.Network(
        brainmass.LinearStep(1, gamma=0.0, init_x=Constant(1.0), method="rk4"), conn=[[-1.0]], distance=[[tau]],
        speed=1.0 * u.mm / u.ms, coupling="additive", coupled_var="x", self_connection=True,
    )  # fmt: skip
    return brainmass.Simulator(network, dt=0.01 * u.ms)


class Wells(brainmass.NeuralMassDynamics):
    r"""Two wells: :math:`\dot x = a x - x^3 + I`; time in ms."""

    category = "phenomenological"
    use_case = "noise in one dimension"
    output = "x"

    a: Par = param(default=0.5, doc="curvature of the top between the wells, per ms")
    init_x: Initializer = Constant(0.5)
    noise_x: brainmass.Noise | None = None

    x: HiddenState = state("position", port="x_inp")

    def dx(self, x, x_inp):
        return (self.p.a * x - x**3 + x_inp) / u.ms


def test_lorenz():
    """0.906, 0, -14.572 (Sprott 2003, Chaos and Time-Series Analysis); their sum is the divergence of the flow."""
    found = lyapunov_exponents(lorenz(), 10_000 * u.ms, n=3)
    np.testing.assert_allclose(found.exponents, [0.906, 0.0, -14.572], atol=0.005)
    np.testing.assert_allclose(found.exponents.sum(), -(10 + 1 + 8 / 3), rtol=1e-5)
    np.testing.assert_allclose(found.dimension, 2.062, atol=0.002)
    assert (found.standard_error < 0.004).all()
    assert found.standard_error[0] > 5e-4
    np.testing.assert_allclose(found.running[-1], found.exponents, atol=1e-9)
    assert found.rates.shape == (found.times.size, 3)
    np.testing.assert_allclose(found.times[-1].to_decimal(u.ms), 10_000)


@pytest.mark.parametrize("of", [lyapunov_exponents, sensitivity])
def test_a_second_call_compiles_nothing(of, monkeypatch):
    """With other values of a parameter and another seed; and a parameter that is set on the model has its effect."""
    node, traced, motion = Wells(1), [], brainmass.NeuralMassDynamics._motion
    monkeypatch.setattr(brainmass.NeuralMassDynamics, "_motion", lambda *given: traced.append(given) or motion(*given))

    def found(**values):
        traced.clear()
        return of(node, 50 * u.ms, parameters=values, seed=len(values))

    with brainstate.environ.context(dt=0.1 * u.ms):
        first = found(a=0.5)
        assert traced
        second = found(a=1.0)
        assert not traced
        node.a = 2.0
        third = found()
        assert traced
    if of is lyapunov_exponents:  # in a well, at x² = a, deviations decay by -2 a
        np.testing.assert_allclose([x.exponents for x in (first, second, third)], [[-1.0], [-2.0], [-4.0]], rtol=0.05)


@pytest.mark.slow
def test_the_standard_error_is_the_scatter_of_runs():
    def of(rho):
        found = lyapunov_exponents(lorenz(), 400 * u.ms, parameters={"rho": rho})
        return found.exponents[0], found.standard_error[0]

    each, error = jax.vmap(of)(28.0 + 1e-3 * jnp.arange(32))  # so near that only the trajectory is another
    assert 0.6 < each.std(ddof=1) / error.mean() < 1.6


@pytest.mark.few(1)
@pytest.mark.parametrize("I", [0.2, 0.3])
def test_of_a_stable_focus_it_is_the_real_part_of_the_eigenvalues(I, x64):  # noqa: E741
    model = brainmass.FitzHughNagumoStep.preset("classic", 1, method="rk4")
    rest = fixed_points(model, {"V_inp": I})
    assert rest.kinds == ("stable focus",)
    found = lyapunov_exponents(brainmass.Simulator(model, dt=0.1 * u.ms), 4000 * u.ms, n=2, inputs={"V_inp": I})
    np.testing.assert_allclose(found.exponents, rest.eigenvalues[0].real, atol=2e-3 * np.abs(rest.eigenvalues).max())
    np.testing.assert_allclose(found.exponents.sum(), rest.eigenvalues[0].real.sum(), rtol=1e-5)


@pytest.mark.few(1)
@pytest.mark.parametrize("tau", [0.2, 1.0, 2.0])
def test_with_a_delay_they_are_the_real_parts_of_the_characteristic_roots(tau):
    simulator = ring(tau)
    expected = np.sort(characteristic_roots(simulator.model, np.zeros(1)).real)[::-1][:3]
    found = lyapunov_exponents(simulator, 300 * u.ms, n=3, segment=0.2 * u.ms)
    np.testing.assert_allclose(found.exponents[: len(expected)], expected, atol=0.02)


@pytest.mark.slow
def test_two_oscillators_that_lock():
    """The difference of their phases relaxes at the rate √(K² - Δω²); the common phase is free."""
    K, difference = 0.3, 0.2
    model = brainmass.KuramotoNetwork(
        2, omega=np.array([0.5, 0.5 + difference]), K=K, normalize_by_n=True, init_theta=Constant(0.1), method="rk4"
    )
    found = lyapunov_exponents(brainmass.Simulator(model, dt=0.1 * u.ms), 1000 * u.ms, n=2)
    np.testing.assert_allclose(found.exponents, [0.0, -np.sqrt(K**2 - difference**2)], atol=2e-4)


@pytest.mark.slow
def test_under_common_noise():
    """Of x' = a x - x³ + noise it is the mean of a - 3 x² under the stationary density exp((a x² - x⁴/2) / σ²)."""
    a, sigma = 0.5, 0.6
    density = lambda x: np.exp((a * x**2 - x**4 / 2) / sigma**2)  # noqa: E731
    expected = quad(lambda x: (a - 3 * x**2) * density(x), -5, 5)[0] / quad(density, -5, 5)[0]
    model = Wells(64, a=a, noise_x=brainmass.WhiteNoise(64, sigma=sigma * u.UNITLESS))
    found = lyapunov_exponents(brainmass.Simulator(model, dt=0.02 * u.ms), 4000 * u.ms, n=64, seed=1, segment=50)
    error = found.exponents.std() / 8  # of 64 independent copies
    np.testing.assert_allclose(found.exponents.mean(), expected, atol=0.01 + 4 * error)


@pytest.mark.slow
def test_what_drives_the_model_does_not_deviate():
    noise = brainmass.OUProcess(1, sigma=0.3 * u.UNITLESS, tau=100 * u.ms)
    simulator = brainmass.Simulator(brainmass.LinearStep(1, gamma=-0.2, noise_x=noise), dt=0.1 * u.ms)
    found = lyapunov_exponents(simulator, 200 * u.ms, seed=0)
    np.testing.assert_allclose(found.exponents, [-0.2], rtol=1e-4)  # and not -0.01, that of the noise
    with pytest.raises(ValueError, match="`n` of lyapunov_exponents must be at most the number of states, 1, but is 2"):
        lyapunov_exponents(simulator, 200 * u.ms, n=2, seed=0)


@pytest.mark.slow
def test_derivative_in_forward_mode(x64):
    """Of x' = a x the exponent is a; of Hopf's oscillator beyond the bifurcation -2 a."""
    simulator = brainmass.Simulator(brainmass.HopfStep(1, w=0.3, method="rk4"), dt=0.1 * u.ms)

    def largest(a, n):
        return lyapunov_exponents(simulator, 2000 * u.ms, n=2, parameters={"a": a}).exponents[n]

    for a, n, value, slope in (-0.1, 0, -0.1, 1.0), (0.1, 1, -0.2, -2.0):
        found = jax.jvp(lambda a, n=n: largest(a, n), (a,), (1.0,))
        np.testing.assert_allclose(found, (value, slope), rtol=0.02)
        differences = (largest(a + 1e-4, n) - largest(a - 1e-4, n)) / 2e-4
        np.testing.assert_allclose(found[1], differences, rtol=1e-4)


@pytest.mark.slow
def test_many_parameters_in_one_program():
    rho = jnp.array([14.0, 28.0])
    run = lambda rho: lyapunov_exponents(lorenz(), 300 * u.ms, parameters={"rho": rho}).exponents[0]  # noqa: E731
    found = jax.vmap(run)(rho)
    rest = fixed_points(brainmass.LorenzStep(1, rho=14.0))
    np.testing.assert_allclose(found[0], rest.eigenvalues[rest.stable].real.max(), atol=0.01)
    assert found[1] > 0.8


# --- sensitivity ----------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_changes_decay_at_rest_as_the_eigenvalues_say():
    model = brainmass.HopfStep(1, a=-0.1, w=0.3, init_x=Constant(0.0), init_y=Constant(0.0), method="rk4")
    found = sensitivity(brainmass.Simulator(model, dt=0.1 * u.ms), 20 * u.ms)
    times = found.times.to_decimal(u.ms)
    np.testing.assert_allclose(found.growth, np.exp(-0.1 * times), rtol=1e-4)
    assert found.grad_horizon() is None


@pytest.mark.slow
def test_growth_is_the_mean_over_directions():
    """Of x' = γ x with two rates the mean square of a random direction grows as the mean of exp(2 γ t)."""
    model = brainmass.LinearStep(2, gamma=np.array([-0.1, 0.2]), init_x=Constant(0.0))
    found = sensitivity(brainmass.Simulator(model, dt=0.1 * u.ms), 20 * u.ms, n_starts=1, n_directions=4000)
    t = found.times.to_decimal(u.ms)
    np.testing.assert_allclose(found.growth, np.sqrt((np.exp(-0.2 * t) + np.exp(0.4 * t)) / 2), rtol=0.05)
    horizon = found.grad_horizon(10.0).to_decimal(u.ms)
    np.testing.assert_allclose(np.sqrt(np.exp(0.4 * horizon) / 2), 10.0, rtol=0.1)


@pytest.mark.slow
def test_on_lorenz_attractor_changes_grow_with_the_largest_exponent():
    found = sensitivity(lorenz(), 15 * u.ms, n_starts=60)
    late = found.times.to_decimal(u.ms) > 5
    slope = np.polyfit(found.times.to_decimal(u.ms)[late], found.log_growth.mean(axis=0)[late], 1)[0]
    np.testing.assert_allclose(slope, 0.906, atol=0.05)
    horizon = found.grad_horizon(100.0).to_decimal(u.ms)
    assert 3 < horizon < 8  # log(100) / 0.906 = 5.1
    with pytest.raises(ValueError, match="`limit` of grad_horizon must be a number > 1, but is 0.5"):
        found.grad_horizon(0.5)
    assert brainmass.Simulator.run(lorenz(), 1 * u.ms, grad_horizon=found.grad_horizon()) is not None


class Turning(brainmass.NeuralMassDynamics):
    r"""A harmonic oscillator whose second state is as small as one likes; time in ms."""

    category = "phenomenological"
    use_case = "units"
    output = "x"

    c: Par = param(default=1.0, doc="ratio of the amplitudes")
    init_x: Initializer = Constant(1.0)
    init_y: Initializer = Constant(0.0)

    x: HiddenState = state("position", port="x_inp")
    y: HiddenState = state("velocity")

    def dx(self, x, y, x_inp):
        return (0.7 * self.p.c * y + x_inp) / u.ms

    def dy(self, y, x):
        return -0.7 * x / self.p.c / u.ms


@pytest.mark.slow
def test_growth_does_not_depend_on_the_units_of_the_states():
    one, other = (
        sensitivity(brainmass.Simulator(Turning(1, c=c, method="rk4"), dt=0.1 * u.ms), 40 * u.ms) for c in (1.0, 1000.0)
    )
    np.testing.assert_allclose(one.growth, 1.0, atol=0.02)
    np.testing.assert_allclose(other.growth, one.growth, atol=0.01)


@pytest.mark.slow
def test_the_size_of_a_gradient_is_what_sensitivity_says(x64):
    """A gradient by the initial state grows as the changes do."""
    simulator = lorenz()
    start = simulator.run(50 * u.ms, monitors=[]).final
    run = simulator.pure(8 * u.ms, monitors=[])

    def late(x):
        states = {**start["states"], "model.x": x}
        return run({}, 0, {**start, "states": states}).final["states"]["model.z"][0]

    gradient = np.abs(jax.grad(late)(start["states"]["model.x"])[0])
    found = sensitivity(simulator, 8 * u.ms, n_starts=100)
    assert np.exp(found.log_growth[:, -1].min()) / 10 < gradient < 10 * np.exp(found.log_growth[:, -1].max())


# --- errors ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("function", [lyapunov_exponents, sensitivity])
def test_errors(function):
    name = function.__name__
    noisy = Wells(1, noise_x=brainmass.WhiteNoise(1, sigma=0.1 * u.UNITLESS))
    with pytest.raises(ValueError, match=f"`seed` of {name} must be given, as this is random: the noise `noise_x`"):
        function(brainmass.Simulator(noisy, dt=0.1 * u.ms), 100 * u.ms)
    growing = brainmass.LinearStep(1, gamma=2.0)
    with pytest.raises(brainmass.DivergenceError, match="State `x` became infinite or NaN by 5"):
        function(brainmass.Simulator(growing, dt=0.1 * u.ms), 100 * u.ms)
    with pytest.raises(ValueError, match=f"`inputs` of {name} must hold for any time, but has one row per step"):
        function(lorenz(), 4 * u.ms, inputs={"x_inp": np.zeros(400 if function is lyapunov_exponents else 8400)})
    with pytest.raises(ValueError, match="There is no parameter 'r0'"):
        function(lorenz(), 100 * u.ms, parameters={"r0": 1.0})
    with pytest.raises(TypeError, match=f"`model` of {name} must be a model, or a Simulator of one, but is 3"):
        function(3, 100 * u.ms)


@pytest.mark.slow
def test_errors_of_lengths():
    with pytest.raises(ValueError, match="`duration` .* must have at least 40 segments of 0.1 ms .*, but has 9"):
        lyapunov_exponents(lorenz(), 1 * u.ms)
    with pytest.raises(ValueError, match="rounding does not hide .* is 3 ms.* a factor of 10\\^1[01]. Try segment="):
        lyapunov_exponents(lorenz(), 300 * u.ms, n=3, segment=3 * u.ms)
    with pytest.raises(ValueError, match="`segment` of sensitivity must fit into the horizon, but is 3 ms"):
        sensitivity(lorenz(), 1 * u.ms, segment=3 * u.ms)
    with pytest.raises(ValueError, match="`transient` .* must not be negative"):
        lyapunov_exponents(lorenz(), 300 * u.ms, transient=-1 * u.ms)


@pytest.mark.slow
def test_datasets():
    found = lyapunov_exponents(lorenz(), 30 * u.ms, n=2)
    assert dict(found.to_xarray().sizes) == {"number": 2, "time": 270}
    assert "LyapunovExponents: 2 per ms, over 270 segments" in repr(found)
    assert found.dimension == np.inf
    changes = sensitivity(lorenz(), 2 * u.ms, n_starts=3)
    assert dict(changes.to_xarray().sizes) == {"start": 3, "time": 100}
    assert "no horizon needed" in repr(changes)
