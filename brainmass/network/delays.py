"""Conduction delays: the recent past of what each region sends, read back at every edge's own delay."""

from __future__ import annotations

from typing import Any

import brainstate
import brainunit as u
import jax.numpy as jnp
import numpy as np

__all__ = ["DelayLine", "delay_steps"]


def delay_steps(delays: Any, dt: Any) -> np.ndarray:
    """Delays in steps of `dt`, each rounded to the nearest."""
    return np.rint(np.asarray(delays.to_decimal(u.ms)) / float(dt.to_decimal(u.ms))).astype(np.int32)


class DelayLine(brainstate.nn.Module):
    """What the regions sent over the last steps, and what of it arrives now.

    The history is a ring of `depth` steps of shape (depth, N, batch...). One gather per step suffices: what arrives
    at the end of a step is what arrives at the start of the next.
    """

    def __init__(self, steps: np.ndarray):
        super().__init__()
        self.depth = int(steps.max())
        self.steps = brainstate.LongTermState(jnp.asarray(steps))

    def fill(self, sent: Any, weights: Any) -> None:
        """Start from a past in which the regions have always sent this."""
        sent = _regions_first(sent)
        self.history = brainstate.ShortTermState(sent + u.math.zeros_like(sent) * np.ones((self.depth, *[1] * sent.ndim)))
        self.cursor = brainstate.ShortTermState(jnp.int32(0))
        self.arriving = brainstate.ShortTermState(self._arriving(weights, 0))

    def advance(self, sent: Any, weights: Any) -> tuple[Any, Any]:
        """Take in what is sent at the start of a step; return what arrives at its start and at its end."""
        at = self.cursor.value
        self.history.value = self.history.value.at[at % self.depth].set(_regions_first(sent))
        start, end = self.arriving.value, self._arriving(weights, at + 1)
        self.arriving.value, self.cursor.value = end, at + 1
        return start, end

    def _arriving(self, weights: Any, now: Any) -> Any:
        """Σ_j w_ij x_j(now - d_ij), shape (batch..., N)."""
        history = self.history.value
        source = jnp.arange(self.steps.value.shape[1])[None, :]
        past = history[(now - self.steps.value) % self.depth, source]
        spread = u.math.reshape(weights, (*u.math.shape(weights), *[1] * (past.ndim - 2)))
        return _regions_last(u.math.sum(spread * past, axis=1))


def _regions_first(x: Any) -> Any:
    return u.math.moveaxis(x, -1, 0)


def _regions_last(x: Any) -> Any:
    return u.math.moveaxis(x, 0, -1)
