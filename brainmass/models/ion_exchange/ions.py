"""Sodium, potassium and chloride on both sides of the membranes of a population, with the currents that they carry."""

from __future__ import annotations

from typing import Any, NamedTuple

import brainunit as u
import jax

from brainmass._common.typing import Numbers

__all__ = ["VOLUME_IN", "Currents", "currents", "mV_per_ms", "per_mV_ms", "potassium_outside", "steady_activation"]

# Concentrations at rest, conductances, volumes, and the largest current of the pump, of the paper's table; 26.64 mV is
# RT/F at 36 °C.
mV: Any = u.mV
mM: Any = u.mM
nS: Any = u.nS
mV_per_ms: Any = u.mV / u.ms
per_mV_ms: Any = 1 / (u.mV * u.ms)
NA_IN, NA_OUT, K_IN, K_OUT, CL_IN, CL_OUT = 16.0 * mM, 138.0 * mM, 130.0 * mM, 4.8 * mM, 5.0 * mM, 112.0 * mM
G_NA, G_K, G_CL, G_NA_LEAK, G_K_LEAK = 40.0 * nS, 22.0 * nS, 7.5 * nS, 0.02 * nS, 0.12 * nS
VOLUME_IN, VOLUME_OUT = 2160.0 * u.um**3, 720.0 * u.um**3
PUMP, THERMAL = 250.0 * u.pA, 26.64 * mV


class Currents(NamedTuple):
    """Outward currents of the membrane."""

    sodium: Numbers
    potassium: Numbers
    chloride: Numbers
    pump: Numbers

    @property
    def total(self) -> Numbers:
        return self.sodium + self.potassium + self.chloride + self.pump

    @property
    def of_potassium(self) -> Numbers:
        """What leaves by the channels, less the two ions that the pump brings in for each charge that it moves."""
        return self.potassium - 2 * self.pump


def potassium_outside(DKi, Kg):
    """Concentration between the cells, when it has changed by `DKi` inside, and by `Kg` from the bath and glia."""
    return K_OUT - VOLUME_IN / VOLUME_OUT * DKi + Kg


def steady_activation(V):
    """Of the potassium channels."""
    return _sigmoid((V + 19.0 * mV) / (18.0 * mV))


def currents(V, n, DKi, Kg) -> Currents:
    """At potential `V` and activation `n`; sodium goes out where potassium comes in."""
    outside = potassium_outside(DKi, Kg)
    sodium_in, sodium_out = NA_IN - DKi, NA_OUT + VOLUME_IN / VOLUME_OUT * DKi
    m = _sigmoid((V + 24.0 * mV) / (12.0 * mV))
    h = 1.1 - _sigmoid(8.0 * (n - 0.4))
    return Currents(
        (G_NA_LEAK + G_NA * m * h) * (V - THERMAL * u.math.log(sodium_out / sodium_in)),
        (G_K_LEAK + G_K * n) * (V - THERMAL * u.math.log(outside / (K_IN + DKi))),
        G_CL * (V + THERMAL * u.math.log(CL_OUT / CL_IN)),
        PUMP * _sigmoid((sodium_in - 21.0 * mM) / (2.0 * mM)) * _sigmoid((outside - 5.5 * mM) / mM),
    )


def _sigmoid(x):
    return jax.nn.sigmoid(u.maybe_decimal(x))
