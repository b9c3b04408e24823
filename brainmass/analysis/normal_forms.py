"""The normal form of Hopf points: whether cycles are born stable.

Kuznetsov 2004, Elements of Applied Bifurcation Theory, 3rd ed., section 5.4. Second and third derivatives of the drift
along vectors come from JAX, exactly.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from brainmass._common.typing import Array, Complex

__all__ = ["Derivatives", "lyapunov_coefficient"]


class Derivatives:
    """Of a function of the state and a parameter: B(a, b) and C(a, b, c), for real vectors and for complex ones."""

    def __init__(self, function: Callable[[jax.Array, jax.Array], jax.Array]):
        def along(f: Callable[[jax.Array], jax.Array], v: jax.Array) -> Callable[[jax.Array], jax.Array]:
            return lambda x: jax.jvp(f, (x,), (v,))[1]

        def second(x: jax.Array, p: jax.Array, a: jax.Array, b: jax.Array) -> jax.Array:
            return along(along(lambda x: function(x, p), a), b)(x)

        def third(x: jax.Array, p: jax.Array, a: jax.Array, b: jax.Array, c: jax.Array) -> jax.Array:
            return along(along(along(lambda x: function(x, p), a), b), c)(x)

        self._second, self._third = jax.jit(second), jax.jit(third)

    def second(self, x: np.ndarray, p: Array | float, a: Complex, b: Complex) -> Complex:
        """B(a, b), linear in both, so that real and imaginary parts are worked out by themselves."""
        parts = [[np.asarray(self._second(x, p, v, w)) for w in (b.real, b.imag)] for v in (a.real, a.imag)]
        return parts[0][0] - parts[1][1] + 1j * (parts[0][1] + parts[1][0])

    def third(self, x: np.ndarray, p: Array | float, q: Complex) -> Complex:
        """C(q, q, conj(q)): with q = a + ib it is C(aaa) + C(abb) + i (C(aab) + C(bbb))."""
        a, b = q.real, q.imag
        aaa, abb, aab, bbb = (
            np.asarray(self._third(x, p, *vectors)) for vectors in ((a, a, a), (a, b, b), (a, a, b), (b, b, b))
        )
        return aaa + abb + 1j * (aab + bbb)


def lyapunov_coefficient(of: Derivatives, x: np.ndarray, p: Array | float, jacobian: np.ndarray) -> tuple[float, float]:
    """The first Lyapunov coefficient at a Hopf point, per ms, and its angular frequency in rad/ms.

    Negative: a stable cycle is born (supercritical); positive: an unstable one (subcritical). Its size depends on how
    the eigenvector is scaled, here to length 1; its sign does not.
    """
    values, right = (x.astype(np.complex128) for x in np.linalg.eig(jacobian))
    # Of all pairs the one on the imaginary axis.
    upper = np.where(values.imag > 0, np.abs(values.real), np.inf)
    i = int(np.argmin(upper))
    omega, q = float(values[i].imag), right[:, i]
    q: Complex = q / np.linalg.norm(q)
    others, left = np.linalg.eig(jacobian.T)
    w = left[:, int(np.argmin(np.abs(others + 1j * omega)))]
    w = w / np.conj(np.vdot(w, q))  # so that <w, q> = 1
    n = len(x)
    mean = np.linalg.solve(jacobian, of.second(x, p, q, q.conj()))
    double = np.linalg.solve(2j * omega * np.eye(n) - jacobian, of.second(x, p, q, q))
    inner = of.third(x, p, q) - 2 * of.second(x, p, q, mean) + of.second(x, p, q.conj(), double)
    return float(np.vdot(w, inner).real / (2 * omega)), omega
