"""Conduction delays: the recent past of what each region sends, read back at every edge's own delay."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jax.custom_derivatives import SymbolicZero

from brainmass._common.checks import numbers
from brainmass._common.messages import argument_error, show
from brainmass._common.typing import Array, Numbers, Pytree
from brainmass.delays.blocks import ListBlocks, MatrixBlocks, by_source, in_turn, put, taken
from brainmass.delays.linear import linear

__all__ = [
    "ARRIVES",
    "BlockedLine",
    "DelayLine",
    "History",
    "InterpolatedLine",
    "Line",
    "NoDelay",
    "checked_delays",
    "delay_line",
    "delay_steps",
]

# By this name a gradient may keep what arrives over delays, and so work a step out again without the past.
ARRIVES = "arrives"


def delay_steps(delays: Numbers, dt: Numbers) -> np.ndarray:
    """Delays in steps of `dt`, each rounded to the nearest."""
    return np.rint(np.asarray(delays.to_decimal(u.ms)) / float(dt.to_decimal(u.ms))).astype(np.int32)


def checked_delays(what: str, delays: Numbers, n: int) -> u.Quantity:
    """Delays of connections among `n` units in ms, shape (n, n), from one for all or one for each."""
    example = f"{what.split('`')[1]}=5.0 * u.ms"
    values = np.asarray(numbers(what, delays, unit=u.ms, example=example), float)
    if values.shape not in ((), (n, n)):
        raise argument_error(what, f"must be one for all or have shape ({n}, {n})", f"has shape {values.shape}")
    if not (np.isfinite(values) & (values >= 0)).all():
        raise argument_error(what, "must be finite and >= 0", f"is {show(delays)}")
    return np.broadcast_to(values, (n, n)) * u.ms


class _Past(brainstate.nn.Module):
    """A past, and its cursor of shape (batch...): every lane of a batch holds what a run of its own would."""

    history: brainstate.ShortTermState
    cursor: brainstate.ShortTermState

    @property
    def is_filled(self) -> bool:
        return "cursor" in vars(self)

    @property
    def _now(self) -> jax.Array:
        # lanes step together, and so the first tells for all
        return self.cursor.value.reshape(-1)[0]

    def _put(self, name: str, value: jax.Array) -> None:
        """Write into the state that is there, which a compiled function may hold, unless it has another shape."""
        state = vars(self).get(name)
        if state is not None and u.math.shape(state.value) == u.math.shape(value):
            state.value = value
        else:
            setattr(self, name, brainstate.ShortTermState(value))


class Line:
    """What a projection asks of what is under way; each kind of line has its own answers.

    A step of a method with two stages, with a delay between this step's start and its end::

        sources      start of the step                       end of the step
                     | send: `arrivals(send, table)`         |
        targets      | stage: `arriving(sent, fraction=0)`   | stage: `arriving(sent, fraction=1)`

    `sent` is what is sent at the stage itself, which only a line without whole steps looks at: a delay may end within
    the step. All arrivals have one value for each row of the weights, shape (batch..., rows).
    """

    def parted(self, weights: Numbers, steps: Callable[[], Numbers]) -> tuple[Numbers, Numbers]:
        """A table of the weights that act over delays, as the other methods take it, and the weights that act at once.

        None where there are none. `steps` gives the delays in steps. A run computes it once.
        """
        raise NotImplementedError

    def start(self, sent: Numbers, table: Numbers, /) -> None:
        """Start from a past in which the regions have always sent this."""

    def renew(self, table: Pytree, /) -> None:
        """Before a run that goes on, under weights that may be others: work out anew what was worked out ahead."""

    def arrivals(self, send: Callable[[], Numbers] | None, table: Numbers) -> Callable[..., Numbers] | None:
        """What arrives at a stage, from what is sent there and the fraction of the step that has passed.

        What is returned takes the table as it is at that stage as well. `send` gives what is sent at the start of a
        step, and takes the line a step further; without it nothing changes. None where nothing is under way.
        """
        raise NotImplementedError

    def of_each(self, now: Numbers, fraction: Numbers, table: Numbers, source: Numbers) -> Numbers:
        """The activity of the source of each connection when it left, for kernels that look at both ends.

        `now` is that at the stage, by connection; `source` names the regions.
        """
        raise NotImplementedError

    def serves(self, depth: int) -> bool:
        """Whether delays may become others, as far back as this."""
        return False


class NoDelay(Line):
    """All arrives at once."""

    def parted(self, weights: Numbers, steps: Callable[[], Numbers]) -> tuple[Numbers, Numbers]:
        return None, weights

    def arrivals(self, send: Callable[[], Numbers] | None, table: Numbers) -> None:
        return None

    def of_each(self, now: Numbers, fraction: Numbers, table: Numbers, source: Numbers) -> Numbers:
        return now


class _WholeSteps(Line):
    """Delays in whole steps: what arrives is known at the start and at the end of each step, and linear between."""

    steps: Any
    arriving: brainstate.ShortTermState

    def layout(self, weights: Numbers) -> Numbers:
        raise NotImplementedError

    def advance(self, sent: Numbers, weights: Numbers) -> tuple[Numbers, Numbers]:
        raise NotImplementedError

    def parted(self, weights: Numbers, steps: Callable[[], Numbers]) -> tuple[Array, Array]:
        delayed = self.steps.value > 0
        # Every connection is in one of the two products and zero in the other, whatever its weight becomes in a fit.
        return self.layout(weights * delayed), weights * ~delayed

    def arrivals(self, send: Callable[[], Numbers] | None, table: Pytree) -> Callable[..., Numbers]:
        if send is None:
            start = end = self.arriving.value
        else:
            # Arrivals are linear between whole steps, as the past is: a stage in the middle of a step reads half of
            # each, which keeps the order of a method of second order. To read at every stage would cost a gather
            # each.
            start, end = self.advance(send(), table)
        return lambda sent, fraction, _: start + fraction * (end - start)


class History(_Past):
    """What was sent over the last steps: a ring of `depth` steps of shape (batch..., depth, N)."""

    def __init__(self, depth: int):
        super().__init__()
        self.depth = depth

    def fill(self, sent: Numbers) -> None:
        """Start from a past in which this was sent always."""
        past = jax.tree.map(jnp.asarray, u.math.repeat(sent[..., None, :], self.depth, axis=-2))
        self._put("history", past)
        self._put("cursor", jnp.zeros(u.math.shape(sent)[:-1], jnp.int32))

    def push(self, sent: Numbers) -> None:
        """Take in what is sent at the start of a step."""
        (history,) = in_turn(self.history.value)
        self.history.value = history.at[..., self._now % self.depth, :].set(sent)
        self.cursor.value = self.cursor.value + 1

    def ago(self, steps: Numbers, source: Numbers = None) -> jax.Array:
        """What was sent `steps` steps before the last push, by region; linear between steps, 0 to `depth - 1`.

        Whole numbers of steps are given as integers. Other numbers beyond the depth give what was sent longest ago.
        `source` names the regions where `steps` has another shape.
        """
        source = jnp.arange(self.history.value.shape[-1]) if source is None else source
        if jnp.issubdtype(jnp.result_type(steps), jnp.integer):
            # the cursor is one beyond the last push
            return self.history.value[..., (self._now - 1 - steps) % self.depth, source]
        steps = jnp.minimum(steps, self.depth - 1)
        whole = jnp.floor(steps).astype(jnp.int32)
        part = steps - whole
        following = jnp.minimum(whole + 1, self.depth - 1)
        return (1 - part) * self.ago(whole, source) + part * self.ago(following, source)

    def before(self, stage: Numbers, fraction: Numbers, steps: Numbers, source: Numbers) -> jax.Array:
        """What was sent `steps` steps before a stage at this fraction of the step that began with the last push.

        `stage` is what is sent at that stage, by `source`. A delay shorter than what has passed of the step falls
        between the two: without delay it is the stage itself.
        """
        # Half a step after the last push, 0.2 steps ago is later than that push: between it (0.5 ago) and the stage
        # (0 ago), at 0.2 / 0.5 of the way back. 0.8 steps ago is 0.3 before the push.
        back = steps - fraction
        within = back < 0
        past = self.ago(jnp.where(within, 0.0, back), source)
        return past + jnp.where(within, -back / jnp.where(fraction > 0, fraction, 1.0), 0.0) * (stage - past)


class DelayLine(_WholeSteps, History):
    """What arrives now over edges with delays of their own, in whole steps.

    One gather per step suffices: what arrives at the end of a step is what arrives at the start of the next.
    """

    def __init__(self, steps: np.ndarray, source: Numbers = None):
        super().__init__(int(steps.max()))
        self.steps = brainstate.LongTermState(jnp.asarray(steps))
        self.source = None if source is None else brainstate.LongTermState(jnp.asarray(source))

    def layout(self, weights: Numbers) -> Array:
        """The weights as `start` and `advance` take them; a run computes it once."""
        return weights

    def start(self, sent: Numbers, weights: Numbers) -> None:
        """Start from a past in which the regions have always sent this. `weights` are zero where no delay is."""
        self.fill(sent)
        self._put("arriving", self._arriving(weights))

    def advance(self, sent: Numbers, weights: Numbers) -> tuple[Numbers, Numbers]:
        """Take in what is sent at the start of a step; return what arrives at its start and at its end."""
        self.push(sent)
        start, end = self.arriving.value, self._arriving(weights)
        self.arriving.value = end
        return start, end

    def _arriving(self, weights: Array) -> jax.Array:
        """Σ_j w_ij x_j(t - d_ij) at the end of the step that began with the last push, shape (batch..., N)."""
        source = jnp.arange(self.steps.value.shape[1])[None, :] if self.source is None else self.source.value
        # the end of the step is one step after the last push
        return u.math.sum(weights * self.ago(self.steps.value - 1, source), axis=-1)


class BlockedLine(_WholeSteps, _Past):
    """The same arrivals as of a `DelayLine`, most of them worked out ahead of time: see `Blocks`.

    What arrives is linear in what was sent, and the derivative of a loss goes back over the same delays::

        arrivals      a_i(t) = sum_j w_ij x_j(t - d_ij)         the end of step t - 1, from the starts of earlier ones
        the adjoint   X_j(t) = sum_i w_ij A_i(t + d_ij)         X, A: derivatives of the loss by x and by a

    With time turned round, s = -t, the adjoint reads X_j(s) = sum_i w_ij A_i(s - d_ij): arrivals again, from targets to
    sources. So a gradient takes the same blocks, over the connections turned round, from the last step to the first::

        there, steps 0, 1, 2, ...    sources -- history, upcoming --> targets
        back, steps ..., 2, 1, 0     sources <- returning, echo ----- targets

    `echo` is the past of what was sent back, and `returning` what of it is under way. The way back must hand them from
    step to step, and all that it hands on are cotangents of states: so they are states, which are zero and stay so, and
    the numbers are in their cotangents. The cotangent of `history` has what reaches the past in any other way, such as
    the loss by the final state. JAX's own transpose of the reads scatters into an array that moves by one
    place at each step: a gradient of 84 regions then took 8.7 to 9.5 forward runs instead of 3.9 to 4.6.
    """

    upcoming: brainstate.ShortTermState
    echo: brainstate.ShortTermState
    returning: brainstate.ShortTermState

    def __init__(self, steps: np.ndarray, block: int, source: np.ndarray | None = None):
        super().__init__()
        self.place = None
        if source is None:
            self.there, self.back = MatrixBlocks(steps, block), MatrixBlocks(steps.T, block)
        else:
            turned, place = by_source(steps, source)
            self.there, self.back = ListBlocks(steps, block, source), ListBlocks(turned, block, place // steps.shape[1])
            self.place = brainstate.LongTermState(jnp.asarray(place))
        self.block, self.depth = block, self.there.depth

    @property
    def steps(self) -> Numbers:
        return self.there.steps

    def layout(self, weights: Numbers) -> Pytree:
        """The weights as `start`, `renew` and `advance` take them; a run computes it once."""
        w = _plain(weights)
        # The adjoint sends from targets to sources, over the weights turned round.
        turned = w.T if self.place is None else w.reshape(-1)[self.place.value]
        tables = {"there": self.there.layout(w), "back": self.back.layout(turned)}
        return {"tables": tables, "one": u.Quantity(1.0, unit=u.get_unit(weights))}

    def start(self, sent: Numbers, weights: Numbers) -> None:
        """Start from a past in which the regions have always sent this. `weights` are zero where no delay is."""
        lanes, length = u.math.shape(sent)[:-1], self.depth + self.block
        self._put("history", u.math.repeat(u.math.asarray(sent)[..., None], length, axis=-1))
        self._put("cursor", jnp.zeros(lanes, jnp.int32))
        dtype = _plain(self.history.value).dtype
        self._put("upcoming", jnp.zeros((*lanes, self.there.n_out, self.block), dtype))
        self._put("echo", jnp.zeros((*lanes, self.there.n_out, length), dtype))
        self._put("returning", jnp.zeros((*lanes, self.back.n_out, self.block), dtype))
        arriving = self._renewed(weights)
        self._put("arriving", self._with_unit(arriving, weights))

    def renew(self, weights: Pytree) -> None:
        """Work out anew what is under way: the same numbers to the bit where the weights are the same."""
        self._renewed(weights)

    def _renewed(self, weights: Pytree) -> jax.Array:
        self._held, arriving = _renewed(self, weights["tables"], self._now, self._held)
        return arriving

    def advance(self, sent: Numbers, weights: Numbers) -> tuple[Numbers, Numbers]:
        """Take in what is sent at the start of a step; return what arrives at its start and at its end."""
        history = self.history.value
        sent = u.Quantity(sent).to_decimal(u.get_unit(history)).astype(_plain(history).dtype)
        self._held, arriving = _advanced(self, weights["tables"], self._now, self._held, sent)
        arriving = checkpoint_name(arriving, ARRIVES)
        self.cursor.value = self.cursor.value + 1
        start, end = self.arriving.value, self._with_unit(arriving, weights)
        self.arriving.value = end
        return start, end

    def _with_unit(self, arriving: jax.Array, weights: Pytree) -> jax.Array:
        unit = u.get_unit(weights["one"]) * u.get_unit(self.history.value)
        return u.maybe_decimal(u.Quantity(arriving, unit=unit))

    @property
    def _held(self) -> tuple[Array, ...]:
        return _plain(self.history.value), self.upcoming.value, self.echo.value, self.returning.value

    @_held.setter
    def _held(self, held: tuple[Array, ...]) -> None:
        past, self.upcoming.value, self.echo.value, self.returning.value = held
        self.history.value = u.maybe_decimal(u.Quantity(past, unit=u.get_unit(self.history.value)))

    # --- slopes: `known` are the tables and the number of the step --------------------------------------------------
    def _advance(self, known: Pytree, given: Pytree) -> Pytree:
        """A step forwards; the ways back are handed through."""
        (tables, now), ((past, upcoming, *ways_back), sent) = known, given
        past, upcoming, arriving = self.there.step(tables["there"], now, past, upcoming, sent)
        return (past, upcoming, *ways_back), arriving

    def _retreat(self, known: Pytree, given: Pytree) -> Pytree:
        """The transpose of `_advance`: the step with this number, backwards."""
        (_, upcoming, *_), arriving = given
        held, sent = self._retreat_past_weights(known, given)
        return (held[0], _a_step_back(upcoming, arriving), *held[2:]), sent

    def _retreat_past_weights(self, known: Pytree, given: Pytree) -> Pytree:
        """The same where weights have no slopes, which alone look at that of what is under way."""
        (tables, now), ((past, upcoming, echo, returning), arriving) = known, given
        echo, returning, sent = self.back.step(tables["back"], -now, echo, returning, arriving)
        # this step wrote over what was there before it, which so had no part in what follows
        past, sent = taken(past, now % self.depth, _padded(sent, past.shape[-2]))
        return (past, upcoming, echo, returning), sent

    def _work_out(self, known: Pytree, given: Pytree) -> Pytree:
        """What is under way, from the past: where a run begins."""
        (tables, now), (past, _, *ways_back) = known, given
        upcoming = self.there.under_way(tables["there"], now, past)
        return (past, upcoming, *ways_back), self.there.arriving(tables["there"], now, past, upcoming)

    def _trace_back(self, known: Pytree, given: Pytree) -> Pytree:
        """What is on its way back arrives in the past: from there on it is no matter of these weights."""
        (tables, now), ((past, _, echo, returning), arriving) = known, given

        def step_back(k: jax.Array, held: Pytree) -> Pytree:
            past, echo, returning = held
            last = now - 1 - k
            sent = jnp.where(k == 0, arriving, 0)
            echo, returning, reached = self.back.step(tables["back"], -last, echo, returning, sent)
            at = last % self.depth
            reached = _padded(reached, past.shape[-2]) + lax.dynamic_index_in_dim(past, at, axis=-1, keepdims=False)
            return put(past, reached, at), echo, returning

        past, echo, returning = lax.fori_loop(0, self.depth, step_back, (past, echo, returning))
        return past, jnp.zeros_like(given[0][1]), jnp.zeros_like(echo), jnp.zeros_like(returning)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _advanced(line: BlockedLine, tables: object, now: jax.Array, held: Pytree, sent: Array) -> Pytree:
    """What the line holds after a step, and what arrives at its end."""
    return line._advance((tables, now), (held, sent))


@partial(_advanced.defjvp, symbolic_zeros=True)
def _slope_of_advanced(line: BlockedLine, given: Pytree, slopes: Pytree) -> Any:
    tables, now, held, sent = given
    value = _advanced(line, *given)
    of_weights = _slopes_of_weights(slopes[0], tables)
    retreat = line._retreat_past_weights if of_weights is None else line._retreat
    d_held, d_arriving = linear(line._advance, retreat, (tables, now), _instantiated(slopes[2:], (held, sent)))
    if of_weights is not None:
        past = value[0][0]
        added, arrived = line.there.step_by_weights(tables["there"], of_weights, now, past)
        d_held, d_arriving = _with_upcoming(d_held, added), d_arriving + arrived
    return value, (d_held, d_arriving)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _renewed(line: BlockedLine, tables: object, now: jax.Array, held: Pytree) -> Pytree:
    """What the line holds as it follows from the past, and what arrived at the end of the last step."""
    return line._work_out((tables, now), held)


@partial(_renewed.defjvp, symbolic_zeros=True)
def _slope_of_renewed(line: BlockedLine, given: Pytree, slopes: Any) -> Any:
    tables, now, held = given
    value = _renewed(line, *given)
    d_held, d_arriving = linear(line._work_out, line._trace_back, (tables, now), _instantiated(slopes[2], held))
    of_weights = _slopes_of_weights(slopes[0], tables)
    if of_weights is not None:
        added = line.there.under_way_by_weights(tables["there"], of_weights, now, held[0])
        arrived = line.there.arriving_by_weights(tables["there"], of_weights, now, held[0], added)
        d_held, d_arriving = _with_upcoming(d_held, added), d_arriving + arrived
    return value, (d_held, d_arriving)


def _slopes_of_weights(slopes: Any, tables: Any) -> dict[str, Array] | None:
    """Slopes of the far and near weights, or none if neither has any."""
    of_weights = {name: slopes["there"][name] for name in ("far", "near")}
    # JAX hands zeros as symbols to rules that ask for them: a fit of other parameters then has no second pass over
    # weights.
    if all(isinstance(x, SymbolicZero) for x in of_weights.values()):
        return None
    return _instantiated(of_weights, {name: tables["there"][name] for name in of_weights})


def _instantiated(slopes: Pytree, values: Pytree) -> Pytree:
    return jax.tree.map(lambda d, x: jnp.zeros_like(x) if isinstance(d, SymbolicZero) else d, slopes, values)


def _with_upcoming(held: Pytree, added: Array) -> Pytree:
    past, upcoming, *ways_back = held
    return past, upcoming + added, *ways_back


def _a_step_back(upcoming: jax.Array, arriving: jax.Array) -> jax.Array:
    """The transpose of `moved_on`, and of the arrival of what comes first."""
    return jnp.concatenate([jnp.zeros_like(upcoming[..., :1]), (upcoming.at[..., 0].add(arriving))[..., :-1]], axis=-1)


def _padded(x: Numbers, n: int) -> jax.Array:
    """With zeros for sources behind the last that has a target."""
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, n - x.shape[-1])])


def _plain(x: Array) -> jax.Array:
    return jnp.asarray(u.get_mantissa(x))


def delay_line(steps: np.ndarray, source: Numbers = None) -> DelayLine | BlockedLine:
    """The faster way to delays of this number and length.

    A step of a network with delays of 1 to 250 steps takes on two cores, with a gather and in blocks of 16: 25 and 7 µs
    at 84 regions, 680 and 115 at 400, 1.2 and 1.0 at 16. With delays of 1 to 20 steps at 84 regions, in blocks of 16, 8
    and 4: 18, 13 and 10. A list of 84 x 40, 400 x 40, 2000 x 100 and 10,000 x 500 connections, gathered and in blocks:
    11 and 4, 89 and 20, 935 and 541, 53,000 and 11,400 µs.
    """
    # Below, a gather is as fast (the times above). A block must be shorter than the longest delay, else nothing is
    # worked out ahead; and where more than a quarter of a row is near, most of the work is the gather that blocks are
    # to avoid.
    if steps.shape[1] >= 32:
        for block in (16, 8, 4):
            if ((steps > 0) & (steps < block)).sum(axis=1).max() <= steps.shape[1] // 4 and steps.max() >= block:
                return BlockedLine(steps, block, source)
    return DelayLine(steps, source)


class InterpolatedLine(Line, History):
    """What arrives now over edges with delays that are no whole steps, and may be trained.

    The past is linear between the steps. It reaches back `depth - 1` steps: longer delays read what is oldest.
    """

    def __init__(self, depth: int, source: Numbers = None):
        super().__init__(depth)
        self.source = None if source is None else brainstate.LongTermState(jnp.asarray(source))

    def parted(self, weights: Numbers, steps: Callable[[], Numbers]) -> tuple[Numbers, Numbers]:
        return {"weights": weights, "steps": steps()}, None  # in training any delay may become zero, and none is now

    def start(self, sent: Numbers, table: dict[str, Array]) -> None:
        self.fill(sent)

    def arrivals(self, send: Callable[[], Numbers] | None, table: dict[str, Array]) -> Callable[..., Numbers]:
        if send is not None:
            self.push(send())
        return lambda sent, fraction, now: self.arriving(now["weights"], now["steps"], sent, fraction)

    def of_each(self, now: Numbers, fraction: Numbers, table: Numbers, source: Numbers) -> Numbers:
        return self.before(now, fraction, table["steps"], source)

    def serves(self, depth: int) -> bool:
        return depth <= self.depth

    def arriving(self, weights: Numbers, steps: Numbers, sent: Numbers, fraction: Numbers) -> Numbers:
        """Σ_j w_ij x_j(t - d_ij) at a stage at which `sent` is sent, a fraction of a step after the last push."""
        source = jnp.arange(steps.shape[1])[None, :] if self.source is None else self.source.value
        return u.math.sum(weights * self.before(sent[..., source], fraction, steps, source), axis=-1)
