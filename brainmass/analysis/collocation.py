"""Cycles as the solutions of equations: orthogonal collocation on a mesh that follows the cycle.

Piecewise polynomials of degree 4 whose rate is that of the model at the Gauss points of each interval: Doedel, Keller,
Kernévez 1991, Int. J. Bifurcat. Chaos 1:745; the mesh as in de Boor 1973. Unknown are the states at the points, the
period and the parameter.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
import scipy.sparse
from scipy.interpolate import BarycentricInterpolator

from brainmass._common.typing import Complex

__all__ = ["Cycles"]

DEGREE = 4
_PLACES = np.linspace(0.0, 1.0, DEGREE + 1)  # of the points in an interval; the last is the first of the next
_GAUSS = (np.polynomial.legendre.leggauss(DEGREE)[0] + 1) / 2
_WEIGHTS = np.polynomial.legendre.leggauss(DEGREE)[1] / 2


def _basis(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The polynomials that are 1 at one of the points and 0 at the others, and their slopes, shape (x, points)."""
    polynomials = [np.polynomial.Polynomial.fromroots(np.delete(_PLACES, j)) for j in range(DEGREE + 1)]
    polynomials = [p / p(_PLACES[j]) for j, p in enumerate(polynomials)]
    return np.stack([p(x) for p in polynomials], 1), np.stack([p.deriv()(x) for p in polynomials], 1)


_AT_GAUSS, _SLOPE_AT_GAUSS = _basis(_GAUSS)
_AT_FINE = _basis(np.linspace(0.0, 1.0, 4 * DEGREE, endpoint=False))[0]


