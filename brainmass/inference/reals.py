"""Parameters as unbounded numbers of order one, side by side, which is what samplers move."""

from __future__ import annotations

import math
from collections.abc import Mapping

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.typing import Numbers
from brainmass.fitting.coordinate import Coordinate
from brainmass.fitting.space import SearchSpace
from brainmass.simulation.inventory import Values

__all__ = ["Reals", "labels"]

_DRAWS = 256  # of the prior, to tell where it is and how wide
_FAR = 10.0


class Reals:
    """The parameters of a search space as one row of numbers, each from -inf to inf.

    A parameter between two ends is the logistic function of its number, one with one end an exponential; then location
    and scale are those of the prior, so that it is roughly standard normal. That is where step sizes, variational
    families and searches begin well.
    """

    def __init__(self, space: SearchSpace):
        self.space = space
        self.sides = {path: _Side(side) for path, side in space.sides.items()}
        self.size = sum(side.size for side in self.sides.values())
        # Always of this key: the numbers of a posterior mean the same in every session and file.
        draws = space.sample(np.zeros(2, np.uint32), _DRAWS)
        for path, side in self.sides.items():
            side.standardise(draws[path])

    def values(self, z: jax.Array) -> Values:
        """Values of the parameters, as the equations see them, by path."""
        return {path: side.value(x) for (path, side), x in zip(self.sides.items(), self._parts(z), strict=True)}

    def row(self, values: Mapping[str, Numbers]) -> jax.Array:
        """The numbers for these values."""
        return jnp.concatenate([side.numbers(values[path]) for path, side in self.sides.items()])

    def sample(self, key: jax.Array, n: int) -> jax.Array:
        """Numbers (n, size) of draws of the prior; those of draws that were moved to an end lie far out."""
        rows = jax.vmap(self.row)(self.space.sample(key, n))
        return jnp.clip(rows, -_FAR, _FAR)

    def log_slope(self, z: jax.Array) -> jax.Array:
        """The logarithm of how much wider values lie than the numbers: what a density is to be multiplied by."""
        sides = zip(self.sides.values(), self._parts(z), strict=True)
        return sum((side.log_slope(x) for side, x in sides), jnp.zeros(()))

    def log_priors(self, z: jax.Array) -> dict[str, jax.Array]:
        """The log density of the numbers of each parameter, before anything is observed; by path."""
        sides = zip(self.sides.items(), self._parts(z), strict=True)
        return {
            path: self.space.sides[path].log_density(side.value(x)) + side.log_slope(x) for (path, side), x in sides
        }

    def names(self) -> list[str]:
        """One for each number, as `node.a[3]`."""
        return [name for path, side in self.sides.items() for name in side.names(path)]

    def _parts(self, z: jax.Array) -> list[jax.Array]:
        return jnp.split(z, np.cumsum([side.size for side in self.sides.values()])[:-1].tolist())


class _Side:
    """One parameter. Ends that are infinite are none."""

    def __init__(self, side: Coordinate):
        self.side, self.size, self.shape = side, side.size, side.shape
        low, high = (np.full(self.shape, end) for end in (-np.inf, np.inf))
        if side.prior is not None:
            # A prior is in a unit of its own.
            factor = float(u.Quantity(1.0, unit=side.prior.unit).to_decimal(side.unit))
            low, high = (np.broadcast_to(np.asarray(end, float) * factor, self.shape) for end in side.prior.ends())
        if side.free.bounds is not None:
            low, high = np.maximum(low, side.low), np.minimum(high, side.high)
        self.low, self.high = np.ravel(low), np.ravel(high)
        self.bounded, self.below, self.above = (
            np.isfinite(self.low) & np.isfinite(self.high),
            np.isfinite(self.low) & ~np.isfinite(self.high),
            ~np.isfinite(self.low) & np.isfinite(self.high),
        )
        # stand-ins where there is no end, so that no branch that is not taken makes NaN
        self._low, self._high = np.where(np.isfinite(self.low), self.low, 0.0), np.where(self.bounded, self.high, 1.0)
        self._top = np.where(self.above, self.high, 0.0)
        self.centre, self.scale = np.zeros(self.size), np.ones(self.size)

    def standardise(self, draws: Numbers) -> None:
        numbers = np.asarray(jax.vmap(self.numbers)(draws))
        numbers = np.where(np.isfinite(numbers), numbers, np.nan)  # draws that were moved to an end
        centre, scale = np.nanmean(numbers, axis=0), np.nanstd(numbers, axis=0)
        good = np.isfinite(centre) & (scale > 0)
        self.centre, self.scale = np.where(good, centre, 0.0), np.where(good, scale, 1.0)

    def value(self, z: jax.Array) -> Numbers:
        y = self.centre + self.scale * z
        between = self._low + (self._high - self._low) * jax.nn.sigmoid(y)
        one_sided = jnp.exp(jnp.where(self.below | self.above, y, 0.0))
        x = jnp.where(self.below, self._low + one_sided, jnp.where(self.above, self._top - one_sided, y))
        x = jnp.where(self.bounded, between, x)
        return self.side.value(jnp.reshape(x, self.shape))

    def numbers(self, value: Numbers) -> jax.Array:
        x = jnp.ravel(jnp.asarray(u.Quantity(value).to_decimal(self.side.unit)))
        share = jnp.where(self.bounded, (x - self._low) / (self._high - self._low), 0.5)
        apart = jnp.where(self.below, x - self._low, jnp.where(self.above, self._top - x, 1.0))
        y = jnp.where(self.below | self.above, jnp.log(apart), x)
        # The logit; infinite at an end, where `sample` and `draws` put it far out.
        y = jnp.where(self.bounded, jnp.log(share) - jnp.log1p(-share), y)
        return (y - self.centre) / self.scale

    def log_slope(self, z: jax.Array) -> jax.Array:
        y = self.centre + self.scale * z
        # dσ/dy = σ(y) σ(-y), in logarithms, which far out do not underflow.
        between = np.log(self._high - self._low) + jax.nn.log_sigmoid(y) + jax.nn.log_sigmoid(-y)
        slope = jnp.where(self.bounded, between, jnp.where(self.below | self.above, y, 0.0))
        return jnp.sum(slope + np.log(self.scale))

    def names(self, path: str) -> list[str]:
        return labels(path, self.shape)


def labels(path: str, shape: tuple[int, ...]) -> list[str]:
    """A name for each number of a parameter, as `node.a[3]`."""
    places = [f"{path}[{', '.join(map(str, place))}]" for place in np.ndindex(shape)]
    return places if math.prod(shape) > 1 else [path]
