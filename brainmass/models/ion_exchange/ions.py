"""Sodium, potassium and chloride on both sides of the membranes of a population, with the currents that they carry."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

__all__ = ["VOLUME_IN", "Currents", "currents", "potassium_outside", "steady_activation"]

# Concentrations at rest (mmol/l), conductances (nS), volumes (µm³), and the largest current of the pump (pA), of the
# paper's table; 26.64 mV is RT/F at 36 °C.
NA_IN, NA_OUT, K_IN, K_OUT, CL_IN, CL_OUT = 16.0, 138.0, 130.0, 4.8, 5.0, 112.0
G_NA, G_K, G_CL, G_NA_LEAK, G_K_LEAK = 40.0, 22.0, 7.5, 0.02, 0.12
VOLUME_IN, VOLUME_OUT = 2160.0, 720.0
PUMP, THERMAL = 250.0, 26.64


class Currents(NamedTuple):
    """Outward currents of the membrane."""

    sodium: jax.Array
    potassium: jax.Array
    chloride: jax.Array
    pump: jax.Array


def potassium_outside(DKi, Kg):
    """Concentration between the cells, when it has changed by `DKi` inside, and by `Kg` from the bath and glia."""
    return K_OUT - VOLUME_IN / VOLUME_OUT * DKi + Kg


def steady_activation(V):
    """Of the potassium channels."""
    return jax.nn.sigmoid((V + 19.0) / 18.0)


def currents(V, n, DKi, Kg) -> Currents:
    """At potential `V` and activation `n`; sodium goes out where potassium comes in."""
    outside = potassium_outside(DKi, Kg)
    sodium_in, sodium_out = NA_IN - DKi, NA_OUT + VOLUME_IN / VOLUME_OUT * DKi
    m = jax.nn.sigmoid((V + 24.0) / 12.0)
    h = 1.1 - jax.nn.sigmoid(8.0 * (n - 0.4))
    return Currents(
        (G_NA_LEAK + G_NA * m * h) * (V - THERMAL * jnp.log(sodium_out / sodium_in)),
        (G_K_LEAK + G_K * n) * (V - THERMAL * jnp.log(outside / (K_IN + DKi))),
        G_CL * (V + THERMAL * jnp.log(CL_OUT / CL_IN)),
        PUMP * jax.nn.sigmoid((sodium_in - 21.0) / 2.0) * jax.nn.sigmoid(outside - 5.5),
    )
