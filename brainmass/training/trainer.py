"""`Trainer`: trains a model on samples of a task, in minibatches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import brainstate
import jax
import jax.numpy as jnp
import numpy as np
import optax

from brainmass._common.checks import function, whole
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.paths import as_path
from brainmass._common.random import as_key, fold
from brainmass._common.typing import Array, Numbers, Pytree, Seed
from brainmass.dynamics.module import Closed, fixed
from brainmass.fitting.checks import callbacks_of, check_model, orders_of
from brainmass.fitting.course import Course, Given, Orders, Step
from brainmass.fitting.outcome import FitStep
from brainmass.fitting.saved import Saved, digest, leaves_of, shapes_of, with_leaves
from brainmass.fitting.solvers.gradient import GradientDescent
from brainmass.simulation.inventory import Inventory, inventory
from brainmass.training.task import Task, check_data, length, take, trained

__all__ = ["Epoch", "Score", "TrainResult", "Trainer"]


class Score(NamedTuple):
    """Loss and metric on a set of samples; the metric is None where there is none."""

    loss: float
    metric: float | None


class Epoch(NamedTuple):
    """What a callback is told after each epoch.

    `loss` is the mean over the minibatches; `held_out` the score of the held-out samples, None without them.
    """

    epoch: int
    loss: float
    held_out: Score | None
    best_loss: float
    params: dict[str, Pytree]


Program: TypeAlias = Callable[..., Pytree]
Programs: TypeAlias = tuple[Program, Program, Program]
"""Compiled: of a step, of outputs, and of loss and metric."""


class TrainResult(NamedTuple):
    """The outcome of a training.

    Attributes
    ----------
    losses : array (n_epochs,)
        Mean loss over the minibatches of each epoch.
    held_out_losses, held_out_metrics : array (n_epochs,) or None
        Of the held-out samples after each epoch.
    best_epoch : int
        The epoch with the lowest held-out loss (without held-out samples, the lowest loss), whose parameters the model
        is left with.
    best_params : dict
        These parameters, by name.
    n_epochs : int
        Epochs trained.
    """

    losses: np.ndarray
    held_out_losses: np.ndarray | None
    held_out_metrics: np.ndarray | None
    best_epoch: int
    best_params: dict[str, Pytree]
    n_epochs: int

    def __repr__(self) -> str:
        shown = f"TrainResult: loss {self.losses[0]:.4g} → {self.losses[-1]:.4g} in {self.n_epochs} epochs"
        if self.held_out_losses is not None and self.best_epoch >= 0:
            shown += f"; held out {self.held_out_losses[self.best_epoch]:.4g}"
            if self.held_out_metrics is not None:
                shown += f", metric {self.held_out_metrics[self.best_epoch]:.4g},"
        return f"{shown} at epoch {self.best_epoch}"


class Trainer(Closed):
    """Trains the weights and trainable parameters of a model on samples of a task.

    Parameters
    ----------
    model : brainstate module
        It is called on a batch of inputs, samples first, with fresh states. Layers and networks over a sequence
        (HORNSeqNetwork and its like) get inputs of shape (samples, time, inputs).
    optimizer : optional
        Of optax or braintools, default `optax.adam(1e-2)`; it sees parameters before their transforms.
    loss_fn : callable
        `loss_fn(outputs, targets)`, a scalar, the mean over the samples.
    metric : callable, optional
        `metric(outputs, targets)`, a scalar to report, such as the accuracy.
    predict : callable, optional
        `predict(model, inputs)`, or `predict(model, inputs, key)` with a key that is new at each step; outputs,
        samples first.
    batch_size : int
        Number of samples in a minibatch.
    callbacks : callable or list of them, optional
        Called with an `Epoch` after each; one that returns True ends the training.

    Raises
    ------
    ValueError, TypeError
        If the model has nothing to train, data do not fit each other, or a loss or metric is not one number.

    Examples
    --------
    >>> import brainmass, brainstate, jax.numpy as jnp, numpy as np, optax
    >>> x = np.random.default_rng(0).normal(size=(64, 3))
    >>> trainer = brainmass.Trainer(
    ...     brainstate.nn.Linear(3, 1), optax.adam(0.05), loss_fn=lambda out, y: jnp.mean((out - y) ** 2), batch_size=16
    ... )
    >>> result = trainer.fit(x, x @ np.array([[1.0], [-2.0], [0.5]]), n_epochs=60)
    >>> bool(result.losses[-1] < 1e-3)
    True
    """

    _elsewhere = fixed("model", "batch_size", "metric", "optimizer")

    def __init__(
        self,
        model: brainstate.nn.Module,
        optimizer: object = None,
        *,
        loss_fn: Callable[[Pytree, Pytree], Numbers],
        metric: Callable[[Pytree, Pytree], Numbers] | None = None,
        predict: Callable[..., Pytree] | None = None,
        batch_size: int = 32,
        callbacks: Callable[[Epoch], object] | Sequence[Callable[[Epoch], object]] | None = None,
    ):
        check_model("Trainer", model)
        whole(Argument("batch_size", "Trainer"), batch_size)
        for name, given in ("loss_fn", loss_fn), ("metric", metric), ("predict", predict):
            if given is not None or name == "loss_fn":
                function(Argument(name, "Trainer"), given)
        named = dict(loss_fn=loss_fn, metric=metric, predict=predict, batch_size=batch_size, callbacks=callbacks)
        self._given_as = (model, optimizer), named
        self.model, self.batch_size, self.metric = model, int(batch_size), metric
        self._task = Task(model, predict, loss_fn)
        self._descent = GradientDescent(self._task, optimizer)
        self._callbacks = callbacks_of("Trainer", callbacks)
        self._descent.check(self._task.space)
        if not self._descent.may_be_fresh:
            raise argument_error(
                Argument("optimizer", "Trainer"),
                "cannot be one with a line search, which needs one function throughout and not minibatches",
                example="optax.adam(1e-2).",
            )
        self._compiled: dict[Hashable, Programs] = {}
        self._last: Saved | None = None

    def __reduce__(self) -> tuple:
        """What a copy is made of: what it was given, and the last training, but not the compiled programs."""
        positional, named = self._given_as
        # Made anew from what it was given: compiled programs cannot be pickled.
        return partial(type(self), **named), positional, {"_last": self._last}

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """The optimiser, of optax."""
        return self._descent.optimizer

    def fit(
        self,
        inputs: object,
        targets: object,
        n_epochs: int = 10,
        *,
        held_out: tuple[object, object] | None = None,
        seed: Seed = 0,
        patience: int | None = None,
        min_delta: float = 0.0,
        verbose: bool = False,
        progress: bool = False,
        resume: object = None,
        checkpoint: object = None,
        checkpoint_every: float = 60.0,
    ) -> TrainResult:
        """Train, and leave the model with the parameters of the best epoch.

        In each epoch the samples are shuffled and cut into minibatches; those that do not fill one are left to other
        epochs.

        Parameters
        ----------
        inputs, targets : array (samples, ...) or a tree of them
        n_epochs : int
            Largest number of epochs; those of a training that is resumed count.
        held_out : (inputs, targets), optional
            Samples to score after each epoch, and to choose the best one by.
        seed : int or JAX key
            Decides the order of the samples, and what is random in a step, such as dropout.
        patience : int, optional
            Stop after so many epochs in which the best loss, of held-out samples if there are any, went down by no
            more than `min_delta`.
        verbose, progress : bool
            Print the loss about ten times; show a progress bar.
        resume, checkpoint, checkpoint_every
            As of `Fitter.fit`: a file to go on from, one to write, and how often, in seconds.
        """
        log = _Log(self._callbacks, held_out is not None)
        orders = Orders(fresh_noise=True, callbacks=[log.tell] if self._callbacks else [], **orders_of(
            "Trainer", "n_epochs", n_epochs, {
                "patience": patience, "min_delta": min_delta, "verbose": verbose, "progress": progress,
                "checkpoint": checkpoint, "checkpoint_every": checkpoint_every,
            }
        ))  # fmt: skip
        data = check_data(inputs, targets)
        tested = None if held_out is None else _held_out(held_out, data)
        if self.batch_size > length(data):
            raise argument_error(
                Argument("batch_size", "Trainer"),
                f"must be at most the number of samples, {length(data)}",
                f"is {self.batch_size}",
            )
        found, given = self._given(data, seed)
        programs = self._programs(found, given)
        described = self._describe(found, given, tested)
        saved = None if resume is None else Saved.read_for(as_path(resume, Argument("resume", "Trainer")), described)
        with Course(orders, described, saved) as course:
            self._train(course, log, programs, given, tested)
        self._last = Saved(described, course.snapshot())
        return self._finish(course, log, found, given)

    def evaluate(self, inputs: object, targets: object, *, seed: Seed = 0) -> Score:
        """Loss and metric of the model as it is."""
        data = check_data(inputs, targets)
        found, given = self._given(data, seed)
        return self._score(self._programs(found, given), given.theta, given, data)

    def predict(self, inputs: object, *, seed: Seed = 0) -> Pytree:
        """What the model makes of inputs as it is, samples first."""
        # There are no targets, for which the inputs stand in.
        data = check_data(inputs, inputs)
        found, given = self._given((data[0], None), seed)
        return self._outputs(self._compile(found), given.theta, given, data[0])

    def save(self, path: object) -> None:
        """Write the last training to a file, from which `fit(..., resume=path)` goes on bit for bit."""
        if self._last is None:
            raise ValueError("Trainer.save needs a training to save: call fit first, or fit(..., checkpoint=path).")
        self._last.write(as_path(path, Argument("path", "Trainer.save")))

    # --- an epoch ---------------------------------------------------------------------------------------------------
    def _train(
        self, course: Course, log: _Log, programs: tuple, given: Given, tested: tuple[Pytree, Pytree] | None
    ) -> None:
        step, theta = programs[0], given.theta
        state = self.optimizer.init(theta)
        if course.saved is not None:
            course.restore(course.saved.arrays, given.theta)
            theta, state = with_leaves("state", (theta, state), course.saved.arrays)
            log.rows = course.saved.arrays["epochs"].tolist()
        course.snapshot = lambda: course.arrays() | log.arrays() | leaves_of("state", (theta, state))
        n_batches = length(given.target) // self.batch_size
        while not course.over:
            epoch, told = course.n_done, []
            # By key and epoch, and no generator that goes on: a training that is resumed sees the samples in the same
            # order.
            order = np.random.default_rng([*np.asarray(given.key), epoch]).permutation(length(given.target))
            for i in range(n_batches):
                rows, number = (
                    order[i * self.batch_size :][: self.batch_size],
                    np.asarray(epoch * n_batches + i, np.uint32),
                )
                theta, state, loss = step(theta, state, given.fixed, given.key, number, given.target, rows)
                told.append(loss)
            # Fetched once in an epoch: until then no step waits for the one before.
            loss = float(np.mean(jax.device_get(told)))
            score = None if tested is None else self._score(programs, theta, given, tested)
            log.note(loss, score)
            # A training loss that is no number goes first: the course ends there, with the best parameters.
            chosen = loss if score is None or not np.isfinite(loss) else score.loss
            if course.ends(Step(chosen, theta, given.key, self._task.natural)):
                break

    def _step(
        self,
        theta: Numbers,
        state: object,
        fixed: Pytree,
        key: jax.Array,
        number: Array,
        data: object,
        rows: object,
    ) -> tuple:
        batch, space = take(data, rows), self._task.space
        theta, state, loss, *_ = self._descent._step(space, theta, state, fixed, key, number, batch)
        return theta, state, loss

    def _outputs(self, programs: tuple, theta: Array, given: Given, inputs: object) -> Pytree:
        """In batches of one size, for one program and bounded memory; the last is filled up with its last sample."""
        n = length(inputs)
        starts = range(0, n, self.batch_size)
        each = [
            programs[1](theta, given.fixed, fold(given.key, i), take(inputs, np.minimum(rows, n - 1)))
            for i, rows in enumerate(np.arange(start, start + self.batch_size) for start in starts)
        ]
        return jax.tree.map(lambda *parts: jnp.concatenate(parts)[:n], *each)

    def _score(self, programs: tuple, theta: Array, given: Given, data: tuple[Pytree, Pytree]) -> Score:
        loss, metric = programs[2](self._outputs(programs, theta, given, data[0]), data[1])
        return Score(float(loss), None if metric is None else float(metric))

    def _measured(self, outputs: object, targets: object) -> tuple[object, object]:
        with self._task.calling():
            return self._task.against(outputs, targets), None if self.metric is None else self.metric(outputs, targets)

    # --- around it --------------------------------------------------------------------------------------------------
    def _given(self, data: object, seed: Seed) -> tuple[Inventory, Given]:
        self._task.renewed()
        found = inventory(self.model)
        theta = trained(found)
        fixed = {path: x for path, x in found.raw().items() if path not in theta}
        return found, Given(theta, fixed, as_key(seed), data)

    def _structure(self, found: Inventory) -> Hashable:
        """A program serves only where this is the same."""
        # Layers read it while they are traced: a program was made for one.
        dt = brainstate.environ.get("dt", default=None)
        return found.structure, self._task.look(found, metric=self.metric, dt=dt)

    def _compile(self, found: Inventory) -> Programs:
        """The programs of a step, of outputs, and of loss and metric."""
        structure = self._structure(found)
        if structure not in self._compiled:
            parts = self._step, self._task.outputs, self._measured
            # Of a bound method that it has seen JAX keeps the trace, whatever its function reads.
            first, second, third = (jax.jit(partial(part)) for part in parts)
            self._compiled[structure] = first, second, third
        return self._compiled[structure]

    def _programs(self, found: Inventory, given: Given) -> Programs:
        """The same, after a look at what comes out for these samples."""
        # Of fewer samples than a batch, as in `predict`, some stand in it twice: only shapes matter.
        batch = jax.eval_shape(lambda data: take(data, np.arange(self.batch_size) % length(data)), given.target)
        sort = self._structure(found), str(shapes_of(given.theta))
        self._task.check(sort, given.theta, given.fixed, given.key, batch)
        outputs = jax.eval_shape(partial(self._task.outputs), given.theta, given.fixed, given.key, batch[0])
        if any(x.shape[:1] != (self.batch_size,) for x in jax.tree.leaves(outputs)):
            raise ValueError(
                f"The outputs must have one row per sample, {self.batch_size} in a batch, but have shape "
                f"{', '.join(str(x.shape) for x in jax.tree.leaves(outputs))}: see `predict` of Trainer."
            )
        if self.metric is not None:
            shape = jax.eval_shape(partial(self._measured), outputs, batch[1])[1].shape
            if shape != ():
                raise ValueError(f"The metric must be one number, but has shape {shape}: reduce it, e.g. by its mean.")
        return self._compile(found)

    def _describe(self, found: Inventory, given: Given, tested: object) -> dict[str, object]:
        return {
            "parameters": shapes_of(given.theta),
            "back end": "Trainer",
            **self._descent.describe(given),
            "batch_size": self.batch_size,
            "set of other parameters": digest(given.fixed),
            "set of samples": digest(given.target),
            "set of held-out samples": None if tested is None else digest(tested),
            "seed": digest(given.key),
            **self._task.describe(found, {"predict": "predict", "loss_fn": "objective", "metric": "metric"}),
        }

    def _finish(self, course: Course, log: _Log, found: Inventory, given: Given) -> TrainResult:
        # None: no epoch had a loss that is a number.
        best: Any = given.theta if course.best_key is None else course.best
        for path, value in best.items():
            state = found.params[path].val if path in found.params else found.tables[path]
            state.value = value  # pyright: ignore[reportAttributeAccessIssue]
        chosen = np.asarray(course.losses)
        epoch = -1 if course.best_key is None else int(np.nanargmin(np.where(np.isfinite(chosen), chosen, np.nan)))
        return TrainResult(*log.columns(), epoch, self._task.natural(best), course.n_done)


class _Log:
    """What came out in each epoch: training loss, held-out loss and metric, NaN for what there is not."""

    def __init__(self, callbacks: Sequence[Callable[[Epoch], object]], tested: bool):
        self.rows: list[list[float]] = []
        self._callbacks, self._tested = callbacks, tested

    def note(self, loss: float, score: Score | None) -> None:
        held_out = [np.nan, np.nan] if score is None else [score.loss, np.nan if score.metric is None else score.metric]
        self.rows.append([loss, *held_out])

    def tell(self, step: FitStep) -> bool:
        loss, held_out, metric = self.rows[-1]
        score = Score(held_out, None if np.isnan(metric) else metric) if self._tested else None
        epoch = Epoch(step.step, loss, score, step.best_loss, step.params)
        # A list: those after one that ends the training are told as well.
        return any([callback(epoch) is True for callback in self._callbacks])

    def columns(self) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        loss, held_out, metric = np.asarray(self.rows).T
        # A loss that is NaN throughout, as of a training that diverged at once, is a loss all the same.
        return loss, held_out if self._tested else None, None if np.isnan(metric).all() else metric

    def arrays(self) -> dict[str, np.ndarray]:
        return {"epochs": np.asarray(self.rows)}


# --- checks -------------------------------------------------------------------------------------------------------
def _held_out(given: object, data: object) -> tuple[object, object]:
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise argument_error(
            Argument("held_out", "Trainer"), "must be a pair (inputs, targets)", f"is {show(given)}", kind=TypeError
        )
    tested = check_data(*given, where="held_out")
    shapes = [(jax.tree.structure(x), [leaf.shape[1:] for leaf in jax.tree.leaves(x)]) for x in (tested, data)]
    if shapes[0] != shapes[1]:
        raise argument_error(
            Argument("held_out", "Trainer"),
            f"must have samples of the same shapes as the others, {shapes[1][1]}",
            f"has {shapes[0][1]}",
        )
    return tested
