"""Two signals compared sample by sample."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from brainmass._common.typing import Array
from brainmass.objectives import _checks as check
from brainmass.objectives._checks import Objective
from brainmass.objectives._made import makes_objective
from brainmass.signals.correlation import root, root_mean_square


@makes_objective
def timeseries_rmse() -> Objective:
    """Root mean square difference of two signals of the same shape.

    The objective returns a plain number, in the unit of the target; prediction and target must have the same
    dimension. Its gradient at equality is 0.
    """

    def rmse(prediction: jax.Array, target: jax.Array) -> jax.Array:
        unit = check.common_unit(prediction, target, "timeseries_rmse")
        p = check.real(prediction, "prediction", "timeseries_rmse", unit)
        t = check.real(target, "target", "timeseries_rmse", unit)
        check.same_shape(p, t, "timeseries_rmse")
        return root_mean_square(p - t)

    return rmse


@makes_objective
def cosine_sim(as_loss: bool = False, epsilon: float = 0.0) -> Objective:
    r"""Cosine of the angle between two signals of the same shape, :math:`p \cdot t / (|p| |t|)` over all entries.

    The means are not taken out.

    Parameters
    ----------
    as_loss : bool
        Return 1 - cosine, in [0, 2], instead of the cosine, in [-1, 1].
    epsilon : float
        Smallest norm to divide by, >= 0: a shorter signal counts as that long. In the unit of each signal.

    Returns
    -------
    callable
        `f(prediction, target)`; units do not matter. 0 cosine, without gradient, if either side is zero
        everywhere.

    Examples
    --------
    >>> float(cosine_sim()([1.0, 0.0], [0.0, 2.0])), float(cosine_sim(as_loss=True)([1.0, 0.0], [-3.0, 0.0]))
    (0.0, 2.0)
    """
    as_loss = check.flag(as_loss, "as_loss", "cosine_sim")
    epsilon = check.number(epsilon, "epsilon", "cosine_sim", ">= 0", lambda x: x >= 0, "cosine_sim(epsilon=1e-8)")

    def cosine(prediction: Array, target: Array) -> jax.Array:
        p = check.real(prediction, "prediction", "cosine_sim")
        t = check.real(target, "target", "cosine_sim")
        check.same_shape(p, t, "cosine_sim")
        # Of equal signals rounding may give a digit more than 1.
        c = jnp.clip(jnp.sum(_unit_vector(p, epsilon) * _unit_vector(t, epsilon)), -1.0, 1.0)
        return 1.0 - c if as_loss else c

    return cosine


def _unit_vector(x: jax.Array, epsilon: float) -> jax.Array:
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(x)))  # taken out, so that no square under- or overflows
    scale = jnp.where(largest == 0, 1.0, largest)
    scaled = x / scale
    norm = root(jnp.sum(scaled**2))
    # `epsilon` is in the unit of the signal, which here is divided by `scale`.
    return scaled / jnp.maximum(jnp.where(norm == 0, 1.0, norm), epsilon / scale)
