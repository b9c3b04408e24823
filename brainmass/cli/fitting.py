"""`brainmass fit FILE`."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainmass.cli.running import Work

__all__ = ["fit"]


def fit(given: argparse.Namespace) -> int:
    """Fit the parameters that a file names, and save what was found."""
    work = Work(given)
    work.file.check("fit")
    work.write_to(Path(f"{given.file.stem}_fit.npz"), (".npz",))
    work.tell(*work.file.describe())
    if given.check:
        work.file.try_out("fit")
        return 0
    work.refuse_to_overwrite()
    unfinished = work.output.with_name(f"{work.output.stem}_unfinished.npz")
    if given.force:
        unfinished.unlink(missing_ok=True)
    if unfinished.exists():
        work.tell(f"going on from {unfinished}")
    result = work.file.fit(checkpoint=unfinished, progress=not given.quiet)
    result.save(work.output)
    unfinished.unlink(missing_ok=True)
    work.tell(repr(result))
    work.tell_end(work.output)
    return 0
