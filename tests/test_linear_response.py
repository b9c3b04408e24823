"""Linear response: covariances, spectra, transfer functions, their gradients; effective connectivity."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm, solve_continuous_lyapunov

import brainmass
from brainmass import effective_connectivity, linear_response
from brainmass.analysis.stationary_covariance import stationary_covariance


def white(n, sigma=1.0, **more):
    return brainmass.WhiteNoise(n, sigma=sigma * u.UNITLESS, **more)


def ou_network(n, seed=0):
    """dx = (-x + W x) dt + sigma dW, with noise that is correlated."""
    rng = np.random.default_rng(seed)
    W = rng.uniform(size=(n, n)) * (rng.uniform(size=(n, n)) < 0.3)
    np.fill_diagonal(W, 0)
    W = np.float64(np.float32(W / 1.2 / np.abs(np.linalg.eigvals(W)).max()))
    sigma = np.float64(np.float32(rng.uniform(0.5, 1.5, n)))
    shared = np.eye(n) + 0.125
    node = brainmass.LinearStep(n, gamma=-1.0, noise_x=white(n, sigma, covariance=shared))
    network = brainmass.Network(node, conn=W, coupling="additive", coupled_var="x")
    return network, W - np.eye(n), np.outer(sigma, sigma) * shared


def test_a_network_of_100_regions_has_the_covariance_of_scipy():
    network, A, Q = ou_network(100)
    response, expected = linear_response(network), solve_continuous_lyapunov(A, -Q)
    np.testing.assert_allclose(response.covariance(), expected, rtol=1e-6, atol=1e-6 * expected.max())
    later = expm(0.7 * A) @ expected
    np.testing.assert_allclose(response.covariance(0.7 * u.ms), later, atol=1e-6 * expected.max())
    np.testing.assert_allclose(response.covariance(-0.7 * u.ms), later.T, atol=1e-6 * expected.max())
    deviation = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(response.correlation(), expected / np.outer(deviation, deviation), atol=1e-6)


@pytest.mark.slow
def test_a_gradient_of_100_regions_is_a_finite_difference_of_scipy(x64):
    network, A, Q = ou_network(100)
    change = A + np.eye(100)  # the weights

    def total(k):
        return linear_response(network, parameters={"k": k}).covariance().sum()

    up, down = (solve_continuous_lyapunov(A + h * change, -Q).sum() for h in (1e-5, -1e-5))
    np.testing.assert_allclose(jax.grad(total)(1.0), (up - down) / 2e-5, rtol=1e-6)


def test_gradients_are_finite_differences(x64):
    network, A, Q = ou_network(12)
    W = jnp.asarray(A + np.eye(12))

    @jax.jit
    def loss(W, k, sigma):
        given = {"conn": W, "k": k, "noise_x.sigma": sigma, "gamma": -1.1}
        response = linear_response(network, parameters=given)
        return jnp.sum(response.correlation() ** 2) + jnp.sum(jnp.tanh(response.covariance(0.5 * u.ms)))

    at = (W, 0.9, jnp.linspace(0.5, 1.5, 12))
    slopes = jax.grad(loss, argnums=(0, 1, 2))(*at)
    for i, entry in (0, (3, 7)), (1, ()), (2, (4,)):
        step = np.zeros(np.shape(at[i]))
        step[entry] = 1e-6
        up, down = ([x + s * step if j == i else x for j, x in enumerate(at)] for s in (1, -1))
        np.testing.assert_allclose(slopes[i][entry], (loss(*up) - loss(*down)) / 2e-6, rtol=1e-5)


@pytest.mark.slow
def test_under_jit_in_single_precision():
    network, A, Q = ou_network(6)

    def variance(k):
        return linear_response(network, parameters={"k": k}).covariance()[0, 0]

    value, slope = jax.jit(jax.value_and_grad(variance))(1.0)
    np.testing.assert_allclose(value, solve_continuous_lyapunov(A, -Q)[0, 0], rtol=1e-4)
    up, down = (solve_continuous_lyapunov(A + h * (A + np.eye(6)), -Q)[0, 0] for h in (1e-5, -1e-5))
    np.testing.assert_allclose(slope, (up - down) / 2e-5, rtol=1e-3)


@pytest.mark.slow
def test_lyapunov_of_stiff_and_defective_matrices(x64):
    rng = np.random.default_rng(1)
    A = np.diag([-1e-3, -1.0, -50.0, -0.1, -0.1]) + np.diag([1.0, 0.0, 0.0, 1.0], 1)  # with a Jordan block
    Q = rng.normal(size=(5, 5))
    Q = Q @ Q.T
    expected = solve_continuous_lyapunov(A, -Q)
    np.testing.assert_allclose(stationary_covariance(A, Q), expected, rtol=1e-8)
    change = rng.normal(size=(5, 5)) * 1e-3
    slope = jax.jvp(stationary_covariance, (A, Q), (change, Q))[1]
    step = (solve_continuous_lyapunov(A + 1e-5 * change, -Q * (1 + 1e-5))
            - solve_continuous_lyapunov(A - 1e-5 * change, -Q * (1 - 1e-5))) / 2e-5  # fmt: skip
    np.testing.assert_allclose(slope, step, rtol=1e-4)
    assert np.isinf(stationary_covariance(np.array([[0.1]]), np.eye(1))).all()


def test_in_a_trace_the_covariance_of_what_is_not_stable_is_infinite():
    """Of z' = (a + iw) z + noise it is s² / 2|a|, up to a = 0, and none beyond; and nothing is NaN, slopes neither."""
    node = brainmass.HopfStep(1, a=-0.1, w=0.5, noise_x=white(1, 0.25), noise_y=white(1, 0.25))

    @jax.jit
    def of(a):
        def variance(a):
            response = linear_response(node, parameters={"a": a}, at=[0.0, 0.0], of="x")
            return response.covariance()[0, 0], (response.covariance(1 * u.ms), response.correlation())

        return jax.value_and_grad(variance, has_aux=True)(a)

    (value, _), slope = of(-0.125)
    np.testing.assert_allclose([value, slope], [0.25**2 / 0.25, 0.25**2 / (2 * 0.125**2)], rtol=1e-4)
    for a in 0.0, 0.125:
        (value, others), slope = of(a)
        assert np.isinf([value, *map(np.squeeze, others)]).all() and slope == 0


