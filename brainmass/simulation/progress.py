"""A progress bar for a compiled run."""

from __future__ import annotations

from typing import Any

import jax
from jax import lax

from brainmass._common.progress import progress_bar
from brainmass._common.typing import Numbers

__all__ = ["ProgressBar"]


class ProgressBar:
    """Reports the step that a compiled loop has reached, about a hundred times in a run."""

    def __init__(self, n_steps: int, label: str = "simulating"):
        self.n_steps, self.label = n_steps, label
        self._stride = max(1, n_steps // 100)
        self._bar: Any = None

    def report(self, done: Numbers, last: int) -> None:
        """Called inside the loop with the number of steps done, after a block of `last` steps."""
        # A callback leaves the compiled loop for Python: only where the bar moves, and not at each block.
        due = (done // self._stride > (done - last) // self._stride) | (done >= self.n_steps)
        lax.cond(due, lambda i: jax.debug.callback(self._show, i), lambda i: None, done)

    def _show(self, done: Any) -> None:
        if self._bar is None:
            self._bar = progress_bar(total=self.n_steps, desc=self.label, unit="step", unit_scale=True)
        self._bar.update(int(done) - self._bar.n)
        if int(done) >= self.n_steps:
            self.close()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
