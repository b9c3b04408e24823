"""Where a drift is zero: from many starts, and along a growing coupling."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.typing import ArrayLike
from brainmass.analysis.drift import Drift

__all__ = ["along_coupling", "distinct", "from_starts", "newton", "of_regions", "random_starts"]

_N_STEPS = 60  # of the search from each start
_POLISH = 8  # Newton steps that bring a root to rounding
_CONVERGED = 1e-9  # relative length of the last step
_SAME = 1e-6  # relative distance of what is one root
_SHORTEST = 1e-4  # step of the coupling, from 0 to 1
_MOST_UNCOUPLED = 32

Parameters = Mapping[str, ArrayLike]


def newton(drift: Drift, x: jax.Array, parameters: Parameters, steps: int) -> jax.Array:
    """Some Newton steps, through the last of which gradients go: that is the implicit function theorem."""
    fixed, given = drift.held(), jax.lax.stop_gradient(dict(parameters))

    def step(_: jax.Array, x: jax.Array) -> jax.Array:
        return x - jnp.linalg.solve(fixed.jacobian(x, given), fixed(x, given))

    x = jax.lax.stop_gradient(jax.lax.fori_loop(0, steps, step, jax.lax.stop_gradient(x)))
    return x - jnp.linalg.solve(fixed.jacobian(x, given), drift(x, parameters))


def random_starts(drift: Drift, n: int, seed: int) -> np.ndarray:
    """Starts within the domain, a quarter of them near initial values: magnitudes from a hundredth to a hundred."""
    rng = np.random.default_rng(seed)
    base = drift.starts(min(n, 8), seed)[np.arange(n) % min(n, 8)]
    scale = np.maximum(np.abs(base), 1.0)
    # Magnitudes are as unknown as values: as many starts between 0.01 and 0.1 of a usual size as between 10 and 100.
    x = scale * rng.choice([-1.0, 1.0], base.shape) * 10 ** rng.uniform(-2, 2, base.shape)
    low, high = np.broadcast_to(drift.lower, base.shape), np.broadcast_to(drift.upper, base.shape)
    boxed = np.isfinite(low) & np.isfinite(high)
    within = rng.uniform(np.where(boxed, low, 0.0), np.where(boxed, high, 1.0))
    x = np.where(
        boxed, within, np.where(np.isfinite(low), low + np.abs(x), np.where(np.isfinite(high), high - np.abs(x), x))
    )
    x = np.where(drift.angles, rng.uniform(-np.pi, np.pi, x.shape), x)
    near = rng.uniform(size=(n, 1)) < 0.25
    x = np.where(near, base + 0.01 * (x - base), x)
    x[: len(base[:8])] = base[:8]
    return np.clip(x, low, high)


def _damped_step(rates: Callable, x: jax.Array, damping: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A step of Levenberg and Marquardt, with rows and columns scaled so that units do not matter."""
    f, J = rates(x), jax.jacfwd(rates)(x)
    columns = jnp.abs(J).max(axis=0)
    columns = jnp.where(columns > 0, columns, 1.0)
    rows = jnp.abs(J / columns).max(axis=1)
    rows = jnp.where(rows > 0, rows, 1.0)
    A, b = J / rows[:, None] / columns, f / rows
    step = jnp.linalg.solve(A.T @ A + damping * jnp.eye(x.size, dtype=x.dtype), A.T @ b) / columns
    new = x - step
    # Both in the scale of the old point, as sums in two scales cannot be compared.
    better = jnp.sum((rates(new) / rows) ** 2) < jnp.sum(b**2)
    better = better & jnp.isfinite(new).all()
    return jnp.where(better, new, x), jnp.where(better, damping / 5, jnp.minimum(damping * 4, 1e6))


