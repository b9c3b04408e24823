"""From durations to integers: how many steps a run takes, when it samples, and in which blocks."""

from __future__ import annotations

import functools
import itertools
import math
import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import brainunit as u
import numpy as np

from brainmass._common.checks import whole
from brainmass._common.messages import Argument, argument_error, monitor_named, show
from brainmass._common.times import check_countable, milliseconds, nearest_step, steps_of
from brainmass._common.typing import Numbers

__all__ = ["Plan", "check_dt", "interval_in_steps", "make_plan", "steps_in", "steps_of_run", "steps_of_transient"]

# A block draws its noise at once, and is what a gradient recomputes. Shorter blocks pay more overhead, longer ones
# more memory: the length lies between these bounds, at the square root of the number of steps.
SHORTEST_BLOCK, LONGEST_BLOCK = 128, 1024

_Counts = tuple[tuple[str, int], ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """A run in steps: `transient` of them unrecorded, then the rest, with a period for each monitor.

    For equal settings `make_plan` gives the same object.

    `levels` are lengths, each dividing the next, except that the block need not divide what lies above it: after every
    `levels[k]` steps something is sampled, or an observer is updated, or a block ends. A monitor is sampled at the
    level `recorded[name]` and, where that is shorter than its period, thinned afterwards. Gradients do not pass from
    one window of `horizon` steps to the one before.
    """

    n_steps: int
    transient: int
    periods: Mapping[str, int]
    recorded: Mapping[str, int]
    observed: Mapping[str, int]
    levels: tuple[int, ...]
    block: int
    horizon: int | None = None

    def n_samples(self, name: str) -> int:
        return (self.n_steps - self.transient) // self.periods[name]


def check_dt(dt: Numbers) -> Numbers:
    """A positive, finite scalar time, or an error."""
    value = milliseconds("dt", dt)
    if not value > 0:
        raise argument_error(Argument("dt", "", "time step"), "must be > 0", f"is {show(dt)}", "dt=0.1 * u.ms.")
    return dt


def steps_in(argument: str, duration: Numbers, dt: Numbers, owner: str = "", *, minimum: int = 0) -> int:
    """The number of steps in a duration, which must be a multiple of the step; an int is taken as that number."""
    if isinstance(duration, int | np.integer) and not isinstance(duration, bool):
        n = int(duration)
        check_countable(Argument(argument, owner), n, f"{n} steps", dt)
    else:
        n = steps_of(argument, duration, dt, owner)
    return _at_least(minimum, argument, n, duration)


def _at_least(minimum: int, argument: str, n: int, given: object) -> int:
    if n < minimum:
        raise argument_error(Argument(argument), f"must be at least {minimum} time step(s) long", f"is {show(given)}")
    return n


def steps_of_run(duration: Numbers, dt: Numbers) -> int:
    """The number of whole steps in the length of a run; a plain number is in ms, and both are said in a warning."""
    if _is_number(duration):
        _warn(f"{Argument('duration', 'run')} has no unit and is read as {duration} ms: write {duration} * u.ms.")
        duration = float(duration) * u.ms
    n, exact = nearest_step("duration", duration, dt)
    if exact:
        check_countable(Argument("duration"), n, duration, dt)
        return _at_least(1, "duration", n, duration)
    # Down, and not to the nearest: a run is no longer than was asked for.
    n = math.floor(milliseconds("duration", duration) / milliseconds("dt", dt))
    _warn(f"{_odd('duration', duration, dt)}: it takes {n} steps and ends at {show(n * dt)}.")
    return _at_least(1, "duration", n, duration)


def steps_of_transient(transient: object, dt: Numbers) -> int:
    """The number of steps in the unrecorded beginning; of a time between two steps the nearer, with a warning."""
    if transient is None or isinstance(transient, int | np.integer):
        return steps_in("transient", transient or 0, dt)
    n, exact = nearest_step("transient", transient, dt)
    if exact:
        return steps_in("transient", transient, dt)
    _warn(f"{_odd('transient', transient, dt)}: what is recorded begins after {n} steps, at {show(n * dt)}.")
    return _at_least(0, "transient", n, transient)


def _odd(argument: str, time: object, dt: Numbers) -> str:
    return f"{Argument(argument, 'run')} is {show(time)}, no multiple of the time step {show(dt)}"


def _is_number(time: Numbers) -> bool:
    return isinstance(time, int | float | np.number) and not isinstance(time, bool)


def _warn(text: str) -> None:
    # At the line of the user: between it and this stand `run`, `_program`, `arrange` and what calls this.
    warnings.warn(text, UserWarning, stacklevel=6)


def interval_in_steps(interval: Numbers, dt: Numbers) -> int:
    """The number of whole steps in an interval, at least one."""
    # 0.3 ms / 0.1 ms is 2.9999999999999996: the small number lets it count as three.
    return max(1, int(milliseconds("interval", interval) / milliseconds("dt", dt) + 1e-6))


def make_plan(
    n_steps: int,
    transient: int,
    periods: Mapping[str, int],
    targets: Mapping[str, int],
    block: int | None,
    exact: Mapping[str, int] = MappingProxyType({}),
    horizon: int | None = None,
    weight: float = 1.0,
) -> Plan:
    """Arrange a run.

    Parameters
    ----------
    n_steps, transient : int
        Length of the run and of its unrecorded beginning.
    periods : mapping of str to int
        Steps between the samples of each monitor.
    targets : mapping of str to int
        For each observer the longest interval, in steps, at which it may be updated.
    block : int, optional
        Preferred length of a block.
    exact : mapping of str to int
        For each observer that must be updated at a certain interval, in steps, that interval.
    horizon : int, optional
        Steps of a window that gradients do not leave backwards in time.
    weight : float
        How many steps of what a gradient keeps take as much memory as the state at the start of a block.
    """
    if block is not None:
        block = whole(Argument("block", "", "steps between checkpoints"), block)
    if transient > n_steps:
        raise argument_error(
            Argument("transient"), f"must not be longer than the run ({n_steps} steps)", f"has {transient}"
        )
    for name, period in periods.items():
        if period > n_steps - transient:
            raise argument_error(
                monitor_named(name),
                f"is sampled every {period} steps",
                f"the run records only {n_steps - transient}: make the run longer or the period shorter",
            )
    for name, interval in exact.items():
        lengths = {
            "duration": ("the run", n_steps),
            "transient": ("the transient", transient),
            "every": ("its sampling period", periods[name]),
        }
        for argument, (what, length) in lengths.items():
            if length % interval:
                near = max(1, round(length / interval)) * interval
                raise argument_error(
                    monitor_named(name),
                    f"takes in a value every {interval} steps, of which {what}, {length} step(s), must be a multiple",
                    hint=f"The nearest that is: {near} steps, as in {argument}={near}.",
                )
    # Neighbours are enough: what divides the next divides all that come after.
    for (one, short), (other, long) in itertools.pairwise(sorted(exact.items(), key=lambda item: item[1])):
        if long % short:
            raise argument_error(
                monitor_named(one),
                f"takes in a value every {short} steps and monitor `{other}` every {long}: one must divide the other",
                hint="Change the `every` of one, or make two runs with the same seed.",
            )
    # Tuples, which can be keys: the same settings give the very same plan, by which compiled programs are found.
    kinds = tuple(periods.items()), tuple(targets.items()), tuple(exact.items())
    return _plan(n_steps, transient, *kinds, block, horizon, weight)


@functools.cache
def _plan(
    n_steps: int,
    transient: int,
    monitors: _Counts,
    observers: _Counts,
    exactly: _Counts,
    block: int | None,
    horizon: int | None,
    weight: float,
) -> Plan:
    """From periods to levels.

    A run of 9000 steps with a transient of 3000 and monitors every 400 steps, every 1000, of BOLD every 1000 that is to
    be updated at least every 30, and of an observer every 400 that takes in every 4th step exactly:

    1. BOLD is updated every 20 steps: the largest number up to 30 that divides 1000, 3000 and 9000, and fits 4.
    2. Levels, each of which divides the next, are 4, 20 and 400; 1000 is no multiple of 400.
    3. So what is sampled every 1000 steps is sampled at 20, the longest level that divides it, and thinned afterwards.
    4. A block is put in: of 100 steps, a multiple of 20 that divides 400 and is near the 128 that are wanted.
    """
    periods, targets, exact = dict(monitors), dict(observers), dict(exactly)
    intervals = {
        name: _largest_fitting(math.gcd(periods[name], transient, n_steps), most, exact.values())
        for name, most in targets.items()
    }
    levels = _levels(exact.values(), [*periods.values(), *intervals.values()])
    # Only now: exact intervals were levels from the start, the others had to fit them.
    intervals |= exact
    observed = {name: _level_of(interval, levels) for name, interval in intervals.items()}
    recorded = {name: _level_of(period, levels) for name, period in periods.items()}
    # Least memory: n / length states of this weight, and length steps.
    length = block or int(np.clip(math.isqrt(max(int(n_steps * weight), 1)), SHORTEST_BLOCK, LONGEST_BLOCK))
    # Of a run that is all transient, and records nothing, the transient is what is cut into blocks.
    with_block, length = _insert_block(levels, length, n_steps - transient or n_steps)
    return Plan(n_steps, transient, periods, recorded, observed, with_block, length, horizon)


def _level_of(period: int, levels: Iterable[int]) -> int:
    """The longest level that divides a period."""
    return max(level for level in levels if period % level == 0)


def _fits(n: int, others: Iterable[int]) -> bool:
    """Whether n divides each of them or is a multiple of it: only such lengths can be levels of one run."""
    return all(n % other == 0 or other % n == 0 for other in others)


def _largest_fitting(n: int, most: int, others: Collection[int]) -> int:
    """The largest number up to `most` that divides n and fits the others; 1 always does."""
    return max(d for d in range(1, max(1, min(most, n)) + 1) if n % d == 0 and _fits(d, others))


def _levels(exact: Collection[int], lengths: Collection[int]) -> list[int]:
    """Lengths that divide each other in turn: what divides all of them, the exact ones, and of the others what fits.

    Shorter ones come first, as they are sampled most often: of 20, 400 and 1000 it is 1000 that is left out.
    """
    levels = {math.gcd(*exact, *lengths) or 1, *exact}
    for n in sorted(lengths):
        if _fits(n, levels):
            levels.add(n)
    return sorted(levels)


def _insert_block(levels: list[int], target: int, n_steps: int) -> tuple[tuple[int, ...], int]:
    """Put a length near `target` among the levels: a multiple of what lies below it.

    If it can, it divides what lies above it, the next period or the recorded run: a rest is compiled as a second,
    shorter block.
    """
    below = [level for level in levels if level <= target]
    above = [level for level in levels if level > target]
    base = below[-1] if below else 1
    count, wanted = (above[0] if above else n_steps) // base, max(1, target // base)  # in units of the base
    # Within a third and three times what is wanted: where no divisor lies there, a second, shorter block is the
    # lesser evil.
    divisors = [d for d in range(max(1, wanted // 3), min(count, 3 * wanted) + 1) if count % d == 0]
    block = base * min(divisors or [min(wanted, count)], key=lambda d: abs(math.log(d / wanted)))
    return tuple(sorted({*levels, block})), block
