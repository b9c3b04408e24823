"""Feedback inhibition control: the paper's equations by scipy, finite differences, and simulated rates."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brainstate.nn import Param
from scipy.optimize import root

import brainmass
from brainmass import feedback_inhibition

TARGET = 3.06 * u.Hz
CONN = brainmass.datasets.load_dataset("hcp_schaefer100").connectome.normalize("spectral")
RNG = np.random.default_rng(3)
SMALL = RNG.uniform(0.05, 0.4, (5, 5)) * (1 - np.eye(5))


def network(conn=SMALL, delays=None, **parameters):
    n = 100 if conn is CONN else 5
    node = brainmass.WongWangExcInhStep(n, method="euler", **parameters)
    return brainmass.Network(node, conn=conn, coupling="additive", coupled_var="S_e", **(delays or {}))


def mean_rates(net, duration=4 * u.second, **settings):
    n = net.node.varshape[0]
    rate = brainmass.Monitor(brainmass.Mean(n), source=lambda model: model.node.H_e())
    settings = {"transient": 3 * u.second, "seed": 11} | settings
    result = brainmass.Simulator(net, dt=1 * u.ms).run(duration, monitors={"rate": rate}, **settings)
    return np.asarray(result["rate"]).reshape(-1, n).mean(0)


def deco_2014(z, weights, rate, G, w_p, lamda):
    """Table 1 and equations 5 to 10 of the paper, at rest, with feedforward inhibition; z holds S_E, S_I and J."""
    S_e, S_i, J = z.reshape(3, -1)
    received = G * 0.15 * weights @ S_e
    x_e = 0.382 + w_p * 0.15 * S_e + received - J * S_i
    x_i = 0.7 * 0.382 + 0.15 * S_e - S_i + lamda * received
    H_e = (310 * x_e - 125) / (1 - np.exp(-0.16 * (310 * x_e - 125)))
    H_i = (615 * x_i - 177) / (1 - np.exp(-0.087 * (615 * x_i - 177)))
    return np.concatenate([H_e - rate, -S_e / 0.1 + (1 - S_e) * 0.641 * H_e, -S_i / 0.01 + H_i])


def test_inhibition_solves_the_equations_of_the_paper(x64):
    rate, w_p, G, lamda = RNG.uniform(1.0, 6.0, 5), RNG.uniform(1.2, 1.5, 5), 0.7, 0.4
    start = np.repeat([0.16, 0.04, 1.2], 5)
    truth = root(deco_2014, start, (SMALL, rate, G, w_p, lamda), tol=1e-12)
    assert truth.success
    J = feedback_inhibition(network(w_p=w_p, G=G, lamda=lamda), rate * u.Hz)
    np.testing.assert_allclose(J, truth.x[10:], rtol=1e-9)


@pytest.mark.slow
def test_an_isolated_region(x64):
    """J_i = 1 gives 3.0773 Hz, the root of the equations by scipy; so the inhibition for this rate is 1."""
    rest = root(lambda z: deco_2014(np.array([*z[:2], 1.0]), np.zeros((1, 1)), z[2], 0, 1.4, 0), [0.16, 0.04, 3.0]).x
    node = brainmass.WongWangExcInhStep(2)
    np.testing.assert_allclose(feedback_inhibition(node, rest[2] * u.Hz), 1.0, rtol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("G", [0.0, 0.6, 1.2])
def test_rates_of_the_simulated_brain(G):
    net = network(CONN, G=G)
    net.node.J_i = feedback_inhibition(net, TARGET)
    np.testing.assert_allclose(mean_rates(net, 13 * u.second, transient=12 * u.second), 3.06, rtol=0.01)


def test_without_control_rates_differ():
    assert np.ptp(mean_rates(network(CONN, G=0.6))) > 3.0


@pytest.mark.slow
def test_delays_make_no_difference():
    slow = network(CONN, {"speed": 5 * u.mm / u.ms}, G=0.8)
    J = feedback_inhibition(slow)
    np.testing.assert_allclose(J, feedback_inhibition(network(CONN, G=0.8)), rtol=1e-5)
    slow.node.J_i = J
    np.testing.assert_allclose(mean_rates(slow), 3.06, rtol=0.01)


@pytest.mark.slow
def test_noise_is_made_up_for():
    """Noise of this strength moves mean rates by more than the tolerance."""
    noise = brainmass.WhiteNoise(5, sigma=0.02)
    net = network(G=0.3, noise_e=noise)
    at_rest = feedback_inhibition(net)
    net.node.J_i = at_rest
    fresh = dict(duration=10 * u.second, transient=2 * u.second, batch_size=128)
    assert np.abs(mean_rates(net, **fresh) / 3.06 - 1).max() > 0.05
    settings = dict(duration=8 * u.second, transient=2 * u.second, n_runs=128, tolerance=0.02, dt=1 * u.ms)
    net.node.J_i = feedback_inhibition(net, TARGET, **settings)
    np.testing.assert_allclose(mean_rates(net, **fresh), 3.06, rtol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("G", [0.0, 0.4, 0.8, 1.2])
def test_rates_of_the_simulated_brain_with_noise(G):
    """With the paper's noise of 0.01 per root ms, on noise that was not seen, up to near where stability is lost."""
    net = network(CONN, G=G, noise_e=brainmass.WhiteNoise(100, sigma=0.01))
    settings = dict(duration=60 * u.second, n_runs=16, tolerance=0.03, n_iterations=20, dt=1 * u.ms)
    net.node.J_i = feedback_inhibition(net, TARGET, **settings)
    rates = mean_rates(net, duration=65 * u.second, transient=5 * u.second, batch_size=32)
    np.testing.assert_allclose(rates, 3.06, rtol=0.05)


