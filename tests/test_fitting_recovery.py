"""Parameters of a Montbrió-Pazó-Roxin region found again from its own time series, and how many runs that takes."""

import brainunit as u
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from braintools.init import Constant

import brainmass as bm

TRUTH, START = {"eta": -5.0, "J": 15.0}, {"eta": -4.0, "J": 12.0}
SPACE = {"eta": (-8.0, -2.0), "J": (8.0, 22.0)}
ENOUGH = 2e-5  # a root mean square of 0.0045, where the rate falls by 0.4 per ms


def region(eta, J):
    """In its low state, which it shares with a high one: it falls back from a higher rate."""
    start = dict(init_r=Constant(0.5 * u.kHz), init_v=Constant(-0.5))
    return bm.MontbrioPazoRoxinStep(1, tau=1.0 * u.ms, delta=1 / u.ms, eta=eta, J=J, method="heun", **start)


def predict(model):
    run = bm.Simulator(model, dt=0.02 * u.ms).run(15 * u.ms, monitors=["r", "v"], sample_every=5)
    return jnp.concatenate([run["r"].to_decimal(u.kHz), 0.3 * run["v"]], axis=1)


def recovered(seed, n_steps, runs_of_a_step, optimizer, **options):
    """Errors of (eta, J), and the number of runs until the loss was small."""
    objective = lambda prediction, target: jnp.mean((prediction - target) ** 2)  # noqa: E731
    options = dict(predict=predict, objective=objective, search_space=SPACE) | options
    fit = bm.Fitter(region(**START), optimizer, **options)
    result = fit.fit(np.asarray(predict(region(**TRUTH))), n_steps=n_steps, seed=seed)
    errors = [abs(float(result.best_params[name]) - value) for name, value in TRUTH.items()]
    assert result.best_loss < ENOUGH
    return errors, runs_of_a_step * (1 + int(np.argmax(result.history < ENOUGH)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_by_gradient_from_three_starts(seed):
    schedule = optax.cosine_decay_schedule(0.2, 150)
    errors, runs = recovered(seed, 150, 3, optax.adam(schedule), n_starts=3)
    assert errors[0] < 1e-3 and errors[1] < 2e-3 and runs <= 150


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_by_cma(seed):
    errors, runs = recovered(seed, 80, 12, "CMA", backend="nevergrad", popsize=12)
    assert errors[0] < 0.05 and errors[1] < 0.15 and runs <= 600
