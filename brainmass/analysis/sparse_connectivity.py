"""`sparse_connectivity`: the fewest connections that give functional connectivity, by linear theory."""

from __future__ import annotations

import dataclasses
from typing import Any

import brainunit as u
import numpy as np

from brainmass._common.checks import flag, number, numbers, one_of, whole
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import ArrayLike, Numbers
from brainmass.connectome.dense import Connectome

__all__ = ["SparseConnectivity", "sparse_connectivity"]

_OF = "sparse_connectivity"


@dataclasses.dataclass(frozen=True, repr=False)
class SparseConnectivity:
    """What `sparse_connectivity` found; of several subjects arrays have a first axis of them.

    Attributes
    ----------
    weights : array (N, N)
        Symmetric, of either sign, exactly zero where there is no connection.
    leak : array (N,)
        Of the regions; 1 where there is one FC, in whose correlations it would only scale weights.
    correlation : array (N, N)
        The FC that they give.
    shared : array (N, N) or None
        What subjects have in common; `weights - shared` are their deviations.
    n_steps : int
        Until nothing changed any more, or all that were allowed.
    """

    weights: np.ndarray
    leak: np.ndarray
    correlation: np.ndarray
    shared: np.ndarray | None
    n_steps: int

    @property
    def n_connections(self) -> int:
        """Pairs that are connected: of several subjects those that they share, and each that deviates."""
        parts = [self.weights] if self.shared is None else [self.shared, *(self.weights - self.shared)]
        return sum(int(np.count_nonzero(np.triu(part, 1))) for part in parts)

    @property
    def n_parameters(self) -> int:
        """The same and, of several subjects, leaks."""
        return self.n_connections + (0 if self.shared is None else self.leak.size)

    def __repr__(self) -> str:
        of = "" if self.shared is None else f" of {len(self.weights)} subjects"
        return f"SparseConnectivity{of}: {self.n_connections:,} connected pairs of {self.leak.shape[-1]} regions"


