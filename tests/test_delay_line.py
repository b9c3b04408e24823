"""Delay lines against a list of everything that was ever sent."""

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brainstate.nn import Param
from braintools.init import Constant

import brainmass as bm
from brainmass.delays import blocks as blocks_of
from brainmass.delays.blocks import ListBlocks, MatrixBlocks, put
from brainmass.delays.lines import BlockedLine, DelayLine, delay_line
from brainmass.network import underway

RNG = np.random.default_rng(7)


def problem(n_out, n_in, longest, shortest=0):
    steps = RNG.integers(shortest, longest + 1, (n_out, n_in)).astype(np.int32)
    steps[0, 0] = longest
    return steps, RNG.normal(size=(n_out, n_in)) * (steps > 0)


def by_list(steps, weights, sent, np=np):
    """What arrives at the end of each step but the last: at every edge what was sent its delay ago, first the first."""
    source = np.arange(steps.shape[1])
    return np.stack([(weights * sent[np.maximum(t - steps, 0), source]).sum(-1) for t in range(1, len(sent))])


def list_of(steps, block):
    """The same connections as a list: the sources of each target in an order of their own."""
    order = np.random.default_rng(1).permuted(
        np.tile(np.arange(steps.shape[1], dtype=np.int32), (len(steps), 1)), axis=1
    )
    chosen = np.take_along_axis(steps, order, axis=1)

    class Reordered(BlockedLine):
        def layout(self, weights):
            return super().layout(jnp.take_along_axis(weights, order, axis=1))

    return Reordered(chosen, block, order)


FORMS = [pytest.param(BlockedLine, id="matrix"), pytest.param(list_of, id="list")]
LIST_SLOW = [FORMS[0], pytest.param(list_of, id="list", marks=pytest.mark.slow)]


def states(line):
    return {name: x.value for name, x in vars(line).items() if isinstance(x, brainstate.ShortTermState)}


def with_states(line, held):
    for name, value in held.items():
        setattr(line, name, brainstate.ShortTermState(value))
    return line


def run(make, weights, sent, held=None):
    """The states after all steps, and what arrived at the start and the end of each; from a past of the first row."""
    table = make().layout(weights)
    if held is None:
        first = make()
        first.start(sent[0], table)
        held = states(first)

    @jax.checkpoint
    def step(held, x):
        line = with_states(make(), held)
        arrived = line.advance(x, table)
        return states(line), arrived

    held, (start, end) = jax.lax.scan(step, held, sent)
    return held, start, end


def compiled(make, *args):
    return jax.jit(lambda *a: run(make, *a))(*jax.tree.map(jnp.asarray, args))


CASES = [
    (40, 40, 60, 0, 16), (33, 50, 40, 1, 16), (50, 33, 17, 0, 8), (7, 5, 30, 16, 16), (120, 120, 33, 0, 16),
    (3, 2, 4, 0, 4),
]  # fmt: skip


@pytest.mark.few(2)
@pytest.mark.parametrize("n_out, n_in, longest, shortest, block", CASES)
def test_against_a_list(x64, n_out, n_in, longest, shortest, block):
    steps, weights = problem(n_out, n_in, longest, shortest)
    sent = RNG.normal(size=(3 * longest + 5, n_in))
    expected = by_list(steps, weights, sent)
    for make in (lambda: DelayLine(steps)), (lambda: BlockedLine(steps, block)), (lambda: list_of(steps, block)):
        _, start, end = compiled(make, weights, sent[:-1])
        np.testing.assert_allclose(end, expected, rtol=0, atol=1e-13)
        np.testing.assert_array_equal(start[1:], end[:-1])
        np.testing.assert_allclose(start[0], weights @ sent[0], rtol=0, atol=1e-13)


@pytest.mark.parametrize("form", LIST_SLOW)
def test_cut_at_every_phase_of_a_block(form):
    """The same numbers to the bit, also after working out anew what is under way."""
    steps, weights = problem(40, 40, 50)
    weights, sent = weights.astype(np.float32), RNG.normal(size=(90, 40)).astype(np.float32)
    make = lambda: form(steps, 16)  # noqa: E731
    go = jax.jit(lambda x, held=None: run(make, jnp.asarray(weights), x, held))
    _, _, whole = go(sent)
    held, _, first = go(sent[:2])
    again = jax.jit(lambda held: resumed(make(), held, weights))
    pieces = [first]
    for x in sent[2:40]:
        held, _, end = go(x[None], held)
        pieces.append(end)
        np.testing.assert_array_equal(again(held)["upcoming"], held["upcoming"])
    np.testing.assert_array_equal(np.concatenate(pieces), whole[:40])
    np.testing.assert_array_equal(go(sent[40:], held)[2], whole[40:])


