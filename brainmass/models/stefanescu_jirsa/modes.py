"""Populations whose neurons differ in what drives them, as three modes: the lower, middle and upper third of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import NormalDist

import jax.numpy as jnp
import numpy as np
from braintools.init import Uniform
from jax import lax

from brainmass._common.messages import Argument
from brainmass._common.precision import default_dtype
from brainmass._common.typing import Numbers
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, Par, StateSpec, param, positive
from brainmass.models.stefanescu_jirsa.beginnings import OfMode

__all__ = ["Modes"]

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
    init_xi: Initializer = Uniform(-0.5, 0.5)
    init_eta: Initializer = Uniform(-0.5, 0.5)
    init_alpha: Initializer = Uniform(-0.5, 0.5)
    init_beta: Initializer = Uniform(-0.5, 0.5)

    def mode_parameters(self) -> dict[str, np.ndarray]:
        """What the spread of the drive makes of each mode, with modes as last axis, and how they mix.

        `width` and `drive` are :math:`w_i` and :math:`I_i`, of shape (3,), or (region, 3) where `sigma` or `mu` have
        values per region; `mixing` is :math:`A_{ik}`, what mode i receives from mode k.
        """
        shape = np.broadcast_shapes(np.shape(self.p.sigma), np.shape(self.p.mu))
        like = np.zeros((3, *shape), default_dtype())
        parts = {"width": self.width(like), "drive": self.drive(like)}
        return {**{name: np.moveaxis(np.asarray(x), 0, -1) for name, x in parts.items()}, "mixing": _MIX.copy()}

    def _initializer(self, spec: StateSpec) -> tuple[str, Callable]:
        argument, init = super()._initializer(spec)
        if argument == spec.name:  # what a run begins with: the state's own
            return argument, init
        return argument, OfMode(Argument(argument, self._owner), init, int(spec.name[-1]) - 1)

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
        return values[name] if name in values else sum(values[f"{name}_{k}"] for k in (1, 2, 3))


def _column(numbers, like):
    return jnp.asarray(numbers, like.dtype).reshape(3, *(1,) * (like.ndim - 1))


def _mixed(matrix, x):
    return jnp.tensordot(jnp.asarray(matrix, x.dtype), x, axes=1, precision=lax.Precision.HIGHEST)
