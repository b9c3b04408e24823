"""Several objectives as one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.messages import argument_error
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

    def weighted_sum(prediction: Numbers, target: Numbers) -> jax.Array:
        return jnp.asarray(sum(weight * f(prediction, target) for weight, f in weighted_objectives))

    return weighted_sum


def _check_pair(pair: Any) -> None:
    is_pair = isinstance(pair, tuple | list) and len(pair) == 2
    if not (is_pair and not callable(pair[0]) and np.shape(pair[0]) == () and callable(pair[1])):
        raise argument_error(
            check.what("weighted_objectives", "combine"),
            "must be pairs (weight, objective)",
            f"one is {pair!r}",
            "combine((1.0, fc_rmse()))",
            kind=TypeError,
        )
