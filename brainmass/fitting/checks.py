"""What fits and trainings are given: checked before anything is compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import brainstate
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import flag, function, instance, is_function, is_traced, items, number, whole
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.paths import as_path
from brainmass._common.typing import ArrayLike, Numbers
from brainmass.simulation.simulator import Simulator

__all__ = ["callbacks_of", "check_finite", "check_model", "orders_of"]


def check_model(owner: str, model: Any) -> None:
    kinds = (Simulator, brainstate.graph.Node)
    instance(Argument("model", owner), model, kinds, "a brainstate module, or a Simulator of one")


def callbacks_of(owner: str, callbacks: Any) -> list[Callable[..., object]]:
    """A function, a list of them, or None, as a list."""
    what = Argument("callbacks", owner)
    if callbacks is None or is_function(callbacks):
        return [] if callbacks is None else [callbacks]
    return [function(f"{what}, each of them,", callback) for callback in items(what, callbacks, "functions")]


def check_finite(what: str, tree: Numbers) -> None:
    """Refuse what is not made of finite numbers."""
    for leaf in jax.tree.leaves(tree):
        if is_traced(leaf):
            continue
        values = np.asarray(leaf)
        if not (jnp.issubdtype(values.dtype, np.number) or values.dtype == bool):
            raise argument_error(what, "must hold numbers", f"holds {show(leaf)}", kind=TypeError)
        if not np.isfinite(values).all():
            raise argument_error(what, "must be finite", "holds NaN or infinity")


def orders_of(owner: str, steps: str, n: ArrayLike, given: dict[str, object]) -> dict[str, Any]:
    """How a fit is to go: `steps` is the argument for the number `n` of them, `given` are the others by name."""
    checks = {
        "patience": whole,
        "min_delta": partial(number, must=">= 0", holds=lambda x: x >= 0),
        "verbose": flag,
        "progress": flag,
        "checkpoint": lambda what, path: as_path(path, what),
        "checkpoint_every": partial(number, must=">= 0", holds=lambda x: x >= 0),
        "fresh_noise": flag,
    }
    may_be_none = ("patience", "checkpoint", "fresh_noise")
    checked = {
        name: None if value is None and name in may_be_none else checks[name](Argument(name, owner), value)
        for name, value in given.items()
    }
    return {"n_steps": whole(Argument(steps, owner), n), **checked}
