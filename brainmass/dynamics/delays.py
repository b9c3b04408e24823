"""Conduction delays: the recent past of what each region sends, read back at every edge's own delay."""

from __future__ import annotations

from typing import Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["DelayLine", "History", "delay_steps"]


def delay_steps(delays: Any, dt: Any) -> np.ndarray:
    """Delays in steps of `dt`, each rounded to the nearest."""
    return np.rint(np.asarray(delays.to_decimal(u.ms)) / float(dt.to_decimal(u.ms))).astype(np.int32)


class History(brainstate.nn.Module):
    """What was sent over the last steps.

    A ring of `depth` steps of shape (batch..., depth, N), its cursor of shape (batch...): every lane of a batch holds
    what a run of its own would.
    """

    def __init__(self, depth: int):
        super().__init__()
        self.depth = depth

    @property
    def is_filled(self) -> bool:
        return "cursor" in vars(self)

    def fill(self, sent: Any) -> None:
        """Start from a past in which this was sent always."""
        past = u.math.repeat(sent[..., None, :], self.depth, axis=-2)
        self.history = brainstate.ShortTermState(jax.tree.map(jnp.asarray, past))
        self.cursor = brainstate.ShortTermState(jnp.zeros(u.math.shape(sent)[:-1], jnp.int32))

    def push(self, sent: Any) -> None:
        """Take in what is sent at the start of a step."""
        self.history.value = self.history.value.at[..., self._now % self.depth, :].set(sent)
        self.cursor.value = self.cursor.value + 1

    @property
    def _now(self) -> Any:
        return self.cursor.value.reshape(-1)[0]

    def ago(self, steps: Any, source: Any = None) -> Any:
        """What was sent `steps` steps before the last push, by region; linear between steps, 0 to `depth - 1`.

        Whole numbers of steps are given as integers. `source` names the regions where `steps` has another shape.
        """
        source = jnp.arange(self.history.value.shape[-1]) if source is None else source
        if jnp.issubdtype(jnp.result_type(steps), jnp.integer):
            return self.history.value[..., (self._now - 1 - steps) % self.depth, source]
        whole = jnp.floor(steps).astype(jnp.int32)
        part = steps - whole
        return (1 - part) * self.ago(whole, source) + part * self.ago(whole + 1, source)


class DelayLine(History):
    """What arrives now over edges with delays of their own, in whole steps.

    One gather per step suffices: what arrives at the end of a step is what arrives at the start of the next.
    """

    def __init__(self, steps: np.ndarray):
        super().__init__(int(steps.max()))
        self.steps = brainstate.LongTermState(jnp.asarray(steps))

    def start(self, sent: Any, weights: Any) -> None:
        """Start from a past in which the regions have always sent this."""
        self.fill(sent)
        self.arriving = brainstate.ShortTermState(self._arriving(weights))

    def advance(self, sent: Any, weights: Any) -> tuple[Any, Any]:
        """Take in what is sent at the start of a step; return what arrives at its start and at its end."""
        self.push(sent)
        start, end = self.arriving.value, self._arriving(weights)
        self.arriving.value = end
        return start, end

    def _arriving(self, weights: Any) -> Any:
        """Σ_j w_ij x_j(t - d_ij) at the end of the step that began with the last push, shape (batch..., N)."""
        source = jnp.arange(self.steps.value.shape[1])[None, :]
        return u.math.sum(weights * self.ago(self.steps.value - 1, source), axis=-1)
