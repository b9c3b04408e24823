"""What the benchmarks say of GPUs: counts from the text of a compiled program, and the arithmetic of the estimate."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.experimental import pallas as pl

from benchmarks.gpu.cards import LAUNCH, Card, cards
from benchmarks.gpu.cases import gpu, measured, node_steps
from benchmarks.gpu.kernels import kernels
from benchmarks.gpu.programs import Launch, Loop, Program

# Of a program of 5 blocks of 20 steps: what a step launches is a product, a sum that also writes one row of 20, a copy,
# and the next number of the step; a block draws numbers, and the program begins with zeros.
TEXT = """
HloModule jit_run, is_scheduled=true, entry_computation_layout={(f32[4,4]{1,0})->f32[8,4]{1,0}}

%gemm (p.0: f32[8,4], p.1: f32[4,4]) -> f32[8,4] {
  %p.0 = f32[8,4]{1,0} parameter(0)
  %p.1 = f32[4,4]{1,0} parameter(1)
  ROOT %dot.1 = f32[8,4]{1,0} dot(%p.0, %p.1), lhs_contracting_dims={1}, rhs_contracting_dims={0}
}

%fused_add (q.0: f32[8,4], q.1: f32[20,8,4], q.2: s32[], q.3: f32[20,8,4]) -> (f32[8,4], f32[20,8,4]) {
  %q.0 = f32[8,4]{1,0} parameter(0)
  %q.1 = f32[20,8,4]{2,1,0} parameter(1)
  %q.2 = s32[] parameter(2)
  %zero = s32[] constant(0)
  %rows.2 = f32[2,8,4]{2,1,0} dynamic-slice(%q.1, %q.2, %zero, %zero), dynamic_slice_sizes={2,8,4}
  %row = f32[1,8,4]{2,1,0} slice(%rows.2), slice={[0:1], [0:8], [0:4]}
  %row.1 = f32[8,4]{1,0} bitcast(%row)
  %exp = f32[8,4]{1,0} exponential(%row.1)
  %sum = f32[8,4]{1,0} add(%q.0, %exp)
  %q.3 = f32[20,8,4]{2,1,0} parameter(3)
  %sum.1 = f32[1,8,4]{2,1,0} bitcast(%sum)
  %kept = f32[20,8,4]{2,1,0} dynamic-update-slice(%q.3, %sum.1, %q.2, /*index=3*/%zero, %zero)
  ROOT %both = (f32[8,4]{1,0}, f32[20,8,4]{2,1,0}) tuple(%sum, %kept)
}

%fused_next (n.0: s32[]) -> s32[] {
  %n.0 = s32[] parameter(0)
  %one = s32[] constant(1)
  ROOT %n.1 = s32[] add(%n.0, %one)
}

%fused_draw () -> f32[20,8,4] {
  %iota = f32[20,8,4]{2,1,0} iota(), iota_dimension=0
  ROOT %drawn = f32[20,8,4]{2,1,0} multiply(%iota, %iota)
}

%fused_zeros () -> f32[8,4] {
  %nought = f32[] constant(0)
  ROOT %zeros = f32[8,4]{1,0} broadcast(%nought), dimensions={}
}

%step (s: (s32[], f32[8,4], f32[4,4], f32[20,8,4], f32[20,8,4])) -> (s32[], f32[8,4], f32[4,4], f32[20,8,4]) {
  %s = (s32[], f32[8,4]{1,0}, f32[4,4]{1,0}, f32[20,8,4]{2,1,0}, /*index=4*/f32[20,8,4]{2,1,0}) parameter(0)
  %i = s32[] get-tuple-element(%s), index=0
  %x = f32[8,4]{1,0} get-tuple-element(%s), index=1
  %w = f32[4,4]{1,0} get-tuple-element(%s), index=2
  %noise = f32[20,8,4]{2,1,0} get-tuple-element(%s), index=3
  %rows = f32[20,8,4]{2,1,0} get-tuple-element(%s), index=4
  %product = f32[8,4]{1,0} fusion(%x, %w), kind=kCustom, calls=%gemm
  %add = (f32[8,4]{1,0}, f32[20,8,4]{2,1,0}) fusion(%product, %noise, %i, %rows), kind=kLoop, calls=%fused_add
  %new = f32[8,4]{1,0} get-tuple-element(%add), index=0
  %all = f32[20,8,4]{2,1,0} get-tuple-element(%add), index=1
  %copy.1 = f32[8,4]{1,0} copy(%new)
  %next = s32[] fusion(%i), kind=kLoop, calls=%fused_next, control-predecessors={%add}
  ROOT %t = (s32[], f32[8,4]{1,0}, f32[4,4]{1,0}, f32[20,8,4]{2,1,0}) tuple(%next, %copy.1, %w, %noise, %all)
}

