"""The covariance of a linear system with noise: Lyapunov's equation, with its slopes."""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["stationary_covariance"]

_DOUBLINGS = 26  # enough where the fastest and the slowest rate differ by seven orders of magnitude


def _powers(A: jax.Array) -> tuple[jax.Array, ...]:
    """Of a continuous system one in steps with the same covariance: its powers 1, 2, 4, ..., and whether it decays."""
    eye = jnp.eye(A.shape[-1], dtype=A.dtype)
    inverse = jnp.linalg.inv(A)
    # between the slowest and the fastest rate, as in the alternating-direction method (Wachspress)
    shift = jnp.sqrt(jnp.linalg.norm(A) / jnp.linalg.norm(inverse))
    # Cayley: X = P X Pᵀ + 2 s L Q Lᵀ with L = (s - A)⁻¹ and P = L (s + A), whose sum over powers of P doubles with each
    # square.
    left = jnp.linalg.inv(shift * eye - A)
    power = left @ (shift * eye + A)
    last, powers = jax.lax.scan(lambda power, _: (power @ power, power), power, length=_DOUBLINGS)
    return shift, left, powers, jnp.linalg.norm(last) < 1e-3


def _solved(shift: jax.Array, left: jax.Array, powers: jax.Array, Q: jax.Array) -> jax.Array:
    def doubled(X: jax.Array, power: jax.Array) -> tuple[jax.Array, None]:
        return X + power @ X @ power.T, None

    return jax.lax.scan(doubled, 2 * shift * left @ Q @ left.T, powers)[0]


@jax.custom_jvp
def stationary_covariance(A: jax.Array, Q: jax.Array) -> jax.Array:
    r"""The solution of :math:`A X + X A^\top + Q = 0`: the covariance of dx = A x dt + noise of covariance Q per ms.

    By Cayley's transform and Smith's doubling (Smith 1968, SIAM J. Appl. Math. 16:198): matrix products alone, which
    defective matrices, such as of critically damped synapses, do no harm. Infinite where A is not stable. Slopes solve
    the same equation with another Q, and are linear in it, so that gradients cost as much once more.
    """
    shift, left, powers, decays = _powers(A)
    return jnp.where(decays, _solved(shift, left, powers, Q), jnp.inf)


@stationary_covariance.defjvp
def _slope(given: tuple[jax.Array, jax.Array], slopes: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    (A, Q), (dA, dQ) = given, slopes
    shift, left, powers, decays = _powers(A)
    # what is not stable has no slope, and in reverse mode nothing may be NaN that is left out later
    powers, left = jnp.where(decays, powers, 0.0), jnp.where(decays, left, 0.0)
    shift = jnp.where(decays, shift, 1.0)
    X = _solved(shift, left, powers, Q)
    across = dA @ X
    return jnp.where(decays, X, jnp.inf), _solved(shift, left, powers, across + across.T + dQ)