def sparse_connectivity(
    correlation: ArrayLike,
    connectome: Connectome | ArrayLike | None = None,
    sparsity: float = 0.02,
    *,
    anatomy: str = "edges",
    deviation: float | None = None,
    refit: bool = False,
    n_steps: int = 2000,
) -> SparseConnectivity:
    r"""The weights of a sparse network of linear regions that has given functional connectivity (FC).

    Regions :math:`\dot x = -d x + W x + \xi` with symmetric W and equal noise have a covariance that is proportional to
    :math:`(D - W)^{-1}`, so that the likelihood of an FC is concave in D and W. With a penalty on the sum of
    :math:`|W|` it is the graphical lasso (Friedman, Hastie, Tibshirani 2008, Biostatistics 9:432), found here by
    accelerated proximal gradient steps (Beck, Teboulle 2009, SIAM J. Imaging Sci. 2:183): soft thresholds make weights
    exactly zero. It tells no directions, which FC without a lag does not have either: `effective_connectivity` does,
    from FC with a lag.

    Parameters
    ----------
    correlation : array (N, N) or (S, N, N)
        FC, of a group or of each of S subjects.
    connectome : Connectome or array (N, N), optional
        What anatomy knows.
    sparsity : float
        Penalty of weights, > 0: more leaves fewer.
    anatomy : {'edges', 'weights'}
        'edges': only what the connectome connects may be connected, all pairs alike. 'weights': any pair may, but the
        penalty falls with the rank of its weight in the connectome, from twice that of an average pair to nothing.
    deviation : float, optional
        Of several subjects, penalty of what deviates from the shared weights; default `sparsity`.
    refit : bool
        The penalty also makes weights smaller: fit those that it has left once more without it (covariance selection,
        Dempster 1972, Biometrics 28:157), so that connected pairs have the FC given. It must then be positive definite,
        as that of more samples than regions is.
    n_steps : int
        At most, of either fit.

    Raises
    ------
    ValueError
        If shapes do not fit, FC is no symmetric matrix with unit diagonal, or the connectome has no connection; or FC
        is singular, with `refit`.

    Examples
    --------
    >>> import brainmass, numpy as np
    >>> there = np.array([[0.0, 0.5, 0.0], [0.5, 0.0, -0.3], [0.0, -0.3, 0.0]])
    >>> covariance = np.linalg.inv(np.eye(3) - there)
    >>> deviation = np.sqrt(np.diag(covariance))
    >>> found = brainmass.sparse_connectivity(covariance / np.outer(deviation, deviation), sparsity=1e-4)
    >>> bool(abs(found.weights - there).max() < 0.01), found.n_connections
    (True, 2)
    """
    fc = _checked(correlation)
    several = fc.ndim == 3
    number(Argument("sparsity", _OF), sparsity, "> 0", lambda x: x > 0)
    one_of(Argument("anatomy", _OF), anatomy, ("edges", "weights"))
    whole(Argument("n_steps", _OF), n_steps)
    if flag(Argument("refit", _OF), refit) and (least := np.linalg.eigvalsh(fc).min()) < 1e-8:
        rule = "must be positive definite, as that of more samples than regions is, to refit without a penalty"
        raise argument_error(Argument("correlation", _OF), rule, f"has the eigenvalue {least:.1e}")
    if deviation is not None:
        if not several:
            raise argument_error(Argument("deviation", _OF), "has no effect on one FC", "Give one of each subject.")
        number(Argument("deviation", _OF), deviation, "> 0", lambda x: x > 0)
    penalty = sparsity * _relative(connectome, anatomy, fc.shape[-1])
    apart = penalty if deviation is None else penalty / sparsity * deviation
    fc = fc if several else fc[None]
    leak, shared, own, taken = _descended(fc, penalty, apart if several else None, n_steps)
    if refit:
        # What is left is free; an infinite penalty keeps the rest at zero.
        left = [np.where(weights != 0, 0.0, np.inf) for weights in (shared, own)]
        start = leak, shared, own
        leak, shared, own, more = _descended(fc, left[0], left[1] if several else None, n_steps, start)
        taken += more
    weights = shared + own
    if not several:
        # A correlation has no scale: the one in which all leaks are 1.
        scale = np.sqrt(leak[0])
        weights, leak, shared = weights[0] / np.outer(scale, scale), np.ones_like(leak[0]), None
    covariance = np.linalg.inv(_diagonal(leak) - weights)
    deviations = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    made = covariance / deviations[..., :, None] / deviations[..., None, :]
    return SparseConnectivity(weights, leak, made, shared, taken)


