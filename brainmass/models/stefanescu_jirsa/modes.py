"""Populations whose neurons differ in what drives them, as three modes: the lower, middle and upper third of these."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from brainmass._common.typing import Numbers
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Par, param, positive

__all__ = ["Modes", "of_modes"]

_N = 1500  # quantiles of the normal distribution, a third of them in each mode


def _thirds() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Width, mass and mean of each third, by the trapezoid rule over the quantiles."""
    z = np.array([NormalDist().inv_cdf(k / (_N + 1)) for k in range(1, _N + 1)])
    inside = np.repeat(np.eye(3), _N // 3, axis=1)
    width = np.asarray(np.trapezoid(inside, z))
    mass = np.asarray(np.trapezoid(inside * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), z))
    return width, mass, np.asarray(np.trapezoid(inside * z, z)) / width


_WIDTH, _MASS, _MEAN = _thirds()
_MIX = np.sqrt(_WIDTH)[:, None] * _MASS / np.sqrt(_WIDTH)  # what mode i receives from mode k


class Modes(Declared):
    """How the drive is spread, and what follows for each mode, with the modes as first axis."""

    sigma: Par = param(default=0.35, doc="standard deviation of the drive over neurons", domain=positive)
    mu: Par = param(default=0.0, doc="mean of the drive")
    K11: Par = param(default=0.5, doc="strength from excitatory to excitatory neurons")
    K12: Par = param(default=0.15, doc="strength from inhibitory to excitatory neurons")
    K21: Par = param(default=0.15, doc="strength from excitatory to inhibitory neurons")

    _of_modes: ClassVar[tuple[str, ...]] = ("xi", "eta", "alpha", "beta")

    def width(self, like):
        """Width of each mode in the drive."""
        return self.p.sigma * _column(_WIDTH, like)

    def drive(self, like):
        """Mean drive of each mode."""
        return jnp.sqrt(self.width(like)) * (self.p.mu + self.p.sigma * _column(_MEAN, like))

    def excited(self, xi, alpha):
        """What excitatory neurons receive from one another and from the inhibitory ones."""
        p = self.p
        return p.K11 * (_mixed(_MIX, xi) - xi) - p.K12 * (_mixed(_MIX.T, alpha) - xi)

    def inhibited(self, xi, alpha):
        """What inhibitory neurons receive from the excitatory ones."""
        return self.p.K21 * (_mixed(_MIX, xi) - alpha)

    def source(self, name: str, values: Mapping[str, Numbers]) -> Numbers:
        return sum(values[f"{name}_{k}"] for k in (1, 2, 3)) if name in self._of_modes else values[name]


def _column(numbers, like):
    return jnp.asarray(numbers, like.dtype).reshape(3, *(1,) * (like.ndim - 1))


def _mixed(matrix, x):
    return jnp.tensordot(jnp.asarray(matrix, x.dtype), x, axes=1)


def of_modes(own: str, rate: Callable, states: str, inputs: str = "") -> tuple[Callable, Callable, Callable]:
    """The derivatives of the three modes of the state `own`.

    `rate(self, ...)` takes each of `states` with its modes as first axis, then the `inputs`; both are words.
    """
    names = [f"{state}_{k}" for state in states.split() for k in (1, 2, 3)]

    def of(k: int) -> Callable:
        first = f"{own}_{k + 1}"  # as in every derivative
        order = [first, *(name for name in names if name != first), *inputs.split()]

        def derivative(self, *values):
            given = dict(zip(order, values, strict=True))
            stacks = [jnp.stack([given.pop(name) for name in names[i : i + 3]]) for i in range(0, len(names), 3)]
            return rate(self, *stacks, *given.values())[k]

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        arguments = [inspect.Parameter(name, kind) for name in ("self", *order)]
        derivative.__signature__ = inspect.Signature(arguments)  # type: ignore[attr-defined]
        return derivative

    return of(0), of(1), of(2)
