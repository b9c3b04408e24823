"""Laplacians of weights: coupling by differences, as one matrix."""

from __future__ import annotations

from typing import Any

import brainunit as u
import jax.numpy as jnp
import numpy as np
from brainstate.nn import IdentityT, Param

from brainmass._common.checks import flag, is_traced, number, numbers, one_of
from brainmass._common.messages import Argument, argument_error
from brainmass._common.precision import default_dtype
from brainmass._common.typing import Array, Numbers
from brainmass.dynamics.checks import as_regularisation, as_transform
from brainmass.dynamics.module import ClosedModule, ShowsConstructor, fixed

__all__ = ["LaplacianConnParam", "laplacian_connectivity"]

_KINDS = (None, "rw", "sym")


def laplacian_connectivity(
    W: Numbers, *, normalize: str | None = None, eps: float = 1e-12, return_diag: bool = False
) -> Numbers:
    r"""The matrix L of coupling by differences: :math:`(L x)_i = \sum_j w_{ij} (x_j - x_i)` without normalisation.

    Graph theory's Laplacian is :math:`-L`. A region without input has a row of zeros.

    Parameters
    ----------
    W : array (N, N)
        Nonnegative weights, rows receive; :math:`d_i = \sum_j w_{ij}`, D its diagonal matrix.
    normalize : {None, 'rw', 'sym'}
        :math:`W - D`, :math:`D^{-1} W - I` or :math:`D^{-1/2} W D^{-1/2} - I`.
    eps : float
        Strengths up to this are zero.
    return_diag : bool
        Whether to return (L, d).
    """
    weights = u.math.asarray(_check(W, normalize, eps, return_diag))
    strength = u.math.sum(weights, axis=1)
    if normalize is None:
        laplacian = weights - _diagonal(strength)
    else:
        connected = u.get_mantissa(strength) > eps
        # One in place of zero before the division, and not a division that is thrown away: the gradient of 0/0 is NaN
        # even where `where` does not choose it.
        safe = u.get_mantissa(u.math.where(connected, strength, u.math.ones_like(strength)))
        plain = u.get_mantissa(weights)
        # Of a region without input the whole row is zero, the diagonal too.
        identity = _diagonal(connected.astype(plain.dtype))
        if normalize == "rw":
            laplacian = plain / safe[:, None] - identity
        else:
            root = jnp.sqrt(safe)
            laplacian = jnp.where(connected[:, None] & connected, plain / (root[:, None] * root), 0.0) - identity
    return (laplacian, strength) if return_diag else laplacian


def _diagonal(values: Array) -> Numbers:
    return u.math.expand_dims(values, -1) * jnp.eye(u.math.shape(values)[0], dtype=u.get_mantissa(values).dtype)


def _check(W: Array, normalize: Any, eps: Any, return_diag: Any) -> Numbers:
    """The weights as numbers, if all is in order."""
    one_of(Argument("normalize", "a Laplacian"), normalize, _KINDS)
    number(Argument("eps", "a Laplacian"), eps, ">= 0", lambda x: x >= 0)
    flag(Argument("return_diag", "a Laplacian"), return_diag)
    return _checked_weights(Argument("W", "a Laplacian"), W)


def _checked_weights(what: str, W: Numbers) -> Numbers:
    W = numbers(what, W)
    shape = u.math.shape(W)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise argument_error(what, "must be a square matrix", f"has shape {shape}")
    values = None if is_traced(W) else np.asarray(u.get_mantissa(W))
    if values is not None and not (np.isfinite(values) & (values >= 0)).all():
        i, j = map(int, np.argwhere(~(np.isfinite(values) & (values >= 0)))[0])
        raise argument_error(what, "must be finite and >= 0", f"is {values[i, j]} at [{i}, {j}]")
    return W


class LaplacianConnParam(ShowsConstructor, ClosedModule, Param):  # pyright: ignore[reportIncompatibleMethodOverride]
    r"""A trainable Laplacian: that of :math:`w_{ij} e^{g_{ij}}`, whose gains :math:`g` start from zero.

    Parameters
    ----------
    W : array (N, N) or Connectome
        Nonnegative weights, rows receive.
    t : brainstate Transform
        Of the gains.
    reg : brainstate Regularization, optional
    mask : array (N, N), optional
        Factor on the weights, e.g. of the connections that may be.
    fit : bool
        Whether the gains are trainable.
    normalize, eps, return_diag
        As in `laplacian_connectivity`.
    """

    _asked = {"t": as_transform, "reg": as_regularisation, "fit": flag}
    _elsewhere = fixed("fit", "t")

    def __init__(
        self,
        W: Numbers,
        t: Numbers = None,
        reg: Any = None,
        mask: Any = None,
        fit: bool = True,
        normalize: str | None = None,
        eps: float = 1e-12,
        return_diag: bool = False,
    ):
        weights = _check(getattr(W, "weights", W), normalize, eps, return_diag)
        if mask is not None:
            mask = numbers(_MASK, mask)
            # One number, or one for each weight: a row would mask whole columns without a word.
            if np.broadcast_shapes(u.math.shape(mask), (1, 1)) not in ((1, 1), u.math.shape(weights)):
                raise ValueError(f"{_MASK} must have the shape of `W`, {weights.shape}, but has {u.math.shape(mask)}.")
            weights = _checked_weights(f"{_MASK} times `W`", weights * mask)
        self._ask(t=t, reg=reg, fit=fit)
        weights = u.math.asarray(weights, dtype=default_dtype())
        # Gains of zero: the fit begins at the weights themselves, and e^g keeps every sign and every zero.
        gains = jnp.zeros(u.math.shape(weights), default_dtype())
        super().__init__(gains, t=IdentityT() if t is None else t, reg=reg, fit=fit)
        self.precompute = _OfGains(weights, normalize, eps, return_diag)


_MASK = Argument("mask", "LaplacianConnParam")


class _OfGains:
    """From log-gains to a Laplacian."""

    def __init__(self, weights: Numbers, *options: Any):
        self.weights, self.options = weights, options

    def __call__(self, gains: Numbers) -> Numbers:
        normalize, eps, return_diag = self.options
        grown = self.weights * u.math.exp(gains)
        return laplacian_connectivity(grown, normalize=normalize, eps=eps, return_diag=return_diag)