def _descended(
    fc: np.ndarray, penalty: np.ndarray, apart: np.ndarray | None, n_steps: int, start: Numbers = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Leaks, shared weights, deviations; all steps go from a point ahead of the last, whose pace restarts where the
    loss would rise (O'Donoghue, Candes 2015, Found. Comput. Math. 15:715)."""
    root = np.sqrt(len(fc))  # shared weights are stepped in this scale: each counts for all subjects
    thresholds = root * penalty, apart

    def matrix(at: Numbers) -> np.ndarray:
        leak, shared, own = at
        return _diagonal(leak) - shared / root - own

    def value(at: Numbers) -> float:
        P = matrix(at)
        try:
            # Not by the determinant, which is positive for an even number of negative eigenvalues, too.
            np.linalg.cholesky(P)
        except np.linalg.LinAlgError:
            return np.inf
        return float(np.sum(P * fc) - np.linalg.slogdet(P)[1].sum())

    def slope(at: Numbers) -> Numbers:
        rise = np.linalg.inv(matrix(at)) - fc
        own = rise if apart is not None else np.zeros_like(rise)
        return -np.diagonal(rise, axis1=1, axis2=2), rise.sum(0) / root, own

    def threshold(at: Numbers, length: float) -> Numbers:
        leak, shared, own = at
        own = own if thresholds[1] is None else _soft(own, length * thresholds[1])
        return leak, _soft(shared, length * thresholds[0]), own

    n = fc.shape[-1]
    # where nothing is connected, the leak that gives unit variance is 1
    leak, shared, own = (np.ones(fc.shape[:2]), np.zeros((n, n)), np.zeros_like(fc)) if start is None else start
    last = ahead = (leak, root * shared, own)
    pace, curvature, taken = 1.0, 1.0, 0
    while taken < n_steps:
        taken += 1
        at, down = value(ahead), slope(ahead)
        while True:
            new = threshold([x - g / curvature for x, g in zip(ahead, down, strict=True)], 1 / curvature)
            step = [b - a for a, b in zip(ahead, new, strict=True)]
            linear = sum(np.sum(g * s) for g, s in zip(down, step, strict=True))
            square = sum(np.sum(s**2) for s in step)
            # Near the minimum both sides are equal up to rounding, and without the last part no step would be short
            # enough.
            if value(new) <= at + linear + curvature / 2 * square + 1e-12 * abs(at):
                break
            curvature *= 1.5
        moved = [b - a for a, b in zip(last, new, strict=True)]
        back = sum(np.sum(s * m) for s, m in zip(step, moved, strict=True)) < 0
        # Nesterov's sequence, Beck, Teboulle 2009, eq. 4.2.
        following = 1.0 if back else (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = new if back else tuple(b + (pace - 1) / following * m for b, m in zip(new, moved, strict=True))
        # A point ahead need not be positive definite, though the last two are.
        if not np.isfinite(value(ahead)):
            ahead, following = new, 1.0
        # Where the loss is less curved, steps become longer again.
        last, pace, curvature = new, following, 0.98 * curvature
        if max(np.abs(m).max() for m in moved) < 1e-7:
            break
    return last[0], last[1] / root, last[2], taken


def _soft(x: np.ndarray, by: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.maximum(np.abs(x) - by, 0)


def _diagonal(leak: np.ndarray) -> np.ndarray:
    return leak[..., :, None] * np.eye(leak.shape[-1])


def _relative(connectome: Any, anatomy: str, n: int) -> np.ndarray:
    """How much more than others each pair is penalised; infinitely, where it may not be connected."""
    what = Argument("connectome", _OF)
    if connectome is None:
        if anatomy != "edges":
            raise argument_error(what, f"is needed for anatomy={anatomy!r}")
        found = np.ones((n, n))
    else:
        given = connectome.weights if isinstance(connectome, Connectome) else connectome
        weights = np.asarray(numbers(what, given, unit=u.UNITLESS), float)
        if weights.shape != (n, n) or not np.isfinite(weights).all():
            raise argument_error(what, f"must be finite and of shape ({n}, {n})", f"has shape {weights.shape}")
        weights = np.abs(weights) + np.abs(weights.T)
        if not np.triu(weights, 1).any():
            raise argument_error(what, "must have a connection between two regions")
        found = np.where(weights > 0, 1.0, np.inf)
        if anatomy == "weights":
            values = np.sort(weights[np.triu_indices(n, 1)])
            # Of equal weights, as the many that are zero, all have the mean of their ranks.
            ranks = (np.searchsorted(values, weights) + np.searchsorted(values, weights, "right")) / 2 / values.size
            found = 2 * (1 - ranks)
    np.fill_diagonal(found, np.inf)
    return found


def _checked(correlation: Any) -> np.ndarray:
    what = Argument("correlation", _OF)
    fc = np.asarray(numbers(what, correlation, unit=u.UNITLESS), float)
    if fc.ndim not in (2, 3) or fc.shape[-1] != fc.shape[-2] or fc.shape[-1] < 2 or not fc.size:
        raise argument_error(what, "must be of shape (N, N), or (S, N, N) of subjects", f"has shape {fc.shape}")
    turned = np.swapaxes(fc, -1, -2)
    diagonal = np.diagonal(fc, axis1=-2, axis2=-1)
    if not np.isfinite(fc).all() or not np.allclose(fc, turned, atol=1e-5) or not np.allclose(diagonal, 1, atol=1e-5):
        raise argument_error(what, "must be finite and symmetric, with ones on its diagonal")
    if np.abs(fc).max() > 1 + 1e-5:
        raise argument_error(what, "must be between -1 and 1", f"reaches {np.abs(fc).max():.3g}")
    return (fc + turned) / 2
