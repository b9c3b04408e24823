"""The methods: order of convergence, agreement with braintools' stochastic steps, strong order, names."""

import sys

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from braintools import quad

import brainmass
from brainmass.dynamics.integrators import EXPONENTIAL, METHODS, step

# What the literature says of each method; `rk45`, `rkf45` and `rk23` advance with the solution of the order
# given here.
ORDERS = {
    "exp_euler": 1,
    "euler": 1,
    "heun": 2,
    "rk2": 2,
    "midpoint": 2,
    "ralston2": 2,
    "heun3": 3,
    "rk3": 3,
    "ralston3": 3,
    "ssprk33": 3,
    "bs32": 3,
    "rk23": 3,
    "rk4": 4,
    "rk4_38": 4,
    "rk45": 5,
    "rk45_dopri": 5,
    "rkf45": 5,
    "dopri5": 5,
    "dopri8": 8,
    "rk87_dopri": 8,
}
A, W, BETA, START, DURATION = 0.8, 1.5, 1.2, 0.3, 2.0


def field(x, y):
    return (A - BETA * (x**2 + y**2)) * x - W * y, (A - BETA * (x**2 + y**2)) * y + W * x


def closed_form(t):
    """The Hopf normal form from radius START, angle 0: logistic in the squared radius, uniform rotation."""
    radius = np.sqrt(A / (BETA + (A / START**2 - BETA) * np.exp(-2 * A * t)))
    return radius * np.cos(W * t), radius * np.sin(W * t)


def manufactured(t):
    """A solution chosen at will, and the forcing that makes it one."""
    x, y = 0.5 * jnp.sin(t), 0.5 * jnp.cos(2 * t)
    dx, dy = 0.5 * jnp.cos(t), -jnp.sin(2 * t)
    fx, fy = field(x, y)
    return (x, y), (dx - fx, dy - fy)


def errors(method):
    """As a function of the number of steps: the errors at DURATION of a free and of a forced oscillator."""
    node = brainmass.HopfStep(2, a=A, w=W, beta=BETA)
    forced = jnp.array([0.0, 1.0])
    begin = tuple(jnp.stack([jnp.asarray(free), x]) for free, x in zip((START, 0.0), manufactured(0.0)[0], strict=True))
    end = np.stack([closed_form(DURATION), [float(x) for x in manufactured(DURATION)[0]]], axis=1)

    def derivative(state, t, x_inp, y_inp):
        # the forcing of x comes by the clock, that of y by the input: both must be taken at the time of the
        # stage
        return node.derivative(state, t, x_inp + forced * manufactured(t.to_decimal(u.ms))[1][0], y_inp)

    @jax.jit
    def final(n):
        dt = DURATION / n * u.ms

        def one(i, state):
            t = i * dt

            def inputs(_, fraction):
                return 0.0, forced * manufactured((t + fraction * dt).to_decimal(u.ms))[1][1]

            return step(method, derivative, state, t, dt, inputs)

        return jnp.stack(jax.lax.fori_loop(0, n, one, begin))

    return lambda n: np.abs(np.asarray(final(n)) - end).max(axis=0)


def test_every_method_is_in_the_table():
    """Names that stand for one scheme need one row."""
    schemes = {METHODS[name] for name in ORDERS if name in METHODS}
    assert schemes == set(METHODS.values())
    assert {name for name in METHODS if not name.startswith("sde_")} <= set(ORDERS)


@pytest.mark.few(7)
@pytest.mark.parametrize("method", sorted(set(ORDERS) - {"rk2"}))
def test_order(method, x64):
    order = ORDERS[method]
    coarse = {1: 200, 2: 40, 3: 24, 4: 16, 5: 12, 8: 4}[order]
    error = errors(method)
    free, forced = np.log2(error(coarse) / error(2 * coarse))
    # one of the two may lie at a zero of the leading error term and look better than it is
    assert order - 0.3 < min(free, forced) < order + 0.9


def test_heun_is_the_predictor_corrector(x64):
    """One step against the formula: Euler to the end, then the mean of both slopes."""
    node = brainmass.HopfStep(1, a=A, w=W, beta=BETA, method="heun")
    start, h = np.array([0.3, -0.2]), 0.1
    predicted = start + h * np.array(field(*start))
    expected = start + h / 2 * (np.array(field(*start)) + np.array(field(*predicted)))
    found = step("heun", node.derivative, tuple(jnp.asarray(start)), 0 * u.ms, h * u.ms, lambda *_: (0.0, 0.0))
    np.testing.assert_allclose(np.array(found), expected, rtol=1e-14)


def test_exponential_euler_solves_linear_decay_exactly(x64):
    relax = lambda s, t, target: ((target - s[0]) / (5 * u.ms),)  # noqa: E731
    for h in 0.1, 1.0, 20.0:
        (found,) = step("exp_euler", relax, (jnp.asarray([2.0]),), 0 * u.ms, h * u.ms, lambda *_: (0.5,))
        np.testing.assert_allclose(found, 0.5 + 1.5 * np.exp(-h / 5), rtol=1e-14)


# --- noise --------------------------------------------------------------------------------------------------
DRAW = np.array([0.7, -1.3, 0.2])


def fix_the_draw(monkeypatch, draw=DRAW):
    monkeypatch.setattr(
        sys.modules[quad.sde_euler_step.__globals__["__name__"]], "randn_like", lambda y: jnp.asarray(draw)
    )


