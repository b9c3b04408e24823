"""Coupling of Jansen–Rit columns through one connectome, by three pathways."""

from __future__ import annotations

from typing import Any, ClassVar

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import is_traced
from brainmass._common.messages import Argument, argument_error
from brainmass._common.typing import Numbers
from brainmass.dynamics.declared import WithRows
from brainmass.dynamics.fields import Par, nonnegative, param, required

__all__ = ["LaplacianConnectivity", "in_mV"]


class LaplacianConnectivity(WithRows):
    r"""Lateral, forward and backward coupling of Jansen–Rit columns through one structural connectome.

    Each pathway :math:`p` has log-gains :math:`w_p` of its own on the structural connectivity :math:`C`:

    .. math::
        W_p &= B_p / \lVert B_p \rVert, \quad B_p = e^{w_p} \circ C, \qquad d_p(i) = \textstyle\sum_j W_p(i, j) \\
        I_M &= g_l \bigl(\textstyle\sum_j W_l(i, j)\, x_{ij} - d_l M\bigr) \\
        p &= g_f \bigl(\textstyle\sum_j W_f(i, j)\, x_{ij} - d_f (E - I)\bigr) \\
        I_I &= -g_b \bigl(\textstyle\sum_j W_b(i, j)\, x_{ij} - d_b (E - I)\bigr)

    with the Frobenius norm, and :math:`B_l` replaced by its symmetric part.

    `sc[i, j]` is onto i from j. Log-gains and `mask` are one number or (N, N), gains one number or (N,).
    `delayed_x` returns what arrives over each edge, shape (..., N, N), row i at region i; `M`, `E`, `I` the present
    states, e.g. `node.prefetch("M")`.
    """

    delayed_x: Any = required("What arrives")
    M: Any = required("Present state of the pyramidal population")
    E: Any = required("Present state of the excitatory population")
    I: Any = required("Present state of the inhibitory population")  # noqa: E741
    sc: Par = param(default=..., doc="structural connectivity", domain=nonnegative, unit=u.UNITLESS)
    w_ll: Par = param(default=..., doc="log-gains of lateral connections", unit=u.UNITLESS)
    w_ff: Par = param(default=..., doc="log-gains of forward connections", unit=u.UNITLESS)
    w_bb: Par = param(default=..., doc="log-gains of backward connections", unit=u.UNITLESS)
    g_l: Par = param(default=1.0, doc="gain of the lateral pathway")
    g_f: Par = param(default=1.0, doc="gain of the forward pathway")
    g_b: Par = param(default=1.0, doc="gain of the backward pathway")
    mask: Par = param(default=None, doc="factor on the normalised weights; none: one", unit=u.UNITLESS)

    _pairs: ClassVar[Any] = None

    def _admitted(self, key: str, value: object) -> Any:
        if key == "sc":
            shape = _check_connectivity(value)
            if self._pairs not in (None, shape):
                raise argument_error(
                    Argument("sc", self._owner), f"must keep its shape, {self._pairs}", f"has shape {shape}"
                )
            self._pairs = shape  # pyright: ignore[reportAttributeAccessIssue]
        return super()._admitted(key, value)

    def shape_of(self, key: str, value: Numbers) -> tuple[int, ...] | None:
        return self._pairs[:1] if key.startswith("g_") else self._pairs

    def weights(self) -> tuple[Numbers, Numbers, Numbers]:
        """The lateral, forward and backward matrices, each (N, N)."""
        lateral, forward, backward = (self._gained(w.value()) for w in (self.w_ll, self.w_ff, self.w_bb))
        mask = 1.0 if self.mask is None else self.mask.value()
        return tuple(B / jnp.linalg.norm(B) * mask for B in ((lateral + lateral.T) / 2, forward, backward))

    def _gained(self, w: Numbers) -> Numbers:
        """exp(w) · SC up to a factor, which the norm takes out; without it large log-gains would overflow."""
        sc: Numbers = self.sc.value()
        w = jnp.where(sc > 0, w, -jnp.inf)
        return sc * jnp.exp(w - jax.lax.stop_gradient(jnp.max(w)))

    def update_tr(self) -> tuple[tuple[Numbers, Numbers], ...]:
        """What holds for a repetition time: by pathway, what arrives and the factor on the region's own state."""
        x = in_mV(self.delayed_x())
        gains = (self.g_l.value(), self.g_f.value(), self.g_b.value())
        pathways = zip(gains, self.weights(), strict=True)
        return tuple((g * jnp.sum(W * x, axis=-1), g * jnp.sum(W, axis=-1)) for g, W in pathways)

    def update(self, arriving: tuple[tuple[Numbers, Numbers], ...]) -> tuple[Numbers, Numbers, Numbers]:
        """`M_inp`, `E_inp` and `I_inp` at the present state, given the result of `update_tr`."""
        (lateral, own_l), (forward, own_f), (backward, own_b) = arriving
        M, eeg = in_mV(self.M()), in_mV(self.E()) - in_mV(self.I())
        return (lateral - own_l * M) * u.mV, (forward - own_f * eeg) * u.Hz, (own_b * eeg - backward) * u.mV


def in_mV(x: Numbers) -> Numbers:
    """A voltage as a number in mV; plain numbers are that already."""
    return x.to_decimal(u.mV) if isinstance(x, u.Quantity) else x


def _check_connectivity(sc: object) -> tuple[int, ...]:
    shape = u.math.shape(sc)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise argument_error(Argument("sc", "LaplacianConnectivity"), "must be a square matrix", f"has shape {shape}")
    if not is_traced(sc) and not np.any(np.asarray(sc)):
        raise argument_error(Argument("sc", "LaplacianConnectivity"), "must have a connection", "is zero everywhere")
    return shape
