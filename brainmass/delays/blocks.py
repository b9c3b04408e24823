"""What arrives over delays, most of it worked out ahead of time: the numbers behind `BlockedLine`.

What a source sends over a delay of at least `block` steps, and arrives within the next `block` steps, is known: it lies
in a row in the source's own past. Each step works out a part of what is under way, the parts in turn, so that all steps
cost the same. Shorter delays are gathered step by step.

The past has the shape (batch..., sources, depth + block): a ring of `depth` steps, whose first `block` stand at its end
once more. What is under way has the shape (batch..., targets, block), and begins with what arrived at the end of the
last step. `table` is what `layout` gives.
"""

from __future__ import annotations

from typing import Any

import brainstate
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from brainmass._common.machine import compiles_for
from brainmass._common.typing import Array, Numbers

__all__ = ["Blocks", "ListBlocks", "MatrixBlocks", "by_source", "in_turn", "moved_on", "put", "taken"]

# Shorter delays, as many as 130 regions have of delays of 1 to 250 steps: more are not sooner read from a window.
_FEW_NEAR = 2300

# What is summed in one piece: of 4096 numbers and more XLA calls a library, for which it leaves the compiled loop.
_OF_A_PART, _MOST_PARTS = 3800, 16

_PLACES = 4  # of a list of sources in one round: 1.6 times as fast as one at a time


