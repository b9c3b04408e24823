"""One step of time, by name: the exponential Euler method and the fixed-step methods of `braintools.quad`.

A system is a tuple of states with `derivative(state, t, *inputs)`. The inputs are a function of the state and
of the fraction of the step that has passed, so that instantaneous coupling is evaluated at every stage and a
network keeps the order of its method. Noise is drawn once per step and held through the stages: for additive
noise `sigma·z/√dt` that is exactly the Wiener increment `sigma·z·√dt`, and Euler and Heun have strong
order 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from braintools import quad

from brainmass._common.checks import one_of
from brainmass._common.clock import at_stage
from brainmass._common.typing import Array, Numbers

__all__ = ["METHODS", "check_method", "step", "without_turns"]

State = tuple[Any, ...]

# Explicit methods: the name that users write -> the step function of braintools.quad.
METHODS: dict[str, str] = {
    name.removeprefix("ode_").removesuffix("_step"): name
    for name in sorted(dir(quad))
    if name.startswith("ode_") and name.endswith("_step") and name != "ode_expeuler_step"
}
# braintools calls Heun's third-order scheme "heun"; the field means the second-order predictor-corrector.
METHODS["heun3"] = METHODS.pop("heun")
METHODS["heun"] = METHODS["rk2"]
# With the noise of a step held through its stages the stochastic schemes of braintools.quad are these ones.
# (Its tamed and implicit Euler schemes are not: they treat drift and noise differently. Its exponential one
# adds the noise outside the exponential, here it is inside with the other inputs; the two differ by a factor
# 1 + O(dt).)
METHODS |= {
    "sde_euler": METHODS["euler"],
    "sde_milstein": METHODS["euler"],
    "sde_heun": METHODS["rk2"],
    "sde_srk2": METHODS["rk2"],
    "sde_srk3": METHODS["rk3"],
    "sde_srk4": METHODS["rk4"],
}
EXPONENTIAL = ("exp_euler", "expeuler", "sde_expeuler")
SYMPLECTIC = "symplectic_euler"


def check_method(what: str, method: Any) -> str:
    """Refuse an unknown name, with the list of the known ones; `what` begins the message."""
    return one_of(what, method, (*EXPONENTIAL, SYMPLECTIC, *sorted(METHODS)))


def step(
    method: str,
    derivative: Callable[..., State],
    state: State,
    t: Numbers,
    dt: Numbers,
    inputs: Callable[[State, Numbers], State],
) -> State:
    """The state one time step later.

    Parameters
    ----------
    method : str
        A name accepted by `check_method`.
    derivative : callable
        `derivative(state, t, *inputs)`, one rate of change per state.
    state : tuple
    t, dt : Quantity
        Time at the start of the step, and its length.
    inputs : callable
        `inputs(state, fraction)` gives the inputs at a stage; `fraction` runs from 0 to 1 through the step.
    """
    if method in EXPONENTIAL:
        return _exponential_euler(derivative, state, t, dt, inputs(state, 0.0))
    if method == SYMPLECTIC:
        return _symplectic_euler(derivative, state, t, dt, inputs(state, 0.0))

    def rate(stage: State, elapsed: Array) -> State:
        fraction = u.maybe_decimal(elapsed / dt)
        with at_stage(fraction):  # parameters that move have the values of the stage
            # Time within the step is kept apart from t: the sum would lose the fraction to rounding in long runs.
            return derivative(stage, t + elapsed, *inputs(stage, fraction))

    with brainstate.environ.context(dt=dt):
        return tuple(getattr(quad, METHODS[method])(rate, state, 0.0 * dt))


def _exponential_euler(derivative: Callable, state: State, t: Array, dt: Array, inputs: State) -> State:
    """Exact for the linear part of each component's own dynamics; inputs held at the start of the step."""

    def component(index: int) -> Callable:
        return lambda x: derivative((*state[:index], x, *state[index + 1 :]), t, *inputs)[index]

    with brainstate.environ.context(dt=dt):
        return tuple(brainstate.nn.exp_euler_step(component(i), x) for i, x in enumerate(state))


def _symplectic_euler(derivative: Callable, state: State, t: object, dt: Numbers, inputs: State) -> State:
    """Euler from the last state to the first, each with the newest values: positions declared before velocities."""
    for i in reversed(range(len(state))):
        state = (*state[:i], state[i] + dt * derivative(state, t, *inputs)[i], *state[i + 1 :])
    return state


# A turn in two parts, the first of few binary digits: a number of turns times it is exact.
_TURN, _REST = 6.28125, 2 * np.pi - 6.28125


def without_turns(angle: Numbers) -> jax.Array:
    """An angle less the nearest number of whole turns: from -π to π, to 3e-7 in single precision."""
    turns = jnp.round(angle / (2 * np.pi))
    return (angle - turns * _TURN) - turns * _REST
