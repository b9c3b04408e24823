"""Steps in one kernel of a GPU, worked out by an interpreter here: they are the steps of the loop."""

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import brainmass as bm
from brainmass._common.machine import compiled_for
from brainmass._common.random import Normals, fold
from brainmass.simulation import kernel, tile

DT = 0.1 * u.ms
RNG = np.random.default_rng(3)


def weights(n):
    return RNG.random((n, n)) * (1 - np.eye(n)) / n


def network(n, kind):
    if kind == "montbrio":
        node = bm.MontbrioPazoRoxinStep(n, method="heun", noise_v=bm.WhiteNoise(n, sigma=0.3))
        return bm.Network(node, conn=weights(n), coupling="additive", coupled_var="r", k=0.5)
    if kind == "wong_wang":
        node = bm.WongWangExcInhStep(n, method="heun", noise_e=bm.WhiteNoise(n, sigma=0.01), clamp=True)
        return bm.Network(node, conn=weights(n), coupling="additive", coupled_var="S_e", k=0.5)
    # of each region a parameter of its own, and noise that has a state
    noise = bm.OUProcess(n, sigma=0.1, tau=5 * u.ms)
    node = bm.HopfStep(n, a=RNG.uniform(-0.2, 0.2, n), w=2.0, noise_x=noise, noise_y=bm.WhiteNoise(n, sigma=0.02))
    return bm.Network(node, conn=weights(n), coupling="diffusive", coupled_var="x", k=0.3)


def made(net, monitors, n_steps=37, every=10, **options):
    """Of a value of `k` and a key what is recorded, and the states at the end."""
    run = bm.Simulator(net, dt=DT).pure(
        n_steps * DT, monitors=monitors, sample_every=every * DT, free=["coupling.k"], **options
    )

    def of_lane(k, key):
        result = run({"coupling.k": k}, key)
        return {name: u.get_mantissa(result[name]) for name in monitors}, result.final["states"]

    return of_lane


def in_kernels(function, *args):
    """What comes out, and how many kernels are in the program."""

    # A function of its own, as JAX remembers what it has made of one.
    def made_for_a_gpu(*args):
        return function(*args)

    with compiled_for("gpu"), kernel.interpreted():
        traced = jax.jit(made_for_a_gpu).trace(*args)
        return traced.lower().compile()(*args), str(traced.jaxpr).count("pallas_call")


def lanes(n):
    return jnp.linspace(0.1, 0.6, n), jax.random.split(jax.random.PRNGKey(1), n)


def assert_alike(found, expected, tolerance=2e-5):
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        one, other = np.asarray(one), np.asarray(other)
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * np.abs(other).max())


@pytest.mark.parametrize(
    ("kind", "n", "n_lanes"),
    [("montbrio", 5, 3), ("montbrio", 84, 17), ("wong_wang", 33, 16), ("hopf", 40, 2)],
)
def test_steps_in_a_kernel_are_those_of_the_loop(kind, n, n_lanes):
    net = network(n, kind)
    name = {"montbrio": "r", "wong_wang": "S_e", "hopf": "x"}[kind]
    run = jax.vmap(made(net, [name]))
    found, kernels = in_kernels(run, *lanes(n_lanes))
    assert kernels > 0
    assert_alike(found, jax.jit(run)(*lanes(n_lanes)))


def test_forward_models_see_what_a_kernel_gathers():
    net = network(12, "wong_wang")
    bold = bm.Monitor(bm.BOLDSignal(12), 20 * u.ms)
    run = jax.vmap(made(net, {"bold": bold}, n_steps=600))
    found, kernels = in_kernels(run, *lanes(4))
    assert kernels > 0
    assert_alike(found, jax.jit(run)(*lanes(4)))


def test_a_course_in_time_is_read_within_a_kernel():
    n = 6
    node = bm.HopfStep(n, a=-0.1, w=2.0)
    net = bm.Network(node, conn=weights(n), coupling="diffusive", coupled_var="x", k=0.3)
    drive = bm.Sinusoid(n, amplitude=0.3, frequency=20 * u.Hz)
    run = jax.vmap(made(net, ["x"], inputs={"x_inp": drive}, n_steps=100, every=50))
    found, kernels = in_kernels(run, *lanes(3))
    assert kernels > 0
    expected = jax.jit(run)(*lanes(3))
    assert_alike(found, expected)
    assert np.abs(np.diff(expected[0]["x"][0, :, 0])).max() > 1e-3  # it does move


