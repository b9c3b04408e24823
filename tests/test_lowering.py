"""What users call is compiled for devices that are not here: a primitive of ours without a rule for them shows here.

JAX lowers a program for CUDA and TPU on any machine; only the last step, to the code of the device, needs its plugin.
"""

import functools

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from brainstate.nn import Param
from braintools.init import Constant

import brainmass
from brainmass import objectives

ELSEWHERE = ("cuda", "tpu")
RNG = np.random.default_rng(26)
N = 3
W = np.array([[0.0, 1.0, 0.5], [0.3, 0.0, 0.8], [1.0, 0.2, 0.0]])
LENGTHS = np.array([[0.0, 2.0, 5.5], [2.0, 0.0, 3.1], [5.5, 3.1, 0.0]]) * u.mm
SOURCES, TARGETS = np.nonzero(W)[::-1]
EDGES = brainmass.Edges(N, SOURCES, TARGETS, W[TARGETS, SOURCES], LENGTHS[TARGETS, SOURCES])


class Lowered:
    """In the place of `jax.jit`: what it compiles is lowered for other devices as well, at its first call.

    Where it runs nothing, nothing is compiled for the device that is here, and all that comes out is minus one, as of a
    run that did not diverge.
    """

    def __init__(self):
        self.programs, self.runs, self._jit = 0, True, jax.jit

    def __call__(self, fun=None, **options):
        if fun is None:
            return functools.partial(self, **options)
        compiled, done = self._jit(fun, **options), set()

        @functools.wraps(fun)
        def call(*args, **kwargs):
            leaves = jax.tree.leaves((args, kwargs))
            if id(call) not in done and not any(isinstance(x, jax.core.Tracer) for x in leaves):
                traced = compiled.trace(*args, **kwargs)
                traced.lower(lowering_platforms=ELSEWHERE)
                done.add(id(call))
                self.programs += 1
                if not self.runs:
                    return jax.tree.map(lambda x: jnp.full(x.shape, -1).astype(x.dtype), traced.out_info)
            return compiled(*args, **kwargs)

        call.lower, call.trace = compiled.lower, compiled.trace
        return call


@pytest.fixture
def lowered(monkeypatch):
    found = Lowered()
    monkeypatch.setattr(jax, "jit", found)
    yield found
    assert found.programs > 0


def network(**options):
    noise = brainmass.WhiteNoise(N, sigma=0.01)
    node = brainmass.HopfStep(N, a=-0.5, noise_x=noise)
    options = {"conn": W, "coupling": "diffusive", "coupled_var": "x", "k": Param(0.1, fit=True)} | options
    return brainmass.Network(node, **options)


NETWORKS = {
    "no delays": {},
    "additive": {"coupling": "additive"},
    "delays": {"distance": LENGTHS, "speed": 4 * u.mm / u.ms},
    "trained speed": {"distance": LENGTHS, "speed": Param(4 * u.mm / u.ms, fit=True)},
    "edges": {"conn": EDGES},
    "edges with delays": {"conn": EDGES, "speed": 4 * u.mm / u.ms},
    "a kernel that is not separable": {"coupling": "sigmoidal_jansen_rit"},
}


@pytest.mark.few(2)
@pytest.mark.parametrize("how", NETWORKS)
def test_runs(lowered, how):
    lowered.runs = False
    simulator = brainmass.Simulator(network(**NETWORKS[how]), dt=0.1 * u.ms)
    simulator.run(2 * u.ms, seed=0)
    simulator.run(2 * u.ms, seed=0, batch_size=3)
    assert lowered.programs >= 2


@pytest.mark.few(2)
@pytest.mark.parametrize("how", NETWORKS)
def test_gradients(lowered, how):
    lowered.runs = False
    run = brainmass.Simulator(network(**NETWORKS[how]), dt=0.1 * u.ms).pure(2 * u.ms, free=["k"])
    slope = jax.grad(lambda k, key: jnp.mean(u.get_mantissa(run({"k": k}, key)["x"])))
    jax.jit(jax.vmap(slope))(jnp.ones(2), jax.random.split(jax.random.key(0), 2))


def test_signals_and_statistics(lowered):
    lowered.runs = False
    simulator = brainmass.Simulator(network(), dt=1 * u.ms)
    monitors = {
        "bold": brainmass.Monitor(brainmass.BOLDSignal(N), every=20 * u.ms),
        "fc": brainmass.Monitor(brainmass.Covariance(N), source="x"),
        "average": brainmass.Monitor(brainmass.TemporalAverage(5 * u.ms, in_size=N), source="x"),
    }
    simulator.run(40 * u.ms, monitors=monitors, seed=0)


