"""Cycles as the solutions of equations: orthogonal collocation on a mesh that follows the cycle.

Piecewise polynomials of degree 4 whose rate is that of the model at the Gauss points of each interval: Doedel, Keller,
Kernévez 1991, Int. J. Bifurcat. Chaos 1:745; the mesh as in de Boor 1973. Unknown are the states at the points, the
period and the parameter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import Any

import jax
import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from scipy.interpolate import BarycentricInterpolator
from scipy.linalg import lapack

from brainmass._common.typing import Complex

__all__ = ["Cycles", "Linearised", "eigenvalues_of_product"]

DEGREE = 4
_PLACES = np.linspace(0.0, 1.0, DEGREE + 1)  # of the points in an interval; the last is the first of the next
# With the rate at Gauss points the error is of order h⁵ within intervals and h⁸ at their ends (de Boor, Swartz 1973,
# SIAM J. Numer. Anal. 10:582).
_GAUSS = (np.polynomial.legendre.leggauss(DEGREE)[0] + 1) / 2
_WEIGHTS = np.polynomial.legendre.leggauss(DEGREE)[1] / 2


def _basis(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The polynomials that are 1 at one of the points and 0 at the others, and their slopes, shape (x, points)."""
    polynomials = [np.polynomial.Polynomial.fromroots(np.delete(_PLACES, j)) for j in range(DEGREE + 1)]
    polynomials = [p / p(_PLACES[j]) for j, p in enumerate(polynomials)]
    return np.stack([p(x) for p in polynomials], 1), np.stack([p.deriv()(x) for p in polynomials], 1)


_AT_GAUSS, _SLOPE_AT_GAUSS = _basis(_GAUSS)
_LARGE = 9.0  # logarithm of a multiplier beside which others are drowned
_TURNS, _COUPLED = 3, 1e-8  # times round a cycle then, and the coupling left of multipliers that are told apart
_LARGEST = 600.0  # logarithm of a multiplier that is still a number
_AT_FINE = _basis(np.linspace(0.0, 1.0, 4 * DEGREE, endpoint=False))[0]


