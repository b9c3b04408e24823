"""`Fitter`: changes trainable parameters until what a model predicts is like the data."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import brainunit as u
import jax
import numpy as np
import optax

from brainmass.dynamics.fields import is_traced, show
from brainmass.simulation.functional import Inventory, Template, inventory
from brainmass.simulation.random import as_key, fold, keys_from

__all__ = ["FitResult", "FitStep", "Fitter"]

BACKENDS = ("grad",)


class _Compiled(NamedTuple):
    """What a fit calls, for one structure of the model."""

    step: Callable[..., Any]
    predict: Callable[..., Any]


class FitStep(NamedTuple):
    """What a callback is told after each step of a fit."""

    step: int
    loss: float
    best_loss: float
    params: dict[str, Any]


class FitResult:
    """The outcome of a fit.

    Attributes
    ----------
    backend : str
    best_loss : float
        The lowest loss seen, and in `best_params` where it was seen: values as the equations see them, by name.
    history : array (n_steps,)
        The loss at each step.
    n_steps : int
        Steps taken.
    prediction
        What the model predicts at `best_params`, if the fit has a `predict`.
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
    ):
        self.backend, self.best_loss, self.best_params = backend, best_loss, best_params
        self.history, self.n_steps, self.prediction = history, n_steps, prediction
        self.optimizer, self.raw, self.model = optimizer, raw, model

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {tuple(u.math.shape(x))}" for name, x in self.best_params.items())
        first = f"{self.history[0]:.4g}" if len(self.history) else "nothing"
        return f"FitResult: loss {first} → {self.best_loss:.4g} in {self.n_steps} steps ({self.backend}); {sizes}"


