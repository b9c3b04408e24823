"""`resting_state`: where a model comes to rest, as the state with which a run begins."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax
import numpy as np
from scipy.integrate import solve_ivp

from brainmass._common.checks import whole
from brainmass._common.messages import Argument, argument_error
from brainmass._common.precision import double_precision
from brainmass._common.typing import ArrayLike
from brainmass.analysis.drift import Drift, as_drift
from brainmass.analysis.equilibria import Equilibria, fixed_points
from brainmass.dynamics.node import NeuralMassDynamics
from brainmass.network.network import Network
from brainmass.simulation.simulator import Simulator

__all__ = ["resting_state"]

_STRETCHES = (1e2, 1e3, 1e4, 1e5)  # ms, one after the other, until it is at rest
_NEAR = 1e-3  # distance from an equilibrium, relative to the size of the states, of what has come to it


def resting_state(
    model: NeuralMassDynamics | Network | Drift | Simulator,
    inputs: Mapping[str, Any] | None = None,
    *,
    parameters: Mapping[str, ArrayLike] = MappingProxyType({}),
    seed: int = 0,
) -> dict[str, Any]:
    """The stable equilibrium to which a model comes from its initial values, for `run(state=resting_state(model))`.

    Its drift is followed from there, without noise, with inputs held and delays as at rest, until an equilibrium of
    `fixed_points` is near. A run that begins there has its whole past at rest.

    Parameters
    ----------
    model : NeuralMassDynamics, Network, Drift or Simulator
    inputs : mapping, optional
        What is held at the input ports, by name.
    parameters : mapping, optional
        Values in place of those of the model.
    seed : int
        Of initial values that are random.

    Returns
    -------
    dict
        The states by name (`population.state` where there are several populations), in their units.

    Raises
    ------
    ValueError, TypeError
        If the model does not come to rest, as one that oscillates, or what it comes to is unstable under its delays.

    Examples
    --------
    >>> import brainmass, brainunit as u
    >>> model = brainmass.JansenRitStep(1)
    >>> rest = brainmass.resting_state(model, {"E_inp": 50.0 * u.Hz})
    >>> result = brainmass.Simulator(model, dt=0.1 * u.ms).run(100 * u.ms, inputs={"E_inp": 50.0 * u.Hz}, state=rest)
    >>> bool(abs(result["eeg"] - result["eeg"][0]).max() < 1e-3 * u.mV)
    True
    """
    whole(Argument("seed", "resting_state"), seed, least=0)
    simulated: Any = model.model if isinstance(model, Simulator) else model
    drift = as_drift(simulated, inputs)
    parameters = drift.held_values(parameters, "resting_state")
    with double_precision():
        rates = drift.program(_compiled)
        values = {name: drift.quantity(name, value) for name, value in parameters.items()}
        x, near = drift.starts(1, seed)[0], None
        for stretch in _STRETCHES:
            way = solve_ivp(
                lambda t, x: np.asarray(rates[0](x, values)), (0.0, stretch), x, method="LSODA", rtol=1e-6, atol=1e-9,
                jac=lambda t, x: np.asarray(rates[1](x, values)),
            )  # fmt: skip
            if not way.success or not np.isfinite(way.y[:, -1]).all():
                break
            x = way.y[:, -1]
            near = _equilibrium_near(drift, x, parameters)
            # A way may linger at a saddle: the next stretch is ten times as long.
            if near is not None and near.stable[0]:
                return near.state
        moving = np.abs(np.asarray(rates[0](x, values)))
    raise argument_error(
        Argument("model", "resting_state"),
        "must come to rest from its initial values",
        f"is a {type(drift.model).__name__} that still moves, by {moving.max():.2g} per ms in "
        f"{drift.labels[int(moving.argmax())]}"
        if near is None
        else f"comes to an equilibrium that is {'neutral' if near.kinds[0] == 'neutral' else 'unstable'}",
        "state=fixed_points(model)[0].state for an equilibrium of your choice",
    )


def _equilibrium_near(drift: Drift, x: np.ndarray, parameters: Mapping[str, ArrayLike]) -> Equilibria | None:
    try:
        # Newton's method may end at a far one: only what is near is where the way leads to.
        found = fixed_points(drift, parameters=parameters, start=x)
    except ValueError:  # none
        return None
    size = max(np.abs(x).max(), 1e-9)
    return found if np.abs(found.x[0] - x).max() < _NEAR * size else None


def _compiled(drift: Drift) -> Any:
    return jax.jit(drift), jax.jit(drift.jacobian)
