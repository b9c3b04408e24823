"""The time loop: the only place in the package that scans over time.

Steps run in blocks. A block draws its noise at once, from counters, and is what a gradient recomputes: only the state
at the start of each block is kept, and of one block at a time what its steps need on the way back. Whatever is sampled
is sampled between scans, so that memory grows with the samples asked for and not with the steps taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from brainmass._common.machine import compiles_for
from brainmass._common.random import Normals
from brainmass._common.typing import Array, Numbers, Pytree
from brainmass.delays.lines import ARRIVES
from brainmass.simulation.kernel import in_one_kernel
from brainmass.simulation.plan import Plan

__all__ = ["Machine", "run"]

Carry = Any
Samples = dict[str, Any]

_IN_A_ROUND = 5  # steps, on a GPU; of a block of 125 there are 25 rounds


@dataclass(frozen=True)
class Machine:
    """What the loop drives, as pure functions of a carry.

    step(carry, (i, draws, inputs)) -> carry
        One step of time; `i` is the number of the step.
    draws(first, n), inputs(first, n)
        Random numbers and inputs of `n` steps, stacked along the first axis.
    sample[name](carry) -> array
    observe[name](carry, record) -> carry
        Update an observer with what it has gathered; `record` is false in the transient.
    watch(carry, i, n) -> carry
        Look at the carry at the end of a block of `n` steps that ends before step `i`.
    normals
        What `draws` come from; a step takes normals by process too.
    """

    step: Callable[[Carry, Pytree], Carry]
    draws: Callable[[Numbers, int], Pytree]
    inputs: Callable[[Numbers, int], Pytree]
    sample: Mapping[str, Callable[[Carry], Numbers]]
    observe: Mapping[str, Callable[[Carry, bool], Carry]] = field(default_factory=dict)
    watch: Callable[[Carry, Numbers, int], Carry] = lambda carry, i, n: carry
    normals: Normals | None = None


def run(machine: Machine, plan: Plan, carry: Carry, start: Numbers) -> tuple[Carry, Samples]:
    """Advance from step `start` through the plan. Samples have shape (n_samples, ...) for each monitor."""
    if plan.horizon is not None:
        machine = replace(machine, step=_cut(machine.step, plan.horizon, start))
    # Two loops, so that a step of the recorded part need not ask whether the transient is over.
    carry, _ = _OfBlocks(machine, plan, record=False).advance(carry, start, plan.transient)
    recorded = _OfBlocks(machine, plan, record=True)
    carry, samples = recorded.advance(carry, start + plan.transient, plan.n_steps - plan.transient)
    # a monitor whose period is no level was sampled at a shorter one, which divides it
    strides = {name: plan.periods[name] // plan.recorded[name] for name in samples}
    return carry, {n: jax.tree.map(lambda x, s=strides[n]: x[s - 1 :: s], rows) for n, rows in samples.items()}


def _cut(step: Callable[[Carry, Pytree], Carry], horizon: int, start: object) -> Callable[[Carry, Pytree], Carry]:
    """A step that takes what it starts from as constant every `horizon` steps, but not at the very start."""

    def cut_step(carry: Carry, x: tuple) -> Carry:
        done = x[0] - start
        # not at the very start, where gradients by the initial state are to arrive
        cut = (done > 0) & (done % horizon == 0)
        return step(jax.tree.map(lambda y: jnp.where(cut, lax.stop_gradient(y), y), carry), x)

    return cut_step


class _Stretch:
    """Steps of a run, cut along the levels of the plan: the lengths after which something happens.

    A monitor every 10 steps, blocks of 130, and a monitor every 1300, in a run of 1703 steps::

        | 1300: a scan over 10 blocks        | 130 | 130 | 130 |13| three blocks and a shorter one: `_OfBlocks`
          each | 10 | 10 | ... | 10 |                         |10|3 within each block: `_OfSteps`
                                                              +- the last three are steps alone

    As many units of the longest level as fit come first, then of each shorter one, then a rest that is shorter than
    the shortest. A unit is a stretch of the level below, and at its end what is due there: so samples come out of the
    scans, and no step asks whether it is time for one. Each level is compiled once, and once more for its rest.

    What is left to do is held in another way above the blocks and within them: `units`, `after` and `rest` know how.
    """

    lowest: int  # the level of its shortest units

    def __init__(self, machine: Machine, plan: Plan, *, record: bool):
        self.machine, self.plan, self.record = machine, plan, record

    def stretch(self, level: int, carry: Carry, todo: Pytree, n: int) -> tuple[Carry, Samples]:
        """`n` steps, in units of this level and of those below it."""
        pieces = []
        # From the longest level down, each as often as it fits into what is left.
        for lower in range(level, self.lowest - 1, -1):
            length = self.plan.levels[lower]
            count = n // length
            if count:
                # Units of a step, in which nothing but samples is due, go like steps alone.
                plain = length == 1 and 1 not in self.plan.observed.values()
                at_once = _steps_in_a_round(count) if plain else 1
                carry, samples = _scan(partial(self.unit, lower), carry, self.units(todo, count, length), at_once)
                pieces.append(samples)
                todo, n = self.after(todo, count * length), n - count * length
        carry, samples = self.rest(carry, todo, n)
        return carry, _joined([*pieces, samples])

    def unit(self, level: int, carry: Carry, todo: Pytree) -> tuple[Carry, Samples]:
        carry, samples = self.stretch(level - 1, carry, todo, self.plan.levels[level])
        return self.events(level, carry, samples)

    def events(self, level: int, carry: Carry, samples: Samples) -> tuple[Carry, Samples]:
        """What is due at the end of a unit of this level: observers are updated, and monitors sampled."""
        length = self.plan.levels[level]
        for name, observe in self.machine.observe.items():
            # Before the monitors: a sample shows what the observer has just taken in.
            if self.plan.observed[name] == length:
                carry = observe(carry, self.record)
        if self.record:
            due = {name: at for name, at in self.plan.recorded.items() if at == length}
            rows = {name: jax.tree.map(lambda x: x[None], self.machine.sample[name](carry)) for name in due}
            samples = samples | rows
        return carry, samples

    def units(self, todo: object, count: int, length: int) -> Pytree:
        """What is to do in the first `count` units of this length, stacked."""
        raise NotImplementedError

    def after(self, todo: object, n: int) -> Pytree:
        """What is to do after `n` steps."""
        raise NotImplementedError

    def rest(self, carry: Carry, todo: object, n: int) -> tuple[Carry, Samples]:
        """`n` steps that are no unit."""
        raise NotImplementedError


class _OfBlocks(_Stretch):
    """Whole blocks and longer. What is to do is a number, that of the next step: draws and inputs are made by block."""

    def __init__(self, machine: Machine, plan: Plan, *, record: bool):
        super().__init__(machine, plan, record=record)
        self.lowest = plan.levels.index(plan.block)
        self.within = _OfSteps(machine, plan, record=record)

    def advance(self, carry: Carry, first: Numbers, n: int) -> tuple[Carry, Samples]:
        return self.stretch(len(self.plan.levels) - 1, carry, first, n)

    def units(self, todo: Numbers, count: int, length: int) -> Numbers:
        return todo + length * jnp.arange(count, dtype=jnp.int32)

    def after(self, todo: Numbers, n: int) -> Array:
        return todo + n

    def unit(self, level: int, carry: Carry, todo: Numbers) -> tuple[Carry, Samples]:
        # what is due at the end of a block is a part of it, which a gradient recomputes with the rest
        return self.rest(carry, todo, self.plan.block) if level == self.lowest else super().unit(level, carry, todo)

    def rest(self, carry: Carry, todo: Numbers, n: int) -> tuple[Carry, Samples]:
        """A block, whole or shorter."""
        if n == 0:
            return carry, {}

        def block(carry: Carry, first: jax.Array) -> tuple[Carry, Samples]:
            numbers = first + jnp.arange(n, dtype=jnp.int32)
            # Made within the checkpoint, and so again on the way back: draws and inputs of a whole run are never kept.
            at_hand = numbers, self.machine.draws(first, n), self.machine.inputs(first, n)
            carry, samples = self.within.stretch(self.lowest, carry, at_hand, n)
            return self.machine.watch(carry, first + n, n), samples

        # Kept is the carry at the start of a block; the rest is worked out again on the way back. `prevent_cse` is
        # for code outside of loops.
        return jax.checkpoint(block, prevent_cse=False)(carry, todo)


class _OfSteps(_Stretch):
    """Steps within a block. What is to do is their numbers, draws and inputs, one row for each step."""

    lowest = 0

    def units(self, todo: Pytree, count: int, length: int) -> Pytree:
        # (count * length, ...) becomes (count, length, ...): a row of rows for each unit.
        return jax.tree.map(lambda x: x[: count * length].reshape(count, length, *x.shape[1:]), todo)

    def after(self, todo: Pytree, n: int) -> Pytree:
        return jax.tree.map(lambda x: x[n:], todo)

    def rest(self, carry: Carry, todo: Pytree, n: int) -> tuple[Carry, Samples]:
        """Steps, after which nothing is due."""
        if n == 0:
            return carry, {}
        # A scan of one step is compiled and run as a loop all the same.
        if n == 1:
            return _sparing(self.machine.step)(carry, jax.tree.map(lambda x: x[0], todo)), {}
        at_once = in_one_kernel(self.machine.step, self.machine.normals, carry, todo, _steps_alone)
        return (_steps_alone(self.machine.step, carry, todo) if at_once is None else at_once), {}


def _steps_alone(step: Callable[[Carry, Pytree], Carry], carry: Carry, todo: Pytree) -> Carry:
    n, step = len(jax.tree.leaves(todo)[0]), _sparing(step)
    return lax.scan(lambda c, x: (step(c, x), None), carry, todo, unroll=_steps_in_a_round(n))[0]


def _sparing(step: Callable[[Carry, Pytree], Carry]) -> Callable[[Carry, Pytree], Carry]:
    """A step of which a gradient keeps little, on a GPU.

    On the way back the rest is worked out again, in the kernels that need it: to keep each number that they need takes
    kernels of its own, and most of the memory of a gradient.
    """
    return jax.checkpoint(step, prevent_cse=False, policy=_is_kept) if compiles_for() == "gpu" else step


def _is_kept(primitive: Any, *_: object, **params: Any) -> bool:
    """Whether what an operation within a step gives is kept: the sums over other regions."""
    return primitive.name in ("dot_general", "gather", "reduce_sum") or params.get("name") == ARRIVES


def _steps_in_a_round(n: int) -> int:
    """How many of `n` steps one round of the inner loop takes."""
    # On a CPU one: XLA fuses across steps, and works out again what they share. On a GPU each round costs a kernel
    # that counts it, and a copy of each array that is written while it is read: some five steps share these.
    if compiles_for() != "gpu":
        return 1
    divisors = [k for k in range(2, 9) if n % k == 0]
    return min(divisors, key=lambda k: abs(k - _IN_A_ROUND), default=min(n, _IN_A_ROUND))


def _scan(
    unit: Callable[[Carry, Pytree], tuple[Carry, Samples]], carry: Carry, xs: Pytree, at_once: int
) -> tuple[Carry, Samples]:
    """Scan over units, and line their samples up along one time axis."""
    count = len(jax.tree.leaves(xs)[0])
    # As above: one unit needs no loop.
    if count == 1:
        return unit(carry, jax.tree.map(lambda x: x[0], xs))
    # (units, samples of each, ...) becomes (samples, ...): units follow one another in time.
    carry, samples = lax.scan(unit, carry, xs, unroll=at_once)
    return carry, jax.tree.map(lambda x: x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), samples)


def _joined(pieces: list[Samples]) -> Samples:
    names = dict.fromkeys(name for piece in pieces for name in piece)
    return {name: _concatenated([piece[name] for piece in pieces if name in piece]) for name in names}


def _concatenated(rows: list[Array]) -> Array:
    return rows[0] if len(rows) == 1 else jax.tree.map(lambda *x: jnp.concatenate(x), *rows)
