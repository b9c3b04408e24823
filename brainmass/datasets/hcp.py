"""Human Connectome Project averages in the Schaefer-100 parcellation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import resources

import brainunit as u
import numpy as np

from brainmass.connectome.dense import Connectome

__all__ = ["SCHAEFER100", "EmpiricalDataset", "load_hcp_schaefer100", "load_hcp_schaefer100_test"]

SCHAEFER100 = [f"{side} {i}" for side in ("LH", "RH") for i in range(1, 51)]

_CITATION = (
    "Van Essen et al. 2013, NeuroImage 80:62 (Human Connectome Project); "
    "Saberi et al. 2025, bioRxiv 10.1101/2025.11.13.688224 (cuBNM, which computed these averages); "
    "Schaefer et al. 2018, Cereb. Cortex 28:3095 (parcellation)"
)
_LICENCE = (
    "HCP Open Access Data Use Terms (underlying data; acknowledge the HCP when you use or pass them on); "
    "BSD-3-Clause (files of cuBNM, text in LICENSE.cubnm)"
)
_SOURCE = (
    "Human Connectome Project Young Adult, average of {} subjects, "
    "from the files shipped with the PyPI package cubnm 0.1.0"
)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EmpiricalDataset:
    """Structure and function of one set of brains, region by region, with provenance.

    All arrays are read-only and share the region order of `connectome.labels`.
    """

    name: str
    #: structural connectivity
    connectome: Connectome
    #: functional connectivity (Pearson) of resting-state BOLD, shape (N, N)
    fc: np.ndarray
    #: pooled entries of the lower triangle of functional connectivity dynamics, shape (K,)
    fcd_tril: np.ndarray
    #: index of the Yeo-7 network of each region, 0 to 6, shape (N,)
    yeo7: np.ndarray
    #: cortical maps by name, z-scored, each of shape (N,)
    maps: Mapping[str, np.ndarray]
    #: repetition time of the BOLD signal
    repetition_time: u.Quantity
    citation: str
    licence: str
    source: str

    def __repr__(self) -> str:
        return "\n".join(
            [
                f"{type(self).__name__} {self.name!r}",
                f"  connectome: {self.connectome!r}",
                f"  fc: {self.fc.shape}, repetition time {self.repetition_time}",
                f"  fcd_tril: {self.fcd_tril.shape}",
                f"  yeo7: {self.yeo7.shape}",
                f"  maps: {', '.join(self.maps)}",
                f"  source: {self.source}",
                f"  licence: {self.licence}",
                f"  please cite: {self.citation}",
            ]
        )


def load_hcp_schaefer100() -> EmpiricalDataset:
    """HCP Young Adult, 706 subjects, 100 cortical regions: connectome, FC, FCD, cortical maps.

    Regions are ordered as in Schaefer-100: 50 of the left hemisphere ("LH 1" ... "LH 50"), then 50 of the
    right. The two hemispheres are parcellated separately, so "LH 7" and "RH 7" are not homologues.
    Weights are streamline strengths (up to 4e4; normalise them before use), lengths are mean streamline
    lengths, 0 mm where there is no streamline. Both are symmetric with a zero diagonal.
    The windows of the FCD are 30 s long and 5 s apart, 43 and 7 samples, by which the FCD that cubnm 0.1.0 makes of a
    run of its own is exactly found; 1200 samples give 13695 pairs of windows, and `fcd_tril` has 13677.
    """
    return _group("hcp_schaefer100", 706)


def load_hcp_schaefer100_test() -> EmpiricalDataset:
    """HCP Young Adult, 303 other subjects: connectome, FC, FCD as in "hcp_schaefer100", with its cortical maps.

    The averages of the two groups are nearly one: their functional connectivities correlate 0.998. What holds for this
    group need not hold for one person in it.
    """
    return _group("hcp_schaefer100_test", 303)


def _group(name: str, n_subjects: int) -> EmpiricalDataset:
    data = _read("hcp_schaefer100.npz") | _read(f"{name}.npz")
    return EmpiricalDataset(
        name=name,
        connectome=Connectome(data["weights"], data["lengths_mm"] * u.mm, SCHAEFER100, name),
        fc=data["fc"],
        fcd_tril=data["fcd_tril"],
        yeo7=data["yeo7"],
        maps={key.removeprefix("map_"): data[key] for key in sorted(data) if key.startswith("map_")},
        repetition_time=u.Quantity(0.72, unit=u.second),
        citation=_CITATION,
        licence=_LICENCE,
        source=_SOURCE.format(n_subjects),
    )


def _read(filename: str) -> dict[str, np.ndarray]:
    path = resources.files("brainmass.datasets").joinpath("data", filename)
    # Numbers only: a pickle could run anything.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:  # type: ignore[arg-type]
        data = {key: archive[key] for key in archive.files}
    for array in data.values():
        # A change in place would reach all that share these arrays.
        array.setflags(write=False)
    return data
