"""Rate, mean potential and time constant of a population of neurons, from a table by mean and noise of its input."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from brainmass._common.messages import Argument, argument_error, show
from brainmass.models.aln.fokker_planck import ExponentialNeuron, rate_response, stationary, time_constant

__all__ = ["CascadeTable", "default_table"]

FREQUENCIES = (np.arange(100) + 0.5) / 100  # kHz


@dataclass(frozen=True, eq=False)
class CascadeTable:
    """What a population of exponential integrate-and-fire neurons does under white noise, by mean and strength.

    Called with plain numbers, mean in mV/ms and strength in mV/√ms, it gives rate (per ms), mean potential (mV) and
    time constant (ms), linear between the points of the table and held beyond its edges.

    Parameters
    ----------
    neuron : ExponentialNeuron
        Without adaptation.
    mu, sigma : array (M,), array (S,)
        Mean and strength of the input, equally spaced.
    values : array (M, S, 3)
        Rate, mean potential, time constant.
    """

    neuron: ExponentialNeuron
    mu: np.ndarray = field(repr=False)
    sigma: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)

    @classmethod
    def compute(cls, neuron: ExponentialNeuron | None = None, mu: Any = None, sigma: Any = None, width: float = 0.01):
        """Solve the Fokker–Planck equation at every point, which takes minutes for the default grid.

        Parameters
        ----------
        neuron : ExponentialNeuron, optional
        mu : array (M,), optional
            In mV/ms; default 350 from -1 to 7.
        sigma : array (S,), optional
            In mV/√ms, above zero; default 64 from 0.5 to 5.
        width : float
            Of the cells of the membrane potential, in mV; ten times as wide for the linear response.
        """
        neuron = ExponentialNeuron() if neuron is None else neuron
        mu = _axis("mu", np.linspace(-1, 7, 350) if mu is None else mu, -np.inf)
        sigma = _axis("sigma", np.linspace(0.5, 5, 64) if sigma is None else sigma, 0.0)
        return cls(neuron, mu, sigma, np.stack([_row(neuron, x, sigma, width) for x in mu]))

    def __call__(self, mu: Any, sigma: Any) -> tuple[Any, Any, Any]:
        values = jnp.asarray(self.values, jnp.result_type(mu, sigma, float))
        i, x = _place(self.mu, mu)
        j, y = _place(self.sigma, sigma)
        x, y = x[..., None], y[..., None]
        below = (1 - y) * values[i, j] + y * values[i, j + 1]
        above = (1 - y) * values[i + 1, j] + y * values[i + 1, j + 1]
        found = (1 - x) * below + x * above
        return found[..., 0], found[..., 1], found[..., 2]


def _axis(name: str, given: Any, above: float) -> np.ndarray:
    points = np.asarray(given, float)
    if points.ndim != 1 or len(points) < 2 or not (points > above).all() or not np.allclose(np.diff(points, 2), 0):
        what = Argument(name, "CascadeTable.compute")
        raise argument_error(what, f"must be two or more points, equally spaced, above {above}", f"is {show(given)}")
    return points


def _row(neuron: ExponentialNeuron, mu: float, sigma: np.ndarray, width: float) -> np.ndarray:
    at = np.full(sigma.shape, mu), sigma
    response = rate_response(neuron, *at, np.concatenate([[1e-7], FREQUENCIES]), 10 * width)
    tau = time_constant(response[:, 1:], np.real(response[:, 0]), FREQUENCIES)
    return np.stack([*stationary(neuron, *at, width), tau], axis=-1)


def _place(axis: np.ndarray, at: Any) -> tuple[Any, Any]:
    """The point of the axis below, and how far it is to the next: from 0 to 1."""
    position = jnp.clip((jnp.asarray(at) - axis[0]) / (axis[1] - axis[0]), 0, len(axis) - 1)
    index = jnp.clip(jnp.floor(lax.stop_gradient(position)).astype(jnp.int32), 0, len(axis) - 2)
    return index, position - index


@functools.cache
def default_table() -> CascadeTable:
    """That of the neuron of Cakan & Obermayer 2020, made by `CascadeTable.compute()`."""
    with resources.files("brainmass.models.aln").joinpath("table.npz").open("rb") as file, np.load(file) as stored:
        return CascadeTable(ExponentialNeuron(), stored["mu"], stored["sigma"], stored["values"])
