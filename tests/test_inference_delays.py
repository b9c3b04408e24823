"""Posteriors, trainings and controls run copies of a network: with the delays that it has by then, as a new one."""

import brainunit as u
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import Param
from braintools.init import Constant

import brainmass as bm
from brainmass import inference

DT = 0.1 * u.ms
W = np.array([[0.0, 0.8, 0.3], [0.8, 0.0, 0.2], [0.3, 0.2, 0.0]])
LENGTHS = np.array([[0.0, 12.0, 30.0], [12.0, 0.0, 45.0], [30.0, 45.0, 0.0]]) * u.mm
FAST, SLOW = 10.0 * u.mm / u.ms, 5.0 * u.mm / u.ms
RUN = dict(duration=20.0 * u.ms, monitors=["node.x"], sample_every=0.5 * u.ms)


def network(speed=FAST, k=0.3):
    # all regions start alike, so that without delays they stay so, whatever the coupling
    node = bm.HopfStep(3, a=0.3, w=0.3, init_x=Constant(0.3), init_y=Constant(0.0))
    return bm.Network(node, conn=W, distance=LENGTHS, speed=speed, coupled_var="x", k=k)


def run(net, dt=DT):
    return bm.Simulator(net, dt=dt).run(**RUN)["node.x"]


def never_run():
    return network()


def run_at_another_step():
    net = network()
    run(net, dt=0.25 * u.ms)
    return net


def run_at_another_speed():
    net = network(SLOW)
    run(net)
    net.speed = FAST
    return net


MADE = [never_run, run_at_another_step, run_at_another_speed]
OBSERVED = np.asarray(run(network()))
SPACE = {"k": bm.Normal(0.3, 0.1)}
AT = {"k": 0.25}


def by_itself(net):
    return inference.Problem(bm.Simulator(net, dt=DT), SPACE, inference.Gaussian(0.05), OBSERVED, **RUN)


def by_a_function(net):
    return inference.Problem(net, SPACE, inference.Gaussian(0.05), OBSERVED, predict=run)


EXPECTED = float(by_itself(network()).log_density(AT))


@pytest.mark.parametrize("asked", [by_itself, by_a_function])
@pytest.mark.parametrize("made", MADE)
def test_a_density_feels_the_delays_that_the_network_has(made, asked):
    assert abs(float(by_itself(network(SLOW)).log_density(AT)) - EXPECTED) > 1.0
    np.testing.assert_allclose(asked(made()).log_density(AT), EXPECTED, rtol=1e-5)


@pytest.mark.parametrize("asked", [by_itself, pytest.param(by_a_function, marks=pytest.mark.slow)])
def test_the_speed_is_set_between(asked):
    """Programs that a problem has compiled are those of the delays of then."""

    def told(problem):
        density = problem.density()
        z = jnp.zeros((1, density.reals.size))
        many = inference.HierarchicalProblem(problem, [OBSERVED, OBSERVED], group="k").density()
        at = {"k": np.array([0.25])}
        drawn = problem.observations(at, seed=0)["y"]
        numbers = [problem.log_density(AT), density.at(z)[0], many.at(np.zeros((1, many.reals.size)))[0]]
        return np.array([*numbers, problem.pointwise(at)[""].sum(), *np.ravel(problem.predict(AT)), *np.ravel(drawn)])

    net = network(SLOW)
    problem = asked(net)
    slow = told(problem)
    net.speed = FAST
    fast = told(problem)
    assert (abs(slow - fast)[:4] > 1.0).all()
    np.testing.assert_allclose(fast, told(asked(network())), rtol=1e-4, atol=1e-5)
    net.speed = SLOW
    np.testing.assert_allclose(told(problem), slow, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_posterior_learnt_from_simulations_after_the_speed_was_set():
    net = network(SLOW)
    problem = by_itself(net)
    how = dict(n_simulations=30, features=["mean"], n_layers=1, width=4, n_epochs=2)
    inference.npe(problem, **how)
    net.speed = FAST
    found = inference.npe(problem, **how).posterior()
    np.testing.assert_allclose(found["k"], inference.npe(by_itself(network()), **how).posterior()["k"], rtol=1e-3)


# --- training and control ---------------------------------------------------------------------------------------------
SCALES = np.array([[1.0], [-0.5], [2.0], [0.3]], np.float32)


def trainer(net):
    predict = lambda model, scales: scales * run(model)[-1]  # noqa: E731
    loss = lambda outputs, targets: jnp.mean((outputs - targets) ** 2)  # noqa: E731
    return bm.Trainer(net, optax.sgd(0.0), loss_fn=loss, predict=predict, batch_size=4)


def trainable(made):
    net = made()
    net.k = Param(0.3, fit=True)
    return net


@pytest.mark.parametrize("made", MADE)
def test_a_training_feels_the_delays_that_the_network_has(made):
    result = trainer(trainable(made)).fit(SCALES, SCALES * OBSERVED[-1], n_epochs=1)
    assert result.losses[0] < 1e-8


def test_a_training_after_the_speed_was_set():
    net = trainable(lambda: network(SLOW))
    training, targets = trainer(net), SCALES * OBSERVED[-1]
    assert training.fit(SCALES, targets, n_epochs=1).losses[0] > 1e-4
    net.speed = FAST
    assert training.fit(SCALES, targets, n_epochs=1).losses[0] < 1e-8
    np.testing.assert_allclose(training.predict(SCALES), targets, atol=1e-4)
    assert training.evaluate(SCALES, targets).loss < 1e-8


@pytest.mark.slow
@pytest.mark.parametrize("made", MADE)
def test_a_control_feels_the_delays_that_the_network_has(made):
    def controlled(simulator):
        cost = [bm.TrackingCost("node.x", 0.5, window=(3 * u.ms, 6 * u.ms), sites=[1]), bm.EnergyCost(1e-2)]
        found = bm.control(simulator, 6 * u.ms, cost, sites=[0], every=1 * u.ms, n_steps=5)
        return np.array([*np.ravel(found.values["x_inp"]), found.cost])

    expected = controlled(bm.Simulator(network(), dt=DT))
    net = made()
    simulator = bm.Simulator(net, dt=DT)
    np.testing.assert_allclose(controlled(simulator), expected, rtol=1e-3)
    net.speed = 2 * FAST
    assert not np.allclose(controlled(simulator), expected, rtol=1e-3)
    net.speed = FAST
    np.testing.assert_allclose(controlled(simulator), expected, rtol=1e-3)
