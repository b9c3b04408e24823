"""`phase_locked`: states in which oscillators turn together, with delays too."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import whole
from brainmass._common.display import page, table
from brainmass._common.messages import Argument, argument_error
from brainmass._common.precision import double_precision
from brainmass._common.typing import ArrayLike, Numbers
from brainmass.analysis.delay_stability import delayed_jacobian, rightmost
from brainmass.analysis.drift import Drift, as_drift
from brainmass.dynamics.node import NeuralMassDynamics

__all__ = ["PhaseLocked", "phase_locked"]

_N_STEPS = 60
_SAME = 1e-6


@dataclasses.dataclass(frozen=True, repr=False)
class PhaseLocked:
    """States in which phases keep their differences, by rising frequency.

    Attributes
    ----------
    phases : array (m, n)
        Differences from the first, rad, from -π to π.
    omega : array (m,)
        The common angular frequency, rad per ms.
    growth : array (m,)
        Largest real part of a characteristic root, per ms, but for the zero of a common shift.
    """

    phases: np.ndarray
    omega: np.ndarray
    growth: np.ndarray

    def __len__(self) -> int:
        return len(self.omega)

    @property
    def stable(self) -> np.ndarray:
        """Whether differences return."""
        return self.growth < 0

    @property
    def frequency(self) -> Numbers:
        """In Hz."""
        return self.omega / (2 * np.pi) * 1000.0 * u.Hz

    def _rows(self) -> list[tuple[str, ...]]:
        each = zip(self.omega, self.growth, self.phases, strict=True)
        return [
            (f"{w:.6g}", f"{g:.4g}", "stable" if g < 0 else "unstable", np.array2string(p, precision=3, threshold=6))
            for w, g, p in each
        ]

    def __repr__(self) -> str:
        rows = [_HEAD, *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
        return "\n".join([f"{len(self)} phase-locked states", *lines])

    def _repr_html_(self) -> str:
        return page("Phase-locked states", str(len(self)), table(_HEAD, self._rows()))


_HEAD = ("omega (rad/ms)", "growth (1/ms)", "", "phases")


def phase_locked(
    model: NeuralMassDynamics | Drift,
    inputs: Mapping[str, Any] | None = None,
    *,
    parameters: Mapping[str, ArrayLike] = MappingProxyType({}),
    n_starts: int = 256,
    seed: int = 0,
) -> PhaseLocked:
    r"""The states :math:`\theta_i = \Omega t + \varphi_i` of phase oscillators, also with delays, and their stability.

    All that Newton's method finds from many starts. In them what arrives over a delay :math:`\tau` is
    :math:`\varphi_j - \Omega\tau`; stability is by the characteristic roots in the frame that turns along.

    Parameters
    ----------
    model : KuramotoNetwork or another model all of whose states are phases, or a Drift of one
    inputs, parameters, n_starts, seed
        As of `fixed_points`.

    References
    ----------
    Yeung, Strogatz 1999, Phys. Rev. Lett. 82:648; Earl, Strogatz 2003, Phys. Rev. E 67:036204.

    Examples
    --------
    Two oscillators that act on one another after 2 ms: in phase, where Ω = ω - K sin Ωτ, against it, and in between:

    >>> import brainmass, brainunit as u
    >>> pair = brainmass.KuramotoNetwork(2, omega=1.0, K=0.5, normalize_by_n=False, delay=2 * u.ms)
    >>> found = brainmass.phase_locked(pair)
    >>> len(found), found.stable.tolist()
    (4, [True, False, False, True])
    """
    drift = as_drift(model, inputs)
    whole(Argument("n_starts", "phase_locked"), n_starts)
    whole(Argument("seed", "phase_locked"), seed, least=0)
    parameters = drift.held_values(parameters, "phase_locked")
    if not drift.angles.all():
        raise argument_error(
            Argument("model", "phase_locked"),
            "must have phases as its only states",
            f"has {drift.names[int(np.argmin(drift.angles))]}",
            "fixed_points(model)",
        )
    with double_precision():
        phases, omega = _found(drift, parameters, n_starts, seed)
        growth = np.array([_growth(drift, parameters, *state) for state in zip(phases, omega, strict=True)])
    return PhaseLocked(phases, omega, growth)


def _found(
    drift: Drift, parameters: Mapping[str, ArrayLike], n_starts: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    delays = drift.delays_of(parameters) if drift.delays.size else np.zeros(0)

    def residual(z: jax.Array) -> jax.Array:  # the frequency, and the phases of all but the first
        x = jnp.concatenate([jnp.zeros(1), z[1:]])
        past = x - z[0] * jnp.asarray(delays)[:, None]
        return (drift.delayed(x, past, parameters) if drift.delays.size else drift(x, parameters)) - z[0]

    def step(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        change = jnp.linalg.solve(jax.jacfwd(residual)(z), residual(z))
        # Where the Jacobian is singular there is no step: a little further there is one again.
        change = jnp.where(jnp.isfinite(change).all(), change, 0.1)
        return z - jnp.clip(change, -1.0, 1.0), jnp.abs(change).max()

    rng = np.random.default_rng(seed)
    x = rng.uniform(-np.pi, np.pi, (n_starts, drift.size))
    # In phase, which random phases of many oscillators are not near.
    x[0] = 0.0
    rates = np.asarray(drift(x, parameters))
    # The common frequency is the rate of all in a locked state; random phases show how large rates are, and this leaves
    # room.
    widest = np.abs(rates).max() * 1.5
    z = jnp.asarray(np.concatenate([rng.uniform(-widest, widest, (n_starts, 1)), x[:, 1:]], axis=1))
    advance = jax.jit(jax.vmap(step))
    z, length = advance(z)
    for _ in range(_N_STEPS - 1):
        z, length = advance(z)
    kept: list[np.ndarray] = []
    for point in np.asarray(z)[np.asarray(length) < 1e-10]:
        # π and -π are one phase, and rounding decides between them: both become π.
        phases = np.remainder(np.concatenate([[0.0], point[1:]]) + np.pi - _SAME, 2 * np.pi) - np.pi + _SAME
        state = np.concatenate([point[:1], phases])
        if not any(_is_same(state, other) for other in kept):
            kept.append(state)
    states = np.array(sorted(kept, key=lambda s: s[0])).reshape(-1, drift.size + 1)
    return states[:, 1:], states[:, 0]


def _is_same(one: np.ndarray, other: np.ndarray) -> bool:
    turns = np.abs(np.exp(1j * one[1:]) - np.exp(1j * other[1:])).max(initial=0.0)
    return abs(one[0] - other[0]) < _SAME * (1 + abs(one[0])) and turns < _SAME


def _growth(drift: Drift, parameters: Mapping[str, ArrayLike], phases: np.ndarray, omega: float) -> float:
    if drift.delays.size:
        # In the frame that turns along, a locked state is an equilibrium.
        roots = rightmost(delayed_jacobian(drift, jnp.asarray(phases), parameters, float(omega)))
    else:
        roots = np.linalg.eigvals(np.asarray(drift.jacobian(phases, parameters)))
    others = np.delete(roots, np.argmin(np.abs(roots)))  # a common shift neither grows nor decays
    return float(others.real.max(initial=-np.inf))
