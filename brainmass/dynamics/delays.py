"""Conduction delays: the recent past of what each region sends, read back at every edge's own delay."""

from __future__ import annotations

from functools import partial
from typing import Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero

__all__ = [
    "BlockedLine",
    "BlockedMatrix",
    "BlockedList",
    "DelayLine",
    "History",
    "InterpolatedLine",
    "delay_line",
    "delay_steps",
]


def delay_steps(delays: Any, dt: Any) -> np.ndarray:
    """Delays in steps of `dt`, each rounded to the nearest."""
    return np.rint(np.asarray(delays.to_decimal(u.ms)) / float(dt.to_decimal(u.ms))).astype(np.int32)


_PLACES = 4  # of a list of sources in one round: 1.6 times as fast as one at a time


class History(brainstate.nn.Module):
    """What was sent over the last steps.

    A ring of `depth` steps of shape (batch..., depth, N), its cursor of shape (batch...): every lane of a batch holds
    what a run of its own would.
    """

    history: brainstate.ShortTermState
    cursor: brainstate.ShortTermState

    def __init__(self, depth: int):
        super().__init__()
        self.depth = depth

    @property
    def is_filled(self) -> bool:
        return "cursor" in vars(self)

    def fill(self, sent: Any) -> None:
        """Start from a past in which this was sent always."""
        past = jax.tree.map(jnp.asarray, u.math.repeat(sent[..., None, :], self.depth, axis=-2))
        self._put("history", past)
        self._put("cursor", jnp.zeros(u.math.shape(sent)[:-1], jnp.int32))

    def _put(self, name: str, value: Any) -> None:
        """Write into the state that is there, which a compiled function may hold, unless it has another shape."""
        state = vars(self).get(name)
        if state is not None and u.math.shape(state.value) == u.math.shape(value):
            state.value = value
        else:
            setattr(self, name, brainstate.ShortTermState(value))

    def push(self, sent: Any) -> None:
        """Take in what is sent at the start of a step."""
        self.history.value = self.history.value.at[..., self._now % self.depth, :].set(sent)
        self.cursor.value = self.cursor.value + 1

    @property
    def _now(self) -> Any:
        return self.cursor.value.reshape(-1)[0]

    def ago(self, steps: Any, source: Any = None) -> Any:
        """What was sent `steps` steps before the last push, by region; linear between steps, 0 to `depth - 1`.

        Whole numbers of steps are given as integers. Other numbers beyond the depth give what was sent longest ago.
        `source` names the regions where `steps` has another shape.
        """
        source = jnp.arange(self.history.value.shape[-1]) if source is None else source
        if jnp.issubdtype(jnp.result_type(steps), jnp.integer):
            return self.history.value[..., (self._now - 1 - steps) % self.depth, source]
        steps = jnp.minimum(steps, self.depth - 1)
        whole = jnp.floor(steps).astype(jnp.int32)
        part = steps - whole
        following = jnp.minimum(whole + 1, self.depth - 1)
        return (1 - part) * self.ago(whole, source) + part * self.ago(following, source)

    def before(self, stage: Any, fraction: Any, steps: Any, source: Any) -> Any:
        """What was sent `steps` steps before a stage at this fraction of the step that began with the last push.

        `stage` is what is sent at that stage, by `source`. A delay shorter than what has passed of the step falls
        between the two: without delay it is the stage itself.
        """
        back = steps - fraction
        within = back < 0
        past = self.ago(jnp.where(within, 0.0, back), source)
        return past + jnp.where(within, -back / jnp.where(fraction > 0, fraction, 1.0), 0.0) * (stage - past)


