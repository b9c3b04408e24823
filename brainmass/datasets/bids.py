"""Folders of BIDS: recordings of regions, and connectomes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainmass._common import checks
from brainmass._common.messages import Argument, argument_error, counted
from brainmass._common.paths import as_path
from brainmass._common.reading.contents import opened_file
from brainmass._common.reading.problems import bad
from brainmass._common.reading.text import TextStyle
from brainmass._common.typing import PathLike, Time
from brainmass.connectome.dense import Connectome
from brainmass.datasets.bold import from_bold
from brainmass.datasets.cohort import Cohort, Subject
from brainmass.datasets.sidecars import entities, suffix

__all__ = ["read_bids", "read_connectivity"]

_OF_SESSION = ("ses", "task", "acq", "ce", "dir", "rec", "run", "echo")
_WEIGHTS, _LENGTHS, _NAMES = ("weights", "relmat", "connectivity"), ("distances", "lengths"), ("nodes", "labels")
_IS_LENGTH, _IS_FUNCTION = re.compile("length|dist", re.I), re.compile("corr|coher|mutualinformation", re.I)
_TABLES = (".tsv", ".csv", ".txt", ".tsv.gz", ".dense.tsv", ".npy", ".mat", ".h5", ".dense.h5", ".pconn.nii")


def read_bids(
    folder: PathLike,
    tr: Time | None = None,
    *,
    choose: Mapping[str, str] | None = None,
    connectomes: Connectome | PathLike | Mapping[str, Connectome] | None = None,
    bandpass: object = None,
    confounds: Sequence[str] | None = None,
    detrend: bool = True,
    name: str | None = None,
) -> Cohort:
    """The recordings of regions in a folder of BIDS derivatives, as of XCP-D, or made from those of fMRIPrep.

    Read are `sub-*/**/*_timeseries.tsv` (a column for each region), `*_bold.tsv` (BEP034) and `*.ptseries.nii` (CIFTI);
    of a scan that is there as both, the table. Sessions are named by what tells them apart: "ses-1_task-rest_run-2".

    Parameters
    ----------
    folder : path
        The data set, with folders `sub-*`.
    tr : Quantity, optional
        Repetition time; without it, what the descriptions in the folder say (RepetitionTime, SamplingFrequency).
    choose : mapping, optional
        Entities of the names that must be so, as {"task": "rest", "seg": "4S156Parcels"}.
    connectomes : Connectome, path or mapping, optional
        One for all; or by subject, as `read_connectivity` reads them from a folder.
    bandpass, detrend
        As in `from_bold`. What XCP-D has filtered needs no band.
    confounds : sequence of names, optional
        Columns of `*_desc-confounds_timeseries.tsv` of the same scan in this folder that are regressed out. Where the
        first row is empty, as of derivatives in time, it counts as the mean of the others.
    name : str, optional
        Of the cohort; default, that of the folder.

    Returns
    -------
    Cohort

    Raises
    ------
    ValueError
        If nothing is found, a scan is there more than once (several atlases, spaces), or a recording is not as
        `from_bold` needs it; the message names the file.
    """
    root = _folder("folder", folder, "read_bids")
    chosen = _choice(choose, "read_bids")
    checks.instance(Argument("name", "read_bids"), name, str | None, "text")
    columns = None if confounds is None else _columns(confounds)
    found = _by_scan(root, chosen)
    structure = _connectomes(connectomes)
    subjects = []
    for subject, scans in found.items():
        sessions = {}
        for session, path in scans.items():
            nuisance = None if columns is None else _nuisance(root, path, columns)
            try:
                sessions[session] = from_bold(path, tr, bandpass=bandpass, confounds=nuisance, detrend=detrend)
            except (ValueError, TypeError) as error:
                # Where it was raised nothing is known of the file.
                raise type(error)(f"File {str(path)!r}: {error}") from error
        subjects.append(Subject(subject, sessions, structure(subject)))
    return Cohort(subjects, name or root.resolve().name, source=str(root))


def read_connectivity(folder: PathLike, *, choose: Mapping[str, str] | None = None) -> dict[str, Connectome]:
    """The structural connectomes in a folder of BIDS, by subject; "group" is that of nobody alone.

    Read are `*_weights.*` with `*_distances.*` (BEP034, with names from `*_nodes.*` or `*_labels.*`), and
    `*_relmat.*` (BEP017), `*_connectivity.*`: of these, those whose `meas`, `stat` or `desc` tells of lengths are the
    lengths (in mm), and those of correlations, or in folders `func`, are left out. Rows receive.

    Parameters
    ----------
    folder : path
        The data set, or the folder `net` of a BEP034 one.
    choose : mapping, optional
        Entities of the names of weights that must be so, as {"meas": "streamlinecount"}.

    Raises
    ------
    ValueError
        If there is none, or a subject has several.
    """
    root = _folder("folder", folder, "read_connectivity")
    chosen = _choice(choose, "read_connectivity")
    weights: dict[str, list[Path]] = {}
    lengths: dict[str, list[Path]] = {}
    every: list[Path] = []
    for path in sorted(root.rglob("*")):
        if not path.name.endswith(_TABLES) or suffix(path) not in _WEIGHTS + _LENGTHS or _is_function(path):
            continue
        said = entities(path)
        every.append(path)
        is_length = suffix(path) in _LENGTHS or any(_IS_LENGTH.search(said.get(key, "")) for key in _SAY)
        # `choose` speaks of weights; lengths are found by what they share with those that are left.
        if is_length or all(said.get(key) == value for key, value in chosen.items()):
            (lengths if is_length else weights).setdefault(said.get("sub", "group"), []).append(path)
    if not weights:
        _refuse_choice("read_connectivity", chosen, every)
        raise bad(root, "hold connectomes", "no file is named as *_weights.tsv or *_relmat.tsv")
    top = root.parent if root.name == "net" else root
    names = [path for path in sorted(top.rglob("*")) if path.name.endswith(_TABLES) and suffix(path) in _NAMES]
    return {subject: _connectome(subject, paths, lengths, names) for subject, paths in weights.items()}


_SAY = ("meas", "stat", "desc")


def _is_function(path: Path) -> bool:
    # Functional connectivity is a `relmat` too.
    return path.parent.name == "func" or any(_IS_FUNCTION.search(entities(path).get(key, "")) for key in _SAY)


def _connectome(
    subject: str, paths: list[Path], lengths: Mapping[str, list[Path]], names: Sequence[Path]
) -> Connectome:
    path = _only(paths, f"subject {subject!r}")
    mine = set(entities(path).items())
    # Of several files that which shares most entities with the weights: made of the same tracts, in the same atlas.
    near = lengths.get(subject) or lengths.get("group") or []
    best = max((len(mine & set(entities(file).items())) for file in near), default=0)
    near = [file for file in near if len(mine & set(entities(file).items())) == best]
    length = _only(near, f"lengths of subject {subject!r}") if near else None
    return Connectome.from_file(path, name=subject, lengths=length, labels=_of_regions(names, subject))


def _of_regions(files: Sequence[Path], subject: str) -> Path | None:
    """The file that names the regions: that of the subject, or that of all."""
    mine = [file for file in files if entities(file).get("sub") in (subject, None)]
    # That of the subject goes before that of all.
    mine.sort(key=lambda file: (entities(file).get("sub") != subject, _NAMES.index(suffix(file))))
    return mine[0] if mine else None


# --- recordings -------------------------------------------------------------------------------------------------------
def _by_scan(root: Path, chosen: Mapping[str, str]) -> dict[str, dict[str, Path]]:
    """Files by subject and session."""
    every = [path for path in sorted(root.rglob("sub-*")) if _is_recording(path)]
    fitting = [path for path in every if all(entities(path).get(key) == value for key, value in chosen.items())]
    if not fitting:
        _refuse_choice("read_bids", chosen, every)
        raise bad(root, "hold recordings", "no file is named as sub-*_timeseries.tsv or sub-*.ptseries.nii")
    scans: dict[tuple[str, str], list[Path]] = {}
    for path in fitting:
        said = entities(path)
        session = "_".join(f"{key}-{said[key]}" for key in _OF_SESSION if key in said) or "1"
        scans.setdefault((said["sub"], session), []).append(path)
    found: dict[str, dict[str, Path]] = {}
    for (subject, session), paths in scans.items():
        # A scan may be there in both forms; to read a table takes no nibabel.
        tables = [path for path in paths if not path.name.endswith(".nii")]
        found.setdefault(subject, {})[session] = _only(tables or paths, f"{session!r} of subject {subject!r}")
    return found


def _is_recording(path: Path) -> bool:
    said = entities(path)
    # Confounds are `timeseries`, too.
    if "sub" not in said or not path.is_file() or "confounds" in said.get("desc", ""):
        return False
    if path.name.endswith(".ptseries.nii"):
        return True
    a_series = suffix(path) == "timeseries" or (suffix(path) == "bold" and said.get("stat", "mean") == "mean")
    return a_series and path.name.endswith((".tsv", ".tsv.gz", ".csv"))


def _only(paths: Sequence[Path], of: str) -> Path:
    if len(paths) == 1:
        return paths[0]
    names = [entities(path) for path in paths]
    differing = [key for key in dict.fromkeys(k for n in names for k in n) if len({n.get(key) for n in names}) > 1]
    values = sorted({str(n[key]) for key in differing[:1] for n in names if key in n})
    hint = (
        f"Say which, as choose={{{differing[0]!r}: {values[0]!r}}}." if differing else "They differ in their folders."
    )
    listed = ", ".join(path.name for path in paths[:3])
    what = Argument("choose", "read_bids")
    raise argument_error(
        what, f"must leave one file for {of}", f"leaves {counted(len(paths), 'file')}, {listed}", hint=hint
    )


def _nuisance(root: Path, path: Path, columns: Sequence[str]) -> np.ndarray:
    scan = {key: value for key, value in entities(path).items() if key in ("sub", *_OF_SESSION)}
    home = root / f"sub-{scan['sub']}"
    files = [
        file
        for file in sorted(
            (home if home.is_dir() else root).rglob(f"sub-{scan['sub']}_*_desc-confounds*_timeseries.tsv")
        )
        if {key: value for key, value in entities(file).items() if key in ("sub", *_OF_SESSION)} == scan
    ]
    if not files:
        but = f"there is no *_desc-confounds_timeseries.tsv for {path.name}"
        raise argument_error(Argument("confounds", "read_bids"), "must be in the folder", but)
    table = opened_file(_only(files, f"the confounds of {path.name}"), TextStyle(empty=np.nan, header=True)).table
    names = list(map(str, table.labels[1])) if table and table.labels and table.labels[1] is not None else []
    missing = [column for column in columns if column not in names]
    if missing or table is None:
        but = f"{files[0].name} has no {missing[0]!r}: it has {', '.join(names[:6])}, ..."
        raise argument_error(Argument("confounds", "read_bids"), "must be columns of the table", but)
    values = np.array(np.asarray(table.values)[:, [names.index(column) for column in columns]], float)
    # fMRIPrep leaves the first row of derivatives in time empty.
    values[0] = np.where(np.isnan(values[0]), values[1:].mean(axis=0), values[0])
    return values


# --- arguments --------------------------------------------------------------------------------------------------------
def _folder(argument: str, folder: PathLike, of: str) -> Path:
    path = as_path(folder, Argument(argument, of))
    if not path.is_dir():
        raise argument_error(
            Argument(argument, of), "must be a folder", f"{str(path)!r} is none", kind=FileNotFoundError
        )
    return path


def _choice(choose: object, of: str) -> dict[str, str]:
    what, example = Argument("choose", of), f"{of}(folder, choose={{'task': 'rest'}})"
    given: Any = checks.instance(what, {} if choose is None else choose, Mapping, "entities by name", example=example)
    return {str(key): str(value) for key, value in given.items()}


def _columns(confounds: object) -> list[str]:
    what = Argument("confounds", "read_bids")
    columns = checks.items(what, confounds, "names of columns", example="confounds=['trans_x', 'csf']")
    if not columns or not all(isinstance(column, str) for column in columns):
        raise argument_error(what, "must be names of columns", f"are {columns}", "confounds=['trans_x', 'csf']")
    return columns


def _connectomes(given: Connectome | PathLike | Mapping[str, Connectome] | None) -> Callable[[str], Connectome | None]:
    """What gives each subject its connectome."""
    if given is None:
        return lambda subject: None
    if isinstance(given, Connectome):
        return lambda subject: given
    what = Argument("connectomes", "read_bids")
    if isinstance(given, str | Path):
        given = read_connectivity(_folder("connectomes", given, "read_bids"))
    mapping: Any = checks.instance(what, given, Mapping, "a Connectome, a folder, or connectomes by subject")
    for conn in mapping.values():
        checks.instance(what, conn, Connectome, "connectomes by subject")
    # Folders are called "sub-01", entities "01".
    by_name = {str(key).removeprefix("sub-"): conn for key, conn in mapping.items()}

    def find(subject: str) -> Connectome:
        conn = by_name.get(subject, by_name.get("group"))
        if conn is None:
            raise argument_error(what, "must have one for each subject, or for the 'group'", f"{subject!r} has none")
        return conn

    return find


def _refuse_choice(of: str, chosen: Mapping[str, str], there: Sequence[Path]) -> None:
    """Where files are there, but none of them is chosen."""
    if chosen and there:
        listed = ", ".join(path.name for path in there[:4])
        raise argument_error(Argument("choose", of), "must be so of a file", f"{chosen} leaves none of {listed}, ...")
