"""Names of files as BIDS makes them, and the descriptions beside them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from brainmass._common.reading.problems import bad

__all__ = ["entities", "repetition_time", "suffix"]

_ENTITY = re.compile(r"([A-Za-z0-9]+)-([A-Za-z0-9+.]+)\Z")
_FOLDERS_UP = 4  # sub, ses, func, and the folder of the data set


def entities(path: Path) -> dict[str, str]:
    """What a name says: {'sub': '01', 'task': 'rest'} of sub-01_task-rest_bold.json."""
    parts = (_ENTITY.match(part) for part in path.name.split(".")[0].split("_"))
    return {found[1]: found[2] for found in parts if found}


def suffix(path: Path) -> str:
    """The last part of a name: 'bold' of sub-01_task-rest_bold.json."""
    last = path.name.split(".")[0].split("_")[-1]
    return "" if _ENTITY.match(last) else last


def repetition_time(path: Path) -> float | None:
    """In seconds, as the nearest description says that holds for a recording, of the scan or of what was made of it."""
    own = entities(path).items()
    folder = path.parent
    for _ in range(_FOLDERS_UP):
        found = [
            file
            for file in folder.glob("*.json")
            # As BIDS lets descriptions be inherited: one holds for all files that have its entities.
            if (suffix(file) in (suffix(path), "bold") and _facts_of_scan(file) <= own)
            or file.name.split(".")[0] == path.name.split(".")[0]
        ]
        # The nearest in the folder: of the same kind of file, then with most entities.
        for file in sorted(found, key=lambda file: (suffix(file) != suffix(path), -len(entities(file)), file.name)):
            said = _said_in(file)
            if said is not None:
                return said
        # The top of a data set: what lies above it is another one.
        if (folder / "dataset_description.json").is_file():
            return None
        folder = folder.parent
    return None


def _facts_of_scan(path: Path) -> set[tuple[str, str]]:
    """What of a name tells scans apart, and not what was made of them."""
    made = ("desc", "space", "res", "den", "seg", "atlas", "stat", "cohort")
    return {(key, value) for key, value in entities(path).items() if key not in made}


def _said_in(file: Path) -> float | None:
    try:
        facts = json.loads(file.read_text())
        if "RepetitionTime" in facts:
            return float(facts["RepetitionTime"])
        return 1 / float(facts["SamplingFrequency"]) if "SamplingFrequency" in facts else None
    except (ValueError, TypeError, ZeroDivisionError, OSError) as error:
        raise bad(file, "be JSON that says a repetition time", str(error)) from error