class Fitter:
    """Fits the trainable parameters of a model, those given as `brainstate.nn.Param(value, fit=True)`.

    Parameters
    ----------
    model : brainstate module
    optimizer : optax or braintools optimiser, optional
        Default `optax.adam(1e-2)`. It sees the parameters before their transforms.
    loss_fn : callable, optional
        `loss_fn(model)` or `loss_fn(model, key)`, a scalar; instead of `predict` and `objective`.
    objective : callable, optional
        `objective(prediction, target)`, a scalar, e.g. `brainmass.objectives.fc_corr(as_loss=True)`.
    predict : callable, optional
        `predict(model)` or `predict(model, key)`; the key seeds what is random in this step.
    backend : {'grad'}
    callbacks : callable or list of them, optional
        Called with a `FitStep` after each step; one that returns True ends the fit.
    transient : int, optional
        Samples at the beginning of the prediction to leave out.

    Raises
    ------
    ValueError, TypeError
        If the model has nothing to train, or the loss is not one number.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Any = None,
        *,
        loss_fn: Callable[..., Any] | None = None,
        objective: Callable[[Any, Any], Any] | None = None,
        predict: Callable[..., Any] | None = None,
        backend: str = "grad",
        callbacks: Callable[[FitStep], Any] | Sequence[Callable[[FitStep], Any]] | None = None,
        transient: int | None = None,
        search_space: Mapping[str, Any] | None = None,
    ):
        if backend not in BACKENDS:
            raise ValueError(f"Argument `backend` of Fitter must be one of {BACKENDS}, but is {backend!r}.")
        if search_space is not None:
            raise ValueError(
                "Argument `search_space` of Fitter belongs to derivative-free back ends; 'grad' would ignore it."
            )
        if (loss_fn is None) == (predict is None) or (predict is None) != (objective is None):
            raise ValueError("Fitter needs either `loss_fn`, or both `predict` and `objective`.")
        self.model, self.backend = model, backend
        self._loss_fn, self._predict, self._objective = loss_fn, predict, objective
        self._optimizer = _as_optax(optimizer)
        self._callbacks = [callbacks] if callable(callbacks) else list(callbacks or ())
        self._transient = transient or 0
        self._trainable(inventory(model))
        self._compiled: dict[Any, _Compiled] = {}

    @property
    def optimizer(self) -> Any:
        """The optax optimiser."""
        return self._optimizer

    def fit(
        self,
        target: Any = None,
        n_steps: int = 100,
        *,
        verbose: bool = False,
        seed: Any = 0,
        fresh_noise: bool = True,
        patience: int | None = None,
        min_delta: float = 0.0,
        progress: bool = False,
    ) -> FitResult:
        """Fit, and leave the model with the best parameters seen.

        Parameters
        ----------
        target
            What the objective compares with.
        n_steps : int
            Largest number of optimiser steps.
        verbose : bool
            Print the loss about ten times.
        seed : int or JAX key
            Decides the keys that `predict` or `loss_fn` are given.
        fresh_noise : bool
            Whether every step has a new key, or all have the same.
        patience : int, optional
            Stop after so many steps without an improvement of more than `min_delta`.
        progress : bool
            Show a progress bar.
        """
        if isinstance(n_steps, bool) or not isinstance(n_steps, int | np.integer) or n_steps < 1:
            raise ValueError(f"Argument `n_steps` of fit must be a positive int, but is {show(n_steps)}.")
        if any(not is_traced(x) and not np.isfinite(np.asarray(x)).all() for x in jax.tree.leaves(target)):
            raise ValueError("Argument `target` of fit must be finite, but holds NaN or infinity.")
        found = inventory(self.model)
        theta = {path: param.val.value for path, param in self._trainable(found).items()}
        fixed = {path: value for path, value in found.raw().items() if path not in theta}
        if found.structure not in self._compiled:
            self._check_loss(theta, fixed, target, as_key(seed))
            self._compiled[found.structure] = _Compiled(
                jax.jit(partial(self._step)), jax.jit(partial(self._predicted_at))
            )
        compiled = self._compiled[found.structure]
        run = _Record(theta)
        optimiser_state, key = self._optimizer.init(theta), as_key(seed)
        with _bar(n_steps, progress) as bar:
            for i in range(n_steps):
                before = theta
                number = np.uint32(i if fresh_noise else 0)
                theta, optimiser_state, loss, used = compiled.step(theta, optimiser_state, fixed, key, number, target)
                run.note(float(loss), before, used)
                bar(run)
                if verbose and (i % max(1, n_steps // 10) == 0 or i == n_steps - 1):
                    print(f"step {i:5d}  loss {run.losses[-1]:.5g}  best {run.best_loss:.5g}", flush=True)
                if self._stops(run, found, theta, patience, min_delta):
                    break
        prediction = None
        if self._predict is not None and run.best_key is not None:
            prediction = compiled.predict(run.best, fixed, run.best_key)
        return self._finish(run, found, optimiser_state, prediction)

    # --- one step ---------------------------------------------------------------------------------------------------
    def _step(self, theta: Any, optimiser_state: Any, fixed: Any, key: Any, number: Any, target: Any) -> tuple:
        key = fold(key, number)
        loss, gradient = jax.value_and_grad(self._loss)(theta, fixed, key, target)
        updates, optimiser_state = self._optimizer.update(gradient, optimiser_state, theta)
        return optax.apply_updates(theta, updates), optimiser_state, loss, key

    def _loss(self, theta: Mapping[str, Any], fixed: Mapping[str, Any], key: Any, target: Any) -> Any:
        model, found = Template(self.model).on({**theta, **fixed})
        if self._loss_fn is not None:
            loss = _call(self._loss_fn, model, key)
        else:
            loss = self._objective(self._predicted(model, key), target)  # type: ignore[misc]
        penalty = sum((found.params[path].reg_loss() for path in theta), 0.0)
        return u.get_mantissa(loss) + u.get_mantissa(penalty)

    def _predicted(self, model: Any, key: Any) -> Any:
        prediction = _call(self._predict, model, key)  # type: ignore[arg-type]
        return prediction[self._transient :] if self._transient else prediction

    def _predicted_at(self, theta: Mapping[str, Any], fixed: Mapping[str, Any], key: Any) -> Any:
        return self._predicted(Template(self.model).on({**theta, **fixed})[0], key)

    # --- around it --------------------------------------------------------------------------------------------------
    def _trainable(self, found: Inventory) -> dict[str, Any]:
        trainable = {path: param for path, param in found.params.items() if param.fit}
        if not trainable:
            raise ValueError(
                "The model has nothing to fit. Make a parameter trainable: "
                "brainmass.HopfStep(10, a=brainstate.nn.Param(0.1, fit=True)). "
                f"It has the parameters {', '.join(found.params)}."
            )
        return trainable

    def _check_loss(self, theta: Any, fixed: Any, target: Any, key: Any) -> None:
        shape = jax.eval_shape(self._loss, theta, fixed, key, target)
        if shape.shape != ():
            raise ValueError(f"The loss must be one number, but has shape {shape.shape}: reduce it, e.g. by its mean.")

    def _stops(self, run: _Record, found: Inventory, theta: Any, patience: int | None, min_delta: float) -> bool:
        if not np.isfinite(run.losses[-1]):
            warnings.warn(
                f"The loss is {run.losses[-1]} at step {len(run.losses) - 1}: it stops and keeps its best parameters. "
                "Try a smaller learning rate, optax.clip_by_global_norm, or a smaller time step.",
                RuntimeWarning,
                stacklevel=3,
            )
            return True
        for callback in self._callbacks:
            params = self._natural(found, theta)
            if callback(FitStep(len(run.losses) - 1, run.losses[-1], run.best_loss, params)) is True:
                return True
        return patience is not None and run.since_improved(min_delta) >= patience

    def _natural(self, found: Inventory, theta: Mapping[str, Any]) -> dict[str, Any]:
        """Parameter values as the equations see them, by name."""
        _, bound = Template(self.model).on({**found.raw(), **theta})
        return {path: bound.params[path].value() for path in theta}

    def _finish(self, run: _Record, found: Inventory, optimiser_state: Any, prediction: Any) -> FitResult:
        for path, value in run.best.items():
            found.params[path].val.value = value  # pyright: ignore[reportAttributeAccessIssue]
        return FitResult(
            backend=self.backend,
            best_loss=run.best_loss,
            best_params=self._natural(found, run.best),
            history=np.asarray(run.losses),
            n_steps=len(run.losses),
            prediction=prediction,
            optimizer=self._optimizer,
            raw=optimiser_state,
            model=self.model,
        )


class _Record:
    """The losses so far, and the best parameters with the key they were seen under."""

    def __init__(self, theta: Any):
        self.losses: list[float] = []
        self.best, self.best_loss, self.best_key = theta, np.inf, None
        self._anchor, self._anchor_step = np.inf, 0

    def note(self, loss: float, theta: Any, key: Any) -> None:
        self.losses.append(loss)
        if loss < self.best_loss:
            self.best, self.best_loss, self.best_key = theta, loss, key

    def since_improved(self, min_delta: float) -> int:
        """Steps since the best loss last fell by more than `min_delta`."""
        if self.best_loss < self._anchor - min_delta:
            self._anchor, self._anchor_step = self.best_loss, len(self.losses)
        return len(self.losses) - self._anchor_step


class _bar:
    """A progress bar with the loss, or nothing."""

    def __init__(self, n_steps: int, shown: bool):
        self._bar = None
        if shown:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=n_steps, desc="fitting", unit="step", leave=False)

    def __enter__(self) -> _bar:
        return self

    def __call__(self, run: _Record) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(f"loss {run.losses[-1]:.4g}", refresh=False)
            self._bar.update()

    def __exit__(self, *error: Any) -> None:
        if self._bar is not None:
            self._bar.close()


def _call(function: Callable[..., Any], model: Any, key: Any) -> Any:
    """`function(model)`, or with the key if it takes a second argument; runs without a seed get theirs from the key."""
    positional = [
        p
        for p in inspect.signature(function).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    with keys_from(key):
        return function(model, key) if len(positional) > 1 else function(model)


def _as_optax(optimizer: Any) -> Any:
    if optimizer is None:
        return optax.adam(1e-2)
    inner = getattr(optimizer, "tx", optimizer)  # braintools' optimisers hold an optax one
    if not (hasattr(inner, "init") and hasattr(inner, "update")):
        raise TypeError(
            f"Argument `optimizer` of Fitter must be an optax or braintools optimiser, but is {show(optimizer)}. "
            "Example: optax.adam(1e-2)."
        )
    return inner
