"""A fit runs copies of its network: their delays are those that the network has by then, whoever ran it before."""

import pickle

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import Param
from braintools.init import Constant

import brainmass as bm

DT = 0.1 * u.ms
W = np.array([[0.0, 0.8, 0.3], [0.8, 0.0, 0.2], [0.3, 0.2, 0.0]])
LENGTHS = np.array([[0.0, 12.0, 30.0], [12.0, 0.0, 45.0], [30.0, 45.0, 0.0]]) * u.mm
FAST, SLOW = 10.0 * u.mm / u.ms, 5.0 * u.mm / u.ms


def network(k=0.3, speed=FAST, **options):
    # All regions start alike, so that without delays they stay so, whatever the coupling.
    node = bm.HopfStep(3, a=0.3, w=0.3, init_x=Constant(0.3), init_y=Constant(0.0))
    return bm.Network(node, conn=W, distance=LENGTHS, speed=speed, coupled_var="x", k=k, **options)


def run(net, dt=DT):
    return bm.Simulator(net, dt=dt).run(20.0 * u.ms, monitors=["node.x"])["node.x"]


def step_by_step(net):
    with brainstate.environ.context(dt=DT):
        net.init_all_states()
        return brainstate.transform.for_loop(lambda i: (net.update(), net.node.x.value)[1], jnp.arange(200))


def first_prediction(net, predict=run, fitter=None):
    """What the first evaluation of a fit predicts."""
    seen = []

    def loss(model):
        x = predict(model)
        jax.debug.callback(lambda x: seen.append(np.asarray(x)), x)
        return jnp.mean(x**2)

    (fitter or bm.Fitter(net, optax.sgd(0.0), loss_fn=loss)).fit(n_steps=1)
    jax.effects_barrier()
    return seen[0]


def trainable(value):
    return Param(value, fit=True)


def never_run():
    return network(trainable(0.3))


def sent_to_another_process():
    return pickle.loads(pickle.dumps(never_run()))


def run_at_another_step():
    net = network(trainable(0.3))
    run(net, dt=0.2 * u.ms)
    return net


def run_at_another_speed():
    net = network(trainable(0.3), speed=SLOW)
    run(net)
    net.speed = FAST
    return net


@pytest.mark.parametrize("predict", [run, step_by_step])
@pytest.mark.parametrize("made", [never_run, sent_to_another_process, run_at_another_step, run_at_another_speed])
def test_a_fit_feels_the_delays_that_the_network_has(made, predict):
    expected = np.asarray(run(network()))
    assert np.ptp(expected, axis=1).max() > 0.03  # regions differ, as they do with delays alone
    np.testing.assert_allclose(first_prediction(made(), predict), expected, atol=1e-6)


def test_a_fit_of_the_speed_of_a_network_that_never_ran():
    expected = run(network(interpolate=True))
    np.testing.assert_allclose(first_prediction(network(speed=trainable(FAST))), expected, atol=1e-5)


def test_a_second_fit_feels_the_speed_that_was_set_between():
    net, seen = never_run(), []

    def loss(model):
        x = run(model)
        jax.debug.callback(lambda x: seen.append(np.asarray(x)), x)
        return jnp.mean(x**2)

    fitter = bm.Fitter(net, optax.sgd(0.0), loss_fn=loss)
    for speed in (FAST, SLOW, FAST):
        net.speed = speed
        seen.clear()
        fitter.fit(n_steps=1)
        jax.effects_barrier()
        np.testing.assert_allclose(seen[0], run(network(speed=speed)), atol=1e-6)
    np.testing.assert_allclose(run(net), run(network()), atol=1e-6)


def test_the_target_is_found_by_a_network_that_never_ran():
    target = run(network(k=0.5))
    net = never_run()
    found = bm.Fitter(net, optax.adam(0.05), predict=run).fit(target=target, n_steps=40)
    assert abs(float(next(iter(found.best_params.values()))) - 0.5) < 0.03


def test_a_network_that_was_compiled_before_its_first_run_runs_on():
    net = network()
    jax.jit(lambda: run(net))()
    np.testing.assert_allclose(run(net), run(network()), atol=1e-6)


def test_many_fits_of_a_network_that_never_ran_are_those_of_each_alone():
    targets = {k: run(network(k=k)) for k in (0.4, 0.5)}
    together = bm.fit_each(bm.Fitter(never_run(), optax.adam(0.05), predict=run), targets, n_steps=3)
    for k, target in targets.items():
        alone = bm.Fitter(never_run(), optax.adam(0.05), predict=run).fit(target=target, n_steps=3)
        np.testing.assert_allclose(together[k].history, alone.history, rtol=1e-4)