%block (b: (s32[], f32[8,4], f32[4,4])) -> (s32[], f32[8,4], f32[4,4]) {
  %b = (s32[], f32[8,4]{1,0}, f32[4,4]{1,0}) parameter(0)
  %draw = f32[20,8,4]{2,1,0} fusion(), kind=kLoop, calls=%fused_draw
  %begin = (s32[], f32[8,4]{1,0}) tuple(%draw)
  ROOT %while.1 = (s32[], f32[8,4]{1,0}) while(%begin), condition=%c, body=%step, \
backend_config={"known_trip_count":{"n":"20"}}
}

ENTRY %main (weights: f32[4,4]) -> f32[8,4] {
  %weights = f32[4,4]{1,0} parameter(0)
  %start = f32[8,4]{1,0} fusion(), kind=kLoop, calls=%fused_zeros
  %given = (s32[], f32[8,4]{1,0}, f32[4,4]{1,0}) tuple(%start, %weights)
  %while.2 = (s32[], f32[8,4]{1,0}) while(%given), condition=%d, body=%block, \
backend_config={"known_trip_count":{"n":"5"}}
  ROOT %result = f32[8,4]{1,0} get-tuple-element(%while.2), index=1
}
"""


def test_what_a_program_launches():
    program = Program(TEXT)
    state, block = 8 * 4 * 4, 20 * 8 * 4 * 4  # bytes
    assert {launch.name: launch[1:5] for launch in program.launches} == {
        "product": (False, 100, 2 * state + 4 * 4 * 4, 8 * 4 * 4),
        # of the noise one row of two is read, of the rows one written: product, noise, number, sum and row
        "add": (False, 100, 4 * state + 4, 8 * 4 * 9),
        "copy.1": (True, 100, 2 * state, 0),
        "next": (False, 100, 8, 1),
        "draw": (False, 5, block, 20 * 8 * 4),
        "start": (False, 1, state, 0),
    }
    assert program.loops == [Loop("while.2", 5, 1, 0), Loop("while.1", 100, 3, 1)]
    assert program.per_step(100, copies=True) == 1
    assert program.per_step(100, copies=False) == pytest.approx(3 + 5 / 100 + 1 / 100)


def test_what_a_kernel_of_ours_works_out_is_counted_in_what_it_was_traced_to():
    """Three turns of a loop, of a product, an exponential and a sum of 16 by 32 numbers, in each of two tiles."""

    def kernel(x_ref, w_ref, out_ref):
        turn = lambda i, x: jnp.exp(x @ w_ref[...]) + x  # noqa: E731
        out_ref[...] = lax.fori_loop(0, 3, turn, x_ref[...])

    def call(x, w):
        like = jax.ShapeDtypeStruct((32, 32), jnp.float32)
        rows, whole = pl.BlockSpec((16, 32), lambda i: (i, 0)), pl.BlockSpec((32, 32), lambda i: (0, 0))
        return pl.pallas_call(kernel, like, grid=(2,), in_specs=[rows, whole], out_specs=rows, name="turns")(x, w)

    counted = kernels(jax.make_jaxpr(call)(jnp.ones((32, 32)), jnp.ones((32, 32))).jaxpr)
    by_hand = 2 * 3 * 16 * 32 * (32 + 8 + 1)
    operations, tiles = counted["turns"]
    assert tiles == 2 and operations == pytest.approx(by_hand, abs=20)  # the number of the turn is counted too
    text = TEXT.replace(
        "%draw = f32[20,8,4]{2,1,0} fusion(), kind=kLoop, calls=%fused_draw",
        '%draw = f32[20,8,4]{2,1,0} custom-call(), custom_call_target="t", backend_config={name = "turns"}',
    )
    launch = next(launch for launch in Program(text, counted).launches if launch.name == "draw")
    assert launch[1:] == (False, 5, 20 * 8 * 4 * 4, operations, 2)


def test_what_is_no_compiled_program_is_refused():
    with pytest.raises(ValueError, match="no ENTRY"):
        Program("def f(x): return x")
    with pytest.raises(ValueError, match="while.1 turns"):
        Program(TEXT.replace('"known_trip_count":{"n":"20"}', ""))


def test_the_estimate_by_hand():
    card = Card("one", "", (9, 0), 10, 100, 1.0, 1000, 1, 1, (1, 1), 1)  # 10¹² operations and bytes a second
    launches = [
        Launch("small", False, 4, 1_000, 1_000),  # 2.5 µs each
        Launch("wide", False, 2, 10_000_000, 1_000),  # 10 µs
        Launch("long", False, 1, 1_000, 40_000_000),  # 40 µs
    ]
    estimate = card.estimate(launches)
    assert estimate.seconds == pytest.approx(4 * LAUNCH + 2 * 10e-6 + 40e-6)
    assert estimate.limited_by == "arithmetic"
    assert card.estimate(launches[:2]).limited_by == "bandwidth" and card.estimate(launches[:1])[1] == "launches"
    # of 10 multiprocessors 4 have a tile, or 10 and then 2
    few, more = (Launch("tiles", False, 1, 1_000, 40_000_000, tiles) for tiles in (4, 12))
    assert card.estimate([few]).seconds == pytest.approx(100e-6)
    assert card.estimate([more]).seconds == pytest.approx(40e-6 * 20 / 12)
    facts = {"steps": 1000, "regions": 50}
    assert node_steps(20, facts, 0.5) == pytest.approx(2e6)


# Single precision by the data sheets, of which a product that is added counts as two operations.
@pytest.mark.parametrize(("name", "teraflops"), [("H200", 67), ("A100", 19.5), ("RTX 4090", 82.6)])
def test_cards_are_those_of_the_data_sheets(name, teraflops):
    assert 2 * cards()[name].operations == pytest.approx(teraflops * 1e12, rel=0.002)


# --- on a card ----------------------------------------------------------------------------------------------------
def test_without_a_gpu_it_says_so_in_a_line(monkeypatch, capfd):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    with pytest.raises(SystemExit) as ended:
        gpu(1)
    assert ended.value.code == 2
    out, said = capfd.readouterr()
    assert said == "No GPU: JAX computes on cpu (cpu) here.\n" and not out


def test_what_was_measured_becomes_a_table():
    equal = {"measured": "equality", "run": "mpr", "runs": 16, "model_s": 0.1, "mean": 1e-6, "sd": 2e-4}
    reports = [
        {"measured": "device", "kind": "NVIDIA A100"},
        equal,
        equal | {"sd": 9e-5},
        {"measured": "time", "part": "compare", "wall": 3.0},
        {"measured": "runs", "runs": 32768, "model_s": 60, "wall": 150.0, "node_steps": 1.31e10, "estimate": 120.0},
        {"measured": "gradients", "runs": 512, "model_s": 2, "wall": 4.0, "estimate": None},
        {"measured": "fits", "runs": 100, "steps": 10, "model_s": 2, "wall": 30.0, "fell": 0.98},
    ]
    card, _, _, _, *rows = measured(reports)
    assert card == "Card: NVIDIA A100."
    assert [row.split(" | ")[-1] for row in rows] == [
        "means 1.0e-06, deviations 2.0e-04: **not equal** |",
        "means 1.0e-06, deviations 9.0e-05: equal |",
        "13.10·10⁹ node-steps a second |",
        "128.0 a second |",
        "3.00 s for a step of all; loss fell in 98% |",
    ]
    assert rows[2].startswith("| runs | 32,768 | 60 | 150.00 | 120.00 |")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:State")
def test_all_that_is_measured_runs_in_small_on_a_cpu(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    _, _, _, _, *rows = gpu(1, dry=True)
    assert len(rows) == 6 and all("equal" in row and "not" not in row for row in rows[:3])
