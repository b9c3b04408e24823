"""`Fitter`: changes trainable parameters until what a model predicts is like the data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import brainstate
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import MOST, number, one_of, whole
from brainmass._common.foreign import tree
from brainmass._common.messages import Argument, argument_error
from brainmass._common.paths import as_path
from brainmass._common.random import as_key
from brainmass._common.same import Picture, Unseen, alike, picture
from brainmass._common.typing import (
    Array,
    Monitors,
    Numbers,
    PathLike,
    Period,
    Pytree,
    RunInputs,
    RunParameters,
    Seed,
    Time,
)
from brainmass.dynamics.module import Closed, fixed
from brainmass.fitting.checks import callbacks_of, check_finite, check_model, orders_of
from brainmass.fitting.course import Course, Given, Orders
from brainmass.fitting.description import described
from brainmass.fitting.failure import Failure, of_gradient, of_loss
from brainmass.fitting.front import ParetoFront
from brainmass.fitting.gradient_check import GradientCheck, compare_gradients
from brainmass.fitting.options import BACKENDS, check_options, solver
from brainmass.fitting.outcome import FitResult, FitStep
from brainmass.fitting.problem import Problem
from brainmass.fitting.recorded import Recorded, Subject, as_objective
from brainmass.fitting.rows import Rows, as_rows, chunks, minibatch
from brainmass.fitting.saved import Saved, digest, shapes_of
from brainmass.fitting.solvers.derivative_free import from_dictionary
from brainmass.fitting.solvers.multi_objective import stacked
from brainmass.fitting.solvers.second_order import Minimize
from brainmass.fitting.space import SearchSpace
from brainmass.objectives.signals import timeseries_rmse
from brainmass.simulation.inventory import ByPath, Inventory
from brainmass.simulation.simulator import Simulator

if TYPE_CHECKING:
    import braintools
    import optax
    from optimistix import AbstractLeastSquaresSolver

    # of one of the back ends: by name or with its settings, of optax or braintools, a family of nevergrad, a solver
    Optimizer: TypeAlias = (
        str
        | Mapping[str, Any]
        | optax.GradientTransformation
        | braintools.optim.Optimizer
        | Callable[..., Any]
        | AbstractLeastSquaresSolver
        | None
    )

__all__ = ["Fitter"]

_ORDERS: dict[str, Any] = {"fresh_noise": None, "patience": None, "min_delta": 0.0, "verbose": False}
_ORDERS |= {"progress": False, "checkpoint": None, "checkpoint_every": 60.0}


class Fitter(Closed):
    """Fits parameters of a model: those given as `brainstate.nn.Param(value, fit=True)`, or named in `search_space`.

    Parameters
    ----------
    model : brainstate module or Simulator
    optimizer : optional
        For 'grad' an optax or braintools optimiser, default `optax.adam(1e-2)`; it sees the parameters before their
        transforms. For 'nevergrad' a name, class or family of nevergrad, default "CMA". For 'scipy'
        "differential_evolution", the default, or a method of `scipy.optimize.minimize`, such as "L-BFGS-B". For
        'optimistix' "LevenbergMarquardt", the default, "GaussNewton", "Dogleg", or a solver. Also a dictionary: for
        'nevergrad' of `method` and `n_sample`, the size of a generation (the search then begins in the middle of
        the bounds, not at the present values); for 'scipy' of `method`, `tol` and `options`.
    duration, monitors, inputs, sample_every, parameters : optional
        The run whose recordings are compared with the data: arguments of `Simulator.run`. What is predicted is the
        array of the monitor; of several, a mapping by their names. Parameters of inputs, courses and monitors are
        fitted like those of the model, by names such as "inputs.x_inp.amplitude", "parameters.a.values" or
        "observers.bold.tau".
    objective : callable, or mapping of them, optional
        `objective(prediction, target)`, a scalar, e.g. `brainmass.objectives.fc_corr(as_loss=True)`. A mapping from
        names of monitors to objectives: their sum, each with what the mapping `target` has under that name. Default
        with `predict`: `brainmass.objectives.timeseries_rmse()`.
    predict : callable, optional
        In place of that run, `predict(model)` or `predict(model, key)`, or of the Simulator if one was given; the key
        seeds what is random in this step.
    loss_fn : callable, optional
        In place of run and objective, `loss_fn(model)` or `loss_fn(model, key)`, a scalar. Of a pair
        `(loss, more)` the second becomes `prediction` of the result.
    backend : {'grad', 'nevergrad', 'scipy', 'optimistix'}
        For 'optimistix', least squares, `objective` or `loss_fn` gives residuals, an array, whose sum of squares is
        the loss; without an objective they are `prediction - target`.
    callbacks : callable or list of them, optional
        Called with a `FitStep` after each step; one that returns True ends the fit.
    transient : int or Quantity, optional
        Samples at the beginning of the prediction to leave out; or the beginning of the run that is not recorded, as a
        time.
    search_space : mapping, optional
        How parameters are fitted, by name: bounds `(low, high)` or `brainmass.Bounds`; a prior, such as
        `brainmass.Normal`, whose negative log density is added to the loss; or `brainmass.Free`, which has both, and
        says which regions share a number. All are of the parameter as the equations see it. A parameter named here is
        fitted, also one given as a plain number; `brainmass.Fixed()` keeps one as it is. Search without derivatives
        needs bounds or a prior for all that is fitted. With 'grad' each step of the optimiser is followed by a
        projection onto the bounds.
    n_starts : int
        Multi-start, for 'grad': the present values, and others drawn from priors and bounds, fitted side by side.
    popsize : int, optional
        Candidates of a generation, run as one batch.
    mode : {'reverse', 'forward'}
        Reverse mode is backpropagation through time, with checkpointing. Forward mode costs one run per number that is
        fitted, and needs no memory that grows with the run: for few parameters.
    grad_horizon : Quantity or int, optional
        Truncated backpropagation through time: gradients stay within windows of this length, a time or a number of
        steps.

    Raises
    ------
    ValueError, TypeError
        If the model has nothing to train, the loss is not one number, or an option does not belong to the back end.
    """

    _elsewhere = fixed("model", "backend", "optimizer")

    def __init__(
        self,
        model: brainstate.nn.Module | Simulator,
        optimizer: Optimizer = None,
        *,
        loss_fn: Callable[..., Numbers] | None = None,
        objective: Callable[[Any, Any], Any] | Mapping[str, Any] | None = None,
        predict: Callable[..., Pytree] | None = None,
        backend: str = "grad",
        callbacks: Callable[[FitStep], Any] | Sequence[Callable[[FitStep], Any]] | None = None,
        transient: Period | None = None,
        search_space: Mapping[str, object] | None = None,
        n_starts: int = 1,
        popsize: int | None = None,
        mode: str = "reverse",
        grad_horizon: Period | None = None,
        duration: Time | float | None = None,
        monitors: Monitors = None,
        inputs: RunInputs = None,
        sample_every: Period | None = None,
        parameters: RunParameters = None,
    ):
        # First of all, while the locals are the arguments alone.
        named = {name: x for name, x in locals().items() if name not in ("self", "model", "optimizer", "__class__")}
        self._given_as = (model, optimizer), named  # for copies
        check_model("Fitter", model)
        one_of(Argument("backend", "Fitter"), backend, BACKENDS)
        optimizer, popsize, settings = from_dictionary(backend, optimizer, popsize)
        options = dict(n_starts=n_starts, popsize=popsize, mode=mode, grad_horizon=grad_horizon)
        check_options(backend, optimizer, options)
        run = dict(duration=duration, monitors=monitors, inputs=inputs, sample_every=sample_every)
        run["parameters"] = parameters
        simulator = model if isinstance(model, Simulator) else None
        self.model: brainstate.nn.Module = model.model if isinstance(model, Simulator) else model
        self.backend = backend
        # A number counts samples of what is predicted, of any function; a time belongs to the run, and needs one.
        run["transient"], samples = (None, transient) if isinstance(transient, int) else (transient, 0)
        self._recorded: Recorded | None = None
        if loss_fn is not None or predict is not None:
            _check_functions(loss_fn, predict, objective, run)
            if predict is not None and objective is None and backend != "optimistix":
                objective = timeseries_rmse()
            hand = attrgetter("model") if simulator is None else partial(_simulator_of, simulator.dt)
            subject = Subject(self.model)
        else:
            simulator = simulator or Simulator(self.model)
            self._recorded = predict = _recorded(simulator, run, objective, backend)
            hand, subject = _itself, predict.subject_of(simulator, run)
            objective = as_objective(objective, predict.monitors)
        function: Any = stacked(objective) if backend == "pymoo" else objective
        self._problem = Problem(subject, loss_fn, predict, function, samples, mode, grad_horizon, hand)
        self._solver = solver(backend, self._problem, optimizer, n_starts, popsize, settings, objective)
        self._callbacks = callbacks_of("Fitter", callbacks)
        self._described = described(search_space)
        # For its errors; a fit makes its own, as the model may have changed by then.
        self._space(self._problem.inventory())
        self._predictions: dict[Any, Any] = {}
        self._structures: list[Any] = []
        self._last: Saved | None = None

    def __reduce__(self) -> tuple:
        """What a copy is made of: what it was given, and the last fit, but not the compiled programs."""
        positional, named = self._given_as
        return partial(type(self), **named), positional, {"_last": self._last}

    @property
    def optimizer(self) -> Any:
        """The optimiser, as it was given; where none was, the default."""
        given = self._given_as[0][1]
        return given if self.backend == "grad" and given is not None else self._solver.optimizer

    def fit(
        self,
        target: Numbers = None,
        n_steps: int | None = None,
        *,
        verbose: bool = False,
        seed: Seed = 0,
        fresh_noise: bool | None = None,
        patience: int | None = None,
        min_delta: float = 0.0,
        progress: bool = False,
        resume: PathLike | None = None,
        checkpoint: PathLike | None = None,
        checkpoint_every: float = 60.0,
        data: object = None,
        batch: int | None = None,
    ) -> FitResult:
        """Fit, and leave the model with the best parameters seen.

        Parameters
        ----------
        target
            What the objective compares with.
        n_steps : int, optional
            Largest number of steps: of the optimiser, or generations; those of a fit that is resumed count. Default
            100. Of a method of `scipy.optimize.minimize` the number of minimisations, each to its end: one from the
            present values, the others from random places within the bounds; default 1.
        verbose : bool
            Print the loss about ten times.
        seed : int or JAX key
            Decides the keys that `predict` or `loss_fn` are given, and what the optimiser draws.
        fresh_noise : bool, optional
            Whether every step has a new key, or all have the same; default True for 'grad' and 'nevergrad'. The others
            need one function throughout.
        patience : int, optional
            Stop after so many steps without an improvement of more than `min_delta`.
        progress : bool
            Show a progress bar, with the loss and the time left.
        resume : path, optional
            File of the same fit to go on from, as if it had never stopped.
        checkpoint : path, optional
            File to write every `checkpoint_every` seconds and at the end, for `resume`.
        data : optional
            With one row for each subject or window, as has then the target: `predict(model, key, data)` gets its row,
            such as a connectome or a stimulus, the objective that of the target, and the loss is the mean over rows.
            Priors and regularisations are added to that mean.
        batch : int, optional
            For 'grad', how many rows a step sees: all, one random minibatch after another, before one comes again.
            Losses are then those of minibatches; the best parameters, and `best_loss`, are judged on all rows, at the
            start, after each pass through them and at the end.
        """
        orders, found, space, given, structure = self._arranged(
            target, n_steps, seed=seed, data=data, batch=batch, fresh_noise=fresh_noise, patience=patience,
            min_delta=min_delta, verbose=verbose, progress=progress, checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
        )  # fmt: skip
        described = self._describe(found, given, space, bool(orders.fresh_noise)) | {"batch": batch}
        saved = None if resume is None else Saved.read_for(as_path(resume, Argument("resume", "fit")), described)
        with Course(orders, described, saved) as course:
            self._failure = Failure("")
            # A closer look costs a few runs and is taken once, where a fit has met a loss that is no number.
            course.explain = partial(self._explain, course, given)
            raw = self._solver.run(course, structure, given, space)
        # Before anything else can fail: a fit of hours can be saved, and gone on from.
        self._last = Saved(described, course.snapshot())
        return self._finish(course, found, given, structure, raw)

    def _arranged(
        self,
        target: Numbers = None,
        n_steps: int | None = None,
        *,
        seed: Seed = 0,
        data: Pytree = None,
        batch: Any = None,
        **how: Any,
    ) -> tuple[Orders, Inventory, SearchSpace, Given, object]:
        """What a fit goes by; all errors there are before its first step."""
        minimises = isinstance(self._solver, Minimize)
        if n_steps is None:
            n_steps = 1 if minimises else 100
        orders = Orders(callbacks=self._callbacks, **orders_of("fit", "n_steps", n_steps, _ORDERS | how))
        # What a minimisation of scipy counts is its own steps, of which nobody knows how many there will be.
        if minimises:
            orders = dataclasses.replace(orders, n_steps=MOST, minimisations=orders.n_steps)
        labels = getattr(self.model, "labels", None)
        self._check_target("fit", target)
        target, data = (
            tree(Argument(name, "fit"), given, labels) for name, given in (("target", target), ("data", data))
        )
        for name, numbers in {"target": target, "data": data}.items():
            check_finite(Argument(name, "fit"), numbers)
        if batch is not None and (self.backend != "grad" or not self._solver.may_be_fresh):
            name = "grad, without a line search" if self.backend == "grad" else "grad"
            raise argument_error(Argument("batch", "fit"), f"belongs to the back end {name}: others need one function")
        if self._recorded is not None and data is not None:
            raise argument_error(
                Argument("data", "fit"),
                "needs a function that takes a row of it: give Fitter `predict(model, key, data)`",
            )
        target = as_rows(self._as_predicted(target), data, batch)
        fresh = self._solver.fresh_noise if orders.fresh_noise is None else orders.fresh_noise
        if fresh and not self._solver.may_be_fresh:
            raise argument_error(
                Argument("fresh_noise", "fit"),
                f"must be False for {self._solver.name}, which needs one function throughout: with other "
                "noise at each step, a difference between two steps says nothing",
            )
        self._looked_at(target, seed)
        # That may have been the first run of a network with delays, which has a past from then on; else nothing is new.
        found, space, given, structure = self._looked_at(target, seed)
        return dataclasses.replace(orders, fresh_noise=fresh, batch=batch), found, space, given, structure

    def _looked_at(self, target: Pytree, seed: Seed) -> tuple[Inventory, SearchSpace, Given, object]:
        """What is fitted, as it is now, of which the loss can be worked out."""
        found = self._problem.renewed()
        space = self._space(found)
        given = self._given(found, space, target, seed)
        structure = self._structure(found, given)
        self._problem.check(structure, *given, many=self._solver.many)
        return found, space, given, structure

    def save(self, path: object) -> None:
        """Write the last fit to a file, from which `fit(..., resume=path)` goes on bit for bit."""
        if self._last is None:
            raise ValueError("Fitter.save needs a fit to save: call fit first, or fit(..., checkpoint=path).")
        self._last.write(as_path(path, Argument("path", "Fitter.save")))

    def log_prior(self, values: Mapping[str, object]) -> Array:
        """The log density of values of the parameters that are fitted, of which all have a prior or bounds.

        Bounds count as an even density within them, in the logarithm with `log`. One number where regions share it.
        """
        found = self._problem.inventory()
        space = self._space(found)
        space.check_for_density()
        return space.log_density(space.by_path(Argument("values", "log_prior"), values, found))

    def sample_prior(self, seed: Seed, n: int) -> dict[str, Numbers]:
        """`n` draws of each parameter that is fitted, from what `log_prior` is the density of."""
        space = self._space(self._problem.inventory())
        space.check_for_density()
        return ByPath(space.sample(as_key(seed), whole(Argument("n", "sample_prior"), n)))

    def check_gradient(self, target: Numbers = None, *, seed: Any = 0, step: float | None = None) -> GradientCheck:
        """Compare the gradient with finite differences at the present values, along one direction per parameter.

        Parameters
        ----------
        target, seed
            As in `fit`.
        step : float, optional
            Relative step of the differences; default that which suits the precision.
        """
        if step is not None:
            number(Argument("step", "check_gradient"), step, "> 0", lambda x: x > 0)
        self._check_target("check_gradient", target)
        check_finite(Argument("target", "check_gradient"), target)
        found = self._problem.renewed()
        given = self._given(found, self._space(found), self._as_predicted(target), seed)
        self._problem.check(self._structure(found, given), *given)
        return compare_gradients(self._problem, given, step)

    # --- around it --------------------------------------------------------------------------------------------------
    def _structure(self, found: Inventory, given: Given) -> Any:
        """A program serves only where this is the same."""
        number = self._problem.look(found, search_space=self._described, dt=brainstate.environ.get("dt", default=None))
        structure = found.structure, str(shapes_of(given.theta)), number
        if structure in self._structures:
            return structure
        for known in self._structures:
            if alike(known, structure):
                return known
        # in place, as fitters that share programs share what these are known by
        self._structures[:] = [*self._structures[-15:], structure]
        return structure

    def _share(self, other: Fitter) -> bool:
        """Use the programs of another fitter if that was made alike, as those of the folds are; whether it was."""
        alike = self._settings() == other._settings() is not None
        if alike:
            self._problem.share(other._problem)
            self._predictions, self._structures = other._predictions, other._structures
            self._solver._compiled = other._solver._compiled
        return alike

    def _settings(self) -> Picture | None:
        """What programs are made with besides what `_structure` tells; None where that cannot be seen."""
        (_, optimizer), named = self._given_as
        told = {"optimizer", "loss_fn", "predict", "objective", "search_space", "callbacks"}
        told |= {"monitors", "inputs", "parameters"}  # by `Recorded`, and the subject that it makes
        try:
            return picture({**{n: x for n, x in named.items() if n not in told}, "optimizer": optimizer,
                            "hand": self._problem.hand})  # fmt: skip
        except Unseen:
            return None

    def _given(self, found: Inventory, space: SearchSpace, target: Numbers, seed: Seed) -> Given:
        # Arguments of the compiled step, not constants in it: a second fit, after model.w = 0.4, need not compile.
        fixed = {path: x for path, x in found.raw().items() if path not in space.sides}
        return Given(space.start, fixed, as_key(seed), target)

    def _check_target(self, owner: str, target: object) -> None:
        """A target that nothing would compare with is refused."""
        if target is not None and not self._problem.compares:
            raise argument_error(
                Argument("target", owner),
                "has no effect with `loss_fn`, which gets a model and compares by itself: read the data in it, or give "
                "Fitter `predict` and `objective`",
                example="loss_fn=lambda model: rmse(predict(model), target).",
            )

    def _as_predicted(self, target: Numbers) -> Array | None:
        """Data in the form of what they are compared with."""
        return target if self._recorded is None else self._recorded.against(target)

    def _space(self, found: Inventory) -> SearchSpace:
        """What is fitted, as the model is now."""
        space = self._problem.space = SearchSpace(self._described, found)
        self._solver.check(space)
        return space

    def _describe(self, found: Inventory, given: Given, space: SearchSpace, fresh: bool | None) -> dict[str, object]:
        return {
            "parameters": shapes_of(given.theta),
            "back end": self.backend,
            **self._solver.describe(given),
            "mode": self._problem.mode,
            "horizon": str(self._problem.horizon),
            "search space": space.describe(),
            **({} if self._recorded is None else self._recorded.describe()),
            "set of other parameters": digest(given.fixed),
            "target": digest(given.target),
            "seed": digest(given.key),
            "fresh_noise": fresh,
            **self._problem.describe(found, self._functions),
        }

    @property
    def _functions(self) -> dict[str, str]:
        """The functions of the user by the argument that holds them, and where the problem has them."""
        if self._recorded is None:
            return {name: name for name in ("loss_fn", "predict", "objective")}
        # The rest of what a run is made with is told by `Recorded.describe`.
        return {"monitors": "predict/monitors", "inputs": "predict/inputs", "objective": "objective"}

    def _explain(self, course: Course, given: Given, what: str, place: dict[str, Array], key: Numbers) -> str:
        """Where the last step went wrong."""
        target, batch = given.target, course.orders.batch
        if batch is not None:
            # The rows of the step that was lost: others may be good.
            target = minibatch(target, given.key, course.n_done - 1, batch)
        there = Given(self._solver.stored(place), given.fixed, key, target)
        try:
            self._failure = (of_loss if what == "loss" else of_gradient)(self._problem, there)
        except Exception as error:  # the fit keeps what it has, whatever a closer look meets
            self._failure = Failure(f"A closer look at it ended with {type(error).__name__}: {error}")
        return self._failure.text

    def _finish(self, course: Course, found: Inventory, given: Given, structure: object, raw: object) -> FitResult:
        best, prediction = given.theta, None
        best_loss, place, key = course.chosen()
        if key is not None:
            best = self._solver.stored(place)
            prediction = self._predict(course, best, given, key, structure) if self._problem.predicts else None
        # The model of the user gets the best of all steps, and not where the last one has led.
        self._problem.space.store(best, found)
        return FitResult(
            backend=self.backend,
            best_loss=best_loss,
            best_params=self._problem.natural(best),
            history=np.asarray(course.losses),
            n_steps=course.n_done,
            prediction=prediction,
            optimizer=self.optimizer,
            raw=raw,
            model=self.model,
            histories=np.asarray(course.histories),
            grad_norms=np.asarray(course.norms) if course.norms else None,
            divergence=self._failure.error,
            bounds=self._problem.space.bounds(),
            front=raw if isinstance(raw, ParetoFront) else None,
        )

    def _predict(self, course: Course, best: Pytree, given: Given, key: Numbers, structure: Any) -> Numbers:
        """What the best parameters give; a warning tells of states that left their bounds there."""
        predict = self._predictions.setdefault(structure, jax.jit(lambda *args: self._problem.predicted(*args)))
        if not isinstance(given.target, Rows):
            prediction, told = predict(best, given.fixed, key, None)
        else:
            n = len(given.target.which)
            parts = [predict(best, given.fixed, key, part) for part in chunks(given.target, course.orders.batch or n)]
            # The last part was filled up.
            prediction, told = jax.tree.map(lambda *xs: jnp.concatenate(xs)[:n], *parts)
        for run in told:
            run.warn(("row {}",) if isinstance(given.target, Rows) else (), stacklevel=5)
        return prediction


def _check_functions(loss_fn: Callable | None, predict: object, objective: object, run: Mapping[str, object]) -> None:
    """What does not belong to a fit of a function is refused."""
    given = (loss_fn is not None, predict is not None, objective is not None)
    if given not in [(True, False, False), (False, True, True), (False, True, False)]:
        raise ValueError("Fitter needs either `loss_fn`, or `predict`, with an `objective` or without.")
    name = "predict" if loss_fn is None else "loss_fn"
    if odd := [argument for argument, x in run.items() if x is not None]:
        raise argument_error(
            Argument(odd[0], "Fitter"),
            f"belongs to the run that it makes itself; `{name}` makes its own",
            hint="Leave one of the two out.",
        )
    if isinstance(objective, Mapping):
        raise argument_error(
            Argument("objective", "Fitter"), f"must be one function of what `{name}` returns", kind=TypeError
        )


def _recorded(simulator: Simulator, run: Mapping[str, object], objective: Any, backend: str) -> Recorded:
    """The run of a fit that makes it itself."""
    if run["duration"] is None or (objective is None and backend != "optimistix"):
        raise ValueError(
            "Fitter needs either `loss_fn`, or both `predict` and `objective`, or, to make the run itself, both "
            '`duration` and `objective`. Example: Fitter(simulator, duration=500 * u.ms, monitors=["x"], '
            "objective=brainmass.objectives.fc_corr(as_loss=True))."
        )
    return Recorded(simulator, run, objective)


def _simulator_of(dt: Numbers, subject: Subject) -> Simulator:
    return Simulator(subject.model, dt)


def _itself(subject: Subject) -> Subject:
    return subject