def test_lanes_of_lanes_are_all_lanes():
    run = jax.vmap(jax.vmap(made(network(5, "montbrio"), ["r"])))
    k, keys = (x.reshape(2, 3, *x.shape[1:]) for x in lanes(6))
    found, kernels = in_kernels(run, k, keys)
    assert kernels > 0
    assert_alike(found, jax.jit(run)(k, keys))


@pytest.mark.parametrize("way", ["grad of lanes", "lanes of grad", "forward"])
def test_slopes_are_those_of_the_loop(way):
    run = made(network(5, "hopf"), ["x"])

    def score(k, key):
        return jnp.sum(run(k, key)[0]["x"] ** 2)

    def of_all(k, keys):
        return jnp.sum(jax.vmap(score)(k, keys))

    slopes = {
        "grad of lanes": jax.grad(of_all),
        "lanes of grad": jax.vmap(jax.value_and_grad(score)),
        "forward": lambda k, keys: jax.jvp(lambda k: of_all(k, keys), (k,), (jnp.ones_like(k),)),
    }[way]
    found, kernels = in_kernels(slopes, *lanes(3))
    assert kernels > 0  # of the values; slopes need what each step leaves
    assert_alike(found, jax.jit(slopes)(*lanes(3)))


def test_what_a_kernel_cannot_do_goes_on_as_a_loop():
    n = 5
    delayed = {"distance": RNG.uniform(0.2, 2, (n, n)) * u.mm, "speed": 1 * u.mm / u.ms}
    node = bm.HopfStep(n, a=0.1, w=2.0)
    net = bm.Network(node, conn=weights(n), coupling="diffusive", coupled_var="x", k=0.3, **delayed)
    run = jax.vmap(made(net, ["x"]))
    found, kernels = in_kernels(run, *lanes(3))
    assert kernels == 0
    assert_alike(found, jax.jit(run)(*lanes(3)))
    # each step has its own input
    net = network(n, "montbrio")
    run = jax.vmap(made(net, ["r"], inputs={"v_inp": jnp.asarray(RNG.random((37, n)), jnp.float32)}))
    assert in_kernels(run, *lanes(3))[1] == 0
    # one run alone
    k, keys = lanes(1)
    assert in_kernels(made(net, ["r"]), k[0], keys[0])[1] == 0
    # on a CPU
    with kernel.interpreted():
        assert "pallas_call" not in str(jax.make_jaxpr(jax.vmap(made(net, ["r"])))(*lanes(3)))


def test_kernels_can_be_switched_off(monkeypatch):
    found = {}
    for switch in "1", "0":
        monkeypatch.setenv("BRAINMASS_KERNELS", switch)
        found[switch] = in_kernels(jax.vmap(made(network(5, "montbrio"), ["r"])), *lanes(3))[1] > 0
    assert found == {"1": True, "0": False}


def test_weights_of_each_lane_go_on_as_a_loop():
    n = 5
    simulator = bm.Simulator(network(n, "hopf"), dt=DT)
    run = simulator.pure(20 * DT, monitors=["x"], sample_every=20 * DT, free=["conn"])
    each = jnp.stack([jnp.asarray(weights(n), jnp.float32) for _ in range(3)])

    def of_lane(conn, key):
        return u.get_mantissa(run({"conn": conn}, key)["x"])

    found, kernels = in_kernels(jax.vmap(of_lane), each, lanes(3)[1])
    assert kernels == 0
    assert_alike(found, jax.jit(jax.vmap(of_lane))(each, lanes(3)[1]))


@pytest.mark.parametrize("n", [5, 84])
def test_kernels_are_made_of_what_triton_knows(n):
    """Lowered for CUDA, which needs no card; from JAX 0.12 on it needs the plugin."""
    with compiled_for("gpu"):
        run = jax.jit(jax.vmap(made(network(n, "wong_wang"), ["S_e"]))).trace(*lanes(20))
        try:
            text = run.lower(lowering_platforms=("cuda",)).as_text()
        except RuntimeError as error:
            if "No supported GPU devices" not in str(error):
                raise
            pytest.skip("this JAX lowers such kernels for a GPU that it knows alone")
    assert "triton" in text and "steps_10" in text


