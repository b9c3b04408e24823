"""What a linear response is seen through: a state, blood flow, a lead field, as a linear system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np

from brainmass._common.checks import holds_numbers, is_function
from brainmass._common.messages import Argument, argument_error, show
from brainmass._common.typing import Numbers
from brainmass.analysis.drift import Drift
from brainmass.analysis.equations import Equations
from brainmass.forward.balloon import BOLDSignal
from brainmass.forward.lead_fields import LeadFieldModel, LeadfieldReadout

__all__ = ["Observed", "observed"]


class Observed(NamedTuple):
    """y = C x + D z, where z, of `size` entries, follows dz/dt = A z + B x; x are deviations of the model."""

    C: jax.Array
    D: jax.Array
    A: jax.Array
    B: jax.Array
    labels: tuple[str, ...]

    @property
    def size(self) -> int:
        return self.A.shape[0]


def observed(drift: Drift, equations: Equations, x: jax.Array, of: Any, through: Any) -> Observed:
    """What is seen of a model at the working point `x`."""
    activity, name = _activity(drift, equations, of)

    def plain(x: jax.Array) -> jax.Array:
        return jnp.ravel(u.get_mantissa(activity(x)))

    unit = u.get_unit(jax.eval_shape(activity, x))
    n, size = x.size, jax.eval_shape(plain, x).size
    nothing = jnp.zeros((0, 0), x.dtype)
    if through is None:
        C = jax.jacfwd(plain)(x)
        labels = tuple(f"{name}[{i}]" for i in range(size)) if size > 1 else (name,)
        return Observed(C, jnp.zeros((size, 0), x.dtype), nothing, jnp.zeros((0, n), x.dtype), labels)
    if isinstance(through, LeadFieldModel | LeadfieldReadout):

        def seen(x: jax.Array) -> jax.Array:
            return jnp.ravel(u.get_mantissa(through._see(activity(x))))

        C = jax.jacfwd(seen)(x)
        labels = tuple(f"sensor {i}" for i in range(C.shape[0]))
        return Observed(C, jnp.zeros((C.shape[0], 0), x.dtype), nothing, jnp.zeros((0, n), x.dtype), labels)
    if isinstance(through, BOLDSignal):
        return _blood(through, plain, unit, x, size)
    raise argument_error(
        Argument("through", "linear_response"),
        "must be a BOLDSignal, a LeadFieldModel or a LeadfieldReadout",
        f"is {show(through)}",
        "through=brainmass.BOLDSignal(100)",
        kind=TypeError,
    )


def _seen(value: Numbers) -> Numbers:
    if not holds_numbers(value):
        what = Argument("of", "linear_response")
        raise argument_error(what, "must be a function of the states that returns numbers", f"returns {show(value)}")
    return u.math.asarray(value)


def _activity(drift: Drift, equations: Equations, of: Any) -> tuple[Callable[[jax.Array], Numbers], str]:
    """What is observed as a function of the flat state, and its name."""
    if is_function(of):
        return lambda x: _seen(of(drift.unpack(x))), "y"
    first_name, first = next(iter(equations.nodes.items()))
    if of is None:
        output = first.output if isinstance(first.output, str) else first.output[0]
        known = output in first._states or output in first.sources
        of = output if known else next(iter(first._states))
        of = f"{first_name}.{of}" if equations.several else of
    population, _, own = str(of).rpartition(".")
    node = equations.nodes.get(population, first) if equations.several else first
    owner = population if equations.several else first_name
    if own not in node._states and own not in node.sources or (population and population not in equations.nodes):
        raise argument_error(
            Argument("of", "linear_response"),
            f"must be one of {', '.join((*drift.names, *node.sources))}, or a function of the states",
            f"is {show(of)}",
        )

    def activity(x: jax.Array) -> Numbers:
        states = drift.unpack(x)
        values = {s: states[f"{population}.{s}" if equations.several else s] for s in node._states}
        return node.source(own, equations.with_inputs(owner, values))

    return activity, str(of)


def _blood(bold: BOLDSignal, plain: Callable, unit: u.Unit, x: jax.Array, size: int) -> Observed:
    if int(np.prod(bold.varshape)) != size:
        raise argument_error(
            Argument("through", "linear_response"),
            f"must be of the {size} regions that are observed",
            f"is a BOLDSignal with in_size={bold.varshape}",
        )

    def drive(x: jax.Array) -> jax.Array:
        return jnp.asarray(bold.as_drive(u.maybe_decimal(u.Quantity(plain(x).reshape(bold.varshape), unit=unit))))

    z = drive(x)

    def rates(y: jax.Array, z: jax.Array) -> jax.Array:
        parts = bold.derivative(tuple(y.reshape(4, *bold.varshape)), 0.0 * u.ms, z)
        return jnp.stack([u.maybe_decimal(rate * u.ms) for rate in parts]).ravel().astype(x.dtype)

    # At rest the signal that drives the flow is zero, so that γ (f - 1) = z.
    y = (
        jnp.broadcast_to(jnp.asarray([0.0, 1.0, 1.0, 1.0], x.dtype)[:, None], (4, size))
        .at[1]
        .add(z.ravel() / bold.p.gamma)
    )
    # at rest the outflow is the flow, v^(1/α) = f, and what leaves is what is extracted
    flow = y[1]
    volume = flow**bold.p.alpha
    content = volume * (1 - (1 - bold.p.rho) ** (1 / flow)) / bold.p.rho
    y = jnp.stack([y[0], flow, volume, content]).ravel()
    A, of_drive = jax.jacfwd(rates, argnums=(0, 1))(y, z.astype(x.dtype))
    B = of_drive.reshape(4 * size, size) @ jax.jacfwd(drive)(x).reshape(size, -1)

    def signal(y: jax.Array) -> jax.Array:
        _, _, v, q = y.reshape(4, *bold.varshape)
        return jnp.ravel(bold.bold_of(v, q)).astype(x.dtype)

    labels = tuple(f"bold[{i}]" for i in range(size))
    return Observed(jnp.zeros((size, x.size), x.dtype), jax.jacfwd(signal)(y), A, B, labels)
