"""How the lowest cost is looked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax

from brainmass._common.extras import import_fit
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Pytree

__all__ = ["Found", "Minimizer", "minimizer"]

# Of scipy.optimize.minimize, by what users write: whether it takes bounds.
METHODS = {"L-BFGS-B": True, "CG": False}


class Found(NamedTuple):
    """The best values, the cost at the start and after each step, and why it ended."""

    values: np.ndarray
    history: list[float]
    ended: str


# The cost and its gradient at some values, in a step of this number.
Costs = Callable[[np.ndarray, int], tuple[float, np.ndarray]]

Minimizer: TypeAlias = Callable[[np.ndarray, Costs], Found]


def minimizer(
    optimizer: str | optax.GradientTransformation,
    n_steps: int,
    tolerance: float,
    bounds: tuple[np.ndarray, np.ndarray] | None,
    anew: bool = False,
) -> Minimizer:
    """A function of where it starts, and of the costs.

    With `anew`, methods of scipy begin again where they end, without what they know of curvatures, until that gains
    nothing: a start at which the cost is steeper by orders would else leave them with steps too small to tell.
    """
    if isinstance(optimizer, str):
        name = {"L-BFGS": "L-BFGS-B"}.get(optimizer.upper(), optimizer.upper())
        if name not in METHODS:
            _refuse(optimizer)
        if bounds is not None and not METHODS[name]:
            rule = "must be one that takes limits"
            raise argument_error(Argument("optimizer", "control"), rule, f"is {name!r}", 'optimizer="L-BFGS-B"')
        once = partial(_by_scipy, name, tolerance=tolerance, bounds=bounds)
        return partial(_again, once, n_steps, tolerance) if anew else partial(once, n_steps)
    if not hasattr(optimizer, "init") or not hasattr(optimizer, "update"):
        _refuse(optimizer)
    return lambda start, costs: _by_optax(optimizer, n_steps, bounds, start, costs)


def _refuse(optimizer: object) -> None:
    rule = f"must be {' or '.join(map(repr, METHODS))}, or an optimiser of optax"
    example = 'optimizer="L-BFGS-B", or optax.adam(0.1)'
    raise argument_error(Argument("optimizer", "control"), rule, f"is {show(optimizer)}", example)


def _again(once: Callable[..., Found], n_steps: int, tolerance: float, start: np.ndarray, costs: Costs) -> Found:
    found = once(n_steps, start, costs)
    while (left := n_steps + 1 - len(found.history)) > 0:
        more = once(left, found.values, costs)
        gained = more.history[0] - more.history[-1] > tolerance * abs(more.history[0])
        found = Found(more.values, found.history + more.history[1:], more.ended if gained else found.ended)
        if not gained:
            break
    return found


def _by_scipy(
    name: str,
    n_steps: int,
    start: np.ndarray,
    costs: Costs,
    *,
    tolerance: float,
    bounds: tuple[np.ndarray, np.ndarray] | None,
) -> Found:
    optimize = import_fit("scipy.optimize")
    # scipy calls back after each step only, not at the start.
    history = [costs(start, 0)[0]]

    def after(intermediate_result: Any) -> None:
        history.append(float(intermediate_result.fun))

    limits = {} if bounds is None else {"bounds": optimize.Bounds(*bounds, keep_feasible=True)}
    # `tolerance` alone is to end it: what one of many values, held for a short time, changes in the cost is always
    # small.
    options = {"maxiter": n_steps, "gtol": 0.0}
    # Room for line searches, so that it is steps that are counted.
    options |= {"maxfun": 20 * n_steps + 100, "ftol": tolerance} if name == "L-BFGS-B" else {}
    found = optimize.minimize(
        lambda x: costs(x, len(history)), start, jac=True, method=name, callback=after, options=options, **limits
    )
    return Found(np.asarray(found.x), history, str(found.message))


def _by_optax(
    optimizer: optax.GradientTransformation,
    n_steps: int,
    bounds: tuple[np.ndarray, np.ndarray] | None,
    start: np.ndarray,
    costs: Costs,
) -> Found:
    x, state = jnp.asarray(start, jnp.result_type(float)), optimizer.init(jnp.asarray(start, jnp.result_type(float)))
    value, gradient = costs(np.asarray(x), 0)
    history, best, lowest = [value], x, value

    @jax.jit
    def moved(x: jax.Array, state: Pytree, gradient: jax.Array) -> tuple[jax.Array, Pytree]:
        updates, state = optimizer.update(gradient, state, x)
        x = x + updates  # pyright: ignore[reportOperatorIssue]
        # Projected onto the limits after each step, as optimisers of optax know of none.
        return (x if bounds is None else jnp.clip(x, *map(jnp.asarray, bounds))), state

    for i in range(1, n_steps + 1):
        x, state = moved(x, state, jnp.asarray(gradient, x.dtype))
        value, gradient = costs(np.asarray(x), i)
        history.append(value)
        # Such steps do not always go down: the last control need not be the best.
        best, lowest = (x, value) if value < lowest else (best, lowest)
    return Found(np.asarray(best, float), history, f"{n_steps} steps are done")