class Cycles:
    """A system for `curves.traced`. `y` holds the states at N * DEGREE points, the period in ms, the parameter.

    Parameters
    ----------
    rates, slopes
        Of points (k, n) and a parameter, the drift and its derivatives by both; compiled.
    mesh : array (N + 1,)
        From 0 to 1, in periods.
    reference : array (N * DEGREE, n)
        A cycle nearby: of all that differ in phase alone, the one nearest to it is meant.
    scale_x, scale_p
        How large a change of a state, and of the parameter, is.
    """

    def __init__(
        self,
        rates: Callable[[np.ndarray, float], jax.Array],
        slopes: Callable[[np.ndarray, float], tuple[jax.Array, jax.Array]],
        mesh: np.ndarray,
        reference: np.ndarray,
        period: float,
        scale_x: np.ndarray,
        scale_p: float,
        end: Callable[[np.ndarray, float, bool], str | None],
    ):
        self.mesh, self.widths, self.n = mesh, np.diff(mesh), reference.shape[1]
        self.scale_x, self._end = scale_x, end
        self._shape = (reference - reference.mean(axis=0)) / scale_x
        n_points = len(reference)
        # so that the length of a change is its root mean square over the cycle
        self.scale = np.append(np.tile(scale_x * np.sqrt(n_points), n_points), [period, scale_p])
        self._rates, self._slopes = rates, slopes
        along = self._at(_SLOPE_AT_GAUSS, reference) / self.widths[:, None, None]
        # the phase: the cycle less the reference has no part along it, ∫ ⟨u - u₀, u₀'⟩ dt = 0
        weighted = along * (_WEIGHTS[None, :, None] * self.widths[:, None, None]) / scale_x**2
        self._phase = self._gathered(np.einsum("gj,igk->ijk", _AT_GAUSS, weighted))
        size = np.abs(self._phase * scale_x).max() or 1.0
        self._phase, self._offset = self._phase / size, float((self._phase / size * reference).sum())

    # --- layout -------------------------------------------------------------------------------------------------------
    def states(self, y: np.ndarray) -> np.ndarray:
        """At the points, shape (N * DEGREE, n)."""
        return y[:-2].reshape(-1, self.n)

    def _places(self) -> np.ndarray:
        """Of the points of each interval among all, shape (N, DEGREE + 1)."""
        n_points = len(self.widths) * DEGREE
        return (np.arange(len(self.widths))[:, None] * DEGREE + np.arange(DEGREE + 1)) % n_points

    def _at(self, basis: np.ndarray, states: np.ndarray) -> np.ndarray:
        """The polynomials of each interval, shape (N, places, n)."""
        return np.einsum("gj,ijk->igk", basis, states[self._places()])

    def _gathered(self, parts: np.ndarray) -> np.ndarray:
        """What belongs to the points of each interval, (N, DEGREE + 1, n), added up by point."""
        out = np.zeros((len(self.widths) * DEGREE, self.n))
        np.add.at(out, self._places(), parts)
        return out

    # --- equations ----------------------------------------------------------------------------------------------------
    def residual(self, y: np.ndarray) -> np.ndarray:
        states, period, p = self.states(y), y[-2], y[-1]
        at = self._at(_AT_GAUSS, states)
        rates = np.asarray(self._rates(at.reshape(-1, self.n), p)).reshape(at.shape)
        slopes = self._at(_SLOPE_AT_GAUSS, states) / self.widths[:, None, None]
        return np.append((slopes - period * rates).ravel(), (self._phase * states).sum() - self._offset)

    def jacobian(self, y: np.ndarray) -> scipy.sparse.csr_matrix:
        states, period, p = self.states(y), y[-2], y[-1]
        n, n_intervals = self.n, len(self.widths)
        at = self._at(_AT_GAUSS, states).reshape(-1, n)
        of_x, of_p = (np.asarray(x).reshape(n_intervals, DEGREE, *x.shape[1:]) for x in self._slopes(at, p))
        blocks = self._blocks(of_x, period)  # (N, gauss, points, n, n)
        rows = np.arange(n_intervals * DEGREE * n).reshape(n_intervals, DEGREE, 1, n, 1)
        columns = (self._places()[:, None, :, None, None] * n) + np.arange(n)
        i, j, values = np.broadcast_arrays(rows, columns, blocks)
        main = scipy.sparse.csr_matrix(
            (values.ravel(), (i.ravel(), j.ravel())), (n_intervals * DEGREE * n, n_intervals * DEGREE * n)
        )
        rates = np.asarray(self._rates(at, p)).ravel()
        border = scipy.sparse.csr_matrix(np.column_stack([-rates, -period * of_p.ravel()]))
        last = scipy.sparse.csr_matrix(np.append(self._phase.ravel(), [0.0, 0.0])[None])
        return scipy.sparse.csr_matrix(scipy.sparse.vstack([scipy.sparse.hstack([main, border]), last]))

    def _blocks(self, of_x: np.ndarray, period: float) -> np.ndarray:
        slopes = _SLOPE_AT_GAUSS[None] / self.widths[:, None, None]
        return (
            slopes[..., None, None] * np.eye(self.n)
            - period * _AT_GAUSS[None, :, :, None, None] * of_x[:, :, None]
        )  # fmt: skip

    def end(self, y: np.ndarray) -> str | None:
        states = self.states(y)
        shape = (states - states.mean(axis=0)) / self.scale_x
        # past a Hopf point, where it shrinks to nothing, the same cycle comes again, half a turn later
        return self._end(y, float(np.sqrt(np.mean(shape**2))), bool((shape * self._shape).sum() < 0))

    # --- what is read of a cycle --------------------------------------------------------------------------------------
    def multipliers(self, y: np.ndarray) -> Complex:
        """Floquet's, by falling size: what becomes of a small deviation in one turn. One of them is 1."""
        n, m = self.n, DEGREE
        at = self._at(_AT_GAUSS, self.states(y)).reshape(-1, n)
        of_x = np.asarray(self._slopes(at, y[-1])[0]).reshape(-1, m, n, n)
        blocks = self._blocks(of_x, y[-2]).transpose(0, 1, 3, 2, 4)  # (N, gauss, n, points, n)
        inner = blocks[:, :, :, 1:].reshape(-1, m * n, m * n)
        first = blocks[:, :, :, 0].reshape(-1, m * n, n)
        through = -np.linalg.solve(inner, first)[:, -n:]
        # The product of all would drown small multipliers in rounding: an orthogonal factor is carried along.
        q, whole = np.eye(n), np.eye(n)
        for part in through:
            q, r = np.linalg.qr(part @ q)
            whole = r @ whole
        values: Complex = np.linalg.eigvals(q @ whole).astype(np.complex128)
        if n == 2:  # in the plane the other one follows from the mean divergence, without any rounding (Liouville)
            trace = np.trace(of_x, axis1=2, axis2=3)
            other = np.exp(y[-2] * np.einsum("i,g,ig->", self.widths, _WEIGHTS, trace))
            values = np.array([1.0, other], complex)
        return values[np.lexsort((-values.imag, -np.abs(values)))]

    def extremes(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest value of each state over the cycle."""
        fine = self._at(_AT_FINE, self.states(y)).reshape(-1, self.n)
        return fine.min(axis=0), fine.max(axis=0)

    # --- another mesh -------------------------------------------------------------------------------------------------
    def better_mesh(self, y: np.ndarray) -> np.ndarray:
        """One on which every interval has the same share of the error, by the fifth derivative."""
        states = self.states(y)[self._places()] / self.scale_x
        fourth = np.einsum("j,ijk->ik", _highest_slope(), states) / self.widths[:, None] ** DEGREE
        apart = 2 * (fourth - np.roll(fourth, 1, axis=0)) / (self.widths + np.roll(self.widths, 1))[:, None]
        fifth = 0.5 * (np.abs(apart) + np.abs(np.roll(apart, -1, axis=0)))
        density = (fifth.sum(axis=1) + 1e-12) ** (1 / (DEGREE + 1))
        density = density + 0.2 * (density * self.widths).sum()  # no interval grows without end
        total = np.append(0.0, np.cumsum(density * self.widths))
        return np.interp(np.linspace(0, 1, len(self.mesh)), total / total[-1], self.mesh)

    def moved_to(self, mesh: np.ndarray, values: np.ndarray) -> np.ndarray:
        """States at the points of this mesh, shape (N * DEGREE, n), at those of another."""
        times = (mesh[:-1, None] + np.diff(mesh)[:, None] * _PLACES[None, :-1]).ravel()
        which = np.clip(np.searchsorted(self.mesh, times, side="right") - 1, 0, len(self.widths) - 1)
        share = (times - self.mesh[which]) / self.widths[which]
        return np.einsum("tj,tjk->tk", _basis(share)[0], values[self._places()[which]])


def _highest_slope() -> np.ndarray:
    """Weights of the points in the fourth derivative of the polynomial through them."""
    return np.array([BarycentricInterpolator(_PLACES, row).derivative(0.5, der=DEGREE) for row in np.eye(DEGREE + 1)])
