"""What is to be made small: the loss as a pure function of the values of the trainable parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from brainmass._common.checks import is_traced
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.random import fold, keys_from
from brainmass._common.same import Pictures, environment
from brainmass._common.typing import Array, Numbers, Pytree
from brainmass.fitting.rows import Rows
from brainmass.fitting.space import SearchSpace
from brainmass.simulation import context
from brainmass.simulation.identity import digest, lasting, plan_of, within
from brainmass.simulation.inventory import ByPath, Inventory, Template, Values, inventory
from brainmass.simulation.ownership import Owner, trainable_within
from brainmass.simulation.program import note_given
from brainmass.simulation.watch import Told, listening

if TYPE_CHECKING:
    from brainmass.dynamics.node import NeuralMassDynamics

__all__ = ["Problem", "call", "norm"]


@runtime_checkable
class KeepsWhatFollows(Protocol):
    """A module that keeps what follows from its parameters, outside of a run as well."""

    def bring_up_to_date(self) -> None: ...


class Problem:
    """A subject, which holds a model, and what it is to achieve; functions are called with what `hand` takes from it.

    Values are those that are fitted, as `space` has them: before transforms, or, with `plain`, after them.
    """

    space: SearchSpace

    def __init__(
        self,
        subject: Any,
        loss_fn: Callable[..., Numbers] | None,
        predict: Callable[..., Pytree] | None,
        objective: Callable | None,
        transient: int = 0,
        mode: str = "reverse",
        horizon: Any = None,
        hand: Callable[[Pytree], Pytree] = attrgetter("model"),
    ):
        self.subject, self.mode, self.hand = subject, mode, hand
        self._loss_fn, self.predicting, self._objective = loss_fn, predict, objective
        self._transient, self.horizon = transient, horizon
        self.shape: tuple[int, ...] = ()  # of the loss
        self._gives_more = False  # whether `loss_fn` returns a pair: the loss, and something to be handed back
        self._checked: set[Any] = set()
        self._pictures, self._things = Pictures("fit"), {}

    def look(self, found: Inventory, **more: object) -> int:
        """A number that stays the same as long as the functions of the user are, and what they read."""
        functions = {"loss_fn": self._loss_fn, "predict": self.predicting, "objective": self._objective, **more}
        self._things = {**found.others, **functions, "brainstate.environ": environment()}
        return self._pictures.number(self._things)

    def share(self, other: Problem) -> None:
        """Tell functions, and what was checked, as another problem does that was made alike."""
        self._pictures, self._checked, self.shape = other._pictures, other._checked, other.shape

    def describe(self, found: Inventory, functions: Mapping[str, str]) -> dict[str, str]:
        """What a file must agree with, of the model and of functions, by what the user calls them and by their names
        here; after a trace, which shows what they change themselves, such as a log.
        """
        read = lasting(self._things, self._pictures.is_own, "fit")
        settings = {"brainstate.environ": digest(within(read, "brainstate.environ", "dt"))}
        model = {"model (how it is made, or what its functions read)": (plan_of(found), within(read, *found.others))}
        parts = model | {f"`{name}` (its code, or what it reads)": within(read, own) for name, own in functions.items()}
        return settings | {name: digest(part) for name, part in parts.items()}

    def calling(self) -> Any:
        """A context in which functions of the user are called."""
        return self._pictures.calling(self._things)

    @property
    def predicts(self) -> bool:
        return self.predicting is not None or self._gives_more

    @property
    def compares(self) -> bool:
        """Whether a prediction is compared with a target, which `loss_fn` does not get."""
        return self._loss_fn is None

    def loss(self, theta: Values, fixed: Values, key: Numbers, target: Numbers, plain: bool = False) -> Numbers:
        """The loss; of rows the mean. Priors and regularisations are added once."""
        compared, penalty = self._compared(theta, fixed, key, target, plain)
        compared = u.get_mantissa(compared)
        # Added to the mean over rows, and not to each: the weight of a prior does not depend on how many rows there
        # are.
        return (jnp.mean(compared, axis=0) if isinstance(target, Rows) else compared) + penalty

    def losses(self, theta: Values, fixed: Values, key: Numbers, rows: Rows) -> Array:
        """That of each row."""
        # One number for each row; what priors add is in each, so that their mean is the loss.
        compared, penalty = self._compared(theta, fixed, key, rows, False)
        return u.get_mantissa(compared) + penalty

    def residuals(self, theta: Values, fixed: Values, key: Numbers, target: object, plain: bool = False) -> Numbers:
        """What the objective gives, or how far the prediction is from the target, as one row of numbers; priors too."""
        compared, _ = self._compared(theta, fixed, key, target, plain)
        return jnp.concatenate([jnp.ravel(u.get_mantissa(compared)), *self.space.residuals(theta, plain)])

    def predicted(self, theta: Values, fixed: Values, key: Numbers, target: Rows | None) -> tuple[Pytree, list[Told]]:
        """What the model predicts, for each row where there are rows, and what its runs tell of their states."""

        def one(key: jax.Array, data: Array | None) -> Pytree:
            with self.calling(), listening() as told:
                model = self.hand(self.on(theta, fixed, False)[0])
                given = self._prediction if self._loss_fn is None else lambda *args: self._given(*args)[1]
                return given(model, key, data), told

        if not isinstance(target, Rows):
            return one(key, None)
        return jax.vmap(lambda i: one(fold(key, i), target.row(i)[1]))(target.which)

    def value_and_grad(self, loss: Callable) -> Callable[..., tuple[Pytree, Pytree]]:
        """`loss` and its gradient in the first argument, in the mode of this fit."""
        # Reverse mode keeps states of the run for the way back; forward mode keeps none, and takes longer per number.
        return jax.value_and_grad(loss) if self.mode == "reverse" else _forward(loss)

    def renewed(self) -> Inventory:
        """What may be fitted, as it is now, after what follows from it has been brought up to date."""
        for module in self.inventory().modules.values():
            if isinstance(module, KeepsWhatFollows):
                module.bring_up_to_date()
        return self.inventory()

    def inventory(self) -> Inventory:
        """What may be fitted, as it is now."""
        return inventory(self.subject)

    def natural(self, theta: Values) -> ByPath:
        """Parameter values as the equations see them."""
        _, bound = self.on(theta, self.inventory().raw(), False)
        return ByPath((path, bound.params[path].value()) for path in theta)

    def check(
        self, structure: object, theta: Values, fixed: Values, key: Numbers, target: Numbers, many: bool = False
    ) -> None:
        """That the loss can be worked out and is one number, or, with `many`, numbers."""
        # By shapes and types: other numbers of these need no second look, which is a trace of the whole run.
        leaves, tree = jax.tree.flatten((theta, fixed, target))
        sort = structure, tree, tuple((np.shape(x), jnp.result_type(x)) for x in leaves)
        if sort in self._checked:
            return
        shape = jax.eval_shape(partial(self.residuals if many else self.loss), theta, fixed, key, target).shape
        if not many and shape != self.shape:
            raise ValueError(f"The loss must be one number, but has shape {shape}: reduce it, e.g. by its mean.")
        self._checked.add(sort)

    def compared(
        self, theta: Values, fixed: Values, key: Numbers, target: Numbers, data: object, plain: bool
    ) -> Numbers:
        """What the objective gives, without rows or of one of them."""
        copy, found = self.on(theta, fixed, plain)
        with self.owning(found):
            if self._loss_fn is not None:
                return self._given(self.hand(copy), key, data)[0]
            return self.against(self._prediction(self.hand(copy), key, data), target)

    @contextmanager
    def owning(self, copy: Inventory) -> Iterator[None]:
        """Within it, trainable parameters other than those of this copy are refused, as no step would change them."""
        if not is_traced(copy.raw()):  # a second look at one step, of what was looked at before
            yield
            return
        owner = Owner(copy, self.inventory())
        owner.check(trainable_within(f for f in (self._loss_fn, self.predicting, self._objective) if f is not None))
        with context.within(owner=owner):
            yield

    def _given(self, model: Any, key: Numbers, data: Pytree) -> tuple[Pytree, Pytree]:
        """What `loss_fn` gives: the loss, and what comes with it, or None."""
        given = _call(self._loss_fn, model, key, data)  # type: ignore[arg-type]
        self._gives_more = isinstance(given, tuple) and len(given) == 2
        return given if self._gives_more else (given, None)

    def _compared(
        self, theta: Values, fixed: Values, key: jax.Array, target: Numbers, plain: bool
    ) -> tuple[Numbers, Numbers]:
        with context.within(horizon=self.horizon), self.calling():
            if isinstance(target, Rows):
                # the noise of a row is its own, whichever others are in its batch
                compared = jax.vmap(lambda i: self.compared(theta, fixed, fold(key, i), *target.row(i), plain))(
                    target.which
                )
            else:
                compared = self.compared(theta, fixed, key, target, None, plain)
        return compared, self.space.penalty(theta, self.on(theta, fixed, plain)[1], plain)

    def on(self, theta: Values, fixed: Values, plain: bool) -> tuple[Any, Inventory]:
        """A copy of the subject on these values, and what it holds."""
        # A copy, made within the trace: to write traced values into the model of the user would leave tracers there.
        copy, found = Template(self.subject).on({**fixed, **theta})
        # A connection that is zero now may come with what is fitted, and must not be left out.
        note_given(found, theta)
        self.space.put(theta, found, plain)
        return copy, found

    def _prediction(self, handed: NeuralMassDynamics, key: Array, data: Numbers) -> Array:
        prediction = _call(self.predicting, handed, key, data)  # type: ignore[arg-type]
        # Time comes first in whatever is predicted.
        return jax.tree.map(lambda x: x[self._transient :], prediction) if self._transient else prediction

    def against(self, prediction: Numbers, target: Numbers) -> Numbers:
        """What the objective makes of a prediction."""
        try:
            return prediction - target if self._objective is None else self._objective(prediction, target)
        except (TypeError, ValueError) as error:
            shapes = [_shapes(x) for x in (prediction, target)]
            # Of the same shapes the error is about something else, and is told as it is.
            if shapes[0] == shapes[1]:
                raise
            raise ValueError(
                f"The objective cannot compare a prediction of shape {shapes[0]} with a target of shape {shapes[1]}: "
                f"{error}"
            ) from error


def norm(tree: Pytree) -> Numbers:
    """Euclidean, over all numbers of a tree, whatever their units."""
    return jnp.sqrt(sum(jnp.sum(x**2) for x in jax.tree.leaves(tree)))


def _forward(loss: Callable) -> Callable[..., tuple[Pytree, Pytree]]:
    """One directional derivative for each number in the first argument."""

    def value_and_grad(theta: jax.Array, *rest: object) -> tuple[Array, Array]:
        flat, unravel = ravel_pytree(theta)

        def along(direction: jax.Array) -> tuple[Numbers, Numbers]:
            return jax.jvp(lambda x: loss(unravel(x), *rest), (flat,), (direction,))

        # side by side in all directions, and the run itself, which depends on none of them, once
        value, slopes = jax.vmap(along, out_axes=(None, 0))(jnp.eye(flat.size, dtype=flat.dtype))
        return value, unravel(slopes)

    return value_and_grad


def call(function: Callable[..., Pytree], key: Numbers, *args: object) -> Pytree:
    """`function(*args)`, with the key if it takes one more argument; runs without a seed get theirs from the key."""
    with keys_from(key):
        return function(*args, key) if _positional(function) > len(args) else function(*args)


def _call(function: Callable[..., Pytree], model: Any, key: Numbers, data: Pytree) -> Pytree:
    """`function` of the model, or of the model, the key and the data of a row."""
    if data is None:
        return call(function, key, model)
    if _positional(function) < 3:
        raise argument_error(
            Argument("data", "fit"),
            "needs a third argument that takes a row of it: write `predict(model, key, data)`, or "
            "`loss_fn(model, key, data)`",
            kind=TypeError,
        )
    with keys_from(key):
        return function(model, key, data)


def _positional(function: Callable[..., Pytree]) -> int:
    """How many arguments it wants by position; of those with a default only a key."""
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    given = [p for p in inspect.signature(function).parameters.values() if p.kind in kinds]
    return sum(p.default is p.empty or p.name == "key" for p in given)


def _shapes(tree: Array) -> Pytree:
    if isinstance(tree, Mapping | list | tuple):
        return show(jax.tree.map(np.shape, tree, is_leaf=lambda x: isinstance(x, u.Quantity)))
    return u.math.shape(tree)
