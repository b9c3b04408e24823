"""Draws from an approximation, weighed by how far the posterior is from it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.extras import import_bayes
from brainmass._common.typing import Pytree
from brainmass.inference.problem import Density
from brainmass.inference.protocol import Drawn, Orders

__all__ = ["log_density_or_nothing", "pool", "resampled"]


def resampled(density: Density, orders: Orders, key: jax.Array, z: jax.Array, log_q: jax.Array, what: str) -> Drawn:
    """As many draws as are ordered, of `z` (n, size), by Pareto-smoothed importance weights.

    Vehtari et al. 2024, J. Mach. Learn. Res. 25:72: a shape of the tail k̂ above 0.7 says that the weights cannot be
    relied upon.
    """
    lp = np.asarray(density.at(z), float)
    ratios = np.where(np.isfinite(lp), lp, -np.inf) - np.asarray(log_q, float)
    good = np.isfinite(ratios)
    if not good.any():
        raise ValueError(f"The log density is -inf or NaN at all draws by {what}: try 'nuts' or 'smc'.")
    weights, tail = _weights(np.where(good, ratios - ratios[good].max(), -np.inf)), -10.0
    if 1 / np.sum(weights**2) < 0.99 * len(weights):  # else the approximation is the posterior, and no tail is left
        found = import_bayes("blackjax.diagnostics").psis_weights(jnp.asarray(np.maximum(ratios, ratios[good].min())))
        weights, tail = _weights(np.where(good, np.asarray(found[0], float), -np.inf)), float(found[1])
    worth = float(1 / np.sum(weights**2))
    shape = orders.n_chains, orders.n_draws
    chosen = np.asarray(jax.random.choice(key, len(weights), shape, p=jnp.asarray(weights)))
    notes = []
    if tail > 0.7:
        notes.append(
            f"{what} is far from the posterior (Pareto k̂ {tail:.2f}, above 0.7; the weighted draws are worth "
            f"{worth:.0f}): what follows from it is rough; use 'nuts', or 'smc'"
        )
    facts = {"pareto_k": tail, "effective_draws": worth}
    return Drawn(jnp.asarray(z)[chosen], {"lp": lp[chosen]}, notes, facts)


def _weights(log_weights: np.ndarray) -> np.ndarray:
    # Less the largest, so that one weight is 1 and none overflows.
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


def pool(orders: Orders) -> int:
    """How many draws to weigh for those that are ordered."""
    # More than are drawn, so that few are drawn twice; and enough for a tail to have a shape.
    return max(1000, 2 * orders.n_draws * orders.n_chains)


def log_density_or_nothing(density: Density, given: Pytree, z: jax.Array) -> jax.Array:
    """The log density, and where a run diverges or nothing observed can come of it a number that is very low."""
    value = density.log_density(z, given)
    # Not -inf, whose differences in a line search, or in a mean, would be NaN.
    return jnp.where(jnp.isfinite(value), value, -1e30)
