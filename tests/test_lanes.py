"""Lanes: parts of a batch side by side on the cores are the batch as one program."""

import threading

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import brainmass
from brainmass._common.memory import bytes_needed
from brainmass.simulation import lanes
from brainmass.simulation.inventory import inventory
from brainmass.simulation.lanes import Lanes, lanes_at_once


@pytest.fixture
def four_cores(monkeypatch):
    monkeypatch.setattr(lanes, "usable_cores", lambda: 4)


def squares(scale, x):
    return {"square": scale * x["a"] ** 2, "scale": scale}


IN, OUT = (None, {"a": 1}), {"square": 1, "scale": None}


@pytest.mark.parametrize("n", [1, 2, 4, 7, 9, 130])
def test_parts_join_to_the_whole(n, four_cores):
    x = np.arange(3 * n, dtype=np.float32).reshape(3, n)
    out = Lanes(squares, IN, OUT, None)(jnp.float32(2), {"a": x})
    np.testing.assert_array_equal(out["square"], 2 * x**2)
    assert out["scale"] == 2 and isinstance(out["square"], jax.Array)


def test_parts_run_side_by_side_and_a_part_is_not_larger_than_it_may_be(four_cores, monkeypatch):
    monkeypatch.setattr(lanes, "_MOST_IN_A_PART", 3)
    lines = Lanes(squares, IN, OUT, None)
    called, together = [], lines.together
    all_here = threading.Barrier(4, timeout=20)

    def watched(scale, x):
        called.append(x["a"].shape[1])
        if len(called) > 1:  # the first is compiled in the calling thread
            all_here.wait()
        return together(scale, x)

    watched.lower = together.lower
    lines.together = watched
    x = np.ones((1, 25), np.float32)
    assert lines(1.0, {"a": x})["square"].shape == (1, 25)
    assert called == [3] * 9


def test_within_a_trace_there_is_one_program(four_cores):
    x = jnp.arange(8.0).reshape(1, 8)
    total = jax.grad(lambda s: Lanes(squares, IN, OUT, None)(s, {"a": x})["square"].sum())(1.0)
    np.testing.assert_allclose(total, (x**2).sum())


def test_an_error_in_a_part_is_raised(four_cores):
    lines = Lanes(squares, IN, OUT, None)
    x = {"a": np.ones((1, 8), np.float32)}
    lines(1.0, x)

    def broken(*_):
        raise RuntimeError("out of memory")

    lines.together = broken
    with pytest.raises(RuntimeError, match="out of memory"):
        lines(1.0, x)


@pytest.mark.parametrize("at_once", [1, 4, None])
@pytest.mark.parametrize("n", [1, 3, 9])
@pytest.mark.parametrize("cores", [1, 2])
def test_lanes_in_turn_are_lanes_together(n, at_once, cores, monkeypatch):
    monkeypatch.setattr(lanes, "usable_cores", lambda: cores)
    x = np.arange(3 * n, dtype=np.float32).reshape(3, n)
    out = Lanes(squares, IN, OUT, at_once)(jnp.float32(2), {"a": x})
    np.testing.assert_array_equal(out["square"], 2 * x**2)
    assert out["scale"] == 2


@pytest.mark.parametrize(
    ("n", "options", "expected"),
    [
        (1, None, 8),
        (3, {}, 4),
        (84, {}, 1),
        (84, {"distance": 10.0 * u.mm, "speed": 4 * u.mm / u.ms}, 1),
        (200, {}, None),
        (200, {"distance": 10.0 * u.mm, "speed": 4 * u.mm / u.ms}, 1),
    ],
)
def test_how_many_a_core_takes_at_once(n, options, expected):
    model = brainmass.HopfStep(n)
    if options is not None:
        if "distance" in options:
            options = options | {"distance": np.full((n, n), 10.0) * u.mm}
        model = brainmass.Network(model, conn=np.ones((n, n)), coupling="diffusive", coupled_var="x", **options)
    assert lanes_at_once(inventory(model)) == expected


@pytest.mark.few(1)
@pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.slow), 3, 10])
@pytest.mark.parametrize("delays", [False, True])
def test_a_lane_of_a_batch_is_the_run_by_itself(n, delays):
    """With the key of its lane, to rounding."""
    noise = brainmass.WhiteNoise(n, sigma=0.1)
    options = {"distance": np.full((n, n), 3.0) * u.mm, "speed": 4 * u.mm / u.ms} if delays else {}
    node = brainmass.HopfStep(n, noise_x=noise)
    model = brainmass.Network(node, conn=np.ones((n, n)), coupling="diffusive", coupled_var="x", k=0.1, **options)
    simulator = brainmass.Simulator(model, dt=0.1 * u.ms)
    batch = simulator.run(5 * u.ms, monitors=["x"], batch_size=5, seed=0)["x"]
    for lane in 0, 4:
        alone = simulator.run(5 * u.ms, monitors=["x"], seed=jax.random.fold_in(jax.random.PRNGKey(0), lane))["x"]
        np.testing.assert_allclose(batch[:, lane], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("at_once", "turns"), [(1, 8), (4, 2)])
