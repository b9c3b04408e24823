"""`Problem`: what is asked of data. A run, priors of its parameters, a likelihood, and what was observed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import holds_numbers, one_of, whole
from brainmass._common.foreign import tree
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.random import as_key
from brainmass._common.typing import (
    Array,
    ArrayLike,
    Monitors,
    Numbers,
    Period,
    Pytree,
    RunInputs,
    RunParameters,
    Seed,
    Time,
)
from brainmass.dynamics.module import Closed, fixed
from brainmass.fitting.checks import check_finite, check_model
from brainmass.fitting.description import described
from brainmass.fitting.problem import Problem as Fitted
from brainmass.fitting.problem import call
from brainmass.fitting.saved import digest
from brainmass.fitting.space import SearchSpace
from brainmass.inference.likelihoods import Likelihood
from brainmass.inference.predicting import Asked, Exact, Function, as_likelihoods, given_by, recorded_by
from brainmass.inference.reals import Reals
from brainmass.simulation import context
from brainmass.simulation.inventory import ByPath, Inventory, Values
from brainmass.simulation.simulator import Simulator

__all__ = ["Density", "Problem"]

_AT_ONCE = 64  # places whose density is worked out side by side
_VALUES = Argument("values", "Problem")
_FEW = 16  # numbers up to which forward mode is faster: a run that keeps nothing is some four times as fast


class Density(NamedTuple):
    """The posterior density over unbounded numbers, as a pure function, and what it takes besides them.

    `log_density(z, given)` and its two parts; `given` holds all other parameters, the key and the observation, so that
    a program that was compiled once serves other data. `program(name, make)` is what `make()` gave before, where
    nothing has changed since that it could depend on.
    """

    reals: Reals
    log_likelihood: Callable[[jax.Array, Pytree], jax.Array]
    log_prior: Callable[[jax.Array], jax.Array]
    log_density: Callable[[jax.Array, Pytree], jax.Array]
    given: Pytree
    program: Callable[[Any, Callable[[], Any]], Any]

    def at(self, z: Array, given: Pytree = None) -> np.ndarray:
        """The log density at many places (..., size), some at a time, by one program for any number of them."""
        flat = np.asarray(z).reshape(-1, z.shape[-1])
        n = len(flat)
        # Filled up with copies of the first, so that one compiled program serves any number.
        flat = np.concatenate([flat, np.broadcast_to(flat[:1], (-n % _AT_ONCE, flat.shape[1]))])
        program = self.program("densities", lambda: jax.jit(jax.vmap(self.log_density, (0, None))))
        given = self.given if given is None else given
        parts = [np.asarray(program(part, given)) for part in flat.reshape(-1, _AT_ONCE, flat.shape[1])]
        return np.concatenate(parts)[:n].reshape(z.shape[:-1])


class Problem(Closed):
    """A run with priors of its parameters, a likelihood, and what was observed.

    Parameters
    ----------
    model : Simulator, or brainstate module
    search_space : mapping
        As of `Fitter`: a prior (`brainmass.Normal`, `LogNormal`, `Prior` of any distribution of numpyro), bounds, in
        which the prior is even, or `brainmass.Free`, by the name of the parameter. That of the likelihood is
        `"likelihood.sigma"`, with several `"likelihood.bold.sigma"`.
    likelihood : Likelihood, mapping of them, or callable, optional
        How observations scatter around what the run predicts: `Gaussian`, `StudentT`, or one of your own. A mapping,
        by the names of monitors, where several were observed. A function `(predicted, observed)` that returns a log
        density. Without one, what is recorded is what is observed, and there is no density: for `npe`.
    observed : array, or mapping of them, optional
        In the form of what the monitor records; or the feature of it, as the likelihood says. `npe` and `calibrate`
        need none.
    duration, monitors, inputs, transient, sample_every, parameters : optional
        The run: arguments of `Simulator.run`.
    predict : callable, optional
        In place of that run, `predict(simulator)` or `predict(simulator, key)`, or of the model if one was given.
    mode : {'reverse', 'forward'}, optional
        How gradients are worked out. Forward mode costs one run per number, all side by side, and keeps nothing: the
        default for up to 16 numbers.
    seed : int or JAX key
        Decides the noise of the run. The density is that of runs with this noise: a likelihood of a stochastic model
        is estimated by `npe`, not by this.

    Raises
    ------
    ValueError, TypeError
        If a parameter has no prior, or what is observed does not fit what is predicted.

    Examples
    --------
    >>> import brainmass, brainunit as u, numpy as np
    >>> from brainmass import inference
    >>> simulator = brainmass.Simulator(brainmass.HopfStep(1, a=0.2), dt=0.1 * u.ms)
    >>> observed = simulator.run(20 * u.ms, monitors=["x"], sample_every=1 * u.ms)["x"]
    >>> problem = inference.Problem(
    ...     simulator, {"a": brainmass.Normal(0.0, 0.5)}, inference.Gaussian(0.1), observed,
    ...     duration=20 * u.ms, monitors=["x"], sample_every=1 * u.ms,
    ... )
    >>> problem.names
    ['a']
    """

    _elsewhere = fixed("simulator", "observed", "mode")

    def __init__(
        self,
        model: Simulator | brainstate.nn.Module,
        search_space: Mapping[str, Any],
        likelihood: Likelihood | Mapping[str, Likelihood] | Callable[[Array, Array], Numbers] | None = None,
        observed: ArrayLike | Mapping[str, ArrayLike] | None = None,
        *,
        duration: Time | None = None,
        monitors: Monitors = None,
        inputs: RunInputs = None,
        transient: Period | None = None,
        sample_every: Period | None = None,
        predict: Callable[..., Pytree] | None = None,
        mode: str | None = None,
        seed: Seed = 0,
        parameters: RunParameters = None,
    ):
        check_model("Problem", model)
        one_of(Argument("mode", "Problem"), mode, ("reverse", "forward", None))
        simulator = model if isinstance(model, Simulator) else None
        run = dict(duration=duration, monitors=monitors, inputs=inputs, transient=transient, sample_every=sample_every)
        run["parameters"] = parameters
        likelihoods = as_likelihoods(likelihood)
        if predict is None:
            runs = model if isinstance(model, Simulator) else Simulator(model)
            asked = recorded_by(runs, run, likelihoods)
        else:
            asked = given_by(predict, model, run, likelihoods)
        self.simulator, self._key = simulator, as_key(seed)
        self._predicting = asked.predict
        self._fitted = Fitted(Asked(asked.subject, asked.likelihoods), None, asked.predict, None, hand=asked.hand)
        self._described = described(search_space, "Problem")
        self._programs: dict[Any, Any] = {}
        self.observed = self._checked(observed)
        size = sum(side.size for side in self._found()[1].sides.values())
        self.mode = mode or ("forward" if size <= _FEW else "reverse")
        if self.observed is not None and self.has_density:
            self._check_density(self.observed)

    # --- what is asked ------------------------------------------------------------------------------------------------
    @property
    def names(self) -> list[str]:
        """The paths of the parameters."""
        return list(self._found()[1].sides)

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Names of the regions, if the model knows them."""
        labels = getattr(self._fitted.subject.model, "labels", None)
        return None if labels is None else tuple(map(str, labels))

    @property
    def has_density(self) -> bool:
        """Whether a likelihood was given."""
        return not any(isinstance(x, Exact) for x in self._fitted.subject.likelihoods.values())

    def log_likelihood(self, values: Mapping[str, Numbers]) -> jax.Array:
        """The log density of what was observed, given values of the parameters; a pure function of them."""
        found, space = self._found()
        self._check_density(self.observed)
        return self._likelihood(space.by_path(_VALUES, values, found), self._given(found, space))

    def log_prior(self, values: Mapping[str, Numbers]) -> jax.Array:
        """The log density of values of the parameters before anything is observed."""
        found, space = self._found()
        return space.log_density(space.by_path(_VALUES, values, found))

    def log_density(self, values: Mapping[str, Numbers]) -> jax.Array:
        """The sum of both: the posterior density, but for a constant. Safe under `jit`, `grad` and `vmap`."""
        return self.log_likelihood(values) + self.log_prior(values)

    def sample_prior(self, n: int, seed: Seed = 0) -> dict[str, Numbers]:
        """`n` draws of each parameter from its prior."""
        return ByPath(self._found()[1].sample(as_key(seed), n))

    def density(self) -> Density:
        """What an engine takes: the density over unbounded numbers."""
        found, space = self._found()
        self._check_density(self.observed)
        reals = Reals(space)

        # compiled within others, it is traced once for all of them
        log_likelihood = self._program(
            "likelihood", lambda: jax.jit(lambda z, given: self._likelihood(reals.values(z), given))
        )

        def log_prior(z: jax.Array) -> jax.Array:
            return space.log_density(reals.values(z)) + reals.log_slope(z)

        def log_density(z: jax.Array, given: Pytree) -> jax.Array:
            return log_likelihood(z, given) + log_prior(z)

        differentiable = log_density if self.mode == "reverse" else _by_forward_mode(log_density)
        return Density(reals, log_likelihood, log_prior, differentiable, self._given(found, space), self._program)

    def predict(self, values: Mapping[str, Numbers], seed: Seed = None) -> Pytree:
        """What the run records at these values; by monitor where several were observed."""
        found, space = self._found()
        given = self._given(found, space)._replace(key=self._key if seed is None else as_key(seed))
        predicted = self._predicted(space.by_path(_VALUES, values, found), given)[1]
        return predicted[""] if set(predicted) == {""} else predicted

    def observations(self, values: Mapping[str, Numbers], seed: Seed = 0) -> dict[str, Numbers]:
        """Runs at many values, in one batch: what they record, and, under `observed ...`, what is observed of them.

        Parameters
        ----------
        values : mapping of str to array (n, ...)
        seed : int or JAX key
            Of the noise of the runs and of what is observed; each run has its own.
        """
        found, space = self._found()
        values = space.by_path(_VALUES, values, found)
        n = u.math.shape(next(iter(values.values())))[0]
        # The other parameters are arguments, so that it serves after the model has changed, too.
        program = self._program("observations", lambda: jax.jit(jax.vmap(self._observation, (0, 0, None))))
        recorded, drawn = program(values, jax.random.split(as_key(seed), n), self._given(found, space))
        named = {name or "y": x for name, x in recorded.items()}
        return named | {f"observed {name or 'y'}": x for name, x in drawn.items()}

    def prior_predictive(self, n: int = 100, seed: Seed = 0) -> ByPath:
        """Runs at `n` draws of the prior, and what is observed of them, as by `observations`; parameters too."""
        values = self.sample_prior(whole(Argument("n", "prior_predictive"), n), seed)
        return ByPath({**values, **self.observations(values, jax.random.fold_in(as_key(seed), 1))})

    def _observation(
        self, values: Values, key: jax.Array, given: Given
    ) -> tuple[dict[str, Numbers], dict[str, Numbers]]:
        """What one run records, and what is observed of it, by monitor."""
        # Apart: errors of observation are independent of the noise of the run.
        of_run, of_errors = jax.random.split(key)
        likelihoods, recorded = self._predicted(values, given._replace(key=of_run))
        drawn = {
            name: x.draw(jax.random.fold_in(of_errors, i), x.feature(recorded[name]))
            for i, (name, x) in enumerate(likelihoods.items())
            if not isinstance(x, Function)
        }
        return recorded, drawn

    def pointwise(self, values: Mapping[str, Numbers]) -> dict[str, jax.Array]:
        """The log density of each number that was observed, for many values: shape (n, ...), by monitor."""
        found, space = self._found()

        def one(values: Values, given: Given) -> dict[str, jax.Array]:
            likelihoods, recorded = self._predicted(values, given)
            pairs = {name: (x.feature(recorded[name]), given.observed[name]) for name, x in likelihoods.items()}
            return {name: likelihoods[name].pointwise(*pair) for name, pair in pairs.items()}

        def one_by_one(values: Values, given: Given) -> dict[str, jax.Array]:
            return jax.lax.map(lambda v: one(v, given), values)  # all at once would keep every prediction

        program = self._program("pointwise", lambda: jax.jit(one_by_one))
        return program(space.by_path(_VALUES, values, found), self._given(found, space))

    def _program(self, name: Any, make: Callable[[], Any]) -> Any:
        """One that was compiled before, where everything that it was made from is the same."""
        found, space = self._found()
        # What a program was made from: structure, priors and bounds, and the user's functions with what they read.
        place = name, found.structure, str(space.describe()), self._fitted.look(found)
        if place not in self._programs:
            self._programs[place] = make()
        return self._programs[place]

    def replace(self, observed: ArrayLike | Mapping[str, ArrayLike]) -> Problem:
        """The same problem for another observation; programs that were compiled serve both."""
        return self._observing(self._checked(observed))

    def _observing(self, compared: dict[str, Numbers] | None) -> Problem:
        """With another observation, as what is compared."""
        other = object.__new__(type(self))
        # Not by `__init__`, which would trace the run once more: the copy shares what was compiled, by reference.
        vars(other).update(vars(self))
        vars(other)["observed"] = compared
        return other

    def describe(self) -> dict[str, object]:
        """What a file must agree with."""
        found, space = self._found()
        given = self._given(found, space)
        self._fitted.look(found)
        return {
            "search space": space.describe(),
            "set of other parameters": digest(given.fixed),
            "observation": digest(given.observed),
            "likelihood": {name: type(x).__name__ for name, x in self._fitted.subject.likelihoods.items()},
            **self._fitted.describe(found, {"predict": "predict"}),
        }

    # --- how it is worked out -----------------------------------------------------------------------------------------
    def _found(self) -> tuple[Inventory, SearchSpace]:
        found = self._fitted.renewed()
        space = self._fitted.space = SearchSpace(self._described, found)
        if flat := [path for path, side in space.sides.items() if side.prior is None and side.low is None]:
            raise argument_error(
                Argument("search_space", "Problem"),
                f"must give {', '.join(flat)} a prior or bounds",
                example=f'search_space={{"{flat[0]}": brainmass.Normal(0.0, 1.0)}}.',
            )
        # A regularisation is a loss without a scale, which is no density.
        if added := [path for path in space.sides if found.params[path].reg is not None]:
            raise argument_error(
                Argument("search_space", "Problem"),
                f"has no use for the regularisation of {added[0]}: a prior is what stands in its place",
            )
        return found, space

    def _given(self, found: Inventory, space: SearchSpace) -> Given:
        return Given(self._fixed(found, space), self._key, self.observed)

    def _fixed(self, found: Inventory, space: SearchSpace) -> Values:
        return {path: x for path, x in found.raw().items() if path not in space.sides}

    def _predicted(self, values: Values, given: Given) -> tuple[Mapping[str, Likelihood], dict[str, Numbers]]:
        """The likelihoods with their parameters, and what the run recorded, by monitor."""
        with context.within(horizon=None), self._fitted.calling():
            copy, found = self._fitted.on({**values}, given.fixed, True)
            with self._fitted.owning(found):
                recorded = call(self._predicting, given.key, self._fitted.hand(copy))
        likelihoods = copy.likelihoods
        return likelihoods, {"": recorded} if set(likelihoods) == {""} else recorded

    def _likelihood(self, values: Values, given: Given) -> jax.Array:
        likelihoods, recorded = self._predicted(values, given)
        parts = [x.log_density(x.feature(recorded[name]), given.observed[name]) for name, x in likelihoods.items()]
        for part in parts:
            if not holds_numbers(part):
                what = Argument("likelihood", "Problem")
                raise argument_error(
                    what, "must return a log density, one number", f"returns {show(part)}", kind=TypeError
                )
        return sum(parts, jnp.zeros(()))

    def _checked(self, observed: Any) -> dict[str, Numbers] | None:
        """What was observed, as what is compared, by monitor: in the unit and shape of what is predicted."""
        likelihoods: Mapping[str, Likelihood] = self._fitted.subject.likelihoods
        shapes = self._shapes()
        if observed is None:
            return None
        what = Argument("observed", "Problem")
        observed = tree(what, observed, getattr(self._fitted.subject.model, "labels", None))
        if set(likelihoods) == {""} and not isinstance(observed, Mapping):
            observed = {"": observed}
        if not isinstance(observed, Mapping) or set(observed) != set(likelihoods):
            wanted = f"must map {', '.join(likelihoods)} to what was observed"
            given = f"has {', '.join(map(str, observed))}" if isinstance(observed, Mapping) else f"is {show(observed)}"
            raise argument_error(what, wanted if set(likelihoods) != {""} else "must be one array", given)
        return {name: self._compared(name, observed[name], *shapes[name]) for name in likelihoods}

    def _compared(self, name: str, x: Numbers, recorded: Numbers, predicted: Numbers) -> Numbers:
        """One of them, given the shapes of what is recorded and of what of it is compared."""
        what, likelihood = Argument("observed", "Problem"), self._fitted.subject.likelihoods[name]
        check_finite(what, x)
        x = x if isinstance(x, u.Quantity) else jnp.asarray(x)
        like = predicted if likelihood.summarised else recorded
        if isinstance(x, u.Quantity) and not isinstance(likelihood, Function):
            if not x.unit.has_same_dim(u.get_unit(like)):
                unit = (
                    "no unit" if u.get_unit(like).is_unitless else f"the unit of what is recorded, {u.get_unit(like)}"
                )
                raise argument_error(what, f"must have {unit}", f"is in {x.unit}", kind=u.UnitMismatchError)
            x = x.in_unit(u.get_unit(like))
        x = x if likelihood.summarised else likelihood.feature(x)
        if u.math.shape(x) != u.math.shape(predicted) and not isinstance(likelihood, Function):
            of = f" by {name!r}" if name else ""
            wanted = f"must have the shape of what is predicted{of}, {u.math.shape(predicted)}"
            raise argument_error(what, wanted, f"has {u.math.shape(x)}")
        return x

    def _shapes(self) -> dict[str, Pytree]:
        """By monitor, of what is recorded, and of what of it is compared."""
        found, space = self._found()

        def both(values: Values, fixed: Values) -> dict[str, Pytree]:
            likelihoods, recorded = self._predicted(values, Given(fixed, self._key, None))
            return {name: (recorded[name], x.feature(recorded[name])) for name, x in likelihoods.items()}

        def make() -> Pytree:
            # By shapes alone: nothing is run to check an observation.
            return jax.eval_shape(both, space.after(space.start), self._fixed(found, space))

        return self._program("shapes", make)

    def _check_density(self, observed: Pytree) -> None:
        """That there is one, and that it is one number."""
        if not self.has_density:
            raise argument_error(
                Argument("likelihood", "Problem"),
                "is needed for a density",
                "is missing",
                "likelihood=brainmass.inference.Gaussian(0.1).",
                hint="Without one, `npe` learns the posterior from simulations.",
            )
        if observed is None:
            raise argument_error(
                Argument("observed", "Problem"), "is needed for a density", "is missing", "problem.replace(observed)."
            )
        found, space = self._found()

        def make() -> Pytree:
            return jax.eval_shape(self._likelihood, space.after(space.start), self._given(found, space)).shape

        if (shape := self._program("shape of the density", make)) != ():
            raise ValueError(f"The log density must be one number, but has shape {shape}: sum it up.")


class Given(NamedTuple):
    """All that a density depends on besides the parameters."""

    fixed: Values
    key: jax.Array
    observed: Pytree


def _by_forward_mode(log_density: Callable[[jax.Array, Pytree], jax.Array]) -> Callable[[jax.Array, Pytree], jax.Array]:
    """The same, whose gradient is one directional derivative per number, all at once."""

    # Engines ask for gradients by `jax.grad`, which is reverse mode: it finds the slopes worked out on the way there.
    @jax.custom_vjp
    def density(z: jax.Array, given: Pytree) -> jax.Array:
        return log_density(z, given)

    def forward(z: jax.Array, given: Pytree) -> tuple[jax.Array, jax.Array]:
        along = lambda v: jax.jvp(lambda x: log_density(x, given), (z,), (v,))  # noqa: E731
        value, slopes = jax.vmap(along, out_axes=(None, 0))(jnp.eye(z.size, dtype=z.dtype))
        return value, slopes

    def backward(slopes: jax.Array, cotangent: jax.Array) -> tuple[jax.Array, None]:
        # `given` gets no cotangent: nobody differentiates by data and fixed parameters here.
        return cotangent * slopes, None

    density.defvjp(forward, backward)
    return density
