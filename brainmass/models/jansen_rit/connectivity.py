"""Coupling of Jansen–Rit columns through one connectome, by three pathways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass.dynamics.fields import Domain, ParamSpec, as_param, default_dtype, is_traced, nonnegative, real
from brainmass.dynamics.module import Module

__all__ = ["LaplacianConnectivity", "in_mV", "spec"]


class LaplacianConnectivity(Module):
    r"""Lateral, forward and backward coupling of Jansen–Rit columns through one structural connectome.

    Each pathway :math:`p` has log-gains :math:`w_p` of its own on the structural connectivity :math:`C`:

    .. math::
        W_p &= B_p / \lVert B_p \rVert, \quad B_p = e^{w_p} \circ C, \qquad d_p(i) = \textstyle\sum_j W_p(i, j) \\
        I_M &= g_l \bigl(\textstyle\sum_j W_l(i, j)\, x_{ij} - d_l M\bigr) \\
        p &= g_f \bigl(\textstyle\sum_j W_f(i, j)\, x_{ij} - d_f (E - I)\bigr) \\
        I_I &= -g_b \bigl(\textstyle\sum_j W_b(i, j)\, x_{ij} - d_b (E - I)\bigr)

    with the Frobenius norm, and :math:`B_l` replaced by its symmetric part.

    Parameters
    ----------
    delayed_x : callable
        Returns what arrives over each edge, shape (..., N, N), row i at region i.
    M, E, I : callable
        Return the present states, e.g. `node.prefetch("M")`.
    sc : array (N, N)
        Structural connectivity; `sc[i, j]` is onto i from j.
    w_ll, w_ff, w_bb : number, array (N, N) or Param
        Log-gains of the lateral, the forward and the backward connections.
    g_l, g_f, g_b : number, array (N,) or Param
        Gains of the three pathways.
    mask : array (N, N), optional
        Factor on the normalised weights.
    """

    def __init__(
        self,
        delayed_x: Callable,
        M: Callable,
        E: Callable,
        I: Callable,  # noqa: E741
        sc: Any,
        w_ll: Any,
        w_ff: Any,
        w_bb: Any,
        g_l: Any = 1.0,
        g_f: Any = 1.0,
        g_b: Any = 1.0,
        mask: Any = None,
    ):
        super().__init__()
        self.delayed_x, self.M, self.E, self.I = delayed_x, M, E, I
        pairs = _check_connectivity(sc)
        owner, regions = "LaplacianConnectivity", pairs[:1]
        self.sc = as_param(owner, spec("sc", "structural connectivity", nonnegative), sc, pairs)
        self.w_ll = as_param(owner, spec("w_ll", "log-gains of lateral connections"), w_ll, pairs)
        self.w_ff = as_param(owner, spec("w_ff", "log-gains of forward connections"), w_ff, pairs)
        self.w_bb = as_param(owner, spec("w_bb", "log-gains of backward connections"), w_bb, pairs)
        self.g_l = as_param(owner, spec("g_l", "gain of the lateral pathway"), g_l, regions)
        self.g_f = as_param(owner, spec("g_f", "gain of the forward pathway"), g_f, regions)
        self.g_b = as_param(owner, spec("g_b", "gain of the backward pathway"), g_b, regions)
        mask = jnp.asarray(np.ones(pairs) if mask is None else mask, default_dtype())
        self.mask = as_param(owner, spec("mask", "factor on the weights"), mask, pairs)

    def weights(self) -> tuple[Any, Any, Any]:
        """The lateral, forward and backward matrices, each (N, N)."""
        lateral, forward, backward = (self._gained(w.value()) for w in (self.w_ll, self.w_ff, self.w_bb))
        mask = self.mask.value()
        return tuple(B / jnp.linalg.norm(B) * mask for B in ((lateral + lateral.T) / 2, forward, backward))

    def _gained(self, w: Any) -> Any:
        """exp(w) · SC up to a factor, which the norm takes out; without it large log-gains would overflow."""
        sc: Any = self.sc.value()
        w = jnp.where(sc > 0, w, -jnp.inf)
        return sc * jnp.exp(w - jax.lax.stop_gradient(jnp.max(w)))

    def update_tr(self) -> tuple[tuple[Any, Any], ...]:
        """What holds for a repetition time: by pathway, what arrives and the factor on the region's own state."""
        x = in_mV(self.delayed_x())
        gains = (self.g_l.value(), self.g_f.value(), self.g_b.value())
        pathways = zip(gains, self.weights(), strict=True)
        return tuple((g * jnp.sum(W * x, axis=-1), g * jnp.sum(W, axis=-1)) for g, W in pathways)

    def update(self, arriving: tuple[tuple[Any, Any], ...]) -> tuple[Any, Any, Any]:
        """`M_inp`, `E_inp` and `I_inp` at the present state, given the result of `update_tr`."""
        (lateral, own_l), (forward, own_f), (backward, own_b) = arriving
        M, eeg = in_mV(self.M()), in_mV(self.E()) - in_mV(self.I())
        return (lateral - own_l * M) * u.mV, (forward - own_f * eeg) * u.Hz, (own_b * eeg - backward) * u.mV


def in_mV(x: Any) -> Any:
    """A voltage as a number in mV; plain numbers are that already."""
    return x.to_decimal(u.mV) if isinstance(x, u.Quantity) else x


def spec(name: str, doc: str, domain: Domain = real, unit: Any = u.UNITLESS) -> ParamSpec:
    """What an argument must be, for `as_param`."""
    return ParamSpec(u.maybe_decimal(1.0 * unit), doc, domain, (unit,), name=name)


def _check_connectivity(sc: Any) -> tuple[int, ...]:
    shape = u.math.shape(sc)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"Argument `sc` of LaplacianConnectivity must be a square matrix, but has shape {shape}.")
    if not is_traced(sc) and not np.any(np.asarray(sc)):
        raise ValueError("Argument `sc` of LaplacianConnectivity must have a connection, but is zero everywhere.")
    return shape