class DelayLine(History):
    """What arrives now over edges with delays of their own, in whole steps.

    One gather per step suffices: what arrives at the end of a step is what arrives at the start of the next.
    """

    arriving: brainstate.ShortTermState

    def __init__(self, steps: np.ndarray, source: Any = None):
        super().__init__(int(steps.max()))
        self.steps = brainstate.LongTermState(jnp.asarray(steps))
        self.source = None if source is None else brainstate.LongTermState(jnp.asarray(source))

    def layout(self, weights: Any) -> Any:
        """The weights as `start` and `advance` take them; a run computes it once."""
        return weights

    def start(self, sent: Any, weights: Any) -> None:
        """Start from a past in which the regions have always sent this. `weights` are zero where no delay is."""
        self.fill(sent)
        self._put("arriving", self._arriving(weights))

    def advance(self, sent: Any, weights: Any) -> tuple[Any, Any]:
        """Take in what is sent at the start of a step; return what arrives at its start and at its end."""
        self.push(sent)
        start, end = self.arriving.value, self._arriving(weights)
        self.arriving.value = end
        return start, end

    def _arriving(self, weights: Any) -> Any:
        """Σ_j w_ij x_j(t - d_ij) at the end of the step that began with the last push, shape (batch..., N)."""
        source = jnp.arange(self.steps.value.shape[1])[None, :] if self.source is None else self.source.value
        return u.math.sum(weights * self.ago(self.steps.value - 1, source), axis=-1)


