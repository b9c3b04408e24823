"""The time loop: the only place in the package that scans over time.

Steps run in blocks. A block draws its noise at once, from counters, and is what a gradient recomputes: only the state
at the start of each block is kept, and of one block at a time what its steps need on the way back. Whatever is sampled
is sampled between scans, so that memory grows with the samples asked for and not with the steps taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from brainmass.simulation.plan import Plan

__all__ = ["Machine", "run"]

Carry = Any
Samples = dict[str, Any]


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
    """

    step: Callable[[Carry, Any], Carry]
    draws: Callable[[Any, int], Any]
    inputs: Callable[[Any, int], Any]
    sample: Mapping[str, Callable[[Carry], Any]]
    observe: Mapping[str, Callable[[Carry, bool], Carry]] = field(default_factory=dict)
    watch: Callable[[Carry, Any, int], Carry] = lambda carry, i, n: carry


def run(machine: Machine, plan: Plan, carry: Carry, start: Any) -> tuple[Carry, Samples]:
    """Advance from step `start` through the plan. Samples have shape (n_samples, ...) for each monitor."""
    if plan.horizon is not None:
        machine = replace(machine, step=_cut(machine.step, plan.horizon, start))
    carry, _ = _Segment(machine, plan, record=False).advance(carry, start, plan.transient)
    segment = _Segment(machine, plan, record=True)
    carry, samples = segment.advance(carry, start + plan.transient, plan.n_steps - plan.transient)
    strides = {name: plan.periods[name] // plan.recorded[name] for name in samples}
    return carry, {n: jax.tree.map(lambda x, s=strides[n]: x[s - 1 :: s], rows) for n, rows in samples.items()}


def _cut(step: Callable[[Carry, Any], Carry], horizon: int, start: Any) -> Callable[[Carry, Any], Carry]:
    """A step that takes what it starts from as constant every `horizon` steps, but not at the very start."""

    def cut_step(carry: Carry, x: tuple) -> Carry:
        done = x[0] - start
        cut = (done > 0) & (done % horizon == 0)
        return step(jax.tree.map(lambda y: jnp.where(cut, lax.stop_gradient(y), y), carry), x)

    return cut_step


class _Segment:
    """A stretch of steps, cut along the levels of the plan."""

    def __init__(self, machine: Machine, plan: Plan, *, record: bool):
        self.machine, self.plan, self.record = machine, plan, record
        self.block_level = plan.levels.index(plan.block)

    def advance(self, carry: Carry, first: Any, n: int) -> tuple[Carry, Samples]:
        return self.stretch(len(self.plan.levels) - 1, carry, first, n)

    # --- whole blocks and longer ------------------------------------------------------------------------------------
    def stretch(self, level: int, carry: Carry, first: Any, n: int) -> tuple[Carry, Samples]:
        """`n` steps: as many units of this level as fit, then of the next shorter, and a last, shorter block."""
        pieces = []
        for lower in range(level, self.block_level - 1, -1):
            length = self.plan.levels[lower]
            if n >= length:
                starts = first + length * jnp.arange(n // length, dtype=jnp.int32)
                carry, samples = _scan(lambda c, i, k=lower: self.unit(k, c, i), carry, starts)
                pieces.append(samples)
                first, n = first + n // length * length, n % length
        carry, samples = self.block(carry, first, n)
        return carry, _joined([*pieces, samples])

    def unit(self, level: int, carry: Carry, first: Any) -> tuple[Carry, Samples]:
        if level == self.block_level:
            return self.block(carry, first, self.plan.block)
        carry, samples = self.stretch(level - 1, carry, first, self.plan.levels[level])
        return self.events(level, carry, samples)

    def block(self, carry: Carry, first: Any, n: int) -> tuple[Carry, Samples]:
        if n == 0:
            return carry, {}

        def whole(carry: Carry, first: Any) -> tuple[Carry, Samples]:
            numbers = first + jnp.arange(n, dtype=jnp.int32)
            xs = numbers, self.machine.draws(first, n), self.machine.inputs(first, n)
            carry, samples = self.inside(self.block_level, carry, xs, n)
            return self.machine.watch(carry, first + n, n), samples

        return jax.checkpoint(whole, prevent_cse=False)(carry, first)

    # --- within a block ---------------------------------------------------------------------------------------------
    def inside(self, level: int, carry: Carry, xs: Any, n: int) -> tuple[Carry, Samples]:
        """`n` steps with their numbers, draws and inputs at hand."""
        pieces, done = [], 0
        for lower in range(level, -1, -1):
            length = self.plan.levels[lower]
            count = (n - done) // length
            if count:
                part = _rows(xs, done, done + count * length)
                stacked = jax.tree.map(lambda x, c=count, s=length: x.reshape(c, s, *x.shape[1:]), part)
                carry, samples = _scan(lambda c, x, k=lower: self.short_unit(k, c, x), carry, stacked)
                pieces.append(samples)
                done += count * length
        return self.steps(carry, _rows(xs, done, n), n - done), _joined(pieces)

    def short_unit(self, level: int, carry: Carry, xs: Any) -> tuple[Carry, Samples]:
        length = self.plan.levels[level]
        if level == 0:
            carry, samples = self.steps(carry, xs, length), {}
        else:
            carry, samples = self.inside(level - 1, carry, xs, length)
        return self.events(level, carry, samples)

    def steps(self, carry: Carry, xs: Any, n: int) -> Carry:
        if n == 0:
            return carry
        if n == 1:
            return self.machine.step(carry, jax.tree.map(lambda x: x[0], xs))
        return lax.scan(lambda c, x: (self.machine.step(c, x), None), carry, xs)[0]

    # --- what happens at the end of a unit --------------------------------------------------------------------------
    def events(self, level: int, carry: Carry, samples: Samples) -> tuple[Carry, Samples]:
        length = self.plan.levels[level]
        for name, observe in self.machine.observe.items():
            if self.plan.observed[name] == length:
                carry = observe(carry, self.record)
        if self.record:
            due = {name: at for name, at in self.plan.recorded.items() if at == length}
            rows = {name: jax.tree.map(lambda x: x[None], self.machine.sample[name](carry)) for name in due}
            samples = samples | rows
        return carry, samples


def _scan(unit: Callable[[Carry, Any], tuple[Carry, Samples]], carry: Carry, xs: Any) -> tuple[Carry, Samples]:
    """Scan over units, and line their samples up along one time axis."""
    count = len(jax.tree.leaves(xs)[0])
    if count == 1:
        return unit(carry, jax.tree.map(lambda x: x[0], xs))
    carry, samples = lax.scan(unit, carry, xs)
    return carry, jax.tree.map(lambda x: x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), samples)


def _rows(xs: Any, start: int, stop: int) -> Any:
    return jax.tree.map(lambda x: x[start:stop], xs)


def _joined(pieces: list[Samples]) -> Samples:
    names = dict.fromkeys(name for piece in pieces for name in piece)
    return {name: _concatenated([piece[name] for piece in pieces if name in piece]) for name in names}


def _concatenated(rows: list[Any]) -> Any:
    return rows[0] if len(rows) == 1 else jax.tree.map(lambda *x: jnp.concatenate(x), *rows)
