"""At a potential, where the gates of thalamic ion channels settle, and how fast."""

from __future__ import annotations

import brainunit as u
import jax
import jax.numpy as jnp

__all__ = ["relay_h", "relay_t", "reticular_t"]

_WARM = 3**1.2  # how much faster T channels are at body temperature


def relay_t(V):
    """T channels of relay neurons: activation, inactivation, and the time constant of the latter."""
    V = V.to_decimal(u.mV)
    tau = 30.8 + (211.4 + jnp.exp((V + 115.2) / 5)) / (1 + jnp.exp((V + 86) / 3.2))
    return jax.nn.sigmoid((V + 59) / 6.2), jax.nn.sigmoid(-(V + 81) / 4), tau / _WARM * u.ms


def reticular_t(V):
    """T channels of reticular neurons: activation, inactivation, and the time constant of the latter."""
    V = V.to_decimal(u.mV)
    tau = 85 + 1 / (jnp.exp((V + 48) / 4) + jnp.exp(-(V + 407) / 50))
    return jax.nn.sigmoid((V + 52) / 7.4), jax.nn.sigmoid(-(V + 80) / 5), tau / _WARM * u.ms


def relay_h(V):
    """h channels of relay neurons: activation, and its time constant."""
    V = V.to_decimal(u.mV)
    tau = 20 + 1000 / (jnp.exp((V + 71.5) / 14.2) + jnp.exp(-(V + 89) / 11.6))
    return jax.nn.sigmoid(-(V + 75) / 5.5), tau * u.ms