def _newton_step(rates: Callable, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    f, J = rates(x), jax.jacfwd(rates)(x)
    step = jnp.linalg.solve(J, f)
    # A step from where the Jacobian is singular is not taken; its length, NaN, is below no limit.
    return jnp.where(jnp.isfinite(step).all(), x - step, x), jnp.abs(step) / (1 + jnp.abs(x))


def from_starts(drift: Drift, starts: np.ndarray, parameters: Parameters) -> np.ndarray:
    """The distinct roots that a search finds from these starts, shape (n_roots, n), within the domain."""
    damped, plain, linear = drift.program(_search)
    x, damping = jnp.asarray(starts), jnp.full(len(starts), 1e-2)
    for _ in range(_N_STEPS):
        x, damping = damped(x, damping, parameters)
    # Damped steps only go down, and may end in a minimum that is no root: plain ones from the starts find others.
    both = jnp.concatenate([x, jnp.asarray(starts)])
    for _ in range(_N_STEPS // 3):
        both = plain(both, parameters)[0]
    found = distinct(drift, _converged(lambda x: plain(x, parameters), both, drift.lower, drift.upper))
    if not len(found) and _is_line(x, *map(np.asarray, linear(x, parameters))):
        raise not_isolated(drift)
    return found


def _search(drift: Drift) -> tuple[Callable, ...]:
    """Its steps, and rates with the Jacobian, compiled for several states."""

    def damped(x: jax.Array, damping: jax.Array, parameters: Parameters) -> tuple[jax.Array, jax.Array]:
        return _damped_step(functools.partial(drift, parameters=parameters), x, damping)

    def plain(x: jax.Array, parameters: Parameters) -> tuple[jax.Array, jax.Array]:
        return _newton_step(functools.partial(drift, parameters=parameters), x)

    def linear(x: jax.Array, parameters: Parameters) -> tuple[jax.Array, jax.Array]:
        return drift(x, parameters), drift.jacobian(x, parameters)

    return tuple(
        jax.jit(jax.vmap(f, axes)) for f, axes in ((damped, (0, 0, None)), (plain, (0, None)), (linear, (0, None)))
    )


def not_isolated(drift: Drift) -> Exception:
    return ValueError(
        f"The equilibria of {type(drift.model).__name__} are not isolated points: something is free, as the phase of "
        "oscillators on which only differences act."
    )


def _is_line(x: jax.Array, f: np.ndarray, J: np.ndarray) -> bool:
    """Whether one of these is at rest where the Jacobian is singular."""
    at_rest = (np.abs(f) <= 1e-9 * (np.abs(J) * (1 + np.abs(x))[:, None, :]).sum(axis=2)).all(axis=1)
    singular = np.linalg.svd(J, compute_uv=False)
    return bool((at_rest & (singular[:, -1] <= 1e-9 * singular[:, 0])).any())


def _converged(plain: Callable, x: jax.Array, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    x, step = plain(x)
    for _ in range(_POLISH - 1):
        x, step = plain(x)
    found, step = np.asarray(x), np.asarray(step)
    slack = 1e-9 * (1 + np.abs(found))
    good = np.isfinite(found).all(axis=1) & (step < _CONVERGED).all(axis=1)
    return found[good & (found >= low - slack).all(axis=1) & (found <= high + slack).all(axis=1)]


def distinct(drift: Drift, x: np.ndarray) -> np.ndarray:
    """Roots without those that are there already, in order of their entries."""
    kept: list[np.ndarray] = []
    for point in x:
        point = np.where(drift.angles, np.remainder(point + np.pi, 2 * np.pi) - np.pi, point)
        if not any(_is_same(drift, point, other) for other in kept):
            kept.append(point)
    return np.array(sorted(kept, key=lambda p: tuple(np.round(p, 9)))).reshape(-1, drift.size)


def _is_same(drift: Drift, x: np.ndarray, y: np.ndarray) -> bool:
    off = np.abs(x - y)
    off = np.where(drift.angles, np.minimum(off, 2 * np.pi - off), off)
    return bool((off <= _SAME * (1 + np.abs(x))).all())


# --- networks -----------------------------------------------------------------------------------------------------
def of_regions(drift: Drift, starts: np.ndarray, parameters: Parameters) -> np.ndarray:
    """The roots that regions have without coupling, where all begin alike: each region is solved by itself."""
    alike = starts.copy()
    for regions in _entries_of_regions(drift):
        alike[:, regions] = alike[:, regions[:1]]
    step = drift.program(_step_of_regions)
    x = jnp.asarray(alike)
    for _ in range(_N_STEPS):
        x = step(x, parameters)[0]
    return distinct(drift, _converged(lambda x: step(x, parameters), x, drift.lower, drift.upper))


def _step_of_regions(drift: Drift) -> Callable:
    entries = _entries_of_regions(drift)

    def plain(x: jax.Array, parameters: Parameters) -> tuple[jax.Array, jax.Array]:
        rates = functools.partial(drift, parameters=parameters, coupling=0.0)
        f, step = rates(x), jnp.zeros_like(x)
        for regions in entries:
            # Without coupling regions do not act on one another: a derivative along one state of all of them has that
            # of each.
            ones = (jnp.zeros_like(x).at[own].set(1.0) for own in regions.T)
            blocks = jnp.stack([jax.jvp(rates, (x,), (one,))[1][regions] for one in ones], axis=-1)
            step = step.at[regions].set(jnp.linalg.solve(blocks, f[regions][..., None])[..., 0])
        # A region whose Jacobian is singular waits. It is at rest only where its rate is zero, as of a free phase; else
        # its step is not finite, and neither is the length.
        length = jnp.where(f == 0, 0.0, jnp.abs(step) / (1 + jnp.abs(x)))
        return x - jnp.where(jnp.isfinite(step), step, 0.0), length

    return jax.jit(jax.vmap(plain, (0, None)))


def _entries_of_regions(drift: Drift) -> list[np.ndarray]:
    """For each population, synapse and plasticity, which entries of the flat state belong to each of its regions, or to
    each of its connections, shape (N, states)."""
    entries: dict[tuple[str, int], list[np.ndarray]] = {}
    for name, part in drift.slices.items():
        here = np.arange(part.start, part.stop)
        entries.setdefault((name.rpartition(".")[0], here.size), []).append(here)
    return [np.stack(states, axis=1) for states in entries.values()]


def along_coupling(drift: Drift, x: np.ndarray, parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Roots followed from no coupling to all of it, and how far each came: 1 is all the way."""
    x = x[:_MOST_UNCOUPLED]
    correct = drift.program(_corrector)
    reached, length = np.zeros(len(x)), np.full(len(x), 0.1)
    before, slope = x, np.zeros_like(x)
    going = np.ones(len(x), bool)
    while going.any():
        aim = np.minimum(reached + length, 1.0)
        guess = before + slope * (aim - reached)[:, None]
        found, steps = map(np.asarray, correct(guess, aim, parameters))
        # a step that leads far away leads to another branch
        good = going & (steps[:, -1] < _CONVERGED) & (steps[:, 0] < 0.3) & np.isfinite(found).all(axis=1)
        moved = (found - before) / np.maximum(aim - reached, 1e-12)[:, None]
        slope, before = np.where(good[:, None], moved, slope), np.where(good[:, None], found, before)
        reached = np.where(good, aim, reached)
        length = np.where(good, np.minimum(length * 1.5, 0.25), length / 3)
        # Where the branch bends sharply, the last slope leads astray.
        slope = np.where((~good & going)[:, None] & (length < 0.01)[:, None], 0.0, slope)
        going = (reached < 1.0) & (length > _SHORTEST)
    return before, reached


def _corrector(drift: Drift) -> Callable:
    """Five Newton steps at a share of the coupling, with their lengths."""

    def corrected(x: jax.Array, s: jax.Array, parameters: Parameters) -> tuple[jax.Array, jax.Array]:
        rates = functools.partial(drift, parameters=parameters, coupling=s)
        lengths = []
        for _ in range(5):
            x, step = _newton_step(rates, x)
            lengths.append(step.max())
        return x, jnp.stack(lengths)

    return jax.jit(jax.vmap(corrected, (0, 0, None)))
