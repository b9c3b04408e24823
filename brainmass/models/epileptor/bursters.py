"""The states that the bursters of the unfolding share, and the angles by which a path moves."""

from __future__ import annotations

from functools import partial

import brainunit as u
import jax.numpy as jnp
from brainstate import HiddenState
from braintools.init import Constant

from brainmass._common.checks import whole
from brainmass._common.typing import Numbers
from brainmass.dynamics.declared import Declared
from brainmass.dynamics.fields import Initializer, option, state
from brainmass.dynamics.noise import Noise
from brainmass.models.epileptor.unfolding import Point, distance, rates, resting_x

__all__ = ["Bursters", "Drift"]


class Bursters(Declared):
    """A fast planar system, and a slow variable that takes it along a path; the model gives the path by `_at`."""

    N: int = option(
        default=1,
        check=partial(whole, most=2, example="N=1"),
        doc="branch of equilibria on which it rests: 1 is the upper one, 2 the lower one",
    )
    init_x: Initializer = Constant(0.5)
    init_y: Initializer = Constant(0.0)
    init_z: Initializer = Constant(0.0)
    noise_x: Noise | None = None
    noise_y: Noise | None = None
    noise_z: Noise | None = None

    method: str = option(default="rk4")  # Heun's loses the weak damping of the resting state at 0.5 ms

    x: HiddenState = state("fast activity", port="x_inp", add="add_x")
    y: HiddenState = state("fast recovery", port="y_inp")
    z: HiddenState = state("slow variable: where on its path the fast system is", port="z_inp")

    def _fast(self, x: Numbers, y: Numbers, at: Point) -> tuple[Numbers, Numbers]:
        return rates(x, y, at, self.p.b)

    def _slow(self, x: Numbers, y: Numbers, z: Numbers, at: Point, x_inp: Numbers, z_inp: Numbers) -> Numbers:
        p = self.p
        away = distance(x - resting_x(at, self.N == 1), y)
        back = p.modification * 0.1 * (z - 0.5) ** 7
        return (-p.c * (away - p.dstar + back + p.Ks * x_inp) + z_inp) / u.ms


class Drift(Declared):
    """The ends of a path on their ways: two angles that grow at rates `cA` and `cB`."""

    init_uA: Initializer = Constant(0.0)
    init_uB: Initializer = Constant(0.0)

    uA: HiddenState = state("way of the offset along its circle", is_angle=True)
    uB: HiddenState = state("way of the onset along its circle", is_angle=True)

    def duA(self, uA):
        return (self.p.cA + jnp.zeros_like(uA)) / u.ms

    def duB(self, uB):
        return (self.p.cB + jnp.zeros_like(uB)) / u.ms