@pytest.mark.slow
def test_ornstein_uhlenbeck_noise():
    """x' = -a x + z with z of time constant tau and variance s²/2: the variance of x is s² τ / (2 a (1 + a τ))."""
    noise = brainmass.OUProcess(1, sigma=0.25 * u.UNITLESS, tau=2.0 * u.ms)
    response = linear_response(brainmass.LinearStep(1, gamma=-0.5, noise_x=noise))
    np.testing.assert_allclose(response.covariance(), [[0.25**2 * 2 / (2 * 0.5 * (1 + 0.5 * 2))]], rtol=1e-9)
    f = np.array([0.0, 50.0, 200.0])
    w = 2 * np.pi * f / 1000
    density = 2 * 0.25**2 * 2 / ((1 + (2 * w) ** 2) * (w**2 + 0.25)) / 1000  # one-sided, per Hz
    np.testing.assert_allclose(response.power(f * u.Hz)[:, 0], density, rtol=1e-9)


def test_spectra_and_transfer_of_an_oscillator():
    """z' = (a + iw) z + noise: S(f) of x from the 2 x 2 system written down."""
    a, w, s = -0.125, 0.5, 0.25
    node = brainmass.HopfStep(1, a=a, w=w, noise_x=white(1, s), noise_y=white(1, s))
    response = linear_response(node, of="x")
    f = np.linspace(0, 400, 5)
    J = np.array([[a, -w], [w, a]])
    inverse = np.linalg.inv(2j * np.pi * f[:, None, None] / 1000 * np.eye(2) - J)
    np.testing.assert_allclose(
        response.power(f * u.Hz)[:, 0], 2e-3 * s**2 * (abs(inverse[:, 0]) ** 2).sum(1), rtol=1e-9
    )
    np.testing.assert_allclose(response.transfer(f * u.Hz, "y_inp")[:, 0, 0], inverse[:, 0, 1], rtol=1e-9)
    np.testing.assert_allclose(response.covariance(), [[s**2 / (2 * abs(a))]], rtol=1e-9)
    both = linear_response(node, of=lambda states: jnp.concatenate([states["x"], states["y"]]))
    spectrum = both.cross_spectrum(f * u.Hz)
    np.testing.assert_allclose(
        spectrum, 2e-3 * s**2 * inverse @ inverse.conj().transpose(0, 2, 1), rtol=1e-9, atol=1e-15
    )


