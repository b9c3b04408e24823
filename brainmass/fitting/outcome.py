"""What a fit tells: after each step, and at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import brainunit as u

from brainmass.fitting.description import Bounds

__all__ = ["FitResult", "FitStep"]


class FitStep(NamedTuple):
    """What a callback is told after each step of a fit."""

    step: int
    loss: float
    best_loss: float
    params: dict[str, Any]
    grad_norm: float | None = None


class FitResult:
    """The outcome of a fit.

    Attributes
    ----------
    backend : str
    best_loss : float
        The lowest loss seen, and in `best_params` where it was seen: values as the equations see them, by name.
    bounds : dict of str to Bounds
        Of those parameters that have them: those given, else where the prior lies, all but 1e-4 at either side.
    history : array (n_steps,)
        The loss at each step, the lowest where a step has several.
    histories : array (n_steps, n)
        The loss of each start, or of each candidate of a generation.
    grad_norms : array (n_steps,) or None
        Norm of the gradient at each step, that of the start with the lowest loss; None where there is no gradient.
    n_steps : int
        Steps taken.
    prediction
        What the model predicts at `best_params`, if the fit has a `predict`.
    divergence : DivergenceError or None
        Of the run that ended the fit, where a state became infinite or NaN: its `result` holds what was recorded.
    optimizer, raw
        The optimiser, and its own state or result.
    """

    def __init__(
        self,
        *,
        backend: str,
        best_loss: float,
        best_params: dict[str, Any],
        history: Any,
        n_steps: int,
        prediction: Any = None,
        optimizer: Any = None,
        raw: Any = None,
        model: Any = None,
        histories: Any = None,
        grad_norms: Any = None,
        divergence: Any = None,
        bounds: Mapping[str, Bounds] | None = None,
    ):
        self.backend, self.best_loss, self.best_params = backend, best_loss, best_params
        self.history, self.n_steps, self.prediction = history, n_steps, prediction
        self.optimizer, self.raw, self.model = optimizer, raw, model
        self.histories, self.grad_norms, self.divergence = histories, grad_norms, divergence
        self.bounds = dict(bounds or {})

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {tuple(u.math.shape(x))}" for name, x in self.best_params.items())
        first = f"{self.history[0]:.4g}" if len(self.history) else "nothing"
        return f"FitResult: loss {first} → {self.best_loss:.4g} in {self.n_steps} steps ({self.backend}); {sizes}"
