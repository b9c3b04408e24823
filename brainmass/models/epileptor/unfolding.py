"""Paths on the sphere of parameters of the degenerate Takens–Bogdanov singularity, and the rest of its fast system."""

from __future__ import annotations

import brainunit as u
import jax.numpy as jnp

from brainmass._common.typing import Numbers

__all__ = ["distance", "on_arc", "point", "resting_x", "rates"]

Point = tuple[Numbers, Numbers, Numbers]


def point(mu1: Numbers, mu2: Numbers, nu: Numbers) -> Point:
    """A point of the unfolding in the coordinates of the paper's figures."""
    return mu2, -mu1, nu


def on_arc(start: Point, end: Point, angle: Numbers, radius: Numbers) -> Point:
    """The point at `angle` from `start` on the great circle through `start` and `end`, at this radius."""
    e = _unit(start)
    along = _dot(e, end)
    f = _unit(tuple(b - along * a for a, b in zip(e, end, strict=True)))
    return tuple(radius * (a * jnp.cos(angle) + b * jnp.sin(angle)) for a, b in zip(e, f, strict=True))


def rates(x: Numbers, y: Numbers, at: Point, b: Numbers) -> tuple[Numbers, Numbers]:
    """The fast system at a point of the unfolding: the rates of change of `x` and `y`, per ms."""
    mu2, minus_mu1, nu = at
    return -y / u.ms, (x**3 - mu2 * x + minus_mu1 - y * (nu + b * x + x**2)) / u.ms


def resting_x(at: Point, upper: bool) -> Numbers:
    """The equilibrium of the fast system on its upper or lower branch, a root of x³ - mu2 x - mu1.

    Where the branch has ended, the real part of the two complex roots in its place.
    """
    mu2, minus_mu1, _ = at
    return _largest_root(-minus_mu1, mu2) if upper else -_largest_root(minus_mu1, mu2)


def distance(dx: Numbers, y: Numbers) -> Numbers:
    """Of (dx, y) from the origin, with a slope of zero there."""
    square = dx**2 + y**2
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)


def _largest_root(mu1: Numbers, mu2: Numbers) -> Numbers:
    """The largest real part of the roots of x³ - mu2 x - mu1, by the formulas of Viète and Cardano."""
    half, third = mu1 / 2, mu2 / 3
    discriminant = half**2 - third**3
    three = discriminant < 0
    # Both formulas are worked out everywhere: arguments of the one that does not hold are replaced, for slopes.
    scale = jnp.sqrt(jnp.where(three, third, 1.0))
    nearly = 1 - jnp.finfo(jnp.result_type(float)).eps
    cosine = jnp.where(three, jnp.clip(half / scale**3, -nearly, nearly), 0.0)
    largest = 2 * scale * jnp.cos(jnp.arccos(cosine) / 3)
    split = discriminant > 0
    cube = jnp.abs(half) + jnp.where(split, jnp.sqrt(jnp.where(split, discriminant, 1.0)), 0.0)
    some = cube > 0
    root = jnp.cbrt(jnp.where(some, cube, 1.0))
    real = jnp.where(some, root + third / root, 0.0)
    return jnp.where(three, largest, jnp.where(mu1 >= 0, real, real / 2))


def _dot(a: Point, b: Point) -> Numbers:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _unit(a: Point) -> Point:
    length = jnp.sqrt(_dot(a, a))
    return tuple(x / length for x in a)
