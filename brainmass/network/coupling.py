"""Coupling kernels: `c_i = post(Σ_j w_ij · pre(x_j))`, where row i receives.

`pre` depends on the source alone, and what depends on the target is split off, so that coupling without delays is a
matrix product and with delays `pre` is applied once, when a value leaves its region.
"""

from __future__ import annotations

from typing import Any

import brainstate
import brainunit as u
import jax.numpy as jnp
import numpy as np
from brainstate.nn import Param

from brainmass.dynamics.fields import ParamSpec, as_param, default_dtype, is_traced, show, suggestion

__all__ = [
    "AdditiveCoupling",
    "Coupling",
    "DiffusiveCoupling",
    "EdgeWeights",
    "additive_coupling",
    "coupling_by_name",
    "diffusive_coupling",
]


def weighted_sum(weights: Any, x: Any) -> Any:
    """Σ_j w_ij x_j for activity of shape (..., N)."""
    # In this order a batch of runs, made by vmap, comes out of the product as it went in, without a transposition.
    return u.math.matmul(x, u.math.transpose(weights))


def _sum_over_edges(weights: Any, x: Any) -> Any:
    """The same for sources given per edge, shape (..., N_out, N_in) or flat; one axis (N_in,) serves all targets."""
    shape = u.math.shape(weights)
    if len(shape) != 2:
        raise ValueError(f"Argument `conn` must be a matrix (N_out, N_in), but has shape {shape}.")
    if u.math.shape(x) == (shape[1],):
        return weighted_sum(weights, x)
    if u.math.shape(x)[-1] == shape[0] * shape[1]:
        x = u.math.reshape(x, (*u.math.shape(x)[:-1], *shape))
    if u.math.shape(x)[-2:] != shape:
        raise ValueError(
            f"Sources must have shape (..., {shape[0]}, {shape[1]}), as `conn`, or ({shape[1]},), "
            f"but have {u.math.shape(x)}."
        )
    return u.math.sum(weights * x, axis=-1)


class Coupling(brainstate.nn.Module):
    """Base of the coupling kernels. Call it with an activity of shape (..., N), or without, on bound sources.

    Parameters
    ----------
    x, y : callable, optional
        Bound sources and targets: called without arguments they return arrays, as brainstate's prefetches do.
        Sources have shape (..., N_out, N_in), one per edge, or (N_in,).
    conn : array, Connectome or Param, shape (N_out, N_in)
        Weights; `conn[i, j]` is onto i from j.
    k : number, array (N_out,), quantity or Param
        Global strength.
    """

    def __init__(self, x: Any = None, y: Any = None, conn: Any = None, k: Any = 1.0):
        super().__init__()
        self.x, self.y = x, y
        self.conn = as_weights(type(self).__name__, conn)
        n_out = u.math.shape(self.conn.value())[0]
        self.k = as_param(type(self).__name__, ParamSpec(1.0, "global strength", units=(), name="k"), k, (n_out,))

    def pre(self, x: Any) -> Any:
        """What leaves a source region."""
        return x

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        """What enters a target region: from the weighted sum, its own activity, and its summed weights."""
        raise NotImplementedError

    def update(self, activity: Any = None) -> Any:
        weights = self.conn.value()
        if activity is not None:
            x = activity[0] if isinstance(activity, tuple | list) else activity
            n_in = u.math.shape(weights)[1]
            if u.math.shape(x)[-1:] != (n_in,):
                raise ValueError(
                    f"{type(self).__name__} couples {n_in} regions, but the activity has shape {u.math.shape(x)}."
                )
            return self.post(weighted_sum(weights, self.pre(x)), x, u.math.sum(weights, axis=1))
        if self.x is None:
            raise ValueError(f"{type(self).__name__} has no bound sources: call it with the activity, coupling(x).")
        target = self.y() if callable(self.y) else self.y
        return self.post(_sum_over_edges(weights, self.pre(_fetch(self.x))), target, u.math.sum(weights, axis=1))


def _fetch(source: Any) -> Any:
    return source() if callable(source) else source


def as_weights(owner: str, conn: Any) -> Param:
    """Weights as a parameter: from a matrix, a Connectome, or a Param."""
    spec = ParamSpec(np.zeros((2, 2)), "weights, row receives", units=(), name="conn")
    if conn is None:
        raise TypeError(f"{owner} needs the argument `conn`, the weights: conn[i, j] is onto i from j.")
    conn = getattr(conn, "weights", conn)
    values = conn.value() if isinstance(conn, Param) else conn
    shape = np.shape(u.get_mantissa(values))
    if len(shape) != 2:
        raise ValueError(f"Argument `conn` of {owner} must be a matrix (N_out, N_in), but has shape {shape}.")
    return as_param(owner, spec, conn if isinstance(conn, Param) else u.math.asarray(conn), shape)


