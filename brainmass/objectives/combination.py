"""Several objectives as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import instance, number
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Numbers
from brainmass.objectives import _checks as check
from brainmass.objectives._checks import Objective
from brainmass.objectives._made import makes_objective


@makes_objective
def combine(*weighted_objectives: tuple[Any, Objective]) -> Objective:
    """Weighted sum of objectives, `combine((w1, f1), (w2, f2))(p, t) = w1 * f1(p, t) + w2 * f2(p, t)`.

    All objectives get the same prediction and target. Weights are scalars, of either sign.
    """
    for pair in weighted_objectives:
        _check_pair(pair)
    if not weighted_objectives:
        raise argument_error(
            check.what("weighted_objectives", "combine"),
            "must be one pair or more",
            "is empty",
            "combine((1.0, fc_rmse()))",
        )

    # `sum` begins with Python's 0: the result is made an array, of one objective as of several.
    def weighted_sum(prediction: Numbers, target: Numbers) -> jax.Array:
        return jnp.asarray(sum(weight * f(prediction, target) for weight, f in weighted_objectives))

    return weighted_sum


def _check_pair(pair: Any) -> None:
    is_pair = isinstance(pair, tuple | list) and len(pair) == 2
    # Both are looked at, so that a pair that is turned round is told here.
    if not (is_pair and not callable(pair[0]) and np.shape(pair[0]) == () and callable(pair[1])):
        raise argument_error(
            check.what("weighted_objectives", "combine"),
            "must be pairs (weight, objective)",
            f"one is {pair!r}",
            "combine((1.0, fc_rmse()))",
            kind=TypeError,
        )


class Several:
    """Objectives by name, all of one prediction: `Fitter` minimises their weighted sum, or finds their Pareto front.

    Parameters
    ----------
    objectives : mapping of str to callable
        Losses, `f(prediction, target)`, each a scalar that is lower where the prediction is better.
    weights : mapping of str to number, optional
        Of the sum, by the same names, positive; by default 1.

    A target that is a mapping with exactly these names holds one for each; any other is the target of all.

    Examples
    --------
    >>> import jax
    >>> from brainmass.objectives import Several, fc_corr, fcd_ks
    >>> simulated, measured = jax.random.normal(jax.random.key(0), (2, 200, 5))
    >>> both = Several({"fc": fc_corr(as_loss=True), "fcd": fcd_ks()}, weights={"fcd": 2.0})
    >>> {name: round(float(x), 2) for name, x in both.each(measured, measured).items()}
    {'fc': 0.0, 'fcd': 0.0}
    """

    def __init__(self, objectives: Mapping[str, Objective], weights: Mapping[str, float] | None = None):
        what = Argument("objectives", "Several")
        example = 'Several({"fc": fc_corr(as_loss=True), "fcd": fcd_ks()})'
        instance(what, objectives, Mapping, "a mapping of names to functions", example=example)
        if not objectives:
            raise argument_error(what, "must hold at least one function", "is empty", example)
        for name, function in objectives.items():
            if not isinstance(name, str) or not callable(function):
                raise argument_error(
                    what, "must map names to functions", f"holds {name!r}: {show(function)}", example, kind=TypeError
                )
        self._objectives = dict(objectives)
        given, what = {} if weights is None else weights, Argument("weights", "Several")
        example = example.replace("()})", '()}, weights={"fcd": 2.0})')
        instance(what, given, Mapping, "a mapping of names to numbers", example=example)
        if unknown := [name for name in given if name not in self._objectives]:
            raise argument_error(what, f"may name {', '.join(self.names)}", f"names {unknown[0]!r}")
        self.weights = {name: float(number(what, given.get(name, 1.0), "> 0", lambda x: x > 0)) for name in self.names}

    @property
    def names(self) -> tuple[str, ...]:
        """Of the objectives, in the order given."""
        return tuple(self._objectives)

    def each(self, prediction: Numbers, target: Numbers) -> dict[str, jax.Array]:
        """The value of each objective, by name."""
        # Of exactly these names: a mapping of other ones may be what an objective itself takes.
        own = isinstance(target, Mapping) and target.keys() == self._objectives.keys()
        return {n: jnp.asarray(f(prediction, target[n] if own else target)) for n, f in self._objectives.items()}

    def __call__(self, prediction: Numbers, target: Numbers) -> jax.Array:
        """The weighted sum."""
        return jnp.asarray(sum(self.weights[n] * value for n, value in self.each(prediction, target).items()))

    def __repr__(self) -> str:
        return f"Several({', '.join(f'{w:g} * {n}' for n, w in self.weights.items())})"
