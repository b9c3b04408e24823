"""Conduction delays: the recent past of what each region sends, read back at every edge's own delay."""

from __future__ import annotations

from typing import Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["DelayLine", "delay_steps"]


def delay_steps(delays: Any, dt: Any) -> np.ndarray:
    """Delays in steps of `dt`, each rounded to the nearest."""
    return np.rint(np.asarray(delays.to_decimal(u.ms)) / float(dt.to_decimal(u.ms))).astype(np.int32)


class DelayLine(brainstate.nn.Module):
    """What the regions sent over the last steps, and what of it arrives now.

    The history is a ring of `depth` steps of shape (batch..., depth, N), its cursor of shape (batch...): every lane of
    a batch holds what a run of its own would. One gather per step suffices: what arrives at the end of a step is what
    arrives at the start of the next.
    """

    def __init__(self, steps: np.ndarray):
        super().__init__()
        self.depth = int(steps.max())
        self.steps = brainstate.LongTermState(jnp.asarray(steps))

    @property
    def is_filled(self) -> bool:
        return "cursor" in vars(self)

    def fill(self, sent: Any, weights: Any) -> None:
        """Start from a past in which the regions have always sent this."""
        past = u.math.repeat(sent[..., None, :], self.depth, axis=-2)
        self.history = brainstate.ShortTermState(jax.tree.map(jnp.asarray, past))
        self.cursor = brainstate.ShortTermState(jnp.zeros(u.math.shape(sent)[:-1], jnp.int32))
        self.arriving = brainstate.ShortTermState(self._arriving(weights, 0))

    def advance(self, sent: Any, weights: Any) -> tuple[Any, Any]:
        """Take in what is sent at the start of a step; return what arrives at its start and at its end."""
        at = self.cursor.value.reshape(-1)[0]
        self.history.value = self.history.value.at[..., at % self.depth, :].set(sent)
        start, end = self.arriving.value, self._arriving(weights, at + 1)
        self.arriving.value, self.cursor.value = end, self.cursor.value + 1
        return start, end

    def _arriving(self, weights: Any, now: Any) -> Any:
        """Σ_j w_ij x_j(now - d_ij), shape (batch..., N)."""
        source = jnp.arange(self.steps.value.shape[1])[None, :]
        past = self.history.value[..., (now - self.steps.value) % self.depth, source]
        return u.math.sum(weights * past, axis=-1)