class DiffusiveCoupling(Coupling):
    r"""Diffusive coupling, :math:`c_i = k \sum_j w_{ij}\,(x_j - x_i)`."""

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        if target is None:
            raise ValueError("DiffusiveCoupling with bound sources `x` needs its targets `y` as well.")
        return self.k.value() * (total - strength * target)


class AdditiveCoupling(Coupling):
    r"""Additive coupling, :math:`c_i = k \sum_j w_{ij}\,x_j + b`.

    Parameters
    ----------
    b : number, array (N_out,), quantity or Param
        Offset, in the unit of the sum.
    """

    def __init__(self, x: Any = None, conn: Any = None, k: Any = 1.0, b: Any = 0.0):
        super().__init__(x, None, conn, k)
        n_out = u.math.shape(self.conn.value())[0]
        self.b = as_param("AdditiveCoupling", ParamSpec(0.0, "offset", units=(), name="b"), b, (n_out,))

    def post(self, total: Any, target: Any, strength: Any) -> Any:
        scaled, b = self.k.value() * total, self.b.value()
        unit = u.get_unit(scaled)
        return scaled + (b * unit if u.get_unit(b).dim == u.DIMENSIONLESS != unit.dim else b)


def diffusive_coupling(delayed_x: Any, y: Any, conn: Any, k: Any) -> Any:
    """`k Σ_j w_ij (x_ij - y_i)` for sources of shape (..., N_out, N_in), flat, or (N_in,)."""
    return k * (_sum_over_edges(conn, delayed_x) - u.math.sum(conn, axis=-1) * y)


def additive_coupling(delayed_x: Any, conn: Any, k: Any = 1.0, b: Any = 0.0) -> Any:
    """`k Σ_j w_ij x_ij + b` for sources of shape (..., N_out, N_in), flat, or (N_in,)."""
    return k * _sum_over_edges(conn, delayed_x) + b


_BY_NAME = {"additive": AdditiveCoupling, "diffusive": DiffusiveCoupling}


def coupling_by_name(coupling: Any) -> type[Coupling]:
    """The kernel with this name, or the kernel class itself."""
    if isinstance(coupling, type) and issubclass(coupling, Coupling):
        return coupling
    if not isinstance(coupling, str) or coupling not in _BY_NAME:
        raise ValueError(
            f"Argument `coupling` of Network must be one of {', '.join(map(repr, _BY_NAME))} or a Coupling class, "
            f"but is {show(coupling)}.{suggestion(str(coupling), _BY_NAME)}"
        )
    return _BY_NAME[coupling]


class EdgeWeights(Param):
    r"""Trainable weights of the edges that exist, :math:`w_{ij} e^{g_{ij}}`: zeros stay zero and no sign changes.

    Parameters
    ----------
    weights : array (N, N)
        Where the gains :math:`g` start from zero.
    reg : brainstate Regularization, optional
        Acts on the weights.
    """

    def __init__(self, weights: Any, reg: Any = None, fit: bool = True):
        start = u.math.asarray(getattr(weights, "weights", weights))
        super().__init__(jnp.zeros(u.math.shape(start), default_dtype()), reg=reg, fit=fit)
        self.precompute = _Scale(start)

    def set_value(self, value: Any) -> None:
        start = self.precompute.start
        value = u.math.asarray(getattr(value, "weights", value))
        _check_same_edges(start, value)
        ratio = u.maybe_decimal(u.math.where(start == 0, 1.0, value / u.math.where(start == 0, 1.0, start)))
        super().set_value(u.math.log(ratio))


def _check_same_edges(start: Any, value: Any) -> None:
    if u.math.shape(value) != u.math.shape(start):
        raise ValueError(f"EdgeWeights has shape {u.math.shape(start)}, but is to be set to {u.math.shape(value)}.")
    if is_traced((start, value)):
        return
    changed = np.argwhere(np.sign(u.get_mantissa(value)) != np.sign(u.get_mantissa(start)))
    if len(changed):
        i, j = map(int, changed[0])
        raise ValueError(
            f"EdgeWeights keeps the zeros and the signs of its weights, but is to be set to {value[i, j]} "
            f"at [{i}, {j}], where it has {start[i, j]}. Make new ones: EdgeWeights(weights)."
        )


class _Scale:
    """From log-gains to weights."""

    def __init__(self, start: Any):
        self.start = start

    def __call__(self, gain: Any) -> Any:
        return self.start * u.math.exp(gain)