@pytest.mark.slow
def test_sweeps(lowered):
    simulator = brainmass.Simulator(network(), dt=0.1 * u.ms)
    brainmass.sweep(simulator, 2 * u.ms, {"k": [0.1, 0.2]}, seeds=2)


@pytest.mark.few(1)
@pytest.mark.parametrize("backend", ["grad", "nevergrad", "scipy"])
def test_fits(lowered, backend):
    simulator = brainmass.Simulator(network(), dt=0.1 * u.ms)
    target = RNG.normal(size=(20, N))
    fitter = brainmass.Fitter(
        simulator,
        duration=2 * u.ms,
        monitors=["x"],
        objective=objectives.timeseries_rmse(),
        search_space={"k": (0.01, 1.0)},
        backend=backend,
    )
    fitter.fit(target=target, n_steps=2)


@pytest.mark.slow
def test_fits_by_linear_theory(lowered):
    target = np.array([[1.0, 0.4, 0.2], [0.4, 1.0, 0.3], [0.2, 0.3, 1.0]])

    def mismatch(model):
        return jnp.mean((brainmass.linear_response(model).correlation() - target) ** 2)

    brainmass.Fitter(network(), loss_fn=mismatch, search_space={"k": (0.01, 1.0)}).fit(n_steps=1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The draws by")  # of so few
def test_posteriors(lowered):
    still = {name: Constant(0.1) for name in ("init_x", "init_y")}
    simulator = brainmass.Simulator(brainmass.HopfStep(1, a=0.2, **still), dt=0.5 * u.ms)
    run = {"duration": 5 * u.ms, "monitors": ["x"]}
    likelihood = brainmass.inference.Gaussian(0.1)
    problem = brainmass.inference.Problem(
        simulator, {"a": brainmass.Normal(0.0, 0.5)}, likelihood, np.zeros((10, 1)), **run
    )
    for method in "nuts", "laplace":
        brainmass.inference.sample(problem, 4, method=method, seed=0)


@pytest.mark.slow
def test_trainings(lowered):
    brainstate.environ.set(dt=0.1 * u.ms)
    layer = brainmass.HORNSeqLayer(2, 4, 1)
    x, y = RNG.normal(size=(5, 8, 2)).astype(np.float32), RNG.normal(size=(5, 8, 1)).astype(np.float32)
    trainer = brainmass.Trainer(layer, optax.adam(0.01), loss_fn=lambda out, y: jnp.mean((out - y) ** 2), batch_size=5)
    trainer.fit(x, y, n_epochs=1)


def products_on_a_gpu(f, *given):
    """Lines of the program that multiply matrices, as it is lowered for CUDA."""
    text = jax.jit(f).trace(*given).lower(lowering_platforms=("cuda",)).as_text()
    return [line for line in text.splitlines() if "dot_general" in line]


def of_a_network():
    run = brainmass.Simulator(network(), dt=0.1 * u.ms).pure(2 * u.ms, free=["k"])
    return lambda k, key: jnp.mean(run({"k": k}, key)["x"])


def of_phases():
    node = brainmass.KuramotoNetwork(N, conn=W)
    run = brainmass.Simulator(node, dt=0.1 * u.ms).pure(2 * u.ms, free=["K"])
    return lambda k, key: jnp.mean(u.get_mantissa(run({"K": k}, key)["theta"]))


# By itself a GPU multiplies with ten bits of each number: its runs would differ from those on a CPU by a thousandth.
@pytest.mark.parametrize("made", [of_a_network, of_phases])
def test_products_keep_their_precision_on_a_gpu(made):
    f, key = made(), np.zeros(2, np.uint32)
    many = jax.vmap(f, (0, None))
    for function, k in (f, 0.1), (many, np.array([0.1, 0.2])), (jax.grad(f), 0.1):
        found = products_on_a_gpu(function, jnp.asarray(k), key)
        assert found and all("precision = [HIGHEST, HIGHEST]" in line for line in found)


def test_what_has_no_rule_elsewhere_is_found(lowered):
    jax.jit(jnp.sin)(1.0)
    with pytest.raises(NotImplementedError, match="eig"):
        jax.jit(jnp.linalg.eigvals)(jnp.eye(2))