# --- derivatives, transformations -----------------------------------------------------------------------------------
def test_gradients_by_finite_differences(x64):
    """With respect to the coupling, the weights, and parameters that act through both roots."""
    net = network(
        Param(jnp.asarray(SMALL), fit=True),
        G=Param(0.5, fit=True),
        w_p=Param(jnp.full(5, 1.4), fit=True),
        d_e=Param(0.16, fit=True),
        a_i=Param(615.0, fit=True),
        lamda=Param(0.2, fit=True),
        gamma_e=Param(0.641e-3, fit=True),
    )
    by = jnp.arange(1.0, 6.0)
    check = brainmass.Fitter(net, loss_fn=lambda model: by @ feedback_inhibition(model, TARGET)).check_gradient()
    assert len(check) == 7
    assert check.ok, check
    assert all(abs(slope.gradient) > 1e-3 for slope in check.values())


@pytest.mark.slow
def test_derivative_in_the_target(x64):
    def J(rate):
        return feedback_inhibition(network(G=0.5), rate * u.Hz)

    h = 1e-5
    np.testing.assert_allclose(jax.jacfwd(J)(3.0), (J(3.0 + h) - J(3.0 - h)) / (2 * h), rtol=1e-6)


@pytest.mark.slow
def test_under_jit_and_vmap():
    couplings = jnp.array([0.0, 0.3, 0.6])
    many = jax.jit(jax.vmap(lambda G: feedback_inhibition(network(G=G))))(couplings)
    each = [feedback_inhibition(network(G=float(G))) for G in couplings]
    np.testing.assert_allclose(many, each, rtol=1e-5)


@pytest.mark.slow
def test_a_fit_with_control_in_its_loss():
    """The coupling under which a network at 3.06 Hz had its inhibition is found from that inhibition."""
    wanted = feedback_inhibition(network(G=0.7))
    net = network(G=Param(0.2, fit=True))
    fitter = brainmass.Fitter(
        net,
        {"method": "L-BFGS-B", "options": {"maxiter": 20}},
        predict=lambda model: feedback_inhibition(model),
        objective=_squares,
        backend="scipy",
    )
    assert float(fitter.fit(wanted).best_params["node.G"]) == pytest.approx(0.7, rel=1e-3)


def _squares(prediction, target):
    return jnp.sum((prediction - target) ** 2)


# --- refusals -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        (3.06, u.UnitMismatchError, "must have unit of rate"),
        (3.06 * u.mV, u.UnitMismatchError, "must have unit of rate"),
        (0.0 * u.Hz, ValueError, "must be finite and > 0"),
        (np.nan * u.Hz, ValueError, "must be finite and > 0"),
        (np.ones(4) * u.Hz, ValueError, r"of shape \(5,\), but has shape \(4,\)"),
        (300.0 * u.Hz, ValueError, "would need J_i = -"),
    ],
)
def test_targets_that_are_none(target, error, words):
    with pytest.raises(error, match=words):
        feedback_inhibition(network(G=0.2), target)


def test_models_that_are_not_excitatory_and_inhibitory():
    for other in brainmass.HopfStep(3), brainmass.Network(brainmass.HopfStep(5), conn=SMALL, coupled_var="x"), 3:
        with pytest.raises(TypeError, match="must be a WongWangExcInhStep or a Network of one"):
            feedback_inhibition(other)
    node = brainmass.WongWangExcInhStep(5)
    with pytest.raises(ValueError, match="coupled_var='S_e', but sends 'S_i'"):
        feedback_inhibition(brainmass.Network(node, conn=SMALL, coupling="additive", coupled_var="S_i"))


@pytest.mark.slow
def test_a_state_that_is_not_stable():
    """Where the largest eigenvalue of the paper's linearised equations, worked out in numpy, crosses zero."""
    with pytest.raises(ValueError, match="no stable state.*lower G"):
        feedback_inhibition(network(CONN, G=1.36))
    feedback_inhibition(network(CONN, G=1.34))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:State `node.S_e`")
def test_noise_that_cannot_be_made_up_for():
    net = network(G=0.3, noise_e=brainmass.WhiteNoise(5, sigma=0.02))
    with pytest.raises(ValueError, match="came no nearer to the target"):
        feedback_inhibition(net, duration=0.2 * u.second, n_runs=1, n_iterations=2, tolerance=1e-6, dt=1 * u.ms)
    for wrong in {"n_runs": 0}, {"n_iterations": 1.5}, {"tolerance": 0.0}:
        with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` of feedback_inhibition"):
            feedback_inhibition(net, duration=1 * u.second, dt=1 * u.ms, **wrong)