class BlockedLine(DelayLine):
    """The same arrivals, of which those over delays of at least `block` steps are worked out `block` steps ahead.

    What a source sends over such a delay, and arrives within the next `block` steps, is known: it lies in a row in the
    source's own past. Each step works out a part of what is under way, the parts in turn, so that all steps cost the
    same. Shorter delays are gathered step by step.

    The past is kept by source, shape (batch..., N, depth + block): the first `block` steps of the ring stand at its
    end once more. `upcoming`, shape (batch..., rows, block), begins with what arrived at the end of the last step.

    Derivatives go another way. A cotangent of a ring is copied at every step, so what was sent has its slopes in
    `trace`, of the same shape and from the oldest to the newest, which is zero: see `_noted` and `_known_sum`.
    """

    upcoming: brainstate.ShortTermState
    trace: brainstate.ShortTermState

    def __init__(self, steps: np.ndarray, block: int, source: Any = None):
        super().__init__(steps, source)
        self.block = block
        self.depth = max(self.depth, block)
        near = _positions((steps > 0) & (steps < block))
        self.near = brainstate.LongTermState(jnp.asarray(near))
        self.near_steps = brainstate.LongTermState(jnp.asarray(np.take_along_axis(steps, near, axis=1)))
        near = near if source is None else np.take_along_axis(np.asarray(source), near, axis=1)
        self.near_source = brainstate.LongTermState(jnp.asarray(near))

    def fill(self, sent: Any) -> None:
        """Start from a past in which this was sent always."""
        length = self.depth + self.block
        self._put("history", u.math.repeat(u.math.asarray(sent)[..., None], length, axis=-1))
        self._put("cursor", jnp.zeros(u.math.shape(sent)[:-1], jnp.int32))
        self._put("trace", _noted(jnp.zeros(self.history.value.shape, _plain(sent).dtype), _plain(sent), length))

    def push(self, sent: Any) -> None:
        """Take in what is sent at the start of a step."""
        slot = self._now % self.depth
        history, unit = u.split_mantissa_unit(self.history.value)
        new = u.Quantity(sent).to_decimal(unit).astype(history.dtype)
        self.trace.value = _noted(self.trace.value, new, 1)
        history, column = lax.stop_gradient((history, new[..., None]))
        for at in slot, jnp.where(slot < self.block, slot + self.depth, slot):
            history = lax.dynamic_update_slice_in_dim(history, column, at, axis=-1)
        self.history.value = u.maybe_decimal(u.Quantity(history, unit=unit))
        self.cursor.value = self.cursor.value + 1

    def ago(self, steps: Any, source: Any = None) -> Any:
        """What was sent a whole number of steps before the last push, by region."""
        source = jnp.arange(self.history.value.shape[-2]) if source is None else source
        return self.history.value[..., source, (self._now - 1 - steps) % self.depth]

    def layout(self, weights: Any) -> Any:
        w, steps = _plain(weights), self.steps.value
        near = jnp.where((steps > 0) & (steps < self.block), w, 0)
        near = jnp.take_along_axis(near, self.near.value, axis=1)
        far = self._far(jnp.where(steps >= self.block, w, 0))
        return {"far": far, "near": near, "one": u.Quantity(1.0, unit=u.get_unit(weights))}

    def start(self, sent: Any, weights: Any) -> None:
        self.fill(sent)
        self.renew(weights)
        self._put("arriving", self._arriving(weights))

    def renew(self, weights: Any) -> None:
        """Work out anew what is under way: the same numbers to the bit where the weights are the same."""
        past = _plain(self.history.value)
        nothing = jnp.zeros((*past.shape[:-2], len(self.steps.value), self.block), jnp.result_type(past))
        upcoming = lax.fori_loop(
            0, self.block, lambda k, ahead: self._ahead(ahead, weights["far"], self.block - 1 - k), nothing
        )
        self._put("upcoming", upcoming)

    def advance(self, sent: Any, weights: Any) -> tuple[Any, Any]:
        """Take in what is sent at the start of a step; return what arrives at its start and at its end."""
        self.push(sent)
        self.upcoming.value = self._ahead(self.upcoming.value, weights["far"], 0)
        start, end = self.arriving.value, self._arriving(weights)
        self.arriving.value = end
        return start, end

    def _arriving(self, weights: Any) -> Any:
        past, trace = _plain(self.history.value), self.trace.value
        total = self.upcoming.value[..., 0]
        if self.near.value.shape[1]:
            source, steps, weight = self.near_source.value, self.near_steps.value, weights["near"]
            at = _wrapped(self._now % self.depth - steps, self.depth)
            near = jnp.sum(weight * past[..., source, at], axis=-1)
            table = source.T, at.T, (past.shape[-1] - steps).T, weight.T
            total = total + _known_sum(near[..., None], past, trace, *table)[..., 0]
        unit = u.get_unit(weights["one"]) * u.get_unit(self.history.value)
        return u.maybe_decimal(u.Quantity(total, unit=unit))

    def _ahead(self, upcoming: Any, weights: Any, ago: Any) -> Any:
        """What is under way after the last step, or that so many before it, with the part whose turn it is."""
        past, trace, step = _plain(self.history.value), self.trace.value, self._now - 1 - ago
        turn, slot = step % self.block, (step + 1) % self.depth
        known = lax.stop_gradient((weights, past))
        value = self._part(turn, slot, jnp.zeros_like(upcoming), *known)
        source, steps, weight = self._table(turn, weights)
        at = _wrapped(slot - steps, self.depth), past.shape[-1] - steps - ago
        upcoming = jnp.concatenate([upcoming[..., 1:], jnp.zeros_like(upcoming[..., :1])], axis=-1)
        return upcoming + _known_sum(value, past, trace, source, *at, weight)

    def _far(self, weights: Any) -> Any:
        """The weights of the longer delays, as `_part` takes them."""
        raise NotImplementedError

    def _part(self, turn: Any, slot: Any, nothing: Any, weights: Any, past: Any) -> Any:
        """What comes over the edges whose turn it is. The next step is written at `slot` of the past."""
        raise NotImplementedError

    def _table(self, turn: Any, weights: Any) -> tuple[Any, Any, Any]:
        """Source, delay and weight of these edges, shape (places, rows)."""
        raise NotImplementedError