@pytest.mark.slow
def test_under_a_delay():
    """x' = -x(t - τ) + noise of unit strength: the variance is (1 + sin τ) / (2 cos τ) (Küchler, Mensch 1992)."""
    node = brainmass.LinearStep(1, gamma=0.0, noise_x=white(1))
    network = brainmass.Network(
        node, conn=[[-1.0]], distance=[[1.0]], speed=1.0 * u.mm / u.ms, coupling="additive", coupled_var="x",
        self_connection=True,
    )  # fmt: skip
    response = linear_response(network)
    np.testing.assert_allclose(response.covariance(), [[(1 + np.sin(1)) / (2 * np.cos(1))]], rtol=1e-6)
    w = 2 * np.pi * np.array([0.0, 100.0, 300.0]) / 1000
    np.testing.assert_allclose(
        response.power(w / (2 * np.pi) * u.kHz)[:, 0], 2e-3 / abs(1j * w + np.exp(-1j * w)) ** 2, rtol=1e-9
    )


def test_through_the_balloon_and_a_lead_field():
    node = brainmass.LinearStep(2, gamma=-0.5, noise_x=white(2, 0.25))
    bold = linear_response(node, through=brainmass.BOLDSignal(2))
    # Friston 2003 linearised around rest: z -> x -> f -> (v, q) -> y, in seconds
    k, g, tau, alpha, rho, V0 = 0.65, 0.41, 0.98, 0.32, 0.34, 0.02
    f = np.array([0.01, 0.05, 0.1, 0.5])
    s = 2j * np.pi * f
    flow = 1 / (s**2 + k * s + g)
    v = flow / (tau * s + 1 / alpha)
    extraction = 1 + (1 - rho) * np.log(1 - rho) / rho
    q = (flow * extraction - v * (1 / alpha - 1)) / (tau * s + 1)
    y = V0 * (-7 * rho * q - 2 * (q - v) - (2 * rho - 0.2) * v)
    np.testing.assert_allclose(bold.transfer(f * u.Hz, "x_inp")[:, 0, 0], y / (0.5 + s / 1000), rtol=1e-6)
    field = np.array([[1.0, 2.0], [0.5, -1.0], [0.0, 1.0]])
    sensors = brainmass.LeadFieldModel(in_size=2, out_size=3, L=field.T)
    seen = linear_response(node, through=sensors).covariance()
    np.testing.assert_allclose(seen / seen[2, 2], field @ field.T, rtol=1e-6)


def test_a_working_point_follows_the_parameters(x64):
    """The rest of FitzHugh's cell moves with its input, and with it its variance."""
    noise = white(1, 0.01)
    model = brainmass.FitzHughNagumoStep.preset("classic", 1, noise_V=noise)

    @jax.jit
    def variance(current):
        return linear_response(model, parameters={"V_inp": current}, at=[-1.1, -0.5], of="V").covariance()[0, 0]

    slope = jax.grad(variance)(0.2)
    np.testing.assert_allclose(slope, (variance(0.2 + 1e-5) - variance(0.2 - 1e-5)) / 2e-5, rtol=1e-5)
    assert slope > 0


@pytest.mark.slow
def test_a_fit_takes_it():
    network, A, Q = ou_network(6)
    target = linear_response(network, parameters={"k": 0.5}).correlation()
    network.coupling.k = brainstate.nn.Param(1.0, fit=True)

    def loss(model):
        return jnp.mean((linear_response(model).correlation() - target) ** 2)

    result = brainmass.Fitter(network, loss_fn=loss).fit(n_steps=400)
    np.testing.assert_allclose(float(network.coupling.k.value()), 0.5, atol=0.02)
    assert result is not None