def turns(step, start, n_steps=6):
    """Steps of lanes by the kernel, and by the loop."""

    def loop(step, carry, xs):
        return lax.scan(lambda c, x: (step(c, x), None), carry, xs)[0]

    def one(carry):
        xs = jnp.arange(n_steps), None, None
        found = kernel.in_one_kernel(step, None, carry, xs, loop)
        return loop(step, carry, xs) if found is None else found

    found, kernels = in_kernels(jax.vmap(one), start)
    return found, kernels, jax.vmap(lambda carry: loop(step, carry, (jnp.arange(n_steps), None, None)))(start)


TABLE = jnp.asarray(RNG.standard_normal(5), jnp.float32)
START = jnp.asarray(RNG.standard_normal((4, 5)), jnp.float32)
STEPS = {  # of a carry, and whether a kernel does them; None: it depends on JAX
    "a table within a function": (lambda c, x: jax.jit(lambda y: y * TABLE)(c), START, None),
    "a branch": (lambda c, x: jnp.where(c > 0.3, 0.5 * c - 1, -1.5 * c), START, True),
    "whether": (lambda c, x: (~c[0], jnp.where(c[0], c[1] + 1, 2 * c[1])), (START > 0, START), False),
    "places": (lambda c, x: 0.5 * c[jnp.array([1, 2, 3, 4, 0])], START, False),
    "nothing and one": (lambda c, x: (1.0 * c + 0.0) * 0.7 + 0.0 * c + 1.0, START, True),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_of_any_kind_is_that_of_the_loop(name):
    step, start, by_kernel = STEPS[name]
    found, kernels, expected = turns(step, start)
    assert by_kernel is None or (kernels > 0) == by_kernel
    assert_alike(found, expected)


@pytest.mark.parametrize("size", [1, 7, 84])
def test_normals_one_by_one_are_those_of_a_row(size):
    normals = Normals(jax.random.PRNGKey(5), {"a": 11, "b": 12}, {"a": (3,), "b": (size,)})
    row = normals.of_row(normals.rows(40, 1)[0])["b"]
    key = fold(jax.random.PRNGKey(5), 12)
    place = jnp.arange(size, dtype=jnp.int32)
    found = Normals.one_by_one((key[0], key[1]), jnp.int32(40), place, size)
    np.testing.assert_allclose(found, row, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("digits", [11, 7, 20])
def test_digits_are_taken_away_as_xla_does(digits):
    x = jnp.asarray(np.float32(RNG.standard_normal(1000) * 10.0 ** RNG.integers(-20, 20, 1000)))
    halves = jnp.asarray(np.float32(1 + (np.arange(64) * 2 + 1) * 2.0 ** -(digits + 1)))
    for numbers in x, -x, halves:
        expected = lax.reduce_precision(numbers, 8, digits)
        np.testing.assert_array_equal(tile._with_fewer_digits(numbers, 8, digits), expected)


def test_whole_numbers_are_those_that_xla_finds():
    x = jnp.asarray(np.concatenate([np.arange(-20, 20) / 4, RNG.uniform(-1e5, 1e5, 100)]), jnp.float32)
    np.testing.assert_array_equal(tile._rounded(x, None), jnp.round(x))


def test_what_regions_have_in_common_is_found_without_those_that_only_fill_a_tile():
    """Sums, and the least and the most, of 5 regions of the 32 columns of a tile."""

    def step(carry, x):
        least, most = jnp.min(carry), jnp.max(carry)
        return carry + 0.1 * jnp.sum(carry) - 0.2 * most + 0.3 * least + 0.01 * jnp.arange(5)

    start = jnp.asarray(RNG.standard_normal((4, 5)) - 3, jnp.float32)

    def loop(step, carry, xs):
        return lax.scan(lambda c, x: (step(c, x), None), carry, xs)[0]

    def one(carry):
        return kernel.in_one_kernel(step, None, carry, (jnp.arange(6), None, None), loop)

    found, kernels = in_kernels(jax.vmap(one), start)
    expected = np.array(start)
    for _ in range(6):
        least, most = expected.min(axis=1, keepdims=True), expected.max(axis=1, keepdims=True)
        expected = expected + 0.1 * expected.sum(axis=1, keepdims=True) - 0.2 * most + 0.3 * least
        expected += 0.01 * np.arange(5)
    assert kernels > 0
    np.testing.assert_allclose(found, expected, rtol=1e-5)