def resumed(line, held, weights):
    with_states(line, held).renew(line.layout(jnp.asarray(weights)))
    return states(line)


@pytest.mark.parametrize("form", LIST_SLOW)
def test_other_weights_hold_from_the_next_step(x64, form):
    steps, weights = problem(40, 40, 50)
    sent = RNG.normal(size=(60, 40))
    make = lambda: form(steps, 16)  # noqa: E731
    held, _, _ = compiled(make, weights, sent[:25])
    held = resumed(make(), held, 2 * weights)
    _, _, end = compiled(make, 2 * weights, sent[25:-1], held)
    np.testing.assert_allclose(end, 2 * by_list(steps, weights, sent)[25:], rtol=0, atol=1e-13)


@pytest.mark.parametrize("form", LIST_SLOW)
def test_batches(x64, form):
    """By hand, and over lanes with a cursor each."""
    steps, weights = problem(35, 40, 50)
    sent = RNG.normal(size=(70, 2, 40))
    make = lambda: form(steps, 16)  # noqa: E731
    expected = np.stack([by_list(steps, weights, sent[:, k]) for k in range(2)], axis=1)
    together = compiled(make, weights, sent[:-1])[2]
    np.testing.assert_allclose(together, expected, rtol=0, atol=1e-13)
    lanes = jax.vmap(lambda x: run(make, jnp.asarray(weights), x)[2], in_axes=1, out_axes=1)(jnp.asarray(sent[:-1]))
    np.testing.assert_allclose(lanes, expected, rtol=0, atol=1e-13)
    deep = compiled(make, weights, np.stack([sent[:-1], -sent[:-1]], axis=1))[2]
    np.testing.assert_allclose(deep[:, 1], -expected, rtol=0, atol=1e-13)


def squared(form, n_out=33, n_in=36, longest=40, n_steps=60):
    """A function of weights and of what is sent, and the same written out: start times end of what arrives.

    The last source sends nowhere.
    """
    steps, weights = problem(n_out, n_in, longest, shortest=1)
    steps[:, -1] = weights[:, -1] = 0
    across = RNG.normal(size=(n_steps - 1, n_out))

    def value(w, x):
        _, start, end = run(lambda: form(steps, 16), w, x[:-1])
        return jnp.sum(across * start * end)

    def written(w, x):
        w = w * (steps > 0)
        end = by_list(steps, w, x, jnp)
        return jnp.sum(across * jnp.concatenate([(w @ x[0])[None], end[:-1]]) * end)

    return value, written, (jnp.asarray(weights), jnp.asarray(RNG.normal(size=(n_steps, n_in))))


