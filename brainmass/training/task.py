"""A task: data with targets, and what a model makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import brainstate
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Array, Numbers, Pytree
from brainmass.fitting.checks import check_finite
from brainmass.fitting.problem import Problem, call
from brainmass.fitting.recorded import Subject
from brainmass.simulation.inventory import ByPath, Inventory, inventory
from brainmass.training.sequence import Built, SequenceNetwork

__all__ = ["Task", "Weights", "check_data", "length", "outputs_of", "take", "trained"]


class Task(Problem):
    """The loss of a model on samples. What a problem calls the target is here the pair of inputs and targets."""

    def __init__(
        self, model: brainstate.nn.Module, predict: Callable[..., Pytree] | None, loss_fn: Callable[..., Numbers]
    ):
        super().__init__(Subject(model), None, predict or outputs_of, loss_fn)
        self.space: Any = Weights(trained(inventory(model)))

    def outputs(self, theta: Pytree, fixed: Pytree, key: jax.Array, inputs: Pytree) -> Pytree:
        """What the model makes of the inputs, samples first; layers that behave otherwise in training do not here."""
        return self._outputs(self.on(theta, fixed, False)[0].model, key, inputs, training=False)

    def compared(
        self, theta: Numbers, fixed: Pytree, key: jax.Array, target: Numbers, data: object, plain: bool
    ) -> Numbers:
        inputs, targets = target
        copy, found = self.on(theta, fixed, plain)
        # A parameter that is reached past the copy would stay as it is: it is refused.
        with self.owning(found):
            return self.against(self._outputs(copy.model, key, inputs, training=True), targets)

    def natural(self, theta: Numbers) -> ByPath:
        _, bound = self.on(theta, self.inventory().raw(), False)
        return ByPath((p, bound.params[p].value() if p in bound.params else bound.tables[p].value) for p in theta)

    def _outputs(self, model: brainstate.nn.Module, key: jax.Array, inputs: object, training: bool) -> Pytree:
        def outputs(inputs: object) -> Pytree:
            # By `fit` dropout and the like of brainstate know whether they are to act.
            with self.calling(), brainstate.environ.context(fit=training):
                return call(self.predicting, key, model, inputs)  # type: ignore[arg-type]

        return _with_draws_from(key, outputs, inputs)


class Weights:
    """What training changes, as it is stored: in the place of the search space of a fit, and without bounds."""

    def __init__(self, values: Mapping[str, object]):
        self.start, self.sides = dict(values), {}

    def put(self, theta: Numbers, found: Inventory, plain: bool) -> None:
        """They are in the model as it was made."""

    def penalty(self, theta: Numbers, found: Inventory, plain: bool) -> Numbers:
        return sum((found.params[path].reg_loss() for path in theta if path in found.params), 0.0)

    def kept_within(self, theta: Numbers) -> Pytree:
        return theta


def _with_draws_from(key: jax.Array, function: Callable[[Pytree], Pytree], argument: object) -> Pytree:
    """`function(argument)`, with what it draws from `brainstate.random` decided by a key, which may be traced."""
    # The generator stands outside of the trace, where its state cannot be written: as a pure function the state is one
    # more argument.
    pure = brainstate.transform.StatefulFunction(function, return_only_write=False)
    draws = brainstate.random.DEFAULT
    values = [brainstate.random.RandomState(key).value if s is draws else s.value for s in pure.get_states(argument)]
    return pure.jaxpr_call(values, argument)[1]


def outputs_of(model: brainstate.nn.Module, inputs: Pytree) -> Array:
    """`model(inputs)` from fresh states, samples first; layers over a sequence are given theirs time first."""
    brainstate.nn.init_all_states(model, batch_size=length(inputs))
    if not isinstance(model, Built):
        return model(inputs)
    out = model(jnp.swapaxes(inputs, 0, 1))
    # A readout of the last step has no time.
    return out if isinstance(model, SequenceNetwork) else jnp.swapaxes(out, 0, 1)


def trained(found: Inventory) -> dict[str, Pytree]:
    """By path, what training changes: trainable parameters, and the weights of brainstate's own layers."""
    # Layers of brainstate keep weights in states of this kind, not as `Param`.
    weights = [path for path, table in found.tables.items() if isinstance(table, brainstate.ParamState)]
    paths = [path for path, param in found.params.items() if param.fit] + weights
    if not paths:
        raise ValueError(
            "The model has nothing to train: neither weights of layers, nor a parameter made trainable by "
            f"brainstate.nn.Param(value, fit=True). It has the parameters {', '.join(found.params) or 'none'}."
        )
    raw = found.raw()
    return {path: raw[path] for path in paths}


# --- samples ------------------------------------------------------------------------------------------------------
def length(data: object) -> int:
    """Number of samples."""
    return np.shape(jax.tree.leaves(data)[0])[0]


def take(data: object, rows: object) -> Pytree:
    """Some of the samples."""
    return jax.tree.map(lambda x: x[rows], data)


def check_data(inputs: object, targets: object, where: str = "") -> tuple[Pytree, Pytree]:
    """Inputs and targets as arrays, if they are finite and one for one."""
    for name, given in ("inputs", inputs), ("targets", targets):
        what = Argument(f"{where or name}", f"Trainer{f' ({name})' if where else ''}")
        leaves = jax.tree.leaves(given)
        if not leaves or any(np.ndim(x) == 0 for x in leaves):
            raise argument_error(what, "must be an array with one row per sample", f"is {show(given)}")
        check_finite(what, given)
    lengths = [np.shape(x)[0] for x in jax.tree.leaves((inputs, targets))]
    if len(set(lengths)) > 1 or lengths[0] == 0:
        raise ValueError(
            f"Arguments `{where or 'inputs'}` and `{where or 'targets'}` of Trainer must have one row for each sample, "
            f"but have {', '.join(map(str, lengths))} rows."
        )
    return jax.tree.map(jnp.asarray, inputs), jax.tree.map(jnp.asarray, targets)
