"""Example data of the names and shapes that tutorials load, made here by formulas: no measurement stands behind them.

Eight regions in two hemispheres. They are not the numbers of the published package.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import brainunit as u
import numpy as np

from brainmass._common.typing import Time

if TYPE_CHECKING:
    from brainmass.connectome.dense import Connectome


__all__ = ["Signal", "example_connectome", "example_signal", "install"]

_REGIONS, _SAMPLES = 8, 500
_LABELS = tuple(f"R{i}" for i in range(_REGIONS))


class Signal(NamedTuple):
    """A recording of several regions, with its functional connectivity."""

    #: shape (time, region)
    signal: np.ndarray
    #: time between samples
    dt: Time
    labels: np.ndarray
    #: shape (region, region): Pearson's correlation
    fc: np.ndarray


def example_connectome() -> Connectome:
    """Eight regions: weights fall off with distance, exp(-d / 40 mm), the strongest is 1."""
    from brainmass.connectome.dense import Connectome

    place = np.stack(np.meshgrid([-28.0, 28.0], [-36.0, 36.0], [-18.0, 18.0], indexing="ij"), axis=-1).reshape(-1, 3)
    place += np.random.default_rng(8).normal(0.0, 6.0, place.shape)
    distances = np.linalg.norm(place[:, None] - place[None, :], axis=-1)
    weights = np.exp(-distances / 40.0)
    np.fill_diagonal(weights, 0.0)
    return Connectome(weights / weights.max(), distances * u.mm, _LABELS, "example_connectome")


def example_signal() -> Signal:
    """500 ms of eight regions: rhythms of 20 to 60 Hz that share noise along the example connectome."""
    rng, ms = np.random.default_rng(500), np.arange(_SAMPLES)
    frequencies = np.linspace(0.02, 0.06, _REGIONS)  # in kHz
    rhythms = np.sin(2 * np.pi * (frequencies * ms[:, None] + rng.uniform(size=_REGIONS)))
    drive = np.zeros((_SAMPLES, _REGIONS))
    for i, kick in enumerate(rng.normal(0.0, 0.1, drive.shape)):
        drive[i] = 0.95 * drive[i - 1] + kick  # correlated over 20 ms
    mixed = rhythms + drive @ (np.eye(_REGIONS) + example_connectome().weights)
    return Signal(mixed, 1.0 * u.ms, np.array(_LABELS), np.asarray(np.corrcoef(mixed.T)))


def install(package: ModuleType) -> None:
    datasets = package.datasets
    datasets.Signal = Signal
    kinds = {"delayed_match_task": datasets.delayed_match_task}
    kinds |= {"example_connectome": example_connectome, "example_signal": example_signal}
    for name, loader in kinds.items():
        datasets.register_dataset(name, loader, overwrite=True)  # a module may be reloaded