@pytest.mark.parametrize("form", LIST_SLOW)
def test_gradients(x64, form):
    """Backwards and forwards."""
    value, written, point = squared(form)
    along = tuple(RNG.normal(size=x.shape) for x in point)
    slopes, expected = jax.jit(jax.grad(value, (0, 1)))(*point), jax.jit(jax.grad(written, (0, 1)))(*point)
    for ours, theirs in zip(slopes, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-9)
    forwards = jax.jit(lambda *p: jax.jvp(value, p, along)[1])(*point)
    np.testing.assert_allclose(forwards, sum(np.sum(a * b) for a, b in zip(along, expected, strict=True)), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("form", LIST_SLOW)
def test_slopes_of_gradients_over_lanes(x64, form):
    """Both derivatives in one, of two lanes with weights of their own."""
    value, written, (weights, sent) = squared(form, n_steps=30)
    lanes, along = jnp.stack([weights, -2 * weights]), (RNG.normal(size=weights.shape), RNG.normal(size=sent.shape))

    def slopes(function):
        gradient = jax.grad(function, (0, 1))
        return jax.jit(jax.vmap(lambda w: jax.jvp(gradient, (w, sent), along)))(lanes)

    for ours, theirs in zip(jax.tree.leaves(slopes(value)), jax.tree.leaves(slopes(written)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-8)


@pytest.mark.slow
def test_units():
    steps, weights = problem(40, 40, 30)
    sent = RNG.normal(size=(25, 40)).astype(np.float32)
    line = BlockedLine(steps, 16)
    table = line.layout(jnp.asarray(weights) / u.second)
    line.start(sent[0] * u.mV, table)
    for x in sent[:-1]:
        _, end = line.advance(x * 1e-3 * u.volt, table)
    expected = by_list(steps, weights, sent)[-1]
    np.testing.assert_allclose(end.to_decimal(u.mV / u.second), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("longest, n, block", [(250, 84, 16), (40, 84, 8), (20, 84, 4), (3, 84, None), (250, 20, None)])
def test_choice_by_number_and_length(longest, n, block):
    line = delay_line(np.tile(np.rint(np.linspace(1, longest, n)).astype(int), (n, 1)))
    assert getattr(line, "block", None) == block
    assert type(delay_line(np.full((40, 40), 250), np.zeros((40, 40), int)).there) is ListBlocks


# --- in a network -----------------------------------------------------------------------------------------------
def network(n=40):
    rng = np.random.default_rng(3)
    node = bm.HopfStep(n, a=-0.1)
    conn, lengths = rng.random((n, n)) / n, rng.uniform(0.2, 9.0, (n, n)) * u.mm
    return bm.Network(node, conn=conn, distance=lengths, speed=1.0, coupling="additive", coupled_var="x")


def simulated(n_steps, dt=0.1, **options):
    return bm.Simulator(network(), dt=dt * u.ms).run(n_steps * dt * u.ms, monitors=["x"], **options)


@pytest.mark.slow
def test_a_network_with_blocks_is_that_without(monkeypatch):
    """At two time steps, and over lanes."""
    runs = [dict(n_steps=60, dt=0.2, seed=1), dict(n_steps=60, seed=0, batch_size=2)]
    ours = [simulated(**options)["x"] for options in runs]
    monkeypatch.setattr(underway, "delay_line", DelayLine)
    for x, options in zip(ours, runs, strict=True):
        np.testing.assert_allclose(x, simulated(**options)["x"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch_size", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_a_run_goes_on_within_a_block(batch_size):
    simulator = bm.Simulator(network(), dt=0.1 * u.ms)
    whole = simulator.run(60 * 0.1 * u.ms, monitors=["x"], seed=0, batch_size=batch_size)["x"]
    first = simulator.run(37 * 0.1 * u.ms, monitors=["x"], seed=0, batch_size=batch_size)
    second = simulator.run(23 * 0.1 * u.ms, monitors=["x"], state=first.final)["x"]
    together = np.concatenate([first["x"], second])
    # Over lanes, runs of other lengths are other programs to XLA: with jax 0.12 they differ in the last bit.
    np.testing.assert_allclose(together, whole, rtol=0 if batch_size is None else 1e-6)


@pytest.mark.slow
def test_slope_in_the_strength_of_a_network(x64):
    """Through the checkpoints of a run, against central differences."""
    run = bm.Simulator(network(), dt=0.1 * u.ms).pure(100 * 0.1 * u.ms, monitors=["x"], free=["k"])
    loss = jax.jit(lambda k: jnp.sum(run({"k": k}, 0)["x"] ** 2))
    expected = (loss(1.0 + 1e-5) - loss(1.0 - 1e-5)) / 2e-5
    np.testing.assert_allclose(jax.grad(loss)(1.0), expected, rtol=1e-6)


@pytest.mark.slow
def test_new_weights_hold_from_the_start_of_a_run_that_goes_on():
    """For all that is on its way, too: the run on a plain line, which looks at the weights when signals arrive."""
    rng = np.random.default_rng(3)
    lengths, weights = rng.uniform(5, 60, (40, 40)) * u.mm, rng.uniform(0, 0.05, (40, 40))
    ends = {}
    for kind in "blocks", "gather":
        net = bm.Network(bm.HopfStep(40, method="heun"), conn=weights, coupled_var="x", distance=lengths, speed=10.0)
        net.set_time_step(0.1 * u.ms)
        line = net.projections[0]
        if kind == "gather":
            line.delays = DelayLine(np.asarray(line.delays.steps.value))
        assert isinstance(line.delays, BlockedLine) == (kind == "blocks")
        simulator = bm.Simulator(net, dt=0.1 * u.ms)
        first = simulator.run(6 * u.ms, monitors=["x"], seed=0)
        net.coupling.conn.set_value(jnp.asarray(3 * weights, jnp.float32))
        ends[kind] = np.asarray(simulator.run(2 * u.ms, monitors=["x"], state=first.final)["x"])
    # the first half step of the plain line still has what arrived under the old weights
    np.testing.assert_allclose(ends["blocks"][-1], ends["gather"][-1], rtol=2e-3, atol=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize("listed", [False, True], ids=["matrix", "list"])
def test_slopes_pass_from_a_run_to_the_one_that_goes_on(listed, x64):
    """Against finite differences: of a run that was cut while much is under way, in weights and the coupling."""
    rng = np.random.default_rng(3)
    n, places = 40, np.arange(36)
    weights, lengths = rng.random((n, n)) / n, 0.1 * rng.integers(1, 60, (n, n))
    np.fill_diagonal(weights, 0.0)
    if listed:
        target, source = (
            np.repeat(np.arange(n), places.size),
            np.concatenate([rng.permutation(n)[places] for _ in range(n)]),
        )
        conn, options = bm.Edges(n, source, target, weights[target, source], lengths[target, source] * u.mm), {}
    else:
        conn, options = Param(jnp.asarray(weights), fit=True), {"distance": lengths * u.mm}
    node = bm.HopfStep(n, a=0.1, w=0.3, init_x=Constant(0.5), init_y=Constant(0.0), method="heun")
    net = bm.Network(node, conn=conn, speed=1 * u.mm / u.ms, coupling="additive", coupled_var="x", **options)
    sim = bm.Simulator(net, dt=0.1 * u.ms)
    free = ["k"] if listed else ["k", "conn"]
    first, second = (sim.pure(steps * 0.1 * u.ms, monitors=["x"], sample_every=steps, free=free) for steps in (73, 50))

    @jax.jit
    def loss(values):
        return jnp.sum(second(values, 0, state=first(values, 0).final)["x"] ** 2)

    values = {"k": jnp.float64(1.0)} | ({} if listed else {"conn": jnp.asarray(weights)})
    gradient = jax.jit(jax.grad(loss))(values)
    assert isinstance(net.projections[0].delays.there, ListBlocks if listed else MatrixBlocks)
    for name, value in values.items():
        way = jnp.asarray(rng.normal(size=value.shape))
        there, back = (float(loss(values | {name: value + step * way})) for step in (1e-5, -1e-5))
        slope = float(jnp.sum(gradient[name] * way))
        assert slope == pytest.approx((there - back) / 2e-5, rel=1e-6)
        along = jax.jvp(lambda x, name=name: loss(values | {name: x}), (value,), (way,))[1]
        assert float(along) == pytest.approx(slope, rel=1e-9)


def test_lanes_write_their_past_without_a_scatter():
    rng = np.random.default_rng(0)
    past, values = (rng.normal(size=shape).astype(np.float32) for shape in ((3, 2, 5), (3, 2)))
    expected = past.copy()
    expected[..., 4] = values
    together = jax.jit(jax.vmap(put, (0, 0, None)))
    np.testing.assert_array_equal(together(past, values, 4), expected)
    assert "scatter" not in together.lower(past, values, 4).as_text()
    np.testing.assert_array_equal(jax.vmap(jax.vmap(put, (0, 0, None)), (0, 0, None))(past, values, 4), expected)
    np.testing.assert_array_equal(jax.vmap(put, (None, 0, None))(past[0], values, 4)[2, :, 4], values[2])
    places = np.array([4, 0, 2])
    for lane, at in enumerate(places):
        expected[lane] = past[lane]
        expected[lane, :, at] = values[lane]
    np.testing.assert_array_equal(jax.vmap(put)(past, values, places), expected)


@pytest.mark.parametrize("n", [100, 270])
def test_many_shorter_delays_are_summed_in_parts(n, x64):
    """As many as XLA would call a library for, and fewer, which are read from a window."""
    rng = np.random.default_rng(n)
    steps, weights = rng.integers(1, 250, (n, n)), rng.normal(size=(n, n))
    made, past = MatrixBlocks(steps, 16), rng.normal(size=(n, 249 + 16))
    past[:, 249:] = past[:, :16]
    near = np.where(steps < 16, weights, 0)
    for now in (249, 300, 313):
        expected = np.einsum("ij,ij->i", near, past[np.arange(n), (now - steps) % 249])
        found = made.arriving(made.layout(weights), now, jnp.asarray(past), jnp.zeros((n, 16)))
        np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (made.near.value.size > blocks_of._OF_A_PART) == (n == 270)