@pytest.mark.slow
def test_effective_connectivity_finds_directions():
    network, A, Q = ou_network(8, seed=4)
    W, lag = A + np.eye(8), 0.5 * u.ms
    known = linear_response(network)
    level = W[W > 0].mean()
    network.conn = level * (W > 0)
    found = effective_connectivity(network, known.correlation(), known.correlation(lag), lag, n_steps=1000)
    assert found.loss < 1e-5
    assert np.corrcoef(found.weights[W > 0], W[W > 0])[0, 1] > 0.98
    np.testing.assert_allclose(found.correlation, known.correlation(), atol=0.01)
    assert (found.weights[W == 0] == 0).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: linear_response(brainmass.HopfStep(1, a=0.1, noise_x=white(1))), "`at` .* a stable equilibrium"),
        (lambda: linear_response(brainmass.HopfStep(1, a=0.1), at=[0.0, 0.0]), "must be stable.* grow by 0.1 per ms"),
        (lambda: linear_response(brainmass.HopfStep(1, a=0.0), at=[0.0, 0.0]), "must be stable.* grow by 0 per ms"),
        (lambda: linear_response(brainmass.HopfStep(1, a=-0.1), at=[0.0]), r"`at` .* shape \(2,\)"),
        (lambda: linear_response(brainmass.HopfStep(1, a=-0.1), of="z"), "`of` .* x, y"),
        (lambda: linear_response(brainmass.HopfStep(1, a=-0.1), through=3), "`through` .* BOLDSignal"),
        (lambda: linear_response(brainmass.HopfStep(2, a=-0.1), through=brainmass.BOLDSignal(3)), "2 regions"),
        (lambda: linear_response(brainmass.HopfStep(1, a=-0.1)).transfer([1.0] * u.Hz, "w"), "`port` .* x_inp, y_inp"),
        (lambda: linear_response(brainmass.HopfStep(
            1, a=-0.1, noise_x=brainmass.GaussianNoise(1, sigma=1.0 * u.UNITLESS))), "`noise_x` .* WhiteNoise"),
        (lambda: effective_connectivity(ou_network(3)[0], np.eye(4)), r"`correlation` .* \(3, 3\)"),
        (lambda: effective_connectivity(ou_network(3)[0], np.eye(3), np.eye(3)), "`lag` .* is needed"),
    ],
)  # fmt: skip
def test_what_is_refused(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()


@pytest.mark.slow
def test_functional_connectivity_of_20_regions_is_that_of_long_runs():
    """Eight runs of 200 s of noise-driven Hopf oscillators on the bundled connectome, just below their rhythm."""
    whole = brainmass.datasets.load_dataset("hcp_schaefer100").connectome
    weights = np.asarray(whole.weights)[:20, :20]
    weights = weights / np.abs(np.linalg.eigvals(weights)).max()
    noise = {f"noise_{name}": white(20, 5e-4) for name in "xy"}
    node = brainmass.HopfStep(20, a=-0.02, w=0.06, **noise)
    network = brainmass.Network(node, conn=weights, coupled_var="x", k=0.05)
    run = brainmass.Simulator(network, dt=0.5 * u.ms).run(
        200 * u.second, transient=1 * u.second, sample_every=5 * u.ms, monitors=["x"], batch_size=8, seed=0
    )
    measured = np.mean([np.corrcoef(x.T) for x in np.moveaxis(np.asarray(run["x"]), 1, 0)], axis=0)
    theory = linear_response(network, of="x").correlation()
    assert theory[np.triu_indices(20, 1)].max() > 0.3
    np.testing.assert_allclose(measured, theory, atol=0.02)


def test_a_trace_leaves_its_precision_to_no_delays():
    """Within a trace numbers have JAX's precision, outside they are double."""
    noise = {name: white(3, 0.02) for name in ("noise_x", "noise_y")}
    node = brainmass.HopfStep(3, a=-0.05, w=0.06, **noise)
    lengths = dict(distance=np.full((3, 3), 30.0) * u.mm, speed=10 * u.mm / u.ms)
    conn = np.ones((3, 3)) - np.eye(3)
    network = brainmass.Network(node, conn=conn, coupling="additive", coupled_var="x", k=0.01, **lengths)

    def power(k):
        return linear_response(network, parameters={"coupling.k": k}, at=np.zeros(6)).power([5.0, 10.0] * u.Hz)

    traced = jax.jit(power)(jnp.float32(0.01))
    np.testing.assert_allclose(power(0.01), traced, rtol=1e-4)