class BlockedMatrix(BlockedLine):
    """Blocks for a matrix: the sources take turns."""

    def __init__(self, steps: np.ndarray, block: int):
        super().__init__(steps, block)
        n = steps.shape[1]
        self._chunks, self._chunk = _chunks(n, block)
        sources = np.zeros((self._chunks * self._chunk * block, len(steps)), np.int32)
        sources[:n] = np.where(steps >= block, steps, 0).T
        self.long_steps = brainstate.LongTermState(jnp.asarray(sources))

    def _far(self, weights: Any) -> Any:
        return jnp.pad(weights.T, ((0, self.long_steps.value.shape[0] - weights.shape[1]), (0, 0)))

    def _part(self, turn: Any, slot: Any, nothing: Any, weights: Any, past: Any) -> Any:
        first = turn * self._chunks * self._chunk

        def row(j: Any) -> Any:
            steps = lax.dynamic_index_in_dim(self.long_steps.value, j, keepdims=False)
            weight = lax.dynamic_index_in_dim(weights, j, keepdims=False)
            line = lax.dynamic_index_in_dim(past, jnp.minimum(j, past.shape[-2] - 1), axis=-2, keepdims=False)
            return weight[:, None] * _windows(line, _wrapped(slot - steps, self.depth)[:, None], self.block)

        def add(c: Any, total: Any) -> Any:
            for k in range(self._chunk):
                total = total + row(first + c * self._chunk + k)
            return total

        return add(0, nothing) if self._chunks == 1 else lax.fori_loop(0, self._chunks, add, nothing)

    def _table(self, turn: Any, weights: Any) -> tuple[Any, Any, Any]:
        n = self._chunks * self._chunk
        steps, weight = (lax.dynamic_slice_in_dim(x, turn * n, n) for x in (self.long_steps.value, weights))
        source = jnp.minimum(turn * n + jnp.arange(n), self.steps.value.shape[1] - 1)
        return jnp.broadcast_to(source[:, None], steps.shape), steps, weight


