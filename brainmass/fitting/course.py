"""The course of a fit: what came out so far, who is told, and whether it goes on."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from brainmass._common.progress import progress_bar
from brainmass._common.typing import Array, Numbers, Pytree
from brainmass.fitting.outcome import FitStep
from brainmass.fitting.saved import Saved, leaves_of, with_leaves

__all__ = ["Course", "Given", "Orders", "Step"]

# A relative change of the parameters by a millionth changes the loss by its own size. A loss near zero does not count.
_EXPLODED, _SMALL = 1e6, 1e-3


class Given(NamedTuple):
    """What a fit is given by the model and its caller, as arrays."""

    theta: Pytree
    fixed: Pytree
    key: Numbers
    target: Pytree


@dataclass(frozen=True)
class Orders:
    """How a fit is to go: the largest number of steps; of a minimisation by scipy, which ends by itself, how many."""

    n_steps: int
    fresh_noise: bool | None  # None: as the solver has it
    callbacks: Sequence[Callable[[FitStep], object]] = ()
    patience: int | None = None
    min_delta: float = 0.0
    verbose: bool = False
    progress: bool = False
    checkpoint: Path | None = None
    checkpoint_every: float = 60.0
    batch: int | None = None
    minimisations: int | None = None

    @property
    def known_length(self) -> int | None:
        """The number of steps, where it is known before."""
        return self.n_steps if self.minimisations is None else None


class Step:
    """What a solver saw in one step, of one start or candidate, or of several: those that follow are of the best.

    Parameters
    ----------
    losses : array (n,)
    place
        Where they were: of several, arrays with a first axis more.
    key : array
        Under which noise.
    params : callable
        From the place of one to the parameters that callbacks are told, worked out only for them.
    told
        Another place than that of the losses whose parameters are told: where a step has led.
    norms, sizes : array (n,), optional
        Norms of the gradients, and of what they are taken by.
    several : bool
        Whether the places have that axis.
    """

    def __init__(
        self,
        losses: Numbers,
        place: Pytree,
        key: Numbers,
        params: Callable[[Pytree], dict[str, Numbers]] = lambda place: {},
        *,
        told: Pytree = None,
        norms: Numbers = None,
        sizes: Numbers = None,
        several: bool = False,
    ):
        self.losses = np.atleast_1d(np.asarray(losses, float))
        # `argmin` takes NaN for the lowest.
        self.best = int(np.argmin(np.where(np.isfinite(self.losses), self.losses, np.inf)))
        self.key, self.norms = key, norms
        self._places, self._told, self._params, self._several = place, told, params, several
        self.norm = None if norms is None else float(np.atleast_1d(norms)[self.best])
        self.size = 1.0 if sizes is None else float(np.atleast_1d(sizes)[self.best])

    @property
    def loss(self) -> float:
        """The lowest that is a number."""
        return float(self.losses[self.best])

    @property
    def place(self) -> Pytree:
        """Where that was."""
        return self._of_best(self._places)

    def params(self) -> dict[str, Pytree]:
        """The parameters that callbacks are told."""
        return self._params(self._of_best(self._places if self._told is None else self._told))

    def _of_best(self, places: dict[str, Array]) -> dict[str, Array]:
        return jax.tree.map(lambda x: x[self.best], places) if self._several else places


class Course:
    """Keeps the losses, and the best place with the key it was seen under; a place is what the solver moves."""

    def __init__(self, orders: Orders, problem: dict[str, Any], saved: Saved | None):
        self.orders, self.problem, self.saved = orders, problem, saved
        self.losses: list[float] = []
        self.histories: list[np.ndarray] = []
        self.norms: list[float] = []
        self.best, self.best_loss, self.best_key = None, np.inf, None
        # Where steps see a few rows: what all rows say of the place at which the fit happened to end.
        self.last: tuple[float, Pytree, Numbers] = np.inf, None, None
        self.snapshot: Callable[[], dict[str, Numbers]] = dict
        self.explain: Callable[[str, Pytree, Numbers], str] = lambda what, place, key: ""
        self._anchor, self._anchor_step, self._warned = np.inf, 0, False
        self._largest, self._written = 0.0, time.monotonic()
        self._bar: Any = None

    @property
    def n_done(self) -> int:
        return len(self.losses)

    @property
    def over(self) -> bool:
        """Whether the steps, or the patience, are used up."""
        patience = self.orders.patience
        return self.n_done >= self.orders.n_steps or (
            patience is not None and self.n_done - self._anchor_step >= patience
        )

    @property
    def number(self) -> Numbers:
        """Of the key of the next step."""
        return np.uint32(self.n_done if self.orders.fresh_noise else 0)

    def __enter__(self) -> Course:
        if self.orders.progress:
            self._bar = progress_bar(total=self.orders.known_length, desc="fitting", unit="step")
            self._bar.update(self.n_done)
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()
        # In an error too: what was done by then can be gone on from.
        if self.orders.checkpoint is not None and self.n_done:
            self.write(self.orders.checkpoint)

    def ends(self, step: Step, *, nan_ends: bool = True, replayed: bool = False) -> bool:
        """Note a step, and say whether it was the last.

        `replayed` is one that was told already, in the fit that this one goes on from.
        """
        self._note(step)
        if replayed:
            return self.over
        self._show()
        # In this order: callbacks are not told of a step that was lost.
        return (nan_ends and self._is_lost(step)) or self._has_no_use(step) or self._tell(step) or self.over

    def _is_lost(self, step: Step) -> bool:
        """Whether no loss is a number, with a warning."""
        if np.isfinite(step.losses).any():
            return False
        self._warn(
            f"The loss is {step.loss} at step {self.n_done - 1}: it stops and keeps its best parameters. "
            "Try a smaller learning rate, optax.clip_by_global_norm, or a smaller time step. "
            + self.explain("loss", step.place, step.key)
        )
        return True

    def _has_no_use(self, step: Step) -> bool:
        """Whether the gradient is no number; a warning where it is of no use."""
        if step.norm is None:
            return False
        if self.n_done == 1 and not np.any(step.norms):
            self._warn(
                "The gradient is exactly zero at the start: nothing that is fitted changes the loss there. Is the "
                "target reached already, does the prediction use the parameters, or does it saturate?"
            )
        advice = (
            "In a chaotic regime gradients grow with the length of the run. Try a shorter run or grad_horizon=..., "
            "optax.clip_by_global_norm, a smoother objective, mode='forward' with few parameters, or a back end "
            "without gradients: backend='nevergrad'."
        )
        # The loss may still be a number: it is the way back through a chaotic run on which slopes overflow.
        if not np.isfinite(step.norm):
            self._warn(
                f"The gradient is not finite at step {self.n_done - 1}: "
                f"it stops and keeps its best parameters. {advice} {self.explain('gradient', step.place, step.key)}"
            )
            return True
        if step.norm * step.size > _EXPLODED * max(self._largest, _SMALL) and not self._warned:
            self._warned = True
            self._warn(f"The gradient explodes: its norm is {step.norm:.3g} at step {self.n_done - 1}. {advice}")
        return False

    def _tell(self, step: Step) -> bool:
        """Tell the callbacks, until one of them says that it is enough."""
        for callback in self.orders.callbacks:
            told = FitStep(self.n_done - 1, step.loss, self.best_loss, step.params(), step.norm)
            if callback(told) is True:
                return True
        self._write_if_due()
        return False

    def _note(self, step: Step) -> None:
        self.losses.append(step.loss)
        self.histories.append(step.losses)
        if step.norm is not None:
            self.norms.append(step.norm)
        # The loss on a few rows is lower by luck as well; `judge` then says what is best.
        if self.orders.batch is None and step.loss < self.best_loss:
            self.best, self.best_loss, self.best_key = step.place, step.loss, step.key
        # patience counts from the last loss that was lower by `min_delta`, not from the last that was lower at all
        if self.best_loss < self._anchor - self.orders.min_delta:
            self._anchor, self._anchor_step = self.best_loss, self.n_done
        # The size that a gradient is held against: near the optimum the loss itself may be zero.
        self._largest = max(self._largest, abs(step.loss)) if np.isfinite(step.loss) else self._largest

    def judge(self, step: Step, at_end: bool = False) -> None:
        """Note losses on all rows: where a step sees a few, its loss does not tell which place is best.

        What is found when a fit happens to end is kept apart from what another, longer one would go on from.
        """
        loss = step.loss if np.isfinite(step.loss) else np.inf
        if at_end:
            self.last = loss, step.place, step.key
        elif loss < self.best_loss:
            self.best, self.best_loss, self.best_key = step.place, loss, step.key

    def chosen(self) -> tuple[float, Numbers, Numbers]:
        """The lowest loss, with its place and key."""
        best = self.best_loss, self.best, self.best_key
        return self.last if self.last[0] < best[0] else best

    def warn_of_an_early_end(self, method: str, message: str) -> None:
        """Where a minimisation of scipy says that it did not converge."""
        self._warn(
            f"{method} ended before it converged: {message.rstrip('.')}. Options of scipy go with the method. "
            f'Example: Fitter(model, {{"method": "{method}", "options": {{"maxiter": 1000}}}}, ...).'
        )

    def warn_of_lost_generation(self) -> None:
        if not self._warned:
            self._warned = True
            self._warn(
                f"No candidate of step {self.n_done - 1} has a finite loss. Try a narrower space, or a smaller dt."
            )

    def _warn(self, text: str) -> None:
        warnings.warn(text, RuntimeWarning, stacklevel=6)

    def _show(self) -> None:
        i, n = self.n_done - 1, self.orders.known_length or 100
        if self._bar is not None:
            self._bar.set_postfix_str(f"loss {self.losses[-1]:.4g}", refresh=False)
            self._bar.update()
        if self.orders.verbose and (i % max(1, n // 10) == 0 or i == n - 1):
            print(f"step {i:5d}  loss {self.losses[-1]:.5g}  best {self.best_loss:.5g}", flush=True)

    # --- to a file and back -----------------------------------------------------------------------------------------
    def _write_if_due(self) -> None:
        due = time.monotonic() - self._written >= self.orders.checkpoint_every
        if self.orders.checkpoint is not None and due:
            self.write(self.orders.checkpoint)
            self._written = time.monotonic()

    # All that a fit goes on from is in `snapshot`, which the solver gives, so that it goes on bit for bit.
    def write(self, path: Path) -> None:
        Saved(self.problem, self.snapshot()).write(path)

    def arrays(self) -> dict[str, Pytree]:
        """What was noted, for a file."""
        out = {"losses": np.asarray(self.losses), "histories": np.asarray(self.histories)}
        out |= {"norms": np.asarray(self.norms), "marks": np.asarray([self.best_loss, self._anchor, self._anchor_step])}
        out |= {"largest": np.asarray(self._largest)} | leaves_of("best", self.best)
        return out if self.best_key is None else out | {"best_key": np.asarray(self.best_key)}

    def restore(self, arrays: dict[str, Numbers], like: Pytree) -> None:
        self.losses, self.histories = arrays["losses"].tolist(), list(arrays["histories"])
        self.norms, self._largest = arrays["norms"].tolist(), float(arrays["largest"])
        self.best_loss, self._anchor, anchor_step = arrays["marks"].tolist()
        self._anchor_step, self.best_key = int(anchor_step), arrays.get("best_key")
        self.best = with_leaves("best", like, arrays) if self.best_key is not None else None
        if self._bar is not None:
            self._bar.update(self.n_done)
