"""The HORN unit against its scheme written out, the damped oscillator in closed form, and solve_ivp."""

import math

import brainstate
import brainunit as u
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from brainmass.models.horn.step import HORNStep
from brainmass.simulation.simulator import Simulator

OMEGA = np.array([0.1, 0.2244, 0.5])


def at(values):
    return lambda shape: np.broadcast_to(values, shape)


def positions(node, dt, n_steps, inputs=None):
    given = None if inputs is None else {"inputs": inputs}
    return np.asarray(Simulator(node, dt=dt * u.ms).run(n_steps * dt * u.ms, seed=0, inputs=given)["x"])


def test_a_step_is_symplectic_euler(x64):
    """Effenberger et al. 2025: the velocity first, then the position from the new velocity."""
    alpha, gamma, v, h = 0.3, np.array([0.01, 0.05, 0.0]), np.array([0.4, 0.0, -0.2]), 0.5
    drive = np.random.default_rng(0).normal(size=(40, 3))
    x, y = np.array([0.1, 0.2, -0.3]), np.array([0.0, 0.05, 0.1])
    node = HORNStep(3, alpha, OMEGA, gamma, v, at(x), at(y))
    expected = []
    for s in drive:
        y = y + h * (alpha * np.tanh(s + v * x) - OMEGA**2 * x - 2 * gamma * y)
        x = x + h * y
        expected.append(x)
    np.testing.assert_allclose(positions(node, h, 40, drive), expected, rtol=1e-12)


def test_the_damped_oscillator_in_closed_form(x64):
    gamma, duration = 0.03, 40.0
    own = np.sqrt(OMEGA**2 - gamma**2)
    exact = np.exp(-gamma * duration) * (np.cos(own * duration) + gamma / own * np.sin(own * duration))
    errors = []
    for dt in 0.02, 0.01:
        node = HORNStep(3, 0.0, OMEGA, gamma, x_init=at(1.0))
        errors.append(np.abs(positions(node, dt, round(duration / dt))[-1] - exact))
    assert errors[1].max() < 2e-3
    np.testing.assert_allclose(np.log2(errors[0] / errors[1]), 1.0, atol=0.05)


def test_without_damping_the_modified_energy_stays(x64):
    """Symplectic Euler conserves y² + ω² x² - h ω² x y exactly; explicit Euler gains energy."""
    h = 1.0
    found = {}
    for method in "symplectic_euler", "euler":
        node = HORNStep(3, 0.0, OMEGA, 0.0, x_init=at(1.0), method=method)
        run = Simulator(node, dt=h * u.ms).run(2000 * h * u.ms, seed=0)
        x, y = np.asarray(run["x"]), np.asarray(run["y"])
        found[method] = (y**2 + OMEGA**2 * x**2 - h * OMEGA**2 * x * y) / OMEGA**2
    np.testing.assert_allclose(found["symplectic_euler"], 1.0, rtol=1e-10)
    assert (found["euler"][-1] > 1e3).all()


@pytest.mark.parametrize(("method", "order"), [("symplectic_euler", 1), ("heun", 2), ("rk4", 4)])
def test_driven_motion_by_solve_ivp(x64, method, order):
    def motion(t, state):
        return [state[1], 0.5 * math.tanh(0.7 + 0.4 * state[0]) - 0.09 * state[0] - 0.1 * state[1]]

    exact = solve_ivp(motion, (0, 20), [0.5, -0.1], rtol=1e-12, atol=1e-13).y[0, -1]
    errors = []
    for dt in 0.2, 0.1:
        node = HORNStep(1, 0.5, 0.3, 0.05, 0.4, at(0.5), at(-0.1), method=method)
        errors.append(abs(positions(node, dt, round(20 / dt), 0.7)[-1, 0] - exact))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.25)


def test_a_batch_steps_as_its_members():
    drive = np.random.default_rng(1).normal(size=(4, 3))
    node = HORNStep(3, x_init=at(0.2))
    with brainstate.environ.context(dt=1.0 * u.ms):
        node.init_state(4)
        together = node.update(drive)
        for i in range(4):
            node.init_state()
            np.testing.assert_allclose(node.update(drive[i]), together[i], rtol=1e-6)
