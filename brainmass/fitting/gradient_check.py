"""Gradients beside finite differences."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from brainmass._common.random import fold_at_once
from brainmass._common.typing import Numbers
from brainmass.fitting.course import Given
from brainmass.fitting.problem import Problem

__all__ = ["GradientCheck", "compare_gradients"]


class Slope(NamedTuple):
    """The derivative of the loss along one direction of a parameter, worked out twice."""

    gradient: float
    difference: float
    uncertainty: float

    @property
    def agrees(self) -> bool:
        return bool(abs(self.gradient - self.difference) <= self.uncertainty)


class GradientCheck(dict[str, Slope]):
    """Slopes by parameter. `ok` says whether all agree; printed, it is a table."""

    @property
    def ok(self) -> bool:
        return all(slope.agrees for slope in self.values())

    def __repr__(self) -> str:
        width = max(9, *map(len, self))
        lines = [f"{'parameter':<{width}}  {'gradient':>12}  {'differences':>12}  {'within':>9}"]
        for name, slope in self.items():
            verdict = "agrees" if slope.agrees else "DIFFERS"
            numbers = f"{slope.gradient:12.5g}  {slope.difference:12.5g}  {slope.uncertainty:9.2g}"
            lines.append(f"{name:<{width}}  {numbers}  {verdict}")
        return "\n".join(lines)


def compare_gradients(problem: Problem, given: Given, step: float | None) -> GradientCheck:
    """One direction of random signs for each parameter; before transforms, at the key of the first step."""
    key, out = fold_at_once(given.key, 0), GradientCheck()
    rest = given.fixed, key, given.target
    loss = jax.jit(problem.loss)
    value, gradient = jax.jit(problem.value_and_grad(problem.loss))(given.theta, *rest)
    rng = np.random.default_rng(0)
    for path, start in given.theta.items():
        flat, unravel = ravel_pytree(start)
        signs = jnp.asarray(rng.choice([-1.0, 1.0], flat.shape), flat.dtype)
        precision = float(jnp.finfo(flat.dtype).eps)
        # ε^(1/3): where rounding, ε/h, and the error of central differences, h², are alike.
        h = (precision ** (1 / 3) if step is None else step) * max(1e-3, float(jnp.abs(flat).max()))

        def difference(
            h: float, path: str = path, flat: object = flat, unravel: Any = unravel, signs: Numbers = signs
        ) -> float:
            up, down = flat + h * signs, flat - h * signs
            ends = [float(loss({**given.theta, path: unravel(x)}, *rest)) for x in (up, down)]
            return (ends[0] - ends[1]) / (2 * h)

        # At twice the step the error is four times as large: their difference tells how large it is.
        near, far = difference(h), difference(2 * h)
        slope = float(jnp.vdot(ravel_pytree(gradient[path])[0], signs))
        # What the last digits of the loss make of a difference quotient.
        noise = 10 * precision * max(abs(float(value)), precision) / h
        out[path] = Slope(slope, near, abs(near - far) + noise + 1e-3 * abs(near))
    return out
