"""The spectral radius of a sparse matrix of weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from brainmass._common.messages import argument_error
from brainmass.connectome.checks import argument_of

__all__ = ["spectral_radius"]

_DENSE_BLOCK = 400  # regions; below, all eigenvalues take no longer than the largest
_DENSE_ATTEMPT = 2000  # regions; below, all eigenvalues take seconds


def spectral_radius(matrix: Any) -> float:
    """The largest over the strongly connected parts, since the eigenvalues are theirs."""
    from scipy.sparse.csgraph import connected_components

    # A zero that is stored would connect parts.
    matrix.eliminate_zeros()
    _, part = connected_components(matrix, directed=True, connection="strong")
    alone = np.bincount(part)[part] == 1
    radius = float(np.abs(matrix.diagonal()[alone]).max(initial=0.0))
    order = np.argsort(part, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(part[order])) + 1):
        if members.size > 1:
            radius = max(radius, _radius_of_part(matrix[members][:, members]))
    return radius


def _radius_of_part(matrix: Any) -> float:
    from scipy.sparse.linalg import ArpackNoConvergence, eigs

    n = matrix.shape[0]
    if n <= _DENSE_BLOCK:
        return _dense_radius(matrix)
    if (matrix.data >= 0).all():
        for sums in (matrix.sum(axis=0), matrix.sum(axis=1)):  # the radius lies between the smallest and the largest
            if np.ptp(sums) <= 1e-12 * sums.max():
                return float(sums.mean())
    # ARPACK's own start differs from call to call, and with it the last digits.
    start = np.random.default_rng(0).standard_normal(n)
    try:
        values = eigs(matrix, k=1, ncv=60, maxiter=100, tol=1e-10, v0=start, return_eigenvectors=False)  # type: ignore[arg-type]
    except ArpackNoConvergence as error:  # many eigenvalues of nearly equal modulus, as in a ring
        if n > _DENSE_ATTEMPT:
            raise argument_error(
                argument_of("Edges", "by"),
                "'spectral' found no spectral radius: the iteration does not converge",
                example="normalize('max')",
            ) from error
        return _dense_radius(matrix)
    return float(np.abs(values).max())


def _dense_radius(matrix: Any) -> float:
    return float(np.abs(np.linalg.eigvals(matrix.toarray())).max())
