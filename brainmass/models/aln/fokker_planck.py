"""Rate, mean potential and linear response of the exponential integrate-and-fire neuron in white noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["ExponentialNeuron", "rate_response", "stationary"]


@dataclass(frozen=True)
class ExponentialNeuron:
    """An exponential integrate-and-fire neuron, in pF, nS, mV and ms.

    The defaults are those of Cakan & Obermayer 2020, table 1.
    """

    C: float = 200.0
    gL: float = 10.0
    EL: float = -65.0
    DeltaT: float = 1.5
    VT: float = -50.0
    Vr: float = -70.0
    Vs: float = -40.0
    Tref: float = 1.5

    def drift(self, V: np.ndarray) -> np.ndarray:
        """dV/dt without input, in mV/ms."""
        spike = self.DeltaT * np.exp((V - self.VT) / self.DeltaT) if self.DeltaT else 0.0
        return self.gL * (self.EL - V + spike) / self.C

    def cells(self, width: float, reach: float) -> tuple[np.ndarray, int, float]:
        """Middles of the cells from `reach` mV below rest up to the spike, the cell below the reset, their width."""
        above = round((self.Vs - self.Vr) / width)
        step = (self.Vs - self.Vr) / above
        n = above + int(np.ceil((self.Vr - self.EL + reach) / step))
        return self.Vs - (np.arange(n) + 0.5) * step, above, step


def _cell(
    neuron: ExponentialNeuron, V: float, mu: np.ndarray, D: np.ndarray, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Growth of the density through a cell, and what a flux of one adds to it."""
    z = -(neuron.drift(np.asarray(V)) + mu) / D * step
    growth = np.exp(z)
    near_zero = np.abs(z) < 1e-6
    return growth, np.where(near_zero, 1 + z / 2, np.expm1(z) / np.where(near_zero, 1.0, z)) * step / D


def stationary(neuron: ExponentialNeuron, mu: np.ndarray, sigma: np.ndarray, width: float = 0.02, reach: float = 120.0):
    """Firing rate, per ms, and mean potential of a neuron that is not refractory, in mV.

    For dV = (drift(V) + mu) dt + sigma dW, with `mu` in mV/ms and `sigma` in mV/sqrt(ms), of one shape.

    Reference: Richardson 2007, Phys. Rev. E 76:021919.
    """
    mu, D = np.asarray(mu, float), np.asarray(sigma, float) ** 2 / 2
    V, reset, step = neuron.cells(width, reach)
    p, mass, moment = np.zeros(mu.shape), np.zeros(mu.shape), np.zeros(mu.shape)
    for k in range(len(V)):
        growth, gain = _cell(neuron, V[k], mu, D, step)
        below = p * growth + (k < reset) * gain
        average = (p + below) / 2
        mass, moment, p = mass + average * step, moment + average * step * V[k], below
    return 1 / (mass + neuron.Tref), moment / mass


def rate_response(
    neuron: ExponentialNeuron,
    mu: np.ndarray,
    sigma: np.ndarray,
    frequency: np.ndarray,
    width: float,
    reach: float = 120.0,
) -> np.ndarray:
    """First-order response of the rate to a modulation of `mu`, in 1/mV, at each `frequency` in kHz.

    Shape: that of `mu` with an axis of frequencies at the end.

    Reference: Richardson 2007, Phys. Rev. E 76:021919.
    """
    rate, _ = stationary(neuron, mu, sigma, width, reach)
    mu, D = np.asarray(mu, float)[..., None], np.asarray(sigma, float)[..., None] ** 2 / 2
    V, reset, step = neuron.cells(width, reach)
    omega = 2j * np.pi * np.asarray(frequency, float)
    p0 = np.zeros(mu.shape)
    zero = np.zeros(np.broadcast_shapes(mu.shape, omega.shape), complex)
    p_r, J_r, p_m, J_m = zero, zero + 1, zero, zero  # per unit of rate, and per unit of input
    for k in range(len(V)):
        growth, gain = _cell(neuron, V[k], mu, D, step)
        if k == reset:
            J_r = J_r - np.exp(-omega * neuron.Tref)
        p0_below = p0 * growth + (k < reset) * gain * rate[..., None]
        p0_mid = (p0 + p0_below) / 2
        # the flux in the middle of the cell, from the density above it, then the density below
        J_r_mid, J_m_mid = J_r + omega * p_r * step / 2, J_m + omega * p_m * step / 2
        p_r_below, p_m_below = p_r * growth + gain * J_r_mid, p_m * growth + gain * (J_m_mid - p0_mid)
        J_r, J_m = J_r + omega * (p_r + p_r_below) / 2 * step, J_m + omega * (p_m + p_m_below) / 2 * step
        p_r, p_m, p0 = p_r_below, p_m_below, p0_below
    return -J_m / J_r


def time_constant(response: np.ndarray, slope: np.ndarray, frequency: np.ndarray, longest: float = 100.0) -> np.ndarray:
    """In ms, of the exponential filter nearest to a response: least squares of response/slope - 1/(1 + i omega tau)."""
    omega = 2 * np.pi * np.asarray(frequency, float)
    shape = response / slope[..., None]

    def distance(tau: np.ndarray) -> np.ndarray:
        return np.sum(np.abs(shape - 1 / (1 + 1j * omega * tau[..., None])) ** 2, axis=-1)

    coarse = np.geomspace(1e-2, longest, 300)
    best = np.argmin([distance(np.full(slope.shape, tau)) for tau in coarse], axis=0).clip(1, len(coarse) - 2)
    low, high = coarse[best - 1], coarse[best + 1]
    for _ in range(40):  # golden section
        inner, outer = high - (high - low) * 0.6180339887, low + (high - low) * 0.6180339887
        left = distance(inner) < distance(outer)
        low, high = np.where(left, low, inner), np.where(left, outer, high)
    return (low + high) / 2
