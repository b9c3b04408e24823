"""`effective_connectivity`: the weights of a network from functional connectivity with and without a lag."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import optax

from brainmass._common.checks import instance, items, number, numbers, whole
from brainmass._common.messages import Argument, argument_error
from brainmass._common.precision import double_precision
from brainmass._common.typing import ArrayLike, Numbers, Pytree, Time
from brainmass.analysis.drift import Drift, as_drift
from brainmass.analysis.linear_response import linear_response
from brainmass.network.network import Network

__all__ = ["EffectiveConnectivity", "effective_connectivity"]

_OF = "effective_connectivity"


@dataclasses.dataclass(frozen=True, repr=False)
class EffectiveConnectivity:
    """What `effective_connectivity` found.

    Attributes
    ----------
    weights : array
        Of the connections, in the layout of the network: rows receive.
    parameters : dict
        All that was changed, by name, the weights included; `linear_response(network, parameters=...)` takes them.
    correlation, lagged : array (m, m)
        Those of the model; `lagged` is None where none was given.
    losses : array
        By step: the summed squared differences from what was given, over those from zero.
    """

    weights: np.ndarray
    parameters: Mapping[str, ArrayLike]
    correlation: np.ndarray
    lagged: np.ndarray | None
    losses: np.ndarray

    @property
    def loss(self) -> float:
        """The smallest, which these parameters have."""
        return float(np.min(self.losses))

    def __repr__(self) -> str:
        there = int((self.weights != 0).sum())
        return f"EffectiveConnectivity of {there} connections: loss {self.loss:.3g} after {len(self.losses)} steps"


def effective_connectivity(
    network: Network | Drift,
    correlation: ArrayLike,
    lagged: ArrayLike | None = None,
    lag: Time | None = None,
    *,
    inputs: Mapping[str, Any] | None = None,
    of: Any = None,
    through: Any = None,
    at: Any = None,
    also: Sequence[str] = (),
    n_steps: int = 300,
    rate: float = 0.05,
) -> EffectiveConnectivity:
    r"""The weights under which a network has given functional connectivity, by gradients of its linear response.

    The connections that are there are changed, each by a positive factor, from the weights of the network on. Without a
    lag functional connectivity is symmetric and tells directions badly: give lagged correlations as well. The loss is
    that of Gilson et al., :math:`\lVert C - \hat C\rVert^2 / \lVert \hat C\rVert^2` summed over both, lowered by Adam's
    method; a step to an unstable network is taken back, and further ones are half as long.

    Parameters
    ----------
    network : Network or Drift
        With noise, and one projection.
    correlation : array (m, m)
        Empirical functional connectivity.
    lagged : array (m, m), optional
        Correlation of i at `t + lag` with j at `t`.
    lag : Quantity
        Of `lagged`.
    inputs, of, through, at
        As of `linear_response`.
    also : sequence of str
        Further positive parameters to change, such as `"noise_x.sigma"`, each entry by itself.
    n_steps : int
    rate : float
        First length of a step, in the logarithms.

    Raises
    ------
    ValueError
        If shapes do not fit, or the network is unstable at the start.

    References
    ----------
    Gilson, Moreno-Bote, Ponce-Alvarez, Ritter, Deco 2016, PLoS Comput. Biol. 12:e1004762; Deco et al. 2019, PNAS
    116:18088.

    Examples
    --------
    >>> import brainmass, brainunit as u, numpy as np
    >>> noise = brainmass.WhiteNoise(3, sigma=0.1 * u.UNITLESS)
    >>> node = brainmass.LinearStep(3, gamma=-1.0, noise_x=noise)
    >>> there = np.array([[0.0, 0.5, 0.0], [0.0, 0.0, 0.3], [0.2, 0.0, 0.0]])
    >>> known = brainmass.linear_response(brainmass.Network(node, conn=there, coupling="additive", coupled_var="x"))
    >>> network = brainmass.Network(node, conn=0.1 * (there > 0), coupling="additive", coupled_var="x")
    >>> lag = 0.5 * u.ms
    >>> found = brainmass.effective_connectivity(network, known.correlation(), known.correlation(lag), lag)
    >>> bool(abs(found.weights - there).max() < 0.01)
    True
    """
    instance(Argument("network", _OF), network, Network | Drift, "a Network or the Drift of one")
    drift = as_drift(network, inputs)
    further = items(Argument("also", _OF), also, "names of parameters", example='also=["noise_x.sigma"]')
    for name in further:
        instance(Argument("also", _OF), name, str, "a list of names of parameters", example='also=["noise_x.sigma"]')
    whole(Argument("n_steps", _OF), n_steps)
    number(Argument("rate", _OF), rate, "> 0", lambda x: x > 0)
    if (lagged is None) != (lag is None):
        raise argument_error(Argument("lag", _OF), "is needed with `lagged`, and only then", example="lag=2 * u.second")
    response = linear_response(drift, of=of, through=through, at=at)  # also for its errors
    m = len(response.labels)
    wanted = [_square("correlation", correlation, m)] + ([] if lagged is None else [_square("lagged", lagged, m)])
    names = [drift.find("conn"), *(drift.find(name) for name in further)]
    units = {name: u.get_unit(drift.parameters[name]) for name in names}
    with double_precision():
        start = {name: np.asarray(u.get_mantissa(drift.parameters[name])) for name in names}

        def values(gains: Mapping[str, Numbers]) -> dict[str, Numbers]:
            # By the logarithms of factors signs stay, and what is no connection stays none.
            return {k: u.maybe_decimal(u.Quantity(start[k] * jnp.exp(g), unit=units[k])) for k, g in gains.items()}

        def loss(gains: Mapping[str, Numbers]) -> Numbers:
            # The working point moves with the weights: Newton's steps follow it from where it was.
            made = linear_response(drift, of=of, through=through, at=response.x, parameters=values(gains))
            fc = [made.correlation()] + ([] if lag is None else [made.correlation(lag)])
            return sum(jnp.sum((c - w) ** 2) / np.sum(w**2) for c, w in zip(fc, wanted, strict=True))

        gains, losses = _descended(loss, {name: jnp.zeros(x.shape) for name, x in start.items()}, n_steps, rate)
        found = {
            name: u.maybe_decimal(u.Quantity(np.asarray(u.get_mantissa(x)), unit=units[name]))
            for name, x in values(gains).items()
        }
    made = linear_response(drift, of=of, through=through, at=response.x, parameters=found)
    return EffectiveConnectivity(
        np.asarray(u.get_mantissa(found[names[0]])),
        MappingProxyType(found),
        made.correlation(),
        None if lag is None else made.correlation(lag),
        losses,
    )


def _descended(loss: Any, gains: Pytree, n_steps: int, rate: float) -> tuple[Pytree, np.ndarray]:
    """The best of some steps of Adam's method, and the losses."""
    optimiser = optax.inject_hyperparams(optax.adam)(learning_rate=rate)
    slope = jax.jit(jax.value_and_grad(loss))
    state, best, lowest, losses = optimiser.init(gains), gains, np.inf, []
    for _ in range(n_steps):
        value, gradient = slope(gains)
        # Unstable: an infinite covariance has no slope. The moments of Adam's method led there, so it begins anew.
        if not np.isfinite(value):
            rate /= 2
            gains, state = best, optimiser.init(best)
            state.hyperparams["learning_rate"] = jnp.asarray(rate)  # pyright: ignore[reportAttributeAccessIssue]
            continue
        losses.append(float(value))
        if value < lowest:
            best, lowest = gains, value
        change, state = optimiser.update(gradient, state, gains)
        gains = optax.apply_updates(gains, change)
    return best, np.array(losses)


def _square(name: str, given: Any, m: int) -> np.ndarray:
    matrix = np.asarray(u.get_mantissa(numbers(Argument(name, _OF), given, unit=u.UNITLESS)), float)
    if matrix.shape != (m, m) or not np.isfinite(matrix).all():
        raise argument_error(
            Argument(name, _OF), f"must be finite and of shape ({m}, {m})", f"has shape {matrix.shape}"
        )
    return matrix
