"""Copies and pickles of what one makes run as the original does, and by themselves."""

import copy
import multiprocessing
import pickle

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import Param, SigmoidT

import brainmass as bm
from brainmass.objectives import combine, cosine_sim, fc_corr, fc_rmse, fcd, fcd_ks, timeseries_rmse

N = 3
W = np.ones((N, N)) - np.eye(N)
SIGNALS = np.random.default_rng(0).normal(size=(2, 60, N))


def node(**options):
    noises = {"noise_x": bm.WhiteNoise(N, sigma=0.1), "noise_y": bm.OUProcess(N, sigma=0.2)}
    return bm.HopfStep(N, a=Param(0.2 * jnp.ones(N), fit=True, t=SigmoidT(-1.0, 1.0)), **noises, **options)


def simulator():
    net = bm.Network(node(), conn=W, coupled_var="x", k=0.1, distance=5 * W * u.mm, speed=10.0)
    return bm.Simulator(net, dt=0.1 * u.ms)


def by_pickle(thing):
    return pickle.loads(pickle.dumps(thing))


def by_cloudpickle(thing):
    cloudpickle = pytest.importorskip("cloudpickle")
    return cloudpickle.loads(cloudpickle.dumps(thing))


HOW = [copy.deepcopy, by_pickle, by_cloudpickle]


def run(simulator, seed=0):
    monitors = {"x": "x", "bold": bm.Monitor(bm.BOLDSignal(N), source="x", every=10)}
    result = simulator.run(2 * u.ms, monitors=monitors, inputs={"x_inp": bm.Pulse(N, width=1 * u.ms)}, seed=seed)
    return {name: np.asarray(value) for name, value in result.items()}


def same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.few(1)
@pytest.mark.parametrize("how", HOW)
def test_a_simulator(how):
    original = simulator()
    want = run(original)
    other = how(original)
    same(run(other), want)
    assert not any(program in original._programs.values() for program in other._programs.values())
    other.model.node.a.set_value(0.5 * jnp.ones(N))
    other.model.node.a.value()
    assert float(original.model.node.a.value()[0]) == pytest.approx(0.2, abs=1e-6)
    assert float(other.model.node.a.value()[0]) == pytest.approx(0.5, abs=1e-6)
    same(run(original), want)
    assert not np.array_equal(run(other)["x"], want["x"])


@pytest.mark.parametrize("how", HOW)
def test_a_copy_of_a_parameter_forgets_its_old_value(how):
    """After the value was asked for, and stored anew as an optimiser does."""
    first = node()
    first.a.value()
    other = how(first)
    other.a.value()
    other.a.val.value = jnp.zeros(N)  # the middle of -1 to 1
    np.testing.assert_allclose(other.a.value(), 0.0, atol=1e-6)
    np.testing.assert_allclose(first.a.value(), 0.2, rtol=1e-5)


PARTS = {
    "noise": lambda: bm.OUProcess(N, sigma=0.1),
    "stimulus": lambda: bm.Pulse(N, width=1 * u.ms) + 2 * bm.Sinusoid(N, frequency=10 * u.Hz),
    "recording": lambda: bm.Recording(N, data=np.ones((4, N)), every=1 * u.ms, after="zero"),
    "monitor": lambda: bm.Monitor(bm.HRFBold(in_size=N), source="x"),
    "kernel": lambda: bm.GammaHRFKernel(),
    "statistic": lambda: bm.FunctionalConnectivity(N),
    "connectome": lambda: bm.Connectome(W, labels=["a", "b", "c"]),
    "edges": lambda: bm.Edges(N, [0, 1], [1, 0], [1.0, 2.0]),
    "weights": lambda: bm.LaplacianConnParam(W),
    "layers": lambda: bm.HORNSeqNetwork(2, 3, 1),
    "prior": lambda: bm.Free(bounds=(0.0, 1.0), prior=bm.Normal(0.5, 0.1)),
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("make", PARTS.values(), ids=PARTS)
def test_parts(make, how):
    original = make()
    assert type(how(original)) is type(original)
    assert sorted(repr(how(original)).split()) == sorted(repr(original).split()) or " at 0x" in repr(original)


@pytest.mark.few(59)
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", [info.name for info in bm.list_models()])
def test_every_model(name, how):
    model = getattr(bm, name)
    try:
        original = model(2)
    except TypeError:
        pytest.skip("needs more than a size")
    other = how(original)
    assert type(other) is model and other.in_size == original.in_size


@pytest.mark.few(7)
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    "objective",
    [timeseries_rmse(), cosine_sim(as_loss=True), fc_corr(as_loss=True), fc_rmse(), fcd(20, 5), fcd_ks(20, 5)]
    + [combine((1.0, fc_rmse()), (0.5, fc_corr(as_loss=True)))],
    ids=lambda f: f.__name__,
)
def test_objectives(objective, how):
    assert float(how(objective)(*SIGNALS)) == float(objective(*SIGNALS))


def distance(model):
    return jnp.mean((model.a.value() - 0.5) ** 2)


@pytest.mark.few(1)
@pytest.mark.parametrize("how", HOW)
def test_fits_and_results(how):
    fitter = bm.Fitter(bm.HopfStep(1, a=Param(jnp.array(0.1), fit=True)), loss_fn=distance)
    result = how(fitter).fit(n_steps=5)
    assert result.best_loss == fitter.fit(n_steps=5).best_loss
    again = how(result)
    assert again.best_loss == result.best_loss and float(again.best_params["a"]) == float(result.best_params["a"])
    search = bm.Fitter(fitter.model, "Nelder-Mead", loss_fn=distance, backend="scipy")
    np.testing.assert_array_equal(how(search).fit().history, search.fit().history)
    ran = simulator().run(1 * u.ms, monitors=["x"], seed=0)
    same(np.asarray(how(ran)["x"]), np.asarray(ran["x"]))
    assert how(ran).final["origin"] == ran.final["origin"]


def test_an_optimiser_of_optax_needs_cloudpickle():
    fitter = bm.Fitter(bm.HopfStep(1, a=Param(jnp.array(0.1), fit=True)), optax.sgd(0.1), loss_fn=distance)
    assert by_cloudpickle(fitter).fit(n_steps=2).best_loss == fitter.fit(n_steps=2).best_loss


def _in_another_process(simulator):
    return run(simulator)


@pytest.mark.slow
def test_in_processes_that_are_spawned():
    original = simulator()
    want = run(original)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for got in pool.map(_in_another_process, [original]):
            np.testing.assert_allclose(got["x"], want["x"], rtol=1e-6)
    joblib = pytest.importorskip("joblib")
    (got,) = joblib.Parallel(n_jobs=2)([joblib.delayed(_in_another_process)(original)])
    np.testing.assert_allclose(got["x"], want["x"], rtol=1e-6)
