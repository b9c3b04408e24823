"""All parameters that are fitted, side by side, as the coordinates of a solver."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from brainstate.nn import IdentityT
from jax.flatten_util import ravel_pytree

from brainmass._common.checks import mapping
from brainmass._common.messages import Argument, argument_error
from brainmass._common.random import fold_at_once
from brainmass._common.typing import ArrayLike, Numbers
from brainmass.fitting.coordinate import Coordinate
from brainmass.fitting.description import Bounds, Fixed, Free, fitted_paths
from brainmass.simulation.inventory import Inventory, Values

__all__ = ["Arcs", "Box", "SearchSpace", "Stored"]


class SearchSpace:
    """The parameters that are fitted, by path. Values are those that are fitted: one where regions share it.

    Before transforms they are called stored; those in a box make a unit cube.
    """

    def __init__(self, by_name: Mapping[str, Free | Fixed], found: Inventory):
        self.sides = {path: Coordinate(path, free, found) for path, free in fitted_paths(found, by_name).items()}
        self.bounded = any(side.free.bounds is not None for side in self.sides.values())
        self._regularised = {path for path, s in self.sides.items() if s.free.reg or found.params[path].reg is not None}

    @property
    def penalised(self) -> bool:
        """Whether a prior or a regularisation adds to the loss."""
        return bool(self._regularised) or any(side.prior is not None for side in self.sides.values())

    def by_path(self, what: str, values: object, found: Inventory) -> Values:
        """Values of all of them, that a user gave for the argument `what` by names of his."""
        by_path = {found.find_param(name): value for name, value in mapping(what, values, "values").items()}
        if by_path.keys() != self.sides.keys():
            raise argument_error(what, f"must give {', '.join(self.sides)}", f"gives {', '.join(by_path) or 'none'}")
        return by_path

    # --- between solver and model -------------------------------------------------------------------------------------
    @property
    def start(self) -> Values:
        return {path: side.start for path, side in self.sides.items()}

    def put(self, theta: Values, found: Inventory, plain: bool) -> None:
        """Set the parameters of a copy of the model; with `plain`, values are those after transforms."""
        for path, side in self.sides.items():
            param = found.params[path]
            param.val = side.sharing.spread(theta[path])
            # `plain` values come from a box and are in the unit of the equations: a transform would act on them
            # twice.
            param.t = IdentityT() if plain else side.transform

    def store(self, theta: Values, found: Inventory) -> None:
        """Leave stored values in the model."""
        for path, side in self.sides.items():
            param, value = found.params[path], side.stored(theta[path])
            if param.fit:
                # Into the state that is there: others may hold it.
                param.val.value = value  # pyright: ignore[reportAttributeAccessIssue]
            else:
                param.val = value
                param.clear_cache()

    def after(self, theta: Values, plain: bool = False) -> Values:
        """Values after their transforms."""
        return theta if plain else {path: side.transform.forward(theta[path]) for path, side in self.sides.items()}

    def kept_within(self, theta: Values) -> Values:
        return {path: side.kept_within(theta[path]) for path, side in self.sides.items()}

    # --- priors -------------------------------------------------------------------------------------------------------
    def penalty(self, theta: Values, found: Inventory, plain: bool) -> ArrayLike:
        """What regularisations and priors add to the loss."""
        total, values = 0.0, self.after(theta, plain)
        for path, side in self.sides.items():
            reg = side.free.reg
            # A regularisation given for the fit comes in place of the parameter's own.
            added = found.params[path].reg_loss() if reg is None else reg.loss(_number(values[path]))
            total = total + _number(added)
            if side.prior is not None:
                total = total - side.prior.log_density(values[path])
        return total

    def residuals(self, theta: Values, plain: bool) -> list[Numbers]:
        """What priors add to a sum of squares."""
        values = self.after(theta, plain)
        priors = {path: side.prior for path, side in self.sides.items() if side.prior is not None}
        return [jnp.ravel(prior.residuals(values[path])) for path, prior in priors.items()]

    def check_for_least_squares(self) -> None:
        if self._regularised:
            raise ValueError(
                "Fitter cannot add a regularisation to least squares: give it as residuals of the objective."
            )
        for side in self.sides.values():
            if side.prior is not None and side.prior.residuals(side.like) is None:
                raise ValueError(f"{side.what} must have a Normal or LogNormal prior for least squares.")

    def log_density(self, values: Values) -> Numbers:
        return sum(side.log_density(values[path]) for path, side in self.sides.items())

    def check_for_density(self) -> None:
        if flat := [path for path, side in self.sides.items() if side.prior is None and side.low is None]:
            raise argument_error(
                Argument("search_space", "Fitter"),
                f"must give {', '.join(flat)} a prior or bounds, for a density",
                example=f'search_space={{"{flat[0]}": brainmass.Normal(0.0, 1.0)}}.',
            )

    # --- draws and places ---------------------------------------------------------------------------------------------
    def sample(self, key: object, n: int) -> Values:
        """`n` values of each parameter that has a prior or, evenly, bounds."""
        within = {path: side for path, side in self.sides.items() if side.prior is None and side.low is not None}
        # All at once from one generator; priors draw each from a key of its name, so that one more changes no other.
        places = np.random.default_rng(np.asarray(key)).uniform(size=(n, sum(side.size for side in within.values())))
        priors = {path: side for path, side in self.sides.items() if side.prior is not None}
        drawn = {
            path: side.draws(fold_at_once(key, np.uint32(zlib.crc32(path.encode()))), n)
            for path, side in priors.items()
        }
        return jax.vmap(lambda z: self._at(within, z))(jnp.asarray(places)) | drawn

    def draws(self, key: object, n: int) -> list[Values]:
        """Stored values: drawn as above, else as they are."""
        values = self.sample(key, n)
        stored = {path: jax.vmap(self.sides[path].transform.inverse)(x) for path, x in values.items()}
        return [self.start | {path: x[i] for path, x in stored.items()} for i in range(n)]

    def at(self, place: Numbers) -> Values:
        """Values, after their transforms, at a place in the unit cube."""
        # A place is one row: the numbers of the first parameter, then those of the second, as `place` lines them up.
        return self._at(self.sides, place)

    def _at(self, sides: Mapping[str, Coordinate], place: Numbers) -> Values:
        parts = np.cumsum([side.size for side in sides.values()])[:-1]
        return {path: side.at(z) for (path, side), z in zip(sides.items(), jnp.split(place, parts), strict=False)}

    def stored(self, place: Numbers) -> Values:
        """The same before their transforms."""
        return {path: self.sides[path].transform.inverse(value) for path, value in self.at(place).items()}

    def place(self, theta: Values) -> np.ndarray:
        """Where in the unit cube stored values are, or what is nearest to them."""
        return np.concatenate([side.place(side.transform.forward(theta[path])) for path, side in self.sides.items()])

    def bounds(self) -> dict[str, Bounds]:
        """Of the parameters that have them, in the shape of the parameter of the model."""
        return {path: bounds for path, side in self.sides.items() if (bounds := side.bounds()) is not None}

    def describe(self) -> dict[str, object]:
        return {path: side.describe() for path, side in self.sides.items()}


class Box:
    """The unit cube of a search space as the coordinates of a solver."""

    plain = True

    def __init__(self, space: SearchSpace):
        for side in space.sides.values():
            side.bound_by_transform()
        if missing := [path for path, side in space.sides.items() if side.low is None]:
            raise argument_error(
                Argument("search_space", "Fitter"),
                "must bound all trainable parameters",
                f"lacks {', '.join(missing)}",
                hint="One that is not to be fitted is given without `fit=True`, or as brainmass.Fixed().",
            )
        self.start, self.bounded = space.place(space.start), True
        self.values, self.stored = space.at, space.stored

    def clip(self, place: Numbers) -> Numbers:
        """The nearest place in the cube: some solvers look a little outside."""
        return np.clip(place, 0.0, 1.0)


class Arcs:
    """The unit cube for a solver without bounds: each side is gone through back and forth, as (1 + sin x)/2.

    James and Roos 1975, Comput. Phys. Commun. 10:343, as in MINUIT. A start at a bound, where the slope is zero, is
    moved inside.
    """

    plain, bounded = True, False

    def __init__(self, space: SearchSpace):
        box = Box(space)
        # x = arcsin(2z - 1) is where (1 + sin x)/2 is z; at z = 0 and 1 its slope is zero, and no gradient leads
        # away.
        self.start = np.arcsin(2 * np.clip(box.start, 1e-3, 1 - 1e-3) - 1)
        self.values, self.stored = (lambda x: box.values(_arc(x))), (lambda x: box.stored(_arc(x)))


class Stored:
    """Stored values, side by side, as the coordinates of a solver: without bounds."""

    plain = False

    def __init__(self, space: SearchSpace):
        # scipy steps in double precision; the model gets the type that its parameters have.
        flat, unravel = ravel_pytree(space.start)
        self.start, self.bounded = np.asarray(flat, float), False
        self.values = self.stored = lambda x: unravel(jnp.asarray(x, flat.dtype))

    def clip(self, place: Numbers) -> Numbers:
        return place


def _arc(x: Numbers) -> jax.Array:
    return (1 + jnp.sin(x)) / 2


def _number(x: Numbers) -> Numbers:
    """Without its unit."""
    return getattr(x, "mantissa", x)