class Blocks(brainstate.nn.Module):
    """Blocks for weights of shape (targets, places), of which `source` names the sources; with none, their number."""

    def __init__(self, steps: np.ndarray, block: int, source: np.ndarray | None = None):
        super().__init__()
        # The past is at least a block long: a window of `block` steps is then read in one piece, wherever it begins.
        self.block, self.depth = block, max(int(steps.max()), block)
        self.n_out = len(steps)
        # Of delays spread evenly over 1 to 250 steps, and blocks of 16, six in a hundred are near: a narrow table.
        near = _positions((steps > 0) & (steps < block))
        self.steps = brainstate.LongTermState(jnp.asarray(steps))
        self.near = brainstate.LongTermState(jnp.asarray(near))
        self.near_steps = brainstate.LongTermState(jnp.asarray(np.take_along_axis(steps, near, axis=1)))
        near = near if source is None else np.take_along_axis(source, near, axis=1)
        self.near_source = brainstate.LongTermState(jnp.asarray(near))

    def layout(self, weights: Numbers) -> dict[str, Numbers]:
        """Weights and tables as they are used; a run computes it once."""
        steps = self.steps.value
        # A weight stands in one of the two tables and is zero in the other: its gradient comes back through one of
        # them.
        near = jnp.where((steps > 0) & (steps < self.block), weights, 0)
        return {
            "near": jnp.take_along_axis(near, self.near.value, axis=1),
            # in a window of the last `block` steps; what fills up is longer, and has no weight
            "near_place": self.block - jnp.minimum(self.near_steps.value, self.block),
            "near_source": self.near_source.value,
            "far": self._far(jnp.where(steps >= self.block, weights, 0)),
            **self._far_tables(),
        }

    # --- a step -----------------------------------------------------------------------------------------------------
    def step(
        self, table: dict[str, Array], now: Numbers, past: Numbers, upcoming: Numbers, sent: Numbers
    ) -> tuple[Numbers, Numbers, Numbers]:
        """Past and what is under way after a step at whose start this is sent, and what arrives at its end."""
        past, upcoming = in_turn(past, upcoming)
        past = self._written(past, sent.astype(past.dtype), now % self.depth)
        # After the past is written: over a delay of just a block, the last of a window is what has just been sent.
        # Blocks of 16, a delay of 20, after step 100: what arrives at steps 101 to 116 left at 81 to 96, and over a
        # delay of 16 at 85 to 100.
        upcoming = self._ahead(table, now, past, upcoming)
        return past, upcoming, self.arriving(table, now + 1, past, upcoming)

    def _written(self, past: Numbers, sent: Numbers, slot: Numbers) -> Numbers:
        # The first steps of the ring are written at its end as well, so that no window wraps around.
        again = slot < self.block
        if compiles_for() == "gpu":
            # In one kernel; what need not stand there twice goes nowhere.
            at = jnp.stack([slot, jnp.where(again, slot + self.depth, past.shape[-1])])
            return past.at[..., at].set(sent[..., None], mode="drop", unique_indices=True, indices_are_sorted=True)
        for place in slot, jnp.where(again, slot + self.depth, slot):
            past = put(past, sent, place)
        return past

    def arriving(self, table: dict[str, Array], now: Numbers, past: Numbers, upcoming: Numbers) -> Numbers:
        """What arrives at the end of the last step."""
        total = upcoming[..., 0]
        return total if not self._has_near else total + self._near_sum(table, table["near"], now, past)

    def under_way(self, table: dict[str, Array], now: Numbers, past: Numbers) -> jax.Array:
        """What is under way at the end of the last step, from the past: to the bit what the steps worked out."""
        return lax.fori_loop(
            # The parts of the last block, each in its turn and in the same order: sums of floating point numbers
            # depend on it.
            0,
            self.block,
            lambda k, x: self._ahead(table, now - self.block + k, past, x),
            self._nothing(past),
        )

    def _ahead(self, table: dict[str, Array], now: jax.Array, past: jax.Array, upcoming: jax.Array) -> jax.Array:
        turn, slot = now % self.block, (now + 1) % self.depth
        # each part has its turn once in a block, and then adds all that it brings to the next `block` steps
        value = self._part(table, turn, slot, past, self._nothing(past))
        return moved_on(upcoming) + value

    def _near_sum(self, table: dict[str, Array], weights: Array, now: jax.Array, past: jax.Array) -> jax.Array:
        # shorter than a block: when a source had its turn, part of this was not sent yet
        first = _wrapped(now % self.depth - self.block, self.depth)
        source, place = table["near_source"], table["near_place"]
        if self._looks_through_a_window:
            # Side by side, at places that are always the same: 84 regions take 0.6 instead of 1.1 µs.
            window = lax.dynamic_slice_in_dim(past, first, self.block, axis=-1)
            past, at = window.reshape(*past.shape[:-2], -1), (source * self.block + place,)
        else:
            at = source, first + place

        def sums(start: int, end: int) -> jax.Array:
            sent = past.at[(..., *(x[start:end] for x in at))].get(mode="promise_in_bounds")
            return jnp.sum(weights[start:end] * sent, axis=-1)

        rows, width = source.shape
        some = rows if compiles_for() == "gpu" or rows * width > _MOST_PARTS * _OF_A_PART else _OF_A_PART // width
        return jnp.concatenate([sums(start, start + some) for start in range(0, rows, some)], axis=-1)

    def _nothing(self, past: jax.Array) -> jax.Array:
        return jnp.zeros((*past.shape[:-2], self.n_out, self.block), past.dtype)

    @property
    def _has_near(self) -> bool:
        return self.near.value.shape[1] > 0

    @property
    def _looks_through_a_window(self) -> bool:
        return False

    # --- slopes in the weights --------------------------------------------------------------------------------------
    def step_by_weights(
        self, table: dict[str, Array], slopes: dict[str, Array], now: Numbers, past: Numbers
    ) -> tuple[Array, Array]:
        """What a step adds to what is under way, and to what arrives at its end, from slopes of far and near weights.

        `past` is that at the end of the step. Linear in the slopes, and made of what JAX can transpose.
        """
        # Products are bilinear, w x: `step` is linear in x for a given w, and this is the other half, linear in w for
        # a given x.
        added = self._part_by_weights(table, slopes["far"], now, past)
        return added, self.arriving_by_weights(table, slopes, now + 1, past, added)

    def arriving_by_weights(
        self, table: dict[str, Array], slopes: dict[str, Array], now: Numbers, past: Numbers, added: Numbers
    ) -> Array:
        total = added[..., 0]
        return total if not self._has_near else total + self._near_sum(table, slopes["near"], now, past)

    def under_way_by_weights(
        self, table: dict[str, Array], slopes: dict[str, Array], now: Numbers, past: Numbers
    ) -> jax.Array:
        def add(k: jax.Array, x: jax.Array) -> Numbers:
            return moved_on(x) + self._part_by_weights(table, slopes["far"], now - self.block + k, past)

        return lax.fori_loop(0, self.block, add, self._nothing(past))

    def _part_by_weights(self, table: dict[str, Numbers], weights: Numbers, now: Array, past: Numbers) -> Array:
        turn, slot = now % self.block, (now + 1) % self.depth
        source, steps, weight = self._places(table, weights, turn)
        at = jnp.stack([source, _wrapped(slot - steps, self.depth)], axis=-1).reshape(-1, 2)
        windows = _windows(past, at, self.block).reshape(*past.shape[:-2], *source.shape, self.block)
        return jnp.sum(weight[..., None] * windows, axis=-3)

    # --- the two forms ----------------------------------------------------------------------------------------------
    def _far(self, weights: jax.Array) -> jax.Array:
        """The weights of the longer delays, by place."""
        raise NotImplementedError

    def _far_tables(self) -> dict[str, Array]:
        raise NotImplementedError

    def _part(
        self, table: dict[str, Numbers], turn: jax.Array, slot: jax.Array, past: jax.Array, nothing: jax.Array
    ) -> jax.Array:
        """What comes over the connections whose turn it is. The next step is written at `slot` of the past."""
        raise NotImplementedError

    def _places(self, table: Numbers, weights: Numbers, turn: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Source, delay and weight of these connections, shape (places, targets)."""
        raise NotImplementedError


class MatrixBlocks(Blocks):
    """Of a matrix: the sources take turns."""

    def __init__(self, steps: np.ndarray, block: int):
        super().__init__(steps, block)
        n = steps.shape[1]
        self._rounds, self._at_once = _rounds(n, block)
        # Filled up to a whole number of turns: 84 sources in blocks of 16 are six a turn, and 96 rows, of which
        # twelve have no weight. Sources come first, so that the turn of one is a slice.
        sources = np.zeros((self._rounds * self._at_once * block, len(steps)), np.int32)
        sources[:n] = np.where(steps >= block, steps, 0).T
        self.far_steps = brainstate.LongTermState(jnp.asarray(sources))

    @property
    def _looks_through_a_window(self) -> bool:
        return self.near.value.size <= _FEW_NEAR and compiles_for() == "cpu"

    def _far(self, weights: jax.Array) -> jax.Array:
        return jnp.pad(weights.T, ((0, len(self.far_steps.value) - weights.shape[1]), (0, 0)))

    def _far_tables(self) -> dict[str, Array]:
        return {"far_steps": self.far_steps.value}

    def _part(
        self, table: dict[str, Numbers], turn: jax.Array, slot: jax.Array, past: jax.Array, nothing: jax.Array
    ) -> jax.Array:
        first = turn * self._rounds * self._at_once

        def row(j: Numbers) -> Numbers:
            # the last turn may reach beyond the last source, where all weights are zero
            steps, weight = (lax.dynamic_index_in_dim(table[k], j, keepdims=False) for k in ("far_steps", "far"))
            line = lax.dynamic_index_in_dim(past, jnp.minimum(j, past.shape[-2] - 1), axis=-2, keepdims=False)
            return weight[:, None] * _windows(line, _wrapped(slot - steps, self.depth)[:, None], self.block)

        def add(c: Numbers, total: Array) -> Numbers:
            for k in range(self._at_once):
                total = total + row(first + c * self._at_once + k)
            return total

        return add(0, nothing) if self._rounds == 1 else lax.fori_loop(0, self._rounds, add, nothing)

    def _places(self, table: Numbers, weights: Numbers, turn: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        n = self._rounds * self._at_once
        steps, weight = (lax.dynamic_slice_in_dim(x, turn * n, n) for x in (table["far_steps"], weights))
        source = jnp.minimum(turn * n + jnp.arange(n), self.steps.value.shape[1] - 1)
        return jnp.broadcast_to(source[:, None], steps.shape), steps, weight


class ListBlocks(Blocks):
    """Of lists of sources: the places of all rows take turns."""

    def __init__(self, steps: np.ndarray, block: int, source: np.ndarray):
        super().__init__(steps, block, source)
        # Of each row the longer delays, by place; what fills up has no weight.
        far = _positions(steps >= block)
        # Places are a multiple of what a turn goes through at once, and at least one round.
        width = -(-max(far.shape[1], 1) // (_PLACES * block)) * _PLACES * block
        self.far = brainstate.LongTermState(jnp.asarray(far))

        def by_place(values: np.ndarray) -> Any:
            chosen = np.take_along_axis(values, far, axis=1)
            return brainstate.LongTermState(jnp.asarray(np.pad(chosen.T, ((0, width - far.shape[1]), (0, 0)))))

        self.far_steps, self.far_source = by_place(np.where(steps >= block, steps, 0)), by_place(source)

    def _far(self, weights: jax.Array) -> jax.Array:
        weights = jnp.take_along_axis(weights, self.far.value, axis=1).T
        return jnp.pad(weights, ((0, len(self.far_steps.value) - len(weights)), (0, 0)))

    def _far_tables(self) -> dict[str, Array]:
        return {"far_steps": self.far_steps.value, "far_source": self.far_source.value}

    def _part(
        self, table: dict[str, Numbers], turn: jax.Array, slot: jax.Array, past: jax.Array, nothing: jax.Array
    ) -> jax.Array:
        n = len(table["far"]) // self.block
        first = turn * n

        def place(k: Array) -> Numbers:
            tables = table["far_source"], table["far_steps"], table["far"]
            source, steps, weight = (lax.dynamic_index_in_dim(t, k, keepdims=False) for t in tables)
            at = jnp.stack([source, _wrapped(slot - steps, self.depth)], axis=-1)
            return weight[:, None] * _windows(past, at, self.block)

        def add(p: Numbers, total: Array) -> Numbers:
            for k in range(_PLACES):
                total = total + place(first + p * _PLACES + k)
            return total

        return add(0, nothing) if n == _PLACES else lax.fori_loop(0, n // _PLACES, add, nothing)

    def _places(self, table: Numbers, weights: Array, turn: object) -> tuple[Numbers, Numbers, Numbers]:
        n = len(table["far_steps"]) // self.block
        tables = table["far_source"], table["far_steps"], weights
        return tuple(lax.dynamic_slice_in_dim(x, turn * n, n) for x in tables)  # type: ignore[return-value]


def in_turn(*held: Numbers) -> tuple[Numbers, ...]:
    """The same, to be worked out before anything that follows is.

    On a GPU, where a round of the loop has several steps: XLA would look at the past before this step once more after
    it was written, and copy it at each step to do so.
    """
    return lax.optimization_barrier(held) if compiles_for() == "gpu" else held


def taken(past: Numbers, at: Numbers, more: Numbers) -> tuple[Numbers, Numbers]:
    """The past with zeros at one place of its last axis, and what lay there and this together."""

    def there() -> jax.Array:
        return lax.dynamic_index_in_dim(past, at, axis=-1, keepdims=False)

    if compiles_for() != "cpu":
        past, total = in_turn(past, more + there())
        return put(past, jnp.zeros_like(total), at), total
    # On a CPU XLA would move what reads to what needs it, behind what writes, and copy the past twice in each step to
    # do so. It moves nothing out of a branch, and what is written depends on it: zeros that XLA does not know to be.
    values = lax.cond(at >= 0, there, lambda: jnp.zeros(past.shape[:-1], past.dtype))
    return put(past, 0 * values, at), more + values


@jax.custom_batching.custom_vmap
def put(past: jax.Array, values: jax.Array, at: jax.Array) -> jax.Array:
    """The past with these values at one place of its last axis."""
    return _put(past, values, at)


def _put(past: jax.Array, values: jax.Array, at: jax.Array) -> jax.Array:
    return lax.dynamic_update_slice_in_dim(past, values[..., None], at, axis=-1)


@put.def_vmap
def _put_in_lanes(
    lanes: int, batched: list[bool], past: jax.Array, values: jax.Array, at: jax.Array
) -> tuple[jax.Array, bool]:
    if batched[2]:
        return jax.vmap(_put, [0 if x else None for x in batched])(past, values, at), True
    if not any(batched):
        return _put(past, values, at), False  # as JAX asks of a slope, whose lanes are others than those of the values
    # Lanes that step together write at one place. Of that JAX's own rule makes a scatter, for which a GPU first reads
    # what is there, in a kernel of its own.
    given = zip((past, values), batched[:2], strict=True)
    past, values = (x if in_lanes else jnp.broadcast_to(x, (lanes, *x.shape)) for x, in_lanes in given)
    return _put(past, values, at), True


def by_source(steps: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Delays of the connections from each source, filled up with zeros, and where each stands in the list by target."""
    edges = np.flatnonzero(steps)
    # Stable, so that the targets of a source stay in their order, and one list always turns into the same.
    edges = edges[np.argsort(source.reshape(-1)[edges], kind="stable")]
    row = source.reshape(-1)[edges]
    count = np.bincount(row)
    place = np.arange(len(edges)) - (np.cumsum(count) - count)[row]
    at, delays = (np.zeros((len(count), count.max()), np.int32) for _ in range(2))
    at[row, place], delays[row, place] = edges, steps.reshape(-1)[edges]
    return delays, at


def moved_on(upcoming: Numbers) -> jax.Array:
    """What is under way, a step later."""
    return jnp.concatenate([upcoming[..., 1:], jnp.zeros_like(upcoming[..., :1])], axis=-1)


def _wrapped(at: Numbers, depth: int) -> Numbers:
    """`at % depth` of places that are less than `depth` below zero; a remainder takes longer."""
    return jnp.where(at < 0, at + depth, at)


def _windows(past: Numbers, at: Numbers, length: int) -> Numbers:
    """Pieces of the past along its last axis, one from each place `at`: shape (batch..., places, length).

    A place is one index, or one for each of the last axes, along `at`'s last. (Of a flattened past every step makes a
    copy: 2100 instead of 230 µs for 2000 regions of 100 inputs.)
    """
    batch = past.ndim - at.shape[-1]
    numbers = lax.GatherDimensionNumbers(
        offset_dims=(*range(batch), batch + 1),
        collapsed_slice_dims=tuple(range(batch, past.ndim - 1)),
        start_index_map=tuple(range(batch, past.ndim)),
    )
    sizes = (*past.shape[:batch], *(1,) * (at.shape[-1] - 1), length)
    return lax.gather(past, at, numbers, sizes, mode="promise_in_bounds")


def _rounds(n: int, block: int) -> tuple[int, int]:
    """In how many rounds a step takes its part of the sources, and how many of them at once: eight, or five or six.

    One sum of 25 rows, at 400 regions, takes twice as long as five sums of 5, and so do rounds of 4; one sum of 7, at
    100 regions, takes a third of two of 4.
    """
    part = -(-n // block)
    rounds = 1 if part <= 8 else -(-part // 6)
    return rounds, -(-part // rounds)


def _positions(chosen: np.ndarray) -> np.ndarray:
    """Where each row is true, padded with where it is not."""
    width = int(chosen.sum(axis=1).max(initial=0))
    order = np.argsort(~chosen, axis=1, kind="stable")[:, :width]
    return order.astype(np.int32)