class Cycles:
    """A system for `curves.traced`. `y` holds the states at N * DEGREE points, the period in ms, the parameter.

    Parameters
    ----------
    model
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
        model: Callable[[np.ndarray, float], tuple[jax.Array, jax.Array, jax.Array]],
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
        self._model, self._known = model, None
        along = self._at(_SLOPE_AT_GAUSS, reference) / self.widths[:, None, None]
        # the phase: the cycle less the reference has no part along it, ∫ ⟨u - u₀, u₀'⟩ dt = 0
        weighted = along * (_WEIGHTS[None, :, None] * self.widths[:, None, None]) / scale_x**2
        self._phase = self._gathered(np.einsum("gj,igk->ijk", _AT_GAUSS, weighted))
        # Of the size of the other equations; a reference that stands still has no phase, and its row is zero.
        size = np.abs(self._phase * scale_x).max() or 1.0
        self._phase, self._offset = self._phase / size, float((self._phase / size * reference).sum())

    # --- layout -------------------------------------------------------------------------------------------------------
    def states(self, y: np.ndarray) -> np.ndarray:
        """At the points, shape (N * DEGREE, n)."""
        return y[:-2].reshape(-1, self.n)

    @cached_property
    def _places(self) -> np.ndarray:
        """Of the points of each interval among all, shape (N, DEGREE + 1)."""
        n_points = len(self.widths) * DEGREE
        return (np.arange(len(self.widths))[:, None] * DEGREE + np.arange(DEGREE + 1)) % n_points

    def _at(self, basis: np.ndarray, states: np.ndarray) -> np.ndarray:
        """The polynomials of each interval, shape (N, places, n)."""
        return np.einsum("gj,ijk->igk", basis, states[self._places])

    def _gathered(self, parts: np.ndarray) -> np.ndarray:
        """What belongs to the points of each interval, (N, DEGREE + 1, n), added up by point."""
        out = np.zeros((len(self.widths) * DEGREE, self.n))
        np.add.at(out, self._places, parts)
        return out

    # --- equations ----------------------------------------------------------------------------------------------------
    def _of_model(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rates (N, DEGREE, n) at the Gauss points, and their derivatives by the states and by the parameter."""
        # Residual, Jacobian and multipliers are asked for at the same point: one call of the model serves them all.
        if self._known is None or not np.array_equal(self._known[0], y):
            at = self._at(_AT_GAUSS, self.states(y))
            found = (np.asarray(x) for x in self._model(at.reshape(-1, self.n), y[-1]))
            rates, of_x, of_p = (x.reshape(*at.shape[:2], *x.shape[1:]) for x in found)
            self._known = y.copy(), (rates, of_x, of_p)
        return self._known[1]

    def residual(self, y: np.ndarray) -> np.ndarray:
        states = self.states(y)
        slopes = self._at(_SLOPE_AT_GAUSS, states) / self.widths[:, None, None]
        return np.append((slopes - y[-2] * self._of_model(y)[0]).ravel(), (self._phase * states).sum() - self._offset)

    def jacobian(self, y: np.ndarray) -> Linearised:
        rates, of_x, of_p = self._of_model(y)
        border = np.stack([-rates, -y[-2] * of_p], -1).reshape(len(self.widths), -1, 2)
        return Linearised(self._blocks(of_x, y[-2]), border, self._phase)

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
        n = self.n
        of_x = self._of_model(y)[1]
        matrices = Linearised(self._blocks(of_x, y[-2]), np.zeros((len(of_x), 0, 0)), self._phase).matrices(
            np.ones((1, 1, 1))
        )
        # The linear equations of an interval give its inner points and its last one, by its first.
        through = -np.linalg.solve(matrices[:, :, n:], matrices[:, :, :n])[:, -n:]
        if n == 2:  # in the plane the other one follows from the mean divergence, without any rounding (Liouville)
            trace = np.trace(of_x, axis1=2, axis2=3)
            other = np.exp(min(y[-2] * np.einsum("i,g,ig->", self.widths, _WEIGHTS, trace), _LARGEST))
            values: Complex = np.array([1.0, other], np.complex128)
        else:
            values = eigenvalues_of_product(through)
        return values[np.lexsort((-values.imag, -np.abs(values)))]

    def extremes(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest value of each state over the cycle."""
        fine = self._at(_AT_FINE, self.states(y)).reshape(-1, self.n)
        return fine.min(axis=0), fine.max(axis=0)

    # --- another mesh -------------------------------------------------------------------------------------------------
    def better_mesh(self, y: np.ndarray, n_intervals: int) -> np.ndarray:
        """One on which every interval has the same share of the error, by the fifth derivative."""
        states = self.states(y)[self._places] / self.scale_x
        # The error of an interval is about h⁵ |u⁽⁵⁾|. A polynomial of degree 4 has no fifth derivative; its fourth is
        # constant in each interval, and what it changes by from middle to middle tells the fifth.
        fourth = np.einsum("j,ijk->ik", _highest_slope(), states) / self.widths[:, None] ** DEGREE
        apart = 2 * (fourth - np.roll(fourth, 1, axis=0)) / (self.widths + np.roll(self.widths, 1))[:, None]
        fifth = 0.5 * (np.abs(apart) + np.abs(np.roll(apart, -1, axis=0)))
        # Then all have the same share where the widths are as |u⁽⁵⁾|^(-1/5).
        density = (fifth.sum(axis=1) + 1e-12) ** (1 / (DEGREE + 1))
        density = density + 0.2 * (density * self.widths).sum()  # no interval grows without end
        total = np.append(0.0, np.cumsum(density * self.widths))
        return np.interp(np.linspace(0, 1, n_intervals + 1), total / total[-1], self.mesh)

    def moved_to(self, mesh: np.ndarray, values: np.ndarray) -> np.ndarray:
        """States at the points of this mesh, shape (N * DEGREE, n), at those of another."""
        times = (mesh[:-1, None] + np.diff(mesh)[:, None] * _PLACES[None, :-1]).ravel()
        which = np.clip(np.searchsorted(self.mesh, times, side="right") - 1, 0, len(self.widths) - 1)
        share = (times - self.mesh[which]) / self.widths[which]
        return np.einsum("tj,tjk->tk", _basis(share)[0], values[self._places[which]])


@dataclasses.dataclass
class Linearised:
    """The equations around a cycle: of each interval those of its points, which its neighbours share the ends of."""

    blocks: np.ndarray  # (N, equations of a state, points, n, n)
    border: np.ndarray  # (N, DEGREE * n, 2), by the period and the parameter
    phase: np.ndarray  # (N * DEGREE, n)

    def matrices(self, scale: np.ndarray) -> np.ndarray:
        """Of the points of each interval, shape (N, DEGREE * n, (DEGREE + 1) * n), in the scale (N, points, n)."""
        n_intervals, degree, points, n, _ = self.blocks.shape
        scaled = self.blocks * scale[:, None, :, None, :]
        return scaled.transpose(0, 1, 3, 2, 4).reshape(n_intervals, degree * n, points * n)

    def solved(self, scale: np.ndarray, row: np.ndarray, right: np.ndarray) -> np.ndarray:
        """With one equation more, `row`. Points within intervals are eliminated, and what is left is sparse.

        Doedel, Keller, Kernévez 1991, section 3.
        """
        n_intervals, m = len(self.blocks), DEGREE
        n = self.phase.shape[1]
        sizes = scale[:-2].reshape(n_intervals, m, n)
        matrices = self.matrices(np.concatenate([sizes, np.roll(sizes, -1, axis=0)[:, :1]], axis=1))
        border, values = self.border * scale[-2:], right[:-2].reshape(n_intervals, m * n, 1)
        whole = np.concatenate([matrices, border, values], axis=2)
        # rows may be of very different sizes
        largest = np.abs(whole[:, :, :-1]).max(axis=2, keepdims=True)
        whole = whole / np.where(largest > 0, largest, 1.0)
        # Columns: the first point, the inner ones and the last, the period, the parameter, what is given.
        known = np.r_[0:n, (m + 1) * n : whole.shape[2]]
        try:
            inner = np.linalg.solve(whole[:, :, n : (m + 1) * n], whole[:, :, known])  # (N, m n, n + 3)
        except np.linalg.LinAlgError:
            return np.full(len(right), np.nan)
        rows = np.stack([self.phase.ravel() * scale[:-2], row[:-2]]).reshape(2, n_intervals, m, n)
        within = np.einsum("rik,ikc->ric", rows[:, :, 1:].reshape(2, n_intervals, -1), inner[:, : (m - 1) * n])
        of_first = (rows[:, :, 0] - within[:, :, :n]).reshape(2, -1)
        rest = np.stack([[0.0, 0.0], row[-2:]]) - within[:, :, n : n + 2].sum(axis=1)
        ends = inner[:, -n:]  # of the next first point, by this one, the period and the parameter, and what is given
        left = _condensed(ends[:, :, :n], ends[:, :, n : n + 2], of_first, rest)
        wanted = np.append(ends[:, :, -1].ravel(), right[-2:] - within[:, :, -1].sum(axis=1))
        found = _solved_sparse(left, wanted)
        first, last = found[:-2].reshape(n_intervals, n), found[-2:]
        points = inner[:, : (m - 1) * n]
        points = points[:, :, -1] - np.einsum("ikc,ic->ik", points[:, :, :n], first) - points[:, :, n : n + 2] @ last
        return np.append(np.concatenate([first, points], axis=1).ravel(), last)


def _condensed(along: np.ndarray, border: np.ndarray, of_first: np.ndarray, rest: np.ndarray) -> Any:
    """x_(i + 1) + along_i x_i + border_i (T, p), of the first points, and two rows that take all of them."""
    n_intervals, n = along.shape[:2]
    size = n_intervals * n
    number = np.arange(size).reshape(n_intervals, n)
    entries = [
        (number[:, :, None], number[:, None, :], along),
        (number, np.roll(number, -1, axis=0), np.ones((n_intervals, n))),
        (number[:, :, None], size + np.arange(2), border),
        (size + np.arange(2)[:, None], np.arange(size), of_first),
        (size + np.arange(2)[:, None], size + np.arange(2), rest),
    ]
    i, j, values = (
        np.concatenate(parts)
        for parts in zip(*([x.ravel() for x in np.broadcast_arrays(*entry)] for entry in entries), strict=True)
    )
    return scipy.sparse.csc_matrix((values, (i, j)), (size + 2, size + 2))


def _solved_sparse(matrix: Any, right: np.ndarray) -> np.ndarray:
    """What has no solution gives what is not finite."""
    largest = np.zeros(len(right))
    np.maximum.at(largest, matrix.indices, np.abs(matrix.data))
    largest = np.where(largest > 0, largest, 1.0)
    matrix.data /= largest[matrix.indices]
    if not np.isfinite(matrix.data).all():
        return np.full(len(right), np.nan)
    try:
        # blocks along the diagonal: this order and pivots near it take a tenth of the time of the default
        factors = scipy.sparse.linalg.splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.1)
        return factors.solve(right / largest)
    except RuntimeError:  # exactly singular
        return np.full(len(right), np.nan)


def eigenvalues_of_product(factors: np.ndarray) -> Complex:
    """Of `factors[-1] @ ... @ factors[0]`, each to its own size, however far they are apart.

    In the product itself the smaller ones drown in the rounding of the largest. Orthogonal factors that are carried
    round several times make all factors triangular (Lust 2001, Int. J. Bifurcat. Chaos 11:2389); what stays coupled,
    such as a complex pair, is multiplied out.
    """
    n, turns = factors.shape[1], 1
    start, q, parts, sizes = _triangular(factors, np.eye(n))
    if sizes.max() > _LARGE:
        turns = _TURNS
        for _ in range(turns - 1):
            start, q, parts, sizes = _triangular(factors, q)
    # The factor that has been carried round comes back as it was, but for signs and, within a complex pair, a turn:
    # these belong to the eigenvalues.
    closing = start.T @ q
    apart = np.flatnonzero((turns - 1) * (sizes[:-1] - sizes[1:]) > -np.log(_COUPLED)) + 1
    values = []
    for block in np.split(np.arange(n), apart):
        product, log_size = np.eye(len(block)), 0.0
        for part in parts[:, block[:, None], block]:
            product = part @ product
            # Scaled at each factor, as the product of all may be no number any more.
            size = np.abs(product).max() or 1.0
            product, log_size = product / size, log_size + np.log(size)
        found = np.linalg.eigvals(closing[block[:, None], block] @ product)
        values += list(found * np.exp(min(log_size, _LARGEST)))
    return np.array(values, np.complex128)


def _triangular(factors: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Once round: the orthogonal factor before and after, triangular ones, and the logarithms of their diagonals."""
    q, parts = start, []
    for factor in factors:
        packed, tau, *_ = lapack.dgeqrf(factor @ q)  # pyright: ignore[reportAttributeAccessIssue]
        q = lapack.dorgqr(packed, tau)[0]  # pyright: ignore[reportAttributeAccessIssue]
        parts.append(packed)
    triangular = np.triu(np.array(parts))
    with np.errstate(divide="ignore"):
        sizes = np.log(np.abs(np.diagonal(triangular, axis1=1, axis2=2))).sum(axis=0)
    return start, q, triangular, sizes


def _highest_slope() -> np.ndarray:
    """Weights of the points in the fourth derivative of the polynomial through them."""
    return np.array([BarycentricInterpolator(_PLACES, row).derivative(0.5, der=DEGREE) for row in np.eye(DEGREE + 1)])