@pytest.mark.parametrize("name", sorted(name for name in METHODS if name.startswith("sde_")))
def test_stochastic_methods_are_those_of_braintools(name, x64, monkeypatch):
    """Additive noise held through the step is the Wiener increment of braintools, handed the same draw."""
    fix_the_draw(monkeypatch)
    node = brainmass.HopfStep(3, a=A, w=W, beta=BETA)
    state = (jnp.array([0.3, 0.1, -0.5]), jnp.array([0.0, 0.4, 0.2]))
    sigma, dt, t = (0.3, 0.5), 0.1 * u.ms, 2.0 * u.ms

    def drift(y, t):
        return node.derivative(y, t, 0.0, 0.0)

    def diffusion(y, t):
        return tuple(s * jnp.ones(3) / u.ms**0.5 for s in sigma)

    with brainstate.environ.context(dt=dt):
        expected = getattr(quad, f"{name}_step")(drift, diffusion, state, t)
    found = step(name, node.derivative, state, t, dt, lambda *_: tuple(s * DRAW / np.sqrt(0.1) for s in sigma))
    for ours, theirs, before in zip(found, expected, state, strict=True):
        assert np.abs(np.asarray(theirs - before)).min() > 1e-3
        np.testing.assert_allclose(ours, u.maybe_decimal(theirs), rtol=1e-13)


def test_stochastic_exponential_euler_draws_noise_into_the_exponential(x64, monkeypatch):
    """braintools adds sigma·sqrt(dt)·z outside; held with the inputs it carries (e^z − 1)/z."""
    rate, sigma, h = 0.8, 0.4, 0.25
    fix_the_draw(monkeypatch, DRAW * np.expm1(-rate * h) / (-rate * h))
    start = jnp.array([0.3, 0.1, -0.5])
    with brainstate.environ.context(dt=h * u.ms):
        expected = quad.sde_expeuler_step(
            lambda y, t: -rate * y / u.ms, lambda y, t: sigma * jnp.ones(3) / u.ms**0.5, start, 0 * u.ms
        )
    decay = lambda s, t, n: ((-rate * s[0] + n) / u.ms,)  # noqa: E731
    for name in EXPONENTIAL:
        (found,) = step(name, decay, (start,), 0 * u.ms, h * u.ms, lambda *_: (sigma * DRAW / np.sqrt(h),))
        np.testing.assert_allclose(found, u.maybe_decimal(expected), rtol=1e-13)


@pytest.mark.parametrize("method", ["exp_euler", "sde_euler", "sde_heun"])
def test_strong_order_one_for_additive_noise(method, x64):
    """dx = −x dt + σ dW against the exact solution on the same Brownian path."""
    n_fine, n_paths, sigma, h = 256, 800, 0.5, 2.0 / 256
    rng = np.random.default_rng(3)
    # increments of W, and of the exact solution's integral of e^{−(h−s)} dW, are jointly normal
    cov = np.array([[h, 1 - np.exp(-h)], [1 - np.exp(-h), (1 - np.exp(-2 * h)) / 2]])
    dW, dI = np.moveaxis(rng.multivariate_normal([0, 0], cov, (n_fine, n_paths)), -1, 0)
    exact = np.ones(n_paths)
    for increment in dI:
        exact = np.exp(-h) * exact + sigma * increment
    path = jnp.asarray(np.concatenate([np.zeros((1, n_paths)), np.cumsum(dW, axis=0)]))

    @jax.jit
    def final(fine_per_step):
        dt = h * fine_per_step

        def one(i, state):
            increment = path[(i + 1) * fine_per_step] - path[i * fine_per_step]
            noise = sigma * increment / dt  # = sigma z / sqrt(dt)
            drift = lambda s, t, n: ((-s[0] + n) / u.ms,)  # noqa: E731
            return step(method, drift, state, i * dt * u.ms, dt * u.ms, lambda *_: (noise,))

        return jax.lax.fori_loop(0, n_fine // fine_per_step, one, (jnp.ones(n_paths),))[0]

    rms = [np.sqrt(np.mean((final(m) - exact) ** 2)) for m in (32, 16, 8, 4)]
    slope = np.polyfit(np.log([32, 16, 8, 4]), np.log(rms), 1)[0]
    assert 0.9 < slope < 1.15, rms


# --- names --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("wrong", ["hune", "RK4", "", None, 4, "ode_rk4_step"])
def test_unknown_method_is_refused_with_the_list(wrong):
    for action in (
        lambda: brainmass.HopfStep(1, method=wrong),
        lambda: setattr(brainmass.HopfStep(1), "method", wrong),
    ):
        with pytest.raises(ValueError) as error:
            action()
        message = str(error.value)
        assert message.startswith("Argument `method` of HopfStep must be one of 'exp_euler', ")
        assert all(repr(name) in message for name in ORDERS) and f"but is {wrong!r}" in message
    if wrong == "hune":
        assert message.endswith("Did you mean 'heun'?")


def test_symplectic_euler_takes_the_newest_velocity(x64):
    """x' = y, y' = −x in steps of 0.1: velocity first, then position with the new velocity."""
    state, x, y = (jnp.array(1.0), jnp.array(0.0)), 1.0, 0.0
    for _ in range(5):
        rates = lambda s, t, push: (s[1] / u.ms, (-s[0] + push) / u.ms)  # noqa: E731
        state = step("symplectic_euler", rates, state, 0 * u.ms, 0.1 * u.ms, lambda s, fraction: (0.5,))
        y += 0.1 * (0.5 - x)
        x += 0.1 * y
    np.testing.assert_allclose([float(v) for v in state], [x, y], rtol=1e-14)