def test_lanes_of_one_core_go_in_turns(at_once, turns):
    of_one_core = Lanes(squares, IN, OUT, at_once)._in_turn
    program = jax.make_jaxpr(of_one_core)(jnp.float32(2), {"a": jnp.ones((3, 8))})
    assert f"length={turns}" in str(program)


# --- memory ---------------------------------------------------------------------------------------------------------
def with_memory_for(n, lines, args, monkeypatch):
    """Let no more be free than what `n` lanes together need."""
    few = {"a": args[1]["a"][:, :n]}
    needed = bytes_needed(lines.together.lower(args[0], few).compile())
    monkeypatch.setattr(lanes, "free_memory", lambda devices: needed / lanes._SHARE)


@pytest.mark.parametrize(
    ("on_cores", "n", "fits", "sizes"),
    [
        (False, 8, 8, [8]),
        (False, 16, 8, [8, 8]),
        (False, 17, 8, [6, 6, 6]),
        (False, 7, 1, [1] * 7),
        (True, 16, 12, [2] * 8),  # four cores side by side share what is free
    ],
)
def test_lanes_for_which_there_is_no_memory_are_divided(on_cores, n, fits, sizes, four_cores, monkeypatch):
    lines = Lanes(squares, IN, OUT, None)
    if not on_cores:  # as on a GPU, which takes all at once if it can
        monkeypatch.setattr(Lanes, "_on_cores", False)
    args = jnp.float32(2), {"a": np.arange(3 * n, dtype=np.float32).reshape(3, n)}
    with_memory_for(fits, lines, args, monkeypatch)
    called, part = [], lines.together

    def watched(scale, x):
        called.append(x["a"].shape[1])
        return part(scale, x)

    watched.lower = part.lower
    lines.together = watched
    for _ in range(2):
        out = lines(*args)
        np.testing.assert_array_equal(out["square"], 2 * args[1]["a"] ** 2)
        assert out["scale"] == 2
    assert called == 2 * sizes


def test_one_lane_that_does_not_fit_is_tried(monkeypatch):
    monkeypatch.setattr(lanes, "free_memory", lambda devices: 0)
    monkeypatch.setattr(Lanes, "_on_cores", False)
    out = Lanes(squares, IN, OUT, None)(jnp.float32(2), {"a": np.ones((1, 3), np.float32)})
    np.testing.assert_array_equal(out["square"], np.full((1, 3), 2))


@pytest.mark.few(1)
def test_runs_for_which_there_is_no_memory_are_the_same_runs(monkeypatch):
    """Of `run`, trials, `sweep` and a fit from several starts: as on a GPU, in parts and together."""
    pytest.importorskip("xarray")
    node = brainmass.HopfStep(3, noise_x=brainmass.WhiteNoise(3, sigma=0.1))

    def results():
        model = brainmass.Network(node, conn=np.ones((3, 3)), coupling="diffusive", coupled_var="x", k=0.1)
        simulator = brainmass.Simulator(model, dt=0.1 * u.ms)
        batch = simulator.run(2 * u.ms, monitors=["x"], batch_size=6, seed=0)
        swept = brainmass.sweep(simulator, 2 * u.ms, {"k": np.linspace(0, 1, 6)}, monitors=["x"])
        pulse = {"x_inp": brainmass.Pulse(3, onset=1 * u.ms, width=0.2 * u.ms, amplitude=1.0)}
        evoked = brainmass.evoked_response(simulator, 2 * u.ms, inputs=pulse, of="x", seeds=6)
        return batch["x"], batch.final["states"]["model.node.x"], swept["x"].values, evoked.mean

    monkeypatch.setattr(Lanes, "_on_cores", False)
    together, sizes = results(), []
    monkeypatch.setattr(lanes, "free_memory", lambda devices: 2_500)
    in_parts = Lanes._in_parts

    def watched(self, args, n, size, side_by_side):
        sizes.append((n, size))
        return in_parts(self, args, n, size, side_by_side)

    monkeypatch.setattr(Lanes, "_in_parts", watched)
    for divided, whole in zip(results(), together, strict=True):
        np.testing.assert_allclose(divided, whole, rtol=1e-6, atol=1e-7)
    assert [n for n, _ in sizes] == [6, 6, 6] and all(size < 6 for _, size in sizes)