class BlockedList(BlockedLine):
    """Blocks for lists of sources: the places of all rows take turns."""

    def __init__(self, steps: np.ndarray, block: int, source: np.ndarray):
        super().__init__(steps, block, source)
        # Of each row the longer delays, by place; what fills up has no weight.
        far = _positions(steps >= block)
        width = -(-max(far.shape[1], 1) // (_PLACES * block)) * _PLACES * block
        self.far = brainstate.LongTermState(jnp.asarray(far))

        def by_place(table: np.ndarray) -> Any:
            chosen = np.take_along_axis(table, far, axis=1)
            return brainstate.LongTermState(jnp.asarray(np.pad(chosen.T, ((0, width - far.shape[1]), (0, 0)))))

        self.far_steps, self.far_source = by_place(np.where(steps >= block, steps, 0)), by_place(source)

    def _far(self, weights: Any) -> Any:
        weights = jnp.take_along_axis(weights, self.far.value, axis=1).T
        return jnp.pad(weights, ((0, len(self.far_steps.value) - len(weights)), (0, 0)))

    def _part(self, turn: Any, slot: Any, nothing: Any, weights: Any, past: Any) -> Any:
        part = len(self.far_steps.value) // self.block
        first = turn * part

        def place(k: Any) -> Any:
            tables = self.far_source.value, self.far_steps.value, weights
            source, steps, weight = (lax.dynamic_index_in_dim(t, k, keepdims=False) for t in tables)
            at = jnp.stack([source, _wrapped(slot - steps, self.depth)], axis=-1)
            return weight[:, None] * _windows(past, at, self.block)

        def add(p: Any, total: Any) -> Any:
            for k in range(_PLACES):
                total = total + place(first + p * _PLACES + k)
            return total

        return add(0, nothing) if part == _PLACES else lax.fori_loop(0, part // _PLACES, add, nothing)

    def _table(self, turn: Any, weights: Any) -> tuple[Any, Any, Any]:
        n = len(self.far_steps.value) // self.block
        tables = self.far_source.value, self.far_steps.value, weights
        return tuple(lax.dynamic_slice_in_dim(x, turn * n, n) for x in tables)  # type: ignore[return-value]


def _wrapped(at: Any, depth: int) -> Any:
    """`at % depth` of places that are less than `depth` below zero; a remainder takes longer."""
    return jnp.where(at < 0, at + depth, at)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _noted(trace: Any, sent: Any, times: int) -> Any:
    """A trace after something was sent, once or so many times: its slopes move towards the oldest by as many."""
    return trace


@_noted.defjvp
def _slope_of_noted(times: int, given: Any, slopes: Any) -> Any:
    d_trace, d_sent = slopes
    newest = jnp.broadcast_to(d_sent[..., None], (*d_sent.shape, times)).astype(d_trace.dtype)
    return given[0], jnp.concatenate([d_trace[..., times:], newest], axis=-1)


@jax.custom_jvp
def _known_sum(value: Any, past: Any, trace: Any, source: Any, at: Any, traced_at: Any, weights: Any) -> Any:
    """Σ_k w_ki x(source_ki), a window of the past of each from `at`, shape (rows, length), whose value is known.

    Tables have the shape (places, rows). Slopes of what was sent are read from the trace, there from `traced_at`.
    """
    return value


def _slope_of_known_sum(given: Any, slopes: Any) -> Any:
    value, past, _, source, at, traced_at, weights = given
    _, _, d_trace, _, _, _, d_weights = slopes
    slope, length = jnp.zeros_like(value), value.shape[-1]

    def summed(weights: Any, table: Any, start: Any) -> Any:
        windows = _windows(table, jnp.stack([source, start], axis=-1).reshape(-1, 2), length)
        return jnp.sum(weights[..., None] * windows.reshape(*table.shape[:-2], *source.shape, length), axis=-3)

    if not isinstance(d_weights, SymbolicZero):
        slope = slope + summed(d_weights, past, at)
    if not isinstance(d_trace, SymbolicZero):
        start = jnp.clip(traced_at, 0, past.shape[-1] - length)
        slope = slope + summed(weights, d_trace, start)
    return value, slope


_known_sum.defjvp(_slope_of_known_sum, symbolic_zeros=True)


def _plain(x: Any) -> Any:
    return jnp.asarray(u.get_mantissa(x))


def _windows(past: Any, at: Any, length: int) -> Any:
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


def _chunks(n: int, block: int) -> tuple[int, int]:
    """In how many rounds a step takes its part of the sources, and how many of them at once: six at most.

    One sum of 25 rows, at 400 regions, takes twice as long as five sums of 5.
    """
    part = -(-n // block)
    rounds = -(-part // 6)
    return rounds, -(-part // rounds)


def _positions(chosen: np.ndarray) -> np.ndarray:
    """Where each row is true, padded with where it is not."""
    width = int(chosen.sum(axis=1).max(initial=0))
    order = np.argsort(~chosen, axis=1, kind="stable")[:, :width]
    return order.astype(np.int32)


def delay_line(steps: np.ndarray, source: Any = None) -> DelayLine:
    """The faster way to delays of this number and length.

    A step of a network with delays of 1 to 250 steps takes on two cores, with a gather and in blocks of 16: 25 and 7 µs
    at 84 regions, 680 and 115 at 400, 1.2 and 1.0 at 16. With delays of 1 to 20 steps at 84 regions, in blocks of 16, 8
    and 4: 18, 13 and 10. A list of 84 x 40, 400 x 40, 2000 x 100 and 10,000 x 500 connections, gathered and in blocks:
    11 and 4, 89 and 20, 935 and 541, 53,000 and 11,400 µs.
    """
    if steps.shape[1] >= 32:
        for block in (16, 8, 4):
            if ((steps > 0) & (steps < block)).sum(axis=1).max() <= steps.shape[1] // 4 and steps.max() >= block:
                return BlockedMatrix(steps, block) if source is None else BlockedList(steps, block, source)
    return DelayLine(steps, source)


class InterpolatedLine(History):
    """What arrives now over edges with delays that are no whole steps, and may be trained.

    The past is linear between the steps. It reaches back `depth - 1` steps: longer delays read what is oldest.
    """

    def __init__(self, depth: int, source: Any = None):
        super().__init__(depth)
        self.source = None if source is None else brainstate.LongTermState(jnp.asarray(source))

    def arriving(self, weights: Any, steps: Any, sent: Any, fraction: Any) -> Any:
        """Σ_j w_ij x_j(t - d_ij) at a stage at which `sent` is sent, a fraction of a step after the last push."""
        source = jnp.arange(steps.shape[1])[None, :] if self.source is None else self.source.value
        return u.math.sum(weights * self.before(sent[..., source], fraction, steps, source), axis=-1)
